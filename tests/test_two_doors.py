"""``medmij-conformance run FILE`` and ``pytest features --target FILE`` are one run with two doors."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from medmij_conformance.checks.token import used_code_is_refused
from medmij_conformance.evidence import read_journal
from medmij_conformance.verdict import REGISTRY

CHECKOUT = Path(__file__).parent.parent
FEATURES = CHECKOUT / "features"
DEVIATION = "code-reusable"


class Seen(NamedTuple):
    """What a run said: its exit code, its verdict, and the outcomes of every check for every requirement."""

    exit_code: int
    verdict: str
    outcomes: list[tuple[str, str, str, str]]


def seen(exit_code: int, directory: Path) -> Seen:
    results = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    outcomes = [
        (scenario["id"], verdict["requirement"], verdict["check"], verdict["outcome"])
        for scenario in results["scenarios"]
        for verdict in scenario["verdicts"]
    ]
    return Seen(exit_code, results["verdict"], outcomes)


def through_pytest(target: Path, directory: Path, *options: str) -> Seen:
    command = [sys.executable, "-m", "pytest", str(FEATURES.relative_to(CHECKOUT)), "--target", str(target)]
    command += ["--seed", "7", "--report-dir", str(directory), "-p", "no:cacheprovider", *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert (directory / "results.json").is_file(), done.stdout + done.stderr
    return seen(done.returncode, directory)


@pytest.fixture
def deviating(reference: Any) -> Iterator[Any]:
    """The reference with one rule broken, and conformant again afterwards."""
    reference.deviate(DEVIATION)
    yield reference
    reference.deviate()


def test_both_doors_pass_the_conformant_reference(reference: Any, finished: Any, tmp_path: Path) -> None:
    """The same verdicts, requirement by requirement, and exit 0 from either door."""
    door = seen(finished.process.returncode, finished.directory)
    assert (door.exit_code, door.verdict) == (0, "pass"), finished.process.stderr
    assert len(door.outcomes) > 100
    reference.deviate()  # a fresh gateway, which does not remember the guesses of the first run
    assert through_pytest(reference.target, tmp_path) == door


def test_both_doors_fail_a_deviating_reference(deviating: Any, medmij: Any, tmp_path: Path) -> None:
    """The same verdicts, failures among them, and exit 1 from either door."""
    only = ("--only", "APP.12b")
    process = medmij("run", deviating.target, "--seed", 7, "--report-dir", tmp_path / "command", *only)
    door = seen(process.returncode, tmp_path / "command")
    assert (door.exit_code, door.verdict) == (1, "fail"), process.stderr
    assert ("used-code", "APP.12b", "used_code_is_refused", "fail") in door.outcomes
    assert through_pytest(deviating.target, tmp_path / "pytest", *only) == door


@pytest.fixture(scope="module")
def only(reference: Any, medmij: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run for one requirement."""
    directory = tmp_path_factory.mktemp("only")
    reference.deviate()
    process = medmij("run", reference.target, "--seed", 7, "--only", "APP.12b", "--report-dir", directory)
    return process, directory


def test_only_runs_what_is_needed(only: Any) -> None:
    """``--only`` runs the scenarios of the requirement between the controls, and promises nothing else."""
    process, directory = only
    results = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    assert process.returncode == 0, process.stderr
    assert [row["id"] for row in results["requirements"] if row["planned"]] == ["APP.12b"]
    between = [s for s in results["scenarios"] if s["feature"] != "dvza/happy_flow.feature"]
    assert results["scenarios"][0]["id"] == "happy-flow"
    assert results["scenarios"][-1]["feature"] == "dvza/happy_flow.feature"
    assert between
    assert all({"APP.12b"} & {v["requirement"] for v in scenario["verdicts"]} for scenario in between)
    assert len(results["scenarios"]) < 10


def test_only_still_has_the_twins(only: Any) -> None:
    """The refusal counts, because the same request without the defect was accepted before it and after it."""
    _, directory = only
    records = [r for r in read_journal(directory / "evidence.jsonl") if r["type"] in {"judgement", "precondition"}]
    checks = [record["check"] for record in records]
    refused = checks.index(used_code_is_refused.id)
    accepted = [n for n, name in enumerate(checks) if REGISTRY[name].accepts == used_code_is_refused.twin]
    assert min(accepted) < refused < max(accepted)
    results = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    outcomes = {v["check"]: v["outcome"] for scenario in results["scenarios"] for v in scenario["verdicts"]}
    assert outcomes[used_code_is_refused.id] == "pass"
