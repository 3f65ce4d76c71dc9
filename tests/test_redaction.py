"""Secrets become pseudonyms that keep what a check may look at, and never stay in clear."""

import base64
import html
import json
import re
import string
from urllib.parse import parse_qs, quote, quote_plus, unquote_plus, urlsplit
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from medmij_conformance.redaction import BSN_ENCODINGS, Redactor, passes_elfproef, secrets_in

CODE = "6f1c2b1e-9a54-4c0d-8f7a-3d2b1c0a9e8f"
BSN = "999990019"
WEIGHTS = (9, 8, 7, 6, 5, 4, 3, 2)

# 16 characters or more that a pseudonym changes, and the punctuation of base64, base64url and URLs between them.
tokens = st.builds(
    lambda head, tail: f"{head}{tail}",
    st.text(string.ascii_letters + string.digits, min_size=16, max_size=40),
    st.text(string.ascii_letters + string.digits + "-._~+/= &\"\\<'é€", max_size=20),
).map(str.strip)
uuids = st.one_of(st.uuids(), st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number))).map(str)
surroundings = st.text(" <>,;()\n\u2028", max_size=8)


def last_digit(digits: str) -> int:
    return sum(weight * int(digit) for weight, digit in zip(WEIGHTS, digits, strict=True)) % 11


bsns = (
    st.integers(1, 10**8 - 1)
    .map(lambda number: f"{number:08}")
    .filter(lambda digits: last_digit(digits) < 10)
    .map(lambda digits: f"{digits}{last_digit(digits)}")
)


def kind(character: str) -> str:
    """The class of a character; what is no ASCII letter or digit is a class of its own."""
    classes = {"digit": string.digits, "lower": string.ascii_lowercase, "upper": string.ascii_uppercase}
    return next((name for name, members in classes.items() if character in members), character)


def kinds(text: str) -> list[str]:
    return [kind(character) for character in text]


# --- the shape of a pseudonym ---


@given(tokens)
def test_pseudonym_keeps_length_and_classes(token: str) -> None:
    """A pseudonym has the length of its secret, and a digit, letter or sign wherever that has one."""
    pseudonym = Redactor().pseudonym(token)
    assert pseudonym != token
    assert kinds(pseudonym) == kinds(token)


@given(uuids, st.booleans())
def test_uuid_keeps_version_and_variant(identifier: str, upper: bool) -> None:
    """The pseudonym of a UUID is another UUID of the same version and variant, in the same case."""
    written = identifier.upper() if upper else identifier
    pseudonym = Redactor().pseudonym(written)
    assert UUID(pseudonym) != UUID(identifier)
    assert (pseudonym[14], pseudonym[19]) == (written[14], written[19])
    assert pseudonym == (pseudonym.upper() if upper and written != identifier else pseudonym.lower())


@given(uuids)
def test_upper_case_uuid_is_the_same_uuid(identifier: str) -> None:
    """A UUID in upper case has the pseudonym of the same UUID in lower case, in upper case."""
    assume(identifier != identifier.upper())
    redactor = Redactor()
    assert redactor.pseudonym(identifier.upper()) == redactor.pseudonym(identifier).upper()


@given(st.text("0123456789abcdef", min_size=16, max_size=64))
def test_hexadecimal_stays_hexadecimal(token: str) -> None:
    """A secret of hexadecimal digits has a pseudonym of hexadecimal digits."""
    assert re.fullmatch("[0-9a-f]+", Redactor().pseudonym(token))


@given(tokens, tokens)
def test_equal_secrets_equal_pseudonyms_distinct_ones_stay_distinct(one: str, other: str) -> None:
    """Two secrets have the same pseudonym exactly when they are the same, registered or not."""
    redactor = Redactor()
    redactor.register(one)
    assert redactor.pseudonym(one) == redactor.pseudonym(one) == redactor.text(one)
    assert (redactor.pseudonym(one) == redactor.pseudonym(other)) is (one == other)


def test_pseudonym_depends_on_the_key_of_the_run() -> None:
    """Two runs give one secret two pseudonyms; the same key gives the same one."""
    assert Redactor().pseudonym(CODE) != Redactor().pseudonym(CODE)
    assert Redactor(b"key").pseudonym(CODE) == Redactor(b"key").pseudonym(CODE)


def test_secret_inside_a_secret_stays_recognisable() -> None:
    """A session id made of a BSN and a code holds the pseudonyms of that BSN and that code."""
    redactor = Redactor()
    bsn = redactor.register_bsn(BSN)
    redactor.register(CODE)
    assert redactor.pseudonym(f"sid-{BSN}.{CODE}")[4:] == f"{bsn}.{redactor.pseudonym(CODE)}"


# --- where a secret is found ---


@given(tokens, surroundings, surroundings)
def test_registered_secret_is_replaced_wherever_it_stands(token: str, before: str, after: str) -> None:
    """Text around a secret stays as it is; the secret becomes its pseudonym, every time."""
    redactor = Redactor()
    redactor.register(token)
    pseudonym = redactor.pseudonym(token)
    assert redactor.text(f"{before}{token}{after}\t{token}") == f"{before}{pseudonym}{after}\t{pseudonym}"


@given(tokens)
def test_encoded_secret_decodes_to_the_pseudonym(token: str) -> None:
    """In a URL (escapes of either case), a form, HTML and JSON a secret is found, and its pseudonym is written alike."""
    redactor = Redactor()
    redactor.register(token)
    pseudonym = redactor.pseudonym(token)
    lower = re.sub("%..", lambda escape: escape.group().lower(), quote(token, safe=""))
    for written in (quote(token), quote(token, safe=""), quote_plus(token), lower):
        assert unquote_plus(redactor.text(written)) == pseudonym
    assert html.unescape(redactor.text(html.escape(token))) == pseudonym
    for written in (json.dumps(token), json.dumps(token, ensure_ascii=False), json.dumps(token).replace("/", "\\/")):
        assert json.loads(redactor.text(written)) == pseudonym


@given(tokens, st.text(string.ascii_letters, min_size=1, max_size=10))
def test_longer_secret_is_masked_whole_when_a_part_was_known_first(token: str, more: str) -> None:
    """Nothing of a secret stays in clear because its beginning was registered as a secret of its own."""
    redactor = Redactor()
    redactor.register(token)
    redactor.register(token + more)
    assert redactor.text(f"[{token}{more}]") == f"[{redactor.pseudonym(token + more)}]"
    assert redactor.text(f"[{token}]") == f"[{redactor.pseudonym(token)}]"


def test_short_words_are_no_secrets() -> None:
    """A "code" of five characters guards nothing and is left alone, so that it cannot garble the evidence."""
    redactor = Redactor()
    redactor.register("token")
    assert redactor.text("token_type") == "token_type"


def test_lone_surrogate_in_a_secret_is_no_obstacle() -> None:
    """A token with half a character, as hostile JSON can spell it, is registered and masked."""
    redactor = Redactor()
    redactor.register("abcdefgh\ud800ijklmnop")
    assert "abcdefgh" not in redactor.text('{"access_token": "abcdefgh\\ud800ijklmnop"}')


# --- the BSN ---


@pytest.mark.parametrize("encoding", BSN_ENCODINGS)
@given(bsn=bsns)
def test_bsn_is_masked_in_every_encoding(encoding: str, bsn: str) -> None:
    """However a BSN is written, what stands there afterwards is its pseudonym, written the same way."""
    assume(encoding == "digits" or bsn != bsn[::-1])
    redactor = Redactor()
    pseudonym = redactor.register_bsn(bsn)
    encode = BSN_ENCODINGS[encoding]
    assert redactor.text(f"<{encode(bsn)}>") == f"<{encode(pseudonym)}>"


@given(bsns)
def test_pseudonym_of_a_bsn_is_another_bsn(bsn: str) -> None:
    """The pseudonym has nine digits, passes the elfproef, is not the BSN, and is the same every time."""
    redactor = Redactor()
    pseudonym = redactor.register_bsn(bsn)
    assert passes_elfproef(bsn)
    assert passes_elfproef(pseudonym)
    assert pseudonym != bsn
    assert redactor.register_bsn(bsn) == pseudonym == redactor.text(bsn)


def test_bsn_that_reads_the_same_backwards() -> None:
    """A palindrome is masked by its pseudonym, not by the reverse of that."""
    palindrome = next(bsn for n in range(10_000, 99_999) if passes_elfproef(bsn := f"{n}{str(n)[-2::-1]}"))
    redactor = Redactor()
    assert redactor.register_bsn(palindrome) == redactor.text(palindrome) == redactor.pseudonym(palindrome)


@pytest.mark.parametrize("name", ["MD5", "SHA-1", "SHA-256", "SHA-512", "hexadecimal"])
def test_hash_of_a_bsn_in_upper_case_is_found(name: str) -> None:
    """A hash is masked in capitals too, by the hash of the pseudonym in capitals."""
    redactor = Redactor()
    pseudonym = redactor.register_bsn(BSN)
    assert redactor.text(BSN_ENCODINGS[name](BSN).upper()) == BSN_ENCODINGS[name](pseudonym).upper()


@given(bsns, st.binary(max_size=5), st.binary(max_size=5))
def test_bsn_inside_base64_is_found_at_every_offset(bsn: str, before: bytes, after: bytes) -> None:
    """Base64 of anything with a BSN in it does not decode to that BSN any more, and to nothing longer or shorter."""
    redactor = Redactor()
    redactor.register_bsn(bsn)
    encoded = base64.b64encode(before + bsn.encode() + after).decode()
    decoded = base64.b64decode(redactor.text(encoded))
    assert len(decoded) == len(before) + 9 + len(after)
    assert decoded[len(before) : len(before) + 9] != bsn.encode()


@given(bsns, bsns)
def test_two_persons_stay_two_persons(one: str, other: str) -> None:
    """Two BSNs have two pseudonyms."""
    redactor = Redactor()
    assert (redactor.register_bsn(one) == redactor.register_bsn(other)) is (one == other)


@pytest.mark.parametrize(
    ("digits", "is_one"),
    [
        ("999990019", True),
        ("010464554", True),
        ("999990018", False),
        ("000000000", False),
        ("99999001", False),
        ("9999900190", False),
        ("99999001a", False),
        ("٩٩٩٩٩٠٠١٩", False),
        ("", False),
    ],
)
def test_elfproef(digits: str, is_one: bool) -> None:
    """Nine ASCII digits, not all zero, whose weighted sum is a multiple of eleven, are a BSN; nothing else is."""
    assert passes_elfproef(digits) is is_one


# --- cookies ---


def cookies(redactor: Redactor, header: str) -> str:
    """The header as the journal has it: its cookies are secrets from then on."""
    redactor.register_cookies(header)
    return redactor.cookie_header(header, redactor.text)


def test_cookie_values_are_masked_and_attributes_stay() -> None:
    """A session id gets a pseudonym; name, Path, Max-Age and flags can still be read."""
    header = "SESSION=a8f5f167f44f4964e6c998dee827110c; Path=/login; Max-Age=900; Secure; HttpOnly; SameSite=Lax"
    masked = cookies(Redactor(), header)
    assert "a8f5" not in masked
    assert masked.startswith("SESSION=")
    assert masked.endswith("; Path=/login; Max-Age=900; Secure; HttpOnly; SameSite=Lax")


def test_cookie_that_comes_back_is_recognised() -> None:
    """A value that Set-Cookie gave has the same pseudonym in the Cookie header, among others, and anywhere else."""
    redactor = Redactor()
    given_out = cookies(redactor, f"sid={CODE}; Path=/")
    assert cookies(redactor, f"lang=nl; sid={CODE}").endswith(given_out.removesuffix("; Path=/"))
    assert redactor.text(f"?session={CODE}") == f"?session={redactor.pseudonym(CODE)}"


def test_short_cookie_values_are_masked_only_where_they_stand() -> None:
    """The value of ``lang=nl`` is masked, but "nl" in a page stays."""
    redactor = Redactor()
    assert cookies(redactor, "lang=nl") != "lang=nl"
    assert redactor.text("nl") == "nl"


@pytest.mark.parametrize(
    "header", [f"id={BSN}", f"id_{BSN}=1", f"id=1; Path=/patient/{BSN}", f"id=1; Domain={BSN}.kliniek.test", BSN]
)
def test_bsn_anywhere_in_a_cookie_is_masked(header: str) -> None:
    """A BSN is masked in the name, the value and the attributes of a cookie, and can be recognised as the pseudonym."""
    redactor = Redactor()
    pseudonym = redactor.register_bsn(BSN)
    assert BSN not in cookies(redactor, header)
    assert pseudonym in cookies(redactor, header)


# --- what a message hands out ---


@pytest.mark.parametrize(
    ("headers", "body", "found"),
    [
        ((("Location", f"https://pgo.test/cb?state=s&code={CODE}"),), "", [CODE]),
        ((("location", "https://pgo.test/cb?code=ab%2Fcd%2bef%3D"),), "", ["ab/cd+ef="]),
        ((("Location", f"https://pgo.test/cb#access_token={CODE}&x=1"),), "", [CODE]),
        ((("Refresh", f"0; url=https://pgo.test/cb?code={CODE}"),), "", [CODE]),
        ((), f'{{"access_token": "{CODE}", "token_type": "Bearer"}}', [CODE]),
        ((), f'{{ "refresh_token" :\n"{CODE}"}}', [CODE]),
        ((), '{"access_token":"ab\\/cd\\u002bef\\"gh"}', ['ab/cd+ef"gh']),
        ((), f'<a href="/cb?state=s&amp;code={CODE}&amp;x=1">', [CODE]),
        ((), f"<script>location='/cb?code={CODE}'</script>", [CODE]),
        ((), f"code={CODE}&grant_type=authorization_code", [CODE]),
        ((("Authorization", f"bearer {CODE}"),), "", [CODE]),
        ((("Content-Type", "text/html"),), "<p>The postcode=1234AB</p>", []),
        ((("Location", "https://pgo.test/cb?error=access_denied&state=s"),), "", []),
        ((), '{"token_type": "Bearer", "scope": "1"}', []),
        ((), '{"access_token": null}', []),
    ],
)
def test_secrets_are_found_by_their_protocol_names(headers: tuple[tuple[str, str], ...], body: str, found: list[str]) -> None:
    """Codes and tokens are found, decoded, in redirects, JSON, HTML, forms and the Authorization header."""
    assert list(secrets_in("", headers, body)) == found


def test_code_of_a_fhir_search_is_no_secret() -> None:
    """On the resource endpoint ``code`` is a search parameter; a token in a URL there still is a secret."""
    url = f"https://za.test/fhir/Observation?code=85354-9&access_token={CODE}"
    assert list(secrets_in(url, (), "", search_parameters=True)) == [CODE]
    assert list(secrets_in(url, (), "")) == ["85354-9", CODE]


@given(tokens)
def test_token_of_any_redirect_or_answer_is_masked_after_it_was_found(token: str) -> None:
    """What is found in a Location or a token response is gone from both once registered, and both still parse."""
    location = f"https://pgo.test/cb?{'code=' + quote(token, safe='')}&state=s"
    body = json.dumps({"access_token": token})
    redactor = Redactor()
    for secret in secrets_in("", (("Location", location),), body):
        redactor.register(secret)
    code = parse_qs(urlsplit(redactor.text(location)).query)["code"]
    assert code == [json.loads(redactor.text(body))["access_token"]] == [redactor.pseudonym(token)]


def test_code_in_json_is_a_secret_when_it_looks_like_one() -> None:
    """A script gets its code as JSON; a word in such a place, as errors have, is no secret, and neither is one of FHIR."""
    body = f'{{"code": "{CODE}", "error": {{"code": "invalid_request"}}}}'
    assert list(secrets_in("", (), body)) == [CODE]
    assert list(secrets_in("", (), body, search_parameters=True)) == []


@pytest.mark.parametrize("length", range(6, 32))
def test_a_secret_is_found_wherever_it_stands(length: int) -> None:
    """Whatever its length, and at each place in a text, also at both ends and beside itself."""
    redactor = Redactor()
    secret = "".join(chr(ord("A") + place % 26) for place in range(length))
    redactor.register(secret)
    for before in range(20):
        for after in range(3):
            text = redactor.text(f"{'.' * before}{secret}{'.' * after}{secret}")
            assert secret not in text
            assert text == f"{'.' * before}{redactor.pseudonym(secret)}{'.' * after}{redactor.pseudonym(secret)}"
