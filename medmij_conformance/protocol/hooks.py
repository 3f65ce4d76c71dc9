"""What is said to a hook of the vendor and what it answers: the JSON Schemas ``fixtures/schemas/hooks/<name>.schema.json``."""

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from medmij_conformance import data_path

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

Part = Literal["request", "answer"]

_NAMES: Mapping[type, str] = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "nothing"}
_LONGEST = 40


@cache
def schema(hook: str) -> Mapping[str, Any]:
    """The schema of a hook, with ``request`` and ``answer`` under ``$defs``. Raises ``FileNotFoundError`` for an unknown hook."""
    path = data_path("fixtures") / "schemas" / "hooks" / f"{hook}.schema.json"
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def problem(hook: str, data: Any, part: Part = "answer") -> str:
    """What is wrong with an answer of a hook (or a request to it): hook, field and what was expected; empty when nothing is.

    Of what the vendor said only short words are repeated, and never a text in a field that may hold anything.
    """
    error = next(_validator(hook, part).iter_errors(data), None)
    if error is None:
        return ""
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    said = f"the hook {hook} answered wrongly" if part == "answer" else f"the hook {hook} was asked wrongly"
    if error.validator in {"required", "dependentRequired"}:
        missing = next(name for name in error.validator_value if name not in error.instance)
        expected = error.schema.get("properties", {}).get(missing, {}).get("description", "a value")
        return f"{said}: {part}{where}.{missing} is absent; expected {expected}"
    return f"{said}: {part}{where} is {_told(error.instance)}; expected {error.schema.get('description', error.validator)}"


@cache
def _validator(hook: str, part: Part) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator  # half of the time that this module takes, and few runs need it

    return Draft202012Validator(schema(hook)["$defs"][part])


def _told(value: Any) -> str:
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"a text of {len(value)} characters"
    return _NAMES.get(type(value), "a number")
