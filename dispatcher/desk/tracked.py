"""What a citizen may read about the own report: the status in the citizen's words, and nobody else's data."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from dispatcher.decisions.reference import Agency, holder_name
from schemas.vocabulary import STATUS_LABEL, Category, IncidentStatus
from schemas.wire import Record, Timestamp

Language = Literal["id", "en"]

#: What citizens call one that was taken up again, until somebody does something about it.
_REOPENED: Final = ("Dibuka kembali", "Reopened")


class Named(Record, frozen=True):
    """A code and what people call it."""

    code: str
    name: str


class TrackedEntry(Record, frozen=True):
    """One thing that happened, as far as the citizen may know."""

    status: IncidentStatus
    at: Timestamp
    note: str | None
    #: The citizens' word for how it stood then.
    label: str
    #: Who had it from then on; null while nobody, or not known any more.
    agency: Named | None


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
    #: Whether `feedback` that is not satisfied reopens it now.
    can_reopen: bool = False
    #: What its reporter said of the answer, if anything.
    satisfied: bool | None = None


class Entry(msgspec.Struct, frozen=True):
    """What the history of an incident tells of one entry; `note` only where staff marked it public."""

    status: IncidentStatus
    at: datetime
    note: str | None
    #: Who has it from then on (`Incident.holder`); empty for nobody, None where that did not change.
    custody: str | None = None
    #: It was taken up again.
    reopened: bool = False


def public_history(
    submitted_at: datetime,
    joined_at: datetime,
    entries: Sequence[Entry],
    language: Language = "id",
    agencies: Sequence[Agency] = (),
) -> tuple[TrackedEntry, ...]:
    """The report's own story, oldest first: sent in, how its incident stood when it joined, and each later change of
    status or hands or public note. What happened before it came is other people's.

    `entries` is the history of the incidents that it was in, oldest first; `agencies` are those named anew.
    """
    new = IncidentStatus.NEW
    story = [TrackedEntry(status=new, at=submitted_at, note=None, label=label(new, language), agency=None)]
    for entry in entries:
        last = story[-1]
        agency = last.agency if entry.custody is None else holder_named(entry.custody, agencies)
        moves = entry.status is not last.status or agency != last.agency or entry.reopened
        words = label(entry.status, language, reopened=entry.reopened) if moves else last.label
        told = TrackedEntry(status=entry.status, at=entry.at, note=entry.note, label=words, agency=agency)
        if entry.at < joined_at:
            if moves:
                # How it stands when the report joins: told as of that moment, and only the last of these.
                story[1:] = [msgspec.structs.replace(told, at=joined_at, note=None)]
        elif moves or entry.note is not None:
            story.append(told)
    return tuple(story)


def label(status: IncidentStatus, language: Language, *, reopened: bool = False) -> str:
    """The word that citizens know for a status; `reopened`: it has just been taken up again."""
    return (_REOPENED if reopened else STATUS_LABEL[status])[0 if language == "id" else 1]


def holder_named(holder: str, agencies: Sequence[Agency] = ()) -> Named | None:
    """Who has it (`Incident.holder`), as citizens know them; None for nobody. `agencies`: those named anew."""
    return Named(code=holder.rpartition("/")[2], name=holder_name(agencies, holder)) if holder else None


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
