"""TLS: what an endpoint takes and what a client offers, by the guideline of NCSC-NL. Netwerk rule 1 of the framework.

Of which edition the target file says; of which levels each channel may be, the release. Options of TLS are no versions and no
algorithms, so what the guideline says of them is at most a warning.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from medmij_conformance import guideline, posture
from medmij_conformance.evidence import Exchange
from medmij_conformance.posture import Part
from medmij_conformance.protocol import tls
from medmij_conformance.protocol.tls import ClientHello
from medmij_conformance.protocol.tls_seen import Seen
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

Exchanges = tuple[Exchange, ...]
_OLD = (tls.VERSIONS[tls.TLS10], tls.VERSIONS[tls.TLS11])
_RSA_WARNS = range(2048, 3072)  # AMB.62
_SHOWN = 8  # names in one finding


@check("NET.1a", then="no endpoint of the gateway takes a version of SSL")
def ssl_is_refused(probes: Exchanges) -> Findings:
    """Every endpoint refuses SSL 2.0 and SSL 3.0."""
    for exchange in probes:
        seen = _seen(exchange)
        for version in (tls.SSL2, tls.SSL3):
            _refuse_silence(seen, version, exchange)
        if taken := [tls.VERSIONS[version] for version in seen.versions if version <= tls.SSL3]:
            yield Finding(expected="SSL refused", observed=f"{_place(exchange)} takes {', '.join(taken)}")


@check("NET.1b", then="the back channel takes nothing that the guideline calls less than good")
def back_channel_takes_good_only(back_probes: Exchanges, tls_edition: str, shared_ports: str, release: Release) -> Findings:
    """On the back channel only versions and algorithms are accepted that the guideline calls good."""
    edition = guideline.edition(tls_edition)
    for exchange in back_probes:
        shared = exchange.request.url in shared_ports.split()
        parts = posture.of_server(_seen(exchange), edition)
        yield from _objections(parts, "back", release, edition, f"{_place(exchange)} takes", shared=shared)


@check("NET.1c", then="the front channel takes nothing that the guideline calls less than sufficient")
def front_channel_takes_sufficient_only(front_probes: Exchanges, tls_edition: str, release: Release) -> Findings:
    """On the front channel only versions and algorithms are accepted that the guideline calls good or sufficient."""
    edition = guideline.edition(tls_edition)
    for exchange in front_probes:
        parts = posture.of_server(_seen(exchange), edition)
        yield from _objections(parts, "front", release, edition, f"{_place(exchange)} takes")


@check("NET.1c", then="no address of MedMij Registratie takes what the guideline calls less than sufficient")
def lists_take_sufficient_only(back_probes: Exchanges, tls_edition: str, release: Release) -> Findings:
    """Whoever comes to MedMij Registratie, with a browser or not, finds no version and no algorithm that is less than sufficient.

    It serves no browser, and NET.1b asks more of it towards nodes; this is what holds whoever comes.
    """
    edition = guideline.edition(tls_edition)
    for exchange in back_probes:
        parts = posture.of_server(_seen(exchange), edition)
        yield from _objections(parts, "front", release, edition, f"{_place(exchange)} takes")


@check("NET.1b", then="the back channel has no option of TLS on that the guideline warns of")
def back_channel_options_are_off(back_probes: Exchanges, tls_edition: str) -> Findings:
    """On the back channel compression, renegotiation by the client and early data are off."""
    yield from _options(back_probes, guideline.edition(tls_edition))


@check("NET.1c", then="the front channel has no option of TLS on that the guideline warns of")
def front_channel_options_are_off(front_probes: Exchanges, tls_edition: str) -> Findings:
    """On the front channel compression, renegotiation by the client and early data are off."""
    yield from _options(front_probes, guideline.edition(tls_edition))


@check("NET.1d", then="every endpoint of the gateway chooses the strongest that it is offered")
def strongest_is_chosen(probes: Exchanges, tls_edition: str) -> Findings:
    """Whatever the order of an offer, the server takes the newest of its versions in it, and a suite of the best of its levels."""
    edition = guideline.edition(tls_edition)
    for exchange in probes:
        for weaker in list(dict.fromkeys(_weaker_choices(_seen(exchange), edition)))[:_SHOWN]:
            yield Finding(expected="the strongest of what both know", observed=f"{_place(exchange)}: {weaker}", reading="AMB.31")


@check("NET.1b", then="the PGO offers the back channel nothing that the guideline calls less than good")
def client_offers_good_only(client_hellos: Exchanges, tls_edition: str, release: Release) -> Findings:
    """To gateways the PGO offers only versions and algorithms that the guideline calls good."""
    edition = guideline.edition(tls_edition)
    for exchange in client_hellos:
        parts = posture.of_client(_hello(exchange), edition)
        yield from _objections(parts, "back", release, edition, "the PGO offers")
        yield from _warnings(parts, "the PGO offers")


@check("NET.1d", then="the PGO offers the strongest first")
def client_offers_strongest_first(client_hellos: Exchanges, tls_edition: str) -> Findings:
    """The PGO offers its newest version first, and no suite before one of a better level."""
    edition = guideline.edition(tls_edition)
    for exchange in client_hellos:
        hello = _hello(exchange)
        if hello.offered[0] != max(hello.offered):
            first = tls.VERSIONS.get(hello.offered[0], f"0x{hello.offered[0]:04X}")
            yield Finding(expected="the newest version first", observed=f"{first} before {tls.VERSIONS[max(hello.offered)]}")
        ranked = posture.suites_by_strength(hello.suites, edition)
        for (weak, low), (strong, high) in pairwise(ranked):
            if low > high:
                name = guideline.registry().suite_name
                observed = f"{name(weak)} before {name(strong)}"
                yield Finding(expected="no suite before a stronger one", observed=observed, reading="AMB.31")


@check("NET.1a", then="the PGO neither offers SSL nor takes it")
def client_refuses_ssl(client_hellos: Exchanges, ssl_wanted: Exchanges) -> Findings:
    """The PGO offers no version of SSL, and breaks off when a server wants SSL 3.0."""
    for exchange in client_hellos:
        if offered := [tls.VERSIONS[v] for v in _hello(exchange).offered if v <= tls.SSL3]:
            yield Finding(expected="TLS alone", observed=f"the PGO offers {', '.join(offered)}")
    yield from _gone_on(ssl_wanted)


@check("NET.1b", then="the PGO breaks off when a gateway wants an old version of TLS")
def client_refuses_old_tls(old_tls_wanted: Exchanges) -> Findings:
    """The PGO breaks off when a server wants TLS 1.0 or 1.1."""
    yield from _gone_on(old_tls_wanted, reading="AMB.32")


# ------------------------------------------------------------------------------------------------------------------ judging


def _objections(
    parts: Iterable[Part],
    channel: str,
    release: Release,
    edition: guideline.Edition,
    who: str,
    *,
    shared: bool = False,
) -> Iterator[Finding]:
    """One finding for what is wrong in the same way, with the names of all that is."""
    allowed = release.tls_levels[channel]
    found: defaultdict[tuple[str, str, str, Outcome], list[str]] = defaultdict(list)
    for part in parts:
        if part.level not in allowed and part.kind != posture.OPTION:
            reading, outcome = _weight(part, channel, edition, shared=shared)
            found[part.kind, part.level, reading, outcome].append(part.name)
    for (kind, level, reading, outcome), names in found.items():
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield Finding(
            expected=f"on the {channel} channel only what {edition.name} calls {' or '.join(allowed)}",
            observed=f"{who} {', '.join(names[:_SHOWN])}{more}: {kind}, {_words(level)}",
            outcome=outcome,
            reading=reading,
        )


def _weight(part: Part, channel: str, edition: guideline.Edition, *, shared: bool) -> tuple[str, Outcome]:
    """The reading that an objection leans on, and how much it weighs."""
    if channel == "back" and part.kind == "version" and part.name in _OLD:
        return "AMB.32", Outcome.FAIL
    if part.kind == posture.KEY and part.name.startswith("RSA ") and int(part.name[4:]) in _RSA_WARNS:
        return "AMB.62", Outcome.WARNING
    if part.rating.unsure:
        return "AMB.66", Outcome.WARNING
    if edition.tolerates(part.name, part.level):
        return "AMB.31", Outcome.WARNING
    if shared and part.level == guideline.levels()[1]:
        return "AMB.59", Outcome.WARNING
    return "AMB.31" if part.rating.edition == edition.name else "AMB.62", Outcome.FAIL


def _options(probes: Exchanges, edition: guideline.Edition) -> Iterator[Finding]:
    for exchange in probes:
        seen = _seen(exchange)
        yield from _warnings(posture.of_server(seen, edition), f"{_place(exchange)} allows")


def _warnings(parts: Iterable[Part], who: str) -> Iterator[Finding]:
    worst = guideline.levels()[2:]
    for part in parts:
        if part.kind == posture.OPTION and part.level in worst:
            yield Finding(
                expected=f"{part.name} off",
                observed=f"{who} {part.name}: {_words(part.level)} by {part.rating.edition}",
                outcome=Outcome.WARNING,
                reading="AMB.31",
            )


def _weaker_choices(seen: Seen, edition: guideline.Edition) -> Iterator[str]:
    """Where the server took less than it could have: a version, or a suite."""
    names = guideline.registry()
    for offer, answer in seen.hellos:
        newest = max((v for v in offer.offered if v in seen.versions), default=answer.version)
        if len(offer.offered) > 1 and answer.version != newest:
            yield f"{tls.VERSIONS.get(answer.version or 0, 'a strange version')} where {tls.VERSIONS[newest or 0]} was offered"
            continue
        both = {suite for suite in offer.suites if suite in seen.suites(answer.version or 0)}
        ranked = dict(posture.suites_by_strength(both, edition))
        best = min(ranked, key=ranked.__getitem__, default=None)
        if best is not None and answer.suite is not None and ranked.get(answer.suite, 99) > ranked[best]:
            yield f"{names.suite_name(answer.suite)} where {names.suite_name(best)} was offered"


def _gone_on(wanted: Exchanges, reading: str = "") -> Iterator[Finding]:
    for exchange in wanted:
        facts = json.loads(exchange.response.body) if exchange.response else {}
        if facts.get("then") == "closed late":
            raise CannotJudgeError(f"{exchange.label}: the PGO gave up after a while, which says nothing")
        if facts.get("then") not in {"alert", "closed"}:
            observed = f"the PGO goes on in {facts.get('wanted')} ({facts.get('then')})"
            yield Finding(expected="the handshake broken off", observed=observed, reading=reading)


# ------------------------------------------------------------------------------------------------------------------ reading


def _seen(exchange: Exchange) -> Seen:
    return posture.seen_in(exchange)


def _hello(exchange: Exchange) -> ClientHello:
    """The ClientHello before an exchange. Raises ``CannotJudgeError`` when it is none."""
    try:
        return tls.read_client_hello(bytes.fromhex(exchange.tls.client_hello if exchange.tls else ""))
    except ValueError as error:
        raise CannotJudgeError(f"{exchange.label}: its ClientHello cannot be read ({error})") from error


def _refuse_silence(seen: Seen, version: int, exchange: Exchange) -> None:
    """Raise ``CannotJudgeError`` when an offer was not answered at all: that is no refusal."""
    answers = [a for (_, offer), a in zip(seen.offers, seen.answers, strict=True) if offer.offered == (version,)]
    if not answers or any(answer.kind == "silence" for answer in answers):
        raise CannotJudgeError(f"{exchange.label}: an offer of {tls.VERSIONS[version]} was neither taken nor refused")


def _place(exchange: Exchange) -> str:
    return exchange.request.url.removeprefix("https://")


def _words(level: str) -> str:
    return {"phase_out": "to be phased out"}.get(level, level)
