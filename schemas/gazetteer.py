"""The 243 kelurahan and desa of Bekasi as facts (code, name, centre, area), and a point's place by nearest centre."""

import csv
import io
from functools import cache
from importlib import resources
from math import sqrt
from typing import Final, Literal, cast

import msgspec
import numpy as np
import shapely
from numpy.typing import NDArray

from schemas.geography import BaseMap, KecamatanShape, PlaceHit, as_polygons, draw_kecamatan
from schemas.vocabulary import Regency

#: Kilometres per degree of latitude and, at Bekasi's 6.25° S, of longitude (WGS 84).
KM_PER_DEGREE_LAT: Final = 110.574
KM_PER_DEGREE_LON: Final = 110.660

#: Distance to the centre ÷ √area above which a point is outside Bekasi (contract, section 6).
OUTSIDE_ABOVE: Final = 1.0

#: How much worse another kecamatan's score may be to stay an alternative. Measured on the boundary polygons: with 0.15
#: the right kecamatan is among the answers for 96.6 % of points (91.9 % without), of 1.13 kecamatan on average.
ALTERNATIVE_MARGIN: Final = 0.15

#: Side of the squares the base map is drawn from: small enough that a kecamatan (11–128 km²) keeps its shape.
_BASE_MAP_STEP_KM: Final = 0.3
#: Removes the stairs of those squares and little else.
_BASE_MAP_TOLERANCE_DEG: Final = 0.004

Floats = NDArray[np.float64]
Indexes = NDArray[np.intp]


class Kelurahan(msgspec.Struct, frozen=True, kw_only=True):
    """A kelurahan (city ward) or desa (village) with its centre (WGS 84) and area."""

    code: str
    name: str
    kind: Literal["kelurahan", "desa"]
    kecamatan_code: str
    kecamatan: str
    regency: Regency
    lat: float
    lon: float
    area_km2: float


class Kecamatan(msgspec.Struct, frozen=True, kw_only=True):
    """A district with the area-weighted centre of its kelurahan and desa (WGS 84)."""

    code: str
    name: str
    regency: Regency
    lat: float
    lon: float
    area_km2: float


class Gazetteer:
    """Places points and names areas from the table in `gazetteer.csv`, without polygons."""

    def __init__(self, kelurahan: tuple[Kelurahan, ...]) -> None:
        """Index the given areas; `gazetteer()` is the one of the project."""
        self.kelurahan: Final = kelurahan
        self.kecamatan: Final = _kecamatan_of(kelurahan)
        self._lat = np.array([area.lat for area in kelurahan])
        self._lon = np.array([area.lon for area in kelurahan])
        radius = np.sqrt([area.area_km2 for area in kelurahan])
        self._lat_scale = KM_PER_DEGREE_LAT / radius
        self._lon_scale = KM_PER_DEGREE_LON / radius

    def locate(self, lat: float, lon: float) -> PlaceHit | None:
        """The area with the least distance (km) ÷ √area (km²); None above 1.0, which is outside Bekasi.

        Against the boundary polygons: right regency 99.4 %, right kecamatan 92 %, right kelurahan 80 % of points.
        """
        squared = ((self._lat - lat) * self._lat_scale) ** 2 + ((self._lon - lon) * self._lon_scale) ** 2
        best = int(squared.argmin())
        score = sqrt(squared[best])
        if score > OUTSIDE_ABOVE:
            return None
        near = np.flatnonzero(squared <= (score + ALTERNATIVE_MARGIN) ** 2)
        alternatives: tuple[PlaceHit, ...] = ()
        if near.size > 1:
            alternatives = self._others(near[squared[near].argsort()], squared, self.kelurahan[best].kecamatan_code)
        return self._hit(best, score, alternatives)

    def base_map(self) -> BaseMap:
        """Kecamatan drawn from centres and areas, so that the borders on the wall are those `locate` answers by."""
        rows, columns, nearest = self._nearest_on_grid()
        shapes = []
        for kecamatan in self.kecamatan:
            members = [i for i, area in enumerate(self.kelurahan) if area.kecamatan_code == kecamatan.code]
            row, column = np.nonzero(np.isin(nearest, members))
            squares = shapely.box(columns[column], rows[row], columns[column + 1], rows[row + 1])
            outline = as_polygons(shapely.coverage_union_all(squares))
            shapes.append(KecamatanShape(kecamatan.code, kecamatan.name, kecamatan.regency, outline))
        return draw_kecamatan(shapes, tolerance_deg=_BASE_MAP_TOLERANCE_DEG, approximate=True)

    def _nearest_on_grid(self) -> tuple[Floats, Floats, Indexes]:
        """Edges of a grid's rows and columns (degrees), and per square the index of its kelurahan, -1 outside."""
        rows = _steps(self._lat, 1 / self._lat_scale.min(), _BASE_MAP_STEP_KM / KM_PER_DEGREE_LAT)
        columns = _steps(self._lon, 1 / self._lon_scale.min(), _BASE_MAP_STEP_KM / KM_PER_DEGREE_LON)
        middle_lat = ((rows[:-1] + rows[1:]) / 2)[:, np.newaxis]
        middle_lon = ((columns[:-1] + columns[1:]) / 2)[np.newaxis, :]
        least = np.full((rows.size - 1, columns.size - 1), OUTSIDE_ABOVE**2)
        nearest = np.full(least.shape, -1)
        for index in range(len(self.kelurahan)):
            squared = ((middle_lat - self._lat[index]) * self._lat_scale[index]) ** 2 + (
                (middle_lon - self._lon[index]) * self._lon_scale[index]
            ) ** 2
            nearer = squared < least
            least[nearer] = squared[nearer]
            nearest[nearer] = index
        return rows, columns, nearest

    def _others(self, near: Indexes, squared: Floats, own: str) -> tuple[PlaceHit, ...]:
        first_of_kecamatan: dict[str, PlaceHit] = {}
        for index in near:
            code = self.kelurahan[index].kecamatan_code
            if code != own and code not in first_of_kecamatan:
                first_of_kecamatan[code] = self._hit(int(index), sqrt(squared[index]), ())
        return tuple(first_of_kecamatan.values())

    def _hit(self, index: int, score: float, alternatives: tuple[PlaceHit, ...]) -> PlaceHit:
        area = self.kelurahan[index]
        return PlaceHit(
            kecamatan_code=area.kecamatan_code,
            kecamatan=area.kecamatan,
            regency=area.regency,
            kelurahan_code=area.code,
            kelurahan=area.name,
            precision="approximate",
            score=score,
            alternatives=alternatives,
        )


def _steps(centres: Floats, reach: float, step: float) -> Floats:
    return np.arange(centres.min() - reach, centres.max() + reach, step)


@cache
def gazetteer() -> Gazetteer:
    """The project's own gazetteer, read from the package once."""
    table = resources.files("schemas").joinpath("gazetteer.csv").read_text("utf-8")
    return Gazetteer(tuple(_kelurahan(row) for row in csv.DictReader(io.StringIO(table))))


def _kelurahan(row: dict[str, str]) -> Kelurahan:
    return Kelurahan(
        code=row["code"],
        name=row["name"],
        kind=cast(Literal["kelurahan", "desa"], row["kind"]),
        kecamatan_code=row["kecamatan_code"],
        kecamatan=row["kecamatan"],
        regency=Regency(row["code"][:5]),
        lat=float(row["lat"]),
        lon=float(row["lon"]),
        area_km2=float(row["area_km2"]),
    )


def _kecamatan_of(kelurahan: tuple[Kelurahan, ...]) -> tuple[Kecamatan, ...]:
    members: dict[str, list[Kelurahan]] = {}
    for area in kelurahan:
        members.setdefault(area.kecamatan_code, []).append(area)
    return tuple(_joined(areas) for _, areas in sorted(members.items()))


def _joined(areas: list[Kelurahan]) -> Kecamatan:
    whole = sum(area.area_km2 for area in areas)
    return Kecamatan(
        code=areas[0].kecamatan_code,
        name=areas[0].kecamatan,
        regency=areas[0].regency,
        lat=round(sum(area.lat * area.area_km2 for area in areas) / whole, 5),
        lon=round(sum(area.lon * area.area_km2 for area in areas) / whole, 5),
        area_km2=round(whole, 3),
    )
