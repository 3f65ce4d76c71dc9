"""The certificates and signatures of the test PKI, judged by the openssl program."""

import re
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

from medmij_conformance.pki import (
    SERVICES_SERVER,
    Authority,
    Credential,
    Hierarchy,
    hierarchy,
    key_fits,
    make_key,
    self_signed,
    sign_detached,
)

HOST = "za.harness.test"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def pki() -> Hierarchy:
    return hierarchy()


@pytest.fixture(scope="module")
def leaf(pki: Hierarchy) -> Credential:
    return pki.tsp.issue(HOST)


def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def verify(folder: Path, root: Authority, credential: Credential, *options: object) -> subprocess.CompletedProcess[str]:
    """What `openssl verify` says of a leaf, with its chain as untrusted certificates and only the root trusted."""
    (folder / "root.pem").write_bytes(root.certificate_pem)
    certificate, _ = credential.write(folder, "leaf")
    return openssl("verify", "-x509_strict", *options, "-CAfile", folder / "root.pem", "-untrusted", certificate, certificate)


def text(folder: Path, credential: Credential) -> str:
    certificate, _ = credential.write(folder, "leaf")
    return openssl("x509", "-in", certificate, "-noout", "-text", "-nameopt", "RFC2253").stdout


# --- good certificates ---


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
@pytest.mark.parametrize("key", ["p256", "p384", "rsa3072"])
def test_a_leaf_verifies_strictly_for_both_ends_of_tls(pki: Hierarchy, tmp_path: Path, key: str, purpose: str) -> None:
    """A leaf verifies with -x509_strict as TLS server and client of its host name, for every kind of key."""
    result = verify(tmp_path, pki.root, pki.tsp.issue(HOST, key=key), "-purpose", purpose, "-verify_hostname", HOST)
    assert result.returncode == 0, result.stderr


def test_a_leaf_satisfies_the_policy_of_pkioverheid_services(pki: Hierarchy, leaf: Credential, tmp_path: Path) -> None:
    """The whole chain is valid under an explicitly required PKIoverheid policy."""
    result = verify(tmp_path, pki.root, leaf, "-policy_check", "-explicit_policy", "-policy", SERVICES_SERVER)
    assert result.returncode == 0, result.stderr


def test_the_profile_of_a_leaf(pki: Hierarchy, tmp_path: Path) -> None:
    """A leaf with an RSA key shows every field of the PKIoverheid profile to openssl."""
    shown = text(tmp_path, pki.tsp.issue(HOST, organisation="Proefkliniek", key="rsa2048"))
    for pattern in [
        r"Subject: CN=za\.harness\.test,serialNumber=00000099\d{9}000,",
        r"organizationIdentifier=NTRNL-\d{8},O=Proefkliniek,C=NL\n",
        r"X509v3 Basic Constraints: critical\s+CA:FALSE",
        r"X509v3 Key Usage: critical\s+Digital Signature, Key Encipherment\n",
        r"X509v3 Extended Key Usage:\s+TLS Web Server Authentication, TLS Web Client Authentication\n",
        r"X509v3 Subject Alternative Name:\s+DNS:za\.harness\.test\n",
        r"Authority Information Access:\s+OCSP - URI:http://ocsp\.harness\.test\n",
        r"X509v3 CRL Distribution Points:\s+Full Name:\s+URI:http://crl\.harness\.test/ca\.crl\n",
        r"Policy: 2\.16\.528\.1\.1003\.1\.2\.8\.6\s+CPS: https://",
        r"X509v3 Subject Key Identifier:",
        r"X509v3 Authority Key Identifier:",
        r"Signature Algorithm: ecdsa-with-SHA256",
    ]:
        assert re.search(pattern, shown), f"{pattern} not in\n{shown}"


def test_an_elliptic_key_is_not_said_to_encipher(leaf: Credential, tmp_path: Path) -> None:
    """Key usage of an elliptic curve leaf is digitalSignature alone, as RFC 8813 demands."""
    assert re.search(r"Key Usage: critical\s+Digital Signature\n", text(tmp_path, leaf))


def test_the_hierarchy_has_four_layers(pki: Hierarchy, leaf: Credential) -> None:
    """A leaf comes with the TSP and the domain authority, nearest first, and without the root."""
    assert leaf.chain == (pki.tsp.certificate, pki.domain.certificate)
    assert leaf.certificate_pem.count(b"BEGIN CERTIFICATE") == 3
    assert pki.root.certificate_pem not in leaf.certificate_pem


def test_a_root_that_issues_directly_gives_no_chain(tmp_path: Path) -> None:
    """A leaf straight below a root has an empty chain and verifies."""
    root = Authority.root("Klein")
    leaf = root.issue(HOST)
    assert leaf.chain == ()
    assert verify(tmp_path, root, leaf).returncode == 0


def test_dates_by_default(leaf: Credential) -> None:
    """A leaf is valid since yesterday, for ninety days."""
    certificate = leaf.certificate
    assert timedelta(0) <= datetime.now(UTC) - DAY - certificate.not_valid_before_utc < timedelta(minutes=5)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == 90 * DAY


def test_serial_numbers_and_oins(pki: Hierarchy) -> None:
    """Every certificate has its own long serial number; the OIN belongs to the host name."""
    first, again, other = pki.tsp.issue(HOST), pki.tsp.issue(HOST), pki.tsp.issue("pgo.harness.test")
    assert len({each.certificate.serial_number for each in (first, again, other)}) == 3
    assert min(each.certificate.serial_number.bit_length() for each in (first, again, other)) > 64
    oins = [each.certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value for each in (first, again, other)]
    assert oins[0] == oins[1] != oins[2]


def test_an_ip_address_becomes_an_address_name(pki: Hierarchy, tmp_path: Path) -> None:
    """Names that are IP addresses can be verified as such."""
    credential = pki.tsp.issue(HOST, names=(HOST, "127.0.0.1"))
    assert verify(tmp_path, pki.root, credential, "-verify_ip", "127.0.0.1").returncode == 0


# --- certificates with one thing wrong ---


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"not_after": datetime.now(UTC) - DAY}, "certificate has expired"),
        ({"not_before": datetime.now(UTC) + DAY}, "certificate is not yet valid"),
        ({"names": ("other.harness.test",)}, "hostname mismatch"),
        ({"usages": (ExtendedKeyUsageOID.CLIENT_AUTH,)}, "unsuitable certificate purpose"),
        ({"policies": ("2.16.528.1.1003.1.2.8.5",)}, "no explicit policy"),
        ({"policies": ()}, "no explicit policy"),
    ],
)
def test_one_named_defect_is_what_openssl_finds(pki: Hierarchy, tmp_path: Path, wrong: dict[str, object], complaint: str) -> None:
    """A certificate with one defect is refused for that defect."""
    options = ("-purpose", "sslserver", "-verify_hostname", HOST, "-explicit_policy", "-policy", SERVICES_SERVER)
    result = verify(tmp_path, pki.root, pki.tsp.issue(HOST, **wrong), *options)  # type: ignore[arg-type]
    assert result.returncode != 0
    assert complaint in result.stderr.lower()


def test_an_unknown_root_of_the_same_name_is_not_trusted(pki: Hierarchy, tmp_path: Path) -> None:
    """A second hierarchy with the same names does not verify against the first root."""
    assert verify(tmp_path, pki.root, hierarchy().tsp.issue(HOST)).returncode != 0


def test_too_long_a_path_can_be_made(pki: Hierarchy, tmp_path: Path) -> None:
    """An authority below the TSP violates the path length constraint, and nothing stops us from making it."""
    result = verify(tmp_path, pki.root, pki.tsp.intermediate("Te diep").issue(HOST))
    assert "path length constraint exceeded" in result.stderr


def test_an_expired_intermediate_can_be_made(pki: Hierarchy, tmp_path: Path) -> None:
    """An intermediate takes dates as a leaf does."""
    expired = pki.domain.intermediate("Verlopen TSP", not_after=datetime.now(UTC) - DAY)
    assert "certificate has expired" in verify(tmp_path, pki.root, expired.issue(HOST)).stderr


@pytest.mark.parametrize("kind", [ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.KEY_USAGE])
def test_an_extension_can_be_left_out(pki: Hierarchy, kind: ObjectIdentifier) -> None:
    """`without` removes that extension and no other."""
    certificate = pki.tsp.issue(HOST, without=(kind,)).certificate
    all_kinds = {extension.oid for extension in pki.tsp.issue(HOST).certificate.extensions}
    assert {extension.oid for extension in certificate.extensions} == all_kinds - {kind}


def test_an_extension_can_be_replaced_or_added(pki: Hierarchy) -> None:
    """`extensions` replaces the default of its kind and adds what was not there."""
    authority = x509.Extension(ExtensionOID.BASIC_CONSTRAINTS, True, x509.BasicConstraints(ca=True, path_length=None))
    no_check = x509.Extension(ExtensionOID.OCSP_NO_CHECK, False, x509.OCSPNoCheck())
    extensions = pki.tsp.issue(HOST, extensions=(authority, no_check)).certificate.extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert extensions.get_extension_for_class(x509.OCSPNoCheck)


def test_empty_options_leave_things_out(pki: Hierarchy) -> None:
    """An empty address, list of names or OIN is absent from the certificate."""
    certificate = pki.tsp.issue(HOST, ocsp_url="", crl_url="", names=(), usages=(), policies=(), oin="").certificate
    kinds = {extension.oid for extension in certificate.extensions}
    assert kinds == {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
    assert not certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)


def test_addresses_go_down_the_hierarchy(tmp_path: Path) -> None:
    """The OCSP address of a hierarchy stands in its leaves, unless a leaf or an intermediate names its own."""
    domain = hierarchy(ocsp_url="http://ocsp.one.test:8447").domain
    own = domain.intermediate("Eigen", ocsp_url="http://ocsp.two.test")
    assert "OCSP - URI:http://ocsp.one.test:8447\n" in text(tmp_path, domain.issue(HOST))
    assert "OCSP - URI:http://ocsp.two.test\n" in text(tmp_path, own.issue(HOST))
    assert "OCSP - URI:http://ocsp.three.test\n" in text(tmp_path, own.issue(HOST, ocsp_url="http://ocsp.three.test"))


def test_self_signed_verifies_only_as_its_own_root(pki: Hierarchy, tmp_path: Path) -> None:
    """A self-signed leaf has the same names, is no authority and is trusted by nobody but itself."""
    credential = self_signed(HOST)
    certificate, _ = credential.write(tmp_path, "self")
    assert credential.chain == ()
    assert credential.certificate.issuer == credential.certificate.subject
    assert "self-signed certificate" in verify(tmp_path, pki.root, credential).stderr
    assert openssl("verify", "-CAfile", certificate, "-verify_hostname", HOST, certificate).returncode == 0


# --- keys and files ---


def test_key_fits(pki: Hierarchy, leaf: Credential) -> None:
    """A key fits its own certificate only, whatever the kinds of the two keys."""
    assert key_fits(leaf.certificate, leaf.key)
    assert not key_fits(leaf.certificate, make_key())
    assert not key_fits(leaf.certificate, make_key("rsa2048"))
    assert key_fits(pki.tsp.issue(HOST, key=leaf.key).certificate, leaf.key)


def test_kinds_of_key() -> None:
    """RSA keys have the size of their name; an unknown kind is refused."""
    key = make_key("rsa2048")
    assert isinstance(key, rsa.RSAPrivateKey)
    assert key.key_size == 2048
    with pytest.raises(ValueError, match="unknown kind of key 'dsa'"):
        make_key("dsa")


def test_fingerprint_is_the_one_openssl_computes(leaf: Credential, tmp_path: Path) -> None:
    """The fingerprint is the SHA-256 of the leaf in lower-case hexadecimal."""
    certificate, _ = leaf.write(tmp_path, "leaf")
    shown = openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").stdout
    assert shown.strip().split("=")[1].replace(":", "").lower() == leaf.fingerprint


def test_written_files_can_be_read_back(leaf: Credential, tmp_path: Path) -> None:
    """What is written reads back as the same credential; the key is for its owner alone, also when overwritten."""
    (tmp_path / "node.key").write_text("old")
    (tmp_path / "node.key").chmod(0o644)
    certificate, key = leaf.write(tmp_path, "node")
    assert (certificate.name, key.name) == ("node.pem", "node.key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    again = Credential.from_pem(certificate.read_bytes(), key.read_bytes())
    assert (again.certificate, again.chain, again.key_pem) == (leaf.certificate, leaf.chain, leaf.key_pem)


def test_reading_puts_the_chain_in_order(pki: Hierarchy, leaf: Credential) -> None:
    """Certificates in any order, with root and strangers among them, become a chain without either."""
    pems = [Credential(c, leaf.key).certificate_pem for c in (pki.root.certificate, *reversed(leaf.chain), leaf.certificate)]
    stranger = self_signed("stranger.test").certificate_pem
    assert Credential.from_pem(b"".join([stranger, *pems]), leaf.key_pem).chain == leaf.chain


@pytest.mark.parametrize(
    ("key", "password", "complaint"),
    [
        (make_key("p256"), None, "no certificate in the file fits the key"),
        (make_key("p256"), b"secret", "[Pp]assword"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused(leaf: Credential, key: object, password: bytes | None, complaint: str) -> None:
    """A key of another certificate, or a password for a key without one, is a ValueError."""
    pem = Credential(leaf.certificate, key).key_pem  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=complaint):
        Credential.from_pem(leaf.certificate_pem, pem, password)


def test_pkcs12_is_read_by_openssl_and_by_us(leaf: Credential, tmp_path: Path) -> None:
    """A PKCS#12 file opens with its password only, and holds leaf, chain and key."""
    data = leaf.pkcs12("geheim")
    (tmp_path / "node.p12").write_bytes(data)
    shown = openssl("pkcs12", "-in", tmp_path / "node.p12", "-passin", "pass:geheim", "-noenc")
    assert shown.stdout.count("BEGIN CERTIFICATE") == 3
    assert "BEGIN PRIVATE KEY" in shown.stdout
    again = Credential.from_pkcs12(data, b"geheim")
    assert (again.certificate, again.chain) == (leaf.certificate, leaf.chain)
    with pytest.raises(ValueError, match=r"(?i)password"):
        Credential.from_pkcs12(data, b"fout")


def test_an_authority_from_files_issues_as_before(pki: Hierarchy, tmp_path: Path) -> None:
    """An authority loaded from PEM issues leaves that verify; it promises no OCSP unless told where."""
    pem = pki.tsp.certificate_pem + pki.domain.certificate_pem
    loaded = Authority.from_pem(pem, Credential(pki.tsp.certificate, pki.tsp.key).key_pem)
    leaf = loaded.issue(HOST)
    assert verify(tmp_path, pki.root, leaf).returncode == 0
    assert "OCSP" not in text(tmp_path, leaf)


# --- signatures ---


@pytest.mark.parametrize("key", ["p256", "rsa3072"])
def test_a_detached_signature_verifies_and_a_changed_byte_does_not(pki: Hierarchy, tmp_path: Path, key: str) -> None:
    """openssl cms accepts the signature over exactly these bytes (line ends included), with only the root at hand."""
    data = b"line\nline\r\n\x00\xff"
    (tmp_path / "root.pem").write_bytes(pki.root.certificate_pem)
    (tmp_path / "data.p7s").write_bytes(sign_detached(data, pki.tsp.issue(HOST, key=key)))

    def judge(content: bytes) -> int:
        (tmp_path / "data").write_bytes(content)
        signature = ("-inform", "DER", "-in", tmp_path / "data.p7s", "-content", tmp_path / "data")
        trust = ("-CAfile", tmp_path / "root.pem", "-purpose", "any")
        return openssl("cms", "-verify", "-binary", *signature, *trust, "-out", tmp_path / "out").returncode

    assert judge(data) == 0
    assert judge(data.replace(b"\r\n", b"\n")) != 0
    assert data not in (tmp_path / "data.p7s").read_bytes()
