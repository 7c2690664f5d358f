"""Work that waits: for how long, for which reason, and whether the clock waits too."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

#: The reason of a pause that was given in free words.
OTHER: Final = "other"
#: Somebody has to look at the place before the work is known.
FIELD_CHECK: Final = "field_check"


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """One time on hold. Without `until` it lasts."""

    #: A code of `REASONS`, or `other`.
    reason: str
    since: datetime
    #: When it was to end by itself, if ever.
    planned_until: datetime | None = None
    #: When it ended.
    until: datetime | None = None
    #: Whether what is due waits as long.
    stops_clock: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why work waits, in words that a citizen may read (Indonesian, English)."""

    name: str
    name_en: str
    #: The city cannot do anything about it: the promise waits too.
    stops_clock: bool


#: Whatever else people write is kept as they wrote it, for staff, and stops no clock: else any word would.
REASONS: Final[Mapping[str, Reason]] = {
    "waiting_for_reporter": Reason("Menunggu keterangan pelapor", "Waiting for the reporter's answer", True),
    "waiting_for_outside_body": Reason("Menunggu pihak luar", "Waiting for an outside body", True),
    "bad_weather": Reason("Cuaca tidak memungkinkan", "The weather does not allow it", True),
    "unsafe": Reason("Lokasi belum aman", "The place is not safe yet", True),
    # stops no clock: what needs one is promised in another time (dispatcher.decisions.sla)
    FIELD_CHECK: Reason("Menunggu pemeriksaan lapangan", "Waiting for a field check", False),
    "waiting_for_equipment": Reason("Menunggu alat atau bahan", "Waiting for equipment or material", False),
    "waiting_for_staff": Reason("Menunggu petugas", "Waiting for staff", False),
    "waiting_for_budget": Reason("Menunggu anggaran", "Waiting for a budget", False),
}


def code_of(words: str) -> str:
    """The code that the words are, or are the name of in either language; `other` for all else."""
    said = " ".join(words.split()).casefold()
    for code, reason in REASONS.items():
        if said in (code, reason.name.casefold(), reason.name_en.casefold()):
            return code
    return OTHER


def held(words: str, since: datetime, planned_until: datetime | None) -> Pause:
    """A pause that begins."""
    code = code_of(words)
    stops = code in REASONS and REASONS[code].stops_clock
    return Pause(reason=code, since=since, planned_until=planned_until, stops_clock=stops)


def ended(pauses: tuple[Pause, ...], now: datetime) -> tuple[Pause, ...]:
    """The same with the last one over, if it lasted."""
    if not pauses or pauses[-1].until is not None:
        return pauses
    return (*pauses[:-1], msgspec.structs.replace(pauses[-1], until=now))
