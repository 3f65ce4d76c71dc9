"""The four ways to start a collection at a PGO gateway, each shown against the reference, and what goes wrong in them."""

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance import workspace
from medmij_conformance.evidence import Evidence, Request
from medmij_conformance.reference.process import RunningReference
from medmij_conformance.target import Target
from medmij_conformance.wire.client import Client, Limits
from medmij_conformance.wire.control import call
from medmij_conformance.wire.user_agent import UserAgent, Visit

ONLY = ("--only", "UCI-V.exc.3p", "--only", "UCI-V.step.11b")
START = re.compile(r"service (\S+) of (\S+),")
Write = Callable[[str, str], Path]


class Pgo:
    """A reference PGO in a process of its own, and target files that start collections at it in other ways."""

    def __init__(self, target: Target, running: RunningReference) -> None:
        self.target = target
        self.running = running

    def file(self, start: str, *, outcome: str = "", limits: str = "") -> Path:
        """A target file with another table [start], and more of [outcome] and [limits]."""
        text = self.target.path.read_text(encoding="utf-8")
        text = re.sub(r"(?s)\[start\]\n.*?\n\n", lambda _: f"[start]\n{start}\n\n", text, count=1)
        text = text.replace('failed = "css:.failed"', f'failed = "css:.failed"\n{outcome}')
        file = self.target.path.with_name("started.toml")
        file.write_text(f"{text}\n[limits]\n{limits}\n", encoding="utf-8")
        return file

    def deviate(self, *names: str) -> None:
        """From now on exactly these rules are broken."""
        call(f"{self.running.ports['control']}/deviate", {"names": list(names)})

    def browser(self) -> UserAgent:
        """A browser of somebody who has nothing to do with the harness."""
        target = self.target
        assert target.harness.listen
        places = {f"{offer.authorization_endpoint.split('/')[2]}": target.harness.listen for offer in target.offers}
        client = Client(Evidence(), connect={**target.connect, **places}, trust_front=target.trust.ca, limits=Limits(exchange_s=20))
        return UserAgent(client=client, actions=(), fields={}, redirect_uris=[])


@pytest.fixture(scope="module")
def pgo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pgo]:
    """One PGO for the module. A test that makes it deviate makes it conformant again."""
    target, running = workspace.reference_dvp(tmp_path_factory.mktemp("starts"))
    yield Pgo(target, running)
    running.stop()


def start_page(service: str, provider: str) -> Request:
    """What a person opens to begin collecting."""
    url = f"https://{workspace.REFERENCE_PGO}/start?zorgaanbieder={provider}&gegevensdienst={service}"
    return Request(method="GET", url=url)


def verdicts(directory: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Scenario and check -> outcome and what was seen."""
    results: dict[str, Any] = json.loads((directory / "results.json").read_text(encoding="utf-8"))
    rows = [(scenario["id"], row) for scenario in results["scenarios"] for row in scenario["verdicts"]]
    return {(name, row["check"]): (row["outcome"], f"{row['observed']} {row.get('reason', '')}") for name, row in rows}


def outcomes(directory: Path) -> dict[tuple[str, str], str]:
    """Scenario and check -> outcome."""
    return {place: outcome for place, (outcome, _) in verdicts(directory).items()}


BROWSED = ("pgo_cookies_hold_no_credential", "browser_never_sees_the_token", "code_leaves_the_address_bar")
TOLD = ("told-exception[3]", "exception_3_ends_the_collection")
STATE = ("another-browser", "code_without_own_state_is_not_redeemed")
COLLECTED = ("collect", "data_is_collected")


class Kim:
    """An operator: does at a browser of his own what the terminal says, and types what he sees."""

    def __init__(self, desk: Any, pgo: Pgo) -> None:
        self._desk = desk
        self._pgo = pgo
        self.begun: list[str] = []

    def work(self, times: int) -> None:
        """So many collections, each from its start to its outcome."""
        for _ in range(times):
            self._desk.until("--- operator: start")
            asked = " ".join(self._desk.until("waiting for it").split())
            chosen = START.search(asked)
            assert chosen, asked
            self.begun.append(chosen.group(1))
            visit = self._pgo.browser().open(start_page(*chosen.groups()), label="Kim starts at the PGO")
            self._desk.until("--- operator: outcome")
            self._tell(visit)

    def _tell(self, visit: Visit) -> None:
        self._desk.until("s = none of these")
        number = 1 if visit.page.matches(".collected") else 2 if visit.page.matches(".failed") else 0
        self._desk.type(f"{number or 's'}\n")
        if number:
            self._desk.until("Copy the sentence")
            self._desk.type(f"{visit.page.text[:80]}\n")


def test_an_operator_starts_collections_by_hand(pgo: Pgo, sit: Any, tmp_path: Path) -> None:
    """The terminal says what to do, goes on when the request arrives and asks what came of it; what he tells is attested."""
    desk = sit(pgo.file('mode = "operator"', limits="operator_s = 60"), "--report-dir", tmp_path, "--only", "UCI-V.exc.3p")
    kim = Kim(desk, pgo)
    kim.work(3)
    assert desk.end() == 0, desk.screen
    seen = outcomes(tmp_path)
    assert len(kim.begun) == 3
    assert seen[TOLD] == "attested"
    assert seen[COLLECTED] == "attested"
    assert {outcome for (_, check), outcome in seen.items() if check.startswith("token_request")} == {"pass"}
    assert {seen["collect", check] for check in BROWSED} == {"not_tested"}


def test_an_operator_who_walks_away_leaves_it_not_tested(pgo: Pgo, sit: Any, tmp_path: Path) -> None:
    """Nothing is judged, and the report says what was waited for."""
    desk = sit(pgo.file('mode = "operator"', limits="operator_s = 1"), "--report-dir", tmp_path, "--only", "UCI-V.exc.3p")
    assert desk.end() == 3, desk.screen
    seen = verdicts(tmp_path)
    assert {outcome for outcome, _ in seen.values()} == {"not_tested"}
    assert "waiting for the operator to begin collecting service 1 of proefkliniek@medmij: nothing came within 1 s" in str(
        seen[TOLD]
    )


def test_without_a_terminal_no_operator_is_waited_for(pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """An unattended run of a PGO that only a person can start shows nothing, and says why."""
    done = medmij("run", pgo.file('mode = "operator"'), "--report-dir", tmp_path, *ONLY)
    assert done.returncode == 3, done.stderr
    seen = verdicts(tmp_path)
    assert {outcome for outcome, _ in seen.values()} == {"not_tested"}
    assert "start mode operator needs an operator at the terminal, and the run is unattended" in str(seen[TOLD])


URL = f'url = "https://{workspace.REFERENCE_PGO}/start?zorgaanbieder={{zorgaanbieder}}&gegevensdienst={{gegevensdienst}}"'


def test_a_headless_browser_starts_collections(needs_chromium: None, pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """Chromium comes to the same verdicts as the browser that is built in, in every scenario."""
    done = medmij("run", pgo.file(f'mode = "browser"\n{URL}'), "--report-dir", tmp_path / "browser", *ONLY, timeout=300)
    assert done.returncode == 0, done.stderr
    html = medmij("run", pgo.file(f'mode = "http"\n{URL}'), "--report-dir", tmp_path / "http", *ONLY)
    assert html.returncode == 0, html.stderr
    assert outcomes(tmp_path / "browser") == outcomes(tmp_path / "http")
    assert len(outcomes(tmp_path / "http")) > 20
    assert '"shown"' in (tmp_path / "browser" / "evidence.jsonl").read_text(encoding="utf-8")


def program(text: str) -> str:
    """A table [start] with a program."""
    return f'mode = "command"\ncommand = {json.dumps([sys.executable, "-c", text])}'


def test_a_program_starts_collections_and_its_last_words_count_once(pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """Where it sends the browser is followed; what the browser shows after a second return is not what the program said."""
    said = "z, g = os.environ['MEDMIJ_ZORGAANBIEDER'], os.environ['MEDMIJ_GEGEVENSDIENST']\n"
    said += f"print(f'https://{workspace.REFERENCE_PGO}/start?zorgaanbieder={{z}}&gegevensdienst={{g}}')"
    done = medmij("run", pgo.file(program(f"import os\n{said}")), "--report-dir", tmp_path, *ONLY)
    assert done.returncode == 0, done.stderr
    seen = outcomes(tmp_path)
    assert (seen[TOLD], seen[STATE], seen[COLLECTED]) == ("pass", "pass", "pass")


# A program of a vendor that drives a browser of its own, to which MEDMIJ_URL says where to begin.
DRIVER = """
import http.client, os, ssl, sys
from urllib.parse import urlsplit
places = {places}
url, cookies = os.environ["MEDMIJ_URL"], {{}}
while url:
    parts = urlsplit(url)
    plain = http.client.HTTPSConnection("127.0.0.1", places[parts.netloc], context=ssl._create_unverified_context())
    headers = {{"Host": parts.netloc, "Cookie": cookies.get(parts.netloc, "")}}
    plain.request("GET", f"{{parts.path}}?{{parts.query}}", headers=headers)
    answer = plain.getresponse()
    cookies[parts.netloc] = (answer.getheader("Set-Cookie") or cookies.get(parts.netloc, "")).partition(";")[0]
    where, page = answer.getheader("Location"), answer.read().decode()
    url = where and (where if where.startswith("https") else f"https://{{parts.netloc}}{{where}}")
sys.exit(0 if "collected" in page and "Not collected" not in page else 5)
"""


def test_a_program_with_a_browser_of_its_own_says_by_its_exit_code_what_came_of_it(pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """What the wire shows is judged; what only the browser sees is not tested, and never passed."""
    target = pgo.target
    assert target.harness.listen
    places = {workspace.REFERENCE_PGO: int(target.connect[f"{workspace.REFERENCE_PGO}:443"].rpartition(":")[2])}
    places |= {offer.authorization_endpoint.split("/")[2]: int(target.harness.listen.rpartition(":")[2]) for offer in target.offers}
    file = pgo.file(f"{program(DRIVER.format(places=places))}\n{URL}")
    text = file.read_text(encoding="utf-8").replace("css:.collected", "exit:0").replace("css:.failed", "exit:5")
    file.write_text(text, encoding="utf-8")
    medmij("run", file, "--report-dir", tmp_path, "--only", "UCI-V.exc.3p")
    seen = outcomes(tmp_path)
    assert (seen[COLLECTED], seen[TOLD]) == ("pass", "pass")
    assert {seen["collect", check] for check in BROWSED} == {"not_tested"}


def test_what_is_collected_later_is_waited_for(pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """A PGO that collects while the person reads a page that says so is looked at until the outcome is there."""
    pgo.deviate("collects-later")
    try:
        file = pgo.file(f'mode = "http"\n{URL}', outcome="wait_s = 20")
        done = medmij("run", file, "--report-dir", tmp_path, *ONLY, "--only", "UCI-V.exc.7p")
    finally:
        pgo.deviate()
    assert done.returncode == 0, done.stderr
    assert (outcomes(tmp_path)[COLLECTED], outcomes(tmp_path)[TOLD]) == ("pass", "pass")


def test_what_is_collected_later_and_not_waited_for_is_not_tested(pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """Without time to look, a page that says nothing yet is neither good nor bad."""
    pgo.deviate("collects-later")
    try:
        done = medmij("run", pgo.file(f'mode = "http"\n{URL}'), "--report-dir", tmp_path, "--only", "UCI-V.exc.3p")
    finally:
        pgo.deviate()
    assert done.returncode == 3, done.stderr
    assert outcomes(tmp_path)[TOLD] == "not_tested"


# --------------------------------------------------------------------------------------------------------------- bad input


def test_a_pgo_that_never_comes_is_not_waited_for_long(pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """A page that leads nowhere ends each scenario with a reason."""
    done = medmij("run", pgo.file(f'mode = "http"\nurl = "https://{workspace.REFERENCE_PGO}/"'), "--report-dir", tmp_path, *ONLY)
    assert done.returncode == 3, done.stderr
    seen = verdicts(tmp_path)
    assert {outcome for outcome, _ in seen.values()} == {"not_tested"}
    assert "no authorization request came: the browser halted at page 'Collect'" in str(seen[TOLD])


class Stranger:
    """Somebody who talks to our listeners all the time, in whatever way."""

    def __init__(self, address: str, talk: Callable[[tuple[str, int]], None]) -> None:
        host, _, port = address.rpartition(":")
        self._place = (host, int(port))
        self._talk = talk
        self._over = threading.Event()
        self.times = 0
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> "Stranger":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._over.wait(0.05):
            try:
                self._talk(self._place)
                self.times += 1
            except OSError:  # nobody listens yet, or any more
                time.sleep(0.1)


def _garbage(place: tuple[str, int]) -> None:
    with socket.create_connection(place, timeout=5) as plain:
        plain.sendall(b"\x00\xff SSH-2.0 HELO GET / \r\n\r\n")


def test_what_is_no_http_harms_no_scenario(pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """Garbage at both listeners, all the time, changes no verdict."""
    harness = pgo.target.harness
    assert harness.listen
    assert harness.listen_back
    with Stranger(harness.listen, _garbage) as front, Stranger(harness.listen_back, _garbage) as back:
        done = medmij("run", pgo.file(f'mode = "http"\n{URL}'), "--report-dir", tmp_path, *ONLY)
    assert done.returncode == 0, done.stderr
    assert min(front.times, back.times) > 3


def test_another_collection_with_its_own_state_harms_no_scenario(pgo: Pgo, medmij: Any, tmp_path: Path) -> None:
    """Requests with states that no scenario made, over and over, are told apart from those of the scenarios."""
    harness, offer = pgo.target.harness, pgo.target.offers[0]
    assert harness.listen
    browser = pgo.browser()
    query = "response_type=code&client_id=x&redirect_uri=https%3A%2F%2Fx.test%2Fcb&scope=1&state=a-state-of-somebody-else"

    def come_in_between(_: tuple[str, int]) -> None:
        with socket.create_connection(_, timeout=5):
            pass
        browser.open(Request(method="GET", url=f"{offer.authorization_endpoint}?{query}"), label="a stranger comes")

    with Stranger(harness.listen, come_in_between) as stranger:
        done = medmij("run", pgo.file(f'mode = "http"\n{URL}'), "--report-dir", tmp_path, *ONLY)
    assert stranger.times > 3
    assert done.returncode == 0, done.stderr
