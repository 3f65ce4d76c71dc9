"""The PGO: it sends people to the gateway, redeems codes and asks for data."""

from pytest_bdd import given, when

from medmij_conformance.checks import flow
from medmij_conformance.evidence import Exchange
from medmij_conformance.journey import Journey
from medmij_conformance.plugin import Judge


@given("the PGO holds a code for Roos", target_fixture="redirect")
def holds_code(journey: Journey, judge: Judge) -> Exchange:
    redirect = journey.to_code()
    judge.require(flow.code_is_issued, redirect=redirect, redirect_uri=journey.redirect_uri)
    return redirect


@when("the PGO redeems the code", target_fixture="token_response")
def redeems(journey: Journey) -> Exchange:
    return journey.redeem()
