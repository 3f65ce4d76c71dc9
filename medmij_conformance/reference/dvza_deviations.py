"""The ways in which ``reference:dvza`` can be wrong, one rule at a time.

Each replaces one method or attribute of a conformant ``Dvza``. The arguments of the decorator are the checks that must find it,
and no others may; the docstring ends with the requirements that are broken. ``warns`` stands for a missed recommendation or the
other reading of an ambiguous passage.
"""
# mypy: disable-error-code="method-assign, assignment"

import base64
import contextlib
import html
import json
import secrets
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from medmij_conformance.evidence import Headers, Request, Response, header
from medmij_conformance.reference.deviation import Deviations
from medmij_conformance.reference.dvza import (
    FHIR_HEADERS,
    SERVICE_NAMES,
    TOKEN_HEADERS,
    Client,
    Dvza,
    Flow,
    Form,
    Grant,
    Offer,
    Person,
)
from medmij_conformance.wire.server import Peer

DEVIATIONS = Deviations()
ELSEWHERE = "elsewhere.reference.test"  # the same listener under a second name


# ---------------------------------------------------------------------------------------------- authorization requests


@DEVIATIONS("login_comes_first")
def consent_before_login(gateway: Dvza) -> None:
    """The consent question comes first and the login afterwards (APP.3)."""
    consented: set[str] = set()
    consent, after_login = gateway.consent, gateway.after_login

    def consent_first(request: Request) -> Response:
        flow = gateway.flow_of(request, dict(parse_qsl(request.text)))
        if flow is None or flow.stage != "login" or dict(parse_qsl(request.text)).get("decision") != "grant":
            return consent(request)
        consented.add(flow.id)
        return gateway.login_page(flow)

    def login_second(flow: Flow, person: Person | None) -> Response:
        return gateway.granted(flow, person) if person and flow.id in consented else after_login(flow, person)

    cookie = gateway.session_cookie
    gateway.after_authorization_request = lambda flow: replace(
        page := gateway.consent_page(flow), headers=(*page.headers, ("Set-Cookie", cookie(flow)))
    )
    gateway.consent = consent_first
    gateway.after_login = login_second


@DEVIATIONS("consent_needs_a_login")
def consent_by_address(gateway: Dvza) -> None:
    """Whoever opens the address of the consent question sees it, without a login (P&I.9)."""
    conformant = gateway.login

    def login(request: Request) -> Response:
        flow = next((flow for flow in gateway.flows.values() if flow.stage == "consent"), None)
        return gateway.consent_page(flow) if request.method == "GET" and flow else conformant(request)

    gateway.login = login


@DEVIATIONS("unknown_client_is_refused")
def any_client(gateway: Dvza) -> None:
    """Whoever names itself as client is served (UCI-V.exc.1)."""
    conformant = gateway.check_request

    def check(parameters: Form, offer: Offer) -> None:
        given = dict(parameters)
        if given.get("client_id") and given["client_id"] not in gateway.clients:
            parameters = [(n, "pgo.harness.test" if n == "client_id" else v) for n, v in parameters]
        conformant(parameters, offer)

    gateway.check_request = check


@DEVIATIONS("unsafe_redirect_uri_is_not_followed")
def unsafe_redirect_uri(gateway: Dvza) -> None:
    """A redirect URI with http is accepted (APP.15b)."""
    conformant = gateway.check_redirect_uri
    gateway.check_redirect_uri = lambda uri, client: conformant(uri.replace("http://", "https://", 1), client)


@DEVIATIONS("unsafe_redirect_uri_is_not_followed")
def redirect_uri_with_fragment(gateway: Dvza) -> None:
    """A redirect URI with a fragment is accepted (APP.15b)."""
    conformant = gateway.check_redirect_uri
    gateway.check_redirect_uri = lambda uri, client: conformant(uri.partition("#")[0], client)


@DEVIATIONS("unsafe_redirect_uri_is_not_followed")
def error_redirect_to_unsafe_uri(gateway: Dvza) -> None:
    """An unsafe redirect URI is refused by an error redirect to that very address (APP.15b)."""
    conformant = gateway.authorize

    def authorize(request: Request, offer: Offer) -> Response:
        answer = conformant(request, offer)
        given = dict(parse_qsl(urlsplit(request.url).query))
        unsafe = given.get("redirect_uri", "")
        if answer.status == 400 and unsafe and not unsafe.startswith("https://"):
            return Response(status=302, headers=(("Location", f"{unsafe}?error=invalid_request"),))
        return answer

    gateway.authorize = authorize


@DEVIATIONS("redirect_uri_of_another_host_is_refused")
def any_redirect_host(gateway: Dvza) -> None:
    """Any https address will do as redirect URI (RFC6749.3.1.2.2)."""
    gateway.check_redirect_host = lambda *_: None


@DEVIATIONS("redirect_uri_of_another_host_is_refused")
def redirect_host_by_prefix(gateway: Dvza) -> None:
    """The host of a redirect URI only has to start with the client's (RFC6749.3.1.2.2)."""
    conformant = gateway.check_redirect_host

    def check(hostname: str, port: int | None, client: Client | None) -> None:
        alike = client is not None and hostname.startswith(client.hostname)
        conformant(client.hostname if alike and client else hostname, port, client)

    gateway.check_redirect_host = check


@DEVIATIONS("missing_redirect_uri_is_refused")
def registered_redirect_uri(gateway: Dvza) -> None:
    """Without a redirect URI a registered one is used (UCI-V.exc.1)."""
    conformant = gateway.authorize

    def authorize(request: Request, offer: Offer) -> Response:
        given = parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
        if "redirect_uri" not in dict(given) and dict(given).get("client_id"):
            given.append(("redirect_uri", f"https://{dict(given)['client_id']}/cb"))
        address = request.url.partition("?")[0]
        return conformant(replace(request, url=f"{address}?{urlencode(given)}"), offer)

    gateway.authorize = authorize


@DEVIATIONS("other_response_type_is_refused")
def any_response_type(gateway: Dvza) -> None:
    """Whatever the response type, the flow is that of a code (RFC6749.3.1.1, APP.6)."""
    gateway.check_response_type = lambda _: None


@DEVIATIONS("other_scope_is_refused")
def any_scope(gateway: Dvza) -> None:
    """Any scope is taken for the data service of the address (APP.9)."""
    gateway.check_scope = lambda *_: None
    gateway.service_name = lambda flow: SERVICE_NAMES[flow.offer.gegevensdienst]


@DEVIATIONS("other_scope_is_refused")
def several_scopes(gateway: Dvza) -> None:
    """A scope of several data services is accepted if the right one is among them (APP.9)."""
    conformant = gateway.check_scope

    def check(scope: str | None, offer: Offer) -> None:
        conformant(offer.gegevensdienst if offer.gegevensdienst in (scope or "").split() else scope, offer)

    gateway.check_scope = check
    gateway.service_name = lambda flow: SERVICE_NAMES[flow.offer.gegevensdienst]


@DEVIATIONS("repeated_parameter_is_refused")
def last_value_wins(gateway: Dvza) -> None:
    """Of a repeated parameter the last value counts (RFC6749.3.1b)."""
    gateway.refuse_repeated = lambda _: None


@DEVIATIONS("unknown_parameters_are_ignored")
def unknown_parameter_refused(gateway: Dvza) -> None:
    """A request with an unknown parameter is refused (RFC6749.3.1a)."""
    conformant = gateway.check_request
    known = {"response_type", "client_id", "redirect_uri", "scope", "state"}

    def check(parameters: Form, offer: Offer) -> None:
        conformant(parameters, offer)
        gateway.check_state("" if {name for name, _ in parameters} - known else "all known")

    gateway.check_request = check


@DEVIATIONS("query_of_the_redirect_uri_is_kept")
def redirect_query_dropped(gateway: Dvza) -> None:
    """The query of a redirect URI is lost when code and state are added (RFC6749.3.1.2)."""
    conformant = gateway.send_back

    def send_back(flow: Flow, answer: Mapping[str, str]) -> Response:
        flow.redirect_uri = flow.redirect_uri.partition("?")[0]
        return conformant(flow, answer)

    gateway.send_back = send_back


@DEVIATIONS("state_is_returned_with_the_code", "state_is_returned_with_an_error", "sessions_do_not_mix")
def state_lower_case(gateway: Dvza) -> None:
    """The state comes back in lower case (UCI-V.step.10, RFC6819.4.4.1.8b)."""
    gateway.state_of = lambda flow: {"state": (flow.state or "").lower()}


@DEVIATIONS(warns=["missing_state_is_refused"])
def no_state_needed(gateway: Dvza) -> None:
    """A request without a state is served (UCI-V.exc.1)."""
    gateway.check_state = lambda _: None


@DEVIATIONS("state_is_returned_with_the_code")
def state_cut_off(gateway: Dvza) -> None:
    """A state of more than a hundred characters is cut off (UCI-V.step.10)."""
    gateway.state_of = lambda flow: {"state": (flow.state or "")[:100]}


@DEVIATIONS("state_is_returned_with_an_error")
def no_state_in_errors(gateway: Dvza) -> None:
    """Error responses carry no state (RFC6749.4.1.2.1a, RFC6819.4.4.1.8b)."""
    conformant = gateway.send_back

    def send_back(flow: Flow, answer: Mapping[str, str]) -> Response:
        if "error" in answer:
            flow.state = None
        return conformant(flow, answer)

    gateway.send_back = send_back


@DEVIATIONS("redirect_status_is_right")
def redirect_by_307(gateway: Dvza) -> None:
    """The browser is sent back with 307, so that it posts the consent form to the PGO (UCI-V.step.10)."""
    gateway.redirect_status = 307


@DEVIATIONS(warns=["redirect_status_is_right"])
def redirect_by_301(gateway: Dvza) -> None:
    """The browser is sent back with 301, which it may remember (UCI-V.step.10)."""
    gateway.redirect_status = 301


@DEVIATIONS("code_is_issued")
def code_twice_in_redirect(gateway: Dvza) -> None:
    """The code stands twice in the redirect (UCI-V.step.10)."""
    conformant = gateway.send_back

    def send_back(flow: Flow, answer: Mapping[str, str]) -> Response:
        response = conformant(flow, answer)
        if "code" not in answer:
            return response
        headers = tuple(
            (name, f"{value}&code={answer['code']}" if name == "Location" else value) for name, value in response.headers
        )
        return replace(response, headers=headers)

    gateway.send_back = send_back


@DEVIATIONS("sessions_do_not_mix")
def one_session_per_browser(gateway: Dvza) -> None:
    """The second tab of a browser overwrites the state of the first (UCI-V.step.3)."""
    conformant = gateway.state_of
    begin = gateway.begin
    latest: dict[str, str] = {}

    def begin_and_remember(offer: Offer, given: Mapping[str, str]) -> Flow:
        flow = begin(offer, given)
        latest[flow.client_id] = flow.state or ""
        return flow

    def state_of(flow: Flow) -> dict[str, str]:
        return {**conformant(flow), "state": latest[flow.client_id]}

    gateway.begin = begin_and_remember
    gateway.state_of = state_of


@DEVIATIONS("cookies_hold_no_credentials")
def code_in_cookie(gateway: Dvza) -> None:
    """The code is put into a cookie too (RFC6750.5.3d)."""
    conformant = gateway.send_back

    def send_back(flow: Flow, answer: Mapping[str, str]) -> Response:
        response = conformant(flow, answer)
        cookie = ("Set-Cookie", f"last={answer.get('code', '')}; Path=/; Secure; HttpOnly")
        return replace(response, headers=(*response.headers, cookie))

    gateway.send_back = send_back


@DEVIATIONS("session_cookies_are_protected")
def cookie_without_secure(gateway: Dvza) -> None:
    """The session cookie lacks Secure (UCI-V.step.3)."""
    conformant = gateway.session_cookie
    gateway.session_cookie = lambda flow: conformant(flow).replace(" Secure;", "")


@DEVIATIONS("login_is_asked_again", "consent_is_asked_again")
def login_remembered(gateway: Dvza) -> None:
    """Who has collected once gets the next code without login and without consent (REL.2, P&I.8)."""
    after_login, authorize = gateway.granted, gateway.authorize
    known: dict[str, Person] = {}

    def granted(flow: Flow, person: Person) -> Response:
        answer = after_login(flow, person)
        cookie = secrets.token_urlsafe(24)
        known[cookie] = person
        stay = ("Set-Cookie", f"__Host-known={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax")
        return replace(answer, headers=(*answer.headers, stay))

    def remembering(request: Request, offer: Offer) -> Response:
        answer = authorize(request, offer)
        cookies = next((value for name, value in request.headers if name.lower() == "cookie"), "")
        person = next((known[c] for c in known if f"__Host-known={c}" in cookies), None)
        if person is None or answer.status != 200:
            return answer
        flow = list(gateway.flows.values())[-1]
        flow.person = person
        return granted(flow, person)

    gateway.granted = granted
    gateway.authorize = remembering


# ------------------------------------------------------------------------------------------------------------- consent


@DEVIATIONS("care_provider_is_named")
def provider_not_named(gateway: Dvza) -> None:
    """The consent question says "your care provider" instead of its name (TV.2)."""
    gateway.provider_name = lambda _: "your care provider"


@DEVIATIONS("data_service_is_named")
def service_not_named(gateway: Dvza) -> None:
    """The consent question always says "medical data" (TV.3, UCI-V.cons.2)."""
    gateway.service_name = lambda _: "medical data"


@DEVIATIONS("pgo_supplier_is_named", warns=["markup_in_a_name_is_harmless"])
def pgo_by_host_name(gateway: Dvza) -> None:
    """The consent question shows the PGO's host name instead of its supplier (UCI-V.cons.3)."""
    gateway.pgo_name = lambda flow: flow.client_id


@DEVIATIONS("markup_in_a_name_is_harmless")
def name_not_escaped(gateway: Dvza) -> None:
    """Names from the lists are put into the page as they are (RFC6749.10.14)."""
    conformant = gateway.consent_text
    gateway.consent_text = lambda flow: html.unescape(conformant(flow))


@DEVIATIONS("purpose_is_stated")
def no_purpose(gateway: Dvza) -> None:
    """The consent question does not say what it is for (TV.5)."""
    gateway.purpose = lambda: ""


@DEVIATIONS("full_text_is_linked")
def own_terms_linked(gateway: Dvza) -> None:
    """The consent question links terms of its own (TV.6)."""
    gateway.consent_link = lambda: '<p><a href="https://za.reference.test/terms">Our terms</a></p>'


@DEVIATIONS("both_choices_are_offered")
def no_way_to_refuse(gateway: Dvza) -> None:
    """There is no control to refuse (TV.7)."""
    gateway.consent_buttons = lambda: '<button name="decision" value="grant">Continue</button>'


@DEVIATIONS("consent_is_asked_by_the_gateway", "consent_needs_a_login")
def consent_elsewhere(gateway: Dvza) -> None:
    """The consent question is asked by another host (TV.1)."""
    conformant, page = gateway.front, gateway.consent_page
    moved: dict[str, Flow] = {}

    def front(request: Request, peer: Peer) -> Response:
        if header(request.headers, "host") != ELSEWHERE:
            return conformant(request, peer)
        answer = page(moved[urlsplit(request.url).query])
        body = answer.body.replace(b'action="/consent"', f'action="https://{gateway.hostname}/consent"'.encode())
        return replace(answer, body=body)

    def consent_page(flow: Flow) -> Response:
        moved[flow.id] = flow
        return Response(status=303, headers=(("Location", f"https://{ELSEWHERE}/consent?{flow.id}"),))

    gateway.front = front
    gateway.consent_page = consent_page


@DEVIATIONS("consent_is_asked_again")
def consent_remembered(gateway: Dvza) -> None:
    """Who consented once is not asked again (P&I.8)."""
    granted, after_login = gateway.granted, gateway.after_login
    given: dict[str, str] = {}

    def remember(flow: Flow, person: Person) -> Response:
        given[person.key] = flow.client_id
        answer = granted(flow, person)
        stay = ("Set-Cookie", "__Host-consented=yes; Path=/; Secure; HttpOnly; SameSite=Lax")
        return replace(answer, headers=(*answer.headers, stay))

    conformant_login = gateway.login

    def login(request: Request) -> Response:
        cookies = next((value for name, value in request.headers if name.lower() == "cookie"), "")
        gateway.after_login = skip if "__Host-consented=yes" in cookies else after_login
        return conformant_login(request)

    def skip(flow: Flow, person: Person | None) -> Response:
        return granted(flow, person) if person and person.key in given else after_login(flow, person)

    gateway.granted = remember
    gateway.login = login


@DEVIATIONS("forged_consent_yields_no_code")
def anti_forgery_ignored(gateway: Dvza) -> None:
    """A consent form needs nothing but the cookie that the browser sends by itself (RFC6819.4.4.1.10a)."""
    conformant = gateway.flow_of

    def flow_of(request: Request, form: Mapping[str, str]) -> Flow | None:
        cookies = header(request.headers, "cookie") or ""
        by_cookie = next((flow for flow in gateway.flows.values() if flow.cookie in cookies), None)
        return conformant(request, form) or by_cookie

    gateway.is_genuine = lambda *_: True
    gateway.flow_of = flow_of


@DEVIATIONS("forged_consent_yields_no_code")
def session_by_field_alone(gateway: Dvza) -> None:
    """The session is known by a hidden field, whatever browser sends it (RFC6819.4.4.1.10a)."""
    gateway.flow_of = lambda _, form: gateway.flows.get(form.get("flow", ""))


@DEVIATIONS("pages_cannot_be_framed")
def pages_can_be_framed(gateway: Dvza) -> None:
    """Pages can be shown in a frame (RFC6819.4.4.1.9)."""
    kept = [pair for pair in gateway.page_headers() if pair[0] not in {"X-Frame-Options", "Content-Security-Policy"}]
    gateway.page_headers = lambda: tuple(kept)


@DEVIATIONS("bsn_stays_out_of_the_browser")
def bsn_in_hidden_field(gateway: Dvza) -> None:
    """The consent form carries the BSN in a hidden field (APP.4)."""
    _into_consent_form(gateway, lambda bsn: bsn)


@DEVIATIONS("bsn_stays_out_of_the_browser")
def bsn_in_base64(gateway: Dvza) -> None:
    """The consent form carries the BSN in base64, with a prefix (APP.4)."""
    _into_consent_form(gateway, lambda bsn: base64.b64encode(f"bsn:{bsn}".encode()).decode())


def _into_consent_form(gateway: Dvza, encode: Any) -> None:
    conformant = gateway.consent_form

    def consent_form(flow: Flow) -> str:
        bsn = next(bsn for bsn, person in gateway.persons.items() if person is flow.person)
        return conformant(flow).replace("</form>", f'<input type="hidden" name="ref" value="{encode(bsn)}"></form>')

    gateway.consent_form = consent_form


@DEVIATIONS("bsn_is_nowhere_between_gateways")
def bsn_in_data(gateway: Dvza) -> None:
    """The FHIR answer has the BSN as an identifier of the patient (APP.5)."""
    _into_data(gateway, lambda bsn: bsn)


@DEVIATIONS("bsn_is_nowhere_between_gateways")
def bsn_hashed_in_data(gateway: Dvza) -> None:
    """The FHIR answer has the SHA-256 of the BSN as an identifier (APP.5)."""
    import hashlib

    _into_data(gateway, lambda bsn: hashlib.sha256(bsn.encode()).hexdigest())


def _into_data(gateway: Dvza, encode: Any) -> None:
    def identify(text: str, person: Person) -> str:
        bsn = next(bsn for bsn, known in gateway.persons.items() if known is person)
        return text.replace('"PATIENT-1"', json.dumps(encode(bsn)))

    gateway.identify = identify


# ---------------------------------------------------------------------------------------------------------- exceptions


@DEVIATIONS("failed_login_is_reported")
def cancel_is_access_denied(gateway: Dvza) -> None:
    """A cancelled login is reported as access_denied (UCI-V.exc.2)."""
    gateway.identity_not_established = lambda flow: gateway.send_back(flow, {"error": "access_denied"})


@DEVIATIONS("nothing_available_is_reported", warns=["minors_get_nothing", "no_treatment_relation_means_nothing"])
def description_without_full_stop(gateway: Dvza) -> None:
    """The description of exception 3 lacks its full stop (UCI-V.exc.3)."""
    answer = {"error": "access_denied", "error_description": "No such resources"}
    gateway.nothing_available = lambda flow: gateway.send_back(flow, answer)


@DEVIATIONS(
    "nothing_available_is_reported",
    "minors_get_nothing",
    "consent_is_not_asked_for_nothing",
    warns=["no_treatment_relation_means_nothing"],
)
def availability_not_checked(gateway: Dvza) -> None:
    """Consent is asked whether or not anything is available (UCI-V.step.8)."""
    gateway.is_available = lambda *_: True


@DEVIATIONS("minors_get_nothing")
def minors_are_served(gateway: Dvza) -> None:
    """People under sixteen are served (JUR.14)."""
    gateway.is_of_age = lambda _: True


@DEVIATIONS(warns=["no_treatment_relation_means_nothing"])
def strangers_are_served(gateway: Dvza) -> None:
    """People without a treatment relation are served (ZORG.besch)."""
    gateway.has_treatment_relation = lambda _: True


@DEVIATIONS("refusal_is_reported")
def refusal_ends_on_a_page(gateway: Dvza) -> None:
    """After a refusal the browser stays on a farewell page (UCI-V.exc.4)."""
    conformant = gateway.refused

    def refused(flow: Flow) -> Response:
        conformant(flow)
        return gateway.page("Goodbye", "<p>You did not give consent.</p>")

    gateway.refused = refused


@DEVIATIONS("undeterminable_answer_is_reported")
def no_answer_is_a_refusal(gateway: Dvza) -> None:
    """A form without an answer is reported as a refusal (UCI-V.exc.5)."""
    gateway.not_determinable = lambda flow: gateway.refused(flow)


@DEVIATIONS("error_response_is_well_formed", "refusal_is_reported")
def description_with_quotes(gateway: Dvza) -> None:
    """The description of a refusal is Dutch, with quotation marks (RFC6749.4.1.2.1a, UCI-V.exc.4)."""
    answer = {"error": "access_denied", "error_description": 'Toestemming "geweigerd"'}

    def refused(flow: Flow) -> Response:
        gateway.note(flow, "refused")
        return gateway.send_back(flow, answer)

    gateway.refused = refused


@DEVIATIONS("ended_session_is_dead")
def session_survives_refusal(gateway: Dvza) -> None:
    """After a refusal the consent form still works (UCI-V.exc.gen1)."""
    conformant = gateway.refused

    def refused(flow: Flow) -> Response:
        answer = conformant(flow)
        flow.stage = "consent"
        gateway.flows[flow.id] = flow
        return replace(answer, headers=tuple(pair for pair in answer.headers if pair[0] != "Set-Cookie"))

    gateway.refused = refused


@DEVIATIONS("unreachable_source_is_reported")
def source_failure_is_empty(gateway: Dvza) -> None:
    """When the source does not answer, an empty Bundle is delivered (UCI-V.exc.8)."""
    body = b'{"resourceType":"Bundle","type":"searchset","total":0}'
    gateway.source_unreachable = lambda _: Response(status=200, headers=FHIR_HEADERS, body=body)


@DEVIATIONS("consent_is_logged", "refusal_is_logged")
def nothing_logged(gateway: Dvza) -> None:
    """Neither consent nor refusal is recorded (LOG.1, LOG.2)."""
    gateway.note = lambda *_: None


@DEVIATIONS("refusal_is_logged")
def refusal_not_logged(gateway: Dvza) -> None:
    """A refusal is not recorded (LOG.2)."""
    conformant = gateway.note
    gateway.note = lambda flow, outcome: conformant(flow, outcome) if outcome == "granted" else None


@DEVIATIONS(warns=["log_holds_no_credentials"])
def code_in_log(gateway: Dvza) -> None:
    """The log names the code (LOG.7)."""
    conformant = gateway.granted

    def granted(flow: Flow, person: Person) -> Response:
        answer = conformant(flow, person)
        gateway.log[-1]["code"] = list(gateway.codes)[-1]
        return answer

    gateway.granted = granted


# ---------------------------------------------------------------------------------------------------- codes and tokens


@DEVIATIONS("code_is_uuid4")
def code_is_uuid1(gateway: Dvza) -> None:
    """Codes are UUIDs of version 1, which tell the time and the machine (APP.11a)."""
    gateway.mint_code = lambda: str(uuid.uuid1())


@DEVIATIONS("credentials_look_random")
def code_is_a_counter(gateway: Dvza) -> None:
    """Codes are version 4 UUIDs in form, with the time and a counter in them (RFC4122.c)."""
    gateway.mint_code = lambda: str(uuid.UUID(int=(time.time_ns() << 40 | len(gateway.codes)) & (1 << 128) - 1, version=4))
    gateway.mint_token = gateway.mint_code


@DEVIATIONS("simultaneous_offers_yield_one_token")
def code_checked_before_it_is_locked(gateway: Dvza) -> None:
    """Between looking whether a code was used and marking it there is time for another offer (APP.12b)."""

    def retire(grant: Grant) -> None:
        time.sleep(0.02)
        grant.used = True

    gateway.lock = cast("threading.RLock", contextlib.nullcontext())
    gateway.retire = retire


@DEVIATIONS("token_is_uuid4")
def token_is_a_jwt(gateway: Dvza) -> None:
    """Tokens are JSON web tokens (APP.11a)."""
    gateway.mint_token = lambda: f"eyJhbGciOiJIUzI1NiJ9.{secrets.token_urlsafe(30)}.{secrets.token_urlsafe(32)}"


@DEVIATIONS("credentials_are_unique")
def codes_repeat(gateway: Dvza) -> None:
    """Every tenth code is one that was issued before (APP.11b)."""
    issued: list[str] = []

    def mint() -> str:
        issued.append(issued[-1] if len(issued) % 10 == 9 else str(uuid.uuid4()))
        return issued[-1]

    gateway.mint_code = mint


@DEVIATIONS("token_is_a_bearer_token")
def other_token_type(gateway: Dvza) -> None:
    """The token type is mac (APP.7)."""
    gateway.token_type = "mac"


@DEVIATIONS("stated_lifetime_is_right", "token_dies_after_its_lifetime")
def lifetime_of_an_hour(gateway: Dvza) -> None:
    """Tokens say that they live for an hour, and do (APP.10)."""
    gateway.expires_in = gateway.token_lifetime_s = 3600


@DEVIATIONS(warns=["stated_lifetime_is_right"])
def lifetime_not_stated(gateway: Dvza) -> None:
    """The token response does not say how long the token lives (RFC6749.5.1a)."""
    gateway.expires_in = None


@DEVIATIONS("code_dies_after_its_lifetime")
def code_lives_an_hour(gateway: Dvza) -> None:
    """A code can be redeemed for an hour (APP.10)."""
    gateway.code_lifetime_s = 3600


@DEVIATIONS("code_lives_its_lifetime")
def code_lives_ten_minutes(gateway: Dvza) -> None:
    """A code can be redeemed for ten minutes only (APP.10)."""
    gateway.code_lifetime_s = 600


@DEVIATIONS("token_dies_after_its_lifetime")
def token_lives_an_hour(gateway: Dvza) -> None:
    """A token opens the data for an hour, whatever is stated (APP.10)."""
    gateway.token_lifetime_s = 3600


@DEVIATIONS("token_lives_its_lifetime")
def token_lives_ten_minutes(gateway: Dvza) -> None:
    """A token opens the data for ten minutes only (APP.10)."""
    gateway.token_lifetime_s = 600


@DEVIATIONS("no_refresh_token_is_issued")
def refresh_token(gateway: Dvza) -> None:
    """A refresh token is issued (APP.10)."""
    conformant = gateway.token_members
    gateway.token_members = lambda token, grant: {**conformant(token, grant), "refresh_token": str(uuid.uuid4())}


@DEVIATIONS("granted_scope_is_the_requested_one")
def wider_scope(gateway: Dvza) -> None:
    """The token response names a wider scope than was asked for (RFC6749.3.3a)."""
    conformant = gateway.token_members
    gateway.token_members = lambda token, grant: {**conformant(token, grant), "scope": f"{grant.scope} 7 9"}


@DEVIATIONS("token_response_is_not_stored")
def token_response_cacheable(gateway: Dvza) -> None:
    """The token response may be cached for a minute (RFC6749.5.1b)."""
    headers: Headers = (("Content-Type", "application/json"), ("Cache-Control", "max-age=60"), ("Pragma", "no-cache"))
    gateway.token_headers = lambda: headers


@DEVIATIONS("token_is_issued")
def token_as_text(gateway: Dvza) -> None:
    """The token comes as plain text (UCI-V.step.13)."""
    gateway.token_response = lambda members: Response(
        status=200, headers=(("Content-Type", "text/plain"),), body=members["access_token"].encode()
    )


@DEVIATIONS(
    "used_code_is_refused",
    "failed_offer_uses_the_code_up",
    "simultaneous_offers_yield_one_token",
    warns=["token_of_a_reused_code_is_revoked"],
)
def code_reusable(gateway: Dvza) -> None:
    """A code can be redeemed again after it was used (APP.12b)."""
    gateway.offered_again = lambda grant, _: gateway.issue(grant)


@DEVIATIONS("failed_offer_uses_the_code_up")
def failed_offer_is_forgiven(gateway: Dvza) -> None:
    """A failed offer does not use the code up (APP.12b)."""
    gateway.retire = lambda _: None
    issue = gateway.issue

    def issue_and_retire(grant: Grant) -> Response:
        grant.used = True
        return issue(grant)

    gateway.issue = issue_and_retire


@DEVIATIONS(warns=["token_of_a_reused_code_is_revoked"])
def reuse_does_not_revoke(gateway: Dvza) -> None:
    """The token of a reused code stays valid (RFC6749.4.1.2b)."""
    gateway.offered_again = lambda *_: gateway.invalid_grant()


@DEVIATIONS("code_of_another_client_is_refused")
def code_for_anybody(gateway: Dvza) -> None:
    """Any listed client can redeem any code (APP.13)."""
    gateway.belongs_to = lambda *_: True


@DEVIATIONS("borrowed_client_id_is_refused")
def client_id_ignored(gateway: Dvza) -> None:
    """A client id that is not the certificate's is accepted (RFC6749.3.2.1)."""
    gateway.is_authenticated = lambda *_: True


@DEVIATIONS("other_redirect_uri_is_refused", "absent_redirect_uri_is_refused")
def redirect_uri_not_compared(gateway: Dvza) -> None:
    """The redirect URI of the token request is not looked at (RFC6749.4.1.3b)."""
    gateway.fits_redirect_uri = lambda *_: True


@DEVIATIONS("absent_redirect_uri_is_refused")
def redirect_uri_optional(gateway: Dvza) -> None:
    """A token request may leave the redirect URI out (RFC6749.4.1.3b)."""
    conformant = gateway.fits_redirect_uri
    gateway.fits_redirect_uri = lambda grant, uri: uri is None or conformant(grant, uri)


@DEVIATIONS("malformed_code_is_refused")
def malformed_code_is_server_error(gateway: Dvza) -> None:
    """A code that is no UUID leads to a server error (UCI-V.exc.6)."""
    conformant = gateway.redeem

    def redeem(form: Form, client: Client | None) -> Response:
        if "code" in dict(form) and len(dict(form)["code"]) != 36:
            return Response(status=500, headers=TOKEN_HEADERS, body=b'{"error":"server_error"}')
        return conformant(form, client)

    gateway.redeem = redeem


@DEVIATIONS("unknown_code_is_refused", "malformed_code_is_refused", "token_error_is_well_formed")
def unknown_code_is_server_error(gateway: Dvza) -> None:
    """An unknown code leads to a server error (UCI-V.exc.6)."""
    conformant = gateway.redeem

    def redeem(form: Form, client: Client | None) -> Response:
        code = dict(form).get("code")
        if client and code and code not in gateway.codes and dict(form).get("grant_type") == "authorization_code":
            return Response(status=500, headers=TOKEN_HEADERS, body=b'{"error":"server_error"}')
        return conformant(form, client)

    gateway.redeem = redeem


@DEVIATIONS("other_grant_type_is_refused", "token_error_is_well_formed")
def any_grant_type(gateway: Dvza) -> None:
    """Whatever the grant type, the code is redeemed (APP.6)."""
    gateway.is_known_grant_type = lambda _: True


@DEVIATIONS("token_request_in_another_form_is_refused")
def token_by_get(gateway: Dvza) -> None:
    """The token endpoint answers GET as well (RFC6749.3.2a)."""
    gateway.token_by_other_method = lambda request, client: gateway.redeem(
        parse_qsl(urlsplit(request.url).query, keep_blank_values=True), client
    )


@DEVIATIONS("token_request_in_another_form_is_refused")
def repeated_token_parameters(gateway: Dvza) -> None:
    """A token request may repeat a parameter (RFC6749.3.2a)."""
    gateway.has_repeated = lambda _: False


@DEVIATIONS("unknown_token_parameters_are_ignored")
def unknown_token_parameter_refused(gateway: Dvza) -> None:
    """A token request with an unknown parameter is refused (RFC6749.3.2a)."""
    known = {"grant_type", "code", "redirect_uri", "client_id"}
    gateway.has_repeated = lambda names: bool(set(names) - known) or len(names) != len(set(names))


@DEVIATIONS("token_error_is_well_formed")
def token_errors_are_cacheable(gateway: Dvza) -> None:
    """Errors of the token endpoint may be cached (RFC6749.5.2a)."""
    gateway.token_error = lambda error, status=400: Response(
        status=status, headers=(("Content-Type", "application/json"),), body=json.dumps({"error": error}).encode()
    )


# ------------------------------------------------------------------------------------------------------------ resources


@DEVIATIONS("data_is_delivered", "data_comes_at_once")
def data_later(gateway: Dvza) -> None:
    """The data is promised for later, with 202 and an address to ask at (APP.1)."""
    gateway.deliver = lambda *_: Response(status=202, headers=(("Content-Location", "/later"), *FHIR_HEADERS))


@DEVIATIONS("data_is_delivered")
def no_data(gateway: Dvza) -> None:
    """A right FHIR request ends in a server error (UCI-V.step.15)."""
    gateway.deliver = lambda *_: Response(status=500)


@DEVIATIONS("data_is_machine_readable")
def data_as_text(gateway: Dvza) -> None:
    """FHIR resources are sent as text/html (JUR.9)."""
    conformant = gateway.deliver

    def deliver(request: Request, grant: Grant, path: str) -> Response:
        return replace(conformant(request, grant, path), headers=(("Content-Type", "text/html"),))

    gateway.deliver = deliver


@DEVIATIONS("addresses_stay_on_the_gateway")
def address_of_the_source(gateway: Dvza) -> None:
    """The links of a Bundle lead to the system behind the gateway (ARCJ.3)."""
    gateway.identify = lambda text, _: text.replace(f"https://{gateway.hostname}:{gateway.back_port}", "https://xis.test")


@DEVIATIONS("every_listed_pgo_is_served")
def favoured_pgo(gateway: Dvza) -> None:
    """One PGO gets an empty answer where another gets the data (P&I.7, GRD.P1)."""
    conformant = gateway.deliver
    outcome = gateway.outcome(200, "informational")

    def deliver(request: Request, grant: Grant, path: str) -> Response:
        favoured = grant.client_id == min(gateway.clients, key=lambda name: name != "pgo.harness.test")
        return conformant(request, grant, path) if favoured else replace(outcome, status=200)

    gateway.deliver = deliver


@DEVIATIONS(warns=["scheme_is_case_insensitive"])
def scheme_is_case_sensitive(gateway: Dvza) -> None:
    """Only "Bearer" in this very case is understood (RFC6750.2.1b)."""
    gateway.token_in = lambda request: next(
        (value[7:] for name, value in request.headers if name.lower() == "authorization" and value[:7] == "Bearer "),
        None,
    )


@DEVIATIONS("token_may_be_used_again")
def token_for_one_request(gateway: Dvza) -> None:
    """A token serves one request only (UCI-V.step.15)."""
    conformant = gateway.deliver

    def deliver(request: Request, grant: Grant, path: str) -> Response:
        answer = gateway.invalid_token() if grant.used else conformant(request, grant, path)
        grant.used = True
        return answer

    gateway.deliver = deliver


@DEVIATIONS("unknown_token_is_refused")
def well_formed_token_opens(gateway: Dvza) -> None:
    """Any well-formed token opens the data (UCI-V.exc.7)."""
    conformant = gateway.resource

    def resource(request: Request, client: Client | None, offer: Offer, path: str) -> Response:
        token = gateway.token_in(request)
        if token and token not in gateway.tokens and token not in gateway.codes and client:
            return gateway.deliver(request, _anybody(gateway, client, offer), path)
        return conformant(request, client, offer, path)

    gateway.resource = resource


@DEVIATIONS("absent_token_is_refused")
def data_without_token(gateway: Dvza) -> None:
    """The data is delivered without a token (UCI-V.exc.7)."""
    gateway.no_token = lambda request, client, offer: (
        gateway.deliver(request, _anybody(gateway, client, offer), _path(request, offer))
        if "access_token" not in request.url and client
        else gateway.invalid_token()
    )


@DEVIATIONS("code_is_no_token")
def code_opens_data(gateway: Dvza) -> None:
    """A code that was not redeemed opens the data (UCI-V.exc.7)."""
    conformant = gateway.resource

    def resource(request: Request, client: Client | None, offer: Offer, path: str) -> Response:
        grant = gateway.codes.get(gateway.token_in(request) or "")
        return gateway.deliver(request, grant, path) if grant else conformant(request, client, offer, path)

    gateway.resource = resource


@DEVIATIONS(
    "unknown_token_is_refused",
    "absent_token_is_refused",
    "code_is_no_token",
    "token_opens_one_service",
    "token_opens_one_provider",
    "token_dies_after_its_lifetime",
    warns=["token_of_a_reused_code_is_revoked", "refusal_carries_a_challenge"],
)
def bare_401(gateway: Dvza) -> None:
    """A token that is not valid is refused by a bare 401, without FHIR and without a challenge (UCI-V.exc.7)."""
    gateway.invalid_token = lambda: Response(status=401)
    gateway.no_token = lambda *_: Response(status=401)


@DEVIATIONS(warns=["refusal_carries_a_challenge"])
def no_challenge(gateway: Dvza) -> None:
    """A refusal has its OperationOutcome, and no challenge (RFC6750.3a)."""
    gateway.invalid_token = lambda: gateway.outcome(401, "suppressed")
    gateway.no_token = lambda *_: gateway.outcome(401, "suppressed")


@DEVIATIONS("token_opens_one_service")
def token_opens_every_service(gateway: Dvza) -> None:
    """A token opens every data service of its care provider (APP.9)."""
    gateway.is_for_service = lambda *_: True


@DEVIATIONS("token_opens_one_provider")
def token_opens_every_provider(gateway: Dvza) -> None:
    """A token opens every care provider behind the gateway (RFC6750.5.3f)."""
    gateway.is_for_provider = lambda *_: True


@DEVIATIONS("data_of_another_person_is_withheld")
def any_id_is_served(gateway: Dvza) -> None:
    """Whoever knows the id of a resource gets it, whoever's it is (UCI-V.step.15)."""
    conformant = gateway.data

    def data(grant: Grant, path: str, query: str) -> bytes:
        if path.startswith("Patient/"):
            return json.dumps({"resourceType": "Patient", "id": path.partition("/")[2]}).encode()
        return conformant(grant, path, query)

    gateway.data = data


@DEVIATIONS(warns=["token_in_the_address_is_refused"])
def token_in_query(gateway: Dvza) -> None:
    """The token may stand in the address (RFC6750.2x)."""
    conformant = gateway.token_in
    gateway.token_in = lambda request: conformant(request) or dict(parse_qsl(urlsplit(request.url).query)).get("access_token")
    gateway.uses_several_methods = lambda request: "access_token=" in request.url and conformant(request) is not None
    gateway.deliver = _without_token(gateway)


@DEVIATIONS(warns=["token_given_twice_is_refused"])
def token_twice(gateway: Dvza) -> None:
    """A token may be given in the header and the address at once (RFC6750.2x)."""
    gateway.uses_several_methods = lambda _: False
    gateway.deliver = _without_token(gateway)


def _without_token(gateway: Dvza) -> Any:
    conformant = gateway.deliver

    def deliver(request: Request, grant: Grant, path: str) -> Response:
        address, _, query = request.url.partition("?")
        kept = "&".join(pair for pair in query.split("&") if not pair.startswith("access_token="))
        return conformant(replace(request, url=f"{address}?{kept}" if kept else address), grant, path)

    return deliver


@DEVIATIONS("writing_is_refused")
def writing_works(gateway: Dvza) -> None:
    """A resource can be created with a token for collecting (REL.1)."""
    gateway.write = lambda request, _: Response(status=201, headers=FHIR_HEADERS, body=request.body)


@DEVIATIONS("token_endpoint_demands_a_certificate", warns=["resource_endpoint_demands_a_certificate"])
def token_without_certificate(gateway: Dvza) -> None:
    """The token endpoint serves whoever names a client id, without a certificate (APP.14)."""
    gateway.client_certificate = "ask"
    conformant = gateway.redeem
    gateway.redeem = lambda form, client: conformant(form, client or gateway.clients.get(dict(form)["client_id"]))


@DEVIATIONS("resource_endpoint_demands_a_certificate", warns=["token_endpoint_demands_a_certificate"])
def data_without_certificate(gateway: Dvza) -> None:
    """The resource endpoint serves whoever has a token, without a certificate (NIB.A.10.1.1c)."""
    gateway.client_certificate = "ask"
    conformant = gateway.resource

    def resource(request: Request, client: Client | None, offer: Offer, path: str) -> Response:
        grant = gateway.tokens.get(gateway.token_in(request) or "")
        owner = gateway.clients[grant.client_id] if grant else None
        return conformant(request, client or owner, offer, path)

    gateway.resource = resource


@DEVIATIONS(warns=["token_endpoint_demands_a_certificate", "resource_endpoint_demands_a_certificate"])
def certificate_asked_in_vain(gateway: Dvza) -> None:
    """One port for both channels: the certificate is asked for, and its absence refused by HTTP (APP.14)."""
    gateway.client_certificate = "ask"


# ------------------------------------------------------------------------------------------------------------- oddities
#
# Legal, and unlike what the reference does otherwise: no check may object. The selftest switches compatible ones on together.


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
    _change_answers(gateway, lambda answer: replace(answer, headers=tuple((n.upper(), v) for n, v in answer.headers)))


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
    _change_answers(
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


def _change_answers(gateway: Dvza, change: Any) -> None:
    front, back = gateway.front, gateway.back
    gateway.front = lambda request, peer: change(front(request, peer))
    gateway.back = lambda request, peer: change(back(request, peer))


ODDITIES_TOGETHER: Sequence[Sequence[str]] = (
    (
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
    ),
    (
        "scope-not-repeated",
        "header-names-in-upper-case",
        "outcome-in-xml",
        "forbidden-for-another-service",
        "old-fhir-media-type",
        "described-exception-2",
        "frame-ancestors-alone",
        "consent-behind-a-form-that-sends-itself",
    ),
    ("consent-behind-a-refresh",),
)
"""Oddities that the selftest switches on together, so that all of them cost three runs."""


# ------------------------------------------------------------------------------------------------------ other releases


def of_release_test_2(gateway: Dvza) -> None:
    """A gateway that conforms to the toy release ``test-2``: another scope, lifetimes of 9 seconds, another description."""
    gateway.code_lifetime_s = gateway.token_lifetime_s = gateway.expires_in = 9
    check_scope = gateway.check_scope

    def check(scope: str | None, offer: Offer) -> None:
        code = scope.removeprefix("test~") if scope and scope.startswith("test~") else None
        check_scope(code, offer)

    gateway.check_scope = check
    gateway.service_name = lambda flow: SERVICE_NAMES[flow.offer.gegevensdienst]
    answer = {"error": "access_denied", "error_description": "Refused by the person."}
    note = gateway.note

    def refused(flow: Flow) -> Response:
        note(flow, "refused")
        return gateway.send_back(flow, answer)

    gateway.refused = refused


# ------------------------------------------------------------------------------------------------------- null gateways

NULL_ANSWERS: Mapping[str, Response] = {
    "500 for everything": Response(status=500),
    "400 for everything": Response(status=400, body=b"Bad Request"),
    "an empty 200 for everything": Response(status=200),
    "a connection cut at once": Response(status=0),
    "a page without forms for everything": Response(
        status=200,
        headers=(("Content-Type", "text/html"),),
        body=b"<!doctype html><title>Welcome</title><h1>Welcome</h1><p>It works!</p>",
    ),
}
"""Counterparts that do nothing: no check may pass on them. Status 0 stands for hanging up without an answer."""

_HTML: Headers = (("Content-Type", "text/html"),)
SHEDDING: Mapping[str, Response] = {
    "429 for everything": Response(status=429),
    "429 that asks to come back at once": Response(status=429, headers=(("Retry-After", "0"),)),
    "503 for everything": Response(status=503),
    "503 with a page": Response(status=503, headers=_HTML, body=b"<title>Busy</title><h1>Please come back later</h1>"),
    "503 that asks to come back in an hour": Response(status=503, headers=(("Retry-After", "3600"),)),
    "502 of a proxy": Response(status=502, headers=_HTML, body=b"<title>502 Bad Gateway</title>"),
    "504 of a proxy": Response(status=504, headers=_HTML, body=b"<title>504 Gateway Time-out</title>"),
    "a firewall's 403": Response(status=403, headers=_HTML, body=b"<title>Access denied</title><p>Support id 4711</p>"),
    "a firewall's 406": Response(status=406, headers=_HTML, body=b"<title>Not acceptable</title><p>mod_security</p>"),
    "a connection cut at once, again": Response(status=0),
}
"""Answers that say nothing about the gateway: no check may pass on them, and none may fail."""


def nullify(gateway: Dvza, name: str) -> None:
    """Make a gateway give the same answer to everything. Raises ``KeyError`` for an unknown name."""
    answer = {**NULL_ANSWERS, **SHEDDING}[name]
    gateway.front = lambda *_: answer
    gateway.back = lambda *_: answer


def _anybody(gateway: Dvza, client: Client | None, offer: Offer) -> Grant:
    """A grant for the first person of whom something is available."""
    person = next(person for person in gateway.persons.values() if person.available)
    return Grant(
        client_id=client.hostname if client else "",
        redirect_uri="",
        offer=offer,
        scope=offer.gegevensdienst,
        person=person,
        issued=gateway.now(),
    )


def _path(request: Request, offer: Offer) -> str:
    return urlsplit(request.url).path.removeprefix(f"{offer.path}/fhir").strip("/")
