"""How we know that every check can fail: the kill matrix and the null counterparts.

Every deviation of a reference is switched on in turn (legal oddities several at a time) and scenarios are run against it. The
checks that object must be exactly those that the deviation declares; every check must be in at least one such set; no two checks
may always be killed together; and against counterparts that do nothing, no check may pass.

A deviation runs the scenarios of the checks that it declares, and the controls; with ``whole`` it runs every scenario of the plan.
What declares nothing (legal oddities, load shedding, counterparts that do nothing) always runs every scenario: any may object.
"""

import contextlib
import difflib
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import medmij_conformance.checks  # noqa: F401 what a deviation declares are checks
from medmij_conformance.reference.deviation import Deviation
from medmij_conformance.reference.roles import REFERENCES
from medmij_conformance.report import build_run
from medmij_conformance.verdict import REGISTRY, Outcome

CLOSED_PORT = "a closed port"
CONFORMANT = "conformant"
NEEDS_A_BROWSER = frozenset(name for reference in REFERENCES.values() for name in reference.needs_a_browser)
UNDECIDED = NEEDS_A_BROWSER.union(*(reference.needs_patience for reference in REFERENCES.values()))
PARTS = 3  # processes at a time: one more than most machines have cores, because scenarios wait as well
VARIANT_S = 600  # seconds after which a worker that still runs the same variant is taken for dead


class UnknownDeviationError(ValueError):
    """A name that no deviation has; the message tells the nearest names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One run of scenarios against one variant of the reference: the outcomes of each check, and the run's verdict."""

    variant: str
    verdict: str
    outcomes: Mapping[str, tuple[str, ...]]
    role: str = "dvza"

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
    return Round(variant=variant, verdict=run.verdict, outcomes={n: tuple(v) for n, v in outcomes.items()}, role=run.role)


@dataclass(slots=True)
class Result:
    """What the selftest found. ``problems`` is empty when all is well."""

    rounds: list[Round] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    killers: dict[str, list[str]] = field(default_factory=dict)
    null_passes: dict[str, list[str]] = field(default_factory=dict)
    roles: dict[str, list[str]] = field(default_factory=dict)
    """Check -> the roles whose scenarios run it."""

    def add(self, role: str, other: "Result") -> None:
        """Take in what was found for a role."""
        self.rounds += other.rounds
        self.problems += [f"{role}: {problem}" for problem in other.problems]
        for name, killers in other.killers.items():
            self.killers[name] = self.killers.get(name, []) + killers
            self.roles.setdefault(name, []).append(role)
        self.null_passes |= {f"{role}: {name}": passes for name, passes in other.null_passes.items()}

    def as_json(self) -> dict[str, Any]:
        """The contract of ``selftest --json``."""
        return {
            "checks": [
                {"id": name, "role": " ".join(self.roles.get(name, ())), "killers": killers, "killed": bool(killers)}
                for name, killers in sorted(self.killers.items())
            ],
            "null": [{"name": name, "passes": passes} for name, passes in self.null_passes.items()],
            "reference": [{"role": r.role, "verdict": r.verdict} for r in self.rounds if r.variant == CONFORMANT],
            "problems": self.problems,
        }


def judge_rounds(rounds: Sequence[Round], deviations: Mapping[str, Deviation]) -> Result:
    """Compare what was found with what the deviations declare."""
    result = Result(rounds=list(rounds))
    by_name = {each.variant: each for each in rounds}
    checks = sorted({name for each in rounds for name in each.outcomes})
    if CONFORMANT in by_name:
        result.problems += _baseline_problems(by_name[CONFORMANT], checks)
    for name, deviation in deviations.items():
        if name in by_name:
            result.problems += compare(deviation, by_name[name])
    for each in rounds:
        if " + " in each.variant and (objected := sorted(each.with_outcome(Outcome.FAIL, Outcome.WARNING, Outcome.ERROR))):
            result.problems.append(f"{', '.join(objected)} objected to something legal among {each.variant}")
        if " + " in each.variant and each.verdict != "pass":
            result.problems.append(f"the run's verdict is {each.verdict} with something legal among {each.variant}, expected pass")
        if each.variant in REFERENCES[each.role].shedding and (failed := sorted(each.with_outcome(Outcome.FAIL))):
            result.problems.append(f"{each.variant}: {', '.join(failed)} failed on an answer that says nothing")
    _find_killers(result, checks, deviations)
    _find_null_passes(result, deviations)
    return result


def _baseline_problems(baseline: Round, checks: Iterable[str]) -> Iterator[str]:
    if baseline.verdict != "pass":
        yield f"the conformant reference is {baseline.verdict}, expected pass"
    for name in checks:
        if not set(baseline.outcomes.get(name, ("nothing",))) <= {Outcome.PASS.value, Outcome.ATTESTED.value}:
            yield f"{name}: {baseline.outcomes.get(name)} on the conformant reference, expected pass"


def compare(deviation: Deviation, seen: Round) -> list[str]:
    """How a round differs from what its deviation declares."""
    problems = []
    failed = seen.with_outcome(Outcome.FAIL)
    warned = seen.with_outcome(Outcome.WARNING) - failed
    for kind, declared, found in (("breaks", deviation.breaks, failed), ("warns", deviation.warns, warned)):
        if missing := sorted(declared - found):
            instead = ", ".join(f"{name} ({' '.join(sorted(set(seen.outcomes.get(name, ())))) or 'not run'})" for name in missing)
            problems.append(f"{deviation.name}: {kind} {instead}, but these did not object")
        if extra := sorted(found - declared):
            problems.append(f"{deviation.name}: {', '.join(extra)} objected, but are not declared under {kind}")
    expected = "fail" if deviation.breaks else "undecided" if deviation.name in UNDECIDED else "pass"
    if seen.verdict != expected:
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
        unseen = each.variant in NEEDS_A_BROWSER or (each.variant not in deviations and " + " not in each.variant)
        if each.variant != CONFORMANT and unseen:
            passed = sorted(each.with_outcome(Outcome.PASS, Outcome.ATTESTED, Outcome.WARNING))
            result.null_passes[each.variant] = passed
            if passed:
                result.problems.append(f"{each.variant}: {', '.join(passed)} passed on a counterpart that does nothing")


def declared(variant: str, role: str = "dvza") -> frozenset[str]:
    """The checks that a variant says it breaks or that warn; none for one that nothing may object to, or that does nothing."""
    deviation = REFERENCES[role].deviations.by_name.get(variant)
    return deviation.breaks | deviation.warns if deviation else frozenset()


def is_compared(variant: str, role: str = "dvza") -> bool:
    """Whether what a variant declares is seen only beside the controls before and after it.

    An objection stands by itself, unless its check compares with a request that was accepted. A warning without a control is none:
    it would stand for a refusal of everybody.
    """
    deviation = REFERENCES[role].deviations.by_name.get(variant)
    if deviation is None or deviation.warns or not deviation.breaks:
        return True
    return any(REGISTRY[name].contrast for name in deviation.breaks)


def variants(only: Sequence[str] = (), role: str = "dvza") -> list[str]:
    """What is run for a role, the conformant reference first; ``only`` names deviations of any role.

    Raises ``UnknownDeviationError``.
    """
    known = {name for each in REFERENCES.values() for name in each.deviations.by_name}
    for name in only:
        if name not in known:
            near = difflib.get_close_matches(name, known, cutoff=0.5) or sorted(known)[:3]
            raise UnknownDeviationError(f"there is no deviation {name!r}; expected a name such as {', '.join(near)}")
    reference = REFERENCES[role]
    names = [name for name in reference.deviations.by_name if not only or name in only]
    together = {name for group in reference.oddities_together for name in group}
    groups = [" + ".join(name for name in group if name in names) for group in reference.oddities_together]
    unhelpful = [] if only else [*reference.shedding, *reference.null_answers, CLOSED_PORT]
    slow = [name for name in names if name in reference.takes_a_minute]  # they wait while the others work
    alone = sorted((name for name in names if name not in together and name not in slow), key=lambda name: bool(declared(name)))
    return [CONFORMANT, *slow, *filter(None, groups), *unhelpful, *alone]


def is_simple(variant: str, role: str) -> bool:
    """Whether a variant is seen as well where people log in on a page of the reference itself, which takes half the messages.

    That is so when DigiD has no part in it: neither the deviation nor a check that it breaks is about that login. Of legal oddities
    that are switched on together, none is.
    """
    deviations = REFERENCES[role].deviations.by_name
    deviation = deviations.get(variant)
    if role in _SIMPLER and " + " in variant:
        return not any(deviations[name].apply.__module__.endswith(_SIMPLER[role]) for name in variant.split(" + "))
    if role in _SIMPLER and variant in NEEDS_A_BROWSER:
        return True  # its own login page is one of those that need a browser
    if role not in _SIMPLER or deviation is None or not declared(variant, role):
        return False
    modules = {REGISTRY[name].function.__module__ for name in declared(variant, role)} | {deviation.apply.__module__}
    return not any(module.endswith(_SIMPLER[role]) for module in modules)


_SIMPLER = {"dvza": ".digid"}
"""Role -> the modules about a login that a simpler reference does not have."""


class _WorkerError(Exception):
    """A process ended before it had run a variant; the message says how and gives its last words."""


@dataclass(frozen=True, slots=True)
class Job:
    """A variant to run: against the reference of a role, or against a ``simple`` one, which takes half the messages."""

    variant: str
    role: str = "dvza"
    simple: bool = False


class _Worker:
    """A process that runs one variant after the other; it starts with the first, and anew where another reference is wanted."""

    def __init__(self, *, whole: bool) -> None:
        self._options = ["--whole"] * whole
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 closed with the worker
        self._process: subprocess.Popen[str] | None = None
        self._of: tuple[str, bool] | None = None

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._said.close()

    def run(self, job: Job) -> Round:
        """Run one variant. Raises ``_WorkerError`` when the process ends before; the next call then starts another."""
        process = self._process_for(job)
        watchdog = threading.Timer(VARIANT_S, process.kill)
        watchdog.start()
        try:
            print(job.variant, file=process.stdin, flush=True)
            line = process.stdout.readline() if process.stdout else ""
        except BrokenPipeError:
            line = ""
        finally:
            watchdog.cancel()
        if not line:
            raise _WorkerError(f"its process ended with exit {self._stop()}: {self._last_words()}")
        return Round(**json.loads(line))

    def _process_for(self, job: Job) -> "subprocess.Popen[str]":
        if self._of != (job.role, job.simple):
            self._stop()
        if self._process is None:
            command = [
                sys.executable,
                "-m",
                "medmij_conformance.selftest_worker",
                job.role,
                *self._options,
                *["--simple"] * job.simple,
            ]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._said, text=True)
            self._of = (job.role, job.simple)
        return self._process

    def _stop(self) -> int:
        """End the process, if there is one. Gives its exit code; below zero, the signal that killed it."""
        if self._process is None:
            return 0
        with self._process as process, contextlib.suppress(BrokenPipeError):
            if process.stdin:
                process.stdin.close()
        self._process = None
        return process.returncode

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")


def run_variants(
    jobs: Sequence[Job], *, parts: int = PARTS, whole: bool = False, progress: Callable[[str], None] = lambda _: None
) -> tuple[list[Round], dict[Job, str]]:
    """Run variants in ``parts`` processes at a time, each taking the next one when it is free.

    Gives the rounds, in the order of the jobs, and for each variant that took its process down, why.
    """
    crashes: dict[Job, str] = {}
    idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()

    def run(job: Job) -> Round | None:
        worker = idle.get()
        try:
            return worker.run(job)
        except _WorkerError as error:
            crashes[job] = str(error)
            return None
        finally:
            idle.put(worker)

    rounds = []
    with contextlib.ExitStack() as workers, ThreadPoolExecutor(parts) as pool:
        for _ in range(parts):
            idle.put(workers.enter_context(_Worker(whole=whole)))
        for number, each in enumerate(pool.map(run, jobs), start=1):
            rounds += [each] if each else []
            if number % 20 == 0 or number == len(jobs):
                progress(f"{number} of {len(jobs)} variants run")
    return rounds, crashes


def run_selftest(
    parts: int = PARTS,
    only: Sequence[str] = (),
    *,
    whole: bool = False,
    progress: Callable[[str], None] = lambda _: None,
    roles: Sequence[str] = tuple(REFERENCES),
) -> Result:
    """Run the selftest of these roles in ``parts`` processes at a time.

    ``only`` names deviations: then only the roles that have them are run (the conformant run is always there). ``whole``: each
    deviation runs every scenario of the plan. Raises ``UnknownDeviationError``.
    """
    names = {role: variants(only, role) for role in roles}
    wanted = [role for role in roles if not only or names[role] != [CONFORMANT]]
    jobs = [Job(name, role, not whole and is_simple(name, role)) for role in wanted for name in names[role]]
    jobs.sort(key=lambda job: (wanted.index(job.role), job.simple))  # so that no process changes its reference oftener than it must
    rounds, crashes = run_variants(jobs, parts=parts, whole=whole, progress=progress)
    result = Result()
    for role in wanted:
        found = judge_rounds([each for each in rounds if each.role == role], REFERENCES[role].deviations.by_name)
        found.problems += [f"{job.variant}: not run: {why}" for job, why in crashes.items() if job.role == role]
        result.add(role, found)
    unused = sorted(set(REGISTRY) - set(result.killers))
    if not only and set(roles) == set(REFERENCES) and unused:
        result.problems.append(f"{', '.join(unused)}: no scenario runs these checks")
    return result
