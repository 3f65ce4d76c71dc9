"""Wrong consent questions, and pages that give something away."""
# mypy: disable-error-code="method-assign, assignment"

import base64
import html
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from medmij_conformance.evidence import Request, Response, header
from medmij_conformance.reference.dvza import (
    Dvza,
    Flow,
    Offer,
    Person,
)
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS, ELSEWHERE
from medmij_conformance.wire.server import Peer


@DEVIATIONS("care_provider_is_named", "each_tab_names_its_own_provider", "consent_text_is_the_given_one")
def provider_not_named(gateway: Dvza) -> None:
    """The consent question says "your care provider" instead of its name (TV.2)."""
    gateway.provider_name = lambda _: "your care provider"


@DEVIATIONS("data_service_is_named", "consent_text_is_the_given_one")
def service_not_named(gateway: Dvza) -> None:
    """The consent question always says "medical data" (TV.3, UCI-V.cons.2)."""
    gateway.service_name = lambda _: "medical data"


@DEVIATIONS("pgo_supplier_is_named", "consent_text_is_the_given_one", warns=["markup_in_a_name_is_harmless"])
def pgo_by_host_name(gateway: Dvza) -> None:
    """The consent question shows the PGO's host name instead of its supplier (UCI-V.cons.3)."""
    gateway.pgo_name = lambda flow: flow.client_id


@DEVIATIONS("markup_in_a_name_is_harmless")
def name_not_escaped(gateway: Dvza) -> None:
    """Names from the lists are put into the page as they are (RFC6749.10.14)."""
    conformant = gateway.consent_text
    gateway.consent_text = lambda flow: html.unescape(conformant(flow))


@DEVIATIONS("purpose_is_stated", "consent_text_is_the_given_one")
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

    conformant = gateway.front

    def front(request: Request, peer: Peer) -> Response:
        cookies = header(request.headers, "cookie") or ""
        gateway.after_login = skip if "__Host-consented=yes" in cookies else after_login
        return conformant(request, peer)

    def skip(flow: Flow, person: Person | None) -> Response:
        return granted(flow, person) if person and person.key in given else after_login(flow, person)

    gateway.granted = remember
    gateway.front = front


@DEVIATIONS("forged_consent_yields_no_code", "answer_that_is_not_genuine_is_exception_5")
def anti_forgery_ignored(gateway: Dvza) -> None:
    """A consent form needs nothing but the cookie that the browser sends by itself (RFC6819.4.4.1.10a)."""
    conformant = gateway.flow_of

    def flow_of(request: Request, form: Mapping[str, str]) -> Flow | None:
        cookies = header(request.headers, "cookie") or ""
        by_cookie = next((flow for flow in gateway.flows.values() if flow.cookie in cookies), None)
        return conformant(request, form) or by_cookie

    gateway.is_genuine = lambda *_: True
    gateway.flow_of = flow_of


@DEVIATIONS("forged_consent_yields_no_code", "answer_without_a_session_is_exception_5")
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


@DEVIATIONS("bsn_is_nowhere_between_gateways", warns=["no_number_looks_like_a_bsn"])
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


@DEVIATIONS("each_tab_names_its_own_provider")
def provider_of_the_latest_tab(gateway: Dvza) -> None:
    """The consent question names the care provider of the tab that was opened last (UCI-V.cons.1)."""
    begin = gateway.begin
    latest: list[Offer] = []

    def begin_and_remember(offer: Offer, given: Mapping[str, str]) -> Flow:
        latest.append(offer)
        return begin(offer, given)

    gateway.begin = begin_and_remember
    gateway.provider_name = lambda _: latest[-1].display_name


@DEVIATIONS("no_choice_is_made_beforehand")
def choice_made_beforehand(gateway: Dvza) -> None:
    """The consent form has a box that is ticked already (P&I.8)."""
    conformant = gateway.consent_buttons
    box = '<label><input type="checkbox" name="share" checked> Share with our partners as well</label>'
    gateway.consent_buttons = lambda: box + conformant()


@DEVIATIONS("consent_text_is_the_given_one")
def words_of_its_own(gateway: Dvza) -> None:
    """The consent statement adds a sentence of its own (TV.1, P&I.8)."""
    conformant = gateway.purpose
    gateway.purpose = lambda: f"We may use them to improve our services. {conformant()}"


@DEVIATIONS("forged_consent_yields_no_code")
def consent_by_get(gateway: Dvza) -> None:
    """Consent can be given by following an address (RFC6819.4.4.1.10a)."""
    conformant = gateway.consent

    def consent(request: Request) -> Response:
        query = urlsplit(request.url).query
        return conformant(replace(request, method="POST", body=query.encode()) if request.method == "GET" else request)

    gateway.consent = consent


@DEVIATIONS("forged_consent_yields_no_code")
def anti_forgery_of_anybody(gateway: Dvza) -> None:
    """The anti-forgery value of any session will do (RFC6819.4.4.1.10a)."""
    gateway.is_genuine = lambda _, form: form.get("anti_forgery") in {flow.anti_forgery for flow in gateway.flows.values()}


@DEVIATIONS("forged_consent_yields_no_code")
def consent_form_reusable(gateway: Dvza) -> None:
    """A consent form can be sent again after it was used (RFC6819.4.4.1.10a)."""
    conformant = gateway.granted

    def granted(flow: Flow, person: Person) -> Response:
        answer = conformant(flow, person)
        flow.stage = "consent"
        gateway.flows[flow.id] = flow
        return replace(answer, headers=tuple(pair for pair in answer.headers if pair[0] != "Set-Cookie"))

    gateway.granted = granted


@DEVIATIONS("pages_cannot_be_framed")
def frames_of_any_site(gateway: Dvza) -> None:
    """Pages may be framed by any site with https, whatever X-Frame-Options says for older browsers (RFC6819.4.4.1.9)."""
    policy = ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors https:")
    kept = [pair for pair in gateway.page_headers() if pair[0] != policy[0]]
    gateway.page_headers = lambda: (*kept, policy)


@DEVIATIONS("answer_that_is_not_genuine_is_exception_5")
def forged_answer_is_a_refusal(gateway: Dvza) -> None:
    """A consent form with a wrong anti-forgery value is reported as a refusal (UCI-V.exc.5)."""
    conformant = gateway.decision
    gateway.decision = lambda flow, form: conformant(flow, form) if gateway.is_genuine(flow, dict(form)) else "refuse"


@DEVIATIONS(warns=["answer_that_is_not_genuine_is_exception_5"])
def forged_answer_ends_on_a_page(gateway: Dvza) -> None:
    """A consent form with a wrong anti-forgery value ends on a page, and the PGO hears nothing (UCI-V.exc.5)."""
    conformant = gateway.consent

    def consent(request: Request) -> Response:
        form = dict(parse_qsl(request.text, keep_blank_values=True))
        flow = gateway.flow_of(request, form)
        if flow and not gateway.is_genuine(flow, form):
            return gateway.error_page("This form was not made for you.", status=403)
        return conformant(request)

    gateway.consent = consent


@DEVIATIONS("answer_without_a_session_is_exception_5")
def answer_of_nobody_is_a_refusal(gateway: Dvza) -> None:
    """A consent form that comes without its cookie is reported as a refusal (UCI-V.exc.5)."""
    conformant = gateway.consent

    def consent(request: Request) -> Response:
        form = dict(parse_qsl(request.text, keep_blank_values=True))
        flow = gateway.flows.get(form.get("flow", ""))
        return gateway.refused(flow) if flow and not gateway.flow_of(request, form) else conformant(request)

    gateway.consent = consent
