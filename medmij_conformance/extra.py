"""The vendor's own scenarios: looked at before a run, carried out after it, and never part of its verdict.

What stands in them is code of others. So it lives in a process of its own, with a journal of its own, once the official report
has been written: whatever it does, no official verdict changes by it.
"""

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmij_conformance.report.run import EXTRA_JOURNAL, JOURNAL
from medmij_conformance.report.write import tree_digest

LOOK_S = 60.0
"""How long the steps may take to load."""

_PROGRAM = "from medmij_conformance.extra_session import main; main()"
_EXPECTED = "a folder with *.feature, and with steps in steps/*.py or *.py"
_CONTROLS = 20  # scenarios of ours that may stand around them
_TOLD_S = 2.0
_FAREWELL_S = 15.0


class ExtraError(ValueError):
    """The folder of ``--extra`` cannot be used; a line for each thing that is wrong, which names the file."""


@dataclass(frozen=True, slots=True)
class Extra:
    """A folder of own scenarios that can be run; ``digest`` is that of its files.

    ``twins``: some of them use a check that counts only beside an accepted request, so that controls have to stand around them.
    """

    folder: Path
    digest: str
    scenarios: int
    twins: bool


def look(folder: Path) -> Extra:
    """See whether the scenarios in ``folder`` can be run: features and steps are read, and every sentence is looked up.

    Raises ``ExtraError``.
    """
    if not folder.is_dir():
        raise ExtraError(f"--extra: {folder}: no such folder; expected {_EXPECTED}")
    if not any(folder.rglob("*.feature")):
        raise ExtraError(f"--extra: {folder}: holds no *.feature; expected {_EXPECTED}")
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as place:
        answer = Path(place) / "answer.json"
        command = _command({"look": str(folder), "answer": str(answer)})
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LOOK_S, check=False)
        except subprocess.TimeoutExpired:
            raise ExtraError(f"--extra: {folder}: its steps were not loaded within {LOOK_S:.0f} s") from None
        if not answer.is_file():
            said = done.stderr.strip().splitlines()
            last = said[-1] if said else f"exit code {done.returncode}"
            raise ExtraError(f"--extra: {folder}: its steps ended the process that read them ({last})")
        found = json.loads(answer.read_text(encoding="utf-8"))
    if found["problems"]:
        raise ExtraError("\n".join(f"--extra: {problem}" for problem in found["problems"]))
    return Extra(folder, tree_digest(folder), found["scenarios"], found["twins"])


def run(extra: Extra, directory: Path, target: Path, options: Sequence[str], *, first: int, scenario_s: float, quiet: bool) -> None:
    """Run the scenarios of ``extra`` against the target file ``target``, and leave in ``directory`` the journal of it.

    ``options`` are those of pytest, ``first`` is the number of their first message, ``scenario_s`` the time limit of a scenario.
    """
    limit_s = (extra.scenarios + _CONTROLS * extra.twins) * scenario_s + LOOK_S
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as place:
        settings = {"run": str(extra.folder), "target": str(target), "first": first, "twins": extra.twins, "quiet": quiet}
        try:
            with subprocess.Popen(_command({**settings, "options": [*options, "--report-dir", place]})) as process:
                trouble = _wait(process, limit_s)
            end = f"exit code {process.returncode}"
        except OSError as error:
            trouble, end = "", str(error.strerror or error)
        journal = Path(place) / JOURNAL
        records = journal.read_bytes() if journal.is_file() else b""
    if not trouble and not records:
        trouble = f"they could not be started ({end})"
    leave(extra, directory, trouble, records)


def leave(extra: Extra, directory: Path, trouble: str, records: bytes = b"") -> None:
    """Write the journal of own scenarios: which they are, the records of their process, and what went wrong around them."""
    whole = records[: records.rfind(b"\n") + 1]  # a process that was killed may have left half a line
    opening = {"type": "extra", "folder": str(extra.folder), "digest": extra.digest, "scenarios": extra.scenarios}
    lines = [_line(opening), whole, _line({"type": "extra-end", "trouble": trouble})]
    (directory / EXTRA_JOURNAL).write_bytes(b"".join(lines))


def _line(record: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(record)}\n".encode()


def _command(settings: Mapping[str, Any]) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, json.dumps(settings)]


def _wait(process: "subprocess.Popen[bytes]", limit_s: float) -> str:
    """Wait for a process to end. Gives why it did not end by itself; empty when it did."""
    try:
        process.wait(timeout=limit_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return f"they were stopped: they had not ended within {limit_s:.0f} s"
    except KeyboardInterrupt:
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            try:  # who pressed Ctrl-C at a terminal has told both of us; a second one would disturb its farewell
                process.wait(timeout=_TOLD_S)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            process.wait(timeout=_FAREWELL_S)
        process.kill()
        return "they were interrupted"
    return ""
