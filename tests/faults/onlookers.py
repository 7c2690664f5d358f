"""Three clients that watch the feed while something goes wrong: one steady, one that comes and goes, one that reads
slowly. They know the contract (section 3) and nothing of our code; what they were told is judged by `told.Told`."""

import asyncio
import json
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from tests.faults.told import Json, Rows, Told

#: A ticket for the feed. May fail while a fault is on: the client asks again.
Ticket = Callable[[], Awaitable[str]]

CHANNELS: Final = ("incidents", "officers", "sensors", "wifi_nodes", "kpis")
_SUBPROTOCOL: Final = Subprotocol("patriot.feed.v1+json")
#: The reconnecting one stays this long.
_STAYS_S: Final = (0.5, 3.0)
#: The slow one has a small window, pauses after each frame, and now and then for longer.
_SMALL_BUFFER: Final = 4096
_PAUSE_S: Final = (0.0, 0.1)
_LONG_PAUSE_S: Final = 3.0
#: Between two attempts to come back; grows to the second.
_AGAIN_S: Final = (0.1, 1.0)
#: A ping comes every 25 s and a push every 5 s on each channel: beyond this the connection is half-open.
_SILENCE_S: Final = 15.0


class Manner(StrEnum):
    """How a client reads."""

    STEADY = "steady"
    RECONNECTING = "reconnecting"
    SLOW = "slow"


@dataclass(frozen=True)
class Findings:
    """What one client says afterwards."""

    manner: Manner
    gaps: list[str]
    reordered: list[str]
    broken: list[str]
    #: Rows that are not as in a fresh snapshot; None when no snapshot could be had.
    stale: list[str]
    #: Longest time from losing the feed to being complete again, seconds.
    away_s: float
    comings: int
    recovered: int
    closes: dict[int, int]

    @property
    def clean(self) -> bool:
        return not (self.gaps or self.reordered or self.broken or self.stale)


class Onlooker:
    """One client that follows the feed until it is stopped, whatever is done to it; each time it comes back it takes
    the next of the nodes and resumes by epoch and offset."""

    def __init__(
        self,
        manner: Manner,
        nodes: Sequence[str],
        ticket: Ticket,
        channels: Sequence[str] = CHANNELS,
        *,
        chance: random.Random | None = None,
    ) -> None:
        self.manner = manner
        self.told = Told()
        self.closes: Counter[int] = Counter()
        self.comings = 0
        #: The hints of nodes that went, milliseconds.
        self.hints: list[int] = []
        #: When the feed was lost and when it was whole again, pair by pair (monotonic, seconds).
        self.absences: list[tuple[float, float]] = []
        self._nodes = nodes
        self._ticket = ticket
        self._channels = channels
        self._chance = chance or random.Random()
        self._lost_at: float | None = time.monotonic()
        self._asked: dict[int, str] = {}
        self._next_id = 1
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._following is not None
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)

    @property
    def whole(self) -> bool:
        """Whether it is connected and has every channel's state."""
        return self._lost_at is None

    @property
    def away_s(self) -> float:
        """The longest time without the feed after the first coming."""
        absences = [back - lost for lost, back in self.absences[1:]]
        if self._lost_at is not None:
            absences.append(time.monotonic() - self._lost_at)
        return max(absences, default=0.0)

    async def until_whole(self, patience: float = 30.0, comings: int = 1) -> None:
        """Wait until it has every channel's state, and has come at least so often."""
        deadline = time.monotonic() + patience
        while not self.whole or self.comings < comings:
            self._look_at_task()
            assert time.monotonic() < deadline, (
                f"the {self.manner} client has no feed after {patience} s: {self.closes}"
            )
            await asyncio.sleep(0.05)

    async def findings(self, node: str, patience: float = 30.0) -> Findings:
        """Judge it against fresh snapshots of `node`, asked for until they agree or patience ends. Call it when
        nothing is sent any more, or what changes all the time will differ."""
        deadline = time.monotonic() + patience
        while True:
            self._look_at_task()
            stale = self.told.differs(await snapshot(node, self._ticket, self._channels))
            if (self.whole and not stale) or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.25)
        told = self.told
        return Findings(
            self.manner, told.gaps, told.reordered, told.broken, stale, self.away_s, self.comings,
            told.answers["recovered"], dict(self.closes),
        )  # fmt: skip

    def _look_at_task(self) -> None:
        if self._following is not None and self._following.done():
            self._following.result()

    async def _follow(self) -> None:
        pause = _AGAIN_S[0]
        while True:
            came = self.comings
            with suppress(OSError, InvalidHandshake, ConnectionClosed, TimeoutError, EOFError):
                await self._once()
            if self._lost_at is None:
                self._lost_at = time.monotonic()
            pause = _AGAIN_S[0] if self.comings > came else min(2 * pause, _AGAIN_S[1])
            await asyncio.sleep(pause * self._chance.uniform(0.5, 1.0))

    async def _once(self) -> None:
        node = self._nodes[self.comings % len(self._nodes)]
        try:
            ticket = await self._ticket()
            connection = await _connect(node, small=self.manner is Manner.SLOW)
        except BaseException:
            # The next try goes to the next node.
            self._nodes = [*self._nodes[1:], self._nodes[0]]
            raise
        self.comings += 1
        leaves_at = time.monotonic() + self._chance.uniform(*_STAYS_S)
        try:
            await self._say(connection, connect={"ticket": ticket, "name": f"onlooker, {self.manner}"})
            for channel in self._channels:
                await self._subscribe(connection, channel)
            while True:
                patience = _SILENCE_S
                if self.manner is Manner.RECONNECTING and self.whole:
                    patience = leaves_at - time.monotonic()
                    if patience <= 0:
                        await self._leave(connection)
                        return
                try:
                    async with asyncio.timeout(patience):
                        text = await connection.recv()
                except TimeoutError:
                    if patience < _SILENCE_S:
                        continue
                    connection.transport.abort()
                    return
                await self._hear(connection, json.loads(text))
                if self.manner is Manner.SLOW:
                    await self._dawdle()
        finally:
            self._asked.clear()
            connection.transport.abort()
            if connection.close_code is not None:
                self.closes[connection.close_code] += 1

    async def _leave(self, connection: ClientConnection) -> None:
        """Politely, or as a network does it."""
        if self._chance.random() < 0.5:
            await connection.close()
        else:
            connection.transport.abort()

    async def _dawdle(self) -> None:
        long = self._chance.random() < 0.02
        await asyncio.sleep(_LONG_PAUSE_S if long else self._chance.uniform(*_PAUSE_S))

    async def _say(self, connection: ClientConnection, **command: object) -> int:
        number = self._next_id
        self._next_id += 1
        await connection.send(json.dumps({"id": number, **command}))
        return number

    async def _subscribe(self, connection: ClientConnection, channel: str) -> None:
        number = await self._say(connection, subscribe={"channel": channel, **self.told.where(channel)})
        self._asked[number] = channel

    async def _hear(self, connection: ClientConnection, frame: Json) -> None:
        match frame:
            case {"id": number, "subscribe": {"epoch": _} as reply}:
                self.told.begin(self._asked.pop(number), reply)
            case {"push": {"state": _, "channel": channel} as part}:
                self.told.part(channel, part)
            case {"push": {"pubs": _, "channel": channel} as push}:
                if not self.told.push(push):
                    await self._subscribe(connection, channel)
            case {"push": {"disconnect": {"reconnect_after_ms": after_ms}}}:
                self.hints.append(after_ms)
                await asyncio.sleep(after_ms / 1000)
            case {"id": _, "connect": _}:
                pass
            case {} if not frame:
                await connection.send("{}")
            case _:
                self.told.broken.append(f"said {json.dumps(frame)[:200]}")
        if self._lost_at is not None and not self._asked and self.told.whole.issuperset(self._channels):
            self.absences.append((self._lost_at, time.monotonic()))
            self._lost_at = None


async def snapshot(node: str, ticket: Ticket, channels: Sequence[str] = CHANNELS) -> Rows:
    """The whole state as a client gets it that has just come. Raises `OSError` or of `websockets` when it cannot be
    had, `TimeoutError` after 20 s."""
    async with asyncio.timeout(20):
        connection = await _connect(node, small=False)
        try:
            told = Told()
            await connection.send(json.dumps({"id": 1, "connect": {"ticket": await ticket(), "name": "snapshot"}}))
            for number, channel in enumerate(channels, 2):
                await connection.send(json.dumps({"id": number, "subscribe": {"channel": channel}}))
            while not told.whole.issuperset(channels):
                match json.loads(await connection.recv()):
                    case {"id": number, "subscribe": reply}:
                        told.begin(channels[number - 2], reply)
                    case {"push": {"state": _, "channel": channel} as part}:
                        told.part(channel, part)
                    case {"push": {"pubs": _} as push}:
                        told.push(push)
            assert told.clean, told
            return told.rows
        finally:
            connection.transport.abort()


async def _connect(node: str, *, small: bool) -> ClientConnection:
    """A connection to ws://host:port/; a small one takes only some KiB from the server before it reads."""
    if not small:
        return await connect(
            node, subprotocols=[_SUBPROTOCOL], max_size=2**20, open_timeout=10, ping_interval=None, close_timeout=2
        )
    address = urlsplit(node)
    raw = socket.socket()
    try:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        raw.setblocking(False)
        async with asyncio.timeout(10):
            await asyncio.get_running_loop().sock_connect(raw, (address.hostname, address.port))
        return await connect(
            node, sock=raw, subprotocols=[_SUBPROTOCOL], max_size=2**20, max_queue=1, compression=None,
            open_timeout=10, ping_interval=None, close_timeout=2,
        )  # fmt: skip
    except BaseException:
        raw.close()
        raise
