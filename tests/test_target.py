"""The target file: what is read, what is filled in, and how each fault is told."""

import datetime
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from medmij_conformance import target as model
from medmij_conformance.target import Hook, Target, TargetError, load, problems

PASSWORD = "not a real password"

EXAMPLE = """\
[target]
name = "Proefkliniek ZA Gateway"
role = "dvza"
release = "1.0"
scope_template = "{gegevensdienst}"

[[offer]]
zorgaanbieder = "proefkliniek@medmij"
gegevensdienst = "1"
service = "bgz"
authorization_endpoint = "https://za.example.nl/oauth/authorize"
token_endpoint = "https://za.example.nl/oauth/token"
resource_endpoint = "https://za.example.nl/fhir"

[connect]
"za.example.nl:443" = "127.0.0.1:8443"

[trust]
ca = ["pki/ca.pem"]

[harness]
hostname = "pgo.harness.test"
certificate = "pki/harness.pem"
key = "pki/harness.key"
redirect_uri = "https://pgo.harness.test/cb"
listen = "127.0.0.1:8444"

[harness.other]
hostname = "other.harness.test"
certificate = "pki/other.pem"
key = "pki/other.key"

[pki]
issuer = "pki/issuer.pem"
issuer_key = "pki/issuer.key"
ocsp_url = "http://ocsp.harness.test:8447"
ocsp_listen = "127.0.0.1:8447"

[persons]
available = { bsn = "999990019" }
unavailable = { bsn = "999990020" }
undeliverable = { bsn = "999990032" }
unknown = { bsn = "999990044" }

[login]
mode = "form"
hosts = []

[user_agent]
engine = "html"

[[user_agent.action]]
intent = "log in"
page = "form#login"
fill = { bsn = "{bsn}" }
press = "button[value=login]"

[consent]

[gateway]
hostname = "pgo.example.nl"
redirect_uri = "https://pgo.example.nl/cb"

[start]
mode = "http"
url = "https://pgo.example.nl/start?zorgaanbieder={zorgaanbieder}&gegevensdienst={gegevensdienst}"

[outcome]
collected = "Collected"
failed = "Collecting failed"

[lists]
generation = "1.0"

[registratie]

[limits]

[hooks]
source_down = { command = ["./source", "down"] }
"""

DVP = (
    EXAMPLE.replace('role = "dvza"', 'role = "dvp"')
    .replace("za.example.nl:443", "pgo.example.nl:443")
    .replace("pgo.harness.test", "za.harness.test")
)

REGISTRATIE = """\
[target]
name = "Proefregistratie"
role = "registratie"

[connect]
"lists.example.nl:443" = "[::1]:8443"

[trust]
ca = ["pki/ca.pem"]

[registratie]
zal_url = "https://lists.example.nl/zal"
whitelist_url = "https://lists.example.nl/whitelist"
"""

EVERY_KEY = """\
[target]
name = "Proefkliniek"
vendor = "V"
product = "P"
version = "2"
commit = "c0ffee"
environment = "test"
xis = "X"
xis_version = "3"
role = "dvza"

[[offer]]
zorgaanbieder = "proefkliniek@medmij"
gegevensdienst = "1"
display_name = "Kliniek"
gegevensdienst_name = "Basis"
systeemrol = "S-1"
release = "1.1"
authorization_endpoint = "https://za.example.nl:444/a?b=c"
token_endpoint = "https://10.0.0.1/t"
resource_endpoint = "https://localhost/"

[connect]
"za.example.nl:444" = "[::1]:8443"
"10.0.0.1:443" = "10.0.0.1:443"
"localhost:443" = "localhost:8443"

[trust]
ca = ["pki/ca.pem", "pki/issuer.pem"]
front = "system"

[harness]
name = "Proef"
client_id = "c"
listen = "[::]:0"
listen_back = "0.0.0.0:8445"
advertise = "host.test:8444"

[harness.unlisted]
name = "Niemand"

[persons]
young = { bsn = "999990056", pin = "" }
no_relation = [{ user = "nova" }]

[login]
mode = "digid"
hosts = ["login.example.nl"]

[digid]
entity_id = "urn:digid"
host = "digid.test.nl"
back_host = "was.test.nl"
listen = "127.0.0.1:0"
listen_back = "127.0.0.1:0"
level = "midden"
certificate = "pki/harness.pem"
key = "pki/harness.key"
signing_certificate = "pki/other.pem"
signing_key = "pki/other.key"
sp_metadata = "pki/empty"

[[user_agent.action]]
intent = "give consent"
page = "#consent"
check = ["#yes"]
select = { "#who" = "{user}" }

[consent]
text = "pki/empty"
full_text_url = "https://x.nl/t"
purpose = ["a", "b"]

[start]
mode = "command"
command = ["./start", "{zorgaanbieder}"]

[outcome]
collected = "Collected"
refused = "css:.refused"
wait_s = 5
url = "https://pgo.example.nl/"

[registratie]
ocl_url = "https://lists.example.nl/ocl"

[limits]
samples = 50
pace_ms = 5
exchange_s = 1
scenario_s = 2.5
run_s = 900
load = true
body_bytes = 1000
redirects = 1

[hooks]
clock = "operator"
log = { http = "http://127.0.0.1:9/log" }

[tls]
edition = "ncsc-2025"

[not_applicable]
"APP.1" = "no such page"
"""

Write = Callable[..., Path]


def certificate(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """A self-signed throw-away certificate."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(hours=1))
    return builder.sign(key, hashes.SHA256())


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with certificates and keys that fit, and some that do not."""
    folder = tmp_path_factory.mktemp("files") / "pki"
    folder.mkdir()
    locked = BestAvailableEncryption(PASSWORD.encode())

    def pem(key: ec.EllipticCurvePrivateKey, encryption: KeySerializationEncryption) -> bytes:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)

    made = {}
    for name in ("ca", "harness", "other", "issuer"):
        key = ec.generate_private_key(ec.SECP256R1())
        made[name] = certificate(name, key), key
        (folder / f"{name}.pem").write_bytes(made[name][0].public_bytes(Encoding.PEM))
        (folder / f"{name}.key").write_bytes(pem(key, NoEncryption()))
    own, key = made["harness"]
    (folder / "locked.key").write_bytes(pem(key, locked))
    (folder / "wrong-order.pem").write_bytes(b"".join(made[n][0].public_bytes(Encoding.PEM) for n in ("ca", "harness")))
    (folder / "harness.p12").write_bytes(pkcs12.serialize_key_and_certificates(b"", key, own, [made["ca"][0]], locked))
    (folder / "open.p12").write_bytes(pkcs12.serialize_key_and_certificates(b"", key, own, None, NoEncryption()))
    (folder / "no-key.p12").write_bytes(pkcs12.serialize_key_and_certificates(b"", None, own, None, locked))
    (folder / "junk.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture
def write(pki: Path) -> Write:
    """Writes a target file beside the ``pki`` folder: a text with (old, new) replacements, each of which must apply."""

    def write(text: str = EXAMPLE, *changes: tuple[str, str]) -> Path:
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = pki.parent / "target.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


# --- what is read ---


def test_the_documented_example_is_a_valid_target_file(write: Write, pki: Path) -> None:
    """Every table of the documented example is read into the attribute of its name."""
    path = write()
    assert problems(path) == []
    target = load(path)
    assert (target.about.name, target.about.role, target.about.release) == ("Proefkliniek ZA Gateway", "dvza", "1.0")
    assert target.offers[0].token_endpoint == "https://za.example.nl/oauth/token"
    assert target.connect == {"za.example.nl:443": "127.0.0.1:8443"}
    assert target.trust.ca == (pki / "ca.pem",)
    assert target.harness.certificate == pki / "harness.pem"
    assert target.harness.listen == "127.0.0.1:8444"
    assert target.harness.other is not None
    assert target.harness.other.key == pki / "other.key"
    assert target.pki.ocsp_listen == "127.0.0.1:8447"
    assert target.persons["unknown"] == ({"bsn": "999990044"},)
    assert target.user_agent.actions[0].fill == {"bsn": "{bsn}"}
    assert target.user_agent.actions[0].press == "button[value=login]"
    assert target.gateway is not None
    assert target.gateway.hostname == "pgo.example.nl"
    assert target.start is not None
    assert target.start.mode == "http"
    assert target.outcome is not None
    assert target.outcome.texts == {"collected": "Collected", "failed": "Collecting failed"}
    assert target.hooks == {"source_down": Hook(kind="command", value=("./source", "down"))}
    assert target.path == path.absolute()
    assert target.fingerprint == hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_documented_extra_key_is_read(write: Write, pki: Path) -> None:
    """The keys that the example only names in its comments are read too."""
    path = write(EVERY_KEY)
    target = load(path)
    assert (target.about.xis_version, target.about.commit) == ("3", "c0ffee")
    assert (target.offers[0].systeemrol, target.offers[0].release) == ("S-1", "1.1")
    assert target.trust.front == "system"
    assert (target.harness.client_id, target.harness.advertise) == ("c", "host.test:8444")
    assert target.harness.unlisted is not None
    assert target.harness.unlisted.name == "Niemand"
    assert target.persons["young"] == ({"bsn": "999990056", "pin": ""},)
    assert target.login.hosts == ("login.example.nl",)
    assert target.digid is not None
    assert target.digid.entity_id == "urn:digid"
    assert target.digid.credential() != target.digid.signing_credential()
    assert target.user_agent.actions[0].check == ("#yes",)
    assert target.user_agent.actions[0].select == {"#who": "{user}"}
    assert target.consent.text == pki / "empty"
    assert target.consent.purpose == ("a", "b")
    assert target.start is not None
    assert target.start.command == ("./start", "{zorgaanbieder}")
    assert target.outcome is not None
    assert target.outcome.texts == {"collected": "Collected", "refused": "css:.refused"}
    assert (target.outcome.wait_s, target.outcome.failed) == (5.0, None)
    assert target.registratie.ocl_url == "https://lists.example.nl/ocl"
    assert (target.limits.samples, target.limits.run_s, target.limits.load) == (50, 900.0, True)
    assert target.tls.edition == "ncsc-2025"
    assert target.not_applicable == {"APP.1": "no such page"}
    assert target.hooks["clock"] == Hook(kind="operator", value="")
    assert target.hooks["log"] == Hook(kind="http", value="http://127.0.0.1:9/log")


@pytest.mark.parametrize("text", [DVP, REGISTRATIE])
def test_the_other_roles_have_valid_files_too(write: Write, text: str) -> None:
    """A file for the role dvp and one for registratie load without a fault."""
    assert problems(write(text)) == []


def test_defaults_are_filled(write: Write, pki: Path) -> None:
    """What the file leaves out and can be known has its documented default."""
    target = load(write(REGISTRATIE))
    assert (target.about.release, target.about.scope_template) == ("1.0", "{gegevensdienst}")
    assert target.trust.front == target.trust.ca == (pki / "ca.pem",)
    limits = target.limits
    assert (limits.samples, limits.pace_ms, limits.exchange_s, limits.scenario_s) == (20, 0, 20.0, 60.0)
    assert (limits.run_s, limits.load, limits.body_bytes, limits.redirects) == (None, False, 5_000_000, 20)
    assert (target.login.mode, target.user_agent.engine, target.lists.generation) == ("form", "html", "1.0")
    assert target.tls.edition == "ncsc-2014"
    assert (target.gateway, target.start, target.outcome, target.digid) == (None, None, None, None)
    assert (target.offers, target.persons, target.hooks, target.not_applicable) == ((), {}, {}, {})


@pytest.mark.parametrize(
    ("text", "hostname"),
    [(EXAMPLE, "pgo.harness.test"), (DVP, "za.harness.test"), (REGISTRATIE + "[harness]", "pgo.harness.test")],
)
def test_the_harness_has_a_name_by_role(write: Write, text: str, hostname: str) -> None:
    """Without hostname the harness is a PGO towards a dvza and a ZA towards a dvp, and its other names follow."""
    old = f'hostname = "{hostname}"\n'
    harness = load(write(text.replace(old, "").replace(f'redirect_uri = "https://{hostname}/cb"\n', ""))).harness
    assert (harness.hostname, harness.name, harness.client_id) == (hostname, hostname, hostname)
    assert harness.redirect_uri == f"https://{hostname}/cb"


OFFERS = """
[[offer]]
zorgaanbieder = "proefkliniek@medmij"
gegevensdienst = "7"
token_endpoint = "https://za.harness.test:9/other"
[[offer]]
zorgaanbieder = "testhuisarts@medmij"
gegevensdienst = "1"
node = "other"
"""


def test_what_we_offer_a_pgo_has_addresses_of_ours(write: Write) -> None:
    """Offers stand at the listeners of their node, unless the file gives an address of its own."""
    listen = ('listen = "127.0.0.1:8444"', 'listen = "127.0.0.1:8444"\nlisten_back = "127.0.0.1:8445"')
    seventh, first = load(write(DVP + OFFERS, listen)).offers[-2:]
    assert seventh.authorization_endpoint == "https://za.harness.test:8444/proefkliniek/7/authorize"
    assert seventh.token_endpoint == "https://za.harness.test:9/other"
    assert seventh.resource_endpoint == "https://za.harness.test:8445/proefkliniek/7/fhir"
    assert first.token_endpoint == "https://other.harness.test:8445/testhuisarts/1/token"


def test_we_listen_under_a_certificate_and_for_nodes_that_exist(write: Write) -> None:
    """Towards a PGO a node needs its certificate, and an offer of the other node needs that node."""
    other = 'hostname = "other.harness.test"\ncertificate = "pki/other.pem"\nkey = "pki/other.key"\n'
    assert [fault.field for fault in problems(write(DVP + OFFERS, (other, 'hostname = "other.harness.test"\n')))] == [
        "harness.other.certificate"
    ]
    number = len(load(write(DVP + OFFERS)).offers)
    absent = problems(write(DVP + OFFERS, (f"[harness.other]\n{other}", "")))
    assert [fault.field for fault in absent] == [f"offer[{number}].node"]


def test_the_second_nodes_have_names_of_their_own(write: Write) -> None:
    """An empty table for the other or the unlisted node gets a host name of its own and no certificate."""
    changes = ('hostname = "other.harness.test"\ncertificate = "pki/other.pem"\nkey = "pki/other.key"\n', "")
    harness = load(write(EXAMPLE, changes, ("[pki]", "[harness.unlisted]\n[pki]"))).harness
    assert harness.other is not None
    assert harness.unlisted is not None
    assert (harness.other.client_id, harness.unlisted.client_id) == ("other.harness.test", "unlisted.harness.test")
    assert harness.unlisted.redirect_uri == "https://unlisted.harness.test/cb"
    assert harness.unlisted.credential() is None


def test_nothing_is_known_of_a_node_that_has_no_table(write: Write) -> None:
    """Without their tables there is no other and no unlisted node."""
    harness = load(write(REGISTRATIE)).harness
    assert (harness.other, harness.unlisted) == (None, None)


@pytest.mark.parametrize(
    ("code", "service"),
    [
        ("1", "bgz"), ("2", "bgz"), ("3", "medicatieoverzicht"), ("5", "medicatiegegevens"), ("7", "lab"),
        ("9", "vitals"), ("11", "documenten"), ("13", "afspraken"), ("14", "afspraken"),
    ],
)  # fmt: skip
def test_the_code_tells_the_service(write: Write, code: str, service: str) -> None:
    """An odd code stands for a service, and the even one after it for the same."""
    changes = (('gegevensdienst = "1"', f'gegevensdienst = "{code}"'), ('service = "bgz"\n', ""))
    assert load(write(EXAMPLE, *changes)).offers[0].service == service


@pytest.mark.parametrize(
    ("template", "scope"),
    [
        ("{gegevensdienst}", "1"),
        ("{zorgaanbieder_name}~{gegevensdienst}", "proefkliniek~1"),
        ("x/{zorgaanbieder}", "x/proefkliniek@medmij"),
    ],
)
def test_a_scope_is_made_from_the_template(write: Write, template: str, scope: str) -> None:
    """The placeholders of scope_template are filled from the offer."""
    target = load(write(EXAMPLE, ('scope_template = "{gegevensdienst}"', f'scope_template = "{template}"')))
    assert target.scope(target.offers[0]) == scope


def test_an_offer_can_have_a_scope_of_its_own(write: Write) -> None:
    """The scope of an offer goes before the template and is taken literally."""
    target = load(write(EXAMPLE, ('service = "bgz"', 'scope = "{as} is"')))
    assert target.scope(target.offers[0]) == "{as} is"


def test_any_string_can_come_from_the_environment(write: Write) -> None:
    """A table with the one key env is replaced by that variable, as it is, wherever a string may stand."""
    path = write(
        EXAMPLE,
        ('name = "Proefkliniek ZA Gateway"', 'name = { env = "NAME" }'),
        ('ca = ["pki/ca.pem"]', 'ca = [{ env = "CA" }]'),
        ('{ bsn = "999990019" }', '{ bsn = { env = "BSN" } }'),
        ('"127.0.0.1:8443"', '{ env = "ADDRESS" }'),
        ('role = "dvza"', 'role = { env = "ROLE" }'),
    )
    environ = {"NAME": " {as} is ", "CA": "pki/ca.pem", "BSN": "999990019", "ADDRESS": "[::1]:1", "ROLE": "dvza"}
    target = load(path, environ)
    assert target.about.name == " {as} is "
    assert target.trust.ca[0].is_absolute()
    assert target.persons["available"] == ({"bsn": "999990019"},)
    assert target.connect["za.example.nl:443"] == "[::1]:1"


def test_the_environment_is_that_of_the_process(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument the variables of the process are used."""
    monkeypatch.setenv("WHO_IS_TESTED", "from the process")
    path = write(EXAMPLE, ('name = "Proefkliniek ZA Gateway"', 'name = { env = "WHO_IS_TESTED" }'))
    assert load(path).about.name == "from the process"


def test_a_value_from_the_environment_is_not_shown(write: Write) -> None:
    """The message about a variable that does not fit names it and keeps its value to itself."""
    path = write(EXAMPLE, ('role = "dvza"', 'role = { env = "ROLE" }'))
    (error,) = problems(path, {"ROLE": "s3cret"})
    assert "environment variable ROLE" in str(error)
    assert "s3cret" not in str(error)


def test_persons_can_be_several(write: Write) -> None:
    """A table is one person, a list of tables several, and a number behind the name makes a further one."""
    persons = 'available = [{ bsn = "999990019" }, { user = "roos", pin = "1" }]\navailable_2 = { user = "r2" }'
    target = load(write(EXAMPLE, ('available = { bsn = "999990019" }', persons)))
    assert target.persons["available"] == ({"bsn": "999990019"}, {"user": "roos", "pin": "1"})
    assert target.persons["available_2"] == ({"user": "r2"},)


def test_connect_keys_are_in_lower_case(write: Write) -> None:
    """Host names of [connect] and of endpoints compare without regard to case, and a port counts."""
    changes = (('"za.example.nl:443"', '"ZA.example.NL:8443"'),)
    text = EXAMPLE.replace("https://za.example.nl/", "https://Za.Example.nl:8443/")
    assert load(write(text, *changes)).connect == {"za.example.nl:8443": "127.0.0.1:8443"}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ZA.example.nl/x", "za.example.nl:443"),
        ("http://za.example.nl", "za.example.nl:80"),
        ("https://[::1]:8443/", "[::1]:8443"),
    ],
)
def test_a_url_has_an_authority(url: str, expected: str) -> None:
    """The authority of a URL is written as a key of [connect]."""
    assert model.authority(url) == expected


def test_a_byte_order_mark_does_no_harm(write: Write) -> None:
    """A file that an editor began with a byte order mark is read."""
    path = write()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert problems(path) == []


def test_a_relative_path_of_the_target_file_is_made_absolute(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths in the file start at its folder, wherever the process stands."""
    path = write()
    monkeypatch.chdir(path.parent / "pki")
    target = load(Path("../target.toml"))
    assert target.harness.key is not None
    assert target.harness.key.samefile(path.parent / "pki" / "harness.key")
    assert target.harness.key.is_absolute()


# --- certificates ---


@pytest.mark.parametrize(
    "lines",
    [
        'certificate = "pki/harness.pem"\nkey = "pki/harness.key"\n',
        f'certificate = "pki/harness.pem"\nkey = "pki/locked.key"\nkey_password = "{PASSWORD}"\n',
        f'certificate = "pki/harness.p12"\nkey_password = "{PASSWORD}"\n',
        'certificate = "pki/open.p12"\n',
    ],
)
def test_a_credential_is_pem_whatever_the_file_was(write: Write, pki: Path, lines: str) -> None:
    """PEM, an encrypted key and PKCS#12 all give the leaf first and an unencrypted key that fits it."""
    path = write(EXAMPLE, ('certificate = "pki/harness.pem"\nkey = "pki/harness.key"\n', lines))
    credential = load(path).harness.credential()
    assert credential is not None
    chain, key = credential
    assert chain.startswith((pki / "harness.pem").read_bytes())
    assert key == (pki / "harness.key").read_bytes()


def test_a_pkcs12_file_brings_its_chain(write: Write, pki: Path) -> None:
    """The other certificates of a PKCS#12 file come after the leaf."""
    lines = f'certificate = "pki/harness.p12"\nkey_password = "{PASSWORD}"\n'
    path = write(EXAMPLE, ('certificate = "pki/harness.pem"\nkey = "pki/harness.key"\n', lines))
    credential = load(path).harness.credential()
    assert credential is not None
    assert credential[0] == (pki / "harness.pem").read_bytes() + (pki / "ca.pem").read_bytes()


def test_an_issuer_has_a_credential(write: Write, pki: Path) -> None:
    """The certificate and key of the issuer are given as those of a node are."""
    credential = load(write()).pki.credential()
    assert credential is not None
    assert credential[0] == (pki / "issuer.pem").read_bytes()
    assert load(write(REGISTRATIE)).pki.credential() is None


def test_a_certificate_that_is_gone_is_told(write: Write, pki: Path) -> None:
    """A credential whose files have changed after loading is a ValueError, not a wrong pair."""
    (pki / "brief.pem").write_bytes((pki / "harness.pem").read_bytes())
    target = load(write(EXAMPLE, ("pki/harness.pem", "pki/brief.pem")))
    (pki / "brief.pem").unlink()
    with pytest.raises(ValueError, match=r"brief\.pem"):
        target.harness.credential()


def test_a_password_is_not_shown(write: Write) -> None:
    """Neither a password nor a BSN is in the repr of a target."""
    lines = f'certificate = "pki/harness.p12"\nkey_password = "{PASSWORD}"\n'
    shown = repr(load(write(EXAMPLE, ('certificate = "pki/harness.pem"\nkey = "pki/harness.key"\n', lines))))
    assert PASSWORD not in shown
    assert "999990019" not in shown


# --- what is wrong ---

NAME = 'name = "Proefkliniek ZA Gateway"'
OWN = 'certificate = "pki/harness.pem"\nkey = "pki/harness.key"'
ENDPOINTS = "\n".join(f'{name} = "https://za.example.nl/{name}"' for name in model.ENDPOINTS)

# the change to the example, then the field, what is wrong and what is expected (a part of each)
FAULTS = [
    # keys
    ('role = "dvza"', 'role = "dvza"\nrol = "x"', "target.rol", "unknown key", 'did you mean "role"?'),
    ("[lists]", "[list]", "list", "unknown key", 'did you mean "lists"?'),
    ("[lists]", "[lists]\ngenerations = 1", "lists.generations", "unknown key", 'did you mean "generation"?'),
    ("[lists]", '[lists]\n"a b\\n" = 1', 'lists."a b\\n"', "unknown key", "one of generation"),
    ("token_endpoint", "token_endpint", "offer[1].token_endpint", "unknown key", '"token_endpoint"?'),
    ("press", "pres", "user_agent.action[1].pres", "unknown key", 'did you mean "press"?'),
    ("source_down", "sourcedown", "hooks.sourcedown", "unknown key", 'did you mean "source_down"?'),
    ("\nunavailable", "\nunavailible", "persons.unavailible", "unknown key", 'did you mean "unavailable"?'),
    ("[harness.other]", "[harness.othr]", "harness.othr", "unknown key", 'did you mean "other"?'),
    # missing
    (NAME, "", "target.name", "missing", "text"),
    ('role = "dvza"', "", "target.role", "missing", "one of dvza, dvp, registratie"),
    ('ca = ["pki/ca.pem"]', "", "trust.ca", "missing", "a list of one or more"),
    ('page = "form#login"', "", "user_agent.action[1].page", "missing", "text"),
    ('collected = "Collected"', "", "outcome.collected", "missing", "text"),
    ('zorgaanbieder = "proefkliniek@medmij"', "", "offer[1].zorgaanbieder", "missing", "@medmij"),
    ('gegevensdienst = "1"\nservice = "bgz"', 'gegevensdienst = "99"', "offer[1].service", "missing", "code 99"),
    ('mode = "http"\nurl', 'mode = "browser"\n# ', "start.url", "missing", "because mode is browser"),
    ('mode = "http"', 'mode = "command"', "start.command", "missing", "because mode is command"),
    ('mode = "form"', 'mode = "digid"', "digid", "missing", "because login.mode is digid"),
    # types
    (NAME, "name = 5", "target.name", "is a number", "text between quotes"),
    (NAME, "name = 1979-05-27", "target.name", "is a date", "text between quotes"),
    (NAME, 'name = " "', "target.name", "is ' '", "text between quotes"),
    ('gegevensdienst = "1"', "gegevensdienst = 1", "offer[1].gegevensdienst", "is a number", "between quotes"),
    ("[limits]", "[limits]\nload = 1", "limits.load", "is a number", "true or false"),
    ("[limits]", "[limits]\nsamples = true", "limits.samples", "is true", "a whole number"),
    ("[limits]", "[limits]\nsamples = 2.5", "limits.samples", "is a number", "a whole number"),
    ("[[offer]]", "[offer]", "offer", "is a table", "[[double brackets]]"),
    ("[consent]", "[[consent]]", "consent", "is a list", "a table"),
    ("[consent]", '[consent]\npurpose = "x"', "consent.purpose", "is 'x'", "a list"),
    ("[consent]", '[consent]\npurpose = ["x", 1]', "consent.purpose[2]", "is a number", "text"),
    ('fill = { bsn = "{bsn}" }', "fill = 1", "user_agent.action[1].fill", "is a number", "a table"),
    ('fill = { bsn = "{bsn}" }', "fill = { bsn = 1 }", "user_agent.action[1].fill.bsn", "is a number", "text"),
    ('press = "button[value=login]"', "press = []", "user_agent.action[1].press", "is a list", "text"),
    ("[registratie]", "[not_applicable]\nAPP = false", "not_applicable.APP", "is false", "text"),
    # enumerations and versions
    ('role = "dvza"', 'role = "dvzaa"', "target.role", "is 'dvzaa'", 'registratie; did you mean "dvza"?'),
    ('service = "bgz"', 'service = "bgs"', "offer[1].service", "is 'bgs'", "one of bgz"),
    ('mode = "form"', 'mode = "from"', "login.mode", "is 'from'", "one of digid, form, operator"),
    ('engine = "html"', 'engine = "firefox"', "user_agent.engine", "is 'firefox'", "one of html, chromium"),
    ('intent = "log in"', 'intent = "login"', "user_agent.action[1].intent", "is 'login'", 'did you mean "log in"?'),
    ('mode = "http"', 'mode = "url"', "start.mode", "is 'url'", "one of http, command, browser, operator"),
    ('generation = "1.0"', 'generation = "2"', "lists.generation", "is '2'", "one of 1.0, 1.1, metamodel"),
    ('release = "1.0"', 'release = "one zero"', "target.release", "is 'one zero'", "a version"),
    ("{gegevensdienst}", "{gegevensdienst", "target.scope_template", "holds '{'", "no placeholder but"),
    ("{gegevensdienst}", "{dienst}", "target.scope_template", "holds '{dienst}'", "but {gegevensdienst}"),
    # addresses and URLs
    ("https://za.example.nl/fhir", "http://za.example.nl/fhir", "offer[1].resource_endpoint", "'http:", "https URL"),
    ("https://za.example.nl/fhir", "/fhir", "offer[1].resource_endpoint", "is '/fhir'", "an absolute https URL"),
    ("https://za.example.nl/fhir", "https:///fhir", "offer[1].resource_endpoint", "'https:///", "a host"),
    ("za.example.nl/fhir", "za.example.nl/fhir#x", "offer[1].resource_endpoint", "#x'", "no fragment"),
    ("za.example.nl/fhir", "za.example.nl:99999/fhir", "offer[1].resource_endpoint", ":99999", "a valid port"),
    ("za.example.nl/fhir", "za.example.nl:x/fhir", "offer[1].resource_endpoint", ":x/", "a valid port"),
    ("za.example.nl/fhir", "za.example.nl/f hir", "offer[1].resource_endpoint", "f hir", "an absolute https URL"),
    ("za.example.nl/fhir", "za_.example.nl/fhir", "offer[1].resource_endpoint", "za_", "an absolute https URL"),
    ("za.example.nl/fhir", "[::1/fhir", "offer[1].resource_endpoint", "[::1", "an absolute https URL"),
    ("https://pgo.harness.test/cb", "http://pgo.harness.test/cb", "harness.redirect_uri", "is 'http:", "https URL"),
    ("https://pgo.example.nl/cb", "pgo.example.nl", "gateway.redirect_uri", "is 'pgo", "an absolute https URL"),
    ("https://pgo.example.nl/start", "ftp://pgo.example.nl/start", "start.url", "is 'ftp:", "https or http URL"),
    ("http://ocsp.harness.test:8447", "ocsp.harness.test", "pki.ocsp_url", "is 'ocsp", "https or http URL"),
    ('"za.example.nl:443"', '"za.example.nl"', 'connect."za.example.nl"', "not an address", 'a key "host:port"'),
    ('"127.0.0.1:8443"', '"127.0.0.1"', 'connect."za.example.nl:443"', "is '127.0.0.1'", '"host:port"'),
    ('"127.0.0.1:8443"', '"::1:8443"', 'connect."za.example.nl:443"', "is '::1:8443'", '"host:port"'),
    ('"127.0.0.1:8443"', '"127.0.0.1:0"', 'connect."za.example.nl:443"', "is '127.0.0.1:0'", '"host:port"'),
    ('"za.example.nl:443"', '"ZA.example.nl:443" = "a:1"\n"za.example.nl:443"',
     'connect."za.example.nl:443"', "upper and in lower case", "one entry"),
    ('listen = "127.0.0.1:8444"', 'listen = "8444"', "harness.listen", "is '8444'", "to listen on"),
    ('listen = "127.0.0.1:8444"', 'listen = "127.0.0.1:65536"', "harness.listen", "65536", "to listen on"),
    ('listen = "127.0.0.1:8444"', 'listen = "1.2.3.256:8444"', "harness.listen", "1.2.3.256", "to listen on"),
    ('hostname = "pgo.harness.test"', 'hostname = "PGO.harness.test"', "harness.hostname", "PGO", "in lower case"),
    ('hostname = "pgo.harness.test"', 'hostname = "pgo"', "harness.hostname", "is 'pgo'", "at least one dot"),
    ('hostname = "pgo.example.nl"', 'hostname = "pgo.example.nl:443"', "gateway.hostname", ":443", "no port"),
    ("hosts = []", 'hosts = ["a.nl", "-b.nl"]', "login.hosts[2]", "is '-b.nl'", "a host name"),
    ('"other.harness.test"', '"pgo.harness.test"', "harness.other.hostname", "another node", "of its own"),
    # what is reached
    ("za.example.nl/oauth/token", "t.example.nl/token", "offer[1].token_endpoint", "t.example.nl:443", "in [connect]"),
    ('"za.example.nl:443"', '"za.example.nl:8443"', "offer[1].authorization_endpoint", "za.example.nl:443",
     'an entry "za.example.nl:443" in [connect]'),
    # persons, hooks, limits
    ('"999990019"', '"999990018"', "persons.available.bsn", "is not a BSN", "elfproef"),
    ('"999990019"', '"99999001"', "persons.available.bsn", "is not a BSN", "nine digits"),
    ('"999990019"', '"000000000"', "persons.available.bsn", "is not a BSN", "elfproef"),
    ('{ bsn = "999990019" }', '[{ a = "" }, { bsn = "1" }]', "persons.available[2].bsn", "is not a BSN", "nine digits"),
    ('{ bsn = "999990019" }', "[]", "persons.available", "is an empty list", "a list of them"),
    ('{ bsn = "999990019" }', "{ bsn = 999990019 }", "persons.available.bsn", "is a number", "text between quotes"),
    ('{ command = ["./source", "down"] }', '"manual"', "hooks.source_down", "is 'manual'", 'or "operator"'),
    ('{ command = ["./source", "down"] }', '{ comand = ["x"] }', "hooks.source_down", "is a table", "{ command ="),
    ('["./source", "down"]', "[]", "hooks.source_down.command", "is an empty list", "one or more"),
    ('["./source", "down"]', '"./source"', "hooks.source_down.command", "is './source'", "a list"),
    ('{ command = ["./source", "down"] }', '{ http = "x" }', "hooks.source_down.http", "is 'x'", "https or http URL"),
    ("[limits]", "[limits]\nsamples = 0", "limits.samples", "is 0", "from 1 to 1000"),
    ("[limits]", "[limits]\npace_ms = -1", "limits.pace_ms", "is -1", "from 0 to"),
    ("[limits]", "[limits]\nexchange_s = nan", "limits.exchange_s", "is nan", "from 0.1 to 600"),
    ("[limits]", "[limits]\nrun_s = inf", "limits.run_s", "is inf", "from 1 to"),
    ("[limits]", "[limits]\nscenario_s = 10", "limits.scenario_s", "is 10.0", "at least exchange_s, which is 20.0"),
    # the environment
    (NAME, 'name = { env = "NO_SUCH" }', "target.name", "variable NO_SUCH is not set", "set"),
    (NAME, "name = { env = 5 }", "target.name", "is a table", "text"),
    # files, certificates and keys
    ('"pki/ca.pem"', '"pki/none.pem"', "trust.ca[1]", "none.pem is not there", "a file"),
    ('"pki/ca.pem"', '"pki"', "trust.ca[1]", "pki is not there or cannot be read", "a file"),
    ('"pki/ca.pem"', '"' + "x" * 300 + '"', "trust.ca[1]", "xxx", "a file"),
    ('"pki/ca.pem"', '"pki/ca.key"', "trust.ca[1]", "ca.key holds no certificate", "PEM certificates"),
    ('"pki/ca.pem"', '"pki/empty"', "trust.ca[1]", "empty holds no certificate", "PEM certificates"),
    ('["pki/ca.pem"]', "[]", "trust.ca", "is an empty list", "one or more"),
    ('["pki/ca.pem"]', '["pki/ca.pem"]\nfront = "os"', "trust.front", "is 'os'", '"system" or a list'),
    ('["pki/ca.pem"]', '["pki/ca.pem"]\nfront = ["pki/junk.pem"]', "trust.front[1]", "junk.pem", "PEM certificates"),
    ("[consent]", '[consent]\ntext = "no.txt"', "consent.text", "no.txt is not there", "a file"),
    ('"pki/harness.pem"', '"pki/junk.pem"', "harness.certificate", "junk.pem", "PEM certificates"),
    ('"pki/harness.key"', '"pki/empty"', "harness.key", "empty cannot be read", "PEM private key"),
    ('"pki/harness.key"', '"pki/other.key"', "harness.key", "other.key", "harness.pem"),
    ('"pki/harness.pem"', '"pki/wrong-order.pem"', "harness.key", "does not fit", "the first"),
    (OWN, 'certificate = "pki/harness.pem"', "harness.key", "missing", "the PEM private key of"),
    (OWN, 'key = "pki/harness.key"', "harness.certificate", "missing", "the certificate of"),
    ('"pki/harness.key"', '"pki/locked.key"', "harness.key_password", "missing", "locked.key"),
    (OWN, OWN + '\nkey_password = "x"', "harness.key_password", "is not encrypted", "no password"),
    ('"pki/harness.key"', '"pki/locked.key"\nkey_password = "x"', "harness.key", "locked.key", "the password opens"),
    (OWN, 'certificate = "pki/harness.p12"\nkey_password = "x"', "harness.certificate", "p12", "the password opens"),
    (OWN, 'certificate = "pki/harness.p12"', "harness.certificate", "harness.p12 cannot be read", "with its password"),
    (OWN, f'certificate = "pki/no-key.p12"\nkey_password = "{PASSWORD}"', "harness.certificate", "lacks", "with both"),
    (OWN, 'certificate = "pki/open.p12"\nkey = "pki/harness.key"', "harness.key", "not PEM", "no key"),
    ('"pki/other.key"', '"pki/harness.key"', "harness.other.key", "does not fit", "other.pem"),
    ('"pki/issuer.key"', '"pki/harness.key"', "pki.issuer_key", "does not fit", "issuer.pem"),
    ("[consent]", '[digid]\nsigning_certificate = "pki/harness.pem"\nsigning_key = "pki/other.key"\n[consent]',
     "digid.signing_key", "does not fit", "harness.pem"),
    # offers
    ("proefkliniek@medmij", "proef kliniek@medmij", "offer[1].zorgaanbieder", "is 'proef kliniek", "@medmij"),
    ("[connect]", f'[[offer]]\nzorgaanbieder = "proefkliniek@medmij"\ngegevensdienst = "1"\n{ENDPOINTS}\n[connect]',
     "offer[2]", "is the same as offer[1]", "one offer"),
    ("[connect]", '[[offer]]\nzorgaanbieder = "a@medmij"\ngegevensdienst = "1"\n'
     + ENDPOINTS.replace("token_endpoint =", "# token_endpoint =") + "\n[connect]",
     "offer[2].token_endpoint", "missing", "because role is dvza"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "field", "problem", "expected"), FAULTS)
def test_a_fault_names_its_field(write: Write, old: str, new: str, field: str, problem: str, expected: str) -> None:
    """One wrong value gives one line with the file, the field, what is wrong and what is expected."""
    path = write(EXAMPLE, (old, new))
    with pytest.raises(TargetError) as caught:
        load(path, {})
    error = next(error for error in problems(path, {}) if error.field == field)
    if error.problem != "missing":  # a misspelt key may leave the right one missing too
        assert str(caught.value) == str(error)
    assert problem in error.problem
    assert expected in error.expected
    assert str(error) == f"{path}: {field}: {error.problem}; expected {error.expected}"
    assert len(str(error).splitlines()) == 1


def test_a_value_from_the_environment_is_checked(write: Write) -> None:
    """A BSN from the environment must pass the elfproef too."""
    path = write(EXAMPLE, ('"999990019"', '{ env = "BSN" }'))
    (error,) = problems(path, {"BSN": "123456789"})
    assert error.field == "persons.available.bsn"


WHOLE = [
    (EXAMPLE, "[[offer]]", "offer", "at least one [[offer]], because role is dvza"),
    (EXAMPLE, "[harness]", "harness", "a table [harness], because role is dvza"),
    (DVP, "[gateway]", "gateway", "a table [gateway], because role is dvp"),
    (DVP, "[start]", "start", "a table [start], because role is dvp"),
    (DVP, "[outcome]", "outcome", "a table [outcome], because role is dvp"),
    (REGISTRATIE, "[registratie]", "registratie.zal_url", "because role is registratie"),
    (EXAMPLE, "[trust]", "trust.ca", "PEM certificates"),
    (EXAMPLE, "[target]", "target.name", "text"),
]


def without(text: str, heading: str) -> str:
    """A target file without the table under ``heading``, nor its sub-tables."""
    tables = text.split("\n\n")
    return "\n\n".join(table for table in tables if not table.startswith((heading, heading.replace("]", "."))))


@pytest.mark.parametrize(("text", "heading", "field", "expected"), WHOLE)
def test_a_role_needs_its_tables(write: Write, text: str, heading: str, field: str, expected: str) -> None:
    """A table that the role cannot do without is missed by name."""
    first = problems(write(without(text, heading)))[0]
    assert (first.field, first.problem) == (field, "missing")
    assert expected in first.expected


@pytest.mark.parametrize(
    ("text", "old", "new", "field"),
    [
        (DVP, "pgo.example.nl/start", "start.example.nl/start", "start.url"),
        (DVP, "https://pgo.example.nl/start", "http://pgo.example.nl/start", "start.url"),
        (DVP, "pgo.example.nl/cb", "back.example.nl/cb", "gateway.redirect_uri"),
        (REGISTRATIE, "lists.example.nl/zal", "zal.example.nl/", "registratie.zal_url"),
        (REGISTRATIE, "[registratie]", '[registratie]\nocl_url = "https://o.nl/"', "registratie.ocl_url"),
    ],
)
def test_what_a_run_goes_to_is_in_connect(write: Write, text: str, old: str, new: str, field: str) -> None:
    """Every place of the target of the other roles needs its entry in [connect] as well."""
    (error,) = problems(write(text, (old, new)))
    assert error.field == field
    assert error.expected.endswith("in [connect]")


@pytest.mark.parametrize(
    ("mode", "fields"),
    [("command", []), ("operator", []), ("browser", ["start.url", "gateway.redirect_uri"])],
)
def test_only_our_own_requests_need_connect(write: Write, mode: str, fields: list[str]) -> None:
    """A start that is not ours to request needs no entry in [connect]; a browser that we lead goes by our own wire."""
    start = f'mode = "{mode}"\ncommand = ["./start"]'
    found = problems(write(DVP, ('mode = "http"', start), ('"pgo.example.nl:443"', '"x.nl:443"')))
    assert [error.field for error in found] == fields


# --- the file itself ---


@pytest.mark.parametrize(
    ("content", "field", "problem"),
    [
        (b'[target]\nname = "x\n', "TOML", "at line 2, column 10"),
        (b"[target]\nrole =\n", "TOML", "at line 2, column 7"),
        (b"a = 1\na = 2\n", "TOML", "at line 2"),
        (b'[target]\nname = "\xff"\n', "TOML", "line 2 is not UTF-8"),
        (b"a = " + b"[" * 100_000, "TOML", ""),
        (b"a = " + b"9" * 10_000, "TOML", ""),
        (b"", "target.name", "missing"),
    ],
)
def test_a_file_that_is_no_toml_is_told(tmp_path: Path, content: bytes, field: str, problem: str) -> None:
    """What cannot be parsed is a fault of the TOML with its line; an empty file misses its first key."""
    path = tmp_path / "target.toml"
    path.write_bytes(content)
    with pytest.raises(TargetError) as caught:
        load(path)
    assert caught.value.field == field
    assert problem in caught.value.problem
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A path that is not there and a folder are faults of the file."""
    for path in (tmp_path / "none.toml", tmp_path):
        (error,) = problems(path)
        assert (error.file, error.field, error.expected) == (path, "file", "a target file")
        assert str(error).startswith(f"{path}: file: cannot be read: ")


def test_all_faults_are_told_at_once(write: Write) -> None:
    """Independent faults are all in the list, and load raises the first of them."""
    path = write(
        EXAMPLE,
        ('role = "dvza"', 'role = "dvza"\nrol = "x"'),
        ("https://za.example.nl/fhir", "fhir"),
        ('"999990019"', '"1"'),
        ('"127.0.0.1:8444"', '"x"'),
        ('mode = "form"', 'mode = "digid"'),
        ("za.example.nl/oauth/token", "t.example.nl/token"),
    )
    found = problems(path)
    assert [error.field for error in found] == [
        "target.rol",
        "offer[1].resource_endpoint",
        "harness.listen",
        "persons.available.bsn",
        "digid",
        "offer[1].token_endpoint",
    ]
    with pytest.raises(TargetError) as caught:
        load(path)
    assert str(caught.value) == str(found[0])


@pytest.mark.parametrize("value", ["1", '""', "[]", "[1]", "{}", "{ x = 1 }", "true", "1979-05-27", '{ env = "X" }'])
def test_no_value_of_any_key_breaks_the_reader(write: Write, value: str) -> None:
    """Whatever stands at a key of the file, alone or with a whole file around it, the answer is a list of faults."""
    for key in list(model.keys()):
        head = re.split(r"[.\[]", key.name)[0]
        table, _, item = key.name.replace("*", "x").partition("[].")
        line = f"{table} = [{{ {item} = {value} }}]" if item else f"{table.removesuffix('[]')} = {value}"
        for text in (EXAMPLE, DVP, REGISTRATIE):
            text = re.sub(r"(?m)^(certificate|key|issuer|issuer_key) = .*\n", "", text)  # slow to check
            tables = [t for t in text.split("\n\n") if not t.lstrip("[").startswith((head + "]", head + "."))]
            found = problems(write("\n\n".join([line, *tables])), {})
            assert all(error.field != "TOML" for error in found)
            assert len({error.field for error in found}) == len(found)


# --- documentation ---


def test_every_key_is_documented() -> None:
    """The model tells of every key its name, what is expected and, in one line, what it is."""
    found = list(model.keys())
    names = [key.name for key in found]
    assert len(names) == len(set(names)) > 100
    for key in found:
        assert key.expected
        assert key.doc.endswith(".")
        assert len(key.doc.splitlines()) == 1
    assert {"target.role", "offer[].token_endpoint", "harness.unlisted.redirect_uri", "outcome.*"} <= set(names)
    assert {key.name for key in found if key.required} == {
        "target.name", "target.role", "offer[].zorgaanbieder", "offer[].gegevensdienst", "trust.ca",
        "user_agent.action[].intent", "user_agent.action[].page", "gateway.hostname", "gateway.redirect_uri",
        "start.mode", "outcome.collected",
    }  # fmt: skip


def test_the_tables_of_a_target_cannot_be_changed(write: Write) -> None:
    """A target that was checked stays as it was."""
    target: Target = load(write())
    with pytest.raises(AttributeError):
        target.about.role = "dvp"  # type: ignore[misc]


@pytest.mark.parametrize(("first", "second"), [("other", "unlisted"), ("unlisted", "other")])
def test_no_two_nodes_are_one(write: Write, first: str, second: str) -> None:
    """The listed and the unlisted node may not have one host name, in whatever order they stand."""
    nodes = f'[harness.{first}]\nhostname = "m.test.nl"\n[harness.{second}]\nhostname = "m.test.nl"\n[pki]'
    found = problems(write(without(EXAMPLE, "[harness.other]"), ("[pki]", nodes)))
    assert [error.field for error in found] == ["harness.unlisted.hostname"]
