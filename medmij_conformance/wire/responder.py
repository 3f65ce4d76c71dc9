"""A plain HTTP listener for the OCSP responder: OCSP answers are signed, and are fetched without TLS."""

import contextlib
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

_LARGEST_QUESTION = 20_000  # octets


class Word(Protocol):
    """An answer: HTTP status, media type and body; without a body the connection is cut, after ``silence_s`` seconds."""

    @property
    def body(self) -> bytes | None: ...
    @property
    def status(self) -> int: ...
    @property
    def media_type(self) -> str: ...
    @property
    def silence_s(self) -> float: ...


class Responder:
    """Lets ``hear`` (method, path, body) answer every request. Start with ``start``, end with ``stop``.

    Raises ``OSError`` when the address cannot be bound.
    """

    def __init__(self, hear: Callable[[str, str, bytes], Word], listen: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        closing = self._closing = threading.Event()

        class _Handler(BaseHTTPRequestHandler):
            timeout = 20

            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                length = self.headers.get("content-length") or "0"
                self._answer(self.rfile.read(min(int(length), _LARGEST_QUESTION)) if length.isdigit() else b"")

            def _answer(self, body: bytes) -> None:
                word = hear(self.command, self.path, body)
                if word.silence_s:
                    closing.wait(word.silence_s)
                self.close_connection = True
                if word.body is None:
                    return
                with contextlib.suppress(OSError):
                    self.send_response(word.status)
                    self.send_header("Content-Type", word.media_type)
                    self.send_header("Content-Length", str(len(word.body)))
                    self.send_header("Connection", "close")
                    self.end_headers()
                    self.wfile.write(word.body)

            def log_message(self, *_: Any) -> None:
                """Quiet: who asked is told by the player."""

        class _Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: Any) -> None:
                """Who asks may go away before the answer."""

        self._server = _Server(listen, _Handler)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._server.server_port

    def start(self) -> None:
        """Answer in a thread of its own."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="OCSP responder", daemon=True).start()

    def stop(self) -> None:
        """Answer nobody any more."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
