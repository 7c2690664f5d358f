"""An array of readings sorted into those that can be taken and those that cannot, each with its reason."""

import json
import re
from collections.abc import Iterator, Sequence
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

_all: Final = msgspec.json.Decoder(list[Reading])
_one: Final = msgspec.json.Decoder(Reading)
_BLANK: Final = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class Sorted:
    """What is taken, in the order sent, and what is not."""

    accepted: Sequence[Reading]
    rejected: Sequence[RejectedReading]


def sort(body: bytes, now: datetime) -> Sorted:
    """Raises 400 or 422 only when the array itself is unusable; a bad reading in it is named and left out."""
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
        refuse_repeated_names(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Problem):
        return _decode_each(body)
    return list(enumerate(readings)), []


def _decode_each(body: bytes) -> tuple[Sequence[tuple[int, Reading]], list[RejectedReading]]:
    good: list[tuple[int, Reading]] = []
    bad: list[RejectedReading] = []
    for index, element in enumerate(_elements(body)):
        if index == MAX_READINGS:
            raise _wrong_length()
        try:
            reading = _one.decode(element)
            refuse_repeated_names(element.encode())
        except msgspec.ValidationError as error:
            found = field_error(error)
            bad.append(RejectedReading(index=index, message=f"{found.field}: {found.message}"))
        except msgspec.DecodeError:
            # valid JSON all the same: a lone surrogate, which is no text
            bad.append(RejectedReading(index=index, message="a text is not Unicode"))
        except Problem as problem:
            bad.append(RejectedReading(index=index, message=problem.detail))
        else:
            good.append((index, reading))
    return good, bad


def _elements(body: bytes) -> Iterator[str]:
    """The elements of a JSON array as they stand in it, one at a time. Raises 400 or 422 when it is none."""
    try:
        text = body.decode()
        at = _after_blank(text, 0)
        if not text.startswith("[", at):
            json.loads(text, parse_constant=_refuse_constant)
            raise _wrong_length()
        at = _after_blank(text, at + 1)
        more = not text.startswith("]", at)
        while more:
            _, end = _grammar.raw_decode(text, at)
            yield text[at:end]
            at = _after_blank(text, end)
            more = text.startswith(",", at)
            if more:
                at = _after_blank(text, at + 1)
        if not text.startswith("]", at) or _after_blank(text, at + 1) != len(text):
            raise not_json()
    except (ValueError, RecursionError) as error:
        raise not_json() from error


def _after_blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return at if match is None else match.end()


def _refuse_constant(name: str) -> None:
    raise ValueError  # NaN and Infinity are Python's idea of JSON


def _ignore(_: str) -> None:
    """Numbers are looked at later, by who knows how large they may be."""


_grammar: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_ignore, parse_float=_ignore)


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
