"""Wrong about the nodes that the PGO calls: their certificates, their status, the Whitelist."""
# mypy: disable-error-code="method-assign, assignment"

import copy
import socket
from dataclasses import replace
from typing import Any

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference import peer_deviations as peers
from medmij_conformance.reference.dvp import Dvp
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS

__all__ = ["DEVIATIONS"]

OWN_CERTIFICATE = "back_channel_has_the_own_certificate"
RESOURCE_SERVER = "resource_server_is_validated"

peers.register(DEVIATIONS, RESOURCE_SERVER)
peers.register_stapling(DEVIATIONS)
peers.register_asking(DEVIATIONS)
peers.register_own(DEVIATIONS, OWN_CERTIFICATE)


@DEVIATIONS(peers.OTHER_NODE, RESOURCE_SERVER)
def any_host_of_the_authority(gateway: Dvp) -> None:
    """It does not matter which node answers, as long as its certificate is good (NET.5a)."""
    gateway.peers.check_host = lambda certificate, host: None


@DEVIATIONS(warns=[peers.OTHER_NODE])
def subject_names_the_host(gateway: Dvp) -> None:
    """The common name of a certificate counts as a name of the node (NET.5a)."""
    gateway.peers.names = peers.with_common_name(gateway.peers.names)


@DEVIATIONS(peers.INVALID, peers.OTHER_USE, RESOURCE_SERVER)
def verification_switched_off(gateway: Dvp) -> None:
    """Nothing that OpenSSL says of a certificate matters (RFC6750.5.3b)."""
    gateway.peers.is_forgiven = lambda error, depth: True


@DEVIATIONS(RESOURCE_SERVER)
def resource_server_taken_on_trust(gateway: Dvp) -> None:
    """The certificate is checked at the token endpoint only (RFC6750.5.3b)."""
    conformant, trusting = gateway.resource_request, copy.copy(gateway.peers)
    strict = gateway.peers
    trusting.is_forgiven = lambda error, depth: True
    trusting.check_status = lambda chain: None

    def request(*arguments: Any) -> Request:
        gateway.peers = trusting
        return conformant(*arguments)

    redeem = gateway.token_request

    def token(*arguments: Any) -> Request:
        gateway.peers = strict
        return redeem(*arguments)

    gateway.resource_request, gateway.token_request = request, token


@DEVIATIONS("certificate_serves_both_ways", OWN_CERTIFICATE)
def certificate_for_servers_only(gateway: Dvp) -> None:
    """The PGO shows a certificate to gateways that may not be used as a client (NET.2)."""
    gateway.own_certificate = "for-servers"


@DEVIATIONS(
    "nothing_is_sent_to_an_unlisted_node",
    "rollback_is_followed_by_the_pgo",
    "newest_address_is_used",
    warns=["old_whitelist_stops_collections"],
)
def lists_of_the_start_kept(gateway: Dvp) -> None:
    """The PGO keeps the lists that it had when it started (NET.5b)."""
    gateway.take_lists = lambda sources, whitelist: None


@DEVIATIONS("nothing_goes_in_clear_text")
def start_without_tls(gateway: Dvp) -> None:
    """The person who starts is first sent to a page without TLS (NET.R1)."""
    gateway.start = lambda request: Response(status=303, headers=(("Location", f"http://{gateway.hostname}/go"),))


@DEVIATIONS("requests_come_over_tls")
def first_without_tls(gateway: Dvp) -> None:
    """The PGO first tries whether a gateway can be had without TLS (RFC6750.5.3c)."""
    gateway.client_tls = replace(gateway.client_tls, prelude=_ask_in_clear_text)


def _ask_in_clear_text(plain: socket.socket) -> None:
    plain.sendall(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n")
    plain.recv(1)
