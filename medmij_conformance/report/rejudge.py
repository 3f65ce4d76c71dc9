"""Judging again: whether the stored evidence still leads to the stored verdicts.

The checks themselves must have been imported by the caller, so that they stand in ``verdict.REGISTRY``.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from medmij_conformance import requirements
from medmij_conformance.evidence import Exchange, read_journal
from medmij_conformance.report import results
from medmij_conformance.report.run import JOURNAL, JournalError, Run, read_run
from medmij_conformance.report.text import excerpt
from medmij_conformance.verdict import REGISTRY, Finding, Judgement, Outcome, decode_argument, judge

_VALUE_LENGTH = 300
_ABSENT = object()


def rejudge(directory: Path) -> list[str]:
    """Every difference between what a run recorded and what its evidence says now; empty when there is none.

    Each judgement of the journal is made again, and results.json is compared with the run that the journal describes.
    """
    try:
        run = read_run(directory)
    except JournalError as error:
        return [str(error)]
    judgements = [r for r in read_journal(directory / JOURNAL) if r["type"] in {"judgement", "precondition"}]
    changed = [problem for record in judgements for problem in _judgement_problems(record, run.exchanges)]
    return [*changed, *_results_problems(directory / results.NAME, run)]


def _judgement_problems(record: Mapping[str, Any], exchanges: Mapping[int, Exchange]) -> Iterator[str]:
    place = f"{JOURNAL}: scenario {record.get('scenario')!r}, check {record.get('check')!r}"
    try:
        stored = _stored(record)
        again = _judge_again(record, exchanges)
    except (KeyError, TypeError, ValueError) as error:
        yield f"{place}: cannot be judged again ({type(error).__name__}: {error})"
        return
    # The text of an error of ours may hold an address in memory, so it may differ.
    same_reason = stored.reason == again.reason or stored.outcome is again.outcome is Outcome.ERROR
    before, now = asdict(stored), asdict(again)
    for name in ("outcome", "findings", "exchanges") if same_reason else ("outcome", "findings", "exchanges", "reason"):
        if before[name] != now[name]:
            yield f"{place}: {name}: recorded {_shown(before[name])}, judged again {_shown(now[name])}"


def _stored(record: Mapping[str, Any]) -> Judgement:
    return Judgement(
        check=record["check"],
        outcome=Outcome(record["outcome"]),
        findings=tuple(Finding(**{**finding, "outcome": Outcome(finding["outcome"])}) for finding in record["findings"]),
        reason=record["reason"],
        exchanges=tuple(record["exchanges"]),
    )


def _judge_again(record: Mapping[str, Any], exchanges: Mapping[int, Exchange]) -> Judgement:
    arguments = {name: decode_argument(value, exchanges, requirements.release) for name, value in record["arguments"].items()}
    after = record.get("after", 0)
    scenario = (e for e in exchanges.values() if e.number <= after and e.scenario == record["scenario"])
    return judge(REGISTRY[record["check"]], arguments, scenario)


def _results_problems(path: Path, run: Run) -> Iterator[str]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        yield f"{path.name}: cannot be compared with the journal ({type(error).__name__}: {error})"
        return
    if problems := results.validate(data):
        yield from (f"{path.name}: {problem}" for problem in problems)
        return
    fresh = json.loads(results.render(run))
    for place, stored, rebuilt in _differences("", _judged(data), _judged(fresh)):
        yield f"{path.name}: {place}: says {_shown(stored)}, the journal says {_shown(rebuilt)}"


def _judged(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a results.json says that was judged; the rest may change with the version that writes it."""
    verdict_fields = ("requirement", "check", "outcome", "expected", "observed", "exchanges")
    return {
        "verdict": data["verdict"],
        "complete": data["complete"],
        "requirements": {row["id"]: row["outcome"] for row in data["requirements"]},
        "scenarios": {
            row["id"]: {
                "outcome": row["outcome"],
                "verdicts": {
                    str(number): {name: verdict[name] for name in verdict_fields}
                    for number, verdict in enumerate(row["verdicts"], start=1)
                },
            }
            for row in data["scenarios"]
        },
    }


def _differences(place: str, stored: Any, rebuilt: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(stored, dict) and isinstance(rebuilt, dict):
        for key in dict.fromkeys([*rebuilt, *stored]):
            yield from _differences(f"{place} {key}".strip(), stored.get(key, _ABSENT), rebuilt.get(key, _ABSENT))
    elif stored != rebuilt:
        yield place, stored, rebuilt


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    return excerpt(json.dumps(value, ensure_ascii=True), _VALUE_LENGTH)
