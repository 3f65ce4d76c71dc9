"""The directory of a run: complete, atomic and verifiable."""

import hashlib
import json
import subprocess

import pytest

from medmij_conformance import data_path
from medmij_conformance.report import read_run, write

FORMATS = ("results.json", "report.html", "junit.xml", "testreport.json", "evidence.har", "summary.md")


@pytest.fixture
def directory(example, tmp_path):
    """The directory of a finished run, with every format."""
    write.write_all(example(tmp_path).end(), tmp_path)
    return tmp_path


def test_every_format_is_written_and_then_the_manifest(example, tmp_path) -> None:
    """The formats come first, the manifest last, and nothing unfinished stays behind."""
    written = write.write_all(example(tmp_path).end(), tmp_path)
    assert [path.name for path in written] == [*FORMATS, "manifest.json"]
    assert {path.name for path in tmp_path.iterdir()} == {*FORMATS, "evidence.jsonl", "manifest.json"}


def test_the_manifest_has_the_digest_of_every_other_file(directory) -> None:
    """SHA-256 of the journal and each format, in hexadecimal, but not of the manifest itself."""
    files = json.loads((directory / "manifest.json").read_text())["files"]
    assert files == {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in ("evidence.jsonl", *FORMATS)}


def test_the_manifest_says_what_the_run_was_made_with(directory) -> None:
    """Tool, Python, OpenSSL, the folders of data and the fingerprint of the target are in the manifest."""
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["tool"] == {"name": "medmij-conformance", "version": "0.1.0"}
    assert manifest["target"]["fingerprint"] == "0f" * 32
    assert manifest["written_with"]["openssl"].startswith("OpenSSL")
    assert set(manifest["trees"]) == {"features", "steps", "fixtures"}


def test_rebuilding_gives_the_same_files(directory) -> None:
    """Every format written again from the journal alone is the same to the octet."""
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    write.write_all(read_run(directory), directory)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_an_untouched_directory_has_no_problems(directory) -> None:
    """What was just written verifies."""
    assert write.verify(directory) == []


@pytest.mark.parametrize("name", ["evidence.jsonl", *FORMATS])
def test_one_changed_octet_is_found(directory, name: str) -> None:
    """A change in any file of the manifest is told with the name of the file."""
    content = (directory / name).read_bytes()
    (directory / name).write_bytes(content.replace(b"plain", b"plaim", 1))
    assert [problem.partition(":")[0] for problem in write.verify(directory)] == [name]


def test_a_missing_file_is_found(directory) -> None:
    """A file that the manifest lists but that is gone is told."""
    (directory / "junit.xml").unlink()
    assert write.verify(directory) == ["junit.xml: missing"]


def test_a_manifest_that_keeps_silent_about_a_file_is_found(directory) -> None:
    """Leaving the journal out of the manifest does not hide a change in it."""
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["files"]["evidence.jsonl"]
    path.write_text(json.dumps(manifest))
    assert write.verify(directory) == ["manifest.json: does not list evidence.jsonl"]


@pytest.mark.parametrize("name", ["../elsewhere", "/etc/hostname", "link"])
def test_a_manifest_cannot_point_outside(directory, tmp_path_factory, name: str) -> None:
    """A manifest of somebody else makes us read nothing outside its directory."""
    secret = tmp_path_factory.mktemp("other") / "secret"
    secret.write_text("x")
    (directory / "link").symlink_to(secret)
    path = directory / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = "0"
    path.write_text(json.dumps(manifest))
    assert write.verify(directory) == [f"{name}: lies outside the directory"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": []}', "\x00"])
def test_no_manifest_is_a_problem_and_no_crash(directory, content: str) -> None:
    """Whatever stands in the place of a manifest, the answer is one problem that names it."""
    (directory / "manifest.json").write_text(content)
    (problem,) = write.verify(directory)
    assert problem.startswith("manifest.json: not the manifest of a run")


def test_results_that_break_the_schema_are_found(directory) -> None:
    """Results with the right digest but against the schema are told with the place."""
    path = directory / "results.json"
    data = json.loads(path.read_text())
    data["verdict"] = "conformant"
    path.write_text(json.dumps(data))
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["files"]["results.json"] = write.digest(path)
    (directory / "manifest.json").write_text(json.dumps(manifest))
    (problem,) = write.verify(directory)
    assert problem.startswith("results.json: $.verdict: ")


def test_the_digest_of_a_tree_is_what_common_tools_compute() -> None:
    """Anybody can compute the digest of a folder with find, sort and sha256sum."""
    command = "find . -type f -not -path '*/__pycache__/*' -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum"
    root = data_path("fixtures")
    found = subprocess.run(["sh", "-c", command], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.split()[0] == write.tree_digest(root)


def test_compiled_python_does_not_change_the_digest_of_a_tree(tmp_path) -> None:
    """A folder has the same digest before and after its modules were imported; a changed name changes it."""
    (tmp_path / "step.py").write_text("x = 1")
    before = write.tree_digest(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "step.cpython-311.pyc").write_bytes(b"x")
    assert write.tree_digest(tmp_path) == before
    (tmp_path / "step.py").rename(tmp_path / "other.py")
    assert write.tree_digest(tmp_path) != before
