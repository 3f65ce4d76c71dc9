"""What the documentation says is true: generated pages are current, links lead somewhere, commands exist."""

import re
import runpy
from pathlib import Path

import pytest

from medmij_conformance.cli import main
from medmij_conformance.verdict import EXIT_CODES, Outcome

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]


def test_the_page_of_the_target_file_is_current() -> None:
    """``docs/target-file.md`` is what ``make docs`` writes."""
    rendered = runpy.run_path(str(ROOT / "docs" / "render.py"))["render"]()
    assert rendered == (ROOT / "docs" / "target-file.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file of the repository."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    """Every command that a page names is a command, with options that it has."""
    for name, rest in re.findall(r"medmij-conformance ([a-z][a-z-]*)([^`\n]*)", page.read_text(encoding="utf-8")):
        assert name in main.commands, f"{page.name}: {name}"
        options = {option for parameter in main.commands[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, f"{page.name}: {name}{rest}"


def test_every_command_is_documented() -> None:
    """Every command has help, and some page names it."""
    said = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name, command in main.commands.items():
        assert command.help, name
        assert re.search(rf"`(?:medmij-conformance )?{name}\b|medmij-conformance {name}\b", said), name


def test_outcomes_and_exit_codes_are_documented() -> None:
    """Every outcome and every exit code stands in a table."""
    verdicts = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"| `{outcome.value}` |" in verdicts for outcome in Outcome)
    assert all(f"| {code} | {verdict}" in readme for verdict, code in EXIT_CODES.items() if verdict != "error")
