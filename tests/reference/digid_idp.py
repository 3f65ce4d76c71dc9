"""A tiny DigiD for the tests of the reference: it knows one service provider, and answers as it is told."""

import contextlib
import hashlib
import secrets
import threading
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from medmij_conformance.evidence import Request, Response
from medmij_conformance.pki import Credential
from medmij_conformance.wire.server import HANG_UP, Peer, Server

FRONT, BACK = "digid.idp.test", "was.digid.idp.test"
ENTITY = f"https://{BACK}/saml/idp/metadata"
BSN, OTHER_BSN = "999990019", "999990020"
NS = {
    "soap": "http://schemas.xmlsoap.org/soap/envelope/",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
MIDDEN = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
METADATA = """<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#"
 ID="_idp" entityID="{entity}"><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>
</ds:KeyInfo></md:KeyDescriptor>
<md:ArtifactResolutionService index="0" Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP" Location="https://{back}/resolve"/>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://{front}/post"/>
<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://{front}/request"/>
</md:IDPSSODescriptor></md:EntityDescriptor>"""
ASSERTION = """<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{assertion_id}" Version="{assertion_version}"
 IssueInstant="{assertion_instant}"><saml:Issuer>{assertion_issuer}</saml:Issuer>
<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>
<saml:Subject><saml:NameID>{name}</saml:NameID><saml:SubjectConfirmation Method="{method}">
<saml:SubjectConfirmationData NotOnOrAfter="{confirmed_until}" Recipient="{recipient}" InResponseTo="{confirmation_to}"/>
</saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{begin}" NotOnOrAfter="{end}"><saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience>
</saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="{login_at}" SessionIndex="1"><saml:AuthnContext><saml:AuthnContextClassRef>{level}\
</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement></saml:Assertion>"""
ANSWER = """<samlp:ArtifactResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
 xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{answer_id}" Version="{answer_version}" IssueInstant="{answer_instant}"
 InResponseTo="{answer_to}"><saml:Issuer>{answer_issuer}</saml:Issuer>
<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Id="placeholder"/>
<samlp:Status><samlp:StatusCode Value="{outer_status}"/></samlp:Status>
<samlp:Response ID="{response_id}" Version="{response_version}" IssueInstant="{response_instant}" InResponseTo="{response_to}">
<saml:Issuer>{response_issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{inner_status}"/></samlp:Status>
</samlp:Response></samlp:ArtifactResponse>"""


def later(**since: float) -> str:
    """A time of SAML, so much after now."""
    return (datetime.now(UTC) + timedelta(**since)).strftime("%Y-%m-%dT%H:%M:%SZ")


def find(element: Any, name: str) -> Any:
    """The first descendant of that name."""
    return element.find(f".//{name}", NS)


class Signer(XMLSigner):
    """Signs with SHA-1 too, if that is asked for."""

    def check_deprecated_methods(self) -> None:
        """Anything goes."""


def sign(element: Any, by: Credential, sha: str = "256") -> Any:
    """The element with a signature where its placeholder stands."""
    signer = Signer(
        signature_algorithm=SignatureMethod.from_fragment(f"rsa-sha{sha}"),
        digest_algorithm=DigestAlgorithm.from_fragment(f"sha{sha}"),
        c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
    )
    return signer.sign(element, key=by.key, cert=[by.certificate], reference_uri=f"#{element.get('ID')}", id_attribute="ID")


@dataclass(kw_only=True)
class Answer:
    """How an answer differs from a right one.

    ``values`` replace those of the templates; ``assertion`` and ``answer`` change an element before anything is signed, ``inside``
    the answer when only its assertion is, ``document`` the whole and ``data`` its octets afterwards; ``respond`` makes something
    else of them.
    """

    values: dict[str, str] = field(default_factory=dict)
    assertion: Callable[[Any], Any] = lambda element: element
    answer: Callable[[Any], Any] = lambda element: element
    inside: Callable[[Any], Any] = lambda element: element
    document: Callable[[Any], Any] = lambda element: element
    data: Callable[[bytes], bytes] = lambda data: data
    signed_by: Credential | None = None
    sha: str = "256"
    sign_assertion: bool = True
    sign_answer: bool = True
    respond: Callable[[bytes], Response] | None = None


@dataclass
class Idp:
    """DigiD. ``login`` is the person's browser on its pages; what the service provider sends is kept."""

    signing: Credential
    server: Server
    requests: list[Any] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    resolves: list[bytes] = field(default_factory=list)
    peers: list[Peer] = field(default_factory=list)
    answer: Answer = field(default_factory=Answer)
    audience: str = ""
    recipient: str = ""
    serves: dict[str, Any] = field(default_factory=dict)

    def metadata(self) -> str:
        """What a service provider has to know."""
        certificate = b64encode(self.signing.certificate.public_bytes(serialization.Encoding.DER)).decode()
        return METADATA.format(entity=ENTITY, certificate=certificate, front=FRONT, back=BACK)

    def login(self, location: str) -> str:
        """Somebody logs in where the service provider sent her. Where she is sent back to."""
        query = urlsplit(location).query
        self.queries.append(query)
        given = {name: values[0] for name, values in parse_qs(query).items()}
        self.requests.append(etree.fromstring(zlib.decompress(b64decode(given["SAMLRequest"]), -15)))
        return self.issue(self.requests[-1], given["RelayState"])

    def issue(self, request: Any, relay_state: str) -> str:
        """Where somebody is sent back to who has logged in for this request."""
        artifact = self.artifact()
        self.serves[artifact] = request
        return f"{self.recipient}?SAMLart={quote(artifact, safe='')}&RelayState={quote(relay_state, safe='')}"

    def artifact(self, entity: str = ENTITY) -> str:
        """A new artifact."""
        return b64encode(b"\0\4\0\0" + hashlib.sha1(entity.encode()).digest() + secrets.token_bytes(20)).decode()

    def resolve(self, request: Request, peer: Peer) -> Response:
        """The back channel."""
        self.resolves.append(request.body)
        self.peers.append(peer)
        resolve = find(etree.fromstring(request.body), "samlp:ArtifactResolve")
        asked = self.serves.pop(find(resolve, "samlp:Artifact").text, None)
        body = self.made(asked.get("ID") if asked is not None else "_nobody", resolve.get("ID"))
        if self.answer.respond:
            return self.answer.respond(body)
        return Response(status=200, headers=(("Content-Type", "text/xml"),), body=body)

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Meanwhile nothing is answered."""
        over = threading.Event()
        self.answer = Answer(respond=lambda right: Response(status=200 if over.wait(30) else 500, body=right))
        try:
            yield
        finally:
            over.set()

    def made(self, request_id: str, resolve_id: str) -> bytes:
        """An answer, right but for what it was told."""
        told, by = self.answer, self.answer.signed_by or self.signing
        values = {**self.right(request_id, resolve_id), **told.values}
        assertion = told.assertion(etree.fromstring(ASSERTION.format(**values)))
        answer = told.answer(etree.fromstring(ANSWER.format(**values)))
        if assertion is not None:
            assertion = sign(assertion, by, told.sha) if told.sign_assertion else _unsigned(assertion)
            if (response := find(answer, "samlp:Response")) is not None:
                response.append(assertion)
        answer = told.inside(answer)
        answer = sign(answer, by, told.sha) if told.sign_answer else _unsigned(answer)
        envelope = etree.Element(f"{{{NS['soap']}}}Envelope", nsmap={"soap": NS["soap"]})
        etree.SubElement(envelope, f"{{{NS['soap']}}}Body").append(answer)
        return told.data(etree.tostring(told.document(envelope)))

    def right(self, request_id: str, resolve_id: str) -> dict[str, str]:
        """The values of a right answer."""
        levels = ("answer", "response", "assertion")
        return {
            **{f"{level}_id": f"_{secrets.token_hex(20)}" for level in levels},
            **{f"{level}_version": "2.0" for level in levels},
            **{f"{level}_instant": later() for level in levels},
            **{f"{level}_issuer": ENTITY for level in levels},
            "answer_to": resolve_id,
            "response_to": request_id,
            "confirmation_to": request_id,
            "outer_status": SUCCESS,
            "inner_status": SUCCESS,
            "name": f"s00000000:{BSN}",
            "method": "urn:oasis:names:tc:SAML:2.0:cm:bearer",
            "confirmed_until": later(minutes=2),
            "recipient": self.recipient,
            "begin": later(minutes=-2),
            "end": later(minutes=2),
            "audience": self.audience,
            "login_at": later(),
            "level": MIDDEN,
        }


def _unsigned(element: Any) -> Any:
    for placeholder in element.findall("./ds:Signature[@Id='placeholder']", NS):
        element.remove(placeholder)
    return element


def start(folder: Path, tls: Credential, signing: Credential, client_ca: Path) -> Idp:
    """A DigiD that listens. The caller stops its server."""
    certificate, key = tls.write(folder, "idp-tls")
    server = Server(
        lambda request, peer: idp.resolve(request, peer),
        host=BACK,
        certificate=certificate,
        key=key,
        client_ca=client_ca,
        client_certificate="ask",
        idle_s=20,
    )
    idp = Idp(signing, server)
    server.start()
    return idp


__all__ = ["HANG_UP", "Answer", "Idp", "later", "sign", "start"]
