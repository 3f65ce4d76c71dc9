"""The gateway under test: what it did. Each check brings its own sentence, so sentence, verdict and coverage have one source."""

import inspect

import parse
import pytest
from pytest_bdd import parsers, then

from medmij_conformance.judge import Judge
from medmij_conformance.verdict import REGISTRY, Check


def _sentence_of(check: Check) -> None:
    spoken_names = parse.compile(check.then).named_fields

    def judged(request: pytest.FixtureRequest, judge: Judge, **spoken: str) -> None:
        seen = {name: request.getfixturevalue(name) for name in check.parameters if name not in spoken}
        judge(check, **seen, **spoken)

    # pytest-bdd hands over the {braces} of a sentence by name, and reads the names from the signature.
    names = ("request", "judge", *spoken_names)
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    judged.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
    then(parsers.parse(check.then), stacklevel=2)(judged)


for _check in REGISTRY.values():
    _sentence_of(_check)
