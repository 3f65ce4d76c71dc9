"""Several targets in one run: their verdicts stand beside each other, and none touches another."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medmij_conformance import many
from medmij_conformance.cli import main
from medmij_conformance.target import load

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


def test_one_deviating_target_among_several_fails_alone(reference: Any, tmp_path: Path) -> None:
    """The others pass, as the overview says in both forms; the exit code is that of the failure."""
    base = tmp_path / "out"
    targets = ["reference:registratie", str(reference.target), "reference:dvp"]
    only = ("--only", "APP.12b", "--only", "NET.2")
    reference.deviate("code-reusable")
    try:
        command = [*PROGRAM, *targets, "--jobs", "2", *only, "--report-dir", str(base)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    finally:
        reference.deviate()
    overview = json.loads((base / "overview.json").read_text(encoding="utf-8"))
    assert [each["target"] for each in overview["targets"]] == targets
    assert [(each["verdict"], each["exit_code"]) for each in overview["targets"]] == [("pass", 0), ("fail", 1), ("pass", 0)], (
        done.stderr
    )
    assert done.returncode == overview["exit_code"] == 1
    rows = [line for line in (base / "overview.md").read_text(encoding="utf-8").splitlines() if "| fail | 1 |" in line]
    assert len(rows) == 1
    assert "of 138 requirements" in rows[0]
    assert re.search(rf"^fail +{re.escape(targets[1])}: ", done.stderr, re.MULTILINE)


# Ends with the exit code that its target names, and with the report of such a run.
ENDS = """
import json, pathlib, sys
folder, code = pathlib.Path(sys.argv[sys.argv.index("--report-dir") + 1]), int(sys.argv[-1])
verdict = {0: "pass", 1: "fail", 3: "undecided", 4: "error"}.get(code)
if verdict:
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps({"headline": f"ends with {code}", "verdict": verdict}))
sys.exit(code)
"""


@pytest.mark.parametrize(("worse", "better"), [*itertools.combinations(many.WORST_FIRST, 2)])
def test_the_exit_code_is_the_worst_whatever_comes_first(
    worse: int, better: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pair of exit codes in both orders, by processes that end so; the overview names each."""
    monkeypatch.setattr(many, "_PROGRAM", ENDS)
    for targets in ([str(worse), str(better)], [str(better), str(worse)]):
        base = tmp_path / targets[0]
        base.mkdir()
        assert many.run_many(targets, [], 2, base, lambda _: None) == worse
        overview = json.loads((base / "overview.json").read_text(encoding="utf-8"))
        assert overview["exit_code"] == worse
        assert [each["exit_code"] for each in overview["targets"]] == [int(target) for target in targets]


def test_the_order_of_exit_codes_is_that_of_the_documentation() -> None:
    """The pages and the help name it in words; an undecided target never hides one that was not tested at all."""
    order = ", ".join(map(str, many.WORST_FIRST))
    root = Path(__file__).parents[1]
    for page in ("README.md", "docs/ci.md"):
        assert f"in the order {order}" in (root / page).read_text(encoding="utf-8")
    assert f"in the order {order}" in " ".join(CliRunner().invoke(main, ["run", "--help"]).output.split())


def test_one_that_cannot_be_started_is_told_and_the_others_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no place for the log of the second: the first and the third come to their ends."""
    monkeypatch.setattr(many, "_PROGRAM", ENDS)
    (tmp_path / "02-3.log").mkdir()
    said: list[str] = []
    assert many.run_many(["0", "3", "0"], [], 1, tmp_path, said.append) == 4
    told = json.loads((tmp_path / "overview.json").read_text(encoding="utf-8"))["targets"]
    assert [each["verdict"] for each in told] == ["pass", "error", "pass"]
    assert told[1]["headline"] == "could not be started: Is a directory"
    assert "3: could not be started: Is a directory" in said
    assert "could not be started" in (tmp_path / "overview.md").read_text(encoding="utf-8")


def test_no_process_at_all_is_an_error_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is gone: every target is told, and none counts as tested."""
    monkeypatch.setattr(many.sys, "executable", str(tmp_path / "gone"))
    assert many.run_many(["a.toml", "b.toml"], [], 2, tmp_path, lambda _: None) == 4
    told = json.loads((tmp_path / "overview.json").read_text(encoding="utf-8"))["targets"]
    assert [each["headline"] for each in told] == ["could not be started: No such file or directory"] * 2


def test_only_places_that_a_run_listens_at_can_collide(tmp_path: Path) -> None:
    """A table that the role has no use for takes no port: DigiD is not played where people log in by a form."""
    texts = []
    for name in ("one", "two"):
        made = CliRunner().invoke(main, ["init", str(tmp_path / name)])
        assert made.exit_code == 0, made.output
        texts.append((tmp_path / name / "target.toml").read_text(encoding="utf-8"))
    first, second = tmp_path / "one" / "target.toml", tmp_path / "two" / "target.toml"
    (port,) = re.findall(r'ocsp_listen = "127.0.0.1:(\d+)"', texts[0])
    elsewhere = re.sub(r'ocsp_listen = "[^"]+"', 'ocsp_listen = "127.0.0.1:19999"', texts[1])
    digid = re.sub("^# ", "", re.search(r"^# \[digid\].*(?:\n# .*)*", elsewhere, re.MULTILINE)[0], flags=re.MULTILINE)  # type: ignore[index]
    digid = digid.replace("127.0.0.1:8446", f"127.0.0.1:{port}").replace("sp-metadata.xml", "digid-metadata.xml")
    second.write_text(f"{elsewhere}\n{digid}\n", encoding="utf-8")
    played = load(second).digid
    assert played
    assert played.listen == f"127.0.0.1:{port}"
    assert many.collisions([str(first), str(second)]) == []
    second.write_text(elsewhere.replace('"127.0.0.1:19999"', f'"0.0.0.0:{port}"'), encoding="utf-8")
    (problem,) = many.collisions([str(first), str(second)])
    assert "pki.ocsp_listen: listens on port" in problem
