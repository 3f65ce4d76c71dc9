"""Certificates of the other node: which of them open a session. APP.14, NIB A.10.1.1, RFC 6750 5.3, NET.4 and NET.5.

``raw``, because a handshake that ends is just what is looked for. Both directions: a ZA gateway judges the client that comes to
it, a PGO gateway the server that it calls. What only the PKIoverheid profile asks of a certificate is at most a warning here: that
the other node has to check it stands nowhere.
"""

from collections.abc import Callable

from medmij_conformance.checks import _sessions as sessions_
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.verdict import OWN, CannotJudgeError, Finding, Findings, Outcome, check

_FOR_ANOTHER_DIRECTION = {"harness": "is for servers only", "gateway": "is for clients only"}
_UNSURE = {
    "has a key for signing certificates only": "the use of a key for TLS asks for digitalSignature (RFC 5280 4.2.1.3)",
    "has a key for signing documents only": "the use of a key for TLS asks for digitalSignature (RFC 5280 4.2.1.3)",
    "is that of an authority": "a node is no authority",
    "has a key of 1024 bits": "PKIoverheid asks for 2048 bits or more",
}
_COMMON_NAME = "in its subject"
NO_REQUEST_ADVICE = "whether the certificate was refused, or the PGO collects at another time (wait_s in [outcome]), is not known"


@check("RFC6960.b", then="the good certificate opens a session", accepts=OWN, raw=True)
def good_certificate_opens_a_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A certificate that is in order, and of which its authority says so, opens a session."""
    yield from _opens(sessions, meeting_facts)


@check("RFC6960.b", then="the good answer in another form opens a session", twin=OWN, contrast=True, raw=True)
def good_answer_in_another_form_opens_a_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """An answer signed by the authority itself, or without a nonce, is a good answer."""
    yield from _opens(sessions, meeting_facts)


@check("NET.2", then="the unusual certificate opens a session", twin=OWN, contrast=True, raw=True)
def unusual_certificate_opens_a_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A certificate that is in order opens a session, whatever of it is unusual."""
    yield from _opens(sessions, meeting_facts)


@check("NET.4", then="the renewed certificate opens a session as well", twin=OWN, contrast=True, raw=True)
def renewed_certificate_opens_a_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A second certificate of the same node, with another key, opens a session as the first did."""
    yield from _opens(sessions, meeting_facts)


@check("APP.14", "NIB.A.10.1.1c", then="the invalid certificate opens no session", twin=OWN, raw=True)
def invalid_certificate_opens_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A certificate that is not valid, or whose chain is not, opens no session."""
    yield from sessions_.refused(sessions, meeting_facts, open_is=_plainly_wrong(meeting_facts))


@check("NIB.A.10.1.1c", then="the certificate for another use opens no session", twin=OWN, raw=True)
def certificate_for_another_use_opens_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A certificate or a key that is for something else opens no session."""
    about = meeting_facts.facts["about"]
    reading = "AMB.48" if about == _FOR_ANOTHER_DIRECTION[meeting_facts.facts["caller"]] else ""

    def judged(session: sessions_.Session) -> tuple[str, Outcome, str]:
        unsure = about in _UNSURE or (reading and meeting_facts.facts["caller"] == "harness")
        because = f" ({_UNSURE[about]})" if about in _UNSURE else ""
        return f"{session.seen} with a certificate that {about}{because}", Outcome.WARNING if unsure else Outcome.FAIL, reading

    yield from sessions_.refused(sessions, meeting_facts, open_is=judged)


@check("NET.5a", "NET.5b", then="the certificate of another node opens no session", twin=OWN, raw=True)
def certificate_of_another_node_opens_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A node of which no dNSName stands on the Whitelist, and is not that of the node that was called, opens no session."""
    about = meeting_facts.facts["about"]

    def judged(session: sessions_.Session) -> tuple[str, Outcome, str]:
        by_subject = _COMMON_NAME in about
        return f"{session.seen} with a certificate that {about}", Outcome.WARNING if by_subject else Outcome.FAIL, "AMB.14"

    yield from sessions_.refused(sessions, meeting_facts, open_is=judged)


@check("UCI-WL.1", then="no list is asked of another node", twin=OWN, raw=True)
def no_list_is_asked_of_another_node(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """Who answers in the place of MedMij Registratie with the certificate of another node is asked for no list."""
    yield from sessions_.refused(sessions, meeting_facts, open_is=_plainly_wrong(meeting_facts))


@check("RFC6750.5.3b", "RFC6819.4.2.1a", then="no data is asked for over the session", twin=OWN, raw=True)
def resource_server_is_validated(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """A resource server whose certificate is not valid, or is another's, is asked for nothing."""
    yield from sessions_.refused(sessions, meeting_facts, open_is=_plainly_wrong(meeting_facts))


def _plainly_wrong(meeting: Observation) -> Callable[[sessions_.Session], tuple[str, Outcome, str]]:
    return lambda session: (f"{session.seen} with a certificate that {meeting.facts['about']}", Outcome.FAIL, "")


def _opens(exchanges: tuple[Exchange, ...], meeting: Observation) -> Findings:
    for session in sessions_.sessions_of(exchanges, meeting):
        if session.way == "refused":
            trouble = session.exchange.trouble
            if trouble and trouble.detail == sessions_.NO_REQUEST:
                raise CannotJudgeError(f"{NO_REQUEST_ADVICE}: {trouble.detail}")
            yield Finding(expected="a session", observed=f"{session.seen}: {trouble.detail if trouble else ''}")
        elif session.way == "refused by HTTP" or (meeting.facts["caller"] == "harness" and session.exchange.status != 200):
            yield Finding(expected="a session in which what is asked is done", observed=session.seen)
    if not exchanges:
        raise CannotJudgeError("there was no session")
