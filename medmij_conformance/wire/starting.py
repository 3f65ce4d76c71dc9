"""How a collection is started at the PGO gateway under test: ``[start]`` of the target file.

By an address that the person's browser opens, by a program of the vendor, or by an operator at a browser of his own. The program
gets what is chosen, and the files of the lists, in its environment (``MEDMIJ_ZORGAANBIEDER``, ``MEDMIJ_GEGEVENSDIENST``,
``MEDMIJ_ZAL``, ``MEDMIJ_WHITELIST``, ``MEDMIJ_OCL``, and ``MEDMIJ_URL`` where the target file has one). A line of its output
that is an https address is opened by the person's browser while the program goes on; whatever else it says is what the person
sees in the end. A program that needs no browser of ours says no address.

What a program says or an operator tells is kept as an exchange of endpoint ``said`` or ``told``: no page that went over the wire.
"""

import contextlib
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol
from urllib.parse import quote

from medmij_conformance.evidence import Exchange, Request, Response, Trouble, wall_time
from medmij_conformance.wire.hooks import OperatorError
from medmij_conformance.wire.user_agent import UserAgent, Visit

_LARGEST = 200_000  # characters of output that are kept


class Offer(Protocol):
    """What a person chooses at the PGO."""

    @property
    def zorgaanbieder(self) -> str: ...
    @property
    def gegevensdienst(self) -> str: ...


class Start(Protocol):
    """A way to start one collection.

    ``by_hand``: a person does it, in a browser that is not ours.
    """

    @property
    def by_hand(self) -> bool: ...

    def begin(self, browser: UserAgent, offer: Offer) -> Visit:
        """Start, and let the browser follow to where it halts."""
        ...

    def end(self, browser: UserAgent) -> Exchange | None:
        """What the person sees in the end, where that is not in a browser of ours; None where it is, and the second time."""
        ...

    def close(self) -> None:
        """Nothing that was begun goes on."""
        ...


@dataclass(frozen=True, slots=True)
class ByAddress:
    """The browser, whichever it is, opens an address, in which the placeholders are filled."""

    template: str
    by_hand: ClassVar[bool] = False

    def begin(self, browser: UserAgent, offer: Offer) -> Visit:
        """Open the address."""
        request = Request(method="GET", url=filled(self.template, offer))
        return browser.open(request, label="the person starts at the PGO", endpoint="start")

    def end(self, browser: UserAgent) -> Exchange | None:
        """The browser shows it."""
        return None

    def close(self) -> None:
        """Nothing goes on."""


@dataclass(slots=True)
class ByProgram:
    """A program is run, in a folder, with more environment; ``limit_s`` is how long it may take up to an address, and after it."""

    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    limit_s: float
    by_hand: ClassVar[bool] = False
    _said: list[str] = field(default_factory=list)
    _lines: "queue.Queue[str | None]" = field(default_factory=queue.Queue)
    _process: "subprocess.Popen[str] | None" = None
    _trouble: str = ""

    def begin(self, browser: UserAgent, offer: Offer) -> Visit:
        """Run the program until it says an address, which the browser opens, or until it ends."""
        chosen = {"MEDMIJ_ZORGAANBIEDER": offer.zorgaanbieder, "MEDMIJ_GEGEVENSDIENST": offer.gegevensdienst}
        filled_in = [filled(part, offer, encoded=False) for part in self.command]
        try:
            self._process = subprocess.Popen(
                filled_in,
                cwd=self.folder,
                env={**os.environ, **self.environment, **chosen},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
        except OSError as error:
            self._trouble = f"it could not be started: {error}"
            return self._halt(browser)
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()
        address = self._listen(until_address=True)
        if not address:
            return self._halt(browser)
        return browser.open(Request(method="GET", url=address), label="the person starts at the PGO", endpoint="start")

    def end(self, browser: UserAgent) -> Exchange | None:
        """What the program says until it ends or its time is over; None when it says nothing but addresses, or has said it."""
        if self._process is None:
            return None
        self._listen(until_address=False)
        self._stop()
        heard = self._heard(browser) if self._words() or self._trouble else None
        self._process = None
        return heard

    def close(self) -> None:
        """The program is ended, if it still goes on."""
        if self._process is not None:
            self._process.kill()
            self._stop()
            self._process = None

    def _halt(self, browser: UserAgent) -> Visit:
        """The program ended without an address: what it said is the page."""
        self._stop()
        heard = self._heard(browser)
        self._process = None
        return Visit("trouble" if heard.trouble else "page", "the program ended", (heard,))

    def _read(self, process: "subprocess.Popen[str]") -> None:
        for line in process.stdout or ():
            self._lines.put(line)
        self._lines.put(None)

    def _listen(self, *, until_address: bool) -> str:
        """Take in what is said. Gives the address, when it is that for which we listen; empty when nothing more is said."""
        until = time.monotonic() + self.limit_s
        with contextlib.suppress(queue.Empty):
            while (line := self._lines.get(timeout=max(0.0, until - time.monotonic()))) is not None:
                if sum(map(len, self._said)) < _LARGEST:
                    self._said.append(line)
                if until_address and _is_address(line):
                    return line.strip()
        return ""

    def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        with process, contextlib.suppress(OSError):
            try:
                process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                process.kill()
                self._trouble = "it did not end in time"

    def _words(self) -> str:
        return "".join(line for line in self._said if not _is_address(line)).strip()

    def _heard(self, browser: UserAgent) -> Exchange:
        code = "" if self._process is None else str(self._process.returncode)
        request = Request(method="RUN", url=f"command:{Path(self.command[0]).name}")
        response = Response(status=200, headers=(("Exit-Code", code),), body=self._words().encode())
        exchange = Exchange(
            label="what the program of the vendor said",
            endpoint="said",
            request=request,
            response=response,
            trouble=Trouble(kind="program", detail=self._trouble) if self._trouble and not self._words() else None,
            flow=browser.flow,
            at=wall_time(),
        )
        now = browser.client.evidence.now()
        return browser.client.evidence.append(replace(exchange, started=now, finished=now))


class Desk(Protocol):
    """An operator at a terminal."""

    def wait_for(self, name: str, arguments: Mapping[str, Any], came: Callable[[], bool]) -> None:
        """Ask for something and wait until it came about. Raises ``OperatorError``."""
        ...

    def choose(self, name: str, arguments: Mapping[str, Any], options: Sequence[str]) -> tuple[str, str]:
        """Ask which of the options it is, and by which words. Raises ``OperatorError``."""
        ...


@dataclass(slots=True)
class ByOperator:
    """An operator starts it in a browser of his own, and tells what he sees in the end.

    ``came`` says whether the request has arrived; ``outcomes`` are the names that he chooses from.
    """

    desk: Desk
    came: Callable[[], bool]
    outcomes: Sequence[str]
    by_hand: ClassVar[bool] = True
    _chosen: Mapping[str, str] = field(default_factory=dict)
    _over: bool = False

    def begin(self, browser: UserAgent, offer: Offer) -> Visit:
        """Ask for it, and go on by itself when the request arrives."""
        self._chosen = {"zorgaanbieder": offer.zorgaanbieder, "gegevensdienst": offer.gegevensdienst}
        what = f"service {offer.gegevensdienst} of {offer.zorgaanbieder}"
        try:
            self.desk.wait_for("start", self._chosen, self.came)
        except OperatorError as error:
            self._over = True
            detail = f"waiting for the operator to begin collecting {what}: {error}"
            return Visit("trouble", detail, (self._told(browser, "start", trouble=detail),))
        return Visit("operator", f"begun collecting {what}", (self._told(browser, "start"),))

    def end(self, browser: UserAgent) -> Exchange | None:
        """Ask what the last page says came of it."""
        if self._over:
            return None
        self._over = True
        try:
            outcome, words = self.desk.choose("outcome", self._chosen, self.outcomes)
        except OperatorError as error:
            return self._told(browser, "outcome", trouble=f"waiting for the operator to tell the outcome: {error}")
        return self._told(browser, "outcome", outcome, words)

    def close(self) -> None:
        """The operator's browser is his own."""

    def _told(self, browser: UserAgent, task: str, outcome: str = "", words: str = "", *, trouble: str = "") -> Exchange:
        exchange = Exchange(
            label="what the operator told",
            endpoint="told",
            request=Request(method="ASK", url=f"operator:{task}"),
            response=None if trouble else Response(status=200, headers=(("Outcome", outcome),), body=words.encode()),
            trouble=Trouble(kind="operator", detail=trouble) if trouble else None,
            flow=browser.flow,
            at=wall_time(),
        )
        now = browser.client.evidence.now()
        return browser.client.evidence.append(replace(exchange, started=now, finished=now))


def filled(template: str, offer: Offer, *, encoded: bool = True) -> str:
    """``{zorgaanbieder}`` and ``{gegevensdienst}`` of a template filled in, for an address percent-encoded."""
    values = {"zorgaanbieder": offer.zorgaanbieder, "gegevensdienst": offer.gegevensdienst}
    for name, value in values.items():
        template = template.replace("{" + name + "}", quote(value, safe="") if encoded else value)
    return template


def _is_address(line: str) -> bool:
    return line.strip().lower().startswith("https://") and " " not in line.strip()
