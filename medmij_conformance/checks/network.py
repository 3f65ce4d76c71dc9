"""Who is spoken to, and how: the Whitelist (NET.5), browsers, and nothing without TLS (NET.R1, RFC 6750 5.3, RFC 6819 4.2.1)."""

from urllib.parse import urlsplit

from medmij_conformance.checks import _reading as read
from medmij_conformance.checks import _sessions as sessions_
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.protocol.outcome import matching
from medmij_conformance.verdict import OWN, CannotJudgeError, Finding, Findings, Outcome, check

_BACK = {"token", "resource", "other"}
_PROVES_NOTHING = {"timeout", "silent-endpoint", "out-of-time", "not-allowed", "connect"}


@check("NET.5a", then="the node that was taken off the list opens no session", twin=OWN, raw=True)
def node_taken_off_the_list_opens_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """From the newest Whitelist on, a node that it no longer names opens no session."""
    yield from sessions_.refused(
        sessions,
        meeting_facts,
        open_is=lambda session: (f"{session.seen}, with a node that the newest list does not name", Outcome.FAIL, "AMB.14"),
    )


@check("NET.5a", then="without a list there is no session", twin=OWN, raw=True)
def without_a_list_there_is_no_session(sessions: tuple[Exchange, ...], meeting_facts: Observation) -> Findings:
    """When the Whitelist cannot be had it is not known who is listed. That the one before goes on counting is the other reading."""
    yield from sessions_.refused(
        sessions,
        meeting_facts,
        open_is=lambda session: (f"{session.seen}: the list before it still counts", Outcome.WARNING, "AMB.14"),
    )


@check("NET.5b", "UCI-WL.1", then="nothing is sent to the node that is on no list", twin="collection", raw=True)
def nothing_is_sent_to_an_unlisted_node(
    traffic: tuple[Exchange, ...], last_page: Exchange, outcome_texts: tuple[str, ...]
) -> Findings:
    """No code and no token goes to a ZA gateway that the Whitelist does not name, and nobody is told that all is well."""
    for exchange in traffic:
        if exchange.endpoint in _BACK:
            observed = f"{exchange.label} (exchange {exchange.number})"
            yield Finding(expected="nothing is sent to the ZA gateway", observed=observed, reading="AMB.14")
            return
    if last_page.response is None:
        raise CannotJudgeError("the last page was not seen")
    texts = dict(text.partition("=")[::2] for text in outcome_texts)
    if "collected" in matching(texts, last_page.response.body, last_page.request.url):
        yield Finding(expected="a page that does not say that the data was collected", observed=read.described(last_page))


@check("NET.5c", then="no page asks the browser for a certificate", raw=True)
def browser_needs_no_certificate(pages: tuple[Exchange, ...], shared_ports: str, at_work: bool) -> Findings:
    """The person's browser has no certificate, and is not asked for one."""
    found = False
    for exchange in pages:
        if exchange.trouble and exchange.trouble.kind in _PROVES_NOTHING:
            raise CannotJudgeError(f"{exchange.label}: {exchange.trouble.kind}: {exchange.trouble.detail}")
        demanded = exchange.tls is not None and (exchange.tls.certificate_requested or exchange.tls.alert == "certificate_required")
        if not demanded:
            continue
        found = True
        place = urlsplit(exchange.request.url)
        shared = f"https://{place.hostname}:{place.port or 443}" in shared_ports.split()
        yield Finding(
            expected="a session without a certificate of the browser",
            observed=f"{place.hostname}:{place.port or 443} asks for one",
            outcome=Outcome.WARNING if shared and not exchange.trouble else Outcome.FAIL,
            reading="AMB.59" if shared else "",
        )
    if not found and not at_work:
        raise CannotJudgeError(sessions_.NOT_AT_WORK)
        return
    if not any(exchange.status and exchange.tls for exchange in pages):
        raise CannotJudgeError("no page was seen")


@check("NET.R1", then="nothing of all this goes in clear text", raw=True)
def nothing_goes_in_clear_text(traffic: tuple[Exchange, ...], at_work: bool) -> Findings:
    """Every address that a browser or a gateway goes to in a collection is one of https."""
    leads = [(exchange, to) for exchange in traffic for to in (exchange.request.url, read.location(exchange))]
    clear = [(exchange, to) for exchange, to in leads if to.lower().startswith("http:")]
    for exchange, to in clear[:1]:
        observed = f"{exchange.label} leads to {to.partition('?')[0]} (exchange {exchange.number})"
        yield Finding(expected="TLS for everything", observed=observed)
    if not clear and not (at_work and any(exchange.status and exchange.tls for exchange in traffic)):
        raise CannotJudgeError(sessions_.NOT_AT_WORK)


@check("NET.R1", then="there is no list without TLS", twin=OWN, raw=True)
def list_needs_tls(clear_lists: tuple[Exchange, ...]) -> Findings:
    """Asked without TLS, MedMij Registratie gives no list: nothing, an error of HTTP, or a redirect to https."""
    yield from _in_clear_text(clear_lists)


@check("RFC6819.4.2.1a", then="there is no page without TLS", twin="authorization", raw=True)
def page_needs_tls(clear: tuple[Exchange, ...]) -> Findings:
    """Asked for without TLS, the authorization endpoint gives no page: nothing, an error, or a redirect to https."""
    yield from _in_clear_text(clear)


@check("RFC6750.5.3c", then="there is no data without TLS", twin="resource", raw=True)
def data_needs_tls(clear_resource: tuple[Exchange, ...]) -> Findings:
    """Asked without TLS, the resource server speaks no FHIR: nothing, an error of HTTP, or a redirect to https."""
    yield from _in_clear_text(clear_resource)


@check("RFC6750.5.3c", then="no request comes without TLS", raw=True)
def requests_come_over_tls(listeners: Observation, at_work: bool) -> Findings:
    """Everything that the PGO sends to a ZA gateway begins with a TLS handshake."""
    if listeners.facts["clear_text"]:
        yield Finding(expected="TLS from the first octet on", observed=f"{listeners.facts['clear_text']} connections in clear text")
    elif not (at_work and listeners.facts["sessions"]):
        raise CannotJudgeError(sessions_.NOT_AT_WORK)


def _in_clear_text(exchanges: tuple[Exchange, ...]) -> Findings:
    for exchange in exchanges:
        if exchange.trouble:
            if exchange.trouble.kind in _PROVES_NOTHING:
                raise CannotJudgeError(f"{exchange.label}: {exchange.trouble.kind}: {exchange.trouble.detail}")
            continue
        status = exchange.status or 0
        if status == 429 or status >= 500:
            raise CannotJudgeError(f"{exchange.label}: status {status} says nothing about TLS")
        to = read.location(exchange)
        safe = to.lower().startswith("https://") if to else status in {400, 403, 404, 410, 421, 426}
        if not safe:
            yield Finding(expected="nothing, an error of HTTP, or a redirect to https", observed=read.described(exchange))
