"""The certificate that a listener of ours shows for a while instead of its usual ones."""

import tempfile
import threading
from pathlib import Path

from medmij_conformance import pki
from medmij_conformance.wire.server import Server


def dress(server: Server, credential: pki.Credential, *, weak: bool = False, staple: bytes = b"") -> None:
    """Let a server show a certificate, whose key is on the disk no longer than that takes; the rest is as in ``Server.wear``."""
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as folder:
        server.wear(*credential.write(Path(folder), "minted"), weak=weak, staple=staple)


class Wardrobe:
    """What one server wears. The scenario puts it on and takes it off, while serving threads may be about to put it on:
    what was taken off before they got to it stays off.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._waiting: tuple[pki.Credential, bytes] | None = None
        self._worn = 0  # its serial number

    def opened(self, serial: int) -> bool:
        """Whether a connection that was opened with a certificate of this serial number was opened with the one that is worn."""
        return bool(serial) and serial == self._worn

    def wear(self, credential: pki.Credential, *, from_token_on: bool = False, staple: bytes = b"") -> None:
        """Show this certificate from now on, or once a token was issued, until ``undress``.

        ``staple``: an OCSP answer that goes with it to whoever wants one.
        """
        with self._lock:
            self._waiting = credential, staple
            if not from_token_on:
                self._put_on(*self._waiting)

    def token_issued(self) -> None:
        """Put on what waits for a token, so that the next request has a session of its own."""
        with self._lock:
            if self._waiting:
                self._put_on(*self._waiting)

    def undress(self) -> None:
        """Show the usual certificates again."""
        with self._lock:
            self._waiting, self._worn = None, 0
            self._server.undress()

    def _put_on(self, credential: pki.Credential, staple: bytes) -> None:
        self._waiting, self._worn = None, credential.certificate.serial_number
        dress(self._server, credential, weak=True, staple=staple)
