"""The guided questions to the vendor: what cannot be seen from outside and has to be asked."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from medmij_conformance import data_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question, in English and in Dutch, and what to look at before answering it."""

    id: str
    question: str
    question_nl: str
    look_at: str


@cache
def questions(catalogue: str = "1.0") -> Mapping[str, Question]:
    """The questions of a catalogue by id, in the order in which they are asked."""
    path = data_path("fixtures") / "questions" / f"{catalogue}.toml"
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["question"]
    return {row["id"]: Question(**row) for row in rows}
