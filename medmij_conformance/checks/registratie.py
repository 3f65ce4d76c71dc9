"""MedMij Registratie: who gets its lists, and what is in them. UCI Opvragen ZAL and Whitelist, the metamodel, the naming policy."""

import itertools
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from medmij_conformance import data_path
from medmij_conformance.checks import _reading as read
from medmij_conformance.checks import list_rules as rules
from medmij_conformance.evidence import Exchange, Observation
from medmij_conformance.protocol import hooks, lists
from medmij_conformance.requirements import Release
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, Outcome, check

_XML = {"application/xml", "text/xml"}
_REFUSALS = {400, 401, 403, 404, 495, 496}

# --- who gets a list ---


@check("APP.R4", "P&I.14", "REL.3", "UCI-ZAL.1", then="the ZAL is given", accepts="zal")
def zal_is_given(zal: Exchange) -> Findings:
    """A listed node that asks for the ZAL gets it, as an XML document."""
    yield from _is_given(zal, "zal")


@check("P&I.18", "UCI-WL.1", then="the Whitelist is given", accepts="whitelist")
def whitelist_is_given(whitelist: Exchange) -> Findings:
    """A listed node that asks for the Whitelist gets it, as an XML document."""
    yield from _is_given(whitelist, "whl")


@check("P&I.18", "UCI-WL.1", then="the Whitelist is given to the ZA gateway too", twin="whitelist", raw=True, contrast=True)
def whitelist_is_for_every_gateway(whitelist: Exchange) -> Findings:
    """A ZA gateway gets the Whitelist as a PGO gateway does."""
    if _was_cut_off(whitelist):
        yield Finding(expected="the list, as the PGO gateway gets it", observed="the connection is refused", reading="AMB.11")
    else:
        yield from _is_given(whitelist, "whl")


@check("NIB.A.10.1.1c", then="nobody gets the ZAL without a good certificate", twin="zal", raw=True)
def zal_needs_a_certificate(zal: Exchange) -> Findings:
    """Who shows no certificate, or one of an unknown authority, gets no ZAL: the handshake ends."""
    yield from _is_refused(zal)


@check("NIB.A.10.1.1c", then="nobody gets the Whitelist without a good certificate", twin="whitelist", raw=True)
def whitelist_needs_a_certificate(whitelist: Exchange) -> Findings:
    """Who shows no certificate, or one of an unknown authority, gets no Whitelist: the handshake ends."""
    yield from _is_refused(whitelist)


@check("NET.5a", then="the node on no list gets no ZAL", twin="zal", raw=True)
def unlisted_node_gets_no_zal(zal: Exchange) -> Findings:
    """A node that stands on no Whitelist gets no ZAL, though its certificate is good."""
    yield from _is_refused(zal)


@check("NET.5a", then="the node on no list gets no Whitelist", twin="whitelist", raw=True)
def unlisted_node_gets_no_whitelist(whitelist: Exchange) -> Findings:
    """A node that stands on no Whitelist gets no Whitelist, though its certificate is good."""
    yield from _is_refused(whitelist)


# --- what is in the lists ---


@check("P&I.10", "P&I.11", "APP.19", then="the ZAL fits its schema")
def zal_fits_its_schema(zal: Exchange, list_generation: str) -> Findings:
    """Each care provider has its services, their source and its addresses, as the schema of the ZAL says."""
    yield from _fits(zal, "zal", list_generation)


@check("P&I.15", "APP.22", then="the Whitelist fits its schema")
def whitelist_fits_its_schema(whitelist: Exchange, list_generation: str) -> Findings:
    """The Whitelist holds gateways, each once, as its schema says."""
    yield from _fits(whitelist, "whl", list_generation)


@check("P&I.11", then="each service of a care provider has one source")
def zal_has_one_source_per_service(zal: Exchange) -> Findings:
    """A care provider and a service stand together once."""
    yield from _breaks("P&I.11", _zal_rules(zal))


@check("META.1", "P&I.15", then="what belongs together in the lists is there once, and on the Whitelist")
def nothing_stands_twice_or_dangles(zal: Exchange, whitelist: Exchange) -> Findings:
    """Nothing stands twice, and the gateways that the ZAL names are on the Whitelist."""
    yield from _breaks("META.1", [*_zal_rules(zal, whitelist), *rules.whitelist_rules(_parsed(whitelist, lists.Whitelist))])


@check("META.6", then="each service is offered through one gateway, in roles of its own")
def service_has_one_gateway(zal: Exchange) -> Findings:
    """A service is offered through one gateway, and its system roles belong to it."""
    yield from _breaks("META.6", _zal_rules(zal))


@check("META.7", then="token and resource endpoint are on one gateway, and each role has one address")
def addresses_are_of_one_gateway(zal: Exchange) -> Findings:
    """The addresses of a service are on one gateway, and a care provider has one address for a system role."""
    yield from _breaks("META.7", _zal_rules(zal))


@check("META.8", then="the ZAL names services of the catalogue")
def zal_names_services_of_the_catalogue(zal: Exchange, release: Release) -> Findings:
    """The codes of the services are those that care providers offer by the catalogue."""
    yield from _breaks("META.8", _zal_rules(zal, codes=tuple(release.gegevensdiensten)))


@check("P&I.13", then="each care provider has a name of its own, by the naming policy")
def names_follow_the_policy(zal: Exchange) -> Findings:
    """The names of care providers are unique, of small letters, at least three, before the domain of MedMij."""
    yield from _breaks("P&I.13", _zal_rules(zal))


@check("NAAM.2", then="no name stands twice or resembles another")
def names_do_not_resemble_one_another(zal: Exchange) -> Findings:
    """The names of care providers are different, and by more than one letter."""
    yield from _breaks("NAAM.2", _zal_rules(zal))


@check("NAAM.5", then="each name has three letters at least")
def names_have_three_letters(zal: Exchange) -> Findings:
    """The names of care providers have at least three characters."""
    yield from _breaks("NAAM.5", _zal_rules(zal))


@check("NAAM.6", then="each name is in small letters")
def names_are_in_small_letters(zal: Exchange) -> Findings:
    """The names of care providers have no capitals."""
    yield from _breaks("NAAM.6", _zal_rules(zal))


@check("NAAM.7", then="each name is of the 26 letters alone")
def names_are_of_letters_alone(zal: Exchange) -> Findings:
    """The names of care providers have no accents, digits, spaces or signs."""
    yield from _breaks("NAAM.7", _zal_rules(zal))


@check("P&I.16", "P&I.15", then="the PGO gateways have the names of their organisations")
def pgo_gateways_have_their_names(ocl: Exchange, known_dvps: tuple[str, ...]) -> Findings:
    """A PGO gateway is listed with the name of its organisation, which people see in the question for consent."""
    content = _parsed(ocl, lists.Ocl)
    names = {client.hostname: client.organisation for client in content.clients}
    for known in known_dvps:
        hostname, _, organisation = known.partition("=")
        if names.get(hostname) != organisation:
            observed = repr(names[hostname]) if hostname in names else "no name"
            yield Finding(expected=f"{organisation!r} for {hostname}", observed=observed, reading="AMB.57")
    yield from _breaks("P&I.16", rules.ocl_rules(content))


@check("P&I.16", then="the ZA gateways have no name for people")
def za_gateways_have_no_name(ocl: Exchange, whitelist: Exchange, known_dvzas: tuple[str, ...]) -> Findings:
    """A ZA gateway is listed without a name for people."""
    named = {client.hostname: client.organisation for client in _parsed(ocl, lists.Ocl).clients}
    named |= {node.hostname: node.friendly_name for node in _parsed(whitelist, lists.Whitelist).nodes if node.friendly_name}
    for hostname in known_dvzas:
        if hostname in named:
            yield Finding(expected=f"no name for {hostname}", observed=repr(named[hostname]), reading="AMB.57")


@check("META.2", then="each gateway is of one of two types")
def gateways_are_of_one_type(zal: Exchange, whitelist: Exchange, ocl: Exchange) -> Findings:
    """A gateway is one of a PGO or one of care providers, as far as the lists tell."""
    clients = {client.hostname for client in _parsed(ocl, lists.Ocl).clients}
    sources = {rules.host(s.token_endpoint) for provider in _parsed(zal, lists.Zal).providers for s in provider.services}
    yield from _breaks("META.2", _zal_rules(zal, ocl=ocl))
    yield from _breaks("META.2", rules.type_rules(_parsed(whitelist, lists.Whitelist), sources, clients))


_MOST = 20  # findings of one rule; a list may break it with every entry


def _breaks(requirement: str, broken: Iterable[rules.Broken]) -> Findings:
    """What is broken of one requirement."""
    yield from itertools.islice((each.finding for each in broken if requirement in each.requirements), _MOST)


def _zal_rules(
    zal: Exchange, whitelist: Exchange | None = None, *, ocl: Exchange | None = None, codes: tuple[str, ...] = ()
) -> tuple[rules.Broken, ...]:
    """What the ZAL breaks, beside the other lists that are given. Raises ``CannotJudgeError`` when one cannot be read."""
    nodes = {node.hostname: node for node in _parsed(whitelist, lists.Whitelist).nodes} if whitelist else None
    clients = {client.hostname for client in _parsed(ocl, lists.Ocl).clients} if ocl else None
    beside = rules.Beside(codes=codes or None, nodes=nodes, clients=clients)
    return tuple(rules.zal_rules(_parsed(zal, lists.Zal), beside))


# --- what changes ---


@check("P&I.12", then="the change is in the ZAL")
def change_is_in_the_zal(zal: Exchange, change: Observation, clock_moved_s: int) -> Findings:
    """A day after a care provider was registered, changed or removed, the ZAL says so."""
    content = _parsed(zal, lists.Zal)
    entry = change.facts["entry"]
    found = next((provider for provider in content.providers if provider.name == entry["name"]), None)
    wanted = {(s["gegevensdienst"], s["authorization_endpoint"], s["token_endpoint"]) for s in entry["services"]}
    held = {(s.gegevensdienst, s.authorization_endpoint, s.token_endpoint) for s in found.services} if found else set()
    yield from _changed(change, entry["name"], gone=found is None, as_registered=held == wanted)
    read.attest(clock_moved_s)


@check("P&I.17", then="the change is on the Whitelist")
def change_is_on_the_whitelist(whitelist: Exchange, change: Observation, clock_moved_s: int) -> Findings:
    """A day after a gateway was registered or removed, the Whitelist says so."""
    name = change.facts["entry"]["hostname"]
    listed = any(node.hostname == name for node in _parsed(whitelist, lists.Whitelist).nodes)
    yield from _changed(change, name, gone=not listed, as_registered=listed)
    read.attest(clock_moved_s)


@check("APP.18", then="the ZAL was published since")
def zal_is_published_daily(zal: Exchange, change: Observation, clock_moved_s: int) -> Findings:
    """The ZAL that is given a day after a change was published after that change."""
    yield from _published_since(_parsed(zal, lists.Zal), change)
    read.attest(clock_moved_s)


@check("APP.21a", then="the Whitelist was published since")
def whitelist_is_published_daily(whitelist: Exchange, change: Observation, clock_moved_s: int) -> Findings:
    """The Whitelist that is given a day after a change was published after that change."""
    yield from _published_since(_parsed(whitelist, lists.Whitelist), change)
    read.attest(clock_moved_s)


def _changed(change: Observation, name: str, *, gone: bool, as_registered: bool) -> Findings:
    if change.facts["done"] == "removed":
        if not gone:
            yield Finding(expected=f"no {name} any more, a day after it was removed", observed="it is still there")
    elif not as_registered:
        observed = "it is not there" if gone else "it is there with other addresses"
        yield Finding(expected=f"{name} as it was {change.facts['done']} a day ago", observed=observed)


def _published_since(content: lists.AnyList, change: Observation) -> Findings:
    at = datetime.fromisoformat(change.facts["at"])
    if content.timestamp < at:
        expected = f"a list published since a change was registered, at {at.isoformat()}"
        yield Finding(expected=expected, observed=f"Tijdstempel {content.timestamp.isoformat()}")


# --- what is registered ---


@check("OPS.6", then="the registration is accepted", accepts="registration")
def good_registration_is_accepted(registration: Exchange) -> Findings:
    """A good entry is registered at the request of a participant, who is told so."""
    answer = _registration(registration)
    if answer["accepted"] is not True:
        yield Finding(expected="an accepted registration", observed=f"refused: {answer.get('reason')!r}")


@check("OPS.6", "APP.19", then="the care provider is refused, with a reason", twin="registration")
def bad_provider_is_refused(registration: Exchange) -> Findings:
    """An entry that breaks a rule of the ZAL is not registered, and the participant is told why."""
    yield from _refused_with_a_reason(registration)


@check("OPS.6", "APP.22", then="the gateway is refused, with a reason", twin="registration")
def bad_gateway_is_refused(registration: Exchange) -> Findings:
    """An entry that breaks a rule of the Whitelist is not registered, and the participant is told why."""
    yield from _refused_with_a_reason(registration)


def _refused_with_a_reason(registration: Exchange) -> Findings:
    answer = _registration(registration)
    if answer["accepted"] is True:
        yield Finding(expected="a refusal", observed="an accepted registration")
    elif not str(answer.get("reason") or "").strip():
        yield Finding(expected="a reason", observed="none")


def _registration(heard: Exchange) -> dict[str, object]:
    answer = read.response(heard).json
    if problem := hooks.problem("registration", answer):
        raise CannotJudgeError(problem)
    return dict(answer)


# --- how they are read ---


def _is_given(answer: Exchange, kind: str) -> Findings:
    got = read.response(answer)
    if got.status != 200:
        yield Finding(expected="the list, with status 200", observed=f"status {got.status}")
        return
    try:
        found = lists.kind(got.body)
    except lists.ListError as error:
        yield Finding(expected="the list as an XML document", observed=str(error))
        return
    if found != kind:
        yield Finding(expected=f"the list that was asked for ({kind})", observed=f"another list ({found})")
    if got.media_type not in _XML:
        observed = f"Content-Type: {got.header('content-type') or 'none'}"
        yield Finding(expected="a media type of XML", observed=observed, outcome=Outcome.WARNING, reading="AMB.43")


def _was_cut_off(answer: Exchange) -> bool:
    """Whether the session ended without an answer. Raises ``CannotJudgeError`` when that had another reason than a refusal."""
    trouble = answer.trouble
    if trouble and (trouble.kind not in {"tls", "reset"} or (answer.tls is None and trouble.kind == "reset")):
        raise CannotJudgeError(f"{answer.label}: {trouble.kind}: {trouble.detail}")
    status = answer.status or 0
    if status == 429 or status >= 500:
        raise CannotJudgeError(f"{answer.label}: status {status} says nothing about who asks")
    return trouble is not None


def _is_refused(answer: Exchange) -> Findings:
    if _was_cut_off(answer):
        return
    status = answer.status or 0
    refused = status in _REFUSALS
    yield Finding(
        expected="the session ends without application data",
        observed=f"an answer with status {status}",
        outcome=Outcome.WARNING if refused else Outcome.FAIL,
        reading="AMB.20" if refused else "",
    )


def _fits(answer: Exchange, kind: str, generation: str) -> Findings:
    body = read.response(answer).body
    _content(answer, kind)
    problems = lists.validate(body, data_path("fixtures") / "schemas" / "lists" / generation / f"{kind}.xsd")
    for problem in problems[:5]:
        yield Finding(expected=f"a document that fits the schema of {generation}", observed=problem, reading="AMB.57")


_L = TypeVar("_L", bound=lists.AnyList)


def _parsed(answer: Exchange, wanted: type[_L]) -> _L:
    """The list that came. Raises ``CannotJudgeError`` when it cannot be read; what is wrong with it is for another check."""
    got = read.response(answer)
    content = _read(got.body) if got.status == 200 else f"status {got.status}"
    if not isinstance(content, wanted):
        raise CannotJudgeError(
            f"{answer.label}: what came cannot be judged: {content if isinstance(content, str) else 'another list'}"
        )
    return content


@lru_cache(maxsize=8)
def _read(document: bytes) -> lists.AnyList | str:
    """The list of a document, or what is wrong with it; many checks read the same one."""
    try:
        return lists.parse(document)
    except lists.ListError as error:
        return str(error)


def _content(answer: Exchange, kind: str) -> None:
    """Raises ``CannotJudgeError`` when the answer is not this list at all; what it says about that is another's business."""
    got = read.response(answer)
    try:
        found = lists.kind(got.body) if got.status == 200 else ""
    except lists.ListError as error:
        raise CannotJudgeError(f"{answer.label}: no list came: {error}") from None
    if found != kind:
        raise CannotJudgeError(f"{answer.label}: no {kind} came")
