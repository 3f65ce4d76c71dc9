"""The foreign gateways, started as processes of their own and tested as any vendor's gateway is: by a target file."""

import contextlib
import json
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from medmij_conformance import listing, workspace
from medmij_conformance.target import load

HOST = "za.foreign.test"
PLACES = {"kliniek": "Kliniek De Vreemde Eend", "praktijk": "Praktijk Over de Grens"}
OFFERS = (("kliniek", "1"), ("kliniek", "7"), ("praktijk", "1"))
SERVICES = {"1": "Basisgegevens Zorg", "7": "Laboratoriumresultaten"}
ADULT, CHILD = datetime.now(UTC).year - 50, datetime.now(UTC).year - 12
PERSONS = {
    "available": ("999990019", {"birth_year": ADULT, "available": ["1", "7"]}),
    "available_2": ("999990081", {"birth_year": ADULT, "available": ["1", "7"]}),
    "unavailable": ("999990020", {"birth_year": ADULT, "available": []}),
    "young": ("999990056", {"birth_year": CHILD, "available": ["1", "7"]}),
}

HEAD = f"""
[target]
name = "Vreemde ZA Gateway"
role = "dvza"

[trust]
ca = ["pki/ca.pem"]

[harness]
hostname = "{workspace.HARNESS}"
name = "{workspace.NAMES[workspace.HARNESS]}"
certificate = "pki/harness.pem"
key = "pki/harness.key"

[harness.other]
hostname = "{workspace.OTHER}"
name = "{workspace.NAMES[workspace.OTHER]}"
certificate = "pki/other.pem"
key = "pki/other.key"

[harness.unlisted]
hostname = "{workspace.UNLISTED}"
certificate = "pki/unlisted.pem"
key = "pki/unlisted.key"

[login]
mode = "form"

[consent]
full_text_url = "https://www.medmij.nl/toestemming"
purpose = ["persoonlijke gezondheidsomgeving (PGO)"]

[hooks]
source_down = {{ command = ["{sys.executable}", "source.py", "down"] }}
source_up = {{ command = ["{sys.executable}", "source.py", "up"] }}

[persons]
unknown = {{ bsn = "{workspace.UNKNOWN_BSN}" }}
"""
RECIPE = (
    ("log in", "form#aanmelden", "button[name=actie][value=inloggen]"),
    ("cancel login", "form#aanmelden", "button[name=actie][value=annuleren]"),
    ("give consent", "form#verklaring", "button[name=besluit][value=ja]"),
    ("refuse consent", "form#verklaring", "button[name=besluit][value=nee]"),
    ("leave consent unanswered", "form#verklaring", "form#verklaring"),
)
SOURCE = """import json, pathlib, sys
file, new = pathlib.Path("config.json"), pathlib.Path("config.json.new")
new.write_text(json.dumps(json.loads(file.read_text()) | {"source_down": sys.argv[1] == "down"}))
new.replace(file)
"""

Foreign = Callable[..., contextlib.AbstractContextManager[Path]]


def _target_file(front: int, back: int) -> str:
    lines = [HEAD, *(f'{name} = {{ bsn = "{bsn}" }}' for name, (bsn, _) in PERSONS.items())]
    lines += ["[connect]", f'"{HOST}:443" = "127.0.0.1:{front}"', f'"{HOST}:8443" = "127.0.0.1:{back}"']
    for place, service in OFFERS:
        lines += ["[[offer]]", f'zorgaanbieder = "{place}@medmij"', f'display_name = "{PLACES[place]}"']
        lines += [f'gegevensdienst = "{service}"']
        lines += [f'authorization_endpoint = "https://{HOST}/{place}/{service}/authorize"']
        lines += [f'token_endpoint = "https://{HOST}:8443/{place}/{service}/token"']
        lines += [f'resource_endpoint = "https://{HOST}:8443/{place}/{service}/fhir"']
    for intent, page, press in RECIPE:
        lines += ["[[user_agent.action]]", f'intent = "{intent}"', f'page = "{page}"', f'press = "{press}"']
        lines += ['fill = { burgerservicenummer = "{bsn}" }'] * (intent == "log in")
    return "\n".join(lines)


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    """Starts the foreign gateway, with these defects planted, and gives the target file to test it with."""
    keys = workspace.TestPki.create(tmp_path_factory.mktemp("foreign") / "pki")
    certificate, key = keys.issue(HOST, "foreign")

    @contextlib.contextmanager
    def start(*defects: str) -> Iterator[Path]:
        folder = tmp_path_factory.mktemp("gateway")
        (folder / "pki").symlink_to(keys.folder)
        target = folder / "target.toml"
        target.write_text(_target_file(1, 1), encoding="utf-8")  # the lists need no ports, and the gateway needs the lists
        lists = listing.write_lists(listing.lists_for(load(target)), folder / "lists")
        by_name = {path.name: str(path) for path in lists}
        config = {
            "hostname": HOST,
            "certificate": str(certificate),
            "key": str(key),
            "client_ca": str(keys.folder / "ca.pem"),
            "whitelist": by_name["whitelist.xml"],
            "clients": by_name["oauthclientlist.xml"],
            "providers": [
                {"path": f"/{place}", "display_name": PLACES[place], "services": {service: SERVICES[service]}}
                for place, service in OFFERS
            ],
            "persons": dict(PERSONS.values()),
            "defects": defects,
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        (folder / "source.py").write_text(SOURCE, encoding="utf-8")
        command = [sys.executable, str(Path(__file__).with_name("za_gateway.py")), str(folder / "config.json")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            ports = json.loads(process.stdout.readline())
            target.write_text(_target_file(ports["front"], ports["back"]), encoding="utf-8")
            yield target
            process.stdin.close()

    return start


PGO_HOST = "pgo.foreign.test"
_PGO_SCRIPT = Path(__file__).with_name("pgo_gateway.py")


def _pgo_target_file(gateway: int, front: int, back: int) -> str:
    hooks = "\n".join(
        f'{name} = {{ command = ["{sys.executable}", "{_PGO_SCRIPT}", "config.json", "{name}"] }}'
        for name in ("clock", "dossier", "log")
    )
    return f"""
[target]
name = "Vreemde PGO"
role = "dvp"

[[offer]]
zorgaanbieder = "kliniek@medmij"
gegevensdienst = "1"

[[offer]]
zorgaanbieder = "kliniek@medmij"
gegevensdienst = "7"
authorization_endpoint = "https://{workspace.ZA}:{front}/kliniek/7/authorize?afdeling=a%20b&x=1"

[[offer]]
zorgaanbieder = "praktijk@medmij"
gegevensdienst = "1"
node = "other"

[connect]
"{PGO_HOST}:443" = "127.0.0.1:{gateway}"

[trust]
ca = ["pki/ca.pem"]

[harness]
hostname = "{workspace.ZA}"
certificate = "pki/harness.pem"
key = "pki/harness.key"
listen = "127.0.0.1:{front}"
listen_back = "127.0.0.1:{back}"

[harness.other]
hostname = "{workspace.OTHER_ZA}"
certificate = "pki/other.pem"
key = "pki/other.key"

[persons]
available = {{ bsn = "999990019" }}

[gateway]
hostname = "{PGO_HOST}"
redirect_uri = "https://{PGO_HOST}/cb"

[start]
mode = "http"
url = "https://{PGO_HOST}/start?zorgaanbieder={{zorgaanbieder}}&gegevensdienst={{gegevensdienst}}"

[outcome]
collected = "Uw gegevens zijn opgehaald"
failed = "Er zijn geen gegevens opgehaald"

[hooks]
{hooks}
"""


def _free_port() -> int:
    """A port that nobody listens on, below those that the system gives to outgoing connections."""
    for _ in range(100):
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise OSError("no free port was found between 20000 and 32000")


@pytest.fixture(scope="session")
def foreign_pgo(tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    """Starts the foreign PGO gateway, with these defects planted, and gives the target file to test it with."""
    keys = workspace.TestPki.create(tmp_path_factory.mktemp("foreign-pgo") / "pki", "dvp")
    certificate, key = keys.issue(PGO_HOST, "foreign")

    @contextlib.contextmanager
    def start(*defects: str) -> Iterator[Path]:
        folder = tmp_path_factory.mktemp("pgo-gateway")
        (folder / "pki").symlink_to(keys.folder)
        target, front, back = folder / "target.toml", _free_port(), _free_port()
        target.write_text(_pgo_target_file(1, front, back), encoding="utf-8")  # the lists need no port of the gateway
        by_name = {path.name: str(path) for path in listing.write_lists(listing.lists_for(load(target)), folder / "lists")}
        nodes = (workspace.ZA, workspace.OTHER_ZA)
        config = {
            "hostname": PGO_HOST,
            "certificate": str(certificate),
            "key": str(key),
            "ca": str(keys.folder / "ca.pem"),
            "zal": by_name["zorgaanbiederslijst.xml"],
            "whitelist": by_name["whitelist.xml"],
            "connect": {f"{node}:{port}": f"127.0.0.1:{port}" for node in nodes for port in (front, back)},
            "database": str(folder / "pgo.sqlite"),
            "clock": str(folder / "clock"),
            "defects": defects,
        }
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        command = [sys.executable, str(_PGO_SCRIPT), str(folder / "config.json")]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            assert process.stdout
            ports = json.loads(process.stdout.readline())
            target.write_text(_pgo_target_file(ports["front"], front, back), encoding="utf-8")
            yield target
            process.stdin.close()

    return start


class Judged(NamedTuple):
    """A finished run: its process and what results.json says."""

    exit_code: int
    said: str
    results: Mapping[str, Any]

    def requirements(self, outcome: str) -> set[str]:
        """The requirements that had this outcome."""
        return {row["id"] for row in self.results["requirements"] if row["outcome"] == outcome}

    def verdicts(self, *outcomes: str) -> list[tuple[str, str, str]]:
        """Check, scenario and what was observed, of the verdicts with one of these outcomes."""
        rows = [(scenario["id"], verdict) for scenario in self.results["scenarios"] for verdict in scenario["verdicts"]]
        return [(v["check"], id_, v["observed"]) for id_, v in rows if v["outcome"] in outcomes]


@pytest.fixture(scope="session")
def judge_all(medmij: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Mapping[str, Judged]]:
    """Runs everything against a sound gateway, whose name is empty, and the broken requirement for each defect; two at a time."""

    def judge_all(start: Foreign, requirements: Mapping[str, str]) -> Mapping[str, Judged]:
        def judge(defect: str) -> Judged:
            directory: Path = tmp_path_factory.mktemp("judged") / "report"
            with start(*[defect] * bool(defect)) as target:
                only = ("--only", requirements[defect]) if defect else ()
                process = medmij("run", target, "--seed", 7, "--quiet", "--report-dir", directory, *only, timeout=600)
            results = directory / "results.json"
            assert results.is_file(), process.stderr
            return Judged(process.returncode, process.stderr, json.loads(results.read_text(encoding="utf-8")))

        names = ["", *requirements]
        with ThreadPoolExecutor(2) as pool:
            return dict(zip(names, pool.map(judge, names), strict=True))

    return judge_all
