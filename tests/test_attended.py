"""A run at a terminal: the operator does what a hook asks, answers questions, is not there, comes late, or breaks off."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medmij_conformance.cli import main
from medmij_conformance.planning import hooks_at_hand
from medmij_conformance.target import Hook, load
from medmij_conformance.wire.control import call

BY_HAND = ("source_down", "source_up", "questions")
TargetFile = Callable[..., Path]
DONE, QUESTION = "Enter when it is done", "s = skip"


@pytest.fixture
def by_hand(reference: Any) -> Iterator[TargetFile]:
    """The target file of the reference, with three hooks that an operator carries out; what he can do is shown in no other way."""
    file = reference.folder / "by-hand.toml"
    reference.deviate()  # a fresh gateway, which remembers no guesses of another test

    def write(limits: str = "") -> Path:
        lines = reference.target.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.partition(" ")[0] not in {*BY_HAND, "undeliverable"}]
        kept.insert(kept.index("[limits]") + 1, limits)
        text = "\n".join([*kept, *(f'{name} = "operator"' for name in BY_HAND), ""])
        file.write_text(text, encoding="utf-8")
        return file

    yield write
    file.unlink(missing_ok=True)


def _results(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "results.json").read_text(encoding="utf-8"))


def _outcomes(directory: Path) -> dict[str, str]:
    return {row["id"]: row["outcome"] for row in _results(directory)["requirements"]}


def test_the_operator_does_and_answers(reference: Any, by_hand: TargetFile, sit: Any, tmp_path: Path) -> None:
    """Source down and up by hand, slower than a scenario may last, and questions answered: the run ends as with other hooks."""
    file = by_hand("scenario_s = 4\nexchange_s = 4\noperator_s = 60")
    desk = sit(file, "--report-dir", tmp_path, "--only", "UCI-V.exc.8", "--only", "MERK.1", "--only", "TV.8")
    before = desk.until("--- operator: source_down (60 s) ---")
    assert before.endswith("\n")
    assert "pass       happy-flow" in before
    desk.until(DONE)
    call(f"{reference.control}/source_down")
    time.sleep(4.5)
    desk.type("\n")
    desk.until("--- operator: source_up (60 s) ---")
    desk.until(DONE)
    call(f"{reference.control}/source_up")
    desk.type("\n")
    desk.until(QUESTION)
    desk.type("na\n")
    desk.until("Remark")
    desk.type("no screen\n")
    desk.until("Your name")
    desk.type("Kim de Wit\n")
    desk.until("participant logo")
    desk.until(QUESTION)
    desk.type("y\n")
    desk.until("Remark")
    desk.type("see our site\n")
    assert desk.end() == 0, desk.screen
    assert "Your name" not in desk.screen[desk.screen.find("participant logo") :]
    outcomes = _outcomes(tmp_path)
    assert (outcomes["UCI-V.exc.8"], outcomes["MERK.1"], outcomes["TV.8"]) == ("pass", "attested", "not_applicable")
    assert "stated by Kim de Wit: see our site" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert CliRunner().invoke(main, ["verify", str(tmp_path), "--rejudge"]).exit_code == 0


def test_a_no_at_the_terminal_fails(by_hand: TargetFile, sit: Any, tmp_path: Path) -> None:
    """A no is a finding with the remark; exit 1."""
    desk = sit(by_hand(), "--report-dir", tmp_path, "--only", "MERK.1")
    desk.until(QUESTION)
    desk.type("n\n")
    desk.until("Remark")
    desk.type("it links nowhere\n")
    desk.until("Your name")
    desk.type("Kim\n")
    assert desk.end() == 1
    assert _outcomes(tmp_path)["MERK.1"] == "fail"
    assert "Kim says no: it links nowhere" in desk.screen


def test_nobody_waits_for_ever(by_hand: TargetFile, sit: Any, tmp_path: Path) -> None:
    """An operator who does not answer in time leaves the question open; the run goes on and is undecided."""
    desk = sit(by_hand("operator_s = 1"), "--report-dir", tmp_path, "--only", "MERK.1")
    desk.until(QUESTION)
    assert desk.end() == 3
    assert _outcomes(tmp_path)["MERK.1"] == "not_tested"
    assert "hook 'questions': the operator did not answer within 1 s" in (tmp_path / "report.html").read_text(
        encoding="utf-8"
    ).replace("&#39;", "'")
    assert "\nnot_tested question-logo" in desk.screen


def test_a_source_that_stays_down_stops_the_run(reference: Any, by_hand: TargetFile, sit: Any, tmp_path: Path) -> None:
    """When the source is not brought back nothing after it can be judged: the run stops with an error that says so."""
    desk = sit(by_hand(), "--report-dir", tmp_path, "--only", "UCI-V.exc.8")
    desk.until(DONE)
    call(f"{reference.control}/source_down")
    desk.type("\n")
    desk.until(DONE)
    call(f"{reference.control}/source_up")
    desk.type("s\n")
    assert desk.end() == 4
    results = _results(tmp_path)
    assert results["trouble"] == "the run stopped: hook 'source_up': the operator left it out"
    assert "fail" not in _outcomes(tmp_path).values()


def test_ctrl_c_at_a_prompt_ends_the_run(by_hand: TargetFile, sit: Any, tmp_path: Path) -> None:
    """Ctrl-C while a question is open ends the run, with a report that says so; exit 3."""
    desk = sit(by_hand(), "--report-dir", tmp_path, "--only", "MERK.1")
    desk.until(QUESTION)
    desk.type("\x03")
    assert desk.end() == 3
    results = _results(tmp_path)
    assert results["trouble"] == "the run was interrupted from the keyboard"
    assert _outcomes(tmp_path)["MERK.1"] == "not_tested"


def test_unattended_leaves_the_operator_out(by_hand: TargetFile, sit: Any, tmp_path: Path) -> None:
    """With --unattended nobody is asked, even at a terminal; what needs him is outside the plan, with the reason."""
    desk = sit(by_hand(), "--report-dir", tmp_path, "--unattended", "--only", "MERK.1", "--only", "UCI-V.exc.8", "--only", "APP.13")
    assert desk.end() == 0, desk.screen
    assert "operator:" not in desk.screen
    _are_left_out(tmp_path)


def test_without_a_terminal_nobody_is_asked(by_hand: TargetFile, medmij: Any, tmp_path: Path) -> None:
    """Without a terminal a run is unattended by itself, and --attended is refused."""
    file = by_hand()
    only = ("--only", "MERK.1", "--only", "UCI-V.exc.8", "--only", "APP.13")
    assert medmij("run", file, "--report-dir", tmp_path, *only).returncode == 0
    _are_left_out(tmp_path)
    refused = medmij("run", file, "--report-dir", tmp_path, "--attended", *only)
    assert refused.returncode == 2
    assert "--attended: expected a terminal" in refused.stderr


def _are_left_out(directory: Path) -> None:
    rows = {row["id"]: row for row in _results(directory)["requirements"]}
    for name, hook in (("MERK.1", "questions"), ("UCI-V.exc.8", "source_down")):
        assert (rows[name]["promised"], rows[name]["planned"], rows[name]["outcome"]) == (False, False, "not_tested")
        assert rows[name]["reason"] == f"the hook {hook} needs an operator at the terminal, and the run is unattended"
    assert rows["APP.13"]["outcome"] == "pass"


def test_a_clock_is_not_moved_by_hand(reference: Any) -> None:
    """With an operator every hook is at hand but the clock, which leaves him five seconds; without one only the others are."""
    target = load(reference.target)
    by_hand = replace(target, hooks=target.hooks | {name: Hook(kind="operator", value="") for name in ("clock", "log", "seed")})
    assert hooks_at_hand(target, attended=False) == set(target.hooks)
    assert hooks_at_hand(by_hand, attended=True) == {*target.hooks, "seed"} - {"clock"}
    assert hooks_at_hand(by_hand, attended=False) == set(target.hooks) - {"clock", "log"}
