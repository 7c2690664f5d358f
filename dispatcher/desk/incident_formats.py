"""A list of incidents in the formats of other programs: GeoJSON for maps, CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.incident import IncidentRow

GEOJSON: Final = "application/geo+json"
CSV: Final = "text/csv"


class PointGeometry(msgspec.Struct, frozen=True, tag_field="type", tag="Point"):
    """A GeoJSON point: longitude, latitude."""

    coordinates: tuple[float, float]


class IncidentFeature(msgspec.Struct, frozen=True, tag_field="type", tag="Feature"):
    """One incident on a map; without a geometry while its place is unknown."""

    id: str
    geometry: PointGeometry | None
    properties: IncidentRow


class IncidentCollection(msgspec.Struct, frozen=True, tag_field="type", tag="FeatureCollection"):
    """A page of incidents as GeoJSON (RFC 7946), with the cursor as a foreign member."""

    features: tuple[IncidentFeature, ...]
    next_cursor: str | None


def to_geojson(rows: Sequence[IncidentRow], next_cursor: str | None) -> IncidentCollection:
    """The rows as features."""
    return IncidentCollection(tuple(_feature(row) for row in rows), next_cursor)


def _feature(row: IncidentRow) -> IncidentFeature:
    point = PointGeometry((row.lon, row.lat)) if row.lat is not None and row.lon is not None else None
    return IncidentFeature(row.id, point, row)


_COLUMNS: Final = tuple(name for name in IncidentRow.__struct_fields__ if name != "photo_url")
#: A cell that begins with one of these, after blanks too, is a formula to some spreadsheet (OWASP, CSV Injection).
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")


def to_csv(rows: Iterable[IncidentRow]) -> str:
    """The rows as CSV (RFC 4180) with a header; what could be taken for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in _COLUMNS])
    return out.getvalue()


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool() | int() | float():
            return value
        case tuple():
            return _defused("; ".join(one if isinstance(one, str) else one.name for one in value))
        case str():
            return _defused(value)
        case _:
            return msgspec.to_builtins(value)


def _defused(text: str) -> str:
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
