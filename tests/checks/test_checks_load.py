"""Guessing: what our own limits did is not taken for what the gateway does about it."""

import pytest

from medmij_conformance.checks import load
from medmij_conformance.evidence import Exchange, Request, Response, Trouble
from medmij_conformance.verdict import Judgement, Outcome, judge

REQUEST = Request(method="POST", url="https://za.harness.test/token")
OUT_OF_TIME = Trouble(kind="out-of-time", detail="the time limit of the scenario has passed, so it was not asked")


def guess(number: int, *, status: int = 400, seconds: float = 0.7) -> Exchange:
    answer = Response(status=status, body=b'{"error":"invalid_grant"}')
    started = number * seconds
    return Exchange(
        label="token request",
        endpoint="token",
        request=REQUEST,
        response=answer,
        number=number,
        started=started,
        finished=started + seconds,
    )


def unheard(number: int, trouble: Trouble) -> Exchange:
    return Exchange(label="token request", endpoint="token", request=REQUEST, trouble=trouble, number=number)


def judged(*guesses: Exchange) -> Judgement:
    return judge(load.guessing_is_noticed, {"guesses": guesses})


def test_guesses_that_we_did_not_make_are_not_refused_by_a_slow_gateway() -> None:
    """Eighty-five guesses fit in the time of the scenario and were answered alike; the others were never sent."""
    judgement = judged(*map(guess, range(85)), *(unheard(n, OUT_OF_TIME) for n in range(85, 100)))
    assert judgement.outcome is Outcome.FAIL
    assert "85 guesses answered alike" in judgement.findings[0].observed


def test_too_few_guesses_say_nothing() -> None:
    """What a limit would have done to more of them is not known."""
    judgement = judged(*map(guess, range(12)), *(unheard(n, OUT_OF_TIME) for n in range(12, 100)))
    assert judgement.outcome is Outcome.NOT_TESTED
    assert "12" in judgement.reason


@pytest.mark.parametrize("kind", ["timeout", "reset", "connect"])
def test_a_gateway_that_stops_answering_has_noticed(kind: str) -> None:
    """Whether the guesser is refused by HTTP or by a firewall."""
    guesses = (*map(guess, range(30)), *(unheard(n, Trouble(kind=kind, detail="")) for n in range(30, 100)))
    assert judged(*guesses).outcome is Outcome.PASS
