"""Sites of every make on the loopback interface, for the browsers of the harness."""

from collections.abc import Callable
from urllib.parse import urlsplit

from loopback import HOST

from medmij_conformance.evidence import Request, Response
from medmij_conformance.protocol import oauth
from medmij_conformance.wire.server import Peer

LOGIN = "login.harness.test"

Answer = Response | Callable[[Request], Response]


def page(body: str, *headers: tuple[str, str], status: int = 200) -> Response:
    return Response(status=status, headers=(("Content-Type", "text/html"), *headers), body=body.encode())


def to(location: str, *headers: tuple[str, str], status: int = 302) -> Response:
    return Response(status=status, headers=(("Location", location), *headers))


class Site:
    """A gateway made of pages by path, on two hosts, and everything it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.pages: dict[str, Answer] = {}
        self.seen: list[Request] = []

    def __call__(self, request: Request, _: Peer) -> Response:
        self.seen.append(request)
        answer = self.pages.get(urlsplit(request.url).path, page("<title>Nothing here</title>", status=404))
        return answer(request) if callable(answer) else answer

    @property
    def asked(self) -> list[str]:
        """Method and target of every request."""
        return [f"{request.method} {request.url.removeprefix(f'https://{HOST}')}" for request in self.seen]

    @property
    def cookies(self) -> list[str]:
        """The Cookie header of every request."""
        return [header_of(request, "cookie") for request in self.seen]

    @property
    def jars(self) -> list[list[str]]:
        """The cookies of every request, sorted."""
        return [sorted(filter(None, cookie.split("; "))) for cookie in self.cookies]

    @property
    def form(self) -> list[tuple[str, str]]:
        """The pairs of the last request that was posted."""
        return oauth.decode(self.seen[-1].text)


def header_of(request: Request, name: str) -> str:
    return next((value for key, value in request.headers if key.lower() == name), "")
