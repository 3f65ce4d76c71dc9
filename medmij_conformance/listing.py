"""The lists of a run: what MedMij Registratie would publish, with the harness's own nodes and the gateway under test on them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from medmij_conformance.checks.list_rules import host
from medmij_conformance.protocol import lists
from medmij_conformance.requirements import release
from medmij_conformance.target import Target


def list_documents(contents: Mapping[str, lists.AnyList], generation: str = "1.0") -> dict[str, bytes]:
    """The lists that a generation has, as files: name -> XML. Raises ``ValueError`` for what the generation cannot express."""
    known = lists.GENERATIONS.get(generation, {lists.Whitelist: None})  # of one that does not exist, serialise says so
    return {FILES[w]: lists.serialise(content, generation) for w, content in contents.items() if type(content) in known}


def contents(
    *,
    nodes: Iterable[str],
    clients: Mapping[str, str],
    providers: Mapping[str, Sequence[lists.Service]] | None = None,
    services: Mapping[str, str] | None = None,
    serial: int = 1,
) -> dict[str, lists.AnyList]:
    """The lists by their short names.

    ``clients`` maps the host name of a PGO to its organisation's name, ``services`` the code of a gegevensdienst to its name.
    """
    now = datetime.now(UTC).replace(microsecond=0)
    typed = [lists.Node(name, clients.get(name, ""), "DVP" if name in clients else "DVZA") for name in nodes]
    names = tuple(lists.ServiceName(code, name) for code, name in (services or {}).items())
    return {
        "whitelist": lists.Whitelist(now, serial, tuple(typed)),
        "ocl": lists.Ocl(now, serial, tuple(lists.OAuthClient(host, name) for host, name in clients.items())),
        "zal": lists.Zal(now, serial, tuple(lists.Provider(name, tuple(rows)) for name, rows in (providers or {}).items())),
        "gnl": lists.Gnl(now, serial, names),
    }


FILES = {
    "whitelist": "whitelist.xml",
    "ocl": "oauthclientlist.xml",
    "zal": "zorgaanbiederslijst.xml",
    "gnl": "gegevensdienstnamenlijst.xml",
}
"""Short name of a list -> the file that it is written to."""


def contents_for(target: Target, serial: int = 1) -> dict[str, lists.AnyList]:
    """What the lists say: the harness's own nodes, the gateway under test and the offers stand on them as the target file says."""
    harness = target.harness
    own = {node.hostname: node.name for node in (harness, harness.other) if node}
    clients = {target.gateway.hostname: target.about.vendor or target.about.name} if target.gateway else own
    providers: dict[str, list[lists.Service]] = {}
    hosts: list[str] = []
    for offer in target.offers:
        roles = (lists.Systeemrol(offer.systeemrol or f"XX-{offer.gegevensdienst}", offer.resource_endpoint),)
        service = lists.Service(offer.gegevensdienst, offer.authorization_endpoint, offer.token_endpoint, roles)
        providers.setdefault(offer.zorgaanbieder, []).append(service)
        hosts += [host(offer.token_endpoint), host(offer.resource_endpoint)]
    nodes = dict.fromkeys([*own, *clients, *hosts])
    known = release(target.about.release).gegevensdiensten
    codes = dict.fromkeys(offer.gegevensdienst for offer in target.offers)
    services = {code: known[code].name if code in known else f"Gegevensdienst {code}" for code in codes}
    return contents(nodes=nodes, clients=clients, providers=providers, services=services, serial=serial)


def without_nodes(contents: Mapping[str, lists.AnyList], struck: Collection[str]) -> dict[str, lists.AnyList]:
    """The same lists, with these host names struck off the Whitelist."""

    def less(content: lists.AnyList) -> lists.AnyList:
        if not isinstance(content, lists.Whitelist):
            return content
        return replace(content, nodes=tuple(node for node in content.nodes if node.hostname not in struck))

    return {which: less(content) for which, content in contents.items()}


def lists_for(target: Target, serial: int = 1) -> dict[str, bytes]:
    """The lists of ``contents_for`` as files. Raises ``ValueError`` for what the generation of the target file cannot express."""
    return list_documents(contents_for(target, serial), target.lists.generation)


def write_lists(documents: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Write list documents to a folder, which is made. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in documents.items():
        (folder / name).write_bytes(content)
        written.append(folder / name)
    return written
