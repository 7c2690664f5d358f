"""The answers of the text judgements: a classification, a place, a sameness. Frozen, each with its evidence."""

from typing import Literal

import msgspec

from schemas.geography import PlaceHit, PlacePrecision
from schemas.vocabulary import Category, Regency

LocationPrecision = Literal["exact", "landmark", "kelurahan", "kecamatan", "unknown"]
YesNoUnknown = Literal["yes", "no", "unknown"]


class Classification(msgspec.Struct, frozen=True, kw_only=True):
    """`dispatcher.decisions.classify.classify(text, hint=None)`: what a report is about, and how sure that is."""

    #: The best guess, also when it is not dispatched.
    category: Category
    #: 0–1; from `dispatcher.decisions.classify.DISPATCH_FROM` on, a category other than `other` is dispatched.
    confidence: float
    #: The rules that spoke, for and against, strongest first.
    evidence: tuple[str, ...]
    #: Smells of fire, injured or drowning people: critical, and "call 112" is shown at once.
    emergency: bool
    #: False: an operator looks first (triage).
    dispatch: bool


class Located(msgspec.Struct, frozen=True, kw_only=True):
    """`locate.locate(lat, lon, address, text, geography)`: where a report is, and how well that is known."""

    #: `exact` from coordinates, `landmark` from a named junction, road or building, else the area that was named.
    precision: LocationPrecision
    #: True: the place is known and is not in Bekasi; the report is handed over (`transferred`), never dropped.
    outside: bool
    #: Who may be responsible there ("Jakarta Timur"), where the text says so.
    outside_where: str | None
    regency: Regency | None
    kecamatan_code: str | None
    kecamatan: str | None
    kelurahan_code: str | None
    kelurahan: str | None
    #: WGS 84; None where only an area's name or nothing is known.
    lat: float | None
    lon: float | None
    #: `approximate` where the area was judged by centres instead of polygons; None when no area is known.
    place_precision: PlacePrecision | None
    #: Other kecamatan the place may belong to, nearest first.
    alternatives: tuple[PlaceHit, ...]
    #: The places that address and text name, as we write them.
    named: tuple[str, ...]
    evidence: tuple[str, ...]


class Sameness(msgspec.Struct, frozen=True, kw_only=True):
    """`dispatcher.decisions.sameness.compare(text_a, text_b, gap)`: whether two texts tell of one event; symmetric."""

    #: 0–1; from `dispatcher.decisions.sameness.SAME_FROM` on `same` is True.
    score: float
    same: bool
    #: `no`: they name different junctions or roads, which makes two events whatever their likeness.
    same_place: YesNoUnknown
    #: `no`: they name opposite or other directions of travel.
    same_direction: YesNoUnknown
    evidence: tuple[str, ...]
