"""A PGO gateway that shares nothing with the harness is judged right: sound it passes, and each planted defect is found."""

import re
from typing import Any

import pytest

SOUND = ""
# What each planted defect breaks: the requirement, and every check that must object, which no other may.
DEFECTS = {
    "state-unchecked": (
        "UCI-V.step.11b",
        {"code_without_own_state_is_not_redeemed", "strange_return_is_told", "strange_return_is_no_consent"},
    ),
    "code-twice": ("APP.12a", {"code_is_offered_once"}),
    "token-in-query": ("UCI-V.step.14", {"token_is_sent_in_the_header", "token_is_sent_nowhere_else"}),
    "one-text": ("UCI-V.exc.gen2", {"exceptions_are_told_apart", "causes_are_told_apart"}),
    "token-anywhere": ("RFC6750.5.3a", {"token_goes_to_nobody_else"}),
}


@pytest.fixture(scope="module")
def judged(foreign_pgo: Any, judge_all: Any) -> Any:
    """A run of everything for the sound gateway, one of the broken requirement for each defect."""
    return judge_all(foreign_pgo, {defect: requirement for defect, (requirement, _) in DEFECTS.items()})


def test_the_sound_gateway_passes(judged: Any) -> None:
    """Nothing fails and nothing is wrong with the harness; exit 0."""
    sound = judged[SOUND]
    assert sound.verdicts("fail", "error") == []
    assert sound.exit_code == 0, sound.said


def test_the_sound_gateway_leaves_nothing_open(judged: Any) -> None:
    """Every check came to a judgement, and none is a warning. One is attested: that the clock was moved, the vendor says."""
    sound = judged[SOUND]
    assert sound.verdicts("not_tested", "review", "warning") == []
    assert [check for check, _, _ in sound.verdicts("attested")] == ["token_is_not_used_after_its_lifetime"]


def test_what_is_left_is_what_the_gateway_has_no_hook_for(judged: Any) -> None:
    """Nothing that was planned is not tested; of the hooks that a run can use, two are not there."""
    rows = [row for row in judged[SOUND].results["requirements"] if row["outcome"] == "not_tested"]
    assert [row["id"] for row in rows if row["planned"]] == []
    assert set(re.findall("the hook ([a-z_]+)", " ".join(row["reason"] for row in rows))) == {"questions", "reload_lists"}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect: str, judged: Any) -> None:
    """A gateway with one defect fails the requirement that it breaks, by the checks that are about it; exit 1."""
    broken, (requirement, checks) = judged[defect], DEFECTS[defect]
    assert broken.exit_code == 1, broken.said
    assert requirement in broken.requirements("fail")
    assert {check for check, _, _ in broken.verdicts("fail", "error")} == checks
