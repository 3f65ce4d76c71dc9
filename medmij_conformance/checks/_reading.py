"""What several judges read from an exchange in the same way. Nothing here decides."""

from collections.abc import Iterable

from medmij_conformance.evidence import Exchange, Response
from medmij_conformance.protocol import oauth
from medmij_conformance.protocol.html import Page
from medmij_conformance.verdict import CannotJudgeError


def response(exchange: Exchange) -> Response:
    """The response. Raises ``CannotJudgeError`` when there is none."""
    if exchange.response is None:
        raise CannotJudgeError(f"{exchange.label}: there was no answer")
    return exchange.response


def location(exchange: Exchange) -> str:
    """Where the answer sends a browser by a redirect status; empty when it does not."""
    answer = exchange.response
    if answer is None or answer.status not in {301, 302, 303, 307, 308}:
        return ""
    return answer.header("location") or ""


def page(exchange: Exchange) -> Page:
    """The HTML page of an answer."""
    return Page(response(exchange).body, exchange.request.url)


def sent_to(exchange: Exchange, redirect_uri: str, known_pages: Iterable[str] = ()) -> oauth.Redirect | None:
    """The redirect to the PGO taken apart; None when the browser was not sent there.

    Raises ``CannotJudgeError`` when the browser shows a page that leads on and that is not one of the ``known_pages`` of the
    recipe: it may be part of the way.
    """
    where = location(exchange) or (page(exchange).refresh or "")
    if oauth.leads_to(where, redirect_uri):
        return oauth.redirect(where)
    unknown = not where and response(exchange).status < 400 and not shows(exchange, known_pages)
    if unknown and leads_on(page(exchange)):
        raise CannotJudgeError(f"no action of the recipe recognises the page {page(exchange).title!r} (exchange {exchange.number})")
    return None


def is_oauth_answer(where: str) -> bool:
    """Whether an address carries an authorization response: a code or an error."""
    target = oauth.redirect(where)
    return bool(target.get("code") or target.get("error"))


def refuse_unknown_way(exchange: Exchange) -> None:
    """Raise ``CannotJudgeError`` when the browser halted before a redirect that is no authorization response.

    A redirect that is followed is not the last exchange, so this one leads to a host that the target file does not name (a
    foreign login, perhaps), or round in circles: what is behind it was not seen.
    """
    where = location(exchange)
    if where and not is_oauth_answer(where):
        raise CannotJudgeError(f"the browser halted before {where}: its host is not in [connect], or there is no end to it")


def leads_on(shown: Page) -> bool:
    """Whether a person could go on from a page: it has a form, a link or a script."""
    return shown.has_form or bool(shown.links) or shown.has_script


def described(exchange: Exchange) -> str:
    """An answer in a few words: where it leads, or its status and title."""
    if where := location(exchange):
        return f"a redirect to {where}"
    answer = response(exchange)
    title = page(exchange).title if "html" in answer.media_type else answer.text[:120]
    return f"status {answer.status}" + (f" with {title!r}" if title else " with an empty body")


def shows(exchange: Exchange, selectors: Iterable[str]) -> bool:
    """Whether the page of an answer is one that a recipe names by one of these selectors."""
    return exchange.response is not None and any(page(exchange).matches(selector) for selector in selectors)
