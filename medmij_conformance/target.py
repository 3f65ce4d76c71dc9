# ruff: noqa: RUF009  # entry() is dataclasses.field() with our metadata
"""The target file: one TOML file that says what is tested and how to reach it.

Every table of the file is a frozen dataclass here and every key a field of it. The annotation of a field says how its
value is read, ``entry`` its documentation and default; ``faults`` of a table says what its keys must be together, and
``_check`` what the tables must be together. ``load`` reads a file, ``problems`` tells its faults, ``keys`` its keys.
"""

import difflib
import hashlib
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

Role = Literal["dvza", "dvp", "registratie"]
Service = Literal["bgz", "medicatieoverzicht", "medicatiegegevens", "lab", "vitals", "documenten", "afspraken"]
LoginMode = Literal["digid", "form", "operator"]
Level = Literal["basis", "midden", "substantieel", "hoog"]
Engine = Literal["html", "chromium"]
Intent = Literal["log in", "cancel login", "give consent", "refuse consent", "leave consent unanswered", "log in at the PGO"]
StartMode = Literal["http", "command", "browser", "operator"]
Generation = Literal["1.0", "1.1", "metamodel"]
Node = Literal["harness", "other"]
HookKind = Literal["command", "http", "operator"]
Person = Mapping[str, str]

SERVICES: Mapping[int, Service] = {
    1: "bgz",
    3: "medicatieoverzicht",
    5: "medicatiegegevens",
    7: "lab",
    9: "vitals",
    11: "documenten",
    13: "afspraken",
}
"""Service of each odd gegevensdienst code; the even code after it stands for the same service."""

PERSONS = ("available", "unavailable", "undeliverable", "unknown", "young", "no_relation")
"""What a person is for; ``_2``, ``_3`` and so on after it name further ones."""

HOOKS = (
    *("source_down", "source_up", "reload_lists", "clock", "authz_unknown", "seed", "dossier", "log", "questions"),
    "registration",
)
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "resource_endpoint")
SCOPE_PLACEHOLDERS = ("{gegevensdienst}", "{zorgaanbieder}", "{zorgaanbieder_name}")

_NEEDED = {
    "dvza": {"offer": "at least one [[offer]]", "harness": "a table [harness]"},
    "dvp": {"offer": "at least one [[offer]]"} | {name: f"a table [{name}]" for name in ("gateway", "start", "outcome")},
}
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?!\d+\Z){_LABEL}")
_CERTIFICATE, _KEY, _PASSWORD = 0, 1, 2
_Fault = tuple[str, str, str]  # key within the table, what is wrong, what is expected
_Pair = tuple[list[x509.Certificate], PrivateKeyTypes]
_T = TypeVar("_T", bound="_Table")
_N = TypeVar("_N", bound="HarnessNode")


class TargetError(Exception):
    """One fault of a target file; as a string it is one line."""

    def __init__(self, file: Path, field: str, problem: str, expected: str) -> None:
        super().__init__(file, field, problem, expected)
        self.file = file
        self.field = field
        self.problem = problem
        self.expected = expected

    def __str__(self) -> str:
        return " ".join(f"{self.file}: {self.field}: {self.problem}; expected {self.expected}".splitlines())


class _WrongError(ValueError):
    """A value does not fit. Without ``problem`` or ``expected`` the reader words them from the value and its kind."""

    def __init__(self, problem: str = "", expected: str = "", part: int = 0) -> None:
        super().__init__(f"{problem}; expected {expected}")
        self.problem = problem
        self.expected = expected
        self.part = part  # of a certificate and key: _CERTIFICATE, _KEY or _PASSWORD


# --- reading ---


class _Reader:
    """Turns parsed TOML into tables and collects the faults on the way. A value that does not fit becomes ``None``."""

    def __init__(self, file: Path, environ: Mapping[str, str]) -> None:
        self.file = file
        self.environ = environ
        self.errors: list[TargetError] = []

    def report(self, at: str, problem: str, expected: str) -> None:
        """Notes a fault. A field has one at most, so what follows from a fault is not reported beside it."""
        if all(error.field != at for error in self.errors):
            self.errors.append(TargetError(self.file, at, problem, expected))

    def unknown(self, at: str, name: str, names: Sequence[str]) -> None:
        self.report(at, "unknown key", f"one of {', '.join(names)}{_nearest(name, names)}")

    def text(self, value: Any) -> str:
        """A string as written, or the value of the environment variable that it names."""
        if _is_reference(value):
            if value["env"] not in self.environ:
                raise _WrongError(f"environment variable {value['env']} is not set", "it to be set")
            return self.environ[value["env"]]
        if not isinstance(value, str):
            raise _WrongError
        return value

    def read(self, kind: "_Kind", at: str, value: Any) -> Any:
        try:
            return kind.read(self, at, value)
        except _WrongError as wrong:
            self.report(at, wrong.problem or _shown(value), wrong.expected or kind.expected)
            return None

    def table(self, cls: type[_T], at: str, value: Any, **values: Any) -> _T:
        if not isinstance(value, dict):
            raise _WrongError
        before = len(self.errors)
        entries = dict(_entries(cls))
        rest = entries.pop("*", None)
        others = {name: item for name, item in value.items() if name not in entries}
        if rest:
            values[rest.attribute] = self.read(rest.kind, at, others)
        else:
            for name in others:
                self.unknown(_join(at, name), name, tuple(entries))
        for name, entry in entries.items():
            if name in value:
                values[entry.attribute] = self.read(entry.kind, _join(at, name), value[name])
            elif entry.required:
                self.report(_join(at, name), "missing", entry.kind.expected)
                values[entry.attribute] = None
            elif entry.default is MISSING:  # an absent table is an empty one: its own keys tell what they miss
                values[entry.attribute] = self.read(entry.kind, _join(at, name), {})
        made = cls(**values)
        if len(self.errors) == before:
            for name, problem, expected in made.faults():
                self.report(_join(at, name), problem, expected)
        return made


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["env"] and isinstance(value["env"], str)


def _join(at: str, name: str) -> str:
    name = name if re.fullmatch(r"[A-Za-z0-9_*-]+", name) else json.dumps(name)
    return f"{at}.{name}" if at else name


def _shown(value: Any) -> str:
    """What a value is. What comes from the environment may be a secret and is not shown."""
    if _is_reference(value):
        return f"the value of environment variable {value['env']} does not fit"
    if isinstance(value, str):
        return f"is {value[:57] + '...' if len(value) > 60 else value!r}"
    names = {int: "a number", float: "a number", dict: "a table", list: "a list", bool: "true" if value else "false"}
    return f"is {names.get(type(value), 'a date or time')}"


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


# --- kinds of value ---


class _Kind(NamedTuple):
    """What a key holds: the words for what is expected, how to read it, and the table that it is or repeats, if any."""

    expected: str
    read: Callable[[_Reader, str, Any], Any]
    table: "type[_Table] | None" = None
    many: bool = False


def _text(expected: str, fits: Callable[[str], object]) -> _Kind:
    def read(reader: _Reader, _at: str, value: Any) -> str:
        text = reader.text(value)
        if not fits(text):
            raise _WrongError
        return text

    return _Kind(expected, read)


def _one_of(names: Sequence[str]) -> _Kind:
    expected = f"one of {', '.join(names)}"

    def read(reader: _Reader, _at: str, value: Any) -> str:
        text = reader.text(value)
        if text not in names:
            raise _WrongError(expected=expected + _nearest(text, names))
        return text

    return _Kind(expected, read)


def _number(low: float, high: float, *, whole: bool = False) -> _Kind:
    def read(_reader: _Reader, _at: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise _WrongError
        if not low <= value <= high:
            raise _WrongError(f"is {value}")
        return value if whole else float(value)

    return _Kind(f"a {'whole ' if whole else ''}number from {low} to {high}", read)


def _url(*schemes: str, more: str = "") -> _Kind:
    def fits(text: str) -> bool:
        try:
            parts = urlsplit(text)
            good = parts.scheme in schemes and parts.port != 0 and "@" not in parts.netloc and "#" not in text
        except ValueError:
            return False
        return good and _is_host(parts.hostname or "") and bool(re.fullmatch(rf"[!$-;=?-Z\[\]_a-z~{more}]+", text))

    return _text(f"an absolute {' or '.join(schemes)} URL with a host, a valid port if any, and no fragment", fits)


def _list_of(kind: _Kind, *, least: int = 0) -> _Kind:
    def read(reader: _Reader, at: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _WrongError
        if len(value) < least:
            raise _WrongError("is an empty list")
        return tuple(reader.read(kind, f"{at}[{number}]", item) for number, item in enumerate(value, 1))

    return _Kind(f"a list{' of one or more' if least else ''}, each item {kind.expected}", read)


def _map_of(kind: _Kind, names: Sequence[str] = (), *, numbered: bool = False) -> _Kind:
    def known(name: str) -> bool:
        return not names or (re.sub(r"_[1-9][0-9]*\Z", "", name) if numbered else name) in names

    def read(reader: _Reader, at: str, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _WrongError
        for name in value:
            if not known(name):
                reader.unknown(_join(at, name), name, names)
        return {name: reader.read(kind, _join(at, name), item) for name, item in value.items() if known(name)}

    return _Kind(f"a table, each value {kind.expected}", read)


def _table(cls: "type[_Table]") -> _Kind:
    return _Kind("a table", lambda reader, at, value: reader.table(cls, at, value), cls)


def _kind(annotation: Any) -> _Kind:
    """How a value is read, by the annotation of its field."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kind: _Kind = inner[1]
        return kind
    if origin in (Union, UnionType):  # with None, which TOML does not know
        return _kind(inner[0])
    if origin is Literal:
        return _one_of(inner)
    if origin is tuple and isinstance(inner[0], type) and issubclass(inner[0], _Table):
        many = _list_of(_table(inner[0]))
        return _Kind("a list of tables, each under its heading in [[double brackets]]", many.read, inner[0], many=True)
    if origin is tuple:
        return _list_of(_kind(inner[0]))
    if origin is Mapping:
        return _map_of(_kind(inner[1]))
    return _Kind("true or false", _read_flag) if annotation is bool else _table(annotation)


def _is_host(text: str) -> bool:
    """A host name of any number of labels, or an IP address without brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return _HOST.fullmatch(text.lower()) is not None
    return True


def _is_name(text: str) -> bool:
    """A host name as the lists of MedMij write it: lower case, at least two labels, no port."""
    return "." in text and _HOST.fullmatch(text) is not None


def _is_address(text: str, lowest_port: int = 1) -> bool:
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = host[1:-1] if bracketed else host
    good = _is_host(host) and (":" in host) == bracketed
    return good and re.fullmatch(r"[0-9]{1,5}", port) is not None and lowest_port <= int(port) <= 65535


def _is_bsn(text: str) -> bool:
    """Nine digits that pass the elfproef (weights 9 down to 2, then -1; the sum is a multiple of 11)."""
    if not re.fullmatch(r"[0-9]{9}", text) or text == "000000000":
        return False
    return sum(weight * int(digit) for weight, digit in zip((9, 8, 7, 6, 5, 4, 3, 2, -1), text, strict=True)) % 11 == 0


def _read_flag(_reader: _Reader, _at: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongError
    return value


def _read_file(reader: _Reader, _at: str, value: Any) -> Path:
    path = Path(os.path.normpath(reader.file.absolute().parent / reader.text(value)))
    try:
        good = path.is_file() and os.access(path, os.R_OK)
    except OSError:  # such as a name that is too long
        good = False
    if not good:
        raise _WrongError(f"{path} is not there or cannot be read")
    return path


def _read_ca(reader: _Reader, at: str, value: Any) -> Path:
    path = _read_file(reader, at, value)
    _certificates(path)
    return path


def _read_front(reader: _Reader, at: str, value: Any) -> Any:
    if isinstance(value, list):
        return _CA_FILES.read(reader, at, value)
    if reader.text(value) != "system":
        raise _WrongError
    return "system"


def _read_connect(reader: _Reader, at: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _WrongError
    connect: dict[str, str] = {}
    for name, address in value.items():
        if not _is_address(name):
            reader.report(_join(at, name), "the key is not an address", 'a key "host:port"')
        elif name.lower() in connect:
            reader.report(_join(at, name), "is there in upper and in lower case", "one entry for a host and port")
        connect[name.lower()] = reader.read(_ADDRESS, _join(at, name), address)
    return connect


def _read_person(reader: _Reader, at: str, value: Any) -> dict[str, str]:
    person: dict[str, str] = _map_of(_ANY_TEXT).read(reader, at, value)
    bsn = person.get("bsn")
    if bsn is not None and not _is_bsn(bsn):
        reader.report(_join(at, "bsn"), "is not a BSN", "nine digits that pass the elfproef")
    return person


def _read_persons(reader: _Reader, at: str, value: Any) -> Any:
    if isinstance(value, list):
        return _list_of(_Kind("a table of texts, such as bsn", _read_person), least=1).read(reader, at, value)
    return (_read_person(reader, at, value),)


def _read_scope_template(reader: _Reader, _at: str, value: Any) -> str:
    text = reader.text(value)
    for found in re.findall(r"\{[^{}]*\}|[{}]", text):
        if found not in SCOPE_PLACEHOLDERS:
            raise _WrongError(f"holds {found!r}", f"no placeholder but {', '.join(SCOPE_PLACEHOLDERS)}")
    if not text.strip():
        raise _WrongError
    return text


def _read_hook(reader: _Reader, at: str, value: Any) -> "Hook":
    match value:
        case {"command": command, **others} if not others:
            return Hook(kind="command", value=reader.read(_COMMAND, _join(at, "command"), command))
        case {"http": url, **others} if not others:
            return Hook(kind="http", value=reader.read(_ANY_URL, _join(at, "http"), url))
    if reader.text(value) != "operator":
        raise _WrongError
    return Hook(kind="operator", value="")


_TEXT = _text("text between quotes", str.strip)
_ANY_TEXT = _text("text between quotes", lambda _text: True)
_ADDRESS = _text('"host:port"', _is_address)
_ANY_URL = _url("https", "http")
_HTTPS = _url("https")
_COMMAND = _list_of(_TEXT, least=1)
_CA_FILES = _list_of(_Kind("a file with one or more PEM certificates", _read_ca), least=1)

Text = Annotated[str, _TEXT]
AnyText = Annotated[str, _ANY_TEXT]
Version = Annotated[str, _text("a version, such as 1.0", re.compile(r"[\w.-]+").fullmatch)]
Code = Annotated[str, _text('a code between quotes, such as "1"', re.compile(r"[1-9][0-9]{0,29}").fullmatch)]
Zorgaanbieder = Annotated[str, _text("a name without spaces that ends in @medmij", re.compile(r"[^\s@]+@medmij").fullmatch)]
Scope = Annotated[str, _Kind("text with placeholders", _read_scope_template)]
Hostname = Annotated[str, _text("a host name in lower case with at least one dot and no port", _is_name)]
Address = Annotated[str, _ADDRESS]
Listen = Annotated[str, _text('"host:port" to listen on (port 0: any that is free)', lambda text: _is_address(text, 0))]
Https = Annotated[str, _HTTPS]
AnyUrl = Annotated[str, _ANY_URL]
UrlTemplate = Annotated[str, _url("https", "http", more="{}")]
Command = Annotated[tuple[str, ...], _COMMAND]
File = Annotated[Path, _Kind("a file (a relative path starts at the folder of the target file)", _read_file)]
CaFiles = Annotated[tuple[Path, ...], _CA_FILES]
Front = Annotated[Literal["system"] | tuple[Path, ...], _Kind('"system" or a list of files with PEM certificates', _read_front)]


# --- certificates and keys ---


def _certificates(path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        raise _WrongError(f"{path} holds no certificate that can be read", "PEM certificates") from None


def _private_key(path: Path, password: str | None) -> PrivateKeyTypes:
    try:
        return pem.load_pem_private_key(path.read_bytes(), password.encode() if password else None)
    except TypeError:
        if password:
            raise _WrongError(f"is given, but {path} is not encrypted", "no password", _PASSWORD) from None
        raise _WrongError("missing", f"the password of the encrypted key {path}", _PASSWORD) from None
    except (OSError, ValueError, UnsupportedAlgorithm):
        opens = " that the password opens" if password else ""
        raise _WrongError(f"{path} cannot be read", f"a PEM private key{opens}", _KEY) from None


def _pkcs12(path: Path, data: bytes, password: str | None) -> _Pair:
    try:
        store = pkcs12.load_pkcs12(data, password.encode() if password else None)
    except (ValueError, UnsupportedAlgorithm):
        opens = "that the password opens" if password else "(with its password if it has one)"
        raise _WrongError(f"{path} cannot be read", f"a PEM certificate, or PKCS#12 {opens}") from None
    if store.cert is None or store.key is None:
        raise _WrongError(f"{path} lacks the certificate or the key", "PKCS#12 with both")
    return [store.cert.certificate, *(extra.certificate for extra in store.additional_certs)], store.key


def _pair(certificate: Path | None, key: Path | None, password: str | None) -> _Pair | None:
    """The chain, leaf first, and the key of a PEM pair or a PKCS#12 file; ``None`` if neither is configured."""
    if certificate is None:
        if key is not None:
            raise _WrongError("missing", f"the certificate of {key}")
        return None
    try:
        data = certificate.read_bytes()
    except OSError as error:
        raise _WrongError(f"{certificate}: {error.strerror}", "a PEM or PKCS#12 file") from None
    if b"-----BEGIN " not in data:
        if key is not None:
            raise _WrongError(f"is given, but {certificate} is not PEM", "a PEM certificate, or no key", _KEY)
        chain, private = _pkcs12(certificate, data, password)
    elif key is None:
        raise _WrongError("missing", f"the PEM private key of {certificate}", _KEY)
    else:
        chain, private = _certificates(certificate), _private_key(key, password)
    form = (pem.Encoding.DER, pem.PublicFormat.SubjectPublicKeyInfo)
    try:
        fits = chain[0].public_key().public_bytes(*form) == private.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        raise _WrongError(f"{certificate} has an unknown kind of key", "a key that OpenSSL knows") from None
    if not fits:
        part = _KEY if key else _CERTIFICATE
        raise _WrongError(f"{key or certificate} does not fit", f"the key of the first one in {certificate}", part)
    return chain, private


# --- the tables ---


def entry(doc: str, default: Any = MISSING, *, toml: str = "", secret: bool = False) -> Any:
    """A key of a table: its documentation, its default, and its name in TOML if that differs (``*``: any other key).

    A key without default is required; a table without default is read as an empty one. A secret stays out of ``repr``.
    """
    metadata = {"doc": doc, "toml": toml}
    if isinstance(default, dict):
        return field(default_factory=dict, repr=not secret, metadata=metadata)
    return field(default=default, repr=not secret, metadata=metadata)


class _Table:
    __slots__ = ()

    def faults(self) -> Iterator[_Fault]:
        """What is wrong with keys that are right by themselves: key, problem, expected."""
        yield from ()


class _Keyed(_Table):
    """A table with certificates and their keys."""

    __slots__ = ()
    _pairs: ClassVar[tuple[tuple[str, str, str], ...]] = (("certificate", "key", "key_password"),)

    def faults(self) -> Iterator[_Fault]:
        for names in self._pairs:
            try:
                _pair(*(getattr(self, name) for name in names))
            except _WrongError as wrong:
                yield names[wrong.part], wrong.problem, wrong.expected

    def credential(self) -> tuple[bytes, bytes] | None:
        """PEM of the certificate chain, leaf first, and of its key as unencrypted PKCS#8; ``None`` if not configured.

        Raises ``ValueError`` if the files have changed since they were checked and no longer fit.
        """
        return self._credential(0)

    def _credential(self, number: int) -> tuple[bytes, bytes] | None:
        pair = _pair(*(getattr(self, name) for name in self._pairs[number]))
        if pair is None:
            return None
        chain = b"".join(certificate.public_bytes(pem.Encoding.PEM) for certificate in pair[0])
        return chain, pair[1].private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())


@dataclass(frozen=True, slots=True, kw_only=True)
class About(_Table):
    """``[target]``: who is tested, in which role, against which release."""

    name: Text = entry("Name of the system under test, as the report shows it.")
    vendor: Text | None = entry("Its maker.", None)
    product: Text | None = entry("Its product name.", None)
    version: Text | None = entry("Its version.", None)
    commit: Text | None = entry("The commit it was built from.", None)
    environment: Text | None = entry("Where it runs, such as test or acceptance.", None)
    xis: Text | None = entry("The source system behind it.", None)
    xis_version: Text | None = entry("The version of the source system.", None)
    role: Role = entry("The role that is tested.")
    release: Version = entry("The MedMij release it is tested against.", "1.0")
    scope_template: Scope = entry(
        "How a scope is written: {gegevensdienst}, {zorgaanbieder}, {zorgaanbieder_name} (without @medmij) are filled.",
        "{gegevensdienst}",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer(_Table):
    """``[[offer]]``: one gegevensdienst of one zorgaanbieder; dvza: what the gateway offers, dvp: what we offer it."""

    zorgaanbieder: Zorgaanbieder = entry("The zorgaanbieder.")
    gegevensdienst: Code = entry("The code of the gegevensdienst.")
    service: Service = entry("What is delivered under the code; default: by the code.", None)
    display_name: Text | None = entry("The zorgaanbieder as the consent page should show it.", None)
    gegevensdienst_name: Text | None = entry("The gegevensdienst as the consent page should show it.", None)
    node: Node = entry("dvp: which of our nodes offers it.", "harness")
    systeemrol: Text | None = entry("Code of the system role of the source.", None)
    release: Version | None = entry("MedMij release, if another than that of the target.", None)
    scope: Text | None = entry("The scope, if not by scope_template.", None)
    authorization_endpoint: Https = entry("Authorization endpoint; required for dvza, else made per run.", "")
    token_endpoint: Https = entry("Token endpoint; required for dvza, else made per run.", "")
    resource_endpoint: Https = entry("FHIR base; required for dvza, else made per run.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust(_Table):
    """``[trust]``: whose certificates we trust."""

    ca: CaFiles = entry("Certificate authorities of the back channel.")
    front: Front = entry("Certificate authorities of the front channel; default: the same.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessNode(_Keyed):
    """A node that we play. Without a certificate one is made per run."""

    hostname: Hostname = entry("Node name; default: by role or table, a name under harness.test.", "")
    name: Text = entry("Name as consent pages show it; default: hostname.", "")
    client_id: Text = entry("OAuth client_id; default: hostname.", "")
    certificate: File | None = entry("Certificate chain, leaf first: PEM, or PKCS#12 with the key.", None)
    key: File | None = entry("Private key of a PEM certificate.", None)
    key_password: AnyText | None = entry("Password of the key or the PKCS#12 file.", None, secret=True)
    redirect_uri: Https = entry("Where authorization codes come back; default: https://<hostname>/cb.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Harness(HarnessNode):
    """``[harness]``: who we are towards the gateway."""

    listen: Listen | None = entry("Our address for what the gateway calls; default: made per run.", None)
    listen_back: Listen | None = entry("Own address for the back channel; default: listen.", None)
    advertise: Address | None = entry("Our address as the gateway reaches it; default: listen.", None)
    other: HarnessNode | None = entry("The second listed node (Mallory).", None)
    unlisted: HarnessNode | None = entry("A node that is on no list.", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki(_Keyed):
    """``[pki]``: an issuer that the target trusts, so that we can mint bad certificates."""

    _pairs: ClassVar = (("issuer", "issuer_key", "key_password"),)
    issuer: File | None = entry("Certificate of the issuer: PEM, or PKCS#12 with the key.", None)
    issuer_key: File | None = entry("Private key of a PEM issuer.", None)
    key_password: AnyText | None = entry("Password of the key or the PKCS#12 file.", None, secret=True)
    ocsp_url: AnyUrl | None = entry("OCSP address written into minted certificates.", None)
    ocsp_listen: Listen | None = entry("Where our OCSP responder listens.", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login(_Table):
    """``[login]``: how a person logs in at the gateway."""

    mode: LoginMode = entry("We play DigiD, a form of the gateway stands in for it, or an operator logs in.", "form")
    hosts: tuple[Hostname, ...] = entry("Hosts of a foreign login: followed, never judged.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Digid(_Keyed):
    """``[digid]``: the DigiD that we play in login mode digid. Certificates that are absent are made per run."""

    _pairs: ClassVar = (
        ("certificate", "key", "key_password"),
        ("signing_certificate", "signing_key", "signing_key_password"),
    )
    entity_id: Text = entry("SAML entityID; default: https://<host>/saml/idp/metadata.", "")
    host: Hostname = entry("Host name of the front channel.", "digid.harness.test")
    back_host: Hostname = entry("Host name of the back channel.", "was.digid.harness.test")
    listen: Listen | None = entry("Where its front channel listens.", None)
    listen_back: Listen | None = entry("Where its back channel listens, for the gateway itself.", None)
    level: Level = entry("The least level of assurance that the care provider wants.", "basis")
    certificate: File | None = entry("TLS certificate chain of both hosts: PEM, or PKCS#12 with the key.", None)
    key: File | None = entry("Private key of a PEM certificate.", None)
    key_password: AnyText | None = entry("Password of the key or the PKCS#12 file.", None, secret=True)
    signing_certificate: File | None = entry("Certificate of SAML signatures: PEM, or PKCS#12 with the key.", None)
    signing_key: File | None = entry("Private key of a PEM signing certificate.", None)
    signing_key_password: AnyText | None = entry("Password of the signing key or PKCS#12 file.", None, secret=True)
    sp_metadata: File | None = entry("SAML metadata of the gateway.", None)

    def signing_credential(self) -> tuple[bytes, bytes] | None:
        """Certificate and key of SAML signatures, as ``credential`` gives those of TLS."""
        return self._credential(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(_Table):
    """``[[user_agent.action]]``: what a person does on a page; strings in {braces} are filled from the person."""

    intent: Intent = entry("What the person wants.")
    page: Text = entry("CSS selector that identifies the page.")
    fill: Mapping[str, AnyText] = entry("Values of form fields, by name.", {})
    check: tuple[Text, ...] = entry("CSS selectors of boxes to tick.", ())
    select: Mapping[str, AnyText] = entry("Values to choose, by CSS selector.", {})
    press: Text | None = entry("CSS selector of the button or link to press.", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserAgent(_Table):
    """``[user_agent]``: the person's browser."""

    engine: Engine = entry("`html` is built in and runs no scripts; `chromium` is a real browser (extra `browser`).", "html")
    actions: tuple[Action, ...] = entry("The recipe for pages; the first whose page matches.", (), toml="action")


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent(_Table):
    """``[consent]``: what the consent page should say."""

    text: File | None = entry("File with the wording and its placeholders.", None)
    full_text_url: AnyUrl | None = entry("Where the page links the full text.", None)
    purpose: tuple[Text, ...] = entry("Phrases that state the purpose.", ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway(_Table):
    """``[gateway]``: the PGO gateway under test (dvp)."""

    hostname: Hostname = entry("Its node name and client_id.")
    redirect_uri: Https = entry("Its redirect URI.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(_Table):
    """``[start]``: how a flow is started (dvp); {zorgaanbieder} and {gegevensdienst} are filled."""

    mode: StartMode = entry("By a request, a program, a browser at the URL, or an operator.")
    url: UrlTemplate | None = entry("Where modes http and browser begin.", None)
    command: Command = entry("Program and arguments of mode command, run in the folder of the target file.", ())
    break_off: AnyUrl | None = entry("Where the person breaks off a collection that waits for her return.", None)

    def faults(self) -> Iterator[_Fault]:
        if self.mode in ("http", "browser") and not self.url:
            yield "url", "missing", f"a URL, because mode is {self.mode}"
        if self.mode == "command" and not self.command:
            yield "command", "missing", "a list of texts, because mode is command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(_Table):
    """``[outcome]``: how the person sees what came of it (dvp): text or ``css:SELECTOR`` in the last page, or ``exit:CODE``."""

    collected: Text = entry("The data was collected: text or css:SELECTOR of the last page, or exit:CODE of a program.")
    failed: Text | None = entry("Collecting failed.", None)
    named: Mapping[str, Text] = entry("Any other outcome, by a name of your own.", {}, toml="*")
    wait_s: Annotated[float, _number(0, 3600)] = entry("Seconds to look, if collecting is asynchronous.", 0.0)
    url: AnyUrl | None = entry("Where to look, if not in the last page.", None)

    @property
    def texts(self) -> Mapping[str, str]:
        """Every outcome by its name; exactly one must match."""
        return {"collected": self.collected} | ({"failed": self.failed} if self.failed else {}) | dict(self.named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists(_Keyed):
    """``[lists]``: the lists that we serve or export. With ``listen`` we are the Stelselnode that gateways fetch them from."""

    generation: Generation = entry("Their form.", "1.0")
    listen: Listen | None = entry(
        "Where our Stelselnode listens: /whitelist, /zal and /ocl over mutual TLS; default: nowhere.", None
    )
    host: Hostname = entry("Its host name.", "stelselnode.harness.test")
    certificate: File | None = entry("Its certificate chain, leaf first: PEM, or PKCS#12 with the key; required with listen.", None)
    key: File | None = entry("Private key of a PEM certificate.", None)
    key_password: AnyText | None = entry("Password of the key or the PKCS#12 file.", None, secret=True)

    def faults(self) -> Iterator[_Fault]:
        yield from super(Lists, self).faults()
        if self.listen and not self.certificate:
            yield "certificate", "missing", "the certificate of the Stelselnode, because listen is there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registratie(_Table):
    """``[registratie]``: where the lists are (registratie)."""

    zal_url: Https = entry("Address of the Zorgaanbiederslijst; required.", "")
    whitelist_url: Https = entry("Address of the Whitelist; required.", "")
    ocl_url: Https | None = entry("Address of the OAuth Client List.", None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits(_Table):
    """``[limits]``: how much and how long."""

    samples: Annotated[int, _number(1, 1000, whole=True)] = entry("Codes and tokens drawn for statistics.", 20)
    pace_ms: Annotated[int, _number(0, 60_000, whole=True)] = entry("Milliseconds between requests.", 0)
    exchange_s: Annotated[float, _number(0.1, 600)] = entry("Seconds for one exchange.", 20.0)
    scenario_s: Annotated[float, _number(0.1, 3600)] = entry("Seconds for one scenario.", 60.0)
    run_s: Annotated[float, _number(1, 604_800)] | None = entry("Seconds for the run; default: no limit.", None)
    operator_s: Annotated[float, _number(1, 86_400)] = entry(
        "Seconds in which the operator at the terminal does or answers one thing.", 600.0
    )
    load: bool = entry("Whether guessing and load checks may run.", False)
    body_bytes: Annotated[int, _number(1000, 10**9, whole=True)] = entry("Bytes read of one body.", 5_000_000)
    redirects: Annotated[int, _number(1, 100, whole=True)] = entry("Redirects followed in a row.", 20)

    def faults(self) -> Iterator[_Fault]:
        if self.scenario_s < self.exchange_s:
            yield "scenario_s", f"is {self.scenario_s}", f"at least exchange_s, which is {self.exchange_s}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """What the vendor can do for us; value: the arguments of a command, the URL of http, nothing for operator."""

    kind: HookKind
    value: tuple[str, ...] | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls(_Table):
    """``[tls]``: what TLS is judged by."""

    edition: Version = entry("Edition of the NCSC guideline: ncsc-2014, ncsc-2019, ncsc-2021 or ncsc-2025.", "ncsc-2014")


Connect = Annotated[Mapping[str, str], _Kind('a table of "host:port" = "host:port"', _read_connect)]
_PERSON = _Kind("a table of texts, such as bsn, or a list of them", _read_persons)
Persons = Annotated[Mapping[str, tuple[Person, ...]], _map_of(_PERSON, PERSONS, numbered=True)]
_HOOK = _Kind('{ command = ["program", ...] }, { http = "URL" } or "operator"', _read_hook)
Hooks = Annotated[Mapping[str, Hook], _map_of(_HOOK, HOOKS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(_Table):
    """A whole target file, checked and with its defaults filled. Its attributes are named as the tables."""

    about: About = entry("Who is tested.", toml="target")
    offers: tuple[Offer, ...] = entry("What is offered.", (), toml="offer")
    connect: Connect = entry('Stands in for DNS and is the egress allow-list: "host:port" to where it really is.', {})
    trust: Trust = entry("Whose certificates we trust.")
    harness: Harness = entry("Who we are.")
    pki: Pki = entry("An issuer that the target trusts.")
    persons: Persons = entry(f"Test persons: {', '.join(PERSONS)}, or these with _2, _3, ...; each with any keys.", {}, secret=True)
    login: Login = entry("How a person logs in.")
    digid: Digid | None = entry("The DigiD that we play; required for login mode digid.", None)
    user_agent: UserAgent = entry("The person's browser.")
    consent: Consent = entry("What the consent page should say.")
    gateway: Gateway | None = entry("The PGO gateway; required for dvp.", None)
    start: Start | None = entry("How a flow is started; required for dvp.", None)
    outcome: Outcome | None = entry("How it shows what came of it; required for dvp.", None)
    lists: Lists = entry("The lists that we serve.")
    registratie: Registratie = entry("Where the lists are.")
    limits: Limits = entry("How much and how long.")
    hooks: Hooks = entry(f"What the vendor can do for us: {', '.join(HOOKS)}; absent: not tested.", {})
    tls: Tls = entry("What TLS is judged by.")
    not_applicable: Mapping[str, Text] = entry("Requirements that do not apply: id to reason.", {})
    path: Path
    """The file, absolute."""
    fingerprint: str
    """SHA-256 of the file, in hexadecimal."""

    def scope(self, offer: Offer) -> str:
        """The scope value of an authorization request for ``offer``."""
        if offer.scope is not None:
            return offer.scope
        name = offer.zorgaanbieder.removesuffix("@medmij")
        values = dict(zip(SCOPE_PLACEHOLDERS, (offer.gegevensdienst, offer.zorgaanbieder, name), strict=True))
        return re.sub(r"\{\w+\}", lambda found: values[found[0]], self.about.scope_template)


# --- documentation ---


class _Entry(NamedTuple):
    attribute: str
    kind: _Kind
    default: Any  # MISSING: none
    required: bool
    doc: str


def _entries(cls: type[_Table]) -> Mapping[str, _Entry]:
    """The keys of a table by their name in the file, ``*`` for any other key."""
    hints = get_type_hints(cls, include_extras=True)
    entries: dict[str, _Entry] = {}
    for spec in fields(cls):  # type: ignore[arg-type]  # every table is a dataclass
        if spec.metadata:
            kind = _kind(hints[spec.name])
            default = spec.default if spec.default_factory is MISSING else spec.default_factory()
            required = default is MISSING and kind.table is None
            entries[spec.metadata["toml"] or spec.name] = _Entry(spec.name, kind, default, required, spec.metadata["doc"])
    return entries


class Key(NamedTuple):
    """The documentation of one key; ``default`` is ``None`` where it is required, absent, or hangs on other keys."""

    name: str
    expected: str
    required: bool
    default: object
    doc: str


def keys(table: type[_Table] = Target, at: str = "") -> Iterator[Key]:
    """Every table and key, in the order of the file; a repeated table has ``[]`` behind its name."""
    for name, entry in _entries(table).items():
        full = _join(at, name) + ("[]" if entry.kind.many else "")
        expected = _TEXT.expected if name == "*" else entry.kind.expected
        yield Key(full, expected, entry.required, None if entry.default is MISSING else entry.default, entry.doc)
        if entry.kind.table:
            yield from keys(entry.kind.table, full)


# --- the whole file ---


def load(path: Path, environ: Mapping[str, str] = os.environ) -> Target:
    """The target that the file describes; ``{ env = "NAME" }`` is looked up in ``environ``.

    Raises ``TargetError`` for the first fault found.
    """
    target, errors = read(path, environ)
    if target is None or errors:
        raise errors[0]
    return target


def problems(path: Path, environ: Mapping[str, str] = os.environ) -> list[TargetError]:
    """All faults of the file; what only follows from another fault may be left out."""
    return read(path, environ)[1]


def authority(url: str) -> str:
    """``host:port`` of an http or https URL as a key of ``[connect]``: lower case, the scheme's port if it has none."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or {'http': 80}.get(parts.scheme, 443)}"


def read(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Target | None, list[TargetError]]:
    """What ``load`` and ``problems`` give, of one reading; where there is a fault, the target is not whole."""
    reader = _Reader(path, environ)
    target, content = None, b""
    try:
        content = path.read_bytes()
        data = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        reader.report("file", f"cannot be read: {error.strerror}", "a target file")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        reader.report("TOML", f"line {line} is not UTF-8", "a TOML file in UTF-8")
    except (ValueError, RecursionError) as error:
        reader.report("TOML", str(error), "a TOML file")
    else:
        fingerprint = hashlib.sha256(content).hexdigest()
        target = reader.table(Target, "", data, path=path.absolute(), fingerprint=fingerprint)
        if None not in (target.about, target.offers, target.trust, target.harness, target.login):
            target = _complete(target)
            _check(target, data, reader)
    return target, reader.errors


def _complete(target: Target) -> Target:
    """Fills the defaults that hang on other keys."""
    harness = _named(target.harness, "za.harness.test" if target.about.role == "dvp" else "pgo.harness.test")
    other = harness.other and _named(harness.other, "other.harness.test")
    unlisted = harness.unlisted and _named(harness.unlisted, "unlisted.harness.test")
    digid = target.digid
    harness = replace(harness, other=other, unlisted=unlisted)
    if target.about.role == "dvp":
        listen = harness.listen or "127.0.0.1:8443"
        harness = replace(harness, listen=listen, listen_back=harness.listen_back or listen)
    return replace(
        target,
        harness=harness,
        trust=replace(target.trust, front=target.trust.front or target.trust.ca),
        offers=tuple(offer and _placed(offer, target, harness) for offer in target.offers),
        digid=digid and replace(digid, entity_id=digid.entity_id or f"https://{digid.host}/saml/idp/metadata"),
    )


def _named(node: _N, default: str) -> _N:
    name = node.hostname or default
    redirect_uri = node.redirect_uri or f"https://{name}/cb"
    return replace(node, hostname=name, name=node.name or name, client_id=node.client_id or name, redirect_uri=redirect_uri)


def _placed(offer: Offer, target: Target, harness: Harness) -> Offer:
    """An offer with its service; one of ours (dvp) with the addresses at which we listen, where the file gives it none."""
    offer = replace(offer, service=offer.service or _service(offer))
    node = harness.other if offer.node == "other" else harness
    if target.about.role != "dvp" or node is None or not offer.zorgaanbieder:
        return offer
    path = f"{offer.zorgaanbieder.partition('@')[0]}/{offer.gegevensdienst}"
    addresses = (harness.advertise or harness.listen, harness.listen_back)
    front, back = (f"https://{node.hostname}:{(address or '').rpartition(':')[2]}/{path}" for address in addresses)
    return replace(
        offer,
        authorization_endpoint=offer.authorization_endpoint or f"{front}/authorize",
        token_endpoint=offer.token_endpoint or f"{back}/token",
        resource_endpoint=offer.resource_endpoint or f"{back}/fhir",
    )


def _service(offer: Offer) -> Any:
    code = int(offer.gegevensdienst or 0)
    return SERVICES.get(code if code % 2 else code - 1)


def _check(target: Target, data: Mapping[str, Any], reader: _Reader) -> None:
    """Reports what tables must be together. A value that did not fit is ``None`` here and was reported already."""
    role = target.about.role
    for name, expected in _NEEDED.get(role, {}).items():
        if data.get(name) in (None, []):
            reader.report(name, "missing", f"{expected}, because role is {role}")
    for name in ("zal_url", "whitelist_url") if role == "registratie" else ():
        if not getattr(target.registratie, name, None):
            reader.report(f"registratie.{name}", "missing", f"{_HTTPS.expected}, because role is {role}")
    for name, node in (("harness", target.harness), ("harness.other", target.harness.other)) if role == "dvp" else ():
        if node and not node.certificate:
            reader.report(f"{name}.certificate", "missing", "the certificate under which we listen, because role is dvp")
    if role == "dvza" and target.login.mode == "digid" and "digid" not in data:
        reader.report("digid", "missing", "a table [digid], because login.mode is digid")
    elif role == "dvza" and target.login.mode == "digid" and target.digid:
        _check_digid(target, target.digid, reader)
    _check_offers(target, reader)
    if not any(error.field.startswith("connect") for error in reader.errors):
        for at, url in reached(target):
            if url and authority(url) not in target.connect:
                reader.report(at, f"{authority(url)} cannot be reached", f'an entry "{authority(url)}" in [connect]')
    hostnames = [target.harness.hostname]
    for name, node in (("other", target.harness.other), ("unlisted", target.harness.unlisted)):
        if node and node.hostname in hostnames:  # else an unlisted node would be a listed one
            reader.report(f"harness.{name}.hostname", f"{node.hostname} is another node", "a host name of its own")
        hostnames += [node.hostname] if node else []


def _check_digid(target: Target, digid: Digid, reader: _Reader) -> None:
    """What playing DigiD takes: two hosts, places to listen, and the gateway's metadata."""
    for name, expected in (("listen", Listen), ("listen_back", Listen), ("sp_metadata", File)):
        if getattr(digid, name) is None:
            reader.report(f"digid.{name}", "missing", f"{_kind(expected).expected}, because login.mode is digid")
    if digid.host == digid.back_host:
        reader.report("digid.back_host", f"is {digid.host} too", "a host of its own, because only one asks for a certificate")


def _check_offers(target: Target, reader: _Reader) -> None:
    seen: dict[tuple[str, str], int] = {}
    for number, offer in enumerate(target.offers, 1):
        if target.about.role == "dvza" and offer:
            for name in ENDPOINTS:
                if not getattr(offer, name):
                    reader.report(f"offer[{number}].{name}", "missing", f"{_HTTPS.expected}, because role is dvza")
        if offer and offer.node == "other" and not target.harness.other:
            reader.report(f"offer[{number}].node", "is 'other'", "a table [harness.other]")
        if not offer or not offer.gegevensdienst:
            continue
        if not offer.service:
            expected = f"one of {', '.join(get_args(Service))}, because code {offer.gegevensdienst} does not tell"
            reader.report(f"offer[{number}].service", "missing", expected)
        first = seen.setdefault((offer.zorgaanbieder, offer.gegevensdienst), number)
        if offer.zorgaanbieder and first != number:
            expected = "one offer of a gegevensdienst by a zorgaanbieder"
            reader.report(f"offer[{number}]", f"is the same as offer[{first}]", expected)


def reached(target: Target) -> Iterator[tuple[str, str | None]]:
    """Field and URL of every place of the target that a run goes to."""
    match target.about.role:
        case "dvza":
            for number, offer in enumerate(target.offers, 1):
                yield from ((f"offer[{number}].{name}", getattr(offer, name, None)) for name in ENDPOINTS)
        case "dvp" if target.start and target.start.mode in ("http", "browser"):
            yield "start.url", target.start.url
            yield "start.break_off", target.start.break_off
            yield "gateway.redirect_uri", getattr(target.gateway, "redirect_uri", None)
        case "registratie":
            for name in ("zal_url", "whitelist_url", "ocl_url"):
                yield f"registratie.{name}", getattr(target.registratie, name, None)
