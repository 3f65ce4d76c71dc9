"""The server end of the wire: TLS by pyOpenSSL, HTTP/1.1 by h11, a thread per connection.

pyOpenSSL, because the ``ssl`` module aborts a handshake with an unacceptable client certificate before anybody can see it; here
``client_certificate="ask"`` lets every certificate in and tells the handler what is wrong with it.
"""

import contextlib
import functools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import h11
from cryptography import x509
from OpenSSL import SSL

from medmij_conformance.evidence import Request, Response

HANG_UP = 0
"""A handler that answers with this status wants the connection to be cut without an answer."""

_READ = 65_536
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who calls: its address and, on the back channel, its certificate with what OpenSSL thinks of it."""

    address: str
    certificate: x509.Certificate | None = None
    errors: tuple[str, ...] = ()

    @property
    def hostnames(self) -> tuple[str, ...]:
        """The dNSName entries of the certificate, in lower case; empty without one."""
        if self.certificate is None:
            return ()
        try:
            names = self.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        return tuple(name.lower() for name in names.get_values_for_type(x509.DNSName))


Handler = Callable[[Request, Peer], Response]


class Server:
    """One HTTPS listener on the loopback interface or another address. Start with ``start``, end with ``stop``.

    ``client_certificate``: ``none``, ``require`` (an unacceptable one ends the handshake) or ``ask`` (everything is let in).
    ``host`` is what the URLs of requests are built with. Raises ``OSError`` when the address cannot be bound.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        host: str,
        certificate: Path,
        key: Path,
        client_ca: Path | None = None,
        client_certificate: Literal["none", "ask", "require"] = "none",
        listen: tuple[str, int] = ("127.0.0.1", 0),
        idle_s: float = 30.0,
    ) -> None:
        self._handler = handler
        self._host = host
        self._idle_s = idle_s
        self._files = (certificate, key, client_ca)
        self._context = _context(*self._files, client_certificate)
        self._socket = socket.create_server(listen, backlog=256)
        self._closing = threading.Event()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    def ask_for_certificate(self, client_certificate: Literal["none", "ask", "require"]) -> None:
        """From the next connection on, treat client certificates like this."""
        self._context = _context(*self._files, client_certificate)

    def start(self) -> None:
        """Accept connections in a thread of its own."""
        threading.Thread(target=self._accept, name=f"listener {self._host}", daemon=True).start()

    def stop(self) -> None:
        """Stop accepting. Connections that are open end with their requests."""
        self._closing.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                plain, address = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain, address[0]), daemon=True).start()

    def _serve(self, plain: socket.socket, address: str) -> None:
        plain.settimeout(self._idle_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with plain, contextlib.suppress(OSError, SSL.Error, h11.RemoteProtocolError):
            tls = _Tls(plain, self._context)
            tls.handshake()
            peer = Peer(address=address, certificate=tls.certificate(), errors=tuple(tls.errors))
            for request, reply in _requests(tls, self._host):
                answer = self._handler(request, peer)
                if answer.status == HANG_UP:
                    return
                reply(answer)
            tls.close()


class _Tls:
    """A TLS connection over a blocking socket, with OpenSSL working in memory so that time-outs stay the socket's."""

    def __init__(self, plain: socket.socket, context: SSL.Context) -> None:
        self._socket = plain
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self.errors: list[str] = []
        self._tls.set_app_data(self.errors)

    def handshake(self) -> None:
        self._drive(self._tls.do_handshake)

    def certificate(self) -> x509.Certificate | None:
        return self._tls.get_peer_certificate(as_cryptography=True)

    def receive(self) -> bytes:
        try:
            return self._drive(lambda: self._tls.recv(_READ)) or b""
        except SSL.ZeroReturnError:
            return b""

    def send(self, data: bytes) -> None:
        self._tls.sendall(data)
        self._flush()

    def close(self) -> None:
        self._tls.shutdown()
        self._flush()

    def _drive(self, operation: Callable[[], bytes | None]) -> bytes | None:
        while True:
            try:
                result = operation()
            except SSL.WantReadError:
                self._flush()
                data = self._socket.recv(_READ)
                if not data:
                    raise ConnectionResetError("the peer closed the connection") from None
                self._tls.bio_write(data)
            except SSL.Error:
                self._flush()  # the alert that says why
                raise
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        with contextlib.suppress(SSL.WantReadError):
            while data := self._tls.bio_read(_READ):
                self._socket.sendall(data)


def _requests(tls: _Tls, host: str) -> Iterator[tuple[Request, Callable[[Response], None]]]:
    """The requests of one connection, each with the function that answers it."""
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=131_072)
    while True:
        event = _next_event(http, tls)
        if not isinstance(event, h11.Request):
            return
        body = b""
        while isinstance(part := _next_event(http, tls), h11.Data):
            body += bytes(part.data)
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers.raw_items())
        url = f"https://{host}{event.target.decode('latin-1')}"
        yield (
            Request(method=event.method.decode("latin-1"), url=url, headers=headers, body=body),
            functools.partial(_reply, http, tls, event.method),
        )
        if http.our_state is h11.MUST_CLOSE or http.their_state is h11.MUST_CLOSE:
            return
        http.start_next_cycle()


def _next_event(http: h11.Connection, tls: _Tls) -> object:
    while True:
        event = http.next_event()
        if event is not h11.NEED_DATA:
            return event
        if http.they_are_waiting_for_100_continue:
            tls.send(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        http.receive_data(tls.receive())


def _reply(http: h11.Connection, tls: _Tls, method: bytes, response: Response) -> None:
    names = {name.lower() for name, _ in response.headers}
    headers = list(response.headers)
    if not names & {"content-length", "transfer-encoding"}:
        headers.append(("Content-Length", str(len(response.body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
    head = h11.Response(status_code=response.status, headers=encoded, reason=response.reason.encode("latin-1"))
    body = b"" if method == b"HEAD" else response.body
    data = [http.send(head), http.send(h11.Data(data=body)), http.send(h11.EndOfMessage())]
    tls.send(b"".join(part for part in data if part))


def _context(
    certificate: Path, key: Path, client_ca: Path | None, client_certificate: Literal["none", "ask", "require"]
) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(_CIPHERS)
    # A resumed session would hide the certificate of the peer.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET)
    context.use_certificate_chain_file(str(certificate))
    context.use_privatekey_file(str(key))
    if client_ca:
        context.load_verify_locations(str(client_ca))
    if client_certificate == "require":
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    elif client_certificate == "ask":
        context.set_verify(SSL.VERIFY_PEER, _let_in)
    return context


def _let_in(connection: SSL.Connection, _certificate: object, error: int, depth: int, _ok: int) -> bool:
    if error:
        connection.get_app_data().append(f"{depth}:{error}")
    return True
