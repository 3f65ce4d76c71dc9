"""Codes and tokens that have to grow old: minted before everything else, kept, and used each at its moment.

So all waits of a run overlap: a full plan costs one lifetime, not one per scenario. Where the gateway's lifetime clock can be moved
by a hook and the plan does not want real time, the clock is moved instead, and verdicts say so.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from medmij_conformance.evidence import Exchange
from medmij_conformance.journey import Journey


@dataclass(frozen=True, slots=True)
class Aged:
    """A collection that stopped at its code or its token, with the exchange that brought it and the clock's shift in seconds."""

    journey: Journey
    issued: Exchange
    moved_s: int


@dataclass(slots=True)
class Cellar:
    """What waits. ``move_clock`` moves the gateway's clock forward by seconds; None means that real time passes."""

    move_clock: Callable[[int], None] | None = None
    _kept: dict[str, tuple[Journey, Exchange, float]] = field(default_factory=dict)

    def lay_down(self, name: str, journey: Journey, kind: str) -> None:
        """Begin to keep a ``code`` or a ``token`` for the scenario ``name``."""
        issued = journey.to_code() if kind == "code" else journey.to_token()
        self._kept[name] = (journey, issued, time.monotonic())

    def holds(self, name: str) -> bool:
        """Whether something was laid down for a scenario."""
        return name in self._kept

    def remaining(self, name: str, age_s: float) -> float:
        """Seconds until what was laid down for a scenario has an age."""
        return max(0.0, self._kept[name][2] + age_s - time.monotonic())

    def fetch(self, name: str, age_s: float) -> Aged:
        """What was laid down, at the moment when it has reached an age in seconds; waits for it, or moves the clock."""
        journey, issued, _ = self._kept.pop(name) if self.move_clock else self._kept[name]
        wait = 0.0 if self.move_clock else self.remaining(name, age_s)
        time.sleep(wait)
        if self.move_clock:
            self.move_clock(int(age_s))
        return Aged(journey, issued, int(age_s) if self.move_clock else 0)
