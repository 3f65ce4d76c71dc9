"""The ways in which ``reference:dvza`` can be wrong, one rule at a time.

Each replaces one method or attribute of a conformant ``Dvza``. The arguments of the decorator are the checks that must find it,
and no others may; the docstring ends with the requirements that are broken. ``warns`` stands for a missed recommendation or the
other reading of an ambiguous passage.
"""

from medmij_conformance.reference.dvza_deviations import (
    authorization,
    clients,
    consent,
    digid,
    exceptions,
    lists,
    load,
    nodes,
    oddities,
    practice,
    resources,
    tls,
    tokens,
)
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS, ELSEWHERE
from medmij_conformance.reference.dvza_deviations.nothing import NULL_ANSWERS, SHEDDING, nullify
from medmij_conformance.reference.dvza_deviations.oddities import NEEDS_A_BROWSER, ODDITIES_TOGETHER
from medmij_conformance.reference.dvza_deviations.releases import of_release_test_2

__all__ = [
    "DEVIATIONS",
    "ELSEWHERE",
    "NEEDS_A_BROWSER",
    "NULL_ANSWERS",
    "ODDITIES_TOGETHER",
    "SHEDDING",
    "authorization",
    "clients",
    "consent",
    "digid",
    "exceptions",
    "lists",
    "load",
    "nodes",
    "nullify",
    "oddities",
    "of_release_test_2",
    "practice",
    "resources",
    "tls",
    "tokens",
]
