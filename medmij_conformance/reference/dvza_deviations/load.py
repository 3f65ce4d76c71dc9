"""Nothing is done about those who try too much, or it hits everybody."""
# mypy: disable-error-code="method-assign, assignment"

from collections.abc import Mapping

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference.dvza import Client, Dvza, Flow, Offer, Person
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS


@DEVIATIONS(warns=["guessing_is_noticed"])
def guesses_without_limit(gateway: Dvza) -> None:
    """Codes may be guessed without limit (RFC6819.4.4.1.12c)."""
    gateway.has_guessed = lambda _: False


@DEVIATIONS(warns=["others_are_served_meanwhile"])
def everybody_pays_for_one(gateway: Dvza) -> None:
    """Because of the guesses of one client all have to wait (RFC6819.4.4.1.12c)."""
    conformant = gateway.has_guessed

    def has_guessed(_: Client) -> bool:
        return any(conformant(client) for client in gateway.clients.values())

    gateway.has_guessed = has_guessed


@DEVIATIONS(warns=["unfinished_requests_exhaust_nothing"])
def sessions_run_out(gateway: Dvza) -> None:
    """After forty requests in a row that nobody goes on with there is no room for another (RFC6819.4.4.1.11)."""
    authorize, begin, after_login = gateway.authorize, gateway.begin, gateway.after_login
    waiting: list[Flow] = []
    refused: list[Request] = []

    def full(request: Request, offer: Offer) -> Response:
        if len(waiting) <= 40:
            return authorize(request, offer)
        refused.append(request)
        if len(refused) == 15:  # a watchdog notices, and it starts anew
            waiting.clear()
            refused.clear()
        return gateway.error_page("There is no room.", status=503)

    def begin_and_wait(offer: Offer, given: Mapping[str, str]) -> Flow:
        waiting.append(begin(offer, given))
        return waiting[-1]

    def login_and_make_room(flow: Flow, person: Person | None) -> Response:
        waiting.clear()
        return after_login(flow, person)

    gateway.authorize = full
    gateway.begin = begin_and_wait
    gateway.after_login = login_and_make_room
