"""DigiD in whole runs: what another login leaves open, what a run leaves behind, and that a real browser can log in there."""

import contextlib
import http.client
import json
import re
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from medmij_conformance import workspace
from medmij_conformance.cast.digid import DigidDesk
from medmij_conformance.counterparties.digid import Login
from medmij_conformance.evidence import Evidence
from medmij_conformance.protocol import saml
from medmij_conformance.target import load
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.workspace import reference_dvza

AT_DIGID = {
    *(f"SAML.{number}" for number in range(1, 8)),
    *(f"UCI-V.step.{number}" for number in range(4, 8)),
    "APP.R5",
    "JUR.11",
}


@pytest.fixture(scope="module")
def own_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The target file of a reference where people log in on a page of its own."""
    target, running = reference_dvza(tmp_path_factory.mktemp("form"), login="form")
    yield target.path
    running.stop()


@pytest.fixture
def at_digid(tmp_path: Path) -> Iterator[Path]:
    """The target file of a reference of this test alone, where people log in at DigiD."""
    target, running = reference_dvza(tmp_path / "digid")
    yield target.path
    running.stop()


def outcomes(directory: Path) -> dict[str, tuple[str, str]]:
    """Requirement -> outcome and reason."""
    results = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    return {row["id"]: (row["outcome"], row.get("reason", "")) for row in results["requirements"]}


def test_another_login_leaves_digid_untested_and_says_so(own_page: Path, medmij: Callable[..., Any], tmp_path: Path) -> None:
    """AMB.61: the run passes; order and fresh login are judged on the page that stands in, the rest is not tested."""
    done = medmij(
        "run", own_page, "--only", "APP.3", "--only", "REL.2", *(f"--only={name}" for name in AT_DIGID), "--report-dir", tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = outcomes(tmp_path)
    assert {found[name][0] for name in AT_DIGID} == {"not_tested"}
    assert all("AMB.61" in found[name][1] for name in AT_DIGID)
    assert (found["APP.3"][0], found["REL.2"][0]) == ("pass", "pass")


def test_hosts_of_a_foreign_login_are_named_in_the_reason(own_page: Path, medmij: Callable[..., Any], tmp_path: Path) -> None:
    """Where people log in instead stands beside it."""
    file = own_page.with_name("foreign.toml")
    text = own_page.read_text(encoding="utf-8").replace('mode = "form"', 'mode = "form"\nhosts = ["login.example.nl"]')
    file.write_text(text, encoding="utf-8")
    assert medmij("run", file, "--only", "JUR.11", "--only", "APP.3", "--report-dir", tmp_path).returncode == 0
    assert "login.example.nl" in outcomes(tmp_path)["JUR.11"][1]


def test_an_authn_request_to_another_host_leaves_digid_untested_and_says_so(
    at_digid: Path, medmij: Callable[..., Any], tmp_path: Path
) -> None:
    """AMB.61: the look beforehand names the host, nothing about DigiD passes or fails, and the reason says where she was sent."""
    metadata = at_digid.with_name(workspace.DIGID_METADATA)
    text = metadata.read_text(encoding="utf-8")
    elsewhere = re.sub(rf"https://{workspace.DIGID}:\d+/saml/idp/request_authentication", "https://login.example.nl/sso", text)
    assert elsewhere != text
    metadata.write_text(elsewhere, encoding="utf-8")
    done = medmij("run", at_digid, *(f"--only={name}" for name in AT_DIGID), "--report-dir", tmp_path / "report")
    assert (done.returncode, "login.example.nl" in done.stderr) == (3, True), done.stderr
    found = outcomes(tmp_path / "report")
    assert {found[name][0] for name in AT_DIGID} == {"not_tested"}
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    reasons = {row["id"]: row["reason"] for row in results["scenarios"]}
    for name in ("digid-request", "digid-forged[unsigned]", "digid-proof[unknown]", "digid-failed[cancelled]"):
        assert "sends the person to https://login.example.nl/sso, and what" in reasons[name]
        assert "AMB.61" in reasons[name]
    assert "https://login.example.nl/sso: " in reasons["digid-asks"]


@pytest.mark.parametrize("manner", [(), ("connections-to-digid-pooled",)])
def test_however_a_gateway_keeps_its_connection_to_digid_it_is_judged_rightly(
    manner: tuple[str, ...], medmij: Callable[..., Any], tmp_path: Path
) -> None:
    """Connections kept or not, it sees every certificate of DigiD: sound, it fails nothing; careless, it is found out."""
    for deviations, code, outcome in (((), 0, "pass"), (("expiry-of-digid-not-checked",), 1, "fail")):
        folder = tmp_path / outcome
        named = [part for name in (*manner, *deviations) for part in ("--deviate", name)]
        done = medmij("run", "reference:dvza", *named, "--only", "SAML.3", "--report-dir", folder)
        assert done.returncode == code, done.stderr
        assert outcomes(folder)["SAML.3"][0] == outcome


def test_a_certificate_that_nobody_saw_is_not_judged(at_digid: Path, tmp_path: Path) -> None:
    """A result that is fetched over a connection from before DigiD showed its other certificate says nothing about that."""
    target = load(at_digid)
    pki = at_digid.parent / "pki"
    with contextlib.closing(DigidDesk(target, Evidence(), tmp_path)) as desk:
        assert target.digid
        context = ssl.create_default_context(cafile=pki / "ca.pem")
        context.load_cert_chain(pki / "reference.pem", pki / "reference.key")
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        host, port = urlsplit(desk.player.back_address).hostname, urlsplit(desk.player.back_address).port
        unseen = []
        for opened_before in (True, False):
            request = saml.authn_request(saml.parse(f'<p:AuthnRequest xmlns:p="{saml.SAMLP}" ID="_r"/>'.encode()))
            login = Login(handle="h", request=request, relay_state=None, consumer="", artifact=f"artifact-{opened_before}")
            desk.player.logins.append(login)
            with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, context=context)) as client:
                if opened_before:
                    client.connect()
                    time.sleep(0.2)  # so that the handshake is over at both ends
                desk.deviate(login, "shows a certificate that nobody vouches for")
                body = f'''<s:Envelope xmlns:s="{saml.SOAP}"><s:Body>
                    <p:ArtifactResolve xmlns:p="{saml.SAMLP}" ID="_a" Version="2.0"><p:Artifact>{login.artifact}</p:Artifact>
                    </p:ArtifactResolve></s:Body></s:Envelope>'''
                client.request("POST", saml.RESOLVE, body, {"Host": f"{host}:{port}"})
                assert client.getresponse().status == 200
            unseen.append(login.unseen)
        assert unseen == [True, False]
        desk.must_be_seen(desk.player.logins[-1])
        with pytest.raises(NotSeenError, match="connection from before"):
            desk.must_be_seen(desk.player.logins[-2])


def test_no_artifact_digest_or_number_is_left(at_digid: Path, medmij: Callable[..., Any], tmp_path: Path) -> None:
    """Artifacts are not in the journal as they were, digests of DigiD's answers are left out, and every verdict can be repeated."""
    report = tmp_path / "report"
    done = medmij("run", at_digid, "--only", "SAML.3", "--only", "SAML.5", "--report-dir", report)
    assert done.returncode == 0, done.stderr
    journal = (report / "evidence.jsonl").read_text(encoding="utf-8")
    answers = [json.loads(line) for line in journal.splitlines() if '"label":"ArtifactResolve"' in line]
    bodies = [answer["response"]["body"] for answer in answers if answer["response"]]
    assert len(bodies) > 10
    digests = {value for body in bodies for value in re.findall(r"<ds:(?:DigestValue|SignatureValue)>([^<]*)", body)}
    assert digests == {"withheld"}
    handles = re.findall(r"SAMLart=AAQAA[A-Za-z0-9%]+", journal)
    assert handles == []
    numbers = {bsn for persons in load(at_digid).persons.values() for person in persons if (bsn := person.get("bsn"))}
    assert [number for number in numbers if number in journal] == []
    assert medmij("verify", report, "--rejudge").returncode == 0


@pytest.mark.usefixtures("needs_chromium")
def test_a_real_browser_logs_in_at_digid(at_digid: Path, medmij: Callable[..., Any], tmp_path: Path) -> None:
    """The login page works without a script and in Chromium alike."""
    text = at_digid.read_text(encoding="utf-8")
    at_digid.write_text(
        text.replace("[[user_agent.action]]", '[user_agent]\nengine = "chromium"\n\n[[user_agent.action]]', 1), encoding="utf-8"
    )
    done = medmij("run", at_digid, "--only", "JUR.11", "--only", "UCI-V.step.5", "--report-dir", tmp_path / "report", timeout=300)
    assert done.returncode == 0, done.stderr
    found = outcomes(tmp_path / "report")
    assert (found["JUR.11"][0], found["UCI-V.step.5"][0]) == ("pass", "pass")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (('sp_metadata = "sp-metadata.xml"', 'sp_metadata = "pki/ca.pem"'), "digid.sp_metadata"),
        (('signing_certificate = "pki/digid-signing.pem"', 'signing_certificate = "pki/digid.pem"'), "digid.signing_key"),
        (('signing_key = "pki/digid-signing.key"', 'signing_key = "pki/digid.key"'), "digid.signing_key"),
        (('listen_back = "127.0.0.1:', 'listen_back = "192.0.2.1:'), "digid.listen_back"),
    ],
)
def test_a_fault_of_the_table_is_told(change: tuple[str, str], field: str, at_digid: Path, medmij: Callable[..., Any]) -> None:
    """Each names its field, and nothing is run."""
    text = at_digid.read_text(encoding="utf-8")
    assert change[0] in text
    at_digid.write_text(text.replace(*change), encoding="utf-8")
    done = medmij("run", at_digid, "--only", "JUR.11")
    assert done.returncode == 2
    assert f"{field}:" in done.stderr


def test_the_metadata_of_digid_can_be_written_anew(at_digid: Path, medmij: Callable[..., Any], tmp_path: Path) -> None:
    """With the lists, and for the ports of the target file."""
    done = medmij("export-lists", at_digid, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    written = (tmp_path / "out" / workspace.DIGID_METADATA).read_text(encoding="utf-8")
    table = load(at_digid).digid
    assert table
    for host, listen in ((table.host, table.listen), (table.back_host, table.listen_back)):
        assert f"https://{host}:{(listen or '').rpartition(':')[2]}/saml/idp/" in written
