"""What a probe saw of an endpoint's TLS: each offer with its answer, and how the journal holds that."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import groupby
from typing import Any

from medmij_conformance.protocol import tls
from medmij_conformance.protocol.tls import ClientHello


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one offer, by code point.

    ``kind``: ``hello``, ``alert``, ``closed`` (without a word), ``silence`` or ``foreign`` (no TLS). ``prime`` is the size of a
    finite field in bits and, if it is a known one, its name. ``chain`` are keys of ``Seen.certificates``, leaf first.
    """

    kind: str
    version: int | None = None
    suite: int | None = None
    group: int | None = None
    prime: str = ""
    signature: int | None = None
    compression: int = 0
    alert: int | None = None
    chain: tuple[str, ...] = ()
    certificate_requested: bool = False
    stapled: bool = False
    extended_master_secret: bool = False
    secure_renegotiation: bool = False


@dataclass(slots=True)
class Seen:
    """All that a probe saw. ``offers`` and ``answers`` go together, each offer with what it was for.

    ``certificates``: for each its ``key`` (``RSA 2048``, ``EC secp256r1``) and the ``hash`` of its signature. ``renegotiations``:
    how often the server let the client renegotiate; ``early_data``: how many octets of it its session tickets allow; both None when
    no whole handshake came about that would show it.
    """

    offers: list[tuple[str, ClientHello]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    certificates: dict[str, dict[str, str]] = field(default_factory=dict)
    renegotiations: int | None = None
    early_data: int | None = None

    @property
    def hellos(self) -> Iterator[tuple[ClientHello, Answer]]:
        """The offers that were answered by a ServerHello of TLS, with their answers."""
        for (_, offer), answer in zip(self.offers, self.answers, strict=True):
            if answer.kind == "hello" and answer.version is not None and answer.version >= tls.TLS10:
                yield offer, answer

    def suites(self, version: int) -> tuple[int, ...]:
        """The suites that were taken in a version, in the order in which they were."""
        taken = (a.suite for a in self.answers if a.kind == "hello" and a.version == version and a.suite is not None)
        return tuple(dict.fromkeys(taken))

    @property
    def versions(self) -> tuple[int, ...]:
        """The versions that were taken, oldest first."""
        return tuple(sorted({a.version for a in self.answers if a.kind == "hello" and a.version is not None}))

    def offered(self) -> bytes:
        """The offers as JSON, one a line."""
        return _lines({"for": purpose, **_to_json(offer)} for purpose, offer in self.offers)

    def answered(self) -> bytes:
        """The answers as JSON, one a line, and in a last one what else was seen."""
        rest = {"certificates": self.certificates, "renegotiations": self.renegotiations, "early_data": self.early_data}
        return _lines([*map(_to_json, self.answers), rest])


def read_seen(offered: bytes, answered: bytes) -> Seen:
    """The inverse of ``offered`` and ``answered``. Raises ``ValueError``, ``KeyError`` or ``TypeError`` when it is none."""
    *answers, rest = map(json.loads, answered.splitlines())
    offers = [json.loads(line) for line in offered.splitlines()]
    seen = Seen(
        offers=[(row.pop("for"), ClientHello(**_from_json(row))) for row in offers],
        answers=[Answer(**_from_json(row)) for row in answers],
        **rest,
    )
    if len(seen.offers) != len(seen.answers):
        raise ValueError("there are not as many answers as offers")
    return seen


_CODES = {"suites", "groups", "signatures", "versions"}
_LISTS = {"chain", "compressions"}


def _to_json(row: ClientHello | Answer) -> dict[str, Any]:
    """The fields that are not as they are by default; code points as runs of hexadecimal numbers."""
    given = {each.name: getattr(row, each.name) for each in fields(row) if getattr(row, each.name) != each.default}
    return {name: write_codes(value) if name in _CODES else value for name, value in given.items()}


def _from_json(row: Mapping[str, Any]) -> dict[str, Any]:
    codes = {name: read_codes(value) for name, value in row.items() if name in _CODES}
    lists = {name: tuple(value) for name, value in row.items() if name in _LISTS}
    return {**row, **codes, **lists}


def write_codes(codes: Iterable[int]) -> str:
    """Code points in their order, runs of consecutive ones in short: ``c02b-c02d 9c``."""
    runs = groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0])
    ends = [[code for _, code in run] for _, run in runs]
    return " ".join(f"{run[0]:x}-{run[-1]:x}" if len(run) > 1 else f"{run[0]:x}" for run in ends)


def read_codes(text: str) -> tuple[int, ...]:
    """The inverse of ``write_codes``."""
    found: list[int] = []
    for run in text.split():
        first, _, last = run.partition("-")
        found += range(int(first, 16), int(last or first, 16) + 1)
    return tuple(found)


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "\n".join(json.dumps(row, separators=(",", ":")) for row in rows).encode()
