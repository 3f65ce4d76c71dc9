"""The browser on sites of every make: where it goes by itself, what it sends, and where it looks up."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import pytest
from loopback import HOST, MakeClient
from sites import LOGIN, Site, header_of, page, to

from medmij_conformance.evidence import Request, Response
from medmij_conformance.target import Action
from medmij_conformance.wire.user_agent import UserAgent, Visit

CLIENT = "https://pgo.harness.test/cb"
BSN = "999990019"

MakeBrowser = Callable[..., UserAgent]


@pytest.fixture
def browser(site: Site, client: MakeClient) -> MakeBrowser:
    """Makes a browser that knows the site, with a recipe."""

    def make(*actions: Action, **settings: Any) -> UserAgent:
        wire = client(site.port, connect={f"{LOGIN}:443": f"127.0.0.1:{site.port}"})
        fields = {"bsn": BSN, "name": "Roos"}
        return UserAgent(wire, actions, fields, redirect_uris=[CLIENT], **settings)

    return make


def action(intent: str, where: str, **rest: Any) -> Action:
    return Action(intent=intent, page=where, **rest)


def visit(browser: UserAgent, path: str = "/", **rest: Any) -> Visit:
    return browser.open(Request(method="GET", url=f"https://{HOST}{path}"), label="authorization request", **rest)


# --- where it goes by itself ---


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", [f"https://{HOST}/in/page?x=1", "/in/page?x=1", "page?x=1", "?x=1", f"//{HOST}/in/page?x=1"])
def test_redirect_is_followed(site: Site, browser: MakeBrowser, status: int, location: str) -> None:
    """Absolute and relative, of every kind: the browser ends at the page, and every step is an exchange of the visit."""
    site.pages = {
        "/in/start": to(location.replace("?x=1", "page?x=1") if location.startswith("?") else location, status=status),
        "/in/page": page("<title>  The\n page </title>"),
    }
    seen = visit(browser(), "/in/start", endpoint="authorization", deviation="none")
    assert (seen.stopped, seen.detail, seen.location) == ("page", "The page", "")
    assert site.asked == ["GET /in/start", "GET /in/page?x=1"]
    first, second = seen.exchanges
    assert (first.label, first.endpoint) == ("authorization request", "authorization")
    assert (second.label, second.endpoint) == ("redirect followed", "page")
    assert (first.deviation, second.deviation) == ("none", "none")
    assert seen.last is second
    assert seen.page.title == "The page"


@pytest.mark.parametrize(
    ("status", "arrives"),
    [(301, ("GET", "")), (302, ("GET", "")), (303, ("GET", "")), (307, ("POST", "a=1")), (308, ("POST", "a=1"))],
)
def test_method_after_a_redirect(site: Site, browser: MakeBrowser, status: int, arrives: tuple[str, str]) -> None:
    """301, 302 and 303 turn a POST into a GET, as browsers do; 307 and 308 send it again with its body."""
    site.pages = {"/": page("<form method=post action=/post><input name=a value=1>"), "/post": to("/end", status=status)}
    agent = browser(action("log in", "form"))
    agent.act(visit(agent), "log in")
    assert (site.seen[-1].method, site.seen[-1].text) == arrives
    assert header_of(site.seen[-1], "content-type") == ("application/x-www-form-urlencoded" if arrives[1] else "")


@pytest.mark.parametrize("answer", [to("/x", status=300), to("/x", status=304), to("/x", status=200), Response(status=302)])
def test_what_is_no_redirect_is_a_page(site: Site, browser: MakeBrowser, answer: Response) -> None:
    """A Location without one of the five statuses, or such a status without a Location, leads nowhere."""
    site.pages = {"/": answer}
    assert visit(browser()).stopped == "page"
    assert site.asked == ["GET /"]


@pytest.mark.parametrize(
    "location",
    [
        f"{CLIENT}?code=x&state=s",
        CLIENT,
        f"{CLIENT}#code=x",
        "https://pgo.harness.test:443/cb?code=x",
        "https://PGO.harness.test/cb",
    ],
)
def test_browser_stops_at_the_client(site: Site, browser: MakeBrowser, location: str) -> None:
    """The redirect URI is where the harness is already: it is not asked for, and its query is kept."""
    site.pages = {"/": to(location)}
    seen = visit(browser())
    assert (seen.stopped, seen.location) == ("at the client", location)
    assert len(seen.exchanges) == 1


@pytest.mark.parametrize(
    "location",
    [
        "https://unknown.harness.test/x",
        f"http://{HOST}/x",
        f"https://{HOST}:8443/x",
        "https://pgo.harness.test/cb/more",
        "https://pgo.harness.test.evil.test/cb",
        "javascript:alert(1)",
        "medmij://app/cb",
        "https://[/",
        f"https://{HOST}@evil.test/",
    ],
)
def test_unknown_host_is_never_visited(site: Site, browser: MakeBrowser, location: str) -> None:
    """A host, port or scheme that [connect] does not name ends the visit, and is told."""
    site.pages = {"/": to(location)}
    seen = visit(browser())
    assert (seen.stopped, seen.location) == ("unknown host", location)
    assert len(site.seen) == len(seen.exchanges) == 1


def test_redirect_loop_ends(site: Site, browser: MakeBrowser) -> None:
    """After so many redirects the browser gives up."""
    site.pages = {"/": to("/b"), "/b": to("/")}
    seen = visit(browser(redirects=6))
    assert (seen.stopped, seen.detail, len(site.seen)) == ("redirects", "more than 6 redirects", 7)
    assert visit(browser()).detail == "more than 20 redirects"


def test_exchange_that_fails_ends_the_visit(site: Site, browser: MakeBrowser) -> None:
    """Trouble on the way is where the browser stops, with what happened."""
    site.pages = {"/": to("/cut"), "/cut": Response(status=0)}
    seen = visit(browser())
    assert seen.stopped == "trouble"
    assert seen.detail.startswith(("protocol: ", "reset: "))
    assert seen.page.title == ""


@pytest.mark.parametrize(
    "answer",
    [
        page("<meta http-equiv=Refresh content='0; URL=/next'>"),
        page("<meta HTTP-EQUIV='refresh' content=\"3;url='next'\">"),
        page("<form action=/next><input type=hidden name=a value=1></form><script>document.forms[0].submit()</script>"),
        page("<body onload='document.f.submit();'><form name=f action=/next><input type=submit></form>"),
        page(
            "<base href=/x/><form method=POST action=../next><input type=hidden name=SAMLRequest value='a+b='>"
            "<noscript><button>Go on</button></noscript></form><script>document.forms[0].submit( )</script>"
        ),
    ],
)
def test_page_that_leads_on_by_itself_is_followed(site: Site, browser: MakeBrowser, answer: Response) -> None:
    """A meta refresh and a hidden form that sends itself are no pages to look at."""
    site.pages = {"/": answer, "/next": page("<title>Next</title>")}
    seen = visit(browser())
    assert (seen.stopped, seen.detail) == ("page", "Next")
    assert urlsplit(site.seen[-1].url).path == "/next"
    if site.seen[-1].method == "POST":
        assert site.form == [("SAMLRequest", "a+b=")]


@pytest.mark.parametrize(
    "body",
    [
        "<meta http-equiv=refresh content='900; url=/logged-out'>",
        "<meta http-equiv=refresh content='0'>",
        "<meta http-equiv=refresh content='99999999999999999999; url=/x'>",
        "<form action=/x><input name=user></form><script>f.submit()</script>",
        "<form action=/x></form><form action=/y></form><script>f.submit()</script>",
        "<form action=/x><input type=hidden name=a></form>",
        "",
    ],
)
def test_page_for_a_person_waits_for_her(site: Site, browser: MakeBrowser, body: str) -> None:
    """A session that ends after a quarter of an hour, a reload, and forms with fields or without a script are looked at."""
    site.pages = {"/": page(body)}
    assert visit(browser()).stopped == "page"
    assert site.asked == ["GET /"]


def test_form_that_sends_itself_to_the_client(site: Site, browser: MakeBrowser) -> None:
    """A code in a form that posts itself to the redirect URI stops at the client, too."""
    site.pages = {
        "/": page(f"<form method=post action={CLIENT}><input type=hidden name=code value=x></form><script>f.submit()</script>")
    }
    assert (visit(browser()).stopped, len(site.seen)) == ("at the client", 1)


# --- hostile sites ---


@pytest.mark.parametrize(
    "location",
    [
        f"https://{HOST}/" + "a" * 70_000,
        f"https://{HOST}/\x01",
        f"https://{HOST}/?q=" + "a" * 70_000,
        f"https://{HOST}/\xe9?\xff",
        f"https://{HOST}/%",
        f"https://{HOST}:0/",
        f"https://{HOST}:99999/",
        "https://xn--/",
        "\\\\x",
    ],
)
def test_odd_address_ends_well(site: Site, browser: MakeBrowser, location: str) -> None:
    """Whatever a Location, a form or a refresh says, the browser stops somewhere and says where."""
    attribute = location.encode("latin-1", "replace").decode("latin-1").replace("\x01", "&#1;")
    agent = browser(action("log in", "form"))
    for answer in (
        to(location),
        page(f"<meta http-equiv=refresh content='0;url={attribute}'>"),
        page(f"<form method=post action='{attribute}'><input type=hidden name=a value=1></form><script>f.submit()</script>"),
        page(f"<base href='{attribute}'><form method=get action='{attribute}'><input name=a>"),
    ):
        site.pages = {"/": answer}
        seen = agent.act(visit(agent), "log in")
        assert seen.stopped in {"page", "trouble", "unknown host", "redirects"}


@pytest.mark.parametrize(
    "body", ["<" * 100_000, "<div>" * 100_000, "\0", "<form" * 1000, "<!--", "<title>" + "x" * 100_000, "\ud7ff\uffff"]
)
def test_odd_page_is_a_page(site: Site, browser: MakeBrowser, body: str) -> None:
    """What can hardly be called a page is a page nonetheless."""
    site.pages = {"/": page(body)}
    agent = browser(action("log in", "form#login"))
    assert agent.act(visit(agent), "log in").stopped == "page"


def test_octets_that_are_no_page(site: Site, browser: MakeBrowser) -> None:
    """An image, JSON or nothing at all is looked at, and has no title."""
    for body in (bytes(range(256)), b'{"a": "<form>"}', b""):
        site.pages = {"/": Response(status=200, headers=(("Content-Type", "image/png"),), body=body)}
        assert (visit(browser()).stopped, visit(browser()).detail) == ("page", "")


# --- cookies ---


def test_cookies_are_kept_and_sent_back(site: Site, browser: MakeBrowser) -> None:
    """A cookie that a redirect sets is sent with the next request, others stay, a deleted one goes."""
    site.pages = {
        "/": to("/b", ("Set-Cookie", "one=1; Path=/; Secure; HttpOnly; SameSite=Lax"), ("set-cookie", "two=2")),
        "/b": to("/c", ("Set-Cookie", "one=; Max-Age=0; Path=/"), ("Set-Cookie", 'three="a b"; Path=/')),
        "/c": page(""),
    }
    visit(browser())
    assert site.jars == [
        [],
        ["one=1", "two=2"],
        ['three="a b"', "two=2"],
    ]


def test_cookies_belong_to_a_path_and_a_host(site: Site, browser: MakeBrowser) -> None:
    """A cookie of /oauth is not sent to /fhir, nor to another host."""
    site.pages = {
        "/oauth/a": to("/fhir", ("Set-Cookie", "sid=1; Path=/oauth"), ("Set-Cookie", "all=1; Path=/")),
        "/fhir": to("/oauth/b"),
        "/oauth/b": to(f"https://{LOGIN}/oauth/c"),
        "/oauth/c": page(""),
    }
    visit(browser(), "/oauth/a")
    assert site.jars == [[], ["all=1"], ["all=1", "sid=1"], []]


def test_cookie_for_somebody_else_is_not_taken(site: Site, browser: MakeBrowser) -> None:
    """A cookie for another domain, or for all of a top-level domain, is dropped."""
    site.pages = {"/": to("/b", ("Set-Cookie", "a=1; Domain=evil.test"), ("Set-Cookie", "b=1; Domain=test")), "/b": page("")}
    visit(browser())
    assert site.cookies == ["", ""]


def test_secure_cookie_is_not_sent_in_clear(browser: MakeBrowser) -> None:
    """A Secure cookie waits for https; one without the flag goes along over http, too."""
    agent = browser()
    sent: list[Any] = []

    class Recorder:
        def send(self, exchange: Any, **_: Any) -> Any:
            sent.append(header_of(exchange.request, "cookie"))
            cookies = (("Set-Cookie", "safe=1; Secure"), ("Set-Cookie", "open=1"))
            return type(exchange)(**{**_fields(exchange), "response": Response(status=200, headers=cookies)})

    agent.client = Recorder()
    for url in (f"https://{HOST}/", f"https://{HOST}/", f"http://{HOST}/"):
        agent.open(Request(method="GET", url=url), label="x")
    assert sent == ["", "safe=1; open=1", "open=1"]


def _fields(exchange: Any) -> dict[str, Any]:
    return {name: getattr(exchange, name) for name in exchange.__dataclass_fields__}


def test_two_browsers_share_nothing(site: Site, browser: MakeBrowser) -> None:
    """Each person has her own cookies."""
    site.pages = {"/": page("", ("Set-Cookie", "sid=1"))}
    one, other = browser(), browser()
    visit(one)
    visit(other)
    visit(one)
    assert site.cookies == ["", "", "sid=1"]


@pytest.mark.parametrize("value", ["na\xefve", "\xc3\xa9", "=a==b=", '"quoted"', "a" * 4000, "{json:1}"])
def test_odd_cookie_value_goes_back_as_it_came(site: Site, browser: MakeBrowser, value: str) -> None:
    """The octets of a cookie are the gateway's own business."""
    site.pages = {"/": to("/b", ("Set-Cookie", f"odd={value}")), "/b": page("")}
    assert visit(browser()).stopped == "page"
    assert site.cookies == ["", f"odd={value}"]


# --- forms and recipes ---


FORM = """
<title>Log in</title>
<form id=other action=/wrong method=post><input name=bsn value=wrong><button name=go value=other>Other</button></form>
<form id=login action="/login?keep=1" method=post>
  <input type=hidden name=csrf value="a&amp;b+c">
  <input name=bsn> <input id=user name="user[name]" value=nobody> <input type=password name=password>
  <input type=checkbox name=agree> <input type=checkbox name=mail value=yes checked>
  <input type=radio name=way value=sms checked> <input type=radio name=way value=app>
  <select name=level><option value=10 selected>Basis<option value=20>Midden</select>
  <select name=lang><option>nl<option>en</select>
  <textarea name=note>a note</textarea>
  <input name=off disabled value=x> <input value="no name"> <input type=reset name=reset value=r>
  <button name=do value=login>Log in</button> <button name=do value=cancel>Cancel</button>
</form>
<input form=login name=late value=1><button id=far form=login name=do value=far formaction=/far formmethod=post>Far</button>
"""

SENT = [
    ("csrf", "a&b+c"),
    ("bsn", ""),
    ("user[name]", "nobody"),
    ("password", ""),
    ("mail", "yes"),
    ("way", "sms"),
    ("level", "10"),
    ("lang", "nl"),
    ("note", "a note"),
]
LATE = ("late", "1")


def changed(**changes: str) -> list[tuple[str, str]]:
    return [(name, changes.get(name, value)) for name, value in SENT]


@pytest.mark.parametrize(
    ("recipe", "path", "sent"),
    [
        ({"press": "button[value=login]"}, "/login?keep=1", [*SENT, ("do", "login"), LATE]),
        ({"press": "button[value=cancel]"}, "/login?keep=1", [*SENT, ("do", "cancel"), LATE]),
        ({}, "/login?keep=1", [*SENT, LATE]),
        ({"press": "#far"}, "/far", [*SENT, LATE, ("do", "far")]),
        (
            {"press": "button[value=login]", "fill": {"bsn": "{bsn}", "#user": "{name} & co", "note": "é"}},
            "/login?keep=1",
            [*changed(bsn=BSN, note="é", **{"user[name]": "Roos & co"}), ("do", "login"), LATE],
        ),
        (
            {"press": "button[value=login]", "fill": {"user[name]": "x", "input[type=password]": "geheim"}},
            "/login?keep=1",
            [*changed(password="geheim", **{"user[name]": "x"}), ("do", "login"), LATE],
        ),
        (
            {"press": "button[value=login]", "check": ("input[name=agree]",)},
            "/login?keep=1",
            [*SENT[:4], ("agree", "on"), *SENT[4:], ("do", "login"), LATE],
        ),
        (
            {"press": "button[value=login]", "check": ("input[value=app]",)},
            "/login?keep=1",
            [*changed(way="app"), ("do", "login"), LATE],
        ),
        (
            {"press": "button[value=login]", "select": {"select[name=level]": "20", "select[name=lang]": "en"}},
            "/login?keep=1",
            [*changed(level="20", lang="en"), ("do", "login"), LATE],
        ),
    ],
)
def test_form_is_sent_as_a_browser_would(
    site: Site, browser: MakeBrowser, recipe: Mapping[str, Any], path: str, sent: Sequence[tuple[str, str]]
) -> None:
    """Fields by name or selector, boxes, choices, the button pressed, fields elsewhere on the page: the pairs of a browser."""
    site.pages = {"/": page(FORM), "/login": page("<title>In</title>"), "/far": page("<title>Far</title>")}
    agent = browser(action("log in", "form#login", **recipe))
    seen = agent.act(visit(agent), "log in", person="Roos")
    assert (seen.stopped, seen.actions, seen.last.label) == ("page", ("log in",), "Roos chooses to log in")
    assert site.asked[-1] == f"POST {path}"
    assert site.form == list(sent)


def test_post_says_where_it_comes_from(site: Site, browser: MakeBrowser) -> None:
    """A form is posted with Content-Type, Origin and Referer."""
    site.pages = {"/a": page("<form method=post action=/b><button>x")}
    agent = browser(action("log in", "form"))
    agent.act(visit(agent, "/a?q=1"), "log in")
    last = site.seen[-1]
    assert header_of(last, "origin") == f"https://{HOST}"
    assert header_of(last, "referer") == f"https://{HOST}/a?q=1"
    assert header_of(last, "content-type") == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ("<form action='/b?old=1#f'><input name=new value='a b'><button>x</button></form>", "GET /b?new=a+b"),
        ("<form><input name=state value=s><button>x</button></form>", "GET /in/page?state=s"),
        ("<base href=/other/><form action=b method=post><button>x</button></form>", "POST /other/b"),
        (f"<base href='https://{HOST}/c/d'><form method=post action='?q=1'><button>x</button></form>", "POST /c/d?q=1"),
        ("<form method=post><button formaction=/d>x</button></form>", "POST /d"),
        ("<form action=/b><button formmethod=POST>x</button></form>", "POST /b"),
        ("<form action=/b><input type=submit name=go value=on class=button></form>", "GET /b?go=on"),
    ],
)
def test_where_a_form_is_sent(site: Site, browser: MakeBrowser, body: str, asked: str) -> None:
    """Action, base, formaction and formmethod are heeded; the fields of a GET take the place of the action's query."""
    site.pages = {"/in/page": page(body)}
    agent = browser(action("give consent", "form", press="button, .button"))
    agent.act(visit(agent, "/in/page?old=1"), "give consent")
    assert site.asked[-1] == asked


def test_link_is_followed(site: Site, browser: MakeBrowser) -> None:
    """An action may press a link, whose query stays."""
    site.pages = {"/": page("<a class=cancel href='/stop?why=no#x'>Stop</a>")}
    agent = browser(action("cancel login", "a.cancel"))
    agent.act(visit(agent), "cancel login")
    assert site.asked == ["GET /", "GET /stop?why=no"]


def test_several_pages_of_one_intent(site: Site, browser: MakeBrowser) -> None:
    """An intent may take several pages, each recognised by its own action; the exchanges of all are one visit."""
    site.pages = {
        "/": page("<form id=one method=post action=/two><button>Next"),
        "/two": to("/three", status=303),
        "/three": page("<form id=two method=post action=/done><button>Next"),
        "/done": to(f"{CLIENT}?code=x"),
    }
    agent = browser(action("log in", "#one"), action("give consent", "#two"), action("log in", "#two"))
    seen = agent.act(visit(agent), "log in")
    assert (seen.stopped, seen.actions, seen.location) == ("at the client", ("log in", "log in"), f"{CLIENT}?code=x")
    assert site.asked == ["GET /", "POST /two", "GET /three", "POST /done"]
    assert len(seen.exchanges) == 3


def test_several_intents_in_turn(site: Site, browser: MakeBrowser) -> None:
    """Several intents are carried out as their pages come."""
    site.pages = {
        "/": page("<form id=login method=post action=/consent><button>Log in"),
        "/consent": page("<form id=consent method=post action=/done><button name=a value=yes>Yes<button name=a value=no>No"),
        "/done": to(CLIENT),
    }
    agent = browser(action("refuse consent", "#consent", press="[value=no]"), action("log in", "#login"))
    seen = agent.act(visit(agent), "log in", "refuse consent")
    assert (seen.stopped, seen.actions) == ("at the client", ("log in", "refuse consent"))
    assert site.form == [("a", "no")]


def test_first_action_whose_page_matches(site: Site, browser: MakeBrowser) -> None:
    """Of several actions of an intent the first counts whose page is there."""
    site.pages = {"/": page("<form id=b method=post action=/b><button>x")}
    agent = browser(action("log in", "#a"), action("log in", "#b"), action("log in", "form", press="#c"))
    assert agent.act(visit(agent), "log in").stopped == "page"
    assert site.asked[-1] == "POST /b"


def test_same_action_is_taken_twice_at_most(site: Site, browser: MakeBrowser) -> None:
    """A login page that comes back again and again is left alone after the second time; a new visit may try again."""
    site.pages = {"/": page("<title>Wrong</title><form method=post><button>Log in")}
    agent = browser(action("log in", "form"))
    seen = agent.act(visit(agent), "log in")
    assert (seen.stopped, seen.detail, seen.actions) == ("page", "Wrong", ("log in", "log in"))
    assert site.asked == ["GET /", "POST /", "POST /"]
    agent.act(seen, "log in")
    assert len(site.asked) == 5


def test_page_that_nobody_recognises(site: Site, browser: MakeBrowser) -> None:
    """Without an action for the page nothing is sent, and the visit stays what it was."""
    site.pages = {"/": page("<title>Maintenance</title><form><button>x")}
    agent = browser(action("log in", "form#login"), action("give consent", "form"))
    before = visit(agent)
    after = agent.act(before, "log in")
    assert (after.stopped, after.detail, after.actions) == ("page", "Maintenance", ())
    assert after.exchanges is before.exchanges
    assert len(site.seen) == 1


def test_browser_that_did_not_stop_at_a_page_does_nothing(site: Site, browser: MakeBrowser) -> None:
    """At the client, at an unknown host or after trouble there is nothing to press."""
    site.pages = {"/": to(CLIENT)}
    agent = browser(action("log in", "form"))
    before = visit(agent)
    assert agent.act(before, "log in") == before


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"press": "button.gone"}, "log in: nothing on the page matches 'button.gone'"),
        ({"press": "h1"}, "log in: 'h1' stands in no form"),
        ({"press": "button", "fill": {"gone": "x"}}, "log in: the form has no field 'gone'"),
        ({"press": "button", "check": ("#gone",)}, "log in: nothing on the page matches '#gone'"),
        ({"press": "button", "select": {"select": "x"}}, "log in: the field 's' has no option 'x'"),
        ({"press": "button[["}, "log in: 'button[[' is not a CSS selector"),
    ],
)
def test_recipe_that_does_not_fit(site: Site, browser: MakeBrowser, recipe: Mapping[str, Any], said: str) -> None:
    """An action whose page is there but whose control or field is not stops the visit, names what is missing, sends nothing."""
    site.pages = {"/": page("<h1>Hi</h1><form><select name=s><option>1</select><button>x</button></form>")}
    agent = browser(action("log in", "form", **recipe))
    seen = agent.act(visit(agent), "log in")
    assert seen.stopped == "recipe"
    assert seen.detail.startswith(said)
    assert len(site.seen) == 1


def test_selector_that_is_none(site: Site, browser: MakeBrowser) -> None:
    """An action whose page is no selector stops the visit and names the selector."""
    site.pages = {"/": page("<form>")}
    agent = browser(action("log in", "form[["))
    seen = agent.act(visit(agent), "log in", "give consent")
    assert (seen.stopped, "'form[[' is not a CSS selector" in seen.detail) == ("recipe", True)


def test_recipe_that_fails_on_the_second_page_keeps_the_first(site: Site, browser: MakeBrowser) -> None:
    """What was exchanged before the recipe stopped fitting is in the visit."""
    site.pages = {"/": page("<form id=a method=post action=/b><button>x"), "/b": page("<form id=b><b>x")}
    agent = browser(action("log in", "#a"), action("log in", "#b", press="button"))
    seen = agent.act(visit(agent), "log in")
    assert (seen.stopped, seen.actions, [one.request.method for one in seen.exchanges]) == ("recipe", ("log in",), ["POST"])


def test_form_can_be_prepared_and_changed(site: Site, browser: MakeBrowser) -> None:
    """What pressing would send can be had without sending it, be changed, and be sent as an attacker would."""
    site.pages = {
        "/": page("<form method=post action=/b><input type=hidden name=csrf value=1><button name=ok value=1>x"),
        "/b": page(""),
    }
    agent = browser(action("give consent", "form", press="button"), action("cancel login", "form", press="button[name=no]"))
    start = visit(agent)
    assert agent.prepared(start, "cancel login") is None  # the page is recognised, and has no such control
    ready = agent.prepared(start, "give consent")
    assert ready
    assert len(site.seen) == 1
    assert ready.fields == (("csrf", "1"), ("ok", "1"))
    forged = type(ready)(ready.method, ready.url, (("ok", "1"),))
    seen = agent.submit(start, forged, label="consent without its token", deviation="no csrf")
    assert (seen.last.label, seen.last.deviation, site.form) == ("consent without its token", "no csrf", [("ok", "1")])
    assert agent.prepared(start, "refuse consent") is None


def test_exchanges_know_whose_they_are(site: Site, browser: MakeBrowser) -> None:
    """Every exchange of a browser carries its identity, twin and flow, and shows no certificate."""
    site.pages = {"/": to("/b"), "/b": page("")}
    seen = visit(browser(flow=4, identity="mallory", twin="pgo"))
    assert {(one.identity, one.twin, one.flow) for one in seen.exchanges} == {("mallory", "pgo", 4)}
    assert not any(one.tls and one.tls.certificate_presented for one in seen.exchanges)


def test_page_is_asked_for_as_a_browser_asks(site: Site, browser: MakeBrowser) -> None:
    """Pages are asked for with an Accept header that prefers HTML."""
    site.pages = {"/": page("")}
    visit(browser())
    assert header_of(site.seen[0], "accept").startswith("text/html")
