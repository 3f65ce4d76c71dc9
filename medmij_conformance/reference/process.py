"""The moving parts around a reference gateway: its listeners, its lifetime clock, its control interface, and how it is started."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509

from medmij_conformance.protocol import lists
from medmij_conformance.reference.clock import LifetimeClock
from medmij_conformance.reference.digid_login import DigidLogin, DigidSettings
from medmij_conformance.reference.dvp_process import DvpProcess
from medmij_conformance.reference.dvza import Client, Dvza, Offer, Person
from medmij_conformance.reference.dvza_deviations import DEVIATIONS, nullify, of_release_test_2
from medmij_conformance.reference.list_client import list_client
from medmij_conformance.reference.registratie_process import RegistratieProcess
from medmij_conformance.reference.switching import FetchingLists
from medmij_conformance.wire.control import Control
from medmij_conformance.wire.server import Server


class DvzaProcess(FetchingLists):
    """One ``Dvza`` behind two listeners; switching a deviation puts a fresh gateway in its place."""

    deviations = DEVIATIONS
    gateway: Dvza

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        super().__init__()
        self._settings = settings
        self._folder = folder
        self._clock = LifetimeClock()
        files = {"certificate": folder / settings["certificate"], "key": folder / settings["key"]}
        host = settings["hostname"]
        client_ca = folder / settings["client_ca"]
        front = self.balancer.before(lambda request, peer: self.gateway.front(request, peer))
        self.front = Server(front, host=host, client_ca=client_ca, **files)
        self.back = Server(
            self.balancer.before(lambda request, peer: self.gateway.back(request, peer)),
            host=host,
            client_ca=client_ca,
            client_certificate="require",
            gate=self,
            **files,
        )
        self._digid = DigidSettings.from_json(settings["digid"], folder) if "digid" in settings else None
        self._put(self._conformant())
        if self._digid and isinstance(self.gateway.identification, DigidLogin):
            self._digid.sp_metadata.write_bytes(self.gateway.identification.metadata())
        self.control = Control(
            {
                "deviate": lambda arguments: self.deviate(arguments.get("names", [])),
                "null": lambda arguments: self.nullify(arguments["name"]),
                "balancer": lambda arguments: self.balancer.misbehave(**arguments),
                "clock": lambda arguments: self._forward(float(arguments["forward_s"])),
                "source_down": lambda _: self._source(up=False),
                "source_up": lambda _: self._source(up=True),
                "authz_unknown": lambda arguments: self._authorization(known=not arguments["on"]),
                "reload_lists": lambda _: self._reload(),
                "addresses": lambda _: {"resource": self.gateway.resource_host},
                "log": lambda _: self.gateway.log,
                "digid_refusals": lambda _: getattr(self.gateway.identification, "refusals", []),
                "questions": lambda arguments: self.gateway.answer(arguments["id"]),
            }
        )

    def is_forgiven(self, error: int, depth: int) -> bool:
        """What the gateway overlooks of a certificate (``wire.server.Gate``)."""
        return self.gateway.peers.is_forgiven(error, depth)

    def admits_client(self, chain: Sequence[x509.Certificate]) -> bool:
        """Whether the gateway lets a node in (``wire.server.Gate``)."""
        return self.gateway.peers.admits_client(chain)

    def start(self) -> dict[str, Any]:
        """Listen. Returns the ports and the control address."""
        self.front.start()
        self.back.start()
        self.control.start()
        threading.Thread(target=self._keep_fresh, name="lists", daemon=True).start()
        return {"front": self.front.port, "back": self.back.port, "control": self.control.url}

    def _nullify(self, reference: Dvza, name: str) -> None:
        nullify(reference, name)

    def _put(self, reference: Dvza) -> None:
        own = self._folder / "pki" / reference.own_certificate
        for server, wanted, settings, name in (
            (self.front, reference.browser_certificate, reference.front_tls, "front"),
            (self.back, reference.client_certificate, reference.back_tls, "back"),
        ):
            server.show(own.with_suffix(".pem"), own.with_suffix(".key"))
            server.ask_for_certificate(wanted)
            server.accept(settings)
            server.clear_text = reference.clear_text == name
        self.gateway = reference

    def _conformant(self) -> Dvza:
        gateway = self._of_1_0()
        if self._settings.get("release") == "test-2":
            of_release_test_2(gateway)
        return gateway

    def _of_1_0(self) -> Dvza:
        offers = tuple(Offer(**row) for row in self._settings["offers"])
        persons = {
            bsn: Person(**{**row, "available": tuple(row.get("available", ()))}) for bsn, row in self._settings["persons"].items()
        }
        gateway = Dvza(
            hostname=self._settings["hostname"],
            back_port=self._settings["back_port"],
            offers=offers,
            persons=persons,
            clients={},
            now=self._clock,
        )
        if self._digid:
            gateway.identification = DigidLogin(gateway, self._digid)
        gateway.lists = list_client(
            self._settings,
            self._folder,
            kinds={"whitelist": lists.Whitelist, "ocl": lists.Ocl},
            now=self._clock,
            changed=lambda: self._use_lists(gateway),
            alarm=gateway.log.append,
        )
        self._use_lists(gateway)
        return gateway

    def _use_lists(self, gateway: Dvza) -> None:
        """Who may come stands on the Whitelist; the clients are those of them that have a name on the OAuth client list."""
        listed, ocl = gateway.lists.nodes(), gateway.lists.held["ocl"].content
        clients = {
            client.hostname: Client(hostname=client.hostname, organisation=client.organisation)
            for client in (ocl.clients if isinstance(ocl, lists.Ocl) else ())
            if client.hostname in (listed or ())
        }
        gateway.take_lists(clients, listed)

    def _authorization(self, *, known: bool) -> None:
        self.gateway.authorization_known = known

    def _source(self, *, up: bool) -> None:
        self.gateway.source_up = up


def serve(settings_file: Path) -> dict[str, Any]:
    """Start the reference that ``settings_file`` describes, in threads of this process."""
    settings = json.loads(settings_file.read_text(encoding="utf-8"))
    return _PROCESSES[settings.get("role", "dvza")](settings, settings_file.parent).start()


_PROCESSES: Mapping[str, type[DvzaProcess | DvpProcess | RegistratieProcess]] = {
    "dvza": DvzaProcess,
    "dvp": DvpProcess,
    "registratie": RegistratieProcess,
}


@dataclass(slots=True)
class RunningReference:
    """A reference in a process of its own. ``ports`` is what it printed when it listened."""

    process: "subprocess.Popen[str]"
    ports: dict[str, Any]

    def stop(self) -> None:
        """Close its standard input, which ends it; kill it if it does not."""
        if self.process.stdin:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def launch(settings_file: Path) -> RunningReference:
    """Start a reference as a process of its own. Raises ``RuntimeError`` with its last words when it does not come up."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "medmij_conformance.reference", str(settings_file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"the reference gateway did not start (exit {process.wait()})")
    return RunningReference(process, json.loads(line))
