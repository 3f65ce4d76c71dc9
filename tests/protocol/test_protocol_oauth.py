"""OAuth parameters and redirects: written as told, read loosely."""

import secrets
import string
import uuid
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmij_conformance.protocol import oauth

texts = st.text(max_size=20)
pairs = st.lists(st.tuples(texts.filter(bool), texts), max_size=8)
hosts = st.text(string.ascii_lowercase, min_size=1, max_size=8).map(lambda name: f"{name}.test")
paths = st.text(string.ascii_letters + "/-._~", max_size=10).map(lambda path: f"/x{path}")


@given(pairs)
def test_what_is_encoded_decodes(parameters: list[tuple[str, str]]) -> None:
    """Names and values of any characters come back equal and in order, empty ones and repeated ones included."""
    assert oauth.decode(oauth.encode(parameters)) == parameters


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("a=1&b=2", [("a", "1"), ("b", "2")]),
        ("a=b+c&d=e%20f", [("a", "b c"), ("d", "e f")]),
        ("a=%2B&b=%252B", [("a", "+"), ("b", "%2B")]),
        ("a=1&a=2&A=3", [("a", "1"), ("a", "2"), ("A", "3")]),
        ("a&b=&=c", [("a", ""), ("b", ""), ("", "c")]),
        ("a=1;b=2", [("a", "1;b=2")]),
        ("a=b=c", [("a", "b=c")]),
        ("a=%ff", [("a", "\ufffd")]),
        ("", []),
        ("&&", []),
        ("&".join(["a=1"] * 1001), []),
    ],
)
def test_decoding_is_loose(text: str, parameters: list[tuple[str, str]]) -> None:
    """Odd queries are read as browsers read them, once decoded; one with a thousand pairs and more is no query."""
    assert oauth.decode(text) == parameters


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://za.test/a", "https://za.test/a?x=1"),
        ("https://za.test/a?", "https://za.test/a?x=1"),
        ("https://za.test/a?b=c", "https://za.test/a?b=c&x=1"),
        ("https://za.test", "https://za.test?x=1"),
    ],
)
def test_query_of_an_address_stays(url: str, written: str) -> None:
    """Parameters are appended to an address; what it has of its own stays in front."""
    assert oauth.with_query(url, [("x", "1")]) == written


@given(pairs.filter(bool), pairs.filter(bool))
def test_appended_parameters_can_be_read(own: list[tuple[str, str]], more: list[tuple[str, str]]) -> None:
    """Whoever reads the address finds its own parameters and then ours."""
    url = oauth.with_query(oauth.with_query("https://za.test/a", own), more)
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == own + more


PARAMETERS = [("a", "1"), ("b", "2"), ("c", "3")]


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({}, PARAMETERS),
        ({"b": "x"}, [("a", "1"), ("b", "x"), ("c", "3")]),
        ({"b": ""}, [("a", "1"), ("b", ""), ("c", "3")]),
        ({"b": None}, [("a", "1"), ("c", "3")]),
        ({"b": ("x", "y")}, [("a", "1"), ("b", "x"), ("b", "y"), ("c", "3")]),
        ({"b": ()}, [("a", "1"), ("c", "3")]),
        ({"d": "4"}, [*PARAMETERS, ("d", "4")]),
        ({"d": ["4", "5"], "a": None}, [("b", "2"), ("c", "3"), ("d", "4"), ("d", "5")]),
        ({"d": None}, PARAMETERS),
    ],
)
def test_parameters_are_changed_in_their_places(changes: dict[str, object], changed: list[tuple[str, str]]) -> None:
    """A parameter is replaced, removed or repeated where it stands; a new one comes last."""
    before = list(PARAMETERS)
    assert oauth.change(PARAMETERS, changes) == changed
    assert before == PARAMETERS


@given(pairs, st.dictionaries(texts.filter(bool), st.none() | texts))
def test_a_change_touches_nothing_else(parameters: list[tuple[str, str]], changes: dict[str, str | None]) -> None:
    """Parameters that no change names stay, in order; one that is set is there, one that is removed is not."""
    changed = oauth.change(parameters, changes)
    assert [p for p in changed if p[0] not in changes] == [p for p in parameters if p[0] not in changes]
    for name, value in changes.items():
        assert {v for n, v in changed if n == name} == (set() if value is None else {value})


def test_redirect_is_taken_apart() -> None:
    """A Location is an address, the pairs of its query, and a fragment."""
    target = oauth.redirect("https://pgo.test/cb?code=a%2Bb&state=s&state=t#f")
    assert target == ("https://pgo.test/cb", [("code", "a+b"), ("state", "s"), ("state", "t")], "f")
    assert (target.get("code"), target.get("state"), target.get("error")) == ("a+b", "s", None)
    assert (target.count("state"), target.count("error")) == (2, 0)


@pytest.mark.parametrize(
    ("location", "address"),
    [
        ("/cb?x=1", "https://za.test/cb"),
        ("cb", "https://za.test/oauth/cb"),
        ("?x=1", "https://za.test/oauth/page"),
        ("//pgo.test/cb", "https://pgo.test/cb"),
        ("  https://pgo.test/cb  ", "https://pgo.test/cb"),
        ("https://[/", "https://[/"),
        ("", "https://za.test/oauth/page"),
    ],
)
def test_relative_redirect_is_resolved(location: str, address: str) -> None:
    """A relative Location is resolved against the page; one that is no address is kept as it is."""
    assert oauth.redirect(location, "https://za.test/oauth/page?y=2").address == address


@pytest.mark.parametrize(
    ("location", "leads"),
    [
        ("https://pgo.test/cb", True),
        ("https://pgo.test/cb?code=x", True),
        ("https://pgo.test/cb#error=x", True),
        ("https://pgo.test:443/cb", True),
        ("HTTPS://PGO.Test/cb", True),
        (" https://pgo.test/cb\n", True),
        ("http://pgo.test/cb", False),
        ("https://pgo.test:8443/cb", False),
        ("https://pgo.test/cb/", False),
        ("https://pgo.test/CB", False),
        ("https://pgo.test/cb/../cb", False),
        ("https://pgo.test.evil.test/cb", False),
        ("https://evil.test/https://pgo.test/cb", False),
        ("https://pgo.test@evil.test/cb", False),
        ("https://x@pgo.test/cb", False),
        ("https://evil.test/cb", False),
        ("//pgo.test/cb", False),
        ("/cb", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_whether_a_location_leads_to_the_client(location: str, leads: bool) -> None:
    """Scheme, host, port and path must be those of the redirect URI; query, fragment and case of the host may differ."""
    assert oauth.leads_to(location, "https://pgo.test/cb") is leads


@given(hosts, paths, pairs)
def test_redirect_uri_leads_to_itself(host: str, path: str, parameters: list[tuple[str, str]]) -> None:
    """A redirect URI with any query is recognised, also when it has a query of its own."""
    uri = f"https://{host}{path}"
    assert oauth.leads_to(oauth.with_query(uri, parameters), uri)
    assert oauth.leads_to(oauth.with_query(uri, parameters), f"{uri}?own=1")
    assert not oauth.leads_to(f"https://evil.test/?{host}", uri)


@given(texts, texts)
def test_reading_never_raises(location: str, base: str) -> None:
    """Whatever a gateway writes into a Location can be read."""
    oauth.redirect(location, base)
    oauth.leads_to(location, base)
    oauth.decode(location)
    oauth.is_uuid4(location)


@given(st.uuids(version=4))
def test_version_4_uuids_are_recognised(identifier: UUID) -> None:
    """Every version 4 UUID in lower case is one; nothing around it, and no other case or form."""
    written = str(identifier)
    assert oauth.is_uuid4(written)
    for other in (f" {written}", f"{written}\n", f"{{{written}}}", written.replace("-", ""), written[:-1], f"urn:uuid:{written}"):
        assert not oauth.is_uuid4(other)
    assert oauth.is_uuid4(written.upper()) is (written == written.upper())


@given(st.integers(0, 2**128 - 1))
def test_only_version_4_is_version_4(number: int) -> None:
    """A UUID of another version or variant is none, as Python's own reading of it says."""
    identifier = UUID(int=number)
    is_one = identifier.version == 4 and identifier.variant == "specified in RFC 4122"
    assert oauth.is_uuid4(str(identifier)) is is_one


@pytest.mark.parametrize("version", [1, 3, 5])
def test_other_versions_are_not_version_4(version: int) -> None:
    """UUIDs made of times and names are not taken for random ones."""
    assert not oauth.is_uuid4(str(UUID(int=2**127 + 5, version=version)))


# --- states ---


@pytest.mark.parametrize(
    ("values", "distinct", "low", "high"),
    [
        ([], 0, 0, 0),
        (["always-the-same"] * 5, 1, 0, 90),
        (["8f3a01bc", "70c4e2d9", "41bd9e07"], 3, 31, 33),
        (["session-1", "session-2", "session-3"], 3, 3, 4),
        ([str(uuid.uuid4()) for _ in range(50)], 50, 128, 150),
        ([secrets.token_urlsafe(24) for _ in range(50)], 50, 150, 200),
    ],
    ids=["none", "one", "32 bits", "a counter", "UUIDs", "32 characters"],
)
def test_state_statistics(values: list[str], distinct: int, low: float, high: float) -> None:
    """How many differ, and how many bits there is room for after the common beginning: a bound from above."""
    found = oauth.state_statistics(values)
    assert (found["count"], found["distinct"]) == (len(values), distinct)
    assert low <= found["bits"] <= high


@pytest.mark.parametrize(
    ("url", "base", "path"),
    [
        ("https://za.test/fhir/Patient?x=1", "https://za.test/fhir", "Patient"),
        ("https://za.test/fhir/Patient/1", "https://za.test/fhir/", "Patient/1"),
        ("https://za.test/fhirx/Patient", "https://za.test/fhir", ""),
        ("https://za.test/fhir", "https://za.test/fhir", ""),
    ],
)
def test_path_below_a_base(url: str, base: str, path: str) -> None:
    """A path is relative to the base address, and empty when it is not below it."""
    assert oauth.below(url, base) == path
