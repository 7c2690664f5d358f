"""The places a text names: Bekasi's kelurahan, kecamatan, junctions, roads and landmarks, and neighbours beyond."""

import csv
import io
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Final, Literal, NamedTuple

from dispatcher.decisions.spelling import STOP, plain
from schemas.gazetteer import Kecamatan, Kelurahan, gazetteer
from schemas.vocabulary import Regency


class Landmark(NamedTuple):
    """A point that people name; coordinates (WGS 84) are good to some 300 m, a road's are its middle."""

    name: str
    kind: Literal["junction", "road", "gate", "place"]
    lat: float
    lon: float
    kecamatan: Kecamatan


class Outside(NamedTuple):
    """A government beyond Bekasi's borders."""

    name: str


class Bekasi(NamedTuple):
    """Bekasi, and nothing said of which of the two governments."""

    name: str


class Ignored(NamedTuple):
    """A name that says nothing about the place: a motorway through several cities."""

    name: str


Named = Landmark | Kelurahan | Kecamatan | Regency | Bekasi | Outside | Ignored


class Mention(NamedTuple):
    """A place named in a text; `direction` when it only says where the traffic goes to or comes from."""

    place: Named
    direction: bool


#: Before these words a place is where somebody goes to or comes from, not where something happened.
_DIRECTION: Final = frozenset({"arah", "menuju", "ke", "dari", "jurusan", "tujuan", "mengarah", "dr"})

#: Words that announce a kelurahan or desa.
_AREA_MARK: Final = frozenset({"kelurahan", "kel", "desa", "ds", "kampung", "kp", "kmp", "wilayah", "daerah"})

#: Kelurahan and desa whose names are also words, streets or better-known places elsewhere: with a mark only.
_MARKED_ONLY: Final = frozenset(
    {
        *("bahagia", "perwira", "simpangan", "serang", "pejuang", "tambun", "cipayung", "ciledug", "kotabaru"),
        *("kalibaru", "karanganyar", "lubangbuaya", "banjarsari", "tamansari", "kertajaya", "margahayu", "sukajadi"),
        *("jatiwangi", "cibuntu", "waluya", "karangsari", "karangsambung", "bojongsari", "sukamaju", "sukaraja"),
    }
)

#: What people call areas beside their official names.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "tambun": "Tambun Selatan",
    "kayuringin": "Kayuringinjaya",
    "jatibening baru": "Jatibening Baru",
    "rawa lumbu": "Rawalumbu",
    "bojong menteng": "Bojongmenteng",
    "harapan jaya": "Harapanjaya",
    "ciketing": "Ciketingudik",
    "muara gembong": "Muaragembong",
    "gembong": "Muaragembong",
}

_REGENCIES: Final[Mapping[str, Regency]] = {
    "kota bekasi": Regency.KOTA_BEKASI,
    "bekasi kota": Regency.KOTA_BEKASI,
    "kabupaten bekasi": Regency.KABUPATEN_BEKASI,
    "kab bekasi": Regency.KABUPATEN_BEKASI,
    "bekasi kabupaten": Regency.KABUPATEN_BEKASI,
    "cikarang": Regency.KABUPATEN_BEKASI,
}

#: Governments around Bekasi and farther off → names that place a report there.
_OUTSIDE: Final[Mapping[str, str]] = {
    "Jakarta Timur": (
        "jakarta timur;jaktim;cakung;pulo gebang;pulo gadung;duren sawit;pondok kelapa;pondok bambu;klender;cipinang;"
        "jatinegara;kramat jati;halim;cawang;ciracas;pasar rebo;penggilingan;ujung menteng;rawamangun;matraman;"
        "rawa terate;ceger;cilangkap;kampung melayu"
    ),
    "Jakarta Utara": ("jakarta utara;jakut;cilincing;marunda;kelapa gading;tanjung priok;rorotan;sunter;pluit;semper"),
    "Jakarta Selatan": (
        "jakarta selatan;jaksel;tebet;kemang raya;pasar minggu;pancoran;kebayoran;lebak bulus;tb simatupang"
    ),
    "Jakarta Barat": "jakarta barat;jakbar;cengkareng;grogol;kalideres;tomang;palmerah;kebon jeruk;kembangan",
    "Jakarta Pusat": "jakarta pusat;jakpus;tanah abang;senen;monas;gambir;kemayoran;cempaka putih",
    "DKI Jakarta": "dki jakarta;jakarta;dki",
    "Kabupaten Bogor": (
        "cileungsi;gunung putri;jonggol;ciangsana;bojong kulur;klapanunggal;kabupaten bogor;kab bogor;cibinong"
    ),
    "Kota Bogor": "kota bogor;bogor",
    "Kota Depok": "kota depok;depok;cimanggis;tapos",
    "Kabupaten Karawang": "karawang;kabupaten karawang;teluk jambe;rengasdengklok;tanjungpura;klari",
    "Tangerang": "tangerang;serpong;bsd;ciputat",
    "Bandung": "bandung;cimahi",
    "Purwakarta": "purwakarta",
    "Subang": "subang",
    "Cirebon": "cirebon",
    "Semarang": "semarang",
    "Yogyakarta": "yogyakarta;jogja;sleman",
    "Surabaya": "surabaya;sidoarjo",
}

_IGNORED: Final = (
    "tol jakarta cikampek;tol cikampek;jakarta cikampek;tol japek;japek;tol dalam kota;tol jorr;jorr;tol cawang;"
    "tol jakarta;tol cibitung cilincing;tol becakayu;becakayu;tol mbz"
)

#: Longest name in words that is looked for.
_LONGEST: Final = 6


# locating and comparing read the same text
@lru_cache(maxsize=1_024)
def mentions(text: str) -> tuple[Mention, ...]:
    """The places a text names, in its order; of overlapping names the longest."""
    words = [word for word in plain(text).split() if word != STOP]
    return tuple(_mentions(words))


def _mentions(words: list[str]) -> Iterator[Mention]:
    index, beginnings = _index(), _begin_names()
    at = 0
    while at < len(words):
        if words[at] not in beginnings:
            at += 1
            continue
        for length, name in reversed(_beginnings(words, at)):
            place = index.get(name)
            if place is not None and not _doubtful(place, words, at):
                yield Mention(_by_mark(place, words, at), direction=at > 0 and words[at - 1] in _DIRECTION)
                at += length
                break
        else:
            at += 1


def _beginnings(words: list[str], at: int) -> list[tuple[int, str]]:
    """The words there, joined, as long as a name begins like that, shortest first."""
    beginnings = _begin_names()
    found = []
    joined = ""
    for length, word in enumerate(words[at : at + _LONGEST], 1):
        joined += word
        if joined not in beginnings:
            break
        found.append((length, joined))
    return found


def _doubtful(place: Named, words: list[str], at: int) -> bool:
    """Whether a kelurahan's name may be something else here: an ordinary word, or a street called after it."""
    if not isinstance(place, Kelurahan):
        return False
    before = words[at - 1] if at else ""
    if _joined(place.name) in _MARKED_ONLY:
        return before not in _AREA_MARK
    return before in {"jalan", "gang", "jenderal"}


def _by_mark(place: Named, words: list[str], at: int) -> Named:
    """A kecamatan named with "kelurahan" before it is the kelurahan of that name."""
    if isinstance(place, Kecamatan) and at and words[at - 1] in {"kelurahan", "kel", "desa", "ds"}:
        return _kelurahan_named().get(_joined(place.name), place)
    return place


@cache
def landmarks() -> tuple[Landmark, ...]:
    """The landmarks of `landmarks.csv`."""
    return tuple(landmark for landmark, _ in _landmark_rows())


@cache
def _landmark_rows() -> tuple[tuple[Landmark, tuple[str, ...]], ...]:
    kecamatan = {_joined(area.name): area for area in gazetteer().kecamatan}
    table = resources.files("dispatcher.decisions").joinpath("landmarks.csv").read_text("utf-8")
    rows = []
    for row in csv.DictReader(io.StringIO(table)):
        area = kecamatan[_joined(row["kecamatan"])]
        kind = _KINDS[row["kind"]]
        landmark = Landmark(row["name"], kind, float(row["lat"]), float(row["lon"]), area)
        rows.append((landmark, (row["name"], *row["aliases"].split(";"))))
    return tuple(rows)


_KINDS: Final[Mapping[str, Literal["junction", "road", "gate", "place"]]] = {
    "junction": "junction",
    "road": "road",
    "gate": "gate",
    "place": "place",
}


@cache
def _kelurahan_named() -> Mapping[str, Kelurahan]:
    return {_joined(area.name): area for area in gazetteer().kelurahan}


@cache
def _index() -> Mapping[str, Named]:
    """Every name without blanks, in our spelling → its place; what is named later here wins."""
    index: dict[str, Named] = {}
    for where, names in _OUTSIDE.items():
        index |= {_joined(name): Outside(where) for name in names.split(";")}
    index |= _kelurahan_named()
    index |= {_joined(area.name): area for area in gazetteer().kecamatan}
    areas = dict(index)
    # a name beside the official one never hides an official one, which wants its mark
    index |= {_joined(name): areas[_joined(official)] for name, official in _OTHER_NAMES.items()}
    index |= {_joined(name): regency for name, regency in _REGENCIES.items()}
    index["bekasi"] = Bekasi("Bekasi")
    for landmark, aliases in _landmark_rows():
        index |= {_joined(alias): landmark for alias in aliases}
    index |= {_joined(name): Ignored(name) for name in _IGNORED.split(";")}
    return index


@cache
def _begin_names() -> frozenset[str]:
    """Every beginning of every name, the whole name too."""
    return frozenset(name[:length] for name in _index() for length in range(1, len(name) + 1))


def _joined(name: str) -> str:
    return "".join(word for word in plain(name).split() if word != STOP)


def known_landmark(mark: str, name: tuple[str, ...]) -> Landmark | None:
    """The landmark that a text's words mean: with the word that announced them ("jalan"), or without; the longest."""
    index = _index()
    for length in range(len(name), 0, -1):
        joined = "".join(name[:length])
        for key in (mark + joined, joined):
            place = index.get(key)
            if isinstance(place, Landmark):
                return place
    return None


def names_an_area(name: tuple[str, ...]) -> bool:
    """Whether words name a kelurahan, a kecamatan or a city rather than a spot."""
    place = _index().get("".join(name))
    return place is not None and not isinstance(place, Landmark)
