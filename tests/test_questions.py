"""The vendor's word as evidence: yes is attested, no fails, anything else is not tested, and nothing that is answered does harm."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from medmij_conformance.checks import exceptions, logging, pgo_questions, questions
from medmij_conformance.cli import main
from medmij_conformance.evidence import Exchange, Request, Response
from medmij_conformance.questions import questions as asked
from medmij_conformance.verdict import REGISTRY, Judgement, Outcome, judge

Run = Callable[..., "tuple[int, Path]"]
CHECKS = {
    "plain-words": (questions.error_pages_speak_plainly, {"UC-V.exc.gen2", "UCI-V.exc.gen2"}),
    "consent-screen": (questions.supplied_screen_is_used, {"TV.8"}),
    "phishing": (questions.people_learn_to_recognise_the_site, {"RFC6819.4.2.1b"}),
    "logo": (questions.logo_is_used_as_agreed, {"MERK.1"}),
    "log-protection": (questions.log_is_protected, {"LOG.5"}),
    "onboarding": (questions.care_providers_are_informed, {"OVK.4.1"}),
    "suspension": (questions.service_can_be_suspended, {"OVK.7.3"}),
    "exit": (questions.exit_is_prepared, {"OVK.7.5"}),
    "access-restriction": (questions.access_is_restricted, {"NIB.A.9.4.1"}),
    "zal-entries": (questions.entries_are_validated, {"APP.19"}),
    "pgo-offer": (pgo_questions.collecting_is_offered, {"UC-V.step.1", "UCI-V.step.1"}),
    "pgo-consent": (pgo_questions.use_begins_with_consent, {"JUR.3"}),
    "pgo-withdrawal": (pgo_questions.withdrawing_is_as_easy, {"JUR.4"}),
    "pgo-export": (pgo_questions.dossier_can_be_taken_along, {"JUR.8"}),
    "pgo-dossier": (pgo_questions.dossier_can_be_consulted, {"P&I.2"}),
    "pgo-mark": (pgo_questions.mark_is_true, {"P&I.3", "MERK.4"}),
    "pgo-brand": (pgo_questions.brand_is_used_as_agreed, {"MERK.2"}),
    "pgo-user-information": (pgo_questions.people_are_informed_first, {"VOOR.1"}),
    "pgo-own-data": (pgo_questions.people_rule_their_data, {"VOOR.4"}),
    "pgo-digid": (pgo_questions.digid_credentials_are_not_asked, {"RFC6819.4.1.4a"}),
    "pgo-browser": (pgo_questions.system_browser_is_used, {"RFC6819.4.1.4b"}),
    "pgo-guessing": (pgo_questions.many_wrong_codes_are_stopped, {"RFC6819.4.4.1.12b"}),
    "pgo-two-factors": (pgo_questions.two_factors_open_the_pgo, {"NIB.A.9.4.1"}),
    "pgo-onboarding": (pgo_questions.people_know_what_they_enter, {"OVK.4.1"}),
}
YES = {"answer": "yes", "by": "Kim", "remark": "seen"}


def judged(body: bytes, question: str = "logo") -> Judgement:
    """What the check of a question makes of an answer."""
    statement = Exchange(
        label="hook questions",
        endpoint="other",
        request=Request(method="HOOK", url=f"hook:questions/{question}"),
        response=Response(status=200, body=body),
        number=1,
    )
    return judge(CHECKS[question][0], {"statement": statement})


# --- the checks ---


def test_every_question_has_its_check() -> None:
    """Each question of the data is judged by the check that speaks for its requirements, and each has two languages."""
    assert list(asked()) == list(CHECKS)
    for name, (check, requirements) in CHECKS.items():
        assert judged(json.dumps(YES).encode(), name).outcome is Outcome.ATTESTED
        assert set(check.requirements) == requirements
    for question in asked().values():
        assert question.question != question.question_nl
        assert "Yes" in question.question
        assert "a als" in question.question_nl.replace("Ook ja", "Ja").replace("Alleen ja", "Ja")


def test_an_answer_to_another_question_says_nothing() -> None:
    """A check that is given the answer to another question judges nothing."""
    statement = Exchange(label="", endpoint="other", request=Request(method="HOOK", url="hook:questions/exit"), number=1)
    assert judge(questions.logo_is_used_as_agreed, {"statement": statement}).outcome is Outcome.NOT_TESTED


@pytest.mark.parametrize(
    ("answer", "outcome", "said"),
    [
        (YES, Outcome.ATTESTED, "stated by Kim: seen"),
        ({"answer": "yes", "by": "Kim"}, Outcome.ATTESTED, "stated by Kim"),
        (
            {"answer": "not applicable", "by": "Kim", "remark": "no logo"},
            Outcome.NOT_APPLICABLE,
            "Kim says that this does not apply",
        ),
        ({"answer": "unknown", "remark": "on leave"}, Outcome.NOT_TESTED, "left open: on leave"),
    ],
)
def test_what_an_answer_is_worth(answer: Mapping[str, str], outcome: Outcome, said: str) -> None:
    """A yes is attested and never a pass; the reason says who said so and what was remarked."""
    judgement = judged(json.dumps(answer).encode())
    assert judgement.outcome is outcome
    assert said in judgement.reason


def test_a_no_fails_with_the_remark() -> None:
    """A no is a finding that tells what was expected, and who said what."""
    judgement = judged(b'{"answer": "no", "by": "Kim", "remark": "not\\nyet"}')
    assert judgement.outcome is Outcome.FAIL
    assert judgement.findings[0].observed == "Kim says no: not yet"


HOSTILE = [
    b"",
    b"null",
    b"true",
    b'"yes"',
    b"[]",
    b'["yes"]',
    b"{}",
    b'{"answer": true, "by": "Kim"}',
    b'{"answer": ["yes"], "by": "Kim"}',
    b'{"answer": "YES", "by": "Kim"}',
    b'{"answer": "yes ", "by": "Kim"}',
    b'{"answer": "yes"}',
    b'{"answer": "yes", "by": "  "}',
    b'{"answer": "yes", "by": 5}',
    b'{"answer": "yes", "by": ["Kim"]}',
    b'{"answer": "yes", "by": "Kim", "remark": {}}',
    b'{"answer": "yes", "by": "K\\u001b[2Jim"}',
    b'{"answer": "yes", "by": "Kim", "remark": "\\u0000"}',
    b'{"answer": "yes", "by": "Kim", "remark": "\\u202egnihton"}',
    b'{"answer": "yes", "by": "\\ud800"}',
    b'{"answer": "yes", "by": "Kim", "remark": "%s"}' % (b"x" * 2001),
    b'{"answer": "yes", "by": "%s"}' % (b"x" * 101),
    b'{"answer": "yes", "by": "Kim"',
    b"[" * 100_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_no_broken_answer_is_green(body: bytes) -> None:
    """What is not in the form that was asked for is not tested, and never our error."""
    judgement = judged(body)
    assert judgement.outcome is Outcome.NOT_TESTED
    assert judgement.reason.isprintable()
    assert len(judgement.reason) < 200


# --- through a run ---


@pytest.fixture
def run(reference: Any, tmp_path: Path) -> Iterator[Run]:
    """Runs the nine requirements with a command that prints, for each question, the octets that the test gives."""
    file = reference.folder / "questions.toml"

    def run_with(answers: Mapping[str, bytes], *more: str) -> tuple[int, Path]:
        folder = tmp_path / "answers"
        folder.mkdir()
        for name, body in answers.items():
            (folder / name).write_bytes(body)
        script = f"import json, pathlib, sys; p = pathlib.Path({str(folder)!r}) / json.load(sys.stdin)['id']"
        hook = json.dumps([sys.executable, "-c", f"{script}; sys.stdout.buffer.write(p.read_bytes())"])
        lines = reference.target.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if not line.startswith("questions = ")]
        file.write_text("\n".join([*kept, f"questions = {{ command = {hook} }}", ""]), encoding="utf-8")
        only = [part for name in more or {r for _, ids in CHECKS.values() for r in ids} for part in ("--only", name)]
        report = tmp_path / "report"
        done = CliRunner().invoke(main, ["run", str(file), "--quiet", "--report-dir", str(report), *only])
        return done.exit_code, report

    yield run_with
    file.unlink(missing_ok=True)


def _stated(report: Path) -> dict[str, str]:
    """Requirement and check of each question -> the outcome of the verdict."""
    results = json.loads((report / "results.json").read_text(encoding="utf-8"))
    names = {check.id for check, _ in CHECKS.values()}
    verdicts = [v for scenario in results["scenarios"] for v in scenario["verdicts"] if v["check"] in names]
    return {verdict["requirement"]: verdict["outcome"] for verdict in verdicts}


def _rejudged(report: Path) -> int:
    return CliRunner().invoke(main, ["verify", str(report), "--rejudge"]).exit_code


def test_answers_become_verdicts_that_can_be_judged_again(run: Run) -> None:
    """Yes, no, not applicable and unknown, for a MUST and for a SHOULD; the same when judged again."""
    answers = dict.fromkeys(CHECKS, json.dumps(YES).encode())
    answers["consent-screen"] = b'{"answer": "not applicable", "by": "Kim", "remark": "no screen"}'
    answers["exit"] = b'{"answer": "not applicable", "by": "Kim", "remark": "no exit"}'
    answers["phishing"] = b'{"answer": "no", "by": "Kim", "remark": "<b>never</b>"}'
    answers["logo"] = b'{"answer": "no", "by": "Kim", "remark": "<script>alert(1)</script>"}'
    answers["onboarding"] = b'{"answer": "unknown", "by": "", "remark": ""}'
    code, report = run(answers)
    assert _stated(report) == {
        "UC-V.exc.gen2": "attested",
        "UCI-V.exc.gen2": "attested",
        "TV.8": "not_applicable",
        "RFC6819.4.2.1b": "warning",
        "MERK.1": "fail",
        "LOG.5": "attested",
        "OVK.4.1": "not_tested",
        "OVK.7.3": "attested",
        "OVK.7.5": "not_tested",
        "NIB.A.9.4.1": "attested",
        "APP.19": "attested",
    }
    assert code == 1
    assert _rejudged(report) == 0
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_hostile_answers_break_nothing(run: Run) -> None:
    """Nothing is green, the run is undecided, its report is whole and safe, and it can be judged again."""
    hostile = [
        b"[" * 990 + b"]" * 990,
        b'{"answer": "yes", "by": "Kim", "remark": "%s"}' % (b"x" * 3_000_000),
        b'{"answer": "yes", "by": "Kim", "remark": "\\u001b]0;owned\\u0007"}',
        b'{"answer": "yes", "by": "\\ud800\\udfff\\ud800"}',
        b'{"answer": NaN, "by": Infinity}',
        b"\xff\xfe\x00yes",
        b"",
        b'{"answer": ["yes"]}',
        b'{"answer": "unknown", "by": "?code=unknown", "remark": "?access_token=question&code=attested"}',
    ]
    code, report = run(dict(zip(list(CHECKS)[: len(hostile)], hostile, strict=True)))
    assert set(_stated(report).values()) == {"not_tested"}
    assert code == 3
    assert _rejudged(report) == 0
    for name in ("report.html", "junit.xml", "results.json", "testreport.json", "summary.md"):
        assert b"\x1b" not in (report / name).read_bytes(), name
    assert (report / "evidence.jsonl").stat().st_size < 2_000_000


@pytest.mark.parametrize("deviation", ["no-exit-plan", "failed-requests-not-logged", "stack-trace-on-error-pages"])
def test_a_deviation_is_found_by_a_run(deviation: str, reference: Any, tmp_path: Path) -> None:
    """What is asked or seen of a gateway that deviates fails the requirement; exit 1."""
    wanted = {"no-exit-plan": "OPS.3", "failed-requests-not-logged": "LOG.5", "stack-trace-on-error-pages": "UC-V.exc.gen2"}
    reference.deviate(deviation)
    try:
        options = ["--quiet", "--report-dir", str(tmp_path), "--only", wanted[deviation]]
        done = CliRunner().invoke(main, ["run", str(reference.target), *options])
    finally:
        reference.deviate()
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert done.exit_code == 1
    assert {row["id"] for row in results["requirements"] if row["outcome"] == "fail"} >= {wanted[deviation]}
    assert _rejudged(tmp_path) == 0


def test_without_the_hook_nothing_is_promised(reference: Any, tmp_path: Path) -> None:
    """What only a question can show, or show the rest of, is outside the plan when nobody can be asked, with the reason."""
    file = reference.folder / "silent.toml"
    lines = reference.target.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(line for line in lines if not line.startswith("questions = ")), encoding="utf-8")
    done = CliRunner().invoke(
        main, ["run", str(file), "--quiet", "--report-dir", str(tmp_path), "--only", "LOG.5", "--only", "LOG.2"]
    )
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    rows = {row["id"]: row for row in results["requirements"]}
    assert done.exit_code == 0
    assert (rows["LOG.2"]["planned"], rows["LOG.2"]["outcome"]) == (True, "pass")
    assert (rows["LOG.5"]["planned"], rows["LOG.5"]["promised"], rows["LOG.5"]["outcome"]) == (False, False, "not_tested")
    assert rows["LOG.5"]["reason"] == "needs the vendor's help: the hook questions, which the target file does not name"
    file.unlink()


# --- what is seen instead of asked ---


def _page(text: str, number: int, status: int = 400, headers: tuple[tuple[str, str], ...] = ()) -> Exchange:
    return Exchange(
        label="page",
        endpoint="authorization",
        request=Request(method="GET", url="https://za.test/"),
        response=Response(status=status, headers=(("Content-Type", "text/html"), *headers), body=text.encode()),
        number=number,
    )


FAULTY, OVER = "<h1>Not in order</h1><p>No such service.", "<h1>Over</h1><p>This session has ended."
BACK = (("Location", "https://pgo.test/cb?error=access_denied"),)


@pytest.mark.parametrize(
    ("shown", "replayed", "outcome"),
    [
        (_page(FAULTY, 1), _page(OVER, 2), Outcome.PASS),
        (_page(FAULTY, 1), _page("", 2, 302, BACK), Outcome.PASS),
        (_page(FAULTY, 1), _page(FAULTY + " ", 2), Outcome.FAIL),
        (_page(FAULTY, 1), _page(FAULTY.replace("h1", "h2"), 2), Outcome.FAIL),
        (_page("", 1, 302, BACK), _page(OVER, 2), Outcome.NOT_TESTED),
        (_page("<form id=login>Log in</form>", 1, 200), _page(OVER, 2), Outcome.NOT_TESTED),
        (_page("", 1), _page("", 2), Outcome.NOT_TESTED),
    ],
)
def test_pages_of_different_exceptions(shown: Exchange, replayed: Exchange, outcome: Outcome) -> None:
    """Different words, or no page at all for one of them; what is no page about the request says nothing."""
    arguments = {"shown": shown, "replayed": replayed, "known_pages": ("form#login",)}
    assert judge(exceptions.exceptions_have_pages_of_their_own, arguments).outcome is outcome


TRACES = [
    "Traceback (most recent call last):\n  File",
    "<pre>java.lang.NullPointerException\n\tat nl.example.Oauth.check(Oauth.java:42)\n",
    "at nl.example.Flow.&lt;init&gt;(Flow.kt:7)",
    "   at Example.Startup.Run(String[] args) in C:\\src\\Startup.cs:line 12",
    "at Object.&lt;anonymous&gt; (/srv/app/index.js:10:5)",
    "#0 /var/www/index.php(12): check()",
    "app/models/flow.rb:12:in `check'",
    "goroutine 1 [running]:",
]


@pytest.mark.parametrize("trace", TRACES)
@pytest.mark.parametrize("late", [False, True])
def test_a_stack_trace_is_recognised(trace: str, late: bool) -> None:
    """On either page, in the markup or in the words."""
    pages = (_page(FAULTY, 1), _page(OVER + trace, 2)) if late else (_page(FAULTY + trace, 1), _page(OVER, 2))
    arguments = {"shown": pages[0], "replayed": pages[1], "known_pages": ("form#login",)}
    judgement = judge(exceptions.error_pages_show_no_trace, arguments)
    assert judgement.outcome is Outcome.FAIL
    assert len(judgement.findings) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Look at us at 12:30:10.",
        "Mail us at help@example.nl (invalid_request)",
        "Reference #12 of 10:05:22",
        ".js:" * 200_000,
        "#0 .php(1" * 50_000,
    ],
    ids=["time", "mail", "reference", "long", "longer"],
)
def test_words_are_no_stack_trace(text: str) -> None:
    """Ordinary words are none, and no page makes the search slow."""
    began = time.process_time()
    arguments = {"shown": _page(f"<p>{text}", 1), "replayed": _page(OVER, 2), "known_pages": ("form#login",)}
    assert judge(exceptions.error_pages_show_no_trace, arguments).outcome is Outcome.PASS
    assert time.process_time() - began < 5


def test_every_outcome_needs_its_record() -> None:
    """All five outcomes, of this provider, service and PGO, since the scenario began, each with a flow."""
    place = {"zorgaanbieder": "z", "gegevensdienst": "1", "pgo_name": "P", "since": "2026-01-02T00:00:00"}
    row = {"zorgaanbieder": "z", "gegevensdienst": "1", "pgo": "P", "time": "2026-01-02T00:00:01Z", "flow": "f"}
    words = ("granted", "refused", "not_identified", "nothing_available", "undetermined")
    rows = [{**row, "outcome": word} for word in words]

    def outcome(*records: Any) -> Outcome:
        log = _page(json.dumps(records), 1, 200)
        return judge(logging.every_request_is_logged, {"log": log, **place}).outcome

    assert outcome(*rows) is Outcome.PASS
    for number in range(5):
        others = rows[:number] + rows[number + 1 :]
        assert outcome(*others) is Outcome.FAIL
        for spoilt in ({"time": "2026-01-01"}, {"flow": ""}, {"pgo": "Q"}, {"outcome": ["granted"]}, {"time": None}):
            assert outcome(*others, rows[number] | spoilt) is Outcome.FAIL
    assert REGISTRY["every_request_is_logged"].requirements == ("LOG.5",)
