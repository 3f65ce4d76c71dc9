"""A run that is cut off leaves what it had, says that it was cut off, and is never a pass."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medmij_conformance import data_path
from medmij_conformance.cli import main
from medmij_conformance.evidence import read_journal
from medmij_conformance.verdict import REGISTRY

ENOUGH = 5  # scenarios that had an end when the run was cut off
FORMATS = ("results.json", "report.html", "junit.xml", "testreport.json", "evidence.har", "summary.md", "manifest.json")
CUT_OFF = "the run was interrupted before its end"


def cut_off(target: Path, directory: Path, how: signal.Signals) -> int:
    """Start a run, wait for some scenarios, and end it with a signal. Gives what became of the process."""
    command = [Path(sys.executable).with_name("medmij-conformance"), "run", target, "--report-dir", directory]
    journal = directory / "evidence.jsonl"
    scratch = directory.with_name(f"{directory.name}-scratch")  # a killed process cannot clear up, so pytest does
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*command, "--seed", "7"], env=environment, **quiet) as process:
        until = time.monotonic() + 60
        while not (journal.is_file() and journal.read_bytes().count(b'"scenario-end"') >= ENOUGH):
            assert process.poll() is None, "the run ended before it could be cut off"
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(how)
        return process.wait(timeout=60)


def rebuilt(directory: Path) -> dict[str, Any]:
    """What results.json says after ``report DIR``."""
    done = CliRunner().invoke(main, ["report", str(directory)])
    assert done.exit_code == 0, done.output
    return json.loads((directory / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def killed(reference: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report directory of a run that was killed in the middle."""
    directory = tmp_path_factory.mktemp("killed")
    assert cut_off(reference.target, directory, signal.SIGKILL) == -signal.SIGKILL
    assert [path.name for path in directory.iterdir()] == ["evidence.jsonl"]
    return directory


def test_a_killed_run_can_be_reported(killed: Path) -> None:
    """From the journal of a killed run come all formats, and they are whole."""
    rebuilt(killed)
    assert sorted(path.name for path in killed.iterdir()) == sorted(("evidence.jsonl", *FORMATS))
    assert CliRunner().invoke(main, ["verify", str(killed), "--rejudge"]).exit_code == 0


def test_a_killed_run_is_no_pass_and_says_so(killed: Path) -> None:
    """The verdict is that of a run that went wrong, and every format says why."""
    results = rebuilt(killed)
    assert (results["verdict"], results["complete"]) == ("error", False)
    assert (results["interrupted"], results["finished"], results["trouble"]) == (True, None, CUT_OFF)
    assert results["headline"].startswith(CUT_OFF)
    for name in ("report.html", "junit.xml"):
        assert CUT_OFF in (killed / name).read_text(encoding="utf-8"), name


def test_a_killed_run_keeps_what_was_judged(killed: Path) -> None:
    """Every judgement stays, but a refusal, whose twin was not seen after it; what did not come to a judgement is not tested."""
    results = rebuilt(killed)
    found = {
        (scenario["id"], verdict["check"]): verdict["outcome"]
        for scenario in results["scenarios"]
        for verdict in scenario["verdicts"]
    }
    judged = {(r["scenario"], r["check"]): r["outcome"] for r in read_journal(killed / "evidence.jsonl") if "check" in r}
    judged = {place: outcome for place, outcome in judged.items() if place in found}
    assert len(judged) >= ENOUGH
    for place, outcome in judged.items():
        assert found[place] == ("not_tested" if REGISTRY[place[1]].twin else outcome)
    assert "pass" in judged.values()
    assert {outcome for place, outcome in found.items() if place not in judged} == {"not_tested"}
    assert "not run" in {scenario["reason"] for scenario in results["scenarios"]}


def test_half_a_record_at_the_end_is_left_out(killed: Path, tmp_path: Path) -> None:
    """A journal that ends in the middle of a record, even of a character, is read up to there."""
    journal = (killed / "evidence.jsonl").read_bytes()
    lines = journal.split(b"\n")
    for cut in (b'{"type": "exch', '{"type": "step", "text": "\u00eb'.encode()[:-1]):
        (tmp_path / "evidence.jsonl").write_bytes(b"\n".join(lines[:-1]) + b"\n" + cut)
        assert rebuilt(tmp_path)["trouble"] == CUT_OFF


@pytest.fixture
def deviating(reference: Any) -> Iterator[Any]:
    """The reference returns every state in lower case, which the first scenario sees."""
    reference.deviate("state-lower-case")
    yield reference
    reference.deviate()


def test_a_failure_outlives_a_killed_run(deviating: Any, tmp_path: Path) -> None:
    """What had failed before the run was killed makes it a failure."""
    cut_off(deviating.target, tmp_path, signal.SIGKILL)
    results = rebuilt(tmp_path)
    assert (results["verdict"], results["interrupted"]) == ("fail", True)
    assert "UCI-V.step.10" in {row["id"] for row in results["requirements"] if row["outcome"] == "fail"}


def test_a_run_interrupted_from_the_keyboard_still_reports(reference: Any, tmp_path: Path) -> None:
    """After an interrupt all formats are there and say so; exit 3, for nothing was decided."""
    assert cut_off(reference.target, tmp_path, signal.SIGINT) == 3
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert all((tmp_path / name).is_file() for name in FORMATS)
    assert (results["verdict"], results["complete"], results["interrupted"]) == ("undecided", False, True)
    assert results["finished"]
    assert results["trouble"] == "the run was interrupted from the keyboard"
    assert results["headline"].startswith("the run was interrupted from the keyboard; ")
    assert rebuilt(tmp_path) == results
    assert CliRunner().invoke(main, ["verify", str(tmp_path), "--rejudge"]).exit_code == 0


SWALLOWED = """
import signal, weakref

class Thing:
    pass

def pytest_runtest_teardown(item):
    if "At_the_end" in item.name or "at_the_end" in item.name:
        thing = Thing()
        watched = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
        del thing
"""


def test_an_interrupt_that_python_drops_still_ends_the_run(reference: Any, tmp_path: Path) -> None:
    """One that comes in a callback of a weak reference is raised nowhere; the run ends all the same, and says so."""
    (tmp_path / "swallowed.py").write_text(SWALLOWED, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-c", tmp_path / "pytest.ini", "-p", "swallowed", "-p", "medmij_conformance.plugin"]
    command += [data_path("features") / "test_features.py", "--target", reference.target, "--report-dir", tmp_path / "report"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert done.returncode == 3, done.stdout
    assert "KeyboardInterrupt" in done.stdout
    assert (results["verdict"], results["interrupted"]) == ("undecided", True)
    assert [row["id"] for row in results["scenarios"] if row["reason"] == "not run"] == [
        "closing-pgo",
        "closing-second-pgo",
        "unfinished",
        "guessing",
    ]
