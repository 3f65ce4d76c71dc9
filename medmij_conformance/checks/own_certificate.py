"""The certificates that the gateway under test shows: NET.2 and the PKIoverheid profile, and NIB A.10.1.2.

``chains`` are what it sent, its own certificate first, with the authorities that the target file trusts. On a test system the chain
ends in an authority of a test, and the profile can differ from that of PKIoverheid: what only the profile asks is a warning.
"""

import base64
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from medmij_conformance.checks._sessions import NOT_AT_WORK
from medmij_conformance.evidence import Observation
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

A_YEAR = timedelta(days=366)
_LONGEST = timedelta(days=3 * 366)
_OIN_DIGITS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What a gateway showed as ``used_as`` (server or client), under which name, when; whom the target file trusts for it."""

    place: str
    host: str
    used_as: str
    at: datetime
    certificates: tuple[x509.Certificate, ...]
    authorities: tuple[x509.Certificate, ...]

    @property
    def leaf(self) -> x509.Certificate:
        """The gateway's own certificate."""
        return self.certificates[0]


def _judged(chains: Sequence[Observation], at_work: bool, rule: Callable[[Chain], Findings]) -> Findings:
    """What a rule finds in each chain. Raises ``CannotJudgeError`` when all is well, but one place showed nothing, or nothing else
    of the gateway was seen."""
    findings: list[Finding] = []
    unseen = ""
    for observation in chains:
        facts = observation.facts
        if facts["certificates"]:
            findings += _read(facts, rule)
        else:
            unseen = f"{facts['place']}: no certificate was seen"
    if (unseen or not at_work) and not any(finding.outcome is Outcome.FAIL for finding in findings):
        raise CannotJudgeError(unseen or NOT_AT_WORK)
    yield from findings


def _read(facts: Mapping[str, Any], rule: Callable[[Chain], Findings]) -> list[Finding]:
    try:
        return list(rule(_chain(facts)))
    except ValueError as error:  # whatever a gateway shows is read here for the first time
        return [Finding(expected="certificates that can be read", observed=f"{facts['place']}: {error}")]


def _chain(facts: Mapping[str, Any]) -> Chain:
    return Chain(
        place=facts["place"],
        host=facts["host"],
        used_as=facts["used_as"],
        at=datetime.fromisoformat(facts["at"]),
        certificates=tuple(_certificate(text) for text in facts["certificates"]),
        authorities=tuple(_certificate(text) for text in facts["authorities"]),
    )


def _certificate(text: str) -> x509.Certificate:
    return x509.load_der_x509_certificate(base64.b64decode(text))


@check("NET.2", then="its certificates lead up to the authority that is trusted")
def chain_leads_to_the_authority(chains: tuple[Observation, ...], at_work: bool) -> Findings:
    """The certificate is sent with every authority up to the trusted one, in order, each valid and entitled to sign."""
    yield from _judged(chains, at_work, _chain_leads_to_the_authority)


def _chain_leads_to_the_authority(chain: Chain) -> Findings:
    for fault in _chain_faults(chain):
        yield Finding(
            expected="a complete and valid chain, the gateway's own certificate first", observed=f"{chain.place}: {fault}"
        )


@check("NET.2", then="its certificates bear the name of the gateway, and no wildcard")
def certificate_bears_the_host_name(chains: tuple[Observation, ...], at_work: bool) -> Findings:
    """The host name of the gateway stands among the dNSName entries of its certificate, which has no wildcard."""
    yield from _judged(chains, at_work, _certificate_bears_the_host_name)


def _certificate_bears_the_host_name(chain: Chain) -> Findings:
    names = _dns_names(chain.leaf)
    shown = ", ".join(names) or "no dNSName"
    if chain.host.lower() not in names:
        yield Finding(expected=f"the dNSName {chain.host}", observed=f"{chain.place}: {shown}")
    if any("*" in name for name in names):
        yield Finding(expected="no wildcard", observed=f"{chain.place}: {shown}")


@check("NET.2", then="its certificates serve a server and a client")
def certificate_serves_both_ways(chains: tuple[Observation, ...], at_work: bool) -> Findings:
    """The certificate is no authority's and may be used as it is used; that it serves the other direction as well is AMB.48."""
    yield from _judged(chains, at_work, _certificate_serves_both_ways)


def _certificate_serves_both_ways(chain: Chain) -> Findings:
    if _is_authority(chain.leaf):
        yield Finding(expected="the certificate of a node", observed=f"{chain.place}: the certificate of an authority")
    usage = _value(chain.leaf, x509.KeyUsage)
    if isinstance(usage, x509.KeyUsage) and not usage.digital_signature:
        yield Finding(expected="a key usage with digitalSignature", observed=f"{chain.place}: none")
    usages = _value(chain.leaf, x509.ExtendedKeyUsage)
    for name, oid in (("server", ExtendedKeyUsageOID.SERVER_AUTH), ("client", ExtendedKeyUsageOID.CLIENT_AUTH)):
        if isinstance(usages, x509.ExtendedKeyUsage) and oid not in usages:
            needed = name == chain.used_as
            yield Finding(
                expected="an extended key usage with serverAuth and clientAuth, or none",
                observed=f"{chain.place}: it may not be used as a {name}",
                outcome=Outcome.FAIL if needed else Outcome.WARNING,
                reading="" if needed else "AMB.48",
            )


@check("NET.2", then="its certificates follow the profile of PKIoverheid")
def certificate_follows_the_profile(chains: tuple[Observation, ...], at_work: bool) -> Findings:
    """What PKIoverheid asks of a server certificate is in it: subject, policy, OCSP address, key, lifetime."""
    yield from _judged(chains, at_work, _certificate_follows_the_profile)


def _certificate_follows_the_profile(chain: Chain) -> Findings:
    faults = [fault for fault in _profile_faults(chain.leaf) if chain.used_as == "client" or chain.place != "front"]
    if faults:
        yield Finding(
            expected="a certificate after the profile of PKIoverheid for servers (Private Services, G1)",
            observed=f"{chain.place}: {'; '.join(faults)}",
            outcome=Outcome.WARNING,
            hint="on a test system only a hint; a certificate of PKIoverheid has all of it",
        )


@check("NIB.A.10.1.2", then="the key material was renewed within the year")
def key_material_is_of_this_year(chains: tuple[Observation, ...], at_work: bool) -> Findings:
    """The certificate was valid for the first time at most a year ago. Whether its key is as young, it does not tell."""
    yield from _judged(chains, at_work, _key_material_is_of_this_year)


def _key_material_is_of_this_year(chain: Chain) -> Findings:
    began = chain.leaf.not_valid_before_utc
    if chain.at - began > A_YEAR:
        yield Finding(expected="a certificate of at most 366 days old", observed=f"{chain.place}: one of {began:%Y-%m-%d}")


# --- the chain ---


def _chain_faults(chain: Chain) -> Iterator[str]:
    certificates = list(chain.certificates)
    for depth, certificate in enumerate(certificates):
        if not certificate.not_valid_before_utc <= chain.at <= certificate.not_valid_after_utc:
            period = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
            yield f"{_name(certificate)} is valid from {period}"
        below = sum(not _self_issued(each) for each in certificates[1:depth])
        if depth and (fault := _authority_fault(certificate, below)):
            yield fault
    for lower, upper in itertools.pairwise(certificates):
        if not issued(lower, upper):
            yield f"{_name(lower)} was not issued by what follows it, {_name(upper)}"
            return
    last = certificates[-1]
    known = last in chain.authorities or any(issued(last, authority) for authority in chain.authorities)
    if chain.authorities and not known:
        yield f"it ends in {_name(last)}, whose issuer is none of the authorities in [trust]: is one missing?"


def _authority_fault(certificate: x509.Certificate, below: int) -> str:
    constraints, usage = _value(certificate, x509.BasicConstraints), _value(certificate, x509.KeyUsage)
    if not _is_authority(certificate):
        return f"{_name(certificate)} is no authority"
    if isinstance(usage, x509.KeyUsage) and not usage.key_cert_sign:
        return f"{_name(certificate)} may not sign certificates"
    length = constraints.path_length if isinstance(constraints, x509.BasicConstraints) else None
    if length is not None and below > length:
        return f"{_name(certificate)} has more authorities below it than it allows"
    return ""


def issued(lower: x509.Certificate, upper: x509.Certificate) -> bool:
    """Whether the one certificate was issued by the other, by name and by signature."""
    try:
        lower.verify_directly_issued_by(upper)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _self_issued(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


# --- the profile (G1 Private Services, server) ---


def _profile_faults(leaf: x509.Certificate) -> Iterator[str]:
    yield from _subject_faults(leaf)
    if leaf.serial_number.bit_length() < 57:
        yield "a serial number of fewer than 8 octets"
    algorithm = leaf.signature_hash_algorithm
    if algorithm is not None and algorithm.digest_size < 32:
        yield f"a signature over {algorithm.name}"
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 3072:
        yield f"an RSA key of {key.key_size} bits (AMB.62: 3072 or more is good)"
    if leaf.not_valid_after_utc - leaf.not_valid_before_utc > _LONGEST:
        yield "a lifetime of more than three years"
    yield from _usage_faults(leaf, needs_encipherment=isinstance(key, rsa.RSAPublicKey))
    access = _value(leaf, x509.AuthorityInformationAccess)
    places = access if isinstance(access, x509.AuthorityInformationAccess) else ()
    if not any(p.access_method == AuthorityInformationAccessOID.OCSP and _is_http(p.access_location) for p in places):
        yield "no http address of an OCSP responder"
    for kind, name in (
        (x509.CRLDistributionPoints, "no place of a revocation list"),
        (x509.CertificatePolicies, "no policy"),
        (x509.AuthorityKeyIdentifier, "no identifier of the authority's key"),
        (x509.SubjectKeyIdentifier, "no identifier of its key"),
    ):
        if _value(leaf, kind) is None:
            yield name


def _subject_faults(leaf: x509.Certificate) -> Iterator[str]:
    for oid, name in ((NameOID.COUNTRY_NAME, "country"), (NameOID.ORGANIZATION_NAME, "organisation")):
        if not leaf.subject.get_attributes_for_oid(oid):
            yield f"no {name} in its subject"
    common = [str(each.value).lower() for each in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if not common or common[0] not in _dns_names(leaf):
        yield "a common name that is none of its dNSNames"
    for each in leaf.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER):
        number = str(each.value)
        if len(number) == _OIN_DIGITS and not (number.isdigit() and number.startswith("000000") and number.endswith("000")):
            yield "a number of its organisation that is no OIN"


def _usage_faults(leaf: x509.Certificate, *, needs_encipherment: bool) -> Iterator[str]:
    try:
        extension = leaf.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound:
        yield "no key usage"
        return
    usage = extension.value
    if not extension.critical:
        yield "a key usage that is not critical"
    if needs_encipherment and not usage.key_encipherment:
        yield "a key usage without keyEncipherment"
    if usage.content_commitment or usage.key_cert_sign or usage.crl_sign or usage.data_encipherment:
        yield "a key usage for more than TLS"


def _is_http(location: x509.GeneralName) -> bool:
    return isinstance(location, x509.UniformResourceIdentifier) and location.value.lower().startswith("http://")


# --- what is in a certificate ---


def _value(certificate: x509.Certificate, kind: type[x509.ExtensionType]) -> x509.ExtensionType | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    constraints = _value(certificate, x509.BasicConstraints)
    return isinstance(constraints, x509.BasicConstraints) and constraints.ca


def _dns_names(certificate: x509.Certificate) -> list[str]:
    names = _value(certificate, x509.SubjectAlternativeName)
    if not isinstance(names, x509.SubjectAlternativeName):
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]


def _name(certificate: x509.Certificate) -> str:
    common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return repr(str(common[0].value)[:80]) if common else "a certificate without a common name"
