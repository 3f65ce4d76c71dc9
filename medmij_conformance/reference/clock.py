"""The lifetime clock of the references."""

import time


class LifetimeClock:
    """Seconds that can be moved forward, for the lifetimes of codes and tokens only; TLS keeps the wall clock."""

    def __init__(self) -> None:
        self._offset = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._offset

    def forward(self, seconds: float) -> None:
        """Let ``seconds`` pass at once. Raises ``ValueError`` when they are negative."""
        if seconds < 0:
            raise ValueError(f"a clock goes forward; got {seconds} seconds")
        self._offset += seconds
