"""A boundary file places points exactly, or says in one sentence why it cannot."""

import msgspec
import pytest

from schemas.boundaries import Boundaries, BoundaryFileError
from schemas.gazetteer import gazetteer
from schemas.vocabulary import Regency
from tests.evaluation_data import evaluation_file

Ring = list[list[float]]


def square(west: float, south: float, side: float = 0.02) -> Ring:
    east, north = west + side, south + side
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feature(code: str, ring: object, kind: str = "kecamatan", name: str = "Contoh", **changes: object) -> object:
    properties = {"code": code, "name": name, "regency_code": code[:5], "type": kind} | changes
    return {"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def file(*features: object) -> bytes:
    return msgspec.json.encode({"type": "FeatureCollection", "features": features})


WEST = feature("32.75.02", square(106.96, -6.25), name="Bekasi Barat")
EAST = feature("32.75.01", square(106.98, -6.25), name="Bekasi Timur")


def test_a_point_lies_in_the_kecamatan_whose_polygon_holds_it() -> None:
    hit = Boundaries.from_geojson(file(WEST, EAST)).locate(-6.24, 106.97)
    assert hit is not None
    assert (hit.kecamatan_code, hit.kecamatan, hit.regency) == ("32.75.02", "Bekasi Barat", Regency.KOTA_BEKASI)
    assert (hit.kelurahan, hit.precision, hit.score, hit.alternatives) == (None, "exact", 0.0, ())


def test_near_a_border_the_neighbour_is_an_alternative() -> None:
    hit = Boundaries.from_geojson(file(WEST, EAST)).locate(-6.24, 106.9795)
    assert hit is not None
    assert hit.kecamatan == "Bekasi Barat"
    assert [other.kecamatan for other in hit.alternatives] == ["Bekasi Timur"]
    assert hit.alternatives[0].score == pytest.approx(0.055, abs=0.001)


def test_a_point_in_no_polygon_is_outside_unless_it_fell_into_a_sliver() -> None:
    places = Boundaries.from_geojson(file(WEST))
    assert places.locate(-6.24, 107.10) is None
    assert places.locate(-6.24, 106.9805) is None
    assert places.locate(-6.24, 106.98005) is not None


def test_a_kelurahan_file_names_its_kecamatan() -> None:
    places = Boundaries.from_geojson(
        file(feature("32.75.03.1002", square(106.99, -6.21), kind="kelurahan", name="Perwira"))
    )
    hit = places.locate(-6.20, 107.0)
    assert hit is not None
    assert (hit.kelurahan, hit.kecamatan, hit.kecamatan_code) == ("Perwira", "Bekasi Utara", "32.75.03")


def test_where_a_file_has_kelurahan_only_in_part_the_kecamatan_still_answers() -> None:
    part = feature("32.75.02.1001", square(106.96, -6.25, 0.01), kind="kelurahan", name="Bintara")
    places = Boundaries.from_geojson(file(WEST, part))
    inside, beside = places.locate(-6.245, 106.965), places.locate(-6.235, 106.975)
    assert inside is not None
    assert beside is not None
    assert (inside.kelurahan, beside.kelurahan, beside.kecamatan) == ("Bintara", None, "Bekasi Barat")


def test_kelurahan_are_joined_to_kecamatan_on_the_base_map() -> None:
    left = feature("32.75.02.1001", square(106.96, -6.25), kind="kelurahan", name="Bintara")
    right = feature("32.75.02.1002", square(106.98, -6.25), kind="kelurahan", name="Kranji")
    drawn = Boundaries.from_geojson(file(left, right)).base_map()
    assert [shape.properties.name for shape in drawn.features] == ["Bekasi Barat"]
    assert drawn.features[0].properties.label_lat == pytest.approx(-6.24, abs=0.002)
    assert not drawn.approximate


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a GeoJSON FeatureCollection"),
        (b'{"type":"Feature"}', "not a GeoJSON FeatureCollection"),
        (file(), "no features"),
        (file({"type": "Feature"}), "Feature 0 .* `properties`"),
        (file(WEST, feature("32.75.01", square(107, -6.2), regency_code=3275)), "Feature 1 .*regency_code"),
        (file(feature("32.75", square(107, -6.2))), "Feature 0 .*code"),
        (file(feature("32.75.01", square(107, -6.2), kind="kota")), "Feature 0 .*'kota'"),
        (file(feature("32.75.01", square(107, -6.2), regency_code="32.76")), "Feature 0 .*'32.76'"),
        (file(feature("32.75.01", square(107, -6.2), regency_code="32.16")), "code 32.75.01 in regency 32.16"),
        (file(feature("32.75.01", square(107, -6.2), kind="desa")), "code 32.75.01 for a desa"),
        (file(feature("32.75.01", square(-6.2, 107))), "longitude comes first"),
        (file(feature("32.75.01", square(704_000, 9_310_000, 500))), "longitude comes first"),
        (file(feature("32.75.01", [])), "Feature 0"),
        (file(feature("32.75.01", [[107.0, -6.2], [107.1, -6.2]])), "no usable geometry"),
        (file(feature("32.75.01", "somewhere")), "no usable geometry"),
        (file({**WEST, "geometry": {"type": "Point", "coordinates": [107.0, -6.2]}}), "no usable geometry.*'Point'"),  # type: ignore[dict-item]
        (file({**WEST, "geometry": None}), "no usable geometry"),  # type: ignore[dict-item]
        (file(WEST, WEST), "32.75.02 twice"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(content: bytes, sentence: str) -> None:
    with pytest.raises(BoundaryFileError, match=sentence) as refused:
        Boundaries.from_geojson(content)
    assert "\n" not in str(refused.value)


def test_an_outline_that_crosses_itself_is_mended() -> None:
    bow_tie = [[106.96, -6.25], [106.98, -6.25], [106.96, -6.23], [106.98, -6.23], [106.96, -6.25]]
    places = Boundaries.from_geojson(file(feature("32.75.02", bow_tie)))
    assert places.locate(-6.248, 106.97) is not None
    assert places.locate(-6.24, 106.962) is None


@pytest.mark.parametrize("name", ["bekasi_kecamatan.geojson", "bekasi_kelurahan.geojson"])
def test_the_real_boundaries_serve_lookups_and_the_wall(name: str) -> None:
    places = Boundaries.from_geojson(evaluation_file(name).read_bytes())
    hit = places.locate(-6.2349, 106.9896)  # Kantor Wali Kota Bekasi
    assert hit is not None
    assert (hit.kecamatan, hit.precision) == ("Bekasi Selatan", "exact")
    drawn = places.base_map()
    assert [shape.properties.code for shape in drawn.features] == [known.code for known in gazetteer().kecamatan]
    assert len(msgspec.json.encode(drawn)) < 300_000
