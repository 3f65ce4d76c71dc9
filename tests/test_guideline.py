"""The NCSC guidelines as data: levels by edition, and what an edition does not know."""

import pytest

from medmij_conformance import guideline

GCM, CBC, CBC_SHA, RSA, TRIPLE_DES, RC4, CHACHA, TLS13 = 0xC02B, 0xC024, 0xC009, 0x002F, 0x000A, 0x0005, 0xCCA9, 0x1302


@pytest.mark.parametrize(
    ("suite", "levels"),
    [
        (GCM, ("good", "good", "good", "sufficient")),
        (TLS13, ("good", "good", "good", "good")),
        (CHACHA, ("good", "good", "good", "sufficient")),
        (CBC, ("sufficient", "sufficient", "sufficient", "phase_out")),
        (CBC_SHA, ("sufficient", "sufficient", "sufficient", "insufficient")),
        (RSA, ("sufficient", "phase_out", "phase_out", "insufficient")),
        (TRIPLE_DES, ("sufficient", "phase_out", "phase_out", "insufficient")),
        (RC4, ("insufficient",) * 4),
        (0xEEEE, ("insufficient",) * 4),
    ],
)
def test_suites(suite: int, levels: tuple[str, ...]) -> None:
    """The level of a suite in each edition is that of its weakest part; one that nobody knows is not good enough."""
    assert tuple(guideline.edition(name).rate_suite(suite).level for name in guideline.editions()) == levels


@pytest.mark.parametrize(
    ("table", "name", "levels"),
    [
        ("version", "TLS1.3", ("good", "good", "good", "good")),
        ("version", "TLS1.2", ("good", "good", "sufficient", "sufficient")),
        ("version", "TLS1.0", ("sufficient", "phase_out", "phase_out", "insufficient")),
        ("version", "SSL3", ("insufficient",) * 4),
        ("group", "secp256r1", ("good", "good", "good", "sufficient")),
        ("group", "x25519", ("good", "good", "good", "sufficient")),
        ("group", "X25519MLKEM768", ("good",) * 4),
        ("group", "secp224r1", ("sufficient", "phase_out", "phase_out", "phase_out")),
        ("group", "brainpoolP256r1", ("good", "insufficient", "insufficient", "sufficient")),
        ("certificate_hash", "SHA-1", ("insufficient",) * 4),
    ],
)
def test_parts(table: str, name: str, levels: tuple[str, ...]) -> None:
    """Versions, groups and hashes by edition."""
    assert tuple(guideline.edition(each).rate(table, name).level for each in guideline.editions()) == levels


def test_the_next_edition_decides_what_one_does_not_know() -> None:
    """TLS 1.3 and x25519 are younger than the guideline of 2014, the hybrids than all but the last (AMB.62)."""
    first = guideline.edition("ncsc-2014")
    assert first.rate("version", "TLS1.3").edition == "ncsc-2019"
    assert first.rate("group", "x25519").edition == "ncsc-2019"
    assert first.rate("group", "X25519MLKEM768").edition == "ncsc-2025"
    assert first.rate("version", "TLS1.2").edition == "ncsc-2014"


@pytest.mark.parametrize(
    ("bits", "levels"),
    [
        (1024, ("insufficient",) * 4),
        (2047, ("insufficient",) * 4),
        (2048, ("sufficient", "sufficient", "sufficient", "phase_out")),
        (3072, ("good", "good", "good", "sufficient")),
        (4096, ("good", "good", "good", "sufficient")),
    ],
)
def test_keys(bits: int, levels: tuple[str, ...]) -> None:
    """RSA keys by size."""
    assert tuple(guideline.edition(name).rate_bits("rsa", bits).level for name in guideline.editions()) == levels


def test_finite_fields() -> None:
    """By size in 2014, by name since."""
    assert guideline.edition("ncsc-2014").rate_bits("finite_field", 2048) == guideline.Rating(
        "sufficient", "ncsc-2014", unsure=True
    )
    assert guideline.edition("ncsc-2014").rate_bits("finite_field", 3072, "").level == "good"
    assert guideline.edition("ncsc-2019").rate_bits("finite_field", 3072, "").level == "insufficient"
    assert guideline.edition("ncsc-2019").rate_bits("finite_field", 3072, "ffdhe3072").level == "sufficient"


def test_signatures() -> None:
    """Until 2025 SHA-2 has only to be possible; then nothing else may be accepted."""
    sha2, sha1 = 0x0403, 0x0203
    for name, both in (("ncsc-2014", "good"), ("ncsc-2021", "good"), ("ncsc-2025", "insufficient")):
        assert guideline.edition(name).rate_signatures([sha2, sha1])[sha1].level == both
        assert guideline.edition(name).rate_signatures([sha2])[sha2].level == "good"
    assert guideline.edition("ncsc-2014").rate_signatures([sha1])[sha1].level == "phase_out"


def test_an_edition_by_its_number() -> None:
    """An edition has a name and the number that NCSC gave it; nothing else will do."""
    assert guideline.edition("2.1") is guideline.edition("2.1")
    assert guideline.edition("2.1").name == "ncsc-2021"
    with pytest.raises(guideline.GuidelineError, match=r"'3\.0' is no edition"):
        guideline.edition("3.0")


def test_every_name_of_a_table_exists() -> None:
    """No level is given to a group that has no code point, or to a part that no suite has."""
    known = guideline.registry()
    parts = {
        name: {getattr(suite, name) for suite in known.suites.values()}
        for name in ("key_exchange", "authentication", "bulk", "mac")
    }
    for name in guideline.editions():
        tables = guideline.edition(name).tables
        for level in guideline.levels()[:3]:
            assert {*tables["group"].get(level, ())} <= {*known.groups.values()}
            assert {*tables["bulk"].get(level, ())} <= parts["bulk"]
            assert {*tables["key_exchange"].get(level, ())} <= parts["key_exchange"]
