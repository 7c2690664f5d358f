"""What the city has decided, in PostgreSQL: each part as it was put, the newest of each is live. Nothing is edited."""

from typing import Final, cast

import msgspec

from dispatcher.decisions.calendar import Calendar
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.reference import Agency, CategoryEntry
from dispatcher.decisions.rule import RuleSet
from dispatcher.decisions.sla import Promise
from dispatcher.decisions.staffing import Staffing
from infra.postgres import Connection

#: The parts of the policy and what each is read as: a part is the field of `Policy` with its name.
PARTS: Final[dict[str, object]] = {
    "calendars": dict[str, Calendar],
    "promises": tuple[Promise, ...],
    "rules": RuleSet,
    "agencies": tuple[Agency, ...],
    "categories": tuple[CategoryEntry, ...],
    "staffing": tuple[Staffing, ...],
}

#: One who puts a part waits for another who does, so that versions are seen in their order. Any fixed number that
#: nothing else locks.
_ADVISORY: Final = 7_226_004

#: The newest row that this process has read, and what it made of it. The row's id tells apart what has the same
#: version in another database, or after going back in time.
_cached: tuple[object, Policy] = (None, DEFAULT_POLICY)


async def live(connection: Connection) -> Policy:
    """The policy as of this statement: one cheap look, and a reading only when something was put since.

    Call it once per transaction and pass the value on. Raises `msgspec.ValidationError` when a row cannot be read.
    """
    global _cached
    newest = await connection.fetchval("SELECT id FROM policy ORDER BY version DESC LIMIT 1")
    if newest != _cached[0]:
        _cached = (newest, await _read(connection))
    return _cached[1]


async def put(connection: Connection, part: str, value: object, *, by: str, why: str = "") -> int:
    """Make `value` the live `part` when the caller's transaction commits; answers the new version."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY)
    version = await connection.fetchval(
        "INSERT INTO policy (version, part, body, put_by, why)"
        " SELECT coalesce(max(version), 0) + 1, $1, $2, $3, $4 FROM policy RETURNING version",
        part,
        msgspec.to_builtins(value),
        by,
        why,
    )
    return cast(int, version)


async def _read(connection: Connection) -> Policy:
    rows = await connection.fetch(
        "SELECT DISTINCT ON (part) part, body, version FROM policy ORDER BY part, version DESC"
    )
    known = {row["part"]: msgspec.convert(row["body"], PARTS[row["part"]]) for row in rows if row["part"] in PARTS}
    policy: Policy = msgspec.structs.replace(
        DEFAULT_POLICY, **{"version": max((row["version"] for row in rows), default=0), **known}
    )
    return policy
