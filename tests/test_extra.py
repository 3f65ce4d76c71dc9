"""Own scenarios of a vendor: they run, they are shown in a block of their own, and no official verdict changes by them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from medmij_conformance import extra
from medmij_conformance.evidence import read_journal
from medmij_conformance.report import EXTRA_JOURNAL, read_run
from medmij_conformance.report.results import validate

CHECKOUT = Path(__file__).parent.parent
COMMAND = Path(sys.executable).with_name("medmij-conformance")
ONLY = ("--only", "APP.12b", "--seed", 7)

FEATURE = """
Feature: What our portal does

  @role:dvza
  Scenario: Codes are long
    Onze codes zijn lang.

    Given the PGO holds a code for Roos
    Then our code has at least 20 characters

  Scenario: Codes are short
    Given the PGO holds a code for Roos
    Then our code has at most 3 characters

  Scenario: A used code is refused here too
    Given the PGO holds a code for Roos
    And the PGO has redeemed the code
    When the PGO redeems the same code again
    Then the used code is refused

  Scenario: The portal trips
    Given our portal trips

  @role:dvp
  Scenario: Of the other side
    Given our portal trips

  @needs:person=nobody
  Scenario: With nobody
    Given our portal trips

  Scenario Outline: Portals have names
    Given the portal <name>

    Examples:
      | name  |
      | one   |
      | <b>&  |
"""

STEPS = """
from pytest_bdd import given, parsers, then

from medmij_conformance.cast.journey import Journey

from .words import trip


@then(parsers.parse("our code has at least {count:d} characters"))
def long_code(journey: Journey, count: int) -> None:
    assert len(journey.code) >= count


@then(parsers.parse("our code has at most {count:d} characters"))
def short_code(journey: Journey, count: int) -> None:
    code = journey.code
    assert code == "x" * count


@given("our portal trips")
def trips() -> None:
    trip()


@given(parsers.parse("the portal {name}"))
def portal(name: str) -> None:
    assert name
"""

WORDS = """
def trip() -> None:
    raise KeyError("portal")
"""

WHOLE = {
    "portal.feature": FEATURE,
    "steps/portal.py": STEPS,
    "steps/words.py": WORDS,
    "conftest.py": "1 / 0\n",
    "test_own.py": "1 / 0\n",
}


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """A folder with these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


class Both:
    """The same run without own scenarios and with them."""

    def __init__(self, reference: Any, medmij: Any, folder: Path) -> None:
        self.reference = reference
        self.own = written(folder / "own", WHOLE)
        reference.deviate()
        self.without = medmij("run", reference.target, *ONLY, "--report-dir", folder / "without")
        reference.deviate()
        self.done = medmij("run", reference.target, *ONLY, "--extra", self.own, "--report-dir", folder / "with")
        self.report, self.plain = folder / "with", folder / "without"

    def results(self, directory: Path) -> dict[str, Any]:
        return json.loads((directory / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def both(reference: Any, medmij: Any, tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(reference, medmij, tmp_path_factory.mktemp("both"))


def test_each_own_scenario_has_its_outcome(both: Both) -> None:
    """Pass, fail by an assertion, pass by a check between controls, error, and what cannot be run with its reason."""
    told = {each["name"]: each for each in both.results(both.report)["extra"]["scenarios"]}
    assert {name: each["outcome"] for name, each in told.items()} == {
        "Codes are long": "pass",
        "Codes are short": "fail",
        "A used code is refused here too": "pass",
        "The portal trips": "error",
        "Of the other side": "not_tested",
        "With nobody": "not_tested",
        "Portals have names [one]": "pass",
        "Portals have names [<b>&]": "pass",
    }
    assert re.fullmatch(r"assert '[0-9a-f-]{36}' == 'xxx'", told["Codes are short"]["reason"])
    assert [step["detail"] for step in told["Codes are short"]["steps"]] == ["", told["Codes are short"]["reason"]]
    assert told["The portal trips"]["reason"] == "KeyError: 'portal'"
    assert told["Of the other side"]["reason"] == "is for another role than dvza"
    assert told["With nobody"]["reason"] == "needs what the target file does not offer: person=nobody"
    assert told["Codes are long"]["title_nl"] == "Onze codes zijn lang."
    assert {verdict["outcome"] for verdict in told["A used code is refused here too"]["verdicts"]} == {"pass"}


def test_nothing_official_changes(both: Both) -> None:
    """Exit code, verdict, counts, requirements and scenarios are those of a run without them."""
    assert both.without.returncode == both.done.returncode == 0, both.done.stderr
    plain, own = both.results(both.plain), both.results(both.report)
    assert plain["extra"] is None
    kept = ("verdict", "complete", "headline", "promised", "shown", "counts", "requirements", "baseline")
    assert {key: own[key] for key in kept} == {key: plain[key] for key in kept}
    assert [(s["id"], s["outcome"]) for s in own["scenarios"]] == [(s["id"], s["outcome"]) for s in plain["scenarios"]]
    assert not any("own" in record for record in read_journal(both.report / "evidence.jsonl"))
    assert validate(own) == []


def test_the_official_suite_of_junit_is_its_own(both: Both) -> None:
    """A suite beside it holds the own scenarios."""
    suites = {s.get("name"): s for s in etree.parse(both.report / "junit.xml").iter("testsuite")}
    (plain,) = etree.parse(both.plain / "junit.xml").iter("testsuite")
    official = suites["medmij-conformance dvza quick"]
    kept = ("tests", "failures", "errors", "skipped")
    assert [official.get(name) for name in kept] == [plain.get(name) for name in kept]
    own = suites["own scenarios, not part of the verdict"]
    assert [own.get(name) for name in kept] == ["8", "1", "1", "2"]


def test_every_report_shows_them_as_no_part_of_the_verdict(both: Both) -> None:
    """The page, the summary and the terminal; every link of the page leads somewhere, and no text of theirs becomes markup."""
    page = (both.report / "report.html").read_text(encoding="utf-8")
    assert "Own scenarios: not part of the verdict" in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert "[&lt;b&gt;&amp;]" in page
    assert "<b>" not in page
    assert "Own scenarios: not part of the verdict" in (both.report / "summary.md").read_text(encoding="utf-8")
    assert "own scenarios, not part of the verdict: 1 fail, 1 error, 2 not tested, 4 pass" in both.done.stderr
    assert "own scenario  error  The portal trips: KeyError: 'portal'" in both.done.stderr
    assert "Own scenarios" not in (both.plain / "report.html").read_text(encoding="utf-8")


def test_their_messages_are_evidence_too(both: Both) -> None:
    """With numbers that follow on, and without the codes that the gateway gave out."""
    run = read_run(both.report)
    assert run.extra
    assert run.extra.exchanges
    assert min(run.extra.exchanges) > max(run.exchanges)
    journal = (both.report / EXTRA_JOURNAL).read_text(encoding="utf-8")
    codes = {
        code for headers, _ in both.reference.answers() for _, value in headers for code in re.findall(r"[?&]code=([^&]+)", value)
    }
    assert codes
    assert not [code for code in codes if code in journal]


def test_the_report_can_be_verified_and_rebuilt(both: Both, medmij: Any, tmp_path: Path) -> None:
    """``verify --rejudge`` finds nothing, and ``report`` keeps the block."""
    assert medmij("verify", both.report, "--rejudge").returncode == 0
    before = both.results(both.report)
    assert medmij("report", both.report).returncode == 0
    assert both.results(both.report) == before


@pytest.mark.parametrize(
    "journal", ['{"type": "exchange"}\n{"type": "own"}\n', "[]\n", '{"type": "own", "scenarios": []}\n', "x\nx\n"]
)
def test_a_journal_that_cannot_be_read_hurts_nothing_official(journal: str, both: Both, tmp_path: Path) -> None:
    """It is said to be unreadable."""
    (tmp_path / "evidence.jsonl").write_bytes((both.report / "evidence.jsonl").read_bytes())
    (tmp_path / EXTRA_JOURNAL).write_text(journal, encoding="utf-8")
    run = read_run(tmp_path)
    assert run.verdict == "pass"
    assert run.extra
    assert "cannot be read" in run.extra.trouble


def test_a_failing_target_fails_whatever_own_scenarios_say(reference: Any, medmij: Any, tmp_path: Path) -> None:
    """Through pytest too, which is the same run; and an own check that finds the deviation counts nowhere twice."""
    own = written(tmp_path / "own", WHOLE)
    reference.deviate("code-reusable")
    try:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "features",
            "--target",
            reference.target,
            f"--extra={own}",
            "-p",
            "no:cacheprovider",
        ]
        command += [*map(str, ONLY), "--report-dir", tmp_path / "report"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=120, check=False)
    finally:
        reference.deviate()
    assert (tmp_path / "report" / "results.json").is_file(), done.stdout + done.stderr
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert (done.returncode, results["verdict"]) == (1, "fail"), done.stdout
    told = {each["name"]: each["outcome"] for each in results["extra"]["scenarios"]}
    assert (told["A used code is refused here too"], told["Codes are long"]) == ("fail", "pass")


def test_steps_that_end_the_process_take_nothing_official_with_them(reference: Any, medmij: Any, tmp_path: Path) -> None:
    """The first scenario is seen, the one that ends everything is not finished, the last was not run; the next run forgets them."""
    steps = "import os\n\nfrom pytest_bdd import given\n\n\n@given('an end')\ndef end() -> None:\n    os._exit(0)\n"
    steps += "\n\n@given('a beginning')\ndef begin() -> None:\n    pass\n"
    scenarios = "".join(
        f"\n  Scenario: {name}\n    Given {step}\n" for name, step in [("A", "a beginning"), ("B", "an end"), ("C", "an end")]
    )
    own = written(tmp_path / "own", {"a.feature": f"Feature: X\n{scenarios}", "own.py": steps})
    done = medmij("run", reference.target, *ONLY, "--extra", own, "--report-dir", tmp_path / "report", "--quiet")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert results["verdict"] == "pass"
    told = [(each["outcome"], each["reason"]) for each in results["extra"]["scenarios"]]
    assert told == [("pass", ""), ("not_tested", "not finished"), ("not_tested", "not run")]
    assert results["extra"]["trouble"] == "they ended before their last scenario"
    medmij("run", reference.target, *ONLY, "--report-dir", tmp_path / "report", "--quiet")
    assert json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))["extra"] is None


GOOD = "Feature: X\n\n  Scenario: A\n    Given the PGO holds a code for Roos\n"

WRONG: dict[str, tuple[Mapping[str, str], list[str]]] = {
    "no feature": ({"steps/own.py": ""}, ["{own}: holds no *.feature; expected a folder with *.feature"]),
    "no Gherkin": ({"a.feature": "nonsense\n"}, ["{own}/a.feature: cannot be read: "]),
    "features": (
        {
            "a.feature": GOOD,
            "b.feature": GOOD + "\n  @plan:full\n  Scenario: B\n\n  @role:nobody @needs:luck\n  Scenario: C\n    Given x\n",
            "c.feature": "",
        },
        [
            "{own}/b.feature:3: the scenario 'A' stands twice, first at {own}/a.feature:3; expected a name of its own",
            "{own}/b.feature:7: the scenario 'B' has no step, so it would pass and show nothing",
            "{own}/b.feature:7: the tag @plan:full is for official scenarios",
            "{own}/b.feature:10: the tag @role:nobody names no role; expected one of dvza, dvp, registratie",
            "{own}/b.feature:10: the tag @needs:luck names nothing",
            "{own}/c.feature: holds no scenario",
        ],
    ),
    "files of one name": (
        {"a.feature": GOOD, "own.py": "", "steps/own.py": ""},
        ["{own}/own.py: a file of that name stands twice, first {own}/steps/own.py"],
    ),
    "steps that do not load": (
        {
            "a.feature": GOOD,
            "steps/a.py": "import nothing_of_that_name\n",
            "steps/b.py": "\ndef f(:\n",
            "steps/c.py": "def f():\n    return 1 / 0\n\n\nf()\n",
            "steps/d.py": "import sys\n\nsys.exit(3)\n",
        },
        [
            "{own}/steps/a.py:1: ModuleNotFoundError: No module named 'nothing_of_that_name'",
            "{own}/steps/b.py:2: SyntaxError: invalid syntax",
            "{own}/steps/c.py:2: ZeroDivisionError: division by zero",
            "{own}/steps/d.py:3: SystemExit: 3",
        ],
    ),
    "sentences": (
        {
            "a.feature": GOOD + "    And our portal is unknown\n    And a pause\n\n  Scenario: a!\n    Given a pause\n",
            "own.py": "from pytest_bdd import given\n\n\n@given('the PGO holds a code for Roos')\ndef code() -> None:\n    pass\n"
            "\n\n@given('a pause')\nasync def pause() -> None:\n    pass\n",
        },
        [
            "{own}/a.feature:4: Given the PGO holds a code for Roos: several steps know this sentence: ",
            "{own}/a.feature:5: And our portal is unknown: no step knows this sentence; expected one of {own} or of: medmij",
            "{own}/a.feature:6: And a pause: {own}/own.py:9 is asynchronous",
            "{own}/a.feature:9: Given a pause: {own}/own.py:9 is asynchronous",
            "{own}/a.feature:8: this scenario has the name of another, at {own}/a.feature:3",
        ],
    ),
    "a check of their own": (
        {
            "a.feature": GOOD,
            "own.py": "from medmij_conformance.verdict import check\n\n\n@check('APP.1', then='ours is best')\ndef ours():\n"
            "    'Ours is best.'\n    yield from ()\n",
        },
        ["{own}/own.py: makes a check, which only the harness does"],
    ),
    "steps that end the process": (
        {"a.feature": GOOD, "own.py": "import os\n\nos._exit(5)\n"},
        ["{own}: its steps ended the process that read them (exit code 5)"],
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_file(name: str, tmp_path: Path) -> None:
    """Each thing in a line of its own, and nothing else."""
    files, expected = WRONG[name]
    own = written(tmp_path / "own", files)
    with pytest.raises(extra.ExtraError) as caught:
        extra.look(own)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(expected), lines
    for line, text in zip(lines, expected, strict=True):
        assert line.startswith(f"--extra: {text.format(own=own)}")
    assert not list(own.rglob("__pycache__"))


def test_steps_that_hang_are_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder is named."""
    monkeypatch.setattr(extra, "LOOK_S", 5.0)
    own = written(tmp_path / "own", {"a.feature": GOOD, "own.py": "import time\n\ntime.sleep(600)\n"})
    with pytest.raises(extra.ExtraError, match="its steps were not loaded within 5 s"):
        extra.look(own)


@pytest.mark.parametrize(
    ("files", "said"), [(None, "no such folder"), ({"a.feature": GOOD.replace("Roos", "nobody")}, "no step knows this")]
)
def test_wrong_own_scenarios_end_the_command_before_anything_is_sent(
    files: Mapping[str, str] | None, said: str, medmij: Any, tmp_path: Path
) -> None:
    """Exit code 2, and no report."""
    if files:
        written(tmp_path / "own", files)
    done = medmij("run", "reference:registratie", "--extra", tmp_path / "own", "--report-dir", tmp_path / "report")
    assert done.returncode == 2
    assert str(tmp_path / "own") in done.stderr
    assert said in done.stderr
    assert not (tmp_path / "report" / "evidence.jsonl").exists()


ENDLESS = {
    "a.feature": "Feature: X\n\n  Scenario: A\n    Given an age\n\n  Scenario: B\n    Given an age\n",
    "own.py": "import pathlib\nimport time\n\nfrom pytest_bdd import given\n\n\n@given('an age')\ndef age() -> None:\n"
    "    pathlib.Path(__file__).with_name('begun').touch()\n    time.sleep(600)\n",
}


@pytest.mark.parametrize("who", ["the process", "everybody at the terminal"])
def test_an_interrupt_ends_own_scenarios_and_changes_nothing_official(who: str, reference: Any, tmp_path: Path) -> None:
    """The official run was at its end: its exit code stays, and the report says what became of the others."""
    own = written(tmp_path / "own", ENDLESS)
    command = [
        str(COMMAND),
        "run",
        str(reference.target),
        *map(str, ONLY),
        f"--extra={own}",
        "--report-dir",
        str(tmp_path / "report"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        until = time.monotonic() + 120
        while not (own / "begun").exists():
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        (os.kill if who == "the process" else os.killpg)(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert (results["verdict"], results["interrupted"]) == ("pass", False)
    assert results["extra"]["trouble"] == "they were interrupted"
    assert [each["outcome"] for each in results["extra"]["scenarios"]] == ["not_tested", "not_tested"]


def test_own_scenarios_without_end_are_stopped(reference: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time limits of their scenarios and a minute, which is less here."""
    own = written(tmp_path / "own", ENDLESS)
    monkeypatch.setattr(extra, "LOOK_S", 8.0)
    began = time.monotonic()
    extra.run(extra.Extra(own, "", 2, False), tmp_path, reference.target, ["--seed", "7"], first=1, scenario_s=1, quiet=True)
    assert time.monotonic() - began < 30
    records = list(read_journal(tmp_path / EXTRA_JOURNAL))
    assert records[-1] == {"type": "extra-end", "trouble": "they were stopped: they had not ended within 10 s"}


def test_no_process_for_own_scenarios_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program is gone."""
    own = written(tmp_path / "own", ENDLESS)
    monkeypatch.setattr(extra.sys, "executable", str(tmp_path / "gone"))
    extra.run(extra.Extra(own, "", 2, False), tmp_path, tmp_path, [], first=1, scenario_s=1, quiet=True)
    records = list(read_journal(tmp_path / EXTRA_JOURNAL))
    assert records[-1]["trouble"] == "they could not be started (No such file or directory)"


ROW = {"id": "own:a", "name": 1, "title_nl": "", "feature": "a.feature", "requirements": [], "steps": [], "aside": ""}


@pytest.mark.parametrize(
    ("record", "trouble"),
    [
        ("'step', keyword=1, text=[], outcome={}, detail=None", "evidence-extra.jsonl cannot be read (TypeError: "),
        (f"'own', scenarios=[{ROW}]", "what they left behind cannot be shown ("),
    ],
)
def test_what_own_steps_write_into_their_journal_touches_nothing_official(
    record: str, trouble: str, reference: Any, medmij: Any, tmp_path: Path
) -> None:
    """A record that no report can show: the official verdict stands, and the block says what happened."""
    steps = "from pytest_bdd import given\n\n\n@given('a strange record')\ndef strange(evidence) -> None:\n"
    steps += f"    evidence.write({record})\n"
    feature = "Feature: X\n\n  Scenario: A\n    Given a strange record\n"
    own = written(tmp_path / "own", {"a.feature": feature, "own.py": steps})
    done = medmij("run", reference.target, *ONLY, "--extra", own, "--report-dir", tmp_path / "report", "--quiet")
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "report" / "results.json").read_text(encoding="utf-8"))
    assert results["verdict"] == "pass"
    assert results["extra"]["trouble"].startswith(trouble)
    assert validate(results) == []
