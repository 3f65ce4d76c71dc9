"""The vendor of the gateway under test: what it does for us by a hook."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pytest_bdd import given, parsers, when

from medmij_conformance.cast.registratie import RegistratieCast, Registration
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Evidence, Exchange, Request, Response, wall_time
from medmij_conformance.questions import questions
from medmij_conformance.requirements import Release
from medmij_conformance.wire.hooks import Hooks

_LONGEST_ANSWER = 20_000  # a longer one is cut off, and is no JSON any more


@when("the vendor hands over the log", target_fixture="log")
def hands_over_log(hooks: Hooks, evidence: Evidence) -> Exchange:
    return _heard(evidence, Request(method="HOOK", url="hook:log"), _json(hooks.call("log")))


@given("the vendor has handed over the log before", target_fixture="earlier_log")
def has_handed_over_log(hooks: Hooks, evidence: Evidence) -> Exchange:
    return hands_over_log(hooks, evidence)


@when("the vendor hands over the dossier", target_fixture="dossier")
def hands_over_dossier(hooks: Hooks, evidence: Evidence) -> Exchange:
    return _heard(evidence, Request(method="HOOK", url="hook:dossier"), _json(hooks.call("dossier")))


@when(parsers.parse('the vendor answers the question "{name}"'), target_fixture="statement")
def answers_question(name: str, hooks: Hooks, evidence: Evidence, release: Release) -> Exchange:
    asked = asdict(questions(release.catalogue)[name])
    answer: Any = hooks.call("questions", **asked)
    request = Request(method="HOOK", url=f"hook:questions/{name}", body=json.dumps(asked).encode())
    return _heard(evidence, request, _json(answer)[:_LONGEST_ANSWER])


@given(parsers.parse("the vendor has {done} a care provider"), target_fixture="registered")
def has_registered_provider(done: str, nodes: RegistratieCast, conformance: Conformance) -> Iterator[Registration]:
    yield from _registered(nodes, conformance, "zal", done)


@given(parsers.parse("the vendor has {done} a PGO gateway"), target_fixture="registered")
def has_registered_gateway(done: str, nodes: RegistratieCast, conformance: Conformance) -> Iterator[Registration]:
    yield from _registered(nodes, conformance, "whitelist", done)


@when("a participant asks to register a good care provider", target_fixture="registration")
def registers_good_provider(nodes: RegistratieCast, hooks: Hooks, evidence: Evidence) -> Iterator[Exchange]:
    entry = nodes.provider()
    yield _asked(hooks, evidence, "add", "zal", entry)
    nodes.register("remove", "zal", entry)


@when(parsers.parse("a participant asks to register a care provider {flaw}"), target_fixture="registration")
def registers_bad_provider(flaw: str, nodes: RegistratieCast, hooks: Hooks, evidence: Evidence) -> Iterator[Exchange]:
    entry = nodes.bad_provider(flaw)
    heard = _asked(hooks, evidence, "add", "zal", entry)
    yield heard
    nodes.take_back("zal", entry, heard)


@when(parsers.parse("a participant asks to register a {flaw} gateway"), target_fixture="registration")
def registers_bad_gateway(flaw: str, nodes: RegistratieCast, hooks: Hooks, evidence: Evidence) -> Iterator[Exchange]:
    entry = nodes.bad_participant(flaw)
    heard = _asked(hooks, evidence, "add", "whitelist", entry)
    yield heard
    nodes.take_back("whitelist", entry, heard)


def _asked(hooks: Hooks, evidence: Evidence, action: str, which: str, entry: dict[str, Any]) -> Exchange:
    asked = {"action": action, "list": which, "entry": entry}
    request = Request(method="HOOK", url="hook:registration", body=json.dumps(asked).encode())
    return _heard(evidence, request, _json(hooks.call("registration", **asked))[:_LONGEST_ANSWER])


def _registered(nodes: RegistratieCast, conformance: Conformance, which: str, done: str) -> Iterator[Registration]:
    """A test entry of this scenario; what is changed or removed was published before. In the end it is taken out again."""
    scenario = conformance.evidence.scenario
    begun = nodes.begin(scenario, which, done)
    if not begun.complete:
        conformance.let_pass(conformance.a_day_s, since=begun.since)
        nodes.ask(which)
        nodes.complete_due(conformance.a_day_s)
    yield nodes.complete(scenario, conformance.watch.moved_s)
    nodes.forget(scenario)


def _heard(evidence: Evidence, request: Request, answer: str) -> Exchange:
    """What a hook answered, as evidence."""
    headers = (("Content-Type", "application/json"),)
    response = Response(status=200, headers=headers, body=answer.encode())
    label = f"hook {request.url.removeprefix('hook:')}"
    return evidence.append(Exchange(label=label, endpoint="other", request=request, response=response, at=wall_time()))


def _json(answer: Any) -> str:
    try:
        return json.dumps(answer)
    except RecursionError:  # nested beyond measure: none of the forms that are asked for
        return ""
