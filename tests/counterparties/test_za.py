"""The ZA gateway as played: right in everything, but for the one thing that it is told to do wrong."""

from dataclasses import dataclass
from random import Random
from urllib.parse import urlencode

import pytest

from medmij_conformance.counterparties.za import AUTHORIZATION, RESOURCE, TOKEN, Flow, Reply, Words, Za, deviations
from medmij_conformance.evidence import Request
from medmij_conformance.protocol import fhir, oauth
from medmij_conformance.requirements import release

RELEASE = release()
WORDS = Words(exceptions=RELEASE.exceptions, token_type=RELEASE.token_type, token_lifetime_s=RELEASE.token.lifetime_s)
BACK = "https://pgo.test/cb?x=1"


@dataclass(frozen=True)
class Offer:
    zorgaanbieder: str = "proefkliniek@medmij"
    gegevensdienst: str = "1"
    host: str = "za.test"

    @property
    def authorization_endpoint(self) -> str:
        return f"https://{self.host}/authorize?tenant=7"

    @property
    def token_endpoint(self) -> str:
        return f"https://{self.host}:8444/token"

    @property
    def resource_endpoint(self) -> str:
        return f"https://{self.host}:8444/fhir"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Played:
    """A ZA gateway with one flow, and a PGO that does everything right."""

    za: Za
    flow: Flow
    clock: Clock

    def authorize(self, state: str = "the-state") -> Reply:
        pairs = [("response_type", "code"), ("client_id", "pgo.test"), ("redirect_uri", BACK), ("scope", "1"), ("state", state)]
        return self.za.answer(Request(method="GET", url=oauth.with_query(self.flow.offer.authorization_endpoint, pairs)))

    def redeem(self, code: str | None = None) -> Reply:
        body = urlencode({"grant_type": "authorization_code", "code": code or self.flow.code, "redirect_uri": BACK})
        return self.za.answer(Request(method="POST", url=self.flow.offer.token_endpoint, body=body.encode()))

    def ask(self, path: str = "/Patient?x=1", token: str | None = None) -> Reply:
        headers = (("Authorization", f"Bearer {token or self.flow.token}"),)
        return self.za.answer(Request(method="GET", url=self.flow.offer.resource_endpoint + path, headers=headers))


def played(deviation: str = "", offer: Offer | None = None) -> Played:
    clock = Clock()
    chosen = offer or Offer()
    za = Za([Offer(), Offer("other@medmij", "1", "other.test")], WORDS, Random(1), clock, "https://za.test:8444/elsewhere")
    flow = Flow(number=1, scenario="a", offer=chosen, deviation=deviation)
    za.expect(flow)
    return Played(za, flow, clock)


def location(reply: Reply) -> oauth.Redirect:
    return oauth.redirect(reply.response.header("location") or "")


# --- right by default ---


def test_a_right_pgo_gets_its_data() -> None:
    """Code with the state and the query of the redirect URI, a token of the release, and a bundle of resources."""
    pgo = played()
    back = location(pgo.authorize())
    assert back.parameters == [("x", "1"), ("code", pgo.flow.code), ("state", "the-state")]
    members = pgo.redeem().response.json
    assert members == {"access_token": pgo.flow.token, "token_type": "Bearer", "expires_in": 900, "scope": "1"}
    assert oauth.is_uuid4(pgo.flow.code)
    assert oauth.is_uuid4(pgo.flow.token)
    answer = pgo.ask().response
    assert answer.status == 200
    assert fhir.resources(answer.body) == ["Patient", "Patient"]
    assert pgo.flow.marker in answer.text


def test_what_is_secret_is_told_with_the_answer() -> None:
    """State, code and token are named as secrets together with the answer that holds them."""
    pgo = played()
    assert set(pgo.authorize().secrets) == {"the-state", pgo.flow.code}
    redeemed = pgo.redeem()
    assert redeemed.secrets == (pgo.flow.code, pgo.flow.token)
    assert pgo.ask().secrets == (pgo.flow.token,)


def test_a_code_is_good_once() -> None:
    """A second offer of a code is exception 6, and so is a code that was never issued."""
    pgo = played()
    pgo.authorize()
    assert pgo.redeem().response.status == 200
    for code in (pgo.flow.code, "unknown"):
        answer = pgo.redeem(code).response
        assert (answer.status, answer.json) == (400, {"error": "invalid_grant"})


def test_a_token_has_its_lifetime_and_its_own_offer() -> None:
    """Exception 7 for a token that is too old, unknown, or used elsewhere."""
    pgo = played()
    pgo.authorize()
    pgo.redeem()
    elsewhere = Request(
        method="GET", url="https://other.test:8444/fhir/Patient", headers=(("Authorization", f"Bearer {pgo.flow.token}"),)
    )
    answers = [pgo.za.answer(elsewhere), pgo.ask(token="unknown")]
    pgo.clock.now += 900
    answers.append(pgo.ask())
    for reply in answers:
        assert reply.response.status == 401
        assert [issue.code for issue in fhir.issues(reply.response.body)] == ["suppressed"]
        assert reply.response.header("www-authenticate") == 'Bearer error="invalid_token"'


def test_flows_are_told_apart_by_content() -> None:
    """Two flows at once, whatever the order of their requests."""
    first = played()
    second = Flow(number=2, scenario="b", offer=Offer("other@medmij", "1", "other.test"))
    first.za.expect(second)
    other = Played(first.za, second, first.clock)
    assert other.authorize("state-2").flow is second
    assert first.authorize("state-1").flow is first.flow
    assert other.redeem().flow is second
    assert first.redeem().flow is first.flow
    assert first.ask().flow is first.flow
    assert other.ask().flow is second
    assert first.flow.token != second.token


def test_a_wrong_request_that_can_be_understood_is_played_on() -> None:
    """A code in the address and a token under another scheme are understood: the judges say what is wrong with them."""
    pgo = played()
    pgo.authorize()
    url = f"{pgo.flow.offer.token_endpoint}?code={pgo.flow.code}"
    assert pgo.za.answer(Request(method="GET", url=url)).response.status == 200
    headers = (("Authorization", f"MAC {pgo.flow.token}"),)
    asked = Request(method="GET", url=f"{pgo.flow.offer.resource_endpoint}/Patient", headers=headers)
    assert pgo.za.answer(asked).response.status == 200


@pytest.mark.parametrize("redirect_uri", ["", "pgo://cb", "/cb"])
def test_without_an_address_to_return_to_there_is_a_page(redirect_uri: str) -> None:
    """Nobody is sent to an address that is no https address."""
    pgo = played()
    url = oauth.with_query(pgo.flow.offer.authorization_endpoint, [("redirect_uri", redirect_uri), ("state", "s")])
    answer = pgo.za.answer(Request(method="GET", url=url)).response
    assert (answer.status, answer.header("location")) == (400, None)


def test_a_flow_is_recognised_at_the_wrong_offer() -> None:
    """A PGO that goes to another offer than the one it was asked for is still seen as that flow, when it is the only one."""
    pgo = played()
    wrong = Request(method="GET", url=oauth.with_query("https://other.test/authorize", [("redirect_uri", BACK), ("state", "s")]))
    assert pgo.za.answer(wrong).flow is pgo.flow


# --- one deviation at a time ---


@pytest.mark.parametrize("name", deviations())
def test_one_thing_is_wrong_at_a_time(name: str) -> None:
    """A deviation changes the answers of its own endpoint, and no other's."""
    right, wrong = played(), played(name)
    rights = [right.authorize(), right.redeem(), right.ask()]
    wrongs = [wrong.authorize(), wrong.redeem(), wrong.ask()]
    changed = [_shape(a, right.flow) != _shape(b, wrong.flow) for a, b in zip(rights, wrongs, strict=True)]
    assert changed == [name in AUTHORIZATION, name in TOKEN, name in RESOURCE]


def _shape(reply: Reply, flow: Flow) -> str:
    """An answer without the values that are drawn for each flow."""
    text = repr((reply.response.status, reply.response.headers, reply.response.text, reply.delay_s))
    for value in (flow.code, flow.token):
        text = text.replace(value, "a UUID" if oauth.is_uuid4(value) else "something else")
    return text.replace(flow.marker, "a marker")


@pytest.mark.parametrize("number", range(2, 6))
def test_exceptions_come_back_with_their_words(number: int) -> None:
    """The errors and descriptions are those of the release, with the state."""
    row = RELEASE.exception(number)
    back = location(played(f"reports exception {number}").authorize())
    assert (back.get("error"), back.get("error_description"), back.get("state")) == (row.code, row.description, "the-state")
    assert back.get("code") is None


def test_states_that_go_wrong() -> None:
    """An altered state has the same length; a missing one is gone; the code is there in both."""
    altered, missing = location(played("alters the state").authorize()), location(played("leaves the state out").authorize())
    assert altered.get("state") not in (None, "the-state")
    assert len(altered.get("state") or "") == len("the-state")
    assert missing.get("state") is None
    assert altered.get("code")
    assert missing.get("code")


def test_pages_follow_one_another() -> None:
    """The first answer names the next page, which holds other resources and names none."""
    pgo = played("delivers in pages")
    pgo.authorize()
    pgo.redeem()
    first = pgo.ask().response.json
    (link,) = first["link"]
    second = pgo.ask(link["url"].removeprefix(pgo.flow.offer.resource_endpoint)).response.json
    assert "link" not in second
    assert {entry["resource"]["id"] for entry in first["entry"]} & {entry["resource"]["id"] for entry in second["entry"]} == set()


def test_foreign_addresses_are_ours_so_that_they_are_seen() -> None:
    """A request to the address that stands in no list is recognised by its token."""
    pgo = played("links the next page to a foreign host")
    pgo.authorize()
    pgo.redeem()
    (link,) = pgo.ask().response.json["link"]
    seen = pgo.za.answer(Request(method="GET", url=link["url"], headers=(("Authorization", f"Bearer {pgo.flow.token}"),)))
    assert (seen.endpoint, seen.flow) == ("other", pgo.flow)
