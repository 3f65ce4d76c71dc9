"""Codes and tokens that have to grow old: minted before everything else, kept, and used each at its moment.

So all waits of a run overlap: a full plan costs one lifetime, not one per scenario. Where the gateway's lifetime clock can be moved
by a hook and the plan does not want real time, the clock is moved instead, and verdicts say so.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from medmij_conformance.cast.journey import Journey
from medmij_conformance.evidence import Exchange
from medmij_conformance.verdict import NotSeenError


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that grows old: how it begins, and what is done with it on the way, once it has aged a little."""

    begin: Callable[[Journey], Exchange]
    on_the_way: Callable[[Journey], Exchange] | None = None


def _to_a_used_code(journey: Journey) -> Exchange:
    issued = journey.to_code()
    if journey.code:
        journey.redeem()
    return issued


KINDS = {
    "code": Kind(Journey.to_code),
    "used-code": Kind(_to_a_used_code),
    "token": Kind(Journey.to_token),
    "token-in-use": Kind(Journey.to_token, Journey.ask),
    "code-redeemed-late": Kind(Journey.to_code, Journey.redeem),
}
"""What can grow old, by the name that scenarios give it: ``@aged:KIND=early`` or ``=late``."""


@dataclass(frozen=True, slots=True)
class Aged:
    """A collection that stopped long ago. ``issued`` is the exchange that brought its code or token; ``on_the_way`` the one that
    followed when it had aged a little. ``moved_s`` and ``moved_since_s``: the seconds by which the clock was moved since each."""

    journey: Journey
    issued: Exchange
    on_the_way: Exchange | None
    moved_s: int
    moved_since_s: int


@dataclass(slots=True)
class _Kept:
    kind: Kind
    journey: Journey
    issued: Exchange
    since: float
    on_the_way: Exchange | None = None
    moved_s: int = 0
    moved_before_s: int = 0
    tended: bool = False

    def remaining(self, age_s: float) -> float:
        return max(0.0, self.since + age_s - time.monotonic())


@dataclass(slots=True)
class Cellar:
    """What waits. ``move_clock`` moves the gateway's clock forward by seconds; None means that real time passes."""

    move_clock: Callable[[int], None] | None = None
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def lay_down(self, name: str, journey: Journey, kind: str) -> None:
        """Begin to keep something of ``KINDS`` for the scenario ``name``."""
        issued = KINDS[kind].begin(journey)
        self._kept[name] = _Kept(KINDS[kind], journey, issued, time.monotonic())

    def holds(self, name: str) -> bool:
        """Whether something was laid down for a scenario."""
        return name in self._kept

    def untended(self) -> Iterator[str]:
        """The scenarios whose codes and tokens still have to be used on the way."""
        yield from [name for name, kept in self._kept.items() if kept.kind.on_the_way and not kept.tended]

    def tend(self, name: str, age_s: float) -> None:
        """Do what is done on the way, at this age in seconds. That nothing came that could be used shows later."""
        kept = self._kept[name]
        kept.tended = True
        self._age(kept, age_s)
        kept.moved_before_s = kept.moved_s
        if kept.kind.on_the_way:
            with contextlib.suppress(NotSeenError):
                kept.on_the_way = kept.kind.on_the_way(kept.journey)

    def remaining(self, name: str, age_s: float) -> float:
        """Seconds until what was laid down for a scenario has an age."""
        return self._kept[name].remaining(age_s)

    def fetch(self, name: str, age_s: float) -> Aged:
        """What was laid down, at the moment when it has reached an age in seconds; waits for it, or moves the clock."""
        kept = self._kept[name]
        self._age(kept, age_s)
        if self.move_clock:
            del self._kept[name]  # the clock moves for whatever is kept, so a rerun begins with something fresh
        return Aged(kept.journey, kept.issued, kept.on_the_way, kept.moved_s, kept.moved_s - kept.moved_before_s)

    def _age(self, kept: _Kept, age_s: float) -> None:
        if self.move_clock is None:
            time.sleep(kept.remaining(age_s))
            return
        self.move_clock(int(age_s) - kept.moved_s)
        kept.moved_s = int(age_s)
