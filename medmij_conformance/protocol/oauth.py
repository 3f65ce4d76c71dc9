"""OAuth 2.0 messages: reading loosely, writing anything. Shapes only; what is right or wrong is for the checks."""

import itertools
import math
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

Parameters = Sequence[tuple[str, str]]

_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def encode(parameters: Iterable[tuple[str, str]]) -> str:
    """``application/x-www-form-urlencoded`` (RFC 6749 appendix B); a name may stand several times."""
    return urlencode(list(parameters))


def decode(text: str) -> list[tuple[str, str]]:
    """The pairs of a query or form, once decoded, in order; ``+`` and ``%20`` are both a space. Empty values stay."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return []


def with_query(url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """``url`` with parameters appended to its query; a query that is there stays (RFC 6749 3.1)."""
    separator = "" if url.endswith("?") else "&" if urlsplit(url).query else "?"
    return f"{url}{separator}{encode(parameters)}"


def change(parameters: Parameters, changes: Mapping[str, str | Sequence[str] | None]) -> list[tuple[str, str]]:
    """Parameters with some replaced: None leaves one out, a sequence gives it several times, a new name is appended."""
    changed: list[tuple[str, str]] = []
    for name, value in parameters:
        changed += _values(name, changes[name]) if name in changes else [(name, value)]
    present = {name for name, _ in parameters}
    for name, new in changes.items():
        if name not in present:
            changed += _values(name, new)
    return changed


def _values(name: str, new: str | Sequence[str] | None) -> list[tuple[str, str]]:
    if new is None:
        return []
    return [(name, new)] if isinstance(new, str) else [(name, value) for value in new]


class Redirect(NamedTuple):
    """Where a browser was sent: the address without query and fragment, the query's pairs, and the fragment."""

    address: str
    parameters: list[tuple[str, str]]
    fragment: str

    def get(self, name: str) -> str | None:
        """The first value of a parameter; None when absent."""
        return next((value for key, value in self.parameters if key == name), None)

    def count(self, name: str) -> int:
        """How many times a parameter stands in the query."""
        return sum(key == name for key, _ in self.parameters)


def redirect(location: str, base: str = "") -> Redirect:
    """A Location header taken apart; a relative one is resolved against ``base``."""
    try:
        absolute = urljoin(base, location.strip())
        parts = urlsplit(absolute)
        return Redirect(parts._replace(query="", fragment="").geturl(), decode(parts.query), parts.fragment)
    except ValueError:
        return Redirect(location, [], "")


def leads_to(location: str, redirect_uri: str) -> bool:
    """Whether a Location is the redirect URI with, perhaps, a query of its own: same scheme, host, port and path."""
    try:
        target, wanted = urlsplit(location.strip()), urlsplit(redirect_uri)
        return (target.scheme.lower(), _authority(target.netloc), target.path or "/") == (
            wanted.scheme.lower(),
            _authority(wanted.netloc),
            wanted.path or "/",
        )
    except ValueError:
        return False


def below(url: str, base: str) -> str:
    """The path of an address relative to a base address; empty when it is not below it."""
    path, prefix = urlsplit(url).path, urlsplit(base).path.rstrip("/") + "/"
    return path.removeprefix(prefix) if path.startswith(prefix) else ""


def _authority(netloc: str) -> str:
    return netloc.lower().removesuffix(":443")


def bit_statistics(values: Sequence[str]) -> dict[str, Any]:
    """Of the UUIDs among ``values``: how many, how often each of the 122 free bits is set, and whether they come in order."""
    numbers = [int(value.replace("-", ""), 16) for value in values if is_uuid4(value.lower())]
    free = [bit for bit in range(128) if bit not in _FIXED_BITS]
    ones = [sum(number >> bit & 1 for number in numbers) for bit in free]
    steps = {later > earlier for earlier, later in itertools.pairwise(numbers)}
    return {"values": len(numbers), "ones": ones, "ordered": len(numbers) > 15 and len(steps) == 1}


_FIXED_BITS = {*range(76, 80), 62, 63}  # version and variant, counted from the last bit


def state_statistics(values: Sequence[str]) -> dict[str, Any]:
    """Of states: how many, how many different ones, and how many bits they have room for.

    The bits are the length after the common beginning, times the logarithm of the alphabet: that of the character classes which
    were seen. It is a bound from above, never an estimate.
    """
    alike = itertools.takewhile(lambda place: len(set(place)) == 1, zip(*values, strict=False))
    beginning = sum(1 for _ in alike) if len(set(values)) > 1 else 0
    seen = {character for value in values for character in value[beginning:]}
    hexadecimal = seen - {"-"} <= set(string.hexdigits) and not (seen & set("ABCDEF") and seen & set("abcdef"))
    letters = ("abcdef", "ABCDEF") if hexadecimal else (string.ascii_lowercase, string.ascii_uppercase)
    classes = (string.digits, *letters)
    alphabet = sum(len(members) for members in classes if seen & set(members)) + len(seen - set("".join(classes)))
    length = min((len(value) for value in values), default=0) - beginning
    bits = length * math.log2(alphabet) if alphabet else 0.0
    return {"count": len(values), "distinct": len(set(values)), "bits": round(bits, 1)}


def is_uuid4(value: str) -> bool:
    """Whether a value is a version 4 UUID in lower-case text form (RFC 4122 section 3 and 4.4)."""
    return bool(_UUID4.fullmatch(value))
