"""What the integration tests share: the command line as a process, one running reference gateway, and one finished run of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medmij_conformance import workspace
from medmij_conformance.reference.process import RunningReference
from medmij_conformance.wire.control import call

Medmij = Callable[..., "subprocess.CompletedProcess[str]"]
COMMAND = Path(sys.executable).with_name("medmij-conformance")

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
