"""The players of a run, made from its target file: the wire, the PGO gateways, and collections that they begin."""

import itertools
from pathlib import Path
from random import Random

from medmij_conformance.counterparties.pgo import Pgo
from medmij_conformance.evidence import Evidence
from medmij_conformance.journey import Journey
from medmij_conformance.requirements import Release
from medmij_conformance.target import HarnessNode, Offer, Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.client import Client, Identity, Limits
from medmij_conformance.wire.hooks import Hooks
from medmij_conformance.wire.user_agent import UserAgent

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

    ``journeys`` are all collections that were begun: together they are a sample of codes and tokens.
    """

    def __init__(self, target: Target, release: Release, evidence: Evidence, random: Random, folder: Path) -> None:
        self.target = target
        self.release = release
        self.hooks = Hooks(target.hooks, target.path.parent)
        self._random = random
        self._nodes = {
            "pgo": target.harness,
            "mallory": target.harness.other,
            "unlisted": target.harness.unlisted,
        }
        limits = target.limits
        self.client = Client(
            evidence,
            connect=target.connect,
            identities=[_identity(name, node, folder) for name, node in self._nodes.items() if node],
            trust_back=target.trust.ca,
            trust_front=None if target.trust.front == "system" else target.trust.front,
            limits=Limits(exchange_s=limits.exchange_s, body_bytes=limits.body_bytes, pace_ms=limits.pace_ms),
        )
        self._flows = itertools.count(1)
        self.journeys: list[Journey] = []
        self._pgos: dict[str, Pgo] = {}

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
        agent = browser or UserAgent(
            client=self.client,
            actions=self.target.user_agent.actions,
            fields=who[0],
            redirect_uris=[player.redirect_uri],
            flow=next(self._flows),
            identity=player.name,
            twin=player.name,
            redirects=self.target.limits.redirects,
        )
        journey = Journey(
            client=self.client,
            pgo=player,
            offer=chosen,
            scope=self.target.scope(chosen),
            person=PERSONAS.get(person, person),
            browser=agent,
            resource_path=self.release.gegevensdiensten[chosen.gegevensdienst].request,
        )
        self.journeys.append(journey)
        return journey


def _identity(name: str, node: HarnessNode, folder: Path) -> Identity:
    credential = node.credential()
    if credential is None:
        return Identity(name=name)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(credential[0])
    key.touch(mode=0o600)
    key.write_bytes(credential[1])
    return Identity(name=name, certificate=certificate, key=key)
