"""Codes and tokens that are too much or too little worth."""
# mypy: disable-error-code="method-assign, assignment"

import contextlib
import json
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from typing import cast
from urllib.parse import parse_qsl, urlsplit

from medmij_conformance.evidence import Headers, Request, Response
from medmij_conformance.reference.dvza import (
    TOKEN_HEADERS,
    Client,
    Dvza,
    Form,
    Grant,
    Offer,
)
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS


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
        time.sleep(0.3)
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


@DEVIATIONS("stated_lifetime_is_right", "token_dies_after_its_lifetime", "use_does_not_prolong_a_token")
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


@DEVIATIONS("token_dies_after_its_lifetime", "use_does_not_prolong_a_token")
def token_lives_an_hour(gateway: Dvza) -> None:
    """A token opens the data for an hour, whatever is stated (APP.10)."""
    gateway.token_lifetime_s = 3600


@DEVIATIONS("token_lives_its_lifetime", "token_lives_from_its_own_issue")
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


@DEVIATIONS("token_is_issued", warns=["others_are_served_meanwhile"])
def token_as_text(gateway: Dvza) -> None:
    """The token comes as plain text (UCI-V.step.13)."""
    gateway.token_response = lambda members: Response(
        status=200, headers=(("Content-Type", "text/plain"),), body=members["access_token"].encode()
    )


@DEVIATIONS(
    "used_code_is_refused",
    "failed_offer_uses_the_code_up",
    "simultaneous_offers_yield_one_token",
    "used_code_stays_used",
    warns=["token_of_a_reused_code_is_revoked", "offer_of_another_uses_the_code_up"],
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


@DEVIATIONS("unknown_code_is_refused", "malformed_code_is_refused", "token_is_no_code", "token_error_is_well_formed")
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


@DEVIATIONS(warns=["offer_of_another_uses_the_code_up"])
def code_survives_a_stranger(gateway: Dvza) -> None:
    """A code that another client offered can still be redeemed by its own (APP.12b)."""
    gateway.offered_by_another = lambda _: gateway.invalid_grant()


@DEVIATIONS("other_redirect_uri_is_refused")
def redirect_uri_in_any_case(gateway: Dvza) -> None:
    """The redirect URIs of the two requests are compared without regard to case (RFC6749.4.1.3b)."""
    gateway.fits_redirect_uri = lambda grant, uri: (uri or "").lower() == grant.redirect_uri.lower()


@DEVIATIONS("used_code_stays_used")
def used_codes_forgotten(gateway: Dvza) -> None:
    """That a code was used is remembered for ten minutes only (APP.10)."""
    conformant = gateway.redeem

    def redeem(form: Form, client: Client | None) -> Response:
        grant = gateway.codes.get(dict(form).get("code", ""))
        if grant and gateway.now() - grant.issued > 600:
            grant.used = False
        return conformant(form, client)

    gateway.redeem = redeem


@DEVIATIONS("expired_code_is_reported")
def expired_code_is_an_invalid_request(gateway: Dvza) -> None:
    """A code whose life is over is called an invalid request (APP.10)."""
    conformant = gateway.redeem

    def redeem(form: Form, client: Client | None) -> Response:
        grant = gateway.codes.get(dict(form).get("code", ""))
        return gateway.token_error("invalid_request") if grant and gateway.is_expired_code(grant) else conformant(form, client)

    gateway.redeem = redeem


@DEVIATIONS("use_does_not_prolong_a_token")
def use_prolongs_a_token(gateway: Dvza) -> None:
    """Each use of a token begins its lifetime anew (APP.10)."""
    conformant = gateway.deliver

    def deliver(request: Request, grant: Grant, path: str) -> Response:
        grant.issued = gateway.now()
        return conformant(request, grant, path)

    gateway.deliver = deliver


@DEVIATIONS("token_lives_from_its_own_issue")
def token_dies_with_its_code(gateway: Dvza) -> None:
    """A token lives until the end of the code that it came from (APP.10)."""
    conformant = gateway.issue

    def issue(grant: Grant) -> Response:
        answer = conformant(grant)
        gateway.tokens[grant.tokens[-1]].issued = grant.issued
        return answer

    gateway.issue = issue


@DEVIATIONS("expired_token_is_reported")
def expired_token_is_a_timeout(gateway: Dvza) -> None:
    """A token whose life is over is reported as timeout (APP.10)."""
    _for_expired_tokens(gateway, lambda: gateway.outcome(401, "timeout", 'Bearer error="invalid_token"'))


@DEVIATIONS(warns=["expired_token_is_challenged"])
def expired_token_without_challenge(gateway: Dvza) -> None:
    """The refusal of a token whose life is over carries no challenge (APP.10)."""
    _for_expired_tokens(gateway, lambda: gateway.outcome(401, "suppressed"))


def _for_expired_tokens(gateway: Dvza, answer: Callable[[], Response]) -> None:
    conformant = gateway.resource

    def resource(request: Request, client: Client | None, offer: Offer, path: str) -> Response:
        grant = gateway.tokens.get(gateway.token_in(request) or "")
        return answer() if grant and gateway.is_expired_token(grant) else conformant(request, client, offer, path)

    gateway.resource = resource


@DEVIATIONS("token_is_no_code")
def token_taken_as_code(gateway: Dvza) -> None:
    """A token that is offered as a code yields another token (UCI-V.exc.6)."""
    conformant = gateway.redeem

    def redeem(form: Form, client: Client | None) -> Response:
        grant = gateway.tokens.get(dict(form).get("code", ""))
        return gateway.issue(grant) if grant else conformant(form, client)

    gateway.redeem = redeem
