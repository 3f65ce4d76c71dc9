"""SAML messages: reading what is hostile, the two bindings, metadata, and signatures, which xmlsec1 judges too."""

import base64
import hashlib
import shutil
import subprocess
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from medmij_conformance import pki
from medmij_conformance.protocol import saml
from medmij_conformance.protocol.saml import NAMESPACES, Answer, SamlError, Signer

ENTITY = "https://digid.harness.test/saml/idp/metadata"
REQUEST = (
    f'<samlp:AuthnRequest xmlns:samlp="{saml.SAMLP}" xmlns:saml="{saml.SAML}" ID="_q" Version="2.0" '
    'IssueInstant="2026-01-01T00:00:00Z" Destination="https://digid.harness.test/sso" AssertionConsumerServiceIndex="0" '
    'ForceAuthn="true"><saml:Issuer> https://za.test/md </saml:Issuer>'
    '<samlp:RequestedAuthnContext Comparison="minimum"><saml:AuthnContextClassRef>'
    f"{saml.LEVELS['midden']}</saml:AuthnContextClassRef></samlp:RequestedAuthnContext></samlp:AuthnRequest>"
).encode()


def make_signer(name: str) -> Signer:
    """A key and a certificate for it."""
    made = pki.self_signed(name, key="rsa2048")
    return Signer.from_pem(made.certificate_pem, made.key_pem)


@pytest.fixture(scope="module")
def signer() -> Signer:
    """DigiD's key."""
    return make_signer("was.digid.harness.test")


@pytest.fixture(scope="module")
def other() -> Signer:
    """Somebody else's key."""
    return make_signer("other.test")


@pytest.fixture
def xmlsec1(tmp_path: Path, signer: Signer) -> Callable[[bytes, str], bool]:
    """Whether the program xmlsec1 accepts the signature of an element, by its local name, under DigiD's certificate alone."""
    if not shutil.which("xmlsec1"):
        pytest.skip("the program xmlsec1 is not installed")
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(pki.Credential(signer.certificate, signer.key).certificate_pem)

    def accepts(document: bytes, element: str) -> bool:
        file = tmp_path / "document.xml"
        file.write_bytes(document)
        kinds = {"ArtifactResponse": saml.SAMLP, "Assertion": saml.SAML, "EntityDescriptor": saml.MD}
        ids = [part for name, space in kinds.items() for part in ("--id-attr:ID", f"{space}:{name}")]
        node = f"//*[local-name()='{element}']/*[local-name()='Signature']"
        command = [
            "xmlsec1",
            "--verify",
            "--insecure",
            "--pubkey-cert-pem",
            str(certificate),
            *ids,
            "--node-xpath",
            node,
            str(file),
        ]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    return accepts


def answer(**changes: Any) -> Answer:
    """What a right answer says."""
    facts: dict[str, Any] = {
        "ids": ["_a", "_b", "_c"],
        "issuers": [ENTITY] * 3,
        "instants": ["2026-01-01T00:00:00Z"] * 3,
        "resolve_id": "_r",
        "request_id": "_q",
        "confirmed_id": "_q",
        "name_id": "s00000000:999990019",
        "recipient": "https://za.test/saml/acs",
        "confirmed_until": "2026-01-01T00:02:00Z",
        "not_before": "2025-12-31T23:58:00Z",
        "not_on_or_after": "2026-01-01T00:02:00Z",
        "audiences": ("https://za.test/md",),
        "level": saml.LEVELS["midden"],
    }
    return Answer(**{**facts, **changes})


def signed(signer: Signer, **options: Any) -> Any:
    """An envelope with a signed assertion in a signed answer."""
    envelope = saml.artifact_response(answer())
    saml.sign(envelope.find(".//saml:Assertion", NAMESPACES), signer, **options)
    saml.sign(envelope[0][0], signer, **options)
    return envelope


def verified(document: bytes, signer: Signer) -> Any:
    """What is signed of the answer in an envelope, read anew. Raises ``SamlError``."""
    return saml.verify(saml.from_soap(document), [signer.certificate])


# --- reading ---


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"<a", "not well-formed"),
        (b"", "not well-formed"),
        (b"<a/>" + b" " * saml.LARGEST, "more than"),
        (b"<!DOCTYPE a><a/>", "document type"),
        (b'<!doctype a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>', "document type"),
        ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE a><a/>'.encode("utf-16"), "document type"),
        (b"<a>" * 100_00 + b"</a>" * 100_00, "not well-formed"),
    ],
)
def test_hostile_documents_are_not_read(document: bytes, complaint: str) -> None:
    """No document type, no flood, no tower of elements."""
    with pytest.raises(SamlError, match=complaint):
        saml.parse(document)


def test_a_packed_message_has_bounds() -> None:
    """What unpacks without end, breaks off or is not packed is refused."""
    bomb = zlib.compressobj(wbits=-15)
    packed = bomb.compress(b"x" * 10_000_000) + bomb.flush()
    with pytest.raises(SamlError, match="unpacks to more"):
        saml.inflate(packed)
    with pytest.raises(SamlError, match="breaks off"):
        saml.inflate(packed[:10])
    with pytest.raises(SamlError, match="not packed"):
        saml.inflate(b"\xff\xff\xff")


def test_an_authn_request_is_read_as_it_stands() -> None:
    """Every field, and what is absent is not made up."""
    read = saml.authn_request(saml.parse(REQUEST))
    assert (read.id, read.version, read.issuer, read.index, read.url) == ("_q", "2.0", "https://za.test/md", "0", None)
    assert (read.comparison, read.classes, read.force, read.passive) == ("minimum", (saml.LEVELS["midden"],), True, False)
    assert read.root == f"{{{saml.SAMLP}}}AuthnRequest"
    empty = saml.authn_request(saml.parse(b"<a/>"))
    assert (empty.id, empty.issuer, empty.destination, empty.classes, empty.comparison) == ("", "", None, (), "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-01T00:00:00Z", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T00:00:00.250Z", datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("2026-01-01T01:00:00+01:00", None),
        ("2026-01-01T00:00:00", None),
        ("yesterday", None),
        ("2026-99-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_only_utc_with_a_z_is_a_moment(text: str, expected: datetime | None) -> None:
    """A zone of another kind, or none, is not a time of SAML."""
    assert saml.moment(text) == expected


def test_times_are_written_in_utc() -> None:
    """Whatever zone the moment is in."""
    assert saml.instant(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == "2026-01-01T00:00:00Z"


def test_an_artifact_has_its_shape() -> None:
    """Forty-four octets: type 4, index, SHA-1 of the source, handle."""
    raw = base64.b64decode(saml.artifact(ENTITY, b"h" * 20))
    assert raw == b"\x00\x04\x00\x00" + hashlib.sha1(ENTITY.encode()).digest() + b"h" * 20


# --- the bindings ---


@given(st.binary(max_size=300), st.none() | st.text(alphabet=st.characters(codec="utf-8"), max_size=40))
def test_what_is_packed_comes_out_again(xml: bytes, relay_state: str | None) -> None:
    """Any message and any RelayState survive the address."""
    packed = saml.from_query(saml.to_query(xml, relay_state, None))
    assert (packed.xml, packed.relay_state, packed.octets) == (xml, relay_state, b"")


@pytest.mark.parametrize("relay_state", [None, "", "a b+c/%20=&é"])
def test_a_signed_address_verifies_as_it_was_sent(signer: Signer, other: Signer, relay_state: str | None) -> None:
    """With the right key alone, over the octets of the address: any other spelling, or another value, breaks it."""
    query = saml.to_query(REQUEST, relay_state, signer)
    saml.verify_query(saml.from_query(query), [other.certificate, signer.certificate])
    with pytest.raises(SamlError, match="does not verify"):
        saml.verify_query(saml.from_query(query), [other.certificate])
    respelled = query.replace("%2F", "%2f")
    if respelled != query:
        with pytest.raises(SamlError, match="does not verify"):
            saml.verify_query(saml.from_query(respelled), [signer.certificate])
    changed = f"{query}x" if relay_state is None else query.replace("&SigAlg", "x&SigAlg")
    with pytest.raises(SamlError):
        saml.verify_query(saml.from_query(changed), [signer.certificate])


def test_lower_case_escapes_verify_when_they_were_signed(signer: Signer) -> None:
    """The signer chooses the spelling."""
    packed = saml.from_query(saml.to_query(REQUEST, None, None)).xml
    bare = saml.to_query(packed, "a/b", None).replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d")
    octets = f"{bare}&SigAlg={quote(saml.RSA_SHA256, safe='').lower()}"
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    value = base64.b64encode(signer.key.sign(octets.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    saml.verify_query(saml.from_query(f"{octets}&Signature={quote(value, safe='')}"), [signer.certificate])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda q: q.partition("&SigAlg")[0], "not signed"),
        (lambda q: q.replace("rsa-sha256", "rsa-md5"), "another kind"),
        (lambda q: q.partition("&SigAlg")[0] + "&Signature=AAAA", "another kind"),
        (lambda q: f"{q}&SAMLRequest=x", "twice"),
        (lambda q: f"{q}&RelayState=x", "twice"),
        (lambda q: q.replace("SAMLRequest=", "SAMLRequest=%21"), "base64"),
        (lambda q: q.replace("SAMLRequest", "Request"), "no SAMLRequest"),
        (lambda q: f"{q}&SAMLEncoding=gzip", "encoding"),
    ],
)
def test_a_spoilt_address_is_told(signer: Signer, change: Callable[[str], str], complaint: str) -> None:
    """Unsigned, signed otherwise, with a parameter twice, or not packed as it should be."""
    with pytest.raises(SamlError, match=complaint):
        saml.verify_query(saml.from_query(change(saml.to_query(REQUEST, "r", signer))), [signer.certificate])


def test_a_message_of_a_form_is_not_packed() -> None:
    """The POST binding has base64 alone."""
    packed = saml.from_form({"SAMLRequest": base64.b64encode(REQUEST).decode(), "RelayState": "r"})
    assert (packed.xml, packed.relay_state) == (REQUEST, "r")
    with pytest.raises(SamlError, match="no SAMLRequest"):
        saml.from_form({})


# --- signatures ---


def test_xmlsec1_accepts_every_signature_that_is_made(signer: Signer, xmlsec1: Callable[[bytes, str], bool]) -> None:
    """An independent judge: the assertion and the whole, with DigiD's list of prefixes and without, and the metadata."""
    for options in ({}, {"prefixes": ""}):
        document = saml.serialized(signed(signer, **options))
        assert xmlsec1(document, "ArtifactResponse")
        assert xmlsec1(document, "Assertion")
    metadata = saml.idp_metadata(ENTITY, signer, "https://digid.test", "https://was.digid.test")
    assert xmlsec1(metadata, "EntityDescriptor")
    assert not xmlsec1(document.replace(b"999990019", b"999990020"), "ArtifactResponse")


def test_what_was_signed_comes_back(signer: Signer) -> None:
    """The answer, and the assertion in it, each by its own signature."""
    document = saml.serialized(signed(signer))
    whole = verified(document, signer)
    assert whole.find(".//saml:NameID", NAMESPACES).text == "s00000000:999990019"
    inner = saml.from_soap(document).find(".//saml:Assertion", NAMESPACES)
    assert saml.verify(inner, [signer.certificate]).get("ID") == "_c"


def test_xmlsec1_and_we_agree_on_a_signature_by_sha_1(signer: Signer, xmlsec1: Callable[[bytes, str], bool]) -> None:
    """We refuse it for its kind, and it is a right one of that kind, where the program still knows it."""
    document = saml.serialized(signed(signer, algorithm=saml.RSA_SHA1, digest=saml.SHA1))
    with pytest.raises(SamlError, match="does not verify"):
        verified(document, signer)
    assert xmlsec1(document, "ArtifactResponse") in {True, False}  # policies of the machine may forbid SHA-1
    assert not xmlsec1(document.replace(b"999990019", b"999990020"), "ArtifactResponse")


@pytest.mark.parametrize(
    "options",
    [
        {"algorithm": "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"},
        {"uri": ""},
        {"uri": "#_c"},
        {"references": 2},
        {"digest": saml.SHA1},
    ],
)
def test_signatures_of_another_make_are_refused(signer: Signer, options: dict[str, Any]) -> None:
    """Another algorithm, another reference, more of them, or another digest."""
    envelope = saml.artifact_response(answer())
    saml.sign(envelope[0][0], signer, **options)
    with pytest.raises(SamlError):
        verified(saml.serialized(envelope), signer)


def test_unsigned_foreign_and_altered_answers_are_refused(signer: Signer, other: Signer) -> None:
    """No signature, the key of somebody else (whose certificate it brings along), and a value changed afterwards."""
    with pytest.raises(SamlError, match="not signed"):
        verified(saml.serialized(saml.artifact_response(answer())), signer)
    with pytest.raises(SamlError, match="does not verify"):
        verified(saml.serialized(signed(other)), signer)
    with pytest.raises(SamlError, match="does not verify"):
        verified(saml.serialized(signed(signer)).replace(b"999990019", b"999990020"), signer)


def test_two_elements_of_one_id_are_refused(signer: Signer) -> None:
    """Which of them was signed could not be told."""
    envelope = signed(signer)
    envelope[0][0].append(etree.Element("x", ID="_c"))
    with pytest.raises(SamlError, match="the same ID"):
        verified(saml.serialized(envelope), signer)


def test_digests_and_signatures_can_be_left_out(signer: Signer) -> None:
    """A number of nine digits could be found from them."""
    bare = saml.without_digests(saml.serialized(signed(signer)))
    root = etree.fromstring(bare)
    values = [e.text for e in root.iter(f"{{{saml.DS}}}DigestValue", f"{{{saml.DS}}}SignatureValue")]
    assert values == ["withheld"] * 4
    assert b"999990019" in bare
    assert bare.count(b"<ds:X509Certificate>withheld<") == 2


# --- metadata and SOAP ---


def metadata(
    signer: Signer, *, consumer: str = f"{saml.BINDINGS}HTTP-Artifact", entity: str = 'entityID="https://za.test/md"'
) -> bytes:
    """The metadata of a gateway."""
    return (
        f'<md:EntityDescriptor xmlns:md="{saml.MD}" xmlns:ds="{saml.DS}" {entity}>'
        f'<md:SPSSODescriptor WantAssertionsSigned="true" protocolSupportEnumeration="{saml.SAMLP}">'
        '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>'
        f"{signer.certificate_base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        f'<md:AssertionConsumerService index="3" Binding="{consumer}" Location="https://za.test/acs"/>'
        "</md:SPSSODescriptor></md:EntityDescriptor>"
    ).encode()


def test_a_service_provider_is_read_from_its_metadata(signer: Signer) -> None:
    """Its name, its keys, and where artifacts go."""
    read = saml.service_provider(metadata(signer))
    assert (read.entity_id, read.consumers, read.wants_signed_assertions) == (
        "https://za.test/md",
        {"3": "https://za.test/acs"},
        True,
    )
    assert read.certificates == (signer.certificate,)


def test_metadata_that_lack_something_are_told(signer: Signer) -> None:
    """What is missing is named."""
    for document, complaint in (
        (b"<a/>", "EntityDescriptor"),
        (metadata(signer, entity=""), "entityID"),
        (metadata(signer, consumer=f"{saml.BINDINGS}HTTP-POST"), "consumer of artifacts"),
        (metadata(signer).replace(signer.certificate_base64.encode(), b"AAAA"), "certificate"),
        (metadata(signer).replace(signer.certificate_base64.encode(), b""), "signing certificate"),
    ):
        with pytest.raises(SamlError, match=complaint):
            saml.service_provider(document)


def test_our_metadata_say_where_we_are(signer: Signer) -> None:
    """Both ways to send a request, and where artifacts are resolved, each on its host."""
    root = saml.parse(saml.idp_metadata(ENTITY, signer, "https://digid.test:1", "https://was.digid.test:2"))
    places = [urlsplit(element.get("Location")).netloc for element in root.iter() if element.get("Location")]
    assert root.get("entityID") == ENTITY
    assert sorted(places) == ["digid.test:1", "digid.test:1", "was.digid.test:2"]
    assert saml.verify(root, [signer.certificate]).get("entityID") == ENTITY


@pytest.mark.parametrize(
    "document",
    [
        b"<a/>",
        f'<s:Envelope xmlns:s="{saml.SOAP}"/>'.encode(),
        f'<s:Envelope xmlns:s="{saml.SOAP}"><s:Body/></s:Envelope>'.encode(),
        f'<s:Envelope xmlns:s="{saml.SOAP}"><s:Body><a/><b/></s:Body></s:Envelope>'.encode(),
        f'<s:Envelope xmlns:s="{saml.SOAP}"><s:Body><a/></s:Body><s:Body><a/></s:Body></s:Envelope>'.encode(),
    ],
)
def test_only_an_envelope_with_one_message_is_soap(document: bytes) -> None:
    """Neither none nor two."""
    with pytest.raises(SamlError, match="SOAP"):
        saml.from_soap(document)


def test_another_message_is_no_artifact_resolve() -> None:
    """The name of the element counts."""
    with pytest.raises(SamlError, match="ArtifactResolve"):
        saml.artifact_resolve(saml.parse(REQUEST))


def test_a_key_that_is_no_rsa_key_is_refused() -> None:
    """DigiD knows RSA signatures alone."""
    made = pki.self_signed("was.digid.test")
    with pytest.raises(SamlError, match="RSA"):
        Signer.from_pem(made.certificate_pem, made.key_pem)
    with pytest.raises(SamlError, match="cannot be read"):
        Signer.from_pem(made.certificate_pem, b"no key")
