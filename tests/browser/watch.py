"""Keeps an eye on every page of a browser context: whatever a page should never do is a fault, and fails its test."""

import re
from typing import Final
from urllib.parse import urlsplit

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, Response, WebError, WebSocket

#: A request that its page gave up because somebody left the page; nobody waits for it any more.
_LEFT: Final = "net::ERR_ABORTED"
#: What has no host: made by the page itself.
_INSIDE: Final = ("blob", "data", "about")

_TELL_VIOLATIONS: Final = """
addEventListener('securitypolicyviolation', (event) =>
  tellViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ''}:${event.lineNumber ?? ''}`));
"""


class Watch:
    """Collects faults: console errors, errors thrown, requests that failed, answered 4xx or 5xx, or went elsewhere."""

    def __init__(self, *own_urls: str) -> None:
        self._own = {_origin(url) for url in own_urls}
        self._expected: list[re.Pattern[str]] = []
        self.faults: list[str] = []

    async def over(self, context: BrowserContext) -> None:
        """Watch all pages that this context will open."""
        context.on("console", self._console)
        context.on("weberror", self._error)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        context.on("page", self._page)
        await context.expose_binding("tellViolation", lambda _, text: self.faults.append(f"against the policy: {text}"))
        await context.add_init_script(_TELL_VIOLATIONS)

    def expect(self, *patterns: str) -> None:
        """Faults that match are what the test brings about on purpose."""
        self._expected += [re.compile(pattern) for pattern in patterns]

    def unexpected(self) -> list[str]:
        """All faults but the expected ones."""
        return [fault for fault in self.faults if not any(pattern.search(fault) for pattern in self._expected)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _error(self, error: WebError) -> None:
        self.faults.append(f"thrown: {error.error}")

    def _request(self, request: Request) -> None:
        self._reached(request.url)

    def _failed(self, request: Request) -> None:
        if request.failure != _LEFT:
            self.faults.append(f"failed: {request.method} {request.url}: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"answered {response.status}: {response.request.method} {response.url}")

    def _page(self, page: Page) -> None:
        page.on("websocket", self._socket)

    def _socket(self, socket: WebSocket) -> None:
        self._reached(socket.url)

    def _reached(self, url: str) -> None:
        if urlsplit(url).scheme not in _INSIDE and _origin(url) not in self._own:
            self.faults.append(f"went elsewhere: {url}")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
