"""The audit's chain: what of an entry, a change and a head is hashed, and how one link follows from the one before.

A hash is SHA-256 over JSON in one spelling (arrays in a fixed order, keys of objects sorted, times in UTC). A note is
in it only as a digest under a key that is kept, and erased, with the note: without both nobody can guess it back.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

import msgspec

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


def history_line(columns: Mapping[str, Any], note: str | None) -> object:
    """What the chain holds of an entry of an incident's history; `note`: the digest of its note."""
    device_at = columns["device_at"]
    return [
        columns["incident_id"], columns["version"], columns["change"], columns["status"], columns["actor"],
        _time(columns["at"]), None if device_at is None else _time(device_at), note, columns["public"],
        columns["detail"],
    ]  # fmt: skip


def decision_line(columns: Mapping[str, Any], at: datetime) -> object:
    """What the chain holds of a decision that was kept at `at`."""
    score = columns["score"]
    return [
        columns["report_id"], columns["judgement"], columns["outcome"], None if score is None else float(score),
        columns["because"], _time(at),
    ]  # fmt: skip


def step_line(columns: Mapping[str, Any]) -> object:
    """What the chain holds of a step of an assignment."""
    device_at = columns["device_at"]
    return [
        columns["assignment_id"], columns["version"], columns["status"], columns["actor"], _time(columns["at"]),
        None if device_at is None else _time(device_at), columns["lat"], columns["lon"], columns["reason"],
    ]  # fmt: skip


def digest(*lines: object) -> str:
    """Of lines, as hex."""
    return sha256(_encode(lines)).hexdigest()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
