"""evidence.har: what developers' tools make of the exchanges."""

import base64
import json
from pathlib import Path

import pytest

from medmij_conformance.evidence import Request, Response, Trouble
from medmij_conformance.report import har


def _entries(run):
    return json.loads(har.render(run))["log"]["entries"]


def test_an_exchange_is_an_entry(example) -> None:
    """Request, response and time of each exchange, in order, with its number."""
    run = example().end()
    assert json.loads(har.render(run)) == har.to_dict(run)
    first = _entries(run)[0]
    assert first["request"]["method"] == "POST"
    assert first["request"]["url"] == "https://za.example.nl/oauth/token"
    mime = "application/x-www-form-urlencoded"
    assert first["request"]["postData"] == {"mimeType": mime, "text": "grant_type=authorization_code"}
    assert (first["response"]["status"], first["response"]["content"]["text"]) == (200, "{}")
    assert (first["time"], first["startedDateTime"]) == (250.0, "2026-01-05T10:00:01.000Z")
    assert first["comment"].startswith("exchange 1: token request (pgo), scenario good")


def test_an_exchange_without_answer_says_why(journal) -> None:
    """No response is status 0, as browsers write it, with the trouble."""
    book = journal()
    book.exchange(response=None, trouble=Trouble(kind="tls", detail="handshake failure"))
    (entry,) = _entries(book.end())
    assert (entry["response"]["status"], entry["response"]["_error"]) == (0, "tls: handshake failure")


def test_octets_that_are_no_text_stay_whole(journal) -> None:
    """A body that is not UTF-8 is written in base64."""
    book = journal()
    book.exchange(response=Response(status=200, body=b"\xff\x00\xfe"))
    content = _entries(book.end())[0]["response"]["content"]
    assert (content["encoding"], base64.b64decode(content["text"])) == ("base64", b"\xff\x00\xfe")


def test_what_never_went_over_the_wire_is_not_in_it(journal) -> None:
    """A page as scripts made it, and a way that was not gone, are evidence but no HTTP."""
    book = journal()
    for endpoint in ("shown", "leaving", "page"):
        book.exchange(endpoint=endpoint)
    for method in ("PROBE", "HOOK"):
        book.exchange(request=Request(method=method, url="za.example.nl:443"))
    assert [entry["comment"].partition(":")[0] for entry in _entries(book.end())] == ["exchange 3"]


@pytest.mark.parametrize("text", ["\x1b[31m", "\x00", "\ud800", "\u202e", "https://[", '"}]'])
def test_hostile_text_is_still_json(example, text: str) -> None:
    """Whatever the target sends, the file can be read."""
    assert len(_entries(example(text=text).end())) == 6


@pytest.mark.usefixtures("needs_chromium")
def test_a_browser_can_be_fed_from_it(journal, tmp_path: Path) -> None:
    """Playwright routes the requests of a page from the file: the page is shown again without the gateway."""
    from playwright.sync_api import sync_playwright

    from medmij_conformance.wire.browser import executable

    book = journal()
    page_url = "https://za.example.nl/authorize?client_id=pgo.example.nl&state=a%20b"
    body = "<title>Inloggen</title><p id=p>Déjà vu".encode()
    book.exchange(
        request=Request(method="GET", url=page_url),
        response=Response(status=200, headers=(("Content-Type", "text/html; charset=utf-8"),), body=body),
    )
    file = tmp_path / "evidence.har"
    file.write_bytes(har.render(book.end()))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])
        page = browser.new_page()
        page.route_from_har(file, not_found="abort")
        page.goto(page_url)
        assert (page.title(), page.locator("#p").inner_text()) == ("Inloggen", "Déjà vu")
        browser.close()
