"""Gateways that conform to other releases."""
# mypy: disable-error-code="method-assign, assignment"

from medmij_conformance.evidence import Response
from medmij_conformance.reference.dvza import (
    SERVICE_NAMES,
    Dvza,
    Flow,
    Offer,
)


def of_release_test_2(gateway: Dvza) -> None:
    """A gateway that conforms to the toy release ``test-2``: another scope, lifetimes of 9 seconds, lists every second,
    another description."""
    gateway.code_lifetime_s = gateway.token_lifetime_s = gateway.expires_in = 9
    gateway.lists.every_s = {"whitelist": 1, "ocl": 1}
    gateway.lists.too_old_s = 10
    check_scope = gateway.check_scope

    def check(scope: str | None, offer: Offer) -> None:
        code = scope.removeprefix("test~") if scope and scope.startswith("test~") else None
        check_scope(code, offer)

    gateway.check_scope = check
    gateway.service_name = lambda flow: SERVICE_NAMES[flow.offer.gegevensdienst]
    answer = {"error": "access_denied", "error_description": "Refused by the person."}
    note = gateway.note

    def refused(flow: Flow) -> Response:
        note(flow, "refused")
        return gateway.send_back(flow, answer)

    gateway.refused = refused
