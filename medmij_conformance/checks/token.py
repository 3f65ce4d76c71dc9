"""The token endpoint: what a code is worth, to whom, and once. UCI-V.step.12 and 13, UCI-V.exc.6."""

import math

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange, Observation, header_values
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

Exchanges = tuple[Exchange, ...]


# ---------------------------------------------------------------------------------------------------- codes and tokens


@check("APP.11a", "RFC4122.a", then="every code is a version 4 UUID")
def code_is_uuid4(codes: tuple[str, ...], release: Release) -> Findings:
    """Authorization codes have the form that the release prescribes: version 4 UUIDs in lower case."""
    yield from _in_form(codes, "a code", release.code.format)


@check("APP.11a", "RFC4122.a", then="every token is a version 4 UUID")
def token_is_uuid4(tokens: tuple[str, ...], release: Release) -> Findings:
    """Access tokens have the form that the release prescribes: version 4 UUIDs in lower case."""
    yield from _in_form(tokens, "a token", release.token.format)


@check("RFC4122.c", then="the codes and tokens look random")
def credentials_look_random(bits: Observation) -> Findings:
    """No bit of the codes and tokens, but for version and variant, leans to one side, and they do not come in order.

    A random source trips this once in a thousand million runs: the bounds are exact binomial tails at 1e-9 over all bits.
    """
    facts = bits.facts
    values, ones = int(facts["values"]), list(facts["ones"])
    least = _least_expected(values, 1e-9 / len(ones))
    if least == 0:
        raise CannotJudgeError(f"{values} values are too few to tell")
    for place, count in enumerate(ones):
        if not least <= count <= values - least:
            observed = f"bit {place} is set in {count} of {values}"
            yield Finding(expected=f"every bit set in {least} to {values - least} of {values} values", observed=observed)
            return
    if facts["ordered"]:
        yield Finding(expected="no order", observed="every value is larger than the one before, or smaller")


@check("APP.12b", then="only one of the simultaneous offers yields a token")
def simultaneous_offers_yield_one_token(race: Exchanges) -> Findings:
    """When a code is offered many times at once, at most one offer yields a token."""
    granted = [exchange.number for exchange in race if "access_token" in read.members(exchange)]
    if len(granted) > 1:
        yield Finding(expected="one token", observed=f"{len(granted)} tokens (exchanges {granted})")
    elif not granted:
        raise CannotJudgeError("none of the offers yielded a token")


@check("APP.11b", then="no code and no token is issued twice")
def credentials_are_unique(codes: tuple[str, ...], tokens: tuple[str, ...]) -> Findings:
    """Within the codes and within the tokens no value occurs twice; a code that equals a token is the other reading."""
    for kind, values in (("code", codes), ("token", tokens)):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            yield Finding(expected=f"{len(values)} different {kind}s", observed=f"{twice[0]} more than once")
    both = sorted(set(codes) & set(tokens))
    if both:
        observed = f"{both[0]} is a code and a token"
        yield Finding(expected="no code that is a token", observed=observed, outcome=Outcome.WARNING, reading="AMB.25")


# -------------------------------------------------------------------------------------------------- the token response


@check("UCI-V.step.13", "RFC6749.5.1a", "APP.R6", then="the gateway issues a token", accepts="token")
def token_is_issued(token_response: Exchange) -> Findings:
    """A right token request is answered with 200 and a JSON object that has an access token."""
    members = read.members(token_response)
    if token_response.status != 200 or not isinstance(members.get("access_token"), str) or not members["access_token"]:
        yield Finding(expected="status 200 and JSON with an access_token", observed=_answer(token_response))


@check("APP.7", "RFC6749.5.1a", then="the token is a bearer token")
def token_is_a_bearer_token(token_response: Exchange, release: Release) -> Findings:
    """The token type is that of the release, in whatever case."""
    kind = _granted(token_response).get("token_type")
    if not isinstance(kind, str) or kind.lower() != release.token_type.lower():
        yield Finding(expected=f"token_type {release.token_type}", observed=f"token_type {kind!r}")


@check("APP.10", "RFC6749.5.1a", then="the token's lifetime is stated rightly")
def stated_lifetime_is_right(token_response: Exchange, release: Release) -> Findings:
    """``expires_in``, where it is given, is the lifetime that the release fixes; leaving it out is not recommended."""
    members = _granted(token_response)
    wanted = release.token.lifetime_s
    if "expires_in" not in members:
        yield Finding(expected=f"expires_in {wanted}", observed="no expires_in", outcome=Outcome.WARNING)
    elif members["expires_in"] not in (wanted, str(wanted)) or isinstance(members["expires_in"], bool):
        yield Finding(expected=f"expires_in {wanted}", observed=f"expires_in {members['expires_in']!r}", reading="AMB.22")


@check("APP.10", "RFC6749.5.1a", then="there is no refresh token")
def no_refresh_token_is_issued(token_response: Exchange, release: Release) -> Findings:
    """Where the release has no refresh tokens, none is issued."""
    members = _granted(token_response)
    if not release.refresh_tokens and "refresh_token" in members:
        yield Finding(expected="no refresh_token", observed="a refresh_token")


@check("RFC6749.3.3a", then="the token's scope is the one that was asked for")
def granted_scope_is_the_requested_one(token_response: Exchange, scope: str) -> Findings:
    """The scope of the response is absent or equal to that of the request."""
    granted = _granted(token_response).get("scope", scope)
    if granted != scope:
        yield Finding(expected=f"scope {scope}", observed=f"scope {granted!r}")


@check("RFC6749.5.1b", then="the token response is not to be stored")
def token_response_is_not_stored(token_response: Exchange) -> Findings:
    """A response with a token is JSON and says no-store; Pragma: no-cache is there for old caches."""
    _granted(token_response)
    answer = read.response(token_response)
    if answer.media_type != "application/json":
        yield Finding(expected="Content-Type application/json", observed=answer.media_type or "no Content-Type")
    if "no-store" not in ",".join(header_values(answer.headers, "cache-control")).lower():
        observed = answer.header("cache-control") or "no Cache-Control"
        yield Finding(expected="Cache-Control: no-store", observed=observed)
    if "no-cache" not in ",".join(header_values(answer.headers, "pragma")).lower():
        yield Finding(expected="Pragma: no-cache", observed="no such header", outcome=Outcome.WARNING)


@check("RFC6749.3.2a", then="the gateway ignores the token parameters it does not know", twin="token", contrast=True)
def unknown_token_parameters_are_ignored(token_response: Exchange) -> Findings:
    """A token request with an unknown parameter yields a token, as without it."""
    if (token_response.status or 0) >= 400:
        yield Finding(expected="a token, as without the parameter", observed=_answer(token_response))
    else:
        _granted(token_response)


# --------------------------------------------------------------------------------------------------------- refusals


@check("APP.12b", "UCI-V.exc.6", "UC-V.exc.6", then="the used code is refused", twin="token")
def used_code_is_refused(token_response: Exchange, release: Release) -> Findings:
    """A code that was redeemed once yields no second token: exception 6."""
    yield from code_refusal(token_response, release)


@check("UCI-V.exc.6", "UC-V.exc.6", then="the unknown code is refused", twin="token")
def unknown_code_is_refused(token_response: Exchange, release: Release) -> Findings:
    """A code that the gateway never issued is refused: exception 6."""
    yield from code_refusal(token_response, release)


@check("UCI-V.exc.6", "UC-V.exc.6", then="the malformed code is refused", twin="token")
def malformed_code_is_refused(token_response: Exchange, release: Release) -> Findings:
    """A code that is no UUID is refused: exception 6; calling the request invalid is the other reading."""
    yield from code_refusal(token_response, release, tolerated=("invalid_request",))


@check("UCI-V.exc.6", "UC-V.exc.6", then="a token is no code", twin="token")
def token_is_no_code(token_response: Exchange, release: Release) -> Findings:
    """An access token that is offered as a code is a code that was never issued: exception 6."""
    yield from code_refusal(token_response, release)


@check("APP.13", then="the code of another client is refused", twin="token")
def code_of_another_client_is_refused(token_response: Exchange, release: Release) -> Findings:
    """A code yields a token to the client that it was made for, and to no other listed client."""
    yield from code_refusal(token_response, release, right=("invalid_client",))


@check("RFC6749.3.2.1", then="the borrowed client id is refused", twin="token")
def borrowed_client_id_is_refused(token_response: Exchange, release: Release) -> Findings:
    """The certificate tells who the client is: the client id of another does not make it that other."""
    yield from code_refusal(token_response, release, right=("invalid_client",))


@check("RFC6749.4.1.3b", then="the other redirect URI is refused", twin="token")
def other_redirect_uri_is_refused(token_response: Exchange, release: Release) -> Findings:
    """A token request whose redirect URI differs from the authorization request's yields no token."""
    yield from code_refusal(token_response, release)


@check("RFC6749.4.1.3b", then="the token request without a redirect URI is refused", twin="token")
def absent_redirect_uri_is_refused(token_response: Exchange, release: Release) -> Findings:
    """A token request without the redirect URI yields no token."""
    yield from code_refusal(token_response, release, right=("invalid_request",))


@check("APP.12b", then="the code is used up by the failed offer", twin="token")
def failed_offer_uses_the_code_up(first_offer: Exchange, token_response: Exchange, release: Release) -> Findings:
    """A code that its own client offered once in vain is used up."""
    read.refuse_trouble_of_the_server(first_offer)
    yield from code_refusal(token_response, release, reading="AMB.60")


@check("APP.12b", then="the code is used up by the offer of another", twin="token")
def offer_of_another_uses_the_code_up(first_offer: Exchange, token_response: Exchange) -> Findings:
    """A code that another client offered is used up too; letting it live is the other reading, since it cannot be voided so."""
    read.refuse_trouble_of_the_server(first_offer)
    read.refuse_trouble_of_the_server(token_response)
    if "access_token" in read.members(token_response):
        yield Finding(expected="no token", observed="a token", outcome=Outcome.WARNING, reading="AMB.60")


@check("APP.6", then="the other grant type yields no token", twin="token")
def other_grant_type_is_refused(token_response: Exchange, release: Release) -> Findings:
    """Only the grant type of the release yields a token."""
    yield from code_refusal(token_response, release, right=("unsupported_grant_type", "unauthorized_client", "invalid_request"))


@check("RFC6749.3.2a", then="the token request in another form yields no token", twin="token")
def token_request_in_another_form_is_refused(token_response: Exchange) -> Findings:
    """A token request by GET, with a JSON body or with a parameter given twice yields no token, but a status that refuses."""
    read.refuse_trouble_of_the_server(token_response)
    if "access_token" in read.members(token_response) or (token_response.status or 0) < 400:
        yield Finding(expected="no token", observed=_answer(token_response))


@check("RFC6749.5.2a", then='the error "{error}" has the form of the token endpoint', twin="token")
def token_error_is_well_formed(token_response: Exchange, error: str) -> Findings:
    """Errors are JSON with the code of RFC 6749 5.2, status 400 (401 for the client), and are not stored."""
    answer = read.response(token_response)
    wanted = error.split(" or ")
    found = read.members(token_response).get("error")
    if answer.media_type != "application/json" or found not in wanted:
        yield Finding(expected=f"JSON with error {error}", observed=_answer(token_response))
    elif answer.status != 400 and not (answer.status == 401 and found == "invalid_client"):
        yield Finding(expected="status 400", observed=f"status {answer.status}")
    elif "no-store" not in (answer.header("cache-control") or "").lower():
        yield Finding(expected="Cache-Control: no-store", observed=answer.header("cache-control") or "no Cache-Control")


def _least_expected(values: int, alarm: float) -> int:
    """The smallest count of heads in ``values`` fair tosses that is not rarer than ``alarm``, both tails together."""
    tail, count = 0.0, 0
    while True:
        tail += math.comb(values, count) / 2**values
        if 2 * tail > alarm:
            return count
        count += 1


def _in_form(values: tuple[str, ...], what: str, form: str) -> Findings:
    for value in values:
        if oauth.is_uuid4(value):
            continue
        upper = oauth.is_uuid4(value.lower())
        yield Finding(
            expected=f"{what} in the form {form}, in lower case",
            observed=value or "an empty value",
            outcome=Outcome.WARNING if upper else Outcome.FAIL,
            hint="upper case" if upper else "",
        )


def _granted(exchange: Exchange) -> dict[str, object]:
    members = read.members(exchange)
    if exchange.status != 200 or not isinstance(members.get("access_token"), str):
        raise CannotJudgeError(f"no token was issued: {_answer(exchange)}")
    return members


def _answer(exchange: Exchange) -> str:
    answer = read.response(exchange)
    return f"status {answer.status} with {answer.text[:200]!r}"


def code_refusal(
    exchange: Exchange,
    release: Release,
    *,
    right: tuple[str, ...] = (),
    tolerated: tuple[str, ...] = (),
    reading: str = "",
) -> Findings:
    """No token, the status of the exception (401 is for an invalid client alone) and JSON with a right error code."""
    row = release.exception(6)
    answer, members = read.response(exchange), read.members(exchange)
    codes = right or (row.code,)
    expected = f"status {row.statuses[0]} and JSON with error {' or '.join((*codes, row.code) if right else codes)}"
    error = members.get("error")
    if "access_token" in members:
        yield Finding(expected=expected, observed="a token", reading=reading)
    elif error in tolerated:
        yield Finding(expected=expected, observed=f"error {error}", outcome=Outcome.WARNING, reading=reading)
    elif error not in (*codes, row.code):
        yield Finding(expected=expected, observed=_answer(exchange), hint=read.near_miss(error, row.code), reading=reading)
    elif answer.status not in row.statuses and not (answer.status == 401 and error == "invalid_client"):
        yield Finding(expected=expected, observed=_answer(exchange), reading=reading)
