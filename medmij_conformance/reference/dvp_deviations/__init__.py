"""The ways in which ``reference:dvp`` can be wrong, one rule at a time.

Each replaces one method or attribute of a conformant ``Dvp``. The arguments of the decorator are the checks that must find it, and
no others may; the docstring ends with the requirements that are broken. ``warns`` stands for a missed recommendation or the other
reading of an ambiguous passage.
"""

from medmij_conformance.reference.dvp_deviations import (
    back_channel,
    credentials,
    exceptions,
    keeping,
    lists,
    nodes,
    oddities,
    outcome,
    practice,
    request,
    tls,
)
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS
from medmij_conformance.reference.dvp_deviations.nothing import NULL_ANSWERS, SHEDDING, nullify
from medmij_conformance.reference.dvp_deviations.oddities import NEEDS_PATIENCE, ODDITIES_TOGETHER

__all__ = [
    "DEVIATIONS",
    "NEEDS_PATIENCE",
    "NULL_ANSWERS",
    "ODDITIES_TOGETHER",
    "SHEDDING",
    "back_channel",
    "credentials",
    "exceptions",
    "keeping",
    "lists",
    "nodes",
    "nullify",
    "oddities",
    "outcome",
    "practice",
    "request",
    "tls",
]
