"""What the reference demands of an answer of DigiD before it believes that somebody has logged in.

Every rule is a method of ``Verifier`` that raises ``LoginRefusedError``. Two things matter more than all others: the keys are those
of DigiD's metadata, never those that a message brings along; and whatever is read is read from the octets that a signature was seen
to cover, never from the document around them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

Element = Any  # of lxml, which has no types

NAMESPACES = {
    "soap": "http://schemas.xmlsoap.org/soap/envelope/",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
TRANSFORMS = {"http://www.w3.org/2000/09/xmldsig#enveloped-signature", EXCLUSIVE_C14N}
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
BSN_SECTOR = "s00000000"
LEVELS = {
    "basis": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
    "midden": "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract",
    "substantieel": "urn:oasis:names:tc:SAML:2.0:ac:classes:Smartcard",
    "hoog": "urn:oasis:names:tc:SAML:2.0:ac:classes:SmartcardPKI",
}
"""The levels of DigiD, lowest first."""

_UNREADABLE = (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError, LookupError)
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_KNOWN_CONDITIONS = {"AudienceRestriction", "OneTimeUse", "ProxyRestriction"}


class LoginRefusedError(Exception):
    """The identity of the person is not established; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the answer to one login has to say. ``level`` is a key of ``LEVELS``; ``asked_at`` when the login was asked for."""

    issuer: str
    audience: str
    recipient: str
    resolve_id: str
    request_id: str
    asked_at: datetime
    level: str


def wall_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def tag(name: str) -> str:
    """The tag of lxml for a name such as ``saml:Issuer``."""
    prefix, _, local = name.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def parse_xml(data: bytes) -> Element:
    """The root of a document. Raises ``LoginRefusedError`` when it is no XML or declares a document type."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise LoginRefusedError("the answer is no XML") from error
    return root


@dataclass(kw_only=True)
class Verifier:
    """``certificates`` are those of DigiD's metadata; one of them has to fit."""

    certificates: Sequence[x509.Certificate]
    now: Any = wall_clock
    skew: timedelta = timedelta(seconds=30)
    freshness: timedelta = timedelta(minutes=2)
    signature_methods: frozenset[SignatureMethod] = frozenset({SignatureMethod.RSA_SHA256})
    digest_algorithms: frozenset[DigestAlgorithm] = frozenset({DigestAlgorithm.SHA256})
    seen: set[str] = field(default_factory=set)

    def bsn(self, data: bytes, expected: Expected) -> str:
        """Who has logged in, by the SOAP answer to an artifact resolution. Raises ``LoginRefusedError``."""
        document = parse_xml(data)
        self.check_document(document)
        answer = self.answer_in(document)
        signed_answer = self.verified(answer)
        self.check_answer(signed_answer, expected)
        self.check_response(self.response_in(signed_answer), expected)
        assertion = self.signed_assertion(self.assertion_in(self.response_in(answer)))
        self.check_assertion(assertion, expected)
        return self.number(self.name_in(assertion))

    # ------------------------------------------------------------------------------------------- the document as a whole

    def check_document(self, root: Element) -> None:
        """No document type, and every ID stands once."""
        if root.getroottree().docinfo.doctype or any(True for _ in root.iter(etree.Entity)):
            raise LoginRefusedError("the answer declares a document type")
        ids = [value for element in root.iter("*") for name, value in element.items() if name == "ID"]
        if len(ids) != len(set(ids)):
            raise LoginRefusedError("an ID stands more than once")

    def answer_in(self, document: Element) -> Element:
        """The one ``ArtifactResponse``, which is all that the SOAP body holds."""
        if document.tag != tag("soap:Envelope"):
            raise LoginRefusedError("the answer is no SOAP envelope")
        body = self.only(document, "soap:Body")
        answer = self.only(body, "samlp:ArtifactResponse")
        if len(_children(body)) != 1:
            raise LoginRefusedError("the SOAP body holds more than one element")
        return answer

    def response_in(self, answer: Element) -> Element:
        """The one ``Response``."""
        return self.only(answer, "samlp:Response")

    def assertion_in(self, response: Element) -> Element:
        """The one ``Assertion``."""
        return self.only(response, "saml:Assertion")

    def only(self, parent: Element, name: str) -> Element:
        """The only child of that name, which has to be there."""
        found = parent.findall(f"./{name}", NAMESPACES)
        if len(found) != 1:
            raise LoginRefusedError(f"{len(found)} elements {name} instead of one")
        return found[0]

    # --------------------------------------------------------------------------------------------------------- signatures

    def verified(self, element: Element) -> Element:
        """What the signature that ``element`` holds covers: the element itself, all of it, as it was signed."""
        self.check_form_of_signature(element)
        signed = self.covered(element)
        if signed is None or signed.tag != element.tag or signed.get("ID") != element.get("ID"):
            raise LoginRefusedError("the signature covers another element")
        return signed

    def check_form_of_signature(self, element: Element) -> None:
        """One signature over the element that holds it, by the transforms that DigiD uses."""
        signature = self.only(element, "ds:Signature")
        reference = self.only(self.only(signature, "ds:SignedInfo"), "ds:Reference")
        if not element.get("ID") or reference.get("URI") != f"#{element.get('ID')}":
            raise LoginRefusedError("the signature refers to another element")
        methods = signature.findall("./ds:SignedInfo/ds:CanonicalizationMethod", NAMESPACES)
        if any(method.get("Algorithm") != EXCLUSIVE_C14N for method in methods):
            raise LoginRefusedError("the signature is canonicalised in another way")
        used = {transform.get("Algorithm") for transform in reference.iterfind("./ds:Transforms/ds:Transform", NAMESPACES)}
        if used != TRANSFORMS:
            raise LoginRefusedError("the signature uses other transforms")

    def covered(self, element: Element) -> Element:
        """What a signature by a key of the metadata covers, read from the signed octets."""
        configuration = SignatureConfiguration(
            location="./",
            expect_references=1,
            signature_methods=self.signature_methods,
            digest_algorithms=self.digest_algorithms,
        )
        why: Exception | None = None
        for certificate in self.certificates:
            try:
                result = XMLVerifier().verify(element, x509_cert=certificate, expect_config=configuration, id_attribute="ID")
            except _UNREADABLE as error:
                why = error
            else:
                return result.signed_xml if isinstance(result, VerifyResult) else None
        raise LoginRefusedError(f"no valid signature of DigiD on {etree.QName(element).localname}: {why}")

    def signed_assertion(self, assertion: Element) -> Element:
        """The assertion has a signature of its own, because our metadata ask for it."""
        return self.verified(assertion)

    # --------------------------------------------------------------------------------------------------------- the answer

    def check_answer(self, answer: Element, expected: Expected) -> None:
        """The ``ArtifactResponse`` answers our ``ArtifactResolve``, and the look-up succeeded."""
        self.check_message(answer, expected)
        self.check_answer_is_ours(answer, expected)
        self.check_lookup(answer)

    def check_response(self, response: Element, expected: Expected) -> None:
        """The ``Response`` answers our ``AuthnRequest``, and the login succeeded."""
        self.check_message(response, expected)
        self.check_response_is_ours(response, expected)
        self.check_destination(response, expected)
        self.check_login(response)

    def check_assertion(self, assertion: Element, expected: Expected) -> None:
        """The ``Assertion`` is about this login, for us, now, and at the level that was asked for."""
        self.check_message(assertion, expected)
        self.check_conditions(assertion, expected)
        self.check_confirmation(assertion, expected)
        self.check_authentication(assertion, expected)
        self.check_used_once(assertion)

    def check_message(self, message: Element, expected: Expected) -> None:
        """What every message and assertion has."""
        self.check_version(message)
        self.check_issue_instant(message)
        self.check_issuer(message, expected)

    def check_version(self, message: Element) -> None:
        """SAML 2.0, and an ID."""
        if message.get("Version") != "2.0" or not _NAME.fullmatch(message.get("ID", "")):
            raise LoginRefusedError(f"{_name(message)} is not of SAML 2.0 or has no ID")

    def check_issue_instant(self, message: Element) -> None:
        """Made just now."""
        if abs(self.now() - _instant(message, "IssueInstant")) > self.freshness + self.skew:
            raise LoginRefusedError(f"{_name(message)} was not made just now")

    def check_issuer(self, message: Element, expected: Expected) -> None:
        """By DigiD."""
        if _text(self.only(message, "saml:Issuer")) != expected.issuer:
            raise LoginRefusedError(f"the issuer of {_name(message)} is another")

    def check_answer_is_ours(self, answer: Element, expected: Expected) -> None:
        """It answers the artifact resolution that was just sent."""
        if answer.get("InResponseTo") != expected.resolve_id:
            raise LoginRefusedError("ArtifactResponse answers another request")

    def check_response_is_ours(self, response: Element, expected: Expected) -> None:
        """It answers the login that this browser was sent to."""
        if response.get("InResponseTo") != expected.request_id:
            raise LoginRefusedError("Response answers another request")

    def check_destination(self, response: Element, expected: Expected) -> None:
        """Where a destination is named, it is ours."""
        if response.get("Destination", expected.recipient) != expected.recipient:
            raise LoginRefusedError("Response is meant for another address")

    def check_lookup(self, answer: Element) -> None:
        """The outer status: DigiD knows the artifact."""
        self.check_status(answer)

    def check_login(self, response: Element) -> None:
        """The inner status: the person has logged in."""
        self.check_status(response)

    def check_status(self, message: Element) -> None:
        """The top-level status is success, and nothing below it."""
        code = self.only(self.only(message, "samlp:Status"), "samlp:StatusCode")
        if code.get("Value") != SUCCESS or len(code):
            raise LoginRefusedError(f"the status of {_name(message)} is not success")

    # ------------------------------------------------------------------------------------------------------ the assertion

    def check_conditions(self, assertion: Element, expected: Expected) -> None:
        """Valid now, for us, and under no condition that we do not know."""
        conditions = self.only(assertion, "saml:Conditions")
        self.check_begin(conditions)
        self.check_end(conditions)
        self.check_audience(conditions, expected)
        unknown = {etree.QName(child).localname for child in _children(conditions)} - _KNOWN_CONDITIONS
        if unknown:
            raise LoginRefusedError("a condition of Assertion is not known")

    def check_begin(self, conditions: Element) -> None:
        """Not before its time."""
        if self.now() + self.skew < _instant(conditions, "NotBefore"):
            raise LoginRefusedError("Assertion is not valid yet")

    def check_end(self, conditions: Element) -> None:
        """Not after its time."""
        if self.now() - self.skew >= _instant(conditions, "NotOnOrAfter"):
            raise LoginRefusedError("Assertion has expired")

    def check_audience(self, conditions: Element, expected: Expected) -> None:
        """We stand in every restriction of its audience, of which there is one at least."""
        restrictions = conditions.findall("./saml:AudienceRestriction", NAMESPACES)
        audiences = [{_text(each) for each in one.findall("./saml:Audience", NAMESPACES)} for one in restrictions]
        if not audiences or any(expected.audience not in named for named in audiences):
            raise LoginRefusedError("Assertion is meant for another audience")

    def check_confirmation(self, assertion: Element, expected: Expected) -> None:
        """Some confirmation of the subject is for the bearer, delivered here, for this login, and in time."""
        subject = self.only(assertion, "saml:Subject")
        why = LoginRefusedError("there is no confirmation of the subject")
        for confirmation in subject.findall("./saml:SubjectConfirmation", NAMESPACES):
            try:
                self.check_method(confirmation)
                data = self.only(confirmation, "saml:SubjectConfirmationData")
                self.check_confirmation_is_ours(data, expected)
                self.check_recipient(data, expected)
                self.check_confirmation_time(data)
            except LoginRefusedError as refusal:
                why = refusal
            else:
                return
        raise why

    def check_method(self, confirmation: Element) -> None:
        """For the bearer."""
        if confirmation.get("Method") != BEARER:
            raise LoginRefusedError("the subject is confirmed by another method")

    def check_confirmation_is_ours(self, data: Element, expected: Expected) -> None:
        """For the login that this browser was sent to."""
        if data.get("InResponseTo") != expected.request_id:
            raise LoginRefusedError("the confirmation of the subject answers another request")

    def check_recipient(self, data: Element, expected: Expected) -> None:
        """Delivered at our address."""
        if data.get("Recipient") != expected.recipient:
            raise LoginRefusedError("the confirmation of the subject is for another recipient")

    def check_confirmation_time(self, data: Element) -> None:
        """In time."""
        if self.now() - self.skew >= _instant(data, "NotOnOrAfter"):
            raise LoginRefusedError("the confirmation of the subject has expired")
        if data.get("NotBefore") and self.now() + self.skew < _instant(data, "NotBefore"):
            raise LoginRefusedError("the confirmation of the subject is not valid yet")

    def check_authentication(self, assertion: Element, expected: Expected) -> None:
        """A login that was done for us, at the level that was asked for or above."""
        statement = self.only(assertion, "saml:AuthnStatement")
        self.check_own_login(statement, expected)
        self.check_level(statement, expected)

    def check_own_login(self, statement: Element, expected: Expected) -> None:
        """The login was done after we asked for it, and not in the future: no earlier login is used again."""
        at = _instant(statement, "AuthnInstant")
        if not expected.asked_at - self.skew <= at <= self.now() + self.skew:
            raise LoginRefusedError("the person logged in at another time")

    def check_level(self, statement: Element, expected: Expected) -> None:
        """The level is the one that was asked for, or higher."""
        context = self.only(statement, "saml:AuthnContext")
        reached = _text(self.only(context, "saml:AuthnContextClassRef"))
        order = list(LEVELS.values())
        if reached not in order or order.index(reached) < order.index(LEVELS[expected.level]):
            raise LoginRefusedError("the level of the login is too low")

    def check_used_once(self, assertion: Element) -> None:
        """An assertion is used once."""
        if assertion.get("ID") in self.seen:
            raise LoginRefusedError("Assertion was used before")
        self.seen.add(assertion.get("ID"))

    # ----------------------------------------------------------------------------------------------------------- the name

    def name_in(self, assertion: Element) -> str:
        """The one name of the subject, all of its text."""
        name = self.only(self.only(assertion, "saml:Subject"), "saml:NameID")
        if len(name):
            raise LoginRefusedError("the name of the subject is not plain text")
        return _text(name)

    def number(self, name: str) -> str:
        """The BSN in a name such as ``s00000000:900029365``."""
        sector, _, number = name.partition(":")
        self.check_sector(sector)
        self.check_number(number)
        return number

    def check_sector(self, sector: str) -> None:
        """Only the sector of the BSN will do."""
        if sector.lower() != BSN_SECTOR:
            raise LoginRefusedError("the name of the subject is not of the sector of the BSN")

    def check_number(self, number: str) -> None:
        """Nine digits that pass the eleven-test."""
        digits = [int(digit) for digit in number] if re.fullmatch("[0-9]{9}", number) else []
        weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
        if not any(digits) or sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) % 11:
            raise LoginRefusedError("the name of the subject is no BSN")


def _children(element: Element) -> list[Element]:
    return list(element.iterchildren("*"))


def _name(element: Element) -> str:
    return str(etree.QName(element).localname)


def _text(element: Element) -> str:
    return "".join(element.itertext()).strip()


def _instant(element: Element, attribute: str) -> datetime:
    """The time in an attribute, which has to be there and to name its zone."""
    try:
        instant = datetime.fromisoformat(element.get(attribute, ""))
    except ValueError:
        raise LoginRefusedError(f"{attribute} of {_name(element)} is no time") from None
    if instant.tzinfo is None:
        raise LoginRefusedError(f"{attribute} of {_name(element)} names no zone")
    return instant
