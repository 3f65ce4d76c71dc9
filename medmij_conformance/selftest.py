"""How we know that every check can fail: the kill matrix and the null counterparts.

Every deviation of a reference is switched on in turn (legal oddities several at a time) and all scenarios are run against
it. The checks that object must
be exactly those that the deviation declares; every check must be in at least one such set; no two checks may always be killed
together; and against counterparts that do nothing, no check may pass.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medmij_conformance.reference.deviation import Deviation
from medmij_conformance.reference.dvza_deviations import DEVIATIONS, NULL_ANSWERS, ODDITIES_TOGETHER, SHEDDING
from medmij_conformance.report import build_run
from medmij_conformance.verdict import REGISTRY, Outcome

CLOSED_PORT = "a closed port"
CONFORMANT = "conformant"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One run of all scenarios against one variant of the reference: the outcomes of each check, and the run's verdict."""

    variant: str
    verdict: str
    outcomes: Mapping[str, tuple[str, ...]]

    def with_outcome(self, *outcomes: Outcome) -> frozenset[str]:
        """The checks that had one of these outcomes in some scenario."""
        return frozenset(name for name, seen in self.outcomes.items() if set(seen) & set(outcomes))


def round_of(variant: str, records: Iterable[Mapping[str, Any]]) -> Round:
    """What the journal records of one run say, check by check."""
    run = build_run(records)
    outcomes: defaultdict[str, list[str]] = defaultdict(list)
    for scenario in run.scenarios:
        for verdict in scenario.verdicts:
            outcomes[verdict.check].append(verdict.outcome.value)
    return Round(variant=variant, verdict=run.verdict, outcomes={name: tuple(v) for name, v in outcomes.items()})


@dataclass(slots=True)
class Result:
    """What the selftest found. ``problems`` is empty when all is well."""

    rounds: list[Round] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    killers: dict[str, list[str]] = field(default_factory=dict)
    null_passes: dict[str, list[str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The contract of ``selftest --json``."""
        return {
            "checks": [
                {"id": name, "role": "dvza", "killers": killers, "killed": bool(killers)}
                for name, killers in sorted(self.killers.items())
            ],
            "null": [{"name": name, "passes": passes} for name, passes in self.null_passes.items()],
            "reference": [{"role": "dvza", "verdict": r.verdict} for r in self.rounds if r.variant == CONFORMANT],
            "problems": self.problems,
        }


def judge_rounds(rounds: Sequence[Round], deviations: Mapping[str, Deviation]) -> Result:
    """Compare what was found with what the deviations declare."""
    result = Result(rounds=list(rounds))
    by_name = {each.variant: each for each in rounds}
    checks = sorted({name for each in rounds for name in each.outcomes})
    baseline = by_name[CONFORMANT]
    if baseline.verdict != "pass":
        result.problems.append(f"the conformant reference is {baseline.verdict}, expected pass")
    for name in checks:
        if not set(baseline.outcomes.get(name, ("nothing",))) <= {Outcome.PASS.value, Outcome.ATTESTED.value}:
            result.problems.append(f"{name}: {baseline.outcomes.get(name)} on the conformant reference, expected pass")
    for name, deviation in deviations.items():
        if name in by_name:
            result.problems += compare(deviation, by_name[name])
    for each in rounds:
        if " + " in each.variant and (objected := sorted(each.with_outcome(Outcome.FAIL, Outcome.WARNING, Outcome.ERROR))):
            result.problems.append(f"{', '.join(objected)} objected to something legal among {each.variant}")
        if each.variant in SHEDDING and (failed := sorted(each.with_outcome(Outcome.FAIL))):
            result.problems.append(f"{each.variant}: {', '.join(failed)} failed on an answer that says nothing")
    _find_killers(result, checks, deviations)
    _find_null_passes(result, deviations)
    return result


def compare(deviation: Deviation, seen: Round) -> list[str]:
    """How a round differs from what its deviation declares."""
    problems = []
    failed = seen.with_outcome(Outcome.FAIL)
    warned = seen.with_outcome(Outcome.WARNING) - failed
    for kind, declared, found in (("breaks", deviation.breaks, failed), ("warns", deviation.warns, warned)):
        if missing := sorted(declared - found):
            problems.append(f"{deviation.name}: {kind} {', '.join(missing)}, but these did not object")
        if extra := sorted(found - declared):
            problems.append(f"{deviation.name}: {', '.join(extra)} objected, but are not declared under {kind}")
    expected = "fail" if deviation.breaks else "pass"
    if seen.verdict not in {expected, "undecided" if deviation.untested else expected}:
        problems.append(f"{deviation.name}: the run's verdict is {seen.verdict}, expected {expected}")
    if errors := sorted(seen.with_outcome(Outcome.ERROR)):
        problems.append(f"{deviation.name}: {', '.join(errors)} ended in an error of ours")
    return problems


def _find_killers(result: Result, checks: Sequence[str], deviations: Mapping[str, Deviation]) -> None:
    sets: defaultdict[frozenset[str], list[str]] = defaultdict(list)
    for name in checks:
        broken = [d.name for d in deviations.values() if name in d.breaks]
        warned = [f"{d.name} (warning)" for d in deviations.values() if name in d.warns]
        result.killers[name] = killers = broken + warned
        if killers:
            sets[frozenset(killers)].append(name)
        else:
            result.problems.append(f"{name}: no deviation breaks it; a check without a killer does not exist")
    for names in sets.values():
        if len(names) > 1:
            result.problems.append(f"{', '.join(names)}: always broken together; merge them or tell them apart")


def _find_null_passes(result: Result, deviations: Mapping[str, Deviation]) -> None:
    for each in result.rounds:
        if each.variant != CONFORMANT and each.variant not in deviations and " + " not in each.variant:
            passed = sorted(each.with_outcome(Outcome.PASS, Outcome.ATTESTED, Outcome.WARNING))
            result.null_passes[each.variant] = passed
            if passed:
                result.problems.append(f"{each.variant}: {', '.join(passed)} passed on a counterpart that does nothing")


def run_selftest(parts: int = 2, only: Sequence[str] = (), progress: Callable[[str], None] = lambda _: None) -> Result:
    """Run the whole selftest in ``parts`` processes at a time. ``only`` names deviations (the conformant run is always there)."""
    names = [name for name in DEVIATIONS.by_name if not only or name in only]
    together = {name for group in ODDITIES_TOGETHER for name in group}
    groups = [" + ".join(name for name in group if name in names) for group in ODDITIES_TOGETHER]
    single = [name for name in names if name not in together]
    variants = [CONFORMANT, *single, *filter(None, groups), *([] if only else [*SHEDDING, *NULL_ANSWERS, CLOSED_PORT])]
    shares = [variants[number::parts] for number in range(parts)]
    with tempfile.TemporaryDirectory(prefix="selftest-") as folder:
        running = []
        for number, share in enumerate(shares):
            out = Path(folder) / f"part-{number}.json"
            command = [sys.executable, "-m", "medmij_conformance.selftest_worker", str(out), *share]
            running.append((subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True), out))
        rounds = []
        for process, out in running:
            said, _ = process.communicate()
            if not out.is_file():
                raise RuntimeError(f"a part of the selftest ended with exit {process.returncode}:\n{said[-4000:]}")
            rounds += [Round(**row) for row in json.loads(out.read_text(encoding="utf-8"))]
            progress(f"{len(rounds)} of {len(variants)} variants run")
    result = judge_rounds(rounds, DEVIATIONS.by_name)
    unused = sorted(set(REGISTRY) - set(result.killers))
    if not only and unused:
        result.problems.append(f"{', '.join(unused)}: no scenario runs these checks")
    return result
