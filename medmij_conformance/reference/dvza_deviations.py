"""The ways in which ``reference:dvza`` can be wrong, one rule at a time."""

import uuid

from medmij_conformance.reference.deviation import Deviations
from medmij_conformance.reference.dvza import Dvza

DEVIATIONS = Deviations()


@DEVIATIONS("code_is_uuid4")
def code_is_uuid1(gateway: Dvza) -> None:
    """Codes are UUIDs of version 1, which tell the time and the machine (APP.11a)."""
    gateway.mint_code = lambda: str(uuid.uuid1())  # type: ignore[method-assign]
