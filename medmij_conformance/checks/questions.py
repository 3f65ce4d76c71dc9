"""What the vendor says about gateway and organisation, asked by the hook ``questions``. One check per question.

The hook answers each question with ``{"answer": "yes" | "no" | "not applicable" | "unknown", "by": "name", "remark": "text"}``.
A yes is ``attested``, never a pass: nobody saw it but the one who says so. An answer of another form says nothing.
"""

from typing import Any, NamedTuple

from medmij_conformance.evidence import Exchange
from medmij_conformance.verdict import AttestedError, CannotJudgeError, Finding, Findings, NotApplicableError, check

_LONGEST_NAME, _LONGEST_REMARK = 100, 2000


@check("UC-V.exc.gen2", "UCI-V.exc.gen2", then="the vendor states that its error pages speak plainly")
def error_pages_speak_plainly(statement: Exchange) -> Findings:
    """The pages that tell a person what went wrong do so in words of everyday life, by the vendor's word."""
    yield from stated(statement, "plain-words", "error pages in plain words")


@check("TV.8", then="the vendor states that the supplied consent screen is used")
def supplied_screen_is_used(statement: Exchange) -> Findings:
    """The consent question is the screen that MedMij supplies, by the vendor's word."""
    yield from stated(statement, "consent-screen", "the supplied screen, without texts or elements beside it")


@check("RFC6819.4.2.1b", then="the vendor states that people are told how to recognise the site")
def people_learn_to_recognise_the_site(statement: Exchange) -> Findings:
    """People are warned of false sites and can check that this is the real one, by the vendor's word."""
    yield from stated(statement, "phishing", "information on false sites and on how to recognise the real one")


@check("MERK.1", then="the vendor states that the participant logo is used as agreed")
def logo_is_used_as_agreed(statement: Exchange) -> Findings:
    """The participant logo is used under a signed agreement only and links to the MedMij page, by the vendor's word."""
    yield from stated(statement, "logo", "the logo under a signed agreement only, linked to the MedMij page")


@check("LOG.5", then="the vendor states that the log cannot be changed unnoticed")
def log_is_protected(statement: Exchange) -> Findings:
    """What is recorded of requests is protected against change that nobody notices, by the vendor's word."""
    yield from stated(statement, "log-protection", "records that cannot be changed or removed unnoticed")


@check("OVK.4.1", then="the vendor states that care providers are informed before they begin")
def care_providers_are_informed(statement: Exchange) -> Findings:
    """Before first use care providers are informed on every topic of the agreement, by the vendor's word."""
    yield from stated(statement, "onboarding", "information on every topic before the first use")


@check("OVK.7.3", then="the vendor states that it can stop the service at once when ordered")
def service_can_be_suspended(statement: Exchange) -> Findings:
    """All MedMij traffic can be stopped at once on an order, by the vendor's word."""
    yield from stated(statement, "suspension", "a tried way to stop all MedMij traffic at once")


@check("OVK.7.5", then="the vendor states that it is ready to leave the network")
def exit_is_prepared(statement: Exchange) -> Findings:
    """After the end of participation all activity ceases and users are informed, by the vendor's word."""
    yield from stated(statement, "exit", "steps and a message to users that stand ready")


@check("NIB.A.9.4.1", then="the vendor states that access to information is restricted")
def access_is_restricted(statement: Exchange) -> Findings:
    """The control on restriction of access stands in the statement of applicability and is carried out, by the vendor's word."""
    yield from stated(statement, "access-restriction", "the control in the statement of applicability, carried out")


@check("APP.19", then="the vendor states that what it hands in for the Zorgaanbiederslijst was validated")
def entries_are_validated(statement: Exchange) -> Findings:
    """Entries of the gateway's own are validated before they are handed in for the Zorgaanbiederslijst, by the vendor's word.

    A ZA gateway does not fetch that list; validating it on receipt is asked of those who do (AMB.9).
    """
    yield from stated(statement, "zal-entries", "entries that were validated before they are handed in", reading="AMB.9")


class _Answer(NamedTuple):
    word: str
    by: str
    remark: str

    @property
    def remarked(self) -> str:
        return f": {self.remark}" if self.remark else ""


def stated(statement: Exchange, question: str, expected: str, *, reading: str = "") -> Findings:
    """The findings on what the vendor answered to a question; ``expected`` is what a yes would mean."""
    _same_question(statement, question)
    answer = _answer(statement)
    match answer.word:
        case "yes":
            raise AttestedError(f"stated by {answer.by}{answer.remarked}")
        case "no":
            yield Finding(expected=expected, observed=f"{answer.by} says no{answer.remarked}", reading=reading)
        case "not applicable":
            said = f"{answer.by} says that this does not apply{answer.remarked}"
            raise NotApplicableError(f"{said} (only a recommendation can be set aside so)")
        case "unknown":
            raise CannotJudgeError(f"the question was left open{answer.remarked}")


def _same_question(statement: Exchange, question: str) -> None:
    """Raise ``CannotJudgeError`` when another question was asked, or an answer hands out one of our words as a secret."""
    if statement.request.url != f"hook:questions/{question}":
        raise CannotJudgeError(f"{statement.request.url} was asked instead of {question}")


def _answer(statement: Exchange) -> _Answer:
    """The answer taken apart. Raises ``CannotJudgeError`` when it is not in the form that was asked for."""
    data = statement.response.json if statement.response else None
    if not isinstance(data, dict):
        raise CannotJudgeError("the hook questions did not answer with a JSON object")
    word = data.get("answer")
    if not isinstance(word, str) or word not in {"yes", "no", "not applicable", "unknown"}:
        raise CannotJudgeError('the hook questions answered with no "answer" that is yes, no, not applicable or unknown')
    by, remark = _text(data, "by", _LONGEST_NAME), _text(data, "remark", _LONGEST_REMARK)
    if not by and word != "unknown":
        raise CannotJudgeError('the hook questions does not say "by" whom the answer is')
    return _Answer(word, by, remark)


def _text(data: dict[str, Any], name: str, longest: int) -> str:
    value = data.get(name)
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if value is not None and not isinstance(value, str):
        raise CannotJudgeError(f'the hook questions answered with a "{name}" that is no text')
    if len(text) > longest or not text.isprintable():
        raise CannotJudgeError(f'the hook questions answered with a "{name}" that is too long or has control characters in it')
    return text
