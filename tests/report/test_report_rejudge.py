"""Judging again: stored verdicts that the stored evidence does not bear are found."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance.evidence import Observation
from medmij_conformance.report import JOURNAL, write
from medmij_conformance.report.rejudge import rejudge
from medmij_conformance.requirements import release
from medmij_conformance.verdict import REGISTRY, Check, Finding


@pytest.fixture
def directory(example, tmp_path) -> Path:
    """The directory of a finished run, with every format."""
    write.write_all(example(tmp_path).end(), tmp_path)
    return tmp_path


def _tamper(directory: Path, record_type: str, change: Callable[[dict[str, Any]], None], which: int = 0) -> None:
    path = directory / JOURNAL
    records = [json.loads(line) for line in path.read_text().splitlines()]
    change([record for record in records if record["type"] == record_type][which])
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_an_honest_journal_gives_the_same_verdicts(directory) -> None:
    """Nothing differs between a run and the same run judged again: pass, fail, warning, not tested and error."""
    assert rejudge(directory) == []


def test_changed_evidence_is_found(directory) -> None:
    """When the answer that made a check fail is turned into a refusal, its old judgement no longer fits."""
    _tamper(directory, "exchange", lambda record: record["response"].update(status=400), which=1)
    outcome, findings = rejudge(directory)
    assert outcome == (
        "evidence.jsonl: scenario 'twice', check 'code_works_once': outcome: recorded \"fail\", judged again \"pass\""
    )
    assert "findings: recorded" in findings


def test_a_changed_judgement_is_found(directory) -> None:
    """A fail that was rewritten to a pass is found twice: in the journal, and against results.json."""
    _tamper(directory, "judgement", lambda record: record.update(outcome="pass", findings=[]), which=1)
    problems = rejudge(directory)
    assert any('outcome: recorded "pass", judged again "fail"' in problem for problem in problems)
    assert any(problem.startswith('results.json: verdict: says "fail"') for problem in problems)


def test_a_changed_finding_is_found(directory) -> None:
    """Softer words in a finding are found, also when the outcome is the same."""
    _tamper(directory, "judgement", lambda record: record["findings"][0].update(observed="nothing much"), which=1)
    assert any("findings: recorded" in problem and "nothing much" in problem for problem in rejudge(directory))


def test_a_changed_precondition_is_found(directory) -> None:
    """Preconditions decide whether refusals count, so they are judged again too."""
    _tamper(directory, "precondition", lambda record: record.update(outcome="pass", reason=""))
    assert any("check 'token_is_issued': outcome" in problem for problem in rejudge(directory))


def test_other_messages_under_a_judgement_are_found(directory) -> None:
    """A judgement that points at other messages than it judged is found."""
    _tamper(directory, "judgement", lambda record: record.update(exchanges=[2]))
    assert any("exchanges: recorded [2], judged again [1]" in problem for problem in rejudge(directory))


@pytest.mark.parametrize("arguments", [{"exchange": {"exchange": 99}}, {"exchange": {"release": "9.9"}}, {"exchange": {}}])
def test_arguments_that_lead_nowhere_are_found(directory, arguments: dict[str, Any]) -> None:
    """A judgement whose message or release does not exist cannot be made again, and that is told."""
    _tamper(directory, "judgement", lambda record: record.update(arguments=arguments))
    assert any("cannot be judged again" in problem for problem in rejudge(directory))


def test_a_changed_result_is_found(directory) -> None:
    """A verdict in results.json that the journal does not give is told with its place."""
    path = directory / "results.json"
    data = json.loads(path.read_text())
    data["scenarios"][1]["verdicts"][0]["outcome"] = "pass"
    data["requirements"] = [row for row in data["requirements"] if row["id"] != "APP.12b"]
    path.write_text(json.dumps(data))
    assert rejudge(directory) == [
        'results.json: requirements APP.12b: says nothing, the journal says "fail"',
        'results.json: scenarios twice verdicts 1 outcome: says "pass", the journal says "fail"',
    ]


def test_every_kind_of_argument_can_be_judged_again(journal, tmp_path, monkeypatch) -> None:
    """Messages in groups, a release, an observation and plain values come back as the check took them."""

    def code_is_random(exchanges, release, bits, limit):
        """Codes are random."""
        if release.code.lifetime_s != 900 or len(exchanges) != 2 or bits.facts["ones"] > limit:
            yield Finding(expected="random codes", observed=f"{bits.facts['ones']} ones")

    check = Check(id="code_is_random", requirements=("APP.11a",), function=code_is_random, then="f")
    monkeypatch.setitem(REGISTRY, check.id, check)
    book = journal(tmp_path)
    book.start()
    book.judge(
        "code_is_random",
        exchanges=(book.exchange(), book.exchange()),
        release=release("1.0"),
        bits=Observation("bits", {"ones": 7}),
        limit=5,
    )
    book.end_scenario()
    write.write_all(book.end(), tmp_path)
    assert rejudge(tmp_path) == []
    _tamper(tmp_path, "judgement", lambda record: record["arguments"].update(limit=9))
    assert 'outcome: recorded "fail", judged again "pass"' in rejudge(tmp_path)[0]


def test_a_directory_without_a_journal_is_told(tmp_path) -> None:
    """No journal, and a file that is none, give one problem that names it."""
    assert rejudge(tmp_path)[0].startswith(f"{tmp_path / JOURNAL}: no journal")
    (tmp_path / JOURNAL).write_text('{"type":"step"}\n')
    assert "not the journal of a run" in rejudge(tmp_path)[0]


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_results_that_cannot_be_compared_are_told(directory, content: str | None) -> None:
    """Without a valid results.json there is nothing to compare, and that is a problem."""
    path = directory / "results.json"
    path.unlink() if content is None else path.write_text(content)
    problems = rejudge(directory)
    assert problems
    assert all(problem.startswith("results.json: ") for problem in problems)
