"""The moving parts around a reference gateway: its listeners, its lifetime clock, its control interface, and how it is started."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medmij_conformance.protocol import lists
from medmij_conformance.reference.dvza import Client, Dvza, Offer, Person
from medmij_conformance.reference.dvza_deviations import DEVIATIONS, nullify, of_release_test_2
from medmij_conformance.wire.control import Control
from medmij_conformance.wire.server import Server


class LifetimeClock:
    """Seconds that can be moved forward, for the lifetimes of codes and tokens only; TLS keeps the wall clock."""

    def __init__(self) -> None:
        self._offset = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self._offset

    def forward(self, seconds: float) -> None:
        """Let ``seconds`` pass at once. Raises ``ValueError`` when they are negative."""
        if seconds < 0:
            raise ValueError(f"a clock goes forward; got {seconds} seconds")
        self._offset += seconds


class DvzaProcess:
    """One ``Dvza`` behind two listeners; switching a deviation puts a fresh gateway in its place."""

    def __init__(self, settings: Mapping[str, Any], folder: Path) -> None:
        self._settings = settings
        self._folder = folder
        self._clock = LifetimeClock()
        files = {"certificate": folder / settings["certificate"], "key": folder / settings["key"]}
        host = settings["hostname"]
        self.front = Server(lambda request, peer: self.gateway.front(request, peer), host=host, **files)
        self.back = Server(
            lambda request, peer: self.gateway.back(request, peer),
            host=host,
            client_ca=folder / settings["client_ca"],
            client_certificate="require",
            **files,
        )
        self.gateway = self._conformant()
        self.control = Control(
            {
                "deviate": lambda arguments: self.deviate(arguments.get("names", [])),
                "null": lambda arguments: self.nullify(arguments["name"]),
                "clock": lambda arguments: self._clock.forward(float(arguments["forward_s"])),
                "source_down": lambda _: self._source(up=False),
                "source_up": lambda _: self._source(up=True),
                "reload_lists": lambda _: self._reload(),
                "log": lambda _: self.gateway.log,
            }
        )

    def start(self) -> dict[str, Any]:
        """Listen. Returns the ports and the control address."""
        self.front.start()
        self.back.start()
        self.control.start()
        return {"front": self.front.port, "back": self.back.port, "control": self.control.url}

    def deviate(self, names: list[str]) -> list[str]:
        """A fresh gateway with these deviations. Raises ``ValueError`` for an unknown name."""
        unknown = [name for name in names if name not in DEVIATIONS.by_name]
        if unknown:
            raise ValueError(f"no deviation {', '.join(unknown)}; expected one of {', '.join(DEVIATIONS.by_name)}")
        gateway = self._conformant()
        for name in names:
            DEVIATIONS.by_name[name].apply(gateway)
        self._put(gateway)
        return names

    def nullify(self, name: str) -> str:
        """A gateway that gives the same answer to everything. Raises ``KeyError`` for an unknown name."""
        gateway = self._conformant()
        nullify(gateway, name)
        self._put(gateway)
        return name

    def _put(self, gateway: Dvza) -> None:
        self.back.ask_for_certificate(gateway.client_certificate)
        self.gateway = gateway

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
        return Dvza(
            hostname=self._settings["hostname"],
            back_port=self._settings["back_port"],
            offers=offers,
            persons=persons,
            clients=self._clients(),
            now=self._clock,
        )

    def _clients(self) -> dict[str, Client]:
        """The PGO gateways that stand on the Whitelist and have a name on the OAuth client list."""
        whitelist = lists.parse((self._folder / self._settings["whitelist"]).read_bytes())
        ocl = lists.parse((self._folder / self._settings["ocl"]).read_bytes())
        if not isinstance(whitelist, lists.Whitelist) or not isinstance(ocl, lists.Ocl):
            raise TypeError("the settings name a whitelist and an ocl that are other lists")
        listed = {node.hostname for node in whitelist.nodes}
        return {
            client.hostname: Client(hostname=client.hostname, organisation=client.organisation)
            for client in ocl.clients
            if client.hostname in listed
        }

    def _reload(self) -> None:
        self.gateway.clients = self._clients()

    def _source(self, *, up: bool) -> None:
        self.gateway.source_up = up


def serve(settings_file: Path) -> dict[str, Any]:
    """Start the reference that ``settings_file`` describes, in threads of this process."""
    settings = json.loads(settings_file.read_text(encoding="utf-8"))
    return DvzaProcess(settings, settings_file.parent).start()


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
