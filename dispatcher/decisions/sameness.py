"""Whether two texts tell of one event: by the junctions, roads, directions and times they name, and their words.

Another junction is another event, whatever the likeness: traffic reports share templates, and differ in one word.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from dispatcher.decisions.judgement import Sameness, YesNoUnknown
from dispatcher.decisions.told import Spot, Told, told

#: From this score on two texts are one event.
SAME_FROM: Final = 0.5

#: Reports of a jam further apart are two jams unless one copies the other (domain: 250 m and 30 min).
JAM_WINDOW: Final = timedelta(minutes=30)

#: A copy ("retweet", a forwarded message) is of the same event up to this many windows later.
COPY_WINDOWS: Final = 4

#: Share of the shorter text's telling words that the other must have to be its copy.
COPY_FROM: Final = 0.75

#: Times stated in both texts count instead of the times of sending only within this gap; "07.13" comes every day.
STATED_WITHIN: Final = timedelta(hours=6)

#: A name cut short keeps so many letters at least; a direction's may be shorter ("arah jkt").
_CUT_TO: Final = 4

#: Fewer telling words than this make no likeness.
_ENOUGH_TO_TELL: Final = 2


def compare(text_a: str, text_b: str, gap: timedelta, window: timedelta = JAM_WINDOW) -> Sameness:
    """Whether the two texts, sent `gap` apart (either sign), tell of one event; the order of the two changes nothing.

    `window` is how long an event of their kind is reported as one.
    """
    a, b = told(text_a), told(text_b)
    place = _same_place(a.spots, b.spots)
    direction = _same_direction(a, b)
    stated = _stated_apart(a, b) if abs(gap) <= STATED_WITHIN else None
    apart = abs(gap) if stated is None else stated
    likeness = _likeness(a.telling, b.telling)
    # two texts that state their times do not copy each other, however alike they are
    copied = likeness >= COPY_FROM and apart <= (window if stated is not None else COPY_WINDOWS * window)
    score = _score(place, direction, likeness, copied, apart, window)
    evidence = [
        f"tempat sama: {_ID[place]}",
        f"arah sama: {_ID[direction]}",
        f"selisih {apart.total_seconds() / 60:.0f} menit",
        f"kemiripan {likeness:.2f}",
    ]
    return Sameness(
        score=round(score, 3),
        same=score >= SAME_FROM,
        same_place=place,
        same_direction=direction,
        evidence=tuple(evidence),
    )


_ID: Final[Mapping[YesNoUnknown, str]] = {"yes": "ya", "no": "tidak", "unknown": "tidak jelas"}


def _score(
    place: YesNoUnknown, direction: YesNoUnknown, likeness: float, copied: bool, apart: timedelta, window: timedelta
) -> float:
    if place == "no":
        return 0.05
    if direction == "no":
        return 0.3
    if place == "yes":
        if apart <= window:
            return 0.8 + 0.15 * likeness
        return 0.7 if copied else 0.45 * (window / apart)
    return 0.5 + 0.25 * likeness if copied else 0.45 * likeness


def _same_place(a: Mapping[Spot, frozenset[str]], b: Mapping[Spot, frozenset[str]]) -> YesNoUnknown:
    for spot in (Spot.JUNCTION, Spot.KILOMETRE, Spot.ROAD):
        if a[spot] and b[spot]:
            return "yes" if _any_match(a[spot], b[spot]) else "no"
    if _any_match(frozenset().union(*a.values()), frozenset().union(*b.values())):
        return "yes"
    return "unknown"


def _any_match(a: frozenset[str], b: frozenset[str], cut_to: int = _CUT_TO) -> bool:
    return any(_match(x, y, cut_to) for x in a for y in b)


def _match(x: str, y: str, cut_to: int = _CUT_TO) -> bool:
    """Whether two names are one: equal, or one cut short or with more behind it ("pramb", "malioboro yogyakarta")."""
    short, long = (x, y) if len(x) <= len(y) else (y, x)
    return short == long or (len(short) >= cut_to and long.startswith(short))


def _same_direction(a: Told, b: Told) -> YesNoUnknown:
    answers = [
        _any_match(ways_a, ways_b, cut_to=2)
        for ways_a, ways_b in ((a.going_to, b.going_to), (a.coming_from, b.coming_from))
        if ways_a and ways_b
    ]
    if not answers:
        return "unknown"
    return "yes" if any(answers) else "no"


def _stated_apart(a: Told, b: Told) -> timedelta | None:
    """Time between the times of day that both texts state."""
    if a.minute is None or b.minute is None:
        return None
    minutes = abs(a.minute - b.minute)
    return timedelta(minutes=min(minutes, 24 * 60 - minutes))


def _likeness(a: frozenset[str], b: frozenset[str]) -> float:
    """Share of the shorter text's telling words that the other has too, a last word cut short included (0–1)."""
    fewer, more = sorted((a, b), key=lambda words: (len(words), sorted(words)))
    if len(fewer) < _ENOUGH_TO_TELL:
        return 0.0
    shared = fewer & more
    # only words that begin alike can be one cut short: few are looked at closer
    beginnings = {word[:_CUT_TO] for word in more}
    alike = [word for word in fewer - shared if word[:_CUT_TO] in beginnings]
    return (len(shared) + sum(any(_match(word, other) for other in more) for word in alike)) / len(fewer)
