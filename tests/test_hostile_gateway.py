"""Whatever a gateway sends, a run ends in time, passes nothing, and says why."""

import contextlib
import json
import random
import re
import shutil
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from medmij_conformance import workspace
from medmij_conformance.checks import network, own_certificate
from medmij_conformance.evidence import read_journal
from medmij_conformance.report.results import validate
from medmij_conformance.verdict import REGISTRY

HOST = "za.example.nl"
GIGABYTE = 10**9
LIMITS = "\n[limits]\nexchange_s = 1\nscenario_s = 2\nredirects = 5\n"
Behaviour = Callable[[ssl.SSLSocket], None]


def reset(connection: ssl.SSLSocket) -> None:
    """Reads the request and cuts the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def drip(connection: ssl.SSLSocket) -> None:
    """Answers one octet a second."""
    for octet in b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<form id=login>":
        connection.sendall(bytes([octet]))
        time.sleep(1)


def flood(connection: ssl.SSLSocket) -> None:
    """Answers a gigabyte of markup."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
    part = b"<div><p>&amp;" * 10_000
    for _ in range(GIGABYTE // len(part)):
        connection.sendall(part)


def redirect(connection: ssl.SSLSocket) -> None:
    """Sends everybody on to another address of its own."""
    place = f"https://{HOST}/{random.getrandbits(64)}".encode()
    connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % place)


def garbage(connection: ssl.SSLSocket) -> None:
    """Answers something that is no HTTP."""
    connection.sendall(random.randbytes(4096))


def close_at_once(_: ssl.SSLSocket) -> None:
    """Closes the connection before a word is said."""


BEHAVIOURS: Mapping[str, tuple[Behaviour, str]] = {
    "reset": (reset, "(reset|protocol): "),  # not every Python tells a reset inside TLS from an end
    "drip": (drip, "endpoint not answering: 3 time-outs in a row"),
    "flood": (flood, "too-large: the body is larger than"),
    "redirect": (redirect, "redirects"),
    "garbage": (garbage, "protocol: not a complete HTTP response: "),
    "close_at_once": (close_at_once, "reset: "),
}


class Listener:
    """Listens on a port of its own and treats every connection alike, in a thread of its own."""

    def __init__(self, folder: Path, behaviour: Behaviour, *, mutual: bool) -> None:
        self._behaviour = behaviour
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "za.pem", folder / "za.key")
        self._context.load_verify_locations(folder / "ca.pem")
        self._context.verify_mode = ssl.CERT_REQUIRED if mutual else ssl.CERT_NONE
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._listen)]
        self._threads[0].start()

    def _listen(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(plain,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        with plain, contextlib.suppress(OSError):
            if self._behaviour is close_at_once:
                return
            plain.settimeout(5)
            with self._context.wrap_socket(plain, server_side=True) as connection:
                if self._read_request(connection):
                    self._behaviour(connection)

    @staticmethod
    def _read_request(connection: ssl.SSLSocket) -> bytes:
        request = b""
        while part := connection.recv(65_536):
            head, ended, body = (request := request + part).partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *([0-9]+)", head)
            if ended and len(body) >= int(length[1] if length else 0):
                return request
        return b""

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def gateway(folder: Path, behaviour: Behaviour) -> Iterator[Path]:
    """A gateway that behaves like this on both of its ports; gives the target file to test it with."""
    front, back = (Listener(folder / "pki", behaviour, mutual=mutual) for mutual in (False, True))
    target = folder / "target.toml"
    text = target.read_text(encoding="utf-8")
    for old, listener in (("127.0.0.1:8443", front), ("127.0.0.1:8444", back)):
        assert old in text
        text = text.replace(old, f"127.0.0.1:{listener.port}")
    (usual,) = set(re.findall(r"127\.0\.0\.1:\d+(?=\"  +# where we answer)", text))  # each run has a responder of its own
    text = text.replace(usual, f"127.0.0.1:{_free_port()}")
    target.write_text(text + LIMITS, encoding="utf-8")
    try:
        yield target
    finally:
        front.stop()
        back.stop()


class Outlived(NamedTuple):
    exit_code: int
    directory: Path

    @property
    def results(self) -> Any:
        return json.loads((self.directory / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tested(medmij: Any, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Outlived]:
    """A full run against each of these gateways, a few at a time, because most of a run is waiting."""
    made = tmp_path_factory.mktemp("hostile") / "made"
    workspace.initialise(made, "dvza")
    workspace.TestPki.create(made / "pki").issue(HOST, "za")  # in the place of a PKI whose issuer is not known

    def test(name: str) -> Outlived:
        folder = Path(shutil.copytree(made, made.parent / name))
        with gateway(folder, BEHAVIOURS[name][0]) as target:
            process = medmij("run", target, "--report-dir", folder / "report", timeout=900)  # a busy machine is slow
            return Outlived(process.returncode, folder / "report")

    with ThreadPoolExecutor(3) as pool:
        return dict(zip(BEHAVIOURS, pool.map(test, BEHAVIOURS), strict=True))


def verdicts(outlived: Outlived) -> list[tuple[str, str, str]]:
    """Check, outcome and what was observed, of every verdict of a run but those on what handshakes alone show."""
    rows = [verdict for scenario in outlived.results["scenarios"] for verdict in scenario["verdicts"]]
    return [
        (verdict["check"], verdict["outcome"], verdict["observed"])
        for verdict in rows
        if REGISTRY[verdict["check"]].function.__module__ not in {own_certificate.__name__, network.__name__}
    ]


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_a_run_ends_in_time(name: str, tested: Mapping[str, Outlived]) -> None:
    """A run asks no more than so often, which takes less than a minute on a quiet machine, and its whole report is not large."""
    outlived = tested[name]
    scenarios = len(outlived.results["scenarios"])
    assert scenarios > 100
    assert sum(record["type"] == "exchange" for record in read_journal(outlived.directory / "evidence.jsonl")) < 10 * scenarios
    assert validate(outlived.results) == []
    assert sum(path.stat().st_size for path in outlived.directory.iterdir()) < 300_000 * scenarios


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_nothing_passes(name: str, tested: Mapping[str, Outlived]) -> None:
    """Not one check passes, and nothing is an error of ours."""
    outcomes = {outcome for _, outcome, _ in verdicts(tested[name])}
    assert outcomes <= {"not_tested", "fail"}


@pytest.mark.parametrize("name", sorted(set(BEHAVIOURS) - {"redirect"}))
def test_what_does_not_answer_cannot_be_judged(name: str, tested: Mapping[str, Outlived]) -> None:
    """Where no answer comes to its end nothing fails either: undecided, exit 3, and most verdicts say what came instead."""
    outlived = tested[name]
    assert (outlived.exit_code, outlived.results["verdict"]) == (3, "undecided")
    observed = [text for _, outcome, text in verdicts(outlived) if outcome == "not_tested"]
    assert len(observed) == len(verdicts(outlived)) > 100
    assert sum(bool(re.search(BEHAVIOURS[name][1], text)) for text in observed) > len(observed) / 2


def test_redirects_without_end_are_judged_as_what_they_are(tested: Mapping[str, Outlived]) -> None:
    """What lies behind redirects without end was not seen; only a FHIR request must not be answered by a redirect at all."""
    outlived = tested["redirect"]
    assert (outlived.exit_code, outlived.results["verdict"]) == (1, "fail")
    failed = {check for check, outcome, _ in verdicts(outlived) if outcome == "fail"}
    assert failed == {"absent_token_is_refused", "unknown_token_is_refused"}
    by_check = {check: (outcome, text) for check, outcome, text in verdicts(outlived)}
    assert by_check["login_comes_first"][0] == "not_tested"
    assert f"the browser halted before https://{HOST}/" in by_check["login_comes_first"][1]
    assert [by_check[name][0] for name in ("code_is_issued", "token_is_issued", "data_is_delivered")] == ["not_tested"] * 3
    assert by_check["refusal_is_reported"][0] == "not_tested"
    assert "more than 5 redirects" in by_check["refusal_is_reported"][1]


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_nobody_is_waited_for_more_than_three_times(name: str, tested: Mapping[str, Outlived]) -> None:
    """What keeps silent costs three limits of an exchange on each port, however many scenarios there are."""
    records = read_journal(tested[name].directory / "evidence.jsonl")
    exchanges = [r for r in records if r["type"] == "exchange" and r["trouble"]]
    waited = Counter(r["address"] for r in exchanges if r["trouble"]["kind"] == "timeout")
    assert max(waited.values(), default=0) <= 3


def test_an_endpoint_that_drips_is_left_alone_after_three_time_outs(tested: Mapping[str, Outlived]) -> None:
    """Each port is waited for three times at most; after that it is not asked any more."""
    records = read_journal(tested["drip"].directory / "evidence.jsonl")
    exchanges = [(r["address"], r["trouble"]["kind"]) for r in records if r["type"] == "exchange" and r["trouble"]]
    waited = Counter(address for address, kind in exchanges if kind == "timeout")
    assert max(waited.values()) == 3
    assert sum(kind == "silent-endpoint" for _, kind in exchanges) > 50
