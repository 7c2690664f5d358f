"""All recordings as one: rows of several files in the order of their times, numbered."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.replay.message import Reader
from infra.replay.recording import Recording, Row


@dataclass(frozen=True, slots=True)
class Planned:
    """A row and its place in the replay."""

    #: Counted from 0 over all files; the same in every replay of the same files.
    number: int
    recording: Recording
    row: Row
    #: Unix time at which it was recorded; a row that does not say goes right behind the one before it.
    recorded: float


@dataclass(frozen=True, slots=True)
class Survey:
    """How much there is. The times are null when no row has one."""

    rows: int
    first: float | None
    last: float | None


def plan(recordings: Sequence[Recording], reader: Reader) -> Iterator[Planned]:
    """The rows of all files. The order within a file is never changed."""
    streams = [_timed(recording, reader) for recording in recordings]
    for number, (recorded, _, recording, row) in enumerate(heapq.merge(*streams, key=lambda each: each[:2])):
        yield Planned(number, recording, row, recorded)


def survey(recordings: Sequence[Recording], reader: Reader) -> Survey:
    """Read all of it once."""
    count, first, last = 0, math.inf, -math.inf
    for planned in plan(recordings, reader):
        count += 1
        if math.isfinite(planned.recorded):
            first, last = min(first, planned.recorded), max(last, planned.recorded)
    return Survey(count, first, last) if math.isfinite(first) else Survey(count, None, None)


def _timed(recording: Recording, reader: Reader) -> Iterator[tuple[float, str, Recording, Row]]:
    latest = -math.inf
    for row in recording.rows():
        time = reader.time_of(row.fields)
        latest = latest if time is None else max(latest, time.timestamp())
        yield latest, str(recording.path), recording, row
