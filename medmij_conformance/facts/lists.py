"""The fixtures of the features in which a gateway fetches its lists from the Stelselnode that the harness plays."""

from collections.abc import Iterator

import pytest

from medmij_conformance.cast.collection import Collection
from medmij_conformance.cast.stelselnode import Publisher
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Evidence, Exchange, Observation
from medmij_conformance.meeting import ListGate
from medmij_conformance.target import Offer, Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.watching import Watched


@pytest.fixture
def stelselnode(conformance: Conformance) -> Iterator[Publisher]:
    """MedMij Registratie as the harness plays it; after a scenario in which it published something else, all is as it was."""
    publisher = conformance.publisher
    if publisher is None:
        raise NotSeenError("the target file has no lists.listen: the gateway cannot fetch its lists from the harness")
    yield publisher
    publisher.publish_good()
    conformance.cast.hooks.call("reload_lists")


@pytest.fixture
def list_gate(conformance: Conformance, target: Target) -> ListGate:
    """Where the gateway meets MedMij Registratie, with whatever certificate."""
    cast, publisher = conformance.cast, conformance.publisher
    if publisher is None:
        raise NotSeenError("the target file has no lists.listen: the gateway cannot fetch its lists from the harness")
    return ListGate(cast.office, publisher, cast.hooks, conformance.evidence, target.lists.host)


@pytest.fixture
def reloaded() -> Observation:
    """What the gateway fetched when the vendor told it to."""
    raise NotSeenError("nobody told the gateway to fetch its lists")


@pytest.fixture
def whitelist_fetches(stelselnode: Publisher, evidence: Evidence) -> tuple[Exchange, ...]:
    """The requests of the gateway for the Whitelist in this scenario."""
    return tuple(e for e in stelselnode.fetches(evidence.scenario) if e.endpoint == "whitelist")


@pytest.fixture
def zal_fetches(stelselnode: Publisher, evidence: Evidence) -> tuple[Exchange, ...]:
    """The requests of the gateway for the ZAL in this scenario."""
    return tuple(e for e in stelselnode.fetches(evidence.scenario) if e.endpoint == "zal")


@pytest.fixture
def fetch_times(stelselnode: Publisher, watched_time: Watched) -> Observation:
    """When the gateway fetched each list while it was watched, and until when that was, in seconds from the begin."""
    began, ends = watched_time.began, {"whitelist": watched_time.fine_until, "zal": watched_time.ended}
    times = {
        name: [round(at - began) for which, at in stelselnode.times if which == name and began - 1 <= at <= end + 1]
        for name, end in ends.items()
    }
    return Observation("fetches", {"times": times, "until": {name: round(end - began) for name, end in ends.items()}})


@pytest.fixture
def calls(collection: Collection) -> Observation:
    """How many requests of this collection came on the back channel, and how many FHIR requests were answered with data."""
    delivered = sum(exchange.status == 200 for exchange in collection.seen("resource"))
    return Observation("calls", {"count": len(collection.seen("token", "resource", "other")), "delivered": delivered})


@pytest.fixture
def moved_address(moved_offer: Offer) -> str:
    """The authorization endpoint that the newest ZAL gives."""
    return moved_offer.authorization_endpoint


@pytest.fixture(scope="session")
def gateway_names(target: Target) -> tuple[str, ...]:
    """The node names of the gateway under test."""
    if target.gateway:
        return (target.gateway.hostname,)
    return tuple(dict.fromkeys(offer.token_endpoint.split("/")[2].partition(":")[0] for offer in target.offers))


@pytest.fixture
def clock_of_gateway_moved_s(conformance: Conformance) -> int:
    """How many seconds the clock of the gateway was moved forward to let hours pass."""
    return conformance.watch.moved_s
