"""Rules tried on stored incidents: read in bounds, judged by the dispatcher's own code beside the event loop."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

from dispatcher import incident_store, policy_store
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.routing import Words
from dispatcher.decisions.rule import Rule, RuleSet
from dispatcher.decisions.rule_findings import Findings, look_through
from dispatcher.decisions.rule_trial import Past, Trial, compare
from infra.postgres import Connection

#: The newest so many incidents are tried at most: a week of a busy city, in some 3 s of CPU.
MOST_INCIDENTS: Final = 10_000
#: Seconds that judging them may take.
_LIMIT_S: Final = 10.0
#: Incidents of one reading, so that no connection and no turn of the loop is held for long.
_PAGE: Final = 500

_SELECT: Final = f"""
SELECT {", ".join(f"i.{name.strip()}" for name in incident_store.COLUMNS.split(","))},
       said.address AS said_address, said.description AS said_text
  FROM incident i
  LEFT JOIN LATERAL (SELECT address, description FROM report r WHERE r.incident_id = i.id
                      ORDER BY received_at, id LIMIT 1) said ON true
 WHERE i.opened_at >= $1 AND (i.opened_at, i.id) < ($2, $3) AND i.status <> 'merged'
 ORDER BY i.opened_at DESC, i.id DESC LIMIT $4
"""  # noqa: S608


async def read(
    connections: Callable[[], AbstractAsyncContextManager[Connection]], since: datetime
) -> tuple[list[asyncpg.Record], Policy]:
    """The incidents that were opened since then, the newest first, and what is live; each part on a connection."""
    async with connections() as connection:
        live = await policy_store.live(connection)
    rows: list[asyncpg.Record] = []
    last = (datetime.now(UTC) + timedelta(days=1), "")
    while len(rows) < MOST_INCIDENTS:
        async with connections() as connection:
            page = await connection.fetch(_SELECT, since, *last, _PAGE)
        rows += page
        if len(page) < _PAGE:
            break
        last = (page[-1]["opened_at"], page[-1]["id"])
    return rows, live


async def judge(rows: Sequence[asyncpg.Record], live: Policy, rules: tuple[Rule, ...]) -> tuple[Trial, Findings]:
    """What would change, and what the rules say of themselves; in a thread, the first for ten seconds at most."""
    until = time.monotonic() + _LIMIT_S
    tried = RuleSet(version=live.rules.version + 1, rules=rules)
    past = map(_past, rows)
    trial = await asyncio.to_thread(compare, past, live, tried, enough=lambda: time.monotonic() > until)
    return trial, await asyncio.to_thread(look_through, rules)


def _past(row: asyncpg.Record) -> Past:
    said = None if row["said_text"] is None else Words(row["said_address"], row["said_text"])
    return Past(incident_store.from_row(row), said)
