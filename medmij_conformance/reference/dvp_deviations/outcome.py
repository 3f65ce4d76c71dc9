"""What the PGO makes of what comes back, and what it tells the person."""
# mypy: disable-error-code="method-assign, assignment"

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference.back_channel import NoAnswerError
from medmij_conformance.reference.dvp import GOOD, SERVICES, Dvp, Holding, Pending, StoppedError
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS, check_token_with


@DEVIATIONS("data_is_collected")
def success_looks_like_failure(gateway: Dvp) -> None:
    """What was collected is said to have failed (BEG.pgo)."""
    conformant = gateway.result_page
    gateway.result_page = lambda outcome: conformant("no answer" if outcome == "collected" else outcome)


@DEVIATIONS("unknown_members_are_ignored")
def strict_token_members(gateway: Dvp) -> None:
    """A token response with a member that the gateway does not know is refused (RFC6749.4.1.2c)."""
    known = {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    check_token_with(gateway, lambda members: set(members) <= known)


@DEVIATIONS("unknown_members_are_ignored")
def strict_return(gateway: Dvp) -> None:
    """A return with a parameter that the gateway does not know is refused (RFC6749.4.1.2c)."""
    conformant = gateway.heed_error

    def heed(given: Mapping[str, str]) -> None:
        if not set(given) <= {"code", "state", "error", "error_description"}:
            raise StoppedError("refused request")
        conformant(given)

    gateway.heed_error = heed


@DEVIATIONS("unusual_token_response_is_accepted")
def token_type_by_case(gateway: Dvp) -> None:
    """Only the spelling Bearer is accepted as type of a token (APP.7)."""
    check_token_with(gateway, lambda members: members.get("token_type") != "bearer")


@DEVIATIONS("unusual_token_response_is_accepted")
def lifetime_demanded(gateway: Dvp) -> None:
    """A token response without expires_in is refused (APP.7)."""
    check_token_with(gateway, lambda members: "expires_in" in members)


@DEVIATIONS("odd_lifetime_does_no_harm")
def falls_over_odd_lifetimes(gateway: Dvp) -> None:
    """A lifetime that is no number brings the gateway down (RFC6749.10.14)."""
    conformant, front = gateway.check_token, gateway.front

    def check(members: Mapping[str, Any], pending: Pending) -> None:
        int(members.get("expires_in", 0))
        conformant(members, pending)

    def stumble(request: Request, peer: Any) -> Response:
        try:
            return front(request, peer)
        except ValueError as error:
            return gateway.page("Internal error", f"<pre>{error!r}</pre>", status=500)

    gateway.check_token = check
    gateway.front = stumble


@DEVIATIONS("no_other_grant_is_used")
def refreshes_by_itself(gateway: Dvp) -> None:
    """When a token is not accepted, a refresh token is used to get another one (APP.6)."""
    members_of, take = gateway.token_members, gateway.take
    refresh: list[str] = []

    def members(answer: Response) -> dict[str, Any]:
        found = members_of(answer)
        refresh[:] = [found["refresh_token"]] if "refresh_token" in found else []
        return found

    def retake(answer: Response, holding: Holding) -> str | None:
        if answer.status == 401 and refresh:
            body = urlencode([("grant_type", "refresh_token"), ("refresh_token", refresh[0])]).encode()
            headers = (("Content-Type", "application/x-www-form-urlencoded"),)
            gateway.ask(Request(method="POST", url=holding.source.token_endpoint, headers=headers, body=body))
        return take(answer, holding)

    gateway.token_members = members
    gateway.take = retake


@DEVIATIONS(warns=["empty_answer_is_no_failure"])
def nothing_is_a_failure(gateway: Dvp) -> None:
    """An answer with nothing in it is told as a failure of the source (UCI-V.step.16)."""
    conformant = gateway.store

    def store(pending: Pending, holding: Holding) -> None:
        if not holding.resources:
            raise StoppedError("source")
        conformant(pending, holding)

    gateway.store = store


@DEVIATIONS("empty_answer_is_no_failure")
def nothing_to_show(gateway: Dvp) -> None:
    """When an answer has nothing in it, the page has nothing on it (UCI-V.step.16)."""
    conformant, result_page = gateway.store, gateway.result_page
    empty: list[bool] = []

    def store(pending: Pending, holding: Holding) -> None:
        empty[:] = [] if holding.resources else [True]
        conformant(pending, holding)

    def page(outcome: str) -> Response:
        shown = result_page(outcome)
        return replace(shown, body=b"") if empty and outcome in GOOD else shown

    gateway.store = store
    gateway.result_page = page


@DEVIATIONS("unusual_answer_is_understood")
def chunks_not_understood(gateway: Dvp) -> None:
    """An answer that comes in chunks is not understood (APP.1)."""
    conformant = gateway.call

    def call(request: Request) -> Response:
        answer: Response = conformant(request)
        if answer.header("transfer-encoding"):
            raise NoAnswerError("no length")
        return answer

    gateway.call = call


@DEVIATIONS("unusual_answer_is_understood", "collections_do_not_cross")
def impatient(gateway: Dvp) -> None:
    """A FHIR answer that takes longer than 0.8 s is given up (APP.1)."""
    conformant = gateway.call

    def call(request: Request) -> Response:
        began = time.monotonic()
        answer: Response = conformant(request)
        if request.method == "GET" and time.monotonic() - began > 0.8:
            raise NoAnswerError("too slow")
        return answer

    gateway.call = call


@DEVIATIONS("partial_delivery_is_not_called_complete")
def part_is_enough(gateway: Dvp) -> None:
    """When the source fails after a first page, that page is kept and told as all there is (UCI-V.exc.8p)."""
    conformant = gateway.fetch

    def fetch(holding: Holding, url: str) -> None:
        try:
            conformant(holding, url)
        except StoppedError as stopped:
            if stopped.outcome != "source" or not holding.resources:
                raise

    gateway.fetch = fetch
    gateway.requests_of = lambda source: SERVICES[source.gegevensdienst][1][:1]


@DEVIATIONS(warns=["values_are_opaque"])
def code_in_lower_case(gateway: Dvp) -> None:
    """Codes are turned into lower case (RFC4122.d)."""
    conformant = gateway.token_parameters
    gateway.token_parameters = lambda pending, code: conformant(pending, code.lower())


@DEVIATIONS(warns=["values_are_opaque"])
def tokens_must_be_uuids(gateway: Dvp) -> None:
    """A token that is no UUID is refused (RFC4122.d)."""
    check_token_with(gateway, lambda members: len(members["access_token"]) == 36)


@DEVIATIONS("unmet_gateway_works")
def known_gateways_alone(gateway: Dvp) -> None:
    """Only ZA gateways with which there is an arrangement are spoken to (GRD.P1, REL.3)."""
    conformant = gateway.take_lists
    gateway.take_lists = lambda sources, _whitelist: conformant(sources, ["za.harness.test"])
    gateway.take_lists(tuple(gateway.sources.values()), None)


@DEVIATIONS("every_page_is_fetched")
def first_page_alone(gateway: Dvp) -> None:
    """Of an answer in pages only the first is fetched (UCI-V.step.16)."""
    conformant = gateway.may_be_asked
    gateway.may_be_asked = lambda url, holding: "page=" not in url and conformant(url, holding)


@DEVIATIONS("starting_again_works")
def waits_for_ever(gateway: Dvp) -> None:
    """Who did not come back cannot start again (UCI-V.exc.1p, UC-V.exc.1)."""
    conformant = gateway.start

    def start(request: Request) -> Response:
        person, _ = gateway.person_of(request)
        if any(pending.person == person for pending in gateway.pending.values()):
            return gateway.page("One moment", "<p class='waiting'>Waiting for the care provider.</p>")
        return conformant(request)

    gateway.start = start


@DEVIATIONS("broken_off_stays_broken_off")
def breaking_off_is_a_word(gateway: Dvp) -> None:
    """What a person breaks off goes on when she is sent back after all (UCI-V.exc.1p, UC-V.exc.1)."""
    gateway.cancel = lambda request: gateway.show_result("broken off", *gateway.person_of(request))
