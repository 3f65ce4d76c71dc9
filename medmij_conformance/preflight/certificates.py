"""Our own certificates, those whom we trust, and the issuer of ``[pki]``: dates, names, uses, chains."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shlex import quote
from typing import NamedTuple, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Use

from medmij_conformance.checks.own_certificate import issued
from medmij_conformance.preflight.fault import Fault
from medmij_conformance.target import Target

_SOON = timedelta(days=7)
_LEAST_RSA = 2048  # bits; OpenSSL refuses less


class _Keyed(Protocol):
    def credential(self) -> tuple[bytes, bytes] | None: ...


class _Own(NamedTuple):
    """A certificate of ours: its field, its file, whose it is, under which names it is shown, and what it has to be good for."""

    field: str
    file: Path
    table: _Keyed
    names: Sequence[str]
    uses: Sequence[x509.ObjectIdentifier]


def certificates(target: Target) -> Iterator[Fault]:
    """What is wrong with certificates, in the order of the file."""
    now = datetime.now(UTC)
    trusted = [each for path in target.trust.ca for each in _read(path)]
    for field, files in (("trust.ca", target.trust.ca), ("trust.front", _front(target))):
        for path in files:
            yield from _authorities(field, path, now)
    for own in _own(target):
        yield from _leaf(own, now, trusted)
    if target.pki.issuer and (pair := target.pki.credential()):
        yield from _issuer(target.pki.issuer, x509.load_pem_x509_certificates(pair[0])[0], now)


def _front(target: Target) -> Sequence[Path]:
    front = target.trust.front
    return () if front == "system" or front == target.trust.ca else front


def _own(target: Target) -> Iterator[_Own]:
    harness, role = target.harness, target.about.role
    # Towards a PGO gateway we are called; every other gateway is called by us.
    uses = (Use.SERVER_AUTH,) if role == "dvp" else (Use.CLIENT_AUTH,)
    for at, node in (("harness", harness), ("harness.other", harness.other), ("harness.unlisted", harness.unlisted)):
        if node and node.certificate:
            yield _Own(f"{at}.certificate", node.certificate, node, (node.hostname,), uses)
    if target.digid and target.login.mode == "digid" and target.digid.certificate:
        names = (target.digid.host, target.digid.back_host)
        yield _Own("digid.certificate", target.digid.certificate, target.digid, names, (Use.SERVER_AUTH,))
    if target.lists.certificate:
        yield _Own("lists.certificate", target.lists.certificate, target.lists, (target.lists.host,), (Use.SERVER_AUTH,))


def _leaf(own: _Own, now: datetime, trusted: Sequence[x509.Certificate]) -> Iterator[Fault]:
    pair = own.table.credential()
    if pair is None:
        return
    chain = x509.load_pem_x509_certificates(pair[0])
    leaf = chain[0]
    see = f"openssl x509 -in {quote(str(own.file))} -noout -text"
    yield from _dates(own.field, leaf, now, see)
    for name in own.names:
        if not _bears(leaf, name):
            yield Fault(own.field, f"{own.file.name} does not bear the name {name}", f"a dNSName {name}", see)
    for use in own.uses:
        if not _serves(leaf, use):
            kind = "clients (clientAuth)" if use == Use.CLIENT_AUTH else "servers (serverAuth)"
            yield Fault(
                own.field,
                f"{own.file.name} is not meant for {kind}",
                f"a certificate for {kind}",
                see,
            )
    if _is_authority(leaf):
        yield Fault(
            own.field,
            f"{own.file.name} begins with an authority",
            "the certificate of the node first",
            see,
        )
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA:
        expected = f"an RSA key of at least {_LEAST_RSA} bits, which TLS libraries ask for"
        yield Fault(own.field, f"{own.file.name} has an RSA key of {key.key_size} bits", expected, see)
    yield from _chain(own, chain, trusted)


def _dates(field: str, certificate: x509.Certificate, now: datetime, see: str) -> Iterator[Fault]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    name = certificate.subject.rfc4514_string()
    if ends < now:
        yield Fault(field, f"{name} ended on {ends:%Y-%m-%d %H:%M} UTC", "one that is valid today", see)
    elif begins > now:
        yield Fault(field, f"{name} begins on {begins:%Y-%m-%d %H:%M} UTC", "one that is valid today", see)
    elif ends < now + _SOON:
        problem = f"{name} ends on {ends:%Y-%m-%d %H:%M} UTC"
        yield Fault(field, problem, "one that is valid for another week", see, hinders=False)


def _chain(own: _Own, chain: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate]) -> Iterator[Fault]:
    see = f"openssl crl2pkcs7 -nocrl -certfile {quote(str(own.file))} | openssl pkcs7 -print_certs -noout"
    for lower, upper in itertools.pairwise(chain):
        if not issued(lower, upper):
            problem = f"in {own.file.name} {lower.subject.rfc4514_string()} was not issued by what follows it"
            yield Fault(own.field, problem, "a chain, the own certificate first", see)
            return
    last = chain[-1]
    if not issued(last, last) and not any(issued(last, authority) for authority in trusted):
        problem = f"the chain in {own.file.name} ends with {last.subject.rfc4514_string()}, whose issuer trust.ca does not hold"
        expected = "the certificates of the authorities below the root, so that the gateway can follow them"
        yield Fault(own.field, problem, expected, see, hinders=False)


def _authorities(field: str, path: Path, now: datetime) -> Iterator[Fault]:
    see = f"openssl x509 -in {quote(str(path))} -noout -subject -dates"
    found = _read(path)
    if not any(map(_is_authority, found)):
        yield Fault(
            field,
            f"{path.name} holds no certificate of an authority",
            "certificates of authorities",
            see,
        )
    for certificate in found:
        yield from _dates(field, certificate, now, see)


def _issuer(file: Path, issuer: x509.Certificate, now: datetime) -> Iterator[Fault]:
    see = f"openssl x509 -in {quote(str(file))} -noout -text"
    yield from _dates("pki.issuer", issuer, now, see)
    if not _is_authority(issuer):
        yield Fault("pki.issuer", f"{file.name} is no authority", "a certificate with CA:TRUE", see)
        return
    try:
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        expected = "a key usage with keyCertSign"
        yield Fault("pki.issuer", f"{file.name} may not sign certificates", expected, see)


def _read(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _bears(certificate: x509.Certificate, name: str) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        return False
    wildcard = f"*.{name.partition('.')[2]}"
    return any(each.lower() in {name.lower(), wildcard.lower()} for each in names)


def _serves(certificate: x509.Certificate, use: x509.ObjectIdentifier) -> bool:
    try:
        return use in certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
