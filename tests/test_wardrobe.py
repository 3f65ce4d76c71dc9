"""A certificate that is shown for a while, put on by a serving thread and taken off by the scenario."""

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from medmij_conformance import pki
from medmij_conformance.cast.wardrobe import Wardrobe
from medmij_conformance.evidence import Response
from medmij_conformance.wire.server import Server

HOST, OTHER = "za.harness.test", "other-za.harness.test"


class SlowServer(Server):
    """Takes its time to put something on, if it is told to."""

    reached = threading.Event()
    may_go_on = threading.Event()

    def wear(self, *arguments: Any, **options: Any) -> None:
        self.reached.set()
        assert self.may_go_on.wait(10)
        super().wear(*arguments, **options)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SlowServer]:
    issue = pki.hierarchy().tsp.issue
    own, other = issue(HOST).write(tmp_path, "own"), issue(OTHER).write(tmp_path, "other")
    made = SlowServer(lambda *_: Response(status=200), host=HOST, certificate=own[0], key=own[1], others={OTHER: other})
    made.reached, made.may_go_on = threading.Event(), threading.Event()
    made.start()
    yield made
    made.stop()


def _shown(server: Server, name: str) -> int:
    context = ssl._create_unverified_context()
    address = ("127.0.0.1", server.port)
    with socket.create_connection(address, 5) as plain, context.wrap_socket(plain, server_hostname=name) as line:
        return x509.load_der_x509_certificate(line.getpeercert(binary_form=True) or b"").serial_number


def test_what_is_worn_is_shown_under_every_name_until_it_is_taken_off(server: SlowServer) -> None:
    """One certificate for both names, and afterwards each name its own again."""
    usual = {name: _shown(server, name) for name in (HOST, OTHER)}
    minted, wardrobe = pki.hierarchy().tsp.issue(HOST), Wardrobe(server)
    server.may_go_on.set()
    wardrobe.wear(minted)
    assert {_shown(server, name) for name in (HOST, OTHER)} == {minted.certificate.serial_number}
    assert wardrobe.opened(minted.certificate.serial_number)
    wardrobe.undress()
    assert {name: _shown(server, name) for name in (HOST, OTHER)} == usual


def test_what_waits_for_a_token_is_put_on_once(server: SlowServer) -> None:
    """The first token puts it on; the next one changes nothing."""
    minted, wardrobe = pki.hierarchy().tsp.issue(HOST), Wardrobe(server)
    server.may_go_on.set()
    wardrobe.wear(minted, from_token_on=True)
    assert _shown(server, HOST) != minted.certificate.serial_number
    for _ in range(2):
        wardrobe.token_issued()
        server.may_go_on.clear()  # who put it on once more would wait here, and be found out
    assert _shown(server, HOST) == minted.certificate.serial_number


def test_what_was_taken_off_meanwhile_does_not_stay(server: SlowServer) -> None:
    """A thread that is about to put it on while the scenario ends leaves the usual certificates, whoever comes first."""
    usual = {name: _shown(server, name) for name in (HOST, OTHER)}
    wardrobe = Wardrobe(server)
    wardrobe.wear(pki.hierarchy().tsp.issue(HOST), from_token_on=True)
    serving = threading.Thread(target=wardrobe.token_issued)
    serving.start()
    assert server.reached.wait(10)
    ending = threading.Thread(target=wardrobe.undress)
    ending.start()
    ending.join(0.2)
    server.may_go_on.set()
    serving.join(10)
    ending.join(10)
    assert {name: _shown(server, name) for name in (HOST, OTHER)} == usual
    wardrobe.token_issued()
