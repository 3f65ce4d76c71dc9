"""A journal written by hand: what the report formats are tested with."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance.evidence import Evidence, Exchange, Request, Response, Tls, Trouble
from medmij_conformance.report import JOURNAL, Run, build_run
from medmij_conformance.requirements import catalogue
from medmij_conformance.verdict import REGISTRY, CannotJudgeError, Check, Finding, Outcome, judge

SCENARIO = {
    "id": "redeem-1",
    "name": "A code is redeemed for a token",
    "title_nl": "Een code wordt ingewisseld voor een token",
    "feature": "features/dvza/token.feature",
    "requirements": ["APP.12b"],
    "checks": [],
    "steps": [
        {"keyword": "Given", "text": "Roos has given consent"},
        {"keyword": "When", "text": "the code is redeemed"},
    ],
}


def token_is_issued(exchange: Exchange) -> Iterator[Finding]:
    """A good token request is answered with a token."""
    if exchange.status != 200:
        yield Finding(expected="200", observed=f"{exchange.status}: {exchange.response and exchange.response.text}")


def code_works_once(exchange: Exchange) -> Iterator[Finding]:
    """A code that was offered before is refused."""
    body = exchange.response and exchange.response.text
    if exchange.status != 400:
        yield Finding(
            expected="400 with invalid_grant",
            observed=f"{exchange.status}: {body}",
            hint="the code is still stored after its first use",
            reading="AMB.60",
        )


def answer_is_quick(exchange: Exchange, limit_s: float) -> Iterator[Finding]:
    """An answer comes in time."""
    if exchange.finished - exchange.started > limit_s:
        yield Finding(expected=f"at most {limit_s} s", observed="more", outcome=Outcome.WARNING)


def list_is_read_again(exchange: Exchange) -> Iterator[Finding]:
    """The list is read again within fifteen minutes."""
    raise CannotJudgeError("the hook reload_lists is not configured")
    yield


def judge_trips(exchange: Exchange) -> Iterator[Finding]:
    """A judge with a mistake of ours."""
    raise RuntimeError("a mistake of ours")
    yield


CHECKS = (
    Check(id="token_is_issued", requirements=("APP.6",), function=token_is_issued, then="a", accepts="token"),
    Check(id="code_works_once", requirements=("APP.12b",), function=code_works_once, then="b", twin="token"),
    Check(id="answer_is_quick", requirements=("APP.10",), function=answer_is_quick, then="c"),
    Check(id="list_is_read_again", requirements=("APP.11a",), function=list_is_read_again, then="d"),
    Check(id="judge_trips", requirements=("APP.7",), function=judge_trips, then="e"),
)


@pytest.fixture(autouse=True)
def checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry holds the checks of this file, as if the caller had imported them."""
    for check in CHECKS:
        monkeypatch.setitem(REGISTRY, check.id, check)


class Journal:
    """Writes the records of a run, in memory or in ``directory``."""

    def __init__(
        self,
        directory: Path | None = None,
        scenarios: tuple[Mapping[str, Any], ...] = (SCENARIO,),
        planned: tuple[str, ...] = ("APP.12b", "APP.6"),
        target: Mapping[str, Any] | None = None,
    ) -> None:
        self.evidence = Evidence(directory / JOURNAL if directory else None)
        self.evidence.write(
            "run",
            tool={"name": "medmij-conformance", "version": "0.1.0"},
            target={"name": "Proefkliniek", "role": "dvza", "fingerprint": "0f" * 32, **(target or {})},
            role="dvza",
            release="1.0",
            plan="quick",
            seed=7,
            command="medmij-conformance run target.toml --plan quick",
            started="2026-01-05T10:00:00.000Z",
        )
        rows = {
            requirement.id: {
                "promised": requirement.id in planned,
                "planned": requirement.id in planned,
                "reason": "" if requirement.id in planned else "not in the quick plan",
            }
            for requirement in catalogue("1.0").of_role("dvza")
        }
        self.evidence.write("plan", scenarios=list(scenarios), requirements=rows)

    def start(self, scenario: str = "redeem-1") -> None:
        """A scenario begins."""
        self.evidence.scenario = scenario
        self.evidence.write("scenario-start")

    def step(self, text: str, outcome: str = "passed", detail: str = "", keyword: str = "Given") -> None:
        """A step was done."""
        self.evidence.write("step", keyword=keyword, text=text, outcome=outcome, detail=detail)

    def exchange(self, status: int = 200, body: bytes = b"{}", **changes: Any) -> Exchange:
        """A token request and its answer; the exchange as the journal holds it."""
        exchange = Exchange(
            **{
                "label": "token request",
                "endpoint": "token",
                "request": Request(
                    method="POST",
                    url="https://za.example.nl/oauth/token",
                    headers=(("Content-Type", "application/x-www-form-urlencoded"),),
                    body=b"grant_type=authorization_code",
                ),
                "response": Response(status=status, headers=(("Content-Type", "application/json"),), body=body),
                "tls": Tls(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", peer_chain=("ab" * 32,)),
                "at": "2026-01-05T10:00:01.000Z",
                "started": 1.0,
                "finished": 1.25,
                **changes,
            }
        )
        return self.evidence.stored(self.evidence.append(exchange))

    def judge(self, check: str, record_type: str = "judgement", **arguments: Any) -> None:
        """A check judges, and its judgement is recorded."""
        found = asdict(judge(REGISTRY[check], arguments))
        self.evidence.write(record_type, **found)

    def end_scenario(self, outcome: str = "pass", reason: str = "") -> None:
        """A scenario ends."""
        self.evidence.write("scenario-end", duration_s=0.5, reason=reason, outcome=outcome)
        self.evidence.scenario = ""

    def end(self, trouble: str = "") -> Run:
        """The run ends and the journal is closed; what it says."""
        self.evidence.write("run-end", finished="2026-01-05T10:00:09.000Z", trouble=trouble)
        self.evidence.close()
        return self.run()

    def run(self) -> Run:
        """What the journal says so far."""
        return build_run(self.evidence.records)


@pytest.fixture
def journal() -> Callable[..., Journal]:
    """Makes a journal; the opening records are written."""
    return Journal


@pytest.fixture
def scenario_row() -> Callable[..., dict[str, Any]]:
    """Makes a row of the plan: the ordinary scenario with these changes."""
    return lambda **changes: {**SCENARIO, **changes}


@pytest.fixture
def example() -> Callable[..., Journal]:
    """Makes a journal in which each outcome of a check occurs once; its last record is still to be written."""
    return _example


def _example(directory: Path | None = None, text: str = "plain") -> Journal:
    """``text`` stands wherever something of the target, or of anybody else, can stand."""
    ids = ("good", "twice", "slow", "waiting", "ours")
    rows = [{**SCENARIO, "id": name, "name": f"Scenario {name}"} for name in ids]
    rows[3]["checks"] = ["list_is_read_again"]
    planned = ("APP.6", "APP.12b", "APP.10", "APP.11a", "APP.7")
    excused = {"NET.4": f"excused {text}"}
    book = Journal(directory, tuple(rows), planned, {"name": text, "vendor": text, "not_applicable": excused})
    body = text.encode(errors="replace")

    book.start("good")
    book.step("Roos has given consent")
    book.step("the code is redeemed", keyword="When")
    book.judge("token_is_issued", exchange=book.exchange())
    book.end_scenario()

    book.start("twice")
    book.step("the code is redeemed again", outcome="stopped", detail=text)
    headers = (("Content-Type", "text/html"), ("Location", text), (text, "a name"))
    again = book.exchange(
        response=Response(status=200, reason=text, headers=headers, body=body),
        request=Request(method="POST", url=text, headers=headers, body=body),
        deviation=text,
        label=text,
        identity="mallory",
        address=text,
        tls=Tls(version=text, cipher=text, peer_chain=(text,), alert=text),
    )
    book.judge("code_works_once", exchange=again)
    book.end_scenario("fail")

    book.start("slow")
    book.judge("answer_is_quick", exchange=book.exchange(), limit_s=0.1)
    book.judge(
        "token_is_issued",
        "precondition",
        exchange=book.exchange(response=None, trouble=Trouble(kind="tls", detail=text)),
    )
    book.end_scenario("warning")

    book.start("waiting")
    book.judge("list_is_read_again", exchange=book.exchange())
    book.end_scenario("not_tested", reason=text)

    book.start("ours")
    book.judge("judge_trips", exchange=book.exchange())
    book.end_scenario("error")
    return book
