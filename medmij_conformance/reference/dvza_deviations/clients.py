"""Wrong clients on the back channel: without a certificate, from an unknown authority, or on no list."""
# mypy: disable-error-code="method-assign, assignment"

from dataclasses import replace
from urllib.parse import urlsplit

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference import peer_deviations as peers
from medmij_conformance.reference.dvza import Client, Dvza, Offer
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS, ELSEWHERE
from medmij_conformance.wire.server import Peer


@DEVIATIONS(
    "token_endpoint_demands_a_certificate",
    "token_endpoint_knows_its_authorities",
    "unlisted_node_gets_no_token",
    "bad_whitelist_lets_nobody_in",
    peers.OTHER_NODE,
    *peers.REFUSALS,
    warns=["resource_endpoint_demands_a_certificate", "resource_endpoint_knows_its_authorities", *peers.LISTS],
)
def token_without_certificate(gateway: Dvza) -> None:
    """The token endpoint serves whoever names a client id, without a certificate (APP.14)."""
    gateway.client_certificate = "ask"
    _client_by_its_id(gateway)


@DEVIATIONS(
    "resource_endpoint_demands_a_certificate",
    "resource_endpoint_knows_its_authorities",
    "unlisted_node_gets_no_data",
    peers.OTHER_NODE,
    *peers.REFUSALS,
    warns=["token_endpoint_demands_a_certificate", "token_endpoint_knows_its_authorities", *peers.LISTS],
)
def data_without_certificate(gateway: Dvza) -> None:
    """The resource endpoint serves whoever has a token, without a certificate (NIB.A.10.1.1c)."""
    gateway.client_certificate = "ask"
    _client_by_its_token(gateway)


@DEVIATIONS(
    "token_endpoint_knows_its_authorities",
    *peers.REFUSALS,
    warns=[
        peers.OTHER_NODE,
        *peers.LISTS,
        "token_endpoint_demands_a_certificate",
        "resource_endpoint_demands_a_certificate",
        "resource_endpoint_knows_its_authorities",
    ],
)
def any_authority_for_tokens(gateway: Dvza) -> None:
    """The token endpoint looks at the name in a certificate, not at who issued it (APP.14)."""
    _trust_everybody_at(gateway, "/token")


@DEVIATIONS(
    "resource_endpoint_knows_its_authorities",
    *peers.REFUSALS,
    warns=[
        peers.OTHER_NODE,
        *peers.LISTS,
        "resource_endpoint_demands_a_certificate",
        "token_endpoint_demands_a_certificate",
        "token_endpoint_knows_its_authorities",
    ],
)
def any_authority_for_data(gateway: Dvza) -> None:
    """The resource endpoint looks at the name in a certificate, not at who issued it (NIB.A.10.1.1c)."""
    _trust_everybody_at(gateway, "/fhir")


@DEVIATIONS("unlisted_node_gets_no_token", peers.OTHER_NODE)
def token_for_an_unlisted_node(gateway: Dvza) -> None:
    """A good certificate is enough at the token endpoint: the client is who its client id says (RFC6749.3.2.1)."""
    gateway.peers.check_listed = peers.everybody_is_listed
    _client_by_its_id(gateway)


@DEVIATIONS("unlisted_node_gets_no_data", peers.OTHER_NODE)
def data_for_an_unlisted_node(gateway: Dvza) -> None:
    """A good certificate is enough at the resource endpoint, whoever holds it (NIB.A.10.1.1c)."""
    gateway.peers.check_listed = peers.everybody_is_listed
    _client_by_its_token(gateway)


@DEVIATIONS(
    warns=[
        peers.OTHER_NODE,
        *peers.REFUSALS,
        *peers.LISTS,
        "token_endpoint_demands_a_certificate",
        "token_endpoint_knows_its_authorities",
        "resource_endpoint_demands_a_certificate",
        "resource_endpoint_knows_its_authorities",
    ]
)
def certificate_asked_in_vain(gateway: Dvza) -> None:
    """One port for both channels: the certificate is asked for, and its absence refused by HTTP (APP.14)."""
    gateway.client_certificate = "ask"


def _trust_everybody_at(gateway: Dvza, part: str) -> None:
    gateway.client_certificate = "ask"
    conformant = gateway.back

    def back(request: Request, peer: Peer) -> Response:
        return conformant(request, replace(peer, errors=()) if part in urlsplit(request.url).path else peer)

    gateway.back = back


def _client_by_its_id(gateway: Dvza) -> None:
    conformant = gateway.redeem
    gateway.redeem = lambda form, client: conformant(form, client or gateway.clients.get(dict(form)["client_id"]))


def _client_by_its_token(gateway: Dvza) -> None:
    conformant = gateway.resource

    def resource(request: Request, client: Client | None, offer: Offer, path: str) -> Response:
        grant = gateway.tokens.get(gateway.token_in(request) or "")
        owner = gateway.clients[grant.client_id] if grant else None
        return conformant(request, client or owner, offer, path)

    gateway.resource = resource


@DEVIATIONS("one_host_serves_all", "addresses_stay_on_the_gateway")
def resource_server_elsewhere(gateway: Dvza) -> None:
    """The resource server is on a host of its own (APP.R3)."""
    gateway.resource_host = ELSEWHERE
