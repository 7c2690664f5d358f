"""Messages sent more than once, in any order, by older and newer releases, and such as can have no effect."""

import json
import uuid
from datetime import UTC, datetime
from random import Random
from typing import Final

from tests.faults import records
from tests.faults.field import Field
from tests.faults.records import CONTACT, REPORT, TELEMETRY, Event, Record, encode, headers
from tests.faults.scenario import Fault

_SUBMITTED: Final = "id.bekasi.report.submitted.v1"
_GIVEN: Final = "id.bekasi.contact.given.v1"
_OBSERVED: Final = "id.bekasi.telemetry.traffic-observed.v1"


async def duplicates_and_disorder(field: Field, rng: Random) -> None:
    """Reports, contacts and readings five times each, in any order; many of them of one event, on many partitions."""
    load = field.load
    meeting = next(field.places)
    events: list[Event] = [records.report(load) for _ in range(30)]
    events += [records.report(load, event="kafka", at=meeting) for _ in range(20)]
    events += [records.reading(load, number) for number in range(40)]
    await records.send(load, events, rng, copies=5, shuffled=True)


async def poison(field: Field, rng: Random) -> None:
    """Among the load, what no program of ours would write: each is set aside, nobody is stopped."""
    bad: list[Record] = []
    for _ in range(4):
        now, some = datetime.now(UTC), uuid.uuid4().hex
        key = some.encode()
        well = {
            "report_id": some, "tracking_code": some[:20], "description": "x", "channel": "app",
            "submitted_at": now.isoformat(), "lat": -6.24, "lon": 107.0,
        }  # fmt: skip
        bad += [
            Record(REPORT, key, b"\xff\xfe\x00 not JSON", headers(some + "1", _SUBMITTED, now)),
            Record(REPORT, key, None, headers(some + "2", _SUBMITTED, now)),
            Record(REPORT, None, encode({"report_id": some}), headers(some + "3", _SUBMITTED, now)),
            Record(REPORT, key, encode(well), headers(some + "4", "id.bekasi.report.submitted.v9", now)),
            Record(REPORT, key, encode(well), headers(some + "5", _SUBMITTED, now)[1:]),
            Record(REPORT, key, encode(well), []),
            Record(REPORT, key, encode({**well, "description": "a\x00b"}), headers(some + "6", _SUBMITTED, now)),
            Record(CONTACT, key, b"[" * 100_000, headers(some + "7", _GIVEN, now)),
            Record(CONTACT, key, json.dumps("Siti").encode(), headers(some + "8", _SUBMITTED, now)),
            Record(TELEMETRY, key, encode({"kind": "traffic", "sensor_id": 7}), headers(some + "9", _OBSERVED, now)),
            Record(TELEMETRY, key, b"", headers(some + "10", _OBSERVED, now)),
        ]
    rng.shuffle(bad)
    await records.poison(field.load, bad, pause=0.05)


async def poison_effect(field: Field, rng: Random) -> None:
    """Reports that look right and cannot be stored: their tracking codes are taken."""
    bad: list[Record] = []
    for sent in field.load.sent[:8]:
        now, some = datetime.now(UTC), uuid.uuid4().hex
        value = {
            "report_id": some, "tracking_code": sent.tracking_code, "description": "kode yang sama", "channel": "app",
            "submitted_at": now.isoformat(), "lat": -6.24, "lon": 107.0,
        }  # fmt: skip
        bad.append(Record(REPORT, some.encode(), encode(value), headers(some, _SUBMITTED, now)))
    await records.poison(field.load, bad, pause=0.2)


async def old_and_new_schema(field: Field, rng: Random) -> None:
    """A release from before the optional fields and one with fields that nobody knows yet, side by side."""
    new = {"mood": "kesal", "rating": 4, "extra": {"a": [1, None]}}
    load = field.load
    events = [records.report(load, new if number % 2 else None) for number in range(40)]
    events += [records.reading(load, number, new if number % 2 else None) for number in range(40)]
    await records.send(load, events, rng, shuffled=True)


FAULTS: Final = [
    Fault("the same event five times, out of order", 5, duplicates_and_disorder),
    Fault("poison", 5, poison),
    Fault("poison effect", 5, poison_effect),
    Fault("old and new schema side by side", 5, old_and_new_schema),
]
