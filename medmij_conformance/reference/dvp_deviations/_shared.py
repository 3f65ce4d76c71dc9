"""What the deviations of the reference PGO share: their register, and how some of them are made."""
# mypy: disable-error-code="method-assign, assignment"

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from medmij_conformance.evidence import Headers, Request, Response
from medmij_conformance.reference.deviation import Deviations
from medmij_conformance.reference.dvp import Dvp, Holding, Pairs, Pending, StoppedError

DEVIATIONS = Deviations()
BSN = "999990019"  # that of the person of the reference's target file; a PGO should not know it


def ask_with(gateway: Dvp, **changes: str | None) -> None:
    """The authorization request with parameters replaced, added or (None) left out."""
    conformant = gateway.authorization_parameters

    def parameters(pending: Pending) -> Pairs:
        given = {**dict(conformant(pending)), **changes}
        return [(name, value) for name, value in given.items() if value is not None]

    gateway.authorization_parameters = parameters


def redeem_with(gateway: Dvp, change: Callable[[Request], Request]) -> None:
    conformant = gateway.token_request
    gateway.token_request = lambda pending, code: change(conformant(pending, code))


def redeem_without(gateway: Dvp, name: str) -> None:
    conformant = gateway.token_parameters
    gateway.token_parameters = lambda pending, code: [pair for pair in conformant(pending, code) if pair[0] != name]


def fetch_with(gateway: Dvp, change: Callable[[str, Holding], str]) -> None:
    conformant = gateway.resource_request
    gateway.resource_request = lambda holding, url: conformant(holding, change(url, holding))


def check_token_with(gateway: Dvp, good: Callable[[Mapping[str, Any]], bool]) -> None:
    """One more thing that a token response must be."""
    conformant = gateway.check_token

    def check(members: Mapping[str, Any], pending: Pending) -> None:
        conformant(members, pending)
        if not good(members):
            raise StoppedError("no answer")

    gateway.check_token = check


def blank_for(gateway: Dvp, outcome: str) -> None:
    """The page for one outcome is empty."""
    conformant = gateway.result_page
    gateway.result_page = lambda came: replace(conformant(came), body=b"") if came == outcome else conformant(came)


def hand_to_the_browser(gateway: Dvp, headers: Callable[[str], Headers], *, body: bool = False) -> None:
    """Something of the last token goes to the browser with the page that shows the outcome."""
    tokens: list[str] = []
    redeem, result_page = gateway.redeem, gateway.result_page

    def remember(pending: Pending, code: str) -> Holding:
        holding = redeem(pending, code)
        tokens.append(holding.token)
        return holding

    def page(outcome: str) -> Response:
        shown = result_page(outcome)
        token = tokens[-1] if tokens else ""
        text = f"<script>const token = '{token}'</script>".encode() if body else b""
        return replace(shown, headers=(*shown.headers, *headers(token)), body=shown.body + text)

    gateway.redeem = remember
    gateway.result_page = page


def append(url: str, pairs: Pairs) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(pairs)}"
