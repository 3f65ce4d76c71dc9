"""Wrong answers to authorization requests."""
# mypy: disable-error-code="method-assign, assignment"

import html
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from medmij_conformance.evidence import Request, Response, header
from medmij_conformance.reference.dvza import (
    SERVICE_NAMES,
    Client,
    Dvza,
    Flow,
    Form,
    Offer,
    Person,
    RefusedError,
)
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS
from medmij_conformance.wire.server import Peer


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
        return gateway.identification.begin(flow)

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
    conformant = gateway.front

    def front(request: Request, peer: Peer) -> Response:
        flow = next((flow for flow in gateway.flows.values() if flow.stage == "consent"), None)
        known = header(request.headers, "cookie") is not None or request.method != "GET"
        is_the_address = urlsplit(request.url).path in gateway.identification.paths
        return gateway.consent_page(flow) if flow and is_the_address and not known else conformant(request, peer)

    gateway.front = front


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


@DEVIATIONS("other_scope_is_refused", warns=["code_of_the_other_side_is_refused"])
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


@DEVIATIONS(
    "state_is_returned_with_the_code",
    "foreign_state_is_returned_or_refused",
    "state_is_returned_with_an_error",
    "sessions_do_not_mix",
    "each_pgo_gets_its_own_answer",
)
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


@DEVIATIONS("session_cookies_are_protected")
def cookie_for_scripts(gateway: Dvza) -> None:
    """Scripts can read the session cookie (UCI-V.step.3)."""
    conformant = gateway.session_cookie
    gateway.session_cookie = lambda flow: conformant(flow).replace(" HttpOnly;", "")


@DEVIATIONS(warns=["session_cookies_are_protected"])
def readable_cookie_beside(gateway: Dvza) -> None:
    """Beside the session cookie stands one that scripts can read (UCI-V.step.3)."""
    conformant = gateway.page_headers
    gateway.page_headers = lambda: (*conformant(), ("Set-Cookie", "XSRF-TOKEN=0123456789abcdef; Path=/; Secure"))


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


@DEVIATIONS("node_of_a_za_gateway_is_no_client")
def every_listed_node_is_a_client(gateway: Dvza) -> None:
    """Every node of the Whitelist is taken for a PGO, the gateway's own too (OVK.2.6)."""
    own = {gateway.hostname: Client(hostname=gateway.hostname, organisation=gateway.hostname)}
    take = gateway.take_lists
    gateway.take_lists = lambda clients, whitelist: take({**clients, **own}, whitelist)
    gateway.take_lists(gateway.clients, gateway.whitelist)


@DEVIATIONS("markup_in_a_request_is_harmless")
def request_echoed(gateway: Dvza) -> None:
    """The page that refuses a request repeats its values as they came (RFC6749.10.14)."""
    conformant = gateway.refuse_request

    def refuse(refusal: RefusedError, parameters: Form) -> Response:
        answer = conformant(refusal, parameters)
        return replace(answer, body=answer.body + " ".join(value for _, value in parameters).encode())

    gateway.refuse_request = refuse


@DEVIATIONS("markup_in_a_request_is_harmless")
def state_echoed(gateway: Dvza) -> None:
    """The first answer repeats the state as it came (RFC6749.10.14)."""
    conformant = gateway.after_authorization_request

    def answer_and_repeat(flow: Flow) -> Response:
        answer = conformant(flow)
        return replace(answer, body=answer.body + f"<p>Your reference: {flow.state}</p>".encode())

    gateway.after_authorization_request = answer_and_repeat


@DEVIATIONS("state_splits_no_header")
def header_from_the_state(gateway: Dvza) -> None:
    """A line end in the state begins a new header of the redirect (RFC6749.10.14)."""
    conformant = gateway.send_back

    def send_back(flow: Flow, answer: Mapping[str, str]) -> Response:
        response = conformant(flow, answer)
        _, *injected = (flow.state or "").split("\r\n")
        pairs = [line.partition(": ")[::2] for line in injected if ": " in line]
        return replace(response, headers=(*response.headers, *pairs))

    gateway.send_back = send_back


@DEVIATIONS("redirect_uri_of_another_host_is_refused", "repeated_parameter_is_refused")
def last_redirect_uri_wins(gateway: Dvza) -> None:
    """Of two redirect URIs the first is checked and the last is used (RFC6749.3.1.2.2, RFC6749.3.1b)."""
    conformant = gateway.check_request

    def check(parameters: Form, offer: Offer) -> None:
        conformant(list(dict(reversed(parameters)).items()) if _has_two_addresses(parameters) else parameters, offer)

    gateway.check_request = check


def _has_two_addresses(parameters: Form) -> bool:
    return [name for name, _ in parameters].count("redirect_uri") > 1


@DEVIATIONS(warns=["code_of_the_other_side_is_refused"])
def code_of_the_other_side(gateway: Dvza) -> None:
    """The catalogue's code of the PGO's side is taken for that of the gateway's (APP.9)."""
    conformant = gateway.check_scope
    other = {str(int(code) + 1): code for code in SERVICE_NAMES}
    gateway.check_scope = lambda scope, offer: conformant(other.get(scope or "", scope), offer)
    gateway.service_name = lambda flow: SERVICE_NAMES[flow.offer.gegevensdienst]


@DEVIATIONS("each_pgo_gets_its_own_answer")
def one_pgo_per_browser(gateway: Dvza) -> None:
    """The browser goes back to the PGO that sent it last (UCI-V.step.3)."""
    begin, send_back = gateway.begin, gateway.send_back
    latest: list[str] = []

    def begin_and_remember(offer: Offer, given: Mapping[str, str]) -> Flow:
        flow = begin(offer, given)
        latest.append(flow.redirect_uri)
        return flow

    def send_to_the_latest(flow: Flow, answer: Mapping[str, str]) -> Response:
        hosts = [urlsplit(address).hostname for address in (flow.redirect_uri, latest[-1])]
        flow.redirect_uri = flow.redirect_uri if hosts[0] == hosts[1] else latest[-1]
        return send_back(flow, answer)

    gateway.begin = begin_and_remember
    gateway.send_back = send_to_the_latest


@DEVIATIONS("markup_in_a_request_is_harmless")
def request_echoed_without_quotes(gateway: Dvza) -> None:
    """The first answer repeats the state with its quotation marks escaped and its angle brackets not (RFC6749.10.14)."""
    _echo_state(gateway, lambda state: f"<p>Your reference: {state.replace(chr(34), '&quot;')}</p>")


@DEVIATIONS("markup_in_a_request_is_harmless")
def request_echoed_in_an_attribute(gateway: Dvza) -> None:
    """The first answer repeats the state in an attribute and escapes all but its quotation marks (RFC6749.10.14)."""
    _echo_state(gateway, lambda state: f'<p title="{html.escape(state, quote=False)}">Your reference</p>')


def _echo_state(gateway: Dvza, write: Callable[[str], str]) -> None:
    conformant = gateway.after_authorization_request

    def answer_and_repeat(flow: Flow) -> Response:
        answer = conformant(flow)
        return replace(answer, body=answer.body + write(flow.state or "").encode())

    gateway.after_authorization_request = answer_and_repeat


@DEVIATIONS("answer_goes_to_the_given_address")
def redirect_port_dropped(gateway: Dvza) -> None:
    """A redirect URI may have any port, and the answer goes to the port that is usual (RFC6749.3.1.2.2)."""
    check, send_back = gateway.check_redirect_host, gateway.send_back

    def send_to_the_usual_port(flow: Flow, answer: Mapping[str, str]) -> Response:
        parts = urlsplit(flow.redirect_uri)
        flow.redirect_uri = parts._replace(netloc=parts.hostname or "").geturl()
        return send_back(flow, answer)

    gateway.check_redirect_host = lambda hostname, _, client: check(hostname, None, client)
    gateway.send_back = send_to_the_usual_port


@DEVIATIONS("redirect_uri_of_another_host_is_refused")
def redirect_host_decoded_late(gateway: Dvza) -> None:
    """The host of a redirect URI is checked up to its first percent sign, and decoded afterwards (RFC6749.3.1.2.2)."""
    conformant, begin = gateway.check_redirect_host, gateway.begin

    def check(hostname: str, port: int | None, client: Client | None) -> None:
        conformant(hostname.partition("%")[0], port, client)

    def begin_decoded(offer: Offer, given: Mapping[str, str]) -> Flow:
        return begin(offer, {**given, "redirect_uri": unquote(given["redirect_uri"])})

    gateway.check_redirect_host = check
    gateway.begin = begin_decoded


@DEVIATIONS("foreign_state_is_returned_or_refused")
def state_in_ascii(gateway: Dvza) -> None:
    """What of the state is not ASCII comes back as question marks (RFC6819.4.4.1.8b)."""
    gateway.state_of = lambda flow: {"state": (flow.state or "").encode("ascii", "replace").decode()}


@DEVIATIONS("repeated_parameter_is_refused")
def first_value_counts(gateway: Dvza) -> None:
    """Of two different values of a parameter the first counts (RFC6749.3.1b)."""
    conformant = gateway.check_request

    def check(parameters: Form, offer: Offer) -> None:
        pairs = list(dict.fromkeys(parameters))
        twice = {name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1} - {"client_id", "redirect_uri"}
        first = dict(reversed(pairs))
        conformant([(n, v) for n, v in pairs if first[n] == v] if twice else parameters, offer)

    gateway.check_request = check
