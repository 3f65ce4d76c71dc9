"""The person: Roos and the others, who log in, decide, go back and open a second tab."""

import pytest
from pytest_bdd import given, parsers, when

from medmij_conformance.checks import authorization
from medmij_conformance.evidence import Exchange, Request
from medmij_conformance.facts import Travel
from medmij_conformance.journey import Journey
from medmij_conformance.judge import Judge
from medmij_conformance.protocol.html import Submission
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError


def _did(journey: Journey, intent: str) -> Exchange:
    """Carry out an intent; a page that no action recognises cannot be judged."""
    before = len(journey.visits)
    exchange = journey.act(intent)
    visit = journey.visits[-1]
    if visit.stopped in {"recipe", "trouble"}:
        raise NotSeenError(f"the person could not {intent}: {visit.detail}")
    if len(journey.visits) == before and visit.stopped in {"redirects", "unknown host"}:
        raise NotSeenError(f"the browser came to no page on which to {intent}: {visit.stopped}: {visit.detail}")
    if len(journey.visits) == before and visit.stopped == "page":
        title, number = visit.page.title, visit.last.number
        raise NotSeenError(f"no action of the intent {intent!r} recognises the page {title!r} (exchange {number})")
    return exchange


@given("Roos sees the consent question", target_fixture="consent_page")
def sees_consent(journey: Journey) -> Exchange:
    journey.begin()
    return _did(journey, "log in")


@given("Roos is asked for consent for the second offer", target_fixture="journey")
def sees_consent_for_second_offer(travel: Travel, target: Target) -> Journey:
    journey = travel(offer=target.offers[1])
    journey.to_consent()
    return journey


@pytest.fixture
def consent_page(journey: Journey) -> Exchange:
    return journey.visits[-1].last


@given(parsers.parse('the person of "{role}" is sent to the gateway'), target_fixture="journey")
def is_sent(role: str, travel: Travel) -> Journey:
    journey = travel(person=role)
    journey.begin()
    return journey


@when("Roos logs in", target_fixture="consent_page")
def logs_in(journey: Journey) -> Exchange:
    return _did(journey, "log in")


@when("he logs in", target_fixture="redirect")
def is_logged_in(journey: Journey) -> Exchange:
    return _did(journey, "log in")


@when("she logs in and consents if she is asked", target_fixture="redirect")
def is_logged_in_and_consents(journey: Journey) -> Exchange:
    _did(journey, "log in")
    return journey.act("give consent")


@when("Roos cancels the login", target_fixture="redirect")
def cancels(journey: Journey) -> Exchange:
    return _did(journey, "cancel login")


@when("Roos gives consent", target_fixture="redirect")
def gives_consent(journey: Journey) -> Exchange:
    return _did(journey, "give consent")


@when("Roos refuses", target_fixture="redirect")
def refuses(journey: Journey) -> Exchange:
    return _did(journey, "refuse consent")


@when("Roos leaves the question unanswered", target_fixture="redirect")
def leaves_unanswered(journey: Journey) -> Exchange:
    return _did(journey, "leave consent unanswered")


@when("her consent arrives with an altered hidden field", target_fixture="answer")
def consent_is_forged(journey: Journey) -> Exchange:
    visit = journey.visits[-1]
    form = journey.browser.prepared(visit, "give consent")
    hidden = {value for _, value in visit.page.hidden_fields() if len(value) >= 16}
    if form is None or not hidden:
        raise NotSeenError("the consent form has no hidden value that could be altered")
    fields = tuple((name, value[:-6] + "AAAAAA" if value in hidden else value) for name, value in form.fields)
    forged = Submission(form.method, form.url, fields)
    return journey.browser.submit(visit, forged, label="a forged consent", deviation="altered hidden fields").last


@when("her consent arrives from a browser without her cookies", target_fixture="answer")
def consent_without_cookies(journey: Journey, travel: Travel) -> Exchange:
    visit = journey.visits[-1]
    form = journey.browser.prepared(visit, "give consent")
    if form is None:
        raise NotSeenError("the consent form was not recognised")
    stranger = travel().browser
    return stranger.submit(visit, form, label="a forged consent", deviation="no session cookie").last


@when("Roos goes back and gives consent after all", target_fixture="replayed")
def goes_back(journey: Journey) -> Exchange:
    consent = next((visit for visit in journey.visits if journey.browser.prepared(visit, "give consent")), None)
    form = consent and journey.browser.prepared(consent, "give consent")
    if consent is None or form is None:
        raise NotSeenError("no consent page was seen")
    return journey.browser.submit(consent, form, label="consent from the page that is still open").last


@when("somebody opens the address of the consent question", target_fixture="early")
def opens_consent(journey: Journey, travel: Travel) -> Exchange:
    address = journey.visits[-1].last.request.url
    journey.begin()
    request = Request(method="GET", url=address)
    return travel().browser.open(request, label="the consent address, without a login").last


@when("Roos begins a second collection in the same browser", target_fixture="second_shown")
def begins_second(journey: Journey, travel: Travel) -> Exchange:
    return travel(browser=journey.browser).begin()


@when("Roos logs in for a second collection in the same browser", target_fixture="second_page")
def logs_in_again(journey: Journey, travel: Travel) -> Exchange:
    return travel(browser=journey.browser).to_consent()


@given("Roos has two collections in two tabs of one browser", target_fixture="second_journey")
def has_two_tabs(journey: Journey, travel: Travel) -> Journey:
    other = travel(browser=journey.browser)
    journey.begin()
    other.begin()
    return other


@when("she finishes the second tab", target_fixture="second_redirect")
def finishes_second_tab(second_journey: Journey) -> Exchange:
    _did(second_journey, "log in")
    return _did(second_journey, "give consent")


@when("she finishes the first tab", target_fixture="redirect")
def finishes_first_tab(journey: Journey) -> Exchange:
    _did(journey, "log in")
    return _did(journey, "give consent")


@given("Roos has come back to the PGO with a code", target_fixture="redirect")
def has_come_back(journey: Journey, judge: Judge) -> Exchange:
    redirect = journey.to_code()
    judge.require(authorization.code_is_issued, redirect=redirect, redirect_uri=journey.redirect_uri)
    return redirect
