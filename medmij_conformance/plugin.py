"""Where pytest meets us: options, fixtures, the judge of a scenario, and the journal of the run.

``pytest features --target FILE`` and ``medmij-conformance run FILE`` are the same run: both end here. Without ``--target`` the
plugin does nothing, so the project's own tests run as any others.
"""

import importlib.util
import inspect
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd.scenario import scenario_wrapper_template_registry

import medmij_conformance.checks
from medmij_conformance import __version__, data_path
from medmij_conformance.counterparties.pgo import Pgo
from medmij_conformance.evidence import Evidence, Exchange, wall_time
from medmij_conformance.journey import Journey
from medmij_conformance.report import JOURNAL, Run, read_run
from medmij_conformance.report.write import write_all
from medmij_conformance.requirements import Catalogue, Release, catalogue
from medmij_conformance.requirements import release as load_release
from medmij_conformance.sentences import checks_of
from medmij_conformance.target import HarnessNode, Offer, Target, TargetError, load
from medmij_conformance.verdict import (
    EXIT_CODES,
    CannotJudgeError,
    Check,
    Judgement,
    NotSeenError,
    Outcome,
)
from medmij_conformance.verdict import judge as run_check
from medmij_conformance.wire.client import Client, Identity, Limits
from medmij_conformance.wire.hooks import HookError, Hooks
from medmij_conformance.wire.user_agent import UserAgent

PLANS = ("quick", "full")


def _load_steps() -> list[str]:
    """Make the folder ``steps`` importable as ``medmij_conformance.steps``, from a checkout as from a wheel."""
    name, folder = "medmij_conformance.steps", data_path("steps")
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"{folder} is no package of steps")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return [f"{name}.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]


pytest_plugins = _load_steps()


class NotConformantError(AssertionError):
    """A check of the scenario failed; the message lists what was expected and what was seen."""


class HarnessError(Exception):
    """A check or a player of ours went wrong."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A scenario that this run will carry out."""

    id: str
    name: str
    title_nl: str
    feature: str
    requirements: tuple[str, ...]
    checks: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    tags: frozenset[str]

    def as_record(self) -> dict[str, Any]:
        """The scenario as the journal's plan holds it."""
        steps = [{"keyword": keyword, "text": text} for keyword, text in self.steps]
        return {**asdict(self), "steps": steps, "tags": sorted(self.tags)}


class Conformance:
    """The state of one run: its target, its journal, what is planned, and how far it is. One per pytest session."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.target = load(Path(config.getoption("--target")))
        self.release: Release = load_release(self.target.about.release)
        self.catalogue: Catalogue = catalogue(self.target.about.release)
        self.plan: str = config.getoption("--plan")
        self.only: list[str] = config.getoption("--only")
        self.seed: int = config.getoption("--seed") or random.SystemRandom().randrange(1_000_000)
        self.random = random.Random(self.seed)  # noqa: S311 reproducible states, not secrets
        self.directory: Path = _report_directory(config, self.target)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / JOURNAL).unlink(missing_ok=True)
        self.evidence = Evidence(self.directory / JOURNAL)
        self.planned: dict[str, Planned] = {}
        self.run: Run | None = None
        self.trouble = ""
        self.progress: Callable[[str], None] = config.stash.get(PROGRESS, lambda _: None)
        self.bsns = self._register_persons()

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
            command=self.config.stash.get(COMMAND, f"pytest features --target {self.target.path.name}"),
            started=wall_time(),
        )
        self.planned = {planned.id: planned for planned in map(planned_of, items)}
        checks = {name for planned in self.planned.values() for name in planned.checks}
        self.evidence.write(
            "plan",
            scenarios=[planned.as_record() for planned in self.planned.values()],
            requirements=requirements_of_plan(self.catalogue, about.role, checks, self.only),
        )

    def restart(self, items: Sequence[pytest.Item]) -> None:
        """Begin anew in memory, with the same scenarios: the selftest runs them once per variant."""
        self.evidence.restart()
        self.bsns = self._register_persons()
        self.open(items)

    def close(self) -> None:
        """Write the end, then every report."""
        self.evidence.scenario = ""
        self.evidence.write("run-end", finished=wall_time(), trouble=self.trouble)
        self.evidence.close()
        self.run = read_run(self.directory)
        write_all(self.run, self.directory)


ABOUT = ("name", "vendor", "product", "version", "commit", "environment", "xis", "xis_version", "role")
PROGRESS = pytest.StashKey[Callable[[str], None]]()
COMMAND = pytest.StashKey[str]()
RUN = pytest.StashKey[Conformance]()


def requirements_of_plan(
    known: Catalogue, role: str, checks: set[str], only: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """For every requirement of a role: is it promised by the plan, is it shown by these checks, and if not, why."""
    from medmij_conformance.verdict import REGISTRY

    covered = {requirement for name in checks for requirement in REGISTRY[name].requirements}
    rows: dict[str, dict[str, Any]] = {}
    for requirement in known.of_role(role):
        promised = requirement.test == "blackbox" and requirement.profile in {"1.0", "derived"}
        bearers = known.bearers(requirement.id) if requirement.inherits else {requirement.id}
        needed = {b for b in bearers if role in known[b].roles and (b not in known[b].inherits) and not known[b].inherits}
        missing = sorted(needed - covered)
        selected = not only or requirement.id in only
        own = requirement.id in covered
        planned = selected and (own or (bool(needed) and not missing))
        reason = "" if planned else _why_not(requirement.test, requirement.profile, missing, selected=selected)
        rows[requirement.id] = {"promised": promised, "planned": planned, "reason": reason}
    return rows


def _why_not(test: str, profile: str, missing: Sequence[str], *, selected: bool) -> str:
    if not selected:
        return "not selected with --only"
    if profile in {"later", "info"}:
        return f"profile {profile}: not part of release 1.0"
    if test == "evidence":
        return "shown by documents, not on the wire"
    if test == "operator":
        return "needs the vendor's help (a hook or an operator), which this version does not ask for"
    return f"no scenario in this version shows {', '.join(missing)}"


def planned_of(item: pytest.Item) -> Planned:
    """What a collected scenario is: its id, its requirements, its sentences and the checks that these run."""
    template = scenario_wrapper_template_registry[item.obj]  # type: ignore[attr-defined]
    example = item.callspec.params.get("_pytest_bdd_example", {}) if hasattr(item, "callspec") else {}
    scenario = template.render(example)
    rule = template.rule.tags if template.rule else set()
    tags = frozenset({*template.tags, *template.feature.tags, *rule})
    name = next((tag.removeprefix("id:") for tag in template.tags if tag.startswith("id:")), "")
    if example:
        name = f"{name}[{next(iter(example.values()))}]"
    steps = tuple((step.keyword, step.name) for step in scenario.steps)
    path = Path(template.feature.filename).resolve()
    return Planned(
        id=name,
        name=scenario.name,
        title_nl=" ".join((template.description or "").split()),
        feature=path.relative_to(data_path("features").resolve()).as_posix(),
        requirements=tuple(sorted(tag for tag in tags if is_requirement_tag(tag))),
        checks=tuple(dict.fromkeys(check.id for _, text in steps for check in checks_of(text))),
        steps=steps,
        tags=tags,
    )


def is_requirement_tag(tag: str) -> bool:
    """Whether a tag names a requirement; the others are ``id:``, ``role:``, ``plan:``, ``needs:`` and ``control:``."""
    return ":" not in tag


def _report_directory(config: pytest.Config, target: Target) -> Path:
    chosen = config.getoption("--report-dir")
    if chosen:
        return Path(chosen)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    return Path("reports") / f"{stamp}-{target.path.stem}"


# --- hooks -----------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a conformance run."""
    group = parser.getgroup("medmij", "MedMij conformance")
    group.addoption("--target", metavar="FILE", help="the target file: what is tested and how to reach it")
    group.addoption("--plan", choices=PLANS, default="quick", help="what the run promises (default: quick)")
    group.addoption("--only", metavar="ID", nargs="+", action="extend", default=[], help="only these requirements")
    group.addoption("--seed", type=int, help="seed of the harness's own random choices (default: a new one)")
    group.addoption("--report-dir", metavar="DIR", help="where the report goes (default: reports/<time>-<target>)")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a wrong target before anything is collected; let features be named on the command line."""
    if not config.getoption("--target", None):
        return
    try:
        config.stash[RUN] = Conformance(config)
    except TargetError as error:
        raise pytest.UsageError(str(error)) from error
    features = data_path("features").resolve()
    wanted = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    config.stash[_WANTED] = [path for path in wanted if path.is_relative_to(features) and path.suffix != ".py"]
    if config.stash[_WANTED]:
        kept = [a for a, path in zip(config.args, wanted, strict=True) if path not in config.stash[_WANTED]]
        config.args[:] = [*kept, str(features / "test_features.py")]


_WANTED = pytest.StashKey[list[Path]]()


@pytest.hookimpl(tryfirst=True)
def pytest_bdd_apply_tag(tag: str, function: Any) -> bool:  # noqa: ARG001
    """Tags are ids, not marks: they are read from the scenario."""
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the scenarios of the target's role, the plan and ``--only``; controls stand first and last."""
    scenarios = [item for item in items if getattr(item, "obj", None) in scenario_wrapper_template_registry]
    for item in scenarios:
        if inspect.iscoroutinefunction(item.obj):  # type: ignore[attr-defined]
            raise pytest.UsageError(f"{item.nodeid}: a scenario cannot be asynchronous: it would pass unawaited")
    run = config.stash.get(RUN, None)
    if run is None:
        chosen: list[pytest.Item] = []
    else:
        wanted = config.stash[_WANTED]
        chosen = select(scenarios, run, wanted)
    dropped = [item for item in scenarios if item not in chosen]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in scenarios] + chosen


def select(items: Sequence[pytest.Item], run: Conformance, wanted: Sequence[Path] = ()) -> list[pytest.Item]:
    """The scenarios of a run, in order: opening controls, scenarios, closing controls."""
    role = f"role:{run.target.about.role}"
    features = data_path("features").resolve()
    chosen = []
    for item in items:
        planned = planned_of(item)
        control = any(tag.startswith("control:") for tag in planned.tags)
        path = features / planned.feature
        named = not wanted or any(path.is_relative_to(place) for place in wanted)
        if role in planned.tags and (control or (named and _is_selected(planned, run)) and _can_run(planned, run)):
            chosen.append((_order(planned), item))
    chosen.sort(key=lambda pair: pair[0])
    return [item for _, item in chosen]


def _order(planned: Planned) -> int:
    return {"control:first": 0, "control:last": 2}.get(next((t for t in planned.tags if "control:" in t), ""), 1)


def _is_selected(planned: Planned, run: Conformance) -> bool:
    if not run.only:
        return True
    from medmij_conformance.verdict import REGISTRY

    wanted = {bearer for requirement in run.only for bearer in run.catalogue.bearers(requirement)}
    return any(wanted & set(REGISTRY[name].requirements) for name in planned.checks)


def _can_run(planned: Planned, run: Conformance) -> bool:
    """Whether what a scenario needs of the target file is there; else it is outside the plan."""
    return all(_has(run.target, tag.removeprefix("needs:")) for tag in planned.tags if tag.startswith("needs:"))


def _has(target: Target, need: str) -> bool:
    kind, _, name = need.partition("=")
    match kind:
        case "hook":
            return name in target.hooks
        case "person":
            return name in target.persons
        case "offers":
            return len(target.offers) >= int(name)
        case "node":
            return getattr(target.harness, name) is not None
        case "purpose":
            return bool(target.consent.purpose)
    raise ValueError(f"a scenario needs {need!r}, and nothing is known of that kind")


def pytest_collection_finish(session: pytest.Session) -> None:
    """The plan is known: write it."""
    run = session.config.stash.get(RUN, None)
    if run:
        ours = [item for item in session.items if getattr(item, "obj", None) in scenario_wrapper_template_registry]
        run.open(ours)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the reports, and let the verdict be the exit status of either door."""
    run = session.config.stash.get(RUN, None)
    if run is None or exitstatus in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERNAL_ERROR} or not run.planned:
        return
    if exitstatus == pytest.ExitCode.INTERRUPTED:
        run.trouble = "the run was interrupted from the keyboard"
    run.close()
    if run.run:
        session.exitstatus = EXIT_CODES[run.run.verdict]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The headline, for those who came through pytest."""
    run = config.stash.get(RUN, None)
    if run and run.run:
        terminalreporter.section("MedMij conformance")
        terminalreporter.write_line(f"{run.run.verdict}: {run.run.headline}")
        terminalreporter.write_line(f"report: {run.directory / 'report.html'}")


# --- the judge -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Judge:
    """Judges the stored evidence of one scenario. Every check of a scenario runs; the scenario fails once, at its end."""

    evidence: Evidence
    judgements: list[tuple[Check, Judgement]] = field(default_factory=list)

    def __call__(self, check: Check, **arguments: Any) -> Judgement:
        """Run a check and record what it says."""
        judgement = self._run(check, arguments)
        self.judgements.append((check, judgement))
        self._write("judgement", judgement)
        return judgement

    def note(self, check: Check, **arguments: Any) -> Judgement:
        """Run a check on the way to something else: recorded, and counted as a twin, but no verdict."""
        judgement = self._run(check, arguments)
        self._write("precondition", judgement)
        return judgement

    def require(self, check: Check, **arguments: Any) -> None:
        """Run a check as a precondition. Raises ``NotSeenError`` with what came instead: then nothing can be judged here."""
        judgement = self.note(check, **arguments)
        if judgement.outcome not in {Outcome.PASS, Outcome.WARNING}:
            found = "; ".join(f"expected {f.expected}, saw {f.observed}" for f in judgement.findings)
            raise NotSeenError(f"not seen: {check.claim} ({found or judgement.reason})")

    def _run(self, check: Check, arguments: Mapping[str, Any]) -> Judgement:
        return run_check(check, {name: self._stored(value) for name, value in arguments.items()})

    def _stored(self, value: Any) -> Any:
        if isinstance(value, Exchange):
            return self.evidence.stored(value)
        if isinstance(value, tuple):
            return tuple(self._stored(member) for member in value)
        return self.evidence.redactor.text(value) if isinstance(value, str) else value

    def _write(self, record: str, judgement: Judgement) -> None:
        self.evidence.write(record, **asdict(judgement))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Frame a scenario in the journal: what begins gets an end, whatever happens in between."""
    run = item.config.stash.get(RUN, None)
    if run is None or getattr(item, "obj", None) not in scenario_wrapper_template_registry:
        return (yield)
    planned = planned_of(item)
    frame = _Frame(planned, time.monotonic())
    item.stash[_FRAME] = frame
    run.evidence.scenario = planned.id
    run.evidence.write("scenario-start")
    try:
        return (yield)
    finally:
        duration = round(time.monotonic() - frame.began, 3)
        run.evidence.write("scenario-end", duration_s=duration, reason=frame.reason, outcome=frame.outcome)
        run.progress(f"{frame.outcome:<10} {planned.id}  {planned.name}  ({duration:.1f} s)")
        run.evidence.scenario = ""


@dataclass(slots=True)
class _Frame:
    planned: Planned
    began: float
    outcome: str = "not_tested"
    reason: str = ""


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
            case pytest.skip.Exception() as skipped:
                frame.outcome, frame.reason = "not_tested", str(skipped)
            case error:
                frame.outcome, frame.reason = "error", f"{type(error).__name__}: {error}"
    elif frame and call.when == "call" and not call.excinfo:
        frame.outcome = "pass"
    return report


def pytest_bdd_after_step(request: pytest.FixtureRequest, step: Any) -> None:
    """A sentence that went through; a Then that judged something bad is marked as failed."""
    _note_step(request, step, "passed", "")


def pytest_bdd_step_error(request: pytest.FixtureRequest, step: Any, exception: BaseException) -> None:
    """A sentence that stopped the scenario."""
    _note_step(request, step, "stopped", str(exception))


def _note_step(request: pytest.FixtureRequest, step: Any, outcome: str, detail: str) -> None:
    run = request.config.stash.get(RUN, None)
    if run is None:
        return
    judge: Judge = request.getfixturevalue("judge")
    ids = {check.id for check in checks_of(step.name)}
    bad = [j for c, j in judge.judgements if c.id in ids and j.outcome in {Outcome.FAIL, Outcome.ERROR}]
    run.evidence.write(
        "step", keyword=step.keyword, text=step.name, outcome="failed" if bad else outcome, detail=detail
    )


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


# --- fixtures --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def conformance(pytestconfig: pytest.Config) -> Conformance:
    """The run."""
    return pytestconfig.stash[RUN]


@pytest.fixture(scope="session")
def target(conformance: Conformance) -> Target:
    """The target file."""
    return conformance.target


@pytest.fixture(scope="session")
def release(conformance: Conformance) -> Release:
    """The release that the target is tested against."""
    return conformance.release


@pytest.fixture(scope="session")
def evidence(conformance: Conformance) -> Evidence:
    """The journal of the run."""
    return conformance.evidence


@pytest.fixture(scope="session")
def client(conformance: Conformance, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """The wire: sends what the players say."""
    target, folder = conformance.target, tmp_path_factory.mktemp("identities")
    nodes = {"pgo": target.harness, "mallory": target.harness.other, "unlisted": target.harness.unlisted}
    limits = target.limits
    return Client(
        conformance.evidence,
        connect=target.connect,
        identities=[_identity(name, node, folder) for name, node in nodes.items() if node],
        trust_back=target.trust.ca,
        trust_front=None if target.trust.front == "system" else target.trust.front,
        limits=Limits(exchange_s=limits.exchange_s, body_bytes=limits.body_bytes, pace_ms=limits.pace_ms),
    )


def _identity(name: str, node: HarnessNode, folder: Path) -> Identity:
    credential = node.credential()
    if credential is None:
        return Identity(name=name)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(credential[0])
    key.touch(mode=0o600)
    key.write_bytes(credential[1])
    return Identity(name=name, certificate=certificate, key=key)


@pytest.fixture
def judge(evidence: Evidence) -> Judge:
    """The judge of this scenario."""
    return Judge(evidence)


def _pgo(name: str, node: HarnessNode, conformance: Conformance) -> Pgo:
    return Pgo(
        name=name,
        hostname=node.hostname,
        client_id=node.client_id,
        redirect_uri=node.redirect_uri,
        organisation=node.name,
        response_type=conformance.release.response_type,
        grant_type=conformance.release.grant_type,
        other_host=conformance.target.harness.other.hostname if conformance.target.harness.other else "other.test",
        random=conformance.random,
    )


@pytest.fixture(scope="session")
def pgo(conformance: Conformance) -> Pgo:
    """The PGO gateway that the harness plays."""
    return _pgo("pgo", conformance.target.harness, conformance)


@pytest.fixture(scope="session")
def mallory(conformance: Conformance) -> Pgo:
    """The second listed PGO gateway, which misbehaves where a scenario says so."""
    if conformance.target.harness.other is None:
        pytest.skip("not_tested: the target file has no [harness.other], a second listed node")
    return _pgo("mallory", conformance.target.harness.other, conformance)


@pytest.fixture(scope="session")
def unlisted(conformance: Conformance) -> Pgo:
    """A node that stands on no list."""
    if conformance.target.harness.unlisted is None:
        pytest.skip("not_tested: the target file has no [harness.unlisted], a node on no list")
    return _pgo("unlisted", conformance.target.harness.unlisted, conformance)


Travel = Callable[..., Journey]


@pytest.fixture
def travel(conformance: Conformance, client: Client, pgo: Pgo) -> Travel:
    """Makes a new collection: of a PGO, a person (by her role in ``[persons]``), an offer, and a browser of her own."""
    flows = iter(range(1, 1_000_000))

    def new(
        *, by: Pgo | None = None, person: str = "available", offer: Offer | None = None, browser: UserAgent | None = None
    ) -> Journey:
        target, chosen = conformance.target, offer or conformance.target.offers[0]
        who = target.persons.get(person)
        if who is None:
            raise NotSeenError(f"the target file has no person {person!r} in [persons]")
        player = by or pgo
        agent = browser or UserAgent(
            client=client,
            actions=target.user_agent.actions,
            fields=who[0],
            redirect_uris=[player.redirect_uri],
            flow=next(flows),
            identity=player.name,
            twin=player.name,
            redirects=target.limits.redirects,
        )
        return Journey(
            client=client,
            pgo=player,
            offer=chosen,
            scope=target.scope(chosen),
            person=PERSONAS.get(person, person),
            browser=agent,
            resource_path=conformance.release.gegevensdiensten[chosen.gegevensdienst].request,
        )

    return new


PERSONAS = {
    "available": "Roos",
    "unavailable": "Bart",
    "undeliverable": "Ed",
    "young": "Evi",
    "no_relation": "Nova",
    "unknown": "an unknown person",
}


@pytest.fixture
def journey(travel: Travel) -> Journey:
    """Roos collects the first offer through the PGO."""
    return travel()


@pytest.fixture(scope="session")
def hooks(target: Target) -> Hooks:
    """What the vendor does for us."""
    return Hooks(target.hooks, target.path.parent)


# What checks ask for by name: facts of the scenario's journey, of the target file, and the evidence so far.


@pytest.fixture
def redirect_uri(journey: Journey) -> str:
    """The redirect URI of this scenario's authorization request."""
    return journey.redirect_uri


@pytest.fixture
def state(journey: Journey) -> str:
    """The state of this scenario's authorization request."""
    return journey.state


@pytest.fixture
def second_state(second_journey: Journey) -> str:
    """The state of the second collection of this scenario."""
    return second_journey.state


@pytest.fixture
def scope(journey: Journey) -> str:
    """The scope of this scenario's authorization request."""
    return journey.scope


@pytest.fixture
def authorization_endpoint(journey: Journey) -> str:
    """Where this scenario's authorization request went."""
    return journey.offer.authorization_endpoint


@pytest.fixture
def token_endpoint(journey: Journey) -> str:
    """Where this scenario's token request goes."""
    return journey.offer.token_endpoint


@pytest.fixture
def resource_endpoint(journey: Journey) -> str:
    """Where this scenario's FHIR requests go."""
    return journey.offer.resource_endpoint


@pytest.fixture
def visited(journey: Journey) -> tuple[Exchange, ...]:
    """Everything that the person's browser exchanged in this scenario."""
    return journey.exchanges


@pytest.fixture
def exchanged(evidence: Evidence) -> tuple[Exchange, ...]:
    """Everything that went between the gateways in this scenario."""
    return tuple(e for e in evidence.of_scenario(evidence.scenario) if e.endpoint in {"token", "resource"})


@pytest.fixture
def bsns(conformance: Conformance) -> tuple[str, ...]:
    """The pseudonyms of the BSNs of all test persons, as they would stand in the stored evidence."""
    return tuple(conformance.bsns.values())


@pytest.fixture
def credentials(journey: Journey) -> tuple[str, ...]:
    """The code and the token of this scenario."""
    return tuple(value for value in (journey.code, journey.token) if value)


def _selectors(target: Target, intent: str) -> tuple[str, ...]:
    return tuple(action.page for action in target.user_agent.actions if action.intent == intent)


@pytest.fixture(scope="session")
def login_pages(target: Target) -> tuple[str, ...]:
    """The selectors by which the recipe recognises a login page."""
    return _selectors(target, "log in")


@pytest.fixture(scope="session")
def consent_pages(target: Target) -> tuple[str, ...]:
    """The selectors by which the recipe recognises the consent question."""
    return _selectors(target, "give consent")


@pytest.fixture(scope="session")
def known_pages(target: Target) -> tuple[str, ...]:
    """The selectors of all pages that the recipe knows."""
    return tuple(dict.fromkeys(action.page for action in target.user_agent.actions))


def _controls(target: Target, intent: str) -> tuple[str, ...]:
    return tuple(a.press for a in target.user_agent.actions if a.intent == intent and a.press)


@pytest.fixture(scope="session")
def grant(target: Target) -> tuple[str, ...]:
    """The selectors of the controls that grant consent."""
    return _controls(target, "give consent")


@pytest.fixture(scope="session")
def refuse(target: Target) -> tuple[str, ...]:
    """The selectors of the controls that refuse consent."""
    return _controls(target, "refuse consent")


@pytest.fixture
def provider_name(journey: Journey) -> str:
    """The care provider as the consent page should show it."""
    name: str | None = journey.offer.display_name  # type: ignore[attr-defined]
    if not name:
        raise NotSeenError("the target file gives the offer no display_name")
    return name


@pytest.fixture
def service_name(journey: Journey, release: Release) -> str:
    """The data service as the consent page should show it: the catalogue's name, or the target file's."""
    offer = journey.offer
    own: str | None = offer.gegevensdienst_name  # type: ignore[attr-defined]
    return own or release.gegevensdiensten[offer.gegevensdienst].name  # type: ignore[attr-defined]


@pytest.fixture
def pgo_name(journey: Journey) -> str:
    """The PGO's supplier as the lists name it."""
    return journey.pgo.organisation


@pytest.fixture
def markup(mallory: Pgo) -> str:
    """The name of the second PGO, when it has markup in it."""
    if not set(mallory.organisation) & set("<>&"):
        raise NotSeenError("the name of [harness.other] has no markup in it")
    return mallory.organisation


@pytest.fixture(scope="session")
def purposes(target: Target) -> tuple[str, ...]:
    """The phrases by which the purpose is recognised."""
    return target.consent.purpose


@pytest.fixture(scope="session")
def full_text_url(target: Target) -> str:
    """Where the full text should be; empty when the target file does not say."""
    return target.consent.full_text_url or ""
