"""One fault of a configuration."""

import re
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

_PARTS = re.compile(r'"[^"]*"|[^."]+')
_READ_TOML = "python3 -c 'import sys, tomllib; tomllib.load(sys.stdin.buffer)'"


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

    def seen_in(self, file: Path) -> "Fault":
        """The same fault; where nothing else shows it, the target file itself does: with its line, or with no line of that name."""
        if self.command:
            return self
        name = shlex.quote(str(file))
        key = re.sub(r"\[\d+\]$", "", _PARTS.findall(self.field)[-1].strip('"'))
        shown = {"file": f"ls -l {name}", "TOML": f"{_READ_TOML} < {name}"}
        return replace(self, command=shown.get(self.field, f"grep -nF -e {shlex.quote(key)} {name}"))

    def lines(self, file: Path) -> list[str]:
        """For a terminal; ``file`` is the target file."""
        kind = "error" if self.hinders else "warning"
        first = f"{kind}: {file}: {self.field}: {self.problem}; expected {self.expected}"
        return [first, *([f"  see: {self.command}"] if self.command else [])]
