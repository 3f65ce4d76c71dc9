"""TLS that should not be there, on either channel."""
# mypy: disable-error-code="method-assign, assignment"

from dataclasses import replace

from medmij_conformance.protocol.tls import SSL2, SSL3, TLS10
from medmij_conformance.reference import tls_scripts
from medmij_conformance.reference.dvza import Dvza
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS

_OLD = "ECDHE+AESGCM:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"
_CBC = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES256-SHA384"


@DEVIATIONS("ssl_is_refused")
def ssl_2_on_the_back_channel(gateway: Dvza) -> None:
    """The back channel still answers SSL 2.0 (NET.1a)."""
    gateway.back_tls = replace(gateway.back_tls, script=tls_scripts.ssl(SSL2))


@DEVIATIONS("ssl_is_refused")
def ssl_3_on_the_front_channel(gateway: Dvza) -> None:
    """The front channel still answers SSL 3.0 (NET.1a)."""
    gateway.front_tls = replace(gateway.front_tls, script=tls_scripts.ssl(SSL3))


@DEVIATIONS("back_channel_takes_good_only")
def tls_1_0_on_the_back_channel(gateway: Dvza) -> None:
    """The back channel still takes TLS 1.0 (NET.1b)."""
    gateway.back_tls = replace(gateway.back_tls, minimum=TLS10, suites=_OLD)


@DEVIATIONS("back_channel_takes_good_only")
def cbc_on_the_back_channel(gateway: Dvza) -> None:
    """The back channel takes a suite in CBC mode, if only as its last choice (NET.1b)."""
    gateway.back_tls = replace(gateway.back_tls, suites=_CBC)


@DEVIATIONS("back_channel_takes_good_only")
def key_exchange_by_rsa(gateway: Dvza) -> None:
    """The back channel takes a key exchange without forward secrecy (NET.1b)."""
    gateway.back_tls = replace(gateway.back_tls, script=tls_scripts.key_exchange_by_rsa())


@DEVIATIONS("back_channel_takes_good_only")
def small_prime_on_the_back_channel(gateway: Dvza) -> None:
    """The back channel exchanges keys in a finite field of 1024 bits (NET.1b)."""
    gateway.back_tls = replace(gateway.back_tls, script=tls_scripts.prime_of_1024_bits())


@DEVIATIONS(warns=["back_channel_takes_good_only"])
def rsa_2048_on_the_back_channel(gateway: Dvza) -> None:
    """A second certificate of the back channel has an RSA key of 2048 bits (NET.1b)."""
    gateway.back_tls = replace(gateway.back_tls, script=tls_scripts.certificate_of_rsa_2048())


@DEVIATIONS(warns=["back_channel_takes_good_only"])
def small_named_prime_on_the_back_channel(gateway: Dvza) -> None:
    """The back channel takes ffdhe2048, of which the guideline of 2014 was not read for sure (NET.1b)."""
    gateway.back_tls = replace(gateway.back_tls, groups=f"{gateway.back_tls.groups}:ffdhe2048")


@DEVIATIONS(warns=["back_channel_options_are_off"])
def renegotiation_on_the_back_channel(gateway: Dvza) -> None:
    """A client may renegotiate on the back channel as often as it likes (NET.1b)."""
    gateway.back_tls = replace(gateway.back_tls, renegotiation=True)


@DEVIATIONS(warns=["back_channel_options_are_off"])
def compression_on_the_back_channel(gateway: Dvza) -> None:
    """The back channel compresses (NET.1b)."""
    gateway.back_tls = replace(gateway.back_tls, script=tls_scripts.compression())


@DEVIATIONS(warns=["front_channel_options_are_off"])
def early_data_on_the_front_channel(gateway: Dvza) -> None:
    """The front channel takes requests before the handshake is over (NET.1c)."""
    gateway.front_tls = replace(gateway.front_tls, early_data=16_384)


@DEVIATIONS("front_channel_takes_sufficient_only")
def nobody_on_the_front_channel(gateway: Dvza) -> None:
    """The front channel takes suites in which the server does not say who it is (NET.1c)."""
    gateway.front_tls = replace(gateway.front_tls, suites="ECDHE+AESGCM:AECDH-AES128-SHA:@SECLEVEL=0")


@DEVIATIONS("strongest_is_chosen")
def order_of_the_client(gateway: Dvza) -> None:
    """The front channel takes the suite that the client names first, the weaker one as well (NET.1d)."""
    gateway.front_tls = replace(gateway.front_tls, suites=_CBC, own_order=False)


@DEVIATIONS()
def old_browsers_are_welcome(gateway: Dvza) -> None:
    """The front channel takes TLS 1.0 and suites in CBC mode, as its last choice, which the guideline of 2014 calls sufficient."""
    gateway.front_tls = replace(gateway.front_tls, minimum=TLS10, suites=_OLD)
