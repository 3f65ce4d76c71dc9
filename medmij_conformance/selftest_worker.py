"""One process of the selftest: ``python -m medmij_conformance.selftest_worker ROLE [--whole] [--simple]``.

It reads the names of variants from standard input, one a line, and answers each with a line of JSON, its round. It starts one
reference and one pytest session, and lets the session run its scenarios once per variant: the deviation is switched over the
control interface, the journal starts afresh, everything else stays.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TextIO, cast

import pytest

from medmij_conformance import data_path, workspace
from medmij_conformance.conformance import RUN, Conformance
from medmij_conformance.planning import needed_for, planned_of
from medmij_conformance.reference.roles import REFERENCES
from medmij_conformance.selftest import CLOSED_PORT, CONFORMANT, Round, declared, is_compared, round_of
from medmij_conformance.wire.control import call


class _Rounds:
    """A pytest plugin that runs the collected scenarios, or those that are needed, once for each variant."""

    def __init__(self, role: str, control: str, names: TextIO, answers: TextIO, *, whole: bool) -> None:
        self._role = role
        self._control = control
        self._names = names
        self._answers = answers
        self._whole = whole

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        run = session.config.stash[RUN]
        for name in self._names:
            variant = name.rstrip("\n")
            with self._switched(variant, run):
                answer = self._round(variant, run, self._needed(variant, session.items), session.items)
            print(json.dumps(asdict(answer)), file=self._answers, flush=True)
        run.planned.clear()  # nothing is left to report: each round was read from its own records
        return True

    def _needed(self, variant: str, items: list[pytest.Item]) -> list[pytest.Item]:
        checks = declared(variant, self._role)
        if self._whole or not checks:
            return items
        compared = is_compared(variant, self._role)
        needed = {planned.id for planned in needed_for(checks, map(planned_of, items), compared=compared)}
        return [item for item in items if planned_of(item).id in needed]

    def _round(self, variant: str, run: Conformance, items: list[pytest.Item], collected: list[pytest.Item]) -> Round:
        run.restart(items)
        # Each item names one that comes next and is another, so that pytest keeps what is made per session and no more.
        last = next(item for item in collected if item is not items[-1])
        for item, after in zip(items, [*items[1:], last], strict=True):
            item._initrequest()  # type: ignore[attr-defined]  # fresh fixtures, as every rerun of an item needs
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
        run.evidence.write("run-end", finished="", trouble="")
        return round_of(variant, run.evidence.records)

    @contextlib.contextmanager
    def _switched(self, variant: str, run: Conformance) -> Iterator[None]:
        connect = cast("dict[str, str]", run.target.connect)
        addresses = dict(connect)
        if variant == CLOSED_PORT:
            connect.update(dict.fromkeys(connect, "127.0.0.1:1"))
        elif variant in {**REFERENCES[self._role].null_answers, **REFERENCES[self._role].shedding}:
            call(f"{self._control}/null", {"name": variant})
        else:
            call(f"{self._control}/deviate", {"names": [] if variant == CONFORMANT else variant.split(" + ")})
            run.cast.target = workspace.follow(run.cast.target, self._control)
        try:
            yield
        finally:
            connect.update(addresses)


def _channels() -> tuple[TextIO, TextIO]:
    """Standard input and output for us alone: who else reads finds nothing, what else is written goes to standard error."""
    names, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    return names, answers


def main() -> None:
    """Run variants until standard input ends. Exit 3 (pytest's own) when something went wrong outside a scenario."""
    names, answers = _channels()
    with tempfile.TemporaryDirectory(prefix="selftest-") as name:
        folder = Path(name)
        role = sys.argv[1]
        start = workspace.SIMPLER[role] if "--simple" in sys.argv[2:] else workspace.REFERENCES[role]
        target, reference = start(folder)
        rounds = _Rounds(role, reference.ports["control"], names, answers, whole="--whole" in sys.argv[2:])
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        arguments = ["-c", str(folder / "pytest.ini"), "--rootdir", str(folder), "-p", "medmij_conformance.plugin"]
        arguments += ["--real-waits", "-p", "no:cacheprovider", "-p", "no:terminal", "--capture=no"]
        arguments += ["--target", str(target.path), "--report-dir", str(folder / "report")]
        try:
            code = pytest.main([*arguments, str(data_path("features") / "test_features.py")], plugins=[rounds])
        finally:
            reference.stop()
    if code in {pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED}:
        sys.exit(int(code))


if __name__ == "__main__":
    main()
