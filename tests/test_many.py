"""Several targets in one run: their verdicts stand beside each other, and none touches another."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from click.testing import CliRunner

from medmij_conformance.cli import main

PROGRAM = [sys.executable, "-c", "from medmij_conformance.cli import main; main()", "run"]


def test_three_references_and_a_wrong_file_keep_their_own_verdicts(tmp_path: Path) -> None:
    """Two at a time; the wrong file is told as wrong, and each reference gets the verdict that it gets alone."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[target]\nnonsense = 1\n", encoding="utf-8")
    base = tmp_path / "out"
    references = ["reference:registratie", "reference:dvza", "reference:dvp"]
    command = [*PROGRAM, *references, str(wrong), "--jobs", "2", "--only", "NET.2", "--report-dir", str(base)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    overview = json.loads((base / "overview.json").read_text(encoding="utf-8"))
    told = {each["target"]: each for each in overview["targets"]}
    assert list(told) == [*references, str(wrong)]
    assert (told[str(wrong)]["exit_code"], told[str(wrong)]["verdict"]) == (2, "configuration wrong")
    for name in references:
        alone = subprocess.run(
            [*PROGRAM, name, "--only", "NET.2", "--report-dir", str(tmp_path / "alone" / name[10:])],
            capture_output=True,
            timeout=300,
            check=False,
        )
        assert told[name]["exit_code"] == alone.returncode, done.stderr
        assert (base / told[name]["report"] / "report.html").is_file()
    assert done.returncode == overview["exit_code"] == 2
    assert all(name in (base / "overview.md").read_text(encoding="utf-8") for name in references)


def test_an_interrupted_run_of_several_leaves_an_overview_and_no_process(tmp_path: Path) -> None:
    """One has begun, one waits: both are undecided."""
    base = tmp_path / "out"
    command = [*PROGRAM, "reference:dvza", "reference:dvp", "--jobs", "1", "--report-dir", str(base)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        journal = base / "01-reference-dvza" / "evidence.jsonl"
        while not (journal.is_file() and b'"scenario-end"' in journal.read_bytes()):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 3
    overview = json.loads((base / "overview.json").read_text(encoding="utf-8"))
    assert [each["verdict"] for each in overview["targets"]] == ["undecided", "undecided"]
    assert (base / "01-reference-dvza" / "report.html").is_file()


def test_two_files_that_listen_on_one_port_are_refused_before_anything_starts(tmp_path: Path) -> None:
    """The same file named twice is the plainest case."""
    made = CliRunner().invoke(main, ["init", str(tmp_path / "gateway")])
    assert made.exit_code == 0, made.output
    file = str(tmp_path / "gateway" / "target.toml")
    done = CliRunner().invoke(main, ["run", file, file, "--report-dir", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "expected a port of its own" in done.output
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_killed_is_an_error_and_the_other_keeps_its_verdict(tmp_path: Path) -> None:
    """No report is never a pass."""
    base = tmp_path / "out"
    command = [*PROGRAM, "reference:dvza", "reference:registratie", "--jobs", "2", "--report-dir", str(base)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while not (base / "01-reference-dvza" / "evidence.jsonl").is_file():
            assert time.monotonic() < until
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="utf-8").split()
        os.kill(int(children[0]), signal.SIGKILL)
        assert process.wait(timeout=120) == 4
    told = json.loads((base / "overview.json").read_text(encoding="utf-8"))["targets"]
    assert [each["verdict"] for each in told] == ["error", "pass"]


def test_no_check_holds_for_each_of_several_targets(tmp_path: Path) -> None:
    """No gateway of this workspace is there: the check tells how to see that, and is silent where it is not wanted."""
    made = CliRunner().invoke(main, ["init", str(tmp_path / "gateway")])
    assert made.exit_code == 0, made.output
    file = str(tmp_path / "gateway" / "target.toml")
    checked = {}
    for option in ("--check", "--no-check"):
        base = tmp_path / option
        command = [*PROGRAM, file, "reference:registratie", option, "--only", "NET.2", "--report-dir", str(base)]
        subprocess.run(command, capture_output=True, timeout=120, check=False)
        told = json.loads((base / "overview.json").read_text(encoding="utf-8"))["targets"]
        assert (base / told[0]["report"] / "results.json").is_file()
        checked[option] = "\n  see: " in (base / told[0]["log"]).read_text(encoding="utf-8")
    assert checked == {"--check": True, "--no-check": False}
