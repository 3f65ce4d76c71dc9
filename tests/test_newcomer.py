"""What a newcomer is told when something between the harness and a sound gateway is not right yet: in one line, what it is."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance import workspace
from medmij_conformance.pki import hierarchy
from medmij_conformance.target import Target


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A running reference with a login page of its own, and the target file that fits it."""
    target, reference = workspace.SIMPLER["dvza"](tmp_path_factory.mktemp("newcomer"))
    try:
        yield target
    finally:
        reference.stop()


Change = Callable[[str], str]
# What is not right yet -> how the target file comes to it, and what the line says.
TROUBLES: dict[str, tuple[Change, str]] = {
    "nobody listens at the address": (
        lambda text: re.sub(r'(\.test:443" = "127\.0\.0\.1:)\d+', r"\g<1>1", text),
        r"the person could not log in: connect: connection refused",
    ),
    "the gateway's authority is not trusted": (
        lambda text: text.replace('ca = ["pki/ca.pem"]', 'ca = ["another.pem"]'),
        r"tls: the server certificate is not accepted: ",
    ),
    "the page of the recipe is another": (
        lambda text: text.replace('page = "form#login"', 'page = "form#aanmelden"'),
        r"no action of the intent 'log in' recognises the page 'Log in'",
    ),
    "the button of the recipe is another": (
        lambda text: text.replace('press = "button[value=login]"', 'press = "button[value=inloggen]"'),
        r"the person could not log in: log in: nothing on the page matches 'button\[value=inloggen\]'",
    ),
    "the gateway does not know our certificate": (
        lambda text: text.replace(
            'certificate = "pki/harness.pem"\nkey = "pki/harness.key"', 'certificate = "own.pem"\nkey = "own.key"'
        ),
        r"no token was issued that could be used \(token request: tls: ",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_the_first_thing_that_is_wrong_is_told(trouble: str, sound: Target, medmij: Any, tmp_path: Path) -> None:
    """The run is undecided, no requirement fails, and one line says what to look at."""
    change, said = TROUBLES[trouble]
    folder = sound.path.parent
    elsewhere = hierarchy()
    (folder / "another.pem").write_bytes(elsewhere.root.certificate_pem)
    elsewhere.tsp.issue(workspace.HARNESS).write(folder, "own")
    text = sound.path.read_text(encoding="utf-8")
    assert change(text) != text
    file = folder / "changed.toml"
    file.write_text(change(text), encoding="utf-8")
    done = medmij("run", file, "--only", "APP.12b", "--report-dir", tmp_path / "report")
    assert done.returncode == 3, done.stderr
    (line,) = re.findall(r"^first not tested: happy-flow: (.*)$", done.stderr, re.MULTILINE)
    assert re.search(said, line), line
    assert not re.search(r"^fail ", done.stderr, re.MULTILINE)


def test_nothing_is_told_when_nothing_is_wrong(sound: Target, medmij: Any, tmp_path: Path) -> None:
    """A run that passes has no such line."""
    done = medmij("run", sound.path, "--only", "APP.12b", "--report-dir", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    assert "first not tested" not in done.stderr
