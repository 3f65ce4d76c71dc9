"""What a PGO gateway sends to the token endpoint and the FHIR server: UCI Verzamelen, steps 12 and 14."""

import re

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange, header
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

_FORM = "application/x-www-form-urlencoded"
_PATIENT = {"patient", "subject", "beneficiary", "_id"}
_OF_A_PATIENT = {"identifier", "name", "family", "given", "birthdate", "address", "telecom", "email", "phone"}
_SECRETS = {"client_secret", "client_assertion", "client_assertion_type", "password", "username"}


@check("UCI-V.step.12", "RFC6749.3.2a", then="the code is redeemed by a POST of a form", raw=True)
def token_request_is_a_form(token_request: Exchange) -> Findings:
    """The token request is a POST, its parameters are a form in the body, and its address has none of them."""
    kind = (header(token_request.request.headers, "content-type") or "").partition(";")[0].strip().lower()
    if token_request.request.method != "POST" or kind != _FORM:
        yield Finding(expected=f"POST of {_FORM}", observed=f"{token_request.request.method} of {kind or 'nothing'}")
    if "code" in dict(oauth.decode(read.parts(token_request.request.url).query)):
        yield Finding(expected="the code in the body", observed="the code in the address")


@check("UCI-V.step.12", then="the token request has each of its parameters once, with the right values", raw=True)
def token_request_has_its_parameters(
    token_request: Exchange, authorization_request: Exchange, issued_code: str, gateway_hostname: str, release: Release
) -> Findings:
    """Grant type, code, the redirect URI of the authorization request and the client id: each once, and right."""
    request = authorization_request.request
    asked = dict(oauth.decode(read.parts(request.url).query)) | dict(oauth.decode(request.text))
    wanted = {
        "grant_type": release.grant_type,
        "code": issued_code,
        "redirect_uri": asked.get("redirect_uri", ""),
        "client_id": gateway_hostname,
    }
    given = [*oauth.decode(token_request.request.text), *oauth.decode(read.parts(token_request.request.url).query)]
    for name, value in wanted.items():
        found = [other for key, other in given if key == name]
        if [other.lower() if name == "client_id" else other for other in found] != [value]:
            yield Finding(expected=f"{name}={value}, once", observed=", ".join(found) or f"no {name}")


@check("UCI-V.step.12", then="the token request goes to the address of the ZAL", raw=True)
def token_request_goes_to_the_zal_address(token_request: Exchange, zal_token_endpoint: str) -> Findings:
    """The code goes to the token endpoint that the ZAL gives, and to no other."""
    if read.place(token_request.request.url) != read.place(zal_token_endpoint):
        yield Finding(expected=zal_token_endpoint, observed=token_request.request.url)


@check("RFC6749.2.3", then="the PGO shows no other proof of who it is than its certificate", raw=True)
def certificate_is_the_only_proof(token_request: Exchange) -> Findings:
    """There is no client secret, no password and no assertion in the token request."""
    given = {name for name, _ in oauth.decode(token_request.request.text)} & _SECRETS
    if given or header(token_request.request.headers, "authorization"):
        observed = ", ".join(sorted(given)) or "an Authorization header"
        yield Finding(expected="a certificate alone", observed=observed)


@check("APP.16", "NIB.A.10.1.1c", "UCI-V.step.12", then="the PGO shows its own certificate to the gateway", raw=True)
def back_channel_has_the_own_certificate(between: tuple[Exchange, ...], gateway_hostname: str) -> Findings:
    """Every token request and FHIR request comes with the certificate of the PGO's node."""
    for exchange in between:
        tls = exchange.tls
        if tls is None or not tls.certificate_presented:
            yield Finding(expected=f"the certificate of {gateway_hostname}", observed=f"no certificate ({exchange.label})")
        elif gateway_hostname not in tls.peer_names:
            observed = f"a certificate of {', '.join(tls.peer_names) or 'nobody'} ({exchange.label})"
            yield Finding(expected=f"the certificate of {gateway_hostname}", observed=observed)
        elif tls.peer_errors:
            observed = f"one that OpenSSL does not accept: {', '.join(tls.peer_errors)}"
            yield Finding(expected=f"a valid certificate of {gateway_hostname}", observed=observed)


@check("RFC6750.2.1a", "UCI-V.step.14", then="the token is sent in the header", raw=True)
def token_is_sent_in_the_header(resource_requests: tuple[Exchange, ...], issued_token: str) -> Findings:
    """Every FHIR request has the token in its Authorization header, as a bearer token."""
    for exchange in resource_requests:
        scheme, _, token = (header(exchange.request.headers, "authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or token.strip() != issued_token:
            observed = f"{scheme or 'no'} header in exchange {exchange.number}"
            yield Finding(expected="Authorization: Bearer, with the token that was issued", observed=observed)


@check("RFC6750.5.3g", then="the token is sent in the header alone", raw=True)
def token_is_sent_nowhere_else(resource_requests: tuple[Exchange, ...], issued_token: str) -> Findings:
    """No FHIR request has the token in its address or its body."""
    for exchange in resource_requests:
        if issued_token in exchange.request.url or issued_token in exchange.request.text:
            yield Finding(expected="no token in address or body", observed=f"the token, in exchange {exchange.number}")


@check("UCI-V.step.14", then="the data is asked for at the address of the ZAL", raw=True)
def data_is_asked_at_the_zal_address(resource_requests: tuple[Exchange, ...], zal_resource_endpoint: str) -> Findings:
    """Every FHIR request goes to the resource endpoint that the ZAL gives for the chosen pair."""
    for exchange in resource_requests:
        if not read.is_under(exchange.request.url, zal_resource_endpoint):
            yield Finding(expected=f"an address under {zal_resource_endpoint}", observed=exchange.request.url)


@check("APP.5", "UCI-V.step.14", then="no FHIR request says whose data it asks for", raw=True)
def fhir_requests_name_nobody(resource_requests: tuple[Exchange, ...]) -> Findings:
    """No FHIR request has a search parameter that names a patient."""
    for exchange in resource_requests:
        url = read.parts(exchange.request.url)
        given = [*oauth.decode(url.query), *oauth.decode(exchange.request.text)]
        telling = _PATIENT | (_OF_A_PATIENT if url.path.removesuffix("/_search").endswith("/Patient") else set())
        naming = sorted({name for name, _ in given if re.split(r"[.:]", name.lower())[0] in telling})
        if naming:
            yield Finding(expected="no parameter that names a patient", observed=", ".join(naming), reading="AMB.36")


@check("JUR.12", "APP.5", then="the BSN of the person is nowhere between the gateways", raw=True)
def bsn_is_nowhere(between: tuple[Exchange, ...], bsns: tuple[str, ...]) -> Findings:
    """No token request and no FHIR request holds the BSN of the person, in whatever encoding."""
    for exchange in between:
        headers = " ".join(value for _, value in exchange.request.headers)
        for how in read.bsn_forms(f"{exchange.request.url} {headers} {exchange.request.text}", bsns):
            yield Finding(expected="no BSN", observed=f"a BSN, as {how}, in exchange {exchange.number}", reading="AMB.56")


@check("REL.1", then="the PGO only reads", raw=True)
def pgo_only_reads(resource_requests: tuple[Exchange, ...]) -> Findings:
    """Every FHIR request reads: a GET, or a search by POST. What an operation does when it is posted cannot be seen."""
    for exchange in resource_requests:
        last = read.parts(exchange.request.url).path.rpartition("/")[2]
        if exchange.request.method in {"GET", "HEAD"} or (exchange.request.method == "POST" and last == "_search"):
            continue
        operation = exchange.request.method == "POST" and last.startswith("$")
        observed = f"{exchange.request.method} {exchange.request.url}"
        outcome = Outcome.WARNING if operation else Outcome.FAIL
        yield Finding(expected="GET, or POST of a search", observed=observed, outcome=outcome)


@check("APP.R6", "APP.16", then="the gateway itself redeems the code and asks for the data", raw=True)
def roles_are_as_oauth_has_them(between: tuple[Exchange, ...], authorization_request: Exchange) -> Findings:
    """The PGO gateway redeems the code and asks for the data itself; the browser only carries the request."""
    if authorization_request.tls is None:
        raise CannotJudgeError("nothing is known of the browser's connection")
    for exchange in between:
        # Sec-Fetch-Mode proves nothing: HTTP clients of servers send it too.
        agent = header(exchange.request.headers, "origin") or header(exchange.request.headers, "sec-fetch-site")
        if agent:
            yield Finding(expected="a request of the gateway", observed=f"one of a browser, in exchange {exchange.number}")
