"""MedMij Registratie as the Stelselnode: it answers with the lists that are valid now, or in one of the ways that it should not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeVar
from urllib.parse import urlsplit

from medmij_conformance.evidence import Request, Response
from medmij_conformance.protocol import lists

_XML = (("Content-Type", "application/xml"),)
_HANG_UP = 0  # status of an answer that is none: the connection is cut
_L = TypeVar("_L", lists.Zal, lists.Whitelist, lists.Ocl)


@dataclass(slots=True)
class Stelselnode:
    """``contents`` are the lists by their short names, ``documents`` what is given of each; ``down``: nobody gets an answer."""

    contents: dict[str, lists.AnyList]
    generation: str
    down: bool = False
    documents: dict[str, bytes] = field(default_factory=dict)

    def publish(self, contents: Mapping[str, lists.AnyList], flaw: str = "") -> None:
        """Publish lists, as far as the generation has them; with a flaw, in a way that no reader should accept.

        Raises ``KeyError`` for a flaw that is not known.
        """
        for which, content in contents.items():
            if type(content) not in lists.GENERATIONS[self.generation]:
                continue
            self.contents[which] = content
            document = lists.serialise(content, self.generation)
            self.documents[which] = FLAWS[flaw](document) if flaw else document

    def answer(self, request: Request) -> Response:
        """Give the list that is asked for, by the last part of the address."""
        if self.down:
            return Response(status=_HANG_UP)
        document = self.documents.get(asked_for(request))
        if document is None:
            return Response(status=404)
        return Response(status=200, headers=_XML, body=document)


def asked_for(request: Request) -> str:
    """The short name of the list that is asked for."""
    return urlsplit(request.url).path.rpartition("/")[2]


# --- what is published ---


def without_node(whitelist: lists.Whitelist, hostname: str) -> lists.Whitelist:
    """The Whitelist without a host."""
    return replace(whitelist, nodes=tuple(node for node in whitelist.nodes if node.hostname != hostname))


def with_node(whitelist: lists.Whitelist, hostname: str) -> lists.Whitelist:
    """The Whitelist with a PGO gateway more."""
    return replace(whitelist, nodes=(*whitelist.nodes, lists.Node(hostname, "Testorganisatie", "DVP")))


def with_address(zal: lists.Zal, provider: str, gegevensdienst: str, authorization_endpoint: str) -> lists.Zal:
    """The ZAL with another authorization endpoint for a service of a care provider."""

    def moved(each: lists.Provider) -> lists.Provider:
        if each.name != provider:
            return each
        services = (
            replace(s, authorization_endpoint=authorization_endpoint) if s.gegevensdienst == gegevensdienst else s
            for s in each.services
        )
        return replace(each, services=tuple(services))

    return replace(zal, providers=tuple(map(moved, zal.providers)))


def issued(content: _L, serial: int, *, days_ago: int = 0) -> _L:
    """The list as another issue: with this number, and so many days older."""
    return replace(content, serial=serial, timestamp=content.timestamp - timedelta(days=days_ago))


# --- flaws: each makes a good document one that must not be used ---


def _cut_off(document: bytes) -> bytes:
    return document[: len(document) * 2 // 3]


def _with_a_doctype(document: bytes) -> bytes:
    head, _, rest = document.partition(b"?>")
    return head + b"?>\n<!DOCTYPE x>" + rest


def _of_another_form(document: bytes) -> bytes:
    return document.replace(b"Volgnummer", b"Versienummer")


def _twice(document: bytes) -> bytes:
    """The last entry of the list stands there twice."""
    for item in (b"MedMijNode", b"GegevensdienstZorgaanbieder", b"Gegevensdienst", b"Gateway"):
        start, end = document.rfind(b"<%s>" % item), document.rfind(b"</%s>" % item)
        if start >= 0:
            end += len(item) + 3
            return document[:end] + document[start:end] + document[end:]
    raise ValueError("the list holds nothing that could stand there twice")


FLAWS: Mapping[str, Callable[[bytes], bytes]] = {
    "that is cut off": _cut_off,
    "with a document type": _with_a_doctype,
    "that does not fit its schema": _of_another_form,
    "with the same entry twice": _twice,
}
"""What can be wrong with a published list, in the words of the features."""
