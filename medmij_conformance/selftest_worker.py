"""One process of the selftest: ``python -m medmij_conformance.selftest_worker OUT VARIANT...``.

It starts one reference and one pytest session, and lets the session run its scenarios once per variant: the deviation is switched
over the control interface, the journal starts afresh, everything else stays.
"""

import importlib
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest

from medmij_conformance import data_path, workspace
from medmij_conformance.conformance import RUN, Conformance
from medmij_conformance.reference.dvza_deviations import NULL_ANSWERS, SHEDDING
from medmij_conformance.selftest import CLOSED_PORT, CONFORMANT, Round, round_of
from medmij_conformance.wire.control import call


class _Rounds:
    """A pytest plugin that runs the collected scenarios once for each variant."""

    def __init__(self, control: str, variants: list[str]) -> None:
        self._control = control
        self._variants = variants
        self.rounds: list[Round] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        run = session.config.stash[RUN]
        # Each item names the one that really comes next, so that pytest keeps what is made per session and no more.
        following = [*session.items[1:], session.items[0]]
        for variant in self._variants:
            self._switch(variant)
            if variant == CLOSED_PORT:
                _close_every_port(run)
            run.restart(session.items)
            for item, after in zip(session.items, following, strict=True):
                item._initrequest()  # type: ignore[attr-defined]  # fresh fixtures, as every rerun of an item needs
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            run.evidence.write("run-end", finished="", trouble="")
            self.rounds.append(round_of(variant, run.evidence.records))
        run.planned.clear()  # nothing is left to report: each round was read from its own records
        return True

    def _switch(self, variant: str) -> None:
        if variant in NULL_ANSWERS or variant in SHEDDING:
            call(f"{self._control}/null", {"name": variant})
        elif variant != CLOSED_PORT:
            call(f"{self._control}/deviate", {"names": [] if variant == CONFORMANT else variant.split(" + ")})


def _close_every_port(run: Conformance) -> None:
    """From here on nobody listens. Only for the last variant of a worker."""
    connect = cast("dict[str, str]", run.target.connect)
    for origin in connect:
        connect[origin] = "127.0.0.1:1"


def _remember_step_definitions() -> None:
    """Look each sentence up once. The definitions are the same for every scenario here, and looking is a third of the time."""
    steps = importlib.import_module("pytest_bdd.scenario")
    look_up = steps.find_fixturedefs_for_step
    known: dict[tuple[str, str], list[Any]] = {}

    def remembered(step: Any, fixturemanager: Any, node: Any) -> list[Any]:
        if (key := (step.type, step.name)) not in known:
            known[key] = list(look_up(step=step, fixturemanager=fixturemanager, node=node))
        return known[key]

    setattr(steps, look_up.__name__, remembered)


def main() -> None:
    """Run the variants and write their rounds as JSON."""
    out, variants = Path(sys.argv[1]), sys.argv[2:]
    _remember_step_definitions()
    with tempfile.TemporaryDirectory(prefix="selftest-") as name:
        folder = Path(name)
        target, reference = workspace.reference_dvza(folder)
        rounds = _Rounds(reference.ports["control"], variants)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        arguments = ["-c", str(folder / "pytest.ini"), "--rootdir", str(folder), "-p", "medmij_conformance.plugin"]
        arguments += ["-p", "no:cacheprovider", "-p", "no:terminal"]
        arguments += ["--target", str(target.path), "--report-dir", str(folder / "report")]
        try:
            pytest.main([*arguments, str(data_path("features") / "test_features.py")], plugins=[rounds])
        finally:
            reference.stop()
    out.write_text(json.dumps([asdict(each) for each in rounds.rounds]), encoding="utf-8")


if __name__ == "__main__":
    main()
