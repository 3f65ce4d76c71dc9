"""The words of a report: nothing hidden in foreign text, and commands that can be pasted."""

import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmij_conformance.report.text import LABELS, excerpt, reasons, repeat_command, visible
from medmij_conformance.verdict import Outcome


@given(st.text(st.characters()))
def test_nothing_hidden_stays_hidden(text: str) -> None:
    """A text made visible holds only printable characters, line ends and tabs, and stays the same when done twice."""
    shown = visible(text)
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    assert visible(shown) == shown
    assert visible(text, lines=False).isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("abc\u202etxt.exe", "abc⟨U+202E⟩txt.exe"),
        ("\x1b[2J", "⟨U+001B⟩[2J"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\xa0b", "a⟨U+00A0⟩b"),
        ("\ud800", "⟨U+D800⟩"),
        ("één\r\ntwee\tdrie", "één\ntwee\tdrie"),
        ("a\rb", "a⟨U+000D⟩b"),
    ],
)
def test_a_hidden_character_is_shown_by_its_number(text: str, shown: str) -> None:
    """Direction marks, escapes, invisible spaces and lone surrogates show; letters, tabs and line ends stay."""
    assert visible(text) == shown


def test_a_line_end_in_a_header_shows() -> None:
    """In a single line a line end cannot pretend that the next line begins."""
    assert visible("a\r\nb", lines=False) == "a⟨U+000D⟩⟨U+000A⟩b"


def test_an_excerpt_says_what_is_left_out() -> None:
    """A long text is cut with the number of characters that are missing; a short one is left alone."""
    assert excerpt("abcdef", 4) == "abcd … (2 more characters)"
    assert excerpt("abcd", 4) == "abcd"


def test_every_outcome_has_a_word() -> None:
    """No outcome is shown without a label, and no two have the same one."""
    assert set(LABELS) == set(Outcome)
    assert len(set(LABELS.values())) == len(LABELS)


@pytest.mark.parametrize(
    ("command", "repeated"),
    [
        ("medmij-conformance run t.toml", "medmij-conformance run t.toml --only 'P&I.1' --seed 7"),
        ("m run t.toml --only APP.1 --seed 3 --report-dir out", "m run t.toml --only 'P&I.1' --seed 7"),
        ("m run t.toml --only=APP.1 --plan full", "m run t.toml --plan full --only 'P&I.1' --seed 7"),
        ("m run 'my target.toml'", "m run 'my target.toml' --only 'P&I.1' --seed 7"),
        ("m run 'unbalanced", ""),
        ("", ""),
    ],
)
def test_the_command_repeats_one_requirement_with_the_same_seed(example, command: str, repeated: str) -> None:
    """Earlier choices of requirements, seed and directory make way; an id with a shell character is quoted."""
    run = replace(example().end(), command=command)
    assert repeat_command(run, ["P&I.1", "P&I.1"]) == repeated
    assert shlex.split(repeat_command(run, ["P&I.1"]))[-3:-2] in ([], ["P&I.1"])


def test_a_requirement_that_was_not_tested_has_a_reason(example) -> None:
    """The reason is that of the plan, else of the check that could not judge; there is always one."""
    results = {result.requirement.id: result for result in example().end().requirements}
    assert reasons(results["APP.11a"]) == ("the hook reload_lists is not configured",)
    assert reasons(results["APP.1"]) == ("not in the quick plan",)
    assert all(reasons(result) for result in results.values())
