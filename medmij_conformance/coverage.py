"""Which scenarios and checks show which requirement, and which deviations prove that those checks can fail.

Scenarios and checks come from the record of a real run against the reference (``fixtures/coverage/<role>.json``, renewed by
``make coverage``), not from a scan of the sources; killers come from what the deviations declare, which the
selftest proves.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medmij_conformance import data_path
from medmij_conformance.reference.roles import REFERENCES
from medmij_conformance.report import Run
from medmij_conformance.requirements import catalogue
from medmij_conformance.requirements import release as load_release
from medmij_conformance.verdict import Outcome

COVERAGE = "coverage"


def record(run: Run) -> dict[str, Any]:
    """What a run against a conformant reference shows: for each check that passed, the scenarios in which it did.

    ``seconds`` is how long each scenario took, from which ``plan`` estimates.
    """
    seen: defaultdict[str, set[str]] = defaultdict(set)
    requirements: defaultdict[str, set[str]] = defaultdict(set)
    for scenario in run.scenarios:
        for verdict in scenario.verdicts:
            if verdict.outcome in {Outcome.PASS, Outcome.ATTESTED}:
                seen[verdict.check].add(scenario.id)
                requirements[verdict.check].add(verdict.requirement)
    return {
        "release": run.release,
        "role": run.role,
        "plan": run.plan,
        "checks": {
            name: {"requirements": sorted(requirements[name]), "scenarios": sorted(scenarios)}
            for name, scenarios in sorted(seen.items())
        },
        "seconds": {scenario.id: round(scenario.duration_s, 2) for scenario in run.scenarios},
    }


def write_record(run: Run) -> Path:
    """Renew the shipped record of a role from a run. Returns the file."""
    path = data_path("fixtures") / COVERAGE / f"{run.role}.json"
    path.write_text(json.dumps(record(run), indent=1) + "\n", encoding="utf-8")
    return path


def covered(role: str | None = None, release: str = "1.0") -> dict[str, Any]:
    """The coverage of a release, in the order of the catalogue: the contract of ``coverage --json``."""
    known = catalogue(load_release(release).catalogue)
    by_requirement = _checks_by_requirement(release)
    rows = []
    for requirement in known.requirements.values():
        if role and role not in requirement.roles:
            continue
        bearers = known.bearers(requirement.id)
        checks: dict[str, list[str]] = {}
        for bearer in bearers:
            checks.update(by_requirement.get(bearer, {}))
        killers = sorted({killer for name in checks for killer in _killers(name)})
        rows.append(
            {
                "id": requirement.id,
                "role": requirement.role,
                "level": requirement.level,
                "test": requirement.test,
                "scenarios": sorted({scenario for scenarios in checks.values() for scenario in scenarios}),
                "checks": sorted(checks),
                "killers": killers,
                "reason": "" if checks else requirement.beyond_the_wire or "no scenario in this version",
            }
        )
    return {"release": release, "requirements": rows}


def _checks_by_requirement(release: str) -> Mapping[str, dict[str, list[str]]]:
    found: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)
    for path in sorted((data_path("fixtures") / COVERAGE).glob("*.json")):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        if recorded["release"] == release:
            for name, row in recorded["checks"].items():
                for requirement in row["requirements"]:
                    found[requirement][name] = row["scenarios"]
    return found


def _killers(check: str) -> list[str]:
    every = [deviation for reference in REFERENCES.values() for deviation in reference.deviations.by_name.values()]
    return [deviation.name for deviation in every if check in deviation.breaks or check in deviation.warns]
