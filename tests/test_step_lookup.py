"""The quick way to a step definition is only quick: it finds what pytest-bdd finds."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from medmij_conformance import data_path

COMPARE = """
from pytest_bdd.scenario import scenario_wrapper_template_registry
from medmij_conformance.step_lookup import quick_lookup, slow_lookup

def pytest_collection_finish(session):
    compared = 0
    for item in session.items:
        template = scenario_wrapper_template_registry[item.obj]
        example = item.callspec.params.get("_pytest_bdd_example", {}) if hasattr(item, "callspec") else {}
        for step in template.render(example).steps:
            place = {"step": step, "fixturemanager": session._fixturemanager, "node": item}
            slow, quick = list(slow_lookup(**place)), list(quick_lookup(**place))
            assert len(slow) == 1 and slow == quick, step.name
            compared += 1
    print(f"{compared} sentences compared")
"""


def test_every_sentence_of_the_features_is_looked_up_alike(reference: Any, tmp_path: Path) -> None:
    """For every sentence of every scenario both ways give the same one definition."""
    (tmp_path / "compare.py").write_text(COMPARE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-c", tmp_path / "pytest.ini", "-p", "compare"]
    command += ["-p", "medmij_conformance.plugin", "--capture=no", data_path("features") / "test_features.py"]
    command += ["--target", reference.target, "--report-dir", tmp_path / "report"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    said = [line for line in done.stdout.splitlines() if line.endswith("sentences compared")]
    assert len(said) == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert int(said[0].split()[0]) > 300
