"""Files with lists: read, validated against the schema of their generation, and judged by the rules beyond it.

A file of up to ``MAX_BYTES`` is read whole and every error told; a longer one is streamed until its first schema error. The
files that are given together are one set: they have one generation, and what one says is held against the others.
"""

import stat
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from lxml import etree

from medmij_conformance import data_path
from medmij_conformance.checks import list_rules as rules
from medmij_conformance.checks.list_rules import Beside, Broken
from medmij_conformance.protocol import lists
from medmij_conformance.protocol.lists import AnyList, Complaint, Form, Gnl, ListError, Ocl, Whitelist, Zal
from medmij_conformance.requirements import release as load_release
from medmij_conformance.verdict import Outcome

#: The longest file that is read at all; a million providers take about a quarter of it.
MAX_FILE_BYTES = 4 * 1024**3
#: Of the other lists all records are kept in memory.
MAX_OTHER_BYTES = 256 * 1024**2
#: What is broken in one file is told so often; a list may break a rule with every provider.
MAX_PROBLEMS = 10_000

#: For people only so many; ``--json`` has all.
MAX_TOLD = 100
_WORDS: dict[str, str] = {Outcome.FAIL: "error", Outcome.WARNING: "warning"}

#: By kind of list: what a list that its schema refuses breaks. A new version must be valid, and follow the metamodel.
_SCHEMA_REQUIREMENTS = {
    "zal": ("APP.19", "P&I.11"),
    "whl": ("APP.22", "P&I.16"),
    "ocl": ("P&I.16",),
    "gnl": ("META.8",),
    "": ("APP.19", "APP.22"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a file: where, how bad (``fail`` or ``warning``), against which requirements, and why.

    ``schema`` is the complaint of the schema about the element, if it has one; ``path`` is empty for the whole document.
    """

    line: int
    path: str
    outcome: str
    requirements: tuple[str, ...]
    expected: str
    observed: str
    schema: str = ""
    hint: str = ""
    reading: str = ""


@dataclass
class FileReport:
    """What is known of a file. ``unreadable`` says why it could not be judged; ``notes`` what was not looked at."""

    file: Path
    unreadable: str = ""
    kind: str = ""
    name: str = ""
    generation: str = ""
    serial: int | None = None
    timestamp: str = ""
    records: int | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        """Whether it was judged and nothing failed; warnings do not count."""
        return not self.unreadable and not any(problem.outcome == Outcome.FAIL for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """The contract of ``lists --json``, for one file."""
        return {
            "file": str(self.file),
            "valid": self.valid,
            "unreadable": self.unreadable or None,
            "list": self.name or None,
            "generation": self.generation or None,
            "serial": self.serial,
            "timestamp": self.timestamp or None,
            "records": self.records,
            "problems": [
                {
                    "line": problem.line,
                    "path": problem.path,
                    "outcome": problem.outcome,
                    "requirements": list(problem.requirements),
                    "expected": problem.expected,
                    "observed": problem.observed,
                    "schema": problem.schema or None,
                    "hint": problem.hint or None,
                    "reading": problem.reading or None,
                }
                for problem in self.problems
            ],
            "notes": self.notes,
        }


@dataclass
class _File:
    """A file under way: what its root element allows it to be, and its contents if it is short."""

    report: FileReport
    forms: list[Form] = field(default_factory=list)
    data: bytes | None = None
    root: etree._Element | None = None
    content: AnyList | None = None

    @property
    def generations(self) -> tuple[str, ...]:
        return lists.generations_of(self.forms)


def judge_files(
    paths: Sequence[Path], *, generation: str = "", release: str = "1.0", max_bytes: int = lists.MAX_BYTES
) -> list[FileReport]:
    """Judge files as one set, in the order in which they are given.

    ``generation`` is that of all; without it, it is found out. Files of more than ``max_bytes`` are streamed. Raises
    ``ValueError`` for a generation that is not known.
    """
    if generation and generation not in lists.GENERATIONS:
        raise ValueError(f"unknown generation {generation!r}; expected one of {', '.join(lists.GENERATIONS)}")
    files = [_opened(path, max_bytes) for path in paths]
    _settle_generations([file for file in files if file.forms], generation)
    judged = [file for file in files if file.report.generation]
    for file in judged:
        if file.data is not None:
            _validate_whole(file)
    others = [file for file in judged if file.report.kind != "zal"]
    for file in others:
        _judge_other(file)
    services = load_release(release).gegevensdiensten
    zals = [file for file in judged if file.report.kind == "zal"]
    hosts = [_judge_zal(file, others, services) for file in zals]
    if len(zals) == 1 and zals[0].report.records is not None:  # all of it was read
        _judge_types(others, hosts[0])
    for file in judged:
        file.report.problems.sort(key=lambda problem: problem.line)
        file.root = None
    return [file.report for file in files]


# --- reading ---------------------------------------------------------------------------------------------------------


def _opened(path: Path, max_bytes: int) -> _File:
    """What the head of a file says that it is. A file that cannot be read, or is no list, has no forms."""
    report = FileReport(path)
    file = _File(report)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            report.unreadable = "not a file; expected an XML document on disk"
        elif status.st_size > MAX_FILE_BYTES:
            report.unreadable = f"{status.st_size} bytes; expected at most {MAX_FILE_BYTES}"
        elif status.st_size > max_bytes:
            with path.open("rb") as source:
                file.forms = lists.sniff(source)
        else:
            file.data = path.read_bytes()
            file.root = lists.tree(file.data)
            file.forms = lists.forms_of(file.root)
            form, file.content = lists.read_tree(file.root)
            file.forms = [form]
    except OSError as error:
        report.unreadable = f"{error.strerror}; expected a file that can be read"
    except ListError as error:
        if not file.forms:
            report.problems.append(_schema_problem("", error.complaint))
    if file.forms:
        report.kind, report.name = lists.kind_of(file.forms[0]), file.forms[0].root
        if report.kind != "zal" and status.st_size > MAX_OTHER_BYTES:
            report.unreadable = f"a {report.name} of {status.st_size} bytes; expected at most {MAX_OTHER_BYTES}"
            file.forms = []
    return file


def _settle_generations(files: Sequence[_File], wanted: str) -> None:
    """One generation for all if there is one: that which was asked for, else the oldest that fits every file."""
    common = [name for name in lists.GENERATIONS if all(name in file.generations for file in files)]
    for file in files:
        report = file.report
        if wanted and wanted not in file.generations:
            complaint = Complaint(1, report.name, f"not a list of generation {wanted}, but of {' or '.join(file.generations)}")
            report.problems.append(_schema_problem(report.kind, complaint))
            continue
        report.generation = wanted or (common or file.generations)[0]
        if not wanted and not common:
            report.notes.append("the files are not of one generation; each was judged in its own")
        file.forms = [form for form in file.forms if report.generation in lists.generations_of([form])]


def _schema(report: FileReport, *, unique: bool) -> etree.XMLSchema:
    path = data_path("fixtures") / "schemas" / "lists" / report.generation / f"{report.kind}.xsd"
    return lists.load_schema(path, unique=unique)


def _validate_whole(file: _File) -> None:
    """Schema errors, and what the list says of itself."""
    report = file.report
    assert file.data is not None
    assert file.root is not None
    complaints = lists.complaints(file.data, _schema(report, unique=True), file.root)
    report.problems += [_schema_problem(report.kind, complaint) for complaint in complaints]
    if file.content is None:
        report.notes.append("the rules beyond the schema were not looked at, because the structure is another")
        return
    report.serial, report.timestamp = file.content.serial, file.content.timestamp.isoformat()
    report.records = len(getattr(file.content, file.forms[0].items.attribute))


def _schema_problem(kind: str, complaint: Complaint) -> Problem:
    expected = "what the schema of the list allows" if kind else "one of the lists of MedMij, in XML without a document type"
    return Problem(complaint.line, complaint.path, Outcome.FAIL, _SCHEMA_REQUIREMENTS[kind], expected, complaint.problem)


# --- judging ---------------------------------------------------------------------------------------------------------


def _judge_other(file: _File) -> None:
    """A Whitelist, OAuthclientlist or Gegevensdienstnamenlijst by itself."""
    if file.data is None:
        _read_long(file)
    match file.content:
        case Whitelist() as content:
            _tell(file, rules.whitelist_rules(content))
        case Ocl() as content:
            _tell(file, rules.ocl_rules(content))
        case Gnl() as content:
            _tell(file, rules.gnl_rules(content))


def _read_long(file: _File) -> None:
    """The content of a long list whose records are small, if it is valid."""
    records: list[Any] = []
    head: dict[str, Any] = {}
    with file.report.file.open("rb") as source:
        for _, record in _streamed(file, source, head):
            records.append(record)
    if head:
        head.pop("release", None)
        make = {"whl": Whitelist, "ocl": Ocl, "gnl": Gnl}[file.report.kind]
        file.content = make(**head, **{file.forms[0].items.attribute: tuple(records)})


def _streamed(file: _File, source: BinaryIO, head: dict[str, Any]) -> Iterator[tuple[int, Any]]:
    """The records of a long file with their lines, up to the first error, which goes into the report."""
    stream = lists.Stream(source, file.forms[0], _schema(file.report, unique=False))
    try:
        yield from stream
    except ListError as error:
        file.report.problems.append(_schema_problem(file.report.kind, error.complaint))
        file.report.notes.append("the file is long, so that only its first schema error is told, and rules up to there")
        return
    file.report.records = stream.count
    head |= stream.head
    file.report.serial, file.report.timestamp = head["serial"], head["timestamp"].isoformat()


def _judge_zal(file: _File, others: Sequence[_File], services: Iterable[str]) -> set[str]:
    """A Zorgaanbiederslijst, held against the other lists. Gives its back-channel hosts."""
    report = file.report
    judge = rules.ProviderRules(_beside(report, others, services))
    if isinstance(file.content, Zal):
        _tell(file, (broken for each in enumerate(file.content.providers) for broken in judge.judge(*each)), judge.conclude)
    elif file.data is None:
        lines = array("Q")
        with report.file.open("rb") as source:
            _tell(file, _judged_stream(file, source, judge, lines), judge.conclude, lines=lines)
    if judge.count and not judge.compared:
        said = f"the names of {judge.count} providers were not compared for likeness; at most {rules.MAX_COMPARED} are"
        report.notes.append(said)
    return judge.hosts


def _judged_stream(file: _File, source: BinaryIO, judge: rules.ProviderRules, lines: MutableSequence[int]) -> Iterator[Broken]:
    for number, (line, provider) in enumerate(_streamed(file, source, {})):
        lines.append(line)
        yield from judge.judge(number, provider)


def _beside(report: FileReport, others: Sequence[_File], services: Iterable[str]) -> Beside:
    """What the other files say, where there is exactly one of a kind and it is valid."""
    whitelist, ocl, gnl = (_the_valid(kind, others, report.notes) for kind in ("whl", "ocl", "gnl"))
    codes = None
    if isinstance(gnl, Gnl):
        codes = frozenset(name.gegevensdienst for name in gnl.names)
    elif report.generation != "1.1":  # where the names of the services stand on a list of their own
        codes = frozenset(services)
    else:
        report.notes.append("the codes of the services were not looked at: there is no Gegevensdienstnamenlijst beside the list")
    if whitelist is None and not any(file.report.kind == "whl" for file in others):
        report.notes.append("hosts were not looked up: there is no Whitelist among the files")
    return Beside(
        codes=codes,
        nodes={node.hostname: node for node in whitelist.nodes} if isinstance(whitelist, Whitelist) else None,
        clients=frozenset(client.hostname for client in ocl.clients) if isinstance(ocl, Ocl) else None,
    )


def _the_valid(kind: str, files: Sequence[_File], notes: list[str] | None = None) -> AnyList | None:
    of_kind = [file for file in files if file.report.kind == kind]
    usable = [file for file in of_kind if file.report.valid and file.content is not None]
    if len(of_kind) == 1 and len(usable) == 1:
        return usable[0].content
    if of_kind and notes is not None:
        why = "it is not valid" if len(of_kind) == 1 else f"there are {len(of_kind)} of it"
        notes.append(f"not held against the {of_kind[0].report.name}: {why}")
    return None


def _judge_types(others: Sequence[_File], hosts: Collection[str]) -> None:
    """Whether each node is of a known participant, if there are a Whitelist and an OCL; ``hosts`` are those of the ZAL."""
    whitelist, ocl = _the_valid("whl", others), _the_valid("ocl", others)
    if isinstance(whitelist, Whitelist) and isinstance(ocl, Ocl):
        (file,) = (file for file in others if file.report.kind == "whl")
        _tell(file, rules.type_rules(whitelist, hosts, {client.hostname for client in ocl.clients}))


# --- telling ---------------------------------------------------------------------------------------------------------


def _tell(
    file: _File, broken: Iterable[Broken], conclude: Callable[[], Iterable[Broken]] = tuple, *, lines: Sequence[int] = ()
) -> None:
    """Put what is broken into the report, beside what the schema says about the same element.

    ``conclude`` is asked when ``broken`` has ended; ``lines`` are those of the records where there is no tree.
    """
    report = file.report
    told: list[Broken] = []
    more = False
    for source in (iter(broken), (each for _ in (0,) for each in conclude())):
        for each in source:
            if len(told) < MAX_PROBLEMS:
                told.append(each)
            more = more or len(told) == MAX_PROBLEMS
    if more:
        report.notes.append(f"{MAX_PROBLEMS} rules broken or more; only so many are told")
    by_schema = {problem.path: place for place, problem in enumerate(report.problems)}
    told.sort(key=lambda each: each.place)  # in the order of the document, so that places are found fast
    for each, (line, path) in zip(told, _places(file, [each.place for each in told], lines), strict=True):
        problem = _problem(each, line, path)
        known = by_schema.pop(problem.path, None)
        if known is None:
            report.problems.append(problem)
        else:
            report.problems[known] = _merged(report.problems[known], problem)


def _places(file: _File, places: Sequence[lists.Place], lines: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Line and path of values, in the tree if there is one."""
    form = file.forms[0]
    if file.root is not None:
        paths = lists.Paths()
        yield from ((element.sourceline or 1, paths.of(element)) for element in form.locate_all(file.root, places))
        return
    for place in places:
        record = place[1]
        yield lines[record] if lines and isinstance(record, int) else 1, form.path(place)


def _problem(broken: Broken, line: int, path: str) -> Problem:
    finding = broken.finding
    return Problem(
        line,
        path,
        finding.outcome,
        broken.requirements,
        finding.expected,
        finding.observed,
        hint=finding.hint,
        reading=finding.reading,
    )


def _merged(by_schema: Problem, by_rule: Problem) -> Problem:
    """One problem for what a schema and a rule say about one element; the rule says it in the words of the framework."""
    requirements = tuple(dict.fromkeys([*by_rule.requirements, *by_schema.requirements]))
    return replace(by_rule, outcome=Outcome.FAIL, requirements=requirements, schema=by_schema.observed)


def told(report: FileReport) -> Iterator[str]:
    """The report of a file for people, line by line: errors first, then warnings."""
    name = lists.short(report.file, 500)[1:-1]
    if report.unreadable:
        yield f"{name}: cannot be read: {report.unreadable}"
        return
    outcomes = Counter(problem.outcome for problem in report.problems)
    counts = [f"{outcomes[kind]} {word}{'s' * (outcomes[kind] != 1)}" for kind, word in _WORDS.items() if outcomes[kind]]
    facts = [report.name, report.generation and f"generation {report.generation}", report.serial and f"number {report.serial}"]
    facts += [f"{report.records} record{'s' * (report.records != 1)}" if report.records is not None else ""]
    verdict = ", ".join(["valid" if report.valid else "not valid", *counts])
    yield f"{name}: {', '.join(str(fact) for fact in facts if fact) or 'no list'}: {verdict}"
    for problem in sorted(report.problems, key=lambda problem: problem.outcome != Outcome.FAIL)[:MAX_TOLD]:
        yield f"  line {problem.line}: {problem.path}" if problem.path else f"  line {problem.line}"
        yield f"    {_WORDS[problem.outcome]} against {', '.join(problem.requirements)}"
        yield f"    expected: {problem.expected}"
        yield f"    found:    {problem.observed}"
        for label, text in (("schema:  ", problem.schema), ("hint:    ", problem.hint), ("reading: ", problem.reading)):
            if text:
                yield f"    {label} {text}"
    if len(report.problems) > MAX_TOLD:
        yield f"  and {len(report.problems) - MAX_TOLD} more; --json has them"
    for note in report.notes:
        yield f"  note: {note}"
