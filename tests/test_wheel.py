"""The wheel is whole: installed somewhere else, or read from a zip file, it runs like the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
DATA = ("features", "steps", "fixtures")


def run(*command: object, cwd: Path, path: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command away from the checkout; ``path`` is where Python finds the package."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    if path:
        environment["PYTHONPATH"] = str(path)
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from what the repository holds, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, CHECKOUT, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the wheel is installed; what it depends on comes from the environment of these tests."""
    folder = tmp_path_factory.mktemp("installed")
    options = ("--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "--target", folder)
    done = run(sys.executable, "-m", "pip", "install", *options, wheel, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def tracked(folder: Path) -> set[str]:
    """The files of a folder, compiled Python left out."""
    files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in files if "__pycache__" not in name}


def test_everything_is_in_the_wheel(installed: Path) -> None:
    """The wheel holds the package with the features, steps and fixtures of the checkout inside it, file for file."""
    package = installed / "medmij_conformance"
    wanted = tracked(CHECKOUT / "medmij_conformance")
    for name in DATA:
        wanted |= {f"{name}/{file}" for file in tracked(CHECKOUT / name)}
    assert {"features/test_features.py", "steps/person.py", "fixtures/requirements/1.0.toml"} <= wanted
    assert tracked(package) == wanted


def test_nothing_else_is_in_the_wheel(wheel: Path) -> None:
    """Beside the package there is only what describes it, with the licence."""
    with zipfile.ZipFile(wheel) as archive:
        beside = {name for name in archive.namelist() if not name.startswith("medmij_conformance/")}
    (info,) = {name.partition("/")[0] for name in beside}
    assert info.endswith(".dist-info")
    assert {f"{info}/METADATA", f"{info}/entry_points.txt", f"{info}/licenses/LICENSE"} <= beside


RUN = """
import sys
import medmij_conformance
from medmij_conformance.cli import main
print(medmij_conformance.__file__)
main(prog_name="medmij-conformance")
"""


@pytest.mark.parametrize("how", ["console script", "import"])
def test_the_installed_wheel_runs_away_from_the_checkout(how: str, installed: Path, tmp_path: Path) -> None:
    """From an empty folder the reference is started and tested, with everything from the wheel; exit 0."""
    command: Mapping[str, list[object]] = {
        "console script": [sys.executable, installed / "bin" / "medmij-conformance"],
        "import": [sys.executable, "-c", RUN],
    }
    options = ("run", "reference:dvza", "--only", "APP.12b", "--report-dir", tmp_path / "report")
    done = run(*command[how], *options, cwd=tmp_path, path=installed)
    assert done.returncode == 0, done.stderr
    assert "pass: no deviation found in 1 of " in done.stderr
    assert (tmp_path / "report" / "report.html").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report"]
    if how == "import":
        assert Path(done.stdout.strip()).is_relative_to(installed)


def test_the_installed_wheel_runs_own_scenarios(installed: Path, tmp_path: Path) -> None:
    """Away from the checkout, in a process of their own, with the steps of the wheel."""
    (tmp_path / "own").mkdir()
    feature = "Feature: Ours\n\n  Scenario: A code comes\n    Given the PGO holds a code for Roos\n    Then it is long\n"
    (tmp_path / "own" / "ours.feature").write_text(feature, encoding="utf-8")
    step = "from pytest_bdd import then\n\n\n@then('it is long')\ndef long(journey):\n    assert len(journey.code) > 8\n"
    (tmp_path / "own" / "ours.py").write_text(step, encoding="utf-8")
    command = [sys.executable, installed / "bin" / "medmij-conformance", "run", "reference:dvza", "--only", "APP.12b"]
    done = run(*command, "--extra", "own", "--report-dir", "report", cwd=tmp_path, path=installed)
    assert done.returncode == 0, done.stderr
    assert "own scenarios, not part of the verdict: 1 pass" in done.stderr


FROM_ZIP = """
import sys
import medmij_conformance
from medmij_conformance import data_path
assert ".whl/" in medmij_conformance.__file__, medmij_conformance.__file__
for name in ("features", "steps", "fixtures"):
    folder = data_path(name)
    assert folder.is_dir() and folder == data_path(name), folder
    print(folder, *sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()), sep="|")
try:
    data_path("nonsense")
except FileNotFoundError as error:
    print(error, file=sys.stderr)
"""


def test_data_is_copied_out_of_a_zip_file(wheel: Path, tmp_path: Path) -> None:
    """Imported from the zipped wheel, the data folders become real ones, once, and are gone when the process ends."""
    archive = shutil.copy(wheel, tmp_path)
    done = run(sys.executable, "-c", FROM_ZIP, cwd=tmp_path, path=Path(archive))
    assert done.returncode == 0, done.stderr
    for name, line in zip(DATA, done.stdout.splitlines(), strict=True):
        folder, *files = line.split("|")
        assert set(files) == tracked(CHECKOUT / name)
        assert not Path(folder).exists()
    assert "'nonsense' belongs to medmij-conformance, but this installation lacks it" in done.stderr
