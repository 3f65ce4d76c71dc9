"""Every check can fail, and none passes on a counterpart that does nothing: the proof behind every verdict of the harness."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from medmij_conformance.cli import main
from medmij_conformance.planning import Planned, needed_for
from medmij_conformance.reference.dvza_deviations import DEVIATIONS
from medmij_conformance.reference.roles import REFERENCES
from medmij_conformance.selftest import (
    CLOSED_PORT,
    CONFORMANT,
    Job,
    Result,
    declared,
    is_compared,
    is_simple,
    run_selftest,
    run_variants,
    variants,
)
from medmij_conformance.verdict import REGISTRY, Outcome


@pytest.fixture(scope="module")
def result() -> Result:
    """The selftest, once: every deviation of the reference, each over the scenarios of the checks that it breaks."""
    return run_selftest()


def test_the_selftest_has_no_complaints(result: Result) -> None:
    """Every deviation is objected to by exactly the checks that it breaks."""
    assert not result.problems, "\n".join(result.problems)


def test_every_check_is_killed(result: Result, capsys: pytest.CaptureFixture[str]) -> None:
    """For every check a deviation was seen to make it object."""
    every = {name for reference in REFERENCES.values() for name in reference.deviations.by_name}
    rounds = [each for each in result.rounds if each.variant in every]
    killed = {name for each in rounds for name in each.with_outcome(Outcome.FAIL, Outcome.WARNING)}
    with capsys.disabled():
        print(f"\n{len(killed)} of {len(REGISTRY)} checks killed by {len(rounds)} deviations", end=" ")
    assert {name for each in result.rounds for name in each.variant.split(" + ")} >= every
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
    """The matrix stands on references that pass every check in every scenario."""
    conformant = [each for each in result.rounds if each.variant == CONFORMANT]
    assert {each.role for each in conformant} == set(REFERENCES)
    assert {each.verdict for each in conformant} == {"pass"}
    outcomes = {outcome for each in conformant for seen in each.outcomes.values() for outcome in seen}
    assert outcomes <= {Outcome.PASS, Outcome.ATTESTED}


# ------------------------------------------------------------------------------------------- what a deviation has to run


def planned(name: str, *checks: str, tags: tuple[str, ...] = ()) -> Planned:
    """A scenario of a plan that runs these checks."""
    return Planned(name, name, "", "dvza/any.feature", (), checks, (), frozenset(tags))


PLAN = (
    planned("opening", "shown", tags=("control:first",)),
    planned("a", "refused"),
    planned("b", "refused", "other"),
    planned("c", "other"),
    planned("sample", "random", tags=("order:late",)),
    planned("closing", "shown", tags=("control:last",)),
)


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ({"refused"}, ["opening", "a", "b", "closing"]),
        ({"other", "random"}, ["opening", "b", "c", "sample", "closing"]),
        ({"shown"}, ["opening", "closing"]),
        (set(), ["opening", "closing"]),
        ({"refused", "other", "random"}, [each.id for each in PLAN]),
    ],
)
def test_a_deviation_runs_every_scenario_of_its_checks_between_the_controls(checks: set[str], expected: list[str]) -> None:
    """All scenarios of the declared checks, in the order of the plan, and the controls around them; nothing else."""
    assert [each.id for each in needed_for(checks, PLAN)] == expected


@pytest.mark.parametrize(
    ("checks", "expected"),
    [({"refused"}, ["opening", "a", "b"]), ({"random"}, ["opening", "sample"]), ({"shown"}, ["opening", "closing"])],
)
def test_an_objection_that_stands_by_itself_needs_one_control(checks: set[str], expected: list[str]) -> None:
    """Where nothing is compared, the happy flow opens, and no other control is run."""
    minted = planned("good-certificate", tags=("control:first", "needs:pki"))
    assert [each.id for each in needed_for(checks, (minted, *PLAN), compared=False)] == expected


def test_what_is_compared_runs_between_the_controls() -> None:
    """Whatever warns, compares or declares nothing has its controls; a plain objection needs none."""
    alone = [name for name in variants() if not is_compared(name)]
    assert len(alone) > 200
    for name in alone:
        assert DEVIATIONS.by_name[name].breaks, name
        assert not DEVIATIONS.by_name[name].warns, name
        assert not any(REGISTRY[each].contrast for each in DEVIATIONS.by_name[name].breaks), name
    assert {name for name in variants() if name not in DEVIATIONS.by_name or DEVIATIONS.by_name[name].warns}.isdisjoint(alone)
    assert any(
        REGISTRY[each].contrast for name in variants() if name in DEVIATIONS.by_name for each in DEVIATIONS.by_name[name].breaks
    )


def test_what_declares_nothing_is_seen_by_every_check() -> None:
    """Only a deviation that declares checks runs less than the plan; the others come first, because they take longest.

    Before them comes what waits for a minute: the others are run meanwhile.
    """
    names, slow = variants(), REFERENCES["dvza"].takes_a_minute
    lengths = [bool(declared(name)) for name in names if name not in slow]
    assert lengths == sorted(lengths)
    assert (names[0], set(names[1 : 1 + len(slow)])) == (CONFORMANT, slow)
    assert {name for name in names if declared(name)} <= set(DEVIATIONS.by_name)
    assert not declared(CLOSED_PORT)


def test_what_has_nothing_to_do_with_digid_runs_on_the_simpler_reference() -> None:
    """Most deviations of the ZA gateway are seen where people log in on its own page; whatever touches DigiD is not among them."""
    simple = [name for name in variants() if is_simple(name, "dvza")]
    assert len(simple) > 200
    assert not {"signature-checked-naively", CONFORMANT, CLOSED_PORT} & set(simple)
    for name in simple:
        together = [DEVIATIONS.by_name[each] for each in name.split(" + ")]
        modules = {each.apply.__module__ for each in together} if len(together) > 1 else set()
        modules |= {REGISTRY[check].function.__module__ for each in together for check in each.breaks}
        assert not any(module.endswith(".digid") for module in modules), name
    assert not any(is_simple(name, "dvp") for name in variants(role="dvp"))


# ------------------------------------------------------------------------------------------------- processes and commands


def test_a_variant_that_takes_its_process_down_loses_no_other() -> None:
    """What ends a process is told of that variant; those before and after it have their rounds, in order."""
    names = ["code-reusable", "no-such-variant", "code-for-anybody"]
    rounds, crashes = run_variants([Job(name) for name in names], parts=1)
    assert [each.variant for each in rounds] == ["code-reusable", "code-for-anybody"]
    assert all(DEVIATIONS.by_name[each.variant].breaks == each.with_outcome(Outcome.FAIL) for each in rounds)
    (why,) = crashes.items()
    assert why[0] == Job("no-such-variant")
    assert "ended with exit 3" in why[1]
    assert "no deviation no-such-variant" in why[1]


def test_one_process_serves_one_reference_after_the_other() -> None:
    """Whatever the order of the roles, each variant meets the reference of its own."""
    jobs = [Job("code-reusable", simple=True), Job("state-short", "dvp"), Job("code-reusable")]
    rounds, crashes = run_variants(jobs, parts=1)
    assert crashes == {}
    assert [(each.role, each.variant, each.verdict) for each in rounds] == [
        ("dvza", "code-reusable", "fail"),
        ("dvp", "state-short", "pass"),
        ("dvza", "code-reusable", "fail"),
    ]


def test_a_variant_may_come_after_a_closed_port() -> None:
    """What a variant does to the target is undone after it: the next one finds it as it was."""
    rounds, crashes = run_variants([Job(CLOSED_PORT), Job("code-reusable")], parts=1)
    assert crashes == {}
    assert [each.verdict for each in rounds] == ["undecided", "fail"]


def test_an_unknown_deviation_is_told_with_its_nearest_names() -> None:
    """Who mistypes a name gets no empty, green selftest: exit 2, with the names that may have been meant."""
    done = CliRunner().invoke(main, ["selftest", "--only", "code-reusable", "--only", "code-for-anybodi"])
    assert done.exit_code == 2
    assert done.stderr.startswith("--only: there is no deviation 'code-for-anybodi'; expected a name such as code-for-anybody")


def test_the_selftest_knows_the_checks_by_itself() -> None:
    """`selftest --only NAME` needs nobody else to have imported the checks that the deviation declares."""
    code = "from medmij_conformance.selftest import is_simple; print(is_simple('nothing-logged', 'dvza'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
