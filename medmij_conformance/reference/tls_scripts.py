"""First flights by which a reference looks as if it took what no TLS library of today takes."""

from collections.abc import Callable
from functools import cache

from cryptography.hazmat.primitives.serialization import Encoding

from medmij_conformance import pki
from medmij_conformance.protocol import tls
from medmij_conformance.protocol.tls import ClientHello
from medmij_conformance.wire.server import Script

ECDHE_RSA_AES_256_GCM, DHE_RSA_AES_256_GCM, RSA_AES_256_CBC = 0xC030, 0x009F, 0x0035
_RSA_PKCS1_SHA256, _ECDSA_SHA256, _SECP256R1 = 0x0401, 0x0403, 0x0017
_OURS = {0x1301, 0x1302, 0x1303, 0xC02B, 0xC02C, 0xCCA9}  # the suites with which the reference shakes hands in earnest
_OAKLEY_2 = int(  # a prime of 1024 bits (RFC 2409 6.2)
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6D"
    "F25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381"
    "FFFFFFFFFFFFFFFF",
    16,
)


def ssl(version: int) -> Script:
    """Takes this version of SSL."""

    def answer(hello: ClientHello) -> bytes:
        if hello.offered != (version,):
            return b""
        return tls.server_flight(version=version, suite=RSA_AES_256_CBC, certificates=[_certificate("p256")])

    return _script(answer)


def compression() -> Script:
    """Compresses, for whoever proposes it."""

    def answer(hello: ClientHello) -> bytes:
        if 1 not in hello.compressions:
            return b""
        exchange = tls.elliptic_exchange(_SECP256R1, _ECDSA_SHA256)
        chain = [_certificate("p256")]
        return tls.server_flight(version=tls.TLS12, suite=0xC02B, compression=1, certificates=chain, key_exchange=exchange)

    return _script(answer)


def key_exchange_by_rsa() -> Script:
    """Takes a key exchange without forward secrecy from those who offer nothing better."""
    return _for_the_rest(RSA_AES_256_CBC, lambda: b"")


def prime_of_1024_bits() -> Script:
    """Exchanges keys in a small field of its own with those who offer nothing better."""
    return _for_the_rest(DHE_RSA_AES_256_GCM, lambda: tls.finite_field_exchange(_OAKLEY_2, _RSA_PKCS1_SHA256))


def certificate_of_rsa_2048() -> Script:
    """Shows a certificate with an RSA key of 2048 bits to those who can do nothing with one on a curve."""
    return _for_the_rest(ECDHE_RSA_AES_256_GCM, lambda: tls.elliptic_exchange(_SECP256R1, _RSA_PKCS1_SHA256), kind="rsa2048")


def _for_the_rest(suite: int, exchange: Callable[[], bytes], kind: str = "p256") -> Script:
    def answer(hello: ClientHello) -> bytes:
        if hello.offered != (tls.TLS12,) or suite not in hello.suites or _OURS & {*hello.suites}:
            return b""
        return tls.server_flight(version=tls.TLS12, suite=suite, certificates=[_certificate(kind)], key_exchange=exchange())

    return _script(answer)


def _script(answer: Callable[[ClientHello], bytes]) -> Script:
    def words(first: bytes) -> bytes:
        try:
            return answer(tls.read_client_hello(first))
        except tls.MalformedError:
            return b""

    return Script(answer=words)


@cache
def _certificate(kind: str) -> bytes:
    """A certificate that nobody has to trust: a probe looks at it, and no client gets to see it."""
    return pki.self_signed("scripted.reference.test", key=kind).certificate.public_bytes(Encoding.DER)
