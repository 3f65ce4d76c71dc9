"""The TLS guidelines of NCSC-NL: which level an edition gives to a part of TLS. Data: ``fixtures/tls/ncsc.toml``."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from medmij_conformance import data_path

UNKNOWN = "unknown"


class GuidelineError(ValueError):
    """There is no such edition; the message says which was asked for."""


@dataclass(frozen=True, slots=True)
class Rating:
    """A level, the edition that gave it, and whether that was read in an authoritative text."""

    level: str
    edition: str
    unsure: bool = False


@dataclass(frozen=True, slots=True)
class Suite:
    """A cipher suite. ``key_exchange`` and ``authentication`` are ``any`` in TLS 1.3."""

    name: str
    code: int
    key_exchange: str
    authentication: str
    bulk: str
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What IANA's code points stand for."""

    suites: Mapping[int, Suite]
    groups: Mapping[int, str]
    signatures: Mapping[int, tuple[str, str]]
    """Code of a signature scheme -> its name and its hash."""

    def suite_name(self, code: int) -> str:
        """The name of a suite, or its code point."""
        return self.suites[code].name if code in self.suites else f"suite 0x{code:04X}"

    def group_name(self, code: int) -> str:
        """The name of a group, or its code point."""
        return self.groups.get(code, f"group 0x{code:04X}")

    def signature_name(self, code: int) -> str:
        """The name of a signature scheme, or its code point."""
        return self.signatures[code][0] if code in self.signatures else f"signature 0x{code:04X}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One edition of the guideline. ``later`` are the editions after it, which decide what it does not know (AMB.62)."""

    name: str
    number: str
    title: str
    published: str
    tolerated: tuple[str, ...]
    tables: Mapping[str, Mapping[str, Any]]
    later: tuple["Edition", ...]

    def tolerates(self, part: str, level: str) -> bool:
        """Whether a part that is only sufficient cannot be done without under this edition."""
        return level == levels()[1] and bool({"*", part} & {*self.tolerated})

    def rate(self, table: str, name: str) -> Rating:
        """The level of a part by its name: ``version``, ``group``, ``certificate_hash``, or a part of a suite."""
        rows = self.tables[table]
        if name in rows.get("not_rated", ()) and self.later:
            return self.later[0].rate(table, name)
        listed = next((level for level in levels() if name in rows.get(level, ())), "")
        unsure = rows.get("unsure", ())
        return Rating(listed or rows["default"], self.name, name in unsure or (not listed and "other" in unsure))

    def rate_suite(self, code: int) -> Rating:
        """The level of a cipher suite: the lowest of its parts. One that no table knows is not good for anything."""
        suite = registry().suites.get(code)
        if suite is None:
            return Rating(levels()[-1], self.name)
        parts = {name: getattr(suite, name) for name in ("key_exchange", "authentication", "bulk", "mac")}
        ratings = [self.rate(table, name) for table, name in parts.items() if name != "any"]
        level = lowest(rating.level for rating in ratings)
        decisive = [rating for rating in ratings if rating.level == level]
        return Rating(level, decisive[0].edition, all(rating.unsure for rating in decisive))

    def rate_bits(self, table: str, bits: int, name: str = "") -> Rating:
        """The level of an RSA key (``rsa``) or a prime (``finite_field``), by size, or by the name of its group."""
        rows = self.tables[table]
        if "bits" not in rows:
            return self.rate(table, name)
        level = next((level for level in levels() if bits >= rows["bits"].get(level, bits + 1)), rows["default"])
        return Rating(level, self.name, level in rows.get("unsure", ()))

    def rate_signatures(self, codes: Iterable[int]) -> dict[int, Rating]:
        """The level of the signature schemes that a server signs its key exchange with.

        Where the edition only wants SHA-2 to be possible, the others do no harm beside it.
        """
        rows, known = self.tables["signature_hash"], registry().signatures
        ratings = {code: self.rate("signature_hash", known[code][1] if code in known else UNKNOWN) for code in codes}
        best = levels()[0]
        if rows["rule"] == "can" and any(rating.level == best for rating in ratings.values()):
            return {code: Rating(best, self.name) for code in ratings}
        return ratings

    def rate_option(self, name: str) -> Rating:
        """The level of an option that is switched on."""
        rows = self.tables["option"]
        return Rating(rows.get(name) or rows[name.partition(",")[0]], self.name)


@cache
def _data() -> Mapping[str, Any]:
    with (data_path("fixtures") / "tls" / "ncsc.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def levels() -> tuple[str, ...]:
    """The levels, best first."""
    return tuple(_data()["levels"])


def lowest(of: Iterable[str]) -> str:
    """The worst of some levels; the best one when there are none."""
    return max(of, key=levels().index, default=levels()[0])


@cache
def registry() -> Registry:
    """The code points."""
    data = _data()
    groups = {int(code, 16): name for name, codes in data["group"].items() for code in codes.split()}
    signatures = {int(row.split()[0], 16): (name, row.split()[1]) for name, row in data["signature"].items()}
    suites = [Suite(name, int(row.split()[0], 16), *row.split()[1:]) for name, row in data["suite"].items()]
    return Registry(suites={suite.code: suite for suite in suites}, groups=groups, signatures=signatures)


def editions() -> tuple[str, ...]:
    """The names of the editions, oldest first."""
    return tuple(_data()["edition"])


@cache
def edition(name: str) -> Edition:
    """An edition by its name or its number. Raises ``GuidelineError``."""
    rows = _data()["edition"]
    names = [each for each, row in rows.items() if name in {each, row["number"]}]
    if not names:
        raise GuidelineError(f"{name!r} is no edition of the TLS guideline")
    row = rows[names[0]]
    later = editions()[editions().index(names[0]) + 1 :]
    return Edition(
        name=names[0],
        number=row["number"],
        title=row["title"],
        published=row["published"],
        tolerated=tuple(row["tolerated"]),
        tables={key: value for key, value in row.items() if isinstance(value, dict)},
        later=tuple(map(edition, later)),
    )
