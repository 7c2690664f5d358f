"""What staff ask of incidents: a page of a filtered list, and one incident with all that is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dispatcher.decisions.incident import Incident
from dispatcher.decisions.proof import Flag
from dispatcher.desk.page import Mark
from dispatcher.desk.scope import Scope
from dispatcher.incident_store import COLUMNS, from_row
from infra.postgres import Connection
from schemas.incident import IncidentRow
from schemas.vocabulary import AgencyCode, Category, IncidentStatus, Priority, Regency, ReportChannel
from schemas.wire import Record, Timestamp

#: Whose clock runs: what is done or somebody else's is not overdue.
_CLOCK_STOPPED: Final = "('resolved', 'closed', 'rejected', 'merged', 'transferred')"
_OVERDUE: Final = f"(due_at IS NOT NULL AND due_at < now() AND status NOT IN {_CLOCK_STOPPED})"


@dataclass(frozen=True, slots=True)
class Box:
    """West, south, east, north in degrees."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty or None filters nothing; several words of one filter: any of them."""

    statuses: Sequence[IncidentStatus] = ()
    agencies: Sequence[AgencyCode] = ()
    regencies: Sequence[Regency] = ()
    categories: Sequence[Category] = ()
    kecamatan: Sequence[str] = ()
    priorities: Sequence[Priority] = ()
    box: Box | None = None
    #: On `updated_at`: from `since` on, before `until`.
    since: datetime | None = None
    until: datetime | None = None
    #: Part of the id, title or address, or of a citizen's words when `in_words`; case does not matter.
    text: str | None = None
    in_words: bool = True
    overdue: bool | None = None
    flags: Sequence[Flag] = ()


@dataclass(slots=True)
class _Conditions:
    """Conditions of a WHERE clause with their values, numbered as they come."""

    sql: list[str] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def add(self, condition: str, *values: object) -> None:
        """`condition` has a `{}` for each value."""
        first = len(self.values) + 1
        self.sql.append(condition.format(*(f"${first + n}" for n in range(len(values)))))
        self.values.extend(values)

    @property
    def where(self) -> str:
        return " AND ".join(self.sql) or "true"


async def select_page(
    connection: Connection, scope: Scope, filters: Filters, after: Mark | None, limit: int
) -> list[Incident]:
    """At most `limit` incidents behind `after`, newest change first. Without changes in between, pages that follow
    each other hold each incident once."""
    wanted = _Conditions()
    _add_scope(wanted, scope)
    _add_filters(wanted, filters)
    if after is not None:
        wanted.add("(updated_at, id) < ({}, {})", after.updated_at, after.id)
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM incident WHERE {wanted.where}"  # noqa: S608 - conditions are ours, values are numbered
        f" ORDER BY updated_at DESC, id DESC LIMIT {int(limit)}",
        *wanted.values,
    )
    return [from_row(row) for row in rows]


def _add_scope(wanted: _Conditions, scope: Scope) -> None:
    if scope.agencies:
        pairs = [str(agency) for agency in scope.agencies]
        wanted.add("(regency || '/' || agency = ANY({}) OR co_agencies && {})", pairs, pairs)
    if scope.kecamatan is not None:
        wanted.add("kecamatan = {}", scope.kecamatan)


def _add_filters(wanted: _Conditions, filters: Filters) -> None:
    for column, words in (
        ("status", [one.value for one in filters.statuses]),
        ("agency", [one.value for one in filters.agencies]),
        ("regency", [one.value for one in filters.regencies]),
        ("category", [one.value for one in filters.categories]),
        ("kecamatan", list(filters.kecamatan)),
        ("priority", [one.value for one in filters.priorities]),
    ):
        if words:
            wanted.add(column + " = ANY({})", words)
    if box := filters.box:
        wanted.add("lon BETWEEN {} AND {} AND lat BETWEEN {} AND {}", box.west, box.east, box.south, box.north)
    if filters.since is not None:
        wanted.add("updated_at >= {}", filters.since)
    if filters.until is not None:
        wanted.add("updated_at < {}", filters.until)
    if filters.overdue is not None:
        wanted.add(_OVERDUE if filters.overdue else f"NOT {_OVERDUE}")
    if filters.flags:
        wanted.add("flags && {} AND flags <> '{{}}'", [flag.value for flag in filters.flags])
    if filters.text:
        pattern = f"%{_literally(filters.text)}%"
        places = "title ILIKE {} OR address ILIKE {} OR id ILIKE {}"
        if filters.in_words:
            words_too = " OR EXISTS (SELECT FROM report r WHERE r.incident_id = incident.id AND r.description ILIKE {})"
            wanted.add(f"({places}{words_too})", pattern, pattern, pattern, pattern)
        else:
            wanted.add(f"({places})", pattern, pattern, pattern)


def _literally(text: str) -> str:
    """The text for ILIKE with nothing in it that means something there."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def select_rows(connection: Connection, incident_ids: Sequence[str]) -> dict[str, IncidentRow]:
    """The rows of these incidents by id."""
    rows = await connection.fetch(f"SELECT {COLUMNS} FROM incident WHERE id = ANY($1)", list(incident_ids))  # noqa: S608
    return {row["id"]: from_row(row).row() for row in rows}


# One incident with all that is known of it -------------------------------------------------------------------------


class ReportOfIncident(Record, frozen=True):
    """A citizen's report as staff see it; who reported is not in it. Words, code and photos are null or empty for those
    who read without personal data (executives)."""

    report_id: str
    tracking_code: str | None
    description: str | None
    submitted_at: Timestamp
    channel: ReportChannel
    photos: tuple[str, ...]


class EvidenceOfIncident(Record, frozen=True):
    """What speaks for it, or with a negative weight against it."""

    source: str
    source_id: str
    weight: float
    at: Timestamp
    detail: str


class HistoryEntry(Record, frozen=True):
    """What happened to it; `public` notes are read by the citizen."""

    version: int
    change: str
    status: IncidentStatus
    actor: str
    at: Timestamp
    device_at: Timestamp | None
    note: str | None
    public: bool
    detail: dict[str, str]


class DecisionOfIncident(Record, frozen=True):
    """Why a judgement came out as it did."""

    judgement: str
    outcome: str
    because: tuple[str, ...]
    score: float | None
    report_id: str | None
    at: Timestamp


@dataclass(frozen=True, slots=True)
class Story:
    """Everything beside the row itself, each oldest first."""

    reports: tuple[ReportOfIncident, ...]
    evidence: tuple[EvidenceOfIncident, ...]
    history: tuple[HistoryEntry, ...]
    decisions: tuple[DecisionOfIncident, ...]


async def select_story(connection: Connection, incident_id: str, *, personal: bool) -> Story:
    """The story of an incident; without the citizens' words unless `personal`. Call it in the transaction of the row,
    so that both tell of one moment."""
    reports = await connection.fetch(
        "SELECT id, tracking_code, description, submitted_at, channel, photos FROM report"
        " WHERE incident_id = $1 ORDER BY received_at, id",
        incident_id,
    )
    evidence = await connection.fetch(
        "SELECT source, source_id, weight, at, detail FROM incident_evidence WHERE incident_id = $1 ORDER BY at, id",
        incident_id,
    )
    history = await connection.fetch(
        "SELECT version, change, status, actor, at, device_at, note, public, detail FROM incident_history"
        " WHERE incident_id = $1 ORDER BY version",
        incident_id,
    )
    decisions = await connection.fetch(
        "SELECT judgement, outcome, because, score, report_id, at FROM incident_decision"
        " WHERE incident_id = $1 ORDER BY id",
        incident_id,
    )
    return Story(
        reports=tuple(
            ReportOfIncident(
                report_id=row["id"],
                tracking_code=row["tracking_code"] if personal else None,
                description=row["description"] if personal else None,
                submitted_at=row["submitted_at"],
                channel=ReportChannel(row["channel"]),
                photos=tuple(photo_url(photo["id"]) for photo in row["photos"]) if personal else (),
            )
            for row in reports
        ),
        evidence=tuple(EvidenceOfIncident(**row) for row in evidence),
        history=tuple(HistoryEntry(**{**row, "status": IncidentStatus(row["status"])}) for row in history),
        decisions=tuple(DecisionOfIncident(**{**row, "because": tuple(row["because"])}) for row in decisions),
    )


async def select_photo_ids(connection: Connection, incident_id: str) -> set[str]:
    """The photos that citizens have sent about an incident."""
    rows = await connection.fetch("SELECT photos FROM report WHERE incident_id = $1", incident_id)
    return {photo["id"] for row in rows for photo in row["photos"]}


async def select_incident_of_photo(connection: Connection, photo_id: str) -> str | None:
    """The incident whose report a photo came with."""
    report_id, _, _ = photo_id.rpartition("-")
    row = await connection.fetchrow("SELECT incident_id, photos FROM report WHERE id = $1", report_id)
    return row["incident_id"] if row and any(photo["id"] == photo_id for photo in row["photos"]) else None


def photo_url(photo_id: str) -> str:
    """Where the desk serves a photo, root-relative."""
    return f"/api/v1/photos/{photo_id}"


def is_id(text: str) -> bool:
    """Whether it could be an id of ours at all; anything else is unknown without asking."""
    return len(text) <= 40 and text.isascii() and text.replace("-", "").isalnum()
