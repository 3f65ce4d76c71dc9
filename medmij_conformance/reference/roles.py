"""The references, by the role that they play: how each can be wrong, and what stands in for a gateway that does nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from medmij_conformance.evidence import Response
from medmij_conformance.reference import (
    dvp_deviations,
    dvza_deviations,
    nothing,
    registratie_deviations,
)
from medmij_conformance.reference.deviation import Deviations


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """Every variant of a reference. The names are those that its control interface knows."""

    deviations: Deviations
    oddities_together: Sequence[Sequence[str]]
    null_answers: Mapping[str, Response]
    shedding: Mapping[str, Response]
    needs_a_browser: frozenset[str] = frozenset()
    """Deviations that only a real browser can see through."""
    needs_patience: frozenset[str] = frozenset()
    """Legal oddities whose outcome comes later than the reference's target file looks: a run against them is undecided."""
    takes_a_minute: frozenset[str] = frozenset()
    """Deviations that are seen only after a wait that no clock makes shorter."""


REFERENCES: Mapping[str, Variants] = {
    "dvza": Variants(
        deviations=dvza_deviations.DEVIATIONS,
        oddities_together=dvza_deviations.ODDITIES_TOGETHER,
        null_answers=dvza_deviations.NULL_ANSWERS,
        shedding=dvza_deviations.SHEDDING,
        needs_a_browser=dvza_deviations.NEEDS_A_BROWSER,
        takes_a_minute=frozenset({"digid-is-waited-for"}),
    ),
    "dvp": Variants(
        deviations=dvp_deviations.DEVIATIONS,
        oddities_together=dvp_deviations.ODDITIES_TOGETHER,
        null_answers=dvp_deviations.NULL_ANSWERS,
        shedding=dvp_deviations.SHEDDING,
        needs_patience=dvp_deviations.NEEDS_PATIENCE,
    ),
    "registratie": Variants(
        deviations=registratie_deviations.DEVIATIONS,
        oddities_together=registratie_deviations.ODDITIES_TOGETHER,
        null_answers=nothing.NULL_ANSWERS,
        shedding=nothing.SHEDDING,
    ),
}
