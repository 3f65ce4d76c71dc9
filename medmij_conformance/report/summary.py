"""summary.md: what a run found on one page, for a merge request, a job summary or a mail.

Everything of the target is text here and nothing else: Markdown and HTML of its making are escaped.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from medmij_conformance.report.baseline import assess
from medmij_conformance.report.run import RequirementResult, Run, Scenario
from medmij_conformance.report.text import LABELS, excerpt, reasons, repeat_command, visible
from medmij_conformance.requirements import release
from medmij_conformance.verdict import Outcome

NAME = "summary.md"

_CELL_LENGTH = 300
_ROWS = 100
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$^:@-])")
_TOLD = (Outcome.FAIL, Outcome.ERROR, Outcome.REVIEW, Outcome.WARNING)


def render(run: Run) -> bytes:
    """The run as the file summary.md."""
    return "\n".join([*_head(run), *_findings(run), *_open(run), *_own(run)]).encode(errors="backslashreplace")


def inert(text: str) -> str:
    """``text`` as one line of Markdown that shows it and does nothing else: no markup, no link, no mention, no line of its own."""
    shown = " ".join(visible(excerpt(text, _CELL_LENGTH)).split())
    html = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", html)


def _head(run: Run) -> Iterator[str]:
    yield f"# {inert(str(run.target.get('name', '')))}: {run.verdict}"
    yield ""
    yield f"{inert(run.headline)}."
    yield ""
    yield f"Role {run.role}, MedMij release {inert(run.release)}, {run.plan} plan, begun {inert(run.started)}, seed {run.seed}."
    if assessment := assess(run):
        yield inert(f"{assessment.headline}; {'; '.join(assessment.problems) or 'nothing in it is out of date'}.")
    if not run.complete:
        yield "Not everything that the plan promises was shown."
    if note := release(run.release).note:
        yield inert(note)
    if command := repeat_command(run):
        yield f"Repeat: {inert(command)}"
    yield ""
    yield "| outcome | requirements |"
    yield "|---|---|"
    yield from (f"| {LABELS[Outcome(name)]} | {count} |" for name, count in run.counts().items() if count)
    yield ""


def _findings(run: Run) -> Iterator[str]:
    for outcome in _TOLD:
        results = [result for result in run.requirements if result.outcome is outcome]
        if not results:
            continue
        yield f"## {LABELS[outcome]}"
        yield ""
        yield "| requirement | scenario | expected | observed |"
        yield "|---|---|---|---|"
        yield from _cut([row for result in results for row in _rows(result, outcome)])
        yield ""


def _rows(result: RequirementResult, outcome: Outcome) -> Iterator[str]:
    for verdict in result.verdicts:
        if verdict.outcome is outcome:
            cells = (result.requirement.id, verdict.scenario, verdict.expected, verdict.observed)
            yield f"| {' | '.join(map(inert, cells))} |"


def _open(run: Run) -> Iterator[str]:
    """What the plan promised and nobody saw, by reason."""
    results = [r for r in run.requirements if r.outcome is Outcome.NOT_TESTED and (r.planned or r.promised)]
    if not results:
        return
    yield "## Not tested, though the plan promises it"
    yield ""
    yield "| why | requirements |"
    yield "|---|---|"
    told = sorted(("; ".join(reasons(result)), result.requirement.id) for result in results)
    rows = [f"| {inert(why)} | {', '.join(inert(name) for _, name in group)} |" for why, group in groupby(told, lambda t: t[0])]
    yield from _cut(rows)
    yield ""


def _own(run: Run) -> Iterator[str]:
    """The vendor's own scenarios."""
    if run.extra is None:
        return
    yield "## Own scenarios: not part of the verdict"
    yield ""
    yield f"{inert(run.extra.headline)}."
    yield ""
    if run.extra.scenarios:
        yield "| scenario | outcome | what was seen |"
        yield "|---|---|---|"
        yield from _cut([_own_row(scenario) for scenario in run.extra.scenarios])
        yield ""


def _own_row(scenario: Scenario) -> str:
    seen = [verdict.observed for verdict in scenario.verdicts if verdict.outcome is scenario.outcome]
    cells = (scenario.name, LABELS[scenario.outcome], scenario.reason or "; ".join(dict.fromkeys(seen)))
    return f"| {' | '.join(map(inert, cells))} |"


def _cut(rows: Iterable[str]) -> Iterator[str]:
    every = list(rows)
    yield from every[:_ROWS]
    if len(every) > _ROWS:
        yield f"| and {len(every) - _ROWS} more | | | |"
