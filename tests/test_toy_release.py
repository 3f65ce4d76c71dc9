"""A release is data: the toy release ``test-2`` runs without touching a check, and its full plan overlaps all waits."""

import json
import subprocess
import sys
import time
from pathlib import Path

from medmij_conformance import workspace


def test_full_plan_of_the_toy_release(tmp_path: Path) -> None:
    """Against a gateway of that release everything passes, lifetimes in real time, in little more than one lifetime."""
    target, reference = workspace.reference_dvza(tmp_path, release="test-2")
    command = [Path(sys.executable).parent / "medmij-conformance", "run", target.path, "--plan", "full"]
    began = time.monotonic()
    try:
        done = subprocess.run([*command, "--report-dir", tmp_path / "report"], capture_output=True, text=True, check=False)
    finally:
        reference.stop()
    seconds = time.monotonic() - began
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    aged = {v["outcome"] for s in results["scenarios"] for v in s["verdicts"] if "lifetime" in v["check"]}
    assert (done.returncode, aged) == (0, {"pass"}), done.stderr[-2000:]
    assert results["release"] == "test-2"
    assert seconds < 45  # four lifetimes one after the other, and the rest, would be more


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
