"""One conformance run: its target, its journal, its players, what is planned and how far it is."""

import contextlib
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance import __version__, extra
from medmij_conformance.aging import Cellar
from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.cast.dvza import Cast
from medmij_conformance.cast.registratie import RegistratieCast
from medmij_conformance.cast.stelselnode import Publisher
from medmij_conformance.evidence import Evidence, read_journal, wall_time
from medmij_conformance.guideline import GuidelineError, edition, editions
from medmij_conformance.planning import (
    Planned,
    Selection,
    aging_kind,
    barred_checks,
    hooks_at_hand,
    planned_of,
    requirements_of_plan,
    watched_kind,
)
from medmij_conformance.probing import Prober
from medmij_conformance.report import EXTRA_JOURNAL, JOURNAL, Run, read_run
from medmij_conformance.report import baseline as baselines
from medmij_conformance.report.write import write_all
from medmij_conformance.requirements import Catalogue, catalogue
from medmij_conformance.requirements import release as load_release
from medmij_conformance.target import Target, TargetError, load
from medmij_conformance.verdict import EXIT_CODES, NotSeenError
from medmij_conformance.watching import Watch, Watched, seconds_of
from medmij_conformance.wire.attended import Operator
from medmij_conformance.wire.hooks import HookError

_ASKED = 5  # how often a person may be asked in one own scenario

ABOUT = ("name", "vendor", "product", "version", "commit", "environment", "xis", "xis_version", "role")
CASTS: Mapping[str, type[Cast] | type[DvpCast] | type[RegistratieCast]] = {
    "dvza": Cast,
    "dvp": DvpCast,
    "registratie": RegistratieCast,
}
"""Role that is tested -> who plays the others."""

PROGRESS = pytest.StashKey[Callable[[str], None]]()
COMMAND = pytest.StashKey[str]()
TARGET = pytest.StashKey[Target]()
QUIET = pytest.StashKey[bool]()
SELECT = pytest.StashKey[Callable[[Sequence[pytest.Item], Selection], tuple[list[pytest.Item], list[Planned], list[Planned]]]]()
"""Who chooses among the scenarios, if not ``planning.select``."""


class ReportDirectoryError(Exception):
    """The report cannot be written where it should go; the message names the folder."""


class Conformance:
    """The state of one run; one per pytest session.

    Raises ``TargetError`` when the target file is wrong, ``CatalogueError`` for an unknown requirement or release,
    ``BaselineError``, ``ReportDirectoryError`` and ``ExtraError``.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.target = config.stash.get(TARGET, None) or load(Path(config.getoption("--target")))
        _refuse_what_cannot_be_tested(self.target)
        self.release = load_release(self.target.about.release)
        self.catalogue = catalogue(self.release.catalogue)
        _refuse_idle_excuses(self.target, self.catalogue)
        self._began = time.monotonic()
        self.attended = _is_attended(config)
        self.hooks_at_hand = hooks_at_hand(self.target, attended=self.attended)
        self.plan: str = config.getoption("--plan")
        self.real: bool = config.getoption("--real-waits")
        self.only: tuple[str, ...] = tuple(config.getoption("--only"))
        for name in self.only:
            self.catalogue[name]
        wanted: str | None = config.getoption("--extra")
        self.extra = extra.look(Path(wanted)) if wanted else None
        self._quiet = config.stash.get(QUIET, False)
        self._baseline = Path(config.getoption("--baseline")) if config.getoption("--baseline") else None
        self._known = baselines.load(self._baseline) if self._baseline else ()
        seed: int | None = config.getoption("--seed")
        self.seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
        self.command = config.stash.get(COMMAND, f"pytest features --target {self.target.path.name}")
        self.progress = config.stash.get(PROGRESS, lambda _: None)
        self.directory = _report_directory(config, self.target)
        earlier = _earlier_part(config, self.directory, self.target)
        self.evidence = _journal(self.directory, foreign_states=self.target.about.role == "dvp")
        self.bsns = self._register_persons()
        reproducible = random.Random(self.seed)  # noqa: S311 states, not secrets
        with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as keys:  # gone before the first scenario
            operator = Operator(limit_s=self.target.limits.operator_s, waited=self._waited) if self.attended else None
            players = CASTS[self.target.about.role]
            self.cast = players(self.target, self.release, self.evidence, reproducible, Path(keys), operator)
            self.cast.client.read_keys()
            self.publisher = Publisher.of(self.target, self.evidence, Path(keys))
        self.prober = Prober(self.cast)
        # Real time is what a full plan is for; otherwise a clock that the vendor moves will do, and verdicts say so.
        hooks = self.cast.hooks
        movable = self.plan == "quick" and "clock" in self.hooks_at_hand
        move_clock = (lambda seconds: hooks.call("clock", forward_s=seconds)) if movable else None
        self.cellar = Cellar(move_clock)
        self.watch = Watch(_watched_s(config), _began(earlier), move_clock, self.progress)
        if self.publisher:
            self.publisher.clock = self.watch.now
        if earlier and isinstance(self.cast, RegistratieCast):
            self.cast.resume(earlier)
        self.planned: dict[str, Planned] = {}
        self.postponed: list[Planned] = []
        self.barred: list[Planned] = []
        self.run: Run | None = None
        self.trouble = ""
        self.interrupted = False

    def seconds_for_a_scenario(self) -> float:
        """The time limit of the scenario that begins now: its own, or what is left of the run's. Never below zero."""
        limits = self.target.limits
        left = float("inf") if limits.run_s is None else limits.run_s - (time.monotonic() - self._began)
        return max(0.0, min(limits.scenario_s, left))

    def asked(self, places: Sequence[Path] = ()) -> Selection:
        """What is asked of this run; ``places`` are the features that were named."""
        return Selection(self.target, self.plan, self.only, tuple(places), self.catalogue, self.hooks_at_hand, self.real)

    def _waited(self, seconds: float) -> None:
        """A person was asked for so long: that is no time of the scenario. The limit of the run is kept."""
        self.cast.client.extend(seconds, at_most=self.seconds_for_a_scenario())

    def _register_persons(self) -> dict[str, str]:
        """BSN -> its pseudonym. Every other value of a person that could identify is masked too, wherever it turns up."""
        pseudonyms = {}
        for persons in self.target.persons.values():
            for person in persons:
                for key, value in person.items():
                    if key == "bsn":
                        pseudonyms[value] = self.evidence.redactor.register_bsn(value)
                    else:
                        self.evidence.redactor.register(value)
        return pseudonyms

    def open(self, items: Sequence[pytest.Item]) -> None:
        """Write who is tested and what is planned."""
        about = self.target.about
        facts = {key: getattr(about, key) for key in ABOUT if getattr(about, key)}
        self.evidence.write(
            "run",
            tool={"name": "medmij-conformance", "version": __version__},
            target={
                **facts,
                "fingerprint": self.target.fingerprint,
                "not_applicable": dict(self.target.not_applicable),
                "login": self.target.login.mode,
                "tls_edition": edition(self.target.tls.edition).name,
            },
            role=about.role,
            release=about.release,
            plan=self.plan,
            seed=self.seed,
            command=self.command,
            started=wall_time(),
        )
        if self._baseline:
            today = datetime.now(UTC).date()
            record = baselines.as_record(self._baseline, self._known, today, whole=not self.only)
            self.evidence.write("baseline", **record)
        self.evidence.write("watch", began=self.watch.began, limit_s=self.watch.limit_s)
        self.planned = {planned.id: planned for planned in map(planned_of, items)}
        checks = {name for planned in self.planned.values() for name in planned.checks}
        postponed = {name for planned in self.postponed for name in planned.checks}
        barred = barred_checks(self.barred, self.target, self.hooks_at_hand)
        self.evidence.write(
            "plan",
            scenarios=[planned.as_record() for planned in self.planned.values()],
            requirements=requirements_of_plan(self.catalogue, about.role, checks, postponed, self.only, barred),
        )

    def restart(self, items: Sequence[pytest.Item]) -> None:
        """Begin anew in memory, with the same scenarios: the selftest runs them once per variant."""
        self.evidence.restart()
        self.cast.restart()
        if self.publisher:
            self.publisher.restart()
        self.watch.moved_s = 0
        self.prober.restart()
        self.cast.client.forgive()
        self.bsns = self._register_persons()
        self.open(items)

    def go_home(self) -> None:
        """Nothing of ours stays behind, however the run ends."""
        self.cast.close()
        if self.publisher:
            self.publisher.close()

    def close(self) -> None:
        """Write the end, then every report."""
        self.evidence.scenario = ""
        self.go_home()
        self.evidence.write("run-end", finished=wall_time(), trouble=self.trouble, interrupted=self.interrupted)
        self.evidence.close()
        self.run = read_run(self.directory)
        write_all(self.run, self.directory)
        if self.extra:  # only now: what is official stands on disk, and its verdict is known
            self._run_extra(self.extra)

    def _run_extra(self, own: extra.Extra) -> None:
        """Run the vendor's own scenarios, and show them in the reports."""
        if self.trouble:
            extra.leave(own, self.directory, f"they were not run: {self.trouble}")
        else:
            options = ["--seed", str(self.seed), "--attended" if self.attended else "--unattended"]
            limits = self.target.limits
            wait_s = limits.scenario_s + (limits.operator_s * _ASKED if self.attended else 0)
            first = max((record["number"] for record in self.evidence.records if record["type"] == "exchange"), default=0) + 1
            extra.run(own, self.directory, self.target.path, options, first=first, scenario_s=wait_s, quiet=self._quiet)
        try:
            self.run = read_run(self.directory)
            write_all(self.run, self.directory)
        except Exception as error:  # noqa: BLE001 code of others wrote that journal, and must not touch what is official
            extra.leave(own, self.directory, f"what they left behind cannot be shown ({type(error).__name__}: {error})")
            self.run = read_run(self.directory)
            write_all(self.run, self.directory)

    @property
    def exit_code(self) -> int:
        """The exit code of the finished run, beside its baseline if there is one."""
        if self.run is None:
            raise ValueError("the run is not finished")
        assessment = baselines.assess(self.run)
        return assessment.exit_code if assessment else EXIT_CODES[self.run.verdict]

    @property
    def samples(self) -> int:
        """Codes and tokens that the statistics want: ten times as many in a full plan, whose waits leave the time for them."""
        return self.target.limits.samples * (10 if self.plan == "full" else 1)

    @property
    def a_day_s(self) -> int:
        """The seconds after which MedMij Registratie must have published anew, with the tolerance of the judge."""
        times = self.release.lists
        return times.update_s + times.update_tolerance_s

    def let_pass(self, seconds: int, *, since: float) -> None:
        """Let so many seconds pass since a wall time; that is no time of the scenario. Raises ``NotSeenError``, ``HookError``."""
        self.watch.let_pass(seconds, since=since)
        self.cast.client.allow(self.seconds_for_a_scenario())

    def let_the_whitelist_grow_old(self) -> None:
        """Let pass for how long a gateway may go on with the last good Whitelist, where it fetches that from us.

        Raises ``NotSeenError``, ``HookError``.
        """
        times = self.release.lists
        if self.publisher:
            self.let_pass(times.whitelist_fetch_s + 5 * times.whitelist_fetch_tolerance_s, since=time.time())

    def watch_fetches(self, fine: Sequence[int], coarse: Sequence[int] = ()) -> Watched:
        """Watch the gateway fetch its lists: on its clock, in these steps of seconds, or in real time until the watch ends.

        ``coarse`` steps are too long to see what is fetched every hour. Raises ``NotSeenError`` when too little time is left.
        """
        began, now = self.watch.now(), time.time
        if self.watch.move_clock is None:
            self.let_pass(max(sum(fine) + sum(coarse), int(self.watch.left_s)), since=now())
            return Watched(began, self.watch.now(), self.watch.now())
        for step in fine:
            self.let_pass(step, since=now())
        fine_until = self.watch.now()
        for step in coarse:
            self.let_pass(step, since=now())
        return Watched(began, fine_until, self.watch.now())

    def tend(self) -> None:
        """Use what has to be used on its way to old age, as soon as it has aged enough to tell its life from what came before."""
        scenario = self.evidence.scenario
        for name in self.cellar.untended():
            self.evidence.scenario = name
            self.cast.client.allow(self.target.limits.scenario_s + 3 * self.release.code.tolerance_s)
            self.cellar.tend(name, 3 * self.release.code.tolerance_s)
        self.evidence.scenario = scenario

    def lay_down(self) -> None:
        """Begin everything that has to grow old in real time, before anything else, so that all waits overlap.

        The gateway starts with the lists of this run, where the vendor can see to that.
        """
        if self.publisher and "reload_lists" in self.hooks_at_hand:
            with contextlib.suppress(HookError):  # that it cannot be called shows in the scenarios that are about it
                self.cast.hooks.call("reload_lists")
        for planned in self.planned.values():
            kind = aging_kind(planned)
            if kind and self.cellar.move_clock is None and isinstance(self.cast, Cast):
                self.evidence.scenario = planned.id
                self.cellar.lay_down(planned.id, self.cast.journey(), kind)
                self.progress(f"{'laid down':<10} {planned.id}  {kind}: has to grow old")
            elif (kind := watched_kind(planned)) and self.plan == "watch" and isinstance(self.cast, RegistratieCast):
                self.evidence.scenario = planned.id
                which, _, done = kind.partition("=")
                with contextlib.suppress(NotSeenError, HookError):  # what could not be registered shows in its scenario
                    self.cast.begin(planned.id, which, done)
                    self.progress(f"{'registered':<10} {planned.id}  has to be published")
        self.evidence.scenario = ""


RUN = pytest.StashKey[Conformance]()


def _is_attended(config: pytest.Config) -> bool:
    """Whether an operator can be asked: there is a terminal, and nobody said ``--unattended``.

    Raises ``UsageError`` when ``--attended`` is given and there is no terminal.
    """
    wanted: bool | None = config.getoption("--attended")
    terminal = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
    if wanted and not terminal:
        raise pytest.UsageError("--attended: expected a terminal on standard input and standard error (with pytest: -s too)")
    return terminal if wanted is None else wanted


def _refuse_what_cannot_be_tested(target: Target) -> None:
    role = target.about.role
    if role not in CASTS:
        expected = f"a role that this version tests: {', '.join(sorted(CASTS))}"
        raise TargetError(target.path, "target.role", f"{role} cannot be tested yet", expected)
    try:
        edition(target.tls.edition)
    except GuidelineError as error:
        raise TargetError(target.path, "tls.edition", str(error), f"one of {', '.join(editions())}") from error


def _refuse_idle_excuses(target: Target, known: Catalogue) -> None:
    """Only what the framework leaves open can be declared not applicable."""
    for name in target.not_applicable:
        field = f'not_applicable."{name}"'
        if name not in known.requirements:
            raise TargetError(target.path, field, "no such requirement", "an id of the catalogue, such as RFC6750.2x")
        if known[name].level == "MUST" or target.about.role not in known[name].roles:
            raise TargetError(target.path, field, f"it is a {known[name].level} for this role", "a SHOULD or MAY of the role")


def _journal(directory: Path, *, foreign_states: bool) -> Evidence:
    """A new journal in a folder, which is made."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / JOURNAL).unlink(missing_ok=True)
        (directory / EXTRA_JOURNAL).unlink(missing_ok=True)  # of an earlier run
        return Evidence(directory / JOURNAL, foreign_states=foreign_states)
    except OSError as error:
        expected = "a folder that can be written; --report-dir names another"
        raise ReportDirectoryError(
            f"{directory}: no report can be written there ({error.strerror}); expected {expected}"
        ) from error


def _watched_s(config: pytest.Config) -> int | None:
    """How long a run watches: what ``--for`` says in the plan ``watch``; else None. Raises ``UsageError``."""
    text: str | None = config.getoption("--for")
    if config.getoption("--plan") != "watch":
        if text:
            raise pytest.UsageError("--for: only a watch run has a length; expected --plan watch beside it")
        return None
    try:
        return seconds_of(text or _WATCHED)
    except ValueError as error:
        raise pytest.UsageError(f"--for: {error}") from error


_WATCHED = "26h"  # a day, and the tolerance of the judge, and a little time to look


def _earlier_part(config: pytest.Config, directory: Path, target: Target) -> list[dict[str, Any]]:
    """The records of a run that was broken off and goes on with ``--continue``; its journal is kept beside the new one.

    Raises ``UsageError`` when the folder holds no run of this target, or the plan is none that can be continued.
    """
    if not config.getoption("--continue"):
        return []
    journal = directory / JOURNAL
    if config.getoption("--plan") != "watch":
        raise pytest.UsageError("--continue: only a watch run can be continued; expected --plan watch beside it")
    try:
        records = list(read_journal(journal))
    except (OSError, ValueError) as error:
        raise pytest.UsageError(f"--continue: {directory}: no journal can be read ({error})") from error
    opening = next((record for record in records if record["type"] == "run"), None)
    if opening is None or opening["target"]["fingerprint"] != target.fingerprint:
        raise pytest.UsageError(f"--continue: {directory}: is no run of {target.path}; expected the report of a run of that file")
    number = next(n for n in itertools.count(1) if not (directory / f"evidence-part-{n}.jsonl").exists())
    journal.rename(directory / f"evidence-part-{number}.jsonl")
    return records


def _began(earlier: Sequence[Mapping[str, Any]]) -> float:
    """When the watch began: with the first part of the run."""
    return next((float(record["began"]) for record in earlier if record["type"] == "watch"), time.time())


def _report_directory(config: pytest.Config, target: Target) -> Path:
    chosen = config.getoption("--continue") or config.getoption("--report-dir")
    if chosen:
        return Path(chosen)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("reports") / f"{stamp}-{target.path.stem}"
