"""The journal: everything that was exchanged, nothing that is secret, and readable however a run ended."""

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medmij_conformance.evidence import (
    Evidence,
    Exchange,
    Request,
    Response,
    Tls,
    Trouble,
    from_json,
    read_journal,
    redact,
    to_json,
    wall_time,
)
from medmij_conformance.protocol import oauth
from medmij_conformance.redaction import BSN_ENCODINGS, Redactor, passes_elfproef

CODE = "6f1c2b1e-9a54-4c0d-8f7a-3d2b1c0a9e8f"
TOKEN = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"
COOKIE = "a8f5f167f44f4964e6c998dee827110c"
BSN = "999990019"
GET = Request(method="GET", url="https://za.test/oauth/authorize?scope=1")


def exchange(response: Response | None = None, request: Request = GET, **facts: object) -> Exchange:
    return replace(Exchange(label="a message", endpoint="other", request=request, response=response), **facts)


# --- messages ---


def test_headers_are_found_whatever_their_case() -> None:
    """``header`` gives the first value of a name in any case, and None for one that is not there."""
    response = Response(status=200, headers=(("CONTENT-type", "Text/HTML; charset=utf-8"), ("content-type", "x")))
    assert response.header("Content-Type") == "Text/HTML; charset=utf-8"
    assert response.media_type == "text/html"
    assert response.header("location") is None
    assert Response(status=200).media_type == ""


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1]}', {"a": [1]}),
        (b"no json", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b"[" * 200_000, None),
        (b"9" * 5_000, None),
    ],
)
def test_body_that_is_no_json_is_none(body: bytes, value: object) -> None:
    """JSON of a body is its value, and None for anything that cannot be read, bombs included."""
    assert Response(status=200, body=body).json == value


def test_octets_that_are_no_utf8_become_replacement_characters() -> None:
    """Text can always be had of a body."""
    assert Response(status=200, body=b"a\xffb").text == Request(method="GET", url="", body=b"a\xffb").text == "a\ufffdb"


def test_status_of_an_exchange_without_response() -> None:
    """An exchange that ended in trouble has no status."""
    assert exchange(trouble=Trouble(kind="reset", detail="")).status is None
    assert exchange(Response(status=302)).status == 302


def test_wall_time_is_utc_with_milliseconds() -> None:
    """Times are written as RFC 3339 in UTC."""
    assert len(wall_time()) == len("2018-09-01T09:00:00.000Z")
    assert wall_time().endswith("Z")


# --- JSON round trip ---


def _holds_a_pair(text: str) -> bool:
    """Whether two lone surrogates stand together that any encoding would take for one character."""
    return any("\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff" for a, b in pairwise(text))


# Lone surrogates too: hostile JSON brings them in.
texts = st.text(st.characters(exclude_categories=())).filter(lambda text: not _holds_a_pair(text))
plain = st.text(st.sampled_from('aé€😀\u2028\u2029\x85\r\n\t\0"\\/<'), max_size=20)
headers = st.lists(st.tuples(plain, texts), max_size=4).map(tuple)
bodies = st.one_of(st.binary(max_size=60), plain.map(str.encode))
requests = st.builds(Request, method=plain, url=texts, headers=headers, body=bodies)
responses = st.builds(Response, status=st.integers(100, 999), headers=headers, body=bodies, reason=texts)
certificates = st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=3).map(tuple)
connections = st.builds(
    Tls,
    version=st.sampled_from([None, "TLSv1.2", "TLSv1.3"]),
    cipher=st.none() | plain,
    peer_chain=certificates,
    certificate_requested=st.none() | st.booleans(),
    certificate_presented=st.booleans(),
    alert=st.none() | plain,
)
exchanges = st.builds(
    Exchange,
    label=plain,
    endpoint=plain,
    request=requests,
    response=st.none() | responses,
    trouble=st.none() | st.builds(Trouble, kind=plain, detail=texts),
    deviation=st.none() | plain,
    flow=st.integers(0, 9),
    tls=st.none() | connections,
    address=plain,
    started=st.floats(0, 1e6),
    finished=st.floats(0, 1e6),
    at=plain,
    scenario=plain,
)


@given(exchanges)
def test_exchange_survives_json(raw: Exchange) -> None:
    """An exchange comes back equal from its JSON, whatever octets and characters it holds."""
    assert from_json(json.loads(json.dumps(to_json(raw)))) == raw


@settings(deadline=None)
@given(st.lists(exchanges, max_size=3))
def test_journal_gives_back_what_checks_saw(tmp_path_factory: pytest.TempPathFactory, raws: list[Exchange]) -> None:
    """The exchanges that are read from the file equal those that the checks judged, in order, numbered from 1."""
    path = tmp_path_factory.getbasetemp() / "journal-that-gives-back.jsonl"
    path.unlink(missing_ok=True)
    evidence = Evidence(path)
    stored = [evidence.stored(evidence.append(raw)) for raw in raws]
    evidence.close()
    read = [from_json(record) for record in read_journal(path)]
    assert read == stored
    assert [one.number for one in read] == [*range(1, len(raws) + 1)]


def test_body_with_line_separators_stays_one_record(tmp_path: Path) -> None:
    """U+2028 and its like in a body do not break a record in two."""
    body = "one\u2028two\u2029three\x85four\r\nfive\x0b\x0c\x1c".encode()
    evidence = Evidence(tmp_path / "journal")
    evidence.append(exchange(Response(status=200, body=body)))
    evidence.close()
    [record] = read_journal(tmp_path / "journal")
    assert from_json(record).response == Response(status=200, body=body)


def test_binary_body_is_kept_octet_by_octet(tmp_path: Path) -> None:
    """A body that is no text is stored as base64, with its secrets replaced and nothing else."""
    evidence = Evidence(tmp_path / "journal")
    pseudonym = evidence.redactor.register_bsn(BSN)
    body = bytes(range(256)) + BSN.encode() + b"\xff"
    evidence.append(exchange(Response(status=200, body=body)))
    evidence.close()
    [record] = read_journal(tmp_path / "journal")
    assert from_json(record).response == Response(status=200, body=body.replace(BSN.encode(), pseudonym.encode()))


@pytest.mark.parametrize("missing", ["request", "response", "tls", "label"])
def test_record_that_is_no_exchange_is_refused(missing: str) -> None:
    """A record that lacks a field is no exchange."""
    record = to_json(exchange())
    del record[missing]
    with pytest.raises((KeyError, TypeError)):
        from_json(record)


# --- the file ---


def journal_of_three(path: Path) -> list[dict[str, object]]:
    evidence = Evidence(path)
    for body in ("one", "twee €", "drié 😀"):
        evidence.append(exchange(Response(status=200, body=body.encode())))
    evidence.close()
    return evidence.records


def test_unfinished_last_line_is_skipped(tmp_path: Path) -> None:
    """Wherever a killed run stopped in its last record, half a character included, the records before can be read."""
    path = tmp_path / "journal"
    written = journal_of_three(path)
    whole = path.read_bytes()
    last = whole.removesuffix(b"\n").rfind(b"\n") + 1
    for end in range(last, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert len(list(read_journal(path))) == 2
    path.write_bytes(whole[:-1])
    assert [*map(from_json, read_journal(path))] == [*map(from_json, written)]


def test_bad_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    """A line that is no record, other than an unfinished last one, is reported with file and line."""
    path = tmp_path / "journal"
    journal_of_three(path)
    first, _, third, end = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([first, b'{"type": \xc3', third, end]))
    with pytest.raises(ValueError, match=r"journal: line 2: not a JSON record"):
        list(read_journal(path))


def test_empty_journal_has_no_records(tmp_path: Path) -> None:
    """A run that was killed before its first record leaves an empty journal."""
    (tmp_path / "journal").touch()
    assert list(read_journal(tmp_path / "journal")) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from medmij_conformance.evidence import Evidence, Exchange, Request
evidence = Evidence(Path(sys.argv[1]))
for number in range(3):
    evidence.append(Exchange(label="a message", endpoint="other", request=Request(method="GET", url="https://za.test/")))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_killed_run_leaves_its_evidence(tmp_path: Path) -> None:
    """Every exchange that was appended is on disk when the process is killed the next moment."""
    path = tmp_path / "journal"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [record["number"] for record in read_journal(path)] == [1, 2, 3]


def test_journal_is_appended_to(tmp_path: Path) -> None:
    """A journal that exists is continued, never written over."""
    journal_of_three(tmp_path / "journal")
    journal_of_three(tmp_path / "journal")
    assert len(list(read_journal(tmp_path / "journal"))) == 6


def test_threads_share_a_journal(tmp_path: Path) -> None:
    """Exchanges of many threads get numbers of their own, and lines stay whole."""
    evidence = Evidence(tmp_path / "journal")
    body = b"x" * 20_000
    numbers: list[int] = []

    def append() -> None:
        numbers.extend(evidence.append(exchange(Response(status=200, body=body))).number for _ in range(20))

    threads = [threading.Thread(target=append) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    evidence.close()
    assert sorted(numbers) == [*range(1, 121)]
    assert [record["number"] for record in read_journal(tmp_path / "journal")] == [*range(1, 121)]


def test_scenario_of_an_exchange_is_the_one_that_runs() -> None:
    """An exchange belongs to the scenario under way, unless it says another."""
    evidence = Evidence()
    evidence.scenario = "one"
    first = evidence.append(exchange())
    other = evidence.append(exchange(scenario="two"))
    assert evidence.of_scenario("one") == (evidence.stored(first),)
    assert evidence.of_scenario("two") == (evidence.stored(other),)
    assert evidence.of_scenario("three") == ()


def test_restart_forgets_everything(tmp_path: Path) -> None:
    """After a restart there are no records, no exchanges and no secrets, and the file is not written any more."""
    evidence = Evidence(tmp_path / "journal")
    evidence.redactor.register_bsn(BSN)
    evidence.append(exchange())
    size = (tmp_path / "journal").stat().st_size
    evidence.restart()
    assert evidence.records == []
    assert evidence.append(exchange()).number == 1
    assert evidence.redactor.text(BSN) == BSN
    assert (tmp_path / "journal").stat().st_size == size


def test_clock_of_a_journal_runs_forward() -> None:
    """Times of exchanges are seconds since the journal began, and never go back."""
    evidence = Evidence()
    first = evidence.now()
    assert 0 <= first <= evidence.now() < 10


# --- no secret in clear ---


def collection(evidence: Evidence, bsn: str = BSN) -> None:
    """A collection as it passes the journal: cookies, login, code, token and data, each where it really stands."""
    cookie = (("Cookie", f"SESSION={COOKIE}; lang=nl"),)
    back = f"https://pgo.test/cb?code={CODE}&state=s"
    login = Request(method="POST", url="https://za.test/login", headers=cookie, body=f"bsn={bsn}&ok=1".encode())
    redeem = oauth.encode([("grant_type", "authorization_code"), ("code", CODE)]).encode()
    bearer = (("Authorization", f"Bearer {TOKEN}"),)
    patient = json.dumps({"resourceType": "Patient", "identifier": [{"value": bsn}]}).encode()
    for one in (
        exchange(Response(status=200, headers=(("Set-Cookie", f"SESSION={COOKIE}; Path=/; Secure"),))),
        exchange(Response(status=200, body=f"<p>BSN {BSN_ENCODINGS['digits in groups with dots'](bsn)}".encode()), login),
        exchange(Response(status=302, headers=(("Location", back),), reason=f"Go to {CODE}")),
        exchange(
            Response(status=200, body=json.dumps({"access_token": TOKEN}).encode()),
            Request(method="POST", url="https://za.test/token", body=redeem),
            endpoint="token",
        ),
        exchange(
            Response(status=200, body=patient),
            Request(method="GET", url=f"https://za.test/fhir/Patient?bsn={bsn}", headers=bearer),
            endpoint="resource",
        ),
        exchange(
            trouble=Trouble(kind="protocol", detail=f"not a complete HTTP response: {TOKEN}"),
            request=Request(method="GET", url=f"https://za.test/?next={quote(back, safe='')}"),
            deviation=f"the code {CODE} once more",
        ),
    ):
        evidence.append(one)
    evidence.write("judgement", findings=[{"expected": "no BSN", "observed": f"{bsn} in {back}"}])


def test_no_secret_reaches_the_disk(tmp_path: Path) -> None:
    """After a whole collection neither BSN, code, token nor cookie stands in the journal, in whatever encoding."""
    evidence = Evidence(tmp_path / "journal")
    evidence.redactor.register_bsn(BSN)
    collection(evidence)
    evidence.close()
    written = (tmp_path / "journal").read_text(encoding="utf-8")
    for secret in (CODE, TOKEN, COOKIE, *(encode(BSN) for encode in BSN_ENCODINGS.values())):
        assert secret not in written
    assert len(list(read_journal(tmp_path / "journal"))) == 7


def test_stored_evidence_can_still_be_judged() -> None:
    """A code redeemed is the code issued, a token used is the token issued, and a BSN is a BSN, all by their pseudonyms."""
    evidence = Evidence()
    pseudonym = evidence.redactor.register_bsn(BSN)
    collection(evidence)
    page, login, redirect, redeemed, data, _ = (from_json(record) for record in evidence.records[:6])
    code = oauth.redirect(redirect.response.header("location")).get("code")
    assert oauth.is_uuid4(code)
    assert ("code", code) in oauth.decode(redeemed.request.text)
    assert data.request.headers == (("Authorization", f"Bearer {redeemed.response.json['access_token']}"),)
    assert page.response.header("set-cookie").split(";")[0] == login.request.headers[0][1].split(";")[0]
    assert passes_elfproef(data.response.json["identifier"][0]["value"])
    assert ("bsn", pseudonym) in oauth.decode(login.request.text)
    assert BSN_ENCODINGS["digits in groups with dots"](pseudonym) in login.response.text


def test_player_keeps_the_raw_exchange() -> None:
    """``append`` returns what really came, with its number, so that a player can go on with the real code."""
    evidence = Evidence()
    raw = exchange(Response(status=302, headers=(("Location", f"https://pgo.test/cb?code={CODE}"),)))
    returned = evidence.append(raw)
    assert returned == replace(raw, number=1)
    assert CODE not in str(evidence.stored(returned))


def test_token_with_json_escapes_stays_secret() -> None:
    """A token whose JSON escapes the slash, as PHP does, is masked there and in the header that uses it."""
    evidence = Evidence()
    token = "q83v/EkZ8=abcdefgh/1234"
    body = json.dumps({"access_token": token}).replace("/", "\\/").encode()
    answer = evidence.stored(evidence.append(exchange(Response(status=200, body=body), endpoint="token")))
    request = Request(method="GET", url="https://za.test/fhir", headers=(("Authorization", f"Bearer {token}"),))
    used = evidence.stored(evidence.append(exchange(request=request)))
    assert "EkZ8" not in str(evidence.records)
    assert used.request.headers[0][1] == f"Bearer {answer.response.json['access_token']}"


def test_secret_with_letters_beyond_ascii_stays_secret() -> None:
    """A token in UTF-8 is found in a body, which is searched octet by octet, and in what we say of it."""
    evidence = Evidence()
    body = '{"access_token": "tökén-€-abcdefgh"}'.encode()
    stored = evidence.stored(evidence.append(exchange(Response(status=200, body=body), endpoint="token")))
    evidence.write("judgement", reason="the token tökén-€-abcdefgh came")
    assert "abcdefgh" not in str(evidence.records)
    assert f"the token {stored.response.json['access_token']} came" == evidence.records[1]["reason"]


def test_fhir_search_parameter_is_no_secret() -> None:
    """The answer of a resource endpoint may name a ``code`` to search by, which stays readable."""
    evidence = Evidence()
    link = b'{"link": [{"url": "https://za.test/fhir/Observation?code=85354-9"}]}'
    stored = evidence.stored(evidence.append(exchange(Response(status=200, body=link), endpoint="resource")))
    assert stored.response.body == link


@pytest.mark.parametrize("word", ["not_tested", "judgement", "outcome", "scenario", "exchange", "some_check"])
def test_gateway_cannot_reword_the_journal(word: str) -> None:
    """A gateway whose "token" spells one of our words does not change the structure of our own records."""
    evidence = Evidence()
    evidence.scenario = "scenario"
    body = json.dumps({"access_token": word}).encode()
    evidence.append(exchange(Response(status=200, body=body), endpoint="token"))
    fields = {"check": "some_check", "outcome": "not_tested", "arguments": {"exchange": {"exchange": 1}}}
    evidence.write("judgement", **fields)
    assert evidence.records[1] == {"type": "judgement", "scenario": "scenario", **fields}


def test_secret_in_a_record_is_found_before_it_becomes_json() -> None:
    """A secret with a quotation mark in it is masked in our own records, too."""
    evidence = Evidence()
    secret = 'abc"def\\ghi'
    evidence.redactor.register(secret)
    evidence.write("judgement", findings=[{"observed": f"saw {secret}"}], number=1, flag=True)
    [finding] = evidence.records[0]["findings"]
    assert finding["observed"] == f"saw {evidence.redactor.pseudonym(secret)}"
    assert (evidence.records[0]["number"], evidence.records[0]["flag"]) == (1, True)


@given(exchanges)
def test_redaction_without_secrets_changes_nothing(raw: Exchange) -> None:
    """With no secret registered and no cookies, an exchange is stored as it is."""
    assert redact(raw, Redactor()) == raw
