"""Keys and certificates of a test PKI that looks like PKIoverheid, and signatures made with them.

Everything is made in memory; nothing here opens a socket. The defaults give a certificate that a gateway has no
reason to refuse, so a caller names only what has to be wrong::

    tsp = hierarchy().tsp
    good = tsp.issue("za.example.test")
    expired = tsp.issue("za.example.test", not_after=datetime.now(UTC) - timedelta(minutes=1))
    anonymous = tsp.issue("za.example.test", without=(ExtensionOID.SUBJECT_ALTERNATIVE_NAME,))
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID, ObjectIdentifier

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Extension = x509.Extension[x509.ExtensionType]

#: PKIoverheid domain Private Services, server certificate (G1): the policy of the MedMij back channel.
SERVICES_SERVER = "2.16.528.1.1003.1.2.8.6"
CPS_URL = "https://ca.harness.test/cps"
OCSP_URL = "http://ocsp.harness.test"
CRL_URL = "http://crl.harness.test/ca.crl"
SERVER_AND_CLIENT = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)

CLOCK_SKEW = timedelta(days=1)
LEAF_LIFETIME = timedelta(days=90)
AUTHORITY_LIFETIME = timedelta(days=3650)

# No organisation has this number of the trade register, so no certificate of ours can be taken for somebody's.
_ORGANISATION_IDENTIFIER = "NTRNL-00000000"


def make_key(kind: str = "p256") -> PrivateKey:
    """A new private key: ``p256`` (made in a millisecond), ``p384``, or ``rsa`` and a size, as in ``rsa3072`` (slow).

    Raises ``ValueError`` for another kind, or for a size that no library makes any more (below 1024 bits).
    """
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "p384":
        return ec.generate_private_key(ec.SECP384R1())
    if kind.startswith("rsa") and kind[3:].isdecimal():
        return rsa.generate_private_key(public_exponent=65537, key_size=int(kind[3:]))
    raise ValueError(f"unknown kind of key {kind!r}: p256, p384 or rsa with its size, such as rsa3072")


def key_fits(certificate: x509.Certificate, key: PrivateKey) -> bool:
    """Whether ``key`` is the private half of the public key in ``certificate``."""
    return _public_bytes(certificate.public_key()) == _public_bytes(key.public_key())


@dataclass(frozen=True)
class Credential:
    """A certificate with its private key, and its issuers from the nearest one up to, but without, the root."""

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes, password: bytes | None = None) -> Self:
        """Reads a PEM file with a leaf and perhaps issuers, in any order, and a PEM key (they may be the same file).

        Raises ``ValueError`` if either is unreadable, or if no certificate fits the key.
        """
        return cls._assemble(x509.load_pem_x509_certificates(certificate), _load_key(key, password))

    @classmethod
    def from_pkcs12(cls, data: bytes, password: bytes | None = None) -> Self:
        """Reads a PKCS#12 file. Raises ``ValueError`` for a wrong password, or without a key and its certificate."""
        key, leaf, others = pkcs12.load_key_and_certificates(data, password)
        if leaf is None:
            raise ValueError("the PKCS#12 file holds no key with a certificate that fits it")
        return cls._assemble([leaf, *others], _supported(key))

    @classmethod
    def _assemble(cls, certificates: Sequence[x509.Certificate], key: PrivateKey) -> Self:
        leaf = next((certificate for certificate in certificates if key_fits(certificate, key)), None)
        if leaf is None:
            raise ValueError("no certificate in the file fits the key")
        return cls(leaf, key, _chain(leaf, certificates))

    @property
    def certificate_pem(self) -> bytes:
        """The leaf and its chain, as a TLS server or client sends them."""
        return b"".join(_pem(certificate) for certificate in (self.certificate, *self.chain))

    @property
    def key_pem(self) -> bytes:
        """The private key as PKCS#8, not encrypted."""
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the leaf, 64 lower-case hexadecimal digits."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def pkcs12(self, password: str) -> bytes:
        """Key, leaf and chain as an encrypted PKCS#12 file; the password must not be empty."""
        return pkcs12.serialize_key_and_certificates(
            None,
            self.key,
            self.certificate,
            self.chain,
            serialization.BestAvailableEncryption(password.encode()),
        )

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Writes ``name.pem`` (leaf and chain) and ``name.key`` (mode 0600) to an existing folder; returns both."""
        return write_pair(folder, name, self.certificate_pem, self.key_pem)


def write_pair(folder: Path, name: str, certificate_pem: bytes, key_pem: bytes) -> tuple[Path, Path]:
    """Writes PEM texts as ``name.pem`` and ``name.key`` (mode 0600) to an existing folder; returns both."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(certificate_pem)
    # The mode is set before the secret is written: at no moment can another user read it.
    key.touch(mode=0o600)
    key.chmod(0o600)
    key.write_bytes(key_pem)
    return certificate, key


def trust_store(certificate: bytes, password: str) -> bytes:
    """A PEM certificate of an authority as a PKCS#12 trust store, as Java reads it; the password must not be empty."""
    trusted = pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(certificate), b"medmij-test-ca")
    return pkcs12.serialize_java_truststore([trusted], serialization.BestAvailableEncryption(password.encode()))


@dataclass(frozen=True)
class Authority:
    """A certificate authority, root or intermediate, that issues certificates and knows the way up to its root.

    ``chain`` are its own issuers without the root. Every certificate it issues names ``ocsp_url`` and ``crl_url``; an
    empty one is left out. Intermediates name them too, so an OCSP responder of a hierarchy answers for all its layers.
    """

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...] = ()
    ocsp_url: str = ""
    crl_url: str = ""

    @classmethod
    def root(
        cls,
        name: str,
        *,
        key: str | PrivateKey | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        ocsp_url: str = OCSP_URL,
        crl_url: str = CRL_URL,
    ) -> Self:
        """A self-signed root with common name ``name``, valid for ten years."""
        own = _key(key)
        period = _period(not_before, not_after, AUTHORITY_LIFETIME)
        extensions = _authority_extensions(own, issuer=None, path_length=None)
        subject = _authority_name(name)
        certificate = _sign(subject, subject, own, own, period, extensions)
        return cls(certificate, own, (), ocsp_url, crl_url)

    @classmethod
    def from_pem(
        cls,
        certificate: bytes,
        key: bytes,
        password: bytes | None = None,
        *,
        ocsp_url: str = "",
        crl_url: str = "",
    ) -> Self:
        """An existing authority: a PEM file with its certificate and perhaps its issuers, and its key.

        Raises ``ValueError`` if either is unreadable, or if no certificate fits the key.
        """
        credential = Credential.from_pem(certificate, key, password)
        return cls(credential.certificate, credential.key, credential.chain, ocsp_url, crl_url)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate of this authority alone: what a peer puts into its trust store if this is the root."""
        return _pem(self.certificate)

    @property
    def path_length(self) -> int | None:
        """How many authorities may follow this one before a leaf; None: any number, or it does not say."""
        try:
            return self.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length
        except x509.ExtensionNotFound:
            return None

    def namesake(self) -> Self:
        """An authority with the same names up to the root, and other keys: what somebody can make who is no authority."""
        above = (self.certificate, *self.chain)
        names = [above[-1].issuer, *(c.subject for c in reversed(above) if not _is_self_issued(c))]
        made = type(self).root("TEST", ocsp_url=self.ocsp_url, crl_url=self.crl_url)
        for number, name in enumerate(names):
            key = make_key()
            extensions = _authority_extensions(key, issuer=made if number else None, path_length=None)
            period = _period(None, None, AUTHORITY_LIFETIME)
            certificate = _sign(name, names[max(number - 1, 0)], key, made.key if number else key, period, extensions)
            made = type(self)(certificate, key, made._chain_below() if number else (), self.ocsp_url, self.crl_url)
        return made

    def intermediate(
        self,
        name: str,
        *,
        key: str | PrivateKey | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        path_length: int | None = None,
        policies: Sequence[str] = (SERVICES_SERVER,),
        ocsp_url: str | None = None,
        crl_url: str | None = None,
        without: Iterable[ObjectIdentifier] = (),
        extensions: Iterable[Extension] = (),
    ) -> Self:
        """An authority below this one, valid for ten years.

        ``path_length`` is how many authorities may follow it before a leaf (``None``: no limit). The addresses are
        those that it writes into what it issues, by default the same as this authority's. ``without`` and ``extensions`` as
        in ``issue``.
        """
        own = _key(key)
        profile = [
            *_authority_extensions(own, issuer=self, path_length=path_length),
            *_status_extensions(self.ocsp_url, self.crl_url),
            *_policy_extensions(policies),
        ]
        amended = _amended(profile, without, extensions)
        period = _period(not_before, not_after, AUTHORITY_LIFETIME)
        certificate = _sign(_authority_name(name), self.certificate.subject, own, self.key, period, amended)
        return type(self)(
            certificate,
            own,
            self._chain_below(),
            self.ocsp_url if ocsp_url is None else ocsp_url,
            self.crl_url if crl_url is None else crl_url,
        )

    def issue(
        self,
        hostname: str,
        *,
        organisation: str = "Testorganisatie",
        names: Sequence[str] | None = None,
        common_name: str | None = None,
        oin: str | None = None,
        key: str | PrivateKey | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        serial: int | None = None,
        ocsp_url: str | None = None,
        crl_url: str | None = None,
        usages: Sequence[ObjectIdentifier] = SERVER_AND_CLIENT,
        policies: Sequence[str] = (SERVICES_SERVER,),
        without: Iterable[ObjectIdentifier] = (),
        extensions: Iterable[Extension] = (),
    ) -> Credential:
        """A leaf for ``hostname`` after the PKIoverheid profile, with a chain up to the root, valid for 90 days.

        Subject: C, O, organizationIdentifier, serialNumber (an OIN of the test range, one per host name), CN. A date
        given alone moves the other one, so an expired certificate needs ``not_after`` only.

        - ``names``: subject alternative names, by default the host name; an IP address becomes an ``iPAddress``.
        - ``key``: a kind for ``make_key``, or an existing key.
        - ``ocsp_url``, ``crl_url``: by default the authority's. An empty one is left out of the certificate, and so is
          an empty ``names``, ``usages``, ``policies``, ``organisation``, ``common_name`` or ``oin``.
        - ``without``: object identifiers of extensions to leave out.
        - ``extensions``: each takes the place of the default one of its kind, or comes in addition.

        Raises ``ValueError`` for what no certificate can say, such as a common name of more than 64 characters.
        """
        own = _key(key)
        profile = [
            *_leaf_extensions(own, self, (hostname,) if names is None else names, usages),
            *_status_extensions(self.ocsp_url if ocsp_url is None else ocsp_url, self.crl_url if crl_url is None else crl_url),
            *_policy_extensions(policies),
        ]
        certificate = _sign(
            _leaf_name(hostname, organisation, common_name, oin),
            self.certificate.subject,
            own,
            self.key,
            _period(not_before, not_after, LEAF_LIFETIME),
            _amended(profile, without, extensions),
            serial=serial,
        )
        return Credential(certificate, own, self._chain_below())

    def _chain_below(self) -> tuple[x509.Certificate, ...]:
        """What a certificate of this authority needs above it to reach the root."""
        return self.chain if _is_self_issued(self.certificate) else (self.certificate, *self.chain)


class Hierarchy(NamedTuple):
    """The three authorities above a PKIoverheid leaf: root, domain, and trust service provider (TSP), which issues."""

    root: Authority
    domain: Authority
    tsp: Authority


def hierarchy(
    name: str = "TEST",
    *,
    key: str | PrivateKey | None = None,
    ocsp_url: str = OCSP_URL,
    crl_url: str = CRL_URL,
    path_length: int | None = 0,
    authorities_ocsp_url: str | None = None,
) -> Hierarchy:
    """A hierarchy of four layers, leaf included, as PKIoverheid has: software that stops at three is a known fault.

    ``name`` begins every common name and tells hierarchies apart; ``path_length`` is that of the TSP. ``authorities_ocsp_url`` is
    what root and domain write into what they issue, by default the same as the TSP.
    """
    above = ocsp_url if authorities_ocsp_url is None else authorities_ocsp_url
    root = Authority.root(f"{name} Private Root CA - G1", key=key, ocsp_url=above, crl_url=crl_url)
    domain = root.intermediate(f"{name} Private Services CA - G1", key=key)
    tsp = domain.intermediate(f"{name} TSP Private Services CA - G1", key=key, path_length=path_length, ocsp_url=ocsp_url)
    return Hierarchy(root, domain, tsp)


def self_signed(
    hostname: str,
    *,
    organisation: str = "Testorganisatie",
    names: Sequence[str] | None = None,
    key: str | PrivateKey | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    usages: Sequence[ObjectIdentifier] = SERVER_AND_CLIENT,
    policies: Sequence[str] = (SERVICES_SERVER,),
) -> Credential:
    """A leaf with the same contents that vouches for itself: no authority, so no OCSP or CRL address.

    Options and errors as ``Authority.issue``.
    """
    own = _key(key)
    subject = _leaf_name(hostname, organisation, None, None)
    extensions = [
        *_leaf_extensions(own, None, (hostname,) if names is None else names, usages),
        *_policy_extensions(policies),
    ]
    certificate = _sign(subject, subject, own, own, _period(not_before, not_after, LEAF_LIFETIME), extensions)
    return Credential(certificate, own)


def sign_detached(data: bytes, credential: Credential) -> bytes:
    """A CMS (PKCS#7) signature over ``data``, detached and binary, in DER, with the signer's chain inside.

    Verify with ``openssl cms -verify -binary -content FILE -inform DER -in FILE.p7s -CAfile root.pem -purpose any``.
    """
    builder = pkcs7.PKCS7SignatureBuilder().set_data(data)
    builder = builder.add_signer(credential.certificate, credential.key, hashes.SHA256())
    for certificate in credential.chain:
        builder = builder.add_certificate(certificate)
    return builder.sign(serialization.Encoding.DER, [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary])


# --- OCSP -------------------------------------------------------------------------------------------------------------

OCSP_LIFETIME = timedelta(hours=1)


def ocsp_signer(issuer: Authority, name: str = "TEST OCSP", **options: Any) -> Credential:
    """A responder to which an authority has left its OCSP answers (RFC 6960 4.2.2.2); options as ``Authority.issue``."""
    usage = {"usages": (ExtendedKeyUsageOID.OCSP_SIGNING,), "extensions": (_extension(x509.OCSPNoCheck()),)}
    return issuer.issue(name.lower().replace(" ", "-"), common_name=name, names=(), ocsp_url="", **{**usage, **options})


def ocsp_answer(
    request: ocsp.OCSPRequest,
    signer: Credential | Authority,
    *,
    status: str = "good",
    serial: int | None = None,
    this_update: datetime | None = None,
    next_update: datetime | Literal["default"] | None = "default",
    nonce: bool | bytes = True,
) -> bytes:
    """A signed OCSP answer in DER: ``status`` is good, revoked (an hour ago) or unknown; valid for an hour from now.

    ``serial`` is another than was asked about; ``next_update`` None leaves it out; a nonce comes back when there was one and
    ``nonce``: the same, or these octets instead. A delegated signer's certificate is inside.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    begins = this_update or now - timedelta(minutes=1)  # against slow clocks
    revoked = status == "revoked"
    builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
        issuer_name_hash=request.issuer_name_hash,
        issuer_key_hash=request.issuer_key_hash,
        serial_number=request.serial_number if serial is None else serial,
        algorithm=request.hash_algorithm,
        cert_status=getattr(ocsp.OCSPCertStatus, status.upper()),
        this_update=begins,
        next_update=max(begins, now) + OCSP_LIFETIME if next_update == "default" else next_update,
        revocation_time=now - timedelta(hours=1) if revoked else None,
        revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    if isinstance(signer, Credential):
        builder = builder.certificates([signer.certificate])
    asked = next((e.value for e in request.extensions if isinstance(e.value, x509.OCSPNonce)), None)
    if nonce and asked:
        builder = builder.add_extension(x509.OCSPNonce(nonce) if isinstance(nonce, bytes) else asked, critical=False)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def ocsp_error(status: str) -> bytes:
    """An OCSP answer without content: malformed_request, internal_error, try_later, sig_required or unauthorized; in DER."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(getattr(ocsp.OCSPResponseStatus, status.upper())).public_bytes(
        serialization.Encoding.DER
    )


def with_broken_signature(certificate: x509.Certificate) -> x509.Certificate:
    """The same certificate, signed by nobody: one octet of its signature is another."""
    der = bytearray(certificate.public_bytes(serialization.Encoding.DER))
    der[-5] ^= 0x01
    return x509.load_der_x509_certificate(bytes(der))


# --- names, dates and keys -------------------------------------------------------------------------------------------


def _authority_name(name: str) -> x509.Name:
    return _name(
        (NameOID.COUNTRY_NAME, "NL"),
        (NameOID.ORGANIZATION_NAME, "MedMij conformance harness (TEST)"),
        (NameOID.ORGANIZATION_IDENTIFIER, _ORGANISATION_IDENTIFIER),
        (NameOID.COMMON_NAME, name),
    )


def _leaf_name(hostname: str, organisation: str, common_name: str | None, oin: str | None) -> x509.Name:
    return _name(
        (NameOID.COUNTRY_NAME, "NL"),
        (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.ORGANIZATION_IDENTIFIER, _ORGANISATION_IDENTIFIER),
        (NameOID.SERIAL_NUMBER, test_oin(hostname) if oin is None else oin),
        (NameOID.COMMON_NAME, hostname if common_name is None else common_name),
    )


def _name(*attributes: tuple[ObjectIdentifier, str]) -> x509.Name:
    """A distinguished name; empty attributes are left out."""
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes if value])


def test_oin(hostname: str) -> str:
    """An OIN (twenty digits: prefix, number, 000) of the test range 00000099, the same for the same host name."""
    number = int.from_bytes(hashlib.sha256(hostname.encode()).digest()[:8]) % 10**9
    return f"00000099{number:09}000"


def _period(not_before: datetime | None, not_after: datetime | None, lifetime: timedelta) -> tuple[datetime, datetime]:
    """From yesterday, against slow clocks, for ``lifetime``; a date that is given pulls the other one along."""
    yesterday = datetime.now(UTC) - CLOCK_SKEW
    if not_before is None:
        not_before = yesterday if not_after is None else min(yesterday, not_after - lifetime)
    return not_before, not_before + lifetime if not_after is None else not_after


def _key(wanted: str | PrivateKey | None) -> PrivateKey:
    if wanted is None:
        return make_key()
    return make_key(wanted) if isinstance(wanted, str) else wanted


def _load_key(pem: bytes, password: bytes | None) -> PrivateKey:
    try:
        return _supported(serialization.load_pem_private_key(pem, password))
    except TypeError as error:  # what the library raises when a password is missing, or given for a key without one
        raise ValueError(str(error)) from error


def _supported(key: object) -> PrivateKey:
    if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        return key
    raise ValueError("only elliptic curve and RSA keys are supported")


# --- certificates ----------------------------------------------------------------------------------------------------


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    issuer_key: PrivateKey,
    period: tuple[datetime, datetime],
    extensions: Iterable[Extension],
    *,
    serial: int | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() if serial is None else serial)
        .not_valid_before(period[0])
        .not_valid_after(period[1])
    )
    for extension in extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(issuer_key, hashes.SHA256())


def _extension(value: x509.ExtensionType, *, critical: bool = False) -> Extension:
    return x509.Extension(value.oid, critical, value)


def _authority_extensions(key: PrivateKey, issuer: Authority | None, path_length: int | None) -> list[Extension]:
    return [
        _extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True),
        _extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True),
        *_key_identifiers(key, issuer),
    ]


def _leaf_extensions(
    key: PrivateKey, issuer: Authority | None, names: Sequence[str], usages: Sequence[ObjectIdentifier]
) -> list[Extension]:
    # The profile asks for keyEncipherment too. RFC 8813 forbids it for elliptic curve keys, and peers may refuse it.
    key_usage = _key_usage(digital_signature=True, key_encipherment=isinstance(key, rsa.RSAPrivateKey))
    extensions = [
        _extension(x509.BasicConstraints(ca=False, path_length=None), critical=True),
        _extension(key_usage, critical=True),
        *_key_identifiers(key, issuer),
    ]
    if names:
        extensions.append(_extension(x509.SubjectAlternativeName([_general_name(name) for name in names])))
    if usages:
        extensions.append(_extension(x509.ExtendedKeyUsage(usages)))
    return extensions


def _key_usage(
    *,
    digital_signature: bool = False,
    key_encipherment: bool = False,
    key_cert_sign: bool = False,
    crl_sign: bool = False,
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _key_identifiers(key: PrivateKey, issuer: Authority | None) -> list[Extension]:
    subject = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    above = subject if issuer is None else _subject_key_identifier(issuer.certificate)
    return [
        _extension(subject),
        _extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(above)),
    ]


def _subject_key_identifier(certificate: x509.Certificate) -> x509.SubjectKeyIdentifier:
    """As the certificate states it: an authority from outside need not have computed it as we do."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key())


def _status_extensions(ocsp_url: str, crl_url: str) -> list[Extension]:
    """Where to ask whether the certificate was revoked."""
    extensions = []
    if ocsp_url:
        ocsp = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url))
        extensions.append(_extension(x509.AuthorityInformationAccess([ocsp])))
    if crl_url:
        point = x509.DistributionPoint([x509.UniformResourceIdentifier(crl_url)], None, None, None)
        extensions.append(_extension(x509.CRLDistributionPoints([point])))
    return extensions


def _policy_extensions(policies: Sequence[str]) -> list[Extension]:
    if not policies:
        return []
    information = [x509.PolicyInformation(ObjectIdentifier(policy), [CPS_URL]) for policy in policies]
    return [_extension(x509.CertificatePolicies(information))]


def _amended(
    extensions: Iterable[Extension],
    without: Iterable[ObjectIdentifier],
    instead: Iterable[Extension],
) -> list[Extension]:
    """``extensions``, with each of ``instead`` in the place of the one of its kind, and those of ``without`` gone."""
    by_kind = {extension.oid: extension for extension in extensions}
    by_kind.update((extension.oid, extension) for extension in instead)
    for kind in without:
        by_kind.pop(kind, None)
    return list(by_kind.values())


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _chain(leaf: x509.Certificate, certificates: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The issuers of ``leaf`` among ``certificates``, nearest first, without the root and without strangers."""
    issuers = {certificate.subject: certificate for certificate in certificates if not _is_self_issued(certificate)}
    chain: list[x509.Certificate] = []
    issuer = issuers.pop(leaf.issuer, None)
    while issuer is not None:  # each issuer is taken out, so a ring of certificates ends too
        chain.append(issuer)
        issuer = issuers.pop(issuer.issuer, None)
    return tuple(chain)


def _is_self_issued(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _public_bytes(key: PublicKeyTypes) -> bytes:
    """The public key in one canonical form, so that two can be compared whatever their type."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
