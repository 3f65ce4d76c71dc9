"""How the reference fetches a login from DigiD: one SOAP call over mutual TLS, bounded in time and size, nothing followed.

pyOpenSSL, because DigiD's authority is asked about its certificate in the handshake, before anything is said.
"""

import contextlib
import socket
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import h11
from OpenSSL import SSL

from medmij_conformance.reference.back_channel import Outgoing
from medmij_conformance.reference.peers import Peers
from medmij_conformance.wire.server import TlsLine, TlsSettings, accept, demand

_LARGEST_HEAD = 65_536


class NoAnswerError(Exception):
    """DigiD gave no usable answer; the message says why."""


class DigidPeers(Peers):
    """Who DigiD is: its certificate bears its name, is valid, and its authority says so. It stands on no list of MedMij."""

    def __init__(self) -> None:
        super().__init__(lambda: None)

    def check_listed(self, names: Collection[str]) -> None:
        """The Whitelist is for nodes of MedMij, which DigiD is not."""


@dataclass(slots=True)
class _Session:
    """A TLS session with DigiD, and what HTTP says over it."""

    plain: socket.socket
    tls: TlsLine
    http: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD))
    since: float = 0.0  # from when on it is idle (monotonic, in seconds)


@dataclass(kw_only=True)
class DigidChannel:
    """``connect`` stands in for DNS: ``host:port`` to where that really is; what it lacks is dialled as it is written.

    ``limit_s`` bounds the whole call, from the first packet to the last, in seconds; ``largest`` the answer, in octets. ``kept_s``:
    for so many seconds a connection is kept for whoever logs in next, unless DigiD said that it ends.
    """

    certificate: Path
    key: Path
    ca: Path
    connect: Mapping[str, str]
    limit_s: float = 5.0
    largest: int = 200_000
    peers: Peers = field(default_factory=DigidPeers)
    kept_s: float = 0.0
    _made: dict[str, SSL.Context] = field(default_factory=dict, init=False)
    _idle: defaultdict[tuple[str, int], list[_Session]] = field(default_factory=lambda: defaultdict(list), init=False)

    def post(self, url: str, body: bytes) -> bytes:
        """The body of the answer, which has status 200. Raises ``NoAnswerError``."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise NoAnswerError(f"{url} is no https address")
        deadline = time.monotonic() + self.limit_s
        place = parts.hostname, parts.port or 443
        try:
            session = self._kept(place) or self._opened(place, deadline)
            with contextlib.ExitStack() as ends:
                ends.enter_context(session.plain)
                answer = self._talk(session, parts.netloc, parts.path or "/", body, deadline)
                if session.http.our_state is session.http.their_state is h11.DONE:
                    session.http.start_next_cycle()
                    session.since = time.monotonic()
                    self._idle[place].append(session)
                    ends.pop_all()
        except (OSError, SSL.Error, h11.ProtocolError) as error:
            raise NoAnswerError(f"{parts.hostname}: {error}") from error
        return answer

    def close(self) -> None:
        """Close the connections that are kept."""
        for place in list(self._idle):
            for session in self._idle.pop(place):
                session.plain.close()

    def _kept(self, place: tuple[str, int]) -> _Session | None:
        with contextlib.suppress(IndexError):  # another login may take the last one
            while time.monotonic() - (session := self._idle[place].pop()).since > self.kept_s:
                session.plain.close()
            return session
        return None

    def _opened(self, place: tuple[str, int], deadline: float) -> _Session:
        host, port = place
        if host not in self._made:
            self._made[host] = self.context(host)
        with contextlib.ExitStack() as ends:
            plain = ends.enter_context(self._dial(host, port, deadline))
            tls = TlsLine(plain, self._made[host], server_name=host)
            tls.handshake()
            ends.pop_all()
        return _Session(plain, tls)

    def _dial(self, host: str, port: int, deadline: float) -> socket.socket:
        name, _, real_port = self.connect.get(f"{host}:{port}", f"{host}:{port}").rpartition(":")
        plain = socket.create_connection((name, int(real_port)), timeout=_left(deadline))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def context(self, host: str) -> SSL.Context:
        """Our certificate, their authority, no TLS but good TLS, and nobody but the host that was called."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        accept(context, TlsSettings())
        context.load_verify_locations(str(self.ca))
        self.identify(context)
        demand(context, "require", Outgoing(self.peers, host))
        return context

    def identify(self, context: SSL.Context) -> None:
        """DigiD knows us by our certificate."""
        context.use_certificate_chain_file(str(self.certificate))
        context.use_privatekey_file(str(self.key))

    def _talk(self, session: _Session, authority: str, path: str, body: bytes, deadline: float) -> bytes:
        http = session.http
        headers = [
            ("Host", authority),
            ("Content-Type", "text/xml; charset=utf-8"),
            ("SOAPAction", '"http://www.oasis-open.org/committees/security"'),
            ("Content-Length", str(len(body))),
            *([] if self.kept_s else [("Connection", "close")]),
        ]
        head = http.send(h11.Request(method="POST", target=path, headers=headers)) or b""
        session.plain.settimeout(_left(deadline))
        session.tls.send(head + (http.send(h11.Data(data=body)) or b"") + (http.send(h11.EndOfMessage()) or b""))
        answer = bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                session.plain.settimeout(_left(deadline))
                http.receive_data(session.tls.receive())
            elif isinstance(event, h11.Response):
                self.check_status(event.status_code, dict(event.headers).get(b"location", b"").decode("latin-1"))
            elif isinstance(event, h11.Data):
                answer += event.data
                self.check_size(len(answer))
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return bytes(answer)

    def check_status(self, status: int, location: str) -> None:
        """Anything but 200 holds no login; a redirect is not followed."""
        if status != 200:
            raise NoAnswerError(f"the answer has status {status}{f' and points to {location}' if location else ''}")

    def check_size(self, size: int) -> None:
        """A login takes a few thousand octets."""
        if size > self.largest:
            raise NoAnswerError(f"the answer is larger than {self.largest} octets")


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no complete answer in time")
    return left
