"""Wrong about the nodes that come to the back channel: their certificates, their status, the Whitelist."""
# mypy: disable-error-code="method-assign, assignment"

from medmij_conformance.evidence import Response
from medmij_conformance.reference import peer_deviations as peers
from medmij_conformance.reference.dvza import Client, Dvza
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS
from medmij_conformance.wire.server import Peer

peers.register(DEVIATIONS)
peers.register_own(DEVIATIONS)


@DEVIATIONS(
    peers.OTHER_NODE,
    "unlisted_node_gets_no_token",
    "unlisted_node_gets_no_data",
    warns=peers.LISTS,
)
def any_node_of_the_authority(gateway: Dvza) -> None:
    """Whoever has a certificate of the right authority is let in, as the PGO that it says it is (NET.5a)."""
    gateway.peers.check_listed = peers.everybody_is_listed
    conformant = gateway.client_of

    def client_of(peer: Peer) -> Client | None:
        return conformant(peer) or (None if peer.errors else next(iter(gateway.clients.values()), None))

    gateway.client_of = client_of


@DEVIATIONS(warns=[peers.OTHER_NODE, *peers.LISTS])
def unlisted_told_by_http(gateway: Dvza) -> None:
    """A node on no list gets a session, and is refused by HTTP (NET.5a)."""
    gateway.peers.check_listed = peers.everybody_is_listed


@DEVIATIONS(peers.OTHER_NODE)
def subdomains_count_as_listed(gateway: Dvza) -> None:
    """Whatever name ends with one of the Whitelist is taken for listed (NET.5a)."""
    gateway.peers.is_listed = lambda name, listed: any(name.endswith(each) for each in listed)
    conformant = gateway.client_of

    def client_of(peer: Peer) -> Client | None:
        ends = (client for client in gateway.clients.values() for name in peer.hostnames if name.endswith(client.hostname))
        return conformant(peer) or next(ends, None)

    gateway.client_of = client_of


@DEVIATIONS(peers.OTHER_NODE)
def wildcard_names_the_nodes(gateway: Dvza) -> None:
    """A certificate for a whole domain is taken for that of a node in it that is listed (NET.5a)."""
    gateway.peers.is_listed = lambda name, listed: any(peers.covers(name, each) for each in listed)
    conformant = gateway.client_of

    def client_of(peer: Peer) -> Client | None:
        covered = (client for client in gateway.clients.values() for name in peer.hostnames if peers.covers(name, client.hostname))
        return conformant(peer) or next(covered, None)

    gateway.client_of = client_of


@DEVIATIONS(warns=[peers.OTHER_NODE])
def subject_names_the_node(gateway: Dvza) -> None:
    """The common name of a certificate counts as a name of the node (NET.5a)."""
    gateway.peers.names = peers.with_common_name(gateway.peers.names)


@DEVIATIONS(warns=["certificate_serves_both_ways"])
def certificate_for_servers_only(gateway: Dvza) -> None:
    """The certificate of the gateway may not be used as a client (NET.2)."""
    gateway.own_certificate = "for-servers"


@DEVIATIONS(
    "node_taken_off_the_list_opens_no_session",
    "node_that_was_removed_gets_no_token",
    "rollback_is_followed",
    warns=["without_a_list_there_is_no_session", "old_whitelist_counts_as_none"],
)
def lists_of_the_start_kept(gateway: Dvza) -> None:
    """The gateway keeps the lists that it had when it started (NET.5a)."""
    gateway.take_lists = lambda clients, whitelist: None


@DEVIATIONS(warns=["without_a_list_there_is_no_session", "old_whitelist_counts_as_none"])
def last_list_kept(gateway: Dvza) -> None:
    """When there is no Whitelist the last one goes on counting (NET.5a)."""
    conformant = gateway.take_lists
    gateway.take_lists = lambda clients, whitelist: None if whitelist is None else conformant(clients, whitelist)


@DEVIATIONS("page_needs_tls")
def pages_without_tls(gateway: Dvza) -> None:
    """The pages can be had without TLS as well (RFC6819.4.2.1a)."""
    gateway.clear_text = "front"


@DEVIATIONS("data_needs_tls")
def back_channel_without_tls(gateway: Dvza) -> None:
    """The back channel answers without TLS as well (RFC6750.5.3c)."""
    gateway.clear_text = "back"


@DEVIATIONS("nothing_goes_in_clear_text")
def login_without_tls(gateway: Dvza) -> None:
    """People are sent to a login page without TLS (NET.R1)."""
    gateway.login_page = lambda flow: Response(status=303, headers=(("Location", f"http://{gateway.hostname}/login"),))
