"""What has to grow old waits together, is used on the way, and is fetched at its moment."""

import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

from medmij_conformance import workspace
from medmij_conformance.aging import KINDS, Cellar
from medmij_conformance.cast.dvza import Cast
from medmij_conformance.evidence import Evidence
from medmij_conformance.requirements import release


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The players towards a reference of the toy release."""
    folder = tmp_path_factory.mktemp("aging")
    target, running = workspace.reference_dvza(folder, release="test-2")
    keys: Path = folder / "keys"
    keys.mkdir()
    evidence = Evidence(folder / "journal.jsonl")
    yield Cast(target, release("test-2"), evidence, Random(1), keys)
    evidence.close()
    running.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_by_a_movable_clock(cast: Cast, kind: str) -> None:
    """With a clock that can be moved nothing waits, and what was moved is known, from the start and from the way."""
    moved: list[int] = []
    cellar = Cellar(moved.append)
    cellar.lay_down("x", cast.journey(), kind)
    for name in cellar.untended():
        cellar.tend(name, 6)
    aged = cellar.fetch("x", 11)
    assert sum(moved) == aged.moved_s == 11
    assert (aged.on_the_way is not None) == (KINDS[kind].on_the_way is not None)
    assert aged.moved_since_s == (5 if aged.on_the_way else 11)
    assert not cellar.holds("x")


def test_waits_overlap_in_real_time(cast: Cast) -> None:
    """Two that were laid down together are both ready after one wait; what is done on the way is done once."""
    cellar = Cellar()
    for name in ("a", "b"):
        cellar.lay_down(name, cast.journey(), "token-in-use")
    for name in cellar.untended():
        cellar.tend(name, 0.2)
    assert list(cellar.untended()) == []
    left = {name: cellar.remaining(name, 0.6) for name in ("a", "b")}
    began = time.monotonic()
    ages = [cellar.fetch("a", 0.6)]
    waited = time.monotonic() - began
    assert waited >= left["a"]
    assert cellar.remaining("b", 0.6) <= max(0.0, left["b"] - waited)
    ages.append(cellar.fetch("b", 0.6))
    assert all(aged.on_the_way and aged.on_the_way.status == 200 for aged in ages)
    assert cellar.remaining("a", 0.6) == 0


def test_what_never_came_is_no_trouble(cast: Cast) -> None:
    """When no code came, nothing can be redeemed on the way, and that is found out later."""
    cellar = Cellar(lambda _: None)
    cellar.lay_down("x", cast.journey(person="unavailable"), "code-redeemed-late")
    cellar.tend("x", 6)
    assert cellar.fetch("x", 11).on_the_way is None
