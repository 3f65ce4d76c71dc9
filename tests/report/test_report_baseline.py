"""A baseline changes the exit code of a run, never an outcome, and must itself be true."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance.report import results, summary
from medmij_conformance.report.baseline import Assessment, BaselineError, Known, as_record, assess, load

TODAY = date(2026, 12, 1)
FACTS = {"reason": "not built yet", "owner": "team token", "expires": "2026-12-31"}


def known(check: str, **changes: str) -> Known:
    """An entry that is in order, with these changes."""
    return Known(check=check, **{**FACTS, **changes})


@pytest.fixture
def beside(example) -> Callable[..., Assessment]:
    """Assesses a run with one failure, one warning, one check not tested and one error of ours beside these entries."""

    def assessed(*entries: Known, whole: bool = True, drop: tuple[str, ...] = ("ours",)) -> Assessment:
        book = example()
        book.evidence.write("baseline", **as_record(Path("known.toml"), entries, TODAY, whole=whole))
        records = [r for r in book.evidence.records if r["type"] != "judgement" or r["scenario"] not in drop]
        for record in records:
            if record["type"] == "plan":
                record["requirements"]["APP.7"]["planned"] = "ours" not in drop
                record["scenarios"] = [row for row in record["scenarios"] if row["id"] not in drop]
        book.evidence.records[:] = records
        run = book.end()
        assert run.counts()["fail"] == 1  # whatever the baseline says
        assert results.validate(results.to_dict(run)) == []
        found = assess(run)
        assert found
        return found

    return assessed


FAILURE = known("code_works_once")
OPEN = known("list_is_read_again", outcome="not_tested")


def test_a_run_without_a_baseline_has_no_assessment(example) -> None:
    """No baseline, nothing to say."""
    assert assess(example().end()) is None


@pytest.mark.parametrize(
    ("entries", "verdict", "code"),
    [
        ((), "fail", 1),
        ((FAILURE,), "undecided", 3),
        ((OPEN,), "fail", 1),
        ((FAILURE, OPEN), "pass", 0),
        ((known("code_works_once", scenario="twice"), OPEN), "pass", 0),
    ],
)
def test_what_is_known_is_left_out(beside, entries: tuple[Known, ...], verdict: str, code: int) -> None:
    """The exit code is that of the verdict over everything that is not known."""
    found = beside(*entries)
    assert (found.verdict, found.exit_code, found.problems) == (verdict, code, ())


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (known("code_works_once", expires="2026-11-30"), "expired on 2026-11-30"),
        (known("token_is_issued"), "stale: it is pass now"),
        (known("code_works_once", outcome="not_tested"), "stale: it is fail now"),
        (known("code_works_once", scenario="good"), "unmatched"),
        (known("judge_trips"), "unmatched"),
    ],
)
def test_a_baseline_out_of_date_fails(beside, entry: Known, problem: str) -> None:
    """An entry that has expired, that no longer happens or that fits nothing is a failure, whatever else is known."""
    found = beside(FAILURE, OPEN, entry)
    assert found.exit_code == 1
    assert problem in found.problems[0]


def test_an_expired_entry_excuses_nothing(beside) -> None:
    """After its last day a deviation counts again; on that day it does not."""
    assert beside(known("code_works_once", expires="2026-11-30"), OPEN).verdict == "fail"
    assert beside(known("code_works_once", expires="2026-12-01"), OPEN).verdict == "pass"


def test_a_part_of_the_plan_leaves_other_entries_alone(beside) -> None:
    """With --only most checks do not run, which makes their entries neither stale nor unmatched."""
    assert beside(FAILURE, OPEN, known("judge_trips"), whole=False).exit_code == 0


def test_our_own_errors_are_never_excused(beside) -> None:
    """An error of the harness stays one."""
    found = beside(FAILURE, OPEN, drop=())
    assert (found.verdict, found.exit_code) == ("error", 4)


def test_an_interrupted_run_is_not_excused(example) -> None:
    """What was not seen cannot be known."""
    book = example()
    book.evidence.write("baseline", **as_record(Path("known.toml"), (FAILURE, OPEN), TODAY, whole=True))
    assert assess(book.run()).exit_code == 4


def test_the_summary_says_so(example) -> None:
    """A reader of the summary sees that the exit code leans on a baseline."""
    book = example()
    book.evidence.write("baseline", **as_record(Path("known.toml"), (FAILURE,), TODAY, whole=True))
    assert "beside the baseline known.toml" in summary.render(book.end()).decode().replace("\\", "")


ENTRY = """
[[known]]
check = "code_works_once"
reason = "not built yet"
owner = "team token"
expires = 2026-12-31
link = "https://tracker.example.nl/7"
"""


def test_a_file_is_read(tmp_path: Path) -> None:
    """Dates may be TOML dates; what may be left out has a default."""
    file = tmp_path / "known.toml"
    file.write_text(ENTRY)
    assert load(file) == (known("code_works_once", link="https://tracker.example.nl/7"),)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("check = ", "chek = "), r"known\[1\]\.chek: unknown; expected one of check,"),
        (('"code_works_once"', '"code_works_never"'), r"known\[1\]\.check: 'code_works_never' is no check"),
        (('owner = "team token"', ""), r"known\[1\]\.owner: missing; expected who ends it"),
        (('"not built yet"', '" "'), r"known\[1\]\.reason: missing; expected why"),
        (("expires = 2026-12-31", 'expires = "soon"'), r"known\[1\]\.expires: 'soon'; expected the last day"),
        (("expires = 2026-12-31", "expires = 7"), r"known\[1\]\.expires: 7; expected text"),
        (("link", "outcome"), r"known\[1\]\.outcome: 'https.*'; expected one of fail, not_tested, review"),
        (("[[known]]", "[[unknown]]"), "unknown: unknown; expected tables"),
        (("[[known]]", "[known]"), "expected tables"),
        (("[[known]]", "[[known"), "expected a TOML file"),
        (("[[known]]", "known = [7]\n[x]"), "expected tables"),
    ],
)
def test_a_wrong_file_is_told_by_its_field(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    """A mistake names file, entry, field and what was expected."""
    file = tmp_path / "known.toml"
    file.write_text(ENTRY.replace(*change))
    with pytest.raises(BaselineError, match=message) as caught:
        load(file)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """So is one that cannot be read."""
    with pytest.raises(BaselineError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


def test_types_of_entries(tmp_path: Path) -> None:
    """An entry that is no table is told."""
    file: Any = tmp_path / "known.toml"
    file.write_text("known = [7]")
    with pytest.raises(BaselineError, match="expected a table"):
        load(file)
