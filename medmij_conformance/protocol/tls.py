"""TLS on the wire: the messages of a handshake before anything is encrypted.

RFC 8446, RFC 5246, RFC 6101 and, for SSL 2.0, draft-hickman-netscape-ssl. Shapes only: what a version or a suite is worth stands
in ``fixtures/tls``.
"""

import functools
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

SSL2, SSL3, TLS10, TLS11, TLS12, TLS13 = 0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304
VERSIONS: Mapping[int, str] = {SSL2: "SSL2", SSL3: "SSL3", TLS10: "TLS1.0", TLS11: "TLS1.1", TLS12: "TLS1.2", TLS13: "TLS1.3"}
"""Code of a version -> its name, in their order."""

ALERT, HANDSHAKE = 21, 22
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_KEY_EXCHANGE, CERTIFICATE_REQUEST, SERVER_HELLO_DONE = 1, 2, 11, 12, 13, 14
CERTIFICATE_STATUS = 22
RENEGOTIATION_SCSV, FALLBACK_SCSV = 0x00FF, 0x5600
PROTOCOL_VERSION = 70
_SNI, _STATUS, _GROUPS, _POINTS, _SIGNATURES, _EMS = 0, 5, 10, 11, 13, 23
_EARLY_DATA, _SUPPORTED_VERSIONS, _PSK_MODES, _KEY_SHARE, _RENEGOTIATION = 42, 43, 45, 51, 0xFF01
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
_SSL2_SUITES = bytes.fromhex("0100800200800300800400800500800600400700c0")
_LARGEST_RECORD = 16_384 + 2_048


class MalformedError(ValueError):
    """The octets are no such message."""


# ------------------------------------------------------------------------------------------------------ the client's word


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHello:
    """What a client offers, by code point and in its order. ``versions`` is ``supported_versions``; empty when it is absent."""

    version: int
    versions: tuple[int, ...] = ()
    suites: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()
    signatures: tuple[int, ...] = ()
    compressions: tuple[int, ...] = (0,)
    server_name: str = ""
    status_request: bool = False
    extended_master_secret: bool = False
    secure_renegotiation: bool = False
    early_data: bool = False

    @property
    def offered(self) -> tuple[int, ...]:
        """The versions that it says it speaks; without the extension, the highest one alone, since the others are not said."""
        return tuple(v for v in self.versions if not is_grease(v)) or (self.version,)


def is_grease(code: int) -> bool:
    """Whether a code point is one of those that clients strew in to keep servers tolerant (RFC 8701)."""
    return code & 0x0F0F == 0x0A0A and code >> 8 == code & 0xFF


def client_hello(offer: ClientHello) -> bytes:
    """The record that makes this offer. With TLS 1.3 in it the key_share is empty, so that a server names its group."""
    if offer.version == SSL2:
        return _ssl2_client_hello()
    extensions = b"" if offer.version == SSL3 else b"".join(_client_extensions(offer))
    suites = [*offer.suites, RENEGOTIATION_SCSV] if offer.version == SSL3 else offer.suites
    body = (
        struct.pack("!H", min(offer.version, TLS12))
        + os.urandom(32)
        + (_vector(os.urandom(32), 1) if TLS13 in offer.versions else b"\0")
        + _codes(suites)
        + _vector(bytes(offer.compressions), 1)
        + (_vector(extensions, 2) if extensions else b"")
    )
    return record(HANDSHAKE, message(CLIENT_HELLO, body), min(offer.version, TLS10))


def _client_extensions(offer: ClientHello) -> Iterator[bytes]:
    if offer.server_name:
        yield _extension(_SNI, _vector(b"\0" + _vector(offer.server_name.encode("idna"), 2), 2))
    if offer.status_request:
        yield _extension(_STATUS, b"\1\0\0\0\0")
    if offer.groups:
        yield _extension(_GROUPS, _codes(offer.groups))
        yield _extension(_POINTS, b"\1\0")
    if offer.signatures:
        yield _extension(_SIGNATURES, _codes(offer.signatures))
    if offer.extended_master_secret:
        yield _extension(_EMS, b"")
    if offer.secure_renegotiation:
        yield _extension(_RENEGOTIATION, b"\0")
    if offer.versions:
        yield _extension(_SUPPORTED_VERSIONS, _vector(b"".join(struct.pack("!H", v) for v in offer.versions), 1))
        yield _extension(_PSK_MODES, b"\1\1")
        yield _extension(_KEY_SHARE, b"\0\0")


def _ssl2_client_hello() -> bytes:
    challenge = os.urandom(16)
    body = struct.pack("!BHHHH", 1, SSL2, len(_SSL2_SUITES), 0, len(challenge)) + _SSL2_SUITES + challenge
    return struct.pack("!H", 0x8000 | len(body)) + body


def is_whole(data: bytes) -> bool:
    """Whether the octets that a client has sent hold its whole first message; also true when they are no TLS at all."""
    if len(data) < 5:
        return not data or (data[0] != HANDSHAKE and not data[0] & 0x80)
    if data[0] & 0x80:
        return len(data) >= 2 + (int.from_bytes(data[:2]) & 0x7FFF)
    if data[0] != HANDSHAKE:
        return True
    try:
        content = b"".join(content for _, _, content in records(data))
    except MalformedError:
        return True
    return len(content) >= 4 and len(content) >= 4 + int.from_bytes(content[1:4])


def read_client_hello(data: bytes) -> ClientHello:
    """The offer in the first octets of a client. Raises ``MalformedError`` when they are no ClientHello."""
    if len(data) > 5 and data[0] & 0x80 and data[2] == CLIENT_HELLO:  # of SSL 2.0, or in its format
        return ClientHello(version=struct.unpack("!H", data[3:5])[0])
    content = b"".join(content for kind, _, content in records(data) if kind == HANDSHAKE)
    if len(content) < 4 or content[0] != CLIENT_HELLO:
        raise MalformedError("no ClientHello")
    reader = _Reader(content[4 : 4 + int.from_bytes(content[1:4])])
    version = reader.number(2)
    reader.take(32)
    reader.vector(1)
    suites, compressions = reader.codes(2), tuple(reader.vector(1))
    extensions = dict(_extensions(reader))
    name = extensions.get(_SNI, b"")
    versions = extensions.get(_SUPPORTED_VERSIONS)
    return ClientHello(
        version=version,
        versions=_Reader(versions).codes(1) if versions else (),
        suites=suites,
        groups=_Reader(extensions[_GROUPS]).codes(2) if _GROUPS in extensions else (),
        signatures=_Reader(extensions[_SIGNATURES]).codes(2) if _SIGNATURES in extensions else (),
        compressions=compressions,
        server_name=name[5:].decode("latin-1"),
        status_request=_STATUS in extensions,
        extended_master_secret=_EMS in extensions,
        secure_renegotiation=_RENEGOTIATION in extensions or RENEGOTIATION_SCSV in suites,
        early_data=_EARLY_DATA in extensions,
    )


def shape(data: bytes) -> ClientHello | None:
    """What makes a ClientHello different from another of the same client: not its random, its GREASE or whom it calls."""
    try:
        hello = read_client_hello(data)
    except MalformedError:
        return None
    return replace(
        hello,
        server_name="",
        versions=_plain(hello.versions),
        suites=_plain(hello.suites),
        groups=_plain(hello.groups),
        signatures=_plain(hello.signatures),
    )


def _plain(codes: Iterable[int]) -> tuple[int, ...]:
    return tuple(code for code in codes if not is_grease(code))


# ------------------------------------------------------------------------------------------------------ the server's word


@dataclass(slots=True, kw_only=True)
class ServerFlight:
    """What a server said up to the end of its first flight, as far as it was in clear.

    ``alert`` is the number of a fatal alert. ``group`` is that of the key exchange, ``dh_prime`` the prime of a finite field, if
    that is how keys are exchanged. ``certificates`` are DER, leaf first. ``done``: nothing more will come.
    """

    version: int | None = None
    suite: int | None = None
    compression: int = 0
    group: int | None = None
    dh_prime: int = 0
    signature: int | None = None
    certificates: list[bytes] = field(default_factory=list)
    certificate_requested: bool = False
    stapled: bool = False
    extended_master_secret: bool = False
    secure_renegotiation: bool = False
    alert: int | None = None
    done: bool = False
    foreign: bool = False
    """What came is not TLS."""


def read_flight(data: bytes) -> ServerFlight:
    """What these octets of a server say; ``done`` is false while more has to come. Never raises: nonsense is ``foreign``."""
    flight = ServerFlight()
    if len(data) >= 3 and data[0] & 0x80 and data[2] == 4:  # ServerHello of SSL 2.0
        flight.version, flight.done = SSL2, True
        return flight
    if data and data[0] not in {ALERT, HANDSHAKE, 20, 23}:
        flight.foreign = flight.done = True
        return flight
    content = b""
    try:
        for kind, _, part in records(data):
            if kind == ALERT and len(part) == 2:
                if part[0] == 2 or part[1] in {0, 112} or flight.version is None:
                    flight.alert, flight.done = part[1], part[1] != 112 or part[0] == 2
            elif kind == HANDSHAKE:
                content += part
            else:  # of TLS 1.3: the rest is encrypted
                flight.done = True
        for kind, body in _messages(content):
            _read_server_message(flight, kind, body)
    except (MalformedError, struct.error, IndexError):
        flight.foreign = flight.done = True
    return flight


def _read_server_message(flight: ServerFlight, kind: int, body: bytes) -> None:
    reader = _Reader(body)
    match kind:
        case 2:
            _read_server_hello(flight, reader)
        case 11:
            chain = _Reader(reader.vector(3))
            while chain.left:
                flight.certificates.append(chain.vector(3))
        case 12:
            _read_key_exchange(flight, reader)
        case 13:
            flight.certificate_requested = True
        case 14:
            flight.done = True
        case 22:
            flight.stapled = True


def _read_server_hello(flight: ServerFlight, reader: "_Reader") -> None:
    flight.version = reader.number(2)
    retry = reader.take(32) == _RETRY
    reader.vector(1)
    flight.suite, flight.compression = reader.number(2), reader.number(1)
    extensions = dict(_extensions(reader))
    if _SUPPORTED_VERSIONS in extensions:
        flight.version = _Reader(extensions[_SUPPORTED_VERSIONS]).number(2)
        flight.done = True
        if _KEY_SHARE in extensions:
            flight.group = _Reader(extensions[_KEY_SHARE]).number(2)
    flight.done |= retry
    flight.extended_master_secret = _EMS in extensions
    flight.secure_renegotiation = _RENEGOTIATION in extensions


def _read_key_exchange(flight: ServerFlight, reader: "_Reader") -> None:
    """ServerKeyExchange of TLS 1.2 and before; its shape is that of the key exchange, which only the suite tells."""
    if flight.suite in FINITE_FIELD_SUITES:
        flight.dh_prime = int.from_bytes(reader.vector(2))
        reader.vector(2)
        reader.vector(2)
    elif reader.peek == 3:  # a named curve
        reader.take(1)
        flight.group = reader.number(2)
        reader.vector(1)
    else:  # of a shared key or for export: that it is one is enough
        return
    if flight.version == TLS12 and reader.left >= 4:
        flight.signature = reader.number(2)


_FINITE_FIELD_RUNS = (
    *((0x0B, 0x1B), (0x30, 0x34), (0x36, 0x3A), (0x3E, 0x40), (0x42, 0x46), (0x67, 0x6D), (0x85, 0x89), (0x97, 0x9B), (0x9E, 0xA7)),
    *((0xBB, 0xBF), (0xC1, 0xC5), (0xC03E, 0xC047), (0xC052, 0xC05B), (0xC07C, 0xC085), (0xC09E, 0xC09F), (0xC0A2, 0xC0A3)),
    (0xCCAA, 0xCCAA),
)
FINITE_FIELD_SUITES = frozenset(code for first, last in _FINITE_FIELD_RUNS for code in range(first, last + 1))
"""The suites of TLS 1.2 and before that exchange keys in a finite field by certificate, or anonymously."""


def server_flight(
    *,
    version: int,
    suite: int,
    certificates: Iterable[bytes] = (),
    compression: int = 0,
    key_exchange: bytes = b"",
    secure_renegotiation: bool = True,
) -> bytes:
    """A first flight as a server of TLS 1.2 or before sends it; without certificates the ServerHello alone."""
    if version == SSL2:
        body = struct.pack("!BBBHHHH", 4, 0, 1, SSL2, 0, 3, 16) + _SSL2_SUITES[:3] + os.urandom(16)
        return struct.pack("!H", 0x8000 | len(body)) + body
    extensions = _vector(_extension(_RENEGOTIATION, b"\0"), 2) if secure_renegotiation and version != SSL3 else b""
    hello = struct.pack("!H", version) + os.urandom(32) + b"\0" + struct.pack("!HB", suite, compression) + extensions
    messages = [message(SERVER_HELLO, hello)]
    if chain := list(certificates):
        messages.append(message(CERTIFICATE, _vector(b"".join(_vector(der, 3) for der in chain), 3)))
        messages += [message(SERVER_KEY_EXCHANGE, key_exchange)] if key_exchange else []
        messages.append(message(SERVER_HELLO_DONE, b""))
    return record(HANDSHAKE, b"".join(messages), version)


def finite_field_exchange(prime: int, signature: int) -> bytes:
    """The body of a ServerKeyExchange with this prime and a signature that signs nothing."""
    size = (prime.bit_length() + 7) // 8
    public = _vector(prime.to_bytes(size), 2) + _vector(b"\2", 2) + _vector(os.urandom(size), 2)
    return public + struct.pack("!H", signature) + _vector(os.urandom(64), 2)


def elliptic_exchange(group: int, signature: int) -> bytes:
    """The body of a ServerKeyExchange on this curve and a signature that signs nothing."""
    return (
        b"\3" + struct.pack("!H", group) + _vector(b"\4" + os.urandom(64), 1) + struct.pack("!H", signature) + _vector(b"x" * 64, 2)
    )


def wish(first: bytes, version: int) -> bytes:
    """A ServerHello that wants this version, with a suite of the ClientHello that it answers; empty for what is none."""
    try:
        hello = read_client_hello(first)
    except MalformedError:
        return b""
    signals = {RENEGOTIATION_SCSV, FALLBACK_SCSV}
    fitting = [code for code in hello.suites if code >> 8 != 0x13 and code not in signals and not is_grease(code)]
    old = [code for code in fitting if code in _OLD_SUITES]
    return server_flight(version=version, suite=(old or fitting or [0xC013])[0])


_OLD_SUITES = frozenset([*range(0x3B), *range(0x41, 0x47), *range(0x84, 0x8A), *range(0x96, 0x9C), *range(0xC001, 0xC01A)])
"""Suites that also exist before TLS 1.2."""

_AT_ONCE = 0.75  # seconds in which a client that objects has done so, and before which none gives up waiting


def reaction(more: bytes, closed_s: float | None) -> str:
    """What a client did after a ServerHello: ``alert``, ``closed``, ``closed late``, ``silence``, or ``goes on``.

    ``closed_s``: after how many seconds it closed the connection; None when it did not.
    """
    try:
        kinds = [kind for kind, _, _ in records(more)]
    except MalformedError:
        return "goes on"
    if kinds:
        return "alert" if kinds[0] == ALERT else "goes on"
    if closed_s is None:
        return "silence"
    return "closed" if closed_s < _AT_ONCE else "closed late"


# ------------------------------------------------------------------------------------------------------------ known primes

_FFDHE = {2048: 560_316, 3072: 2_625_351, 4096: 5_736_041, 6144: 15_705_020, 8192: 10_965_728}


def ffdhe_name(prime: int) -> str:
    """The name of a prime of RFC 7919, such as ``ffdhe2048``; empty for any other."""
    bits = prime.bit_length()
    return f"ffdhe{bits}" if bits in _FFDHE and prime == _ffdhe_prime(bits) else ""


@functools.cache
def _ffdhe_prime(bits: int) -> int:
    """The prime of this size, made as appendix A of RFC 7919 says that it was made: from the digits of e."""
    guard = 64
    term = e = 1 << (bits - 130 + guard)
    k = 1
    while term:
        term //= k
        e += term
        k += 1
    return int(2**bits - 2 ** (bits - 64) + ((e >> guard) + _FFDHE[bits]) * 2**64 - 1)


# ------------------------------------------------------------------------------------------------- records and small parts


def record(kind: int, content: bytes, version: int) -> bytes:
    """Content in a record of its own."""
    return struct.pack("!BHH", kind, version, len(content)) + content


def message(kind: int, body: bytes) -> bytes:
    """A handshake message."""
    return bytes([kind]) + len(body).to_bytes(3) + body


def records(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The whole records at the start of ``data``: kind, version and content. Raises ``MalformedError`` at what can be none."""
    position = 0
    while position + 5 <= len(data):
        kind, version, length = struct.unpack_from("!BHH", data, position)
        if kind not in {20, 21, 22, 23} or version >> 8 != 3 or length > _LARGEST_RECORD:
            raise MalformedError("no record of TLS")
        if position + 5 + length > len(data):
            return
        yield kind, version, data[position + 5 : position + 5 + length]
        position += 5 + length


def _messages(content: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(content):
        length = int.from_bytes(content[position + 1 : position + 4])
        if position + 4 + length > len(content):
            return
        yield content[position], content[position + 4 : position + 4 + length]
        position += 4 + length


def _extensions(reader: "_Reader") -> Iterator[tuple[int, bytes]]:
    if not reader.left:
        return
    block = _Reader(reader.vector(2))
    while block.left:
        kind = block.number(2)
        yield kind, block.vector(2)


def _vector(content: bytes, size: int) -> bytes:
    return len(content).to_bytes(size) + content


def _codes(codes: Iterable[int]) -> bytes:
    return _vector(b"".join(struct.pack("!H", code) for code in codes), 2)


def _extension(kind: int, content: bytes) -> bytes:
    return struct.pack("!H", kind) + _vector(content, 2)


class _Reader:
    """Takes one field after the other. Raises ``MalformedError`` when the octets end too soon."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    @property
    def peek(self) -> int:
        return self._data[self._at] if self.left else -1

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise MalformedError("the message ends too soon")
        self._at += size
        return self._data[self._at - size : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))

    def codes(self, size: int) -> tuple[int, ...]:
        content = self.vector(size)
        return struct.unpack(f"!{len(content) // 2}H", content[: len(content) // 2 * 2])
