"""Whether two texts tell of one event: by the junctions, roads, directions and times they name, and their words.

Another junction is another event, whatever the likeness: traffic reports share templates, and differ in one word.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from dispatcher.judgement import Sameness, YesNoUnknown
from dispatcher.place_names import Landmark, known_landmark, mentions
from dispatcher.spelling import STOP, plain

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


class Spot(StrEnum):
    """How exactly a name tells a place: two junctions are two places, two shops may stand at one."""

    JUNCTION = "junction"
    ROAD = "road"
    KILOMETRE = "kilometre"
    POINT = "point"


#: Words behind which a place's name follows.
_MARKS: Final[Mapping[str, Spot]] = {
    **dict.fromkeys(("simpang", "perempatan", "pertigaan", "bundaran", "gt", "interchange", "putaran"), Spot.JUNCTION),
    **dict.fromkeys(("jalan", "ruas", "gang", "flyover", "underpass", "jembatan", "tol", "jalur"), Spot.ROAD),
    "km": Spot.KILOMETRE,
    **dict.fromkeys(("depan", "seberang", "samping", "belakang", "dekat", "deket", "kawasan", "seputaran"), Spot.POINT),
    **dict.fromkeys(
        ("sekitar", "sekitaran", "area", "stasiun", "terminal", "pasar", "halte", "mall", "di"), Spot.POINT
    ),
}

_TO: Final = frozenset({"arah", "menuju", "ke", "tujuan", "jurusan", "mengarah"})
_FROM: Final = frozenset({"dari", "dr"})

#: What every traffic report says. It ends a name and tells nothing of which event it is.
_TEMPLATE_TEXT: Final = """
    kondisi situasi arus lalin terpantau pantauan pantau ramai lancar padat merayap macet antre kendaraan cukup
    panjang semua dan wib wita wit cuaca cerah hujan mendung ringan deras volume peningkatan penngkatan terjadi
    masuk keluar info update terupdate berita terkini realtime news via by rt retweeted tetap patuhi rambu marka
    lengang tersendat sepi normal kembali masih sudah sangat parah total hati yang untuk pada saat ini tadi jam
    pukul sore pagi siang malam hari sekarang ada dengan atau juga serta sebaliknya dua tidak bergerak sampai
    karena akibat imbas menyebabkan mohon tolong minta relatif pak bu min lur gan bang kak yth lapor laporan the
    itu nya kok dong nih ya sih terlihat tampak bersih air banjir genang sampah lubang rusak lampu mati sementara
    terus lagi depannya disini sini situ sana kaki tetapi namun namanya diberlakukan setiap banyak
"""
_TEMPLATE: Final = frozenset(_TEMPLATE_TEXT.split())
_COMPASS: Final = frozenset({"utara", "selatan", "timur", "barat"})
_NAME_WORDS: Final = 3
#: Fewer telling words than this make no likeness.
_ENOUGH_TO_TELL: Final = 2
_STATED_TIME: Final = re.compile(r"(?<![\d.:/-])([01]?\d|2[0-3])[.:]([0-5]\d)(?![\d/-])")
_HASHTAG: Final = re.compile(r"[#@]\w+")


class Told(NamedTuple):
    """What one text tells of its event."""

    #: Names by how exactly they tell the place; each name its words joined.
    spots: Mapping[Spot, frozenset[str]]
    going_to: frozenset[str]
    coming_from: frozenset[str]
    #: Minute of the day that the text states, if it does.
    minute: int | None
    #: Words beside what every report says.
    telling: frozenset[str]


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


@lru_cache(maxsize=4_096)
def told(text: str) -> Told:
    """What a text names: places by kind, directions, a stated time, its telling words."""
    stated = _STATED_TIME.search(text)
    tagless = _HASHTAG.sub(" ", text)
    words = plain(tagless).replace("lampu merah", "simpang").split()
    spots: dict[Spot, set[str]] = {spot: set() for spot in Spot}
    going_to: set[str] = set()
    coming_from: set[str] = set()
    for mark, name in _names(words):
        if mark in _TO:
            going_to |= _ways(name)
        elif mark in _FROM:
            coming_from |= _ways(name)
        else:
            landmark = known_landmark(mark, name)
            spot = _spot_of(landmark) if landmark else _MARKS[mark]
            spots[spot].add(landmark.name if landmark else "".join(name))
    for mention in mentions(tagless):
        if isinstance(mention.place, Landmark) and not mention.direction:
            spots[_spot_of(mention.place)].add(mention.place.name)
    return Told(
        spots={spot: frozenset(names) for spot, names in spots.items()},
        going_to=frozenset(going_to),
        coming_from=frozenset(coming_from),
        minute=int(stated[1]) * 60 + int(stated[2]) if stated else None,
        telling=frozenset(word for word in words if _tells(word)),
    )


def _names(words: list[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each mark or direction word with the name behind it; a name behind a direction is no spot."""
    at = 0
    while at < len(words):
        word = words[at]
        at += 1
        if word in _TO or word in _FROM:
            while at < len(words) and (words[at] in _TO or words[at] in _FROM or words[at] in _MARKS):
                at += 1
            name = _name_at(words, at)
            if not name and at < len(words) and words[at] in _COMPASS:
                name = tuple(_compasses_at(words, at))
            at += len(name)
        elif word in _MARKS:
            name = _kilometre_at(words, at) if word == "km" else _name_at(words, at)
            at += len(name)
        else:
            continue
        if name:
            yield word, name


def _name_at(words: list[str], at: int) -> tuple[str, ...]:
    name: list[str] = []
    for word in words[at : at + _NAME_WORDS]:
        if word.isdigit():
            # "Perumnas 1" and "GT Cikunir 2", but not "2 arah"
            if name and len(word) == 1 and words[at + len(name) + 1 : at + len(name) + 2] != ["arah"]:
                name.append(word)
            break
        if word == STOP or word in _TEMPLATE or word in _MARKS or word in _TO or word in _FROM or not word.isalpha():
            break
        if word in _COMPASS and not name:
            break
        name.append(word)
    return tuple(name)


def _compasses_at(words: list[str], at: int) -> Iterator[str]:
    """ "timur dan barat" are two directions."""
    for word in words[at : at + 5]:
        if word not in _COMPASS and word != "dan":
            break
        yield word


def _kilometre_at(words: list[str], at: int) -> tuple[str, ...]:
    return tuple(word for word in words[at : at + 1] if word[0].isdigit())


def _ways(name: tuple[str, ...]) -> set[str]:
    if name[0] in _COMPASS:
        return {word for word in name if word in _COMPASS}
    return {"".join(name)}


def _spot_of(landmark: Landmark) -> Spot:
    match landmark.kind:
        case "junction" | "gate":
            return Spot.JUNCTION
        case "road":
            return Spot.ROAD
        case "place":
            return Spot.POINT


def _tells(word: str) -> bool:
    return len(word) > 2 and word.isalpha() and not any(word in plainly for plainly in _TELLING_NOTHING)


_TELLING_NOTHING: Final = (_TEMPLATE, _MARKS, _TO, _FROM, _COMPASS)


def _same_place(a: Mapping[Spot, frozenset[str]], b: Mapping[Spot, frozenset[str]]) -> YesNoUnknown:
    for spot in (Spot.JUNCTION, Spot.KILOMETRE, Spot.ROAD):
        if a[spot] and b[spot]:
            return "yes" if _any_match(a[spot], b[spot]) else "no"
    if _any_match(frozenset().union(*a.values()), frozenset().union(*b.values())):
        return "yes"
    return "unknown"


def _any_match(a: frozenset[str], b: frozenset[str], cut_to: int = 4) -> bool:
    return any(_match(x, y, cut_to) for x in a for y in b)


def _match(x: str, y: str, cut_to: int = 4) -> bool:
    """Whether two names are one: equal, or one cut short or with more behind it ("pramb", "malioboro yogyakarta")."""
    short, long = sorted((x, y), key=len)
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
    return sum(any(_match(word, other) for other in more) for word in fewer) / len(fewer)
