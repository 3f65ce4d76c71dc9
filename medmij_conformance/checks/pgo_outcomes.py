"""What a PGO gateway makes of what comes back: data collected, or a flow that stops and a person who is told why.

``traffic`` is everything of the scenario: what the browser exchanged and what went between the gateways. That nothing was sent
counts only beside a collection that the same PGO did carry out, which is the twin.
"""

import itertools
from collections.abc import Iterable
from dataclasses import replace

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.protocol import fhir, oauth
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import LOAD_SHEDDING, AttestedError, CannotJudgeError, Finding, Findings, Outcome, check

COLLECTED, FAILED = "collected", "failed"
_BACK = {"token", "resource", "other"}
_SEEN = {"page", "callback", "start", "said", "told"}  # what the person saw
_CAUSES = {"6", "7", "8"}  # the exceptions that are one group to the person

# --- it works ---


@check(
    "BEG.pgo",
    "APP.1",
    "GRD.P1",
    "OVK.2.2",
    "UCI-V.step.16b",
    then="the data is collected and Roos is told so",
    accepts="collection",
)
def data_is_collected(last_page: Exchange, resource_requests: tuple[Exchange, ...], outcome_texts: tuple[str, ...]) -> Findings:
    """The data was asked for and delivered, and the last page says that it was collected."""
    if not any(map(_delivers, resource_requests)):
        yield Finding(expected="a FHIR request that is answered", observed=f"{len(resource_requests)} requests, none of them")
    yield from _collected(last_page, outcome_texts)


@check("RFC6749.4.1.2c", then="what the PGO does not know changes nothing", twin="collection", contrast=True)
def unknown_members_are_ignored(last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """Parameters and members that nobody knows do not keep the PGO from collecting."""
    yield from _collected(last_page, outcome_texts)


@check("APP.7", then="the unusual token response is accepted", twin="collection", contrast=True)
def unusual_token_response_is_accepted(last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """A token response that is right but unusual does not keep the PGO from collecting."""
    yield from _collected(last_page, outcome_texts)


@check("APP.1", then="the unusual form of the answer is understood", twin="collection", contrast=True)
def unusual_answer_is_understood(last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """An answer that is right but comes slowly or in chunks does not keep the PGO from collecting."""
    yield from _collected(last_page, outcome_texts)


@check("UCI-V.step.16", then="an empty answer is no failure", raw=True, twin="collection", contrast=True)
def empty_answer_is_no_failure(last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """A bundle with nothing in it ends in a page for the person; that it is called a failure is at most awkward."""
    awkward = not _fell_over(last_page) and read.outcomes(last_page, outcome_texts) == (FAILED,)
    for finding in _collected(last_page, outcome_texts):
        yield replace(finding, outcome=Outcome.WARNING) if awkward else finding


@check("RFC6749.10.14", then="an odd lifetime does no harm", raw=True, twin="collection", contrast=True)
def odd_lifetime_does_no_harm(last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """Whatever stands in the place of a token's lifetime, the person gets a page that says what came of the collection."""
    if _fell_over(last_page):
        yield Finding(expected="a page that tells the person what happened", observed=read.described(last_page))
    elif len(shown := read.outcomes(last_page, outcome_texts)) != 1:
        raise CannotJudgeError(f"{_seen(last_page, shown)}: exactly one outcome of the target file should match")


@check("RFC4122.d", then="the unusual value is used as it is", twin="collection", contrast=True)
def values_are_opaque(
    last_page: Exchange, between: tuple[Exchange, ...], outcome_texts: tuple[str, ...], issued_code: str
) -> Findings:
    """A code or token of another form is used unchanged."""
    offered = [value for value in map(_code, between) if value]
    if offered and offered != [issued_code] * len(offered):
        yield Finding(expected=f"the code as it was issued, {issued_code}", observed=", ".join(offered))
    yield from _collected(last_page, outcome_texts)


@check("GRD.P1", "REL.3", then="a ZA gateway that the PGO never met works from the lists alone", twin="collection", contrast=True)
def unmet_gateway_works(last_page: Exchange, traffic: tuple[Exchange, ...], outcome_texts: tuple[str, ...]) -> Findings:
    """What a second ZA gateway offers in the ZAL is collected like any other, with no arrangement between the two."""
    if not any(_delivers(exchange) for exchange in traffic if exchange.endpoint == "resource"):
        yield Finding(expected="a FHIR request that is answered", observed="none")
    yield from _collected(last_page, outcome_texts)


@check("GRD.P1", then="neither collection touches the other", raw=True, twin="collection", contrast=True)
def collections_do_not_cross(
    both_pages: tuple[Exchange, ...],
    both_between: tuple[Exchange, ...],
    both_bases: tuple[str, ...],
    outcome_texts: tuple[str, ...],
) -> Findings:
    """Code and token of a collection go to its own ZA gateway alone, and both collections come to their end."""
    bases = {int(number): (token, base) for number, token, base in (text.split() for text in both_bases)}
    for exchange in both_between:
        token, base = bases[exchange.flow]
        if not any(read.is_under(exchange.request.url, own) for own in (token, base)):
            observed = f"a request to {exchange.request.url} (exchange {exchange.number})"
            yield Finding(expected=f"requests to {token} and under {base}", observed=observed)
    for page in both_pages:
        yield from _collected(page, outcome_texts)


@check("UC-V.step.2", "META.8", then="every choice goes to the address of its own", raw=True)
def choices_go_to_their_own_address(choices: tuple[Exchange, ...], own_addresses: tuple[str, ...]) -> Findings:
    """Whatever provider and service are chosen, the browser is sent to the address of just that pair."""
    for exchange, wanted in zip(choices, own_addresses, strict=True):
        if read.place(exchange.request.url) != read.place(wanted):
            yield Finding(expected=wanted, observed=exchange.request.url.partition("?")[0])


@check("UCI-V.step.16", then="every page of the answer is fetched", raw=True, twin="collection", contrast=True)
def every_page_is_fetched(resource_requests: tuple[Exchange, ...]) -> Findings:
    """The address of the next page, which an answer gives, is asked for."""
    following = [url for exchange in resource_requests for url in _next_pages(exchange)]
    if not following:
        raise CannotJudgeError("no answer gave the address of a next page")
    asked = {exchange.request.url for exchange in resource_requests}
    for url in following:
        if not any(other.startswith(url) for other in asked):
            yield Finding(expected=f"a request for {url}", observed="none")


@check("UCI-V.step.16", then="the token is used no more after its lifetime", raw=True, twin="collection")
def token_is_not_used_after_its_lifetime(between: tuple[Exchange, ...], clock: Observation) -> Findings:
    """Once the PGO's clock says that the token has lived its time, it is not used any more."""
    moved_at, moved_s = clock.facts["moved_at"], clock.facts["moved_s"]
    if not any(exchange.endpoint == "resource" and exchange.started < moved_at for exchange in between):
        raise CannotJudgeError("no FHIR request came before the clock was moved")
    late = [exchange for exchange in between if exchange.started > moved_at]
    if late:
        observed = f"{late[0].label}, after {moved_s} s by its own clock (exchange {late[0].number})"
        yield Finding(expected="no use of the token after its lifetime", observed=observed)
        return
    raise AttestedError(f"shown with the clock of the PGO moved forward by {moved_s} s")


@check("UCI-V.exc.1p", "UC-V.exc.1", then="Roos can start again", twin="collection", contrast=True)
def starting_again_works(restart_page: Exchange, traffic: tuple[Exchange, ...], outcome_texts: tuple[str, ...]) -> Findings:
    """A person who came back from an error page of the ZA gateway can start again in the same browser, and collect."""
    if not any(exchange.endpoint == "authorization" and exchange.flow == restart_page.flow for exchange in traffic):
        yield Finding(expected="another authorization request", observed=read.described(restart_page))
        return
    yield from _collected(restart_page, outcome_texts)


@check("UCI-V.exc.1p", "UC-V.exc.1", then="what Roos broke off stays broken off", raw=True, twin="collection")
def broken_off_stays_broken_off(traffic: tuple[Exchange, ...], issued_code: str) -> Findings:
    """A code that comes back after the person broke off is not redeemed."""
    offers = [exchange for exchange in traffic if exchange.endpoint == "token" and _code(exchange) == issued_code]
    if offers:
        yield Finding(expected="no token request", observed=f"the code is offered in exchange {offers[0].number}")


# --- codes, states and tokens ---


@check("APP.12a", then="the code is offered once", raw=True, twin="collection")
def code_is_offered_once(traffic: tuple[Exchange, ...], issued_code: str) -> Findings:
    """Whatever the answer, and however often the browser comes back, the code is offered one time."""
    offers = [exchange for exchange in traffic if exchange.endpoint == "token" and _code(exchange) == issued_code]
    if not offers:
        raise CannotJudgeError("the code was not offered at all")
    if len(offers) > 1:
        numbers = ", ".join(str(exchange.number) for exchange in offers)
        yield Finding(expected="one token request with the code", observed=f"{len(offers)} (exchanges {numbers})")


@check(
    "UCI-V.step.11b",
    "RFC6819.4.4.1.8a",
    "RFC6819.4.4.1.12a",
    then="a code without a state of her own is not redeemed",
    raw=True,
    twin="collection",
)
def code_without_own_state_is_not_redeemed(traffic: tuple[Exchange, ...], strange_codes: tuple[str, ...]) -> Findings:
    """A code that comes without the state of a request that waits for it, in this browser, is not offered."""
    offers = [exchange for exchange in traffic if exchange.endpoint == "token" and _code(exchange) in strange_codes]
    if offers:
        yield Finding(expected="no token request", observed=f"the code is offered in exchange {offers[0].number}")


@check("UCI-V.step.11b", then="Roos is told that the return is none of hers", twin="collection")
def strange_return_is_told(last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """A person who comes back with a state that is none of hers is told that nothing was collected."""
    yield from _told(last_page, outcome_texts)


@check("OVK.2.6", then="the PGO offers no service of a ZA gateway", raw=True, twin="collection")
def no_za_service_is_offered(asked_as_za: tuple[Exchange, ...]) -> Findings:
    """At the addresses that a ZA gateway has, the PGO's host hands out no health data."""
    answered = [exchange for exchange in asked_as_za if exchange.response and not exchange.trouble]
    if not answered:
        raise CannotJudgeError("the host of the PGO gave no answer")
    for exchange in answered:
        if _delivers(exchange):
            place = exchange.request.url.partition("?")[0]
            yield Finding(expected="no health data", observed=f"a FHIR answer at {place} (exchange {exchange.number})")


@check("APP.6", then="no other grant is used", raw=True, twin="collection")
def no_other_grant_is_used(traffic: tuple[Exchange, ...], release: Release) -> Findings:
    """A refresh token that nobody asked for is not used: every token request is of the authorization code grant."""
    asked = [exchange for exchange in traffic if exchange.endpoint == "token"]
    if not asked:
        raise CannotJudgeError("no token request was seen")
    for exchange in asked:
        grants = [value for name, value in oauth.decode(exchange.request.text) if name == "grant_type"]
        if other := [grant for grant in grants if grant != release.grant_type]:
            observed = f"grant_type={', '.join(other)} (exchange {exchange.number})"
            yield Finding(expected=f"grant_type={release.grant_type}", observed=observed)


@check("APP.7", then="the token without a type is not used", raw=True, twin="collection")
def token_without_a_type_is_not_used(traffic: tuple[Exchange, ...]) -> Findings:
    """A token of which nobody says the type had better not be used."""
    for finding in _stopped(_after("token", traffic), "resource"):
        yield replace(finding, outcome=Outcome.WARNING)


@check("APP.7", then="the token of another type is not used", raw=True, twin="collection")
def token_of_another_type_is_not_used(
    traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]
) -> Findings:
    """A token that is no bearer token is not used, and the person is told."""
    yield from _stopped(_after("token", traffic), "resource")
    yield from _told(last_page, outcome_texts)


@check("P&I.4", then="the token for another scope is not used", raw=True, twin="collection")
def token_for_another_scope_is_not_used(traffic: tuple[Exchange, ...]) -> Findings:
    """A token whose scope is not the data service that was asked for had better not be used."""
    for finding in _stopped(_after("token", traffic), "resource"):
        yield replace(finding, outcome=Outcome.WARNING)


@check("RFC6750.5.3a", then="the token goes to nobody else", raw=True, twin="collection")
def token_goes_to_nobody_else(traffic: tuple[Exchange, ...], issued_token: str) -> Findings:
    """An address outside the ZAL, which an answer brings in, never gets the token."""
    for exchange in (each for each in traffic if each.endpoint == "other"):
        headers = " ".join(value for _, value in exchange.request.headers)
        if issued_token in f"{exchange.request.url} {headers} {exchange.request.text}":
            yield Finding(
                expected="no token outside the ZAL", observed=f"the token goes to {exchange.request.url.partition('?')[0]}"
            )


@check("UC-V.step.7", then="nothing is asked before the browser comes back", raw=True, twin="collection")
def nothing_is_asked_before_the_return(traffic: tuple[Exchange, ...]) -> Findings:
    """As long as the browser has not come back with a code, the PGO asks nothing of the ZA gateway."""
    if not any(exchange.endpoint == "authorization" for exchange in traffic):
        raise CannotJudgeError("no authorization request was seen")
    yield from _stopped(traffic, "token", "resource", "other")


@check("RFC6749.10.14", then="markup that comes back is harmless", twin="collection")
def returned_markup_is_harmless(last_page: Exchange, markup_sent: str) -> Findings:
    """A description with markup in it is escaped, or not shown."""
    if last_page.endpoint == "told":
        raise CannotJudgeError("the page itself was not seen")
    answer = read.response(last_page)
    if markup_sent in answer.text and answer.media_type in {"", "text/html", "application/xhtml+xml", "image/svg+xml"}:
        yield Finding(expected="the markup escaped or left out", observed=f"{markup_sent} in the page")


# --- exceptions ---


@check("UCI-V.exc.1p", then="exception 1 ends the collection and Roos is told", raw=True, twin="collection")
def exception_1_ends_the_collection(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """When the request was invalid, nothing more is asked and the person is told."""
    yield from _ended(traffic, last_page, outcome_texts)


@check("UCI-V.exc.2p", then="exception 2 ends the collection and Roos is told", raw=True, twin="collection")
def exception_2_ends_the_collection(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """When the identity could not be established, nothing more is asked and the person is told."""
    yield from _ended(traffic, last_page, outcome_texts)


@check("UCI-V.exc.3p", then="exception 3 ends the collection and Roos is told", raw=True, twin="collection")
def exception_3_ends_the_collection(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """When nothing is available, nothing more is asked and the person is told."""
    yield from _ended(traffic, last_page, outcome_texts)


@check("UCI-V.exc.4p", then="exception 4 ends the collection and Roos is told", raw=True, twin="collection")
def exception_4_ends_the_collection(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """When consent was refused, nothing more is asked and the person is told."""
    yield from _ended(traffic, last_page, outcome_texts)


@check("UCI-V.exc.5p", then="exception 5 ends the collection and Roos is told", raw=True, twin="collection")
def exception_5_ends_the_collection(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """When the answer could not be established, nothing more is asked and the person is told."""
    yield from _ended(traffic, last_page, outcome_texts)


@check("UCI-V.exc.6p", then="exception 6 ends the collection and Roos is told", raw=True, twin="collection")
def exception_6_ends_the_collection(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """When the code is not accepted, it is not tried again, no data is asked for, no flow begins by itself, the person is told."""
    asked = {_state(exchange) for exchange in traffic if exchange.endpoint == "authorization"}
    if len(asked) > 1:
        yield Finding(expected="the end of the collection", observed="another authorization request")
    yield from _stopped(_after("token", traffic), "token", "resource", "other")
    yield from _told(last_page, outcome_texts)


@check("UCI-V.exc.7p", then="exception 7 ends the collection and Roos is told", raw=True, twin="collection")
def exception_7_ends_the_collection(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """When the token is not accepted, it is used no more and the person is told."""
    yield from _ended_by_an_answer(traffic, last_page, outcome_texts)


@check("UCI-V.exc.8p", then="exception 8 ends the collection and Roos is told", raw=True, twin="collection")
def exception_8_ends_the_collection(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """When the source cannot deliver, nothing more is asked and the person is told."""
    yield from _ended_by_an_answer(traffic, last_page, outcome_texts)


@check("UCI-V.exc.8p", then="what came in part is not called complete", raw=True, twin="collection")
def partial_delivery_is_not_called_complete(
    traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]
) -> Findings:
    """When the source fails after a first page, nothing more is asked, and the person does not read that all was collected."""
    yield from _ended_by_an_answer(traffic, last_page, outcome_texts)


@check("RFC6749.10.14", then="a broken answer ends the collection and Roos is told", raw=True, twin="collection")
def broken_answer_is_told(last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """An answer that cannot be used is never taken for data, and the person is told."""
    yield from _told(last_page, outcome_texts)


@check("UCI-V.exc.gen1", then="the stopped collections stay silent", raw=True, twin="collection")
def stopped_collections_stay_silent(watched: tuple[Exchange, ...], outcome_texts: tuple[str, ...]) -> Findings:
    """After the person was told how a collection ended, nothing more of it is sent."""
    over = 0
    for flow in sorted({exchange.flow for exchange in watched if exchange.flow}):
        own = [exchange for exchange in watched if exchange.flow == flow]
        last = max((e for e in own if e.endpoint in _SEEN), key=lambda e: e.finished, default=None)
        if last is None or not _is_over(last, own, outcome_texts):
            continue
        over += 1
        late = [e for e in own if e.endpoint in _BACK and e.started > last.finished]
        if late:
            observed = f"{late[0].label}, {late[0].started - last.finished:.1f} s after the end (exchange {late[0].number})"
            yield Finding(expected="nothing more", observed=observed)
    if not over:
        raise CannotJudgeError("no collection that was stopped came to a page that says so")


def _is_over(last: Exchange, own: list[Exchange], outcome_texts: tuple[str, ...]) -> bool:
    """Whether a collection ended with a page that says so, or before its code was redeemed; else it may still be going on."""
    if last.response is None or last.trouble:
        return False
    return bool(read.outcomes(last, outcome_texts)) or not any(exchange.endpoint == "token" for exchange in own)


@check("UCI-V.exc.gen2", "UC-V.exc.gen2", then="the exceptions are told apart", twin="collection")
def exceptions_are_told_apart(
    exception_pages: tuple[Exchange, ...], exception_names: tuple[str, ...], outcome_texts: tuple[str, ...]
) -> Findings:
    """Exceptions 2, 3, 4 and 5 each have a text of their own, and none of them is that of 6, 7 or 8."""
    pairs = itertools.combinations(zip(exception_names, exception_pages, strict=True), 2)
    yield from _all_differ((pair for pair in pairs if not {name for name, _ in pair} <= _CAUSES), outcome_texts)


@check("UC-V.exc.6", then="the causes of a failed delivery are told apart", twin="collection")
def causes_are_told_apart(
    delivery_pages: tuple[Exchange, ...], delivery_names: tuple[str, ...], outcome_texts: tuple[str, ...]
) -> Findings:
    """Exceptions 6, 7 and 8 each have a text of their own, which gives the cause."""
    yield from _all_differ(itertools.combinations(zip(delivery_names, delivery_pages, strict=True), 2), outcome_texts)


def _all_differ(pairs: Iterable[tuple[tuple[str, Exchange], tuple[str, Exchange]]], outcome_texts: tuple[str, ...]) -> Findings:
    """No two pages, each with the number of its exception, have the same words. Raises ``CannotJudgeError`` for unfinished ones."""
    told = False
    for (one, first), (other, second) in pairs:
        for name, page in ((one, first), (other, second)):
            if not _fell_over(page) and not read.outcomes(page, outcome_texts):
                raise CannotJudgeError(f"exception {name}: {_seen(page, ())}, so that it may not be the end")
        told = told or "told" in {first.endpoint, second.endpoint}
        words = _words(first), _words(second)
        if not all(words):
            raise CannotJudgeError(f"the words for exception {other if words[0] else one} were not seen")
        if words[0] == words[1]:
            observed = f"the same text for both: {words[0][:120]!r}"
            yield Finding(expected=f"a text for exception {one} and another for exception {other}", observed=observed)
    if told:
        raise AttestedError(_AS_TOLD)


def _words(page: Exchange) -> str:
    """What a page says, without what differs from one time to the next, such as a moment or the number of an incident."""
    text = read.response(page).text if page.endpoint == "told" else read.page(page).text
    return " ".join(word for word in text.split() if not any(map(str.isdigit, word)))


def _ended(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """Nothing was asked in the back channel, and the person was told."""
    yield from _stopped(_after("authorization", traffic), "token", "resource", "other")
    yield from _told(last_page, outcome_texts)


def _ended_by_an_answer(traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """No FHIR request begins after the first answer with an OperationOutcome, and the person was told."""
    asked = [e for e in _after("token", traffic) if e.endpoint == "resource" and e.flow]
    ends = [e.finished for e in asked if e.response and fhir.issues(e.response.body)]
    if not ends:
        raise CannotJudgeError("no FHIR request was answered with the exception")
    late = [e for e in traffic if e.endpoint in {"resource", "token"} and e.started > min(ends)]
    if late:
        yield Finding(expected="nothing more after the exception", observed=f"{late[0].label} (exchange {late[0].number})")
    yield from _told(last_page, outcome_texts)


def _after(endpoint: str, traffic: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    """What began after the first answer of an endpoint. Raises ``CannotJudgeError`` when nothing came there."""
    answered = [exchange.finished for exchange in traffic if exchange.endpoint == endpoint]
    if not answered:
        raise CannotJudgeError(f"no {endpoint} request was seen")
    return tuple(exchange for exchange in traffic if exchange.started > min(answered))


def _stopped(traffic: tuple[Exchange, ...], *endpoints: str) -> Findings:
    for exchange in traffic:
        if exchange.endpoint in endpoints:
            yield Finding(expected="nothing more is asked", observed=f"{exchange.label} (exchange {exchange.number})")
            return


_AS_TOLD = "the last page as the operator told it"


def _told(page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """The last page says something to a person, and not that the data was collected."""
    if _fell_over(page):
        yield Finding(expected="a page that tells the person what happened", observed=read.described(page))
        return
    shown = read.outcomes(page, outcome_texts)
    if COLLECTED in shown:
        yield Finding(expected="a page that says that it failed", observed="a page that says that the data was collected")
    elif len(shown) != 1:
        raise CannotJudgeError(f"{_seen(page, shown)}: exactly one outcome of the target file should match")
    if page.endpoint == "told":
        raise AttestedError(_AS_TOLD)


def _collected(page: Exchange, outcome_texts: tuple[str, ...]) -> Findings:
    """The last page says that the data was collected. A page that shows no outcome of the target file proves nothing."""
    if _fell_over(page):
        yield Finding(expected="a page that says that the data was collected", observed=read.described(page))
        return
    shown = read.outcomes(page, outcome_texts)
    if len(shown) != 1:
        raise CannotJudgeError(f"{_seen(page, shown)}: exactly one outcome of the target file should match")
    if shown != (COLLECTED,):
        yield Finding(expected="a page that says that the data was collected", observed=_seen(page, shown))
    if page.endpoint == "told":
        raise AttestedError(_AS_TOLD)


def _fell_over(page: Exchange) -> bool:
    """Whether the PGO shows an error of its own making, or nothing. Raises ``CannotJudgeError`` when no page was seen."""
    if page.trouble or page.response is None or page.status in LOAD_SHEDDING:
        raise CannotJudgeError(f"the last page was not seen: {page.trouble.detail if page.trouble else page.status}")
    return page.endpoint not in {"said", "told"} and (page.response.status >= 500 or not read.page(page).text)


def _seen(page: Exchange, shown: tuple[str, ...]) -> str:
    return f"{read.described(page)}, which shows {', '.join(shown) or 'no outcome of the target file'}"


def _state(exchange: Exchange) -> str:
    given = [*oauth.decode(exchange.request.url.partition("?")[2]), *oauth.decode(exchange.request.text)]
    return next((value for name, value in given if name == "state"), "")


def _code(exchange: Exchange) -> str:
    given = [*oauth.decode(exchange.request.text), *oauth.decode(exchange.request.url.partition("?")[2])]
    return next((value for name, value in given if name == "code"), "")


def _delivers(exchange: Exchange) -> bool:
    """Whether a FHIR request was answered with health data, though it be none: a bundle or a resource."""
    kind = read.members(exchange).get("resourceType") if exchange.response and exchange.status == 200 else None
    return isinstance(kind, str) and kind not in {"CapabilityStatement", "OperationOutcome"}


def _next_pages(exchange: Exchange) -> list[str]:
    data = exchange.response.json if exchange.response else None
    links = data.get("link") if isinstance(data, dict) else None
    known = links if isinstance(links, list) else []
    return [str(link["url"]) for link in known if isinstance(link, dict) and link.get("relation") == "next" and "url" in link]
