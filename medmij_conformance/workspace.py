"""A folder to test from: throw-away keys, the lists, and the target file; for ``init`` and for the embedded references."""

import contextlib
import json
import re
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from medmij_conformance import handbook, pki
from medmij_conformance.cast.digid import address_of
from medmij_conformance.listing import contents, list_documents, lists_for, write_lists
from medmij_conformance.protocol import saml
from medmij_conformance.reference.dvza_deviations import ELSEWHERE
from medmij_conformance.reference.process import RunningReference, launch
from medmij_conformance.requirements import release as load_release
from medmij_conformance.target import Target, load
from medmij_conformance.wire.control import call

HARNESS = "pgo.harness.test"
OTHER = "other.harness.test"
UNLISTED = "unlisted.harness.test"
NAMES = {HARNESS: "Harnas PGO", OTHER: "Tweede PGO & Zn <b>"}
REFERENCE = "za.reference.test"
ZA = "za.harness.test"
OTHER_ZA = "other-za.harness.test"
REFERENCE_PGO = "pgo.reference.test"
STELSELNODE = "stelselnode.harness.test"
REFERENCE_STELSELNODE = "stelselnode.reference.test"
BACK_PORT = 8443
DIGID = "digid.harness.test"
DIGID_BACK = "was.digid.harness.test"
DIGID_PORTS = (8446, 8447)
DIGID_METADATA = "digid-metadata.xml"

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


NODES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "dvza": {
        "harness": (HARNESS, NAMES[HARNESS]),
        "other": (OTHER, NAMES[OTHER]),
        "unlisted": (UNLISTED, "Ongenode BV"),
        "stelselnode": (STELSELNODE, "Teststichting"),
    },
    "dvp": {
        "harness": (ZA, "Testorganisatie"),
        "other": (OTHER_ZA, "Testorganisatie"),
        "gateway": (REFERENCE_PGO, "Testorganisatie"),
        "stelselnode": (STELSELNODE, "Teststichting"),
    },
    "registratie": {
        "harness": (HARNESS, NAMES[HARNESS]),
        "other": (ZA, "Testorganisatie"),
        "unlisted": (UNLISTED, "Ongenode BV"),
    },
}
"""Role under test -> name of the file -> host name and organisation, for the nodes that get a certificate."""


@dataclass(frozen=True, slots=True)
class TestPki:
    """The files of a throw-away PKI, in a folder ``pki``."""

    folder: Path
    issuer: pki.Authority
    ocsp_listen: str

    @property
    def table(self) -> str:
        """The table ``[pki]`` of a target file beside the folder."""
        return _PKI.format(address=self.ocsp_listen)

    @classmethod
    def create(cls, folder: Path, role: str = "dvza") -> "TestPki":
        """Root, issuer and the nodes of ``NODES`` for the role under test. The folder is made.

        The issuer may have authorities below it, so that chains can be wrong in every way; nobody answers for those above it.
        """
        folder.mkdir(parents=True, exist_ok=True)
        listen = f"127.0.0.1:{_free_port()}"
        hierarchy = pki.hierarchy(path_length=None, ocsp_url=f"http://{listen}", authorities_ocsp_url="")
        (folder / "ca.pem").write_bytes(hierarchy.root.certificate_pem)
        pki.Credential(hierarchy.tsp.certificate, hierarchy.tsp.key, hierarchy.tsp.chain).write(folder, "issuer")
        for name, (hostname, organisation) in NODES[role].items():
            hierarchy.tsp.issue(hostname, organisation=organisation).write(folder, name)
        return cls(folder, hierarchy.tsp, listen)

    def issue_strange(self, hostname: str) -> None:
        """Certificates for a reference that are not as they should be, each under a name that says how."""
        issue, now = self.issuer.issue, datetime.now(UTC)
        good, domain = issue(hostname), f"*.{hostname.partition('.')[2]}"
        strange = {
            "wildcard": issue(hostname, names=(domain,), common_name=domain),
            "short-chain": pki.Credential(good.certificate, good.key),
            "for-servers": issue(hostname, usages=(pki.SERVER_AND_CLIENT[0],)),
            "old": issue(hostname, not_before=now - timedelta(days=400), not_after=now + timedelta(days=100)),
            "plain": issue(hostname, policies=(), oin="", ocsp_url="", crl_url="", organisation=""),
        }
        for name, credential in strange.items():
            credential.write(self.folder, name)

    def issue(self, hostname: str, name: str, *more_names: str) -> tuple[Path, Path]:
        """A certificate and a key for another node, as PEM files."""
        return self.issuer.issue(hostname, names=(hostname, *more_names)).write(self.folder, name)

    def issue_digid(self, front: int, back: int) -> Path:
        """Certificates and keys of the DigiD that the harness plays at these ports, and its metadata beside the folder."""
        self.issue(DIGID, "digid", DIGID_BACK)
        signing = self.issuer.issue(DIGID_BACK, key="rsa2048")
        signing.write(self.folder, "digid-signing")
        signer = saml.Signer.from_pem(signing.certificate_pem, signing.key_pem)
        metadata = self.folder.parent / DIGID_METADATA
        entity_id = f"https://{DIGID}{saml.METADATA}"
        metadata.write_bytes(saml.idp_metadata(entity_id, signer, address_of(DIGID, front), address_of(DIGID_BACK, back)))
        return metadata


def reference_dvza(folder: Path, release: str = "1.0", login: str = "digid") -> tuple[Target, RunningReference]:
    """Start ``reference:dvza`` and write a target file that points at it, as a vendor would. The caller stops it.

    ``release`` is ``1.0``, or ``test-2``, the toy release of the tests. ``login``: people log in at the DigiD that the harness
    plays (``digid``), or on a page of the reference itself (``form``).
    """
    test_pki = TestPki.create(folder / "pki")
    test_pki.issue(REFERENCE, "reference", ELSEWHERE)
    test_pki.issue_strange(REFERENCE)
    clients = {HARNESS: NAMES[HARNESS], OTHER: NAMES[OTHER]}
    write_lists(list_documents(contents(nodes=[HARNESS, OTHER, REFERENCE], clients=clients)), folder / "lists")
    settings = {
        "release": release,
        "hostname": REFERENCE,
        "back_port": BACK_PORT,
        "certificate": "pki/reference.pem",
        "key": "pki/reference.key",
        "client_ca": "pki/ca.pem",
        "whitelist": "lists/whitelist.xml",
        "ocl": "lists/oauthclientlist.xml",
        "stelselnode": _stelselnode(lists_port := _free_port()),
        "offers": REFERENCE_OFFERS,
        "persons": dict(REFERENCE_PERSONS.values()),
    }
    table = ""
    if login == "digid":
        settings["digid"], table = _digid_of_reference(test_pki, _free_port(), _free_port())
    settings_file = folder / "reference.json"
    settings_file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    running = launch(settings_file)
    (folder / "consent.txt").write_text(_CONSENT, encoding="utf-8")
    file = folder / "target.toml"
    file.write_text(_reference_target(running.ports, lists_port, release, login, table, test_pki), encoding="utf-8")
    return load(file), running


def _digid_of_reference(test_pki: TestPki, front: int, back: int) -> tuple[dict[str, Any], str]:
    """What the reference has to know of DigiD, and what the target file says of it, for a DigiD at these ports."""
    metadata = test_pki.issue_digid(front, back)
    test_pki.issuer.issue(REFERENCE, key="rsa2048").write(test_pki.folder, "reference-digid")
    settings = {
        "idp_metadata": metadata.name,
        "sp_metadata": "sp-metadata.xml",
        "entity_id": f"https://{REFERENCE}/saml/metadata",
        "certificate": "pki/reference-digid.pem",
        "key": "pki/reference-digid.key",
        "ca": "pki/ca.pem",
        "connect": {f"{DIGID_BACK}:{back}": f"127.0.0.1:{back}"},
    }
    return settings, _digid_table(front, back)


def reference_dvp(folder: Path) -> tuple[Target, RunningReference]:
    """Start ``reference:dvp`` and write a target file that points at it, as a vendor would. The caller stops it."""
    test_pki = TestPki.create(folder / "pki", "dvp")
    test_pki.issue_strange(REFERENCE_PGO)
    front, back, lists_port = (_free_port() for _ in range(3))
    settings_file, file = folder / "reference.json", folder / "target.toml"
    origins = [f"{name}:{port}" for name in (ZA, OTHER_ZA) for port in (front, back)]
    settings = {
        "role": "dvp",
        "hostname": REFERENCE_PGO,
        "redirect_uri": f"https://{REFERENCE_PGO}/cb",
        "certificate": "pki/gateway.pem",
        "key": "pki/gateway.key",
        "ca": "pki/ca.pem",
        "zal": "lists/zorgaanbiederslijst.xml",
        "whitelist": "lists/whitelist.xml",
        "stelselnode": {**_stelselnode(lists_port), "generation": "metamodel"},
        "connect": {origin: f"127.0.0.1:{origin.rpartition(':')[2]}" for origin in origins},
    }
    # The target file comes first: its offers make the lists that the gateway reads when it starts.
    file.write_text(_dvp_target(front, back, lists_port, {"front": 1, "control": "http://127.0.0.1:1"}, test_pki), encoding="utf-8")
    write_lists(lists_for(load(file)), folder / "lists")
    settings_file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    running = launch(settings_file)
    file.write_text(_dvp_target(front, back, lists_port, running.ports, test_pki), encoding="utf-8")
    return load(file), running


def reference_registratie(folder: Path, release: str = "1.0") -> tuple[Target, RunningReference]:
    """Start ``reference:registratie`` and write a target file that points at it, as its operator would. The caller stops it.

    With ``test-2``, the toy release of the tests, a day lasts a few seconds.
    """
    test_pki = TestPki.create(folder / "pki", "registratie")
    test_pki.issue(REFERENCE_STELSELNODE, "reference")
    settings = {
        "role": "registratie",
        "publish_every_s": 2 if release == "test-2" else 86_400,
        "hostname": REFERENCE_STELSELNODE,
        "certificate": "pki/reference.pem",
        "key": "pki/reference.key",
        "client_ca": "pki/ca.pem",
        "participants": [
            {"hostname": HARNESS, "type": "DVP", "organisation": NAMES[HARNESS]},
            {"hostname": "pgo.elders.test", "type": "DVP", "organisation": "PGO Elders"},
            {"hostname": ZA, "type": "DVZA"},
            {"hostname": REFERENCE, "type": "DVZA"},
        ],
        "providers": [
            {"name": "proefkliniek@medmij", "services": [_registered("proefkliniek", code) for code in ("1", "7")]},
            {"name": "huisartsdewilg@medmij", "services": [_registered("dewilg", "1", ZA)]},
        ],
    }
    settings_file, file = folder / "reference.json", folder / "target.toml"
    settings_file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
    running = launch(settings_file)
    file.write_text(_registratie_target(running.ports, release, test_pki), encoding="utf-8")
    return load(file), running


def _registered(path: str, code: str, host: str = REFERENCE) -> dict[str, str]:
    """A service of a care provider as the reference Registratie has it."""
    base = f"https://{host}:{BACK_PORT}/{path}/{code}"
    addresses = {"token_endpoint": f"{base}/token", "resource_endpoint": f"{base}/fhir"}
    authorization = f"https://{host}/{path}/{code}/authorize"
    return {"gegevensdienst": code, "systeemrol": f"XX-{code}", "authorization_endpoint": authorization, **addresses}


REFERENCES: Mapping[str, Callable[[Path], tuple[Target, RunningReference]]] = {
    "dvza": reference_dvza,
    "dvp": reference_dvp,
    "registratie": reference_registratie,
}
"""Role -> starts its embedded reference in a folder."""

SIMPLER: Mapping[str, Callable[[Path], tuple[Target, RunningReference]]] = {"dvza": partial(reference_dvza, login="form")}
"""Role -> starts its embedded reference with less around it: people log in on a page of its own, which takes half the messages."""


def _stelselnode(port: int) -> dict[str, Any]:
    """Where a reference gateway fetches its lists: the Stelselnode that the harness plays."""
    return {
        "url": f"https://{STELSELNODE}:{port}",
        "ca": "pki/ca.pem",
        "connect": {f"{STELSELNODE}:{port}": f"127.0.0.1:{port}"},
    }


def _lists_table(port: int) -> str:
    return f"""[lists]
listen = "127.0.0.1:{port}"
host = "{STELSELNODE}"
certificate = "pki/stelselnode.pem"
key = "pki/stelselnode.key"
"""


_FIRST_PORT, _BLOCK, _BLOCKS = 20_000, 16, 750  # below those that the system gives to outgoing connections
_guards: list[socket.socket] = []
_ports: list[int] = []
_choosing = threading.Lock()


def _free_port() -> int:
    """A port that nobody listens on, and that no other process which asks here gets, for as long as this one lives.

    Raises ``OSError`` when none is to be had.
    """
    with _choosing:
        while True:
            while _ports:
                port = _ports.pop()
                with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
                    return port
            _ports.extend(_block())


def _block() -> range:
    """Ports for this process alone: whoever has bound the first one of a block, and keeps it, has the others."""
    for _ in range(100):
        first = _FIRST_PORT + _BLOCK * secrets.randbelow(_BLOCKS)
        guard = socket.socket()
        try:
            guard.bind(("127.0.0.1", first))
        except OSError:
            guard.close()
        else:
            _guards.append(guard)
            return range(first + 1, first + _BLOCK)
    raise OSError(f"no free port was found between {_FIRST_PORT} and {_FIRST_PORT + _BLOCK * _BLOCKS}")


def follow(target: Target, control: str) -> Target:
    """The target of a running reference, after a deviation may have moved an endpoint. Writes the file anew when it has."""
    if target.about.role != "dvza":
        return target
    host = call(f"{control}/addresses")["resource"]
    offers = tuple(urlsplit(offer.resource_endpoint).hostname for offer in target.offers)
    if offers == (host,) * len(offers):
        return target
    text = target.path.read_text(encoding="utf-8")
    target.path.write_text(re.sub(r'(resource_endpoint = "https://)[^:]+', rf"\g<1>{host}", text), encoding="utf-8")
    return load(target.path)


def initialise(folder: Path, role: str) -> list[str]:
    """Make a folder to test a gateway of ``role`` from: PKI, lists and a commented target file. Returns what to do next."""
    test_pki = TestPki.create(folder / "pki", role)
    if role == "dvza":
        test_pki.issue_digid(*DIGID_PORTS)
    _write_pkcs12(test_pki, role)
    file = folder / "target.toml"
    before = "[hooks]" if role == "registratie" else "[persons]"
    file.write_text(_TEMPLATES[role].replace(before, f"{test_pki.table}{before}", 1), encoding="utf-8")
    target = load(file)
    written = [] if role == "registratie" else write_lists(lists_for(target), folder / "lists")
    readme = folder / "README.md"
    readme.write_text(handbook.page(target, _contents(folder, role)), encoding="utf-8")
    if role == "registratie":
        made = f"made {file}, {readme} and {folder / 'pki'}"
        return [made, "", *_advice_registratie(folder), f"  medmij-conformance run {file}"]
    made = f"made {file}, {readme}, {folder / 'pki'} and {', '.join(path.name for path in written)} in {folder / 'lists'}"
    advice = _advice_dvp if role == "dvp" else _advice_dvza
    again = (
        f"  medmij-conformance export-lists {file} --out {folder / 'lists'}",
        f"  medmij-conformance run {file}",
    )
    return [made, "", *advice(folder, written), *again]


def _write_pkcs12(test_pki: TestPki, role: str) -> None:
    """The nodes of a test PKI once more as PKCS#12, its root as a trust store, and the password of all of them in a file."""
    folder, password = test_pki.folder, secrets.token_urlsafe(18)
    files = {
        name: pki.Credential.from_pem((folder / f"{name}.pem").read_bytes(), (folder / f"{name}.key").read_bytes()).pkcs12(password)
        for name in ("issuer", *NODES[role])
    }
    files = {f"{name}.p12": content for name, content in files.items()}
    files[handbook.TRUST_STORE] = pki.trust_store((folder / "ca.pem").read_bytes(), password)
    files[handbook.PASSWORD] = f"{password}\n".encode()
    for name, content in files.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_bytes(content)


_LISTS = {
    "zorgaanbiederslijst.xml": "the Zorgaanbiederslijst (ZAL): who offers what, and where",
    "whitelist.xml": "the Whitelist: nodes that may be spoken to",
    "oauthclientlist.xml": "the OAuth client list: names of PGO gateways",
}


def _contents(folder: Path, role: str) -> dict[str, str]:
    """The files of a workspace, as its page lists them: path -> what it is."""
    files = {"target.toml": "the target file: what is tested, and how to reach it"}
    files |= {"pki/ca.pem": "root of the test PKI", f"pki/{handbook.TRUST_STORE}": "the same as a trust store"}
    files |= {"pki/issuer.pem": "issuer below it (key: `issuer.key`), for `[pki]`", "pki/issuer.p12": "the same as PKCS#12"}
    for name, (hostname, _) in NODES[role].items():
        files |= {f"pki/{name}.pem": f"certificate and chain of {hostname} (key: `{name}.key`)"}
        files |= {f"pki/{name}.p12": "the same as PKCS#12"}
    files[f"pki/{handbook.PASSWORD}"] = "the password of every `.p12` file"
    if role == "dvza":
        files |= {"pki/digid.pem": "certificate of the DigiD that the harness plays (key: `digid.key`)"}
        files |= {"pki/digid-signing.pem": "certificate of its SAML signatures (key: `digid-signing.key`)"}
        files |= {DIGID_METADATA: "its SAML metadata"}
    files |= {f"lists/{path.name}": _LISTS.get(path.name, "") for path in sorted((folder / "lists").glob("*"))}
    return files


_ADVICE_OCSP = (
    "It asks about their certificates by OCSP, at the ocsp_url of [pki], where the harness answers during a run.",
    "From another machine: other addresses in [pki], and certificates that name them, made by your own issuer.",
)


def _advice_dvza(folder: Path, written: Sequence[Path]) -> list[str]:
    return [
        "Your gateway must trust:",
        f"  {folder / 'pki' / 'ca.pem'}  as the authority of client certificates on its back channel (test only)",
        "Your gateway must load:",
        *(f"  {path}" for path in written),
        f"It will meet the PGO gateways {HARNESS} and {OTHER} (both listed) and {UNLISTED} (on no list).",
        *_ADVICE_OCSP,
        f"If it is to log people in at the DigiD of the harness (login.mode = digid): let it load {folder / DIGID_METADATA},",
        f"put its own SAML metadata into {folder / 'sp-metadata.xml'}, and let it find {DIGID_BACK} (a line in its hosts file).",
        "Then, in the target file: its addresses, where they really are, its certificate authority, your test persons,",
        "and how its pages are used. After each change of an address:",
    ]


def _advice_dvp(folder: Path, written: Sequence[Path]) -> list[str]:
    return [
        "Your PGO gateway must trust:",
        f"  {folder / 'pki' / 'ca.pem'}  as the authority of the ZA gateways' certificates (test only)",
        f"and show {folder / 'pki' / 'gateway.pem'} (key beside it) to them, or another certificate that [trust] names.",
        "Your PGO gateway must load:",
        *(f"  {path}" for path in written),
        f"It must find {ZA} and {OTHER_ZA} at the addresses of [harness] (a line in its hosts file will do).",
        *_ADVICE_OCSP,
        "Then, in the target file: its node name and redirect URI, where they really are, how a collection is started, and how",
        "its last page shows what came of it. After each change of an address or a node name:",
    ]


def _advice_registratie(folder: Path) -> list[str]:
    return [
        "Your Stelselnode must trust:",
        f"  {folder / 'pki' / 'ca.pem'}  as the authority of the nodes' certificates (test only)",
        "Your test register must hold:",
        f"  {HARNESS}  a PGO gateway of the organisation {NAMES[HARNESS]}",
        f"  {ZA}  a ZA gateway, without a name for people",
        f"and must not hold {UNLISTED}.",
        "Then, in the target file: where your lists are, where that really is, and its certificate authority. After that:",
    ]


_PKI = """[pki]                                 # an issuer that the gateway trusts, for certificates with one defect each
issuer = "pki/issuer.pem"
issuer_key = "pki/issuer.key"
ocsp_url = "http://{address}"   # stands in every certificate: your gateway must reach it
ocsp_listen = "{address}"         # where we answer

"""
_OTHER_NODES = f"""[harness.other]                       # a second one on the lists; the markup in its name is part of the test
hostname = "{OTHER}"
name = "{NAMES[OTHER]}"
certificate = "pki/other.pem"
key = "pki/other.key"

[harness.unlisted]                    # a node on no list
hostname = "{UNLISTED}"
certificate = "pki/unlisted.pem"
key = "pki/unlisted.key"

"""
_RECIPE = """[[user_agent.action]]                 # how a page is used: page = CSS selector that recognises it
intent = "log in"
page = "form#login"
fill = { bsn = "{bsn}" }
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

"""


def _digid_table(front: int, back: int) -> str:
    """The table ``[digid]`` for a DigiD at these ports."""
    return f"""[digid]                               # the DigiD that the harness plays
host = "{DIGID}"
back_host = "{DIGID_BACK}"
listen = "127.0.0.1:{front}"
listen_back = "127.0.0.1:{back}"
certificate = "pki/digid.pem"
key = "pki/digid.key"
signing_certificate = "pki/digid-signing.pem"
signing_key = "pki/digid-signing.key"
sp_metadata = "sp-metadata.xml"
level = "midden"                      # the least that the care provider wants: basis, midden, substantieel or hoog

"""


def _commented(text: str) -> str:
    """Lines of a target file as comments; empty ones stay."""
    return "".join(f"# {line}" if line.strip() else line for line in text.splitlines(keepends=True))


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
key = "pki/harness.key"               # or PKCS#12, without a key, and with its password:
# certificate = "pki/harness.p12"     # export MEDMIJ_P12_PASSWORD="$(cat pki/password.txt)"
# key_password = {{ env = "MEDMIJ_P12_PASSWORD" }}

{_OTHER_NODES}[persons]                             # synthetic people; the keys are yours, and fill the {{braces}} of the recipe
available = {{ bsn = "999990019" }}     # has data for every offer
unavailable = {{ bsn = "999990020" }}   # known, but nothing is available
unknown = {{ bsn = "{UNKNOWN_BSN}" }}
# available_2 = {{ bsn = "999990081" }} # a second one with data
# young = {{ bsn = "999990056" }}       # under sixteen
# no_relation = {{ bsn = "999990068" }} # no treatment relation

[login]
mode = "form"                         # your own login page stands in for DigiD; "digid": the harness plays DigiD, as follows

{_commented(_digid_table(*DIGID_PORTS))}{_RECIPE}[consent]
# full_text_url = "https://..."       # where the page links the full statement; default: anywhere at medmij.nl
# purpose = ["..."]                   # phrases by which the purpose is recognised

# [lists]                             # lets your gateway fetch its lists from us: https://{STELSELNODE}:8445/whitelist
# listen = "127.0.0.1:8445"           # (/zal, /ocl); see docs/registratie.md
# certificate = "pki/stelselnode.pem"
# key = "pki/stelselnode.key"

[hooks]                               # what you can do for the harness during a run
# source_down = {{ command = ["./source", "down"] }}
# source_up = {{ http = "http://127.0.0.1:9000/source/up" }}
# questions = "operator"              # what cannot be seen is asked at the terminal; or a command, or http
""",
    "dvp": f"""# What is tested and how to reach it. A key that is left out has its default; any string may be {{ env = "NAME" }}.
# Paths are relative to this file.

[target]
name = "My PGO gateway"               # as the report shows it
# vendor = "", product = "", version = "", commit = "", environment = ""
role = "dvp"
release = "1.0"
# scope_template = "{{gegevensdienst}}" # how a scope is written

[[offer]]                             # what the harness offers your gateway; repeat the table for more
zorgaanbieder = "proefkliniek@medmij"
gegevensdienst = "1"                  # leave out the services that your PGO does not support

[[offer]]                             # an authorization endpoint with a query of its own, which has to be kept
zorgaanbieder = "proefkliniek@medmij"
gegevensdienst = "7"
authorization_endpoint = "https://{ZA}:8443/proefkliniek/7/authorize?tenant=7"

[[offer]]                             # a second ZA gateway, that your PGO has never met
zorgaanbieder = "testhuisarts@medmij"
gegevensdienst = "1"
node = "other"

[connect]                             # instead of DNS, and the only addresses of yours that are ever dialled
"{REFERENCE_PGO}:443" = "127.0.0.1:8080"

[trust]
ca = ["pki/ca.pem"]                   # authority of your certificate as a client of the back channel: replace by yours
# front = "system"                    # of your pages: "system" or files; default: the same as ca

[harness]                             # the ZA gateway that the harness plays
hostname = "{ZA}"
certificate = "pki/harness.pem"
key = "pki/harness.key"               # or PKCS#12, without a key, and with its password:
# certificate = "pki/harness.p12"     # export MEDMIJ_P12_PASSWORD="$(cat pki/password.txt)"
# key_password = {{ env = "MEDMIJ_P12_PASSWORD" }}
listen = "127.0.0.1:8443"             # where people come to log in and consent
listen_back = "127.0.0.1:8444"        # where your gateway comes with its certificate

[harness.other]                       # the second ZA gateway; it listens at the same places
hostname = "{OTHER_ZA}"
certificate = "pki/other.pem"
key = "pki/other.key"

[persons]                             # a synthetic person; her BSN must turn up nowhere
available = {{ bsn = "999990019" }}

[gateway]                             # your gateway
hostname = "{REFERENCE_PGO}"     # its node name and client_id
redirect_uri = "https://{REFERENCE_PGO}/cb"

[start]                               # how a collection is started: http (our browser opens url), browser (Chromium does),
mode = "http"                         # command (your program), operator (you do, in a browser of your own)
url = "https://{REFERENCE_PGO}/start?zorgaanbieder={{zorgaanbieder}}&gegevensdienst={{gegevensdienst}}"
# break_off = "https://..."           # where a person breaks off a collection for which she has not come back
# command = ["./collect"]             # gets MEDMIJ_ZORGAANBIEDER, MEDMIJ_GEGEVENSDIENST, MEDMIJ_ZAL, MEDMIJ_WHITELIST, MEDMIJ_OCL

[outcome]                             # how the last page shows what came of it: text, or css:SELECTOR
collected = "css:.collected"
failed = "css:.failed"
# wait_s = 30                         # when collecting goes on after the page is there; url = "https://...": where to look

# [[user_agent.action]]               # when the person has to log in at your PGO first
# intent = "log in at the PGO"
# page = "form#login"
# fill = {{ user = "roos", password = "..." }}
# press = "button[type=submit]"

# [lists]                             # lets your gateway fetch its lists from us: https://{STELSELNODE}:8445/whitelist
# listen = "127.0.0.1:8445"           # (/zal, /ocl); see docs/registratie.md
# certificate = "pki/stelselnode.pem"
# key = "pki/stelselnode.key"

[hooks]                               # what you can do for the harness during a run
# dossier = {{ command = ["./dossier"] }} # every stored item as JSON: content, medmij, obtained, consent_profile
# log = {{ command = ["./log"] }}         # every record as JSON: event, time, person, zorgaanbieder, gegevensdienst
# reload_lists = {{ http = "http://127.0.0.1:9000/reload" }}
""",
    "registratie": f"""# What is tested and how to reach it. A key that is left out has its default; any string may be
# {{ env = "NAME" }}. Paths are relative to this file.

[target]
name = "My Registratie"               # as the report shows it
# vendor = "", product = "", version = "", commit = "", environment = ""
role = "registratie"
release = "1.0"

[registratie]                         # where the lists are
zal_url = "https://stelselnode.example.nl/zorgaanbiederslijst"
whitelist_url = "https://stelselnode.example.nl/whitelist"
ocl_url = "https://stelselnode.example.nl/oauthclientlist"

[lists]
generation = "1.0"                    # the form of the lists: 1.0 or 1.1

[connect]                             # instead of DNS, and the only addresses that are ever dialled
"stelselnode.example.nl:443" = "127.0.0.1:8443"

[trust]
ca = ["pki/ca.pem"]                   # authority of the Stelselnode's certificate: replace by yours

[harness]                             # the PGO gateway that the harness plays
hostname = "{HARNESS}"
name = "{NAMES[HARNESS]}"                   # its organisation, as it is registered
certificate = "pki/harness.pem"
key = "pki/harness.key"               # or PKCS#12, without a key, and with its password:
# certificate = "pki/harness.p12"     # export MEDMIJ_P12_PASSWORD="$(cat pki/password.txt)"
# key_password = {{ env = "MEDMIJ_P12_PASSWORD" }}

[harness.other]                       # the ZA gateway that the harness plays
hostname = "{ZA}"
certificate = "pki/other.pem"
key = "pki/other.key"

[harness.unlisted]                    # a node on no list
hostname = "{UNLISTED}"
certificate = "pki/unlisted.pem"
key = "pki/unlisted.key"

[hooks]                               # what you can do for the harness during a run
# registration = {{ command = ["./register"] }} # gets action, list and entry as JSON; answers {{"accepted": ..., "reason": ...}}
# clock = {{ http = "http://127.0.0.1:9000/clock" }} # lets forward_s seconds pass; without it: --plan watch --for 26h
""",
}


def _reference_target(ports: Mapping[str, Any], lists_port: int, release: str, login: str, digid: str, test_pki: TestPki) -> str:
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
        for name in ("source_down", "source_up", "authz_unknown", "reload_lists", "clock", "log", "questions")
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
"{ELSEWHERE}:{BACK_PORT}" = "127.0.0.1:{ports["back"]}"

[trust]
ca = ["pki/ca.pem"]

[harness]
hostname = "{HARNESS}"
name = "{NAMES[HARNESS]}"
certificate = "pki/harness.pem"
key = "pki/harness.key"

{_OTHER_NODES}{test_pki.table}[persons]
{persons}
unknown = {{ bsn = "{UNKNOWN_BSN}" }}

[login]
mode = "{login}"

{digid}{_RECIPE}{_lists_table(lists_port)}
[limits]
load = true

[consent]
text = "consent.txt"
full_text_url = "https://www.medmij.nl/toestemming"
purpose = ["in your own personal health environment"]

[hooks]
{hooks}
"""


def _dvp_target(front: int, back: int, lists_port: int, ports: Mapping[str, Any], test_pki: TestPki) -> str:
    hooks = "\n".join(
        f'{name} = {{ http = "{ports["control"]}/{name}" }}' for name in ("reload_lists", "clock", "dossier", "log", "questions")
    )
    return f"""# The target file of the embedded reference PGO: what a vendor's own file looks like.
[target]
name = "reference:dvp"
product = "medmij-conformance reference"
role = "dvp"

[[offer]]
zorgaanbieder = "proefkliniek@medmij"
gegevensdienst = "1"

[[offer]]
zorgaanbieder = "proefkliniek@medmij"
gegevensdienst = "7"
authorization_endpoint = "https://{ZA}:{front}/proefkliniek/7/authorize?tenant=7"

[[offer]]
zorgaanbieder = "testhuisarts@medmij"
gegevensdienst = "1"
node = "other"

[connect]
"{REFERENCE_PGO}:443" = "127.0.0.1:{ports["front"]}"

[trust]
ca = ["pki/ca.pem"]

[harness]
hostname = "{ZA}"
certificate = "pki/harness.pem"
key = "pki/harness.key"
listen = "127.0.0.1:{front}"
listen_back = "127.0.0.1:{back}"

[harness.other]
hostname = "{OTHER_ZA}"
certificate = "pki/other.pem"
key = "pki/other.key"

{test_pki.table}[persons]
available = {{ bsn = "999990019" }}

[gateway]
hostname = "{REFERENCE_PGO}"
redirect_uri = "https://{REFERENCE_PGO}/cb"

[start]
mode = "http"
url = "https://{REFERENCE_PGO}/start?zorgaanbieder={{zorgaanbieder}}&gegevensdienst={{gegevensdienst}}"
break_off = "https://{REFERENCE_PGO}/cancel"

[outcome]
collected = "css:.collected"
failed = "css:.failed"

{_lists_table(lists_port)}generation = "metamodel"             # has addresses with a port or a query

[hooks]
{hooks}
"""


def _registratie_target(ports: Mapping[str, Any], release: str, test_pki: TestPki) -> str:
    hooks = "\n".join(f'{name} = {{ http = "{ports["control"]}/{name}" }}' for name in ("registration", "clock"))
    return f"""# The target file of the embedded reference Registratie: what its operator's own file looks like.
[target]
name = "reference:registratie"
product = "medmij-conformance reference"
role = "registratie"
release = "{release}"

[registratie]
zal_url = "https://{REFERENCE_STELSELNODE}/zal"
whitelist_url = "https://{REFERENCE_STELSELNODE}/whitelist"
ocl_url = "https://{REFERENCE_STELSELNODE}/ocl"

[connect]
"{REFERENCE_STELSELNODE}:443" = "127.0.0.1:{ports["back"]}"

[trust]
ca = ["pki/ca.pem"]

[harness]
hostname = "{HARNESS}"
name = "{NAMES[HARNESS]}"
certificate = "pki/harness.pem"
key = "pki/harness.key"

[harness.other]
hostname = "{ZA}"
certificate = "pki/other.pem"
key = "pki/other.key"

[harness.unlisted]
hostname = "{UNLISTED}"
certificate = "pki/unlisted.pem"
key = "pki/unlisted.key"

{test_pki.table}[hooks]
{hooks}
"""


_CONSENT = """You allow {zorgaanbieder} to hand over your data of the service {gegevensdienst} to {pgo}.
The data will be kept in your own personal health environment, and nothing else is done with them here.
"""


def _path(offer: Mapping[str, str]) -> str:
    return f"{offer['zorgaanbieder'].partition('@')[0]}/{offer['gegevensdienst']}"
