"""Chromium as the person's browser, on sites that work by script: what it asks goes over our wire, and nothing of it hangs."""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import HOST, Listen, Listener, MakeClient
from sites import LOGIN, Site, header_of, page, to

from medmij_conformance.evidence import Request, Response
from medmij_conformance.protocol.html import Page
from medmij_conformance.target import Action
from medmij_conformance.wire.browser import BrowserError, Chromium, ChromiumUserAgent
from medmij_conformance.wire.user_agent import Visit

CLIENT = "https://pgo.harness.test/cb"
BSN = "999990019"
CODE = "0b6e62f1-4a5c-4a3e-9d4a-6f8a52d6b0c1"
TOKEN = "kq7Zr0m5sT1vXw3yB9dEfG"
FORM = "<form id=f method=post action=/post><input name=bsn><input type=hidden name=key value={}><button>Go</button></form>"

MakeBrowser = Callable[..., ChromiumUserAgent]


@pytest.fixture(scope="module")
def chromium(needs_chromium: None) -> Iterator[Chromium]:
    """One Chromium for all tests; each browser has a context of its own."""
    started = Chromium()
    yield started
    started.close()


@pytest.fixture
def browser(site: Site, client: MakeClient, chromium: Chromium) -> MakeBrowser:
    """Makes a browser that knows the site, with a recipe and limits."""

    def make(*actions: Action, redirects: int = 20, **limits: Any) -> ChromiumUserAgent:
        wire = client(site.port, connect={f"{LOGIN}:443": f"127.0.0.1:{site.port}"}, **limits)
        facts: dict[str, Any] = {"client": wire, "actions": actions, "fields": {"bsn": BSN}, "redirect_uris": [CLIENT]}
        return chromium.user_agent(**facts, redirects=redirects)

    return make


def action(intent: str, where: str, **rest: Any) -> Action:
    return Action(intent=intent, page=where, **rest)


def visit(browser: ChromiumUserAgent, path: str = "/", **rest: Any) -> Visit:
    return browser.open(Request(method="GET", url=f"https://{HOST}{path}"), label="authorization request", **rest)


def script(code: str, body: str = "") -> Response:
    return page(f"<!doctype html><title>Page</title>{body}<div id=app></div><script>{code}</script>")


def data(members: Any, *headers: tuple[str, str], status: int = 200) -> Response:
    return Response(status=status, headers=(("Content-Type", "application/json"), *headers), body=json.dumps(members).encode())


def labels(seen: Visit) -> list[tuple[str, str]]:
    return [(exchange.endpoint, exchange.label) for exchange in seen.exchanges]


RENDER = "fetch('/data').then(r => r.json()).then(d => {document.title = d.title; app.innerHTML = d.html})"


# --- what a person sees ---


def test_page_is_shown_as_its_script_made_it(site: Site, browser: MakeBrowser) -> None:
    """The rendered page is an exchange of its own, with the headers of the document; the wire has what really came."""
    site.pages = {
        "/": Response(
            status=203,
            headers=(("Content-Type", "text/html"), ("X-Frame-Options", "DENY"), ("Set-Cookie", "a=1; Secure")),
            body=script("", "<script src=/app.js></script>").body,
        ),
        "/app.js": Response(status=200, headers=(("Content-Type", "text/javascript"),), body=RENDER.encode()),
        "/data": data({"title": "Made", "html": "<form id=consent><button>Yes</button></form>"}),
    }
    agent = browser()
    seen = visit(agent, endpoint="authorization", deviation="none")
    assert (seen.stopped, seen.detail) == ("page", "Made")
    assert labels(seen) == [
        ("authorization", "authorization request"),
        ("other", "loaded by the page (script)"),
        ("other", "loaded by the page (xhr)"),
        ("shown", "the page as shown"),
    ]
    wire, shown = seen.exchanges[0], seen.last
    assert seen.page.matches("form#consent button")
    assert wire.response
    assert b"consent" not in wire.response.body
    assert shown.response
    assert (shown.status, shown.response.header("x-frame-options")) == (203, "DENY")
    assert shown.response.header("set-cookie") is None
    assert shown.request.url == f"https://{HOST}/"
    assert {exchange.deviation for exchange in seen.exchanges} == {"none"}
    assert [agent.client.evidence.stored(e).number for e in seen.exchanges] == [1, 2, 3, 4]


def test_address_that_a_script_writes_is_the_address_of_the_page(site: Site, browser: MakeBrowser) -> None:
    """The person sees what ``pushState`` wrote."""
    site.pages = {"/": script("history.pushState(null, '', '/consent#now')")}
    assert visit(browser()).last.request.url == f"https://{HOST}/consent#now"


def test_recipe_is_carried_out_as_by_a_person(site: Site, browser: MakeBrowser) -> None:
    """Fields, boxes and choices take real input, and the page's script sends what it makes of them."""
    form = (
        "<form id=f><input name=bsn><input type=checkbox id=yes><select id=who><option value=1>I<option value=2>You</select>"
        "<button>Go</button></form>"
    )
    code = (
        "f.onsubmit = e => {e.preventDefault(); fetch('/send', {method: 'POST', headers: {'X-Key': 'k'}, body: JSON.stringify("
        "{bsn: f.bsn.value, yes: yes.checked, who: who.value})}).then(r => r.text()).then(t => {app.textContent = t})}"
    )
    site.pages = {"/": script(code, form), "/send": Response(status=200, body=b"thank you")}
    agent = browser(action("log in", "form#f", fill={"bsn": "{bsn}"}, check=("#yes",), select={"#who": "2"}, press="button"))
    seen = agent.act(visit(agent), "log in", person="Roos")
    assert json.loads(site.seen[1].body) == {"bsn": BSN, "yes": True, "who": "2"}
    assert header_of(site.seen[1], "x-key") == "k"
    assert labels(seen)[0] == ("other", "Roos chooses to log in")
    assert "thank you" in seen.page.text
    assert seen.actions[0] == "log in"


def test_form_without_a_choice_is_sent(site: Site, browser: MakeBrowser) -> None:
    """Pressing a form sends it without any button, past its script."""
    site.pages = {"/": page("<form id=f method=post action=/end><input name=a value=1><button name=b value=2>Go</button></form>")}
    agent = browser(action("leave consent unanswered", "#f", press="#f"))
    agent.act(visit(agent), "leave consent unanswered")
    assert site.asked == ["GET /", "POST /end"]
    assert site.form == [("a", "1")]


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"press": "#none"}, "nothing on the page matches '#none'"),
        ({"press": "button", "fill": {"none": "1"}}, "nothing on the page matches 'none'"),
        ({"press": "#hidden"}, "'#hidden' cannot be used by a person"),
        ({"press": "a["}, "'a[' is not a CSS selector"),
    ],
)
def test_recipe_that_does_not_fit(site: Site, browser: MakeBrowser, recipe: Any, said: str) -> None:
    """A control that is not there, or that no person could press, is a matter of the recipe."""
    site.pages = {"/": page("<form id=f><button>Go</button><button id=hidden style='display:none'>No</button></form>")}
    agent = browser(action("log in", "#f", **recipe))
    seen = agent.act(visit(agent), "log in")
    assert seen.stopped == "recipe"
    assert said in seen.detail
    assert site.asked == ["GET /"]


# --- where it goes ---


def test_redirects_are_exchanges_of_their_own(site: Site, browser: MakeBrowser) -> None:
    """Over two hosts, with cookies; each step is recorded as it went."""
    site.pages = {
        "/": to(f"https://{LOGIN}/in", ("Set-Cookie", "own=1; Path=/; Secure; HttpOnly")),
        "/in": to(f"https://{HOST}/back", status=307),
        "/back": page("<title>Here</title>"),
    }
    seen = visit(browser())
    assert [e.status for e in seen.exchanges] == [302, 307, 200, 200]
    assert [e.label for e in seen.exchanges[1:3]] == ["redirect followed"] * 2
    assert [header_of(e.request, "cookie") for e in seen.exchanges[:3]] == ["", "", "own=1"]
    assert (seen.stopped, seen.detail) == ("page", "Here")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_to_the_client_is_not_followed(site: Site, browser: MakeBrowser, status: int) -> None:
    """The exchange that leads there is the last one, as with the html engine; the client is never asked."""
    site.pages = {
        "/": page("<form method=post action=/post><button>Go</button></form>"),
        "/post": to(f"{CLIENT}?code=1", status=status),
    }
    agent = browser(action("give consent", "form", press="button"))
    seen = agent.act(visit(agent), "give consent")
    assert (seen.stopped, seen.location) == ("at the client", f"{CLIENT}?code=1")
    assert (seen.last.status, seen.last.request.method) == (status, "POST")
    assert len(seen.exchanges) == 1


@pytest.mark.parametrize("how", ["location = u", "location.replace(u)", "setTimeout(() => {location.href = u}, 300)"])
def test_script_that_leads_to_the_client(site: Site, browser: MakeBrowser, how: str) -> None:
    """It is recorded as a way that was not taken; the code in it never reaches the disk."""
    site.pages = {
        "/": script(f"fetch('/data').then(r => r.json()).then(d => {{const u = '{CLIENT}?code=' + d.code + '&state=x'; {how}}})"),
        "/data": data({"code": CODE}),
    }
    agent = browser()
    seen = visit(agent)
    assert (seen.stopped, seen.location) == ("at the client", f"{CLIENT}?code={CODE}&state=x")
    assert (seen.last.endpoint, seen.last.response, seen.last.trouble) == ("leaving", None, None)
    assert agent.client.evidence.stored(seen.last).request.url.endswith("&state=x")
    assert CODE not in json.dumps(agent.client.evidence.records)


def test_unknown_host_is_never_asked(site: Site, browser: MakeBrowser) -> None:
    """Neither by a redirect nor by a script."""
    elsewhere = "https://evil.test/x?a=1"
    site.pages = {"/redirect": to(elsewhere), "/script": script(f"location = '{elsewhere}'")}
    redirected, led = visit(browser(), "/redirect"), visit(browser(), "/script")
    assert [(v.stopped, v.location) for v in (redirected, led)] == [("unknown host", elsewhere)] * 2
    assert redirected.last.status == 302
    assert (led.last.endpoint, led.last.request.url, led.last.response) == ("leaving", elsewhere, None)


def test_what_a_page_loads_from_an_unknown_host_is_refused(site: Site, browser: MakeBrowser) -> None:
    """The page goes on without it, the journal says so, and the visit is not spoilt by it."""
    code = "fetch('https://tracker.test/x').catch(() => {app.innerHTML = '<form id=f></form>'})"
    site.pages = {"/": script(code, "<img src=https://cdn.test/a.png>")}
    agent = browser(action("log in", "#f"))
    seen = visit(agent)
    assert seen.page.matches("#f")
    assert not [e for e in seen.exchanges if e.trouble]
    records = [r for r in agent.client.evidence.records if r["trouble"]]
    assert {r["request"]["url"] for r in records} == {"https://tracker.test/x", "https://cdn.test/a.png"}
    assert {r["trouble"]["kind"] for r in records} == {"not-allowed"}


def test_nothing_leaves_but_by_our_wire(site: Site, browser: MakeBrowser, listen: Listen) -> None:
    """Sockets, workers, beacons, frames and windows of the page reach nobody that the target file does not name."""
    reached: Listener = listen(lambda stream, _: stream.recv(1), tls=False)
    there = f"127.0.0.1:{reached.port}"
    code = f"""
      try {{ new WebSocket('ws://{there}/') }} catch {{}}
      new Worker(URL.createObjectURL(new Blob(["fetch('http://{there}/worker', {{mode: 'no-cors'}})"])));
      navigator.sendBeacon('http://{there}/beacon', 'x');
      window.open('http://{there}/window');
      new RTCPeerConnection({{iceServers: [{{urls: 'stun:{there}'}}]}}).createDataChannel('x');
      setTimeout(() => {{document.title = 'done'}}, 500);
    """
    head = (
        f"<link rel=preconnect href=http://{there}><link rel=dns-prefetch href=//{there}><iframe src=http://{there}/frame></iframe>"
    )
    site.pages = {"/": script(code, head)}
    assert visit(browser()).detail == "done"
    time.sleep(0.5)
    assert reached.accepted == 0


@pytest.mark.parametrize("loop", ["redirect", "script", "refresh"])
def test_way_without_an_end_ends(site: Site, browser: MakeBrowser, loop: str) -> None:
    """After as many documents as redirects are allowed the browser looks up."""
    again = {
        "redirect": to("/"),
        "script": script("location.reload()"),
        "refresh": page("<meta http-equiv=refresh content='0; url=/'>"),
    }
    site.pages = {"/": again[loop]}
    seen = visit(browser(redirects=5))
    assert (seen.stopped, seen.detail) == ("redirects", "more than 5 redirects")
    assert site.asked == ["GET /"] * 6


def test_more_redirects_than_chromium_follows(site: Site, browser: MakeBrowser) -> None:
    """Chromium itself gives up after twenty; that is a way without an end too."""
    site.pages = {"/": to("/")}
    seen = visit(browser(redirects=20))
    assert seen.stopped == "redirects"
    assert seen.last.status == 302


def test_refresh_is_waited_for(site: Site, browser: MakeBrowser) -> None:
    """A page that refreshes itself soon is not the page that the person uses."""
    site.pages = {"/": page("<meta http-equiv=refresh content='2; url=/next'><form id=f>"), "/next": page("<title>Next</title>")}
    assert visit(browser(action("log in", "#f"))).detail == "Next"


# --- cookies ---


def test_cookies_are_those_of_a_browser(site: Site, browser: MakeBrowser) -> None:
    """Set by a redirect, a page, an answer to a script and a script; HttpOnly ones stay out of scripts; all are in the evidence."""
    site.pages = {
        "/": to("/a", ("Set-Cookie", "__Host-one=1; Path=/; Secure; HttpOnly"), ("Set-Cookie", "bad=1; Domain=evil.test")),
        "/a": page(
            "<script>document.cookie = 'three=' + document.cookie; fetch('/data').then(() => fetch('/last'))</script>",
            ("Set-Cookie", "two=2; Secure"),
        ),
        "/data": data({}, ("Set-Cookie", "four=4; Path=/; Secure")),
        "/last": data({}),
    }
    agent = browser()
    visit(agent)
    assert site.asked == ["GET /", "GET /a", "GET /data", "GET /last"]
    assert site.jars == [
        [],
        ["__Host-one=1"],
        ["__Host-one=1", "three=two=2", "two=2"],
        ["__Host-one=1", "four=4", "three=two=2", "two=2"],
    ]
    stored = [record["request"]["headers"] for record in agent.client.evidence.records if record["label"] != "the page as shown"]
    assert [len(dict(headers).get("Cookie", "").split("; ")) for headers in stored] == [1, 1, 3, 4]


def test_two_browsers_share_nothing_and_two_tabs_all(site: Site, browser: MakeBrowser) -> None:
    """A browser keeps its cookies over its tabs; the next person has a browser of her own."""
    site.pages = {"/": page("<title>Here</title>", ("Set-Cookie", "own=1; Path=/; Secure"))}
    one, other = browser(), browser()
    for agent in (one, one, other):
        visit(agent)
    assert site.cookies == ["", "own=1", ""]


# --- pages that misbehave ---


def test_page_that_never_yields_is_trouble(site: Site, browser: MakeBrowser) -> None:
    """A script without an end costs a bounded time, spoils no other page, and is no verdict."""
    site.pages = {"/": script("while (true) {}"), "/fine": page("<title>Fine</title>")}
    agent = browser(exchange_s=2.0)
    began = time.monotonic()
    seen = visit(agent)
    assert time.monotonic() - began < 60
    assert seen.stopped == "trouble"
    assert seen.last.trouble
    assert seen.last.trouble.kind == "browser"
    assert visit(agent, "/fine").detail == "Fine"


def test_page_that_asks_for_ever_is_left(site: Site, browser: MakeBrowser) -> None:
    """A page that keeps asking is stopped at a number of requests."""
    site.pages = {"/": script("(async () => { for (;;) await fetch('/x').then(r => r.text()) })()")}
    seen = visit(browser(exchange_s=4.0))
    assert seen.stopped in {"page", "trouble"}
    assert len(site.seen) <= 301


def test_server_that_never_answers_is_trouble(site: Site, browser: MakeBrowser) -> None:
    """The limit of an exchange holds for documents and for what a script asks."""
    site.pages = {"/": lambda _: time.sleep(3) or page(""), "/app": script(RENDER), "/data": lambda _: time.sleep(3) or data({})}
    seen = visit(browser(exchange_s=0.7))
    assert (seen.stopped, seen.last.trouble and seen.last.trouble.kind) == ("trouble", "timeout")
    waiting = visit(browser(exchange_s=0.7), "/app")
    assert (waiting.stopped, waiting.detail) == ("page", "Page")
    assert [e.trouble.kind for e in waiting.exchanges if e.trouble] == ["timeout"]


def test_clock_on_the_page_does_not_keep_the_person_waiting(site: Site, browser: MakeBrowser) -> None:
    """A page that moves all the time, but asks for nothing, is taken as it is."""
    site.pages = {"/": script("setInterval(() => {app.textContent = Math.random()}, 20)", "<form id=f></form>")}
    began = time.monotonic()
    assert visit(browser(action("log in", "#f"))).page.matches("#f")
    assert time.monotonic() - began < 60


def test_dialogs_are_answered_with_yes(site: Site, browser: MakeBrowser) -> None:
    """Alerts do not stop a page, and who is asked whether she is sure is sure."""
    site.pages = {"/": script("alert('hello'); document.title = confirm('sure?') + prompt('who?', 'me')")}
    assert visit(browser()).detail == "trueme"


def test_window_that_a_page_opens_is_not_followed(site: Site, browser: MakeBrowser) -> None:
    """A press that leads to a second window alone ends with the reason."""
    site.pages = {"/": page("<form id=f></form><a target=_blank href=/other>x</a>")}
    agent = browser(action("log in", "#f", press="a"))
    seen = agent.act(visit(agent), "log in")
    assert (seen.stopped, seen.detail) == ("recipe", "log in: it opens a window of its own, which is not followed")
    assert site.asked == ["GET /"]


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=200, headers=(("Content-Type", "text/html"), ("Content-Disposition", "attachment")), body=b"<p>saved"),
        Response(status=200, headers=(("Content-Type", "application/octet-stream"),), body=b"\0\1"),
        Response(status=204),
        Response(status=400, headers=(("Content-Type", "text/html"),)),
        data({"error": "invalid_request"}, status=400),
    ],
    ids=["download", "octets", "no content", "empty error", "json"],
)
def test_answer_that_is_no_page_is_the_answer_itself(site: Site, browser: MakeBrowser, answer: Response) -> None:
    """Where Chromium makes no page of an answer, or one of its own, the answer counts."""
    site.pages = {"/": answer}
    seen = visit(browser())
    assert seen.stopped == "page"
    first = seen.exchanges[0]
    assert (first.status, first.response and first.response.body) == (answer.status, answer.body)
    # A Chromium without windows shows an empty answer as an empty page; one with windows makes a page of its own of it.
    assert [each.response and Page(each.response.body, each.request.url).text for each in seen.exchanges[1:]] in ([], [""])
    assert len(seen.exchanges) == 1 or not answer.body


def test_page_without_limits_is_trouble(site: Site, browser: MakeBrowser) -> None:
    """Too large on the wire, or grown too large by its script."""
    site.pages = {"/wire": page("x" * 60_000), "/grown": script("for (let i = 0; i < 2000; i++) app.innerHTML += 'x'.repeat(40)")}
    wire, grown = visit(browser(body_bytes=50_000), "/wire"), visit(browser(body_bytes=50_000), "/grown")
    assert (wire.stopped, wire.last.trouble and wire.last.trouble.kind) == ("trouble", "too-large")
    assert (grown.stopped, grown.last.trouble and grown.last.trouble.kind) == ("trouble", "browser")
    assert "larger than 50000" in grown.detail


def test_browser_that_crashed_is_trouble_once(site: Site, browser: MakeBrowser, chromium: Chromium) -> None:
    """A killed Chromium is trouble for the page that it showed, and is started again for the next one."""
    site.pages = {"/": page("<form id=f><button>Go</button></form>")}
    agent = browser(action("log in", "#f", press="button"))
    shown = visit(agent)
    for process in _main_processes():
        os.kill(process, signal.SIGKILL)
    time.sleep(0.5)
    seen = agent.act(shown, "log in")
    assert seen.stopped in {"trouble", "recipe"}
    assert visit(browser()).stopped == "page"


def _main_processes() -> set[int]:
    """Every Chromium that this process has started, by way of Playwright's driver."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            commands[int(folder.name)] = (folder / "cmdline").read_text()
    ours = {os.getpid()}
    for _ in range(4):
        ours |= {pid for pid, parent in parents.items() if parent in ours}
    return {pid for pid in ours if "--remote-debugging" in commands.get(pid, "") and "--type=" not in commands[pid]}


# --- what an attacker does ---


def guarded(token: str) -> Callable[[Request], Response]:
    """Answers a script with the way back and a code, when key and cookie are right."""

    def answer(request: Request) -> Response:
        right = json.loads(request.body)["key"] == token and header_of(request, "x-key") == token
        if right and "own=1" in header_of(request, "cookie"):
            return data({"go": f"{CLIENT}?code={CODE}"})
        return data({"go": ""}, status=403)

    return answer


SEND = (
    "f.onsubmit = e => {{e.preventDefault(); fetch('/post', {{method: 'POST', headers: {{'X-Key': '{0}'}}, body: JSON.stringify("
    "{{key: '{0}', n: 1}})}}).then(r => r.json()).then(d => {{if (d.go) location = d.go; else app.textContent = 'refused'}})}}"
)


@pytest.fixture
def guarded_site(site: Site) -> Site:
    """A consent page whose script sends a secret twice, with a session cookie."""
    consent = script(SEND.format(TOKEN), "<form id=f><button>Go</button></form>")
    site.pages = {"/": Response(status=200, headers=(*consent.headers, ("Set-Cookie", "own=1; Path=/; Secure")), body=consent.body)}
    site.pages["/post"] = guarded(TOKEN)
    return site


CONSENT = Action(intent="give consent", page="#f", press="button")


def test_request_of_a_script_is_prepared_and_not_sent(guarded_site: Site, browser: MakeBrowser) -> None:
    """What pressing would send is known before it is sent; released as it is, it is sent once and answered to its page."""
    agent = browser(CONSENT)
    seen = visit(agent)
    form = agent.prepared(seen, "give consent")
    assert form
    assert form == agent.prepared(seen, "give consent")
    assert (form.method, form.url, form.hidden) == ("POST", f"https://{HOST}/post", (TOKEN,))
    assert guarded_site.asked == ["GET /"]
    assert agent.prepared(seen, "refuse consent") is None
    sent = agent.submit(seen, form, label="sent after all")
    assert (sent.stopped, sent.location) == ("at the client", f"{CLIENT}?code={CODE}")
    assert guarded_site.asked == ["GET /", "POST /post"]
    assert labels(sent)[0] == ("other", "sent after all")


def test_request_of_a_script_can_be_forged(guarded_site: Site, browser: MakeBrowser) -> None:
    """Hidden values are altered in body and headers, and the page shows what the gateway made of it."""
    agent = browser(CONSENT)
    seen = visit(agent)
    form = agent.prepared(seen, "give consent")
    forged = form and form.altered()
    assert forged
    answer = agent.submit(seen, forged, label="forged", deviation="altered hidden fields")
    assert json.loads(guarded_site.seen[-1].body) == {"key": TOKEN[:-6] + "AAAAAA", "n": 1}
    assert header_of(guarded_site.seen[-1], "x-key") == TOKEN[:-6] + "AAAAAA"
    assert "own=1" in header_of(guarded_site.seen[-1], "cookie")
    assert (answer.stopped, answer.last.deviation) == ("page", "altered hidden fields")
    assert "refused" in answer.page.text


def test_request_of_a_script_from_another_browser(guarded_site: Site, browser: MakeBrowser) -> None:
    """The same request goes without the cookies of the browser that made it."""
    agent, stranger = browser(CONSENT), browser(CONSENT)
    seen = visit(agent)
    form = agent.prepared(seen, "give consent")
    assert form
    answer = stranger.submit(seen, form, label="stolen", deviation="no session cookie")
    assert header_of(guarded_site.seen[-1], "cookie") == ""
    assert header_of(guarded_site.seen[-1], "x-key") == TOKEN
    assert "refused" in answer.page.text


def test_request_that_was_held_back_can_be_given_up(guarded_site: Site, browser: MakeBrowser) -> None:
    """Who prepares, and then presses, sends once."""
    agent = browser(CONSENT)
    seen = visit(agent)
    assert agent.prepared(seen, "give consent")
    assert agent.act(seen, "give consent").stopped == "at the client"
    assert guarded_site.asked == ["GET /", "POST /post"]


def test_page_that_is_still_open_can_be_used_again(site: Site, browser: MakeBrowser) -> None:
    """After the way back was taken, a form of the page is sent once more, as the back button allows."""
    site.pages = {
        "/": page(FORM.format(TOKEN)),
        "/post": lambda request: to(f"{CLIENT}?error=1") if len(site.seen) == 2 else page("<title>Over</title>", status=400),
    }
    agent = browser(action("refuse consent", "#f", press="button"), action("give consent", "#f", press="button"))
    seen = visit(agent)
    assert agent.act(seen, "refuse consent").stopped == "at the client"
    form = agent.prepared(seen, "give consent")
    assert form
    assert ("key", TOKEN) in form.fields
    again = agent.submit(seen, form, label="again")
    assert (again.stopped, again.detail) == ("page", "Over")
    assert site.asked == ["GET /", "POST /post", "POST /post"]


def test_form_that_was_prepared_can_be_forged(site: Site, browser: MakeBrowser) -> None:
    """A form of an ordinary page is altered in its fields."""
    site.pages = {"/": page(FORM.format(TOKEN)), "/post": page("<title>Refused</title>", status=403)}
    agent = browser(action("give consent", "#f", fill={"bsn": "{bsn}"}, press="button"))
    seen = visit(agent)
    form = agent.prepared(seen, "give consent")
    forged = form and form.altered()
    assert forged
    answer = agent.submit(seen, forged, label="forged")
    assert site.form == [("bsn", BSN), ("key", TOKEN[:-6] + "AAAAAA")]
    assert (answer.stopped, answer.last.status, answer.detail) == ("page", 403, "Refused")


def test_page_that_keeps_asking_waits_while_nobody_looks(site: Site, browser: MakeBrowser) -> None:
    """Between two visits nothing is sent; then the page goes on, and the forged request is the one that was held back."""
    code = "setInterval(() => fetch('/poll', {method: 'POST', body: '{}'}), 200);" + SEND.format(TOKEN)
    site.pages = {"/": script(code, "<form id=f><button>Go</button></form>"), "/poll": data({}), "/post": guarded(TOKEN)}
    agent = browser(CONSENT)
    seen = visit(agent)
    time.sleep(0.3)  # what was under way arrives
    asked = len(site.seen)
    time.sleep(1)
    assert len(site.seen) == asked
    form = agent.prepared(seen, "give consent")
    forged = form and form.altered()
    assert forged
    assert forged.url == f"https://{HOST}/post"
    assert "refused" in agent.submit(seen, forged, label="forged").page.text


def test_control_that_sends_nothing_prepares_nothing(site: Site, browser: MakeBrowser) -> None:
    """Without a request there is nothing to replay."""
    site.pages = {"/": script("b.onclick = () => {app.textContent = 'ha'}", "<button id=b>Go</button>")}
    agent = browser(action("give consent", "#b", press="#b"))
    assert agent.prepared(visit(agent), "give consent") is None


# --- beginning and end ---


def test_without_chromium_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a browser gets the name of the package."""
    monkeypatch.setenv("MEDMIJ_CHROMIUM", "no-such-program")
    with pytest.raises(BrowserError, match="apt-get install chromium"):
        Chromium()


def test_without_playwright_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the extra gets its name."""
    monkeypatch.setenv("MEDMIJ_CHROMIUM", sys.executable)
    monkeypatch.setitem(sys.modules, "playwright.async_api", None)
    with pytest.raises(BrowserError, match=r"pip install 'medmij-conformance\[browser\]'"):
        Chromium()


def test_program_that_is_no_browser_is_refused(needs_chromium: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not start as a browser is named, and nothing of it stays."""
    monkeypatch.setenv("MEDMIJ_CHROMIUM", "false")
    with pytest.raises(BrowserError, match="false did not start"):
        Chromium()


def test_closed_browser_leaves_no_process(needs_chromium: None) -> None:
    """After ``close``, which may be called again, neither Chromium nor its driver is there."""
    before = _main_processes()
    started = Chromium()
    own = _main_processes() - before
    started.close()
    started.close()
    assert own
    assert not _main_processes() & own
