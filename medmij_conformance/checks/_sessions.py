"""What several judges read from a meeting of the gateway with a node whose certificate was minted. Nothing here decides.

A session is open when application data went over it, whatever it said; with TLS 1.3 a client learns only from the answer, or from
its absence, what a server thinks of its certificate.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome

NO_REQUEST = "the session was closed without a request"
"""What is seen of a node that calls, ends the handshake well and asks nothing: a certificate refused, or another plan."""

NOT_AT_WORK = "the gateway was not seen to do what it is for, so that what its handshakes show passes nothing"

_REFUSALS = {400, 401, 403, 495, 496}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session: ``way`` is ``open``, ``refused by HTTP`` or ``refused``.

    ``asked``: how often the responder was asked; ``nonces``: how many of these questions had one; ``stapled``: how often its answer
    went to the gateway in the handshake.
    """

    exchange: Exchange
    we_called: bool
    way: str
    asked: int
    nonces: int
    stapled: int

    @property
    def seen(self) -> str:
        """What was seen, in a few words."""
        exchange = self.exchange
        if self.way == "refused":
            return f"at the {exchange.endpoint} endpoint no session"
        if not self.we_called:
            return f"a request at the {exchange.endpoint} endpoint"
        return f"an answer of the {exchange.endpoint} endpoint with status {exchange.status}"


def sessions_of(exchanges: Iterable[Exchange], meeting: Observation) -> Iterator[Session]:
    """The sessions of a meeting. Raises ``CannotJudgeError`` for one that ended for a reason of its own."""
    facts = meeting.facts
    we_called = facts["caller"] == "harness"
    counts = {name: dict(enumerate(facts[name])) for name in ("asked", "nonces", "stapled")}
    for place, exchange in enumerate(exchanges):
        heard = {name: count.get(place, 0) for name, count in counts.items()}
        yield Session(exchange=exchange, we_called=we_called, way=_way(exchange, we_called=we_called), **heard)


def _way(exchange: Exchange, *, we_called: bool) -> str:
    trouble = exchange.trouble
    if trouble:
        if we_called and not _ended_by_the_other_side(exchange):
            raise CannotJudgeError(f"{exchange.label}: {trouble.kind}: {trouble.detail}")
        return "refused"
    if not we_called:
        return "open"
    status = exchange.status or 0
    if status == 429 or status >= 500:
        raise CannotJudgeError(f"{exchange.label}: status {status} says nothing about the certificate")
    return "refused by HTTP" if status in _REFUSALS or status == 406 else "open"


def _ended_by_the_other_side(exchange: Exchange) -> bool:
    """Whether an alert came, or the end of a connection on which TLS was spoken; what fails on our own side refuses nothing."""
    kind, detail = (exchange.trouble.kind, exchange.trouble.detail) if exchange.trouble else ("", "")
    if kind == "tls":
        return bool(exchange.tls and exchange.tls.alert) or "ALERT" in detail
    return kind == "reset" and exchange.tls is not None


def refused(
    exchanges: Iterable[Exchange],
    meeting: Observation,
    *,
    open_is: Callable[[Session], tuple[str, Outcome, str] | None],
    must_have_heard: bool = False,
) -> Findings:
    """A finding for each session of a meeting that there should not have been.

    ``open_is`` says of an open session what was seen, how bad that is, and by which reading; None: it was right to open it.
    ``must_have_heard``: a refusal proves something only if the responder was asked, or its answer came in the handshake. What fails
    is told even when another session proves nothing.
    """
    findings, unproven = [], ""
    for session in sessions_of(exchanges, meeting):
        if session.way == "open":
            if objection := open_is(session):
                observed, outcome, reading = objection
                findings.append(Finding(expected=NO_SESSION, observed=observed, outcome=outcome, reading=reading))
            continue
        if must_have_heard and not (session.asked or session.stapled):
            unproven = "reason unknown: the session was refused, but the responder was not asked about the certificate"
        elif session.way == "refused by HTTP":
            findings.append(_by_http(session))
    if unproven and not any(finding.outcome is Outcome.FAIL for finding in findings):
        raise CannotJudgeError(unproven)
    yield from findings


NO_SESSION = "no session: no application data is exchanged"


def _by_http(session: Session) -> Finding:
    hint = "a port of its own for the back channel can refuse in the handshake"
    return Finding(expected=NO_SESSION, observed=session.seen, outcome=Outcome.WARNING, hint=hint, reading="AMB.59")
