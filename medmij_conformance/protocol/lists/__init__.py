"""The lists of MedMij Registratie: what they say, and how each generation writes it in XML.

There is one model of each list (``model``) and, per generation, a table (``tables``) that names the elements. Reading and writing
both follow that table (``forms``), so another generation is another table and a schema. ``documents`` reads and writes whole
documents, ``schemas`` tells what a schema has against one, ``streams`` does both for documents that are too long for a tree.
"""

from medmij_conformance.protocol.lists.documents import (
    MAX_BYTES,
    forms_of,
    generations,
    generations_of,
    kind,
    kind_of,
    parse,
    read_tree,
    serialise,
    tree,
)
from medmij_conformance.protocol.lists.forms import Form, Many, Place, Record, Text
from medmij_conformance.protocol.lists.model import (
    KINDS,
    AnyList,
    Gnl,
    Node,
    OAuthClient,
    Ocl,
    Provider,
    Service,
    ServiceName,
    Systeemrol,
    Whitelist,
    Zal,
)
from medmij_conformance.protocol.lists.places import Complaint, ListError, Paths, short
from medmij_conformance.protocol.lists.schemas import complaints, load_schema, validate
from medmij_conformance.protocol.lists.streams import Stream, sniff
from medmij_conformance.protocol.lists.tables import GENERATIONS

__all__ = [
    "AnyList",
    "Complaint",
    "Form",
    "GENERATIONS",
    "Gnl",
    "KINDS",
    "ListError",
    "MAX_BYTES",
    "Many",
    "Node",
    "OAuthClient",
    "Ocl",
    "Paths",
    "Place",
    "Provider",
    "Record",
    "Service",
    "ServiceName",
    "Stream",
    "Systeemrol",
    "Text",
    "Whitelist",
    "Zal",
    "complaints",
    "forms_of",
    "generations",
    "generations_of",
    "kind",
    "kind_of",
    "load_schema",
    "parse",
    "read_tree",
    "serialise",
    "short",
    "sniff",
    "tree",
    "validate",
]
