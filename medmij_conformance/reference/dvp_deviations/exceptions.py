"""What the PGO does when something goes wrong."""
# mypy: disable-error-code="method-assign, assignment"

import contextlib
import secrets
import threading

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference.dvp import Dvp, Holding, Pending, StoppedError
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS, append, blank_for


@DEVIATIONS("exception_1_ends_the_collection")
def exception_1_blank(gateway: Dvp) -> None:
    """When the request was invalid, the person sees an empty page (UCI-V.exc.1p)."""
    blank_for(gateway, "refused request")


@DEVIATIONS("exception_2_ends_the_collection")
def exception_2_blank(gateway: Dvp) -> None:
    """When the identity could not be established, the person sees an empty page (UCI-V.exc.2p)."""
    blank_for(gateway, "not identified")


@DEVIATIONS("exception_3_ends_the_collection")
def exception_3_blank(gateway: Dvp) -> None:
    """When nothing is available, the person sees an empty page (UCI-V.exc.3p)."""
    blank_for(gateway, "nothing available")


@DEVIATIONS("exception_4_ends_the_collection")
def exception_4_blank(gateway: Dvp) -> None:
    """When consent was refused, the person sees an empty page (UCI-V.exc.4p)."""
    blank_for(gateway, "refused")


@DEVIATIONS("exception_5_ends_the_collection")
def exception_5_blank(gateway: Dvp) -> None:
    """When the answer could not be established, the person sees an empty page (UCI-V.exc.5p)."""
    blank_for(gateway, "undetermined")


@DEVIATIONS("exception_6_ends_the_collection")
def exception_6_blank(gateway: Dvp) -> None:
    """When the code is not accepted, the person sees an empty page (UCI-V.exc.6p)."""
    blank_for(gateway, "code")


@DEVIATIONS("exception_7_ends_the_collection")
def exception_7_blank(gateway: Dvp) -> None:
    """When the token is not accepted, the person sees an empty page (UCI-V.exc.7p)."""
    blank_for(gateway, "token")


@DEVIATIONS("exception_8_ends_the_collection")
def exception_8_blank(gateway: Dvp) -> None:
    """When the source cannot deliver, the person sees an empty page (UCI-V.exc.8p)."""
    blank_for(gateway, "source")


@DEVIATIONS(
    "exception_1_ends_the_collection",
    "exception_2_ends_the_collection",
    "exception_3_ends_the_collection",
    "exception_4_ends_the_collection",
    "exception_5_ends_the_collection",
    "exceptions_are_told_apart",
    "refusal_is_no_consent",
)
def errors_ignored(gateway: Dvp) -> None:
    """An error that comes back is not looked at: a token is asked for nevertheless (UCI-V.exc.2p, UCI-V.exc.gen2)."""
    gateway.heed_error = lambda _: None


@DEVIATIONS("exception_6_ends_the_collection")
def begins_again_by_itself(gateway: Dvp) -> None:
    """When the code is not accepted, a new collection begins without a word (UCI-V.exc.6p)."""
    conformant = gateway.callback

    def callback(request: Request) -> Response:
        person, _ = gateway.person_of(request)
        source = next((p.source for p in gateway.pending.values() if p.person == person), None)
        answer = conformant(request)
        outcome = list(gateway.results.values())[-1][0]
        if outcome != "code" or source is None:
            return answer
        choice = [("zorgaanbieder", source.zorgaanbieder), ("gegevensdienst", source.gegevensdienst)]
        return Response(status=303, headers=(("Location", append("/start", choice)),))

    gateway.callback = callback


@DEVIATIONS("exception_7_ends_the_collection")
def goes_on_after_refusal(gateway: Dvp) -> None:
    """After a token was not accepted, the other FHIR requests are sent with it all the same (UCI-V.exc.7p)."""
    conformant = gateway.fetch

    def collect(pending: Pending, holding: Holding) -> None:
        stops = []
        for path in gateway.requests_of(holding.source):
            try:
                conformant(holding, f"{holding.source.resource_endpoint}/{path}")
            except StoppedError as stopped:
                stops.append(stopped)
                if stopped.outcome != "token":
                    break
        if stops:
            raise stops[0]
        gateway.store(pending, holding)

    gateway.collect = collect


@DEVIATIONS("exception_8_ends_the_collection")
def incomplete_taken_for_empty(gateway: Dvp) -> None:
    """A bundle that says that the source could not deliver is taken for an empty one (UCI-V.exc.8p)."""
    gateway.tells_of_trouble = lambda _: False


@DEVIATIONS("stopped_collections_stay_silent")
def tries_again_later(gateway: Dvp) -> None:
    """A second after the person was told, the data is asked for once more (UCI-V.exc.gen1)."""
    conformant = gateway.collect

    def later(holding: Holding) -> None:
        with contextlib.suppress(StoppedError):
            gateway.ask(gateway.resource_request(holding, f"{holding.source.resource_endpoint}/Patient"))

    def collect(pending: Pending, holding: Holding) -> None:
        try:
            conformant(pending, holding)
        except StoppedError:
            timer = threading.Timer(1.0, later, [holding])
            timer.daemon = True
            timer.start()
            raise

    gateway.collect = collect


@DEVIATIONS("exceptions_are_told_apart")
def access_denied_is_refusal(gateway: Dvp) -> None:
    """Every access_denied is told as a refusal of the person (UCI-V.exc.gen2)."""
    conformant = gateway.meaning_of
    gateway.meaning_of = lambda error, text: "refused" if error == "access_denied" else conformant(error, text)


@DEVIATIONS("exceptions_are_told_apart")
def failure_is_nothing_available(gateway: Dvp) -> None:
    """That the source failed is told as if it had nothing (UCI-V.exc.gen2)."""
    conformant = gateway.text_of
    gateway.text_of = lambda outcome: conformant("nothing available" if outcome == "source" else outcome)


@DEVIATIONS("exceptions_are_told_apart")
def one_text_with_a_number(gateway: Dvp) -> None:
    """Whatever comes back through the browser, the person reads the same, with the number of an incident (UCI-V.exc.gen2)."""
    conformant = gateway.text_of
    alike = {"not identified", "nothing available", "refused", "undetermined"}

    def text(outcome: str) -> str:
        return f"It did not work out. Incident {secrets.token_hex(8)}-0." if outcome in alike else conformant(outcome)

    gateway.text_of = text


@DEVIATIONS("causes_are_told_apart")
def delivery_failed_for_some_reason(gateway: Dvp) -> None:
    """Whatever keeps the data from coming, the person reads the same (UC-V.exc.6)."""
    conformant = gateway.text_of
    gateway.text_of = lambda outcome: conformant("source" if outcome in {"code", "token"} else outcome)


@DEVIATIONS("broken_answer_is_told")
def garbage_taken_for_empty(gateway: Dvp) -> None:
    """A FHIR answer that is no JSON is taken for an empty one (RFC6749.10.14)."""
    conformant = gateway.take
    gateway.take = lambda answer, holding: None if answer.status == 200 and answer.json is None else conformant(answer, holding)
