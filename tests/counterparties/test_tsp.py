"""The trust service provider of the harness: what it mints and what it answers, judged by the openssl program."""

import base64
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from medmij_conformance import pki
from medmij_conformance.counterparties.tsp import ANSWERS, DEFECTS, GOOD, KINDS, LEGAL, Tsp, UnmintedError

HOST = "pgo.harness.test"
URL = "http://ocsp.harness.test"
# What openssl says of each certificate that is not valid for a TLS client. The names of nodes are no business of its.
REFUSED = {
    "has expired": "certificate has expired",
    "is not valid yet": "certificate is not yet valid",
    "vouches for itself": "self-signed certificate",
    "comes from an authority with the same names and other keys": "unable to get local issuer certificate",
    "comes from an authority that nobody knows": "unable to get local issuer certificate",
    "has a broken signature": "certificate signature failure",
    "was issued by a node": "invalid CA certificate",
    "was issued by an authority that has expired": "certificate has expired",
    "was issued by an authority that is not valid yet": "certificate is not yet valid",
    "was issued by an authority that may not sign certificates": "invalid CA certificate",
    "was issued by an authority that does not say that it is one": "invalid CA certificate",
    "has more authorities above it than they allow": "path length constraint exceeded",
    "bears a name that its authority may not give": "permitted subtree violation",
    "has a critical extension that nobody knows": "unhandled critical extension",
    "was issued by an authority with a critical extension that nobody knows": "unhandled critical extension",
    "is for mail only": "purpose",
    "is for signing programs only": "purpose",
    "is for OCSP answers only": "purpose",
    "is for servers only": "purpose",
    "has a key for signing certificates only": "purpose",
    "has a key for signing documents only": "purpose",
    "has a key of 1024 bits": "too weak",
}


@pytest.fixture(scope="module")
def authorities() -> pki.Hierarchy:
    return pki.hierarchy(path_length=None, ocsp_url=URL, authorities_ocsp_url="")


@pytest.fixture(scope="module")
def tsp(authorities: pki.Hierarchy) -> Tsp:
    return Tsp(authorities.tsp)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, authorities: pki.Hierarchy) -> Path:
    folder = tmp_path_factory.mktemp("tsp")
    (folder / "root.pem").write_bytes(authorities.root.certificate_pem)
    (folder / "issuer.pem").write_bytes(authorities.tsp.certificate_pem)
    (folder / "chain.pem").write_bytes(authorities.tsp.certificate_pem + authorities.domain.certificate_pem)
    return folder


def openssl(*arguments: object) -> str:
    """What the program says, on both of its channels."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


@pytest.mark.parametrize("defect", ["", *DEFECTS])
def test_openssl_agrees_on_what_is_wrong(tsp: Tsp, folder: Path, defect: str) -> None:
    """A defect is the one that its name says; what has none, or only another name, is valid."""
    minted = tsp.mint(HOST, defect)
    leaf, others = folder / "leaf.pem", folder / "others.pem"
    leaf.write_bytes(pem(minted.certificate))
    others.write_bytes(b"".join(map(pem, minted.chain)) or (folder / "chain.pem").read_bytes())
    said = openssl("verify", "-CAfile", folder / "root.pem", "-untrusted", others, "-purpose", "sslclient", "-auth_level", 2, leaf)
    assert REFUSED.get(defect, "leaf.pem: OK") in said


def test_there_are_defects_enough() -> None:
    """More than twenty-five ways to be wrong, in either direction, and the legal ones are none of them."""
    assert len(set(DEFECTS) - set(LEGAL)) >= 30
    assert not set(LEGAL) & set(REFUSED)


def test_certificates_differ_and_keys_are_few(tsp: Tsp) -> None:
    """Each certificate has a serial number of its own; making keys takes time, so they share one."""
    first, second = tsp.mint(HOST), tsp.mint(HOST)
    assert first.certificate.serial_number != second.certificate.serial_number
    assert first.key is second.key


def test_an_issuer_without_room_below_it_says_so() -> None:
    """A certificate that needs an authority in between is not minted by an issuer whose path length is 0."""
    narrow = Tsp(pki.hierarchy(path_length=0).tsp)
    assert narrow.mint(HOST, "has expired")
    with pytest.raises(UnmintedError, match="path length is 0"):
        narrow.mint(HOST, "was issued by an authority that has expired")


# --- OCSP ---


def question(issuer: x509.Certificate, certificate: x509.Certificate, nonce: bytes = b"") -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())
    builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False) if nonce else builder
    return builder.build().public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("manner", "words"),
    [
        (GOOD, ("Response verify OK", "leaf.pem: good")),
        ("signs the answer itself", ("Response verify OK", "leaf.pem: good")),
        ("gives an answer without a nonce", ("Response verify OK", "leaf.pem: good")),
        ("says that it was revoked", ("Response verify OK", "leaf.pem: revoked", "keyCompromise")),
        ("says that it does not know it", ("Response verify OK", "leaf.pem: unknown")),
        ("asks to try later", ("Responder Error: trylater",)),
        ("reports an internal error", ("Responder Error: internalerror",)),
        ("says that nobody may ask", ("Responder Error: unauthorized",)),
        ("says that the question is malformed", ("Responder Error: malformedrequest",)),
        ("answers with a web page", ("Error reading OCSP response",)),
        ("gives an answer with a broken signature", ("Response Verify Failure",)),
        ("lets a stranger sign the answer", ("Response Verify Failure",)),
        ("lets a certificate without that right sign the answer", ("Response Verify Failure",)),
        ("lets a responder sign whose own certificate has expired", ("Response Verify Failure", "certificate has expired")),
        ("answers about another certificate", ("leaf.pem: ERROR: No Status found",)),
        ("gives an answer that ran out an hour ago", ("status expired",)),
        ("gives an answer of tomorrow", ("status not yet valid",)),
    ],
)
def test_openssl_agrees_on_the_answer(
    tsp: Tsp, folder: Path, authorities: pki.Hierarchy, manner: str, words: tuple[str, ...]
) -> None:
    """Each manner of answering is what its name says."""
    minted = tsp.mint(HOST, manner=manner).certificate
    word = tsp.hear("POST", "/", question(authorities.tsp.certificate, minted))
    (folder / "leaf.pem").write_bytes(pem(minted))
    (folder / "answer.der").write_bytes(word.body or b"")
    said = openssl(
        *("ocsp", "-respin", folder / "answer.der", "-issuer", folder / "issuer.pem", "-cert", folder / "leaf.pem"),
        *("-CAfile", folder / "root.pem", "-verify_other", folder / "chain.pem", "-no_nonce"),
    )
    assert all(each in said for each in words), said


def test_every_manner_has_a_kind() -> None:
    """What it is a case of is told to the judge."""
    assert set(KINDS) == set(ANSWERS)


def test_silence_and_hanging_up_have_no_body(tsp: Tsp, authorities: pki.Hierarchy) -> None:
    """Both say nothing; one of them takes its time."""
    silent, curt = (tsp.mint(HOST, manner=manner).certificate for manner in ("says nothing", "hangs up"))
    said = [tsp.hear("POST", "/", question(authorities.tsp.certificate, each)) for each in (silent, curt)]
    assert [word.body for word in said] == [None, None]
    assert [word.silence_s > 0 for word in said] == [True, False]


@pytest.mark.parametrize("prefix", ["/", "/ocsp/", "/M/"])
def test_get_asks_as_post_does(tsp: Tsp, authorities: pki.Hierarchy, prefix: str) -> None:
    """The question stands in base64 at the end of the path (RFC 6960 A.1), whatever stands before it."""
    minted = tsp.mint(HOST).certificate
    asked = quote(base64.b64encode(question(authorities.tsp.certificate, minted)).decode(), safe="")
    answer = ocsp.load_der_ocsp_response(tsp.hear("GET", f"{prefix}{asked}", b"").body or b"")
    assert answer.serial_number == minted.serial_number
    assert tsp.times_asked(minted.serial_number) == 1
    assert tsp.asked[-1].method == "GET"


def test_the_nonce_comes_back(tsp: Tsp, authorities: pki.Hierarchy) -> None:
    """A nonce is echoed, but not by who answers without one."""
    for manner, echoed in ((GOOD, [b"sixteen octets.."]), ("gives an answer without a nonce", [])):
        minted = tsp.mint(HOST, manner=manner).certificate
        word = tsp.hear("POST", "/", question(authorities.tsp.certificate, minted, b"sixteen octets.."))
        extensions = ocsp.load_der_ocsp_response(word.body or b"").extensions
        assert [e.value.nonce for e in extensions if isinstance(e.value, x509.OCSPNonce)] == echoed
    assert tsp.asked[-1].nonce


def test_the_nonce_of_another_question(tsp: Tsp, folder: Path, authorities: pki.Hierarchy) -> None:
    """`openssl ocsp` takes it for no answer to its own question; who has sent no nonce gets none."""
    minted = tsp.mint(HOST, manner="gives an answer with the nonce of another question").certificate
    (folder / "leaf.pem").write_bytes(pem(minted))
    files = ("-issuer", folder / "issuer.pem", "-cert", folder / "leaf.pem", "-CAfile", folder / "root.pem")
    openssl("ocsp", *files, "-reqout", folder / "question.der")
    for octets, words in (
        ((folder / "question.der").read_bytes(), "Nonce Verify error"),
        (question(authorities.tsp.certificate, minted), "leaf.pem: good"),
    ):
        (folder / "answer.der").write_bytes(tsp.hear("POST", "/", octets).body or b"")
        (folder / "question.der").write_bytes(octets)
        said = openssl(
            *("ocsp", "-reqin", folder / "question.der", "-respin", folder / "answer.der", *files),
            *("-verify_other", folder / "chain.pem"),
        )
        assert words in said


def test_an_answer_to_send_along(tsp: Tsp, folder: Path) -> None:
    """It is that of the responder, and nobody was asked; where the responder says nothing there is none."""
    for manner, words in ((GOOD, "leaf.pem: good"), ("says that it was revoked", "leaf.pem: revoked")):
        minted = tsp.mint(HOST, manner=manner)
        (folder / "leaf.pem").write_bytes(pem(minted.certificate))
        (folder / "answer.der").write_bytes(tsp.staple(minted))
        said = openssl(
            *("ocsp", "-respin", folder / "answer.der", "-issuer", folder / "issuer.pem", "-cert", folder / "leaf.pem"),
            *("-CAfile", folder / "root.pem", "-verify_other", folder / "chain.pem", "-no_nonce"),
        )
        assert words in said
        assert tsp.times_asked(minted.certificate.serial_number) == 0
    assert tsp.staple(tsp.mint(HOST, manner="hangs up")) == b""


def test_what_is_no_question_is_malformed(tsp: Tsp) -> None:
    """Octets, a wrong path and nothing are answered too."""
    for method, path, body in (("POST", "/", b"?"), ("GET", "/%%%", b""), ("POST", "/", b"")):
        word = tsp.hear(method, path, body)
        assert ocsp.load_der_ocsp_response(word.body or b"").response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_who_issued_it_speaks_for_it(tsp: Tsp) -> None:
    """A certificate of an authority below is answered for by that authority, so that its chain alone can be wrong."""
    minted = tsp.mint(HOST, "comes from an authority below the usual one")
    word = tsp.hear("POST", "/", question(minted.chain[0], minted.certificate))
    answer = ocsp.load_der_ocsp_response(word.body or b"")
    answer.certificates[0].verify_directly_issued_by(minted.chain[0])
