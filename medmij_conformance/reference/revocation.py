"""The OCSP client of the references (RFC 6960): asks the authority of a certificate, and believes only what it can verify.

Answers are kept until their ``nextUpdate``, as the framework allows; whatever is no good answer is none.
"""

import http.client
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

TIMEOUT_S = 2.0
SLACK = timedelta(minutes=5)  # between the clocks of two parties


class NoStatusError(Exception):
    """The authority gave no answer that can be used; the message says why."""


class Revocation:
    """Asks for the status of certificates. Every rule is a method; ``connect`` stands in for DNS."""

    def __init__(self, connect: Mapping[str, str] | None = None) -> None:
        self.connect = dict(connect or {})
        self._kept: dict[tuple[bytes, int], tuple[datetime, ocsp.OCSPCertStatus]] = {}
        self._lock = threading.Lock()

    def status(self, certificate: x509.Certificate, issuer: x509.Certificate) -> ocsp.OCSPCertStatus:
        """What the authority says of a certificate. Raises ``NoStatusError``."""
        key = (issuer.fingerprint(hashes.SHA256()), certificate.serial_number)
        with self._lock:
            kept = self._kept.get(key)
        if kept and self.is_still_good(kept[0]):
            return kept[1]
        nonce = self.new_nonce()
        question = _question(certificate, issuer)
        asked = (question.add_extension(x509.OCSPNonce(nonce), critical=False) if nonce else question).build()
        answer = self.read(self.fetch(self.address(certificate), asked.public_bytes(serialization.Encoding.DER)))
        self.check_subject(answer, asked)
        self.check_signature(answer, issuer)
        self.check_nonce(answer, nonce)
        self.check_time(answer)
        if answer.next_update_utc:
            self.keep(certificate, issuer, answer.next_update_utc, answer.certificate_status)
        return answer.certificate_status

    def take(self, staple: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
        """Keep an answer that came with a certificate in the handshake. One that does not count is as if it were not there."""
        try:
            answer = self.read(staple)
            self.check_subject(answer, _question(certificate, issuer).build())
            self.check_signature(answer, issuer)
            self.check_time(answer)
        except NoStatusError:
            return
        if answer.next_update_utc:
            self.keep(certificate, issuer, answer.next_update_utc, answer.certificate_status)

    def keep(self, certificate: x509.Certificate, issuer: x509.Certificate, until: datetime, status: ocsp.OCSPCertStatus) -> None:
        """Use an answer until then."""
        with self._lock:
            self._kept[issuer.fingerprint(hashes.SHA256()), certificate.serial_number] = (until, status)

    def new_nonce(self) -> bytes:
        """What the answer has to bring back."""
        return os.urandom(16)

    def is_still_good(self, next_update: datetime) -> bool:
        """An answer is used until the next one is due."""
        return datetime.now(UTC) < next_update

    def address(self, certificate: x509.Certificate) -> str:
        """Where the certificate says that its authority answers."""
        try:
            access = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        except x509.ExtensionNotFound:
            raise NoStatusError("the certificate names no OCSP responder") from None
        places = [place for place in access if place.access_method == AuthorityInformationAccessOID.OCSP]
        if not places:
            raise NoStatusError("the certificate names no OCSP responder")
        return str(places[0].access_location.value)

    def request(self, connection: http.client.HTTPConnection, path: str, question: bytes) -> None:
        """Ask, by POST."""
        connection.request("POST", path or "/", question, {"Content-Type": "application/ocsp-request"})

    def fetch(self, url: str, question: bytes) -> bytes:
        """The answer to a question."""
        parts = urlsplit(url)
        origin = f"{parts.hostname}:{parts.port or 80}"
        host, _, port = self.connect.get(origin, origin).rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_S)
        try:
            self.request(connection, parts.path, question)
            answer = connection.getresponse()
            body = answer.read(100_000)
        except (OSError, http.client.HTTPException) as error:
            raise NoStatusError(f"the responder does not answer: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise NoStatusError(f"the responder answers with status {answer.status}")
        return body

    def read(self, body: bytes) -> ocsp.OCSPResponse:
        """An answer with contents."""
        try:
            answer = ocsp.load_der_ocsp_response(body)
        except ValueError:
            raise NoStatusError("the responder gives no OCSP answer") from None
        if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise NoStatusError(f"the responder says {answer.response_status.name}")
        return answer

    def check_subject(self, answer: ocsp.OCSPResponse, asked: ocsp.OCSPRequest) -> None:
        """It is about the certificate that was asked about."""
        same = (answer.serial_number, answer.issuer_key_hash, answer.issuer_name_hash)
        if same != (asked.serial_number, asked.issuer_key_hash, asked.issuer_name_hash):
            raise NoStatusError("the answer is about another certificate")

    def check_signature(self, answer: ocsp.OCSPResponse, issuer: x509.Certificate) -> None:
        """It is signed by the authority itself, or by somebody to whom it has delegated that."""
        for signer in (issuer, *(each for each in answer.certificates if self.is_delegate(each, issuer))):
            if _verifies(signer, answer):
                return
        raise NoStatusError("the answer is signed by nobody who may")

    def is_delegate(self, signer: x509.Certificate, issuer: x509.Certificate) -> bool:
        """Issued by the authority, for signing OCSP answers, and valid now."""
        try:
            signer.verify_directly_issued_by(issuer)
            usage = signer.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return False
        now = datetime.now(UTC)
        return ExtendedKeyUsageOID.OCSP_SIGNING in usage and signer.not_valid_before_utc <= now <= signer.not_valid_after_utc

    def check_nonce(self, answer: ocsp.OCSPResponse, nonce: bytes) -> None:
        """A nonce may be absent; one that comes back is ours."""
        for extension in answer.extensions:
            if isinstance(extension.value, x509.OCSPNonce) and extension.value.nonce != nonce:
                raise NoStatusError("the answer is to another question")

    def check_time(self, answer: ocsp.OCSPResponse) -> None:
        """It is of now: neither of the future nor superseded."""
        now = datetime.now(UTC)
        if answer.this_update_utc > now + SLACK or (answer.next_update_utc and answer.next_update_utc < now):
            raise NoStatusError("the answer is not current")


def _question(certificate: x509.Certificate, issuer: x509.Certificate) -> ocsp.OCSPRequestBuilder:
    return ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303 an identifier, no proof


def _verifies(signer: x509.Certificate, answer: ocsp.OCSPResponse) -> bool:
    key, algorithm = signer.public_key(), answer.signature_hash_algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey) and algorithm:
            key.verify(answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm))
        elif isinstance(key, rsa.RSAPublicKey) and algorithm:
            key.verify(answer.signature, answer.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        else:
            return False
    except InvalidSignature:
        return False
    return True
