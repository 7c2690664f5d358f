"""A jam in the readings of one road sensor: its level against free flow, when a jam began and when it was over."""

from datetime import datetime
from itertools import accumulate
from typing import Final, Literal

import msgspec

from schemas.vocabulary import RoadLevel

# domain.md, Traffic and wifi.
JAM_BELOW: Final = 0.6
OVER_ABOVE: Final = 0.7
SAMPLES_TO_CHANGE: Final = 3
FREE_FLOW_PERCENTILE: Final = 0.85
SAMPLES_TO_LEARN: Final = 20
UNKNOWN_FREE_FLOW_KMH: Final = 40.0

#: Upper ends of the levels as a share of free flow (DATEX II TrafficStatusEnum).
_LEVELS: Final = (
    (0.10, RoadLevel.STATIONARY),
    (0.25, RoadLevel.QUEUING),
    (0.75, RoadLevel.SLOW),
    (0.90, RoadLevel.HEAVY),
)
#: The speeds seen are counted in bins, so that a state stays small: 2 km/h is finer than what a loop measures.
_BIN_KMH: Final = 2.0
_BINS: Final = 80
#: About a week of one sample a minute; beyond it the counts are halved, so that what is older weighs less.
_MEMORY: Final = 10_000

Turn = Literal["began", "over"]


class SpeedState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is remembered of a sensor between two readings. Kept as JSON beside its newest reading."""

    #: Of the newest reading that was judged; an older one changes nothing.
    observed_at: datetime | None = None
    #: How many samples in a row have spoken for a change.
    run: int = 0
    #: When that run began.
    run_since: datetime | None = None
    #: Since when there is a jam; None: there is none.
    jam_since: datetime | None = None
    #: How often each speed was seen, in bins of 2 km/h from 0; trailing zeros are left out.
    seen: tuple[int, ...] = ()


class Judged(msgspec.Struct, frozen=True):
    """A sensor after one reading."""

    state: SpeedState
    level: RoadLevel
    free_flow_kmh: float
    #: Whether a jam began or was over with this reading.
    turn: Turn | None = None
    #: The figures that say so; shown to operators, so they are Indonesian.
    because: tuple[str, ...] = ()


def free_flow_kmh(seen: tuple[int, ...], registered: float | None) -> tuple[float, str]:
    """Free-flow speed and where it is from: as registered, else the 85th percentile of what was seen, else 40 km/h."""
    if registered is not None and registered > 0:
        return registered, "sesuai data ruas"
    samples = sum(seen)
    if samples < SAMPLES_TO_LEARN:
        return UNKNOWN_FREE_FLOW_KMH, f"perkiraan, baru {samples} sampel"
    return max(_percentile(seen, FREE_FLOW_PERCENTILE), _BIN_KMH), f"persentil ke-85 dari {samples} sampel"


def level(share_of_free_flow: float) -> RoadLevel:
    """DATEX II level of a speed as a share of free flow."""
    return next((name for below, name in _LEVELS if share_of_free_flow < below), RoadLevel.FREE_FLOW)


def judge(state: SpeedState, observed_at: datetime, speed_kmh: float, registered: float | None = None) -> Judged | None:
    """A sensor's state after one more speed. None for a reading not newer than the newest: it changes nothing.

    `registered`: the free-flow speed of the register, km/h. Free flow is told by what was seen before this reading.
    """
    if state.observed_at is not None and observed_at <= state.observed_at:
        return None
    free_flow, source = free_flow_kmh(state.seen, registered)
    share = speed_kmh / free_flow
    in_jam = state.jam_since is not None
    speaks_for_change = share > OVER_ABOVE if in_jam else share < JAM_BELOW
    run = state.run + 1 if speaks_for_change else 0
    run_since = (state.run_since or observed_at) if speaks_for_change else None
    turn: Turn | None = None
    jam_since = state.jam_since
    if run >= SAMPLES_TO_CHANGE:
        turn, jam_since = ("over", None) if in_jam else ("began", run_since)
        run, run_since = 0, None
    after = SpeedState(observed_at, run, run_since, jam_since, _count(state.seen, speed_kmh))
    bound = f"di atas {OVER_ABOVE:.0%}" if in_jam else f"di bawah {JAM_BELOW:.0%}"
    because = (
        f"{speed_kmh:.0f} km/jam, {share:.0%} dari arus bebas",
        f"arus bebas {free_flow:.0f} km/jam, {source}",
        f"{SAMPLES_TO_CHANGE} sampel berturut-turut {bound}",
    )
    return Judged(after, level(share), free_flow, turn, because if turn else ())


def _count(seen: tuple[int, ...], speed_kmh: float) -> tuple[int, ...]:
    place = min(int(speed_kmh / _BIN_KMH), _BINS - 1)
    counts = [*seen, *([0] * (place + 1 - len(seen)))]
    counts[place] += 1
    if sum(counts) > _MEMORY:
        counts = [count // 2 for count in counts]
    return tuple(counts)


def _percentile(seen: tuple[int, ...], share: float) -> float:
    """Interpolated within its bin."""
    wanted = share * sum(seen)
    for place, reached in enumerate(accumulate(seen)):
        if reached >= wanted:
            return (place + 1 - (reached - wanted) / seen[place]) * _BIN_KMH
    return len(seen) * _BIN_KMH
