"""The messages of a TLS handshake: what is written can be read, and nonsense is named."""

import ssl
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmij_conformance.protocol import tls
from medmij_conformance.protocol.tls import ClientHello
from medmij_conformance.protocol.tls_seen import Answer, Seen, read_codes, read_seen, write_codes

codes = st.lists(st.integers(0, 0xFFFF), max_size=40).map(tuple)
OFFER = ClientHello(
    version=tls.TLS12,
    versions=(tls.TLS13, tls.TLS12),
    suites=(0x1301, 0xC02B),
    groups=(0x1D, 0x17),
    signatures=(0x0403,),
    server_name="za.harness.test",
    status_request=True,
    extended_master_secret=True,
    secure_renegotiation=True,
)


def test_an_offer_is_read_as_it_was_made() -> None:
    """Every part of a ClientHello comes back."""
    assert tls.read_client_hello(tls.client_hello(OFFER)) == OFFER


@given(suites=codes, groups=codes, signatures=codes)
def test_any_offer_is_read_as_it_was_made(suites: tuple[int, ...], groups: tuple[int, ...], signatures: tuple[int, ...]) -> None:
    """Whatever the code points."""
    offer = ClientHello(version=tls.TLS12, suites=suites, groups=groups, signatures=signatures)
    signal = tls.RENEGOTIATION_SCSV in suites
    read = tls.read_client_hello(tls.client_hello(offer))
    assert (read.suites, read.groups, read.signatures, read.secure_renegotiation) == (suites, groups, signatures, signal)


def test_the_offer_of_python_is_understood() -> None:
    """A ClientHello that another implementation made is read: its versions, its name and suites that it says it offers."""
    context = ssl.create_default_context()
    said = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), said, server_hostname="za.harness.test").do_handshake()
    hello = tls.read_client_hello(said.read())
    assert hello.offered == (tls.TLS13, tls.TLS12)
    assert hello.server_name == "za.harness.test"
    assert {row["id"] & 0xFFFF for row in context.get_ciphers()} == {*hello.suites} - {tls.RENEGOTIATION_SCSV}


def test_versions_that_are_not_said() -> None:
    """Without the extension only the highest version is known."""
    assert ClientHello(version=tls.TLS12).offered == (tls.TLS12,)
    assert ClientHello(version=tls.TLS12, versions=(0x7A7A, tls.TLS13)).offered == (tls.TLS13,)


def test_ssl_2_is_recognised() -> None:
    """The format of SSL 2.0 is read for its version, from either side."""
    assert tls.read_client_hello(tls.client_hello(ClientHello(version=tls.SSL2))).version == tls.SSL2
    assert tls.read_flight(tls.server_flight(version=tls.SSL2, suite=0)).version == tls.SSL2


@pytest.mark.parametrize(
    "data", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x02\x01\x00", b"\x16\x03\x01\x00\x05\x02\0\0\x01\0"]
)
def test_what_is_no_client_hello(data: bytes) -> None:
    """Anything else is named as such."""
    with pytest.raises(tls.MalformedError):
        tls.read_client_hello(data)


@given(st.binary(max_size=400))
def test_no_octets_of_a_server_do_harm(data: bytes) -> None:
    """A hostile server cannot make the reader raise; nor can what looks like a record."""
    tls.read_flight(data)
    tls.read_flight(struct.pack("!BHH", 22, 0x0303, len(data)) + data)


@given(st.binary(max_size=400))
def test_no_octets_of_a_client_do_harm(data: bytes) -> None:
    """Nor a hostile client anything but ``MalformedError``."""
    for said in (data, struct.pack("!BHH", 22, 0x0301, len(data)) + data):
        tls.is_whole(said)
        assert tls.shape(said) is None or isinstance(tls.shape(said), ClientHello)


def test_a_hello_in_two_pieces_is_waited_for() -> None:
    """A ClientHello is whole when its last octet is there; what is no TLS is not waited for."""
    data = tls.client_hello(OFFER)
    assert not any(tls.is_whole(data[:size]) for size in range(1, len(data)))
    assert tls.is_whole(data)
    assert tls.is_whole(b"GET / HTTP/1.1\r\n")


def test_a_flight_is_read() -> None:
    """A scripted flight says what it was told to say."""
    exchange = tls.finite_field_exchange(2**1023 + 1155, 0x0401)
    flight = tls.read_flight(
        tls.server_flight(version=tls.TLS12, suite=0x9F, certificates=[b"leaf", b"issuer"], compression=1, key_exchange=exchange)
    )
    assert (flight.version, flight.suite, flight.compression) == (tls.TLS12, 0x9F, 1)
    assert flight.certificates == [b"leaf", b"issuer"]
    assert (flight.dh_prime.bit_length(), flight.signature, flight.done) == (1024, 0x0401, True)


@pytest.mark.parametrize(
    ("more", "closed_s", "expected"),
    [
        (tls.record(tls.ALERT, b"\2\x46", tls.TLS12), 0.1, "alert"),
        (tls.record(tls.HANDSHAKE, tls.message(16, b"key"), tls.SSL3), None, "goes on"),
        (b"", 0.1, "closed"),
        (b"", 1.5, "closed late"),
        (b"", None, "silence"),
        (b"nonsense", 0.1, "goes on"),
    ],
)
def test_what_a_client_does_about_a_version(more: bytes, closed_s: float | None, expected: str) -> None:
    """Breaking off at once is told from going on, from waiting, and from giving up later."""
    assert tls.reaction(more, closed_s) == expected


def test_the_primes_of_rfc_7919() -> None:
    """A prime is known by its digits: those of ffdhe2048 end as the RFC prints them, and a neighbour is none."""
    prime = tls._ffdhe_prime(2048)
    assert f"{prime:X}".endswith("886B423861285C97FFFFFFFFFFFFFFFF")
    assert f"{prime:X}".startswith("FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1")
    assert tls.ffdhe_name(prime) == "ffdhe2048"
    assert tls.ffdhe_name(prime - 2) == ""


@given(codes)
def test_code_points_in_short(given_codes: tuple[int, ...]) -> None:
    """Runs are written in short and read back in their order."""
    assert read_codes(write_codes(given_codes)) == given_codes
    assert write_codes((0xC02B, 0xC02C, 0xC02D, 0x9C)) == "c02b-c02d 9c"


def test_what_was_seen_is_read_back() -> None:
    """The journal gives back what was seen; a file with a line too few is refused."""
    answer = Answer(kind="hello", version=tls.TLS12, suite=0xC02B, prime="1024", chain=("aa", "bb"), stapled=True)
    seen = Seen(offers=[("a first handshake", OFFER)], answers=[answer], certificates={"aa": {"key": "RSA 2048"}}, early_data=0)
    assert read_seen(seen.offered(), seen.answered()) == seen
    with pytest.raises(ValueError, match="as many answers"):
        read_seen(b"", seen.answered())
