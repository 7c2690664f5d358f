"""When each row is sent, and which time it then has: plain arithmetic on seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rows go out as they are spaced in the recording, `pace` times as fast; all of them at once when it is 0.

    `begun` is the clock when the row recorded at `origin` is due. Any clock will do, in seconds.
    """

    pace: float
    begun: float
    origin: float

    def due(self, recorded: float) -> float:
        """By the clock, when a row that was recorded then is to be sent; never before `begun`."""
        return self.begun + max(recorded - self.origin, 0.0) / self.pace if self.pace > 0 else self.begun


def shift_to_now(now: float, first: float, last: float, pace: float) -> float:
    """Seconds to add to every recorded time, so that the newest row has the time at which it is sent.

    The spacing of the recording stays. At pace 1 every row has the time at which it is sent; faster, earlier rows lie
    in the past; none ever lies in the future.
    """
    duration = last - first
    takes = duration / pace if pace > 0 else 0.0
    # Slower than recorded, it is the oldest row that has the time at which it is sent; the others lag behind.
    return round(now - first + min(takes - duration, 0.0), 3)
