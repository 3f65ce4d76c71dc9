"""Pages: what a person sees, where they lead, and what their forms send; never an exception for bad markup."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmij_conformance.protocol.html import Page, PageError, Submission

URL = "https://za.test/in/page?old=1"


def page(body: str) -> Page:
    return Page(body.encode(), URL)


# --- what a person sees ---


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("<title> Log \n in </title>", "Log in"),
        ("<TITLE>&eacute;&lt;b&gt;</TITLE>", "é<b>"),
        ("<svg><title>x</title></svg>", "x"),
        ("<p>none</p>", ""),
        ("", ""),
    ],
)
def test_title(body: str, title: str) -> None:
    """The title is text with white space folded; none is empty."""
    assert page(body).title == title


def test_visible_text() -> None:
    """Text is what a person can read: no scripts, styles, templates, head or hidden parts; words stay whole and apart."""
    body = (
        "<head><title>T</title><style>s{}</style></head><body><h1>One</h1>two<p><b>th</b>r<i>ee</i>,\n\n four&nbsp;five"
        "<script>no</script><template>no</template><noscript>no</noscript><p hidden>no</p><!-- no --><div>six<br>seven"
    )
    assert page(body).text == "One two three, four five six seven"


def test_text_in_utf8() -> None:
    """Octets that are no UTF-8 do not stop the reading of the rest."""
    assert "après" in Page("<p>après ".encode() + b"\xff\xfe <b>x", URL).text


# --- where it leads ---


LINKS = """
<base href="/base/dir/"><base href="/second/">
<a href="one">1</a><a name=x>no</a><a href="">no</a><a href="//other.test/two">2</a><area href="/three">
<a href="mailto:x@y.test">4</a><a href="#five">5</a>
<iframe src=frame></iframe><frame src="/f2"><iframe></iframe>
<form action="post"><button formaction="/alt">x</button><input type=submit formaction="more"></form><form></form>
<meta http-equiv=refresh content="5; url=fresh">
<script>var a = 'https://script.test/x?y=1'; location.href="http://other.test/z"</script>
"""


def test_links_and_frames() -> None:
    """Links and frames are absolute, by the first base of the page."""
    base = "https://za.test/base/dir/"
    assert page(LINKS).base == base
    assert page(LINKS).links == [
        f"{base}one",
        "https://other.test/two",
        "https://za.test/three",
        "mailto:x@y.test",
        f"{base}#five",
    ]
    assert page(LINKS).frames == [f"{base}frame", "https://za.test/f2"]


def test_every_address_of_a_page() -> None:
    """Links, frames, actions of forms and buttons, refreshes, and addresses in scripts: wherever a browser could be sent."""
    assert {*page(LINKS).addresses} == {
        *page(LINKS).links,
        *page(LINKS).frames,
        "https://za.test/base/dir/post",
        URL,
        "https://za.test/alt",
        "https://za.test/base/dir/more",
        "https://za.test/base/dir/fresh",
        "https://script.test/x?y=1",
        "http://other.test/z",
    }


@pytest.mark.parametrize(
    ("content", "leads", "soon"),
    [
        ("0;url=/x", "https://za.test/x", True),
        ("0; URL = '/x'", "https://za.test/x", True),
        ('3 , "x y"', "https://za.test/in/x y", True),
        ("0.5;/x", "https://za.test/x", True),
        ("10;url=/x", "https://za.test/x", True),
        ("11;url=/x", "https://za.test/x", False),
        ("900;url=/logout", "https://za.test/logout", False),
        ("9999999999999999999;url=/x", "https://za.test/x", False),
        ("5", None, False),
        ("5;", None, False),
        ("url=/x", None, False),
        ("", None, False),
        ("0;url=http://[", "about:invalid", True),
    ],
)
def test_refresh(content: str, leads: str | None, soon: bool) -> None:
    """A meta refresh leads to an address, soon or after a while; a reload leads nowhere."""
    one = page(f'<meta http-equiv=REFRESH content="{content.replace(chr(34), "&quot;")}">')
    assert (one.refresh, one.refreshes_soon) == (leads, soon)


def test_other_metas_are_no_refresh() -> None:
    """Only http-equiv=refresh leads on."""
    assert page("<meta name=refresh content='0;url=/x'><meta http-equiv=refresh>").refresh is None


@pytest.mark.parametrize(
    ("body", "submission"),
    [
        (
            "<form method=post action=/acs><input type=hidden name=a value='1 &amp; 2'></form><script>document.f.submit()</script>",
            Submission("POST", "https://za.test/acs", (("a", "1 & 2"),)),
        ),
        ("<body onload='f.submit();'><form><input type=HIDDEN name=a></form>", Submission("GET", URL, (("a", ""),))),
        (
            "<form action=/x><input type=hidden name=a><input type=submit name=go value=1></form><script>f.submit()</script>",
            Submission("GET", "https://za.test/x", (("a", ""),)),
        ),
        ("<form><input name=user></form><script>f.submit()</script>", None),
        ("<form><textarea name=x></textarea></form><script>f.submit()</script>", None),
        ("<form><select name=x><option>1</select></form><script>f.submit()</script>", None),
        ("<form></form><form></form><script>f.submit()</script>", None),
        ("<form></form><script>submit = 1</script>", None),
        ("<form></form>", None),
        ("<script>f.submit()</script>", None),
    ],
)
def test_form_that_sends_itself(body: str, submission: Submission | None) -> None:
    """One form without visible fields and a script that submits it; the button for those without scripts is not pressed."""
    assert page(body).automatic_submission() == submission


def test_what_a_page_holds() -> None:
    """Forms, scripts and hidden fields, over the whole page."""
    one = page("<form><input type=hidden name=a value=1></form><input type=HIDDEN value=2><script></script>")
    assert (one.has_form, one.has_script) == (True, True)
    assert one.hidden_fields() == [("a", "1"), ("", "2")]
    assert (page("x").has_form, page("x").has_script, page("x").hidden_fields()) == (False, False, [])


# --- selectors ---


@pytest.mark.parametrize("selector", ["form", "form#f.c", "input[name='a b']", "FORM > INPUT", "p, form", "input:checked"])
def test_selectors_that_match(selector: str) -> None:
    """CSS selectors are understood as in a page: element names in any case, attributes, lists, states."""
    assert page("<form id=f class='x c'><input type=checkbox name='a b' checked></form>").matches(selector)


def test_selector_that_does_not_match() -> None:
    """A selector of something else finds nothing."""
    assert not page("<form id=f>").matches("form#g")
    assert page("<form id=f>").select("form#g") == []


@pytest.mark.parametrize("selector", ["", "form[", "::", "a:no-such-thing", "form >", "!"])
def test_text_that_is_no_selector(selector: str) -> None:
    """What is no selector is an error that names it."""
    with pytest.raises(PageError, match="is not a CSS selector"):
        page("<form>").matches(selector)


# --- what a form sends ---


def fields(body: str, press: str = "button", **recipe: object) -> list[tuple[str, str]]:
    return list(page(f"<form>{body}<button>Go</button></form>").press(press, **recipe).fields)


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ("<input name=a value=1><input name=a value=2>", [("a", "1"), ("a", "2")]),
        ("<input value=x><input name='' value=x>", []),
        ("<input name=a disabled value=1>", []),
        (
            "<input type=checkbox name=a><input type=checkbox name=b checked><input type=radio name=c value=1 checked>",
            [("b", "on"), ("c", "1")],
        ),
        ("<input type=submit name=a value=1><input type=reset name=b><input type=button name=c><input type=image name=d>", []),
        ("<select name=a><option value=''>-<option value=1 selected>1</select>", [("a", "1")]),
        ("<select name=a><option>  one<option>two</select>", [("a", "  one")]),
        ("<select name=a multiple><option>1<option>2</select>", []),
        ("<select name=a multiple><option selected>1<option selected value=2>x</select>", [("a", "1"), ("a", "2")]),
        ("<select name=a></select>", []),
        ("<textarea name=a>x &amp; y</textarea><textarea name=b></textarea>", [("a", "x & y"), ("b", "")]),
    ],
)
def test_fields_of_a_form(body: str, sent: list[tuple[str, str]]) -> None:
    """A form sends the fields that a browser would: with a name, enabled, ticked, chosen."""
    assert fields(body) == sent


def test_pressed_button_is_sent() -> None:
    """Only the button that is pressed is sent, also when it is an input or stands outside the form."""
    body = "<input type=submit name=do value=yes><input type=submit name=do value=no>"
    assert fields(body, "[value=no]") == [("do", "no")]
    outside = page("<form id=f action=/x></form><button form=f name=do value=far>x</button>")
    assert outside.press("[value=far]") == Submission("GET", "https://za.test/x", (("do", "far"),))


def test_fill_by_name_or_selector() -> None:
    """A field is found by its name in this form first, and else by a selector."""
    body = (
        "<input name=a value=x><input id=b name=q><select name=c><option>1<option value=2>two</select><textarea name=d>x</textarea>"
    )
    filled = fields(body, fill={"a": "1", "#b": "é&=", "c": "2", "d": ""})
    assert filled == [("a", "1"), ("q", "é&="), ("c", "2"), ("d", "")]


def test_ticked_radio_button_unticks_the_others() -> None:
    """Of a group of radio buttons one is sent; boxes and other groups stay."""
    body = "<input type=radio name=a value=no checked><input type=radio name=a value=yes><input type=radio name=b value=1 checked>"
    assert fields(f"{body}<input type=checkbox name=a value=box checked>", check=("[value=yes]",)) == [
        ("a", "yes"),
        ("b", "1"),
        ("a", "box"),
    ]


def test_choice_by_value_or_text() -> None:
    """An option is chosen by its value, or by its text when it has none."""
    body = "<select name=a><option value=1 selected>one<option>two</select>"
    assert fields(body, select={"select": "two"}) == [("a", "two")]
    assert fields(body, select={"[name=a]": "1"}) == [("a", "1")]


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"selector": "#gone"}, "nothing on the page matches '#gone'"),
        ({"selector": "p"}, "'p' stands in no form"),
        ({"selector": "[form]"}, r"'\[form\]' stands in no form"),
        ({"selector": "form", "fill": {"other": "x"}}, "the form has no field 'other'"),
        ({"selector": "form", "fill": {"off": "x"}}, "the form has no field 'off'"),
        ({"selector": "form", "fill": {"a[0": "x"}}, r"the form has no field 'a\[0'"),
        ({"selector": "form", "fill": {"s": "9"}}, "the field 's' has no option '9'"),
        ({"selector": "form", "check": ("#gone",)}, "nothing on the page matches '#gone'"),
        ({"selector": "form", "select": {"select": "9"}}, "the field 's' has no option '9'"),
    ],
)
def test_what_does_not_fit_is_named(recipe: dict[str, object], said: str) -> None:
    """A control, field, box or option that is not there is an error that names it."""
    body = "<p>x</p><button form=nowhere>x</button><form><input name=off disabled><select name=s><option>1</select></form>"
    with pytest.raises(PageError, match=f"^{said}$"):
        page(f"{body}<form><input name=other></form>").press(**recipe)


def test_hostile_addresses_lead_nowhere() -> None:
    """An address that cannot be one becomes ``about:invalid``, wherever it stands."""
    one = page(
        "<base href='http://['><a href='http://['>x</a>"
        "<form action='http://['><input type=hidden></form><script>f.submit()</script>"
    )
    assert one.base == "about:invalid"
    assert one.links == ["about:invalid"]
    assert one.automatic_submission() == Submission("GET", "about:invalid", ())
    assert one.press("a") == Submission("GET", "about:invalid", ())


@given(st.one_of(st.binary(max_size=200), st.text("<>/ab='\"&#;! \nfrm", max_size=200).map(str.encode)))
def test_no_markup_is_too_bad(body: bytes) -> None:
    """Whatever the octets, a page has a title, a text, links and forms, perhaps empty."""
    one = Page(body, URL)
    one.automatic_submission()
    one.hidden_fields()
    assert isinstance(one.title + one.text, str)
    assert {*one.links, *one.frames} <= {*one.addresses}
    assert one.matches("html")


def test_what_stands_after_the_end_is_read() -> None:
    """A browser goes on after the end of a document, so what was appended to it is seen as well."""
    one = Page(b"<!doctype html><html><body><p>One</p></body></html>\n<p>two<form id=f></form></BODY ></HTML>three", URL)
    assert (one.text, one.matches("body #f")) == ("One two three", True)


@pytest.mark.parametrize(
    "body", [b"<div>" * 100_000, b"<a href=x>" * 20_000, b"&" * 100_000, b"<form><select>" * 20_000, b"<" * 200_000]
)
def test_bombs_end_in_time(body: bytes) -> None:
    """Deep and wide pages are read in a second, as far as they can be."""
    began = time.process_time()
    one = Page(body, URL)
    assert isinstance(one.title + one.text, str)
    one.automatic_submission()
    assert time.process_time() - began < 2


# --- what an attacker changes, and what only a script could show ---


def test_long_hidden_values_are_altered() -> None:
    """Values that the page put in change at their end; short ones and what a person typed stay."""
    form = page(
        "<form method=post action=/x><input name=bsn><input type=hidden name=key value=0123456789abcdefXYZXYZ>"
        "<input type=hidden name=page value=2><button>Go</button></form>"
    ).press("button", {"bsn": "a name of many letters"})
    altered = form.altered()
    assert altered
    assert altered.fields == (("bsn", "a name of many letters"), ("key", "0123456789abcdefAAAAAA"), ("page", "2"))


def test_what_a_script_sends_is_altered_in_headers_and_body() -> None:
    """The value is replaced wherever it stands."""
    sent = Submission("POST", URL, (), ("0123456789abcdef",), (("X-Key", "0123456789abcdef"),), b'{"k": "0123456789abcdef"}')
    altered = sent.altered()
    assert altered
    assert (altered.headers, altered.body) == ((("X-Key", "0123456789AAAAAA"),), b'{"k": "0123456789AAAAAA"}')


@pytest.mark.parametrize("body", ["<form method=post></form>", "<form><input type=hidden name=a value=short></form>"])
def test_without_a_long_hidden_value_nothing_is_altered(body: str) -> None:
    """There is no forgery that differs from the form itself."""
    assert page(body).press("form").altered() is None


@pytest.mark.parametrize(
    ("body", "by_script"),
    [
        ("<div id=app></div><script src=/app.js></script>", True),
        ("<form></form><script></script>", False),
        ("<a href=/x>on</a><script></script>", False),
        ("<p>The end</p>", False),
    ],
)
def test_page_that_works_by_script(body: str, by_script: bool) -> None:
    """A page with nothing to use but a script."""
    assert page(body).works_by_script is by_script
