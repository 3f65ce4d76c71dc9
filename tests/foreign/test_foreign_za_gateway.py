"""A gateway that shares nothing with the harness is judged right: sound it passes, and each planted defect is found.

Agreement with our own references would show no more than that judge and example make the same mistakes.
"""

from typing import Any

import pytest

SOUND = ""
# What each planted defect breaks: the requirement, and every check that must object, which no other may.
DEFECTS = {
    "code-reusable": (
        "APP.12b",
        {"used_code_is_refused", "failed_offer_uses_the_code_up", "simultaneous_offers_yield_one_token"},
    ),
    "unlisted-redirect": ("RFC6749.3.1.2.2", {"redirect_uri_of_another_host_is_refused"}),
    "wrong-description": ("UCI-V.exc.3", {"nothing_available_is_reported"}),
    "long-token": ("APP.10", {"stated_lifetime_is_right"}),
    "bsn-in-data": ("APP.5", {"bsn_is_nowhere_between_gateways", "bsn_elements_are_empty"}),
}


@pytest.fixture(scope="module")
def judged(foreign: Any, judge_all: Any) -> Any:
    """A run of everything for the sound gateway, one of the broken requirement for each defect."""
    return judge_all(foreign, {defect: requirement for defect, (requirement, _) in DEFECTS.items()})


def test_the_sound_gateway_passes(judged: Any) -> None:
    """Nothing fails and nothing is wrong with the harness; exit 0."""
    sound = judged[SOUND]
    assert sound.verdicts("fail", "error") == []
    assert sound.exit_code == 0, sound.said


def test_the_sound_gateway_leaves_nothing_open(judged: Any) -> None:
    """Every check came to a judgement. The one warning is about the other reading of AMB.60, which this gateway follows."""
    assert judged[SOUND].verdicts("not_tested", "review") == []
    assert [check for check, _, _ in judged[SOUND].verdicts("warning")] == ["offer_of_another_uses_the_code_up"]


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect: str, judged: Any) -> None:
    """A gateway with one defect fails the requirement that it breaks, by the checks that are about it; exit 1."""
    broken, (requirement, checks) = judged[defect], DEFECTS[defect]
    assert broken.exit_code == 1, broken.said
    assert requirement in broken.requirements("fail")
    assert {check for check, _, _ in broken.verdicts("fail", "error")} == checks
