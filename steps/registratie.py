"""MedMij Registratie as the harness plays it: it publishes the lists that the gateway under test fetches."""

import time
from dataclasses import replace

from pytest_bdd import given, parsers, when

from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.cast.stelselnode import Publisher
from medmij_conformance.checks import certificates
from medmij_conformance.conformance import Conformance
from medmij_conformance.counterparties import registratie
from medmij_conformance.evidence import Evidence, Observation
from medmij_conformance.judge import Judge
from medmij_conformance.meeting import ListGate, Meeting
from medmij_conformance.requirements import Release
from medmij_conformance.target import Offer, Target
from medmij_conformance.watching import Watched
from medmij_conformance.wire.hooks import Hooks

OLD = {"serial": 1, "days_ago": 3}


@when("the vendor lets the gateway fetch its lists", target_fixture="reloaded")
def lets_fetch(stelselnode: Publisher, hooks: Hooks, evidence: Evidence) -> Observation:
    began = time.monotonic()
    hooks.call("reload_lists")
    fetched = sorted({exchange.endpoint for exchange in stelselnode.fetches(evidence.scenario)})
    return Observation("reloaded", {"fetched": fetched, "seconds": round(time.monotonic() - began, 1)})


@when(parsers.parse("MedMij Registratie shows a certificate that {defect}"), target_fixture="meeting")
def shows(defect: str, list_gate: ListGate, judge: Judge) -> Meeting:
    return _between_good_ones(list_gate, judge, defect=defect)


@when(parsers.parse("MedMij Registratie shows a certificate of which the responder {manner}"), target_fixture="meeting")
def shows_while(manner: str, list_gate: ListGate, judge: Judge) -> Meeting:
    return _between_good_ones(list_gate, judge, manner=manner)


def _between_good_ones(gate: ListGate, judge: Judge, **wrong: str) -> Meeting:
    before, bad, after = (gate.meet(**each) for each in ({}, wrong, {}))
    for good in (before, after):
        judge.note(certificates.good_certificate_opens_a_session, sessions=good.exchanges, meeting_facts=good.facts)
    return bad


@when("MedMij Registratie publishes a Whitelist without the other node")
def publishes_without_other(stelselnode: Publisher, target: Target, hooks: Hooks) -> None:
    stelselnode.player.publish({"whitelist": registratie.without_node(stelselnode.whitelist, _other(target))})
    hooks.call("reload_lists")


@given("MedMij Registratie has published newer lists")
def has_published(stelselnode: Publisher, hooks: Hooks) -> None:
    stelselnode.publish_good()
    hooks.call("reload_lists")


@when("MedMij Registratie goes back to an older Whitelist, without the other node")
def goes_back(stelselnode: Publisher, target: Target, hooks: Hooks) -> None:
    older = registratie.issued(stelselnode.whitelist, **OLD)
    stelselnode.player.publish({"whitelist": registratie.without_node(older, _other(target))})
    hooks.call("reload_lists")


@when(parsers.parse("MedMij Registratie publishes a Whitelist {flaw}, without the other node and with the unlisted one"))
def publishes_bad_whitelist(flaw: str, stelselnode: Publisher, target: Target, hooks: Hooks) -> None:
    unlisted = target.harness.unlisted.hostname if target.harness.unlisted else "unlisted.harness.test"
    whitelist = registratie.with_node(registratie.without_node(stelselnode.whitelist, _other(target)), unlisted)
    stelselnode.player.publish({"whitelist": whitelist}, flaw)
    hooks.call("reload_lists")


@when("MedMij Registratie publishes a ZAL with another address for an offer", target_fixture="moved_offer")
def publishes_moved(stelselnode: Publisher, stage: DvpCast, hooks: Hooks) -> Offer:
    moved = _moved(stage)
    stelselnode.player.publish({"zal": registratie.with_address(stelselnode.zal, *_key(moved), moved.authorization_endpoint)})
    hooks.call("reload_lists")
    return moved


@when(parsers.parse("MedMij Registratie publishes a ZAL {flaw}, with another address for an offer"), target_fixture="moved_offer")
def publishes_bad_zal(flaw: str, stelselnode: Publisher, stage: DvpCast, hooks: Hooks) -> Offer:
    moved = _moved(stage)
    zal = registratie.with_address(stelselnode.zal, *_key(moved), moved.authorization_endpoint)
    stelselnode.player.publish({"zal": zal}, flaw)
    hooks.call("reload_lists")
    return moved


@when("MedMij Registratie does not answer any more")
def does_not_answer(stelselnode: Publisher, hooks: Hooks) -> None:
    stelselnode.player.down = True
    hooks.call("reload_lists")


@when("the Whitelist of the gateway has grown too old")
def has_grown_old(conformance: Conformance) -> None:
    conformance.let_the_whitelist_grow_old()


@when("an hour and more has passed", target_fixture="watched_time")
def hour_has_passed(conformance: Conformance, release: Release) -> Watched:
    return conformance.watch_fetches(_an_hour(release))


@when("a day and more has passed", target_fixture="watched_time")
def day_has_passed(conformance: Conformance, release: Release) -> Watched:
    hour, times = _an_hour(release), release.lists
    half = (times.zal_fetch_s - sum(hour)) // 2
    rest = times.zal_fetch_s - sum(hour) - half + times.zal_fetch_tolerance_s // 2
    return conformance.watch_fetches(hour, [half, rest, times.zal_fetch_tolerance_s // 2 + 2])


def _an_hour(release: Release) -> list[int]:
    """Steps by which a clock is moved, so that who fetches as often as is advised, or every hour, is seen to."""
    times = release.lists
    often = times.whitelist_fetch_advised_s + times.whitelist_fetch_tolerance_s
    steps = [often] * (times.whitelist_fetch_s // often)
    half = times.whitelist_fetch_tolerance_s // 2
    return [*steps, times.whitelist_fetch_s - sum(steps) + half, half + 2]


def _other(target: Target) -> str:
    return target.harness.other.hostname if target.harness.other else ""


def _key(offer: Offer) -> tuple[str, str]:
    return offer.zorgaanbieder, offer.gegevensdienst


def _moved(stage: DvpCast) -> Offer:
    """The first offer at another address, at which the ZA gateway answers as well."""
    first = stage.target.offers[0]
    moved = replace(first, authorization_endpoint=first.authorization_endpoint.partition("?")[0] + "/verhuisd")
    stage.za.offers = (*stage.za.offers, moved)
    return moved
