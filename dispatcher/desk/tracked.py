"""What a citizen may read about the own report: the status in the citizen's words, and nobody else's data."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from schemas.place import AgencyRef
from schemas.vocabulary import AGENCY_NAME, REGENCY_NAME, STATUS_LABEL, AgencyCode, Category, IncidentStatus
from schemas.wire import Record, Timestamp

Language = Literal["id", "en"]

#: Outside bodies belong to no regency: their name stands alone.
OUTSIDE: Final = frozenset({AgencyCode.PLN, AgencyCode.TOLL, AgencyCode.OTHER_GOV})


class Named(Record, frozen=True):
    """A code and what people call it."""

    code: str
    name: str


class TrackedEntry(Record, frozen=True):
    """One thing that happened, as far as the citizen may know."""

    status: IncidentStatus
    at: Timestamp
    note: str | None


class TrackedReport(Record, frozen=True):
    """The answer of `GET /api/v1/reports/{tracking_code}`."""

    tracking_code: str
    status: IncidentStatus
    status_label: str
    #: True until the dispatcher has the report; what is null is then not known yet.
    processing: bool
    category: Category | None = None
    agency: Named | None = None
    kecamatan: Named | None = None
    incident_id: str | None = None
    submitted_at: Timestamp | None = None
    due_at: Timestamp | None = None
    history: tuple[TrackedEntry, ...] = ()
    #: Root-relative addresses that open with the code.
    photos: tuple[str, ...] = ()
    can_reopen: bool = False


class Entry(msgspec.Struct, frozen=True):
    """What the history of an incident tells of one entry; `note` only where staff marked it public."""

    status: IncidentStatus
    at: datetime
    note: str | None


def public_history(submitted_at: datetime, joined_at: datetime, entries: Sequence[Entry]) -> tuple[TrackedEntry, ...]:
    """The report's own story, oldest first: sent in, how its incident stood when it joined, and each later change of
    status or public note. What happened before it came is other people's.

    `entries` is the incident's history, oldest first.
    """
    story = [TrackedEntry(status=IncidentStatus.NEW, at=submitted_at, note=None)]
    for entry in entries:
        if entry.at < joined_at:
            if entry.status is not story[-1].status:
                # How it stands when the report joins: told as of that moment, and only the last of these.
                story[1:] = [TrackedEntry(status=entry.status, at=joined_at, note=None)]
        elif entry.note is not None or entry.status is not story[-1].status:
            story.append(TrackedEntry(status=entry.status, at=entry.at, note=entry.note))
    return tuple(story)


def label(status: IncidentStatus, language: Language) -> str:
    """The word that citizens know for a status."""
    return STATUS_LABEL[status][0 if language == "id" else 1]


def agency_name(agency: AgencyRef) -> str:
    """As it stands on its office: `Dinas Perhubungan Kota Bekasi`."""
    name = AGENCY_NAME[agency.agency]
    return name if agency.agency in OUTSIDE else f"{name} {REGENCY_NAME[agency.regency]}"


def language_of(accept_language: str | None) -> Language:
    """The first of Indonesian and English that a browser asks for; Indonesian when it asks for neither."""
    best: tuple[float, Language] = (0.0, "id")
    for part in (accept_language or "").split(","):
        tag, _, parameter = part.strip().partition(";")
        primary = tag.strip().lower().split("-")[0]
        weight = _quality(parameter)
        if primary in ("id", "in", "en") and weight > best[0]:
            best = (weight, "en" if primary == "en" else "id")
    return best[1]


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
