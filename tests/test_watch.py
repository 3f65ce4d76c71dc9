"""A watch run waits in real time, can be broken off and continued, and judges what it saw. The toy release makes a day short."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance import workspace
from medmij_conformance.evidence import read_journal
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.watching import Watch, seconds_of

COMMAND = Path(sys.executable).with_name("medmij-conformance")
CHANGES = {"provider-added", "provider-changed", "provider-removed", "gateway-added", "gateway-removed"}


def _outcomes(report: Path) -> dict[str, set[str]]:
    """Scenario -> the outcomes of its verdicts."""
    results = json.loads((report / "results.json").read_text(encoding="utf-8"))
    return {row["id"]: {verdict["outcome"] for verdict in row["verdicts"]} for row in results["scenarios"]}


def _run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([COMMAND, "run", *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)


def test_a_watch_that_is_too_short_decides_nothing(tmp_path: Path) -> None:
    """What takes longer than the watch is not tested, with the length that it takes."""
    target, reference = workspace.reference_registratie(tmp_path, release="test-2")
    try:
        done = _run(target.path, "--plan", "watch", "--for", "1s", "--only", "P&I.12", "--report-dir", tmp_path / "report")
    finally:
        reference.stop()
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    (row,) = [row for row in results["requirements"] if row["id"] == "P&I.12"]
    assert done.returncode == 3, done.stderr[-2000:]
    assert row["outcome"] == "not_tested"
    assert "--plan watch --for" in json.dumps(results)


def _cut_off(target: Path, report: Path) -> None:
    """Begin a watch run and kill it when everything was registered."""
    command = [COMMAND, "run", target, "--plan", "watch", "--for", "60s", "--report-dir", report]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env={**os.environ, "TMPDIR": str(report.parent)}, **quiet) as process:
        journal, until = report / "evidence.jsonl", time.monotonic() + 60
        while not (journal.is_file() and journal.read_bytes().count(b'"type":"registration"') >= len(CHANGES)):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)


def _registered(journal: Path) -> dict[str, Any]:
    """Scenario -> the entry that was registered for it first."""
    records = [record for record in read_journal(journal) if record["type"] == "registration"]
    return {record["name"]: record["entry"] for record in reversed(records)}


def test_a_watch_run_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    """It takes up what was registered before, counts from the first begin, and comes to a report that is whole.

    What was registered is published a (short) day later, and that is a pass: no clock was moved.
    """
    target, reference = workspace.reference_registratie(tmp_path, release="test-2")
    report = tmp_path / "report"
    try:
        _cut_off(target.path, report)
        done = _run(target.path, "--plan", "watch", "--for", "60s", "--continue", report)
    finally:
        reference.stop()
    verified = subprocess.run([COMMAND, "verify", report, "--rejudge"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert _registered(report / "evidence.jsonl") == _registered(report / "evidence-part-1.jsonl")
    assert {name: _outcomes(report)[name] for name in CHANGES} == {name: {"pass"} for name in CHANGES}
    assert verified.returncode == 0, verified.stdout


def test_fetches_are_watched_in_real_time(tmp_path: Path) -> None:
    """A gateway that fetches its Whitelist often enough for as long as is watched passes, without a clock that is moved."""
    target, reference = workspace.reference_dvza(tmp_path, release="test-2")
    try:
        done = _run(*(target.path, "--plan", "watch", "--for", "12s", "--only", "APP.21b", "--report-dir", tmp_path / "report"))
    finally:
        reference.stop()
    assert done.returncode == 0, done.stderr[-2000:]
    assert _outcomes(tmp_path / "report")["whitelist-hourly"] == {"pass"}


@pytest.fixture(scope="module")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A target file of a Registratie that is not there."""
    folder = tmp_path_factory.mktemp("registratie")
    workspace.initialise(folder, "registratie")
    return folder / "target.toml"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--for", "26h"], "--for: only a watch run has a length"),
        (["--plan", "watch", "--for", "a day"], "expected a whole number with s, m, h or d behind it"),
        (["--continue", "."], "--continue: only a watch run can be continued"),
        (["--plan", "watch", "--continue", "."], "no journal can be read"),
    ],
)
def test_wrong_options_are_named(options: list[str], said: str, initialised: Path) -> None:
    """A length or a folder that makes no sense is refused before anything is sent."""
    done = _run(initialised, *options)
    assert done.returncode == 2
    assert said in done.stderr + done.stdout


@pytest.mark.parametrize(("text", "seconds"), [("26h", 93_600), ("90m", 5_400), ("20s", 20), ("2d", 172_800)])
def test_lengths_are_read(text: str, seconds: int) -> None:
    """A whole number with a unit is a length."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "26", "h", "-1h", "1.5h", "0s", "1w"])
def test_other_lengths_are_refused(text: str) -> None:
    """Anything else is none."""
    with pytest.raises(ValueError, match="is no duration"):
        seconds_of(text)


def test_a_clock_that_is_moved_counts() -> None:
    """Where the clock can be moved nobody waits, and it is known by how much it was moved."""
    moved: list[int] = []
    watch = Watch(None, time.time(), moved.append)
    watch.let_pass(3_600, since=time.time())
    assert (moved, watch.moved_s) == ([3_600], 3_600)


def test_what_takes_longer_than_the_watch_is_not_waited_for() -> None:
    """Nobody waits for what comes after the end of the watch, or in a run that watches nothing."""
    for watch in (Watch(None, time.time()), Watch(10, time.time())):
        with pytest.raises(NotSeenError, match="--plan watch --for"):
            watch.let_pass(3_600, since=time.time())


def test_what_has_passed_already_is_not_waited_for() -> None:
    """After a break the time since the begin counts."""
    began = time.monotonic()
    Watch(10, time.time() - 5).let_pass(3, since=time.time() - 5)
    assert time.monotonic() - began < 1
