"""The network layer: TLS of whatever gateway is under test."""

import pytest
from pytest_bdd import given, parsers, when

from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.evidence import Exchange
from medmij_conformance.facts.dvp import Collect
from medmij_conformance.facts.network import AT_WORK
from medmij_conformance.probing import Prober
from medmij_conformance.protocol import tls
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError


@given(parsers.parse("the TLS of the {channel:w} channel was probed"))
def was_probed(prober: Prober, channel: str) -> None:
    prober.channel(channel)


@given("the TLS of every endpoint was probed")
def all_were_probed(prober: Prober) -> None:
    prober.everything()


@given("the gateway was seen at work")
def was_seen_at_work(request: pytest.FixtureRequest, target: Target) -> None:
    AT_WORK[target.about.role](request)


@when("Roos collects while the ZA gateways want SSL 3.0", target_fixture="ssl_wanted")
def collects_by_ssl(stage: DvpCast, collect: Collect) -> tuple[Exchange, ...]:
    return _wanting(stage, collect, tls.SSL3)


@when("Roos collects while the ZA gateways want TLS 1.0, and again while they want TLS 1.1", target_fixture="old_tls_wanted")
def collects_by_old_tls(stage: DvpCast, collect: Collect) -> tuple[Exchange, ...]:
    return _wanting(stage, collect, tls.TLS10) + _wanting(stage, collect, tls.TLS11)


def _wanting(stage: DvpCast, collect: Collect, version: int) -> tuple[Exchange, ...]:
    with stage.back_channel_wants(version) as heard:
        collect().collect()
    if not heard:
        raise NotSeenError(f"the PGO made no connection while the ZA gateways wanted {tls.VERSIONS[version]}")
    return tuple(heard)
