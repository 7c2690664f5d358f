"""Verbs of staff on an incident: one transaction each, with the version they have read."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import assignment_store, officer_store
from dispatcher.decisions import assignment, incident_verbs, sla
from dispatcher.decisions.assignment import Assignment
from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT
from dispatcher.decisions.incident_verbs import Point
from dispatcher.decisions.recommend import Choice, recommend
from dispatcher.desk.command import (
    Command,
    PhotoIds,
    Version,
    asked,
    attach_photos,
    conflict,
    described,
    done,
    open_command,
    save,
)
from dispatcher.desk.resources import desk_of
from dispatcher.officer_store import Officer
from infra.problem import invalid
from schemas.vocabulary import AssignmentStatus, Category, Priority
from schemas.wire import Identifier, Inbound, Latitude, Longitude, Note

router = APIRouter(tags=["incidents"])


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


@router.post("/api/v1/incidents/{incident_id}/triage", **described("Judge it and route it anew", Triage))
async def triage(request: Request) -> Response:
    """By the same rules as a report, with what a person says in place of what was guessed."""
    principal, body = await asked(request, "triage", Triage)
    if (body.lat is None) != (body.lon is None):
        raise invalid("lon" if body.lon is None else "lat", "lat and lon come together")
    desk = desk_of(request)
    point = None
    if body.lat is not None and body.lon is not None:
        point = Point(body.lat, body.lon, desk.geography.locate(body.lat, body.lon))
    async with open_command(request, principal, body.version) as command:
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
        detail = await save(command, change)
    return done("triage", detail)


@router.post("/api/v1/incidents/{incident_id}/note", **described("Add a note", AddNote))
async def note(request: Request) -> Response:
    """At any status."""
    principal, body = await asked(request, "note", AddNote)
    async with open_command(request, principal, body.version) as command:
        change = incident_verbs.note(
            command.incident, body.text, public=body.public, actor=command.actor, now=command.now
        )
        detail = await save(command, change)
    return done("note", detail)


@router.post("/api/v1/incidents/{incident_id}/assign", **described("Ask an officer to go", Assign))
async def assign(request: Request) -> Response:
    """An available officer of its agency (or, named, of a co-agency); 409 with the causes when there is none."""
    principal, body = await asked(request, "assign", Assign)
    async with open_command(request, principal, body.version) as command:
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
        detail = await save(command, change)
    return done("assign", detail)


@router.post("/api/v1/incidents/{incident_id}/resolve", **described("Say that it is done", Resolve))
async def resolve(request: Request) -> Response:
    """Whoever is still on it is released."""
    principal, body = await asked(request, "resolve", Resolve)
    async with open_command(request, principal, body.version) as command:
        incident = command.incident
        incident_verbs.require(incident, "resolve")
        await attach_photos(
            desk_of(request), command.connection, incident.id, body.photo_ids, command.actor, command.now
        )
        team = await _release_all(command)
        change = incident_verbs.resolve(
            incident, body.note, team, photo_ids=body.photo_ids, actor=command.actor, now=command.now
        )
        detail = await save(command, change)
    return done("resolve", detail)


@router.post("/api/v1/incidents/{incident_id}/close", **described("Settle it for good", Close))
async def close(request: Request) -> Response:
    """Once it is resolved."""
    principal, body = await asked(request, "close", Close)
    async with open_command(request, principal, body.version) as command:
        detail = await save(command, incident_verbs.close(command.incident, actor=command.actor, now=command.now))
    return done("close", detail)


async def _choose(command: Command, officer_id: str | None) -> tuple[Officer, Choice]:
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
    found = recommend(candidates, incident.lat, incident.lon, str(incident.agency), command.now)
    if officer_id is not None and not found.ranked:
        why = "is on this incident already" if candidates[0].on_it else f"is {candidates[0].status}"
        raise conflict(incident, "nobody-available", f"{officer_id} cannot be asked: {why}.")
    if not found.ranked:
        raise conflict(incident, "nobody-available", f"Nobody can be asked: {'; '.join(found.shortfall)}.")
    best = found.ranked[0]
    because = best.because if officer_id is None else (f"dipilih oleh {command.actor}", *best.because)
    return officers[best.username], Choice(best.username, because)


async def _release_all(command: Command) -> list[Assignment]:
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


TYPES: Final = (Triage, Assign, AddNote, Resolve, Close)
