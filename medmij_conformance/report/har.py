"""evidence.har: the exchanges that went over the wire, as HAR 1.2, for the tools that developers have at hand.

It holds what the journal holds: secrets are pseudonyms in it too. What only a browser's page showed is not in it.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from medmij_conformance.evidence import Exchange, Headers, header
from medmij_conformance.report.run import Run

NAME = "evidence.har"

_NEVER_SENT = {"shown", "leaving"}
_NO_HTTP = {"HOOK", "PROBE", "CLIENTHELLO"}  # what the vendor did for us, and handshakes
_UNKNOWN = -1  # HAR: the information is not available


def to_dict(run: Run) -> dict[str, Any]:
    """The run as HAR data, its entries in the order of their numbers."""
    return {"log": {**_head(run), "entries": list(_entries(run))}}


def render(run: Run) -> bytes:
    """The run as the file evidence.har, a line for each entry: indenting thousands of them takes seconds."""
    head = json.dumps(_head(run), ensure_ascii=False).removesuffix("}")
    entries = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in _entries(run))
    return f'{{"log": {head}, "entries": [\n{entries}\n]}}}}\n'.encode(errors="backslashreplace")


def _head(run: Run) -> dict[str, Any]:
    creator = {"name": run.tool.get("name", ""), "version": run.tool.get("version", "")}
    return {"version": "1.2", "creator": creator, "pages": []}


def _entries(run: Run) -> Iterator[dict[str, Any]]:
    for _, exchange in sorted(run.exchanges.items()):
        if exchange.endpoint not in _NEVER_SENT and exchange.request.method not in _NO_HTTP:
            yield _entry(exchange)


def _entry(exchange: Exchange) -> dict[str, Any]:
    milliseconds = round(max(0.0, (exchange.finished - exchange.started) * 1000), 3)
    entry: dict[str, Any] = {
        "startedDateTime": exchange.at,
        "time": milliseconds,
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "comment": f"exchange {exchange.number}: {exchange.label} ({exchange.identity}), scenario {exchange.scenario}",
    }
    host, _, port = exchange.address.rpartition(":")
    return {**entry, "serverIPAddress": host, "connection": port} if host else entry


def _request(exchange: Exchange) -> dict[str, Any]:
    request = exchange.request
    found: dict[str, Any] = {
        "method": request.method,
        "url": request.url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(request.headers),
        "queryString": _pairs(tuple(parse_qsl(_query(request.url), keep_blank_values=True))),
        "headersSize": _UNKNOWN,
        "bodySize": len(request.body),
    }
    if request.body:
        found["postData"] = {"mimeType": header(request.headers, "content-type") or "", "text": request.text}
    return found


def _response(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response
    found: dict[str, Any] = {
        "status": response.status if response else 0,
        "statusText": response.reason if response else "",
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(response.headers) if response else [],
        "content": _content(response.body, response.header("content-type") or "") if response else {"size": 0, "mimeType": ""},
        "redirectURL": (response.header("location") or "") if response else "",
        "headersSize": _UNKNOWN,
        "bodySize": len(response.body) if response else _UNKNOWN,
    }
    if exchange.trouble:
        found["_error"] = f"{exchange.trouble.kind}: {exchange.trouble.detail}"
    return found


def _content(body: bytes, media_type: str) -> Mapping[str, Any]:
    content: dict[str, Any] = {"size": len(body), "mimeType": media_type}
    try:
        return {**content, "text": body.decode()}
    except UnicodeDecodeError:
        return {**content, "text": base64.b64encode(body).decode(), "encoding": "base64"}


def _query(url: str) -> str:
    try:
        return urlsplit(url).query
    except ValueError:  # an address of the target's making
        return ""


def _pairs(pairs: Headers) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]
