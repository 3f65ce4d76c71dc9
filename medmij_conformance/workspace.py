"""A folder to test from: throw-away keys, the lists, and the target file; for ``init`` and for the embedded references."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medmij_conformance import pki
from medmij_conformance.protocol import lists
from medmij_conformance.reference.dvza_deviations import ELSEWHERE
from medmij_conformance.reference.process import RunningReference, launch
from medmij_conformance.requirements import release as load_release
from medmij_conformance.target import Target, load

HARNESS = "pgo.harness.test"
OTHER = "other.harness.test"
UNLISTED = "unlisted.harness.test"
NAMES = {HARNESS: "Harnas PGO", OTHER: "Tweede PGO & Zn <b>"}
REFERENCE = "za.reference.test"
BACK_PORT = 8443

REFERENCE_OFFERS = (
    {"zorgaanbieder": "proefkliniek@medmij", "display_name": "Proefkliniek De Wilg", "gegevensdienst": "1"},
    {"zorgaanbieder": "proefkliniek@medmij", "display_name": "Proefkliniek De Wilg", "gegevensdienst": "7"},
    {"zorgaanbieder": "testhuisarts@medmij", "display_name": "Huisartsenpraktijk Test", "gegevensdienst": "1"},
)
REFERENCE_PERSONS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "available": ("999990019", {"key": "roos", "available": ["1", "7"]}),
    "available_2": ("999990081", {"key": "rik", "available": ["1", "7"]}),
    "unavailable": ("999990020", {"key": "bart"}),
    "undeliverable": ("999990032", {"key": "ed", "available": ["1", "7"], "deliverable": False}),
    "young": ("999990056", {"key": "evi", "available": ["1", "7"], "born": datetime.now(UTC).year - 12}),
    "no_relation": ("999990068", {"key": "nova", "available": ["1", "7"], "treatment_relation": False}),
}
UNKNOWN_BSN = "999990044"


@dataclass(frozen=True, slots=True)
class TestPki:
    """The files of a throw-away PKI, in a folder ``pki``."""

    folder: Path
    issuer: pki.Authority

    @classmethod
    def create(cls, folder: Path) -> "TestPki":
        """Root, issuer and the three nodes of the harness. The folder is made."""
        folder.mkdir(parents=True, exist_ok=True)
        hierarchy = pki.hierarchy()
        (folder / "ca.pem").write_bytes(hierarchy.root.certificate_pem)
        for name, hostname in (("harness", HARNESS), ("other", OTHER), ("unlisted", UNLISTED)):
            hierarchy.tsp.issue(hostname, organisation=NAMES.get(hostname, "Ongenode BV")).write(folder, name)
        return cls(folder, hierarchy.tsp)

    def issue(self, hostname: str, name: str, *more_names: str) -> tuple[Path, Path]:
        """A certificate and a key for another node, as PEM files."""
        return self.issuer.issue(hostname, names=(hostname, *more_names)).write(self.folder, name)


def list_documents(
    *, nodes: list[str], clients: Mapping[str, str], zal: lists.Zal, generation: str = "1.0", serial: int = 1
) -> dict[str, bytes]:
    """The lists as files: name -> XML. ``clients`` maps the host name of a PGO to its organisation's name."""
    now = datetime.now(UTC).replace(microsecond=0)
    documents: dict[str, Any] = {
        "whitelist.xml": lists.Whitelist(now, serial, tuple(lists.Node(name) for name in nodes)),
        "oauthclientlist.xml": lists.Ocl(now, serial, tuple(lists.OAuthClient(h, n) for h, n in clients.items())),
        "zorgaanbiederslijst.xml": zal,
    }
    return {name: lists.serialise(document, generation) for name, document in documents.items()}


def lists_for(target: Target, serial: int = 1) -> dict[str, bytes]:
    """The lists in which the harness's own nodes (and, for a ZA gateway, its offers) stand as the target file says."""
    harness = target.harness
    own = {node.hostname: node.name for node in (harness, harness.other) if node}
    now = datetime.now(UTC).replace(microsecond=0)
    providers: dict[str, list[lists.Service]] = {}
    hosts: list[str] = []
    for offer in target.offers:
        roles = (lists.Systeemrol(offer.systeemrol or f"XX-{offer.gegevensdienst}", offer.resource_endpoint),)
        service = lists.Service(offer.gegevensdienst, offer.authorization_endpoint, offer.token_endpoint, roles)
        providers.setdefault(offer.zorgaanbieder, []).append(service)
        hosts += [offer.token_endpoint.split("/")[2].partition(":")[0]]
    zal = lists.Zal(now, serial, tuple(lists.Provider(name, tuple(rows)) for name, rows in providers.items()))
    nodes = list(dict.fromkeys([*own, *hosts]))
    generation = target.lists.generation
    return list_documents(nodes=nodes, clients=own, zal=zal, generation=generation, serial=serial)


def write_lists(documents: Mapping[str, bytes], folder: Path) -> list[Path]:
    """Write list documents to a folder, which is made. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, content in documents.items():
        (folder / name).write_bytes(content)
        written.append(folder / name)
    return written


def reference_dvza(folder: Path, release: str = "1.0") -> tuple[Target, RunningReference]:
    """Start ``reference:dvza`` and write a target file that points at it, as a vendor would. The caller stops it.

    ``release`` is ``1.0``, or ``test-2``, the toy release of the tests.
    """
    test_pki = TestPki.create(folder / "pki")
    test_pki.issue(REFERENCE, "reference", ELSEWHERE)
    clients = {HARNESS: NAMES[HARNESS], OTHER: NAMES[OTHER]}
    empty = lists.Zal(datetime.now(UTC).replace(microsecond=0), 1, ())
    write_lists(list_documents(nodes=[HARNESS, OTHER, REFERENCE], clients=clients, zal=empty), folder / "lists")
    settings = {
        "release": release,
        "hostname": REFERENCE,
        "back_port": BACK_PORT,
        "certificate": "pki/reference.pem",
        "key": "pki/reference.key",
        "client_ca": "pki/ca.pem",
        "whitelist": "lists/whitelist.xml",
        "ocl": "lists/oauthclientlist.xml",
        "offers": REFERENCE_OFFERS,
        "persons": dict(REFERENCE_PERSONS.values()),
    }
    settings_file = folder / "reference.json"
    settings_file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    running = launch(settings_file)
    file = folder / "target.toml"
    file.write_text(_reference_target(running.ports, release), encoding="utf-8")
    return load(file), running


def initialise(folder: Path, role: str) -> list[str]:
    """Make a folder to test a gateway of ``role`` from: PKI, lists and a commented target file. Returns what to do next."""
    TestPki.create(folder / "pki")
    file = folder / "target.toml"
    file.write_text(_TEMPLATES[role], encoding="utf-8")
    target = load(file)
    written = write_lists(lists_for(target), folder / "lists")
    return [
        f"made {file}, {folder / 'pki'} and {', '.join(path.name for path in written)} in {folder / 'lists'}",
        "",
        "Your gateway must trust:",
        f"  {folder / 'pki' / 'ca.pem'}  as the authority of client certificates on its back channel (test only)",
        "Your gateway must load:",
        *(f"  {path}" for path in written),
        f"It will meet the PGO gateways {HARNESS} and {OTHER} (both listed) and {UNLISTED} (on no list).",
        "Then, in the target file: its addresses, where they really are, its certificate authority, your test persons,",
        "and how its pages are used. After each change of an address:",
        f"  medmij-conformance export-lists {file} --out {folder / 'lists'}",
        f"  medmij-conformance run {file}",
    ]


_TEMPLATES = {
    "dvza": f"""# What is tested and how to reach it. A key that is left out has its default; any string may be {{ env = "NAME" }}.
# Paths are relative to this file.

[target]
name = "My ZA gateway"                # as the report shows it
# vendor = "", product = "", version = "", commit = "", environment = "", xis = "", xis_version = ""
role = "dvza"
release = "1.0"
# scope_template = "{{gegevensdienst}}" # how your gateway writes a scope

[[offer]]                             # one gegevensdienst of one zorgaanbieder; repeat the table for more
zorgaanbieder = "mijnkliniek@medmij"
display_name = "Mijn Kliniek"         # the care provider, as your consent page shows it
gegevensdienst = "1"
authorization_endpoint = "https://za.example.nl/oauth/authorize"
token_endpoint = "https://za.example.nl:8443/oauth/token"
resource_endpoint = "https://za.example.nl:8443/fhir"

[connect]                             # instead of DNS, and the only addresses that are ever dialled
"za.example.nl:443" = "127.0.0.1:8443"
"za.example.nl:8443" = "127.0.0.1:8444"

[trust]
ca = ["pki/ca.pem"]                   # authority of your back channel's server certificate: replace by yours
# front = "system"                    # of the front channel: "system" or files; default: the same as ca

[harness]                             # the PGO gateway that the harness plays
hostname = "{HARNESS}"
name = "{NAMES[HARNESS]}"                   # its supplier, as the lists name it
certificate = "pki/harness.pem"
key = "pki/harness.key"

[harness.other]                       # a second one on the lists; the markup in its name is part of the test
hostname = "{OTHER}"
name = "{NAMES[OTHER]}"
certificate = "pki/other.pem"
key = "pki/other.key"

[harness.unlisted]                    # a node on no list
hostname = "{UNLISTED}"
certificate = "pki/unlisted.pem"
key = "pki/unlisted.key"

[persons]                             # synthetic people; the keys are yours, and fill the {{braces}} of the recipe
available = {{ bsn = "999990019" }}     # has data for every offer
unavailable = {{ bsn = "999990020" }}   # known, but nothing is available
unknown = {{ bsn = "{UNKNOWN_BSN}" }}
# available_2 = {{ bsn = "999990081" }} # a second one with data
# young = {{ bsn = "999990056" }}       # under sixteen
# no_relation = {{ bsn = "999990068" }} # no treatment relation

[login]
mode = "form"                         # your own login page stands in for DigiD

[[user_agent.action]]                 # how a page is used: page = CSS selector that recognises it
intent = "log in"
page = "form#login"
fill = {{ bsn = "{{bsn}}" }}
press = "button[value=login]"

[[user_agent.action]]
intent = "cancel login"
page = "form#login"
press = "button[value=cancel]"

[[user_agent.action]]
intent = "give consent"
page = "form#consent"
press = "button[value=grant]"

[[user_agent.action]]
intent = "refuse consent"
page = "form#consent"
press = "button[value=refuse]"

[[user_agent.action]]
intent = "leave consent unanswered"   # sends the form without a choice
page = "form#consent"
press = "form#consent"

[consent]
# full_text_url = "https://..."       # where the page links the full statement; default: anywhere at medmij.nl
# purpose = ["..."]                   # phrases by which the purpose is recognised

[hooks]                               # what you can do for the harness during a run
# source_down = {{ command = ["./source", "down"] }}
# source_up = {{ http = "http://127.0.0.1:9000/source/up" }}
""",
}


def _reference_target(ports: Mapping[str, Any], release: str) -> str:
    offers = "".join(
        f"""
[[offer]]
zorgaanbieder = "{offer["zorgaanbieder"]}"
display_name = "{offer["display_name"]}"
gegevensdienst = "{offer["gegevensdienst"]}"
authorization_endpoint = "https://{REFERENCE}/{_path(offer)}/authorize"
token_endpoint = "https://{REFERENCE}:{BACK_PORT}/{_path(offer)}/token"
resource_endpoint = "https://{REFERENCE}:{BACK_PORT}/{_path(offer)}/fhir"
"""
        for offer in REFERENCE_OFFERS
    )
    scope = load_release(release).scope_template
    persons = "\n".join(f'{name} = {{ bsn = "{bsn}" }}' for name, (bsn, _) in REFERENCE_PERSONS.items())
    hooks = "\n".join(
        f'{name} = {{ http = "{ports["control"]}/{name}" }}'
        for name in ("source_down", "source_up", "reload_lists", "clock", "log")
    )
    return f"""# The target file of the embedded reference gateway: what a vendor's own file looks like.
[target]
name = "reference:dvza"
product = "medmij-conformance reference"
role = "dvza"
release = "{release}"
scope_template = "{scope}"
{offers}
[connect]
"{REFERENCE}:443" = "127.0.0.1:{ports["front"]}"
"{ELSEWHERE}:443" = "127.0.0.1:{ports["front"]}"
"{REFERENCE}:{BACK_PORT}" = "127.0.0.1:{ports["back"]}"

[trust]
ca = ["pki/ca.pem"]

[harness]
hostname = "{HARNESS}"
name = "{NAMES[HARNESS]}"
certificate = "pki/harness.pem"
key = "pki/harness.key"

[harness.other]
hostname = "{OTHER}"
name = "{NAMES[OTHER]}"
certificate = "pki/other.pem"
key = "pki/other.key"

[harness.unlisted]
hostname = "{UNLISTED}"
certificate = "pki/unlisted.pem"
key = "pki/unlisted.key"

[persons]
{persons}
unknown = {{ bsn = "{UNKNOWN_BSN}" }}

[login]
mode = "form"

[[user_agent.action]]
intent = "log in"
page = "form#login"
fill = {{ bsn = "{{bsn}}" }}
press = "button[value=login]"

[[user_agent.action]]
intent = "cancel login"
page = "form#login"
press = "button[value=cancel]"

[[user_agent.action]]
intent = "give consent"
page = "form#consent"
press = "button[value=grant]"

[[user_agent.action]]
intent = "refuse consent"
page = "form#consent"
press = "button[value=refuse]"

[[user_agent.action]]
intent = "leave consent unanswered"
page = "form#consent"
press = "form#consent"

[consent]
full_text_url = "https://www.medmij.nl/toestemming"
purpose = ["in your own personal health environment"]

[hooks]
{hooks}
"""


def _path(offer: Mapping[str, str]) -> str:
    return f"{offer['zorgaanbieder'].partition('@')[0]}/{offer['gegevensdienst']}"
