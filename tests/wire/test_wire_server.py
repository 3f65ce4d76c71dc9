"""The server against callers that are strange, slow, rude, or of unknown descent."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loopback import HOST, MakeClient, Pki, get

from medmij_conformance.evidence import Evidence, Request, Response
from medmij_conformance.pki import self_signed
from medmij_conformance.wire.client import Client, Identity, Limits
from medmij_conformance.wire.server import HANG_UP, Peer, Server

Start = Callable[..., Server]
Seen = list[tuple[Request, Peer]]


@pytest.fixture
def seen() -> Seen:
    """What reached the handler."""
    return []


@pytest.fixture
def start(pki: Pki, seen: Seen) -> Iterator[Start]:
    """Starts servers that answer 200 with the body of the request, or as ``handler`` says; they stop when the test is over."""
    servers: list[Server] = []

    def make(handler: Callable[[Request, Peer], Response] | None = None, **settings: Any) -> Server:
        def handle(request: Request, peer: Peer) -> Response:
            seen.append((request, peer))
            return handler(request, peer) if handler else Response(status=200, body=request.body)

        certificate, key = pki.server
        settings = {"client_ca": pki.root, "idle_s": 5.0, **settings}
        servers.append(Server(handle, host=HOST, certificate=certificate, key=key, **settings))
        servers[-1].start()
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def connect(pki: Pki, server: Server) -> ssl.SSLSocket:
    """A TLS connection by the standard library."""
    plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
    return pki.client_context().wrap_socket(plain, server_hostname=HOST)


def read_all(stream: ssl.SSLSocket) -> bytes:
    """Everything until the server closes."""
    data = b""
    while more := stream.recv(65_536):
        data += more
    return data


def http_client(pki: Pki, server: Server) -> http.client.HTTPSConnection:
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=pki.client_context())
    connection.sock = connect(pki, server)
    return connection


# --- certificates of the caller ---


def errors(peer: Peer) -> set[int]:
    """The OpenSSL error codes for a peer's chain."""
    return {int(error.partition(":")[2]) for error in peer.errors}


def test_certificate_is_not_asked_for(start: Start, client: MakeClient, seen: Seen) -> None:
    """Mode ``none``: no certificate is asked for, so none is shown, and the handler knows nobody."""
    done = client(start().port).send(get(), certificate="pgo")
    assert done.tls
    assert (done.status, done.tls.certificate_requested, done.tls.certificate_presented) == (200, False, False)
    [(_, peer)] = seen
    assert (peer.address, peer.certificate, peer.errors, peer.hostnames) == ("127.0.0.1", None, (), ())


@pytest.mark.parametrize("mode", ["ask", "require"])
def test_good_certificate_reaches_the_handler(pki: Pki, start: Start, client: MakeClient, seen: Seen, mode: str) -> None:
    """A certificate of the trusted hierarchy comes with its host names and without errors."""
    assert client(start(client_certificate=mode).port).send(get(), certificate="pgo").status == 200
    [(_, peer)] = seen
    assert (peer.hostnames, peer.errors) == (("pgo.harness.test",), ())
    assert peer.certificate
    assert peer.certificate.issuer == pki.own.tsp.certificate.subject


@pytest.mark.parametrize(
    ("name", "make", "codes"),
    [
        ("unknown-ca", lambda pki: pki.strange.tsp.issue("Pgo.Harness.Test"), {19, 20, 21}),
        ("vouches-for-itself", lambda _: self_signed("pgo.harness.test"), {18}),
        ("out-of-date", lambda pki: pki.own.tsp.issue("pgo.harness.test", not_after=datetime.now(UTC) - timedelta(1)), {10}),
    ],
)
def test_bad_certificate_reaches_the_handler_with_errors(
    pki: Pki, start: Start, seen: Seen, name: str, make: Any, codes: set[int]
) -> None:
    """Mode ``ask``: a certificate that nobody should accept is let in, and the handler is told what is wrong with it."""
    certificate, key = pki.files(name, make(pki))
    one = Client(
        Evidence(),
        connect={f"{HOST}:443": f"127.0.0.1:{start(client_certificate='ask').port}"},
        identities=[Identity(name="bad", certificate=certificate, key=key)],
        trust_back=[pki.root],
        limits=Limits(exchange_s=5),
    )
    done = one.send(get(), certificate="bad")
    assert (done.status, done.tls and done.tls.certificate_presented) == (200, True)
    [(_, peer)] = seen
    assert peer.certificate
    assert peer.hostnames == ("pgo.harness.test",)
    assert errors(peer) & codes
    assert errors(peer) <= codes


def test_nobody_may_show_nothing(start: Start, client: MakeClient, seen: Seen) -> None:
    """Mode ``ask``: a caller without a certificate is let in, as nobody."""
    done = client(start(client_certificate="ask").port).send(get(), certificate="nobody")
    assert done.tls
    assert (done.status, done.tls.certificate_requested, done.tls.certificate_presented) == (200, True, False)
    [(_, peer)] = seen
    assert (peer.certificate, peer.errors) == (None, ())


@pytest.mark.parametrize(("certificate", "alert"), [("nobody", "certificate_required"), ("stranger", "unknown_ca")])
def test_required_certificate(start: Start, client: MakeClient, seen: Seen, certificate: str, alert: str) -> None:
    """Mode ``require``: without an acceptable certificate the handshake ends with the alert that says why; nobody is served."""
    one = client(start(client_certificate="require").port)
    for _ in range(10):
        done = one.send(get(), certificate=certificate)
        assert (done.status, done.trouble and done.trouble.kind, done.tls and done.tls.alert) == (None, "tls", alert)
    assert seen == []
    assert one.send(get(), certificate="pgo").status == 200


def test_mode_can_change_while_it_runs(start: Start, client: MakeClient) -> None:
    """From one connection to the next a server can ask for certificates, or stop asking."""
    server = start()
    one = client(server.port)
    server.ask_for_certificate("require")
    assert one.send(get(), certificate="nobody").status is None
    server.ask_for_certificate("none")
    assert one.send(get(), certificate="nobody").status == 200


# --- HTTP ---


def test_request_arrives_as_it_was_sent(pki: Pki, start: Start, seen: Seen) -> None:
    """Method, absolute URL, headers in order with their case, and the octets of the body."""
    with connect(pki, start()) as stream:
        stream.sendall(
            b"POST /a%20b?c=d HTTP/1.1\r\nHOST: whatever.test\r\nx-B: 1\r\nX-b: \xe9\r\ncontent-length: 3\r\n"
            b"Connection: close\r\n\r\n\xff\0x"
        )
        assert read_all(stream).endswith(b"\r\n\r\n\xff\0x")
    [(request, _)] = seen
    assert (request.method, request.url, request.body) == ("POST", f"https://{HOST}/a%20b?c=d", b"\xff\0x")
    assert request.headers[:3] == (("HOST", "whatever.test"), ("x-B", "1"), ("X-b", "\xe9"))


def test_connection_is_kept_alive(pki: Pki, start: Start, seen: Seen) -> None:
    """Several requests on one connection are answered one after the other."""
    connection = http_client(pki, start())
    for number in range(3):
        connection.request("POST", f"/{number}", body=str(number))
        assert connection.getresponse().read() == str(number).encode()
    connection.close()
    assert [request.url[-1] for request, _ in seen] == ["0", "1", "2"]


def test_pipelined_requests_are_answered_in_order(pki: Pki, start: Start, seen: Seen) -> None:
    """Two requests in one packet get two answers."""
    with connect(pki, start()) as stream:
        stream.sendall(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert read_all(stream).count(b"HTTP/1.1 200") == 2
    assert [request.url[-1] for request, _ in seen] == ["1", "2"]


def test_garbage_after_a_request_is_not_served(pki: Pki, start: Start, seen: Seen) -> None:
    """A request that is followed by garbage is answered; the garbage ends the connection, and only that one."""
    server = start()
    with connect(pki, server) as stream:
        stream.sendall(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\0\1\2 garbage\r\n\r\n")
        assert read_all(stream).count(b"HTTP/1.1") == 1
    with connect(pki, server) as stream:
        stream.sendall(b"GET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert read_all(stream).startswith(b"HTTP/1.1 200")
    assert [request.url[-1] for request, _ in seen] == ["1", "2"]


@pytest.mark.parametrize("octets", [b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"X: " + b"x" * 200_000])
def test_bad_request_ends_its_connection(pki: Pki, start: Start, client: MakeClient, seen: Seen, octets: bytes) -> None:
    """What is no HTTP request never reaches the handler, and the server goes on."""
    server = start()
    with connect(pki, server) as stream:
        stream.settimeout(2)
        try:
            stream.sendall(octets)
            assert read_all(stream) == b""
        except OSError as error:
            assert not isinstance(error, TimeoutError)  # noqa: PT017 closed while we were still sending
    assert seen == []
    assert client(server.port).send(get()).status == 200


def test_chunked_request_is_read(pki: Pki, start: Start, seen: Seen) -> None:
    """A body in chunks arrives whole."""
    with connect(pki, start()) as stream:
        stream.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for piece in (b"2;x=y\r\nab\r\n", b"1\r\n", b"c\r\n", b"0\r\n\r\n"):
            stream.sendall(piece)
        assert read_all(stream).endswith(b"abc")
    assert seen[0][0].body == b"abc"


def test_expect_100_continue_is_answered(pki: Pki, start: Start, seen: Seen) -> None:
    """A caller that waits for 100 Continue gets it before its body is read."""
    with connect(pki, start()) as stream:
        stream.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\n")
        assert stream.recv(1000).startswith(b"HTTP/1.1 100")
        assert seen == []
        stream.sendall(b"ab")
        answer = read_all(stream)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ab")


def test_answer_to_head_has_no_body(pki: Pki, start: Start) -> None:
    """To HEAD the headers are those of GET, and the connection goes on."""
    server = start(lambda *_: Response(status=200, headers=(("X-A", "1"),), body=b"body"))
    with connect(pki, server) as stream:
        stream.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = read_all(stream)
    assert (answer.count(b"X-A: 1"), answer.count(b"HTTP/1.1 200"), answer.count(b"body")) == (2, 2, 1)


@pytest.mark.parametrize("status", [200, 204, 302, 304, 400, 599])
def test_answer_is_sent_as_made(start: Start, client: MakeClient, status: int) -> None:
    """Status, reason, headers in order, repeated ones and all, reach the caller."""
    headers = (("Set-Cookie", "a=1"), ("set-cookie", "b=\xe9"), ("Location", "https://pgo.test/cb?code=x"))
    made = Response(status=status, reason="As I Say", headers=headers)
    got = client(start(lambda *_: made).port).send(get()).response
    assert got
    assert (got.status, got.reason) == (status, "As I Say")
    assert got.headers[:3] == headers


def test_large_answer_arrives_whole(start: Start, client: MakeClient) -> None:
    """A body of many TLS records arrives as it was."""
    body = bytes(range(256)) * 4000
    got = client(start(lambda *_: Response(status=200, body=body)).port).send(get()).response
    assert got
    assert got.body == body


def test_handler_can_hang_up(start: Start, client: MakeClient) -> None:
    """A handler may cut the connection without an answer, and the next caller is served."""
    answers = iter([HANG_UP, 200])
    one = client(start(lambda *_: Response(status=next(answers))).port)
    first = one.send(get())
    assert first.trouble
    assert (first.status, first.trouble.kind in {"reset", "protocol"}) == (None, True)
    assert one.send(get()).status == 200


def test_caller_that_leaves_early_is_forgotten(pki: Pki, start: Start, client: MakeClient, seen: Seen) -> None:
    """Half a request, half a body, or a caller that does not wait for its answer: the server goes on."""
    server = start(lambda *_: Response(status=200, body=b"x" * 1_000_000))
    half, whole = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for octets in (b"", b"GET / HT", half, whole):
        stream = connect(pki, server)
        stream.sendall(octets)
        stream.close()
    assert client(server.port).send(get()).status == 200
    assert {request.method for request, _ in seen} == {"GET"}


# --- many callers, and the end ---


def test_slow_handshake_blocks_nobody(start: Start, client: MakeClient) -> None:
    """While some callers never finish their handshake, others are served at once."""
    server = start()
    sleepers = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(5)]
    sleepers[0].sendall(b"\x16\x03\x01")
    done = client(server.port).send(get())
    assert done.status == 200
    assert done.finished - done.started < 4
    for sleeper in sleepers:
        sleeper.close()


def test_slow_handler_blocks_nobody(start: Start, client: MakeClient) -> None:
    """Two callers at once do not wait for one another."""
    meet = threading.Barrier(2, timeout=5)

    def handler(*_: object) -> Response:
        meet.wait()
        return Response(status=200)

    one = client(start(handler).port)
    threads = [threading.Thread(target=one.send, args=(get(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {record["response"]["status"] for record in one.evidence.records} == {200}


def test_idle_connection_is_closed(pki: Pki, start: Start) -> None:
    """A caller that says nothing is left after ``idle_s``, in the handshake and after it."""
    server = start(idle_s=1.0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as plain:
        assert plain.recv(10) == b""
    with connect(pki, server) as stream:
        began = time.monotonic()
        assert read_all(stream) == b""
        assert time.monotonic() - began < 15


def test_stopped_server_is_not_reached(start: Start, client: MakeClient) -> None:
    """After ``stop`` nobody is accepted any more, and the port is free."""
    server = start()
    port = server.port
    one = client(port)
    assert one.send(get()).status == 200
    server.stop()
    stopped = one.send(get())
    assert stopped.trouble
    assert stopped.trouble.kind == "connect"
    assert start(listen=("127.0.0.1", port)).port == port
    assert one.send(get()).status == 200


def test_taken_address_is_an_error(start: Start) -> None:
    """An address that somebody listens on cannot be bound."""
    with pytest.raises(OSError, match="in use"):
        start(listen=("127.0.0.1", start().port))


def test_a_body_shorter_than_it_says_is_cut_off(start: Start, client: MakeClient) -> None:
    """An answer that promises more octets than it has ends in the middle, as a broken gateway's does."""
    answer = Response(status=200, headers=(("Content-Length", "100"),), body=b"half of it")
    got = client(start(lambda *_: answer).port).send(get())
    assert got.trouble is not None
    assert got.response is not None
    assert got.response.body == b"half of it"


def test_one_listener_serves_several_names(pki: Pki, start: Start) -> None:
    """By the name that a caller asks for it gets that certificate; another name gets the first."""
    other = pki.files("second", pki.own.tsp.issue("second.test"))
    server = start(others={"second.test": other})
    for name, expected in (("second.test", "second.test"), (HOST, HOST)):
        plain = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        with plain, pki.client_context().wrap_socket(plain, server_hostname=name) as stream:
            assert ("DNS", expected) in (stream.getpeercert() or {})["subjectAltName"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("second.test:8444", "second.test:8444"), ("UPPER.test", "UPPER.test"), ("a/../b", HOST), ("x" * 300, HOST)],
)
def test_addresses_are_those_that_the_caller_wrote(host: str, expected: str, start: Start, seen: Seen, client: MakeClient) -> None:
    """The Host header says how a caller wrote the address, when it is a host; else it is ours."""
    request = Request(method="GET", url=f"https://{HOST}/", headers=(("Host", host),))
    client(start(by_host_header=True).port).send(get(request=request))
    assert seen[0][0].url == f"https://{expected}/"


def test_the_version_and_the_suite_are_told(start: Start, seen: Seen, client: MakeClient) -> None:
    """What the connection negotiated goes with the peer."""
    client(start().port).send(get())
    assert seen[0][1].tls_version.startswith("TLSv1.")
    assert seen[0][1].cipher


def test_a_body_without_end_is_cut_off(start: Start, client: MakeClient, seen: Seen) -> None:
    """Who sends more than any gateway would is cut off, before the handler sees it; the next caller is served."""
    server = start()
    done = client(server.port).send(get(request=Request(method="POST", url=f"https://{HOST}/", body=b"x" * 6_000_000)))
    assert done.trouble
    assert done.trouble.kind == "reset"
    assert seen == []
    large = Request(method="POST", url=f"https://{HOST}/", body=b"x" * 4_000_000)
    assert client(server.port).send(get(request=large)).status == 200


# --- connections that are kept, and that are not ---


@pytest.mark.parametrize("one_request", [False, True])
def test_a_connection_is_kept_unless_each_has_one_request(
    one_request: bool, pki: Pki, start: Start, seen: Seen, tmp_path: Path
) -> None:
    """Whoever keeps his connection does not see the certificate that is shown meanwhile; where none is kept everybody sees it."""
    server = start(one_request=one_request)
    usual, other = pki.own.tsp.issue(HOST), pki.own.tsp.issue(HOST)
    server.show(*usual.write(tmp_path, "usual"))
    client = http_client(pki, server)
    for worn in (None, other, None):
        if worn:
            server.wear(*worn.write(tmp_path, "worn"))
        else:
            server.undress()
        client = client if client.sock else http_client(pki, server)
        client.request("GET", "/")
        answer = client.getresponse()
        answer.read()
        assert (answer.headers["Connection"], client.sock is None) == (("close", True) if one_request else (None, False))
    client.close()
    certificates = [usual, other, usual] if one_request else [usual] * 3
    assert [peer.shown for _, peer in seen] == [each.certificate.serial_number for each in certificates]
