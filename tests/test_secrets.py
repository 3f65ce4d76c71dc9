"""No secret of a run stands in anything that the run leaves behind.

What was secret is not asked of the harness, which might overlook the same things twice, but of the gateway: the reference of these
tests writes down every answer that it gives, raw.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from medmij_conformance.redaction import BSN_ENCODINGS
from medmij_conformance.target import load

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def texts(finished: Any) -> Mapping[str, str]:
    """Every file of the report, and what the run said, as text; and what is wrapped in base64 in the journal, unwrapped."""
    files = {str(path.relative_to(finished.directory)): path for path in finished.directory.rglob("*") if path.is_file()}
    texts = {name: path.read_bytes().decode("latin-1") for name, path in files.items()}
    wrapped = re.findall(r'"base64": ?"([^"]*)"', texts["evidence.jsonl"])
    texts["bodies in base64"] = "\n".join(base64.b64decode(body).decode("latin-1") for body in wrapped)
    texts["standard output"], texts["standard error"] = finished.process.stdout, finished.process.stderr
    return texts


def leaks(secrets: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """Where a secret stands, in whatever case, as it is or percent-encoded; the secret itself is not repeated."""
    forms = {form.lower(): name for secret, name in secrets.items() for form in (secret, quote(secret, safe=""))}
    lowered = {place: text.lower() for place, text in texts.items()}
    return sorted({f"{name} in {place}" for form, name in forms.items() for place, text in lowered.items() if form in text})


@pytest.fixture(scope="module")
def issued(reference: Any, finished: Any) -> Mapping[str, str]:
    """Every code, token and cookie value that the reference gave out -> what it is."""
    return {value: kind for headers, body in reference.answers() for kind, value in _secrets_of(headers, body) if value}


def _secrets_of(headers: list[tuple[str, str]], body: str) -> Iterator[tuple[str, str]]:
    for name, value in headers:
        if name.lower() == "set-cookie":
            yield "cookie", value.partition(";")[0].partition("=")[2]
        if name.lower() == "location":
            yield from (("code", code) for code in parse_qs(urlsplit(value).query).get("code", ()))
    if body.startswith("{") and (token := json.loads(body).get("access_token")):
        yield "token", token


def test_the_report_is_all_there(texts: Mapping[str, str], finished: Any) -> None:
    """There is something to search: journal and formats, of a run that passed."""
    assert finished.process.returncode == 0, finished.process.stderr
    assert {
        "evidence.jsonl",
        "results.json",
        "report.html",
        "junit.xml",
        "testreport.json",
        "evidence.har",
        "summary.md",
        "manifest.json",
    } <= texts.keys()
    assert len(texts["evidence.jsonl"]) > 100_000


def test_the_search_finds_what_is_there(texts: Mapping[str, str]) -> None:
    """The search is no blank: a client id, in any case and spelling, is found in the journal and in the page."""
    places = {leak.rpartition(" in ")[2] for leak in leaks({"PGO.harness.test/cb": "address"}, texts)}
    assert {"evidence.jsonl", "report.html"} <= places


@pytest.mark.parametrize("kind", ["code", "token", "cookie"])
def test_nothing_that_the_gateway_issued_is_left(kind: str, issued: Mapping[str, str], texts: Mapping[str, str]) -> None:
    """Of the many codes, tokens and cookie values of the run none stands in what it left."""
    own = {value: kind for value, what in issued.items() if what == kind}
    assert len(own) > 20  # a run issues more; fewer would mean that the gateway was hardly used
    assert leaks(own, texts) == []


def test_codes_and_tokens_still_look_like_themselves(issued: Mapping[str, str], texts: Mapping[str, str]) -> None:
    """In their place stand as many others of the same form, so that the evidence can be judged."""
    real = {value for value, kind in issued.items() if kind in {"code", "token"}}
    shown = set(UUID.findall(texts["evidence.jsonl"]))
    assert all(UUID.fullmatch(value) for value in real)
    assert not real & shown
    assert len(shown) > 100


@pytest.mark.parametrize("encoding", BSN_ENCODINGS)
def test_no_test_person_is_left(encoding: str, reference: Any, texts: Mapping[str, str]) -> None:
    """No BSN of a test person, in whatever encoding."""
    persons = [person for persons in load(reference.target).persons.values() for person in persons]
    assert len(persons) >= 7
    encode = BSN_ENCODINGS[encoding]
    assert leaks({encode(person["bsn"]): f"BSN of {number}" for number, person in enumerate(persons)}, texts) == []


def _private_lines(key: Path) -> Iterator[str]:
    """The lines of a key file, but for those that hold nothing but the public half, which the certificate shows too."""
    certificate = load_pem_x509_certificate(key.with_suffix(".pem").read_bytes()).public_bytes(Encoding.DER)
    for line in key.read_text().splitlines():
        if len(line) > 20 and "-----" not in line and base64.b64decode(line) not in certificate:
            yield line


def test_no_private_key_is_left(reference: Any, texts: Mapping[str, str]) -> None:
    """No line of a private key, of the harness or of the gateway."""
    keys: list[Path] = sorted((reference.folder / "pki").glob("*.key"))
    assert len(keys) >= 4
    lines = {line: key.name for key in keys for line in _private_lines(key)}
    assert len(lines) > len(keys)
    assert leaks({**lines, "PRIVATE KEY": "a heading"}, texts) == []
