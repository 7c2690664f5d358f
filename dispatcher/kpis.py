"""The key figures of the wall: counted in SQL, sent when they change and once a minute."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from dispatcher import outbox_store
from infra.postgres import Connection
from schemas.feed import KpiRow
from schemas.vocabulary import OPEN_STATUSES, FeedChannel, IncidentStatus

#: A figure that does not change is sent again after this, so that a wall sees that it is being counted.
RESENT_AFTER: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Kpi:
    """One key figure: a `name`, its `unit` (`count`, `s`, `share` from 0 to 1) and the query that counts it."""

    name: str
    unit: str
    sql: str


def _listed(statuses: Iterable[IncidentStatus]) -> str:
    return ", ".join(f"'{status}'" for status in sorted(statuses))


_OPEN: Final = _listed(OPEN_STATUSES)
#: Written out: the index `incident_unsolved_due` says the same list, and PostgreSQL must see that it does.
_UNSOLVED: Final = _listed(OPEN_STATUSES - {IncidentStatus.RESOLVED})

#: Null where it cannot be told: no nodes, nothing opened today, nothing due.
KPIS: Final = (
    Kpi("open_incidents", "count", f"SELECT count(*) FROM incident WHERE status IN ({_OPEN})"),  # noqa: S608
    Kpi("overdue", "count", f"SELECT count(*) FROM incident WHERE status IN ({_UNSOLVED}) AND due_at < now()"),  # noqa: S608
    Kpi("triage_waiting", "count", "SELECT count(*) FROM incident WHERE status IN ('new', 'triage')"),
    Kpi("reports_last_hour", "count", "SELECT count(*) FROM report WHERE received_at > now() - interval '1 hour'"),
    Kpi("officers_available", "count", "SELECT count(*) FROM officer WHERE status = 'available'"),
    Kpi(
        "wifi_up_share",
        "share",
        "SELECT count(*) FILTER (WHERE state = 'up')::float8 / nullif(count(*), 0) FROM wifi_node",
    ),
    # Report to routed (domain.md, Times), of the incidents that were opened today in Bekasi and have been looked at.
    Kpi(
        "median_first_look_s",
        "s",
        """
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM looked.at - i.opened_at))
          FROM incident i CROSS JOIN LATERAL (
               SELECT h.at FROM incident_history h
                WHERE h.incident_id = i.id AND h.status NOT IN ('new', 'triage') ORDER BY h.version LIMIT 1) AS looked
         WHERE i.updated_at >= date_trunc('day', now(), 'Asia/Jakarta')
           AND i.opened_at >= date_trunc('day', now(), 'Asia/Jakarta')
        """,
    ),
    # Resolved in time, of all that was resolved in 7 days or is open and overdue (domain.md: those always count).
    Kpi(
        "on_time_share",
        "share",
        f"""
        SELECT count(*) FILTER (WHERE resolved_at <= due_at)::float8 / nullif(count(*), 0)
          FROM (SELECT resolved_at, due_at FROM incident
                 WHERE updated_at >= now() - interval '7 days'
                   AND resolved_at >= now() - interval '7 days' AND due_at IS NOT NULL
                 UNION ALL
                SELECT NULL, due_at FROM incident WHERE status IN ({_UNSOLVED}) AND due_at < now()) AS judged
        """,  # noqa: S608
    ),
)
_COUNT_ALL: Final = "SELECT " + ", ".join(f"({kpi.sql})::float8 AS {kpi.name}" for kpi in KPIS) + ", now() AS at"


async def lock(connection: Connection) -> None:
    """Until the transaction ends nobody else counts, also while there is no row yet. Take it before `outbox`."""
    await connection.execute("LOCK TABLE kpi IN SHARE ROW EXCLUSIVE MODE")


async def refresh(connection: Connection) -> int:
    """Count all figures and put those out that have changed, or were last sent a minute ago; answers how many.

    Call it in a transaction; of several workers the second waits for the first, so a row's order is that of its time.
    """
    await lock(connection)
    row = await connection.fetchrow(_COUNT_ALL)
    sent = {old["name"]: old for old in await connection.fetch("SELECT name, value, at FROM kpi")}
    if row is None:
        return 0
    changed = []
    for kpi in KPIS:
        value = None if row[kpi.name] is None else _round(row[kpi.name], kpi.unit)
        old = sent.get(kpi.name)
        if old is None or old["value"] != value or row["at"] - old["at"] >= RESENT_AFTER:
            changed.append(KpiRow(name=kpi.name, value=value, unit=kpi.unit, at=row["at"]))
    await connection.executemany(
        "INSERT INTO kpi (name, value, unit, at) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value, unit = excluded.unit, at = excluded.at",
        [(kpi.name, kpi.value, kpi.unit, kpi.at) for kpi in changed],
    )
    await outbox_store.add(
        connection,
        [
            outbox_store.row_changed(FeedChannel.KPIS, kpi.name, kpi, {}, {} if kpi.name in sent else None)
            for kpi in changed
        ],
    )
    return len(changed)


def _round(value: float, unit: str) -> float:
    """As exact as anyone reads it, so that a figure does not change with every second."""
    return round(value, 3) if unit == "share" else float(math.floor(value + 0.5))
