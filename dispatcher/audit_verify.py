"""Holds the audit's chain against itself, its signed heads, and the history and decisions that it tells of.

What is found: an altered, removed, moved or added entry; a lost tail; heads that were changed or not signed by the
city; history, decisions and steps of assignments that differ from what was chained, or are in no entry.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

import asyncpg
import msgspec
from msgspec import Meta

from dispatcher import audit_store
from dispatcher.audit_signature import is_signed
from dispatcher.audit_store import Sealed
from dispatcher.decisions.audit_chain import (
    GENESIS,
    Head,
    decision_line,
    digest,
    history_line,
    link,
    note_digest,
    step_line,
)
from infra.postgres import Connection

#: Entries that are looked at together.
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was chained: where, and what about it."""

    where: str
    what: str


@dataclass(slots=True)
class Verified:
    """How much was looked at."""

    entries: int = 0
    heads: int = 0
    #: Entries that the sealer has not come to yet.
    waiting: int = 0
    #: The last link, to be held against later: `SEQ:HASH`.
    end: str = ""


@dataclass(slots=True)
class _Covered:
    """What entries tell of: a bit per version of each incident and assignment, a bit per decision."""

    incidents: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    assignments: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    decisions: bytearray = field(default_factory=bytearray)

    def add_decisions(self, ids: Sequence[int]) -> None:
        for number in ids:
            byte = number >> 3
            if byte >= len(self.decisions):
                self.decisions.extend(bytes(max(byte + 1 - len(self.decisions), 65_536)))
            self.decisions[byte] |= 1 << (number & 7)

    def has_decision(self, number: int) -> bool:
        byte = number >> 3
        return byte < len(self.decisions) and bool(self.decisions[byte] >> (number & 7) & 1)


class Verification:
    """One run, on a connection in a transaction that sees one moment (repeatable read)."""

    def __init__(
        self, connection: Connection, public_key: bytes | None, expected: Collection[tuple[int, bytes]] = ()
    ) -> None:
        """Without the city's public key signatures are not looked at. `expected`: ends of the chain that were kept
        elsewhere, each its number and hash."""
        self._connection = connection
        self._public_key = public_key
        self._expected = expected
        self._covered = _Covered()
        self._erased: dict[str, str] = {}
        self._began: datetime | None = None
        self.verified = Verified()

    async def findings(self) -> AsyncIterator[Finding]:
        """Everything that is wrong, in the order of the chain; nothing when all is as it was."""
        heads = await audit_store.select_heads(self._connection)
        self._erased = await self._erased_notes()
        self.verified.heads = len(heads)
        self.verified.waiting = await audit_store.waiting(self._connection)
        for head in heads:
            if self._public_key is not None and not is_signed(head, self._public_key):
                how = "is not signed" if head.signature is None else "has a signature that is not the city's"
                yield Finding(f"head of {head.hour:%Y-%m-%d %H:%MZ}", how)
        async for finding in self._chain(heads):
            yield finding
        async for finding in self._not_told():
            yield finding

    async def _erased_notes(self) -> dict[str, str]:
        rows = await self._connection.fetch(
            "SELECT subject, detail FROM audit_entry WHERE action = $1 AND seq IS NOT NULL", audit_store.NOTE_ERASED
        )
        return {row["subject"]: str(row["detail"].get("digest")) for row in rows}

    async def _chain(self, heads: Sequence[Head]) -> AsyncIterator[Finding]:
        ends = {head.seq: (head.hash, f"head of {head.hour:%Y-%m-%d %H:%MZ}") for head in heads}
        told = {seq: (hash_, "head given from outside") for seq, hash_ in self._expected}
        last, before, instead = 0, GENESIS, GENESIS
        while part := await audit_store.select_sealed(self._connection, last, _AT_ONCE):
            for one in part:
                seq, hash_ = _place(one)
                after = link(before, seq, one.entry)
                if seq != last + 1:
                    yield Finding(_entries(last + 1, seq - 1), "gone")
                elif hash_ not in (after, link(instead, seq, one.entry)):
                    yield Finding(
                        f"entry {seq} (id {one.entry.id})", "altered, or not the one that was chained at this place"
                    )
                # A hash that was altered itself is told once: what follows may also go on from what it should be.
                last, before, instead = seq, hash_, after
                for of_heads in (ends, told):
                    if seq in of_heads and of_heads[seq][0] != hash_:
                        yield Finding(of_heads[seq][1], f"says that entry {seq} ended the chain with another hash")
                self._began = self._began or one.entry.at
                self.verified.end = f"{seq}:{hash_.hex()}"
            self.verified.entries += len(part)
            async for finding in self._contents(part):
                yield finding
        newest = max(ends, default=0)
        if last > newest:
            yield Finding(_entries(newest + 1, last), "chained behind the newest head")
        furthest = max({**ends, **told}, default=0)
        if furthest > last:
            name = {**told, **ends}[furthest][1]
            yield Finding(_entries(last + 1, furthest), f"gone: the chain has lost its tail, says the {name}")
        async for finding in self._contents(await audit_store.select_waiting(self._connection)):
            yield finding

    # What the entries tell of ---------------------------------------------------------------------------------------

    async def _contents(self, part: Sequence[Sealed]) -> AsyncIterator[Finding]:
        changes: list[tuple[Sealed, _Change]] = []
        steps: list[tuple[Sealed, _Step]] = []
        for one in part:
            try:
                changes += [(one, change) for change in msgspec.convert(one.entry.detail.get("changes", []), _CHANGES)]
                if one.entry.action.startswith(audit_store.ASSIGNMENT) and "digest" in one.entry.detail:
                    steps.append((one, msgspec.convert(one.entry.detail, _Step)))
            except msgspec.ValidationError:
                yield Finding(_name(one), "tells of history in no form of ours")
        history = await self._history([(change[0], version) for _, change in changes for version in change[1]])
        decisions = await self._decisions([number for _, change in changes for number in change[2]])
        for one, (incident, versions, ids, said) in changes:
            for version in versions:
                self._covered.incidents[incident] |= 1 << version
            self._covered.add_decisions(ids)
            lines = [self._line(history.get((incident, version))) for version in versions]
            reasons = [decision_line(dict(row), row["at"]) for number in ids if (row := decisions.get(number))]
            what = f"{incident}, {_versions(versions)}"
            if None in lines or len(reasons) != len(ids):
                yield Finding(what, f"history or decisions are gone that {_name(one)} tells of")
            elif digest(lines, reasons) != said:
                yield Finding(what, f"history or decisions are not as they were when {_name(one)} was written")
        found = await self._steps([(one.entry.subject, step.version) for one, step in steps])
        for one, step in steps:
            self._covered.assignments[one.entry.subject] |= 1 << step.version
            row = found.get((one.entry.subject, step.version))
            if row is None or digest(step_line(dict(row))) != step.digest:
                how = "is gone that" if row is None else "is not as it was when"
                told = "tells of" if row is None else "was written"
                yield Finding(f"{one.entry.subject}, version {step.version}", f"{how} {_name(one)} {told}")

    def _line(self, row: asyncpg.Record | None) -> object:
        if row is None:
            return None
        if row["note"] is not None:
            # Without its key (written by an older release, or taken away) a note fits no digest.
            note: str | None = note_digest(row["note_key"] or b"", row["note"])
        else:
            note = self._erased.get(f"{row['incident_id']}/{row['version']}")
        return history_line(dict(row), note)

    async def _history(self, wanted: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], asyncpg.Record]:
        rows = await self._connection.fetch(
            "SELECT h.incident_id, h.version, h.change, h.status, h.actor, h.at, h.device_at, h.note, h.public,"
            " h.detail, h.note_key FROM incident_history h"
            " JOIN unnest($1::text[], $2::int[]) AS u (id, version) ON h.incident_id = u.id AND h.version = u.version",
            [incident for incident, _ in wanted],
            [version for _, version in wanted],
        )
        return {(row["incident_id"], row["version"]): row for row in rows}

    async def _decisions(self, ids: Sequence[int]) -> Mapping[int, asyncpg.Record]:
        rows = await self._connection.fetch(
            "SELECT id, report_id, judgement, outcome, score, because, at FROM incident_decision WHERE id = ANY($1)",
            list(ids),
        )
        return {row["id"]: row for row in rows}

    async def _steps(self, wanted: Sequence[tuple[str, int]]) -> Mapping[tuple[str, int], asyncpg.Record]:
        rows = await self._connection.fetch(
            "SELECT h.assignment_id, h.version, h.status, h.actor, h.at, h.device_at, h.lat, h.lon, h.reason"
            " FROM assignment_history h JOIN unnest($1::text[], $2::int[]) AS u (id, version)"
            " ON h.assignment_id = u.id AND h.version = u.version",
            [assignment for assignment, _ in wanted],
            [version for _, version in wanted],
        )
        return {(row["assignment_id"], row["version"]): row for row in rows}

    async def _not_told(self) -> AsyncIterator[Finding]:
        """What no entry tells of, unless it is older than the audit."""
        if self._began is None:
            if await self._connection.fetchval(_UNTOLD):
                yield Finding("the chain", "is empty, though incidents have changed since there is an audit")
            return
        why = "in no entry: added, or its entry was removed"
        for table, column, covered in (
            ("incident_history", "incident_id", self._covered.incidents),
            ("assignment_history", "assignment_id", self._covered.assignments),
        ):
            query = f"SELECT {column} AS id, version FROM {table} WHERE at >= $1"  # noqa: S608
            async for row in self._connection.cursor(query, self._began, prefetch=5_000):
                if not covered.get(row["id"], 0) >> row["version"] & 1:
                    yield Finding(f"{row['id']}, version {row['version']}", why)
        query = "SELECT id, incident_id FROM incident_decision WHERE at >= $1"
        async for row in self._connection.cursor(query, self._began, prefetch=5_000):
            if not self._covered.has_decision(row["id"]):
                yield Finding(f"{row['incident_id']}, decision {row['id']}", why)


#: Whether incidents have changed since the audit's tables were made.
_UNTOLD: Final = (
    "SELECT EXISTS (SELECT FROM incident_history h JOIN schema_migration m ON m.number = 8"
    " WHERE h.at > m.at + interval '1 minute')"
)

_Version = Annotated[int, Meta(ge=0, le=1_000_000)]
_Number = Annotated[int, Meta(ge=0, le=2**31)]
#: An incident's id, its versions, its decisions, the digest of both: as `audit_store.record_changes` writes it.
_Change = tuple[str, list[_Version], list[_Number], str]
_CHANGES: Final = list[_Change]


class _Step(msgspec.Struct, frozen=True):
    """What an entry tells of a step of an assignment."""

    version: _Version
    digest: str


def _place(one: Sealed) -> tuple[int, bytes]:
    if one.seq is None:
        raise ValueError("an entry that waits has no place in the chain")
    return one.seq, one.hash or b""


def _name(one: Sealed) -> str:
    return f"entry {one.seq}" if one.seq is not None else f"the waiting entry with id {one.entry.id}"


def _entries(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"


def _versions(versions: Sequence[int]) -> str:
    first, last = min(versions, default=0), max(versions, default=0)
    return f"version {first}" if first == last else f"versions {first} to {last}"
