"""Migrations run while the release before is at work: they only add, wait for nobody, and are never changed."""

import asyncpg
import pytest

from infra import migrate
from infra.migrate import Migration, MigrationError, migrations
from tests.infra.expanding import contractions


@pytest.mark.parametrize("migration", migrations()[1:], ids=lambda migration: migration.name)
def test_a_migration_takes_nothing_away_that_the_release_before_uses(migration: Migration) -> None:
    assert contractions(migration.sql) == []


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [migration.number for migration in migrations()] == list(range(1, len(migrations()) + 1))


@pytest.mark.parametrize(
    ("sql", "phrase"),
    [
        ("ALTER TABLE officer DROP COLUMN accuracy_m;", "drops something"),
        ("drop table kpi", "drops something"),
        ("DROP INDEX officer_available;", "drops something"),
        ("ALTER TABLE officer ALTER COLUMN name DROP NOT NULL;", "drops something"),
        ("ALTER TABLE officer RENAME COLUMN name TO title;", "renames something"),
        ("ALTER TABLE officer RENAME TO people;", "renames something"),
        ("TRUNCATE kpi;", "empties a table"),
        ("DELETE FROM kpi;", "deletes rows"),
        ("ALTER TABLE officer ALTER name TYPE varchar(10);", "changes a column's type"),
        ("ALTER TABLE officer ALTER COLUMN name SET DATA TYPE varchar(10);", "changes a column's type"),
        ("ALTER TABLE officer ALTER lat SET NOT NULL;", "forbids null where older releases may write it"),
        ("ALTER TABLE officer ADD CONSTRAINT c CHECK (lat > 0);", "forbids what older releases may write"),
        ("ALTER TABLE officer ADD CHECK (lat > 0);", "forbids what older releases may write"),
        ("CREATE UNIQUE INDEX u ON officer (name);", "forbids what older releases may write"),
        ("ALTER TABLE officer ADD COLUMN hue text NOT NULL;", "adds a column that older releases do not fill"),
        ("ALTER TABLE officer ADD hue text, ADD tone int NOT\n NULL;", "adds a column that older releases do not fill"),
    ],
)
def test_what_takes_away_is_found(sql: str, phrase: str) -> None:
    assert contractions(f"-- why\n{sql}") == [phrase]
    assert contractions(f"-- contract: 0.3.0 was the last release that used it\n{sql}") == []
    assert contractions(f"-- contract: some day\n{sql}") == [phrase]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE shift (id int PRIMARY KEY, name text NOT NULL UNIQUE CHECK (name <> ''));",
        "CREATE TABLE shift (id int); ALTER TABLE shift ADD CONSTRAINT c CHECK (id > 0);",
        "CREATE TABLE shift (id int); CREATE UNIQUE INDEX i ON shift (id);",
        "ALTER TABLE officer ADD COLUMN hue text, ADD COLUMN tone int NOT NULL DEFAULT 0;",
        "CREATE INDEX officer_hue ON officer (lat);",
        "INSERT INTO kpi VALUES ('drop table'); -- DROP TABLE kpi",
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN DROP TABLE x; END $$;",
        "REVOKE ALL ON FUNCTION drop_day(text, date) FROM PUBLIC; GRANT DELETE ON kpi TO dispatcher;",
    ],
)
def test_what_only_adds_is_let_through(sql: str) -> None:
    assert contractions(sql) == []


async def test_a_migration_waits_for_others_locks_a_few_seconds_and_leaves_all_as_it_was(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = migrations()
    more = Migration(9000, "9000_more.sql", "CREATE TABLE early (id int); ALTER TABLE officer ADD COLUMN hue text;")
    monkeypatch.setattr(migrate, "migrations", lambda: [*real, more])
    monkeypatch.setattr(migrate, "_LOCK_TIMEOUT", "300ms")
    busy = await asyncpg.connect(database)
    transaction = busy.transaction()
    await transaction.start()
    await busy.execute("SELECT * FROM officer FOR UPDATE")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await migrate.migrate(database)
    await transaction.rollback()
    assert await busy.fetchval("SELECT to_regclass('early') IS NULL")
    assert await migrate.migrate(database) == ["9000_more.sql"]
    assert await migrate.migrate(database) == []

    monkeypatch.setattr(migrate, "migrations", lambda: [*real, Migration(9000, more.name, more.sql + " ")])
    with pytest.raises(MigrationError, match=r"9000_more\.sql was changed after it was applied"):
        await migrate.migrate(database)
    # The release before knows nothing of it, and goes on.
    monkeypatch.setattr(migrate, "migrations", lambda: real)
    assert await migrate.migrate(database) == []
    await busy.close()


async def test_a_migration_that_takes_too_long_is_given_up(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Migration(9001, "9001_slow.sql", "CREATE TABLE slow (id int); SELECT pg_sleep(30)")
    real = migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: [*real, slow])
    monkeypatch.setattr(migrate, "_STATEMENT_TIMEOUT", "300ms")
    with pytest.raises(asyncpg.QueryCanceledError):
        await migrate.migrate(database)
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("SELECT to_regclass('slow') IS NULL")
    await connection.close()
