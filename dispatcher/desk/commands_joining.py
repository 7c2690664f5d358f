"""Two that are one, and one that is two: merge, split, and undoing both."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import evidence_store, incident_store, report_store
from dispatcher.decisions import incident_verbs, incident_verbs_joining
from dispatcher.decisions.incident import Incident
from dispatcher.decisions.incident_verbs_judging import Point
from dispatcher.decisions.tally import Belongings
from dispatcher.desk.assign import release_all
from dispatcher.desk.command import Version, asked, described, detail_after, done, open_command, save, write
from dispatcher.desk.incident_query import is_id
from dispatcher.desk.resources import Desk, desk_of
from infra.postgres import Connection
from infra.problem import Problem, invalid
from schemas.wire import Identifier, Inbound, Note

router = APIRouter(tags=["incidents"])


class Merge(Inbound, frozen=True):
    """Its reports are another's: `into` has them from now on."""

    version: Version
    into: Identifier
    reason: Note


class Unmerge(Inbound, frozen=True):
    """It was another matter after all; asked of the one that was merged."""

    version: Version
    reason: Note


class Split(Inbound, frozen=True):
    """Some of its reports are another matter: a new incident has them from now on. Merging that back undoes it."""

    version: Version
    report_ids: Annotated[tuple[Identifier, ...], Meta(min_length=1, max_length=500)]
    reason: Note


@router.post("/api/v1/incidents/{incident_id}/merge", **described("Put it together with another", Merge))
async def merge(request: Request) -> Response:
    """Whoever is on it is released: who goes to the other one is decided there. Both must be in one's scope."""
    principal, body = await asked(request, "merge", Merge)

    async def other(_: Connection, __: str) -> list[str]:
        return [body.into] if is_id(body.into) else []

    async with open_command(request, principal, body.version, other) as command:
        incident, now = command.incident, command.now
        into = incident if body.into == incident.id else command.others.get(body.into)
        if into is None:
            raise invalid("into", "there is no such incident in your scope")
        incident_verbs_joining.may_merge(incident, into)
        team = await release_all(command, f"merged into {into.id}")
        await report_store.move(command.connection, incident.id, into.id, now)
        await evidence_store.move(command.connection, incident.id, into.id)
        together = await evidence_store.belongings(command.connection, into.id)
        changes = incident_verbs_joining.merge(
            incident, into, body.reason, team, together, actor=command.actor, now=now
        )
        detail = await save(command, *changes)
    return done("merge", detail)


@router.post("/api/v1/incidents/{incident_id}/unmerge", **described("Undo a merge", Unmerge))
async def unmerge(request: Request) -> Response:
    """What came from it comes back, wherever it is by now; what was reported to the other one stays there."""
    principal, body = await asked(request, "unmerge", Unmerge)
    async with open_command(request, principal, body.version, incident_store.select_holders) as command:
        incident, now = command.incident, command.now
        incident_verbs.require(incident, "unmerge")
        holder = _holder(incident, command.others)
        homes = await incident_store.select_merged_into(command.connection, incident.id)
        await report_store.bring_home(command.connection, holder.id, incident.id, homes, now)
        await evidence_store.bring_home(command.connection, holder.id, incident.id, homes)
        back = await evidence_store.belongings(command.connection, incident.id)
        left = await evidence_store.belongings(command.connection, holder.id)
        changes = incident_verbs_joining.unmerge(
            incident, holder, body.reason, back, left, actor=command.actor, now=now
        )
        detail = await save(command, *changes)
    return done("unmerge", detail)


@router.post("/api/v1/incidents/{incident_id}/split", **described("Take reports out as another incident", Split))
async def split(request: Request) -> Response:
    """Answers what is left; the new one is named in its newest history entry, and in `splits`."""
    principal, body = await asked(request, "split", Split)
    async with open_command(request, principal, body.version) as command:
        connection, incident, now = command.connection, command.incident, command.now
        incident_verbs.require(incident, "split")
        chosen, left = _divided(await evidence_store.belongings(connection, incident.id), set(body.report_ids))
        incident_verbs_joining.may_split(incident, chosen, left, body.report_ids)
        fresh = incident_verbs_joining.branch(incident, chosen, _place(desk_of(request), chosen), now=now)
        here, there = incident_verbs_joining.split(
            incident, fresh, body.reason, chosen, left, actor=command.actor, now=now
        )
        await write(command, here, there)
        # Once the new one is there to have them.
        await report_store.move(connection, incident.id, fresh.id, now, only=body.report_ids)
        await evidence_store.move(connection, incident.id, fresh.id, only=body.report_ids)
        detail = await detail_after(command)
    return done("split", detail)


def _holder(incident: Incident, others: Mapping[str, Incident]) -> Incident:
    """The one that has its reports by now."""
    holder = incident
    while holder.merged_into is not None:
        found = others.get(holder.merged_into)
        if found is None:
            raise Problem(403, "scope", "It was merged into one that is outside your scope: an operator can undo it.")
        holder = found
    return holder


def _divided(all_: Belongings, ids: set[str]) -> tuple[Belongings, Belongings]:
    """What belongs to these reports, and the rest."""
    chosen = Belongings(
        [one for one in all_.reports if one.id in ids], [one for one in all_.evidence if one.source_id in ids]
    )
    left = Belongings(
        [one for one in all_.reports if one.id not in ids], [one for one in all_.evidence if one.source_id not in ids]
    )
    return chosen, left


def _place(desk: Desk, chosen: Belongings) -> Point | None:
    """Where the first of the reports points at."""
    for one in chosen.reports:
        if one.lat is not None and one.lon is not None:
            return Point(one.lat, one.lon, desk.geography.locate(one.lat, one.lon))
    return None


TYPES: Final = (Merge, Unmerge, Split)
