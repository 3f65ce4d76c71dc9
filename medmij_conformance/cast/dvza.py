"""The players of a run, made from its target file: the wire, the PGO gateways, and collections that they begin."""

import itertools
from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast

from medmij_conformance import pki
from medmij_conformance.browsing import chromium
from medmij_conformance.cast.digid import ACTIONS, DigidDesk
from medmij_conformance.cast.identities import identity
from medmij_conformance.cast.journey import Journey
from medmij_conformance.cast.office import Office
from medmij_conformance.counterparties.pgo import Pgo
from medmij_conformance.evidence import Evidence
from medmij_conformance.requirements import Release
from medmij_conformance.target import Offer, Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.client import Client, Identity, Limits
from medmij_conformance.wire.hooks import Hooks, Person
from medmij_conformance.wire.user_agent import UserAgent

MINTED = "minted"
"""The identity of the PGO when it shows a certificate that was made for the occasion."""
PERSONAS = {
    "available": "Roos",
    "available_2": "Rik",
    "unavailable": "Bart",
    "undeliverable": "Ed",
    "young": "Evi",
    "no_relation": "Nova",
    "unknown": "an unknown person",
}
"""Role of a person in ``[persons]`` -> the name that she has in the features."""


class Cast:
    """Everybody the harness plays towards one target. ``folder`` takes the keys of this run; it is private and short-lived.
    ``operator`` is the person at the terminal, if there is one.

    ``journeys`` are all collections that were begun: together they are a sample of codes and tokens. ``waiting`` are those that
    were brought to a code or a token and left there, for whoever only needs one.
    """

    def __init__(
        self,
        target: Target,
        release: Release,
        evidence: Evidence,
        random: Random,
        folder: Path,
        operator: Person | None = None,
    ) -> None:
        self.target = target
        self.release = release
        self.hooks = Hooks(target.hooks, target.path.parent, operator=operator)
        self._random = random
        self._nodes = {
            "pgo": target.harness,
            "mallory": target.harness.other,
            "unlisted": target.harness.unlisted,
            MINTED: target.harness,
        }
        self.office = Office.of(target)
        limits = target.limits
        tsp = self.office.tsp if self.office else None
        self.digid = DigidDesk(target, evidence, folder, tsp) if target.login.mode == "digid" else None
        own = self.digid.connect if self.digid else {}
        self.client = Client(
            evidence,
            connect=ChainMap(own, cast("dict[str, str]", target.connect)),
            identities=[
                *(identity(name, node, folder) for name, node in self._nodes.items() if node and name != MINTED),
                *_forged(target.harness.hostname, folder),
            ],
            trust_back=target.trust.ca,
            trust_front=None if target.trust.front == "system" else target.trust.front,
            limits=Limits(exchange_s=limits.exchange_s, body_bytes=limits.body_bytes, pace_ms=limits.pace_ms),
            own=own,
        )
        self._flows = itertools.count(1)
        self.journeys: list[Journey] = []
        self.waiting: dict[str, Journey] = {}
        self._pgos: dict[str, Pgo] = {}
        self._chromium = chromium(target, "user_agent.engine") if target.user_agent.engine == "chromium" else None

    def close(self) -> None:
        """Everybody goes home: the browser is closed, DigiD and the responder, if there are any."""
        self.client.close()
        if self.digid:
            self.digid.close()
        if self._chromium:
            self._chromium.close()
        if self.office:
            self.office.close()

    def restart(self) -> None:
        """Begin anew: no collection was begun yet."""
        self.journeys.clear()
        self.waiting.clear()
        if self.digid:
            self.digid.restart()

    def pgo(self, name: str = "pgo") -> Pgo:
        """The PGO gateway ``pgo``, ``mallory`` or ``unlisted``. Raises ``NotSeenError`` when the target file lacks its node."""
        if name not in self._pgos:
            node = self._nodes[name]
            if node is None:
                table = {"mallory": "other"}.get(name, name)
                raise NotSeenError(f"the target file has no [harness.{table}]")
            other = self._nodes["mallory"]
            self._pgos[name] = Pgo(
                name=name,
                hostname=node.hostname,
                client_id=node.client_id,
                redirect_uri=node.redirect_uri,
                organisation=node.name,
                response_type=self.release.response_type,
                grant_type=self.release.grant_type,
                other_host=other.hostname if other else "other.test",
                random=self._random,
            )
        return self._pgos[name]

    def journey(
        self,
        *,
        by: Pgo | None = None,
        person: str = "available",
        offer: Offer | None = None,
        browser: UserAgent | None = None,
    ) -> Journey:
        """A new collection: of a PGO, a person (by her role in ``[persons]``) and an offer, in a browser of her own or another.

        Raises ``NotSeenError`` when the target file has no such person.
        """
        chosen, player = offer or self.target.offers[0], by or self.pgo()
        who = self.target.persons.get(person)
        if who is None:
            raise NotSeenError(f"the target file has no person {person!r} in [persons]")
        if self.digid and browser is None and "bsn" not in who[0]:
            raise NotSeenError(f"the person {person!r} in [persons] has no bsn, by which DigiD names people")
        agent = browser or self._browser(player, who[0])
        journey = Journey(
            client=self.client,
            pgo=player,
            offer=chosen,
            scopes=self._scopes(chosen),
            person=PERSONAS.get(person, person),
            browser=agent,
            resource_path=self.release.gegevensdiensten[chosen.gegevensdienst].request,
        )
        self.journeys.append(journey)
        return journey

    def _scopes(self, offer: Offer) -> dict[str, str]:
        """The scope of an offer, and in the same form those of a service that is not offered, of one that nobody knows, and of
        the same service on the PGO's side."""
        services = self.release.gegevensdiensten
        offered = {each.gegevensdienst for each in self.target.offers}
        codes = {"scope:other": next((code for code in services if code not in offered), "0"), "scope:unknown": "987654"}
        if offer.gegevensdienst in services:
            codes["scope:pgo"] = services[offer.gegevensdienst].pgo_code
        others = {name: self.target.scope(replace(offer, gegevensdienst=code, scope=None)) for name, code in codes.items()}
        return {"scope": self.target.scope(offer), **others}

    def _browser(self, player: Pgo, fields: Mapping[str, str]) -> UserAgent:
        """A browser of her own for a person: built in, or a fresh context of Chromium."""
        facts: dict[str, Any] = {
            "client": self.client,
            "actions": [*(ACTIONS if self.digid else ()), *self.target.user_agent.actions],
            "fields": fields,
            "redirect_uris": [player.redirect_uri],
            "flow": next(self._flows),
            "identity": player.name,
            "twin": player.name,
            "redirects": self.target.limits.redirects,
        }
        return self._chromium.user_agent(**facts) if self._chromium else UserAgent(**facts)


def _forged(hostname: str, folder: Path) -> Iterator[Identity]:
    """Certificates that bear the PGO's name, from nobody whom a gateway should trust."""
    issued = {"self-signed": pki.self_signed(hostname), "of another authority": pki.hierarchy().tsp.issue(hostname)}
    for name, credential in issued.items():
        certificate, key = credential.write(folder, name)
        yield Identity(name=name, certificate=certificate, key=key)
