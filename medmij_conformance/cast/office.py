"""The trust service provider of a run: the player, the responder that it answers through, and what ``[pki]`` says of both."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from medmij_conformance import pki
from medmij_conformance.counterparties.tsp import Tsp
from medmij_conformance.target import Target, TargetError
from medmij_conformance.wire.address import socket_address
from medmij_conformance.wire.client import Client, Identity
from medmij_conformance.wire.responder import Responder


def present(client: Client, credential: pki.Credential, name: str) -> str:
    """From now on a client shows this certificate as the identity ``name``, which is given back."""
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as folder:
        certificate, key = credential.write(Path(folder), "minted")
        client.take(Identity(name=name, certificate=certificate, key=key, weak=True))
    return name


class Office:
    """The issuer of ``[pki]`` with its responder. It answers from the start, for the ordinary nodes of the harness as well.

    Raises ``TargetError`` when the responder's address is taken.
    """

    def __init__(self, target: Target) -> None:
        credential = target.pki.credential()
        if credential is None:
            raise TargetError(target.path, "pki.issuer", "missing", "the certificate and key of an issuer")
        self.tsp = Tsp(pki.Authority.from_pem(*credential, ocsp_url=target.pki.ocsp_url or ""))
        self._responder: Responder | None = None
        if target.pki.ocsp_listen:
            try:
                self._responder = Responder(self.tsp.hear, socket_address(target.pki.ocsp_listen))
            except OSError as error:
                problem = f"{target.pki.ocsp_listen} cannot be listened on: {error.strerror}"
                raise TargetError(target.path, "pki.ocsp_listen", problem, "an address of this machine that is free") from error
            self._responder.start()

    @classmethod
    def of(cls, target: Target) -> "Office | None":
        """The office of a target; None when its ``[pki]`` names no issuer."""
        return cls(target) if target.pki.credential() else None

    def times_asked(self, serials: Sequence[int]) -> list[int]:
        """How often somebody has asked about each of these certificates."""
        return [self.tsp.times_asked(serial) for serial in serials]

    def close(self) -> None:
        """Nobody answers any more."""
        if self._responder:
            self._responder.stop()
            self._responder = None
