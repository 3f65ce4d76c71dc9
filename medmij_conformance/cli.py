"""The command line: reads what is asked, lets pytest run it, and turns the verdict into an exit code.

Imports stand inside the commands, so that ``--help`` answers at once.
"""

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from medmij_conformance import __version__, data_path

if TYPE_CHECKING:
    from medmij_conformance.report import Run

CONFIGURATION_WRONG = 2
HARNESS_WRONG = 4
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _stop(message: str, code: int = CONFIGURATION_WRONG) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(code)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """Protocol conformance test harness for gateways in MedMij.

    It plays every counterparty of a gateway over mutual TLS and says, requirement by requirement, where the gateway conforms.
    Exit codes: 0 pass, 1 fail, 2 configuration or command wrong, 3 undecided, 4 error of the harness.
    """


@main.command()
@click.argument("target")
@click.option("--plan", type=click.Choice(["quick", "full"]), default="quick", show_default=True, help="What is promised.")
@click.option("--only", metavar="ID", multiple=True, help="Only this requirement; may be repeated.")
@click.option("--seed", type=int, help="Seed of the harness's own random choices.")
@click.option("--report-dir", type=_DIRECTORY, help="Where the report goes.")
@click.option("--deviate", metavar="NAME", multiple=True, help="Reference only: break this rule; may be repeated.")
@click.option("--list-deviations", is_flag=True, help="Reference only: the rules that can be broken.")
@click.option("--list-oddities", is_flag=True, help="Reference only: what must not fail a run: legal oddities, warnings.")
@click.option("--quiet", is_flag=True, help="Only the verdict.")
def run(
    target: str,
    plan: str,
    only: tuple[str, ...],
    seed: int | None,
    report_dir: Path | None,
    deviate: tuple[str, ...],
    list_deviations: bool,
    list_oddities: bool,
    quiet: bool,
) -> None:
    """Test TARGET: a target file, or reference:dvza, the embedded reference gateway."""
    if list_deviations or list_oddities:
        _list_deviations(target, oddities=list_oddities)
        return
    _check_requirements(only)
    if report_dir:
        _check_directory(report_dir)
    options = [*(part for name in only for part in ("--only", name)), "--plan", plan]
    options += ["--seed", str(seed)] if seed is not None else []
    options += ["--report-dir", str(report_dir)] if report_dir else []
    command = _repeatable(target, plan, only, seed, deviate)
    with _target_file(target, deviate) as (file, default_report):
        if report_dir is None and default_report:
            options += ["--report-dir", default_report]
        sys.exit(_run_scenarios(file, options, command, quiet=quiet))


def _list_deviations(target: str, *, oddities: bool) -> None:
    from medmij_conformance.reference.dvza_deviations import DEVIATIONS

    if target != "reference:dvza":
        _stop(f"{target}: only a reference has deviations; expected reference:dvza")
    for deviation in DEVIATIONS.oddities if oddities else DEVIATIONS.faults:
        click.echo(f"{deviation.name}: {deviation.description}")


def _check_requirements(only: Sequence[str]) -> None:
    from medmij_conformance.requirements import CatalogueError, catalogue

    for name in only:
        try:
            catalogue()[name]
        except CatalogueError as error:
            _stop(f"--only: {error}; expected an id such as APP.10")


def _check_directory(report_dir: Path) -> None:
    try:
        report_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _stop(f"--report-dir: {report_dir}: {error.strerror}; expected a directory that can be made")


def _repeatable(target: str, plan: str, only: Sequence[str], seed: int | None, deviate: Sequence[str]) -> str:
    parts = ["medmij-conformance run", target, *(f"--deviate {name}" for name in deviate)]
    parts += [f"--plan {plan}"] * (plan != "quick") + [f"--only {name}" for name in only]
    parts += [f"--seed {seed}"] * (seed is not None)
    return " ".join(parts)


@contextlib.contextmanager
def _target_file(target: str, deviate: Sequence[str]) -> Iterator[tuple[Path, str | None]]:
    """The target file to run: the one that is named, or that of a reference, which lives as long as the run."""
    if not target.startswith("reference:"):
        if deviate:
            _stop("--deviate: only a reference can be made to deviate; expected reference:dvza as TARGET")
        _check_target(Path(target))
        yield Path(target), None
        return
    from medmij_conformance import workspace
    from medmij_conformance.reference.dvza_deviations import DEVIATIONS
    from medmij_conformance.wire.control import CommandError, call

    if target != "reference:dvza":
        _stop(f"{target}: there is no such reference; expected reference:dvza")
    for name in deviate:
        if name not in DEVIATIONS.by_name:
            _stop(f"--deviate: there is no deviation {name!r}; expected one that --list-deviations or --list-oddities tells")
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as folder:
        loaded, reference = workspace.reference_dvza(Path(folder))
        try:
            call(f"{reference.ports['control']}/deviate", {"names": list(deviate)})
            yield loaded.path, str(Path("reports") / "-".join(["reference-dvza", *deviate]))
        except CommandError as error:
            _stop(f"--deviate: {error}")
        finally:
            reference.stop()


def _check_target(file: Path) -> None:
    from medmij_conformance.target import TargetError, load

    try:
        load(file)
    except TargetError as error:
        _stop(str(error))


def _run_scenarios(file: Path, options: Sequence[str], command: str, *, quiet: bool) -> int:
    """Run the features against a target file as ``pytest features --target FILE`` would, with our own words on the terminal."""
    import pytest

    from medmij_conformance.terminal import Terminal

    terminal = Terminal(command, quiet=quiet)
    features = data_path("features")
    # Other plugins of the environment could change a verdict.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as folder:
        settings = Path(folder) / "pytest.ini"
        settings.write_text("[pytest]\n", encoding="utf-8")
        arguments = [
            "-c",
            str(settings),
            "--rootdir",
            folder,
            "-p",
            "pytest_bdd.plugin",
            "-p",
            "medmij_conformance.plugin",
        ]
        arguments += ["-p", "no:cacheprovider", "-p", "no:terminal", "-p", "no:warnings", "--noconftest", "--capture=no"]
        arguments += ["--target", str(file), *options, str(features / "test_features.py")]
        code = int(pytest.main(arguments, plugins=[terminal]))
    if terminal.run is None and code not in {CONFIGURATION_WRONG}:
        return CONFIGURATION_WRONG if code == pytest.ExitCode.USAGE_ERROR else HARNESS_WRONG
    return CONFIGURATION_WRONG if terminal.run is None else code


@main.command()
@click.argument("directory", type=_DIRECTORY)
def report(directory: Path) -> None:
    """Rebuild every format of the report from the journal in DIRECTORY."""
    from medmij_conformance.report.write import write_all

    run_ = _read_run(directory)
    for path in write_all(run_, directory):
        click.echo(str(path))
    click.echo(f"{run_.verdict}: {run_.headline}", err=True)


@main.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--rejudge", is_flag=True, help="Run every check again on the stored evidence.")
def verify(directory: Path, rejudge: bool) -> None:
    """Check that the report in DIRECTORY is whole and unchanged; exit 1 when it is not."""
    from medmij_conformance.report import rejudge as again
    from medmij_conformance.report import write

    run_ = _read_run(directory)
    problems = write.verify(directory)
    if rejudge:
        problems += again.rejudge(directory)
    for problem in problems:
        click.echo(problem)
    said = "is whole" + (" and every verdict is the same when judged again" if rejudge else "")
    click.echo(f"{directory}: {len(problems)} problems" if problems else f"{directory}: {said} ({run_.verdict})", err=True)
    sys.exit(1 if problems else 0)


def _read_run(directory: Path) -> "Run":
    import medmij_conformance.checks  # noqa: F401 the judgements of a journal name checks
    from medmij_conformance.report import JournalError, read_run

    try:
        return read_run(directory)
    except JournalError as error:
        _stop(str(error))


@main.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--role", type=click.Choice(["dvza"]), default="dvza", show_default=True, help="The role that is tested.")
def init(directory: Path, role: str) -> None:
    """Make DIRECTORY with a commented target file, a throw-away test PKI and the lists."""
    from medmij_conformance import workspace

    if directory.exists() and any(directory.iterdir()):
        _stop(f"{directory}: is not empty; expected a new or empty directory")
    for line in workspace.initialise(directory, role):
        click.echo(line)


@main.command(name="export-lists")
@click.argument("target", type=_FILE)
@click.option("--out", type=_DIRECTORY, required=True, help="Where the lists are written.")
def export_lists(target: Path, out: Path) -> None:
    """Write the lists on which the harness stands, as TARGET says, for a gateway to load."""
    from medmij_conformance import workspace
    from medmij_conformance.target import TargetError, load

    try:
        documents = workspace.lists_for(load(target))
    except TargetError as error:
        _stop(str(error))
    for path in workspace.write_lists(documents, out):
        click.echo(str(path))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--role", type=click.Choice(["dvza", "dvp", "registratie"]), help="Only this role.")
@click.option("--record", type=_DIRECTORY, metavar="DIR", help="Renew the record from the report of a reference run.")
def coverage(as_json: bool, role: str | None, record: Path | None) -> None:
    """Which scenarios and checks show which requirement, and which deviations prove that these can fail."""
    from medmij_conformance.coverage import covered, write_record

    if record:
        click.echo(str(write_record(_read_run(record))), err=True)
    rows = covered(role)
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    for row in rows["requirements"]:
        shown = f"{len(row['scenarios'])} scenarios, {len(row['checks'])} checks, {len(row['killers'])} killers"
        click.echo(f"{row['id']:<22} {row['level']:<6} {row['test']:<9} {shown if row['checks'] else row['reason']}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--jobs", type=int, default=2, show_default=True, help="Processes at a time.")
@click.option("--only", metavar="NAME", multiple=True, help="Only this deviation; may be repeated.")
def selftest(as_json: bool, jobs: int, only: tuple[str, ...]) -> None:
    """Prove that every check can fail: the kill matrix, and counterparts that do nothing."""
    from medmij_conformance.selftest import run_selftest

    result = run_selftest(jobs, only, lambda line: click.echo(line, err=True))
    if as_json:
        click.echo(json.dumps(result.as_json(), ensure_ascii=False, indent=1))
    else:
        killed = sum(bool(killers) for killers in result.killers.values())
        passes = sum(len(names) for names in result.null_passes.values())
        click.echo(f"{killed} of {len(result.killers)} checks killed by {len(result.rounds)} variants")
        click.echo(f"{passes} passes on {len(result.null_passes)} null counterparts")
    for problem in result.problems:
        click.echo(problem, err=True)
    sys.exit(1 if result.problems else 0)
