"""The dossier of the reference PGO: what was collected, in SQLite, each item with how it came there."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_TABLE = """
CREATE TABLE item (
    id INTEGER PRIMARY KEY, person TEXT, zorgaanbieder TEXT, gegevensdienst TEXT, content TEXT,
    medmij INTEGER, obtained TEXT, consent_profile TEXT
)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where items come from: whose they are, from whom, under which service, when, and by which consent."""

    person: str
    zorgaanbieder: str
    gegevensdienst: str
    medmij: bool
    obtained: str
    consent_profile: str


class Dossier:
    """One file (or memory) of items. Thread-safe."""

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._base.row_factory = sqlite3.Row
        self._base.execute(_TABLE)

    def keep(self, origin: Origin, resources: Iterable[Mapping[str, Any]]) -> None:
        """Store resources, all or none of them."""
        row = (origin.person, origin.zorgaanbieder, origin.gegevensdienst)
        meta = (int(origin.medmij), origin.obtained, origin.consent_profile)
        rows = [(*row, json.dumps(dict(resource)), *meta) for resource in resources]
        with self._lock:
            self._base.execute("BEGIN")
            self._base.executemany(
                "INSERT INTO item (person, zorgaanbieder, gegevensdienst, content, medmij, obtained, consent_profile)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            self._base.execute("COMMIT")

    def items(self, person: str | None = None) -> list[dict[str, Any]]:
        """Every item, or those of one person, oldest first."""
        with self._lock:
            found = self._base.execute("SELECT * FROM item WHERE ? IS NULL OR person = ? ORDER BY id", (person, person))
            rows = [dict(row) for row in found]
        return [{**row, "content": json.loads(row["content"]), "medmij": bool(row["medmij"])} for row in rows]

    def edit(self, number: int, content: Mapping[str, Any], *, keeps_mark: bool) -> None:
        """Change an item. What a person changed is no longer what came through MedMij."""
        with self._lock:
            self._base.execute(
                "UPDATE item SET content = ?, medmij = medmij AND ? WHERE id = ?",
                (json.dumps(dict(content)), int(keeps_mark), number),
            )
