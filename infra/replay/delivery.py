"""Sends what was planned: reports side by side, readings in arrays one after another, each until it is settled."""

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import msgspec

from infra.local.trouble import Trouble
from infra.public_api import PASSING, Api
from infra.replay.bookmark import Bookmark, Fate
from infra.replay.message import Message, Reader
from infra.replay.plan import Planned
from infra.replay.recording import BadRow
from infra.replay.schedule import Schedule
from schemas.report import ReportDraft
from schemas.telemetry import TelemetryReceipt
from schemas.wire import encode

#: Readings of one array; the API takes 5,000. Fewer are acknowledged sooner, and lost by a time-out together.
_READINGS: Final = 1000
#: Rows that are due within this time go out together.
_GRAIN_S: Final = 0.05
#: A gap in the recording, or one wrong time: whoever looks on is told before it waits for longer than this.
_LONG_S: Final = 3600.0
#: Answers with 5xx other than `PASSING` that a row gets before it counts as refused.
_CRASHES: Final = 5
_JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Terms:
    """What the command was told about sending."""

    #: Reports that are under way at once; 1 keeps their order.
    at_once: int
    #: Seconds without an answer that settles anything, after which it gives up.
    patience_s: float
    #: The first row that is not taken ends it.
    strict: bool


@dataclass(frozen=True, slots=True)
class _Ready:
    planned: Planned
    message: Message


class Delivery:
    """Brings rows to the city and notes in `bookmark` what became of each. `tell` gets a line for each not taken."""

    def __init__(self, api: Api, reader: Reader, bookmark: Bookmark, terms: Terms, tell: Callable[[str], None]) -> None:
        self._api = api
        self._reader = reader
        self._bookmark = bookmark
        self._terms = terms
        self._tell = tell
        self._stop = asyncio.Event()
        self._shift = timedelta(seconds=bookmark.mark.shift_s)
        #: When something was last settled, by the event loop's clock.
        self._last_answer = 0.0
        #: What it waits for, while it waits.
        self.waits_for: str | None = None

    def stop(self) -> None:
        """Begin nothing more; what is under way may end."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    async def run(self, rows: Iterator[Planned], schedule: Schedule) -> None:
        """Send them as they are due. Raises Trouble when the city cannot be used, or by a row that a strict one met."""
        loop = asyncio.get_running_loop()
        reports = asyncio.Semaphore(self._terms.at_once)
        readings: list[_Ready] = []
        # One array at a time: a device's readings arrive in their order.
        array: asyncio.Task[None] | None = None

        async with asyncio.TaskGroup() as group:

            async def flush() -> None:
                nonlocal array, readings
                if array is not None:
                    await array
                array = group.create_task(self._send_readings(readings)) if readings else None
                readings = []

            async def report(ready: _Ready) -> None:
                try:
                    await self._send_report(ready)
                finally:
                    reports.release()

            for planned in rows:
                delay = schedule.due(planned.recorded) - loop.time() if math.isfinite(planned.recorded) else 0.0
                if delay > _GRAIN_S or len(readings) == _READINGS:
                    await flush()
                if delay > _LONG_S:
                    self._announce(planned, delay)
                await self._rest(delay)
                if self._stop.is_set():
                    break
                ready = self._prepare(planned)
                if ready is None:
                    continue
                if isinstance(ready.message, ReportDraft):
                    await reports.acquire()
                    group.create_task(report(ready))
                else:
                    readings.append(ready)
            await flush()

    async def _rest(self, delay: float) -> None:
        """Wait `delay` s or until it is time to stop; others get their turn in any case."""
        if delay <= _GRAIN_S:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(delay):
                await self._stop.wait()
        except TimeoutError:
            pass

    def _prepare(self, planned: Planned) -> _Ready | None:
        row = planned.row
        try:
            if row.fault is not None:
                raise BadRow(row.fault)
            message = self._reader.message_of(row.fields, planned.recording.path.stem)
            if message.observed_at is not None:
                message = msgspec.structs.replace(message, observed_at=self._shifted(message.observed_at))
        except BadRow as bad:
            self._set_aside(planned, Fate.BAD, str(bad))
            return None
        return _Ready(planned, message)

    def _shifted(self, observed_at: datetime) -> datetime:
        try:
            return observed_at + self._shift
        except OverflowError:
            raise BadRow("observed_at: so far from the others that no year is left for it") from None

    def _announce(self, planned: Planned, delay: float) -> None:
        try:
            due = f"{datetime.now(UTC) + timedelta(seconds=delay):%Y-%m-%d %H:%M} UTC"
        except OverflowError:
            due = "no year that there is"
        self._tell(f"{planned.recording.path}:{planned.row.line}: is due at {due}, and all rows behind it wait")

    async def _send_report(self, ready: _Ready) -> None:
        mark = self._bookmark.mark
        # With other times it is another body: under an old key the city would refuse it.
        key = f"replay-{mark.run[:40]}-{mark.shift_s:.3f}-{mark.round}-{ready.planned.number}"
        answer = await self._insist("/api/v1/reports", encode(ready.message), {**_JSON, "Idempotency-Key": key})
        if answer is None:
            return
        if answer.status_code < 300:
            self._bookmark.settle(ready.planned.number, Fate.TAKEN)
        else:
            self._set_aside(ready.planned, Fate.REFUSED, _reason(answer))

    async def _send_readings(self, readings: Sequence[_Ready]) -> None:
        body = encode([ready.message for ready in readings])
        answer = await self._insist("/api/v1/telemetry", body, _JSON)
        if answer is None:
            return
        if answer.status_code >= 300:
            for ready in readings:
                self._set_aside(ready.planned, Fate.REFUSED, _reason(answer))
            return
        receipt = msgspec.json.decode(answer.content, type=TelemetryReceipt)
        reasons = {each.index: each.message for each in receipt.rejected}
        for index, ready in enumerate(readings):
            if (reason := reasons.get(index)) is not None:
                self._set_aside(ready.planned, Fate.REFUSED, reason)
            else:
                self._bookmark.settle(ready.planned.number, Fate.TAKEN)

    async def _insist(self, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response | None:
        """The answer that settles it; None when it is time to stop first. Raises Trouble."""
        loop = asyncio.get_running_loop()
        begun, crashes = loop.time(), 0
        while not self._stop.is_set():
            answer = await self._api.send("POST", path, content=body, headers=headers)
            if answer is None:
                self.waits_for = "nobody answers"
            elif answer.status_code in PASSING:
                self.waits_for = f"{answer.status_code}: {_reason(answer)}"
            elif answer.status_code >= 500 and crashes < _CRASHES:
                crashes += 1
                self.waits_for = f"{answer.status_code}: {_reason(answer)}"
                await asyncio.sleep(crashes)
            elif answer.status_code == 401 or (answer.status_code == 403 and _kind(answer) == "device-scope"):
                raise Trouble(f"The city does not take it: {_reason(answer)} Give a device key with --api-key-file.")
            else:
                self.waits_for, self._last_answer = None, loop.time()
                return answer
            if loop.time() - max(begun, self._last_answer) > self._terms.patience_s:
                raise Trouble(
                    f"The city has taken nothing for {self._terms.patience_s:.0f} s ({self.waits_for}). "
                    "The same command goes on from here."
                )
        return None

    def _set_aside(self, planned: Planned, fate: Fate, reason: str) -> None:
        place = f"{planned.recording.path}:{planned.row.line}"
        if self._terms.strict:
            raise Trouble(f"{place}: {reason}. Mend the row, or leave --strict out.")
        self._tell(f"{place}: {reason}")
        self._bookmark.settle(planned.number, fate)


def _problem(answer: httpx.Response) -> dict[str, str]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _reason(answer: httpx.Response) -> str:
    return str(_problem(answer).get("detail") or f"answered {answer.status_code}")


def _kind(answer: httpx.Response) -> str:
    return str(_problem(answer).get("type", "")).rpartition("/")[2]
