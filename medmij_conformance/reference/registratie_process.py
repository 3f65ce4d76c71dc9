"""The moving parts around the reference Registratie: its listener, its clock, its control interface."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509

from medmij_conformance.reference.clock import LifetimeClock
from medmij_conformance.reference.registratie import Registratie, register_of
from medmij_conformance.reference.registratie_deviations import DEVIATIONS, nullify
from medmij_conformance.reference.switching import Switching
from medmij_conformance.wire.control import Control
from medmij_conformance.wire.server import Server


class RegistratieProcess(Switching):
    """One ``Registratie`` behind a listener; switching a deviation puts a fresh one in its place."""

    deviations = DEVIATIONS
    node: Registratie

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        super().__init__()
        self._settings = settings
        self._clock = LifetimeClock()
        self.server = Server(
            self.balancer.before(lambda request, peer: self.node.answer(request, peer)),
            host=settings["hostname"],
            certificate=folder / settings["certificate"],
            key=folder / settings["key"],
            client_ca=folder / settings["client_ca"],
            client_certificate="require",
            gate=self,
        )
        self._put(self._conformant())
        self.control = Control(
            {
                "deviate": lambda arguments: self.deviate(arguments.get("names", [])),
                "null": lambda arguments: self.nullify(arguments["name"]),
                "balancer": lambda arguments: self.balancer.misbehave(**arguments),
                "clock": lambda arguments: self._clock.forward(float(arguments["forward_s"])),
                "registration": lambda arguments: self.node.registration(
                    arguments["action"], arguments["list"], arguments["entry"]
                ),
            }
        )

    def is_forgiven(self, error: int, depth: int) -> bool:
        """What Registratie overlooks of a certificate (``wire.server.Gate``)."""
        return self.node.peers.is_forgiven(error, depth)

    def admits_client(self, chain: Sequence[x509.Certificate]) -> bool:
        """Whether Registratie lets a node in (``wire.server.Gate``)."""
        return self.node.peers.admits_client(chain)

    def start(self) -> dict[str, Any]:
        """Listen. Returns the port and the control address."""
        self.server.start()
        self.control.start()
        return {"back": self.server.port, "control": self.control.url}

    def _nullify(self, reference: Registratie, name: str) -> None:
        nullify(reference, name)

    def _put(self, reference: Registratie) -> None:
        self.server.ask_for_certificate(reference.client_certificate)
        self.server.accept(reference.back_tls)
        self.server.clear_text = reference.clear_text
        self.node = reference

    def _conformant(self) -> Registratie:
        node = Registratie(register_of(self._settings), now=self._clock)
        node.publish_every_s = self._settings["publish_every_s"]
        return node
