"""Legal oddities are real: each of them changes what a gateway says, also where several are switched on together."""

import itertools
import json
import re
import uuid
from collections.abc import Iterable, Iterator
from urllib.parse import urlencode

import pytest

from medmij_conformance.evidence import Request, Response, header
from medmij_conformance.reference.dvza import PRACTICE, Client, Dvza, Offer, Person
from medmij_conformance.reference.dvza_deviations import DEVIATIONS, ODDITIES_TOGETHER, digid, nodes, tls
from medmij_conformance.reference.roles import REFERENCES
from medmij_conformance.requirements import release
from medmij_conformance.wire.server import Peer

HOST, PGO = "za.reference.test", "pgo.harness.test"
REQUEST = release("1.0").gegevensdiensten["1"].request
BACK = f"https://{PGO}/cb"
SOMEBODY = Peer(address="127.0.0.1")
ELSEWHERE = {module.__name__ for module in (digid, nodes, tls)}
"""What is said to DigiD, and what is seen of handshakes: nothing of it is in the answers here, and other tests have it."""
LEGAL = [d.name for d in DEVIATIONS.by_name.values() if not d.breaks and not d.warns and d.apply.__module__ not in ELSEWHERE]


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random values are numbers in order, so that two gateways which do the same say the same."""
    counter = itertools.count(1)
    monkeypatch.setattr("secrets.token_urlsafe", lambda _=0: f"token-{next(counter):016d}")
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID(int=next(counter), version=4))


def gateway(*oddities: str) -> Dvza:
    """A gateway for one person and two data services, with these oddities."""
    persons = {
        "999990019": Person(key="roos", available=("1",)),
        "999990032": Person(key="ed", available=("1",), deliverable=False),
    }
    offers = (
        Offer(zorgaanbieder="a@medmij", display_name="A", gegevensdienst="1"),
        Offer(zorgaanbieder="a@medmij", display_name="A", gegevensdienst="7"),
    )
    client = Client(hostname=PGO, organisation="Pgo")
    made = Dvza(hostname=HOST, back_port=443, offers=offers, persons=persons, clients={PGO: client}, now=lambda: 0.0)
    made.client_of = lambda _: client  # type: ignore[method-assign]
    for name in oddities:
        DEVIATIONS.by_name[name].apply(made)
    return made


class Browser:
    """A browser that keeps cookies, sends the first form of a page and follows what leads on by itself."""

    def __init__(self, front: Dvza) -> None:
        self.front, self.cookies, self.seen = front, dict[str, str](), list[Response]()

    def ask(self, method: str, address: str, fields: dict[str, str] | None = None) -> Response:
        cookie = (("Cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())),)
        request = Request(method=method, url=f"https://{HOST}{address}", headers=cookie, body=urlencode(fields or {}).encode())
        answer = self.front.front(request, SOMEBODY)
        self.seen.append(answer)
        set_cookies = [value.partition(";")[0].partition("=") for name, value in answer.headers if name.lower() == "set-cookie"]
        self.cookies |= {name: value for name, _, value in set_cookies}
        if refresh := re.search(r'content="0; url=([^"]*)"', answer.text):
            return self.ask("GET", refresh[1])
        return self.send(answer) if ".submit()" in answer.text else answer

    def send(self, page: Response, **fields: str) -> Response:
        hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text.partition("<button")[0]))
        action = re.search(r'action="([^"]*)"', page.text)
        return self.ask("POST", action[1] if action else "/login", hidden | fields)


def said(made: Dvza) -> Iterator[Response]:
    """What a gateway says to a person and a PGO who do a bit of everything."""
    for bsn, ending in (("999990019", "grant"), ("999990032", "grant"), ("999990019", "refuse"), ("", "cancel")):
        browser = Browser(made)
        query = urlencode({"response_type": "code", "client_id": PGO, "redirect_uri": BACK, "scope": "1", "state": "a b"})
        page = browser.ask("GET", f"/a/1/authorize?{query}")
        for _ in range(2):  # the login may have two pages
            page = browser.send(page, action="cancel" if ending == "cancel" else "login", bsn=bsn) if "bsn" in page.text else page
        page = browser.send(page, decision=ending) if "decision" in page.text else page
        yield from browser.seen
        code = re.search(r"[?&]code=([^&]+)", header(page.headers, "location") or "")
        yield from asked(made, code[1]) if code else ()
    yield guessed_too_often(made)
    yield from (Response(status=200, body=json.dumps(made.answer(question)).encode()) for question in PRACTICE)


def asked(made: Dvza, code: str) -> Iterator[Response]:
    redeem = redemption(code)
    answer = made.back(redeem, SOMEBODY)
    yield answer
    token = json.loads(answer.body)["access_token"]
    for path, bearer in (
        (f"1/fhir/{REQUEST}", token),
        ("7/fhir/Observation", token),
        (f"1/fhir/{REQUEST}", str(uuid.UUID(int=7, version=4))),
    ):
        yield made.back(
            Request(method="GET", url=f"https://{HOST}/a/{path}", headers=(("Authorization", f"Bearer {bearer}"),)), SOMEBODY
        )
    yield made.back(redeem, SOMEBODY)


def guessed_too_often(made: Dvza) -> Response:
    """The last answer to a PGO that goes on guessing."""
    answers = [made.back(redemption(f"no-code-{number}"), SOMEBODY) for number in range(made.wrong_codes_a_minute + 1)]
    assert (answers[0].status, answers[-1].status) == (400, 429)
    return answers[-1]


def redemption(code: str) -> Request:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "client_id": PGO}
    kind = (("Content-Type", "application/x-www-form-urlencoded"),)
    return Request(method="POST", url=f"https://{HOST}/a/1/token", headers=kind, body=urlencode(form).encode())


def script(*oddities: str) -> list[tuple[object, ...]]:
    """All that was said, without the random values."""
    numbers = re.compile(rb"token-\d{16}|0000[0-9a-f-]{32}")
    plain = [(one.status, str(one.headers).encode(), one.body) for one in said(gateway(*oddities))]
    return [(status, numbers.sub(b"#", headers), numbers.sub(b"#", body)) for status, headers, body in plain]


@pytest.mark.parametrize("name", LEGAL)
def test_an_oddity_changes_what_is_said(name: str) -> None:
    """No legal oddity is an empty word."""
    assert script(name) != script()


@pytest.mark.parametrize("group", ODDITIES_TOGETHER, ids=lambda group: group[0])
def test_no_oddity_is_undone_by_another(group: Iterable[str]) -> None:
    """Of those that are switched on together none could be left out unnoticed."""
    names = [name for name in group if name in LEGAL]
    together = script(*names)
    assert [name for name in names if script(*(other for other in names if other != name)) == together] == []


def test_there_are_enough_of_them() -> None:
    """At least twenty right but unusual ways, and ten kinds of answers that say nothing, for each role that answers."""
    assert len(LEGAL) >= 20
    assert len(REFERENCES["dvza"].shedding) >= 10
    assert len({(a.status, a.headers, a.body) for a in REFERENCES["dvza"].shedding.values()}) == len(REFERENCES["dvza"].shedding)
