"""A verb of staff on an incident: who may, the locked incident at the version that was read, and what is answered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from fastapi import Request
from msgspec import Meta
from starlette.responses import Response

from dispatcher import incident_store
from dispatcher.decisions.change import Change
from dispatcher.decisions.incident import MAY, IllegalMove, Incident, legal_verbs
from dispatcher.decisions.incident_verbs import Unusable
from dispatcher.desk import incident_query
from dispatcher.desk import metrics as desk_metrics
from dispatcher.desk.incidents import IncidentDetail, detail_of, incident_id_of, no_such_incident
from dispatcher.desk.reach import open_incidents
from dispatcher.desk.resources import BODY_ERRORS, SIGNED_IN, STAFF_ERRORS, Desk, desk_of, private, scope_of
from infra.access import Principal
from infra.http import read_json
from infra.openapi import describe, parameter
from infra.postgres import Connection
from infra.problem import Problem, invalid, unavailable
from infra.staff_photos import StaffPhoto
from infra.trace import traceparent_of
from schemas.wire import Identifier

B = TypeVar("B", bound=msgspec.Struct)
#: Finds the ids of other incidents that a command on this one is about.
Also = Callable[[Connection, str], Awaitable[Collection[str]]]

Version = Annotated[int, Meta(ge=1, le=2**31 - 1, description="As last read")]
PhotoIds = Annotated[tuple[Identifier, ...], Meta(max_length=10)]

#: The object store answers within this, or the locked incident is let go.
_STORE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Command:
    """An open command: the locked incident and who wants what."""

    connection: Connection
    principal: Principal
    incident: Incident
    now: datetime
    traceparent: str
    #: Others that the command is about too, locked in the same breath: what the asker may see of them.
    others: Mapping[str, Incident] = field(default_factory=dict)

    @property
    def actor(self) -> str:
        return self.principal.name


def described(summary: str, body: type[msgspec.Struct]) -> dict[str, Any]:
    """The OpenAPI of a verb."""
    return describe(
        summary=summary,
        body=body,
        returns=IncidentDetail,
        errors=(*BODY_ERRORS, *STAFF_ERRORS, 404, 409),
        parameters=(parameter("incident_id", "path", "Its id", {"type": "string"}, required=True),),
        security=SIGNED_IN,
    )


async def asked(request: Request, verb: str, kind: type[B]) -> tuple[Principal, B]:
    """Who asks (401, 403) and for what (400, 413, 415, 422)."""
    principal = await desk_of(request).staff(request, MAY[verb])
    return principal, await read_json(request, kind)


@asynccontextmanager
async def open_command(
    request: Request, principal: Principal, version: int, also: Also | None = None
) -> AsyncIterator[Command]:
    """The incident, locked at the version that was read, in a transaction that ends with the block.

    `also` names others, asked before anything is locked; they are locked together with it, in the order of ids.
    404 outside the scope; 409 when the version is stale or the block finds the move illegal.
    """
    desk = desk_of(request)
    incident_id = incident_id_of(request)
    async with desk.database.transaction() as connection:
        others = await also(connection, incident_id) if also else ()
        locked = await incident_store.select_for_update(connection, [incident_id, *others])
        incident = locked.pop(incident_id, None)
        if incident is None or not scope_of(principal).covers(incident):
            raise no_such_incident()
        if incident.version != version:
            raise conflict(incident, "stale-version", "Somebody has changed it since you read it. Read it again.")
        await open_incidents(connection, [incident_id])
        # After the lock, so that its history never runs backwards.
        now = await connection.fetchval("SELECT clock_timestamp()")
        try:
            seen = {one.id: one for one in locked.values() if scope_of(principal).covers(one)}
            yield Command(connection, principal, incident, now, traceparent_of(request), seen)
        except IllegalMove as error:
            why = str(error)
            raise conflict(incident, "illegal-move", f"{why[:1].upper()}{why[1:]}.") from error
        except Unusable as error:
            raise invalid(error.field, str(error)) from error


def conflict(incident: Incident, slug: str, detail: str) -> Problem:
    """409 with what is true now."""
    return Problem(409, slug, detail, current_version=incident.version, legal=legal_verbs(incident))


async def write(command: Command, *changes: Change) -> None:
    """Write the changes, with the request's trace."""
    await incident_store.save(command.connection, [replace(one, traceparent=command.traceparent) for one in changes])


async def save(command: Command, change: Change, *others: Change) -> IncidentDetail:
    """The same, and the first one's incident as it is after, for who commands."""
    await write(command, change, *others)
    return await detail_after(command)


async def detail_after(command: Command) -> IncidentDetail:
    """The incident as it is in this transaction by now, for who commands."""
    after = await incident_store.select(command.connection, command.incident.id)
    assert after is not None  # noqa: S101 - it is locked
    return await detail_of(command.connection, after, command.principal)


def done(verb: str, detail: IncidentDetail) -> Response:
    """200 with the incident."""
    desk_metrics.COMMANDS.labels(verb).inc()
    return private(detail)


async def attach_photos(
    desk: Desk, connection: Connection, incident_id: str, photo_ids: Sequence[str], by: str, now: datetime
) -> list[StaffPhoto]:
    """Make these photos the incident's: of its reports, or sent by `by` and used for no other incident; the answer is
    those that `by` has sent.

    422 for any other, 503 when the store is away. What was attached stays so when the transaction fails afterwards:
    call it once the move is known to be legal. The same person may use it again, for the same incident.
    """
    if not photo_ids:
        return []
    sent = sorted(set(photo_ids) - await incident_query.select_photo_ids(connection, incident_id))
    try:
        async with asyncio.timeout(_STORE_S):
            # All are looked at before the first is taken, so that a mistake in one takes none.
            found = [one for photo in sent if (one := await desk.staff_photos.find(photo))]
            if len(found) < len(sent) or not all(one.may_be_attached(incident_id, by, now) for one in found):
                raise _not_yours()
            for photo in sent:
                if not await desk.staff_photos.attach(photo, incident_id, by, now):
                    raise _not_yours()
    except OSError as error:
        raise unavailable("Photos cannot be looked up at the moment. Nothing was changed; try again.") from error
    return found


def _not_yours() -> Problem:
    return invalid("photo_ids", "neither a photo of this incident nor a fresh one that you sent")
