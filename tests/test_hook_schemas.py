"""What hooks are asked and answer is as their schemas have it, for references and sample; a wrong answer is told by field."""

import json
import re
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from jsonschema import Draft202012Validator

import medmij_conformance.checks  # noqa: F401 registers the checks
from medmij_conformance import data_path, workspace
from medmij_conformance.evidence import Exchange, Request, Response
from medmij_conformance.protocol import hooks
from medmij_conformance.target import HOOKS, Hook, load
from medmij_conformance.verdict import REGISTRY, NotSeenError, judge
from medmij_conformance.wire.control import call
from medmij_conformance.wire.hooks import Hooks

SAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "hooks.py"
SCHEMAS = data_path("fixtures") / "schemas" / "hooks"


def test_every_hook_has_a_schema_and_every_schema_a_hook() -> None:
    """One file for each name that a target file may have, with both parts, an example of each, and nothing unexplained."""
    assert {path.name.removesuffix(".schema.json") for path in SCHEMAS.iterdir()} == set(HOOKS)
    for name in HOOKS:
        parts = hooks.schema(name)["$defs"]
        assert set(parts) == {"request", "answer"}
        for part, schema in parts.items():
            Draft202012Validator.check_schema(schema)
            assert schema["examples"], (name, part)
            assert [hooks.problem(name, example, part) for example in schema["examples"]] == [""] * len(schema["examples"])


# --- what the references are asked and answer ---


class Heard(NamedTuple):
    """Everything that passed between the harness and the hooks of a reference: hook -> pairs of request and answer."""

    by_hook: Mapping[str, list[tuple[Any, Any]]]


RUNS = {
    "dvza": (
        ("LOG.1", "UCI-V.exc.5", "UCI-V.exc.8", "APP.10", "OVK.7.3", "UCI-WL.1"),
        set(HOOKS) - {"dossier", "registration", "seed"},
    ),
    "dvp": (
        ("UC-V.meta", "LOG.6", "UCI-V.step.16", "OVK.7.3", "UCI-ZAL.1"),
        {"dossier", "log", "questions", "reload_lists", "clock"},
    ),
    "registratie": (("OPS.6", "P&I.12"), {"registration", "clock"}),
}


@pytest.fixture(scope="module", params=RUNS)
def heard(request: pytest.FixtureRequest, medmij: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Heard]]:
    """A run against a reference with somebody between it and the harness who writes down what is said."""
    folder = tmp_path_factory.mktemp(request.param)
    target, reference = workspace.REFERENCES[request.param](folder)
    told: defaultdict[str, list[tuple[Any, Any]]] = defaultdict(list)
    control = reference.ports["control"]

    class Between(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = call(f"{control}{self.path}", asked, timeout_s=60)
            told[self.path.strip("/")].append((asked, answer))
            body = json.dumps({"result": answer}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Between)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        text = target.path.read_text(encoding="utf-8")
        target.path.write_text(text.replace(f'"{control}/', f'"http://127.0.0.1:{server.server_port}/'), encoding="utf-8")
        only = [part for name in RUNS[request.param][0] for part in ("--only", name)]
        done = medmij("run", target.path, "--quiet", "--report-dir", folder / "report", *only)
        assert done.returncode in {0, 3}, done.stderr
        yield request.param, Heard(told)
    finally:
        server.shutdown()
        server.server_close()
        reference.stop()


def test_what_passes_between_harness_and_reference_is_as_the_schemas_say(heard: tuple[str, Heard]) -> None:
    """Each hook of the role is called in a run; every request and every answer fits."""
    role, said = heard
    assert set(said.by_hook) == RUNS[role][1]
    for name, pairs in said.by_hook.items():
        for asked, answer in pairs:
            assert hooks.problem(name, asked, "request") == ""
            assert hooks.problem(name, answer) == ""
    if role != "registratie":
        assert any(answer for _, answer in said.by_hook["log"]), "an empty log would fit any schema"


def test_the_schemas_name_every_field_that_is_said(heard: tuple[str, Heard]) -> None:
    """No field of a request or of a record goes without a word in the schema, but what a reference keeps for itself."""
    _, said = heard
    for name, pairs in said.by_hook.items():
        parts = hooks.schema(name)["$defs"]
        for asked, _ in pairs:
            assert set(asked) <= set(parts["request"].get("properties", {})), name


# --- the sample ---


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sample as a server; its address."""
    folder = tmp_path_factory.mktemp("served")
    with subprocess.Popen(
        [sys.executable, SAMPLE, "--serve", "0"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1].rstrip("/")
        process.terminate()


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("way", ["command", "http"])
def test_the_sample_answers_every_hook(name: str, way: str, served: str, tmp_path: Path) -> None:
    """As a command and as a server, to every example request, with what the schema asks for."""
    command = Hook(kind="command", value=(sys.executable, str(SAMPLE), name))
    entry = command if way == "command" else Hook(kind="http", value=f"{served}/{name}")
    for asked in hooks.schema(name)["$defs"]["request"]["examples"]:
        assert hooks.problem(name, Hooks({name: entry}, tmp_path).call(name, **asked)) == ""


def test_the_sample_keeps_to_what_it_was_told(tmp_path: Path) -> None:
    """It moves its clock, registers and removes, and says what it does not know."""
    made = Hooks({name: Hook(kind="command", value=(sys.executable, str(SAMPLE), name)) for name in HOOKS}, tmp_path)
    made.call("clock", forward_s=5)
    made.call("clock", forward_s=6)
    made.call("source_down")
    assert made.call("registration", action="add", list="zal", entry={"name": "a@medmij"}) == {"accepted": True, "reason": ""}
    assert made.call("registration", action="add", list="zal", entry={})["accepted"] is False
    state = json.loads((tmp_path / "hooks-state.json").read_text(encoding="utf-8"))
    assert (state["clock_s"], state["up"], list(state["register"])) == (11, False, ["a@medmij"])


def test_the_sample_needs_nothing_but_python() -> None:
    """It imports the standard library alone."""
    imported = set(re.findall(r"^(?:import|from) (\w+)", SAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    assert imported <= sys.stdlib_module_names


# --- wrong answers ---

WRONG = [
    ("log", None, "the hook log answered wrongly: answer is nothing; expected a JSON list of records"),
    ("log", {"records": []}, "the hook log answered wrongly: answer is an object; expected a JSON list of records"),
    ("log", [{}, 3], "the hook log answered wrongly: answer[1] is a number; expected an object: one record"),
    ("log", [{"time": 1700000000}], "answer[0].time is a number; expected text: when, as RFC 3339"),
    (
        "log",
        [{"gegevensdienst": 1}],
        'answer[0].gegevensdienst is a number; expected text: the code, such as "1", in quotation marks',
    ),
    ("log", [{"flow": {"id": 1}}], "answer[0].flow is an object; expected text or a number"),
    ("dossier", "x" * 100, "the hook dossier answered wrongly: answer is a text of 100 characters; expected a JSON list of items"),
    ("dossier", [{"content": "<Patient/>"}], "answer[0].content is text; expected an object: the FHIR resource"),
    ("dossier", [{"medmij": "true"}], "answer[0].medmij is text; expected true or false"),
    (
        "registration",
        {"accepted": "yes"},
        "the hook registration answered wrongly: answer.accepted is text; expected true or false",
    ),
    ("registration", {}, "the hook registration answered wrongly: answer.accepted is absent; expected true or false"),
    ("registration", {"accepted": False, "reason": ["a"]}, "answer.reason is a list; expected text: why it was refused"),
    ("questions", {"answer": "maybe"}, "answer.answer is text; expected yes, no, not applicable or unknown"),
    ("questions", {"answer": "yes"}, "answer.by is absent; expected text of at most 100 characters: whose answer it is"),
]


@pytest.mark.parametrize(("name", "answer", "said"), WRONG)
def test_a_wrong_answer_is_told_by_hook_field_and_expectation(name: str, answer: Any, said: str) -> None:
    """The message names all three, and repeats nothing of what was answered."""
    assert said in hooks.problem(name, answer)
    assert "x" * 41 not in hooks.problem(name, answer)


def _answered(name: str, answer: Any) -> Exchange:
    body = json.dumps(answer).encode()
    headers = (("Content-Type", "application/json"),)
    response = Response(status=200, headers=headers, body=body)
    return Exchange(label="", endpoint="other", request=Request(method="HOOK", url=f"hook:{name}"), response=response, number=1)


PLACE = {"zorgaanbieder": "k@medmij", "gegevensdienst": "1", "pgo_name": "P", "since": "2026-01-01T00:00:00Z"}
JUDGED: Mapping[str, Callable[[Exchange], tuple[str, Mapping[str, Any]]]] = {
    "log": lambda log: ("consent_is_logged", {"log": log, **PLACE}),
    "dossier": lambda dossier: ("origin_is_kept", {"dossier": dossier, "marker": "id-17", "begun_at": "2026-01-01T00:00:00Z"}),
    "registration": lambda registration: ("good_registration_is_accepted", {"registration": registration}),
}


@pytest.mark.parametrize(("name", "answer", "said"), [row for row in WRONG if row[0] in JUDGED])
def test_the_report_says_what_is_wrong_with_an_answer(name: str, answer: Any, said: str) -> None:
    """An answer that is no list or has no decision is not tested; a record in another form is none: both name the field."""
    check, arguments = JUDGED[name](_answered(name, answer))
    judgement = judge(REGISTRY[check], arguments)
    if isinstance(answer, list) and name == "log":
        (finding,) = judgement.findings
        assert str(judgement.outcome) == "fail"
        assert said in finding.observed
    elif isinstance(answer, list):
        assert str(judgement.outcome) == "not_tested"
    else:
        assert str(judgement.outcome) == "not_tested"
        assert said in judgement.reason


def test_a_finding_about_an_item_names_the_field_in_another_form() -> None:
    """An item of the collection with a mark that is text is not marked, and the finding says why."""
    item = {
        "content": {"id": "id-17"},
        "medmij": "true",
        "obtained": "2026-01-02T00:00:00Z",
        "consent_profile": "expliciete toestemming",
    }
    (finding,) = judge(REGISTRY["origin_is_kept"], JUDGED["dossier"](_answered("dossier", [item]))[1]).findings
    assert "answer[0].medmij is text; expected true or false" in finding.observed


def test_a_bsn_is_found_in_an_answer_of_whatever_form() -> None:
    """A log that is no list still must hold no BSN."""
    arguments = {"dossier": _answered("dossier", []), "log": _answered("log", {"oops": "999990019"}), "bsns": ("999990019",)}
    assert str(judge(REGISTRY["dossier_and_log_hold_no_bsn"], arguments).outcome) == "fail"


def test_a_registration_that_is_answered_wrongly_stops_what_needs_it(tmp_path: Path) -> None:
    """Where an entry has to be registered first, the hook is named with its field too."""
    with pytest.raises(NotSeenError, match=r"the hook registration answered wrongly: answer\.accepted is absent"):
        _register(tmp_path, "print('{}')")


def _register(folder: Path, code: str) -> None:
    from medmij_conformance.cast.registratie import RegistratieCast

    workspace.initialise(folder / "made", "registratie")
    target = load(folder / "made" / "target.toml")
    cast = RegistratieCast.__new__(RegistratieCast)
    cast.hooks = Hooks({"registration": Hook(kind="command", value=(sys.executable, "-c", code))}, target.path.parent)
    cast.register("add", "zal", {"name": "a@medmij"})
