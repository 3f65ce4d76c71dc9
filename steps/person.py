"""The person: Roos and the others, who log in, decide, go back and open a second tab."""

import itertools
from dataclasses import replace

import pytest
from pytest_bdd import given, parsers, when

from medmij_conformance.cast.digid import DigidDesk
from medmij_conformance.cast.dvza import Cast
from medmij_conformance.cast.journey import Journey
from medmij_conformance.checks import _reading, authorization, exceptions
from medmij_conformance.checks import digid as digid_checks
from medmij_conformance.counterparties.pgo import Pgo
from medmij_conformance.evidence import Exchange, Observation, Request
from medmij_conformance.facts.digid import login_of
from medmij_conformance.facts.dvza import Travel
from medmij_conformance.judge import Judge
from medmij_conformance.protocol import oauth
from medmij_conformance.protocol.html import Submission
from medmij_conformance.requirements import Release
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError

SAMPLE = 20


def _did(journey: Journey, intent: str) -> Exchange:
    """Carry out an intent; a page that no action recognises cannot be judged."""
    before = len(journey.visits)
    exchange = journey.act(intent)
    visit = journey.visits[-1]
    if visit.stopped in {"recipe", "trouble"}:
        raise NotSeenError(f"the person could not {intent}: {visit.detail}")
    if len(journey.visits) == before and visit.stopped in {"redirects", "unknown host"}:
        where = visit.detail.partition("?")[0]
        raise NotSeenError(f"the browser came to no page on which to {intent}: {visit.stopped}: {where}")
    if len(journey.visits) == before and visit.stopped == "page":
        said = f"no action of the intent {intent!r} recognises the page {visit.page.title!r} (exchange {visit.last.number})"
        raise NotSeenError(said + _reading.advice(visit.last))
    return exchange


def _form(journey: Journey, intent: str) -> Submission:
    """What an intent would send from the page that is shown."""
    form = journey.browser.prepared(journey.visits[-1], intent)
    if form is None:
        shown = journey.visits[-1].last
        raise NotSeenError(f"no action of the intent {intent!r} recognises the page that is shown{_reading.advice(shown)}")
    return form


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


@given("Roos is sent to log in", target_fixture="shown")
@when("Roos is sent to log in", target_fixture="shown")
def is_sent_to_log_in(journey: Journey) -> Exchange:
    return journey.begin()


@given("Roos has logged in", target_fixture="consent_page")
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


@when(parsers.parse("Roos logs in while DigiD {deviation}"), target_fixture="redirect")
def logs_in_while(deviation: str, journey: Journey, digid: DigidDesk) -> Exchange:
    login = login_of(digid, journey)
    digid.deviate(login, deviation)
    redirect = journey.act("log in")
    digid.must_be_seen(login)
    return redirect


@when(parsers.parse("Roos logs in, and waits a minute if need be, while DigiD {deviation}"), target_fixture="redirect")
def logs_in_patiently_while(deviation: str, journey: Journey, digid: DigidDesk) -> Exchange:
    digid.deviate(login_of(digid, journey), deviation)
    with journey.client.patient(digid_checks.PATIENCE_S):
        return journey.act("log in")


@given("somebody has just logged in", target_fixture="earlier_page")
def somebody_has_logged_in(travel: Travel, consent_pages: tuple[str, ...]) -> Exchange:
    page = travel().to_consent()
    if not _reading.shows(page, consent_pages):
        raise NotSeenError(f"nobody had logged in before: {_reading.described(page)}")
    return page


@given(parsers.parse("somebody has logged in while DigiD {deviation}"), target_fixture="earlier_page")
def somebody_has_logged_in_while(deviation: str, travel: Travel, digid: DigidDesk, consent_pages: tuple[str, ...]) -> Exchange:
    other = travel()
    other.begin()
    login = login_of(digid, other)
    digid.deviate(login, deviation)
    page = _did(other, "log in")
    digid.must_be_seen(login)
    if not _reading.shows(page, consent_pages):
        raise NotSeenError(f"no login when DigiD {deviation}, without which nothing can be told: {_reading.described(page)}")
    return page


@when("Roos opens the address with her artifact once more", target_fixture="redirect")
def opens_artifact_again(journey: Journey) -> Exchange:
    used = [e.request.url for e in journey.exchanges if "SAMLart=" in e.request.url]
    if not used:
        raise NotSeenError("she never came back to the gateway with an artifact")
    return _returns(journey, used[-1], "an artifact that was used before")


@when("Roos opens the address with the artifact of somebody else", target_fixture="redirect")
def opens_artifact_of_another(journey: Journey, travel: Travel) -> Exchange:
    somebody = travel()
    somebody.begin()
    return _returns(journey, _way_back(somebody), "an artifact of another browser")


@when("the browser of Roos brings a signed answer in place of an artifact", target_fixture="redirect")
def brings_an_answer(journey: Journey, digid: DigidDesk) -> Exchange:
    login = login_of(digid, journey)
    form = Submission("POST", login.consumer, tuple(digid.player.posted(login, journey.browser.fields.get("bsn", ""))))
    visit = journey.browser.submit(journey.visits[-1], form, label="an answer by form", deviation="an answer by form")
    return journey.go(visit)


@when("Roos comes back with the RelayState of her other collection", target_fixture="redirect")
def returns_with_other_state(journey: Journey, second_journey: Journey, digid: DigidDesk) -> Exchange:
    other = login_of(digid, second_journey).relay_state or "https://evil.example.org/"
    address, given = _way_back(journey), oauth.redirect
    pairs = [(name, value) for name, value in given(address).parameters if name != "RelayState"]
    _returns(journey, oauth.with_query(given(address).address, [*pairs, ("RelayState", other)]), "another RelayState")
    return journey.act("give consent")


def _way_back(journey: Journey) -> str:
    """Where DigiD sends the browser after a login, without going there."""
    halted = replace(journey.browser, redirects=0).act(journey.visits[-1], "log in", person=journey.person)
    where = _reading.location(halted.last)
    if "SAMLart=" not in where:
        raise NotSeenError(f"DigiD did not send the browser back with an artifact: {_reading.described(halted.last)}")
    return where


def _returns(journey: Journey, address: str, deviation: str) -> Exchange:
    request = Request(method="GET", url=address)
    return journey.go(journey.browser.open(request, label="back from DigiD", deviation=deviation))


@given("many people were sent to log in", target_fixture="authn_requests")
def were_sent(cast: Cast, digid: DigidDesk) -> tuple[Exchange, ...]:
    while len(digid.requests(seen := tuple(e for journey in cast.journeys for e in journey.exchanges))) < SAMPLE:
        before = len(digid.player.logins)
        cast.journey().begin()
        if len(digid.player.logins) == before:
            raise NotSeenError("no AuthnRequest reached DigiD")
    return digid.requests(seen)


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
    visit, forged = journey.visits[-1], _form(journey, "give consent").altered()
    if forged is None:
        raise NotSeenError("what the consent page sends has no hidden value that could be altered")
    return journey.browser.submit(visit, forged, label="a forged consent", deviation="altered hidden fields").last


@when("the consent of Roos arrives with an altered anti-forgery value", target_fixture="answer")
def consent_is_not_genuine(journey: Journey, travel: Travel) -> Exchange:
    """One hidden value at a time, each in a collection of its own: an altered name of the session loses the way back."""
    answer = None
    for place in itertools.count():
        tried = journey if place == 0 else travel()
        tried.to_consent()
        forged = _form(tried, "give consent").altered(place)
        if forged is None:
            break
        answer = tried.go(
            tried.browser.submit(tried.visits[-1], forged, label="a forged consent", deviation=f"hidden value {place + 1} altered")
        )
        if _reading.location(answer):
            break
    if answer is None:
        raise NotSeenError("what the consent page sends has no hidden value that could be altered")
    return answer


@when("her consent arrives in an address that somebody gave her", target_fixture="answer")
def consent_by_address(journey: Journey) -> Exchange:
    form = _form(journey, "give consent")
    if not form.pairs:
        raise NotSeenError("what the consent page sends cannot stand in an address")
    forged = Submission("GET", form.url, form.pairs)
    return journey.browser.submit(journey.visits[-1], forged, label="a forged consent", deviation="consent by GET").last


@when("her consent arrives with the hidden fields of another session", target_fixture="answer")
def consent_of_another_session(journey: Journey, travel: Travel) -> Exchange:
    stranger = travel()
    stranger.to_consent()
    forged = _form(journey, "give consent").with_last_hidden_of(_form(stranger, "give consent"))
    if forged is None:
        raise NotSeenError("what the consent page sends has no hidden value that differs from session to session")
    return journey.browser.submit(journey.visits[-1], forged, label="a forged consent", deviation="another session's value").last


@when("her consent arrives a second time", target_fixture="answer")
def consent_twice(journey: Journey) -> Exchange:
    page, form = journey.visits[-1], _form(journey, "give consent")
    _did(journey, "give consent")
    return journey.browser.submit(page, form, label="consent once more", deviation="a form that was sent before").last


@when(parsers.parse("her form arrives with {answers}"), target_fixture="redirect")
def answers_oddly(answers: str, journey: Journey) -> Exchange:
    grant, refuse = _form(journey, "give consent"), _form(journey, "refuse consent")
    choice = [pair for pair in grant.pairs if pair not in refuse.pairs]
    other = [pair for pair in refuse.pairs if pair not in grant.pairs]
    if grant.url != refuse.url or not choice or not other:
        raise NotSeenError("the two answers do not differ in a field of one form")
    kept = [pair for pair in grant.pairs if pair not in choice]
    odd = grant.saying([*kept, *choice, *other] if answers == "both answers" else [*kept, (choice[0][0], "perhaps")])
    return journey.go(journey.browser.submit(journey.visits[-1], odd, label="an odd answer", deviation=answers))


@when("her consent arrives from a browser without her cookies", target_fixture="answer")
def consent_without_cookies(journey: Journey, travel: Travel) -> Exchange:
    visit, form = journey.visits[-1], _form(journey, "give consent")
    stranger = travel().browser
    return stranger.submit(visit, form, label="a forged consent", deviation="no session cookie").last


@when("Roos goes back and gives consent after all", target_fixture="replayed")
def goes_back(journey: Journey) -> Exchange:
    consent = next((visit for visit in journey.visits if journey.browser.prepared(visit, "give consent")), None)
    form = consent and journey.browser.prepared(consent, "give consent")
    if consent is None or form is None:
        raise NotSeenError("no consent page was seen")
    return journey.browser.submit(consent, form, label="consent from the page that is still open").last


@when("Roos goes back and logs in after all", target_fixture="replayed")
def goes_back_to_login(journey: Journey, travel: Travel) -> Exchange:
    journey.browser.fields = travel().browser.fields
    login = next((visit for visit in journey.visits if journey.browser.prepared(visit, "log in")), None)
    form = login and journey.browser.prepared(login, "log in")
    if login is None or form is None:
        raise NotSeenError("no login page was seen")
    return journey.browser.submit(login, form, label="a login from the page that is still open").last


@given("five collections have ended in five ways", target_fixture="journey")
def have_ended_in_five_ways(travel: Travel, judge: Judge, known_pages: tuple[str, ...], release: Release) -> Journey:
    begun = []
    for role, intents, check in _FIVE_WAYS:
        begun.append(travel(person=role))
        begun[-1].begin()
        redirect = [_did(begun[-1], intent) for intent in intents][-1]
        facts = {"redirect_uri": begun[-1].redirect_uri, "known_pages": known_pages, "release": release}
        judge.require(check, redirect=redirect, **{name: facts[name] for name in check.parameters if name in facts})
    return begun[0]


_FIVE_WAYS = (
    ("available", ("log in", "give consent"), authorization.code_is_issued),
    ("available", ("log in", "refuse consent"), exceptions.refusal_is_reported),
    ("available", ("cancel login",), exceptions.failed_login_is_reported),
    ("unavailable", ("log in",), exceptions.nothing_available_is_reported),
    ("available", ("log in", "leave consent unanswered"), exceptions.undeterminable_answer_is_reported),
)


@given("Roos has refused and given consent after all", target_fixture="replayed")
def has_gone_back(journey: Journey) -> Exchange:
    _did(journey, "refuse consent")
    return goes_back(journey)


@when("somebody opens the address of the consent question", target_fixture="early")
def opens_consent(journey: Journey, travel: Travel) -> Exchange:
    address = journey.visits[-1].last.request.url
    journey.begin()
    request = Request(method="GET", url=address)
    return travel().browser.open(request, label="the consent address, without a login").last


@when("Roos begins a second collection in the same browser", target_fixture="second_shown")
def begins_second(journey: Journey, travel: Travel) -> Exchange:
    return travel(browser=journey.browser).begin()


@when("Roos is sent to log in for a second collection", target_fixture="second_requests")
def is_sent_again(journey: Journey, travel: Travel, digid: DigidDesk) -> Observation:
    second = travel(browser=journey.browser)
    second.begin()
    logins = digid.logins(second.exchanges)
    return Observation(
        "requests", {"ids": [login.request.id for login in logins], "forced": all(each.request.force for each in logins)}
    )


@when("Roos logs in for a second collection in the same browser", target_fixture="second_page")
def logs_in_again(journey: Journey, travel: Travel) -> Exchange:
    return travel(browser=journey.browser).to_consent()


@given("Roos has two collections in two tabs of one browser", target_fixture="second_journey")
def has_two_tabs(journey: Journey, travel: Travel) -> Journey:
    other = travel(browser=journey.browser)
    journey.begin()
    other.begin()
    return other


@when("fifty authorization requests arrive and nobody logs in", target_fixture="unfinished")
def never_logs_in(travel: Travel) -> tuple[Exchange, ...]:
    return travel().knock(50)


@when("she finishes the second tab", target_fixture="second_redirect")
def finishes_second_tab(second_journey: Journey) -> Exchange:
    _did(second_journey, "log in")
    return _did(second_journey, "give consent")


@when("she finishes the first tab", target_fixture="redirect")
def finishes_first_tab(journey: Journey) -> Exchange:
    _did(journey, "log in")
    return _did(journey, "give consent")


@given("Roos has collections at two care providers in two tabs of one browser", target_fixture="second_journey")
def has_tabs_at_two_providers(journey: Journey, travel: Travel, target: Target) -> Journey:
    own = journey.offer.zorgaanbieder
    elsewhere = next((offer for offer in target.offers if offer.zorgaanbieder != own), None)
    if elsewhere is None:
        raise NotSeenError("the target file has no second care provider")
    other = travel(browser=journey.browser, offer=elsewhere)
    journey.begin()
    other.begin()
    return other


@given("Roos has collections for two PGOs in two tabs of one browser", target_fixture="second_journey")
def has_tabs_for_two_pgos(journey: Journey, travel: Travel, mallory: Pgo) -> Journey:
    other = travel(browser=journey.browser, by=mallory)
    journey.begin()
    other.begin()
    return other


@when("she logs in in the second tab and then in the first", target_fixture="second_page")
def logs_in_both_tabs(journey: Journey, second_journey: Journey) -> Exchange:
    page = _did(second_journey, "log in")
    _did(journey, "log in")
    return page


@when("Roos goes on as far as she is led", target_fixture="shown")
def goes_on(journey: Journey) -> Exchange:
    journey.act("log in")
    return journey.act("give consent")


@given("Roos has come back to the PGO with a code", target_fixture="redirect")
def has_come_back(journey: Journey, judge: Judge) -> Exchange:
    redirect = journey.to_code()
    judge.require(authorization.code_is_issued, redirect=redirect, redirect_uri=journey.redirect_uri)
    return redirect
