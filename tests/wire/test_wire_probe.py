"""The probe of TLS: what it finds on servers of three kinds, which two other programs confirm; and what it makes of bad ones."""

import contextlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback import HOST, Listen, Listener, Pki

from medmij_conformance.evidence import Response
from medmij_conformance.guideline import registry
from medmij_conformance.pki import make_key
from medmij_conformance.protocol import tls
from medmij_conformance.reference import tls_scripts
from medmij_conformance.wire.probe import Probe
from medmij_conformance.wire.server import Server, TlsSettings

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
needs_sslscan = pytest.mark.skipif(not shutil.which("sslscan"), reason="needs sslscan")
Probed = Callable[..., Probe]
OLD_SUITES = "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-SHA:AES256-SHA:ADH-AES128-SHA:@SECLEVEL=0"
OLD_CODES = {0xC02F, 0x9F, 0x33, 0x35, 0x34}


@pytest.fixture
def serve(pki: Pki) -> Iterator[Callable[..., int]]:
    """Starts a server of ours with these settings; gives its port."""
    with contextlib.ExitStack() as stack:

        def start(settings: TlsSettings | None = None, **more: Any) -> int:
            certificate, key = pki.server
            server = Server(lambda *_: Response(status=404), host=HOST, certificate=certificate, key=key, settings=settings, **more)
            stack.callback(server.stop)
            server.start()
            return server.port

        yield start


def probe(port: int, **settings: Any) -> Probe:
    """A probe that has run without trouble."""
    made = Probe(name=HOST, address=f"127.0.0.1:{port}", **settings)
    trouble = made.run()
    assert trouble is None, trouble
    return made


@pytest.fixture(scope="module")
def legacy(pki: Pki) -> Iterator[int]:
    """``openssl s_server``: TLS 1.0 to 1.2, an RSA key of 2048 bits, old suites, renegotiation; gives its port."""
    certificate, key = pki.files("rsa", pki.own.tsp.issue(HOST, key=make_key("rsa2048")))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate, "-key", key, "-cipher", OLD_SUITES]
    process = subprocess.Popen(
        [*command, "-no_tls1_3", "-serverpref", "-client_renegotiation", "-quiet"],  # with -www it sleeps after each renegotiation
        stdin=subprocess.PIPE,  # at its end the server would end too
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_for(port)
    yield port
    process.kill()
    process.communicate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody listens on {port}")


@pytest.fixture
def strict(pki: Pki, listen: Listen) -> int:
    """Python's ``ssl``: TLS 1.2 and 1.3, and no handshake without a certificate; gives its port."""
    context = pki.server_context(verify_mode=ssl.CERT_REQUIRED)
    return listen(lambda stream, _: stream.recv(1), context=context).port


# --- what it finds ---


def test_a_modern_server(serve: Callable[..., int]) -> None:
    """Versions, suites, groups and the server's own order are found; nothing that is not there."""
    seen = probe(serve(TlsSettings(groups="X25519:P-256"))).seen
    assert seen.versions == (tls.TLS12, tls.TLS13)
    assert {*seen.suites(tls.TLS12)} == {0xC02B, 0xC02C, 0xCCA9}
    assert {*seen.suites(tls.TLS13)} == {0x1301, 0x1302, 0x1303}
    assert {answer.group for answer in seen.answers if answer.group} == {0x1D, 0x17}
    assert (seen.renegotiations, seen.early_data) == (0, 0)
    assert {facts["key"] for facts in seen.certificates.values()} == {"EC secp256r1"}


def test_a_probe_is_done_within_a_second(serve: Callable[..., int]) -> None:
    """The best of three: other work on the machine is no time of the probe."""
    port, took = serve(), list[float]()
    for _ in range(3):
        began = time.monotonic()
        probe(port)
        took.append(time.monotonic() - began)
    assert min(took) < 1


@needs_openssl
def test_an_old_server(legacy: int) -> None:
    """Old versions and suites are found, the sizes of primes and keys, and that clients may renegotiate."""
    seen = probe(legacy).seen
    assert seen.versions == (tls.TLS10, tls.TLS11, tls.TLS12)
    assert {*seen.suites(tls.TLS12)} == OLD_CODES
    assert {*seen.suites(tls.TLS10)} == {0x33, 0x35, 0x34}
    assert "RSA 2048" in {facts["key"] for facts in seen.certificates.values()}
    assert "2048" in {answer.prime for answer in seen.answers}
    assert seen.renegotiations == 11
    assert seen.early_data is None


def test_a_server_that_wants_a_certificate(strict: int, pki: Pki) -> None:
    """It is found out all the same, and that a certificate is asked for."""
    seen = probe(strict).seen
    assert seen.versions == (tls.TLS12, tls.TLS13)
    assert any(answer.certificate_requested for answer in seen.answers)
    credential = ((pki.folder / "pgo.pem").read_bytes(), (pki.folder / "pgo.key").read_bytes())
    assert probe(strict, credential=credential).seen.renegotiations == 0


@pytest.mark.parametrize(
    ("settings", "version"),
    [
        ({"script": tls_scripts.ssl(tls.SSL2)}, tls.SSL2),
        ({"script": tls_scripts.ssl(tls.SSL3)}, tls.SSL3),
        ({"minimum": tls.TLS10, "suites": "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"}, tls.TLS10),
    ],
)
def test_old_versions(serve: Callable[..., int], settings: dict[str, Any], version: int) -> None:
    """A version that is taken is found."""
    assert version in probe(serve(TlsSettings(**settings))).seen.versions


def test_options(serve: Callable[..., int]) -> None:
    """Compression, early data, and renegotiation beyond all bounds are found."""
    seen = probe(serve(TlsSettings(renegotiation=True, early_data=16_384, script=tls_scripts.compression()))).seen
    assert (seen.renegotiations, seen.early_data) == (11, 16_384)
    assert any(answer.compression for answer in seen.answers)


@pytest.mark.parametrize("own_order", [True, False])
def test_whose_order_counts(serve: Callable[..., int], own_order: bool) -> None:
    """The same suites backwards give the same choice or another, by whose order counts."""
    seen = probe(serve(TlsSettings(own_order=own_order, suites="ECDHE+AESGCM"))).seen
    chosen = {
        answer.suite
        for (purpose, _), answer in zip(seen.offers, seen.answers, strict=True)
        if purpose.startswith("the order of suites") and answer.version == tls.TLS12
    }
    assert len(chosen) == (1 if own_order else 2)


# --- confirmed by others ---


@needs_sslscan
@needs_openssl
@pytest.mark.parametrize("kind", ["modern", "legacy", "strict"])
def test_sslscan_finds_the_same(kind: str, request: pytest.FixtureRequest) -> None:
    """``sslscan`` finds the same versions, and the same suites as far as it knows them."""
    port = request.getfixturevalue("serve")() if kind == "modern" else request.getfixturevalue(kind)
    options = ["--xml=-", "--no-heartbleed", "--no-groups", "--no-check-certificate", "--no-renegotiation", "--no-fallback"]
    command = ["sslscan", *options, f"--sni-name={HOST}", f"127.0.0.1:{port}"]
    report = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    root = ElementTree.fromstring(report)
    enabled = {f"{row.get('type')} {row.get('version')}" for row in root.iter("protocol") if row.get("enabled") == "1"}
    seen = probe(port).seen
    assert {
        {tls.TLS10: "tls 1.0", tls.TLS11: "tls 1.1", tls.TLS12: "tls 1.2", tls.TLS13: "tls 1.3"}[v] for v in seen.versions
    } == enabled
    for version, name in ((tls.TLS10, "TLSv1.0"), (tls.TLS12, "TLSv1.2"), (tls.TLS13, "TLSv1.3")):
        theirs = {int(row.get("id", "0"), 16) for row in root.iter("cipher") if row.get("sslversion") == name}
        assert theirs <= {*seen.suites(version)}, name
        # It gets no further in a server that wants a certificate; there s_client below is the witness.
        assert theirs == {*seen.suites(version)} or (kind == "strict" and version == tls.TLS12), name


@needs_openssl
@pytest.mark.parametrize("kind", ["modern", "legacy", "strict"])
def test_s_client_agrees(kind: str, request: pytest.FixtureRequest, pki: Pki) -> None:
    """``openssl s_client`` shakes hands with each suite of TLS 1.2 that the probe found, and with none of a sample of others."""
    port = request.getfixturevalue("serve")() if kind == "modern" else request.getfixturevalue(kind)
    found = {*probe(port).seen.suites(tls.TLS12)}
    known = _suites_of_openssl()
    assert found <= {*known}
    others = [code for code in (0xC02B, 0xC02F, 0xC030, 0x9F, 0x9C, 0x2F, 0x35, 0xC009, 0x33, 0x34, 0xCCA8) if code not in found]
    for code in [*sorted(found)[:5], *others[:3]]:
        assert _shakes_hands(port, known[code], pki) == (code in found), registry().suite_name(code)


def _suites_of_openssl() -> dict[int, str]:
    listed = subprocess.run(["openssl", "ciphers", "-V", "ALL:@SECLEVEL=0"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"0x(\w\w),0x(\w\w) - (\S+)", listed)
    return {int(high + low, 16): name for high, low, name in rows}


def _shakes_hands(port: int, suite: str, pki: Pki) -> bool:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", HOST, "-tls1_2"]
    command += ["-cipher", f"{suite}:@SECLEVEL=0", "-cert", str(pki.folder / "pgo.pem"), "-key", str(pki.folder / "pgo.key")]
    done = subprocess.run(command, input=b"", capture_output=True, check=False, timeout=30)
    return f"Cipher is {suite}".encode() in done.stdout


# --- what cannot be probed ---


def test_a_closed_port() -> None:
    """Nobody there: that is said, and nothing was seen."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = Probe(name=HOST, address=f"127.0.0.1:{port}")
    trouble = made.run()
    assert trouble is not None
    assert trouble.kind == "connect"
    assert made.seen.answers == []


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", b"220 mail ESMTP\r\n", b""])
def test_a_server_without_tls(listen: Listen, words: bytes) -> None:
    """Whatever else it speaks, it is no TLS."""

    def talk(stream: Any, _: Listener) -> None:
        stream.recv(65_536)
        stream.sendall(words)

    trouble = Probe(name=HOST, address=f"127.0.0.1:{listen(talk, tls=False).port}").run()
    assert trouble is not None
    assert trouble.kind in {"tls", "connect"}


def test_a_server_that_says_nothing(listen: Listen, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for long."""
    monkeypatch.setattr("medmij_conformance.wire.probe.ANSWER_S", 0.1)
    listener = listen(lambda _, listener: listener.gone.wait(), tls=False)
    trouble = Probe(name=HOST, address=f"127.0.0.1:{listener.port}").run()
    assert trouble is not None
    assert trouble.kind == "timeout"


def test_a_server_that_shuts_the_probe_out(pki: Pki) -> None:
    """Who answers at first and hangs up from some moment on was not probed, whatever it said before."""
    count = 0

    def answer(_: bytes) -> bytes:
        nonlocal count
        count += 1
        return tls.record(tls.ALERT, b"\2\x28", tls.TLS12) if count > 12 else b""

    certificate, key = pki.server
    settings = TlsSettings(script=replace(tls_scripts.compression(), answer=answer))
    server = Server(lambda *_: Response(status=404), host=HOST, certificate=certificate, key=key, settings=settings)
    server.start()
    trouble = Probe(name=HOST, address=f"127.0.0.1:{server.port}").run()
    server.stop()
    assert trouble is not None
    assert "repeated at the end" in trouble.detail


def test_the_limit_is_for_all_of_it(serve: Callable[..., int]) -> None:
    """A probe that may not last ends in time and counts for nothing; the pace that is asked for is kept."""
    made = Probe(name=HOST, address=f"127.0.0.1:{serve()}", pace_s=0.05, limit_s=0.3)
    began = time.monotonic()
    trouble = made.run()
    assert trouble is not None
    assert trouble.kind == "out-of-time"
    assert len(made.seen.answers) <= 6
    assert time.monotonic() - began >= 0.25


def test_a_hostile_flood(listen: Listen) -> None:
    """A server that sends handshake messages without an end is not read without one."""
    stop = threading.Event()

    def talk(stream: Any, _: Listener) -> None:
        with contextlib.suppress(OSError):
            while not stop.is_set():
                stream.sendall(tls.record(tls.HANDSHAKE, tls.message(4, b"x" * 16_000), tls.TLS12))

    trouble = Probe(name=HOST, address=f"127.0.0.1:{listen(talk, tls=False).port}", limit_s=10).run()
    stop.set()
    assert trouble is not None


def test_settings_change_while_it_serves(pki: Pki, tmp_path: Path) -> None:
    """A listener takes other settings from the next connection on; another script needs no files any more."""
    for path in pki.server:
        shutil.copy(path, tmp_path)
    certificate, key = (tmp_path / path.name for path in pki.server)
    server = Server(lambda *_: Response(status=404), host=HOST, certificate=certificate, key=key)
    server.start()
    assert probe(server.port).seen.versions == (tls.TLS12, tls.TLS13)
    server.accept(TlsSettings(maximum=tls.TLS12))
    assert probe(server.port).seen.versions == (tls.TLS12,)
    certificate.unlink()
    server.accept(replace(server.settings, script=tls_scripts.ssl(tls.SSL3)))
    assert probe(server.port).seen.versions == (tls.SSL3, tls.TLS12)
    server.stop()
