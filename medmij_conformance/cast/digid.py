"""DigiD at work: the played identity provider behind two real listeners, one for browsers and one for the gateway itself."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from medmij_conformance import pki
from medmij_conformance.cast.wardrobe import dress
from medmij_conformance.counterparties.digid import (
    CANCEL,
    CUT,
    LOG_IN,
    LOGIN_PAGE,
    TRAP,
    USED_BEFORE,
    Digid,
    Login,
    Reply,
    deviations,
    message_of,
)
from medmij_conformance.counterparties.tsp import REVOKED, Tsp
from medmij_conformance.evidence import Evidence, Exchange, Request, Response, Trouble, wall_time
from medmij_conformance.protocol import saml
from medmij_conformance.target import Digid as DigidTable
from medmij_conformance.target import Target, TargetError, authority
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.address import socket_address
from medmij_conformance.wire.server import Peer, Server

NEW = "shows a new certificate"
_KEPT = 100_000  # octets of an answer that stay in the evidence; more are there only to drown a gateway


@dataclass(frozen=True, slots=True)
class PageAction:
    """What a person does on the login page of DigiD, as an action of the recipe."""

    intent: str
    press: str
    page: str = LOGIN_PAGE
    fill: dict[str, str] = field(default_factory=dict)
    check: tuple[str, ...] = ()
    select: dict[str, str] = field(default_factory=dict)


ACTIONS = (PageAction("log in", LOG_IN, fill={"bsn": "{bsn}"}), PageAction("cancel login", CANCEL))
"""How the login page of DigiD is used; the target file need not say it."""


class DigidDesk:
    """DigiD, listening. ``folder`` takes its keys for as long as it starts; ``connect`` is where its front channel is found.
    ``tsp`` mints certificates for the occasion, where there is one.

    ``resolves`` are the exchanges in which the gateway came for the result of a login, and ``trapped`` those that a hostile answer
    brought about; both with the login that they belong to, if it is known. Raises ``TargetError``.
    """

    def __init__(self, target: Target, evidence: Evidence, folder: Path, tsp: Tsp | None = None) -> None:
        table = target.digid
        if table is None:
            raise TargetError(target.path, "digid", "missing", "a table [digid], because login.mode is digid")
        self._evidence = evidence
        self.table = table
        signer, sp = signer_of(target), service_provider_of(target)
        self._servers = _listeners(target, table, self._front, self._back, folder)
        self._tsp = tsp
        self._disguises = _disguises(target, table, tsp)
        front, back = (server.port for server in self._servers)
        self.player = Digid(
            entity_id=table.entity_id,
            front=address_of(table.host, front),
            back=address_of(table.back_host, back),
            signer=signer,
            sp=sp,
            stranger=self._stranger,
        )
        self._other: saml.Signer | None = None
        persons = [*target.persons.get("available_2", ()), *target.persons.get("available", ())]
        self.forged = persons[0].get("bsn", "") if persons else ""
        self.resolves: list[tuple[Login | None, Exchange]] = []
        self.trapped: list[Exchange] = []
        self._closing = threading.Event()
        own = (table.listen or "").rpartition(":")[0]
        reachable = "127.0.0.1" if own in {"0.0.0.0", "[::]"} else own  # noqa: S104 where we listen, not bound here
        self.connect = {authority(self.player.front_address): f"{reachable}:{front}"}
        for server in self._servers:
            server.start()

    def close(self) -> None:
        """Nobody can log in any more."""
        self._closing.set()
        for server in self._servers:
            server.stop()

    def restart(self) -> None:
        """Begin anew: nobody has logged in."""
        self.player.forget()
        self.resolves.clear()
        self.trapped.clear()

    def logins(self, exchanges: tuple[Exchange, ...]) -> list[Login]:
        """The logins that these exchanges of a browser began, in order."""
        ids = [saml.authn_request(root).id for root in (_message(e) for e in self.requests(exchanges)) if root is not None]
        return [next(login for login in reversed(self.player.logins) if login.request.id == name) for name in ids if name]

    def requests(self, exchanges: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
        """Those exchanges of a browser that brought an AuthnRequest here."""
        place = f"{self.player.front_address}{saml.REQUEST}"
        return tuple(e for e in exchanges if e.request.url.partition("?")[0] == place and e.endpoint != "shown")

    def deviate(self, login: Login, deviation: str) -> None:
        """Let DigiD do one thing other than plainly right in a login. Raises ``NotSeenError`` for what it cannot do."""
        if deviation in self._disguises:
            worn = self._disguises[deviation]()
            dress(self._servers[1], worn)
            login.shown = worn.certificate.serial_number
        elif deviation not in deviations():
            raise NotSeenError(f"DigiD cannot do this: {deviation!r}; {_TAKES}")
        if deviation == USED_BEFORE and not self.player.handed_out(login):
            raise NotSeenError("no right assertion was handed out before, whose ID could come again")
        login.deviation, login.forged = deviation, self.forged

    def must_be_seen(self, login: Login) -> None:
        """Raises ``NotSeenError`` when a certificate was shown for a login, and the gateway came over a connection from before."""
        if login.unseen:
            raise NotSeenError("the gateway came for the result over a connection from before DigiD showed its other certificate")

    def status_of(self, login: Login) -> dict[str, Any]:
        """How the responder speaks of the certificate that was minted for a login, and how often it was asked; empty for others."""
        if self._tsp is None or login.shown not in self._tsp.manners:
            return {}
        return {"manner": self._tsp.manners[login.shown], "asked": self._tsp.times_asked(login.shown)}

    def resolved(self, login: Login) -> list[Exchange]:
        """The exchanges in which the gateway came for the result of a login."""
        return [exchange for own, exchange in self.resolves if own is login]

    def _stranger(self) -> saml.Signer:
        """Somebody else, whom no gateway knows."""
        if self._other is None:
            credential = pki.hierarchy("OTHER").tsp.issue(self.table.back_host, key="rsa2048")
            self._other = saml.Signer.from_pem(credential.certificate_pem, credential.key_pem)
        return self._other

    def _front(self, request: Request, _peer: Peer) -> Response:
        """Answer a browser, which records the exchange itself."""
        reply = self.player.front(request)
        if reply.login and not reply.login.scenario:
            reply.login.scenario = self._evidence.scenario
            self._servers[1].undress()  # whatever it wore for an earlier login
        self._learn(reply)
        return reply.response

    def _back(self, request: Request, peer: Peer) -> Response:
        """Answer the gateway, and record the exchange before the answer goes out."""
        started, at = self._evidence.now(), wall_time()
        reply = self.player.back(request)
        self._learn(reply)
        login, answer = reply.login, reply.response
        if login and login.shown and peer.shown != login.shown:
            login.unseen = True
        trouble = None
        if answer.status == CUT:
            said = f"says nothing for {reply.silence_s:.0f} s" if reply.silence_s else "cut the connection"
            trouble = Trouble(kind="reset", detail=f"DigiD {said} on purpose")
        kept = Response(status=answer.status, headers=answer.headers, body=saml.without_digests(answer.body[:_KEPT]))
        exchange = self._evidence.append(
            Exchange(
                label=reply.label,
                endpoint="digid",
                request=request,
                response=None if trouble else kept,
                trouble=trouble,
                deviation=(login.deviation or None) if login else None,
                scenario=login.scenario if login else "",
                tls=peer.tls(),
                address=peer.address,
                started=started,
                finished=self._evidence.now(),
                at=at,
            )
        )
        if TRAP in request.url:
            self.trapped.append(exchange)
        else:
            self.resolves.append((login, exchange))
        self._closing.wait(reply.silence_s)  # recorded already: the gateway, and the run, may have gone on before it ends
        return answer

    def _learn(self, reply: Reply) -> None:
        for secret in reply.secrets:
            self._evidence.redactor.register(secret)


def signer_of(target: Target) -> saml.Signer:
    """The key of DigiD's signatures. Raises ``TargetError``."""
    table = target.digid
    pair = table.signing_credential() if table else None
    if pair is None:
        credential = pki.hierarchy().tsp.issue(table.back_host if table else "digid.test", key="rsa2048")
        pair = (credential.certificate_pem, credential.key_pem)
    try:
        return saml.Signer.from_pem(*pair)
    except saml.SamlError as error:
        raise TargetError(target.path, "digid.signing_key", str(error), "an RSA key with its certificate") from error


def service_provider_of(target: Target) -> saml.ServiceProvider:
    """The gateway as its SAML metadata tells it. Raises ``TargetError``."""
    file = target.digid and target.digid.sp_metadata
    expected = "the SAML metadata of the gateway, because login.mode is digid"
    if not file:
        raise TargetError(target.path, "digid.sp_metadata", "missing", expected)
    try:
        return saml.service_provider(file.read_bytes())
    except (OSError, saml.SamlError) as error:
        raise TargetError(target.path, "digid.sp_metadata", f"{file.name}: {error}", expected) from error


def metadata_of(target: Target) -> bytes:
    """The metadata of DigiD as the gateway has to load it. Raises ``TargetError``."""
    table = target.digid or DigidTable()
    front, back = (
        address_of(host, int((listen or "").rpartition(":")[2] or 0))
        for host, listen in ((table.host, table.listen), (table.back_host, table.listen_back))
    )
    return saml.idp_metadata(table.entity_id, signer_of(target), front, back)


def address_of(host: str, port: int) -> str:
    """The address of a host at a port, without the port of https."""
    return f"https://{host}" + ("" if port in {0, 443} else f":{port}")


def _message(exchange: Exchange) -> Any:
    try:
        return message_of(exchange.request)[1]
    except saml.SamlError:
        return None


def _listeners(target: Target, table: DigidTable, front: Any, back: Any, folder: Path) -> list[Server]:
    """One listener for browsers, and one that asks for certificates. Raises ``TargetError`` when an address is taken."""
    pair = table.credential()
    if pair is None:
        credential = pki.hierarchy().tsp.issue(table.host, names=(table.host, table.back_host))
        pair = (credential.certificate_pem, credential.key_pem)
    certificate, key = pki.write_pair(folder, "digid", *pair)
    authorities = folder / "digid-clients.pem"
    authorities.write_bytes(b"".join(path.read_bytes() for path in target.trust.ca))
    servers: list[Server] = []
    for field_name, host, listen, handler in (
        ("listen", table.host, table.listen, front),
        ("listen_back", table.back_host, table.listen_back, back),
    ):
        try:
            servers.append(
                Server(
                    handler,
                    host=host,
                    certificate=certificate,
                    key=key,
                    client_ca=authorities,
                    client_certificate="ask" if handler is back else "none",
                    one_request=handler is back,
                    listen=socket_address(listen or ""),
                    by_host_header=True,
                )
            )
        except OSError as error:
            for server in servers:
                server.stop()
            problem = f"{listen} cannot be listened on: {error.strerror}"
            raise TargetError(target.path, f"digid.{field_name}", problem, "an address of this machine that is free") from error
    return servers


_TAKES = "a certificate for the occasion takes one in [harness], or an issuer in [pki]"


def _disguises(target: Target, table: DigidTable, tsp: Tsp | None) -> Mapping[str, Callable[[], pki.Credential]]:
    """What makes the certificates that DigiD shows for the occasion, by what is said of them in the features.

    Under all but the new one no gateway should speak to DigiD. Minted ones are new each time, so that nobody knows their status.
    """
    strange = pki.self_signed(table.back_host)
    found: dict[str, Callable[[], pki.Credential]] = {"shows a certificate that nobody vouches for": lambda: strange}
    if pair := target.harness.credential():
        other = pki.Credential.from_pem(*pair)
        found["shows the certificate of another host"] = lambda: other
    if tsp:
        mint = partial(tsp.mint, table.back_host)
        found[NEW] = mint
        found["shows a certificate that has expired"] = partial(mint, "has expired")
        found["shows a certificate that was revoked"] = partial(mint, manner=REVOKED)
    return found
