"""DigiD, played: a SAML identity provider that does everything right, except the one thing it is told to do wrong.

No I/O: a request in, a reply out. A login is known by the AuthnRequest that began it, its form and its artifact, never by the order
of requests. The player is lenient: a request that is wrong but can be understood is played on, so that one mistake of a gateway is
told as one; what is wrong with it is for the judges.
"""

import base64
import html
import secrets
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from medmij_conformance.evidence import Headers, Request, Response
from medmij_conformance.protocol import oauth, saml
from medmij_conformance.protocol.saml import NAMESPACES, Answer, Element, Signer

CUT = 0
"""The status of an answer that is none: the connection is cut."""

LOGIN_PAGE = "form#harness-digid-login"
LOG_IN, CANCEL = f"{LOGIN_PAGE} button[value=login]", f"{LOGIN_PAGE} button[value=cancel]"
TRAP = "/trap"
"""Where nobody calls who does not do what a hostile answer tells him to."""
USED_BEFORE = "gives the assertion the ID of the one before"
BSN_SECTOR, SOFI_SECTOR = "s00000000", "s00000001"

_LOGIN = "/saml/idp/login"
_HTML: Headers = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
_XML: Headers = (("Content-Type", "text/xml; charset=utf-8"), ("Cache-Control", "no-store"))
_VALID = timedelta(minutes=2)
_LONG = timedelta(minutes=10)  # no allowance for clocks that go wrong hides it
_KEPT = timedelta(minutes=15)


@dataclass(slots=True, kw_only=True)
class Login:
    """One login, from the AuthnRequest on.

    ``signature`` says what is wrong with that of the request; empty when nothing is. ``consumer`` is where the artifact goes,
    ``deviation`` the one thing that goes wrong, ``forged`` the number of somebody else, for forged answers. ``assertion`` is the ID
    of the assertion that was handed out. ``scenario``, ``shown`` (the serial number of the certificate that was shown for the
    occasion), ``unseen`` (the gateway came over a connection that was opened with another one) and ``resolves`` (one line for each
    ArtifactResolve: what is wrong with its signature) are the harness's own.
    """

    handle: str
    request: saml.AuthnRequest
    relay_state: str | None
    consumer: str
    algorithm: str = ""
    signature: str = ""
    deviation: str = ""
    forged: str = ""
    scenario: str = ""
    shown: int = 0
    unseen: bool = False
    outcome: str = ""
    bsn: str = ""
    artifact: str = ""
    issued: datetime | None = None
    used: bool = False
    answered: bytes = b""
    assertion: str = ""
    resolves: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What DigiD says: the answer, which login it belongs to, and what of it is secret; ``silence_s``: seconds before it."""

    response: Response
    label: str
    login: Login | None = None
    secrets: tuple[str, ...] = ()
    silence_s: float = 0.0


class Digid:
    """The identity provider. ``front`` and ``back`` are the addresses of its channels; ``sp`` is whom it knows; ``now`` a clock."""

    def __init__(
        self,
        *,
        entity_id: str,
        front: str,
        back: str,
        signer: Signer,
        sp: saml.ServiceProvider,
        stranger: Callable[[], Signer],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.entity_id = entity_id
        self.front_address = front
        self.back_address = back
        self.signer = signer
        self.stranger = stranger
        self.sp = sp
        self.now = now
        self.logins: list[Login] = []

    def forget(self) -> None:
        """Begin anew: nobody is logging in."""
        self.logins.clear()

    # --- the front channel: the person's browser ---

    def front(self, request: Request) -> Reply:
        """Answer a browser."""
        path = urlsplit(request.url).path
        if path == saml.REQUEST and request.method in {"GET", "POST"}:
            return self.begin(request)
        if path == _LOGIN and request.method == "POST":
            return self.log_in(dict(oauth.decode(request.text)))
        if path == saml.METADATA:
            return Reply(response=Response(status=200, headers=_XML, body=self.metadata()), label="metadata of DigiD")
        label = "a call into a trap" if path.startswith(TRAP) else "a request elsewhere at DigiD"
        return Reply(response=_page("This page does not exist", "", 404), label=label)

    def metadata(self) -> bytes:
        """What a service provider has to know of us."""
        return saml.idp_metadata(self.entity_id, self.signer, self.front_address, self.back_address)

    def begin(self, request: Request) -> Reply:
        """An AuthnRequest: the login page, when it can be understood."""
        try:
            packed, root = message_of(request)
        except saml.SamlError as error:
            return Reply(response=_page("This request cannot be read", html.escape(str(error)), 404), label="AuthnRequest")
        asked = saml.authn_request(root)
        login = Login(
            handle=secrets.token_urlsafe(16),
            request=asked,
            relay_state=packed.relay_state,
            consumer=self.consumer(asked),
            algorithm=packed.algorithm or saml.RSA_SHA256,
            signature=self.fault_of(packed, root),
        )
        self.logins.append(login)
        return Reply(response=_login_page(login), label="AuthnRequest", login=login)

    def consumer(self, asked: saml.AuthnRequest) -> str:
        """Where the artifact goes: an address of the metadata, whatever was asked."""
        known = self.sp.consumers
        if asked.url in known.values():
            return str(asked.url)
        return known.get(asked.index or "", next(iter(known.values())))

    def fault_of(self, packed: saml.Packed, root: Element) -> str:
        """What is wrong with the signature of an AuthnRequest; empty when nothing is."""
        try:
            if packed.octets:
                saml.verify_query(packed, self.sp.certificates)
            else:
                saml.verify(root, self.sp.certificates)
        except saml.SamlError as error:
            return str(error)
        return ""

    def log_in(self, form: Mapping[str, str]) -> Reply:
        """The login form comes back: the browser returns to the gateway with an artifact, whatever came of it.

        Who goes back to the page and logs in again returns with another artifact: what that is worth is the gateway's affair.
        """
        login = next((each for each in self.logins if each.handle == form.get("login")), None)
        if login is None:
            return Reply(response=_page("This login is unknown", "", 400), label="login at DigiD")
        if login.artifact:
            login = replace(login, used=False, assertion="", resolves=[])
            self.logins.append(login)
        login.outcome = "logged in" if form.get("action") == "login" else "cancelled"
        login.bsn = "".join(form.get("bsn", "").split())
        login.artifact = saml.artifact(self.entity_id, secrets.token_bytes(20))
        login.issued = self.now()
        pairs = [("SAMLart", login.artifact), *([] if login.relay_state is None else [("RelayState", login.relay_state)])]
        deviate = RETURN.get(login.deviation)
        pairs = deviate(self, login, pairs) if deviate else pairs
        location = oauth.with_query(login.consumer, pairs) if pairs else login.consumer
        headers = (("Location", location), ("Cache-Control", "no-store"), ("Referrer-Policy", "no-referrer"))
        return Reply(response=Response(status=302, headers=headers), label="login at DigiD", login=login, secrets=(login.artifact,))

    # --- the back channel: the gateway itself ---

    def back(self, request: Request) -> Reply:
        """Answer the gateway."""
        path = urlsplit(request.url).path
        if path != saml.RESOLVE or request.method != "POST":
            label = "a call into a trap" if path.startswith(TRAP) else "a request elsewhere at DigiD"
            return Reply(response=_page("This page does not exist", "", 404), label=label)
        try:
            message = saml.from_soap(request.body)
            asked = saml.artifact_resolve(message)
        except saml.SamlError:
            return Reply(response=_page("This request cannot be read", "", 404), label="ArtifactResolve")
        login = next((each for each in self.logins if each.artifact and each.artifact == asked.artifact), None)
        if login:
            login.resolves.append(self.fault_of(saml.Packed(xml=b"", relay_state=None), message))
        response = self.resolve(asked, login)
        silence_s = SILENCE.get(login.deviation, 0.0) if login else 0.0
        return Reply(response=response, label="ArtifactResolve", login=login, silence_s=silence_s)

    def resolve(self, asked: saml.ArtifactResolve, login: Login | None) -> Response:
        """The answer to an ArtifactResolve."""
        if login is None or login.used:
            answer = self.answer(asked, login)
            DRAFT["does not know the artifact"](self, login, answer)
            return _soap(self.signed(saml.artifact_response(answer)))
        login.used = True
        answer = self.answer(asked, login)
        if login.issued and self.now() - login.issued > _KEPT:
            DRAFT["has let the artifact expire"](self, login, answer)
        elif login.outcome == "cancelled":
            DRAFT["reports a cancelled login"](self, login, answer)
        if deviate := DRAFT.get(login.deviation):
            deviate(self, login, answer)
        login.assertion = (answer.assertion and answer.response and answer.ids[2]) or ""
        return self.packed(login, answer)

    def answer(self, asked: saml.ArtifactResolve, login: Login | None) -> Answer:
        """The right answer, for a person who has logged in."""
        now = self.now()
        begin, end = saml.instant(now - _VALID), saml.instant(now + _VALID)
        known = login.request if login else None
        return Answer(
            ids=[f"_{secrets.token_hex(20)}" for _ in range(3)],
            issuers=[self.entity_id] * 3,
            instants=[saml.instant(now)] * 3,
            resolve_id=asked.id,
            request_id=known.id if known else None,
            confirmed_id=known.id if known else None,
            name_id=f"{BSN_SECTOR}:{login.bsn if login else ''}",
            recipient=login.consumer if login else None,
            confirmed_until=end,
            not_before=begin,
            not_on_or_after=end,
            audiences=(self.sp.entity_id,),
            level=known.classes[0] if known and known.classes else saml.LEVELS["midden"],
        )

    def handed_out(self, login: Login) -> list[str]:
        """The IDs of right assertions that were handed out before a login, in order."""
        return [each.assertion for each in self.logins if each.assertion and not each.deviation and each is not login]

    def posted(self, login: Login, bsn: str) -> list[tuple[str, str]]:
        """A form that brings a signed Response by the browser, which DigiD never does."""
        login.bsn, login.outcome = bsn, "logged in"
        answer = self.answer(saml.ArtifactResolve(id="", version="", issue_instant="", issuer="", artifact=""), login)
        envelope = saml.artifact_response(answer)
        saml.sign(_assertion(envelope), self.signer)
        text = etree.tostring(_assertion(envelope).getparent())
        pairs = [("SAMLResponse", base64.b64encode(text).decode())]
        return pairs if login.relay_state is None else [*pairs, ("RelayState", login.relay_state)]

    def packed(self, login: Login, answer: Answer) -> Response:
        """An answer, signed and in its envelope, with what goes wrong on the way."""
        envelope = saml.artifact_response(answer)
        if shape := TREE.get(login.deviation):
            envelope = shape(self, login, envelope)
        envelope = (SIGN.get(login.deviation) or Digid.signed)(self, envelope)
        if forge := SIGNED.get(login.deviation):
            forge(self, login, envelope)
        response = _soap(envelope)
        login.answered = response.body
        raw = RAW.get(login.deviation)
        return raw(self, login, response) if raw else response

    def signed(self, envelope: Element, signer: Signer | None = None, **options: Any) -> Element:
        """Sign the assertion first, when the gateway wants that, and then the whole."""
        self.sign_assertion(envelope, signer, **options)
        saml.sign(_outer(envelope), signer or self.signer, **options)
        return envelope

    def sign_assertion(self, envelope: Element, signer: Signer | None = None, **options: Any) -> None:
        """Sign the assertions, when the gateway wants that."""
        for assertion in envelope.iter(f"{{{saml.SAML}}}Assertion") if self.sp.wants_signed_assertions else ():
            saml.sign(assertion, signer or self.signer, **options)


def message_of(request: Request) -> tuple[saml.Packed, Element]:
    """The message that a browser brings in its address or its form, as it was packed, and read. Raises ``SamlError``."""
    if request.method == "GET":
        packed = saml.from_query(urlsplit(request.url).query)
    else:
        packed = saml.from_form(dict(oauth.decode(request.text)))
    return packed, saml.parse(packed.xml)


# ------------------------------------------------------------------------------------------- what DigiD can do wrong

Pairs = list[tuple[str, str]]
RETURN: dict[str, Callable[[Digid, Login, Pairs], Pairs]] = {}
"""How the browser goes back to the gateway."""
DRAFT: dict[str, Callable[[Digid, Login | None, Answer], None]] = {}
"""What an answer says, before it is written and signed."""
TREE: dict[str, Callable[[Digid, Login, Element], Element]] = {}
"""How an answer is written, before it is signed."""
SIGN: dict[str, Callable[[Digid, Element], Element]] = {}
"""How an answer is signed."""
SIGNED: dict[str, Callable[[Digid, Login, Element], None]] = {}
"""What happens to an answer after it was signed."""
RAW: dict[str, Callable[[Digid, Login, Response], Response]] = {}
"""What is sent instead of an answer."""
SILENCE: Mapping[str, float] = {"says nothing for more than a minute": 75.0}
"""How long nothing is said, in seconds, before what comes instead of an answer."""


def deviations() -> frozenset[str]:
    """Everything that DigiD can do other than plainly right, as the features say it."""
    return frozenset({*RETURN, *DRAFT, *TREE, *SIGN, *SIGNED, *RAW})


def _at(table: dict[str, Any], name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        table[name] = function
        return function

    return register


def _says(name: str, **values: Any) -> None:
    """An answer in which some values are others."""

    def change(_digid: Digid, _login: Login | None, answer: Answer) -> None:
        for key, value in values.items():
            setattr(answer, key, value)

    DRAFT[name] = change


def _says_at(name: str, key: str, which: int, value: Callable[[Digid], str | None]) -> None:
    """An answer in which one of the three issuers, instants, versions or identifiers is another."""

    def change(digid: Digid, _login: Login | None, answer: Answer) -> None:
        getattr(answer, key)[which] = value(digid)

    DRAFT[name] = change


# --- no login ---

_FAILED = {"assertion": False}
_says("reports a cancelled login", inner=("Responder", "AuthnFailed"), **_FAILED)
_says("reports a cancelled login in words", inner=("Responder", "AuthnFailed"), message="Authentication cancelled", **_FAILED)
_says("reports that the level was not reached", inner=("Responder", "NoAuthnContext"), **_FAILED)
_says("denies the request", inner=("Requester", "RequestDenied"), **_FAILED)
_says("reports a status that nobody knows", inner=("Responder", "Unheard"), **_FAILED)
_says("does not know the artifact", outer=("Requester", "RequestDenied"), response=False)
_says("has let the artifact expire", response=False)
_says("answers success without an assertion", **_FAILED)
_says("reports a failed login beside a good assertion", inner=("Responder", "AuthnFailed"))
_says("denies the ArtifactResolve beside a good assertion", outer=("Requester", "RequestDenied"))

# --- an answer to somebody else, or to another question ---

_OTHER = "_0123456789abcdef0123456789abcdef01234567"
_says("answers another ArtifactResolve", resolve_id=_OTHER)
_says("does not say which ArtifactResolve it answers", resolve_id=None)
_says("answers another AuthnRequest", request_id=_OTHER)
_says("does not say which AuthnRequest it answers", request_id=None)
_says("confirms another AuthnRequest", confirmed_id=_OTHER)
_says("confirms no AuthnRequest", confirmed_id=None)
_says("confirms for another recipient", recipient="https://za.example.org/saml/acs")
_says("confirms for no recipient", recipient=None)
_says("speaks to another audience", audiences=("https://za.example.org/saml/metadata",))


@_at(DRAFT, "answers an earlier AuthnRequest")
def _earlier(digid: Digid, login: Login | None, answer: Answer) -> None:
    used = [each.request.id for each in digid.logins if each.used and each is not login]
    answer.request_id = answer.confirmed_id = used[-1] if used else _OTHER


@_at(DRAFT, USED_BEFORE)
def _used_before(digid: Digid, login: Login | None, answer: Answer) -> None:
    used = digid.handed_out(login) if login else []
    answer.ids[2] = used[-1] if used else None


for _number, _part in enumerate(("ArtifactResponse", "Response", "Assertion")):
    _says_at(f"names another issuer of the {_part}", "issuers", _number, lambda digid: f"{digid.entity_id}/other")
    _says_at(f"dates the {_part} an hour back", "instants", _number, lambda digid: saml.instant(digid.now() - timedelta(hours=1)))
    _says_at(f"dates the {_part} an hour ahead", "instants", _number, lambda digid: saml.instant(digid.now() + timedelta(hours=1)))
_says_at("speaks another version of SAML", "versions", 2, lambda _: "1.1")
_says_at("gives the assertion no ID", "ids", 2, lambda _: None)

# --- an assertion that is over, not yet valid, or says too little ---


@_at(DRAFT, "gives an assertion that has expired")
def _expired(digid: Digid, _login: Login | None, answer: Answer) -> None:
    answer.not_before = saml.instant(digid.now() - 2 * _LONG)
    answer.not_on_or_after = saml.instant(digid.now() - _LONG)


@_at(DRAFT, "gives an assertion that is not valid yet")
def _not_yet(digid: Digid, _login: Login | None, answer: Answer) -> None:
    answer.not_before = saml.instant(digid.now() + _LONG)
    answer.not_on_or_after = saml.instant(digid.now() + 2 * _LONG)


@_at(DRAFT, "gives a confirmation that has expired")
def _confirmation_expired(digid: Digid, _login: Login | None, answer: Answer) -> None:
    answer.confirmed_until = saml.instant(digid.now() - _LONG)


_says("leaves out the conditions", conditions=False)
_says("leaves out the subject confirmation", method=None)
_says("confirms by a key that nobody shows", method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")
_says("does not say how she logged in", statement=False)
_says("names no level", level=None)
_says("names a level that nobody knows", level=f"{saml.CLASSES}Telepathy")


@_at(DRAFT, "reached a lower level than was asked")
def _lower(_digid: Digid, _login: Login | None, answer: Answer) -> None:
    levels = list(saml.LEVELS.values())
    asked = levels.index(answer.level) if answer.level in levels else 0
    # Below the lowest there is a class of SAML that DigiD does not know.
    answer.level = levels[asked - 1] if asked else f"{saml.CLASSES}Password"


# --- a person who is none ---

_says("gives an empty name", name_id="")
_says("gives no name", name_id=None)
_says("gives a sector without a number", name_id=f"{BSN_SECTOR}:")
_says("gives a number that is no BSN", name_id=f"{BSN_SECTOR}:999990018")
_says("gives letters for a number", name_id=f"{BSN_SECTOR}:ABCDEFGHI")
_says("gives a number with a digit too few", name_id=f"{BSN_SECTOR}:12345678")


def _names(name: str, spell: Callable[[str], str]) -> None:
    def change(_digid: Digid, login: Login | None, answer: Answer) -> None:
        answer.name_id = spell(login.bsn if login else "")

    DRAFT[name] = change


_names("gives a SOFI number", lambda bsn: f"{SOFI_SECTOR}:{bsn}")
_names("names an unknown sector", lambda bsn: f"s00000009:{bsn}")
_names("gives a number with a digit too many", lambda bsn: f"{BSN_SECTOR}:{bsn}1")
_names("gives a name without a sector", lambda bsn: bsn)


@_at(TREE, "hides a digit behind a comment")
def _comment(_digid: Digid, _login: Login, envelope: Element) -> Element:
    comment = etree.Comment("x")
    comment.tail = "1"
    _name(envelope).append(comment)
    return envelope


@_at(TREE, "gives two assertions")
def _two(_digid: Digid, login: Login, envelope: Element) -> Element:
    first = _assertion(envelope)
    second = _forged(first, login)
    first.addnext(second)
    return envelope


@_at(TREE, "gives two names")
def _two_names(_digid: Digid, login: Login, envelope: Element) -> Element:
    second = deepcopy(_name(envelope))
    second.text = f"{BSN_SECTOR}:{login.forged}"
    _name(envelope).addprevious(second)
    return envelope


@_at(TREE, "gives an encrypted assertion in place of a plain one")
def _encrypted(_digid: Digid, _login: Login, envelope: Element) -> Element:
    plain = _assertion(envelope)
    wrapped = etree.Element(f"{{{saml.SAML}}}EncryptedAssertion")
    plain.getparent().replace(plain, wrapped)
    wrapped.append(plain)
    return envelope


# --- signatures that are none ---


@_at(SIGN, "does not sign its answer")
def _unsigned(_digid: Digid, envelope: Element) -> Element:
    return envelope


@_at(SIGN, "signs the assertion alone")
def _inner_only(digid: Digid, envelope: Element) -> Element:
    saml.sign(_assertion(envelope), digid.signer)
    return envelope


@_at(SIGN, "does not sign the assertion")
def _outer_only(digid: Digid, envelope: Element) -> Element:
    if digid.sp.wants_signed_assertions:  # else that would be right, and nothing is signed
        saml.sign(_outer(envelope), digid.signer)
    return envelope


@_at(SIGN, "signs with a key of its own making")
def _other_key(digid: Digid, envelope: Element) -> Element:
    return digid.signed(envelope, digid.stranger())


@_at(SIGN, "signs with SHA-1")
def _sha1(digid: Digid, envelope: Element) -> Element:
    return digid.signed(envelope, algorithm=saml.RSA_SHA1, digest=saml.SHA1)


@_at(SIGN, "signs with its public key for a secret")
def _hmac(digid: Digid, envelope: Element) -> Element:
    return digid.signed(envelope, algorithm="http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")


@_at(SIGN, "signs nothing in particular")
def _empty_reference(digid: Digid, envelope: Element) -> Element:
    return digid.signed(envelope, uri="")


@_at(SIGN, "signs twice in one signature")
def _two_references(digid: Digid, envelope: Element) -> Element:
    return digid.signed(envelope, references=2)


@_at(SIGN, "signs with a transformation by XSLT")
def _xslt(digid: Digid, envelope: Element) -> Element:
    sheet = etree.fromstring(
        '<ds:Transform xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116">'
        '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"><xsl:template match="/">'
        f"<xsl:copy-of select=\"document('{digid.back_address}{TRAP}/xslt')\"/>"
        "</xsl:template></xsl:stylesheet></ds:Transform>"
    )
    saml.sign(_outer(envelope), digid.signer, more_transforms=[sheet])
    return envelope


@_at(SIGN, "lets the outer signature sign the assertion")
def _moved(digid: Digid, envelope: Element) -> Element:
    digid.sign_assertion(envelope)
    made = saml.signature(_assertion(envelope), digid.signer)
    _issuer_of(_outer(envelope)).addnext(made)
    return envelope


@_at(SIGNED, "alters the number after it was signed")
def _altered(_digid: Digid, login: Login, envelope: Element) -> None:
    _name(envelope).text = f"{BSN_SECTOR}:{login.forged}"


@_at(SIGNED, "gives two elements the same ID")
def _same_id(_digid: Digid, login: Login, envelope: Element) -> None:
    genuine = _outer(envelope)
    forged = _forged(genuine, login, keep_id=True)
    _unsign(forged)
    genuine.addprevious(forged)


# --- signature wrapping: what was signed stays in the document and verifies, and a forged answer stands where one would read ---


@_at(SIGNED, "hides the signed answer in the signature of a forged one")
def _h1(_digid: Digid, login: Login, envelope: Element) -> None:
    genuine = _outer(envelope)
    forged = _forged(genuine, login)
    genuine.getparent().replace(genuine, forged)
    signature = _unsign(genuine)
    _unsign(forged)
    _issuer_of(forged).addnext(signature)
    signature.append(genuine)


@_at(SIGNED, "puts the signed answer before its signature in a forged one")
def _h2(_digid: Digid, login: Login, envelope: Element) -> None:
    genuine = _outer(envelope)
    forged = _forged(genuine, login)
    genuine.getparent().replace(genuine, forged)
    signature = _unsign(genuine)
    _unsign(forged)
    issuer = _issuer_of(forged)
    issuer.addnext(signature)
    issuer.addnext(genuine)


@_at(SIGNED, "puts the signed answer into the SOAP header and a forged one into the body")
def _h9(_digid: Digid, login: Login, envelope: Element) -> None:
    genuine = _outer(envelope)
    forged = _forged(genuine, login)
    genuine.getparent().replace(genuine, forged)
    _unsign(forged)
    header = etree.Element(f"{{{saml.SOAP}}}Header")
    envelope.insert(0, header)
    header.append(genuine)


@_at(SIGNED, "puts a forged answer before the signed one in the SOAP body")
def _h10(_digid: Digid, login: Login, envelope: Element) -> None:
    genuine = _outer(envelope)
    forged = _forged(genuine, login)
    _unsign(forged)
    genuine.addprevious(forged)


def _inside(name: str) -> Callable[[Callable[[Element, Element], None]], Callable[[Element, Element], None]]:
    """Wrapping inside the Response: a function of the signed assertion and a forged one, which holds a copy of its signature.

    Where the gateway asked for signed assertions the whole is signed anew, so that all hangs on the signature of the assertion.
    Else the signature over the whole is that of the unforged answer.
    """

    def register(wrap: Callable[[Element, Element], None]) -> Callable[[Element, Element], None]:
        def forge(digid: Digid, login: Login, envelope: Element) -> None:
            genuine = _assertion(envelope)
            if genuine.find("ds:Signature", NAMESPACES) is None:
                saml.sign(genuine, digid.signer)
            wrap(genuine, _forged(genuine, login))
            if digid.sp.wants_signed_assertions:
                _unsign(_outer(envelope))
                saml.sign(_outer(envelope), digid.signer)

        SIGNED[name] = forge
        return wrap

    return register


@_inside("puts a forged assertion before the signed one")
def _h3(genuine: Element, forged: Element) -> None:
    _unsign(forged)
    genuine.addprevious(forged)


@_inside("puts the signed assertion into a forged one")
def _h4(genuine: Element, forged: Element) -> None:
    _unsign(forged)
    genuine.getparent().replace(genuine, forged)
    forged.append(genuine)


@_inside("lets a forged assertion bear the signature of the one after it")
def _h5(genuine: Element, forged: Element) -> None:
    genuine.addprevious(forged)
    _unsign(genuine)


@_inside("hides the signed assertion in the signature of a forged one")
def _h6(genuine: Element, forged: Element) -> None:
    genuine.getparent().replace(genuine, forged)
    _unsign(genuine)
    forged.find("ds:Signature", NAMESPACES).append(genuine)


@_inside("puts the signed assertion among the extensions and a forged one in its place")
def _h7(genuine: Element, forged: Element) -> None:
    response = genuine.getparent()
    response.replace(genuine, forged)
    _unsign(forged)
    extensions = etree.Element(f"{{{saml.SAMLP}}}Extensions")
    _issuer_of(response).addnext(extensions)
    extensions.append(genuine)


@_inside("puts the signed assertion into an object of the signature of a forged one")
def _h8(genuine: Element, forged: Element) -> None:
    genuine.getparent().replace(genuine, forged)
    _unsign(genuine)
    holder = etree.SubElement(forged.find("ds:Signature", NAMESPACES), f"{{{saml.DS}}}Object")
    holder.append(genuine)


def _forged(genuine: Element, login: Login, *, keep_id: bool = False) -> Element:
    """A copy of a signed element that names somebody else, under an ID of its own."""
    forged = deepcopy(genuine)
    forged.tail = None
    for name in forged.iter(f"{{{saml.SAML}}}NameID"):
        name.text = f"{BSN_SECTOR}:{login.forged or login.bsn}"
    if not keep_id:
        for element in forged.iter():
            if isinstance(element.tag, str) and element.get("ID"):
                element.set("ID", f"_{secrets.token_hex(20)}")
    return forged


def _unsign(element: Element) -> Element:
    """Take the signature of an element out, and give it."""
    held = element.find("ds:Signature", NAMESPACES)
    if held is not None:
        element.remove(held)
    return held


# --- no answer, or a hostile one ---


def _answers(name: str, response: Callable[[Digid, Login, Response], Response]) -> None:
    RAW[name] = response


_WEB_PAGE = b"<!doctype html><html lang='nl'><title>Maintenance</title><h1>Maintenance</h1></html>"
_answers("answers the ArtifactResolve with status 404", lambda _d, _l, _r: Response(status=404))
_answers("answers the ArtifactResolve with status 500", lambda _d, _l, _r: Response(status=500))
_answers("answers the ArtifactResolve with nothing", lambda _d, _l, _r: Response(status=200, headers=_XML))
_answers("answers the ArtifactResolve with a web page", lambda _d, _l, _r: Response(status=200, headers=_HTML, body=_WEB_PAGE))
_answers("answers the ArtifactResolve with garbage", lambda _d, _l, r: replace(r, body=r.body[: len(r.body) // 2]))
_answers(
    "answers the ArtifactResolve with a SOAP fault",
    lambda _d, _l, _r: Response(status=500, headers=_XML, body=saml.soap_fault("something went wrong")),
)
_answers("cuts the connection of the ArtifactResolve", lambda _d, _l, _r: Response(status=CUT))
for _manner in SILENCE:
    _answers(_manner, lambda _d, _l, _r: Response(status=CUT))
_answers(
    "sends the ArtifactResolve elsewhere",
    lambda d, _l, _r: Response(status=307, headers=(("Location", f"{d.back_address}{TRAP}/redirect"),)),
)


@_at(RAW, "repeats the answer to an earlier login")
def _repeated(digid: Digid, login: Login, right: Response) -> Response:
    earlier = [each.answered for each in digid.logins if each.answered and each is not login and each.outcome == "logged in"]
    # Nobody has logged in yet: then the answer is that to nobody.
    return replace(right, body=earlier[-1]) if earlier else Response(status=404)


def _with_doctype(response: Response, doctype: str, name: str) -> Response:
    """The answer with a document type, and a reference to one of its entities before the name of the person."""
    head, _, rest = response.body.partition(b"?>")
    body = rest.replace(b"<saml:NameID>", f"<saml:NameID>&{name};".encode())
    return replace(response, body=head + b"?>" + doctype.encode() + body)


@_at(RAW, "points to a file by an external entity")
def _external(digid: Digid, _login: Login, right: Response) -> Response:
    return _with_doctype(right, f'<!DOCTYPE x [<!ENTITY e SYSTEM "{digid.back_address}{TRAP}/entity">]>', "e")


@_at(RAW, "defines an entity that grows without end")
def _bomb(_digid: Digid, _login: Login, right: Response) -> Response:
    lines = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return _with_doctype(right, f'<!DOCTYPE x [<!ENTITY e0 "0123456789">{lines}]>', "e9")


@_at(RAW, "sends five million octets")
def _huge(_digid: Digid, _login: Login, right: Response) -> Response:
    flood = b"<samlp:Extensions>" + b"x" * 5_000_000 + b"</samlp:Extensions>"
    return replace(right, body=right.body.replace(b"<samlp:Status>", flood + b"<samlp:Status>", 1))


@_at(RAW, "nests a hundred thousand elements")
def _deep(_digid: Digid, _login: Login, right: Response) -> Response:
    many = 100_000
    return replace(right, body=right.body.replace(b"<samlp:Status>", b"<a>" * many + b"</a>" * many + b"<samlp:Status>", 1))


# --- the way back of the browser ---


@_at(RETURN, "sends her back without an artifact")
def _no_artifact(_digid: Digid, _login: Login, pairs: Pairs) -> Pairs:
    return [pair for pair in pairs if pair[0] != "SAMLart"]


@_at(RETURN, "sends her back with garbage for an artifact")
def _garbage(_digid: Digid, _login: Login, pairs: Pairs) -> Pairs:
    return [(name, "no artifact at all" if name == "SAMLart" else value) for name, value in pairs]


@_at(RETURN, "sends her back with an artifact that nobody issued")
def _unknown_artifact(digid: Digid, _login: Login, pairs: Pairs) -> Pairs:
    stray = saml.artifact(digid.entity_id, secrets.token_bytes(20))
    return [(name, stray if name == "SAMLart" else value) for name, value in pairs]


@_at(RETURN, "sends her back with an artifact of another identity provider")
def _foreign_artifact(digid: Digid, _login: Login, pairs: Pairs) -> Pairs:
    stray = saml.artifact(f"{digid.entity_id}/other", secrets.token_bytes(20))
    return [(name, stray if name == "SAMLart" else value) for name, value in pairs]


@_at(RETURN, "sends her back with an address for a RelayState")
def _address_state(_digid: Digid, _login: Login, pairs: Pairs) -> Pairs:
    return [*(pair for pair in pairs if pair[0] != "RelayState"), ("RelayState", "https://evil.example.org/")]


# ------------------------------------------------------------------------------------- awkward, and right all the same


@_at(DRAFT, "reached a higher level than was asked")
def _higher(_digid: Digid, _login: Login | None, answer: Answer) -> None:
    levels = list(saml.LEVELS.values())
    answer.level = levels[-1]


@_at(DRAFT, "speaks to another audience too")
def _two_audiences(_digid: Digid, _login: Login | None, answer: Answer) -> None:
    answer.audiences = ("https://za.example.org/saml/metadata", *answer.audiences)


_names("writes the sector in capitals", lambda bsn: f"{BSN_SECTOR.upper()}:{bsn}")


@_at(DRAFT, "counts fractions of a second")
def _fractions(_digid: Digid, _login: Login | None, answer: Answer) -> None:
    answer.instants = [f"{time[:-1]}.123Z" if time else time for time in answer.instants]
    for name in ("not_before", "not_on_or_after", "confirmed_until"):
        setattr(answer, name, f"{getattr(answer, name)[:-1]}.123456Z")


_says("adds words to its status", message="Authenticated")


@_at(TREE, "uses other prefixes")
def _prefixes(_digid: Digid, _login: Login, envelope: Element) -> Element:
    text = etree.tostring(envelope)
    for old, new in ((b"samlp", b"saml2p"), (b"saml", b"saml2"), (b"soapenv", b"SOAP-ENV")):
        text = text.replace(b"<" + old + b":", b"<" + new + b":").replace(b"</" + old + b":", b"</" + new + b":")
        text = text.replace(b"xmlns:" + old + b"=", b"xmlns:" + new + b"=")
    return etree.fromstring(text)


@_at(TREE, "writes every element on a line of its own")
def _indented(_digid: Digid, _login: Login, envelope: Element) -> Element:
    etree.indent(envelope, "\t")
    return envelope


@_at(TREE, "sends a SOAP header along")
def _with_header(_digid: Digid, _login: Login, envelope: Element) -> Element:
    envelope.insert(0, etree.Element(f"{{{saml.SOAP}}}Header"))
    return envelope


@_at(SIGN, "lists no prefixes in its signature")
def _no_prefixes(digid: Digid, envelope: Element) -> Element:
    return digid.signed(envelope, prefixes="")


@_at(SIGN, "breaks its signature into lines")
def _lines(digid: Digid, envelope: Element) -> Element:
    digid.sign_assertion(envelope)
    for value in envelope.iter(f"{{{saml.DS}}}SignatureValue"):
        value.text = _in_lines(value.text)
    value = saml.sign(_outer(envelope), digid.signer).find("ds:SignatureValue", NAMESPACES)
    value.text = _in_lines(value.text)
    return envelope


def _in_lines(text: str) -> str:
    return "\n" + "\n".join(text[at : at + 76] for at in range(0, len(text), 76)) + "\n"


# ------------------------------------------------------------------------------------------------------- parts and pages


def _outer(envelope: Element) -> Element:
    return envelope.find("soapenv:Body/samlp:ArtifactResponse", NAMESPACES)


def _assertion(envelope: Element) -> Element:
    return envelope.find("soapenv:Body/samlp:ArtifactResponse/samlp:Response/saml:Assertion", NAMESPACES)


def _name(envelope: Element) -> Element:
    return _assertion(envelope).find("saml:Subject/saml:NameID", NAMESPACES)


def _issuer_of(element: Element) -> Element:
    return element.find("saml:Issuer", NAMESPACES)


def _soap(envelope: Element) -> Response:
    return Response(status=200, headers=_XML, body=saml.serialized(envelope))


def _login_page(login: Login) -> Response:
    body = (
        f'<form id="harness-digid-login" method="post" action="{_LOGIN}">'
        f'<input type="hidden" name="login" value="{login.handle}">'
        '<p><label>Burgerservicenummer <input name="bsn" inputmode="numeric" autocomplete="off"></label></p>'
        '<p><button name="action" value="login">Log in</button> '
        '<button name="action" value="cancel" formnovalidate>Cancel</button></p></form>'
    )
    return _page("DigiD, as the harness plays it", body, 200)


def _page(title: str, body: str, status: int) -> Response:
    text = f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>{title}</title></head><h1>{title}</h1>{body}</html>"
    return Response(status=status, headers=_HTML, body=text.encode())
