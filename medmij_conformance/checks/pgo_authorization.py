"""What a PGO gateway sends to the authorization endpoint by way of the person's browser: UCI Verzamelen, step 2."""

from urllib.parse import unquote

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange, Observation, header_values
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

_BITS = 128  # RFC 6749 10.10: the chance of guessing is at most 2^-128
_SAMPLE = 5


@check("UCI-V.step.2", then="the PGO sends the browser to the address of the ZAL")
def browser_is_sent_to_the_zal_address(authorization_request: Exchange, zal_authorization_endpoint: str) -> Findings:
    """The authorization request goes to the authorization endpoint that the ZAL gives for the chosen pair."""
    if read.place(authorization_request.request.url) != read.place(zal_authorization_endpoint):
        yield Finding(expected=zal_authorization_endpoint, observed=authorization_request.request.url.partition("?")[0])


@check("RFC6749.3.1c", then="the query of the endpoint in the ZAL is kept")
def query_of_the_endpoint_is_kept(authorization_request: Exchange, zal_authorization_endpoint: str) -> Findings:
    """A query in the address of the ZAL stands in the request as it was, next to the parameters of OAuth."""
    wanted = oauth.decode(read.parts(zal_authorization_endpoint).query)
    if not wanted:
        raise CannotJudgeError("no offer of the target file has an authorization_endpoint with a query")
    found = oauth.decode(read.parts(authorization_request.request.url).query)
    missing = [f"{name}={value}" for name, value in wanted if (name, value) not in found]
    if missing or authorization_request.request.url.count("?") > 1:
        observed = f"without {', '.join(missing)}" if missing else "an address with two question marks"
        yield Finding(expected=f"an address with {read.parts(zal_authorization_endpoint).query}", observed=observed)


@check("UCI-V.step.2", then="the authorization request has each of its parameters once")
def authorization_request_has_its_parameters(authorization_request: Exchange, release: Release) -> Findings:
    """Every parameter of the authorization request is there, once, and not empty."""
    given = _given(authorization_request)
    for name in release.request_parameters:
        values = [value for key, value in given if key == name]
        if len(values) != 1 or not values[0]:
            observed = f"{len(values)} times" if len(values) != 1 else "empty"
            yield Finding(expected=f"{name} once, with a value", observed=f"{name} {observed}")


@check("APP.6", then="the authorization request asks for a code")
def response_type_is_that_of_a_code(authorization_request: Exchange, release: Release) -> Findings:
    """The response type is that of the authorization code grant, and no other."""
    found = _value(authorization_request, "response_type")
    if found != release.response_type:
        yield Finding(expected=f"response_type={release.response_type}", observed=f"response_type={found}")


@check("GRD.P1", then="the PGO names itself by its node name")
def client_id_is_the_node_name(authorization_request: Exchange, gateway_hostname: str) -> Findings:
    """The client id is the host name of the Whitelist: the only name that a ZA gateway can know without having met the PGO."""
    found = _value(authorization_request, "client_id")
    if found.lower() != gateway_hostname:
        yield Finding(expected=f"client_id={gateway_hostname}", observed=f"client_id={found}", reading="AMB.18")


@check("APP.15a", "RFC6749.3.1.2", then="the redirect URI is a full https address of the PGO")
def redirect_uri_is_full_and_own(authorization_request: Exchange, gateway_hostname: str, gateway_redirect_uri: str) -> Findings:
    """The redirect URI is absolute, https, on the PGO's own host, and has no fragment."""
    found = _value(authorization_request, "redirect_uri")
    own = {gateway_hostname, read.parts(gateway_redirect_uri).hostname}
    host = read.place(found)[0].partition(":")[0] if found.isprintable() else ""
    if not found.lower().startswith("https://") or host not in own or "#" in found:
        yield Finding(expected=f"a full https address on {gateway_hostname}, without a fragment", observed=found or "nothing")


@check("P&I.4", then="the scope is the one data service that was chosen")
def scope_is_the_chosen_service(authorization_request: Exchange, wanted_scopes: tuple[str, ...]) -> Findings:
    """The scope holds exactly one value: the data service that the person chose."""
    found = _value(authorization_request, "scope")
    if found not in wanted_scopes:
        yield Finding(expected=f"scope={' or '.join(wanted_scopes)}", observed=f"scope={found}", reading="AMB.19")


@check("UCI-V.step.2", then="nothing in the authorization request tells who the person is")
def authorization_request_tells_nobody(authorization_request: Exchange) -> Findings:
    """No parameter for a person's data stands in the authorization request."""
    telling = sorted({name for name, _ in _given(authorization_request)} & _PERSONAL)
    if telling:
        yield Finding(expected="no parameter about the person", observed=", ".join(telling))


@check("JUR.12", "UCI-V.step.2", then="the authorization request holds no BSN")
def authorization_request_holds_no_bsn(authorization_request: Exchange, bsns: tuple[str, ...]) -> Findings:
    """The BSN of the person stands nowhere in the authorization request, in whatever encoding."""
    for how in read.bsn_forms(f"{authorization_request.request.url} {authorization_request.request.text}", bsns):
        yield Finding(expected="no BSN", observed=f"the BSN of the person, as {how}", reading="AMB.56")


_PERSONAL = {"login_hint", "id_token_hint", "bsn", "patient", "patient_id", "sub", "username", "email", "birthdate"}


@check("APP.R2", then="her own browser opens the authorization endpoint, and nobody else")
def only_the_browser_opens_the_endpoint(authorization_requests: tuple[Exchange, ...], browsed: tuple[Exchange, ...]) -> Findings:
    """The authorization endpoint is opened by the person's browser alone: the PGO gateway itself never asks for it."""
    place, query = read.place(authorization_requests[0].request.url), authorization_requests[0].request.url.partition("?")[2]
    opened = [exchange.request.url for exchange in read.answers(browsed)]
    own = [url for url in opened if (read.place(url), url.partition("#")[0].partition("?")[2]) == (place, query)]
    if not own:
        raise CannotJudgeError("the browser is not ours, so it is not known what it opened")
    if len(authorization_requests) > len(own):
        yield Finding(
            expected="one request, of the browser", observed=f"{len(authorization_requests)} requests, {len(own)} of them its"
        )
    if any(e.tls and e.tls.certificate_presented for e in authorization_requests):
        yield Finding(expected="a browser without a client certificate", observed="a client certificate was shown")


@check("UCI-V.step.2", "RFC6819.4.4.1.8a", then="no two states are alike")
def states_differ(states: Observation) -> Findings:
    """Every authorization request has a state of its own."""
    count, distinct = states.facts["count"], states.facts["distinct"]
    if count < _SAMPLE:
        raise CannotJudgeError(f"only {count} states were seen")
    if distinct < count:
        yield Finding(expected=f"{count} different states", observed=f"{distinct} different ones")


@check("RFC6819.4.4.1.8a", then="a state cannot be guessed")
def state_is_long_enough(states: Observation) -> Findings:
    """What varies in a state has room for 128 bits."""
    count, bits = states.facts["count"], states.facts["bits"]
    if count < _SAMPLE:
        raise CannotJudgeError(f"only {count} states were seen")
    if bits < _BITS:
        observed = f"at most {bits:.0f} bits: the characters that vary, times the logarithm of their alphabet"
        yield Finding(expected=f"room for {_BITS} bits", observed=observed, outcome=Outcome.WARNING)


@check("RFC6749.3.1.2.5", then="the address of the last page holds no code")
def code_leaves_the_address_bar(last_page: Exchange, issued_code: str) -> Findings:
    """The PGO sends the browser on to an address without the code."""
    if last_page.endpoint in {"said", "told"}:
        raise CannotJudgeError("the browser is not ours, so it is not known which address it shows")
    if issued_code in last_page.request.url:
        yield Finding(expected="an address without the code", observed="the code stands in the address of the page")


@check("RFC6750.5.3d", then="no cookie of the PGO holds a code or a token")
def pgo_cookies_hold_no_credential(browsed: tuple[Exchange, ...], issued_code: str, issued_token: str) -> Findings:
    """Cookies hold neither code nor token, and had better travel over https alone."""
    for exchange in browsed:
        for value in header_values(exchange.response.headers, "set-cookie") if exchange.response else ():
            name = value.partition("=")[0]
            if issued_code in unquote(value) or issued_token in unquote(value):
                yield Finding(expected="a cookie without code or token", observed=name)
            # Whose cookie it is (of the session, or of a load balancer) cannot be seen, so that it lacks Secure is no failure.
            if "secure" not in {part.strip().lower() for part in value.split(";")[1:]}:
                yield Finding(expected="a cookie with Secure", observed=f"{name} without it", outcome=Outcome.WARNING)


@check("RFC6750.5.3g", "APP.16", then="the browser never sees the token")
def browser_never_sees_the_token(browsed: tuple[Exchange, ...], issued_token: str) -> Findings:
    """The token stands in no address that the browser opens, and in no page that it gets."""
    for exchange in browsed:
        if issued_token in exchange.request.url or (exchange.response and issued_token in exchange.response.text):
            yield Finding(expected="no token in the browser", observed=f"the token, in exchange {exchange.number}")


def _given(exchange: Exchange) -> list[tuple[str, str]]:
    return [*oauth.decode(read.parts(exchange.request.url).query), *oauth.decode(exchange.request.text)]


def _value(exchange: Exchange, name: str) -> str:
    """The one value of a parameter. Raises ``CannotJudgeError`` when it does not stand there once: another check says so."""
    values = [value for key, value in _given(exchange) if key == name]
    if len(values) != 1:
        raise CannotJudgeError(f"{name} stands {len(values)} times in the authorization request")
    return values[0]
