"""The fixtures of the features of the network layer, for whatever role is under test."""

from collections.abc import Callable, Mapping

import pytest

from medmij_conformance.cast.collection import Collection
from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.cast.journey import Journey
from medmij_conformance.cast.registratie import RegistratieCast
from medmij_conformance.checks import authorization, registratie, resource, token
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Exchange
from medmij_conformance.judge import Judge
from medmij_conformance.probing import Prober
from medmij_conformance.target import Target
from medmij_conformance.verdict import CannotJudgeError, NotSeenError


@pytest.fixture(scope="session")
def prober(conformance: Conformance) -> Prober:
    """Who probes the endpoints of the gateway."""
    return conformance.prober


@pytest.fixture
def probes(prober: Prober) -> tuple[Exchange, ...]:
    """What the probes saw of every endpoint."""
    return prober.everything()


@pytest.fixture
def back_probes(prober: Prober) -> tuple[Exchange, ...]:
    """What the probes saw of the back channel."""
    return prober.channel("back")


@pytest.fixture
def front_probes(prober: Prober) -> tuple[Exchange, ...]:
    """What the probes saw of the front channel."""
    return prober.channel("front")


@pytest.fixture
def shared_ports(prober: Prober) -> str:
    """The addresses that serve both channels."""
    return prober.shared


def _a_za_gateway_delivers(request: pytest.FixtureRequest) -> None:
    journey: Journey = request.getfixturevalue("journey")
    judge: Judge = request.getfixturevalue("judge")
    judge.require(authorization.code_is_issued, redirect=journey.to_code(), redirect_uri=journey.redirect_uri)
    judge.require(token.token_is_issued, token_response=journey.redeem())
    judge.require(resource.data_is_delivered, resource_response=journey.ask())


def _a_pgo_collects(request: pytest.FixtureRequest) -> None:
    collection: Collection = request.getfixturevalue("collect")()
    collection.collect()
    if not collection.flow.token:
        raise NotSeenError(f"nothing was collected: the browser halted at {collection.halt}")


def _registratie_gives_its_list(request: pytest.FixtureRequest) -> None:
    nodes: RegistratieCast = request.getfixturevalue("nodes")
    judge: Judge = request.getfixturevalue("judge")
    judge.require(registratie.zal_is_given, zal=nodes.ask("zal"))


AT_WORK: Mapping[str, Callable[[pytest.FixtureRequest], None]] = {
    "dvza": _a_za_gateway_delivers,
    "dvp": _a_pgo_collects,
    "registratie": _registratie_gives_its_list,
}
"""Role under test -> sees that it does what it is for, so that not just anything is judged. Raises ``NotSeenError``."""


@pytest.fixture
def at_work(request: pytest.FixtureRequest, target: Target) -> bool:
    """Whether the gateway was seen to do what it is for: without that, what a handshake shows passes nothing."""
    try:
        AT_WORK[target.about.role](request)
    except CannotJudgeError:
        return False
    return True


@pytest.fixture(scope="session")
def tls_edition(target: Target) -> str:
    """The edition of the TLS guideline that the target file names."""
    return target.tls.edition


@pytest.fixture
def client_hellos(stage: DvpCast) -> tuple[Exchange, ...]:
    """The exchanges that hold how the PGO begins a connection to a gateway."""
    if not stage.hellos:
        raise NotSeenError("no ClientHello of the PGO was seen on the back channel")
    return stage.hellos
