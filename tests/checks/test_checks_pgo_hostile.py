"""Whatever a PGO gateway sends is judged: no check trips over it, and neither does the ZA gateway that is played."""

from dataclasses import dataclass
from random import Random
from typing import Any
from urllib.parse import quote

import pytest

from medmij_conformance.checks import pgo_authorization, pgo_back_channel, pgo_dossier, pgo_outcomes
from medmij_conformance.counterparties.za import Flow, Words, Za
from medmij_conformance.evidence import Exchange, Headers, Request, Response, Tls
from medmij_conformance.requirements import release
from medmij_conformance.verdict import Check, Outcome, judge

RELEASE = release()
ZA = "https://za.test/authorize"
TOKEN, FHIR = "https://za.test:8444/token", "https://za.test:8444/fhir"
JSON: Headers = (("Content-Type", "application/json"),)
ODD = (
    "https://[",
    "https://[::1",
    "https://pgo.test:port/cb",
    "https://pgo.test\r\nSet-Cookie: x=y",
    "//",
    "javascript:alert(1)",
    "\x00",
    "%",
    "https://pgo.test@evil.test/",
    "é" * 2000,
    "http://pgo.test/cb",
    "",
)
URLS = (
    *(f"{ZA}?redirect_uri={quote(odd)}&state={quote(odd)}&client_id={quote(odd)}&scope={quote(odd)}" for odd in ODD),
    "https://[",
    "https://za.test[/authorize?state=1",
    f"{ZA}?{'&' * 3000}",
)
BODIES = (
    b"",
    b"\xff\xfe",
    b"[" * 5000,
    b"null",
    b'{"resourceType": [], "entry": {}, "link": 7}',
    b'{"entry": [1, null, {"resource": 3}], "link": [{"relation": "next", "url": 5}]}',
    b'[{"content": 5, "obtained": [], "event": "consent", "time": {}}, 3]',
    b'{"issue": "x", "resourceType": "OperationOutcome"}',
)

MESSAGES = [*((url, BODIES[0]) for url in URLS), *((URLS[0], body) for body in BODIES[1:])]


@dataclass(frozen=True)
class Offer:
    zorgaanbieder: str = "kliniek@medmij"
    gegevensdienst: str = "1"
    authorization_endpoint: str = ZA
    token_endpoint: str = TOKEN
    resource_endpoint: str = FHIR


def facts(exchange: Exchange) -> dict[str, Any]:
    """Every fact that a check of a PGO may ask for, all of them from one exchange."""
    several = (exchange,)
    single = ("authorization_request", "token_request", "last_page", "restart_page", "dossier", "log", "earlier_log")
    many = ("authorization_requests", "resource_requests", "between", "browsed", "traffic", "watched", "asked_as_za", "choices")
    return {
        **dict.fromkeys(single, exchange),
        **dict.fromkeys(many, several),
        "both_pages": several,
        "both_between": several,
        "both_bases": (f"1 {TOKEN} {FHIR}",),
        "exception_pages": (exchange, exchange),
        "exception_names": ("2", "3"),
        "delivery_pages": (exchange, exchange),
        "delivery_names": ("6", "7"),
        "own_addresses": (ZA,),
        "strange_codes": ("a-code",),
        "chosen": ("kliniek@medmij", "1"),
        "bsns": ("999990019",),
        "wanted_scopes": ("1",),
        "outcome_texts": ("collected=css:.collected", "failed=Failed"),
        "zal_authorization_endpoint": f"{ZA}?tenant=7",
        "zal_token_endpoint": TOKEN,
        "zal_resource_endpoint": FHIR,
        "gateway_hostname": "pgo.test",
        "gateway_redirect_uri": "https://pgo.test/cb",
        "issued_code": "a-code",
        "issued_token": "a-token",
        "marker": "abc",
        "markup_sent": "<script>abc</script>",
        "begun_at": "2026-01-01T00:00:00",
        "release": RELEASE,
    }


MODULES = (pgo_authorization, pgo_back_channel, pgo_outcomes, pgo_dossier)
CHECKS = [check for module in MODULES for check in vars(module).values() if isinstance(check, Check)]
WANTED = set(facts(Exchange(label="x", endpoint="page", request=Request(method="GET", url=ZA))))


@pytest.mark.parametrize("endpoint", ["authorization", "token", "resource", "other", "page", "callback"])
def test_no_check_trips_over_what_a_pgo_sends(endpoint: str) -> None:
    """A check finds something, or nothing, or cannot judge; that it went wrong itself is out of the question."""
    judged = 0
    for number, (url, body) in enumerate(MESSAGES):
        request = Request(method="POST", url=url, headers=(("Authorization", "Bearer"), ("Content-Type", "")), body=body)
        answer = Response(status=200, headers=(*JSON, ("Set-Cookie", "=;;"), ("Location", url)), body=body)
        tls = Tls(version="TLSv1.2", cipher="x", certificate_presented=True, peer_names=("x",), peer_errors=("0:20",))
        seen = Exchange(label="x", endpoint=endpoint, request=request, response=answer, tls=tls, number=number, flow=1)
        given = facts(seen)
        for check in CHECKS:
            if set(check.parameters) <= WANTED:
                found = judge(check, {name: given[name] for name in check.parameters})
                assert found.outcome is not Outcome.ERROR, f"{url!r} {body!r}: {found.reason}"
                judged += 1
    assert judged > 1000


@pytest.mark.parametrize(("url", "body"), MESSAGES)
def test_the_played_gateway_answers_everything(url: str, body: bytes) -> None:
    """Whatever comes, wherever it comes: an answer, with header values that can be sent."""
    words = Words(exceptions=RELEASE.exceptions, token_type=RELEASE.token_type, token_lifetime_s=RELEASE.token.lifetime_s)
    za = Za([Offer()], words, Random(1), lambda: 0.0, "https://za.test/elsewhere")
    za.expect(Flow(number=1, scenario="a", offer=Offer()))
    for place in (url, url.replace(ZA, TOKEN), url.replace(ZA, f"{FHIR}/Patient")):
        for method in ("GET", "POST", "BREW"):
            reply = za.answer(Request(method=method, url=place, headers=(("Authorization", "\xff"),), body=body))
            assert reply.response.status >= 200
            assert all(value.isprintable() for _, value in reply.response.headers)
