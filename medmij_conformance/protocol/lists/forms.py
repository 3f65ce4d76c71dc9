"""How a generation writes the model: tables of elements, and one reader and one writer that follow any of them.

Reading is strict about structure (elements, order, namespace) and open about values; patterns, lengths and uniqueness are for
a schema. A ``Stream`` reads the same tables without looking at structure, for documents that a schema has just accepted.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple, cast

from lxml import etree

from medmij_conformance.protocol.lists.model import AnyList
from medmij_conformance.protocol.lists.places import SPACE, Mismatch, short

#: Where a value stands in the model: ``("providers", 3, "services", 0, "token_endpoint")``.
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Text:
    """A value in the text of an element. ``path`` leads there from the element of its record; empty: that element.

    An ``optional`` element is left out when the value is the empty string, and reads as that when it is not there.
    """

    attribute: str
    path: str
    read: Callable[[str], object] = str
    write: Callable[..., str] = str
    optional: bool = False


@dataclass(frozen=True)
class Many:
    """A tuple of records: one element ``item`` for each, in the element ``path`` or, if that is empty, among its neighbours."""

    attribute: str
    path: str
    item: str
    record: "Record"
    minimum: int = 0


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Record:
    """An object as a sequence of elements, one for each field, in this order.

    ``make`` takes the values by their names or in this order. ``view`` gives the attributes that are written, where they are
    not the object's own.
    """

    make: Callable[..., object]
    fields: tuple[Text | Many, ...]
    view: Callable[[Any], Any] = _same

    @cached_property
    def plan(self) -> "Plan":
        """The elements of a record, in their order."""
        return _plan([(_steps(field), field) for field in self.fields])


class _Step(NamedTuple):
    """An element, what is in it, and the first field that it leads to; without a name the field is reached."""

    name: str
    field: Text | Many
    inside: "Plan"


Plan = tuple[_Step, ...]


def _plan(ways: Sequence[tuple[tuple[str, ...], Text | Many]]) -> Plan:
    """Neighbouring fields that begin with the same element share it."""
    steps: list[_Step] = []
    for name, group in groupby(ways, key=lambda way: way[0][0] if way[0] else ""):
        fields = list(group)
        if name:
            steps.append(_Step(name, fields[0][1], _plan([(way[1:], field) for way, field in fields])))
        else:
            steps += [_Step("", field, ()) for _, field in fields]
    return tuple(steps)


@dataclass(frozen=True)
class Form:
    """One list in one generation: namespace and name of its root element, and what is in it."""

    namespace: str
    root: str
    record: Record

    @cached_property
    def items(self) -> Many:
        """The collection of the list."""
        return next(field for field in self.record.fields if isinstance(field, Many))

    def tag(self, name: str) -> str:
        """The name with its namespace, as lxml writes it."""
        return f"{{{self.namespace}}}{name}"

    # --- writing ---

    def write(self, value: AnyList) -> etree._Element:
        """The list as a tree. Raises ``ValueError`` for what this form cannot express."""
        root = etree.Element(self.tag(self.root), nsmap={None: self.namespace})
        self._write(root, self.record, value)
        return root

    def _write(self, element: etree._Element, record: Record, value: object) -> None:
        self._write_plan(element, record.plan, record.view(value))

    def _write_plan(self, element: etree._Element, plan: Plan, value: object) -> None:
        for name, field, inside in plan:
            content = getattr(value, field.attribute)
            if name:
                if not (isinstance(field, Text) and field.optional and content == ""):
                    self._write_plan(etree.SubElement(element, self.tag(name)), inside, value)
            elif isinstance(field, Many):
                for each in content:
                    self._write(etree.SubElement(element, self.tag(field.item)), field.record, each)
            else:
                element.text = field.write(content)

    # --- reading ---

    def read(self, root: etree._Element) -> AnyList:
        """The list in a tree whose root has this form's name. Raises ``Mismatch`` at the first other difference."""
        return cast(AnyList, self._read(root, self.record))

    def read_item(self, element: etree._Element) -> object:
        """One record of the collection, as strictly as ``read``."""
        return self._read(element, self.items.record)

    def read_head(self, root: etree._Element) -> dict[str, object]:
        """The values before the collection, by attribute, of a document that a schema has accepted."""
        texts = [field for field in self.record.fields if isinstance(field, Text)]
        return {field.attribute: field.read(root.findtext(self.tag(field.path)) or "") for field in texts}

    def _read(self, element: etree._Element, record: Record) -> object:
        values: dict[str, object] = {}
        self._fill(values, element, record.plan)
        try:
            return record.make(**values)
        except ValueError as error:
            raise Mismatch(element, str(error)) from None

    def _fill(self, values: dict[str, object], element: etree._Element, plan: Plan) -> None:
        if not plan[0].name and isinstance(plan[0].field, Text):
            values[plan[0].field.attribute] = self._text(element, plan[0].field)
            return
        children = _elements_only(element)
        position = 0
        wanted = ""
        for name, field, inside in plan:
            wanted = name or (field.item if isinstance(field, Many) else "")
            found = position < len(children) and children[position].tag == self.tag(wanted)
            if not name and isinstance(field, Many):
                items = []
                while position < len(children) and children[position].tag == self.tag(field.item):
                    items.append(self._read(children[position], field.record))
                    position += 1
                values[field.attribute] = tuple(items)
                if len(items) < field.minimum and position == len(children):
                    raise Mismatch(element, f"at least {field.minimum} {field.item} is needed")
            elif found:
                self._fill(values, children[position], inside)
                position += 1
            elif isinstance(field, Text) and field.optional:
                values[field.attribute] = ""
            elif position < len(children):
                raise self._other(children[position], wanted)
            else:
                raise Mismatch(element, f"{wanted} is missing")
        if position < len(children):
            if not plan[-1].name:
                raise self._other(children[position], wanted)
            raise Mismatch(children[position], f"nothing may follow {wanted} here")

    @staticmethod
    def _text(element: etree._Element, field: Text) -> object:
        if len(element):
            raise Mismatch(element[0], "text was expected here, not an element")
        _refuse_attributes(element)
        try:
            return field.read(element.text or "")
        except ValueError as error:
            raise Mismatch(element, f"{short(element.text)}: {error}") from None

    def _other(self, element: etree._Element, expected: str) -> Mismatch:
        same_name = etree.QName(element).localname == expected
        return Mismatch(element, f"{expected} was expected here" + (f", in namespace {self.namespace}" if same_name else ""))

    # --- what a schema has accepted, read fast ---

    def quick_reader(self) -> Callable[[etree._Element], object]:
        """A reader of one record of the collection that trusts the structure.

        Where every value and every collection has an element of its own name, only those are visited, in the order of the
        document, which is the order of the table. Elsewhere it is the strict reader.
        """
        record = self.items.record
        names = list(_visited(record, self.items.item))
        if len(set(names)) < len(names):
            return self.read_item
        tags, read = [self.tag(name) for name in names], _visitor(record)
        return lambda element: read(element.iter(*tags))

    # --- where a value stands ---

    def path(self, place: Place) -> str:
        """The path of a value's element, every record of a collection numbered from one, in no matter which document."""
        return "/".join([self.root, *(name if number is None else f"{name}[{number + 1}]" for name, number in self._steps(place))])

    def locate(self, root: etree._Element, place: Place, record: Record | None = None) -> etree._Element:
        """The element of a value in a tree that this form reads; ``record``: in the element of such a record.

        Where a value has no element of its own, the nearest one above.
        """
        element = root
        for name, number in self._steps(place, record):
            first = element.find(self.tag(name))
            if first is None:
                break
            element = element[element.index(first) + number] if number else first  # records of a collection stand together
        return element

    def locate_all(self, root: etree._Element, places: Iterable[Place]) -> Iterator[etree._Element]:
        """The elements of many values, which come in the order of the document: the tree is walked once."""
        collection = self.items.attribute
        records = enumerate(self.locate(root, (collection,)).iterchildren(self.tag(self.items.item)))
        number, record = -1, root
        for place in places:
            if place[0] != collection or len(place) == 1:
                yield self.locate(root, place)
                continue
            while number != place[1]:
                number, record = next(records)
            yield self.locate(record, place[2:], self.items.record)

    def _steps(self, place: Place, record: Record | None = None) -> Iterator[tuple[str, int | None]]:
        record = record or self.record
        rest = list(place)
        while rest:
            attribute = rest.pop(0)
            field = next((each for each in record.fields if each.attribute == attribute), None)
            if field is None:  # one attribute of the model, more than one in this form: the record is the place
                return
            yield from ((step, None) for step in _steps(field))
            if isinstance(field, Many) and rest:
                yield field.item, cast(int, rest.pop(0))
                record = field.record


def _visited(record: Record, item: str) -> Iterator[str]:
    """The names of the elements that a quick reader visits; one of them twice if it cannot read the record.

    ``item`` is the element of the record itself.
    """
    for field in record.fields:
        steps = _steps(field)
        yield steps[-1] if steps else item
        if isinstance(field, Many):
            yield from _visited(field.record, field.item)
        if not steps if isinstance(field, Many) else field.optional:
            yield steps[-1] if steps else item


def _visitor(record: Record) -> Callable[[Iterator[etree._Element]], Any]:
    make, reads = record.make, [_visit_text(f) if isinstance(f, Text) else _visit_items(f) for f in record.fields]
    if len(reads) == 2:
        first, second = reads
        return lambda elements: make(first(elements), second(elements))
    return lambda elements: make(*[read(elements) for read in reads])


def _visit_text(field: Text) -> Callable[[Iterator[etree._Element]], Any]:
    if field.read is str:
        return lambda elements: next(elements).text or ""
    return lambda elements: field.read(next(elements).text or "")


def _visit_items(field: Many) -> Callable[[Iterator[etree._Element]], Any]:
    read = _visitor(field.record)
    return lambda elements: tuple([read(elements) for _ in range(len(next(elements)))])


def _steps(field: Text | Many) -> tuple[str, ...]:
    return tuple(field.path.split("/")) if field.path else ()


def _refuse_attributes(element: etree._Element) -> None:
    """Only those that XML Schema allows everywhere, such as ``xsi:schemaLocation``, may be there."""
    for name in element.attrib:
        if not str(name).startswith("{http://www.w3.org/2001/XMLSchema-instance}"):
            raise Mismatch(element, f"attribute {short(name)} was not expected")


def _elements_only(element: etree._Element) -> list[etree._Element]:
    _refuse_attributes(element)
    children = list(element)
    for text in (element.text, *(child.tail for child in children)):
        if text and text.strip(SPACE):
            raise Mismatch(element, f"text between the elements: {short(text)}")
    return children
