"""What a refusal is and is not: a server in trouble refuses nothing, near misses get a hint, and half an escape is none."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from medmij_conformance.checks import authorization, clients, consent, exceptions, resource, token
from medmij_conformance.evidence import Exchange, Request, Response, Trouble
from medmij_conformance.requirements import release
from medmij_conformance.verdict import Check, Finding, Outcome, judge

HOST = "za.harness.test"
BACK = "https://pgo.harness.test/cb"
RELEASE = release("1.0")
PAGES = ("form#login", "form#consent")
ERROR = b"<!doctype html><title>Oops</title><h1>Oops</h1>"
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "suppressed"}]}


def answered(
    status: int,
    body: bytes = b"",
    kind: str = "text/html",
    endpoint: str = "page",
    headers: tuple[tuple[str, str], ...] = (),
    number: int = 1,
) -> Exchange:
    """An exchange with this answer."""
    request = Request(method="POST", url=f"https://{HOST}/consent")
    response = Response(status=status, headers=(("Content-Type", kind), *headers), body=body)
    return Exchange(label="a request", endpoint=endpoint, request=request, response=response, number=number)


def sent_back(query: str) -> Exchange:
    """The browser is sent back to the PGO."""
    return answered(303, headers=(("Location", f"{BACK}?{query}"),))


def json_of(status: int, data: Mapping[str, Any], endpoint: str = "token") -> Exchange:
    """An answer in JSON of one of the two endpoints of the back channel."""
    kind = "application/json" if endpoint == "token" else "application/fhir+json"
    return answered(status, json.dumps(data).encode(), kind, endpoint)


FACTS = {
    "redirect_uri": BACK,
    "known_pages": PAGES,
    "consent_pages": ("form#consent",),
    "release": RELEASE,
    "authorization_endpoint": f"https://{HOST}/authorize",
    "bad_uri": f"{BACK}/%2e%2e/x",
    "state": "s",
    "foreign_id": "Patient/9",
}


def outcome(check: Check, exchange: Exchange, **facts: Any) -> Outcome:
    """What a check makes of the one exchange that it looks at, under whatever name."""
    return judged(check, exchange, **facts)[0]


def judged(check: Check, exchange: Exchange, **facts: Any) -> tuple[Outcome, tuple[Finding, ...]]:
    every = {"visited", "visited_there"}
    seen = {name: (exchange,) if name in every else exchange for name in check.parameters if name not in FACTS}
    given = FACTS | seen | facts
    judgement = judge(check, {name: given[name] for name in check.parameters})
    return judgement.outcome, judgement.findings


@pytest.mark.parametrize(
    ("check", "endpoint"),
    [
        (consent.forged_consent_yields_no_code, "page"),
        (consent.consent_needs_a_login, "page"),
        (exceptions.ended_session_is_dead, "page"),
        (exceptions.ended_login_is_dead, "page"),
        (exceptions.consent_is_not_asked_for_nothing, "page"),
        (exceptions.answer_without_a_session_is_exception_5, "page"),
        (exceptions.answer_after_the_end_is_exception_5, "page"),
        (exceptions.answer_that_is_not_genuine_is_exception_5, "page"),
        (authorization.answer_goes_to_the_given_address, "page"),
        (authorization.foreign_state_is_returned_or_refused, "page"),
        (token.token_request_in_another_form_is_refused, "token"),
        (token.offer_of_another_uses_the_code_up, "token"),
        (resource.token_in_the_body_is_refused, "resource"),
        (resource.token_in_the_address_is_refused, "resource"),
        (resource.token_given_twice_is_refused, "resource"),
        (resource.other_scheme_is_refused, "resource"),
        (resource.data_of_another_person_is_withheld, "resource"),
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_a_server_in_trouble_refuses_nothing(check: Check, endpoint: str) -> None:
    """Status 500 is not tested where a refusal is looked for: neither a pass nor a fail."""
    assert outcome(check, answered(500, ERROR, endpoint=endpoint)) is Outcome.NOT_TESTED


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_load_shedding_says_nothing_about_certificates(status: int) -> None:
    """Where a handshake should end, an answer of a busy server does not tell whether it did."""
    assert outcome(clients.token_endpoint_demands_a_certificate, answered(status, endpoint="token")) is Outcome.NOT_TESTED
    assert outcome(clients.token_endpoint_demands_a_certificate, answered(500, endpoint="token")) is Outcome.FAIL


@pytest.mark.parametrize(
    ("status", "error", "expected", "hinted"),
    [
        (400, "invalid_grant", Outcome.PASS, False),
        (401, "invalid_grant", Outcome.FAIL, False),
        (401, "invalid_client", Outcome.FAIL, False),
        (400, "Invalid-Grant", Outcome.FAIL, True),
        (400, "invalid grant", Outcome.FAIL, True),
        (400, "grant_invalid", Outcome.FAIL, False),
        (200, "invalid_grant", Outcome.FAIL, False),
        (500, "invalid_grant", Outcome.FAIL, False),
    ],
)
def test_exception_6_to_the_letter(status: int, error: str, expected: Outcome, hinted: bool) -> None:
    """The status and the error are those of the table; 401 is for an invalid client; what is nearly right gets a hint."""
    found, findings = judged(token.unknown_code_is_refused, json_of(status, {"error": error}))
    assert found is expected
    assert any(finding.hint for finding in findings) is hinted


def test_an_invalid_client_may_be_unauthorized() -> None:
    """A client that is not the one of the code is refused by 400 or by 401."""
    for status in (400, 401):
        assert outcome(token.code_of_another_client_is_refused, json_of(status, {"error": "invalid_client"})) is Outcome.PASS


@pytest.mark.parametrize(
    ("check", "query", "hint"),
    [
        (exceptions.nothing_available_is_reported, "error=access_denied&error_description=No+such+resources", "near miss"),
        (exceptions.nothing_available_is_reported, "error=access-denied&error_description=No+such+resources.", "near miss"),
        (exceptions.refusal_is_reported, "error=access_denied&error_description=authorization+denied.", "near miss"),
        (exceptions.undeterminable_answer_is_reported, "error=access_denied&error_description=Authorization++failed.", "near miss"),
        (exceptions.failed_login_is_reported, "error=unauthorized+client", "near miss"),
        (exceptions.failed_login_is_reported, "error=access_denied", "in so many words"),
        (exceptions.refusal_is_reported, "error=access_denied&error_description=Authorization+failed.", ""),
    ],
)
def test_near_misses_of_a_redirect_fail_with_a_hint(check: Check, query: str, hint: str) -> None:
    """A description or an error that differs in case, spaces or punctuation only fails, and the report says what is near."""
    found, (finding,) = judged(check, sent_back(query))
    assert found is Outcome.FAIL
    assert hint in finding.hint
    assert bool(hint) is bool(finding.hint)


@pytest.mark.parametrize(
    ("code", "severity", "expected", "hinted"),
    [
        ("suppressed", "error", Outcome.PASS, False),
        ("Suppressed", "error", Outcome.FAIL, True),
        ("suppressed", "warning", Outcome.FAIL, True),
        ("security", "error", Outcome.WARNING, True),
        ("invalid", "error", Outcome.FAIL, False),
    ],
)
def test_near_misses_of_exception_7(code: str, severity: str, expected: Outcome, hinted: bool) -> None:
    """A relative of the code warns, a near miss fails, both with a hint; any other code fails without one."""
    data = {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}
    found, findings = judged(resource.unknown_token_is_refused, json_of(401, data, "resource"))
    assert found is expected
    assert any(finding.hint for finding in findings) is hinted


@pytest.mark.parametrize(
    ("severity", "expected"), [("warning", Outcome.PASS), ("error", Outcome.WARNING), ("information", Outcome.WARNING)]
)
def test_exception_8_in_an_entry_of_a_bundle(severity: str, expected: Outcome) -> None:
    """Beside data, what is missing is told as a warning (AMB.55); another severity there is the other reading."""
    told = {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": "incomplete"}]}
    entries = [{"resource": {"resourceType": "Patient", "id": "1"}}, {"resource": told, "search": {"mode": "outcome"}}]
    bundle = json_of(200, {"resourceType": "Bundle", "entry": entries}, "resource")
    found, findings = judged(resource.unreachable_source_is_reported, bundle)
    assert found is expected
    assert {finding.reading for finding in findings} <= {"AMB.55"}


@pytest.mark.parametrize(
    ("waited", "kind", "expected"),
    [
        (60.1, "timeout", Outcome.FAIL),
        (20.0, "timeout", Outcome.NOT_TESTED),
        (61.0, "reset", Outcome.NOT_TESTED),
        (61.0, "out-of-time", Outcome.NOT_TESTED),
    ],
)
def test_silence_is_no_exception_8(waited: float, kind: str, expected: Outcome) -> None:
    """A gateway that says nothing for a whole minute fails; what was cut short, by whomever, says nothing."""
    silent = replace(answered(200, endpoint="resource"), response=None, trouble=Trouble(kind=kind, detail="x"), finished=waited)
    assert outcome(resource.unreachable_source_is_reported, silent) is expected


@pytest.mark.parametrize(
    ("headers", "forbidden"),
    [
        ([("X-Frame-Options", "DENY")], True),
        ([("X-Frame-Options", "sameorigin, SAMEORIGIN")], True),
        ([("X-Frame-Options", "ALLOWALL")], False),
        ([("X-Frame-Options", "DENY, SAMEORIGIN")], False),
        ([("Content-Security-Policy", "default-src *; frame-ancestors 'self' https://portal.example.nl")], True),
        ([("Content-Security-Policy", "frame-ancestors https:")], False),
        ([("Content-Security-Policy", "frame-ancestors *"), ("X-Frame-Options", "DENY")], False),
        ([("Content-Security-Policy", "frame-ancestors https://*:443")], False),
        ([("Content-Security-Policy", "frame-ancestors https://*.example.nl")], True),
        ([("Content-Security-Policy", "frame-ancestors *, frame-ancestors 'none'")], True),
        ([("Content-Security-Policy", "default-src 'none'"), ("X-Frame-Options", "DENY")], True),
        ([("Content-Security-Policy-Report-Only", "frame-ancestors 'none'")], False),
        ([], False),
    ],
)
def test_framing(headers: list[tuple[str, str]], forbidden: bool) -> None:
    """A policy with frame-ancestors decides, as in browsers; sources that stand for any site forbid nothing."""
    found = outcome(consent.pages_cannot_be_framed, answered(200, ERROR, headers=tuple(headers)))
    assert found is (Outcome.PASS if forbidden else Outcome.FAIL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You allow <b>De  Wilg</b>.", Outcome.PASS),
        ("<h1>DE WILG</h1>asks", Outcome.PASS),
        ("&laquo;De Wilg&raquo;, Utrecht", Outcome.PASS),
        ("De Wilgenhof", Outcome.FAIL),
        ("De Wilg@medmij", Outcome.FAIL),
        ("De Wilg.example.nl", Outcome.FAIL),
        ("info@De Wilg", Outcome.FAIL),
        ("Your care provider", Outcome.FAIL),
    ],
)
def test_a_name_is_more_than_a_part_of_another(text: str, expected: Outcome) -> None:
    """A name stands on the page by itself; as a part of a longer word, an address or a host name it is another name."""
    page = answered(200, f"<form id=consent>{text}</form>".encode())
    assert outcome(consent.care_provider_is_named, page, provider_name="De Wilg") is expected


@pytest.mark.parametrize(
    ("body", "harmless"),
    [
        ("<p>&quot;&#39; data-marked=&quot;1&quot; x=&#39;&gt;&lt;s data-marked=&#39;1&#39;&gt;marked&lt;/s&gt;</p>", True),
        ("<p>&quot;' data-marked=&quot;1&quot; x='><s data-marked='1'>marked</s></p>", False),
        ("""<p title="x&quot;' data-marked=&quot;1&quot; x='&gt;&lt;s data-marked='1'&gt;marked">y</p>""", True),
        ("""<p title="x"' data-marked="1" x='&gt;&lt;s data-marked='1'&gt;marked">y</p>""", False),
        ("""<script>var s = "x"' data-marked="1" x='><s data-marked='1'>marked</s>"</script>""", False),
    ],
)
def test_markup_that_becomes_part_of_a_page(body: str, harmless: bool) -> None:
    """Half an escape is none: elements, attributes and scripts are seen, whichever character was forgotten."""
    markup = "\"' data-marked=\"1\" x='><s data-marked='1'>marked</s>"
    found = outcome(authorization.markup_in_a_request_is_harmless, answered(400, body.encode()), markup_sent=markup)
    assert found is (Outcome.PASS if harmless else Outcome.FAIL)


@pytest.mark.parametrize(
    ("given", "location", "expected"),
    [
        ("https://pgo.harness.test/cb/../x", "https://pgo.harness.test/x?code=1", Outcome.PASS),
        ("https://pgo.harness.test/cb/%2e%2e/x", "https://pgo.harness.test/cb/%2e%2e/x?code=1", Outcome.PASS),
        ("https://pgo.harness.test:8443/cb", "https://pgo.harness.test:8443/cb?error=access_denied", Outcome.PASS),
        ("https://pgo.harness.test:8443/cb", "https://pgo.harness.test/cb?code=1", Outcome.FAIL),
        ("https://pgo.harness.test//evil.test/cb", "https://evil.test/cb?code=1", Outcome.FAIL),
        ("https://pgo.harness.test//evil.test/cb", "https://pgo.harness.test//evil.test/cb?code=1", Outcome.PASS),
    ],
)
def test_odd_addresses_are_followed_to_the_letter(given: str, location: str, expected: Outcome) -> None:
    """An answer goes where the redirect URI points, written as it was or normalised, and to no other address."""
    sent = answered(303, headers=(("Location", location),))
    assert outcome(authorization.answer_goes_to_the_given_address, sent, bad_uri=given) is expected


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (sent_back("code=1&state=s%C3%AB"), Outcome.PASS),
        (sent_back("code=1&state=s%3F"), Outcome.FAIL),
        (sent_back("code=1"), Outcome.FAIL),
        (sent_back("error=invalid_request"), Outcome.PASS),
        (answered(400, ERROR), Outcome.PASS),
        (answered(200, b"<form id=login></form>"), Outcome.NOT_TESTED),
    ],
)
def test_states_of_other_alphabets(exchange: Exchange, expected: Outcome) -> None:
    """Such a state comes back as it was, or the request is refused; a flow that stops half-way shows nothing."""
    assert outcome(authorization.foreign_state_is_returned_or_refused, exchange, state="s\u00eb") is expected


@pytest.mark.parametrize(
    ("exchange", "expected"),
    [
        (answered(400, ERROR), Outcome.PASS),
        (sent_back("error=access_denied&error_description=Authorization+failed."), Outcome.PASS),
        (sent_back("error=access_denied&error_description=Authorization+denied."), Outcome.WARNING),
        (sent_back("error=server_error"), Outcome.FAIL),
        (sent_back("code=1"), Outcome.FAIL),
    ],
)
def test_answers_after_the_end(exchange: Exchange, expected: Outcome) -> None:
    """A page and exception 5 are right, the refusal told again is a warning, and anything else fails."""
    assert outcome(exceptions.answer_after_the_end_is_exception_5, exchange) is expected
