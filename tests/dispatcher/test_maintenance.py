"""Days are made ahead, old ones dropped, and rows that landed in a default partition find their day."""

from dispatcher import maintenance, seen_store
from dispatcher.maintenance import Maintenance
from infra.postgres import Pool


async def _partitions(pool: Pool, table: str) -> list[str]:
    rows = await pool.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::regclass", table
    )
    return sorted(row["name"] for row in rows)


async def test_days_are_made_ahead_and_rows_of_the_default_partition_move_into_theirs(pool: Pool) -> None:
    tomorrow = await pool.fetchval("SELECT to_char(current_date + 1, 'YYYYMMDD')")
    await pool.execute(f"DROP TABLE seen_event_{tomorrow}")
    await pool.execute("INSERT INTO seen_event VALUES (current_date + 1, 'early-bird')")
    assert await pool.fetchval("SELECT count(*) FROM seen_event_default WHERE id = 'early-bird'") == 1
    await Maintenance(pool, readings_days=30).maintain()
    assert await pool.fetchval(f"SELECT count(*) FROM seen_event_{tomorrow} WHERE id = 'early-bird'") == 1
    for table in ("seen_event", "traffic_reading", "wifi_reading"):
        ahead = await pool.fetchval("SELECT to_char(current_date + 7, 'YYYYMMDD')")
        assert f"{table}_{ahead}" in await _partitions(pool, table)


async def test_days_that_have_had_their_time_are_dropped(pool: Pool) -> None:
    kept, gone = await pool.fetchrow(
        "SELECT to_char(current_date - $1::int, 'YYYYMMDD'), to_char(current_date - $1::int - 1, 'YYYYMMDD')",
        seen_store.KEPT_DAYS,
    )
    async with pool.acquire() as connection:
        await connection.execute(
            "SELECT make_daily_partitions('seen_event', to_date($1, 'YYYYMMDD'), to_date($2, 'YYYYMMDD'))", gone, kept
        )
        await maintenance.drop_days(connection, "seen_event", seen_store.KEPT_DAYS)
    names = await _partitions(pool, "seen_event")
    assert f"seen_event_{kept}" in names
    assert f"seen_event_{gone}" not in names
    await pool.execute(f"DROP TABLE seen_event_{kept}")


async def test_what_has_had_its_time_is_swept_and_what_has_not_stays(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO command_receipt (endpoint, caller, key, digest, status, body, at) VALUES"
        " ('sweep', 'a', 'old', '', 200, '', now() - interval '8 days'), ('sweep', 'a', 'new', '', 200, '', now())"
    )
    await pool.execute(
        'INSERT INTO dead_letter (topic, topic_id, partition, "offset", headers, error_class, error_message, state, at)'
        " SELECT 'sweep', '', 0, n, '[]', 'x', 'x', s, now() - interval '40 days'"
        " FROM (VALUES (1, 'new'), (2, 'replayed')) AS v (n, s)"
    )
    async with pool.acquire() as connection:
        await maintenance.sweep(connection)
    assert [r["key"] for r in await pool.fetch("SELECT key FROM command_receipt WHERE endpoint = 'sweep'")] == ["new"]
    assert [r["state"] for r in await pool.fetch("SELECT state FROM dead_letter WHERE topic = 'sweep'")] == ["new"]
    await pool.execute("DELETE FROM dead_letter WHERE topic = 'sweep'")
