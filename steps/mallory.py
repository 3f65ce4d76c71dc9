"""Mallory: a second, listed PGO that misbehaves, or the owner of a node on no list."""

from pytest_bdd import given, when

from medmij_conformance.cast.journey import Journey
from medmij_conformance.checks import authorization, resource, token
from medmij_conformance.counterparties.pgo import Pgo
from medmij_conformance.evidence import Exchange
from medmij_conformance.facts.dvza import Travel
from medmij_conformance.judge import Judge


@when("Mallory collects the data of Roos as a second listed PGO", target_fixture="second_response")
def collects(mallory: Pgo, travel: Travel, judge: Judge) -> Exchange:
    journey = travel(by=mallory)
    reached = journey.to_code()
    judge.note(authorization.code_is_issued, redirect=reached, redirect_uri=journey.redirect_uri)
    if journey.code:
        reached = journey.redeem()
        judge.note(token.token_is_issued, token_response=reached)
    if journey.token:
        reached = journey.ask()
        judge.note(resource.data_is_delivered, resource_response=reached)
    return reached


@given("Mallory holds a code for Roos", target_fixture="journey")
def holds_code(mallory: Pgo, travel: Travel, judge: Judge) -> Journey:
    journey = travel(by=mallory)
    reached = journey.to_code()
    judge.require(authorization.code_is_issued, redirect=reached, redirect_uri=journey.redirect_uri)
    return journey


@when("Mallory redeems her own code", target_fixture="token_response")
def redeems_her_own(journey: Journey) -> Exchange:
    return journey.redeem()


@when("Mallory offers a code that nobody issued", target_fixture="token_response")
def offers_made_up_code(mallory: Pgo, travel: Travel) -> Exchange:
    journey = travel(by=mallory)
    journey.redirect_uri = mallory.redirect_uri
    return journey.redeem(code=mallory.unknown_credential(), deviation="a code that nobody issued")


@when("Mallory sends Roos to the gateway and she logs in", target_fixture="consent_page")
def sends_roos(mallory: Pgo, travel: Travel) -> Exchange:
    return travel(by=mallory).to_consent()


@given("Mallory has offered the code of Roos as herself", target_fixture="first_offer")
@when("Mallory redeems the code of Roos as herself", target_fixture="token_response")
def redeems_stolen(mallory: Pgo, journey: Journey) -> Exchange:
    return journey.redeem(by=mallory, deviation="a code of another client")


@when("Mallory tries a hundred codes that nobody issued", target_fixture="guesses")
def guesses(mallory: Pgo, travel: Travel) -> tuple[Exchange, ...]:
    return travel(by=mallory).guess(100)


@when("a node on no list redeems the code of Roos under the client id of the PGO", target_fixture="token_response")
def redeems_from_nowhere(unlisted: Pgo, pgo: Pgo, journey: Journey) -> Exchange:
    changes = {"client_id": pgo.client_id}
    return journey.redeem(changes, by=unlisted, twin=pgo.name, deviation="the certificate of a node on no list")


@when("a node on no list asks for the data with the token of Roos", target_fixture="resource_response")
def asks_from_nowhere(unlisted: Pgo, pgo: Pgo, journey: Journey) -> Exchange:
    return journey.ask(by=unlisted, twin=pgo.name, deviation="the certificate of a node on no list")


@when("Mallory asks for the data with the token of Roos", target_fixture="resource_response")
def asks_with_stolen_token(mallory: Pgo, journey: Journey) -> Exchange:
    return journey.ask(by=mallory, deviation="a token of another client")


@when("Mallory redeems her own code under the client id of the PGO", target_fixture="token_response")
def borrows_client_id(mallory: Pgo, pgo: Pgo, travel: Travel) -> Exchange:
    journey = travel(by=mallory)
    journey.to_code()
    return journey.redeem({"client_id": pgo.client_id}, deviation="the client_id of another")


@when("Mallory redeems the code of Roos under the client id of the PGO", target_fixture="token_response")
def impersonates(mallory: Pgo, pgo: Pgo, journey: Journey) -> Exchange:
    changes = {"client_id": pgo.client_id}
    return journey.redeem(changes, by=mallory, deviation="a code and the client_id of another")
