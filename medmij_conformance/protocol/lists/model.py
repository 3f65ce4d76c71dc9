"""What the lists say, whatever the generation that writes it."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Systeemrol(NamedTuple):
    """A system role that a service offers, with the FHIR base address where it does so."""

    code: str
    resource_endpoint: str


@dataclass(frozen=True)
class Service:
    """A gegevensdienst of one provider, with the addresses of its source."""

    gegevensdienst: str
    authorization_endpoint: str
    token_endpoint: str
    systeemrollen: tuple[Systeemrol, ...]


@dataclass(frozen=True)
class Provider:
    """A zorgaanbieder, ``name@medmij``, and what it offers."""

    name: str
    services: tuple[Service, ...]


@dataclass(frozen=True)
class Zal:
    """Zorgaanbiederslijst: who offers which data where. ``serial`` rises with each publication."""

    timestamp: datetime
    serial: int
    providers: tuple[Provider, ...] = ()


@dataclass(frozen=True)
class Node:
    """A host that may take part in back-channel traffic.

    ``friendly_name`` is what consent pages show of a PGO (empty for a ZA gateway) and ``participant_type`` is ``DVP``, ``DVZA`` or
    empty. Only generation ``metamodel`` writes them; elsewhere the names stand on the OAuthclientlist.
    """

    hostname: str
    friendly_name: str = ""
    participant_type: str = ""


@dataclass(frozen=True)
class Whitelist:
    """The nodes that may talk to one another."""

    timestamp: datetime
    serial: int
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True)
class OAuthClient:
    """A PGO: its host name is its ``client_id``, its organisation the name on consent pages."""

    hostname: str
    organisation: str


@dataclass(frozen=True)
class Ocl:
    """OAuthclientlist: the PGOs."""

    timestamp: datetime
    serial: int
    clients: tuple[OAuthClient, ...] = ()


@dataclass(frozen=True)
class ServiceName:
    """How a gegevensdienst is called in front of people."""

    gegevensdienst: str
    display_name: str


@dataclass(frozen=True)
class Gnl:
    """Gegevensdienstnamenlijst: the names of the services, from generation 1.1."""

    timestamp: datetime
    serial: int
    names: tuple[ServiceName, ...] = ()


AnyList = Zal | Whitelist | Ocl | Gnl

#: Short names of the lists, as in file names of schemas: ``schemas/lists/<generation>/<kind>.xsd``.
KINDS: dict[type[AnyList], str] = {Zal: "zal", Whitelist: "whl", Ocl: "ocl", Gnl: "gnl"}
