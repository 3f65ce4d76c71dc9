"""The trust service provider that the harness plays: it issues certificates to its nodes, and answers for them by OCSP.

Both are in order unless one thing is named that is wrong: a ``Defect`` of a certificate (``CLIENT``, ``SERVER``, ``NAMES``), or a
manner of answering (``ANSWERS``). Nothing here opens a socket: an answer is a ``Word``, which the wire carries.
"""

import base64
import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier

from medmij_conformance import pki

GOOD = "says that it is good"
REVOKED = "says that it was revoked"
SILENT = "says nothing"
BRIEFLY = "says that it is good for two seconds"
BRIEFLY_S = 2
OF_ANOTHER_QUESTION = "of another question"
UNLISTED_HOST = "ongenode.harness.test"
_MEDIA_TYPE = "application/ocsp-response"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What the responder says: an HTTP answer; without ``body`` it hangs up, after ``silence_s`` seconds without a word."""

    body: bytes | None = b""
    status: int = 200
    media_type: str = _MEDIA_TYPE
    silence_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question to the responder: about which serial number, by which HTTP method, with a nonce or not."""

    serial: int
    method: str
    nonce: bool


class UnmintedError(Exception):
    """The issuer of the target file cannot make this certificate; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One way in which a certificate is wrong. ``below``: it is issued by an authority of ours below the issuer."""

    make: Callable[["Tsp", str], pki.Credential]
    below: bool = False


class Tsp:
    """One authority, its OCSP responder, and what it says about each of its certificates.

    ``asked`` are the questions so far. One key serves all certificates that are minted: making keys takes time.
    """

    def __init__(self, issuer: pki.Authority, *, silence_s: float = 60.0) -> None:
        self.issuer = issuer
        self.key = pki.make_key()
        self.manners: dict[int, str] = {}
        self.asked: list[Asked] = []
        self.silence_s = silence_s
        self._lock = threading.Lock()
        self._authorities: dict[int, pki.Authority] = {}
        self._signers: dict[str, pki.Credential] = {}

    # --- certificates ---

    def mint(self, hostname: str, defect: str = "", *, manner: str = GOOD) -> pki.Credential:
        """A fresh certificate for a node with one defect, or none; ``manner`` is how the responder will speak of it.

        Raises ``KeyError`` for a defect that is not known, and ``UnmintedError``.
        """
        known = DEFECTS[defect] if defect else None
        if known and known.below and self.issuer.path_length == 0:
            raise UnmintedError("the issuer of [pki] may have no authority below it (its path length is 0)")
        credential = known.make(self, hostname) if known else self.issue(hostname)
        self.manners[credential.certificate.serial_number] = manner
        return credential

    def issue(self, hostname: str, *, by: pki.Authority | None = None, **options: Any) -> pki.Credential:
        """A leaf by the issuer or another authority, which then speaks for it; options as ``pki.Authority.issue``."""
        authority = by or self.issuer
        credential = authority.issue(hostname, **{"key": self.key, **options})
        self._authorities[credential.certificate.serial_number] = authority
        return credential

    def below(self, name: str = "TEST Sub CA", **options: Any) -> pki.Authority:
        """An authority below the issuer; options as ``pki.Authority.intermediate``."""
        return self.issuer.intermediate(name, key=self.key, **options)

    # --- the responder ---

    def hear(self, method: str, path: str, body: bytes) -> Word:
        """Answer an HTTP request: the question in the body of a POST, or in base64 at the end of the path of a GET."""
        try:
            question = ocsp.load_der_ocsp_request(body) if method == "POST" else _in_path(path)
        except ValueError:
            return Word(body=pki.ocsp_error("malformed_request"))
        nonce = any(isinstance(extension.value, x509.OCSPNonce) for extension in question.extensions)
        with self._lock:
            self.asked.append(Asked(serial=question.serial_number, method=method, nonce=nonce))
        return ANSWERS[self.manners.get(question.serial_number, GOOD)](self, question)

    def staple(self, credential: pki.Credential) -> bytes:
        """What the node of a certificate has been told about it, to send along in its handshakes."""
        serial, issuer = credential.certificate.serial_number, self.authority_of(credential.certificate.serial_number)
        builder = ocsp.OCSPRequestBuilder().add_certificate(credential.certificate, issuer.certificate, hashes.SHA1())  # noqa: S303
        return ANSWERS[self.manners.get(serial, GOOD)](self, builder.build()).body or b""

    def questions(self, serial: int) -> list[Asked]:
        """What somebody has asked about a certificate, in order."""
        with self._lock:
            return [asked for asked in self.asked if asked.serial == serial]

    def times_asked(self, serial: int) -> int:
        """How often somebody has asked about a certificate."""
        return len(self.questions(serial))

    def authority_of(self, serial: int) -> pki.Authority:
        """Who has issued a certificate."""
        return self._authorities.get(serial, self.issuer)

    def signer(self, kind: str, serial: int) -> pki.Credential:
        """Who signs what is said about a certificate: a responder to which its authority has delegated that, or not quite."""
        authority = self.authority_of(serial)
        key = f"{kind} {authority.certificate.fingerprint(hashes.SHA256()).hex()}"
        if key not in self._signers:
            self._signers[key] = _SIGNERS[kind](authority)
        return self._signers[key]


_SIGNERS: Mapping[str, Callable[[pki.Authority], pki.Credential]] = {
    "delegated": pki.ocsp_signer,
    "of a namesake": lambda authority: pki.ocsp_signer(authority.namesake()),
    "without the right": lambda authority: pki.ocsp_signer(authority, usages=pki.SERVER_AND_CLIENT, extensions=()),
    "expired": lambda authority: pki.ocsp_signer(authority, not_after=datetime.now(UTC) - _HOUR),
}


def _in_path(path: str) -> ocsp.OCSPRequest:
    """The question of a GET (RFC 6960 A.1): base64 at the end of the path, which has slashes of its own. Raises ``ValueError``."""
    text = unquote(path)
    for start in (place + 1 for place, letter in enumerate(text) if letter == "/"):
        with contextlib.suppress(ValueError):
            return ocsp.load_der_ocsp_request(base64.b64decode(text[start:], validate=True))
    raise ValueError("the path holds no OCSP request")


# ------------------------------------------------------------------------------------------------------ manners of answering

Answer = Callable[[Tsp, ocsp.OCSPRequest], Word]
ANSWERS: dict[str, Answer] = {}
#: Manner of answering -> what it is a case of.
KINDS: dict[str, str] = {}


def _by(tsp: Tsp, question: ocsp.OCSPRequest, kind: str = "delegated") -> pki.Credential:
    return tsp.signer(kind, question.serial_number)


def _answers(name: str, kind: str) -> Callable[[Answer], Answer]:
    def register(function: Answer) -> Answer:
        ANSWERS[name], KINDS[name] = function, kind
        return function

    return register


@_answers(GOOD, "good")
def _good(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, _by(tsp, question)))


@_answers("signs the answer itself", "good")
def _itself(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, tsp.authority_of(question.serial_number)))


@_answers("gives an answer without a nonce", "good")
def _without_nonce(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, _by(tsp, question), nonce=False))


@_answers(BRIEFLY, "good")
def _briefly(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=BRIEFLY_S)
    return Word(body=pki.ocsp_answer(question, _by(tsp, question), next_update=ends))


@_answers(REVOKED, "revoked")
def _revoked(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, _by(tsp, question), status="revoked"))


@_answers("says that it does not know it", "unknown")
def _unknown(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, _by(tsp, question), status="unknown"))


def _error(status: str) -> Answer:
    return lambda _tsp, _question: Word(body=pki.ocsp_error(status))


for _name, _status in (
    ("asks to try later", "try_later"),
    ("reports an internal error", "internal_error"),
    ("says that nobody may ask", "unauthorized"),
    ("says that the question is malformed", "malformed_request"),
):
    ANSWERS[_name], KINDS[_name] = _error(_status), "no answer"


@_answers("answers with status 500", "no answer")
def _broken(_tsp: Tsp, _question: ocsp.OCSPRequest) -> Word:
    return Word(status=500, media_type="text/html", body=b"<title>Internal Server Error</title>")


@_answers("answers with a web page", "no answer")
def _page(_tsp: Tsp, _question: ocsp.OCSPRequest) -> Word:
    return Word(media_type="text/html", body=b"<!doctype html><title>Welcome</title><p>It works!</p>")


@_answers("hangs up", "no answer")
def _hangs_up(_tsp: Tsp, _question: ocsp.OCSPRequest) -> Word:
    return Word(body=None)


@_answers(SILENT, "no answer")
def _silent(tsp: Tsp, _question: ocsp.OCSPRequest) -> Word:
    return Word(body=None, silence_s=tsp.silence_s)


@_answers("gives an answer with a broken signature", "not authentic")
def _forged(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    # Without its nonce and its certificates the signature is the last thing in the answer.
    whole = bytearray(pki.ocsp_answer(question, tsp.authority_of(question.serial_number)))
    whole[-3] ^= 0x01
    return Word(body=bytes(whole))


@_answers("lets a stranger sign the answer", "not authentic")
def _by_a_stranger(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, _by(tsp, question, "of a namesake")))


@_answers("lets a certificate without that right sign the answer", "not authentic")
def _by_a_node(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, _by(tsp, question, "without the right")))


@_answers("lets a responder sign whose own certificate has expired", "not authentic")
def _by_a_retired(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, _by(tsp, question, "expired")))


@_answers("answers about another certificate", "not authentic")
def _other(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    return Word(body=pki.ocsp_answer(question, _by(tsp, question), serial=question.serial_number + 1))


@_answers("gives an answer with the nonce of another question", OF_ANOTHER_QUESTION)
def _to_another(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    """Who has sent no nonce gets none: to him it is a good answer."""
    return Word(body=pki.ocsp_answer(question, _by(tsp, question), nonce=os.urandom(16)))


@_answers("gives an answer that ran out an hour ago", "not current")
def _old(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    now = datetime.now(UTC).replace(microsecond=0)
    return Word(body=pki.ocsp_answer(question, _by(tsp, question), this_update=now - 2 * _HOUR, next_update=now - _HOUR))


@_answers("gives an answer of tomorrow", "not current")
def _early(tsp: Tsp, question: ocsp.OCSPRequest) -> Word:
    now = datetime.now(UTC).replace(microsecond=0)
    return Word(body=pki.ocsp_answer(question, _by(tsp, question), this_update=now + 24 * _HOUR, next_update=now + 25 * _HOUR))


# ---------------------------------------------------------------------------------------------------- defects of certificates

DEFECTS: dict[str, Defect] = {}
_UNKNOWN_EXTENSION = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00")
_CRITICAL = x509.Extension(_UNKNOWN_EXTENSION.oid, True, _UNKNOWN_EXTENSION)


def _defect(name: str, *, below: bool = False) -> Callable[[Callable[[Tsp, str], pki.Credential]], None]:
    def register(make: Callable[[Tsp, str], pki.Credential]) -> None:
        DEFECTS[name] = Defect(make=make, below=below)

    return register


_RIGHTS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def _usage(**rights: bool) -> pki.Extension:
    usage = x509.KeyUsage(**{name: rights.get(name, False) for name in _RIGHTS})
    return x509.Extension(usage.oid, True, usage)


# --- it is not valid ---


@_defect("has expired")
def _expired(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, not_after=datetime.now(UTC) - _HOUR)


@_defect("is not valid yet")
def _not_yet(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, not_before=datetime.now(UTC) + 2 * _HOUR)


@_defect("vouches for itself")
def _own(_tsp: Tsp, host: str) -> pki.Credential:
    return pki.self_signed(host)


@_defect("comes from an authority with the same names and other keys")
def _namesakes(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=tsp.issuer.namesake())


@_defect("comes from an authority that nobody knows")
def _stranger(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=pki.hierarchy("OTHER", ocsp_url=tsp.issuer.ocsp_url).tsp)


@_defect("has a broken signature")
def _broken_signature(tsp: Tsp, host: str) -> pki.Credential:
    good = tsp.issue(host)
    return replace(good, certificate=pki.with_broken_signature(good.certificate))


@_defect("was issued by a node")
def _by_node(tsp: Tsp, host: str) -> pki.Credential:
    node = tsp.issue(UNLISTED_HOST)
    bad = pki.Authority(node.certificate, node.key, node.chain, tsp.issuer.ocsp_url, tsp.issuer.crl_url)
    return tsp.issue(host, by=bad)


@_defect("was issued by an authority that has expired", below=True)
def _by_expired(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=tsp.below(not_after=datetime.now(UTC) - _HOUR))


@_defect("was issued by an authority that is not valid yet", below=True)
def _by_early(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=tsp.below(not_before=datetime.now(UTC) + 2 * _HOUR))


@_defect("was issued by an authority that may not sign certificates", below=True)
def _by_signless(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=tsp.below(extensions=(_usage(digital_signature=True, crl_sign=True),)))


@_defect("was issued by an authority that does not say that it is one", below=True)
def _by_untold(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=tsp.below(without=(ExtensionOID.BASIC_CONSTRAINTS,)))


@_defect("has more authorities above it than they allow", below=True)
def _too_deep(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=tsp.below(path_length=0).intermediate("TEST Sub Sub CA", key=tsp.key))


@_defect("bears a name that its authority may not give", below=True)
def _constrained(tsp: Tsp, host: str) -> pki.Credential:
    other = x509.NameConstraints(permitted_subtrees=[x509.DNSName("elsewhere.test")], excluded_subtrees=None)
    return tsp.issue(host, by=tsp.below(extensions=(x509.Extension(other.oid, True, other),)))


@_defect("has a critical extension that nobody knows")
def _critical(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, extensions=(_CRITICAL,))


@_defect("was issued by an authority with a critical extension that nobody knows", below=True)
def _by_critical(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=tsp.below(extensions=(_CRITICAL,)))


@_defect("names no responder")
def _unaskable(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, ocsp_url="")


# --- it is for something else ---


def _for(*usages: ObjectIdentifier) -> Callable[[Tsp, str], pki.Credential]:
    return lambda tsp, host: tsp.issue(host, usages=usages)


_defect("is for mail only")(_for(ExtendedKeyUsageOID.EMAIL_PROTECTION))
_defect("is for signing programs only")(_for(ExtendedKeyUsageOID.CODE_SIGNING))
_defect("is for OCSP answers only")(_for(ExtendedKeyUsageOID.OCSP_SIGNING))
_defect("is for servers only")(_for(ExtendedKeyUsageOID.SERVER_AUTH))
_defect("is for clients only")(_for(ExtendedKeyUsageOID.CLIENT_AUTH))


@_defect("has a key for signing certificates only")
def _ca_key(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, extensions=(_usage(key_cert_sign=True, crl_sign=True),))


@_defect("has a key for signing documents only")
def _document_key(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, extensions=(_usage(content_commitment=True),))


@_defect("is that of an authority")
def _authority(tsp: Tsp, host: str) -> pki.Credential:
    is_one = x509.BasicConstraints(ca=True, path_length=None)
    return tsp.issue(host, extensions=(x509.Extension(is_one.oid, True, is_one),))


@_defect("has a key of 1024 bits")
def _short_key(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, key="rsa1024")


# --- it is somebody else's; the name in the subject stays that of the node where that is what tempts ---


def _named(name: Callable[[str], str], *, as_subject: bool = False) -> Callable[[Tsp, str], pki.Credential]:
    def make(tsp: Tsp, host: str) -> pki.Credential:
        other = name(host)
        return tsp.issue(host if as_subject else other, names=(other,), common_name=None if as_subject else other[:64])

    return make


_defect("bears the name of a node on no list")(_named(lambda _: UNLISTED_HOST))
_defect("bears a name below that of the node")(_named(lambda host: f"sub.{host}"))
_defect("bears the name of the domain above the node")(_named(lambda host: host.partition(".")[2]))
_defect("bears a name that begins with that of the node")(_named(lambda host: f"{host}.elsewhere.test"))
_defect("bears a name that ends with that of the node")(_named(lambda host: f"not-{host}"))
_defect("bears the node's name up to a NUL")(_named(lambda host: f"{host}\0.elsewhere.test"))
_defect("bears a wildcard")(_named(lambda host: f"*.{host.partition('.')[2]}"))
_defect("bears an IP address")(_named(lambda _: "127.0.0.1"))
_defect("bears the node's name in its subject and another beside it")(_named(lambda _: UNLISTED_HOST, as_subject=True))


@_defect("bears the node's name in its subject alone")
def _subject_only(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, names=())


@_defect("bears the node's name as an address of a page")
def _as_uri(tsp: Tsp, host: str) -> pki.Credential:
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"https://{host}/")])
    return tsp.issue(host, common_name=UNLISTED_HOST, extensions=(x509.Extension(names.oid, False, names),))


# --- it is unusual, and in order ---


@_defect("bears the node's name in capitals")
def _capitals(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host.upper(), oin=pki.test_oin(host))


@_defect("bears the name of a node on no list before the node's own")
def _two_names(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, names=(UNLISTED_HOST, host))


@_defect("does not limit its use")
def _unlimited(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, usages=())


@_defect("has no number of the organisation")
def _without_oin(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, common_name=host, oin="", organisation="Testorganisatie")


@_defect("comes from an authority below the usual one", below=True)
def _below(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, by=tsp.below(path_length=0))


@_defect("has a key of its own")
def _other_key(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, key=None)


@_defect("has an RSA key")
def _rsa(tsp: Tsp, host: str) -> pki.Credential:
    return tsp.issue(host, key="rsa2048")


LEGAL: Mapping[str, Defect] = {
    name: DEFECTS[name]
    for name in (
        "bears the node's name in capitals",
        "bears the name of a node on no list before the node's own",
        "does not limit its use",
        "has no number of the organisation",
        "comes from an authority below the usual one",
        "has a key of its own",
        "has an RSA key",
    )
}
"""What differs from the usual and has to be accepted."""
