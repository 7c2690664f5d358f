"""What speaks for an incident, in PostgreSQL: it goes with the reports when these change hands."""

from collections.abc import Sequence

from dispatcher import report_store
from dispatcher.decisions.change import Change, Evidence
from dispatcher.decisions.tally import Belongings
from infra.postgres import Connection


async def append(connection: Connection, changes: Sequence[Change]) -> None:
    """Write the evidence that these changes come from."""
    evidence = [(c.after.id, e.source, e.source_id, e.weight, e.at, e.detail) for c in changes for e in c.evidence]
    if evidence:
        await connection.executemany(
            "INSERT INTO incident_evidence (incident_id, source, source_id, weight, at, detail)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            evidence,
        )


async def move(connection: Connection, source: str, target: str, *, only: Sequence[str] | None = None) -> None:
    """Put an incident's evidence (or only that of these reports) into another one, as `report_store.move` does."""
    await connection.execute(
        "UPDATE incident_evidence SET incident_id = $2,"
        " home = CASE WHEN $3::text[] IS NULL THEN coalesce(home, incident_id) ELSE $2 END"
        " WHERE incident_id = $1 AND ($3::text[] IS NULL OR source_id = ANY($3))",
        source,
        target,
        None if only is None else list(only),
    )


async def bring_home(connection: Connection, holder: str, home: str, homes: Sequence[str]) -> None:
    """The same way back, as `report_store.bring_home` does."""
    await connection.execute(
        "UPDATE incident_evidence SET incident_id = $2 WHERE incident_id = $1 AND home = ANY($3)",
        holder,
        home,
        list(homes),
    )


async def belongings(connection: Connection, incident_id: str) -> Belongings:
    """All that belongs to an incident."""
    rows = await connection.fetch(
        "SELECT source, source_id, weight, at, detail FROM incident_evidence WHERE incident_id = $1 ORDER BY at, id",
        incident_id,
    )
    return Belongings(await report_store.belonging_to(connection, incident_id), [Evidence(**row) for row in rows])
