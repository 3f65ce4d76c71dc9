"""Several targets in one run: each in a process and a report directory of its own, with one overview."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from medmij_conformance.preflight.listening import places
from medmij_conformance.report.text import visible
from medmij_conformance.target import TargetError, load

WORST_FIRST = (1, 4, 2, 3, 0)
"""Exit codes, as the verdict of one run is rolled up: fail, error, undecided, pass. A target that was never tested stands
before one that was tested in part."""
_NAMES = {0: "pass", 1: "fail", 2: "configuration wrong", 3: "undecided", 4: "error"}
_EVERY_ADDRESS = ("0.0.0.0", "[::]")  # noqa: S104 only compared
_POLL_S = 0.2
_PROGRAM = "from medmij_conformance.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Ended:
    """How the run of one target ended; ``report`` and ``log`` are names inside the overview's directory."""

    target: str
    report: str
    log: str
    exit_code: int
    verdict: str
    headline: str


def collisions(targets: Sequence[str]) -> list[str]:
    """One sentence for every address on which the runs of two target files would listen. Files that cannot be read are skipped."""
    seen: list[tuple[str, str, str, str]] = []
    found = []
    for name in targets:
        if name.startswith("reference:"):
            continue
        try:
            here = set(places(load(Path(name))))
        except TargetError:
            continue  # its own run says what is wrong
        for at, address in sorted(here):
            host, _, port = address.rpartition(":")
            for other, other_at, other_host, other_port in seen:
                same = host == other_host or host in _EVERY_ADDRESS or other_host in _EVERY_ADDRESS
                if port == other_port and same and port != "0":
                    found.append(f"{name}: {at}: listens on port {port}, as {other_at} of {other}; expected a port of its own")
        seen += [(name, at, *address.rpartition(":")[::2]) for at, address in sorted(here)]
    return found


def run_many(targets: Sequence[str], options: Sequence[str], jobs: int, base: Path, say: Callable[[str], None]) -> int:
    """Run every target with the options of ``run``, ``jobs`` at a time, and write the overview into the empty folder ``base``.

    SIGINT and SIGTERM interrupt every run, which reports what it has. One that cannot be started is an error, and the others run.
    Gives the worst exit code, by ``WORST_FIRST``.
    """
    names = [f"{number:02}-{re.sub('[^A-Za-z0-9]+', '-', target).strip('-')[-40:]}" for number, target in enumerate(targets, 1)]
    waiting = list(range(len(targets)))
    running: dict[int, subprocess.Popen[bytes]] = {}
    codes: dict[int, int] = {}
    unstarted: dict[int, str] = {}

    def ended(index: int) -> Ended:
        if index in unstarted:
            return Ended(targets[index], names[index], "", 4, _NAMES[4], unstarted[index])
        return _one(targets[index], names[index], codes.get(index), base)

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index = waiting.pop(0)
                try:
                    running[index] = _start(targets[index], options, base, names[index])
                except OSError as error:  # no process, no memory, no room for its log: nothing that the others have a part in
                    unstarted[index] = visible(f"could not be started: {error.strerror or error}", lines=False)
                    say(f"{targets[index]}: {unstarted[index]}")
            _collect(running, codes, lambda index: say(f"{targets[index]}: {ended(index).verdict}"))
            if running:
                time.sleep(_POLL_S)
    except KeyboardInterrupt:
        _interrupt(running.values())
        codes |= {index: process.returncode for index, process in running.items()}
    finally:
        signal.signal(signal.SIGTERM, before)
    rows = [ended(index) for index in range(len(targets))]
    worst = min((each.exit_code for each in rows), key=WORST_FIRST.index)
    _write(rows, worst, base)
    for each in rows:
        say(f"{each.verdict:<20} {each.target}: {each.headline}")
    say(f"overview: {base / 'overview.md'}")
    return worst


def _start(target: str, options: Sequence[str], base: Path, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _PROGRAM, "run", *options, "--report-dir", str(base / name), "--", target]
    with (base / f"{name}.log").open("wb") as log:
        # A session of its own: Ctrl-C reaches it once, through us, and not a second time while it writes its report.
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _collect(running: dict[int, subprocess.Popen[bytes]], codes: dict[int, int], tell: Callable[[int], None]) -> None:
    for index in [index for index, process in running.items() if process.poll() is not None]:
        codes[index] = running.pop(index).returncode
        tell(index)


def _interrupt(processes: Any) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGINT)
    try:
        for process in processes:
            process.wait()
    except KeyboardInterrupt:  # asked twice: no more patience
        for process in processes:
            process.kill()
            process.wait()


def _one(target: str, name: str, code: int | None, base: Path) -> Ended:
    if code is None:
        return Ended(target, name, "", 3, "undecided", "interrupted before it was started")
    log = f"{name}.log"
    try:
        results = json.loads((base / name / "results.json").read_text(encoding="utf-8"))
        headline, verdict = str(results["headline"]), str(results["verdict"])
    except (OSError, ValueError, KeyError):
        said = (base / log).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if code == -signal.SIGINT:
            return Ended(target, name, log, 3, "undecided", "interrupted before it had anything to report")
        code = 2 if code == 2 else 4  # no report is never a pass
        return Ended(target, name, log, code, _NAMES[code], visible(said[-1] if said else "ended without a word", lines=False))
    if code not in _NAMES:
        code, verdict = 4, "error"
    return Ended(target, name, log, code, verdict, visible(headline, lines=False))


def _write(ended: Sequence[Ended], worst: int, base: Path) -> None:
    overview = {"exit_code": worst, "targets": [asdict(each) for each in ended]}
    (base / "overview.json").write_text(json.dumps(overview, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    rows = [
        f"| {_cell(each.target)} | {each.verdict} | {each.exit_code} | {_cell(each.headline)} | {each.report} |" for each in ended
    ]
    head = [
        "# Overview",
        "",
        f"Exit code: {worst}",
        "",
        "| target | verdict | exit code | headline | report |",
        "|---|---|---|---|---|",
    ]
    (base / "overview.md").write_text("\n".join([*head, *rows, ""]), encoding="utf-8")


def _cell(text: str) -> str:
    escaped = visible(text, lines=False)
    for character in "\\|<>[]`*_":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped
