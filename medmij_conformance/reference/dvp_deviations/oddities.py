"""Legal, and unlike what ``reference:dvp`` does otherwise: no check may object. The selftest switches some on together."""
# mypy: disable-error-code="method-assign, assignment"

import functools
import secrets
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from medmij_conformance.evidence import Headers, Request, Response
from medmij_conformance.reference.dvp import Dvp, Holding, Pending
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS

__all__ = ["DEVIATIONS", "NEEDS_PATIENCE", "ODDITIES_TOGETHER"]


@DEVIATIONS()
def sent_on_by_302(gateway: Dvp) -> None:
    """The browser is sent to the ZA gateway with 302."""
    gateway.redirect_status = 302


@DEVIATIONS()
def addresses_in_upper_case(gateway: Dvp) -> None:
    """Scheme and host of the address that the browser is sent to are written in upper case, which is the same."""
    conformant = gateway.authorization_address

    def address(pending: Pending) -> str:
        parts = urlsplit(conformant(pending))
        return parts._replace(netloc=parts.netloc.upper()).geturl().replace("https://", "HTTPS://", 1)

    gateway.authorization_address = address


@DEVIATIONS()
def long_states(gateway: Dvp) -> None:
    """A state has more than a thousand characters."""
    gateway.new_state = lambda _: secrets.token_urlsafe(800)


@DEVIATIONS()
def states_are_uuids(gateway: Dvp) -> None:
    """A state is a random UUID."""
    gateway.new_state = lambda _: str(uuid.uuid4())


@DEVIATIONS()
def balancer_before_the_pgo(gateway: Dvp) -> None:
    """A load balancer sets a protected cookie of its own with every page."""
    conformant = gateway.front
    cookie = ("Set-Cookie", "lb=node-3; Path=/; Secure; HttpOnly")

    def front(request: Request, peer: object) -> Response:
        answer = conformant(request, peer)  # type: ignore[arg-type]
        return replace(answer, headers=(*answer.headers, cookie))

    gateway.front = front


@DEVIATIONS()
def one_moment_please(gateway: Dvp) -> None:
    """Between the return and the outcome stands a page that goes on by itself."""
    conformant = gateway.show_result

    def show(outcome: str, person: str, cookies: Headers) -> Response:
        where = conformant(outcome, person, cookies)
        page = gateway.page("One moment", f'<meta http-equiv="refresh" content="0; url={where.header("location")}">')
        return replace(page, headers=(*page.headers, *cookies))

    gateway.show_result = show


@DEVIATIONS()
def client_of_a_server_runtime(gateway: Dvp) -> None:
    """The HTTP client of the gateway sends a header that browsers send as well, and asks for compressed answers."""
    _with_headers(gateway, ("sec-fetch-mode", "cors"), ("Accept-Encoding", "gzip, br"), ("Accept-Language", "*"))


@DEVIATIONS()
def requests_in_chunks(gateway: Dvp) -> None:
    """The body of a request is sent in chunks."""
    gateway.call = functools.partial(gateway.call, chunked=True)


@DEVIATIONS()
def asks_to_continue(gateway: Dvp) -> None:
    """Every request asks for a word before its body is read."""
    _with_headers(gateway, ("Expect", "100-continue"))


@DEVIATIONS()
def connections_kept(gateway: Dvp) -> None:
    """One connection serves several requests."""
    gateway.call = functools.partial(gateway.call, keep=True)


@DEVIATIONS()
def connections_pooled(gateway: Dvp) -> None:
    """Connections to ZA gateways are kept for whoever collects next, as the HTTP clients of most server runtimes do.

    For two seconds it is taken for granted that they are still open, and a request that is lost by that is not repeated.
    """
    gateway.call = functools.partial(gateway.call, pool_s=2.0)


@DEVIATIONS()
def searches_by_post(gateway: Dvp) -> None:
    """A search is a POST of a form, as FHIR allows."""
    conformant = gateway.resource_request

    def request(holding: Holding, url: str) -> Request:
        asked = conformant(holding, url)
        path, _, query = url.partition("?")
        if "$" in path or not query or "page=" in query:
            return asked
        headers = (*asked.headers, ("Content-Type", "application/x-www-form-urlencoded"))
        return replace(asked, method="POST", url=f"{path}/_search", headers=headers, body=query.encode())

    gateway.resource_request = request


@DEVIATIONS()
def capabilities_first(gateway: Dvp) -> None:
    """Before the first FHIR request the gateway reads, without a token, what the server can do, as FHIR libraries do."""
    conformant = gateway.collect

    def collect(pending: Pending, holding: Holding) -> None:
        gateway.ask(Request(method="GET", url=f"{holding.source.resource_endpoint}/metadata"))
        conformant(pending, holding)

    gateway.collect = collect


@DEVIATIONS()
def asks_again_within_the_lifetime(gateway: Dvp) -> None:
    """While the token lives the gateway asks for more, a moment after the person has read that her data was collected."""
    conformant = gateway.store

    def store(pending: Pending, holding: Holding) -> None:
        conformant(pending, holding)
        again = gateway.resource_request(holding, f"{holding.source.resource_endpoint}/Patient")
        threading.Thread(target=_later, args=(gateway, again), daemon=True).start()

    gateway.store = store


@DEVIATIONS()
def collects_later(gateway: Dvp) -> None:
    """The person gets a page at once, which looks for the outcome; what came of it is there a moment later."""
    finish, result = gateway.finish, gateway.result
    ended: dict[str, str] = {}

    def begin(pending: Pending, given: Mapping[str, str]) -> str:
        def work() -> None:
            time.sleep(0.4)
            ended[pending.person] = finish(pending, given)

        ended.pop(pending.person, None)
        threading.Thread(target=work, daemon=True).start()
        return "collecting"

    def show(request: Request) -> Response:
        person, _ = gateway.person_of(request)
        if gateway.results.get(dict(gateway.query(request)).get("id", ""), ("", ""))[0] != "collecting":
            return result(request)
        if person in ended:
            return gateway.result_page(ended[person])
        return gateway.page("Collecting", "<p>We are collecting your data.</p>")

    gateway.finish = begin
    gateway.result = show


def _later(gateway: Dvp, request: Request) -> None:
    time.sleep(0.3)
    gateway.call(request)


def _with_headers(gateway: Dvp, *headers: tuple[str, str]) -> None:
    conformant = gateway.call
    gateway.call = lambda request: conformant(replace(request, headers=(*request.headers, *headers)))


NEEDS_PATIENCE = frozenset({"collects-later"})
"""Oddities whose outcome is not there yet when the last page is: without ``wait_s`` nothing can be said, and nothing may fail."""

ODDITIES_TOGETHER: Sequence[Sequence[str]] = (
    (
        "connections-pooled",
        "sent-on-by-302",
        "addresses-in-upper-case",
        "long-states",
        "status-asked-by-get",
        "no-staple-wanted",
        "balancer-before-the-pgo",
        "requests-in-chunks",
        "searches-by-post",
        "client-of-a-server-runtime",
    ),
    (
        "states-are-uuids",
        "one-moment-please",
        "connections-kept",
        "asks-to-continue",
        "capabilities-first",
        "asks-again-within-the-lifetime",
    ),
)
"""Oddities that the selftest switches on together."""
