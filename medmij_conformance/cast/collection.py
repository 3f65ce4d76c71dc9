"""One collection that the PGO gateway under test carries out, from the person's first click to the last page that she sees.

The harness plays the ZA gateway and her browser. This says where both stand; it judges nothing.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from medmij_conformance.counterparties.za import Flow, Za
from medmij_conformance.evidence import Evidence, Exchange, Request
from medmij_conformance.protocol import oauth
from medmij_conformance.target import Offer
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.starting import Start
from medmij_conformance.wire.user_agent import UserAgent, Visit

LOOK_AGAIN_S = 0.25


@dataclass(slots=True, kw_only=True)
class Collection:
    """A collection under way.

    ``flow`` is what the ZA gateway knows of it. ``shows_outcome`` says whether a page shows what came of it; ``wait_s`` is how long
    to look for that, at ``outcome_url`` where the last page does not show it.
    """

    evidence: Evidence
    za: Za
    offer: Offer
    flow: Flow
    browser: UserAgent
    start: Start
    redirect_uri: str
    shows_outcome: Callable[[Exchange], bool]
    wait_s: float = 0.0
    outcome_url: str | None = None
    visits: list[Visit] = field(default_factory=list)

    def collect(self) -> Exchange:
        """All of it: the person starts, and follows to the last page. Gives that."""
        self._start(until=[])
        return self._look()

    def begin(self) -> Exchange:
        """From the start up to the redirect that leads back to the PGO, which is not followed."""
        self.flow.keeps = self.start.by_hand  # a browser that is not ours cannot be halted before the redirect
        self._start(until=[self.redirect_uri])
        return self.last_page

    def come_back(self, *, browser: UserAgent | None = None, location: str = "") -> Exchange:
        """The browser (or another) opens the address that leads back to the PGO, and follows to the last page. Gives that.

        Raises ``NotSeenError`` when there is no such address, or when the browser is not ours.
        """
        if browser is None and self.start.by_hand:
            raise NotSeenError("the browser is the operator's own, and what it does next is not ours to say")
        where = location or self.location
        if not where:
            raise NotSeenError(f"the ZA gateway did not send the browser back: it came to {self.halt}")
        agent = browser or self.browser
        agent.redirect_uris = []
        agent.flow = self.flow.number
        self._visit(agent.open(Request(method="GET", url=where), label="the browser comes back to the PGO", endpoint="callback"))
        return self.last_page if self.start.by_hand else self._look()

    def open(self, url: str, *, label: str) -> Exchange:
        """The person opens an address of the PGO. Gives the page that she sees."""
        self.browser.redirect_uris = []
        self._visit(self.browser.open(Request(method="GET", url=url), label=label))
        return self.visits[-1].last

    def wait_for_first_fhir_request(self, collecting: Future[Exchange], limit_s: float = 5.0) -> None:
        """Let another carry out this collection until its first FHIR request has come, or a time has passed or it is over."""
        until = time.monotonic() + limit_s
        while not self.flow.asked and not collecting.done() and (self.start.by_hand or time.monotonic() < until):
            time.sleep(0.02)

    @property
    def location(self) -> str:
        """The address by which the browser was led back to the PGO; empty when it was not."""
        for visit in reversed(self.visits):
            if visit.stopped == "at the client":
                return visit.location
            for exchange in visit.exchanges:
                if oauth.leads_to(exchange.request.url, self.redirect_uri):
                    return exchange.request.url
        return self.flow.location if self.start.by_hand else ""

    @property
    def last_page(self) -> Exchange:
        """What the browser shows. Raises ``NotSeenError`` when nothing was opened."""
        if not self.visits:
            raise NotSeenError("no page was opened")
        return self.visits[-1].last

    def seen(self, *endpoints: str) -> tuple[Exchange, ...]:
        """What the PGO's side sent to the ZA gateway in this collection, as stored, at these endpoints."""
        own = self.evidence.of_scenario(self.flow.scenario)
        return tuple(e for e in own if e.flow == self.flow.number and e.endpoint in endpoints)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything of this collection, as stored: the browser's exchanges and those between the gateways."""
        return tuple(e for e in self.evidence.of_scenario(self.flow.scenario) if e.flow == self.flow.number)

    def _visit(self, visit: Visit) -> None:
        self.visits.append(visit)

    def _start(self, until: list[str]) -> None:
        self.browser.redirect_uris = until
        self.za.expect(self.flow)
        self._visit(self.start.begin(self.browser, self.offer))
        self._log_in()
        self.za.expect_no_more(self.flow)

    def _log_in(self) -> None:
        visit = self.browser.act(self.visits[-1], "log in at the PGO")
        if visit.exchanges is not self.visits[-1].exchanges:
            self._visit(visit)

    def _look(self) -> Exchange:
        """The last page, once it shows an outcome or the time to look for one is over."""
        if said := self.start.end(self.browser):
            self._visit(Visit("page", "", (said,)))
            return said
        until = time.monotonic() + self.wait_s
        while not self.shows_outcome(self.last_page) and time.monotonic() < until:
            time.sleep(LOOK_AGAIN_S)
            self.open(self.outcome_url or self.last_page.request.url, label="the person looks what came of it")
        return self.last_page

    @property
    def halt(self) -> str:
        """Where the browser halted, in words."""
        visit = self.visits[-1] if self.visits else None
        return f"{visit.stopped} {visit.detail!r} (exchange {visit.last.number})" if visit else "no page"
