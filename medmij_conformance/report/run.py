"""The one model of a finished (or interrupted) run: everything a report shows, read back from the journal.

Roll-up happens here and nowhere else: a judgement becomes a verdict per requirement, a refusal without its accepted
twin becomes ``not_tested``, planned checks that never ran become ``not_tested``, and the worst verdict is the
requirement's outcome.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medmij_conformance.evidence import Exchange, from_json, read_journal
from medmij_conformance.guideline import editions
from medmij_conformance.posture import Posture, postures
from medmij_conformance.requirements import Catalogue, Requirement, catalogue, release
from medmij_conformance.verdict import OWN, REGISTRY, Finding, Outcome, outcome_for, run_verdict, worst

JOURNAL = "evidence.jsonl"
EXTRA_JOURNAL = "evidence-extra.jsonl"
"""The journal of the vendor's own scenarios, of which nothing counts."""


class JournalError(ValueError):
    """The journal cannot be read as a run; the message names the file and what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one check says about one requirement in one scenario."""

    requirement: str
    check: str
    claim: str
    outcome: Outcome
    scenario: str
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    exchanges: tuple[int, ...] = ()

    @property
    def expected(self) -> str:
        """What the findings expected, or else what the check claims."""
        return "; ".join(dict.fromkeys(finding.expected for finding in self.findings)) or self.claim

    @property
    def observed(self) -> str:
        """What was seen instead; the reason when nothing could be judged; as expected when there is no finding."""
        return "; ".join(dict.fromkeys(f.observed for f in self.findings)) or self.reason or "as expected"

    @property
    def readings(self) -> tuple[str, ...]:
        """The readings of ambiguous passages that the findings lean on."""
        return tuple(dict.fromkeys(finding.reading for finding in self.findings if finding.reading))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A sentence of a scenario as it went: ``passed``, ``failed``, ``stopped`` or ``not run``."""

    keyword: str
    text: str
    outcome: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A scenario as planned and as it went."""

    id: str
    name: str
    title_nl: str
    feature: str
    requirements: tuple[str, ...]
    outcome: Outcome
    duration_s: float
    reason: str
    steps: tuple[Step, ...]
    verdicts: tuple[Verdict, ...]
    exchanges: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementResult:
    """What the run says about a requirement.

    ``promised``: the plan promises it. ``planned``: scenarios of this run show it, so it counts for the verdict.
    """

    requirement: Requirement
    outcome: Outcome
    promised: bool
    planned: bool
    reason: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """The vendor's own scenarios: no part of the verdict, of what is counted, or of what is promised.

    ``folder`` is where they stood, ``digest`` that of the folder; ``trouble`` is what went wrong around them, else empty.
    """

    folder: str
    digest: str
    trouble: str
    scenarios: tuple[Scenario, ...]
    exchanges: Mapping[int, Exchange] = field(repr=False)

    @property
    def headline(self) -> str:
        """How they went, in one line."""
        told = {outcome: sum(each.outcome is outcome for each in self.scenarios) for outcome in WORST_AND_NA}
        counts = ", ".join(f"{count} {outcome.value.replace('_', ' ')}" for outcome, count in told.items() if count)
        ends = f"; {self.trouble}" if self.trouble else ""
        return f"own scenarios, not part of the verdict: {counts or 'none was seen'}{ends}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the harness against one target."""

    tool: Mapping[str, str]
    target: Mapping[str, Any]
    role: str
    release: str
    plan: str
    seed: int
    command: str
    started: str
    finished: str | None
    interrupted: bool
    requirements: tuple[RequirementResult, ...]
    scenarios: tuple[Scenario, ...]
    exchanges: Mapping[int, Exchange] = field(repr=False)
    trouble: str = ""
    baseline: Mapping[str, Any] | None = None
    """The record of the baseline that was given, if one was; ``baseline.assess`` says what it makes of the run."""
    extra: Extra | None = None
    """The vendor's own scenarios, if there were any."""

    @property
    def postures(self) -> list[Posture]:
        """What was seen of TLS, by the edition that the target file names; nothing in a journal that names none."""
        edition = self.target.get("tls_edition", "")
        return postures(self.exchanges.values(), edition) if edition in editions() else []

    @property
    def verdict(self) -> str:
        """``pass``, ``fail``, ``undecided`` or ``error``, over the planned requirements and every failure seen."""
        return self.verdict_by(lambda result: result.outcome)

    def verdict_by(self, outcome_of: Callable[["RequirementResult"], Outcome]) -> str:
        """The verdict of this run if ``outcome_of`` each counted requirement were its outcome."""
        counted = [outcome_of(r) for r in self.requirements if r.planned or r.outcome is Outcome.FAIL]
        if self.trouble:
            # Who stops a run decides nothing by it; a run that ends without a word has gone wrong.
            counted.append(Outcome.NOT_TESTED if self.interrupted and self.finished else Outcome.ERROR)
        return run_verdict(counted)

    @property
    def shown(self) -> int:
        """How many promised requirements were judged without a deviation."""
        good = {Outcome.PASS, Outcome.WARNING, Outcome.ATTESTED, Outcome.NOT_APPLICABLE}
        return sum(result.promised and result.outcome in good for result in self.requirements)

    @property
    def promised(self) -> int:
        """How many requirements the plan promises for this role."""
        return sum(result.promised for result in self.requirements)

    @property
    def complete(self) -> bool:
        """Whether every promised requirement was judged without a deviation."""
        return not self.trouble and self.shown == self.promised > 0

    @property
    def headline(self) -> str:
        """The verdict in one sentence, with what it covers."""
        counts = f"{self.shown} of {self.promised} requirements ({self.plan} plan)"
        failed = sum(result.outcome is Outcome.FAIL for result in self.requirements)
        open_ = sum(result.planned and result.outcome in {Outcome.NOT_TESTED, Outcome.REVIEW} for result in self.requirements)
        match self.verdict:
            case "pass":
                return f"no deviation found in {counts}"
            case "fail":
                return f"{failed} requirement{'s' * (failed != 1)} not met; no deviation found in {counts}"
            case "undecided":
                why = f"{self.trouble}; " if self.trouble else ""
                return f"{why}{open_} requirement{'s' * (open_ != 1)} could not be judged; no deviation found in {counts}"
        return f"{self.trouble or 'the harness went wrong in a check'}; no deviation found in {counts}"

    def counts(self) -> dict[str, int]:
        """Outcome -> how many requirements of the role have it, worst first."""
        order = [*WORST_AND_NA]
        return {outcome.value: sum(r.outcome is outcome for r in self.requirements) for outcome in order}


WORST_AND_NA = (
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.NOT_TESTED,
    Outcome.REVIEW,
    Outcome.WARNING,
    Outcome.ATTESTED,
    Outcome.PASS,
    Outcome.NOT_APPLICABLE,
)


def read_run(directory: Path) -> Run:
    """The run whose journal stands in ``directory``. Raises ``JournalError`` when there is none or it is no journal."""
    path = directory / JOURNAL
    if not path.is_file():
        raise JournalError(f"{path}: no journal; expected the directory of a run, with {JOURNAL} in it")
    try:
        run = build_run(read_journal(path))
    except (KeyError, TypeError, ValueError) as error:
        raise JournalError(f"{path}: not the journal of a run ({type(error).__name__}: {error})") from error
    return replace(run, extra=_read_extra(directory / EXTRA_JOURNAL, catalogue(release(run.release).catalogue)))


def _read_extra(path: Path, known: Catalogue) -> Extra | None:
    """The own scenarios whose journal is ``path``; None when there is none. A journal that cannot be read is said to be so."""
    if not path.is_file():
        return None
    try:
        return _build_extra(read_journal(path), known)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        trouble = f"{path.name} cannot be read ({type(error).__name__}: {error})"
        return Extra(folder="", digest="", trouble=trouble, scenarios=(), exchanges={})


def _build_extra(records: Iterable[Mapping[str, Any]], known: Catalogue) -> Extra:
    by_type: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        by_type[record["type"]].append(record)
    exchanges = {record["number"]: from_json(record) for record in by_type["exchange"]}
    twins = _Twins([*by_type["judgement"], *by_type["precondition"]], exchanges)
    own = _by_scenario(by_type, exchanges)
    rows = by_type["own"][-1]["scenarios"] if by_type["own"] else []
    ended = [record["trouble"] for kind in ("extra-end", "run-end") for record in by_type[kind] if record["trouble"]]
    opening = by_type["extra"][0]
    scenarios = tuple(_own_scenario(row, own[row["id"]], twins, known) for row in rows)
    told = {number for scenario in scenarios for number in scenario.exchanges}
    for step in (step for scenario in scenarios for step in scenario.steps):
        if not all(isinstance(text, str) for text in (step.keyword, step.text, step.outcome, step.detail)):
            raise TypeError("a step is told by something else than text")
    return Extra(
        folder=opening["folder"],
        digest=opening["digest"],
        trouble=ended[0] if ended else "" if by_type["run-end"] else "they ended before their last scenario",
        scenarios=scenarios,
        exchanges={number: exchange for number, exchange in exchanges.items() if number in told},
    )


def _own_scenario(row: Mapping[str, Any], records: "_Records", twins: "_Twins", known: Catalogue) -> Scenario:
    """An own scenario: what its checks say, and what its own steps say, which have no check."""
    scenario = _scenario({**row, "checks": ()}, records, twins, known)
    end = records.by_type["scenario-end"]
    outcomes = [verdict.outcome for verdict in scenario.verdicts]
    reason = row["aside"] or scenario.reason
    if not outcomes or reason:
        outcomes.append(Outcome(end[-1]["outcome"]) if end else Outcome.NOT_TESTED)
    return replace(scenario, outcome=worst(outcomes), reason=reason)


def build_run(records: Iterable[Mapping[str, Any]]) -> Run:
    """The run that these journal records describe. Raises ``KeyError`` when the opening records are missing."""
    by_type: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        by_type[record["type"]].append(record)
    if not by_type["run"] or not by_type["plan"]:
        raise ValueError("the records that open a run are missing")
    opening, plan = by_type["run"][0], by_type["plan"][-1]
    unknown = {r["check"] for kind in ("judgement", "precondition") for r in by_type[kind]} - REGISTRY.keys()
    if unknown:
        raise ValueError(f"checks {sorted(unknown)} are not known to this version of the harness")
    exchanges = {record["number"]: from_json(record) for record in by_type["exchange"]}
    known = catalogue(release(opening["release"]).catalogue)
    twins = _Twins([*by_type["judgement"], *by_type["precondition"]], exchanges)
    own = _by_scenario(by_type, exchanges)
    scenarios = tuple(_scenario(row, own[row["id"]], twins, known) for row in plan["scenarios"])
    ended = by_type["run-end"]
    return Run(
        **{key: opening[key] for key in ("tool", "target", "role", "release", "plan", "seed", "command", "started")},
        finished=ended[-1]["finished"] if ended else None,
        interrupted=ended[-1].get("interrupted", False) if ended else True,
        trouble=ended[-1].get("trouble", "") if ended else "the run was interrupted before its end",
        requirements=tuple(_requirement_results(known, opening, plan, scenarios)),
        scenarios=scenarios,
        exchanges=exchanges,
        baseline=by_type["baseline"][-1] if by_type["baseline"] else None,
    )


class _Twins:
    """Which requests without a defect were accepted, by endpoint and identity."""

    def __init__(self, judgements: Iterable[Mapping[str, Any]], exchanges: Mapping[int, Exchange]) -> None:
        self._exchanges = exchanges
        self._accepted: dict[tuple[str, str], list[int]] = defaultdict(list)
        for record in judgements:
            endpoint = REGISTRY[record["check"]].accepts
            if endpoint and record["outcome"] in {Outcome.PASS, Outcome.ATTESTED} and record["exchanges"]:
                for number in _decisive(endpoint, record["exchanges"]):
                    exchange = exchanges[number]
                    self._accepted[exchange.endpoint if endpoint == OWN else endpoint, exchange.identity].append(number)

    def missing(self, record: Mapping[str, Any]) -> str:
        """Why a refusal does not count; empty when its twin was accepted before and after it."""
        endpoint = REGISTRY[record["check"]].twin
        if not endpoint or not record["exchanges"]:
            return ""
        lone = (self._alone(endpoint, number) for number in _decisive(endpoint, record["exchanges"]))
        return next(filter(None, lone), "")

    def _alone(self, endpoint: str, number: int) -> str:
        exchange = self._exchanges[number]
        identity, place = exchange.twin, exchange.endpoint if endpoint == OWN else endpoint
        accepted = self._accepted[place, identity]
        beside = {"before": any(other < number for other in accepted), "after": any(other > number for other in accepted)}
        sides = [side for side, seen in beside.items() if not seen]
        if not sides:
            return ""
        when = " and ".join(sides)
        return f"the same request without the defect was not seen accepted {when} it ({identity}, {place})"


def _decisive(endpoint: str, exchanges: Sequence[int]) -> Sequence[int]:
    """The exchanges of a check that stand for acceptance or refusal: the last one, or each of them."""
    return exchanges if endpoint == OWN else [max(exchanges)]


@dataclass(slots=True)
class _Records:
    """What the journal holds of one scenario."""

    by_type: defaultdict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    exchanges: list[int] = field(default_factory=list)


def _by_scenario(by_type: Mapping[str, list[Mapping[str, Any]]], exchanges: Mapping[int, Exchange]) -> defaultdict[str, _Records]:
    found: defaultdict[str, _Records] = defaultdict(_Records)
    for kind in _SCENARIO_RECORDS:
        for record in by_type[kind]:
            found[record.get("scenario", "")].by_type[kind].append(record)
    for number, exchange in exchanges.items():
        found[exchange.scenario].exchanges.append(number)
    return found


def _scenario(row: Mapping[str, Any], records: _Records, twins: _Twins, known: Catalogue) -> Scenario:
    own = records.by_type
    end = own["scenario-end"][-1] if own["scenario-end"] else None
    reason = end["reason"] if end else ("not finished" if own["scenario-start"] else "not run")
    verdicts = [v for record in own["judgement"] for v in _verdicts(record, twins, known)]
    judged = {record["check"] for record in own["judgement"]}
    verdicts += [
        Verdict(
            requirement=requirement,
            check=name,
            claim=REGISTRY[name].claim,
            outcome=Outcome.ERROR if end and end["outcome"] == "error" else Outcome.NOT_TESTED,
            scenario=row["id"],
            reason=reason or "the scenario did not get this far",
        )
        for name in row["checks"]
        if name not in judged
        for requirement in REGISTRY[name].requirements
    ]
    outcome = Outcome.ERROR if end and end["outcome"] == "error" else worst(v.outcome for v in verdicts)
    steps = [Step(**{k: record[k] for k in ("keyword", "text", "outcome", "detail")}) for record in own["step"]]
    steps += [Step(**step, outcome="not run") for step in row["steps"][len(steps) :]]
    return Scenario(
        **{key: row[key] for key in ("id", "name", "title_nl", "feature")},
        requirements=tuple(row["requirements"]),
        outcome=outcome,
        duration_s=end["duration_s"] if end else 0.0,
        reason=reason,
        steps=tuple(steps),
        verdicts=tuple(verdicts),
        exchanges=tuple(records.exchanges),
    )


# A blemished refusal proves as little as a clean one when the gateway refuses everything.
_NEEDS_A_TWIN = {Outcome.PASS, Outcome.ATTESTED, Outcome.WARNING, Outcome.REVIEW}
_SCENARIO_RECORDS = ("scenario-start", "scenario-end", "step", "judgement")


def _verdicts(record: Mapping[str, Any], twins: _Twins, known: Catalogue) -> list[Verdict]:
    check = REGISTRY[record["check"]]
    outcome, reason = Outcome(record["outcome"]), record["reason"]
    needs_a_twin = outcome in _NEEDS_A_TWIN or (check.contrast and outcome is Outcome.FAIL)
    if needs_a_twin and (missing := twins.missing(record)):
        outcome, reason = Outcome.NOT_TESTED, missing
    findings = tuple(Finding(**{**f, "outcome": Outcome(f["outcome"])}) for f in record["findings"])
    return [
        Verdict(
            requirement=requirement,
            check=check.id,
            claim=check.claim,
            outcome=outcome_for(known[requirement], outcome),
            scenario=record["scenario"],
            findings=findings,
            reason=reason,
            exchanges=tuple(record["exchanges"]),
        )
        for requirement in check.requirements
    ]


def _requirement_results(
    known: Catalogue, opening: Mapping[str, Any], plan: Mapping[str, Any], scenarios: Iterable[Scenario]
) -> Iterable[RequirementResult]:
    verdicts: dict[str, list[Verdict]] = defaultdict(list)
    for scenario in scenarios:
        for verdict in scenario.verdicts:
            verdicts[verdict.requirement].append(verdict)
    for requirement in known.of_role(opening["role"]):
        row = plan["requirements"][requirement.id]
        own = tuple(v for bearer in sorted(known.bearers(requirement.id)) for v in verdicts[bearer])
        excused = opening["target"].get("not_applicable", {}).get(requirement.id)
        outcome = worst(outcome_for(requirement, verdict.outcome) for verdict in own)
        if not row["planned"] and outcome is not Outcome.FAIL:
            outcome = Outcome.NOT_TESTED
        yield RequirementResult(
            requirement=requirement,
            outcome=Outcome.NOT_APPLICABLE if excused else outcome,
            promised=row["promised"],
            planned=row["planned"] and not excused,
            reason=excused or row["reason"],
            verdicts=own,
        )
