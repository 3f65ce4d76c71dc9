"""junit.xml: what GitLab and GitHub make of a run."""

import pytest
from lxml import etree

from medmij_conformance.report import junit


def _cases(run):
    return {case.get("name"): case for case in etree.fromstring(junit.render(run)).iter("testcase")}


def test_every_outcome_has_its_place(example) -> None:
    """Fail is a failure, our error an error, what was not judged is skipped with the reason, the rest passes."""
    cases = _cases(example().end())
    tags = {name: [child.tag for child in case if child.tag != "properties"] for name, case in cases.items()}
    assert tags == {
        "[good] Scenario good": [],
        "[twice] Scenario twice": ["failure"],
        "[slow] Scenario slow": [],
        "[waiting] Scenario waiting": ["skipped"],
        "[ours] Scenario ours": ["error"],
    }
    assert "the hook reload_lists" in cases["[waiting] Scenario waiting"].find("skipped").get("message")
    assert "a mistake of ours" in cases["[ours] Scenario ours"].find("error").get("message")


def test_the_counts_are_those_of_the_cases(example) -> None:
    """The totals that a CI shows agree with the test cases, on the suite and above it."""
    root = etree.fromstring(junit.render(example().end()))
    for element in (root, root.find("testsuite")):
        counts = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
        assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1", "time": "2.500"}


def test_a_failure_speaks(example) -> None:
    """The text of a failure has requirement, expected, observed, hint, reading, messages and a command to repeat it."""
    failure = _cases(example().end())["[twice] Scenario twice"].find("failure")
    assert failure.get("type") == "APP.12b"
    for part in (
        "expected: 400 with invalid_grant",
        "observed: 200: plain",
        "hint: the code is still stored",
        "reading: AMB.60",
        "messages: 2",
        "repeat: medmij-conformance run target.toml --plan quick --only APP.12b --seed 7",
    ):
        assert part in failure.text


def test_a_warning_passes_with_a_property(example) -> None:
    """A scenario with a warning is no failure, but the warning stands in its properties."""
    case = _cases(example().end())["[slow] Scenario slow"]
    properties = [(item.get("name"), item.get("value")) for item in case.iter("property")]
    assert ("outcome", "warning") in properties
    assert ("warning", "APP.10: expected at most 0.1 s; observed more") in properties


def test_the_class_is_the_feature(example) -> None:
    """Cases are grouped by the path of their feature, which a CI can open."""
    case = _cases(example().end())["[good] Scenario good"]
    assert case.get("classname") == "features.dvza.token"
    assert case.get("file") == "features/dvza/token.feature"


def test_an_interrupted_run_is_no_green_run(journal) -> None:
    """A run that died before its end has an error of its own, besides its skipped scenario."""
    book = journal()
    book.start()
    cases = _cases(book.run())
    assert cases["[redeem-1] A code is redeemed for a token"].find("skipped").get("message") == "not finished"
    assert "interrupted" in cases["[run] the harness finishes"].find("error").get("message")


@pytest.mark.parametrize("text", ["\x1b[31m", "\x00", "\ud800", "\ufffe", "\u202e", ']]></failure>&<!--"'])
def test_hostile_text_is_still_xml(example, text: str) -> None:
    """Whatever the target sends, the file is well-formed and says what was sent."""
    failure = _cases(example(text=text).end())["[twice] Scenario twice"].find("failure")
    shown = text if text.isprintable() else f"⟨U+{ord(text[0]):04X}⟩"
    assert shown in failure.text or "200: ?" in failure.text  # a lone surrogate cannot even be sent
