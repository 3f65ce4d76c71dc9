"""The reference believes right answers of DigiD alone: every fault is exception 2, for its own reason."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from answers import ACCEPTED, REFUSED, WRAPPED
from cryptography.x509 import ocsp
from digid_idp import BACK, Answer
from digid_site import Browser, Keys, Site, asks_consent, ended

from medmij_conformance.pki import hierarchy
from medmij_conformance.reference.digid_channel import DigidPeers

EXCEPTION_2 = {"error": "unauthorized_client", "state": "a-state-of-the-pgo"}


@pytest.mark.parametrize("name", ACCEPTED)
def test_right_answers_are_believed(site: Site, name: str) -> None:
    """An answer that is right, however it looks, leads to the consent question for whom it names."""
    page = site.collect(ACCEPTED[name])
    assert site.login.refusals == []
    assert asks_consent(page)
    assert [flow.person and flow.person.key for flow in site.gateway.flows.values()] == ["roos"]


@pytest.mark.parametrize("name", REFUSED)
def test_faults_are_refused(site: Site, name: str) -> None:
    """An answer with one fault is exception 2, for that fault."""
    answer, why = REFUSED[name]
    assert ended(site.collect(answer)) == EXCEPTION_2
    assert re.search(why, site.login.refusals[-1]), site.login.refusals
    assert site.gateway.flows == {}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_signatures_are_refused(site: Site, name: str) -> None:
    """A forged part beside a signed one is exception 2, wherever the two stand."""
    assert ended(site.collect(WRAPPED[name])) == EXCEPTION_2
    assert site.gateway.flows == {}


def test_only_the_key_of_the_metadata_counts(site: Site, keys: Keys) -> None:
    """A message that brings its own certificate along proves nothing."""
    assert ended(site.collect(Answer(signed_by=keys.other))) == EXCEPTION_2
    assert "no valid signature" in site.login.refusals[-1]


def test_a_whole_old_answer_is_refused(site: Site) -> None:
    """What answered an earlier login answers no later one."""
    kept: list[bytes] = []
    assert asks_consent(site.collect(Answer(data=lambda data: kept.append(data) or data)))
    assert ended(site.collect(Answer(data=lambda _: kept[0]))) == EXCEPTION_2
    assert "answers another request" in site.login.refusals[-1]


def test_an_assertion_is_used_once(site: Site) -> None:
    """An assertion with an ID that was used before is refused."""
    assert asks_consent(site.collect(Answer(values={"assertion_id": "_once"})))
    assert ended(site.collect(Answer(values={"assertion_id": "_once"}))) == EXCEPTION_2
    assert "used before" in site.login.refusals[-1]


def test_a_silent_digid_is_not_waited_for(site: Site) -> None:
    """An answer that comes too slowly is exception 2."""
    site.login.channel.limit_s = 0.5
    browser = Browser(site.gateway)
    back = site.idp.login(browser.authorize())
    with site.idp.silence():
        assert ended(browser.get(back)) == EXCEPTION_2
    assert re.search("timed out|in time", site.login.refusals[-1])


def test_a_digid_that_nobody_reaches_is_exception_2(site: Site) -> None:
    """Without a connection there is no login."""
    site.login.channel.connect = {"was.digid.idp.test:443": "127.0.0.1:1"}
    assert ended(site.collect()) == EXCEPTION_2
    assert "refused" in site.login.refusals[-1]


def test_a_digid_of_another_authority_is_not_spoken_to(site: Site, tmp_path: Path) -> None:
    """A certificate of an authority that was not named ends the connection before anything is said."""
    (tmp_path / "other.pem").write_bytes(hierarchy("OTHER").root.certificate_pem)
    site.login.channel.ca = tmp_path / "other.pem"
    assert ended(site.collect()) == EXCEPTION_2
    assert "certificate verify failed" in site.login.refusals[-1]
    assert site.idp.resolves == []


def test_a_digid_under_another_name_is_not_spoken_to(site: Site, tmp_path: Path) -> None:
    """A certificate for another host ends the connection before anything is said."""
    metadata = (site.folder / "idp.xml").read_text(encoding="utf-8")
    (tmp_path / "idp.xml").write_text(
        metadata.replace(f"https://{BACK}/resolve", "https://evil.idp.test/resolve"), encoding="utf-8"
    )
    site.login.settings = replace(site.login.settings, idp_metadata=tmp_path / "idp.xml")
    site.login.channel.connect = {"evil.idp.test:443": f"127.0.0.1:{site.idp.server.port}"}
    assert ended(site.collect()) == EXCEPTION_2
    assert "certificate verify failed" in site.login.refusals[-1]
    assert site.idp.resolves == []


@pytest.mark.parametrize("status", [ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN])
def test_a_digid_whose_certificate_is_not_good_is_not_spoken_to(site: Site, status: ocsp.OCSPCertStatus) -> None:
    """What its authority does not call good ends the connection before anything is said."""
    site.login.channel.peers.status_of = lambda chain: status  # type: ignore[method-assign]
    assert ended(site.collect()) == EXCEPTION_2
    assert "certificate verify failed" in site.login.refusals[-1]
    assert site.idp.resolves == []


def test_a_digid_of_which_nobody_speaks_is_not_spoken_to(site: Site) -> None:
    """Without an answer of its authority there is no session."""
    site.login.channel.peers = DigidPeers()
    assert ended(site.collect()) == EXCEPTION_2
    assert site.idp.resolves == []
