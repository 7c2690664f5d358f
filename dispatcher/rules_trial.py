"""Rules tried on stored incidents: read in bounds, judged by the dispatcher's own code beside the event loop."""

import asyncio
import time
from datetime import datetime
from typing import Final

from dispatcher import incident_store, policy_store
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.routing import Words
from dispatcher.decisions.rule import Rule, RuleSet
from dispatcher.decisions.rule_findings import Findings, look_through
from dispatcher.decisions.rule_trial import Past, Trial, compare
from infra.postgres import Connection

#: The newest so many incidents are tried at most: a week of a busy city, read in about half a second.
MOST_INCIDENTS: Final = 10_000
#: Seconds that judging them may take.
_LIMIT_S: Final = 10.0


async def read(connection: Connection, since: datetime) -> tuple[list[Past], Policy]:
    """The incidents that were opened since then, the newest first, and what is live."""
    columns = ", ".join(f"i.{name.strip()}" for name in incident_store.COLUMNS.split(","))
    rows = await connection.fetch(
        f"""
        SELECT {columns}, said.address AS said_address, said.description AS said_text
          FROM incident i
          LEFT JOIN LATERAL (SELECT address, description FROM report r WHERE r.incident_id = i.id
                              ORDER BY received_at, id LIMIT 1) said ON true
         WHERE i.opened_at >= $1 AND i.status <> 'merged'
         ORDER BY i.opened_at DESC, i.id DESC LIMIT $2
        """,  # noqa: S608
        since,
        MOST_INCIDENTS,
    )
    past = [
        Past(
            incident_store.from_row(row),
            None if row["said_text"] is None else Words(row["said_address"], row["said_text"]),
        )
        for row in rows
    ]
    return past, await policy_store.live(connection)


async def judge(past: list[Past], live: Policy, rules: tuple[Rule, ...]) -> tuple[Trial, Findings]:
    """What would change, and what the rules say of themselves; in a thread, for ten seconds each at most."""
    until = time.monotonic() + _LIMIT_S
    tried = RuleSet(version=live.rules.version + 1, rules=rules)
    trial = await asyncio.to_thread(compare, past, live, tried, enough=lambda: time.monotonic() > until)
    return trial, await asyncio.to_thread(look_through, rules)
