"""What the city has decided, in PostgreSQL: each part as it was put, the newest of each is live. Nothing is edited."""

from typing import Final, cast

import msgspec
import structlog

from dispatcher import audit_store
from dispatcher.decisions.calendar import Calendar
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.reference import Agency, CategoryEntry
from dispatcher.decisions.rule import RuleSet
from dispatcher.decisions.sla import Promise
from dispatcher.decisions.staffing import Staffing
from dispatcher.decisions.telling import Audience, Manner
from infra.postgres import Connection

log = structlog.get_logger()

#: The parts of the policy and what each is read as: a part is the field of `Policy` with its name.
PARTS: Final[dict[str, object]] = {
    "calendars": dict[str, Calendar],
    "promises": tuple[Promise, ...],
    "rules": RuleSet,
    "agencies": tuple[Agency, ...],
    "categories": tuple[CategoryEntry, ...],
    "staffing": tuple[Staffing, ...],
    "telling": dict[Audience, Manner],
}

#: What due times follow from.
_TIMES: Final = frozenset({"calendars", "promises"})

#: One who puts a part waits for another who does, so that versions are seen in their order. Any fixed number that
#: nothing else locks.
_ADVISORY: Final = 7_226_004

#: The newest row that this process has read, and what it made of it. The row's id tells apart what has the same
#: version in another database, or after going back in time.
_cached: tuple[tuple[object, bool], Policy] = ((None, False), DEFAULT_POLICY)


class StalePart(Exception):
    """Somebody else has put the part since it was read; `version` is the live one."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the live version is {version}")
        self.version = version


async def live(connection: Connection) -> Policy:
    """The policy as of this statement: one cheap look, and a reading only when something was put since.

    Call it once per transaction and pass the value on. A part that this release cannot read stays as it was, with an
    error in the log: reports do not wait for it.
    """
    global _cached
    found = await connection.fetchrow(
        "SELECT (SELECT id FROM policy ORDER BY version DESC LIMIT 1), (SELECT training FROM city)"
    )
    assert found is not None  # noqa: S101 - one row, always
    newest, training = found[0], bool(found[1])
    if (newest, training) != _cached[0]:
        _cached = ((newest, training), await _read(connection, training))
    return _cached[1]


async def version_of(connection: Connection, part: str) -> int:
    """At which version the live part was put; 0 is the default."""
    return cast(int, await connection.fetchval("SELECT coalesce(max(version), 0) FROM policy WHERE part = $1", part))


async def put(
    connection: Connection, part: str, value: object, *, by: str, why: str = "", expected: int | None = None
) -> int:
    """Make `value` the live `part` when the caller's transaction commits; answers the new version.

    Raises `StalePart` when the live one is not that of version `expected`, if that is given.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY)
    if expected is not None and (newest := await version_of(connection, part)) != expected:
        raise StalePart(newest)
    version = await connection.fetchval(
        "INSERT INTO policy (version, part, body, put_by, why)"
        " SELECT coalesce(max(version), 0) + 1, $1, $2, $3, $4 FROM policy RETURNING version",
        part,
        msgspec.to_builtins(value),
        by,
        why,
    )
    await audit_store.record(
        connection, actor=by, action="policy_put", subject=f"policy:{part}", detail={"version": version, "why": why}
    )
    return cast(int, version)


async def _read(connection: Connection, training: bool) -> Policy:
    rows = await connection.fetch(
        "SELECT DISTINCT ON (part) part, body, version FROM policy ORDER BY part, version DESC"
    )
    known: dict[str, object] = {}
    for row in rows:
        try:
            if row["part"] in PARTS:
                known[row["part"]] = msgspec.convert(row["body"], PARTS[row["part"]])
        except msgspec.ValidationError as error:
            log.error("policy_unreadable", part=row["part"], version=row["version"], error=str(error))
            known[row["part"]] = getattr(_cached[1], row["part"])
    policy: Policy = msgspec.structs.replace(
        DEFAULT_POLICY,
        **{
            "training": training,
            "version": max((row["version"] for row in rows), default=0),
            "times_version": max((row["version"] for row in rows if row["part"] in _TIMES), default=0),
            **known,
        },
    )
    return policy
