"""SAML 2.0 as the DigiD interface uses it: messages, metadata, artifacts, two bindings and XML signatures. Shapes only, no norms.

What a peer sends is hostile until it is read: no document type, no entities, nothing that unpacks without end. A signature is worth
something only for the element that holds it, under a key that is known beforehand, and ``verify`` gives back what was signed.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_plus

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

Element = Any  # lxml has no types of its own

SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
MD = "urn:oasis:names:tc:SAML:2.0:metadata"
DS = "http://www.w3.org/2000/09/xmldsig#"
EC = "http://www.w3.org/2001/10/xml-exc-c14n#"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
NAMESPACES: Mapping[str, str] = {"samlp": SAMLP, "saml": SAML, "ds": DS, "md": MD, "soapenv": SOAP, "ec": EC}

BINDINGS = "urn:oasis:names:tc:SAML:2.0:bindings:"
STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
CLASSES = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
LEVELS: Mapping[str, str] = {
    "basis": f"{CLASSES}PasswordProtectedTransport",
    "midden": f"{CLASSES}MobileTwoFactorContract",
    "substantieel": f"{CLASSES}Smartcard",
    "hoog": f"{CLASSES}SmartcardPKI",
}
"""Level of assurance, lowest first -> class reference."""
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
ENVELOPED = f"{DS}enveloped-signature"
PREFIXES = "ds saml samlp xs"  # DigiD lists them in its signatures

LARGEST = 200_000  # octets of a message, unpacked; real ones have some thousands
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    RSA_SHA256: hashes.SHA256(),
    RSA_SHA1: hashes.SHA1(),  # noqa: S303 DigiD still takes it in redirects
}
_DIGESTS = {SHA256: "sha256", SHA1: "sha1"}
_QUERY_ORDER = ("SAMLRequest", "RelayState", "SigAlg")


class SamlError(ValueError):
    """A message, its packing or its signature is not what it should be; the message says what is wrong."""


# --- reading -----------------------------------------------------------------------------------------------------------------


def parse(data: bytes, limit: int = LARGEST) -> Element:
    """The root element of an XML message. Raises ``SamlError``: too large, a document type, or not well-formed."""
    if len(data) > limit:
        raise SamlError(f"the message has more than {limit} octets")
    if b"<!doctype" in data.replace(b"\0", b"").lower():
        raise SamlError("the message has a document type")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_pis=True)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SamlError(f"the message is not well-formed XML ({error})") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise SamlError("the message has a document type")
    return root


def inflate(data: bytes, limit: int = LARGEST) -> bytes:
    """Raw DEFLATE undone. Raises ``SamlError`` when it is none, or holds more than ``limit`` octets."""
    unpacking = zlib.decompressobj(-15)
    try:
        text = unpacking.decompress(data, limit + 1)
    except zlib.error as error:
        raise SamlError(f"the message is not packed with DEFLATE ({error})") from error
    if len(text) > limit:
        raise SamlError(f"the message unpacks to more than {limit} octets")
    if not unpacking.eof:
        raise SamlError("the packed message breaks off")
    return text


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SamlError(f"{what} is not base64") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A message as a browser brings it. ``octets`` are what a signature in the address is over; empty when it has none."""

    xml: bytes
    relay_state: str | None
    octets: bytes = b""
    algorithm: str = ""
    signature: bytes = b""


def from_query(query: str, name: str = "SAMLRequest") -> Packed:
    """A message of the redirect binding, from the raw query string. Raises ``SamlError``."""
    raw: dict[str, str] = {}
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key in raw and key in {name, "RelayState", "SigAlg", "Signature", "SAMLEncoding"}:
            raise SamlError(f"{key} stands twice in the address")
        raw[key] = value
    if name not in raw:
        raise SamlError(f"there is no {name} in the address")
    if unquote_plus(raw.get("SAMLEncoding", "")) not in {"", f"{BINDINGS}URL-Encoding:DEFLATE"}:
        raise SamlError("the encoding of the message is unknown")
    order = (name, *_QUERY_ORDER[1:])
    return Packed(
        xml=inflate(_base64(unquote_plus(raw[name]), name)),
        relay_state=unquote_plus(raw["RelayState"]) if "RelayState" in raw else None,
        octets="&".join(f"{key}={raw[key]}" for key in order if key in raw).encode() if "Signature" in raw else b"",
        algorithm=unquote_plus(raw.get("SigAlg", "")),
        signature=_base64(unquote_plus(raw.get("Signature", "")), "Signature"),
    )


def from_form(form: Mapping[str, str], name: str = "SAMLRequest") -> Packed:
    """A message of the POST binding, from its decoded form. Raises ``SamlError``."""
    if name not in form:
        raise SamlError(f"there is no {name} in the form")
    return Packed(xml=_base64(form[name], name), relay_state=form.get("RelayState"))


def to_query(xml: bytes, relay_state: str | None, signer: "Signer | None", algorithm: str = RSA_SHA256) -> str:
    """The query string of the redirect binding: packed, and signed unless there is no signer."""
    packing = zlib.compressobj(wbits=-15)
    packed = base64.b64encode(packing.compress(xml) + packing.flush()).decode()
    pairs = [("SAMLRequest", packed)]
    if relay_state is not None:
        pairs.append(("RelayState", relay_state))
    if signer is None:
        return _quoted(pairs)
    octets = _quoted([*pairs, ("SigAlg", algorithm)])
    signature = signer.key.sign(octets.encode(), padding.PKCS1v15(), _HASHES[algorithm])
    return f"{octets}&{_quoted([('Signature', base64.b64encode(signature).decode())])}"


def _quoted(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthnRequest:
    """What an AuthnRequest says, as it stands there; empty, or None, where it says nothing."""

    root: str
    id: str
    version: str
    issue_instant: str
    issuer: str
    destination: str | None
    index: str | None
    url: str | None
    binding: str | None
    comparison: str
    classes: tuple[str, ...]
    force: bool
    passive: bool
    name_id_format: str
    signatures: int


def authn_request(root: Element) -> AuthnRequest:
    """What an AuthnRequest says; whatever its root is, so that it can be told what is wrong."""
    context = root.find("samlp:RequestedAuthnContext", NAMESPACES)
    policy = root.find("samlp:NameIDPolicy", NAMESPACES)
    return AuthnRequest(
        root=str(root.tag),
        id=root.get("ID", ""),
        version=root.get("Version", ""),
        issue_instant=root.get("IssueInstant", ""),
        issuer=_text(root, "saml:Issuer"),
        destination=root.get("Destination"),
        index=root.get("AssertionConsumerServiceIndex"),
        url=root.get("AssertionConsumerServiceURL"),
        binding=root.get("ProtocolBinding"),
        comparison="" if context is None else context.get("Comparison", "exact"),
        classes=() if context is None else tuple(_stripped(e) for e in context.findall("saml:AuthnContextClassRef", NAMESPACES)),
        force=root.get("ForceAuthn", "") in {"true", "1"},
        passive=root.get("IsPassive", "") in {"true", "1"},
        name_id_format="" if policy is None else policy.get("Format", ""),
        signatures=len(root.findall("ds:Signature", NAMESPACES)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactResolve:
    """What an ArtifactResolve says, as it stands there."""

    id: str
    version: str
    issue_instant: str
    issuer: str
    artifact: str


def from_soap(data: bytes, limit: int = LARGEST) -> Element:
    """The one message in the body of a SOAP envelope. Raises ``SamlError``."""
    root = parse(data, limit)
    bodies = root.findall("soapenv:Body", NAMESPACES) if root.tag == f"{{{SOAP}}}Envelope" else []
    if len(bodies) != 1 or len(bodies[0]) != 1:
        raise SamlError("this is no SOAP 1.1 envelope with one message in its body")
    return bodies[0][0]


def artifact_resolve(message: Element) -> ArtifactResolve:
    """What an ArtifactResolve says. Raises ``SamlError`` when it is none."""
    if message.tag != f"{{{SAMLP}}}ArtifactResolve":
        raise SamlError(f"expected an ArtifactResolve, found {str(message.tag)[:100]}")
    return ArtifactResolve(
        id=message.get("ID", ""),
        version=message.get("Version", ""),
        issue_instant=message.get("IssueInstant", ""),
        issuer=_text(message, "saml:Issuer"),
        artifact=_text(message, "samlp:Artifact"),
    )


def _text(parent: Element, path: str) -> str:
    found = parent.find(path, NAMESPACES)
    return "" if found is None else _stripped(found)


def _stripped(element: Element) -> str:
    return "".join(element.itertext()).strip()


# --- artifacts and times -----------------------------------------------------------------------------------------------------


def artifact(entity_id: str, handle: bytes, index: int = 0) -> str:
    """An artifact of type 4: the source, as SHA-1 of its entityID, and a handle of 20 random octets."""
    source = hashlib.sha1(entity_id.encode(), usedforsecurity=False).digest()
    return base64.b64encode(b"\x00\x04" + index.to_bytes(2) + source + handle).decode()


def instant(time: datetime) -> str:
    """A moment as SAML writes it: UTC, to the second, with a Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime | None:
    """The moment that is written, when it is in UTC and ends in Z; else None."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if re.fullmatch(r"\S{19}(\.\d{1,9})?Z", text) else None
    except ValueError:
        return None


# --- metadata ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceProvider:
    """A service provider as its metadata tells it. ``consumers``: index -> address for artifacts."""

    entity_id: str
    certificates: tuple[x509.Certificate, ...]
    consumers: Mapping[str, str]
    wants_signed_assertions: bool = False


def service_provider(data: bytes) -> ServiceProvider:
    """The service provider of a metadata document. Raises ``SamlError`` that names what is missing."""
    root = parse(data)
    role = root.find("md:SPSSODescriptor", NAMESPACES)
    if root.tag != f"{{{MD}}}EntityDescriptor" or role is None:
        raise SamlError("expected an md:EntityDescriptor with an md:SPSSODescriptor")
    keys = role.xpath("md:KeyDescriptor[not(@use) or @use='signing']//ds:X509Certificate", namespaces=dict(NAMESPACES))
    keys = [key.text for key in keys if (key.text or "").strip()]
    services = role.findall("md:AssertionConsumerService", NAMESPACES)
    consumers = {s.get("index", "0"): s.get("Location", "") for s in services if s.get("Binding") == f"{BINDINGS}HTTP-Artifact"}
    missing = [name for name, value in (("entityID", root.get("entityID")), ("a signing certificate", keys)) if not value]
    if missing or not consumers:
        raise SamlError(f"the metadata lacks {', '.join([*missing, *([] if consumers else ['a consumer of artifacts'])])}")
    try:
        certificates = tuple(x509.load_der_x509_certificate(_base64(key, "a certificate")) for key in keys)
    except ValueError as error:
        raise SamlError(f"a certificate of the metadata cannot be read ({error})") from error
    return ServiceProvider(
        entity_id=root.get("entityID"),
        certificates=certificates,
        consumers=consumers,
        wants_signed_assertions=role.get("WantAssertionsSigned", "") in {"true", "1"},
    )


def idp_metadata(entity_id: str, signer: "Signer", front: str, back: str) -> bytes:
    """The signed metadata of an identity provider whose front and back channel are at these addresses, without a slash."""
    root = _element(MD, "EntityDescriptor", ID=_new_id(), entityID=entity_id, nsmap={"md": MD, "ds": DS})
    role = _below(root, MD, "IDPSSODescriptor", protocolSupportEnumeration=SAMLP)
    for use in ("signing", "encryption"):
        _below(role, MD, "KeyDescriptor", use=use).append(_key_info(signer))
    _below(role, MD, "ArtifactResolutionService", Binding=f"{BINDINGS}SOAP", index="0", Location=f"{back}{RESOLVE}")
    for binding in ("HTTP-POST", "HTTP-Redirect"):
        _below(role, MD, "SingleSignOnService", Binding=f"{BINDINGS}{binding}", Location=f"{front}{REQUEST}")
    root.insert(0, signature(root, signer))
    return serialized(root)


REQUEST = "/saml/idp/request_authentication"
RESOLVE = "/saml/idp/resolve_artifact"
METADATA = "/saml/idp/metadata"


# --- the answer to an ArtifactResolve -------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Answer:
    """Everything that an ArtifactResponse says. None leaves an attribute or an element out.

    ``outer`` and ``inner`` are status codes, the first and the one in it, without their prefix. ``response`` and ``assertion`` say
    whether there are such elements. The three issuers, instants and identifiers are those of ArtifactResponse, Response and
    Assertion.
    """

    ids: list[str | None]
    versions: list[str | None] = field(default_factory=lambda: ["2.0", "2.0", "2.0"])
    issuers: list[str | None]
    instants: list[str | None]
    outer: tuple[str, ...] = ("Success",)
    inner: tuple[str, ...] = ("Success",)
    message: str | None = None
    response: bool = True
    assertion: bool = True
    resolve_id: str | None
    request_id: str | None
    confirmed_id: str | None
    name_id: str | None
    method: str | None = BEARER
    recipient: str | None
    confirmed_until: str | None
    not_before: str | None
    not_on_or_after: str | None
    conditions: bool = True
    audiences: tuple[str, ...]
    statement: bool = True
    level: str | None


def artifact_response(answer: Answer) -> Element:
    """A SOAP envelope with an ArtifactResponse, not signed yet."""
    envelope = _element(SOAP, "Envelope", nsmap={"soapenv": SOAP})
    body = _below(envelope, SOAP, "Body")
    outer = _below(body, SAMLP, "ArtifactResponse", **_head(answer, 0), InResponseTo=answer.resolve_id)
    _issuer(outer, answer.issuers[0])
    _status(outer, answer.outer, None)
    if answer.response:
        inner = _below(outer, SAMLP, "Response", **_head(answer, 1), InResponseTo=answer.request_id)
        _issuer(inner, answer.issuers[1])
        _status(inner, answer.inner, answer.message)
        if answer.assertion:
            inner.append(assertion(answer))
    return envelope


def assertion(answer: Answer) -> Element:
    """The Assertion of an answer."""
    root = _element(SAML, "Assertion", **_head(answer, 2), nsmap={"saml": SAML})
    _issuer(root, answer.issuers[2])
    subject = _below(root, SAML, "Subject")
    if answer.name_id is not None:
        _below(subject, SAML, "NameID").text = answer.name_id
    if answer.method is not None:
        confirmation = _below(subject, SAML, "SubjectConfirmation", Method=answer.method)
        facts = {"NotOnOrAfter": answer.confirmed_until, "Recipient": answer.recipient, "InResponseTo": answer.confirmed_id}
        _below(confirmation, SAML, "SubjectConfirmationData", **facts)
    if answer.conditions:
        times = {"NotBefore": answer.not_before, "NotOnOrAfter": answer.not_on_or_after}
        conditions = _below(root, SAML, "Conditions", **times)
        if answer.audiences:
            restriction = _below(conditions, SAML, "AudienceRestriction")
            for audience in answer.audiences:
                _below(restriction, SAML, "Audience").text = audience
    if answer.statement:
        facts = {"AuthnInstant": answer.instants[2], "SessionIndex": _new_id().strip("_")}
        statement = _below(root, SAML, "AuthnStatement", **facts)
        context = _below(statement, SAML, "AuthnContext")
        if answer.level is not None:
            _below(context, SAML, "AuthnContextClassRef").text = answer.level
    return root


def _head(answer: Answer, which: int) -> dict[str, str | None]:
    return {"ID": answer.ids[which], "Version": answer.versions[which], "IssueInstant": answer.instants[which]}


def _issuer(parent: Element, issuer: str | None) -> None:
    if issuer is not None:
        _below(parent, SAML, "Issuer").text = issuer


def _status(parent: Element, codes: Sequence[str], message: str | None) -> None:
    status = at = _below(parent, SAMLP, "Status")
    for code in codes:
        at = _below(at, SAMLP, "StatusCode", Value=f"{STATUS}{code}")
    if message is not None:
        _below(status, SAMLP, "StatusMessage").text = message


def soap_fault(text: str) -> bytes:
    """A SOAP 1.1 fault."""
    envelope = _element(SOAP, "Envelope", nsmap={"soapenv": SOAP})
    fault = _below(_below(envelope, SOAP, "Body"), SOAP, "Fault")
    for name, value in (("faultcode", "soapenv:Server"), ("faultstring", text)):
        etree.SubElement(fault, name).text = value
    return serialized(envelope)


def serialized(root: Element) -> bytes:
    """The document as octets, with an XML declaration."""
    data: bytes = etree.tostring(root.getroottree(), xml_declaration=True, encoding="UTF-8")
    return data


_DECLARED: Mapping[str, Mapping[str, str]] = {
    "ArtifactResponse": {"samlp": SAMLP, "saml": SAML, "ds": DS, "ec": EC},
    "InclusiveNamespaces": {"ec": EC},
}
"""Elements that declare prefixes for what is in them."""


def _element(namespace: str, tag: str, nsmap: Mapping[str, str], **attributes: str | None) -> Element:
    given = {name: value for name, value in attributes.items() if value is not None}
    return etree.Element(f"{{{namespace}}}{tag}", given, nsmap=nsmap)


def _below(parent: Element, namespace: str, tag: str, **attributes: str | None) -> Element:
    given = {name: value for name, value in attributes.items() if value is not None}
    return etree.SubElement(parent, f"{{{namespace}}}{tag}", given, nsmap=_DECLARED.get(tag))


def _new_id() -> str:
    return f"_{secrets.token_hex(20)}"


# --- signatures --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signer:
    """A key for signatures, with its certificate."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> "Signer":
        """Of PEM texts, the leaf first. Raises ``SamlError`` when the key is no RSA key, or either cannot be read."""
        try:
            # Ours, or checked when the target file was read; to look for its prime numbers again takes 50 ms.
            private = serialization.load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True)
            leaf = x509.load_pem_x509_certificates(certificate)[0]
        except (ValueError, TypeError) as error:
            raise SamlError(f"certificate or key cannot be read ({error})") from error
        if not isinstance(private, rsa.RSAPrivateKey):
            raise SamlError("the key of SAML signatures has to be an RSA key")
        return cls(private, leaf)

    @property
    def key_name(self) -> str:
        """The name by which DigiD calls its key: SHA-1 of the certificate, in lower-case hexadecimal digits."""
        return self.certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 a name, not a proof

    @property
    def certificate_base64(self) -> str:
        """The certificate as XML carries it."""
        return base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()


def sign(element: Element, signer: Signer, **options: Any) -> Element:
    """Sign an element where it stands; the signature comes directly after its Issuer. Options as for ``signature``."""
    made = signature(element, signer, **options)
    issuer = element.find("saml:Issuer", NAMESPACES)
    element.insert(0 if issuer is None else list(element).index(issuer) + 1, made)
    return made


def signature(
    element: Element,
    signer: Signer,
    *,
    algorithm: str = RSA_SHA256,
    digest: str = SHA256,
    prefixes: str = PREFIXES,
    uri: str | None = None,
    references: int = 1,
    more_transforms: Sequence[Element] = (),
) -> Element:
    """A ``ds:Signature`` over an element in its final place, which is the whole document for its namespaces.

    ``uri`` stands in the reference instead of the element's own ID; ``references`` says how many of them there are;
    ``more_transforms`` stand in each after the usual ones, and the signer does not carry them out.
    """
    made = _element(DS, "Signature", nsmap={"ds": DS})
    signed_info = _below(made, DS, "SignedInfo")
    _below(signed_info, DS, "CanonicalizationMethod", Algorithm=EC)
    _below(signed_info, DS, "SignatureMethod", Algorithm=algorithm)
    own = f"#{element.get('ID')}" if element.get("ID") else ""
    value = base64.b64encode(hashlib.new(_DIGESTS[digest], _canonical(element, prefixes), usedforsecurity=False).digest()).decode()
    for _ in range(references):
        reference = _below(signed_info, DS, "Reference", URI=own if uri is None else uri)
        transforms = _below(reference, DS, "Transforms")
        _below(transforms, DS, "Transform", Algorithm=ENVELOPED)
        canonical = _below(transforms, DS, "Transform", Algorithm=EC)
        if prefixes:
            _below(canonical, EC, "InclusiveNamespaces", PrefixList=prefixes)
        transforms.extend(more_transforms)
        _below(reference, DS, "DigestMethod", Algorithm=digest)
        _below(reference, DS, "DigestValue").text = value
    octets = etree.tostring(signed_info, method="c14n", exclusive=True)
    _below(made, DS, "SignatureValue").text = base64.b64encode(_signed(octets, signer, algorithm)).decode()
    made.append(_key_info(signer))
    return made


def _signed(octets: bytes, signer: Signer, algorithm: str) -> bytes:
    if algorithm in _HASHES:
        return signer.key.sign(octets, padding.PKCS1v15(), _HASHES[algorithm])
    # HMAC with the public key as the secret: what a verifier that lets the message choose would take for a signature.
    public = signer.key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hmac.digest(public, octets, "sha256")


def _canonical(element: Element, prefixes: str) -> bytes:
    """An element as its enveloped signature sees it: exclusive, without comments."""
    # lxml forgets the list of prefixes when one of them was never parsed, so the document is read once more.
    places = [parent.index(child) for child, parent in _upwards(element)]
    read = etree.fromstring(etree.tostring(element.getroottree()))
    for place in reversed(places):
        read = read[place]
    listed = [prefix for prefix in prefixes.split() if prefix in read.nsmap]
    data: bytes = etree.tostring(
        read, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=listed or None, with_tail=False
    )
    return data


def _upwards(element: Element) -> Iterator[tuple[Element, Element]]:
    """Each element with its parent, from this one up to the root."""
    while (parent := element.getparent()) is not None:
        yield element, parent
        element = parent


def _key_info(signer: Signer) -> Element:
    info = _element(DS, "KeyInfo", nsmap={"ds": DS})
    _below(info, DS, "KeyName").text = signer.key_name
    _below(_below(info, DS, "X509Data"), DS, "X509Certificate").text = signer.certificate_base64
    return info


def verify(element: Element, certificates: Iterable[x509.Certificate]) -> Element:
    """What was signed, when the element holds one signature over itself under one of these certificates. Raises ``SamlError``.

    Only RSA with SHA-256 counts, and nothing but what comes back may be believed: it is a copy that holds what was signed.
    """
    from signxml.algorithms import DigestAlgorithm, SignatureMethod
    from signxml.exceptions import SignXMLException  # takes time that most runs do not need
    from signxml.verifier import SignatureConfiguration, XMLVerifier

    held = element.findall("ds:Signature", NAMESPACES)
    if not held:
        raise SamlError("it is not signed")
    ids = element.getroottree().xpath("//@ID")
    if len(held) > 1 or len(ids) != len(set(ids)):
        raise SamlError("it has two signatures, or two elements with the same ID")
    if not element.get("ID") or [r.get("URI") for r in held[0].iter(f"{{{DS}}}Reference")] != [f"#{element.get('ID')}"]:
        raise SamlError("its signature does not refer to it, and to nothing else")
    expected = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
    )
    cause = "no certificate is known to verify it with"
    for certificate in certificates:
        try:
            result = XMLVerifier().verify(element, x509_cert=certificate, id_attribute="ID", expect_config=expected)
        except (SignXMLException, InvalidSignature, ValueError, etree.LxmlError) as error:
            cause = str(error) or type(error).__name__
            continue
        signed = result[0].signed_xml if isinstance(result, list) else result.signed_xml
        if signed is None or signed.tag != element.tag or signed.get("ID") != element.get("ID"):
            raise SamlError("what was signed is another element than the one that holds the signature")
        return signed
    raise SamlError(f"its signature does not verify ({cause})")


def verify_query(packed: Packed, certificates: Iterable[x509.Certificate]) -> None:
    """Raise ``SamlError`` unless the address is signed, as it was sent, under one of these certificates."""
    if not packed.octets or not packed.signature:
        raise SamlError("it is not signed")
    algorithm = _HASHES.get(packed.algorithm)
    if algorithm is None:
        raise SamlError(f"its signature is of another kind: {packed.algorithm[:80] or 'none is named'}")
    for certificate in certificates:
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            continue
        try:
            key.verify(packed.signature, packed.octets, padding.PKCS1v15(), algorithm)
        except InvalidSignature:
            continue
        return
    raise SamlError("its signature does not verify with a key of the metadata")


_GUESSABLE = re.compile(rb"(<(?:[\w-]+:)?(?:DigestValue|SignatureValue|X509Certificate)>)[^<]+")


def without_digests(data: bytes) -> bytes:
    """A message without its digests and signatures: by trying, a number of nine digits in it could be found from them.

    Its certificates, which stand in the metadata, go with them.
    """
    return _GUESSABLE.sub(rb"\1withheld", data)
