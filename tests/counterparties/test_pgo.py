"""The PGO as played: right in everything, but for the one thing that it is told to do wrong."""

from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmij_conformance.counterparties.pgo import Pgo
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import release


@dataclass(frozen=True)
class Offer:
    authorization_endpoint: str = "https://za.test/oauth/authorize"
    token_endpoint: str = "https://za.test/oauth/token"
    resource_endpoint: str = "https://za.test/fhir"


PGO = Pgo(
    name="pgo",
    hostname="pgo.harness.test",
    client_id="pgo.harness.test",
    redirect_uri="https://pgo.harness.test/cb",
    organisation="Proef & Zoon",
    response_type="code",
    grant_type="authorization_code",
    random=Random(1),
)


def parts(url: str) -> oauth.Redirect:
    return oauth.redirect(url)


# --- the authorization request ---


def test_authorization_request_is_right() -> None:
    """By default it is a GET of the endpoint with exactly the parameters that the release asks for, each once."""
    request = PGO.authorization_request(Offer(), "1", "s t")
    assert (request.method, request.headers, request.body) == ("GET", (), b"")
    assert parts(request.url) == (
        "https://za.test/oauth/authorize",
        [
            ("response_type", "code"),
            ("client_id", "pgo.harness.test"),
            ("redirect_uri", "https://pgo.harness.test/cb"),
            ("scope", "1"),
            ("state", "s t"),
        ],
        "",
    )
    assert tuple(name for name, _ in parts(request.url).parameters) == release("1.0").request_parameters


def test_query_of_the_endpoint_stays() -> None:
    """An endpoint of the ZAL with a query of its own keeps it."""
    offer = Offer(authorization_endpoint="https://za.test/authorize?tenant=7")
    found = parts(PGO.authorization_request(offer, "1", "s").url).parameters
    assert found[0] == ("tenant", "7")
    assert len(found) == 6


@pytest.mark.parametrize("name", ["response_type", "client_id", "redirect_uri", "scope", "state"])
def test_one_thing_is_wrong_at_a_time(name: str) -> None:
    """A parameter can be changed, left out or repeated, and all others stay right."""
    right = parts(PGO.authorization_request(Offer(), "1", "s").url).parameters
    others = [pair for pair in right if pair[0] != name]
    for change, expected in (("wrong", ["wrong"]), (None, []), (("a", "b"), ["a", "b"]), ("", [""])):
        changed = parts(PGO.authorization_request(Offer(), "1", "s", {name: change}).url).parameters
        assert [value for key, value in changed if key == name] == expected
        assert [pair for pair in changed if pair[0] != name] == others


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_scope_and_state_arrive(scope: str, state: str) -> None:
    """Whatever characters scope and state have, they are found again after one decoding."""
    found = parts(PGO.authorization_request(Offer(), scope, state).url)
    assert (found.get("scope"), found.get("state")) == (scope, state)


# --- the token request ---


def test_token_request_is_right() -> None:
    """By default it is a POST of a form with grant type, code, redirect URI and client id, and nothing in the query."""
    exchange = PGO.token_request(Offer(), "a+b c")
    request = exchange.request
    assert (request.method, request.url) == ("POST", "https://za.test/oauth/token")
    assert request.headers == (("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded"))
    assert oauth.decode(request.text) == [
        ("grant_type", "authorization_code"),
        ("code", "a+b c"),
        ("redirect_uri", "https://pgo.harness.test/cb"),
        ("client_id", "pgo.harness.test"),
    ]
    assert (exchange.endpoint, exchange.identity, exchange.twin, exchange.deviation) == ("token", "pgo", "pgo", None)
    assert exchange.response is None


def test_token_request_by_get() -> None:
    """A token request by GET has its parameters in the query, and no body or content type."""
    request = PGO.token_request(Offer(), "x", method="GET").request
    assert parts(request.url).get("code") == "x"
    assert (request.body, request.headers) == (b"", (("Accept", "application/json"),))


def test_token_request_with_one_thing_wrong() -> None:
    """Code, redirect URI, client and content type can each be the thing that is wrong."""
    request = PGO.token_request(Offer(), "x", {"client_id": None, "code": ("x", "x")}, content_type="text/plain").request
    assert [name for name, _ in oauth.decode(request.text)] == ["grant_type", "code", "code", "redirect_uri"]
    assert request.headers[1] == ("Content-Type", "text/plain")
    other = PGO.token_request(Offer(), "x", redirect_uri="https://other.test/cb").request
    assert ("redirect_uri", "https://other.test/cb") in oauth.decode(other.text)


# --- the resource request ---


def test_resource_request_is_right() -> None:
    """By default it is a GET below the resource endpoint with the token in its header, and only there."""
    exchange = PGO.resource_request(Offer(), "tok", "Patient?_include=Patient:general-practitioner")
    assert exchange.request.url == "https://za.test/fhir/Patient?_include=Patient:general-practitioner"
    assert exchange.request.method == "GET"
    assert exchange.request.headers == (("Accept", "application/fhir+json"), ("Authorization", "Bearer tok"))
    assert (exchange.request.body, exchange.endpoint, exchange.identity) == (b"", "resource", "pgo")


@pytest.mark.parametrize(
    ("endpoint", "path", "url"),
    [
        ("https://za.test/fhir", "Patient", "https://za.test/fhir/Patient"),
        ("https://za.test/fhir/", "Patient", "https://za.test/fhir/Patient"),
        ("https://za.test/fhir", "", "https://za.test/fhir"),
        ("https://za.test", "$medication-overview", "https://za.test/$medication-overview"),
    ],
)
def test_address_of_a_resource(endpoint: str, path: str, url: str) -> None:
    """A path comes below the endpoint, whether or not that ends in a slash."""
    assert PGO.resource_request(replace(Offer(), resource_endpoint=endpoint), "t", path).request.url == url


def test_resource_request_with_one_thing_wrong() -> None:
    """Token, scheme, method, body and query can each be the thing that is wrong."""
    assert PGO.resource_request(Offer(), None, "Patient").request.headers == (("Accept", "application/fhir+json"),)
    assert PGO.resource_request(Offer(), "t", "Patient", scheme="Basic").request.headers[1] == ("Authorization", "Basic t")
    posted = PGO.resource_request(Offer(), "t", "Patient", method="POST", body=b"{}").request
    assert (posted.method, posted.body, posted.headers[2]) == ("POST", b"{}", ("Content-Type", "application/fhir+json"))
    queried = PGO.resource_request(Offer(), None, "Patient?a=1", query=[("access_token", "t")]).request
    assert queried.url == "https://za.test/fhir/Patient?a=1&access_token=t"


# --- what it makes up ---


def test_states_are_fresh_and_need_no_escaping() -> None:
    """Every state is another one of 32 letters and digits."""
    states = {PGO.state() for _ in range(1000)}
    assert len(states) == 1000
    assert all(len(state) == 32 and state.isascii() and state.isalnum() for state in states)


def test_unknown_credentials_look_right() -> None:
    """A code that nobody issued is a version 4 UUID like any other, and never the same twice."""
    made = {PGO.unknown_credential() for _ in range(1000)}
    assert len(made) == 1000
    assert all(map(oauth.is_uuid4, made))


def test_seed_repeats_a_run() -> None:
    """The same seed gives the same states and credentials, another seed others."""
    one, same, other = (replace(PGO, random=Random(seed)) for seed in (7, 7, 8))
    assert one == other  # the seed is no part of who a PGO is
    assert [one.state(), one.unknown_credential()] == [same.state(), same.unknown_credential()]
    assert one.state() != other.state()


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("https://{host}{path}/more", "https://pgo.harness.test/cb/more"),
        ("{redirect_uri}?x={client_id}", "https://pgo.harness.test/cb?x=pgo.harness.test"),
        ("https://{other_host}/cb", "https://other.harness.test/cb"),
        ("{scope} {scope}", "1 1"),
        ("{unknown} {", "{unknown} {"),
        ("", ""),
    ],
)
def test_examples_are_filled(template: str, filled: str) -> None:
    """The braces of an example in a feature are filled with what this PGO is; other braces stay."""
    assert PGO.fill(template, {"scope": "1"}) == filled


def test_release_decides_what_is_said() -> None:
    """Response type and grant type are told to it; it knows no release by itself."""
    toy = replace(PGO, response_type="token", grant_type="toy", client_id="me")
    assert parts(toy.authorization_request(Offer(), "1", "s").url).get("response_type") == "token"
    assert ("grant_type", "toy") in oauth.decode(toy.token_request(Offer(), "x").request.text)
