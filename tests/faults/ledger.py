"""A line on disk before and after each attempt, so that what a system says can be held against what it did."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

import msgspec


class Outcome(StrEnum):
    """What the client knows of an attempt. A 503 after hand-over, or no answer at all, is unknown."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Wish(msgspec.Struct, frozen=True):
    """One thing that somebody wanted done, in as many attempts as it took."""

    #: In the report's text, so that it is found wherever the report is.
    key: str
    kind: Literal["report", "readings", "poison"]
    #: Reports of one event meet at its place; None: a report at a place of its own.
    event: str | None = None
    #: Sensor and time of each reading.
    readings: tuple[tuple[str, datetime], ...] = ()


class _Line(msgspec.Struct, omit_defaults=True):
    at: datetime
    key: str
    #: Before an attempt; its first line has the whole wish.
    begins: Wish | None = None
    #: After it.
    outcome: Outcome | None = None
    #: Of a report; of poison the place in its topic.
    identity: str | None = None


@dataclass
class Entry:
    """A wish and what is known of it."""

    wish: Wish
    outcomes: list[Outcome] = field(default_factory=list)
    #: What was answered, attempt by attempt.
    identities: list[str] = field(default_factory=list)
    #: Attempts begun and not yet answered.
    _open: int = 0

    @property
    def acknowledged(self) -> bool:
        return Outcome.OK in self.outcomes

    @property
    def may_exist(self) -> bool:
        """Whether any attempt may have had an effect: one that was begun and not refused."""
        return self._open > 0 or any(outcome is not Outcome.REFUSED for outcome in self.outcomes)


class Ledger:
    """Written as the load goes on. The verdict reads the file, not our memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)

    def before(self, wish: Wish) -> None:
        """An attempt begins."""
        self._write(_Line(datetime.now(UTC), wish.key, begins=wish))

    def after(self, wish: Wish, outcome: Outcome, identity: str | None = None) -> None:
        """It ended so; `identity` of what was acknowledged."""
        self._write(_Line(datetime.now(UTC), wish.key, outcome=outcome, identity=identity))

    def close(self) -> None:
        self._file.close()

    def _write(self, line: _Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")


def read(path: Path) -> list[Entry]:
    """Every wish of a ledger, in the order of first attempts."""
    return entries(msgspec.json.decode(line, type=_Line) for line in path.read_bytes().splitlines())


def entries(lines: Iterable[_Line]) -> list[Entry]:
    """Lines put together."""
    found: dict[str, Entry] = {}
    for line in lines:
        if line.begins is not None:
            entry = found.setdefault(line.key, Entry(line.begins))
            entry._open += 1
        elif line.outcome is not None:
            entry = found[line.key]
            entry._open -= 1
            entry.outcomes.append(line.outcome)
            if line.identity is not None:
                entry.identities.append(line.identity)
    return list(found.values())
