"""A gateway whose pages work by script only, and conform: for browsers that run scripts it is the same gateway.

Every page is an empty shell. Its script fetches what to show, keeps hidden values in memory, sends answers as JSON with the
anti-forgery value in a header, and then shows what came back or goes where it is told. The conformant gateway stands behind it
unchanged, so this can be combined with any deviation.
"""

import html
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from medmij_conformance.evidence import Headers, Request, Response, header
from medmij_conformance.reference.dvza import Dvza
from medmij_conformance.wire.server import Peer

_SCRIPT = """"use strict";
const app = document.getElementById("app");
let held = {};

function show(view) {
  document.title = view.title;
  held = view.held;
  app.innerHTML = view.html;
}

async function ask(address, answer) {
  const headers = {"Content-Type": "application/json", "X-Anti-Forgery": held.anti_forgery || ""};
  const body = answer && JSON.stringify({flow: held.flow, ...answer});
  const response = await fetch(address, answer ? {method: "POST", headers, body} : {});
  const view = await response.json();
  if (view.go) return location.assign(view.go);
  if (answer) history.pushState(null, "", view.address);
  show(view);
}

app.addEventListener("submit", event => {
  event.preventDefault();
  const form = event.target;
  ask(form.getAttribute("action"), Object.fromEntries(new FormData(form, event.submitter)));
});
ask("/view/" + app.dataset.view);
"""
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_MAIN = re.compile(r"<body>(.*)</body>", re.DOTALL)
_POLICY = ("default-src 'none'", "default-src 'none'; script-src 'self'; connect-src 'self'")


def pages_by_script(gateway: Dvza) -> None:
    """All pages are made by script, which also sends the answers and goes back to the PGO (APP.3)."""
    conformant = gateway.front
    views: dict[str, Response] = {}

    def front(request: Request, peer: Peer) -> Response:
        path = urlsplit(request.url).path
        if path == "/app.js":
            headers: Headers = (("Content-Type", "text/javascript; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))
            return Response(status=200, headers=headers, body=_SCRIPT.encode())
        if path.startswith("/view/"):
            page = views.pop(path.removeprefix("/view/"), None) or gateway.error_page("This page was shown already.", status=404)
            return _view(page, path)
        if (header(request.headers, "content-type") or "").startswith("application/json"):
            return _view(conformant(_as_form(request), peer), path)
        page = conformant(request, peer)
        if not (header(page.headers, "content-type") or "").startswith("text/html"):
            return page
        name = secrets.token_urlsafe(16)
        views[name] = page
        return _shell(page, name)

    gateway.front = front  # type: ignore[method-assign, assignment]


def _shell(page: Response, name: str) -> Response:
    """A page in which nothing stands but the name of what its script has to fetch."""
    body = (
        '<!doctype html><html lang="nl"><head><meta charset="utf-8"><title>One moment</title></head><body>'
        f'<div id="app" data-view="{name}"></div><script src="/app.js"></script></body></html>'
    )
    headers = tuple((n, v.replace(*_POLICY) if n.lower() == "content-security-policy" else v) for n, v in page.headers)
    return replace(page, headers=headers, body=body.encode())


def _view(answer: Response, path: str) -> Response:
    """A page, or a redirect, as data for the script."""
    data: dict[str, Any]
    if where := header(answer.headers, "location"):
        status, data = 200, {"go": where}
    else:
        text = answer.text
        title, main = _TITLE.search(text), _MAIN.search(text)
        held = {name: html.unescape(value) for name, value in _HIDDEN.findall(text)}
        data = {
            "title": html.unescape(title[1]) if title else "",
            "html": _HIDDEN.sub("", main[1] if main else ""),
            "held": held,
            "address": path,
        }
        status = answer.status
    kept = tuple(pair for pair in answer.headers if pair[0].lower() in {"set-cookie", "cache-control", "referrer-policy"})
    return Response(status=status, headers=(("Content-Type", "application/json"), *kept), body=json.dumps(data).encode())


def _as_form(request: Request) -> Request:
    """An answer of the script as the form that the conformant gateway reads."""
    try:
        members = json.loads(request.body)
    except ValueError:
        members = {}
    given: Mapping[str, Any] = members if isinstance(members, dict) else {}
    pairs = {name: value for name, value in given.items() if isinstance(value, str) and name != "anti_forgery"}
    pairs["anti_forgery"] = header(request.headers, "x-anti-forgery") or ""
    others = tuple(pair for pair in request.headers if pair[0].lower() != "content-type")
    headers = (*others, ("Content-Type", "application/x-www-form-urlencoded"))
    return replace(request, headers=headers, body=urlencode(pairs).encode())
