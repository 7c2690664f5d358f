"""What staff say of an incident: what it is and where, whether it waits, and words beside the work."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import policy_store, report_store
from dispatcher.decisions import incident_verbs, incident_verbs_hold, incident_verbs_judging
from dispatcher.decisions.incident_verbs_judging import Point
from dispatcher.desk.assign import release_all
from dispatcher.desk.command import Version, asked, described, done, open_command, save
from dispatcher.desk.resources import desk_of
from infra.problem import invalid
from schemas.vocabulary import Category, Priority
from schemas.wire import Inbound, Latitude, Longitude, Note, Timestamp

router = APIRouter(tags=["incidents"])


class Triage(Inbound, frozen=True):
    """What it is, how urgent, and where; what is left out stays. It is routed anew."""

    version: Version
    category: Category | None = None
    priority: Priority | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None


class Hold(Inbound, frozen=True):
    """It waits: `reason` is a code or a name of `GET /api/v1/hold-reasons`, or free words, which stop no clock."""

    version: Version
    reason: Note
    until: Timestamp | None = None


class Resume(Inbound, frozen=True):
    """It goes on."""

    version: Version


class AddNote(Inbound, frozen=True):
    """Words beside the work; with `public` the citizen reads them."""

    version: Version
    text: Note
    public: bool = False


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
        change = incident_verbs_judging.triage(
            incident,
            category=body.category,
            priority=body.priority,
            point=point,
            known_place=known,
            words=await report_store.first_words(command.connection, incident.id),
            actor=command.actor,
            now=command.now,
            policy=await policy_store.live(command.connection),
        )
        detail = await save(command, change)
    return done("triage", detail)


@router.post("/api/v1/incidents/{incident_id}/hold", **described("Let it wait, for a reason", Hold))
async def hold(request: Request) -> Response:
    """Whoever is on it is released; it goes on with `resume`, or by itself at `until`."""
    principal, body = await asked(request, "hold", Hold)
    async with open_command(request, principal, body.version) as command:
        incident_verbs.require(command.incident, "hold")
        team = await release_all(command, "on hold")
        change = incident_verbs_hold.hold(
            command.incident, body.reason, team, until=body.until, actor=command.actor, now=command.now
        )
        detail = await save(command, change)
    return done("hold", detail)


@router.post("/api/v1/incidents/{incident_id}/resume", **described("Let it go on", Resume))
async def resume(request: Request) -> Response:
    """With its agency, or where it has none, before a person's look."""
    principal, body = await asked(request, "resume", Resume)
    async with open_command(request, principal, body.version) as command:
        change = incident_verbs_hold.resume(command.incident, actor=command.actor, now=command.now)
        detail = await save(command, change)
    return done("resume", detail)


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


TYPES: Final = (Triage, Hold, Resume, AddNote)
