"""What cannot be seen of a PGO and the people behind it, and is answered wrongly."""
# mypy: disable-error-code="method-assign, assignment"

from medmij_conformance.reference.dvp import Dvp
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS


def _no_to(question: str, check: str, name: str, said: str, *, should: bool = False) -> None:
    """A deviation of which only the vendor can tell; ``should``: it misses a recommendation."""

    def deny(gateway: Dvp) -> None:
        gateway.practice[question] = False

    deny.__name__, deny.__doc__ = name, said
    register = DEVIATIONS(warns=[check]) if should else DEVIATIONS(check)
    register(deny)


_no_to(
    "pgo-offer",
    "collecting_is_offered",
    "offers_what_is_not_listed",
    "The PGO offers combinations that the list does not have (UC-V.step.1, UCI-V.step.1).",
)
_no_to(
    "pgo-consent", "use_begins_with_consent", "account_before_consent", "An account works before its owner has consented (JUR.3)."
)
_no_to("pgo-withdrawal", "withdrawing_is_as_easy", "withdrawal_by_letter", "Consent can be withdrawn by letter alone (JUR.4).")
_no_to("pgo-export", "dossier_can_be_taken_along", "export_as_pictures", "The export holds pictures of pages (JUR.8).")
_no_to("pgo-dossier", "dossier_can_be_consulted", "dossier_unreadable", "What is stored cannot be looked at (P&I.2).")
_no_to("pgo-mark", "mark_is_true", "changed_items_keep_the_mark", "A changed item keeps its mark (P&I.3, MERK.4).")
_no_to("pgo-brand", "brand_is_used_as_agreed", "logo_of_its_own", "The PGO has a logo of its own for MedMij (MERK.2).")
_no_to(
    "pgo-user-information",
    "people_are_informed_first",
    "information_in_the_footer",
    "The information for users is a link at the bottom of a page (VOOR.1).",
)
_no_to(
    "pgo-own-data", "people_rule_their_data", "deleted_items_return", "A deleted item comes back with the next collection (VOOR.4)."
)
_no_to(
    "pgo-digid",
    "digid_credentials_are_not_asked",
    "asks_for_digid_password",
    "The PGO asks for the password of DigiD (RFC6819.4.1.4a).",
)
_no_to(
    "pgo-browser",
    "system_browser_is_used",
    "embedded_web_view",
    "Login and consent happen in a view that the app controls (RFC6819.4.1.4b).",
    should=True,
)
_no_to(
    "pgo-guessing",
    "many_wrong_codes_are_stopped",
    "wrong_codes_without_end",
    "Any number of wrong codes may be tried (RFC6819.4.4.1.12b).",
    should=True,
)
_no_to("pgo-two-factors", "two_factors_open_the_pgo", "password_alone", "A password opens the dossier (NIB.A.9.4.1).")
_no_to("plain-words", "error_pages_speak_plainly", "pgo_speaks_in_codes", "The pages for exceptions show codes (UC-V.exc.gen2).")
_no_to(
    "phishing",
    "people_learn_to_recognise_the_site",
    "pgo_silent_on_false_sites",
    "Nobody is told of false sites (RFC6819.4.2.1b).",
    should=True,
)
_no_to("logo", "logo_is_used_as_agreed", "pgo_logo_without_link", "The participant logo is no link (MERK.1).")
_no_to("log-protection", "log_is_protected", "pgo_log_can_be_changed", "The log can be changed unnoticed (LOG.5).")
_no_to("suspension", "service_can_be_suspended", "pgo_cannot_be_stopped", "The service cannot be stopped at once (OVK.7.3).")
_no_to(
    "pgo-onboarding",
    "people_know_what_they_enter",
    "people_left_uninformed",
    "A person may begin without having heard of the beta phase (OVK.4.1).",
)
_no_to("exit", "exit_is_prepared", "pgo_no_exit", "Nothing is prepared for leaving the network (OVK.7.5).")
