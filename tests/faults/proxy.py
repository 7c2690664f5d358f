"""A TCP proxy on loopback that can cut, refuse, stall and delay what passes through it; it needs no root."""

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from infra.local.ports import find_free

_CHUNK: Final = 64 * 1024
#: Chunks of one direction that may be on their way: as much as a long line holds. Then the sender has to wait.
_ON_THE_WAY: Final = 64
#: Closing with this lingering time is a reset.
_RESET: Final = struct.pack("ii", 1, 0)
_Due = tuple[float, bytes]


@dataclass(eq=False)
class _Link:
    """One connection through the proxy: the client's port, and both ends (the server's once it is there)."""

    client_port: int
    ends: list[asyncio.StreamWriter]
    flows: asyncio.Event = field(default_factory=asyncio.Event)

    def reset(self) -> None:
        for end in self.ends:
            if (line := end.get_extra_info("socket")).fileno() >= 0:  # else it was reset from its side
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.transport.abort()


class Proxy:
    """`127.0.0.1:port` → `127.0.0.1:target`, open while the async context is.

    It runs on the caller's event loop. A server that is not there looks like a reset, not like a refusal. Faults last
    until `heal`; whatever was on its way while nothing passed arrives then, as it does when a line comes back.
    """

    def __init__(self, target: int = 0, port: int = 0) -> None:
        """`target` may be set later, but before the first client comes; `port` 0: a free one."""
        self.target = target
        self.port = port or find_free("127.0.0.1")
        #: Seconds that each byte takes each way.
        self.delay_s = 0.0
        self._stalled: Callable[[int], bool] | None = None
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def links(self) -> int:
        """How many connections there are."""
        return len(self._links)

    def cut(self) -> None:
        """Reset every connection; new ones pass."""
        for link in list(self._links):
            link.reset()

    def refuse(self) -> None:
        """Reset every connection and listen no more: new ones are refused."""
        self.cut()
        if self._server is not None:
            self._server.close()
            self._server = None

    def stall(self, whose: Callable[[int], bool] = lambda client_port: True) -> None:
        """Nothing passes any more, on no connection, open or new; all stay open and new ones are accepted.

        With `whose` only on the connections that it says yes to, given the port on the client's side.
        """
        self._stalled = whose
        for link in self._links:
            if whose(link.client_port):
                link.flows.clear()

    def delay(self, seconds: float) -> None:
        """From now on each byte takes so long each way. The order is kept, and how much passes in a second."""
        self.delay_s = seconds

    async def heal(self) -> None:
        """Everything passes again, at once."""
        self._stalled, self.delay_s = None, 0.0
        for link in self._links:
            link.flows.set()
        if self._server is None:
            await self.__aenter__()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=_CHUNK)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        link = _Link(writer.get_extra_info("peername")[1], [writer])
        self._links.add(link)
        try:
            if self._stalled is None or not self._stalled(link.client_port):
                link.flows.set()
            await link.flows.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target, limit=_CHUNK)
            link.ends.append(far_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._carry(link, reader, far_writer))
                both.create_task(self._carry(link, far_reader, writer))
        except* OSError:  # one side has gone: so has the other
            link.reset()
        except* asyncio.CancelledError:
            pass  # the proxy is closed: nobody waits for this
        finally:
            self._links.discard(link)
            self._tasks.discard(task)
            for end in link.ends:
                end.close()

    async def _carry(self, link: _Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One direction of a connection, to its end; the other direction may go on."""
        line: asyncio.Queue[_Due] = asyncio.Queue(_ON_THE_WAY)
        async with asyncio.TaskGroup() as ends:
            ends.create_task(self._take(reader, line))
            ends.create_task(_give(link, line, writer))

    async def _take(self, reader: asyncio.StreamReader, line: asyncio.Queue[_Due]) -> None:
        loop = asyncio.get_running_loop()
        data = b"-"
        while data:
            data = await reader.read(_CHUNK)
            await line.put((loop.time() + self.delay_s, data))


async def _give(link: _Link, line: asyncio.Queue[_Due], writer: asyncio.StreamWriter) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due, data = await line.get()
        if (early := due - loop.time()) > 0:
            await asyncio.sleep(early)
        await link.flows.wait()
        if not data:
            writer.write_eof()
            return
        writer.write(data)
        await writer.drain()
