"""Whether the gateway can be reached: a connection and a handshake with each endpoint, in parallel, and no request."""

import socket
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from medmij_conformance.identities import identity
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
    context = ssl.create_default_context() if trusted == "system" else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for path in () if trusted == "system" else trusted:
        context.load_verify_locations(cafile=path)
    if place.back and own.certificate:
        try:
            context.load_cert_chain(own.certificate, own.key)
        except ssl.SSLError:  # too weak for TLS here, which ``certificates`` tells
            return
        see += f" -cert {target.harness.certificate} -key {target.harness.key or target.harness.certificate}"
    done = False
    try:
        plain.settimeout(max(0.1, until - time.monotonic()))
        with context.wrap_socket(plain, server_hostname=name) as line:
            done = True
            line.settimeout(_ALERT_S)
            if line.recv(1) == b"":
                raise ConnectionResetError("the connection was closed after the handshake")
    except ssl.SSLCertVerificationError as error:
        yield _distrusted(place, trust, name, error, see)
    except TimeoutError:
        if not done:  # else the server waits for a request, and all is well
            yield Fault(
                place.field, f"{place.dialled} takes connections, but answers no handshake", "TLS within three seconds", see
            )
    except ssl.SSLError as error:
        yield _refused(place, error.reason or str(error), see, own)
    except OSError as error:
        if place.back:
            yield _refused(place, str(error) or type(error).__name__, see, own)
        else:
            problem = f"{place.dialled} closes the connection of a browser: {error}"
            yield Fault(place.field, problem, "TLS without a certificate of the browser", see)


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


def _refused(place: Endpoint, reason: str, see: str, own: Identity) -> Fault:
    if "WRONG_VERSION" in reason or "HTTP_REQUEST" in reason or "UNEXPECTED_MESSAGE" in reason or "RECORD" in reason:
        return Fault(place.field, f"{place.dialled} speaks no TLS", "TLS; is this the right port?", see)
    if place.back and any(word in reason for word in ("VERSION", "HANDSHAKE_FAILURE", "NO_SHARED", "UNSUPPORTED_PROTOCOL")):
        return Fault(place.field, f"{place.dialled} and we have no TLS in common: {reason}", "TLS 1.2 or 1.3", see)
    if place.back:
        field = "harness.certificate"
        problem = (
            f"{place.dialled} ({place.field}) refuses our certificate: {reason}"
            if own.certificate
            else f"missing, and {place.dialled} wants one"
        )
        expected = "one that the gateway trusts, whose name stands on its Whitelist"
        return Fault(field, problem, expected, see)
    problem = f"{place.dialled} refuses the handshake of a browser: {reason}"
    return Fault(place.field, problem, "TLS without a certificate of the browser", see)
