"""Questions about incidents: the list in three formats, and one with its whole story."""

import re
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import assignment_store, audit_store, incident_store, policy_store
from dispatcher.decisions.clock_rows import clocks
from dispatcher.decisions.hold import Pause
from dispatcher.decisions.incident import Incident, legal_verbs
from dispatcher.decisions.proof import Flag
from dispatcher.desk import impersonal, incident_query
from dispatcher.desk.incident_formats import CSV, GEOJSON, IncidentCollection, to_csv, to_geojson
from dispatcher.desk.incident_query import (
    Box,
    DecisionOfIncident,
    EvidenceOfIncident,
    Filters,
    HistoryEntry,
    ReportOfIncident,
)
from dispatcher.desk.incident_relations import (
    CustodyOfIncident,
    FeedbackOfIncident,
    custody_of,
    select_relations,
)
from dispatcher.desk.page import Mark, Page, cursor_of
from dispatcher.desk.query import CURSOR, LIMIT, Parameters
from dispatcher.desk.reach import open_incidents
from dispatcher.desk.resources import SIGNED_IN, desk_of, private, scope_of
from infra.access import Principal
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.assignment import AssignmentRow
from schemas.incident import ClockRow, IncidentRow
from schemas.vocabulary import OPEN_STATUSES, AgencyCode, Category, IncidentStatus, Priority, Regency
from schemas.wire import Timestamp, encode

router = APIRouter(tags=["incidents"])


class IncidentDetail(IncidentRow, frozen=True, kw_only=True):
    """One incident with all that is known of it; lists are oldest first."""

    reports: tuple[ReportOfIncident, ...]
    evidence: tuple[EvidenceOfIncident, ...]
    assignments: tuple[AssignmentRow, ...]
    history: tuple[HistoryEntry, ...]
    #: Why it was classified, placed, grouped and routed so.
    decisions: tuple[DecisionOfIncident, ...]
    #: What is due when, and whether it was met.
    clocks: tuple[ClockRow, ...]
    #: Who had it, and from when on.
    custody: tuple[CustodyOfIncident, ...]
    #: Where it was handed over to, when `transferred`.
    transferred_to: str | None
    #: Every time on hold, and when the present one ends by itself.
    pauses: tuple[Pause, ...]
    hold_ends_at: Timestamp | None
    #: The incident that has its reports, when `merged`; and those whose reports it has.
    merged_into: str | None
    merged: tuple[str, ...]
    #: What its first reports were taken out of, and what was taken out of it.
    split_from: str | None
    splits: tuple[str, ...]
    #: What it follows, and what follows it: the same matter again.
    predecessor: str | None
    successors: tuple[str, ...]
    reopened_at: Timestamp | None
    #: What is doubtful about the proof of work; why is in `decisions`.
    flags: tuple[str, ...]
    feedback: tuple[FeedbackOfIncident, ...]
    #: The verbs that its status allows, whoever asks.
    legal: tuple[str, ...]


class Format(StrEnum):
    """`?format=`."""

    JSON = "json"
    GEOJSON = "geojson"
    CSV = "csv"


class _Listed(NamedTuple):
    filters: Filters
    after: Mark | None
    limit: int
    format: Format


def _words(name: str, description: str, words: list[str]) -> dict[str, object]:
    schema = {"type": "array", "items": {"type": "string", "enum": words}}
    return {**parameter(name, "query", description, schema), "explode": True}


_CODE: Final = r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}$"
_FOUR_NUMBERS: Final = r"^-?[0-9]{1,3}(\.[0-9]{1,20})?(,-?[0-9]{1,3}(\.[0-9]{1,20})?){3}$"
_PARAMETERS: Final = (
    _words("status", "Any of these; `open` is every status but the ended ones", ["open", *IncidentStatus]),
    _words("agency", "Any of these", list(AgencyCode)),
    _words("regency", "Any of these", list(Regency)),
    _words("category", "Any of these", list(Category)),
    parameter(
        "kecamatan", "query", "Codes; any of these", {"type": "array", "items": {"type": "string", "pattern": _CODE}}
    ),
    _words("priority", "Any of these", list(Priority)),
    parameter("bbox", "query", "west,south,east,north in degrees", {"type": "string", "pattern": _FOUR_NUMBERS}),
    parameter("since", "query", "Changed then or later", {"type": "string", "format": "date-time"}),
    parameter("until", "query", "Changed before", {"type": "string", "format": "date-time"}),
    parameter(
        "q",
        "query",
        "Part of id, title, address or a report's words",
        {"type": "string", "minLength": 1, "maxLength": 200},
    ),
    parameter("overdue", "query", "Past its due time and not done, or the others", {"type": "boolean"}),
    _words("flag", "Proof of work that is doubtful in any of these ways", list(Flag)),
    parameter("format", "query", "Wins over Accept", {"type": "string", "enum": list(Format)}),
    LIMIT,
    CURSOR,
)


@router.get(
    "/api/v1/incidents",
    **describe(
        summary="Incidents in one's scope, newest change first",
        content={
            "application/json": {"schema": {"$ref": "#/components/schemas/Page_IncidentRow_"}},
            GEOJSON: {"schema": {"$ref": "#/components/schemas/IncidentCollection"}},
            CSV: {"schema": {"type": "string"}},
        },
        errors=(401, 422, 503),
        parameters=_PARAMETERS,
        security=SIGNED_IN,
    ),
)
async def list_incidents(request: Request) -> Response:
    """A page; `next_cursor` goes on behind it. CSV tells it in a `Link` header."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    listed = _listed(request, principal)
    async with desk.database.connection() as connection:
        found = await incident_query.select_page(
            connection, scope_of(principal), listed.filters, listed.after, listed.limit + 1
        )
    page, more = found[: listed.limit], len(found) > listed.limit
    cursor = cursor_of(Mark(updated_at=page[-1].updated_at, id=page[-1].id)) if more else None
    if listed.format is not Format.JSON:
        await _tell_export(request, principal, listed.format, len(page))
    rows = [incident.row() for incident in page]
    if not impersonal.sees_people(principal):
        rows = [impersonal.row(row) for row in rows]
    return _in_format(request, listed.format, rows, cursor)


@router.get(
    "/api/v1/incidents/{incident_id}",
    **describe(
        summary="One incident with its reports, evidence, assignments, history and decisions",
        returns=IncidentDetail,
        errors=(401, 404, 503),
        parameters=(parameter("incident_id", "path", "Its id", {"type": "string"}, required=True),),
        security=SIGNED_IN,
    ),
)
async def get_incident(request: Request) -> Response:
    """The whole story, as of one moment. 404 outside one's scope."""
    desk = desk_of(request)
    principal = await desk.access.staff(request)
    incident_id = incident_id_of(request)
    async with desk.database.snapshot() as connection:
        incident = await incident_store.select(connection, incident_id)
        if incident is None or not scope_of(principal).covers(incident):
            raise no_such_incident()
        await open_incidents(connection, [incident_id])
        detail = await detail_of(connection, incident, principal)
    return private(detail)


async def _tell_export(request: Request, principal: Principal, form: Format, rows: int) -> None:
    """What leaves for other programs is told to the audit before it leaves."""
    async with desk_of(request).database.transaction() as connection:
        await audit_store.record(
            connection,
            actor=principal.name,
            action="incidents_exported",
            subject="incidents",
            detail={"format": form, "rows": rows},
        )


def incident_id_of(request: Request) -> str:
    """The id in the path. Raises 404 for what cannot be one."""
    text = str(request.path_params["incident_id"])
    if not incident_query.is_id(text):
        raise no_such_incident()
    return text


def no_such_incident() -> Problem:
    """404: not there, or not for this person."""
    return Problem(404, "no-such-incident", "There is no such incident in your scope.")


async def detail_of(connection: Connection, incident: Incident, principal: Principal) -> IncidentDetail:
    """The incident with its story, for this person."""
    personal = impersonal.sees_people(principal)
    story = await incident_query.select_story(connection, incident.id, personal=personal)
    relations = await select_relations(connection, incident, personal=personal)
    team = await assignment_store.select_team(connection, incident.id)
    agencies = (await policy_store.live(connection)).agencies
    row, history, decisions = incident.row(), story.history, story.decisions
    custody = custody_of(history, agencies)
    if not personal:
        row, history, team = impersonal.row(row), impersonal.history(history), []
        decisions = impersonal.decisions(decisions)
        custody = tuple(msgspec.structs.replace(one, by=impersonal.name(one.by), reason=None) for one in custody)
    return IncidentDetail(
        **{name: getattr(row, name) for name in row.__struct_fields__},
        reports=story.reports,
        evidence=story.evidence,
        assignments=tuple(assignment.row() for assignment in team),
        history=history,
        decisions=decisions,
        clocks=clocks(incident, await policy_store.live(connection), await connection.fetchval("SELECT now()")),
        custody=custody,
        transferred_to=incident.transferred_to,
        pauses=incident.pauses,
        hold_ends_at=incident.hold_ends_at,
        merged_into=incident.merged_into,
        merged=relations.merged,
        split_from=incident.split_from,
        splits=relations.splits,
        predecessor=incident.predecessor,
        successors=relations.successors,
        reopened_at=incident.reopened_at,
        flags=incident.flags,
        feedback=relations.feedback,
        legal=legal_verbs(incident),
    )


def _listed(request: Request, principal: Principal) -> _Listed:
    given = Parameters(request, [str(one["name"]) for one in _PARAMETERS])
    filters = Filters(
        statuses=_statuses(given),
        agencies=given.members("agency", AgencyCode),
        regencies=given.members("regency", Regency),
        categories=given.members("category", Category),
        kecamatan=_kecamatan(given),
        priorities=given.members("priority", Priority),
        box=_box(given),
        since=given.time("since"),
        until=given.time("until"),
        text=given.text("q"),
        in_words=impersonal.sees_people(principal),
        overdue=given.flag("overdue"),
        flags=given.members("flag", Flag),
    )
    wanted = given.member("format", Format)
    if wanted is None:
        accepts = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
        wanted = Format.GEOJSON if GEOJSON in accepts else Format.JSON
    return _Listed(filters, given.cursor(Mark), given.limit(), wanted)


def _statuses(given: Parameters) -> list[IncidentStatus]:
    found: set[IncidentStatus] = set()
    for word in given.words("status"):
        if word == "open":
            found |= OPEN_STATUSES
        elif word in frozenset(IncidentStatus):
            found.add(IncidentStatus(word))
        else:
            raise invalid("status", "not one of the allowed words")
    return sorted(found)


def _kecamatan(given: Parameters) -> list[str]:
    codes = given.words("kecamatan")
    if not all(re.fullmatch(_CODE, code) for code in codes):
        raise invalid("kecamatan", "expected codes such as 32.75.03")
    return codes


def _box(given: Parameters) -> Box | None:
    numbers = given.numbers("bbox", 4)
    if numbers is None:
        return None
    west, south, east, north = numbers
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise invalid("bbox", "expected west,south,east,north in degrees, west before east and south before north")
    return Box(west, south, east, north)


def _in_format(request: Request, wanted: Format, rows: list[IncidentRow], cursor: str | None) -> Response:
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    match wanted:
        case Format.JSON:
            return private(Page(items=tuple(rows), next_cursor=cursor), headers)
        case Format.GEOJSON:
            return Response(encode(to_geojson(rows, cursor)), headers=headers, media_type=GEOJSON)
        case Format.CSV:
            headers["Content-Disposition"] = 'attachment; filename="incidents.csv"'
            if cursor is not None:
                following = request.url.include_query_params(cursor=cursor)
                headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
            return Response(to_csv(rows), headers=headers, media_type=CSV)


TYPES: Final = (Page[IncidentRow], IncidentCollection, IncidentDetail)
