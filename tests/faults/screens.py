"""Feed clients that remember what they were shown: a steady one, one that keeps coming back, and a slow one."""

import asyncio
import json
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, WebSocketException
from websockets.typing import Subprotocol

from infra import tickets
from infra.tickets import Viewer
from schemas.vocabulary import Role

Json = dict[str, Any]

_CHANNEL: Final = "incidents"
_BACK_S: Final = 0.3
#: A slow client reads a frame in this time.
_SLOW_S: Final = 1.5
#: One that keeps coming back stays this long, at most.
_STAY_S: Final = 2.0


@dataclass
class Screen:
    """One client's view of the incidents, in `run`; nothing of the feed's own code decides what it thinks it saw."""

    name: str
    secret: bytes
    url: str
    rng: Random = field(default_factory=Random)
    #: Version of each incident's row.
    rows: dict[str, int] = field(default_factory=dict)
    #: When an incident was first seen (the loop's clock).
    seen_at: dict[str, float] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    reordered: list[str] = field(default_factory=list)
    connections: int = 0
    #: Where it stands; None before its first state.
    epoch: str | None = None
    offset: int = -1
    #: Whether the state is there in full.
    is_whole: bool = False
    #: The slow one and the restless one are as the steady one from now on, so that the end can be compared.
    calm: bool = False

    async def run(self) -> None:
        """Stay connected until cancelled, wherever the feed is."""
        while True:
            try:
                await self._stay()
            except (OSError, TimeoutError, EOFError, WebSocketException, InvalidHandshake, InvalidMessage):
                pass
            await asyncio.sleep(_BACK_S)

    async def _stay(self) -> None:
        own = socket.socket()
        try:
            if self.name == "slow":
                own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            own.setblocking(False)
            host, port = self.url.split("/")[2].split(":")
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(own, (host, int(port))), 5)
            async with connect(
                self.url,
                sock=own,
                subprotocols=[Subprotocol("patriot.feed.v1+json")],
                max_size=2**20,
                max_queue=1 if self.name == "slow" else 64,
                open_timeout=5,
                close_timeout=1,
                ping_interval=None,
            ) as connection:
                self.connections += 1
                await self._begin(connection)
                await self._listen(connection)
        finally:
            own.close()

    async def _begin(self, connection: ClientConnection) -> None:
        ticket, _ = tickets.issue(self.secret, Viewer(role=Role.OPERATOR, subject="screen"), datetime.now(UTC))
        await connection.send(json.dumps({"id": 1, "connect": {"ticket": ticket, "name": self.name}}))
        command: Json = {"channel": _CHANNEL}
        if self.epoch is not None and self.is_whole:
            command |= {"recover": True, "epoch": self.epoch, "offset": self.offset}
        await connection.send(json.dumps({"id": 2, "subscribe": command}))

    async def _listen(self, connection: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        leaves_at = loop.time() + self.rng.uniform(0.3, _STAY_S)
        while True:
            # a push goes out every 5 s at least: one that hears nothing for longer comes again
            frame = json.loads(await asyncio.wait_for(connection.recv(), 15))
            self._take(frame)
            if not frame:
                await connection.send("{}")
            if self.calm:
                continue
            if self.name == "slow":
                await asyncio.sleep(_SLOW_S)
            if self.name == "reconnecting" and loop.time() > leaves_at and self.is_whole:
                connection.transport.abort()
                return

    def _take(self, frame: Json) -> None:
        subscribed, push = frame.get("subscribe"), frame.get("push", {})
        if subscribed is not None:
            self._subscribed(subscribed)
        elif "state" in push:
            self._state(push)
        elif "pubs" in push:
            self._push(push)

    def _subscribed(self, reply: Json) -> None:
        if reply["recovered"]:
            if reply["epoch"] != self.epoch:
                self.gaps.append(f"{self.name}: recovered into another epoch")
            self._publish(reply["publications"], reply["offset"])
        else:
            self.epoch, self.offset, self.rows, self.is_whole = reply["epoch"], reply["offset"], {}, False
            self._state(reply)

    def _state(self, part: Json) -> None:
        for entry in part["state"]:
            self._show(entry["key"], entry["data"]["version"])
        self.is_whole = not part["more"]

    def _push(self, push: Json) -> None:
        if push["epoch"] != self.epoch or push["since"] > self.offset:
            self.gaps.append(f"{self.name}: stands at {self.offset} of {self.epoch}, a push begins at {push['since']}")
            return
        self._publish(push["pubs"], push["offset"])

    def _publish(self, publications: list[Json], offset: int) -> None:
        before = -1
        for publication in publications:
            if publication["offset"] <= before:
                self.reordered.append(f"{self.name}: publication {publication['offset']} after {before}")
            before = publication["offset"]
            if before <= self.offset:
                continue
            key = publication["key"]
            if publication.get("removed"):
                self.rows.pop(key, None)
                continue
            version = publication["data"]["version"]
            if version < self.rows.get(key, 0):
                self.reordered.append(f"{self.name}: version {version} of {key} after {self.rows[key]}")
            self._show(key, version)
        self.offset = max(self.offset, offset)

    def _show(self, key: str, version: int) -> None:
        self.rows[key] = version
        self.seen_at.setdefault(key, asyncio.get_running_loop().time())
