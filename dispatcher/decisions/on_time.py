"""The share on time: what was promised and kept, against all of which that can be said by now."""

from typing import NamedTuple


class Tally(NamedTuple):
    """How many clocks of some kind ended how in a period, and how many are overdue at its end."""

    #: Met, not after they were due.
    in_time: int
    #: Met after they were due, or ended so without being met.
    late: int
    #: Running and past their due time, however long ago they began.
    overdue: int

    @property
    def share(self) -> float | None:
        """`in_time / (in_time + late + overdue)`, 0 to 1; None when none can be judged.

        What is open and overdue always counts (domain.md, Times): else nothing would be gained by doing it at last.
        What runs and is not due yet says nothing, and what ended before it was due without being needed neither.
        """
        judged = self.in_time + self.late + self.overdue
        return self.in_time / judged if judged else None
