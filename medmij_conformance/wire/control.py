"""A small command interface over plain HTTP on the loopback interface: how the references are switched, and how hooks are called.

It never carries protocol messages of the network; those go through ``client`` and ``server``.
"""

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Command = Callable[[dict[str, Any]], Any]


class CommandError(Exception):
    """A command was refused or could not be carried out; the message says which and why."""


class Control:
    """Serves commands by name: ``POST /<name>`` with a JSON object, answered with JSON."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        class _Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                status, answer = _carry_out(commands, self.path.strip("/"), self.rfile.read(length))
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet: standard output belongs to the start-up message."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where commands are sent."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        """Serve in a thread of its own."""
        threading.Thread(target=self._server.serve_forever, name="control", daemon=True).start()


def _carry_out(commands: Mapping[str, Command], name: str, body: bytes) -> tuple[int, Any]:
    command = commands.get(name)
    if command is None:
        return 404, {"error": f"no command {name!r}; expected one of {', '.join(sorted(commands))}"}
    try:
        arguments = json.loads(body) if body.strip() else {}
        return 200, {"result": command(arguments)}
    except (KeyError, ValueError, TypeError) as error:
        return 400, {"error": f"{name}: {error}"}


def call(url: str, arguments: Mapping[str, Any] | None = None, *, timeout_s: float = 10.0) -> Any:
    """Send a command to ``url`` and return its result. Raises ``CommandError`` when it was not carried out in time."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        body = json.dumps(dict(arguments or {}))
        target = parts._replace(scheme="", netloc="", path=parts.path or "/", fragment="").geturl()
        connection.request("POST", target, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read(5_000_000)
    except (OSError, http.client.HTTPException) as error:
        raise CommandError(f"{url}: {error}") from error
    finally:
        connection.close()
    try:
        data = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        data = {}
    if answer.status >= 400:
        raise CommandError(f"{url}: {data.get('error', answer.status) if isinstance(data, dict) else answer.status}")
    return data.get("result") if isinstance(data, dict) and ("result" in data or not data) else data
