"""How officers are being asked for an incident, in PostgreSQL. The incident must be locked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from dispatcher import deadline_store
from dispatcher.decisions.change import Change
from dispatcher.decisions.offering import Offering, OfferingState, requested
from dispatcher.decisions.policy import Policy
from infra.postgres import Connection
from schemas.place import AgencyRef

#: Subject of the deadline by which it is seen whether there is somebody to ask; those of offers are assignments' ids.
LOOK_AGAIN: Final = "look_again"
_COLUMNS: Final = "incident_id, agency, state, officers, skills, began_at, changed_at"


def _from_row(row: asyncpg.Record) -> Offering:
    return Offering(
        incident_id=row["incident_id"],
        agency=AgencyRef.parse(row["agency"]),
        state=OfferingState(row["state"]),
        officers=row["officers"],
        skills=tuple(row["skills"]),
        began_at=row["began_at"],
        changed_at=row["changed_at"],
    )


async def select(connection: Connection, incident_id: str) -> Offering | None:
    """As it is now; None when nobody is being asked by rules."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM offering WHERE incident_id = $1", incident_id)  # noqa: S608
    return _from_row(row) if row else None


async def save(connection: Connection, offering: Offering) -> None:
    """Write it, new or moved."""
    await connection.execute(
        f"INSERT INTO offering ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"  # noqa: S608
        " ON CONFLICT (incident_id) DO UPDATE SET agency = excluded.agency, state = excluded.state,"
        " officers = excluded.officers, skills = excluded.skills, began_at = excluded.began_at,"
        " changed_at = excluded.changed_at",
        offering.incident_id,
        str(offering.agency),
        offering.state.value,
        offering.officers,
        list(offering.skills),
        offering.began_at,
        offering.changed_at,
    )


async def request(connection: Connection, changes: Sequence[Change], policy: Policy) -> None:
    """Have rules begin to ask for incidents that have just come to an agency, where the city wants that."""
    for change in changes:
        before, after = change.before, change.after
        staffing = policy.staffing_of(after.category, after.agency)
        if wanted := requested(before, after, staffing, after.updated_at):
            await save(connection, wanted)
            await look_again(connection, after.id, after.updated_at)


async def look_again(connection: Connection, incident_id: str, at: datetime | None) -> None:
    """Have the clock call `offers.expire` with `LOOK_AGAIN` then, instead of whenever it was to before; None: not."""
    if at is None:
        await deadline_store.cancel_answer(connection, incident_id, LOOK_AGAIN)
    else:
        await deadline_store.set_answer(connection, incident_id, LOOK_AGAIN, at)


async def delete(connection: Connection, incident_id: str) -> None:
    """Nobody is asked any more."""
    await connection.execute("DELETE FROM offering WHERE incident_id = $1", incident_id)
    await look_again(connection, incident_id, None)
