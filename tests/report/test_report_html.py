"""report.html: readable by people, and nothing of the target comes alive in it."""

import base64
import hashlib
import re
import time
from dataclasses import replace

import lxml.html
import pytest

from medmij_conformance.evidence import Request, Response
from medmij_conformance.report import html

OURS = {
    *("html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "footer"),
    *(
        "h1",
        "h2",
        "h3",
        "h4",
        "p",
        "a",
        "span",
        "strong",
        "em",
        "code",
        "pre",
        "div",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
    ),
    *("table", "thead", "tbody", "tfoot", "tr", "th", "td", "details", "summary", "svg", "rect"),
}
ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "id",
        "href",
        "open",
        "scope",
        "colspan",
        "tabindex",
    ),
    *("aria-hidden", "aria-label", "aria-labelledby", "data-name"),
    *("viewbox", "preserveaspectratio", "x", "y", "width", "height"),
}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "javascript:alert(1)",
    "</style></pre></details><iframe src=//evil.example></iframe>",
    "<!-- ]]> --!> <svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}{# #}${7*7}",
    "&lt;b&gt; &#60;script&#62;",
    "\x1b]8;;https://evil.example\x07click\x1b[2J",
    "\u202egnp.exe\u2066\u200b\ufeff\u2028",
    "\x00\x01\x7f\x9b",
    "half \ud800 a pair",
    "x" * 100_000,
    "\r\nSet-Cookie: a=b\r\n\r\n<b>",
)


def _page(run) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(html.render(run).decode())


def _skeleton(page) -> list[tuple[str, list[str]]]:
    return [(element.tag, sorted(element.attrib)) for element in page.iter()]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_of_the_target_becomes_markup(example, text: str) -> None:
    """Whatever text stands everywhere, the page has the elements and attributes of harmless text, all ours."""
    page = _page(example(text=text).end(trouble=text))
    assert _skeleton(page) == _skeleton(_page(example().end(trouble="plain")))
    for element in page.iter():
        assert element.tag in OURS
        assert set(element.attrib) <= ATTRIBUTES
        assert element.get("href", "#").startswith("#")


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_in_the_page_is_invisible(example, text: str) -> None:
    """Every character of the page can be seen, but for line ends and tabs."""
    page = html.render(example(text=text).end(trouble=text)).decode()
    assert {character for character in page if not character.isprintable()} <= {"\n", "\t"}


def test_template_syntax_is_only_text(example) -> None:
    """An expression in the name of a target is shown as it is, not computed."""
    assert _page(example(text="{{ 7 * 7 }}").end()).findtext(".//h1") == "{{ 7 * 7 }}"


def test_a_header_cannot_pretend_to_be_two(example) -> None:
    """A line end in the value of a header is shown, so that one header stays one line."""
    texts = [element.text for element in _page(example(text="a\r\nX-Evil: b").end()).iter("pre")]
    assert any("Location: a⟨U+000D⟩⟨U+000A⟩X-Evil: b" in text for text in texts)
    assert not any(re.search("^X-Evil", text.partition("\n\n")[0], re.MULTILINE) for text in texts)


def test_no_script_runs_and_only_our_style_applies(example) -> None:
    """The policy of the page allows nothing but the style sheet with this digest, and there is no script at all."""
    page = _page(example().end())
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    (css,) = page.xpath("//style/text()")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert not page.xpath("//script | //@style | //link | //img | //form")
    assert "url(" not in css
    assert "@import" not in css


def test_every_link_leads_somewhere(example) -> None:
    """Each link goes to a place in the page, and no id stands twice."""
    page = _page(example().end())
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    assert {href.removeprefix("#") for href in page.xpath("//@href")} <= set(ids)


def test_a_fail_speaks(example) -> None:
    """The scenario of a fail shows claim, expected, observed, hint, reading with its text, messages and a command."""
    run = example().end()
    (inside,) = _page(run).xpath("//*[@id='s2']")
    text = " ".join(inside.text_content().split())
    for part in (
        "A code that was offered before is refused.",
        "Expected400 with invalid_grant",
        "Observed200: plain",
        "the code is still stored after its first use",
        "Reading AMB.60",
        "Does a failed offer use up a code?",
        "medmij-conformance run target.toml --plan quick --only APP.12b --seed 7",
        "stopped Given the code is redeemed again",
    ):
        assert part in text
    assert inside.xpath(".//a[@href='#m2']")


def test_the_verdict_comes_first_and_says_what_it_covers(example) -> None:
    """The banner has the headline, and the page says who was tested, with what, how, and what the plan promised."""
    run = example(text="Kliniek").end()
    text = " ".join(_page(run).text_content().split())
    assert "Requirements not met" in text
    for part in (
        run.headline,
        "DVZA (ZA Gateway)",
        "medmij-conformance 0.1.0",
        "medmij-conformance run target.toml --plan quick --seed 7",
        "The quick plan promises to judge 5 of them",
        "not complete",
        "0f" * 32,
    ):
        assert part in text


def test_fails_come_before_passes(example) -> None:
    """The groups of requirements stand worst first, with words and not by colour alone."""
    page = _page(example().end())
    groups = page.xpath("//section[@aria-labelledby='requirements']/details/summary//span[contains(@class, 'badge')]")
    words = [" ".join(group.text_content().split()) for group in groups]
    assert words == ["✕ Fail", "! Harness error", "○ Not tested", "▲ Warning", "✓ Pass", "∅ Not applicable"]


def test_every_requirement_of_the_role_is_in_the_page(example) -> None:
    """Tested or not, each requirement has its row, and those outside the run stand under the reason why."""
    run = example().end()
    page = _page(run)
    rows = set(page.xpath("//tr/@id"))
    assert rows == {f"r-{result.requirement.id}" for result in run.requirements}
    outside = page.xpath("//section[@aria-labelledby='not-tested']")[0].text_content()
    assert "not in the quick plan" in outside


def test_dutch_is_marked_as_dutch(example) -> None:
    """A screen reader is told which texts are Dutch."""
    page = _page(example().end())
    assert "Een code wordt ingewisseld voor een token" in page.xpath("//*[@lang='nl']/text()")


def test_an_interrupted_run_says_so(journal) -> None:
    """The banner of a killed run says that it was interrupted, and steps that it never did are shown as not run."""
    book = journal()
    book.start()
    text = " ".join(_page(book.run()).text_content().split())
    assert "The run was interrupted" in text
    assert "not run Given Roos has given consent" in text


def test_a_run_of_nothing_still_has_a_report(journal) -> None:
    """Without scenarios, promises or messages the page says so."""
    text = _page(journal(scenarios=(), planned=()).end()).text_content()
    for part in ("Nothing was promised", "No scenario was planned.", "No message was exchanged."):
        assert part in text


def test_a_time_that_is_none_is_shown_as_it_is(example) -> None:
    """A message without its time, or a run with a garbled one, does not cost the reader the report."""
    run = example().end()
    first = replace(run.exchanges[1], at="")
    text = _page(replace(run, started="once", exchanges={**run.exchanges, 1: first})).text_content()
    assert "once" in text
    assert "unknown, for 0.250 s" in text


def test_a_long_body_is_cut_with_a_note(example) -> None:
    """A body beyond the limit is cut, and the note says how long it was."""
    page = html.render(_with_body(example().end(), b"a" * 50_000)).decode()
    assert "(cut here; the whole body has 50000 octets)" in page
    assert "a" * html.BODY_LIMIT in page
    assert "a" * (html.BODY_LIMIT + 1) not in page


def test_a_body_of_control_characters_takes_no_more_room(example) -> None:
    """Making characters visible does not swell a body beyond the limit."""
    run = example().end()
    plain = len(html.render(_with_body(run, b"a" * 50_000)))
    assert len(html.render(_with_body(run, b"\x01" * 50_000))) < plain * 1.5


def test_a_binary_body_is_shown_by_its_first_octets(example) -> None:
    """Octets that are no text, such as a compressed answer, are described and not poured into the page."""
    page = html.render(_with_body(example().end(), b"\x1f\x8b\x08\x00\xff\xfe")).decode()
    assert "(6 octets that are no text; they start with 1f 8b 08 00 ff fe)" in page


def test_a_body_is_not_called_wrong_where_it_is_cut(example) -> None:
    """A character that the limit cuts in two is left out, not replaced."""
    body = b"a" + "é".encode() * html.BODY_LIMIT
    page = html.render(_with_body(example().end(), body)).decode()
    assert "\N{REPLACEMENT CHARACTER}" not in page


def _with_body(run, body: bytes):
    number, exchange = next(iter(run.exchanges.items()))
    answered = replace(exchange, response=Response(status=200, body=body))
    return replace(run, exchanges={**run.exchanges, number: answered})


def test_a_thousand_scenarios_render_within_a_second(journal, scenario_row) -> None:
    """A run of 1000 scenarios and 2000 messages is a page in a second."""
    rows = tuple(scenario_row(id=f"row-{number}") for number in range(1000))
    book = journal(scenarios=rows)
    request = Request(method="GET", url="https://za.example.nl/fhir/Patient", headers=(("Accept", "*/*"),) * 8)
    body = b'{"resourceType":"Bundle"}' * 40
    for row in rows:
        book.start(row["id"])
        for step in row["steps"]:
            book.step(step["text"])
        book.judge("token_is_issued", exchange=book.exchange(body=body, request=request))
        book.judge("code_works_once", exchange=book.exchange(body=body, request=request))
        book.end_scenario()
    run = book.end()
    took = min(_seconds(run) for _ in range(3))
    assert took <= 1.0, took


def _seconds(run) -> float:
    began = time.process_time()  # of this process, so that busy neighbours do not count
    html.render(run)
    return time.process_time() - began
