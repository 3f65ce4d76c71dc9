"""Writes ``target-file.md`` from the model of the target file: ``python docs/render.py`` (or ``make docs``)."""

from pathlib import Path

from medmij_conformance.target import keys

PAGE = Path(__file__).parent / "target-file.md"
HEAD = """# The target file

One TOML file says what is tested and how to reach it. This page is made from the model that reads it (`make docs`). An unknown
key is an error that names the nearest known one. Any string may be `{ env = "NAME" }`. Paths are relative to the file.
`medmij-conformance init` writes a commented example.

| key | what it says | expected | default |
|---|---|---|---|
"""


def render() -> str:
    """The page, in Markdown."""
    return HEAD + "".join(
        f"| `{key.name}` | {_cell(key.doc)} | {_cell(key.expected)} | {_default(key.required, key.default)} |\n" for key in keys()
    )


def _default(required: bool, default: object) -> str:
    if required:
        return "required"
    return "" if default in (None, "", (), {}) else f"`{_cell(str(default))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
