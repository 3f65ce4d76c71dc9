"""Every command of the documentation works: the ``sh`` blocks of a page run in order, in a folder of their own, as a reader would.

A block is marked by a comment in the line before it:

* ``<!-- not run: REASON -->``: it is not run. Each of these stands in ``NOT_RUN`` too, with its reason.
* ``<!-- write to: FILE -->``, of any other block: it is written there first.
* ``<!-- in: the example -->``: it runs in a copy of the sources with the example of that page in it.

A line may end with ``# exit N``: the exit code that it has to have, if not 0.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
EXAMPLE = "the example"
WORKED = "docs/writing-a-scenario.md"
SOURCES = ("medmij_conformance", "features", "steps", "fixtures")
LONGEST_S = 300

# Page -> why, for each block that is not run. Who adds one says why it cannot be run here.
NOT_RUN: Mapping[str, tuple[str, ...]] = {
    "README.md": ("tests both references whole, which takes two minutes; the commands that it gives are in other tests",),
    "docs/getting-started.md": ("installs a package of the system, which needs root; from a checkout, install '.[browser]'",),
    "docs/registratie.md": ("takes 26 hours, and needs a Stelselnode of another maker",),
    "docs/writing-a-scenario.md": (
        "takes half a minute, and the test of the kill matrix does the same for every deviation there is",
    ),
}

_BLOCK = re.compile(
    r"(?:^<!--\s*(?P<mark>[^\n]*?)\s*-->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A block of code of a page, with the mark before it."""

    language: str
    mark: str
    text: str

    @property
    def reason(self) -> str:
        """Why it is not run; empty when it is."""
        return self.mark.removeprefix("not run:").strip() if self.mark.startswith("not run:") else ""


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in their order."""
    found = _BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(each["language"], each["mark"] or "", each["text"]) for each in found]


def commands(text: str) -> Iterator[tuple[str, int]]:
    """The commands of a block with their exit codes; a line that ends with a backslash goes on."""
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            expected = re.search(r"#\s*exit (\d+)\b.*$", line)
            yield line, int(expected[1]) if expected else 0


def script(page_blocks: list[Block]) -> str:
    """What the shell runs: every command, stopping at the first that ends in another way than it says."""
    lines = ['fail() { echo "exit $1 instead of $2: $3" >&2; exit 99; }']
    for block in page_blocks:
        for command, expected in commands(block.text):
            quoted = command.replace("'", "'\\''")
            lines += [command.rstrip(), f"code=$?; [ $code -eq {expected} ] || fail $code {expected} '{quoted}'"]
    return "\n".join(lines) + "\n"


def _run(text: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        ["sh", "-c", text],
        cwd=folder,
        env={**surroundings, "PATH": path, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )


def _is_run(block: Block) -> bool:
    return block.language == "sh" and not block.reason and block.mark != f"in: {EXAMPLE}"


RUN = {name: [block for block in blocks(path) if _is_run(block)] for name, path in PAGES.items()}


def _as_a_reader(name: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a page in a folder that holds nothing but the environment of the harness and the sample that the documentation ships."""
    shutil.copytree(ROOT / "docs" / "examples", folder / "docs" / "examples")
    (folder / ".venv").symlink_to(sys.prefix)
    for block in blocks(PAGES[name]) if name != WORKED else []:
        if block.mark.startswith("write to: "):
            file = folder / block.mark.removeprefix("write to: ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, encoding="utf-8")
    return _run(script(RUN[name]), folder)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, "subprocess.CompletedProcess[str]"]:
    """Every page with commands, two at a time: most of their time goes into starting programs."""
    names = [name for name, found in RUN.items() if found]
    folders = [tmp_path_factory.mktemp(Path(name).stem) for name in names]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(_as_a_reader, names, folders), strict=True))


@pytest.mark.parametrize("name", [name for name, found in RUN.items() if found])
def test_the_commands_of_a_page_work(name: str, read: Mapping[str, "subprocess.CompletedProcess[str]"]) -> None:
    """In their order, each with the exit code that the page says."""
    done = read[name]
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_what_is_not_run_says_why() -> None:
    """Every block that is left out is listed above with its reason, which is more than a word."""
    found = {name: tuple(block.reason for block in blocks(path) if block.reason) for name, path in PAGES.items()}
    assert {name: reasons for name, reasons in found.items() if reasons} == NOT_RUN
    assert all(len(reason.split()) > 3 for reasons in NOT_RUN.values() for reason in reasons)


@pytest.mark.parametrize("name", PAGES)
def test_no_command_hides_in_another_kind_of_block(name: str) -> None:
    """Commands stand in ``sh`` blocks, so that none is left out unseen; marks are known ones."""
    for block in blocks(PAGES[name]):
        assert block.language not in {"", "console", "bash", "shell", "zsh", "terminal"}, block.text
        assert re.match(r"$|not run: |in: the example$|(append|write) to: ", block.mark), block.mark


@pytest.mark.parametrize("name", PAGES)
def test_no_command_needs_more_than_a_user_has(name: str) -> None:
    """What is run needs no root, no container and no port below 1024."""
    for block in RUN[name]:
        assert not re.search(r"\b(sudo|docker|podman|su)\b", block.text)
        assert all(int(port) >= 1024 for port in re.findall(r":(\d{2,5})\b", block.text))


def test_a_command_that_fails_is_seen(tmp_path: Path) -> None:
    """The harness of these tests can fail: by another exit code, and by one that was expected and did not come."""
    assert _run(script([Block("sh", "", "true\nfalse # exit 1\n")]), tmp_path).returncode == 0
    assert "exit 1 instead of 0: false" in _run(script([Block("sh", "", "true\nfalse\ntrue\n")]), tmp_path).stderr
    assert _run(script([Block("sh", "", "true # exit 3: nobody is there\n")]), tmp_path).returncode == 99


# --- the worked example ---


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources with the blocks of the page on scenarios in their places."""
    folder = tmp_path_factory.mktemp("example")
    for name in SOURCES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    marks = []
    for block in blocks(PAGES["docs/writing-a-scenario.md"]):
        how, _, place = block.mark.partition(" to: ")
        if place:
            file = folder / place
            marks.append(file.suffix if how == "write" else file.parent.name)
            before = "" if how == "write" else f"{file.read_text(encoding='utf-8')}\n\n"
            file.write_text(before + block.text, encoding="utf-8")
    assert marks == ["dvza_deviations", "checks", "steps", ".feature"]
    return folder


def test_the_worked_example_works(example: Path) -> None:
    """Green against the conformant reference, red against the deviation, by the new check alone, as the page says."""
    page = [block for block in blocks(PAGES["docs/writing-a-scenario.md"]) if block.mark == f"in: {EXAMPLE}"]
    where = _run("python -c 'import medmij_conformance; print(medmij_conformance.__file__)'", example, PYTHONPATH=str(example))
    assert where.stdout.startswith(str(example))
    done = _run(script(page), example, PYTHONPATH=str(example))
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "worse  dressed_up_code_is_refused in dressed-up-code (APP.12b): pass -> fail" in done.stdout
    assert "1 checks have another outcome" in done.stderr


def test_the_blocks_of_the_worked_example_keep_the_rules_of_the_house(example: Path) -> None:
    """They are formatted and checked as everything else is."""
    shutil.copy(ROOT / "pyproject.toml", example)
    places = ["steps/pgo.py", "medmij_conformance/checks/token.py", "medmij_conformance/reference/dvza_deviations/tokens.py"]
    for command in (("check", *places), ("format", "--check", *places)):
        done = subprocess.run(
            [Path(sys.executable).with_name("ruff"), *command], cwd=example, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
