"""The foreign ZA gateway, started as a process of its own and tested as any vendor's gateway is: by a target file."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from medmij_conformance import workspace
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
        lists = workspace.write_lists(workspace.lists_for(load(target)), folder / "lists")
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
