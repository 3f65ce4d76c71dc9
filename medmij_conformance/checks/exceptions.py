"""The exceptions that come back through the browser: UCI exceptions 2 to 5, with their exact codes and descriptions."""

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import ProtocolException, Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

# RFC 6749 4.1.2.1: error_description consists of %x20-21, %x23-5B and %x5D-7E.
_DESCRIPTION = frozenset(chr(c) for c in (*range(0x20, 0x22), *range(0x23, 0x5C), *range(0x5D, 0x7F)))


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
def minors_get_nothing(redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A person under sixteen gets no code; exception 3 is how that is told."""
    yield from _withheld(redirect, redirect_uri, known_pages, release.exception(3))


@check("ZORG.besch", then="without a treatment relation there is nothing", twin="authorization")
def no_treatment_relation_means_nothing(
    redirect: Exchange, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """A person without a treatment relation gets no code; exception 3 is how that is told."""
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
def consent_is_not_asked_for_nothing(redirect: Exchange, consent_pages: tuple[str, ...]) -> Findings:
    """Whether anything is available is found out before consent is asked."""
    if read.shows(redirect, consent_pages):
        yield Finding(
            expected="no consent question, because nothing is available",
            observed="the consent question",
            reading="AMB.26",
        )


@check("UCI-V.exc.gen1", then="the ended session yields no code", twin="authorization")
def ended_session_is_dead(replayed: Exchange, redirect_uri: str) -> Findings:
    """After an exception the session is over: giving consent from the page that is still open yields no code."""
    target = oauth.redirect(read.location(replayed))
    if oauth.leads_to(read.location(replayed), redirect_uri) and target.get("code"):
        yield Finding(expected="no code from a session that has ended", observed=read.described(replayed))


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
        yield Finding(expected=expected, observed=f"error={error}", hint=_hint(error, row.code), reading=_reading(row))
    elif row.description and description != row.description:
        observed = "no error_description" if description is None else f"error_description={description!r}"
        hint = _hint(description, row.description)
        yield Finding(expected=expected, observed=observed, hint=hint, reading="AMB.5")


def _reading(row: ProtocolException) -> str:
    return "AMB.4" if row.description is None else "AMB.5"


def _hint(observed: str | None, expected: str) -> str:
    if observed and _folded(observed) == _folded(expected):
        return "a near miss: case, spaces and the final full stop count"
    return ""


def _folded(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


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
