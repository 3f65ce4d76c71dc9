"""FHIR messages in JSON and XML: types, issues, identities and addresses; loosely, and never an exception."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmij_conformance import data_path
from medmij_conformance.protocol import fhir
from medmij_conformance.protocol.fhir import Issue

OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "suppressed"}, {"code": "login"}]}
PATIENT = {"resourceType": "Patient", "id": "p1", "contained": [{"resourceType": "Organization", "id": "#o"}]}
BUNDLE = {
    "resourceType": "Bundle",
    "id": "b1",
    "link": [{"relation": "self", "url": "https://za.test/fhir/Patient"}],
    "entry": [
        {"fullUrl": "https://za.test/fhir/Patient/p1", "resource": PATIENT},
        {"fullUrl": "urn:uuid:1", "resource": OUTCOME},
        {
            "resource": {
                "resourceType": "Observation",
                "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/x"}],
                "subject": {"reference": "Patient/p1"},
                "performer": [{"reference": "http://elsewhere.test/fhir/Practitioner/1"}],
            }
        },
    ],
}
XML_OUTCOME = (
    '<?xml version="1.0"?><OperationOutcome xmlns="http://hl7.org/fhir"><issue><severity value="fatal"/>'
    '<code value="incomplete"/></issue><issue/></OperationOutcome>'
)
XML_BUNDLE = (
    '<Bundle xmlns="http://hl7.org/fhir"><link><relation value="next"/><url value="https://za.test/fhir?page=2"/></link>'
    '<!-- x --><entry><fullUrl value="https://za.test/fhir/Patient/p1"/><resource><Patient><id value="p1"/>'
    '<managingOrganization><reference value="Organization/1"/></managingOrganization></Patient></resource></entry>'
    f"<entry><resource>{XML_OUTCOME.partition('?>')[2]}</resource></entry></Bundle>"
)


def octets(data: object) -> bytes:
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (octets(PATIENT), "Patient"),
        (b" \n" + octets(BUNDLE), "Bundle"),
        (XML_OUTCOME.encode(), "OperationOutcome"),
        (XML_BUNDLE.encode(), "Bundle"),
        (b'{"resourceType": ""}', None),
        (b'{"resourceType": 5}', None),
        (b'{"resourceType": ["Patient"]}', None),
        (b'{"error": "invalid_request"}', None),
        (b"[]", None),
        (b'"Patient"', None),
        (b"null", None),
        (b"", None),
        (b"<Patient/>", None),
        (b'<Patient xmlns="urn:hl7-org:v3"/>', None),
        (b"<html><body>Patient</body></html>", None),
        (b"<!-- x -->", None),
        (b"{", None),
    ],
)
def test_type_of_a_resource(body: bytes, kind: str | None) -> None:
    """The type comes from resourceType or the root element in the FHIR namespace; anything else is no resource."""
    assert fhir.resource_type(body) == kind


@pytest.mark.parametrize(
    ("body", "issues"),
    [
        (octets(OUTCOME), [Issue("error", "suppressed"), Issue("", "login")]),
        (octets(BUNDLE), [Issue("error", "suppressed"), Issue("", "login")]),
        (XML_OUTCOME.encode(), [Issue("fatal", "incomplete"), Issue("", "")]),
        (XML_BUNDLE.encode(), [Issue("fatal", "incomplete"), Issue("", "")]),
        (octets({"resourceType": "OperationOutcome"}), []),
        (octets({"resourceType": "OperationOutcome", "issue": {"code": "x"}}), []),
        (octets({"resourceType": "OperationOutcome", "issue": ["x", {"code": 5}]}), [Issue("", "")]),
        (octets(PATIENT), []),
        (octets({"issue": [{"code": "login"}]}), []),
        (b"", []),
    ],
)
def test_issues_of_an_outcome(body: bytes, issues: list[Issue]) -> None:
    """Issues are those of an OperationOutcome, alone or in a Bundle, with what is missing as empty text."""
    assert fhir.issues(body) == issues


@pytest.mark.parametrize(
    ("body", "kinds"),
    [
        (octets(OUTCOME), []),
        (octets(PATIENT), ["Organization", "Patient"]),
        (octets(BUNDLE), ["Observation", "Organization", "Patient"]),
        (XML_BUNDLE.encode(), ["Patient"]),
        (XML_OUTCOME.encode(), []),
        (octets({"resourceType": "Bundle", "total": 0}), []),
        (octets({"data": [{"resourceType": "Patient"}]}), ["Patient"]),
        (b"<html/>", []),
        (b"", []),
    ],
)
def test_resources_that_would_be_health_data(body: bytes, kinds: list[str]) -> None:
    """Every resource counts, contained or wrapped, but not Bundle and OperationOutcome."""
    assert sorted(fhir.resources(body)) == kinds


def test_identities() -> None:
    """Resources are told apart by type and id; a Bundle and what has no id do not count."""
    assert sorted(fhir.identities(octets(BUNDLE))) == ["Organization/#o", "Patient/p1"]
    assert fhir.identities(b'{"resourceType": "Patient", "id": 5}') == []
    assert fhir.identities(b"nothing") == []


def test_addresses_that_a_client_would_follow() -> None:
    """Links, full URLs and absolute references, in JSON and XML; no extensions, URNs or relative references."""
    assert sorted(fhir.urls(octets(BUNDLE))) == [
        "http://elsewhere.test/fhir/Practitioner/1",
        "https://za.test/fhir/Patient",
        "https://za.test/fhir/Patient/p1",
    ]
    assert sorted(fhir.urls(XML_BUNDLE.encode())) == ["https://za.test/fhir/Patient/p1", "https://za.test/fhir?page=2"]
    assert fhir.urls(b"https://za.test/") == []


@pytest.mark.parametrize("path", sorted((data_path("fixtures") / "fhir" / "stu3").glob("*/*.json")), ids=lambda path: path.stem)
def test_fixtures_are_read(path: object) -> None:
    """Every message that the harness itself answers with is recognised as what it is."""
    data = json.loads(path.read_bytes())
    data = data.get("body", data)
    body = json.dumps(data).encode()
    assert fhir.resource_type(body) == data["resourceType"]
    assert bool(fhir.issues(body)) is ('"OperationOutcome"' in body.decode())


def test_every_media_type_is_lower_case_and_known() -> None:
    """The media types of FHIR and of plain JSON and XML are accepted, and the one that we ask for is among them."""
    assert fhir.JSON in fhir.MEDIA_TYPES
    assert all(name == name.lower() for name in fhir.MEDIA_TYPES)
    assert "text/html" not in fhir.MEDIA_TYPES


LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><Patient xmlns="http://hl7.org/fhir"><id value="&c;"/></Patient>'
)
FILE = (
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><OperationOutcome xmlns="http://hl7.org/fhir"><issue>'
    b'<code value="x"/><diagnostics>&a;</diagnostics></issue></OperationOutcome>'
)


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS,
        FILE,
        b"[" * 300_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'<a xmlns="http://hl7.org/fhir">' * 50_000,
        b"{" + b'"a":1,' * 200_000 + b'"b":2}',
        b"9" * 100_000,
        b"{" + b"9" * 10_000,
        b"\xff\xfe{\0}\0",
        b'\xef\xbb\xbf{"resourceType": "Patient"}',
    ],
)
def test_bombs_are_no_resources(body: bytes) -> None:
    """Documents with entities, of great depth or of strange octets are read in a moment and give nothing."""
    began = time.monotonic()
    assert fhir.resource_type(body) is None
    assert fhir.issues(body) == fhir.resources(body) == fhir.identities(body) == fhir.urls(body) == []
    assert time.monotonic() - began < 3


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["Patient", "OperationOutcome", "Bundle"]),
    lambda member: (
        st.lists(member, max_size=3)
        | st.dictionaries(st.sampled_from(["resourceType", "issue", "code", "id", "url", "entry", "resource"]), member, max_size=4)
    ),
    max_leaves=12,
)


@given(st.one_of(documents.map(octets), st.binary(max_size=80), st.text("<>/aPx=' \n!?", max_size=60).map(str.encode)))
def test_reading_never_raises(body: bytes) -> None:
    """Whatever the body, the answers are a type or None, and lists of texts."""
    kind = fhir.resource_type(body)
    assert kind is None or isinstance(kind, str)
    for found in (fhir.resources(body), fhir.identities(body), fhir.urls(body)):
        assert all(isinstance(one, str) for one in found)
    assert all(isinstance(issue.code + issue.severity, str) for issue in fhir.issues(body))
