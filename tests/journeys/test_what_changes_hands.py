"""What operators put together, take apart and hand over, as citizens, the wall and other desks see it."""

from tests.city import City
from tests.people import Citizen, Gateway, Staff, Wall

#: Where no other journey reports anything.
PONDOK_GEDE = (-6.2885, 106.9105)
KRANJI = (-6.2230, 106.9560)
TELUK_PUCUNG = (-6.2045, 107.0280)
JAM = "Macet total, kendaraan tidak bergerak"


def _at(place: tuple[float, float], north_m: float = 0.0) -> dict[str, float]:
    return {"lat": round(place[0] + north_m / 111_195, 6), "lon": place[1]}


async def feedback(citizen: Citizen, code: str, **said: object) -> dict[str, object]:
    answer = await citizen.http.post(f"/api/v1/reports/{code}/feedback", json=said)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_two_ends_of_one_jam_are_merged_and_both_reporters_get_the_answer(
    citizen: Citizen, gateway: Gateway, operator: Staff
) -> None:
    wall = await Wall.open(operator, "incidents")
    here = await gateway.report(JAM, **_at(PONDOK_GEDE))
    there = await gateway.report(JAM, **_at(PONDOK_GEDE, 700))
    one = (await gateway.tracked(here["tracking_code"]))["incident_id"]
    other = (await gateway.tracked(there["tracking_code"]))["incident_id"]
    assert one != other
    await operator.command(other, "merge", into=one, reason="Ekor kemacetan yang sama")
    await wall.row(one, lambda row: row["report_count"] == 2)
    await wall.row(other, lambda row: (row["status"], row["report_count"]) == ("merged", 0))
    later = await gateway.report(JAM, **_at(PONDOK_GEDE, 710))
    assert (await gateway.tracked(later["tracking_code"]))["incident_id"] == one
    await operator.command(one, "resolve", note="Sudah lancar, truk sudah ditarik")
    for receipt in (here, there, later):
        tracked = await citizen.track(receipt["tracking_code"])
        assert (tracked["status"], tracked["incident_id"]) == ("resolved", one)
        assert tracked["history"][-1]["note"] == "Sudah lancar, truk sudah ditarik"
    await operator.command(other, "unmerge", reason="Ternyata dua kejadian")
    await wall.row(other, lambda row: (row["status"], row["report_count"]) == ("routed", 1))
    assert (await citizen.track(there["tracking_code"]))["incident_id"] == other
    await wall.close()


async def test_a_citizen_who_is_not_satisfied_reopens_and_it_is_on_the_wall_again(
    citizen: Citizen, operator: Staff
) -> None:
    wall = await Wall.open(operator, "incidents")
    receipt = await citizen.report(JAM, **_at(KRANJI))
    incident = (await citizen.tracked(receipt["tracking_code"]))["incident_id"]
    await operator.command(incident, "resolve", note="Sudah lancar")
    await wall.row(incident, lambda row: row["status"] == "resolved")
    reopened = await feedback(citizen, receipt["tracking_code"], satisfied=False, comment="Masih macet")
    assert reopened["status_label"] == "Dibuka kembali"
    await wall.row(incident, lambda row: row["status"] == "routed")
    assert (await operator.incident(incident))["feedback"][0]["comment"] == "Masih macet"
    await operator.command(incident, "resolve", note="Sekarang benar-benar lancar")
    assert (await feedback(citizen, receipt["tracking_code"], satisfied=True))["status"] == "closed"
    await wall.close()


async def test_what_kota_hands_to_kabupaten_leaves_the_one_desk_and_comes_to_the_other(
    city: City, citizen: Citizen, operator: Staff
) -> None:
    for name, agency in (("kota-dishub", "32.75/DISHUB"), ("kab-dishub", "32.16/DISHUB")):
        city.add_user(name, "dispatcher", agency)
    async with (
        Staff(city, "kota-dishub", city.staff_password) as kota,
        Staff(city, "kab-dishub", city.staff_password) as kabupaten,
    ):
        ours, theirs = await Wall.open(kota, "incidents"), await Wall.open(kabupaten, "incidents")
        receipt = await citizen.report(JAM, **_at(TELUK_PUCUNG))
        incident = (await citizen.tracked(receipt["tracking_code"]))["incident_id"]
        await ours.row(incident)
        await kota.command(incident, "transfer", to="32.16", reason="Ruas ini milik Kabupaten")
        row = await theirs.row(incident)
        assert (row["status"], row["agency"], row["regency"]) == ("routed", "DISHUB", "32.16")
        await ours.gone(incident)
        tracked = await citizen.track(receipt["tracking_code"])
        assert tracked["agency"]["name"] == "Dinas Perhubungan Kabupaten Bekasi"
        assert "transferred" in [entry["status"] for entry in tracked["history"]]
        custody = (await kabupaten.incident(incident))["custody"]
        assert [(one["holder"], one["by"]) for one in custody] == [
            ("32.75/DISHUB", "dispatcher"),
            ("32.16/DISHUB", "kota-dishub"),
        ]
        await ours.close()
        await theirs.close()
