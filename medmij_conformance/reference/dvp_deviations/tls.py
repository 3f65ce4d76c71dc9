"""TLS that should not be there: where people come to the PGO, and where it calls gateways."""
# mypy: disable-error-code="method-assign, assignment"

import contextlib
import socket
import ssl
from dataclasses import replace

from medmij_conformance.protocol import tls
from medmij_conformance.reference import tls_scripts
from medmij_conformance.reference.back_channel import ClientTls
from medmij_conformance.reference.dvp import Dvp
from medmij_conformance.reference.dvp_deviations._shared import DEVIATIONS

__all__ = ["DEVIATIONS"]

_CBC = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES256-SHA384"


@DEVIATIONS("ssl_is_refused")
def ssl_3_for_people(gateway: Dvp) -> None:
    """The pages of the PGO can still be had by SSL 3.0 (NET.1a)."""
    gateway.front_tls = replace(gateway.front_tls, script=tls_scripts.ssl(tls.SSL3))


@DEVIATIONS("front_channel_takes_sufficient_only")
def nobody_for_people(gateway: Dvp) -> None:
    """The pages of the PGO can be had in suites in which the server does not say who it is (NET.1c)."""
    gateway.front_tls = replace(gateway.front_tls, suites="ECDHE+AESGCM:AECDH-AES128-SHA:@SECLEVEL=0")


@DEVIATIONS(warns=["front_channel_options_are_off"])
def renegotiation_for_people(gateway: Dvp) -> None:
    """A browser may renegotiate as often as it likes (NET.1c)."""
    gateway.front_tls = replace(gateway.front_tls, renegotiation=True)


@DEVIATIONS("strongest_is_chosen")
def order_of_the_browser(gateway: Dvp) -> None:
    """The PGO takes the suite that the browser names first, the weaker one as well (NET.1d)."""
    gateway.front_tls = replace(gateway.front_tls, suites=_CBC, own_order=False)


@DEVIATIONS("client_offers_good_only")
def cbc_offered_to_gateways(gateway: Dvp) -> None:
    """The PGO offers gateways a suite in CBC mode, if only as its last choice (NET.1b)."""
    gateway.client_tls = ClientTls(suites=_CBC)


@DEVIATIONS("client_offers_good_only", "client_offers_strongest_first")
def weak_suite_offered_first(gateway: Dvp) -> None:
    """The PGO offers gateways a suite in CBC mode before all others (NET.1b, NET.1d)."""
    gateway.client_tls = ClientTls(suites="ECDHE-ECDSA-AES256-SHA384:ECDHE+AESGCM")


@DEVIATIONS("client_offers_good_only", "client_refuses_old_tls")
def old_gateways_are_welcome(gateway: Dvp) -> None:
    """The PGO goes along with a gateway that only speaks TLS 1.0 (NET.1b)."""
    suites = "ECDHE+AESGCM:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"
    gateway.client_tls = ClientTls(minimum=ssl.TLSVersion.TLSv1, maximum=ssl.TLSVersion.TLSv1_2, suites=suites)


@DEVIATIONS("client_refuses_ssl")
def ssl_gateways_are_welcome(gateway: Dvp) -> None:
    """The PGO goes along with a gateway that only speaks SSL 3.0 (NET.1a)."""
    gateway.client_tls = ClientTls(prelude=_waits_when_ssl_is_wanted)


def _waits_when_ssl_is_wanted(plain: socket.socket) -> None:
    """Stands in for a library that still has SSL 3.0: looks what the gateway speaks, and stays if it is that."""
    plain.sendall(
        tls.client_hello(tls.ClientHello(version=tls.TLS12, suites=(0xC02B, 0x002F), groups=(0x17,), signatures=(0x0403,)))
    )
    said = plain.recv(65_536)
    if tls.read_flight(said).version == tls.SSL3:
        with contextlib.suppress(OSError):
            plain.recv(1)
