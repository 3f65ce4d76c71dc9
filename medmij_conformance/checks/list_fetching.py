"""A gateway and its lists: it fetches them from MedMij Registratie, and uses the last good ones. UCI Opvragen ZAL and Whitelist."""

import itertools
from typing import Any

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.protocol import hooks
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check


@check("UCI-WL.1", "APP.21c", then="the Whitelist is fetched when the vendor says so", raw=True)
def whitelist_is_fetched_when_told(reloaded: Observation) -> Findings:
    """The gateway fetches the Whitelist from the Stelselnode, outside its schedule, when it is told to."""
    if "whitelist" not in reloaded.facts["fetched"]:
        observed = f"none came before the hook said that it was done ({reloaded.facts['seconds']} s)"
        yield Finding(expected="a request for the Whitelist", observed=observed, reading="AMB.47")


@check("UCI-WL.1", then="the Whitelist is fetched over mutual TLS, under the gateway's own name")
def whitelist_is_fetched_over_mutual_tls(whitelist_fetches: tuple[Exchange, ...], gateway_names: tuple[str, ...]) -> Findings:
    """Who asks for the Whitelist shows the certificate of the gateway."""
    for exchange in whitelist_fetches:
        yield from _shows_its_certificate(exchange, gateway_names)


@check("UCI-WL.1", then="Mallory, who was taken off the Whitelist, gets no token", twin="token", raw=True)
def node_that_was_removed_gets_no_token(token_response: Exchange) -> Findings:
    """The newest Whitelist counts: a PGO gateway that is on it no more gets no token."""
    yield from _gets_no_token(token_response, "AMB.14")


@check("APP.21c", then="Mallory, whom the older Whitelist lacks, gets no token", twin="token", raw=True)
def rollback_is_followed(token_response: Exchange) -> Findings:
    """A Whitelist that is published again, with an older number and time, counts as any other."""
    yield from _gets_no_token(token_response, "AMB.47")


@check("APP.22", then="the last good Whitelist stays in use for Mallory", twin="token", raw=True, contrast=True)
def bad_whitelist_shuts_nobody_out(token_response: Exchange) -> Findings:
    """A list that is not valid does not come into use: who stood on the last good one is served."""
    read.refuse_load_shedding(token_response)
    if token_response.was_cut:
        raise CannotJudgeError(f"{token_response.label}: the connection was cut, and nobody said why")
    turned_away = token_response.trouble is not None and _is_turned_away(token_response)
    if turned_away or "access_token" not in read.members(token_response):
        observed = token_response.trouble.detail if token_response.trouble else f"status {token_response.status}"
        yield Finding(expected="a token, as before the bad list", observed=observed)


@check("APP.22", then="the bad Whitelist opens no door for the unlisted node", twin="token", raw=True)
def bad_whitelist_lets_nobody_in(token_response: Exchange) -> Findings:
    """A list that is not valid does not come into use: who stands on it alone is refused, and it never means that all may enter."""
    yield from _gets_no_token(token_response, "")


@check("APP.21b", then="the Whitelist is fetched every hour")
def whitelist_is_fetched_hourly(fetch_times: Observation, clock_of_gateway_moved_s: int, release: Release) -> Findings:
    """Between two fetches of the Whitelist lies an hour at most; a quarter of an hour is advised."""
    times = release.lists
    widest = _widest_gap(fetch_times, "whitelist")
    if widest > times.whitelist_fetch_s + times.whitelist_fetch_tolerance_s:
        yield Finding(expected=f"a fetch every {times.whitelist_fetch_s} s", observed=f"none for {widest} s")
    elif widest > times.whitelist_fetch_advised_s + times.whitelist_fetch_tolerance_s:
        expected = f"a fetch every {times.whitelist_fetch_advised_s} s, as the other text of the release has it"
        yield Finding(expected=expected, observed=f"none for {widest} s", outcome=Outcome.WARNING, reading="AMB.63")
    read.attest(clock_of_gateway_moved_s)


@check("UCI-ZAL.4", then="the ZAL is fetched every day")
def zal_is_fetched_daily(fetch_times: Observation, clock_of_gateway_moved_s: int, release: Release) -> Findings:
    """Between two fetches of the ZAL lies a day at most."""
    times = release.lists
    widest = _widest_gap(fetch_times, "zal")
    if widest > times.zal_fetch_s + times.zal_fetch_tolerance_s:
        yield Finding(expected=f"a fetch every {times.zal_fetch_s} s", observed=f"none for {widest} s", reading="AMB.12")
    read.attest(clock_of_gateway_moved_s)


@check("UCI-WL.2", then="a Whitelist that is too old counts as none", twin="token", raw=True)
def old_whitelist_counts_as_none(token_response: Exchange, clock_of_gateway_moved_s: int) -> Findings:
    """When no Whitelist of at most an hour old is to be had, nobody is served on the back channel."""
    if not _is_turned_away(token_response):
        yield Finding(expected="a refusal of the node", observed=f"status {token_response.status}: the node is served")
    read.attest(clock_of_gateway_moved_s)


# --- a PGO gateway ---


@check("UCI-ZAL.1", then="the ZAL is fetched when the vendor says so", raw=True)
def zal_is_fetched_when_told(reloaded: Observation) -> Findings:
    """The PGO gateway fetches the ZAL from the Stelselnode when it is told to."""
    if "zal" not in reloaded.facts["fetched"]:
        observed = f"none came before the hook said that it was done ({reloaded.facts['seconds']} s)"
        yield Finding(expected="a request for the ZAL", observed=observed)


@check("UCI-ZAL.1", then="the ZAL is fetched over mutual TLS, under the gateway's own name")
def zal_is_fetched_over_mutual_tls(zal_fetches: tuple[Exchange, ...], gateway_names: tuple[str, ...]) -> Findings:
    """Who asks for the ZAL shows the certificate of the gateway."""
    for exchange in zal_fetches:
        yield from _shows_its_certificate(exchange, gateway_names)


@check("UCI-ZAL.2", then="the address of the newest ZAL is used")
def newest_address_is_used(authorization_request: Exchange, moved_address: str) -> Findings:
    """The person is sent to the authorization endpoint that the newest ZAL gives."""
    yield from _goes_to(authorization_request, moved_address)


@check("APP.19", then="the address of the last good ZAL is used")
def bad_zal_is_not_used(authorization_request: Exchange, zal_authorization_endpoint: str) -> Findings:
    """A ZAL that is not valid does not come into use: the addresses of the last good one count."""
    yield from _goes_to(authorization_request, zal_authorization_endpoint)


@check(
    "UCI-ZAL.3",
    then="the PGO works on with the last good ZAL, and raises an alarm",
    twin="collection",
    contrast=True,
)
def failure_to_fetch_is_survived(last_page: Exchange, calls: Observation, log: Exchange) -> Findings:
    """When the ZAL cannot be fetched, people collect as before, and the log has an alarm."""
    if not calls.facts["delivered"]:
        yield Finding(expected="data that is collected", observed=f"no FHIR request that is answered; {read.described(last_page)}")
    rows: Any = log.response.json if log.response else None
    if not isinstance(rows, list):
        raise CannotJudgeError(hooks.problem("log", rows))
    if not any(isinstance(row, dict) and row.get("event") == "alarm" for row in rows):
        yield Finding(expected="a record of an alarm in the log", observed="none")


@check("APP.21c", then="nothing goes to the ZA gateway that the older Whitelist lacks", twin="collection")
def rollback_is_followed_by_the_pgo(last_page: Exchange, calls: Observation) -> Findings:
    """A Whitelist that is published again, with an older number and time, counts as any other."""
    yield from _nothing_went(last_page, calls, "AMB.47")


@check("APP.22", then="the last good Whitelist stays in use for the other ZA gateway", twin="collection", contrast=True)
def bad_whitelist_stops_no_collection(last_page: Exchange, calls: Observation) -> Findings:
    """A Whitelist that is not valid does not come into use: who stood on the last good one is spoken to."""
    if not calls.facts["count"]:
        yield Finding(expected="a token request, as before the bad list", observed=f"none; {read.described(last_page)}")


@check("UCI-WL.2", then="the PGO speaks to nobody when its Whitelist is too old", twin="collection")
def old_whitelist_stops_collections(last_page: Exchange, calls: Observation, clock_of_gateway_moved_s: int) -> Findings:
    """When no Whitelist of at most an hour old is to be had, no code and no token goes to a ZA gateway."""
    yield from _nothing_went(last_page, calls, "")
    read.attest(clock_of_gateway_moved_s)


# --- how they are read ---


def _widest_gap(fetch_times: Observation, which: str) -> int:
    """The longest time without a fetch of a list, in seconds, from the begin of the watch to its end."""
    moments = [0, *fetch_times.facts["times"][which], fetch_times.facts["until"][which]]
    return int(max(later - earlier for earlier, later in itertools.pairwise(moments)))


def _goes_to(request: Exchange, address: str) -> Findings:
    if read.place(request.request.url) != read.place(address):
        yield Finding(expected=f"a request to {address}", observed=request.request.url.partition("?")[0])


def _nothing_went(last_page: Exchange, calls: Observation, reading: str) -> Findings:
    if calls.facts["count"]:
        observed = f"{calls.facts['count']} requests on the back channel; {read.described(last_page)}"
        yield Finding(expected="no request on the back channel", observed=observed, reading=reading)


def _is_turned_away(answer: Exchange) -> bool:
    """Whether a node, and not what it asked, was refused. Raises ``CannotJudgeError`` when the connection failed otherwise."""
    trouble = answer.trouble
    if trouble:
        if trouble.kind not in {"tls", "reset"} or (answer.tls is None and trouble.kind == "reset"):
            raise CannotJudgeError(f"{answer.label}: {trouble.kind}: {trouble.detail}")
        return True
    if answer.status == 429 or (answer.status or 0) >= 500:
        raise CannotJudgeError(f"{answer.label}: status {answer.status} says nothing about the node")
    return answer.status in {401, 403} or read.members(answer).get("error") == "invalid_client"


def _gets_no_token(token_response: Exchange, reading: str) -> Findings:
    """Raises ``CannotJudgeError`` when the connection failed for another reason than a refusal."""
    trouble = token_response.trouble
    if trouble:
        if trouble.kind not in {"tls", "reset"} or (token_response.tls is None and trouble.kind == "reset"):
            raise CannotJudgeError(f"{token_response.label}: {trouble.kind}: {trouble.detail}")
        return
    status = token_response.status or 0
    if status == 429 or status >= 500:
        raise CannotJudgeError(f"{token_response.label}: status {status} says nothing about the node")
    if status < 400:
        yield Finding(expected="a refusal", observed=f"status {status}", reading=reading)


def _shows_its_certificate(exchange: Exchange, names: tuple[str, ...]) -> Findings:
    tls = exchange.tls
    if tls is None or not tls.certificate_presented:
        yield Finding(expected="the certificate of the gateway", observed="none")
    elif tls.peer_errors:
        yield Finding(expected="a certificate of a trusted authority", observed=f"OpenSSL: {', '.join(tls.peer_errors)}")
    elif not {*tls.peer_names} & {*names}:
        yield Finding(expected=f"a certificate of {' or '.join(names)}", observed=f"one of {', '.join(tls.peer_names) or 'nobody'}")
