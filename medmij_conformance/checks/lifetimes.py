"""Codes and tokens live exactly as long as the release says: not a tolerance shorter, not a tolerance longer. APP.10.

Every check here speaks for APP.10 alone, also where it is about how an old code or token is refused (UCI-V.exc.6 and 7, APP.12b,
RFC6750.3a): the quick plan, which does not wait, can then show those by all else that it sees of them.

Over a network "exactly" is an interval. A credential was issued between the start and the end of the exchange that brought it. That
it was accepted in time is proven only by an exchange that ended before the earliest end of its life; that it was refused in time
only by one that began after the latest. ``moved_s`` seconds of its age were made by moving the gateway's clock, which shows the
rule but not the time, so that the outcome is ``attested``.
"""

from medmij_conformance.checks import _reading as read
from medmij_conformance.checks.resource import challenge_error, token_refusal
from medmij_conformance.checks.token import code_refusal
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import fhir
from medmij_conformance.requirements import Credential, Release
from medmij_conformance.verdict import AttestedError, CannotJudgeError, Finding, Findings, Outcome, check


@check("APP.10", then="the code is still good")
def code_lives_its_lifetime(issued: Exchange, token_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A code is redeemed just before the end of its lifetime."""
    _in_time(issued, token_response, moved_s, release.code)
    if "access_token" not in read.members(token_response):
        if not 400 <= (token_response.status or 0) < 500:
            raise CannotJudgeError(f"status {token_response.status} without a token says nothing about the code")
        observed = f"status {token_response.status} at {_age(issued, token_response, moved_s)}"
        yield Finding(expected="a token", observed=observed, reading="AMB.22")
    _attest(moved_s)


@check("APP.10", then="the code is good no longer", twin="token")
def code_dies_after_its_lifetime(issued: Exchange, token_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A code yields no token just after the end of its lifetime."""
    _too_late(issued, token_response, moved_s, release.code)
    if _yields_token(token_response):
        observed = f"a token at {_age(issued, token_response, moved_s)}"
        yield Finding(expected="no token", observed=observed, reading="AMB.22")
    _attest(moved_s)


@check("APP.10", then="the dead code is refused as an invalid one", twin="token")
def expired_code_is_reported(issued: Exchange, token_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A code whose life is over is refused by exception 6."""
    _too_late(issued, token_response, moved_s, release.code)
    if _yields_token(token_response):
        raise CannotJudgeError("the code was not refused")
    yield from code_refusal(token_response, release)
    _attest(moved_s)


@check("APP.10", then="the used code is still refused", twin="token")
def used_code_stays_used(issued: Exchange, token_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A code that was redeemed when it was fresh is refused just before the end of its lifetime too."""
    _in_time(issued, token_response, moved_s, release.code)
    yield from code_refusal(token_response, release)
    _attest(moved_s)


@check("APP.10", then="the token is still good")
def token_lives_its_lifetime(issued: Exchange, resource_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A token opens the data just before the end of its lifetime."""
    _in_time(issued, resource_response, moved_s, release.token)
    yield from _opens(issued, resource_response, moved_s)
    _attest(moved_s)


@check("APP.10", then="the token is good no longer", twin="resource")
def token_dies_after_its_lifetime(issued: Exchange, resource_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A token opens nothing just after the end of its lifetime."""
    _too_late(issued, resource_response, moved_s, release.token)
    yield from _opens_nothing(issued, resource_response, moved_s)
    _attest(moved_s)


@check("APP.10", then="its use has not prolonged the token's life", twin="resource")
def use_does_not_prolong_a_token(
    issued: Exchange, on_the_way: Exchange, resource_response: Exchange, moved_s: int, release: Release
) -> Findings:
    """A token that was used on the way opens nothing just after the end of its lifetime: that begins with its issue."""
    _too_late(issued, resource_response, moved_s, release.token)
    yield from _opens_nothing(issued, resource_response, moved_s)
    _attest(moved_s)


@check("APP.10", then="the token outlives its code")
def token_lives_from_its_own_issue(
    issued: Exchange, on_the_way: Exchange, resource_response: Exchange, moved_s: int, moved_since_s: int, release: Release
) -> Findings:
    """A token from a code that was redeemed late opens the data after the code's end: each lifetime begins with its own issue."""
    _too_late(issued, resource_response, moved_s, release.code)
    _in_time(on_the_way, resource_response, moved_since_s, release.token)
    yield from _opens(on_the_way, resource_response, moved_since_s)
    _attest(moved_s)


@check("APP.10", then="the dead token is refused as an invalid one", twin="resource")
def expired_token_is_reported(issued: Exchange, resource_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A token whose life is over is refused by exception 7."""
    _too_late(issued, resource_response, moved_s, release.token)
    if fhir.resources(read.response(resource_response).body):
        raise CannotJudgeError("the token was not refused")
    yield from token_refusal(resource_response, release.exception(7))
    _attest(moved_s)


@check("APP.10", then="the challenge says that the dead token is invalid", twin="resource")
def expired_token_is_challenged(issued: Exchange, resource_response: Exchange, moved_s: int, release: Release) -> Findings:
    """The refusal of a token whose life is over carries a Bearer challenge with the error invalid_token."""
    _too_late(issued, resource_response, moved_s, release.token)
    answer = read.response(resource_response)
    if answer.status < 400:
        raise CannotJudgeError("the token was not refused")
    challenge = answer.header("www-authenticate") or ""
    if challenge_error(challenge) != "invalid_token":
        expected = 'a Bearer challenge with error="invalid_token"'
        observed = challenge or "no challenge"
        yield Finding(expected=expected, observed=observed, outcome=Outcome.WARNING, reading="AMB.45")
    _attest(moved_s)


def _yields_token(exchange: Exchange) -> bool:
    """Whether a token was issued. Raises ``CannotJudgeError`` for a trouble of the server, which refuses nothing."""
    if (exchange.status or 0) >= 500:
        raise CannotJudgeError(f"status {exchange.status} says nothing about the code")
    return "access_token" in read.members(exchange)


def _opens(issued: Exchange, asked: Exchange, moved_s: int) -> Findings:
    status = asked.status or 0
    if status != 200 and not 400 <= status < 500:
        raise CannotJudgeError(f"status {status} says nothing about the token")
    if status != 200 or fhir.resource_type(read.response(asked).body) is None:
        yield Finding(expected="the data", observed=f"status {status} at {_age(issued, asked, moved_s)}", reading="AMB.22")


def _opens_nothing(issued: Exchange, asked: Exchange, moved_s: int) -> Findings:
    status = asked.status or 0
    if status >= 500:
        raise CannotJudgeError(f"status {status} says nothing about the token")
    if status < 400:
        yield Finding(expected="no data", observed=f"status {status} at {_age(issued, asked, moved_s)}", reading="AMB.22")


def _in_time(issued: Exchange, offered: Exchange, moved_s: int, credential: Credential) -> None:
    if offered.finished + moved_s >= issued.started + credential.lifetime_s:
        raise CannotJudgeError(f"it was offered at {_age(issued, offered, moved_s)}: too late to prove that it still lived")


def _too_late(issued: Exchange, offered: Exchange, moved_s: int, credential: Credential) -> None:
    if offered.started + moved_s <= issued.finished + credential.lifetime_s:
        raise CannotJudgeError(f"it was offered at {_age(issued, offered, moved_s)}: too early to prove that it was dead")


def _age(issued: Exchange, offered: Exchange, moved_s: int) -> str:
    least, most = offered.started - issued.finished + moved_s, offered.finished - issued.started + moved_s
    return f"an age of {least:.1f} to {most:.1f} s"


def _attest(moved_s: int) -> None:
    if moved_s:
        raise AttestedError(f"shown with the gateway's clock moved by {moved_s} s; real time needs --plan full")
