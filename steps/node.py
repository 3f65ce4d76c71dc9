"""A node of ours that meets the gateway under test: the PGO that comes to a ZA gateway, or the ZA gateway that a PGO calls."""

from collections.abc import Iterator

from pytest_bdd import given, parsers, when

from medmij_conformance.checks import certificates
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.judge import Judge
from medmij_conformance.meeting import Brief, DvpGate, Gate, Meeting, meet_briefly, publish
from medmij_conformance.target import Target
from medmij_conformance.wire.hooks import Hooks


@when("a node of ours shows a good certificate", target_fixture="meeting")
def shows_good(gate: Gate, begun: list[Brief]) -> Meeting:
    gate.forget()
    return gate.meet()


@when("a node of ours shows a second certificate of the same name, with another key", target_fixture="meeting")
def shows_second(gate: Gate) -> Meeting:
    return gate.meet("has a key of its own")


@when(parsers.parse("a node of ours shows a certificate that {defect}"), target_fixture="meeting")
def shows_bad(defect: str, gate: Gate) -> Meeting:
    return gate.meet(defect)


@when(parsers.parse("a node of ours shows a certificate of which the responder {manner}"), target_fixture="meeting")
def shows_while(manner: str, gate: Gate) -> Meeting:
    return gate.meet(manner=manner)


@when(parsers.parse("the ZA gateway sends along in its handshake what the responder {manner}"), target_fixture="meeting")
def sends_along(manner: str, gate: DvpGate) -> Meeting:
    return gate.meet(manner=manner, stapling=True)


@given("a node of ours has shown a certificate whose good answer has run out", target_fixture="earlier")
def has_shown(gate: Gate, begun: list[Brief]) -> Meeting:
    brief = begun.pop() if begun else meet_briefly(gate)
    return brief.past()


@when("it was revoked since, and is shown again", target_fixture="meeting")
def shows_again(earlier: Meeting, gate: Gate) -> Meeting:
    return gate.meet_again(earlier, manner="says that it was revoked")


@when(parsers.parse("from the token on the ZA gateway shows a certificate that {defect}"), target_fixture="meeting")
def shows_later(defect: str, gate: DvpGate, judge: Judge) -> Meeting:
    before, bad, after = (gate.meet(each, from_token_on=True) for each in ("", defect, ""))
    for good in (before, after):
        judge.note(certificates.good_certificate_opens_a_session, sessions=good.exchanges, meeting_facts=good.facts)
    return bad


@when("somebody collects her data with an ordinary browser", target_fixture="pages")
def somebody_collects(gate: Gate) -> tuple[Exchange, ...]:
    return gate.collect()


@when("the certificates of the gateway are looked at", target_fixture="chains")
def looked_at(gate: Gate) -> tuple[Observation, ...]:
    return gate.chains()


@when("somebody asks for the authorization endpoint without TLS")
def asks_without_tls(clear: tuple[Exchange, ...]) -> None:
    """The fixture does."""


@when("somebody asks for data without TLS")
def asks_data_without_tls(clear_resource: tuple[Exchange, ...]) -> None:
    """The fixture does."""


@when("somebody asks for the lists without TLS")
def asks_lists_without_tls(clear_lists: tuple[Exchange, ...]) -> None:
    """The fixture does."""


@given("the node is taken off the Whitelist", target_fixture="newest_list")
def taken_off(gate: Gate, vendor: Hooks, target: Target, conformance: Conformance) -> Iterator[None]:
    gate.prepare()
    publish(vendor, target, conformance.publisher, struck=(target.harness.hostname,))
    yield
    publish(vendor, target, conformance.publisher)


@given("the gateway is told of new lists, and there is no Whitelist among them", target_fixture="newest_list")
def no_whitelist(gate: Gate, vendor: Hooks, target: Target, conformance: Conformance) -> Iterator[None]:
    gate.prepare()
    publish(vendor, target, conformance.publisher, whitelist=False)
    conformance.let_the_whitelist_grow_old()
    yield
    publish(vendor, target, conformance.publisher)
