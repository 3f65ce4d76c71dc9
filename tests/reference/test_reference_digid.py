"""The reference as a service provider of DigiD says what it should, and ends each flow as it should."""

import re
import shutil
import subprocess
import zlib
from base64 import b64decode
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from digid_idp import BACK, FRONT, MIDDEN, OTHER_BSN, Answer, find
from digid_site import HOST, Browser, Keys, Site, asks_consent, authorization, digid_member, ended
from lxml import etree

from medmij_conformance.reference.digid_login import DigidSettings

ENTITY = f"https://{HOST}/saml/metadata"


@pytest.fixture(scope="session")
def needs_xmlsec1() -> None:
    """Skips tests on a machine without the program xmlsec1."""
    if not shutil.which("xmlsec1"):
        pytest.skip("the program xmlsec1 is not installed")


def verify(document: bytes, element: str, certificate: Path, folder: Path) -> "subprocess.CompletedProcess[str]":
    """What xmlsec1 says of the signature in a document."""
    file = folder / "signed.xml"
    file.write_bytes(document)
    command = ["xmlsec1", "--verify", "--enabled-key-data", "rsa", "--pubkey-cert-pem", str(certificate), "--id-attr:ID", element]
    return subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=60, check=False)


# ------------------------------------------------------------------------------------------------------------- what it says


def test_a_login_leads_to_the_consent_question(site: Site) -> None:
    """Who has logged in at DigiD is asked for consent, and gets a code."""
    browser = Browser(site.gateway)
    page = browser.get(site.idp.login(browser.authorize()))
    assert site.login.refusals == []
    assert asks_consent(page)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page.text))
    done = ended(browser.post(f"https://{HOST}/consent", decision="grant", **hidden))
    assert done["state"] == "a-state-of-the-pgo"
    assert site.gateway.codes[done["code"]].person.key == "roos"


def test_the_request_says_what_digid_needs(site: Site) -> None:
    """The AuthnRequest names both sides, the level and the way back, and asks for a new login."""
    where = Browser(site.gateway).authorize()
    site.idp.login(where)
    (request,) = site.idp.requests
    assert where.startswith(f"https://{FRONT}/request?SAMLRequest=")
    assert request.tag == "{urn:oasis:names:tc:SAML:2.0:protocol}AuthnRequest"
    assert {name: value for name, value in request.items() if name not in {"ID", "IssueInstant"}} == {
        "Version": "2.0",
        "Destination": f"https://{FRONT}/request",
        "ForceAuthn": "true",
        "AssertionConsumerServiceIndex": "0",
    }
    assert find(request, "saml:Issuer").text == ENTITY
    assert find(request, "samlp:RequestedAuthnContext").get("Comparison") == "minimum"
    assert find(request, "saml:AuthnContextClassRef").text == MIDDEN
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", request.get("IssueInstant"))


def test_requests_are_told_apart_and_cannot_be_guessed(site: Site) -> None:
    """Each login has an ID and a relay state of its own, long enough and without a meaning."""
    places = [Browser(site.gateway).authorize() for _ in range(20)]
    states = [parse_qs(urlsplit(place).query)["RelayState"][0] for place in places]
    for place in places:
        site.idp.login(place)
    ids = [request.get("ID") for request in site.idp.requests]
    assert len(set(ids)) == len(set(states)) == 20
    assert all(re.fullmatch("_[0-9a-f]{40}", each) for each in ids)
    assert all(20 <= len(state) <= 80 and "a-state" not in state for state in states)


def test_the_request_is_signed_as_it_is_sent(site: Site, keys: Keys) -> None:
    """The signature of the redirect is over the octets of the query, by RSA and SHA-256; the XML holds none."""
    query = urlsplit(Browser(site.gateway).authorize()).query
    signed, _, signature = query.partition("&Signature=")
    assert [pair.partition("=")[0] for pair in signed.split("&")] == ["SAMLRequest", "RelayState", "SigAlg"]
    assert unquote(signed).endswith("SigAlg=http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
    key = keys.provider.key.public_key()
    key.verify(b64decode(unquote(signature)), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    xml = zlib.decompress(b64decode(parse_qs(query)["SAMLRequest"][0]), -15)
    assert b"Signature" not in xml


def test_the_redirect_is_not_stored(site: Site) -> None:
    """The redirect to DigiD is kept nowhere, and ties the browser to the flow."""
    answer = Browser(site.gateway).get(authorization())
    assert answer.header("cache-control") == "no-cache, no-store"
    assert answer.header("pragma") == "no-cache"
    assert "__Host-flow-" in (answer.header("set-cookie") or "")


@pytest.mark.usefixtures("needs_xmlsec1")
def test_the_metadata_are_signed(site: Site, tmp_path: Path) -> None:
    """Our metadata name key and address, and another program finds their signature right, and not after a change."""
    document = site.login.metadata()
    root = etree.fromstring(document)
    assert root.get("entityID") == ENTITY
    (service,) = root.iter("{urn:oasis:names:tc:SAML:2.0:metadata}AssertionConsumerService")
    assert service.get("Location") == f"https://{HOST}/saml/acs"
    certificate = site.folder / "provider.pem"
    element = "urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor"
    seen = verify(document, element, certificate, tmp_path)
    assert seen.returncode == 0, seen.stderr
    assert verify(document.replace(b"/saml/acs", b"/saml/abc"), element, certificate, tmp_path).returncode != 0


@pytest.mark.usefixtures("needs_xmlsec1")
def test_the_artifact_is_resolved_once_with_certificate_and_signature(site: Site, keys: Keys, tmp_path: Path) -> None:
    """One ArtifactResolve, over mutual TLS, whose signature another program finds right."""
    site.collect()
    (message,), (peer,) = site.idp.resolves, site.idp.peers
    assert peer.certificate == keys.provider.certificate
    assert peer.errors == ()
    resolve = find(etree.fromstring(message), "samlp:ArtifactResolve")
    assert resolve.get("Destination") == f"https://{BACK}/resolve"
    assert [etree.QName(child).localname for child in resolve] == ["Issuer", "Signature", "Artifact"]
    element = "urn:oasis:names:tc:SAML:2.0:protocol:ArtifactResolve"
    seen = verify(message, element, site.folder / "provider.pem", tmp_path)
    assert seen.returncode == 0, seen.stderr
    changed = message.replace(b">AAQAA", b">AAQAB")
    assert changed != message
    assert verify(changed, element, site.folder / "provider.pem", tmp_path).returncode != 0


# ------------------------------------------------------------------------------------------------------------ the way back


def test_every_collection_has_its_own_login(site: Site) -> None:
    """A second collection in the same browser begins at DigiD again, with another request."""
    browser = Browser(site.gateway)
    assert asks_consent(browser.get(site.idp.login(browser.authorize())))
    assert asks_consent(browser.get(site.idp.login(browser.authorize())))
    assert len({request.get("ID") for request in site.idp.requests}) == 2


def test_two_tabs_stay_apart(site: Site) -> None:
    """Two logins at once in one browser belong to one flow each, in whatever order they come back."""
    browser = Browser(site.gateway)
    first, second = (site.idp.login(browser.authorize(state)) for state in ("one", "two"))
    site.idp.answer = Answer(values={"name": f"s00000000:{OTHER_BSN}"})
    assert asks_consent(browser.get(second))
    site.idp.answer = Answer()
    assert asks_consent(browser.get(first))
    assert {flow.state: flow.person and flow.person.key for flow in site.gateway.flows.values()} == {"one": "roos", "two": "sanne"}


def test_the_artifact_may_be_posted(site: Site) -> None:
    """The artifact binding knows forms too."""
    browser = Browser(site.gateway)
    given = parse_qs(urlsplit(site.idp.login(browser.authorize())).query)
    assert asks_consent(browser.post(site.login.acs, SAMLart=given["SAMLart"][0], RelayState=given["RelayState"][0]))


def test_the_same_way_back_works_once(site: Site) -> None:
    """Who opens the address of the way back again sees an error; the artifact is not resolved again."""
    browser = Browser(site.gateway)
    back = site.idp.login(browser.authorize())
    assert asks_consent(browser.get(back))
    again = browser.get(back)
    assert again.status == 400
    assert "<form" not in again.text
    assert len(site.idp.resolves) == 1


def test_another_browser_gets_nothing(site: Site) -> None:
    """An artifact in another browser logs nobody in, there or in the right one; that can still go on."""
    browser, thief = Browser(site.gateway), Browser(site.gateway)
    thief.authorize()
    back = site.idp.login(browser.authorize())
    assert thief.get(back).status == 400
    assert site.idp.resolves == []
    assert asks_consent(browser.get(back))


@pytest.mark.parametrize("state", [None, "", "x" * 500, "https://evil.test/"])
def test_another_relay_state_ends_on_a_page(site: Site, state: str | None) -> None:
    """A way back that fits no login ends on a page that leads nowhere."""
    browser = Browser(site.gateway)
    given = {name: values[0] for name, values in parse_qs(urlsplit(site.idp.login(browser.authorize())).query).items()}
    changed = {**given, "RelayState": state} if state is not None else {"SAMLart": given["SAMLart"]}
    answer = browser.get(f"{site.login.acs}?{urlencode(changed)}")
    assert answer.status == 400
    assert answer.header("location") is None
    assert site.idp.resolves == []


@pytest.mark.parametrize(
    ("artifact", "why"),
    [
        (None, "0 artifacts"),
        ("", "another shape"),
        ("no base64!", "another shape"),
        ("AAQAAA==", "another shape"),
        ("https://other.idp.test/metadata", "another source"),
    ],
)
def test_another_artifact_is_exception_2(site: Site, artifact: str | None, why: str) -> None:
    """What is no artifact of DigiD ends the flow and is not resolved."""
    browser = Browser(site.gateway)
    given = {name: values[0] for name, values in parse_qs(urlsplit(site.idp.login(browser.authorize())).query).items()}
    if artifact and artifact.startswith("https:"):
        artifact = site.idp.artifact(artifact)
    changed = {"RelayState": given["RelayState"], **({} if artifact is None else {"SAMLart": artifact})}
    answer = ended(browser.get(f"{site.login.acs}?{urlencode(changed)}"))
    assert answer == {"error": "unauthorized_client", "state": "a-state-of-the-pgo"}
    assert why in site.login.refusals[-1]
    assert site.idp.resolves == []


def test_two_artifacts_or_a_posted_response_are_exception_2(site: Site) -> None:
    """Neither a second artifact nor a response that comes through the browser is looked at."""
    for more in ("SAMLart=AAQ", "SAMLResponse=PHg%2BPC94Pg"):
        browser = Browser(site.gateway)
        answer = ended(browser.get(f"{site.idp.login(browser.authorize())}&{more}"))
        assert answer == {"error": "unauthorized_client", "state": "a-state-of-the-pgo"}
    assert site.idp.resolves == []


def test_an_artifact_of_another_flow_is_used_once(site: Site) -> None:
    """An artifact that one flow has used is of no use to another."""
    browser = Browser(site.gateway)
    first = site.idp.login(browser.authorize())
    assert asks_consent(browser.get(first))
    artifact = parse_qs(urlsplit(first).query)["SAMLart"][0]
    state = parse_qs(urlsplit(site.idp.login(browser.authorize())).query)["RelayState"][0]
    answer = browser.get(f"{site.login.acs}?{urlencode({'SAMLart': artifact, 'RelayState': state})}")
    assert ended(answer)["error"] == "unauthorized_client"
    assert "used before" in site.login.refusals[-1]
    assert len(site.idp.resolves) == 1


def test_who_stays_away_too_long_begins_anew(site: Site) -> None:
    """After more than a quarter of an hour the way back is exception 2."""
    browser = Browser(site.gateway)
    back = site.idp.login(browser.authorize())
    now = site.login.now
    site.login.now = lambda: now() + site.login.open_for * 1.1
    assert ended(browser.get(back))["error"] == "unauthorized_client"
    assert "too long" in site.login.refusals[-1]


def test_a_refused_flow_is_dead_and_noted(site: Site) -> None:
    """After exception 2 there is no flow, no consent and no code, and the register says what happened."""
    answer = site.collect(Answer(values={"inner_status": "urn:oasis:names:tc:SAML:2.0:status:Responder"}))
    assert ended(answer) == {"error": "unauthorized_client", "state": "a-state-of-the-pgo"}
    assert site.gateway.flows == site.gateway.codes == {}
    assert [row["outcome"] for row in site.gateway.log] == ["not_identified"]


def test_the_own_page_is_closed(site: Site) -> None:
    """With DigiD nobody logs in at the gateway itself."""
    browser = Browser(site.gateway)
    browser.authorize()
    (flow,) = site.gateway.flows
    assert browser.post(f"https://{HOST}/login", flow=flow, action="login", bsn=OTHER_BSN).status == 404


def test_without_metadata_of_digid_nobody_is_identified(site: Site, tmp_path: Path) -> None:
    """What cannot be read is exception 2, and told."""
    for text in (
        "",
        "<x/>",
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"><IDPSSODescriptor/></EntityDescriptor>',
    ):
        file = tmp_path / "idp.xml"
        file.write_text(text, encoding="utf-8")
        site.login.settings = DigidSettings.from_json({**digid_member(site.idp), "idp_metadata": str(file)}, site.folder)
        where = Browser(site.gateway).authorize()
        assert "error=unauthorized_client" in where
        assert str(file) in site.login.refusals[-1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"entity_id": 7}, "digid.entity_id"),
        ({"level": "high"}, "digid.level"),
        ({"key": "ca.pem"}, "digid.key"),
        ({"certificate": "no.pem"}, "digid.cert"),
    ],
)
def test_wrong_settings_are_told(site: Site, change: dict[str, object], told: str) -> None:
    """A wrong member of the settings is named."""
    with pytest.raises(ValueError, match=told):
        DigidSettings.from_json({**digid_member(site.idp), **change}, site.folder)
