"""Hours that have to pass: by the wall clock in a watch run, which may be broken off and continued, or by moving a clock.

``--for`` says how long a run is watched, counted from when it first began. Where the clock of the system under test can be moved by
a hook and the plan does not want real time, it is moved instead, and verdicts say so.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from medmij_conformance.verdict import NotSeenError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SLICE_S = 1.0
_SAY_EVERY_S = 600.0


def seconds_of(text: str) -> int:
    """The seconds that ``26h``, ``90m``, ``20s`` or ``2d`` stands for. Raises ``ValueError``."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; expected a whole number with s, m, h or d behind it, such as 26h")
    return int(match[1]) * _UNITS[match[2]]


class Watched(NamedTuple):
    """From when to when something was watched, on the clock of the system under test; until ``fine_until`` in steps of less than an
    hour."""

    began: float
    fine_until: float
    ended: float


@dataclass(slots=True)
class Watch:
    """``limit_s`` is how long is watched, from ``began`` (wall time, seconds); None: this run waits for nothing.

    ``move_clock`` moves the clock of the system under test by seconds. ``moved_s``: by how much it was moved so far.
    """

    limit_s: float | None
    began: float
    move_clock: Callable[[int], None] | None = None
    progress: Callable[[str], None] = lambda _: None
    moved_s: int = 0

    def let_pass(self, seconds: int, *, since: float) -> None:
        """Wait until so many seconds have passed ``since`` a wall time; or move the clock by as many.

        Raises ``NotSeenError`` when the watch ends before that.
        """
        if self.move_clock:
            self.moved_s += seconds  # first: what comes of it comes while the hook is carried out
            self.move_clock(seconds)
            return
        until = since + seconds
        if self.limit_s is None or until > self.began + self.limit_s:
            needed = until - self.began
            raise NotSeenError(
                f"it takes {needed / 3600:.3g} hours from the start to see this: --plan watch --for {_shown(needed)}"
            )
        self._wait(until)

    def now(self) -> float:
        """Wall time by the clock of the system under test."""
        return time.time() + self.moved_s

    @property
    def left_s(self) -> float:
        """Seconds until the watch ends; none when this run waits for nothing."""
        return max(0.0, self.began + self.limit_s - time.time()) if self.limit_s else 0.0

    def _wait(self, until: float) -> None:
        said = 0.0
        while (left := until - time.time()) > 0:
            if time.monotonic() - said > _SAY_EVERY_S:
                said = time.monotonic()
                self.progress(f"{'watching':<10} {left:.0f} s until this can be judged; a run that is broken off can be continued")
            time.sleep(min(_SLICE_S, left))


def _shown(seconds: float) -> str:
    """A duration as ``--for`` takes it, rounded up."""
    return f"{-(-int(seconds) // 3600)}h" if seconds > 3600 else f"{int(seconds) + 1}s"
