"""The name of a place for titles and officers: made of names that we keep ourselves, never of a citizen's words."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from dispatcher.decisions.cells import distance_m
from dispatcher.decisions.judgement import Located
from dispatcher.decisions.place_names import Landmark, landmarks
from schemas.vocabulary import REGENCY_NAME

#: A landmark that a report names stands for its place within so many metres of its coordinates; a road is long.
_STANDS_FOR_M: Final = 800.0
_ROAD_STANDS_FOR_M: Final = 3_000.0


def readable_place(located: Located, road: str | None = None) -> str | None:
    """`Simpang Pekayon, Bekasi Selatan`; else the kelurahan, else the kecamatan, else the regency; None if unknown.

    `road` is a name that the city itself gave, such as a sensor's segment.
    """
    if located.outside:
        return located.outside_where or "di luar Bekasi"
    area = located.kecamatan
    name = road or _named_landmark(located) or located.kelurahan
    if name and area:
        return name if name == area else f"{name}, {area}"
    if area:
        return f"Kec. {area}"
    return name or (REGENCY_NAME[located.regency] if located.regency else None)


def _named_landmark(located: Located) -> str | None:
    for name in located.named:
        landmark = _landmark_called().get(name)
        if landmark and _stands_for(landmark, located):
            return name
    return None


def _stands_for(landmark: Landmark, located: Located) -> bool:
    if located.lat is None or located.lon is None:
        return landmark.kecamatan.code == located.kecamatan_code
    reach = _ROAD_STANDS_FOR_M if landmark.kind == "road" else _STANDS_FOR_M
    return distance_m(located.lat, located.lon, landmark.lat, landmark.lon) <= reach


@cache
def _landmark_called() -> Mapping[str, Landmark]:
    return {landmark.name: landmark for landmark in landmarks()}
