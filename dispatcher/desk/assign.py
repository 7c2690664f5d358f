"""Asking an officer to go, and taking back what was asked."""

from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import officer_store
from dispatcher.decisions import incident_verbs
from dispatcher.decisions.assignment import Assignment
from dispatcher.desk.command import Command, Version, asked, conflict, described, done, open_command, save
from dispatcher.offers import Asking, open_asking
from infra.problem import invalid
from schemas.wire import Identifier, Inbound

router = APIRouter(tags=["incidents"])


class Assign(Inbound, frozen=True):
    """Ask an officer. Without one the recommender's first is asked, and the next best as long as nobody says yes."""

    version: Version
    officer_id: Identifier | None = None
    #: How many are to go, where the rules say otherwise; not together with `officer_id`.
    officers: Annotated[int, Meta(ge=1, le=10)] | None = None


@router.post("/api/v1/incidents/{incident_id}/assign", **described("Ask an officer to go", Assign))
async def assign(request: Request) -> Response:
    """An available officer of its agency (or, named, of a co-agency); 409 with the causes when there is none."""
    principal, body = await asked(request, "assign", Assign)
    if body.officers is not None and body.officer_id is not None:
        raise invalid("officers", "whoever names an officer asks one")
    async with open_command(request, principal, body.version) as command:
        incident_verbs.require(command.incident, "assign")
        asking = await open_asking(command.connection, command.incident, command.now, command.traceparent)
        if body.officer_id is not None:
            await _name(command, asking, body.officer_id)
        else:
            await _begin(command, asking, body.officers)
        (change,) = await asking.finish()
        detail = await save(command, change)
    return done("assign", detail)


async def _begin(command: Command, asking: Asking, officers: int | None) -> None:
    """409 when nobody can be asked."""
    if command.incident.agency is None:
        raise conflict(command.incident, "no-agency", "It belongs to no agency yet: triage it first.")
    if kept := await asking.begin(command.actor, officers):
        causes = "; ".join(one.words for one in kept)
        raise conflict(command.incident, "nobody-available", f"Nobody can be asked: {causes}.")


async def _name(command: Command, asking: Asking, username: str) -> None:
    """422 for somebody who is not of these agencies, 409 for somebody who cannot be asked now."""
    incident = command.incident
    if incident.agency is None:
        raise conflict(incident, "no-agency", "It belongs to no agency yet: triage it first.")
    officer = (await officer_store.select_for_update(command.connection, [username])).get(username)
    if officer is None or officer.agency not in (incident.agency, *incident.co_agencies):
        raise invalid("officer_id", "not an officer of this incident's agencies")
    if kept := await asking.name(officer, command.actor):
        causes = "; ".join(one.words for one in kept)
        raise conflict(incident, "nobody-available", f"{username} cannot be asked: {causes}.")


async def release_all(command: Command, reason: str) -> list[Assignment]:
    """Take back what is offered or under way, free the officers, and ask nobody any more; answers the whole team as it
    is then. `reason` is kept."""
    asking = await open_asking(command.connection, command.incident, command.now, command.traceparent)
    await asking.release_all(reason, command.actor)
    await asking.finish()
    return asking.team


TYPES: Final = (Assign,)
