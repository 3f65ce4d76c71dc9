"""The fixtures of the features in which a PGO gateway is under test: the players, and the facts that checks ask for by name."""

import typing
from collections.abc import Callable

import pytest

from medmij_conformance.cast.collection import Collection
from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.checks import _reading as read
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Evidence, Exchange, Observation
from medmij_conformance.protocol import oauth
from medmij_conformance.target import Outcome, Target
from medmij_conformance.verdict import NotSeenError

Collect = Callable[..., Collection]

# --- the players ---


@pytest.fixture(scope="session")
def stage(conformance: Conformance) -> DvpCast:
    """Everybody the harness plays towards the PGO gateway."""
    return typing.cast(DvpCast, conformance.cast)


@pytest.fixture
def collect(stage: DvpCast) -> Collect:
    """Begins a new collection."""
    return stage.collection


@pytest.fixture
def collection() -> Collection:
    """The collection of this scenario, which a step begins."""
    raise NotSeenError("no collection was begun")


# --- what was seen of the scenario's collection ---


@pytest.fixture
def authorization_requests(collection: Collection) -> tuple[Exchange, ...]:
    """What came to the authorization endpoint."""
    return _some(collection, "authorization request", collection.seen("authorization"))


@pytest.fixture
def authorization_request(authorization_requests: tuple[Exchange, ...]) -> Exchange:
    """The authorization request."""
    return authorization_requests[0]


@pytest.fixture
def token_requests(collection: Collection) -> tuple[Exchange, ...]:
    """What came to the token endpoint."""
    return _some(collection, "token request", collection.seen("token"))


@pytest.fixture
def token_request(token_requests: tuple[Exchange, ...]) -> Exchange:
    """The token request."""
    return token_requests[0]


@pytest.fixture
def resource_requests(collection: Collection) -> tuple[Exchange, ...]:
    """What came to the FHIR server, and to addresses of ours that are in no list."""
    return _some(collection, "FHIR request", collection.seen("resource", "other"))


@pytest.fixture
def between(collection: Collection) -> tuple[Exchange, ...]:
    """Everything that went between the gateways."""
    return _some(collection, "token request", collection.seen("token", "resource", "other"))


@pytest.fixture
def browsed(collection: Collection) -> tuple[Exchange, ...]:
    """Everything that a browser of ours exchanged; neither what a program said nor what an operator told."""
    every = (exchange for visit in collection.visits for exchange in visit.exchanges)
    return tuple(exchange for exchange in every if exchange.endpoint not in {"said", "told"})


@pytest.fixture
def last_page(collection: Collection) -> Exchange:
    """The last page that the person sees of a collection that came as far as the ZA gateway."""
    if not collection.flow.marker:
        raise NotSeenError(f"no authorization request came: the browser halted at {collection.halt}")
    return collection.last_page


@pytest.fixture
def restart_page(collection: Collection) -> Exchange:
    """The last page that the person sees when she starts again."""
    return collection.last_page


@pytest.fixture
def issued_code(collection: Collection) -> str:
    """The code that the ZA gateway issued."""
    return _said(collection.flow.code, "code")


@pytest.fixture
def issued_token(collection: Collection) -> str:
    """The token that the ZA gateway issued."""
    return _said(collection.flow.token, "token")


@pytest.fixture
def states(stage: DvpCast) -> Observation:
    """How the states differ of all collections, counted before they were redacted."""
    return Observation("states", oauth.state_statistics([c.flow.state for c in stage.collections if c.flow.state]))


@pytest.fixture
def marker(collection: Collection) -> str:
    """What stands in every resource that the ZA gateway delivered in this collection."""
    return _said(collection.flow.marker, "authorization response")


@pytest.fixture
def chosen(collection: Collection) -> tuple[str, ...]:
    """The care provider and the data service that the person chose."""
    return (collection.offer.zorgaanbieder, collection.offer.gegevensdienst)


@pytest.fixture
def begun_at(collection: Collection) -> str:
    """When this scenario's collection began, to the second."""
    return collection.visits[0].exchanges[0].at[:19]


@pytest.fixture
def both_pages(both: tuple[Collection, ...]) -> tuple[Exchange, ...]:
    """The last pages of two collections that went on at once."""
    return tuple(collection.last_page for collection in both)


@pytest.fixture
def both_between(both: tuple[Collection, ...]) -> tuple[Exchange, ...]:
    """What went between the gateways in them."""
    return tuple(exchange for collection in both for exchange in collection.seen("token", "resource", "other"))


@pytest.fixture
def both_bases(both: tuple[Collection, ...]) -> tuple[str, ...]:
    """For each of them its number, and the addresses of the ZAL, with spaces between: number, token and resource endpoint."""
    return tuple(f"{c.flow.number} {c.offer.token_endpoint} {c.offer.resource_endpoint}" for c in both)


@pytest.fixture
def choices(every: tuple[Collection, ...]) -> tuple[Exchange, ...]:
    """The authorization requests of collections from every offer."""
    return tuple(_some(collection, "authorization request", collection.seen("authorization"))[0] for collection in every)


@pytest.fixture
def own_addresses(every: tuple[Collection, ...]) -> tuple[str, ...]:
    """The addresses that the ZAL gives for them, in the same order."""
    return tuple(collection.offer.authorization_endpoint for collection in every)


@pytest.fixture
def traffic(evidence: Evidence) -> tuple[Exchange, ...]:
    """Everything of this scenario: what the browser exchanged, and what went between the gateways."""
    return evidence.of_scenario(evidence.scenario)


@pytest.fixture
def strange_codes(collection: Collection) -> tuple[str, ...]:
    """The codes that came back in a way that the PGO must not accept; by default that of the scenario's collection."""
    return (_said(collection.flow.code, "code"),)


@pytest.fixture
def markup_sent(collection: Collection) -> str:
    """The markup that the ZA gateway put into its answer."""
    return f"<script>{collection.flow.marker}</script>"


@pytest.fixture
def exception_names() -> tuple[str, ...]:
    """The exceptions that have to be told apart, in the order of their pages."""
    return ("2", "3", "4", "5", "6", "7", "8")


@pytest.fixture
def delivery_names() -> tuple[str, ...]:
    """The exceptions of which the cause has to be told, in the order of their pages."""
    return ("6", "7", "8")


@pytest.fixture
def exception_pages(stage: DvpCast, exception_names: tuple[str, ...]) -> tuple[Exchange, ...]:
    """The last page of a collection that ended in each of these exceptions."""
    return tuple(stage.ended_in(number).last_page for number in exception_names)


@pytest.fixture
def delivery_pages(stage: DvpCast, delivery_names: tuple[str, ...]) -> tuple[Exchange, ...]:
    """The last page of a collection that ended in each of these exceptions."""
    return tuple(stage.ended_in(number).last_page for number in delivery_names)


@pytest.fixture
def watched(stage: DvpCast) -> tuple[Exchange, ...]:
    """Everything of the collections that were stopped, also what came after their end."""
    return tuple(exchange for collection in stage.stopped for exchange in collection.exchanges)


def _some(collection: Collection, what: str, found: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    if not found:
        raise NotSeenError(f"no {what} came: the browser halted at {collection.halt}")
    return found


def _said(value: str, what: str) -> str:
    if not value:
        raise NotSeenError(f"no {what} was issued")
    return value


# --- facts of the target file ---


@pytest.fixture
def zal_authorization_endpoint(collection: Collection) -> str:
    """The authorization endpoint that the ZAL gives for what was chosen."""
    return collection.offer.authorization_endpoint


@pytest.fixture
def zal_token_endpoint(collection: Collection) -> str:
    """The token endpoint that the ZAL gives for what was chosen."""
    return collection.offer.token_endpoint


@pytest.fixture
def zal_resource_endpoint(collection: Collection) -> str:
    """The resource endpoint that the ZAL gives for what was chosen."""
    return collection.offer.resource_endpoint


@pytest.fixture
def wanted_scopes(collection: Collection, target: Target) -> tuple[str, ...]:
    """The scopes by which the chosen service may be asked for."""
    return (target.scope(collection.offer),)


@pytest.fixture(scope="session")
def gateway_hostname(target: Target) -> str:
    """The node name of the PGO gateway."""
    return target.gateway.hostname if target.gateway else ""


@pytest.fixture(scope="session")
def gateway_redirect_uri(target: Target) -> str:
    """The redirect URI of the PGO gateway."""
    return target.gateway.redirect_uri if target.gateway else ""


@pytest.fixture
def earlier_ended(stage: DvpCast, outcome_texts: tuple[str, ...]) -> bool:
    """Whether each undisturbed collection so far that came to a token was seen to end; if not, it may still be going on."""
    undisturbed = [c for c in stage.collections if c.flow.token and not c.flow.deviation and c.visits]
    return all(read.outcomes(c.last_page, outcome_texts) for c in undisturbed if c.last_page.response)


@pytest.fixture(scope="session")
def outcome_texts(target: Target) -> tuple[str, ...]:
    """How the PGO shows what came of a collection: ``name=text``."""
    outcome: Outcome | None = target.outcome
    return tuple(f"{name}={text}" for name, text in outcome.texts.items()) if outcome else ()
