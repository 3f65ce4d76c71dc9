"""What a PGO gateway keeps: data with where it came from, and consent. Handed over by the vendor's hooks ``dossier`` and ``log``.

The hook ``dossier`` answers with a JSON list of items, each with ``content`` (the FHIR resource), ``medmij`` (true when it came
through MedMij and is unchanged), ``obtained`` (RFC 3339) and ``consent_profile``. The hook ``log`` answers with a JSON list of
records; that of a consent has ``event`` = ``consent``, ``time`` (RFC 3339), ``person``, ``zorgaanbieder``, ``gegevensdienst``.
"""

import json
from typing import Any

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import hooks
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, check

_CONSENT_PROFILE = "expliciete toestemming"  # AMB.29
_SLACK_S = 120  # by which the PGO's clock may differ from ours
_CONSENT_FIELDS = ("time", "person", "zorgaanbieder", "gegevensdienst")


@check("P&I.1", "UCI-V.step.16", then="what was delivered is in the dossier", raw=True)
def delivered_data_is_kept(dossier: Exchange, resource_requests: tuple[Exchange, ...]) -> Findings:
    """Every resource that the ZA gateway delivered stands in the dossier afterwards."""
    delivered = {name for exchange in resource_requests for name in _delivered(exchange)}
    if not delivered:
        raise CannotJudgeError("nothing was delivered")
    kept = {str(_content(item).get("id")) for item in _rows(dossier, "dossier")}
    if missing := sorted(delivered - kept):
        yield Finding(
            expected=f"{len(delivered)} resources in the dossier",
            observed=f"without {', '.join(missing[:5])}{_form(dossier, 'dossier')}",
        )


@check("UC-V.meta", then="what was delivered has its origin in the dossier")
def origin_is_kept(dossier: Exchange, marker: str, begun_at: str) -> Findings:
    """Each item that was collected says that it came through MedMij, when, and by which consent."""
    own = [item for item in _rows(dossier, "dossier") if marker in json.dumps(item)]
    if not own:
        raise CannotJudgeError("nothing of this collection is in the dossier")
    form = _form(dossier, "dossier")
    for item in own:
        if item.get("medmij") is not True:
            observed = f"medmij: {item.get('medmij')}{form}"
            yield Finding(expected="an item that is marked as obtained through MedMij", observed=observed)
        if not read.is_since(item.get("obtained"), begun_at, slack_s=_SLACK_S):
            observed = f"obtained: {item.get('obtained')}{form}"
            yield Finding(expected=f"the time of this collection, after {begun_at}", observed=observed)
        if item.get("consent_profile") != _CONSENT_PROFILE:
            observed = f"consent_profile: {item.get('consent_profile')}{form}"
            yield Finding(expected=f"the consent profile {_CONSENT_PROFILE!r}", observed=observed, reading="AMB.29")


@check("UCI-V.exc.7p", then="nothing of the failed answer is in the dossier", twin="collection")
def failed_answer_is_not_kept(dossier: Exchange, marker: str) -> Findings:
    """What tells of a failure is no health data: nothing of it is kept."""
    for item in _rows(dossier, "dossier"):
        if _content(item).get("resourceType") == "OperationOutcome" or marker in json.dumps(item):
            yield Finding(expected="nothing of the failed answer", observed=f"{json.dumps(_content(item))[:120]}")
            return


@check("UCI-V.step.11", "UC-V.user", "LOG.6", then="the consent is in the log of the PGO")
def consent_is_in_the_log(log: Exchange, earlier_log: Exchange, token_request: Exchange, chosen: tuple[str, ...]) -> Findings:
    """A code that was redeemed says that the person consented: it is recorded, with person, provider, data service and time."""
    own, redeemed_at = _consents(log, chosen), token_request.at[:19]
    if len(own) <= len(_consents(earlier_log, chosen)):
        observed = f"no more than before{_form(log, 'log')}"
        yield Finding(expected=f"a new record of a consent for {' and '.join(chosen)}", observed=observed)
        return
    newest = max(own, key=lambda record: str(record.get("time")))
    if missing := [name for name in _CONSENT_FIELDS if not newest.get(name)]:
        yield Finding(expected=f"a record with {', '.join(_CONSENT_FIELDS)}", observed=f"a record without {', '.join(missing)}")
    elif not read.is_since(newest["time"], redeemed_at, slack_s=_SLACK_S):
        yield Finding(expected=f"the time of this collection, about {redeemed_at}", observed=f"time: {newest['time']}")


@check("UCI-V.exc.4p", then="no consent is in the log of the PGO", twin="collection")
def refusal_is_no_consent(
    log: Exchange, earlier_log: Exchange, chosen: tuple[str, ...], last_page: Exchange, outcome_texts: tuple[str, ...]
) -> Findings:
    """A person who refused is not recorded as one who consented: the log has no more consents than before."""
    _came_to_an_end(last_page, outcome_texts)
    yield from _no_more_consents(log, earlier_log, chosen)


@check("UCI-V.step.11b", then="a strange return leaves no consent in the log", twin="collection")
def strange_return_is_no_consent(
    log: Exchange,
    earlier_log: Exchange,
    chosen: tuple[str, ...],
    last_page: Exchange,
    outcome_texts: tuple[str, ...],
    earlier_ended: bool,
) -> Findings:
    """A code that comes without a state of her own is no consent of hers: the log has no more consents than before."""
    _came_to_an_end(last_page, outcome_texts)
    if not earlier_ended:
        raise CannotJudgeError("an earlier collection showed no outcome, so its consent may have been logged since")
    yield from _no_more_consents(log, earlier_log, chosen)


@check("JUR.12", then="dossier and log hold no BSN")
def dossier_and_log_hold_no_bsn(dossier: Exchange, log: Exchange, bsns: tuple[str, ...]) -> Findings:
    """The BSN of the person stands neither in what the PGO keeps nor in its log, in whatever encoding."""
    handed_over = (("dossier", dossier), ("log", log))
    found = [(where, how) for where, each in handed_over for how in read.bsn_forms(read.response(each).text, bsns)]
    for where, how in found:
        yield Finding(expected="no BSN", observed=f"a BSN in the {where}, as {how}", reading="AMB.56")
    for where, each in handed_over:
        if not found and not _rows(each, where):
            raise CannotJudgeError(f"the hook {where} handed over nothing")


@check("LOG.7", then="the log of the PGO holds no code, no token and no BSN")
def pgo_log_holds_no_secret(log: Exchange, issued_code: str, issued_token: str, bsns: tuple[str, ...]) -> Findings:
    """Neither the code nor the token of this collection, nor a BSN, stands in the log in clear."""
    text = log.response.text if log.response else ""
    if any(secret in text for secret in (issued_code, issued_token, *bsns)):
        yield Finding(expected="no code, token or BSN in clear", observed="one of them stands in the log")


def _came_to_an_end(last_page: Exchange, outcome_texts: tuple[str, ...]) -> None:
    """Raises ``CannotJudgeError`` when the collection may still be going on, so that the log is not complete."""
    if not read.outcomes(last_page, outcome_texts):
        raise CannotJudgeError("the last page shows no outcome of the target file, so the collection may still be going on")


def _no_more_consents(log: Exchange, earlier_log: Exchange, chosen: tuple[str, ...]) -> Findings:
    if len(_consents(log, chosen)) > len(_consents(earlier_log, chosen)):
        yield Finding(expected="no record of a consent", observed=f"one for {' and '.join(chosen)}")


def _consents(log: Exchange, chosen: tuple[str, ...]) -> list[dict[str, Any]]:
    records = [record for record in _rows(log, "log") if record.get("event") == "consent"]
    return [r for r in records if (r.get("zorgaanbieder"), r.get("gegevensdienst")) == chosen]


def _delivered(exchange: Exchange) -> list[str]:
    data = exchange.response.json if exchange.response and exchange.status == 200 else None
    entries = data.get("entry") if isinstance(data, dict) else None
    resources = [entry.get("resource") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [str(resource["id"]) for resource in resources if isinstance(resource, dict) and "id" in resource]


def _content(item: dict[str, Any]) -> dict[str, Any]:
    content = item.get("content")
    return content if isinstance(content, dict) else {}


def _rows(handed_over: Exchange, hook: str) -> list[dict[str, Any]]:
    data: Any = handed_over.response.json if handed_over.response else None
    if not isinstance(data, list):
        raise CannotJudgeError(hooks.problem(hook, data))
    return [row for row in data if isinstance(row, dict)]


def _form(handed_over: Exchange, hook: str) -> str:
    """What is wrong with the form of an answer, for a finding that may come of it: a mark as text, a time as a number."""
    problem = hooks.problem(hook, handed_over.response.json if handed_over.response else None)
    return f" ({problem})" if problem else ""
