"""Counterparts that do nothing, and answers that say nothing."""
# mypy: disable-error-code="method-assign, assignment"

from collections.abc import Mapping

from medmij_conformance.evidence import Response
from medmij_conformance.reference import nothing
from medmij_conformance.reference.dvza import (
    Dvza,
)

HTML, NULL_ANSWERS = nothing.HTML, nothing.NULL_ANSWERS
SHEDDING: Mapping[str, Response] = {
    **nothing.SHEDDING,
    "429 that asks to come back at once": Response(status=429, headers=(("Retry-After", "0"),)),
    "503 for everything": Response(status=503),
    "503 that asks to come back in an hour": Response(status=503, headers=(("Retry-After", "3600"),)),
    "502 of a proxy": Response(status=502, headers=HTML, body=b"<title>502 Bad Gateway</title>"),
    "504 of a proxy": Response(status=504, headers=HTML, body=b"<title>504 Gateway Time-out</title>"),
    "a firewall's 403": Response(status=403, headers=HTML, body=b"<title>Access denied</title><p>Support id 4711</p>"),
    "a firewall's 406": Response(status=406, headers=HTML, body=b"<title>Not acceptable</title><p>mod_security</p>"),
    "a connection cut at once, again": Response(status=0),
}
"""Answers that say nothing about the gateway: no check may pass on them, and none may fail."""


def nullify(gateway: Dvza, name: str) -> None:
    """Make a gateway give the same answer to everything. Raises ``KeyError`` for an unknown name."""
    answer = {**NULL_ANSWERS, **SHEDDING}[name]
    gateway.front = lambda *_: answer
    gateway.back = lambda *_: answer
