"""What several judges read from an exchange in the same way. Nothing here decides."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from medmij_conformance.evidence import Exchange, Response
from medmij_conformance.protocol import oauth
from medmij_conformance.protocol.html import Page
from medmij_conformance.protocol.outcome import matching
from medmij_conformance.redaction import BSN_ENCODINGS
from medmij_conformance.verdict import LOAD_SHEDDING, AttestedError, CannotJudgeError


def response(exchange: Exchange) -> Response:
    """The response. Raises ``CannotJudgeError`` when there is none."""
    if exchange.response is None:
        raise CannotJudgeError(f"{exchange.label}: there was no answer")
    return exchange.response


def members(exchange: Exchange) -> dict[str, object]:
    """The members of the JSON object of an answer; empty when it is none. Raises ``CannotJudgeError`` when there is no answer."""
    data = response(exchange).json
    return data if isinstance(data, dict) else {}


def location(exchange: Exchange) -> str:
    """Where a browser is sent by a redirect status, or by a script of the page that it left; empty when it is not."""
    if exchange.endpoint == "leaving" and exchange.request.method == "GET":
        return exchange.request.url
    answer = exchange.response
    if answer is None or answer.status not in {301, 302, 303, 307, 308}:
        return ""
    return answer.header("location") or ""


def is_since(time: object, begin: str, *, slack_s: float = 0.0) -> bool:
    """Whether ``time`` is a moment (RFC 3339, in any zone; UTC without one) that is not before ``begin`` (UTC), less the slack."""
    try:
        at, earliest = datetime.fromisoformat(str(time)), datetime.fromisoformat(begin) - timedelta(seconds=slack_s)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)) >= earliest.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return False


def parts(url: str) -> SplitResult:
    """An address taken apart; empty parts for what is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def place(url: str) -> tuple[str, str]:
    """Authority (lower case, without the port that goes without saying) and path of an https address; empty for what is none."""
    taken = parts(url)
    return taken.netloc.lower().removesuffix(":443"), taken.path.rstrip("/")


def is_under(url: str, base: str) -> bool:
    """Whether an address is ``base``, with a query perhaps, or below it."""
    (authority, path), (own, root) = place(url), place(base)
    return bool(authority) and authority == own and f"{path}/".startswith(f"{root}/")


def bsn_forms(text: str, bsns: Iterable[str]) -> list[str]:
    """The ways in which one of these BSNs is written in a text, AMB.56; empty when it is not there."""
    known = tuple(bsns)

    def written(encode: Callable[[str], str]) -> bool:
        return any(encode(bsn) in text or encode(bsn).upper() in text for bsn in known)

    return [how for how, encode in BSN_ENCODINGS.items() if written(encode)]


def attest(moved_s: int) -> None:
    """Raise ``AttestedError`` when the time that passed was made by moving the clock of the system under test."""
    if moved_s:
        raise AttestedError(f"its clock was moved forward by {moved_s} s")


def answers(exchanges: Iterable[Exchange]) -> tuple[Exchange, ...]:
    """Those that went over the wire: neither what scripts made of a page, nor where they sent the browser."""
    return tuple(exchange for exchange in exchanges if exchange.endpoint not in {"shown", "leaving"})


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
        title = page(exchange).title
        raise CannotJudgeError(
            f"no action of the recipe recognises the page {title!r} (exchange {exchange.number}){advice(exchange)}"
        )
    return None


def is_oauth_answer(where: str) -> bool:
    """Whether an address carries an authorization response: a code or an error."""
    target = oauth.redirect(where)
    return bool(target.get("code") or target.get("error"))


def brings_a_code(exchange: Exchange, redirect_uri: str) -> bool:
    """Whether an answer sends the browser to the PGO with a code."""
    where = location(exchange)
    return oauth.leads_to(where, redirect_uri) and bool(oauth.redirect(where).get("code"))


def refuse_unknown_way(exchange: Exchange) -> None:
    """Raise ``CannotJudgeError`` when the browser halted before a redirect that is no authorization response.

    A redirect that is followed is not the last exchange, so this one leads to a host that the target file does not name (a
    foreign login, perhaps), or round in circles: what is behind it was not seen.
    """
    where = location(exchange)
    if where and not is_oauth_answer(where):
        raise CannotJudgeError(
            f"the browser halted before {where.partition('?')[0]}: its host is not in [connect], or there is no end to it"
        )


def advice(exchange: Exchange) -> str:
    """What helps where a page was not understood because nobody ran its script; empty for other pages."""
    if exchange.endpoint == "shown" or exchange.response is None or not page(exchange).works_by_script:
        return ""
    return '; it works by script: set engine = "chromium" in [user_agent]'


def refuse_trouble_of_the_server(exchange: Exchange) -> None:
    """Raise ``CannotJudgeError`` for a status 5xx: a server that is in trouble has refused nothing."""
    if (exchange.status or 0) >= 500:
        raise CannotJudgeError(f"{exchange.label}: status {exchange.status} is a trouble of the server, and no refusal")


def refuse_load_shedding(exchange: Exchange) -> None:
    """Raise ``CannotJudgeError`` for a status by which a balancer or a busy server answers: it is not known whose word it is."""
    if exchange.status in LOAD_SHEDDING:
        raise CannotJudgeError(f"rate-limited: {exchange.label} was answered with {exchange.status}")


def near_miss(observed: object, expected: str) -> str:
    """A hint where a value differs from a literal in case, spaces or punctuation only; empty where it differs in more."""
    if isinstance(observed, str) and observed != expected and _folded(observed) == _folded(expected):
        return "a near miss: case, spaces and punctuation count"
    return ""


def _folded(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


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


def outcomes(page: Exchange, outcome_texts: Iterable[str]) -> tuple[str, ...]:
    """The outcomes of the target file (``name=text``) that the page of a PGO shows, or that the operator chose."""
    if page.endpoint == "told":
        return tuple(filter(None, [response(page).header("outcome")]))
    texts = dict(text.partition("=")[::2] for text in outcome_texts)
    exit_code = response(page).header("exit-code") if page.endpoint == "said" else None
    return matching(texts, response(page).body, page.request.url, exit_code or "")
