"""Open-loop load through the public HTTP API, every attempt in the ledger; and records straight into Kafka."""

import asyncio
import string
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from tests.faults.field import Field
from tests.faults.ledger import Ledger, Outcome, Wish

_REPORTS_PER_S: Final = 16
_ARRAYS_PER_S: Final = 2
_READINGS: Final = 10
#: Of a hundred reports: how many go to an event where others go too, are sent twice at once, are never repeated.
_MEET, _TWICE, _ONCE = 15, 10, 10
_EVENTS: Final = 3
#: A phone tries again after the first, each time later, up to the second: all of them at once are a load of their own.
_AGAIN_S, _AGAIN_MOST_S, _AGAIN_LATER = 0.4, 5.0, 1.2
#: An answer that comes later is none.
_ANSWER_S: Final = 8.0
#: Attempts at once. Without a bound, repeats of what waited too long keep a city on a busy machine from ever answering
#: in time again: what is measured then is the storm.
_AT_ONCE: Final = 48
#: Wishes that may be waiting: the load of a long outage. Then nothing new is sent until some are settled.
_WAITING: Final = 300

#: Places some 200 m apart: further than reports of one event may be. Neighbours in number are not so in space.
_STEP: Final = 0.0018
_ROWS, _COLUMNS = 120, 110
_STRIDE: Final = 4_813


def place(number: int) -> tuple[float, float]:
    """Latitude and longitude of the place of that number, inside Bekasi."""
    row, column = divmod(number * _STRIDE % (_ROWS * _COLUMNS), _COLUMNS)
    return round(-6.36 + row * _STEP, 5), round(106.98 + column * _STEP, 5)


def word(number: int) -> str:
    """A number in letters: digits in a text may be taken for a time or a place."""
    letters = ""
    for _ in range(4):
        number, digit = divmod(number, 26)
        letters = string.ascii_lowercase[digit] + letters
    return letters


@dataclass
class Sent:
    """A report that was acknowledged."""

    key: str
    report_id: str
    tracking_code: str
    #: The loop's clock at its first attempt.
    began: float
    #: At a place of its own, so that its incident gets no other report.
    alone: bool


class Load:
    """`begin`, let it run while a fault strikes, `end`: then every wish is settled or stays unknown for good."""

    def __init__(self, field: Field, mark: str, rng: Random) -> None:
        """`mark`: of this load alone, what its keys and sensors begin with. The ledger is in the field's folder."""
        self.field = field
        self.mark = mark
        self.ledger = Ledger(field.folder / f"ledger-{mark}.jsonl")
        #: Reports that insisted until they were acknowledged.
        self.sent: list[Sent] = []
        #: Answers that nobody should ever get, and what else a fault finds wrong.
        self.surprises: list[str] = []
        self._rng = rng
        self._events = [(word(n), place(next(field.places))) for n in range(_EVENTS)]
        self._since = datetime.now(UTC) - timedelta(hours=12)
        self._gave_up = asyncio.Event()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        #: When each insisting report was first tried, and its key.
        self._begun: list[tuple[float, str]] = []
        self._number = 0
        self._runs = False

    # life ------------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Send from now on, at a pace of its own whatever becomes of it."""
        self._runs = True
        self._spawn(self._pace(_REPORTS_PER_S, self._report))
        self._spawn(self._pace(_ARRAYS_PER_S, self._array))

    async def end(self, patience: float) -> None:
        """Send nothing new; what insists has that many seconds to be acknowledged."""
        self._runs = False
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        self._gave_up.set()
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Whatever still runs is cut off."""
        self._runs = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.ledger.close()

    def first_after(self, moment: float, count: int) -> list[Sent] | None:
        """The first `count` insisting reports begun at or after that moment; None until all are acknowledged."""
        keys = [key for began, key in self._begun if began >= moment][:count]
        acknowledged = {sent.key: sent for sent in self.sent}
        if len(keys) < count or any(key not in acknowledged for key in keys):
            return None
        return [acknowledged[key] for key in keys]

    def new_key(self) -> str:
        """A key that nobody has had."""
        self._number += 1
        return self.mark + word(self._number)

    # what is sent ----------------------------------------------------------------------------------------------------

    async def _pace(self, per_second: float, act: Any) -> None:
        loop = asyncio.get_running_loop()
        started, count = loop.time(), 0
        while self._runs:
            if len(self._tasks) < _WAITING:
                self._spawn(act())
            count += 1
            await asyncio.sleep(max(0.0, started + count / per_second - loop.time()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.surprises.append(f"the load itself: {error!r}")

    async def _report(self) -> None:
        dice = self._rng.randrange(100)
        event, (lat, lon) = None, place(next(self.field.places))
        if dice < _MEET:
            event, (lat, lon) = self._rng.choice(self._events)
        wish = Wish(self.new_key(), "report", event=event)
        body = {
            "description": text(wish.key),
            "lat": lat,
            "lon": lon,
            "reporter": {"name": "Siti", "phone": "0800000001"},
        }
        manner = self._rng.randrange(100)
        if manner < _ONCE:
            await self._send_report(wish, body)
        elif manner < _ONCE + _TWICE:
            await asyncio.gather(self._insist(wish, body), self._insist(wish, body))
        else:
            self._begun.append((asyncio.get_running_loop().time(), wish.key))
            await self._insist(wish, body, counted=True)

    async def _insist(self, wish: Wish, body: object, *, counted: bool = False) -> None:
        began, pause = asyncio.get_running_loop().time(), _AGAIN_S
        while not self._gave_up.is_set():
            receipt = await self._send_report(wish, body)
            if receipt is not None:
                if counted:
                    self.sent.append(
                        Sent(wish.key, receipt["report_id"], receipt["tracking_code"], began, wish.event is None)
                    )
                return
            await asyncio.sleep(pause)
            pause = min(pause * _AGAIN_LATER, _AGAIN_MOST_S)

    async def _send_report(self, wish: Wish, body: object) -> dict[str, str] | None:
        receipt = await self._post("/api/v1/reports", wish, body, {"Idempotency-Key": wish.key})
        if receipt is not None:
            self.ledger.after(wish, Outcome.OK, receipt["report_id"])
        return receipt

    async def _array(self) -> None:
        number = self._number
        readings = []
        for _ in range(_READINGS):
            self._number += 1
            readings.append((f"{self.mark}-{self._number % 6}", self._since + timedelta(seconds=self._number)))
        wish = Wish(self.new_key(), "readings", readings=tuple(readings))
        body = [
            {"kind": "traffic", "sensor_id": sensor, "observed_at": at.isoformat(), "lat": -6.24, "lon": 107.0,
             "speed_kmh": 20 + number % 30}
            for sensor, at in readings
        ]  # fmt: skip
        once, pause = self._rng.randrange(100) < _ONCE, _AGAIN_S
        while not self._gave_up.is_set():
            receipt = await self._post("/api/v1/telemetry", wish, body, {})
            if receipt is not None:
                self.ledger.after(wish, Outcome.OK)
                if receipt["rejected"]:
                    self.surprises.append(f"readings were rejected: {str(receipt)[:200]}")
                return
            if once:
                return
            await asyncio.sleep(pause)
            pause = min(pause * _AGAIN_LATER, _AGAIN_MOST_S)

    async def _post(self, path: str, wish: Wish, body: object, headers: dict[str, str]) -> dict[str, str] | None:
        """The receipt if the answer was a 202, which the caller notes; anything else is noted here."""
        async with self._turns:
            return await self._attempt(path, wish, body, headers)

    async def _attempt(self, path: str, wish: Wish, body: object, headers: dict[str, str]) -> dict[str, str] | None:
        self.ledger.before(wish)
        token = {"Authorization": f"Bearer {self.field.device_key}"}
        try:
            async with asyncio.timeout(_ANSWER_S):
                status, answer = await post(self.field.reports_url, path, body, {**token, **headers})
        except ConnectionRefusedError:
            self.ledger.after(wish, Outcome.REFUSED)  # nobody was there to take it
            return None
        except (OSError, EOFError, TimeoutError):
            self.ledger.after(wish, Outcome.UNKNOWN)
            return None
        if status == 202:
            return answer
        if status == 503 and not answer["type"].endswith("/outcome-unknown"):
            self.ledger.after(wish, Outcome.REFUSED)
            return None
        self.ledger.after(wish, Outcome.UNKNOWN)
        if status != 503:
            self.surprises.append(f"{path} answered {status}: {str(answer)[:200]}")
        return None


async def post(base_url: str, path: str, body: object, headers: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Status and JSON of the answer, by a connection of its own. HTTP by hand: a client for everything takes ten times
    the CPU, and the city needs it. Raises OSError or EOFError when there is no whole answer."""
    address = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        content = msgspec.json.encode(body)
        head = {"Host": address.netloc, "Content-Type": "application/json", "Content-Length": str(len(content))}
        lines = [f"POST {path} HTTP/1.1", *(f"{k}: {v}" for k, v in {**head, **headers, "Connection": "close"}.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        answered = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        length = next(int(line.partition(":")[2]) for line in answered if line.startswith("content-length:"))
        return int(answered[0].split()[1]), msgspec.json.decode(await reader.readexactly(length))
    finally:
        writer.close()


def text(key: str) -> str:
    """What a report says: of rubbish, and its key, by which it is found in the database and in the topics."""
    return f"Tumpukan sampah liar menggunung di pinggir jalan dan sudah bau menyengat {key}"


def key_of(description: str) -> str:
    """The key in a report's text."""
    return description.rpartition(" ")[2]
