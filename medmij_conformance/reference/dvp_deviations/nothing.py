"""Gateways that do nothing, and answers that say nothing."""
# mypy: disable-error-code="method-assign, assignment"

from collections.abc import Mapping

from medmij_conformance.evidence import Headers, Response
from medmij_conformance.reference.dvp import Dvp

_HTML: Headers = (("Content-Type", "text/html"),)
NULL_ANSWERS: Mapping[str, Response] = {
    "500 for everything": Response(status=500),
    "400 for everything": Response(status=400, body=b"Bad Request"),
    "an empty 200 for everything": Response(status=200),
    "a connection cut at once": Response(status=0),
    "a page without forms for everything": Response(
        status=200, headers=_HTML, body=b"<!doctype html><title>Welcome</title><h1>Welcome</h1><p>It works!</p>"
    ),
    "a page that says what is wanted": Response(
        status=200, headers=_HTML, body=b"<!doctype html><title>Collecting</title><p class=collected>Collected</p>"
    ),
    "a page that says that it failed": Response(
        status=200, headers=_HTML, body=b"<!doctype html><title>Collecting</title><p class=failed>Collecting failed</p>"
    ),
}
"""Counterparts that do nothing: no check may pass on them. Status 0 stands for hanging up without an answer."""

SHEDDING: Mapping[str, Response] = {
    "429 for everything": Response(status=429),
    "503 with a page": Response(status=503, headers=_HTML, body=b"<title>Busy</title><h1>Please come back later</h1>"),
}
"""Answers that say nothing about the gateway: no check may pass on them, and none may fail."""


def nullify(gateway: Dvp, name: str) -> None:
    """Make a gateway give the same answer to everything. Raises ``KeyError`` for an unknown name."""
    answer = {**NULL_ANSWERS, **SHEDDING}[name]
    gateway.front = lambda *_: answer
