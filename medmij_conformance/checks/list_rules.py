"""The rules about the lists that no schema can express: pure functions from the model to what is broken.

The command ``lists`` and the judges of MedMij Registratie share them. Every rule says where in the model it is broken
(``Place``), so that whoever has the document can find the element. A provider costs a few microseconds, because lists are long.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from medmij_conformance.protocol.lists import Node, Ocl, Place, Provider, Service, Whitelist, Zal, short
from medmij_conformance.protocol.lists.model import Gnl
from medmij_conformance.verdict import Finding, Outcome

#: Of more providers than this the names are not compared with one another.
MAX_COMPARED = 50_000


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that a list breaks, and where."""

    requirements: tuple[str, ...]
    place: Place
    finding: Finding


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What is known besides the list that is judged; what is ``None`` is not compared.

    ``codes`` are the services that may be offered, ``nodes`` the Whitelist by host name, ``clients`` the host names on the OCL.
    """

    codes: Collection[str] | None = None
    nodes: Mapping[str, Node] | None = None
    clients: Collection[str] | None = None


def zal_rules(zal: Zal, beside: Beside | None = None) -> Iterator[Broken]:
    """Every rule about a Zorgaanbiederslijst."""
    rules = ProviderRules(beside)
    for number, provider in enumerate(zal.providers):
        yield from rules.judge(number, provider)
    yield from rules.conclude()


class ProviderRules:
    """The rules about a Zorgaanbiederslijst, fed provider by provider; ``conclude`` tells what needs the whole list.

    ``hosts`` are the back-channel hosts that were seen, ``count`` the providers.
    """

    def __init__(self, beside: Beside | None = None) -> None:
        self.beside = beside or Beside()
        self.hosts: set[str] = set()
        self.count = 0
        self._services: dict[str, tuple[str, ...]] = {}  # by name of the provider
        self._code_sets: dict[tuple[str, ...], tuple[str, ...]] = {}  # nearly all providers share one
        self._names: list[tuple[int, str]] = []
        self._roles: dict[str, dict[str, _Use]] = {}  # role -> service
        self._fine: set[str] = set()  # back-channel hosts with which nothing is wrong

    def judge(self, number: int, provider: Provider) -> list[Broken]:
        """What the provider with this number, counted from zero, breaks by itself or beside those before it."""
        self.count += 1
        found: list[Broken] = []
        place: Place = ("providers", number)
        name = provider.name
        if _NAME.fullmatch(name):
            if self.compared:
                self._names.append((number, name))
            elif self._names:
                self._names.clear()
        else:
            found += _name_rules(name, (*place, "name"))
        codes = tuple([service.gegevensdienst for service in provider.services])
        before = self._services.get(name)
        if before is None:
            self._services[name] = self._code_sets.setdefault(codes, codes)
            before = ()
        else:
            observed = f"{short(name)} stands a second time"
            found.append(_broken(("NAAM.2", "P&I.13", "META.1"), (*place, "name"), "a name that stands once on the list", observed))
        if before or len(set(codes)) < len(codes):
            found += _one_source(provider, place, before)
        addresses: dict[str, str] = {}
        for position, service in enumerate(provider.services):
            self._service(service, place, position, addresses, found)
        return found

    def _service(self, service: Service, provider: Place, position: int, addresses: dict[str, str], found: list[Broken]) -> None:
        """What a service breaks; ``addresses`` are those of the provider's roles so far."""
        beside, code = self.beside, service.gegevensdienst
        if beside.codes is not None and code not in beside.codes:
            expected = f"one of the services {', '.join(sorted(beside.codes, key=lambda each: (len(each), each)))}"
            found.append(_broken(("META.8",), (*provider, "services", position, "gegevensdienst"), expected, short(code), "AMB.19"))
        token = host(service.token_endpoint)
        self.hosts.add(token)
        if token not in self._fine:
            wrong = list(self._partner(token, provider, position, None))
            found += wrong
            if not wrong:
                self._fine.add(token)
        roles = service.systeemrollen
        if len(roles) > 1 and len({role.code for role in roles}) < len(roles):
            found += _role_once(service, provider, position)
        same_host = (f"https://{token}/", f"https://{token}:")
        for index, (role, resource) in enumerate(roles):
            self._count_role(role, code, provider, position, index)
            if addresses.setdefault(role, resource) != resource:
                found.append(_two_addresses(role, addresses[role], resource, _role(provider, position, index)))
            if not resource.startswith(same_host) and host(resource) != token:
                place = _role(provider, position, index)
                found.append(_second_gateway(host(resource), host(service.authorization_endpoint), token, place))
                self.hosts.add(host(resource))
                found += self._partner(host(resource), provider, position, index)

    def _count_role(self, role: str, code: str, provider: Place, position: int, index: int) -> None:
        services = self._roles.setdefault(role, {})
        if code in services:
            services[code].count += 1
        else:
            services[code] = _Use((*provider, "services", position, "systeemrollen", index, "code"))

    def _partner(self, hostname: str, provider: Place, position: int, role: int | None) -> Iterator[Broken]:
        """A back-channel host, of a token endpoint or of a role, must be on the Whitelist, and not as that of a PGO."""
        nodes, clients = self.beside.nodes, self.beside.clients
        place = (*provider, "services", position, "token_endpoint") if role is None else _role(provider, position, role)
        if nodes is not None:
            node = nodes.get(hostname)
            if node is None:
                expected = "a back-channel host that is on the Whitelist"
                yield _broken(("META.1", "P&I.15"), place, expected, f"{short(hostname)}, which is not", "AMB.57")
            elif node.friendly_name.strip() or node.participant_type == "DVP":
                observed = f"{short(hostname)}, listed as a PGO called {short(node.friendly_name)}"
                yield _broken(("P&I.16", "META.2"), place, "the host of a ZA gateway, without a name on the Whitelist", observed)
        if clients is not None and hostname in clients:
            observed = f"{short(hostname)}, which the OAuthclientlist has as a PGO"
            expected = "a host of one type of participant"
            yield _broken(("META.2", "P&I.16"), place, expected, observed, "AMB.57", outcome=Outcome.WARNING)

    def conclude(self) -> Iterator[Broken]:
        """What shows at the end: names that are too much alike, and roles that stand under two services."""
        if self.compared:
            names = [name.removesuffix(_DOMAIN) for _, name in self._names]
            for later, earlier, why in look_alikes(names):
                place = ("providers", self._names[later][0], "name")
                observed = f"{names[later]} and {names[earlier]}: {why}"
                expected = "a name that is not much like another on the list"
                yield _broken(("NAAM.2",), place, expected, observed, outcome=Outcome.WARNING)
        for role, services in self._roles.items():
            if len(services) > 1:
                yield from _roles_of_two(role, services)

    @property
    def compared(self) -> bool:
        """Whether the names are few enough to be compared with one another."""
        return self.count <= MAX_COMPARED


@dataclass(slots=True)
class _Use:
    """Where a system role stands first under a service, and how often."""

    place: Place
    count: int = 1


def _role(provider: Place, position: int, index: int) -> Place:
    return (*provider, "services", position, "systeemrollen", index, "resource_endpoint")


_DOMAIN = "@medmij"
_NAME = re.compile(r"[a-z]{3,}@medmij")
_HOST = re.compile(r"https?://([^/:?#]*)", re.IGNORECASE)


def host(address: str) -> str:
    """The host name of an address, as it is written; the address itself if it has none."""
    if address.startswith("https://"):
        return address[8:].partition("/")[0].partition(":")[0] if "?" not in address and "#" not in address else _host(address)
    return _host(address)


def _host(address: str) -> str:
    found = _HOST.match(address)
    return found[1] if found else address


def _broken(
    requirements: tuple[str, ...],
    place: Place,
    expected: str,
    observed: str,
    reading: str = "",
    *,
    outcome: Outcome = Outcome.FAIL,
    hint: str = "",
) -> Broken:
    finding = Finding(expected=expected, observed=observed, outcome=outcome, hint=hint, reading=reading)
    return Broken(requirements, place, finding)


def _name_rules(name: str, place: Place) -> Iterator[Broken]:
    """What is wrong with a name that is not three or more small letters and ``@medmij``."""
    local = name.removesuffix(_DOMAIN)
    if local == name:
        local = name.rpartition("@")[0] or name
        yield _broken(("P&I.13",), place, f"a name that ends in {_DOMAIN}", short(name))
    if len(local) < 3:
        yield _broken(("NAAM.5", "P&I.13"), place, f"at least three letters before {_DOMAIN}", short(name))
    if local != local.lower():
        yield _broken(("NAAM.6", "P&I.13"), place, "small letters only", short(name))
    others = sorted(set(re.sub("[a-z]", "", local.lower())))
    if others:
        observed = f"{short(name)}, with {', '.join(map(repr, others[:10]))}"
        yield _broken(("NAAM.7", "P&I.13"), place, "only the 26 letters a to z", observed)


def _one_source(provider: Provider, place: Place, before: Collection[str]) -> Iterator[Broken]:
    seen = set(before)
    for position, service in enumerate(provider.services):
        code = service.gegevensdienst
        if code in seen:
            observed = f"service {short(code)} of {short(provider.name)} stands a second time, at {short(service.token_endpoint)}"
            at = (*place, "services", position, "gegevensdienst")
            yield _broken(("P&I.11", "META.1"), at, "one source for a provider and a service", observed)
        seen.add(code)


def _role_once(service: Service, provider: Place, position: int) -> Iterator[Broken]:
    seen: set[str] = set()
    for index, role in enumerate(service.systeemrollen):
        if role.code in seen:
            place = (*provider, "services", position, "systeemrollen", index, "code")
            expected, observed = "a system role that stands once under a service", f"{short(role.code)} stands a second time"
            yield _broken(("META.1",), place, expected, observed)
        seen.add(role.code)


def _two_addresses(role: str, first: str, second: str, place: Place) -> Broken:
    expected = "one resource address for a provider and a system role"
    observed = f"role {short(role)} at {short(first)} and at {short(second)}"
    return _broken(("META.7",), place, expected, observed, "AMB.52")


def _second_gateway(resource: str, authorization: str, token: str, place: Place) -> Broken:
    """The resource server must be where the authorization server is. That one may have a front-channel host of its own."""
    if resource == authorization:
        expected = "token and resource endpoint on one host"
        observed = (
            f"the token endpoint on {short(token)}, the resource endpoint on {short(resource)} like the authorization endpoint"
        )
        return _broken(("META.7", "META.6"), place, expected, observed, "AMB.57", outcome=Outcome.WARNING)
    expected = "the resource endpoint on the gateway of the authorization server"
    hosts = " and ".join(dict.fromkeys([short(authorization), short(token)]))
    return _broken(("META.7", "META.6"), place, expected, f"{short(resource)}, while that is on {hosts}", "AMB.57")


def _roles_of_two(role: str, services: Mapping[str, _Use]) -> Iterator[Broken]:
    """A role belongs to one service, supposedly the one under which it stands most."""
    owner, *others = sorted(services, key=lambda service: -services[service].count)
    for other in others:
        observed = f"role {short(role)} under service {short(other)}, and under {short(owner)} {services[owner].count} times"
        expected = "system roles of the very service"
        yield _broken(("META.6",), services[other].place, expected, observed, "AMB.52", outcome=Outcome.WARNING)


def look_alikes(names: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """Names that one letter or a doubled letter tells apart: the number of the later one, of the first like it, and why.

    Equal names are not told. Every name comes at most once, whatever the number of those like it. Two names are one letter
    apart when they are equal without the letter at the same position, or one of them without some letter is the other; so the
    time grows with the number of letters, not with the number of pairs.
    """
    found: dict[int, tuple[int, str]] = {}

    def note(one: int, other: int, why: str) -> None:
        earlier, later = sorted((one, other))
        if names[earlier] != names[later] and (later not in found or earlier < found[later][0]):
            found[later] = (earlier, why)

    by_length: dict[int, list[int]] = {}
    for number, name in enumerate(names):
        by_length.setdefault(len(name), []).append(number)
    for length, numbers in by_length.items():
        shorter = {names[number]: number for number in reversed(by_length.get(length - 1, []))}
        for position in range(length):
            alike: dict[str, int] = {}
            for number in numbers:
                rest = names[number][:position] + names[number][position + 1 :]
                first = alike.setdefault(rest, number)
                if first != number:
                    note(first, number, "one letter differs")
                if rest in shorter:
                    note(shorter[rest], number, "one letter more")
    single: dict[str, int] = {}
    for number, name in enumerate(names):
        first = single.setdefault(re.sub(r"(.)\1+", r"\1", name), number)
        if first != number:
            note(first, number, "the same but for doubled letters")
    return ((later, earlier, why) for later, (earlier, why) in sorted(found.items()))


# --- the other lists -------------------------------------------------------------------------------------------------


def whitelist_rules(whitelist: Whitelist) -> Iterator[Broken]:
    """Host names once, and a name for people on a PGO alone, as far as the Whitelist says who is one."""
    yield from _once("nodes", (node.hostname for node in whitelist.nodes), ("P&I.16", "META.1"))
    for number, node in enumerate(whitelist.nodes):
        named = bool(node.friendly_name.strip())
        if node.participant_type and named != (node.participant_type == "DVP"):
            expected = "a name for a PGO (DVP) and none for a ZA gateway (DVZA)"
            observed = f"{short(node.friendly_name)} for the {node.participant_type} {short(node.hostname)}"
            yield _broken(("P&I.16", "META.2"), ("nodes", number, "friendly_name"), expected, observed)
        elif node.friendly_name and not named:
            yield _blank(("P&I.16",), ("nodes", number, "friendly_name"), node.friendly_name)


def type_rules(whitelist: Whitelist, zal_hosts: Collection[str], clients: Collection[str]) -> Iterator[Broken]:
    """Every node is one of a PGO, which the OCL knows, or of a ZA gateway, which the ZAL knows."""
    for number, node in enumerate(whitelist.nodes):
        if not (node.friendly_name or node.participant_type or node.hostname in zal_hosts or node.hostname in clients):
            expected = "a node that the OAuthclientlist or the Zorgaanbiederslijst knows"
            observed = f"{short(node.hostname)}, which is on neither"
            place = ("nodes", number, "hostname")
            yield _broken(("META.2", "P&I.16"), place, expected, observed, "AMB.57", outcome=Outcome.WARNING)


def ocl_rules(ocl: Ocl) -> Iterator[Broken]:
    """Host names once, and organisations that have a name."""
    yield from _once("clients", (client.hostname for client in ocl.clients), ("P&I.16", "META.1"))
    for number, client in enumerate(ocl.clients):
        if not client.organisation.strip():
            yield _blank(("P&I.16", "UCI-V.cons.3"), ("clients", number, "organisation"), client.organisation)


def gnl_rules(gnl: Gnl) -> Iterator[Broken]:
    """Services once, with names that people can read."""
    yield from _once("names", (name.gegevensdienst for name in gnl.names), ("META.1",), "gegevensdienst")
    for number, name in enumerate(gnl.names):
        if not name.display_name.strip():
            yield _blank(("UCI-V.cons.2",), ("names", number, "display_name"), name.display_name)


def _once(collection: str, values: Iterable[str], requirements: tuple[str, ...], attribute: str = "hostname") -> Iterator[Broken]:
    seen: set[str] = set()
    for number, value in enumerate(values):
        if value in seen:
            place = (collection, number, attribute)
            yield _broken(requirements, place, "what stands once on the list", f"{short(value)} stands a second time")
        seen.add(value)


def _blank(requirements: tuple[str, ...], place: Place, value: str) -> Broken:
    return _broken(requirements, place, "a name that people can read", f"{short(value)}, of white space alone", "AMB.57")
