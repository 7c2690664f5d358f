"""Rule sets in PostgreSQL: the one that is live, those that were, drafts, and how often each rule was right."""

from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from dispatcher import policy_store
from dispatcher.decisions.decide import ACTOR
from dispatcher.decisions.default_rules import DEFAULT_RULES
from dispatcher.decisions.incident import new_id
from dispatcher.decisions.rule import Rule, RuleSet
from infra.postgres import Connection

#: Whoever makes rules live waits for another who does. Any fixed number that nothing else locks.
_ADVISORY: Final = 7_226_007
#: Incidents whose newest routing is asked for at most: a month of a busy city.
_MOST_ROUTED: Final = 200_000


class StaleRules(Exception):
    """Other rules have gone live than those that were read; `current` is their version."""

    def __init__(self, current: int) -> None:
        super().__init__(f"version {current} is live meanwhile")
        self.current = current


class Live(msgspec.Struct, frozen=True):
    """A set of rules that is or was live, and who made it so."""

    rules: RuleSet
    by: str | None
    at: datetime | None
    why: str


class Draft(msgspec.Struct, frozen=True):
    """Rules that are not live yet."""

    id: str
    rules: tuple[Rule, ...]
    why: str
    #: The version that was live when it was written.
    based_on: int
    drafted_by: str
    drafted_at: datetime
    tried_at: datetime | None = None
    #: The version that it became.
    applied_as: int | None = None


class Figures(msgspec.Struct, frozen=True):
    """How often a rule of a version decided, and how often a person sent it elsewhere afterwards."""

    version: int
    rule: str
    fired: int
    rerouted: int


async def live(connection: Connection) -> RuleSet:
    """The rules that decide now."""
    return (await policy_store.live(connection)).rules


async def history(connection: Connection, below: int | None, limit: int) -> list[Live]:
    """Sets that went live, the newest first, with versions below the one that is given; the last one is in code."""
    rows = await connection.fetch(
        "SELECT body, put_by, put_at, why FROM policy WHERE part = 'rules' AND ($1::int IS NULL"
        " OR (body->>'version')::int < $1) ORDER BY version DESC LIMIT $2",
        below,
        limit,
    )
    found = [_live(row) for row in rows]
    if len(found) < limit and (below is None or below > 0):
        found.append(Live(DEFAULT_RULES, None, None, ""))
    return found


async def of_version(connection: Connection, version: int) -> Live | None:
    """The set of this version."""
    found = await history(connection, version + 1, 1)
    return found[0] if found and found[0].rules.version == version else None


async def apply(connection: Connection, rules: tuple[Rule, ...], *, expected: int, by: str, why: str) -> RuleSet:
    """Make them live when the caller's transaction commits: the next transaction of every dispatcher uses them.

    Raises `StaleRules` when another version than `expected` is live by then.
    """
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _ADVISORY)
    newest = (await history(connection, None, 1))[0].rules.version
    if newest != expected:
        raise StaleRules(newest)
    put = RuleSet(version=newest + 1, rules=rules)
    await policy_store.put(connection, "rules", put, by=by, why=why)
    return put


async def insert_draft(connection: Connection, rules: tuple[Rule, ...], *, by: str, why: str) -> Draft:
    """Keep a draft."""
    written = await connection.fetch(
        "INSERT INTO rule_draft (id, rules, why, based_on, drafted_by) VALUES ($1, $2, $3, $4, $5) RETURNING *",
        new_id("RUL"),
        msgspec.to_builtins(rules),
        why,
        (await live(connection)).version,
        by,
    )
    return _draft(written[0])


async def drafts(connection: Connection, before: tuple[datetime, str] | None, limit: int) -> list[Draft]:
    """The newest first, those written before a moment (and id)."""
    rows = await connection.fetch(
        "SELECT * FROM rule_draft WHERE $1::timestamptz IS NULL OR (drafted_at, id) < ($1, $2)"
        " ORDER BY drafted_at DESC, id DESC LIMIT $3",
        *(before or (None, None)),
        limit,
    )
    return [_draft(row) for row in rows]


async def draft(connection: Connection, draft_id: str, *, lock: bool = False) -> Draft | None:
    """The draft with this id; with `lock`, nobody else's until the transaction ends."""
    row = await connection.fetchrow(
        f"SELECT * FROM rule_draft WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        draft_id,
    )
    return _draft(row) if row else None


async def mark_tried(connection: Connection, draft_id: str) -> None:
    """It was tried now."""
    await connection.execute("UPDATE rule_draft SET tried_at = now() WHERE id = $1", draft_id)


async def mark_applied(connection: Connection, draft_id: str, version: int) -> None:
    """It has become this version."""
    await connection.execute("UPDATE rule_draft SET applied_as = $2 WHERE id = $1", draft_id, version)


async def figures(connection: Connection, since: datetime) -> list[Figures]:
    """Of each rule that decided since then; wrongly routed is what a person then gave to somebody else.

    What a rule sent to triage was not wrong. The newest 200,000 decisions are looked at.
    """
    rows = await connection.fetch(
        """
        WITH routed AS (
             SELECT id, incident_id, outcome, actor, rule, rule_version FROM incident_decision
              WHERE judgement = 'route' AND at >= $1 ORDER BY at DESC LIMIT $2
        ), followed AS (
             SELECT *, lead(outcome) OVER next AS then_to, lead(actor) OVER next AS then_by
               FROM routed WINDOW next AS (PARTITION BY incident_id ORDER BY id)
        )
        SELECT rule_version AS version, rule, count(*) AS fired,
               count(*) FILTER (WHERE outcome <> 'triage' AND then_to <> outcome AND then_by <> $3) AS rerouted
          FROM followed WHERE rule IS NOT NULL
         GROUP BY rule_version, rule ORDER BY rule_version DESC, fired DESC, rule
        """,
        since,
        _MOST_ROUTED,
        ACTOR,
    )
    return [Figures(row["version"], row["rule"], row["fired"], row["rerouted"]) for row in rows]


def _live(row: asyncpg.Record) -> Live:
    return Live(msgspec.convert(row["body"], RuleSet), row["put_by"], row["put_at"], row["why"])


def _draft(row: asyncpg.Record) -> Draft:
    return Draft(
        id=row["id"],
        rules=msgspec.convert(row["rules"], tuple[Rule, ...]),
        why=row["why"],
        based_on=row["based_on"],
        drafted_by=row["drafted_by"],
        drafted_at=row["drafted_at"],
        tried_at=row["tried_at"],
        applied_as=row["applied_as"],
    )
