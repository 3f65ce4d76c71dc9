"""How the reference PGO calls ZA gateways: mutual TLS, one connection per request, nothing tried twice, nothing followed.

pyOpenSSL, because what the framework asks of a certificate (its status, the Whitelist) is known before the handshake is done.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from OpenSSL import SSL

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference.peers import Peers
from medmij_conformance.wire.server import TlsLine, TlsSettings, accept, demand


class NoAnswerError(Exception):
    """The other side gave no complete answer; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """What is offered to a ZA gateway. ``prelude`` gets a connection of its own before each request."""

    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    suites: str = "ECDHE+AESGCM:ECDHE+CHACHA20"
    prelude: Callable[[socket.socket], None] | None = None


@dataclass(slots=True)
class BackChannel:
    """``connect`` stands in for DNS: ``host:port`` to where that really is; what it lacks is dialled as it is written."""

    certificate: Path
    key: Path
    ca: Path
    connect: Mapping[str, str]
    timeout_s: float = 8.0
    tls: ClientTls = field(default_factory=ClientTls)
    _kept: threading.local = field(default_factory=threading.local)
    _pool: dict[str, http.client.HTTPConnection] = field(default_factory=dict)
    _idle_since: dict[str, float] = field(default_factory=dict)

    def send(
        self,
        request: Request,
        peers: Peers,
        *,
        certificate: bool = True,
        chunked: bool = False,
        keep: bool = False,
        pool_s: float = 0.0,
    ) -> Response:
        """One request, one answer, from a node that ``peers`` accepts. Raises ``NoAnswerError``.

        ``chunked``: a body goes in chunks. ``keep``: the connection is kept for the next request of this thread; ``pool_s``:
        for that of anybody, within so many seconds. Neither is, when the node says that it ends.
        """
        parts = urlsplit(request.url)
        host, port = parts.hostname or "", parts.port or 443
        address = self.connect.get(f"{host}:{port}", f"{host}:{port}")
        kept: dict[str, http.client.HTTPConnection] = self._pool if pool_s else self._kept.__dict__
        connection = kept.pop(f"{host}:{port}", None)
        if connection and pool_s and time.monotonic() - self._idle_since[f"{host}:{port}"] > pool_s:
            connection.close()
            connection = None
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            if self.tls.prelude:
                with _dial(address, self.timeout_s) as plain:
                    self.tls.prelude(plain)
            connection = connection or self._connected(host, port, address, peers, certificate)
            body_of = iter([request.body]) if chunked and request.body else request.body or None
            connection.request(request.method, target, body_of, dict(request.headers), encode_chunked=chunked)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, SSL.Error, http.client.HTTPException) as error:
            if connection:
                connection.close()
            raise NoAnswerError(f"{host}: {error}") from error
        if (keep or pool_s) and connection.sock:
            kept[f"{host}:{port}"], self._idle_since[f"{host}:{port}"] = connection, time.monotonic()
        else:
            connection.close()
        return Response(status=answer.status, headers=tuple(answer.getheaders()), body=body)

    def _connected(self, host: str, port: int, address: str, peers: Peers, certificate: bool) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(host, port)
        connection.default_port = http.client.HTTPS_PORT
        plain = _dial(address, self.timeout_s)
        try:
            connection.sock = self.session(plain, host, peers, certificate)
        except (OSError, SSL.Error):
            plain.close()
            raise
        return connection

    def session(self, plain: socket.socket, host: str, peers: Peers, certificate: bool) -> Any:
        """A TLS session with a node that was accepted in the handshake; it behaves as a socket. Raises ``SSL.Error``."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        offer = self.tls
        accept(context, TlsSettings(minimum=offer.minimum, maximum=offer.maximum, suites=offer.suites, groups="P-256"))
        context.load_verify_locations(str(self.ca))
        if certificate:
            context.use_certificate_chain_file(str(self.certificate))
            context.use_privatekey_file(str(self.key))
        gate = Outgoing(peers, host)
        demand(context, "require", gate)
        gate.line = line = TlsLine(plain, context, server_name=host, wants_staple=peers.wants_staple)
        line.handshake()
        return _Socket(line, plain)


@dataclass(slots=True)
class Outgoing:
    """The gate towards a node that we call, over a line."""

    peers: Peers
    host: str
    line: TlsLine | None = None

    def is_forgiven(self, error: int, depth: int) -> bool:
        return self.peers.is_forgiven(error, depth)

    def admits_client(self, chain: Sequence[x509.Certificate]) -> bool:
        return self.peers.admits_server(chain, self.host, self.line.staple if self.line else b"")


class _Socket(io.RawIOBase):
    """A TLS session as ``http.client`` wants it: something that sends, and a file to read from."""

    def __init__(self, line: TlsLine, plain: socket.socket) -> None:
        self._line = line
        self._plain = plain

    def close(self) -> None:
        self._plain.close()
        super().close()

    def fileno(self) -> int:
        return self._plain.fileno()

    def sendall(self, data: bytes) -> None:
        self._line.send(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self._line))


def _dial(address: str, timeout_s: float | None) -> socket.socket:
    name, _, port = address.rpartition(":")
    return socket.create_connection((name, int(port)), timeout=timeout_s)


class _Reader(io.RawIOBase):
    def __init__(self, line: TlsLine) -> None:
        self._line = line
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or self._line.receive()
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)
