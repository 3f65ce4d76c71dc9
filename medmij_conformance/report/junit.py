"""junit.xml: one test case per scenario, as GitLab, GitHub and Jenkins read it."""

from collections.abc import Iterable, Iterator

from lxml import etree

from medmij_conformance.report.run import Extra, Run, Scenario, Verdict
from medmij_conformance.report.text import LABELS, excerpt, repeat_command, visible
from medmij_conformance.verdict import Outcome

NAME = "junit.xml"

_MESSAGE_LENGTH = 500
_DETAIL_LENGTH = 20_000
_SKIPPED = {Outcome.NOT_TESTED, Outcome.REVIEW, Outcome.NOT_APPLICABLE}
_ELEMENTS = {Outcome.FAIL: "failure", Outcome.ERROR: "error", **dict.fromkeys(_SKIPPED, "skipped")}


def render(run: Run) -> bytes:
    """The run as the file junit.xml."""
    suites = etree.Element("testsuites")
    suite = _element(suites, "testsuite", name=f"medmij-conformance {run.role} {run.plan}", timestamp=run.started)
    _properties(suite, _run_properties(run))
    for scenario in run.scenarios:
        _test_case(suite, run, scenario)
    if run.trouble:
        # Without it a run that died halfway would look green but for skipped cases.
        case = _element(suite, "testcase", classname="medmij-conformance", name="[run] the harness finishes", time="0.000")
        _element(case, "error", message=run.trouble, type="harness")
    _count(suite, sum(scenario.duration_s for scenario in run.scenarios))
    if run.extra:
        _own_suite(suites, run, run.extra)
    _count(suites, sum(float(element.get("time", 0)) for element in suites))
    xml: bytes = etree.tostring(suites, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return xml


def _own_suite(suites: etree._Element, run: Run, extra: Extra) -> None:
    """A suite beside the official one, so that the counts of that are its own."""
    suite = _element(suites, "testsuite", name="own scenarios, not part of the verdict", timestamp=run.started)
    _properties(suite, [("headline", extra.headline), ("folder", extra.folder), ("digest", extra.digest)])
    for scenario in extra.scenarios:
        _test_case(suite, run, scenario, classname="own")
    if extra.trouble:
        case = _element(suite, "testcase", classname="own", name="[own] own scenarios finish", time="0.000")
        _element(case, "error", message=extra.trouble, type="own")
    _count(suite, sum(scenario.duration_s for scenario in extra.scenarios))


def _run_properties(run: Run) -> Iterator[tuple[str, str]]:
    yield "verdict", run.verdict
    yield "headline", run.headline
    yield "target", str(run.target.get("name", ""))
    yield "release", run.release
    yield "plan", run.plan
    yield "seed", str(run.seed)
    yield "tool", " ".join(run.tool.values())
    yield "command", run.command


def _test_case(suite: etree._Element, run: Run, scenario: Scenario, classname: str = "") -> None:
    case = _element(
        suite,
        "testcase",
        classname=classname or scenario.feature.removesuffix(".feature").replace("/", "."),
        name=f"[{scenario.id}] {scenario.name}",
        file=scenario.feature,
        time=f"{scenario.duration_s:.3f}",
    )
    _properties(case, _scenario_properties(scenario))
    if tag := _ELEMENTS.get(scenario.outcome):
        telling = [verdict for verdict in scenario.verdicts if verdict.outcome is scenario.outcome]
        element = _element(case, tag, message=_message(scenario, telling), type=_ids(telling) or scenario.outcome.value)
        element.text = visible(excerpt(_detail(run, telling), _DETAIL_LENGTH))


def _scenario_properties(scenario: Scenario) -> Iterator[tuple[str, str]]:
    yield "outcome", scenario.outcome.value
    for requirement in scenario.requirements:
        yield "requirement", requirement
    for verdict in scenario.verdicts:
        if verdict.outcome is Outcome.WARNING:
            yield "warning", f"{verdict.requirement}: expected {verdict.expected}; observed {verdict.observed}"


def _message(scenario: Scenario, telling: Iterable[Verdict]) -> str:
    seen = dict.fromkeys(f"{verdict.requirement}: {verdict.observed}" for verdict in telling)
    return "; ".join(seen) or scenario.reason or LABELS[scenario.outcome]


def _detail(run: Run, telling: Iterable[Verdict]) -> str:
    return "\n\n".join("\n".join(_verdict_lines(run, verdict)) for verdict in telling)


def _verdict_lines(run: Run, verdict: Verdict) -> Iterator[str]:
    yield f"{LABELS[verdict.outcome]}: {verdict.requirement} ({verdict.check}): {verdict.claim}"
    yield f"expected: {verdict.expected}"
    yield f"observed: {verdict.observed}"
    yield from (f"hint: {finding.hint}" for finding in verdict.findings if finding.hint)
    if verdict.readings:
        yield f"reading: {', '.join(verdict.readings)}"
    if verdict.exchanges:
        yield f"messages: {', '.join(map(str, verdict.exchanges))} (see report.html)"
    if command := repeat_command(run, [verdict.requirement]):
        yield f"repeat: {command}"


def _ids(verdicts: Iterable[Verdict]) -> str:
    return " ".join(dict.fromkeys(verdict.requirement for verdict in verdicts))


def _properties(parent: etree._Element, pairs: Iterable[tuple[str, str]]) -> None:
    properties = _element(parent, "properties")
    for name, value in pairs:
        _element(properties, "property", name=name, value=value)


def _element(parent: etree._Element, tag: str, **attributes: str) -> etree._Element:
    # What XML cannot hold, such as ESC, is not printable either, so `visible` takes it out.
    shown = {name: visible(excerpt(value, _MESSAGE_LENGTH)) for name, value in attributes.items()}
    return etree.SubElement(parent, tag, shown)


def _count(element: etree._Element, seconds: float) -> None:
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(1 for _ in element.iter(tag))))
    element.set("time", f"{seconds:.3f}")
