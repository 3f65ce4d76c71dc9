"""Who may speak on the back channel: listed nodes with a certificate of the right authority. APP.14, RFC 6749 3.2.1.

Where one port serves both channels, a certificate can only be asked for, and its absence refused by HTTP: the other reading of
AMB.20 and AMB.59. ``raw``, because a handshake that ends is just what is looked for.
"""

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import fhir
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

_REFUSALS = {400, 401, 403, 495, 496}


@check("APP.14", then="the token endpoint refuses the connection without a certificate", twin="token", raw=True)
def token_endpoint_demands_a_certificate(token_response: Exchange) -> Findings:
    """Without a client certificate nothing reaches the token endpoint."""
    yield from _ends_in_the_handshake(token_response)


@check(
    "NIB.A.10.1.1c",
    then="the resource endpoint refuses the connection without a certificate",
    twin="resource",
    raw=True,
)
def resource_endpoint_demands_a_certificate(resource_response: Exchange) -> Findings:
    """Without a client certificate nothing reaches the resource endpoint."""
    yield from _ends_in_the_handshake(resource_response)


@check("APP.14", then="the token endpoint refuses the certificate of an unknown authority", twin="token", raw=True)
def token_endpoint_knows_its_authorities(token_response: Exchange) -> Findings:
    """A certificate that bears the PGO's name, and that no trusted authority has issued, does not reach the token endpoint."""
    yield from _ends_in_the_handshake(token_response)


@check(
    "NIB.A.10.1.1c",
    then="the resource endpoint refuses the certificate of an unknown authority",
    twin="resource",
    raw=True,
)
def resource_endpoint_knows_its_authorities(resource_response: Exchange) -> Findings:
    """A certificate that bears the PGO's name, and that no trusted authority has issued, does not reach the resource endpoint."""
    yield from _ends_in_the_handshake(resource_response)


@check("RFC6749.3.2.1", then="the node on no list gets no token", twin="token", raw=True)
def unlisted_node_gets_no_token(token_response: Exchange) -> Findings:
    """A node that stands on no list gets no token, whatever client it names, though its certificate is good."""
    if _was_turned_away(token_response):
        return
    observed = "a token" if "access_token" in read.members(token_response) else f"status {token_response.status}"
    yield Finding(expected="a refusal", observed=observed)


@check("NIB.A.10.1.1c", then="the node on no list gets no data", twin="resource", raw=True)
def unlisted_node_gets_no_data(resource_response: Exchange) -> Findings:
    """A node that stands on no list gets no data, with whatever token, though its certificate is good."""
    if _was_turned_away(resource_response):
        return
    held = fhir.resources(read.response(resource_response).body)
    yield Finding(expected="a refusal", observed=f"data ({held[0]})" if held else f"status {resource_response.status}")


def _was_turned_away(exchange: Exchange) -> bool:
    """Refused in the handshake or by HTTP. Raises ``CannotJudgeError`` when the connection failed for another reason."""
    if exchange.trouble:
        _judge_trouble(exchange)
        return True
    status = exchange.status or 0
    if status == 429 or status >= 500:
        raise CannotJudgeError(f"{exchange.label}: status {status} says nothing about the node")
    return status >= 400


def _ends_in_the_handshake(exchange: Exchange) -> Findings:
    if exchange.trouble:
        _judge_trouble(exchange)
        return
    read.refuse_load_shedding(exchange)
    refused = exchange.status in _REFUSALS
    yield Finding(
        expected="the handshake ends without application data",
        observed=f"an answer with status {exchange.status or 0}",
        outcome=Outcome.WARNING if refused else Outcome.FAIL,
        hint="a port of its own for the back channel can refuse in the handshake" if refused else "",
        reading="AMB.20" if refused else "",
    )


def _judge_trouble(exchange: Exchange) -> None:
    """Raise ``CannotJudgeError`` when the connection did not end as a handshake that is refused."""
    trouble = exchange.trouble
    if trouble and (trouble.kind not in {"tls", "reset"} or (exchange.tls is None and trouble.kind == "reset")):
        raise CannotJudgeError(f"{exchange.label}: {trouble.kind}: {trouble.detail}")
