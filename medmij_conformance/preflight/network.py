"""Who dials whom in a run: what a firewall has to let through."""

from collections.abc import Iterator
from typing import NamedTuple

from medmij_conformance.preflight.listening import places
from medmij_conformance.preflight.reaching import endpoints
from medmij_conformance.target import Target, authority
from medmij_conformance.wire.address import socket_address

_HEARD = {
    "harness.listen": (
        "the person's browser, which is ours, and the gateway",
        "HTTPS: the authorization server of the ZA gateway that we play",
    ),
    "harness.listen_back": ("the gateway", "mutual TLS: token and resource endpoint of the ZA gateway that we play"),
    "digid.listen": ("the person's browser, which is ours", "HTTPS: the front channel of the DigiD that we play"),
    "digid.listen_back": ("the gateway", "mutual TLS: artifacts are resolved at the DigiD that we play"),
    "lists.listen": ("the gateway", "mutual TLS: the lists are fetched from the Stelselnode that we play"),
    "pki.ocsp_listen": ("the gateway", "HTTP: our OCSP responder, for certificates of [pki]"),
}


class Connection(NamedTuple):
    """One kind of connection: who dials, where that is, its port, what for, and the field of the target file that says so."""

    dials: str
    to: str
    port: int
    purpose: str
    field: str


def connections(target: Target) -> Iterator[Connection]:
    """Every kind of connection of a run: what we dial first, then what we listen for."""
    for place in endpoints(target):
        host, _, port = place.dialled.rpartition(":")
        purpose = "mutual TLS: the back channel" if place.back else "HTTPS: the person's browser, the TLS probe"
        yield Connection("the harness", host, int(port), f"{purpose} ({place.url.split('/')[2]})", place.field)
    for name, hook in target.hooks.items():
        if hook.kind == "http":
            at, number = socket_address(authority(str(hook.value)))
            scheme = str(hook.value).partition(":")[0].upper()
            yield Connection("the harness", at, number, f"{scheme}: hook {name}", f"hooks.{name}")
    for field, address in places(target):
        host, _, port = address.rpartition(":")
        who, purpose = _HEARD[field]
        yield Connection(who, host, int(port), purpose, field)


def table(rows: list[Connection]) -> list[str]:
    """The connections as lines of a terminal."""
    heads = ("from", "to", "port", "purpose", "field")
    cells = [heads, *((row.dials, row.to, str(row.port), row.purpose, row.field) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
