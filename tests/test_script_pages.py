"""A gateway whose pages work by script: with Chromium it is judged as any other, without it nothing is said that was not seen."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance import workspace
from medmij_conformance.reference.dvza_deviations import DEVIATIONS
from medmij_conformance.verdict import REGISTRY
from medmij_conformance.wire.control import call

SCRIPTED = "pages-by-script"
ADVICE = 'set engine = "chromium" in [user_agent]'
# Faults behind pages by script; to find the first three, an answer of a script has to be forged, stolen and repeated.
FAULTS = ("anti-forgery-ignored", "session-by-field-alone", "session-survives-refusal", "provider-not-named", "state-lower-case")
# What a plain page is judged by: the happy flow is in every run, here come consent, cookies, tabs, refusals and forgeries.
PAGES = ("TV.1", "TV.7", "UCI-V.step.3", "UCI-V.exc.4", "UCI-V.exc.5", "RFC6819.4.4.1.10a", "RFC6749.10.14", "P&I.8")
# Where pages are what is judged. What comes after the login is the same with any engine, so it is run only when all is wanted.
# A page that no recipe knows is watched for a second, so two runs share them.
FEATURES = {"refusals by script": ("authorization",), "pages by script": ("happy_flow", "consent", "exceptions")}
WHOLE = bool(os.environ.get("MEDMIJ_WHOLE"))
RUNS = ("plain", "whole plan by script") if WHOLE else ("plain", *FEATURES)
CHECKOUT = Path(__file__).parent.parent
HALF_AN_HOUR = 1800


class Judged:
    """A finished run: its process and what results.json says."""

    def __init__(self, process: "subprocess.CompletedProcess[str]", directory: Path) -> None:
        assert (directory / "results.json").is_file(), process.stderr
        self.exit_code = process.returncode
        self.said = process.stderr
        self.directory = directory
        self.results: dict[str, Any] = json.loads((directory / "results.json").read_text(encoding="utf-8"))

    def verdicts(self) -> Mapping[tuple[str, str], str]:
        """Scenario and check -> outcome."""
        scenarios = self.results["scenarios"]
        return {(scenario["id"], row["check"]): row["outcome"] for scenario in scenarios for row in scenario["verdicts"]}

    def with_outcome(self, *outcomes: str) -> set[str]:
        """The checks that had one of these outcomes."""
        return {check for (_, check), outcome in self.verdicts().items() if outcome in outcomes}


class Variants:
    """Runs of the embedded reference, each against a reference of its own."""

    def __init__(self, medmij: Any, folder: Path) -> None:
        self._medmij = medmij
        self._folder = folder

    def run(self, engine: str, *deviations: str, only: tuple[str, ...] = (), features: tuple[str, ...] = ()) -> Judged:
        """Test a variant with an engine: everything, some requirements, or some features."""
        folder = self._folder / "-".join((engine, *deviations, *features))
        folder.mkdir()
        # Where the engine runs no script, the login has to be by script as well: DigiD's page is not.
        target, reference = workspace.reference_dvza(folder, login="form" if engine == "html" else "digid")
        try:
            set_engine(target.path, engine)
            call(f"{reference.ports['control']}/deviate", {"names": list(deviations)})
            options = [part for name in only for part in ("--only", name)]
            report = folder / "report"
            options += ["--seed", "7", "--report-dir", str(report)]
            if features:
                return Judged(_through_pytest(target.path, features, options), report)
            return Judged(self._medmij("run", target.path, "--quiet", *options, timeout=HALF_AN_HOUR), report)
        finally:
            reference.stop()


def _through_pytest(target: Path, features: tuple[str, ...], options: list[str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", *(f"features/dvza/{name}.feature" for name in features)]
    command += ["--target", str(target), "-p", "no:cacheprovider", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=HALF_AN_HOUR, check=False)


def set_engine(target: Path, engine: str) -> None:
    """Let a target file of the reference choose an engine."""
    text = target.read_text(encoding="utf-8")
    target.write_text(text.replace("[login]", f'[user_agent]\nengine = "{engine}"\n\n[login]', 1), encoding="utf-8")


@pytest.fixture(scope="module")
def variants(medmij: Any, tmp_path_factory: pytest.TempPathFactory) -> Variants:
    """Makes runs."""
    return Variants(medmij, tmp_path_factory.mktemp("variants"))


@pytest.fixture(scope="module")
def with_chromium(needs_chromium: None, variants: Variants) -> Mapping[str, Judged]:
    """With Chromium: what has to do with pages on the plain reference, and every feature about pages on its variant by script.

    With ``MEDMIJ_WHOLE`` set, as before a release, the variant by script is judged by the whole quick plan.
    """
    with ThreadPoolExecutor(len(RUNS)) as pool:
        scripted = [pool.submit(variants.run, "chromium", SCRIPTED, features=FEATURES.get(name, ())) for name in RUNS[1:]]
        runs = [pool.submit(variants.run, "chromium", only=PAGES), *scripted]
        return dict(zip(RUNS, (run.result() for run in runs), strict=True))


@pytest.fixture(scope="module")
def with_html(variants: Variants) -> Judged:
    """The variant by script, tested with the engine that runs none."""
    return variants.run("html", SCRIPTED)


def test_plain_pages_are_judged_alike_by_both_engines(with_chromium: Mapping[str, Judged], finished: Any) -> None:
    """Every verdict of every scenario is the same as with the html engine, and it is a pass."""
    plain = with_chromium["plain"]
    html = Judged(finished.process, finished.directory)
    assert plain.exit_code == 0, plain.said
    assert len(plain.verdicts()) > 40
    assert plain.verdicts().items() <= html.verdicts().items()


@pytest.mark.parametrize("name", RUNS[1:])
def test_pages_by_script_pass_with_chromium(with_chromium: Mapping[str, Judged], finished: Any, name: str) -> None:
    """The same checks pass in the same scenarios; only that a script sends the browser back earns a warning (AMB.65)."""
    scripted, html = with_chromium[name], Judged(finished.process, finished.directory)
    assert (scripted.exit_code, scripted.results["verdict"]) == (0, "pass"), scripted.said
    assert len(scripted.verdicts()) > 60
    differing = {place: outcome for place, outcome in scripted.verdicts().items() if html.verdicts()[place] != outcome}
    assert differing == {("happy-flow", "redirect_status_is_right"): "warning"}


@pytest.mark.parametrize("name", RUNS)
def test_evidence_of_chromium_is_judged_again(with_chromium: Mapping[str, Judged], medmij: Any, name: str) -> None:
    """From the journal alone come the same verdicts."""
    verified = medmij("verify", with_chromium[name].directory, "--rejudge")
    assert verified.returncode == 0, verified.stdout


def test_evidence_of_chromium_holds_no_secret(with_chromium: Mapping[str, Judged]) -> None:
    """Neither a BSN that was typed, nor one in a page, is in any file of the report."""
    for judged in with_chromium.values():
        for path in judged.directory.iterdir():
            text = path.read_text(encoding="utf-8")
            for bsn in [workspace.UNKNOWN_BSN, *(bsn for bsn, _ in workspace.REFERENCE_PERSONS.values())]:
                assert bsn not in text, path.name


def test_pages_by_script_are_not_tested_with_html(with_html: Judged, finished: Any) -> None:
    """Nothing fails, nothing passes, and the run is undecided."""
    assert (with_html.exit_code, with_html.results["verdict"]) == (3, "undecided"), with_html.said
    judged = with_html.with_outcome("pass", "attested", "warning", "review", "fail", "error")
    assert judged == set()
    usual = Judged(finished.process, finished.directory).verdicts()
    others = {check for _, check in usual if REGISTRY[check].function.__module__.rpartition(".")[2] != "digid"}
    assert with_html.with_outcome("not_tested") == others - judged


def test_reason_says_what_would_help(with_html: Judged) -> None:
    """Whoever could not get past a page is told to take the other engine."""
    reasons = {
        scenario["id"]: " ".join(row["reason"] for row in scenario["verdicts"]) for scenario in with_html.results["scenarios"]
    }
    for name in (
        "happy-flow",
        "consent-page",
        "exception[4: refused]",
        "two-tabs",
        "consent-forged",
        "session-ended",
        "bsn-browser",
    ):
        assert ADVICE in reasons[name], name


@pytest.fixture(scope="module")
def faulty(needs_chromium: None, variants: Variants) -> Mapping[str, Judged]:
    """Faults behind pages by script, each tested for what it breaks; three at a time."""

    def judge(name: str) -> Judged:
        broken = sorted({requirement for check in DEVIATIONS.by_name[name].breaks for requirement in REGISTRY[check].requirements})
        return variants.run("chromium", name, SCRIPTED, only=tuple(broken))

    with ThreadPoolExecutor(3) as pool:
        return dict(zip(FAULTS, pool.map(judge, FAULTS), strict=True))


@pytest.mark.parametrize("name", FAULTS)
def test_fault_behind_pages_by_script_is_found(faulty: Mapping[str, Judged], name: str) -> None:
    """What the html engine finds on plain pages, Chromium finds on pages by script."""
    assert faulty[name].exit_code == 1, faulty[name].said
    assert faulty[name].with_outcome("fail") == DEVIATIONS.by_name[name].breaks


# --- the command line ---


@pytest.fixture
def chromium_target(reference: Any) -> Iterator[Path]:
    """A target file beside that of the shared reference, with Chromium."""
    target = reference.folder / "chromium.toml"
    target.write_text(reference.target.read_text(encoding="utf-8"), encoding="utf-8")
    set_engine(target, "chromium")
    yield target
    target.unlink()


def test_without_a_browser_nothing_begins(
    chromium_target: Path, medmij: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit 2 before the first scenario, and one line that says what to install."""
    monkeypatch.setenv("MEDMIJ_CHROMIUM", "no-such-program")
    process = medmij("run", chromium_target, "--report-dir", tmp_path / "report")
    assert process.returncode == 2
    (line,) = [line for line in process.stderr.splitlines() if "user_agent.engine" in line]
    assert "apt-get install chromium" in line
    assert 'engine = "html"' in line
    assert not (tmp_path / "report" / "results.json").exists()


def test_interrupted_run_closes_the_browser(needs_chromium: None, chromium_target: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a page: the report is written, and no process is left."""
    report = tmp_path / "report"
    command = [Path(sys.executable).with_name("medmij-conformance"), "run", chromium_target, "--quiet", "--report-dir", report]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, start_new_session=True, **quiet) as process:
        until = time.monotonic() + 120
        journal = report / "evidence.jsonl"
        while not (journal.is_file() and b'"scenario-end"' in journal.read_bytes()):
            assert process.poll() is None, "the run ended before it could be interrupted"
            assert time.monotonic() < until
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 3
    results = json.loads((report / "results.json").read_text(encoding="utf-8"))
    assert results["trouble"] == "the run was interrupted from the keyboard"
    assert _session_of(process.pid) == []


def _session_of(leader: int) -> list[str]:
    """The commands of the processes that are still in a session, but for those that nobody has waited for."""
    left = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            command = (folder / "cmdline").read_text()
        except OSError:
            continue
        if int(session) == leader and state != "Z":
            left.append(command)
    return left
