"""Runs the quick plan of each reference many times in a row, and compares every verdict of every scenario with the first run's.

A harness whose verdicts depend on luck cannot be trusted. Exit 1 when two runs differ, or one of them does not pass.

Run it with ``make repeat``; ``--runs N`` changes how often (default 20), ``--role`` what (default: every role).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from medmij_conformance.reference.roles import REFERENCES

COMMAND = Path(sys.executable).parent / "medmij-conformance"

Verdicts = Mapping[tuple[str, str, str], str]
"""Scenario, check and requirement -> outcome."""


def verdicts(role: str, folder: Path) -> tuple[str, Verdicts]:
    """The verdict of one run, and of everything in it."""
    command = [COMMAND, "run", f"reference:{role}", "--quiet", "--report-dir", folder]
    subprocess.run(command, capture_output=True, check=False)
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    rows = ((scenario["id"], row) for scenario in results["scenarios"] for row in scenario["verdicts"])
    return results["verdict"], {(name, row["check"], row["requirement"]): row["outcome"] for name, row in rows}


def main() -> None:
    """Print a line for each role, and one for each verdict that was not always the same."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--role", choices=REFERENCES, action="append")
    given = parser.parse_args()
    differ = False
    for role in given.role or REFERENCES:
        times, seen = [], []
        for _ in range(given.runs):
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                seen.append(verdicts(role, Path(folder)))
            times.append(time.perf_counter() - began)
        first = seen[0][1]
        passed = sum(verdict == "pass" for verdict, _ in seen)
        others = sorted({key for _, found in seen for key in first.keys() | found.keys() if first.get(key) != found.get(key)})
        differ |= bool(others) or passed < given.runs
        median = statistics.median(times)
        print(
            f"{role}: {passed} of {given.runs} runs pass, {len(first)} verdicts each, {len(others)} differ; median {median:.1f} s"
        )
        for key in others:
            print(f"  {' / '.join(key)}: {', '.join(found.get(key, 'missing') for _, found in seen)}")
    sys.exit(differ)


if __name__ == "__main__":
    main()
