"""What a gateway makes of a DigiD that is silent, slow or unproven: how long is too long, and which refusal proves what."""

from typing import Any

import pytest

from medmij_conformance.checks import digid
from medmij_conformance.evidence import Exchange, Observation, Request, Response, Trouble
from medmij_conformance.requirements import release
from medmij_conformance.verdict import Judgement, Outcome, judge

BACK = "https://pgo.harness.test/cb"
FACTS = {"redirect_uri": BACK, "known_pages": ("form#consent",), "release": release("1.0")}
REVOKED = {"about": "shows a certificate that was revoked", "manner": "says that it was revoked"}


def came_back(query: str = "error=unauthorized_client&state=s", *, after_s: float = 1.0, trouble: str = "") -> Exchange:
    """The browser comes back from DigiD, and the gateway sends it to the PGO, so many seconds later; or with trouble."""
    return Exchange(
        label="back from DigiD",
        endpoint="page",
        request=Request(method="GET", url="https://za.harness.test/saml/acs?SAMLart=x"),
        response=None if trouble else Response(status=303, headers=(("Location", f"{BACK}?{query}"),)),
        trouble=Trouble(kind=trouble, detail="no complete answer within 60 s") if trouble else None,
        started=100.0,
        finished=100.0 + after_s,
        number=1,
    )


def proof(exchange: Exchange, resolves: tuple[int, ...] = (), **certificate: Any) -> Judgement:
    """What the check of an unproven DigiD makes of it."""
    resolved = Observation("resolved", {"numbers": list(resolves)})
    facts = {**FACTS, "resolved": resolved, "digid_certificate": Observation("digid_certificate", certificate)}
    return judge(digid.unproven_digid_is_not_spoken_to, {"redirect": exchange, **facts})


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (came_back(after_s=5), Outcome.PASS),
        (came_back(after_s=30), Outcome.PASS),
        (came_back(after_s=45), Outcome.WARNING),
        (came_back(after_s=75), Outcome.FAIL),
        (came_back(after_s=60, trouble="timeout"), Outcome.FAIL),
        (came_back(after_s=3, trouble="out-of-time"), Outcome.NOT_TESTED),
        (came_back(after_s=3, trouble="reset"), Outcome.NOT_TESTED),
        (came_back("code=c&state=s", after_s=5), Outcome.FAIL),
    ],
)
def test_a_person_hears_of_a_silent_digid_in_time(exchange: Exchange, expected: Outcome) -> None:
    """Half a minute is long, a minute too long; what ended our own side's time says nothing."""
    assert judge(digid.broken_answer_is_refused, {"redirect": exchange, **FACTS}).outcome is expected


def test_a_revoked_digid_counts_only_when_it_was_asked_about() -> None:
    """A refusal without a question to the responder has a reason that nobody knows; a result that was fetched fails either way."""
    assert proof(came_back(), asked=1, **REVOKED).outcome is Outcome.PASS
    unknown = proof(came_back(), asked=0, **REVOKED)
    assert (unknown.outcome, "was not asked" in unknown.reason) == (Outcome.NOT_TESTED, True)
    for asked in (0, 1):
        judgement = proof(came_back(), (7,), asked=asked, **REVOKED)
        assert judgement.outcome is Outcome.FAIL
        assert f"asked {asked} times" in judgement.findings[-1].observed
    assert proof(came_back("code=c&state=s"), asked=0, **REVOKED).outcome is Outcome.FAIL


def test_another_unproven_digid_needs_no_question() -> None:
    """Whether the responder is asked about a certificate that has expired, or that is nobody's, is not looked at."""
    expired = {"about": "shows a certificate that has expired", "manner": "says that it is good", "asked": 0}
    assert proof(came_back(), **expired).outcome is Outcome.PASS
    assert proof(came_back(), about="shows a certificate that nobody vouches for").outcome is Outcome.PASS
    assert proof(came_back(), (7,), **expired).outcome is Outcome.FAIL
