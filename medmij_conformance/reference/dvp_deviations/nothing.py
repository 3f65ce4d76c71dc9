"""Gateways that do nothing, and answers that say nothing."""
# mypy: disable-error-code="method-assign, assignment"

from collections.abc import Mapping

from medmij_conformance.evidence import Response
from medmij_conformance.reference import nothing
from medmij_conformance.reference.dvp import Dvp

NULL_ANSWERS: Mapping[str, Response] = {
    **nothing.NULL_ANSWERS,
    "a page that says what is wanted": Response(
        status=200, headers=nothing.HTML, body=b"<!doctype html><title>Collecting</title><p class=collected>Collected</p>"
    ),
    "a page that says that it failed": Response(
        status=200, headers=nothing.HTML, body=b"<!doctype html><title>Collecting</title><p class=failed>Collecting failed</p>"
    ),
}
"""As for every reference, and what only a page of a PGO can say."""

SHEDDING = nothing.SHEDDING


def nullify(gateway: Dvp, name: str) -> None:
    """Make a gateway give the same answer to everything. Raises ``KeyError`` for an unknown name."""
    answer = {**NULL_ANSWERS, **SHEDDING}[name]
    gateway.front = lambda *_: answer
