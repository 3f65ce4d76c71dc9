"""Lists as XML documents: written, read, and told apart."""

import re

from lxml import etree

from medmij_conformance.protocol.lists.forms import Form
from medmij_conformance.protocol.lists.model import KINDS, AnyList
from medmij_conformance.protocol.lists.places import ListError, Mismatch, located, one_line, short
from medmij_conformance.protocol.lists.tables import GENERATIONS

#: The largest document that is read into a tree; a tree takes about four times as much memory.
MAX_BYTES = 50 * 1024 * 1024


def serialise(content: AnyList, generation: str) -> bytes:
    """The list as an XML document, UTF-8 and indented, in a generation of ``GENERATIONS``.

    Values are written as they are, whether or not a schema accepts them. Raises ``ValueError`` for a generation that is
    unknown, has no such list or cannot express what it says, a timestamp without time zone, and characters that XML cannot hold.
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
    return read_tree(tree(data, max_bytes))[1]


def read_tree(root: etree._Element) -> tuple[Form, AnyList]:
    """The form that reads a tree, and the list in it. Raises ``ListError`` as ``parse`` does."""
    mismatches = []
    for form in forms_of(root):
        attempt = _attempt(form, root)
        if not isinstance(attempt, Mismatch):
            return form, attempt
        mismatches.append(attempt)
    # The form that fitted longest is the one that was meant, so its complaint is the one to hear.
    furthest = max(mismatches, key=lambda mismatch: _position(mismatch.element))
    raise located(furthest.element, furthest.problem)


def kind(data: bytes, *, max_bytes: int = MAX_BYTES) -> str:
    """Which list the root element announces, by its name in ``KINDS``. Raises ``ListError`` if none."""
    return kind_of(forms_of(tree(data, max_bytes))[0])


def kind_of(form: Form) -> str:
    """The name in ``KINDS`` of the list that has this form."""
    return next(KINDS[each] for forms in GENERATIONS.values() for each, other in forms.items() if other == form)


def generations(data: bytes, *, max_bytes: int = MAX_BYTES) -> tuple[str, ...]:
    """The generations in which ``parse`` can read the document, oldest first; none if it cannot."""
    try:
        root = tree(data, max_bytes)
        readable = [form for form in forms_of(root) if not isinstance(_attempt(form, root), Mismatch)]
    except ListError:
        return ()
    return generations_of(readable)


def generations_of(forms: list[Form]) -> tuple[str, ...]:
    """The generations that have one of these forms, oldest first."""
    return tuple(name for name, own in GENERATIONS.items() if any(form in forms for form in own.values()))


def options() -> dict[str, bool]:
    """How every parser of ours is set up: no network, no entities, and the limits of libxml2 on depth and length."""
    # Comments and processing instructions go: they would cut a value in two, of which only the first half is read.
    return {
        "resolve_entities": False,
        "no_network": True,
        "load_dtd": False,
        "dtd_validation": False,
        "huge_tree": False,
        "remove_comments": True,
        "remove_pis": True,
    }


def tree(data: bytes, max_bytes: int = MAX_BYTES) -> etree._Element:
    """The root element of a well-formed document without a document type. Raises ``ListError``."""
    if len(data) > max_bytes:
        raise ListError(1, "", f"the document has {len(data)} bytes, more than the {max_bytes} that are read")
    try:
        root = etree.fromstring(data, etree.XMLParser(**options()))
    except etree.XMLSyntaxError as error:
        raise not_well_formed(error) from None
    refuse_doctype(root)
    return root


def not_well_formed(error: etree.XMLSyntaxError) -> ListError:
    """What the parser said, in our words."""
    problem = re.sub(r", line \d+, column \d+$", "", error.msg or "unreadable")
    problem = re.sub(r"^line \d+: b(['\"])(.*)\1$", r"\2", problem)  # how a parser without a tree says it
    return ListError(error.lineno or 1, "", f"not well-formed XML: {one_line(problem)}")


def refuse_doctype(root: etree._Element) -> None:
    """The parser does not resolve entities, but it keeps them: a document type has no place in a list at all."""
    if root.getroottree().docinfo.internalDTD is not None:
        raise ListError(1, "", "a DOCTYPE is not allowed")


def forms_of(root: etree._Element) -> list[Form]:
    """The different forms that have this root element; more than one where generations share a namespace."""
    known = list(dict.fromkeys(form for forms in GENERATIONS.values() for form in forms.values()))
    name = etree.QName(root)
    namesakes = [form for form in known if form.root == name.localname]
    if not namesakes:
        roots = ", ".join(dict.fromkeys(form.root for form in known))
        raise located(root, f"not a list of MedMij; those are {roots}")
    fitting = [form for form in namesakes if form.namespace == name.namespace]
    if not fitting:
        expected = " or ".join(dict.fromkeys(form.namespace for form in namesakes))
        raise located(root, f"the namespace is {short(name.namespace)}, not {expected}")
    return fitting


def _attempt(form: Form, root: etree._Element) -> AnyList | Mismatch:
    try:
        return form.read(root)
    except Mismatch as mismatch:
        return mismatch


def _position(element: etree._Element) -> int:
    """How many elements stand before this one in its document."""
    return next(number for number, each in enumerate(element.getroottree().iter()) if each is element)
