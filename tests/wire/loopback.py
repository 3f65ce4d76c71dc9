"""Real sockets and real TLS on the loopback interface: certificates, and servers that do whatever a test tells them to."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmij_conformance.evidence import Exchange, Request
from medmij_conformance.pki import Credential, Hierarchy
from medmij_conformance.wire.client import Client, Identity

HOST = "za.harness.test"

Talk = Callable[[Any, "Listener"], None]


@dataclass(frozen=True, slots=True)
class Pki:
    """A hierarchy, a stranger's hierarchy, and a folder with their certificates. ``files`` writes one more."""

    folder: Path
    own: Hierarchy
    strange: Hierarchy

    def files(self, name: str, credential: Credential) -> tuple[Path, Path]:
        return credential.write(self.folder, name)

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    @property
    def server(self) -> tuple[Path, Path]:
        return self.folder / "server.pem", self.folder / "server.key"

    def identity(self, name: str) -> Identity:
        return Identity(name=name, certificate=self.folder / f"{name}.pem", key=self.folder / f"{name}.key")

    def server_context(self, files: tuple[Path, Path] | None = None, **settings: Any) -> ssl.SSLContext:
        """TLS of a server; ``settings`` are attributes of the context."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(files or self.server))
        context.load_verify_locations(self.root)
        for name, value in settings.items():
            setattr(context, name, value)
        return context

    def client_context(self, identity: str = "") -> ssl.SSLContext:
        """TLS of a client that trusts the root, and shows a certificate if it is told which."""
        context = ssl.create_default_context(cafile=self.root)
        if identity:
            context.load_cert_chain(self.folder / f"{identity}.pem", self.folder / f"{identity}.key")
        return context


class Listener:
    """A server by hand: ``talk`` gets each accepted connection, in a thread of its own, over TLS unless told otherwise.

    Whatever happens to a connection is the business of the other end; ``accepted`` counts them, and ``gone`` is set when the
    test is over, so that nobody drips on for nobody.
    """

    def __init__(self, talk: Talk, context: ssl.SSLContext | None) -> None:
        self.accepted = 0
        self.gone = threading.Event()
        self._talk = talk
        self._context = context
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)

    @property
    def port(self) -> int:
        return self._socket.getsockname()[1]

    def stop(self) -> None:
        self.gone.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._socket.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                plain, _ = self._socket.accept()
                self.accepted += 1
                self._start(self._serve, plain)

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(5)
        with contextlib.suppress(OSError), plain:
            stream = self._context.wrap_socket(plain, server_side=True) if self._context else plain
            with stream:
                self._talk(stream, self)


def read_request(stream: Any) -> bytes:
    """The head of a request, and what came along with it."""
    data = b""
    while b"\r\n\r\n" not in data and (more := stream.recv(65_536)):
        data += more
    return data


def get(url: str = f"https://{HOST}/", **facts: Any) -> Exchange:
    """An exchange to be sent: by default a GET of the root."""
    request = facts.pop("request", Request(method="GET", url=url))
    return Exchange(label="a request", endpoint="other", request=request, **facts)


Listen = Callable[..., Listener]
Answer = Callable[..., Listener]
MakeClient = Callable[..., Client]
