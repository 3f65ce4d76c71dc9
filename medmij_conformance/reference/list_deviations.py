"""How a gateway can be wrong with its lists: the same ways for PGO and ZA gateways, whose lists are ``gateway.lists``.

What must object differs, because each role has scenarios of its own; so each role registers them, with its checks.
"""
# mypy: disable-error-code="method-assign, assignment"

from dataclasses import replace
from typing import Any

from medmij_conformance.evidence import Request
from medmij_conformance.protocol import lists
from medmij_conformance.reference.back_channel import NoAnswerError
from medmij_conformance.reference.list_client import ListClient, UnusableError


def lists_by_hand(gateway: Any) -> None:
    """The gateway never fetches a list: somebody puts them there by hand, and they count for good (UCI-WL.1)."""
    gateway.lists.fetch = lambda _which: None
    gateway.lists.is_too_old = lambda _held: False


def lists_without_certificate(gateway: Any) -> None:
    """The gateway asks for its lists without showing its certificate (UCI-WL.1)."""
    client: ListClient = gateway.lists

    def request(which: str) -> bytes:
        asked = Request(method="GET", url=client.addresses[which])
        try:
            return client.channel.send(asked, client.peers, certificate=False).body
        except NoAnswerError as error:
            raise UnusableError(str(error)) from error

    client.request = request


def no_fetch_by_hand(gateway: Any) -> None:
    """Lists are fetched on schedule only, and nobody can start that by hand (APP.21c)."""
    gateway.lists.reload = gateway.lists.refresh


def older_list_refused(gateway: Any) -> None:
    """A list with a lower number than the last one is not used, so that nothing can be rolled back (APP.21c)."""
    gateway.lists.is_wanted = lambda which, content: content.serial >= gateway.lists.held[which].content.serial


def lists_not_validated(gateway: Any) -> None:
    """A list is used that can be read, whether it is valid or not (APP.22)."""
    gateway.lists.check_schema = lambda *_: None
    gateway.lists.check_rules = lambda *_: None


def half_a_list(gateway: Any) -> None:
    """After a bad list the gateway goes on with none (APP.22)."""
    client: ListClient = gateway.lists
    conformant = client.tell

    def tell(which: str, why: str) -> None:
        held = client.held[which]
        if isinstance(held.content, lists.Whitelist):
            held.content = replace(held.content, nodes=())
        conformant(which, why)

    client.tell = tell


def whitelist_once(gateway: Any) -> None:
    """The Whitelist is fetched at the start, and then no more (APP.21b)."""
    conformant = gateway.lists.is_due
    gateway.lists.is_due = lambda which: which != "whitelist" and conformant(which)


def whitelist_every_half_hour(gateway: Any) -> None:
    """The Whitelist is fetched every half hour (APP.21b)."""
    client: ListClient = gateway.lists
    client.is_due = lambda which: client.now() - client.held[which].fetched >= (1_800 if which == "whitelist" else 43_200)


def old_whitelist_used(gateway: Any) -> None:
    """A Whitelist is used however old it is (UCI-WL.2)."""
    gateway.lists.is_too_old = lambda _held: False


def lists_of_anybody(gateway: Any) -> None:
    """Nothing that OpenSSL says of the certificate of MedMij Registratie matters (NIB.A.10.1.1c)."""
    gateway.lists.peers.is_forgiven = lambda error, depth: True


def lists_of_any_host(gateway: Any) -> None:
    """It does not matter whose certificate it is that MedMij Registratie shows, as long as that is good (UCI-WL.1)."""
    gateway.lists.peers.check_host = lambda certificate, host: None


def lists_without_status(gateway: Any) -> None:
    """The status of the certificate of MedMij Registratie is not asked for (RFC6960.c)."""
    gateway.lists.peers.check_status = lambda chain: None
