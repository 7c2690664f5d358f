"""Verbs of staff on an incident: one transaction each, with the version they have read."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import (
    assignment,
    assignment_store,
    desk_metrics,
    incident_query,
    incident_store,
    incident_verbs,
    officer_store,
    sla,
)
from dispatcher.assignment import Assignment
from dispatcher.change import Change
from dispatcher.desk_incidents import IncidentDetail, detail_of, incident_id_of, no_such_incident
from dispatcher.desk_resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, Desk, desk_of, private, scope_of
from dispatcher.incident import ACTIVE_ASSIGNMENT, MAY, IllegalMove, Incident, legal_verbs
from dispatcher.incident_verbs import NothingChanges, Point
from dispatcher.officer_store import Officer
from dispatcher.recommend import Choice, recommend
from infra.access import Principal
from infra.http import describe, parameter, read_json
from infra.postgres import Connection
from infra.problem import Problem, invalid
from infra.trace import traceparent_of
from schemas.vocabulary import AssignmentStatus, Category, Priority
from schemas.wire import Identifier, Inbound, Latitude, Longitude, Note

router = APIRouter(tags=["incidents"])

B = TypeVar("B", bound=msgspec.Struct)

Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="As last read")]
PhotoIds = Annotated[tuple[Identifier, ...], Meta(max_length=10)]


class Triage(Inbound, frozen=True):
    """What it is, how urgent, and where; what is left out stays. It is routed anew."""

    version: Version
    category: Category | None = None
    priority: Priority | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None


class Assign(Inbound, frozen=True):
    """Ask an officer; without one the recommender's first."""

    version: Version
    officer_id: Identifier | None = None


class AddNote(Inbound, frozen=True):
    """Words beside the work; with `public` the citizen reads them."""

    version: Version
    text: Note
    public: bool = False


class Resolve(Inbound, frozen=True):
    """Done. The citizen reads the note."""

    version: Version
    note: Note
    photo_ids: PhotoIds = ()


class Close(Inbound, frozen=True):
    """Settled for good."""

    version: Version


@dataclass(frozen=True, slots=True)
class _Command:
    """An open command: the locked incident and who wants what."""

    desk: Desk
    connection: Connection
    principal: Principal
    incident: Incident
    now: datetime
    traceparent: str

    @property
    def actor(self) -> str:
        return self.principal.name


def _described(summary: str, body: type[msgspec.Struct]) -> dict[str, Any]:
    return describe(
        summary=summary,
        body=body,
        returns=IncidentDetail,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404, 409),
        parameters=(parameter("incident_id", "path", "Its id", {"type": "string"}, required=True),),
        security=SIGNED_IN,
    )


@router.post("/api/v1/incidents/{incident_id}/triage", **_described("Judge it and route it anew", Triage))
async def triage(request: Request) -> Response:
    """By the same rules as a report, with what a person says in place of what was guessed."""
    principal, body = await _asked(request, "triage", Triage)
    if (body.lat is None) != (body.lon is None):
        raise invalid("lon" if body.lon is None else "lat", "lat and lon come together")
    desk = desk_of(request)
    point = None
    if body.lat is not None and body.lon is not None:
        point = Point(body.lat, body.lon, desk.geography.locate(body.lat, body.lon))
    async with _command(request, principal, body.version) as command:
        incident = command.incident
        known = None
        if point is None and incident.lat is not None and incident.lon is not None:
            known = desk.geography.locate(incident.lat, incident.lon)
        change = incident_verbs.triage(
            incident,
            category=body.category,
            priority=body.priority,
            point=point,
            known_place=known,
            actor=command.actor,
            now=command.now,
        )
        detail = await _save(command, change)
    return _done("triage", detail)


@router.post("/api/v1/incidents/{incident_id}/note", **_described("Add a note", AddNote))
async def note(request: Request) -> Response:
    """At any status."""
    principal, body = await _asked(request, "note", AddNote)
    async with _command(request, principal, body.version) as command:
        change = incident_verbs.note(
            command.incident, body.text, public=body.public, actor=command.actor, now=command.now
        )
        detail = await _save(command, change)
    return _done("note", detail)


@router.post("/api/v1/incidents/{incident_id}/assign", **_described("Ask an officer to go", Assign))
async def assign(request: Request) -> Response:
    """An available officer of its agency (or, named, of a co-agency); 409 with the causes when there is none."""
    principal, body = await _asked(request, "assign", Assign)
    async with _command(request, principal, body.version) as command:
        incident = command.incident
        incident_verbs.require(incident, "assign")
        team = await assignment_store.select_team_for_update(command.connection, incident.id)
        officer, choice = await _choose(command, body.officer_id)
        offered, step = assignment.offer(
            incident.id,
            officer.username,
            officer.name,
            officer.agency,
            actor=command.actor,
            now=command.now,
            answer_within=sla.promise(incident.category).accept,
            because=choice.because,
        )
        await assignment_store.insert(command.connection, offered, step, command.traceparent)
        await officer_store.save(command.connection, officer, command.traceparent)
        change = incident_verbs.assign(incident, offered, [*team, offered], actor=command.actor, now=command.now)
        detail = await _save(command, change)
    return _done("assign", detail)


@router.post("/api/v1/incidents/{incident_id}/resolve", **_described("Say that it is done", Resolve))
async def resolve(request: Request) -> Response:
    """Whoever is still on it is released."""
    principal, body = await _asked(request, "resolve", Resolve)
    async with _command(request, principal, body.version) as command:
        incident = command.incident
        incident_verbs.require(incident, "resolve")
        await require_photos(command.connection, incident.id, body.photo_ids)
        team = await _release_all(command)
        change = incident_verbs.resolve(
            incident, body.note, team, photo_ids=body.photo_ids, actor=command.actor, now=command.now
        )
        detail = await _save(command, change)
    return _done("resolve", detail)


@router.post("/api/v1/incidents/{incident_id}/close", **_described("Settle it for good", Close))
async def close(request: Request) -> Response:
    """Once it is resolved."""
    principal, body = await _asked(request, "close", Close)
    async with _command(request, principal, body.version) as command:
        detail = await _save(command, incident_verbs.close(command.incident, actor=command.actor, now=command.now))
    return _done("close", detail)


async def _asked(request: Request, verb: str, kind: type[B]) -> tuple[Principal, B]:
    """Who asks (401, 403) and for what (400, 413, 415, 422)."""
    principal = await desk_of(request).staff(request, MAY[verb])
    return principal, await read_json(request, kind)


@asynccontextmanager
async def _command(request: Request, principal: Principal, version: int) -> AsyncIterator[_Command]:
    """The incident, locked at the version that was read, in a transaction that ends with the block.

    404 outside the scope; 409 when the version is stale or the block finds the move illegal.
    """
    desk = desk_of(request)
    incident_id = incident_id_of(request)
    async with desk.database.transaction() as connection:
        incident = (await incident_store.select_for_update(connection, [incident_id])).get(incident_id)
        if incident is None or not scope_of(principal).covers(incident):
            raise no_such_incident()
        if incident.version != version:
            raise conflict(incident, "stale-version", "Somebody has changed it since you read it. Read it again.")
        # After the lock, so that its history never runs backwards.
        now = await connection.fetchval("SELECT clock_timestamp()")
        try:
            yield _Command(desk, connection, principal, incident, now, traceparent_of(request))
        except IllegalMove as error:
            raise conflict(incident, "illegal-move", f"{str(error).capitalize()}.") from error
        except NothingChanges as error:
            raise invalid(error.field, str(error)) from error


def conflict(incident: Incident, slug: str, detail: str) -> Problem:
    """409 with what is true now."""
    return Problem(409, slug, detail, current_version=incident.version, legal=legal_verbs(incident))


async def _save(command: _Command, change: Change) -> IncidentDetail:
    await incident_store.save(command.connection, [replace(change, traceparent=command.traceparent)])
    return await detail_of(command.connection, change.after, command.principal)


def _done(verb: str, detail: IncidentDetail) -> Response:
    desk_metrics.COMMANDS.labels(verb).inc()
    return private(detail)


async def _choose(command: _Command, officer_id: str | None) -> tuple[Officer, Choice]:
    """The officer who will be asked, locked. 422 for one who is not of these agencies, 409 when nobody can be asked."""
    incident = command.incident
    if incident.agency is None:
        raise conflict(incident, "no-agency", "It belongs to no agency yet: triage it first.")
    if officer_id is None:
        officers = await officer_store.select_agency_for_update(command.connection, incident.agency)
    else:
        officers = await officer_store.select_for_update(command.connection, [officer_id])
        if not officers or officers[officer_id].agency not in (incident.agency, *incident.co_agencies):
            raise invalid("officer_id", "not an officer of this incident's agencies")
    candidates = await officer_store.candidates(command.connection, list(officers.values()), incident.id)
    asked = officer_id or str(incident.agency)
    found = recommend(candidates, incident.lat, incident.lon, asked, command.now)
    if not found.ranked:
        raise conflict(incident, "nobody-available", f"Nobody can be asked: {'; '.join(found.shortfall)}.")
    best = found.ranked[0]
    because = best.because if officer_id is None else (f"dipilih oleh {command.actor}", *best.because)
    return officers[best.username], Choice(best.username, because)


async def _release_all(command: _Command) -> list[Assignment]:
    """Take back what is offered or under way, and free the officers; answers the whole team as it is then."""
    team = await assignment_store.select_team_for_update(command.connection, command.incident.id)
    after = {one.id: one for one in team}
    active = [one for one in team if one.status in ACTIVE_ASSIGNMENT]
    for one in active:
        released, step = assignment.move(
            one, AssignmentStatus.RELEASED, actor=command.actor, now=command.now, reason="resolved"
        )
        await assignment_store.update(command.connection, released, step, command.traceparent)
        after[one.id] = released
    await officer_store.settle(command.connection, [one.officer for one in active], command.now, command.traceparent)
    return list(after.values())


async def require_photos(connection: Connection, incident_id: str, photo_ids: Sequence[str]) -> None:
    """422 for a photo that is not one of this incident."""
    if photo_ids and not set(photo_ids) <= await incident_query.select_photo_ids(connection, incident_id):
        raise invalid("photo_ids", "not a photo of this incident")


TYPES: Final = (Triage, Assign, AddNote, Resolve, Close)
