"""What a measurement hands over: figures with the value of each round, their goals, and how it was done."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Goal:
    """What the median is to be: at least, or at most, `limit`."""

    is_at: Literal["least", "most"]
    limit: float

    def met_by(self, value: float) -> bool:
        """Whether `value` is as it is to be."""
        return value >= self.limit if self.is_at == "least" else value <= self.limit


@dataclass(frozen=True)
class Row:
    """One figure: its name, unit, and the value of each round."""

    name: str
    unit: str
    values: tuple[float, ...]
    note: str = ""
    goal: Goal | None = None

    @property
    def median(self) -> float:
        """Of the rounds."""
        return statistics.median(self.values)


@dataclass
class Section:
    """One chapter: its figures, and how each of its contenders was set up."""

    title: str
    rows: list[Row] = field(default_factory=list)
    #: One sentence each: what ran, with which settings.
    settings: list[str] = field(default_factory=list)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def percentiles(name: str, rounds: Sequence[Sequence[float]], note: str = "") -> list[Row]:
    """p50 and p99 of latencies in seconds, as milliseconds, one value a round."""
    return [
        Row(f"{name}, p50", "ms", tuple(percentile(values, 0.5) * 1000 for values in rounds), note),
        Row(f"{name}, p99", "ms", tuple(percentile(values, 0.99) * 1000 for values in rounds)),
    ]


def ratio(
    name: str, ours: Sequence[float], theirs: Sequence[float], goal: Goal | None = None, note: str = ""
) -> list[Row]:
    """Ours by theirs, round by round; nothing where one of them was not measured."""
    pairs = [(our, their) for our, their in zip(ours, theirs, strict=False) if their]
    return [Row(name, "×", tuple(our / their for our, their in pairs), note, goal)] if pairs else []
