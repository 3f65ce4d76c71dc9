"""What a last page shows: texts and selectors of the target file."""

import pytest

from medmij_conformance.protocol.outcome import matching

TEXTS = {"collected": "Data  collected", "failed": "css:.failed", "busy": "css:p["}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<p>Your data\n collected</p>", ()),
        (b"<p>Data\n collected</p>", ("collected",)),
        (b"<p class=failed>Data collected</p>", ("collected", "failed")),
        (b"<div class='box failed'></div>", ("failed",)),
        (b"<title>Data collected</title><p>Hello</p>", ()),
        (b"some lines\nData collected\n", ("collected",)),
        (b"", ()),
        (b"\xff\xfe<", ()),
    ],
)
def test_outcomes_are_found_by_text_and_by_selector(body: bytes, expected: tuple[str, ...]) -> None:
    """White space counts once, a title is no text, output of a program is text, a selector that is none finds nothing."""
    assert matching(TEXTS, body, "https://pgo.test/") == expected


def test_a_program_may_show_the_outcome_by_its_exit_code() -> None:
    """The code of a program that has ended; a page has none."""
    texts = {"collected": "exit:0", "failed": "exit: 5"}
    assert matching(texts, b"done", "command:collect", "0") == ("collected",)
    assert matching(texts, b"exit:0", "command:collect", "5") == ("failed",)
    assert matching(texts, b"exit:0", "https://pgo.test/") == ()
