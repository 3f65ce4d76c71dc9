"""One collection as it goes: a PGO, a person with her browser, one offer of a care provider, from request to data.

The players say what is sent; the wire sends it; this ties one player's words to the next. It judges nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from medmij_conformance.counterparties.pgo import Changes, Pgo
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import fhir, oauth
from medmij_conformance.target import Offer
from medmij_conformance.verdict import LOAD_SHEDDING, NotSeenError
from medmij_conformance.wire.client import Client
from medmij_conformance.wire.user_agent import UserAgent, Visit

_TIMES = 3


def insist(ask: Callable[[], Exchange], own_word: Callable[[Exchange], object] = lambda _: False) -> tuple[Exchange, ...]:
    """Ask, and ask again while the answer may be that of a balancer, or none: what is so three times is the gateway's own word.

    ``own_word`` tells of an answer with such a status that it is the gateway's. Gives what came of it each time.
    """
    asked = [ask()]
    while len(asked) < _TIMES and (asked[-1].status in LOAD_SHEDDING or asked[-1].was_cut) and not own_word(asked[-1]):
        asked.append(ask())
    return tuple(asked)


@dataclass(slots=True, kw_only=True)
class Journey:
    """A collection under way.

    ``scopes`` are the right one (``scope``) and wrong ones in the same form, by name. ``person`` is a name for readers; what she
    fills in stands in her browser. ``visits`` are where the browser came to a halt, in order; ``redirect_uri`` and ``state`` are
    what the authorization request said.
    """

    client: Client
    pgo: Pgo
    offer: Offer
    scopes: Mapping[str, str]
    person: str
    browser: UserAgent
    resource_path: str
    state: str = ""
    redirect_uri: str = ""
    visits: list[Visit] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    _redeemed: Exchange | None = None

    def begin(self, changes: Changes | None = None, *, deviation: str | None = None) -> Exchange:
        """The PGO sends the person to the gateway; the browser follows to the first page. Gives the last exchange."""
        self.state = self.pgo.state() if not changes or "state" not in changes else _single(changes["state"])
        self.redirect_uri = self.pgo.redirect_uri
        if changes and "redirect_uri" in changes and deviation is None:
            self.redirect_uri = _single(changes["redirect_uri"])
        self.browser.redirect_uris = [self.redirect_uri]
        request = self.pgo.authorization_request(self.offer, self.scope, self.state, changes)
        visit = self.browser.open(request, label="authorization request", endpoint="authorization", deviation=deviation)
        return self._halted(visit)

    def knock(self, times: int) -> tuple[Exchange, ...]:
        """Authorization requests alone, by many people who go no further."""
        name, flow = self.pgo.name, self.browser.flow
        requests = [self.pgo.authorization_request(self.offer, self.scope, self.pgo.state()) for _ in range(times)]
        return self.client.crowd(
            Exchange(label="authorization request", endpoint="authorization", request=each, identity=name, twin=name, flow=flow)
            for each in requests
        )

    def guess(self, times: int) -> tuple[Exchange, ...]:
        """The PGO tries codes that nobody issued, and nothing else is wrong with its token requests."""
        pgo = self.pgo
        codes = [pgo.unknown_credential() for _ in range(times)]
        requests = [pgo.token_request(self.offer, code, redirect_uri=pgo.redirect_uri) for code in codes]
        guesses = [replace(each, flow=self.browser.flow, deviation="a guess", twin=pgo.name) for each in requests]
        return self.client.crowd(guesses, certificate=pgo.name)

    def act(self, *intents: str) -> Exchange:
        """The person does something on the page that her browser shows. Gives the last exchange."""
        return self._halted(self.browser.act(self.visits[-1], *intents, person=self.person))

    def go(self, visit: Visit) -> Exchange:
        """Her browser came to a halt somewhere else. Gives the last exchange."""
        return self._halted(visit)

    def to_consent(self) -> Exchange:
        """From the start up to the consent page, or wherever the gateway brings her."""
        self.begin()
        return self.act("log in")

    def to_code(self) -> Exchange:
        """From the start up to the redirect with a code, or wherever the gateway brings her."""
        self.to_consent()
        return self.act("give consent")

    def to_token(self) -> Exchange:
        """From the start up to the token response."""
        reached = self.to_code()
        return self.redeem() if self.code else reached

    def redeem(
        self,
        changes: Changes | None = None,
        *,
        by: Pgo | None = None,
        certificate: str | None = "",
        code: str | None = None,
        deviation: str | None = None,
        twin: str | None = None,
        method: str = "POST",
        content_type: str = "application/x-www-form-urlencoded",
    ) -> Exchange:
        """The PGO (or ``by``) redeems the code (or another). ``certificate``: identity in the handshake, None for none.

        Raises ``NotSeenError`` when there is no code: what comes of an empty one says nothing about the gateway.
        """
        if code is None and not self.code:
            raise NotSeenError("no code came back that could be redeemed")
        pgo = by or self.pgo
        exchange = pgo.token_request(
            self.offer,
            self.code if code is None else code,
            changes,
            redirect_uri=self.redirect_uri,
            method=method,
            content_type=content_type,
        )
        exchange = replace(exchange, flow=self.browser.flow, deviation=deviation, twin=twin or pgo.name)
        sent = self.client.send(exchange, certificate=pgo.name if certificate == "" else certificate or "nobody")
        members = sent.response.json if sent.response else None
        self._redeemed = sent
        if isinstance(members, Mapping) and isinstance(members.get("access_token"), str):
            self.tokens.append(members["access_token"])
        return sent

    def ask(
        self,
        path: str | None = None,
        *,
        by: Pgo | None = None,
        certificate: str | None = "",
        token: str | None = "",
        offer: Offer | None = None,
        deviation: str | None = None,
        twin: str | None = None,
        scheme: str = "Bearer",
        method: str = "GET",
        body: bytes = b"",
        content_type: str = fhir.JSON,
        query: oauth.Parameters = (),
    ) -> Exchange:
        """The PGO (or ``by``) sends a FHIR request with its token (or another; None for none).

        Raises ``NotSeenError`` when it should use its own and has none.
        """
        if token == "" and not self.token:
            raise NotSeenError(f"no token was issued that could be used{self._why_no_token}")
        pgo = by or self.pgo
        exchange = pgo.resource_request(
            offer or self.offer,
            self.token if token == "" else token,
            self.resource_path if path is None else path,
            scheme=scheme,
            method=method,
            body=body,
            content_type=content_type,
            query=query,
        )
        exchange = replace(exchange, flow=self.browser.flow, deviation=deviation, twin=twin or pgo.name)
        return self.client.send(exchange, certificate=pgo.name if certificate == "" else certificate or "nobody")

    @property
    def scope(self) -> str:
        """The scope that stands for the offer."""
        return self.scopes["scope"]

    @property
    def token(self) -> str:
        """The token that was issued last; empty when none was."""
        return self.tokens[-1] if self.tokens else ""

    @property
    def code(self) -> str:
        """The code that came back; empty when none did."""
        return oauth.redirect(self.location).get("code") or ""

    @property
    def location(self) -> str:
        """Where the browser was sent in the end, when that is the PGO; else empty."""
        return self.visits[-1].location if self.visits and self.visits[-1].stopped == "at the client" else ""

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Everything the browser exchanged so far."""
        return tuple(exchange for visit in self.visits for exchange in visit.exchanges)

    @property
    def _why_no_token(self) -> str:
        """What became of the last token request, in parentheses."""
        if self._redeemed is None:
            return ""
        trouble, status = self._redeemed.trouble, self._redeemed.status
        return f" (token request: {f'{trouble.kind}: {trouble.detail}' if trouble else f'status {status}'})"

    def _halted(self, visit: Visit) -> Exchange:
        if not self.visits or visit.exchanges is not self.visits[-1].exchanges:
            self.visits.append(visit)
        elif visit.stopped != self.visits[-1].stopped:  # the page is the same, and the recipe does not fit it
            self.visits[-1] = visit
        return visit.last


def _single(value: object) -> str:
    return value if isinstance(value, str) else ""
