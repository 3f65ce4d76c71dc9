"""Meetings with minted certificates: what a target without an issuer is told, and what a soft fail looks like from the outside."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from medmij_conformance import workspace
from medmij_conformance.planning import Planned, barred_checks
from medmij_conformance.target import Pki, Target, load


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """What `init` writes."""
    folder = tmp_path_factory.mktemp("init")
    workspace.initialise(folder, "dvza")
    return load(folder / "target.toml")


def planned(*tags: str) -> Planned:
    facts: Any = dict.fromkeys(("id", "name", "title_nl", "feature"), "")
    return Planned(**facts, requirements=(), checks=("a_check",), steps=(), tags=frozenset(tags))


def test_init_names_an_issuer_and_a_responder(target: Target) -> None:
    """The certificates of the harness name the responder of [pki], whose key fits its certificate."""
    assert target.pki.credential()
    assert target.pki.ocsp_url == f"http://{target.pki.ocsp_listen}"
    assert barred_checks([planned("needs:pki", "needs:ocsp")], target, frozenset()) == {}


@pytest.mark.parametrize(
    ("lack", "tags", "words"),
    [
        ({"issuer": None, "issuer_key": None}, ("needs:pki",), "no issuer in [pki]"),
        ({"ocsp_listen": None}, ("needs:pki", "needs:ocsp"), "no ocsp_url and ocsp_listen in [pki]"),
    ],
)
def test_what_is_lacking_is_told(target: Target, lack: dict[str, None], tags: tuple[str, ...], words: str) -> None:
    """Without an issuer, or without a responder, the checks that need one are not tested, and the reason names the key."""
    without = replace(target, pki=replace(target.pki, **lack))
    assert isinstance(without.pki, Pki)
    assert words in barred_checks([planned(*tags)], without, frozenset())["a_check"]


def test_hard_fail_soft_fail_and_no_check_are_told_apart(reference: SimpleNamespace, medmij: Any, tmp_path: Path) -> None:
    """Three runs against the reference, from the command line: one passes, and a finding says which of the others it is."""
    done = medmij("run", reference.target, "--only", "RFC6960.g", "--report-dir", tmp_path / "hard-fail", timeout=300)
    assert done.returncode == 0, done.stderr
    seen = {}
    for name in ("status-soft-fail", "status-not-asked"):
        reference.deviate(name)
        try:
            done = medmij("run", reference.target, "--only", "RFC6960.g", "--report-dir", tmp_path / name, timeout=300)
        finally:
            reference.deviate()
        assert done.returncode == 1, done.stderr
        scenarios = json.loads((tmp_path / name / "results.json").read_text(encoding="utf-8"))["scenarios"]
        seen[name] = " ".join(v["observed"] for s in scenarios for v in s["verdicts"] if v["outcome"] == "fail")
    assert "soft fail" in seen["status-soft-fail"]
    assert "no question to the responder" in seen["status-not-asked"]
    assert "soft fail" not in seen["status-not-asked"]
