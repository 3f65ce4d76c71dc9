"""The client end of the wire: everything recorded, nothing without a limit.

A gateway's request goes over a connection of its own; a browser keeps its connections open, as browsers do (``Kept``).

``[connect]`` of the target file stands in for DNS and is the list of what may be reached: a host that it does not name is never
dialled. httpcore speaks HTTP; the connection under it is ours, because only there can a total time limit, the negotiated TLS and
the certificates of the peer be had.
"""

import contextlib
import hashlib
import math
import select
import socket
import ssl
import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpcore

from medmij_conformance.evidence import Evidence, Exchange, Request, Response, Tls, Trouble, wall_time
from medmij_conformance.wire.address import socket_address

_CERTIFICATE_REQUEST, _CERTIFICATE = 13, 11
_ALERT = 21
_TELLS_NOTHING = {"silent-endpoint", "out-of-time", "not-allowed"}
_WHOLE = 0.9  # an endpoint that had less of its time than this did not fail to answer in it
_FLOOD_KEPT = 100_000  # octets of a body that is too large; hundreds of whole ones would fill the disk
_CROWD = 5  # requests of a crowd that are under way together
_SILENT_AFTER = 3  # time-outs in a row on one endpoint, after which it is not asked again in this run


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``exchange_s``: seconds for one exchange, all of it; ``body_bytes``: the largest body read; ``pace_ms``: pause before."""

    exchange_s: float = 20.0
    body_bytes: int = 5_000_000
    pace_ms: float = 0.0
    retry_after_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who we are on a connection: PEM files of a certificate with its chain and of its key; both None for a browser.

    ``weak``: the key may be shorter than OpenSSL allows.
    """

    name: str
    certificate: Path | None = None
    key: Path | None = None
    weak: bool = False


@dataclass(slots=True)
class _Connection:
    """What one connection saw, filled in while it lives."""

    deadline: float
    address: str = ""
    tls: Tls | None = None
    requested: bool = False
    presented: bool = False
    alert: str | None = None
    heard: bool = False

    @property
    def seen(self) -> Tls | None:
        """What its handshake showed; None when none began."""
        if self.tls is None:
            return Tls(alert=self.alert, certificate_requested=self.requested) if self.alert else None
        return replace(self.tls, certificate_requested=self.requested, certificate_presented=self.presented, alert=self.alert)


@dataclass(slots=True)
class _Line:
    """A connection to one origin, with what HTTP is spoken by on it."""

    http: httpcore.HTTPConnection
    connection: _Connection

    @property
    def is_idle(self) -> bool:
        """Whether another request can go over it: the last answer was whole, and the server has not closed it since."""
        return self.http.is_available() and not self.http.has_expired()


class Kept:
    """The connections that one browser keeps open between its requests (RFC 9112 9.3), one an origin. Thread-safe."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}
        self._lock = threading.Lock()

    def take(self, place: httpcore.Origin) -> _Line | None:
        """The connection to an origin that is free, for one request; None when there is none any more."""
        with self._lock:
            line = self._lines.pop(str(place), None)
        if line and not line.is_idle:
            line.http.close()
            line = None
        return line

    def give(self, place: httpcore.Origin, line: _Line) -> None:
        """A request has ended: keep its connection, if another may follow."""
        with self._lock:
            kept = line.is_idle and self._lines.setdefault(str(place), line) is line
        if not kept:
            line.http.close()

    def close(self) -> None:
        """Close what is not in use."""
        with self._lock:
            lines, self._lines = self._lines, {}
        for line in lines.values():
            line.http.close()


class Client:
    """Sends requests of the players and appends each exchange to the evidence. Thread-safe."""

    def __init__(
        self,
        evidence: Evidence,
        *,
        connect: Mapping[str, str],
        identities: Iterable[Identity] = (),
        trust_back: Iterable[Path] = (),
        trust_front: Iterable[Path] | None = None,
        limits: Limits | None = None,
        own: Collection[str] = (),
    ) -> None:
        """``own`` are the origins, each ``host:port``, at which we answer ourselves: there all browsers share their connections."""
        self.evidence = evidence
        self._own = frozenset(own)
        self._shared = Kept()
        self.limits = limits or Limits()
        self._connect = connect
        self._identities = {identity.name: identity for identity in identities}
        self._trust = {True: tuple(trust_back), False: None if trust_front is None else tuple(trust_front)}
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._timeouts: defaultdict[str, int] = defaultdict(int)
        self._lock = threading.Lock()
        self._until = math.inf
        self._kept: set[Kept] = set()

    def read_keys(self) -> None:
        """Take certificates and keys from their files now, so that the files may go."""
        for name in (None, "nobody", *self._identities):
            self._context(name)

    def take(self, identity: Identity) -> None:
        """Take one more identity, or another certificate for one, now, so that its files may go."""
        with self._lock:
            self._identities[identity.name] = identity
            self._contexts.pop(identity.name, None)
        self._context(identity.name)

    def allow(self, seconds: float) -> None:
        """From now on there are so many seconds for all that is sent: the time limit of a scenario, whose browsers are new ones."""
        self._until = time.monotonic() + seconds
        self.hang_up()

    def close(self) -> None:
        """Close every connection that is kept open."""
        self.hang_up()
        self._shared.close()

    def hang_up(self) -> None:
        """Close the connections that browsers keep open."""
        with self._lock:
            browsers, self._kept = self._kept, set()
        for kept in browsers:
            kept.close()

    def forgive(self) -> None:
        """Ask again the endpoints that did not answer in time: another gateway stands there now."""
        with self._lock:
            self._timeouts.clear()

    def extend(self, seconds: float, *, at_most: float = math.inf) -> None:
        """So many seconds more, because so many passed while a person was asked; ``at_most`` so many from now on."""
        self._until = min(self._until + seconds, time.monotonic() + at_most)

    @contextlib.contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Within this, an exchange has at least so many seconds, whatever is left of the scenario."""
        limits = self.limits
        self.limits = replace(limits, exchange_s=max(limits.exchange_s, seconds))
        self._until = max(self._until, time.monotonic() + self.limits.exchange_s + 1)
        try:
            yield
        finally:
            self.limits = limits

    def send(self, exchange: Exchange, *, certificate: str | None = None, kept: Kept | None = None) -> Exchange:
        """Send ``exchange.request`` and return the raw exchange as recorded, with a response or with its trouble.

        ``certificate`` names the identity that is presented in the TLS handshake; None means a connection of the front
        channel, without one, which may be one of those that a browser has ``kept``. An answer of 429 or 503 with a short
        Retry-After is waited for and asked again, once.
        """
        done = self._attempt(exchange, certificate, kept)
        pause = _retry_after(done.response)
        if pause is not None and pause <= min(self.limits.retry_after_s, self._until - time.monotonic()):
            time.sleep(pause)
            done = self._attempt(exchange, certificate, kept)
        return done

    def crowd(self, exchanges: Iterable[Exchange], *, certificate: str | None = None) -> tuple[Exchange, ...]:
        """Send all of these as a crowd does: a few under way at any time, and nobody obeys a Retry-After.

        One after the other where ``pace_ms`` asks for a pause between requests. Returns them in the order given.
        """
        with ThreadPoolExecutor(1 if self.limits.pace_ms else _CROWD) as pool:
            return tuple(pool.map(lambda each: self._attempt(each, certificate, None), exchanges))

    def reaches(self, url: str) -> bool:
        """Whether ``[connect]`` names the host and port of an address."""
        return _origin(url) in self._connect

    def address(self, url: str) -> tuple[str, str]:
        """``host:port`` of an address, and where that really is; the second is empty when ``[connect]`` does not name it."""
        origin = _origin(url)
        return origin, self._connect.get(origin, "")

    @property
    def seconds_left(self) -> float:
        """What is left of the time limit of the scenario; below zero when it has passed."""
        return self._until - time.monotonic()

    def _attempt(self, exchange: Exchange, certificate: str | None, kept: Kept | None) -> Exchange:
        if self.limits.pace_ms:
            time.sleep(self.limits.pace_ms / 1000)
        started, at = self.evidence.now(), wall_time()
        origin = _origin(exchange.request.url)
        limit = min(self.limits.exchange_s, self._until - time.monotonic())
        deadline = time.monotonic() + limit
        connection, response, trouble = self._reach(exchange.request, origin, certificate, kept, deadline, limit)
        if trouble and trouble.kind == "timeout" and limit < _WHOLE * self.limits.exchange_s:
            trouble = Trouble(kind="out-of-time", detail="the time limit of the scenario passed while an answer was waited for")
        self._count_timeouts(origin, trouble)
        return self.evidence.append(
            replace(
                exchange,
                response=response,
                trouble=trouble,
                tls=connection.seen,
                address=connection.address,
                started=started,
                finished=self.evidence.now(),
                at=at,
                sent=origin not in self._own,
            )
        )

    def _reach(
        self, request: Request, origin: str, certificate: str | None, kept: Kept | None, deadline: float, limit: float
    ) -> tuple[_Connection, Response | None, Trouble | None]:
        """Send a request over a kept connection or over a fresh one, and say over which."""
        if (hindrance := self._hindrance(origin, limit)) is not None:
            return _Connection(deadline=deadline), None, hindrance
        kept = self._shared if kept and origin in self._own else kept
        try:
            place = _place(request.url)
        except Exception as error:  # noqa: BLE001 what a hostile peer calls an address can be wrong in any way
            return _Connection(deadline=deadline), None, _trouble(error, limit)
        if kept and (line := kept.take(place)):
            line.connection.deadline, line.connection.heard = deadline, False
            response, trouble = self._converse(request, line, limit, keep=True)
            kept.give(place, line)
            # It was closed while the request was on its way: a browser asks once more (RFC 9112 9.3.1), over a fresh one.
            if not (trouble and trouble.kind == "reset" and not line.connection.heard):
                return line.connection, response, trouble
        line = self._dialled(place, self._connect[origin], certificate, deadline)
        response, trouble = self._converse(request, line, limit, keep=kept is not None)
        if kept:
            if kept is not self._shared:
                with self._lock:
                    self._kept.add(kept)
            kept.give(place, line)
        else:
            line.http.close()
        return line.connection, response, trouble

    def _hindrance(self, origin: str, limit: float) -> Trouble | None:
        """Why an origin is not asked at all."""
        if limit <= 0:
            return Trouble(kind="out-of-time", detail="the time limit of the scenario has passed, so it was not asked")
        if origin not in self._connect:
            return Trouble(kind="not-allowed", detail=f"{origin} is not in [connect], so it was not asked")
        if self._timeouts[origin] >= _SILENT_AFTER:
            detail = f"endpoint not answering: {_SILENT_AFTER} time-outs in a row on {origin}"
            return Trouble(kind="silent-endpoint", detail=detail)
        return None

    def _dialled(self, place: httpcore.Origin, address: str, certificate: str | None, deadline: float) -> _Line:
        connection = _Connection(deadline=deadline)
        backend = _Backend(address, connection)
        http = httpcore.HTTPConnection(place, ssl_context=self._context(certificate), network_backend=backend)
        return _Line(http, connection)

    def _converse(self, request: Request, line: _Line, limit: float, *, keep: bool) -> tuple[Response | None, Trouble | None]:
        timeouts = {"connect": limit, "read": limit, "write": limit}
        response: Response | None = None
        body = bytearray()
        try:
            with line.http.stream(
                request.method,
                request.url,
                headers=_headers(request, keep=keep),
                content=request.body,
                extensions={"timeout": timeouts},
            ) as answer:
                response = _response(answer)
                for chunk in answer.iter_stream():
                    body += chunk
                    if len(body) > self.limits.body_bytes:
                        del body[min(self.limits.body_bytes, _FLOOD_KEPT) :]
                        detail = f"the body is larger than {self.limits.body_bytes} bytes and was not read further"
                        return replace(response, body=bytes(body)), Trouble(kind="too-large", detail=detail)
                return replace(response, body=bytes(body)), None
        except Exception as error:  # noqa: BLE001 whatever a hostile peer provokes is an answer, and is classified
            trouble = _trouble(error, limit)
            if trouble.kind == "protocol" and line.connection.tls and not line.connection.heard:
                trouble = Trouble(kind="reset", detail="the connection was closed without an answer")
            return response and replace(response, body=bytes(body)), trouble

    def _count_timeouts(self, origin: str, trouble: Trouble | None) -> None:
        with self._lock:
            if trouble and trouble.kind == "timeout":
                self._timeouts[origin] += 1
            elif not trouble or trouble.kind not in _TELLS_NOTHING:
                self._timeouts[origin] = 0

    def _context(self, certificate: str | None) -> ssl.SSLContext:
        with self._lock:
            key = certificate or ""
            if key not in self._contexts:
                self._contexts[key] = self._new_context(certificate)
            return self._contexts[key]

    def _new_context(self, certificate: str | None) -> ssl.SSLContext:
        trust = self._trust[certificate is not None]
        context = ssl.create_default_context() if trust is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        for path in trust or ():
            context.load_verify_locations(cafile=path)
        # Old versions are the business of the TLS probe; here a gateway only has to be reachable.
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.post_handshake_auth = True
        context.hostname_checks_common_name = False  # a name that stands in no dNSName is not the host's (RFC 9525 2)
        context.sslsocket_class = _TlsSocket
        identity = self._identities.get(certificate) if certificate else None
        if identity and identity.weak:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if identity and identity.certificate:
            context.load_cert_chain(identity.certificate, identity.key)
        _watch_handshakes(context)
        return context


class _Backend(httpcore.NetworkBackend):
    """Dials the one address that stands in ``[connect]`` for the host."""

    def __init__(self, address: str, connection: _Connection) -> None:
        self._address = address
        self._connection = connection

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        self._connection.address = self._address
        try:
            plain = socket.create_connection(socket_address(self._address), timeout=_remaining(self._connection))
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Stream(plain, self._connection)


class _Stream(httpcore.NetworkStream):
    """A socket under one deadline for everything that happens on it."""

    def __init__(self, plain: socket.socket, connection: _Connection) -> None:
        self._socket = plain
        self._connection = connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._socket.settimeout(_remaining(self._connection))
        data = self._socket.recv(max_bytes)
        self._connection.heard |= bool(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._socket.settimeout(_remaining(self._connection))
        try:
            self._socket.sendall(buffer)
        except (ConnectionError, ssl.SSLEOFError) as error:  # httpcore then still reads what the peer said last
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._socket.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self._socket.settimeout(_remaining(self._connection))
        wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname, do_handshake_on_connect=False)
        _HANDSHAKES[wrapped] = self._connection
        try:
            wrapped.do_handshake()
        except BaseException:
            wrapped.close()
            raise
        self._connection.tls = Tls(
            version=wrapped.version(), cipher=(wrapped.cipher() or ("",))[0], peer_chain=_peer_chain(wrapped)
        )
        return _Stream(wrapped, self._connection)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # between two requests: the server has closed the connection, or speaks out of turn
            watched = select.poll()
            watched.register(self._socket, select.POLLIN)
            return bool(watched.poll(0))
        wanted = info == "socket" or (info == "ssl_object" and isinstance(self._socket, ssl.SSLSocket))
        return self._socket if wanted else None


class _TlsSocket(ssl.SSLSocket):
    """Closes itself: ``wrap_socket`` drops the new socket unclosed when the peer has reset the connection already."""

    def __del__(self) -> None:
        self.close()


_HANDSHAKES: weakref.WeakKeyDictionary[Any, _Connection] = weakref.WeakKeyDictionary()


def _watch_handshakes(context: ssl.SSLContext) -> None:
    """Note in each connection whether a certificate was asked for and shown, and which alert the peer sent.

    The message callback of ``ssl`` is not public (it serves ``SSLKEYLOGFILE`` and debugging); ``tests/wire`` proves on each
    Python that it works. Where it does not exist these facts stay unknown, and no verdict depends on them alone.
    """

    def note(tls: Any, direction: str, _version: int, content_type: int, message_type: int, data: bytes) -> None:
        alert = content_type == _ALERT
        if not alert and message_type not in {_CERTIFICATE_REQUEST, _CERTIFICATE}:
            return
        connection = _HANDSHAKES.get(tls)
        if connection is None:
            return
        if direction == "read" and alert and len(data) == 2:
            connection.alert = _ALERTS.get(data[1], f"alert {data[1]}")
        if direction == "read" and message_type == _CERTIFICATE_REQUEST and not alert:
            connection.requested = True
        # An empty Certificate message (no certificate at hand) is 4 octets of header and at most 4 of content.
        if direction == "write" and message_type == _CERTIFICATE and not alert:
            connection.presented = len(data) > 8

    if _MESSAGES:  # of the C class: that of Python makes an enumeration of each number first, which takes longer than all else
        _MESSAGES.__set__(context, note)


_MESSAGES: Any = getattr(ssl.SSLContext.__base__, "_msg_callback", None)


def _origin(url: str) -> str:
    """``host:port`` of an address, as ``[connect]`` writes it; empty when it is no address."""
    try:
        parts = urlsplit(url)
        port = {"https": 443, "http": 80}.get(parts.scheme.lower(), 0) if parts.port is None else parts.port
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname and port else ""


def _place(url: str) -> httpcore.Origin:
    """Scheme, host and port of an address. Raises many things for what is none, and when nothing is asked by such a scheme."""
    place = httpcore.URL(url).origin
    if place.scheme not in {b"http", b"https"}:
        raise httpcore.UnsupportedProtocol(f"the scheme of {url} is neither https nor http")
    return place


_ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    112: "unrecognized_name",
    116: "certificate_required",
}


def _remaining(connection: _Connection) -> float:
    remaining = connection.deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError("the time limit of the exchange has passed")
    return remaining


def _peer_chain(wrapped: ssl.SSLSocket) -> tuple[str, ...]:
    # get_unverified_chain is public from Python 3.13; before that it is on the object underneath.
    source = wrapped if hasattr(wrapped, "get_unverified_chain") else wrapped._sslobj  # type: ignore[attr-defined]
    chain = source.get_unverified_chain() or ()
    ders = (entry if isinstance(entry, bytes) else entry.public_bytes(_DER) for entry in chain)
    return tuple(hashlib.sha256(der).hexdigest() for der in ders)


_DER = 2  # ssl's private encoding constant for Certificate.public_bytes


def _headers(request: Request, *, keep: bool) -> list[tuple[bytes, bytes]]:
    names = {name.lower() for name, _ in request.headers}
    parts = urlsplit(request.url)
    defaults = [("Host", parts.netloc.rpartition("@")[2]), ("Accept-Encoding", "identity")]
    if not keep:
        defaults.append(("Connection", "close"))
    headers = [pair for pair in defaults if pair[0].lower() not in names] + list(request.headers)
    if request.body and not names & {"content-length", "transfer-encoding"}:
        headers.append(("Content-Length", str(len(request.body))))
    # Received headers are read as Latin-1, so what a gateway gave (a cookie) goes back octet by octet.
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _response(answer: httpcore.Response) -> Response:
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers)
    reason = answer.extensions.get("reason_phrase", b"").decode("latin-1")
    return Response(status=answer.status, reason=reason, headers=headers)


def _trouble(error: BaseException, limit: float) -> Trouble:
    """What a failure of the connection means, by the first telling exception in its chain of causes."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    for link in chain:
        match link:
            case ssl.SSLCertVerificationError():
                return Trouble(kind="tls", detail=f"the server certificate is not accepted: {link.verify_message}")
            case TimeoutError() | httpcore.TimeoutException():
                return Trouble(kind="timeout", detail=f"no complete answer within {limit:g} s")
            case ssl.SSLEOFError():
                return Trouble(kind="reset", detail="the connection was cut without a TLS closure")
            case ssl.SSLError():
                return Trouble(kind="tls", detail=f"TLS failed: {link.reason or link}")
            case ConnectionRefusedError():
                return Trouble(kind="connect", detail="connection refused")
            case ConnectionError() | BrokenPipeError():
                return Trouble(kind="reset", detail="the connection was reset")
    if isinstance(error, httpcore.ConnectError):
        return Trouble(kind="connect", detail=str(error))
    if isinstance(error, httpcore.RemoteProtocolError):
        return Trouble(kind="protocol", detail=f"not a complete HTTP response: {error}")
    if isinstance(error, (httpcore.NetworkError, OSError)):
        return Trouble(kind="reset", detail=str(error) or type(error).__name__)
    return Trouble(kind="protocol", detail=f"{type(error).__name__}: {error}")


def _retry_after(response: Response | None) -> float | None:
    if response is None or response.status not in {429, 503}:
        return None
    value = response.header("retry-after") or ""
    return float(value) if value.isascii() and value.isdigit() else None
