"""FHIR messages in JSON and XML: types, issues, identities and addresses; loosely, and never an exception."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ("body", "found"),
    [
        (octets(BUNDLE), [("Observation", ""), ("Patient", "")]),
        (octets({"entry": [{"resource": PATIENT, "search": {"mode": "include"}}]}), [("Patient", "include")]),
        (octets({"entry": [{"resource": PATIENT, "search": {"mode": "match"}}]}), [("Patient", "match")]),
        (octets({"entry": [{"resource": PATIENT, "search": "match"}, {"resource": 5}]}), [("Patient", "")]),
        (XML_BUNDLE.encode(), [("Patient", "")]),
        (b"", []),
    ],
)
def test_entries_of_a_bundle(body: bytes, found: list[tuple[str, str]]) -> None:
    """Each entry has the type of its resource and its search mode, in JSON as in XML; an outcome is none."""
    assert sorted(fhir.entries(body)) == found


@pytest.mark.parametrize(
    ("value", "is_like"),
    [
        ({"text": "number 111222333 of the file"}, True),
        ({"value": "111222333"}, True),
        ({"value": "111222334"}, False),
        ({"value": "000000000"}, False),
        ({"value": "1112223331"}, False),
        ({"id": "111222333"}, False),
        ({"fullUrl": "https://za.test/111222333"}, False),
        ({"system": "http://snomed.info/sct", "code": "111222333", "display": "111222333"}, False),
        ({"value": "2.16.840.111222333"}, False),
    ],
)
def test_numbers_like_a_bsn(value: dict, *, is_like: bool) -> None:
    """Only a free-standing number of nine digits that passes the eleven test could be a BSN."""
    assert bool(fhir.bsn_like(octets({"resourceType": "Patient", "part": [value]}))) is is_like


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)).map(octets)
)
def test_anything_can_be_read(body: bytes) -> None:
    """No body, however strange, makes reading raise."""
    assert isinstance(fhir.identifiers(body) + fhir.entries(body) + fhir.bsn_like(body), list)


def test_deep_bodies_are_read_in_time() -> None:
    """Nesting as deep as the parsers allow is no trouble."""
    began = time.process_time()
    deep = b'{"system":"x","a":' * 900 + b"1" + b"}" * 900
    xml = b'<Bundle xmlns="http://hl7.org/fhir">' + b"<a>" * 250 + b"</a>" * 250 + b"</Bundle>"
    assert len(fhir.identifiers(deep)) in {0, 900}
    assert fhir.entries(xml) == []
    assert time.process_time() - began < 2
