"""The catalogue, the readings and the release: complete, consistent, and loud when a data file is wrong."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medmij_conformance import data_path, requirements
from medmij_conformance.requirements import (
    LEVELS,
    PROFILES,
    ROLES,
    TESTS,
    Catalogue,
    CatalogueError,
    Requirement,
    catalogue,
    load_readings,
    load_requirements,
    release,
)

ENTRY = {
    "id": "A.1",
    "title": "t",
    "section": "s",
    "role": "DVZA",
    "profile": "1.0",
    "level": "MUST",
    "test": "blackbox",
    "source": "s",
    "en": "e",
    "nl": "n",
    "how": "h",
}


def requirement(name: str, *inherits: str) -> Requirement:
    return Requirement(**{**ENTRY, "id": name}, inherits=inherits)


def toml(table: str, *entries: dict[str, object]) -> str:
    lines = ["\n".join([f"[[{table}]]", *(f"{key} = {value!r}" for key, value in entry.items())]) for entry in entries]
    return "\n\n".join(lines)


def complaint(path: Path, text: str | bytes, load: object = load_requirements) -> str:
    """What loading a file with this content is refused with; one line."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CatalogueError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path.name}: ")
    return message


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "1.0.toml"


# --- what is there ---


def test_catalogue_is_complete() -> None:
    """Release 1.0 has 425 requirements and 67 readings."""
    assert len(catalogue().requirements) == 425
    assert [*catalogue().readings] == [f"AMB.{number}" for number in range(1, 68)]


def test_every_entry_says_everything() -> None:
    """No entry has an empty title, text, source or way to test it, and the Dutch is not the English."""
    for entry in catalogue().requirements.values():
        for field in ("id", "title", "section", "source", "en", "nl", "how"):
            assert getattr(entry, field).strip(), (entry.id, field)
        assert entry.en != entry.nl, entry.id
    for reading in catalogue().readings.values():
        assert reading.issue.strip(), reading.id
        assert reading.reading.strip(), reading.id


def test_every_value_of_a_field_is_used() -> None:
    """The catalogue has entries of each level, kind of test and profile, and of no other."""
    entries = catalogue().requirements.values()
    assert {entry.level for entry in entries} == {*LEVELS}
    assert {entry.test for entry in entries} == {*TESTS}
    assert {entry.profile for entry in entries} == {*PROFILES}
    assert {entry.role for entry in entries} <= {*ROLES}


def test_entries_of_a_role() -> None:
    """A role gets what binds it alone, with one other, or everybody, in the order of the specification."""
    book = catalogue()
    counted = Counter(entry.role for entry in book.requirements.values())
    assert len(book.of_role("dvza")) == sum(counted[role] for role in ("DVZA", "both", "all", "DVZA+REG"))
    assert len(book.of_role("dvp")) == sum(counted[role] for role in ("DVP", "both", "all", "DVP+REG"))
    assert len(book.of_role("registratie")) == sum(counted[role] for role in ("REG", "all", "DVP+REG", "DVZA+REG"))
    order = list(book.requirements.values())
    assert list(book.of_role("dvza")) == [entry for entry in order if "dvza" in entry.roles]
    assert book.of_role("nobody") == ()


def test_every_reference_leads_somewhere() -> None:
    """Every entry that another one inherits from, and every reading it cites, exists."""
    book = catalogue()
    for entry in book.requirements.values():
        assert {*entry.inherits} <= {*book.requirements}, entry.id
        assert {*entry.readings} <= {*book.readings}, entry.id
        assert entry.id not in entry.inherits


def test_unknown_requirement_is_named() -> None:
    """Asking for an entry that does not exist says which, and of which release."""
    with pytest.raises(CatalogueError, match=r"^requirement 'NO\.1' is not in the catalogue of release 1\.0$"):
        catalogue()["NO.1"]


def test_readings_of_an_entry_are_found_in_its_text() -> None:
    """The readings are those that how and notes cite, each once."""
    entry = replace(requirement("A.1"), how="see AMB.5 and AMB.12.", notes="AMB.5, AMB.1")
    assert entry.readings == ("AMB.1", "AMB.12", "AMB.5")


@pytest.mark.parametrize(
    ("level", "profile", "at_most"),
    [
        ("MUST", "1.0", False),
        ("MUST", "derived", False),
        ("MUST", "later", True),
        ("MUST", "info", True),
        ("SHOULD", "1.0", True),
        ("MAY", "derived", True),
    ],
)
def test_what_can_fail_a_gateway(level: str, profile: str, at_most: bool) -> None:
    """Only a MUST of this release or derived from it can fail a gateway."""
    assert replace(requirement("A.1"), level=level, profile=profile).at_most_warning is at_most


# --- who shows what ---


def test_bearers_are_followed_to_the_end() -> None:
    """An entry is shown by itself and by all it refers to, also at second hand."""
    book = Catalogue("x", {r.id: r for r in (requirement("A", "B"), requirement("B", "C", "D"), *map(requirement, "CDE"))}, {})
    assert book.bearers("A") == {"A", "B", "C", "D"}
    assert book.bearers("E") == {"E"}


@given(st.dictionaries(st.sampled_from("ABCDEF"), st.lists(st.sampled_from("ABCDEF"), max_size=4)))
def test_circles_do_not_hang(inherits: dict[str, list[str]]) -> None:
    """However entries refer to one another, circles and themselves included, the bearers are a finite, closed set."""
    book = Catalogue("x", {name: requirement(name, *inherits.get(name, ())) for name in "ABCDEF"}, {})
    for name in "ABCDEF":
        found = book.bearers(name)
        assert name in found
        assert all({*book[one].inherits} <= found for one in found)


# --- wrong data files ---


def test_good_file_is_read(file: Path) -> None:
    """What the errors below are compared with: an entry with everything, and one that inherits from it."""
    file.write_text(toml("requirement", ENTRY, {**ENTRY, "id": "A.2", "inherits": ["A.1"]}))
    assert load_requirements(file) == {"A.1": requirement("A.1"), "A.2": requirement("A.2", "A.1")}


@pytest.mark.parametrize("field", [name for name in ENTRY if name != "id"])
def test_missing_field_is_named(file: Path, field: str) -> None:
    """An entry without a field is refused with its id and that field."""
    message = complaint(file, toml("requirement", {key: value for key, value in ENTRY.items() if key != field}))
    assert "requirement A.1: " in message
    assert repr(field) in message


def test_entry_without_id_is_counted(file: Path) -> None:
    """An entry without id is named by its place."""
    anonymous = {key: value for key, value in ENTRY.items() if key != "id"}
    assert "requirement 2: " in complaint(file, toml("requirement", ENTRY, anonymous))


@pytest.mark.parametrize("field", ["role", "level", "test", "profile"])
def test_unknown_value_is_named_with_what_was_expected(file: Path, field: str) -> None:
    """A value outside its list is refused with entry, field, value and the list."""
    message = complaint(file, toml("requirement", {**ENTRY, field: "NONSENSE"}))
    assert re.search(rf"requirement A\.1: {field}: 'NONSENSE'; expected one of \w", message)


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field in ("title", "role", "level", "how", "id") for value in (5, ["MUST"])]
    + [("inherits", "A.2"), ("inherits", 5), ("inherits", [5])],
)
def test_value_of_a_wrong_kind_is_named(file: Path, field: str, value: object) -> None:
    """A number or a list in the place of a text, or the reverse, is refused with entry and field."""
    message = complaint(file, toml("requirement", {**ENTRY, field: value}))
    assert f": {field}: " in message
    assert "expected " in message


def test_unknown_field_is_named(file: Path) -> None:
    """A field that no entry has is refused by its name."""
    assert "requirement A.1: " in (message := complaint(file, toml("requirement", {**ENTRY, "leval": "MUST"})))
    assert "'leval'" in message


def test_second_entry_of_an_id_is_named(file: Path) -> None:
    """An id stands once."""
    assert "requirement A.1: id: stands twice" in complaint(file, toml("requirement", ENTRY, ENTRY))


@pytest.mark.parametrize("load", [load_requirements, load_readings])
@pytest.mark.parametrize("text", ["[[requirement", "a = \x01", b"title = '\xff'", "requirement = 5\nreading = 5"])
def test_file_that_is_no_list_of_entries(file: Path, text: str | bytes, load: object) -> None:
    """Bad TOML, octets that are no UTF-8 and another structure are refused in one line."""
    complaint(file, text, load)


def test_table_in_the_place_of_a_list(file: Path) -> None:
    """``[requirement]`` with single brackets is refused with the way to write it."""
    assert "[[requirement]]" in complaint(file, toml("requirement", ENTRY).replace("[[", "[").replace("]]", "]"))


def test_wrong_reading_is_named(file: Path) -> None:
    """A reading without its text, with an unknown field, or that stands twice is refused with its id."""
    good = {"id": "AMB.1", "issue": "i", "reading": "r"}
    for wrong, field in (({"id": "AMB.1", "issue": "i"}, "reading"), ({**good, "isue": "i"}, "isue")):
        message = complaint(file, toml("reading", wrong), load_readings)
        assert "reading AMB.1: " in message
        assert field in message
    assert "reading AMB.1: id: stands twice" in complaint(file, toml("reading", good, good), load_readings)


@pytest.fixture
def fixtures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in the place of the package's own data, with the releases, requirements and readings of 1.0."""
    for name in ("releases", "requirements", "readings"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "1.0.toml").write_bytes((data_path("fixtures") / name / "1.0.toml").read_bytes())
    monkeypatch.setattr(requirements, "data_path", lambda _: tmp_path)
    return tmp_path


@pytest.mark.parametrize("change", [{"inherits": ["NO.1"]}, {"how": "as AMB.999 says"}])
def test_reference_to_nothing_is_named(fixtures: Path, change: dict[str, object]) -> None:
    """An entry that refers to an entry or a reading that does not exist is refused with both names."""
    (fixtures / "requirements" / "1.0.toml").write_text(toml("requirement", {**ENTRY, **change}))
    with pytest.raises(CatalogueError, match=r"^A\.1: refers to (NO\.1|AMB\.999), which does not exist$"):
        catalogue.__wrapped__("1.0")


def test_catalogue_of_an_unknown_release(fixtures: Path) -> None:
    """A catalogue that is not there is refused with the name of its file."""
    with pytest.raises(CatalogueError, match=r"^9\.9\.toml: "):
        catalogue.__wrapped__("9.9")


# --- the release ---


def test_release_is_data() -> None:
    """Release 1.0 has eight exceptions by number, lifetimes of 900 seconds, and five parameters in a request."""
    one = release("1.0")
    assert [*one.exceptions] == [*range(1, 9)]
    assert one.exception(4).description == "Authorization denied."
    assert (one.code.lifetime_s, one.token.lifetime_s, one.refresh_tokens) == (900, 900, False)
    assert len(one.request_parameters) == 5
    assert all(code == service.code for code, service in one.gegevensdiensten.items())
    with pytest.raises(KeyError):
        one.exception(9)


def test_unknown_release_is_named_with_the_known_ones() -> None:
    """A release that does not exist is refused with those that do."""
    with pytest.raises(CatalogueError, match=r"^release '9\.9' is unknown; expected one of .*1\.0"):
        release("9.9")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('grant_type = "authorization_code"', "", "grant_type"),
        ("lifetime_s = 900", "", "lifetime_s"),
        ('trigger = "the person refuses"', "", "trigger"),
        ('code = "1"\npgo_code', 'kode = "1"\npgo_code', "kode"),
        ("[token]", "[tokens]", "token"),
        ('id = "1.0"', 'id = "1.0"\nsurprise = 1', "surprise"),
        ('id = "1.0"', "id =", "line"),
    ],
)
def test_wrong_release_is_refused_in_one_line(fixtures: Path, old: str, new: str, named: str) -> None:
    """A release with a missing, unknown or unreadable key is refused with the file and the key."""
    path = fixtures / "releases" / "1.0.toml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CatalogueError, match=rf"^1\.0\.toml: .*{named}") as caught:
        release.__wrapped__("1.0")
    assert "\n" not in str(caught.value)


def test_toy_release_needs_no_code(fixtures: Path) -> None:
    """Another scope, another lifetime and one more exception make another release, by data alone."""
    text = (fixtures / "releases" / "1.0.toml").read_text(encoding="utf-8")
    text = text.replace('id = "1.0"', 'id = "test-2"').replace('"{gegevensdienst}"', '"{zorgaanbieder}~{gegevensdienst}"')
    text = text.replace("lifetime_s = 900", "lifetime_s = 60", 1)
    text += '\n[[exception]]\nnumber = 9\ntrigger = "the toy is broken"\nchannel = "page"\ncode = "server_error"\n'
    (fixtures / "releases" / "test-2.toml").write_text(text, encoding="utf-8")
    toy = release.__wrapped__("test-2")
    assert (toy.id, toy.scope_template, toy.code.lifetime_s) == ("test-2", "{zorgaanbieder}~{gegevensdienst}", 60)
    assert toy.exception(9).code == "server_error"


def test_only_what_scenarios_can_show_has_no_reason_why_not() -> None:
    """Black-box rules of the release need no excuse; every other entry says why scenarios alone do not show it."""
    for entry in catalogue().requirements.values():
        shown_by_scenarios = entry.test == "blackbox" and entry.profile in {"1.0", "derived"}
        assert bool(entry.beyond_the_wire) != shown_by_scenarios, entry.id
