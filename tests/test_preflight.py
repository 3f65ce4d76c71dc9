"""A corpus of faults of configuration: each one planted is found under its field, and nothing is found that was not planted."""

import ast
import itertools
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID as Use

from medmij_conformance import pki, workspace
from medmij_conformance.preflight import Fault, in_the_file, preflight

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
Plant = Callable[[Path], None]


class Corpus:
    """The workspaces that faults are planted into: of a running gateway with a login page, with DigiD, and of a running PGO."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        makers = {
            "dvza": lambda place: workspace.reference_dvza(place, login="form"),
            "digid": workspace.reference_dvza,
            "dvp": workspace.reference_dvp,
            "registratie": workspace.reference_registratie,
        }
        self.started = []
        for name, make in makers.items():
            (folder / name).mkdir()
            _, process = make(folder / name)
            self.started.append(process)

    def copy(self, workspace_name: str, plant: Plant | None = None) -> Path:
        """A copy of a workspace, into which a fault may be planted; the last one is gone."""
        place = self.folder / "planted"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.folder / workspace_name, place)
        if plant:
            plant(place)
        return place

    def found(self, workspace_name: str, plant: Plant | None = None) -> list[Fault]:
        """What is found in a copy of a workspace into which a fault was planted."""
        file = self.copy(workspace_name, plant) / "target.toml"
        target, wrong = in_the_file(file, {})
        return wrong if target is None else preflight(target)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """Everything that the corpus needs, running."""
    made = Corpus(tmp_path_factory.mktemp("corpus"))
    yield made
    for process in made.started:
        process.stop()


# --- how faults are planted ---


def text(old: str, new: str, *, every: bool = False) -> Plant:
    """Another text in the target file."""

    def plant(place: Path) -> None:
        file = place / "target.toml"
        content = file.read_text(encoding="utf-8")
        assert old in content, old
        file.write_text(content.replace(old, new, -1 if every else 1), encoding="utf-8")

    return plant


def appended(name: str, content: Callable[[], bytes]) -> Plant:
    """More at the end of a file."""
    return file(name, lambda data: data + content())


def line(start: str, new: str) -> Plant:
    """Another line in the place of the one that begins so."""

    def plant(place: Path) -> None:
        file = place / "target.toml"
        lines = file.read_text(encoding="utf-8").split("\n")
        at = next(number for number, each in enumerate(lines) if each.startswith(start))
        file.write_text("\n".join([*lines[:at], new, *lines[at + 1 :]]), encoding="utf-8")

    return plant


def minted(name: str, host: str, **facts: Any) -> Plant:
    """Another certificate of the same issuer in the place of ours."""

    def plant(place: Path) -> None:
        folder = place / "pki"
        issuer = pki.Authority.from_pem((folder / "issuer.pem").read_bytes(), (folder / "issuer.key").read_bytes())
        credential = issuer.issue(host, **facts)
        (folder / f"{name}.pem").write_bytes(credential.certificate_pem)
        (folder / f"{name}.key").write_bytes(credential.key_pem)

    return plant


def harness(**facts: Any) -> Plant:
    """Another certificate of the PGO that we play."""
    return minted("harness", "pgo.harness.test", **facts)


def file(name: str, content: Callable[[bytes], bytes]) -> Plant:
    """Another content of a file."""
    return lambda place: (place / name).write_bytes(content((place / name).read_bytes())) and None


def certificates(data: bytes) -> list[bytes]:
    """The PEM certificates of a file, one by one."""
    end = b"-----END CERTIFICATE-----\n"
    return [part + end for part in data.split(end) if part.strip()]


def issuer(**facts: Any) -> Plant:
    """Another issuer in ``[pki]``, which is an authority of its own."""

    def plant(place: Path) -> None:
        authority = pki.hierarchy("OTHER").root.intermediate("TEST Other CA", **facts)
        (place / "pki" / "issuer.pem").write_bytes(authority.certificate_pem)
        key = authority.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (place / "pki" / "issuer.key").write_bytes(key)

    return plant


def expired_authority() -> bytes:
    """The certificate of an authority that has ended."""
    return pki.hierarchy("OLD").root.intermediate("TEST Old CA", not_after=NOW - DAY).certificate_pem


def leaf_as_issuer(place: Path) -> None:
    """The certificate of a node in the place of the issuer."""
    for kind in ("pem", "key"):
        shutil.copy(place / "pki" / f"other.{kind}", place / "pki" / f"issuer.{kind}")


def issuer_as_leaf(place: Path) -> None:
    """The certificate of the issuer in the place of ours."""
    for kind in ("pem", "key"):
        shutil.copy(place / "pki" / f"issuer.{kind}", place / "pki" / f"harness.{kind}")


def taken(field: str) -> Plant:
    """Somebody else listens where we want to."""

    def plant(place: Path) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        _OPEN.append(listener)
        line(f"{field} = ", f'{field} = "127.0.0.1:{listener.getsockname()[1]}"')(place)

    return plant


def served(talk: Callable[[socket.socket], object], port: int = 443) -> Plant:
    """Something else stands where the authorization endpoint should be, or at another port of its host."""

    def plant(place: Path) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        _OPEN.append(listener)

        def serve() -> None:
            while True:
                try:
                    stream, _ = listener.accept()
                except OSError:
                    return
                with stream:
                    try:
                        talk(stream)
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        line(f'"za.reference.test:{port}" = ', f'"za.reference.test:{port}" = "127.0.0.1:{listener.getsockname()[1]}"')(place)

    return plant


def alert(number: int, port: int = 8443) -> Plant:
    """The token endpoint answers the handshake with a fatal alert of this number."""
    return served(lambda stream: stream.recv(10_000) and stream.sendall(b"\x15\x03\x03\x00\x02\x02" + bytes([number])), port)


def without_our_certificate() -> Plant:
    """We have nothing to show."""
    return both(line('certificate = "pki/harness.pem"', ""), line('key = "pki/harness.key"', ""))


def tls(name: str, answer: bytes = b"", port: int = 443) -> Plant:
    """A TLS server with one of the certificates of the workspace, which says this to whatever comes."""

    def plant(place: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place / "pki" / f"{name}.pem", place / "pki" / f"{name}.key")

        def talk(stream: socket.socket) -> None:
            with context.wrap_socket(stream, server_side=True) as secure:
                if answer:
                    secure.recv(10_000)
                    secure.sendall(answer)

        served(talk, port)(place)

    return plant


def both(*plants: Plant) -> Plant:
    """Several changes that make one fault."""
    return lambda place: [plant(place) for plant in plants] and None


def unreachable(port: int = 1) -> Plant:
    """Nothing listens where the authorization endpoint should be."""
    return line('"za.reference.test:443" = ', f'"za.reference.test:443" = "127.0.0.1:{port}"')


def _wait_for_the_end(stream: socket.socket) -> None:
    while stream.recv(10_000):
        pass


def _reset(stream: socket.socket) -> None:
    """A reset instead of an end."""
    stream.recv(10)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


_OPEN: list[socket.socket] = []

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n%s\r\n%s"
EARLY = (NOW + timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
LATE = (NOW - timedelta(hours=1)).strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
LOGIN = b'<form id="login" method="post"><button value="login">in</button></form>'
FRONT = 'connect."za.reference.test:443"'

LISTS_ALONE = x509.KeyUsage(  # may sign lists of revoked certificates, and no certificates
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
LOGIN_PAGE = PAGE % (len(LOGIN), b"", LOGIN)

FAULTS: Mapping[str, tuple[str, str, Plant]] = {
    # what was done: (workspace, field, how)
    "no TOML": ("dvza", "TOML", text("[target]", "[target")),
    "an unknown key": ("dvza", "target.rol", text('role = "dvza"', 'role = "dvza"\nrol = "x"')),
    "another role": ("dvza", "target.role", text('role = "dvza"', 'role = "dvsa"')),
    "the role of a PGO": ("dvza", "gateway", text('role = "dvza"', 'role = "dvp"')),
    "no name": ("dvza", "target.name", text('name = "reference:dvza"\n', "")),
    "an endpoint without https": ("dvza", "offer[1].token_endpoint", text('token_endpoint = "https:', 'token_endpoint = "http:')),
    "an endpoint that connect does not name": (
        "dvza",
        "offer[1].token_endpoint",
        text("test:8443/proefkliniek/1/token", "test:9443/x"),
    ),
    "a code of no gegevensdienst": ("dvza", "offer[2].gegevensdienst", text('gegevensdienst = "7"', 'gegevensdienst = "seven"')),
    "the same offer twice": ("dvza", "offer[2]", text('gegevensdienst = "7"', 'gegevensdienst = "1"')),
    "a port that is none": (
        "dvza",
        'connect."za.reference.test:443"',
        line('"za.reference.test:443"', '"za.reference.test:443" = "127.0.0.1:https"'),
    ),
    "no trusted authority": ("dvza", "trust.ca", text('ca = ["pki/ca.pem"]', "")),
    "a file that is not there": ("dvza", "harness.certificate", text("pki/harness.pem", "pki/harnas.pem")),
    "a certificate without its key": ("dvza", "harness.key", text('key = "pki/harness.key"\n', "")),
    "the key of another": ("dvza", "harness.key", text('key = "pki/harness.key"', 'key = "pki/other.key"')),
    "a key in place of a certificate": ("dvza", "harness.certificate", text("pki/harness.pem", "pki/harness.key")),
    "a certificate that is cut off": ("dvza", "harness.certificate", file("pki/harness.pem", lambda data: data[:300])),
    "two nodes of one name": (
        "dvza",
        "harness.other.hostname",
        text('hostname = "other.harness.test"', 'hostname = "pgo.harness.test"'),
    ),
    "a secret that the environment lacks": (
        "dvza",
        "persons.available.bsn",
        text('bsn = "999990019"', 'bsn = { env = "NO_SUCH" }'),
    ),
    "a hook of another kind": ("dvza", "hooks.clock", line("clock = ", 'clock = "by hand"')),
    "a hook that there is not": ("dvza", "hooks.clok", line("clock = ", 'clok = "operator"')),
    "a scenario shorter than an exchange": ("dvza", "limits.scenario_s", text("load = true", "load = true\nscenario_s = 5")),
    "a login of another kind": ("dvza", "login.mode", text('mode = "form"', 'mode = "password"')),
    "DigiD without its table": ("dvza", "digid", text('mode = "form"', 'mode = "digid"')),
    "an action of another intent": ("dvza", "user_agent.action[1].intent", text('intent = "log in"', 'intent = "login"')),
    "a consent text that is not there": ("dvza", "consent.text", text("consent.txt", "toestemming.txt")),
    "no address of the ZAL": ("registratie", "registratie.zal_url", line("zal_url = ", "")),
    "no outcome": ("dvp", "outcome", text('[outcome]\ncollected = "css:.collected"\nfailed = "css:.failed"\n', "")),
    "an expired certificate": ("dvza", "harness.certificate", harness(not_after=NOW - DAY)),
    "a certificate of tomorrow": ("dvza", "harness.certificate", harness(not_before=NOW + DAY)),
    "a certificate that ends tomorrow": ("dvza", "harness.certificate", harness(not_after=NOW + DAY)),
    "a certificate of another host": ("dvza", "harness.certificate", harness(names=["pgo.example.test"])),
    "a certificate for servers alone": ("dvza", "harness.certificate", harness(usages=[Use.SERVER_AUTH])),
    "a certificate for clients alone": (
        "dvp",
        "harness.certificate",
        minted("harness", "za.harness.test", usages=[Use.CLIENT_AUTH]),
    ),
    "a chain in another order": (
        "dvza",
        "harness.certificate",
        file("pki/harness.pem", lambda data: b"".join([certificates(data)[0], *reversed(certificates(data)[1:])])),
    ),
    "a chain of one": ("dvza", "harness.other.certificate", file("pki/other.pem", lambda data: certificates(data)[0])),
    "an expired authority": ("dvza", "trust.ca", appended("pki/ca.pem", expired_authority)),
    "trust in a node": (
        "dvza",
        "trust.front",
        both(
            text('ca = ["pki/ca.pem"]', 'ca = ["pki/ca.pem"]\nfront = ["pki/leaf.pem"]'),
            lambda place: (
                (place / "pki" / "leaf.pem").write_bytes(certificates((place / "pki" / "reference.pem").read_bytes())[0]) and None
            ),
        ),
    ),
    "an issuer that is none": ("dvza", "pki.issuer", leaf_as_issuer),
    "an expired issuer": ("dvza", "pki.issuer", issuer(not_after=NOW - DAY)),
    "a responder that does not listen": ("dvza", "pki.ocsp_listen", line("ocsp_listen = ", "")),
    "a responder's port that is in use": ("dvza", "pki.ocsp_listen", taken("ocsp_listen")),
    "an address of another machine": ("dvza", "lists.listen", line("listen = ", 'listen = "192.0.2.1:18443"')),
    "a port that is in use": ("dvza", "lists.listen", taken("listen")),
    "DigiD's port that is in use": ("digid", "digid.listen", taken("listen")),
    "one place for two": (
        "dvza",
        "pki.ocsp_listen",
        both(line("listen = ", 'listen = "127.0.0.1:18499"'), line("ocsp_listen = ", 'ocsp_listen = "127.0.0.1:18499"')),
    ),
    "a closed port": ("dvza", FRONT, unreachable()),
    "a host without an address": (
        "dvza",
        FRONT,
        line('"za.reference.test:443"', '"za.reference.test:443" = "no-such-host.invalid:443"'),
    ),
    "a server without TLS": (
        "dvza",
        "offer[1].authorization_endpoint",
        served(lambda stream: stream.sendall(b"HTTP/1.1 400 No\r\n\r\n")),
    ),
    "a server that hangs up": ("dvza", "offer[1].authorization_endpoint", served(lambda stream: stream.recv(10))),
    "a server of another name": ("dvza", "offer[1].authorization_endpoint", tls("other")),
    "a gateway of another authority": (
        "dvza",
        "trust.ca",
        lambda place: (place / "pki" / "ca.pem").write_bytes(pki.hierarchy("STRANGE").root.certificate_pem) and None,
    ),
    "a gateway that does not know us": (
        "dvza",
        "harness.certificate",
        lambda place: pki.hierarchy("STRANGE").tsp.issue("pgo.harness.test").write(place / "pki", "harness") and None,
    ),
    "an expired certificate of the gateway": (
        "dvza",
        "offer[1].authorization_endpoint",
        both(minted("stale", "za.reference.test", not_after=NOW - DAY), tls("stale", LOGIN_PAGE)),
    ),
    "a certificate of the gateway that begins tomorrow": (
        "dvza",
        "offer[1].authorization_endpoint",
        both(minted("early", "za.reference.test", not_before=NOW + DAY), tls("early", LOGIN_PAGE)),
    ),
    "an expired certificate of the gateway's back channel": (
        "dvza",
        "offer[1].token_endpoint",
        both(minted("stale", "za.reference.test", not_after=NOW - DAY), tls("stale", LOGIN_PAGE, 8443)),
    ),
    "a back channel that closes during the handshake": ("dvza", "offer[1].token_endpoint", served(lambda s: s.recv(10), 8443)),
    "a back channel that closes after the handshake": ("dvza", "offer[1].token_endpoint", tls("reference", b"", 8443)),
    "a back channel that resets": ("dvza", "offer[1].token_endpoint", served(_reset, 8443)),
    "a back channel that has an internal error": ("dvza", "offer[1].token_endpoint", alert(80)),
    "a back channel with other versions of TLS": ("dvza", "offer[1].token_endpoint", alert(70)),
    "a back channel that does not know our authority": ("dvza", "harness.certificate", alert(48)),
    "a back channel that finds our certificate bad": ("dvza", "harness.certificate", alert(42)),
    "a back channel that finds our certificate revoked": ("dvza", "harness.certificate", alert(44)),
    "a back channel that denies us access": ("dvza", "harness.certificate", alert(49)),
    "a back channel that wants a certificate": ("dvza", "harness.certificate", both(without_our_certificate(), alert(116))),
    "a back channel that hangs up on nobody": (
        "dvza",
        "offer[1].token_endpoint",
        both(without_our_certificate(), served(lambda stream: stream.recv(10), 8443)),
    ),
    "an expired certificate of the lists": (
        "dvza",
        "lists.certificate",
        minted("stelselnode", "stelselnode.harness.test", not_after=NOW - DAY),
    ),
    "lists that their generation cannot express": (
        "dvza",
        "lists.generation",
        both(
            line("[lists]", '[lists]\ngeneration = "metamodel"'),
            text('resource_endpoint = "https://za.reference.test:8443', 'resource_endpoint = "https://elsewhere.reference.test'),
        ),
    ),
    "lists of no generation": ("dvza", "lists.generation", line("[lists]", '[lists]\ngeneration = "3.0"')),
    "a key that is too short": ("dvza", "harness.certificate", harness(key="rsa1024")),
    "a server that never answers": ("dvza", "offer[1].authorization_endpoint", served(_wait_for_the_end)),
    "redirects without end": (
        "dvza",
        "offer[1]",
        tls("reference", b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    ),
    "no HTTP": ("dvza", "offer[1].authorization_endpoint", tls("reference", b"220 mail ESMTP\r\n")),
    "a clock that is an hour late": ("dvza", "target", tls("reference", PAGE % (len(LOGIN), b"Date: %s\r\n" % LATE, LOGIN))),
    "a clock that is an hour early": ("dvza", "target", tls("reference", PAGE % (len(LOGIN), b"Date: %s\r\n" % EARLY, LOGIN))),
    "a person who is sent back at once": (
        "dvza",
        "offer[1]",
        tls(
            "reference",
            b"HTTP/1.1 302 Found\r\nLocation: https://pgo.harness.test/cb?error=server_error\r\nContent-Length: 0\r\n\r\n",
        ),
    ),
    "a front channel that refuses the handshake": ("dvza", "offer[1].authorization_endpoint", alert(80, 443)),
    "an authority in place of our certificate": ("dvza", "harness.certificate", issuer_as_leaf),
    "an issuer that may not sign": (
        "dvza",
        "pki.issuer",
        issuer(extensions=[x509.Extension(LISTS_ALONE.oid, True, LISTS_ALONE)]),
    ),
    "a page without a form": ("dvza", "user_agent.action", tls("reference", PAGE % (5, b"", b"hello"))),
    "a gateway that sends people elsewhere": (
        "dvza",
        "connect",
        tls("reference", b"HTTP/1.1 302 Found\r\nLocation: https://inloggen.example.test/\r\nContent-Length: 0\r\n\r\n"),
    ),
    "an offer that the gateway does not know": (
        "dvza",
        "offer[1]",
        text('scope_template = "{gegevensdienst}"', 'scope_template = "x{gegevensdienst}"'),
    ),
    "a client that the gateway does not know": (
        "dvza",
        "offer[1]",
        text('name = "Harnas PGO"', 'name = "Harnas PGO"\nclient_id = "pgo-4711"'),
    ),
    "a selector that is none": ("dvza", "user_agent.action[1].page", text('page = "form#login"', 'page = "form#["')),
    "a button that is none": (
        "dvza",
        "user_agent.action[3].press",
        text('press = "button[value=grant]"', 'press = "button[[value=grant]"'),
    ),
    "a selector that fits no page": (
        "dvza",
        "user_agent.action",
        text('page = "form#login"', 'page = "form#inloggen"', every=True),
    ),
    "no way to consent": ("dvza", "user_agent.action", text('intent = "give consent"', 'intent = "refuse consent"')),
    "an outcome that is no selector": ("dvp", "outcome.collected", text("css:.collected", "css:.collected[")),
    "nobody to collect": ("dvza", "persons.available", line("available = ", "")),
    "a number that is no BSN": ("dvza", "persons.young.bsn", text('"999990056"', '"123456789"')),
    "a person without a number": ("dvza", "persons.young.bsn", text('young = { bsn = "999990056" }', 'young = { name = "Jip" }')),
    "a redirect URI elsewhere": (
        "dvza",
        "harness.redirect_uri",
        text('name = "Harnas PGO"', 'name = "Harnas PGO"\nredirect_uri = "https://elsewhere.reference.test/cb"'),
    ),
    "a program that is not there": ("dvza", "hooks.clock", line("clock = ", 'clock = { command = ["no-such-program"] }')),
    "a program that may not be run": ("dvza", "hooks.clock", line("clock = ", 'clock = { command = ["./consent.txt"] }')),
    "a start that is no program": (
        "dvp",
        "start.command",
        both(line("mode = ", 'mode = "command"\ncommand = ["./no-such"]'), line("url = ", "")),
    ),
    "a hook at which nobody answers": ("dvza", "hooks.clock", line("clock = ", 'clock = { http = "http://127.0.0.1:1/clock" }')),
    "an edition that there is not": ("dvza", "tls.edition", appended("target.toml", lambda: b'\n[tls]\nedition = "ncsc-1999"\n')),
    "metadata that are none": ("digid", "digid.sp_metadata", file("sp-metadata.xml", lambda _: b"<html/>")),
}

FURTHER = {
    # what follows from a fault and is told as well: fault -> the other fields
    "the role of a PGO": {"start", "outcome"},
    "a redirect URI elsewhere": {"offer[1]"},
    "a gateway of another authority": {
        "trust.front",
        "harness.certificate",
        "harness.other.certificate",
        "harness.unlisted.certificate",
        "lists.certificate",
    },
}


@pytest.mark.parametrize("name", ["dvza", "digid", "dvp", "registratie"])
def test_a_sound_target_has_no_fault(corpus: Corpus, name: str) -> None:
    """The references' own target files: nothing stands in the way."""
    assert corpus.found(name) == []


@pytest.fixture(scope="module")
def findings(corpus: Corpus) -> Mapping[str, list[Fault]]:
    """What is found for each planted fault."""
    found = {}
    for name, (kind, _, plant) in FAULTS.items():
        try:
            found[name] = corpus.found(kind, plant)
        finally:
            while _OPEN:
                _OPEN.pop().close()
    return found


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found_under_its_field(findings: Mapping[str, list[Fault]], name: str) -> None:
    """It is told with what was expected, and nothing is told besides."""
    found = findings[name]
    assert {fault.field for fault in found} - FURTHER.get(name, set()) == {FAULTS[name][1]}, [
        fault.lines(Path("target.toml")) for fault in found
    ]
    assert all(fault.problem and fault.expected for fault in found)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_names_a_command_that_a_shell_can_run(findings: Mapping[str, list[Fault]], name: str) -> None:
    """It can be read by a shell, and begins with a program that is named on the page."""
    programs = re.findall(r"`([a-z0-9-]+)`", _section("With which you see the same"))
    for fault in findings[name]:
        assert fault.command, fault.lines(Path("target.toml"))
        assert fault.command.split()[0] in programs, fault.command
        assert subprocess.run(["sh", "-n", "-c", fault.command], capture_output=True, check=False).returncode == 0, fault.command


def test_the_figures_of_the_corpus(findings: Mapping[str, list[Fault]], capsys: pytest.CaptureFixture[str]) -> None:
    """How many faults there are, and how many of them are found and told alone; at least forty kinds."""
    fields = {name: {fault.field for fault in found} for name, found in findings.items()}
    right = sum(field in fields[name] for name, (_, field, _) in FAULTS.items())
    told = sum(len(fields[name] - FURTHER.get(name, set())) for name in FAULTS)
    with capsys.disabled():
        print(f"\n{len(FAULTS)} faults planted: recall {right / len(FAULTS):.2f}, precision {right / told:.2f}", end=" ")
    assert len(FAULTS) >= 40
    assert right == told == len(FAULTS)


def test_five_seconds_are_enough(corpus: Corpus) -> None:
    """Endpoints and hooks behind a firewall that drops packets cost three seconds together, not each."""
    nowhere = "127.0.0.1"
    full = socket.create_server((nowhere, 0), backlog=0)
    waiting = [socket.create_connection(full.getsockname()[:2]) for _ in range(1)]
    port = full.getsockname()[1]

    def plant(place: Path) -> None:
        for name in ("za.reference.test:443", "za.reference.test:8443", "elsewhere.reference.test:443"):
            line(f'"{name}" = ', f'"{name}" = "{nowhere}:{port}"')(place)
        for name in ("clock", "log", "source_up", "source_down"):
            line(f"{name} = ", f'{name} = {{ http = "http://{nowhere}:{port}/{name}" }}')(place)

    began = time.monotonic()
    found = corpus.found("dvza", plant)
    took = time.monotonic() - began
    for each in (*waiting, full):
        each.close()
    assert found
    assert took < 6  # with reading the target file, on a busy machine


def test_a_hook_with_an_ipv6_address_has_its_place_in_the_network(corpus: Corpus, medmij: Any) -> None:
    """Host and port are read as in any other address."""
    place = corpus.copy("dvza")
    line("clock = ", 'clock = { http = "http://[::1]:9001/clock" }')(place)
    rows = json.loads(medmij("check", place / "target.toml", "--network", "--json").stdout)
    assert ("::1", 9001) in {(row["to"], row["port"]) for row in rows}


# --- the page ---


def _section(heading: str) -> str:
    """What stands under a heading of the page."""
    page = (Path(__file__).parents[1] / "docs" / "preflight.md").read_text(encoding="utf-8")
    return page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def kinds() -> set[str]:
    """What the code can say is wrong, with … for what differs: the second argument of every ``Fault``.

    Only what comes whole from elsewhere is left out: that has no words here.
    """
    found: set[str] = set()
    for path in (Path(__file__).parents[1] / "medmij_conformance" / "preflight").glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef):
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Fault":
                        found |= _texts(call.args[1], function)
    return found - {"…"}


def _texts(node: ast.AST, function: ast.FunctionDef) -> set[str]:
    match node:
        case ast.Constant():
            return {str(node.value)}
        case ast.IfExp():
            return _texts(node.body, function) | _texts(node.orelse, function)
        case ast.JoinedStr():
            parts = [_texts(part.value if isinstance(part, ast.FormattedValue) else part, function) for part in node.values]
            return {"".join(words) for words in itertools.product(*parts)}
        case ast.Name():
            return _assigned(node.id, function) or {"…"}
    return {"…"}


def _assigned(name: str, function: ast.FunctionDef) -> set[str]:
    """The texts that a name is given in a function, alone or as one of several."""
    found: set[str] = set()
    for statement in ast.walk(function):
        for target in statement.targets if isinstance(statement, ast.Assign) else ():
            if isinstance(target, ast.Name) and target.id == name:
                found |= _texts(statement.value, function)
            names = [each.id for each in target.elts if isinstance(each, ast.Name)] if isinstance(target, ast.Tuple) else []
            if name in names:
                rows = [row for row in ast.walk(statement.value) if isinstance(row, ast.Tuple) and len(row.elts) == len(names)]
                found |= {text for row in rows for text in _texts(row.elts[names.index(name)], function)}
    return found


def test_the_page_lists_every_fault_that_can_be_told_and_no_other() -> None:
    """In the words of the code, once each."""
    listed = re.findall(r"^\* `(.+)`$", _section("What it can say"), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == kinds()


# What cannot be made here without another machine, another user or another installation.
NOT_PLANTED = {
    "Playwright is not installed",
    "… cannot be listened on: …",
    "… cannot be reached: …",
    "… may not be listened on by this user",
}


def test_every_fault_that_can_be_told_is_planted(findings: Mapping[str, list[Fault]]) -> None:
    """But for those that need other surroundings, and the firewall, which has a test of its own."""
    told = {fault.problem for found in findings.values() for fault in found}
    patterns = {text: ".*".join(map(re.escape, text.split("…"))) for text in kinds()}
    missing = {text for text, pattern in patterns.items() if not any(re.fullmatch(pattern, problem) for problem in told)}
    assert missing - {"… does not answer within … s, as behind a firewall"} == NOT_PLANTED


def test_the_page_tells_how_many_faults_are_planted() -> None:
    """The figure is that of this file."""
    page = (Path(__file__).parents[1] / "docs" / "preflight.md").read_text(encoding="utf-8")
    assert f"The tests plant {len(FAULTS)} faults into target files that work" in page


# --- the command line ---


def test_check_says_what_hinders_and_how_to_see_it(corpus: Corpus, medmij: Any) -> None:
    """Exit 2 with the field, what was expected and a command; a sound target exits 0."""
    place = corpus.copy("dvza")
    sound = medmij("check", place / "target.toml")
    assert (sound.returncode, sound.stdout) == (0, "nothing stands in the way of a run\n")
    unreachable()(place)
    done = medmij("check", place / "target.toml")
    assert done.returncode == 2
    assert f"error: {place / 'target.toml'}: {FRONT}: 127.0.0.1:1 refuses connections; expected the gateway" in done.stderr
    assert "see: nc -vz 127.0.0.1 1" in done.stderr
    assert done.stdout == "1 errors, 0 warnings\n"
    told = json.loads(medmij("check", place / "target.toml", "--json").stdout)
    assert [(fault["field"], fault["hinders"]) for fault in told] == [(FRONT, True)]


def test_a_run_that_makes_no_sense_does_not_begin(corpus: Corpus, medmij: Any) -> None:
    """An expired certificate of ours: exit 2 and no report, until somebody insists."""
    place = corpus.copy("dvza")
    harness(not_after=NOW - DAY)(place)
    report = place / "report"
    done = medmij("run", place / "target.toml", "--quiet", "--report-dir", report, "--only", "TV.1")
    assert done.returncode == 2
    assert f"error: {place / 'target.toml'}: harness.certificate: " in done.stderr
    assert not (report / "results.json").exists()
    done = medmij("run", place / "target.toml", "--quiet", "--no-check", "--report-dir", report, "--only", "TV.1")
    assert done.returncode != 2
    assert (report / "results.json").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "digid",
            {"offer[1].authorization_endpoint", "offer[1].token_endpoint", "digid.listen", "digid.listen_back", "lists.listen"},
        ),
        ("dvp", {"start.url", "harness.listen", "harness.listen_back", "lists.listen", "pki.ocsp_listen"}),
        ("registratie", {"registratie.zal_url", "pki.ocsp_listen"}),
    ],
)
def test_the_network_of_a_run(corpus: Corpus, medmij: Any, name: str, expected: set[str]) -> None:
    """Who dials whom, at which port and what for."""
    done = medmij("check", corpus.folder / name / "target.toml", "--network", "--json")
    rows = json.loads(done.stdout)
    assert expected <= {row["field"] for row in rows}
    assert all(row["dials"] and row["to"] and row["port"] and row["purpose"] for row in rows)
    assert "from " in medmij("check", corpus.folder / name / "target.toml", "--network").stdout
