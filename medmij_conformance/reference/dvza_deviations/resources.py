"""Wrong answers to FHIR requests."""
# mypy: disable-error-code="method-assign, assignment"

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from medmij_conformance.evidence import Request, Response, header
from medmij_conformance.reference.dvza import (
    FHIR_HEADERS,
    Client,
    Dvza,
    Flow,
    Grant,
    Offer,
    Person,
)
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS, anybody, path_of


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
            return gateway.deliver(request, anybody(gateway, client, offer), path)
        return conformant(request, client, offer, path)

    gateway.resource = resource


@DEVIATIONS("absent_token_is_refused", "other_scheme_is_refused", warns=["token_in_the_body_is_refused"])
def data_without_token(gateway: Dvza) -> None:
    """The data is delivered without a token (UCI-V.exc.7)."""
    gateway.no_token = lambda request, client, offer: (
        gateway.deliver(request, anybody(gateway, client, offer), path_of(request, offer))
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
    "expired_token_is_reported",
    "token_of_another_client_is_refused",
    warns=[
        "token_of_a_reused_code_is_revoked",
        "refusal_carries_a_challenge",
        "challenge_names_the_error",
        "expired_token_is_challenged",
    ],
)
def bare_401(gateway: Dvza) -> None:
    """A token that is not valid is refused by a bare 401, without FHIR and without a challenge (UCI-V.exc.7)."""
    gateway.invalid_token = lambda: Response(status=401)
    gateway.no_token = lambda *_: Response(status=401)


@DEVIATIONS(warns=["refusal_carries_a_challenge", "challenge_names_the_error", "expired_token_is_challenged"])
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


@DEVIATIONS(warns=["token_in_the_body_is_refused"])
def token_in_form(gateway: Dvza) -> None:
    """The token may stand in a form (RFC6750.2x)."""
    conformant = gateway.token_in
    gateway.token_in = lambda request: conformant(request) or dict(parse_qsl(request.text)).get("access_token")
    gateway.uses_several_methods = lambda request: conformant(request) is not None and "access_token=" in request.url + request.text


@DEVIATIONS("other_scheme_is_refused")
def any_scheme(gateway: Dvza) -> None:
    """The last word of the Authorization header is the token, whatever the scheme (RFC6750.2.1b)."""
    gateway.token_in = lambda request: (header(request.headers, "authorization") or "").rpartition(" ")[2] or None


@DEVIATIONS(warns=["token_of_another_client_is_refused"])
def token_for_anybody(gateway: Dvza) -> None:
    """A token serves whoever holds it, whichever client it was issued to (UCI-V.exc.7)."""
    gateway.is_own_token = lambda *_: True


@DEVIATIONS(warns=["challenge_names_the_error", "expired_token_is_challenged"])
def challenge_without_error(gateway: Dvza) -> None:
    """The challenge does not say that the token is invalid (RFC6750.3a)."""
    gateway.invalid_token = lambda: gateway.outcome(401, "suppressed", challenge='Bearer realm="za"')


@DEVIATIONS("answer_is_of_the_kind_asked_for")
def hl7v2_in_a_binary(gateway: Dvza) -> None:
    """The data comes as an HL7v2 message inside a Binary (APP.2)."""
    binary = {"resourceType": "Binary", "contentType": "x-application/hl7-v2+er7", "content": "TVNIfF5+XCY="}
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": binary}]}
    gateway.data = lambda grant, path, _: b"" if "/" in path else json.dumps(bundle).encode()


@DEVIATIONS("bsn_elements_are_empty", warns=["no_number_looks_like_a_bsn"])
def bsn_of_a_relative(gateway: Dvza) -> None:
    """The data has the BSN of somebody else than the person, in an identifier of its naming system (APP.5)."""
    _add_identifier(gateway, {"system": "http://fhir.nl/fhir/NamingSystem/bsn", "value": "111222333"})


@DEVIATIONS(warns=["no_number_looks_like_a_bsn"])
def local_number_like_a_bsn(gateway: Dvza) -> None:
    """The data has a local number of nine digits that passes the eleven test (APP.5)."""
    _add_identifier(gateway, {"system": "https://za.reference.test/number", "value": "111222333"})


@DEVIATIONS()
def masked_bsn(gateway: Dvza) -> None:
    """The BSN is there as a masked identifier without a value."""
    masked = {"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "masked"}]}
    _add_identifier(gateway, {"system": "http://fhir.nl/fhir/NamingSystem/bsn", "_value": masked})


def _add_identifier(gateway: Dvza, identifier: dict[str, Any]) -> None:
    conformant = gateway.data

    def data(grant: Grant, path: str, query: str) -> bytes:
        answer = json.loads(conformant(grant, path, query) or b"{}")
        for entry in answer.get("entry", []):
            entry["resource"].setdefault("identifier", []).append(identifier)
        return json.dumps(answer).encode() if answer else b""

    gateway.data = data


@DEVIATIONS("writing_is_refused")
def deleting_works(gateway: Dvza) -> None:
    """A resource can be deleted with a token for collecting (REL.1)."""
    conformant = gateway.write
    gateway.write = lambda request, grant: Response(status=204) if request.method == "DELETE" else conformant(request, grant)


@DEVIATIONS("writing_is_refused")
def writing_works(gateway: Dvza) -> None:
    """A resource can be created with a token for collecting (REL.1)."""
    gateway.write = lambda request, _: Response(status=201, headers=FHIR_HEADERS, body=request.body)


@DEVIATIONS("persons_do_not_cross")
def person_of_the_latest_login(gateway: Dvza) -> None:
    """The data is that of the person who logged in last, whoever consented (UCI-V.step.15)."""
    after_login, granted = gateway.after_login, gateway.granted
    latest: list[Person] = []

    def remember(flow: Flow, person: Person | None) -> Response:
        answer = after_login(flow, person)
        if flow.stage == "consent" and person:
            latest.append(person)
        return answer

    gateway.after_login = remember
    gateway.granted = lambda flow, _: granted(flow, latest[-1])


@DEVIATIONS("every_offer_is_served")
def service_without_a_source(gateway: Dvza) -> None:
    """One of the data services that are offered is found by nobody who asks for its data (P&I.4, P&I.7)."""
    conformant = gateway.deliver

    def deliver(request: Request, grant: Grant, path: str) -> Response:
        return gateway.outcome(404, "not-found") if grant.scope == "7" else conformant(request, grant, path)

    gateway.deliver = deliver
