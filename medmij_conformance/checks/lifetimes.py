"""Codes and tokens live exactly as long as the release says: not a tolerance shorter, not a tolerance longer. APP.10.

Over a network "exactly" is an interval. A credential was issued between the start and the end of the exchange that brought it. That
it was accepted in time is proven only by an exchange that ended before the earliest end of its life; that it was refused in time
only by one that began after the latest. ``moved_s`` seconds of its age were made by moving the gateway's clock, which shows the
rule but not the time, so that the outcome is ``attested``.
"""

from medmij_conformance.checks.resource import token_refusal
from medmij_conformance.checks.token import code_refusal
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import fhir
from medmij_conformance.requirements import Credential, Release
from medmij_conformance.verdict import AttestedError, CannotJudgeError, Finding, Findings, check


@check("APP.10", then="the code is still good")
def code_lives_its_lifetime(issued: Exchange, token_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A code is redeemed just before the end of its lifetime."""
    _in_time(issued, token_response, moved_s, release.code)
    members = token_response.response.json if token_response.response else None
    if not isinstance(members, dict) or "access_token" not in members:
        if not 400 <= (token_response.status or 0) < 500:
            raise CannotJudgeError(f"status {token_response.status} without a token says nothing about the code")
        observed = f"status {token_response.status} at {_age(issued, token_response, moved_s)}"
        yield Finding(expected="a token", observed=observed, reading="AMB.22")
        return
    _attest(moved_s)


@check("APP.10", then="the code is good no longer", twin="token")
def code_dies_after_its_lifetime(issued: Exchange, token_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A code is refused just after the end of its lifetime: exception 6."""
    _too_late(issued, token_response, moved_s, release.code)
    findings = list(code_refusal(token_response, release, reading="AMB.22"))
    yield from findings
    if not findings:
        _attest(moved_s)


@check("APP.10", then="the token is still good")
def token_lives_its_lifetime(issued: Exchange, resource_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A token opens the data just before the end of its lifetime."""
    _in_time(issued, resource_response, moved_s, release.token)
    body = resource_response.response.body if resource_response.response else b""
    status = resource_response.status or 0
    if status != 200 and not 400 <= status < 500:
        raise CannotJudgeError(f"status {status} says nothing about the token")
    if status != 200 or fhir.resource_type(body) is None:
        observed = f"status {resource_response.status} at {_age(issued, resource_response, moved_s)}"
        yield Finding(expected="the data", observed=observed, reading="AMB.22")
        return
    _attest(moved_s)


@check("APP.10", "UCI-V.exc.7", then="the token is good no longer", twin="resource")
def token_dies_after_its_lifetime(issued: Exchange, resource_response: Exchange, moved_s: int, release: Release) -> Findings:
    """A token is refused just after the end of its lifetime: exception 7."""
    _too_late(issued, resource_response, moved_s, release.token)
    findings = list(token_refusal(resource_response, release.exception(7)))
    yield from findings
    if not findings:
        _attest(moved_s)


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
