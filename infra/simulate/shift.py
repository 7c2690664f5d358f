"""Who of an agency works when: each has one shift a day, begun one after the other, which overlap."""

from dataclasses import dataclass
from typing import Final

from infra.simulate.day import BEGINS_AT

#: Hours of a shift by how many share the day. Nobody covers the night for who is alone; of three, two are there at most
#: times: so few people for a whole city, that it takes long shifts to show something.
_LENGTH: Final = {1: 16.0, 2: 14.0}
_USUAL: Final = 12.0


@dataclass(frozen=True, slots=True)
class Shift:
    """The shift of one of `of` officers, every day."""

    place: int
    of: int

    @property
    def length(self) -> float:
        """Hours."""
        return _LENGTH.get(self.of, _USUAL)

    @property
    def _begins(self) -> float:
        return BEGINS_AT + self.place * 24 / self.of

    def into(self, hours: float) -> float | None:
        """How many hours of the shift have passed at that time; None outside of it."""
        passed = (hours - self._begins) % 24
        return passed if passed < self.length else None

    def number(self, hours: float) -> int:
        """Which of the shifts it is, counted by days; for telling one day's from the next day's."""
        return int((hours - self._begins) // 24)
