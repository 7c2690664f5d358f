"""Standard texts in PostgreSQL."""

from typing import Final, Literal

import asyncpg

from infra.postgres import Connection
from schemas.vocabulary import Category
from schemas.wire import Record, Timestamp

_COLUMNS: Final = "id, version, name, verb, category, language, body, updated_by, updated_at"


class StandardText(Record, frozen=True):
    """What is said often, ready to be used."""

    id: str
    version: int
    name: str
    #: The verb of an incident that it is for; null: any.
    verb: str | None
    #: Null: any.
    category: Category | None
    language: Literal["id", "en"]
    body: str
    updated_by: str
    updated_at: Timestamp


async def select_page(
    connection: Connection,
    *,
    verb: str | None,
    category: Category | None,
    language: str | None,
    after: str,
    limit: int,
) -> list[StandardText]:
    """By id, behind `after`; with a verb or category also those that are for any."""
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM standard_text WHERE id > $1"  # noqa: S608
        " AND ($2::text IS NULL OR verb IS NULL OR verb = $2)"
        " AND ($3::text IS NULL OR category IS NULL OR category = $3) AND ($4::text IS NULL OR language = $4)"
        " ORDER BY id LIMIT $5",
        after,
        verb,
        category.value if category else None,
        language,
        limit,
    )
    return [_from_row(row) for row in rows]


async def select_for_update(connection: Connection, text_id: str) -> StandardText | None:
    """As it is now, locked until the transaction ends."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM standard_text WHERE id = $1 FOR UPDATE", text_id)  # noqa: S608
    return _from_row(row) if row else None


async def put(connection: Connection, text: StandardText) -> None:
    """A new one, or a locked one as it is to be."""
    await connection.execute(
        f"INSERT INTO standard_text ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"  # noqa: S608
        " ON CONFLICT (id) DO UPDATE SET version = excluded.version, name = excluded.name, verb = excluded.verb,"
        " category = excluded.category, language = excluded.language, body = excluded.body,"
        " updated_by = excluded.updated_by, updated_at = excluded.updated_at",
        text.id,
        text.version,
        text.name,
        text.verb,
        text.category.value if text.category else None,
        text.language,
        text.body,
        text.updated_by,
        text.updated_at,
    )


async def delete(connection: Connection, text_id: str) -> bool:
    """False when there is none."""
    return bool(await connection.fetchval("DELETE FROM standard_text WHERE id = $1 RETURNING true", text_id))


def _from_row(row: asyncpg.Record) -> StandardText:
    return StandardText(
        **{
            **{name: row[name] for name in StandardText.__struct_fields__},
            "category": Category(row["category"]) if row["category"] else None,
        }
    )
