"""A balancer that answers in the place of a gateway, or cuts a connection, decides no check that looks at such answers itself."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from medmij_conformance.cast.journey import insist
from medmij_conformance.checks import digid, list_fetching, load, resource, token
from medmij_conformance.evidence import Exchange, Request, Response, Tls, Trouble
from medmij_conformance.meeting import _again_if_cut
from medmij_conformance.requirements import release
from medmij_conformance.verdict import Check, Outcome, judge

RELEASE = release("1.0")
BUSY = (429, 502, 503, 504)
TOKEN = {"access_token": "t", "token_type": "Bearer"}


def answered(status: int, body: Any = None, endpoint: str = "token", number: int = 1) -> Exchange:
    data = b"" if body is None else json.dumps(body).encode()
    return Exchange(
        label="a request",
        endpoint=endpoint,
        request=Request(method="POST", url="https://za.harness.test/"),
        response=Response(status=status, headers=(("Content-Type", "application/json"),), body=data),
        number=number,
    )


def ended(kind: str, alert: str | None = None) -> Exchange:
    return Exchange(
        label="a request",
        endpoint="token",
        request=Request(method="POST", url="https://za.harness.test/"),
        trouble=Trouble(kind=kind, detail="it ended"),
        tls=Tls(version="TLSv1.3", alert=alert),
        number=1,
    )


def outcome(check: Check, **arguments: Any) -> Outcome:
    return judge(check, arguments).outcome


@pytest.mark.parametrize("status", BUSY)
def test_a_login_that_a_balancer_ended_was_not_refused(status: int) -> None:
    """It neither fails, as a status of the gateway would, nor passes."""
    facts = {"redirect_uri": "https://pgo.harness.test/cb", "known_pages": ("form#consent",), "release": RELEASE}
    assert outcome(digid.unfitting_answer_is_refused, redirect=answered(status, endpoint="page"), **facts) is Outcome.NOT_TESTED
    assert outcome(digid.unfitting_answer_is_refused, redirect=answered(500, endpoint="page"), **facts) is Outcome.FAIL


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize("check", [token.failed_offer_uses_the_code_up, token.offer_of_another_uses_the_code_up])
def test_an_offer_that_did_not_arrive_uses_nothing_up(check: Check, status: int) -> None:
    """The code is alive because the gateway has not seen the offer; one that it refused is another matter."""
    facts = {"release": RELEASE} if check is token.failed_offer_uses_the_code_up else {}
    later = answered(200, TOKEN, number=2)
    assert outcome(check, first_offer=answered(status), token_response=later, **facts) is Outcome.NOT_TESTED
    refused = answered(400, {"error": "invalid_grant"})
    assert outcome(check, first_offer=refused, token_response=later, **facts) in {Outcome.FAIL, Outcome.WARNING}


@pytest.mark.parametrize(
    ("came", "expected"),
    [
        *((answered(status), Outcome.NOT_TESTED) for status in BUSY),
        (ended("reset"), Outcome.NOT_TESTED),
        (ended("timeout"), Outcome.NOT_TESTED),
        (ended("connect"), Outcome.NOT_TESTED),
        (ended("tls", "bad_certificate"), Outcome.FAIL),
        (ended("reset", "access_denied"), Outcome.FAIL),
        (answered(500), Outcome.FAIL),
        (answered(401, {"error": "invalid_client"}), Outcome.FAIL),
        (answered(200, TOKEN), Outcome.PASS),
    ],
)
def test_who_is_shut_out_by_a_bad_list_is_told_so(came: Exchange, expected: Outcome) -> None:
    """Shut out is who is refused, and not who was not heard."""
    assert outcome(list_fetching.bad_whitelist_shuts_nobody_out, token_response=came) is expected


def test_a_source_that_fails_is_not_the_cause_of_too_many_requests() -> None:
    """Other statuses of a balancer are what a gateway without exception 8 shows; they were asked for three times."""
    facts = {"release": RELEASE}
    assert outcome(resource.unreachable_source_is_reported, resource_response=answered(429, endpoint="resource"), **facts) is (
        Outcome.NOT_TESTED
    )
    assert outcome(resource.unreachable_source_is_reported, resource_response=answered(502, endpoint="resource"), **facts) is (
        Outcome.FAIL
    )


def test_the_last_of_three_collections_counts() -> None:
    """After many unfinished requests, room for one is room."""
    unfinished, data = (answered(302),), answered(200, {"resourceType": "Bundle"}, "resource", number=3)
    check = load.unfinished_requests_exhaust_nothing
    assert outcome(check, unfinished=unfinished, reached=(answered(503, number=2), data)) is Outcome.PASS
    assert outcome(check, unfinished=unfinished, reached=(answered(503, number=2),) * 3) is Outcome.FAIL


CUT, REFUSED = ended("reset"), ended("reset", "bad_certificate")


@pytest.mark.parametrize(
    ("answers", "times"),
    [
        ([answered(200)], 1),
        ([answered(500)], 1),
        ([REFUSED], 1),
        ([answered(503), answered(200)], 2),
        ([CUT, answered(429), answered(400)], 3),
        ([CUT, CUT, CUT, answered(200)], 3),
    ],
)
def test_what_may_be_a_balancer_is_asked_up_to_three_times(answers: Sequence[Exchange], times: int) -> None:
    """Whatever the gateway says by itself counts at once."""
    left = iter(answers)
    assert insist(lambda: next(left)) == tuple(answers[:times])


def test_a_word_of_its_own_is_not_asked_for_again() -> None:
    """With a status of a balancer, too."""
    left = iter([answered(503), answered(200)])
    assert insist(lambda: next(left), lambda answer: answer.status == 503) == (answered(503),)


@pytest.mark.parametrize(
    ("came", "counts"),
    [([CUT, answered(200)], answered(200)), ([CUT, CUT, answered(200)], CUT), ([REFUSED, answered(200)], REFUSED)],
)
def test_a_session_that_was_cut_is_tried_twice(came: Sequence[Exchange], counts: Exchange) -> None:
    """One that an alert ended was refused, and one that was cut twice as well."""
    left = iter(came)
    assert _again_if_cut(lambda: next(left)) == counts
