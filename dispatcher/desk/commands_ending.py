"""How staff end an incident: done, settled for good, or refused."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher.decisions import incident_verbs, incident_verbs_ending, proof
from dispatcher.decisions.proof import Done
from dispatcher.desk.assign import release_all
from dispatcher.desk.command import PhotoIds, Version, asked, attach_photos, described, done, open_command, save
from dispatcher.desk.resources import desk_of
from schemas.wire import Inbound, Note

router = APIRouter(tags=["incidents"])


class Resolve(Inbound, frozen=True):
    """Done. The citizen reads the note."""

    version: Version
    note: Note
    photo_ids: PhotoIds = ()


class Close(Inbound, frozen=True):
    """Settled for good."""

    version: Version


class Reject(Inbound, frozen=True):
    """Nothing will be done. The citizen reads the reason."""

    version: Version
    reason: Note


@router.post("/api/v1/incidents/{incident_id}/resolve", **described("Say that it is done", Resolve))
async def resolve(request: Request) -> Response:
    """Whoever is still on it is released. A photo that the category asks for and that is missing is flagged."""
    principal, body = await asked(request, "resolve", Resolve)
    async with open_command(request, principal, body.version) as command:
        incident = command.incident
        incident_verbs.require(incident, "resolve")
        sent = await attach_photos(
            desk_of(request), command.connection, incident.id, body.photo_ids, command.actor, command.now
        )
        team = await release_all(command, "resolved")
        change = incident_verbs_ending.resolve(
            incident, body.note, team, photo_ids=body.photo_ids, actor=command.actor, now=command.now
        )
        found = proof.judge(incident, Done(now=command.now, photos_at=[one.uploaded_at for one in sent]))
        detail = await save(command, proof.shown(change, found))
    return done("resolve", detail)


@router.post("/api/v1/incidents/{incident_id}/close", **described("Settle it for good", Close))
async def close(request: Request) -> Response:
    """Once it is resolved."""
    principal, body = await asked(request, "close", Close)
    async with open_command(request, principal, body.version) as command:
        change = incident_verbs_ending.close(command.incident, actor=command.actor, now=command.now)
        detail = await save(command, change)
    return done("close", detail)


@router.post("/api/v1/incidents/{incident_id}/reject", **described("Refuse it, for a reason", Reject))
async def reject(request: Request) -> Response:
    """Whoever is on it is released."""
    principal, body = await asked(request, "reject", Reject)
    async with open_command(request, principal, body.version) as command:
        incident_verbs.require(command.incident, "reject")
        team = await release_all(command, "rejected")
        change = incident_verbs_ending.reject(command.incident, body.reason, team, actor=command.actor, now=command.now)
        detail = await save(command, change)
    return done("reject", detail)


TYPES: Final = (Resolve, Close, Reject)
