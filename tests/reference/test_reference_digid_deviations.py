"""A deviation of the service provider is wrong in what it says, and in nothing else."""

import re
from base64 import b64decode

import pytest
from answers import REFUSED, WRAPPED
from digid_idp import Answer
from digid_site import Browser, Keys, Site, asks_consent, authorization, ended
from lxml import etree
from signxml.verifier import SignatureConfiguration, XMLVerifier

from medmij_conformance.reference.dvza import Dvza
from medmij_conformance.reference.dvza_deviations import DEVIATIONS, digid

OWN = [name for name, each in DEVIATIONS.by_name.items() if each.apply.__module__ == digid.__name__]

BELIEVES = {
    "status-of-the-lookup-is-not-read": ["outer-status"],
    "status-of-the-login-is-not-read": ["failed-with-assertion"],
    "failed-login-lets-somebody-in": ["cancelled", "level-not-reached", "unknown-artifact"],
    "signature-of-the-assertion-is-enough": ["answer-unsigned"],
    "assertion-need-not-be-signed": ["assertion-unsigned"],
    "answer-not-verified": ["unsigned", "digit-changed", "sha1"],
    "signature-with-sha-1-counts": ["sha1"],
    "answer-to-any-resolve": ["answer-to-other", "answer-to-nothing"],
    "response-in-response-to-anything": ["response-to-other", "response-to-nothing"],
    "confirmation-of-anything": ["confirmation-to-other", "confirmation-to-nothing"],
    "any-recipient": ["recipient", "no-recipient"],
    "any-audience": ["audience", "no-audience"],
    "any-issuer": ["answer-issuer", "response-issuer", "assertion-issuer"],
    "any-issue-instant": ["answer-old", "response-old", "assertion-old", "assertion-ahead"],
    "any-version": ["answer-version", "response-version", "assertion-version"],
    "end-of-assertion-not-checked": ["expired", "no-end"],
    "begin-of-assertion-not-checked": ["not-yet-valid"],
    "confirmation-does-not-expire": ["confirmation-expired", "confirmation-not-yet"],
    "any-method": ["holder-of-key"],
    "conditions-need-not-be-there": ["no-conditions"],
    "confirmation-need-not-be-there": ["no-confirmation"],
    "statement-need-not-be-there": ["no-statement"],
    "any-level": ["level-below", "unknown-level"],
    "unknown-level-will-do": ["unknown-level", "no-level"],
    "any-sector": ["sofi"],
    "name-without-sector": ["no-sector"],
    "first-name-counts": ["two-names"],
}
"""Which wrong answers each gullible deviation takes for a login."""


def deviate(gateway: Dvza, name: str) -> None:
    """Break one rule."""
    DEVIATIONS.by_name[name].apply(gateway)


@pytest.mark.parametrize(("name", "fault"), [(name, fault) for name, faults in BELIEVES.items() for fault in faults])
def test_a_gullible_gateway_believes_it(site: Site, name: str, fault: str) -> None:
    """What the conformant gateway refuses, the one without that rule takes for a login."""
    deviate(site.gateway, name)
    assert asks_consent(site.collect(REFUSED[fault][0])), site.login.refusals


@pytest.mark.parametrize("name", sorted(set(WRAPPED) - {"h5"}))
def test_a_naive_gateway_is_deceived(site: Site, name: str) -> None:
    """Who verifies some signature and reads the document lets in whom the forged part names."""
    deviate(site.gateway, "signature-checked-naively")
    assert asks_consent(site.collect(WRAPPED[name])), site.login.refusals
    assert [flow.person and flow.person.key for flow in site.gateway.flows.values()] == ["sanne"]


def test_a_gateway_that_trusts_the_message_is_deceived(site: Site, keys: Keys) -> None:
    """Who takes the key that comes along believes anybody."""
    deviate(site.gateway, "any-key-will-do")
    assert asks_consent(site.collect(Answer(signed_by=keys.other)))


@pytest.mark.parametrize(
    "name", sorted(set(OWN) - {"authn-request-by-form", "digid-in-a-frame", "login-by-own-form", "prefixes-are-taken-literally"})
)
def test_a_right_login_still_works(site: Site, name: str) -> None:
    """A deviation breaks one rule: who logs in as usual gets as far as usual."""
    deviate(site.gateway, name)
    assert asks_consent(site.collect()), site.login.refusals


def test_oddities_change_what_is_said(site: Site) -> None:
    """The legal oddities are real: another address to return to, another relay state, a form in place of a redirect."""
    deviate(site.gateway, "way-back-by-address")
    deviate(site.gateway, "short-relay-state")
    site.collect()
    (request,) = site.idp.requests
    assert request.get("AssertionConsumerServiceURL") == site.login.acs
    assert request.get("AssertionConsumerServiceIndex") is None
    assert re.search(r"RelayState=[0-9a-f]{8}%2B%2F%3D[0-9a-f]{8}%20%C3%A9&", site.idp.queries[0])


def test_the_authn_request_may_come_in_a_form(site: Site, keys: Keys) -> None:
    """As a form the AuthnRequest holds its signature, and the login ends as any other."""
    deviate(site.gateway, "authn-request-by-form")
    browser = Browser(site.gateway)
    page = browser.get(authorization())
    form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page.text))
    assert 'action="https://digid.idp.test/post"' in page.text
    configuration = SignatureConfiguration(location="./")
    seen = XMLVerifier().verify(
        b64decode(form["SAMLRequest"]), x509_cert=keys.provider.certificate, expect_config=configuration, id_attribute="ID"
    )
    assert seen.signed_xml.get("Destination") == "https://digid.idp.test/post"
    assert [etree.QName(child).localname for child in etree.fromstring(b64decode(form["SAMLRequest"]))][:2] == [
        "Issuer",
        "Signature",
    ]
    assert asks_consent(browser.get(site.idp.issue(seen.signed_xml, form["RelayState"])))


def test_deviations_need_digid(site: Site) -> None:
    """A gateway with a page of its own cannot be wrong with DigiD."""
    bare = Dvza(hostname="za.reference.test", back_port=1, offers=(), persons={}, clients={})
    for name in OWN:
        with pytest.raises(ValueError, match="DigiD"):
            deviate(bare, name)


def test_consent_before_the_result_ends_as_it_should(site: Site) -> None:
    """With the steps in another order a failed login still yields no code."""
    deviate(site.gateway, "consent-before-the-result")
    browser = Browser(site.gateway)
    site.idp.answer = REFUSED["cancelled"][0]
    page = browser.get(site.idp.login(browser.authorize()))
    assert asks_consent(page)
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', page.text))
    answer = browser.post("https://za.reference.test/consent", decision="grant", **hidden)
    assert ended(answer)["error"] == "unauthorized_client"
