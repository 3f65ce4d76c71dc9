"""A release is data: the toy release ``test-2`` runs without touching a check, and its full plan overlaps all waits."""

import json
import subprocess
import sys
from pathlib import Path

from medmij_conformance import workspace
from medmij_conformance.evidence import read_journal

AGED = {
    "code-in-time",
    "code-too-late",
    "used-code-in-time",
    "token-in-time",
    "token-too-late",
    "token-in-use-too-late",
    "token-after-its-code",
}


def _run(target: Path, *options: object) -> subprocess.CompletedProcess[str]:
    """A run of the command line."""
    command = [Path(sys.executable).parent / "medmij-conformance", "run", target, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_lifetimes_of_the_toy_release_in_real_time(tmp_path: Path) -> None:
    """Seven waits for a lifetime of nine seconds overlap: the last of them has begun before the first ends."""
    target, reference = workspace.reference_dvza(tmp_path, release="test-2")
    try:
        done = _run(target.path, "--plan", "full", "--only", "APP.10", "--only", "APP.12b", "--report-dir", tmp_path / "report")
    finally:
        reference.stop()
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    aged = {s["id"]: {v["outcome"] for v in s["verdicts"]} for s in results["scenarios"] if s["id"] in AGED}
    assert done.returncode == 0, done.stderr[-2000:]
    assert aged == {name: {"pass"} for name in AGED}
    exchanges = [r for r in read_journal(tmp_path / "report" / "evidence.jsonl") if r["type"] == "exchange"]
    waits = [[(r["started"], r["finished"]) for r in exchanges if r["scenario"] == name] for name in AGED]
    assert max(own[0][0] for own in waits) < min(own[-1][0] for own in waits)
    assert all(own[-1][1] - own[0][0] > 3 for own in waits)


def test_the_toy_release_needs_no_other_check(tmp_path: Path) -> None:
    """Against a gateway of that release every scenario passes, with another scope, other lifetimes and another text."""
    target, reference = workspace.reference_dvza(tmp_path, release="test-2")
    try:
        done = _run(target.path, "--report-dir", tmp_path / "report")
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
