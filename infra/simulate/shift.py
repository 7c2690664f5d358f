"""Who of an agency works when: each has one shift a day, and together they cover as much of it as they can."""

from dataclasses import dataclass
from typing import Final

from infra.simulate.day import BEGINS_AT

#: Hours of a shift by how many share the day; who is alone works long and nobody covers the night.
_LENGTH: Final = {1: 16.0, 2: 12.0}
_USUAL: Final = 8.0


@dataclass(frozen=True, slots=True)
class Shift:
    """The shift of one of `of` officers, every day."""

    place: int
    of: int

    @property
    def length(self) -> float:
        """Hours."""
        return _LENGTH.get(self.of, _USUAL)

    def into(self, hours: float) -> float | None:
        """How many hours of the shift have passed at that time; None outside of it."""
        passed = (hours - BEGINS_AT - self.place * self.length) % 24
        return passed if passed < self.length else None

    def number(self, hours: float) -> int:
        """Which of the shifts it is, counted by days; for telling one day's from the next day's."""
        return int((hours - BEGINS_AT - self.place * self.length) // 24)
