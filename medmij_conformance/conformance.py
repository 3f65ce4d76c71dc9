"""One conformance run: its target, its journal, its players, what is planned and how far it is."""

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from medmij_conformance import __version__, data_path
from medmij_conformance.aging import Cellar
from medmij_conformance.cast import Cast
from medmij_conformance.evidence import Evidence, wall_time
from medmij_conformance.planning import Planned, Selection, aging_kind, planned_of, requirements_of_plan
from medmij_conformance.report import JOURNAL, Run, read_run
from medmij_conformance.report.write import write_all
from medmij_conformance.requirements import Catalogue, catalogue
from medmij_conformance.requirements import release as load_release
from medmij_conformance.target import Target, TargetError, load

ABOUT = ("name", "vendor", "product", "version", "commit", "environment", "xis", "xis_version", "role")
PROGRESS = pytest.StashKey[Callable[[str], None]]()
COMMAND = pytest.StashKey[str]()


class Conformance:
    """The state of one run; one per pytest session. Raises ``TargetError`` when the target file is wrong."""

    def __init__(self, config: pytest.Config) -> None:
        self.target = load(Path(config.getoption("--target")))
        _refuse_what_cannot_be_tested(self.target)
        self.release = load_release(self.target.about.release)
        self.catalogue = catalogue(self.release.catalogue)
        _refuse_idle_excuses(self.target, self.catalogue)
        self._began = time.monotonic()
        self.plan: str = config.getoption("--plan")
        self.only: tuple[str, ...] = tuple(config.getoption("--only"))
        for name in self.only:
            self.catalogue[name]
        seed: int | None = config.getoption("--seed")
        self.seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
        self.command = config.stash.get(COMMAND, f"pytest features --target {self.target.path.name}")
        self.progress = config.stash.get(PROGRESS, lambda _: None)
        self.directory = _report_directory(config, self.target)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / JOURNAL).unlink(missing_ok=True)
        self.evidence = Evidence(self.directory / JOURNAL)
        self.bsns = self._register_persons()
        reproducible = random.Random(self.seed)  # noqa: S311 states, not secrets
        with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as keys:  # gone before the first scenario
            self.cast = Cast(self.target, self.release, self.evidence, reproducible, Path(keys))
            self.cast.client.read_keys()
        # Real time is what a full plan is for; otherwise a clock that the vendor moves will do, and verdicts say so.
        hooks = self.cast.hooks
        movable = self.plan != "full" and "clock" in self.target.hooks
        self.cellar = Cellar((lambda seconds: hooks.call("clock", forward_s=seconds)) if movable else None)
        self.planned: dict[str, Planned] = {}
        self.postponed: list[Planned] = []
        self.run: Run | None = None
        self.trouble = ""

    def seconds_for_a_scenario(self) -> float:
        """The time limit of the scenario that begins now: its own, or what is left of the run's. Never below zero."""
        limits = self.target.limits
        left = float("inf") if limits.run_s is None else limits.run_s - (time.monotonic() - self._began)
        return max(0.0, min(limits.scenario_s, left))

    def asked(self, places: Sequence[Path] = ()) -> Selection:
        """What is asked of this run; ``places`` are the features that were named."""
        return Selection(self.target, self.plan, self.only, tuple(places), self.catalogue)

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
            },
            role=about.role,
            release=about.release,
            plan=self.plan,
            seed=self.seed,
            command=self.command,
            started=wall_time(),
        )
        self.planned = {planned.id: planned for planned in map(planned_of, items)}
        checks = {name for planned in self.planned.values() for name in planned.checks}
        postponed = {name for planned in self.postponed for name in planned.checks}
        self.evidence.write(
            "plan",
            scenarios=[planned.as_record() for planned in self.planned.values()],
            requirements=requirements_of_plan(self.catalogue, about.role, checks, postponed, self.only),
        )

    def restart(self, items: Sequence[pytest.Item]) -> None:
        """Begin anew in memory, with the same scenarios: the selftest runs them once per variant."""
        self.evidence.restart()
        self.cast.journeys.clear()
        self.bsns = self._register_persons()
        self.open(items)

    def close(self) -> None:
        """Write the end, then every report."""
        self.evidence.scenario = ""
        self.evidence.write("run-end", finished=wall_time(), trouble=self.trouble)
        self.evidence.close()
        self.run = read_run(self.directory)
        write_all(self.run, self.directory)

    def lay_down(self) -> None:
        """Begin everything that has to grow old in real time, before anything else, so that all waits overlap."""
        for planned in self.planned.values():
            kind = aging_kind(planned)
            if kind and self.cellar.move_clock is None:
                self.evidence.scenario = planned.id
                self.cellar.lay_down(planned.id, self.cast.journey(), kind)
                self.progress(f"{'laid down':<10} {planned.id}  a {kind} that has to grow old")
        self.evidence.scenario = ""


RUN = pytest.StashKey[Conformance]()


def _refuse_what_cannot_be_tested(target: Target) -> None:
    role = target.about.role
    tested = sorted(path.name for path in data_path("features").iterdir() if any(path.glob("*.feature")))
    if role not in tested:
        expected = f"a role that this version tests: {', '.join(tested)}"
        raise TargetError(target.path, "target.role", f"{role} cannot be tested yet", expected)


def _refuse_idle_excuses(target: Target, known: Catalogue) -> None:
    """Only what the framework leaves open can be declared not applicable."""
    for name in target.not_applicable:
        field = f'not_applicable."{name}"'
        if name not in known.requirements:
            raise TargetError(target.path, field, "no such requirement", "an id of the catalogue, such as RFC6750.2x")
        if known[name].level == "MUST" or target.about.role not in known[name].roles:
            raise TargetError(target.path, field, f"it is a {known[name].level} for this role", "a SHOULD or MAY of the role")


def _report_directory(config: pytest.Config, target: Target) -> Path:
    chosen = config.getoption("--report-dir")
    if chosen:
        return Path(chosen)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("reports") / f"{stamp}-{target.path.stem}"
