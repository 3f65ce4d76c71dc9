"""Where pytest meets us: options, hooks, and the frame of a scenario in the journal.

``pytest features --target FILE`` and ``medmij-conformance run FILE`` are the same run: both end here. Without ``--target`` the
plugin does nothing, so the project's own tests run as any others.
"""

import argparse
import contextlib
import gc
import importlib.util
import inspect
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import medmij_conformance.checks  # noqa: F401 fills the registry before the steps are made from it
from medmij_conformance import data_path, step_lookup
from medmij_conformance.conformance import RUN, SELECT, Conformance, ReportDirectoryError
from medmij_conformance.extra import ExtraError
from medmij_conformance.judge import Judge
from medmij_conformance.planning import PLANS, Planned, is_scenario, planned_of, select
from medmij_conformance.report.baseline import BaselineError
from medmij_conformance.requirements import CatalogueError
from medmij_conformance.sentences import checks_of
from medmij_conformance.target import TargetError
from medmij_conformance.verdict import CannotJudgeError, Check, Judgement, Outcome, worst
from medmij_conformance.wire.hooks import HookError


def _load_steps() -> list[str]:
    """Make the folder ``steps`` importable as ``medmij_conformance.steps``, from a checkout as from a wheel."""
    name, folder = "medmij_conformance.steps", data_path("steps")
    if name not in sys.modules:
        places = [str(folder)]
        spec = importlib.util.spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=places)
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder} is no package of steps")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return [f"{name}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]


_FACTS = ("dvza", "digid", "dvp", "registratie", "lists", "meeting", "network")
pytest_plugins = [*(f"medmij_conformance.facts.{name}" for name in _FACTS), *_load_steps()]


class NotConformantError(AssertionError):
    """A check of the scenario failed; the message lists what was expected and what was seen."""


class OwnStepError(AssertionError):
    """A step of the vendor's own found something wrong; the message says what."""


class HarnessError(Exception):
    """A check or a player of ours went wrong."""


# --- hooks -----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a conformance run."""
    group = parser.getgroup("medmij", "MedMij conformance")
    group.addoption("--target", metavar="FILE", help="the target file: what is tested and how to reach it")
    group.addoption("--plan", choices=PLANS, default="quick", help="what the run promises (default: quick)")
    group.addoption("--for", metavar="TIME", help="plan watch: how long is watched, such as 26h (the default), 90m or 2d")
    group.addoption("--continue", metavar="DIR", help="plan watch: go on with the run whose report is there")
    group.addoption("--only", metavar="ID", action="append", default=[], help="only this requirement; may be repeated")
    group.addoption("--baseline", metavar="FILE", help="known deviations: they change the exit code, never an outcome")
    group.addoption("--extra", metavar="DIR", help="own features and steps, run after the official ones; no part of the verdict")
    group.addoption("--attended", action="store_true", default=None, help="an operator at the terminal can be asked")
    group.addoption("--unattended", action="store_false", dest="attended", help="nobody can (default without a terminal)")
    group.addoption("--seed", type=int, help="seed of the harness's own random choices (default: a new one)")
    group.addoption("--real-waits", action="store_true", help=argparse.SUPPRESS)  # of the selftest, which runs the quick plan
    group.addoption("--report-dir", metavar="DIR", help="where the report goes (default: reports/<time>-<target>)")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a wrong target before anything is collected; let features be named on the command line."""
    if not config.getoption("--target", None):
        return
    try:
        config.stash[RUN] = Conformance(config)
    except (TargetError, CatalogueError, BaselineError, ReportDirectoryError, ExtraError) as error:
        raise pytest.UsageError(str(error)) from error
    if not config.pluginmanager.has_plugin("terminal"):
        config.option.tbstyle = "native"  # nobody will read the tracebacks, and pytest's own take long to make
    step_lookup.install()
    features = data_path("features").resolve()
    wanted = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    config.stash[_WANTED] = [path for path in wanted if path.is_relative_to(features) and path.suffix != ".py"]
    if config.stash[_WANTED]:
        kept = [a for a, path in zip(config.args, wanted, strict=True) if path not in config.stash[_WANTED]]
        config.args[:] = [*kept, str(features / "test_features.py")]


_COLLECTOR = pytest.StashKey[tuple[int, int, int]]()  # how often it came by before
_GARBAGE = 20_000  # objects more than before; Python's own 700 come together in two scenarios
_WANTED = pytest.StashKey[list[Path]]()


@pytest.hookimpl(tryfirst=True)
def pytest_bdd_apply_tag(tag: str, function: Any) -> bool:
    """Tags are ids, not marks: they are read from the scenario."""
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the scenarios of the target's role, the plan and ``--only``; controls stand first and last."""
    scenarios = [item for item in items if is_scenario(item)]
    for item in scenarios:
        if inspect.iscoroutinefunction(item.obj):  # type: ignore[attr-defined]
            raise pytest.UsageError(f"{item.nodeid}: a scenario cannot be asynchronous: it would pass unawaited")
    run = config.stash.get(RUN, None)
    chosen: list[pytest.Item] = []
    if run:
        places = config.stash[_WANTED]
        chosen, run.postponed, run.barred = config.stash.get(SELECT, select)(scenarios, run.asked(places))
    if dropped := [item for item in scenarios if item not in chosen]:
        config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in scenarios] + chosen


def pytest_collection_finish(session: pytest.Session) -> None:
    """The plan is known: write it."""
    run = session.config.stash.get(RUN, None)
    if run:
        # Modules, scenarios and steps stay, and so does evidence: the collector of garbage need not look at them over and over.
        session.config.stash[_COLLECTOR] = gc.get_threshold()
        gc.set_threshold(_GARBAGE)
        run.open([item for item in session.items if is_scenario(item)])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the reports, and let the verdict be the exit status of either door."""
    run = session.config.stash.get(RUN, None)
    if run is None or exitstatus in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR} or not run.planned:
        return
    if not run.trouble and (run.interrupted or exitstatus == pytest.ExitCode.INTERRUPTED):
        run.trouble, run.interrupted = "the run was interrupted from the keyboard", True
    run.close()
    if run.run:
        session.exitstatus = run.exit_code


def pytest_unconfigure(config: pytest.Config) -> None:
    """However the session ends, nothing of ours stays behind."""
    if _COLLECTOR in config.stash:  # a process may have one run after another
        gc.set_threshold(*config.stash[_COLLECTOR])
    run = config.stash.get(RUN, None)
    if run:
        run.go_home()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The headline, for those who came through pytest."""
    run = config.stash.get(RUN, None)
    if run and run.run:
        terminalreporter.section("MedMij conformance")
        terminalreporter.write_line(f"{run.run.verdict}: {run.run.headline}")
        terminalreporter.write_line(f"report: {run.directory / 'report.html'}")


# --- the judge -------------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Frame a scenario in the journal: what begins gets an end, whatever happens in between."""
    run = item.config.stash.get(RUN, None)
    if run is None or not is_scenario(item):
        return (yield)
    if run.interrupted:
        raise KeyboardInterrupt
    planned = planned_of(item)
    frame = _Frame(planned, time.monotonic())
    item.stash[_FRAME] = frame
    run.evidence.scenario = planned.id
    run.evidence.write("scenario-start")
    run.cast.client.allow(run.seconds_for_a_scenario())
    try:
        return (yield)
    finally:
        duration = round(time.monotonic() - frame.began, 3)
        run.evidence.write("scenario-end", duration_s=duration, reason=frame.reason, outcome=frame.outcome)
        run.progress(f"{frame.outcome:<10} {planned.id}  {planned.name}  ({duration:.1f} s)")
        run.evidence.scenario = ""


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[Any]:
    """Before the first scenario, begin what has to grow old."""
    run = session.config.stash.get(RUN, None)
    if run is None or session.config.option.collectonly:
        return (yield)
    with _noting_interrupts(run):
        run.lay_down()
        return (yield)


@contextlib.contextmanager
def _noting_interrupts(run: Conformance) -> Iterator[None]:
    """Note an interrupt before it is raised: Python drops one that comes in a callback of a weak reference or a finaliser."""

    def note(number: int, frame: FrameType | None) -> None:
        run.interrupted = True
        signal.default_int_handler(number, frame)

    usual = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)


@dataclass(slots=True)
class _Frame:
    planned: Planned
    began: float
    outcome: str = "not_tested"
    reason: str = ""
    judged: bool = False


_FRAME = pytest.StashKey[_Frame]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> Iterator[Any]:
    """Note why a scenario ended: its own trouble is our error, a missing precondition is not tested."""
    report = yield
    frame = item.stash.get(_FRAME, None)
    if frame and call.excinfo and frame.outcome != "error":
        match call.excinfo.value:
            case NotConformantError():
                frame.outcome = "fail"
            case OwnStepError() as found:
                frame.outcome, frame.reason = "fail", str(found)
            case HookError() as unanswered if (
                call.when == "teardown"
            ):  # in what a scenario leaves behind: nothing after it could be trusted
                frame.outcome, frame.reason = "not_tested", str(unanswered)
                run = item.config.stash[RUN]
                run.trouble = item.session.shouldstop = f"the run stopped: {unanswered}"
            case pytest.skip.Exception() as skipped:
                frame.outcome, frame.reason = "not_tested", str(skipped)
            case error:
                frame.outcome, frame.reason = "error", f"{type(error).__name__}: {error}"
    elif frame and call.when == "call" and not call.excinfo and not frame.judged:
        frame.outcome = "pass"
    return report


def pytest_bdd_after_step(request: pytest.FixtureRequest, step: Any) -> None:
    """A sentence that went through; a Then that judged something bad is marked as failed."""
    _note_step(request, step, "passed", "")


def pytest_bdd_step_error(request: pytest.FixtureRequest, step: Any, exception: BaseException) -> None:
    """A sentence that stopped the scenario."""
    said = str(exception)
    # Below the first line of a failed assertion pytest tells where its values come from: whole objects, of which nobody needs all.
    _note_step(request, step, "stopped", said.partition("\n")[0] if isinstance(exception, AssertionError) else said)


def _note_step(request: pytest.FixtureRequest, step: Any, outcome: str, detail: str) -> None:
    run = request.config.stash.get(RUN, None)
    if run is None:
        return
    judge: Judge = request.getfixturevalue("judge")
    ids = {check.id for check in checks_of(step.name)}
    bad = [j for c, j in judge.judgements if c.id in ids and j.outcome in {Outcome.FAIL, Outcome.ERROR}]
    run.evidence.write("step", keyword=step.keyword, text=step.name, outcome="failed" if bad else outcome, detail=detail)


@pytest.hookimpl(trylast=True)
def pytest_bdd_after_scenario(request: pytest.FixtureRequest) -> None:
    """Every sentence was said: the scenario fails once, with all that was found."""
    judge: Judge = request.getfixturevalue("judge")
    bad = [(c, j) for c, j in judge.judgements if j.outcome is Outcome.FAIL]
    errors = [j for _, j in judge.judgements if j.outcome is Outcome.ERROR]
    open_ = [j for _, j in judge.judgements if j.outcome is Outcome.NOT_TESTED]
    if sys.exc_info()[0] is not None and not bad:
        return
    if errors:
        raise HarnessError("; ".join(judgement.reason for judgement in errors))
    if bad:
        raise NotConformantError("\n".join(_explain(check, judgement) for check, judgement in bad))
    frame = request.node.stash[_FRAME]
    frame.outcome, frame.judged = worst(j.outcome for _, j in judge.judgements).value, bool(judge.judgements)
    if open_:
        pytest.skip("; ".join(dict.fromkeys(judgement.reason for judgement in open_)))


def _explain(check: Check, judgement: Judgement) -> str:
    lines = [f"{', '.join(check.requirements)}: {check.claim} [{check.id}]"]
    for finding in judgement.findings:
        hint = f" ({finding.hint})" if finding.hint else ""
        lines.append(f"  expected: {finding.expected}\n  observed: {finding.observed}{hint}")
    lines.append(f"  exchanges: {', '.join(map(str, judgement.exchanges))}")
    return "\n".join(lines)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[Any]:
    """What could not be judged is a skip with its reason, never a failure and never a pass."""
    try:
        return (yield)
    except (CannotJudgeError, HookError) as error:
        pytest.skip(str(error))
