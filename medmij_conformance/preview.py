"""What a run would do, without doing it: scenarios, time, what is asked of people, and what would stay open and why."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance import data_path
from medmij_conformance.coverage import COVERAGE
from medmij_conformance.planning import (
    Planned,
    Selection,
    aging_kind,
    barred_checks,
    hooks_at_hand,
    hooks_needed,
    is_scenario,
    planned_of,
    requirements_of_plan,
    select,
)
from medmij_conformance.requirements import catalogue, release
from medmij_conformance.target import Target

_USUAL_S = 0.1  # a scenario that the record does not know


class Collector:
    """A pytest plugin that takes the scenarios before anybody selects among them."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep every scenario."""
        self.items = [item for item in items if is_scenario(item)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a run of ``plan`` against ``target`` would be.

    ``requirements`` are the rows of the plan; ``by_hand`` are scenario -> hooks for which a person is asked; ``missing`` are
    hook -> the scenarios that it would add; ``seconds`` is how long the scenarios take against the reference, ``waiting_s`` what
    is waited for besides.
    """

    target: Target
    plan: str
    scenarios: tuple[Planned, ...]
    postponed: tuple[Planned, ...]
    requirements: Mapping[str, Mapping[str, Any]]
    by_hand: Mapping[str, tuple[str, ...]]
    missing: Mapping[str, tuple[str, ...]]
    seconds: float
    waiting_s: float

    @property
    def open(self) -> dict[str, list[str]]:
        """Reason -> the requirements that the plan promises and this run would not show."""
        reasons: defaultdict[str, list[str]] = defaultdict(list)
        for name, row in self.requirements.items():
            if row["promised"] and not row["planned"]:
                reasons[row["reason"]].append(name)
        return dict(reasons)

    def as_json(self) -> dict[str, Any]:
        """The contract of ``plan --json``. Times in seconds."""
        return {
            "target": self.target.about.name,
            "role": self.target.about.role,
            "release": self.target.about.release,
            "plan": self.plan,
            "seconds": round(self.seconds + self.waiting_s, 1),
            "waiting_s": self.waiting_s,
            "scenarios": [{"id": planned.id, "name": planned.name, "feature": planned.feature} for planned in self.scenarios],
            "requirements": {name: dict(row) for name, row in self.requirements.items()},
            "by_hand": {name: list(hooks) for name, hooks in self.by_hand.items()},
            "missing_hooks": {name: list(scenarios) for name, scenarios in self.missing.items()},
            "postponed": [planned.id for planned in self.postponed],
        }

    def lines(self) -> Iterator[str]:
        """The same for people."""
        about = self.target.about
        checks = {name for planned in self.scenarios for name in planned.checks}
        rows = self.requirements.values()
        promised, shown = sum(row["promised"] for row in rows), sum(row["promised"] and row["planned"] for row in rows)
        yield f"{self.plan} plan for {about.name} ({about.role}, release {about.release})"
        yield f"{len(self.scenarios)} scenarios with {len(checks)} checks, about {_duration(self.seconds + self.waiting_s)}"
        if self.waiting_s:
            yield f"of which {_duration(self.waiting_s)} of waiting, all of it at once"
        yield f"{promised} requirements are promised, and {shown} of them would be shown"
        yield from (f"  {count:>4}  {name}" for name, count in Counter(p.feature for p in self.scenarios).items())
        if self.by_hand:
            yield "by hand, at the terminal:"
            yield from (f"  {name}: {', '.join(hooks)}" for name, hooks in self.by_hand.items())
        if self.missing:
            yield "hooks that would show more:"
            yield from (f"  {name}: {len(ids)} scenarios ({', '.join(ids)})" for name, ids in sorted(self.missing.items()))
        if self.postponed:
            yield f"left to another plan: {', '.join(planned.id for planned in self.postponed)}"
        if self.open:
            yield "promised, and not tested by this run:"
            yield from (f"  {why}: {', '.join(names)}" for why, names in self.open.items())


def preview(
    target: Target, plan: str, items: Sequence[pytest.Item], *, only: Sequence[str] = (), attended: bool = False
) -> Preview:
    """What a run would be, from the collected scenarios. Raises ``CatalogueError`` for an unknown release or requirement."""
    about = target.about
    data = release(about.release)
    known = catalogue(data.catalogue)
    hooks = hooks_at_hand(target, attended=attended)
    asked = Selection(target, plan, tuple(only), (), known, hooks)
    chosen, postponed, barred = select(items, asked)
    scenarios = tuple(map(planned_of, chosen))
    checks = {name for planned in scenarios for name in planned.checks}
    later = {name for planned in postponed for name in planned.checks}
    rows = requirements_of_plan(known, about.role, checks, later, only, barred_checks(barred, target, hooks))
    by_operator = {name for name, hook in target.hooks.items() if hook.kind == "operator"} & hooks
    missing: defaultdict[str, list[str]] = defaultdict(list)
    for planned in barred:
        for hook in hooks_needed(planned):
            if hook not in hooks:
                missing[hook].append(planned.id)
    by_hand = {p.id: tuple(h for h in hooks_needed(p) if h in by_operator) for p in scenarios}
    ages = any(aging_kind(planned) for planned in scenarios)
    movable = plan != "full" and "clock" in hooks
    lifetimes = max(data.code.lifetime_s + data.code.tolerance_s, data.token.lifetime_s + data.token.tolerance_s)
    return Preview(
        target=target,
        plan=plan,
        scenarios=scenarios,
        postponed=tuple(postponed),
        requirements=rows,
        by_hand={name: hooks for name, hooks in by_hand.items() if hooks},
        missing={name: tuple(ids) for name, ids in missing.items()},
        seconds=sum(_durations(about.role).get(planned.id, _USUAL_S) for planned in scenarios),
        waiting_s=float(lifetimes) if ages and not movable else 0.0,
    )


def _durations(role: str) -> Mapping[str, float]:
    path: Path = data_path("fixtures") / COVERAGE / f"{role}.json"
    found: Mapping[str, float] = json.loads(path.read_text(encoding="utf-8")).get("seconds", {}) if path.is_file() else {}
    return found


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"
