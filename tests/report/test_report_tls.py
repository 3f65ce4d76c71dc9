"""TLS in the reports: every endpoint and client with its parts and their levels, and nothing that a target could bring to life."""

import json

import lxml.html
import pytest

from medmij_conformance.evidence import Request, Response, Tls, Trouble
from medmij_conformance.protocol import tls
from medmij_conformance.protocol.tls import ClientHello
from medmij_conformance.protocol.tls_seen import Answer, Seen
from medmij_conformance.report import html, results

CBC, GCM = 0xC024, 0xC02B
SEEN = Seen(
    offers=[("a first handshake", ClientHello(version=tls.TLS12, suites=(CBC, GCM)))] * 2,
    answers=[
        Answer(kind="hello", version=tls.TLS12, suite=GCM, group=0x1D, chain=("aa",), secure_renegotiation=True),
        Answer(kind="hello", version=tls.TLS12, suite=CBC, secure_renegotiation=True),
    ],
    certificates={"aa": {"key": "RSA 2048", "hash": "SHA-256"}},
    renegotiations=11,
)


def probed(journal, edition="ncsc-2014", answered=None, **changes):
    """A run in which one endpoint was probed and one client called."""
    book = journal(target={"tls_edition": edition} if edition else {})
    book.start()
    body = SEEN.answered() if answered is None else answered
    request = Request(method="PROBE", url="https://za.test:443", headers=(("Channel", "front back"),), body=SEEN.offered())
    facts = {"label": "the TLS of za.test:443", "endpoint": "tls", "request": request, "tls": None}
    book.exchange(**{**facts, "response": Response(status=0, body=body), **changes})
    hello = tls.client_hello(ClientHello(version=tls.TLS12, suites=(GCM,), secure_renegotiation=True)).hex()
    book.exchange(tls=Tls(version="TLSv1.2", client_hello=hello), address="192.0.2.1")
    book.end_scenario()
    return book.end()


def test_results_hold_every_part(journal) -> None:
    """``tls`` of results.json names each part with its level and the edition that gives it, and fits the schema."""
    data = json.loads(results.render(probed(journal)))
    assert results.validate(data) == []
    server, client = data["tls"]
    assert (server["who"], server["place"], server["channel"], server["edition"]) == (
        "server",
        "https://za.test:443",
        "front back",
        "ncsc-2014",
    )
    levels = {part["name"]: (part["level"], part["by"]) for part in server["parts"]}
    assert levels["TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"] == ("sufficient", "ncsc-2014")
    assert levels["x25519"] == ("good", "ncsc-2019")
    assert levels["RSA 2048"] == ("sufficient", "ncsc-2014")
    assert levels["client renegotiation"] == ("insufficient", "ncsc-2014")
    assert server["facts"]["renegotiation by the client"] == "allowed 11 times"
    assert (client["who"], client["channel"]) == ("client", "back")


def test_the_page_has_a_table(journal) -> None:
    """A row for each kind and level, and the edition by name."""
    page = lxml.html.document_fromstring(html.render(probed(journal)).decode())
    (section,) = [each for each in page.iter("section") if each.get("aria-labelledby") == "tls"]
    rows = [" ".join(" ".join(cell.text_content().split()) for cell in row) for row in section.iter("tr")]
    assert "Cipher suite sufficient TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384" in rows
    assert "Group good (ncsc-2019) x25519" in rows
    assert "edition ncsc-2014" in section.text_content()


@pytest.mark.parametrize("answered", [b"", b"{}", b"<script>", b'{"kind":"hello"}\n{}'])
def test_what_cannot_be_read_is_told(journal, answered: bytes) -> None:
    """A record that is no probe makes no table, and breaks no report."""
    run = probed(journal, answered=answered)
    assert "cannot be read" in run.postures[0].trouble
    assert b"cannot be read" in html.render(run)


def test_trouble_is_told(journal) -> None:
    """Where the probe was shut out, that stands in place of its table."""
    run = probed(journal, trouble=Trouble(kind="protocol", detail="the probe is shut out <b>"))
    assert run.postures[0].parts == ()
    assert b"the probe is shut out &lt;b&gt;" in html.render(run)


@pytest.mark.parametrize("edition", ["", "of another time"])
def test_without_an_edition_there_is_no_table(journal, edition: str) -> None:
    """A journal that names no edition that we know is reported all the same."""
    run = probed(journal, edition=edition)
    assert run.postures == []
    assert b'id="tls"' not in html.render(run)
