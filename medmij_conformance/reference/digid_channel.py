"""How the reference fetches a login from DigiD: one SOAP call over mutual TLS, bounded in time and size, nothing followed."""

import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import h11

_READ = 65_536


class NoAnswerError(Exception):
    """DigiD gave no usable answer; the message says why."""


@dataclass(kw_only=True)
class DigidChannel:
    """``connect`` stands in for DNS: ``host:port`` to where that really is; what it lacks is dialled as it is written.

    ``limit_s`` bounds the whole call, from the first packet to the last, in seconds; ``largest`` the answer, in octets.
    """

    certificate: Path
    key: Path
    ca: Path
    connect: Mapping[str, str]
    limit_s: float = 5.0
    largest: int = 200_000
    _made: ssl.SSLContext | None = field(default=None, init=False)

    def post(self, url: str, body: bytes) -> bytes:
        """The body of the answer, which has status 200. Raises ``NoAnswerError``."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname:
            raise NoAnswerError(f"{url} is no https address")
        deadline = time.monotonic() + self.limit_s
        try:
            with self._dial(parts.hostname, parts.port or 443, deadline) as tls:
                return self._talk(tls, parts.netloc, parts.path or "/", body, deadline)
        except (OSError, h11.ProtocolError) as error:
            raise NoAnswerError(f"{parts.hostname}: {error}") from error

    def _dial(self, host: str, port: int, deadline: float) -> ssl.SSLSocket:
        name, _, real_port = self.connect.get(f"{host}:{port}", f"{host}:{port}").rpartition(":")
        plain = socket.create_connection((name, int(real_port)), timeout=_left(deadline))
        try:
            plain.settimeout(_left(deadline))
            self._made = self._made or self.context()
            return self._made.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def context(self) -> ssl.SSLContext:
        """Our certificate, their authority, and no TLS but good TLS."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
        self.identify(context)
        return context

    def identify(self, context: ssl.SSLContext) -> None:
        """DigiD knows us by our certificate."""
        context.load_cert_chain(self.certificate, self.key)

    def _talk(self, tls: ssl.SSLSocket, authority: str, path: str, body: bytes, deadline: float) -> bytes:
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_READ)
        headers = [
            ("Host", authority),
            ("Content-Type", "text/xml; charset=utf-8"),
            ("SOAPAction", '"http://www.oasis-open.org/committees/security"'),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        head = http.send(h11.Request(method="POST", target=path, headers=headers)) or b""
        tls.settimeout(_left(deadline))
        tls.sendall(head + (http.send(h11.Data(data=body)) or b"") + (http.send(h11.EndOfMessage()) or b""))
        answer = bytearray()
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                tls.settimeout(_left(deadline))
                http.receive_data(tls.recv(_READ))
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
