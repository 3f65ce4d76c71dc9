"""The sentence of a check: one source for the Then of a feature, the judge and the coverage."""

from functools import cache

import parse

from medmij_conformance.verdict import REGISTRY, Check


@cache
def _plain() -> dict[str, Check]:
    return {check.then: check for check in REGISTRY.values() if "{" not in check.then}


@cache
def _patterns() -> tuple[tuple[parse.Parser, Check], ...]:
    return tuple((parse.compile(check.then), check) for check in REGISTRY.values() if "{" in check.then)


@cache
def checks_of(sentence: str) -> tuple[Check, ...]:
    """The checks that a sentence of a feature runs; none for a Given or a When."""
    fitting = tuple(check for pattern, check in _patterns() if pattern.parse(sentence) is not None)
    return (_plain()[sentence], *fitting) if sentence in _plain() else fitting


def spoken_in(sentence: str, check: Check) -> dict[str, str]:
    """The arguments of a check that its sentence speaks out."""
    found = parse.parse(check.then, sentence)
    return dict(found.named) if found else {}
