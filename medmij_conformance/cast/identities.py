"""The certificates that the harness shows, as files of one run."""

from pathlib import Path

from medmij_conformance.pki import write_pair
from medmij_conformance.target import HarnessNode
from medmij_conformance.wire.client import Identity


def identity(name: str, node: HarnessNode, folder: Path) -> Identity:
    """Who a node of the target file is on a connection; its files go into ``folder``, the key readable by us alone."""
    credential = node.credential()
    if credential is None:
        return Identity(name=name)
    certificate, key = write_pair(folder, name, *credential)
    return Identity(name=name, certificate=certificate, key=key)
