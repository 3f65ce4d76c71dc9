"""How a report words things for people, the same in every format: outcomes, foreign text, commands to repeat."""

import re
import shlex
from collections.abc import Iterable, Mapping

from medmij_conformance.report.run import RequirementResult, Run
from medmij_conformance.verdict import Outcome

LABELS: Mapping[Outcome, str] = {
    Outcome.PASS: "Pass",
    Outcome.ATTESTED: "Attested",
    Outcome.WARNING: "Warning",
    Outcome.NOT_APPLICABLE: "Not applicable",
    Outcome.REVIEW: "For review",
    Outcome.NOT_TESTED: "Not tested",
    Outcome.FAIL: "Fail",
    Outcome.ERROR: "Harness error",
}
"""Outcome -> the words that readers see."""

_DOUBTFUL = re.compile(r"[^\t\n -~]")
_DOUBTFUL_IN_LINE = re.compile(r"[^ -~]")
_NOT_REPEATED = {"--only", "--seed", "--report-dir", "--continue"}


def visible(text: str, *, lines: bool = True) -> str:
    """``text`` in which nothing hides: control, direction and invisible characters become ``⟨U+202E⟩`` and the like.

    Line ends and tabs stay, unless ``lines`` is false: in a header a line end would look like one more header.
    """
    if text.isascii() and text.isprintable():  # nearly every text, and quicker than to search it
        return text
    if lines:
        return _DOUBTFUL.sub(_shown, text.replace("\r\n", "\n"))
    return _DOUBTFUL_IN_LINE.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    character = match.group()
    return character if character.isprintable() else f"⟨U+{ord(character):04X}⟩"


def excerpt(text: str, limit: int) -> str:
    """The start of ``text``, and how much was left out."""
    rest = len(text) - limit
    return text if rest <= 0 else f"{text[:limit]} … ({rest} more characters)"


def repeat_command(run: Run, requirements: Iterable[str] = ()) -> str:
    """The command line that repeats a run with the same seed, for some requirements only; empty when it is not known.

    Options that choose other scenarios, or the directory that this run filled, are left out.
    """
    try:
        words = shlex.split(run.command)
    except ValueError:
        words = []
    if not words:
        return ""
    kept = []
    drop_next = False
    for word in words:
        name, equals, _ = word.partition("=")
        if not drop_next and name not in _NOT_REPEATED:
            kept.append(word)
        drop_next = not drop_next and name in _NOT_REPEATED and not equals
    only = [option for requirement in dict.fromkeys(requirements) for option in ("--only", requirement)]
    return shlex.join([*kept, *only, "--seed", str(run.seed)])


def reasons(result: RequirementResult) -> tuple[str, ...]:
    """Why a requirement has no judgement: what the plan or the target file says, else what its checks met."""
    if result.reason:
        return (result.reason,)
    found = dict.fromkeys(v.observed for v in result.verdicts if v.outcome is result.outcome)
    return tuple(found) or ("no scenario of this run shows it",)
