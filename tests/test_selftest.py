"""Every check can fail, and none passes on a counterpart that does nothing: the proof behind every verdict of the harness."""

import pytest

from medmij_conformance.reference.dvza_deviations import DEVIATIONS
from medmij_conformance.selftest import CONFORMANT, Result, run_selftest
from medmij_conformance.verdict import REGISTRY, Outcome


@pytest.fixture(scope="module")
def result() -> Result:
    """The whole selftest, once: every deviation of the reference, one after the other, over all scenarios."""
    return run_selftest()


def test_the_selftest_has_no_complaints(result: Result) -> None:
    """Every deviation is objected to by exactly the checks that it breaks."""
    assert result.problems == []


def test_every_check_is_killed(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    """For every check a deviation was seen to make it object."""
    rounds = [each for each in result.rounds if each.variant in DEVIATIONS.by_name]
    killed = {name for each in rounds for name in each.with_outcome(Outcome.FAIL, Outcome.WARNING)}
    with capsys.disabled():
        print(f"\n{len(killed)} of {len(REGISTRY)} checks killed by {len(rounds)} deviations", end=" ")
    assert {name for each in result.rounds for name in each.variant.split(" + ")} >= set(DEVIATIONS.by_name)
    assert sorted(killed) == sorted(REGISTRY)
    assert sorted(name for name, killers in result.killers.items() if killers) == sorted(REGISTRY)


def test_null_counterparts_pass_nothing(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    """A counterpart that does nothing, or the same to everybody, passes no check at all."""
    passes = {name: passed for name, passed in result.null_passes.items() if passed}
    with capsys.disabled():
        print(f"\n{len(passes)} of {len(result.null_passes)} null counterparts pass anything", end=" ")
    assert len(result.null_passes) >= 6
    assert passes == {}


def test_the_conformant_reference_passes(result: Result) -> None:
    """The matrix stands on a reference that passes every check in every scenario."""
    (conformant,) = (each for each in result.rounds if each.variant == CONFORMANT)
    assert conformant.verdict == "pass"
    assert {outcome for outcomes in conformant.outcomes.values() for outcome in outcomes} <= {Outcome.PASS, Outcome.ATTESTED}
