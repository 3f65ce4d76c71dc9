"""A baseline: deviations that are known and for the time being accepted, each with a reason, an owner and an end.

It changes the exit code of a run and nothing else: every outcome, the verdict and the headline stay as they are. What a baseline
says must stay true: an entry that has expired, that no longer happens, or that fits nothing in the run is a failure of its own.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from medmij_conformance.report.run import RequirementResult, Run, Verdict
from medmij_conformance.verdict import EXIT_CODES, REGISTRY, Outcome, outcome_for, worst

OUTCOMES = (Outcome.FAIL, Outcome.NOT_TESTED, Outcome.REVIEW)
"""What a baseline can hold: the outcomes that keep a run from passing and that are not a mistake of ours."""


class BaselineError(ValueError):
    """A baseline is wrong; the message names the file, the entry, the field and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One entry ``[[known]]``: a check that has an outcome that is known. ``scenario`` narrows it; empty means every scenario.

    ``expires`` is the last day on which it counts, as ISO 8601 writes it.
    """

    check: str
    reason: str
    owner: str
    expires: str
    outcome: str = Outcome.FAIL.value
    scenario: str = ""
    link: str = ""

    @property
    def name(self) -> str:
        """The entry in a few words."""
        return " ".join(filter(None, (self.check, self.scenario and f"in {self.scenario}", self.outcome)))

    def covers(self, verdict: Verdict) -> bool:
        """Whether this entry speaks of a verdict."""
        return (verdict.check, verdict.outcome) == (self.check, self.outcome) and self.scenario in {"", verdict.scenario}


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a run is worth beside its baseline. ``problems`` are what is wrong with the baseline itself."""

    file: str
    verdict: str
    known: tuple[Known, ...]
    problems: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """The exit code of the run: that of its verdict without what is known; a baseline out of date is a failure too."""
        return EXIT_CODES["fail" if self.problems and self.verdict != "error" else self.verdict]

    @property
    def headline(self) -> str:
        """What the run is worth, in one sentence."""
        return f"beside the baseline {self.file} ({len(self.known)} known): {self.verdict}, exit {self.exit_code}"


def load(path: Path) -> tuple[Known, ...]:
    """The entries of a baseline file (TOML, ``[[known]]``). Raises ``BaselineError``."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaselineError(f"{path}: {error}; expected a TOML file with tables [[known]]") from error
    rows = data.pop("known", [])
    if data or not isinstance(rows, list):
        raise BaselineError(f"{path}: {', '.join(data) or 'known'}: unknown; expected tables [[known]] only")
    return tuple(_entry(row, f"{path}: known[{number}]") for number, row in enumerate(rows, start=1))


def _entry(row: Any, where: str) -> Known:
    if not isinstance(row, dict):
        raise BaselineError(f"{where}: expected a table")
    allowed = [field.name for field in fields(Known)]
    values = {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}
    for name, value in values.items():
        if name not in allowed:
            raise BaselineError(f"{where}.{name}: unknown; expected one of {', '.join(allowed)}")
        if not isinstance(value, str):
            raise BaselineError(f"{where}.{name}: {value!r}; expected text")
    for name in ("check", "reason", "owner", "expires"):
        if not values.get(name, "").strip():
            raise BaselineError(f"{where}.{name}: missing; expected {_EXPECTED[name]}")
    entry = Known(**values)
    if entry.check not in REGISTRY:
        raise BaselineError(f"{where}.check: {entry.check!r} is no check; expected {_EXPECTED['check']}")
    if entry.outcome not in {*OUTCOMES}:
        raise BaselineError(f"{where}.outcome: {entry.outcome!r}; expected one of {', '.join(OUTCOMES)}")
    try:
        date.fromisoformat(entry.expires)
    except ValueError:
        raise BaselineError(f"{where}.expires: {entry.expires!r}; expected {_EXPECTED['expires']}") from None
    return entry


_EXPECTED: Mapping[str, str] = {
    "check": "the name of a check, as results.json has it",
    "reason": "why this is known and accepted for now",
    "owner": "who ends it",
    "expires": "the last day on which it counts, such as 2027-01-31",
}


def as_record(path: Path, known: Sequence[Known], today: date, *, whole: bool) -> dict[str, Any]:
    """The baseline as the journal keeps it, so that a report that is built again says the same.

    ``whole``: the run has its whole plan, so that an entry which fits nothing in it is wrong.
    """
    return {"file": path.name, "known": [asdict(entry) for entry in known], "today": today.isoformat(), "whole": whole}


def assess(run: Run) -> Assessment | None:
    """What a run is worth beside the baseline that its journal holds; None when it has none."""
    if run.baseline is None:
        return None
    known = tuple(Known(**row) for row in run.baseline["known"])
    today = date.fromisoformat(run.baseline["today"])
    alive = [entry for entry in known if date.fromisoformat(entry.expires) >= today]
    problems = [*_expired(known, today), *_idle(run, alive)]
    return Assessment(
        file=run.baseline["file"],
        verdict=run.verdict_by(lambda result: _without(result, alive)),
        known=known,
        problems=tuple(problems),
    )


def _expired(known: Iterable[Known], today: date) -> Iterator[str]:
    for entry in known:
        if date.fromisoformat(entry.expires) < today:
            yield f"{entry.name}: expired on {entry.expires} ({entry.owner}: {entry.reason})"


def _idle(run: Run, known: Iterable[Known]) -> Iterator[str]:
    """Entries that speak of nothing in this run. Where most of the plan was left out, only what ran counts."""
    whole = run.baseline is not None and run.baseline["whole"]
    verdicts = [verdict for scenario in run.scenarios for verdict in scenario.verdicts]
    for entry in known:
        seen = [v for v in verdicts if v.check == entry.check and entry.scenario in {"", v.scenario}]
        if not seen and whole:
            yield f"{entry.name}: unmatched: no scenario of this run has this check"
        elif seen and not any(entry.covers(verdict) for verdict in seen):
            outcome = worst(verdict.outcome for verdict in seen)
            yield f"{entry.name}: stale: it is {outcome.value.replace('_', ' ')} now, so the entry can go"


def _without(result: RequirementResult, known: Sequence[Known]) -> Outcome:
    """The outcome of a requirement when what is known is left out; a pass when nothing else is left."""
    left = [verdict for verdict in result.verdicts if not any(entry.covers(verdict) for entry in known)]
    if len(left) == len(result.verdicts):
        return result.outcome
    return worst(outcome_for(result.requirement, verdict.outcome) for verdict in left) if left else Outcome.PASS
