"""Secrets never reach the disk: each becomes a keyed pseudonym of the same shape.

Checks judge the stored evidence, so a pseudonym keeps everything a check may look at: equal secrets have equal pseudonyms,
the length and the character classes stay, a UUID keeps its version and variant, a BSN stays a BSN (it passes the elfproef),
also where it hides in another encoding. The key lives in memory for one run, so a pseudonym cannot be undone.
"""

import base64
import contextlib
import hashlib
import hmac
import html
import json
import re
import secrets
import string
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote_plus

UUID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")
_VERSION_AND_VARIANT = (14, 19)
_HEX = re.compile(r"[0-9a-fA-F]{8,}")
_SHORTEST = 6  # a shorter "code" guards nothing, and looking for it everywhere would garble the evidence
_STRIDE = 16  # a text is looked at in steps of so many characters
_GLOBAL_LENGTH = 16  # a shorter cookie value ("nl", "1") is masked where it stands, but not looked for elsewhere

_PARAMETERS = "code|access_token|refresh_token|id_token|client_secret|SAMLart|SAMLResponse|assertion"
_QUERY_SECRET = re.compile(rf"(?:[?&#]|&amp;|^|\s)({_PARAMETERS})=([^&\s\"'<>#;]+)")
_JSON_SECRET = re.compile(r'"(access_token|refresh_token|id_token)"\s*:\s*("(?:[^"\\]|\\.)+")')
_JSON_CODE = re.compile(rf'"code"\s*:\s*"({UUID.pattern})"')  # other "codes" in JSON are words, such as those of errors
_BEARER = re.compile(r"^\s*(?:bearer|basic|mac)\s+(\S+)", re.IGNORECASE)


def passes_elfproef(digits: str) -> bool:
    """Whether nine digits are a well-formed BSN (weights 9..2 and -1, sum a multiple of 11, not all zero)."""
    if len(digits) != 9 or not digits.isascii() or not digits.isdigit() or not digits.strip("0"):
        return False
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 11 == 0


def _base64_core(text: str, offset: int) -> str:
    """The base64 characters that ``text`` fully determines when it starts ``offset`` bytes into the encoded data."""
    encoded = base64.b64encode(b"\0" * offset + text.encode()).decode()
    return encoded[-(-offset * 8 // 6) : (offset + len(text)) * 8 // 6]


BSN_ENCODINGS: dict[str, Callable[[str], str]] = {
    "digits": lambda bsn: bsn,
    "digits in groups with dots": lambda bsn: f"{bsn[:4]}.{bsn[4:6]}.{bsn[6:]}",
    "digits in groups with hyphens": lambda bsn: f"{bsn[:3]}-{bsn[3:6]}-{bsn[6:]}",
    "digits in groups with spaces": lambda bsn: f"{bsn[:3]} {bsn[3:6]} {bsn[6:]}",
    "digits reversed": lambda bsn: bsn[::-1],
    "base64": lambda bsn: _base64_core(bsn, 0),
    "base64 at offset 1": lambda bsn: _base64_core(bsn, 1),
    "base64 at offset 2": lambda bsn: _base64_core(bsn, 2),
    "hexadecimal": lambda bsn: bsn.encode().hex(),
    "percent-encoding": lambda bsn: "".join(f"%{ord(digit):02X}" for digit in bsn),
    "character references": lambda bsn: "".join(f"&#{ord(digit)};" for digit in bsn),
    "JSON escapes": lambda bsn: "".join(f"\\u{ord(digit):04x}" for digit in bsn),
    "MD5": lambda bsn: hashlib.md5(bsn.encode(), usedforsecurity=False).hexdigest(),
    "SHA-1": lambda bsn: hashlib.sha1(bsn.encode(), usedforsecurity=False).hexdigest(),
    "SHA-256": lambda bsn: hashlib.sha256(bsn.encode()).hexdigest(),
    "SHA-512": lambda bsn: hashlib.sha512(bsn.encode()).hexdigest(),
    "SHA-256 in base64": lambda bsn: base64.b64encode(hashlib.sha256(bsn.encode()).digest()).decode()[:43],
}
"""How a BSN may be written so that it can be undone (a plain hash of nine digits can: there are only 10^9). AMB.56."""


class Redactor:
    """Replaces registered secrets in text by pseudonyms. Not thread-safe by itself: the journal holds the lock."""

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key or secrets.token_bytes(32)
        self._replacements: dict[str, str] = {}
        # Secrets as (length below zero, number, secret), in order of use: the short ones, and the others by their last characters
        # (not the first: all artifacts of an identity provider begin with its name), at each of the places of one stride.
        self._short: list[tuple[int, int, str]] = []
        self._by_window: dict[str, list[tuple[int, int, str]]] = {}

    def register(self, value: str) -> None:
        """From now on ``value`` is a secret, as it is and as URL, HTML, form and JSON encodings write it."""
        if len(value) < _SHORTEST or value in self._replacements:
            return
        pseudonym = self.pseudonym(value)
        for encode in (str,) if _PLAIN.fullmatch(value) else _SPELLINGS:
            self._mask(encode(value), encode(pseudonym))

    def register_bsn(self, bsn: str) -> str:
        """From now on this BSN is masked in every encoding of ``BSN_ENCODINGS``; returns its pseudonym, again a BSN."""
        pseudonym = self._bsn_pseudonym(bsn)
        forms: dict[str, str] = {}
        for encode in BSN_ENCODINGS.values():
            forms.setdefault(encode(bsn), encode(pseudonym))
            forms.setdefault(encode(bsn).upper(), encode(pseudonym).upper())
        for secret, masked in forms.items():
            self._mask(secret, masked, again=True)
        return pseudonym

    def pseudonym(self, value: str) -> str:
        """The pseudonym of a secret: same length and character classes; UUIDs and BSNs inside it stay such."""
        if value in self._replacements:
            return self._replacements[value]
        known = [re.escape(secret) for _, _, secret in self._candidates(value) if secret in value]
        units = re.compile("|".join([*sorted(known, key=len, reverse=True), UUID.pattern])) if known else UUID
        parts = []
        end = 0
        for match in units.finditer(value):
            unit = match.group()
            parts += [self._characters(value[end : match.start()]), self._replacements.get(unit) or self._uuid(unit)]
            end = match.end()
        return "".join([*parts, self._characters(value[end:])])

    def text(self, text: str) -> str:
        """``text`` with every registered secret replaced, a longer one before one that is part of it."""
        return self.among([text])(text)

    def among(self, texts: Iterable[str]) -> Callable[[str], str]:
        """A function that does for each of these texts what ``text`` does; they are searched once, all together."""
        found = [(secret, self._replacements[secret]) for _, _, secret in sorted(self._candidates("\n".join(texts)))]

        def mask(text: str) -> str:
            for secret, pseudonym in found:
                text = text.replace(secret, pseudonym)
            return text

        return mask

    def _candidates(self, text: str) -> set[tuple[int, int, str]]:
        """The secrets that may be part of a text; every other is none.

        There are thousands of secrets, and few of them end with characters that are in the text. Of the windows near the end of
        a secret, one for each place of a stride, one stands in the text where a stride begins, wherever the secret does.
        """
        index, places = self._by_window, range(0, len(text) - _SHORTEST + 1, _STRIDE)
        seen = {window for place in places if (window := text[place : place + _SHORTEST]) in index}
        return {each for each in self._short if each[2] in text}.union(*(index[window] for window in seen))

    def register_cookies(self, header: str) -> None:
        """From now on the values in a Cookie or Set-Cookie header are secrets, but for short ones."""
        for pair in header.split(";"):
            value = pair.partition("=")[2].strip()
            if len(value) >= _GLOBAL_LENGTH and _holds_a_cookie(pair):
                self.register(value)

    def cookie_header(self, header: str, mask: Callable[[str], str]) -> str:
        """A Cookie or Set-Cookie header with every cookie value replaced; attributes such as Path stay.

        ``mask`` is what replaces secrets in the rest of it (``among``).
        """
        return ";".join(self._cookie_pair(pair, mask) for pair in header.split(";"))

    def _cookie_pair(self, pair: str, mask: Callable[[str], str]) -> str:
        if not _holds_a_cookie(pair):
            return mask(pair)
        name, _, value = pair.partition("=")
        return f"{mask(name)}={self.pseudonym(value)}"

    def _mask(self, secret: str, pseudonym: str, *, again: bool = False) -> None:
        if secret not in self._replacements:
            self._index((-len(secret), len(self._replacements), secret))
        elif not again:
            return
        self._replacements[secret] = pseudonym

    def _index(self, entry: tuple[int, int, str]) -> None:
        secret, last = entry[2], len(entry[2]) - _SHORTEST
        if last < _STRIDE - 1:
            self._short.append(entry)
            return
        for place in range(last - _STRIDE + 1, last + 1):
            self._by_window.setdefault(secret[place : place + _SHORTEST], []).append(entry)

    def _stream(self, value: str, counter: int = 0) -> Iterator[int]:
        while True:
            yield from hmac.digest(self._key, f"{counter}:{value}".encode("utf-8", "surrogatepass"), "sha512")
            counter += 1

    def _uuid(self, value: str) -> str:
        stream = self._stream(value.lower())
        digits = [f"{next(stream) % 16:x}" if c != "-" else c for c in value.lower()]
        for position in _VERSION_AND_VARIANT:
            digits[position] = value[position].lower()
        masked = "".join(digits)
        return masked if value == value.lower() else masked.upper()

    def _characters(self, value: str) -> str:
        stream = self._stream(value)
        hexadecimal = bool(_HEX.fullmatch(value))
        classes = (string.digits, "abcdef", "ABCDEF") if hexadecimal else (string.digits, _LOWER, _UPPER)
        return "".join(_same_class(character, next(stream), classes) for character in value)

    def _bsn_pseudonym(self, bsn: str) -> str:
        for counter in range(10_000):
            stream = self._stream(bsn, counter * 1000)
            candidate = "9" + "".join(str(next(stream) % 10) for _ in range(8))
            if passes_elfproef(candidate) and candidate != bsn:
                return candidate
        raise AssertionError("one candidate in eleven passes the elfproef, so this is out of reach")


def _lower_escapes(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda escape: escape.group().lower(), quote(text, safe="", errors="replace"))


_PLAIN = re.compile("[A-Za-z0-9_.~-]*")  # in every spelling the same
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: quote(text, errors="replace"),
    lambda text: quote(text, safe="", errors="replace"),
    lambda text: quote_plus(text, errors="replace"),
    _lower_escapes,
    html.escape,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace").decode("latin-1"),  # in a body
)
_COOKIE_ATTRIBUTES = {"path", "domain", "expires", "max-age", "samesite", "priority", "version", "comment"}
_LOWER = string.ascii_lowercase
_UPPER = string.ascii_uppercase


def _holds_a_cookie(pair: str) -> bool:
    """Whether it is a cookie, and no attribute of one."""
    name, equals, _ = pair.partition("=")
    return bool(equals) and name.strip().lower() not in _COOKIE_ATTRIBUTES


def _same_class(character: str, draw: int, classes: tuple[str, str, str]) -> str:
    for alphabet, members in zip(classes, (string.digits, _LOWER, _UPPER), strict=True):
        if character in members:
            return alphabet[draw % len(alphabet)]
    return character


def secrets_in(url: str, headers: Iterable[tuple[str, str]], body: str, *, search_parameters: bool = False) -> Iterator[str]:
    """The codes, tokens and assertions of one message, found by their protocol names.

    ``search_parameters`` says that this is a FHIR request or answer, where ``code`` is a search parameter and no secret.
    """
    texts = [url, body]
    for name, value in headers:
        lowered = name.lower()
        if lowered in {"location", "refresh", "link", "content-location", "referer"}:
            texts.append(value)
        if lowered in {"authorization", "proxy-authorization"} and (match := _BEARER.match(value)):
            yield match.group(1)
    for text in texts:
        for name, value in _QUERY_SECRET.findall(text):
            if not (search_parameters and name == "code"):
                yield unquote_plus(html.unescape(value))
    if not search_parameters:
        yield from _JSON_CODE.findall(body)
    for _, value in _JSON_SECRET.findall(body):
        with contextlib.suppress(ValueError):
            yield json.loads(value, strict=False)
