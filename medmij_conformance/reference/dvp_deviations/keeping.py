"""Several collections at once, and what is kept of them."""
# mypy: disable-error-code="method-assign, assignment"

from collections.abc import Mapping
from dataclasses import replace

from medmij_conformance.evidence import Response
from medmij_conformance.reference.dvp import Dvp, Holding, Pending
from medmij_conformance.reference.dvp_deviations._shared import BSN, DEVIATIONS


@DEVIATIONS("collections_do_not_cross")
def last_token_for_all(gateway: Dvp) -> None:
    """FHIR requests are sent with the token that came last, whatever collection it belongs to (GRD.P1)."""
    holdings: list[Holding] = []
    redeem, headers = gateway.redeem, gateway.resource_headers

    def remember(pending: Pending, code: str) -> Holding:
        holdings.append(redeem(pending, code))
        return holdings[-1]

    gateway.redeem = remember
    gateway.resource_headers = lambda _: headers(holdings[-1])


@DEVIATIONS("delivered_data_is_kept")
def viewer_alone(gateway: Dvp) -> None:
    """What was collected is shown and not kept (P&I.1)."""
    gateway.store = lambda *_: None


@DEVIATIONS("delivered_data_is_kept")
def known_kinds_alone(gateway: Dvp) -> None:
    """Only one of the resources of a bundle is kept (UCI-V.step.16)."""
    conformant = gateway.resources_of
    gateway.resources_of = lambda data: conformant(data)[:1]


@DEVIATIONS("origin_is_kept")
def import_date_alone(gateway: Dvp) -> None:
    """Of what was collected only the date is kept (UC-V.meta)."""
    conformant = gateway.origin
    gateway.origin = lambda pending: replace(conformant(pending), medmij=False, consent_profile="")


@DEVIATIONS("failed_answer_is_not_kept")
def outcome_kept_as_data(gateway: Dvp) -> None:
    """An OperationOutcome is kept as if it were health data (UCI-V.exc.7p)."""
    collect, take = gateway.collect, gateway.take
    owners: list[Pending] = []

    def remember(pending: Pending, holding: Holding) -> None:
        owners.append(pending)
        collect(pending, holding)

    def keep(answer: Response, holding: Holding) -> str | None:
        if isinstance(answer.json, dict) and answer.json.get("resourceType") == "OperationOutcome":
            gateway.dossier.keep(gateway.origin(owners[-1]), [answer.json])
        return take(answer, holding)

    gateway.collect = remember
    gateway.take = keep


@DEVIATIONS("consent_is_in_the_log")
def consent_not_logged(gateway: Dvp) -> None:
    """That the person consented is not recorded (UCI-V.step.11, UC-V.user)."""
    gateway.note_consent = lambda _: None


@DEVIATIONS("consent_is_in_the_log")
def consent_logged_with_the_data(gateway: Dvp) -> None:
    """That the person consented is recorded when data has arrived, and not before (UCI-V.step.11)."""
    conformant, collect = gateway.note_consent, gateway.collect

    def late(pending: Pending, holding: Holding) -> None:
        collect(pending, holding)
        conformant(pending)

    gateway.note_consent = lambda _: None
    gateway.collect = late


@DEVIATIONS("strange_return_is_no_consent")
def strange_return_logged(gateway: Dvp) -> None:
    """Any code that comes back is recorded as a consent, whatever its state (UCI-V.step.11b)."""

    def note(given: Mapping[str, str]) -> str:
        source = next(iter(gateway.sources.values()))
        gateway.note_consent(Pending(state="", person="?", source=source, began=0.0, redirect_uri=""))
        return "unknown"

    gateway.unknown_return = note


@DEVIATIONS("dossier_and_log_hold_no_bsn", warns=["pgo_log_holds_no_secret"])
def bsn_in_the_log(gateway: Dvp) -> None:
    """The log says who collects by the BSN (JUR.12)."""
    conformant = gateway.note_consent

    def note(pending: Pending) -> None:
        conformant(pending)
        gateway.log.append({"event": "collecting", "time": "", "bsn": BSN})

    gateway.note_consent = note


@DEVIATIONS("dossier_and_log_hold_no_bsn")
def bsn_in_the_dossier(gateway: Dvp) -> None:
    """What is kept has the BSN of the person with it (JUR.12)."""
    conformant = gateway.resources_of
    gateway.resources_of = lambda data: [{**resource, "identifier": [{"value": BSN}]} for resource in conformant(data)]


@DEVIATIONS("refusal_is_no_consent")
def consent_logged_before_the_answer(gateway: Dvp) -> None:
    """Consent is recorded whatever comes back (UCI-V.exc.4p)."""
    conformant = gateway.finish

    def finish(pending: Pending, given: Mapping[str, str]) -> str:
        if given.get("error"):
            gateway.note_consent(pending)
        return conformant(pending, given)

    gateway.finish = finish


@DEVIATIONS(warns=["pgo_log_holds_no_secret"])
def token_in_the_log(gateway: Dvp) -> None:
    """Every token is written into the log (LOG.7)."""
    conformant = gateway.redeem

    def redeem(pending: Pending, code: str) -> Holding:
        holding = conformant(pending, code)
        gateway.log.append({"event": "token", "token": holding.token})
        return holding

    gateway.redeem = redeem


@DEVIATIONS("choices_go_to_their_own_address")
def provider_by_its_first_address(gateway: Dvp) -> None:
    """Every service of a provider is asked for at the address of its first one (UC-V.step.2)."""
    conformant = gateway.authorization_address

    def address(pending: Pending) -> str:
        first = next(s for s in gateway.sources.values() if s.zorgaanbieder == pending.source.zorgaanbieder)
        query = pending.source.authorization_endpoint.partition("?")[2]
        wrong = first.authorization_endpoint + (f"?{query}" if query else "")
        return conformant(replace(pending, source=replace(pending.source, authorization_endpoint=wrong)))

    gateway.authorization_address = address
