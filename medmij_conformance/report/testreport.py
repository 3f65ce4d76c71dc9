"""testreport.json: the run as a FHIR TestReport (STU3), as Nictiz's qualification and other FHIR tools exchange results."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from medmij_conformance.report.run import Run, Scenario, Verdict
from medmij_conformance.report.text import excerpt, visible
from medmij_conformance.verdict import Outcome

NAME = "testreport.json"

_MESSAGE_LENGTH = 1000
_ACTIONS: Mapping[Outcome, str] = {
    Outcome.PASS: "pass",
    Outcome.ATTESTED: "warning",  # never a pass: it stands on a document or a word
    Outcome.WARNING: "warning",
    Outcome.FAIL: "fail",
    Outcome.ERROR: "error",
    Outcome.NOT_TESTED: "skip",
    Outcome.REVIEW: "skip",
    Outcome.NOT_APPLICABLE: "skip",
}
_RESULTS = {"pass": "pass", "fail": "fail"}
"""Verdict of a run -> TestReport.result; what is undecided, or an error of ours, is pending."""


def to_dict(run: Run) -> dict[str, Any]:
    """The run as a TestReport. ``score`` is the percentage of what the plan promises that was shown."""
    tool = " ".join(run.tool.values())
    report: dict[str, Any] = {
        "resourceType": "TestReport",
        "name": _text(f"{run.target.get('name', '')}, {run.role}, release {run.release}, {run.plan} plan"),
        "status": "stopped" if run.interrupted else "completed",
        "testScript": {"display": f"{tool}: features for {run.role}, release {run.release}"},
        "result": _RESULTS.get(run.verdict, "pending"),
        "score": round(100 * run.shown / run.promised, 1) if run.promised else 0,
        "tester": tool,
        "issued": run.finished or run.started,
        "participant": [
            {"type": "test-engine", "uri": f"urn:{run.tool.get('name', '')}:{run.tool.get('version', '')}", "display": tool},
            {
                "type": "server" if run.role != "dvp" else "client",
                "uri": f"urn:sha256:{run.target.get('fingerprint', '')}",
                "display": _text(str(run.target.get("name", ""))) or "target",
            },
        ],
    }
    if tests := [_test(scenario) for scenario in run.scenarios]:
        report["test"] = tests
    return report


def render(run: Run) -> bytes:
    """The run as the file testreport.json."""
    return f"{json.dumps(to_dict(run), ensure_ascii=False)}\n".encode(errors="backslashreplace")


def _test(scenario: Scenario) -> dict[str, Any]:
    actions = [{"assert": _assertion(verdict)} for verdict in scenario.verdicts]
    nothing = [{"assert": {"result": _ACTIONS[scenario.outcome], "message": _text(scenario.reason or "no check ran")}}]
    return {"name": scenario.id, "description": _text(scenario.name), "action": actions or nothing}


def _assertion(verdict: Verdict) -> dict[str, str]:
    return {"result": _ACTIONS[verdict.outcome], "message": _text("; ".join(_words(verdict)))}


def _words(verdict: Verdict) -> Iterator[str]:
    yield f"{verdict.requirement} ({verdict.check}): {verdict.claim}"
    if verdict.outcome is not Outcome.PASS:
        yield f"{verdict.outcome.value}: expected {verdict.expected}; observed {verdict.observed}"
    if verdict.readings:
        yield f"reading {', '.join(verdict.readings)}"


def _text(text: str) -> str:
    # A FHIR string has neither control characters nor more than a megabyte; this is meant to be read.
    return visible(excerpt(text, _MESSAGE_LENGTH))
