"""Incidents in PostgreSQL: read, locked, and saved together with their history, reasons and what goes out to Kafka."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import asyncpg
import msgspec

from dispatcher import (
    audit_store,
    deadline_store,
    evidence_store,
    notification_store,
    offering_store,
    outbox_store,
    playback_store,
    policy_store,
)
from dispatcher.decisions.cells import cell_of
from dispatcher.decisions.change import Change as Change
from dispatcher.decisions.change import Decision as Decision
from dispatcher.decisions.change import Evidence as Evidence
from dispatcher.decisions.clock import timed
from dispatcher.decisions.hold import Pause
from dispatcher.decisions.incident import Event, Incident
from dispatcher.decisions.policy import Policy
from dispatcher.outbox_store import Outgoing
from infra.postgres import Connection
from schemas import topics
from schemas.envelope import new_traceparent
from schemas.incident import IncidentChanged, IncidentOfficer
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, FeedChannel, IncidentStatus, Priority, Regency
from schemas.wire import encode

#: Of every SELECT that `from_row` reads.
COLUMNS: Final = (
    "id, version, category, status, priority, regency, agency, co_agencies, kecamatan, kelurahan, lat, lon,"
    " place_precision, address, named_places, transferred_to, skills, officers_needed, opened_at, updated_at,"
    " received_at, last_report_at,"
    " first_look_due_at, due_at, resolved_at, ended_at, report_count, sources, confidence, evidence, officers,"
    " photo_url, predecessor, on_board, pauses, merged_into, split_from, reopened_at, flags,"
    " on_scene_due_at, closes_at, looked_at, on_scene_at, policy_version"
)


class StaleVersion(Exception):
    """Somebody else has changed the incident since it was read."""


def from_row(row: asyncpg.Record) -> Incident:
    """A row of the table as the frozen value."""
    agency = AgencyRef(regency=Regency(row["regency"]), agency=AgencyCode(row["agency"])) if row["agency"] else None
    return Incident(
        id=row["id"],
        version=row["version"],
        category=Category(row["category"]),
        status=IncidentStatus(row["status"]),
        priority=Priority(row["priority"]),
        agency=agency,
        co_agencies=tuple(AgencyRef.parse(text) for text in row["co_agencies"]),
        kecamatan=row["kecamatan"],
        kelurahan=row["kelurahan"],
        lat=row["lat"],
        lon=row["lon"],
        place_precision=row["place_precision"],
        address=row["address"],
        named_places=tuple(row["named_places"]),
        transferred_to=row["transferred_to"],
        skills=tuple(row["skills"]),
        officers_needed=row["officers_needed"],
        opened_at=row["opened_at"],
        updated_at=row["updated_at"],
        received_at=row["received_at"],
        last_report_at=row["last_report_at"],
        first_look_due_at=row["first_look_due_at"],
        due_at=row["due_at"],
        resolved_at=row["resolved_at"],
        ended_at=row["ended_at"],
        report_count=row["report_count"],
        sources=tuple(row["sources"]),
        confidence=row["confidence"],
        evidence=row["evidence"],
        officers=msgspec.convert(row["officers"], tuple[IncidentOfficer, ...]),
        photo_url=row["photo_url"],
        predecessor=row["predecessor"],
        on_board=row["on_board"],
        pauses=msgspec.convert(row["pauses"], tuple[Pause, ...]),
        merged_into=row["merged_into"],
        split_from=row["split_from"],
        reopened_at=row["reopened_at"],
        flags=tuple(row["flags"]),
        on_scene_due_at=row["on_scene_due_at"],
        closes_at=row["closes_at"],
        looked_at=row["looked_at"],
        on_scene_at=row["on_scene_at"],
        policy_version=row["policy_version"],
    )


async def select(connection: Connection, incident_id: str) -> Incident | None:
    """As it is now, unlocked."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM incident WHERE id = $1", incident_id)  # noqa: S608
    return from_row(row) if row else None


async def select_all(connection: Connection, incident_ids: Sequence[str]) -> dict[str, Incident]:
    """As they are now, unlocked; those that there are."""
    rows = await connection.fetch(f"SELECT {COLUMNS} FROM incident WHERE id = ANY($1)", list(incident_ids))  # noqa: S608
    return {row["id"]: from_row(row) for row in rows}


async def select_for_update(connection: Connection, incident_ids: Sequence[str]) -> dict[str, Incident]:
    """As they are now, locked until the transaction ends; in the order of ids, so that two lockers never embrace."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM incident WHERE id = ANY($1) ORDER BY id FOR UPDATE",  # noqa: S608
        list(incident_ids),
    )
    return {row["id"]: from_row(row) for row in rows}


async def select_holders(connection: Connection, incident_id: str) -> list[str]:
    """The ids of those that have a merged incident's reports: the one it was merged into, and further on."""
    found: list[str] = await connection.fetchval("SELECT holders_of($1)", incident_id)
    return found


async def select_merged_into(connection: Connection, incident_id: str) -> list[str]:
    """The ids of an incident and of all that were merged into it, those merged into these included."""
    found: list[str] = await connection.fetchval("SELECT merged_tree($1)", incident_id)
    return found


async def select_board(connection: Connection, only: Sequence[str] | None = None) -> list[Outgoing]:
    """The row of every incident that belongs on the board, or of `only` these."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM incident WHERE on_board AND ($1::text[] IS NULL OR id = ANY($1))",  # noqa: S608
        None if only is None else list(only),
    )
    shown = [from_row(row) for row in rows]
    return [outbox_store.row_changed(FeedChannel.INCIDENTS, one.id, one.row(), one.tags(), None) for one in shown]


async def save(connection: Connection, changes: Sequence[Change], policy: Policy | None = None) -> tuple[Change, ...]:
    """Write incidents, history, decisions, evidence, audit, deadlines, the board and the outbox; lock `before` first.

    Answers the changes as they were saved: with the due times that follow from them and from `policy` (the live one,
    when it is not given).

    Raises `StaleVersion` when one is not the version that `before` says: the second fence behind the lock.
    """
    if not changes:
        return ()
    policy = policy or await policy_store.live(connection)
    changes = tuple(timed(change, policy) for change in changes)
    await _insert([change.after for change in changes if change.before is None], connection)
    await _update([change for change in changes if change.before is not None], connection)
    events = [event for change in changes for event in change.events]
    keys = audit_store.note_keys(events)
    await _append_history(connection, events, keys)
    decision_ids = await _append_reasons(connection, changes)
    await audit_store.record_changes(connection, changes, keys, decision_ids)
    await deadline_store.schedule(connection, changes, policy)
    await offering_store.request(connection, changes, policy)
    await notification_store.note_changes(connection, changes)
    outgoing = [record for change in changes for record in _outgoing(change)]
    await playback_store.keep(connection, outgoing)
    await outbox_store.add(connection, outgoing)
    return changes


async def set_times(connection: Connection, incidents: Sequence[Incident]) -> None:
    """Write what is due when, and the policy that it follows from, of incidents that are locked. It is no change of
    theirs: what the board shows must be as it was."""
    await connection.execute(
        "UPDATE incident SET first_look_due_at = f, on_scene_due_at = o, closes_at = c, policy_version = p"
        " FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])"
        " AS u (i, f, o, c, p) WHERE id = i",
        [one.id for one in incidents],
        [one.first_look_due_at for one in incidents],
        [one.on_scene_due_at for one in incidents],
        [one.closes_at for one in incidents],
        [one.policy_version for one in incidents],
    )


async def select_of_older_policy(connection: Connection, version: int, most: int) -> list[Incident]:
    """Incidents that have not ended whose due times follow from an older policy, locked; those that somebody else
    holds are left out."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM incident WHERE policy_version < $1"  # noqa: S608
        " AND status NOT IN ('closed', 'rejected', 'merged', 'transferred')"
        " ORDER BY policy_version, id LIMIT $2 FOR UPDATE SKIP LOCKED",
        version,
        most,
    )
    return [from_row(row) for row in rows]


def _values(incident: Incident) -> tuple[object, ...]:
    return (
        incident.id,
        incident.version,
        incident.category.value,
        incident.title,
        incident.status.value,
        incident.priority.value,
        incident.agency.regency.value if incident.agency else None,
        incident.agency.agency.value if incident.agency else None,
        [str(agency) for agency in incident.co_agencies],
        incident.kecamatan,
        incident.kelurahan,
        incident.lat,
        incident.lon,
        incident.place_precision,
        cell_of(incident.lat, incident.lon) if incident.lat is not None and incident.lon is not None else None,
        incident.address,
        list(incident.named_places),
        incident.transferred_to,
        list(incident.skills),
        incident.officers_needed,
        incident.opened_at,
        incident.updated_at,
        incident.received_at,
        incident.last_report_at,
        incident.first_look_due_at,
        incident.due_at,
        incident.resolved_at,
        incident.ended_at,
        incident.report_count,
        list(incident.sources),
        incident.confidence,
        incident.evidence,
        msgspec.to_builtins(incident.officers),
        incident.photo_url,
        incident.predecessor,
        incident.on_board,
        msgspec.to_builtins(incident.pauses),
        incident.merged_into,
        incident.split_from,
        incident.reopened_at,
        list(incident.flags),
        incident.on_scene_due_at,
        incident.closes_at,
        incident.looked_at,
        incident.on_scene_at,
        incident.policy_version,
    )


_NAMES: Final = (
    "id, version, category, title, status, priority, regency, agency, co_agencies, kecamatan, kelurahan, lat, lon,"
    " place_precision, cell, address, named_places, transferred_to, skills, officers_needed, opened_at, updated_at,"
    " received_at, last_report_at, first_look_due_at, due_at, resolved_at, ended_at, report_count, sources, confidence,"
    " evidence, officers, photo_url, predecessor, on_board, pauses, merged_into, split_from, reopened_at, flags,"
    " on_scene_due_at, closes_at, looked_at, on_scene_at, policy_version"
)
_COUNT: Final = len(_NAMES.split(","))
_PLACES: Final = ", ".join(f"${n}" for n in range(1, _COUNT + 1))
_INSERT: Final = f"INSERT INTO incident ({_NAMES}) VALUES ({_PLACES})"  # noqa: S608
_UPDATE: Final = (
    f"UPDATE incident SET ({_NAMES}) = ROW ({_PLACES})"  # noqa: S608
    f" WHERE id = $1 AND version = ${_COUNT + 1} RETURNING id"
)


async def _insert(incidents: Sequence[Incident], connection: Connection) -> None:
    if incidents:
        await connection.executemany(_INSERT, [_values(incident) for incident in incidents])


async def _update(changes: Sequence[Change], connection: Connection) -> None:
    known = [(change.before, change.after) for change in changes if change.before]
    told = [(before, after) for before, after in known if _is_told(before, after)]
    changed = [(before, after) for before, after in known if not _is_told(before, after)]
    written = 0
    if changed:
        values = [(*_values(after), before.version) for before, after in changed]
        written += len(await connection.fetchmany(_UPDATE, values))
    if told:
        rows = await connection.fetch(
            "UPDATE incident i SET version = u.version, updated_at = u.at"
            " FROM unnest($1::text[], $2::int[], $3::int[], $4::timestamptz[]) AS u (id, before, version, at)"
            " WHERE i.id = u.id AND i.version = u.before RETURNING i.id",
            [before.id for before, _ in told],
            [before.version for before, _ in told],
            [after.version for _, after in told],
            [after.updated_at for _, after in told],
        )
        written += len(rows)
    if written != len(known):
        raise StaleVersion(f"{len(known) - written} of {len(known)} incidents changed meanwhile")


def _is_told(before: Incident, after: Incident) -> bool:
    """Something was said of it, and it is as it was: a note, a clock that has run out. A batch of those is quick."""
    told: Incident = msgspec.structs.replace(before, version=after.version, updated_at=after.updated_at)
    return told == after


async def _append_history(connection: Connection, events: Sequence[Event], keys: Sequence[bytes | None]) -> None:
    await connection.executemany(
        "INSERT INTO incident_history"
        " (incident_id, version, change, status, actor, at, device_at, note, public, detail, note_key)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        [
            (
                e.incident_id,
                e.version,
                e.change,
                e.status,
                e.actor,
                e.at,
                e.device_at,
                e.note,
                e.public,
                dict(e.detail),
                key,
            )
            for e, key in zip(events, keys, strict=True)
        ],
    )


def _by(change: Change, decision: Decision) -> tuple[str | None, str | None, int | None]:
    """Who decided, and by which rule."""
    actor = change.events[-1].actor if change.events else None
    return (actor, decision.rule.name, decision.rule.version) if decision.rule else (actor, None, None)


async def _append_reasons(connection: Connection, changes: Sequence[Change]) -> list[int]:
    """The ids that the decisions have got, in their order."""
    ids: list[int] = []
    decisions = [
        (c.after.id, d.report_id, d.judgement, d.outcome, d.score, list(d.because), c.after.updated_at, *_by(c, d))
        for c in changes
        for d in c.decisions
    ]
    if decisions:
        written = await connection.fetchmany(
            "INSERT INTO incident_decision"
            " (incident_id, report_id, judgement, outcome, score, because, at, actor, rule, rule_version)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id",
            decisions,
        )
        ids = [row["id"] for row in written]
    await evidence_store.append(connection, changes)
    return ids


class ErasedNote(NamedTuple):
    """A note that is no longer there, with the key of its digest in the audit's chain."""

    note: str
    key: bytes


async def erase_note(connection: Connection, incident_id: str, version: int) -> ErasedNote | None:
    """Forget the note of one history entry; None when it has none. The only edit of a history that there is."""
    row = await connection.fetchrow(
        "WITH old AS (SELECT incident_id, version, note, note_key FROM incident_history"
        "   WHERE incident_id = $1 AND version = $2 AND note IS NOT NULL FOR UPDATE)"
        " UPDATE incident_history h SET note = NULL, note_key = NULL FROM old"
        " WHERE h.incident_id = old.incident_id AND h.version = old.version RETURNING old.note, old.note_key",
        incident_id,
        version,
    )
    return ErasedNote(row["note"], row["note_key"] or b"") if row else None


def _outgoing(change: Change) -> list[Outgoing]:
    """The events for other programs, then the row for the board (or its leaving)."""
    trace = change.traceparent or new_traceparent()
    before, after = change.before, change.after
    row = after.row()
    records = [
        Outgoing(
            topics.INCIDENT.name,
            after.id,
            topics.INCIDENT_CHANGED,
            encode(
                IncidentChanged(
                    incident_id=after.id,
                    version=event.version,
                    change=event.change,
                    at=event.at,
                    actor=event.actor,
                    incident=row,
                )
            ),
            {},
            trace,
        )
        for event in change.events
    ]
    was_on_board = before is not None and before.on_board
    tags_before = before.tags() if before is not None and was_on_board else None
    if after.on_board:
        records.append(outbox_store.row_changed(FeedChannel.INCIDENTS, after.id, row, after.tags(), tags_before, trace))
    elif tags_before is not None:
        records.append(outbox_store.row_removed(FeedChannel.INCIDENTS, after.id, tags_before, trace))
    return records
