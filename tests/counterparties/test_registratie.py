"""MedMij Registratie as the harness plays it: what it publishes is good, and each flaw makes a document that no reader may use."""

from datetime import UTC, datetime

import pytest

from medmij_conformance import data_path
from medmij_conformance.counterparties.registratie import FLAWS, Stelselnode, issued, with_address, with_node, without_node
from medmij_conformance.evidence import Request
from medmij_conformance.protocol import lists

NOW = datetime(2018, 9, 1, 9, tzinfo=UTC)
SERVICE = lists.Service(
    "1",
    "https://za.example.nl/authorize",
    "https://za.example.nl:8443/token",
    (lists.Systeemrol("XX-1", "https://za.example.nl:8443/fhir"),),
)
WHITELIST = lists.Whitelist(NOW, 7, (lists.Node("pgo.example.nl", "Een PGO", "DVP"), lists.Node("za.example.nl", "", "DVZA")))
ZAL = lists.Zal(NOW, 7, (lists.Provider("proefkliniek@medmij", (SERVICE,)),))


def _given(node: Stelselnode, which: str) -> bytes:
    return node.answer(Request(method="GET", url=f"https://stelselnode.test/{which}")).body


def _problems(document: bytes, generation: str) -> list[str]:
    """What a schema has against a document, or why it cannot be read."""
    try:
        kind = lists.kind(document)
    except lists.ListError as error:
        return [str(error)]
    return lists.validate(document, data_path("fixtures") / "schemas" / "lists" / generation / f"{kind}.xsd")


@pytest.mark.parametrize("generation", ["1.0", "1.1", "metamodel"])
@pytest.mark.parametrize("which", ["whitelist", "zal"])
def test_a_list_is_good_without_a_flaw_and_bad_with_any(which: str, generation: str) -> None:
    """Every generation accepts what is published, and nothing of it with a flaw."""
    node = Stelselnode({}, generation)
    contents: dict[str, lists.AnyList] = {"whitelist": WHITELIST, "zal": ZAL}
    node.publish(contents)
    assert _problems(_given(node, which), generation) == []
    for flaw in FLAWS:
        node.publish(contents, flaw)
        assert _problems(_given(node, which), generation), flaw


def test_nobody_gets_an_answer_when_it_is_down() -> None:
    """A Stelselnode that is down cuts the connection; one that is up knows its lists alone."""
    node = Stelselnode({}, "1.0")
    node.publish({"whitelist": WHITELIST})
    request = Request(method="GET", url="https://stelselnode.test/lists/whitelist")
    assert node.answer(request).status == 200
    assert node.answer(Request(method="GET", url="https://stelselnode.test/other")).status == 404
    node.down = True
    assert node.answer(request).status == 0


def test_lists_change_in_one_thing() -> None:
    """A host goes or comes, an address changes, an older issue is published; nothing else is different."""
    assert [node.hostname for node in without_node(WHITELIST, "pgo.example.nl").nodes] == ["za.example.nl"]
    assert with_node(WHITELIST, "x.example.nl").nodes[:-1] == WHITELIST.nodes
    moved = with_address(ZAL, "proefkliniek@medmij", "1", "https://za.example.nl/new")
    assert moved.providers[0].services[0].authorization_endpoint == "https://za.example.nl/new"
    assert with_address(ZAL, "proefkliniek@medmij", "7", "https://za.example.nl/new") == ZAL
    older = issued(WHITELIST, 1, days_ago=3)
    assert (older.serial, (NOW - older.timestamp).days, older.nodes) == (1, 3, WHITELIST.nodes)
