"""The server decides in the handshake, changes its certificate, and tells how each connection ended; the responder answers."""

import http.client
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from loopback import HOST, Pki

from medmij_conformance.counterparties.tsp import GOOD, Tsp
from medmij_conformance.evidence import Request, Response
from medmij_conformance.pki import Authority, hierarchy
from medmij_conformance.wire.looking import chain_of
from medmij_conformance.wire.responder import Responder
from medmij_conformance.wire.server import Peer, Server

Start = Callable[..., Server]


@dataclass
class Doorkeeper:
    """A gate that lets in whom it is told to, and remembers the chains."""

    lets_in: bool = True
    forgives: frozenset[int] = frozenset()
    chains: list[list[x509.Certificate]] = field(default_factory=list)

    def is_forgiven(self, error: int, depth: int) -> bool:
        return error in self.forgives

    def admits_client(self, chain: Sequence[x509.Certificate]) -> bool:
        self.chains.append(list(chain))
        return self.lets_in


@pytest.fixture
def start(pki: Pki) -> Iterator[Start]:
    """Starts servers that say which subject has called."""
    servers: list[Server] = []

    def answer(_request: Request, peer: Peer) -> Response:
        return Response(status=200, body=" ".join(peer.hostnames).encode())

    def make(**settings: Any) -> Server:
        certificate, key = pki.server
        servers.append(Server(answer, host=HOST, certificate=certificate, key=key, client_ca=pki.root, idle_s=5, **settings))
        servers[-1].start()
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def ask(pki: Pki, server: Server, identity: str = "pgo") -> bytes:
    """One request with the certificate of ``identity``. Raises ``OSError`` when it is refused."""
    context = pki.client_context(identity)
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    with context.wrap_socket(plain, server_hostname=HOST) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while more := stream.recv(65_536):
            data += more
    return data


def test_the_gate_sees_the_verified_chain_and_decides(pki: Pki, start: Start) -> None:
    """Who is not admitted gets no application data; the chain goes from the node up to the root."""
    keeper = Doorkeeper()
    server = start(client_certificate="require", gate=keeper)
    assert ask(pki, server).endswith(b"pgo.harness.test")
    assert len(keeper.chains[0]) == 4
    for lower, upper in zip(keeper.chains[0], keeper.chains[0][1:], strict=False):
        lower.verify_directly_issued_by(upper)
    keeper.lets_in = False
    with pytest.raises(OSError, match=r"alert|reset|EOF"):
        ask(pki, server)


def test_the_gate_forgives_only_what_it_forgives(pki: Pki, start: Start) -> None:
    """A stranger's certificate is refused, unless its unknown authority (errors 19 to 21) is forgiven."""
    with pytest.raises(OSError, match=r"alert|reset|EOF"):
        ask(pki, start(client_certificate="require", gate=Doorkeeper()), "stranger")
    lenient = start(client_certificate="require", gate=Doorkeeper(forgives=frozenset({19, 20, 21})))
    assert ask(pki, lenient, "stranger").startswith(b"HTTP/1.1 200")


def test_where_everybody_is_let_in_the_refusal_is_an_error_of_the_peer(pki: Pki, start: Start) -> None:
    """Mode ``ask``: the handler is told."""
    server = start(client_certificate="ask", gate=Doorkeeper(lets_in=False))
    assert ask(pki, server).startswith(b"HTTP/1.1 200")


def test_a_certificate_can_be_worn_and_taken_off(pki: Pki, start: Start, tmp_path: Path) -> None:
    """Another certificate is shown meanwhile, also after its file has gone, and the contact says which."""
    server = start()
    usual = chain_of(f"127.0.0.1:{server.port}", HOST)
    other = hierarchy().tsp.issue(HOST, key="rsa1024")
    files = other.write(tmp_path, "worn")
    server.wear(*files, weak=True)
    for file in files:
        file.unlink()
    server.contacts.clear()
    assert chain_of(f"127.0.0.1:{server.port}", HOST) == (other.certificate, *other.chain)
    (contact,) = server.settled()
    assert (contact.shown, contact.server_name, contact.requests) == (other.certificate.serial_number, HOST, 0)
    server.undress()
    assert chain_of(f"127.0.0.1:{server.port}", HOST) == usual


def test_a_refused_certificate_is_told_by_the_contact(pki: Pki, start: Start) -> None:
    """A client that does not accept the server's certificate sends an alert, and no request."""
    server = start()
    context = ssl.create_default_context(cafile=_strange(pki))
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain:
        context.wrap_socket(plain, server_hostname=HOST)
    (contact,) = server.settled()
    assert "unknown ca" in contact.trouble
    assert not contact.requests


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_an_answer_of_the_responder_goes_with_the_certificate(start: Start, tmp_path: Path, version: str) -> None:
    """`openssl s_client` gets it when it wants one, and not otherwise; the contact says so."""
    server, tsp = start(), Tsp(hierarchy().tsp)
    minted = tsp.mint(HOST)
    server.wear(*minted.write(tmp_path, "worn"), staple=tsp.staple(minted))
    for wanted, words in ((["-status"], "Cert Status: good"), ([], "")):
        server.contacts.clear()
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", HOST, version, *wanted]
        said = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
        assert words in said.stdout
        assert ("OCSP Response Data" in said.stdout) == bool(wanted)
        assert server.settled()[0].stapled == bool(wanted)


def _strange(pki: Pki) -> Path:
    path = pki.root.with_name("strange-root.pem")
    path.write_bytes(pki.strange.root.certificate_pem)
    return path


@pytest.mark.parametrize("answers", [False, True])
def test_clear_text_is_noticed_and_answered_only_when_told(start: Start, answers: bool) -> None:
    """HTTP without TLS is no TLS: the connection ends, unless clear text is allowed."""
    server = start()
    server.clear_text = answers
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert plain.recv(12) == (b"HTTP/1.1 200" if answers else b"")
    assert server.settled()[0].clear_text


def test_a_look_at_what_demands_a_certificate_or_is_not_there(start: Start) -> None:
    """The server's certificate comes before ours is asked for; where nobody listens there is none."""
    server = start(client_certificate="require", gate=Doorkeeper())
    assert len(chain_of(f"127.0.0.1:{server.port}", HOST)) == 3
    server.stop()
    assert chain_of("127.0.0.1:1", HOST, timeout_s=1) == ()


# --- the responder ---


@pytest.fixture
def responder() -> Iterator[tuple[Tsp, Authority, int]]:
    """A trust service provider that answers on the loopback interface."""
    authorities = hierarchy()
    tsp = Tsp(authorities.tsp, silence_s=0.2)
    responder = Responder(tsp.hear)
    responder.start()
    yield tsp, authorities.root, responder.port
    responder.stop()


def test_openssl_asks_the_responder(responder: tuple[Tsp, Authority, int], tmp_path: Path) -> None:
    """`openssl ocsp` gets a good answer over HTTP, and one that was revoked; its questions are counted."""
    tsp, root, port = responder
    (tmp_path / "root.pem").write_bytes(root.certificate_pem)
    (tmp_path / "issuer.pem").write_bytes(tsp.issuer.certificate_pem)
    for manner, word in ((GOOD, ": good"), ("says that it was revoked", ": revoked")):
        minted = tsp.mint("pgo.harness.test", manner=manner)
        leaf, _ = minted.write(tmp_path, "leaf")
        command = ["openssl", "ocsp", "-url", f"http://127.0.0.1:{port}/ocsp", "-issuer", tmp_path / "issuer.pem", "-cert", leaf]
        command += ["-CAfile", tmp_path / "root.pem", "-verify_other", leaf]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert word in said.stdout
        assert "Response verify OK" in said.stderr
        assert tsp.times_asked(minted.certificate.serial_number) == 1


@pytest.mark.parametrize("manner", ["hangs up", "says nothing"])
def test_no_answer_is_no_answer(responder: tuple[Tsp, Authority, int], manner: str) -> None:
    """Hung up on, at once or after a silence; the connection ends without an octet."""
    tsp, _, port = responder
    minted = tsp.mint("pgo.harness.test", manner=manner).certificate
    question = ocsp.OCSPRequestBuilder().add_certificate(minted, tsp.issuer.certificate, hashes.SHA1()).build()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/", question.public_bytes(Encoding.DER))
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()
