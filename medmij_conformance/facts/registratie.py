"""The fixtures of the features in which MedMij Registratie is under test: the players, and the facts that checks ask for."""

import typing
from datetime import UTC, datetime

import pytest

from medmij_conformance.cast.registratie import RegistratieCast, Registration
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError


@pytest.fixture(scope="session")
def nodes(conformance: Conformance) -> RegistratieCast:
    """The nodes that the harness plays towards MedMij Registratie."""
    return typing.cast(RegistratieCast, conformance.cast)


@pytest.fixture
def received() -> dict[str, Exchange]:
    """What came when somebody asked for a list in this scenario, the last time, by its short name."""
    return {}


@pytest.fixture
def zal(received: dict[str, Exchange]) -> Exchange:
    """The answer to a request for the ZAL."""
    return _seen(received, "zal")


@pytest.fixture
def whitelist(received: dict[str, Exchange]) -> Exchange:
    """The answer to a request for the Whitelist."""
    return _seen(received, "whitelist")


@pytest.fixture
def ocl(received: dict[str, Exchange]) -> Exchange:
    """The answer to a request for the OAuth client list."""
    return _seen(received, "ocl")


def _seen(received: dict[str, Exchange], which: str) -> Exchange:
    if which not in received:
        raise NotSeenError(f"nobody asked for the {which}")
    return received[which]


@pytest.fixture(scope="session")
def list_generation(target: Target) -> str:
    """The form in which the lists are written."""
    return target.lists.generation


@pytest.fixture
def clock_moved_s(conformance: Conformance) -> int:
    """How many seconds the clock of Registratie was moved forward so far."""
    return conformance.watch.moved_s


@pytest.fixture
def change(registered: Registration) -> Observation:
    """What was registered a day ago."""
    at = datetime.fromtimestamp(registered.since + registered.moved_s, UTC)
    facts = {name: getattr(registered, name) for name in ("which", "done", "entry")}
    return Observation("registration", {**facts, "at": at.isoformat(timespec="seconds")})


@pytest.fixture
def earlier_zal(received: dict[str, Exchange]) -> Exchange:
    """The ZAL as it was before."""
    return _seen(received, "earlier zal")


@pytest.fixture
def earlier_whitelist(received: dict[str, Exchange]) -> Exchange:
    """The Whitelist as it was before."""
    return _seen(received, "earlier whitelist")


@pytest.fixture(scope="session")
def known_dvps(target: Target) -> tuple[str, ...]:
    """Our PGO gateway as it is registered: ``hostname=organisation``."""
    return (f"{target.harness.hostname}={target.harness.name}",)


@pytest.fixture(scope="session")
def known_dvzas(target: Target) -> tuple[str, ...]:
    """The host name of our ZA gateway."""
    return (target.harness.other.hostname,) if target.harness.other else ()
