"""Measures what the README promises, one line each: whole processes, wall time, median of several runs.

Run it with ``make benchmark`` on an idle machine; ``--runs N`` changes how often (default 5).
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).parent / "medmij-conformance"


def seconds(arguments: list[str], runs: int) -> list[float]:
    """Wall times in seconds of ``runs`` processes; each has to exit 0."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)
        times.append(time.perf_counter() - began)
        if done.returncode:
            sys.exit(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return times


def main() -> None:
    """Print one line per figure: the median, and the smallest and largest time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        measures = {
            "medmij-conformance --help": ["--help"],
            "medmij-conformance run reference:dvza": ["run", "reference:dvza", "--quiet", "--report-dir", folder],
            "medmij-conformance verify DIR --rejudge": ["verify", folder, "--rejudge"],
            "medmij-conformance report DIR": ["report", folder],
        }
        for name, arguments in measures.items():
            times = seconds(arguments, runs)
            print(f"{name:<42} median {statistics.median(times):6.2f} s  ({min(times):.2f} to {max(times):.2f}, {runs} runs)")


if __name__ == "__main__":
    main()
