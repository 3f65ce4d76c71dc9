"""What the vendor of a PGO says about it, asked by the hook ``questions``. One check per question, as in ``questions``."""

from medmij_conformance.checks.questions import stated
from medmij_conformance.evidence import Exchange
from medmij_conformance.verdict import Findings, check


@check("UC-V.step.1", "UCI-V.step.1", then="the vendor states that people see what they can collect")
def collecting_is_offered(statement: Exchange) -> Findings:
    """The PGO offers just those care providers and services of the list that it supports, by the vendor's word."""
    yield from stated(statement, "pgo-offer", "the choice of care providers and services, as the list has them")


@check("JUR.3", then="the vendor states that consent comes before the PGO is used")
def use_begins_with_consent(statement: Exchange) -> Findings:
    """A person consents, informed and by an act of her own, before her data are processed, by the vendor's word."""
    yield from stated(statement, "pgo-consent", "an explicit choice on purpose, data and withdrawal, before the first use")


@check("JUR.4", then="the vendor states that consent is withdrawn as easily as it is given")
def withdrawing_is_as_easy(statement: Exchange) -> Findings:
    """Withdrawing consent takes no more effort than giving it, by the vendor's word."""
    yield from stated(statement, "pgo-withdrawal", "withdrawal in the same place, with no more steps")


@check("JUR.8", then="the vendor states that a person can take her dossier along")
def dossier_can_be_taken_along(statement: Exchange) -> Findings:
    """A person can take everything that is stored about her to another PGO, by the vendor's word."""
    yield from stated(statement, "pgo-export", "an export of everything, in a form that machines read")


@check("P&I.2", then="the vendor states that a person can consult her dossier")
def dossier_can_be_consulted(statement: Exchange) -> Findings:
    """The PGO has a function to consult what is stored, by the vendor's word."""
    yield from stated(statement, "pgo-dossier", "a way to read what was collected")


@check("P&I.3", "MERK.4", then="the vendor states that only unchanged MedMij content bears the mark")
def mark_is_true(statement: Exchange) -> Findings:
    """Items that came over MedMij unchanged can be told from all others, and they alone bear the mark, by the vendor's word."""
    yield from stated(statement, "pgo-mark", "the mark on unchanged items from MedMij, and on no others")


@check("MERK.2", then="the vendor states that the brand is used as agreed")
def brand_is_used_as_agreed(statement: Exchange) -> Findings:
    """Logo, image, colours and terms of MedMij are used as agreed, by the vendor's word."""
    yield from stated(statement, "pgo-brand", "logo, image, colours and spelling of terms as agreed")


@check("VOOR.1", then="the vendor states that people get the user information before they begin")
def people_are_informed_first(statement: Exchange) -> Findings:
    """Before first use a person gets the MedMij information for users, and finds it again later, by the vendor's word."""
    yield from stated(statement, "pgo-user-information", "the information on every topic before the first use, and later")


@check("VOOR.4", then="the vendor states that people rule over their own data")
def people_rule_their_data(statement: Exchange) -> Findings:
    """The person alone sees her data, and what she deletes is gone, by the vendor's word."""
    yield from stated(statement, "pgo-own-data", "own access only, and deletion that holds")


@check("RFC6819.4.1.4a", then="the vendor states that the PGO never asks for DigiD credentials")
def digid_credentials_are_not_asked(statement: Exchange) -> Findings:
    """No page of the PGO has a field for the credentials of DigiD, or looks like its screens, by the vendor's word."""
    yield from stated(statement, "pgo-digid", "no field for the name, password or code of DigiD")


@check("RFC6819.4.1.4b", then="the vendor states that login and consent happen in a browser of the person")
def system_browser_is_used(statement: Exchange) -> Findings:
    """A mobile PGO uses the system's browser for login and consent, not a view that it controls, by the vendor's word."""
    yield from stated(statement, "pgo-browser", "the system's browser, with its address visible")


@check("RFC6819.4.4.1.12b", then="the vendor states that a user who sends many wrong codes is stopped")
def many_wrong_codes_are_stopped(statement: Exchange) -> Findings:
    """A user who comes back with many wrong codes is slowed down or blocked, and it is recorded, by the vendor's word."""
    yield from stated(statement, "pgo-guessing", "a limit, and a record of reaching it")


@check("NIB.A.9.4.1", then="the vendor states that the PGO opens with two factors alone")
def two_factors_open_the_pgo(statement: Exchange) -> Findings:
    """Dossier and collecting are out of reach with the first factor alone, by the vendor's word."""
    yield from stated(statement, "pgo-two-factors", "two factors before dossier and collecting")


@check("OVK.4.1", then="the vendor states that people are informed before the first use")
def people_know_what_they_enter(statement: Exchange) -> Findings:
    """Before first use a person hears of the beta phase, the agreements, her rights and the service, by the vendor's word."""
    yield from stated(statement, "pgo-onboarding", "information on every topic before the first use")
