"""Codes, states and tokens."""
# mypy: disable-error-code="method-assign, assignment"

import time
from collections.abc import Mapping
from dataclasses import replace

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference.back_channel import NoAnswerError
from medmij_conformance.reference.dvp import Dvp, Pending
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS, blank_for


@DEVIATIONS("code_is_offered_once")
def token_request_retried(gateway: Dvp) -> None:
    """A token request that fails is sent again (APP.12a)."""
    conformant = gateway.call

    def call(request: Request) -> Response:
        try:
            answer: Response = conformant(request)
        except NoAnswerError:
            if request.method == "POST":
                answer = conformant(request)
            else:
                raise
        return conformant(request) if answer.status == 503 and request.method == "POST" else answer

    gateway.call = call


@DEVIATIONS("code_is_offered_once", "exception_6_ends_the_collection")
def token_request_retried_after_refusal(gateway: Dvp) -> None:
    """A code that is not accepted is offered again (APP.12a)."""
    conformant = gateway.call

    def call(request: Request) -> Response:
        answer: Response = conformant(request)
        return conformant(request) if answer.status == 400 and request.method == "POST" else answer

    gateway.call = call


@DEVIATIONS("code_is_offered_once", "code_without_own_state_is_not_redeemed")
def state_not_used_up(gateway: Dvp) -> None:
    """A state serves for any number of returns (APP.12a, UCI-V.step.11b)."""
    gateway.retire = lambda state: gateway.pending[state]


@DEVIATIONS("code_is_offered_once")
def state_used_up_too_late(gateway: Dvp) -> None:
    """A state is used up only when everything is done, so that a second tab gets in (APP.12a)."""
    conformant = gateway.finish
    gateway.retire = lambda state: gateway.pending[state]

    def finish(pending: Pending, given: Mapping[str, str]) -> str:
        time.sleep(0.2)
        try:
            return conformant(pending, given)
        finally:
            gateway.pending.pop(pending.state, None)

    gateway.finish = finish


@DEVIATIONS("code_without_own_state_is_not_redeemed", "strange_return_is_told")
def state_ignored(gateway: Dvp) -> None:
    """A return without a known state is taken for the last collection of this person (UCI-V.step.11b)."""
    conformant = gateway.claim

    def claim(state: str, person: str) -> Pending | None:
        waiting = [pending for pending in gateway.pending.values() if pending.person == person]
        return conformant(waiting[-1].state if waiting and state not in gateway.pending else state, person)

    gateway.claim = claim


@DEVIATIONS("code_without_own_state_is_not_redeemed", "strange_return_is_told")
def state_of_any_browser(gateway: Dvp) -> None:
    """A state counts in whatever browser it comes back (RFC6819.4.4.1.8a)."""
    gateway.is_own = lambda *_: True


@DEVIATIONS("code_without_own_state_is_not_redeemed", "code_is_offered_once", "broken_off_stays_broken_off")
def unknown_codes_tried(gateway: Dvp) -> None:
    """A code that comes with an unknown state is tried nevertheless (RFC6819.4.4.1.12a)."""

    def try_it(given: Mapping[str, str]) -> str:
        source = next(iter(gateway.sources.values()))
        pending = Pending(state="", person="", source=source, began=gateway.now(), redirect_uri=gateway.redirect_uri)
        gateway.ask(gateway.token_request(pending, given.get("code", "")))
        return "unknown"

    gateway.unknown_return = try_it


@DEVIATIONS("strange_return_is_told")
def strange_return_blank(gateway: Dvp) -> None:
    """Who comes back with an unknown state sees an empty page (UCI-V.step.11b)."""
    blank_for(gateway, "unknown")


@DEVIATIONS("token_of_another_type_is_not_used", warns=["token_without_a_type_is_not_used"])
def any_token_type(gateway: Dvp) -> None:
    """A token of any type is used (APP.7)."""
    gateway.check_token_type = lambda _: None


@DEVIATIONS(warns=["token_for_another_scope_is_not_used"])
def any_token_scope(gateway: Dvp) -> None:
    """A token for any scope is used (P&I.4)."""
    gateway.check_token_scope = lambda *_: None


@DEVIATIONS("token_goes_to_nobody_else")
def any_link_followed(gateway: Dvp) -> None:
    """Whatever address an answer gives for the next page gets the token (RFC6750.5.3a)."""
    gateway.may_be_asked = lambda *_: True


@DEVIATIONS("token_goes_to_nobody_else")
def redirects_followed(gateway: Dvp) -> None:
    """A redirect of a FHIR request is followed, with the token (RFC6750.5.3a)."""
    conformant = gateway.call

    def call(request: Request) -> Response:
        answer: Response = conformant(request)
        target = answer.header("location")
        return conformant(replace(request, url=target)) if answer.status == 307 and target else answer

    gateway.call = call


@DEVIATIONS("token_is_not_used_after_its_lifetime")
def token_used_for_ever(gateway: Dvp) -> None:
    """A token is used as long as there is something to ask (UCI-V.step.16)."""
    gateway.is_alive = lambda _: True


@DEVIATIONS("nothing_is_asked_before_the_return")
def polls_while_waiting(gateway: Dvp) -> None:
    """The resource server is asked before the person has come back (UC-V.step.7)."""

    def poll(pending: Pending) -> None:
        gateway.call(Request(method="GET", url=f"{pending.source.resource_endpoint}/metadata"))

    gateway.before_redirect = poll


@DEVIATIONS("returned_markup_is_harmless")
def description_shown_raw(gateway: Dvp) -> None:
    """The description of an error stands in the page as it came (RFC6749.10.14)."""
    said: list[str] = []
    heed, result_page = gateway.heed_error, gateway.result_page

    def remember(given: Mapping[str, str]) -> None:
        said.append(given.get("error_description", ""))
        heed(given)

    def page(outcome: str) -> Response:
        shown = result_page(outcome)
        return replace(shown, body=shown.body + said[-1].encode()) if said else shown

    gateway.heed_error = remember
    gateway.result_page = page
