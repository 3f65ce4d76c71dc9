"""What the PGO sends the person to the ZA gateway with."""
# mypy: disable-error-code="method-assign, assignment"

import hashlib
import secrets
from dataclasses import replace

from medmij_conformance.evidence import Request
from medmij_conformance.reference.dvp import Dvp, Pending
from medmij_conformance.reference.dvp_deviations._shared import BSN, DEVIATIONS, ask_with, hand_to_the_browser


@DEVIATIONS("browser_is_sent_to_the_zal_address", "choices_go_to_their_own_address")
def first_address_for_all(gateway: Dvp) -> None:
    """Whatever service is chosen, the browser is sent to the address of the provider's last one (UCI-V.step.2)."""
    conformant = gateway.authorization_address

    def address(pending: Pending) -> str:
        last = [s for s in gateway.sources.values() if s.zorgaanbieder == pending.source.zorgaanbieder][-1]
        wrong = last.authorization_endpoint
        return conformant(replace(pending, source=replace(pending.source, authorization_endpoint=wrong)))

    gateway.authorization_address = address


@DEVIATIONS("query_of_the_endpoint_is_kept")
def query_dropped(gateway: Dvp) -> None:
    """The query of an endpoint in the ZAL is dropped (RFC6749.3.1c)."""
    conformant = gateway.authorization_address

    def address(pending: Pending) -> str:
        bare = pending.source.authorization_endpoint.partition("?")[0]
        return conformant(replace(pending, source=replace(pending.source, authorization_endpoint=bare)))

    gateway.authorization_address = address


@DEVIATIONS("authorization_request_has_its_parameters")
def scope_missing(gateway: Dvp) -> None:
    """The authorization request has no scope (UCI-V.step.2)."""
    ask_with(gateway, scope=None)


@DEVIATIONS("authorization_request_has_its_parameters")
def scope_twice(gateway: Dvp) -> None:
    """The authorization request has its scope twice (UCI-V.step.2)."""
    conformant = gateway.authorization_parameters
    gateway.authorization_parameters = lambda pending: [*conformant(pending), ("scope", pending.source.gegevensdienst)]


@DEVIATIONS("response_type_is_that_of_a_code")
def implicit_grant_as_well(gateway: Dvp) -> None:
    """The response type asks for a token as well (APP.6)."""
    ask_with(gateway, response_type="code token")


@DEVIATIONS("client_id_is_the_node_name")
def client_id_of_its_own(gateway: Dvp) -> None:
    """The client id is a number that somebody was given when he registered somewhere (GRD.P1)."""
    ask_with(gateway, client_id="client-4711")


@DEVIATIONS("redirect_uri_is_full_and_own")
def redirect_uri_with_fragment(gateway: Dvp) -> None:
    """The redirect URI has a fragment (APP.15a, RFC6749.3.1.2)."""
    gateway.redirect_uri += "#home"


@DEVIATIONS("redirect_uri_is_full_and_own")
def redirect_uri_of_an_app(gateway: Dvp) -> None:
    """The redirect URI has the scheme of an app (APP.15a)."""
    gateway.redirect_uri = "pgo://cb"


@DEVIATIONS("scope_is_the_chosen_service")
def scope_of_everything(gateway: Dvp) -> None:
    """The scope asks for several data services (P&I.4)."""
    ask_with(gateway, scope="1 7")


@DEVIATIONS("authorization_request_tells_nobody")
def login_hint(gateway: Dvp) -> None:
    """The authorization request says who is about to log in (UCI-V.step.2)."""
    ask_with(gateway, login_hint="roos@example.nl")


@DEVIATIONS("authorization_request_holds_no_bsn")
def bsn_in_authorization_request(gateway: Dvp) -> None:
    """The authorization request holds the BSN (JUR.12)."""
    ask_with(gateway, hint=BSN)


@DEVIATIONS("only_the_browser_opens_the_endpoint")
def server_opens_the_login_page(gateway: Dvp) -> None:
    """The gateway itself looks at the authorization endpoint before it sends the browser there (APP.R2)."""

    def look(pending: Pending) -> None:
        gateway.call(Request(method="GET", url=gateway.authorization_address(pending)))

    gateway.before_redirect = look


@DEVIATIONS("states_differ")
def state_constant(gateway: Dvp) -> None:
    """The state is always the same (UCI-V.step.2, RFC6819.4.4.1.8a)."""
    gateway.new_state = lambda _: "the-state-of-this-pgo-which-is-long-enough"


@DEVIATIONS("states_differ")
def state_of_the_session(gateway: Dvp) -> None:
    """The state is made from the session: in one browser it is always the same (RFC6819.4.4.1.8a)."""
    gateway.new_state = lambda person: hashlib.sha256(person.encode()).hexdigest()


@DEVIATIONS(warns=["state_is_long_enough"])
def state_short(gateway: Dvp) -> None:
    """The state has 32 bits (RFC6819.4.4.1.8a)."""
    gateway.new_state = lambda _: secrets.token_hex(4)


@DEVIATIONS(warns=["code_leaves_the_address_bar"])
def code_stays_in_the_address(gateway: Dvp) -> None:
    """The page with the outcome stands at the redirect URI, with the code in its address (RFC6749.3.1.2.5)."""
    gateway.show_result = lambda outcome, _person, cookies: replace(
        page := gateway.result_page(outcome), headers=(*page.headers, *cookies)
    )


@DEVIATIONS("pgo_cookies_hold_no_credential")
def token_in_cookie(gateway: Dvp) -> None:
    """The token is kept in a cookie (RFC6750.5.3d)."""
    hand_to_the_browser(gateway, lambda token: (("Set-Cookie", f"access={token}; Secure; Path=/"),))


@DEVIATIONS(warns=["pgo_cookies_hold_no_credential"])
def cookie_without_secure(gateway: Dvp) -> None:
    """A cookie of the session may travel in clear (RFC6750.5.3d)."""
    hand_to_the_browser(gateway, lambda _: (("Set-Cookie", "theme=dark; Path=/"),))


@DEVIATIONS("browser_never_sees_the_token")
def token_in_page(gateway: Dvp) -> None:
    """The token is given to the browser, for a script to use (APP.16)."""
    hand_to_the_browser(gateway, lambda token: (("X-Token-For-Script", token),), body=True)
