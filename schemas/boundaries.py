"""Bekasi's kecamatan and kelurahan as polygons of the operator's GeoJSON file, and the place of a point in them."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NamedTuple, Self

import msgspec
import shapely
from shapely import MultiPolygon, Point, Polygon, STRtree
from shapely.errors import ShapelyError

from schemas.gazetteer import KM_PER_DEGREE_LAT, gazetteer
from schemas.geography import BaseMap, KecamatanShape, PlaceHit, as_polygons, draw_kecamatan
from schemas.vocabulary import Regency

#: A point this near to another kecamatan keeps it as an alternative: 100 m, a phone's error among houses.
ALTERNATIVE_WITHIN_DEG: Final = 0.1 / KM_PER_DEGREE_LAT

#: A point in no polygon but this near to one lies in it: 10 m; rounded corners leave slivers between neighbours.
SLIVER_DEG: Final = 0.01 / KM_PER_DEGREE_LAT

#: Detail that the wall's base layer may lose: 60 m, two pixels of a 4K wall that shows Bekasi whole.
_BASE_MAP_TOLERANCE_DEG: Final = 0.06 / KM_PER_DEGREE_LAT

#: West, south, east and north of everything a boundary file of Bekasi can hold, with room; what lies beyond was written
#: latitude first, or in metres.
_PLAUSIBLE: Final = (106.5, -6.8, 107.6, -5.6)


class BoundaryFileError(ValueError):
    """The file cannot serve as boundaries; the message is one sentence that says what is wrong and where."""


class _Properties(msgspec.Struct, frozen=True):
    code: Annotated[str, msgspec.Meta(pattern=r"^\d\d\.\d\d\.\d\d(\.\d{4})?$")]
    name: Annotated[str, msgspec.Meta(min_length=1)]
    regency_code: Regency
    type: Literal["kecamatan", "kelurahan", "desa"]


class _Feature(msgspec.Struct, frozen=True):
    properties: _Properties
    geometry: msgspec.Raw


class _Geometry(msgspec.Struct, frozen=True):
    type: Literal["Polygon", "MultiPolygon"]


class _FeatureCollection(msgspec.Struct, frozen=True, tag_field="type", tag="FeatureCollection"):
    features: tuple[msgspec.Raw, ...]


class Area(NamedTuple):
    """One kecamatan, kelurahan or desa of the file."""

    code: str
    name: str
    outline: Polygon | MultiPolygon

    @property
    def kecamatan_code(self) -> str:
        """The kecamatan it is or lies in: the first eight characters of any Kemendagri code."""
        return self.code[:8]

    @property
    def is_kecamatan(self) -> bool:
        """Whether it is a kecamatan rather than a part of one."""
        return self.code == self.kecamatan_code


class Boundaries:
    """Places points in polygons: in kelurahan and desa where the file has them, else in kecamatan alone."""

    def __init__(self, areas: Sequence[Area]) -> None:
        """Index the areas; `from_geojson` reads them from a file."""
        kecamatan = [area for area in areas if area.is_kecamatan]
        kelurahan = [area for area in areas if not area.is_kecamatan]
        self._levels = [_Level(level) for level in (kelurahan, kecamatan) if level]
        self._kecamatan_name = {known.code: known.name for known in gazetteer().kecamatan}
        self._kecamatan_name |= {area.code: area.name for area in kecamatan}
        self._areas = areas

    @classmethod
    def from_geojson(cls, content: bytes) -> Self:
        """Read a FeatureCollection as the contract's section 6 has it; BoundaryFileError says what is wrong with it."""
        try:
            features = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_FeatureCollection).features
        except msgspec.ValidationError as error:
            raise BoundaryFileError(f"The boundary file is not a GeoJSON FeatureCollection: {error}.") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise BoundaryFileError(f"The boundary file is not JSON: {error}.") from error
        if not features:
            raise BoundaryFileError("The boundary file has no features.")
        areas = [_area(number, feature) for number, feature in enumerate(features)]
        seen: set[str] = set()
        for area in areas:
            if area.code in seen:
                raise BoundaryFileError(f"The boundary file has the code {area.code} twice.")
            seen.add(area.code)
        return cls(sorted(areas))

    def locate(self, lat: float, lon: float) -> PlaceHit | None:
        """The area that holds the point; None when no polygon does (or lies within 10 m), which is outside Bekasi."""
        for level in self._levels:
            hits = [self._hit(area, distance) for area, distance in level.around(Point(lon, lat))]
            if hits and hits[0].score <= SLIVER_DEG * KM_PER_DEGREE_LAT:
                return msgspec.structs.replace(hits[0], alternatives=_others(hits))
        return None

    def base_map(self) -> BaseMap:
        """The file's kecamatan, or its kelurahan joined to kecamatan, with 60 m of detail taken off."""
        outlines = {area.code: area.outline for area in self._areas if area.is_kecamatan}
        parts: dict[str, list[Polygon | MultiPolygon]] = {}
        for area in self._areas:
            if area.kecamatan_code not in outlines:
                parts.setdefault(area.kecamatan_code, []).append(area.outline)
        outlines |= {code: as_polygons(shapely.union_all(areas)) for code, areas in parts.items()}
        shapes = [
            KecamatanShape(code, self._kecamatan_name.get(code, code), Regency(code[:5]), outline)
            for code, outline in sorted(outlines.items())
        ]
        return draw_kecamatan(shapes, tolerance_deg=_BASE_MAP_TOLERANCE_DEG, approximate=False)

    def _hit(self, area: Area, distance_deg: float) -> PlaceHit:
        code = area.kecamatan_code
        return PlaceHit(
            kecamatan_code=code,
            kecamatan=self._kecamatan_name.get(code, code),
            regency=Regency(code[:5]),
            kelurahan_code=None if area.is_kecamatan else area.code,
            kelurahan=None if area.is_kecamatan else area.name,
            precision="exact",
            score=distance_deg * KM_PER_DEGREE_LAT,
        )


class _Level:
    """Areas of one kind in a search tree."""

    def __init__(self, areas: Sequence[Area]) -> None:
        self._areas = areas
        outlines = [area.outline for area in areas]
        shapely.prepare(outlines)
        self._tree = STRtree(outlines)

    def around(self, point: Point) -> list[tuple[Area, float]]:
        """The areas within `ALTERNATIVE_WITHIN_DEG` with their distance in degrees (0 inside), nearest first."""
        found = self._tree.query(point, predicate="dwithin", distance=ALTERNATIVE_WITHIN_DEG)
        near = [self._areas[index] for index in sorted(found)]
        if len(near) == 1:
            # the common case: a point away from borders, or just outside all of them
            return [(near[0], 0.0 if near[0].outline.covers(point) else near[0].outline.distance(point))]
        return sorted(((area, area.outline.distance(point)) for area in near), key=lambda found: found[1])


def _others(hits: list[PlaceHit]) -> tuple[PlaceHit, ...]:
    """The nearest hit of each other kecamatan."""
    nearest: dict[str, PlaceHit] = {}
    for hit in hits[1:]:
        if hit.kecamatan_code != hits[0].kecamatan_code:
            nearest.setdefault(hit.kecamatan_code, hit)
    return tuple(nearest.values())


def _area(number: int, content: msgspec.Raw) -> Area:
    """One feature; `number` counts from 0 as in the file."""
    where = f"Feature {number} of the boundary file"
    try:
        feature = msgspec.json.decode(content, type=_Feature)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BoundaryFileError(f"{where} is unusable: {error}.") from error
    try:
        msgspec.json.decode(feature.geometry, type=_Geometry)
        outline = as_polygons(shapely.from_geojson(bytes(feature.geometry)))
    except (msgspec.MsgspecError, RecursionError, ShapelyError) as error:
        raise BoundaryFileError(f"{where} has no usable geometry: {error}.") from error
    code, regency, kind = feature.properties.code, feature.properties.regency_code, feature.properties.type
    area = Area(code, feature.properties.name, outline)
    if not code.startswith(regency):
        raise BoundaryFileError(f"{where} has the code {code} in regency {regency}.")
    if area.is_kecamatan != (kind == "kecamatan"):
        raise BoundaryFileError(f"{where} has the code {code} for a {kind}.")
    west, south, east, north = outline.bounds
    # an empty polygon has bounds of NaN, which is not plausible either
    if not (_PLAUSIBLE[0] <= west and _PLAUSIBLE[1] <= south and east <= _PLAUSIBLE[2] and north <= _PLAUSIBLE[3]):
        raise BoundaryFileError(f"{where} ({code}) is not near Bekasi: longitude comes first, in WGS 84 degrees.")
    return area
