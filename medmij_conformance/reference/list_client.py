"""How the reference gateways keep their lists: fetched from the MedMij Stelselnode, validated, and used until a better one comes.

Each rule is a method, so that a deviation replaces one. The literals of the framework stand here once more, on purpose.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medmij_conformance import data_path
from medmij_conformance.evidence import Request
from medmij_conformance.protocol import lists
from medmij_conformance.reference.back_channel import BackChannel, NoAnswerError
from medmij_conformance.reference.peers import Peers

FETCH_EVERY_S: Mapping[str, float] = {"whitelist": 900, "ocl": 900, "zal": 43_200}  # APP.21b (AMB.63), UCI-ZAL.4
TOO_OLD_S = 3_600  # UCI-WL.2


class UnusableError(Exception):
    """A list was not got or is not valid; the message says why."""


@dataclass(slots=True)
class Held:
    """A list in use. ``fetched`` is when it was got, on the clock of the reference."""

    content: lists.AnyList
    fetched: float


class Stelselnodes(Peers):
    """Whom a gateway fetches its lists from: a node that it knows by name and certificate, and that is on no list (AMB.53)."""

    def check_listed(self, names: Collection[str]) -> None:
        """Nothing is asked of the Whitelist, which may not be there yet."""


class ListClient:
    """The lists of one gateway.

    ``wanted`` maps the short name of each list to what it must be; ``initial`` are those that the gateway was installed with.
    ``changed`` is called when another list comes into use, ``alarm`` with the name of a list that could not be.
    """

    def __init__(
        self,
        channel: BackChannel,
        addresses: Mapping[str, str],
        initial: Mapping[str, lists.AnyList],
        *,
        now: Callable[[], float],
        changed: Callable[[], None],
        alarm: Callable[[dict[str, str]], None],
        generation: str = "1.0",
    ) -> None:
        self.channel = channel
        self.peers = Stelselnodes(lambda: ())
        self.addresses = addresses
        self.held = {which: Held(content, now()) for which, content in initial.items()}
        self.now = now
        self.changed = changed
        self.alarm = alarm
        self.generation = generation
        self.every_s = FETCH_EVERY_S
        self.too_old_s: float = TOO_OLD_S

    def reload(self) -> None:
        """Fetch every list now, outside the schedule (APP.21c)."""
        for which in self.held:
            self.fetch(which)
        self.changed()

    def refresh(self) -> None:
        """Fetch what is due (APP.21b, UCI-ZAL.4)."""
        for which in self.held:
            if self.is_due(which):
                self.fetch(which)
        self.changed()

    def is_due(self, which: str) -> bool:
        """Whether a list has to be fetched again."""
        return self.now() - self.held[which].fetched >= self.every_s[which]

    def fetch(self, which: str) -> None:
        """Get a list and use it, if it is good; otherwise the last good one stays in use, and somebody is told (UCI-ZAL.3)."""
        try:
            content = self.validated(which, self.request(which))
        except UnusableError as error:
            self.tell(which, str(error))
        else:
            if self.is_wanted(which, content):
                self.held[which] = Held(content, self.now())

    def is_wanted(self, _which: str, _content: lists.AnyList) -> bool:
        """What the Stelselnode publishes is used, be it newer or older: a list can be rolled back (APP.21c, AMB.47)."""
        return True

    def request(self, which: str) -> bytes:
        """Ask the Stelselnode over mutual TLS (UCI-ZAL.1, UCI-WL.1). Raises ``UnusableError``."""
        request = Request(method="GET", url=self.addresses[which], headers=(("Accept", "application/xml"),))
        try:
            answer = self.channel.send(request, self.peers)
        except NoAnswerError as error:
            raise UnusableError(str(error)) from error
        if answer.status != 200:
            raise UnusableError(f"status {answer.status}")
        return answer.body

    def validated(self, which: str, body: bytes) -> lists.AnyList:
        """The list, if it fits its schema and the rules beyond it (APP.19, APP.22). Raises ``UnusableError``."""
        kind = type(self.held[which].content)
        self.check_schema(kind, body)
        try:
            content = lists.parse(body)
        except lists.ListError as error:
            raise UnusableError(str(error)) from error
        if not isinstance(content, kind):
            raise UnusableError("another list")
        self.check_rules(content)
        return content

    def check_schema(self, kind: type[lists.AnyList], body: bytes) -> None:
        """Whether a document fits the schema of its list. Raises ``UnusableError``."""
        schema = data_path("fixtures") / "schemas" / "lists" / self.generation / f"{lists.KINDS[kind]}.xsd"
        if problems := lists.validate(body, schema):
            raise UnusableError(problems[0])

    def check_rules(self, content: lists.AnyList) -> None:
        """What a schema cannot say: at most one source for a care provider and a service (P&I.11). Raises ``UnusableError``."""
        if isinstance(content, lists.Zal):
            pairs = [(provider.name, service.gegevensdienst) for provider in content.providers for service in provider.services]
            if len(set(pairs)) < len(pairs):
                raise UnusableError("a care provider has two sources for one service")

    def tell(self, which: str, why: str) -> None:
        """An alarm, in the log (UCI-ZAL.3, APP.19, APP.22)."""
        self.alarm({"event": "alarm", "list": which, "time": datetime.now(UTC).isoformat(timespec="seconds"), "reason": why[:200]})

    def nodes(self) -> Sequence[str] | None:
        """The hosts that take part; None when the Whitelist is too old, which counts as none (UCI-WL.2)."""
        held = self.held["whitelist"]
        if not isinstance(held.content, lists.Whitelist) or self.is_too_old(held):
            return None
        return [node.hostname for node in held.content.nodes]

    def is_too_old(self, held: Held) -> bool:
        """Whether so much time has passed that nobody knows who takes part."""
        return self.now() - held.fetched > self.too_old_s


def list_client(
    settings: Mapping[str, Any],
    folder: Path,
    *,
    kinds: Mapping[str, type[lists.AnyList]],
    now: Callable[[], float],
    changed: Callable[[], None],
    alarm: Callable[[dict[str, str]], None],
) -> ListClient:
    """The lists of a gateway as its settings say: the files that it was installed with, and where the Stelselnode is."""
    initial = {which: lists.parse((folder / settings[which]).read_bytes()) for which in kinds}
    for which, kind in kinds.items():
        if not isinstance(initial[which], kind):
            raise TypeError(f"the settings name a {which} that is another list")
    where = settings["stelselnode"]
    certificate, key = folder / settings["certificate"], folder / settings["key"]
    channel = BackChannel(certificate, key, folder / where["ca"], where["connect"])
    addresses = {which: f"{where['url']}/{which}" for which in kinds}
    return ListClient(channel, addresses, initial, now=now, changed=changed, alarm=alarm, generation=where.get("generation", "1.0"))
