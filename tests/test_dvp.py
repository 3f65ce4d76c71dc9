"""A PGO gateway under test, from the command line to the report: green, red, started by a program, no secret on the disk."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from medmij_conformance import workspace
from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.evidence import Evidence
from medmij_conformance.reference.process import RunningReference
from medmij_conformance.requirements import release
from medmij_conformance.target import Target, TargetError
from medmij_conformance.wire.control import call

Reference = tuple[Target, RunningReference]


@pytest.fixture(scope="module")
def pgo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    """One reference PGO for the module. A test that makes it deviate makes it conformant again."""
    target, running = workspace.reference_dvp(tmp_path_factory.mktemp("pgo"))
    yield target, running
    running.stop()


def results(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "results.json").read_text(encoding="utf-8"))


ONLY = ("--only", "APP.12a", "--only", "UCI-V.step.12")


def test_a_conformant_pgo_passes(pgo: Reference, medmij: Any, tmp_path: Path) -> None:
    """Exit 0, and the same verdicts when they are judged again."""
    done = medmij("run", pgo[0].path, "--seed", 7, "--report-dir", tmp_path, *ONLY)
    assert done.returncode == 0, done.stderr
    assert {row["id"]: row["outcome"] for row in results(tmp_path)["requirements"]}["APP.12a"] == "pass"
    assert medmij("verify", "--rejudge", tmp_path).returncode == 0


def test_a_pgo_that_offers_a_code_twice_fails(pgo: Reference, medmij: Any, tmp_path: Path) -> None:
    """Exit 1, and the requirement is named."""
    control = pgo[1].ports["control"]
    call(f"{control}/deviate", {"names": ["token-request-retried"]})
    try:
        done = medmij("run", pgo[0].path, "--report-dir", tmp_path, *ONLY)
    finally:
        call(f"{control}/deviate", {"names": []})
    assert done.returncode == 1, done.stderr
    assert "fail  APP.12a" in done.stderr


def test_a_collection_can_be_started_by_a_program(pgo: Reference, medmij: Any, tmp_path: Path) -> None:
    """A program that says where the person has to go is as good as an address."""
    target = pgo[0]
    said = "print('https://pgo.reference.test/start?zorgaanbieder=' + os.environ['MEDMIJ_ZORGAANBIEDER']"
    said += " + '&gegevensdienst=' + os.environ['MEDMIJ_GEGEVENSDIENST'])"
    text = target.path.read_text(encoding="utf-8")
    head, _, rest = text.partition('mode = "http"')
    command = json.dumps([sys.executable, "-c", f"import os; {said}"])
    file = target.path.with_name("by-program.toml")
    file.write_text(f'{head}mode = "command"\ncommand = {command}\n{rest}', encoding="utf-8")
    done = medmij("run", file, "--report-dir", tmp_path, *ONLY)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("words", "only"), [("print('Data collected')", ()), ("pass", ONLY)], ids=["says-so", "is-silent"])
def test_a_program_that_exits_at_once_passes_nothing(
    words: str, only: tuple[str, ...], pgo: Reference, medmij: Any, tmp_path: Path
) -> None:
    """The null counterpart of start mode command: no check passes, none fails, whatever it says; and the run is undecided."""
    text = pgo[0].path.read_text(encoding="utf-8").replace('collected = "css:.collected"', 'collected = "Data collected"')
    file = pgo[0].path.with_name("exits.toml")
    command = json.dumps([sys.executable, "-c", words])
    file.write_text(text.replace('mode = "http"', f'mode = "command"\ncommand = {command}'), encoding="utf-8")
    done = medmij("run", file, "--report-dir", tmp_path, *only)
    assert done.returncode == 3, done.stderr
    outcomes = {verdict["outcome"] for scenario in results(tmp_path)["scenarios"] for verdict in scenario["verdicts"]}
    assert outcomes == {"not_tested"}


def test_states_codes_and_tokens_stay_off_the_disk(pgo: Reference, tmp_path: Path) -> None:
    """What the PGO makes and what we mint are in the journal as pseudonyms alone, from the first line on."""
    journal = tmp_path / "evidence.jsonl"
    evidence = Evidence(journal, foreign_states=True)
    evidence.redactor.register_bsn("999990019")
    keys = tmp_path / "keys"
    keys.mkdir()
    cast = DvpCast(pgo[0], release(), evidence, Random(7), keys)
    try:
        collection = cast.collection()
        collection.collect()
    finally:
        cast.close()
        evidence.close()
    flow = collection.flow
    text = journal.read_text(encoding="utf-8")
    assert len(text) > 1000
    for secret in (flow.state, flow.code, flow.token):
        assert len(secret) > 30
        assert secret not in text


def test_an_address_that_is_taken_is_a_fault_of_the_target_file(pgo: Reference, tmp_path: Path) -> None:
    """The second to listen is told which field is wrong."""
    evidence = Evidence(foreign_states=True)
    first = DvpCast(pgo[0], release(), evidence, Random(7), tmp_path)
    try:
        with pytest.raises(TargetError, match=r"(harness\.listen|pki\.ocsp_listen): .* cannot be listened on"):
            DvpCast(pgo[0], release(), evidence, Random(7), tmp_path)
    finally:
        first.close()
