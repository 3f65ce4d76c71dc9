"""A gateway that shares nothing with the harness is judged right: sound it passes, and each planted defect is found.

Agreement with our own references would show no more than that judge and example make the same mistakes.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

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
    "bsn-in-data": ("APP.5", {"bsn_is_nowhere_between_gateways"}),
}


class Judged(NamedTuple):
    exit_code: int
    said: str
    results: Mapping[str, Any]

    def requirements(self, outcome: str) -> set[str]:
        return {row["id"] for row in self.results["requirements"] if row["outcome"] == outcome}

    def verdicts(self, *outcomes: str) -> list[tuple[str, str, str]]:
        rows = [(scenario["id"], verdict) for scenario in self.results["scenarios"] for verdict in scenario["verdicts"]]
        return [(v["check"], id_, v["observed"]) for id_, v in rows if v["outcome"] in outcomes]


@pytest.fixture(scope="module")
def judged(foreign: Any, medmij: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Judged]:
    """A run of everything for the sound gateway, one of the broken requirement for each defect; two at a time."""

    def judge(defect: str) -> Judged:
        directory: Path = tmp_path_factory.mktemp("judged") / "report"
        with foreign(*[defect] * bool(defect)) as target:
            only = ("--only", DEFECTS[defect][0]) if defect else ()
            process = medmij("run", target, "--seed", 7, "--quiet", "--report-dir", directory, *only)
        results = directory / "results.json"
        assert results.is_file(), process.stderr
        return Judged(process.returncode, process.stderr, json.loads(results.read_text(encoding="utf-8")))

    names = [SOUND, *DEFECTS]
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(judge, names), strict=True))


def test_the_sound_gateway_passes(judged: Mapping[str, Judged]) -> None:
    """Nothing fails and nothing is wrong with the harness; exit 0."""
    sound = judged[SOUND]
    assert sound.verdicts("fail", "error") == []
    assert sound.exit_code == 0, sound.said


def test_the_sound_gateway_leaves_nothing_open(judged: Mapping[str, Judged]) -> None:
    """Every check came to a judgement, and none had to warn."""
    assert judged[SOUND].verdicts("warning", "not_tested", "review") == []


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect: str, judged: Mapping[str, Judged]) -> None:
    """A gateway with one defect fails the requirement that it breaks, by the checks that are about it; exit 1."""
    broken, (requirement, checks) = judged[defect], DEFECTS[defect]
    assert broken.exit_code == 1, broken.said
    assert requirement in broken.requirements("fail")
    assert {check for check, _, _ in broken.verdicts("fail", "error")} == checks
