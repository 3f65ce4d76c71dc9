"""The players of a run against a PGO gateway: the ZA gateways behind real listeners, and the browsers of people."""

import contextlib
import itertools
import json
import tempfile
import threading
import time
from collections import ChainMap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
from cryptography import x509

from medmij_conformance import pki
from medmij_conformance.browsing import chromium
from medmij_conformance.cast.collection import Collection
from medmij_conformance.cast.office import Office
from medmij_conformance.cast.wardrobe import Wardrobe
from medmij_conformance.counterparties.za import Flow, Reply, Words, Za, deviations
from medmij_conformance.evidence import Evidence, Exchange, Request, Response, Trouble, wall_time
from medmij_conformance.listing import lists_for, write_lists
from medmij_conformance.protocol import tls
from medmij_conformance.protocol.outcome import matching
from medmij_conformance.protocol.tls import ClientHello
from medmij_conformance.requirements import Release
from medmij_conformance.target import HarnessNode, Offer, Target, TargetError, authority
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.address import socket_address
from medmij_conformance.wire.attended import Operator
from medmij_conformance.wire.client import Client, Limits
from medmij_conformance.wire.hooks import Hooks
from medmij_conformance.wire.server import Handler, Peer, Script, Server
from medmij_conformance.wire.starting import ByAddress, ByOperator, ByProgram, Start, filled
from medmij_conformance.wire.user_agent import UserAgent

EXCEPTIONS = {
    "1": "reports exception 1 by a redirect",
    "2": "reports exception 2",
    "3": "reports exception 3",
    "4": "reports exception 4",
    "5": "reports exception 5",
    "6": "does not accept the code",
    "7": "does not accept the token",
    "8": "cannot reach the source",
}
"""Number of an exception -> what the ZA gateway does to bring it about."""
BROKEN = (
    "is too busy to redeem the code",
    "cuts the connection of the token request",
    "breaks off the token response",
    "answers the token request with garbage",
)
"""What the ZA gateway does so that a collection ends without an exception of the framework."""
_GATEWAYS = {"token", "resource", "other"}  # endpoints that no browser asks
_SHAPES = 20  # of ClientHellos that are kept; a client that makes ever new ones has been seen enough
NO_RETURN = "shows an error page and never returns"


MINTED = "minted"
"""The identity of the ZA gateway when it shows a certificate that was made for the occasion."""


class DvpCast:
    """Everybody the harness plays towards one PGO gateway. ``folder`` takes the keys of this run; it is private and short-lived.

    ``collections`` are all that were begun: together they are a sample of states, and what must stay silent afterwards.
    """

    def __init__(
        self,
        target: Target,
        release: Release,
        evidence: Evidence,
        random: Random,
        folder: Path,
        operator: Operator | None = None,
    ) -> None:
        self.target = target
        self.release = release
        self.evidence = evidence
        self.hooks = Hooks(target.hooks, target.path.parent, operator=operator)
        self._operator = operator
        words = Words(exceptions=release.exceptions, token_type=release.token_type, token_lifetime_s=release.token.lifetime_s)
        node = target.harness.other or target.harness
        elsewhere = f"https://{node.hostname}:{socket_address(target.harness.listen_back or '')[1]}/elsewhere"
        self.za = Za(target.offers, words, random, time.monotonic, elsewhere, _hosts_of(target))
        self._chromium = chromium(target, _field_of_chromium(target)) if _field_of_chromium(target) else None
        self.office = Office.of(target)
        try:
            self._servers = _listeners(target, self._serve, folder)
        except TargetError:
            self._close_office()
            raise
        self.back = self._servers[-1]
        self._wardrobe = Wardrobe(self.back)
        self.presented: tuple[x509.Certificate, ...] = ()
        self._published = tempfile.TemporaryDirectory(prefix="medmij-conformance-lists-")
        self._lists = _publish(target, Path(self._published.name))
        limits = target.limits
        trust = target.trust
        own = _own_addresses(target)
        self.client = Client(
            evidence,
            connect=ChainMap(own, cast("dict[str, str]", target.connect)),
            trust_back=trust.ca,
            trust_front=None if trust.front == "system" else (*trust.front, *trust.ca),
            limits=Limits(exchange_s=limits.exchange_s, body_bytes=limits.body_bytes, pace_ms=limits.pace_ms),
            own=own,
        )
        self._flows = itertools.count(1)
        self.collections: list[Collection] = []
        self._hellos: dict[ClientHello, Exchange] = {}
        for server in self._servers:
            server.start()

    def restart(self) -> None:
        """Begin anew: what was collected before is forgotten."""
        self.presented = ()
        self._end_collections()
        self._hellos.clear()
        self.za.forget()

    def close(self) -> None:
        """Nobody listens any more, and nothing that was started goes on."""
        self._end_collections()
        self.client.close()
        if self._chromium:
            self._chromium.close()
        for server in self._servers:
            server.stop()
        self._close_office()
        self._published.cleanup()

    def _end_collections(self) -> None:
        for collection in self.collections:
            collection.start.close()
        self.collections.clear()

    def _close_office(self) -> None:
        if self.office:
            self.office.close()

    def wear(self, credential: pki.Credential, *, from_token_on: bool = False, staple: bytes = b"") -> None:
        """From now on (or once a token has been issued) show this certificate on the back channel, until ``undress``.

        ``staple``: an OCSP answer that goes with it to whoever wants one.
        """
        self.back.contacts.clear()
        self._wardrobe.wear(credential, from_token_on=from_token_on, staple=staple)

    def undress(self) -> None:
        """Show the usual certificates again."""
        self._wardrobe.undress()

    def collection(self, deviation: str = "", *, offer: Offer | None = None, browser: UserAgent | None = None) -> Collection:
        """A new collection of an offer (the first one of the target file), in which the ZA gateway has one deviation, or none.

        Raises ``ValueError`` for a deviation that the ZA gateway does not know.
        """
        if deviation and deviation not in deviations():
            raise ValueError(f"the ZA gateway has no deviation {deviation!r}; it has {', '.join(deviations())}")
        chosen = offer or self.target.offers[0]
        flow = Flow(number=next(self._flows), scenario=self.evidence.scenario, offer=chosen, deviation=deviation)
        gateway, outcome = self.target.gateway, self.target.outcome
        if gateway is None or outcome is None:
            raise NotSeenError("the target file has no [gateway] or no [outcome]")
        agent = browser or self.browser()
        agent.flow = flow.number
        collection = Collection(
            evidence=self.evidence,
            za=self.za,
            offer=chosen,
            flow=flow,
            browser=agent,
            start=self._start(flow, tuple(outcome.texts)),
            redirect_uri=gateway.redirect_uri,
            shows_outcome=lambda exchange: bool(matching(outcome.texts, _body(exchange), exchange.request.url)),
            wait_s=outcome.wait_s,
            outcome_url=outcome.url,
        )
        self.collections.append(collection)
        return collection

    def ended_in(self, exception: str) -> Collection:
        """A collection that ended in an exception of this number; carried out now, if there was none.

        Raises ``NotSeenError`` when the browser did not come back to the PGO, so that its page was not seen.
        """
        deviation = EXCEPTIONS[exception]
        met = [c for c in self.collections if c.flow.deviation == deviation and c.visits]
        collection = met[0] if met else self.collection(deviation)
        if not met:
            collection.collect()
        if not collection.location:
            raise NotSeenError(f"exception {exception} was not met: the browser halted at {collection.halt}")
        return collection

    @property
    def stopped(self) -> list[Collection]:
        """The collections that ended in an exception, or that never came back."""
        ends = {*EXCEPTIONS.values(), *BROKEN, NO_RETURN}
        return [collection for collection in self.collections if collection.flow.deviation in ends and collection.visits]

    @property
    def hellos(self) -> tuple[Exchange, ...]:
        """Of each shape of ClientHello that came to the back channel, the first exchange after it, as stored."""
        return tuple(map(self.evidence.stored, self._hellos.values()))

    @contextlib.contextmanager
    def back_channel_wants(self, version: int) -> Iterator[list[Exchange]]:
        """Meanwhile the back channel answers every ClientHello by the wish for this version. Gives what came of it, as stored.

        Raises ``NotSeenError`` when there is one listener for both channels, so that people would be hit as well.
        """
        if len(self._servers) == 1:
            raise NotSeenError("[harness] has one address for both channels: its TLS cannot be changed for the gateways alone")
        back, heard = self._servers[-1], list[Exchange]()

        def note(first: bytes, more: bytes, closed_s: float | None) -> None:
            heard.append(self._record_wish(version, first, tls.reaction(more, closed_s)))

        usual = back.settings
        back.accept(replace(usual, script=Script(answer=lambda first: tls.wish(first, version), heard=note)))
        try:
            yield heard
        finally:
            back.accept(usual)

    def _record_wish(self, version: int, first: bytes, then: str) -> Exchange:
        name = tls.VERSIONS[version]
        facts = {"wanted": name, "then": then}
        return self.evidence.stored(
            self.evidence.append(
                Exchange(
                    label=f"the ZA gateway wants {name}",
                    endpoint="tls",
                    request=Request(method="CLIENTHELLO", url=f"https://{self.target.harness.hostname}", body=first.hex().encode()),
                    response=Response(status=0, body=json.dumps(facts).encode()),
                    deviation=f"wants {name}",
                    at=wall_time(),
                )
            )
        )

    def strange_code(self) -> str:
        """A code that no ZA gateway has issued, as an attacker would make one up."""
        code = self.za.credential()
        self.evidence.redactor.register(code)
        return code

    def strange_state(self) -> str:
        """A state that no PGO has made."""
        return self.za.credential()

    def second_tab(self, browser: UserAgent) -> UserAgent:
        """A browser that has the same cookies as another, as a second tab would."""
        return replace(browser, cookies=httpx.Cookies(browser.cookies))

    def browser(self) -> UserAgent:
        """A fresh browser, with no cookies, of a person who is logged in nowhere: built in, or Chromium."""
        persons = self.target.persons.get("available") or ({},)
        facts: dict[str, Any] = {
            "client": self.client,
            "actions": self.target.user_agent.actions,
            "fields": persons[0],
            "redirect_uris": [],
            "redirects": self.target.limits.redirects,
        }
        return self._chromium.user_agent(**facts) if self._chromium else UserAgent(**facts)

    def _start(self, flow: Flow, outcomes: Sequence[str]) -> Start:
        start = self.target.start
        match start:
            case None:
                raise NotSeenError("the target file has no [start]")
            case _ if start.mode == "command":
                where = {"MEDMIJ_URL": filled(start.url, flow.offer)} if start.url else {}
                return ByProgram(start.command, self.target.path.parent, self._lists | where, self.target.limits.exchange_s)
            case _ if start.mode == "operator":
                if self._operator is None:
                    raise NotSeenError("start mode operator needs an operator at the terminal, and the run is unattended")
                return ByOperator(self._operator, lambda: bool(flow.marker), outcomes)
        return ByAddress(start.url or "")

    def _serve(self, request: Request, peer: Peer) -> Response:
        """Let the ZA gateway answer, and record the exchange before the answer goes out."""
        started, at = self.evidence.now(), wall_time()
        if peer.certificate:
            self.presented = (peer.certificate, *peer.chain)
        reply = self.za.answer(request)
        if reply.delay_s:
            (reply.flow.may_come if reply.flow else threading.Event()).wait(reply.delay_s)
        # A connection that the PGO kept from before was opened by a certificate that we showed then.
        minted = self._wardrobe.opened(peer.shown)
        if reply.endpoint == "token":
            self._wardrobe.token_issued()
        self._record(request, reply, peer, started, at, MINTED if minted else "pgo")
        return reply.response

    def _record(self, request: Request, reply: Reply, peer: Peer, started: float, at: str, identity: str) -> None:
        for secret in reply.secrets:
            self.evidence.redactor.register(secret)
        flow = reply.flow
        cut = not reply.response.status
        shape = tls.shape(peer.client_hello) if reply.endpoint in _GATEWAYS and len(self._hellos) < _SHAPES else None
        new = shape is not None and shape not in self._hellos
        exchange = self.evidence.append(
            Exchange(
                label=reply.label,
                endpoint=reply.endpoint,
                identity=identity,
                twin=identity,
                request=request,
                response=None if cut else reply.response,
                trouble=Trouble(kind="reset", detail="the ZA gateway cut the connection on purpose") if cut else None,
                deviation=(flow.deviation or None) if flow else None,
                flow=flow.number if flow else 0,
                scenario=flow.scenario if flow else "",
                tls=peer.tls(client_hello=new),
                address=peer.address,
                started=started,
                finished=self.evidence.now(),
                at=at,
            )
        )
        if shape is not None and new:
            self._hellos[shape] = exchange


def _hosts_of(target: Target) -> set[str]:
    """By which hosts the PGO gateway is known."""
    gateway = target.gateway
    return {gateway.hostname, urlsplit(gateway.redirect_uri).hostname or ""} if gateway else set()


def _field_of_chromium(target: Target) -> str:
    """The field of the target file that asks for Chromium; empty when none does."""
    if target.start and target.start.mode == "browser":
        return "start.mode"
    return "user_agent.engine" if target.user_agent.engine == "chromium" else ""


def _publish(target: Target, folder: Path) -> dict[str, str]:
    """The lists that the generation has as files, for a program that starts a collection: environment variable -> file."""
    names = {path.name: str(path) for path in write_lists(lists_for(target), folder)}
    variables = {"MEDMIJ_ZAL": "zorgaanbiederslijst", "MEDMIJ_WHITELIST": "whitelist", "MEDMIJ_OCL": "oauthclientlist"}
    return {variable: names[f"{name}.xml"] for variable, name in variables.items() if f"{name}.xml" in names}


def _body(exchange: Exchange) -> bytes:
    return exchange.response.body if exchange.response else b""


def _listeners(target: Target, handler: Handler, folder: Path) -> list[Server]:
    """One listener per channel, or one for both. Each serves every node of ours; the back asks for client certificates.

    Raises ``TargetError`` when an address is taken.
    """
    harness = target.harness
    front, back = harness.listen or "", harness.listen_back or ""
    own = _files("harness", harness, folder)
    others = {harness.other.hostname: _files("other", harness.other, folder)} if harness.other else {}
    authorities = folder / "authorities.pem"
    authorities.write_bytes(b"".join(path.read_bytes() for path in target.trust.ca))
    servers: list[Server] = []
    for address in dict.fromkeys((front, back)):
        try:
            servers.append(
                Server(
                    handler,
                    host=harness.hostname,
                    certificate=own[0],
                    key=own[1],
                    client_ca=authorities,
                    client_certificate="ask" if address == back else "none",
                    one_request=address == back,
                    listen=socket_address(address),
                    by_host_header=True,
                    others=others,
                )
            )
        except OSError as error:
            for server in servers:
                server.stop()
            name = "listen" if address == front else "listen_back"
            problem = f"{address} cannot be listened on: {error.strerror}"
            raise TargetError(target.path, f"harness.{name}", problem, "an address of this machine that is free") from error
    return servers


def _files(name: str, node: HarnessNode, folder: Path) -> tuple[Path, Path]:
    """Certificate and key of a node as files. The target file was checked: it has both."""
    return pki.write_pair(folder, name, *(node.credential() or (b"", b"")))


def _own_addresses(target: Target) -> dict[str, str]:
    """Where the browser finds our own front channel: the addresses of the offers, at our listener."""
    host, port = socket_address(target.harness.listen or "")
    reachable = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 an address that is listened on, not bound here
    return {authority(offer.authorization_endpoint): f"{reachable}:{port}" for offer in target.offers}
