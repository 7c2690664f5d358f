"""Bytes on a socket: what HTTP clients refuse to send."""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Final

#: Longer than every limit of the server's own that is tested here.
PATIENCE_S: Final = 25.0


@dataclass(frozen=True)
class Heard:
    """What came back on one connection."""

    data: bytes
    #: The server ended it, rather than we.
    closed: bool
    seconds: float

    @property
    def statuses(self) -> list[int]:
        """Of each answer, in order."""
        return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", self.data)]


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._start = time.monotonic()

    @classmethod
    async def open(cls, host: str, port: int) -> "Line":
        return cls(*await asyncio.open_connection(host, port))

    async def send(self, data: bytes) -> None:
        """Send it, as far as the other end takes it."""
        try:
            self._writer.write(data)
            await asyncio.wait_for(self._writer.drain(), PATIENCE_S)
        except (ConnectionError, TimeoutError):
            pass

    async def drip(self, data: bytes, every: float) -> None:
        """Send it a byte at a time until the other end has enough."""
        for byte in data:
            if self._writer.is_closing() or self._reader.at_eof():
                return
            await self.send(bytes([byte]))
            await asyncio.sleep(every)

    async def hear(self, silence: float = 1.0, patience: float = PATIENCE_S) -> Heard:
        """What comes until the other end closes, or says nothing more for `silence` s after its first word."""
        found, closed = b"", False
        deadline = time.monotonic() + patience
        while not closed and time.monotonic() < deadline:
            left = deadline - time.monotonic()
            try:
                part = await asyncio.wait_for(self._reader.read(65536), min(silence, left) if found else left)
            except TimeoutError:
                break
            except ConnectionError:
                closed = True
            else:
                found += part
                closed = not part
        return Heard(found, closed, time.monotonic() - self._start)

    def close(self) -> None:
        self._writer.close()


async def say(host: str, port: int, data: bytes, silence: float = 1.0) -> Heard:
    """Send it all on a new connection, and what came back."""
    line = await Line.open(host, port)
    try:
        await line.send(data)
        return await line.hear(silence)
    finally:
        line.close()


def post(path: str, body: bytes, *headers: bytes, length: int | None = None) -> bytes:
    """A request with a body of JSON, `Content-Length` as told."""
    size = len(body) if length is None else length
    head = (b"POST %s HTTP/1.1" % path.encode(), b"Host: x", b"Content-Type: application/json", *headers)
    return b"\r\n".join((*head, b"Content-Length: %d" % size, b"", b"")) + body


def chunked(path: str, *chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """The same in chunks."""
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" % path.encode()
    return (
        head
        + b"Transfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks if c)
        + end
    )
