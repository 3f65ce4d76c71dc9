"""Legal, and unlike what the reference does otherwise: no check may object. The selftest switches compatible ones on together."""
# mypy: disable-error-code="method-assign, assignment"

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from medmij_conformance.evidence import Headers, Request, Response, header
from medmij_conformance.reference.dvza import (
    Client,
    Dvza,
    Flow,
    Grant,
    Offer,
)
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS, change_answers
from medmij_conformance.reference.dvza_deviations.exceptions import outcome_in_a_bundle
from medmij_conformance.reference.dvza_script_pages import pages_by_script
from medmij_conformance.wire.server import Peer


@DEVIATIONS()
def token_type_in_lower_case(gateway: Dvza) -> None:
    """The token type is written "bearer", which is the same."""
    gateway.token_type = "bearer"


@DEVIATIONS()
def redirect_by_302(gateway: Dvza) -> None:
    """The browser is sent back with 302."""
    gateway.redirect_status = 302


@DEVIATIONS()
def extra_members(gateway: Dvza) -> None:
    """The token response has members of its own."""
    conformant = gateway.token_members
    gateway.token_members = lambda token, grant: {**conformant(token, grant), "patient": "x", "id": [1, {"a": None}]}


@DEVIATIONS()
def scope_not_repeated(gateway: Dvza) -> None:
    """The token response leaves out the scope, which is the one that was asked for."""
    conformant = gateway.token_members
    gateway.token_members = lambda token, grant: {n: v for n, v in conformant(token, grant).items() if n != "scope"}


@DEVIATIONS()
def cookies_of_a_load_balancer(gateway: Dvza) -> None:
    """Every page sets a protected cookie of a load balancer too."""
    conformant = gateway.page_headers
    cookie = ("Set-Cookie", "lb=node-3; Path=/; Secure; HttpOnly")
    gateway.page_headers = lambda: (*conformant(), cookie)


@DEVIATIONS()
def header_names_in_upper_case(gateway: Dvza) -> None:
    """Header names are written in upper case."""
    change_answers(gateway, lambda answer: replace(answer, headers=tuple((n.upper(), v) for n, v in answer.headers)))


@DEVIATIONS()
def many_cache_directives(gateway: Dvza) -> None:
    """The token response says no-store among other directives."""
    headers = (("Content-Type", "application/json;charset=UTF-8"), ("Cache-Control", "private, no-cache, no-store, max-age=0"))
    gateway.token_headers = lambda: (*headers, ("Pragma", "no-cache"), ("Expires", "0"))


@DEVIATIONS()
def errors_with_explanations(gateway: Dvza) -> None:
    """Errors of the token endpoint carry a description and an address."""
    conformant = gateway.token_error

    def token_error(error: str, status: int = 400) -> Response:
        body = {"error": error, "error_description": "see there", "error_uri": "https://za.reference.test/errors"}
        return replace(conformant(error, status), body=json.dumps(body, indent=2).encode())

    gateway.token_error = token_error


@DEVIATIONS()
def challenge_with_realm(gateway: Dvza) -> None:
    """The challenge names a realm and a description."""
    challenge = 'Bearer realm="za", error="invalid_token", error_description="not known"'
    gateway.invalid_token = lambda: gateway.outcome(401, "suppressed", challenge)


@DEVIATIONS()
def fatal_outcome(gateway: Dvza) -> None:
    """Issues are fatal instead of errors."""
    gateway.severity = lambda: "fatal"


@DEVIATIONS()
def outcome_in_xml(gateway: Dvza) -> None:
    """An OperationOutcome comes in XML."""

    def outcome(status: int, code: str, challenge: str = "") -> Response:
        body = (
            '<?xml version="1.0"?><OperationOutcome xmlns="http://hl7.org/fhir"><text><status value="generated"/></text>'
            f'<issue><severity value="error"/><code value="{code}"/></issue></OperationOutcome>'
        )
        extra: Headers = (("WWW-Authenticate", challenge),) if challenge else ()
        headers = (("Content-Type", "application/fhir+xml; charset=utf-8"), *extra)
        return Response(status=status, headers=headers, body=body.encode())

    gateway.outcome = outcome


@DEVIATIONS()
def several_issues(gateway: Dvza) -> None:
    """An OperationOutcome has informational issues besides the one that counts."""
    conformant = gateway.outcome

    def outcome(status: int, code: str, challenge: str = "") -> Response:
        answer = conformant(status, code, challenge)
        data = json.loads(answer.body)
        data["issue"].insert(0, {"severity": "information", "code": "informational", "diagnostics": "<b>&"})
        return replace(answer, body=json.dumps(data).encode())

    gateway.outcome = outcome


@DEVIATIONS()
def forbidden_for_another_service(gateway: Dvza) -> None:
    """A token of another service or provider is refused with 403 and insufficient_scope."""
    conformant = gateway.resource

    def resource(request: Request, client: Client | None, offer: Offer, path: str) -> Response:
        grant = gateway.tokens.get(gateway.token_in(request) or "")
        if grant and not gateway.is_for(grant, offer):
            return gateway.outcome(403, "suppressed", 'Bearer error="insufficient_scope"')
        return conformant(request, client, offer, path)

    gateway.resource = resource


@DEVIATIONS()
def old_fhir_media_type(gateway: Dvza) -> None:
    """FHIR is called application/json+fhir, as it was before STU3."""
    conformant = gateway.deliver

    def deliver(request: Request, grant: Grant, path: str) -> Response:
        answer = conformant(request, grant, path)
        return replace(answer, headers=(("Content-Type", "application/json+fhir"),))

    gateway.deliver = deliver


@DEVIATIONS()
def extra_redirect_parameters(gateway: Dvza) -> None:
    """The redirect carries parameters of its own, before code and state."""
    conformant = gateway.send_back
    gateway.send_back = lambda flow, answer: conformant(flow, {"iss": "https://za.reference.test", "x": "1&2", **answer})


@DEVIATIONS()
def explicit_port(gateway: Dvza) -> None:
    """The redirect names port 443, which is the default anyway."""
    change_answers(
        gateway,
        lambda answer: replace(
            answer,
            headers=tuple(
                (n, v.replace("://pgo.harness.test/", "://pgo.harness.test:443/") if n.lower() == "location" else v)
                for n, v in answer.headers
            ),
        ),
    )


@DEVIATIONS()
def spaces_as_plus(gateway: Dvza) -> None:
    """Spaces in the redirect are written as +."""
    conformant = gateway.send_back

    def send_back(flow: Flow, answer: Mapping[str, str]) -> Response:
        response = conformant(flow, answer)
        headers = tuple((n, v.replace("%20", "+") if n == "Location" else v) for n, v in response.headers)
        return replace(response, headers=headers)

    gateway.send_back = send_back


@DEVIATIONS()
def described_exception_2(gateway: Dvza) -> None:
    """A cancelled login is reported with a description of its own."""
    answer = {"error": "unauthorized_client", "error_description": "The login was cancelled."}
    gateway.identity_not_established = lambda flow: gateway.send_back(flow, answer)


@DEVIATIONS()
def frame_options_alone(gateway: Dvza) -> None:
    """Framing is forbidden by X-Frame-Options alone."""
    kept = tuple(pair for pair in gateway.page_headers() if pair[0] != "Content-Security-Policy")
    gateway.page_headers = lambda: kept


@DEVIATIONS()
def frame_ancestors_alone(gateway: Dvza) -> None:
    """Framing is forbidden by the content security policy alone."""
    kept = tuple(pair for pair in gateway.page_headers() if pair[0] != "X-Frame-Options")
    gateway.page_headers = lambda: kept


@DEVIATIONS()
def login_in_two_pages(gateway: Dvza) -> None:
    """The login has two pages of the same kind."""
    conformant = gateway.login
    halfway: set[str] = set()

    def login(request: Request) -> Response:
        form = dict(parse_qsl(request.text))
        flow = gateway.flow_of(request, form)
        if flow and form.get("action") == "login" and flow.id not in halfway:
            halfway.add(flow.id)
            return gateway.login_page(flow)
        return conformant(request)

    gateway.login = login


@DEVIATIONS()
def consent_behind_a_form_that_sends_itself(gateway: Dvza) -> None:
    """Between login and consent stands a page with hidden fields that a script sends on."""
    consent_page, consent = gateway.consent_page, gateway.consent

    def interstitial(flow: Flow) -> Response:
        form = (
            f'<form method="post" action="/consent"><input type="hidden" name="flow" value="{flow.id}">'
            '<input type="hidden" name="show" value="1"></form><script>document.forms[0].submit()</script>'
        )
        return gateway.page("One moment", form)

    def show_or_decide(request: Request) -> Response:
        form = dict(parse_qsl(request.text))
        flow = gateway.flow_of(request, form)
        return consent_page(flow) if flow and form.get("show") and flow.stage == "consent" else consent(request)

    gateway.consent_page = interstitial
    gateway.consent = show_or_decide


@DEVIATIONS()
def consent_behind_a_refresh(gateway: Dvza) -> None:
    """Between login and consent stands a page that refreshes itself."""
    consent_page, front = gateway.consent_page, gateway.front
    waiting: dict[str, Flow] = {}

    def interstitial(flow: Flow) -> Response:
        waiting[flow.id] = flow
        body = f'<meta http-equiv="refresh" content="0; url=/continue?{flow.id}">'
        return gateway.page("One moment", body)

    def follow(request: Request, peer: Peer) -> Response:
        parts = urlsplit(request.url)
        flow = waiting.get(parts.query) if parts.path == "/continue" else None
        cookies = header(request.headers, "cookie") or ""
        return consent_page(flow) if flow and flow.cookie in cookies else front(request, peer)

    gateway.consent_page = interstitial
    gateway.front = follow


@DEVIATIONS()
def failure_beside_data(gateway: Dvza) -> None:
    """What a source does not deliver is told as a warning, in an entry of the Bundle with all that there is."""
    gateway.source_unreachable = lambda _: outcome_in_a_bundle("warning")


@DEVIATIONS()
def frame_options_twice(gateway: Dvza) -> None:
    """A proxy writes X-Frame-Options a second time, into the same header."""
    kept = tuple(pair for pair in gateway.page_headers() if pair[0] not in {"X-Frame-Options", "Content-Security-Policy"})
    gateway.page_headers = lambda: (*kept, ("X-Frame-Options", "DENY, deny"))


@DEVIATIONS()
def guessers_are_told_when_to_return(gateway: Dvza) -> None:
    """Who guessed too often is told that it may come again in three seconds, which does not help."""
    conformant = gateway.too_many

    def too_many() -> Response:
        answer = conformant()
        return replace(answer, headers=(*answer.headers, ("Retry-After", "3")))

    gateway.too_many = too_many


DEVIATIONS()(pages_by_script)

NEEDS_A_BROWSER = frozenset({"pages-by-script"})
"""Legal oddities that the engine html cannot see at all: with it no check may pass on them, and none may fail."""

ODDITIES_TOGETHER: Sequence[Sequence[str]] = (
    (
        "old-browsers-are-welcome",
        "token-type-in-lower-case",
        "redirect-by-302",
        "extra-members",
        "cookies-of-a-load-balancer",
        "many-cache-directives",
        "errors-with-explanations",
        "challenge-with-realm",
        "fatal-outcome",
        "extra-redirect-parameters",
        "spaces-as-plus",
        "frame-options-alone",
        "login-in-two-pages",
        "several-issues",
        "explicit-port",
        "masked-bsn",
    ),
    (
        "recommendation-set-aside",
        "scope-not-repeated",
        "header-names-in-upper-case",
        "outcome-in-xml",
        "forbidden-for-another-service",
        "old-fhir-media-type",
        "described-exception-2",
        "frame-ancestors-alone",
        "consent-behind-a-form-that-sends-itself",
        "authn-request-by-form",
        "way-back-by-address",
        "short-relay-state",
        "connections-to-digid-pooled",
    ),
    ("consent-behind-a-refresh", "failure-beside-data", "frame-options-twice", "guessers-are-told-when-to-return"),
)
"""Oddities that the selftest switches on together, so that all of them cost three runs."""
