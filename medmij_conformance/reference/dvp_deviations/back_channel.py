"""How the PGO speaks to the ZA gateway itself."""
# mypy: disable-error-code="method-assign, assignment"

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

from medmij_conformance.evidence import Request, Response
from medmij_conformance.reference.dvp import Dvp, Holding, Pending
from medmij_conformance.reference.dvp_deviations._shared import BSN, DEVIATIONS, append, fetch_with, redeem_with, redeem_without


@DEVIATIONS("token_request_is_a_form")
def token_request_as_text(gateway: Dvp) -> None:
    """The token request is said to be plain text (RFC6749.3.2a)."""
    redeem_with(gateway, lambda r: replace(r, headers=(("Content-Type", "text/plain"),)))


@DEVIATIONS("token_request_is_a_form")
def code_in_the_address(gateway: Dvp) -> None:
    """The code is redeemed with its parameters in the address (UCI-V.step.12)."""
    redeem_with(gateway, lambda r: replace(r, url=f"{r.url}?{r.body.decode()}", body=b""))


@DEVIATIONS("token_request_goes_to_the_zal_address")
def token_endpoint_guessed(gateway: Dvp) -> None:
    """The token endpoint is guessed, not taken from the ZAL (UCI-V.step.12)."""
    redeem_with(gateway, lambda r: replace(r, url=urljoin(r.url, "/oauth2/token")))


@DEVIATIONS("token_request_has_its_parameters")
def redirect_uri_left_out(gateway: Dvp) -> None:
    """The token request has no redirect URI (UCI-V.step.12)."""
    redeem_without(gateway, "redirect_uri")


@DEVIATIONS("token_request_has_its_parameters")
def client_id_left_out(gateway: Dvp) -> None:
    """The token request has no client id (UCI-V.step.12)."""
    redeem_without(gateway, "client_id")


@DEVIATIONS("token_request_has_its_parameters")
def redirect_uri_of_another_page(gateway: Dvp) -> None:
    """The redirect URI of the token request is not that of the authorization request (UCI-V.step.12)."""
    conformant = gateway.token_parameters
    gateway.token_parameters = lambda pending, code: [
        (name, f"{value}/2" if name == "redirect_uri" else value) for name, value in conformant(pending, code)
    ]


@DEVIATIONS("certificate_is_the_only_proof")
def client_secret_sent(gateway: Dvp) -> None:
    """The token request has a client secret as well (RFC6749.2.3)."""
    conformant = gateway.token_parameters
    gateway.token_parameters = lambda pending, code: [*conformant(pending, code), ("client_secret", "s3cr3t")]


@DEVIATIONS("certificate_is_the_only_proof")
def basic_authentication(gateway: Dvp) -> None:
    """The token request has a user name and a password in its header (RFC6749.2.3)."""
    redeem_with(gateway, lambda r: replace(r, headers=(*r.headers, ("Authorization", "Basic cGdvOnMzY3IzdA=="))))


@DEVIATIONS("back_channel_has_the_own_certificate")
def no_client_certificate(gateway: Dvp) -> None:
    """No certificate is shown to the ZA gateway (NIB.A.10.1.1c)."""
    conformant = gateway.call
    gateway.call = lambda request: conformant(request, certificate=False)


@DEVIATIONS("roles_are_as_oauth_has_them")
def browser_redeems(gateway: Dvp) -> None:
    """The code is redeemed by a script in the browser (APP.R6)."""
    redeem_with(gateway, lambda r: replace(r, headers=(*r.headers, ("Origin", "https://app.reference.test"))))


@DEVIATIONS("data_is_asked_at_the_zal_address", "token_goes_to_nobody_else")
def asks_elsewhere(gateway: Dvp) -> None:
    """A FHIR request goes to an address that is not in the ZAL (UCI-V.step.14)."""
    conformant = gateway.collect

    def collect(pending: Pending, holding: Holding) -> None:
        url = urljoin(holding.source.resource_endpoint, "elsewhere/metadata")
        gateway.ask(gateway.resource_request(holding, url))
        conformant(pending, holding)

    gateway.collect = collect


@DEVIATIONS("token_is_sent_in_the_header")
def token_as_mac(gateway: Dvp) -> None:
    """The token is sent under another scheme than Bearer (RFC6750.2.1a)."""
    gateway.resource_headers = lambda holding: (("Authorization", f"MAC {holding.token}"), ("Accept", "application/fhir+json"))


@DEVIATIONS("token_is_sent_nowhere_else")
def token_in_the_address_too(gateway: Dvp) -> None:
    """The token stands in the address of a FHIR request as well (RFC6750.5.3g)."""
    fetch_with(gateway, lambda url, holding: append(url, [("access_token", holding.token)]))


@DEVIATIONS("fhir_requests_name_nobody")
def patient_in_the_search(gateway: Dvp) -> None:
    """A FHIR request names the patient whose data it wants (APP.5)."""
    fetch_with(gateway, lambda url, _: append(url, [("patient", "Patient/1")]))


@DEVIATIONS("bsn_is_nowhere")
def bsn_in_a_header(gateway: Dvp) -> None:
    """The BSN goes with every FHIR request (JUR.12, APP.5)."""
    conformant = gateway.resource_headers
    gateway.resource_headers = lambda holding: (*conformant(holding), ("X-Person", BSN))


@DEVIATIONS("bsn_is_nowhere")
def bsn_encoded(gateway: Dvp) -> None:
    """The BSN goes with every FHIR request, in base64 (JUR.12, APP.5)."""
    conformant = gateway.resource_headers
    said = base64.b64encode(f"person={BSN}".encode()).decode()
    gateway.resource_headers = lambda holding: (*conformant(holding), ("X-Context", said))


@DEVIATIONS("no_za_service_is_offered")
def serves_fhir_as_well(gateway: Dvp) -> None:
    """The host of the PGO answers FHIR requests too (OVK.2.6)."""
    conformant = gateway.front

    def front(request: Request, peer: Any) -> Response:
        if not request.url.endswith("/Patient"):
            return conformant(request, peer)
        headers = (("Content-Type", "application/fhir+json"),)
        return Response(status=200, headers=headers, body=b'{"resourceType": "Bundle", "type": "searchset"}')

    gateway.front = front


@DEVIATIONS("pgo_only_reads")
def writes_back(gateway: Dvp) -> None:
    """After collecting, the gateway writes to the source (REL.1)."""
    conformant = gateway.store

    def store(pending: Pending, holding: Holding) -> None:
        request = gateway.resource_request(holding, f"{holding.source.resource_endpoint}/Observation")
        gateway.ask(replace(request, method="POST", body=b'{"resourceType": "Observation"}'))
        conformant(pending, holding)

    gateway.store = store
