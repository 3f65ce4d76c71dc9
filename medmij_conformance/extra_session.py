"""The process of the vendor's own scenarios: it reads them, or runs them. ``extra`` starts it, with its settings as JSON.

A session of pytest as an official one is, with the same fixtures and sentences, and beside them the steps of the vendor.
"""

import inspect
import json
import re
import sys
import tempfile
import traceback
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from gherkin.errors import ParserError
from gherkin.parser import Parser
from pytest_bdd.steps import step_function_context_registry

from medmij_conformance import data_path
from medmij_conformance.conformance import RUN, SELECT
from medmij_conformance.planning import (
    NEEDS,
    Planned,
    Selection,
    controls_around,
    is_scenario,
    plan_as,
    planned_of,
    select,
    unmet,
    written,
)
from medmij_conformance.plugin import NotConformantError, OwnStepError
from medmij_conformance.reference.roles import REFERENCES
from medmij_conformance.sentences import checks_of
from medmij_conformance.session import session
from medmij_conformance.step_lookup import quick_lookup
from medmij_conformance.target import load
from medmij_conformance.terminal import Terminal
from medmij_conformance.verdict import REGISTRY

PACKAGE = "medmij_own"
"""The package in which own steps are imported, so that one file can say ``from .other import name``."""

_OURS = {"aged", "control", "order", "plan", "registered"}


def main() -> None:
    """Do what the settings in the first argument say, in JSON; see ``extra``."""
    sys.dont_write_bytecode = True  # the folder is theirs
    settings = json.loads(sys.argv[1])
    if "look" in settings:
        found = look(Path(settings["look"]))
        Path(settings["answer"]).write_text(json.dumps(found), encoding="utf-8")
    else:
        run(settings)


def look(folder: Path) -> dict[str, Any]:
    """What is wrong with own scenarios (``problems``), how many there are, and whether a check of theirs wants ``twins``."""
    problems = [*_feature_problems(folder), *_clashes(folder)]
    reader = _Own(folder)
    if not problems:
        _session(folder, ["-p", "medmij_conformance.plugin", "--collect-only"], [reader], [])
        problems = reader.problems or list(reader.sentence_problems())
    checks = {name for planned in reader.planned for name in planned.checks}
    return {"problems": problems, "scenarios": len(reader.planned), "twins": any(REGISTRY[name].twin for name in checks)}


def run(settings: Mapping[str, Any]) -> None:
    """Run own scenarios against a target, between the official controls where they need those."""
    folder, target = Path(settings["run"]), Path(settings["target"])
    official = [data_path("features") / "test_features.py"] if settings["twins"] else []
    plugins = [Terminal("", load(target), quiet=settings["quiet"]), _Run(folder, settings["first"])]
    # Values in a failed assertion are shown whole: of half a secret nobody could tell that it is one.
    options = ["-p", "medmij_conformance.plugin", "-o", "verbosity_assertions=2", "--target", str(target)]
    _session(folder, [*options, *settings["options"]], plugins, official)


def _session(folder: Path, options: Sequence[str], plugins: Sequence[object], files: Sequence[Path]) -> None:
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as place:
        binding = Path(place) / "test_own_scenarios.py"
        binding.write_text(f"from pytest_bdd import scenarios\n\nscenarios({str(folder.resolve())!r})\n", encoding="utf-8")
        session(options, plugins, [*files, binding])


# --- what can be seen without running anything -----------------------------------------------------------------------


def _feature_problems(folder: Path) -> Iterator[str]:
    """What is wrong with the features as such; pytest-bdd would drop a scenario whose name stands twice, and say nothing."""
    seen: dict[str, str] = {}
    for path in sorted(folder.rglob("*.feature")):
        try:
            feature = Parser().parse(path.read_text(encoding="utf-8")).get("feature")
        except ParserError as error:
            yield f"{path}: cannot be read: {' '.join(str(error).split())}"
            continue
        except (OSError, UnicodeDecodeError) as error:
            yield f"{path}: cannot be read: {error}"
            continue
        scenarios = list(_scenarios_of(feature)) if feature else []
        if not scenarios:
            yield f"{path}: holds no scenario"
        for scenario, tags in scenarios:
            name, at = scenario["name"], f"{path}:{scenario['location']['line']}"
            if name in seen:
                yield f"{at}: the scenario {name!r} stands twice, first at {seen[name]}; expected a name of its own"
            seen.setdefault(name, at)
            if not name:
                yield f"{at}: a scenario without a name"
            if not scenario["steps"]:
                yield f"{at}: the scenario {name!r} has no step, so it would pass and show nothing"
            yield from (f"{at}: {problem}" for tag in tags if (problem := _tag_problem(tag)))


def _scenarios_of(node: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[dict[str, Any], list[str]]]:
    tags = (*above, *(tag["name"].removeprefix("@") for tag in node["tags"]))
    for child in node["children"]:
        if "rule" in child:
            yield from _scenarios_of(child["rule"], tags)
        elif "scenario" in child:
            own = (tag["name"].removeprefix("@") for tag in child["scenario"]["tags"])
            yield child["scenario"], [*tags, *own]


def _tag_problem(tag: str) -> str:
    kind, _, rest = tag.partition(":")
    if kind == "role" and rest not in REFERENCES:
        return f"the tag @{tag} names no role; expected one of {', '.join(REFERENCES)}"
    if kind == "needs" and rest.partition("=")[0] not in NEEDS:
        return f"the tag @{tag} names nothing that a target file can offer; expected one of {', '.join(sorted(NEEDS))}"
    return f"the tag @{tag} is for official scenarios; expected @role: or @needs:" if kind in _OURS and rest else ""


def step_files(folder: Path) -> list[Path]:
    """The Python files of own scenarios; tests and configuration of the vendor's own pytest are left alone."""
    found = [path for place in (folder / "steps", folder) for path in sorted(place.glob("*.py"))]
    return [path for path in found if path.stem not in {"__init__", "conftest"} and not path.name.startswith("test_")]


def _clashes(folder: Path) -> Iterator[str]:
    known: dict[str, Path] = {}
    for path in step_files(folder):
        if path.stem in known:
            yield f"{path}: a file of that name stands twice, first {known[path.stem]}; expected a name of its own"
        known.setdefault(path.stem, path)


def _load_steps(config: pytest.Config, folder: Path) -> Iterator[str]:
    """Import own steps as plugins, so that pytest shows what stood in an ``assert``. Yields what went wrong."""
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder.resolve() / "steps"), str(folder.resolve())]
    sys.modules[PACKAGE] = package
    checks = set(REGISTRY)
    for path in step_files(folder):
        try:
            config.pluginmanager.import_plugin(f"{PACKAGE}.{path.stem}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 whatever a file does while it is loaded has to be told
            yield _import_problem(path, error)
        if set(REGISTRY) != checks:
            yield f"{path}: makes a check, which only the harness does; expected a step with an assert"
            checks = set(REGISTRY)


def _import_problem(path: Path, error: BaseException) -> str:
    wrapped = type(error).__module__.startswith("_pytest") or str(error).startswith("Error importing plugin")
    cause = error.__cause__ if wrapped and error.__cause__ else error
    if isinstance(cause, SyntaxError):
        return f"{path}:{cause.lineno}: {type(cause).__name__}: {cause.msg}"
    own = [frame.lineno for frame in traceback.extract_tb(cause.__traceback__) if Path(frame.filename) == path.resolve()]
    return f"{path}{f':{own[-1]}' if own else ''}: {type(cause).__name__}: {cause}"


# --- in a session of pytest ------------------------------------------------------------------------------------------


class _Own:
    """A pytest plugin that loads own steps and knows own scenarios."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[str] = []
        self.items: list[pytest.Item] = []
        self._manager: Any = None

    @property
    def planned(self) -> list[Planned]:
        """The own scenarios, each example as one."""
        return [planned_of(item) for item in self.items]

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Before anything is collected."""
        self.problems += _load_steps(config, self.folder)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """What pytest-bdd cannot read."""
        if report.failed:
            self.problems.append(f"{self.folder}: {report.longreprtext.strip().splitlines()[-1]}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Take the own scenarios before anybody selects among them."""
        self._manager = session._fixturemanager
        root = self.folder.resolve()
        for item in items:
            if is_scenario(item) and Path(written(item)[0].feature.filename).is_relative_to(root):
                plan_as(item, self._plan(item))
                self.items.append(item)

    def _plan(self, item: pytest.Item) -> Planned:
        template, example = written(item)
        scenario = template.render(example)
        name = f"{scenario.name} [{', '.join(example.values())}]" if example else scenario.name
        tags = {*template.tags, *template.feature.tags, *(template.rule.tags if template.rule else ())}
        steps = tuple((step.keyword, step.name) for step in scenario.steps)
        return Planned(
            id=f"own:{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}",
            name=name,
            title_nl=" ".join((template.description or "").split()),
            feature=self._shown(template).relative_to(self.folder).as_posix(),
            requirements=(),
            checks=tuple(dict.fromkeys(check.id for _, text in steps for check in checks_of(text))),
            steps=steps,
            tags=frozenset(tag for tag in tags if tag.startswith(("role:", "needs:"))),
        )

    def _shown(self, template: Any) -> Path:
        return self.folder / Path(template.feature.filename).relative_to(self.folder.resolve())

    def sentence_problems(self) -> Iterator[str]:
        """Sentences that no step knows, or that several do, steps that nobody would wait for, and scenarios of one name."""
        ids: dict[str, list[str]] = defaultdict(list)
        for item in self.items:
            template, example = written(item)
            ids[planned_of(item).id].append(f"{self._shown(template)}:{template.line_number}")
            for step in template.render(example).steps:
                at = f"{self._shown(template)}:{step.line_number}: {step.keyword} {step.name}"
                found = [step_function_context_registry[d.func].step_func for d in quick_lookup(step, self._manager, item)]
                if not found:
                    yield f"{at}: no step knows this sentence; expected one of {self.folder} or of: medmij-conformance steps"
                if len(found) > 1:
                    yield f"{at}: several steps know this sentence: {', '.join(map(self._place, found))}; expected one"
                yield from (f"{at}: {self._place(f)} is asynchronous" for f in found if inspect.iscoroutinefunction(f))
        for places in ids.values():
            if len(places) > 1:
                yield f"{places[1]}: this scenario has the name of another, at {places[0]}; expected names that differ in letters"

    def _place(self, function: Any) -> str:
        path = Path(function.__code__.co_filename)
        root = self.folder.resolve()
        shown = self.folder / path.relative_to(root) if path.is_relative_to(root) else f"the harness's {function.__module__}"
        return f"{shown}:{function.__code__.co_firstlineno}"


class _Run(_Own):
    """The same in a run: it chooses the own scenarios and their controls, and closes the journal without an official report."""

    def __init__(self, folder: Path, first: int) -> None:
        super().__init__(folder)
        self._first = first
        self._aside: dict[str, str] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        super().pytest_configure(config)
        if self.problems:
            raise pytest.UsageError("\n".join(self.problems))
        config.stash[SELECT] = self._choose
        config.stash[RUN].evidence.first = self._first

    def _choose(self, items: Sequence[pytest.Item], asked: Selection) -> tuple[list[pytest.Item], list[Planned], list[Planned]]:
        roles = {planned.id: {tag for tag in planned.tags if tag.startswith("role:")} for planned in self.planned}
        for planned in self.planned:
            if roles[planned.id] and f"role:{asked.target.about.role}" not in roles[planned.id]:
                self._aside[planned.id] = f"is for another role than {asked.target.about.role}"
            elif lacks := unmet(planned, asked):
                self._aside[planned.id] = f"needs what the target file does not offer: {', '.join(lacks)}"
        own = [item for item in self.items if planned_of(item).id not in self._aside]
        official, _, _ = select([item for item in items if item not in self.items], asked)
        first, last = controls_around([planned_of(item) for item in own], [planned_of(item) for item in official])
        before = [item for item in official if planned_of(item).id in first]
        after = [item for item in official if planned_of(item).id in last]
        return [*before, *own, *after], [], []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write which scenarios are own ones, those that cannot be run with their reasons."""
        rows = [{**planned.as_record(), "aside": self._aside.get(planned.id, "")} for planned in self.planned]
        session.config.stash[RUN].evidence.write("own", scenarios=rows)

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self) -> Iterator[Any]:
        """An own step that objects has found something; with any other error it has gone wrong."""
        try:
            return (yield)
        except (AssertionError, pytest.fail.Exception) as error:
            if isinstance(error, NotConformantError):
                raise
            raise OwnStepError(str(error).partition("\n")[0] or "an assertion without a message") from error

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """The journal ends; the report is made by the process of the run."""
        run = session.config.stash.get(RUN, None)
        if run:
            run.evidence.scenario = ""
            run.go_home()
            run.evidence.write("run-end", trouble=run.trouble, interrupted=run.interrupted)
            run.evidence.close()
            run.planned.clear()
