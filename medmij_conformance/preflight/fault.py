"""One fault of a configuration."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fault:
    """``field`` of the target file, what is wrong with it, what was expected, and a shell command that shows it.

    ``hinders``: whether a run makes no sense before it is mended; else it is only said.
    """

    field: str
    problem: str
    expected: str
    command: str = ""
    hinders: bool = True

    def lines(self, file: Path) -> list[str]:
        """For a terminal; ``file`` is the target file."""
        kind = "error" if self.hinders else "warning"
        first = f"{kind}: {file}: {self.field}: {self.problem}; expected {self.expected}"
        return [first, *([f"  see: {self.command}"] if self.command else [])]
