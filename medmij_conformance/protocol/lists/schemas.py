"""What an XML Schema has against a document, with the line and the path of every error.

libxml2 can validate while it parses, in time that grows with the document, but then it does not say where. So a document in which
errors were found is fed to it a second time, tag by tag around the errors: whatever is new in its log concerns the element that
was just read.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from lxml import etree

from medmij_conformance.protocol.lists.documents import MAX_BYTES, options, tree
from medmij_conformance.protocol.lists.places import Complaint, ListError, Paths, is_echo, one_line, plain

_XSD = "{http://www.w3.org/2001/XMLSchema}"
CHUNK = 65536  # bytes
#: After so many errors the rest is not looked for; nobody reads more, and a hostile document could have millions.
MAX_ERRORS = 10_000


def load_schema(schema: bytes | Path, *, unique: bool = True) -> etree.XMLSchema:
    """A schema, ready for use. Raises ``ValueError`` if it is not one.

    Without ``unique`` it does not look at what must be unique. libxml2 keeps every value that it compared until the end of the
    document, which takes more memory than all else on a long list; the rules beyond the schema find the same.
    """
    parser = etree.XMLParser(**options())
    try:
        root = etree.fromstring(schema, parser) if isinstance(schema, bytes) else etree.parse(str(schema), parser).getroot()
        for constraint in [] if unique else list(root.iter(f"{_XSD}unique")):
            constraint.getparent().remove(constraint)
        return etree.XMLSchema(root.getroottree())
    except (etree.XMLSyntaxError, etree.XMLSchemaParseError) as error:
        raise ValueError(f"not an XML Schema: {one_line(str(error))}") from None


def validate(data: bytes, schema: bytes | Path, *, max_bytes: int = MAX_BYTES) -> list[str]:
    """What an XML Schema has against a document: ``line N: path: problem`` for each error, none if it is valid.

    A document that cannot be read at all gives one such line. After ``MAX_ERRORS`` the last line says that there are more.
    Raises ``ValueError`` if ``schema`` itself is not one.
    """
    compiled = load_schema(schema)
    try:
        root = tree(data, max_bytes)
    except ListError as error:
        return [str(error)]
    return [str(each) for each in complaints(data, compiled, root)]


def complaints(data: bytes, schema: etree.XMLSchema, root: etree._Element, limit: int = MAX_ERRORS) -> list[Complaint]:
    """What a schema has against a document that is well-formed, in the order of the document. ``root`` is the root of its tree."""
    pieces = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    suspects = _chunks_with_errors(pieces, schema, limit)
    if not suspects:
        return []
    paths = Paths()
    found: list[Complaint] = []
    for element, message in locate_errors(finer(pieces, suspects), schema, str(root.tag)):
        if len(found) == limit:
            found.append(Complaint(found[-1].line, "", f"over {limit} errors; the others were not looked for"))
            break
        found.append(Complaint(element.sourceline or 1, paths.of(element), plain(message)))
    return found


def _chunks_with_errors(pieces: Iterable[bytes], schema: etree.XMLSchema, limit: int) -> set[int]:
    """The numbers of the pieces after which the log of the schema was longer than before."""
    parser = etree.XMLPullParser(events=(), schema=schema, **options())
    found, before, number = set(), 0, -1
    try:
        for number, piece in enumerate(pieces):
            parser.feed(piece)
            if (length := len(parser.feed_error_log)) > before:
                found.add(number)
                before = length
            if length > 2 * limit + 2:  # an error may have an echo
                return found
        parser.close()
    except etree.XMLSyntaxError:  # how the parser says that the document is not valid
        if len(parser.feed_error_log) > before or not found:
            found.add(number)
    return found


def finer(pieces: Iterable[bytes], suspects: set[int]) -> Iterator[bytes]:
    """The pieces, but those of ``suspects``, and what follows them, tag by tag."""
    for number, piece in enumerate(pieces):
        if number in suspects or number - 1 in suspects:
            yield from re.findall(rb"[^>]*>|[^>]+", piece)
        else:
            yield piece


def locate_errors(
    pieces: Iterable[bytes],
    schema: etree.XMLSchema,
    root: str,
    item: str = "",
    drop: Callable[[etree._Element], None] | None = None,
) -> Iterator[tuple[etree._Element, str]]:
    """The errors of a document that comes in pieces, each with the element that was being read, echoes left out.

    ``root`` is the tag of its root element. ``drop`` is given each element ``item`` once it is whole, to keep memory small.
    """
    tags = [root, item] if item else [root]
    parser = etree.XMLPullParser(events=("start", "end"), tag=tags, schema=schema, **options())
    top: etree._Element | None = None
    seen = 0
    ended = False

    def news() -> Sequence[tuple[etree._Element, str]]:
        nonlocal seen
        log = parser.feed_error_log
        entries = [log[number].message for number in range(seen, len(log))]
        seen = len(log)
        return [(_concerned(top, message), message) for message in entries if top is not None and not is_echo(message)]

    for piece in pieces:
        try:
            parser.feed(piece)
        except etree.XMLSyntaxError:
            ended = True
        for event, element in parser.read_events():
            if top is None:
                top = element
            elif event == "end" and drop is not None and element is not top:
                drop(element)
        yield from news()
        if ended:
            return
    try:
        parser.close()
    except etree.XMLSyntaxError:
        yield from news()


def _concerned(root: etree._Element, message: str) -> etree._Element:
    """The element of a message: the one of its name among those that were read last."""
    chain = [root]
    while (last := next(chain[-1].iterchildren(reversed=True), None)) is not None:
        chain.append(last)
    named = re.match(r"Element '([^']*)'", message)
    return next((each for each in reversed(chain) if named and each.tag == named[1]), chain[-1])
