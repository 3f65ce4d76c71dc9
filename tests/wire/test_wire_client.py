"""The client against servers that mean harm, have bad certificates, or are merely unusual."""

import contextlib
import gc
import hashlib
import select
import socket
import ssl
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from loopback import HOST, Answer, Listen, Listener, MakeClient, Pki, get, read_request

from medmij_conformance.evidence import Evidence, Request
from medmij_conformance.pki import self_signed
from medmij_conformance.wire.client import Client, Kept, Limits, _Backend, _Connection, _TlsSocket

LIMIT = 0.6
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


def reset(stream: Any) -> None:
    """Close a connection with a reset instead of an end."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    stream.close()


# --- unusual, and right ---


@pytest.mark.parametrize(
    ("octets", "body"),
    [
        (OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\nTrailer: t\r\n\r\n", b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 Fine\r\nCONTENT-LENGTH:2\r\n\r\nok", b"ok"),
        (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok and more that nobody asked for", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
def test_answers_of_every_framing_are_read(answer: Answer, client: MakeClient, octets: bytes, body: bytes) -> None:
    """Lengths, chunks, the end of the connection, interim answers: the body is what was sent, only the framing is gone."""
    done = client(answer(octets).port).send(get())
    assert (done.trouble, done.status, done.response and done.response.body) == (None, 200, body)


def test_connection_that_stays_open_is_not_waited_for(listen: Listen, client: MakeClient) -> None:
    """A server that keeps the connection alive does not hold us up: the answer is complete when its length is."""

    def talk(stream: Any, listener: Listener) -> None:
        read_request(stream)
        stream.sendall(OK)
        listener.gone.wait(30)

    done = client(listen(talk).port, exchange_s=30).send(get())
    assert done.status == 200
    assert done.finished - done.started < 20


def test_every_request_has_its_own_connection(answer: Answer, client: MakeClient) -> None:
    """Nothing of one request, not even a connection, is used for the next."""
    listener = answer(OK)
    one = client(listener.port)
    assert [one.send(get()).status for _ in range(3)] == [200, 200, 200]
    assert listener.accepted == 3


def test_a_browser_keeps_its_connection(listen: Listen, client: MakeClient) -> None:
    """Requests that share a ``Kept`` go over one connection, each with what the handshake showed, until the scenario ends."""

    def talk(stream: Any, _: Listener) -> None:
        while b"\r\n\r\n" in read_request(stream):
            stream.sendall(OK)

    one, kept = client((listener := listen(talk)).port), Kept()
    done = [one.send(get(), kept=kept) for _ in range(3)]
    assert [each.status for each in done] == [200, 200, 200]
    assert listener.accepted == 1
    assert all(each.tls and each.tls.version and each.address == done[0].address for each in done)
    one.allow(60)
    assert one.send(get(), kept=kept).status == 200
    assert one.send(get(), kept=Kept()).status == 200
    assert listener.accepted == 3


@pytest.mark.parametrize("heard", [False, True])
def test_a_kept_connection_that_has_ended_is_replaced(listen: Listen, client: MakeClient, heard: bool) -> None:
    """Closed after its answer, or only when the next request came: that is sent once more, and the answer counts."""

    def talk(stream: Any, _: Listener) -> None:
        read_request(stream)
        stream.sendall(OK)
        if heard:
            read_request(stream)

    one, kept = client((listener := listen(talk)).port), Kept()
    for _ in range(3):
        done = one.send(get(request=Request(method="POST", url=f"https://{HOST}/")), kept=kept)
        assert (done.trouble, done.status) == (None, 200)
        time.sleep(0 if heard else 0.1)  # so that the end of the connection is there
    assert listener.accepted == 3


def test_a_fresh_connection_without_an_answer_is_not_asked_twice(listen: Listen, client: MakeClient) -> None:
    """Only what was kept is tried again: a gateway that hangs up on a request is told."""
    one, kept = client((listener := listen(lambda stream, _: read_request(stream))).port), Kept()
    done = one.send(get(), kept=kept)
    assert done.trouble
    assert done.trouble.kind == "reset"
    assert listener.accepted == 1


def test_request_is_sent_as_it_was_made(listen: Listen, client: MakeClient) -> None:
    """Method, target, headers in order and octets of the body arrive; Host, length and close are added if they lack."""
    seen: list[bytes] = []

    def talk(stream: Any, _: Listener) -> None:
        data = read_request(stream)
        while b"Content-Length: 2" in data and not data.endswith(b"\xff\0"):
            data += stream.recv(10)
        seen.append(data)
        stream.sendall(OK)

    one = client(listen(talk).port)
    headers = (("X-B", "1"), ("x-a", "2"), ("X-B", "3"), ("Cookie", "n=\u00c3\u00a9"))
    url = f"https://{HOST}/a%20b?c=d&c=%e9"
    one.send(get(request=Request(method="POST", url=url, headers=headers, body=b"\xff\0")))
    one.send(get(request=Request(method="GET", url=f"https://{HOST}/", headers=(("host", "other.test"),))))
    assert seen[0] == (
        b"POST /a%20b?c=d&c=%e9 HTTP/1.1\r\nHost: za.harness.test\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
        b"X-B: 1\r\nx-a: 2\r\nX-B: 3\r\nCookie: n=\xc3\xa9\r\nContent-Length: 2\r\n\r\n\xff\0"
    )
    assert seen[1].count(b"ost: ") == 1
    assert b"other.test" in seen[1]


def test_answer_keeps_headers_as_received(answer: Answer, client: MakeClient) -> None:
    """Header names keep their case and order, repeated ones are all there, and odd octets are read as Latin-1."""
    octets = b"HTTP/1.1 201 Made It\r\nSet-Cookie: a=1\r\nset-cookie: b=\xe9\r\nX-CASE: y\r\nContent-Length: 0\r\n\r\n"
    response = client(answer(octets).port).send(get()).response
    assert response
    assert (response.status, response.reason) == (201, "Made It")
    assert response.headers[:3] == (("Set-Cookie", "a=1"), ("set-cookie", "b=\xe9"), ("X-CASE", "y"))


def test_early_answer_to_a_large_request_is_read(listen: Listen, client: MakeClient) -> None:
    """A server that refuses and closes while we still send has answered; that is no reset."""

    def talk(stream: Any, _: Listener) -> None:
        stream.recv(10)
        stream.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        time.sleep(0.2)  # so that the answer is there before the end is

    one = client(listen(talk).port)
    for size in (10, 5_000_000):
        done = one.send(get(request=Request(method="POST", url=f"https://{HOST}/", body=b"x" * size)))
        assert (done.trouble, done.status) == (None, 413)


def test_exchange_is_recorded(answer: Answer, client: MakeClient) -> None:
    """The journal holds request, answer, address, times, and who asked; the player gets the same with its number."""
    one = client((listener := answer(OK)).port)
    done = one.send(get(identity="mallory", deviation="no state", flow=3))
    assert (done.number, done.identity, done.deviation, done.flow) == (1, "mallory", "no state", 3)
    assert done.address == f"127.0.0.1:{listener.port}"
    assert 0 <= done.started < done.finished <= one.evidence.now()
    assert abs((datetime.now(UTC) - datetime.fromisoformat(done.at)).total_seconds()) < 60
    assert one.evidence.stored(done) == done


def test_threads_share_a_client(answer: Answer, client: MakeClient) -> None:
    """Requests of many threads at once are each answered and each recorded under a number of its own."""
    one = client(answer(OK).port)
    numbers: list[int] = []
    threads = [threading.Thread(target=lambda: numbers.append(one.send(get()).number)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [*range(1, 21)]
    assert {record["response"]["status"] for record in one.evidence.records} == {200}


def test_pace_is_kept(answer: Answer, client: MakeClient) -> None:
    """With ``pace_ms`` there is a pause before every request."""
    one = client(answer(OK).port, pace_ms=150)
    began = time.monotonic()
    one.send(get())
    one.send(get())
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("pace_ms", [0, 1])
def test_a_crowd_does_not_wait(listen: Listen, client: MakeClient, pace_ms: int) -> None:
    """Not for each other, unless a pace is asked for, and not because it is told to come back later."""
    under_way: set[bytes] = set()
    seen: list[int] = []

    def talk(stream: Any, _: Listener) -> None:
        path = read_request(stream).split()[1]
        under_way.add(path)
        time.sleep(0.1)
        seen.append(len(under_way))
        under_way.remove(path)
        stream.sendall(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    one = client(listen(talk).port, pace_ms=pace_ms, exchange_s=20)
    asked = [f"/{number}" for number in range(6)]
    began = time.monotonic()
    done = one.crowd(get(f"https://{HOST}{path}") for path in asked)
    assert time.monotonic() - began < 2
    assert [each.response and each.response.text for each in done] == asked
    assert {each.status for each in done} == {429}
    assert max(seen) == 1 if pace_ms else max(seen) > 1


# --- resets and nonsense ---


def test_reset_after_accept(listen: Listen, client: MakeClient) -> None:
    """A connection that is reset before TLS is a reset."""
    done = client(listen(lambda stream, _: reset(stream), tls=False).port).send(get())
    assert (done.status, done.trouble and done.trouble.kind) == (None, "reset")


def test_a_connection_that_is_reset_before_tls_is_closed(listen: Listen) -> None:
    """Nothing is left open for the collector to complain of, also when the reset is there before TLS begins."""

    def talk(plain: Any, _: Listener) -> None:
        time.sleep(0.1)  # so that it is connected first
        reset(plain)

    port = listen(talk, tls=False).port
    stream = _Backend(f"127.0.0.1:{port}", _Connection(deadline=time.monotonic() + 5)).connect_tcp("za.test", port)
    select.select([stream.get_extra_info("socket")], [], [], 5)  # the reset has arrived, and nobody has noticed
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = _TlsSocket
    with pytest.raises((ConnectionError, ssl.SSLError)):
        stream.start_tls(context, "za.test")
    gc.collect()


def test_reset_after_the_request(listen: Listen, client: MakeClient) -> None:
    """A connection that is cut instead of an answer is no answer (not every Python tells a reset inside TLS from an end)."""

    def talk(stream: Any, _: Listener) -> None:
        read_request(stream)
        reset(stream)

    done = client(listen(talk).port).send(get())
    assert done.trouble
    assert done.status is None
    assert done.trouble.kind in {"reset", "protocol"}
    assert done.tls
    assert done.tls.version == "TLSv1.3"


def test_reset_inside_the_body(listen: Listen, client: MakeClient) -> None:
    """When the connection is cut inside a body, what came is kept next to the trouble."""

    def talk(stream: Any, _: Listener) -> None:
        read_request(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        time.sleep(0.1)
        reset(stream)

    done = client(listen(talk).port).send(get())
    assert done.trouble
    assert done.trouble.kind in {"reset", "protocol"}
    assert (done.status, done.response and done.response.body) == (200, b"half")


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        bytes(range(256)),
    ],
)
def test_garbage_instead_of_http(answer: Answer, client: MakeClient, octets: bytes) -> None:
    """What is no complete HTTP response is trouble of the kind ``protocol``, without delay."""
    done = client(answer(octets).port, exchange_s=30).send(get())
    assert done.trouble
    assert done.trouble.kind == "protocol"
    assert done.finished - done.started < 20


def test_nothing_instead_of_http(answer: Answer, client: MakeClient) -> None:
    """A connection that is closed without an answer is a ``reset``, as one that is cut."""
    done = client(answer(b"").port).send(get())
    assert done.trouble
    assert (done.trouble.kind, done.trouble.detail) == ("reset", "the connection was closed without an answer")
    assert done.tls


@pytest.mark.parametrize("octets", [b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(64), b"\x16\x03\x03\x00\x04\x63\x00\x00\x00"])
def test_garbage_instead_of_tls(listen: Listen, client: MakeClient, octets: bytes) -> None:
    """What is no TLS is trouble of the kind ``tls``."""

    def talk(stream: Any, listener: Listener) -> None:
        stream.recv(10_000)
        stream.sendall(octets)
        listener.gone.wait(1)

    done = client(listen(talk, tls=False).port).send(get())
    assert done.trouble
    assert done.trouble.kind == "tls"


def test_closed_port(client: MakeClient) -> None:
    """A port that nobody listens on is trouble of the kind ``connect``."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = client(port).send(get())
    assert done.trouble
    assert (done.trouble.kind, done.trouble.detail) == ("connect", "connection refused")


# --- time and size ---


def drip_body(stream: Any, listener: Listener) -> None:
    read_request(stream)
    stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not listener.gone.wait(0.2):
        stream.sendall(b"x")


def drip_header(stream: Any, listener: Listener) -> None:
    read_request(stream)
    stream.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while not listener.gone.wait(0.2):
        stream.sendall(b"x")


def drip_chunks(stream: Any, listener: Listener) -> None:
    read_request(stream)
    stream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not listener.gone.wait(0.05):
        stream.sendall(b"1\r\nx\r\n")


def interim_for_ever(stream: Any, listener: Listener) -> None:
    read_request(stream)
    while not listener.gone.wait(0.02):
        stream.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")


def silence(stream: Any, listener: Listener) -> None:
    read_request(stream)
    listener.gone.wait(20)


@pytest.mark.parametrize("talk", [drip_body, drip_header, drip_chunks, interim_for_ever, silence])
def test_slow_answer_ends_in_time(listen: Listen, client: MakeClient, talk: Any) -> None:
    """Whatever comes drop by drop, or not at all, the exchange ends at its limit as a time-out."""
    done = client(listen(talk).port, exchange_s=LIMIT).send(get())
    assert done.trouble
    assert (done.trouble.kind, done.trouble.detail) == ("timeout", f"no complete answer within {LIMIT} s")
    assert LIMIT <= done.finished - done.started < LIMIT + 0.5


def test_slow_handshake_ends_in_time(listen: Listen, client: MakeClient) -> None:
    """A server that accepts and then keeps silent, or drips its side of the handshake, is a time-out."""

    def talk(stream: Any, listener: Listener) -> None:
        stream.sendall(b"\x16\x03\x03\x10\x00\x02\x00\x0f\xfc")
        while not listener.gone.wait(0.2):
            stream.sendall(b"\0")

    done = client(listen(talk, tls=False).port, exchange_s=LIMIT).send(get())
    assert done.trouble
    assert done.trouble.kind == "timeout"
    assert LIMIT <= done.finished - done.started < LIMIT + 0.5


def test_reader_that_does_not_read_ends_in_time(listen: Listen, client: MakeClient) -> None:
    """A server that never reads our large request is a time-out, too."""
    done = client(listen(lambda _, listener: listener.gone.wait(10)).port, exchange_s=LIMIT).send(
        get(request=Request(method="POST", url=f"https://{HOST}/", body=b"x" * 20_000_000))
    )
    assert done.trouble
    assert done.trouble.kind == "timeout"
    assert done.finished - done.started < LIMIT + 0.5


@pytest.mark.parametrize("head", [b"Content-Length: 1000000000", b"Transfer-Encoding: chunked", b"Connection: close"])
def test_huge_body_is_not_read_to_its_end(listen: Listen, client: MakeClient, head: bytes) -> None:
    """A body of a gigabyte, announced or not, is read up to the limit and no further, and what was read is kept."""
    sent = 0
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n" if b"chunked" in head else b"x" * 65_536

    def talk(stream: Any, _: Listener) -> None:
        nonlocal sent
        read_request(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        while sent < 1_000_000_000:
            stream.sendall(piece)
            sent += len(piece)

    done = client(listen(talk).port, body_bytes=100_000).send(get())
    assert done.trouble
    assert done.trouble.kind == "too-large"
    assert done.response
    assert done.response.body == b"x" * 100_000
    assert done.finished - done.started < 2
    assert sent < 50_000_000


def test_body_of_exactly_the_limit_is_read(answer: Answer, client: MakeClient) -> None:
    """The largest body that may come is no trouble."""
    octets = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    done = client(answer(octets).port, body_bytes=100_000).send(get())
    assert done.trouble is None


def test_time_of_a_scenario_runs_out(listen: Listen, client: MakeClient) -> None:
    """What is left of a scenario's time limits an exchange; with nothing left nothing is sent. Neither is the gateway's fault."""
    one = client((listener := listen(silence)).port, exchange_s=60)
    one.allow(0.3)
    began = time.monotonic()
    first, second = one.send(get()), one.send(get())
    assert time.monotonic() - began < 30
    assert [done.trouble and done.trouble.kind for done in (first, second)] == ["out-of-time", "out-of-time"]
    assert listener.accepted == 1


def test_patience_is_longer_than_the_limits(listen: Listen, client: MakeClient) -> None:
    """Where somebody has patience, neither the limit of an exchange nor the rest of the scenario cuts an answer off."""

    def talk(stream: Any, listener: Listener) -> None:
        read_request(stream)
        listener.gone.wait(0.5)
        stream.sendall(OK)

    one = client(listen(talk).port, exchange_s=0.1)
    one.allow(0.1)
    with one.patient(20):
        assert one.send(get()).status == 200
    assert one.limits.exchange_s == 0.1


def test_a_short_time_is_not_held_against_an_endpoint(listen: Listen, client: MakeClient) -> None:
    """Three answers that did not come in the rest of a scenario's time do not make an endpoint silent; three whole waits do."""
    one = client((listener := listen(silence)).port)
    for _ in range(3):
        one.allow(0.2)
        one.send(get())
    one.allow(60)
    kinds = [(done.trouble and done.trouble.kind) for done in (one.send(get()) for _ in range(4))]
    assert kinds == ["timeout", "timeout", "timeout", "silent-endpoint"]
    assert listener.accepted == 6


def test_no_pause_is_longer_than_the_scenario(answer: Answer, client: MakeClient) -> None:
    """Who asks to come back later than the scenario lasts is not waited for."""
    one = client((listener := answer(b"HTTP/1.1 429 Busy\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n")).port, retry_after_s=60)
    one.allow(20)
    began = time.monotonic()
    assert one.send(get()).status == 429
    assert time.monotonic() - began < 15
    assert listener.accepted == 1


# --- who may be reached ---


def test_host_outside_connect_is_never_dialled(client: MakeClient) -> None:
    """An address that [connect] does not name is not asked, even where its own host and port would answer."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        port = trap.getsockname()[1]
        one = client(1)
        for url in (
            f"https://127.0.0.1:{port}/",
            f"http://127.0.0.1:{port}/",
            f"https://localhost:{port}/",
            f"https://{HOST}:{port}/",
            f"https://{HOST}@127.0.0.1:{port}/",
            f"//127.0.0.1:{port}/",
            "https://[/",
            "about:invalid",
            "",
        ):
            done = one.send(get(url))
            assert done.trouble
            assert done.trouble.kind == "not-allowed"
            assert not one.reaches(url)
        trap.settimeout(0.2)
        with pytest.raises(TimeoutError):
            trap.accept()


def test_connect_stands_in_for_dns(answer: Answer, client: MakeClient) -> None:
    """A name that no DNS knows is reached at the address that [connect] gives; case and default port do not matter."""
    one = client(answer(OK).port)
    for url in (f"https://{HOST}/", f"https://{HOST}:443/", f"HTTPS://{HOST.upper()}/x"):
        assert one.reaches(url)
        assert one.send(get(url)).status == 200
    assert not one.reaches(f"http://{HOST}/")


# --- silence, and servers that ask for time ---


def test_silent_endpoint_is_left_alone(listen: Listen, client: MakeClient) -> None:
    """After three time-outs in a row an endpoint is not asked again; another endpoint still is."""
    quiet, lively = listen(silence), listen(lambda stream, _: (read_request(stream), stream.sendall(OK)))
    one = client(quiet.port, exchange_s=0.3, connect={"login.harness.test:443": f"127.0.0.1:{lively.port}"})
    kinds = [one.send(get()).trouble for _ in range(5)]
    assert [trouble and trouble.kind for trouble in kinds] == ["timeout"] * 3 + ["silent-endpoint"] * 2
    assert quiet.accepted == 3
    one.limits = Limits(exchange_s=10.0)  # the other endpoint has time to answer, on a busy machine too
    assert one.send(get("https://login.harness.test/")).status == 200
    one.limits = Limits(exchange_s=0.3)
    one.forgive()
    assert (again := one.send(get()).trouble)
    assert (again.kind, quiet.accepted) == ("timeout", 4)


def test_answer_in_between_ends_the_count(listen: Listen, client: MakeClient) -> None:
    """Time-outs count only in a row."""
    turns = iter("wwawwaw")

    def talk(stream: Any, listener: Listener) -> None:
        read_request(stream)
        if next(turns) == "w":
            listener.gone.wait(5)
        else:
            stream.sendall(OK)

    one, kinds = client(listen(talk).port), []
    for turn in "wwawwaw":
        one.limits = Limits(exchange_s=10.0 if turn == "a" else 0.25)  # an answer has time to come, on a busy machine too
        kinds.append((done := one.send(get())).status or (done.trouble and done.trouble.kind))
    assert kinds == ["timeout", "timeout", 200, "timeout", "timeout", 200, "timeout"]


@pytest.mark.parametrize("status", [b"503 Busy", b"429 Slow Down"])
def test_retry_after_is_honoured_once(answer: Answer, client: MakeClient, status: bytes) -> None:
    """A busy server is waited for as long as it asks and asked again, once; both exchanges are evidence."""
    busy = b"HTTP/1.1 " + status + b"\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
    one = client((listener := answer(busy, OK)).port)
    done = one.send(get())
    assert (done.status, done.number, listener.accepted) == (200, 2, 2)
    assert [record["response"]["status"] for record in one.evidence.records] == [int(status[:3]), 200]
    assert done.started >= 1
    always = client((listener := answer(busy.replace(b": 1", b": 0"))).port)
    assert (always.send(get()).status, listener.accepted) == (int(status[:3]), 2)


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: -1\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: \xb2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 400 Bad\r\nRetry-After: 0\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_nobody_waits_without_reason(answer: Answer, client: MakeClient, octets: bytes) -> None:
    """Without a short Retry-After in seconds, or with another status, the first answer is the answer."""
    done = client((listener := answer(octets)).port, exchange_s=30, retry_after_s=30).send(get())
    assert listener.accepted == 1
    assert done.finished - done.started < 20


# --- certificates of the server ---


def yesterday() -> datetime:
    return datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("wrong-host", lambda pki: pki.own.tsp.issue("other.harness.test"), "Hostname mismatch"),
        ("common-name-only", lambda pki: pki.own.tsp.issue(HOST, names=()), "certificate verify failed|mismatch"),
        ("self-signed", lambda _: self_signed(HOST), "self-signed certificate"),
        ("expired", lambda pki: pki.own.tsp.issue(HOST, not_after=yesterday()), "expired"),
        ("stranger-za", lambda pki: pki.strange.tsp.issue(HOST), "self-signed certificate|unable to get"),
    ],
)
def test_bad_server_certificate_is_refused(pki: Pki, answer: Answer, client: MakeClient, name: str, make: Any, said: str) -> None:
    """A certificate for another host, from nobody, out of date or of a strange authority: nothing is sent, and it says why."""
    context = pki.server_context(pki.files(name, make(pki)))
    for certificate in (None, "pgo"):
        done = client(answer(OK, context=context).port).send(get(), certificate=certificate)
        assert done.trouble
        assert done.trouble.kind == "tls"
        assert done.trouble.detail.startswith("the server certificate is not accepted: ")
        assert any(part in done.trouble.detail for part in said.split("|"))
        assert done.response is None


def test_chain_without_its_intermediates_is_refused(pki: Pki, answer: Answer, client: MakeClient) -> None:
    """A server that sends only its leaf is not trusted, as no chain leads to the root."""
    leaf = pki.own.tsp.issue(HOST)
    files = pki.files("leaf-only", leaf)
    files[0].write_bytes(leaf.certificate_pem.split(b"-----END CERTIFICATE-----\n")[0] + b"-----END CERTIFICATE-----\n")
    done = client(answer(OK, context=pki.server_context(files)).port).send(get())
    assert done.trouble
    assert (done.trouble.kind, "issuer certificate" in done.trouble.detail) == ("tls", True)


def test_front_and_back_channel_have_their_own_trust(pki: Pki, answer: Answer) -> None:
    """A browser does not trust the private root of the back channel, nor the back channel the root of browsers."""
    port = answer(OK).port
    strange = pki.folder / "strange.pem"
    strange.write_bytes(pki.strange.root.certificate_pem)
    for trust in ({"trust_back": [pki.root], "trust_front": [strange]}, {"trust_back": [pki.root]}):
        one = Client(Evidence(), connect={f"{HOST}:443": f"127.0.0.1:{port}"}, **trust)
        front, back = one.send(get()), one.send(get(), certificate="nobody")
        assert (front.trouble and front.trouble.kind, back.status) == ("tls", 200)


# --- what a connection negotiated ---


def fingerprints(pki: Pki) -> tuple[str, ...]:
    """SHA-256 of the certificates that the server sends, by cryptography."""
    chain = x509.load_pem_x509_certificates(pki.server[0].read_bytes())
    return tuple(certificate.fingerprint(hashes.SHA256()).hex() for certificate in chain)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_facts_are_recorded(pki: Pki, listen: Listen, client: MakeClient, version: ssl.TLSVersion) -> None:
    """Version, cipher and certificates are those that the server saw and has; no certificate was asked for or shown."""
    seen: list[Any] = []

    def talk(stream: Any, _: Listener) -> None:
        seen.append((stream.version(), stream.cipher()[0]))
        read_request(stream)
        stream.sendall(OK)

    context = pki.server_context(maximum_version=version, minimum_version=version)
    tls = client(listen(talk, context=context).port).send(get(), certificate="pgo").tls
    assert tls
    assert [(tls.version, tls.cipher)] == seen
    assert tls.version == version.name.replace("v1_", "v1.")
    assert tls.peer_chain == fingerprints(pki)
    assert len(tls.peer_chain) == 3
    assert (tls.certificate_requested, tls.certificate_presented) == (False, False)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("certificate", "presented"), [("pgo", True), ("nobody", False), (None, False)])
def test_client_certificate_is_recorded(
    pki: Pki, listen: Listen, client: MakeClient, version: ssl.TLSVersion, certificate: str | None, presented: bool
) -> None:
    """That a certificate was asked for, and whether one was shown, is recorded as the server saw it."""
    shown: list[Any] = []

    def talk(stream: Any, _: Listener) -> None:
        shown.append(stream.getpeercert(binary_form=True))
        read_request(stream)
        stream.sendall(OK)

    context = pki.server_context(maximum_version=version, verify_mode=ssl.CERT_OPTIONAL)
    tls = client(listen(talk, context=context).port).send(get(), certificate=certificate).tls
    assert tls
    assert (tls.certificate_requested, tls.certificate_presented) == (True, presented)
    [der] = shown
    assert bool(der) is presented
    if presented:
        leaf = x509.load_pem_x509_certificate((pki.folder / "pgo.pem").read_bytes())
        assert hashlib.sha256(der).digest() == leaf.fingerprint(hashes.SHA256())


@pytest.mark.parametrize(
    ("version", "certificate", "alert"),
    [
        (ssl.TLSVersion.TLSv1_2, "nobody", "handshake_failure"),
        (ssl.TLSVersion.TLSv1_3, "nobody", "certificate_required"),
        (ssl.TLSVersion.TLSv1_2, "stranger", "unknown_ca"),
        (ssl.TLSVersion.TLSv1_3, "stranger", "unknown_ca"),
    ],
)
def test_alert_of_the_server_is_recorded(
    pki: Pki, answer: Answer, client: MakeClient, version: ssl.TLSVersion, certificate: str, alert: str
) -> None:
    """A server that demands a good certificate and says so by an alert is heard, however fast it closes: twenty of twenty."""
    context = pki.server_context(maximum_version=version, minimum_version=version, verify_mode=ssl.CERT_REQUIRED)
    one = client(answer(OK, context=context).port)
    for _ in range(20):
        done = one.send(get(), certificate=certificate)
        assert done.trouble
        assert (done.status, done.trouble.kind) == (None, "tls")
        assert done.tls
        assert (done.tls.alert, done.tls.certificate_requested) == (alert, True)


def test_certificate_asked_for_after_the_handshake(pki: Pki, listen: Listen, client: MakeClient) -> None:
    """A TLS 1.3 server may ask for the certificate when it has read the path; that works, and is recorded."""
    late = {"minimum_version": ssl.TLSVersion.TLSv1_3, "post_handshake_auth": True, "verify_mode": ssl.CERT_REQUIRED}
    shown: list[Any] = []

    def talk(stream: Any, _: Listener) -> None:
        shown.append(stream.getpeercert(binary_form=True))
        read_request(stream)
        stream.verify_client_post_handshake()
        stream.sendall(b"HTTP/1.1 102 Processing\r\n\r\n")
        stream.settimeout(0.1)
        with contextlib.suppress(TimeoutError):  # the certificate is no data, but it is read on the way to data
            stream.recv(1)
        shown.append(stream.getpeercert(binary_form=True))
        stream.sendall(OK)

    done = client(listen(talk, context=pki.server_context(**late)).port).send(get(), certificate="pgo")
    assert done.status == 200
    assert done.tls
    assert (done.tls.certificate_requested, done.tls.certificate_presented) == (True, True)
    assert shown[0] is None
    assert shown[1]


def test_limits_have_sensible_defaults() -> None:
    """Without being told, an exchange may take 20 seconds and a body 5 million octets."""
    assert (Limits().exchange_s, Limits().body_bytes) == (20.0, 5_000_000)
