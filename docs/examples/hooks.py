"""Hooks for medmij-conformance: a sample to begin from, on the standard library alone.

As a command, with the arguments as JSON on standard input and the answer as JSON on standard output:

    log = { command = ["python3", "hooks.py", "log"] }

Or as a small server on this machine (``python3 hooks.py --serve 9000``):

    log = { http = "http://127.0.0.1:9000/log" }

What each hook is asked and has to answer: ``fixtures/schemas/hooks``. This sample keeps everything in ``hooks-state.json``, as if
that were the gateway; put a call of your own system in the place of what each function does.
"""

import json
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

STATE = Path("hooks-state.json")


def read_state():
    return json.loads(STATE.read_text(encoding="utf-8")) if STATE.exists() else {"up": True, "clock_s": 0, "register": {}}


def change_state(**changes):
    STATE.write_text(json.dumps({**read_state(), **changes}), encoding="utf-8")


def source_down(asked):
    """Make the source system unreachable for the gateway: close its port, stop its container, change a route."""
    change_state(up=False)


def source_up(asked):
    """Bring it back, and return when it answers: the run stops when this fails."""
    change_state(up=True)


def authz_unknown(asked):
    """While ``on`` is true, the answer to the consent question cannot be established."""
    change_state(undecided=asked["on"])


def reload_lists(asked):
    """Let the gateway fetch its lists, or take those of ``folder``; return when that is done."""
    change_state(lists=sorted(asked.get("lists", {})))


def clock(asked):
    """Move the clock of lifetimes forward."""
    change_state(clock_s=read_state()["clock_s"] + asked["forward_s"])


def seed(asked):
    """Put the test persons into the source system."""
    change_state(seeded=True)


def log(asked):
    """The record of people's requests. Here: one consent, to show the form."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    place = {"zorgaanbieder": "proefkliniek@medmij", "gegevensdienst": "1", "pgo": "Harnas PGO"}
    return [{"time": now, "person": "p-17", **place, "text_version": "3", "outcome": "granted", "flow": "f-1"}]


def dossier(asked):
    """What a PGO keeps. Here: one item, to show the form."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"resourceType": "Patient", "id": "1"}
    return [{"content": content, "medmij": True, "obtained": now, "consent_profile": "expliciete toestemming"}]


def registration(asked):
    """Registratie: add, change or remove an entry. Here: whatever has a name is registered."""
    name = asked["entry"].get("name") or asked["entry"].get("hostname")
    if not name:
        return {"accepted": False, "reason": "the entry has no name"}
    register = read_state()["register"]
    register[name] = asked["entry"]
    if asked["action"] == "remove":
        del register[name]
    change_state(register=register)
    return {"accepted": True, "reason": ""}


def questions(asked):
    """Answer one question. Here: nothing is known. With another answer, ``by`` says whose it is."""
    return {"answer": "unknown"}


HOOKS = {
    each.__name__: each
    for each in (source_down, source_up, authz_unknown, reload_lists, clock, seed, log, dossier, registration, questions)
}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        hook = HOOKS.get(self.path.strip("/"))
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        try:
            status, answer = (200, {"result": hook(asked)}) if hook else (404, {"error": f"no hook {self.path}"})
        except Exception as error:  # noqa: BLE001 whatever went wrong is told to the harness, which names the hook
            status, answer = 500, {"error": repr(error)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--serve":
        server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
        print(f"hooks at http://127.0.0.1:{server.server_port}/", flush=True)
        server.serve_forever()
    elif len(sys.argv) == 2 and sys.argv[1] in HOOKS:
        answer = HOOKS[sys.argv[1]](json.loads(sys.stdin.read() or "{}"))
        if answer is not None:
            print(json.dumps(answer))
    else:
        sys.exit(f"usage: hooks.py --serve PORT | {' | '.join(HOOKS)}")


if __name__ == "__main__":
    main()
