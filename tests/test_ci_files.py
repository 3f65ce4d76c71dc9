"""The pipelines that we offer do what they say: their quick command runs as it stands, with another target only."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parents[1] / "docs" / "ci"
LINE = re.compile(r"(?:- |run: )(medmij-conformance run target\.toml .*)")


def commands(name: str) -> dict[str, str]:
    """The shell line of each plan."""
    found = LINE.findall((CI / name).read_text(encoding="utf-8"))
    return {re.search(r"--plan (\w+)", line)[1]: line for line in found}  # type: ignore[index]


@pytest.mark.parametrize(("name", "allowed"), [("gitlab-ci.yml", {0, 3}), ("github-actions.yml", {0})])
def test_the_quick_command_leaves_its_artefacts_and_an_allowed_exit_code(name: str, allowed: set[int], tmp_path: Path) -> None:
    """Against an embedded reference, by a shell."""
    line = commands(name)["quick"].replace("target.toml", "reference:registratie")
    (tmp_path / "baseline.toml").write_text("known = []\n", encoding="utf-8")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-e", "-c", line], cwd=tmp_path, env={"PATH": path}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode in allowed, done.stderr
    for artefact in re.findall(r"report/([\w.]+)", (CI / name).read_text(encoding="utf-8")):
        assert (tmp_path / "report" / artefact).is_file(), artefact


@pytest.mark.parametrize("name", ["gitlab-ci.yml", "github-actions.yml"])
def test_the_full_command_is_the_quick_one_with_another_plan(name: str) -> None:
    """So that what is run above is shown for both."""
    lines = commands(name)
    assert lines["full"] == lines["quick"].replace("--plan quick", "--plan full")
