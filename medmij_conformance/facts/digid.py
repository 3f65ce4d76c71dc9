"""The fixtures of the features about DigiD: the player, and the facts that its checks ask for by name."""

import pytest

from medmij_conformance.cast.digid import DigidDesk
from medmij_conformance.cast.dvza import Cast
from medmij_conformance.cast.journey import Journey
from medmij_conformance.counterparties.digid import LOGIN_PAGE, Login
from medmij_conformance.evidence import Evidence, Exchange, Observation
from medmij_conformance.protocol import saml
from medmij_conformance.verdict import NotSeenError


@pytest.fixture(scope="session")
def digid(cast: Cast) -> DigidDesk:
    """DigiD, as the harness plays it."""
    if cast.digid is None:
        raise NotSeenError("the harness plays no DigiD for this target: login.mode is another")
    return cast.digid


def _not_reached(journey: Journey) -> str:
    """That no AuthnRequest came, and where the person was sent in place of the DigiD that the harness plays."""
    visit = journey.visits[-1] if journey.visits else None
    said = "no AuthnRequest of this collection reached DigiD"
    if visit is None or visit.stopped != "unknown host":
        return said
    where = visit.location.partition("?")[0]
    return f"{said}: the gateway sends the person to {where}, and what it says to another is not judged (AMB.61)"


def login_of(digid: DigidDesk, journey: Journey) -> Login:
    """The login that a collection has come to. Raises ``NotSeenError`` when none was begun."""
    logins = digid.logins(journey.exchanges)
    if not logins:
        raise NotSeenError(_not_reached(journey))
    return logins[-1]


@pytest.fixture
def authn_request(digid: DigidDesk, journey: Journey) -> Exchange:
    """The exchange that brought this collection's AuthnRequest to DigiD."""
    requests = digid.requests(journey.exchanges)
    if not requests:
        raise NotSeenError(_not_reached(journey))
    return requests[0]


@pytest.fixture
def signatures(digid: DigidDesk, journey: Journey, evidence: Evidence) -> Observation:
    """What is wrong with the signatures of this collection's messages, verified as they came in; empty where nothing is."""
    login, masked = login_of(digid, journey), evidence.redactor.text
    found = {"authn_request": masked(login.signature), "algorithm": masked(login.algorithm)}
    return Observation("signatures", {**found, "artifact_resolves": [masked(fault) for fault in login.resolves]})


@pytest.fixture
def artifact_resolve(digid: DigidDesk, journey: Journey) -> Exchange:
    """The exchange in which the gateway came for the result of this collection's login."""
    exchanges = digid.resolved(login_of(digid, journey))
    if not exchanges:
        raise NotSeenError("the gateway did not come to DigiD for the result of the login")
    return exchanges[0]


@pytest.fixture
def resolved(digid: DigidDesk, journey: Journey) -> Observation:
    """The numbers of the exchanges in which the gateway came for the results of this collection's logins."""
    logins = digid.logins(journey.exchanges)
    return Observation("resolved", {"numbers": [e.number for login in logins for e in digid.resolved(login)]})


@pytest.fixture
def digid_certificate(digid: DigidDesk, journey: Journey) -> Observation:
    """What DigiD did in place of proving who it is, and, of a minted certificate, how the responder speaks of it and was asked."""
    login = login_of(digid, journey)
    return Observation("digid_certificate", {"about": login.deviation, **digid.status_of(login)})


@pytest.fixture
def trapped(digid: DigidDesk, evidence: Evidence) -> Observation:
    """The numbers of the exchanges that only a hostile answer can have brought about, in this scenario."""
    return Observation("trapped", {"numbers": [e.number for e in digid.trapped if e.scenario == evidence.scenario]})


@pytest.fixture
def artifact(digid: DigidDesk, journey: Journey) -> str:
    """The artifact of this collection's login."""
    return login_of(digid, journey).artifact


@pytest.fixture(scope="session")
def digid_page() -> str:
    """The selector of DigiD's login page."""
    return LOGIN_PAGE


@pytest.fixture(scope="session")
def sp_entity_id(digid: DigidDesk) -> str:
    """The entityID of the gateway's metadata."""
    return digid.player.sp.entity_id


@pytest.fixture(scope="session")
def consumers(digid: DigidDesk) -> tuple[str, ...]:
    """Where artifacts may go by the gateway's metadata, each as index and address."""
    return tuple(f"{index} {address}" for index, address in digid.player.sp.consumers.items())


@pytest.fixture(scope="session")
def sso_address(digid: DigidDesk) -> str:
    """Where DigiD takes AuthnRequests."""
    return f"{digid.player.front_address}{saml.REQUEST}"


@pytest.fixture(scope="session")
def least_level(digid: DigidDesk) -> str:
    """The least level of assurance that the target file wants."""
    return digid.table.level


@pytest.fixture
def client_id(journey: Journey) -> str:
    """The client id of this scenario's authorization request."""
    return journey.pgo.client_id
