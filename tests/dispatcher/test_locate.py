"""A report is placed by coordinates, else by the places it names; what is outside Bekasi is handed over."""

import msgspec
import pytest

from dispatcher.decisions.locate import locate
from dispatcher.decisions.place_names import landmarks, mentions
from schemas.boundaries import Boundaries
from schemas.gazetteer import gazetteer
from schemas.vocabulary import Regency
from tests.evaluation_data import evaluation_file

GAZETTEER = gazetteer()


def test_coordinates_come_before_words() -> None:
    where = locate(-6.2535, 107.0205, "Lippo Cikarang", "macet di Harapan Indah", GAZETTEER)
    assert (where.precision, where.kecamatan, where.regency) == ("exact", "Bekasi Timur", Regency.KOTA_BEKASI)
    assert (where.lat, where.lon, where.outside, where.place_precision) == (-6.2535, 107.0205, False, "approximate")
    assert where.named == ("Lippo Cikarang", "Harapan Indah")


def test_near_a_border_the_other_kecamatan_is_kept() -> None:
    where = locate(-6.2383, 106.9756, None, "macet", GAZETTEER)
    assert [other.kecamatan for other in where.alternatives] == ["Bekasi Selatan"]
    assert "dekat batas kecamatan Bekasi Selatan" in where.evidence


@pytest.mark.parametrize(
    ("lat", "lon", "where"),
    [
        (-6.2200, 106.9000, "Jakarta Timur"),
        (-6.3050, 107.3000, "Kabupaten Karawang"),
        (-6.4000, 106.9500, "Kabupaten Bogor"),
        (-7.0, 110.4, None),
    ],
)
def test_coordinates_outside_bekasi_are_outside_with_a_guess_whose(lat: float, lon: float, where: str | None) -> None:
    located = locate(lat, lon, None, "macet", GAZETTEER)
    assert (located.outside, located.outside_where, located.precision) == (True, where, "exact")
    assert located.kecamatan_code is None
    assert located.lat == lat


def test_null_island_is_a_phone_without_a_position() -> None:
    where = locate(0.0, 0.0, None, "banjir di Summarecon", GAZETTEER)
    assert (where.precision, where.outside, where.kecamatan) == ("landmark", False, "Bekasi Utara")


@pytest.mark.parametrize(
    ("address", "text", "name", "kecamatan"),
    [
        (None, "Macet total di Simpang Bulak Kapal arah Tambun", "Simpang Bulak Kapal", "Bekasi Timur"),
        (None, "mcet dpn stasiun bekasi", "Stasiun Bekasi", "Bekasi Utara"),
        ("Jl. Jend. A. Yani No 1, Bekasi Selatan", "sampah numpuk", "Jalan Ahmad Yani", "Bekasi Selatan"),
        (None, "banjir exit tol cibatu", "Gerbang Tol Cibatu", "Cikarang Selatan"),
        (None, "jalan rusak di kawasan jababeka", "Jababeka", "Cikarang Utara"),
        (None, "sampah di TPA Bantar Gebang longsor", "TPST Bantargebang", "Bantargebang"),
        (None, "macet kalimalang depan sumber arta arah jakarta", "Simpang Sumber Arta", "Bekasi Barat"),
    ],
)
def test_a_landmark_places_a_report(address: str | None, text: str, name: str, kecamatan: str) -> None:
    where = locate(None, None, address, text, GAZETTEER)
    assert (where.precision, where.kecamatan, where.outside) == ("landmark", kecamatan, False)
    assert where.evidence == (f"disebut: {name}",)
    assert where.lat is not None


@pytest.mark.parametrize(
    ("text", "precision", "kecamatan", "kelurahan"),
    [
        ("sampah di kel. Kali Baru kec. Medan Satria", "kelurahan", "Medansatria", "Kalibaru"),
        ("jalan rusak desa sukamaju kecamatan tambelang", "kelurahan", "Tambelang", "Sukamaju"),
        ("banjir di Jati Asih Bekasi", "kecamatan", "Jatiasih", None),
        ("banjir di kelurahan jatiasih", "kelurahan", "Jatiasih", "Jatiasih"),
        ("jalan rusak di tambun", "kecamatan", "Tambun Selatan", None),
        ("lampu mati di muara gembong", "kecamatan", "Muaragembong", None),
    ],
)
def test_an_areas_name_places_a_report_without_a_point(
    text: str, precision: str, kecamatan: str, kelurahan: str | None
) -> None:
    where = locate(None, None, None, text, GAZETTEER)
    assert (where.precision, where.kecamatan, where.kelurahan) == (precision, kecamatan, kelurahan)
    assert (where.lat, where.place_precision) == (None, None) or where.lat is None


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("macet di Jl. Sudirman, Jakarta Selatan", "Jakarta Selatan"),
        ("banjir di jalan ahmad yani karawang", "Kabupaten Karawang"),
        ("sampah di pasar cileungsi", "Kabupaten Bogor"),
        ("kel. Cipayung Depok", "Kota Depok"),
    ],
)
def test_another_city_that_is_named_is_outside(text: str, where: str) -> None:
    located = locate(None, None, None, text, GAZETTEER)
    assert (located.outside, located.outside_where) == (True, where)


@pytest.mark.parametrize(
    "text",
    [
        "Macet di Jl Raya Narogong dari arah Cileungsi",
        "macet tol bekasi barat arah cawang",
        "padat di bulak kapal menuju jakarta",
        "km 24 tol jakarta cikampek padat",
    ],
)
def test_where_the_traffic_goes_is_not_where_it_is(text: str) -> None:
    assert not locate(None, None, None, text, GAZETTEER).outside


def test_cikarang_names_the_government_and_no_kecamatan() -> None:
    where = locate(None, None, None, "jalan rusak di cikarang", GAZETTEER)
    assert (where.precision, where.regency, where.kecamatan) == ("unknown", Regency.KABUPATEN_BEKASI, None)


@pytest.mark.parametrize("text", ["jalan rusak", "", "perwira polisi mengatur jalan", "hidup bahagia"])
def test_what_names_no_place_is_unknown(text: str) -> None:
    where = locate(None, None, None, text, GAZETTEER)
    assert (where.precision, where.outside, where.regency, where.named) == ("unknown", False, None, ())


def test_a_road_in_another_kecamatan_than_the_one_told_gives_way_to_it() -> None:
    where = locate(None, None, "Jl. Jend. Sudirman, Cibarusah", "jalan rusak", GAZETTEER)
    assert (where.precision, where.kecamatan) == ("kecamatan", "Cibarusah")


def test_of_overlapping_names_the_longest_is_meant() -> None:
    assert [mention.place for mention in mentions("stasiun bekasi timur")] == [
        landmark for landmark in landmarks() if landmark.name == "Stasiun Bekasi Timur"
    ]


def test_every_landmark_lies_in_the_kecamatan_it_states() -> None:
    boundaries = Boundaries.from_geojson(evaluation_file("bekasi_kecamatan.geojson").read_bytes())
    for landmark in landmarks():
        hit = boundaries.locate(landmark.lat, landmark.lon)
        assert hit is not None, landmark.name
        assert hit.kecamatan_code == landmark.kecamatan.code, landmark.name


def test_a_place_can_be_stored_and_read_back() -> None:
    where = locate(-6.2383, 106.9756, "Galaxy", "macet", GAZETTEER)
    assert msgspec.json.decode(msgspec.json.encode(where), type=type(where)) == where
