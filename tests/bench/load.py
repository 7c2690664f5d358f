"""A load generator that costs little: raw HTTP/1.1 over kept connections, closed loop or open loop."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Answers:
    """What came back: seconds from sending to the answer, by status."""

    seconds: dict[int, list[float]] = field(default_factory=dict)

    def add(self, status: int, seconds: float) -> None:
        self.seconds.setdefault(status, []).append(seconds)

    def count(self, status: int) -> int:
        return len(self.seconds.get(status, ()))


class Connection:
    """One kept connection; one request at a time."""

    def __init__(self, base_url: str, token: str) -> None:
        address = urlsplit(base_url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        access = f"Authorization: Bearer {token}\r\n" if token else ""
        self._head = (
            f"Host: {self._host}:{self._port}\r\n{access}Content-Type: application/json\r\nContent-Length: "
        ).encode()

    async def open(self) -> "Connection":
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def post(self, path: bytes, body: bytes) -> int:
        """Send and wait for the whole answer; returns its status."""
        head = b"POST " + path + b" HTTP/1.1\r\n" + self._head + str(len(body)).encode() + b"\r\n\r\n"
        self._writer.write(head + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lower = answer.lower()
        start = lower.index(b"content-length:") + 15
        await self._reader.readexactly(int(lower[start : lower.index(b"\r\n", start)]))
        return int(answer[9:12])

    def close(self) -> None:
        self._writer.close()


async def closed_loop(
    base_url: str, token: str, path: bytes, bodies: Iterator[bytes], connections: int, seconds: float
) -> tuple[Answers, float]:
    """`connections` clients, each sending as soon as it is answered; answers and real seconds."""
    answers = Answers()
    opened = [await Connection(base_url, token).open() for _ in range(connections)]
    start = time.perf_counter()
    deadline = start + seconds

    async def client(connection: Connection) -> None:
        while (sent := time.perf_counter()) < deadline:
            status = await connection.post(path, next(bodies))
            answers.add(status, time.perf_counter() - sent)

    await asyncio.gather(*(client(connection) for connection in opened))
    elapsed = time.perf_counter() - start
    for connection in opened:
        connection.close()
    return answers, elapsed


async def open_loop(per_second: float, seconds: float, act: Callable[[int], Coroutine[None, None, None]]) -> None:
    """Call `act(n)` at its planned time whatever the earlier ones do, so that waiting is not hidden."""
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for n in range(int(per_second * seconds)):
            wait = start + n / per_second - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            group.create_task(act(n))
