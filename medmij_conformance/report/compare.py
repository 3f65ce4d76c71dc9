"""Two runs side by side: what changed, check by check."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from medmij_conformance.report.run import Run
from medmij_conformance.verdict import WORST_FIRST, Outcome, worst

ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A check in a scenario that has another outcome in the second run; ``absent`` where one of them does not have it."""

    scenario: str
    check: str
    requirements: tuple[str, ...]
    before: str
    after: str
    observed: str

    @property
    def kind(self) -> str:
        """``worse``, ``better``, ``new`` or ``gone``."""
        if ABSENT in {self.before, self.after}:
            return "new" if self.before == ABSENT else "gone"
        return "worse" if _rank(self.after) < _rank(self.before) else "better"


def _rank(outcome: str) -> int:
    order = [*WORST_FIRST, Outcome.NOT_APPLICABLE]
    return order.index(Outcome(outcome))


@dataclass(frozen=True, slots=True)
class _Seen:
    outcome: Outcome
    requirements: tuple[str, ...]
    observed: str


def differences(before: Run, after: Run) -> tuple[Difference, ...]:
    """What changed, by scenario and check: first what became worse, then the rest, each in the order of the runs."""
    first, second = _seen(before), _seen(after)
    found = [
        Difference(
            scenario=scenario,
            check=check,
            requirements=(first.get((scenario, check)) or second[scenario, check]).requirements,
            before=first[scenario, check].outcome if (scenario, check) in first else ABSENT,
            after=second[scenario, check].outcome if (scenario, check) in second else ABSENT,
            observed=second[scenario, check].observed if (scenario, check) in second else "",
        )
        for scenario, check in dict.fromkeys([*first, *second])
        if first.get((scenario, check), _NOTHING).outcome != second.get((scenario, check), _NOTHING).outcome
        or ((scenario, check) in first) != ((scenario, check) in second)
    ]
    return tuple(sorted(found, key=lambda difference: _KINDS.index(difference.kind)))


_KINDS = ("worse", "gone", "new", "better")
_NOTHING = _Seen(Outcome.NOT_TESTED, (), "")


def settings(before: Run, after: Run) -> Iterator[str]:
    """What else is not the same, so that a reader does not take it for a change of the target."""
    pairs: Mapping[str, tuple[object, object]] = {
        "tool": (" ".join(before.tool.values()), " ".join(after.tool.values())),
        "role": (before.role, after.role),
        "release": (before.release, after.release),
        "plan": (before.plan, after.plan),
        "target": (before.target.get("name"), after.target.get("name")),
        "target file": (before.target.get("fingerprint"), after.target.get("fingerprint")),
        "verdict": (before.verdict, after.verdict),
    }
    for name, (first, second) in pairs.items():
        if first != second:
            yield f"{name}: {first} -> {second}"


def _seen(run: Run) -> dict[tuple[str, str], _Seen]:
    verdicts = defaultdict(list)
    for scenario in run.scenarios:
        for verdict in scenario.verdicts:
            verdicts[scenario.id, verdict.check].append(verdict)
    return {
        key: _Seen(
            worst(v.outcome for v in own),
            tuple(dict.fromkeys(v.requirement for v in own)),
            "; ".join(dict.fromkeys(v.observed for v in own)),
        )
        for key, own in verdicts.items()
    }
