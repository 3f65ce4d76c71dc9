"""What a run says on standard error: a line per scenario, then the verdict. Everything of the target is made harmless first."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from medmij_conformance.conformance import COMMAND, PROGRESS, QUIET, RUN, TARGET
from medmij_conformance.report import Run
from medmij_conformance.report.baseline import assess
from medmij_conformance.report.text import visible
from medmij_conformance.target import Target
from medmij_conformance.verdict import Outcome


class Terminal:
    """A pytest plugin that speaks for the command line. ``run`` is the finished run, None when it did not come to one."""

    def __init__(self, command: str, target: Target, *, quiet: bool = False) -> None:
        self._command = command
        self._target = target
        self._quiet = quiet
        self.run: Run | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Leave the plugin what it needs from the command line."""
        config.stash[COMMAND] = self._command
        config.stash[TARGET] = self._target
        config.stash[QUIET] = self._quiet
        config.stash[PROGRESS] = _say if not self._quiet else lambda _: None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A feature that cannot be read is a mistake of ours, and must be seen."""
        if report.failed:
            _say(report.longreprtext)

    def pytest_internalerror(self, excrepr: object) -> None:
        """So is a mistake in the harness itself."""
        _say(str(excrepr))

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """The verdict, and where to read why."""
        conformance = config.stash.get(RUN, None)
        if conformance is None or conformance.run is None:
            return
        self.run = conformance.run
        _conclude(self.run, conformance.directory, _say)


def _say(line: str) -> None:
    print(visible(line), file=sys.stderr, flush=True)


def _conclude(run: Run, directory: Path, say: Callable[[str], None]) -> None:
    for result in run.requirements:
        if result.outcome in {Outcome.FAIL, Outcome.ERROR}:
            bad = [v for v in result.verdicts if v.outcome in {Outcome.FAIL, Outcome.ERROR}]
            observed = bad[0].observed if bad else result.reason
            say(f"{result.outcome}  {result.requirement.id}  {result.requirement.title}: {observed}")
    counts = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in run.counts().items() if count)
    say(f"requirements of the role: {counts}")
    say(f"{run.verdict}: {run.headline}")
    if run.verdict == "undecided":  # what went wrong first is mostly why the rest could not be seen either
        first = next((each for each in run.scenarios if each.outcome is Outcome.NOT_TESTED and each.reason), None)
        if first:
            say(f"first not tested: {first.id}: {first.reason}")
    if assessment := assess(run):
        for problem in assessment.problems:
            say(f"baseline {assessment.file}: {problem}")
        say(assessment.headline)
    if run.extra:
        for scenario in run.extra.scenarios:
            if scenario.outcome is not Outcome.PASS:
                seen = [v.observed for v in scenario.verdicts if v.outcome is scenario.outcome]
                why = " ".join((scenario.reason or "; ".join(seen)).split())
                say(f"own scenario  {scenario.outcome}  {scenario.name}: {why}")
        say(run.extra.headline)
    say(f"report: {directory / 'report.html'}")
