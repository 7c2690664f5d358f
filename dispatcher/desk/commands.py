"""Verbs of staff on an incident: one transaction each, with the version they have read."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import policy_store
from dispatcher.decisions import incident_verbs
from dispatcher.decisions.incident_verbs import Point
from dispatcher.desk.assign import release_all
from dispatcher.desk.command import (
    PhotoIds,
    Version,
    asked,
    attach_photos,
    described,
    done,
    open_command,
    save,
)
from dispatcher.desk.resources import desk_of
from infra.problem import invalid
from schemas.vocabulary import Category, Priority
from schemas.wire import Inbound, Latitude, Longitude, Note

router = APIRouter(tags=["incidents"])


class Triage(Inbound, frozen=True):
    """What it is, how urgent, and where; what is left out stays. It is routed anew."""

    version: Version
    category: Category | None = None
    priority: Priority | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None


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
            policy=await policy_store.live(command.connection),
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
        team = await release_all(command, "resolved")
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


TYPES: Final = (Triage, AddNote, Resolve, Close)
