"""Names of agencies and categories in PostgreSQL: parts of the policy, of which only what was edited is kept."""

from typing import Final

import msgspec

from dispatcher import policy_store
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.reference import Agency, CategoryEntry, agencies, categories
from infra.postgres import Connection

#: Whoever edits waits for another who does. Any fixed number that nothing else locks.
_ADVISORY: Final = 7_226_008


class StaleEntry(Exception):
    """Somebody else has edited the entry since it was read; `current` is its version."""

    def __init__(self, current: int) -> None:
        super().__init__(f"version {current} is there meanwhile")
        self.current = current


async def put_agency(connection: Connection, agency: Agency, *, by: str) -> Agency | None:
    """Keep an edited agency, whose version is the one that was read; None when there is none of this code there.

    Raises `StaleEntry`. The answer has the new version.
    """
    edited = (await _locked(connection)).agencies
    key = (agency.regency, agency.code)
    before = next((one for one in agencies(edited) if (one.regency, one.code) == key), None)
    if before is None:
        return None
    after: Agency = msgspec.structs.replace(agency, version=_next(before.version, agency.version))
    others = [one for one in edited if (one.regency, one.code) != key]
    await policy_store.put(connection, "agencies", (*others, after), by=by, why=f"{agency.code} edited")
    return after


async def put_category(connection: Connection, category: CategoryEntry, *, by: str) -> CategoryEntry:
    """Keep an edited category, as `put_agency` does."""
    edited = (await _locked(connection)).categories
    before = next(one for one in categories(edited) if one.code is category.code)
    after: CategoryEntry = msgspec.structs.replace(category, version=_next(before.version, category.version))
    others = [one for one in edited if one.code is not category.code]
    await policy_store.put(connection, "categories", (*others, after), by=by, why=f"{category.code} edited")
    return after


async def _locked(connection: Connection) -> Policy:
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY)
    return await policy_store.live(connection)


def _next(current: int, read: int) -> int:
    if current != read:
        raise StaleEntry(current)
    return current + 1
