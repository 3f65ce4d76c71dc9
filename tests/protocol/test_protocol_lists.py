"""The lists of MedMij Registratie in XML: round trips, schemas, and documents that mean harm."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmij_conformance import data_path
from medmij_conformance.protocol.lists import (
    GENERATIONS,
    KINDS,
    AnyList,
    Gnl,
    ListError,
    Node,
    OAuthClient,
    Ocl,
    Paths,
    Provider,
    Service,
    ServiceName,
    Systeemrol,
    Whitelist,
    Zal,
    generations,
    kind,
    parse,
    serialise,
    validate,
)

MOMENT = datetime(2018, 9, 1, 9, 0, tzinfo=UTC)
SERVICE = Service(
    "1",
    "https://toestemming.kliniek.test/oauth/authorize",
    "https://achter.kliniek.test:8443/oauth/token",
    (
        Systeemrol("ROL-1.0.0-A-FHIR", "https://achter.kliniek.test:8443/fhir"),
        Systeemrol("ROL-1.0.0-B-FHIR", "https://achter.kliniek.test:8443/fhir"),
    ),
)
ZAL = Zal(MOMENT, 12, (Provider("kliniek@medmij", (SERVICE, replace(SERVICE, gegevensdienst="2"))),))
WHITELIST = Whitelist(MOMENT, 3, (Node("pgo.harness.test"), Node("za.harness.test")))
OCL = Ocl(MOMENT, 7, (OAuthClient("pgo.harness.test", "Proefomgeving & Zoon"),))
GNL = Gnl(MOMENT, 2, (ServiceName("1", "Basisgegevens"), ServiceName("2", "Médicatie")))

#: The metamodel has one gateway for a service, and names on the Whitelist.
GATEWAY = "https://zorg.kliniek.test"
AT_ONE = Service(
    "1",
    f"{GATEWAY}/authorize?a=b",
    f"{GATEWAY}:8443/token",
    (Systeemrol("A", f"{GATEWAY}:8443/fhir"), Systeemrol("B", f"{GATEWAY}/")),
)
ZAL_AT_ONE = Zal(MOMENT, 12, (Provider("kliniek@medmij", (AT_ONE, replace(AT_ONE, gegevensdienst="3"))),))
WHITELIST_WITH_NAMES = Whitelist(MOMENT, 3, (Node("pgo.harness.test", "Proef & Zoon", "DVP"), Node("za.harness.test", "", "DVZA")))
IN_METAMODEL = (ZAL_AT_ONE, replace(ZAL_AT_ONE, providers=()), WHITELIST_WITH_NAMES, WHITELIST)
WRITABLE = [
    pytest.param(content, generation, id=f"{generation}-{KINDS[type(content)]}-{number}")
    for generation in GENERATIONS
    for number, content in enumerate(IN_METAMODEL if generation == "metamodel" else (ZAL, WHITELIST, OCL, GNL))
    if type(content) in GENERATIONS[generation]
]


def schema(content: AnyList, generation: str) -> Path:
    return data_path("fixtures") / "schemas" / "lists" / generation / f"{KINDS[type(content)]}.xsd"


def problems(content: AnyList, generation: str) -> list[str]:
    return validate(serialise(content, generation), schema(content, generation))


def edited(content: AnyList, generation: str, pattern: str, replacement: str) -> bytes:
    """The document with one passage changed; fails if there is no such passage."""
    text, count = re.subn(pattern, replacement, serialise(content, generation).decode(), count=1, flags=re.DOTALL)
    assert count == 1
    return text.encode()


# --- round trips ---


@pytest.mark.parametrize(("content", "generation"), WRITABLE)
def test_what_is_written_reads_back(content: AnyList, generation: str) -> None:
    """A list comes back equal from its document, in every generation that has it."""
    document = serialise(content, generation)
    assert parse(document) == content
    assert kind(document) == KINDS[type(content)]
    assert generation in generations(document)


@pytest.mark.parametrize(("content", "generation"), WRITABLE)
def test_what_is_written_is_valid(content: AnyList, generation: str) -> None:
    """What serialise writes satisfies the schema of its generation."""
    assert problems(content, generation) == []


_words = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=20)
_moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_serials = st.integers(1, 10**30)
_services = st.builds(Service, _words, _words, _words, st.lists(st.builds(Systeemrol, _words, _words), min_size=1).map(tuple))
_providers = st.builds(Provider, _words, st.lists(_services, min_size=1, max_size=3).map(tuple))
_lists = st.one_of(
    st.builds(Zal, _moments, _serials, st.lists(_providers, max_size=3).map(tuple)),
    st.builds(Whitelist, _moments, _serials, st.lists(st.builds(Node, _words), min_size=1).map(tuple)),
    st.builds(Ocl, _moments, _serials, st.lists(st.builds(OAuthClient, _words, _words)).map(tuple)),
)


@given(content=_lists, generation=st.sampled_from(["1.0", "1.1"]))
@settings(max_examples=60, deadline=None)
def test_any_list_reads_back(content: AnyList, generation: str) -> None:
    """Whatever the values are, markup characters and other alphabets included, they survive the round trip."""
    assert parse(serialise(content, generation)) == content


@st.composite
def _at_one_gateway(draw: st.DrawFn) -> Service:
    host = draw(st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=20))
    address = st.tuples(st.sampled_from(["/", ":8443/"]), _words).map(lambda parts: f"https://{host}{''.join(parts)}")
    roles = draw(st.lists(st.builds(Systeemrol, _words, address), min_size=1, max_size=3))
    return Service(draw(_words), draw(address), draw(address), tuple(roles))


_in_metamodel = st.one_of(
    st.builds(
        Zal,
        _moments,
        _serials,
        st.lists(st.builds(Provider, _words, st.lists(_at_one_gateway(), min_size=1, max_size=3).map(tuple)), max_size=3).map(
            tuple
        ),
    ),
    st.builds(
        Whitelist,
        _moments,
        _serials,
        st.lists(st.builds(Node, _words, _words | st.just(""), st.sampled_from(["", "DVP", "DVZA"]))).map(tuple),
    ),
)


@given(content=_in_metamodel)
@settings(max_examples=60, deadline=None)
def test_any_list_of_the_metamodel_reads_back(content: AnyList) -> None:
    """Addresses come back as they were from host name and suffixes, and the names of the Whitelist too."""
    assert parse(serialise(content, "metamodel")) == content


@given(content=_lists | st.builds(Gnl, _moments, _serials, st.lists(st.builds(ServiceName, _words, _words)).map(tuple)))
@settings(max_examples=30, deadline=None)
def test_the_quick_reader_reads_the_same(content: AnyList) -> None:
    """What reads long documents gives the same records as what reads whole ones."""
    form = GENERATIONS["1.1"][type(content)]
    root = form.write(content)
    read = form.quick_reader()
    assert tuple(map(read, root[-1])) == getattr(content, form.items.attribute)


@given(content=_in_metamodel)
@settings(max_examples=30, deadline=None)
def test_the_quick_reader_reads_the_metamodel_too(content: AnyList) -> None:
    """The same where elements may be left out."""
    form = GENERATIONS["metamodel"][type(content)]
    read = form.quick_reader()
    assert tuple(map(read, form.write(content)[3:])) == getattr(content, form.items.attribute)


@pytest.mark.parametrize(
    ("service", "complaint"),
    [
        (SERVICE, "one https gateway for a service, not 'toestemming.kliniek.test' and 'achter.kliniek.test'"),
        (replace(AT_ONE, token_endpoint="http://zorg.kliniek.test/token"), "one https gateway"),
        (replace(AT_ONE, token_endpoint=GATEWAY), "a token endpoint without a path, 'https://zorg.kliniek.test'"),
    ],
)
def test_what_the_metamodel_cannot_express(service: Service, complaint: str) -> None:
    """Addresses on two hosts, of another scheme, or that would read back as others are refused, not written wrongly."""
    with pytest.raises(ValueError, match=complaint):
        serialise(Zal(MOMENT, 1, (Provider("kliniek@medmij", (service,)),)), "metamodel")


def test_a_token_endpoint_that_is_the_authorization_endpoint_has_no_suffix() -> None:
    """In the metamodel the token endpoint has the other one's address unless a suffix says otherwise."""
    same = replace(AT_ONE, token_endpoint=AT_ONE.authorization_endpoint)
    content = Zal(MOMENT, 1, (Provider("kliniek@medmij", (same,)),))
    assert b"TokenSuffix" not in serialise(content, "metamodel")
    assert b"<TokenSuffix>:8443/token</TokenSuffix>" in serialise(ZAL_AT_ONE, "metamodel")
    assert parse(serialise(content, "metamodel")) == content


@pytest.mark.parametrize(
    ("generation", "content", "place", "path"),
    [
        ("1.0", ZAL, ("serial",), "Zorgaanbiederslijst/Volgnummer"),
        (
            "1.0",
            ZAL,
            ("providers", 0, "services", 1, "systeemrollen", 1, "resource_endpoint"),
            "/Gegevensdiensten/Gegevensdienst[2]/Systeemrollen/Systeemrol[2]/ResourceEndpoint/ResourceEndpointuri",
        ),
        ("1.0", WHITELIST, ("nodes", 1, "hostname"), "Whitelist/MedMijNodes/MedMijNode[2]"),
        ("1.1", WHITELIST, ("nodes", 1, "hostname"), "Whitelist/MedMijNodes/MedMijNode[2]/Hostname"),
        ("metamodel", WHITELIST_WITH_NAMES, ("nodes", 0, "friendly_name"), "Whitelist/Gateway[1]/GebruikersvriendelijkeNaam"),
        (
            "metamodel",
            ZAL_AT_ONE,
            ("providers", 0, "services", 1, "token_endpoint"),
            "Zorgaanbiederslijst/Zorgaanbieder[1]/GegevensdienstZorgaanbieder[2]",
        ),
    ],
)
def test_where_a_value_stands(generation: str, content: AnyList, place: tuple[str | int, ...], path: str) -> None:
    """A form tells the element of a value, as a path and in a tree."""
    form = GENERATIONS[generation][type(content)]
    assert form.path(place).endswith(path)
    element = form.locate(form.write(content), place)
    assert element.tag.partition("}")[2] == re.sub(r"\[\d+\]$", "", path.rpartition("/")[2])
    assert re.sub(r"\[1\]", "", Paths().of(element)) == re.sub(r"\[1\]", "", form.path(place))


def test_a_document_as_it_is_published() -> None:
    """A document has a plain UTF-8 declaration, the default namespace without prefix, and one element a line."""
    lines = serialise(WHITELIST, "1.0").decode().splitlines()
    assert lines[:4] == [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<Whitelist xmlns="xmlns://afsprakenstelsel.medmij.nl/whitelist/release2/">',
        "  <Tijdstempel>2018-09-01T09:00:00Z</Tijdstempel>",
        "  <Volgnummer>3</Volgnummer>",
    ]


def test_the_two_forms_of_the_whitelist_are_told_apart() -> None:
    """The forms of 1.0 and 1.1 share a namespace; structure tells them apart, and each schema refuses the other's."""
    names, nodes = serialise(WHITELIST, "1.0"), serialise(WHITELIST, "1.1")
    assert b"<MedMijNode>pgo.harness.test</MedMijNode>" in names
    assert b"<Hostname>pgo.harness.test</Hostname>" in nodes
    assert parse(names) == parse(nodes)
    assert (generations(names), generations(nodes)) == (("1.0",), ("1.1",))
    assert validate(names, schema(WHITELIST, "1.1"))
    assert validate(nodes, schema(WHITELIST, "1.0"))


def test_a_whitelist_of_both_forms_is_none() -> None:
    """A Whitelist that changes form half-way is refused where it changes, on one line too."""
    mixed = edited(WHITELIST, "1.0", "<MedMijNode>za.harness.test", "<MedMijNode><Hostname>za.harness.test</Hostname>")
    for document in (mixed, re.sub(rb">\s+<", b"><", mixed)):
        with pytest.raises(ListError, match=r"Whitelist/MedMijNodes/MedMijNode\[2\]/Hostname: text was expected"):
            parse(document)
        assert generations(document) == ()


def test_empty_lists() -> None:
    """Only the Whitelist of 1.0 must have an entry; every other list may be empty."""
    assert problems(Zal(MOMENT, 1), "1.0") == problems(Ocl(MOMENT, 1), "1.0") == []
    assert problems(Gnl(MOMENT, 1), "1.1") == problems(Whitelist(MOMENT, 1), "1.1") == []
    assert problems(Whitelist(MOMENT, 1), "1.0")
    assert generations(serialise(Whitelist(MOMENT, 1), "1.0")) == ("1.1",)


def test_what_cannot_be_written() -> None:
    """An unknown generation, a list its generation lacks, a moment without zone and a control character are refused."""
    with pytest.raises(ValueError, match=r"unknown generation of lists '3\.0': 1\.0, 1\.1, metamodel"):
        serialise(ZAL, "3.0")
    with pytest.raises(ValueError, match=r"generation 1\.0 has no gnl"):
        serialise(GNL, "1.0")
    with pytest.raises(ValueError, match="time zone"):
        serialise(replace(ZAL, timestamp=MOMENT.replace(tzinfo=None)), "1.0")
    with pytest.raises(ValueError, match="XML compatible"):
        serialise(Whitelist(MOMENT, 1, (Node("a\x00b"),)), "1.0")


# --- reading: open about what XML allows, strict about structure ---


def test_legal_but_unusual_xml_is_read() -> None:
    """A prefix, comments inside values, CDATA, a schema location, UTF-16 and line ends do not change a list."""
    text = serialise(WHITELIST, "1.1").decode()
    prefixed = re.sub(r"<(/?)(\w)", r"<\1m:\2", text.replace("xmlns=", "xmlns:m="))
    commented = text.replace("pgo.harness.test", "pgo<!-- a -->.harness<?b?>.test")
    literal = text.replace("pgo.harness.test", "<![CDATA[pgo.harness]]>.test")
    located = text.replace(
        "<Whitelist ",
        '<Whitelist xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:a a.xsd" ',
    )
    for variant in (prefixed, commented, literal, located, text.replace("\n", "\r\n"), text.replace("\n", "")):
        assert parse(variant.encode()) == WHITELIST
        assert validate(variant.encode(), schema(WHITELIST, "1.1")) == []
    assert parse(text.replace("UTF-8", "UTF-16").encode("utf-16")) == WHITELIST


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-09-01T09:00:00+02:00", MOMENT - timedelta(hours=2)),
        ("2018-09-01T09:00:00.5Z", MOMENT + timedelta(milliseconds=500)),
        ("2018-09-01T09:00:00.123456789Z", MOMENT + timedelta(microseconds=123456)),
        ("2018-09-01T09:00:00.0", MOMENT),
        ("\n 2018-09-01T09:00:00Z ", MOMENT),
    ],
)
def test_forms_of_a_timestamp(text: str, moment: datetime) -> None:
    """Zones, fractions and surrounding white space are understood; without a zone UTC is meant."""
    assert parse(edited(WHITELIST, "1.0", "2018-09-01T09:00:00Z", text)).timestamp == moment


def test_a_timestamp_is_written_in_utc() -> None:
    """A moment in another zone is written as the same moment with a Z."""
    local = MOMENT.astimezone(timezone(timedelta(hours=2)))
    assert b"<Tijdstempel>2018-09-01T09:00:00Z<" in serialise(replace(ZAL, timestamp=local), "1.0")


@pytest.mark.parametrize("text", ["2018-09-01", "2018-09-01 09:00:00Z", "2018-W35-6T09:00:00Z", "2018-13-01T09:00:00Z", ""])
def test_what_is_no_timestamp(text: str) -> None:
    """Other notations of a date, and dates that do not exist, are refused by reader and schema."""
    document = edited(WHITELIST, "1.0", "2018-09-01T09:00:00Z", text)
    with pytest.raises(ListError, match=r"^line 3: Whitelist/Tijdstempel: "):
        parse(document)
    assert validate(document, schema(WHITELIST, "1.0"))


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "een", "", "\u0663", "1" * 5000])
def test_what_is_no_serial_number(text: str) -> None:
    """Only a positive whole number in ASCII digits is a serial number; thousands of digits do not stop the reader."""
    with pytest.raises(ListError, match=r"Whitelist/Volgnummer: .*not a positive whole number"):
        parse(edited(WHITELIST, "1.0", ">3<", f">{text}<"))


@pytest.mark.parametrize(
    ("pattern", "replacement", "complaint"),
    [
        (
            r"(<TokenEndpoint>.*?</TokenEndpoint>\s*)(<Systeemrollen>.*?</Systeemrollen>)",
            r"\2\1",
            r"line 14: .*/Gegevensdienst\[1\]/Systeemrollen: TokenEndpoint was expected here",
        ),
        (
            r"(<Tijdstempel>.*</Tijdstempel>\s*)(<Volgnummer>.*</Volgnummer>)",
            r"\2\1",
            "line 3: Zorgaanbiederslijst/Volgnummer: Tijdstempel was expected here",
        ),
        (r"<Volgnummer>12</Volgnummer>", "", "/Zorgaanbieders: Volgnummer was expected here"),
        (r"<ResourceEndpoint>.*?</ResourceEndpoint>", "", r"/Systeemrol\[1\]: ResourceEndpoint is missing"),
        (r"<Systeemrollen>.*?</Systeemrollen>", "<Systeemrollen/>", "at least 1 Systeemrol is needed"),
        (r"</TokenEndpointuri>", "</TokenEndpointuri><Extra/>", "/Extra: nothing may follow TokenEndpointuri here"),
        (r"(<Zorgaanbieder>)", r"<Zorgverlener/>\1", "/Zorgverlener: Zorgaanbieder was expected here"),
        (r"<Zorgaanbieder>", "<Zorgaanbieder>tekst", "/Zorgaanbieder: text between the elements: 'tekst"),
        (r"<Volgnummer>", '<Volgnummer n="1">', "/Volgnummer: attribute 'n' was not expected"),
        (
            r"<Volgnummer>",
            '<Volgnummer xmlns="urn:x">',
            "Volgnummer: Volgnummer was expected here, in namespace xmlns:",
        ),
        (r">kliniek@medmij<", "><b>kliniek@medmij</b><", "/Zorgaanbiedernaam/b: text was expected here"),
    ],
)
def test_another_structure_is_refused(pattern: str, replacement: str, complaint: str) -> None:
    """Wrong order, gaps, additions, attributes and namespaces are refused, and it says where; the schema agrees."""
    document = edited(ZAL, "1.0", pattern, replacement)
    with pytest.raises(ListError, match=complaint) as error:
        parse(document)
    assert re.fullmatch(r"line \d+: Zorgaanbiederslijst[\w/\[\]]*: .+", str(error.value))
    assert validate(document, schema(ZAL, "1.0"))


def test_unknown_roots() -> None:
    """A root of another name or namespace is refused, with what would have been right."""
    with pytest.raises(ListError, match="line 1: html: not a list of MedMij; those are Zorgaanbiederslijst, Whitelist"):
        parse(b"<html/>")
    with pytest.raises(ListError, match="line 1: Whitelist: the namespace is None, not xmlns://afsprakenstelsel"):
        kind(b"<Whitelist/>")
    assert generations(b"<html/>") == generations(b"garbage") == ()


# --- documents that mean harm ---

HARMFUL = {
    "doctype": b"<!DOCTYPE Whitelist><Whitelist/>",
    "external DTD": b'<!DOCTYPE Whitelist SYSTEM "http://127.0.0.1:1/x.dtd"><Whitelist/>',
    "external entity": b'<!DOCTYPE Whitelist [<!ENTITY x SYSTEM "file:///etc/passwd">]><Whitelist>&x;</Whitelist>',
    "parameter entity": b'<!DOCTYPE Whitelist [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><Whitelist/>',
    "billion laughs": b"<!DOCTYPE Whitelist [<!ENTITY a0 'ha'>"
    + b"".join(b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 11))
    + b"]><Whitelist>&a10;</Whitelist>",
    "billion laughs in an attribute": b"<!DOCTYPE Whitelist [<!ENTITY a0 'ha'>"
    + b"".join(b"<!ENTITY a%d '%s'>" % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 11))
    + b"]><Whitelist a='&a10;'/>",
    "depth": b"<a>" * 100_000,
    "text without end": b"<Whitelist>" + b"a" * 11_000_000 + b"</Whitelist>",
    "nothing": b"",
    "zero bytes": b"\0" * 1000,
    "unknown encoding": b'<?xml version="1.0" encoding="klingon"?><Whitelist/>',
    "broken UTF-8": b'<?xml version="1.0" encoding="UTF-8"?><Whitelist>\xff\xfe</Whitelist>',
}


@pytest.mark.parametrize("name", HARMFUL)
def test_harmful_documents_are_refused_at_once(name: str) -> None:
    """Document types, bombs and garbage soon end in a ListError of one line, which the validator reports too."""
    started = time.process_time()
    with pytest.raises(ListError, match=r"^line \d+: [^\n]+$") as error:
        parse(HARMFUL[name])
    assert validate(HARMFUL[name], schema(WHITELIST, "1.0")) == [str(error.value)]
    assert time.process_time() - started < 5
    assert len(str(error.value)) < 700


@pytest.mark.parametrize("name", ["doctype", "external DTD", "external entity"])
def test_a_doctype_is_named_as_the_reason(name: str) -> None:
    """Even a DOCTYPE that does no harm is refused, for being one."""
    with pytest.raises(ListError, match="a DOCTYPE is not allowed"):
        parse(HARMFUL[name])


@pytest.mark.parametrize(("content", "generation"), WRITABLE)
def test_a_truncated_file_is_never_a_list(content: AnyList, generation: str) -> None:
    """Wherever a document is cut before its last tag ends, neither reader nor validator takes it."""
    document = serialise(content, generation).rstrip()
    for length in range(0, len(document), 7):
        with pytest.raises(ListError):
            parse(document[:length])
    assert validate(document[:-1], schema(content, generation))


def test_too_large_a_document_is_not_read() -> None:
    """A document over the limit is refused before it is parsed; one at the limit is read."""
    document = serialise(WHITELIST, "1.0")
    assert parse(document, max_bytes=len(document)) == WHITELIST
    with pytest.raises(ListError, match=f"the document has {len(document)} bytes, more than the {len(document) - 1}"):
        parse(document, max_bytes=len(document) - 1)


def test_errors_without_number_do_not_take_for_ever() -> None:
    """Of tens of thousands of schema errors the first ten thousand are told, each with its place, within seconds."""
    document = edited(WHITELIST, "1.0", "</MedMijNodes>", "<MedMijNode/>\n" * 50_000 + "</MedMijNodes>")
    started = time.process_time()
    lines = validate(document, schema(WHITELIST, "1.0"))
    assert len(lines) == 10_001
    assert re.match(r"line 10007: Whitelist/MedMijNodes/MedMijNode\[10002\]: .*pattern", lines[-2])
    assert lines[-1] == "line 10007: over 10000 errors; the others were not looked for"
    assert time.process_time() - started < 20


# --- validation ---


def test_validation_names_line_path_and_problem() -> None:
    """Each schema error is one line with line number, numbered path and problem, without the noise of namespaces."""
    double = (Node("za.harness.test"), Node("ZA.harness.test"), Node("za.harness.test"))
    lines = problems(replace(WHITELIST, serial=0, nodes=double), "1.0")
    assert [line.partition(": ")[0] for line in lines] == ["line 4", "line 7", "line 8"]
    assert lines[0] == "line 4: Whitelist/Volgnummer: '0' is not a valid value of the atomic type 'xs:positiveInteger'."
    assert lines[1].startswith("line 7: Whitelist/MedMijNodes/MedMijNode[2]: [facet 'pattern'] The value 'ZA.harness.test'")
    assert lines[2].startswith("line 8: Whitelist/MedMijNodes/MedMijNode[3]: Duplicate key-sequence ['za.harness.test']")


def test_validation_takes_a_schema_as_bytes() -> None:
    """A schema may be given by its contents; what is no schema is a ValueError."""
    xsd = schema(ZAL, "1.0").read_bytes()
    assert validate(serialise(ZAL, "1.0"), xsd) == []
    assert "No matching global declaration" in validate(serialise(OCL, "1.0"), xsd)[0]
    for nonsense in (
        b"<a",
        b"<a/>",
        b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element/></xs:schema>',
    ):
        with pytest.raises(ValueError, match="not an XML Schema"):
            validate(b"<a/>", nonsense)


def test_a_value_cannot_break_the_line() -> None:
    """Line ends, direction marks and endless values of a document do not reach the report as they are."""
    (line,) = problems(Whitelist(MOMENT, 1, (Node("a\n\u202eb\u0085" + "c" * 10_000),)), "1.0")
    assert line.isprintable()
    assert len(line) < 700


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (replace(ZAL, providers=ZAL.providers * 2), "Zorgaanbieder[2]/Zorgaanbiedernaam"),
        (Zal(MOMENT, 1, (Provider("kliniek@medmij", (SERVICE, SERVICE)),)), "Gegevensdienst[2]/GegevensdienstId"),
        (
            Zal(MOMENT, 1, (Provider("abc@medmij", (replace(SERVICE, systeemrollen=SERVICE.systeemrollen[:1] * 2),)),)),
            "Systeemrol[2]/Systeemrolcode",
        ),
        (replace(WHITELIST, nodes=WHITELIST.nodes[:1] * 2), "MedMijNode[2]/Hostname"),
        (replace(OCL, clients=OCL.clients * 2), "OAuthclient[2]/Hostname"),
        (replace(GNL, names=GNL.names[:1] * 2), "Gegevensdienst[2]/GegevensdienstId"),
    ],
)
def test_what_must_be_unique(content: AnyList, path: str) -> None:
    """A second provider, service, role, node, client or name with the same key is invalid; the reader keeps both."""
    (line,) = problems(content, "1.1")
    assert f"{path}: Duplicate key-sequence" in line
    assert parse(serialise(content, "1.1")) == content


def test_keys_repeat_across_parents() -> None:
    """Two providers may offer the same service, and two services have the same role."""
    assert problems(Zal(MOMENT, 1, (*ZAL.providers, replace(ZAL.providers[0], name="ander@medmij"))), "1.0") == []


def with_timestamp(text: str) -> bytes:
    return edited(WHITELIST, "1.0", "2018-09-01T09:00:00Z", text)


def with_front(uri: str) -> bytes:
    return edited(ZAL, "1.0", SERVICE.authorization_endpoint, uri)


def with_back(uri: str) -> bytes:
    return edited(ZAL, "1.0", SERVICE.token_endpoint, uri)


def with_hostname(hostname: str) -> bytes:
    return edited(WHITELIST, "1.0", "pgo.harness.test", hostname)


def with_name(name: str) -> bytes:
    return edited(ZAL, "1.0", "kliniek@medmij", name)


@pytest.mark.parametrize(
    ("make", "value", "valid"),
    [
        (with_timestamp, "2018-04-16T12:56:33", False),
        (with_timestamp, "2018-04-16T12:56:33Z", True),
        (with_timestamp, "2018-04-16T12:56:33+01:00", True),
        (with_timestamp, "2018-04-16T12:56:33.1", True),
        *[
            (make, value, valid)
            for make in (with_front, with_back)
            for value, valid in [
                ("https://a.test", True),
                ("https://a.test/pad", True),
                ("https://a.test/Pad met/Hoofdletter", True),
                ("https://a-.example.nl/x", True),
                ("https://127.0.0.10/x", True),
                ("https://localhost.localdomain/x", True),
                ("http://a.test/x", False),
                ("https://a.test/", False),
                ("https://a.test/x/", False),
                ("https://a.test//x", False),
                ("https://a.test/x?y", False),
                ("https://a.test/x#y", False),
                ("https://A.test/x", False),
                ("https://a_b.test/x", False),
                ("https://-a.test/x", False),
                ("https://a.test./x", False),
                ("https://localhost/x", False),
            ]
        ],
        (with_front, "https://a.test:443/x", False),
        (with_front, "https://a.b/x", True),
        (with_front, "https://127.0.0.1/x", True),
        (with_back, "https://a.test:443/x", True),
        (with_back, "https://a.test:0/x", True),
        (with_back, "https://a.test:123456/x", False),
        (with_back, "https://a.b/x", False),
        (with_back, "https://127.0.0.1:8443/x", False),
        (with_back, "https://127.0.0.10:8443/x", True),
        (with_hostname, "a-.example.nl", True),
        (with_hostname, "127.0.0.10", True),
        (with_hostname, "127.0.0.1", False),
        (with_hostname, "a.b", False),
        (with_hostname, "localhost", False),
        (with_hostname, "PGO.harness.test", False),
        (with_hostname, "pgo_1.harness.test", False),
        (with_hostname, "*.harness.test", False),
        (with_hostname, "pgo.harness.test.", False),
        (with_hostname, " pgo.harness.test", False),
        (with_hostname, "pgo.harness.test:443", False),
        (with_name, "abc@medmij", True),
        (with_name, "ab@medmij", False),
        (with_name, "a" * 50 + "@medmij", True),
        (with_name, "a" * 51 + "@medmij", False),
        (with_name, "kliniek1@medmij", False),
        (with_name, "de.kliniek@medmij", False),
        (with_name, "de-kliniek@medmij", False),
        (with_name, "Kliniek@medmij", False),
        (with_name, "kliniek@zorg", False),
    ],
)
def test_values_that_the_schemas_accept(make: Callable[[str], bytes], value: str, valid: bool) -> None:
    """The schemas accept and refuse values as the published ones were seen to do."""
    document = make(value)
    content = WHITELIST if kind(document) == "whl" else ZAL
    assert (not validate(document, schema(content, "1.0"))) is valid


@pytest.mark.parametrize(("generation", "valid"), [("1.0", True), ("1.1", False)])
def test_codes_have_a_greatest_length_since_1_1(generation: str, valid: bool) -> None:
    """A service or role code of 31 characters is valid in generation 1.0 alone; an empty one never is."""
    for length, expected in ((30, True), (31, valid), (0, False)):
        code = "1" * length
        service = replace(SERVICE, gegevensdienst=code)
        role = replace(SERVICE, systeemrollen=(Systeemrol(code, "https://a.test"),))
        for changed in (service, role):
            assert (not problems(Zal(MOMENT, 1, (Provider("abc@medmij", (changed,)),)), generation)) is expected


@pytest.mark.parametrize(("length", "valid"), [(2, False), (3, True), (50, True), (51, False)])
def test_names_for_people_have_three_to_fifty_characters(length: int, valid: bool) -> None:
    """The names on consent pages, of clients and of services, have 3 to 50 characters."""
    assert (not problems(Ocl(MOMENT, 1, (OAuthClient("a.test", "é" * length),)), "1.0")) is valid
    assert (not problems(Gnl(MOMENT, 1, (ServiceName("1", "é" * length),)), "1.1")) is valid
