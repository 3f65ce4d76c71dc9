"""Where we listen: each place is ours, free, and used once."""

import errno
import socket
from collections.abc import Iterator

from medmij_conformance.preflight.fault import Fault
from medmij_conformance.target import Target
from medmij_conformance.wire.address import socket_address


def listening(target: Target) -> Iterator[Fault]:
    """What is wrong with places to listen, in the order of the file."""
    seen: dict[str, str] = {}
    for field, place in places(target):
        if place in seen:
            if {field, seen[place]} != {"harness.listen", "harness.listen_back"}:  # these two may be one
                yield Fault(field, f"{place} is that of {seen[place]} too", "a place of its own")
            continue
        seen[place] = field
        yield from _bound(field, place)
    if target.pki.ocsp_url and not target.pki.ocsp_listen:
        problem = f"nobody answers at {target.pki.ocsp_url}"
        yield Fault("pki.ocsp_listen", problem, "where our responder listens", hinders=False)


def places(target: Target) -> Iterator[tuple[str, str]]:
    """Field and ``host:port`` of everything that listens in a run of this role."""
    role, harness, digid = target.about.role, target.harness, target.digid
    if role == "dvp":
        yield from ((f"harness.{name}", place) for name in ("listen", "listen_back") if (place := getattr(harness, name)))
    if role == "dvza" and target.login.mode == "digid" and digid:
        yield from ((f"digid.{name}", place) for name in ("listen", "listen_back") if (place := getattr(digid, name)))
    if target.lists.listen and role != "registratie":  # which serves the lists itself
        yield "lists.listen", target.lists.listen
    if target.pki.issuer and target.pki.ocsp_listen:
        yield "pki.ocsp_listen", target.pki.ocsp_listen


def _bound(field: str, place: str) -> Iterator[Fault]:
    host, port = socket_address(place)
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        problem, expected, see = {
            errno.EADDRINUSE: ("is in use", "a port that is free", f"ss -ltnp 'sport = :{port}'"),
            errno.EADDRNOTAVAIL: ("is no address of this machine", "an address of this machine", "ip -brief address"),
            errno.EACCES: ("may not be listened on by this user", "a port from 1024 on", "id -u"),
        }.get(error.errno or 0, (f"cannot be listened on: {error.strerror or error}", "a place to listen", f"getent hosts {host}"))
        yield Fault(field, f"{place} {problem}", expected, see)
