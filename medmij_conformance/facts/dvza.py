"""The fixtures of the features: the players, and the facts that checks ask for by name."""

import typing
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from medmij_conformance.aging import Aged
from medmij_conformance.cast.dvza import Cast
from medmij_conformance.cast.journey import Journey
from medmij_conformance.conformance import RUN, Conformance
from medmij_conformance.counterparties.digid import LOGIN_PAGE
from medmij_conformance.counterparties.pgo import Pgo
from medmij_conformance.evidence import Evidence, Exchange
from medmij_conformance.judge import Judge
from medmij_conformance.requirements import Credential, Release
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.hooks import Hooks

Travel = Callable[..., Journey]
Mature = Callable[[str, Credential, str], Aged]

# --- the run and its players ---


@pytest.fixture(scope="session")
def conformance(pytestconfig: pytest.Config) -> Conformance:
    """The run."""
    return pytestconfig.stash[RUN]


@pytest.fixture(scope="session")
def target(conformance: Conformance) -> Target:
    """The target file."""
    return conformance.target


@pytest.fixture(scope="session")
def release(conformance: Conformance) -> Release:
    """The release that the target is tested against."""
    return conformance.release


@pytest.fixture(scope="session")
def evidence(conformance: Conformance) -> Evidence:
    """The journal of the run."""
    return conformance.evidence


@pytest.fixture(scope="session")
def cast(conformance: Conformance) -> Cast:
    """Everybody the harness plays towards a ZA gateway."""
    return typing.cast(Cast, conformance.cast)


@pytest.fixture
def judge(evidence: Evidence) -> Judge:
    """The judge of this scenario."""
    return Judge(evidence)


@pytest.fixture(scope="session")
def hooks(cast: Cast) -> Hooks:
    """What the vendor does for us."""
    return cast.hooks


@pytest.fixture(scope="session")
def pgo(cast: Cast) -> Pgo:
    """The PGO gateway that the harness plays."""
    return cast.pgo()


@pytest.fixture
def mallory(cast: Cast) -> Pgo:
    """The second listed PGO gateway, which misbehaves where a scenario says so."""
    return cast.pgo("mallory")


@pytest.fixture
def unlisted(cast: Cast) -> Pgo:
    """A node with a good certificate that stands on no list."""
    return cast.pgo("unlisted")


@pytest.fixture
def travel(cast: Cast) -> Travel:
    """Begins a new collection."""
    return cast.journey


@pytest.fixture
def aged() -> Aged | None:
    """What a Given has let grow old; nothing in most scenarios."""
    return None


@pytest.fixture
def journey(travel: Travel, aged: Aged | None) -> Journey:
    """Roos collects the first offer through the PGO; in a scenario of lifetimes, what was begun long ago goes on."""
    return aged.journey if aged else travel()


@pytest.fixture
def mature(conformance: Conformance, travel: Travel) -> Mature:
    """Gives the code or token of this scenario when it is a tolerance ``before`` or ``after`` the end of its lifetime."""
    name = conformance.evidence.scenario

    def keep(kind: str, credential: Credential, side: str) -> Aged:
        age = credential.lifetime_s + (credential.tolerance_s if side == "after" else -credential.tolerance_s)
        if not conformance.cellar.holds(name):
            conformance.cellar.lay_down(name, travel(), kind)
        conformance.tend()
        wait = conformance.cellar.remaining(name, age)
        if wait > 1:
            conformance.progress(f"{'waiting':<10} {name}  {wait:.0f} s until just {side} the end of its lifetime")
        aged = conformance.cellar.fetch(name, age)
        conformance.cast.client.allow(conformance.target.limits.scenario_s)
        return aged

    return keep


# --- facts of the scenario's collection, of the target file, and of the evidence so far ---


@pytest.fixture
def issued(aged: Aged) -> Exchange:
    """The exchange that brought the code or token that has grown old."""
    return aged.issued


@pytest.fixture
def on_the_way(aged: Aged) -> Exchange:
    """The exchange by which something old was used when it was younger."""
    if aged.on_the_way is None:
        raise NotSeenError("no code or token was issued that could be kept")
    return aged.on_the_way


@pytest.fixture
def moved_since_s(aged: Aged) -> int:
    """How many seconds of the time since then were made by moving the gateway's clock."""
    return aged.moved_since_s


@pytest.fixture
def moved_s(aged: Aged) -> int:
    """How many seconds of its age were made by moving the gateway's clock."""
    return aged.moved_s


@pytest.fixture
def redirect_uri(journey: Journey) -> str:
    """The redirect URI of this scenario's authorization request."""
    return journey.redirect_uri


@pytest.fixture
def state(journey: Journey) -> str:
    """The state of this scenario's authorization request."""
    return journey.state


@pytest.fixture
def second_state(second_journey: Journey) -> str:
    """The state of the second collection of this scenario."""
    return second_journey.state


@pytest.fixture
def second_redirect_uri(second_journey: Journey) -> str:
    """The redirect URI of the second collection of this scenario."""
    return second_journey.redirect_uri


@pytest.fixture
def scope(journey: Journey) -> str:
    """The scope of this scenario's authorization request."""
    return journey.scope


@pytest.fixture
def zorgaanbieder(journey: Journey) -> str:
    """The care provider of this scenario's offer."""
    return journey.offer.zorgaanbieder


@pytest.fixture
def gegevensdienst(journey: Journey) -> str:
    """The code of this scenario's data service."""
    return journey.offer.gegevensdienst


@pytest.fixture
def since(journey: Journey) -> str:
    """When this scenario's collection began, to the second."""
    return journey.exchanges[0].at[:19]


@pytest.fixture
def authorization_endpoint(journey: Journey) -> str:
    """Where this scenario's authorization request went."""
    return journey.offer.authorization_endpoint


@pytest.fixture
def token_endpoint(journey: Journey) -> str:
    """Where this scenario's token request goes."""
    return journey.offer.token_endpoint


@pytest.fixture
def resource_endpoint(journey: Journey) -> str:
    """Where this scenario's FHIR requests go."""
    return journey.offer.resource_endpoint


@pytest.fixture
def visited(journey: Journey) -> tuple[Exchange, ...]:
    """Everything that the person's browser exchanged in this scenario."""
    return journey.exchanges


@pytest.fixture
def visited_there(visited: tuple[Exchange, ...], target: Target) -> tuple[Exchange, ...]:
    """What the person's browser exchanged with the gateway itself: the pages of a login elsewhere are not judged."""
    elsewhere = {*target.login.hosts, *([target.digid.host] if target.digid else [])}
    return tuple(exchange for exchange in visited if urlsplit(exchange.request.url).hostname not in elsewhere)


@pytest.fixture
def exchanged(evidence: Evidence) -> tuple[Exchange, ...]:
    """Everything that went between the gateways in this scenario."""
    return tuple(e for e in evidence.of_scenario(evidence.scenario) if e.endpoint in {"token", "resource"})


@pytest.fixture
def bsns(conformance: Conformance) -> tuple[str, ...]:
    """The pseudonyms of the BSNs of all test persons, as they would stand in the stored evidence."""
    return tuple(conformance.bsns.values())


@pytest.fixture
def credentials(journey: Journey) -> tuple[str, ...]:
    """The code and the token of this scenario."""
    return tuple(value for value in (journey.code, journey.token) if value)


def _selectors(target: Target, intent: str) -> tuple[str, ...]:
    return tuple(action.page for action in target.user_agent.actions if action.intent == intent)


@pytest.fixture(scope="session")
def login_pages(target: Target, login_forms: tuple[str, ...]) -> tuple[str, ...]:
    """The selectors by which a login page is recognised: that of DigiD where we play it, else those of the recipe."""
    return (LOGIN_PAGE,) if target.login.mode == "digid" else login_forms


@pytest.fixture(scope="session")
def login_forms(target: Target) -> tuple[str, ...]:
    """The selectors by which the recipe recognises a login page of the gateway itself."""
    return _selectors(target, "log in")


@pytest.fixture(scope="session")
def consent_pages(target: Target) -> tuple[str, ...]:
    """The selectors by which the recipe recognises the consent question."""
    return _selectors(target, "give consent")


@pytest.fixture(scope="session")
def known_pages(target: Target) -> tuple[str, ...]:
    """The selectors of all pages that are known: those of the recipe, and the login page of DigiD where we play it."""
    own = [LOGIN_PAGE] if target.login.mode == "digid" else []
    return tuple(dict.fromkeys([*own, *(action.page for action in target.user_agent.actions)]))


def _controls(target: Target, intent: str) -> tuple[str, ...]:
    return tuple(a.press for a in target.user_agent.actions if a.intent == intent and a.press)


@pytest.fixture(scope="session")
def grant(target: Target) -> tuple[str, ...]:
    """The selectors of the controls that grant consent."""
    return _controls(target, "give consent")


@pytest.fixture(scope="session")
def refuse(target: Target) -> tuple[str, ...]:
    """The selectors of the controls that refuse consent."""
    return _controls(target, "refuse consent")


@pytest.fixture
def provider_name(journey: Journey) -> str:
    """The care provider as the consent page should show it."""
    return provider_shown(journey)


def provider_shown(journey: Journey) -> str:
    """The care provider of a collection as its consent page should show it."""
    name: str | None = journey.offer.display_name
    if not name:
        raise NotSeenError("the target file gives the offer no display_name")
    return name


@pytest.fixture
def second_provider_name(second_journey: Journey) -> str:
    """The care provider as the consent page of the second collection should show it."""
    return provider_shown(second_journey)


@pytest.fixture
def consent_text(journey: Journey, target: Target, provider_name: str, service_name: str, pgo_name: str) -> str:
    """The text of ``[consent] text`` with the names of this scenario's collection."""
    if target.consent.text is None:
        raise NotSeenError("the target file has no [consent] text")
    names = {"zorgaanbieder": provider_name, "gegevensdienst": service_name, "pgo": pgo_name}
    text = target.consent.text.read_text(encoding="utf-8")
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


@pytest.fixture
def service_name(journey: Journey, release: Release) -> str:
    """The data service as the consent page should show it: the catalogue's name, or the target file's."""
    offer = journey.offer
    own: str | None = offer.gegevensdienst_name
    return own or release.gegevensdiensten[offer.gegevensdienst].name


@pytest.fixture
def pgo_name(journey: Journey) -> str:
    """The PGO's supplier as the lists name it."""
    return journey.pgo.organisation


@pytest.fixture
def markup(mallory: Pgo) -> str:
    """The name of the second PGO, when it has markup in it."""
    if not set(mallory.organisation) & set("<>&"):
        raise NotSeenError("the name of [harness.other] has no markup in it")
    return mallory.organisation


@pytest.fixture(scope="session")
def purposes(target: Target) -> tuple[str, ...]:
    """The phrases by which the purpose is recognised."""
    return target.consent.purpose


@pytest.fixture(scope="session")
def full_text_url(target: Target) -> str:
    """Where the full text should be; empty when the target file does not say."""
    return target.consent.full_text_url or ""
