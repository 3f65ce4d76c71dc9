"""The operator at a terminal: what he is told, what he answers, and that nothing waits for him for ever."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from medmij_conformance.target import HOOKS
from medmij_conformance.wire import attended
from medmij_conformance.wire.attended import Operator, tasks
from medmij_conformance.wire.hooks import OperatorError

QUESTION = {"id": "logo", "question": "Is it so?", "question_nl": "Is het zo?", "look_at": "the page"}


class Desk(NamedTuple):
    """A terminal with somebody at it: ``answers`` are typed one at each prompt, ``shown`` is what stands on the screen."""

    operator: Operator
    shown: list[str]
    waited: list[float]
    keyboard: int


Sit = Callable[..., Desk]


@pytest.fixture
def sit() -> Iterator[Sit]:
    """Sits down at a real pseudo-terminal and types the answers, each when a prompt is shown."""
    opened: list[int] = []

    def sit_down(*answers: bytes, limit_s: float = 5, early: bytes = b"") -> Desk:
        master, slave = os.openpty()
        opened.extend((master, slave))
        shown: list[str] = []
        waited: list[float] = []
        queue = list(answers)
        if early:
            os.write(master, early)
            time.sleep(0.05)

        def write(text: str) -> None:
            shown.append(text)
            if text.endswith(": ") and queue:
                os.write(master, queue.pop(0))

        return Desk(Operator(limit_s=limit_s, waited=waited.append, source=slave, write=write), shown, waited, master)

    yield sit_down
    for descriptor in opened:
        os.close(descriptor)


def test_every_hook_has_a_task() -> None:
    """For each hook of the target file, and for start mode operator, there are words in two languages, and a kind of answer."""
    assert set(tasks()) == {*HOOKS, "start", "outcome"}
    assert {task.answer for task in tasks().values()} == {"done", "file", "question", "request", "choice"}
    assert all(task.en.endswith(".") and task.nl.endswith(".") and task.en != task.nl for task in tasks().values())


def test_enter_says_that_it_is_done(sit: Sit) -> None:
    """The task is shown in both languages with its limit, its arguments filled in; Enter ends it, and the time is told."""
    desk = sit(b"\n", limit_s=7)
    assert desk.operator.carry_out("clock", {"forward_s": 895}) is None
    screen = " ".join("".join(desk.shown).split())
    assert "clock (7 s)" in screen
    assert "895 seconds" in screen
    assert "895 seconden" in screen
    assert len(desk.waited) == 1


def test_what_is_left_out_is_an_error(sit: Sit) -> None:
    """The operator may leave a task out; then it is not done."""
    with pytest.raises(OperatorError, match="left it out"):
        sit(b"S\n").operator.carry_out("source_down", {})


def test_nobody_is_waited_for_longer_than_the_limit(sit: Sit) -> None:
    """When time is up the task is not done, whatever was typed without Enter; the time is told all the same."""
    desk = sit(b"no Enter", limit_s=0.4)
    began = time.monotonic()
    with pytest.raises(OperatorError, match=r"did not answer within 0\.4 s"):
        desk.operator.carry_out("source_down", {})
    assert 0.3 < time.monotonic() - began < 15
    assert desk.waited[0] > 0.3


def test_the_limit_is_for_all_answers_together(sit: Sit) -> None:
    """Wrong answers do not buy time."""
    desk = sit(*[b"perhaps\n"] * 3, limit_s=0.4)
    with pytest.raises(OperatorError, match="did not answer"):
        desk.operator.carry_out("questions", QUESTION)
    assert "Please answer" in "".join(desk.shown)


def test_the_operator_is_reminded(sit: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before time is up the prompt comes again, with what is left."""
    monkeypatch.setattr(attended, "_REMINDERS_S", (60.0, 0.2))
    desk = sit(limit_s=0.4)
    with pytest.raises(OperatorError):
        desk.operator.carry_out("source_down", {})
    assert "".join(desk.shown).count("Enter when it is done") == 2
    assert "(0.2 s left)" in "".join(desk.shown)


def test_a_terminal_that_is_closed_is_no_answer() -> None:
    """The end of the input is not Enter."""
    reader, writer = os.pipe()
    os.close(writer)
    with pytest.raises(OperatorError, match="terminal was closed"):
        Operator(limit_s=5, source=reader, write=lambda _: None).carry_out("source_down", {})
    os.close(reader)


def test_what_was_typed_before_is_no_answer(sit: Sit) -> None:
    """A yes that was typed before the question was asked does not answer it."""
    desk = sit(b"n\n", b"\n", b"Kim\n", early=b"y\n")
    assert desk.operator.carry_out("questions", QUESTION)["answer"] == "no"


def test_a_question_is_asked_with_all_its_parts(sit: Sit) -> None:
    """Question in both languages and what to look at; answer, remark and name come back. The name is asked once."""
    desk = sit(b"maybe\n", b"y\n", b"since 2024\n", b"\n", b"Kim de Wit\n", b"NA\n", b"\n")
    assert desk.operator.carry_out("questions", QUESTION) == {"answer": "yes", "by": "Kim de Wit", "remark": "since 2024"}
    screen = "".join(desk.shown)
    assert all(text in screen for text in ("Is it so?", "Is het zo?", "Look at: the page"))
    assert desk.operator.carry_out("questions", QUESTION) == {"answer": "not applicable", "by": "Kim de Wit", "remark": ""}


def test_a_question_may_be_skipped(sit: Sit) -> None:
    """A skipped question is unknown, and nobody's word."""
    assert sit(b"s\n").operator.carry_out("questions", QUESTION)["answer"] == "unknown"


def test_a_log_is_handed_over_as_a_file(sit: Sit, tmp_path: Path) -> None:
    """The path of a JSON file is asked for until there is one that can be read."""
    file, broken, huge = (tmp_path / name for name in ("log.json", "broken.json", "huge.json"))
    file.write_text('[{"outcome": "granted"}]', encoding="utf-8")
    broken.write_bytes(b"\xff[")
    huge.write_bytes(b" " * 5_000_001)
    names = [tmp_path, tmp_path / "none", broken, huge, file]
    desk = sit(*(f"{name}\n".encode() for name in names))
    assert desk.operator.carry_out("log", {}) == [{"outcome": "granted"}]
    assert "".join(desk.shown).count("Path of the file") == 5
    with pytest.raises(OperatorError, match="left it out"):
        sit(b"s\n").operator.carry_out("dossier", {})


def test_an_interrupt_comes_through(sit: Sit) -> None:
    """Ctrl-C at a prompt is no answer either: it goes up, and the time is told."""
    desk: Any = sit()
    threading.Timer(0.2, os.kill, (os.getpid(), 2)).start()
    with pytest.raises(KeyboardInterrupt):
        desk.operator.carry_out("source_down", {})
    assert len(desk.waited) == 1


CHOSEN = {"zorgaanbieder": "kliniek@medmij", "gegevensdienst": "1"}


def test_a_start_goes_on_by_itself_when_the_request_arrives(sit: Sit) -> None:
    """What is asked is shown with its arguments and a countdown; nothing has to be typed."""
    desk = sit()
    arrives = time.monotonic() + 1.2
    desk.operator.wait_for("start", CHOSEN, lambda: time.monotonic() > arrives)
    screen = " ".join("".join(desk.shown).split())
    assert "service 1 of kliniek@medmij" in screen
    assert "5 s left" in screen
    assert "4 s left" in screen
    assert desk.waited[0] >= 1


def test_a_start_may_be_left_out(sit: Sit) -> None:
    """With s and Enter, whatever else was typed before it."""
    desk = sit()
    typing = [b"hello\n", b"S\n"]

    def came() -> bool:
        if typing:
            os.write(desk.keyboard, typing.pop(0))
        return False

    with pytest.raises(OperatorError, match="left it out"):
        desk.operator.wait_for("start", CHOSEN, came)


def test_an_operator_who_walked_away_is_not_waited_for_again(sit: Sit) -> None:
    """After three starts for which nobody came the next one ends at once; who comes in between begins the count anew."""
    desk = sit(limit_s=0.3)
    for came in (False, False, True, False, False, False):
        if came:
            desk.operator.wait_for("start", CHOSEN, lambda: True)
        else:
            with pytest.raises(OperatorError, match=r"nothing came within 0\.3 s"):
                desk.operator.wait_for("start", CHOSEN, lambda: False)
    began = len(desk.waited)
    with pytest.raises(OperatorError, match="did not come 3 times in a row"):
        desk.operator.wait_for("start", CHOSEN, lambda: False)
    assert len(desk.waited) == began


def test_what_the_person_sees_is_chosen_by_number(sit: Sit) -> None:
    """A number of the list, and the words; anything else is asked again, and s means none of them."""
    desk = sit(b"3\n", b"x\n", b"2\n", b"It failed\n")
    assert desk.operator.choose("outcome", CHOSEN, ("collected", "failed")) == ("failed", "It failed")
    assert "1 = collected, 2 = failed" in "".join(desk.shown)
    with pytest.raises(OperatorError, match="none of the outcomes"):
        sit(b"s\n").operator.choose("outcome", CHOSEN, ("collected",))
