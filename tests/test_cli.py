"""The command line as its users meet it: quick help, plain words for a wrong input, and exit codes that can be relied on."""

import json
import os
import re
import resource
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from medmij_conformance.cli import main
from medmij_conformance.protocol import lists
from medmij_conformance.report.write import MANIFEST, SIGNATURE

FORMATS = ("results.json", "report.html", "junit.xml", "testreport.json", "evidence.har", "summary.md")


def test_help_answers_at_once(medmij: Any) -> None:
    """Help takes half a second on a quiet machine, nearly all of it work of the processor: that alone is measured on a busy one."""
    worked = []
    for _ in range(3):
        began = _work_of_children()
        assert medmij("--help").returncode == 0
        worked.append(_work_of_children() - began)
    assert min(worked) <= 0.75


def _work_of_children() -> float:
    """Seconds of the processor that the processes which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


COMMANDS = ["run", "plan", "steps", "report", "verify", "compare", "init", "export-lists", "lists", "coverage", "selftest"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, medmij: Any) -> None:
    """Each command has help of its own, and the overview names it."""
    assert "Usage:" in medmij(command, "--help").stdout
    assert re.search(rf"^  {command} ", medmij("--help").stdout, re.MULTILINE)


# ------------------------------------------------------------------------------------------------------ wrong inputs


@pytest.fixture(scope="module")
def workshop(medmij: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder made by ``init``, from which faulty target files are made."""
    folder = tmp_path_factory.mktemp("workshop") / "made"
    assert medmij("init", folder).returncode == 0
    return folder


Change = Callable[[str], str]
FAULTS: dict[str, tuple[Change, str, str, str]] = {
    "an unknown key": (
        lambda text: text.replace("\nrole =", "\nrol ="),
        "target.rol",
        "unknown key",
        'did you mean "role"?',
    ),
    "a key of another certificate": (
        lambda text: text.replace('key = "pki/harness.key"', 'key = "pki/other.key"'),
        "harness.key",
        "does not fit",
        "the key of the first one in",
    ),
    "a host that [connect] lacks": (
        lambda text: re.sub(r'^"za\.example\.nl:8443".*$', "", text, flags=re.MULTILINE),
        "offer[1].token_endpoint",
        "cannot be reached",
        'an entry "za.example.nl:8443" in [connect]',
    ),
    "bad TOML": (lambda text: text + "\n[[", "TOML", "", "a TOML file"),
    "a BSN that is none": (
        lambda text: text.replace("999990020", "999990021"),
        "persons.unavailable.bsn",
        "is not a BSN",
        "nine digits that pass the elfproef",
    ),
}


def one_line(process: Any) -> str:
    """The one line of a refusal: nothing on standard output, exit 2."""
    assert process.stdout == ""
    assert process.returncode == 2, process.stderr
    (line,) = process.stderr.splitlines()
    return str(line)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("command", ["run", "export-lists"])
def test_a_wrong_target_file_is_told_in_one_line(fault: str, command: str, workshop: Path, medmij: Any) -> None:
    """File, field, what is wrong and what was expected, in one line; exit 2."""
    change, *words = FAULTS[fault]
    right = (workshop / "target.toml").read_text(encoding="utf-8")
    assert change(right) != right
    file = workshop / "faulty.toml"
    file.write_text(change(right), encoding="utf-8")
    options = ["--out", workshop / "out"] if command == "export-lists" else ["--report-dir", workshop / "report"]
    line = one_line(medmij(command, file, *options))
    assert line.startswith(f"{file}: {words[0]}: ")
    assert all(word in line for word in (*words, "; expected "))


def test_an_edition_that_does_not_exist_stops_the_run(workshop: Path, medmij: Any) -> None:
    """An unknown edition of the TLS guideline is told before anything is sent, with those that there are."""
    file = workshop / "edition.toml"
    file.write_text((workshop / "target.toml").read_text(encoding="utf-8") + '\n[tls]\nedition = "3.0"\n', encoding="utf-8")
    process = medmij("run", file, "--report-dir", workshop / "report")
    assert process.returncode == 2
    assert f"{file}: tls.edition: '3.0' is no edition" in process.stderr
    assert "expected one of ncsc-2014" in process.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "nowhere.toml"], ["nowhere.toml: file: cannot be read", "expected a target file"]),
        (["run", "reference:dvza", "--only", "APP.999"], ["--only", "'APP.999'", "expected an id such as"]),
        (["run", "reference:dvza", "--deviate", "nonsense"], ["--deviate", "'nonsense'", "expected one that"]),
        (["run", "reference:nobody"], ["reference:nobody", "expected reference:dvza"]),
        (["run", "reference:nobody", "--list-deviations"], ["reference:nobody", "expected reference:dvza"]),
        (["run", "target.toml", "--deviate", "code-reusable"], ["--deviate", "expected reference:dvza as TARGET"]),
        (["run", "target.toml", "--report-dir", "target.toml/x"], ["--report-dir: target.toml/x", "expected a directory"]),
        (["init", "."], [".: is not empty", "expected a new or empty directory"]),
        (["report", "."], ["evidence.jsonl: no journal", "expected the directory of a run"]),
        (["verify", "."], ["evidence.jsonl: no journal", "expected the directory of a run"]),
    ],
    ids=lambda value: " ".join(value[:4]) if value and value[0] in {"run", "init", "report", "verify"} else "",
)
def test_a_wrong_command_is_told_in_one_line(arguments: list[str], words: list[str], workshop: Path, medmij: Any) -> None:
    """What was given and what was expected, in one line; exit 2."""
    line = one_line(medmij(*arguments, cwd=workshop))
    assert [word for word in words if word not in line] == []


def test_a_default_folder_that_cannot_be_written_is_told(workshop: Path, medmij: Any, tmp_path: Path) -> None:
    """Where no report can be written, nothing is tested: the folder is named, exit 2, and no traceback."""
    (tmp_path / "reports").write_text("a file stands where the folder should be", encoding="utf-8")
    process = medmij("run", workshop / "target.toml", "--no-check", cwd=tmp_path)
    assert process.returncode == 2, process.stderr
    (line,) = process.stderr.split("\n\n")[0].splitlines()
    assert re.search(r"reports/[\w-]+-target: no report can be written there \(\w", line)
    assert line.endswith("expected a folder that can be written; --report-dir names another")
    assert "Traceback" not in process.stderr


# ------------------------------------------------------------------------------------------- init and its next steps


def test_init_says_what_to_do_next_and_it_can_be_done(medmij: Any, tmp_path: Path) -> None:
    """Every file that ``init`` prints is there and every command that it prints works, down to a run that finds nobody."""
    made = medmij("init", "mine", "--role", "dvza", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    paths = [line.split()[0] for line in made.stdout.splitlines() if line.startswith("  mine/")]
    assert paths[0] == "mine/pki/ca.pem"
    assert sorted(Path(path).name for path in paths[1:]) == [
        "oauthclientlist.xml",
        "whitelist.xml",
        "zorgaanbiederslijst.xml",
    ]
    assert all((tmp_path / path).is_file() for path in paths)

    prefix = "  medmij-conformance "
    commands = [shlex.split(li.removeprefix(prefix)) for li in made.stdout.splitlines() if li.startswith(prefix)]
    assert [command[0] for command in commands] == ["export-lists", "run"]
    exported = medmij(*commands[0], cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert sorted(exported.stdout.split()) == sorted(paths[1:])
    for path in paths[1:]:
        lists.parse((tmp_path / path).read_bytes())

    ran = medmij(*commands[1], "--only", "APP.12b", cwd=tmp_path)  # nobody listens, so one requirement tells as much as all
    assert ran.returncode == 3, ran.stderr
    assert "undecided: 1 requirement could not be judged" in ran.stderr
    assert re.search(r"^first not tested: happy-flow: .*connect.*refused", ran.stderr, re.MULTILINE | re.IGNORECASE), ran.stderr
    assert len(list((tmp_path / "reports").glob("*/results.json"))) == 1


def test_init_names_every_node_in_the_lists(medmij: Any, tmp_path: Path) -> None:
    """The two listed nodes of the harness stand on the Whitelist and the client list; the unlisted one stands on none."""
    assert medmij("init", tmp_path / "mine").returncode == 0
    whitelist = lists.parse((tmp_path / "mine" / "lists" / "whitelist.xml").read_bytes())
    clients = lists.parse((tmp_path / "mine" / "lists" / "oauthclientlist.xml").read_bytes())
    assert isinstance(whitelist, lists.Whitelist)
    assert isinstance(clients, lists.Ocl)
    names = {node.hostname for node in whitelist.nodes}
    assert {"pgo.harness.test", "other.harness.test"} == {client.hostname for client in clients.clients} <= names
    assert "unlisted.harness.test" not in names


# ------------------------------------------------------------------------------------------------- report and verify


@pytest.fixture
def report(finished: Any, tmp_path: Path) -> Path:
    """A copy of the report of a finished run, to be spoilt."""
    return Path(shutil.copytree(finished.directory, tmp_path / "report"))


def in_process(*arguments: object) -> Result:
    """The command line without a process of its own, whose start would take longer than what it does here."""
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_report_rebuilds_every_format(report: Path, finished: Any, medmij: Any) -> None:
    """From the journal alone come the same formats, octet for octet; exit 0."""
    for name in (*FORMATS, MANIFEST, SIGNATURE):
        (report / name).unlink(missing_ok=True)
    process = medmij("report", report)
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == [str(report / name) for name in (*FORMATS, MANIFEST)]
    for name in FORMATS:
        assert (report / name).read_bytes() == (finished.directory / name).read_bytes()


def test_verify_accepts_an_untouched_report(report: Path, medmij: Any) -> None:
    """A whole report is verified, and judged again with the same verdicts; exit 0."""
    process = medmij("verify", report, "--rejudge")
    assert (process.returncode, process.stdout) == (0, ""), process.stdout
    assert "is whole and every verdict is the same when judged again (pass)" in process.stderr


@pytest.mark.parametrize("name", ["evidence.jsonl", *FORMATS])
def test_verify_sees_every_changed_file(name: str, report: Path) -> None:
    """One octet more in any file, and the report is refused by name; exit 1."""
    with (report / name).open("ab") as file:
        file.write(b"\n")
    process = in_process("verify", report)
    assert process.exit_code == 1
    assert process.stdout.startswith(f"{name}: changed since the manifest was written")


def test_verify_sees_a_missing_file(report: Path) -> None:
    """A report without one of its formats is refused; exit 1."""
    (report / "junit.xml").unlink()
    process = in_process("verify", report)
    assert (process.exit_code, process.stdout) == (1, "junit.xml: missing\n")


def _tamper(report: Path, change: Callable[[dict[str, Any]], bool]) -> None:
    """Change the first record of the journal that ``change`` accepts."""
    path = report / "evidence.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    assert any(change(record) for record in records)
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


def _give_a_token(record: dict[str, Any]) -> bool:
    fits = record["type"] == "exchange" and record["scenario"] == "used-code" and record["endpoint"] == "token"
    if fits and record["response"]["status"] == 400:
        record["response"]["status"] = 200
        return True
    return False


def _fail_it(record: dict[str, Any]) -> bool:
    fits = record["type"] == "judgement" and record["check"] == "used_code_is_refused"
    if fits:
        record["outcome"] = "not_tested"
    return fits


@pytest.mark.parametrize("change", [_give_a_token, _fail_it], ids=["an exchange", "a verdict"])
def test_rejudge_sees_tampered_evidence_behind_a_new_manifest(change: Callable[[dict[str, Any]], bool], report: Path) -> None:
    """Who alters the journal and rebuilds the report around it passes ``verify``, but not ``--rejudge``; exit 1."""
    _tamper(report, change)
    assert in_process("verify", report).exit_code == 1
    assert in_process("report", report).exit_code == 0
    assert in_process("verify", report).exit_code == 0
    process = in_process("verify", report, "--rejudge")
    assert process.exit_code == 1
    assert "check 'used_code_is_refused'" in process.stdout


def test_a_run_leaves_the_environment_as_it_was(reference: Any, tmp_path: Path) -> None:
    """That other plugins of pytest are kept out of a run is not felt by what the process does next."""
    done = in_process("run", reference.target, "--quiet", "--only", "ARCJ.3", "--report-dir", tmp_path)
    assert done.exit_code in {0, 3}, done.output
    assert "PYTEST_DISABLE_PLUGIN_AUTOLOAD" not in os.environ


# --------------------------------------------------------------------------------------------------- baseline and compare


def test_what_is_known_changes_the_exit_code_alone(reference: Any, tmp_path: Path) -> None:
    """With a baseline of all that fails a failing run ends with exit 0, and with one that says too much with exit 1."""
    baseline = tmp_path / "known.toml"
    facts = 'reason = "being built"\nowner = "team token"\nexpires = 2999-12-31\n'
    options = ["--quiet", "--only", "APP.12b", "--baseline", baseline, "--report-dir"]
    reference.deviate("code-reusable")
    try:
        baseline.write_text("")
        assert in_process("run", reference.target, *options, tmp_path / "before").exit_code == 1
        before = json.loads((tmp_path / "before" / "results.json").read_text(encoding="utf-8"))
        failed = {v["check"] for s in before["scenarios"] for v in s["verdicts"] if v["outcome"] == "fail"}
        assert "used_code_is_refused" in failed
        baseline.write_text("".join(f'[[known]]\ncheck = "{name}"\n{facts}' for name in sorted(failed)))
        done = in_process("run", reference.target, *options, tmp_path / "after")
    finally:
        reference.deviate()
    after = json.loads((tmp_path / "after" / "results.json").read_text(encoding="utf-8"))
    assert (done.exit_code, after["verdict"], after["baseline"]["verdict"]) == (0, "fail", "pass"), done.output
    assert "beside the baseline known.toml" in done.output
    same = in_process("compare", tmp_path / "before", tmp_path / "after")
    assert (same.exit_code, same.stdout) == (0, "")
    stale = in_process("run", reference.target, *options, tmp_path / "mended")
    assert (stale.exit_code, "stale: it is pass now" in stale.output) == (1, True)
    mended = in_process("compare", tmp_path / "after", tmp_path / "mended")
    assert mended.exit_code == 1
    assert re.search(r"^better used_code_is_refused in used-code \(.*APP\.12b.*\): fail -> pass$", mended.stdout, re.MULTILINE)


def test_a_wrong_baseline_stops_before_the_run(reference: Any, tmp_path: Path) -> None:
    """A mistake in the baseline is one of configuration; exit 2."""
    baseline = tmp_path / "known.toml"
    baseline.write_text('[[known]]\ncheck = "code_is_fine"\nreason = "r"\nowner = "o"\nexpires = 2999-12-31\n')
    done = in_process("run", reference.target, "--baseline", baseline, "--report-dir", tmp_path / "report")
    assert done.exit_code == 2
    assert "known[1].check: 'code_is_fine' is no check" in done.output
