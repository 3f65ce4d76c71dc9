"""Nodes of the network, listed and not: they ask MedMij Registratie for its lists."""

from pytest_bdd import given, parsers, when

from medmij_conformance.cast.registratie import FORGED, RegistratieCast
from medmij_conformance.checks import registratie
from medmij_conformance.evidence import Exchange
from medmij_conformance.judge import Judge

Received = dict[str, Exchange]
SHORT = {"ZAL": "zal", "Whitelist": "whitelist", "OAuth client list": "ocl"}


@given("the PGO gateway has got the ZAL")
def pgo_gateway_has_zal(nodes: RegistratieCast, received: Received, judge: Judge) -> None:
    received["zal"] = nodes.ask("zal")
    judge.require(registratie.zal_is_given, zal=received["zal"])


@when(parsers.parse("the PGO gateway asks for the {name}"))
def pgo_gateway_asks(name: str, nodes: RegistratieCast, received: Received) -> None:
    received[SHORT[name]] = nodes.ask(SHORT[name])


@when(parsers.parse("the ZA gateway asks for the {name}"))
def za_gateway_asks(name: str, nodes: RegistratieCast, received: Received) -> None:
    received[SHORT[name]] = nodes.ask(SHORT[name], by="za")


@when(parsers.parse("an unlisted node asks for the {name}"))
def unlisted_node_asks(name: str, nodes: RegistratieCast, received: Received) -> None:
    received[SHORT[name]] = nodes.ask(SHORT[name], by="unlisted", deviation="the certificate of a node on no list")


@when(parsers.parse("somebody without a certificate asks for the {name}"))
def nobody_asks(name: str, nodes: RegistratieCast, received: Received) -> None:
    received[SHORT[name]] = nodes.ask(SHORT[name], certificate="nobody", deviation="no certificate")


@when(parsers.parse("somebody with a certificate of another authority asks for the {name}"))
def forger_asks(name: str, nodes: RegistratieCast, received: Received) -> None:
    received[SHORT[name]] = nodes.ask(SHORT[name], certificate=FORGED, deviation="a certificate of another authority")
