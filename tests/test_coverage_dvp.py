"""What the framework asks of a PGO gateway has a scenario, a check and a killer, or it is said where it belongs."""

import re
from collections import defaultdict
from collections.abc import Iterable

import pytest
from test_repository import ALL, sentences_of

from medmij_conformance import data_path
from medmij_conformance.questions import questions
from medmij_conformance.reference.roles import REFERENCES
from medmij_conformance.requirements import Requirement, catalogue
from medmij_conformance.sentences import checks_of
from medmij_conformance.verdict import REGISTRY

BINDING = {"1.0", "derived"}
ROLE = "dvp"
# What lies outside the conversation of a PGO gateway with ZA gateways and people: id (or its beginning) -> where it belongs.
ELSEWHERE = {
    "APP.2": "content: the FHIR profiles of a data service",
    "CAT.": "content: the data services of the catalogue",
}


def _bound() -> list[Requirement]:
    """The requirements of the release that bind a PGO gateway and that can be shown by running it."""
    return [r for r in catalogue().of_role(ROLE) if r.profile in BINDING and r.test in {"blackbox", "operator"}]


def _is_elsewhere(requirement: Requirement) -> bool:
    return any(requirement.id == place or (place.endswith(".") and requirement.id.startswith(place)) for place in ELSEWHERE)


def _carried(requirement: Requirement) -> set[str]:
    """The requirements whose checks speak for this one and that bind a PGO; empty when all of them are of others."""
    known = catalogue()
    if not requirement.inherits:
        return {requirement.id}
    bearers = {known[name] for name in known.bearers(requirement.id)}
    return {b.id for b in bearers if ROLE in b.roles and not b.inherits and not _is_elsewhere(b)}


def _checks_of_features() -> dict[str, set[str]]:
    """Check -> the ids of the scenarios of a PGO that run it."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for _, scenario, tags in ALL:
        if f"role:{ROLE}" in tags:
            said = [text for keyword, text in sentences_of(scenario) if keyword == "Then"]
            for check in {check.id for text in said for check in checks_of(text)}:
                found[check].add(scenario["name"])
    return found


SHOWN = _checks_of_features()
BOUND = [requirement for requirement in _bound() if not _is_elsewhere(requirement)]


def _names(requirements: Iterable[Requirement]) -> list[str]:
    return [requirement.id for requirement in requirements]


@pytest.mark.parametrize("name", _names(r for r in BOUND if _carried(r)))
def test_what_binds_a_pgo_has_scenario_check_and_killer(name: str) -> None:
    """Every check that shows it stands in a scenario of a PGO, and a deviation of the reference PGO is caught by one of them."""
    deviations = REFERENCES[ROLE].deviations.by_name.values()
    for bearer in _carried(catalogue()[name]):
        checks = {check for check in SHOWN if bearer in REGISTRY[check].requirements}
        assert checks, f"{name}: no scenario of a PGO has a check for {bearer}"
        assert any(checks & (deviation.breaks | deviation.warns) for deviation in deviations), f"{name}: nothing breaks {bearer}"


def test_what_a_pgo_takes_from_others_alone_is_known() -> None:
    """These refer to rules of the ZA gateway, or to what belongs elsewhere; the PGO's side has entries of its own, or none."""
    assert set(_names(r for r in BOUND if not _carried(r))) == {
        "BEG.persoon",
        "UC-V.exc.2",
        "UC-V.exc.3",
        "UC-V.exc.4",
        "UC-V.exc.5",
    }


def test_no_excuse_is_idle() -> None:
    """What is said to belong elsewhere is bound by this role, and no scenario of a PGO shows it."""
    bound = _bound()
    shown = {name for check in SHOWN for name in REGISTRY[check].requirements}
    for place in ELSEWHERE:
        own = [r for r in catalogue().of_role(ROLE) if r.id == place or (place.endswith(".") and r.id.startswith(place))]
        assert own, place
        assert not {r.id for r in own if r in bound} & shown, place


def test_every_check_of_a_pgo_can_fail() -> None:
    """Each check in a scenario of a PGO is declared by a deviation of the reference PGO; there are at least ninety."""
    declared = {name for d in REFERENCES[ROLE].deviations.by_name.values() for name in d.breaks | d.warns}
    assert set(SHOWN) <= declared
    assert len(SHOWN) >= 90


def test_every_question_that_is_asked_of_a_pgo_exists() -> None:
    """A scenario asks by the name of a question of the release."""
    asked = re.findall(r'answers the question "([^"]+)"', (data_path("features") / ROLE / "questions.feature").read_text("utf-8"))
    assert len(asked) >= 20
    assert set(asked) <= set(questions("1.0"))
