"""Whether the gateway can be reached: a connection and a handshake with each endpoint, in parallel, and no request."""

import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from medmij_conformance.cast.identities import identity
from medmij_conformance.preflight.fault import Fault
from medmij_conformance.target import Target, authority, reached
from medmij_conformance.wire.address import socket_address
from medmij_conformance.wire.client import Identity

_LIMIT_S = 3.0
_AT_ONCE = 64
_ALERT_S = 0.3  # in TLS 1.3 a server tells what it thinks of a certificate only after the handshake


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address of the gateway: ``back`` is the back channel, where we show a certificate; ``dialled`` is where it really is."""

    field: str
    url: str
    dialled: str
    back: bool


def endpoints(target: Target) -> Iterator[Endpoint]:
    """The addresses of the gateway, each host and port of a channel once."""
    addresses = [(field, url) for field, url in reached(target) if field != "start.break_off"]
    if target.gateway:  # however a collection starts, the person comes back there
        addresses.append(("gateway.redirect_uri", target.gateway.redirect_uri))
    seen: set[tuple[str, bool]] = set()
    for field, url in addresses:
        back = target.about.role == "registratie" or field.endswith(("token_endpoint", "resource_endpoint"))
        origin = authority(url or "")
        if url and url.startswith("https:") and origin in target.connect and (origin, back) not in seen:
            seen.add((origin, back))
            yield Endpoint(field=field, url=url, dialled=target.connect[origin], back=back)


def reaching(target: Target) -> Iterator[Fault]:
    """What hinders a connection with each endpoint."""
    places = list(endpoints(target))
    if not places:
        return
    with TemporaryDirectory(prefix="medmij-conformance-") as folder, ThreadPoolExecutor(min(_AT_ONCE, len(places))) as pool:
        own = identity("own", target.harness, Path(folder))
        until = time.monotonic() + _LIMIT_S
        for faults in pool.map(lambda place: list(_dial(target, place, own, until)), places):
            yield from faults


def _dial(target: Target, place: Endpoint, own: Identity, until: float) -> Iterator[Fault]:
    host, port = socket_address(place.dialled)
    at = f'connect."{authority(place.url)}"'
    try:
        plain = socket.create_connection((host, port), timeout=max(0.1, until - time.monotonic()))
    except socket.gaierror:
        yield Fault(
            at,
            f"{host} has no address",
            "a host that DNS knows, or an address",
            f"getent hosts {host}",
        )
    except ConnectionRefusedError:
        expected = f"the gateway, for {place.field}"
        yield Fault(at, f"{place.dialled} refuses connections", expected, f"nc -vz {host} {port}")
    except TimeoutError:
        problem = f"{place.dialled} does not answer within {_LIMIT_S:g} s, as behind a firewall"
        yield Fault(at, problem, f"the gateway, for {place.field}", f"nc -vz -w 3 {host} {port}")
    except OSError as error:
        problem = f"{place.dialled} cannot be reached: {error.strerror or error}"
        yield Fault(at, problem, f"the gateway, for {place.field}", f"nc -vz {host} {port}")
    else:
        with plain:
            yield from _handshake(target, place, plain, own, until)


def _handshake(target: Target, place: Endpoint, plain: socket.socket, own: Identity, until: float) -> Iterator[Fault]:
    name = urlsplit(place.url).hostname or ""
    see = f"openssl s_client -connect {place.dialled} -servername {name} -showcerts </dev/null"
    trust, trusted = ("trust.ca", target.trust.ca) if place.back else ("trust.front", target.trust.front)
    context = _context(trusted)
    shown = place.back and own.certificate is not None
    if shown and own.certificate:
        try:
            context.load_cert_chain(own.certificate, own.key)
        except ssl.SSLError:  # too weak for TLS here, which ``certificates`` tells
            return
        files = [str(target.harness.certificate), str(target.harness.key or target.harness.certificate)]
        see += f" -cert {quote(files[0])} -key {quote(files[1])}"
    ended, done = _greet(context, plain, name, until)
    match ended:
        case None:
            return
        case ssl.SSLCertVerificationError():
            yield _distrusted(place, trust, name, ended, see)
        case TimeoutError():
            problem = f"{place.dialled} takes connections, but answers no handshake"
            yield Fault(place.field, problem, "TLS within three seconds", see)
        case _ if shown and not _speaks_no_tls(ended) and (why := _why_ours(ended, place, trusted, name, until)):
            problem = f"{place.dialled} ({place.field}) refuses our certificate: {why}"
            yield Fault("harness.certificate", problem, "one that the gateway trusts, whose name stands on its Whitelist", see)
        case ssl.SSLError() if not isinstance(ended, ssl.SSLEOFError):
            yield _refused(place, ended, see, own)
        case _:
            yield _hung_up(place, ended, see, own, done=done)


def _context(trusted: Sequence[Path] | str) -> ssl.SSLContext:
    if trusted == "system":
        return ssl.create_default_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in trusted:
        context.load_verify_locations(cafile=path)
    return context


def _greet(context: ssl.SSLContext, plain: socket.socket, name: str, until: float) -> tuple[OSError | None, bool]:
    """A handshake, and a moment in which the server can object to it. Gives how it ended, and whether it was done then."""
    done = False
    try:
        plain.settimeout(max(0.1, until - time.monotonic()))
        with context.wrap_socket(plain, server_hostname=name) as line:
            done = True
            line.settimeout(_ALERT_S)
            if line.recv(1) == b"":
                raise ConnectionResetError("its end was read")
    except TimeoutError as error:
        return (None if done else error), done  # once it is done, the server waits for a request, and all is well
    except OSError as error:
        return error, done
    return None, done


# Words of alerts that speak about the certificate of the client.
_ABOUT_OURS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR")
_NO_TLS = ("WRONG_VERSION", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD")


def _speaks_no_tls(ended: OSError) -> bool:
    return isinstance(ended, ssl.SSLError) and any(word in _said(ended) for word in _NO_TLS)


def _said(ended: OSError | None) -> str:
    """What a server says by ending a handshake so: the name of its alert, that it closes the connection, or nothing."""
    if ended is None:
        return "nothing"
    if isinstance(ended, ssl.SSLError) and not isinstance(ended, ssl.SSLEOFError):
        return ended.reason or str(ended)
    return "no answer" if isinstance(ended, TimeoutError) else "the connection is closed"


def _why_ours(ended: OSError, place: Endpoint, trusted: Sequence[Path] | str, name: str, until: float) -> str:
    """Why it is our certificate that a server objects to; empty when it cannot be told.

    It says so by its alert, or else the same handshake without the certificate ends in another way. Many a server says no more than
    "internal error" of a certificate that it does not want.
    """
    said = _said(ended)
    if any(word in said for word in _ABOUT_OURS):
        return said
    try:
        with socket.create_connection(socket_address(place.dialled), timeout=max(0.1, until - time.monotonic())) as plain:
            without = _said(_greet(_context(trusted), plain, name, until)[0])
    except OSError:
        return ""
    return "" if without in {said, "no answer"} else f"{said}, but without it {without}"


def _distrusted(place: Endpoint, trust: str, name: str, error: ssl.SSLCertVerificationError, see: str) -> Fault:
    words = error.verify_message
    if "ostname mismatch" in words or "IP address mismatch" in words:
        expected = f"a certificate for {name}; is this the right host?"
        return Fault(place.field, f"{place.dialled} shows a certificate of another name", expected, see)
    if "expired" in words or "not yet valid" in words:
        problem = f"the certificate of {place.dialled} is not valid today: {words}"
        return Fault(place.field, problem, "a valid certificate, or a clock that is right", f"date -u; {see}")
    problem = f"the certificate of {place.dialled} ({place.field}) leads to none of these authorities: {words}"
    return Fault(trust, problem, "the root of the gateway's certificate", see)


def _refused(place: Endpoint, ended: ssl.SSLError, see: str, own: Identity) -> Fault:
    """What a server says that ends a handshake with an alert, or with what is no TLS."""
    reason = _said(ended)
    if _speaks_no_tls(ended):
        return Fault(place.field, f"{place.dialled} speaks no TLS", "TLS; is this the right port?", see)
    if place.back and any(word in reason for word in ("VERSION", "HANDSHAKE_FAILURE", "NO_SHARED", "UNSUPPORTED_PROTOCOL")):
        return Fault(place.field, f"{place.dialled} and we have no TLS in common: {reason}", "TLS 1.2 or 1.3", see)
    if place.back and any(word in reason for word in _ABOUT_OURS):  # with a certificate of ours that was told before
        problem = f"missing, and {place.dialled} ({place.field}) wants one: {reason}"
        return Fault("harness.certificate", problem, "one that the gateway trusts, whose name stands on its Whitelist", see)
    if place.back:
        problem = f"{place.dialled} ends the handshake, and names no certificate: {reason}"
        return Fault(place.field, problem, "a handshake; the log of the gateway says what it misses", see)
    problem = f"{place.dialled} refuses the handshake of a browser: {reason}"
    return Fault(place.field, problem, "TLS without a certificate of the browser", see)


def _hung_up(place: Endpoint, ended: OSError, see: str, own: Identity, *, done: bool) -> Fault:
    """What a server does that closes the connection: that can be anything, so nothing is blamed."""
    how = ended.strerror or str(ended) or type(ended).__name__
    if not place.back:
        problem = f"{place.dialled} closes the connection of a browser: {how}"
        return Fault(place.field, problem, "TLS without a certificate of the browser", see)
    when = "after the handshake" if done else "during the handshake"
    problem = f"{place.dialled} closes the connection {when}, and does not say why: {how}"
    shown = "our certificate, among other things" if own.certificate else "that we show no certificate, among other things"
    return Fault(place.field, problem, f"an open connection; the log of the gateway says why (it can be {shown})", see)
