"""Keeps the database in shape: days made ahead, days dropped, what has had its time swept."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Final

import asyncpg
import structlog

from dispatcher import incident_store, playback_store, seen_store
from dispatcher.retention import Retention
from dispatcher.supervise import pause
from infra.postgres import Connection, Pool

log = structlog.get_logger()

_EVERY_S: Final = 3600.0
#: Any number that nothing else in this database locks; one worker at a time maintains.
_LOCK: Final = 0x6D61_696E
#: Days that are made ahead, so that nothing lies in a default partition; also for a release that stands still for long.
_DAYS_AHEAD: Final = 7
#: Readings may be 7 days late (contract.md section 2).
_DAYS_BEHIND: Final = 8
_RECEIPTS_KEPT: Final = timedelta(days=7)
#: Settled dead letters, and deadlines of ended incidents, are kept as long as reports stay in Kafka.
_SETTLED_KEPT: Final = timedelta(days=30)
#: Contacts leave Kafka after 7 days; nobody's phone number outlives that here because its message was bad.
_CONTACTS_KEPT: Final = timedelta(days=7)
#: Nothing that works waits longer than this for a partition to be added or dropped.
_LOCK_TIMEOUT: Final = "2s"
_SWEPT_AT_ONCE: Final = 5000
#: Rows that the playback takes in at once; making each costs some 50 µs, in which nothing else is done.
_KNOWN_AT_ONCE: Final = 1000


class Maintenance:
    """Runs once an hour in one of the workers."""

    def __init__(self, pool: Pool, *, readings_days: int, retention: Retention | None = None) -> None:
        """Without `retention` whatever people have told is kept."""
        self._pool = pool
        self._retention = retention
        self._kept = {
            "seen_event": seen_store.KEPT_DAYS,
            "traffic_reading": readings_days,
            "wifi_reading": readings_days,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Maintain until `stop` is set. Raises what PostgreSQL raises when it is away."""
        while not stop.is_set():
            await self.maintain()
            await pause(stop, _EVERY_S)

    async def maintain(self) -> None:
        """Once, unless another worker is at it."""
        async with self._pool.acquire(timeout=5) as connection:
            if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
                return
            try:
                for table, days in self._kept.items():
                    await make_days(connection, table)
                    await drop_days(connection, table, days)
                await sweep(connection)
                await know_the_board(connection)
                if self._retention is not None:
                    await self._retention.apply(connection)
            finally:
                await connection.fetchval("SELECT pg_advisory_unlock($1)", _LOCK)


async def make_days(connection: Connection, table: str) -> None:
    """Make the partitions of the coming days, and of the last ones where they are missing."""
    today: date = await connection.fetchval("SELECT current_date")
    for day in (today + timedelta(days=n) for n in range(-_DAYS_BEHIND, _DAYS_AHEAD + 1)):
        name = f"{table}_{day:%Y%m%d}"
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
            continue
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                await connection.execute("SELECT add_day($1, $2)", table, day)
        except asyncpg.LockNotAvailableError:
            log.warning("day_not_made", table=table, day=str(day))  # in an hour, then


async def drop_days(connection: Connection, table: str, days: int) -> None:
    """Drop the partitions of days that have had their time."""
    rows = await connection.fetch(
        "SELECT c.relname AS name, to_date(right(c.relname, 8), 'YYYYMMDD') AS day"
        " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = $1::regclass AND c.relname ~ '_[0-9]{8}$'"
        " AND to_date(right(c.relname, 8), 'YYYYMMDD') < current_date - $2::int ORDER BY 1",
        table,
        days,
    )
    for row in rows:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                await connection.execute("SELECT drop_day($1, $2)", table, row["day"])
            log.info("day_dropped", table=row["name"])
        except asyncpg.LockNotAvailableError:
            log.warning("day_not_dropped", table=row["name"])


async def know_the_board(connection: Connection) -> None:
    """What an older release has put on the board is taken into the playback, as of now; what is left in an hour."""
    try:
        async with connection.transaction(isolation="repeatable_read"):
            unknown = await playback_store.end_and_find(connection, _KNOWN_AT_ONCE)
            await playback_store.keep(connection, await incident_store.select_board(connection, unknown))
    except asyncpg.SerializationError:
        log.warning("board_not_known")
        return
    if unknown:
        log.info("board_known", rows=len(unknown))


async def sweep(connection: Connection) -> None:
    """Delete receipts, sessions, settled dead letters and deadlines of what has ended that have had their time."""
    now: datetime = await connection.fetchval("SELECT now()")
    for table, condition, before in (
        ("command_receipt", "at < $1", now - _RECEIPTS_KEPT),
        ("session", "expires_at < $1", now),
        ("dead_letter", "state <> 'new' AND at < $1", now - _SETTLED_KEPT),
        ("dead_letter", "topic = 'bekasi.contact.v1' AND at < $1", now - _CONTACTS_KEPT),
        # while its incident is open it says what has been told
        (
            "deadline",
            "fired_at < $1 AND EXISTS (SELECT FROM incident i WHERE i.id = incident_id AND i.ended_at < $1)",
            now - _SETTLED_KEPT,
        ),
    ):
        swept = _SWEPT_AT_ONCE
        while swept == _SWEPT_AT_ONCE:
            done = await connection.execute(
                f"DELETE FROM {table} WHERE ctid = ANY(ARRAY("  # noqa: S608
                f"SELECT ctid FROM {table} WHERE {condition} LIMIT {_SWEPT_AT_ONCE}))",
                before,
            )
            swept = int(done.split()[-1])
