"""What a place in Bekasi is: the answer to "which kelurahan is this point in?", and the map of the same source."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

import msgspec
import numpy as np
import shapely
from shapely import LinearRing, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from schemas.vocabulary import Regency

PlacePrecision = Literal["exact", "approximate"]

#: How exactly the middle of a kecamatan is sought for its label: 100 m, finer than a letter on the wall.
_LABEL_TOLERANCE_DEG: Final = 0.001


class PlaceHit(msgspec.Struct, frozen=True, kw_only=True):
    """Where a point lies. Codes are Kemendagri's (`32.75.03`, `32.75.03.1002`)."""

    kecamatan_code: str
    kecamatan: str
    regency: Regency
    #: None when the boundary file knows kecamatan only.
    kelurahan_code: str | None
    kelurahan: str | None
    #: `exact` from polygons, `approximate` from centres and areas.
    precision: PlacePrecision
    #: How far from sure: `approximate` distance to the centre in km ÷ √area in km² (0 centre, 1.0 the edge of Bekasi);
    #: `exact` distance to the polygon in km (0 inside).
    score: float
    #: The other kecamatan this point may belong to, nearest first; empty away from a border. They have none themselves.
    alternatives: tuple["PlaceHit", ...] = ()


class PolygonGeometry(msgspec.Struct, frozen=True, tag_field="type", tag="Polygon"):
    """A GeoJSON polygon: rings of [longitude, latitude], the first one the outer."""

    coordinates: tuple[tuple[tuple[float, float], ...], ...]


class MultiPolygonGeometry(msgspec.Struct, frozen=True, tag_field="type", tag="MultiPolygon"):
    """Several GeoJSON polygons."""

    coordinates: tuple[tuple[tuple[tuple[float, float], ...], ...], ...]


class KecamatanProperties(msgspec.Struct, frozen=True):
    """What the wall writes on a kecamatan: its code, its name, and where the name goes."""

    code: str
    name: str
    regency_code: Regency
    label_lat: float
    label_lon: float


class KecamatanFeature(msgspec.Struct, frozen=True, tag_field="type", tag="Feature"):
    """One kecamatan of the base layer."""

    properties: KecamatanProperties
    geometry: PolygonGeometry | MultiPolygonGeometry


class BaseMap(msgspec.Struct, frozen=True, tag_field="type", tag="FeatureCollection"):
    """The wall's base layer, GeoJSON when encoded; `approximate` when drawn from centres and areas."""

    features: tuple[KecamatanFeature, ...]
    approximate: bool


class Geography(Protocol):
    """Knows Bekasi's areas: `schemas.gazetteer.Gazetteer`, or `schemas.boundaries.Boundaries` where a file is given."""

    def locate(self, lat: float, lon: float) -> PlaceHit | None:
        """The area a WGS 84 point lies in; None outside Bekasi."""

    def base_map(self) -> BaseMap:
        """The kecamatan as polygons, the same borders that `locate` answers by."""


class KecamatanShape(NamedTuple):
    """A kecamatan and its outline as shapely geometry (degrees, longitude first), on its way to the base map."""

    code: str
    name: str
    regency: Regency
    outline: Polygon | MultiPolygon


def as_polygons(geometry: BaseGeometry) -> Polygon | MultiPolygon:
    """The same surface as valid polygons: outlines in use cross themselves here and there."""
    valid = shapely.make_valid(shapely.force_2d(geometry), method="structure", keep_collapsed=False)
    if isinstance(valid, Polygon | MultiPolygon):
        return valid
    return MultiPolygon([part for part in shapely.get_parts(valid).tolist() if isinstance(part, Polygon)])


def draw_kecamatan(shapes: Sequence[KecamatanShape], *, tolerance_deg: float, approximate: bool) -> BaseMap:
    """Simplify the outlines together, so that neighbours keep sharing their border, and round them to 5 digits (1 m).

    `tolerance_deg` is the side of the detail that may go. The label goes where the widest circle fits.
    """
    outlines = np.array([shape.outline for shape in shapes], dtype=object)
    features = []
    for shape, outline in zip(shapes, shapely.coverage_simplify(outlines, tolerance_deg), strict=True):
        largest_part = max(_polygons(outline), key=lambda polygon: polygon.area)
        middle_to_edge = shapely.maximum_inscribed_circle(largest_part, tolerance=_LABEL_TOLERANCE_DEG)
        label_lon, label_lat = middle_to_edge.coords[0]
        properties = KecamatanProperties(
            code=shape.code,
            name=shape.name,
            regency_code=shape.regency,
            label_lat=round(label_lat, 5),
            label_lon=round(label_lon, 5),
        )
        features.append(KecamatanFeature(properties=properties, geometry=_geometry(outline)))
    return BaseMap(features=tuple(features), approximate=approximate)


def _polygons(outline: Polygon | MultiPolygon) -> tuple[Polygon, ...]:
    return tuple(outline.geoms) if isinstance(outline, MultiPolygon) else (outline,)


def _geometry(outline: Polygon | MultiPolygon) -> PolygonGeometry | MultiPolygonGeometry:
    polygons = tuple(
        tuple(_ring(ring) for ring in (polygon.exterior, *polygon.interiors)) for polygon in _polygons(outline)
    )
    if len(polygons) == 1:
        return PolygonGeometry(coordinates=polygons[0])
    return MultiPolygonGeometry(coordinates=polygons)


def _ring(ring: LinearRing) -> tuple[tuple[float, float], ...]:
    return tuple((lon, lat) for lon, lat in np.round(shapely.get_coordinates(ring), 5).tolist())
