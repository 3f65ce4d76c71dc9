"""The PGO: it sends people to the gateway, redeems codes and asks for data."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from pytest_bdd import given, parsers, when

from medmij_conformance.aging import Aged
from medmij_conformance.cast.dvza import Cast
from medmij_conformance.cast.journey import Journey, insist
from medmij_conformance.checks import authorization, resource, token
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.facts.dvza import Mature, Travel
from medmij_conformance.judge import Judge
from medmij_conformance.protocol import fhir, oauth
from medmij_conformance.requirements import Release
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError

# --- Given: the way up to where a scenario begins ---


@given("nothing has happened yet")
def nothing_yet() -> None:
    """The scenario begins with its event."""


@given("the PGO holds a code for Roos", target_fixture="redirect")
def holds_code(journey: Journey, judge: Judge) -> Exchange:
    redirect = journey.to_code()
    judge.require(authorization.code_is_issued, redirect=redirect, redirect_uri=journey.redirect_uri)
    return redirect


@given("the PGO holds a token for Roos", target_fixture="token_response")
def holds_token(journey: Journey, judge: Judge) -> Exchange:
    holds_code(journey, judge)
    response = journey.redeem()
    judge.require(token.token_is_issued, token_response=response)
    return response


@given(parsers.parse('the PGO holds a token for the person of "{role}"'), target_fixture="journey")
def holds_token_for(role: str, travel: Travel, judge: Judge) -> Journey:
    journey = travel(person=role)
    holds_token(journey, judge)
    return journey


@given("the PGO has collected the data of Roos", target_fixture="resource_response")
def has_collected(journey: Journey, judge: Judge) -> Exchange:
    holds_token(journey, judge)
    response = journey.ask()
    judge.require(resource.data_is_delivered, resource_response=response)
    return response


@given("the PGO has redeemed the code", target_fixture="first_response")
def has_redeemed(journey: Journey, judge: Judge) -> Exchange:
    response = journey.redeem()
    judge.require(token.token_is_issued, token_response=response)
    return response


@given("the PGO has offered the code with another redirect URI", target_fixture="first_offer")
def has_offered_in_vain(journey: Journey) -> Exchange:
    return journey.redeem({"redirect_uri": journey.redirect_uri + "/other"}, deviation="another redirect_uri")


@given(parsers.parse("the PGO has kept a code for Roos until just {side} the end of its lifetime"), target_fixture="aged")
def has_kept_code(side: str, mature: Mature, release: Release, judge: Judge) -> Aged:
    aged = mature("code", release.code, side)
    judge.require(authorization.code_is_issued, redirect=aged.issued, redirect_uri=aged.journey.redirect_uri)
    return aged


@given(parsers.parse("the PGO has kept a token for Roos until just {side} the end of its lifetime"), target_fixture="aged")
def has_kept_token(side: str, mature: Mature, release: Release, judge: Judge) -> Aged:
    aged = mature("token", release.token, side)
    judge.require(token.token_is_issued, token_response=aged.issued)
    return aged


@given("the PGO has kept a used code for Roos until just before the end of its lifetime", target_fixture="aged")
def has_kept_used_code(mature: Mature, release: Release, judge: Judge) -> Aged:
    aged = mature("used-code", release.code, "before")
    judge.require(authorization.code_is_issued, redirect=aged.issued, redirect_uri=aged.journey.redirect_uri)
    if not aged.journey.token:
        raise NotSeenError("the code could not be redeemed when it was fresh")
    return aged


@given("the PGO has kept and used a token for Roos until just after the end of its lifetime", target_fixture="aged")
def has_kept_token_in_use(mature: Mature, release: Release, judge: Judge) -> Aged:
    aged = mature("token-in-use", release.token, "after")
    judge.require(resource.data_is_delivered, resource_response=aged.on_the_way)
    return aged


@given("the PGO has redeemed a code late, and kept its token until the code is dead", target_fixture="aged")
def has_redeemed_late(mature: Mature, release: Release, judge: Judge) -> Aged:
    aged = mature("code-redeemed-late", release.code, "after")
    judge.require(token.token_is_issued, token_response=aged.on_the_way)
    return aged


@given("the PGO has obtained a sample of codes and tokens", target_fixture="sample")
def has_obtained(conformance: Conformance, cast: Cast, judge: Judge) -> list[Journey]:
    while sum(bool(journey.token) for journey in cast.journeys) < conformance.samples:
        holds_token(cast.journey(), judge)
    return list(cast.journeys)


@pytest.fixture
def codes(sample: list[Journey]) -> tuple[str, ...]:
    return tuple(journey.code for journey in sample if journey.code)


@pytest.fixture
def tokens(sample: list[Journey]) -> tuple[str, ...]:
    return tuple(token for journey in sample for token in journey.tokens)


@pytest.fixture
def bits(codes: tuple[str, ...], tokens: tuple[str, ...]) -> Observation:
    return Observation("bits", oauth.bit_statistics([*codes, *tokens]))


@given("Roos and Rik have each collected alone", target_fixture="second_alone")
def have_collected_alone(alone: Exchange, travel: Travel, judge: Judge) -> Exchange:
    return has_collected(travel(person="available_2"), judge)


@pytest.fixture
def alone(travel: Travel, judge: Judge) -> Exchange:
    return has_collected(travel(), judge)


@when("Roos and Rik collect at the same moment", target_fixture="resource_response")
def collect_at_once(journey: Journey, second_person: Journey) -> Exchange:
    both = (journey, second_person)
    for act in (Journey.begin, lambda one: one.act("log in"), lambda one: one.act("give consent"), Journey.redeem):
        for one in both:
            act(one)
    return journey.ask()


@pytest.fixture
def second_person(travel: Travel) -> Journey:
    return travel(person="available_2")


@pytest.fixture
def second_response(second_person: Journey) -> Exchange:
    return second_person.ask()


@given("somebody else has collected data with ids of his own", target_fixture="foreign_id")
def somebody_else_has_collected(travel: Travel, judge: Judge) -> str:
    own, other = travel(), travel(person="available_2")
    ids = []
    for journey in (own, other):
        response = has_collected(journey, judge).response
        ids.append(set(fhir.identities(response.body if response else b"")))
    foreign = sorted(ids[1] - ids[0])
    if not foreign:
        raise NotSeenError("the data of the two persons has no ids that differ")
    return foreign[0]


# --- When: the authorization request ---


@when("the PGO sends Roos to the gateway", target_fixture="shown")
def sends_roos(journey: Journey) -> Exchange:
    return journey.begin()


@when(
    parsers.re(r'the PGO sends Roos to the gateway with "(?P<name>[^"]*)" set to "(?P<value>.*)"'),
    target_fixture="shown",
)
def sends_roos_with(name: str, value: str, journey: Journey) -> Exchange:
    filled = journey.pgo.fill(value, journey.scopes)
    return journey.begin({name: filled}, deviation=f"{name} = {filled}")


@when(parsers.parse('the PGO sends Roos to the gateway without "{name}"'), target_fixture="shown")
def sends_roos_without(name: str, journey: Journey) -> Exchange:
    return journey.begin({name: None}, deviation=f"no {name}")


@when(parsers.parse('the PGO sends Roos to the gateway with "{name}" given twice'), target_fixture="shown")
def sends_roos_with_twice(name: str, journey: Journey) -> Exchange:
    own = dict(journey.pgo.parameters(journey.scope, journey.pgo.state()))[name]
    return journey.begin({name: [own, own]}, deviation=f"{name} twice")


@when(
    parsers.parse('the PGO sends Roos to the gateway with "{name}" given as it is and as "{value}"'),
    target_fixture="shown",
)
def sends_roos_with_two_values(name: str, value: str, journey: Journey) -> Exchange:
    own = dict(journey.pgo.parameters(journey.scope, journey.pgo.state()))[name]
    return journey.begin({name: [own, journey.pgo.fill(value, journey.scopes)]}, deviation=f"two values of {name}")


@when(parsers.parse('the PGO sends Roos to the gateway with the redirect URI "{value}"'), target_fixture="bad_uri")
def sends_roos_to_bad_uri(value: str, journey: Journey) -> str:
    filled = journey.pgo.fill(value)
    journey.begin({"redirect_uri": filled}, deviation=f"redirect_uri = {filled}")
    return filled


@when("the PGO sends Roos to the gateway with a redirect URI that has a query", target_fixture="shown")
def sends_roos_with_query(journey: Journey) -> Exchange:
    return journey.begin({"redirect_uri": journey.pgo.redirect_uri + "?place=a%20b&x=1"})


@when("the PGO sends Roos to the gateway with a state of reserved characters", target_fixture="shown")
def sends_roos_with_odd_state(journey: Journey) -> Exchange:
    reserved = "a b+c%2Bd&e=f#g/h?i:j@k!l$m'n(o)p*q,r;s~t\"u<v>w[x]y{z}|^`"
    return journey.begin({"state": (journey.pgo.state() + reserved) * 2})


@when("the PGO sends Roos to the gateway with a state of other alphabets", target_fixture="shown")
def sends_roos_with_foreign_state(journey: Journey) -> Exchange:
    state = f"{journey.pgo.state()} Zoë Ωμέγα 日本 \U0001f600"
    return journey.begin({"state": state}, deviation="a state of other alphabets")


@when("the PGO sends Roos to the gateway with parameters that nobody knows", target_fixture="shown")
def sends_roos_with_unknown_parameters(journey: Journey) -> Exchange:
    changes = {"foo": "bar", "prompt": "none", "code_challenge": "x"}
    return journey.begin(changes, deviation="unknown parameters")


@when(parsers.parse('the PGO sends Roos to the gateway with its own redirect URI and "{value}"'), target_fixture="bad_uri")
def sends_roos_with_two_uris(value: str, journey: Journey) -> str:
    journey.begin({"redirect_uri": [journey.pgo.redirect_uri, value]}, deviation="two redirect URIs")
    return value


@when("the gateway's own node sends Roos to the gateway", target_fixture="bad_uri")
def own_node_sends_roos(journey: Journey) -> str:
    host = urlsplit(journey.offer.authorization_endpoint).hostname or ""
    address = f"https://{host}/cb"
    journey.begin({"client_id": host, "redirect_uri": address}, deviation="the client_id of a ZA gateway")
    return address


@when(parsers.parse('the PGO sends Roos to the gateway with markup in "{name}"'), target_fixture="markup_sent")
def sends_roos_with_markup(name: str, journey: Journey) -> str:
    markup = "\"' data-marked=\"1\" x='><s data-marked='1'>marked</s>"
    own = dict(journey.pgo.parameters(journey.scope, journey.pgo.state()))[name]
    journey.begin({name: own + markup}, deviation=f"markup in {name}")
    return markup


@when("the PGO sends Roos to the gateway with a line end in the state", target_fixture="header_sent")
def sends_roos_with_line_end(journey: Journey) -> str:
    journey.begin({"state": f"{journey.pgo.state()}\r\nX-Split: yes\r\n\r\n"}, deviation="a line end in the state")
    return "X-Split"


# --- When: the token request ---


@when("the PGO redeems the code", target_fixture="token_response")
@when("the PGO redeems the same code again", target_fixture="token_response")
def redeems(journey: Journey) -> Exchange:
    return journey.redeem()


@when("the PGO redeems the code, up to three times", target_fixture="token_response")
def redeems_and_insists(journey: Journey) -> Exchange:
    return insist(journey.redeem)[-1]


@when("the PGO redeems the code twenty times at once", target_fixture="race")
def redeems_at_once(journey: Journey) -> tuple[Exchange, ...]:
    with ThreadPoolExecutor(20) as pool:
        return tuple(pool.map(lambda _: journey.redeem(), range(20)))


@when("the PGO redeems the code after all", target_fixture="token_response")
def redeems_after_all(journey: Journey) -> Exchange:
    return journey.redeem(deviation="a code that was offered before")


@when("the PGO redeems a code that nobody issued", target_fixture="token_response")
def redeems_unknown(journey: Journey) -> Exchange:
    return journey.redeem(code=journey.pgo.unknown_credential(), deviation="an unknown code")


@when("the PGO redeems its token as a code", target_fixture="token_response")
def redeems_token(journey: Journey) -> Exchange:
    return journey.redeem(code=journey.token, deviation="a token as code")


@when(parsers.parse('the PGO redeems the malformed code "{value}"'), target_fixture="token_response")
def redeems_malformed(value: str, journey: Journey) -> Exchange:
    return journey.redeem(code=value, deviation=f"code = {value}")


@when(
    parsers.re(r'the PGO redeems the code with "(?P<name>[^"]*)" set to "(?P<value>.*)"'),
    target_fixture="token_response",
)
def redeems_with(name: str, value: str, journey: Journey) -> Exchange:
    filled = journey.pgo.fill(value, journey.scopes)
    if filled == journey.redirect_uri:
        raise NotSeenError(f"{filled} does not differ from the redirect URI of the authorization request")
    return journey.redeem({name: filled}, deviation=f"{name} = {filled}")


@when(parsers.parse('the PGO redeems the code without "{name}"'), target_fixture="token_response")
def redeems_without(name: str, journey: Journey) -> Exchange:
    return journey.redeem({name: None}, deviation=f"no {name}")


@when("the PGO redeems the code by GET", target_fixture="token_response")
def redeems_by_get(journey: Journey) -> Exchange:
    return journey.redeem(method="GET", deviation="GET")


@when("the PGO redeems the code as JSON", target_fixture="token_response")
def redeems_as_json(journey: Journey) -> Exchange:
    return journey.redeem(content_type="application/json", deviation="a JSON body")


@when("the PGO redeems the code given twice", target_fixture="token_response")
def redeems_twice_in_one(journey: Journey) -> Exchange:
    return journey.redeem({"code": [journey.code, journey.code]}, deviation="code twice")


@when("the PGO redeems the code without a client certificate", target_fixture="token_response")
def redeems_without_certificate(journey: Journey) -> Exchange:
    return journey.redeem(certificate=None, deviation="no client certificate")


@when(parsers.parse("the PGO redeems the code with a certificate that is {flaw}"), target_fixture="token_response")
def redeems_with_forged_certificate(flaw: str, journey: Journey) -> Exchange:
    return journey.redeem(certificate=flaw, deviation=f"a certificate that is {flaw}")


# --- When: the FHIR request ---


@when("the PGO asks for the data", target_fixture="resource_response")
def asks(journey: Journey) -> Exchange:
    return journey.ask()


@when("the PGO asks for the data and waits a minute if need be", target_fixture="resource_response")
def asks_patiently(journey: Journey) -> Exchange:
    with journey.client.patient(resource.PATIENCE_S):
        return insist(journey.ask, lambda answer: answer.response and fhir.issues(answer.response.body))[-1]


@when("the PGO collects the data of Roos from every offer", target_fixture="collected")
def collects_from_every_offer(target: Target, travel: Travel) -> tuple[Exchange, ...]:
    journeys = [travel(offer=offer) for offer in target.offers]
    reached = [journey.to_token() for journey in journeys]
    return tuple(journey.ask() if journey.token else last for journey, last in zip(journeys, reached, strict=True))


@when("the PGO collects the data of Roos once more, up to three times", target_fixture="reached")
def collects_once_more(travel: Travel) -> tuple[Exchange, ...]:
    def collect() -> Exchange:
        journey = travel()
        reached = journey.to_token()
        return journey.ask() if journey.token else reached

    return insist(collect)


@when("the PGO asks once more", target_fixture="second_response")
def asks_once_more(journey: Journey) -> Exchange:
    return journey.ask()


@when(parsers.parse('the PGO asks for the data with the scheme written "{scheme}"'), target_fixture="resource_response")
def asks_with_scheme(scheme: str, journey: Journey) -> Exchange:
    return journey.ask(scheme=scheme)


@when("the PGO asks for the data without a token", target_fixture="resource_response")
def asks_without_token(journey: Journey) -> Exchange:
    return journey.ask(token=None, deviation="no token")


@when("the PGO asks for the data with a token that nobody issued", target_fixture="resource_response")
def asks_with_unknown_token(journey: Journey) -> Exchange:
    return journey.ask(token=journey.pgo.unknown_credential(), deviation="an unknown token")


@when("the PGO asks for the data with the code as token", target_fixture="resource_response")
def asks_with_code(journey: Journey) -> Exchange:
    return journey.ask(token=journey.code, deviation="a code as token")


@when("the PGO asks for the data with the token in the address", target_fixture="resource_response")
def asks_with_token_in_address(journey: Journey) -> Exchange:
    return journey.ask(token=None, query=[("access_token", journey.token)], deviation="the token in the query")


@when("the PGO asks for the data with the token in header and address", target_fixture="resource_response")
def asks_with_token_twice(journey: Journey) -> Exchange:
    return journey.ask(query=[("access_token", journey.token)], deviation="the token twice")


@when("the PGO asks for the data without a client certificate", target_fixture="resource_response")
def asks_without_certificate(journey: Journey) -> Exchange:
    return journey.ask(certificate=None, deviation="no client certificate")


@when(parsers.parse("the PGO asks for the data with a certificate that is {flaw}"), target_fixture="resource_response")
def asks_with_forged_certificate(flaw: str, journey: Journey) -> Exchange:
    return journey.ask(certificate=flaw, deviation=f"a certificate that is {flaw}")


@when(parsers.parse('the PGO asks for the data with its token as "{scheme}"'), target_fixture="resource_response")
def asks_with_other_scheme(scheme: str, journey: Journey) -> Exchange:
    return journey.ask(scheme=scheme, deviation=f"the scheme {scheme}")


@when("the PGO asks for the data with the token in a form", target_fixture="resource_response")
def asks_with_token_in_form(journey: Journey) -> Exchange:
    search, form = journey.resource_path.partition("?")[0] + "/_search", oauth.encode([("access_token", journey.token)])
    kind = "application/x-www-form-urlencoded"
    return journey.ask(search, token=None, method="POST", body=form.encode(), content_type=kind, deviation="the token in a form")


@when("the PGO asks for another data service of the same care provider", target_fixture="resource_response")
def asks_other_service(journey: Journey, target: Target, release: Release) -> Exchange:
    own = journey.offer
    for offer in target.offers:
        if offer.zorgaanbieder == own.zorgaanbieder and offer.gegevensdienst != own.gegevensdienst:
            path = release.gegevensdiensten[offer.gegevensdienst].request
            return journey.ask(path, offer=offer, deviation="another data service")
    raise NotSeenError("the target file offers no second data service of this care provider")


@when("the PGO asks for the same data service of another care provider", target_fixture="resource_response")
def asks_other_provider(journey: Journey, target: Target) -> Exchange:
    own = journey.offer
    for offer in target.offers:
        if offer.zorgaanbieder != own.zorgaanbieder and offer.gegevensdienst == own.gegevensdienst:
            return journey.ask(offer=offer, deviation="another care provider")
    raise NotSeenError("the target file offers this data service at no second care provider")


@when("the PGO asks for the data with the token of the reused code", target_fixture="resource_response")
def asks_with_reused(journey: Journey) -> Exchange:
    return journey.ask(token=journey.tokens[0], deviation="a token of a reused code")


@when("the PGO asks for a resource of the other person", target_fixture="resource_response")
def asks_foreign(journey: Journey, foreign_id: str) -> Exchange:
    return journey.ask(foreign_id, deviation="a resource of another person")


@when(parsers.parse('the PGO tries to "{method}" an observation'), target_fixture="resource_response")
def tries_to_write(method: str, journey: Journey) -> Exchange:
    path = "Observation" if method == "POST" else "Observation/written-by-a-test"
    body = b"" if method == "DELETE" else b'{"resourceType":"Observation","id":"written-by-a-test","status":"final"}'
    return journey.ask(path, method=method, body=body, deviation="a write interaction")
