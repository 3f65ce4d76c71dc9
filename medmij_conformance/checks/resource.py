"""The resource endpoint: data for the right token, and for no other. UCI-V.step.14 and 15, UCI-V.exc.7 and 8."""

import re
from urllib.parse import urljoin, urlsplit

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import fhir, oauth
from medmij_conformance.requirements import ProtocolException, Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

Exchanges = tuple[Exchange, ...]
PATIENCE_S = 60
"""Seconds in which a gateway has to say that its source does not answer."""
_TOO_MANY = 429  # no source that fails is the cause of it


@check("UCI-V.step.15", "OVK.2.2", "P&I.5", then="the gateway delivers the data", accepts="resource")
def data_is_delivered(resource_response: Exchange) -> Findings:
    """A right FHIR request with a valid token is answered with 200 and a FHIR resource."""
    kind = fhir.resource_type(read.response(resource_response).body)
    if resource_response.status != 200 or kind in (None, "OperationOutcome"):
        observed = f"status {resource_response.status} with {kind or 'no FHIR resource'}"
        yield Finding(expected="status 200 with a FHIR resource", observed=observed)


@check("JUR.9", then="the data is structured and machine-readable")
def data_is_machine_readable(resource_response: Exchange) -> Findings:
    """The answer says that it is FHIR in JSON or XML, and it is."""
    answer = read.response(resource_response)
    if answer.media_type not in fhir.MEDIA_TYPES or fhir.resource_type(answer.body) is None:
        yield Finding(expected="FHIR in JSON or XML", observed=f"{answer.media_type}: {answer.text[:80]!r}")


@check("APP.1", then="the data comes in the answer itself")
def data_comes_at_once(resource_response: Exchange) -> Findings:
    """Collecting is one synchronous session: no answer that promises the data for later."""
    if resource_response.status == 202:
        yield Finding(expected="the data, at once", observed="status 202: later")


@check("ARCJ.3", then="every address in the data is on the gateway")
def addresses_stay_on_the_gateway(resource_response: Exchange) -> Findings:
    """Links, full URLs and absolute references lead to the gateway's own host, not to a system behind it."""
    own = urlsplit(resource_response.request.url).hostname
    for address in fhir.urls(read.response(resource_response).body):
        host = urlsplit(urljoin(resource_response.request.url, address)).hostname
        if host != own:
            yield Finding(expected=f"addresses on {own}", observed=address)


@check("APP.2", then="the answer holds what was asked for")
def answer_is_of_the_kind_asked_for(resource_response: Exchange, resource_endpoint: str) -> Findings:
    """A search finds resources of the type that was searched for, an operation gives a Bundle, and a read its resource."""
    path = oauth.below(resource_response.request.url, resource_endpoint)
    asked, _, rest = path.partition("/")
    body = read.response(resource_response).body
    kind = fhir.resource_type(body)
    if resource_response.status != 200 or kind is None:
        raise CannotJudgeError(f"{path or 'nothing'} was asked for, and the answer is no resource")
    expected = "Bundle" if asked.startswith("$") or not rest or rest.startswith("$") else asked
    if kind != expected:
        yield Finding(expected=f"a {expected}", observed=f"a {kind}")
        return
    found = [] if asked.startswith("$") else fhir.entries(body)
    strange = sorted({name for name, mode in found if mode == "match" and name != asked})
    candidates = {name for name, mode in found if mode in {"match", ""}}  # the mode may be left out, also for what was included
    if strange or (candidates and asked not in candidates):
        yield Finding(expected=f"{asked} among the matches, and nothing else", observed=", ".join(strange or sorted(candidates)))


@check("APP.5", then="no identifier in the data is a BSN")
def bsn_elements_are_empty(resource_response: Exchange) -> Findings:
    """An identifier of the BSN naming system has no value, or says that it is masked."""
    for identifier in fhir.identifiers(read.response(resource_response).body):
        if identifier.system in fhir.BSN_SYSTEMS and identifier.value and not identifier.masked:
            observed = f"an identifier of {identifier.system} with a value"
            yield Finding(expected="no BSN, or a masked one", observed=observed, reading="AMB.56")


@check("APP.5", then="no number in the data looks like a BSN")
def no_number_looks_like_a_bsn(resource_response: Exchange) -> Findings:
    """No free-standing number of nine digits passes the eleven test; one that does is shown to a person."""
    found = fhir.bsn_like(read.response(resource_response).body)
    if found:
        observed = f"{len(found)} such numbers, the first in {found[0]}"
        yield Finding(expected="no number that could be a BSN", observed=observed, outcome=Outcome.WARNING, reading="AMB.56")


@check("RFC6750.2.1b", then="the scheme's case does not matter", twin="resource", contrast=True)
def scheme_is_case_insensitive(resource_response: Exchange) -> Findings:
    """The name of the authentication scheme may be written in any case."""
    status = resource_response.status
    if status in {400, 401, 403}:
        expected = "the data, as with Bearer"
        yield Finding(expected=expected, observed=f"status {status}", outcome=Outcome.WARNING)
    elif status != 200:
        raise CannotJudgeError(f"the FHIR request ended in status {status}, which says nothing about the scheme")


@check("UCI-V.step.15", then="the token works again within its lifetime")
def token_may_be_used_again(resource_response: Exchange, second_response: Exchange) -> Findings:
    """Within its lifetime a token serves several requests of one collection."""
    if resource_response.status != 200:
        raise CannotJudgeError(f"not even the first request was answered with data: status {resource_response.status}")
    if second_response.status != 200:
        yield Finding(expected="the data again", observed=f"status {second_response.status}", reading="AMB.24")


@check("UCI-V.step.15", then="each person gets her own data")
def persons_do_not_cross(
    resource_response: Exchange, second_response: Exchange, alone: Exchange, second_alone: Exchange
) -> Findings:
    """Two persons who collect at the same moment get what each of them got alone."""
    first, second = (set(fhir.identities(read.response(exchange).body)) for exchange in (alone, second_alone))
    for exchange, own, foreign in (
        (resource_response, first - second, second - first),
        (second_response, second - first, first - second),
    ):
        seen = set(fhir.identities(read.response(exchange).body))
        if crossed := sorted(seen & foreign):
            yield Finding(expected="nothing that the other person got alone", observed=crossed[0])
        elif not seen & own:
            raise CannotJudgeError("the ids in the data do not tell the persons apart, or are others at each request")


@check("P&I.4", "P&I.7", "META.8", then="every offer is served")
def every_offer_is_served(collected: Exchanges) -> Findings:
    """A collection of each offer, with the scope of its own data service, ends in a FHIR resource."""
    for exchange in collected:
        kind = fhir.resource_type(read.response(exchange).body)
        if exchange.endpoint != "resource" or exchange.status != 200 or kind in (None, "OperationOutcome"):
            where = urlsplit(exchange.request.url)
            observed = f"the {exchange.label} at {where.netloc}{where.path} ended in {read.described(exchange)}"
            yield Finding(expected="status 200 with a FHIR resource", observed=observed)


@check("APP.R3", "META.7", then="one host serves all of the gateway")
def one_host_serves_all(authorization_endpoint: str, token_endpoint: str, resource_endpoint: str) -> Findings:
    """The three endpoints of an offer are on one host."""
    hosts = {urlsplit(address).hostname for address in (authorization_endpoint, token_endpoint, resource_endpoint)}
    if len(hosts) > 1:
        yield Finding(expected="one host", observed=", ".join(sorted(host or "" for host in hosts)))


@check("P&I.7", "GRD.P1", then="the second PGO is served as well")
def every_listed_pgo_is_served(resource_response: Exchange, second_response: Exchange) -> Findings:
    """Two listed PGO gateways, never introduced, collect with the same result."""
    first = fhir.resource_type(read.response(resource_response).body)
    second = fhir.resource_type(read.response(second_response).body)
    if (resource_response.status, first) != (second_response.status, second):
        observed = f"for the second PGO the {second_response.label} ended in {read.described(second_response)}"
        yield Finding(expected=f"status {resource_response.status} with {first} for both", observed=observed)


# ------------------------------------------------------------------------------------------------------------ exception 7


@check("UCI-V.exc.7", "UC-V.exc.6", then="the unknown token is refused", twin="resource")
def unknown_token_is_refused(resource_response: Exchange, release: Release) -> Findings:
    """A token that the gateway never issued opens nothing: exception 7."""
    yield from token_refusal(resource_response, release.exception(7))


@check("UCI-V.exc.7", "UC-V.exc.6", then="the request without a token is refused", twin="resource")
def absent_token_is_refused(resource_response: Exchange, release: Release) -> Findings:
    """Without a token nothing opens: exception 7."""
    yield from token_refusal(resource_response, release.exception(7))


@check("RFC6750.3a", then='the challenge names the error "{error}"', twin="resource")
def challenge_names_the_error(resource_response: Exchange, error: str) -> Findings:
    """The challenge says why: with which error a token was refused, and none when there was no token at all."""
    answer = read.response(resource_response)
    if answer.status < 400:
        raise CannotJudgeError(f"there is no refusal: status {answer.status}")
    challenge = answer.header("www-authenticate") or ""
    found = challenge_error(challenge)
    if found != (error if error != "none" else ""):
        expected = "a challenge without an error" if error == "none" else f'a challenge with error="{error}"'
        observed = challenge or "no challenge"
        yield Finding(expected=expected, observed=observed, outcome=Outcome.WARNING, reading="AMB.45")


@check("RFC6750.3a", then="the refusal is a Bearer challenge", twin="resource")
def refusal_carries_a_challenge(resource_response: Exchange) -> Findings:
    """A refusal carries WWW-Authenticate: Bearer; without it, the FHIR answer alone is the other reading."""
    if (resource_response.status or 0) < 400:
        raise CannotJudgeError(f"there is no refusal: status {resource_response.status}")
    challenge = read.response(resource_response).header("www-authenticate") or ""
    if challenge.partition(" ")[0].lower() != "bearer":
        yield Finding(
            expected="WWW-Authenticate: Bearer",
            observed=challenge or "no challenge",
            outcome=Outcome.WARNING,
            reading="AMB.45",
        )


@check("APP.9", then="the token opens no other data service", twin="resource")
def token_opens_one_service(resource_response: Exchange, release: Release) -> Findings:
    """A token for one data service is refused at another of the same care provider: exception 7."""
    yield from token_refusal(resource_response, release.exception(7), statuses=(403,))


@check("UCI-V.step.15", "RFC6750.5.3f", then="the token opens no other care provider", twin="resource")
def token_opens_one_provider(resource_response: Exchange, release: Release) -> Findings:
    """A token for one care provider is refused at another behind the same gateway."""
    yield from token_refusal(resource_response, release.exception(7), statuses=(403,))


@check("UCI-V.exc.7", then="the token of another client is refused", twin="resource")
def token_of_another_client_is_refused(resource_response: Exchange, release: Release) -> Findings:
    """A token that another listed client brings is refused; serving it is the other reading, since it is a bearer token."""
    held = fhir.resources(read.response(resource_response).body)
    if held:
        yield Finding(expected="a refusal", observed=f"data ({held[0]})", outcome=Outcome.WARNING)
        return
    yield from token_refusal(resource_response, release.exception(7), statuses=(403,))


@check("RFC6749.4.1.2b", then="the token of the reused code is revoked", twin="resource")
def token_of_a_reused_code_is_revoked(resource_response: Exchange, release: Release) -> Findings:
    """When a code is used again, the token that it gave is revoked."""
    yield from token_refusal(resource_response, release.exception(7))


@check("UCI-V.exc.7", "UC-V.exc.6", then="a code is no token", twin="resource")
def code_is_no_token(resource_response: Exchange, release: Release) -> Findings:
    """An authorization code opens nothing at the resource endpoint."""
    yield from token_refusal(resource_response, release.exception(7))


@check("RFC6750.2.1b", then="a scheme that is not Bearer opens nothing", twin="resource")
def other_scheme_is_refused(resource_response: Exchange) -> Findings:
    """A valid token under the name of another authentication scheme is no bearer token."""
    yield from _refused(resource_response)


@check("RFC6750.2x", then="the token in the body is refused", twin="resource")
def token_in_the_body_is_refused(resource_response: Exchange) -> Findings:
    """A token in a form is not accepted."""
    yield from _refused(resource_response)


@check("RFC6750.2x", then="the token in the address is refused", twin="resource")
def token_in_the_address_is_refused(resource_response: Exchange) -> Findings:
    """A token in the query of the address is not accepted."""
    yield from _refused(resource_response)


@check("RFC6750.2x", then="the token given twice is refused", twin="resource")
def token_given_twice_is_refused(resource_response: Exchange) -> Findings:
    """A request that gives the token in header and query is malformed; a refusal by another status than 400 is a warning."""
    refused = False
    for finding in _refused(resource_response):
        yield finding
        refused = True
    if not refused and resource_response.status != 400:
        yield Finding(expected="status 400", observed=f"status {resource_response.status}", outcome=Outcome.WARNING)


@check("UCI-V.step.15", then="Roos does not get the data of another person", twin="resource")
def data_of_another_person_is_withheld(resource_response: Exchange, foreign_id: str) -> Findings:
    """A token of one person opens no resource of another, not even by its id."""
    read.refuse_trouble_of_the_server(resource_response)
    answer = read.response(resource_response)
    if foreign_id in fhir.identities(answer.body):
        yield Finding(expected="a refusal or nothing", observed=f"a resource of the other person ({foreign_id})")


@check("REL.1", then="the attempt to write is refused", twin="resource")
def writing_is_refused(resource_response: Exchange) -> Findings:
    """Collecting only reads: an attempt to create a resource is refused."""
    status = resource_response.status or 0
    if status < 400 or status >= 500:
        yield Finding(expected="a refusal with status 4xx", observed=f"status {status}")


# ------------------------------------------------------------------------------------------------------------ exception 8


@check("UCI-V.exc.8", "UC-V.exc.6", then="exception 8 is reported in FHIR", twin="resource", raw=True)
def unreachable_source_is_reported(resource_response: Exchange, release: Release) -> Findings:
    """When the systems behind the gateway do not answer, the answer is an OperationOutcome with the code of exception 8.

    No answer at all within a minute is none of that; a shorter wait says nothing. A status such as a balancer gives is just what a
    gateway without this exception shows; the request was made again then, and this is the second answer.
    """
    row = release.exception(8)
    waited = resource_response.finished - resource_response.started
    if resource_response.trouble and resource_response.trouble.kind == "timeout" and waited >= 0.95 * PATIENCE_S:
        yield Finding(expected=f"an OperationOutcome with code {row.code}", observed=f"no answer in {waited:.0f} s")
        return
    answer = read.response(resource_response)
    found = fhir.issues(answer.body)
    if answer.status == _TOO_MANY and not found:
        read.refuse_load_shedding(resource_response)
    if answer.status == 200 and fhir.resource_type(answer.body) == "Bundle" and (told := [i for i in found if i.code == row.code]):
        yield from _told_beside_the_data(told)
        return
    expected = f"an OperationOutcome with code {row.code}, severity error or fatal"
    if fhir.resources(answer.body) and not found:
        yield Finding(expected=expected, observed="data, as if it were complete")
        return
    yield from _issue(row, expected, found, answer.status)


def _told_beside_the_data(told: list[fhir.Issue]) -> Findings:
    """An OperationOutcome as an entry of a Bundle that is delivered: there it is a warning, since the answer is none by itself."""
    if all(issue.severity != "warning" for issue in told):
        expected = "severity warning in an outcome that is an entry of a Bundle"
        yield Finding(expected=expected, observed=told[0].severity, outcome=Outcome.WARNING, reading="AMB.55")


def _refused(resource_response: Exchange) -> Findings:
    read.refuse_trouble_of_the_server(resource_response)
    held = fhir.resources(read.response(resource_response).body)
    if (resource_response.status or 0) < 400 or held:
        observed = f"status {resource_response.status}" + (f" with data ({held[0]})" if held else "")
        yield Finding(expected="a refusal with status 4xx and without data", observed=observed)


def challenge_error(challenge: str) -> str:
    """The error that a Bearer challenge names (RFC 6750 3); empty when it names none, ``-`` when it is no Bearer challenge."""
    scheme, _, attributes = challenge.partition(" ")
    if scheme.lower() != "bearer":
        return "-"
    match = re.search(r'(?:^|[\s,])error\s*=\s*(?:"([^"]*)"|([^\s,]+))', attributes)
    return (match[1] or match[2] or "") if match else ""


def token_refusal(exchange: Exchange, row: ProtocolException, statuses: tuple[int, ...] = ()) -> Findings:
    """No data, an OperationOutcome with the code of exception 7, and a status that refuses."""
    answer = read.response(exchange)
    expected = f"status {row.statuses[0]} with an OperationOutcome, code {row.code}"
    held = fhir.resources(answer.body)
    if held:
        yield Finding(expected=expected, observed=f"status {answer.status} with data ({held[0]})")
        return
    yield from _issue(row, expected, fhir.issues(answer.body), answer.status)
    if answer.status < 400 or answer.status >= 500:
        yield Finding(expected=expected, observed=f"status {answer.status}")
    elif answer.status not in (*row.statuses, *statuses):
        observed = f"status {answer.status}"
        yield Finding(expected=expected, observed=observed, outcome=Outcome.WARNING, reading="AMB.6")


def _issue(row: ProtocolException, expected: str, found: list[fhir.Issue], status: int) -> Findings:
    severe = [issue.code for issue in found if issue.severity in {"error", "fatal"}]
    if row.code in severe:
        return
    near = [code for code in severe if code in row.tolerated]
    if near:
        hint = f"{near[0]} is a relative of {row.code}"
        yield Finding(expected=expected, observed=f"code {near[0]}", outcome=Outcome.WARNING, hint=hint, reading="AMB.54")
    elif not found:
        yield Finding(expected=expected, observed=f"status {status} without an OperationOutcome", reading="AMB.6")
    else:
        observed = ", ".join(f"{issue.severity}/{issue.code}" for issue in found)
        hint = next((said for issue in found if (said := read.near_miss(issue.code, row.code))), "")
        if not hint and row.code in {issue.code for issue in found}:
            hint = "the code is right, and its severity is not error or fatal"
        yield Finding(expected=expected, observed=observed, hint=hint, reading="AMB.54")
