"""Hard fail, soft fail and no check are told apart, and a refusal without a question is never a pass."""

from typing import Any

import pytest

from medmij_conformance.checks import ocsp
from medmij_conformance.evidence import Exchange, Observation, Request, Response, Tls, Trouble
from medmij_conformance.verdict import Check, Judgement, Outcome, judge


def session(*, status: int = 0, trouble: str = "tls", alert: str | None = "certificate_revoked") -> Exchange:
    """One of our requests to the resource endpoint; without a status it ended in trouble."""
    return Exchange(
        label="FHIR request",
        endpoint="resource",
        request=Request(method="GET", url="https://za.test/fhir"),
        response=Response(status=status) if status else None,
        trouble=None if status else Trouble(kind=trouble, detail="TLS failed"),
        identity="minted",
        tls=Tls(version="TLSv1.3", alert=alert),
        number=1,
    )


def meeting(*asked: int, **more: Any) -> Observation:
    facts = {"caller": "harness", "about": "", "manner": "asks to try later", "kind": "no answer", "nonces": [], "stapled": []}
    return Observation("meeting", {**facts, "asked": [*asked], **more})


def judged(check: Check, exchange: Exchange, asked: int, **more: Any) -> Judgement:
    return judge(check, {"sessions": (exchange,), "meeting_facts": meeting(asked, **more)})


@pytest.mark.parametrize(
    ("exchange", "asked", "outcome", "words"),
    [
        (session(), 1, Outcome.PASS, ""),
        (session(), 0, Outcome.NOT_TESTED, "reason unknown"),
        (session(status=200), 1, Outcome.FAIL, "soft fail"),
        (session(status=200), 0, Outcome.FAIL, "no question to the responder"),
        (session(status=403), 1, Outcome.WARNING, "status 403"),
        (session(status=403), 0, Outcome.NOT_TESTED, "reason unknown"),
        (session(status=503), 1, Outcome.NOT_TESTED, "says nothing"),
        (session(alert=None), 1, Outcome.NOT_TESTED, "TLS failed"),
        (session(trouble="reset", alert=None), 1, Outcome.PASS, ""),
        (session(trouble="timeout"), 1, Outcome.NOT_TESTED, "timeout"),
    ],
)
def test_without_an_answer(exchange: Exchange, asked: int, outcome: Outcome, words: str) -> None:
    """Only a refusal after a question is a hard fail."""
    seen = judged(ocsp.without_an_answer_there_is_no_session, exchange, asked)
    assert seen.outcome is outcome
    assert words in " ".join([seen.reason, *(finding.observed for finding in seen.findings)])


def test_revoked_and_gone_on() -> None:
    """Who asked and was told goes on in spite of it."""
    seen = judged(ocsp.revoked_certificate_opens_no_session, session(status=200), 1, kind="revoked")
    assert seen.outcome is Outcome.FAIL
    assert "in spite of the answer" in seen.findings[0].observed


def test_a_failure_is_told_although_another_session_proves_nothing() -> None:
    """One endpoint accepts, the other refuses without having asked: the first is a failure."""
    pair = (session(status=200), session())
    seen = judge(ocsp.without_an_answer_there_is_no_session, {"sessions": pair, "meeting_facts": meeting(0, 0)})
    assert seen.outcome is Outcome.FAIL


def test_a_request_that_came_is_a_session() -> None:
    """Towards a PGO our own answer counts for nothing: that it sent a request does."""
    seen = judged(ocsp.status_is_asked, session(status=400), 0, caller="gateway")
    assert seen.outcome is Outcome.FAIL
    assert "status is not checked" in seen.findings[0].observed


def test_asked_in_time_is_a_pass_and_a_refusal_no_proof() -> None:
    """The question has to be asked about a session that is then opened."""
    assert judged(ocsp.status_is_asked, session(status=200), 1).outcome is Outcome.PASS
    assert judged(ocsp.status_is_asked, session(), 1).outcome is Outcome.NOT_TESTED


@pytest.mark.parametrize(
    ("exchange", "asked", "nonces", "outcome"),
    [
        (session(status=200), 1, 1, Outcome.FAIL),
        (session(), 1, 1, Outcome.PASS),
        (session(status=200), 1, 0, Outcome.PASS),
        (session(status=200), 0, 0, Outcome.FAIL),
        (session(), 0, 0, Outcome.NOT_TESTED),
    ],
)
def test_the_nonce_of_another_question(exchange: Exchange, asked: int, nonces: int, outcome: Outcome) -> None:
    """It matters to who has sent one: without a nonce in the question there was none in the answer."""
    check, kind = ocsp.answer_of_somebody_else_opens_no_session, "of another question"
    assert judged(check, exchange, asked, kind=kind, nonces=[nonces]).outcome is outcome


@pytest.mark.parametrize(
    ("exchange", "asked", "outcome"),
    [(session(status=200), 0, Outcome.FAIL), (session(), 0, Outcome.PASS), (session(status=200), 1, Outcome.PASS)],
)
def test_nobody_to_ask(exchange: Exchange, asked: int, outcome: Outcome) -> None:
    """A certificate that names no responder: a refusal needs no question, and who knows the responder by itself has its answer."""
    check, about = ocsp.without_an_answer_there_is_no_session, "names no responder"
    assert judged(check, exchange, asked, about=about, kind="good").outcome is outcome


def test_an_answer_in_the_handshake_is_heard() -> None:
    """A refusal after it is for a known reason, without a question; a session in spite of it is told as what it is."""
    facts = {"caller": "gateway", "kind": "revoked", "manner": "says that it was revoked", "stapled": [1]}
    assert judged(ocsp.revoked_certificate_opens_no_session, session(), 0, **facts).outcome is Outcome.PASS
    assert (
        judged(ocsp.revoked_certificate_opens_no_session, session(), 0, **{**facts, "stapled": [0]}).outcome is Outcome.NOT_TESTED
    )
    seen = judged(ocsp.revoked_certificate_opens_no_session, session(status=400), 0, **facts)
    assert seen.outcome is Outcome.FAIL
    assert "by the answer in the handshake the responder says that it was revoked" in seen.findings[0].observed
