"""How we judge: outcomes, findings, checks and the roll-up.

A check is a small pure function: evidence and expected values in, findings out. Its name is a claim that can be false. ``judge``
runs one and gives a ``Judgement``; what a judgement means for a requirement (a SHOULD never fails) is decided in one place here.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.requirements import Release, Requirement


class Outcome(StrEnum):
    """What a verdict can be. Nothing is ``pass`` that was not seen."""

    PASS = "pass"  # noqa: S105
    ATTESTED = "attested"
    WARNING = "warning"
    NOT_APPLICABLE = "not_applicable"
    REVIEW = "review"
    NOT_TESTED = "not_tested"
    FAIL = "fail"
    ERROR = "error"


WORST_FIRST = (
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.NOT_TESTED,
    Outcome.REVIEW,
    Outcome.WARNING,
    Outcome.ATTESTED,
    Outcome.PASS,
)


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome that prevails. What is not applicable does not count; nothing at all is ``not_tested``."""
    seen = set(outcomes)
    if seen == {Outcome.NOT_APPLICABLE}:
        return Outcome.NOT_APPLICABLE
    return next((outcome for outcome in WORST_FIRST if outcome in seen), Outcome.NOT_TESTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A difference between what is required and what was seen.

    ``outcome`` is ``fail``, ``warning`` (the other reading of an ambiguous passage, a missed recommendation) or ``review``.
    ``hint`` helps a near miss; ``reading`` is the ``AMB.n`` that the judgement leans on.
    """

    expected: str
    observed: str
    outcome: Outcome = Outcome.FAIL
    hint: str = ""
    reading: str = ""


class AttestedError(Exception):
    """A check held, but under a clock that was moved by hand, or by the word of the vendor: ``attested``, with how it was shown."""


class NotApplicableError(Exception):
    """Somebody who answers for the gateway says that the rule does not apply to it. ``outcome_for`` says what that is worth."""


class CannotJudgeError(Exception):
    """The evidence does not allow a judgement: ``not_tested``, with the reason as the user should read it."""


class NotSeenError(CannotJudgeError):
    """A precondition of a scenario did not come about; the reason says what came instead."""


Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A named judge of one rule.

    ``requirements`` are the ids it speaks for; ``then`` is its sentence in the features (``{braces}`` are arguments);
    ``twin`` names the endpoint on which the same request without the defect must have been accepted for a pass to count, and
    ``accepts`` the endpoint on which a pass of this check is such an acceptance. ``raw`` checks also judge exchanges that
    ended in trouble or in load shedding, which otherwise prove nothing. ``contrast`` checks compare with the twin, so that a
    failure of theirs counts only beside it too.
    """

    id: str
    requirements: tuple[str, ...]
    function: Callable[..., Findings]
    then: str
    twin: str = ""
    accepts: str = ""
    raw: bool = False
    contrast: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the evidence and the expected values that it asks for."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def claim(self) -> str:
        """The first line of its docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]


OWN = "own"
"""As ``twin`` or ``accepts`` of a check: of each of its exchanges, the endpoint that it went to."""

REGISTRY: dict[str, Check] = {}


def check(
    *requirements: str, then: str, twin: str = "", accepts: str = "", raw: bool = False, contrast: bool = False
) -> Callable[[Callable[..., Findings]], Check]:
    """Register a function as the check of these requirements; its name is the id. Raises ``ValueError`` on a second use."""

    def register(function: Callable[..., Findings]) -> Check:
        name = function.__name__
        if name in REGISTRY or any(other.then == then for other in REGISTRY.values()):
            raise ValueError(f"check {name}: its name or its sentence stands twice; expected both to be unique")
        REGISTRY[name] = Check(
            id=name,
            requirements=requirements,
            function=function,
            then=then,
            twin=twin,
            accepts=accepts,
            raw=raw,
            contrast=contrast,
        )
        return REGISTRY[name]

    return register


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one run of one check found. ``arguments`` allow to run it again from the journal."""

    check: str
    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    exchanges: tuple[int, ...] = ()


LOAD_SHEDDING = frozenset({429, 502, 503, 504})
"""Statuses by which a gateway, or what stands before it, says that it has no time: they decide nothing."""
_FIREWALL = {403, 406}


def judge(check: Check, arguments: Mapping[str, Any], scenario: Iterable[Exchange] = ()) -> Judgement:
    """Run a check on stored evidence. An exception in the check is our error, never the target's.

    ``scenario``: all exchanges of the scenario so far. What was lost of it on the way decides nothing, and may have decided all.
    """
    exchanges = tuple(_exchanges(arguments.values()))
    numbers = tuple(sorted({exchange.number for exchange in exchanges}))
    encoded = {name: encode_argument(value) for name, value in arguments.items()}
    try:
        if reason := _unusable(check, arguments, exchanges):
            raise CannotJudgeError(reason)  # noqa: TRY301 one way to say so, for us as for a check
        findings, outcome, reason = _found(check, arguments)
        if lost := _lost(outcome, exchanges, scenario):
            raise CannotJudgeError(lost)  # noqa: TRY301 as above
    except NotApplicableError as error:
        findings, outcome, reason = (), Outcome.NOT_APPLICABLE, str(error)
    except CannotJudgeError as error:
        findings, outcome, reason = (), Outcome.NOT_TESTED, str(error)
    except Exception as error:  # noqa: BLE001 whatever a check trips over is our mistake and must be shown as such
        findings, outcome, reason = (), Outcome.ERROR, f"{check.id}: {type(error).__name__}: {error}"
    return Judgement(check=check.id, outcome=outcome, findings=findings, reason=reason, arguments=encoded, exchanges=numbers)


def _found(check: Check, arguments: Mapping[str, Any]) -> tuple[tuple[Finding, ...], Outcome, str]:
    """What a check finds, the worst of it, and how it was attested, if it was. What was found before that stays."""
    findings: list[Finding] = []
    best, reason = Outcome.PASS, ""
    try:
        findings.extend(check.function(**arguments))
    except AttestedError as error:
        best, reason = Outcome.ATTESTED, str(error)
    return tuple(findings), worst([best, *(finding.outcome for finding in findings)]), reason


def _unusable(check: Check, arguments: Mapping[str, Any], exchanges: Sequence[Exchange]) -> str:
    empty = [name for name, value in arguments.items() if value is None or value == ()]
    if empty:
        return f"nothing was seen that could be judged ({', '.join(empty)})"
    if check.raw:  # all may tell it something, but for what we did not wait for
        exchanges = [value for value in arguments.values() if isinstance(value, Exchange) and _is_out_of_time(value)]
    for exchange in exchanges:
        if exchange.trouble:
            return f"{exchange.label}: {exchange.trouble.kind}: {exchange.trouble.detail}"
        if exchange.status in LOAD_SHEDDING:
            return f"rate-limited: {exchange.label} was answered with {exchange.status}"
        if _is_from_a_firewall(exchange):
            return f"a firewall? {exchange.label} was answered with {exchange.status} and a web page"
    return ""


def _lost(outcome: Outcome, judged: Sequence[Exchange], scenario: Iterable[Exchange]) -> str:
    """Why something else of a scenario keeps an outcome from counting; empty when it counts.

    A request that was lost may be why the gateway does what it should not, and an attack that was lost why it does not.
    """
    numbers = {exchange.number for exchange in judged}
    beside = list(scenario)
    for exchange in beside:
        if exchange.number in numbers or not _is_lost(exchange):
            continue
        if outcome in {Outcome.PASS, Outcome.ATTESTED} and not exchange.deviation:
            continue
        later = (e for e in beside if e.number > exchange.number and _same_again(e, exchange))
        if not any(e.number in numbers or not _is_lost(e) for e in later):
            said = f"status {exchange.status}" if exchange.trouble is None else exchange.trouble.detail
            return f"lost on the way, or not heard: {exchange.label} (exchange {exchange.number}): {said}"
    return ""


def _is_lost(exchange: Exchange) -> bool:
    """Whether it is not known that the gateway heard what we sent: no answer came, or none that need be its own.

    What a handshake ends by an alert was heard, and what is not allowed was not meant for it.
    """
    if not exchange.sent:
        return False
    trouble = exchange.trouble
    if trouble is None:
        return exchange.status in LOAD_SHEDDING or _is_from_a_firewall(exchange)
    return trouble.kind not in {"tls", "not-allowed"} and (trouble.kind != "reset" or exchange.was_cut)


def _same_again(one: Exchange, other: Exchange) -> bool:
    """Whether one exchange is the repetition of another: in the same flow, unless what is wrong with them makes them alike."""
    alike = ("label", "endpoint", "identity", "deviation", *(() if one.deviation else ("flow",)))
    same_place = one.request.method == other.request.method and one.request.url == other.request.url
    return same_place and all(getattr(one, name) == getattr(other, name) for name in alike)


def _is_out_of_time(exchange: Exchange) -> bool:
    return exchange.trouble is not None and exchange.trouble.kind == "out-of-time"


def _is_from_a_firewall(exchange: Exchange) -> bool:
    """A web page where gateways speak JSON and FHIR, with a status by which application firewalls refuse."""
    machine = exchange.endpoint in {"token", "resource"} and exchange.status in _FIREWALL
    return machine and exchange.response is not None and exchange.response.media_type == "text/html"


def _exchanges(values: Iterable[Any]) -> Iterator[Exchange]:
    for value in values:
        if isinstance(value, Exchange):
            yield value
        elif isinstance(value, tuple):
            yield from _exchanges(value)


def encode_argument(value: Any) -> Any:
    """An argument of a check as JSON: an exchange by its number, a release by its name."""
    match value:
        case Exchange():
            return {"exchange": value.number}
        case Release():
            return {"release": value.id}
        case Observation():
            return {"observation": value.kind, "facts": dict(value.facts)}
        case tuple():
            return [encode_argument(member) for member in value]
        case str() | int() | float() | bool() | None:
            return value
    raise TypeError(f"a check cannot take a {type(value).__name__}: it could not be judged again from the journal")


def decode_argument(data: Any, exchanges: Mapping[int, Exchange], release: Callable[[str], Release]) -> Any:
    """The inverse of ``encode_argument``. Raises ``KeyError`` when an exchange is missing."""
    match data:
        case {"exchange": number}:
            return exchanges[number]
        case {"release": name}:
            return release(name)
        case {"observation": kind, "facts": facts}:
            return Observation(kind, facts)
        case list():
            return tuple(decode_argument(member, exchanges, release) for member in data)
    return data


def outcome_for(requirement: Requirement, outcome: Outcome) -> Outcome:
    """What a check's outcome means for a requirement.

    A SHOULD, a MAY or a later release is at most a warning; nobody can call a MUST not applicable, which leaves it not tested.
    """
    if outcome is Outcome.NOT_APPLICABLE and requirement.level == "MUST":
        return Outcome.NOT_TESTED
    return Outcome.WARNING if outcome is Outcome.FAIL and requirement.at_most_warning else outcome


def run_verdict(outcomes: Iterable[Outcome]) -> str:
    """The verdict of a run over the requirements inside its plan: ``fail`` > ``error`` > ``undecided`` > ``pass``.

    A run that judged nothing is undecided.
    """
    seen = set(outcomes)
    if Outcome.FAIL in seen:
        return "fail"
    if Outcome.ERROR in seen:
        return "error"
    if not seen or seen & {Outcome.NOT_TESTED, Outcome.REVIEW} or seen == {Outcome.NOT_APPLICABLE}:
        return "undecided"
    return "pass"


EXIT_CODES: Mapping[str, int] = {"pass": 0, "fail": 1, "undecided": 3, "error": 4}
"""Verdict of a run -> exit code. 2 is kept for a wrong command or configuration."""
