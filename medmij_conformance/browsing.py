"""The real browser of a run, where the target file asks for one."""

from typing import TYPE_CHECKING

from medmij_conformance.target import Target, TargetError

if TYPE_CHECKING:
    from medmij_conformance.wire.browser import Chromium


def chromium(target: Target, field: str) -> "Chromium":
    """Chromium, which a field of the target file asks for. Raises ``TargetError`` when the machine has none."""
    from medmij_conformance.wire.browser import BrowserError, Chromium  # costs time that the html engine does not need

    try:
        return Chromium()
    except BrowserError as error:
        other = {"user_agent.engine": 'engine = "html"', "start.mode": 'mode = "http"'}[field]
        raise TargetError(target.path, field, str(error), f"a working browser, or {other}") from error
