"""An array of readings sorted into those that can be taken and those that cannot, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from infra.http import not_json, refuse_repeated_names
from infra.problem import Problem, field_error, invalid
from schemas.telemetry import Reading, RejectedReading

MAX_READINGS: Final = 5000
MAX_AHEAD: Final = timedelta(minutes=5)
MAX_BEHIND: Final = timedelta(days=7)
#: An array with more commas than this has more than 5,000 elements, or elements that are no readings; it is not
#: taken apart to find out which.
_MAX_COMMAS: Final = 20 * MAX_READINGS

_all: Final = msgspec.json.Decoder(list[Reading])
_one: Final = msgspec.json.Decoder(Reading)
_raw: Final = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Sorted:
    """What is taken, in the order sent, and what is not."""

    accepted: Sequence[Reading]
    rejected: Sequence[RejectedReading]


def sort(body: bytes, now: datetime) -> Sorted:
    """Raises 400 or 422 only when the array itself is unusable; a bad reading in it is named and left out."""
    if body.count(b",") > _MAX_COMMAS:
        raise _wrong_length()
    candidates, rejected = _decode(body)
    if not 1 <= len(candidates) + len(rejected) <= MAX_READINGS:
        raise _wrong_length()
    accepted = []
    earliest, latest = now - MAX_BEHIND, now + MAX_AHEAD
    for index, reading in candidates:
        fault = _fault(reading, earliest, latest)
        if fault is None:
            accepted.append(reading)
        else:
            rejected.append(RejectedReading(index=index, message=fault))
    rejected.sort(key=lambda each: each.index)
    return Sorted(accepted, rejected)


def _decode(body: bytes) -> tuple[Sequence[tuple[int, Reading]], list[RejectedReading]]:
    try:
        readings = _all.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_each(body)
    refuse_repeated_names(body)
    return list(enumerate(readings)), []


def _decode_each(body: bytes) -> tuple[Sequence[tuple[int, Reading]], list[RejectedReading]]:
    try:
        body.decode()
        elements = _raw.decode(body)
    except msgspec.ValidationError as error:
        raise invalid("body", "an array of readings is expected") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json() from error
    good, bad = [], []
    for index, element in enumerate(elements):
        try:
            reading = _one.decode(element)
            refuse_repeated_names(bytes(element))
        except msgspec.ValidationError as error:
            found = field_error(error)
            bad.append(RejectedReading(index=index, message=f"{found.field}: {found.message}"))
        except (msgspec.DecodeError, RecursionError):
            bad.append(RejectedReading(index=index, message="not valid JSON"))
        except Problem as problem:
            bad.append(RejectedReading(index=index, message=problem.detail))
        else:
            good.append((index, reading))
    return good, bad


def _fault(reading: Reading, earliest: datetime, latest: datetime) -> str | None:
    if reading.observed_at > latest:
        return "observed_at: more than 5 minutes ahead of our clock"
    if reading.observed_at < earliest:
        return "observed_at: more than 7 days ago"
    if (reading.lat is None) != (reading.lon is None):
        return "lat and lon go together"
    return None


def _wrong_length() -> Problem:
    return invalid("body", f"an array of 1 to {MAX_READINGS} readings is expected")
