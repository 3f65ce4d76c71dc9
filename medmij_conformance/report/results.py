"""results.json: the run as data, for other programs. The contract is ``fixtures/schemas/results.schema.json``."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from medmij_conformance import data_path
from medmij_conformance.posture import Posture
from medmij_conformance.report.baseline import assess
from medmij_conformance.report.run import Extra, RequirementResult, Run, Scenario, Verdict
from medmij_conformance.report.text import excerpt
from medmij_conformance.requirements import release

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

NAME = "results.json"
SCHEMA = "results.schema.json"

_MESSAGE_LENGTH = 300  # jsonschema quotes the whole value that is wrong


def to_dict(run: Run) -> dict[str, Any]:
    """The run as JSON data."""
    return {
        "tool": dict(run.tool),
        "target": dict(run.target),
        "role": run.role,
        "release": run.release,
        "release_note": release(run.release).note,
        "plan": run.plan,
        "seed": run.seed,
        "command": run.command,
        "started": run.started,
        "finished": run.finished,
        "interrupted": run.interrupted,
        "trouble": run.trouble,
        "verdict": run.verdict,
        "complete": run.complete,
        "headline": run.headline,
        "promised": run.promised,
        "shown": run.shown,
        "counts": run.counts(),
        "baseline": _baseline(run),
        "tls": [_posture(posture) for posture in run.postures],
        "requirements": [_requirement(result) for result in run.requirements],
        "scenarios": [_scenario(scenario) for scenario in run.scenarios],
        "extra": _extra(run.extra) if run.extra else None,
    }


def render(run: Run) -> bytes:
    """The run as the file results.json."""
    text = json.dumps(to_dict(run), ensure_ascii=False, indent=1)
    # A lone surrogate cannot be encoded; what this error handler writes for it is exactly the JSON escape.
    return f"{text}\n".encode(errors="backslashreplace")


def validate(data: Any) -> list[str]:
    """What is wrong with the data of a results.json, each with its place; empty when it is valid."""
    return list(_problems(data))


def _problems(data: Any) -> Iterator[str]:
    for error in sorted(_validator().iter_errors(data), key=lambda error: error.json_path):
        yield f"{error.json_path}: {excerpt(error.message, _MESSAGE_LENGTH)}"


@cache
def _validator() -> "Draft202012Validator":
    # Its checkers of formats take a second to import, and a run validates nothing.
    from jsonschema import Draft202012Validator

    schema = json.loads((data_path("fixtures") / "schemas" / SCHEMA).read_text(encoding="utf-8"))
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _baseline(run: Run) -> dict[str, Any] | None:
    assessment = assess(run)
    if assessment is None:
        return None
    lists = {"known": [asdict(entry) for entry in assessment.known], "problems": list(assessment.problems)}
    return {"file": assessment.file, "verdict": assessment.verdict, "exit_code": assessment.exit_code, **lists}


def _extra(extra: Extra) -> dict[str, Any]:
    scenarios = [_scenario(scenario) for scenario in extra.scenarios]
    told = {"folder": extra.folder, "digest": extra.digest, "headline": extra.headline, "trouble": extra.trouble}
    return {**told, "scenarios": scenarios}


def _posture(posture: Posture) -> dict[str, Any]:
    return {
        "who": posture.who,
        "place": posture.place,
        "channel": posture.channel,
        "edition": posture.edition,
        "trouble": posture.trouble,
        "facts": dict(posture.facts),
        "parts": [
            {"kind": part.kind, "name": part.name, "level": part.level, "by": part.rating.edition, "sure": not part.rating.unsure}
            for part in posture.parts
        ],
        "exchange": posture.exchange,
    }


def _requirement(result: RequirementResult) -> dict[str, Any]:
    requirement = result.requirement
    return {
        "id": requirement.id,
        "title": requirement.title,
        "role": requirement.role,
        "profile": requirement.profile,
        "level": requirement.level,
        "test": requirement.test,
        "outcome": result.outcome,
        "promised": result.promised,
        "planned": result.planned,
        "reason": result.reason,
        "checks": list(dict.fromkeys(verdict.check for verdict in result.verdicts)),
        "scenarios": list(dict.fromkeys(verdict.scenario for verdict in result.verdicts)),
    }


def _scenario(scenario: Scenario) -> dict[str, Any]:
    return {
        "id": scenario.id,
        "name": scenario.name,
        "title_nl": scenario.title_nl,
        "feature": scenario.feature,
        "requirements": list(scenario.requirements),
        "outcome": scenario.outcome,
        "duration_s": scenario.duration_s,
        "reason": scenario.reason,
        "steps": [asdict(step) for step in scenario.steps],
        "verdicts": [verdict_dict(verdict) for verdict in scenario.verdicts],
        "exchanges": list(scenario.exchanges),
    }


def verdict_dict(verdict: Verdict) -> dict[str, Any]:
    """A verdict as results.json has it."""
    return {
        "requirement": verdict.requirement,
        "check": verdict.check,
        "claim": verdict.claim,
        "outcome": verdict.outcome,
        "expected": verdict.expected,
        "observed": verdict.observed,
        "reason": verdict.reason,
        "hint": "; ".join(dict.fromkeys(finding.hint for finding in verdict.findings if finding.hint)),
        "readings": list(verdict.readings),
        "findings": [asdict(finding) for finding in verdict.findings],
        "exchanges": list(verdict.exchanges),
    }
