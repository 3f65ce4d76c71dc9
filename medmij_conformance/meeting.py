"""How the gateway under test meets a node of the harness whose certificate was minted for the occasion.

Towards a ZA gateway the PGO comes with it, as a client, to both endpoints of the back channel; towards a PGO gateway the ZA gateway
shows it, as a server, when its token endpoint is called. Either way the meeting gives exchanges: with an answer, if application
data went over the session, and with the trouble that ended it, if not.
"""

import base64
import functools
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from medmij_conformance import pki
from medmij_conformance.cast.collection import Collection as Flow
from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.cast.dvza import MINTED, Cast
from medmij_conformance.cast.journey import Journey
from medmij_conformance.cast.office import Office, present
from medmij_conformance.cast.registratie import RegistratieCast
from medmij_conformance.cast.stelselnode import Publisher
from medmij_conformance.checks._sessions import NO_REQUEST
from medmij_conformance.counterparties.tsp import BRIEFLY, BRIEFLY_S, GOOD, KINDS, SILENT, UnmintedError
from medmij_conformance.evidence import Evidence, Exchange, Observation, Request, Trouble, wall_time
from medmij_conformance.listing import contents_for, list_documents, without_nodes, write_lists
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.client import Client
from medmij_conformance.wire.hooks import HookError, Hooks
from medmij_conformance.wire.looking import chain_of
from medmij_conformance.wire.server import Contact


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """``exchanges`` of one or more sessions; ``facts``: who called whom, what was wrong, how often the responder was asked."""

    exchanges: tuple[Exchange, ...]
    facts: Observation
    credentials: tuple[pki.Credential, ...] = ()


class Gate(Protocol):
    """Where the gateway under test meets our nodes."""

    def meet(self, defect: str = "", manner: str = GOOD) -> Meeting:
        """One meeting, with certificates that have this defect and of which the responder speaks in this manner."""

    def meet_again(self, meeting: Meeting, manner: str) -> Meeting:
        """The same certificates once more; from now on the responder speaks of them in this manner."""

    def prepare(self) -> None:
        """Get the codes and tokens that a meeting needs, while they can still be had."""

    def collect(self) -> tuple[Exchange, ...]:
        """Somebody collects her data with an ordinary browser. Gives what the browser exchanged."""

    def chains(self) -> tuple[Observation, ...]:
        """The certificates that the gateway shows, wherever it shows some."""

    def forget(self) -> None:
        """Begin with fresh codes and tokens: what was left to wait may be dead by now."""


_A_MOMENT_S = 0.1
_LISTS = ("zal", "whitelist")
_SIGNS = ("alert", "closed the connection", "reset", "Broken pipe")  # that the other side has ended a handshake
_STALE_S = 300  # a code or a token that was left for so long is left alone


def _facts(
    office: Office, caller: str, about: str, manner: str, serials: list[int], before: list[int], stapled: Sequence[int] = ()
) -> Observation:
    new = [office.tsp.questions(serial)[then:] for serial, then in zip(serials, before, strict=True)]
    facts = {"caller": caller, "about": about, "manner": manner, "kind": KINDS[manner]}
    asked, nonces = [len(each) for each in new], [sum(question.nonce for question in each) for each in new]
    return Observation("meeting", {**facts, "asked": asked, "nonces": nonces, "stapled": list(stapled)})


def _office(office: Office | None) -> Office:
    if office is None:
        raise NotSeenError("the target file has no issuer in [pki]")
    return office


def _mint(office: Office, hostname: str, defect: str, manner: str) -> pki.Credential:
    try:
        return office.tsp.mint(hostname, defect, manner=manner)
    except UnmintedError as error:
        raise NotSeenError(str(error)) from error


def _looked_at(client: Client, places: Iterable[tuple[str, str, Sequence[Path]]]) -> tuple[Observation, ...]:
    """What stands at addresses of the gateway: each address once, and only those of ``[connect]``."""
    seen: dict[str, Observation] = {}
    for place, url, trusted in places:
        origin, address = client.address(url)
        if address and origin not in seen:
            host = urlsplit(url).hostname or ""
            seen[origin] = _shown(place, host, "server", chain_of(address, host), trusted)
    return tuple(seen.values())


def _shown(place: str, host: str, used_as: str, chain: Sequence[x509.Certificate], trusted: Sequence[Path]) -> Observation:
    authorities = [each for path in trusted for each in x509.load_pem_x509_certificates(path.read_bytes())]
    facts = {"place": place, "host": host, "used_as": used_as, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    return Observation("chain", {**facts, "certificates": _texts(chain), "authorities": _texts(authorities)})


def _texts(certificates: Iterable[x509.Certificate]) -> list[str]:
    return [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in certificates]


def publish(
    hooks: Hooks, target: Target, publisher: Publisher | None, *, struck: Collection[str] = (), whitelist: bool = True
) -> None:
    """Let the gateway take new lists, with these host names struck off the Whitelist, or with no Whitelist at all.

    It fetches them from the Stelselnode that we play; where we play none, they stand in a folder, and in the words of the hook too,
    for a gateway that sees other files. Raises ``HookError``.
    """
    if publisher:
        publisher.publish(struck=struck, whitelist=whitelist)
        hooks.call("reload_lists")
        return
    documents = list_documents(without_nodes(contents_for(target, int(time.time())), struck), target.lists.generation)
    if not whitelist:
        del documents["whitelist.xml"]
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-lists-") as folder:
        write_lists(documents, Path(folder))
        hooks.call("reload_lists", folder=folder, lists={name: content.decode() for name, content in documents.items()})


def _speak_of(office: Office, meeting: Meeting, manner: str) -> None:
    for credential in meeting.credentials:
        office.tsp.manners[credential.certificate.serial_number] = manner


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """A meeting with certificates of which the good answer ends at a wall time, in seconds."""

    meeting: Meeting
    ends: float

    def past(self) -> Meeting:
        """The meeting, once its good answer has run out; what is left of it is waited for."""
        time.sleep(max(0.0, self.ends + _A_MOMENT_S - time.time()))
        return self.meeting


def meet_briefly(gate: Gate) -> Brief:
    """A meeting of which the good answer runs out soon."""
    meeting = gate.meet(manner=BRIEFLY)
    return Brief(meeting=meeting, ends=int(time.time()) + BRIEFLY_S)  # such an answer ends with a whole second


class _Calling(ABC):
    """We call the gateway, at two places, each with a certificate of its own."""

    __slots__ = ()
    cast: Cast | RegistratieCast

    def meet(self, defect: str = "", manner: str = GOOD) -> Meeting:
        office, host = _office(self.cast.office), self.cast.target.harness.hostname
        pair = tuple(_mint(office, host, defect, manner) for _ in range(2))
        return self._meet(office, pair, defect, manner)

    def meet_again(self, meeting: Meeting, manner: str) -> Meeting:
        office = _office(self.cast.office)
        _speak_of(office, meeting, manner)
        return self._meet(office, meeting.credentials, "", manner)

    @abstractmethod
    def _meet(self, office: Office, pair: tuple[pki.Credential, ...], defect: str, manner: str) -> Meeting:
        """Call with these certificates, whose answers the responder has been told."""


def _again_if_cut(call: Callable[[], Exchange]) -> Exchange:
    """What comes of a call, made twice when the first was cut without a word: a network may do that once, a refusal always."""
    came = call()
    return call() if came.was_cut else came


@dataclass(slots=True)
class DvzaGate(_Calling):
    """The back channel of a ZA gateway: the PGO redeems a code, and asks for data."""

    cast: Cast

    def forget(self) -> None:
        self.cast.waiting.clear()

    def prepare(self) -> None:
        for kind in ("code", "token"):
            self._waiting(kind)

    def collect(self) -> tuple[Exchange, ...]:
        journey = self.cast.journey()
        journey.to_token()
        if journey.token:
            journey.ask()
        return journey.exchanges

    def chains(self) -> tuple[Observation, ...]:
        target = self.cast.target
        trust = target.trust
        front = () if trust.front == "system" else trust.front
        offers = target.offers
        places = [("front", offer.authorization_endpoint, front) for offer in offers]
        places += [("back", url, trust.ca) for offer in offers for url in (offer.token_endpoint, offer.resource_endpoint)]
        return _looked_at(self.cast.client, places)

    def _meet(self, office: Office, pair: tuple[pki.Credential, ...], defect: str, manner: str) -> Meeting:
        self.prepare()
        serials = [credential.certificate.serial_number for credential in pair]
        before = office.times_asked(serials)
        about = defect or manner
        names = [present(self.cast.client, each, f"{MINTED} {number}") for number, each in enumerate(pair)]
        deviation = None if about == GOOD else about

        def redeem() -> Exchange:
            came = self._waiting("code").redeem(certificate=names[0], deviation=deviation)
            if came.response or came.was_cut:  # the code was offered, perhaps, and is good for nothing more
                self.cast.waiting.pop("code")
            return came

        def ask() -> Exchange:
            return self._waiting("token").ask(certificate=names[1], deviation=deviation)

        with ThreadPoolExecutor(2 if manner == SILENT else 1) as pool:  # the gateway waits for an answer: at both places at once
            calls = pool.submit(_again_if_cut, redeem), pool.submit(_again_if_cut, ask)
            at_token, at_resource = (call.result() for call in calls)
        facts = _facts(office, "harness", defect, manner, serials, before)
        return Meeting(exchanges=(at_token, at_resource), facts=facts, credentials=pair)

    def _waiting(self, kind: str) -> Journey:
        """A collection that was brought to a code, or to a token, with certificates that are good."""
        waiting = self.cast.waiting
        stale_s = min(_STALE_S, self.cast.release.token.lifetime_s / 3)
        if kind in waiting and self.cast.client.evidence.now() - waiting[kind].exchanges[-1].finished > stale_s:
            waiting.pop(kind)
        if kind not in waiting:
            journey = self.cast.journey(by=self.cast.pgo(MINTED))
            journey.to_code()
            if not journey.code:
                raise NotSeenError("no code was issued with which the PGO could come")
            if kind == "token":
                journey.redeem(certificate="pgo")
                if not journey.token:
                    raise NotSeenError("no token was issued with which the PGO could come")
            waiting[kind] = journey
        return waiting[kind]


@dataclass(slots=True)
class RegistratieGate(_Calling):
    """The listener of MedMij Registratie: a PGO gateway asks for the ZAL, and for the Whitelist."""

    cast: RegistratieCast

    def forget(self) -> None:
        """Every meeting asks anew."""

    def prepare(self) -> None:
        """Nothing is needed to ask for a list."""

    def collect(self) -> tuple[Exchange, ...]:
        raise NotSeenError("nobody comes to MedMij Registratie with a browser")

    def chains(self) -> tuple[Observation, ...]:
        target = self.cast.target
        return _looked_at(self.cast.client, [("back", url, target.trust.ca) for url in self.cast.addresses.values()])

    def _meet(self, office: Office, pair: tuple[pki.Credential, ...], defect: str, manner: str) -> Meeting:
        self.cast.must_be_at_work()
        serials = [credential.certificate.serial_number for credential in pair]
        before = office.times_asked(serials)
        about = defect or manner
        deviation = None if about == GOOD else about
        names = [present(self.cast.client, each, f"{MINTED} {number}") for number, each in enumerate(pair)]
        with ThreadPoolExecutor(2 if manner == SILENT else 1) as pool:  # the gateway waits for an answer: at both places at once
            asks = [functools.partial(self.cast.ask_with, *each, deviation=deviation) for each in zip(names, _LISTS, strict=True)]
            asked = tuple(pool.map(_again_if_cut, asks))
        return Meeting(exchanges=asked, facts=_facts(office, "harness", defect, manner, serials, before), credentials=pair)


@dataclass(slots=True)
class DvpGate:
    """The way of a PGO gateway to the back channel of the ZA gateway: it redeems a code; ``from_token_on``: asks for data."""

    cast: DvpCast

    def forget(self) -> None:
        """Every meeting has a collection of its own."""

    def prepare(self) -> None:
        """A collection begins with nothing."""

    def collect(self) -> tuple[Exchange, ...]:
        collection = self.cast.collection()
        collection.collect()
        return tuple(exchange for visit in collection.visits for exchange in visit.exchanges)

    def chains(self) -> tuple[Observation, ...]:
        target = self.cast.target
        if target.gateway is None:
            raise NotSeenError("the target file has no [gateway]")
        if not self.cast.presented:
            self.collect()
        front = () if target.trust.front == "system" else target.trust.front
        shown = [_shown("back", target.gateway.hostname, "client", self.cast.presented, target.trust.ca)]
        return (*shown, *_looked_at(self.cast.client, [("front", target.gateway.redirect_uri, front)]))

    def meet(self, defect: str = "", manner: str = GOOD, *, from_token_on: bool = False, stapling: bool = False) -> Meeting:
        """``stapling``: the ZA gateway sends what the responder says in its handshake, to a PGO gateway that wants that."""
        office, host = _office(self.cast.office), self.cast.target.harness.hostname
        return self._meet(office, _mint(office, host, defect, manner), defect, manner, from_token_on, stapling)

    def meet_again(self, meeting: Meeting, manner: str) -> Meeting:
        office = _office(self.cast.office)
        _speak_of(office, meeting, manner)
        return self._meet(office, meeting.credentials[0], "", manner, from_token_on=False, stapling=False)

    def _meet(
        self, office: Office, credential: pki.Credential, defect: str, manner: str, from_token_on: bool, stapling: bool
    ) -> Meeting:
        collection = self.cast.collection()
        collection.begin()
        if not collection.location:
            raise NotSeenError(f"the browser was not sent back to the PGO: it halted at {collection.halt}")
        serial = credential.certificate.serial_number
        before = office.times_asked([serial])
        try:
            staple = office.tsp.staple(credential) if stapling else b""
            self.cast.wear(credential, from_token_on=from_token_on, staple=staple)
            collection.come_back()
            contacts = [contact for contact in self.cast.back.settled() if contact.shown == serial]
        finally:
            self.cast.undress()
        place = "resource" if from_token_on else "token"
        came = next((e for e in collection.seen(place) if e.identity == MINTED), None)
        if came is None:
            came = self._unanswered(collection, place, contacts)
        stapled = sum(contact.stapled for contact in contacts)
        facts = _facts(office, "gateway", defect, manner, [serial], before, [stapled])
        return Meeting(exchanges=(came,), facts=facts, credentials=(credential,))

    def _unanswered(self, collection: Flow, place: str, contacts: list[Contact]) -> Exchange:
        """A session without a request, as an exchange. Raises ``NotSeenError`` when nobody called."""
        if not contacts:
            raise NotSeenError(f"the PGO gateway did not call the {place} endpoint: the browser came to {collection.halt}")
        offer = collection.offer
        url = offer.resource_endpoint if place == "resource" else offer.token_endpoint
        label = f"session of the PGO with the {place} endpoint"
        return _without_a_request(self.cast.evidence, contacts[-1], label, place, url, collection.flow.number)


def _without_a_request(evidence: Evidence, contact: Contact, label: str, endpoint: str, url: str, flow: int = 0) -> Exchange:
    """A session with us in which the gateway asked nothing, as an exchange. Raises ``NotSeenError`` when that is our doing."""
    if contact.trouble and not any(sign in contact.trouble for sign in _SIGNS):
        raise NotSeenError(f"the certificate could not be shown to the gateway: {contact.trouble}")
    return evidence.append(
        Exchange(
            label=label,
            endpoint=endpoint,
            request=Request(method="", url=url),
            trouble=Trouble(kind="tls", detail=contact.trouble or NO_REQUEST),
            identity=MINTED,
            twin=MINTED,
            flow=flow,
            address=contact.address,
            started=evidence.now(),
            finished=evidence.now(),
            at=wall_time(),
        )
    )


@dataclass(frozen=True, slots=True)
class ListGate:
    """The way of a gateway to MedMij Registratie, which the harness plays: it fetches its lists when the vendor says so."""

    office: Office | None
    publisher: Publisher
    hooks: Hooks
    evidence: Evidence
    host: str

    def meet(self, defect: str = "", manner: str = GOOD) -> Meeting:
        """One meeting: of what is fetched, the Whitelist, which every gateway needs."""
        office = _office(self.office)
        credential = _mint(office, self.host, defect, manner)
        serial = credential.certificate.serial_number
        before, began = office.times_asked([serial]), self.evidence.now()
        trouble: HookError | None = None
        self.publisher.wear(credential, MINTED)
        try:
            self.hooks.call("reload_lists")
        except HookError as error:  # a gateway may well say that it got no lists; whether it tried is seen at our end
            trouble = error
        finally:
            contacts = self.publisher.contacts(serial)
            self.publisher.undress()
        fetches = [e for e in self.publisher.fetches(self.evidence.scenario) if e.identity == MINTED and e.started >= began]
        came = next((e for e in fetches if e.endpoint == "whitelist"), next(iter(fetches), None))
        if came is None and not contacts:
            raise trouble or NotSeenError("the gateway did not call MedMij Registratie when it was told to fetch its lists")
        label, url = "session of the gateway with MedMij Registratie", f"https://{self.host}/whitelist"
        came = came or _without_a_request(self.evidence, contacts[-1], label, "whitelist", url)
        return Meeting(
            exchanges=(came,), facts=_facts(office, "gateway", defect, manner, [serial], before), credentials=(credential,)
        )
