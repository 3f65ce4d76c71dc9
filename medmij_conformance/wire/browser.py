"""The person's browser when pages work by script: Chromium shows the pages, the harness's own ``Client`` is their wire.

Every request of a tab is held by the ``Fetch`` domain of the DevTools protocol, redirected ones too (routes of Playwright do
not see those), sent by ``Client.send`` and answered with what came back. So an exchange is recorded, redacted, limited and
kept inside ``[connect]`` as with the ``html`` engine; Chromium itself has no network: its names resolve to nothing and its
proxy is a closed port. Cookies are Chromium's own, as it would send them.

What the person sees is the document after its scripts ran. It is appended to the journal as an exchange of endpoint ``shown``:
address and headers of the document that the page grew from, without cookies, and the rendered markup as its body. A page that
sends the browser away by script, where no answer of the gateway says so, gets an exchange of endpoint ``leaving``: a request
that was never sent. What an attacker changes is the request that the page really made: it is held back, changed and released,
so that the page goes on with the true answer.
"""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from medmij_conformance.evidence import Exchange, Headers, Request, Response, Trouble, header, wall_time
from medmij_conformance.protocol import oauth
from medmij_conformance.protocol.html import Page, PageError, Submission
from medmij_conformance.wire.client import Client
from medmij_conformance.wire.user_agent import Action, UserAgent, Visit, filled, request_of

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, CDPSession, Dialog, Locator, Playwright
    from playwright.async_api import Page as Window

T = TypeVar("T")

_LAUNCH_S = 90.0  # a cold start on a busy machine; a warm one takes less than a second
_HOUSEKEEPING_S = 20.0  # opening and closing windows
_PRESS_S = 5.0  # a control that cannot be used by then is hidden, disabled or covered
_POLL_S = 0.05
_STEADY_S = 0.15  # a page that the recipe knows has stood still for so long
_QUIET_S = 1.0  # any other page has stood still for so long
_RESTLESS_S = 5.0  # a page that moves all the time, but asks for nothing any more, is taken as it is
_WINDOWS = 6  # browsers of persons that are kept open; an older one is not needed any more
_REQUESTS = 300  # of one visit; a page that asks for more asks for ever
# The first one has no windows to draw, and takes a quarter of the time for a browser of a new person.
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--disable-site-isolation-trials",  # frames stay in the process, and so under the eyes, of their page
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
_REDIRECTS = {301, 302, 303, 307, 308}
_GIVES_UP_AFTER = 20  # redirects Chromium asks for no more
_SCRIPTED = {"XHR", "Fetch"}
_HOP_BY_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding"}
_NOT_PASSED_ON = {"accept-encoding"}  # the wire asks for no coding, so that evidence can be read
_FAILURES = {"timeout": "TimedOut", "connect": "ConnectionRefused", "not-allowed": "BlockedByClient"}
_ICON = "/favicon.ico"  # nobody sees it here
_LONG = 16  # a shorter value in what a script sends is no secret of its page


class BrowserError(Exception):
    """There is no browser to be had; the message says what is missing and how to get it."""


class _LostError(Exception):
    """The browser or one of its pages went down or does not answer."""


def executable() -> str:
    """Where Chromium is: what ``MEDMIJ_CHROMIUM`` names, or one of ``NAMES`` on the path. Raises ``BrowserError`` without one."""
    chosen = os.environ.get("MEDMIJ_CHROMIUM")
    found = next(filter(None, map(shutil.which, [chosen] if chosen else NAMES)), None)
    if found is None:
        missing = f"MEDMIJ_CHROMIUM names no program ({chosen})" if chosen else "there is no Chromium"
        raise BrowserError(f"{missing}; install one, on Debian and Ubuntu: apt-get install chromium")
    return found


class Chromium:
    """One Chromium for a run, in a thread of its own with an event loop, so that Ctrl-C reaches nobody in the middle of something.

    Raises ``BrowserError`` when it cannot be started. ``close`` ends it; a browser that crashed is started again when it is needed.
    """

    def __init__(self) -> None:
        self._path = executable()
        try:
            import playwright.async_api  # noqa: F401
        except ImportError as error:
            raise BrowserError("Playwright is not installed; install it: pip install 'medmij-conformance[browser]'") from error
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._windows: dict[object, _Windows] = {}
        self._tabs: dict[int, _Tab] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chromium", daemon=True)
        self._thread.start()
        try:
            self.do(self._launch(), _LAUNCH_S)
        except Exception as error:
            self.close()
            raise BrowserError(f"{self._path} did not start: {_first_line(error)}") from error

    def user_agent(self, **facts: Any) -> "ChromiumUserAgent":
        """A browser with cookies of its own; ``facts`` are those of ``UserAgent``."""
        return ChromiumUserAgent(chromium=self, **facts)

    def do(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Let the loop do something. Raises ``_LostError`` when it takes longer than ``seconds``."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(seconds)
        except TimeoutError as error:
            future.cancel()
            raise _LostError(f"the browser did not answer within {seconds:g} s") from error

    def close(self) -> None:
        """End Chromium and the thread. May be called again."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(Exception):
            self.do(self._end(), _HOUSEKEEPING_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_HOUSEKEEPING_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _launch(self) -> "Browser":
        from playwright.async_api import async_playwright

        if self._playwright:  # its other half may have gone down with the browser
            _in_background(self._playwright.stop())
        self._playwright = await async_playwright().start()
        sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # Chromium has no sandbox for root
        self._browser = await self._playwright.chromium.launch(
            executable_path=self._path,
            args=[*_ARGUMENTS, *sandbox],
            chromium_sandbox=not sandbox,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            timeout=_LAUNCH_S * 1000,
        )
        return self._browser

    async def _end(self) -> None:
        for tab in self._tabs.values():
            await tab.let_go()
        if self._browser:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._browser.close(), _HOUSEKEEPING_S / 2)
        if self._playwright:
            await self._playwright.stop()
        if others := [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]:
            for task in others:
                task.cancel()
            await asyncio.wait(others, timeout=_HOUSEKEEPING_S / 4)

    async def windows(self, owner: object) -> "_Windows":
        """The windows of one person's browser, with cookies of their own; made when they are asked for first."""
        if self._browser is None or not self._browser.is_connected():
            self._windows.clear()
            self._browser = await self._launch()
        if owner not in self._windows:
            context = await self._browser.new_context(service_workers="block", accept_downloads=False)
            self._windows[owner] = _Windows(context)
            while len(self._windows) > _WINDOWS:
                oldest = next(iter(self._windows))
                await self._windows.pop(oldest).close()
        return self._windows[owner]

    def remember(self, visit: Visit, tab: "_Tab") -> Visit:
        """Note which tab shows what a visit ended with."""
        self._tabs[visit.last.number] = tab
        return visit

    def tab_of(self, visit: Visit) -> "_Tab | None":
        """The tab in which a visit ended, if it is still open."""
        tab = self._tabs.get(visit.last.number)
        return tab if tab and not tab.window.is_closed() else None


class _Windows:
    """One person's browser: a context with its own cookies. Windows that pages open are closed at once."""

    def __init__(self, context: "BrowserContext") -> None:
        self.context = context
        self._own: set[Window] = set()
        self._opening = False
        self.popups = 0
        context.on("page", self._appeared)

    async def new(self) -> "Window":
        """A tab of ours."""
        self._opening = True
        try:
            window = await self.context.new_page()
        finally:
            self._opening = False
        self._own.add(window)
        return window

    async def _appeared(self, window: "Window") -> None:
        if self._opening or window in self._own:
            return
        self.popups += 1
        with contextlib.suppress(Exception):
            await window.close()

    async def close(self) -> None:
        """Close them all, with their cookies."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.context.close(), _HOUSEKEEPING_S / 2)


@dataclass(slots=True)
class _Errand:
    """What one visit is about, and what came of it so far.

    ``first`` takes the place of the first request, or of the one with the id ``of``; ``cookies`` (when not None) of those that
    the browser has. ``late`` are the ids of requests that are left from before. ``halt`` is where the browser was stopped: what,
    where to, by which request, and whether an answer of the gateway said so.
    """

    agent: "ChromiumUserAgent"
    label: str
    endpoint: str = "page"
    deviation: str | None = None
    first: Request | None = None
    of: str = ""
    cookies: str | None = None
    late: frozenset[str] = frozenset()
    exchanges: list[Exchange] = field(default_factory=list)
    document: Exchange | None = None
    documents: int = 0
    requests: int = 0
    halt: tuple[str, str, Request, bool] | None = None

    def is_first(self, event: Mapping[str, Any], *, is_act: bool) -> bool:
        """Whether this is the request that the visit began with."""
        number = event["requestId"]
        return bool(self.label) and (number == self.of if self.of else is_act and number not in self.late)

    def exchange(self, request: Request, *, label: str, endpoint: str) -> Exchange:
        agent = self.agent
        return Exchange(
            label=label,
            endpoint=endpoint,
            request=request,
            identity=agent.identity,
            twin=agent.twin,
            deviation=self.deviation,
            flow=agent.flow,
        )


@dataclass(slots=True)
class _Held:
    """A request that a page made and that has not been sent: what an attacker would take and change."""

    event: Mapping[str, Any]
    request: Request
    submission: Submission


class _Tab:
    """One tab: asks by the wire, waits until the page stands still, and says what it shows. Lives on the loop of ``Chromium``."""

    def __init__(self, client: Client, windows: _Windows, window: "Window", session: "CDPSession") -> None:
        self.client = client
        self.windows = windows
        self.window = window
        self._session = session
        self._frame = ""
        self._loader = ""  # of the document that was asked for last
        self._base: Exchange | None = None  # the document that the page grew from
        self._errand: _Errand | None = None
        self._in_flight = 0
        self._world: int | None = None  # of scripts of ours, which the page cannot see or change
        self._loading = False
        self._unreachable = ""
        self._arrived: set[str] = set()  # loaders whose document has come with all that belongs to it
        self._failed: set[str] = set()  # loaders whose answer is shown as no page: a download, no content, a failure
        self._active = 0.0
        self._crashed = False
        self._unasked: set[tuple[str, str]] = set()  # where the page sends something without a press
        self._waiting: list[Mapping[str, Any]] = []  # what the page asks between two visits waits for the next one
        self._tasks: set[asyncio.Task[None]] = set()
        self._holding = False
        self.held: _Held | None = None
        self.held_for: tuple[int, str] | None = None

    @classmethod
    async def open(cls, client: Client, windows: _Windows) -> "_Tab":
        """A new tab, empty, under control from its first request on."""
        window = await windows.new()
        session = await windows.context.new_cdp_session(window)
        tab = cls(client, windows, window, session)
        await tab._listen()
        return tab

    async def _listen(self) -> None:
        self.window.on("dialog", _accept)
        self.window.on("crash", lambda _: self._crash())
        self.window.on("close", lambda _: self._crash())
        on: Callable[..., Any] = self._session.on
        on("Fetch.requestPaused", self._paused)
        on("Page.lifecycleEvent", self._lives)
        on("Network.loadingFailed", lambda event: self._failed.add(event["requestId"]))
        on("Page.frameStartedLoading", lambda event: self._loads(event, loading=True))
        on("Page.frameStoppedLoading", lambda event: self._loads(event, loading=False))
        await self._send("Page.enable")
        self._frame = (await self._send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        await self._send("Page.setLifecycleEventsEnabled", enabled=True)
        await self._send("Network.enable", maxTotalBufferSize=0, maxResourceBufferSize=0)
        await self._send("Network.setCacheDisabled", cacheDisabled=True)
        await self._send("Fetch.enable", patterns=[{"urlPattern": "*"}])

    # --- what a person does ---

    async def visit(self, errand: _Errand, move: Callable[[], Awaitable[None]], known: Sequence[str]) -> Visit:
        """Make a move, such as pressing a button, and wait where it leads."""
        await self.let_go()
        shown = "" if errand.first else await self._markup()
        return await self._follow(errand, move, known, shown)

    async def go(self, url: str) -> None:
        """Ask for an address."""
        self._loading = True
        self._unreachable = ""

        def navigated(done: "asyncio.Future[Any]") -> None:
            error = None if done.cancelled() else done.exception()
            if error:
                self._unreachable = _first_line(error)
            if error or done.cancelled() or done.result().get("errorText"):
                self._loading = False

        asyncio.ensure_future(self._send("Page.navigate", url=url)).add_done_callback(navigated)
        await asyncio.sleep(0)

    async def press(self, action: Action, fields: Mapping[str, Any]) -> None:
        """Fill in the page and press its control. Raises ``PageError`` when something is not there or cannot be used."""
        control = await self._find(action.press or action.page)
        form = control.locator("xpath=ancestor-or-self::form")
        inside = form.first if await self._count(form) else self.window.locator("html")
        for name, value in action.fill.items():
            own = inside.locator(f"css=[name={json.dumps(name)}]")
            place = own.first if await self._count(own) else await self._find(name)
            await self._use(name, place, "fill", filled(value, fields))
        for name in action.check:
            await self._use(name, await self._find(name), "check")
        for name, value in action.select.items():
            await self._use(name, await self._find(name), "choose", value)
        await self._use(action.press or action.page, control, "press")

    async def prepare(self, errand: _Errand, action: Action, fields: Mapping[str, Any]) -> Submission | None:
        """Press a control, hold back the request that this makes the page send, and say what it is; None when there is none."""
        if not await self._shows(action.page):
            return None
        self._begin(errand)
        self._holding = True
        try:
            await self.press(action, fields)
            until = time.monotonic() + _PRESS_S
            while self.held is None and time.monotonic() < until and not errand.halt and not self._crashed:
                await asyncio.sleep(_POLL_S)
        finally:
            self._holding, self._errand = False, None
        return self.held.submission if self.held else None

    async def release(self, errand: _Errand, submission: Submission, known: Sequence[str]) -> Visit:
        """Send what was held back, changed into ``submission``, and give the answer to the page that made it."""
        held, self.held, self.held_for = self.held, None, None
        if held is None:
            raise _LostError("the page does not hold a request any more")
        errand.first, errand.of = _changed(held.request, submission), held.event["requestId"]
        shown = await self._markup() if held.event["resourceType"] in _SCRIPTED else ""

        async def move() -> None:
            self._paused(held.event)

        return await self._follow(errand, move, known, shown)

    async def let_go(self) -> None:
        """Give up a request that was held back."""
        held, self.held, self.held_for = self.held, None, None
        if held:
            with contextlib.suppress(Exception):
                await self._refuse(held.event, "Aborted")
                await asyncio.sleep(_POLL_S)

    async def cookies(self, url: str) -> str:
        """The Cookie header that the browser would send to an address; empty without cookies."""
        jar: list[Any] = list(await self.windows.context.cookies(url))
        return "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in jar)

    async def _find(self, selector: str) -> "Locator":
        found = self.window.locator(f"css={selector}")
        try:
            count = await self._count(found)
        except _LostError:
            raise
        except Exception as error:
            raise PageError(f"{selector!r} is not a CSS selector ({_first_line(error)})") from error
        if not count:
            raise PageError(f"nothing on the page matches {selector!r}")
        return found.first

    async def _count(self, found: "Locator") -> int:
        try:
            return await asyncio.wait_for(found.count(), self.client.limits.exchange_s)
        except TimeoutError as error:
            raise _LostError(f"the page was too busy to answer for {self.client.limits.exchange_s:g} s") from error

    async def _use(self, selector: str, place: "Locator", how: str, value: str = "") -> None:
        limit = _PRESS_S * 1000
        try:
            kind = await place.evaluate("element => element.localName", timeout=limit)
            if how == "fill" and kind != "select":
                await place.fill(value, timeout=limit)
            elif how in {"fill", "choose"}:
                await place.select_option(value, timeout=limit)
            elif how == "check":
                await place.check(timeout=limit)
            elif kind == "form":
                await place.evaluate("form => form.requestSubmit()", timeout=limit)
            else:
                await place.click(timeout=limit, no_wait_after=True)
        except Exception as error:
            if self._errand and self._errand.halt:  # it led away while we were looking
                return
            raise PageError(f"{selector!r} cannot be used by a person: {_first_line(error)}") from error

    # --- waiting ---

    async def _follow(self, errand: _Errand, move: Callable[[], Awaitable[None]], known: Sequence[str], shown: str) -> Visit:
        popups = self.windows.popups
        self._begin(errand)
        try:
            await move()
            markup = await self._settle(errand, known, shown)
        except _LostError as error:
            return self._lost(errand, str(error))
        finally:
            self._errand = None
        if errand.halt is None and not errand.documents and markup == shown and self.windows.popups > popups:
            raise PageError("it opens a window of its own, which is not followed")
        return await self._ended(errand, markup)

    def _begin(self, errand: _Errand) -> None:
        """From here on what the page asks is asked, first what it has been waiting for."""
        waiting, self._waiting = self._waiting, []
        errand.late = frozenset(event["requestId"] for event in waiting)
        self._errand, self._active = errand, time.monotonic()
        for event in waiting:
            self._paused(event)

    async def _settle(self, errand: _Errand, known: Sequence[str], before: str) -> str:
        """Wait until the page stands still; gives its markup. Raises ``_LostError`` when it never does."""
        limit = 3 * self.client.limits.exchange_s
        markup, since = before, time.monotonic()
        until = since + limit
        while not errand.halt:
            if self._unreachable:
                raise _LostError(self._unreachable)
            await asyncio.sleep(_POLL_S)
            if errand.halt or (errand.document and errand.document.trouble):
                break
            if self._is_busy(errand):
                if time.monotonic() > until:
                    raise _LostError(f"the page is still loading after {limit:g} s")
                since = time.monotonic()
                continue
            now = await self._markup()
            if now != markup:
                markup, since = now, time.monotonic()
            changed = bool(errand.documents) or now != before
            if now and (time.monotonic() > until or self._stands_still(now, since, known, changed=changed)):
                return now
            if time.monotonic() > until:
                raise _LostError(f"there is no page after {limit:g} s")
        return markup

    def _is_busy(self, errand: _Errand) -> bool:
        """Whether something was asked for that has not come, or is not shown yet."""
        on_its_way = errand.documents and self._loader not in self._arrived | self._failed
        return bool(self._loading or self._in_flight or on_its_way)

    def _stands_still(self, markup: str, since: float, known: Sequence[str], *, changed: bool) -> bool:
        """Whether a person would take the page as it is. ``since`` it has this markup; ``changed``: it is another than before."""
        page = Page(markup.encode(), self.window.url)
        if page.refreshes_soon:
            return False
        still = time.monotonic() - max(since, self._active)
        if changed and (not page.has_script or (still >= _STEADY_S and any(_matches(page, selector) for selector in known))):
            return True
        return still >= _QUIET_S or time.monotonic() - self._active >= _RESTLESS_S

    async def _markup(self) -> str:
        """The document as it is now, as markup; empty while it changes. Raises ``_LostError`` when it is too large or too busy."""
        most = self.client.limits.body_bytes
        for _ in range(2):
            try:
                if self._world is None:
                    world = await self._send("Page.createIsolatedWorld", frameId=self._frame, worldName="medmij-conformance")
                    self._world = world["executionContextId"]
                expression = f"({_MARKUP})({most})"
                said = await self._send("Runtime.evaluate", contextId=self._world, expression=expression, returnByValue=True)
                text = said["result"].get("value")
            except _LostError:
                raise
            except Exception:  # noqa: BLE001 the document made way for another, and our world went with it
                self._world = None
            else:
                if not isinstance(text, str):
                    raise _LostError(f"the page grew larger than {most} characters")
                return text
        return ""

    async def _shows(self, selector: str) -> bool:
        """Whether the tab shows a page again, going back one step if need be."""
        for _ in range(2):
            if _matches(Page((await self._markup()).encode(), self.window.url), selector):
                return True
            with contextlib.suppress(Exception):
                await self.window.go_back(timeout=_PRESS_S * 1000)
        return False

    # --- what came of it ---

    async def _ended(self, errand: _Errand, markup: str) -> Visit:
        if errand.halt:
            return self._halted(errand, *errand.halt)
        document = errand.document
        if document and document.trouble:
            detail = f"{document.trouble.kind}: {document.trouble.detail}"
            return Visit("trouble", detail, _ending(errand.exchanges, document))
        tree = (await self._send("Page.getFrameTree"))["frameTree"]["frame"]
        arrived = tree["loaderId"] == self._loader and not tree.get("unreachableUrl")
        if document and not arrived:
            return self._not_shown(errand, document)
        if document:
            self._base = document
        base = self._base
        if base is None or base.response is None:
            return self._lost(errand, "the browser shows no page of the gateway")
        if "html" not in (base.response.media_type or "html"):
            return Visit("page", "", _ending(errand.exchanges, base))
        url = tree["url"] + tree.get("urlFragment", "")
        kept = tuple(pair for pair in base.response.headers if pair[0].lower() != "set-cookie")
        shown = self._note(
            errand.exchange(Request(method=base.request.method, url=url), label="the page as shown", endpoint="shown"),
            response=Response(status=base.response.status, reason=base.response.reason, headers=kept, body=markup.encode()),
        )
        return Visit("page", Page(markup.encode(), url).title, _ending(errand.exchanges, shown))

    def _not_shown(self, errand: _Errand, document: Exchange) -> Visit:
        """An answer that Chromium makes no page of: a download, no content, an empty error, a redirect it does not follow."""
        exchanges, answer = _ending(errand.exchanges, document), document.response
        where = answer.header("location") if answer and answer.status in _REDIRECTS else None
        if where is None:
            return Visit("page", "", exchanges)
        if errand.documents > errand.agent.redirects or errand.documents >= _GIVES_UP_AFTER:
            return Visit("redirects", f"more than {min(errand.agent.redirects, _GIVES_UP_AFTER)} redirects", exchanges)
        return Visit("unknown host", where, exchanges, where)

    def _halted(self, errand: _Errand, why: str, where: str, request: Request, redirected: bool) -> Visit:
        document = errand.document
        if why == "redirects":
            detail = f"more than {errand.agent.redirects} redirects"
            answer = document.response if document else None
            if document is None or answer is None or answer.status not in _REDIRECTS:
                return replace(self._lost(errand, detail), stopped="redirects", detail=detail)
            return Visit("redirects", detail, _ending(errand.exchanges, document))
        if not redirected or document is None:
            label = "a script sends the browser on (not asked for)"
            document = self._note(errand.exchange(request, label=label, endpoint="leaving"))
        return Visit(why, "" if why == "at the client" else where, _ending(errand.exchanges, document), where)

    def _lost(self, errand: _Errand, detail: str) -> Visit:
        """A page that went down or never came to rest; its tab is closed, lest it keep the machine busy."""
        self._crashed = True
        _in_background(self.window.close())
        request = errand.first or (self._base.request if self._base else Request(method="GET", url="about:blank"))
        trouble = Trouble(kind="browser", detail=detail)
        last = self._note(errand.exchange(request, label="the page as shown", endpoint="shown"), trouble=trouble)
        return Visit("trouble", f"browser: {detail}", _ending(errand.exchanges, last))

    def _note(self, exchange: Exchange, **facts: Any) -> Exchange:
        now = self.client.evidence.now()
        return self.client.evidence.append(replace(exchange, started=now, finished=now, at=wall_time(), **facts))

    # --- the wire ---

    def _paused(self, event: Mapping[str, Any]) -> None:
        task = asyncio.ensure_future(self._answer(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, event: Mapping[str, Any]) -> None:
        self._in_flight += 1
        try:
            await self._decide(event)
        except Exception:  # noqa: BLE001 a tab that went away has nobody left to answer to; the visit finds out by itself
            with contextlib.suppress(Exception):
                await self._refuse(event, "Failed")
        finally:
            self._in_flight -= 1
            self._active = time.monotonic()

    async def _decide(self, event: Mapping[str, Any]) -> None:
        request, errand, kind = _request(event), self._errand, event["resourceType"]
        is_document = kind == "Document" and event["frameId"] == self._frame
        if errand is None:
            self._waiting.append(event)
            return
        if errand.halt or request.url.startswith("about:") or urlsplit(request.url).path == _ICON:
            await self._refuse(event, "Aborted")
            return
        errand.requests += 1
        if is_document:
            redirected = bool(event.get("redirectedRequestId"))
            if halt := self._halt(errand, request):
                errand.halt = (halt, request.url, request, redirected)
                await self._refuse(event, "Aborted")
                return
        elif not self.client.reaches(request.url):
            refused = errand.exchange(request, label="loaded by the page, and refused", endpoint="other")
            await asyncio.to_thread(self.client.send, refused)
            await self._refuse(event, "BlockedByClient")
            return
        if errand.requests > _REQUESTS:
            await self._refuse(event, "BlockedByClient")
            return
        if self._holding and self.held is None and self._is_answer(event, errand, request, is_document=is_document):
            self.held = _Held(event, request, _submission(request, errand.agent.fields))
            return
        await self._ask(event, errand, request, kind, is_document=is_document)

    def _is_answer(self, event: Mapping[str, Any], errand: _Errand, request: Request, *, is_document: bool) -> bool:
        """Whether a request is what pressing a control sends, and not what the page sends by itself from time to time."""
        if is_document:
            return True
        scripted = event["resourceType"] in _SCRIPTED and request.method not in _SAFE
        return scripted and event["requestId"] not in errand.late and _place(request) not in self._unasked

    def _halt(self, errand: _Errand, request: Request) -> str:
        """Why a document is not asked for; empty when it is."""
        if any(oauth.leads_to(request.url, uri) for uri in errand.agent.redirect_uris):
            return "at the client"
        if errand.documents > errand.agent.redirects:
            return "redirects"
        first = errand.first and not errand.documents  # the wire says itself that it does not ask this
        return "" if first or self.client.reaches(request.url) else "unknown host"

    async def _ask(self, event: Mapping[str, Any], errand: _Errand, request: Request, kind: str, *, is_document: bool) -> None:
        is_act = is_document or kind in _SCRIPTED
        label, endpoint = ("redirect followed", "page") if is_document else (f"loaded by the page ({kind.lower()})", "other")
        first = errand.is_first(event, is_act=is_act)
        if not first:
            self._unasked.add(_place(request))
        if first:
            label, endpoint, errand.label = errand.label, errand.endpoint if is_document else "other", ""
            request = _instead(request, errand.first) if errand.first else request
        if errand.cookies is not None:
            others = tuple(pair for pair in request.headers if pair[0].lower() != "cookie")
            request = replace(request, headers=(*others, *((("Cookie", errand.cookies),) if errand.cookies else ())))
        if is_document:
            errand.documents += 1
            self._loader = event["networkId"]
        sent = errand.exchange(request, label=label, endpoint=endpoint)
        exchange = await asyncio.to_thread(self.client.send, sent, kept=errand.agent.connections)
        if is_document:
            errand.document = exchange
        if is_act or (exchange.status is not None and exchange.status < 400 and not exchange.trouble):
            errand.exchanges.append(exchange)
        if exchange.trouble or exchange.response is None:
            await self._refuse(event, _FAILURES.get(exchange.trouble.kind if exchange.trouble else "", "Failed"))
            return
        lines = [f"{name}: {value}" for name, value in exchange.response.headers if name.lower() not in _HOP_BY_HOP]
        await self._send(
            "Fetch.fulfillRequest",
            requestId=event["requestId"],
            responseCode=exchange.response.status,
            binaryResponseHeaders=base64.b64encode("\0".join(lines).encode("latin-1")).decode(),
            body=base64.b64encode(exchange.response.body).decode(),
        )

    async def _refuse(self, event: Mapping[str, Any], reason: str) -> None:
        await self._send("Fetch.failRequest", requestId=event["requestId"], errorReason=reason)

    def _lives(self, event: Mapping[str, Any]) -> None:
        if event["name"] == "load":
            self._arrived.add(event["loaderId"])

    def _loads(self, event: Mapping[str, Any], *, loading: bool) -> None:
        if event["frameId"] == self._frame:
            self._loading = loading
            self._active = time.monotonic()

    def _crash(self) -> None:
        self._crashed = True

    async def _send(self, method: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol. Raises ``_LostError`` when the page is gone or too busy to answer."""
        if self._crashed:
            raise _LostError("the page of the browser crashed or was closed")
        limit = self.client.limits.exchange_s
        command = asyncio.ensure_future(self._session.send(method, parameters))
        command.add_done_callback(_heard)
        until = time.monotonic() + limit
        while not (await asyncio.wait({command}, timeout=0.5))[0]:
            if self._crashed:
                raise _LostError("the page of the browser crashed or was closed")
            if time.monotonic() > until:
                raise _LostError(f"the page was too busy to answer for {limit:g} s")
        return command.result()


_MARKUP = """most => {
  const root = document.documentElement, kind = document.doctype ? "<!DOCTYPE html>" : "";
  const text = root ? kind + root.outerHTML : "";
  return text.length > most ? null : text;
}"""
_SAFE = {"GET", "HEAD", "OPTIONS"}


@dataclass(slots=True)
class ChromiumUserAgent(UserAgent):
    """One person's browser in Chromium: a context with its own cookies, and a tab for each address that is opened."""

    chromium: Chromium = field(kw_only=True)
    owner: object = field(default_factory=object)

    def open(self, request: Request, *, label: str, endpoint: str = "page", deviation: str | None = None) -> Visit:
        errand = _Errand(self, label, endpoint, deviation, first=request)
        return self._visit(errand, None, lambda tab: tab.visit(errand, lambda: tab.go(request.url), self._known()))

    def submit(self, visit: Visit, submission: Submission, *, label: str, deviation: str | None = None) -> Visit:
        tab = self.chromium.tab_of(visit)
        errand = _Errand(self, label, "page", deviation)
        if tab is None or tab.held is None:
            request = request_of(submission, visit.last.request.url)
            errand.first = request
            return self._visit(errand, None, lambda new: new.visit(errand, lambda: new.go(request.url), self._known()))
        return self._visit(errand, tab, lambda own: self._release(own, errand, submission))

    def prepared(self, visit: Visit, intent: str) -> Submission | None:
        action = self._next_action(visit.page, (intent,), {}) if visit.stopped == "page" else None
        tab = self.chromium.tab_of(visit)
        if action is None or tab is None:
            return None
        if tab.held and tab.held_for == (visit.last.number, intent):
            return tab.held.submission
        errand = _Errand(self, f"the way back to {intent}")
        try:
            found = self.chromium.do(self._prepare(tab, errand, action), self._seconds())
        except (PageError, _LostError):
            return None
        tab.held_for = (visit.last.number, intent)
        return found

    def _carry_out(self, visit: Visit, action: Action, label: str) -> Visit:
        tab = self.chromium.tab_of(visit)
        if tab is None:
            raise PageError("the browser does not show this page any more")
        errand = _Errand(self, label)
        return self._visit(errand, tab, lambda own: own.visit(errand, lambda: own.press(action, self.fields), self._known()))

    async def _prepare(self, tab: _Tab, errand: _Errand, action: Action) -> Submission | None:
        await tab.let_go()
        return await tab.prepare(errand, action, self.fields)

    async def _release(self, tab: _Tab, errand: _Errand, submission: Submission) -> Visit:
        own = await self.chromium.windows(self.owner)
        if tab.windows is not own:  # the page of another browser: the request goes with the cookies of this one
            jar: list[Any] = list(await own.context.cookies(submission.url))
            errand.cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in jar)
        return await tab.release(errand, submission, self._known())

    def _visit(self, errand: _Errand, tab: _Tab | None, work: Callable[[_Tab], Coroutine[Any, Any, Visit]]) -> Visit:
        """Let a tab, or a new one, do its work. A browser that went down is trouble, never a verdict on the gateway."""

        async def there() -> Visit:
            used = tab if tab else await asyncio.wait_for(self._new_tab(), _LAUNCH_S)
            return self.chromium.remember(await work(used), used)

        try:
            return self.chromium.do(there(), self._seconds())
        except PageError:
            raise
        except Exception as error:  # noqa: BLE001 whatever the browser trips over is no answer of the gateway
            detail = _first_line(error)
            request = errand.first or Request(method="GET", url="about:blank")
            lost = errand.exchange(request, label=errand.label or "the page as shown", endpoint="shown")
            lost = replace(lost, trouble=Trouble(kind="browser", detail=detail), at=wall_time())
            last = self.client.evidence.append(lost)
            return Visit("trouble", f"browser: {detail}", (*errand.exchanges, last))

    async def _new_tab(self) -> _Tab:
        return await _Tab.open(self.client, await self.chromium.windows(self.owner))

    def _known(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(action.page for action in self.actions))

    def _seconds(self) -> float:
        """After which a visit has certainly come to nothing: its pages are given up long before."""
        return _LAUNCH_S + _HOUSEKEEPING_S + (self.redirects + 5) * (self.client.limits.exchange_s + 1)


async def _accept(dialog: "Dialog") -> None:
    """A person answers yes to what her browser asks."""
    with contextlib.suppress(Exception):
        await dialog.accept(dialog.default_value)


def _in_background(work: Coroutine[Any, Any, Any]) -> None:
    """Let something happen that nobody waits for, and whose failure changes nothing."""
    task = asyncio.ensure_future(work)
    _BACKGROUND.add(task)
    task.add_done_callback(_BACKGROUND.discard)
    task.add_done_callback(_heard)


def _heard(done: "asyncio.Future[Any]") -> None:
    """Take note of an exception, so that the loop does not complain that nobody did."""
    if not done.cancelled():
        done.exception()


_BACKGROUND: set[asyncio.Task[Any]] = set()


def _matches(page: Page, selector: str) -> bool:
    try:
        return page.matches(selector)
    except PageError:
        return False


def _ending(exchanges: Sequence[Exchange], last: Exchange) -> tuple[Exchange, ...]:
    return (*(exchange for exchange in exchanges if exchange.number != last.number), last)


def _request(event: Mapping[str, Any]) -> Request:
    """The request that the browser wants to make."""
    asked = event["request"]
    headers = tuple((name, value) for name, value in asked["headers"].items() if name.lower() not in _NOT_PASSED_ON)
    entries = asked.get("postDataEntries") or ()
    body = b"".join(base64.b64decode(entry["bytes"]) for entry in entries if "bytes" in entry)
    return Request(
        method=asked["method"],
        url=asked["url"] + asked.get("urlFragment", ""),
        headers=headers,
        body=body or asked.get("postData", "").encode(),
    )


def _place(request: Request) -> tuple[str, str]:
    """Method and address without the query."""
    return request.method, request.url.partition("#")[0].partition("?")[0]


def _instead(asked: Request, wanted: Request) -> Request:
    """``wanted`` with what a browser adds to it by itself."""
    return replace(wanted, headers=_headers(asked.headers, wanted.headers))


def _headers(under: Headers, over: Headers) -> Headers:
    names = {name.lower() for name, _ in over}
    return (*(pair for pair in under if pair[0].lower() not in names), *over)


def _submission(request: Request, typed: Mapping[str, Any]) -> Submission:
    """A request of a page as what a form or a script sends, with the values that no person has typed."""
    kind = (header(request.headers, "content-type") or "").partition(";")[0].strip().lower()
    custom = tuple(pair for pair in request.headers if pair[0].lower().startswith("x-"))
    pairs = tuple(oauth.decode(request.text)) if kind == "application/x-www-form-urlencoded" else ()
    values = [value for _, value in (*pairs, *custom)] + ([] if pairs else list(_texts(request.text)))
    own = {str(value) for value in typed.values()}
    return Submission(
        method=request.method,
        url=request.url,
        fields=pairs,
        hidden=tuple(dict.fromkeys(value for value in values if len(value) >= _LONG and value not in own)),
        headers=custom,
        body=None if pairs else request.body,
    )


def _changed(request: Request, submission: Submission) -> Request:
    """The request that was held back, as ``submission`` has it."""
    body = oauth.encode(submission.fields).encode() if submission.body is None else submission.body
    headers = _headers(request.headers, submission.headers)
    return replace(request, method=submission.method, url=submission.url, headers=headers, body=body)


def _texts(body: str) -> Iterator[str]:
    """Every text in a JSON body; nothing when it is no JSON."""
    try:
        todo = [json.loads(body)]
    except (ValueError, RecursionError):
        return
    while todo:
        match todo.pop():
            case str() as text:
                yield text
            case dict() as members:
                todo += members.values()
            case list() as members:
                todo += members


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
