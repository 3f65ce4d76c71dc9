"""Preflight: whether a target file can be tested as it is, before anything is judged.

What the target file itself tells is found when it is read (``target``). Here is what only its surroundings tell: certificates and
their dates, places to listen, programs, the recipe, and whether the gateway can be reached. Each fault names its field, what was
found, what was expected, and a command that shows the same. Nothing is judged: that nobody answers is no fault of a gateway.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from medmij_conformance.cast.office import Office
from medmij_conformance.preflight.certificates import certificates
from medmij_conformance.preflight.fault import Fault
from medmij_conformance.preflight.listening import listening
from medmij_conformance.preflight.pages import login_page, recipe
from medmij_conformance.preflight.reaching import reaching
from medmij_conformance.preflight.surroundings import hooks_answer, surroundings
from medmij_conformance.target import Target, TargetError, read

__all__ = ["Fault", "at_home", "in_the_file", "on_the_way", "preflight"]

_AT_HOME: Sequence[Callable[[Target], Iterator[Fault]]] = (certificates, listening, recipe, surroundings)
_ON_THE_WAY: Sequence[Callable[[Target], Iterator[Fault]]] = (reaching, login_page, hooks_answer)


def in_the_file(path: Path, environ: Mapping[str, str] = os.environ) -> tuple[Target | None, list[Fault]]:
    """The target of a file, and what is wrong with the file itself; with a fault there is no target."""
    target, wrong = read(path, environ)
    faults = [Fault(error.field, error.problem, error.expected).seen_in(path) for error in wrong]
    return (None if faults else target), faults


def at_home(target: Target) -> list[Fault]:
    """What is wrong on our side; nothing is sent."""
    return [fault.seen_in(target.path) for part in _AT_HOME for fault in part(target)]


def on_the_way(target: Target) -> list[Fault]:
    """What is wrong between the gateway and us: every endpoint is dialled once, and one page is asked for. Five seconds at most."""
    with _responder(target), ThreadPoolExecutor(len(_ON_THE_WAY)) as pool:
        told = pool.map(lambda part: list(part(target)), _ON_THE_WAY)
        return [fault.seen_in(target.path) for found in told for fault in found]


@contextlib.contextmanager
def _responder(target: Target) -> Iterator[None]:
    """Our OCSP responder answers, as in a run: a gateway may ask about our certificate before it lets us in."""
    try:
        office = Office.of(target)
    except TargetError:  # its place is taken, which ``listening`` tells
        office = None
    try:
        yield
    finally:
        if office:
            office.close()


def preflight(target: Target) -> list[Fault]:
    """Everything; what is wrong at home comes first."""
    return [*at_home(target), *on_the_way(target)]
