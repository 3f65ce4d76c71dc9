"""What the deviations of ``reference:dvza`` have in common."""
# mypy: disable-error-code="method-assign, assignment"

from typing import Any
from urllib.parse import urlsplit

from medmij_conformance.evidence import Request
from medmij_conformance.reference.deviation import Deviations
from medmij_conformance.reference.dvza import Client, Dvza, Grant, Offer

DEVIATIONS = Deviations()
ELSEWHERE = "elsewhere.reference.test"  # the same listener under a second name


def change_answers(gateway: Dvza, change: Any) -> None:
    front, back = gateway.front, gateway.back
    gateway.front = lambda request, peer: change(front(request, peer))
    gateway.back = lambda request, peer: change(back(request, peer))


def anybody(gateway: Dvza, client: Client | None, offer: Offer) -> Grant:
    """A grant for the first person of whom something is available."""
    person = next(person for person in gateway.persons.values() if person.available)
    return Grant(
        client_id=client.hostname if client else "",
        redirect_uri="",
        offer=offer,
        scope=offer.gegevensdienst,
        person=person,
        issued=gateway.now(),
    )


def path_of(request: Request, offer: Offer) -> str:
    return urlsplit(request.url).path.removeprefix(f"{offer.path}/fhir").strip("/")
