"""OCSP at the start of each session (NET.3, expanded in RFC 6960): what the gateway does with what the responder says.

Proof is twofold: how the session went, and whether the responder was asked. A refusal without a question proves nothing: its reason
is unknown. The finding tells apart who asks nobody, who goes on without an answer (soft fail), and who goes on in spite of one.
An answer that the node sends along in its handshake (stapling) is heard as one that was asked for (AMB.13).
"""

from medmij_conformance.checks import _sessions as sessions_
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.verdict import OWN, CannotJudgeError, Finding, Findings, Outcome, check

_NOBODY_TO_ASK = "names no responder"
_OF_ANOTHER_QUESTION = "of another question"


@check("RFC6960.a", then="the authority is asked about the certificate", twin=OWN, raw=True)
def status_is_asked(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """The responder of the authority is asked about a certificate that was never met, before a session is opened."""
    for session in sessions_.sessions_of(sessions, meeting_facts):
        if session.way != "open":
            raise CannotJudgeError(f"{session.seen}, so that nothing is known of how it would have gone")
        if not session.asked:
            yield Finding(
                expected="a question to the OCSP responder that the certificate names",
                observed=f"{session.seen}, and no question: the status is not checked",
                reading="AMB.13",
            )


@check("RFC6960.c", then="the revoked certificate opens no session", twin=OWN, raw=True)
def revoked_certificate_opens_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A certificate of which its authority says that it was revoked opens no session."""
    yield from _refused(sessions, meeting_facts)


@check("RFC6960.d", then="the certificate that its authority does not know opens no session", twin=OWN, raw=True)
def unknown_certificate_opens_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A certificate of which its authority says that it does not know it opens no session."""
    yield from _refused(sessions, meeting_facts)


@check("RFC6960.e", then="without an answer there is no session", twin=OWN, raw=True)
def without_an_answer_there_is_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """When no answer comes that says anything of the certificate, there is no session (hard fail)."""
    yield from _refused(sessions, meeting_facts)


@check("RFC6960.f", then="the answer of somebody else opens no session", twin=OWN, raw=True)
def answer_of_somebody_else_opens_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A good answer that is not the authority's, not about this certificate, or not to this question, opens no session."""
    yield from _refused(sessions, meeting_facts)


@check("RFC6960.g", then="the answer that is not current opens no session", twin=OWN, raw=True)
def answer_that_is_not_current_opens_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A good answer that has run out, or is not of now, opens no session."""
    yield from _refused(sessions, meeting_facts)


@check("RFC6960.a", then="the revocation is noticed once the good answer has run out", twin=OWN, raw=True)
def revocation_is_noticed_in_time(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """After its nextUpdate a good answer is worth nothing: the next session begins with a new question, and heeds the answer."""
    yield from _refused(sessions, meeting_facts)


def _refused(exchanges: tuple[Exchange, ...], meeting: Observation) -> Findings:
    manner, kind, about = (meeting.facts[name] for name in ("manner", "kind", "about"))
    nobody = about == _NOBODY_TO_ASK

    def judged(session: sessions_.Session) -> tuple[str, Outcome, str] | None:
        if nobody:  # who knows of a responder by itself asks that one
            told = f"{session.seen} with a certificate that {about}, and no question: the gateway went on without an answer"
            return None if session.asked else (told, Outcome.FAIL, "AMB.13")
        if not session.asked and not session.stapled:
            return f"{session.seen}, and no question to the responder: the status is not checked", Outcome.FAIL, "AMB.13"
        if kind == _OF_ANOTHER_QUESTION and session.asked and not session.nonces:
            return None  # without a nonce in the question there was none in the answer: it was a good one
        heard = (
            f"the responder was asked and {manner}" if session.asked else f"by the answer in the handshake the responder {manner}"
        )
        how = "in spite of the answer" if kind in {"revoked", "unknown"} else "without an answer that counts (soft fail)"
        return f"{session.seen}: {heard}, and the gateway went on {how}", Outcome.FAIL, "AMB.13"

    yield from sessions_.refused(exchanges, meeting, open_is=judged, must_have_heard=not nobody)
