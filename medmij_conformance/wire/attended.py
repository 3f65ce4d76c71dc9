"""The operator at the terminal: does by hand what a hook asks for, and answers questions. Nothing waits for him for ever."""

import contextlib
import json
import math
import os
import select
import sys
import textwrap
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from medmij_conformance import data_path
from medmij_conformance.wire.hooks import OperatorError

try:
    import termios
except ImportError:  # not a POSIX terminal: what was typed too early then counts
    termios = None  # type: ignore[assignment]

_REMINDERS_S = (60.0, 10.0)
_LARGEST_FILE = 5_000_000
_COUNTDOWN = "waiting for it: {} s left (s and Enter to leave it out) "
_LOOK_S = 0.2
_ABSENCES = 3  # times in a row; then nobody is waited for any more
_WORDS = {"y": "yes", "n": "no", "na": "not applicable", "s": "unknown"}
_WIDTH = 100


class Task(NamedTuple):
    """What the operator is asked for a hook or a start, in English and Dutch, and what he gives back."""

    answer: Literal["done", "file", "question", "request", "choice"]
    en: str
    nl: str


@cache
def tasks() -> Mapping[str, Task]:
    """The task of every hook, by the hook's name, and those of start mode operator."""
    path = data_path("fixtures") / "operator" / "hooks.toml"
    return {name: Task(**row) for name, row in tomllib.loads(path.read_text(encoding="utf-8")).items()}


def _write(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


class Operator:
    """Asks the person at the terminal.

    ``limit_s`` bounds each task, all its answers together. ``waited`` is told the seconds that a task took. ``source`` is the file
    descriptor of the terminal and ``write`` shows text on it.
    """

    def __init__(
        self,
        *,
        limit_s: float,
        waited: Callable[[float], None] = lambda _: None,
        source: int = 0,
        write: Callable[[str], None] = _write,
    ) -> None:
        self._limit_s = limit_s
        self._waited = waited
        self._source = source
        self._write = write
        self._began = self._until = 0.0
        self._typed = b""
        self._name = ""
        self._absences = 0

    def carry_out(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Ask for a hook. Gives the answer of hooks that have one. Raises ``OperatorError`` when it is not done in time."""
        self._begin(name)
        task = tasks()[name]
        try:
            if task.answer == "question":
                return self._question(arguments)
            self._tell(_filled(task.en, arguments), _filled(task.nl, arguments))
            return self._file() if task.answer == "file" else self._done()
        finally:
            self._waited(time.monotonic() - self._began)

    def wait_for(self, name: str, arguments: Mapping[str, Any], came: Callable[[], bool]) -> None:
        """Ask for the task ``name`` and count down until it ``came`` about.

        Raises ``OperatorError`` when it does not in time, and at once when nobody came several times in a row.
        """
        if self._absences >= _ABSENCES:
            raise OperatorError(f"the operator did not come {_ABSENCES} times in a row")
        self._begin(name)
        task = tasks()[name]
        try:
            self._tell(_filled(task.en, arguments), _filled(task.nl, arguments))
            self._count_down(came)
            self._absences = 0
        finally:
            self._waited(time.monotonic() - self._began)

    def _count_down(self, came: Callable[[], bool]) -> None:
        """One line that says how many seconds are left; it ends by itself."""
        shown = -1
        while (left := self._until - time.monotonic()) > 0:
            if came():
                self._write("\n")
                return
            if (seconds := math.ceil(left)) != shown:
                shown = seconds
                self._write(f"\r{_COUNTDOWN.format(seconds)}")
            if select.select([self._source], [], [], _LOOK_S)[0] and self._read_line().lower() == "s":
                raise OperatorError("the operator left it out")
        self._write("\n")
        self._absences += 1
        raise OperatorError(f"nothing came within {self._limit_s:g} s")

    def choose(self, name: str, arguments: Mapping[str, Any], options: Sequence[str]) -> tuple[str, str]:
        """Ask for the task ``name``: which of the ``options``, and the words for it. Raises ``OperatorError`` when none is told."""
        self._begin(name)
        task = tasks()[name]
        listed = ", ".join(f"{number} = {option}" for number, option in enumerate(options, 1))
        try:
            self._tell(_filled(task.en, arguments), _filled(task.nl, arguments))
            while (word := self._line(f"{listed}, s = none of these: ").lower()) not in map(str, range(1, len(options) + 1)):
                if word == "s":
                    raise OperatorError("the operator saw none of the outcomes")
                self._write(f"Please answer with a number up to {len(options)}, or s.\n")
            return options[int(word) - 1], self._line("Copy the sentence that says so (Enter: none): ")
        finally:
            self._waited(time.monotonic() - self._began)

    def _begin(self, name: str) -> None:
        self._began = time.monotonic()
        self._until = self._began + self._limit_s
        self._forget_what_was_typed()
        self._write(f"\n--- operator: {name} ({self._limit_s:g} s) ---\n")

    def _done(self) -> None:
        if self._line("Enter when it is done, s to leave it out: ").lower() == "s":
            raise OperatorError("the operator left it out")

    def _file(self) -> Any:
        while True:
            name = self._line("Path of the file, s to leave it out: ")
            if name.lower() == "s":
                raise OperatorError("the operator left it out")
            try:
                return _json_of(Path(name).expanduser())
            except (OSError, ValueError, RecursionError) as error:
                self._write(f"{name}: {error}\n")

    def _question(self, arguments: Mapping[str, Any]) -> dict[str, str]:
        self._tell(*(str(arguments[part]) for part in ("question", "question_nl")), f"Look at: {arguments['look_at']}")
        while (word := _WORDS.get(self._line("y = yes, n = no, na = not applicable, s = skip: ").lower())) is None:
            self._write("Please answer y, n, na or s.\n")
        if word == "unknown":
            return {"answer": word, "by": "", "remark": "skipped by the operator"}
        remark = self._line("Remark (Enter: none): ")
        while not self._name:
            self._name = self._line("Your name, as the report shows it: ")
        return {"answer": word, "by": self._name, "remark": remark}

    def _tell(self, *texts: str) -> None:
        for text in texts:
            self._write(textwrap.fill(text, _WIDTH) + "\n")

    def _line(self, prompt: str) -> str:
        """What is typed up to Enter. Raises ``OperatorError`` when time is up or the terminal is closed."""
        self._write(prompt)
        while b"\n" not in self._typed:
            self._wait(prompt)
            self._read()
        return self._read_line()

    def _read(self) -> None:
        """Take in what is typed. Raises ``OperatorError`` when the terminal is closed."""
        typed = os.read(self._source, 4096)
        if not typed:
            self._write("\n")
            raise OperatorError("the terminal was closed")
        self._typed += typed

    def _read_line(self) -> str:
        """The line that is typed; empty when it has no end yet."""
        if b"\n" not in self._typed:
            self._read()
        line, end, rest = self._typed.partition(b"\n")
        self._typed = rest if end else self._typed
        return line.decode("utf-8", "replace").strip() if end else ""

    def _wait(self, prompt: str) -> None:
        """Until something is typed, with a word when little time is left."""
        for left in (*(mark for mark in _REMINDERS_S if mark < self._until - time.monotonic()), 0.0):
            if select.select([self._source], [], [], max(0.0, self._until - left - time.monotonic()))[0]:
                return
            self._write(f"\n({left:g} s left) {prompt}" if left else "\n")
        raise OperatorError(f"the operator did not answer within {self._limit_s:g} s")

    def _forget_what_was_typed(self) -> None:
        """What was typed before the question was asked is no answer to it."""
        self._typed = b""
        if termios:
            with contextlib.suppress(termios.error):
                termios.tcflush(self._source, termios.TCIFLUSH)


def _filled(text: str, arguments: Mapping[str, Any]) -> str:
    for name, value in arguments.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def _json_of(path: Path) -> Any:
    if not path.is_file():
        raise ValueError("is no file")
    with path.open("rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise ValueError(f"has more than {_LARGEST_FILE} bytes")
    return json.loads(content)
