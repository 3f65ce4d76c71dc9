"""A conformant ZA gateway: authorization server and FHIR resource server in one, for release 1.0 of the framework.

It exists so that the harness can be seen green, and, with one rule broken on purpose, red. Every rule is a small method or an
attribute of ``Dvza`` of its own; a deviation (``dvza_deviations``) replaces exactly one of them, so nothing in here knows about
deviations. Literal values of the framework stand here once more, on purpose: judge and example must not share a mistake.

The two channels are two listeners on one host: people come to ``front``, without a certificate; PGO gateways to ``back``, where
the handshake demands one. It keeps everything in memory and serves synthetic people only.
"""

import html
import json
import secrets
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Protocol
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from medmij_conformance import data_path
from medmij_conformance.evidence import Headers, Request, Response, header
from medmij_conformance.reference.list_client import ListClient
from medmij_conformance.reference.peers import Peers
from medmij_conformance.wire.server import Peer, TlsSettings

Form = list[tuple[str, str]]

PAGE_HEADERS: Headers = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
TOKEN_HEADERS: Headers = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("Pragma", "no-cache"),
)
FHIR_HEADERS: Headers = (("Content-Type", "application/fhir+json; charset=utf-8"), ("Cache-Control", "no-store"))
SERVICE_NAMES = {
    "1": "Basisgegevens Zorg",
    "3": "Medicatieoverzichten",
    "5": "Medicatiegegevens",
    "7": "Laboratoriumresultaten",
    "9": "Meetwaarden vitale functies",
    "11": "Documenten",
    "13": "Afspraken",
}


PRACTICE = (
    "plain-words",
    "consent-screen",
    "phishing",
    "logo",
    "log-protection",
    "onboarding",
    "suspension",
    "exit",
    "access-restriction",
    "zal-entries",
)
"""What cannot be seen of a gateway and the people behind it, and is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A synthetic person as the source knows her."""

    key: str
    born: int = 1980
    available: tuple[str, ...] = ()
    treatment_relation: bool = True
    deliverable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One gegevensdienst of one zorgaanbieder, and where it is offered."""

    zorgaanbieder: str
    display_name: str
    gegevensdienst: str

    @property
    def path(self) -> str:
        """The path under which the gateway offers it."""
        return f"/{self.zorgaanbieder.partition('@')[0]}/{self.gegevensdienst}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A PGO gateway of the lists."""

    hostname: str
    organisation: str


@dataclass(slots=True, kw_only=True)
class Flow:
    """An OAuth session: from the authorization request to the redirect back."""

    id: str
    cookie: str
    offer: Offer
    client_id: str
    redirect_uri: str
    scope: str
    state: str | None
    anti_forgery: str
    stage: str = "login"
    person: Person | None = None


@dataclass(slots=True, kw_only=True)
class Grant:
    """What a code or a token stands for."""

    client_id: str
    redirect_uri: str
    offer: Offer
    scope: str
    person: Person
    issued: float
    used: bool = False
    revoked: bool = False
    tokens: list[str] = field(default_factory=list)


class RefusedError(Exception):
    """An authorization request is invalid. ``returnable``: client and redirect URI are in order, so a way back may be shown."""

    def __init__(self, cause: str, *, returnable: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.returnable = returnable


class Identification(Protocol):
    """A way to find out who somebody is. It ends a flow with ``identity_not_established`` or goes on with ``after_login``."""

    @property
    def paths(self) -> Mapping[str, Callable[[Request], Response]]:
        """The addresses of the front channel that belong to it, and who answers there."""

    def begin(self, flow: Flow) -> Response:
        """What the browser gets first."""


@dataclass(frozen=True, slots=True)
class OwnPage:
    """People are asked on a page of the gateway itself."""

    gateway: "Dvza"

    @property
    def paths(self) -> Mapping[str, Callable[[Request], Response]]:
        """The form comes back to one address."""
        return {"/login": self.gateway.login}

    def begin(self, flow: Flow) -> Response:
        """The form."""
        return self.gateway.login_page(flow)


class Dvza:
    """The gateway. ``front`` and ``back`` answer the requests of the two channels; every other method is one rule."""

    code_lifetime_s = 900
    token_lifetime_s = 900
    expires_in: int | None = 900
    token_type = "Bearer"
    redirect_status = 303
    wrong_codes_a_minute = 60
    client_certificate: Literal["require", "ask"] = "require"
    browser_certificate: Literal["none", "ask", "require"] = "none"
    own_certificate = "reference"  # by the name of its file
    clear_text = ""  # the channel on which HTTP without TLS is answered
    front_tls = TlsSettings(suites="ECDHE+AESGCM:ECDHE+CHACHA20", groups="X25519MLKEM768:X25519:P-256:P-384")
    back_tls = TlsSettings(suites="ECDHE+AESGCM:ECDHE+CHACHA20", groups="X25519MLKEM768:X25519:P-256:P-384")
    lists: ListClient

    def __init__(
        self,
        *,
        hostname: str,
        back_port: int,
        offers: tuple[Offer, ...],
        persons: Mapping[str, Person],
        clients: Mapping[str, Client],
        whitelist: Collection[str] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hostname = hostname
        self.back_port = back_port
        self.offers = {offer.path: offer for offer in offers}
        self.persons = persons
        self.clients = clients
        self.whitelist = whitelist
        self.peers = Peers(lambda: self.whitelist)
        self.now = now
        self.identification: Identification = OwnPage(self)
        self.resource_host = hostname
        self.source_up = True
        self.authorization_known = True
        self.flows: dict[str, Flow] = {}
        self.codes: dict[str, Grant] = {}
        self.tokens: dict[str, Grant] = {}
        self.wrong_codes: defaultdict[str, list[float]] = defaultdict(list)
        self.log: list[dict[str, str]] = []
        self.practice = dict.fromkeys(PRACTICE, True)
        self.lock = threading.RLock()

    def take_lists(self, clients: Mapping[str, Client], whitelist: Collection[str] | None) -> None:
        """There are new lists: from now on these count; None when no Whitelist could be had."""
        self.clients = clients
        self.whitelist = whitelist

    # ------------------------------------------------------------------------------------------------ the front channel

    def front(self, request: Request, _peer: Peer) -> Response:
        """Answer a browser."""
        parts = urlsplit(request.url)
        offer = self.offers.get(parts.path.removesuffix("/authorize"))
        if parts.path.endswith("/authorize") and offer:
            return self.authorize(request, offer)
        handler = {**self.identification.paths, "/consent": self.consent}.get(parts.path)
        return handler(request) if handler else self.error_page("This page does not exist.", status=404)

    def authorize(self, request: Request, offer: Offer) -> Response:
        """The authorization endpoint: steps 2 to 4 of the flow."""
        parameters = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
        if request.method not in {"GET", "POST"}:
            return self.error_page("Only GET and POST are understood.", status=405)
        try:
            self.check_request(parameters, offer)
        except RefusedError as refusal:
            return self.refuse_request(refusal, parameters)
        flow = self.begin(offer, dict(parameters))
        return self.after_authorization_request(flow)

    def after_authorization_request(self, flow: Flow) -> Response:
        """Login comes first, right after the request."""
        return self.identification.begin(flow)

    def check_request(self, parameters: Form, offer: Offer) -> None:
        """Raise ``RefusedError`` when the authorization request is invalid, first where a redirect cannot be trusted."""
        given = {name: value for name, value in parameters if value}
        names = [name for name, _ in parameters]
        twice = sorted({name for name in names if names.count(name) > 1})
        client = self.clients.get(given.get("client_id", "").lower())
        if "client_id" in twice or "redirect_uri" in twice:
            self.refuse_repeated(twice)
        if client is None:
            self.refuse_unknown_client(given)
        self.check_redirect_uri(given.get("redirect_uri", ""), client)
        if twice:
            self.refuse_repeated(twice)
        self.check_response_type(given.get("response_type"))
        self.check_scope(given.get("scope"), offer)
        self.check_state(given.get("state"))

    def refuse_repeated(self, names: list[str]) -> None:
        """A parameter stands more than once."""
        raise RefusedError(f"The parameter {', '.join(names)} stands more than once.", returnable=self.are_safe(names))

    @staticmethod
    def are_safe(names: list[str]) -> bool:
        """Whether client and redirect URI are not among the doubtful parameters."""
        return not {"client_id", "redirect_uri"} & set(names)

    def refuse_unknown_client(self, given: Mapping[str, str]) -> None:
        """No client id, or one that the lists do not know."""
        raise RefusedError("It is not known which PGO sends you." if given.get("client_id") else "No PGO is named.")

    def check_redirect_uri(self, redirect_uri: str, client: Client | None) -> None:
        """Absolute, https, without fragment or user information, and on the host of the client."""
        if not redirect_uri:
            raise RefusedError("There is no address to return to.")
        try:
            parts = urlsplit(redirect_uri)
            port = parts.port
        except ValueError:
            raise RefusedError("The address to return to is not an address.") from None
        if parts.scheme != "https" or not parts.hostname or "#" in redirect_uri or "@" in parts.netloc:
            raise RefusedError("The address to return to is not a full https address.")
        if not redirect_uri.isascii() or not redirect_uri.isprintable() or set(redirect_uri) & set(' \\"<>'):
            raise RefusedError("The address to return to has characters that do not belong there.")
        self.check_redirect_host(parts.hostname, port, client)

    def check_redirect_host(self, hostname: str, port: int | None, client: Client | None) -> None:
        """The redirect URI is on the client's own node."""
        if client is None or hostname != client.hostname or port not in (None, 443):
            raise RefusedError("The address to return to is not that of the PGO.")

    def check_response_type(self, response_type: str | None) -> None:
        """Only the authorization code grant exists."""
        if response_type != "code":
            raise RefusedError("The response type is not code.", returnable=True)

    def check_scope(self, scope: str | None, offer: Offer) -> None:
        """Exactly one value: the data service of this address."""
        if scope != offer.gegevensdienst:
            raise RefusedError("The requested data service is not offered here.", returnable=True)

    def check_state(self, state: str | None) -> None:
        """There has to be a state."""
        if not state:
            raise RefusedError("There is no state.", returnable=True)

    def refuse_request(self, refusal: RefusedError, parameters: Form) -> Response:
        """Exception 1: tell the person first; where client and redirect URI are in order she may return by herself."""
        way_back = ""
        given = dict(parameters)
        if refusal.returnable:
            pairs = {"error": "invalid_request", "error_description": refusal.cause}
            if given.get("state"):
                pairs["state"] = given["state"]
            href = html.escape(_append(given["redirect_uri"], pairs))
            way_back = f'<p><a class="return" href="{href}">Return to your PGO</a></p>'
        return self.error_page(f"{refusal.cause} (invalid_request)", way_back)

    def begin(self, offer: Offer, given: Mapping[str, str]) -> Flow:
        """Step 3: an OAuth session that binds client, redirect URI, scope, state and provider."""
        flow = Flow(
            id=secrets.token_urlsafe(16),
            cookie=secrets.token_urlsafe(24),
            offer=offer,
            client_id=given["client_id"].lower(),
            redirect_uri=given["redirect_uri"],
            scope=given["scope"],
            state=given.get("state"),
            anti_forgery=secrets.token_urlsafe(24),
        )
        with self.lock:
            self.flows[flow.id] = flow
        return flow

    def flow_of(self, request: Request, form: Mapping[str, str]) -> Flow | None:
        """The session that a form belongs to: its id in the form, its secret in the cookie."""
        flow = self.flows.get(form.get("flow", ""))
        cookies = dict(pair.strip().partition("=")[::2] for pair in (header(request.headers, "cookie") or "").split(";"))
        if flow is None or cookies.get(f"__Host-flow-{flow.id}") != flow.cookie:
            return None
        return flow

    def login(self, request: Request) -> Response:
        """The login form comes back: exception 2 or 3, or the consent question."""
        form = dict(parse_qsl(request.text, keep_blank_values=True))
        flow = self.flow_of(request, form)
        if flow is None or request.method != "POST" or flow.stage != "login":
            return self.error_page("This session does not exist any more.")
        if form.get("action") != "login":
            self.note(flow, "not_identified")
            return self.identity_not_established(flow)
        person = self.persons.get(form.get("bsn", "").strip())
        return self.after_login(flow, person)

    def after_login(self, flow: Flow, person: Person | None) -> Response:
        """Step 8: is anything available? Only then step 9."""
        flow.person = person
        if person is None or not self.is_available(person, flow.offer):
            self.note(flow, "nothing_available")
            return self.nothing_available(flow)
        flow.stage = "consent"
        return self.consent_page(flow)

    def is_available(self, person: Person, offer: Offer) -> bool:
        """Whether this provider has anything of this person for this service that may be given."""
        return offer.gegevensdienst in person.available and self.is_of_age(person) and self.has_treatment_relation(person)

    def is_of_age(self, person: Person) -> bool:
        """Nothing for people under sixteen."""
        return time.gmtime().tm_year - person.born > 16

    def has_treatment_relation(self, person: Person) -> bool:
        """Nothing without a treatment relation."""
        return person.treatment_relation

    def consent(self, request: Request) -> Response:
        """The consent form comes back: exception 4 or 5, or step 10."""
        form = parse_qsl(request.text, keep_blank_values=True)
        flow = self.flow_of(request, dict(form))
        if request.method != "POST" or flow is None or flow.stage != "consent" or flow.person is None:
            return self.error_page("This session does not exist any more.")
        decision = self.decision(flow, form) if self.authorization_known else None
        if decision == "grant":
            return self.granted(flow, flow.person)
        if decision == "refuse":
            return self.refused(flow)
        self.note(flow, "undetermined")
        return self.not_determinable(flow)

    def decision(self, flow: Flow, form: Form) -> str | None:
        """What the person chose; None when that cannot be established."""
        chosen = [value for name, value in form if name == "decision"]
        if not self.is_genuine(flow, dict(form)) or len(chosen) != 1:
            return None
        return chosen[0] if chosen[0] in {"grant", "refuse"} else None

    def is_genuine(self, flow: Flow, form: Mapping[str, str]) -> bool:
        """The anti-forgery value of this very page is there."""
        return secrets.compare_digest(form.get("anti_forgery", ""), flow.anti_forgery)

    def granted(self, flow: Flow, person: Person) -> Response:
        """Step 10: log the consent, mint a code, go back with the state."""
        self.note(flow, "granted")
        with self.lock:
            code = self.mint_code()
            self.codes[code] = Grant(
                client_id=flow.client_id,
                redirect_uri=flow.redirect_uri,
                offer=flow.offer,
                scope=flow.scope,
                person=person,
                issued=self.now(),
            )
        return self.send_back(flow, {"code": code})

    def mint_code(self) -> str:
        """A version 4 UUID that no valid code equals."""
        return str(uuid.uuid4())

    def identity_not_established(self, flow: Flow) -> Response:
        """Exception 2."""
        return self.send_back(flow, {"error": "unauthorized_client"})

    def nothing_available(self, flow: Flow) -> Response:
        """Exception 3."""
        return self.send_back(flow, {"error": "access_denied", "error_description": "No such resources."})

    def refused(self, flow: Flow) -> Response:
        """Exception 4: the refusal is logged."""
        self.note(flow, "refused")
        return self.send_back(flow, {"error": "access_denied", "error_description": "Authorization denied."})

    def not_determinable(self, flow: Flow) -> Response:
        """Exception 5."""
        return self.send_back(flow, {"error": "access_denied", "error_description": "Authorization failed."})

    def send_back(self, flow: Flow, answer: Mapping[str, str]) -> Response:
        """The flow ends: the browser goes to the redirect URI, its query kept, with the state."""
        self.end(flow)
        pairs = {**answer, **self.state_of(flow)}
        headers = (
            ("Location", _append(flow.redirect_uri, pairs)),
            ("Set-Cookie", f"__Host-flow-{flow.id}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
        )
        return Response(status=self.redirect_status, headers=headers)

    def state_of(self, flow: Flow) -> dict[str, str]:
        """The state as it was received."""
        return {"state": flow.state} if flow.state else {}

    def end(self, flow: Flow) -> None:
        """A session serves one flow, once."""
        flow.stage = "ended"
        with self.lock:
            self.flows.pop(flow.id, None)

    def note(self, flow: Flow, outcome: str) -> None:
        """The register of people's requests: consent, refusal, and what else ended them."""
        self.log.append(
            {
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "person": flow.person.key if flow.person else "",
                "zorgaanbieder": flow.offer.zorgaanbieder,
                "gegevensdienst": flow.offer.gegevensdienst,
                "pgo": self.clients[flow.client_id].organisation,
                "text_version": "1",
                "outcome": outcome,
                "flow": flow.id,
            }
        )

    def answer(self, question: str) -> Mapping[str, str] | None:
        """What those behind the gateway say when they are asked about it; None when nobody answers."""
        done = self.practice.get(question)
        answer = "unknown" if done is None else "yes" if done else "no"
        return {"answer": answer, "by": "the maker of the reference", "remark": "so it is built"}

    # -------------------------------------------------------------------------------------------------------- the pages

    def page_headers(self) -> Headers:
        """Pages are not stored and cannot be framed."""
        return PAGE_HEADERS

    def page(self, title: str, body: str, *, status: int = 200, extra: Headers = ()) -> Response:
        """An HTML page of the gateway."""
        text = (
            f'<!doctype html><html lang="nl"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
            '<meta name="viewport" content="width=device-width"><style>body{font:1.1rem/1.5 system-ui,sans-serif;'
            "max-width:38rem;margin:3rem auto;padding:0 1rem}button{font:inherit;padding:.5rem 1rem;margin-right:1rem}"
            f"</style></head><body><main><h1>{html.escape(title)}</h1>{body}</main></body></html>"
        )
        return Response(status=status, headers=(*self.page_headers(), *extra), body=text.encode())

    def error_page(self, cause: str, way_back: str = "", status: int = 400) -> Response:
        """A page that tells the person what went wrong."""
        return self.page("This did not work", f'<p class="cause">{html.escape(cause)}</p>{way_back}', status=status)

    def session_cookie(self, flow: Flow) -> str:
        """The cookie that ties the browser to its session."""
        return f"__Host-flow-{flow.id}={flow.cookie}; Path=/; Secure; HttpOnly; SameSite=Lax"

    def login_page(self, flow: Flow) -> Response:
        """The stand-in for DigiD: who are you?"""
        body = (
            '<form id="login" method="post" action="/login">'
            f'<input type="hidden" name="flow" value="{flow.id}">'
            '<p><label>Burgerservicenummer <input name="bsn" inputmode="numeric" autocomplete="off"></label></p>'
            '<p><button name="action" value="login">Log in</button>'
            '<button name="action" value="cancel" formnovalidate>Cancel</button></p></form>'
        )
        return self.page("Log in", body, extra=(("Set-Cookie", self.session_cookie(flow)),))

    def consent_page(self, flow: Flow) -> Response:
        """Step 9: the consent question with its three names, the purpose, the link and both choices."""
        return self.page("Do you give consent?", self.consent_text(flow) + self.consent_form(flow))

    def consent_text(self, flow: Flow) -> str:
        """What the person consents to."""
        return (
            f"<p>You allow <b>{html.escape(self.provider_name(flow))}</b> to hand over your data of the service "
            f"<b>{html.escape(self.service_name(flow))}</b> to <b>{html.escape(self.pgo_name(flow))}</b>. "
            f"{self.purpose()}</p>{self.consent_link()}"
        )

    def purpose(self) -> str:
        """What it is for."""
        return "The data will be kept in your own personal health environment, and nothing else is done with them here."

    def provider_name(self, flow: Flow) -> str:
        """The provider's name as the DVZA gives it."""
        return flow.offer.display_name

    def service_name(self, flow: Flow) -> str:
        """The service's name, from the scope."""
        return SERVICE_NAMES[flow.scope]

    def pgo_name(self, flow: Flow) -> str:
        """The PGO supplier's name, from the lists."""
        return self.clients[flow.client_id].organisation

    def consent_link(self) -> str:
        """Where the full text is."""
        return '<p><a href="https://www.medmij.nl/toestemming" target="_blank" rel="noopener">The full text</a></p>'

    def consent_form(self, flow: Flow) -> str:
        """Both choices, neither of them a default."""
        return (
            '<form id="consent" method="post" action="/consent">'
            f'<input type="hidden" name="flow" value="{flow.id}">'
            f'<input type="hidden" name="anti_forgery" value="{flow.anti_forgery}">'
            f"<p>{self.consent_buttons()}</p></form>"
        )

    def consent_buttons(self) -> str:
        """Grant and refuse."""
        return (
            '<button name="decision" value="grant">I give consent</button>'
            '<button name="decision" value="refuse">I do not give consent</button>'
        )

    # ------------------------------------------------------------------------------------------------- the back channel

    def back(self, request: Request, peer: Peer) -> Response:
        """Answer a PGO gateway, whose certificate the handshake has accepted."""
        path = urlsplit(request.url).path
        client = self.client_of(peer)
        for prefix, offer in self.offers.items():
            if path == f"{prefix}/token":
                return self.token(request, client)
            if path == f"{prefix}/fhir" or path.startswith(f"{prefix}/fhir/"):
                return self.resource(request, client, offer, path.removeprefix(f"{prefix}/fhir").strip("/"))
        return self.outcome(404, "not-found")

    def client_of(self, peer: Peer) -> Client | None:
        """The listed client whose node holds the certificate, if that is valid."""
        if peer.errors:
            return None
        return next((self.clients[name] for name in peer.hostnames if name in self.clients), None)

    def token(self, request: Request, client: Client | None) -> Response:
        """The token endpoint: steps 12 and 13."""
        if request.method != "POST":
            return self.token_by_other_method(request, client)
        if not self.is_form(request):
            return self.token_error("invalid_request")
        return self.redeem(parse_qsl(request.text, keep_blank_values=True), client)

    def token_by_other_method(self, request: Request, client: Client | None) -> Response:
        """The token endpoint knows POST alone."""
        return Response(status=405, headers=(("Allow", "POST"), *TOKEN_HEADERS), body=b'{"error":"invalid_request"}')

    def is_form(self, request: Request) -> bool:
        """Whether the body is said to be a form."""
        kind = (header(request.headers, "content-type") or "").partition(";")[0].strip().lower()
        return kind == "application/x-www-form-urlencoded"

    def redeem(self, form: Form, client: Client | None) -> Response:
        """Exception 6, or a token."""
        given = {name: value for name, value in form if value}
        names = [name for name, _ in form]
        if client is None or not self.is_authenticated(client, given):
            return self.token_error("invalid_client", 401)
        if self.has_guessed(client):
            return self.too_many()
        if self.has_repeated(names):
            return self.token_error("invalid_request")
        if "grant_type" not in given:
            return self.token_error("invalid_request")
        if not self.is_known_grant_type(given["grant_type"]):
            return self.other_grant(client)
        if "code" not in given:
            return self.token_error("invalid_request")
        with self.lock:
            grant = self.codes.get(given["code"])
            if grant is None:
                self.wrong_codes[client.hostname].append(self.now())
            if grant is None or not self.belongs_to(grant, client):
                return self.offered_by_another(grant)
            if grant.used:
                return self.offered_again(grant, client)
            self.retire(grant)
            if self.is_expired_code(grant) or not self.fits_redirect_uri(grant, given.get("redirect_uri")):
                return self.invalid_grant()
            return self.issue(grant)

    def has_guessed(self, client: Client) -> bool:
        """Whether a client has offered too many wrong codes in the last minute."""
        return sum(self.now() - at < 60 for at in self.wrong_codes[client.hostname]) >= self.wrong_codes_a_minute

    def too_many(self) -> Response:
        """A client that guesses has to wait."""
        return self.token_error("invalid_request", 429)

    def has_repeated(self, names: list[str]) -> bool:
        """Parameters stand once."""
        return len(names) != len(set(names))

    def is_known_grant_type(self, grant_type: str) -> bool:
        """There is one grant type."""
        return grant_type == "authorization_code"

    def other_grant(self, client: Client) -> Response:
        """Another grant type yields nothing."""
        return self.token_error("unsupported_grant_type")

    def is_authenticated(self, client: Client, given: Mapping[str, str]) -> bool:
        """The certificate says who it is; a client id that says otherwise is wrong."""
        return given.get("client_id", client.hostname).lower() == client.hostname

    def belongs_to(self, grant: Grant, client: Client) -> bool:
        """A code is redeemed by the client it was made for."""
        return grant.client_id == client.hostname

    def offered_again(self, grant: Grant, client: Client) -> Response:
        """A used code comes back: that is a breach, so what it gave is revoked too."""
        for token in grant.tokens:
            self.tokens[token].revoked = True
        return self.invalid_grant()

    def offered_by_another(self, grant: Grant | None) -> Response:
        """Whoever offers it, an offer uses a code up."""
        if grant:
            grant.used = True
        return self.invalid_grant()

    def retire(self, grant: Grant) -> None:
        """The first offer by its own client uses a code up."""
        grant.used = True

    def is_expired_code(self, grant: Grant) -> bool:
        """Codes live exactly 900 seconds."""
        return self.now() - grant.issued >= self.code_lifetime_s

    def fits_redirect_uri(self, grant: Grant, redirect_uri: str | None) -> bool:
        """The redirect URI is there, and the same."""
        return redirect_uri == grant.redirect_uri

    def issue(self, grant: Grant) -> Response:
        """Step 13: a token for what the code stands for."""
        token = self.mint_token()
        grant.tokens.append(token)
        self.tokens[token] = Grant(
            client_id=grant.client_id,
            redirect_uri=grant.redirect_uri,
            offer=grant.offer,
            scope=grant.scope,
            person=grant.person,
            issued=self.now(),
        )
        return self.token_response(self.token_members(token, grant))

    def mint_token(self) -> str:
        """A version 4 UUID that no valid token equals."""
        return str(uuid.uuid4())

    def token_members(self, token: str, grant: Grant) -> dict[str, Any]:
        """The members of the token response."""
        members: dict[str, Any] = {"access_token": token, "token_type": self.token_type, "scope": grant.scope}
        if self.expires_in is not None:
            members["expires_in"] = self.expires_in
        return members

    def token_headers(self) -> Headers:
        """Token responses are JSON and are not stored."""
        return TOKEN_HEADERS

    def token_response(self, members: Mapping[str, Any]) -> Response:
        """A token response."""
        return Response(status=200, headers=self.token_headers(), body=json.dumps(members).encode())

    def invalid_grant(self) -> Response:
        """Exception 6."""
        return self.token_error("invalid_grant")

    def token_error(self, error: str, status: int = 400) -> Response:
        """An error of the token endpoint."""
        return Response(status=status, headers=TOKEN_HEADERS, body=json.dumps({"error": error}).encode())

    def resource(self, request: Request, client: Client | None, offer: Offer, path: str) -> Response:
        """The FHIR endpoint: steps 14 and 15, exceptions 7 and 8."""
        if self.uses_several_methods(request):
            return self.outcome(400, "suppressed", challenge='Bearer error="invalid_request"')
        token = self.token_in(request)
        if token is None:
            return self.no_token(request, client, offer)
        grant = self.tokens.get(token)
        if grant is None or client is None or not self.is_valid_token(grant, client, offer):
            return self.invalid_token()
        if request.method not in {"GET", "HEAD"} and not path.endswith("_search"):
            return self.write(request, grant)
        if not self.can_deliver(grant.person):
            return self.source_unreachable(grant)
        return self.deliver(request, grant, path)

    def token_in(self, request: Request) -> str | None:
        """The bearer token of the Authorization header, and of nowhere else."""
        scheme, _, token = (header(request.headers, "authorization") or "").strip().partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None

    def uses_several_methods(self, request: Request) -> bool:
        """A token in the header and in the query or the body is malformed."""
        in_query = "access_token=" in urlsplit(request.url).query
        return self.token_in(request) is not None and (in_query or b"access_token=" in request.body)

    def is_valid_token(self, grant: Grant, client: Client, offer: Offer) -> bool:
        """Not revoked, not expired, for this client, this provider and this service."""
        return (
            not grant.revoked
            and not self.is_expired_token(grant)
            and self.is_own_token(grant, client)
            and self.is_for(grant, offer)
        )

    def is_expired_token(self, grant: Grant) -> bool:
        """Tokens live exactly 900 seconds."""
        return self.now() - grant.issued >= self.token_lifetime_s

    def is_own_token(self, grant: Grant, client: Client) -> bool:
        """A token serves the client that it was issued to."""
        return grant.client_id == client.hostname

    def is_for(self, grant: Grant, offer: Offer) -> bool:
        """A token opens one service of one provider."""
        return self.is_for_service(grant, offer) and self.is_for_provider(grant, offer)

    def is_for_service(self, grant: Grant, offer: Offer) -> bool:
        """A token opens one service."""
        return grant.offer.gegevensdienst == offer.gegevensdienst

    def is_for_provider(self, grant: Grant, offer: Offer) -> bool:
        """A token opens one provider."""
        return grant.offer.zorgaanbieder == offer.zorgaanbieder

    def no_token(self, request: Request, client: Client | None, offer: Offer) -> Response:
        """Exception 7 without a token: a challenge, and no error code in it."""
        return self.outcome(401, "suppressed", challenge="Bearer")

    def invalid_token(self) -> Response:
        """Exception 7."""
        return self.outcome(401, "suppressed", challenge='Bearer error="invalid_token"')

    def write(self, request: Request, grant: Grant) -> Response:
        """Collecting is reading: nothing can be written."""
        return self.outcome(405, "not-supported")

    def can_deliver(self, person: Person) -> bool:
        """Whether the systems behind the gateway answer."""
        return self.source_up and person.deliverable

    def source_unreachable(self, grant: Grant) -> Response:
        """Exception 8."""
        return self.outcome(503, "incomplete")

    def deliver(self, request: Request, grant: Grant, path: str) -> Response:
        """Step 15: what was asked for, of the right person. A search may be posted."""
        posted = request.method == "POST" and path.endswith("/_search")
        query = request.text if posted else urlsplit(request.url).query
        body = self.data(grant, path.removesuffix("/_search"), query)
        return Response(status=200, headers=FHIR_HEADERS, body=body) if body else self.outcome(404, "not-found")

    def data(self, grant: Grant, path: str, query: str) -> bytes:
        """The FHIR answer to a request; empty when there is no such resource."""
        base = f"https://{self.hostname}:{self.back_port}{grant.offer.path}/fhir"
        wanted = f"{path}?{query}" if query else path
        text = _fixture(grant.offer.gegevensdienst, wanted)
        patient = f"patient-{grant.person.key}"
        if path == f"Patient/{patient}":
            text = json.dumps({"resourceType": "Patient", "id": patient})
        elif not text and "/" not in path:
            text = json.dumps({"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []})
        own = text.replace("https://dva.example/fhir", base).replace("patient-1", patient)
        return self.identify(own, grant.person).encode()

    def identify(self, text: str, person: Person) -> str:
        """What of the person is in the data: no BSN."""
        return text

    def outcome(self, status: int, code: str, challenge: str = "") -> Response:
        """A FHIR OperationOutcome."""
        body = {"resourceType": "OperationOutcome", "issue": [{"severity": self.severity(), "code": code}]}
        extra: Headers = (("WWW-Authenticate", challenge),) if challenge else ()
        return Response(status=status, headers=(*FHIR_HEADERS, *extra), body=json.dumps(body).encode())

    def severity(self) -> str:
        """How serious an issue is."""
        return "error"


def _append(url: str, pairs: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(pairs, quote_via=quote)}"


def _fixture(gegevensdienst: str, request: str) -> str:
    """The synthetic answer to a FHIR request of a service, as text; empty when there is none."""
    return _answers().get((gegevensdienst, *_split(request)), "")


@cache
def _answers() -> dict[tuple[str, ...], str]:
    folder = data_path("fixtures") / "fhir" / "stu3"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {
        (str(code), *_split(row["request"])): (folder / row["file"]).read_text(encoding="utf-8")
        for row in reversed(manifest["fixtures"])
        for code in row["codes"]
    }


def _split(request: str) -> tuple[str, ...]:
    path, _, query = request.partition("?")
    return path, *sorted(f"{name}={value}" for name, value in parse_qsl(query))
