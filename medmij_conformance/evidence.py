"""What happened: the messages of a run, and the journal that keeps them.

The journal (``evidence.jsonl``) is append-only and written as things happen, so that a killed run still leaves its evidence.
Only redacted text enters it, and what it returns is what it wrote: checks judge the stored exchange, never the raw one, which
is why a verdict can be recomputed from the file alone.
"""

import base64
import html
import json
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote_plus

from medmij_conformance.redaction import Redactor, secrets_in

Headers = tuple[tuple[str, str], ...]


def header(headers: Headers, name: str) -> str | None:
    """The first value of a header, whatever its case; None when absent."""
    return next((value for key, value in headers if key.lower() == name.lower()), None)


def header_values(headers: Headers, name: str) -> list[str]:
    """Every value of a header, in order."""
    return [value for key, value in headers if key.lower() == name.lower()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request: absolute ``url``, headers in order, body in octets."""

    method: str
    url: str
    headers: Headers = ()
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text; octets that are no UTF-8 become U+FFFD."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP response, as received: nothing decoded but the transfer coding."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    reason: str = ""

    def header(self, name: str) -> str | None:
        """The first value of a header, whatever its case; None when absent."""
        return header(self.headers, name)

    @property
    def media_type(self) -> str:
        """The media type without parameters, in lower case; empty when the header is absent."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text; octets that are no UTF-8 become U+FFFD."""
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        """The body as JSON; None when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why an exchange has no complete response.

    ``kind``: ``not-allowed`` (our own ``[connect]`` list), ``connect``, ``tls``, ``timeout``, ``reset``, ``protocol`` (no
    HTTP), ``too-large``, ``silent-endpoint`` (not sent any more after three time-outs in a row), ``out-of-time`` (the limit of
    the scenario had passed before, or passed sooner than that of the exchange).
    """

    kind: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What a connection negotiated. Certificates by the SHA-256 of their DER encoding, leaf first.

    ``peer_names`` are the dNSName entries of a client's certificate, and ``peer_errors`` what OpenSSL thinks of it
    (``depth:number``); both for connections that come to us. ``client_hello`` is what such a client said first, in hexadecimal;
    kept with the first exchange after each ClientHello of another shape.
    """

    version: str | None = None
    cipher: str | None = None
    peer_chain: tuple[str, ...] = ()
    certificate_requested: bool | None = None
    certificate_presented: bool = False
    alert: str | None = None
    peer_names: tuple[str, ...] = ()
    peer_errors: tuple[str, ...] = ()
    client_hello: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came of it.

    ``label`` names it for readers; ``endpoint`` is ``authorization``, ``page``, ``token``, ``resource``, ``client`` or
    ``other``; or ``digid``, where the gateway fetches the result of a login; or ``tls``, handshakes without HTTP: what was
    offered is the body of the request, what came back that of the response; or one of two that never went over the wire:
    ``shown``, a page as its scripts have made it, and ``leaving``, where a script sends the browser, not asked for.
    ``identity`` is who asks (``pgo``, ``mallory``, ...), ``deviation`` the one thing that is wrong on purpose, and ``twin`` the
    identity whose accepted request shows that nothing else was wrong.
    ``started`` and ``finished`` are seconds on a monotonic clock since the journal began, ``at`` is the wall time of the start.
    ``sent``: we asked the gateway under test; others it asked of us, or a browser of ours.
    """

    label: str
    endpoint: str
    request: Request
    response: Response | None = None
    trouble: Trouble | None = None
    identity: str = "pgo"
    twin: str = "pgo"
    deviation: str | None = None
    flow: int = 0
    tls: Tls | None = None
    address: str = ""
    started: float = 0.0
    finished: float = 0.0
    at: str = ""
    number: int = 0
    scenario: str = ""
    sent: bool = False

    @property
    def status(self) -> int | None:
        """The status code; None when there is no response."""
        return self.response.status if self.response else None

    @property
    def was_cut(self) -> bool:
        """Whether the connection ended before there was an answer, and no alert says why."""
        alert = self.tls.alert if self.tls else None
        return self.trouble is not None and self.trouble.kind == "reset" and alert in {None, "close_notify"}


class Evidence:
    """The append-only journal of one run. Thread-safe.

    ``path`` None keeps it in memory only (unit tests). With ``foreign_states`` the state in an address is a secret too: it is
    then that of the gateway under test, and no word of ours.
    """

    def __init__(self, path: Path | None = None, redactor: Redactor | None = None, *, foreign_states: bool = False) -> None:
        self.redactor = redactor or Redactor()
        self._foreign_states = foreign_states
        self.records: list[dict[str, Any]] = []
        self.scenario = ""
        self.first = 1
        """The number of the first exchange."""
        self._exchanges: dict[int, Exchange] = {}
        self._by_scenario: defaultdict[str, list[Exchange]] = defaultdict(list)
        self._lock = threading.RLock()
        self._began = time.monotonic()
        self._file: BinaryIO | None = path.open("ab") if path else None

    def now(self) -> float:
        """Seconds since the journal began, by a monotonic clock, to the microsecond: more digits would now and then spell a BSN."""
        return round(time.monotonic() - self._began, 6)

    def append(self, exchange: Exchange) -> Exchange:
        """Number the exchange, redact it, write it. Returns the *raw* exchange with its number, for the players."""
        with self._lock:
            number = self.first + len(self._exchanges)
            raw = replace(exchange, number=number, scenario=exchange.scenario or self.scenario)
            self._learn(raw)
            stored = redact(raw, self.redactor)
            self._exchanges[number] = stored
            self._by_scenario[raw.scenario].append(stored)
            self._write({"type": "exchange", **to_json(stored)})
            return raw

    @property
    def last(self) -> int:
        """The number of the latest exchange."""
        return self.first + len(self._exchanges) - 1

    def stored(self, exchange: Exchange) -> Exchange:
        """The exchange as the journal holds it: what a check may see."""
        return self._exchanges[exchange.number]

    def of_scenario(self, scenario: str) -> tuple[Exchange, ...]:
        """Every stored exchange of a scenario, in order."""
        with self._lock:
            return tuple(self._by_scenario[scenario])

    def write(self, record_type: str, **fields: Any) -> None:
        """Append another kind of record. Its strings pass the redactor too, all but the harness's own words."""
        with self._lock:
            record = {"type": record_type, "scenario": self.scenario, **fields}
            plain = json.loads(json.dumps(record))
            self._write(_redact_values(plain, self.redactor.among(_strings(plain))))

    def restart(self) -> None:
        """Forget everything, secrets too, and keep the journal in memory only from here on."""
        with self._lock:
            self.close()
            self.redactor = Redactor()
            self.records.clear()
            self._exchanges.clear()
            self._by_scenario.clear()

    def close(self) -> None:
        """No more records."""
        with self._lock:
            if self._file:
                self._file.close()
                self._file = None

    def _learn(self, exchange: Exchange) -> None:
        """Register what the answer hands out, and cookies, which a script may have made.

        Else a request holds nothing new: what is ours is registered when we make it.
        """
        response = exchange.response
        for name, value in (*exchange.request.headers, *(response.headers if response else ())):
            if name.lower() in _COOKIE_HEADERS:
                self.redactor.register_cookies(value)
        if exchange.endpoint == "leaving":  # the address was made by the gateway's script
            for secret in secrets_in(exchange.request.url, (), exchange.request.text):
                self.redactor.register(secret)
        if response is None:
            return
        search = exchange.endpoint == "resource"
        for secret in secrets_in("", response.headers, response.text, search_parameters=search):
            self.redactor.register(secret)
        if self._foreign_states:
            for state in _states_in(response):
                self.redactor.register(state)

    def _write(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        if self._file:
            # A lone surrogate, which a hostile JSON answer can bring in, becomes the JSON escape that it came from.
            self._file.write(_encoded(record).encode("utf-8", "backslashreplace") + b"\n")
            self._file.flush()


def _states_in(response: Response) -> Iterator[str]:
    """The values of ``state`` in the addresses that an answer sends a browser to."""
    for text in (response.header("location") or "", response.header("refresh") or "", response.text):
        for value in _STATE.findall(text):
            yield unquote_plus(html.unescape(value))


_encoded = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_STATE = re.compile(r"(?:[?&]|&amp;)state=([^&\s\"'<>#;]+)")
_COOKIE_HEADERS = {"cookie", "set-cookie"}
# A gateway may hand out a "code" that spells one of our words; the structure of a record must not change with it.
_OWN_WORDS = {"type", "scenario", "outcome", "check", "release", "observation"}


def redact(exchange: Exchange, redactor: Redactor) -> Exchange:
    """The exchange with every registered secret and every cookie value replaced."""
    request, response, trouble = exchange.request, exchange.response, exchange.trouble
    mask = redactor.among(_texts(exchange))
    return replace(
        exchange,
        request=Request(
            method=request.method,
            url=mask(request.url),
            headers=_redact_headers(request.headers, redactor, mask),
            body=_redact_body(request.body, mask),
        ),
        response=response
        and Response(
            status=response.status,
            reason=mask(response.reason),
            headers=_redact_headers(response.headers, redactor, mask),
            body=_redact_body(response.body, mask),
        ),
        trouble=trouble and Trouble(kind=trouble.kind, detail=mask(trouble.detail)),
        deviation=exchange.deviation and mask(exchange.deviation),
    )


def _texts(exchange: Exchange) -> Iterator[str]:
    """All that a secret may stand in."""
    yield from (exchange.request.url, exchange.deviation or "")
    if exchange.trouble:
        yield exchange.trouble.detail
    if exchange.response:
        yield exchange.response.reason
    for message in (exchange.request, exchange.response):
        if message:
            yield from (value for _, value in message.headers)
            yield message.body.decode("latin-1")


def _redact_headers(headers: Headers, redactor: Redactor, mask: Callable[[str], str]) -> Headers:
    return tuple(
        (name, redactor.cookie_header(value, mask) if name.lower() in _COOKIE_HEADERS else mask(value)) for name, value in headers
    )


def _redact_body(body: bytes, mask: Callable[[str], str]) -> bytes:
    # Latin-1 maps every octet to one character and back, so that binary bodies survive; secrets themselves are ASCII.
    return mask(body.decode("latin-1")).encode("latin-1", "replace")


def _strings(value: Any) -> Iterator[str]:
    """The strings among the values of what JSON can hold."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _strings(member)


def _redact_values(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {key: old if key in _OWN_WORDS else _redact_values(old, mask) for key, old in value.items()}
    if isinstance(value, list):
        return [_redact_values(member, mask) for member in value]
    return mask(value) if isinstance(value, str) else value


def to_json(exchange: Exchange) -> dict[str, Any]:
    """The exchange as JSON: bodies are text where they are UTF-8, else ``{"base64": ...}``."""
    parts = {"request": exchange.request, "response": exchange.response, "trouble": exchange.trouble, "tls": exchange.tls}
    data = {**_fields(exchange), **{name: part and _fields(part) for name, part in parts.items()}}
    for name in ("request", "response"):
        if data[name]:
            data[name]["body"] = _body_to_json(data[name]["body"])
    return data


def _fields(record: Exchange | Request | Response | Trouble | Tls) -> dict[str, Any]:
    # Not asdict: that copies every header and every digest, hundreds of times in a run.
    return {field.name: getattr(record, field.name) for field in fields(record)}


def from_json(data: Mapping[str, Any]) -> Exchange:
    """The inverse of ``to_json``. Raises ``KeyError`` or ``TypeError`` when the record is no exchange."""
    own = {key: value for key, value in data.items() if key != "type"}
    request, response, trouble, tls = (own.pop(key) for key in ("request", "response", "trouble", "tls"))
    return Exchange(
        **own,
        request=Request(**_message(request)),
        response=Response(**_message(response)) if response else None,
        trouble=Trouble(**trouble) if trouble else None,
        tls=Tls(**_tuples(tls)) if tls else None,
    )


def _tuples(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a journal. A last line that a killed run left unfinished is skipped; any other bad line is an error."""
    # Not splitlines: that would also split at U+2028 and its like inside a body.
    # Octets, because a killed run can leave half a character.
    lines = path.read_bytes().removesuffix(b"\n").split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line.decode("utf-8"))
        except ValueError as error:
            if number < len(lines):
                raise ValueError(f"{path}: line {number}: not a JSON record ({error})") from error


def wall_time() -> str:
    """Now, as an RFC 3339 time in UTC with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(data: Mapping[str, Any]) -> dict[str, Any]:
    headers = tuple((name, value) for name, value in data["headers"])
    return {**data, "headers": headers, "body": _body_from_json(data["body"])}


def _body_to_json(body: bytes) -> str | dict[str, str]:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _body_from_json(body: str | Mapping[str, str]) -> bytes:
    return body.encode() if isinstance(body, str) else base64.b64decode(body["base64"])


@dataclass(frozen=True, slots=True)
class Observation:
    """A fact that was counted over raw values before they were redacted, such as the bits set at each place of 200 codes."""

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
