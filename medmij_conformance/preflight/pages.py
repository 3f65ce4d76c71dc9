"""The recipe for pages: whether its selectors are such, and whether it knows the first page that the gateway shows."""

import email.utils
import secrets
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from medmij_conformance.evidence import Evidence, Exchange, Request
from medmij_conformance.preflight.fault import Fault
from medmij_conformance.protocol import oauth
from medmij_conformance.protocol.html import Page, PageError
from medmij_conformance.target import Target, authority
from medmij_conformance.wire.client import Client, Limits
from medmij_conformance.wire.user_agent import UserAgent, Visit

_LIMIT_S = 4.0
_SKEW_S = 60.0
_REDIRECTS = 5  # to a page to log in on it takes one or two
_EMPTY = Page(b"<html></html>", "about:blank")


def recipe(target: Target) -> Iterator[Fault]:
    """Selectors that are none, and a recipe without the actions that every run needs."""
    for number, action in enumerate(target.user_agent.actions, 1):
        at = f"user_agent.action[{number}]"
        selectors = [
            ("page", action.page),
            *(("check", each) for each in action.check),
            *(("select", each) for each in action.select),
        ]
        for name, selector in [*selectors, *([("press", action.press)] if action.press else [])]:
            try:
                _EMPTY.matches(selector)
            except PageError:
                yield Fault(f"{at}.{name}", f"{selector!r} is no CSS selector", "one such as form#login")
    intents = {action.intent for action in target.user_agent.actions}
    if target.about.role == "dvza":
        needed = ["give consent", "refuse consent", *(["log in"] if target.login.mode == "form" else [])]
        for intent in needed:
            if intent not in intents:
                expected = f'an [[user_agent.action]] with intent = "{intent}"'
                yield Fault("user_agent.action", f"no action says how to {intent}", expected, hinders=False)
    if target.outcome:
        named = [("collected", target.outcome.collected), ("failed", target.outcome.failed), *target.outcome.named.items()]
        for name, sign in named:
            if sign and sign.startswith("css:"):
                try:
                    _EMPTY.matches(sign.removeprefix("css:"))
                except PageError:
                    yield Fault(f"outcome.{name}", f"{sign!r} holds no CSS selector", "one such as css:#collected")


def login_page(target: Target) -> Iterator[Fault]:
    """Ask for the first page of a collection once, as a person's browser would, and say what hinders using it."""
    plain = target.user_agent.engine == "html" and target.login.mode != "operator"
    if target.about.role != "dvza" or not plain or authority(target.offers[0].authorization_endpoint) not in target.connect:
        return
    visit, request = _open(target)
    last = visit.last
    see = f"curl -sv {request.url!r}"
    yield from _clock(visit.exchanges[0])
    if visit.stopped == "trouble":
        if last.trouble and last.trouble.kind == "protocol":
            problem = f"{authority(last.request.url)} answers, but not with HTTP"
            yield Fault("offer[1].authorization_endpoint", problem, "an HTTP server", see)
    elif visit.stopped == "redirects":
        yield Fault(
            "offer[1]", f"the gateway redirects {visit.detail.removesuffix(' redirects')} times", "a page to log in on", see
        )
    elif visit.stopped == "unknown host":
        host = urlsplit(visit.location).netloc
        digid = target.digid and host.partition(":")[0] == target.digid.host
        if not digid:
            problem = f"the gateway sends the person to {host}, which is not in it"
            yield Fault("connect", problem, f'an entry "{authority(visit.location)}"', see)
    elif visit.stopped == "at the client":
        error = parse_qs(urlsplit(visit.location).query).get("error", ["no error"])[0]
        problem = f"the gateway sends the person back at once ({error})"
        yield Fault("offer[1]", problem, "a page; does it know our client_id, redirect URI and scope?", see)
    elif visit.stopped == "page":
        yield from _page(target, visit, see)


def _open(target: Target) -> tuple[Visit, Request]:
    offer, harness = target.offers[0], target.harness
    parameters = [
        ("response_type", "code"),
        ("client_id", harness.client_id),
        ("redirect_uri", harness.redirect_uri),
        ("scope", target.scope(offer)),
        ("state", secrets.token_urlsafe(32)),
    ]
    front = target.trust.front
    client = Client(
        Evidence(),
        connect=target.connect,
        trust_back=target.trust.ca,
        trust_front=None if front == "system" else front,
        limits=Limits(exchange_s=_LIMIT_S),
    )
    client.allow(_LIMIT_S)
    browser = UserAgent(client, target.user_agent.actions, {}, redirect_uris=[harness.redirect_uri], redirects=_REDIRECTS)
    request = Request(method="GET", url=oauth.with_query(offer.authorization_endpoint, parameters))
    try:
        return browser.open(request, label="preflight"), request
    finally:
        client.hang_up()


def _page(target: Target, visit: Visit, see: str) -> Iterator[Fault]:
    status, page = visit.last.status or 0, visit.page
    if status >= 400:
        expected = "a page to log in on; does it know our client_id, redirect URI and scope?"
        yield Fault(
            "offer[1]",
            f"the gateway answers an authorization request with status {status}",
            expected,
            see,
        )
    elif target.login.mode == "form":
        actions = [action for action in target.user_agent.actions if action.intent == "log in"]
        try:
            known = any(page.matches(action.page) for action in actions)
        except PageError:
            return  # told by ``recipe``
        if actions and not known:
            title = page.title or page.text[:60]
            expected = 'a selector of the page to log in on; does it work by script (engine = "chromium")?'
            yield Fault("user_agent.action", f"no action to log in knows the page {title!r}", expected, see)


def _clock(exchange: Exchange) -> Iterator[Fault]:
    date = exchange.response.header("date") if exchange.response else None
    try:
        theirs = email.utils.parsedate_to_datetime(date or "").timestamp()
    except (ValueError, TypeError, OverflowError):
        return
    skew = theirs - time.time()
    if abs(skew) > _SKEW_S:
        problem = f"the gateway's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours"
        expected = f"at most {_SKEW_S:.0f} s between them: lifetimes of 900 s are measured"
        yield Fault("target", problem, expected, "date -u; timedatectl", hinders=False)
