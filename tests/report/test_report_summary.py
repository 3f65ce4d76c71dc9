"""summary.md: a run on one page."""

import re

import pytest

from medmij_conformance.report import summary


def test_it_says_the_verdict_and_what_was_found(example) -> None:
    """Verdict, headline, counts, every failure and what was left open, with reasons."""
    text = summary.render(example().end()).decode()
    assert text.startswith("# plain: fail")
    assert "| Fail | 1 |" in text
    row = next(line for line in text.splitlines() if line.startswith("| APP.12b |"))
    assert row == r"| APP.12b | twice | 400 with invalid\_grant | 200\: plain |"
    assert "the hook reload\\_lists is not configured | APP.11a |" in text


def test_a_clean_run_has_no_findings(journal) -> None:
    """Without a finding there is no table of findings."""
    book = journal(planned=("APP.6",))
    book.start()
    book.judge("token_is_issued", exchange=book.exchange())
    book.end_scenario()
    text = summary.render(book.end()).decode()
    assert "# Proefkliniek: pass" in text
    assert "##" not in text


@pytest.mark.parametrize(
    "text",
    [
        "| x |",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "a\n# b",
        "**b**",
        "`c`",
        "@all",
        "~~d~~",
        "&lt;",
        "$$x$$",
    ],
)
def test_foreign_text_stays_text(text: str) -> None:
    """What the target says makes no cell, no line, no element, no link and no markup."""
    shown = summary.inert(text)
    assert "\n" not in shown
    assert not re.search(r"<|>|(?<!\\)[|*`\[\]()#@~$]", shown)
    assert re.sub(r"\\(.)", r"\1", shown).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == " ".join(text.split())
