"""Guessing and exhaustion: what a gateway does about those who try too much. RFC 6819 4.4.1.3, 4.4.1.11 and 4.4.1.12.

``raw``, because shedding load is what is looked for here.
"""

from statistics import median

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, check

Exchanges = tuple[Exchange, ...]
_SOME = 10
_SLOWER = 5
_WORTH_NOTICE_S = 0.5


@check("RFC6819.4.4.1.12c", then="the gateway notices the guessing", raw=True)
def guessing_is_noticed(guesses: Exchanges) -> Findings:
    """Of many wrong codes in a row the first are answered by an error, and later ones are refused otherwise or slowed down."""
    made = [exchange for exchange in guesses if not _is_ours(exchange)]
    if len(made) < 2 * _SOME:
        raise CannotJudgeError(f"only {len(made)} guesses could be made in the time of the scenario")
    first, last = made[:_SOME], made[-_SOME:]
    if any(exchange.response is None or exchange.status not in {400, 401} for exchange in first):
        raise CannotJudgeError("not even the first guesses were answered by an error")
    granted = [exchange.number for exchange in made if _token(exchange)]
    if granted:
        yield Finding(expected="no token for a guess", observed=f"a token (exchange {granted[0]})")
        return
    slower = median(map(_seconds, last)) >= max(_WORTH_NOTICE_S, _SLOWER * median(map(_seconds, first)))
    otherwise = last[-1].response is None or last[-1].status != first[0].status
    if not slower and not otherwise:
        pace = len(made) / max(0.001, max(each.finished for each in made) - made[0].started)
        observed = f"{len(made)} guesses answered alike, {pace:.0f} a second"
        yield Finding(expected="a limit or a delay after many wrong codes", observed=observed)


@check("RFC6819.4.4.1.12c", then="the gateway serves others meanwhile", raw=True)
def others_are_served_meanwhile(guesses: Exchanges, token_response: Exchange) -> Findings:
    """While one client is limited for its guesses, another redeems its code."""
    _refuse_our_own_limits(token_response)
    if not _token(token_response):
        yield Finding(expected="a token for the client that did not guess", observed=_answer(token_response))


@check("RFC6819.4.4.1.11", then="the gateway outlives the unfinished requests", raw=True)
def unfinished_requests_exhaust_nothing(unfinished: Exchanges, reached: Exchanges) -> Findings:
    """After many authorization requests that nobody went on with, a collection succeeds, and none of them gave a code."""
    last = reached[-1]
    given = [exchange.number for exchange in unfinished if "code=" in read.location(exchange)]
    if given:
        yield Finding(expected="no code without a login", observed=f"a code (exchange {given[0]})")
    _refuse_our_own_limits(last)
    if last.endpoint != "resource" or last.status != 200:
        yield Finding(expected="the data, as before", observed=f"{last.label}: {_answer(last)}")


def _refuse_our_own_limits(exchange: Exchange) -> None:
    """Raise ``CannotJudgeError`` when the harness did not ask: that says nothing about the gateway."""
    if exchange.trouble and (_is_ours(exchange) or exchange.trouble.kind == "silent-endpoint"):
        raise CannotJudgeError(f"{exchange.label}: {exchange.trouble.detail}")


def _is_ours(exchange: Exchange) -> bool:
    """Whether our own limits ended it. (That an endpoint which fell silent is left alone is what its silence brought about.)"""
    return exchange.trouble is not None and exchange.trouble.kind in {"out-of-time", "not-allowed"}


def _token(exchange: Exchange) -> bool:
    return exchange.response is not None and "access_token" in read.members(exchange)


def _seconds(exchange: Exchange) -> float:
    return exchange.finished - exchange.started


def _answer(exchange: Exchange) -> str:
    return f"status {exchange.status}" if exchange.response else f"no answer ({exchange.trouble and exchange.trouble.kind})"
