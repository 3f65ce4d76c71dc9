"""The directory of a run: every format, and a manifest by which a reader can see that nothing changed since."""

import hashlib
import json
import platform
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl import backend

from medmij_conformance import __version__, data_path
from medmij_conformance.report import har, html, junit, results, summary, testreport
from medmij_conformance.report.run import JOURNAL, Run

MANIFEST = "manifest.json"
SIGNATURE = "manifest.json.p7s"

TREES = ("features", "steps", "fixtures")
"""The folders that say what was tested and how: sentences, their meaning, catalogue, readings and releases."""

_FORMATS = {module.NAME: module.render for module in (results, html, junit, testreport, har, summary)}


def write_all(run: Run, directory: Path) -> list[Path]:
    """Write every format of ``run`` and then the manifest. Returns the files, in the order of writing.

    A file is either the old one or the new one, also when this process dies halfway.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = [_write(directory / name, render(run)) for name, render in _FORMATS.items()]
    return [*written, _write(directory / MANIFEST, _json(manifest(run, directory)))]


def manifest(run: Run, directory: Path) -> dict[str, Any]:
    """What the manifest says: the digest of every file in ``directory`` and what they were made with."""
    return {
        "tool": dict(run.tool),
        "target": {"name": run.target.get("name"), "fingerprint": run.target.get("fingerprint")},
        "verdict": run.verdict,
        "complete": run.complete,
        "written_with": {
            "medmij-conformance": __version__,
            "python": platform.python_version(),
            "openssl": ssl.OPENSSL_VERSION,
            "openssl of cryptography": backend.openssl_version_text(),
        },
        "trees": {name: tree_digest(data_path(name)) for name in TREES},
        "files": {path.relative_to(directory).as_posix(): digest(path) for path in _files(directory)},
    }


def verify(directory: Path) -> list[str]:
    """What is wrong with the directory of a run; empty when every file is as its manifest says."""
    try:
        files = _read_json(directory / MANIFEST)["files"]
        items = sorted(files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"{MANIFEST}: not the manifest of a run ({type(error).__name__}: {error})"]
    missing = [f"{MANIFEST}: does not list {name}" for name in (*_FORMATS, JOURNAL) if name not in files]
    changed = [problem for name, expected in items if (problem := _file_problem(directory, name, expected))]
    return [*missing, *changed, *_results_problems(directory)]


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(root: Path) -> str:
    """SHA-256 over the digests and names of all files of a tree; compiled Python does not count.

    In a clean checkout it is what these commands give:
    ``find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum``.
    """
    names = sorted(
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    )
    lines = (f"{digest(root / name)}  {name}\n" for name in names)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _files(directory: Path) -> Iterator[Path]:
    # The signature is made over the manifest, so neither can stand in it; hidden files are unfinished ones.
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory)
        hidden = any(part.startswith(".") for part in name.parts)
        if path.is_file() and not path.is_symlink() and not hidden and str(name) not in {MANIFEST, SIGNATURE}:
            yield path


def _file_problem(directory: Path, name: str, expected: str) -> str:
    path = directory / name
    # A manifest comes from others: it must not make us read what lies elsewhere.
    if not path.resolve().is_relative_to(directory.resolve()):
        return f"{name}: lies outside the directory"
    if not path.is_file():
        return f"{name}: missing"
    if (found := digest(path)) != expected:
        return f"{name}: changed since the manifest was written (SHA-256 {found}, the manifest says {expected})"
    return ""


def _results_problems(directory: Path) -> list[str]:
    path = directory / results.NAME
    if not path.is_file():
        return []  # told already
    try:
        data = _read_json(path)
    except ValueError as error:
        return [f"{results.NAME}: not JSON ({error})"]
    return [f"{results.NAME}: {problem}" for problem in results.validate(data)]


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _json(data: Mapping[str, Any]) -> bytes:
    return f"{json.dumps(data, ensure_ascii=False, indent=1)}\n".encode(errors="backslashreplace")


def _write(path: Path, content: bytes) -> Path:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    return unfinished.replace(path)
