"""Wrong ways with DigiD: what the service provider says, and what it believes. They need a gateway with DigiD."""
# mypy: disable-error-code="method-assign, assignment"

import html
import itertools
import re
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from medmij_conformance.evidence import Request, Response, header
from medmij_conformance.reference.digid_assertion import (
    LEVELS,
    NAMESPACES,
    Element,
    Expected,
    LoginRefusedError,
    Verifier,
    parse_xml,
)
from medmij_conformance.reference.digid_channel import DigidChannel, NoAnswerError
from medmij_conformance.reference.digid_login import ARTIFACT_BINDING, Asked, DigidLogin, IdentityProvider
from medmij_conformance.reference.dvza import Dvza, Flow, OwnPage, Person
from medmij_conformance.reference.dvza_deviations._shared import DEVIATIONS

Given = Mapping[str, list[str]]
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED

# The checks of wrong answers, all of which see a flow that goes on too early, or a refusal in the wrong place.
_NO_LOGIN = ("failed_login_of_digid_ends_as_exception_2", "failed_login_is_reported")
_NOT_BELIEVED = (
    "unfitting_answer_is_refused",
    "low_level_is_refused",
    "forged_answer_is_refused",
    "wrapped_answer_is_refused",
    "other_identity_is_refused",
    "broken_answer_is_refused",
    "unproven_digid_is_not_spoken_to",
)


def _login(gateway: Dvza) -> DigidLogin:
    if not isinstance(gateway.identification, DigidLogin):
        raise ValueError("this deviation is one of a gateway where people log in at DigiD, and this one has a page of its own")  # noqa: TRY004
    return gateway.identification


def _verifier(gateway: Dvza) -> Verifier:
    return _login(gateway).verifier


def _nothing(*_: Any) -> None:
    """A check that is left out."""


def _stranger() -> rsa.RSAPrivateKey:
    """A key that is in nobody's metadata."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _change_request(gateway: Dvza, change: Callable[[Element, Asked], None]) -> None:
    login = _login(gateway)
    conformant = login.authn_request

    def authn_request(asked: Asked) -> Element:
        request = conformant(asked)
        change(request, asked)
        return request

    login.authn_request = authn_request


# ------------------------------------------------------------------------------------------------------- the AuthnRequest


@DEVIATIONS("authn_request_is_signed")
def authn_request_unsigned(gateway: Dvza) -> None:
    """The AuthnRequest is not signed (SAML.1)."""
    login = _login(gateway)
    conformant = login.signed_query
    login.signed_query = lambda request, state: conformant(request, state).partition("&SigAlg=")[0]


@DEVIATIONS(warns=["authn_request_is_signed"])
def authn_request_signed_with_sha_1(gateway: Dvza) -> None:
    """The AuthnRequest is signed with SHA-1, which DigiD may drop (SAML.1)."""
    login = _login(gateway)
    login.signature_algorithm = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
    login.hash_of_signature = hashes.SHA1()  # noqa: S303 that is the deviation


@DEVIATIONS("authn_request_is_signed")
def authn_request_signed_with_another_key(gateway: Dvza) -> None:
    """The AuthnRequest is signed with a key that is not in the metadata (SAML.1)."""
    _login(gateway).query_key = _stranger()


@DEVIATIONS("authn_request_is_signed")
def relay_state_not_signed(gateway: Dvza) -> None:
    """The signature of the AuthnRequest leaves the RelayState out (SAML.1)."""
    login = _login(gateway)
    conformant = login.signature_over
    login.signature_over = lambda octets: conformant(re.sub(rb"&RelayState=[^&]*", b"", octets))


@DEVIATIONS("authn_request_is_complete")
def wrong_destination(gateway: Dvza) -> None:
    """The AuthnRequest is destined for another address than it is sent to (SAML.1)."""
    _login(gateway).destination = lambda asked: asked.provider.entity_id


@DEVIATIONS(warns=["authn_request_is_complete"])
def no_destination(gateway: Dvza) -> None:
    """The AuthnRequest names no destination (SAML.1)."""
    _change_request(gateway, lambda request, _: request.attrib.pop("Destination") and None)


@DEVIATIONS("authn_request_is_complete")
def level_below(gateway: Dvza) -> None:
    """A lower level is asked for than the care provider wants (SAML.1)."""
    _login(gateway).level = next(iter(LEVELS))


@DEVIATIONS("authn_request_is_complete")
def exact_level(gateway: Dvza) -> None:
    """The level is asked for exactly, so that a person with a better means cannot log in (SAML.1)."""
    _login(gateway).comparison = "exact"


@DEVIATIONS("authn_request_is_complete")
def no_level(gateway: Dvza) -> None:
    """The AuthnRequest asks for no level (SAML.1)."""

    def change(request: Element, _: Asked) -> None:
        request.remove(request.find("./samlp:RequestedAuthnContext", NAMESPACES))

    _change_request(gateway, change)


@DEVIATIONS("authn_request_is_complete")
def authn_request_of_another(gateway: Dvza) -> None:
    """The issuer of the AuthnRequest is not who stands in the metadata (SAML.1)."""

    def change(request: Element, _: Asked) -> None:
        request.find("./saml:Issuer", NAMESPACES).text += "/"

    _change_request(gateway, change)


@DEVIATIONS("authn_request_is_complete")
def local_time(gateway: Dvza) -> None:
    """The time of the AuthnRequest is that of the wall in Amsterdam, and is said to be UTC (SAML.1)."""

    def change(request: Element, asked: Asked) -> None:
        request.set("IssueInstant", (asked.at + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ"))

    _change_request(gateway, change)


@DEVIATIONS("authn_request_is_complete")
def two_ways_back(gateway: Dvza) -> None:
    """The AuthnRequest names an index and an address to return to (SAML.1)."""
    login = _login(gateway)
    login.way_back = lambda _: {"AssertionConsumerServiceIndex": "0", "AssertionConsumerServiceURL": login.acs}


@DEVIATIONS("return_address_is_the_gateways")
def back_to_the_pgo(gateway: Dvza) -> None:
    """DigiD is told to send the person to the redirect URI of the PGO (UCI-V.step.4)."""
    _login(gateway).way_back = lambda asked: {"AssertionConsumerServiceURL": asked.flow.redirect_uri}


@DEVIATIONS(
    "authn_request_ids_cannot_be_guessed",
    "each_collection_has_its_own_authn_request",
    "unfitting_answer_is_refused",
    warns=["altered_relay_state_is_harmless"],
)
def same_request_id(gateway: Dvza) -> None:
    """Every AuthnRequest has the same ID, so that an answer to any of them fits all (SAML.1, SAML.4, SAML.6)."""
    _change_ids(gateway, lambda: "_a7d3c0f1e5b94286a1b2c3d4e5f60718293a4b5c")


@DEVIATIONS("authn_request_ids_cannot_be_guessed")
def counted_request_ids(gateway: Dvza) -> None:
    """The IDs of AuthnRequests are counted (SAML.1)."""
    numbers = itertools.count(1_000_000_007)
    _change_ids(gateway, lambda: f"_{next(numbers):040d}")


@DEVIATIONS("authn_request_ids_cannot_be_guessed")
def request_ids_by_the_clock(gateway: Dvza) -> None:
    """The IDs of AuthnRequests are the time in milliseconds (SAML.1)."""
    _change_ids(gateway, lambda: f"_{time.time_ns() // 1_000_000}")


@DEVIATIONS("authn_request_ids_cannot_be_guessed")
def short_request_ids(gateway: Dvza) -> None:
    """The IDs of AuthnRequests are random, but only 32 bits of them (SAML.1)."""
    mint = _login(gateway).mint_id
    _change_ids(gateway, lambda: mint()[:9])


def _change_ids(gateway: Dvza, mint: Callable[[], str]) -> None:
    """The IDs of AuthnRequests, and of nothing else, are made in this way."""
    login = _login(gateway)
    conformant = login.ask
    login.ask = lambda flow, provider: replace(conformant(flow, provider), id=mint())


@DEVIATIONS(warns=["each_collection_has_its_own_authn_request"])
def login_not_forced(gateway: Dvza) -> None:
    """DigiD may let a person in by an earlier login, at the gateway or elsewhere (SAML.6)."""
    _login(gateway).force_authn = None
    _verifier(gateway).check_own_login = _nothing


@DEVIATIONS(warns=["relay_state_is_opaque"])
def relay_state_is_the_state(gateway: Dvza) -> None:
    """The RelayState is the state of the PGO (SAML.2)."""
    _login(gateway).relay_state = lambda flow: flow.state or flow.id


@DEVIATIONS(warns=["relay_state_is_opaque"])
def relay_state_is_the_redirect_uri(gateway: Dvza) -> None:
    """The RelayState holds the redirect URI of the PGO (SAML.2)."""
    _login(gateway).relay_state = lambda flow: f"{flow.redirect_uri}#{flow.id[:8]}"


@DEVIATIONS(warns=["relay_state_is_opaque"])
def long_relay_state(gateway: Dvza) -> None:
    """The RelayState is longer than DigiD takes (SAML.2)."""
    login = _login(gateway)
    conformant = login.relay_state
    login.relay_state = lambda flow: "".join(conformant(flow) for _ in range(3))


# ------------------------------------------------------------------------------------------------------ the order of steps


@DEVIATIONS("login_is_at_digid", "artifact_is_resolved_once", "consent_comes_after_digid")
def login_by_own_form(gateway: Dvza) -> None:
    """The gateway asks for the number of the person by itself (UCI-V.step.5, UCI-V.step.7, JUR.11)."""
    _login(gateway)
    gateway.identification = OwnPage(gateway)


@DEVIATIONS("login_is_at_digid")
def digid_in_a_frame(gateway: Dvza) -> None:
    """DigiD is shown in a frame of the gateway's page (UCI-V.step.5)."""
    login = _login(gateway)
    conformant = login.begin

    def begin(flow: Flow) -> Response:
        answer = conformant(flow)
        frame = f'<iframe src="{answer.header("location")}"></iframe>'
        return gateway.page("Log in", frame, extra=(("Set-Cookie", gateway.session_cookie(flow)),))

    login.begin = begin


@DEVIATIONS("each_collection_has_its_own_authn_request")
def login_is_remembered(gateway: Dvza) -> None:
    """A browser that has logged in once is not sent to DigiD again (SAML.6)."""
    login = _login(gateway)
    known: dict[str, Person] = {}
    authorize, after_login = gateway.authorize, gateway.after_login
    begin = login.begin

    def remember(flow: Flow, person: Person | None) -> Response:
        answer = after_login(flow, person)
        if person is None:
            return answer
        known[flow.cookie] = person
        cookie = ("Set-Cookie", f"__Host-known={flow.cookie}; Path=/; Secure; HttpOnly; SameSite=Lax")
        return replace(answer, headers=(*answer.headers, cookie))

    def recognise(request: Request, *more: Any) -> Response:
        given = re.search(r"__Host-known=([^;]+)", header(request.headers, "cookie") or "")
        person = known.get(given[1]) if given else None

        def skip(flow: Flow) -> Response:
            page = after_login(flow, person)
            return replace(page, headers=(*page.headers, ("Set-Cookie", gateway.session_cookie(flow))))

        login.begin = skip if person else begin
        return authorize(request, *more)

    gateway.after_login = remember
    gateway.authorize = recognise


@DEVIATIONS(
    "consent_comes_after_digid",
    "artifact_is_resolved_once",
    "stray_artifact_is_refused",
    "posted_answer_is_refused",
    *_NO_LOGIN,
    *_NOT_BELIEVED,
    warns=["weak_signature_is_refused"],
)
def consent_before_the_result(gateway: Dvza) -> None:
    """The consent question comes as soon as the browser is back; the result is fetched afterwards (JUR.11, UCI-V.step.7)."""
    login = _login(gateway)
    waiting: dict[str, tuple[Asked, Given]] = {}
    granted = gateway.granted

    def come_back(request: Request) -> Response:
        given = login.parameters(request)
        asked = login.asked_by(request, given)
        if asked is None:
            return gateway.error_page("This login does not belong to a session of this browser.")
        waiting[asked.flow.id] = (asked, given)
        asked.flow.person, asked.flow.stage = Person(key="somebody"), "consent"
        return gateway.consent_page(asked.flow)

    def fetch(flow: Flow, person: Person) -> Response:
        asked, given = waiting.pop(flow.id)
        try:
            flow.person = gateway.persons[login.identify(asked, given)]
        except (LoginRefusedError, KeyError) as error:
            return login.refuse(flow, str(error))
        return granted(flow, flow.person)

    login.come_back = come_back
    gateway.granted = fetch


# -------------------------------------------------------------------------------------------------------- the ArtifactResolve


@DEVIATIONS("artifact_is_resolved_once")
def artifact_resolved_twice(gateway: Dvza) -> None:
    """Each artifact is resolved twice (UCI-V.step.7, SAML.3)."""
    channel = _login(gateway).channel
    conformant = channel.post

    def post(url: str, body: bytes) -> bytes:
        answer = conformant(url, body)
        conformant(url, body)
        return answer

    channel.post = post


@DEVIATIONS("artifact_resolve_is_signed")
def artifact_resolve_unsigned(gateway: Dvza) -> None:
    """The ArtifactResolve is not signed (SAML.3)."""
    _change_resolve(gateway, lambda resolve: resolve.remove(resolve.find("./ds:Signature", NAMESPACES)))


@DEVIATIONS("artifact_resolve_is_signed")
def artifact_resolve_changed_after_signing(gateway: Dvza) -> None:
    """The ArtifactResolve is changed after it was signed (SAML.3)."""
    _change_resolve(gateway, lambda resolve: resolve.attrib.pop("Destination"))


@DEVIATIONS("artifact_resolve_is_signed")
def artifact_resolve_signed_with_another_key(gateway: Dvza) -> None:
    """The ArtifactResolve is signed with a key that is not in the metadata (SAML.3)."""
    _login(gateway).message_key = _stranger()


def _change_resolve(gateway: Dvza, change: Callable[[Element], Any]) -> None:
    login = _login(gateway)
    conformant = login.artifact_resolve

    def artifact_resolve(*given: str) -> Element:
        resolve = conformant(*given)
        change(resolve)
        return resolve

    login.artifact_resolve = artifact_resolve


@DEVIATIONS("artifact_resolve_is_complete")
def artifact_resolve_of_another(gateway: Dvza) -> None:
    """The issuer of the ArtifactResolve is not who stands in the metadata (SAML.3)."""
    login = _login(gateway)
    conformant = login.question

    def question(*given: str) -> Element:
        resolve = conformant(*given)
        resolve.find("./saml:Issuer", NAMESPACES).text += "/"
        return resolve

    login.question = question


@DEVIATIONS("artifact_resolve_uses_mutual_tls")
def no_certificate_at_digid(gateway: Dvza) -> None:
    """The gateway fetches the result without a certificate (SAML.3)."""
    _login(gateway).channel.identify = _nothing


@DEVIATIONS("unproven_digid_is_not_spoken_to")
def certificate_of_digid_not_checked(gateway: Dvza) -> None:
    """The result is fetched from whoever answers at the address of DigiD (SAML.3)."""
    _login(gateway).channel.peers.is_forgiven = lambda error, depth: True
    _login(gateway).channel.peers.admits_server = lambda chain, host, staple=b"": True


@DEVIATIONS("unproven_digid_is_not_spoken_to")
def host_of_digid_not_checked(gateway: Dvza) -> None:
    """Any certificate of a known authority will do for DigiD (SAML.3)."""
    _login(gateway).channel.peers.check_host = _nothing


@DEVIATIONS("unproven_digid_is_not_spoken_to")
def expiry_of_digid_not_checked(gateway: Dvza) -> None:
    """A certificate of DigiD that has expired will do (SAML.3)."""
    _login(gateway).channel.peers.is_forgiven = lambda error, depth: error == _EXPIRED


@DEVIATIONS("unproven_digid_is_not_spoken_to")
def status_of_digid_not_asked(gateway: Dvza) -> None:
    """The authority of DigiD's certificate is not asked about it (SAML.3)."""
    _login(gateway).channel.peers.check_status = _nothing


@DEVIATIONS("unproven_digid_is_not_spoken_to")
def revoked_digid_will_do(gateway: Dvza) -> None:
    """That DigiD's certificate was revoked is heard, and the result is fetched all the same (SAML.3)."""
    _login(gateway).channel.peers.heed_revoked = _nothing


@DEVIATIONS("posted_answer_is_refused")
def posted_answer_is_believed(gateway: Dvza) -> None:
    """A signed answer that the browser brings in a form is a login (SAML.3)."""
    login = _login(gateway)
    conformant, verifier = login.identify, login.verifier

    def identify(asked: Asked, given: Given) -> str:
        if "SAMLResponse" not in given:
            return conformant(asked, given)
        verifier.certificates = asked.provider.certificates
        response = parse_xml(b64decode(given["SAMLResponse"][0]))
        assertion = verifier.signed_assertion(verifier.assertion_in(response))
        verifier.check_assertion(assertion, login.expected(asked, ""))
        return verifier.number(verifier.name_in(assertion))

    login.identify = identify


# ---------------------------------------------------------------------------------------------------------- the way back


@DEVIATIONS("stray_artifact_is_refused")
def artifact_works_again(gateway: Dvza) -> None:
    """Who opens the address of the way back again is logged in again (UCI-V.step.6)."""
    login = _login(gateway)
    conformant = login.come_back
    done: dict[str, tuple[Flow, Person]] = {}
    after_login = gateway.after_login

    def remember(flow: Flow, person: Person | None) -> Response:
        if person:
            done[flow.id] = (flow, person)
        return after_login(flow, person)

    def come_back(request: Request) -> Response:
        cookies = header(request.headers, "cookie") or ""
        again = next((each for name, each in done.items() if f"__Host-flow-{name}={each[0].cookie}" in cookies), None)
        return after_login(*again) if again and again[0].stage == "consent" else conformant(request)

    gateway.after_login = remember
    login.come_back = come_back


@DEVIATIONS("stray_artifact_is_refused")
def any_browser_will_do(gateway: Dvza) -> None:
    """An artifact logs in whatever browser brings it: the flow is not bound to the one that began it (UCI-V.step.6)."""
    login = _login(gateway)
    after_login = gateway.after_login

    def with_cookie(flow: Flow, person: Person | None) -> Response:
        page = after_login(flow, person)
        return replace(page, headers=(*page.headers, ("Set-Cookie", gateway.session_cookie(flow))))

    login.is_of_this_browser = lambda _, flow: flow.stage == "login"
    gateway.after_login = with_cookie


@DEVIATIONS("unfitting_answer_is_refused", warns=["altered_relay_state_is_harmless"])
def relay_state_names_the_session(gateway: Dvza) -> None:
    """Whose RelayState comes back is logged in, whichever request of the gateway DigiD has answered (SAML.4, SAML.2)."""
    verifier = _verifier(gateway)
    login = _login(gateway)
    asked: set[str] = set()
    begin = login.ask

    def ask(*given: Any) -> Asked:
        one = begin(*given)
        asked.add(one.id)
        return one

    def check(element: Element, _: Expected) -> None:
        if element.get("InResponseTo") not in asked:
            raise LoginRefusedError("Response answers no request of ours")

    login.ask = ask
    verifier.check_response_is_ours = verifier.check_confirmation_is_ours = check


@DEVIATIONS(warns=["altered_relay_state_is_harmless"])
def relay_state_is_followed(gateway: Dvza) -> None:
    """An address in the RelayState is where the person is sent (SAML.2)."""
    login = _login(gateway)
    conformant = login.come_back

    def come_back(request: Request) -> Response:
        state = login.parameters(request).get("RelayState", [""])[0]
        if state.startswith("https://"):
            return Response(status=303, headers=(("Location", quote(state, safe=":/?&=%#")),))
        return conformant(request)

    login.come_back = come_back


# ------------------------------------------------------------------------------------------------------------ signatures


@DEVIATIONS("forged_answer_is_refused", "wrapped_answer_is_refused", warns=["weak_signature_is_refused"])
def answer_not_verified(gateway: Dvza) -> None:
    """Signatures of DigiD are not looked at (SAML.4)."""
    _verifier(gateway).verified = lambda element: element


@DEVIATIONS("forged_answer_is_refused", "wrapped_answer_is_refused", "unfitting_answer_is_refused")
def signature_checked_naively(gateway: Dvza) -> None:
    """Some signature somewhere in the answer is right, and the answer is read from the document (SAML.4)."""
    verifier = _verifier(gateway)
    only = verifier.only

    def answer_in(document: Element) -> Element:
        configuration = SignatureConfiguration(location=".//")
        for certificate in verifier.certificates:
            try:
                XMLVerifier().verify(
                    document, x509_cert=certificate, expect_config=configuration, id_attribute="ID", validate_schema=False
                )
            except Exception as error:
                raise LoginRefusedError(f"no valid signature: {error}") from error
        return document.find("./soap:Body/samlp:ArtifactResponse", NAMESPACES)

    verifier.check_document = _nothing
    verifier.answer_in = answer_in
    verifier.verified = lambda element: element
    verifier.only = lambda parent, name: only(parent, name) if name == "saml:NameID" else _first(parent, name)


def _first(parent: Element, name: str) -> Element:
    """The first element of that name, here or, failing that, anywhere below."""
    found = next((each for path in ("./", ".//") for each in parent.iterfind(f"{path}{name}", NAMESPACES)), None)
    if found is None:
        raise LoginRefusedError(f"no element {name}")
    return found


@DEVIATIONS("forged_answer_is_refused")
def signature_of_the_assertion_is_enough(gateway: Dvza) -> None:
    """Only the assertion has to be signed (SAML.4)."""
    verifier = _verifier(gateway)
    conformant = verifier.verified
    verifier.verified = lambda element: conformant(element) if element.tag.endswith("}Assertion") else element


@DEVIATIONS("forged_answer_is_refused", "wrapped_answer_is_refused")
def assertion_need_not_be_signed(gateway: Dvza) -> None:
    """The assertion needs no signature, though the metadata ask for one (SAML.4)."""
    _verifier(gateway).signed_assertion = lambda assertion: assertion


@DEVIATIONS("forged_answer_is_refused")
def any_key_will_do(gateway: Dvza) -> None:
    """The key of a signature is the one that the message brings along (SAML.4)."""
    verifier = _verifier(gateway)
    conformant = verifier.covered

    def covered(element: Element) -> Element:
        own = verifier.certificates
        texts = [each.text or "" for each in element.iterfind("./ds:Signature/ds:KeyInfo//ds:X509Certificate", NAMESPACES)]
        pems = [f"-----BEGIN CERTIFICATE-----\n{text.strip()}\n-----END CERTIFICATE-----\n" for text in texts]
        verifier.certificates = [x509.load_pem_x509_certificate(pem.encode()) for pem in pems] or own
        try:
            return conformant(element)
        finally:
            verifier.certificates = own

    verifier.covered = covered


@DEVIATIONS("forged_answer_is_refused")
def reference_not_checked(gateway: Dvza) -> None:
    """A signature may refer to whatever it likes, by whatever transforms (SAML.4)."""
    _verifier(gateway).check_form_of_signature = _nothing


@DEVIATIONS(warns=["weak_signature_is_refused"])
def signature_with_sha_1_counts(gateway: Dvza) -> None:
    """Signatures with SHA-1 are believed (SAML.4)."""
    verifier = _verifier(gateway)
    verifier.signature_methods |= {SignatureMethod.RSA_SHA1}
    verifier.digest_algorithms |= {DigestAlgorithm.SHA1}


# --------------------------------------------------------------------------------------------------------- what it says


@DEVIATIONS("failed_login_of_digid_ends_as_exception_2")
def status_of_the_lookup_is_not_read(gateway: Dvza) -> None:
    """The outer status is not looked at (SAML.7)."""
    _verifier(gateway).check_lookup = _nothing


@DEVIATIONS("failed_login_of_digid_ends_as_exception_2")
def status_of_the_login_is_not_read(gateway: Dvza) -> None:
    """The inner status is not looked at: where there is an assertion there was a login (SAML.7)."""
    _verifier(gateway).check_login = _nothing


def _refuse_on_a_page(gateway: Dvza, is_meant: Callable[[str], bool]) -> None:
    """Refusals for these reasons end on a page of the gateway."""
    login = _login(gateway)
    conformant = login.refuse

    def refuse(flow: Flow, why: str) -> Response:
        answer = conformant(flow, why)
        return gateway.error_page("You could not be logged in.") if is_meant(why) else answer

    login.refuse = refuse


@DEVIATIONS(*_NO_LOGIN)
def failed_login_stays_on_a_page(gateway: Dvza) -> None:
    """A login that failed ends on a page of the gateway, and the PGO hears nothing (SAML.7, UCI-V.exc.2)."""
    _refuse_on_a_page(gateway, lambda why: "status of" in why)


@DEVIATIONS(warns=[*_NOT_BELIEVED, "weak_signature_is_refused"])
def refused_answer_stays_on_a_page(gateway: Dvza) -> None:
    """An answer that is not believed ends on a page of the gateway, and the PGO hears nothing (SAML.4, SAML.5)."""
    _refuse_on_a_page(gateway, lambda why: not re.search("status of|0 elements (samlp:Response|saml:Assertion)", why))


@DEVIATIONS(*_NO_LOGIN, "stray_artifact_is_refused")
def failed_login_lets_somebody_in(gateway: Dvza) -> None:
    """When DigiD reports a failed login, the person who came last is let in (SAML.7, UCI-V.exc.2)."""
    verifier = _verifier(gateway)
    conformant = verifier.bsn
    last: list[str] = [next(bsn for bsn, person in gateway.persons.items() if person.available)]

    def bsn(data: bytes, expected: Expected) -> str:
        try:
            last[0] = conformant(data, expected)
        except LoginRefusedError as refusal:
            if "status of" not in str(refusal):
                raise
        return last[0]

    verifier.bsn = bsn


@DEVIATIONS("broken_answer_is_refused", "unproven_digid_is_not_spoken_to")
def no_answer_is_an_error_of_the_gateway(gateway: Dvza) -> None:
    """When DigiD gives no usable answer, the gateway breaks down (SAML.4)."""
    login = _login(gateway)
    conformant = login.come_back
    post = login.channel.post
    verified = login.verifier.bsn
    broken: list[str] = []

    def told(call: Callable[..., Any]) -> Callable[..., Any]:
        def attempt(*given: Any) -> Any:
            try:
                return call(*given)
            except (NoAnswerError, LoginRefusedError) as error:
                if isinstance(error, NoAnswerError) or re.search("no XML|SOAP|document type", str(error)):
                    broken.append(str(error))
                raise

        return attempt

    def come_back(request: Request) -> Response:
        broken.clear()
        answer = conformant(request)
        return gateway.error_page("Internal server error", status=500) if broken else answer

    login.channel.post = told(post)
    login.verifier.bsn = told(verified)
    login.come_back = come_back


@DEVIATIONS("broken_answer_is_refused")
def digid_is_waited_for(gateway: Dvza) -> None:
    """Whoever has logged in waits for as long as DigiD says nothing (SAML.4)."""
    _login(gateway).channel.limit_s = 600.0


def _unfitting(name: str, description: str, *rules: str, warns: Iterable[str] = ()) -> None:
    """A deviation that leaves out rules of the verifier which an unfitting answer breaks."""

    def apply(gateway: Dvza) -> None:
        for rule in rules:
            setattr(_verifier(gateway), rule, _nothing)

    apply.__name__ = name
    apply.__doc__ = f"{description} (SAML.4)."
    DEVIATIONS("unfitting_answer_is_refused", warns=warns)(apply)


_unfitting("answer_to_any_resolve", "An answer to another ArtifactResolve is taken", "check_answer_is_ours")
_unfitting(
    "response_to_any_request",
    "A login that was asked for by another AuthnRequest is taken",
    "check_response_is_ours",
    "check_confirmation_is_ours",
    warns=["altered_relay_state_is_harmless"],
)
_unfitting("response_in_response_to_anything", "It is not checked which AuthnRequest a Response answers", "check_response_is_ours")
_unfitting(
    "confirmation_of_anything", "It is not checked which AuthnRequest the subject was confirmed for", "check_confirmation_is_ours"
)
_unfitting("assertion_works_again", "An assertion with an ID that was used before is taken", "check_used_once")
_unfitting("any_recipient", "A confirmation for another recipient is taken", "check_recipient")
_unfitting("any_audience", "An assertion for another audience is taken", "check_audience")
_unfitting("any_issuer", "Whoever issued an answer is believed", "check_issuer")
_unfitting("any_issue_instant", "It does not matter when an answer was made", "check_issue_instant")
_unfitting("any_version", "Answers of another version, or without an ID, are taken", "check_version")
_unfitting("end_of_assertion_not_checked", "An assertion that has expired is taken", "check_end")
_unfitting("begin_of_assertion_not_checked", "An assertion that is not valid yet is taken", "check_begin")
_unfitting("confirmation_does_not_expire", "A confirmation that has expired is taken", "check_confirmation_time")
_unfitting("any_method", "The subject may be confirmed by any method", "check_method")
_unfitting("conditions_need_not_be_there", "The conditions of an assertion are not looked at", "check_conditions")
_unfitting("confirmation_need_not_be_there", "The confirmation of the subject is not looked at", "check_confirmation")


@DEVIATIONS("unfitting_answer_is_refused")
def statement_need_not_be_there(gateway: Dvza) -> None:
    """An assertion that does not say how the person logged in is taken (SAML.4)."""
    verifier = _verifier(gateway)
    conformant = verifier.check_authentication

    def check(assertion: Element, expected: Expected) -> None:
        if assertion.find("./saml:AuthnStatement", NAMESPACES) is not None:
            conformant(assertion, expected)

    verifier.check_authentication = check


@DEVIATIONS("unfitting_answer_is_refused")
def first_assertion_counts(gateway: Dvza) -> None:
    """Of two assertions the first counts (SAML.4)."""
    verifier = _verifier(gateway)
    verifier.assertion_in = lambda response: _first(response, "saml:Assertion")


@DEVIATIONS("unfitting_answer_is_refused")
def assertion_in_a_wrapper(gateway: Dvza) -> None:
    """An assertion may stand where an encrypted one belongs (SAML.4)."""
    verifier = _verifier(gateway)
    conformant = verifier.assertion_in

    def assertion_in(response: Element) -> Element:
        wrapper = response.find("./saml:EncryptedAssertion", NAMESPACES)
        return conformant(response if wrapper is None else wrapper)

    verifier.assertion_in = assertion_in


@DEVIATIONS("low_level_is_refused")
def any_level(gateway: Dvza) -> None:
    """The level that was reached is not looked at (SAML.4)."""
    _verifier(gateway).check_level = _nothing


@DEVIATIONS("low_level_is_refused")
def unknown_level_will_do(gateway: Dvza) -> None:
    """A level that nobody knows is taken for one that is high enough (SAML.4)."""
    verifier = _verifier(gateway)
    conformant = verifier.check_level

    def check(statement: Element, expected: Expected) -> None:
        reached = statement.findtext("./saml:AuthnContext/saml:AuthnContextClassRef", "", NAMESPACES)
        if reached in LEVELS.values():
            conformant(statement, expected)

    verifier.check_level = check


# --------------------------------------------------------------------------------------------------------- whom it names


@DEVIATIONS("other_identity_is_refused")
def any_sector(gateway: Dvza) -> None:
    """The digits count, whatever the sector before them (SAML.5)."""
    _verifier(gateway).check_sector = _nothing


@DEVIATIONS("other_identity_is_refused")
def name_without_sector(gateway: Dvza) -> None:
    """A name without a sector is taken for a BSN (SAML.5)."""
    verifier = _verifier(gateway)
    conformant = verifier.number
    verifier.number = lambda name: conformant(name if ":" in name else f"s00000000:{name}")


@DEVIATIONS("other_identity_is_refused")
def first_nine_digits(gateway: Dvza) -> None:
    """Of a number that is too long the first nine digits count (SAML.5)."""
    verifier = _verifier(gateway)
    conformant = verifier.number
    verifier.number = lambda name: conformant(name[:19])


@DEVIATIONS("other_identity_is_refused")
def name_ends_at_a_comment(gateway: Dvza) -> None:
    """Of a name the part before a comment counts (SAML.5)."""
    verifier = _verifier(gateway)
    names: list[str] = []
    assertion_in, number = verifier.assertion_in, verifier.number

    def remember(response: Element) -> Element:
        assertion = assertion_in(response)
        names[:] = [assertion.findtext(".//saml:NameID", "", NAMESPACES).strip()]
        return assertion

    verifier.assertion_in = remember
    verifier.number = lambda _: number(names[0])


@DEVIATIONS("other_identity_is_refused")
def first_name_counts(gateway: Dvza) -> None:
    """Of two names the first counts (SAML.5)."""
    verifier = _verifier(gateway)
    conformant = verifier.only
    verifier.only = lambda parent, name: _first(parent, name) if name == "saml:NameID" else conformant(parent, name)


@DEVIATIONS("other_identity_is_refused")
def no_bsn_is_nobody_known(gateway: Dvza) -> None:
    """Who is named by something that is no BSN counts as somebody of whom there is nothing (SAML.5)."""
    _verifier(gateway).check_number = _nothing


# ------------------------------------------------------------------------------------------- hostile, and unusual, answers


@DEVIATIONS("hostile_answer_makes_no_call")
def redirect_of_digid_is_followed(gateway: Dvza) -> None:
    """A redirect in place of an answer is followed (SAML.4)."""
    channel = _login(gateway).channel
    conformant, answered = channel.post, channel.check_status

    def post(url: str, body: bytes) -> bytes:
        seen: list[str] = []

        def check(status: int, location: str) -> None:
            seen.append(location)
            answered(status, location)

        channel.check_status = check
        try:
            return conformant(url, body)
        except NoAnswerError:
            if seen and seen[0]:
                conformant(seen[0], body)
            raise

    channel.post = post


@DEVIATIONS("hostile_answer_makes_no_call")
def external_entities_are_fetched(gateway: Dvza) -> None:
    """What an external entity points to is fetched (SAML.4)."""
    channel = _login(gateway).channel
    conformant = channel.post

    def post(url: str, body: bytes) -> bytes:
        answer = conformant(url, body)
        for address in re.findall(rb'<!ENTITY\s+\w+\s+SYSTEM\s+"(https://[^"]+)"', answer):
            _fetch(channel, address.decode())
        return answer

    channel.post = post


def _fetch(channel: DigidChannel, address: str) -> None:
    quiet = replace(channel)
    try:
        quiet.post(address, b"")
    except NoAnswerError:
        return


@DEVIATIONS("awkward_answer_is_accepted")
def higher_level_is_refused(gateway: Dvza) -> None:
    """Only the very level that was asked for will do (UCI-V.step.6)."""
    verifier = _verifier(gateway)

    def check(statement: Element, expected: Expected) -> None:
        if statement.findtext("./saml:AuthnContext/saml:AuthnContextClassRef", "", NAMESPACES) != LEVELS[expected.level]:
            raise LoginRefusedError("the level is another one")

    verifier.check_level = check


@DEVIATIONS("awkward_answer_is_accepted")
def prefixes_are_taken_literally(gateway: Dvza) -> None:
    """Answers are searched for the prefixes that DigiD happens to use (UCI-V.step.6)."""
    verifier = _verifier(gateway)
    conformant = verifier.bsn

    def bsn(data: bytes, expected: Expected) -> str:
        if b"<saml:NameID" not in data:
            raise LoginRefusedError("there is no name in the answer")
        return conformant(data, expected)

    verifier.bsn = bsn


# -------------------------------------------------------------------------------------------------- legal, and otherwise


@DEVIATIONS()
def authn_request_by_form(gateway: Dvza) -> None:
    """The AuthnRequest goes to DigiD in a form that a script sends, signed in the message."""
    login = _login(gateway)

    def begin(flow: Flow) -> Response:
        asked = login.ask(flow, IdentityProvider.read(login.settings.idp_metadata))
        login.open[asked.relay_state] = asked
        request = login.authn_request(asked)
        request.set("Destination", asked.provider.sign_on_by_form)
        request.insert(1, etree.Element(f"{{{NAMESPACES['ds']}}}Signature", Id="placeholder"))
        message = b64encode(etree.tostring(login.signed(request))).decode()
        form = (
            f'<form method="post" action="{html.escape(asked.provider.sign_on_by_form)}">'
            f'<input type="hidden" name="SAMLRequest" value="{message}">'
            f'<input type="hidden" name="RelayState" value="{asked.relay_state}">'
            "<noscript><button>To DigiD</button></noscript></form><script>document.forms[0].submit()</script>"
        )
        return gateway.page("To DigiD", form, extra=(("Set-Cookie", gateway.session_cookie(flow)),))

    login.begin = begin


@DEVIATIONS()
def way_back_by_address(gateway: Dvza) -> None:
    """The AuthnRequest names the address of the way back instead of its index, and the binding, and the gateway."""
    login = _login(gateway)
    login.way_back = lambda _: {
        "AssertionConsumerServiceURL": login.acs,
        "ProtocolBinding": ARTIFACT_BINDING,
        "ProviderName": "UMC Harderwijk & co",
    }


@DEVIATIONS()
def short_relay_state(gateway: Dvza) -> None:
    """The RelayState is short, and other characters stand in it."""
    login = _login(gateway)
    login.relay_state = lambda _: f"{secrets.token_hex(4)}+/={secrets.token_hex(4)} é"


@DEVIATIONS()
def connections_to_digid_pooled(gateway: Dvza) -> None:
    """Connections to DigiD are kept for whoever logs in next, as the HTTP clients of most server runtimes do.

    For two seconds it is taken for granted that they are still open, and a request that is lost by that is not repeated.
    """
    _login(gateway).channel.kept_s = 2.0
