"""Which step definition a sentence means, found in a list that is made once.

pytest-bdd asks pytest for every fixture there is, for every sentence that is said; in a run that took longer than all TLS
handshakes together. What is visible to one scenario of a module is visible to all of them, so the list is kept for each module.
"""

import importlib
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from pytest_bdd.compat import get_fixture_names, getfixturedefs
from pytest_bdd.steps import step_function_context_registry

_SCENARIO = importlib.import_module("pytest_bdd.scenario")  # the package has a function of the same name
slow_lookup = _SCENARIO.find_fixturedefs_for_step
_KNOWN: WeakKeyDictionary[pytest.Collector, list[tuple[Any, Any]]] = WeakKeyDictionary()
_FOUND: WeakKeyDictionary[pytest.Collector, dict[tuple[str, str], list[Any]]] = WeakKeyDictionary()


def install() -> None:
    """Let pytest-bdd look sentences up here."""
    setattr(_SCENARIO, slow_lookup.__name__, quick_lookup)


def sentences() -> Iterator[tuple[str, str, str]]:
    """Every sentence that is defined so far: ``given``, ``when`` or ``then``, its words, and the module of its step."""
    for context in step_function_context_registry.values():
        yield context.type or "step", context.parser.name, context.step_func.__module__.rpartition(".")[2]


def quick_lookup(step: Any, fixturemanager: Any, node: pytest.Item) -> Iterator[Any]:
    """The definitions that can parse a step and are visible to a scenario, as ``slow_lookup`` gives them."""
    module = node.parent
    if module is None:
        raise TypeError(f"{node.nodeid}: a scenario without a module")
    found = _FOUND.setdefault(module, {})
    sentence = (step.type, step.name)
    if sentence not in found:
        definitions = _definitions(fixturemanager, node, module)
        fitting = [d for d, c in definitions if c.type in {None, step.type} and c.parser.is_matching(step.name)]
        found[sentence] = fitting
    yield from found[sentence]


def _definitions(fixturemanager: Any, node: pytest.Item, module: pytest.Collector) -> list[tuple[Any, Any]]:
    if module not in _KNOWN:
        visible = [d for name in get_fixture_names(fixturemanager) for d in getfixturedefs(fixturemanager, name, node) or ()]
        _KNOWN[module] = [(d, context) for d in visible if (context := step_function_context_registry.get(d.func))]
    return _KNOWN[module]
