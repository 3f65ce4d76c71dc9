"""How a reference is made to break one rule, and what that breaks.

A deviation is a function that replaces one method or attribute of a conformant gateway. Its docstring says what is wrong and names
the requirement; ``breaks`` are the checks that must find it: exactly these, which the kill matrix asserts.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Deviation:
    """One named way to be wrong. ``breaks``: ids of the checks that fail; ``warns``: ids of those that only warn.

    One that breaks nothing is a legal oddity: no check may object.
    """

    name: str
    apply: Callable[[Any], None]
    breaks: frozenset[str]
    warns: frozenset[str]

    @property
    def description(self) -> str:
        """The first line of the docstring: what is wrong, and the requirement in parentheses."""
        return (self.apply.__doc__ or "").strip().partition("\n")[0]

    @property
    def requirements(self) -> tuple[str, ...]:
        """The ids in the parentheses at the end of the description."""
        match = re.search(r"\(([^()]+)\)\.?$", self.description)
        return tuple(part.strip() for part in match.group(1).split(",")) if match else ()


class Deviations:
    """The deviations of one reference, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, Deviation] = {}

    def __call__(self, *breaks: str, warns: Iterable[str] = ()) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
        """Register a function as a deviation; its name, with hyphens, is the deviation's."""

        def register(function: Callable[[Any], None]) -> Callable[[Any], None]:
            name = function.__name__.replace("_", "-")
            self.by_name[name] = Deviation(name, function, frozenset(breaks), frozenset(warns))
            return function

        return register

    @property
    def faults(self) -> list[Deviation]:
        """Those that a run must call not conformant."""
        return [deviation for deviation in self.by_name.values() if deviation.breaks]

    @property
    def oddities(self) -> list[Deviation]:
        """Those that a run must not fail: legal, or a missed recommendation."""
        return [deviation for deviation in self.by_name.values() if not deviation.breaks]
