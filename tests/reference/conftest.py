"""Keys, a DigiD that listens, and a fresh gateway for each test."""

from collections.abc import Iterator
from pathlib import Path

import digid_idp
import pytest
from digid_idp import BACK, Idp
from digid_site import HOST, Keys, Site, digid_member, make_site

from medmij_conformance.pki import Hierarchy, hierarchy, make_key, self_signed
from medmij_conformance.reference.digid_login import DigidSettings


@pytest.fixture(scope="session")
def authorities() -> Hierarchy:
    """Who issues what the two sides need for TLS."""
    return hierarchy()


@pytest.fixture(scope="session")
def keys(authorities: Hierarchy) -> Keys:
    """Made once."""
    kinds = [make_key("rsa2048") for _ in range(3)]
    return Keys(authorities.tsp.issue(HOST, key=kinds[0]), self_signed(BACK, key=kinds[1]), self_signed(BACK, key=kinds[2]))


@pytest.fixture(scope="session")
def listening(
    keys: Keys, authorities: Hierarchy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Idp, DigidSettings, Path]]:
    """A DigiD for the session, what the gateway has to know of it, and the folder in which everybody's files are."""
    folder = tmp_path_factory.mktemp("digid")
    (folder / "ca.pem").write_bytes(authorities.root.certificate_pem)
    keys.provider.write(folder, "provider")
    idp = digid_idp.start(folder, authorities.tsp.issue(BACK), keys.digid, folder / "ca.pem")
    (folder / "idp.xml").write_text(idp.metadata(), encoding="utf-8")
    yield idp, DigidSettings.from_json(digid_member(idp), folder), folder
    idp.server.stop()


@pytest.fixture
def site(listening: tuple[Idp, DigidSettings, Path]) -> Iterator[Site]:
    """A fresh gateway."""
    made = make_site(*listening)
    yield made
    made.login.channel.close()
