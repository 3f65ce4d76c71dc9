"""The lists of MedMij Registratie: what they say, and how each generation writes it in XML.

There is one model of each list and, per generation, a table (``GENERATIONS``) that names the elements. Reading and
writing both follow that table, so another generation is another table. Reading is strict about structure (elements,
order, namespace) and open about values; patterns, lengths and uniqueness are for ``validate`` with a schema.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, cast

from lxml import etree

#: The largest document that is read into a tree; a tree takes about four times as much memory.
MAX_BYTES = 50 * 1024 * 1024

# --- the model -------------------------------------------------------------------------------------------------------


class Systeemrol(NamedTuple):
    """A system role that a service offers, with the FHIR base address where it does so."""

    code: str
    resource_endpoint: str


@dataclass(frozen=True)
class Service:
    """A gegevensdienst of one provider, with the addresses of its source."""

    gegevensdienst: str
    authorization_endpoint: str
    token_endpoint: str
    systeemrollen: tuple[Systeemrol, ...]


@dataclass(frozen=True)
class Provider:
    """A zorgaanbieder, ``name@medmij``, and what it offers."""

    name: str
    services: tuple[Service, ...]


@dataclass(frozen=True)
class Zal:
    """Zorgaanbiederslijst: who offers which data where. ``serial`` rises with each publication."""

    timestamp: datetime
    serial: int
    providers: tuple[Provider, ...] = ()


@dataclass(frozen=True)
class Node:
    """A host that may take part in back-channel traffic."""

    hostname: str


@dataclass(frozen=True)
class Whitelist:
    """The nodes that may talk to one another."""

    timestamp: datetime
    serial: int
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True)
class OAuthClient:
    """A PGO: its host name is its ``client_id``, its organisation the name on consent pages."""

    hostname: str
    organisation: str


@dataclass(frozen=True)
class Ocl:
    """OAuthclientlist: the PGOs."""

    timestamp: datetime
    serial: int
    clients: tuple[OAuthClient, ...] = ()


@dataclass(frozen=True)
class ServiceName:
    """How a gegevensdienst is called in front of people."""

    gegevensdienst: str
    display_name: str


@dataclass(frozen=True)
class Gnl:
    """Gegevensdienstnamenlijst: the names of the services, from generation 1.1."""

    timestamp: datetime
    serial: int
    names: tuple[ServiceName, ...] = ()


AnyList = Zal | Whitelist | Ocl | Gnl


class ListError(ValueError):
    """A document that is not one of the lists; says in one line where (``line N: path``) and why."""

    def __init__(self, line: int, path: str, problem: str) -> None:
        super().__init__(f"line {line}: {path}: {problem}" if path else f"line {line}: {problem}")


# --- how a generation writes the model -------------------------------------------------------------------------------


_SPACE = " \t\r\n"  # what XML takes for white space; Unicode has more


def _timestamp_text(timestamp: datetime) -> str:
    if timestamp.tzinfo is None:
        raise ValueError("the timestamp of a list needs a time zone")
    return timestamp.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _timestamp(text: str) -> datetime:
    """Without a zone the moment is not determined; it is read as UTC, so that timestamps can always be compared."""
    text = text.strip(_SPACE)
    # fromisoformat takes more than xs:dateTime does, such as week numbers and a space for the T.
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?", text):
        raise ValueError("not a date and time such as 2018-09-01T09:00:00Z")
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _positive_integer(text: str) -> int:
    if not re.fullmatch(r"\+?0*[1-9][0-9]{0,99}", text.strip(_SPACE)):
        raise ValueError("not a positive whole number")
    return int(text)


@dataclass(frozen=True)
class Text:
    """A value in the text of an element. ``path`` leads there from the element of its record; empty: that element."""

    attribute: str
    path: str
    read: Callable[[str], object] = str
    write: Callable[..., str] = str


@dataclass(frozen=True)
class Many:
    """A tuple of records: one element ``item`` for each, together in the element ``path``."""

    attribute: str
    path: str
    item: str
    record: "Record"
    minimum: int = 0


@dataclass(frozen=True)
class Record:
    """An object as a sequence of elements, one for each field, in this order."""

    make: Callable[..., object]
    fields: tuple[Text | Many, ...]


@dataclass(frozen=True)
class Form:
    """One list in one generation: namespace and name of its root element, and what is in it."""

    namespace: str
    root: str
    record: Record

    def write(self, value: AnyList) -> etree._Element:
        """The list as a tree."""
        root = etree.Element(self._tag(self.root), nsmap={None: self.namespace})
        self._write(root, self.record, value)
        return root

    def read(self, root: etree._Element) -> AnyList:
        """The list in a tree whose root has this form's name. Raises ``_Mismatch`` at the first other difference."""
        return cast(AnyList, self._read(root, self.record))

    def _tag(self, name: str) -> str:
        return f"{{{self.namespace}}}{name}"

    def _write(self, element: etree._Element, record: Record, value: object) -> None:
        for field in record.fields:
            target = element
            for step in _steps(field):
                target = etree.SubElement(target, self._tag(step))
            content = getattr(value, field.attribute)
            if isinstance(field, Text):
                target.text = field.write(content)
            else:
                for each in content:
                    self._write(etree.SubElement(target, self._tag(field.item)), field.record, each)

    def _read(self, element: etree._Element, record: Record) -> object:
        places = [(field, _steps(field)) for field in record.fields]
        children = iter(self._sequence(element, [steps[0] for _, steps in places if steps]))
        values: dict[str, object] = {}
        for field, steps in places:
            target = next(children) if steps else element
            for step in steps[1:]:
                (target,) = self._sequence(target, [step])
            values[field.attribute] = self._value(target, field)
        return record.make(**values)

    def _value(self, element: etree._Element, field: Text | Many) -> object:
        if isinstance(field, Many):
            return tuple(self._read(item, field.record) for item in self._items(element, field))
        if len(element):
            raise _Mismatch(element[0], "text was expected here, not an element")
        _refuse_attributes(element)
        try:
            return field.read(element.text or "")
        except ValueError as error:
            raise _Mismatch(element, f"{_short(element.text)}: {error}") from None

    def _sequence(self, element: etree._Element, names: Sequence[str]) -> list[etree._Element]:
        """The children of ``element``, which must have exactly these names in this order."""
        if not names:  # the record is the text of this very element
            return []
        children = self._elements_only(element)
        for name, child in zip(names, children, strict=False):
            if child.tag != self._tag(name):
                raise self._other(child, name)
        if len(children) > len(names):
            raise _Mismatch(children[len(names)], f"nothing may follow {names[-1]} here")
        if len(children) < len(names):
            raise _Mismatch(element, f"{names[len(children)]} is missing")
        return children

    def _items(self, element: etree._Element, field: Many) -> list[etree._Element]:
        """The children of ``element``, which must all be items of ``field``."""
        children = self._elements_only(element)
        for child in children:
            if child.tag != self._tag(field.item):
                raise self._other(child, field.item)
        if len(children) < field.minimum:
            raise _Mismatch(element, f"at least {field.minimum} {field.item} is needed")
        return children

    def _other(self, element: etree._Element, expected: str) -> "_Mismatch":
        same_name = etree.QName(element).localname == expected
        return _Mismatch(element, f"{expected} was expected here" + (f", in namespace {self.namespace}" if same_name else ""))

    @staticmethod
    def _elements_only(element: etree._Element) -> list[etree._Element]:
        _refuse_attributes(element)
        children = list(element)
        for text in (element.text, *(child.tail for child in children)):
            if text and text.strip(_SPACE):
                raise _Mismatch(element, f"text between the elements: {_short(text)}")
        return children


def _steps(field: Text | Many) -> list[str]:
    return field.path.split("/") if field.path else []


def _refuse_attributes(element: etree._Element) -> None:
    """Only those that XML Schema allows everywhere, such as ``xsi:schemaLocation``, may be there."""
    for name in element.attrib:
        if not str(name).startswith("{http://www.w3.org/2001/XMLSchema-instance}"):
            raise _Mismatch(element, f"attribute {_short(name)} was not expected")


def _frame(make: type[AnyList], collection: Many) -> Record:
    """What all lists share."""
    timestamp = Text("timestamp", "Tijdstempel", _timestamp, _timestamp_text)
    serial = Text("serial", "Volgnummer", _positive_integer)
    return Record(make, (timestamp, serial, collection))


_SYSTEEMROL = Record(
    Systeemrol,
    (Text("code", "Systeemrolcode"), Text("resource_endpoint", "ResourceEndpoint/ResourceEndpointuri")),
)
_SERVICE = Record(
    Service,
    (
        Text("gegevensdienst", "GegevensdienstId"),
        Text("authorization_endpoint", "AuthorizationEndpoint/AuthorizationEndpointuri"),
        Text("token_endpoint", "TokenEndpoint/TokenEndpointuri"),
        Many("systeemrollen", "Systeemrollen", "Systeemrol", _SYSTEEMROL, minimum=1),
    ),
)
_PROVIDER = Record(
    Provider,
    (
        Text("name", "Zorgaanbiedernaam"),
        Many("services", "Gegevensdiensten", "Gegevensdienst", _SERVICE, minimum=1),
    ),
)
_ZAL = Form(
    "xmlns://afsprakenstelsel.medmij.nl/zorgaanbiederslijst/release2/",
    "Zorgaanbiederslijst",
    _frame(Zal, Many("providers", "Zorgaanbieders", "Zorgaanbieder", _PROVIDER)),
)

_CLIENT = Record(OAuthClient, (Text("hostname", "Hostname"), Text("organisation", "OAuthclientOrganisatienaam")))
_OCL = Form(
    "xmlns://afsprakenstelsel.medmij.nl/oauthclientlist/release2/",
    "OAuthclientlist",
    _frame(Ocl, Many("clients", "OAuthclients", "OAuthclient", _CLIENT)),
)

# One namespace, two forms: a document of the one is invalid in the other, and only its structure tells them apart.
_WHITELIST_NAMESPACE = "xmlns://afsprakenstelsel.medmij.nl/whitelist/release2/"
_WHITELIST_OF_NAMES = Form(
    _WHITELIST_NAMESPACE,
    "Whitelist",
    _frame(
        Whitelist,
        Many("nodes", "MedMijNodes", "MedMijNode", Record(Node, (Text("hostname", ""),)), minimum=1),
    ),
)
_WHITELIST_OF_NODES = Form(
    _WHITELIST_NAMESPACE,
    "Whitelist",
    _frame(Whitelist, Many("nodes", "MedMijNodes", "MedMijNode", Record(Node, (Text("hostname", "Hostname"),)))),
)

_SERVICE_NAME = Record(ServiceName, (Text("gegevensdienst", "GegevensdienstId"), Text("display_name", "Weergavenaam")))
_GNL = Form(
    "xmlns://afsprakenstelsel.medmij.nl/gegevensdienstnamenlijst/release1/",
    "Gegevensdienstnamenlijst",
    _frame(Gnl, Many("names", "Gegevensdiensten", "Gegevensdienst", _SERVICE_NAME)),
)

#: The forms of each generation, by list.
GENERATIONS: Mapping[str, Mapping[type[AnyList], Form]] = {
    "1.0": {Zal: _ZAL, Whitelist: _WHITELIST_OF_NAMES, Ocl: _OCL},
    "1.1": {Zal: _ZAL, Whitelist: _WHITELIST_OF_NODES, Ocl: _OCL, Gnl: _GNL},
}

#: Short names of the lists, as in file names of schemas: ``schemas/lists/<generation>/<kind>.xsd``.
KINDS: Mapping[type[AnyList], str] = {Zal: "zal", Whitelist: "whl", Ocl: "ocl", Gnl: "gnl"}


# --- documents -------------------------------------------------------------------------------------------------------


def serialise(content: AnyList, generation: str) -> bytes:
    """The list as an XML document, UTF-8 and indented, in a generation of ``GENERATIONS``.

    Values are written as they are, whether or not a schema accepts them. Raises ``ValueError`` for a generation that is
    unknown or has no such list, a timestamp without time zone, and characters that XML cannot hold.
    """
    forms = GENERATIONS.get(generation)
    if forms is None:
        raise ValueError(f"unknown generation of lists {generation!r}: {', '.join(GENERATIONS)}")
    form = forms.get(type(content))
    if form is None:
        raise ValueError(f"generation {generation} has no {KINDS[type(content)]}")
    body: bytes = etree.tostring(form.write(content), encoding="UTF-8", xml_declaration=False, pretty_print=True)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body


def parse(data: bytes, *, max_bytes: int = MAX_BYTES) -> AnyList:
    """The list in an XML document of any generation; which list it is, its root element says.

    Raises ``ListError`` for a document that is longer than ``max_bytes``, is not well-formed, has a DOCTYPE, is not one
    of the lists, or differs from its form in elements, their order or their namespace.
    """
    root = _root(data, max_bytes)
    mismatches = []
    for form in _forms(root):
        attempt = _attempt(form, root)
        if not isinstance(attempt, _Mismatch):
            return attempt
        mismatches.append(attempt)
    # The form that fitted longest is the one that was meant, so its complaint is the one to hear.
    furthest = max(mismatches, key=lambda mismatch: _position(mismatch.element))
    raise _located(furthest.element, furthest.problem)


def kind(data: bytes, *, max_bytes: int = MAX_BYTES) -> str:
    """Which list the root element announces, by its name in ``KINDS``. Raises ``ListError`` if none."""
    forms = _forms(_root(data, max_bytes))
    return next(KINDS[each] for of in GENERATIONS.values() for each, form in of.items() if form in forms)


def generations(data: bytes, *, max_bytes: int = MAX_BYTES) -> tuple[str, ...]:
    """The generations in which ``parse`` can read the document, oldest first; none if it cannot."""
    try:
        root = _root(data, max_bytes)
        readable = [form for form in _forms(root) if not isinstance(_attempt(form, root), _Mismatch)]
    except ListError:
        return ()
    return tuple(name for name, forms in GENERATIONS.items() if any(form in readable for form in forms.values()))


def validate(data: bytes, schema: bytes | Path, *, max_bytes: int = MAX_BYTES) -> list[str]:
    """What an XML Schema has against a document: ``line N: path: problem`` for each error, none if it is valid.

    A document that cannot be read at all gives one such line, and so does one with more errors than can be placed in
    reasonable time (in a document of a megabyte, some hundreds). Raises ``ValueError`` if ``schema`` itself is not one.
    """
    compiled = _schema(schema)
    try:
        root = _root(data, max_bytes)
    except ListError as error:
        return [str(error)]
    limit = max(10, _PLACING_BUDGET // int(root.xpath("count(//*)")))
    problems = _problems(data, compiled, limit)
    if not problems:
        return []
    if len(problems) > limit:
        return [str(_located(root, f"over {limit} errors, too many to place; the first is: {problems[0]}"))]
    compiled.validate(root)
    return [
        str(_located(_element_at(root, entry.path), _plain(entry.message)))
        for entry in compiled.error_log
        if not _is_echo(entry.message)
    ]


class _Mismatch(Exception):  # noqa: N818 - it never leaves this module
    """A document differs from a form, at an element."""

    def __init__(self, element: etree._Element, problem: str) -> None:
        super().__init__(problem)
        self.element = element
        self.problem = problem


def _parser(schema: etree.XMLSchema | None = None) -> etree.XMLParser:
    # Comments and processing instructions go: they would cut a value in two, of which only the first half is read.
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        schema=schema,
    )


def _root(data: bytes, max_bytes: int) -> etree._Element:
    if len(data) > max_bytes:
        raise ListError(1, "", f"the document has {len(data)} bytes, more than the {max_bytes} that are read")
    try:
        root = etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        problem = re.sub(r", line \d+, column \d+$", "", error.msg or "unreadable")
        raise ListError(error.lineno or 1, "", f"not well-formed XML: {_one_line(problem)}") from None
    # The parser does not resolve entities, but it keeps them: a document type has no place in a list at all.
    if root.getroottree().docinfo.internalDTD is not None:
        raise ListError(1, "", "a DOCTYPE is not allowed")
    return root


def _forms(root: etree._Element) -> list[Form]:
    """The different forms that have this root element; more than one where generations share a namespace."""
    known = list(dict.fromkeys(form for forms in GENERATIONS.values() for form in forms.values()))
    name = etree.QName(root)
    namesakes = [form for form in known if form.root == name.localname]
    if not namesakes:
        roots = ", ".join(dict.fromkeys(form.root for form in known))
        raise _located(root, f"not a list of MedMij; those are {roots}")
    fitting = [form for form in namesakes if form.namespace == name.namespace]
    if not fitting:
        raise _located(root, f"the namespace is {_short(name.namespace)}, not {namesakes[0].namespace}")
    return fitting


def _attempt(form: Form, root: etree._Element) -> AnyList | _Mismatch:
    try:
        return form.read(root)
    except _Mismatch as mismatch:
        return mismatch


def _position(element: etree._Element) -> int:
    """How many elements stand before this one in its document."""
    return next(number for number, each in enumerate(element.getroottree().iter()) if each is element)


def _schema(schema: bytes | Path) -> etree.XMLSchema:
    try:
        if isinstance(schema, bytes):
            return etree.XMLSchema(etree.fromstring(schema, _parser()))
        return etree.XMLSchema(etree.parse(str(schema), _parser()))
    except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
        raise ValueError(f"not an XML Schema: {_one_line(str(error))}") from None


# Finding the path of one error takes time in proportion to the elements of the document, so a hostile document could
# keep us busy for hours. This is how many steps, errors times elements, we are ready to take: about two seconds.
_PLACING_BUDGET = 20_000_000
_CHUNK = 65536  # bytes


def _problems(data: bytes, schema: etree.XMLSchema, limit: int) -> list[str]:
    """The complaints of a schema without their places, in linear time; stops some way after the first ``limit``."""
    parser = _parser(schema)
    try:
        for start in range(0, len(data), _CHUNK):
            parser.feed(data[start : start + _CHUNK])
            if len(parser.feed_error_log) > limit:
                break
        else:
            parser.close()
    except etree.XMLSyntaxError:  # how the parser says that the document is not valid
        pass
    return [_plain(entry.message) for entry in parser.feed_error_log if not _is_echo(entry.message)]


# --- saying where ----------------------------------------------------------------------------------------------------


def _located(element: etree._Element, problem: str) -> ListError:
    return ListError(element.sourceline or 1, _path(element), problem)


def _path(element: etree._Element) -> str:
    """From the root to the element: local names, numbered from one where siblings share a name."""
    return "/".join(_step(each) for each in (*reversed(list(element.iterancestors())), element))


def _step(element: etree._Element) -> str:
    name = etree.QName(element).localname[:80]
    before = sum(1 for _ in element.itersiblings(element.tag, preceding=True))
    alone = before == 0 and next(element.itersiblings(element.tag), None) is None
    return name if alone else f"{name}[{before + 1}]"


def _element_at(root: etree._Element, path: str | None) -> etree._Element:
    """The element of a schema error, whose path looks like ``/*/*[3]``."""
    found = root.getroottree().xpath(path) if path else []
    return cast(etree._Element, found[0]) if isinstance(found, list) and found else root


def _plain(message: str) -> str:
    """A message of libxml2 without the element, which the path names, and without the braces of namespaces."""
    message = re.sub(r"^Element '[^']*'(, attribute '[^']*')?: ", lambda match: match[1][2:] + ": " if match[1] else "", message)
    return _one_line(re.sub(r"\{[^{}\s]*://[^{}\s]*\}", "", message))


def _is_echo(message: str) -> bool:
    """Whether libxml2 only says that it cannot compare a value, which it refused before, with others."""
    return "No precomputed value available" in message


def _one_line(text: str, limit: int = 500) -> str:
    """Text that may hold anything, as one line of printable characters."""
    line = "".join(character if character.isprintable() else "?" for character in " ".join(text[: 2 * limit].split()))
    return line if len(line) <= limit else f"{line[:limit]}..."


def _short(value: object, limit: int = 80) -> str:
    """A value of the document, quoted and cut to a length that fits a line."""
    shown = repr(value if value is None else str(value))
    return shown if len(shown) <= limit else f"{shown[:limit]}..."
