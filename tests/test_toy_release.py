"""A release is data: the toy release ``test-2`` runs without touching a check, and its full plan overlaps all waits."""

import json
import subprocess
import sys
import time
from pathlib import Path

from medmij_conformance import workspace


def _run(target: Path, *options: object) -> tuple[subprocess.CompletedProcess[str], float]:
    """A run of the command line, and the seconds that it took."""
    command = [Path(sys.executable).parent / "medmij-conformance", "run", target, *options]
    began = time.monotonic()
    return subprocess.run(command, capture_output=True, text=True, check=False), time.monotonic() - began


def test_lifetimes_of_the_toy_release_in_real_time(tmp_path: Path) -> None:
    """Four waits for a lifetime of nine seconds take little more than one: all of them overlap."""
    target, reference = workspace.reference_dvza(tmp_path, release="test-2")
    try:
        done, seconds = _run(target.path, "--plan", "full", "--only", "APP.10", "--report-dir", tmp_path / "report")
    finally:
        reference.stop()
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    aged = [
        v["outcome"] for s in results["scenarios"] for v in s["verdicts"] if "lifetime" in v["check"] and "stated" not in v["check"]
    ]
    assert (done.returncode, set(aged)) == (0, {"pass"}), done.stderr[-2000:]
    assert len({s["id"] for s in results["scenarios"] if "time" in s["id"] or "late" in s["id"]}) == 4
    assert seconds < 25


def test_the_toy_release_needs_no_other_check(tmp_path: Path) -> None:
    """Against a gateway of that release every scenario passes, with another scope, other lifetimes and another text."""
    target, reference = workspace.reference_dvza(tmp_path, release="test-2")
    try:
        done, _ = _run(target.path, "--report-dir", tmp_path / "report")
    finally:
        reference.stop()
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert results["release"] == "test-2"


def test_a_gateway_of_another_release_is_found_out(tmp_path: Path) -> None:
    """A gateway of release 1.0 does not conform to the toy release: its scope, lifetime and description differ."""
    target, reference = workspace.reference_dvza(tmp_path)
    text = target.path.read_text(encoding="utf-8").replace('release = "1.0"', 'release = "test-2"')
    target.path.write_text(text, encoding="utf-8")
    command = [Path(sys.executable).parent / "medmij-conformance", "run", target.path, "--report-dir", tmp_path / "report"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        reference.stop()
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    failed = {row["id"] for row in results["requirements"] if row["outcome"] == "fail"}
    assert done.returncode == 1
    assert {"UCI-V.exc.4", "APP.10"} <= failed
