"""The command line: reads what is asked, lets pytest run it, and turns the verdict into an exit code.

Imports stand inside the commands, so that ``--help`` answers at once.
"""

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from medmij_conformance import __version__, data_path

if TYPE_CHECKING:
    from medmij_conformance.preflight import Fault
    from medmij_conformance.report import Run
    from medmij_conformance.target import Target

CONFIGURATION_WRONG = 2
HARNESS_WRONG = 4
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_ROLE = click.Choice(["dvza", "dvp", "registratie"])
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
@click.argument("targets", metavar="TARGET...", nargs=-1, required=True)
@click.option("--jobs", type=click.IntRange(min=1), help="Several targets: runs at a time (default: the cores; plan full: all).")
@click.option("--plan", type=click.Choice(["quick", "full", "watch"]), default="quick", show_default=True, help="What is promised.")
@click.option("--for", "watched", metavar="TIME", help="Plan watch: how long is watched, such as 26h (the default).")
@click.option("--continue", "continued", type=_DIRECTORY, metavar="DIR", help="Plan watch: go on with the run reported there.")
@click.option("--only", metavar="ID", multiple=True, help="Only this requirement; may be repeated.")
@click.option("--seed", type=int, help="Seed of the harness's own random choices.")
@click.option("--report-dir", type=_DIRECTORY, help="Where the report goes.")
@click.option("--deviate", metavar="NAME", multiple=True, help="Reference only: break this rule; may be repeated.")
@click.option("--list-deviations", is_flag=True, help="Reference only: the rules that can be broken.")
@click.option("--list-oddities", is_flag=True, help="Reference only: what must not fail a run: legal oddities, warnings.")
@click.option(
    "--attended/--unattended",
    default=None,
    help='Whether an operator at the terminal is asked for hooks that say "operator" (default: if there is a terminal).',
)
@click.option("--baseline", type=_FILE, help="Known deviations: they change the exit code, never an outcome.")
@click.option("--extra", type=_DIRECTORY, metavar="DIR", help="Own features and steps, run afterwards; no part of the verdict.")
@click.option("--check/--no-check", "checked", default=True, show_default=True, help="First see whether the target can be tested.")
@click.option("--quiet", is_flag=True, help="Only the verdict.")
def run(
    targets: tuple[str, ...],
    jobs: int | None,
    plan: str,
    watched: str | None,
    continued: Path | None,
    only: tuple[str, ...],
    seed: int | None,
    report_dir: Path | None,
    deviate: tuple[str, ...],
    list_deviations: bool,
    list_oddities: bool,
    attended: bool | None,
    baseline: Path | None,
    extra: Path | None,
    checked: bool,
    quiet: bool,
) -> None:
    """Test TARGET: a target file, or reference:dvza, reference:dvp or reference:registratie, the embedded references.

    Several targets run beside each other, each with a report of its own and one overview; the exit code is the worst of theirs,
    in the order 1, 4, 2, 3, 0.
    """
    target = targets[0]
    if len(targets) > 1:
        single = {"--list-deviations": list_deviations, "--list-oddities": list_oddities, "--deviate": deviate}
        single |= {"--continue": continued, "--attended": attended, "--baseline": baseline}
        for option, given in single.items():
            if given:
                _stop(f"{option}: is for one target; expected one TARGET instead of {len(targets)}")
    if list_deviations or list_oddities:
        _list_deviations(target, oddities=list_oddities)
        return
    _check_requirements(only)
    if report_dir and len(targets) == 1:
        _check_directory(report_dir)
    options = [*(part for name in only for part in ("--only", name)), "--plan", plan]
    options += ["--seed", str(seed)] if seed is not None else []
    options += ["--report-dir", str(report_dir)] if report_dir and len(targets) == 1 else []
    options += ["--baseline", str(baseline)] if baseline else []
    options += ["--extra", str(extra)] if extra else []
    options += ["--for", watched] if watched else []
    options += ["--continue", str(continued)] if continued else []
    options += ["--no-check"] * (not checked and len(targets) > 1)
    if len(targets) > 1:
        sys.exit(_run_many(targets, options, jobs, plan, report_dir, quiet=quiet))
    options += [] if attended is None else ["--attended" if attended else "--unattended"]
    command = _repeatable(target, plan, only, seed, deviate)
    with _target(target, deviate) as (loaded, default_report):
        if checked and not default_report:
            _must_be_fit(loaded, quiet=quiet)
        if report_dir is None and default_report:
            options += ["--report-dir", default_report]
        sys.exit(_run_scenarios(loaded, options, command, quiet=quiet))


def _run_many(
    targets: Sequence[str], options: list[str], jobs: int | None, plan: str, report_dir: Path | None, *, quiet: bool
) -> int:
    import os
    import time

    from medmij_conformance import many
    from medmij_conformance.report.text import visible

    if problems := many.collisions(targets):
        _stop("\n".join(problems))
    base = report_dir or Path("reports") / time.strftime("%Y%m%dT%H%M%S-several")
    _check_directory(base)
    if any(base.iterdir()):
        _stop(f"--report-dir: {base}: is not empty; expected a new or empty directory")
    jobs = jobs or (os.cpu_count() or 1 if plan == "quick" else len(targets))
    options += ["--unattended", *["--quiet"] * quiet]
    return many.run_many(targets, options, jobs, base, lambda line: click.echo(visible(line, lines=False), err=True))


def _list_deviations(target: str, *, oddities: bool) -> None:
    from medmij_conformance.reference.roles import REFERENCES

    role = target.removeprefix("reference:")
    if role == target or role not in REFERENCES:
        _stop(f"{target}: only a reference has deviations; expected {_references(REFERENCES)}")
    deviations = REFERENCES[role].deviations
    for deviation in deviations.oddities if oddities else deviations.faults:
        click.echo(f"{deviation.name}: {deviation.description}")


def _references(roles: Iterable[str]) -> str:
    return " or ".join(f"reference:{role}" for role in roles)


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
def _target(target: str, deviate: Sequence[str]) -> Iterator[tuple["Target", str | None]]:
    """The target of the file that is named, or a reference, which lives as long as the run, with the folder of its report."""
    if not target.startswith("reference:"):
        if deviate:
            _stop("--deviate: only a reference can be made to deviate; expected reference:dvza as TARGET")
        yield _loaded(Path(target)), None
        return
    from medmij_conformance import workspace
    from medmij_conformance.reference.roles import REFERENCES
    from medmij_conformance.wire.control import CommandError, call

    role = target.removeprefix("reference:")
    if role not in REFERENCES:
        _stop(f"{target}: there is no such reference; expected {_references(REFERENCES)}")
    for name in deviate:
        if name not in REFERENCES[role].deviations.by_name:
            _stop(f"--deviate: there is no deviation {name!r}; expected one that --list-deviations or --list-oddities tells")
    with tempfile.TemporaryDirectory(prefix="medmij-conformance-") as folder:
        loaded, reference = workspace.REFERENCES[role](Path(folder))
        try:
            call(f"{reference.ports['control']}/deviate", {"names": list(deviate)})
            named = str(Path("reports") / "-".join([f"reference-{role}", *deviate]))
            yield workspace.follow(loaded, reference.ports["control"]), named
        except CommandError as error:
            _stop(f"--deviate: {error}")
        finally:
            reference.stop()


def _loaded(file: Path) -> "Target":
    from medmij_conformance.target import TargetError, load

    try:
        return load(file)
    except TargetError as error:
        _stop(str(error))


def _run_scenarios(target: "Target", options: Sequence[str], command: str, *, quiet: bool) -> int:
    """Run the features against a target as ``pytest features --target FILE`` would, with our own words on the terminal."""
    import pytest

    from medmij_conformance.terminal import Terminal

    terminal = Terminal(command, target, quiet=quiet)
    code = _pytest(["-p", "medmij_conformance.plugin", "--target", str(target.path), *options], terminal)
    if terminal.run:
        return code
    return CONFIGURATION_WRONG if code in {pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED} else HARNESS_WRONG


def _pytest(options: Sequence[str], plugin: object) -> int:
    """One session of pytest over the features. Gives pytest's exit code."""
    from medmij_conformance.session import session

    return session(options, [plugin], [data_path("features") / "test_features.py"])


def _must_be_fit(target: "Target", *, quiet: bool) -> None:
    """Stop a run that makes no sense; what only lies between the gateway and us is said, for the run will tell it too."""
    from medmij_conformance.preflight import at_home, on_the_way

    faults = at_home(target)
    _tell(faults, target.path)
    if any(fault.hinders for fault in faults):
        _stop(f"{target.path}: nothing was sent; once this is mended, try again (or insist: --no-check)")
    if not quiet:
        _tell(on_the_way(target), target.path)


def _tell(faults: "Sequence[Fault]", file: Path) -> None:
    from medmij_conformance.report.text import visible

    for fault in faults:
        for line in fault.lines(file):
            click.echo(visible(line, lines=False), err=True)


@main.command()
@click.argument("target")
@click.option("--network", is_flag=True, help="Instead: who dials whom in a run, for a firewall.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def check(target: str, network: bool, as_json: bool) -> None:
    """See whether TARGET can be tested: certificates, ports, programs, and the way to the gateway. Exit 2 when it cannot."""
    from medmij_conformance.preflight import in_the_file, preflight
    from medmij_conformance.preflight.network import connections, table
    from medmij_conformance.report.text import visible

    read, faults = (None, []) if target.startswith("reference:") else in_the_file(Path(target))
    if not faults:
        with contextlib.nullcontext((read, None)) if read else _target(target, ()) as (loaded, _):
            if network:
                rows = list(connections(loaded))
                lines = table(rows)
                click.echo(json.dumps([row._asdict() for row in rows], indent=1) if as_json else visible("\n".join(lines)))
                return
            faults = preflight(loaded)
    if as_json:
        click.echo(json.dumps([asdict(fault) for fault in faults], ensure_ascii=False, indent=1))
    else:
        _tell(faults, Path(target))
        errors = sum(fault.hinders for fault in faults)
        click.echo(f"{errors} errors, {len(faults) - errors} warnings" if faults else "nothing stands in the way of a run")
    if any(fault.hinders for fault in faults):
        sys.exit(CONFIGURATION_WRONG)


@main.command()
@click.argument("target")
@click.option("--plan", "name", type=click.Choice(["quick", "full"]), default="quick", show_default=True, help="What is promised.")
@click.option("--only", metavar="ID", multiple=True, help="Only this requirement; may be repeated.")
@click.option("--attended/--unattended", default=False, show_default=True, help="Whether an operator will be at the terminal.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(target: str, name: str, only: tuple[str, ...], attended: bool, as_json: bool) -> None:
    """What a run of TARGET would do: scenarios, time, hand steps, missing hooks, and what would stay open and why."""
    from medmij_conformance.preview import Collector, preview
    from medmij_conformance.report.text import visible

    _check_requirements(only)
    collector = Collector()
    with _target(target, ()) as (loaded, _):
        _pytest(["-p", "medmij_conformance.plugin", "--collect-only"], collector)
        found = preview(loaded, name, collector.items, only=only, attended=attended)
    if as_json:
        click.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=1))
        return
    for line in found.lines():
        click.echo(visible(line, lines=False))


@main.command()
def steps() -> None:
    """Every sentence that a feature can use: those of the steps by module, and those of the checks with their requirements."""
    import importlib

    from medmij_conformance import plugin
    from medmij_conformance.step_lookup import sentences
    from medmij_conformance.verdict import REGISTRY

    for module in plugin.pytest_plugins:
        importlib.import_module(module)
    for kind, sentence, module in sorted(sentences(), key=lambda found: (found[2], found[0], found[1])):
        if module != "gateway" or kind != "then":  # one step stands for the sentences of all checks
            click.echo(f"{module:<16} {kind.capitalize():<5} {sentence}")
    for check in sorted(REGISTRY.values(), key=lambda check: check.then):
        click.echo(f"{'gateway':<16} Then  {check.then}  [{', '.join(check.requirements)}]")


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


@main.command()
@click.argument("before", type=_DIRECTORY)
@click.argument("after", type=_DIRECTORY)
def compare(before: Path, after: Path) -> None:
    """What changed from the run in directory BEFORE to that in AFTER, check by check; exit 1 when something did."""
    from medmij_conformance.report import compare as comparison
    from medmij_conformance.report.text import visible

    first, second = _read_run(before), _read_run(after)
    for line in comparison.settings(first, second):
        click.echo(visible(line, lines=False), err=True)
    changed = comparison.differences(first, second)
    for each in changed:
        seen = f": {each.observed}" if each.kind in {"worse", "new"} else ""
        line = (
            f"{each.kind:<6} {each.check} in {each.scenario} ({', '.join(each.requirements)}): {each.before} -> {each.after}{seen}"
        )
        click.echo(visible(line, lines=False))
    click.echo(f"{len(changed)} checks have another outcome" if changed else "every check has the same outcome", err=True)
    sys.exit(1 if changed else 0)


def _read_run(directory: Path) -> "Run":
    import medmij_conformance.checks  # noqa: F401 the judgements of a journal name checks
    from medmij_conformance.report import JournalError, read_run

    try:
        return read_run(directory)
    except JournalError as error:
        _stop(str(error))


@main.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--role", type=_ROLE, default="dvza", show_default=True, help="The role that is tested.")
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
    """Write the lists on which the harness stands, as TARGET says, for a gateway to load; and DigiD's metadata, if it plays it."""
    from medmij_conformance import listing

    loaded = _loaded(target)
    try:
        documents = listing.lists_for(loaded)
    except ValueError as error:
        _stop(f"{target}: lists.generation: {error}; expected offers that generation {loaded.lists.generation} can express")
    if loaded.login.mode == "digid":
        from medmij_conformance.cast.digid import metadata_of
        from medmij_conformance.workspace import DIGID_METADATA

        documents = {**documents, DIGID_METADATA: metadata_of(loaded)}
    for path in listing.write_lists(documents, out):
        click.echo(str(path))


@main.command(name="lists")
@click.argument("files", metavar="FILE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--generation", metavar="NAME", help="That of all files: 1.0, 1.1 or metamodel (default: the oldest that fits them).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def check_lists(files: tuple[Path, ...], generation: str | None, as_json: bool) -> None:
    """Validate lists of MedMij Registratie, and hold those that are given together against one another.

    Says for each error where it stands and which requirements it breaks. Exit 1 when a list is not valid, 2 when a file cannot
    be read.
    """
    from medmij_conformance import list_files

    try:
        reports = list_files.judge_files(files, generation=generation or "")
    except ValueError as error:
        _stop(f"--generation: {error}")
    if as_json:
        valid = all(each.valid for each in reports)
        click.echo(json.dumps({"valid": valid, "files": [each.as_json() for each in reports]}, ensure_ascii=False, indent=1))
    else:
        for each in reports:
            for line in list_files.told(each):
                click.echo(line)
    if any(each.unreadable for each in reports):
        sys.exit(CONFIGURATION_WRONG)
    sys.exit(0 if all(each.valid for each in reports) else 1)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--role", type=_ROLE, help="Only this role.")
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
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Processes at a time.")
@click.option("--only", metavar="NAME", multiple=True, help="Only this deviation; may be repeated.")
@click.option("--whole", is_flag=True, help="Every deviation runs every scenario, not only those of the checks that it breaks.")
@click.option("--role", type=_ROLE, multiple=True, help="Only this role.")
def selftest(as_json: bool, jobs: int, only: tuple[str, ...], whole: bool, role: tuple[str, ...]) -> None:
    """Prove that every check can fail: the kill matrix, and counterparts that do nothing."""
    from medmij_conformance.reference.roles import REFERENCES
    from medmij_conformance.selftest import UnknownDeviationError, run_selftest

    roles = role or tuple(REFERENCES)
    try:
        result = run_selftest(jobs, only, whole=whole, progress=lambda line: click.echo(line, err=True), roles=roles)
    except UnknownDeviationError as error:
        _stop(f"--only: {error}")
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
