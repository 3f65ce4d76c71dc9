"""What the processes of all references have in common: another one in its place, deviating or doing nothing, and fresh lists."""

import time
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from medmij_conformance.reference.balancer import Balancer
from medmij_conformance.reference.clock import LifetimeClock
from medmij_conformance.reference.deviation import Deviations


class Switching(ABC):
    """One reference at a time, made anew for each set of ``deviations``."""

    deviations: ClassVar[Deviations]

    def __init__(self) -> None:
        self.balancer = Balancer()

    @abstractmethod
    def _conformant(self) -> Any:
        """A reference that keeps every rule."""

    @abstractmethod
    def _nullify(self, reference: Any, name: str) -> None:
        """Make a reference give the same answer to everything. Raises ``KeyError`` for an unknown name."""

    @abstractmethod
    def _put(self, reference: Any) -> None:
        """From now on this one answers."""

    def deviate(self, names: list[str]) -> list[str]:
        """A fresh reference with these deviations. Raises ``ValueError`` for an unknown name."""
        unknown = [name for name in names if name not in self.deviations.by_name]
        if unknown:
            raise ValueError(f"no deviation {', '.join(unknown)}; expected one of {', '.join(self.deviations.by_name)}")
        reference = self._conformant()
        for name in names:
            self.deviations.by_name[name].apply(reference)
        self._put(reference)
        return names

    def nullify(self, name: str) -> str:
        """A reference that gives the same answer to everything. Raises ``KeyError`` for an unknown name."""
        reference = self._conformant()
        self._nullify(reference, name)
        self._put(reference)
        return name


class FetchingLists(Switching):
    """A ``gateway`` that fetches the lists of MedMij Registratie, by the clock and by hand."""

    gateway: Any
    _clock: LifetimeClock

    def _keep_fresh(self) -> None:
        while True:
            time.sleep(1)
            self.gateway.lists.refresh()

    def _forward(self, seconds: float) -> None:
        self._clock.forward(seconds)
        self.gateway.lists.refresh()

    def _reload(self) -> None:
        self.gateway.lists.reload()
