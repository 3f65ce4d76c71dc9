"""What stands before a gateway, such as a load balancer: now and then it answers by itself, or loses a request. Off by default."""

import random
import threading
from collections.abc import Callable, Sequence

from medmij_conformance.evidence import Request, Response
from medmij_conformance.wire.server import HANG_UP, Peer

Handler = Callable[[Request, Peer], Response]


class Balancer:
    """The one balancer before all listeners of a reference. Thread-safe."""

    def __init__(self) -> None:
        self._draws = random.Random(0)  # noqa: S311 chance, and no secret
        self._share = 0.0
        self._statuses: Sequence[int] = ()
        self._lock = threading.Lock()

    def misbehave(self, statuses: Sequence[int], share: float, seed: int) -> None:
        """From now on ``share`` of all requests (0 to 1) do not reach the gateway, but get one of these statuses.

        Status 0 cuts the connection. The same ``seed`` chooses the same requests, as long as they come in the same order.
        """
        with self._lock:
            self._draws, self._share, self._statuses = random.Random(seed), share, statuses  # noqa: S311 as above

    def before(self, gateway: Handler) -> Handler:
        """The handler of a listener behind this balancer."""

        def handle(request: Request, peer: Peer) -> Response:
            with self._lock:
                status = self._draws.choice(self._statuses) if self._draws.random() < self._share else None
            if status is None:
                return gateway(request, peer)
            if status == HANG_UP:
                return Response(status=HANG_UP)
            return Response(status=status, headers=(("Content-Type", "text/html"),), body=b"<title>Busy</title><h1>Busy</h1>")

        return handle
