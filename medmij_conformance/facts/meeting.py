"""The fixtures of the features of the network layer: where the gateway under test meets a node, and what was seen of it."""

import typing
from urllib.parse import urlsplit

import pytest

from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.cast.dvza import Cast
from medmij_conformance.cast.journey import Journey
from medmij_conformance.cast.registratie import RegistratieCast
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Evidence, Exchange, Observation, Request
from medmij_conformance.meeting import Brief, DvpGate, DvzaGate, Gate, Meeting, RegistratieGate, meet_briefly
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.hooks import Hooks

_RUNS_OUT = "ocsp-noticed"
"""The scenario for which a good answer has to run out first."""


@pytest.fixture(scope="session")
def gate(conformance: Conformance) -> Gate:
    """Where the gateway under test meets our nodes."""
    match conformance.cast:
        case DvpCast() as stage:
            return DvpGate(stage)
        case RegistratieCast() as nodes:
            return RegistratieGate(nodes)
        case cast:
            return DvzaGate(cast)


@pytest.fixture(scope="session")
def begun(gate: Gate, conformance: Conformance) -> list[Brief]:
    """The meeting of which the good answer runs out, begun with the first meeting of all, so that nobody has to wait; none when the
    gateway cannot be met, or nobody will ask for it."""
    if _RUNS_OUT not in conformance.planned:
        return []
    evidence = conformance.evidence
    scenario, evidence.scenario = evidence.scenario, _RUNS_OUT
    try:
        return [meet_briefly(gate)]
    except NotSeenError:
        return []
    finally:
        evidence.scenario = scenario
        conformance.cast.client.allow(conformance.seconds_for_a_scenario())


@pytest.fixture
def meeting() -> Meeting:
    """The meeting of this scenario, which a step brings about."""
    raise NotSeenError("no node has met the gateway")


@pytest.fixture
def sessions(meeting: Meeting) -> tuple[Exchange, ...]:
    """The sessions of the meeting, or what became of them."""
    return meeting.exchanges


@pytest.fixture
def meeting_facts(meeting: Meeting) -> Observation:
    """Who called whom, what was wrong with the certificate, what the responder said, and how often it was asked."""
    return meeting.facts


@pytest.fixture(scope="session")
def vendor(conformance: Conformance) -> Hooks:
    """What the vendor does for us, whatever is under test."""
    return conformance.cast.hooks


@pytest.fixture
def pages(gate: Gate) -> tuple[Exchange, ...]:
    """What a browser without a certificate exchanged in a collection."""
    return gate.collect()


@pytest.fixture
def chains(gate: Gate) -> tuple[Observation, ...]:
    """The certificates that the gateway shows."""
    return gate.chains()


@pytest.fixture
def clear(cast: Cast, target: Target, journey: Journey) -> tuple[Exchange, ...]:
    """What came of an authorization request without TLS."""
    wanted = journey.pgo.authorization_request(journey.offer, journey.scope, journey.pgo.state())
    return _without_tls(cast, wanted, "authorization")


@pytest.fixture
def clear_resource(cast: Cast, journey: Journey) -> tuple[Exchange, ...]:
    """What came of a FHIR request without TLS; its token is none that was issued."""
    wanted = journey.pgo.resource_request(journey.offer, journey.pgo.unknown_credential(), journey.resource_path)
    return _without_tls(cast, wanted.request, "resource")


@pytest.fixture
def clear_lists(nodes: RegistratieCast) -> tuple[Exchange, ...]:
    """What came of requests for the lists without TLS."""
    asked = [nodes.node("pgo").request(which) for which in ("zal", "whitelist")]
    return tuple(came for each in asked for came in _without_tls(nodes, each.request, each.endpoint))


def _without_tls(cast: Cast | RegistratieCast, wanted: Request, endpoint: str) -> tuple[Exchange, ...]:
    """The request in clear text, at the port of the endpoint and, where ``[connect]`` names it, at port 80."""
    parts = urlsplit(wanted.url)
    addresses = [f"http://{parts.hostname}:{port}" for port in (parts.port or 443, 80)]
    sent = []
    for address in addresses:
        url = wanted.url.replace(f"https://{parts.netloc}", address, 1)
        if cast.client.reaches(url):
            request = Request(method=wanted.method, url=url, headers=wanted.headers)
            exchange = Exchange(label="a request without TLS", endpoint=endpoint, request=request, deviation="no TLS")
            sent.append(cast.client.send(exchange))
    return tuple(sent)


@pytest.fixture
def listeners(conformance: Conformance, evidence: Evidence) -> Observation:
    """How connections to the listeners of the ZA gateways began, up to now."""
    stage = typing.cast(DvpCast, conformance.cast)
    contacts = stage.back.contacts
    clear = sum(contact.clear_text for contact in contacts)
    return Observation("listeners", {"sessions": len(contacts) - clear, "clear_text": clear})
