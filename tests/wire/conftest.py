"""Certificates, listeners and clients for the tests of the wire."""

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from loopback import HOST, Answer, Listen, Listener, MakeClient, Pki, Talk, read_request
from sites import Site

from medmij_conformance.evidence import Evidence
from medmij_conformance.pki import hierarchy
from medmij_conformance.wire.client import Client, Limits
from medmij_conformance.wire.server import Server


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates of the server, of a PGO, of a PGO from an unknown authority, and one that vouches for itself."""
    made = Pki(tmp_path_factory.mktemp("pki"), hierarchy(), hierarchy("STRANGE"))
    made.root.write_bytes(made.own.root.certificate_pem)
    made.files("server", made.own.tsp.issue(HOST, names=(HOST, "login.harness.test")))
    made.files("pgo", made.own.tsp.issue("pgo.harness.test"))
    made.files("stranger", made.strange.tsp.issue("pgo.harness.test"))
    return made


@pytest.fixture
def listen(pki: Pki) -> Iterator[Listen]:
    """Starts listeners; they are gone when the test is."""
    with contextlib.ExitStack() as stack:

        def start(talk: Talk, *, tls: bool = True, context: ssl.SSLContext | None = None) -> Listener:
            listener = Listener(talk, (context or pki.server_context()) if tls else None)
            stack.callback(listener.stop)
            return listener

        yield start


@pytest.fixture
def answer(listen: Listen) -> Answer:
    """Starts a listener that reads a request and answers with these octets, connection after connection."""

    def start(*answers: bytes, **settings: Any) -> Listener:
        left = list(answers)

        def talk(stream: Any, _: Listener) -> None:
            read_request(stream)
            stream.sendall(left.pop(0) if len(left) > 1 else left[0])

        return listen(talk, **settings)

    return start


@pytest.fixture
def client(pki: Pki) -> MakeClient:
    """Makes a client that reaches ``za.harness.test`` at a port; more connections and limits as told."""

    def make(port: int, *, connect: dict[str, str] | None = None, **limits: float) -> Client:
        return Client(
            Evidence(),
            connect={f"{HOST}:443": f"127.0.0.1:{port}"} | (connect or {}),
            identities=[pki.identity("pgo"), pki.identity("stranger")],
            trust_back=[pki.root],
            trust_front=[pki.root],
            limits=Limits(**{"exchange_s": 5.0, **limits}),
        )

    return make


@pytest.fixture
def site(pki: Pki) -> Iterator[Site]:
    """An empty site, serving."""
    pages = Site()
    certificate, key = pki.server
    server = Server(pages, host=HOST, certificate=certificate, key=key, idle_s=5)
    server.start()
    pages.port = server.port
    yield pages
    server.stop()
