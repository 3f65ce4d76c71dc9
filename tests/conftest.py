"""What the integration tests share: the command line as a process, one running reference gateway, and one finished run of it."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from medmij_conformance import workspace
from medmij_conformance.reference.process import RunningReference
from medmij_conformance.wire.browser import BrowserError, executable
from medmij_conformance.wire.control import call

# How long one example takes depends on what else the machine does; what has to be fast says so itself.
settings.register_profile("medmij", deadline=None)
settings.load_profile("medmij")

Medmij = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = Path(sys.executable).with_name("medmij-conformance")
# Makes the pseudo-terminal on standard input the controlling one, so that Ctrl-C on it becomes an interrupt.
LAUNCH = "import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])"

# The reference, and beside it every answer that it gave, as it was before anybody could redact it.
LOUD_REFERENCE = """
import json, sys
from pathlib import Path
from medmij_conformance.reference.dvza import Dvza
from medmij_conformance.reference.process import serve

said = open(sys.argv[2], "a", encoding="utf-8", buffering=1)

def loud(channel):
    def answer(self, request, peer):
        response = channel(self, request, peer)
        said.write(json.dumps([list(response.headers), response.body.decode("latin-1")]) + "\\n")
        return response
    return answer

Dvza.front, Dvza.back = loud(Dvza.front), loud(Dvza.back)
print(json.dumps(serve(Path(sys.argv[1]))), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def medmij() -> Medmij:
    """Runs ``medmij-conformance`` as a user does, and gives the finished process."""

    def run(*arguments: object, cwd: Path | None = None, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        command = [str(COMMAND), *map(str, arguments)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout, check=False)

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: "pytest.CallInfo[None]") -> Iterator[Any]:
    """With ``MEDMIJ_NO_SKIPS`` set, as continuous integration does, a test that is skipped has failed."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("MEDMIJ_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"skipped, where every test has to run: {report.longreprtext}"
    return report


@pytest.fixture(scope="session")
def needs_chromium() -> None:
    """Skips tests on a machine without Chromium or without Playwright."""
    try:
        executable()
    except BrowserError as error:
        pytest.skip(str(error))
    pytest.importorskip("playwright", reason="Playwright is not installed")


@dataclass(frozen=True, slots=True)
class Reference:
    """A running reference gateway: its target file, its control interface, its folder, and where its raw answers stand."""

    target: Path
    control: str
    folder: Path
    said: Path

    def deviate(self, *names: str) -> None:
        """From now on exactly these rules are broken; without names it is conformant again."""
        call(f"{self.control}/deviate", {"names": list(names)})

    def answers(self) -> list[tuple[list[tuple[str, str]], str]]:
        """Headers and body of every answer so far, raw."""
        with self.said.open(encoding="utf-8") as lines:
            return [(headers, body) for headers, body in map(json.loads, lines)]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reference]:
    """One reference gateway for the whole session. A test that makes it deviate makes it conformant again."""
    folder = tmp_path_factory.mktemp("reference")
    said = folder / "said.jsonl"
    said.touch()

    def launch(settings: Path) -> RunningReference:
        process = subprocess.Popen(
            [sys.executable, "-c", LOUD_REFERENCE, str(settings), str(said)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        return RunningReference(process, json.loads(process.stdout.readline()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workspace, "launch", launch)
        target, running = workspace.reference_dvza(folder)
    with running.process:
        yield Reference(target.path, running.ports["control"], folder, said)
        running.stop()


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that came to its end: its process and its report."""

    process: "subprocess.CompletedProcess[str]"
    directory: Path

    @property
    def results(self) -> dict[str, Any]:
        """What results.json says."""
        return json.loads((self.directory / "results.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def finished(reference: Reference, medmij: Medmij, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The conformant reference, tested by the command line with seed 7. Nobody changes its directory."""
    directory = tmp_path_factory.mktemp("finished") / "report"
    return Finished(medmij("run", reference.target, "--seed", 7, "--report-dir", directory), directory)


class Terminal:
    """A run on a pseudo-terminal, and somebody who reads and types there."""

    def __init__(self, *arguments: object) -> None:
        self._master, slave = os.openpty()
        command = [sys.executable, "-c", LAUNCH, str(COMMAND), "run", *map(str, arguments)]
        streams = {"stdin": slave, "stdout": slave, "stderr": slave}
        self._process = subprocess.Popen(command, start_new_session=True, **streams)
        os.close(slave)
        self.screen = ""
        self._read = 0

    def until(self, text: str, limit_s: float = 90) -> str:
        """Read until ``text`` is shown after what was read before; gives what came up to there."""
        ends = time.monotonic() + limit_s
        while (found := self.screen.find(text, self._read)) < 0:
            assert time.monotonic() < ends, self.screen[-2000:]
            assert self._more(), f"the run ended without {text!r}:\n{self.screen[-2000:]}"
        before, self._read = self.screen[self._read : found], found + len(text)
        return before

    def type(self, text: str) -> None:
        """Type, as after a prompt: what comes before one is thrown away."""
        os.write(self._master, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._more():
            pass
        return self._process.wait(timeout=60)

    def close(self) -> None:
        """Hang up."""
        os.close(self._master)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _more(self) -> bool:
        if not select.select([self._master], [], [], 60)[0]:
            return False
        try:
            said = os.read(self._master, 65536)
        except OSError:  # nobody has the terminal open any more
            return False
        self.screen += said.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(said)


@pytest.fixture
def sit() -> Iterator[Callable[..., Terminal]]:
    """Starts a run on a terminal, and hangs up at the end."""
    terminals: list[Terminal] = []

    def start(*arguments: object) -> Terminal:
        terminals.append(Terminal(*arguments))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()
