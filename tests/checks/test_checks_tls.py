"""What the judges of TLS make of what was seen: levels, readings, and what cannot be judged."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from medmij_conformance import requirements
from medmij_conformance.checks import tls as checks
from medmij_conformance.evidence import Exchange, Request, Response, Tls, Trouble
from medmij_conformance.protocol import tls
from medmij_conformance.protocol.tls import ClientHello
from medmij_conformance.protocol.tls_seen import Answer, Seen
from medmij_conformance.verdict import Judgement, Outcome, judge

GCM, CBC, RSA, AES_128, TLS13 = 0xC02B, 0xC024, 0x002F, 0xC009, 0x1301
BACK = "https://za.test:8443"
REFUSALS = ((tls.SSL2, "closed"), (tls.SSL3, "alert"))


def hello(version: int = tls.TLS12, suite: int = GCM, *, offered: tuple[int, ...] = (), **more: Any) -> tuple[ClientHello, Answer]:
    """An offer that was answered by a ServerHello."""
    versions = (tls.TLS13,) if version == tls.TLS13 else ()
    facts = {"secure_renegotiation": True, **more}
    offer = ClientHello(version=version, versions=versions, suites=offered or (suite,))
    return offer, Answer(kind="hello", version=version, suite=suite, **facts)


def probe(*hellos: tuple[ClientHello, Answer], refusals: tuple[tuple[int, str], ...] = REFUSALS, **facts: Any) -> Exchange:
    """What a probe saw, as an exchange."""
    refused = [(ClientHello(version=version), Answer(kind=kind)) for version, kind in refusals]
    rows = [*refused, *hellos]
    seen = Seen(offers=[("a test", offer) for offer, _ in rows], answers=[answer for _, answer in rows], **facts)
    request = Request(method="PROBE", url=BACK, body=seen.offered())
    return Exchange(label="TLS", endpoint="tls", request=request, response=Response(status=0, body=seen.answered()), number=1)


def back(exchange: Exchange, edition: str = "ncsc-2014", shared: str = "") -> Judgement:
    """The judgement on the back channel."""
    facts: Mapping[str, Any] = {"tls_edition": edition, "shared_ports": shared, "release": requirements.release("1.0")}
    return judge(checks.back_channel_takes_good_only, {"back_probes": (exchange,), **facts})


def front(exchange: Exchange, edition: str = "ncsc-2014") -> Judgement:
    """The judgement on the front channel."""
    facts = {"tls_edition": edition, "release": requirements.release("1.0")}
    return judge(checks.front_channel_takes_sufficient_only, {"front_probes": (exchange,), **facts})


def told(judgement: Judgement) -> list[tuple[str, str]]:
    """Outcome and reading of each finding."""
    return [(finding.outcome.value, finding.reading) for finding in judgement.findings]


@pytest.mark.parametrize(
    ("hellos", "on_back", "on_front"),
    [
        ([hello(), hello(tls.TLS13, TLS13)], [], []),
        ([hello(suite=CBC)], [("fail", "AMB.31")], []),
        ([hello(suite=RSA)], [("fail", "AMB.31")], []),
        ([hello(tls.TLS11, AES_128)], [("fail", "AMB.32"), ("fail", "AMB.31")], []),
        ([hello(suite=0x0005)], [("fail", "AMB.31")], [("fail", "AMB.31")]),
        ([hello(group=0x15)], [("warning", "AMB.66")], []),
        ([hello(group=0x16)], [("warning", "AMB.66")], [("warning", "AMB.66")]),
        ([hello(group=0x13)], [("fail", "AMB.31")], [("fail", "AMB.31")]),
        ([hello(suite=0x9F, prime="2048")], [("warning", "AMB.66")], []),
        ([hello(suite=0x9F, prime="1024")], [("fail", "AMB.31")], [("fail", "AMB.31")]),
        ([hello(signature=0x0203)], [("fail", "AMB.31")], [("fail", "AMB.31")]),
        ([hello(signature=0x0203), hello(signature=0x0403)], [], []),
    ],
)
def test_levels(hellos: list[Any], on_back: list[tuple[str, str]], on_front: list[tuple[str, str]]) -> None:
    """What is less than good fails behind, what is less than sufficient in front; unsure levels only warn."""
    assert told(back(probe(*hellos))) == on_back
    assert told(front(probe(*hellos))) == on_front


@pytest.mark.parametrize(
    ("key", "hashed", "on_back"),
    [
        ("EC secp256r1", "SHA-256", []),
        ("RSA 4096", "SHA-256", []),
        ("RSA 2048", "SHA-256", [("warning", "AMB.62")]),
        ("RSA 1024", "SHA-256", [("fail", "AMB.31")]),
        ("EC secp256r1", "SHA-1", [("fail", "AMB.31")]),
        ("unreadable", "", [("fail", "AMB.31")]),
    ],
)
def test_certificates(key: str, hashed: str, on_back: list[tuple[str, str]]) -> None:
    """Key and hash of the certificate count; RSA from 2048 bits to below 3072 is a warning."""
    seen = probe(hello(chain=("aa",)), certificates={"aa": {"key": key, "hash": hashed}})
    assert told(back(seen)) == on_back


def test_the_hash_of_a_root_does_not_count() -> None:
    """Nobody leans on the signature of a root."""
    certificates = {
        "aa": {"key": "EC secp256r1", "hash": "SHA-256"},
        "bb": {"key": "RSA 2048", "hash": "SHA-1", "root": "self-signed"},
    }
    assert told(back(probe(hello(chain=("aa", "bb")), certificates=certificates))) == []


def test_a_shared_port() -> None:
    """Where one port serves both channels, what is sufficient for people is a warning behind (AMB.59)."""
    seen = probe(hello(suite=CBC))
    assert told(back(seen, shared=f"{BACK} https://other.test:443")) == [("warning", "AMB.59")]
    assert told(back(probe(hello(suite=0x0005)), shared=BACK)) == [("fail", "AMB.31")]


def test_editions() -> None:
    """The edition decides: where TLS 1.2 is only sufficient and cannot be done without, it is a warning."""
    seen = probe(hello(), hello(tls.TLS13, TLS13))
    assert told(back(seen, "ncsc-2019")) == []
    assert told(back(seen, "ncsc-2021")) == [("warning", "AMB.31")]
    assert {outcome for outcome, _ in told(back(seen, "ncsc-2025"))} == {"warning"}
    assert told(front(seen, "ncsc-2025")) == []
    assert told(front(probe(hello(suite=CBC)), "ncsc-2025")) == [("fail", "AMB.31")]


def test_what_a_later_edition_decides() -> None:
    """A part that the edition does not know is judged by the next, and the finding says so."""
    assert told(front(probe(hello(suite=0xC05C)))) == [("warning", "AMB.66")]  # ARIA, read at second hand
    assert told(front(probe(hello(suite=0xC0AE)))) == [("fail", "AMB.62")]  # CCM with a short tag


@pytest.mark.parametrize(
    ("facts", "more", "names"),
    [
        ({}, {}, []),
        ({"compression": 1}, {}, ["compression off"]),
        ({"secure_renegotiation": False}, {}, ["insecure renegotiation off"]),
        ({}, {"renegotiations": 11}, ["client renegotiation off"]),
        ({}, {"early_data": 16_384}, ["early data off"]),
        ({}, {"renegotiations": 0, "early_data": 0}, []),
    ],
)
def test_options(facts: dict[str, Any], more: dict[str, Any], names: list[str]) -> None:
    """Options only warn."""
    for check, name in ((checks.back_channel_options_are_off, "back"), (checks.front_channel_options_are_off, "front")):
        judged = judge(check, {f"{name}_probes": (probe(hello(**facts), **more),), "tls_edition": "ncsc-2014"})
        assert [finding.expected for finding in judged.findings] == names
        assert judged.outcome in {Outcome.PASS, Outcome.WARNING}


def test_options_by_edition() -> None:
    """Renegotiation by the client is sufficient since 2021, and in 2025 as long as it has bounds."""
    for edition, often, objects in (("ncsc-2021", 11, False), ("ncsc-2025", 10, False), ("ncsc-2025", 11, True)):
        seen = probe(hello(), renegotiations=often)
        judged = judge(checks.back_channel_options_are_off, {"back_probes": (seen,), "tls_edition": edition})
        assert bool(judged.findings) == objects


@pytest.mark.parametrize("version", [tls.SSL2, tls.SSL3])
def test_ssl(version: int) -> None:
    """SSL that is taken fails; SSL of which nothing was heard is no refusal."""
    taken = (ClientHello(version=version), Answer(kind="hello", version=version))
    others = tuple(pair for pair in REFUSALS if pair[0] != version)
    assert judge(checks.ssl_is_refused, {"probes": (probe(hello(), taken, refusals=others),)}).outcome is Outcome.FAIL
    silent = probe(hello(), refusals=(*others, (version, "silence")))
    assert judge(checks.ssl_is_refused, {"probes": (silent,)}).outcome is Outcome.NOT_TESTED
    assert judge(checks.ssl_is_refused, {"probes": (probe(hello(), refusals=others),)}).outcome is Outcome.NOT_TESTED
    assert judge(checks.ssl_is_refused, {"probes": (probe(hello()),)}).outcome is Outcome.PASS


def test_a_probe_that_went_wrong_judges_nothing() -> None:
    """Trouble is not tested, whatever was seen before it."""
    shut_out = replace(probe(hello(suite=RSA)), trouble=Trouble(kind="protocol", detail="shut out"))
    assert back(shut_out).outcome is Outcome.NOT_TESTED


@pytest.mark.parametrize(
    ("hellos", "expected"),
    [
        ([hello(suite=GCM, offered=(CBC, GCM)), hello(suite=CBC)], 0),
        ([hello(suite=CBC, offered=(CBC, GCM)), hello(suite=GCM)], 1),
        ([hello(suite=CBC, offered=(CBC, GCM))], 0),  # the other is not known to be taken
        ([hello(suite=CBC, offered=(CBC, 0xC028)), hello(suite=0xC028)], 0),
    ],
)
def test_the_strongest(hellos: list[Any], expected: int) -> None:
    """A weaker suite where both know a stronger one fails; among equals, and without a choice, nothing does."""
    judged = judge(checks.strongest_is_chosen, {"probes": (probe(*hellos),), "tls_edition": "ncsc-2014"})
    assert len(judged.findings) == expected


def test_the_newest_version() -> None:
    """Who takes TLS 1.3 must not choose 1.2 where both are offered."""
    offer = ClientHello(version=tls.TLS12, versions=(tls.TLS13, tls.TLS12), suites=(TLS13, GCM))
    older = (offer, Answer(kind="hello", version=tls.TLS12, suite=GCM, secure_renegotiation=True))
    for hellos, expected in (([older, hello(tls.TLS13, TLS13)], 1), ([older], 0)):
        judged = judge(checks.strongest_is_chosen, {"probes": (probe(*hellos),), "tls_edition": "ncsc-2014"})
        assert len(judged.findings) == expected


# --- the PGO as a client ---


def calls(**offer: Any) -> Exchange:
    """An exchange of a PGO that offered this."""
    facts: dict[str, Any] = {"version": tls.TLS12, "suites": (GCM,), "groups": (0x17,), "signatures": (0x0403,)}
    data = tls.client_hello(ClientHello(**{**facts, "secure_renegotiation": True, **offer}))
    said = Tls(version="TLSv1.2", client_hello=data.hex())
    return Exchange(
        label="a call", endpoint="token", request=Request(method="POST", url=BACK), tls=said, response=Response(status=200)
    )


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        ({}, []),
        ({"suites": (0x0A0A, GCM, 0x00FF, 0x5600)}, []),
        ({"versions": (0x1A1A, tls.TLS13, tls.TLS12)}, []),
        ({"versions": (tls.TLS13, tls.TLS12, tls.TLS11)}, [("fail", "AMB.32")]),
        ({"suites": (GCM, CBC)}, [("fail", "AMB.31")]),
        ({"groups": (0x17, 0x1D, 0x15)}, [("warning", "AMB.66")]),
        ({"signatures": (0x0403, 0x0203)}, []),
        ({"signatures": (0x0203,)}, [("fail", "AMB.31")]),
        ({"compressions": (1, 0)}, [("warning", "AMB.31")]),
        ({"secure_renegotiation": False}, [("warning", "AMB.31")]),
    ],
)
def test_what_a_client_offers(offer: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    """Each part of an offer has its level; signals and GREASE have none."""
    facts = {"tls_edition": "ncsc-2014", "release": requirements.release("1.0")}
    assert told(judge(checks.client_offers_good_only, {"client_hellos": (calls(**offer),), **facts})) == expected


@pytest.mark.parametrize(
    ("offer", "expected"),
    [
        ({"suites": (GCM, 0xC02C, CBC)}, 0),
        ({"suites": (CBC, GCM)}, 1),
        ({"suites": (0x0A0A, GCM, 0x00FF, 0xC02C)}, 0),
        ({"versions": (tls.TLS12, tls.TLS13)}, 1),
        ({"versions": (0x0A0A, tls.TLS13, tls.TLS12)}, 0),
    ],
)
def test_the_order_of_a_client(offer: dict[str, Any], expected: int) -> None:
    """The newest version first, and no suite before a stronger one."""
    judged = judge(checks.client_offers_strongest_first, {"client_hellos": (calls(**offer),), "tls_edition": "ncsc-2014"})
    assert len(judged.findings) == expected


@pytest.mark.parametrize(
    ("then", "outcome"),
    [("alert", "pass"), ("closed", "pass"), ("silence", "fail"), ("goes on", "fail"), ("closed late", "not_tested")],
)
def test_a_client_that_is_asked_for_an_old_version(then: str, outcome: str) -> None:
    """Breaking off is right; staying, even without a word, is not; giving up after a while says nothing."""
    facts = json.dumps({"wanted": "TLS1.0", "then": then}).encode()
    wish = Exchange(
        label="a wish", endpoint="tls", request=Request(method="CLIENTHELLO", url=BACK), response=Response(status=0, body=facts)
    )
    assert judge(checks.client_refuses_old_tls, {"old_tls_wanted": (wish,)}).outcome == outcome
    assert judge(checks.client_refuses_ssl, {"ssl_wanted": (wish,), "client_hellos": (calls(),)}).outcome == outcome


def test_a_client_that_offers_ssl() -> None:
    """SSL in an offer fails."""
    facts = json.dumps({"wanted": "SSL3", "then": "alert"}).encode()
    wish = Exchange(
        label="a wish", endpoint="tls", request=Request(method="CLIENTHELLO", url=BACK), response=Response(status=0, body=facts)
    )
    offer = calls(versions=(tls.TLS12, tls.SSL3))
    assert judge(checks.client_refuses_ssl, {"ssl_wanted": (wish,), "client_hellos": (offer,)}).outcome == "fail"
