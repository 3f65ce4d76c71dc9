"""HTML pages as a browser would use them: text, links, forms, and where a page leads by itself. Shapes only."""

import dataclasses
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from lxml import etree, html
from lxml.cssselect import CSSSelector

_INVISIBLE = {"script", "style", "template", "noscript", "head"}
_INLINE = {"a", "abbr", "b", "cite", "code", "del", "em", "font", "i", "ins", "label", "mark", "q", "s", "small", "span", "strong"}
_INLINE |= {"sub", "sup", "time", "u", "wbr"}  # what stands next to these is part of the same word
_AUTO_SUBMIT = re.compile(r"\.submit\s*\(\s*\)")
_REFRESH = re.compile(r"^\s*(\d+)(?:\.\d*)?\s*[;,]\s*(?:url\s*=\s*)?['\"]?([^'\"]+)", re.IGNORECASE)
_END_OF_BODY = re.compile(rb"</(?:body|html)\s*>", re.IGNORECASE)  # what stands after it is body to a browser, and lost to libxml2
_LONG = 16  # a hidden value that is shorter may be a mere number or word
_SOON_S = 10  # a later refresh ends a session that nobody uses; a person will have pressed something by then


@dataclass(frozen=True, slots=True)
class Submission:
    """What a browser would send: method, absolute URL and the pairs of the form.

    ``hidden`` are the values that the page put in and no person typed. A script may send something else than a form: then
    ``headers`` are those that it set and ``body`` holds its octets.
    """

    method: str
    url: str
    fields: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...] = dataclasses.field(default=(), compare=False)
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def altered(self, place: int | None = None) -> "Submission | None":
        """The same with the end of every long hidden value replaced, or of one alone, counted from the last: 0, 1 and so on.

        None when there is none to replace.
        """
        long = [value for value in self.hidden if len(value) >= _LONG]
        chosen = long if place is None else long[::-1][place : place + 1]
        return self._exchanged({value: value[:-6] + "AAAAAA" for value in chosen})

    def with_last_hidden_of(self, other: "Submission") -> "Submission | None":
        """The same with the last hidden value in which the two differ taken from the other; None when they differ in none."""
        if len(self.hidden) != len(other.hidden):
            return None
        differing = [pair for pair in zip(self.hidden, other.hidden, strict=True) if pair[0] != pair[1]]
        return self._exchanged(dict(differing[-1:]))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs of the form, or the texts of the JSON object that a script sends; empty for anything else."""
        if self.body is None:
            return self.fields
        try:
            members = json.loads(self.body)
        except (ValueError, RecursionError):
            return ()
        return (
            tuple((name, value) for name, value in members.items() if isinstance(value, str)) if isinstance(members, dict) else ()
        )

    def saying(self, pairs: Sequence[tuple[str, str]]) -> "Submission":
        """The same with other pairs; in a JSON object, a name that stands twice has a list."""
        if self.body is None:
            return replace(self, fields=tuple(pairs))
        members: dict[str, Any] = {}
        for name, value in pairs:
            members[name] = value if name not in members else [members[name], value]
        return replace(self, body=json.dumps(members).encode())

    def _exchanged(self, changes: Mapping[str, str]) -> "Submission | None":
        body = self.body
        for old, new in changes.items():
            body = body and body.replace(old.encode(), new.encode())
        fields = tuple((name, changes.get(value, value)) for name, value in self.fields)
        headers = tuple((name, changes.get(value, value)) for name, value in self.headers)
        changed = replace(self, fields=fields, headers=headers, body=body)
        return None if changed == self else changed


class PageError(ValueError):
    """A page cannot be used as asked; the message says which selector or field was not there."""


class Page:
    """An HTML page at a URL. Never raises on bad markup: what cannot be parsed is an empty page."""

    def __init__(self, body: bytes, url: str, charset: str = "utf-8") -> None:
        self.url = url
        parser = etree.HTMLParser(encoding=charset, no_network=True, huge_tree=False)
        try:
            self._root = html.document_fromstring(_END_OF_BODY.sub(b"", body), parser=parser)
        except (etree.ParserError, etree.XMLSyntaxError, ValueError, LookupError):
            self._root = html.document_fromstring("<html></html>")
        base = self._root.find(".//base[@href]")
        self.base = _join(url, base.get("href")) if base is not None else url

    @property
    def title(self) -> str:
        """The title of the page, white space folded."""
        return " ".join((self._root.findtext(".//title") or "").split())

    @property
    def text(self) -> str:
        """The visible text, white space folded."""
        parts: list[str] = []
        _collect(self._root, parts)
        return " ".join("".join(parts).split())

    @property
    def links(self) -> list[str]:
        """The absolute targets of the links a person can follow."""
        return [_join(self.base, a.get("href")) for a in self._root.iter("a", "area") if a.get("href")]

    @property
    def frames(self) -> list[str]:
        """The absolute sources of frames."""
        return [_join(self.base, f.get("src")) for f in self._root.iter("iframe", "frame") if f.get("src")]

    @property
    def addresses(self) -> list[str]:
        """Every absolute address that the page could send a browser to: links, form actions, refreshes, scripts' strings."""
        found = self.links + self.frames
        for form in self._root.iter("form"):
            found.append(_join(self.base, form.get("action") or self.url))
        for element in self._root.iter("button", "input"):
            if element.get("formaction"):
                found.append(_join(self.base, element.get("formaction")))
        if self.refresh:
            found.append(self.refresh)
        for script in self._root.iter("script"):
            found += re.findall(r"https?:[^\s'\"<>\\]+", script.text or "")
        return found

    @property
    def refresh(self) -> str | None:
        """Where a meta refresh leads; None without one."""
        found = self._refresh()
        return _join(self.base, found[2].strip()) if found else None

    @property
    def refreshes_soon(self) -> bool:
        """Whether a meta refresh leads away before a person could have used the page."""
        found = self._refresh()
        return found is not None and len(found[1]) < 9 and int(found[1]) <= _SOON_S

    def _refresh(self) -> re.Match[str] | None:
        metas = [m for m in self._root.iter("meta") if (m.get("http-equiv") or "").lower() == "refresh"]
        return next((found for meta in metas if (found := _REFRESH.match(meta.get("content") or ""))), None)

    @property
    def has_form(self) -> bool:
        """Whether there is a form at all."""
        return next(self._root.iter("form"), None) is not None

    @property
    def has_script(self) -> bool:
        """Whether the page may work by script."""
        return next(self._root.iter("script"), None) is not None

    @property
    def works_by_script(self) -> bool:
        """Whether nothing can be done on it but what a script would make of it: there is a script, and no form and no link."""
        return self.has_script and not self.has_form and not self.links

    def matches(self, selector: str) -> bool:
        """Whether a CSS selector finds something. Raises ``PageError`` when it is no selector."""
        return bool(self.select(selector))

    def select(self, selector: str) -> list[Any]:
        """The elements that a CSS selector finds. Raises ``PageError`` when it is no selector."""
        try:
            return list(_selector(selector)(self._root))
        except Exception as error:
            raise PageError(f"{selector!r} is not a CSS selector ({error})") from error

    def press(
        self,
        selector: str,
        fill: Mapping[str, str] | None = None,
        check: tuple[str, ...] = (),
        select: Mapping[str, str] | None = None,
    ) -> Submission:
        """Fill in the form around the control that ``selector`` finds, and press it; a link is followed.

        ``fill`` maps a field's name, or a selector, to its value; ``check`` are selectors of boxes to tick; ``select`` maps a
        selector to the option's value. Raises ``PageError`` when a control or a field is not there.
        """
        controls = self.select(selector)
        if not controls:
            raise PageError(f"nothing on the page matches {selector!r}")
        control = controls[0]
        if control.tag == "a":
            return Submission("GET", _join(self.base, control.get("href") or ""), ())
        form = control if control.tag == "form" else self._form_of(control)
        if form is None:
            raise PageError(f"{selector!r} stands in no form")
        for name, value in (fill or {}).items():
            field = self._field(form, name)
            _choose(field, value) if field.tag == "select" else field.set("value", value)
        for box in check:
            self._tick(form, self._first(box))
        for name, value in (select or {}).items():
            _choose(self._first(name), value)
        return self._submission(form, None if control is form else control)

    def automatic_submission(self) -> Submission | None:
        """The form that the page sends by itself: hidden fields and a script (or an onload) that submits. None without one."""
        forms = list(self._root.iter("form"))
        scripts = [script.text or "" for script in self._root.iter("script")]
        scripts += [body.get("onload") or "" for body in self._root.iter("body")]
        if len(forms) != 1 or not any(_AUTO_SUBMIT.search(script) for script in scripts):
            return None
        fields = list(forms[0].iter("input", "select", "textarea"))
        buttons = [f for f in fields if (f.get("type") or "").lower() in {"submit", "image"}] + list(forms[0].iter("button"))
        if len(buttons) > 1:  # there is something to choose, so the script is not meant to run by itself
            return None
        if any((f.get("type") or "text").lower() not in {"hidden", "submit", "button", "image"} for f in fields):
            return None
        return self._submission(forms[0], None)

    def hidden_fields(self) -> list[tuple[str, str]]:
        """The names and values of the hidden fields, over all forms."""
        return [
            (field.get("name") or "", field.get("value") or "")
            for field in self._root.iter("input")
            if (field.get("type") or "").lower() == "hidden"
        ]

    def _form_of(self, control: Any) -> Any:
        if control.get("form"):
            owners = [form for form in self._root.iter("form") if form.get("id") == control.get("form")]
            return owners[0] if owners else None
        return next(control.iterancestors("form"), None)

    def _controls(self, form: Any) -> list[Any]:
        kinds = ("input", "select", "textarea", "button")
        return [c for c in self._root.iter(*kinds) if self._form_of(c) is form and c.get("disabled") is None]

    def _field(self, form: Any, name: str) -> Any:
        for field in self._controls(form):
            if field.get("name") == name:
                return field
        try:
            return self._first(name)
        except PageError:
            raise PageError(f"the form has no field {name!r}") from None

    def _tick(self, form: Any, box: Any) -> None:
        if box.get("type", "").lower() == "radio":
            for other in self._controls(form):
                if other.get("type", "").lower() == "radio" and other.get("name") == box.get("name"):
                    other.attrib.pop("checked", None)
        box.set("checked", "checked")

    def _first(self, selector: str) -> Any:
        found = self.select(selector)
        if not found:
            raise PageError(f"nothing on the page matches {selector!r}")
        return found[0]

    def _submission(self, form: Any, pressed: Any) -> Submission:
        fields = [pair for control in self._controls(form) for pair in _successful(control, pressed)]
        action = (pressed.get("formaction") if pressed is not None else None) or form.get("action") or self.url
        method = (pressed.get("formmethod") if pressed is not None else None) or form.get("method") or "get"
        hidden = [(c.get("name"), c.get("value") or "") for c in self._controls(form) if (c.get("type") or "").lower() == "hidden"]
        own = tuple(value for name, value in hidden if name)
        return Submission(method.upper(), _join(self.base, action), tuple(fields), own)


@functools.lru_cache(1000)
def _selector(text: str) -> CSSSelector:
    return CSSSelector(text, translator="html")


def _join(base: str, address: str) -> str:
    try:
        return urljoin(base, address)
    except ValueError:  # no address at all, such as http://[
        return "about:invalid"


def _successful(control: Any, pressed: Any) -> list[tuple[str, str]]:
    """The pairs a control contributes (HTML: constructing the entry list)."""
    name, kind = control.get("name"), (control.get("type") or "").lower()
    is_button = control.tag == "button" or kind in {"submit", "image", "button", "reset"}
    if not name or (is_button and control is not pressed):
        return []
    if kind in {"checkbox", "radio"}:
        return [(name, control.get("value") or "on")] if control.get("checked") is not None else []
    if control.tag == "select":
        options = list(control.iter("option"))
        unasked = options[:1] if control.get("multiple") is None else []
        chosen = [o for o in options if o.get("selected") is not None] or unasked
        return [(name, o.get("value") if o.get("value") is not None else (o.text or "")) for o in chosen]
    if control.tag == "textarea":
        filled = control.get("value")  # a textarea has none, unless we filled it in
        return [(name, control.text or "" if filled is None else filled)]
    return [(name, control.get("value") or "")]


def _choose(field: Any, value: str) -> None:
    options = list(field.iter("option"))
    if all((option.get("value") or option.text) != value for option in options):
        raise PageError(f"the field {field.get('name')!r} has no option {value!r}")
    for option in options:
        option.attrib.pop("selected", None)
        if (option.get("value") or option.text) == value:
            option.set("selected", "selected")


def _collect(element: Any, parts: list[str]) -> None:
    if isinstance(element.tag, str) and element.tag not in _INVISIBLE and element.get("hidden") is None:
        space = "" if element.tag in _INLINE else " "
        parts += [space, element.text or ""]
        for child in element:
            _collect(child, parts)
            parts.append(child.tail or "")
        parts.append(space)
