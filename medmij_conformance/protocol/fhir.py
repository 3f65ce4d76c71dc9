"""FHIR STU3 messages: the little of their shape that the flow needs. Reading loosely, in JSON or XML."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

MEDIA_TYPES = frozenset(
    {"application/fhir+json", "application/json+fhir", "application/json", "text/json"}
    | {"application/fhir+xml", "application/xml+fhir", "application/xml", "text/xml"}
)
JSON = "application/fhir+json"
_NAMESPACE = "{http://hl7.org/fhir}"


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue of an OperationOutcome: its severity and code, empty when absent."""

    severity: str
    code: str


def resource_type(body: bytes) -> str | None:
    """The type of the resource in a body, or None when it is no FHIR resource."""
    if (data := _json(body)) is not None:
        name = data.get("resourceType") if isinstance(data, dict) else None
        return name if isinstance(name, str) and name else None
    root = _xml(body)
    if root is not None and isinstance(root.tag, str) and root.tag.startswith(_NAMESPACE):
        return str(root.tag.removeprefix(_NAMESPACE))
    return None


def issues(body: bytes) -> list[Issue]:
    """The issues of the OperationOutcome in a body, also of one inside a Bundle; empty when there is none."""
    if (data := _json(body)) is not None:
        found = []
        for outcome in _objects(data, "OperationOutcome"):
            rows = outcome.get("issue")
            found += [Issue(_text(r.get("severity")), _text(r.get("code"))) for r in _list(rows) if isinstance(r, dict)]
        return found
    root = _xml(body)
    if root is None:
        return []
    return [
        Issue(_value(issue, "severity"), _value(issue, "code"))
        for outcome in root.iter(f"{_NAMESPACE}OperationOutcome")
        for issue in outcome.iterfind(f"{_NAMESPACE}issue")
    ]


def resources(body: bytes) -> list[str]:
    """The types of every resource in a body, OperationOutcome and Bundle left out: what would be health data."""
    shells = {"Bundle", "OperationOutcome"}
    if (data := _json(body)) is not None:
        return [_text(r.get("resourceType")) for r in _objects(data, None) if r.get("resourceType") not in shells]
    root = _xml(body)
    if root is None or resource_type(body) is None:
        return []
    held = [child for holder in root.iter(f"{_NAMESPACE}resource") for child in holder if isinstance(child.tag, str)]
    tags = [str(element.tag).removeprefix(_NAMESPACE) for element in [root, *held]]
    return [tag for tag in tags if tag not in shells]


def identities(body: bytes) -> list[str]:
    """``Type/id`` of every resource in a JSON body that has an id, a Bundle itself left out."""
    data = _json(body)
    found = [] if data is None else list(_objects(data, None))
    pairs = [(_text(r.get("resourceType")), _text(r.get("id"))) for r in found]
    return [f"{kind}/{name}" for kind, name in pairs if name and kind != "Bundle"]


@dataclass(frozen=True, slots=True)
class Identifier:
    """A business identifier: its naming system and value, and whether the value says that it is masked."""

    system: str
    value: str
    masked: bool


BSN_SYSTEMS = frozenset({"http://fhir.nl/fhir/NamingSystem/bsn", "urn:oid:2.16.840.1.113883.2.4.6.3"})


def identifiers(body: bytes) -> list[Identifier]:
    """Every object in a body that has a system and an identifier's shape: a value, or an extension that stands for one."""
    return [
        Identifier(_text(pairs.get("system")), _text(pairs.get("value")), _is_masked(pairs))
        for pairs in _tables(body)
        if "system" in pairs and "code" not in pairs and "unit" not in pairs
    ]


def _is_masked(identifier: dict[str, Any]) -> bool:
    """Whether an extension says why there is no value: data-absent-reason or a null flavour, with the code masked."""
    return any("mask" in value.lower() or "data-absent-reason" in value for _, value in _pairs(identifier))


def entries(body: bytes) -> list[tuple[str, str]]:
    """The types of the resources in the entries of a Bundle, each with its search mode; empty where that is left out.

    An OperationOutcome is no entry here: it tells of the search and is not found by it.
    """
    found = []
    for entry in _tables(body):
        kind = _text(_table(entry.get("resource")).get("resourceType"))
        if kind and kind != "OperationOutcome":
            found.append((kind, _text(_table(entry.get("search")).get("mode"))))
    return found


def bsn_like(body: bytes) -> list[str]:
    """The names of the elements with a free-standing number that passes the eleven test of the BSN.

    Ids, addresses, codes and what stands in a coded element are left out: they are numbers of other kinds.
    """
    found = []
    for table in _tables(body):
        coded = "code" in table and "system" in table
        for key, value in table.items():
            if isinstance(value, str) and key not in _NO_NUMBERS and not coded:
                found += [key for number in _NINE.findall(value) if _passes_eleven_test(number)]
    return found


_NINE = re.compile(r"(?<![\w.:/|-])\d{9}(?![\w.:/|-])")
_NO_NUMBERS = frozenset({"id", "url", "fullUrl", "reference", "system", "code", "versionId", "data", "version"})


def _passes_eleven_test(number: str) -> bool:
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(digit) for weight, digit in zip(weights, number, strict=True)) % 11 == 0 and int(number) > 0


def _tables(body: bytes) -> Iterator[dict[str, Any]]:
    """Every object of a body in JSON, or of one in XML as the same object in JSON would be, repetitions left out."""
    data = _json(body)
    if data is None:
        root = _xml(body)
        data = None if root is None else {"root": _as_json(root)}
    waiting = [data]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield current
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current


def _as_json(element: Any) -> Any:
    """An element of FHIR XML in the shape of FHIR JSON: every child a list or a value, a resource with its type."""
    children = [child for child in element if isinstance(child.tag, str)]
    name = str(element.tag).removeprefix(_NAMESPACE)
    if not children:
        return element.get("value") or ""
    table: dict[str, Any] = {"resourceType": name} if name[:1].isupper() else {}
    for child in children:
        key, value = str(child.tag).removeprefix(_NAMESPACE), _as_json(child)
        if key == "resource" and len(child):
            value = _as_json(child[0])
        table[key] = value if key not in table else [*(_list(table[key]) or [table[key]]), value]
    return table


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def urls(body: bytes) -> list[str]:
    """The absolute addresses that a client would follow from here: links, full URLs and references."""
    if (data := _json(body)) is not None:
        return [value for key, value in _pairs(data) if key in {"url", "fullUrl", "reference"} and _is_address(value, key)]
    root = _xml(body)
    if root is None:
        return []
    names = {f"{_NAMESPACE}{name}": name for name in ("url", "fullUrl", "reference")}
    found = [(element.get("value") or "", names.get(str(element.tag), "")) for element in root.iter()]
    return [value for value, name in found if name and _is_address(value, name)]


def _is_address(value: str, key: str) -> bool:
    # An extension's url and a system are names, not addresses; links and references of a Bundle have these three keys.
    return value.startswith(("http://", "https://")) and not (key == "url" and "StructureDefinition" in value)


def _json(body: bytes) -> Any:
    if body.lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _xml(body: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return None if root.getroottree().docinfo.doctype else root


def _objects(data: Any, kind: str | None) -> Iterator[dict[str, Any]]:
    waiting = [data]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            name = current.get("resourceType")
            if isinstance(name, str) and kind in (None, name):
                yield current
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current


def _pairs(data: Any) -> Iterator[tuple[str, str]]:
    waiting = [data]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield from ((key, value) for key, value in current.items() if isinstance(value, str))
            waiting += current.values()
        elif isinstance(current, list):
            waiting += current


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _value(element: Any, name: str) -> str:
    child = element.find(f"{_NAMESPACE}{name}")
    return (child.get("value") or "") if child is not None else ""
