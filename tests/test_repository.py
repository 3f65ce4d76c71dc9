"""The repository holds together: ids, tags, sentences, checks, killers and literals agree, and nothing foreign is in it."""

import ast
import re
import subprocess
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import parse
import pytest
from gherkin.parser import Parser

from medmij_conformance import coverage
from medmij_conformance.reference.roles import REFERENCES
from medmij_conformance.requirements import catalogue, release
from medmij_conformance.sentences import checks_of
from medmij_conformance.verdict import REGISTRY

ROOT = Path(__file__).parent.parent
FEATURES = sorted((ROOT / "features").rglob("*.feature"))
KNOWN_TAGS = {"id", "role", "needs", "control", "plan", "aged", "order", "registered"}
STEP_FILES = sorted(path for path in (ROOT / "steps").glob("*.py") if path.stem != "__init__")


def _document(path: Path) -> dict:
    return Parser().parse(path.read_text(encoding="utf-8"))["feature"]


def _scenarios(path: Path) -> list[tuple[dict, list[str]]]:
    """The scenarios of a feature, each with all the tags that reach it."""
    feature = _document(path)
    found = []

    def walk(children: list[dict], tags: list[str]) -> None:
        for child in children:
            if "rule" in child:
                walk(child["rule"]["children"], tags + [tag["name"] for tag in child["rule"]["tags"]])
            elif "scenario" in child:
                own = [tag["name"] for tag in child["scenario"]["tags"]]
                found.append((child["scenario"], [tag.removeprefix("@") for tag in tags + own]))

    walk(feature["children"], [tag["name"] for tag in feature["tags"]])
    return found


ALL = [(path, scenario, tags) for path in FEATURES for scenario, tags in _scenarios(path)]
REQUIREMENT_TAGS = {tag for _, _, tags in ALL for tag in tags if ":" not in tag}


def test_there_are_scenarios() -> None:
    """The features are found and read."""
    assert len(ALL) > 50


def test_scenario_names_are_unique() -> None:
    """pytest-bdd silently drops a scenario whose name stands twice, so no name does, in the whole tree."""
    names = Counter(scenario["name"] for _, scenario, _ in ALL)
    assert [name for name, count in names.items() if count > 1] == []


def test_scenarios_have_unique_ids() -> None:
    """Every scenario has exactly one id tag, and no other scenario has it."""
    ids = [[tag for tag in tags if tag.startswith("id:")] for _, _, tags in ALL]
    assert all(len(own) == 1 for own in ids)
    assert len({own[0] for own in ids}) == len(ids)


def test_examples_begin_with_distinct_cells() -> None:
    """The first cell of an example row is part of the scenario's id, so it is unique in its outline."""
    for path, scenario, _ in ALL:
        cells = [row["cells"][0]["value"] for examples in scenario["examples"] for row in examples["tableBody"]]
        assert len(cells) == len(set(cells)), f"{path.name}: {scenario['name']}"


@pytest.mark.parametrize("tag", sorted(REQUIREMENT_TAGS))
def test_requirement_tags_exist(tag: str) -> None:
    """A tag without a colon is a requirement of the catalogue."""
    assert catalogue()[tag].id == tag


def test_other_tags_are_known() -> None:
    """A tag with a colon is of a kind that the plugin knows."""
    kinds = {tag.partition(":")[0] for _, _, tags in ALL for tag in tags if ":" in tag}
    assert kinds <= KNOWN_TAGS


def test_every_scenario_names_a_role_and_has_a_dutch_title() -> None:
    """Every scenario says who is under test, and has a Dutch line that says what it shows."""
    for path, scenario, tags in ALL:
        assert any(tag.startswith("role:") for tag in tags), path
        assert scenario["description"].strip(), f"{path.name}: {scenario['name']}"


def sentences_of(scenario: dict) -> list[tuple[str, str]]:
    """The sentences of a scenario, one per example row, with their keyword."""
    rows = [
        dict(zip([c["value"] for c in e["tableHeader"]["cells"]], [c["value"] for c in r["cells"]], strict=True))
        for e in scenario["examples"]
        for r in e["tableBody"]
    ] or [{}]
    sentences = []
    for row in rows:
        keyword = ""
        for step in scenario["steps"]:
            keyword = step["keyword"].strip() if step["keyword"].strip() not in {"And", "But"} else keyword
            text = step["text"]
            for name, value in row.items():
                text = text.replace(f"<{name}>", value)
            sentences.append((keyword, text))
    return sentences


def test_every_then_is_the_sentence_of_one_check() -> None:
    """A Then judges: it is the sentence of exactly one check. Givens and Whens are of none."""
    for path, scenario, _ in ALL:
        for keyword, text in sentences_of(scenario):
            expected = 1 if keyword == "Then" else 0
            assert len(checks_of(text)) == expected, f"{path.name}: {keyword} {text}"


def test_rule_tags_and_checks_agree() -> None:
    """The requirements that a scenario is tagged with are shown by its rule's checks, themselves or by what they inherit."""
    known = catalogue()
    shown = Counter()
    tagged: dict[str, set[str]] = {}
    for path, scenario, tags in ALL:
        checks = {c for keyword, text in sentences_of(scenario) if keyword == "Then" for c in checks_of(text)}
        own = {requirement for check in checks for requirement in check.requirements}
        for tag in (tag for tag in tags if ":" not in tag):
            tagged.setdefault(f"{path.name} {tag}", set()).update(own)
            shown[tag] += 1
    for place, own in tagged.items():
        assert known.bearers(place.partition(" ")[2]) & own, f"{place}: no check of its scenarios speaks for it"


def test_every_check_is_used_and_speaks_for_requirements() -> None:
    """No check lies idle; each speaks for requirements that exist and that carry their own scenarios."""
    used = {c.id for _, s, _ in ALL for keyword, text in sentences_of(s) if keyword == "Then" for c in checks_of(text)}
    assert used == set(REGISTRY)
    for check in REGISTRY.values():
        assert check.requirements, check.id
        for requirement in check.requirements:
            assert not catalogue()[requirement].inherits, f"{check.id}: {requirement} takes its checks from others"


def test_every_check_makes_a_claim() -> None:
    """A check's docstring is a sentence, and its own sentence parses."""
    for check in REGISTRY.values():
        assert check.claim.endswith("."), check.id
        assert parse.compile(check.then) is not None


def test_deviations_declare_checks_and_requirements_that_exist() -> None:
    """What a deviation breaks is a check; the requirements at the end of its docstring are ids of those checks."""
    for deviation in (each for reference in REFERENCES.values() for each in reference.deviations.by_name.values()):
        named = deviation.breaks | deviation.warns
        assert named <= set(REGISTRY), deviation.name
        spoken = {requirement for name in named for requirement in REGISTRY[name].requirements}
        if named:
            assert deviation.requirements, f"{deviation.name}: the docstring ends with no requirement"
            assert set(deviation.requirements) <= spoken, deviation.name


def test_recorded_coverage_is_that_of_the_features() -> None:
    """The shipped record of the last reference run has every check; renew it with ``make coverage``."""
    rows = coverage.covered()["requirements"]
    assert {name for row in rows for name in row["checks"]} == set(REGISTRY)
    assert all(row["killers"] for row in rows if row["checks"])


NOT_YET_SHOWN = {
    "CAT.*": "what a data service holds",
}
"""Requirements of a ZA gateway that no scenario shows: patterns of their ids, and what a scenario would have to be about."""


def _judged_of(role: str) -> set[str]:
    """The checks that scenarios of a role run and that a deviation of its reference proves to object."""
    own = [scenario for _, scenario, tags in ALL if f"role:{role}" in tags]
    said = {text for scenario in own for keyword, text in sentences_of(scenario) if keyword == "Then"}
    deviations = REFERENCES[role].deviations.by_name.values()
    killed = {name for deviation in deviations for name in deviation.breaks | deviation.warns}
    return {check.id for text in said for check in checks_of(text)} & killed


def test_every_requirement_of_a_za_gateway_is_shown() -> None:
    """What can be seen of a ZA gateway, or asked of its vendor, has scenario, check and killer, or stands in the list above."""
    known, judged = catalogue(), _judged_of("dvza")
    due = [r for r in known.of_role("dvza") if r.test != "evidence" and r.profile in {"1.0", "derived"} and not r.inherits]
    shown = {requirement for name in judged for requirement in REGISTRY[name].requirements}
    listed = {r.id for r in due for pattern in NOT_YET_SHOWN if fnmatchcase(r.id, pattern)}
    assert len(due) > 90
    assert sorted({r.id for r in due} - shown - listed) == []
    assert [pattern for pattern in NOT_YET_SHOWN if not any(fnmatchcase(r.id, pattern) for r in due)] == []


def test_what_refers_to_others_refers_to_what_binds_a_za_gateway() -> None:
    """An entry that takes its checks from others takes some that bind the role."""
    known = catalogue()
    for requirement in known.of_role("dvza"):
        if requirement.inherits and requirement.test != "evidence":
            bearers = [known[name] for name in known.bearers(requirement.id)]
            assert any("dvza" in bearer.roles and not bearer.inherits for bearer in bearers), requirement.id


def test_what_waits_is_judged_by_ten_checks() -> None:
    """The lifetimes of a code and a token are seen from many sides, of which each is a check of its own."""
    aged = {
        check.id
        for _, scenario, tags in ALL
        if "role:dvza" in tags and any(tag.startswith("aged:") for tag in tags)
        for keyword, text in sentences_of(scenario)
        if keyword == "Then"
        for check in checks_of(text)
    }
    assert len(aged) >= 10


def test_steps_are_synchronous() -> None:
    """An ``async def`` step would pass unawaited."""
    for path in STEP_FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)], path.name


def test_steps_are_thin() -> None:
    """A step is three to eight lines; what is longer belongs into a player, the wire or a check."""
    for path in STEP_FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                statements = sum(isinstance(inner, ast.stmt) for inner in ast.walk(node)) - 1
                assert statements <= 14, f"{path.name}: {node.name} has {statements} statements"


def test_no_step_definition_is_idle() -> None:
    """Every sentence that a step module defines is said in a feature."""
    said = [text for _, scenario, _ in ALL for keyword, text in sentences_of(scenario) if keyword != "Then"]
    for path in STEP_FILES:
        for pattern in re.findall(r"@(?:given|when)\((?:parsers\.(?:parse|re)\(r?)?(['\"])(.*?)\1[),]", path.read_text()):
            text = pattern[1]
            expression = text if "(?P<" in text else re.sub(r"\\\{\w+(?::\w)?\\\}", "(.*)", re.escape(text))
            assert any(re.fullmatch(expression, sentence) for sentence in said), f"{path.name}: {text}"


def _release_literals() -> set[str]:
    data = release()
    rows = data.exceptions.values()
    words = {row.code for row in rows} | {row.description for row in rows if row.description}
    return (words | {data.grant_type}) - {"incomplete"}


@pytest.mark.parametrize("folder", ["medmij_conformance/checks", "medmij_conformance/counterparties", "steps"])
def test_no_literal_of_a_release_outside_its_data(folder: str) -> None:
    """Error codes, descriptions and lifetimes of a release stand in its data, not in judges, players or steps."""
    allowed = {"invalid_request", "unauthorized_client"}  # RFC 6749 5.2 gives them to the token endpoint as well
    for path in (ROOT / folder).glob("*.py"):
        strings = {
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, (str, int)) and not isinstance(node.value, bool)
        }
        assert not strings & (_release_literals() - allowed), path.name
        assert 900 not in strings, path.name


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_nothing_foreign_is_in_the_tree() -> None:
    """No key, no registry address and no path of a machine is committed."""
    patterns = {
        "a private key": re.compile(rb"-----BEGIN (?:EC |RSA )?PRIVATE KEY-----"),
        "a registry address": re.compile(rb"https?://[^\s'\"]*/simple\b|files\.pythonhosted"),
        "a path of a machine": re.compile(rb"(?<![\w.])/(?:home|root|work|Users)/[a-z]"),
    }
    own = Path(__file__).resolve()
    for path in _tracked():
        content = path.read_bytes()
        for what, pattern in patterns.items():
            assert path == own or not pattern.search(content), f"{path.relative_to(ROOT)}: {what}"


def test_locks_pin_with_hashes() -> None:
    """Every line of the locks pins a version and is followed by hashes."""
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        pins = [number for number, line in enumerate(lines) if re.match(r"[a-z0-9]", line, re.IGNORECASE)]
        assert pins
        for number in pins:
            assert "==" in lines[number]
            assert "--hash=sha256:" in lines[number + 1], lines[number]


@pytest.mark.parametrize("name", ["za_gateway.py", "pgo_gateway.py"])
def test_a_foreign_gateway_shares_nothing_with_us(name: str) -> None:
    """A foreign gateway has at most 300 lines, on the standard library alone."""
    import sys

    path = ROOT / "tests" / "foreign" / name
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.Import, ast.ImportFrom))]
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= set(sys.stdlib_module_names)
