"""The audit's chain: what of an entry, a change and a head is hashed, and how one link follows from the one before.

A hash is SHA-256 over JSON in one spelling (arrays in a fixed order, keys of objects sorted, times in UTC). A note is
in it only as a digest under a key that is kept, and erased, with the note: without both nobody can guess it back.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec

from dispatcher.decisions.change import Decision
from dispatcher.decisions.incident import Event

#: What the first entry is chained to.
GENESIS: Final = bytes(32)
#: Of a note's key.
NOTE_KEY_BYTES: Final = 16

_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit: who did what, to what, when."""

    id: int
    #: PostgreSQL's clock.
    at: datetime
    actor: str
    action: str
    subject: str
    #: A look at personal data; the subject says whose.
    personal: bool = False
    detail: Mapping[str, object] = {}


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Where the chain ended in an hour."""

    #: Begin of the hour.
    hour: datetime
    seq: int
    hash: bytes
    at: datetime
    signature: bytes | None = None


def link(previous: bytes, seq: int, entry: Entry) -> bytes:
    """The hash of an entry that follows `previous` as the `seq`-th, counted from 1."""
    said = [seq, entry.id, _time(entry.at), entry.actor, entry.action, entry.subject, entry.personal, entry.detail]
    return sha256(previous + _encode(said)).digest()


def statement(head: Head) -> bytes:
    """What is signed of a head."""
    return b"patriot audit head " + _encode([_time(head.hour), head.seq, head.hash.hex(), _time(head.at)])


def note_digest(key: bytes, note: str) -> str:
    """What the chain holds of a note, as hex."""
    return hmac.digest(key, note.encode(), sha256).hex()


def change_digest(
    events: Sequence[Event], notes: Sequence[str | None], decisions: Sequence[Decision], at: datetime
) -> str:
    """What the chain holds of a change of an incident, as hex: its history entries (`notes`: the digest of each one's
    note) and the decisions that were kept at `at`."""
    said = [[_of_event(event, note) for event, note in zip(events, notes, strict=True)]]
    said.append([[d.report_id, d.judgement, d.outcome, _float(d.score), d.because, _time(at)] for d in decisions])
    return sha256(_encode(said)).hexdigest()


def step_digest(fields: Sequence[object]) -> str:
    """What the chain holds of a step of an assignment, as hex: its columns in their order."""
    return sha256(_encode([_time(one) if isinstance(one, datetime) else one for one in fields])).hexdigest()


def _of_event(event: Event, note: str | None) -> list[object]:
    device_at = None if event.device_at is None else _time(event.device_at)
    return [
        event.incident_id, event.version, event.change, event.status, event.actor, _time(event.at), device_at, note,
        event.public, event.detail,
    ]  # fmt: skip


def _float(score: float | None) -> float | None:
    return None if score is None else float(score)


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
