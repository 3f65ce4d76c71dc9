"""What an endpoint accepts of TLS, or a client offers: part by part, with the level that an edition of the guideline gives."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from medmij_conformance.evidence import Exchange, header
from medmij_conformance.guideline import Edition, Rating, edition, levels, registry
from medmij_conformance.protocol import tls
from medmij_conformance.protocol.tls import ClientHello
from medmij_conformance.protocol.tls_seen import Answer, Seen, read_seen

OPTION = "option"
KEY = "certificate key"
_LIMIT = 10  # renegotiations on a connection that ncsc-2025 lets pass
_SIGNALS = {tls.RENEGOTIATION_SCSV, tls.FALLBACK_SCSV}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: ``kind`` is ``version``, ``cipher suite``, ``group``, ``finite field``, ``signature``, ``certificate key``,
    ``certificate hash`` or ``option``."""

    kind: str
    name: str
    rating: Rating

    @property
    def level(self) -> str:
        """``good``, ``sufficient``, ``phase_out`` or ``insufficient``."""
        return self.rating.level


def seen_in(exchange: Exchange) -> Seen:
    """What a probe saw, from the exchange that holds it. Raises ``ValueError``, ``KeyError`` or ``TypeError`` when it is none."""
    return read_seen(exchange.request.body, exchange.response.body if exchange.response else b"")


def of_server(seen: Seen, edition: Edition) -> list[Part]:
    """Everything that the server takes in TLS. The versions of SSL are left out: they are forbidden outright."""
    answers = [answer for _, answer in seen.hellos]
    versions = dict.fromkeys(a.version for a in answers if a.version)
    suites = dict.fromkeys(a.suite for a in answers if a.suite is not None)
    groups = dict.fromkeys(a.group for a in answers if a.group is not None)
    primes = dict.fromkeys(a.prime for a in answers if a.prime)
    signatures = dict.fromkeys(a.signature for a in answers if a.signature is not None)
    return [
        *(_version(version, edition) for version in sorted(versions, reverse=True)),
        *_suites(suites, edition),
        *_groups(groups, edition),
        *(_finite_field(prime, edition) for prime in primes),
        *_signatures(signatures, edition),
        *_certificates(seen, answers, edition),
        *(Part(kind=OPTION, name=name, rating=edition.rate_option(name)) for name in _options(seen, answers)),
    ]


def of_client(hello: ClientHello, edition: Edition) -> list[Part]:
    """Everything that a client offers."""
    suites = [suite for suite in hello.suites if suite not in _SIGNALS and not tls.is_grease(suite)]
    groups = [group for group in hello.groups if not tls.is_grease(group)]
    signatures = [scheme for scheme in hello.signatures if not tls.is_grease(scheme)]
    options = ["compression"] * (set(hello.compressions) != {0}) + ["early data"] * hello.early_data
    if not hello.secure_renegotiation and min(hello.offered) < tls.TLS13:
        options.append("insecure renegotiation")
    return [
        *(_version(version, edition) for version in hello.offered),
        *_suites(suites, edition),
        *_groups(groups, edition),
        *_signatures(signatures, edition),
        *(Part(kind=OPTION, name=name, rating=edition.rate_option(name)) for name in options),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posture:
    """An endpoint that was probed, or a client that called us, for a report: ``exchange`` is the number of what shows it.

    ``facts`` are what is worth a line and has no level. ``trouble``: why there is nothing to tell.
    """

    exchange: int
    who: str
    place: str
    channel: str
    edition: str
    parts: tuple[Part, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""

    @property
    def rows(self) -> list[tuple[str, str, str, list[str]]]:
        """Kind, level, edition that gave it, and the names of the parts, for each of the first three together."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for part in self.parts:
            found.setdefault((part.kind, part.level, part.rating.edition), []).append(part.name)
        return [(*key, names) for key, names in found.items()]


def postures(exchanges: Iterable[Exchange], name: str) -> list[Posture]:
    """Everything that a run saw of TLS, by the edition of this name. Raises ``GuidelineError`` when there is none."""
    by = edition(name)
    found = (_posture(exchange, by) for exchange in exchanges)
    return [posture for posture in found if posture]


def _posture(exchange: Exchange, by: Edition) -> Posture | None:
    probed = exchange.endpoint == "tls" and exchange.request.method == "PROBE"
    hello = exchange.tls.client_hello if exchange.tls else ""
    if not probed and not hello:
        return None
    channel = header(exchange.request.headers, "channel") or "" if probed else "back"
    who, place = ("server", exchange.request.url) if probed else ("client", exchange.address)
    told = Posture(exchange=exchange.number, who=who, place=place, channel=channel, edition=by.name)
    if exchange.trouble and probed:
        return replace(told, trouble=f"{exchange.trouble.kind}: {exchange.trouble.detail}")
    try:
        if hello:
            return replace(told, parts=tuple(of_client(tls.read_client_hello(bytes.fromhex(hello)), by)))
        seen = seen_in(exchange)
        return replace(told, parts=tuple(of_server(seen, by)), facts=table(seen))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return replace(told, trouble=f"what was stored cannot be read ({type(error).__name__}: {error})")


def rank(level: str, edition: Edition) -> int:
    """The place of a level, best first. Where nothing can be better than sufficient, that is as good as good."""
    place = levels().index(level)
    return 0 if edition.tolerates("", level) else place


def suites_by_strength(suites: Iterable[int], edition: Edition) -> list[tuple[int, int]]:
    """The suites that stand for one, in their order, each with the place of its level."""
    own = [suite for suite in suites if suite not in _SIGNALS and not tls.is_grease(suite)]
    return [(suite, rank(edition.rate_suite(suite).level, edition)) for suite in own]


def table(seen: Seen) -> dict[str, str]:
    """What is worth a line in a report and has no level: whose order counts, stapling, whether a certificate is asked for."""
    answers = [answer for _, answer in seen.hellos if answer.version != tls.TLS13]
    newer = [tls.VERSIONS[version] for version in seen.versions if version >= tls.TLS10]
    counts = {None: "not seen", 0: "refused"}
    return {
        "order": _whose_order(seen),
        "client certificate": "asked for"
        if any(a.certificate_requested for a in answers)
        else "not asked for"
        if answers
        else "not seen",
        "stapled OCSP answer": "yes" if any(a.stapled for a in answers) else "no" if answers else "not seen",
        "extended master secret": _all_or_none([a.extended_master_secret for a in answers]),
        "renegotiation by the client": counts.get(seen.renegotiations, f"allowed {seen.renegotiations} times"),
        "early data": counts.get(seen.early_data, f"{seen.early_data} octets"),
        "handshakes": f"{len(seen.offers)}, TLS in {', '.join(newer)}",
    }


def _all_or_none(seen: list[bool]) -> str:
    return "not seen" if not seen else "yes" if all(seen) else "sometimes" if any(seen) else "no"


def _whose_order(seen: Seen) -> str:
    """Whether the server keeps to an order of its own, where it was offered the same suites forwards and backwards."""
    pairs: dict[tuple[int, frozenset[int]], list[int | None]] = {}
    for (purpose, offer), answer in zip(seen.offers, seen.answers, strict=True):
        if purpose.startswith("the order of suites") and answer.kind == "hello" and answer.version:
            pairs.setdefault((answer.version, frozenset(offer.suites)), []).append(answer.suite)
    told = [
        f"{tls.VERSIONS[version]}: {'the server' if len({*chosen}) == 1 else 'the client'}"
        for (version, _), chosen in pairs.items()
    ]
    return "; ".join(told) or "not seen: one suite alone"


def _version(version: int, edition: Edition) -> Part:
    name = tls.VERSIONS.get(version, f"version 0x{version:04X}")
    return Part(kind="version", name=name, rating=edition.rate("version", name))


def _suites(codes: Iterable[int], edition: Edition) -> Iterator[Part]:
    for code in codes:
        yield Part(kind="cipher suite", name=registry().suite_name(code), rating=edition.rate_suite(code))


def _groups(codes: Iterable[int], edition: Edition) -> Iterator[Part]:
    for name in dict.fromkeys(map(registry().group_name, codes)):
        if bits := re.fullmatch(r"ffdhe(\d+)", name):
            yield _finite_field(f"{bits[1]} {name}", edition)
        else:
            yield Part(kind="group", name=name, rating=edition.rate("group", name))


def _finite_field(prime: str, edition: Edition) -> Part:
    bits, _, name = prime.partition(" ")
    shown = name or f"a prime of {bits} bits of its own"
    return Part(kind="finite field", name=shown, rating=edition.rate_bits("finite_field", int(bits), name))


def _signatures(codes: Iterable[int], edition: Edition) -> Iterator[Part]:
    for code, rating in edition.rate_signatures(codes).items():
        yield Part(kind="signature", name=registry().signature_name(code), rating=rating)


def _certificates(seen: Seen, answers: Iterable[Answer], edition: Edition) -> Iterator[Part]:
    """Keys of the leaves, and hashes of all signatures but those of roots."""
    chains = dict.fromkeys(answer.chain for answer in answers if answer.chain)
    keys = dict.fromkeys(seen.certificates[chain[0]]["key"] for chain in chains)
    signed = [seen.certificates[name] for chain in chains for name in chain]
    yield from (Part(kind=KEY, name=key, rating=_rate_key(key, edition)) for key in keys)
    for name in dict.fromkeys(facts["hash"] for facts in signed if "root" not in facts and facts["hash"]):
        yield Part(kind="certificate hash", name=name, rating=edition.rate("certificate_hash", name))


def _rate_key(key: str, edition: Edition) -> Rating:
    kind, _, size = key.partition(" ")
    match kind:
        case "RSA":
            return edition.rate_bits("rsa", int(size))
        case "EC":
            return edition.rate("group", size)
        case "Ed25519" | "Ed448":
            return edition.rate("authentication", "EdDSA")
    return edition.rate("authentication", "DSS" if kind == "DSA" else kind)


def _options(seen: Seen, answers: list[Answer]) -> Iterator[str]:
    if any(answer.compression for answer in answers):
        yield "compression"
    if any(not answer.secure_renegotiation for answer in answers if answer.version != tls.TLS13):
        yield "insecure renegotiation"
    if seen.renegotiations:
        yield "client renegotiation" if seen.renegotiations > _LIMIT else "client renegotiation, limited"
    if seen.early_data:
        yield "early data"
