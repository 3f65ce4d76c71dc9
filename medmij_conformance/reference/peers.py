"""Whom a reference gateway accepts at the other end of a TLS session: the certificate, its status at its authority, the Whitelist.

OpenSSL builds the chain and judges what X.509 says of it; ``is_forgiven`` is where a deviation overlooks that. The rest is here, a
method per rule, and raises ``RefusedError``.
"""

from collections.abc import Callable, Collection, Sequence

from cryptography import x509
from cryptography.x509 import ocsp

from medmij_conformance.reference.revocation import NoStatusError, Revocation


class RefusedError(Exception):
    """The other node is not accepted; the message says why."""


class Peers:
    """``whitelist`` gives the node names of the newest list; None when it cannot be had."""

    def __init__(self, whitelist: Callable[[], Collection[str] | None], revocation: Revocation | None = None) -> None:
        self.whitelist = whitelist
        self.revocation = revocation or Revocation()
        self.wants_staple = True

    def is_forgiven(self, error: int, depth: int) -> bool:
        """Whether something that OpenSSL objects to does not matter (a number of X509_V_ERR, and how far up in the chain)."""
        return False

    def admits_client(self, chain: Sequence[x509.Certificate]) -> bool:
        """Whether a node that comes to us is let in; ``chain`` from its own certificate up."""
        try:
            self.check(chain)
            self.check_listed(self.names(chain[0]))
        except RefusedError:
            return False
        return True

    def admits_server(self, chain: Sequence[x509.Certificate], host: str, staple: bytes = b"") -> bool:
        """Whether we go on with a node that we have called by ``host``; ``staple``: what its authority says, as the node has it."""
        try:
            self.check_host(chain[0], host)
            if staple and len(chain) > 1:
                self.revocation.take(staple, chain[0], chain[1])
            self.check(chain)
            self.check_listed([host])
        except RefusedError:
            return False
        return True

    def check(self, chain: Sequence[x509.Certificate]) -> None:
        """What holds in both directions."""
        self.check_kind(chain[0])
        self.check_status(chain)

    def check_kind(self, certificate: x509.Certificate) -> None:
        """A node is no authority."""
        try:
            constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        except x509.ExtensionNotFound:
            return
        if constraints.ca:
            raise RefusedError("the certificate is that of an authority")

    def check_host(self, certificate: x509.Certificate, host: str) -> None:
        """It is the node that was called: one of its names is exactly that."""
        if host.lower() not in self.names(certificate):
            raise RefusedError("the certificate is that of another node")

    def names(self, certificate: x509.Certificate) -> list[str]:
        """The names of a node: its dNSName entries, in lower case; a common name is none."""
        return names_of(certificate)

    def check_status(self, chain: Sequence[x509.Certificate]) -> None:
        """The authority says now that it is good; whatever else it says, or does not say, ends it here."""
        try:
            self.heed(self.status_of(chain))
        except NoStatusError as error:
            self.without_status(error)

    def status_of(self, chain: Sequence[x509.Certificate]) -> ocsp.OCSPCertStatus:
        """What the authority says. Raises ``NoStatusError``."""
        if len(chain) < 2:
            raise NoStatusError("there is no authority to ask")
        return self.revocation.status(chain[0], chain[1])

    def heed(self, status: ocsp.OCSPCertStatus) -> None:
        """Good is good, and nothing else."""
        self.heed_revoked(status)
        self.heed_unknown(status)

    def heed_revoked(self, status: ocsp.OCSPCertStatus) -> None:
        """Revoked ends it."""
        if status is ocsp.OCSPCertStatus.REVOKED:
            raise RefusedError("the certificate was revoked")

    def heed_unknown(self, status: ocsp.OCSPCertStatus) -> None:
        """Unknown ends it."""
        if status is ocsp.OCSPCertStatus.UNKNOWN:
            raise RefusedError("the authority does not know the certificate")

    def without_status(self, error: NoStatusError) -> None:
        """No answer ends it."""
        raise RefusedError(str(error))

    def check_listed(self, names: Collection[str]) -> None:
        """A node of this name stands on the newest Whitelist."""
        listed = self.listed()
        if not any(self.is_listed(name, listed) for name in names):
            raise RefusedError("the node is not on the Whitelist")

    def listed(self) -> Collection[str]:
        """The newest Whitelist; nobody is let in without one."""
        names = self.whitelist()
        if names is None:
            raise RefusedError("there is no Whitelist")
        return names

    def is_listed(self, name: str, listed: Collection[str]) -> bool:
        """The very name, whatever its case."""
        return name.lower() in {each.lower() for each in listed}


def names_of(certificate: x509.Certificate) -> list[str]:
    """The dNSName entries of a certificate, in lower case: its names (a common name is none)."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in names.get_values_for_type(x509.DNSName)]
