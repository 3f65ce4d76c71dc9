"""What the gateway keeps of a person's choice, handed over by the vendor's hook ``log``. LOG.*.

The hook answers with a JSON list of records; each has ``time`` (RFC 3339), ``person`` (a reference of the gateway's own),
``zorgaanbieder``, ``gegevensdienst``, ``pgo`` (the supplier's name as shown), ``text_version``, ``outcome`` and ``flow``
(whatever ties it to the collection). Outcomes are ``granted``, ``refused``, ``not_identified`` (exception 2),
``nothing_available`` (3) and ``undetermined`` (5); without a consent question ``person`` and ``text_version`` may be empty.
"""

from typing import Any

from medmij_conformance.checks import _reading as read
from medmij_conformance.evidence import Exchange
from medmij_conformance.protocol import hooks
from medmij_conformance.verdict import CannotJudgeError, Finding, Findings, check

_OUTCOMES = ("granted", "refused", "not_identified", "nothing_available", "undetermined")
_FIELDS = ("time", "person", "zorgaanbieder", "gegevensdienst", "pgo", "text_version", "outcome", "flow")


@check("LOG.1", "LOG.6", "JUR.15", "VWO.7.2", "UC-V.step.6", then="the consent is in the log")
def consent_is_logged(log: Exchange, zorgaanbieder: str, gegevensdienst: str, pgo_name: str, since: str) -> Findings:
    """The consent of this collection is recorded: when, who, to whom, what, of which provider, and by which text."""
    yield from _recorded(log, zorgaanbieder, gegevensdienst, pgo_name, since, "granted")


@check("LOG.2", then="the refusal is in the log")
def refusal_is_logged(log: Exchange, zorgaanbieder: str, gegevensdienst: str, pgo_name: str, since: str) -> Findings:
    """The refusal in this collection is recorded."""
    yield from _recorded(log, zorgaanbieder, gegevensdienst, pgo_name, since, "refused")


@check("LOG.7", then="the log holds no code and no token")
def log_holds_no_credentials(log: Exchange, credentials: tuple[str, ...]) -> Findings:
    """Neither the code nor the token of this collection stands in the log in clear."""
    text = log.response.text if log.response else ""
    if any(credential in text for credential in credentials):
        yield Finding(expected="no code or token in clear", observed="one of them stands in the log")


@check("LOG.5", then="each of the five requests is in the log with its outcome")
def every_request_is_logged(log: Exchange, zorgaanbieder: str, gegevensdienst: str, pgo_name: str, since: str) -> Findings:
    """Requests are recorded however they ended: granted, refused, not logged in, nothing available, or not decided."""
    place = {"zorgaanbieder": zorgaanbieder, "gegevensdienst": gegevensdienst, "pgo": pgo_name}
    records = [record for record in _records(log) if read.is_since(record.get("time"), since)]
    own = [record for record in records if all(record.get(name) == value for name, value in place.items())]
    logged = {str(record.get("outcome")) for record in own if record.get("flow")}
    if missing := [outcome for outcome in _OUTCOMES if outcome not in logged]:
        observed = f"{len(own)} records since {since}, none of them with a flow and {' or '.join(missing)}{_form(log)}"
        yield Finding(expected=f"a record of {place} with a flow for each of {', '.join(_OUTCOMES)}", observed=observed)


def _recorded(log: Exchange, zorgaanbieder: str, gegevensdienst: str, pgo_name: str, since: str, outcome: str) -> Findings:
    records = [record for record in _records(log) if read.is_since(record.get("time"), since)]
    wanted = {"zorgaanbieder": zorgaanbieder, "gegevensdienst": gegevensdienst, "pgo": pgo_name, "outcome": outcome}
    own = [record for record in records if all(record.get(name) == value for name, value in wanted.items())]
    if not own:
        observed = f"{len(records)} records since {since}, none of them this{_form(log)}"
        yield Finding(expected=f"a record of {wanted}", observed=observed)
        return
    missing = [name for name in _FIELDS if not own[-1].get(name)]
    if missing:
        yield Finding(expected=f"a record with {', '.join(_FIELDS)}", observed=f"a record without {', '.join(missing)}")


def _records(log: Exchange) -> list[dict[str, Any]]:
    data: Any = log.response.json if log.response else None
    if not isinstance(data, list):
        raise CannotJudgeError(hooks.problem("log", data))
    return [record for record in data if isinstance(record, dict)]


def _form(log: Exchange) -> str:
    """What is wrong with the form of the log, for a finding that may come of it: a code as a number, a time as a number."""
    problem = hooks.problem("log", log.response.json if log.response else None)
    return f" ({problem})" if problem else ""
