"""The person as she collects with the PGO gateway under test."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from pytest_bdd import given, parsers, when

from medmij_conformance.cast.collection import Collection
from medmij_conformance.cast.dvp import EXCEPTIONS, DvpCast
from medmij_conformance.conformance import Conformance
from medmij_conformance.evidence import Evidence, Exchange, Observation, Request
from medmij_conformance.facts.dvp import Collect
from medmij_conformance.protocol import oauth
from medmij_conformance.requirements import Release
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.hooks import Hooks

SAMPLE = 5
PAIR = range(2)
ASKED = "somebody asks for a service of a ZA gateway"
STRANGERS = 20
QUIET_S = {"quick": 2.0, "full": 60.0}

# --- Given: the way up to where a scenario begins ---


@given("Roos has begun many collections")
def has_begun_many(stage: DvpCast) -> None:
    browser = stage.browser()  # the first two states are of one browser: that of a session would be alike
    for number in itertools.count():
        if number >= len(PAIR) and sum(bool(collection.flow.state) for collection in stage.collections) >= SAMPLE:
            return
        collection = stage.collection(browser=browser if number in PAIR else None)
        collection.begin()
        if not collection.flow.state:
            raise NotSeenError(f"no state was seen: the browser halted at {collection.halt}")


@given("Roos has collected her data", target_fixture="collection")
def has_collected_her_data(collect: Collect) -> Collection:
    collection = collect()
    collection.collect()
    if not collection.flow.token:
        raise NotSeenError(f"nothing was collected: the browser halted at {collection.halt}")
    return collection


@given("the ZA gateway has sent Roos back with a code", target_fixture="collection")
def was_sent_back(collect: Collect) -> Collection:
    collection = collect()
    collection.begin()
    if not collection.location:
        raise NotSeenError(f"the browser was not sent back: it halted at {collection.halt}")
    return collection


@given("Roos came to an error page of the ZA gateway")
def came_to_error_page(collect: Collect) -> None:
    collection = collect("shows an error page and never returns")
    collection.collect()
    if not collection.flow.state:
        raise NotSeenError(f"no authorization request was seen: the browser halted at {collection.halt}")


@given("Roos has met every exception")
def has_met_every_exception(stage: DvpCast) -> None:
    for exception in EXCEPTIONS:
        stage.ended_in(exception)


@given("the stopped collections were watched for a while")
def were_watched(stage: DvpCast, conformance: Conformance) -> None:
    for exception in EXCEPTIONS:
        stage.ended_in(exception)
    ended = max(visit.last.finished for collection in stage.stopped for visit in collection.visits)
    time.sleep(max(0.0, ended + QUIET_S[conformance.plan] - stage.evidence.now()))


@given("the ZA gateway will deliver the data of Roos in pages, slowly", target_fixture="collection")
def will_deliver_slowly(collect: Collect) -> Collection:
    return collect("delivers in pages, the first of them slowly")


# --- When: a collection ---


@when("Roos collects her data", target_fixture="collection")
def collects(collect: Collect) -> Collection:
    collection = collect()
    collection.collect()
    return collection


@when(parsers.parse("Roos collects while the ZA gateway {deviation}"), target_fixture="collection")
def collects_while(deviation: str, collect: Collect) -> Collection:
    collection = collect(deviation)
    collection.collect()
    return collection


@when("Roos starts again in the same browser", target_fixture="collection")
def starts_again(collect: Collect, stage: DvpCast) -> Collection:
    collection = collect(browser=stage.collections[-1].browser)
    collection.collect()
    return collection


@when("Roos collects from an offer whose authorization endpoint has a query", target_fixture="collection")
def collects_with_query(collect: Collect, target: Target) -> Collection:
    offers = [offer for offer in target.offers if "?" in offer.authorization_endpoint]
    if not offers:
        raise NotSeenError("no offer of the target file has an authorization_endpoint with a query")
    collection = collect(offer=offers[0])
    collection.collect()
    return collection


@when("Roos collects from the other ZA gateway", target_fixture="collection")
def collects_elsewhere(collect: Collect, target: Target) -> Collection:
    offers = [offer for offer in target.offers if offer.node == "other"]
    if not offers:
        raise NotSeenError("the target file has no offer of the other node")
    collection = collect(offer=offers[0])
    collection.collect()
    return collection


@given("Roos has collected from the other ZA gateway")
def has_collected_elsewhere(collect: Collect, target: Target) -> None:
    collection = collects_elsewhere(collect, target)
    if not collection.flow.token:
        raise NotSeenError(f"nothing was collected from the other ZA gateway: the browser halted at {collection.halt}")


@when("Roos and Rik collect at once, and the ZA gateway of Roos is slow", target_fixture="both")
def collect_at_once(stage: DvpCast, target: Target) -> tuple[Collection, ...]:
    other = next((offer for offer in target.offers if offer.node == "other"), target.offers[1])
    pair = (stage.collection("answers the FHIR request slowly"), stage.collection(offer=other))
    if pair[0].start.by_hand:
        raise NotSeenError("an operator cannot collect twice at once")
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(pair[0].collect)
        pair[0].wait_for_first_fhir_request(slow)
        pair[1].collect()
        slow.result()
    return pair


@when("Roos collects from every offer", target_fixture="every")
def collects_from_every_offer(stage: DvpCast, target: Target) -> tuple[Collection, ...]:
    collections = tuple(stage.collection(offer=offer) for offer in target.offers)
    for collection in collections:
        collection.collect()
    return collections


@when("the token of Roos grows old between two pages", target_fixture="clock")
def token_grows_old(collection: Collection, hooks: Hooks, release: Release, evidence: Evidence) -> Observation:
    moved_s = release.token.lifetime_s + release.token.tolerance_s
    with ThreadPoolExecutor(1) as pool:
        collecting = pool.submit(collection.collect)
        collection.wait_for_first_fhir_request(collecting)
        hooks.call("clock", forward_s=moved_s)
        moved_at = evidence.now()
        collection.flow.may_come.set()
        collecting.result()
    return Observation("clock", {"moved_at": moved_at, "moved_s": moved_s})


@when("somebody asks the host of the PGO for the services of a ZA gateway", target_fixture="asked_as_za")
def asks_as_za(collection: Collection, stage: DvpCast, target: Target) -> tuple[Exchange, ...]:
    host = urlsplit(collection.redirect_uri).netloc
    own = [f"https://{host}{urlsplit(offer.resource_endpoint).path}/Patient" for offer in target.offers]
    strangers = stage.browser()
    visits = [strangers.open(Request(method="GET", url=url), label=ASKED) for url in dict.fromkeys([*own, *_usual(host)])]
    return tuple(visit.exchanges[0] for visit in visits)


# --- When: the browser comes back ---


@when("Roos breaks off, and then the ZA gateway sends her back")
def breaks_off(collection: Collection, target: Target) -> None:
    where = target.start.break_off if target.start else None
    collection.open(where or "", label="the person breaks off")
    collection.come_back()


@when("she reloads the address of her return")
def reloads(collection: Collection) -> None:
    collection.come_back()


@when("she opens the address of her return in two tabs at once")
def opens_two_tabs(collection: Collection, stage: DvpCast) -> None:
    tabs = [collection.browser, stage.second_tab(collection.browser)]
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda tab: collection.come_back(browser=tab), tabs))


@when("somebody opens the address of her return in another browser")
def comes_back_elsewhere(collection: Collection, stage: DvpCast) -> None:
    collection.come_back(browser=stage.browser())


@when("she comes back a second time with her old state and another code", target_fixture="strange_codes")
def comes_back_with_old_state(collection: Collection, stage: DvpCast) -> tuple[str, ...]:
    code = stage.strange_code()
    given = oauth.redirect(collection.location)
    collection.come_back(location=oauth.with_query(given.address, [("code", code), ("state", collection.flow.state)]))
    return (code,)


@when("somebody comes back many times with codes and states that are made up", target_fixture="strange_codes")
def comes_back_made_up(collection: Collection, stage: DvpCast) -> tuple[str, ...]:
    codes = tuple(stage.strange_code() for _ in range(STRANGERS))
    for code in codes:
        pairs = [("code", code), ("state", stage.strange_state())]
        collection.come_back(location=oauth.with_query(collection.redirect_uri, pairs))
    return codes


def _usual(host: str) -> list[str]:
    """Where a FHIR server usually stands."""
    return [f"https://{host}/{base}/Patient" for base in ("fhir", "stu3")]
