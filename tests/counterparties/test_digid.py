"""The played DigiD: a right login from request to name, and each of its other answers, wrong or right as it is meant to be."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from medmij_conformance import pki
from medmij_conformance.counterparties import digid as player
from medmij_conformance.counterparties.digid import BSN_SECTOR, LOGIN_PAGE, Digid, Login
from medmij_conformance.evidence import Request, Response
from medmij_conformance.protocol import oauth, saml
from medmij_conformance.protocol.html import Page
from medmij_conformance.protocol.saml import NAMESPACES, SamlError, Signer

FRONT, BACK = "https://digid.test:8446", "https://was.digid.test:8447"
ENTITY, SP = f"{FRONT}{saml.METADATA}", "https://za.test/saml/metadata"
ACS = "https://za.test/saml/acs"
ROOS, RIK = "999990019", "999990081"
AWKWARD = {
    "reached a higher level than was asked",
    "speaks to another audience too",
    "writes the sector in capitals",
    "counts fractions of a second",
    "adds words to its status",
    "uses other prefixes",
    "writes every element on a line of its own",
    "sends a SOAP header along",
    "lists no prefixes in its signature",
    "breaks its signature into lines",
}


def make_signer(name: str) -> Signer:
    """A key and a certificate for it."""
    made = pki.self_signed(name, key="rsa2048")
    return Signer.from_pem(made.certificate_pem, made.key_pem)


@pytest.fixture(scope="module")
def keys() -> dict[str, Signer]:
    """Of DigiD, of the gateway, and of somebody else."""
    return {name: make_signer(f"{name}.test") for name in ("digid", "gateway", "other")}


@pytest.fixture
def clock() -> list[datetime]:
    """One moment, which a test may change."""
    return [datetime.now(UTC).replace(microsecond=0)]


@pytest.fixture
def digid(keys: dict[str, Signer], clock: list[datetime]) -> Digid:
    """A DigiD that knows one gateway."""
    sp = saml.ServiceProvider(
        entity_id=SP, certificates=(keys["gateway"].certificate,), consumers={"0": ACS}, wants_signed_assertions=True
    )
    stranger = lambda: keys["other"]  # noqa: E731
    return Digid(entity_id=ENTITY, front=FRONT, back=BACK, signer=keys["digid"], sp=sp, stranger=stranger, now=lambda: clock[0])


def authn_request(clock: list[datetime], request_id: str = "_request") -> bytes:
    """What the gateway asks."""
    return (
        f'<samlp:AuthnRequest xmlns:samlp="{saml.SAMLP}" xmlns:saml="{saml.SAML}" ID="{request_id}" Version="2.0" '
        f'IssueInstant="{saml.instant(clock[0])}" Destination="{FRONT}{saml.REQUEST}" AssertionConsumerServiceIndex="0">'
        f"<saml:Issuer>{SP}</saml:Issuer>"
        '<samlp:RequestedAuthnContext Comparison="minimum"><saml:AuthnContextClassRef>'
        f"{saml.LEVELS['midden']}</saml:AuthnContextClassRef></samlp:RequestedAuthnContext></samlp:AuthnRequest>"
    ).encode()


def begin(digid: Digid, clock: list[datetime], signer: Signer | None, request_id: str = "_request") -> Login:
    """A person is sent to DigiD."""
    query = saml.to_query(authn_request(clock, request_id), "relay", signer)
    reply = digid.front(Request(method="GET", url=f"{FRONT}{saml.REQUEST}?{query}"))
    assert reply.login
    assert reply.response.status == 200
    return reply.login


def log_in(digid: Digid, login: Login, *, action: str = "login", bsn: str = ROOS) -> Response:
    """She fills in the form."""
    body = oauth.encode([("login", login.handle), ("bsn", bsn), ("action", action)]).encode()
    return digid.front(Request(method="POST", url=f"{FRONT}/saml/idp/login", body=body)).response


def resolve(digid: Digid, artifact: str, signer: Signer | None) -> Response:
    """The gateway comes for the result."""
    envelope = saml.parse(
        f'<s:Envelope xmlns:s="{saml.SOAP}"><s:Body><samlp:ArtifactResolve xmlns:samlp="{saml.SAMLP}" xmlns:saml="{saml.SAML}" '
        f'ID="_resolve" Version="2.0" IssueInstant="{saml.instant(datetime.now(UTC))}"><saml:Issuer>{SP}</saml:Issuer>'
        f"<samlp:Artifact>{artifact}</samlp:Artifact></samlp:ArtifactResolve></s:Body></s:Envelope>".encode()
    )
    if signer:
        saml.sign(envelope[0][0], signer)
    return digid.back(Request(method="POST", url=f"{BACK}{saml.RESOLVE}", body=saml.serialized(envelope))).response


def name_in(answer: Response, keys: dict[str, Signer], clock: list[datetime]) -> str:
    """Who has logged in, as a careful gateway reads it. Raises ``SamlError``: then nobody has."""
    message = saml.from_soap(answer.body)
    if answer.status != 200 or message.tag != f"{{{saml.SAMLP}}}ArtifactResponse":
        raise SamlError("no ArtifactResponse")
    certificate = [keys["digid"].certificate]
    whole = saml.verify(message, certificate)
    response = _one(whole, "samlp:Response")
    for element, expected in ((whole, "_resolve"), (response, "_request")):
        _demand(element.get("InResponseTo") == expected, "it answers something else")
        codes = [code.get("Value") for code in element.findall("samlp:Status//samlp:StatusCode", NAMESPACES)]
        _demand(codes == [f"{saml.STATUS}Success"], "no success")
    inner = _one(_one(message, "samlp:Response"), "saml:Assertion")
    assertion = saml.verify(inner, certificate)
    for element in (whole, response, assertion):
        _demand(element.get("Version") == "2.0" and bool(element.get("ID")), "another version, or no ID")
        issued = saml.moment(element.get("IssueInstant", ""))
        _demand(issued is not None and abs(issued - clock[0]) < timedelta(minutes=5), "another time")
        _demand(_one(element, "saml:Issuer").text == ENTITY, "another issuer")
    _one(assertion, "saml:AuthnStatement")
    conditions = _one(assertion, "saml:Conditions")
    begin_at, end_at = (saml.moment(conditions.get(name, "")) for name in ("NotBefore", "NotOnOrAfter"))
    _demand(begin_at is not None and end_at is not None and begin_at <= clock[0] < end_at, "not valid")
    _demand(SP in [audience.text for audience in conditions.iter(f"{{{saml.SAML}}}Audience")], "another audience")
    confirmation = _one(assertion, "saml:Subject/saml:SubjectConfirmation")
    data = _one(confirmation, "saml:SubjectConfirmationData")
    _demand(confirmation.get("Method") == saml.BEARER and data.get("Recipient") == ACS, "another recipient")
    confirmed = saml.moment(data.get("NotOnOrAfter", ""))
    _demand(data.get("InResponseTo") == "_request" and confirmed is not None and clock[0] < confirmed, "not confirmed")
    levels = list(saml.LEVELS.values())
    level = _one(assertion, "saml:AuthnStatement/saml:AuthnContext/saml:AuthnContextClassRef").text
    _demand(level in levels and levels.index(level) >= levels.index(saml.LEVELS["midden"]), "too low")
    sector, _, number = "".join(_one(assertion, "saml:Subject/saml:NameID").itertext()).partition(":")
    _demand(sector.lower() == BSN_SECTOR and number in {ROOS, RIK}, f"nobody: {sector}:{number}")
    return number


def _one(parent: Any, path: str) -> Any:
    found = parent.findall(path, NAMESPACES)
    _demand(len(found) == 1, f"{len(found)} of {path}")
    return found[0]


def _demand(condition: bool, complaint: str) -> None:
    if not condition:
        raise SamlError(complaint)


def outcome(digid: Digid, clock: list[datetime], keys: dict[str, Signer], deviation: str) -> Response:
    """The answer to a login in which DigiD does one thing."""
    earlier = begin(digid, clock, keys["gateway"], "_earlier")
    log_in(digid, earlier)
    resolve(digid, earlier.artifact, keys["gateway"])
    login = begin(digid, clock, keys["gateway"])
    login.deviation, login.forged = deviation, RIK
    log_in(digid, login)
    return resolve(digid, login.artifact, keys["gateway"])


def test_a_right_login_gives_a_right_answer(digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """From the request to the name: a page with a form, a redirect with artifact and RelayState, a signed answer, once."""
    login = begin(digid, clock, keys["gateway"])
    assert login.signature == ""
    back = log_in(digid, login)
    where = urlsplit(back.header("location") or "")
    given = parse_qs(where.query)
    assert (back.status, f"{where.scheme}://{where.netloc}{where.path}") == (302, ACS)
    assert (given["SAMLart"], given["RelayState"]) == ([login.artifact], ["relay"])
    assert ROOS not in (back.header("location") or "")
    assert name_in(resolve(digid, login.artifact, keys["gateway"]), keys, clock) == ROOS
    again = saml.from_soap(resolve(digid, login.artifact, keys["gateway"]).body)
    codes = [code.get("Value") for code in again.iter(f"{{{saml.SAMLP}}}StatusCode")]
    assert codes == [f"{saml.STATUS}Requester", f"{saml.STATUS}RequestDenied"]
    assert again.find("samlp:Response", NAMESPACES) is None
    assert login.resolves == ["", ""]


def test_the_page_is_used_as_the_recipe_says(digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """Its form holds the login, a field for the number, and the two buttons."""
    query = saml.to_query(authn_request(clock), None, keys["gateway"])
    response = digid.front(Request(method="GET", url=f"{FRONT}{saml.REQUEST}?{query}")).response
    page = Page(response.body, f"{FRONT}{saml.REQUEST}")
    assert page.matches(LOGIN_PAGE)
    submission = page.press(player.LOG_IN, {"bsn": ROOS}, (), {})
    assert dict(submission.fields) == {"login": digid.logins[0].handle, "bsn": ROOS, "action": "login"}
    assert dict(page.press(player.CANCEL, {}, (), {}).fields)["action"] == "cancel"


def test_a_cancelled_login_is_no_login(digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """An artifact comes all the same; what it stands for is AuthnFailed."""
    login = begin(digid, clock, keys["gateway"])
    log_in(digid, login, action="cancel", bsn="")
    answer = resolve(digid, login.artifact, keys["gateway"])
    assert b"AuthnFailed" in answer.body
    with pytest.raises(SamlError):
        name_in(answer, keys, clock)


def test_an_artifact_lasts_a_quarter_of_an_hour(digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """After that there is success without a Response."""
    login = begin(digid, clock, keys["gateway"])
    log_in(digid, login)
    clock[0] += timedelta(minutes=15, seconds=1)
    answer = saml.from_soap(resolve(digid, login.artifact, keys["gateway"]).body)
    assert answer.find("samlp:Response", NAMESPACES) is None
    assert [code.get("Value") for code in answer.iter(f"{{{saml.SAMLP}}}StatusCode")] == [f"{saml.STATUS}Success"]


def test_wrong_requests_are_played_on_and_noted(digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """Unsigned, or with another key: the login page comes, and what was wrong is kept for the judges."""
    assert begin(digid, clock, None).signature == "it is not signed"
    assert "does not verify" in begin(digid, clock, keys["other"]).signature
    login = begin(digid, clock, keys["gateway"])
    log_in(digid, login)
    resolve(digid, login.artifact, None)
    assert login.resolves == ["it is not signed"]


def test_a_request_by_form_is_understood(digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """The signature stands in the message then."""
    message = saml.parse(authn_request(clock))
    saml.sign(message, keys["gateway"])
    for body, fault in ((saml.serialized(message), ""), (authn_request(clock), "it is not signed")):
        form = oauth.encode([("SAMLRequest", base64.b64encode(body).decode()), ("RelayState", "r")]).encode()
        reply = digid.front(Request(method="POST", url=f"{FRONT}{saml.REQUEST}", body=form))
        assert reply.login
        assert (reply.login.signature, reply.login.relay_state) == (fault, "r")


@pytest.mark.parametrize("query", ["", "SAMLRequest=x", "SAMLRequest=AAAA", "RelayState=r"])
def test_what_cannot_be_read_is_refused_on_a_page(digid: Digid, query: str) -> None:
    """As DigiD does: status 404, and nothing goes to the gateway."""
    reply = digid.front(Request(method="GET", url=f"{FRONT}{saml.REQUEST}?{query}"))
    assert (reply.response.status, reply.login) == (404, None)
    assert digid.back(Request(method="POST", url=f"{BACK}{saml.RESOLVE}", body=b"<a/>")).response.status == 404


def test_the_artifact_never_goes_to_a_stranger(digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """An address that stands in no metadata is not gone to, whoever asks."""
    text = authn_request(clock).replace(b'AssertionConsumerServiceIndex="0"', b'AssertionConsumerServiceURL="https://evil.test/"')
    query = saml.to_query(text, None, keys["gateway"])
    login = digid.front(Request(method="GET", url=f"{FRONT}{saml.REQUEST}?{query}")).login
    assert login
    assert login.consumer == ACS


WAYS_BACK = frozenset(player.RETURN)
BY_OTHER_JUDGES = frozenset({"sends the ArtifactResolve elsewhere", player.USED_BEFORE})


@pytest.mark.parametrize("deviation", sorted(player.deviations() - AWKWARD - WAYS_BACK - BY_OTHER_JUDGES))
def test_a_careful_reader_refuses(deviation: str, digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """Each answer that is meant to be wrong is wrong for a reader who checks everything."""
    with pytest.raises(SamlError):
        name_in(outcome(digid, clock, keys, deviation), keys, clock)


@pytest.mark.parametrize("deviation", sorted(AWKWARD))
def test_a_careful_reader_accepts(deviation: str, digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """Each answer that is awkward and right is right for the same reader, and not the plain answer."""
    answer = outcome(digid, clock, keys, deviation)
    assert name_in(answer, keys, clock) == ROOS


def test_an_assertion_id_can_come_again(digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """All else of the answer is right, and it belongs to this login; a login that failed hands out nothing to come again."""
    failed = begin(digid, clock, keys["gateway"], "_failed")
    log_in(digid, failed, action="cancel")
    resolve(digid, failed.artifact, keys["gateway"])
    assert digid.handed_out(failed) == []
    answer = outcome(digid, clock, keys, player.USED_BEFORE)
    assert name_in(answer, keys, clock) == ROOS
    *_, earlier, login = digid.logins
    assert digid.handed_out(login) == [earlier.assertion]
    (assertion,) = saml.from_soap(answer.body).iter(f"{{{saml.SAML}}}Assertion")
    assert assertion.get("ID") == earlier.assertion


WRAPPED = [name for name in player.SIGNED if re.search(r"\bforged\b", name) and name != "alters the number after it was signed"]


def test_there_are_ten_ways_to_wrap() -> None:
    """Two of the whole answer, six of the assertion in it, and two of this binding."""
    assert len(WRAPPED) == 10


@pytest.mark.parametrize("deviation", WRAPPED)
def test_what_was_signed_still_verifies_in_a_wrapped_answer(
    deviation: str, digid: Digid, clock: list[datetime], keys: dict[str, Signer]
) -> None:
    """The forged name is there, and so is a signed element that verifies: only who looks where it stands sees the difference."""
    document = saml.parse(outcome(digid, clock, keys, deviation).body)
    names = ["".join(name.itertext()) for name in document.iter(f"{{{saml.SAML}}}NameID")]
    assert names[0] == f"{BSN_SECTOR}:{RIK}" or f"{BSN_SECTOR}:{RIK}" in names
    assert f"{BSN_SECTOR}:{ROOS}" in names
    assert any(_carries_a_right_signature(signature, document) for signature in document.iter(f"{{{saml.DS}}}Signature"))


def _carries_a_right_signature(signature: Any, document: Any) -> bool:
    """Whether the element that a signature refers to has the digest that it states, wherever both stand."""
    import hashlib

    from lxml import etree

    reference = signature.find("ds:SignedInfo/ds:Reference", NAMESPACES)
    target = document.xpath("//*[@ID=$id]", id=reference.get("URI")[1:])
    if not target:
        return False
    copy = saml.parse(etree.tostring(document))
    place = copy.xpath("//*[@ID=$id]", id=reference.get("URI")[1:])[0]
    for own in place.findall("ds:Signature", NAMESPACES):
        place.remove(own)
    prefixes = [p for p in saml.PREFIXES.split() if p in place.nsmap]
    octets = etree.tostring(place, method="c14n", exclusive=True, inclusive_ns_prefixes=prefixes, with_tail=False)
    digest = base64.b64encode(hashlib.sha256(octets).digest()).decode()
    return digest == reference.find("ds:DigestValue", NAMESPACES).text


@pytest.mark.parametrize("deviation", sorted(WAYS_BACK))
def test_the_ways_back_differ(deviation: str, digid: Digid, clock: list[datetime], keys: dict[str, Signer]) -> None:
    """Each sends the browser to the gateway, but not with this login's artifact and RelayState."""
    login = begin(digid, clock, keys["gateway"])
    login.deviation = deviation
    where = urlsplit(log_in(digid, login).header("location") or "")
    given = parse_qs(where.query)
    assert where.netloc == "za.test"
    assert (given.get("SAMLart"), given.get("RelayState")) != ([login.artifact], ["relay"])


def test_an_unsigned_assertion_is_right_when_nobody_asked_for_more(
    digid: Digid, clock: list[datetime], keys: dict[str, Signer]
) -> None:
    """Then the signature over the whole is all there is, and wrapping breaks it."""
    digid.sp = saml.ServiceProvider(entity_id=SP, certificates=digid.sp.certificates, consumers={"0": ACS})
    login = begin(digid, clock, keys["gateway"])
    log_in(digid, login)
    message = saml.from_soap(resolve(digid, login.artifact, keys["gateway"]).body)
    assert saml.verify(message, [keys["digid"].certificate]) is not None
    assert message.find(".//saml:Assertion/ds:Signature", NAMESPACES) is None
    wrapped = saml.from_soap(outcome(digid, clock, keys, "puts a forged assertion before the signed one").body)
    with pytest.raises(SamlError):
        saml.verify(wrapped, [keys["digid"].certificate])


def test_nothing_else_is_here(digid: Digid) -> None:
    """Other addresses are no part of DigiD; the trap is known as such, and the metadata are served."""
    get: Callable[[str], Any] = lambda path: digid.front(Request(method="GET", url=f"{FRONT}{path}"))  # noqa: E731
    assert (get("/").response.status, get("/trap/x").label) == (404, "a call into a trap")
    assert saml.parse(get(saml.METADATA).response.body).get("entityID") == ENTITY
