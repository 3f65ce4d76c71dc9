"""What should be: the catalogue of requirements, the readings of ambiguous passages, and a release as data."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from medmij_conformance import data_path

ROLES: Mapping[str, frozenset[str]] = {
    "DVP": frozenset({"dvp"}),
    "DVZA": frozenset({"dvza"}),
    "REG": frozenset({"registratie"}),
    "both": frozenset({"dvp", "dvza"}),
    "all": frozenset({"dvp", "dvza", "registratie"}),
    "DVP+REG": frozenset({"dvp", "registratie"}),
    "DVZA+REG": frozenset({"dvza", "registratie"}),
}
"""Role field of the catalogue -> the roles of a target that it binds."""

LEVELS = ("MUST", "SHOULD", "MAY")
TESTS = ("blackbox", "operator", "evidence")
PROFILES = ("1.0", "derived", "later", "info")
_BEYOND_THE_WIRE = {
    "blackbox": "",
    "operator": "needs the vendor's help (a hook or an operator), which this version does not ask for",
    "evidence": "shown by documents, not on the wire",
}


class CatalogueError(ValueError):
    """A data file of the specification is wrong: the message names file, entry and field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One entry of the catalogue, in our own words; ``source`` cites document, layer and rule."""

    id: str
    title: str
    section: str
    role: str
    profile: str
    level: str
    test: str
    source: str
    en: str
    nl: str
    how: str
    mutant: str = ""
    notes: str = ""
    inherits: tuple[str, ...] = ()

    @property
    def roles(self) -> frozenset[str]:
        """The roles of a target (``dvza``, ``dvp``, ``registratie``) that this entry binds."""
        return ROLES[self.role]

    @property
    def readings(self) -> tuple[str, ...]:
        """The ids of the readings (``AMB.n``) that the entry refers to."""
        return tuple(sorted(set(re.findall(r"AMB\.\d+", f"{self.how} {self.notes}"))))

    @property
    def at_most_warning(self) -> bool:
        """A SHOULD or MAY, and what only a later release or an informative text says, never fails a gateway."""
        return self.level != "MUST" or self.profile in {"later", "info"}

    @property
    def beyond_the_wire(self) -> str:
        """Why scenarios alone do not show it; empty for a black-box rule of the release."""
        if self.profile in {"later", "info"}:
            return f"profile {self.profile}: not part of release 1.0"
        return _BEYOND_THE_WIRE[self.test]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How an ambiguous passage is read. Verdicts that lean on it cite its id."""

    id: str
    issue: str
    reading: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolException:
    """One row of the exception table: how UCI exception ``number`` must look on the wire.

    ``channel``: ``page`` (shown to the user), ``redirect`` (query of the redirect URI), ``token`` (JSON of RFC 6749 5.2) or
    ``resource`` (FHIR OperationOutcome). ``code`` is the OAuth error or the FHIR issue code.
    """

    number: int
    trigger: str
    channel: str
    code: str
    description: str | None = None
    parent: str | None = None
    statuses: tuple[int, ...] = ()
    tolerated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An authorization code or access token: its form and its lifetime in seconds."""

    format: str
    lifetime_s: int
    tolerance_s: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Gegevensdienst:
    """A data service of the catalogue: the name that people see, the kind of its FHIR requests, and one of
    them, relative to the resource endpoint. ``pgo_code`` is its code on the side of the PGO."""

    code: str
    pgo_code: str
    name: str
    service: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListTimes:
    """How often lists are published and fetched, in seconds, each with the tolerance of the judge."""

    update_s: int
    update_tolerance_s: int
    whitelist_fetch_s: int
    whitelist_fetch_tolerance_s: int
    whitelist_fetch_advised_s: int
    zal_fetch_s: int
    zal_fetch_tolerance_s: int
    reload_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of the framework as data. Nothing in a check, a counterparty or a step knows its literals."""

    id: str
    catalogue: str
    title: str
    response_type: str
    grant_type: str
    token_type: str
    refresh_tokens: bool
    scope_template: str
    code: Credential
    token: Credential
    lists: ListTimes
    exceptions: Mapping[int, ProtocolException]
    gegevensdiensten: Mapping[str, Gegevensdienst]
    request_parameters: tuple[str, ...]
    tls_edition: str
    tls_levels: Mapping[str, tuple[str, ...]]
    """Channel (``front``, ``back``) -> the levels of the TLS guideline that may be used there."""
    note: str = ""
    """What every report of this release says beside its verdict."""

    def exception(self, number: int) -> ProtocolException:
        """Row ``number`` of the exception table. Raises ``KeyError`` if this release has no such row."""
        return self.exceptions[number]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The requirements and readings of one release, by id, in the order of the specification."""

    release: str
    requirements: Mapping[str, Requirement]
    readings: Mapping[str, Reading]

    def __getitem__(self, requirement: str) -> Requirement:
        try:
            return self.requirements[requirement]
        except KeyError:
            raise CatalogueError(f"requirement {requirement!r} is not in the catalogue of release {self.release}") from None

    def of_role(self, role: str) -> tuple[Requirement, ...]:
        """The requirements that bind a role (``dvza``, ``dvp`` or ``registratie``)."""
        return tuple(r for r in self.requirements.values() if role in r.roles)

    def bearers(self, requirement: str) -> frozenset[str]:
        """The entries whose scenarios show this one: itself, or what it refers to, followed to the end."""
        found: set[str] = set()
        waiting = [requirement]
        while waiting:
            current = waiting.pop()
            if current not in found:
                found.add(current)
                waiting += self[current].inherits
        return frozenset(found)


@cache
def catalogue(release: str = "1.0") -> Catalogue:
    """The catalogue of a release, validated. Raises ``CatalogueError`` when a data file is wrong."""
    fixtures = data_path("fixtures")
    requirements = load_requirements(fixtures / "requirements" / f"{release}.toml")
    readings = load_readings(fixtures / "readings" / f"{release}.toml")
    for requirement in requirements.values():
        unknown = {*requirement.inherits} - {*requirements} | {*requirement.readings} - {*readings}
        if unknown:
            raise CatalogueError(f"{requirement.id}: refers to {', '.join(sorted(unknown))}, which does not exist")
    return Catalogue(release, requirements, readings)


@cache
def release(name: str = "1.0") -> Release:
    """A release from ``fixtures/releases``. Raises ``CatalogueError`` when there is none of that name or a key is wrong."""
    path = data_path("fixtures") / "releases" / f"{name}.toml"
    if not path.is_file():
        known = sorted(p.stem for p in path.parent.glob("*.toml"))
        raise CatalogueError(f"release {name!r} is unknown; expected one of {', '.join(known)}")
    data = _toml(path)
    try:
        exceptions = [_exception(row) for row in data.pop("exception")]
        services = [Gegevensdienst(**row) for row in data.pop("gegevensdienst")]
        return Release(
            **{
                **data,
                "request_parameters": tuple(data["request_parameters"]),
                "tls_levels": {channel: tuple(levels) for channel, levels in data["tls_levels"].items()},
                "code": Credential(**data["code"]),
                "token": Credential(**data["token"]),
                "lists": ListTimes(**data["lists"]),
                "exceptions": {row.number: row for row in exceptions},
                "gegevensdiensten": {row.code: row for row in services},
            }
        )
    except (KeyError, TypeError) as error:
        raise CatalogueError(f"{path.name}: {error}") from error


def load_requirements(path: Path) -> dict[str, Requirement]:
    """The requirements of a file by id. Raises ``CatalogueError`` that names the entry and the field."""
    found: dict[str, Requirement] = {}
    for number, row in enumerate(_rows(path, "requirement"), start=1):
        name = f"{path.name}: requirement {row.get('id', number)}"
        for field, value in row.items():
            texts = value if field == "inherits" and isinstance(value, list) else [value]
            if (field == "inherits") != isinstance(value, list) or not all(isinstance(text, str) for text in texts):
                expected = "a list of ids" if field == "inherits" else "text"
                raise CatalogueError(f"{name}: {field}: {value!r}; expected {expected}")
        try:
            requirement = Requirement(**{**row, "inherits": tuple(row.get("inherits", ()))})
        except TypeError as error:
            raise CatalogueError(f"{name}: {error}") from error
        for field, allowed in (("role", ROLES), ("level", LEVELS), ("test", TESTS), ("profile", PROFILES)):
            if getattr(requirement, field) not in allowed:
                expected = ", ".join(allowed)
                raise CatalogueError(f"{name}: {field}: {getattr(requirement, field)!r}; expected one of {expected}")
        if requirement.id in found:
            raise CatalogueError(f"{name}: id: stands twice; expected a unique id")
        found[requirement.id] = requirement
    return found


def load_readings(path: Path) -> dict[str, Reading]:
    """The readings of a file by id. Raises ``CatalogueError`` that names the entry and the field."""
    found: dict[str, Reading] = {}
    for number, row in enumerate(_rows(path, "reading"), start=1):
        try:
            reading = Reading(**row)
        except TypeError as error:
            raise CatalogueError(f"{path.name}: reading {row.get('id', number)}: {error}") from error
        if reading.id in found:
            raise CatalogueError(f"{path.name}: reading {reading.id}: id: stands twice; expected a unique id")
        found[reading.id] = reading
    return found


def _exception(row: Mapping[str, Any]) -> ProtocolException:
    return ProtocolException(**{**row, "statuses": tuple(row.get("statuses", ())), "tolerated": tuple(row.get("tolerated", ()))})


def _rows(path: Path, name: str) -> list[dict[str, Any]]:
    rows = _toml(path).get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CatalogueError(f"{path.name}: {name}: expected a list of tables, [[{name}]]")
    return rows


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except (OSError, ValueError) as error:  # not there, not UTF-8, or not TOML
        raise CatalogueError(f"{path.name}: {error}") from error
