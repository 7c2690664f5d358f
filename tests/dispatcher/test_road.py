"""Whose a road is: named in any spelling, in its own regency, and only where the matter is on it."""

import pytest

from dispatcher.decisions.road import road_named
from schemas.vocabulary import Regency, RoadAuthority

KOTA, KABUPATEN = Regency.KOTA_BEKASI, Regency.KABUPATEN_BEKASI


@pytest.mark.parametrize(
    ("text", "regency", "authority"),
    [
        ("Lubang besar di Jl. Jend. Sudirman depan stasiun", KOTA, RoadAuthority.NATIONAL),
        ("jln a yani berlubang", KOTA, RoadAuthority.NATIONAL),
        ("Jl Siliwangi rusak parah", KOTA, RoadAuthority.PROVINCIAL),
        ("jalan KH Raden Ma'mun Nawawi rusak", KABUPATEN, RoadAuthority.PROVINCIAL),
        ("kecelakaan di tol Japek km 18", KABUPATEN, RoadAuthority.TOLL),
        ("macet di gerbang tol bekasi barat", KOTA, RoadAuthority.TOLL),
        # the same name, another road
        ("banjir di kalimalang", KOTA, RoadAuthority.NATIONAL),
        ("banjir di kalimalang", KABUPATEN, RoadAuthority.PROVINCIAL),
        ("jalan sudirman macet", KABUPATEN, None),
        # going there, beside it, leading to it
        ("macet arah tol cikampek di simpang pekayon", KOTA, None),
        ("sampah di kolong tol becakayu", KOTA, None),
        ("exit tol bekasi timur macet", KOTA, None),
        ("jalan kampung rusak", KOTA, None),
        ("", None, None),
    ],
)
def test_the_authority_of_the_road_that_is_named(
    text: str, regency: Regency | None, authority: RoadAuthority | None
) -> None:
    road = road_named(text, regency)
    assert (road.authority if road else None) is authority
