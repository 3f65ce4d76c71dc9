"""What a run will do, and what it promises: scenarios as planned, and the requirements that they show."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd.scenario import scenario_wrapper_template_registry

from medmij_conformance import data_path
from medmij_conformance.requirements import Catalogue, Requirement
from medmij_conformance.sentences import checks_of
from medmij_conformance.target import Target
from medmij_conformance.verdict import REGISTRY

PLANS = ("quick", "full", "watch")


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
    known: Catalogue,
    role: str,
    checks: set[str],
    postponed: set[str],
    only: Sequence[str] = (),
    barred: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Any]]:
    """For every requirement of a role: is it promised by the plan, is it shown by these checks, and if not, why.

    ``postponed`` are the checks that another plan runs, ``barred`` those that a hook stands in the way of, with which and why: a
    requirement that needs one of them is not shown by this run.
    """
    covered = {requirement for name in checks for requirement in REGISTRY[name].requirements}
    stopped = {name: why for name, why in (barred or {}).items() if name not in checks}
    rows: dict[str, dict[str, Any]] = {}
    for requirement in known.of_role(role):
        promised = requirement.test == "blackbox" and requirement.profile in {"1.0", "derived"}
        bearers = known.bearers(requirement.id) if requirement.inherits else {requirement.id}
        needed = {b for b in bearers if role in known[b].roles and (b not in known[b].inherits) and not known[b].inherits}
        missing = sorted(needed - covered)
        selected = not only or requirement.id in only
        own = requirement.id in covered
        waits = bool({b for name in postponed - checks for b in REGISTRY[name].requirements} & needed)
        bar = next((why for name, why in stopped.items() if needed & {*REGISTRY[name].requirements}), "")
        planned = selected and not waits and not bar and (own or (bool(needed) and not missing))
        promised = promised or (planned and requirement.test == "operator" and requirement.profile in {"1.0", "derived"})
        reason = "" if planned else _why_not(requirement, missing, selected, waits, bar)
        rows[requirement.id] = {"promised": promised, "planned": planned, "reason": reason}
    return rows


def _why_not(requirement: Requirement, missing: Sequence[str], selected: bool, waits: bool, bar: str) -> str:
    if not selected:
        return "not selected with --only"
    if waits:
        return "some of its checks wait for a lifetime or for hours to pass: --plan full or watch, or a clock hook"
    if bar:
        return bar
    return requirement.beyond_the_wire or f"no scenario in this version shows {', '.join(missing)}"


def aging_kind(planned: Planned) -> str:
    """What has to grow old in a scenario, one of ``aging.KINDS``; empty when nothing has."""
    return next((tag.removeprefix("aged:").partition("=")[0] for tag in planned.tags if tag.startswith("aged:")), "")


def watched_kind(planned: Planned) -> str:
    """What has to be registered hours before a scenario: ``list=done``; empty when nothing has."""
    return next((tag.removeprefix("registered:") for tag in planned.tags if tag.startswith("registered:")), "")


_PLANNED = pytest.StashKey[Planned]()


def planned_of(item: pytest.Item) -> Planned:
    """What a collected scenario is: its id, its requirements, its sentences and the checks that these run."""
    if _PLANNED not in item.stash:
        item.stash[_PLANNED] = _planned(item)
    return item.stash[_PLANNED]


def plan_as(item: pytest.Item, planned: Planned) -> None:
    """Say what a collected scenario is that stands in no official feature."""
    item.stash[_PLANNED] = planned


def written(item: pytest.Item) -> tuple[Any, dict[str, str]]:
    """The template of a collected scenario, as pytest-bdd has read it, and its row of examples (empty when it has none)."""
    example = item.callspec.params.get("_pytest_bdd_example", {}) if hasattr(item, "callspec") else {}
    return scenario_wrapper_template_registry[item.obj], example  # type: ignore[attr-defined]


def _planned(item: pytest.Item) -> Planned:
    template, example = written(item)
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
    """What is asked of a run: its target, its plan, ``--only``, the features that were named (none: all), and the hooks at hand.

    ``real``: whatever the plan, what waits for a minute that no clock makes shorter is part of it, as in the selftest.
    """

    target: Target
    plan: str
    only: tuple[str, ...]
    places: tuple[Path, ...]
    catalogue: Catalogue
    hooks: frozenset[str]
    real: bool = False


def select(items: Sequence[pytest.Item], asked: Selection) -> tuple[list[pytest.Item], list[Planned], list[Planned]]:
    """The scenarios of a run in order, those postponed to another plan, and those barred because a hook is not at hand.

    The order: opening controls, scenarios, what grows old, what a person is asked, closing controls, load. Controls are always
    there: without them no refusal would count.
    """
    role = f"role:{asked.target.about.role}"
    features = data_path("features").resolve()
    chosen, postponed, barred = [], [], []
    for item in items:
        planned = planned_of(item)
        if role not in planned.tags:
            continue
        if _missing(planned, asked.target, asked.hooks) or _is_of_another_login(planned, asked.target):
            barred.append(planned)
        if unmet(planned, asked):
            continue
        path = features / planned.feature
        named = not asked.places or any(path.is_relative_to(place) for place in asked.places)
        if not _is_in_plan(planned, asked):
            postponed.append(planned)
        elif _is_control(planned) or (named and _is_wanted(planned, asked)):
            chosen.append((_order(planned), item))
    chosen.sort(key=lambda pair: pair[0])
    plan = [planned_of(item) for _, item in chosen]
    needed = {planned.id for planned in _with_controls(plan, {planned.id for planned in plan if not _is_control(planned)})}
    return [item for _, item in chosen if planned_of(item).id in needed], postponed, barred


def _with_controls(plan: Sequence[Planned], wanted: Collection[str]) -> list[Planned]:
    """What is wanted of a plan, by id, and its controls; those of minted certificates only when something wanted mints any."""
    mints = any("needs:pki" in planned.tags for planned in plan if planned.id in wanted)
    return [each for each in plan if each.id in wanted or (_is_control(each) and (mints or "needs:pki" not in each.tags))]


def needed_for(checks: Collection[str], plan: Iterable[Planned], *, compared: bool = True) -> list[Planned]:
    """The scenarios of a plan, in its order, that run one of ``checks``, and the controls.

    The controls ask for the same without a defect before and after, as each listed PGO, and, where certificates are minted, with a
    good one that was minted too; what looks back on a sample of earlier
    collections makes what it lacks itself. So nothing else is needed for the checks to come to the outcome of the whole plan.
    Where the outcome that matters is ``compared`` with no control, of these only the happy flow opens.
    """
    scenarios = list(plan)
    wanted = {planned.id for planned in scenarios if not set(checks).isdisjoint(planned.checks)}
    if compared:
        return _with_controls(scenarios, wanted)
    return [each for each in scenarios if each.id in wanted or _opens(each)]


def _opens(planned: Planned) -> bool:
    return "control:first" in planned.tags and not any(tag.startswith("needs:") for tag in planned.tags)


def _is_control(planned: Planned) -> bool:
    return any(tag.startswith("control:") for tag in planned.tags)


def controls_around(own: Sequence[Planned], official: Sequence[Planned]) -> tuple[set[str], set[str]]:
    """The ids of the controls that have to stand before and after other scenarios, for their refusals to count."""
    needed = _with_controls([*official, *own], {planned.id for planned in own}) if own else []
    controls = [planned for planned in needed if _is_control(planned)]
    first = {planned.id for planned in controls if "control:first" in planned.tags}
    return first, {planned.id for planned in controls} - first


def _order(planned: Planned) -> float:
    """Opening controls, fresh scenarios, what looks back on them, what has grown old, what a person is asked, closing controls.

    A person is asked when nothing is left that grows old while he thinks. Load comes last, when it can harm no other scenario.
    """
    if {"control:first", "needs:pki"} <= planned.tags:  # the ordinary certificates come first: they are what the gateway knows
        return 0.5
    ranks = {"control:first": 0.0, "order:late": 2, "early": 3, "late": 4, "order:asked": 5, "order:watched": 6}
    ranks |= {"control:last": 7, "order:load": 8}
    for tag in planned.tags:
        if tag.startswith(("control:", "order:")):
            return ranks[tag]
        if tag.startswith("aged:"):
            return ranks[tag.partition("=")[2]]
    return 1


def _is_in_plan(planned: Planned, asked: Selection) -> bool:
    """What waits for a lifetime belongs to the full plan, what waits for hours to that of watching; with a clock that can be moved,
    to the quick plan too, unless it is the harness that takes its time. In the full plan time is real, so there hours are never
    waited for."""
    moved = asked.plan == "quick" and "clock" in asked.hooks
    hours = "plan:watch" in planned.tags or ("plan:watch-fetching" in planned.tags and asked.target.lists.listen is not None)
    if hours:
        return asked.plan == "watch" or moved
    if "plan:full-real" in planned.tags:
        return asked.plan in {"full", "watch"} or asked.real
    return "plan:full" not in planned.tags or asked.plan in {"full", "watch"} or moved


def _is_wanted(planned: Planned, asked: Selection) -> bool:
    if not asked.only:
        return True
    wanted = {bearer for requirement in asked.only for bearer in asked.catalogue.bearers(requirement)}
    return any(wanted & set(REGISTRY[name].requirements) for name in planned.checks)


def hooks_at_hand(target: Target, *, attended: bool) -> frozenset[str]:
    """The hooks that a run can call: what needs an operator only when one is there.

    A clock that is moved by hand is none: the lifetime rules leave five seconds for it.
    """
    by_hand = {name for name, hook in target.hooks.items() if hook.kind == "operator"}
    return frozenset(target.hooks) - (by_hand & {"clock"} if attended else by_hand)


def barred_checks(barred: Iterable[Planned], target: Target, hooks: frozenset[str]) -> dict[str, str]:
    """The checks of barred scenarios, each with the reason why it cannot run."""
    bars: dict[str, str] = {}
    for planned in barred:
        reasons = [_bar(target, lack) for lack in _missing(planned, target, hooks)]
        if _is_of_another_login(planned, target):
            reasons.append(_foreign_login(target))
        bars |= {name: reason for reason in reasons for name in planned.checks}
    return bars


def _is_of_another_login(planned: Planned, target: Target) -> bool:
    """Whether a scenario wants people to log in by another way than this target does."""
    return any(tag.startswith("needs:login=") and tag != f"needs:login={target.login.mode}" for tag in planned.tags)


def _foreign_login(target: Target) -> str:
    where = f", but at {', '.join(target.login.hosts)}" if target.login.hosts else ""
    return (
        f"people do not log in at the DigiD that the harness plays{where} (login.mode is {target.login.mode}): "
        "what the gateway says to an identity provider is not seen (AMB.61)"
    )


_LACKS: Mapping[str, str] = {
    "pki": "needs certificates that the gateway trusts, with one defect each: the target file has no issuer in [pki]",
    "ocsp": "needs a responder that answers as the scenario says: the target file has no ocsp_url and ocsp_listen in [pki]",
}


def _bar(target: Target, hook: str) -> str:
    if hook in _LACKS:
        return _LACKS[hook]
    if hook in target.hooks:
        return f"the hook {hook} needs an operator at the terminal, and the run is unattended"
    return f"needs the vendor's help: the hook {hook}, which the target file does not name"


def hooks_needed(planned: Planned) -> list[str]:
    """The hooks that a scenario cannot do without."""
    return sorted(tag.removeprefix("needs:hook=") for tag in planned.tags if tag.startswith("needs:hook="))


def _missing(planned: Planned, target: Target, hooks: frozenset[str]) -> list[str]:
    """What only the vendor can give and has not given: hooks, an issuer, a place for the responder."""
    lacks = [name for name in _LACKS if f"needs:{name}" in planned.tags and not _has_pki(target, name)]
    return [name for name in hooks_needed(planned) if name not in hooks] + lacks


def _has_pki(target: Target, need: str) -> bool:
    issuer = target.pki.issuer is not None
    return issuer if need == "pki" else issuer and bool(target.pki.ocsp_url and target.pki.ocsp_listen)


def unmet(planned: Planned, asked: Selection) -> list[str]:
    """What a scenario needs of the target file and does not find there; if there is any, it is outside the plan."""
    needs = sorted(tag.removeprefix("needs:") for tag in planned.tags if tag.startswith("needs:"))
    return [need for need in needs if not _has(asked, need)]


NEEDS = frozenset({"hook", "person", "offers", "node", "consent", "login", "start", "limit", "lists", "list", "pki", "ocsp"})
"""What a tag ``needs:KIND`` or ``needs:KIND=NAME`` can ask of a target file."""


def _has(asked: Selection, need: str) -> bool:
    target = asked.target
    kind, _, name = need.partition("=")
    match kind:
        case "hook":
            return name in asked.hooks
        case "person":
            return name in target.persons
        case "offers":
            return len(target.offers) >= int(name)
        case "node":
            return getattr(target.harness, name) is not None
        case "consent":
            return bool(getattr(target.consent, name))
        case "login":
            return target.login.mode == name
        case "start":
            return bool(getattr(target.start, name))
        case "limit":
            return bool(getattr(target.limits, name))
        case "lists":
            return bool(getattr(target.lists, name))
        case "list":
            return bool(getattr(target.registratie, f"{name}_url"))
        case "pki" | "ocsp":
            return _has_pki(target, kind)
    raise ValueError(f"a scenario needs {need!r}, and nothing is known of that kind")
