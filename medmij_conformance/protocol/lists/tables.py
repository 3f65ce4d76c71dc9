"""The generations of the lists as tables. Another generation is another table here, and a schema for each of its lists."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NamedTuple

from medmij_conformance.protocol.lists.forms import Form, Many, Record, Text
from medmij_conformance.protocol.lists.model import (
    AnyList,
    Gnl,
    Node,
    OAuthClient,
    Ocl,
    Provider,
    Service,
    ServiceName,
    Systeemrol,
    Whitelist,
    Zal,
)
from medmij_conformance.protocol.lists.places import SPACE

# --- values ----------------------------------------------------------------------------------------------------------


def _timestamp_text(timestamp: datetime) -> str:
    if timestamp.tzinfo is None:
        raise ValueError("the timestamp of a list needs a time zone")
    return timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _timestamp(text: str) -> datetime:
    """Without a zone the moment is not determined; it is read as UTC, so that timestamps can always be compared."""
    text = text.strip(SPACE)
    # fromisoformat takes more than xs:dateTime does, such as week numbers and a space for the T.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?", text):
        raise ValueError("not a date and time such as 2018-09-01T09:00:00Z")
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _positive_integer(text: str) -> int:
    if not re.fullmatch(r"\+?0*[1-9][0-9]{0,99}", text.strip(SPACE)):
        raise ValueError("not a positive whole number")
    return int(text)


_TIMESTAMP = Text("timestamp", "Tijdstempel", _timestamp, _timestamp_text)
_SERIAL = Text("serial", "Volgnummer", _positive_integer)


# --- generations 1.0 and 1.1 -----------------------------------------------------------------------------------------


def _frame(make: type[AnyList], collection: Many) -> Record:
    """What all lists share."""
    return Record(make, (_TIMESTAMP, _SERIAL, collection))


_SYSTEEMROL = Record(
    Systeemrol,
    (Text("code", "Systeemrolcode"), Text("resource_endpoint", "ResourceEndpoint/ResourceEndpointuri")),
)
_SERVICE = Record(
    Service,
    (
        Text("gegevensdienst", "GegevensdienstId"),
        Text("authorization_endpoint", "AuthorizationEndpoint/AuthorizationEndpointuri"),
        Text("token_endpoint", "TokenEndpoint/TokenEndpointuri"),
        Many("systeemrollen", "Systeemrollen", "Systeemrol", _SYSTEEMROL, minimum=1),
    ),
)
_PROVIDER = Record(
    Provider,
    (
        Text("name", "Zorgaanbiedernaam"),
        Many("services", "Gegevensdiensten", "Gegevensdienst", _SERVICE, minimum=1),
    ),
)
_ZAL = Form(
    "xmlns://afsprakenstelsel.medmij.nl/zorgaanbiederslijst/release2/",
    "Zorgaanbiederslijst",
    _frame(Zal, Many("providers", "Zorgaanbieders", "Zorgaanbieder", _PROVIDER)),
)

_CLIENT = Record(OAuthClient, (Text("hostname", "Hostname"), Text("organisation", "OAuthclientOrganisatienaam")))
_OCL = Form(
    "xmlns://afsprakenstelsel.medmij.nl/oauthclientlist/release2/",
    "OAuthclientlist",
    _frame(Ocl, Many("clients", "OAuthclients", "OAuthclient", _CLIENT)),
)

# One namespace, two forms: a document of the one is invalid in the other, and only its structure tells them apart.
_WHITELIST_NAMESPACE = "xmlns://afsprakenstelsel.medmij.nl/whitelist/release2/"
_WHITELIST_OF_NAMES = Form(
    _WHITELIST_NAMESPACE,
    "Whitelist",
    _frame(
        Whitelist,
        Many("nodes", "MedMijNodes", "MedMijNode", Record(Node, (Text("hostname", ""),)), minimum=1),
    ),
)
_WHITELIST_OF_NODES = Form(
    _WHITELIST_NAMESPACE,
    "Whitelist",
    _frame(Whitelist, Many("nodes", "MedMijNodes", "MedMijNode", Record(Node, (Text("hostname", "Hostname"),)))),
)

_SERVICE_NAME = Record(ServiceName, (Text("gegevensdienst", "GegevensdienstId"), Text("display_name", "Weergavenaam")))
_GNL = Form(
    "xmlns://afsprakenstelsel.medmij.nl/gegevensdienstnamenlijst/release1/",
    "Gegevensdienstnamenlijst",
    _frame(Gnl, Many("names", "Gegevensdiensten", "Gegevensdienst", _SERVICE_NAME)),
)


# --- generation metamodel: one gateway for a service, and addresses as its host name and suffixes ----------------------


class _AtGateway(NamedTuple):
    """A service as host name and suffixes; of its roles the endpoint is a suffix. ``token_suffix`` is empty when it is that of
    the authorization endpoint."""

    gegevensdienst: str
    hostname: str
    authentication_suffix: str
    token_suffix: str
    systeemrollen: tuple[Systeemrol, ...]


def _at_gateway(service: Service) -> _AtGateway:
    """Raises ``ValueError`` when the addresses are not on one host."""
    endpoints = [
        service.authorization_endpoint,
        service.token_endpoint,
        *(role.resource_endpoint for role in service.systeemrollen),
    ]
    parts = [re.fullmatch(r"https://([^/:?#]*)(.*)", endpoint, re.DOTALL) for endpoint in endpoints]
    hosts = list(dict.fromkeys(part[1] if part else endpoint for part, endpoint in zip(parts, endpoints, strict=True)))
    if len(hosts) > 1 or not all(parts):
        raise ValueError(f"the metamodel has one https gateway for a service, not {' and '.join(map(repr, hosts))}")
    authentication, token, *resources = [part[2] for part in parts if part]
    if token == "" and authentication != "":
        raise ValueError(f"the metamodel cannot express a token endpoint without a path, {service.token_endpoint!r}")
    roles = tuple(Systeemrol(role.code, suffix) for role, suffix in zip(service.systeemrollen, resources, strict=True))
    return _AtGateway(service.gegevensdienst, hosts[0], authentication, token if token != authentication else "", roles)


def _from_gateway(
    gegevensdienst: str, hostname: str, authentication_suffix: str, token_suffix: str, systeemrollen: tuple[Systeemrol, ...]
) -> Service:
    base = f"https://{hostname}"
    roles = tuple(Systeemrol(role.code, base + role.resource_endpoint) for role in systeemrollen)
    return Service(gegevensdienst, base + authentication_suffix, base + (token_suffix or authentication_suffix), roles)


_METAMODEL = "urn:medmij-conformance:lists:metamodel"  # a shape of our own, so no name of another's
_RELEASE = "1.0"


def _release(text: str) -> str:
    if text.strip(SPACE) != _RELEASE:
        raise ValueError(f"not {_RELEASE}")
    return _RELEASE


def _released(make: type[AnyList], collection: Many) -> Record:
    """A list that also says of which release it is, with its records right below the root."""

    def build(release: str, **values: Any) -> AnyList:
        del release  # it was read, and is the only one
        return make(**values)

    fields = (Text("release", "Release", _release), _SERIAL, _TIMESTAMP, collection)
    return Record(build, fields, view=lambda content: SimpleNamespace(release=_RELEASE, **vars(content)))


_SUFFIX_ROLE = Record(Systeemrol, (Text("code", "Systeemrolcode"), Text("resource_endpoint", "ResourceSuffix")))
_OFFER = Record(
    _from_gateway,
    (
        Text("gegevensdienst", "GegevensdienstCode"),
        Text("hostname", "Gateway/Hostname"),
        Text("authentication_suffix", "AuthorizationServer/AuthenticationSuffix"),
        Text("token_suffix", "AuthorizationServer/TokenSuffix", optional=True),
        Many("systeemrollen", "", "ZorgaanbiederSysteemrol", _SUFFIX_ROLE, minimum=1),
    ),
    view=_at_gateway,
)
_OFFERING = Record(
    Provider,
    (Text("name", "Zorgaanbiedernaam"), Many("services", "", "GegevensdienstZorgaanbieder", _OFFER, minimum=1)),
)
_GATEWAY = Record(
    Node,
    (
        Text("hostname", "Hostname"),
        Text("friendly_name", "GebruikersvriendelijkeNaam"),
        Text("participant_type", "DeelnemerType", optional=True),
    ),
)

#: The forms of each generation, by list.
GENERATIONS: Mapping[str, Mapping[type[AnyList], Form]] = {
    "1.0": {Zal: _ZAL, Whitelist: _WHITELIST_OF_NAMES, Ocl: _OCL},
    "1.1": {Zal: _ZAL, Whitelist: _WHITELIST_OF_NODES, Ocl: _OCL, Gnl: _GNL},
    "metamodel": {
        Zal: Form(_METAMODEL, "Zorgaanbiederslijst", _released(Zal, Many("providers", "", "Zorgaanbieder", _OFFERING))),
        Whitelist: Form(_METAMODEL, "Whitelist", _released(Whitelist, Many("nodes", "", "Gateway", _GATEWAY))),
    },
}
