"""Exceptions that are reported in a wrong way, or not at all."""
# mypy: disable-error-code="method-assign, assignment"

import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference.digid_login import Asked, DigidLogin
from medmij_conformance.reference.dvza import (
    FHIR_HEADERS,
    Dvza,
    Flow,
    Form,
    Grant,
    Person,
)
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS


@DEVIATIONS("failed_login_is_reported")
def cancel_is_access_denied(gateway: Dvza) -> None:
    """A cancelled login is reported as access_denied (UCI-V.exc.2)."""
    gateway.identity_not_established = lambda flow: gateway.send_back(flow, {"error": "access_denied"})


@DEVIATIONS("nothing_available_is_reported", warns=["minors_get_nothing", "no_treatment_relation_means_nothing"])
def description_without_full_stop(gateway: Dvza) -> None:
    """The description of exception 3 lacks its full stop (UCI-V.exc.3)."""
    answer = {"error": "access_denied", "error_description": "No such resources"}
    gateway.nothing_available = lambda flow: gateway.send_back(flow, answer)


@DEVIATIONS(
    "nothing_available_is_reported",
    "minors_get_nothing",
    "consent_is_not_asked_for_nothing",
    warns=["no_treatment_relation_means_nothing"],
)
def availability_not_checked(gateway: Dvza) -> None:
    """Consent is asked whether or not anything is available (UCI-V.step.8)."""
    gateway.is_available = lambda *_: True


@DEVIATIONS("minors_get_nothing")
def minors_are_served(gateway: Dvza) -> None:
    """People under sixteen are served (JUR.14)."""
    gateway.is_of_age = lambda _: True


@DEVIATIONS(warns=["no_treatment_relation_means_nothing"])
def strangers_are_served(gateway: Dvza) -> None:
    """People without a treatment relation are served (ZORG.besch)."""
    gateway.has_treatment_relation = lambda _: True


@DEVIATIONS("refusal_is_reported")
def refusal_ends_on_a_page(gateway: Dvza) -> None:
    """After a refusal the browser stays on a farewell page (UCI-V.exc.4)."""
    conformant = gateway.refused

    def refused(flow: Flow) -> Response:
        conformant(flow)
        return gateway.page("Goodbye", "<p>You did not give consent.</p>")

    gateway.refused = refused


@DEVIATIONS("undeterminable_answer_is_reported", "answer_that_is_not_genuine_is_exception_5")
def no_answer_is_a_refusal(gateway: Dvza) -> None:
    """A form without an answer is reported as a refusal (UCI-V.exc.5)."""
    gateway.not_determinable = lambda flow: gateway.refused(flow)


@DEVIATIONS("error_response_is_well_formed", "refusal_is_reported")
def description_with_quotes(gateway: Dvza) -> None:
    """The description of a refusal is Dutch, with quotation marks (RFC6749.4.1.2.1a, UCI-V.exc.4)."""
    answer = {"error": "access_denied", "error_description": 'Toestemming "geweigerd"'}

    def refused(flow: Flow) -> Response:
        gateway.note(flow, "refused")
        return gateway.send_back(flow, answer)

    gateway.refused = refused


@DEVIATIONS("ended_session_is_dead", "answer_after_the_end_is_exception_5")
def session_survives_refusal(gateway: Dvza) -> None:
    """After a refusal the consent form still works (UCI-V.exc.gen1)."""
    conformant = gateway.refused

    def refused(flow: Flow) -> Response:
        answer = conformant(flow)
        flow.stage = "consent"
        gateway.flows[flow.id] = flow
        return replace(answer, headers=tuple(pair for pair in answer.headers if pair[0] != "Set-Cookie"))

    gateway.refused = refused


@DEVIATIONS("unreachable_source_is_reported")
def source_failure_is_empty(gateway: Dvza) -> None:
    """When the source does not answer, an empty Bundle is delivered (UCI-V.exc.8)."""
    body = b'{"resourceType":"Bundle","type":"searchset","total":0}'
    gateway.source_unreachable = lambda _: Response(status=200, headers=FHIR_HEADERS, body=body)


@DEVIATIONS("consent_is_logged", "refusal_is_logged", "every_request_is_logged")
def nothing_logged(gateway: Dvza) -> None:
    """Neither consent nor refusal nor anything else is recorded (LOG.1, LOG.2, LOG.5)."""
    gateway.note = lambda *_: None


@DEVIATIONS("refusal_is_logged", "every_request_is_logged")
def refusal_not_logged(gateway: Dvza) -> None:
    """A refusal is not recorded (LOG.2, LOG.5)."""
    conformant = gateway.note
    gateway.note = lambda flow, outcome: conformant(flow, outcome) if outcome != "refused" else None


@DEVIATIONS(warns=["log_holds_no_credentials"])
def code_in_log(gateway: Dvza) -> None:
    """The log names the code (LOG.7)."""
    conformant = gateway.granted

    def granted(flow: Flow, person: Person) -> Response:
        answer = conformant(flow, person)
        gateway.log[-1]["code"] = list(gateway.codes)[-1]
        return answer

    gateway.granted = granted


@DEVIATIONS("unreachable_source_is_reported")
def undeliverable_is_empty(gateway: Dvza) -> None:
    """What a source cannot deliver for one person is left out of the answer, as if there were nothing (UCI-V.exc.8)."""
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": []}
    conformant = gateway.source_unreachable

    def unreachable(grant: Grant) -> Response:
        if gateway.source_up:
            return Response(status=200, headers=FHIR_HEADERS, body=json.dumps(empty).encode())
        return conformant(grant)

    gateway.source_unreachable = unreachable


@DEVIATIONS("undeterminable_answer_is_reported")
def first_answer_counts(gateway: Dvza) -> None:
    """Of two answers in one form the first counts (UCI-V.exc.5)."""
    conformant = gateway.decision

    def decision(flow: Flow, form: Form) -> str | None:
        first = next((pair for pair in form if pair[0] == "decision"), None)
        return conformant(flow, [*(pair for pair in form if pair[0] != "decision"), *([first] if first else [])])

    gateway.decision = decision


@DEVIATIONS("undeterminable_answer_is_reported")
def unknown_answer_is_a_refusal(gateway: Dvza) -> None:
    """An answer that was not offered counts as a refusal (UCI-V.exc.5)."""
    conformant = gateway.decision

    def decision(flow: Flow, form: Form) -> str | None:
        return conformant(flow, [(n, "refuse" if n == "decision" and v == "perhaps" else v) for n, v in form])

    gateway.decision = decision


@DEVIATIONS("undeterminable_answer_is_reported")
def unknown_authorization_is_refusal(gateway: Dvza) -> None:
    """When the gateway itself cannot establish the authorization, it reports a refusal (UCI-V.exc.5)."""
    conformant = gateway.not_determinable
    gateway.not_determinable = lambda flow: conformant(flow) if gateway.authorization_known else gateway.refused(flow)


@DEVIATIONS(warns=["answer_after_the_end_is_exception_5"])
def refusal_told_again(gateway: Dvza) -> None:
    """Who goes back after a refusal and decides again is sent to the PGO with the refusal once more (UCI-V.exc.5)."""
    refused, consent = gateway.refused, gateway.consent
    told: dict[str, Response] = {}

    def refuse_and_remember(flow: Flow) -> Response:
        told[flow.id] = refused(flow)
        return told[flow.id]

    def consent_or_again(request: Request) -> Response:
        flow = dict(parse_qsl(request.text)).get("flow", "")
        return told[flow] if flow in told else consent(request)

    gateway.refused = refuse_and_remember
    gateway.consent = consent_or_again


@DEVIATIONS("ended_login_is_dead")
def login_survives_its_end(gateway: Dvza) -> None:
    """After a cancelled login the page that is still open can be used to log in after all (UCI-V.exc.gen1)."""
    conformant = gateway.identity_not_established
    if isinstance(gateway.identification, DigidLogin):
        _keep_open(gateway.identification)

    def not_established(flow: Flow) -> Response:
        answer = conformant(flow)
        flow.stage = "login"
        gateway.flows[flow.id] = flow
        return replace(answer, headers=tuple(pair for pair in answer.headers if pair[0] != "Set-Cookie"))

    gateway.identity_not_established = not_established


def _keep_open(login: DigidLogin) -> None:
    conformant = login.asked_by

    def asked_by(request: Request, given: Mapping[str, list[str]]) -> Asked | None:
        asked = conformant(request, given)
        if asked:
            login.open[asked.relay_state] = asked
        return asked

    login.asked_by = asked_by


@DEVIATIONS("ended_session_is_dead")
def undecided_session_goes_on(gateway: Dvza) -> None:
    """After a form without an answer was reported, the consent form still works (UCI-V.exc.gen1)."""
    conformant = gateway.not_determinable

    def not_determinable(flow: Flow) -> Response:
        answer = conformant(flow)
        flow.stage = "consent"
        gateway.flows[flow.id] = flow
        return replace(answer, headers=tuple(pair for pair in answer.headers if pair[0] != "Set-Cookie"))

    gateway.not_determinable = not_determinable


@DEVIATIONS(warns=["unreachable_source_is_reported"])
def failure_beside_data_is_an_error(gateway: Dvza) -> None:
    """What a source does not deliver is told in an entry of the Bundle, as an error instead of a warning (UCI-V.exc.8)."""
    gateway.source_unreachable = lambda _: outcome_in_a_bundle("error")


def outcome_in_a_bundle(severity: str) -> Response:
    """A Bundle that says in an entry of its own what is missing."""
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "incomplete"}]}
    entry = {"resource": outcome, "search": {"mode": "outcome"}}
    body = {"resourceType": "Bundle", "type": "searchset", "total": 0, "entry": [entry]}
    return Response(status=200, headers=FHIR_HEADERS, body=json.dumps(body).encode())


@DEVIATIONS(warns=["minors_get_nothing", "no_treatment_relation_means_nothing"])
def turned_away_after_consent(gateway: Dvza) -> None:
    """Who is too young, or no patient, is asked for consent first and turned away afterwards (JUR.14, ZORG.besch)."""
    granted, is_of_age, has_relation = gateway.granted, gateway.is_of_age, gateway.has_treatment_relation

    def granted_to_patients(flow: Flow, person: Person) -> Response:
        return granted(flow, person) if is_of_age(person) and has_relation(person) else gateway.nothing_available(flow)

    gateway.is_of_age = gateway.has_treatment_relation = lambda _: True
    gateway.granted = granted_to_patients
