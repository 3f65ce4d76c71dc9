"""The authorization endpoint: the way from request to code, and the requests that must be refused. UCI-V.step.2 to 10."""

import re
from urllib.parse import unquote, urljoin, urlsplit

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange, header_values
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

Exchanges = tuple[Exchange, ...]


@check("APP.3", then="the gateway asks Roos to log in before anything else")
def login_comes_first(shown: Exchange, login_pages: tuple[str, ...], consent_pages: tuple[str, ...]) -> Findings:
    """The first page after the authorization request is the login, not the consent question."""
    if read.shows(shown, login_pages):
        return
    read.refuse_unknown_way(shown)
    if read.shows(shown, consent_pages) or read.location(shown):
        yield Finding(expected="the login as the first page", observed=read.described(shown))
        return
    raise CannotJudgeError(f"no action of the recipe recognises the first page: {read.described(shown)}{read.advice(shown)}")


@check("UCI-V.step.10", then="the gateway sends Roos back to the PGO with a code", accepts="authorization")
def code_is_issued(redirect: Exchange, redirect_uri: str) -> Findings:
    """After consent the browser is sent to the redirect URI with exactly one code, and without an error."""
    target = read.sent_to(redirect, redirect_uri)
    if target is None or target.count("code") != 1 or target.get("error"):
        expected = f"a redirect to {redirect_uri} with one code and no error"
        yield Finding(expected=expected, observed=read.described(redirect))
    elif "code=" in target.fragment:
        yield Finding(expected="the code in the query", observed="a code in the fragment")


@check("UCI-V.step.10", "RFC6819.4.4.1.8b", then="the state comes back unchanged")
def state_is_returned_with_the_code(redirect: Exchange, redirect_uri: str, state: str) -> Findings:
    """The state of the authorization request comes back once and unchanged, together with the code."""
    target = _returned(redirect, redirect_uri)
    if not target.get("code"):
        raise CannotJudgeError(f"there is no code: {read.described(redirect)}")
    if target.count("state") != 1 or target.get("state") != state:
        yield Finding(expected=f"state={state}, once", observed=_states(target))


@check("UCI-V.step.10", then="the browser is sent on by a redirect that makes it forget the form")
def redirect_status_is_right(redirect: Exchange, redirect_uri: str) -> Findings:
    """The browser is sent back with status 302 or 303, so that the consent form is not posted to the PGO."""
    _returned(redirect, redirect_uri)
    status = redirect.status
    if status in {302, 303}:
        return
    kept = status in {307, 308}
    yield Finding(
        expected="status 302 or 303",
        observed="a script of the page sends the browser on" if status is None else f"status {status}",
        outcome=Outcome.FAIL if kept and redirect.request.method == "POST" else Outcome.WARNING,
        hint="307 and 308 make the browser post the consent form to the PGO" if kept else "",
        reading="AMB.65",
    )


@check("RFC6749.3.1.2", then="the query of the redirect URI is kept")
def query_of_the_redirect_uri_is_kept(redirect: Exchange, redirect_uri: str) -> Findings:
    """Parameters that the redirect URI has already are kept, and code and state are appended to them."""
    wanted = oauth.redirect(redirect_uri).parameters
    got = _returned(redirect, redirect_uri).parameters
    missing = [f"{name}={value}" for name, value in wanted if (name, value) not in got]
    if missing:
        yield Finding(expected=f"the query keeps {', '.join(missing)}", observed=read.location(redirect))


@check("RFC6749.3.1a", then="the gateway ignores the parameters it does not know", twin="authorization", contrast=True)
def unknown_parameters_are_ignored(shown: Exchange, known_pages: tuple[str, ...]) -> Findings:
    """An authorization request with unknown parameters goes on as if they were not there."""
    if not read.shows(shown, known_pages):
        yield Finding(expected="the login page, as without them", observed=read.described(shown))


@check("UCI-V.step.3", then="both collections come back with their own state")
def sessions_do_not_mix(
    redirect: Exchange, redirect_uri: str, state: str, second_redirect: Exchange, second_state: str
) -> Findings:
    """Two collections in two tabs of one browser each return their own state."""
    for exchange, own in ((redirect, state), (second_redirect, second_state)):
        target = _returned(exchange, redirect_uri)
        if not target.get("code"):
            raise CannotJudgeError(f"there is no code: {read.described(exchange)}")
        if target.get("state") != own:
            yield Finding(expected=f"a code with state={own}", observed=read.described(exchange))


@check("UCI-V.step.3", then="each PGO gets its own answer")
def each_pgo_gets_its_own_answer(
    redirect: Exchange, redirect_uri: str, state: str, second_redirect: Exchange, second_redirect_uri: str, second_state: str
) -> Findings:
    """Two collections for two PGOs in one browser each return to the PGO that began them, with its state."""
    for exchange, address, own in ((redirect, redirect_uri, state), (second_redirect, second_redirect_uri, second_state)):
        where = read.location(exchange)
        if not read.is_oauth_answer(where):
            raise CannotJudgeError(f"there is no code: {read.described(exchange)}")
        if not oauth.leads_to(where, address) or oauth.redirect(where).get("state") != own:
            yield Finding(expected=f"a redirect to {address} with state={own}", observed=read.described(exchange))


@check("UCI-V.step.3", then="the cookies of the session are protected")
def session_cookies_are_protected(visited_there: Exchanges) -> Findings:
    """The cookie of the session carries Secure and HttpOnly; beside one that does, another without them is a warning.

    Nothing in a cookie says that it holds the session. Where none is protected, the session's is not; where one is, the others may
    be those of a load balancer or of a script.
    """
    sent = [c for e in read.answers(visited_there) for c in header_values(read.response(e).headers, "set-cookie")]
    cookies = [cookie for cookie in sent if cookie.partition(";")[0].partition("=")[2].strip(' "')]  # an empty one is taken back
    lacking = {cookie: _lacks(cookie) for cookie in cookies if _lacks(cookie)}
    outcome = Outcome.WARNING if len(lacking) < len(cookies) else Outcome.FAIL
    for cookie, missing in lacking.items():
        name = cookie.partition("=")[0]
        yield Finding(expected=f"cookie {name} with Secure and HttpOnly", observed=f"without {missing}", outcome=outcome)


def _lacks(cookie: str) -> str:
    present = {attribute.strip().partition("=")[0].lower() for attribute in cookie.split(";")[1:]}
    return " and ".join(wanted for wanted in ("Secure", "HttpOnly") if wanted.lower() not in present)


@check("REL.2", then="the gateway asks Roos to log in again")
def login_is_asked_again(second_shown: Exchange, login_pages: tuple[str, ...]) -> Findings:
    """A second collection in the same browser starts with a login of its own."""
    if read.shows(second_shown, login_pages):
        return
    target = read.location(second_shown)
    read.refuse_unknown_way(second_shown)
    if not target and second_shown.status == 200 and not read.leads_on(read.page(second_shown)):
        raise CannotJudgeError(f"the second collection stopped at {read.described(second_shown)}")
    yield Finding(expected="the login page again", observed=read.described(second_shown))


# ------------------------------------------------------------------------------------------- requests that are refused


@check("UCI-V.exc.1", "UC-V.exc.1", then="the unknown client is refused on a page", twin="authorization")
def unknown_client_is_refused(visited: Exchanges, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A request of a client that is missing or on no list ends on a page of the gateway, without any redirect."""
    yield from _refused_on_a_page(visited, redirect_uri, known_pages, release)


@check("APP.15b", then="the gateway does not send anybody to the unsafe address", twin="authorization")
def unsafe_redirect_uri_is_not_followed(
    visited: Exchanges, bad_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """A redirect URI that is no absolute https address is never followed, by whatever means, and the request is refused."""
    yield from _refused_on_a_page(visited, bad_uri, known_pages, release)


@check("RFC6749.3.1.2.2", then="the gateway does not send anybody to the other host", twin="authorization")
def redirect_uri_of_another_host_is_refused(
    visited: Exchanges, bad_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """A redirect URI on a host that is not the client's is never followed, and the request is refused."""
    yield from _refused_on_a_page(visited, bad_uri, known_pages, release)


@check("RFC6749.3.1.2.2", then="an answer goes to the address that was given, or nowhere", twin="authorization")
def answer_goes_to_the_given_address(visited: Exchanges, bad_uri: str) -> Findings:
    """A redirect URI on the client's host that is written oddly is refused, or followed to the letter: no answer goes elsewhere."""
    read.refuse_trouble_of_the_server(visited[-1])
    for exchange in visited:
        where = read.location(exchange)
        if where and read.is_oauth_answer(where) and not _is_equivalent(where, bad_uri):
            yield Finding(expected=f"a redirect to {bad_uri}, or none", observed=f"a redirect to {where}")


@check("RFC6819.4.4.1.8b", then="a state of other alphabets comes back unchanged, or is refused", twin="authorization")
def foreign_state_is_returned_or_refused(visited: Exchanges, state: str, known_pages: tuple[str, ...]) -> Findings:
    """A state with characters that RFC 6749 leaves out comes back as it was, or the request is refused: it is never changed."""
    last = visited[-1]
    read.refuse_trouble_of_the_server(last)
    where = read.location(last)
    found = [value for name, value in oauth.redirect(where).parameters if name == "state"] if read.is_oauth_answer(where) else []
    if found and found != [state]:
        yield Finding(expected=f"state={state}, once", observed=", ".join(found))
    elif not found and read.is_oauth_answer(where) and oauth.redirect(where).get("code"):
        yield Finding(expected=f"state={state}, once", observed="a code without a state")
    elif not found and read.shows(last, known_pages):
        raise CannotJudgeError(f"the flow neither ended nor was it refused: {read.described(last)}")


@check("OVK.2.6", then="the gateway does not take itself for a PGO", twin="authorization")
def node_of_a_za_gateway_is_no_client(visited: Exchanges, bad_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A node that is listed as a ZA gateway, and not as a PGO, is refused as a client."""
    yield from _refused_on_a_page(visited, bad_uri, known_pages, release)


@check("RFC6749.10.14", then="the markup in the request does no harm", twin="authorization")
def markup_in_a_request_is_harmless(visited: Exchanges, markup_sent: str) -> Findings:
    """A value of the request that comes back in a page comes back as text: nothing of it becomes an element or an attribute."""
    mark = f"[{name[0]}]" if (name := re.search(r"data-\w+", markup_sent)) else "nothing"
    for exchange in read.answers(visited):
        answer = read.response(exchange)
        is_page = not answer.media_type or "html" in answer.media_type or "xml" in answer.media_type
        if is_page and (markup_sent in answer.text or read.page(exchange).matches(mark)):
            observed = f"its markup stands in the page as markup (exchange {exchange.number})"
            yield Finding(expected=f"{markup_sent} shown as text, or not at all", observed=observed)


@check("RFC6749.10.14", then="no header of the answer comes from the state", twin="authorization")
def state_splits_no_header(visited: Exchanges, header_sent: str) -> Findings:
    """A line end in the state does not end a header of the answer."""
    for exchange in read.answers(visited):
        if header_sent.lower() in {name.lower() for name, _ in read.response(exchange).headers}:
            expected = f"no header {header_sent}, which stood in the state"
            yield Finding(expected=expected, observed=f"it is there (exchange {exchange.number})")


@check("UCI-V.exc.1", "UC-V.exc.1", then="the missing redirect URI is refused on a page", twin="authorization")
def missing_redirect_uri_is_refused(
    visited: Exchanges, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """A request without a redirect URI ends on a page of the gateway; no registered address stands in for it."""
    yield from _refused_on_a_page(visited, redirect_uri, known_pages, release)


@check("RFC6749.3.1.1", "APP.6", then="the response type is refused, the person first", twin="authorization")
def other_response_type_is_refused(
    visited: Exchanges, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """A response type that is missing or not the one of the release is refused, and the person is told first."""
    yield from _refused_first_to_the_person(visited, redirect_uri, known_pages, release)


@check("APP.9", "UCI-V.exc.1", "UC-V.exc.1", then="the scope is refused, the person first", twin="authorization")
def other_scope_is_refused(visited: Exchanges, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A scope that is missing, unknown, not offered here or more than one is refused, and the person is told first."""
    yield from _refused_first_to_the_person(visited, redirect_uri, known_pages, release)


@check("APP.9", then="the code of the other side is refused as a scope", twin="authorization")
def code_of_the_other_side_is_refused(
    visited: Exchanges, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """The catalogue's code of the same service on the side of the PGO is no scope here; taking it as one is the other reading."""
    if read.shows(visited[-1], known_pages):
        observed = "the flow goes on with the code of the other side"
        yield Finding(expected="a page that refuses the request", observed=observed, outcome=Outcome.WARNING, reading="AMB.19")
        return
    yield from _refused_first_to_the_person(visited, redirect_uri, known_pages, release)


@check("RFC6749.3.1b", then="the repeated parameter is refused", twin="authorization")
def repeated_parameter_is_refused(
    visited: Exchanges, redirect_uri: str, known_pages: tuple[str, ...], release: Release
) -> Findings:
    """A request in which a parameter stands twice is refused."""
    yield from _refused_first_to_the_person(visited, redirect_uri, known_pages, release)


@check("UCI-V.exc.1", "UC-V.exc.1", then="the missing state is refused, the person first", twin="authorization")
def missing_state_is_refused(visited: Exchanges, redirect_uri: str, known_pages: tuple[str, ...], release: Release) -> Findings:
    """A request without a state is refused; going on without one is the other reading."""
    if read.shows(visited[-1], known_pages):
        yield Finding(
            expected="a page that refuses the request",
            observed="the flow goes on without a state",
            outcome=Outcome.WARNING,
            hint="the framework does not say in so many words that the gateway has to refuse",
            reading="AMB.3",
        )
        return
    yield from _refused_first_to_the_person(visited, redirect_uri, known_pages, release)


def _returned(redirect: Exchange, redirect_uri: str) -> oauth.Redirect:
    target = read.sent_to(redirect, redirect_uri)
    if target is None:
        raise CannotJudgeError(f"the browser did not come back to the PGO: {read.described(redirect)}")
    return target


def _states(target: oauth.Redirect) -> str:
    found = [value for name, value in target.parameters if name == "state"]
    return ", ".join(f"state={value}" for value in found) or "no state"


def _refused_on_a_page(visited: Exchanges, forbidden: str, goes_on: tuple[str, ...], release: Release) -> Findings:
    """Neither client nor redirect URI can be trusted: a page, and no way to the address, not even a link (AMB.3 (i))."""
    for exchange in visited:
        where = read.location(exchange)
        if where and _is_same_address(where, forbidden, exchange.request.url):
            yield Finding(expected="no redirect to that address", observed=f"a redirect to {where}", reading="AMB.3")
            return
        bad = [a for a in read.page(exchange).addresses if _is_same_address(a, forbidden, exchange.request.url)]
        if bad and not where:
            yield Finding(expected="no way to that address on the page", observed=f"the page leads to {bad[0]}")
            return
    yield from _page_of_refusal(visited[-1], goes_on, release)


def _refused_first_to_the_person(visited: Exchanges, redirect_uri: str, goes_on: tuple[str, ...], release: Release) -> Findings:
    """Client and redirect URI are in order: a page first; an immediate error redirect is the other reading (AMB.3 (ii))."""
    last = visited[-1]
    target = oauth.redirect(read.location(last)) if oauth.leads_to(read.location(last), redirect_uri) else None
    if target is None:
        yield from _page_of_refusal(last, goes_on, release)
        return
    row = release.exception(1)
    error = target.get("error") or "no error"
    if target.get("code") or error not in {row.code, *row.tolerated}:
        hint = read.near_miss(error, row.code)
        yield Finding(expected=f"a page, or at least error={row.code}", observed=read.location(last), hint=hint)
        return
    yield Finding(
        expected="a page of the gateway that tells the person first",
        observed=f"an immediate redirect with error={error}",
        outcome=Outcome.WARNING,
        reading="AMB.3" if error == row.code else "AMB.51",
    )


def _page_of_refusal(exchange: Exchange, goes_on: tuple[str, ...], release: Release) -> Findings:
    answer, row = read.response(exchange), release.exception(1)
    expected = f"a page of the gateway with status 4xx that names {row.code}"
    read.refuse_unknown_way(exchange)
    if read.location(exchange) or read.shows(exchange, goes_on) or answer.status >= 500:
        yield Finding(expected=expected, observed=read.described(exchange))
        return
    if answer.status < 400 and read.page(exchange).has_form:
        raise CannotJudgeError(f"is this a refusal? no action of the recipe recognises {read.described(exchange)}")
    if not answer.body.strip():
        yield Finding(expected=expected, observed=f"status {answer.status} with nothing that tells the person why")
        return
    if answer.status < 400 or "html" not in answer.media_type:
        observed = f"status {answer.status} and {answer.media_type or 'no media type'}"
        yield Finding(expected=expected, observed=observed, outcome=Outcome.WARNING, reading="AMB.64")
    if not any(code in answer.text for code in (row.code, *row.tolerated)):
        observed = f"a page that does not name {row.code}"
        yield Finding(expected=expected, observed=observed, outcome=Outcome.WARNING, reading="AMB.3")


def _is_equivalent(address: str, given: str) -> bool:
    """Whether an address is the given one but for what is added to its query, for a client that normalises it (RFC 3986, 6.2.2)."""
    try:
        one, other = urlsplit(address), urlsplit(given)
        return (one.hostname, one.port or 443, _plain(one.path)) == (other.hostname, other.port or 443, _plain(other.path))
    except ValueError:
        return False


def _plain(path: str) -> str:
    """A path without percent-encoding and dot segments (RFC 3986, 5.2.4)."""
    kept: list[str] = []
    for segment in unquote(path).split("/"):
        if segment == "..":
            kept = kept[:1] + kept[1:-1]
        elif segment != ".":
            kept.append(segment)
    return "/".join(kept)


def _is_same_address(address: str, forbidden: str, base: str) -> bool:
    """Whether a browser that follows ``address`` ends where ``forbidden`` points, also when both are relative."""
    if not forbidden:
        return False
    try:
        one, other = urlsplit(urljoin(base, address.strip())), urlsplit(urljoin(base, forbidden.strip()))
    except ValueError:
        return address.strip().startswith(forbidden.strip())
    if other.scheme in {"http", "https"}:
        return (one.scheme, one.netloc.lower(), one.path or "/") == (
            other.scheme,
            other.netloc.lower(),
            other.path or "/",
        )
    return address.strip().lower().startswith(forbidden.strip().lower())
