"""How a PGO shows what came of a collection: ``[outcome]`` of the target file. Shapes only."""

from collections.abc import Mapping

from medmij_conformance.protocol.html import Page, PageError

_SELECTOR = "css:"
_EXIT = "exit:"


def matching(texts: Mapping[str, str], body: bytes, url: str, exit_code: str = "") -> tuple[str, ...]:
    """The names of the outcomes that a page (or the output of a program) shows.

    ``texts`` maps a name to a text, to ``css:SELECTOR``, or to ``exit:CODE`` for a program that ended with this exit code. White
    space counts once. A selector that is none matches nothing.
    """
    page = Page(body, url)
    said = page.text if b"<" in body else " ".join(body.decode("utf-8", "replace").split())
    return tuple(name for name, text in texts.items() if _shows(page, said, exit_code, text))


def _shows(page: Page, said: str, exit_code: str, text: str) -> bool:
    if text.startswith(_EXIT):
        return bool(exit_code) and text.removeprefix(_EXIT).strip() == exit_code
    if not text.startswith(_SELECTOR):
        return " ".join(text.split()) in said
    try:
        return page.matches(text.removeprefix(_SELECTOR))
    except PageError:
        return False
