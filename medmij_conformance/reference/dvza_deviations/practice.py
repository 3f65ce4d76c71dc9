"""The ways in which those behind ``reference:dvza`` can be wrong: what is asked of them, and what they record and tell people."""
# mypy: disable-error-code="method-assign, assignment"

from medmij_conformance.evidence import Response
from medmij_conformance.reference.dvza import Dvza
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS


@DEVIATIONS("error_pages_speak_plainly")
def jargon_on_error_pages(gateway: Dvza) -> None:
    """Error pages are full of jargon, as its vendor knows (UC-V.exc.gen2, UCI-V.exc.gen2)."""
    gateway.practice["plain-words"] = False


@DEVIATIONS(warns=["supplied_screen_is_used"])
def consent_screen_of_its_own(gateway: Dvza) -> None:
    """The consent question is a screen of the vendor's own design (TV.8)."""
    gateway.practice["consent-screen"] = False


@DEVIATIONS(warns=["people_learn_to_recognise_the_site"])
def nobody_warned_of_false_sites(gateway: Dvza) -> None:
    """People are not told that false sites exist (RFC6819.4.2.1b)."""
    gateway.practice["phishing"] = False


@DEVIATIONS("logo_is_used_as_agreed")
def logo_without_link(gateway: Dvza) -> None:
    """The participant logo links nowhere (MERK.1)."""
    gateway.practice["logo"] = False


@DEVIATIONS("log_is_protected")
def log_can_be_edited(gateway: Dvza) -> None:
    """An administrator can change the log unnoticed (LOG.5)."""
    gateway.practice["log-protection"] = False


@DEVIATIONS("care_providers_are_informed")
def care_providers_left_uninformed(gateway: Dvza) -> None:
    """Care providers get no information before they begin (OVK.4.1)."""
    gateway.practice["onboarding"] = False


@DEVIATIONS("service_can_be_suspended")
def suspension_never_tried(gateway: Dvza) -> None:
    """There is no tried way to stop the service at once (OVK.7.3)."""
    gateway.practice["suspension"] = False


@DEVIATIONS("exit_is_prepared")
def no_exit_plan(gateway: Dvza) -> None:
    """Nothing is prepared for leaving the network (OVK.7.5)."""
    gateway.practice["exit"] = False


@DEVIATIONS("access_is_restricted")
def no_statement_of_applicability(gateway: Dvza) -> None:
    """The control on restriction of access is not carried out (NIB.A.9.4.1)."""
    gateway.practice["access-restriction"] = False


@DEVIATIONS("entries_are_validated")
def entries_handed_in_unread(gateway: Dvza) -> None:
    """What is handed in for the Zorgaanbiederslijst is not validated before (APP.19)."""
    gateway.practice["zal-entries"] = False


@DEVIATIONS()
def recommendation_set_aside(gateway: Dvza) -> None:
    """The vendor says that the supplied screen does not apply to it, which a recommendation allows."""
    answer = gateway.answer
    aside = {"answer": "not applicable", "by": "the maker of the reference", "remark": "there is no screen here"}
    gateway.answer = lambda question: aside if question == "consent-screen" else answer(question)


@DEVIATIONS("every_request_is_logged")
def failed_requests_not_logged(gateway: Dvza) -> None:
    """Requests that end before or without a decision leave no record (LOG.5)."""
    conformant = gateway.note
    gateway.note = lambda flow, outcome: conformant(flow, outcome) if outcome in {"granted", "refused"} else None


@DEVIATIONS("exceptions_have_pages_of_their_own")
def one_page_for_everything(gateway: Dvza) -> None:
    """Whatever goes wrong, the page says that something went wrong (UC-V.exc.gen2, UCI-V.exc.gen2)."""
    conformant = gateway.error_page
    gateway.error_page = lambda cause, way_back="", status=400: conformant("Something went wrong. (invalid_request)", "", status)


@DEVIATIONS("error_pages_show_no_trace")
def stack_trace_on_error_pages(gateway: Dvza) -> None:
    """Error pages end with the stack trace of the program (UC-V.exc.gen2, UCI-V.exc.gen2)."""
    conformant = gateway.error_page
    trace = "<pre>at nl.example.oauth.Authorize.check(Authorize.java:42)</pre>"

    def traced(cause: str, way_back: str = "", status: int = 400) -> Response:
        return conformant(cause, way_back + trace, status)

    gateway.error_page = traced
