"""Answers of DigiD that must not be believed, one thing wrong in each, and right ones that look unusual."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from digid_idp import BSN, ENTITY, HANG_UP, NS, OTHER_BSN, Answer, find, later
from lxml import etree

from medmij_conformance.evidence import Response

STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
EVIL = f"s00000000:{OTHER_BSN}"
SOAP_FAULT = f'<s:Envelope xmlns:s="{NS["soap"]}"><s:Body><s:Fault><faultcode>s:Server</faultcode></s:Fault></s:Body></s:Envelope>'
BOMB = '<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">]>'


def values(**changed: str) -> Answer:
    """A right answer but for these values."""
    return Answer(values=changed)


def without(name: str, *, of: str = "assertion") -> Answer:
    """A right answer in which an element or, with @, an attribute is missing before it is signed."""
    return Answer(**{of: lambda root: _removed(root, name)})


def _removed(root: Any, name: str) -> Any:
    place, _, attribute = name.partition("@")
    element = find(root, place) if place else root
    if attribute:
        del element.attrib[attribute]
    else:
        element.getparent().remove(element)
    return root


def answered(status: int = 200, body: bytes | None = None, **headers: str) -> Answer:
    """Something else than the answer, or with another status."""
    shown = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(respond=lambda right: Response(status=status, headers=shown, body=right if body is None else body))


def _nested_status(code: str, message: str = "") -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        status = find(answer, "samlp:Response").find("./samlp:Status", NS)
        status[0].set("Value", f"{STATUS}Responder")
        etree.SubElement(status[0], f"{{{NS['samlp']}}}StatusCode", Value=f"{STATUS}{code}")
        if message:
            etree.SubElement(status, f"{{{NS['samlp']}}}StatusMessage").text = message
        return answer

    return change


def failed(code: str, message: str = "", **more: Any) -> Answer:
    """A login that failed: the inner status says so."""
    return Answer(answer=_nested_status(code, message), **{"assertion": lambda _: None, **more})


def _with_fractions(assertion: Any) -> Any:
    assertion.set("IssueInstant", assertion.get("IssueInstant").replace("Z", ".123Z"))
    return assertion


def _two_names(assertion: Any) -> Any:
    name = find(assertion, "saml:NameID")
    name.addnext(other := copy.deepcopy(name))
    other.text = EVIL
    return assertion


# --------------------------------------------------------------------------------------------------- signature wrapping


def _parts(envelope: Any) -> tuple[Any, Any, Any]:
    body = envelope[0]
    return body, body[0], find(body, "saml:Assertion")


def _forged(element: Any, *, signature: bool = False, new_id: bool = True) -> Any:
    """A copy for somebody else, with a new ID and without signature."""
    copied = copy.deepcopy(element)
    find(copied, "saml:NameID").text = EVIL
    for each in [copied, *copied.iter("{*}Response", "{*}Assertion")] if new_id else []:
        each.set("ID", f"{each.get('ID')}f")
    if not signature:
        for each in copied.findall(".//ds:Signature", NS):
            each.getparent().remove(each)
    return copied


def _stripped(element: Any) -> tuple[Any, Any]:
    """The element without its signature but with what follows that, and the signature."""
    signature = element.find("./ds:Signature", NS)
    signature.getprevious().tail = f"{signature.getprevious().tail or ''}{signature.tail or ''}"
    signature.tail = None
    element.remove(signature)
    return element, signature


def _replaced(old: Any, new: Any) -> None:
    old.getparent().replace(old, new)


def h1(envelope: Any) -> Any:
    """The original answer, without its signature, inside the signature of a forged one."""
    _, answer, _ = _parts(envelope)
    forged = _forged(answer)
    _replaced(answer, forged)
    original, signature = _stripped(answer)
    signature.append(original)
    forged.insert(1, signature)
    return envelope


def h2(envelope: Any) -> Any:
    """The original answer stands before a detached signature in a forged one."""
    _, answer, _ = _parts(envelope)
    forged = _forged(answer)
    _replaced(answer, forged)
    original, signature = _stripped(answer)
    forged.insert(1, signature)
    forged.insert(1, original)
    return envelope


def h3(answer: Any) -> Any:
    """A forged assertion stands before the original one."""
    assertion = find(answer, "saml:Assertion")
    assertion.addprevious(_forged(assertion))
    return answer


def h4(answer: Any) -> Any:
    """A forged assertion wraps the original one."""
    assertion = find(answer, "saml:Assertion")
    forged = _forged(assertion)
    _replaced(assertion, forged)
    forged.append(assertion)
    return answer


def h5(answer: Any) -> Any:
    """The original assertion has another ID; a copy with its ID and without signature follows."""
    assertion = find(answer, "saml:Assertion")
    forged = _forged(assertion, new_id=False)
    assertion.set("ID", "_changed")
    assertion.addnext(forged)
    return answer


def h6(answer: Any) -> Any:
    """The assertion is forged and has another ID; the unsigned original stands inside its signature."""
    assertion = find(answer, "saml:Assertion")
    original, _ = _stripped(copy.deepcopy(assertion))
    find(assertion, "saml:NameID").text = EVIL
    assertion.set("ID", "_changed")
    assertion.find("./ds:Signature", NS).append(original)
    return answer


def h7(answer: Any) -> Any:
    """The original assertion moved into Extensions, a forged one has its place."""
    assertion = find(answer, "saml:Assertion")
    extensions = etree.Element(f"{{{NS['samlp']}}}Extensions")
    _replaced(assertion, _forged(assertion))
    extensions.append(assertion)
    find(answer, "samlp:Response").insert(1, extensions)
    return answer


def h8(envelope: Any) -> Any:
    """The original answer stands in an Object of its own signature, in a forged answer."""
    _, answer, _ = _parts(envelope)
    forged = _forged(answer)
    _replaced(answer, forged)
    original, signature = _stripped(answer)
    etree.SubElement(signature, f"{{{NS['ds']}}}Object").append(original)
    forged.insert(1, signature)
    return envelope


def h9(envelope: Any) -> Any:
    """A forged answer in the SOAP body, the original in its header."""
    body, answer, _ = _parts(envelope)
    header = etree.Element(f"{{{NS['soap']}}}Header")
    _replaced(answer, _forged(answer))
    header.append(answer)
    body.addprevious(header)
    return envelope


def h10(envelope: Any) -> Any:
    """Two answers in the SOAP body, the forged one first."""
    _, answer, _ = _parts(envelope)
    answer.addprevious(_forged(answer))
    return envelope


WRAPPED: Mapping[str, Answer] = {
    **{each.__name__: Answer(document=each) for each in (h1, h2, h8, h9, h10)},
    **{each.__name__: Answer(inside=each) for each in (h3, h4, h5, h6, h7)},
}


def _reference(uri: str) -> Callable[[Any], Any]:
    def change(envelope: Any) -> Any:
        envelope[0][0].find("./ds:Signature/ds:SignedInfo/ds:Reference", NS).set("URI", uri)
        return envelope

    return change


def _two_references(envelope: Any) -> Any:
    reference = envelope[0][0].find("./ds:Signature/ds:SignedInfo/ds:Reference", NS)
    reference.addnext(copy.deepcopy(reference))
    return envelope


def _inner_signature_outside(envelope: Any) -> Any:
    _, answer, assertion = _parts(envelope)
    _replaced(answer.find("./ds:Signature", NS), copy.deepcopy(assertion.find("./ds:Signature", NS)))
    return envelope


def _xslt(envelope: Any) -> Any:
    transforms = envelope[0][0].find("./ds:Signature/ds:SignedInfo/ds:Reference/ds:Transforms", NS)
    etree.SubElement(transforms, f"{{{NS['ds']}}}Transform", Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116")
    return envelope


def _duplicate_id(envelope: Any) -> Any:
    _, answer, _ = _parts(envelope)
    header = etree.Element(f"{{{NS['soap']}}}Header")
    header.append(etree.Element("x", ID=answer.get("ID")))
    envelope.insert(0, header)
    return envelope


def _digit_changed(data: bytes) -> bytes:
    return data.replace(BSN.encode(), OTHER_BSN.encode())


REFUSED: Mapping[str, tuple[Answer, str]] = {
    # the login did not succeed
    "cancelled": (failed("AuthnFailed"), "status of Response"),
    "cancelled-with-message": (failed("AuthnFailed", "Authentication cancelled"), "status of Response"),
    "level-not-reached": (failed("NoAuthnContext"), "status of Response"),
    "request-denied": (failed("RequestDenied"), "status of Response"),
    "unknown-status": (failed("Whatever"), "status of Response"),
    "failed-with-assertion": (Answer(answer=_nested_status("AuthnFailed")), "status of Response"),
    "unknown-artifact": (
        Answer(
            values={"outer_status": f"{STATUS}Requester"},
            assertion=lambda _: None,
            answer=lambda root: _removed(root, "samlp:Response"),
        ),
        "status of ArtifactResponse",
    ),
    "outer-status": (values(outer_status=f"{STATUS}Requester"), "status of ArtifactResponse"),
    "expired-artifact": (
        Answer(assertion=lambda _: None, answer=lambda root: _removed(root, "samlp:Response")),
        "0 elements samlp:Response",
    ),
    "no-assertion": (Answer(assertion=lambda _: None), "0 elements saml:Assertion"),
    # what answers is no DigiD
    "http-404": (answered(404), "status 404"),
    "http-500": (answered(500), "status 500"),
    "empty": (answered(body=b""), "no XML"),
    "html": (answered(body=b"<html><p>Sorry"), "no XML"),
    "html-that-is-xml": (answered(body=b"<html/>"), "no SOAP envelope"),
    "soap-fault": (answered(body=SOAP_FAULT.encode()), "0 elements samlp:ArtifactResponse"),
    "redirect": (answered(302, Location="https://evil.test/"), "status 302"),
    "reset": (Answer(respond=lambda _: Response(status=HANG_UP)), "closed the connection"),
    "huge": (Answer(data=lambda data: data.replace(b"</soap:Envelope>", b" " * 300_000 + b"</soap:Envelope>")), "larger than"),
    "doctype": (Answer(data=lambda data: b"<!DOCTYPE soap>" + data), "document type"),
    "entities": (Answer(data=lambda data: BOMB.encode() + data.replace(BSN.encode(), b"&c;" + BSN.encode())), "document type"),
    "deep": (Answer(data=lambda data: data.replace(b"<soap:Body>", b"<x>" * 300 + b"</x>" * 300 + b"<soap:Body>")), "no XML"),
    # signatures
    "unsigned": (Answer(sign_answer=False, sign_assertion=False), "0 elements ds:Signature"),
    "answer-unsigned": (Answer(sign_answer=False), "0 elements ds:Signature"),
    "assertion-unsigned": (Answer(sign_assertion=False), "0 elements ds:Signature"),
    "digit-changed": (Answer(data=_digit_changed), "no valid signature"),
    "sha1": (Answer(sha="1"), "no valid signature"),
    "reference-elsewhere": (Answer(document=_reference("#_other")), "another element"),
    "reference-empty": (Answer(document=_reference("")), "another element"),
    "two-references": (Answer(document=_two_references), "2 elements ds:Reference"),
    "inner-signature-outside": (Answer(document=_inner_signature_outside), "another element"),
    "xslt": (Answer(document=_xslt), "other transforms"),
    "duplicate-id": (Answer(document=_duplicate_id), "more than once"),
    # whose answer, for whom, when
    "answer-to-other": (values(answer_to="_other"), "ArtifactResponse answers another"),
    "answer-to-nothing": (without("@InResponseTo", of="answer"), "ArtifactResponse answers another"),
    "response-to-other": (values(response_to="_other"), "Response answers another"),
    "response-to-nothing": (without("samlp:Response@InResponseTo", of="answer"), "Response answers another"),
    "confirmation-to-other": (values(confirmation_to="_other"), "confirmation .* answers another"),
    "confirmation-to-nothing": (without("saml:SubjectConfirmationData@InResponseTo"), "confirmation .* answers another"),
    "answer-issuer": (values(answer_issuer="https://evil.test"), "issuer of ArtifactResponse"),
    "response-issuer": (values(response_issuer="https://evil.test"), "issuer of Response"),
    "assertion-issuer": (values(assertion_issuer=f"{ENTITY}x"), "issuer of Assertion"),
    "destination": (
        Answer(answer=lambda root: _with(root, "samlp:Response", Destination="https://other.test/acs")),
        "another address",
    ),
    "recipient": (values(recipient="https://other.test/saml/acs"), "another recipient"),
    "no-recipient": (without("saml:SubjectConfirmationData@Recipient"), "another recipient"),
    "audience": (values(audience="https://other.test"), "another audience"),
    "no-audience": (without("saml:AudienceRestriction"), "another audience"),
    "second-audience-restriction": (Answer(assertion=lambda root: _other_restriction(root)), "another audience"),
    "expired": (values(end=later(minutes=-10)), "Assertion has expired"),
    "not-yet-valid": (values(begin=later(minutes=10)), "not valid yet"),
    "confirmation-expired": (values(confirmed_until=later(minutes=-10)), "confirmation .* expired"),
    "confirmation-not-yet": (
        Answer(assertion=lambda root: _with(root, "saml:SubjectConfirmationData", NotBefore=later(minutes=10))),
        "confirmation .* not valid yet",
    ),
    "no-end": (without("saml:Conditions@NotOnOrAfter"), "NotOnOrAfter of Conditions is no time"),
    "end-without-zone": (values(end=later(minutes=2).removesuffix("Z")), "names no zone"),
    "answer-old": (values(answer_instant=later(hours=-1)), "ArtifactResponse was not made just now"),
    "response-old": (values(response_instant=later(hours=-1)), "Response was not made just now"),
    "assertion-old": (values(assertion_instant=later(hours=-1)), "Assertion was not made just now"),
    "assertion-ahead": (values(assertion_instant=later(hours=1)), "Assertion was not made just now"),
    "earlier-login": (values(login_at=later(minutes=-10)), "logged in at another time"),
    "no-conditions": (without("saml:Conditions"), "0 elements saml:Conditions"),
    "unknown-condition": (Answer(assertion=lambda root: _unknown_condition(root)), "condition of Assertion"),
    "no-confirmation": (without("saml:SubjectConfirmation"), "no confirmation"),
    "no-confirmation-data": (without("saml:SubjectConfirmationData"), "0 elements saml:SubjectConfirmationData"),
    "holder-of-key": (values(method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"), "another method"),
    "no-statement": (without("saml:AuthnStatement"), "0 elements saml:AuthnStatement"),
    "answer-version": (values(answer_version="1.1"), "ArtifactResponse is not of SAML 2.0"),
    "response-version": (values(response_version="1.1"), "Response is not of SAML 2.0"),
    "assertion-version": (values(assertion_version="1.1"), "Assertion is not of SAML 2.0"),
    "response-without-id": (without("samlp:Response@ID", of="answer"), "Response is not of SAML 2.0"),
    # who, and how sure
    "level-below": (values(level=f"{CLASSES}PasswordProtectedTransport"), "level"),
    "unknown-level": (values(level=f"{CLASSES}X509"), "level"),
    "no-level": (without("saml:AuthnContextClassRef"), "0 elements saml:AuthnContextClassRef"),
    "sofi": (values(name=f"s00000001:{BSN}"), "sector"),
    "no-sector": (values(name=BSN), "sector"),
    "empty-name": (values(name=""), "sector"),
    "sector-alone": (values(name="s00000000:"), "no BSN"),
    "eleven-test": (values(name="s00000000:999990018"), "no BSN"),
    "eight-digits": (values(name="s00000000:99999001"), "no BSN"),
    "ten-digits": (values(name=f"s00000000:0{BSN}"), "no BSN"),
    "letters": (values(name="s00000000:99999001O"), "no BSN"),
    "zeros": (values(name="s00000000:000000000"), "no BSN"),
    "other-digits": (values(name="s00000000:٩٩٩٩٩٠٠١٩"), "no BSN"),
    "no-name": (without("saml:NameID"), "0 elements saml:NameID"),
    "two-names": (Answer(assertion=_two_names), "2 elements saml:NameID"),
    "element-in-name": (values(name=f"s00000000:<b xmlns=''>{BSN}</b>"), "not plain text"),
    "encrypted": (
        Answer(assertion=lambda _: None, answer=lambda root: _child(root, "samlp:Response", "saml:EncryptedAssertion")),
        "0 elements saml:Assertion",
    ),
}


def _with(root: Any, name: str, **attributes: str) -> Any:
    element = find(root, name)
    for attribute, value in attributes.items():
        element.set(attribute, value)
    return root


def _child(root: Any, parent: str, name: str) -> Any:
    prefix, _, local = name.partition(":")
    etree.SubElement(find(root, parent), f"{{{NS[prefix]}}}{local}")
    return root


def _unknown_condition(root: Any) -> Any:
    return _child(root, "saml:Conditions", "saml:Condition")


def _other_restriction(root: Any) -> Any:
    restriction = find(root, "saml:AudienceRestriction")
    restriction.addnext(other := copy.deepcopy(restriction))
    other[0].text = "https://other.test"
    return root


def _two_audiences(root: Any) -> Any:
    audience = find(root, "saml:Audience")
    audience.addprevious(other := copy.deepcopy(audience))
    other.text = "https://other.test"
    return root


def _two_confirmations(root: Any) -> Any:
    confirmation = find(root, "saml:SubjectConfirmation")
    confirmation.addprevious(other := copy.deepcopy(confirmation))
    other.set("Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")
    return root


def _commented(root: Any) -> Any:
    name = find(root, "saml:NameID")
    name.text = f"s00000000:{BSN[:6]}"
    name.append(comment := etree.Comment("x"))
    comment.tail = BSN[6:]
    return root


def _key_names(root: Any) -> Any:
    for info in root[0][0].iterfind("./ds:Signature/ds:KeyInfo", NS):
        for child in list(info):
            info.remove(child)
        etree.SubElement(info, f"{{{NS['ds']}}}KeyName").text = "0123456789abcdef"
    return root


ACCEPTED: Mapping[str, Answer] = {
    "right": Answer(),
    "higher-level": values(level=f"{CLASSES}SmartcardPKI"),
    "two-audiences": Answer(assertion=_two_audiences),
    "two-confirmations": Answer(assertion=_two_confirmations),
    "sector-in-upper-case": values(name=f"S00000000:{BSN}"),
    "white-space-around": values(name=f"\n  s00000000:{BSN}\n "),
    "comment-in-the-name": Answer(assertion=_commented),
    "fractions-of-seconds": Answer(assertion=_with_fractions),
    "destination": Answer(answer=lambda root: _with(root, "samlp:Response", Destination="https://za.reference.test/saml/acs")),
    "one-time-use": Answer(assertion=lambda root: _child(root, "saml:Conditions", "saml:OneTimeUse")),
    "key-name-alone": Answer(document=_key_names),
    "pretty": Answer(data=lambda data: b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- from DigiD -->\n' + data + b"\n"),
    "soap-header": Answer(data=lambda data: data.replace(b"<soap:Body>", b"<soap:Header><x/></soap:Header><soap:Body>")),
}
