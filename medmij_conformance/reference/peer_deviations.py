"""The ways in which a gateway can be wrong about the certificate of another node, in whichever direction: each changes one rule of
``Peers``. The roles register them with the checks that must find them.
"""
# mypy: disable-error-code="method-assign, assignment"

import base64
import http.client
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtensionOID, NameOID

from medmij_conformance.reference.deviation import Deviations
from medmij_conformance.reference.peers import Peers, RefusedError, names_of

_NOT_YET_VALID, _EXPIRED, _PURPOSE = 9, 10, 26
ASKED = "status_is_asked"
REVOKED = "revoked_certificate_opens_no_session"
UNKNOWN = "unknown_certificate_opens_no_session"
NO_ANSWER = "without_an_answer_there_is_no_session"
SOMEBODY_ELSE = "answer_of_somebody_else_opens_no_session"
NOT_CURRENT = "answer_that_is_not_current_opens_no_session"
NOTICED = "revocation_is_noticed_in_time"
STATUS = (ASKED, REVOKED, UNKNOWN, NO_ANSWER, SOMEBODY_ELSE, NOT_CURRENT, NOTICED)
INVALID = "invalid_certificate_opens_no_session"
OTHER_USE = "certificate_for_another_use_opens_no_session"
OTHER_NODE = "certificate_of_another_node_opens_no_session"
REFUSALS = (INVALID, OTHER_USE, *STATUS[1:])
LISTS = ("node_taken_off_the_list_opens_no_session", "without_a_list_there_is_no_session")


class Gateway(Protocol):
    """A reference of either role."""

    peers: Peers
    own_certificate: str
    browser_certificate: Any
    whitelist: Any


def register(deviations: Deviations, *also_invalid: str) -> None:
    """Register all of them for a role; ``also_invalid``: its checks that object to what is not valid, besides the common one."""
    at = deviations

    @at(*STATUS)
    def status_not_asked(gateway: Gateway) -> None:
        """Chain and dates of a certificate are checked, its status is not (RFC6960.a)."""
        gateway.peers.check_status = lambda chain: None

    @at(NO_ANSWER, SOMEBODY_ELSE, NOT_CURRENT)
    def status_soft_fail(gateway: Gateway) -> None:
        """When no answer comes that counts, the session goes on (RFC6960.e)."""
        gateway.peers.without_status = lambda error: None

    @at(REVOKED, NOTICED)
    def revoked_accepted(gateway: Gateway) -> None:
        """That a certificate was revoked is noted, and the session goes on (RFC6960.c)."""
        gateway.peers.heed_revoked = lambda status: None

    @at(UNKNOWN)
    def unknown_accepted(gateway: Gateway) -> None:
        """A certificate that its authority does not know is taken for a good one (RFC6960.d)."""
        gateway.peers.heed_unknown = lambda status: None

    @at(SOMEBODY_ELSE)
    def status_of_anybody(gateway: Gateway) -> None:
        """It does not matter who has signed an OCSP answer (RFC6960.f)."""
        gateway.peers.revocation.check_signature = lambda answer, issuer: None

    @at(SOMEBODY_ELSE)
    def nonce_not_compared(gateway: Gateway) -> None:
        """A nonce is sent with the question, and nobody looks whether the same comes back (RFC6960.f)."""
        gateway.peers.revocation.check_nonce = lambda answer, nonce: None

    @at(NO_ANSWER)
    def nobody_to_ask_is_enough(gateway: Gateway) -> None:
        """The status of a certificate that names no responder is taken to be good (RFC6960.e)."""
        conformant = gateway.peers.status_of

        def status_of(chain: Sequence[x509.Certificate]) -> ocsp.OCSPCertStatus:
            access = [each for each in chain[0].extensions if each.oid == ExtensionOID.AUTHORITY_INFORMATION_ACCESS]
            return conformant(chain) if access else ocsp.OCSPCertStatus.GOOD

        gateway.peers.status_of = status_of

    @at(NOT_CURRENT)
    def status_of_any_day(gateway: Gateway) -> None:
        """It does not matter of when an OCSP answer is (RFC6960.g)."""
        gateway.peers.revocation.check_time = lambda answer: None

    @at(NOTICED)
    def status_kept_for_good(gateway: Gateway) -> None:
        """An OCSP answer is kept after its nextUpdate (RFC6960.a)."""
        gateway.peers.revocation.is_still_good = lambda next_update: True

    @at("good_answer_in_another_form_opens_a_session")
    def status_of_a_delegate_only(gateway: Gateway) -> None:
        """An OCSP answer that the authority has signed itself does not count (RFC6960.b)."""
        conformant = gateway.peers.revocation.check_signature

        def check(answer: Any, issuer: x509.Certificate) -> None:
            conformant(answer, issuer)
            if not answer.certificates:
                from medmij_conformance.reference.revocation import NoStatusError

                raise NoStatusError("nobody was delegated")

        gateway.peers.revocation.check_signature = check

    @at(INVALID, *also_invalid)
    def expired_accepted(gateway: Gateway) -> None:
        """The dates of a certificate do not matter (NIB.A.10.1.1c)."""
        _forgive(gateway, lambda error, depth: error in {_NOT_YET_VALID, _EXPIRED} and depth == 0)

    @at(INVALID)
    def expired_authority_accepted(gateway: Gateway) -> None:
        """The dates of the authorities of a certificate do not matter (NIB.A.10.1.1c)."""
        _forgive(gateway, lambda error, depth: error in {_NOT_YET_VALID, _EXPIRED} and depth > 0)

    @at(OTHER_USE)
    def any_use_accepted(gateway: Gateway) -> None:
        """It does not matter what a certificate is for (NIB.A.10.1.1c)."""
        _forgive(gateway, lambda error, _depth: error == _PURPOSE)

    @at(warns=[OTHER_USE])
    def authority_as_a_node(gateway: Gateway) -> None:
        """The certificate of an authority is taken for that of a node (NIB.A.10.1.1c)."""
        gateway.peers.check_kind = lambda certificate: None

    @at("unusual_certificate_opens_a_session")
    def use_has_to_be_stated(gateway: Gateway) -> None:
        """A certificate that does not limit its use is refused (NET.2)."""
        conformant = gateway.peers.check_kind

        def check(certificate: x509.Certificate) -> None:
            conformant(certificate)
            if not any(extension.oid == ExtensionOID.EXTENDED_KEY_USAGE for extension in certificate.extensions):
                raise RefusedError("the certificate does not say what it is for")

        gateway.peers.check_kind = check

    @at("good_certificate_opens_a_session")
    def first_key_pinned(gateway: Gateway) -> None:
        """A node is known by the key that it had first (RFC6960.b)."""
        _pin(gateway, 1)

    @at("unusual_certificate_opens_a_session", warns=["renewed_certificate_opens_a_session"])
    def two_keys_at_most(gateway: Gateway) -> None:
        """A node that comes with a third key is refused (NET.4)."""
        _pin(gateway, 2)


def register_stapling(deviations: Deviations) -> None:
    """Register what is wrong with who calls other nodes, about the OCSP answers that they send along in the handshake."""
    at = deviations

    @at(SOMEBODY_ELSE, NOT_CURRENT)
    def staple_taken_on_trust(gateway: Gateway) -> None:
        """What a node sends along of its status is read, and nobody verifies it (RFC6960.f)."""
        _take(gateway, lambda staple: gateway.peers.revocation.read(staple).certificate_status)

    @at(REVOKED, SOMEBODY_ELSE, NOT_CURRENT)
    def staple_is_proof_enough(gateway: Gateway) -> None:
        """That a node sends its status along is enough, whatever it says (RFC6960.c)."""
        _take(gateway, lambda _staple: ocsp.OCSPCertStatus.GOOD)

    @at("good_answer_in_another_form_opens_a_session")
    def staple_wanted_and_refused(gateway: Gateway) -> None:
        """The status is asked for in the handshake, and a node that gives it is refused (RFC6960.b)."""

        def take(*_: Any) -> None:
            raise RefusedError("there was something in the handshake that nobody knows")

        gateway.peers.revocation.take = take

    @at()
    def no_staple_wanted(gateway: Gateway) -> None:
        """The status of a node is not asked for in the handshake, but at its authority alone."""
        gateway.peers.wants_staple = False


def register_asking(deviations: Deviations) -> None:
    """Register other ways to ask for a status that are in order."""

    @deviations()
    def status_asked_by_get(gateway: Gateway) -> None:
        """The status is asked for by GET, without a nonce (RFC 5019)."""
        gateway.peers.revocation.new_nonce = lambda: b""

        def request(connection: http.client.HTTPConnection, path: str, question: bytes) -> None:
            connection.request("GET", f"{path.rstrip('/')}/{quote(base64.b64encode(question).decode(), safe='')}")

        gateway.peers.revocation.request = request


def register_own(deviations: Deviations, *of_the_name: str) -> None:
    """Register what is wrong with the gateway's own certificate; ``of_the_name``: what else objects to another name in it."""
    at = deviations

    @at("certificate_bears_the_host_name", *of_the_name)
    def wildcard_certificate(gateway: Gateway) -> None:
        """The gateway shows the certificate of its whole domain (NET.2)."""
        gateway.own_certificate = "wildcard"

    @at("chain_leads_to_the_authority")
    def chain_cut_short(gateway: Gateway) -> None:
        """The gateway sends its own certificate alone, without the authorities above it (NET.2)."""
        gateway.own_certificate = "short-chain"

    @at("key_material_is_of_this_year")
    def certificate_too_old(gateway: Gateway) -> None:
        """The certificate of the gateway is older than a year (NIB.A.10.1.2)."""
        gateway.own_certificate = "old"

    @at(warns=["certificate_follows_the_profile"])
    def certificate_without_a_profile(gateway: Gateway) -> None:
        """The certificate of the gateway has no policy, no organisation and no place to ask for its status (NET.2)."""
        gateway.own_certificate = "plain"

    @at("browser_needs_no_certificate")
    def browser_asked_for_a_certificate(gateway: Gateway) -> None:
        """The pages ask the browser for a certificate, and do without one (NET.5c)."""
        gateway.browser_certificate = "ask"


def _forgive(gateway: Gateway, which: Callable[[int, int], bool]) -> None:
    gateway.peers.is_forgiven = which


def _take(gateway: Gateway, believed: Callable[[bytes], ocsp.OCSPCertStatus]) -> None:
    """Keep what a node sends along of its status for a while, as that is believed."""

    def take(staple: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        gateway.peers.revocation.keep(certificate, issuer, datetime.now(UTC) + timedelta(minutes=1), believed(staple))

    gateway.peers.revocation.take = take


def _pin(gateway: Gateway, number: int) -> None:
    """A node may have so many keys."""
    conformant = gateway.peers.check
    keys: dict[str, set[bytes]] = {}

    def check(chain: Sequence[x509.Certificate]) -> None:
        conformant(chain)
        public = chain[0].public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        own = keys.setdefault((names_of(chain[0]) or [""])[-1], set())
        if public not in own and len(own) == number:
            raise RefusedError("the node has another key")
        own.add(public)

    gateway.peers.check = check


def with_common_name(names: Callable[[x509.Certificate], list[str]]) -> Callable[[x509.Certificate], list[str]]:
    """The names of a node, and what its subject says."""
    return lambda certificate: [
        *names(certificate),
        *(str(each.value).lower() for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)),
    ]


def covers(name: str, host: str) -> bool:
    """Whether a name in a certificate is that of a node, or of every node of its domain."""
    return host.lower() == name or (name.startswith("*.") and host.lower().partition(".")[2] == name[2:])


def everybody_is_listed(_names: Collection[str]) -> None:
    """In the place of ``Peers.check_listed``."""
