"""The gateway under test: what it did. Each check brings its own sentence, so sentence, verdict and coverage have one source."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_bdd import given, then
from pytest_bdd.parsers import StepParser

from medmij_conformance.judge import Judge
from medmij_conformance.sentences import checks_of, spoken_in
from medmij_conformance.wire.hooks import Hooks


@given("the gateway cannot establish her answer", target_fixture="undetermined")
def cannot_establish(hooks: Hooks) -> Iterator[None]:
    hooks.call("authz_unknown", on=True)
    yield
    hooks.call("authz_unknown", on=False)


class SentenceOfACheck(StepParser):
    """Matches the sentence of any check. One step definition for all of them: looking a step up takes time by their number."""

    def is_matching(self, name: str) -> bool:
        return bool(checks_of(name))

    def parse_arguments(self, name: str) -> dict[str, Any]:
        return {"sentence": name}


@then(SentenceOfACheck("the sentence of a check"))
def judged(request: pytest.FixtureRequest, judge: Judge, sentence: str) -> None:
    (check,) = checks_of(sentence)
    spoken = spoken_in(sentence, check)
    seen = {name: request.getfixturevalue(name) for name in check.parameters if name not in spoken}
    judge(check, **seen, **spoken)
