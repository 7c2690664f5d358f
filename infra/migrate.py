"""Brings the database to the newest schema: plain numbered SQL, checksums, one runner at a time."""

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Final

import asyncpg
import click

from infra.postgres import TRANSIENT, Connection, connect
from infra.postgres_roles import ROLES, grant, make

#: Any number that nothing else in this database locks.
_ADVISORY_KEY: Final = 0x7061_7472
#: A migration waits this long for others' locks before it gives up, so that it never stops a running city.
_LOCK_TIMEOUT: Final = "5s"
_STATEMENT_TIMEOUT: Final = "60s"


class MigrationError(RuntimeError):
    """The schema cannot be brought up to date; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of `infra/migrations`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations in their order."""
    found = []
    for entry in resources.files("infra").joinpath("migrations").iterdir():
        number, _, _ = entry.name.partition("_")
        if entry.name.endswith(".sql") and number.isdigit():
            found.append(Migration(int(number), entry.name, entry.read_text("utf-8")))
    return sorted(found, key=lambda migration: migration.number)


def newest() -> int:
    """The schema version this release works with."""
    return migrations()[-1].number


async def applied(connection: Connection) -> dict[int, str]:
    """Checksums of the migrations that the database has, by number; empty for a new database."""
    if not await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"):
        return {}
    return {row["number"]: row["checksum"] for row in await connection.fetch("SELECT * FROM schema_migration")}


async def migrate(dsn: str, *, training: bool = False) -> list[str]:
    """Apply what is missing, each in a transaction of its own, and give the services' roles their rights; returns the
    migrations' names. Safe twice and at the same time.

    Raises `MigrationError` when an applied file has changed since, roles are missing that we may not make, or the
    database is a real city's and ours is one for `training`, or the other way round.
    """
    connection = await connect(dsn, application="patriot-migrate", lock_timeout=_LOCK_TIMEOUT)
    try:
        # Waits for a runner beside us; the lock timeout is for tables, not for this.
        await connection.execute("SET lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_lock($1)", _ADVISORY_KEY, timeout=120)
        await connection.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
        await connection.execute(f"SET statement_timeout = '{_STATEMENT_TIMEOUT}'")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migration ("
            " number int PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
            " at timestamptz NOT NULL DEFAULT now())"
        )
        await _be_one_kind(connection, training)
        await _make_roles(connection)
        done = await applied(connection)
        names = []
        for migration in migrations():
            if migration.number in done:
                if done[migration.number] != migration.checksum:
                    raise MigrationError(
                        f"{migration.name} was changed after it was applied; restore the file and add a new migration"
                    )
                continue
            async with connection.transaction():
                await connection.execute(migration.sql, timeout=90)
                await connection.execute(
                    "INSERT INTO schema_migration (number, name, checksum) VALUES ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.checksum,
                )
            names.append(migration.name)
        if max(done, default=0) <= newest():
            # A newer release knows tables that we would take from its services.
            await grant(connection)
        return names
    finally:
        await connection.close(timeout=5)


async def is_training(connection: Connection) -> bool:
    """Whether the database is that of a training city; one without a mark is a real city's."""
    return bool(await connection.fetchval("SELECT training FROM city"))


async def _be_one_kind(connection: Connection, training: bool) -> None:
    """Mark a new database for what it is, in the first of all statements; refuse one of the other kind."""
    async with connection.transaction():
        await connection.execute("CREATE TABLE IF NOT EXISTS city (training boolean NOT NULL)")
        await connection.execute(
            "COMMENT ON TABLE city IS 'infra/migrate.py. one row: whether everything here is for training'"
        )
        if not await connection.fetchval("SELECT EXISTS (SELECT FROM city)"):
            # What was there before cities were marked is real.
            new = not await applied(connection)
            await connection.execute("INSERT INTO city (training) VALUES ($1)", training and new)
        marked = await is_training(connection)
        if marked and not training:
            raise MigrationError(
                "this is the database of a training city: start with --training (PATRIOT_TRAINING=true), or give real"
                " work a database of its own"
            )
        if training and not marked:
            raise MigrationError(
                "this is the database of a real city: start without --training (PATRIOT_TRAINING), or give the training"
                " city a database of its own"
            )


async def _make_roles(connection: Connection) -> None:
    try:
        await make(connection)
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            f"this login may not make the roles {', '.join(ROLES)}; make them as one who may (CREATE ROLE … NOLOGIN),"
            " then migrate again"
        ) from error


@click.command("migrate")
@click.option("--postgres-dsn", envvar="PATRIOT_POSTGRES_DSN", required=True, help="URL of the database.")
@click.option("--training", envvar="PATRIOT_TRAINING", is_flag=True, help="It is for training, and marked so.")
@click.option("--roles", is_flag=True, help="Tell the roles of the services, each with just the rights it needs.")
def command(postgres_dsn: str, training: bool, roles: bool) -> None:
    """Bring the database to the newest schema. Safe twice and at the same time."""
    try:
        names = asyncio.run(migrate(postgres_dsn, training=training))
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
    except (*TRANSIENT, asyncpg.PostgresError) as error:
        raise click.ClickException(f"the database could not be migrated: {type(error).__name__}: {error}") from error
    for role in ROLES if roles else ():
        click.echo(f"granted {role}")
    click.echo("\n".join(f"applied {name}" for name in names) or f"the schema is current (version {newest()})")
