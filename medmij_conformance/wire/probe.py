"""What an endpoint accepts of TLS: one ClientHello after the other, each answered by one flight, without OpenSSL.

A server speaks first about itself, so no handshake has to end and no certificate of ours is needed; only client-initiated
renegotiation and early data want whole handshakes, which pyOpenSSL makes. Nothing here knows what an answer is worth.

The probe ends by repeating its first handshake. When that fails, somebody has shut us out on the way, and nothing it saw counts.
"""

import contextlib
import hashlib
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from OpenSSL._util import lib as _openssl  # for what a session ticket says of early data; public pyOpenSSL has no word for it

from medmij_conformance.evidence import Trouble
from medmij_conformance.protocol import tls
from medmij_conformance.protocol.tls import ClientHello
from medmij_conformance.protocol.tls_seen import Answer, Seen
from medmij_conformance.wire.address import socket_address

ANSWER_S = 2.0
"""How long one answer is waited for."""
RENEGOTIATIONS = 11
"""How often a connection is renegotiated at most: ten times is where an edition draws a line."""

_CHUNK = 64  # suites that one hello offers; some servers break at more
_READ = 65_536
_LARGEST_FLIGHT = 300_000
_SUITES = (
    *range(0xC000, 0xC0C0),  # elliptic curves first, the rest of 2008 and later, then what is older
    *range(0xCCA8, 0xCCAF),
    *range(0x009C, 0x00C6),
    *range(0x0001, 0x009C),
    *range(0xD001, 0xD006),
)
_SUITES_13 = (0x1301, 0x1302, 0x1303, 0x1304, 0x1305, 0x1306, 0x1307, 0x00C6, 0x00C7, 0xC0B4, 0xC0B5)
_GROUPS = (0x1D, 0x17, 0x18, 0x19, 0x1E, 0x1A, 0x1B, 0x1C, *range(0x01, 0x17), 0x1F, 0x20, 0x21)
_FINITE_FIELDS = (0x0100, 0x0101, 0x0102, 0x0103, 0x0104)
_HYBRIDS = (0x11EC, 0x11EB, 0x11ED)
_SIGNATURES = (
    *(0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0807, 0x0808, 0x0809, 0x080A, 0x080B),
    *(0x0402, 0x0502, 0x0602, 0x0303, 0x0301, 0x0302, 0x0203, 0x0201, 0x0202, 0x0103, 0x0101, 0x0102),
)


class _ShutOutError(Exception):
    """The endpoint cannot be dialled, or the time for the probe has passed."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.trouble = Trouble(kind=kind, detail=detail)


@dataclass(slots=True)
class Probe:
    """Probes the endpoint that is called ``name`` and is found at ``address`` (``host:port``).

    ``credential`` is our certificate with its chain and our key (PEM), where the endpoint wants to know who we are. ``pace_s`` is
    kept before each connection, and ``limit_s`` is for all of it.
    """

    name: str
    address: str
    credential: tuple[bytes, bytes] | None = None
    pace_s: float = 0.0
    limit_s: float = 60.0
    seen: Seen = field(default_factory=Seen)
    _until: float = 0.0

    def run(self) -> Trouble | None:
        """All of it; then ``seen`` holds what was seen. Gives what went wrong: then nothing of that counts."""
        self._until = time.monotonic() + self.limit_s
        try:
            self._probe()
        except _ShutOutError as error:
            return error.trouble
        return None

    def _probe(self) -> None:
        first = self._first()
        self._ask("SSL 2.0", ClientHello(version=tls.SSL2))
        for version in (tls.SSL3, tls.TLS10, tls.TLS11, tls.TLS12):
            self._suites(version, _SUITES)
        self._suites(tls.TLS13, _SUITES_13)
        newest = next((v for v in (tls.TLS12, tls.TLS11, tls.TLS10) if self.seen.suites(v)), None)
        if newest:
            self._details(newest)
        if suites := self.seen.suites(tls.TLS13):
            self._groups(self._offer(tls.TLS13, suites), (*_HYBRIDS, *_GROUPS, *_FINITE_FIELDS))
        if self.seen.suites(tls.TLS12):
            self.seen.renegotiations = self._whole(tls.TLS12, _renegotiated)
        if self.seen.suites(tls.TLS13):
            self.seen.early_data = self._whole(tls.TLS13, _early_data)
        if self._ask("the first handshake once more", first).kind != "hello":
            raise _ShutOutError("protocol", "the first handshake, repeated at the end, was refused: the probe is shut out")

    def _first(self) -> ClientHello:
        """The first handshake that is answered: as a client of today, then of yesterday. Raises ``_ShutOutError``."""
        today = replace(
            self._offer(tls.TLS13, (*_SUITES_13[:3], *_SUITES[:48])), version=tls.TLS12, versions=(tls.TLS13, tls.TLS12)
        )
        for offer in (today, self._offer(tls.TLS12, _SUITES[:64]), self._offer(tls.TLS10, (*_SUITES[:32], *_SUITES[-110:-60]))):
            answer = self._ask("a first handshake", offer)
            if answer.kind == "hello":
                return offer
            if answer.kind == "silence":
                raise _ShutOutError("timeout", f"no answer to a ClientHello within {ANSWER_S:g} s")
        raise _ShutOutError("tls", f"no ClientHello is answered by a ServerHello ({_described(answer)})")

    def _suites(self, version: int, codes: Sequence[int]) -> None:
        """Offer what is left until nothing is taken; then what was taken, forwards and backwards, to see whose order counts."""
        purpose = f"suites of {tls.VERSIONS[version]}"
        for start in range(0, len(codes), _CHUNK):
            left = list(codes[start : start + _CHUNK])
            while left:
                answer = self._ask(purpose, self._offer(version, left))
                if answer.kind != "hello" or answer.version != version or answer.suite not in left:
                    break
                left.remove(answer.suite)
            if answer.version not in {None, version} or answer.alert == tls.PROTOCOL_VERSION or answer.kind == "silence":
                break
        accepted = self.seen.suites(version)
        if len(accepted) > 1:
            self._ask("the order of suites", self._offer(version, accepted))
            self._ask("the order of suites, reversed", self._offer(version, accepted[::-1]))

    def _details(self, version: int) -> None:
        suites = self.seen.suites(version)
        told = {a.suite: a for a in self.seen.answers if a.version == version}
        elliptic = tuple(suite for suite in suites if told[suite].group is not None)
        signed = tuple(suite for suite in suites if told[suite].signature is not None)
        if elliptic:
            # A certificate on a curve needs that curve in the offer, so it stays, as the last choice.
            curve = self._certificate_curve()
            groups = (*(group for group in _GROUPS if group != curve), *([curve] if curve else []))
            self._groups(self._offer(version, elliptic), groups, last=curve)
        if signed:
            self._signatures(self._offer(version, signed))
        fields = tuple(sorted(tls.FINITE_FIELD_SUITES))
        for start in range(0, len(fields), _CHUNK):
            self._ask(
                "a finite field of its own", replace(self._offer(version, fields[start : start + _CHUNK]), groups=_GROUPS[:8])
            )
        self._ask("compression", replace(self._offer(version, suites), compressions=(1, 0)))

    def _groups(self, offer: ClientHello, codes: Iterable[int], last: int | None = None) -> None:
        left = list(codes)
        while left:
            answer = self._ask(f"groups of {tls.VERSIONS[max(offer.offered)]}", replace(offer, groups=tuple(left)))
            if answer.group not in left or answer.group == last:
                return
            left.remove(answer.group)

    def _signatures(self, offer: ClientHello) -> None:
        left = list(_SIGNATURES)
        while left:
            answer = self._ask("signatures", replace(offer, signatures=tuple(left)))
            if answer.signature not in left:
                return
            left.remove(answer.signature)

    def _certificate_curve(self) -> int | None:
        curves = {"secp256r1": 0x17, "secp384r1": 0x18, "secp521r1": 0x19}
        keys = (self.seen.certificates[a.chain[0]]["key"] for a in self.seen.answers if a.chain)
        return next((curves[name] for key in keys if (name := key.removeprefix("EC ")) in curves), None)

    def _offer(self, version: int, suites: Iterable[int]) -> ClientHello:
        """All groups and signatures, so that only the suites make the difference."""
        newest = version == tls.TLS13
        return ClientHello(
            version=version,
            versions=(tls.TLS13,) if newest else (),
            suites=tuple(suites),
            groups=(*(_HYBRIDS if newest else ()), *_GROUPS, *_FINITE_FIELDS),
            signatures=_SIGNATURES if version >= tls.TLS12 else (),
            server_name=self.name,
            status_request=True,
            extended_master_secret=True,
            secure_renegotiation=True,
        )

    # ------------------------------------------------------------------------------------------------- one offer, one answer

    def _ask(self, purpose: str, offer: ClientHello) -> Answer:
        """Make an offer. A connection that is closed or stays silent is tried once more before that counts as the answer."""
        answer = self._attempt(offer)
        if answer.kind in {"closed", "silence"}:
            answer = self._attempt(offer)
        self.seen.offers.append((purpose, offer))
        self.seen.answers.append(answer)
        return answer

    def _attempt(self, offer: ClientHello) -> Answer:
        received = b""
        with self._dial() as connection:
            deadline = min(self._until, time.monotonic() + ANSWER_S)
            with contextlib.suppress(ConnectionError):
                connection.sendall(tls.client_hello(offer))
                while not (flight := tls.read_flight(received)).done and len(received) < _LARGEST_FLIGHT:
                    connection.settimeout(max(0.001, deadline - time.monotonic()))
                    try:
                        data = connection.recv(_READ)
                    except TimeoutError:
                        return self._answer(flight, "hello" if flight.version else "silence")
                    if not data:
                        break
                    received += data
        flight = tls.read_flight(received)
        if flight.foreign:
            return Answer(kind="foreign")
        return self._answer(flight, "hello" if flight.version else "alert" if flight.alert is not None else "closed")

    def _answer(self, flight: tls.ServerFlight, kind: str) -> Answer:
        prime = flight.dh_prime
        return Answer(
            kind=kind,
            version=flight.version,
            suite=flight.suite,
            group=flight.group,
            prime=f"{prime.bit_length()} {tls.ffdhe_name(prime)}".strip() if prime else "",
            signature=flight.signature,
            compression=flight.compression,
            alert=flight.alert,
            chain=tuple(self._certificate(der) for der in flight.certificates),
            certificate_requested=flight.certificate_requested,
            stapled=flight.stapled,
            extended_master_secret=flight.extended_master_secret,
            secure_renegotiation=flight.secure_renegotiation,
        )

    def _certificate(self, der: bytes) -> str:
        """Note what a certificate is made of. Gives the key under which that stands."""
        name = hashlib.sha256(der).hexdigest()[:16]
        if name not in self.seen.certificates:
            self.seen.certificates[name] = _certificate_facts(der)
        return name

    def _dial(self) -> socket.socket:
        if self.pace_s:
            time.sleep(self.pace_s)
        if (left := self._until - time.monotonic()) <= 0:
            raise _ShutOutError("out-of-time", "the time limit of the scenario passed before the probe was done")
        try:
            connection = socket.create_connection(socket_address(self.address), timeout=min(left, 2 * ANSWER_S))
        except TimeoutError as error:
            raise _ShutOutError("timeout", "the connection was not taken in time") from error
        except OSError as error:
            raise _ShutOutError("connect", error.strerror or str(error)) from error
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    # ------------------------------------------------------------------------------------------------------ whole handshakes

    def _whole(self, version: int, look: Callable[["_Whole"], int]) -> int | None:
        """What can be seen after a whole handshake; None when there is none."""
        with self._dial() as connection:
            try:
                whole = _Whole(connection, version, self.name, self.credential, min(self._until, time.monotonic() + 2 * ANSWER_S))
                whole.drive(whole.tls.do_handshake)
                return look(whole)
            except (SSL.Error, OSError, _OverError):
                return None


class _OverError(Exception):
    """The time is up, or the server has closed."""


class _Whole:
    """A TLS connection of pyOpenSSL that takes whatever the server has."""

    def __init__(
        self, connection: socket.socket, version: int, name: str, credential: tuple[bytes, bytes] | None, deadline: float
    ) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.set_cipher_list(b"ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        if credential:
            leaf, *chain = x509.load_pem_x509_certificates(credential[0])
            context.use_certificate(leaf)
            for certificate in chain:
                context.add_extra_chain_cert(certificate)
            context.use_privatekey(load_pem_private_key(credential[1], None))  # type: ignore[arg-type]
        self.name = name
        self.tls = SSL.Connection(context, None)
        self.tls.set_connect_state()
        self.tls.set_tlsext_host_name(name.encode("idna"))
        self._socket = connection
        self._deadline = deadline

    def drive(self, operation: Callable[[], Any]) -> Any:
        """Carry an operation out, whatever has to be read and written for it. Raises ``_OverError``."""
        while True:
            try:
                result = operation()
            except SSL.WantReadError:
                self._flush()
                self._receive()
            except SSL.ZeroReturnError as error:
                raise _OverError from error
            else:
                self._flush()
                return result

    def _receive(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _OverError
        self._socket.settimeout(left)
        try:
            data = self._socket.recv(_READ)
        except TimeoutError as error:
            raise _OverError from error
        if not data:
            raise _OverError
        self.tls.bio_write(data)

    def _flush(self) -> None:
        with contextlib.suppress(SSL.WantReadError):
            while data := self.tls.bio_read(_READ):
                self._socket.sendall(data)


def _renegotiated(whole: _Whole) -> int:
    """How often the server lets us renegotiate, up to a limit. A refusal is an alert or a closed connection."""
    done = 0
    with contextlib.suppress(SSL.Error, OSError, _OverError):
        while done < RENEGOTIATIONS:
            whole.tls.renegotiate()
            whole.drive(whole.tls.do_handshake)
            if whole.tls.renegotiate_pending():
                break
            done += 1
    return done


def _early_data(whole: _Whole) -> int:
    """How much early data the session tickets allow. They come before or with the answer to a first request."""
    request = f"HEAD / HTTP/1.1\r\nHost: {whole.name}\r\nConnection: close\r\n\r\n".encode()
    with contextlib.suppress(SSL.Error, OSError, _OverError):
        whole.drive(lambda: whole.tls.send(request))
        whole.drive(lambda: whole.tls.recv(_READ))
    session = whole.tls.get_session()
    return int(_openssl.SSL_SESSION_get_max_early_data(session._session)) if session else 0


# ------------------------------------------------------------------------------------------------------------ small readings


def _certificate_facts(der: bytes) -> dict[str, str]:
    """Key and signature hash of a certificate; both ``unreadable`` when it is none."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        algorithm = certificate.signature_hash_algorithm
        own = certificate.issuer == certificate.subject
    except Exception:  # noqa: BLE001 whatever a hostile certificate provokes
        return {"key": "unreadable", "hash": "unreadable"}
    match key:
        case rsa.RSAPublicKey() | dsa.DSAPublicKey():
            kind = f"{'RSA' if isinstance(key, rsa.RSAPublicKey) else 'DSA'} {key.key_size}"
        case ec.EllipticCurvePublicKey():
            kind = f"EC {key.curve.name}"
        case _:
            kind = type(key).__name__.removesuffix("PublicKey").lstrip("_")
    hashed = (
        f"SHA-{algorithm.name[3:]}" if algorithm and algorithm.name.startswith("sha") else (algorithm.name if algorithm else "")
    )
    return {"key": kind, "hash": hashed, **({"root": "self-signed"} if own else {})}


def _described(answer: Answer) -> str:
    return f"alert {answer.alert}" if answer.kind == "alert" else {"closed": "the connection was closed"}.get(answer.kind, "no TLS")
