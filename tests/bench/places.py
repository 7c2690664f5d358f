"""Reports that do not meet: each at a place of its own, 160 m from the next, so that each is an incident."""

import itertools
from collections.abc import Iterator

import msgspec

_STEP = 0.0015
_COLUMNS = 140


def place(n: int) -> tuple[float, float]:
    """The n-th place inside the two governments' bounding box (some 30,000 places, then it begins anew)."""
    row, column = divmod(n % (_COLUMNS * 220), _COLUMNS)
    return round(-6.40 + row * _STEP, 5), round(106.93 + column * _STEP, 5)


def report(n: int) -> bytes:
    """A dumping report at the n-th place, as the body of a request."""
    lat, lon = place(n)
    return msgspec.json.encode(
        {"description": f"Tumpukan sampah liar di pinggir jalan, sudah bau ({n})", "lat": lat, "lon": lon}
    )


def reports(first: int = 0) -> Iterator[bytes]:
    """Endless reports from the n-th place on."""
    return (report(n) for n in itertools.count(first))
