"""What is wrong with the Whitelist of a ZA gateway."""

from medmij_conformance.reference import list_deviations as ways
from medmij_conformance.reference import peer_deviations as peers
from medmij_conformance.reference.dvza import Client, Dvza
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS
from medmij_conformance.reference.list_client import UnusableError

_TOLD = (
    "whitelist_is_fetched_when_told",
    "node_that_was_removed_gets_no_token",
    "node_taken_off_the_list_opens_no_session",
    "rollback_is_followed",
)
DEVIATIONS(*(*_TOLD, "whitelist_is_fetched_hourly"), warns=["old_whitelist_counts_as_none", "without_a_list_there_is_no_session"])(
    ways.lists_by_hand
)
DEVIATIONS("whitelist_is_fetched_over_mutual_tls")(ways.lists_without_certificate)
DEVIATIONS(*_TOLD)(ways.no_fetch_by_hand)
DEVIATIONS("rollback_is_followed")(ways.older_list_refused)
DEVIATIONS("bad_whitelist_shuts_nobody_out")(ways.lists_not_validated)
DEVIATIONS("bad_whitelist_shuts_nobody_out")(ways.half_a_list)
DEVIATIONS("whitelist_is_fetched_hourly")(ways.whitelist_once)
DEVIATIONS(warns=["whitelist_is_fetched_hourly"])(ways.whitelist_every_half_hour)
DEVIATIONS(warns=["old_whitelist_counts_as_none", "without_a_list_there_is_no_session"])(ways.old_whitelist_used)
DEVIATIONS(peers.INVALID)(ways.lists_of_anybody)
DEVIATIONS("no_list_is_asked_of_another_node")(ways.lists_of_any_host)
DEVIATIONS(peers.REVOKED, peers.NO_ANSWER)(ways.lists_without_status)


@DEVIATIONS("bad_whitelist_lets_nobody_in")
def fail_open(gateway: Dvza) -> None:
    """After a bad Whitelist every node is let in, as the client that it says it is (APP.22)."""
    conformant = gateway.lists.validated
    admits, client_of = gateway.peers.check_listed, gateway.client_of
    open_to_all: list[bool] = []

    def validated(which: str, body: bytes) -> object:
        try:
            content = conformant(which, body)
        except UnusableError:
            open_to_all.append(True)
            raise
        if which == "whitelist":
            open_to_all.clear()
        return content

    gateway.lists.validated = validated  # type: ignore[method-assign, assignment]
    gateway.peers.check_listed = lambda names: None if open_to_all else admits(names)  # type: ignore[method-assign]

    def anybody(peer: object) -> Client | None:
        return client_of(peer) or (next(iter(gateway.clients.values())) if open_to_all else None)  # type: ignore[arg-type]

    gateway.client_of = anybody  # type: ignore[method-assign]
