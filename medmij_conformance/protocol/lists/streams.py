"""Documents that are too long for a tree: validated and read record by record, in memory that hardly grows."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from lxml import etree

from medmij_conformance.protocol.lists.documents import forms_of, not_well_formed, options, refuse_doctype
from medmij_conformance.protocol.lists.forms import Form
from medmij_conformance.protocol.lists.places import Complaint, ListError, Mismatch, Paths, plain
from medmij_conformance.protocol.lists.schemas import CHUNK, finer, locate_errors

_HEAD = 16  # chunks in which a list must have begun
_BLOCK = 1024 * 1024  # bytes; large enough that the two threads seldom wait for each other


def sniff(source: BinaryIO) -> list[Form]:
    """The forms that the head of a document fits: its root element, and its first record if that comes soon.

    Raises ``ListError`` for what is not the beginning of a list, a DOCTYPE among it. Leaves ``source`` at its start.
    """
    parser = etree.XMLPullParser(events=("start", "end"), **options())
    forms: list[Form] = []
    try:
        for _ in range(_HEAD):
            parser.feed(source.read(CHUNK))
            for event, element in parser.read_events():
                if not forms:
                    refuse_doctype(element)
                    forms = forms_of(element)
                elif event == "end" and any(element.tag == form.tag(form.items.item) for form in forms):
                    return [form for form in forms if _fits(form, element)] or forms
    except etree.XMLSyntaxError as error:
        raise not_well_formed(error) from None
    finally:
        source.seek(0)
    if not forms:
        raise ListError(1, "", f"no element in the first {_HEAD * CHUNK} bytes")
    return forms


def _fits(form: Form, element: etree._Element) -> bool:
    try:
        form.read_item(element)
    except Mismatch:
        return False
    return True


class _Invalid(Exception):  # noqa: N818 - it never leaves this module
    """A block in which the schema complained, or which is not well-formed XML, by its number."""

    def __init__(self, number: int, error: etree.XMLSyntaxError | None) -> None:
        super().__init__(number)
        self.number = number
        self.error = error


class _NoTree:
    """What a parser builds that only validates."""

    def close(self) -> None:
        """A parser asks for this at the end."""


class _Validator:
    """Reads a source block by block and hands out those that are valid so far; of a whole document none is left out."""

    def __init__(self, source: BinaryIO, schema: etree.XMLSchema) -> None:
        self._source = source
        self._parser = etree.XMLParser(target=_NoTree(), schema=schema, **options())
        self._number = -1

    def next_block(self) -> bytes:
        """The next block, empty at the end. Raises ``_Invalid``."""
        self._number += 1
        try:
            if block := self._source.read(_BLOCK):
                self._parser.feed(block)
            else:
                self._number -= 1
                self._parser.close()
        except etree.XMLSyntaxError as error:
            raise _Invalid(self._number, error) from None
        if len(self._parser.feed_error_log):
            raise _Invalid(self._number, None)
        return block


class Stream:
    """The records of a long document that is valid; the first that is not ends it.

    Iterating gives each record with the line on which it begins. ``count`` is how many came, and at the end ``head`` holds the
    values before the records, such as ``serial``. Raises ``ListError`` at the first complaint of the schema, and for a document
    that is not well-formed or ends too soon. ``source`` is read from its start, and, to find the place of an error, once more.

    A thread validates one block while the records of the one before are read: libxml2 needs no interpreter for that.
    """

    def __init__(self, source: BinaryIO, form: Form, schema: etree.XMLSchema) -> None:
        self.source = source
        self.form = form
        self.schema = schema
        self.head: dict[str, object] = {}
        self.count = 0
        self._item = form.tag(form.items.item)
        self._root = form.tag(form.root)

    def __iter__(self) -> Iterator[tuple[int, object]]:
        self.source.seek(0)
        parser = etree.XMLPullParser(events=("end",), tag=[self._root, self._item], **options())
        read = self.form.quick_reader()
        try:
            for block in self._valid_blocks():
                parser.feed(block)
                yield from self._records(parser, read)
            parser.close()
        except _Invalid as invalid:
            raise self._first_complaint(invalid.number, invalid.error) from None
        except etree.XMLSyntaxError as error:
            raise not_well_formed(error) from None
        # A validating parser does not mind a document that stops between two elements; the end of the root must have been seen.
        if not self.head:
            raise ListError(1, self.form.root, "the document ends before this element does")

    def _valid_blocks(self) -> Iterator[bytes]:
        validator = _Validator(self.source, self.schema)
        with ThreadPoolExecutor(1) as thread:
            ahead = thread.submit(validator.next_block)
            while block := ahead.result():
                ahead = thread.submit(validator.next_block)
                yield block

    def _records(self, parser: etree.XMLPullParser, read: Callable[[etree._Element], object]) -> Iterator[tuple[int, object]]:
        last, item = None, self._item
        for _, element in parser.read_events():
            if element.tag == item:
                self.count += 1
                yield element.sourceline, read(element)
                last = element
            else:
                self.head = self.form.read_head(element)
        if last is not None:
            _drop(last)

    def _first_complaint(self, number: int, error: etree.XMLSyntaxError | None) -> ListError:
        """The error that showed in this block, with its place."""
        self.source.seek(0)
        paths = Paths()

        def drop(element: etree._Element) -> None:
            paths.collection = element.getparent()
            paths.removed += _drop_previous(element)

        blocks = iter(lambda: self.source.read(_BLOCK), b"")
        for element, message in locate_errors(finer(blocks, {number}), self.schema, self._root, self._item, drop):
            return ListError(*Complaint(element.sourceline or 1, paths.of(element), plain(message)))
        if error is None:
            return ListError(1, self.form.root, "the schema does not accept it")
        return not_well_formed(error)


def _drop(last: etree._Element) -> None:
    """Give the memory of records back. The last stays, empty, until the next ones, because the parser is still at its end."""
    parent = last.getparent()
    first = parent.find(last.tag)
    del parent[parent.index(first) : parent.index(last)]
    last.clear()


def _drop_previous(element: etree._Element) -> int:
    previous = element.getprevious()
    if previous is None or previous.tag != element.tag:
        return 0
    element.getparent().remove(previous)
    return 1
