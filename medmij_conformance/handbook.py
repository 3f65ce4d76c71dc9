"""The page of a workspace: what ``init`` made, what the system under test must trust and be told, and what drops where it cannot.

Addresses and names come from the target file, what drops from the tags of the features and the record of a reference run; the
words stand in ``fixtures/operator/workspace.md``.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined

from medmij_conformance import data_path
from medmij_conformance.requirements import catalogue, release
from medmij_conformance.target import Target

PASSWORD = "password.txt"  # noqa: S105 the name of the file, in the folder pki
TRUST_STORE = "ca.p12"

_KINDS = {"dvza": "a ZA gateway", "dvp": "a PGO gateway", "registratie": "MedMij Registratie"}
_PLAYED = {
    "dvza": ("a PGO gateway", "a second PGO gateway"),
    "dvp": ("a ZA gateway", "a second ZA gateway"),
    "registratie": ("a PGO gateway", "a ZA gateway"),
}
_NEEDS = {
    "pki": "an issuer that your side trusts (`[pki]`), for certificates with one defect each",
    "ocsp": "that issuer, and a responder of ours that your side asks",
    "node=other": "a second node, `[harness.other]`",
    "node=unlisted": "a node on no list, `[harness.unlisted]`",
}


@dataclass(frozen=True, slots=True)
class Dropped:
    """What cannot be shown without something: scenarios by id, checks that no scenario is left for, requirements they show."""

    scenarios: tuple[str, ...]
    checks: tuple[str, ...]
    requirements: tuple[str, ...]


def tagged(role: str) -> dict[str, frozenset[str]]:
    """Scenario -> its tags and those of its rule and feature, for the scenarios of a role."""
    found: dict[str, frozenset[str]] = {}
    for path in sorted(data_path("features").rglob("*.feature")):
        feature: tuple[str, ...] = ()
        rule: tuple[str, ...] = ()
        waiting: tuple[str, ...] = ()
        for line in map(str.strip, path.read_text(encoding="utf-8").splitlines()):
            if line.startswith("@"):
                waiting += tuple(tag.lstrip("@") for tag in line.split())
                continue
            if line.startswith("Feature:"):
                feature = waiting
            elif line.startswith("Rule:"):
                rule = waiting
            elif line.startswith("Scenario"):
                tags = frozenset({*feature, *rule, *waiting})
                name = next(tag.removeprefix("id:") for tag in waiting if tag.startswith("id:"))
                if f"role:{role}" in tags:
                    found[name] = tags
            if line:
                waiting = ()
    return found


def dropped(role: str, release_name: str, needs: Collection[str]) -> Dropped:
    """What cannot be shown where the target file lacks what these tags ``needs:`` name.

    A requirement counts when one of its checks has no scenario left: half of it is not it.
    """
    tags = {f"needs:{need}" for need in needs}
    scenarios = {name for name, own in tagged(role).items() if tags & own}
    checks = {name: row for name, row in _recorded(role).items() if {_scenario(each) for each in row["scenarios"]} <= scenarios}
    shown = {requirement for row in checks.values() for requirement in row["requirements"]}
    known = catalogue(release(release_name).catalogue)
    lost = [each.id for each in known.of_role(role) if shown & {each.id, *known.bearers(each.id)}]
    return Dropped(tuple(sorted(scenarios)), tuple(sorted(checks)), tuple(lost))


def _recorded(role: str) -> dict[str, dict[str, list[str]]]:
    """What a run of the reference has shown: check -> its ``scenarios`` and ``requirements``."""
    found = json.loads((data_path("fixtures") / "coverage" / f"{role}.json").read_text(encoding="utf-8"))
    checks: dict[str, dict[str, list[str]]] = found["checks"]
    return checks


def _scenario(recorded: str) -> str:
    """The id of a scenario without the row of its examples."""
    return recorded.partition("[")[0]


def page(target: Target, files: Mapping[str, str]) -> str:
    """The page of a workspace in Markdown. ``files``: path relative to the workspace -> what it is."""
    role, version = target.about.role, target.about.release
    known, recorded = catalogue(release(version).catalogue), _recorded(role)
    lost = dropped(role, version, {"pki", "ocsp"})
    tags = frozenset[str]().union(*tagged(role).values())
    # Markdown about our own constants and a file that we made: nothing in it is hostile.
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, autoescape=False)  # noqa: S701
    text = (data_path("fixtures") / "operator" / "workspace.md").read_text(encoding="utf-8")
    return environment.from_string(text).render(
        role=role,
        kind=_KINDS[role],
        files=files,
        trust_store=TRUST_STORE,
        password=PASSWORD,
        nodes=list(_nodes(target)),
        ocsp_url=target.pki.ocsp_url,
        losses=[
            {"without": text, "dropped": dropped(role, version, {need})} for need, text in _NEEDS.items() if f"needs:{need}" in tags
        ],
        checks={name: [each for each in recorded[name]["requirements"] if role in known[each].roles] for name in lost.checks},
        lost=lost.requirements,
    )


def _nodes(target: Target) -> Iterator[Mapping[str, str]]:
    """The nodes that the harness is: name, who, and where it listens."""
    harness, (own, second) = target.harness, _PLAYED[target.about.role]
    listens = [f"`{address}`" for address in (harness.listen, harness.listen_back) if address]
    where = " and ".join(listens) or "calls, and is never called"
    for node, who in (
        (harness, f"{own} that the harness plays"),
        (harness.other, f"{second} that the harness plays"),
        (harness.unlisted, "a node on no list: your side must refuse it"),
    ):
        if node:
            yield {"name": node.hostname, "who": who, "where": where}
