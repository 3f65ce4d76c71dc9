"""The ZA gateway, played: authorization server and resource server that do everything right, except the one thing they are told.

No I/O: a request in, a reply out. A collection is known by its state, its code or its token, never by the order of requests, so
any number of collections can go on at once. The player is lenient where a request is wrong but can be understood: judging is for
others, and a PGO that leaves one parameter out should be told of that one alone.

What a release fixes (errors, descriptions, kinds of credentials) is told to the player when it is made.
"""

import json
import threading
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any, Protocol
from urllib.parse import urlsplit

from medmij_conformance.evidence import Headers, Request, Response, header
from medmij_conformance.protocol import oauth

CUT = 0
"""The status of an answer that is none: the connection is cut."""


class Offer(Protocol):
    """One data service of one care provider, with the addresses at which we offer it."""

    @property
    def zorgaanbieder(self) -> str: ...
    @property
    def gegevensdienst(self) -> str: ...
    @property
    def authorization_endpoint(self) -> str: ...
    @property
    def token_endpoint(self) -> str: ...
    @property
    def resource_endpoint(self) -> str: ...


class ExceptionRow(Protocol):
    """One row of the release's exception table."""

    @property
    def code(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def statuses(self) -> tuple[int, ...]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a release lets a ZA gateway say: its exceptions by number, the type and the lifetime of its tokens."""

    exceptions: Mapping[int, ExceptionRow]
    token_type: str
    token_lifetime_s: int


@dataclass(slots=True, kw_only=True)
class Flow:
    """One collection as the ZA gateway sees it.

    ``number`` and ``scenario`` are the harness's own; ``deviation`` is the one thing that goes wrong in it; ``marker`` stands in
    every resource that it delivers, so that data can be told apart. ``location`` is where the browser is sent back to, unless it
    ``keeps`` the browser. ``refresh`` is a refresh token that nobody asked for. A slow answer comes as soon as it ``may_come``.
    """

    number: int
    scenario: str
    offer: Offer
    deviation: str = ""
    state: str = ""
    redirect_uri: str = ""
    client_id: str = ""
    marker: str = ""
    code: str = ""
    token: str = ""
    issued: float = 0.0
    asked: int = 0
    location: str = ""
    keeps: bool = False
    refresh: str = ""
    may_come: threading.Event = field(default_factory=threading.Event)
    _unclaimed: list[bool] = field(default_factory=lambda: [True])

    def claim(self) -> bool:
        """Whether this is the first FHIR request that asks, even where several come at the same time."""
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the gateway says: the answer, how long it waits with it, and what of it is secret.

    ``endpoint`` and ``label`` are as in ``Exchange``; ``flow`` is None for a request that belongs to no known collection.
    """

    response: Response
    endpoint: str
    label: str
    flow: Flow | None
    delay_s: float = 0.0
    secrets: tuple[str, ...] = ()


Pairs = list[tuple[str, str]]
Answer = tuple[Response, float]


class Za:
    """The ZA gateways of the harness: every offer, on whatever host.

    ``elsewhere`` is an address of ours that stands in no list, so that a request to it is seen; ``now`` is a clock in seconds.
    ``hosts`` are those of the PGO gateway under test: who names none of them, neither as client nor to return to, is a stranger;
    without any, nobody is.
    """

    def __init__(
        self,
        offers: Sequence[Offer],
        words: Words,
        random: Random,
        now: Callable[[], float],
        elsewhere: str,
        hosts: Collection[str] = (),
    ) -> None:
        self.offers = tuple(offers)
        self.elsewhere = elsewhere
        self.hosts = frozenset(hosts)
        self.words = words
        self.random = random
        self.now = now
        self.armed: dict[tuple[str, str], Flow] = {}
        self.flows: list[Flow] = []

    def expect(self, flow: Flow) -> None:
        """The next authorization request with a new state for the flow's offer is this flow."""
        self.armed[flow.offer.zorgaanbieder, flow.offer.gegevensdienst] = flow

    def expect_no_more(self, flow: Flow) -> None:
        """Whoever comes from here on is another flow."""
        self.armed = {key: armed for key, armed in self.armed.items() if armed is not flow}

    def forget(self) -> None:
        """Begin anew: no collection is known any more."""
        self.armed.clear()
        self.flows.clear()

    def answer(self, request: Request) -> Reply:
        """Answer a request of a browser or of a PGO gateway, by its address."""
        address = _address(request.url)
        for offer in self.offers:
            if _code_in(request) and not address.startswith(_address(offer.resource_endpoint)):
                return self.redeem(request)
            if address == _address(offer.authorization_endpoint):
                return self.authorize(request, offer)
            if address == _address(offer.token_endpoint):
                return self.redeem(request)
            base = _address(offer.resource_endpoint)
            if address == base or address.startswith(f"{base}/"):
                return self.deliver(request, offer, address.removeprefix(base).strip("/"))
        flow = self._holder(_token_in(request))
        return Reply(response=_page("This page does not exist", 404), endpoint="other", label="a request elsewhere", flow=flow)

    # --- the authorization endpoint: login and consent are thought to have been given by the time that it answers ---

    def authorize(self, request: Request, offer: Offer) -> Reply:
        """Steps 2 to 10: back to the PGO with a code, at once."""
        given = dict(oauth.decode(_query(request))) | dict(oauth.decode(request.text))
        if self._is_stranger(given):
            page = _page("Nobody here knows this client", 400)
            return Reply(response=page, endpoint="stranger", label="authorization request of a stranger", flow=None)
        flow = self._begin(offer, given)
        flow.redirect_uri = given.get("redirect_uri", "")
        flow.client_id = given.get("client_id", "")
        reply = partial(Reply, endpoint="authorization", label="authorization request of the PGO", flow=flow)
        usable = flow.redirect_uri.isprintable() and flow.redirect_uri.lower().startswith("https://") and _host(flow.redirect_uri)
        if not usable:
            return reply(response=_page("This request has no address to return to", 400))
        deviate = AUTHORIZATION.get(flow.deviation)
        flow.code = flow.code or self.credential()
        pairs: Pairs = [("code", flow.code), ("state", flow.state)] if flow.state else [("code", flow.code)]
        told = deviate(self, flow, pairs) if deviate else pairs
        back = flow.redirect_uri.partition("#")[0]
        if isinstance(told, Response):
            return reply(response=told, secrets=(flow.code, flow.state))
        flow.location = oauth.with_query(back, told)
        answer = (
            _page("Stop here", 200, "The test harness keeps you here on purpose. Close this page and look at the terminal.")
            if flow.keeps
            else _redirect(flow.location)
        )
        return reply(response=answer, secrets=(flow.code, flow.state))

    def _is_stranger(self, given: Mapping[str, str]) -> bool:
        named = given.get("client_id", "").lower(), _host(given.get("redirect_uri", ""))
        return bool(self.hosts) and any(named) and self.hosts.isdisjoint(named)

    def _begin(self, offer: Offer, given: Mapping[str, str]) -> Flow:
        """The flow of this state: one that is under way, or the one that is expected for the offer."""
        state = given.get("state", "")
        known = next((flow for flow in self.flows if state and flow.state == state and flow.offer == offer), None)
        # A PGO that comes to the wrong offer is still recognised, as long as it is the only one that is expected.
        key = (offer.zorgaanbieder, offer.gegevensdienst)
        if key not in self.armed and len(self.armed) == 1 and known is None:
            key = next(iter(self.armed))
        expected = self.armed.pop(key, None)
        if expected is not None:
            flow = expected
        elif known is not None:
            return known
        else:
            flow = Flow(number=0, scenario="", offer=offer)
        flow.state, flow.marker = state, f"{self.random.getrandbits(32):08x}"
        self.flows.append(flow)
        return flow

    # --- the token endpoint ---

    def redeem(self, request: Request) -> Reply:
        """Steps 12 and 13: a token for a code, the first time that it is offered."""
        code = _code_in(request)
        refresh = dict(oauth.decode(request.text)).get("refresh_token", "")
        given = (flow for flow in self.flows if code and flow.code.lower() == code.lower())
        flow = next(given, None) or next((flow for flow in self.flows if refresh and flow.refresh == refresh), None)
        right = self.refused(6) if flow is None or flow.token else self._issue(flow)
        answer, delay = self._deviating(TOKEN, flow, right)
        secrets = tuple(filter(None, (code, flow.token, flow.refresh) if flow else (code,)))
        return Reply(response=answer, endpoint="token", label="token request of the PGO", flow=flow, delay_s=delay, secrets=secrets)

    def _issue(self, flow: Flow) -> Response:
        flow.token = self.credential()
        flow.issued = self.now()
        return _json(200, self.members(flow))

    def members(self, flow: Flow) -> dict[str, Any]:
        """The members of a right token response."""
        return {
            "access_token": flow.token,
            "token_type": self.words.token_type,
            "expires_in": self.words.token_lifetime_s,
            "scope": flow.offer.gegevensdienst,
        }

    def refused(self, number: int) -> Response:
        """An exception of the token endpoint."""
        row = self.words.exceptions[number]
        return _json(next(iter(row.statuses), 400), {"error": row.code})

    # --- the resource endpoint ---

    def deliver(self, request: Request, offer: Offer, path: str) -> Reply:
        """Steps 14 and 15: what is asked for, for a token that this gateway issued."""
        query = oauth.decode(_query(request))
        token = _token_in(request)
        if path == "metadata" and not token:  # what a server can do is no health data: FHIR libraries ask for it first
            return Reply(response=_fhir(200, CAPABILITIES), endpoint="resource", label="question what the server can do", flow=None)
        flow = self._holder(token)
        usable = flow is not None and flow.offer == offer and self.now() - flow.issued < self.words.token_lifetime_s
        right = self._data(flow, path, query) if flow and usable else self.outcome(7)
        answer, delay = self._deviating(RESOURCE, flow, right)
        secrets = (token,) if token else ()
        return Reply(
            response=answer, endpoint="resource", label="FHIR request of the PGO", flow=flow, delay_s=delay, secrets=secrets
        )

    def _holder(self, token: str) -> Flow | None:
        """The flow that a token was issued in."""
        return next((flow for flow in self.flows if token and flow.token == token), None)

    def _data(self, flow: Flow, path: str, query: Pairs) -> Response:
        flow.asked += 1
        kind, _, name = path.partition("/")
        if name and not name.startswith(("_", "$")):
            return _fhir(200, _resource(kind, name))
        kind = {"$medication-overview": "MedicationStatement", "": "Observation"}.get(kind, kind)
        second = "page" in dict(query)
        names = [f"{flow.marker}-{kind.lower()}-{number}" for number in ((3, 4) if second else (1, 2))]
        return _fhir(200, bundle(_resource(kind, each) for each in names))

    def outcome(self, number: int, *, status: int | None = None) -> Response:
        """An exception of the resource endpoint: a FHIR OperationOutcome, and for a token that is not accepted the challenge."""
        row = self.words.exceptions[number]
        code = status or next(iter(row.statuses), 503)
        challenge: Headers = (("WWW-Authenticate", f'{self.words.token_type} error="invalid_token"'),) if code == 401 else ()
        return _fhir(code, _issue(row.code), challenge)

    # --- credentials and deviations ---

    def credential(self) -> str:
        """A version 4 UUID: the form of codes and tokens."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _deviating(self, kind: "Mapping[str, Deviate]", flow: Flow | None, right: Response) -> Answer:
        deviate = kind.get(flow.deviation) if flow else None
        if flow is None or deviate is None:
            return right, 0.0
        told = deviate(self, flow, right)
        return told if isinstance(told, tuple) else (told, 0.0)


# ---------------------------------------------------------------------------------------------------------- deviations

Authorize = Callable[[Za, Flow, Pairs], "Pairs | Response"]
Deviate = Callable[[Za, Flow, Response], "Response | Answer"]
AUTHORIZATION: dict[str, Authorize] = {}
TOKEN: dict[str, Deviate] = {}
RESOURCE: dict[str, Deviate] = {}
SLOW_S = 1.0
PAUSE_S = 0.4
"""How long an exception is held back: what a PGO asks at the same time has been sent by then, and is no second try."""


def _at(kind: dict[str, Any], name: str) -> Callable[[Any], Any]:
    def register(function: Any) -> Any:
        kind[name] = function
        return function

    return register


def deviations() -> tuple[str, ...]:
    """The names of everything that the gateway can do wrong, or do in an unusual way."""
    return (*AUTHORIZATION, *TOKEN, *RESOURCE)


# --- of the authorization endpoint ---


@_at(AUTHORIZATION, "shows an error page and never returns")
def _error_page(_za: Za, _flow: Flow, _pairs: Pairs) -> Response:
    words = "Something is wrong with what your PGO asks. Nothing is handed over. Close this page, and break off at your PGO."
    return _page("We cannot carry out this request", 400, words)


def _exception(number: int) -> Authorize:
    def told(za: Za, flow: Flow, _pairs: Pairs) -> Pairs:
        row = za.words.exceptions[number]
        described = [("error_description", row.description)] if row.description else []
        return [("error", row.code), *described, ("state", flow.state)]

    return told


AUTHORIZATION |= {f"reports exception {number}": _exception(number) for number in range(2, 6)}
AUTHORIZATION["reports exception 1 by a redirect"] = _exception(1)


@_at(AUTHORIZATION, "reports an exception with markup in its description")
def _markup(za: Za, flow: Flow, _pairs: Pairs) -> Pairs:
    row = za.words.exceptions[4]
    return [("error", row.code), ("error_description", f"<script>{flow.marker}</script>"), ("state", flow.state)]


@_at(AUTHORIZATION, "alters the state")
def _altered(_za: Za, flow: Flow, pairs: Pairs) -> Pairs:
    last = "A" if not flow.state.endswith("A") else "B"
    return [(name, value[:-1] + last if name == "state" else value) for name, value in pairs]


@_at(AUTHORIZATION, "leaves the state out")
def _stateless(_za: Za, _flow: Flow, pairs: Pairs) -> Pairs:
    return [pair for pair in pairs if pair[0] != "state"]


@_at(AUTHORIZATION, "sends parameters that nobody knows")
def _unknown(_za: Za, _flow: Flow, pairs: Pairs) -> Pairs:
    return [("session_state", "x"), *pairs, ("iss", "https://unknown.test")]


@_at(AUTHORIZATION, "issues a code in upper case")
def _upper(_za: Za, flow: Flow, pairs: Pairs) -> Pairs:
    flow.code = flow.code.upper()
    return [(name, flow.code if name == "code" else value) for name, value in pairs]


# --- of the token endpoint ---


@_at(TOKEN, "does not accept the code")
def _invalid_grant(za: Za, _flow: Flow, _right: Response) -> Response:
    return za.refused(6)


@_at(TOKEN, "is too busy to redeem the code")
def _busy(_za: Za, _flow: Flow, _right: Response) -> Response:
    return Response(status=503, headers=(("Retry-After", "1"),))


@_at(TOKEN, "cuts the connection of the token request")
def _cut(_za: Za, _flow: Flow, _right: Response) -> Response:
    return Response(status=CUT)


@_at(TOKEN, "breaks off the token response")
def _half(_za: Za, _flow: Flow, right: Response) -> Response:
    return replace(right, body=right.body[:-20], headers=(*right.headers, ("Content-Length", str(len(right.body)))))


@_at(TOKEN, "answers the token request slowly")
def _slow_token(_za: Za, _flow: Flow, right: Response) -> Answer:
    return right, SLOW_S


@_at(TOKEN, "answers the token request with garbage")
def _garbage(_za: Za, _flow: Flow, right: Response) -> Response:
    return replace(right, body=b'{"access_token": ')


def _members(change: Mapping[str, Any]) -> Deviate:
    def told(za: Za, flow: Flow, _right: Response) -> Response:
        members = {**za.members(flow), **change}
        flow.token = str(members["access_token"])
        return _json(200, {name: value for name, value in members.items() if value is not None})

    return told


TOKEN |= {
    "issues a token of another type": _members({"token_type": "mac"}),
    "issues a token without a type": _members({"token_type": None}),
    "issues a token without a lifetime": _members({"expires_in": None}),
    "issues a token with a lifetime in quotes": _members({"expires_in": "60"}),
    "issues a token with a lifetime in words": _members({"expires_in": "fifteen minutes"}),
    "issues a token with a lifetime below zero": _members({"expires_in": -1}),
    "issues a token with a lifetime of ages": _members({"expires_in": 10**18}),
    "issues a token with a type in lower case": _members({"token_type": "bearer"}),
    "issues a token without a scope": _members({"scope": None}),
    "issues a token for another scope": _members({"scope": "no-such-service"}),
    "adds members that nobody knows": _members({"foo": {"bar": [1, 2]}}),
}


@_at(TOKEN, "issues a refresh token as well")
@_at(TOKEN, "issues a refresh token as well, and soon does not accept the token")
def _refreshable(za: Za, flow: Flow, right: Response) -> Response:
    if not flow.refresh:
        flow.refresh = za.credential()
        return _json(200, {**za.members(flow), "refresh_token": flow.refresh})
    return right


@_at(TOKEN, "issues a token that is no UUID")
def _odd_token(za: Za, flow: Flow, _right: Response) -> Response:
    flow.token = f"{za.random.getrandbits(160):040x}~._-+/=="
    return _json(200, za.members(flow))


# --- of the resource endpoint ---


@_at(RESOURCE, "issues a refresh token as well, and soon does not accept the token")
@_at(RESOURCE, "does not accept the token")
def _suppressed(za: Za, _flow: Flow, _right: Response) -> Answer:
    return za.outcome(7), PAUSE_S


@_at(RESOURCE, "cannot reach the source")
def _incomplete(za: Za, _flow: Flow, _right: Response) -> Answer:
    return za.outcome(8), PAUSE_S


@_at(RESOURCE, "cannot reach the source and says so in a bundle")
def _incomplete_bundle(za: Za, _flow: Flow, _right: Response) -> Response:
    entry = {"resource": _issue(za.words.exceptions[8].code, "warning"), "search": {"mode": "outcome"}}
    return _fhir(200, {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": [entry]})


@_at(RESOURCE, "answers the FHIR request with garbage")
def _fhir_garbage(_za: Za, _flow: Flow, right: Response) -> Response:
    return replace(right, body=b'{"resourceType": "Bundle", "entry": [')


@_at(RESOURCE, "breaks off the FHIR answer")
def _fhir_half(_za: Za, _flow: Flow, right: Response) -> Response:
    return replace(right, body=right.body[:-20], headers=(*right.headers, ("Content-Length", str(len(right.body)))))


@_at(RESOURCE, "answers the FHIR request slowly")
def _slow_fhir(_za: Za, flow: Flow, right: Response) -> Answer:
    return right, SLOW_S if flow.claim() else 0.0


@_at(RESOURCE, "has nothing in its bundle")
def _empty(_za: Za, _flow: Flow, _right: Response) -> Response:
    return _fhir(200, bundle(()))


@_at(RESOURCE, "delivers in pages")
def _paged(_za: Za, flow: Flow, right: Response) -> Response:
    return _with_next(right, _next_page(flow)) if flow.claim() else right


@_at(RESOURCE, "delivers in pages, the first of them slowly")
def _paged_slowly(za: Za, flow: Flow, right: Response) -> Answer:
    return (_with_next(right, _next_page(flow)), SLOW_S) if flow.claim() else (right, 0.0)


def _next_page(flow: Flow) -> str:
    return f"{flow.offer.resource_endpoint}?page={flow.marker}"


@_at(RESOURCE, "delivers a first page and then cannot reach the source")
def _half_delivered(za: Za, flow: Flow, right: Response) -> Answer:
    return (_with_next(right, _next_page(flow)), 0.0) if flow.claim() else (za.outcome(8), PAUSE_S)


@_at(RESOURCE, "answers in chunks")
def _chunked(_za: Za, _flow: Flow, right: Response) -> Response:
    return replace(right, headers=(*right.headers, ("Transfer-Encoding", "chunked")))


@_at(RESOURCE, "links the next page to a foreign host")
def _foreign_next(za: Za, flow: Flow, right: Response) -> Response:
    return _with_next(right, f"{za.elsewhere}?page={flow.marker}") if flow.claim() else right


@_at(RESOURCE, "redirects the FHIR request to a foreign host")
def _foreign_redirect(za: Za, _flow: Flow, _right: Response) -> Response:
    return Response(status=307, headers=(("Location", f"{za.elsewhere}/Patient"),))


def _with_next(right: Response, url: str) -> Response:
    data = right.json
    return replace(right, body=json.dumps({**data, "link": [{"relation": "next", "url": url}]}).encode()) if data else right


# -------------------------------------------------------------------------------------------------------------- messages


CAPABILITIES = {"resourceType": "CapabilityStatement", "status": "active", "kind": "instance", "format": ["json"]}


def bundle(resources: Any) -> dict[str, Any]:
    """A searchset of these resources."""
    entries = [{"resource": resource, "search": {"mode": "match"}} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _resource(kind: str, name: str) -> dict[str, Any]:
    return {"resourceType": kind, "id": name, "meta": {"lastUpdated": "2018-09-01T09:00:00Z"}}


def _issue(code: str, severity: str = "error") -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


def _fhir(status: int, body: Mapping[str, Any], extra: Headers = ()) -> Response:
    headers: Headers = (("Content-Type", "application/fhir+json; charset=utf-8"), *extra)
    return Response(status=status, headers=headers, body=json.dumps(body).encode())


def _json(status: int, body: Mapping[str, Any]) -> Response:
    headers: Headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache"))
    return Response(status=status, headers=headers, body=json.dumps(body).encode())


def _page(title: str, status: int, words: str = "Go back to your PGO.") -> Response:
    body = f"<!doctype html><html lang='en'><title>{title}</title><h1>{title}</h1><p>{words}</p></html>"
    return Response(status=status, headers=(("Content-Type", "text/html; charset=utf-8"),), body=body.encode())


def _redirect(url: str) -> Response:
    return Response(status=303, headers=(("Location", url), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer")))


def _code_in(request: Request) -> str:
    """The code that a request offers, in whatever place it stands; empty without one."""
    given = dict(oauth.decode(_query(request))) | dict(oauth.decode(request.text))
    return given.get("code", "")


def _token_in(request: Request) -> str:
    """The token of a request, in whatever place it stands; empty without one."""
    _, _, token = (header(request.headers, "authorization") or "").strip().partition(" ")
    if token.strip():
        return token.strip()
    given = dict(oauth.decode(_query(request))) | dict(oauth.decode(request.text))
    return given.get("access_token", "")


def _address(url: str) -> str:
    """Scheme, host, port and path of an address, in one form; empty for what is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme.lower()}://{parts.netloc.lower().removesuffix(':443')}{parts.path.rstrip('/')}"


def _host(url: str) -> str:
    """The host of an address; empty for what is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _query(request: Request) -> str:
    """The query of a request's address."""
    return request.url.partition("#")[0].partition("?")[2]
