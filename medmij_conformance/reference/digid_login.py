"""The reference as a service provider of DigiD: SAML 2.0 with signed requests by redirect and the answer by artifact.

``DigidLogin`` is a way of identifying people that a ``Dvza`` can be given instead of its own page. For each flow it sends the
browser to DigiD with a request of its own; when the browser comes back it fetches the answer itself, over mutual TLS, and
believes it only if ``digid_assertion`` does. Everything else is exception 2. As in the gateway, each rule is a small method.

What the two sides know of each other before, their metadata, they have from files. The time is that of the wall clock.
"""

import hashlib
import secrets
import threading
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree
from lxml.builder import ElementMaker
from signxml.signer import XMLSigner

from medmij_conformance.evidence import Headers, Request, Response, header
from medmij_conformance.reference.digid_assertion import (
    EXCLUSIVE_C14N,
    LEVELS,
    NAMESPACES,
    Element,
    Expected,
    LoginRefusedError,
    Verifier,
    parse_xml,
    wall_clock,
)
from medmij_conformance.reference.digid_channel import DigidChannel, DigidPeers, NoAnswerError
from medmij_conformance.reference.dvza import Dvza, Flow

T = TypeVar("T")
ACS_PATH = "/saml/acs"
ARTIFACT_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
POST_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
SOAP_BINDING = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
SAML_PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"

_soap, _samlp, _saml, _md, _ds = (ElementMaker(namespace=NAMESPACES[p], nsmap=NAMESPACES) for p in NAMESPACES)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProvider:
    """DigiD, as its metadata describe it. ``resolve``: index of an artifact resolution service -> its address."""

    entity_id: str
    certificates: tuple[x509.Certificate, ...]
    sign_on: str
    sign_on_by_form: str
    resolve: Mapping[int, str]

    @classmethod
    def read(cls, file: Path) -> Self:
        """From a metadata file, which is trusted because somebody put it there. Raises ``ValueError`` that names the file."""
        try:
            provider = cls._of(parse_xml(file.read_bytes()).find("./md:IDPSSODescriptor", NAMESPACES))
        except (OSError, ValueError, LoginRefusedError) as error:
            raise ValueError(f"{file}: no usable metadata of DigiD: {error}") from error
        if not (provider.entity_id and provider.certificates and provider.sign_on and provider.resolve):
            raise ValueError(f"{file}: expected an entityID, a signing key, a sign-on by redirect and an artifact resolution")
        return provider

    @classmethod
    def _of(cls, role: Element) -> Self:
        if role is None:
            raise ValueError("expected an EntityDescriptor with an IDPSSODescriptor")
        return cls(
            entity_id=role.getparent().get("entityID", ""),
            certificates=tuple(_signing_certificates(role)),
            sign_on=next(iter(_locations(role, "md:SingleSignOnService", REDIRECT_BINDING).values()), ""),
            sign_on_by_form=next(iter(_locations(role, "md:SingleSignOnService", POST_BINDING).values()), ""),
            resolve=_locations(role, "md:ArtifactResolutionService", SOAP_BINDING),
        )


def _signing_certificates(role: Element) -> list[x509.Certificate]:
    path = "./ds:KeyInfo/ds:X509Data/ds:X509Certificate"
    keys = [key for key in role.iterfind("./md:KeyDescriptor", NAMESPACES) if key.get("use", "signing") == "signing"]
    texts = [each.text or "" for key in keys for each in key.iterfind(path, NAMESPACES)]
    return [x509.load_der_x509_certificate(b64decode(text)) for text in texts]


def _locations(role: Element, name: str, binding: str) -> dict[int, str]:
    """Index -> address of the services of a binding."""
    found = [each for each in role.iterfind(f"./{name}", NAMESPACES) if each.get("Binding") == binding]
    return {int(each.get("index", "0")): each.get("Location", "") for each in found}


@dataclass(frozen=True, slots=True, kw_only=True)
class DigidSettings:
    """What somebody who connects the gateway to DigiD fills in. ``level`` is a key of ``LEVELS``."""

    idp_metadata: Path
    sp_metadata: Path
    entity_id: str
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    channel: DigidChannel
    level: str = "midden"

    @classmethod
    def from_json(cls, given: Mapping[str, Any], folder: Path) -> Self:
        """From the member ``digid`` of a settings file in ``folder``. Raises ``ValueError`` that names the member."""
        paths = ("idp_metadata", "certificate", "key", "ca", "sp_metadata")
        missing = [name for name in (*paths, "entity_id") if not isinstance(given.get(name), str)]
        if missing:
            raise ValueError(f"digid.{missing[0]}: expected a text, found {given.get(missing[0])!r}")
        level = given.get("level", "midden")
        if level not in LEVELS:
            raise ValueError(f"digid.level: expected one of {', '.join(LEVELS)}, found {level!r}")
        files = {name: folder / given[name] for name in paths}
        own = {name: files[name] for name in ("certificate", "key", "ca")}
        return cls(
            idp_metadata=files["idp_metadata"],
            sp_metadata=files["sp_metadata"],
            entity_id=given["entity_id"],
            certificate=_read("certificate", files["certificate"], x509.load_pem_x509_certificate),
            key=_read("key", files["key"], _rsa_key),
            channel=DigidChannel(**own, connect=given.get("connect", {}), limit_s=float(given.get("limit_s", 5.0))),
            level=level,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A login that the browser was sent away for."""

    id: str
    relay_state: str
    flow: Flow
    provider: IdentityProvider
    at: datetime


class DigidLogin:
    """The service provider. ``begin`` sends a browser to DigiD, ``come_back`` receives it; the rest is one rule each."""

    open_for = timedelta(minutes=15)
    force_authn: str | None = "true"
    comparison = "minimum"
    signature_algorithm = RSA_SHA256
    hash_of_signature: hashes.HashAlgorithm = hashes.SHA256()

    def __init__(self, gateway: Dvza, settings: DigidSettings) -> None:
        self.gateway = gateway
        self.settings = settings
        self.level = settings.level
        self.acs = f"https://{gateway.hostname}{ACS_PATH}"
        self.now = wall_clock
        self.query_key = self.message_key = settings.key
        self.channel = replace(settings.channel, peers=DigidPeers())
        self.verifier = Verifier(certificates=(), now=lambda: self.now())
        self.open: dict[str, Asked] = {}
        self.artifacts: set[str] = set()
        self.refusals: list[str] = []
        self.lock = threading.Lock()

    @property
    def paths(self) -> Mapping[str, Callable[[Request], Response]]:
        """Where browsers come back, and who receives them."""
        return {ACS_PATH: self.come_back}

    # ----------------------------------------------------------------------------------------------------------- metadata

    def metadata(self) -> bytes:
        """What DigiD has to know of us: who we are, our key, and where browsers return to. Signed."""
        service = _md.AssertionConsumerService(index="0", Binding=ARTIFACT_BINDING, Location=self.acs)
        der = self.settings.certificate.public_bytes(serialization.Encoding.DER)
        key_info = _ds.KeyInfo(
            _ds.KeyName(hashlib.sha1(der, usedforsecurity=False).hexdigest()),
            _ds.X509Data(_ds.X509Certificate(b64encode(der).decode())),
        )
        role = _md.SPSSODescriptor(
            _md.KeyDescriptor(key_info, use="signing"),
            service,
            AuthnRequestsSigned="true",
            WantAssertionsSigned="true",
            protocolSupportEnumeration=SAML_PROTOCOL,
        )
        entity = _md.EntityDescriptor(_placeholder(), role, ID=self.mint_id(), entityID=self.settings.entity_id)
        return _bytes(self.signed(entity))

    # --------------------------------------------------------------------------------------------------------- the way out

    def begin(self, flow: Flow) -> Response:
        """Step 4: to DigiD, with a request for this flow alone."""
        try:
            provider = IdentityProvider.read(self.settings.idp_metadata)
        except ValueError as error:
            return self.refuse(flow, str(error))
        asked = self.ask(flow, provider)
        with self.lock:
            self.open[asked.relay_state] = asked
        location = self.address(asked, self.signed_query(self.authn_request(asked), asked.relay_state))
        headers: Headers = (
            ("Location", location),
            ("Set-Cookie", self.gateway.session_cookie(flow)),
            ("Cache-Control", "no-cache, no-store"),
            ("Pragma", "no-cache"),
            ("Referrer-Policy", "no-referrer"),
        )
        return Response(status=self.gateway.redirect_status, headers=headers)

    def ask(self, flow: Flow, provider: IdentityProvider) -> Asked:
        """A login of its own for each flow."""
        return Asked(id=self.mint_id(), relay_state=self.relay_state(flow), flow=flow, provider=provider, at=self.now())

    def mint_id(self) -> str:
        """An ID that nobody can guess and that never comes twice: 160 random bits."""
        return f"_{secrets.token_hex(20)}"

    def relay_state(self, flow: Flow) -> str:
        """A word that means something to us alone."""
        return secrets.token_urlsafe(24)

    def authn_request(self, asked: Asked) -> Element:
        """The request: who asks, of whom, how sure it has to be, and which of our addresses to return to."""
        request = _samlp.AuthnRequest(
            _saml.Issuer(self.settings.entity_id),
            _samlp.RequestedAuthnContext(
                _saml.AuthnContextClassRef(self.asked_class()),
                Comparison=self.comparison,
            ),
            ID=asked.id,
            Version="2.0",
            IssueInstant=_instant(self.now()),
            Destination=self.destination(asked),
        )
        for name, value in {"ForceAuthn": self.force_authn, **self.way_back(asked)}.items():
            if value is not None:
                request.set(name, value)
        return request

    def asked_class(self) -> str:
        """The lowest level that will do."""
        return LEVELS[self.level]

    def destination(self, asked: Asked) -> str:
        """Where the request is meant to arrive."""
        return asked.provider.sign_on

    def way_back(self, asked: Asked) -> Mapping[str, str]:
        """Which of our addresses the browser returns to."""
        return {"AssertionConsumerServiceIndex": "0"}

    def signed_query(self, request: Element, relay_state: str) -> str:
        """Deflated, encoded, and signed as it is sent: the octets are those of the query itself."""
        deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        packed = b64encode(deflate.compress(_bytes(request)) + deflate.flush()).decode()
        pairs = {"SAMLRequest": packed, "RelayState": relay_state, "SigAlg": self.signature_algorithm}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs.items())
        return f"{query}&Signature={quote(self.signature_over(query.encode()), safe='')}"

    def signature_over(self, octets: bytes) -> str:
        """RSA, PKCS#1 version 1.5, in base64."""
        return b64encode(self.query_key.sign(octets, padding.PKCS1v15(), self.hash_of_signature)).decode()

    def address(self, asked: Asked, query: str) -> str:
        """The address of DigiD with the query."""
        return f"{asked.provider.sign_on}{'&' if urlsplit(asked.provider.sign_on).query else '?'}{query}"

    # ---------------------------------------------------------------------------------------------------------- the way in

    def come_back(self, request: Request) -> Response:
        """Steps 6 and 7: the browser is back. What cannot be tied to a login of it ends on a page, all else in its flow."""
        given = self.parameters(request)
        asked = self.asked_by(request, given)
        if asked is None:
            return self.gateway.error_page("This login does not belong to a session of this browser.")
        try:
            bsn = self.identify(asked, given)
        except LoginRefusedError as refusal:
            return self.refuse(asked.flow, str(refusal))
        return self.gateway.after_login(asked.flow, self.gateway.persons.get(bsn))

    def parameters(self, request: Request) -> Mapping[str, list[str]]:
        """Of the query, or of the form that was posted."""
        form = (header(request.headers, "content-type") or "").startswith("application/x-www-form-urlencoded")
        posted = request.method == "POST" and form
        return parse_qs(request.text if posted else urlsplit(request.url).query, keep_blank_values=True)

    def asked_by(self, request: Request, given: Mapping[str, list[str]]) -> Asked | None:
        """The open login that the browser comes back from, by its relay state and its cookie. It is open no longer then."""
        states = given.get("RelayState", [])
        with self.lock:
            asked = self.open.get(states[0]) if len(states) == 1 else None
            if asked is None or not self.is_of_this_browser(request, asked.flow):
                return None
            return self.open.pop(asked.relay_state)

    def is_of_this_browser(self, request: Request, flow: Flow) -> bool:
        """The flow waits for a login, and its cookie is there."""
        return self.gateway.flow_of(request, {"flow": flow.id}) is flow and flow.stage == "login"

    def refuse(self, flow: Flow, why: str) -> Response:
        """Exception 2: the identity is not established, the flow ends. Why it is so stays here."""
        self.refusals.append(why)
        self.gateway.note(flow, "not_identified")
        return self.gateway.identity_not_established(flow)

    def identify(self, asked: Asked, given: Mapping[str, list[str]]) -> str:
        """The BSN of who has logged in. Raises ``LoginRefusedError``."""
        self.check_in_time(asked)
        artifact = self.artifact_in(given)
        service = self.service_of(artifact, asked.provider)
        self.check_artifact_is_new(artifact)
        resolve_id = self.mint_id()
        try:
            answer = self.channel.post(service, self.envelope(self.artifact_resolve(resolve_id, artifact, service)))
        except NoAnswerError as error:
            raise LoginRefusedError(str(error)) from error
        self.verifier.certificates = asked.provider.certificates
        return self.verifier.bsn(answer, self.expected(asked, resolve_id))

    def check_in_time(self, asked: Asked) -> None:
        """Who stays away longer than a quarter of an hour has to begin anew."""
        if self.now() - asked.at > self.open_for:
            raise LoginRefusedError("the login took too long")

    def artifact_in(self, given: Mapping[str, list[str]]) -> str:
        """There is one artifact, and nothing else will do."""
        artifacts = given.get("SAMLart", [])
        if len(artifacts) != 1 or "SAMLResponse" in given:
            raise LoginRefusedError(f"{len(artifacts)} artifacts instead of one")
        return artifacts[0]

    def service_of(self, artifact: str, provider: IdentityProvider) -> str:
        """Where the artifact can be resolved: its shape is right, and it says that it comes from DigiD."""
        try:
            raw = b64decode(artifact, validate=True)
        except ValueError:
            raw = b""
        if len(raw) != 44 or raw[:2] != b"\x00\x04":
            raise LoginRefusedError("the artifact has another shape")
        self.check_source(raw[4:24], provider)
        service = provider.resolve.get(int.from_bytes(raw[2:4]))
        if service is None:
            raise LoginRefusedError("the artifact names a service that is not in the metadata")
        return service

    def check_source(self, source: bytes, provider: IdentityProvider) -> None:
        """The source of the artifact is DigiD."""
        if source != hashlib.sha1(provider.entity_id.encode(), usedforsecurity=False).digest():
            raise LoginRefusedError("the artifact is of another source")

    def check_artifact_is_new(self, artifact: str) -> None:
        """An artifact is resolved once."""
        with self.lock:
            known = artifact in self.artifacts
            self.artifacts.add(artifact)
        if known:
            raise LoginRefusedError("the artifact was used before")

    def artifact_resolve(self, resolve_id: str, artifact: str, service: str) -> Element:
        """The question for what the artifact stands for. Signed."""
        return self.signed(self.question(resolve_id, artifact, service))

    def question(self, resolve_id: str, artifact: str, service: str) -> Element:
        """The ``ArtifactResolve``, with a place for its signature."""
        return _samlp.ArtifactResolve(
            _saml.Issuer(self.settings.entity_id),
            _placeholder(),
            _samlp.Artifact(artifact),
            ID=resolve_id,
            Version="2.0",
            IssueInstant=_instant(self.now()),
            Destination=service,
        )

    def envelope(self, message: Element) -> bytes:
        """A message in SOAP 1.1."""
        return _bytes(_soap.Envelope(_soap.Body(message)))

    def expected(self, asked: Asked, resolve_id: str) -> Expected:
        """What the answer has to say."""
        return Expected(
            issuer=asked.provider.entity_id,
            audience=self.settings.entity_id,
            recipient=self.acs,
            resolve_id=resolve_id,
            request_id=asked.id,
            asked_at=asked.at,
            level=self.level,
        )

    # ---------------------------------------------------------------------------------------------------------- signatures

    def signer(self) -> XMLSigner:
        """How messages are signed: RSA-SHA256, exclusive canonicalisation."""
        return XMLSigner(c14n_algorithm=EXCLUSIVE_C14N)

    def signed(self, message: Element) -> Element:
        """The message with an enveloped signature where the placeholder stands."""
        return self.signer().sign(
            message,
            key=self.message_key,
            cert=[self.settings.certificate],
            reference_uri=f"#{message.get('ID')}",
            id_attribute="ID",
        )


def _placeholder() -> Element:
    """Where a signature will stand."""
    return _ds.Signature(Id="placeholder")


def _instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _bytes(element: Element) -> bytes:
    octets: bytes = etree.tostring(element)
    return octets


def _read(member: str, file: Path, load: Callable[[bytes], T]) -> T:
    try:
        return load(file.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"digid.{member}: {file}: {error}") from error


def _rsa_key(pem: bytes) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("expected an RSA key, because DigiD knows RSA signatures only")
    return key
