"""Files with lists: good ones of every generation pass, every bad one is told with its place and its requirements."""

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from medmij_conformance import list_files
from medmij_conformance.checks.list_rules import MAX_COMPARED, host, look_alikes
from medmij_conformance.cli import main
from medmij_conformance.list_files import MAX_TOLD, FileReport, Problem, judge_files
from medmij_conformance.protocol.lists import (
    AnyList,
    Gnl,
    Node,
    OAuthClient,
    Ocl,
    Provider,
    Service,
    ServiceName,
    Systeemrol,
    Whitelist,
    Zal,
    serialise,
)
from medmij_conformance.requirements import catalogue

MOMENT = datetime(2018, 9, 1, 9, 0, tzinfo=UTC)
FRONT, BACK = "https://toestemming.kliniek.test", "https://zorg.kliniek.test"


def service(code: str = "1", *, front: str = FRONT, back: str = BACK, role: str = "") -> Service:
    roles = (Systeemrol(role or f"ROL-{code}-A", f"{back}:8443/fhir"), Systeemrol(role or f"ROL-{code}-B", f"{back}:8443/fhir"))
    return Service(code, f"{front}/authorize", f"{back}:8443/token", roles if not role else roles[:1])


KLINIEK = Provider("kliniek@medmij", (service("1"), service("3")))
APOTHEEK = Provider("apotheekdebron@medmij", (service("5"),))
ZAL = Zal(MOMENT, 12, (KLINIEK, APOTHEEK))
WHITELIST = Whitelist(MOMENT, 3, (Node("zorg.kliniek.test"), Node("pgo.harness.test")))
OCL = Ocl(MOMENT, 7, (OAuthClient("pgo.harness.test", "Proefomgeving & Zoon"),))
GNL = Gnl(MOMENT, 2, tuple(ServiceName(code, f"Gegevens {code}") for code in ("1", "3", "5")))
AT_ONE = Zal(
    MOMENT,
    1,
    tuple(replace(each, services=tuple(service(s.gegevensdienst, front=BACK) for s in each.services)) for each in ZAL.providers),
)
NAMED = Whitelist(
    MOMENT, 1, (Node("zorg.kliniek.test", "", "DVZA"), Node("pgo.harness.test", "Proef", "DVP"), Node("oud.test", "Oud"))
)

GOOD: dict[str, dict[str, AnyList]] = {
    "1.0": {"zal.xml": ZAL, "whitelist.xml": WHITELIST, "ocl.xml": OCL},
    "1.1": {"zal.xml": ZAL, "whitelist.xml": WHITELIST, "ocl.xml": OCL, "gnl.xml": GNL},
    "metamodel": {"zal.xml": AT_ONE, "whitelist.xml": NAMED},
}


def write(folder: Path, documents: dict[str, AnyList], generation: str) -> dict[str, Path]:
    for name, content in documents.items():
        (folder / name).write_bytes(serialise(content, generation))
    return {name: folder / name for name in documents}


def lists_command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["lists", *map(str, arguments)], catch_exceptions=False)


@pytest.mark.parametrize("long", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("generation", GOOD)
def test_good_lists_are_valid(generation: str, long: bool, tmp_path: Path) -> None:
    """Lists of every generation are valid together, whole and streamed, and the generation is found out."""
    paths = write(tmp_path, GOOD[generation], generation)
    reports = judge_files(list(paths.values()), max_bytes=100 if long else 10**7)
    for report in reports:
        assert (report.problems, report.notes) == ([], []), report.file
        assert (report.valid, report.generation, report.records) == (
            True,
            generation,
            len(_records(GOOD[generation][report.file.name])),
        )


def _records(content: AnyList) -> tuple[Any, ...]:
    return next(value for value in vars(content).values() if isinstance(value, tuple))


# --- bad documents ---

Documents = dict[str, AnyList]
Edit = Callable[[str], str]


def changed(**changes: Any) -> Documents:
    """The good set of 1.0 with another Zorgaanbiederslijst."""
    return {**GOOD["1.0"], "zal.xml": replace(ZAL, **changes)}


def named(*names: str) -> Documents:
    return changed(providers=tuple(Provider(name, (service("1"),)) for name in names))


def offering(*services: Service) -> Documents:
    return changed(providers=(APOTHEEK, Provider("kliniek@medmij", services)))


def text(pattern: str, replacement: str) -> Edit:
    """An edit of the document; it must find something."""

    def edit(document: str) -> str:
        result, count = re.subn(pattern, replacement, document, count=1, flags=re.DOTALL)
        assert count, pattern
        return result

    return edit


ROLE = Systeemrol("ROL-9-X", f"{BACK}:8443/fhir")
PROVIDER = r"Zorgaanbieders/Zorgaanbieder\[2\]"


@dataclass(frozen=True)
class Bad:
    """Documents of which one is bad after an edit; the element, a requirement and words that must be told."""

    documents: Documents
    file: str
    path: str
    requirement: str
    words: str
    edit: Edit | None = None
    outcome: str = "fail"
    generation: str = "1.0"


ZAL_OK = GOOD["1.0"]
BAD: dict[str, Bad] = {
    # the schema alone
    "order": Bad(ZAL_OK, "zal.xml", "Volgnummer", "APP.19", "not expected", edit=text(r"(<Tijd.*?>\n)(.*?<Volg.*?>\n)", r"\2\1")),
    "gap": Bad(
        ZAL_OK, "zal.xml", r"Systeemrol", "APP.19", "Missing child", edit=text("<ResourceEndpoint>.*?</ResourceEndpoint>", "")
    ),
    "no role": Bad(
        ZAL_OK,
        "zal.xml",
        "Systeemrollen",
        "P&I.11",
        "Missing child",
        edit=text("<Systeemrollen>.*?</Systeemrollen>", "<Systeemrollen/>"),
    ),
    "attribute": Bad(ZAL_OK, "zal.xml", "Volgnummer", "APP.19", "attribute 'a'", edit=text("<Volgnummer>", '<Volgnummer a="1">')),
    "serial number": Bad(changed(serial=0), "zal.xml", "Volgnummer", "APP.19", "positiveInteger"),
    "time without zone": Bad(ZAL_OK, "whitelist.xml", "Tijdstempel", "APP.22", "pattern", edit=text("00Z<", "00<")),
    "front channel with a port": Bad(
        offering(service("1", front=f"{FRONT}:444")), "zal.xml", "AuthorizationEndpointuri", "APP.19", "pattern"
    ),
    "back channel without TLS": Bad(
        offering(service("1", back="http://zorg.kliniek.test")), "zal.xml", "ResourceEndpointuri", "APP.19", "pattern"
    ),
    "host in capitals": Bad(
        {**ZAL_OK, "whitelist.xml": replace(WHITELIST, nodes=(*WHITELIST.nodes, Node("Zorg.Kliniek.test")))},
        "whitelist.xml",
        r"MedMijNode\[3\]",
        "APP.22",
        "pattern",
    ),
    "two forms": Bad(
        {"whitelist.xml": WHITELIST},
        "whitelist.xml",
        r"MedMijNode\[2\]",
        "APP.22",
        "not allowed|simple type",
        edit=text("<MedMijNode>pgo", "<MedMijNode><Hostname>a.nl</Hostname>pgo"),
    ),
    "short organisation": Bad(
        {"ocl.xml": Ocl(MOMENT, 1, (OAuthClient("a.test", "ab"),))}, "ocl.xml", "OAuthclientOrganisatienaam", "P&I.16", "minLength"
    ),
    "service without a name": Bad(
        {**GOOD["1.1"], "gnl.xml": replace(GNL, names=(*GNL.names, ServiceName("9", "")))},
        "gnl.xml",
        "Weergavenaam",
        "META.8",
        "minLength",
        generation="1.1",
    ),
    "even code in the metamodel": Bad(
        {"zal.xml": Zal(MOMENT, 1, (Provider("abc@medmij", (service("2", front=BACK),)),))},
        "zal.xml",
        "GegevensdienstCode",
        "META.8",
        "enumeration|one of",
        generation="metamodel",
    ),
    "wildcard in the metamodel": Bad(
        {"whitelist.xml": Whitelist(MOMENT, 1, (Node("*.kliniek.test"),))},
        "whitelist.xml",
        "Hostname",
        "APP.22",
        "pattern",
        generation="metamodel",
    ),
    "third type in the metamodel": Bad(
        {"whitelist.xml": Whitelist(MOMENT, 1, (Node("a.test", "", "DVX"),))},
        "whitelist.xml",
        "DeelnemerType",
        "APP.22",
        "enumeration",
        generation="metamodel",
    ),
    "fragment in the metamodel": Bad(
        {"zal.xml": AT_ONE},
        "zal.xml",
        "AuthenticationSuffix",
        "APP.19",
        "pattern",
        edit=text("/authorize<", "/authorize#x<"),
        generation="metamodel",
    ),
    # not one of the lists, or not a document
    "another root": Bad({"zal.xml": ZAL}, "zal.xml", "", "APP.19", "not well-formed", edit=text("Zorgaanbiederslijst", "Lijst")),
    "another namespace": Bad(
        {"zal.xml": ZAL}, "zal.xml", "Zorgaanbiederslijst", "APP.19", "namespace", edit=text("release2", "release9")
    ),
    "cut off": Bad(
        {"zal.xml": ZAL}, "zal.xml", "", "APP.19", "not well-formed", edit=text("</Zorgaanbieders>.*", "</Zorgaanbieders>")
    ),
    "document type": Bad(
        {"zal.xml": ZAL},
        "zal.xml",
        "",
        "APP.22",
        "DOCTYPE",
        edit=text("<Zorgaanbiederslijst", "<!DOCTYPE a []><Zorgaanbiederslijst"),
    ),
    "entity": Bad(
        {"zal.xml": ZAL},
        "zal.xml",
        "",
        "APP.19",
        "DOCTYPE",
        edit=text("<Zorgaanbiederslijst", '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Zorgaanbiederslijst'),
    ),
    "huge text": Bad(
        {"ocl.xml": OCL}, "ocl.xml", "", "APP.19", "not well-formed.*(huge|limit)", edit=text("Proefomgeving", "p" * 11_000_000)
    ),
    # names of providers
    "name with a capital": Bad(
        named("abc@medmij", "Kliniek@medmij"), "zal.xml", f"{PROVIDER}/Zorgaanbiedernaam", "NAAM.6", "Kliniek"
    ),
    "name with a digit": Bad(
        named("abc@medmij", "kliniek1@medmij"), "zal.xml", f"{PROVIDER}/Zorgaanbiedernaam", "NAAM.7", "with '1'"
    ),
    "name with a dot": Bad(
        named("abc@medmij", "de.kliniek@medmij"), "zal.xml", f"{PROVIDER}/Zorgaanbiedernaam", "NAAM.7", r"with '\.'"
    ),
    "short name": Bad(named("abc@medmij", "ab@medmij"), "zal.xml", f"{PROVIDER}/Zorgaanbiedernaam", "NAAM.5", "ab@medmij"),
    "name elsewhere": Bad(named("abc@medmij", "kliniek@zorgmij"), "zal.xml", f"{PROVIDER}/Zorgaanbiedernaam", "P&I.13", "zorgmij"),
    "name twice": Bad(
        named("kliniek@medmij", "kliniek@medmij"), "zal.xml", f"{PROVIDER}/Zorgaanbiedernaam", "NAAM.2", "second time"
    ),
    "letter apart": Bad(
        named("kliniek@medmij", "klinieg@medmij"),
        "zal.xml",
        f"{PROVIDER}/Zorgaanbiedernaam",
        "NAAM.2",
        "one letter differs",
        outcome="warning",
    ),
    "letter more": Bad(
        named("kliniek@medmij", "kliniekx@medmij"),
        "zal.xml",
        f"{PROVIDER}/Zorgaanbiedernaam",
        "NAAM.2",
        "one letter more",
        outcome="warning",
    ),
    "doubled letters": Bad(
        named("bakker@medmij", "baakeer@medmij"), "zal.xml", f"{PROVIDER}/Zorgaanbiedernaam", "NAAM.2", "doubled", outcome="warning"
    ),
    # sources, services and roles
    "two sources": Bad(
        offering(service("1"), service("1", back="https://pgo.harness.test")),
        "zal.xml",
        r"Gegevensdienst\[2\]/GegevensdienstId",
        "P&I.11",
        "second time",
    ),
    "two sources under two entries": Bad(
        changed(providers=(KLINIEK, Provider("kliniek@medmij", (service("1"),)))),
        "zal.xml",
        f"{PROVIDER}.*GegevensdienstId",
        "P&I.11",
        "second time",
    ),
    "service outside the catalogue": Bad(offering(service("2")), "zal.xml", "GegevensdienstId", "META.8", "'2'"),
    "service without an entry in the names": Bad(
        {**GOOD["1.1"], "gnl.xml": replace(GNL, names=GNL.names[:2])},
        "zal.xml",
        f"{PROVIDER}.*GegevensdienstId",
        "META.8",
        "'5'",
        generation="1.1",
    ),
    "resource on a second host": Bad(
        offering(replace(service("1"), systeemrollen=(Systeemrol("A", "https://pgo.harness.test/fhir"),))),
        "zal.xml",
        "ResourceEndpointuri",
        "META.7",
        "pgo.harness.test",
    ),
    "resource at the front": Bad(
        {
            **offering(replace(service("1"), systeemrollen=(Systeemrol("A", f"{FRONT}/fhir"),))),
            "whitelist.xml": replace(WHITELIST, nodes=(*WHITELIST.nodes, Node(FRONT[8:]))),
        },
        "zal.xml",
        "ResourceEndpointuri",
        "META.7",
        "toestemming",
        outcome="warning",
    ),
    "two addresses of one role": Bad(
        offering(
            replace(service("1"), systeemrollen=(ROLE,)),
            replace(service("3"), systeemrollen=(ROLE._replace(resource_endpoint=f"{BACK}/b"),)),
        ),
        "zal.xml",
        r"Gegevensdienst\[2\].*ResourceEndpointuri",
        "META.7",
        "/b",
    ),
    "role of another service": Bad(
        offering(service("1", role="X"), service("3", role="X")),
        "zal.xml",
        r"Gegevensdienst\[2\].*Systeemrolcode",
        "META.6",
        "'X' under service '3'",
        outcome="warning",
    ),
    "role twice": Bad(
        offering(replace(service("1"), systeemrollen=(ROLE, ROLE))),
        "zal.xml",
        r"Systeemrol\[2\]/Systeemrolcode",
        "META.1",
        "second time",
    ),
    # between the lists
    "host that is not on the Whitelist": Bad(
        offering(service("1", back="https://ergens.kliniek.test")), "zal.xml", "TokenEndpointuri", "META.1", "ergens"
    ),
    "provider at a PGO": Bad(
        offering(service("1", back="https://pgo.harness.test")),
        "zal.xml",
        "TokenEndpointuri",
        "META.2",
        "as a PGO",
        outcome="warning",
    ),
    "provider at a named node": Bad(
        {"zal.xml": AT_ONE, "whitelist.xml": replace(NAMED, nodes=(Node("zorg.kliniek.test", "Kliniek"),))},
        "zal.xml",
        r"GegevensdienstZorgaanbieder",
        "P&I.16",
        "called 'Kliniek'",
        generation="metamodel",
    ),
    "PGO without a name": Bad(
        {"whitelist.xml": Whitelist(MOMENT, 1, (Node("a.test", "", "DVP"),))},
        "whitelist.xml",
        "GebruikersvriendelijkeNaam",
        "P&I.16",
        "for the DVP",
        generation="metamodel",
    ),
    "ZA gateway with a name": Bad(
        {"whitelist.xml": Whitelist(MOMENT, 1, (Node("a.test", "Naam", "DVZA"),))},
        "whitelist.xml",
        "GebruikersvriendelijkeNaam",
        "P&I.16",
        "for the DVZA",
        generation="metamodel",
    ),
    "node of nobody": Bad(
        {**ZAL_OK, "whitelist.xml": replace(WHITELIST, nodes=(*WHITELIST.nodes, Node("wie.test")))},
        "whitelist.xml",
        r"MedMijNode\[3\]",
        "META.2",
        "on neither",
        outcome="warning",
    ),
    "node twice": Bad(
        {"whitelist.xml": replace(WHITELIST, nodes=WHITELIST.nodes[:1] * 2)},
        "whitelist.xml",
        r"MedMijNode\[2\]",
        "P&I.16",
        "second time",
    ),
    "PGO twice": Bad(
        {"ocl.xml": replace(OCL, clients=OCL.clients * 2)}, "ocl.xml", r"OAuthclient\[2\]/Hostname", "META.1", "second time"
    ),
    "PGO with a blank name": Bad(
        {"ocl.xml": Ocl(MOMENT, 1, (OAuthClient("a.test", "    "),))},
        "ocl.xml",
        "OAuthclientOrganisatienaam",
        "UCI-V.cons.3",
        "white space",
    ),
    "name of a service twice": Bad(
        {"gnl.xml": replace(GNL, names=GNL.names[:1] * 2)},
        "gnl.xml",
        r"Gegevensdienst\[2\]/GegevensdienstId",
        "META.1",
        "second time",
        generation="1.1",
    ),
}


def bad(name: str, folder: Path) -> tuple[list[Path], Path]:
    """Write the documents of a row of ``BAD``. Gives all paths, and that of the bad one."""
    row = BAD[name]
    paths = write(folder, row.documents, row.generation)
    path = paths[row.file]
    if row.edit:
        path.write_text(row.edit(path.read_text(encoding="utf-8")), encoding="utf-8")
    return list(paths.values()), path


def found(report: FileReport, name: str) -> Problem:
    row = BAD[name]
    matching = [
        problem
        for problem in report.problems
        if re.search(f"{row.path}$", problem.path)
        and problem.outcome == row.outcome
        and row.requirement in problem.requirements
        and re.search(row.words, f"{problem.observed} {problem.schema}")
    ]
    assert matching, f"{name}: {report.problems}"
    return matching[0]


@pytest.mark.parametrize("name", BAD)
def test_bad_documents_are_told(name: str, tmp_path: Path) -> None:
    """Each bad document is told with the requirement, on the line and at the element where it is bad; the others stay valid."""
    paths, path = bad(name, tmp_path)
    reports = {report.file: report for report in judge_files(paths)}
    problem = found(reports[path], name)
    assert reports[path].valid is (BAD[name].outcome == "warning")
    if problem.path:
        tag = re.sub(r"\[\d+\]$", "", problem.path.rpartition("/")[2])
        assert f"<{tag}" in path.read_text(encoding="utf-8").splitlines()[problem.line - 1]
    for other in paths:
        assert other == path or reports[other].valid, (other, reports[other].problems)


STREAMED_ALIKE = [name for name in BAD if name not in {"two sources under two entries", "huge text"}]


@pytest.mark.parametrize("name", STREAMED_ALIKE)
def test_bad_documents_are_told_when_streamed(name: str, tmp_path: Path) -> None:
    """What is too long for a tree is found all the same: the first error of the schema, or the rule, on the same line."""
    paths, path = bad(name, tmp_path)
    whole = {report.file: report for report in judge_files(paths)}[path]
    streamed = {report.file: report for report in judge_files(paths, max_bytes=100)}[path]
    assert streamed.valid == whole.valid
    by_schema = [problem for problem in whole.problems if "schema" in f"{problem.expected} {problem.schema}"]
    if streamed.notes and "first schema error" in streamed.notes[-1]:
        last = streamed.problems[-1]
        first = next(problem for problem in whole.problems if problem.path == last.path or not last.path)
        assert last.line == first.line
        assert last.observed in {first.schema, first.observed}
    elif streamed.name:
        problem = found(streamed, name) if BAD[name].generation != "metamodel" else streamed.problems[0]
        assert min(abs(problem.line - other.line) for other in whole.problems) <= 45  # the line of the record
    else:
        assert (streamed.problems, streamed.valid) == (by_schema or whole.problems, False)


def test_requirements_that_are_named_exist() -> None:
    """Every requirement that a bad document breaks is in the catalogue."""
    for row in BAD.values():
        assert catalogue()[row.requirement]


@pytest.mark.parametrize("name", ["name with a digit", "two sources"])
def test_schema_and_rule_say_one_thing_together(name: str, tmp_path: Path) -> None:
    """What breaks the schema and a rule at one element is one problem, with the requirements of both."""
    paths, path = bad(name, tmp_path)
    report = {each.file: each for each in judge_files(paths)}[path]
    problem = found(report, name)
    assert problem.schema
    assert "APP.19" in problem.requirements
    assert [other.path for other in report.problems].count(problem.path) == 1


def test_every_error_is_told_with_its_line(tmp_path: Path) -> None:
    """Hundreds of errors in one document are told, each on its own line."""
    providers = tuple(Provider(f"kliniek{number}@medmij", (service("1"),)) for number in range(300))
    path = tmp_path / "zal.xml"
    path.write_bytes(serialise(Zal(MOMENT, 1, providers), "1.0"))
    (report,) = judge_files([path])
    lines = [number for number, line in enumerate(path.read_text().splitlines(), start=1) if "Zorgaanbiedernaam" in line]
    assert [problem.line for problem in report.problems if "NAAM.7" in problem.requirements] == lines


def test_a_document_on_one_line_is_told_by_paths(tmp_path: Path) -> None:
    """Without line ends the path still tells one element from the other."""
    path = tmp_path / "zal.xml"
    document = serialise(
        Zal(MOMENT, 1, tuple(Provider(f"{name}@medmij", (service("1"),)) for name in ("abc", "de1f", "ghi", "j-k"))), "1.0"
    )
    path.write_bytes(re.sub(rb">\s+<", b"><", document))
    (report,) = judge_files([path])
    assert [problem.path for problem in report.problems if problem.outcome == "fail"] == [
        f"Zorgaanbiederslijst/Zorgaanbieders/Zorgaanbieder[{number}]/Zorgaanbiedernaam" for number in (2, 4)
    ]


# --- sets of files ---


def test_a_set_has_one_generation(tmp_path: Path) -> None:
    """A Zorgaanbiederslijst of 1.0 and 1.1 looks the same: the other files decide, or the option, or it is the oldest."""
    paths = write(tmp_path, GOOD["1.1"], "1.1")
    alone = judge_files([paths["zal.xml"]])[0]
    beside = judge_files([paths["zal.xml"], paths["whitelist.xml"]])[0]
    asked = judge_files([paths["zal.xml"]], generation="1.1")[0]
    assert (alone.generation, beside.generation, asked.generation) == ("1.0", "1.1", "1.1")
    assert any("no Gegevensdienstnamenlijst" in note for note in asked.notes)
    other = judge_files([paths["whitelist.xml"]], generation="1.0")[0]
    assert not other.valid
    assert "not a list of generation 1.0, but of 1.1" in other.problems[0].observed


def test_an_empty_whitelist_is_one_of_1_1_only(tmp_path: Path) -> None:
    """Without nodes the forms are alike; the schema of 1.0 wants one, that of 1.1 does not."""
    path = write(tmp_path, {"whitelist.xml": replace(WHITELIST, nodes=())}, "1.1")["whitelist.xml"]
    assert judge_files([path])[0].valid
    (problem,) = judge_files([path], generation="1.0")[0].problems
    assert (problem.line, problem.requirements) == (1, ("APP.22", "P&I.16"))


def test_files_of_two_generations_are_judged_each_in_its_own(tmp_path: Path) -> None:
    """A mixture is said, not guessed away."""
    zal = write(tmp_path, {"zal.xml": AT_ONE}, "metamodel")
    whitelist = write(tmp_path, {"whitelist.xml": WHITELIST}, "1.0")
    reports = judge_files([*zal.values(), *whitelist.values()])
    assert [report.generation for report in reports] == ["metamodel", "1.0"]
    assert all("not of one generation" in report.notes[0] for report in reports)


def test_a_bad_whitelist_is_not_held_against_others(tmp_path: Path) -> None:
    """Hosts are compared with one valid Whitelist only; otherwise it is said that they were not."""
    paths = write(tmp_path, GOOD["1.0"], "1.0")
    paths["whitelist.xml"].write_text(paths["whitelist.xml"].read_text().replace("zorg.", "ZORG."))
    zal = judge_files(list(paths.values()))[0]
    assert zal.valid
    assert "not held against the Whitelist: it is not valid" in zal.notes
    assert "hosts were not looked up: there is no Whitelist among the files" in judge_files([paths["zal.xml"]])[0].notes


def test_nodes_are_nobodys_only_beside_a_whole_zal(tmp_path: Path) -> None:
    """Of a Zorgaanbiederslijst that cannot be read to its end nobody knows which nodes it has."""
    for max_bytes in (100, 10**7):
        paths = write(tmp_path, GOOD["1.0"], "1.0")
        document = paths["zal.xml"].read_text()
        paths["zal.xml"].write_text(text("<TokenEndpoint>.*?</TokenEndpoint>", "")(document))
        zal, whitelist, _ = judge_files(list(paths.values()), max_bytes=max_bytes)
        assert not zal.valid
        assert whitelist.problems == []


def test_too_large_a_whitelist_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lists of which all is kept in memory have a limit of their own."""
    monkeypatch.setattr(list_files, "MAX_OTHER_BYTES", 200)
    paths = write(tmp_path, GOOD["1.0"], "1.0")
    zal, whitelist, _ = judge_files(list(paths.values()), max_bytes=100)
    assert zal.valid
    assert re.match(r"a Whitelist of \d+ bytes; expected at most 200", whitelist.unreadable)


def test_a_truncated_stream_is_found_wherever_it_is_cut(tmp_path: Path) -> None:
    """A streamed file that ends before its root does is not valid, between two elements too."""
    document = serialise(ZAL, "1.0").rstrip()
    path = tmp_path / "zal.xml"
    for length in (*range(250, len(document), 151), document.index(b"</Zorgaanbieders>"), len(document) - 22, len(document) - 1):
        path.write_bytes(document[:length])
        (report,) = judge_files([path], max_bytes=100)
        assert not report.valid, document[:length][-40:]


def test_a_long_stream_names_the_place_of_its_first_error(tmp_path: Path) -> None:
    """Behind blocks that were dropped from memory the record still has its number and its line."""
    providers = [Provider(f"{_letters(number)}@medmij", (service("1"),)) for number in range(1800)]
    providers[1500] = replace(providers[1500], services=(service("1", back="https://Zorg.test"),))
    path = tmp_path / "zal.xml"
    path.write_bytes(serialise(Zal(MOMENT, 1, tuple(providers)), "1.0"))
    (report,) = judge_files([path], max_bytes=100)
    (problem,) = [each for each in report.problems if each.outcome == "fail" and "schema" in each.expected]
    assert problem.path.startswith("Zorgaanbiederslijst/Zorgaanbieders/Zorgaanbieder[1501]/Gegevensdiensten/")
    assert "Zorg.test" in path.read_text().splitlines()[problem.line - 1]


def test_what_is_broken_often_is_told_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that every provider breaks fills neither memory nor terminal, and it is said that there is more."""
    monkeypatch.setattr(list_files, "MAX_PROBLEMS", 300)
    providers = tuple(Provider(f"{_letters(number)}@medmij", (service("2"),)) for number in range(305))
    path = tmp_path / "zal.xml"
    path.write_bytes(serialise(Zal(MOMENT, 1, providers), "1.0"))
    (report,) = judge_files([path])
    assert len(report.problems) == 300
    assert any("only so many are told" in note for note in report.notes)
    result = lists_command(path)
    assert result.output.count("against") == MAX_TOLD
    assert f"and {300 - MAX_TOLD} more; --json has them" in result.output


def _letters(number: int) -> str:
    """Names that are not alike: every one has its own first half, repeated."""
    name = "".join(chr(97 + number // 26**power % 26) for power in range(4))
    return name + name + name


# --- names that look alike ---


@given(st.lists(st.text("abc", min_size=1, max_size=6), max_size=12, unique=True))
@settings(max_examples=200, deadline=None)
def test_look_alikes_are_those_of_the_definition(names: list[str]) -> None:
    """Told is every name for which an earlier one is at edit distance one or the same but for doubled letters, and no other."""

    def alike(one: str, other: str) -> bool:
        single = [re.sub(r"(.)\1+", r"\1", name) for name in (one, other)]
        return one != other and (_distance_is_one(one, other) or single[0] == single[1])

    expected = {
        later: next((earlier for earlier in range(later) if alike(names[earlier], names[later])), None)
        for later in range(len(names))
    }
    told = {later: earlier for later, earlier, _ in look_alikes(names)}
    assert set(told) == {later for later, earlier in expected.items() if earlier is not None}
    assert all(alike(names[earlier], names[later]) and earlier < later for later, earlier in told.items())


def _distance_is_one(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) == len(long):
        return sum(a != b for a, b in zip(short, long, strict=True)) == 1
    return any(long[:gap] + long[gap + 1 :] == short for gap in range(len(long)))


def test_fifty_thousand_names_are_compared() -> None:
    """The time does not grow with the number of pairs, even when every name is like many."""
    started = time.process_time()
    names = [f"{_letters(number)[:4]}huisartsenpraktijk" for number in range(MAX_COMPARED)]
    assert len(list(look_alikes(names))) == MAX_COMPARED - 1
    assert time.process_time() - started < 60  # a billion pairs take hours


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://a.test/x", "a.test"),
        ("https://a.test:8443/x", "a.test"),
        ("https://a.test?x=/:", "a.test"),
        ("https://a.test#x", "a.test"),
        ("http://a.test", "a.test"),
        ("a.test", "a.test"),
    ],
)
def test_the_host_of_an_address(address: str, expected: str) -> None:
    """The host name is what stands before port, path, query and fragment."""
    assert host(address) == expected


# --- the command ---


def test_the_command_says_what_and_where(tmp_path: Path) -> None:
    """Good lists give exit 0 and a line each; bad ones exit 1, with line, path, requirement and both sides of the difference."""
    paths = write(tmp_path, GOOD["1.0"], "1.0")
    good = lists_command(*paths.values())
    assert good.exit_code == 0
    assert f"{paths['zal.xml']}: Zorgaanbiederslijst, generation 1.0, number 12, 2 records: valid\n" in good.output
    _, path = bad("name with a digit", tmp_path)
    result = lists_command(path)
    assert result.exit_code == 1
    assert (
        ": not valid, 1 error\n  line 35: Zorgaanbiederslijst/Zorgaanbieders/Zorgaanbieder[2]/Zorgaanbiedernaam\n" in result.output
    )
    assert "    error against NAAM.7, P&I.13, APP.19, P&I.11\n    expected: only the 26 letters a to z\n" in result.output


def test_the_command_speaks_json(tmp_path: Path) -> None:
    """With --json there is one document with every problem, its parts apart."""
    _, path = bad("letter apart", tmp_path)
    result = lists_command("--json", path)
    assert result.exit_code == 0
    told = json.loads(result.output)
    (file,) = told["files"]
    assert (told["valid"], file["valid"], file["list"], file["generation"], file["serial"]) == (
        True,
        True,
        "Zorgaanbiederslijst",
        "1.0",
        12,
    )
    (problem,) = file["problems"]
    assert (problem["outcome"], problem["requirements"]) == ("warning", ["NAAM.2"])


def test_what_cannot_be_read_is_exit_2(tmp_path: Path) -> None:
    """A file that is not there, a folder and a pipe are said to be unreadable; the other files are judged all the same."""
    paths = write(tmp_path, GOOD["1.0"], "1.0")
    os.mkfifo(tmp_path / "pipe")
    result = lists_command(paths["zal.xml"], tmp_path / "absent.xml", tmp_path, tmp_path / "pipe")
    assert result.exit_code == 2
    assert "absent.xml: cannot be read: No such file or directory" in result.output
    assert result.output.count("cannot be read: not a file") == 2
    assert "records: valid" in result.output


def test_an_unknown_generation_is_exit_2(tmp_path: Path) -> None:
    """A generation that does not exist is told with those that do."""
    paths = write(tmp_path, GOOD["1.0"], "1.0")
    result = lists_command("--generation", "9", paths["zal.xml"])
    assert result.exit_code == 2
    assert "expected one of 1.0, 1.1, metamodel" in result.output


def test_too_large_a_file_is_not_read(tmp_path: Path) -> None:
    """A file over the limit is not opened at all; it takes no room on this disk."""
    path = tmp_path / "large.xml"
    with path.open("wb") as file:
        file.truncate(5 * 1024**3)
    result = lists_command(path)
    assert (result.exit_code, "cannot be read: 5368709120 bytes; expected at most" in result.output) == (2, True)


def test_a_list_of_zero_bytes_without_end_is_refused_at_its_head(tmp_path: Path) -> None:
    """A long file that is no XML is refused before it is read through."""
    path = tmp_path / "zeros.xml"
    with path.open("wb") as file:
        file.truncate(1024**3)
    started = time.process_time()
    (report,) = judge_files([path])
    assert not report.valid
    assert "not well-formed" in report.problems[0].observed
    assert time.process_time() - started < 20


@given(
    st.lists(st.text("abcdefgh", min_size=3, max_size=12), min_size=1, max_size=5, unique=True), st.sampled_from(["1", "3", "5"])
)
@settings(max_examples=30, deadline=None)
def test_whole_and_streamed_agree(tmp_path_factory: pytest.TempPathFactory, names: list[str], code: str) -> None:
    """Whatever the names, both ways to read a file tell the same rules at the same records."""
    path = tmp_path_factory.mktemp("agree") / "zal.xml"
    path.write_bytes(serialise(Zal(MOMENT, 1, tuple(Provider(f"{name}@medmij", (service(code),)) for name in names)), "1.0"))
    (whole,), (streamed,) = judge_files([path]), judge_files([path], max_bytes=10)
    assert [(each.observed, each.requirements) for each in whole.problems] == [
        (each.observed, each.requirements) for each in streamed.problems
    ]
