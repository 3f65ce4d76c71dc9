"""results.json: the contract for other programs."""

import json

import pytest
from jsonschema import Draft202012Validator

from medmij_conformance import data_path
from medmij_conformance.report import build_run, results


def test_the_schema_is_a_schema() -> None:
    """The schema of results.json is valid by the meta-schema of its own dialect."""
    schema = json.loads((data_path("fixtures") / "schemas" / results.SCHEMA).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)


def test_every_outcome_is_told(example) -> None:
    """A run with every outcome that a check can give is valid, and each requirement has the worst of its checks."""
    data = json.loads(results.render(example().end()))
    assert results.validate(data) == []
    outcomes = {row["id"]: row["outcome"] for row in data["requirements"]}
    assert {name: outcomes[name] for name in ("APP.6", "APP.12b", "APP.10", "APP.11a", "APP.7", "NET.4")} == {
        "APP.6": "pass",
        "APP.12b": "fail",
        "APP.10": "warning",
        "APP.11a": "not_tested",
        "APP.7": "error",
        "NET.4": "not_applicable",
    }
    assert data["verdict"] == "fail"
    assert not data["complete"]


def test_a_fail_carries_what_is_needed_to_understand_it(example) -> None:
    """The verdict of a fail has expected, observed, hint, reading and the numbers of its messages."""
    data = results.to_dict(example().end())
    (verdict,) = next(row for row in data["scenarios"] if row["id"] == "twice")["verdicts"]
    assert verdict["requirement"] == "APP.12b"
    assert verdict["expected"] == "400 with invalid_grant"
    assert verdict["observed"] == "200: plain"
    assert verdict["hint"] == "the code is still stored after its first use"
    assert verdict["readings"] == ["AMB.60"]
    assert verdict["exchanges"] == [2]


def test_an_interrupted_run_is_told_as_such(journal, scenario_row) -> None:
    """A run without its end is valid, has no time of finishing, and its unfinished scenario passes nothing."""
    book = journal(scenarios=(scenario_row(checks=["token_is_issued"]), scenario_row(id="second")))
    book.start()
    data = json.loads(results.render(book.run()))
    assert results.validate(data) == []
    assert data["finished"] is None
    assert data["interrupted"]
    assert data["verdict"] == "error"
    assert [(row["outcome"], row["reason"]) for row in data["scenarios"]] == [
        ("not_tested", "not finished"),
        ("not_tested", "not run"),
    ]


def test_a_refusal_without_its_twin_is_not_tested(journal) -> None:
    """A refused request proves nothing until the same request without the defect was accepted before and after it."""
    book = journal()
    book.start()
    book.judge("code_works_once", exchange=book.exchange(status=400))
    book.end_scenario()
    (verdict,) = results.to_dict(book.end())["scenarios"][0]["verdicts"]
    assert verdict["outcome"] == "not_tested"
    assert "before and after" in verdict["reason"]


def test_a_refusal_between_its_twins_passes(journal) -> None:
    """With the accepted twins on both sides the same refusal is a pass."""
    book = journal()
    book.start()
    book.judge("token_is_issued", "precondition", exchange=book.exchange())
    book.judge("code_works_once", exchange=book.exchange(status=400))
    book.judge("token_is_issued", "precondition", exchange=book.exchange())
    book.end_scenario()
    (verdict,) = results.to_dict(book.end())["scenarios"][0]["verdicts"]
    assert (verdict["outcome"], verdict["reason"]) == ("pass", "")


def test_a_lone_surrogate_survives_as_a_json_escape(example) -> None:
    """Text that UTF-8 cannot hold still gives a file that any JSON reader takes, with the same text in it."""
    data = json.loads(results.render(example(text="half \ud800 a pair").end()))
    assert data["target"]["name"] == "half \ud800 a pair"


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("verdict",), "conformant", "$.verdict"),
        (("started",), "yesterday", "$.started"),
        (("surprise",), 1, "surprise"),
        (("scenarios", 0, "outcome"), "green", "$.scenarios[0].outcome"),
        (("scenarios", 0, "verdicts", 0, "exchanges"), ["1"], "$.scenarios[0].verdicts[0].exchanges[0]"),
        (("requirements", 0, "level"), "SHALL", "$.requirements[0].level"),
    ],
)
def test_the_schema_finds_what_is_wrong(example, place, value, told: str) -> None:
    """A wrong word, time, type or extra member is found and named by its place."""
    data = json.loads(results.render(example().end()))
    parent = data
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = value
    (problem,) = results.validate(data)
    assert told in problem


def _every_type(journal, scenario_row):
    book = journal(scenarios=(scenario_row(), scenario_row(id="second")))
    book.start()
    book.step("Roos has given consent", detail="in the browser")
    book.judge("token_is_issued", "precondition", exchange=book.exchange())
    book.judge("code_works_once", exchange=book.exchange(status=400))
    book.judge("token_is_issued", "precondition", exchange=book.exchange())
    book.end_scenario()
    book.start("second")
    book.end()
    return book.evidence.records


TYPES = ("run", "plan", "scenario-start", "step", "exchange", "judgement", "precondition", "scenario-end", "run-end")


@pytest.mark.parametrize("record_type", TYPES)
def test_every_type_of_record_counts(journal, scenario_row, record_type: str) -> None:
    """Without the records of any one type the run is another one, or none: no type is ignored."""
    records = _every_type(journal, scenario_row)
    assert {record["type"] for record in records} == set(TYPES)
    without = [record for record in records if record["type"] != record_type]
    try:
        changed = results.render(build_run(without))
    except (KeyError, ValueError):
        changed = b""
    assert changed != results.render(build_run(records))


def test_a_record_of_an_unknown_type_is_passed_over(journal, scenario_row) -> None:
    """A journal with a record that a later version added gives the same results."""
    records = _every_type(journal, scenario_row)
    assert results.render(build_run([*records, {"type": "weather", "scenario": ""}])) == results.render(build_run(records))
