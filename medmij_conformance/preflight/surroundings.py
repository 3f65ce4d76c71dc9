"""Programs, persons, hooks and documents that a run needs beside the gateway."""

import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from medmij_conformance.cast.digid import service_provider_of, signer_of
from medmij_conformance.guideline import GuidelineError, edition, editions
from medmij_conformance.listing import lists_for
from medmij_conformance.preflight.fault import Fault
from medmij_conformance.target import Target, TargetError, authority
from medmij_conformance.wire.address import socket_address
from medmij_conformance.wire.browser import BrowserError, executable

_LIMIT_S = 2.0


def surroundings(target: Target) -> Iterator[Fault]:
    """What is missing on this machine, or in what the vendor filled in."""
    yield from _persons(target)
    yield from _programs(target)
    yield from _documents(target)
    yield from _lists(target)
    uri, host = urlsplit(target.harness.redirect_uri), target.harness.hostname
    if target.about.role == "dvza" and uri.hostname != host:
        problem = f"{uri.hostname} is another host than {host}"
        yield Fault("harness.redirect_uri", problem, f"an address on {host}", hinders=False)


def _persons(target: Target) -> Iterator[Fault]:
    if target.about.role == "dvza" and target.login.mode != "operator" and not target.persons.get("available"):
        yield Fault("persons.available", "missing", "a test person whose data is available", hinders=False)
    for kind, persons in target.persons.items():
        for number, person in enumerate(persons, 1):
            at = f"persons.{kind}" if len(persons) == 1 else f"persons.{kind}[{number}]"
            if "bsn" not in person and target.about.role == "dvza" and target.login.mode != "operator":
                yield Fault(f"{at}.bsn", "missing", "the test BSN of this person", hinders=False)


def _programs(target: Target) -> Iterator[Fault]:
    folder = target.path.parent
    if target.start and target.start.mode == "command" and target.start.command:
        yield from _program("start.command", target.start.command[0], folder, hinders=True)
    for name, hook in target.hooks.items():
        if hook.kind == "command":
            yield from _program(f"hooks.{name}", hook.value[0], folder, hinders=False)
    by_browser = target.start and target.start.mode == "browser"
    if target.user_agent.engine == "chromium" or by_browser:
        at = "start.mode" if by_browser else "user_agent.engine"
        try:
            executable()
            import playwright  # noqa: F401 the extra ``browser``
        except BrowserError as error:
            yield Fault(at, str(error), 'Chromium, or engine = "html"', "command -v chromium")
        except ImportError:
            expected = "the extra browser: pip install 'medmij-conformance[browser]'"
            yield Fault(at, "Playwright is not installed", expected, "pip show playwright")


def _program(field: str, name: str, folder: Path, *, hinders: bool) -> Iterator[Fault]:
    place = folder / name if "/" in name else None
    found = shutil.which(str(place)) if place else shutil.which(name)
    if found is None:
        problem = f"{name} is there, but is no program" if place and place.is_file() else f"{name} cannot be found"
        yield Fault(
            field,
            problem,
            "a program that may be run",
            f"command -v {quote(str(place or name))}",
            hinders=hinders,
        )


def _documents(target: Target) -> Iterator[Fault]:
    if target.about.role == "dvza" and target.login.mode == "digid" and target.digid:
        for read in (service_provider_of, signer_of):
            try:
                read(target)
            except TargetError as error:
                yield Fault(error.field, error.problem, error.expected)
    try:
        edition(target.tls.edition)
    except GuidelineError as error:
        yield Fault("tls.edition", str(error), f"one of {', '.join(editions())}")


def _lists(target: Target) -> Iterator[Fault]:
    """Lists that we would serve, or that the gateway is to load, and that nobody could read."""
    if target.about.role == "registratie":
        return
    hinders = bool(target.lists.listen or "reload_lists" in target.hooks)
    see = f"medmij-conformance export-lists {quote(str(target.path))} --out /tmp/lists"
    generation = target.lists.generation
    try:
        lists_for(target)
    except ValueError as error:
        expected = f"offers that generation {generation} can express, or another generation"
        yield Fault("lists.generation", str(error), expected, see, hinders=hinders)


def hooks_answer(target: Target) -> Iterator[Fault]:
    """Hooks by HTTP whose place nobody listens at; nothing is asked of them."""
    places: dict[tuple[str, int], str] = {}
    for name, hook in target.hooks.items():
        if hook.kind == "http":
            places.setdefault(socket_address(authority(str(hook.value))), name)
    with ThreadPoolExecutor(max(1, len(places))) as pool:
        for faults in pool.map(_hook_answers, places, places.values()):
            yield from faults


def _hook_answers(place: tuple[str, int], name: str) -> list[Fault]:
    try:
        socket.create_connection(place, timeout=_LIMIT_S).close()
    except OSError as error:
        problem = f"nobody answers at {place[0]}:{place[1]} ({error.strerror or error})"
        see = f"nc -vz {place[0]} {place[1]}"
        return [Fault(f"hooks.{name}", problem, "the program that does it", see, hinders=False)]
    return []
