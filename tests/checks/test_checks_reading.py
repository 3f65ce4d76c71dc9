"""What checks read out of texts: challenges and the words of a statement."""

import pytest

from medmij_conformance.checks._reading import is_since
from medmij_conformance.checks.consent import normalised
from medmij_conformance.checks.resource import challenge_error


@pytest.mark.parametrize(
    ("challenge", "error"),
    [
        ('Bearer error="invalid_token"', "invalid_token"),
        ('bearer realm="za", error="invalid_token", error_description="gone"', "invalid_token"),
        ("Bearer error=invalid_token", "invalid_token"),
        ('Bearer realm="error=x"', ""),
        ('Bearer error_description="no", realm="x"', ""),
        ("Bearer", ""),
        ('Basic realm="za"', "-"),
        ("", "-"),
    ],
)
def test_error_of_a_challenge(challenge: str, error: str) -> None:
    """The error of a Bearer challenge is its attribute of that name, and nothing that only looks like it."""
    assert challenge_error(challenge) == error


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("You  allow\nthis", "You allow this"),
        ("the \u2018short\u2019 text", "the 'short' text"),
        ("cafe\u0301", "caf\u00e9"),
        ("a\u00a0b \u2013 c", "a b - c"),
    ],
)
def test_texts_that_are_the_same(one: str, other: str) -> None:
    """White space, quotation marks, dashes and forms of a character make no difference."""
    assert normalised(one) == normalised(other)


def test_case_and_words_count() -> None:
    """A statement is compared with its case."""
    assert normalised("You allow") != normalised("you allow")


@pytest.mark.parametrize(
    ("time", "since"),
    [
        ("2026-11-22T07:16:51Z", True),
        ("2026-11-22T03:16:51.298-04:00", True),
        ("2026-11-22T08:16:51+01:00", True),
        ("2026-11-22T08:16:50+01:00", False),
        ("2026-11-22T07:16:50.999Z", False),
        ("yesterday", False),
        ("", False),
        (None, False),
        (1795331811, False),
    ],
)
def test_a_moment_is_compared_as_a_moment(time: object, since: bool) -> None:
    """A time of any zone is after another when its moment is, whatever its digits; what is no time is never."""
    assert is_since(time, "2026-11-22T07:16:51") is since
