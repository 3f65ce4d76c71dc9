"""``reference:registratie``: a MedMij Registratie that keeps to release 1.0, the Stelselnode of the network.

It keeps the register of participants and care providers, and publishes from it once a day: the ZAL, the Whitelist and the OAuth
client list, over mutual TLS, to nodes that stand on the Whitelist. Each rule is a method, so that a deviation replaces one. The
literals of the framework stand here once more, on purpose.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit

from medmij_conformance.evidence import Request, Response
from medmij_conformance.protocol import lists
from medmij_conformance.reference.peers import Peers
from medmij_conformance.wire.server import HANG_UP, Peer, TlsSettings

PUBLISH_EVERY_S = 86_400  # APP.18, APP.21a
NAME = re.compile(r"[a-z]{3,50}@medmij")  # P&I.13
SERVICES = frozenset({"1", "3", "5", "7", "9", "11", "13"})  # the codes of the catalogue that care providers offer
_XML = (("Content-Type", "application/xml"),)


@dataclass(frozen=True, slots=True)
class Participant:
    """A gateway: its host name, its type (DVP or DVZA), and the name of its organisation if that is a DVP (META.2, P&I.16)."""

    hostname: str
    type: str
    organisation: str = ""


@dataclass(frozen=True, slots=True)
class Register:
    """Who takes part, by host name, and what care providers offer, by name."""

    participants: Mapping[str, Participant]
    providers: Mapping[str, lists.Provider]


@dataclass(frozen=True, slots=True)
class Edition:
    """What everybody gets until the next publication. ``at`` is when it was made, on the clock of the reference."""

    register: Register
    timestamp: datetime
    serial: int
    at: float


class RefusedError(ValueError):
    """A registration breaks a rule; the message says which."""


class Registratie:
    """``now`` are seconds on a clock that can be moved forward."""

    clear_text = False  # whether its lists can be had without TLS
    back_tls = TlsSettings(suites="ECDHE+AESGCM:ECDHE+CHACHA20", groups="X25519MLKEM768:X25519:P-256:P-384")

    def __init__(self, register: Register, *, now: Callable[[], float], generation: str = "1.0") -> None:
        self.register = register
        self.now = now
        self.generation = generation
        self.publish_every_s = PUBLISH_EVERY_S
        self.client_certificate: Literal["none", "ask", "require"] = "require"
        self._wall = datetime.now(UTC) - timedelta(seconds=now())
        self.edition = Edition(register, self.today(), 1, now())
        self.peers = Peers(lambda: tuple(self.edition.register.participants))

    # ------------------------------------------------------------------------------------------------ the use cases

    def answer(self, request: Request, peer: Peer) -> Response:
        """A node asks for a list (UCI Opvragen ZAL, UCI Opvragen Whitelist)."""
        name = urlsplit(request.url).path.removeprefix("/")
        if not self.admits(peer, name):
            return Response(status=HANG_UP)
        documents: Mapping[str, Callable[[], bytes]] = {"zal": self.zal, "whitelist": self.whitelist, "ocl": self.ocl}
        if name not in documents:
            return Response(status=404)
        if request.method != "GET":
            return Response(status=405, headers=(("Allow", "GET"),))
        self.publish()
        return Response(status=200, headers=self.headers(), body=documents[name]())

    def admits(self, peer: Peer, _list: str) -> bool:
        """Whether a node stands on the Whitelist, by a name in its certificate (NET.5a, AMB.14)."""
        return any(name in self.edition.register.participants for name in peer.hostnames)

    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of a list."""
        return _XML

    def zal(self) -> bytes:
        """The Zorgaanbiederslijst as a document."""
        return lists.serialise(self.zal_content(), self.generation)

    def whitelist(self) -> bytes:
        """The Whitelist as a document."""
        return lists.serialise(self.whitelist_content(), self.generation)

    def ocl(self) -> bytes:
        """The OAuth client list as a document."""
        return lists.serialise(self.ocl_content(), self.generation)

    def zal_content(self) -> lists.Zal:
        """Every care provider with its offers (P&I.10)."""
        edition = self.edition_of("zal")
        return lists.Zal(edition.timestamp, edition.serial, tuple(edition.register.providers.values()))

    def whitelist_content(self) -> lists.Whitelist:
        """Every gateway (P&I.15)."""
        edition = self.edition_of("whitelist")
        return lists.Whitelist(edition.timestamp, edition.serial, tuple(map(lists.Node, edition.register.participants)))

    def ocl_content(self) -> lists.Ocl:
        """Every PGO gateway with the name of its organisation, and no ZA gateway (P&I.16)."""
        edition = self.edition_of("ocl")
        clients = [p for p in edition.register.participants.values() if p.type == "DVP"]
        return lists.Ocl(edition.timestamp, edition.serial, tuple(lists.OAuthClient(p.hostname, p.organisation) for p in clients))

    # ------------------------------------------------------------------------------------------------- publication

    def edition_of(self, _list: str) -> Edition:
        """The edition of a list that is valid now."""
        return self.edition

    def publish(self) -> None:
        """Publish what is registered, at least once a day (APP.18, APP.21a)."""
        if self.now() - self.edition.at >= self.publish_every_s:
            self.edition = Edition(self.register, self.today(), self.edition.serial + 1, self.now())

    def today(self) -> datetime:
        """The wall time, by the clock that can be moved."""
        return (self._wall + timedelta(seconds=self.now())).replace(microsecond=0)

    # ------------------------------------------------------------------------------------------------ registration

    def registration(self, action: str, which: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Add, change or remove an entry at the request of a participant (OPS.6). Says whether it is accepted, and why not."""
        register = self.register
        participants, providers = dict(register.participants), dict(register.providers)
        table: dict[str, Any] = providers if which == "zal" else participants
        new = _provider(entry) if which == "zal" else _participant(entry)
        name = entry["name"] if which == "zal" else entry["hostname"]
        try:
            if action == "remove":
                table.pop(name, None)
            else:
                self.accept(Register(participants, providers), new, action)
                table[name] = new
        except RefusedError as refused:
            return self.confirm(str(refused))
        self.enter(Register(participants, providers), action, which)
        return self.confirm("")

    def confirm(self, reason: str) -> dict[str, Any]:
        """What the participant is told: that it is registered, or why not (OPS.6)."""
        return {"accepted": not reason, "reason": reason}

    def enter(self, register: Register, _action: str, _list: str) -> None:
        """What was accepted is in the register from now on (P&I.12, P&I.17)."""
        self.register = register

    def accept(self, register: Register, new: lists.Provider | Participant, action: str) -> None:
        """Check a new or changed entry against the rules (OPS.6, APP.19, APP.22). Raises ``RefusedError``."""
        if isinstance(new, Participant):
            self.accept_participant(register, new, action)
        else:
            self.accept_name(register, new, action)
            self.accept_services(register, new)

    def accept_name(self, register: Register, new: lists.Provider, action: str) -> None:
        """The naming policy: letters, at least three, and not taken (P&I.13, NAAM.2, NAAM.5-7)."""
        if not NAME.fullmatch(new.name):
            raise RefusedError(f"{new.name} is no name of at least three small letters before @medmij")
        if action == "add" and new.name in register.providers:
            raise RefusedError(f"{new.name} exists already")

    def accept_services(self, register: Register, new: lists.Provider) -> None:
        """At most one source per service, of the catalogue, on a gateway that takes part (P&I.11, META.1, META.8)."""
        codes = [service.gegevensdienst for service in new.services]
        if len(set(codes)) < len(codes):
            raise RefusedError(f"{new.name} has more than one source for a service")
        if unknown := set(codes) - SERVICES:
            raise RefusedError(f"{', '.join(sorted(unknown))} is no service that care providers offer")
        for host in _back_channel_hosts(new):
            if host not in register.participants:
                raise RefusedError(f"{host} is no gateway of a participant")

    def accept_participant(self, register: Register, new: Participant, action: str) -> None:
        """A host name once; a name for people if and only if it is a PGO gateway (P&I.16)."""
        if action == "add" and new.hostname in register.participants:
            raise RefusedError(f"{new.hostname} is registered already")
        if new.type not in {"DVP", "DVZA"}:
            raise RefusedError(f"{new.type} is no type of participant")
        if bool(new.organisation) != (new.type == "DVP"):
            raise RefusedError(f"{new.hostname}: a DVP has a name for people, a DVZA has none")


def _participant(entry: Mapping[str, Any]) -> Participant:
    return Participant(entry["hostname"], entry.get("type", ""), entry.get("organisation", ""))


def _provider(entry: Mapping[str, Any]) -> lists.Provider:
    """A care provider as the settings and the registration write it."""
    services = tuple(
        lists.Service(
            row["gegevensdienst"],
            row["authorization_endpoint"],
            row["token_endpoint"],
            (lists.Systeemrol(row["systeemrol"], row["resource_endpoint"]),),
        )
        for row in entry.get("services", ())
    )
    return lists.Provider(entry["name"], services)


def _back_channel_hosts(provider: lists.Provider) -> Iterator[str]:
    for service in provider.services:
        for address in (service.token_endpoint, *(role.resource_endpoint for role in service.systeemrollen)):
            yield urlsplit(address).hostname or ""


def register_of(settings: Mapping[str, Any]) -> Register:
    """The register that the settings of the reference describe."""
    participants = [_participant(row) for row in settings["participants"]]
    providers = [_provider(row) for row in settings["providers"]]
    return Register({p.hostname: p for p in participants}, {p.name: p for p in providers})


def with_service(provider: lists.Provider, **changes: Any) -> lists.Provider:
    """A care provider whose first service is different."""
    first, *others = provider.services
    return replace(provider, services=(replace(first, **changes), *others))
