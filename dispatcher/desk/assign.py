"""Asking an officer to go, and taking back what was asked."""

from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from dispatcher import assignment_store, officer_store, policy_store
from dispatcher.decisions import assignment, incident_verbs
from dispatcher.decisions.assignment import Assignment
from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT
from dispatcher.decisions.recommend import Choice, recommend
from dispatcher.desk.command import Command, Version, asked, conflict, described, done, open_command, save
from dispatcher.officer_store import Officer
from infra.problem import invalid
from schemas.vocabulary import AssignmentStatus
from schemas.wire import Identifier, Inbound

router = APIRouter(tags=["incidents"])


class Assign(Inbound, frozen=True):
    """Ask an officer; without one the recommender's first."""

    version: Version
    officer_id: Identifier | None = None


@router.post("/api/v1/incidents/{incident_id}/assign", **described("Ask an officer to go", Assign))
async def assign(request: Request) -> Response:
    """An available officer of its agency (or, named, of a co-agency); 409 with the causes when there is none."""
    principal, body = await asked(request, "assign", Assign)
    async with open_command(request, principal, body.version) as command:
        incident = command.incident
        incident_verbs.require(incident, "assign")
        team = await assignment_store.select_team_for_update(command.connection, incident.id)
        officer, choice = await choose(command, body.officer_id)
        policy = await policy_store.live(command.connection)
        offered, step = assignment.offer(
            incident.id,
            officer.username,
            officer.name,
            officer.agency,
            actor=command.actor,
            now=command.now,
            answer_within=policy.answer_within(command.now, incident.category, incident.priority, officer.agency),
            because=choice.because,
        )
        await assignment_store.insert(command.connection, offered, step, command.traceparent)
        await officer_store.save(command.connection, officer, command.traceparent)
        change = incident_verbs.assign(incident, offered, [*team, offered], actor=command.actor, now=command.now)
        detail = await save(command, change)
    return done("assign", detail)


async def choose(command: Command, officer_id: str | None) -> tuple[Officer, Choice]:
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


async def release_all(command: Command, reason: str) -> list[Assignment]:
    """Take back what is offered or under way, and free the officers; answers the whole team as it is then. `reason` is kept."""
    team = await assignment_store.select_team_for_update(command.connection, command.incident.id)
    after = {one.id: one for one in team}
    active = [one for one in team if one.status in ACTIVE_ASSIGNMENT]
    for one in active:
        released, step = assignment.move(
            one, AssignmentStatus.RELEASED, actor=command.actor, now=command.now, reason=reason
        )
        await assignment_store.update(command.connection, released, step, command.traceparent)
        after[one.id] = released
    await officer_store.settle(command.connection, [one.officer for one in active], command.now, command.traceparent)
    return list(after.values())


TYPES: Final = (Assign,)
