"""The exceptions that come back through the browser: UCI exceptions 2 to 5, with their exact codes and descriptions."""

import re
from dataclasses import replace
from urllib.parse import urlsplit

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import ProtocolException, Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

Exchanges = tuple[Exchange, ...]

# RFC 6749 4.1.2.1: error_description consists of %x20-21, %x23-5B and %x5D-7E.
_DESCRIPTION = frozenset(chr(c) for c in (*range(0x20, 0x22), *range(0x23, 0x5C), *range(0x5D, 0x7F)))

_ODD_BUT_MEANT = "RFC 6749 means something else by this error, but the exception table names it in so many words"

# A place in a program, as Python, Java and its relatives, .NET, JavaScript, PHP, Ruby and Go write it. Every alternative begins
# with fixed characters, so that no page makes the search slow.
_TRACE = re.compile(
    r"Traceback \(most recent call last\)"
    r"|\.(?:java|kt|scala|groovy):\d+\)"
    r"|\.(?:cs|vb|fs):line \d+"
    r"|\.[cm]?[jt]sx?:\d+:\d+\b"
    r"|\.php\(\d+\): "
    r"|\.rb:\d+:in ['`]"
    r"|goroutine \d+ \[running\]"
)


@check("UCI-V.exc.2", then="exception 2 is reported to the PGO", twin="authorization")
def failed_login_is_reported(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """When the identity cannot be established, the PGO gets the error of exception 2, and no code."""
    yield from _reported(redirect, redirect_uri, known_pages, release.exception(2))


@check("UCI-V.exc.3", "UCI-V.step.8", then="exception 3 is reported to the PGO", twin="authorization")
def nothing_available_is_reported(
    redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """When nothing is available, the PGO gets the error and the exact description of exception 3, and no code."""
    yield from _reported(redirect, redirect_uri, known_pages, release.exception(3))


@check("JUR.14", then="the person under sixteen gets nothing", twin="authorization")
def minors_get_nothing(
    redirect: Exchange,
    visited: Exchanges,
    redirect_uri: str,
    consent_pages: tuple[str, ...],
    known_pages: tuple[str, ...],
    release: Release,
) -> Findings:
    """A person under sixteen gets no code; exception 3 is how that is told, and before consent is asked."""
    yield from _not_asked(visited, consent_pages)
    yield from _withheld(redirect, redirect_uri, known_pages, release.exception(3))


@check("ZORG.besch", then="without a treatment relation there is nothing", twin="authorization")
def no_treatment_relation_means_nothing(
    redirect: Exchange,
    visited: Exchanges,
    redirect_uri: str,
    consent_pages: tuple[str, ...],
    known_pages: tuple[str, ...],
    release: Release,
) -> Findings:
    """A person without a treatment relation gets no code; exception 3 is how that is told, and before consent is asked."""
    yield from _not_asked(visited, consent_pages)
    yield from _withheld(redirect, redirect_uri, known_pages, release.exception(3))


@check("UCI-V.exc.4", then="exception 4 is reported to the PGO", twin="authorization")
def refusal_is_reported(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """When the person refuses, the PGO gets the error and the exact description of exception 4, and no code."""
    yield from _reported(redirect, redirect_uri, known_pages, release.exception(4))


@check("UCI-V.exc.5", then="exception 5 is reported to the PGO", twin="authorization")
def undeterminable_answer_is_reported(
    redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """When the answer cannot be established, the PGO gets the error and the exact description of exception 5, and no code."""
    yield from _reported(redirect, redirect_uri, known_pages, release.exception(5))


@check("UCI-V.exc.5", then="an answer of nobody is exception 5, or ends on a page", twin="authorization")
def answer_without_a_session_is_exception_5(
    answer: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """An answer that comes with no session is reported as exception 5; a page is as good, since the way back may be lost."""
    if _ends_on_a_page(answer, known_pages):
        return
    yield from _reported(answer, redirect_uri, known_pages, release.exception(5))


@check("UCI-V.exc.5", then="an answer after the end is exception 5, or ends on a page", twin="authorization")
def answer_after_the_end_is_exception_5(
    replayed: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """An answer after the session ended is reported as exception 5, or on a page; telling the refusal again is a warning."""
    if _ends_on_a_page(replayed, known_pages):
        return
    told, row = oauth.redirect(read.location(replayed)), release.exception(4)
    again = (told.get("error"), told.get("error_description")) == (row.code, row.description) and not told.get("code")
    for finding in _reported(replayed, redirect_uri, known_pages, release.exception(5)):
        yield replace(finding, outcome=Outcome.WARNING) if again else finding


@check("UCI-V.exc.5", then="the answer that is not genuine is exception 5", twin="authorization")
def answer_that_is_not_genuine_is_exception_5(
    answer: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """An answer whose hidden value was altered is reported as exception 5; a page alone leaves the PGO without a word."""
    if _ends_on_a_page(answer, known_pages):
        expected = f"a redirect to {redirect_uri} that reports exception 5"
        yield Finding(expected=expected, observed=read.described(answer), outcome=Outcome.WARNING)
        return
    yield from _reported(answer, redirect_uri, known_pages, release.exception(5))


@check("RFC6749.4.1.2.1a", "RFC6819.4.4.1.8b", then="the state comes back with the error")
def state_is_returned_with_an_error(redirect: Exchange, redirect_uri: str, state: str) -> Findings:
    """An error response carries the state of the request, once and unchanged."""
    target = _back(redirect, redirect_uri)
    found = [value for name, value in target.parameters if name == "state"]
    if found != [state]:
        yield Finding(expected=f"state={state}, once", observed=", ".join(found) or "no state", reading="AMB.46")


@check("RFC6749.4.1.2.1a", then="the error response has the form of RFC 6749")
def error_response_is_well_formed(redirect: Exchange, redirect_uri: str) -> Findings:
    """Errors stand in the query, with a description in printable ASCII without quotes, and nothing stands in the fragment."""
    target = _back(redirect, redirect_uri)
    if "error=" in target.fragment:
        yield Finding(expected="the error in the query", observed=f"the fragment #{target.fragment}")
    strange = sorted(set(target.get("error_description") or "") - _DESCRIPTION)
    if strange:
        yield Finding(expected="a description in the characters that RFC 6749 allows", observed=f"it has {strange}")


@check("UCI-V.step.8", then="Bart is not asked for consent", twin="authorization")
def consent_is_not_asked_for_nothing(
    redirect: Exchange, redirect_uri: str, consent_pages: tuple[str, ...], known_pages: tuple[str, ...]
) -> Findings:
    """Whether anything is available is found out before consent is asked."""
    read.refuse_trouble_of_the_server(redirect)
    read.sent_to(redirect, redirect_uri, known_pages)
    if read.shows(redirect, consent_pages):
        yield Finding(
            expected="no consent question, because nothing is available",
            observed="the consent question",
            reading="AMB.26",
        )


@check("UCI-V.exc.gen1", then="the ended session yields no code", twin="authorization")
def ended_session_is_dead(replayed: Exchange, redirect_uri: str) -> Findings:
    """After an exception the session is over: giving consent from the page that is still open yields no code."""
    read.refuse_trouble_of_the_server(replayed)
    if read.brings_a_code(replayed, redirect_uri):
        yield Finding(expected="no code from a session that has ended", observed=read.described(replayed))


@check("UCI-V.exc.gen1", then="the ended session leads nowhere", twin="authorization")
def ended_login_is_dead(
    replayed: Exchange, redirect_uri: str, consent_pages: tuple[str, ...], authorization_endpoint: str
) -> Findings:
    """After an exception at the login, logging in from the page that is still open brings neither consent question nor code."""
    read.refuse_trouble_of_the_server(replayed)
    if urlsplit(replayed.request.url).hostname != urlsplit(authorization_endpoint).hostname:
        raise CannotJudgeError(f"the gateway was not asked again: {read.described(replayed)} came from elsewhere")
    if read.shows(replayed, consent_pages) or read.brings_a_code(replayed, redirect_uri):
        yield Finding(expected="neither consent question nor code", observed=read.described(replayed))


@check("UC-V.exc.gen2", "UCI-V.exc.gen2", then="the two exceptions have pages of their own")
def exceptions_have_pages_of_their_own(shown: Exchange, replayed: Exchange, known_pages: tuple[str, ...]) -> Findings:
    """A request that is not in order and a session that is over are told in different words, where both are told on a page."""
    _is_a_page(shown, known_pages)
    if not read.location(replayed) and _words(shown) == _words(replayed):
        yield Finding(
            expected="another text for a session that is over than for a request that is not in order",
            observed=f"the same text for both: {_words(shown)[:200]!r}",
        )


@check("UC-V.exc.gen2", "UCI-V.exc.gen2", then="neither page shows the inside of a program")
def error_pages_show_no_trace(shown: Exchange, replayed: Exchange, known_pages: tuple[str, ...]) -> Findings:
    """The pages that tell a person what went wrong hold no stack trace of a program."""
    _is_a_page(shown, known_pages)
    for exchange in (shown, replayed):
        for text in (read.response(exchange).text, _words(exchange)):
            if trace := _TRACE.search(text):
                observed = f"{trace.group()!r} (exchange {exchange.number})"
                yield Finding(expected="words for the person, and no stack trace", observed=observed)
                break


def _ends_on_a_page(answer: Exchange, known_pages: tuple[str, ...]) -> bool:
    """Whether an answer is told to the person alone, on a page on which no flow goes on and that is no trouble of the server."""
    read.refuse_trouble_of_the_server(answer)
    return not read.location(answer) and not read.shows(answer, known_pages) and bool(_words(answer))


def _is_a_page(shown: Exchange, known_pages: tuple[str, ...]) -> None:
    """Raise ``CannotJudgeError`` when the gateway did not tell the person on a page what was wrong with the request."""
    if read.location(shown) or read.shows(shown, known_pages) or not _words(shown):
        raise CannotJudgeError(f"no page told what was wrong with the request: {read.described(shown)}")


def _words(exchange: Exchange) -> str:
    """What a person reads: the visible text of a page, or the body of anything else."""
    answer = read.response(exchange)
    return read.page(exchange).text if "html" in answer.media_type else " ".join(answer.text.split())


def _reported(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], row: ProtocolException) -> Findings:
    expected = f"a redirect to {redirect_uri} with error={row.code}"
    if row.description:
        expected += f" and error_description={row.description!r}"
    target = read.sent_to(redirect, redirect_uri, known_pages)
    if target is None:
        yield Finding(expected=expected, observed=read.described(redirect))
        return
    error, description = target.get("error"), target.get("error_description")
    if target.get("code"):
        yield Finding(expected=expected, observed="a code")
    elif error != row.code:
        hint = read.near_miss(error, row.code) or (_ODD_BUT_MEANT if row.description is None else "")
        yield Finding(expected=expected, observed=f"error={error}", hint=hint, reading=_reading(row))
    elif row.description and description != row.description:
        observed = "no error_description" if description is None else f"error_description={description!r}"
        hint = read.near_miss(description, row.description)
        yield Finding(expected=expected, observed=observed, hint=hint, reading="AMB.5")


def _reading(row: ProtocolException) -> str:
    return "AMB.4" if row.description is None else "AMB.5"


def _not_asked(visited: Exchanges, consent_pages: tuple[str, ...]) -> Findings:
    asked = [exchange for exchange in visited if read.shows(exchange, consent_pages)]
    if asked:
        observed = f"the consent question (exchange {asked[0].number})"
        yield Finding(expected="no consent question", observed=observed, outcome=Outcome.WARNING, reading="AMB.27")


def _withheld(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], row: ProtocolException) -> Findings:
    target = read.sent_to(redirect, redirect_uri, known_pages)
    if target is not None and target.get("code"):
        yield Finding(expected="no code", observed="a code", reading="AMB.27")
    elif target is None or (target.get("error"), target.get("error_description")) != (row.code, row.description):
        yield Finding(
            expected=f"error={row.code} and error_description={row.description!r}",
            observed=read.described(redirect),
            outcome=Outcome.WARNING,
            reading="AMB.27",
        )


def _back(redirect: Exchange, redirect_uri: str) -> oauth.Redirect:
    target = read.sent_to(redirect, redirect_uri)
    if target is None or not target.get("error"):
        raise CannotJudgeError(f"there is no error response: {read.described(redirect)}")
    return target
