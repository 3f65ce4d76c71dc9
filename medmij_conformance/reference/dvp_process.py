"""The moving parts around the reference PGO: its listener, its way to ZA gateways, its control interface."""

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medmij_conformance.protocol import lists
from medmij_conformance.reference.back_channel import BackChannel
from medmij_conformance.reference.clock import LifetimeClock
from medmij_conformance.reference.dvp import Dvp, Source
from medmij_conformance.reference.dvp_deviations import DEVIATIONS, nullify
from medmij_conformance.reference.list_client import list_client
from medmij_conformance.reference.switching import FetchingLists
from medmij_conformance.wire.control import Control
from medmij_conformance.wire.server import Server


class DvpProcess(FetchingLists):
    """One ``Dvp`` behind a listener; switching a deviation puts a fresh gateway in its place."""

    deviations = DEVIATIONS
    gateway: Dvp

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        super().__init__()
        self._settings = settings
        self._folder = folder
        self._clock = LifetimeClock()
        certificate, key = folder / settings["certificate"], folder / settings["key"]
        self._channel = BackChannel(certificate, key, folder / settings["ca"], settings["connect"])
        self.server = Server(
            self.balancer.before(lambda request, peer: self.gateway.front(request, peer)),
            host=settings["hostname"],
            certificate=certificate,
            key=key,
            client_ca=folder / settings["ca"],
        )
        self._put(self._conformant())
        self.control = Control(
            {
                "deviate": lambda arguments: self.deviate(arguments.get("names", [])),
                "null": lambda arguments: self.nullify(arguments["name"]),
                "balancer": lambda arguments: self.balancer.misbehave(**arguments),
                "clock": lambda arguments: self._forward(float(arguments["forward_s"])),
                "reload_lists": lambda _: self._reload(),
                "dossier": lambda _: self.gateway.dossier.items(),
                "questions": lambda arguments: self.gateway.answer(arguments["id"]),
                "log": lambda _: self.gateway.log,
            }
        )

    def start(self) -> dict[str, Any]:
        """Listen. Returns the port and the control address."""
        self.server.start()
        self.control.start()
        threading.Thread(target=self._keep_fresh, name="lists", daemon=True).start()
        return {"front": self.server.port, "control": self.control.url}

    def _nullify(self, reference: Dvp, name: str) -> None:
        nullify(reference, name)

    def _put(self, reference: Dvp) -> None:
        own = self._folder / "pki" / reference.own_certificate
        files = own.with_suffix(".pem"), own.with_suffix(".key")
        self.server.show(*files)
        self.server.ask_for_certificate(reference.browser_certificate)
        self.server.accept(reference.front_tls)
        self.server.clear_text = reference.clear_text
        self._channel.certificate, self._channel.key = files
        self._channel.tls = reference.client_tls
        self.gateway = reference

    def _conformant(self) -> Dvp:
        gateway = Dvp(
            hostname=self._settings["hostname"],
            redirect_uri=self._settings["redirect_uri"],
            sources=(),
            whitelist=None,
            call=lambda request, **options: self._channel.send(request, gateway.peers, **options),
            now=self._clock,
        )
        gateway.lists = list_client(
            self._settings,
            self._folder,
            kinds={"whitelist": lists.Whitelist, "zal": lists.Zal},
            now=self._clock,
            changed=lambda: _use_lists(gateway),
            alarm=gateway.log.append,
        )
        _use_lists(gateway)
        return gateway


def _use_lists(gateway: Dvp) -> None:
    """What can be collected, and where, stands in the ZAL (UCI-ZAL.2); who may be spoken to on the Whitelist."""
    zal = gateway.lists.held["zal"].content
    sources = [
        Source(
            zorgaanbieder=provider.name,
            gegevensdienst=service.gegevensdienst,
            authorization_endpoint=service.authorization_endpoint,
            token_endpoint=service.token_endpoint,
            resource_endpoint=service.systeemrollen[0].resource_endpoint,
        )
        for provider in (zal.providers if isinstance(zal, lists.Zal) else ())
        for service in provider.services
    ]
    gateway.take_lists(sources, gateway.lists.nodes())
