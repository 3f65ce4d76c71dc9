"""MedMij Registratie behind a real listener: gateways fetch their lists from it over mutual TLS, and everything is recorded."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import cast

from medmij_conformance.cast.wardrobe import dress
from medmij_conformance.counterparties.registratie import Stelselnode, asked_for
from medmij_conformance.evidence import Evidence, Exchange, Request, Response, Trouble, wall_time
from medmij_conformance.listing import contents_for, without_nodes
from medmij_conformance.pki import Credential, write_pair
from medmij_conformance.protocol import lists
from medmij_conformance.target import Target, TargetError
from medmij_conformance.wire.address import socket_address
from medmij_conformance.wire.server import Contact, Peer, Server


class Publisher:
    """The Stelselnode of a run. ``folder`` takes its key, only until this is made.

    ``times`` are when each list was given, by ``clock``, in seconds. Raises ``TargetError`` when its address is taken.
    """

    def __init__(self, target: Target, evidence: Evidence, folder: Path) -> None:
        settings = target.lists
        self._target = target
        self._evidence = evidence
        self.player = Stelselnode({}, settings.generation)
        self.times: list[tuple[str, float]] = []
        self.clock: Callable[[], float] = time.time
        self._serial = 10
        self._worn = 0, ""
        self.publish_good()
        certificate, key = write_pair(folder, "stelselnode", *(settings.credential() or (b"", b"")))
        authorities = folder / "stelselnode-authorities.pem"
        authorities.write_bytes(b"".join(path.read_bytes() for path in target.trust.ca))
        try:
            self._server = Server(
                self._serve,
                host=settings.host,
                certificate=certificate,
                key=key,
                client_ca=authorities,
                client_certificate="ask",
                one_request=True,
                listen=socket_address(settings.listen or ""),
            )
        except OSError as error:
            problem = f"{settings.listen} cannot be listened on: {error.strerror}"
            raise TargetError(target.path, "lists.listen", problem, "an address of this machine that is free") from error
        self._server.start()

    @classmethod
    def of(cls, target: Target, evidence: Evidence, folder: Path) -> "Publisher | None":
        """The Stelselnode of a target; None when ``[lists]`` has no address to listen on."""
        return cls(target, evidence, folder) if target.lists.listen and target.about.role != "registratie" else None

    def restart(self) -> None:
        """Begin anew: nobody has fetched anything yet."""
        self.times.clear()
        self.publish_good()

    def publish_good(self) -> None:
        """Publish the lists that the run needs, as new ones, and answer."""
        self.player.down = False
        self.player.publish(self.contents())

    def publish(self, *, struck: Collection[str] = (), whitelist: bool = True) -> None:
        """Publish the lists without some hosts on the Whitelist, or without any Whitelist."""
        self.player.down = False
        self.player.publish(without_nodes(self.contents(), struck))
        if not whitelist:
            self.player.documents.pop("whitelist")

    def wear(self, credential: Credential, identity: str) -> None:
        """From now on show this certificate, until ``undress``; what is asked over its sessions is recorded under ``identity``."""
        self._worn = credential.certificate.serial_number, identity
        self._server.contacts.clear()
        dress(self._server, credential, weak=True)

    def undress(self) -> None:
        """Show the usual certificate again."""
        self._server.undress()

    def contacts(self, serial: int) -> list[Contact]:
        """The connections since a certificate was worn, as far as that opened them, once each has asked or ended."""
        return [contact for contact in self._server.settled() if contact.shown == serial]

    def contents(self) -> dict[str, lists.AnyList]:
        """The lists that the run needs, with the next number."""
        self._serial += 1
        return contents_for(self._target, self._serial)

    @property
    def whitelist(self) -> lists.Whitelist:
        """The next Whitelist."""
        return cast(lists.Whitelist, self.contents()["whitelist"])

    @property
    def zal(self) -> lists.Zal:
        """The next ZAL."""
        return cast(lists.Zal, self.contents()["zal"])

    def fetches(self, scenario: str) -> tuple[Exchange, ...]:
        """What was asked for in a scenario, as stored."""
        return tuple(e for e in self._evidence.of_scenario(scenario) if e.endpoint in {"whitelist", "ocl", "zal"})

    def close(self) -> None:
        """Nobody answers any more."""
        self._server.stop()

    def _serve(self, request: Request, peer: Peer) -> Response:
        started, at = self._evidence.now(), wall_time()
        response = self.player.answer(request)
        cut = not response.status
        which = asked_for(request)
        known = which in self.player.documents
        worn, name = self._worn
        identity = name if peer.shown == worn else ""
        if known and not cut:
            self.times.append((which, self.clock()))
        self._evidence.append(
            Exchange(
                label=f"the gateway asks for the {which}" if known else "the gateway asks for something else of the Stelselnode",
                endpoint=which if known else "other",
                identity=identity,
                twin=identity,
                request=request,
                response=None if cut else response,
                trouble=Trouble(kind="reset", detail="the Stelselnode cut the connection on purpose") if cut else None,
                tls=peer.tls(),
                address=peer.address,
                started=started,
                finished=self._evidence.now(),
                at=at,
            )
        )
        return response
