"""The players of a run against MedMij Registratie: nodes of the network that ask for its lists."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from medmij_conformance import pki
from medmij_conformance.cast.identities import identity
from medmij_conformance.cast.office import Office
from medmij_conformance.counterparties.node import Node
from medmij_conformance.evidence import Evidence, Exchange
from medmij_conformance.protocol import hooks, lists
from medmij_conformance.requirements import Release
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.client import Client, Identity, Limits
from medmij_conformance.wire.hooks import Hooks, Person

FORGED = "of another authority"
MINTED = "minted"


@dataclass(slots=True, kw_only=True)
class Registration:
    """A test entry in the register, in the ZAL or on the Whitelist, that is added, changed or removed (``done``).

    What is changed or removed was added before; ``complete`` says that the last of it was asked for: at ``since`` (wall time), when
    the clock of Registratie had been moved by ``moved_s``.
    """

    which: str
    done: str
    entry: Mapping[str, Any]
    since: float
    complete: bool
    moved_s: int = 0


class RegistratieCast:
    """Everybody the harness plays towards MedMij Registratie. ``folder`` takes the keys of this run; it is private.

    ``registrations`` are what the vendor was asked to register for a scenario, by its id.
    """

    def __init__(
        self,
        target: Target,
        release: Release,
        evidence: Evidence,
        random: Random,
        folder: Path,
        operator: Person | None = None,
    ) -> None:
        self.target = target
        self.release = release
        self.hooks = Hooks(target.hooks, target.path.parent, operator=operator)
        self.office = Office.of(target)
        self._at_work = False
        self._evidence = evidence
        self._random = random
        self.registrations: dict[str, Registration] = {}
        harness, limits, where = target.harness, target.limits, target.registratie
        self.addresses = {"zal": where.zal_url, "whitelist": where.whitelist_url} | (
            {"ocl": where.ocl_url} if where.ocl_url else {}
        )
        nodes = {"pgo": harness, "za": harness.other, "unlisted": harness.unlisted}
        self._nodes = {name: Node(name=name, hostname=n.hostname, addresses=self.addresses) for name, n in nodes.items() if n}
        self.client = Client(
            evidence,
            connect=target.connect,
            identities=[
                *(identity(name, node, folder) for name, node in nodes.items() if node),
                *_forged(harness.hostname, folder),
            ],
            trust_back=target.trust.ca,
            limits=Limits(exchange_s=limits.exchange_s, body_bytes=limits.body_bytes, pace_ms=limits.pace_ms),
        )

    def restart(self) -> None:
        """Begin anew: nothing was registered yet."""
        self.registrations.clear()
        self._at_work = False

    def close(self) -> None:
        """Nothing of ours stays behind: the responder ends."""
        if self.office:
            self.office.close()

    def node(self, name: str) -> Node:
        """The node ``pgo``, ``za`` or ``unlisted``. Raises ``NotSeenError`` when the target file lacks it."""
        if name not in self._nodes:
            raise NotSeenError(f"the target file has no [harness.{'other' if name == 'za' else name}]")
        return self._nodes[name]

    def ask(self, which: str, *, by: str = "pgo", certificate: str = "", deviation: str | None = None) -> Exchange:
        """A node asks for a list, with its own certificate or another. Raises ``NotSeenError`` when the list has no address."""
        node = self.node(by)
        if which not in self.addresses:
            raise NotSeenError(f"the target file has no registratie.{which}_url")
        request = replace(node.request(which), deviation=deviation, twin="pgo")
        return self.client.send(request, certificate=certificate or node.name)

    def must_be_at_work(self) -> None:
        """See once that an ordinary node gets its list, so that not just anything is judged. Raises ``NotSeenError``."""
        if not self._at_work:
            answer = self.ask("zal").response
            if answer is None or answer.status != 200 or not lists.generations(answer.body):
                raise NotSeenError("the ZAL was not given to an ordinary node")
            self._at_work = True

    def ask_with(self, certificate: str, which: str, *, deviation: str | None = None) -> Exchange:
        """The PGO gateway asks for a list with a certificate that was made for the occasion, and is presented under a name."""
        request = replace(self.node("pgo").request(which), identity=MINTED, twin=MINTED, deviation=deviation)
        return self.client.send(request, certificate=certificate)

    # --- what the vendor registers ---

    def begin(self, scenario: str, which: str, done: str) -> Registration:
        """Have a test entry registered for a scenario: added, or added to be changed or removed later. Once only."""
        if scenario not in self.registrations:
            entry = self.provider() if which == "zal" else self.participant()
            self.register("add", which, entry)
            self._keep(scenario, Registration(which=which, done=done, entry=entry, since=time.time(), complete=done == "added"))
        return self.registrations[scenario]

    def complete(self, scenario: str, moved_s: int = 0) -> Registration:
        """Have the entry of a scenario changed or removed, if it was only added so far.

        ``moved_s``: by how much the clock of Registratie was moved up to now.
        """
        kept = self.registrations[scenario]
        if kept.complete:
            kept.moved_s = moved_s
        else:
            action = {"changed": "change", "removed": "remove"}[kept.done]
            entry = self.changed(kept.entry) if action == "change" else kept.entry
            self.register(action, kept.which, entry)
            self._keep(scenario, replace(kept, entry=entry, since=time.time(), complete=True, moved_s=moved_s))
        return self.registrations[scenario]

    def complete_due(self, seconds: int) -> None:
        """Have changed or removed what was added so many seconds ago, for whatever scenario, so that the waits overlap."""
        for scenario, kept in list(self.registrations.items()):
            if not kept.complete and time.time() - kept.since >= seconds:
                self.complete(scenario)

    def forget(self, scenario: str) -> None:
        """Have the entry of a scenario removed from the register, if there is one."""
        kept = self.registrations.pop(scenario, None)
        if kept and not (kept.done == "removed" and kept.complete):
            self.register("remove", kept.which, kept.entry)

    def register(self, action: str, which: str, entry: Mapping[str, Any]) -> None:
        """Ask the vendor to register. Raises ``NotSeenError`` when a good entry is refused, ``HookError`` when nobody answers."""
        answer = self.hooks.call("registration", action=action, list=which, entry=dict(entry))
        if problem := hooks.problem("registration", answer):
            raise NotSeenError(problem)
        if answer["accepted"] is not True:
            raise NotSeenError(f"the registration ({action}, {which}) was not accepted: {answer}")

    def _keep(self, scenario: str, registration: Registration) -> None:
        """Remember a registration, in the journal too, so that a run that is broken off can be continued."""
        self.registrations[scenario] = registration
        self._evidence.write("registration", name=scenario, **asdict(registration))

    def resume(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take over what an earlier part of this run has had registered, from its journal."""
        for record in records:
            if record["type"] == "registration":
                known = {key: record[key] for key in Registration.__dataclass_fields__}
                self.registrations[record["name"]] = Registration(**known)
                self._evidence.write("registration", name=record["name"], **known)

    def provider(self) -> dict[str, Any]:
        """A care provider with one service, at the ZA gateway that the harness plays."""
        letters = "".join(self._random.choice("bcdfghjklmnpqrstvwz") for _ in range(12))
        code = next(iter(self.release.gegevensdiensten))
        return {"name": f"test{letters}@medmij", "services": [self._service(code, letters)]}

    def bad_provider(self, flaw: str) -> dict[str, Any]:
        """A care provider with one flaw. Raises ``KeyError`` for one that is not known."""
        good = self.provider()
        service = good["services"][0]
        elsewhere = {**service, **self._service(service["gegevensdienst"], "elders")}
        changes: dict[str, dict[str, Any]] = {
            "with two sources for one service": {"services": [service, elsewhere]},
            "whose name has a hyphen": {"name": f"test-{good['name'][4:]}"},
            "whose name has two letters": {"name": "ab@medmij"},
        }
        return good | changes[flaw]

    def bad_participant(self, flaw: str) -> dict[str, str]:
        """A gateway with one flaw. Raises ``KeyError`` for one that is not known."""
        good = self.participant()
        return good | {"named ZA": {"type": "DVZA"}, "nameless PGO": {"organisation": ""}}[flaw]

    def take_back(self, which: str, entry: Mapping[str, Any], heard: Exchange) -> None:
        """Have a bad entry removed that was accepted."""
        answer = heard.response.json if heard.response else None
        if isinstance(answer, dict) and answer.get("accepted") is True:
            self.register("remove", which, entry)

    def changed(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """The same entry with another address, or another name for people."""
        if "services" not in entry:
            return {**entry, "organisation": f"{entry['organisation']} Nieuw"}
        return {**entry, "services": [self._service(row["gegevensdienst"], "verhuisd") for row in entry["services"]]}

    def _service(self, code: str, path: str) -> dict[str, str]:
        host = self.node("za").hostname
        base = f"https://{host}/{path}/{code}"
        addresses = {f"{name}_endpoint": f"{base}/{name}" for name in ("authorization", "token", "resource")}
        return {"gegevensdienst": code, "systeemrol": f"XX-{code}", **addresses}

    def participant(self) -> dict[str, str]:
        """A PGO gateway."""
        letters = "".join(self._random.choice("bcdfghjklmnpqrstvwz") for _ in range(12))
        return {"hostname": f"{letters}.harness.test", "type": "DVP", "organisation": f"Testorganisatie {letters}"}


def _forged(hostname: str, folder: Path) -> Iterator[Identity]:
    """A certificate that bears the PGO's name, from nobody whom Registratie should trust."""
    certificate, key = pki.hierarchy().tsp.issue(hostname).write(folder, FORGED)
    yield Identity(name=FORGED, certificate=certificate, key=key)
