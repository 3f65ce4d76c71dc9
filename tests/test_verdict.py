"""Outcomes, how they roll up, and what a judge makes of a check that holds, finds, gives up or trips."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmij_conformance import verdict
from medmij_conformance.evidence import Exchange, Observation, Request, Response, Tls, Trouble
from medmij_conformance.requirements import Release, Requirement, catalogue, release
from medmij_conformance.sentences import checks_of
from medmij_conformance.verdict import (
    EXIT_CODES,
    WORST_FIRST,
    AttestedError,
    CannotJudgeError,
    Check,
    Finding,
    NotApplicableError,
    NotSeenError,
    Outcome,
    check,
    decode_argument,
    encode_argument,
    judge,
    outcome_for,
    run_verdict,
    worst,
)

FAIL, ERROR, NOT_TESTED, REVIEW = Outcome.FAIL, Outcome.ERROR, Outcome.NOT_TESTED, Outcome.REVIEW
WARNING, ATTESTED, PASS, NOT_APPLICABLE = Outcome.WARNING, Outcome.ATTESTED, Outcome.PASS, Outcome.NOT_APPLICABLE
outcomes = st.sampled_from(list(Outcome))


def exchange(status: int | None = 200, number: int = 1, trouble: str = "") -> Exchange:
    return Exchange(
        label="token request",
        endpoint="token",
        request=Request(method="GET", url="https://za.test/"),
        response=None if status is None else Response(status=status),
        trouble=Trouble(kind=trouble, detail="as it was") if trouble else None,
        number=number,
    )


def a_check(function: object, *, raw: bool = False) -> Check:
    return Check(id=function.__name__, requirements=("APP.12b",), function=function, then="it is so", raw=raw)


def is_200(exchange: Exchange) -> Iterator[Finding]:
    """The answer is 200.

    And here is more about it.
    """
    if exchange.status != 200:
        yield Finding(expected="200", observed=str(exchange.status))


def are_200(exchanges: Sequence[Exchange]) -> Iterator[Finding]:
    """Every answer is 200."""
    for one in exchanges:
        yield from is_200(one)


# --- roll-up ---


@pytest.mark.parametrize(
    ("seen", "prevails"),
    [
        ([], NOT_TESTED),
        ([PASS], PASS),
        ([PASS, ATTESTED], ATTESTED),
        ([PASS, ATTESTED, WARNING], WARNING),
        ([PASS, WARNING, REVIEW], REVIEW),
        ([PASS, REVIEW, NOT_TESTED], NOT_TESTED),
        ([PASS, NOT_TESTED, ERROR], ERROR),
        ([NOT_TESTED, ERROR, FAIL], FAIL),
        ([NOT_APPLICABLE], NOT_APPLICABLE),
        ([NOT_APPLICABLE, NOT_APPLICABLE], NOT_APPLICABLE),
        ([NOT_APPLICABLE, PASS], PASS),
        ([NOT_APPLICABLE, FAIL], FAIL),
    ],
)
def test_worst_outcome_prevails(seen: list[Outcome], prevails: Outcome) -> None:
    """A requirement takes the worst of its checks; what is not applicable does not count, and nothing is not tested."""
    assert all(worst(order) is prevails for order in itertools.permutations(seen))


def test_every_outcome_has_its_place() -> None:
    """The order of outcomes knows each of them but the one that does not count."""
    assert {*WORST_FIRST, NOT_APPLICABLE} == {*Outcome}


@given(st.lists(outcomes), st.lists(outcomes))
def test_worst_can_be_taken_in_parts(some: list[Outcome], more: list[Outcome]) -> None:
    """The worst of two parts is the worst of the whole, unless one part is empty and so not tested."""
    if some and more:
        assert worst([worst(some), worst(more)]) is worst(some + more)


@given(st.lists(outcomes, min_size=1), outcomes)
def test_more_checks_never_make_it_better(seen: list[Outcome], another: Outcome) -> None:
    """A further check can only worsen what is tested at all."""
    before, after = worst(seen), worst([*seen, another])
    assert before is NOT_APPLICABLE or WORST_FIRST.index(after) <= WORST_FIRST.index(before)


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ([], "undecided"),
        ([PASS], "pass"),
        ([PASS, WARNING, ATTESTED, NOT_APPLICABLE], "pass"),
        ([NOT_APPLICABLE], "undecided"),
        ([PASS, NOT_TESTED], "undecided"),
        ([PASS, REVIEW], "undecided"),
        ([PASS, NOT_TESTED, ERROR], "error"),
        ([PASS, NOT_TESTED, REVIEW, ERROR, FAIL], "fail"),
    ],
)
def test_verdict_of_a_run(seen: list[Outcome], verdict: str) -> None:
    """fail > error > undecided > pass, and a run that judged nothing is undecided."""
    assert run_verdict(seen) == verdict


@given(st.lists(outcomes))
def test_run_passes_only_on_what_was_shown(seen: list[Outcome]) -> None:
    """A run with exit code 0 holds nothing failed, broken, open or unseen, and something that held."""
    if EXIT_CODES[run_verdict(seen)] == 0:
        assert {*seen} <= {PASS, ATTESTED, WARNING, NOT_APPLICABLE}
        assert {*seen} - {NOT_APPLICABLE}


def test_exit_codes_tell_verdicts_apart() -> None:
    """Every verdict has its own exit code, and 2 stays free for a wrong command."""
    assert EXIT_CODES == {"pass": 0, "fail": 1, "undecided": 3, "error": 4}


@pytest.mark.parametrize(
    ("level", "profile", "outcome", "meant"),
    [
        ("MUST", "1.0", FAIL, FAIL),
        ("MUST", "derived", FAIL, FAIL),
        ("SHOULD", "1.0", FAIL, WARNING),
        ("MAY", "1.0", FAIL, WARNING),
        ("MUST", "later", FAIL, WARNING),
        ("MUST", "info", FAIL, WARNING),
        ("SHOULD", "1.0", ERROR, ERROR),
        ("SHOULD", "1.0", NOT_TESTED, NOT_TESTED),
        ("SHOULD", "1.0", PASS, PASS),
        ("MUST", "1.0", WARNING, WARNING),
    ],
)
def test_only_a_must_of_this_release_fails(level: str, profile: str, outcome: Outcome, meant: Outcome) -> None:
    """A SHOULD, a MAY, a later release and information are at most a warning; other outcomes stay."""
    requirement: Requirement = replace(catalogue()["APP.12b"], level=level, profile=profile)
    assert outcome_for(requirement, outcome) is meant


# --- judging ---


def test_check_that_finds_nothing_passes() -> None:
    """What was seen and is as required is a pass, with the exchanges that show it."""
    judgement = judge(a_check(is_200), {"exchange": exchange(number=7)})
    assert (judgement.check, judgement.outcome, judgement.findings) == ("is_200", PASS, ())
    assert (judgement.arguments, judgement.exchanges) == ({"exchange": {"exchange": 7}}, (7,))


def test_findings_make_the_outcome() -> None:
    """The outcome of a check is that of its worst finding, and every finding is kept."""

    def finds(exchange: Exchange) -> Iterator[Finding]:
        yield Finding(expected="a", observed="b", outcome=WARNING, reading="AMB.5")
        yield Finding(expected="c", observed="d", outcome=REVIEW)

    judgement = judge(a_check(finds), {"exchange": exchange()})
    assert judgement.outcome is REVIEW
    assert [finding.expected for finding in judgement.findings] == ["a", "c"]
    assert judge(a_check(is_200), {"exchange": exchange(400)}).outcome is FAIL


@pytest.mark.parametrize("nothing", [None, ()])
@pytest.mark.parametrize("raw", [False, True])
def test_nothing_seen_is_never_a_pass(nothing: object, raw: bool) -> None:
    """A check that would loop over nothing is not tested, and the reason names the argument."""
    judgement = judge(a_check(are_200, raw=raw), {"exchanges": nothing})
    assert judgement.outcome is NOT_TESTED
    assert judgement.reason == "nothing was seen that could be judged (exchanges)"


def test_falsy_values_are_something() -> None:
    """An expected value of 0, an empty text and False are values, not missing evidence."""

    def holds(exchange: Exchange, count: int, text: str, flag: bool) -> Iterator[Finding]:
        yield from ()

    arguments = {"exchange": exchange(), "count": 0, "text": "", "flag": False}
    assert judge(a_check(holds), arguments).outcome is PASS


@pytest.mark.parametrize("kind", ["timeout", "reset", "tls", "connect", "protocol", "not-allowed", "too-large"])
def test_trouble_is_not_tested(kind: str) -> None:
    """An exchange that came to no answer proves nothing, also when it is one of many or has half an answer."""
    for status in (None, 200):
        judgement = judge(a_check(is_200), {"exchange": exchange(status, trouble=kind)})
        assert judgement.outcome is NOT_TESTED
        assert judgement.reason == f"token request: {kind}: as it was"
        assert judge(a_check(are_200), {"exchanges": (exchange(), exchange(status, 2, kind))}).outcome is NOT_TESTED


@pytest.mark.parametrize("status", [429, 503])
def test_load_shedding_is_not_tested(status: int) -> None:
    """429 and 503 are no answer to the question, so never a refusal and never a failure."""
    judgement = judge(a_check(is_200), {"exchange": exchange(status)})
    assert judgement.outcome is NOT_TESTED
    assert judgement.reason == f"rate-limited: token request was answered with {status}"


def test_raw_check_judges_trouble_and_load_shedding() -> None:
    """A check that asked for raw evidence sees what others do not."""
    assert judge(a_check(is_200, raw=True), {"exchange": exchange(503)}).outcome is FAIL
    assert judge(a_check(is_200, raw=True), {"exchange": exchange(None, trouble="reset")}).outcome is FAIL


@pytest.mark.parametrize("raw", [False, True])
def test_what_our_own_time_limit_ended_is_not_tested(raw: bool) -> None:
    """It says nothing about the gateway, to whatever check."""
    judgement = judge(a_check(is_200, raw=raw), {"exchange": exchange(None, trouble="out-of-time")})
    assert (judgement.outcome, judgement.reason.split(": ")[1]) == (NOT_TESTED, "out-of-time")


# --- what was lost on the way ---


def sent(number: int, status: int | None = 200, trouble: str = "", **facts: object) -> Exchange:
    return replace(exchange(status, number, trouble), sent=True, **facts)  # type: ignore[arg-type]


LOST = {
    "shed by a balancer": sent(1, 502),
    "too many": sent(1, 429),
    "cut": sent(1, None, "reset"),
    "cut politely": sent(1, None, "reset", tls=Tls(alert="close_notify")),
    "unheard": sent(1, None, "timeout"),
    "not sent any more": sent(1, None, "out-of-time"),
    "a page of a firewall": replace(sent(1), response=Response(status=403, headers=(("Content-Type", "text/html"),))),
}
HEARD = {
    "answered": sent(1, 400),
    "in trouble of its own": sent(1, 500),
    "refused by an alert": sent(1, None, "tls"),
    "reset after an alert": sent(1, None, "reset", tls=Tls(alert="bad_certificate")),
    "not meant for the gateway": sent(1, None, "not-allowed"),
    "asked of us": replace(sent(1, 503), sent=False),
}
BAD, GOOD = sent(2, 400, label="another request"), sent(2, label="another request")


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_failure_after_a_lost_request_is_not_tested(lost: Exchange) -> None:
    """What the gateway never heard of may be why it does what it should not."""
    judgement = judge(a_check(is_200), {"exchange": BAD}, [lost, BAD])
    assert (judgement.outcome, "(exchange 1)" in judgement.reason) == (NOT_TESTED, True)
    assert judge(a_check(is_200), {"exchange": GOOD}, [lost, GOOD]).outcome is PASS


@pytest.mark.parametrize("heard", HEARD.values(), ids=HEARD)
def test_a_failure_after_a_request_that_was_heard_stands(heard: Exchange) -> None:
    """Answers of the gateway itself, refusals in the handshake, and what never was for it, keep nothing from counting."""
    assert judge(a_check(is_200), {"exchange": BAD}, [heard, BAD]).outcome is FAIL


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
def test_a_lost_attack_proves_nothing(lost: Exchange) -> None:
    """That no harm is seen of an attack which did not arrive is no pass."""
    attack = replace(lost, deviation="a code of another client")
    assert judge(a_check(is_200), {"exchange": GOOD}, [attack, GOOD]).outcome is NOT_TESTED


def test_what_was_lost_and_asked_again_was_not_lost() -> None:
    """The repetition counts, in the same flow, or where the same is wrong with it; that of another flow is none."""
    lost, bad = sent(1, 502, flow=7), replace(BAD, number=3)
    elsewhere = Request(method="GET", url="https://za.test/?of=another")
    for second, expected in (
        (sent(2, flow=7), FAIL),
        (sent(2, flow=8), NOT_TESTED),
        (sent(2, flow=7, request=elsewhere), NOT_TESTED),
        (sent(2, 502, flow=7), NOT_TESTED),
    ):
        assert judge(a_check(is_200), {"exchange": bad}, [lost, second, bad]).outcome is expected
    repeated = [
        replace(lost, deviation="an expired certificate"),
        sent(2, None, "reset", flow=8, deviation="an expired certificate"),
    ]
    assert judge(a_check(is_200, raw=True), {"exchange": repeated[1]}, repeated).outcome is FAIL


def test_what_is_judged_itself_is_not_lost() -> None:
    """A check that judges troubles judges this one."""
    assert judge(a_check(is_200, raw=True), {"exchange": LOST["cut"]}, [LOST["cut"]]).outcome is FAIL


def trips(exchange: Exchange) -> Iterator[Finding]:
    yield Finding(expected="a", observed="b")
    raise KeyError("code")


def recurses(exchange: Exchange) -> Iterator[Finding]:
    yield from recurses(exchange)


def asserts(exchange: Exchange) -> Iterator[Finding]:
    assert exchange.status == 1
    yield from ()


@pytest.mark.parametrize(
    ("function", "reason"),
    [(trips, "trips: KeyError: 'code'"), (recurses, "recurses: RecursionError"), (asserts, "asserts: AssertionError")],
)
def test_exception_in_a_check_is_our_error(function: object, reason: str) -> None:
    """A check that trips is an error that names it, never a failure of the target, whatever it found before."""
    judgement = judge(a_check(function), {"exchange": exchange(number=3)})
    assert judgement.outcome is ERROR
    assert judgement.reason.startswith(reason)
    assert (judgement.findings, judgement.exchanges) == ((), (3,))


def test_wrong_arguments_are_our_error() -> None:
    """A check that is given what it does not ask for is an error, too."""
    judgement = judge(a_check(is_200), {"exchanges": exchange()})
    assert judgement.outcome is ERROR
    assert "TypeError" in judgement.reason


@pytest.mark.parametrize("kind", [CannotJudgeError, NotSeenError])
def test_check_that_cannot_judge_is_not_tested(kind: type[Exception]) -> None:
    """A check may say why the evidence does not suffice; what it found before does not count."""

    def gives_up(exchange: Exchange) -> Iterator[Finding]:
        yield Finding(expected="a", observed="b")
        raise kind("no data declared")

    judgement = judge(a_check(gives_up), {"exchange": exchange()})
    assert (judgement.outcome, judgement.reason, judgement.findings) == (NOT_TESTED, "no data declared", ())


@pytest.mark.parametrize(
    ("found", "outcome"),
    [((), ATTESTED), ((WARNING,), WARNING), ((REVIEW,), REVIEW), ((FAIL,), FAIL), ((WARNING, FAIL), FAIL)],
)
def test_what_was_found_before_it_was_attested_counts(found: tuple[Outcome, ...], outcome: Outcome) -> None:
    """A check that found something never ends attested: its findings stay, and the worst of them is the outcome."""

    def attests(exchange: Exchange) -> Iterator[Finding]:
        """It holds under a moved clock."""
        yield from (Finding(expected="one", observed="another", outcome=each) for each in found)
        raise AttestedError("the clock was moved")

    judgement = judge(a_check(attests), {"exchange": exchange()})
    assert (judgement.outcome, judgement.reason) == (outcome, "the clock was moved")
    assert tuple(finding.outcome for finding in judgement.findings) == found


def test_exchanges_of_a_judgement_are_sorted_and_single() -> None:
    """Each exchange that a check looked at is named once, in order, however deep it was handed over."""
    many = (exchange(number=5), (exchange(number=2), exchange(number=5)))

    def looks(many: object, one: Exchange) -> Iterator[Finding]:
        yield from ()

    assert judge(a_check(looks), {"many": many, "one": exchange(number=1)}).exchanges == (1, 2, 5)


# --- arguments in the journal ---

EXCHANGES = {number: exchange(number=number) for number in range(1, 6)}
arguments = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(),
        st.sampled_from([*EXCHANGES.values(), release("1.0"), Observation("bits", {"ones": [1, 2], "of": 200})]),
    ),
    lambda member: st.lists(member, max_size=4).map(tuple),
    max_leaves=10,
)


@given(arguments)
def test_arguments_survive_the_journal(argument: object) -> None:
    """An argument comes back equal from the JSON of a journal: exchanges by number, releases by name."""
    data = json.loads(json.dumps(encode_argument(argument)))
    assert decode_argument(data, EXCHANGES, release) == argument


@pytest.mark.parametrize("value", [{"a": 1}, [1], {1}, b"octets", object(), Request(method="GET", url="")])
def test_other_arguments_are_refused(value: object) -> None:
    """What could not be judged again from the journal cannot be an argument."""
    with pytest.raises(TypeError, match=f"a check cannot take a {type(value).__name__}"):
        encode_argument(value)


def test_missing_exchange_is_noticed() -> None:
    """A journal that lacks an exchange cannot be judged again."""
    with pytest.raises(KeyError):
        decode_argument([{"exchange": 99}], EXCHANGES, release)


# --- registering checks ---


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, Check]:
    """An empty registry of checks."""
    empty: dict[str, Check] = {}
    monkeypatch.setattr(verdict, "REGISTRY", empty)
    return empty


def test_check_is_registered_by_its_name(registry: dict[str, Check]) -> None:
    """The name of the function is the id, its docstring the claim, its parameters what it asks for."""
    made = check("APP.12b", "APP.10", then="the answer is 200", twin="token")(is_200)
    assert registry == {"is_200": made}
    assert (made.id, made.requirements, made.twin, made.raw) == ("is_200", ("APP.12b", "APP.10"), "token", False)
    assert (made.claim, made.parameters) == ("The answer is 200.", ("exchange",))


@pytest.mark.parametrize(("function", "then"), [(is_200, "another sentence"), (are_200, "the answer is 200")])
def test_second_check_of_a_name_or_sentence_is_refused(registry: dict[str, Check], function: object, then: str) -> None:
    """Two checks never share a name or a sentence."""
    check("APP.12b", then="the answer is 200")(is_200)
    with pytest.raises(ValueError, match=r"check \w+: its name or its sentence stands twice"):
        check("APP.10", then=then)(function)
    assert list(registry) == ["is_200"]


def test_checks_of_this_package_are_in_the_catalogue() -> None:
    """Every check that comes with the package speaks for requirements that exist, and makes a claim."""
    import medmij_conformance.checks  # noqa: F401

    known = catalogue().requirements
    assert verdict.REGISTRY
    for made in verdict.REGISTRY.values():
        assert made.requirements, made.id
        assert {*made.requirements} <= {*known}, made.id
        assert made.claim, made.id
        assert made in checks_of(made.then.replace("{", "").replace("}", "")), made.id


def test_sentence_without_a_check_runs_none() -> None:
    """A Given or a When belongs to no check."""
    assert checks_of("Roos has never been here, which nobody would say") == ()


def test_release_is_passed_by_its_name() -> None:
    """A check may ask for the release, which the journal knows by name."""

    def reads(release: Release) -> Iterator[Finding]:
        yield from ()

    assert judge(a_check(reads), {"release": release("1.0")}).arguments == {"release": {"release": "1.0"}}


@pytest.mark.parametrize(("id_", "expected"), [("OVK.7.5", NOT_TESTED), ("TV.8", NOT_APPLICABLE)])
def test_only_a_recommendation_can_be_set_aside(id_: str, expected: Outcome) -> None:
    """Somebody who says that a rule does not apply sets a SHOULD aside; a MUST stays not tested."""

    def set_aside() -> Iterator[Finding]:
        """It does not apply."""
        raise NotApplicableError("says Kim")
        yield

    judgement = judge(a_check(set_aside), {})
    assert (judgement.outcome, judgement.reason) == (NOT_APPLICABLE, "says Kim")
    assert outcome_for(catalogue()[id_], judgement.outcome) is expected
