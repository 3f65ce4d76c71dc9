"""testreport.json: what a FHIR tool makes of a run."""

import json

import pytest
from fhir.resources.STU3.testreport import TestReport as Resource

from medmij_conformance.report import testreport


def _read(run):
    """The report, after an independent implementation of STU3 has accepted it."""
    octets = testreport.render(run)
    Resource.model_validate_json(octets)
    return json.loads(octets)


def test_every_outcome_has_its_result(example) -> None:
    """A pass passes; what was not seen is skipped; what is attested or a warning is no pass."""
    report = _read(example().end())
    results = {test["name"]: [action["assert"]["result"] for action in test["action"]] for test in report["test"]}
    assert results == {"good": ["pass"], "twice": ["fail"], "slow": ["warning"], "waiting": ["skip"], "ours": ["error"]}
    assert (report["status"], report["result"]) == ("completed", "fail")


def test_a_clean_run_passes_with_its_score(journal) -> None:
    """The score is the part of the promised requirements that was shown."""
    book = journal(planned=("APP.6", "APP.12b"))
    book.start()
    book.judge("token_is_issued", exchange=book.exchange())
    book.end_scenario()
    report = _read(book.end())
    assert report["score"] == 50.0
    assert report["result"] == "pending"


def test_a_scenario_without_verdicts_still_has_an_action(journal) -> None:
    """FHIR wants an action in every test; nothing seen is a skip with the reason."""
    book = journal()
    book.start()
    book.end_scenario("not_tested", reason="no token was issued")
    (test,) = _read(book.end())["test"]
    assert test["action"] == [{"assert": {"result": "skip", "message": "no token was issued"}}]


@pytest.mark.parametrize("text", ["\x1b[31m", "\x00", "\ud800", "\u202e", "x" * 5000])
def test_hostile_text_is_still_fhir(example, text: str) -> None:
    """Whatever the target sends, the resource is valid."""
    report = _read(example(text=text).end())
    assert max(len(action["assert"]["message"]) for test in report["test"] for action in test["action"]) < 1100
