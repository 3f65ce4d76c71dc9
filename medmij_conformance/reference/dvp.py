"""A conformant PGO gateway for release 1.0 of the framework: start page, redirect, callback, token, FHIR requests, and a dossier.

As with ``dvza``: every rule is a small method or an attribute of ``Dvp``, a deviation (``dvp_deviations``) replaces exactly one of
them, and the literal values of the framework stand here once more, so that judge and example never share a mistake.

People come to ``front`` with an ordinary browser. The gateway itself calls ZA gateways through ``call``, which the process around
it provides. The person who uses it is known by a cookie; a real PGO has accounts.
"""

import html
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit

from medmij_conformance.evidence import Headers, Request, Response, header
from medmij_conformance.reference.back_channel import ClientTls, NoAnswerError
from medmij_conformance.reference.dossier import Dossier, Origin
from medmij_conformance.reference.list_client import ListClient
from medmij_conformance.reference.peers import Peers
from medmij_conformance.wire.server import Peer, TlsSettings

Pairs = list[tuple[str, str]]
Call = Callable[..., Response]

PAGE_HEADERS: Headers = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
)
SERVICES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "1": (
        "Basic care data",
        ("Patient?_include=Patient:general-practitioner", "Condition", "Observation/$lastn?category=vital-signs"),
    ),
    "3": ("Medication overview", ("$medication-overview",)),
    "5": ("Medication data", ("MedicationRequest?_include=MedicationRequest:medication",)),
    "7": ("Laboratory results", ("Observation?category=http://snomed.info/sct|49581000146104",)),
    "9": ("Vital signs", ("Observation?category=vital-signs",)),
    "11": ("Documents", ("DocumentReference?status=current",)),
    "13": ("Appointments", ("Appointment?date=ge2018-06-01",)),
}
"""Code of a data service of the source -> its name in this PGO, and the FHIR requests that make it up."""

TEXTS: Mapping[str, str] = {
    "collected": "Your data has been collected and is kept in your dossier.",
    "nothing in it": "The care provider has answered, with nothing in the answer. There is nothing new in your dossier.",
    "refused request": "The care provider could not carry out our request. You can break off and try again.",
    "not identified": "Your identity could not be established when you logged in, so nothing was collected.",
    "nothing available": "This care provider has nothing available for you of this kind.",
    "refused": "You did not give consent, and the care provider has let us know. Nothing was collected.",
    "undetermined": "It could not be established whether you give consent, so nothing was collected.",
    "code": "Collecting failed: the care provider does not accept the proof of your consent.",
    "token": "Collecting failed: the care provider does not accept that we ask for your data any more.",
    "source": "Collecting failed: the systems of the care provider could not deliver your data.",
    "no answer": "Collecting failed: the care provider gave no answer that we can use.",
    "unknown": "You came back in a way that belongs to nothing that you began in this browser. Nothing was collected.",
    "broken off": "You broke off. You can start again whenever you like.",
}
"""What a person reads, by what came of it."""
GOOD = ("collected", "nothing in it")


PRACTICE = (
    "pgo-offer",
    "pgo-consent",
    "pgo-withdrawal",
    "pgo-export",
    "pgo-dossier",
    "pgo-mark",
    "pgo-brand",
    "pgo-user-information",
    "pgo-own-data",
    "pgo-digid",
    "pgo-browser",
    "pgo-guessing",
    "pgo-two-factors",
    "plain-words",
    "phishing",
    "logo",
    "log-protection",
    "suspension",
    "exit",
    "pgo-onboarding",
)
"""The questions to its vendor that this PGO can answer with yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One data service of one care provider, with the addresses of the ZAL."""

    zorgaanbieder: str
    gegevensdienst: str
    authorization_endpoint: str
    token_endpoint: str
    resource_endpoint: str


@dataclass(slots=True, kw_only=True)
class Pending:
    """A collection that waits for the person to come back."""

    state: str
    person: str
    source: Source
    began: float
    redirect_uri: str


class StoppedError(Exception):
    """A collection ends here; ``outcome`` is a key of ``TEXTS``."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(slots=True)
class Holding:
    """A token and what it is for."""

    token: str
    source: Source
    issued: float
    resources: list[dict[str, Any]] = field(default_factory=list)


class Dvp:
    """The gateway. ``front`` answers browsers; every other method is one rule. ``call`` carries a request to a ZA gateway."""

    token_lifetime_s = 900
    consent_profile = "expliciete toestemming"
    redirect_status = 303
    front_tls = TlsSettings(suites="ECDHE+AESGCM:ECDHE+CHACHA20", groups="X25519MLKEM768:X25519:P-256:P-384")
    client_tls = ClientTls()
    browser_certificate: Literal["none", "ask", "require"] = "none"
    own_certificate = "gateway"  # by the name of its file
    clear_text = False  # whether its pages can be had without TLS
    lists: ListClient

    def __init__(
        self,
        *,
        hostname: str,
        redirect_uri: str,
        sources: Sequence[Source],
        whitelist: Sequence[str] | None,
        call: Call,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.hostname = hostname
        self.redirect_uri = redirect_uri
        self.sources = {(source.zorgaanbieder, source.gegevensdienst): source for source in sources}
        self.whitelist = None if whitelist is None else set(whitelist)
        self.peers = Peers(lambda: self.whitelist)
        self.call = call
        self.now = now
        self.pending: dict[str, Pending] = {}
        self.results: dict[str, tuple[str, str]] = {}
        self.log: list[dict[str, str]] = []
        self.dossier = Dossier()
        self.practice = dict.fromkeys(PRACTICE, True)
        self.lock = threading.RLock()

    def answer(self, question: str) -> dict[str, str]:
        """What those behind the PGO say when they are asked about it."""
        done = self.practice.get(question)
        answer = "unknown" if done is None else "yes" if done else "no"
        return {"answer": answer, "by": "the maker of the reference", "remark": "so it is built"}

    def take_lists(self, sources: Sequence[Source], whitelist: Sequence[str] | None) -> None:
        """There are new lists: from now on these count; None when no Whitelist could be had."""
        self.sources = {(source.zorgaanbieder, source.gegevensdienst): source for source in sources}
        self.whitelist = None if whitelist is None else set(whitelist)

    # ------------------------------------------------------------------------------------------------ the front channel

    def front(self, request: Request, _peer: Peer) -> Response:
        """Answer a browser."""
        path = urlsplit(request.url).path
        if path == urlsplit(self.redirect_uri).path:
            return self.callback(request)
        pages = {"/": self.offer, "/start": self.start, "/result": self.result, "/cancel": self.cancel}
        pages |= {"/dossier": self.consult, "/export": self.export, "/edit": self.edit}
        handler = pages.get(path)
        return handler(request) if handler else self.page("Not found", "<p>This page does not exist.</p>", status=404)

    def offer(self, request: Request) -> Response:
        """Step 1: what can be collected, and where."""
        links = "".join(
            f'<li><a href="/start?{html.escape(_choice(s))}">{html.escape(s.zorgaanbieder)}: '
            f"{html.escape(SERVICES[s.gegevensdienst][0])}</a></li>"
            for s in self.sources.values()
            if s.gegevensdienst in SERVICES
        )
        return self.page("Collect", f"{self.unfinished(request)}<p>Where do you want to collect your data?</p><ul>{links}</ul>")

    def unfinished(self, request: Request) -> str:
        """What the person began and did not come back from, and how to break it off."""
        person, _ = self.person_of(request)
        with self.lock:
            waiting = [pending.source for pending in self.pending.values() if pending.person == person]
        if not waiting:
            return ""
        named = "; ".join(html.escape(f"{SERVICES[s.gegevensdienst][0]} from {s.zorgaanbieder}") for s in waiting)
        return f'<p>You have begun collecting and have not come back yet: {named}. <a href="/cancel">Break it off</a></p>'

    def start(self, request: Request) -> Response:
        """Steps 1 and 2: the person has chosen; she is sent to the address that the ZAL gives."""
        given = dict(self.query(request))
        source = self.sources.get((given.get("zorgaanbieder", ""), given.get("gegevensdienst", "")))
        if source is None or source.gegevensdienst not in SERVICES:
            return self.page("Not offered", '<p>This cannot be collected here. <a href="/">What can</a></p>', status=404)
        person, cookies = self.person_of(request)
        pending = Pending(
            state=self.new_state(person), person=person, source=source, began=self.now(), redirect_uri=self.redirect_uri
        )
        with self.lock:
            self.pending[pending.state] = pending
        location = self.authorization_address(pending)
        self.before_redirect(pending)
        return Response(status=self.redirect_status, headers=(("Location", location), *cookies, ("Cache-Control", "no-store")))

    def before_redirect(self, pending: Pending) -> None:
        """Nothing happens between gateways before the person comes back."""

    def new_state(self, person: str) -> str:
        """Unguessable, and new for each request."""
        return secrets.token_urlsafe(24)

    def authorization_address(self, pending: Pending) -> str:
        """The authorization endpoint with the parameters of the request."""
        return _append(pending.source.authorization_endpoint, self.authorization_parameters(pending))

    def authorization_parameters(self, pending: Pending) -> Pairs:
        """The parameters of the authorization request."""
        return [
            ("response_type", "code"),
            ("client_id", self.hostname),
            ("redirect_uri", pending.redirect_uri),
            ("scope", pending.source.gegevensdienst),
            ("state", pending.state),
        ]

    def callback(self, request: Request) -> Response:
        """The person comes back: once, with a state of hers; then to a page whose address holds no code."""
        given = dict(self.query(request))
        person, cookies = self.person_of(request)
        pending = self.claim(given.get("state", ""), person)
        outcome = self.finish(pending, given) if pending else self.unknown_return(given)
        return self.show_result(outcome, person, cookies)

    def unknown_return(self, given: Mapping[str, str]) -> str:
        """Nobody waits for this: nothing is done with it."""
        return "unknown"

    def claim(self, state: str, person: str) -> Pending | None:
        """The one collection that waits for this state, of this person; from here on it waits no longer."""
        with self.lock:
            pending = self.pending.get(state)
            if pending is None or not self.is_own(pending, person):
                return None
            return self.retire(state)

    def retire(self, state: str) -> Pending:
        """A state is good for one return."""
        return self.pending.pop(state)

    def is_own(self, pending: Pending, person: str) -> bool:
        """A state serves the browser that it was made for."""
        return pending.person == person

    def finish(self, pending: Pending, given: Mapping[str, str]) -> str:
        """Steps 11 to 16, or the exception that ends them. Gives a key of ``TEXTS``."""
        try:
            self.heed_error(given)
            self.note_consent(pending)
            holding = self.redeem(pending, given.get("code", ""))
            self.collect(pending, holding)
        except StoppedError as stopped:
            return self.after_stop(pending, stopped.outcome)
        return "collected" if holding.resources else "nothing in it"

    def after_stop(self, pending: Pending, outcome: str) -> str:
        """An exception ends the collection: nothing more is asked."""
        return outcome

    def heed_error(self, given: Mapping[str, str]) -> None:
        """Exceptions 1 to 5. Raises ``StoppedError``."""
        error = given.get("error")
        if error or not given.get("code"):
            raise StoppedError(self.meaning_of(error or "", given.get("error_description", "")))

    def meaning_of(self, error: str, description: str) -> str:
        """Which exception an error of the authorization endpoint is."""
        if error == "unauthorized_client":
            return "not identified"
        if error == "access_denied":
            return {
                "No such resources.": "nothing available",
                "Authorization denied.": "refused",
                "Authorization failed.": "undetermined",
            }.get(description, "undetermined")
        return "refused request"

    def note_consent(self, pending: Pending) -> None:
        """Step 11: the code says that the person consented, which is kept."""
        self.log.append(
            {
                "event": "consent",
                "time": _now(),
                "person": pending.person,
                "zorgaanbieder": pending.source.zorgaanbieder,
                "gegevensdienst": pending.source.gegevensdienst,
            }
        )

    # ------------------------------------------------------------------------------------------------- the back channel

    def redeem(self, pending: Pending, code: str) -> Holding:
        """Steps 12 and 13: one token for one code, which is offered once. Raises ``StoppedError``."""
        self.check_listed(pending.source.token_endpoint)
        answer = self.ask(self.token_request(pending, code))
        if answer.status != 200:
            raise StoppedError("code" if 400 <= answer.status < 500 else "no answer")
        members = self.token_members(answer)
        self.check_token(members, pending)
        return Holding(token=members["access_token"], source=pending.source, issued=self.now())

    def check_listed(self, url: str) -> None:
        """Gateways that the Whitelist does not name are not spoken to. Raises ``StoppedError``."""
        if (urlsplit(url).hostname or "") not in (self.whitelist or ()):
            raise StoppedError("no answer")

    def token_request(self, pending: Pending, code: str) -> Request:
        """The token request."""
        headers: Headers = (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"))
        body = urlencode(self.token_parameters(pending, code)).encode()
        return Request(method="POST", url=pending.source.token_endpoint, headers=headers, body=body)

    def token_parameters(self, pending: Pending, code: str) -> Pairs:
        """The parameters of the token request; the certificate says who asks."""
        return [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", pending.redirect_uri),
            ("client_id", self.hostname),
        ]

    def token_members(self, answer: Response) -> dict[str, Any]:
        """The members of a token response; unknown ones do not matter. Raises ``StoppedError``."""
        members = answer.json
        if not isinstance(members, dict) or not isinstance(members.get("access_token"), str) or not members["access_token"]:
            raise StoppedError("no answer")
        return members

    def check_token(self, members: Mapping[str, Any], pending: Pending) -> None:
        """Only bearer tokens, for what was asked. Raises ``StoppedError``."""
        self.check_token_type(members.get("token_type"))
        self.check_token_scope(members.get("scope"), pending)

    def check_token_type(self, token_type: object) -> None:
        """Bearer, in whatever case."""
        if str(token_type).lower() != "bearer":
            raise StoppedError("no answer")

    def check_token_scope(self, scope: object, pending: Pending) -> None:
        """What was asked for, or nothing said."""
        if scope not in (None, pending.source.gegevensdienst):
            raise StoppedError("no answer")

    def collect(self, pending: Pending, holding: Holding) -> None:
        """Steps 14 to 16: every request of the service and every page of its answer, and only then the dossier."""
        for path in self.requests_of(holding.source):
            self.fetch(holding, f"{holding.source.resource_endpoint}/{path}")
        self.store(pending, holding)

    def requests_of(self, source: Source) -> Sequence[str]:
        """The FHIR requests that make up the service."""
        return SERVICES[source.gegevensdienst][1]

    def fetch(self, holding: Holding, url: str) -> None:
        """One FHIR request and the pages that follow it. Raises ``StoppedError``."""
        following: str | None = url
        for _ in range(100):
            if following is None or not self.may_be_asked(following, holding):
                return
            if not self.is_alive(holding):
                raise StoppedError("token")
            answer = self.ask(self.resource_request(holding, following))
            following = self.take(answer, holding)

    def may_be_asked(self, url: str, holding: Holding) -> bool:
        """The token goes to the address of the ZAL and nowhere else."""
        own = holding.source.resource_endpoint
        return url.startswith((f"{own}/", f"{own}?"))

    def is_alive(self, holding: Holding) -> bool:
        """Tokens live 900 seconds."""
        return self.now() - holding.issued < self.token_lifetime_s

    def resource_request(self, holding: Holding, url: str) -> Request:
        """A FHIR request with the token in its header."""
        return Request(method="GET", url=url, headers=self.resource_headers(holding))

    def resource_headers(self, holding: Holding) -> Headers:
        """What goes with a FHIR request."""
        return (("Authorization", f"Bearer {holding.token}"), ("Accept", "application/fhir+json"))

    def take(self, answer: Response, holding: Holding) -> str | None:
        """Keep what an answer brings until all is there. Gives the address of the next page. Raises ``StoppedError``."""
        data = answer.json
        if answer.status != 200 or not isinstance(data, dict):
            raise StoppedError(self.reason_of(answer, data))
        if self.tells_of_trouble(data):
            raise StoppedError("source")
        holding.resources += self.resources_of(data)
        links = data.get("link") if isinstance(data.get("link"), list) else []
        following = [link.get("url") for link in links or () if isinstance(link, dict) and link.get("relation") == "next"]
        return urljoin(holding.source.resource_endpoint, str(following[0])) if following else None

    def reason_of(self, answer: Response, data: object) -> str:
        """Which exception a failed FHIR answer is."""
        codes = _issue_codes(data)
        if answer.status == 401 or codes & {"suppressed", "security", "login", "unknown", "expired", "forbidden"}:
            return "token"
        return "source" if codes & {"incomplete", "processing"} else "no answer"

    def tells_of_trouble(self, data: Mapping[str, Any]) -> bool:
        """Whether a bundle says that the source could not deliver all."""
        return any(_issue_codes(resource) & {"incomplete"} for resource in [data, *_entries(data)])

    def resources_of(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:
        """What of an answer belongs in a dossier."""
        found = _entries(data) if data.get("resourceType") == "Bundle" else [dict(data)]
        return [resource for resource in found if resource.get("resourceType") != "OperationOutcome"]

    def store(self, pending: Pending, holding: Holding) -> None:
        """Step 16: into the dossier, with how it came there."""
        self.dossier.keep(self.origin(pending), holding.resources)

    def origin(self, pending: Pending) -> Origin:
        """The metadata of what was collected."""
        return Origin(
            person=pending.person,
            zorgaanbieder=pending.source.zorgaanbieder,
            gegevensdienst=pending.source.gegevensdienst,
            medmij=True,
            obtained=_now(),
            consent_profile=self.consent_profile,
        )

    def ask(self, request: Request) -> Response:
        """One request to a ZA gateway. Raises ``StoppedError`` when no complete answer comes."""
        try:
            return self.call(request)
        except NoAnswerError:
            raise StoppedError("no answer") from None

    # ------------------------------------------------------------------------------------------------------------ pages

    def show_result(self, outcome: str, person: str, cookies: Headers) -> Response:
        """To a page of its own, so that the code leaves the address bar and a reload repeats nothing."""
        key = secrets.token_urlsafe(16)
        self.results[key] = (outcome, person)
        return Response(status=303, headers=(("Location", f"/result?id={key}"), *cookies, ("Cache-Control", "no-store")))

    def result(self, request: Request) -> Response:
        """What came of a collection, in plain words."""
        outcome, owner = self.results.get(dict(self.query(request)).get("id", ""), ("", ""))
        if not outcome or owner != self.person_of(request)[0]:
            return self.page("Not found", "<p>There is nothing to see here.</p>", status=404)
        return self.result_page(outcome)

    def result_page(self, outcome: str) -> Response:
        """The page with the outcome."""
        kind = "collected" if outcome in GOOD else "failed"
        title = {"collected": "Collected", "failed": "Not collected"}[kind]
        body = f'<p class="{kind}">{html.escape(self.text_of(outcome))}</p><p><a href="/dossier">Your dossier</a></p>'
        return self.page(title, f'{body}<p><a href="/">{"Collect more" if outcome in GOOD else "Try again"}</a></p>')

    def text_of(self, outcome: str) -> str:
        """What the person reads."""
        return TEXTS[outcome]

    def cancel(self, request: Request) -> Response:
        """The person breaks off what is under way, for instance after an error page of the ZA gateway (exception 1)."""
        person, cookies = self.person_of(request)
        with self.lock:
            for state in [state for state, pending in self.pending.items() if pending.person == person]:
                del self.pending[state]
        return self.show_result("broken off", person, cookies)

    def consult(self, request: Request) -> Response:
        """The dossier: every item, and which came through MedMij unchanged."""
        items = self.dossier.items(self.person_of(request)[0])
        rows = "".join(f'<li class="{"medmij" if item["medmij"] else "own"}">{self.entry(item)}</li>' for item in items)
        if not rows:
            return self.page("Your dossier", '<p>Nothing has been collected yet.</p><p><a href="/">Collect</a></p>')
        links = '<p><a href="/export">Take all of it along</a></p><p><a href="/">Collect more</a></p>'
        return self.page("Your dossier", f"<ul>{rows}</ul>{links}")

    def entry(self, item: Mapping[str, Any]) -> str:
        """An item as a person reads it, with a form to add a note."""
        service = SERVICES.get(item["gegevensdienst"], (item["gegevensdienst"],))[0]
        came = f"{service} from {item['zorgaanbieder']}, {str(item['obtained'])[:10]}, by {item['consent_profile']}"
        kind = html.escape(str(item["content"].get("resourceType")))
        note = f"<br>Note: {html.escape(str(item['content']['note']))}" if "note" in item["content"] else ""
        mark = self.mark() if item["medmij"] else ": changed by you"
        content = f"<details><summary>All of it</summary><pre>{html.escape(json.dumps(item['content'], indent=1))}</pre></details>"
        form = f'<form method="post" action="/edit"><input type="hidden" name="id" value="{item["id"]}">'
        form += '<label>Note <input name="note"></label> <button>Keep the note</button></form>'
        return f"{kind}{mark}<br>{html.escape(came)}{note}{content}{form}"

    def mark(self) -> str:
        """How an unchanged item from MedMij is marked."""
        return ": <b>through MedMij, unchanged</b>"

    def export(self, request: Request) -> Response:
        """Everything that is stored of a person, for another PGO."""
        body = json.dumps(self.dossier.items(self.person_of(request)[0])).encode()
        return Response(status=200, headers=(("Content-Type", "application/json"), ("Cache-Control", "no-store")), body=body)

    def edit(self, request: Request) -> Response:
        """The person changes an item, which then loses its mark."""
        given = dict(parse_qsl(request.text))
        own = [item for item in self.dossier.items(self.person_of(request)[0]) if str(item["id"]) == given.get("id")]
        if request.method != "POST" or not own:
            return self.page("Not found", "<p>There is nothing to change here.</p>", status=404)
        self.dossier.edit(own[0]["id"], {**own[0]["content"], "note": given.get("note", "")}, keeps_mark=self.edited_keeps_mark())
        return Response(status=303, headers=(("Location", "/dossier"),))

    def edited_keeps_mark(self) -> bool:
        """What was changed is no longer what the source delivered."""
        return False

    def person_of(self, request: Request) -> tuple[str, Headers]:
        """Who uses this browser, by its cookie, and the cookie to set for a new one."""
        pairs = [pair.strip().partition("=")[::2] for pair in (header(request.headers, "cookie") or "").split(";")]
        known = dict(pairs).get("__Host-person", "")
        if known:
            return known, ()
        person = secrets.token_urlsafe(18)
        return person, (("Set-Cookie", f"__Host-person={person}; Path=/; Secure; HttpOnly; SameSite=Lax"),)

    def query(self, request: Request) -> Pairs:
        """The parameters of a request's address."""
        return parse_qsl(urlsplit(request.url).query, keep_blank_values=True)

    def page(self, title: str, body: str, *, status: int = 200) -> Response:
        """An HTML page; ``body`` is markup."""
        head = "<meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        text = f"<!doctype html><html lang='en'>{head}<title>{title}</title><h1>{title}</h1>{body}</html>"
        return Response(status=status, headers=PAGE_HEADERS, body=text.encode())


def _append(url: str, pairs: Pairs) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(pairs, quote_via=quote)}"


def _choice(source: Source) -> str:
    return urlencode({"zorgaanbieder": source.zorgaanbieder, "gegevensdienst": source.gegevensdienst})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _entries(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = data.get("entry")
    found = [entry.get("resource") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [resource for resource in found if isinstance(resource, dict)]


def _issue_codes(data: object) -> set[str]:
    if not isinstance(data, dict) or data.get("resourceType") != "OperationOutcome":
        return set()
    issues = data.get("issue")
    return {str(issue.get("code")) for issue in issues if isinstance(issue, dict)} if isinstance(issues, list) else set()
