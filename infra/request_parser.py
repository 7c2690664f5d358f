"""httptools' parser without `Upgrade`: a request that asks for another protocol is read as if it did not."""

from typing import Final, Protocol

import httptools

_CONNECT: Final = b"CONNECT"


class Reading(Protocol):
    """Whom the parser calls, with the head that it has read so far."""

    url: bytes
    headers: list[tuple[bytes, bytes]]


class RequestParser:
    """What httptools does, but for this: it takes a head with `Upgrade` for the end of HTTP, throws away the body that
    is in the same segment and reads one that comes later as the next request. Java's client asks for `h2c` with its
    first request, so such a head is read a second time without the line, and its body after it.

    The callbacks are called twice for such a head; the first time `should_upgrade` is true, and nothing is to be done.
    """

    def __init__(self, protocol: Reading) -> None:
        self._protocol = protocol
        self._parser = self._begin()

    def feed_data(self, data: bytes | memoryview) -> None:
        """Read on. Raises `httptools.HttpParserError`."""
        while True:
            try:
                self._parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                if self.get_method() == _CONNECT:
                    raise httptools.HttpParserError("no tunnels") from None
                # Not copied: thousands of such requests may be in one segment.
                data = memoryview(data)[upgrade.args[0] :]
                head = self._head()
                self._parser = self._begin()
                self._parser.feed_data(head)

    def should_upgrade(self) -> bool:
        """Whether this head is read once more."""
        return self._parser.should_upgrade()

    def should_keep_alive(self) -> bool:
        return self._parser.should_keep_alive()

    def get_method(self) -> bytes:
        return self._parser.get_method()

    def get_http_version(self) -> str:
        return self._parser.get_http_version()

    def _begin(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self._protocol)
        # As uvicorn has it: what follows a request that was the last is ignored and does not spoil its answer.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _head(self) -> bytes:
        first = b"%s %s HTTP/%s" % (self.get_method(), self._protocol.url, self.get_http_version().encode())
        kept = (b"%s: %s" % header for header in self._protocol.headers if header[0] != b"upgrade")
        return b"\r\n".join((first, *kept, b"", b""))
