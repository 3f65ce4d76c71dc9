"""The gateway's own certificates: whole chains pass, and each thing that is wrong with one is named."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from medmij_conformance import pki
from medmij_conformance.checks import own_certificate as own
from medmij_conformance.evidence import Observation
from medmij_conformance.verdict import Check, Judgement, Outcome, judge

HOST = "za.example.test"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authorities() -> pki.Hierarchy:
    return pki.hierarchy()


def texts(certificates: Sequence[x509.Certificate]) -> list[str]:
    return [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in certificates]


def judged(
    check: Check,
    certificates: Sequence[x509.Certificate],
    trusted: pki.Authority,
    *,
    used_as: str = "server",
    at_work: bool = True,
) -> Judgement:
    facts = {"place": "back", "host": HOST, "used_as": used_as, "at": NOW.isoformat()}
    chain = Observation("chain", {**facts, "certificates": texts(certificates), "authorities": texts([trusted.certificate])})
    return judge(check, {"chains": (chain,), "at_work": at_work})


def whole(credential: pki.Credential) -> list[x509.Certificate]:
    return [credential.certificate, *credential.chain]


def test_a_whole_chain_passes(authorities: pki.Hierarchy) -> None:
    """With or without its root, and with an intermediate authority trusted."""
    chain = whole(authorities.tsp.issue(HOST))
    for sent in (chain, [*chain, authorities.root.certificate]):
        assert judged(own.chain_leads_to_the_authority, sent, authorities.root).outcome is Outcome.PASS
    assert judged(own.chain_leads_to_the_authority, chain, authorities.domain).outcome is Outcome.PASS


def test_a_gateway_that_does_nothing_passes_nothing(authorities: pki.Hierarchy) -> None:
    """A good chain of something that was not seen at work is not judged; a bad one fails all the same."""
    good, bad = authorities.tsp.issue(HOST), pki.hierarchy("OTHER").tsp.issue(HOST)
    for credential, outcome in ((good, Outcome.NOT_TESTED), (bad, Outcome.FAIL)):
        seen = judged(own.chain_leads_to_the_authority, whole(credential), authorities.root, at_work=False)
        assert seen.outcome is outcome


def test_what_is_wrong_with_a_chain_is_told(authorities: pki.Hierarchy) -> None:
    """Missing, in another order, of somebody else, expired, too deep, and none at all."""
    good = authorities.tsp.issue(HOST)
    leaf, tsp, domain = whole(good)
    deep = pki.hierarchy(path_length=0).tsp.intermediate("TEST Sub CA")
    old = authorities.domain.intermediate("TEST Old CA", not_after=NOW - DAY).issue(HOST)
    wrong = [
        ([leaf], "whose issuer is none"),
        ([leaf, domain, tsp], "was not issued by what follows it"),
        (whole(pki.hierarchy("OTHER").tsp.issue(HOST)), "whose issuer is none"),
        (whole(old), "is valid from"),
        (whole(deep.issue(HOST)), "more authorities below it"),
        (whole(authorities.tsp.issue(HOST, not_after=NOW - DAY)), "is valid from"),
    ]
    for sent, words in wrong:
        seen = judged(own.chain_leads_to_the_authority, sent, authorities.root)
        assert seen.outcome is Outcome.FAIL
        assert any(words in finding.observed for finding in seen.findings), words
    assert judged(own.chain_leads_to_the_authority, [], authorities.root).outcome is Outcome.NOT_TESTED


@pytest.mark.parametrize(
    ("names", "outcome"),
    [
        ((HOST,), Outcome.PASS),
        (("other.test", HOST.upper()), Outcome.PASS),
        (("*.example.test",), Outcome.FAIL),
        ((HOST, "*.example.test"), Outcome.FAIL),
        ((), Outcome.FAIL),
    ],
)
def test_names(authorities: pki.Hierarchy, names: tuple[str, ...], outcome: Outcome) -> None:
    """The name of the host stands among the dNSNames, and no wildcard does."""
    chain = whole(authorities.tsp.issue(HOST, names=names))
    assert judged(own.certificate_bears_the_host_name, chain, authorities.root).outcome is outcome


def test_uses(authorities: pki.Hierarchy) -> None:
    """What it is used for has to be allowed; the other direction is a warning."""
    for usages, as_server, as_client in (
        (pki.SERVER_AND_CLIENT, Outcome.PASS, Outcome.PASS),
        ((), Outcome.PASS, Outcome.PASS),
        (pki.SERVER_AND_CLIENT[:1], Outcome.WARNING, Outcome.FAIL),
    ):
        chain = whole(authorities.tsp.issue(HOST, usages=usages))
        for used_as, outcome in (("server", as_server), ("client", as_client)):
            assert judged(own.certificate_serves_both_ways, chain, authorities.root, used_as=used_as).outcome is outcome


def test_the_profile_is_a_hint(authorities: pki.Hierarchy) -> None:
    """A certificate after the profile passes; one without its parts is a warning that names them."""
    good = whole(authorities.tsp.issue(HOST, key="rsa3072"))
    assert judged(own.certificate_follows_the_profile, good, authorities.root).outcome is Outcome.PASS
    bare = whole(authorities.tsp.issue(HOST, key="rsa2048", policies=(), ocsp_url="", crl_url="", oin="12345678901234567890"))
    seen = judged(own.certificate_follows_the_profile, bare, authorities.root)
    assert seen.outcome is Outcome.WARNING
    for words in ("OCSP responder", "revocation list", "no policy", "no OIN", "2048 bits"):
        assert words in seen.findings[0].observed


@pytest.mark.parametrize(("days", "outcome"), [(365, Outcome.PASS), (367, Outcome.FAIL)])
def test_age(authorities: pki.Hierarchy, days: int, outcome: Outcome) -> None:
    """A certificate may be 366 days old."""
    chain = whole(authorities.tsp.issue(HOST, not_before=NOW - days * DAY, not_after=NOW + DAY))
    assert judged(own.key_material_is_of_this_year, chain, authorities.root).outcome is outcome
