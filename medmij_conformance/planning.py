"""What a run will do, and what it promises: scenarios as planned, and the requirements that they show."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd.scenario import scenario_wrapper_template_registry

from medmij_conformance import data_path
from medmij_conformance.requirements import Catalogue
from medmij_conformance.sentences import checks_of
from medmij_conformance.target import Target
from medmij_conformance.verdict import REGISTRY

PLANS = ("quick", "full")


@dataclass(frozen=True, slots=True)
class Planned:
    """A scenario that this run will carry out."""

    id: str
    name: str
    title_nl: str
    feature: str
    requirements: tuple[str, ...]
    checks: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    tags: frozenset[str]

    def as_record(self) -> dict[str, Any]:
        """The scenario as the journal's plan holds it."""
        steps = [{"keyword": keyword, "text": text} for keyword, text in self.steps]
        return {**asdict(self), "steps": steps, "tags": sorted(self.tags)}


def is_scenario(item: pytest.Item) -> bool:
    """Whether an item of pytest is a scenario of a feature."""
    return getattr(item, "obj", None) in scenario_wrapper_template_registry


def requirements_of_plan(
    known: Catalogue, role: str, checks: set[str], postponed: set[str], only: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
    """For every requirement of a role: is it promised by the plan, is it shown by these checks, and if not, why.

    ``postponed`` are the checks that another plan runs: a requirement that needs one of them is not shown by this run.
    """
    covered = {requirement for name in checks for requirement in REGISTRY[name].requirements}
    rows: dict[str, dict[str, Any]] = {}
    for requirement in known.of_role(role):
        promised = requirement.test == "blackbox" and requirement.profile in {"1.0", "derived"}
        bearers = known.bearers(requirement.id) if requirement.inherits else {requirement.id}
        needed = {b for b in bearers if role in known[b].roles and (b not in known[b].inherits) and not known[b].inherits}
        missing = sorted(needed - covered)
        selected = not only or requirement.id in only
        own = requirement.id in covered
        waits = bool({b for name in postponed - checks for b in REGISTRY[name].requirements} & needed)
        planned = selected and not waits and (own or (bool(needed) and not missing))
        promised = promised or (planned and requirement.test == "operator" and requirement.profile in {"1.0", "derived"})
        reason = "" if planned else _why_not(requirement.test, requirement.profile, missing, selected, waits)
        rows[requirement.id] = {"promised": promised, "planned": planned, "reason": reason}
    return rows


def _why_not(test: str, profile: str, missing: Sequence[str], selected: bool, waits: bool) -> str:
    if not selected:
        return "not selected with --only"
    if waits:
        return "some of its checks wait for a lifetime to pass: --plan full, or a clock hook"
    if profile in {"later", "info"}:
        return f"profile {profile}: not part of release 1.0"
    if test == "evidence":
        return "shown by documents, not on the wire"
    if test == "operator":
        return "needs the vendor's help (a hook or an operator), which this version does not ask for"
    return f"no scenario in this version shows {', '.join(missing)}"


def aging_kind(planned: Planned) -> str:
    """``code`` or ``token`` for a scenario in which one has to grow old; else empty."""
    return next((tag.removeprefix("aged:").partition("=")[0] for tag in planned.tags if tag.startswith("aged:")), "")


_PLANNED = pytest.StashKey[Planned]()


def planned_of(item: pytest.Item) -> Planned:
    """What a collected scenario is: its id, its requirements, its sentences and the checks that these run."""
    if _PLANNED not in item.stash:
        item.stash[_PLANNED] = _planned(item)
    return item.stash[_PLANNED]


def _planned(item: pytest.Item) -> Planned:
    template = scenario_wrapper_template_registry[item.obj]  # type: ignore[attr-defined]
    example = item.callspec.params.get("_pytest_bdd_example", {}) if hasattr(item, "callspec") else {}
    scenario = template.render(example)
    rule = template.rule.tags if template.rule else set()
    tags = frozenset({*template.tags, *template.feature.tags, *rule})
    name = next((tag.removeprefix("id:") for tag in template.tags if tag.startswith("id:")), "")
    if example:
        name = f"{name}[{next(iter(example.values()))}]"
    steps = tuple((step.keyword, step.name) for step in scenario.steps)
    path = Path(template.feature.filename).resolve()
    return Planned(
        id=name,
        name=scenario.name,
        title_nl=" ".join((template.description or "").split()),
        feature=path.relative_to(data_path("features").resolve()).as_posix(),
        requirements=tuple(sorted(tag for tag in tags if is_requirement_tag(tag))),
        checks=tuple(dict.fromkeys(check.id for _, text in steps for check in checks_of(text))),
        steps=steps,
        tags=tags,
    )


def is_requirement_tag(tag: str) -> bool:
    """Whether a tag names a requirement; the others are ``id:``, ``role:``, ``needs:``, ``order:`` and their like."""
    return ":" not in tag


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of a run: its target, its plan, ``--only``, and the features that were named (none: all)."""

    target: Target
    plan: str
    only: tuple[str, ...]
    places: tuple[Path, ...]
    catalogue: Catalogue


def select(items: Sequence[pytest.Item], asked: Selection) -> tuple[list[pytest.Item], list[Planned]]:
    """The scenarios of a run in order (opening controls, scenarios, what grows old, closing controls), and those postponed.

    Controls are always there: without them no refusal would count.
    """
    role = f"role:{asked.target.about.role}"
    features = data_path("features").resolve()
    chosen, postponed = [], []
    for item in items:
        planned = planned_of(item)
        if role not in planned.tags or not _can_run(planned, asked.target):
            continue
        control = any(tag.startswith("control:") for tag in planned.tags)
        path = features / planned.feature
        named = not asked.places or any(path.is_relative_to(place) for place in asked.places)
        if not _is_in_plan(planned, asked):
            postponed.append(planned)
        elif control or (named and _is_wanted(planned, asked)):
            chosen.append((_order(planned), item))
    chosen.sort(key=lambda pair: pair[0])
    return [item for _, item in chosen], postponed


def _order(planned: Planned) -> int:
    """Opening controls, fresh scenarios, what looks back on them, what has grown old, closing controls."""
    ranks = {"control:first": 0, "order:late": 2, "early": 3, "late": 4, "control:last": 5}
    for tag in planned.tags:
        if tag.startswith(("control:", "order:")):
            return ranks[tag]
        if tag.startswith("aged:"):
            return ranks[tag.partition("=")[2]]
    return 1


def _is_in_plan(planned: Planned, asked: Selection) -> bool:
    """What waits for a lifetime belongs to the full plan, or, with a clock that can be moved, to every plan."""
    return "plan:full" not in planned.tags or asked.plan == "full" or "clock" in asked.target.hooks


def _is_wanted(planned: Planned, asked: Selection) -> bool:
    if not asked.only:
        return True
    wanted = {bearer for requirement in asked.only for bearer in asked.catalogue.bearers(requirement)}
    return any(wanted & set(REGISTRY[name].requirements) for name in planned.checks)


def _can_run(planned: Planned, target: Target) -> bool:
    """Whether what a scenario needs of the target file is there; else it is outside the plan."""
    return all(_has(target, tag.removeprefix("needs:")) for tag in planned.tags if tag.startswith("needs:"))


def _has(target: Target, need: str) -> bool:
    kind, _, name = need.partition("=")
    match kind:
        case "hook":
            return name in target.hooks
        case "person":
            return name in target.persons
        case "offers":
            return len(target.offers) >= int(name)
        case "node":
            return getattr(target.harness, name) is not None
        case "purpose":
            return bool(target.consent.purpose)
    raise ValueError(f"a scenario needs {need!r}, and nothing is known of that kind")
