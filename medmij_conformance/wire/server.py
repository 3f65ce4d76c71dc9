"""The server end of the wire: TLS by pyOpenSSL, HTTP/1.1 by h11, a thread per connection.

pyOpenSSL, because the ``ssl`` module aborts a handshake with an unacceptable client certificate before anybody can see it; here
``client_certificate="ask"`` lets every certificate in and tells the handler what is wrong with it.
"""

import contextlib
import functools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import h11
from cryptography import x509
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi as _ffi
from OpenSSL._util import lib as _openssl  # for groups, early data and stapled answers, of which public pyOpenSSL has no word

from medmij_conformance.evidence import Request, Response, Tls, header
from medmij_conformance.protocol import tls

HANG_UP = 0
"""A handler that answers with this status wants the connection to be cut without an answer."""

_READ = 65_536
_LARGEST_BODY = 5_000_000  # octets; who sends more is cut off
_AUTHORITY = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?")
_CONTACTS_KEPT = 1000
_LARGEST_HELLO = 65_536
_ALLOW_CLIENT_RENEGOTIATION = 1 << 8  # SSL_OP_ALLOW_CLIENT_RENEGOTIATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Octets instead of a handshake, for what no TLS library of today can be made to say.

    ``answer`` gets what a client said first and gives what to send back; nothing means: shake hands as usual. ``heard`` is told
    what the client said first, what it said after the answer, and after how many seconds it closed (None: not within ``wait_s``).
    """

    answer: Callable[[bytes], bytes]
    heard: Callable[[bytes, bytes, float | None], None] = lambda _first, _more, _closed: None
    wait_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """What a listener accepts. ``suites`` and ``groups`` in OpenSSL's words (empty groups: OpenSSL's own choice).

    ``own_order``: the order of the server counts. ``early_data``: octets that session tickets allow; without it there are none.
    """

    minimum: int = tls.TLS12
    maximum: int = tls.TLS13
    suites: str = "ECDHE+AESGCM:ECDHE+CHACHA20"
    groups: str = ""
    own_order: bool = True
    renegotiation: bool = False
    early_data: int = 0
    script: Script | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """Who calls: its address and, on the back channel, its certificate, what it sent above that, and what OpenSSL thinks of it.

    ``shown`` is the serial number of our own certificate on its connection, which it may have kept from before.
    """

    address: str
    certificate: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()
    errors: tuple[str, ...] = ()
    tls_version: str = ""
    cipher: str = ""
    client_hello: bytes = b""
    shown: int = 0

    def tls(self, *, client_hello: bool = False) -> Tls:
        """What its connection negotiated, as evidence; with the ClientHello when that is wanted."""
        return Tls(
            version=self.tls_version,
            cipher=self.cipher,
            certificate_presented=self.certificate is not None,
            peer_names=self.hostnames,
            peer_errors=self.errors,
            client_hello=self.client_hello.hex() if client_hello else "",
        )

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


@dataclass(slots=True, kw_only=True)
class Contact:
    """One connection, as it goes: for which name, how far it came, and how it ended.

    ``shown`` is the serial number of the certificate that was shown, and ``stapled`` whether an OCSP answer went with it;
    ``requests`` counts what was asked over it; ``trouble`` is what ended it before its handshake was done, in OpenSSL's words,
    which name the alert of the other side.
    """

    address: str
    server_name: str = ""
    shown: int = 0
    stapled: bool = False
    finished_handshake: bool = False
    requests: int = 0
    clear_text: bool = False
    trouble: str = ""
    ended: bool = False


class Gate(Protocol):
    """Who decides in the handshake about the certificate of a node that calls."""

    def is_forgiven(self, error: int, depth: int) -> bool:
        """Whether something that OpenSSL objects to does not matter."""

    def admits_client(self, chain: Sequence[x509.Certificate]) -> bool:
        """Whether a node is let in whose chain OpenSSL has verified; from its own certificate up."""


class Server:
    """One HTTPS listener on the loopback interface or another address. Start with ``start``, end with ``stop``.

    ``client_certificate``: ``none``, ``require`` (an unacceptable one ends the handshake) or ``ask`` (everything is let in).
    ``host`` is what the URLs of requests are built with; with ``by_host_header`` it is what the Host header says, as the client
    wrote it. ``others`` are certificate and key for further host names that clients may ask for (SNI). ``gate`` decides about
    client certificates in the handshake; by default OpenSSL alone. ``one_request``: no connection is kept, and each answer says so;
    then every request has a handshake, in which both sides show who they are now. Raises ``OSError`` when the address cannot be
    bound.
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
        by_host_header: bool = False,
        others: Mapping[str, tuple[Path, Path]] | None = None,
        settings: TlsSettings | None = None,
        gate: Gate | None = None,
        one_request: bool = False,
    ) -> None:
        self._handler = handler
        self._one_request = one_request
        self._host = host
        self._by_host_header = by_host_header
        self._idle_s = idle_s
        self._gate = gate
        # Read once: certificates that are worn later may come when the file has gone.
        self._authorities = x509.load_pem_x509_certificates(client_ca.read_bytes()) if client_ca else []
        self._client_certificate = client_certificate
        self._settings = settings or TlsSettings()
        self._files, self._others = (certificate, key), dict(others or {})
        self._renew()
        self._usual: SSL.Context | None = None  # what is shown again after ``undress``
        self.contacts: list[Contact] = []
        self.clear_text = False
        self._socket = socket.create_server(listen, backlog=256)
        self._closing = threading.Event()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._socket.getsockname()[1])

    @property
    def settings(self) -> TlsSettings:
        """What it accepts now."""
        return self._settings

    def ask_for_certificate(self, client_certificate: Literal["none", "ask", "require"]) -> None:
        """From the next connection on, treat client certificates like this. The files of our own are read again."""
        if client_certificate != self._client_certificate:
            self._client_certificate = client_certificate
            self._renew()

    def show(self, certificate: Path, key: Path) -> None:
        """From the next connection on, this is its own certificate."""
        if self._files != (certificate, key):
            self._files = certificate, key
            self._renew()

    def accept(self, settings: TlsSettings) -> None:
        """From the next connection on, accept this. With another script alone, the files of certificate and key may be gone."""
        same = replace(settings, script=None) == replace(self._settings, script=None)
        self._settings = settings
        if not same:
            self._renew()

    def _renew(self) -> None:
        self._context = self._new_context(*self._files, {name: self._new_context(*files) for name, files in self._others.items()})

    def wear(self, certificate: Path, key: Path, *, weak: bool = False, staple: bytes = b"") -> None:
        """Show this certificate under every name, from the next connection on, until ``undress``.

        ``weak``: with a short key. ``staple``: an OCSP answer that goes with it to clients that want one (RFC 6066 8).
        """
        context = self._new_context(certificate, key, weak=weak)
        if staple:
            context.set_ocsp_server_callback(_stapled, staple)
        self._usual = self._usual or self._context
        self._context = context

    def undress(self) -> None:
        """Show the usual certificates again, from the next connection on."""
        if self._usual:
            self._context, self._usual = self._usual, None

    def settled(self, limit_s: float = 2.0) -> list[Contact]:
        """The connections since ``contacts`` was cleared, once each of them has brought a request or has ended."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until and not (self.contacts and all(c.requests or c.ended for c in self.contacts)):
            time.sleep(0.01)
        return list(self.contacts)

    def _new_context(
        self, certificate: Path, key: Path, by_name: Mapping[str, SSL.Context] | None = None, *, weak: bool = False
    ) -> SSL.Context:
        """What a connection begins with; ``by_name`` is what it goes on with when its client asks for such a name (SNI)."""
        settings = replace(self._settings, suites=f"{self._settings.suites}:@SECLEVEL=0") if weak else self._settings
        context = _context(certificate, key, self._authorities, settings)
        demand(context, self._client_certificate, self._gate)
        context.set_tlsext_servername_callback(functools.partial(_choose, by_name or {}))
        return context

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
        contact = Contact(address=address)
        self.contacts.append(contact)
        try:
            with plain, contextlib.suppress(OSError, SSL.Error, h11.RemoteProtocolError):
                self._converse(plain, contact)
        finally:
            contact.ended = True
            if len(self.contacts) > _CONTACTS_KEPT:
                del self.contacts[0]

    def _converse(self, plain: socket.socket, contact: Contact) -> None:
        first = _first_words(plain)
        if (script := self._settings.script) and (words := script.answer(first)):
            _play(plain, script, first, words)
            return
        contact.clear_text = first[:1].isalpha()
        if contact.clear_text and not self.clear_text:
            return
        line: _Line = _Plain(plain, first) if contact.clear_text else self._handshake(plain, contact, first)
        peer = line.peer(contact.address)
        scheme = "http" if contact.clear_text else "https"
        for request, reply in _requests(line, scheme, self._host, by_host_header=self._by_host_header):
            contact.requests += 1
            answer = self._handler(request, peer)
            if answer.status == HANG_UP:
                return
            reply(_last(answer) if self._one_request else answer)
        line.close()

    def _handshake(self, plain: socket.socket, contact: Contact, first: bytes) -> "TlsLine":
        line = TlsLine(plain, self._context, first=first)
        try:
            line.handshake()
        except (OSError, SSL.Error) as error:
            contact.trouble = _in_words(error)
            raise
        finally:
            contact.server_name, contact.shown, contact.stapled = line.seen.server_name, line.shown, line.seen.stapled
        contact.finished_handshake = True
        return line


def _choose(by_name: Mapping[str, SSL.Context], connection: SSL.Connection) -> None:
    """Go on with the certificate for the name that the client asks for."""
    name = (connection.get_servername() or b"").decode("latin-1").lower()
    connection.get_app_data().server_name = name
    if name in by_name:
        connection.set_context(by_name[name])


def _first_words(plain: socket.socket) -> bytes:
    """What a client says before it waits: its ClientHello, as a rule."""
    first = b""
    while (not first or not tls.is_whole(first)) and len(first) < _LARGEST_HELLO:
        data = plain.recv(_READ)
        if not data:
            break
        first += data
    return first


def _play(plain: socket.socket, script: Script, first: bytes, words: bytes) -> None:
    """Answer by a script, and hear the client out."""
    more, began, closed = b"", time.monotonic(), False
    try:
        plain.sendall(words)
        while (left := began + script.wait_s - time.monotonic()) > 0 and len(more) < _LARGEST_HELLO and not closed:
            plain.settimeout(left)
            data = plain.recv(_READ)
            closed = not data
            more += data
    except TimeoutError:
        pass
    except OSError:
        closed = True
    script.heard(first, more, time.monotonic() - began if closed else None)


class _Line(Protocol):
    """What HTTP is spoken over."""

    def peer(self, address: str) -> Peer: ...
    def receive(self) -> bytes: ...
    def send(self, data: bytes) -> None: ...
    def close(self) -> None: ...


class _Plain:
    """A connection in clear text."""

    def __init__(self, plain: socket.socket, first: bytes) -> None:
        self._socket = plain
        self._first = first

    def peer(self, address: str) -> Peer:
        return Peer(address=address)

    def receive(self) -> bytes:
        first, self._first = self._first, b""
        return first or self._socket.recv(_READ)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        """The socket is closed by who opened it."""


@dataclass(slots=True)
class _Seen:
    """What the callbacks of a handshake saw: complaints of OpenSSL (``depth:number``), the verified chain, the name asked for, and
    whether an OCSP answer was given."""

    errors: list[str]
    chain: dict[int, x509.Certificate]
    server_name: str = ""
    stapled: bool = False


class TlsLine:
    """A TLS connection over a blocking socket, with OpenSSL working in memory so that time-outs stay the socket's."""

    def __init__(
        self,
        plain: socket.socket,
        context: SSL.Context,
        *,
        first: bytes = b"",
        server_name: str | None = None,
        wants_staple: bool = False,
    ) -> None:
        """``first`` is what the client has said already; ``server_name`` makes it the end of a client, who asks for that name.

        ``wants_staple``: the client asks for an OCSP answer with the certificate of the server.
        """
        self._socket = plain
        self._first = first
        self._tls = SSL.Connection(context, None)
        if server_name is None:
            self._tls.set_accept_state()
        else:
            self._tls.set_tlsext_host_name(server_name.encode())
            self._tls.set_connect_state()
            if wants_staple:
                self._tls.request_ocsp()
        self.seen = _Seen([], {})
        self._tls.set_app_data(self.seen)

    def handshake(self) -> None:
        if self._first:
            self._tls.bio_write(self._first)
        self._drive(self._tls.do_handshake)

    @property
    def shown(self) -> int:
        """The serial number of our own certificate on this connection; 0 before one was chosen."""
        own = self._tls.get_certificate(as_cryptography=True)
        return own.serial_number if own else 0

    @property
    def staple(self) -> bytes:
        """The OCSP answer that came with the certificate of a server, so far; with TLS 1.3 it is there when that is judged."""
        place = _ffi.new("unsigned char **")
        length = _openssl.SSL_get_tlsext_status_ocsp_resp(self._tls._ssl, place)
        return bytes(_ffi.buffer(place[0], length)) if length > 0 else b""

    def peer(self, address: str) -> Peer:
        leaf = self._tls.get_peer_certificate(as_cryptography=True)
        return Peer(
            address=address,
            certificate=leaf,
            chain=tuple(self._tls.get_peer_cert_chain(as_cryptography=True) or ()) if leaf else (),
            errors=tuple(self.seen.errors),
            tls_version=self._tls.get_protocol_version_name(),
            cipher=self._tls.get_cipher_name() or "",
            client_hello=self._first,
            shown=self.shown,
        )

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
            while True:
                data = self._tls.bio_read(_READ)
                self._socket.sendall(data)
                if len(data) < _READ:  # there is no more, and to ask for it would raise, which takes longer than all else here
                    return


def _in_words(error: Exception) -> str:
    """Why a handshake ended: the last reason that OpenSSL gives, or what the socket says."""
    reasons = error.args[0] if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list) else ()
    return str(reasons[-1][-1]) if reasons else str(error) or type(error).__name__


def _requests(line: _Line, scheme: str, host: str, *, by_host_header: bool) -> Iterator[tuple[Request, Callable[[Response], None]]]:
    """The requests of one connection, each with the function that answers it."""
    http = h11.Connection(h11.SERVER, max_incomplete_event_size=131_072)
    while True:
        event = _next_event(http, line)
        if not isinstance(event, h11.Request):
            return
        body = bytearray()
        while isinstance(part := _next_event(http, line), h11.Data):
            body += part.data
            if len(body) > _LARGEST_BODY:
                return
        headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers.raw_items())
        named = (header(headers, "host") or "") if by_host_header else ""
        url = f"{scheme}://{named if _AUTHORITY.fullmatch(named) else host}{event.target.decode('latin-1')}"
        yield (
            Request(method=event.method.decode("latin-1"), url=url, headers=headers, body=bytes(body)),
            functools.partial(_reply, http, line, event.method),
        )
        if http.our_state is h11.MUST_CLOSE or http.their_state is h11.MUST_CLOSE:
            return
        http.start_next_cycle()


def _next_event(http: h11.Connection, line: _Line) -> object:
    while True:
        event = http.next_event()
        if event is not h11.NEED_DATA:
            return event
        if http.they_are_waiting_for_100_continue:
            line.send(http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        http.receive_data(line.receive())


def _reply(http: h11.Connection, line: _Line, method: bytes, response: Response) -> None:
    names = {name.lower() for name, _ in response.headers}
    headers = list(response.headers)
    if not names & {"content-length", "transfer-encoding"}:
        headers.append(("Content-Length", str(len(response.body))))
    encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
    head = h11.Response(status_code=response.status, headers=encoded, reason=response.reason.encode("latin-1"))
    body = b"" if method == b"HEAD" else response.body
    data = [http.send(head), http.send(h11.Data(data=body))]
    if _promises_more(response) and body:  # on purpose: the connection ends in the middle of the body
        line.send(b"".join(part for part in data if part))
        raise ConnectionAbortedError("the answer is cut off here")
    data.append(http.send(h11.EndOfMessage()))
    line.send(b"".join(part for part in data if part))


def _last(response: Response) -> Response:
    """An answer after which the connection ends, as it says."""
    others = tuple(pair for pair in response.headers if pair[0].lower() != "connection")
    return replace(response, headers=(*others, ("Connection", "close")))


def _promises_more(response: Response) -> bool:
    """Whether the answer says that its body is longer than it is."""
    length = response.header("content-length") or ""
    return length.isdigit() and int(length) > len(response.body)


def _stapled(connection: SSL.Connection, answer: bytes | None) -> bytes:
    """Called when a client wants an OCSP answer with the certificate."""
    connection.get_app_data().stapled = True
    return answer or b""


def _context(certificate: Path, key: Path, authorities: Sequence[x509.Certificate], settings: TlsSettings) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    accept(context, settings)
    context.use_certificate_chain_file(str(certificate))
    context.use_privatekey_file(str(key))
    if store := context.get_cert_store():
        for authority in authorities:
            store.add_cert(crypto.X509.from_cryptography(authority))
    return context


def accept(context: SSL.Context, settings: TlsSettings) -> None:
    """Accept and offer this. Raises ``ValueError`` for groups that OpenSSL does not know."""
    context.set_min_proto_version(settings.minimum)
    context.set_max_proto_version(settings.maximum)
    context.set_cipher_list(settings.suites.encode())
    if settings.groups and not _openssl.SSL_CTX_set1_curves_list(context._context, settings.groups.encode()):
        raise ValueError(f"groups {settings.groups!r}: OpenSSL does not know them")
    if settings.own_order:
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    if settings.renegotiation:
        context.set_options(_ALLOW_CLIENT_RENEGOTIATION)
    # A resumed session would hide the certificate of the peer.
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    if settings.early_data:
        _openssl.SSL_CTX_set_max_early_data(context._context, settings.early_data)
    else:
        context.set_options(SSL.OP_NO_TICKET)


def demand(context: SSL.Context, client_certificate: Literal["none", "ask", "require"], gate: Gate | None) -> None:
    """Treat client certificates like this on the connections to come."""
    lets_in = client_certificate == "ask"

    def decide(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
        seen: _Seen = connection.get_app_data()
        if not ok:
            forgiven = gate is not None and gate.is_forgiven(error, depth)
            if not forgiven:
                seen.errors.append(f"{depth}:{error}")
            return lets_in or forgiven
        seen.chain[depth] = certificate.to_cryptography()
        if depth or gate is None or gate.admits_client([seen.chain[place] for place in sorted(seen.chain)]):
            return True
        seen.errors.append("0:refused")
        return lets_in

    if client_certificate == "none":
        context.set_verify(SSL.VERIFY_NONE)
    elif lets_in:
        context.set_verify(SSL.VERIFY_PEER, decide)
    else:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, decide)
