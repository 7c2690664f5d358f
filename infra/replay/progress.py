"""How far it is, on standard error: one line that changes on a terminal, a line now and then elsewhere."""

import asyncio
import time
from typing import Final, TextIO

from infra.replay.bookmark import Bookmark, Fate

_TERMINAL_S: Final = 0.3
_ELSEWHERE_S: Final = 10.0


class Progress:
    """Tells of `bookmark`, which has `total` rows in the end."""

    def __init__(self, bookmark: Bookmark, total: int, out: TextIO) -> None:
        self._bookmark = bookmark
        self._total = total
        self._out = out
        self._changes = out.isatty()
        self._begun = time.monotonic()
        self._before = bookmark.settled

    def line(self, waits_for: str | None = None) -> str:
        """`1200 of 5000 rows (24 %): 1190 taken, 8 refused, 2 bad; 410/s`."""
        fates = self._bookmark.fates
        settled = self._bookmark.settled
        share = f" ({100 * settled // self._total} %)" if self._total else ""
        told = ", ".join(f"{fates[fate]} {fate}" for fate in Fate if fates[fate] or fate is Fate.TAKEN)
        speed = (settled - self._before) / max(time.monotonic() - self._begun, 0.001)
        waits = f"; waits, {waits_for}" if waits_for else ""
        return f"{settled} of {self._total} rows{share}: {told}; {speed:.0f}/s{waits}"

    def complain(self, text: str) -> None:
        """A line that stays."""
        self._out.write(f"\r\x1b[K{text}\n" if self._changes else f"{text}\n")
        self._out.flush()

    def show(self, waits_for: str | None = None) -> None:
        """Tell how far it is."""
        line = self.line(waits_for)
        self._out.write(f"\r\x1b[K{line[:160]}" if self._changes else f"{line}\n")
        self._out.flush()

    def end(self) -> None:
        """Tell it for the last time."""
        self.complain(self.line())

    async def rest(self) -> None:
        """Until it is time to tell it again."""
        await asyncio.sleep(_TERMINAL_S if self._changes else _ELSEWHERE_S)
