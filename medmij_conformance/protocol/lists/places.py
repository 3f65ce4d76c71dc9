"""Saying where something stands in a document and what is wrong there, in one line that is safe to print."""

import re
from typing import NamedTuple

from lxml import etree

#: What XML takes for white space; Unicode has more.
SPACE = " \t\r\n"


class ListError(ValueError):
    """A document that is not one of the lists; says in one line where (``line N: path``) and why."""

    def __init__(self, line: int, path: str, problem: str) -> None:
        super().__init__(str(Complaint(line, path, problem)))
        self.complaint = Complaint(line, path, problem)


class Complaint(NamedTuple):
    """What is wrong in a document: the line, counted from one, the path of the element (empty: the whole document), and why."""

    line: int
    path: str
    problem: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path}: {self.problem}" if self.path else f"line {self.line}: {self.problem}"


class Mismatch(Exception):  # noqa: N818 - it never leaves this package
    """A document differs from a form, at an element."""

    def __init__(self, element: etree._Element, problem: str) -> None:
        super().__init__(problem)
        self.element = element
        self.problem = problem


def located(element: etree._Element, problem: str) -> ListError:
    """The error at an element of a whole tree."""
    return ListError(element.sourceline or 1, Paths().of(element), problem)


class Paths:
    """Paths of elements: local names, numbered from one where siblings share a name.

    It remembers how far it has counted, so that the paths of many elements, asked in the order of the document, cost time in
    proportion to its length and not to its square. ``removed`` are the items that a stream has dropped from the front of
    ``collection``; the counting goes on behind them.
    """

    def __init__(self) -> None:
        self._counted: dict[int, tuple[etree._Element, etree._Element, dict[str, int]]] = {}
        self.collection: etree._Element | None = None
        self.removed = 0

    def of(self, element: etree._Element) -> str:
        """From the root to the element."""
        chain = [*reversed(list(element.iterancestors())), element]
        return "/".join(self._step(depth, each) for depth, each in enumerate(chain))

    def _step(self, depth: int, element: etree._Element) -> str:
        name = str(etree.QName(element).localname)[:80]
        parent = element.getparent()
        if parent is None:
            return name
        number = self._number(depth, parent, element) + (self.removed if parent is self.collection else 0)
        follower = element.getnext()
        return f"{name}[{number}]" if number > 1 or (follower is not None and follower.tag == element.tag) else name

    def _number(self, depth: int, parent: etree._Element, element: etree._Element) -> int:
        known, last, counts = self._counted.get(depth, (None, None, {}))
        if known is not parent or last is None:
            first = parent[0]
            counts = {first.tag: 1}
            last = first
        if last is element:
            return counts[element.tag]
        for each in last.itersiblings():
            counts[each.tag] = counts.get(each.tag, 0) + 1
            if each is element:
                self._counted[depth] = (parent, element, counts)
                return counts[element.tag]
        self._counted.pop(depth, None)  # it stands before the last one: count again
        return self._number(depth, parent, element)


def plain(message: str) -> str:
    """A message of libxml2 without the element, which the path names, and without the braces of namespaces."""
    message = re.sub(r"^Element '[^']*'(, attribute '[^']*')?: ", lambda match: match[1][2:] + ": " if match[1] else "", message)
    return one_line(re.sub(r"\{[^{}\s]*://[^{}\s]*\}", "", message))


def is_echo(message: str) -> bool:
    """Whether libxml2 only says that it cannot compare a value, which it refused before, with others."""
    return "No precomputed value available" in message


def one_line(text: str, limit: int = 500) -> str:
    """Text that may hold anything, as one line of printable characters."""
    line = " ".join(text[: 2 * limit].split())
    if not line.isprintable():
        line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= limit else f"{line[:limit]}..."


def short(value: object, limit: int = 80) -> str:
    """A value of the document, quoted and cut to a length that fits a line."""
    shown = repr(value if value is None else str(value)[: 4 * limit])
    return shown if len(shown) <= limit else f"{shown[:limit]}..."
