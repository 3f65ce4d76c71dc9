"""The pipelines that we offer do what they say: their quick command runs as it stands, with another target only."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


# --- their shape ---

_KEY = re.compile(r"([\w.$-]+):(?: +(.*))?$")
_PLAIN = re.compile(r"[\w.$/][^#]*$")


class NotYamlError(ValueError):
    """The text is no YAML, or more of it than these files need."""


def yaml(text: str) -> Any:
    """The data of a YAML document of block mappings, block sequences and scalars, which are texts here, or lists of them.

    Stricter than YAML: what could be read in two ways is refused, so whatever passes is read alike everywhere.
    """
    lines = [
        (number, len(line) - len(line.lstrip(" ")), line.strip(" "))
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip(" ") and not line.lstrip(" ").startswith("#")
    ]
    value, rest = _node(lines)
    if rest:
        raise NotYamlError(f"line {rest[0][0]}: does not belong there")
    return value


Lines = list[tuple[int, int, str]]


def _node(lines: Lines) -> tuple[Any, Lines]:
    """The mapping or sequence that begins the lines, and the lines after it."""
    depth = lines[0][1]
    found: Any = [] if lines[0][2].startswith("- ") else {}
    while lines and lines[0][1] == depth:
        number, _, content = lines[0]
        if isinstance(found, list):
            if not content.startswith("- "):
                raise NotYamlError(f"line {number}: a key beside items")
            inner = content[2:]
            if _KEY.match(inner):  # an item that is a mapping: its first key stands two columns further
                value, lines = _node([(number, depth + 2, inner), *lines[1:]])
            else:
                value, lines = _scalar(number, inner), lines[1:]
            found.append(value)
            continue
        pair = _KEY.match(content)
        if pair is None or pair[1] in found:
            raise NotYamlError(f"line {number}: no key, or one that stands twice")
        lines = lines[1:]
        if pair[2]:
            found[pair[1]] = _scalar(number, pair[2])
        elif lines and lines[0][1] > depth:
            found[pair[1]], lines = _node(lines)
        else:
            found[pair[1]] = ""
    if lines and lines[0][1] > depth:
        raise NotYamlError(f"line {lines[0][0]}: stands too deep")
    return found, lines


def _scalar(number: int, text: str) -> Any:
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(number, part.strip()) for part in text[1:-1].split(",")]
    if quoted := re.fullmatch(r'"([^"\\]*)"', text):
        return quoted[1]
    if not _PLAIN.match(text) or ": " in text or text.endswith(":") or "\t" in text:
        raise NotYamlError(f"line {number}: {text!r} would have to be quoted")
    return text


@pytest.mark.parametrize(
    "wrong",
    [
        "a: 1\na: 2\n",
        "a:\n  b: 1\n   c: 2\n",
        "a: b: c\n",
        "- a\nb: c\n",
        "a: {b: c}\n",
        "a: *b\n",
        "a\n",
        "a: 1 # x\n",
        "a:\n\t- b\n",
    ],
)
def test_the_reader_of_these_tests_refuses_what_it_does_not_know(wrong: str) -> None:
    """So that a file that passes is YAML."""
    with pytest.raises(NotYamlError):
        yaml(wrong)


@pytest.fixture
def gitlab() -> Any:
    return yaml((CI / "gitlab-ci.yml").read_text(encoding="utf-8"))


@pytest.fixture
def github() -> Any:
    return yaml((CI / "github-actions.yml").read_text(encoding="utf-8"))


def test_gitlab_is_quick_on_push_and_full_at_night(gitlab: Any) -> None:
    """One job each, which differ in the event and the plan; a full plan has the time that it takes."""
    jobs = {name: job for name, job in gitlab.items() if not name.startswith(".")}
    assert set(jobs) == {"quick", "full"}
    events = {"quick": "push", "full": "schedule"}
    for name, job in jobs.items():
        assert job["rules"] == [{"if": f'$CI_PIPELINE_SOURCE == "{events[name]}"'}]
        (line,) = job["script"]
        assert f"--plan {name} " in line
        assert job["extends"] == ".conformance"
        assert set(job) <= {"rules", "script", "extends", "timeout"}  # nothing takes back what both have in common
    assert jobs["full"]["timeout"] == "2h"


def test_gitlab_keeps_artefacts_and_allows_undecided_alone(gitlab: Any) -> None:
    """Also after a failure; exit code 3 is a warning, and every other one but 0 fails."""
    common = gitlab[".conformance"]
    assert common["allow_failure"] == {"exit_codes": ["3"]}
    assert common["artifacts"] == {"when": "always", "paths": ["report/"], "reports": {"junit": "report/junit.xml"}}
    assert all("--report-dir report" in gitlab[name]["script"][0] for name in ("quick", "full"))
    assert all("||" not in gitlab[name]["script"][0] for name in ("quick", "full"))


def test_github_is_quick_on_push_and_full_at_night(github: Any) -> None:
    """One step each, of which exactly one runs; the night is a time of every day; a full plan has the time that it takes."""
    assert set(github["on"]) == {"push", "schedule"}
    ((_, cron),) = github["on"]["schedule"][0].items()
    minute, hour, *days = cron.split()
    assert days == ["*", "*", "*"]
    assert minute.isdigit()
    assert 0 <= int(hour) < 6
    assert int(github["jobs"]["conformance"]["timeout-minutes"]) >= 30
    told = {step["if"]: step["run"] for step in _steps(github) if "medmij-conformance run" in step.get("run", "")}
    assert set(told) == {"github.event_name == 'push'", "github.event_name == 'schedule'"}
    assert "--plan quick " in told["github.event_name == 'push'"]
    assert "--plan full " in told["github.event_name == 'schedule'"]


def test_github_keeps_artefacts_after_a_failure(github: Any) -> None:
    """The last step takes the whole directory that the runs write."""
    *_, last = _steps(github)
    assert last["if"] == "always()"
    assert last["uses"].startswith("actions/upload-artifact@")
    assert last["with"]["path"] == "report/"
    assert all("--report-dir report " in line for line in commands("github-actions.yml").values())


def _steps(github: Any) -> Iterator[Any]:
    yield from github["jobs"]["conformance"]["steps"]


@pytest.mark.parametrize("plan", ["quick", "full"])
@pytest.mark.parametrize(("code", "passes"), [(0, True), (1, False), (2, False), (3, True), (4, False)])
def test_github_passes_what_is_allowed_and_nothing_else(plan: str, code: int, passes: bool, tmp_path: Path) -> None:
    """By the shell that GitHub uses, with a command that ends so."""
    program = tmp_path / "medmij-conformance"
    program.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
    program.chmod(0o755)
    shell = ["bash", "-e", "-c", commands("github-actions.yml")[plan]]
    done = subprocess.run(shell, cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, timeout=30, check=False)
    assert (done.returncode == 0) is passes
