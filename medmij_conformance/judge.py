"""The judge of one scenario: runs checks on stored evidence and writes what they say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from medmij_conformance.evidence import Evidence, Exchange
from medmij_conformance.verdict import Check, Judgement, NotSeenError, Outcome
from medmij_conformance.verdict import judge as run_check


@dataclass(slots=True)
class Judge:
    """Judges the stored evidence of one scenario. Every check of a scenario runs; the scenario fails once, at its end."""

    evidence: Evidence
    judgements: list[tuple[Check, Judgement]] = field(default_factory=list)

    def __call__(self, check: Check, **arguments: Any) -> Judgement:
        """Run a check and record what it says."""
        judgement = self._run(check, arguments)
        self.judgements.append((check, judgement))
        self._write("judgement", judgement)
        return judgement

    def note(self, check: Check, **arguments: Any) -> Judgement:
        """Run a check on the way to something else: recorded, and counted as a twin, but no verdict."""
        judgement = self._run(check, arguments)
        self._write("precondition", judgement)
        return judgement

    def require(self, check: Check, **arguments: Any) -> None:
        """Run a check as a precondition. Raises ``NotSeenError`` with what came instead: then nothing can be judged here."""
        judgement = self.note(check, **arguments)
        if judgement.outcome not in {Outcome.PASS, Outcome.WARNING}:
            found = "; ".join(f"expected {f.expected}, saw {f.observed}" for f in judgement.findings)
            raise NotSeenError(f"not seen: {check.claim} ({found or judgement.reason})")

    def _run(self, check: Check, arguments: Mapping[str, Any]) -> Judgement:
        stored = {name: self._stored(value) for name, value in arguments.items()}
        return run_check(check, stored, self.evidence.of_scenario(self.evidence.scenario))

    def _stored(self, value: Any) -> Any:
        if isinstance(value, Exchange):
            return self.evidence.stored(value)
        if isinstance(value, tuple):
            return tuple(self._stored(member) for member in value)
        return self.evidence.redactor.text(value) if isinstance(value, str) else value  # an Observation holds no secret

    def _write(self, record: str, judgement: Judgement) -> None:
        self.evidence.write(record, **asdict(judgement), after=self.evidence.last)
