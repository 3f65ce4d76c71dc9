"""A node of the network that asks MedMij Registratie for its lists, correct by default (UCI Opvragen ZAL and Whitelist)."""

from collections.abc import Mapping
from dataclasses import dataclass

from medmij_conformance.evidence import Exchange, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """``name`` is its identity in the evidence; ``addresses`` are where each list is, by the list's short name."""

    name: str
    hostname: str
    addresses: Mapping[str, str]

    def request(self, which: str) -> Exchange:
        """A request for a list. Raises ``KeyError`` when the address of that list is not known."""
        request = Request(method="GET", url=self.addresses[which], headers=(("Accept", "application/xml"),))
        return Exchange(label=f"request for the {which}", endpoint=which, request=request, identity=self.name, twin=self.name)
