"""PostgreSQL's clock, moved: what `now()` and `clock_timestamp()` mean in a database of a test's own."""

from datetime import datetime
from typing import Final

import asyncpg

#: Both are found before PostgreSQL's own, by every statement of ours and by the defaults of its tables. How far they
#: are ahead is the value of a sequence, which needs no transaction.
_AHEAD: Final = "pg_sequence_last_value('virtual.ahead'::regclass) * interval '1 microsecond'"
_MOVED: Final = f"""
CREATE SCHEMA virtual;
CREATE SEQUENCE virtual.ahead;
SELECT setval('virtual.ahead', 1);
GRANT USAGE ON SCHEMA virtual TO PUBLIC;
GRANT SELECT ON SEQUENCE virtual.ahead TO PUBLIC;
CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT pg_catalog.now() + {_AHEAD} $$;
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT pg_catalog.clock_timestamp() + {_AHEAD} $$;
"""


async def make(server: str, name: str) -> str:
    """An empty database with such a clock; its DSN. Its schema comes after it, so that defaults follow it too."""
    admin = await asyncpg.connect(server)
    await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.execute(f"ALTER DATABASE {name} SET search_path = public, pg_catalog")
    await admin.close()
    dsn = server.rpartition("/")[0] + f"/{name}"
    connection = await asyncpg.connect(dsn)
    await connection.execute(_MOVED)
    await connection.close()
    return dsn


async def move(connection: asyncpg.Connection | asyncpg.Pool, to: datetime) -> None:
    """Let it be `to`, or later when it is later already: it never goes back."""
    await connection.execute(
        "SELECT setval('virtual.ahead', greatest(pg_sequence_last_value('virtual.ahead'::regclass),"
        " (extract(epoch FROM $1 - pg_catalog.clock_timestamp()) * 1000000)::bigint))",
        to,
    )
