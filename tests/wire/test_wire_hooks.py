"""Hooks: commands, calls and operators; what they answer, and how they fail. And the control interface that serves calls."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Listen, Listener, read_request

from medmij_conformance.target import Hook
from medmij_conformance.wire.control import CommandError, Control, call
from medmij_conformance.wire.hooks import HookError, Hooks, OperatorError

MakeHooks = Callable[..., Hooks]


def python(code: str, *arguments: str) -> Hook:
    return Hook(kind="command", value=(sys.executable, "-c", code, *arguments))


def http(url: str) -> Hook:
    return Hook(kind="http", value=url)


@pytest.fixture
def hooks(tmp_path: Path) -> MakeHooks:
    """Makes the hooks of a target file in an empty folder, with five seconds for each."""

    def make(timeout_s: float = 5, **entries: Hook) -> Hooks:
        return Hooks(entries, tmp_path, timeout_s=timeout_s)

    return make


def test_command_gets_its_arguments_and_answers_json(hooks: MakeHooks, tmp_path: Path) -> None:
    """A command reads its arguments as JSON from standard input, runs in the folder of the target file, and answers JSON."""
    code = "import json, os, sys; print(json.dumps([sys.argv[1], os.getcwd(), json.load(sys.stdin)]))"
    answer = hooks(clock=python(code, "down")).call("clock", forward_s=900, text="é")
    assert answer == ["down", str(tmp_path), {"forward_s": 900, "text": "é"}]


@pytest.mark.parametrize(("printed", "answer"), [("", None), (" \\n", None), ("done", "done\n"), ("{}", {}), ("[1]", [1])])
def test_answer_of_a_command(hooks: MakeHooks, printed: str, answer: object) -> None:
    """Nothing printed is no answer, JSON is its value, and other text is taken as it is."""
    assert hooks(dossier=python(f"print('{printed}')")).call("dossier") == answer


def test_command_that_fails_is_named_with_its_last_words(hooks: MakeHooks) -> None:
    """A command that ends with an error gives name, exit code and the last line of its standard error."""
    code = "import sys; print('first', file=sys.stderr); print('no source', file=sys.stderr); sys.exit(3)"
    with pytest.raises(HookError, match=r"^hook 'source_down': exit 3: no source$"):
        hooks(source_down=python(code)).call("source_down")
    with pytest.raises(HookError, match=r"^hook 'source_down': exit 1: nothing on standard error$"):
        hooks(source_down=python("import sys; sys.exit(1)")).call("source_down")


def test_command_that_does_not_exist(hooks: MakeHooks) -> None:
    """A command that cannot be started is a hook error that names both."""
    with pytest.raises(HookError, match=r"hook 'seed': .*no-such-command"):
        hooks(seed=Hook(kind="command", value=("./no-such-command",))).call("seed")


def test_command_that_hangs_is_ended(hooks: MakeHooks) -> None:
    """A command gets its time and no more, also when it closed its output or started something that lives on."""
    began = time.monotonic()
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(20)']); time.sleep(60)"
    with pytest.raises(HookError, match=r"hook 'log': .*timed out"):
        hooks(0.5, log=python(code)).call("log")
    assert time.monotonic() - began < 15


def test_missing_hook_is_named(hooks: MakeHooks) -> None:
    """A hook that the target file lacks is named, with where it belongs."""
    with pytest.raises(HookError, match=r"^the target file has no hook 'seed' in \[hooks\]$"):
        hooks(clock=python("")).call("seed")


def test_operator_is_not_there(hooks: MakeHooks) -> None:
    """What only a person can do is not done when nobody is at the terminal."""
    with pytest.raises(HookError, match="hook 'seed' needs an operator, and nobody is at the terminal"):
        hooks(seed=Hook(kind="operator", value="")).call("seed")


# --- HTTP, and the interface that answers ---


@pytest.fixture(scope="module")
def control() -> Iterator[Callable[..., str]]:
    """Serves commands and gives the address; all end together, as each takes half a second for it."""
    served: list[Control] = []

    def serve(**commands: Callable[[dict[str, Any]], Any]) -> str:
        served.append(Control(commands))
        served[-1].start()
        return served[-1].url

    yield serve
    ends = [threading.Thread(target=one._server.shutdown) for one in served]
    for end in ends:
        end.start()
    for end, one in zip(ends, served, strict=True):
        end.join()
        one._server.server_close()


def test_http_hook_is_called(hooks: MakeHooks, control: Callable[..., str]) -> None:
    """An HTTP hook is called with its arguments, and its result comes back."""
    url = control(clock=lambda arguments: {"moved": arguments["forward_s"]})
    assert hooks(clock=http(f"{url}/clock")).call("clock", forward_s=905) == {"moved": 905}


def test_http_hook_that_refuses(hooks: MakeHooks, control: Callable[..., str]) -> None:
    """A refusal names the hook, the address and the reason."""
    url = control(clock=lambda arguments: arguments["forward_s"])
    with pytest.raises(HookError, match=r"^hook 'clock': http://127\.0\.0\.1:\d+/clock: clock: 'forward_s'$"):
        hooks(clock=http(f"{url}/clock")).call("clock")
    with pytest.raises(HookError, match=r"no command 'klok'; expected one of clock"):
        hooks(clock=http(f"{url}/klok")).call("clock")


def test_http_hook_that_nobody_serves(hooks: MakeHooks, listen: Listen) -> None:
    """A closed port is a hook error."""
    listener = listen(lambda *_: None, tls=False)
    port = listener.port
    listener.stop()
    with pytest.raises(HookError, match=r"hook 'clock': .*refused"):
        hooks(clock=http(f"http://127.0.0.1:{port}/clock")).call("clock")


@pytest.mark.parametrize(
    "octets", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"]
)
def test_http_hook_that_talks_nonsense(hooks: MakeHooks, listen: Listen, octets: bytes) -> None:
    """Whatever comes instead of an answer is a hook error, never something else."""

    def talk(stream: Any, _: Listener) -> None:
        read_request(stream)
        stream.sendall(octets)

    with pytest.raises(HookError, match=r"^hook 'clock': http://127\.0\.0\.1"):
        hooks(clock=http(f"http://127.0.0.1:{listen(talk, tls=False).port}/clock")).call("clock")


def test_http_hook_that_hangs(hooks: MakeHooks, listen: Listen) -> None:
    """A hook that does not answer in its time is a hook error."""
    port = listen(lambda _, listener: listener.gone.wait(30), tls=False).port
    began = time.monotonic()
    with pytest.raises(HookError, match=r"hook 'clock': .*timed out"):
        hooks(0.4, clock=http(f"http://127.0.0.1:{port}/")).call("clock")
    assert time.monotonic() - began < 15


@pytest.mark.parametrize(("body", "result"), [(b"", None), (b"no json", None), (b'{"result": 5}', 5), (b"{}", None), (b"[1]", [1])])
def test_answer_of_an_http_hook(listen: Listen, body: bytes, result: object) -> None:
    """A 200 is enough; a result is taken from JSON if there is one."""

    def talk(stream: Any, _: Listener) -> None:
        read_request(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert call(f"http://127.0.0.1:{listen(talk, tls=False).port}/x") == result


def test_address_of_a_hook_keeps_its_query(listen: Listen) -> None:
    """The whole address of a hook is asked for, path and query, by POST of JSON."""
    seen: list[bytes] = []

    def talk(stream: Any, _: Listener) -> None:
        data = read_request(stream)
        while b"{" not in data:
            data += stream.recv(1000)
        seen.append(data)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    port = listen(talk, tls=False).port
    call(f"http://127.0.0.1:{port}/hooks/clock?token=abc", {"forward_s": 1})
    call(f"http://127.0.0.1:{port}")
    assert seen[0].startswith(b"POST /hooks/clock?token=abc HTTP/1.1\r\n")
    assert json.loads(seen[0].partition(b"\r\n\r\n")[2]) == {"forward_s": 1}
    assert seen[1].startswith(b"POST / HTTP/1.1\r\n")


@pytest.mark.parametrize(("error", "said"), [(ValueError("too far"), "clock: too far"), (TypeError("what"), "clock: what")])
def test_command_that_cannot_be_carried_out(control: Callable[..., str], error: Exception, said: str) -> None:
    """A command that finds its arguments wrong says so to its caller."""

    def clock(_: dict[str, Any]) -> None:
        raise error

    with pytest.raises(CommandError, match=said):
        call(f"{control(clock=clock)}/clock")


def test_commands_do_not_wait_for_one_another(control: Callable[..., str]) -> None:
    """Two commands at once are both carried out."""
    meet = threading.Barrier(2, timeout=5)
    url = control(meet=lambda _: meet.wait() >= 0)
    threads = [threading.Thread(target=call, args=(f"{url}/meet",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert not meet.broken
    assert not any(thread.is_alive() for thread in threads)


# --- hostile answers, and the operator ---


def test_an_argument_may_be_called_name(hooks: MakeHooks) -> None:
    """The name of the hook is no argument, so a hook may have one of that name."""
    code = "import json, sys; print(json.dumps(json.load(sys.stdin)))"
    assert hooks(seed=python(code)).call("seed", name="Roos", self="x") == {"name": "Roos", "self": "x"}


@pytest.mark.parametrize("printed", ["b'\\xff\\xfe{'", "b'[' * 100_000", "b'1' * 10_000"])
def test_command_that_prints_what_is_no_json(hooks: MakeHooks, printed: str) -> None:
    """No octets that a command can print bring the harness down; they are text."""
    assert isinstance(hooks(log=python(f"import sys; sys.stdout.buffer.write({printed})")).call("log"), str)


@pytest.mark.parametrize(("body", "result"), [(b'{"answer": "yes"}', {"answer": "yes"}), (b'{"result": null}', None)])
def test_http_hook_may_answer_without_a_wrapper(listen: Listen, body: bytes, result: object) -> None:
    """An object that has no ``result`` is the answer itself."""

    def talk(stream: Any, _: Listener) -> None:
        read_request(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert call(f"http://127.0.0.1:{listen(talk, tls=False).port}/x") == result


def test_nested_answer_of_an_http_hook_is_none(listen: Listen) -> None:
    """An answer nested beyond measure is taken for none."""
    body = b"[" * 100_000

    def talk(stream: Any, _: Listener) -> None:
        read_request(stream)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert call(f"http://127.0.0.1:{listen(talk, tls=False).port}/x") is None


class Somebody:
    """At the terminal: does what is asked, or not."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal

    def carry_out(self, name: str, arguments: Any) -> Any:
        if self.refusal:
            raise OperatorError(self.refusal)
        return [name, dict(arguments)]


def test_operator_carries_out_what_is_left_to_him(tmp_path: Path) -> None:
    """The operator gets name and arguments of a hook that says so, and no other; his answer comes back."""
    entries = {"seed": Hook(kind="operator", value=""), "log": python("print(5)")}
    made = Hooks(entries, tmp_path, operator=Somebody())
    assert made.call("seed", person="Roos") == ["seed", {"person": "Roos"}]
    assert made.call("log") == 5


def test_operator_who_does_not_is_named(tmp_path: Path) -> None:
    """What the operator leaves out is a hook error with his reason."""
    made = Hooks({"seed": Hook(kind="operator", value="")}, tmp_path, operator=Somebody("no time"))
    with pytest.raises(HookError, match=r"^hook 'seed': no time$"):
        made.call("seed")
