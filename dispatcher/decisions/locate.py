"""Where a report is: by its coordinates, else by the places its address and text name; outside is handed over."""

from collections.abc import Sequence
from math import hypot
from typing import Final

from dispatcher.decisions.judgement import Located, LocationPrecision
from dispatcher.decisions.place_names import Bekasi, Ignored, Landmark, Mention, Named, Outside, mentions
from schemas.gazetteer import KM_PER_DEGREE_LAT, KM_PER_DEGREE_LON, Kecamatan, Kelurahan
from schemas.geography import Geography, PlaceHit
from schemas.vocabulary import REGENCY_NAME, Regency

#: A phone without a position sends 0, 0; so near to it (1 km, at sea off Africa) coordinates are none.
_NULL_ISLAND_DEG: Final = 0.01

#: Points of the governments around Bekasi near the border, to guess who may be responsible beyond it (WGS 84).
_NEIGHBOURS: Final[tuple[tuple[str, float, float], ...]] = (
    ("Jakarta Timur", -6.185, 106.945),
    ("Jakarta Timur", -6.225, 106.915),
    ("Jakarta Timur", -6.265, 106.895),
    ("Jakarta Timur", -6.310, 106.885),
    ("Jakarta Timur", -6.350, 106.895),
    ("Jakarta Utara", -6.120, 106.950),
    ("Jakarta Utara", -6.140, 106.880),
    ("Jakarta Pusat", -6.180, 106.830),
    ("Jakarta Selatan", -6.265, 106.815),
    ("Jakarta Barat", -6.165, 106.760),
    ("Kota Depok", -6.395, 106.870),
    ("Kota Depok", -6.400, 106.810),
    ("Kabupaten Bogor", -6.360, 106.965),
    ("Kabupaten Bogor", -6.430, 106.920),
    ("Kabupaten Bogor", -6.410, 107.000),
    ("Kabupaten Bogor", -6.500, 107.050),
    ("Kabupaten Bogor", -6.480, 106.850),
    ("Kota Bogor", -6.597, 106.800),
    ("Kabupaten Karawang", -6.320, 107.310),
    ("Kabupaten Karawang", -6.250, 107.310),
    ("Kabupaten Karawang", -6.140, 107.310),
    ("Kabupaten Karawang", -6.020, 107.180),
    ("Kabupaten Karawang", -6.400, 107.260),
)

#: Beyond this distance from all of them nobody is guessed.
_NEIGHBOUR_WITHIN_KM: Final = 25.0


def locate(lat: float | None, lon: float | None, address: str | None, text: str, geography: Geography) -> Located:
    """Place a report: coordinates before words, address before text, a landmark before the area it lies in.

    `lat` and `lon` are WGS 84 degrees, both or neither. Never fails: what nothing is known of is `unknown`, for triage.
    """
    named = mentions(address or "") + mentions(text)
    if lat is not None and lon is not None and not _is_null_island(lat, lon):
        return _at(lat, lon, named, geography)
    return _by_names(named, geography)


def _is_null_island(lat: float, lon: float) -> bool:
    return abs(lat) < _NULL_ISLAND_DEG and abs(lon) < _NULL_ISLAND_DEG


def _at(lat: float, lon: float, named: Sequence[Mention], geography: Geography) -> Located:
    hit = geography.locate(lat, lon)
    if hit is None:
        where = _outside_named(named) or _nearest_neighbour(lat, lon)
        return _located(
            "exact", named, ["koordinat di luar Bekasi"], outside=True, outside_where=where, lat=lat, lon=lon
        )
    evidence = ["koordinat"]
    if hit.alternatives:
        evidence.append("dekat batas kecamatan " + ", ".join(other.kecamatan for other in hit.alternatives))
    return _located("exact", named, evidence, hit=hit, lat=lat, lon=lon)


def _by_names(named: Sequence[Mention], geography: Geography) -> Located:
    places = [mention.place for mention in named if not mention.direction]
    if not places:
        # "macet arah Bulak Kapal" names nothing else
        places = [mention.place for mention in named if not isinstance(mention.place, Outside)]
    areas = [place for place in places if isinstance(place, Kelurahan | Kecamatan)]
    landmark = _landmark(places, {_kecamatan_code(area) for area in areas})
    outside = _outside_named(named)
    if outside is not None and not _surely_bekasi(places, landmark):
        return _located("unknown", named, [f"disebut: {outside}"], outside=True, outside_where=outside)
    if landmark is not None:
        hit = _hit_of(landmark, geography)
        evidence = [f"disebut: {landmark.name}"]
        return _located("landmark", named, evidence, hit=hit, lat=landmark.lat, lon=landmark.lon)
    for area in sorted(areas, key=lambda area: isinstance(area, Kecamatan)):
        return _in_area(area, named)
    regency = next((place for place in places if isinstance(place, Regency)), None)
    return _located("unknown", named, ["tempat tidak dikenali"], regency=regency)


def _landmark(places: Sequence[Named], told: set[str]) -> Landmark | None:
    """The landmark that says most: a point rather than a road, one in the kecamatan that is told rather than beside it.

    A road in another kecamatan than the one told is left: it is long, or one of the same name.
    """
    landmarks = [place for place in places if isinstance(place, Landmark)]
    points = [landmark for landmark in landmarks if landmark.kind != "road"]
    roads = [landmark for landmark in landmarks if landmark.kind == "road"]
    fitting = [landmark for landmark in points + roads if not told or landmark.kecamatan.code in told]
    return next(iter(fitting + points), None)


def _surely_bekasi(places: Sequence[Named], landmark: Landmark | None) -> bool:
    """Whether the names outweigh a city named beside them: streets and villages are called the same elsewhere."""
    if landmark is not None and landmark.kind != "road":
        return True
    return any(isinstance(place, Kecamatan | Regency | Bekasi) for place in places)


def _hit_of(landmark: Landmark, geography: Geography) -> PlaceHit:
    """Its area: the stated kecamatan, and the kelurahan where the geography agrees with that."""
    hit = geography.locate(landmark.lat, landmark.lon)
    if hit is not None and hit.kecamatan_code == landmark.kecamatan.code:
        return hit
    return PlaceHit(
        kecamatan_code=landmark.kecamatan.code,
        kecamatan=landmark.kecamatan.name,
        regency=landmark.kecamatan.regency,
        kelurahan_code=None,
        kelurahan=None,
        precision="approximate",
        score=0.0,
    )


def _in_area(area: Kelurahan | Kecamatan, named: Sequence[Mention]) -> Located:
    is_kelurahan = isinstance(area, Kelurahan)
    hit = PlaceHit(
        kecamatan_code=_kecamatan_code(area),
        kecamatan=area.kecamatan if isinstance(area, Kelurahan) else area.name,
        regency=area.regency,
        kelurahan_code=area.code if is_kelurahan else None,
        kelurahan=area.name if is_kelurahan else None,
        precision="approximate",
        score=0.0,
    )
    return _located("kelurahan" if is_kelurahan else "kecamatan", named, [f"disebut: {area.name}"], hit=hit)


def _kecamatan_code(area: Kelurahan | Kecamatan) -> str:
    return area.kecamatan_code if isinstance(area, Kelurahan) else area.code


def _outside_named(named: Sequence[Mention]) -> str | None:
    return next((m.place.name for m in named if isinstance(m.place, Outside) and not m.direction), None)


def _nearest_neighbour(lat: float, lon: float) -> str | None:
    def distance_km(point: tuple[str, float, float]) -> float:
        return hypot((point[1] - lat) * KM_PER_DEGREE_LAT, (point[2] - lon) * KM_PER_DEGREE_LON)

    nearest = min(_NEIGHBOURS, key=distance_km)
    return nearest[0] if distance_km(nearest) <= _NEIGHBOUR_WITHIN_KM else None


def _located(
    precision: LocationPrecision,
    named: Sequence[Mention],
    evidence: Sequence[str],
    *,
    hit: PlaceHit | None = None,
    regency: Regency | None = None,
    lat: float | None = None,
    lon: float | None = None,
    outside: bool = False,
    outside_where: str | None = None,
) -> Located:
    return Located(
        precision=precision,
        outside=outside,
        outside_where=outside_where,
        regency=hit.regency if hit else regency,
        kecamatan_code=hit.kecamatan_code if hit else None,
        kecamatan=hit.kecamatan if hit else None,
        kelurahan_code=hit.kelurahan_code if hit else None,
        kelurahan=hit.kelurahan if hit else None,
        lat=lat,
        lon=lon,
        place_precision=hit.precision if hit else None,
        alternatives=hit.alternatives if hit else (),
        named=_names(named),
        evidence=tuple(evidence),
    )


def _names(named: Sequence[Mention]) -> tuple[str, ...]:
    """Each place once; what is ignored, and the bare word Bekasi, name none."""
    names = []
    for mention in named:
        match mention.place:
            case Regency():
                names.append(REGENCY_NAME[mention.place])
            case Landmark(name=name) | Outside(name=name):
                names.append(name)
            case Kelurahan(name=name) | Kecamatan(name=name):
                names.append(name)
            case Bekasi() | Ignored():
                pass
    return tuple(dict.fromkeys(names))
