"""Which endpoints of the gateway under test are probed for their TLS, by channel, and the probes of this run: one for each."""

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from medmij_conformance.cast.dvp import DvpCast
from medmij_conformance.cast.dvza import Cast
from medmij_conformance.cast.registratie import RegistratieCast
from medmij_conformance.evidence import Exchange, Request, Response, Trouble, wall_time
from medmij_conformance.target import Target
from medmij_conformance.verdict import NotSeenError
from medmij_conformance.wire.probe import Probe

CHANNELS = ("front", "back")


def _of_dvza(target: Target) -> dict[str, list[str]]:
    back = [url for offer in target.offers for url in (offer.token_endpoint, offer.resource_endpoint)]
    return {"front": [offer.authorization_endpoint for offer in target.offers], "back": back}


def _of_dvp(target: Target) -> dict[str, list[str]]:
    """People come to a PGO; no gateway does."""
    return {"front": [target.gateway.redirect_uri] if target.gateway else [], "back": []}


def _of_registratie(target: Target) -> dict[str, list[str]]:
    urls = (target.registratie.zal_url, target.registratie.whitelist_url, target.registratie.ocl_url)
    return {"front": [], "back": [url for url in urls if url]}


ENDPOINTS: Mapping[str, Callable[[Target], dict[str, list[str]]]] = {
    "dvza": _of_dvza,
    "dvp": _of_dvp,
    "registratie": _of_registratie,
}
"""Role under test -> the addresses at which it serves each channel."""


class Prober:
    """The probes of a run. Each endpoint is probed once; its exchange is judged wherever it is asked for."""

    def __init__(self, cast: Cast | DvpCast | RegistratieCast) -> None:
        self._cast = cast
        self._done: dict[str, Exchange] = {}

    def restart(self) -> None:
        """Begin anew: nothing was probed."""
        self._done.clear()

    def channel(self, name: str) -> tuple[Exchange, ...]:
        """What the probes saw of a channel, as stored. Raises ``NotSeenError`` when the gateway serves none."""
        if not (origins := self._origins(name)):
            raise NotSeenError(f"the target file names no endpoint of the {name} channel")
        return tuple(self._probed(origin, name) for origin in origins)

    def everything(self) -> tuple[Exchange, ...]:
        """What the probes saw of every channel that the gateway serves."""
        return tuple(dict.fromkeys(exchange for name in CHANNELS if self._origins(name) for exchange in self.channel(name)))

    @property
    def shared(self) -> str:
        """The addresses that serve both channels, with spaces between; empty when there are none (AMB.59)."""
        front, back = (self._origins(name) for name in CHANNELS)
        return " ".join(f"https://{origin}" for origin in front if origin in back)

    def _origins(self, channel: str) -> list[str]:
        target = self._cast.target
        urls: Iterable[str] = ENDPOINTS[target.about.role](target)[channel]
        return list(dict.fromkeys(self._cast.client.address(url)[0] for url in urls))

    def _channels(self, origin: str) -> list[str]:
        return [name for name in CHANNELS if origin in self._origins(name)]

    def _probed(self, origin: str, channel: str) -> Exchange:
        if origin not in self._done:
            self._done[origin] = self._probe(origin, channel)
        return self._done[origin]

    def _probe(self, origin: str, channel: str) -> Exchange:
        client, evidence = self._cast.client, self._cast.client.evidence
        url = f"https://{origin}"
        probe = Probe(
            name=urlsplit(url).hostname or "",
            address=client.address(url)[1],
            credential=self._cast.target.harness.credential() if channel == "back" else None,
            pace_s=client.limits.pace_ms / 1000,
            limit_s=client.seconds_left,
        )
        started, at = evidence.now(), wall_time()
        if probe.address:
            trouble = probe.run()
        else:
            trouble = Trouble(kind="not-allowed", detail=f"{origin} is not in [connect], so it was not asked")
        probed = Exchange(
            label=f"the TLS of {origin}",
            endpoint="tls",
            request=Request(
                method="PROBE", url=url, headers=(("Channel", " ".join(self._channels(origin))),), body=probe.seen.offered()
            ),
            response=Response(status=0, body=probe.seen.answered()),
            trouble=trouble,
            address=probe.address,
            started=started,
            finished=evidence.now(),
            at=at,
        )
        return evidence.stored(evidence.append(probed))
