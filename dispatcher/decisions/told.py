"""What one text tells of its event: junctions, roads and other spots, directions, a stated time, its telling words."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from dispatcher.decisions.place_names import Landmark, known_landmark, mentions, names_an_area
from dispatcher.decisions.spelling import plain


class Spot(StrEnum):
    """How exactly a name tells a place: two junctions are two places, two shops may stand at one."""

    JUNCTION = "junction"
    ROAD = "road"
    KILOMETRE = "kilometre"
    POINT = "point"


#: Words behind which a place's name follows.
_MARKS: Final[Mapping[str, Spot]] = {
    mark: spot
    for spot, marks in {
        Spot.JUNCTION: "simpang perempatan pertigaan bundaran gt interchange putaran",
        Spot.ROAD: "jalan ruas gang flyover underpass jembatan tol jalur",
        Spot.KILOMETRE: "km",
        Spot.POINT: (
            "depan seberang samping belakang dekat deket kawasan seputaran sekitar sekitaran area stasiun terminal"
            " pasar halte mall perumahan perum komplek kompleks cluster di"
        ),
    }.items()
    for mark in marks.split()
}

_TO: Final = frozenset({"arah", "menuju", "ke", "tujuan", "jurusan", "mengarah"})
_FROM: Final = frozenset({"dari", "dr"})

#: What every report says: it ends a name, and tells nothing of which event it is.
_TEMPLATE_TEXT: Final = """
    kondisi situasi arus lalin terpantau pantauan pantau ramai lancar padat merayap macet antre kendaraan cukup
    panjang semua dan wib wita wit cuaca cerah hujan mendung ringan deras volume peningkatan terjadi
    masuk keluar info update terupdate berita terkini realtime news via by rt retweeted tetap patuhi rambu marka
    lengang tersendat sepi normal kembali masih sudah sangat parah total hati yang untuk pada saat ini tadi jam
    pukul sore pagi siang malam hari sekarang ada dengan atau juga serta sebaliknya dua tidak bergerak sampai karena
    akibat imbas menyebabkan mohon tolong minta relatif pak bu min lur gan bang kak yth lapor laporan the itu nya
    kok dong nih ya sih terlihat tampak bersih air banjir genang sampah lubang rusak lampu mati sementara terus lagi
    depannya disini sini situ sana kaki tetapi namun namanya diberlakukan setiap banyak rumah saya kami kita aku
    warga orang sekolah toko warung tindak tindaklanjuti perbaiki diperbaiki angkut buang bakar tumpuk serak
    bersihkan pinggir tengah sisi bahu badan lokasi tempat sebelah atas bawah mana seluruh sepanjang samping wilayah
    daerah lingkungan
"""
_TEMPLATE: Final = frozenset(_TEMPLATE_TEXT.split())

#: Words of a name that people leave out: "Jalan Raya Narogong", "Jl. Jend. Sudirman".
_GENERAL_TEXT: Final = """
    raya utama umum desa kampung kp kelurahan kel kecamatan provinsi kabupaten jend jenderal letjen mayjen mayor
    kapten kh h haji ir dr prof empat tiga
"""
_GENERAL: Final = frozenset(_GENERAL_TEXT.split())

#: Words that end a name, and tell nothing of an event.
_NO_NAMES: Final = _TEMPLATE | _TO | _FROM | frozenset(_MARKS)

_COMPASS: Final = frozenset({"utara", "selatan", "timur", "barat"})
#: Words of a name that are kept: more are seldom part of it.
_NAME_WORDS: Final = 3
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


@lru_cache(maxsize=1_024)
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
            if landmark is None and _MARKS[mark] is Spot.POINT and names_an_area(name):
                # "di Tambun" is too wide to make two reports one
                continue
            spot = _spot_of(landmark) if landmark else _MARKS[mark]
            spots[spot].add(_landmark_name(landmark, name) if landmark else "".join(name))
    for mention in mentions(tagless):
        if isinstance(mention.place, Landmark) and not mention.direction:
            names = spots[_spot_of(mention.place)]
            # a name with its number says more than the name alone
            if not any(name.startswith(mention.place.name) for name in names):
                names.add(mention.place.name)
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
        mark = words[at]
        at += 1
        if mark in _TO or mark in _FROM:
            while at < len(words) and (words[at] in _TO or words[at] in _FROM or words[at] in _MARKS):
                at += 1
            taken, name = _name_at(words, at)
            name = name or tuple(_compasses_at(words, at))
        elif mark == "km":
            name = tuple(word for word in words[at : at + 1] if word[0].isdigit())
            taken = len(name)
        elif mark in _MARKS:
            taken, name = _name_at(words, at)
        else:
            continue
        at += taken
        if name:
            yield mark, name


def _name_at(words: list[str], at: int) -> tuple[int, tuple[str, ...]]:
    """The name that begins there without its general words ("Jalan Raya …"), and how many words it takes up."""
    name: list[str] = []
    end = at
    while end < len(words) and len(name) < _NAME_WORDS:
        word = words[end]
        if word.isdigit():
            # "Perumnas 1" and "GT Cikunir 2", but not "2 arah"
            if name and len(word) == 1 and words[end + 1 : end + 2] != ["arah"]:
                name.append(word)
                end += 1
            break
        if not _may_name(word) or (word in _COMPASS and not name):
            break
        if word not in _GENERAL:
            name.append(word)
        end += 1
    return end - at, tuple(name)


def _may_name(word: str) -> bool:
    return word.isalpha() and word not in _NO_NAMES


def _compasses_at(words: list[str], at: int) -> Iterator[str]:
    """Points of the compass that are listed: "timur dan barat" are two directions."""
    for word in words[at : at + 5]:
        if word not in _COMPASS and word != "dan":
            break
        yield word


def _ways(name: tuple[str, ...]) -> set[str]:
    if name[0] in _COMPASS:
        return {word for word in name if word in _COMPASS}
    return {"".join(name)}


def _landmark_name(landmark: Landmark, name: tuple[str, ...]) -> str:
    """The landmark's name, with the number that tells gates of one name apart ("GT Cikunir 2")."""
    return f"{landmark.name} {name[-1]}" if name[-1].isdigit() and name[-1] not in landmark.name else landmark.name


def _spot_of(landmark: Landmark) -> Spot:
    match landmark.kind:
        case "junction" | "gate":
            return Spot.JUNCTION
        case "road":
            return Spot.ROAD
        case "place":
            return Spot.POINT


def _tells(word: str) -> bool:
    return len(word) > 2 and word not in _COMPASS and _may_name(word)
