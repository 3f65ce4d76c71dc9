"""The person's browser: redirects, cookies, and forms filled in by the recipe of the target file.

It stops where a person would look up: at the redirect URI of the PGO (which it never asks for: the harness is there already), at a
page that no action of the current intent recognises, at a host that the target file does not name, after 20 redirects, or when an
exchange fails. Where it stopped and why is the ``Visit``; judging that is for others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import urljoin, urlsplit

import httpx

from medmij_conformance.evidence import Exchange, Request, Response, header_values
from medmij_conformance.protocol import oauth
from medmij_conformance.protocol.html import Page, PageError, Submission
from medmij_conformance.wire.client import Client, Kept

_REDIRECTS = {301, 302, 303, 307, 308}
_KEEPS_METHOD = {307, 308}
_SAME_ACTION = 2  # an action that is used more often runs in circles


class Action(Protocol):
    """How a page of the gateway is used: one ``[[user_agent.action]]`` of the target file."""

    @property
    def intent(self) -> str: ...
    @property
    def page(self) -> str: ...
    @property
    def fill(self) -> Mapping[str, str]: ...
    @property
    def check(self) -> Sequence[str]: ...
    @property
    def select(self) -> Mapping[str, str]: ...
    @property
    def press(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a browser came to a halt.

    ``stopped``: ``at the client`` (the redirect URI, not asked for), ``page`` (a page to look at), ``unknown host``,
    ``redirects`` (too many), ``trouble`` (an exchange failed), ``recipe`` (an action did not fit its page). ``exchanges`` are
    all of this visit, raw; the last one is what the browser shows.
    """

    stopped: str
    detail: str
    exchanges: tuple[Exchange, ...]
    location: str = ""
    actions: tuple[str, ...] = ()

    @property
    def last(self) -> Exchange:
        """The exchange whose answer the browser shows (or whose redirect leads to the client)."""
        return self.exchanges[-1]

    @property
    def page(self) -> Page:
        """The page that the browser shows; an empty one when it shows none."""
        response = self.last.response
        return Page(response.body if response else b"", self.last.request.url)


@dataclass(slots=True)
class UserAgent:
    """One browser with its own cookies and connections, used by one person.

    ``fields`` fill the ``{braces}`` of the recipe; ``redirect_uri`` is where the PGO waits; ``known_hosts`` may be visited.
    """

    client: Client
    actions: Sequence[Action]
    fields: Mapping[str, str]
    redirect_uris: Sequence[str]
    flow: int = 0
    identity: str = "pgo"
    twin: str = "pgo"
    redirects: int = 20
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    connections: Kept = field(default_factory=Kept)

    def open(self, request: Request, *, label: str, endpoint: str = "page", deviation: str | None = None) -> Visit:
        """Ask for an address as a person would, follow where it leads, and stop at the first page."""
        return self._browse(request, label=label, endpoint=endpoint, deviation=deviation)

    def act(self, visit: Visit, *intents: str, person: str = "the person") -> Visit:
        """Go on from where ``visit`` stopped, carrying out these intents in turn; several pages may belong to one intent.

        The visit that comes back starts with the first new exchange; it is the same visit when no action recognises the page.
        """
        current = visit
        exchanges: list[Exchange] = []
        done: list[str] = []
        used: dict[int, int] = {}
        while current.stopped == "page":
            intent = " or ".join(intents)
            try:
                action = self._next_action(current.page, intents, used)
                if action is None:
                    break
                intent = action.intent
                used[id(action)] = used.get(id(action), 0) + 1
                current = self._carry_out(current, action, f"{person} chooses to {action.intent}")
            except PageError as error:
                return Visit("recipe", f"{intent}: {error}", tuple(exchanges) or visit.exchanges, "", tuple(done))
            done.append(action.intent)
            exchanges += current.exchanges
        if not exchanges:
            return replace(visit, actions=())
        return replace(current, exchanges=tuple(exchanges), actions=tuple(done))

    def submit(self, visit: Visit, submission: Submission, *, label: str, deviation: str | None = None) -> Visit:
        """Send a form of the page that ``visit`` shows, as changed by an attacker or a broken browser."""
        request = request_of(submission, visit.last.request.url)
        return self._browse(request, label=label, deviation=deviation)

    def prepared(self, visit: Visit, intent: str) -> Submission | None:
        """What pressing the control of ``intent`` on this page would send, without sending it; None when it is not there."""
        action = self._next_action(visit.page, (intent,), {}) if visit.stopped == "page" else None
        try:
            return self._submit(visit.page, action) if action else None
        except PageError:
            return None

    def _carry_out(self, visit: Visit, action: Action, label: str) -> Visit:
        """Use a page as an action says, and go on to the next one. Raises ``PageError`` when the action does not fit it."""
        return self._browse(request_of(self._submit(visit.page, action), visit.last.request.url), label=label)

    def _next_action(self, page: Page, intents: Sequence[str], used: Mapping[int, int]) -> Action | None:
        for intent in intents:
            for action in self.actions:
                fresh = used.get(id(action), 0) < _SAME_ACTION
                if action.intent == intent and fresh and page.matches(action.page):
                    return action
        return None

    def _submit(self, page: Page, action: Action) -> Submission:
        fill = {name: filled(value, self.fields) for name, value in action.fill.items()}
        return page.press(action.press or action.page, fill, tuple(action.check), dict(action.select))

    def _browse(
        self,
        request: Request,
        *,
        label: str,
        endpoint: str = "page",
        deviation: str | None = None,
    ) -> Visit:
        exchanges: list[Exchange] = []
        for _ in range(self.redirects + 1):
            exchange = self._ask(request, label=label, endpoint=endpoint, deviation=deviation)
            exchanges.append(exchange)
            if exchange.trouble or exchange.response is None:
                detail = f"{exchange.trouble.kind}: {exchange.trouble.detail}" if exchange.trouble else "no answer"
                return Visit("trouble", detail, tuple(exchanges))
            page = Page(exchange.response.body, exchange.request.url)
            following = _following(exchange.request, exchange.response, page)
            if following is None:
                return Visit("page", page.title, tuple(exchanges))
            if any(oauth.leads_to(following.url, uri) for uri in self.redirect_uris):
                return Visit("at the client", "", tuple(exchanges), following.url)
            if not self._knows(following.url):
                return Visit("unknown host", following.url, tuple(exchanges), following.url)
            request, label, endpoint = following, "redirect followed", "page"
        return Visit("redirects", f"more than {self.redirects} redirects", tuple(exchanges))

    def _ask(self, request: Request, *, label: str, endpoint: str, deviation: str | None) -> Exchange:
        headers = [*request.headers, ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]
        if cookie := self._cookies_for(request):
            headers.append(("Cookie", cookie))
        exchange = self.client.send(
            Exchange(
                label=label,
                endpoint=endpoint,
                request=replace(request, headers=tuple(headers)),
                identity=self.identity,
                twin=self.twin,
                deviation=deviation,
                flow=self.flow,
            ),
            kept=self.connections,
        )
        if exchange.response:
            self._keep_cookies(request, exchange.response)
        return exchange

    def _cookies_for(self, request: Request) -> str:
        """The Cookie header; empty when there is no cookie to send."""
        if not self.cookies:  # as at each first request; to ask the jar takes longer
            return ""
        outgoing = _for_cookies(request)
        self.cookies.set_cookie_header(outgoing)
        return str(outgoing.headers.get("cookie", ""))

    def _keep_cookies(self, request: Request, response: Response) -> None:
        if values := header_values(response.headers, "set-cookie"):
            set_cookies = [(b"set-cookie", value.encode("latin-1")) for value in values]
            received = httpx.Response(200, headers=set_cookies, request=_for_cookies(request))
            received.headers.encoding = "latin-1"
            self.cookies.extract_cookies(received)

    def _knows(self, url: str) -> bool:
        return self.client.reaches(url)


def _following(request: Request, response: Response, page: Page) -> Request | None:
    """What a browser asks for next by itself: a redirect, a meta refresh, or a form that sends itself."""
    location = response.header("location")
    if response.status in _REDIRECTS and location is not None:
        keeps = response.status in _KEEPS_METHOD
        return Request(
            method=request.method if keeps else "GET",
            url=_absolute(request.url, location),
            headers=_content_type(request) if keeps else (),
            body=request.body if keeps else b"",
        )
    if submission := page.automatic_submission():
        return request_of(submission, request.url)
    return Request(method="GET", url=page.refresh) if page.refresh and page.refreshes_soon else None


def _for_cookies(request: Request) -> httpx.Request:
    """The request as the cookie jar looks at it: without its query, and harmless when its address is none."""
    try:
        plain = httpx.Request(request.method, urlsplit(request.url)._replace(query="", fragment="").geturl())
    except (httpx.InvalidURL, ValueError):
        plain = httpx.Request(request.method, "about:invalid")
    plain.headers.encoding = "latin-1"
    return plain


def _absolute(base: str, location: str) -> str:
    try:
        return urljoin(base, location.strip())
    except ValueError:
        return location


def _content_type(request: Request) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in request.headers if pair[0].lower() == "content-type")


def request_of(submission: Submission, referer: str) -> Request:
    """What a browser sends for a form of the page at the address ``referer``."""
    origin = urlsplit(referer)
    if submission.method == "GET":
        url = submission.url
        if submission.fields:  # a form sent by GET takes the place of the query of its action
            url = oauth.with_query(urlsplit(url)._replace(query="", fragment="").geturl(), submission.fields)
        return Request(method="GET", url=url)
    headers = (
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", f"{origin.scheme}://{origin.netloc}"),
        ("Referer", referer),
    )
    return Request(method="POST", url=submission.url, headers=headers, body=oauth.encode(submission.fields).encode())


def filled(template: str, fields: Mapping[str, Any]) -> str:
    """A value of the recipe with its ``{braces}`` filled from the person."""
    for name, value in fields.items():
        template = template.replace("{" + name + "}", str(value))
    return template
