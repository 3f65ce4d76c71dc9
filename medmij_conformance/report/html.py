"""report.html: one file for the reviewer, without script, in which nothing of the target can come alive.

Whatever the template prints passes ``_printable`` first and Jinja's escaping after it, so no place can forget either.
"""

import base64
import hashlib
import re
from codecs import getincrementaldecoder
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medmij_conformance.evidence import Exchange, Headers
from medmij_conformance.report.baseline import assess
from medmij_conformance.report.run import WORST_AND_NA, RequirementResult, Run, Scenario, Verdict
from medmij_conformance.report.text import LABELS, excerpt, reasons, repeat_command, visible
from medmij_conformance.requirements import catalogue, release
from medmij_conformance.verdict import Outcome

NAME = "report.html"

BODY_LIMIT = 20_000
"""Octets of a message body that are shown; all of it stands in the journal."""

_HEAD_LIMIT = 8_000
_VALUE_LIMIT = 2_000
_TITLE_LIMIT = 200
_OCTETS_SHOWN = 64
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")

VERDICTS: Mapping[str, tuple[Outcome, str]] = {
    "pass": (Outcome.PASS, "No deviation found"),
    "fail": (Outcome.FAIL, "Requirements not met"),
    "undecided": (Outcome.NOT_TESTED, "Undecided"),
    "error": (Outcome.ERROR, "Harness error"),
}
"""Verdict of a run -> the outcome whose sign it bears, and its words."""

SYMBOLS: Mapping[Outcome, str] = {
    Outcome.PASS: "✓",
    Outcome.ATTESTED: "◆",
    Outcome.WARNING: "▲",
    Outcome.NOT_APPLICABLE: "∅",
    Outcome.REVIEW: "?",
    Outcome.NOT_TESTED: "○",
    Outcome.FAIL: "✕",
    Outcome.ERROR: "!",
}

MEANINGS: Mapping[Outcome, str] = {
    Outcome.FAIL: "Seen in the messages: the target deviates from the requirement.",
    Outcome.ERROR: "The harness made a mistake; this says nothing about the target.",
    Outcome.NOT_TESTED: "Nothing was seen that could be judged; the reason is listed. Never counted as met.",
    Outcome.REVIEW: "The evidence was captured, but a person has to judge it.",
    Outcome.WARNING: "A recommendation was missed, or an ambiguous passage is read in another way.",
    Outcome.ATTESTED: "Shown by a document or under a movable clock, not by messages alone.",
    Outcome.PASS: "The right thing was seen to happen, and every check of it was done.",
    Outcome.NOT_APPLICABLE: "Excused in the target file, with a reason.",
}

ROLES: Mapping[str, str] = {
    "dvza": "DVZA (ZA Gateway)",
    "dvp": "DVP (PGO Gateway)",
    "registratie": "MedMij Registratie",
}

_WHO_WAS_TESTED = ("vendor", "product", "version", "commit", "environment", "xis", "xis_version")
_CLOSED = {Outcome.PASS, Outcome.ATTESTED, Outcome.NOT_APPLICABLE}
_FOUND = {Outcome.FAIL, Outcome.ERROR, Outcome.REVIEW, Outcome.WARNING}


def render(run: Run) -> bytes:
    """The run as the file report.html."""
    css = _css()
    told = [*run.scenarios, *(run.extra.scenarios if run.extra else ())]
    template = _environment().get_template(NAME)
    page = template.render(
        run=run,
        css=Markup(css),  # noqa: S704 our own style sheet
        css_digest=base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        verdict=VERDICTS[run.verdict],
        assessment=assess(run),
        note=release(run.release).note,
        target_facts=[(name.replace("_", " "), run.target[name]) for name in _WHO_WAS_TESTED if run.target.get(name)],
        duration=_duration(run),
        repeat=lambda requirements=(): repeat_command(run, requirements),
        counts=list(_counts(run)),
        planned=sum(result.planned for result in run.requirements),
        groups=_groups(run),
        elsewhere=_elsewhere(run),
        features=[(feature, list(rows)) for feature, rows in groupby(run.scenarios, key=lambda row: row.feature)],
        postures=run.postures,
        numbers={scenario.id: number for number, scenario in enumerate(told, start=1)},
        names={scenario.id: scenario.name for scenario in told},
        conversations=_conversations(run),
        readings=catalogue(release(run.release).catalogue).readings,
    )
    return page.encode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("medmij_conformance.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "LABELS": LABELS,
        "SYMBOLS": SYMBOLS,
        "MEANINGS": MEANINGS,
        "ROLES": ROLES,
        "CLOSED": _CLOSED,
        "FOUND": _FOUND,
        "Outcome": Outcome,
        "moment": _moment,
        "reasons": reasons,
        "compared": _compared,
        "scenarios_of": lambda result: list(dict.fromkeys(verdict.scenario for verdict in result.verdicts)),
        "checks_of": _checks,
        "failed_requirements": _failed_requirements,
        "request_text": _request_text,
        "response_text": _response_text,
        "exchange_facts": _exchange_facts,
    }
    environment.filters |= {
        "brief": lambda text: excerpt(text, _TITLE_LIMIT),
        "short": lambda text: excerpt(text, _VALUE_LIMIT),
    }
    return environment


def _css() -> str:
    loader = _environment().loader
    assert loader is not None
    return loader.get_source(_environment(), "report.css")[0]


def _printable(value: Any) -> Any:
    """What the template may print for a value: markup of our own as it is, text with nothing hidden in it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _moment(time: str) -> str:
    """A time of the journal for people: to the second, in UTC; as it stands there when it is no time."""
    try:
        return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return time or "unknown"


def _duration(run: Run) -> str:
    try:
        began, ended = (datetime.fromisoformat(time or "") for time in (run.started, run.finished))
    except ValueError:
        return "an unknown time"
    seconds = (ended - began).total_seconds()
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _counts(run: Run) -> Iterator[tuple[Outcome, int, int, int]]:
    """Outcome, and how many requirements have it: counted in the verdict, promised by the plan, of the role."""
    for outcome in WORST_AND_NA:
        own = [result for result in run.requirements if result.outcome is outcome]
        yield outcome, sum(r.planned for r in own), sum(r.promised for r in own), len(own)


def _groups(run: Run) -> list[tuple[Outcome, list[RequirementResult]]]:
    """The requirements that the plan promises or this run judged, by outcome, worst first."""
    groups = ((outcome, [r for r in run.requirements if r.outcome is outcome and _told(r)]) for outcome in WORST_AND_NA)
    return [(outcome, results) for outcome, results in groups if results]


def _elsewhere(run: Run) -> list[tuple[str, list[RequirementResult]]]:
    """The requirements outside the plan and the run, by the reason why; the most frequent reason first."""
    found: dict[str, list[RequirementResult]] = defaultdict(list)
    for result in run.requirements:
        if not _told(result):
            found["; ".join(reasons(result))].append(result)
    return sorted(found.items(), key=lambda item: -len(item[1]))


def _told(result: RequirementResult) -> bool:
    return result.promised or result.planned or result.outcome is not Outcome.NOT_TESTED


def _conversations(run: Run) -> list[tuple[Scenario | None, list[Exchange]]]:
    """The messages of each scenario, and those that belong to none."""
    own = [(scenario, [run.exchanges[number] for number in scenario.exchanges]) for scenario in run.scenarios]
    told = {number for scenario in run.scenarios for number in scenario.exchanges}
    rest = [exchange for number, exchange in run.exchanges.items() if number not in told]
    extra = (
        [(each, [run.extra.exchanges[number] for number in each.exchanges]) for each in run.extra.scenarios] if run.extra else []
    )
    return [(scenario, exchanges) for scenario, exchanges in [*own, (None, rest), *extra] if exchanges]


def _checks(result: RequirementResult) -> list[tuple[str, Outcome]]:
    """The checks of a requirement, each with the worst that it found."""
    order = {outcome: rank for rank, outcome in enumerate(WORST_AND_NA)}
    found: dict[str, Outcome] = {}
    for verdict in result.verdicts:
        found[verdict.check] = min(found.get(verdict.check, verdict.outcome), verdict.outcome, key=order.__getitem__)
    return list(found.items())


def _failed_requirements(scenario: Scenario) -> list[str]:
    return list(dict.fromkeys(v.requirement for v in scenario.verdicts if v.outcome in {Outcome.FAIL, Outcome.ERROR}))


def _compared(verdict: Verdict) -> list[dict[str, str]]:
    """What was expected against what was seen, one row per finding; one row in all when there is none."""
    if not verdict.findings:
        return [{"expected": verdict.expected, "observed": verdict.observed, "hint": "", "reading": ""}]
    return [{"expected": f.expected, "observed": f.observed, "hint": f.hint, "reading": f.reading} for f in verdict.findings]


def _request_text(exchange: Exchange) -> str:
    request = exchange.request
    return _message_text(f"{request.method} {request.url}", request.headers, request.body)


def _response_text(exchange: Exchange) -> str:
    response = exchange.response
    if response is None:
        return ""
    status = f"{response.status} {response.reason}".rstrip() if response.status else "(no HTTP)"
    return _message_text(status, response.headers, response.body)


def _message_text(first: str, headers: Headers, body: bytes) -> str:
    head = [first, *(f"{name}: {value}" for name, value in headers)]
    shown = excerpt("\n".join(visible(line, lines=False) for line in head), _HEAD_LIMIT)
    return f"{shown}\n\n{_body_text(body)}" if body else shown


def _body_text(body: bytes) -> str:
    start = body[:BODY_LIMIT]
    text = _utf8(start)
    if "\N{REPLACEMENT CHARACTER}" in text and _CONTROL.search(start):
        return f"({len(body)} octets that are no text; they start with {body[:_OCTETS_SHOWN].hex(' ')})"
    shown = visible(text)[:BODY_LIMIT]  # once more, because what was made visible takes more room
    return f"{shown}\n\n(cut here; the whole body has {len(body)} octets)" if len(body) > BODY_LIMIT else shown


def _utf8(octets: bytes) -> str:
    # The incremental decoder leaves a character out that is cut in two, instead of calling it wrong.
    return getincrementaldecoder("utf-8")("replace").decode(octets)


def _exchange_facts(exchange: Exchange) -> Sequence[tuple[str, str]]:
    who = f"{exchange.identity}, with {exchange.address}" if exchange.address else exchange.identity
    facts = [("When", f"{_moment(exchange.at)}, for {exchange.finished - exchange.started:.3f} s"), ("Who", who)]
    if exchange.deviation:
        facts.append(("Wrong on purpose", exchange.deviation))
    facts += _tls_facts(exchange)
    if exchange.trouble:
        facts.append(("Trouble", f"{exchange.trouble.kind}: {exchange.trouble.detail}"))
    return facts


def _tls_facts(exchange: Exchange) -> Sequence[tuple[str, str]]:
    tls = exchange.tls
    if tls is None:
        return []
    asked = {True: "asked for", False: "not asked for", None: ""}[tls.certificate_requested]
    given = "presented" if tls.certificate_presented else "not presented"
    facts = [
        ("TLS", " · ".join(part for part in (tls.version, tls.cipher) if part)),
        ("Peer certificates", " ← ".join(f"SHA-256 {digest}" for digest in tls.peer_chain)),
        ("Client certificate", ", ".join(part for part in (asked, given) if part)),
        ("TLS alert", tls.alert or ""),
    ]
    return [(name, value) for name, value in facts if value]
