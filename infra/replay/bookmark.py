"""How far a replay has come, in a file: what a killed one goes on from."""

import fcntl
import os
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from infra.local.record import write_whole
from infra.local.trouble import Trouble, of_os_error
from infra.replay.message import Reader
from schemas.wire import Record, Timestamp, encode


class Fate(StrEnum):
    """What became of a row."""

    #: Acknowledged by the city.
    TAKEN = "taken"
    #: Refused by the city, for good.
    REFUSED = "refused"
    #: Not sent: it makes no report and no reading.
    BAD = "bad"


class Mark(Record, frozen=True):
    """The content of the file."""

    #: What is replayed: see `identity`.
    run: str
    begun_at: Timestamp
    #: Added to every recorded time; kept, so that a row sent again is the very same.
    shift_s: float
    #: All rows before this one are settled.
    settled: int
    fates: dict[Fate, int]
    #: How often it was begun anew on purpose.
    round: int = 1
    finished: bool = False


def identity(names: Sequence[str], reader: Reader, *, shifted: bool, target: str) -> str:
    """The name (hex) of a replay: these files, read like this, sent there."""
    return sha256(encode([names, reader, shifted, target])).hexdigest()


class Bookmark:
    """The file of one replay, ours alone while it is open, and the rows settled since it was read.

    Rows end in any order; the mark moves over those that are settled without a gap, and what was settled beyond it is
    sent once more after a kill: with the same Idempotency-Key or time of observation it has no second effect.
    """

    def __init__(self, path: Path) -> None:
        """Raises Trouble when another replay has it, or when it cannot be used."""
        self._path = path
        self._beyond: dict[int, Fate] = {}
        self._written: Mark | None = None
        self.mark: Mark
        self.fates: Counter[Fate] = Counter()
        self.settled = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock: Final = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(f"This recording is being replayed already ({path} is in use).") from None
        except OSError as error:
            raise of_os_error(error, f"preparing {path}; choose another place with --state") from error

    def found(self) -> Mark | None:
        """What an earlier replay left. Raises Trouble when it is not ours to read."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Mark)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise Trouble(f"{self._path} is not the state of a replay; remove it, or use --state.") from error

    def begin(self, mark: Mark) -> None:
        """Go on from `mark`."""
        self.mark = mark
        self.settled = mark.settled
        self.fates = Counter(mark.fates)
        self.save()

    def settle(self, number: int, fate: Fate) -> None:
        """The row has this fate, for good."""
        self._beyond[number] = fate
        while (fate_of_next := self._beyond.pop(self.settled, None)) is not None:
            self.fates[fate_of_next] += 1
            self.settled += 1

    def save(self, *, finished: bool = False) -> None:
        """Write it, on disk when this returns; nothing is written when nothing has changed. Raises Trouble."""
        mark = msgspec.structs.replace(self.mark, settled=self.settled, fates=dict(self.fates), finished=finished)
        if mark == self._written:
            return
        try:
            write_whole(self._path, encode(mark))
        except OSError as error:
            raise of_os_error(error, f"writing {self._path}; choose another place with --state") from error
        self._written = mark

    def close(self) -> None:
        """Let others have it."""
        os.close(self._lock)
