"""How a collection is started: by an address, or by a program of the vendor."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from medmij_conformance.evidence import Evidence
from medmij_conformance.wire.client import Client, Limits
from medmij_conformance.wire.starting import ByAddress, ByProgram, filled
from medmij_conformance.wire.user_agent import UserAgent


@dataclass(frozen=True)
class Offer:
    zorgaanbieder: str = "kliniek & zoon@medmij"
    gegevensdienst: str = "1"


@pytest.fixture
def browser() -> UserAgent:
    """A browser that may go nowhere: what it was told to open is seen in its visit."""
    client = Client(Evidence(), connect={}, limits=Limits(exchange_s=1))
    return UserAgent(client=client, actions=(), fields={}, redirect_uris=[], flow=7)


def program(folder: Path, text: str, *arguments: str, limit_s: float = 10) -> ByProgram:
    """A start by a Python program."""
    (folder / "start.py").write_text(text, encoding="utf-8")
    return ByProgram([sys.executable, "start.py", *arguments], folder, {"MEDMIJ_ZAL": "/lists/zal.xml"}, limit_s)


def test_placeholders_are_percent_encoded() -> None:
    """An address gets encoded values; the arguments of a program get them as they are."""
    assert filled("https://pgo.test/?z={zorgaanbieder}&g={gegevensdienst}", Offer()).endswith(
        "?z=kliniek%20%26%20zoon%40medmij&g=1"
    )
    assert filled("{zorgaanbieder}", Offer(), encoded=False) == "kliniek & zoon@medmij"


def test_an_address_is_opened(browser: UserAgent) -> None:
    """The browser is what starts, and what shows the end."""
    start = ByAddress("https://pgo.test/start?g={gegevensdienst}")
    visit = start.begin(browser, Offer())
    assert (visit.last.request.url, visit.last.endpoint, visit.last.flow) == ("https://pgo.test/start?g=1", "start", 7)
    assert start.end(browser) is None


def test_a_program_gets_what_is_chosen(browser: UserAgent, tmp_path: Path) -> None:
    """Choice and lists stand in its environment; what it says is the page; its exit code is kept."""
    text = "import os, sys\nfor n in ('ZORGAANBIEDER', 'GEGEVENSDIENST', 'ZAL'): print(os.environ['MEDMIJ_' + n])\n"
    visit = program(tmp_path, text + "print(sys.argv[1])\nsys.exit(3)\n", "{gegevensdienst}").begin(browser, Offer())
    response = visit.last.response
    assert response is not None
    assert response.text.split("\n") == ["kliniek & zoon@medmij", "1", "/lists/zal.xml", "1"]
    assert response.header("exit-code") == "3"
    assert visit.stopped == "page"


def test_an_address_of_a_program_is_opened_while_it_goes_on(browser: UserAgent, tmp_path: Path) -> None:
    """The browser goes where it says; its last words come later."""
    text = "import time\nprint('https://pgo.test/go', flush=True)\ntime.sleep(0.3)\nprint('Data collected')\n"
    start = program(tmp_path, text)
    assert start.begin(browser, Offer()).last.request.url == "https://pgo.test/go"
    end = start.end(browser)
    assert end is not None
    assert end.response is not None
    assert end.response.text == "Data collected"


def test_a_program_that_says_addresses_alone_leaves_the_page_to_the_browser(browser: UserAgent, tmp_path: Path) -> None:
    """Its output is no page then."""
    start = program(tmp_path, "print('https://pgo.test/go')\n")
    start.begin(browser, Offer())
    assert start.end(browser) is None


def test_a_program_that_exits_at_once_says_nothing(browser: UserAgent, tmp_path: Path) -> None:
    """An empty page, on which nothing can be found."""
    visit = program(tmp_path, "").begin(browser, Offer())
    assert visit.last.response is not None
    assert visit.last.response.text == ""


def test_a_program_that_never_ends_is_ended(browser: UserAgent, tmp_path: Path) -> None:
    """Its time is limited, and it is gone afterwards."""
    start = program(tmp_path, "import time\nprint('https://pgo.test/go', flush=True)\ntime.sleep(600)\n", limit_s=1)
    start.begin(browser, Offer())
    end = start.end(browser)
    assert end is not None
    assert end.trouble is not None
    assert "did not end in time" in end.trouble.detail


def test_a_program_that_is_not_there_is_told(browser: UserAgent, tmp_path: Path) -> None:
    """No traceback: the visit says what was wrong."""
    visit = ByProgram(["./nowhere"], tmp_path, {}, 1).begin(browser, Offer())
    assert visit.stopped == "trouble"
    assert visit.last.trouble is not None
    assert "could not be started" in visit.last.trouble.detail
