"""Thousands of feed clients in one process, which only count: `python -m tests.bench.feed_crowd HOST PORT SPEECH`.

Raw sockets, frames skipped by their length: what it costs is the server's. Each twentieth reads what it gets, for
latencies and to count events (a frame may carry several). Each tenth stalls: small buffers, and never reads again once
it was answered. SPEECH is `patriot` (ticket and subscription; PATRIOT_SECRET signs the tickets), `nats` or `plain`.
Commands come as lines on standard input, each is answered with one JSON line: `connect N`, `begin`, `end`, `quiet`,
`storm`.
"""

import asyncio
import json
import os
import re
import socket
import sys
import time
import zlib
from base64 import b64encode
from datetime import UTC, datetime
from typing import Final, cast

import uvloop

from infra.tickets import Viewer, issue
from schemas.vocabulary import Role

#: What Chrome 140 sends.
_DEFLATE: Final = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
_SAMPLED, _STALLED = 20, 10
_SENT_AT: Final = re.compile(rb'"t":(\d+)')
#: Clients that knock at once: more would overflow the listener's backlog and measure the kernel's retries.
_AT_ONCE: Final = 100
_QUIET_S: Final = 4.0


class Client(asyncio.Protocol):
    """One socket."""

    def __init__(self, crowd: "Crowd", number: int) -> None:
        self.crowd = crowd
        self.stalls = number % _STALLED == _STALLED - 1
        self.inflate = zlib.decompressobj(-15) if number % _SAMPLED == 0 else None
        self.frames = 0
        self.bytes = 0
        self.events = 0
        self.whole = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self._open = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = written = cast(asyncio.Transport, transport)  # uvloop's are not subclasses
        written.write(self.crowd.handshake)

    def connection_lost(self, error: Exception | None) -> None:
        self.crowd.clients.discard(self)
        if not self.whole.done():
            self.whole.set_exception(error or ConnectionResetError("closed before it was answered"))

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        position = 0
        if not self._open:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self.transport.abort()
                return
            self._open, position = True, end + 4
            self._greet()
        size = len(data)
        while size - position >= 2:
            length, head = data[position + 1], 2
            if length == 126:
                if size - position < 4:
                    break
                length, head = data[position + 2] << 8 | data[position + 3], 4
            elif length == 127:
                if size - position < 10:
                    break
                length, head = int.from_bytes(data[position + 2 : position + 10], "big"), 10
            end = position + head + length
            if end > size:
                break
            self.frames += 1
            self.bytes += head + length
            if self.inflate is not None or length == 2 or not self.whole.done():
                self._read(data[position], data[position + head : end])
            position = end
        self._rest = data[position:]

    def _greet(self) -> None:
        match self.crowd.speech:
            case "patriot":
                ticket, _ = issue(self.crowd.secret, Viewer(role=Role.OPERATOR, subject="bench"), datetime.now(UTC))
                self._say(json.dumps({"id": 1, "connect": {"ticket": ticket}}).encode())
                self._say(b'{"id":2,"subscribe":{"channel":"incidents"}}')
            case "nats":
                self._say(b'CONNECT {"verbose":false}\r\nSUB feed 1\r\nPING\r\n')
            case _:
                self._is_whole()

    def _read(self, first: int, payload: bytes) -> None:
        if payload == b"{}":
            self._say(payload)
            return
        if first & 0x0F == 9:
            self._say(payload, opcode=10)
            return
        if not self.whole.done() and self._answers(first, payload):
            self._is_whole()
        if self.inflate is not None and self.whole.done():
            if first & 0x40:
                payload = self.inflate.decompress(payload + b"\x00\x00\xff\xff")
            now = time.time_ns()
            times = _SENT_AT.findall(payload)
            self.events += len(times)
            if not self.stalls and self.crowd.counting:
                self.crowd.latencies += [(now - int(sent)) / 1e9 for sent in times]

    def _answers(self, first: int, payload: bytes) -> bool:
        if self.crowd.speech == "nats":
            return b"PONG" in payload
        # The state may be deflated; the first frame after the answer to `connect` is it.
        return b'"connect"' not in payload

    def _is_whole(self) -> None:
        if self.stalls:
            self.transport.pause_reading()
        if not self.whole.done():
            self.whole.set_result(None)

    def _say(self, payload: bytes, opcode: int = 1) -> None:
        head = bytes([0x80 | opcode, 0x80 | len(payload)]) if len(payload) < 126 else bytes([0x80 | opcode, 0xFE])
        if len(payload) >= 126:
            head += len(payload).to_bytes(2, "big")
        self.transport.write(head + b"\0\0\0\0" + payload)  # masked with nothing


class Crowd:
    """All of them."""

    def __init__(self, host: str, port: int, speech: str) -> None:
        self.host, self.port, self.speech = host, port, speech
        self.secret = bytes.fromhex(os.environ.get("PATRIOT_SECRET", "00"))
        deflate = _DEFLATE if os.environ.get("CROWD_DEFLATE", "1") == "1" else ""
        self.handshake = (
            f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n{deflate}\r\n"
        ).encode()
        self.clients: set[Client] = set()
        self.latencies: list[float] = []
        self.counting = False
        self._number = 0
        self._before: dict[Client, tuple[int, int, int]] = {}

    async def connect(self, count: int) -> dict[str, float]:
        """So many more; answers when all have their state."""
        start = time.perf_counter()
        room = asyncio.Semaphore(_AT_ONCE)
        numbers = range(self._number, self._number + count)
        self._number += count
        tries = await asyncio.gather(*(self._come(number, room) for number in numbers))
        return {"seconds": time.perf_counter() - start, "clients": len(self.clients), "tries": sum(tries)}

    def begin(self) -> dict[str, float]:
        """Count from now on."""
        self.latencies.clear()
        self.counting = True
        self._before = {client: (client.frames, client.bytes, client.events) for client in self.clients}
        return {"clients": len(self.clients)}

    def end(self) -> dict[str, object]:
        """What came since `begin`, and that to how many."""
        self.counting = False
        healthy = [client for client in self._before if not client.stalls]
        sampled = [client for client in healthy if client.inflate is not None]
        frames = sum(client.frames - self._before[client][0] for client in healthy)
        size = sum(client.bytes - self._before[client][1] for client in healthy)
        events = sum(client.events - self._before[client][2] for client in sampled)
        return {
            "healthy": len(healthy),
            "frames": frames,
            "bytes": size,
            "events": events * len(healthy) / max(len(sampled), 1),
            "latencies": self.latencies,
            "stalled_left": sum(client.stalls for client in self.clients),
        }

    async def quiet(self) -> dict[str, float]:
        """Wait until nothing came for 0.3 s, some seconds at most: what was left is not of the next turn."""
        start, before = time.perf_counter(), -1
        while time.perf_counter() - start < _QUIET_S:
            frames = sum(client.frames for client in self.clients)
            if frames == before:
                break
            before = frames
            await asyncio.sleep(0.3)
        return {"seconds": time.perf_counter() - start}

    async def storm(self) -> dict[str, float]:
        """All healthy ones are cut, if they are not already, and come back at once."""
        healthy = self._number - self._number // _STALLED
        for client in [client for client in self.clients if not client.stalls]:
            client.transport.abort()
        start = time.perf_counter()
        room = asyncio.Semaphore(healthy)
        first, self._number = self._number // _STALLED * _STALLED, self._number + _STALLED * healthy
        tries = await asyncio.gather(*(self._come(first + _STALLED * n, room) for n in range(1, healthy + 1)))
        return {"seconds": time.perf_counter() - start, "clients": len(tries), "tries": sum(tries)}

    async def _come(self, number: int, room: asyncio.Semaphore) -> int:
        """Until it is in; answers how often it knocked."""
        loop = asyncio.get_running_loop()
        tries = 0
        while True:
            tries += 1
            async with room:
                raw = socket.socket()
                raw.setblocking(False)
                client = Client(self, number)

                def made(client: Client = client) -> Client:
                    return client

                if client.stalls:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
                try:
                    await loop.sock_connect(raw, (self.host, self.port))
                    await loop.create_connection(made, sock=raw)
                    self.clients.add(client)
                    await client.whole
                    return tries
                except OSError:
                    raw.close()
            await asyncio.sleep(0.5)


async def main(host: str, port: int, speech: str) -> None:
    """Until standard input ends."""
    crowd = Crowd(host, port, speech)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        answer: object
        match line.split():
            case [b"connect", count]:
                answer = await crowd.connect(int(count))
            case [b"begin"]:
                answer = crowd.begin()
            case [b"end"]:
                answer = crowd.end()
            case [b"quiet"]:
                answer = await crowd.quiet()
            case [b"storm"]:
                answer = await crowd.storm()
            case _:
                raise SystemExit(f"what is {line!r}?")
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
