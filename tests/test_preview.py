"""``plan`` and ``steps``: what a run would do, and with which words."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medmij_conformance.cli import main
from medmij_conformance.verdict import REGISTRY


def said(*arguments: object) -> str:
    """What a command says; it has to end well."""
    done = CliRunner().invoke(main, list(map(str, arguments)))
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def without_hooks(reference: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The target file of the reference, with one hook that an operator does and no others."""
    folder = tmp_path_factory.mktemp("without-hooks")
    text = reference.target.read_text(encoding="utf-8")
    before, hooks, _ = text.partition("[hooks]")
    assert hooks, "the target file of the reference has hooks, and they come last"
    file = reference.folder / f"{folder.name}.toml"
    file.write_text(f'{before}[hooks]\nsource_down = "operator"\n', encoding="utf-8")
    return file


def test_the_plan_is_what_a_run_does(reference: Any, finished: Any) -> None:
    """The scenarios, in order, and the requirements that are promised and shown are those of the run itself."""
    found = json.loads(said("plan", reference.target, "--json"))
    results = finished.results
    assert [row["id"] for row in found["scenarios"]] == [row["id"] for row in results["scenarios"]]
    for row in results["requirements"]:
        planned = found["requirements"][row["id"]]
        assert (planned["promised"], planned["planned"]) == (row["promised"], row["planned"])
    assert (found["waiting_s"], found["by_hand"], found["missing_hooks"]) == (0, {}, {})
    assert found["seconds"] > 0


def test_a_full_plan_waits_once(reference: Any) -> None:
    """What has to grow old waits for one lifetime and its tolerance, whatever the number of scenarios."""
    text = said("plan", reference.target, "--plan", "full")
    assert "of which 15 minutes of waiting, all of it at once" in text
    assert json.loads(said("plan", reference.target, "--plan", "full", "--json"))["waiting_s"] == 905


def test_missing_hooks_and_hands_are_told(without_hooks: Path) -> None:
    """Hooks that are not there are told with what they would add; those of an operator count when one is there."""
    alone = json.loads(said("plan", without_hooks, "--json"))
    assert {"log", "source_down", "questions"} <= set(alone["missing_hooks"])
    assert alone["by_hand"] == {}
    assert alone["postponed"], "lifetimes wait for the full plan when no clock can be moved"
    attended = said("plan", without_hooks, "--attended")
    assert "by hand, at the terminal:" in attended
    assert "promised, and not tested by this run:" in attended


def test_only_narrows_the_plan(reference: Any) -> None:
    """With --only the plan is that of the requirement and the controls."""
    found = json.loads(said("plan", reference.target, "--only", "APP.12b", "--json"))
    assert 3 < len(found["scenarios"]) < 20


def test_every_sentence_is_listed() -> None:
    """Each check's sentence is there with its requirements, each step's with its module."""
    lines = said("steps").splitlines()
    for check in REGISTRY.values():
        assert any(check.then in line and check.requirements[0] in line for line in lines), check.then
    assert any(line.startswith("person") and line.endswith("Roos gives consent") for line in lines)
