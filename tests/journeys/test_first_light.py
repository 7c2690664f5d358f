"""The way of a report from a citizen's phone to the wall, an officer and an answer, told in sentences."""

from datetime import UTC, datetime, timedelta

import httpx

from tests.people import Citizen, Gateway, Staff, Wall, photo_jpeg, until

#: Places far enough from each other that the tests do not meet.
BULAK_KAPAL = (-6.2489, 107.0206)
RAWALUMBU = (-6.2880, 106.9902)
JATIASIH = (-6.2935, 106.9585)
HARAPAN_INDAH = (-6.1857, 106.9752)
CIKARANG = (-6.2599, 107.1437)
GALAXY = (-6.2636, 106.9718)
MONAS = (-6.1754, 106.8272)


def _at(place: tuple[float, float], north_m: float = 0.0) -> dict[str, float]:
    return {"lat": round(place[0] + north_m / 111_195, 6), "lon": place[1]}


async def test_a_photo_report_of_a_jam_reaches_the_wall_and_its_officer_completes_it(
    citizen: Citizen, operator: Staff, dishub_officer: Staff
) -> None:
    wall = await Wall.open(operator, "incidents", "officers")
    await dishub_officer.be_at(*BULAK_KAPAL)

    receipt = await citizen.report("Macet total, kendaraan tidak bergerak", photo_jpeg(), **_at(BULAK_KAPAL))
    assert receipt["status_url"].endswith(receipt["tracking_code"])
    tracked = await citizen.tracked(receipt["tracking_code"])
    incident_id = tracked["incident_id"]
    row = await wall.row(incident_id, lambda row: row["status"] == "routed")
    assert (row["category"], row["agency"], row["regency"]) == ("traffic_jam", "DISHUB", "32.75")
    assert row["report_count"] == 1
    assert row["photo_url"]
    assert "bergerak" not in row["title"]
    assert tracked["agency"]["code"] == "DISHUB"

    await operator.command(incident_id, "assign")
    assignment = await dishub_officer.assignment_for(incident_id)
    assert (await dishub_officer.act(assignment, "accept")).status_code == 200
    row = await wall.row(incident_id, lambda row: row["status"] == "in_progress")
    assert [officer["id"] for officer in row["officers"]] == ["dishub-budi"]
    await wall.row("dishub-budi", lambda row: row["status"] == "busy", channel="officers")
    assert (await dishub_officer.act(assignment, "arrive", **_at(BULAK_KAPAL))).status_code == 200
    done = await dishub_officer.act(assignment, "complete", note="Arus sudah lancar", photo_ids=[])
    assert done.status_code == 200, done.text
    await wall.row(incident_id, lambda row: row["status"] == "resolved")

    tracked = await citizen.track(receipt["tracking_code"])
    assert tracked["status"] == "resolved"
    assert tracked["status_label"] == "Selesai"
    detail = await operator.incident(incident_id)
    assert {decision["judgement"] for decision in detail["decisions"]} >= {"classify", "locate", "correlate", "route"}
    assert not wall.gaps
    assert any(push["as_of"] for push in wall.pushes)
    await wall.close()


async def test_a_photo_opens_with_the_code_and_carries_no_metadata(citizen: Citizen) -> None:
    receipt = await citizen.report("Macet panjang arah pasar", photo_jpeg(), lat=-6.2210, lon=106.9700)
    tracked = await citizen.tracked(receipt["tracking_code"])
    (url,) = tracked["photos"]
    assert url.startswith("/")
    answer = await citizen.http.get(url)
    assert answer.status_code == 200
    assert b"Exif" not in answer.content
    assert b"Kamera Rahasia" not in answer.content
    async with httpx.AsyncClient(base_url=citizen.city.base_url) as stranger:
        assert (await stranger.get(url.split("?")[0])).status_code in (401, 403, 404)


async def test_a_dumping_report_becomes_dlhs_and_its_officer_completes_it(
    citizen: Citizen, operator: Staff, dlh_officer: Staff
) -> None:
    await dlh_officer.be_at(*RAWALUMBU)
    receipt = await citizen.report("Tumpukan sampah liar di pinggir jalan, bau busuk", **_at(RAWALUMBU))
    tracked = await citizen.tracked(receipt["tracking_code"])
    incident = await operator.incident(tracked["incident_id"])
    assert (incident["category"], incident["agency"], incident["regency"]) == ("illegal_dumping", "DLH", "32.75")
    await operator.command(incident["id"], "assign", officer_id="dlh-sari")
    assignment = await dlh_officer.assignment_for(incident["id"])
    for verb, body in (("accept", {}), ("arrive", {}), ("complete", {"note": "Sudah diangkut", "photo_ids": []})):
        answer = await dlh_officer.act(assignment, verb, **body)
        assert answer.status_code == 200, answer.text
    assert (await operator.incident(incident["id"]))["status"] == "resolved"
    closed = await operator.command(incident["id"], "close")
    assert closed["status"] == "closed"


async def test_two_reports_of_one_jam_are_one_incident_with_two_reports(gateway: Gateway, operator: Staff) -> None:
    first = await gateway.report("Macet parah di depan pasar", **_at(JATIASIH))
    second = await gateway.report("Kendaraan padat tidak bergerak sama sekali, macet", **_at(JATIASIH, 90))
    one = (await gateway.tracked(first["tracking_code"]))["incident_id"]
    other = (await gateway.tracked(second["tracking_code"]))["incident_id"]
    assert one == other
    incident = await operator.incident(one)
    assert incident["report_count"] == 2
    assert {report["report_id"] for report in incident["reports"]} == {first["report_id"], second["report_id"]}


async def test_one_template_at_two_junctions_is_two_incidents(gateway: Gateway) -> None:
    first = await gateway.report("Macet total di Simpang Bojong, mohon petugas", **_at(HARAPAN_INDAH))
    second = await gateway.report("Macet total di Simpang Melati, mohon petugas", **_at(HARAPAN_INDAH, 60))
    one = (await gateway.tracked(first["tracking_code"]))["incident_id"]
    other = (await gateway.tracked(second["tracking_code"]))["incident_id"]
    assert one != other


async def test_a_report_outside_bekasi_is_transferred_and_never_dropped(gateway: Gateway, operator: Staff) -> None:
    receipt = await gateway.report("Macet total di bundaran", **_at(MONAS))
    tracked = await gateway.tracked(receipt["tracking_code"])
    assert tracked["status"] == "transferred"
    assert tracked["status_label"] == "Diteruskan"
    incident = await operator.incident(tracked["incident_id"])
    assert incident["status"] == "transferred"


async def test_a_report_in_the_kabupaten_goes_to_its_own_dishub(gateway: Gateway, operator: Staff) -> None:
    receipt = await gateway.report("Jalanan macet total, truk mogok di tengah jalan", **_at(CIKARANG))
    tracked = await gateway.tracked(receipt["tracking_code"])
    incident = await operator.incident(tracked["incident_id"])
    assert (incident["regency"], incident["agency"]) == ("32.16", "DISHUB")


async def test_a_slow_sensor_beside_a_reported_jam_joins_it(gateway: Gateway, operator: Staff) -> None:
    receipt = await gateway.report("Macet total dari tadi, klakson di mana-mana", **_at(GALAXY))
    incident_id = (await gateway.tracked(receipt["tracking_code"]))["incident_id"]
    start = datetime.now(UTC) - timedelta(minutes=5)
    readings = [
        {
            "kind": "traffic",
            "sensor_id": "journey-galaxy",
            "observed_at": (start + timedelta(seconds=30 * n)).isoformat(),
            "speed_kmh": 6.0,
            **_at(GALAXY, 80),
        }
        for n in range(6)
    ]
    assert (await gateway.send(readings))["accepted"] == 6
    wall = await Wall.open(operator, "incidents", "sensors")
    row = await wall.row(incident_id, lambda row: "sensor" in row["sources"])
    assert row["report_count"] == 1
    sensor = await wall.row("journey-galaxy", channel="sensors")
    assert sensor["level"] in ("stationary", "queuing")
    await wall.close()


async def test_an_unclear_report_waits_for_a_person_who_triages_it(gateway: Gateway, operator: Staff) -> None:
    receipt = await gateway.report("Mohon bantuannya ya pak, terima kasih", lat=-6.3100, lon=106.9500)
    tracked = await gateway.tracked(receipt["tracking_code"])
    assert tracked["status"] == "triage"
    incident_id = tracked["incident_id"]
    stale = await operator.http.post(
        f"/api/v1/incidents/{incident_id}/triage", json={"version": 999, "category": "flood"}
    )
    assert stale.status_code == 409
    assert stale.json()["current_version"] == (await operator.incident(incident_id))["version"]
    assert "triage" in stale.json()["legal"]
    routed = await operator.command(incident_id, "triage", category="illegal_dumping", priority="high")
    assert (routed["status"], routed["agency"], routed["priority"]) == ("routed", "DLH", "high")
    await operator.command(incident_id, "note", text="Sudah dihubungi", public=True)
    history = (await gateway.track(receipt["tracking_code"]))["history"]
    assert any(entry["note"] == "Sudah dihubungi" for entry in history)


async def test_the_same_key_twice_is_one_report(gateway: Gateway, operator: Staff) -> None:
    first = await gateway.report("Pohon tumbang menutup jalan, macet", key="journey-key-1", lat=-6.33, lon=106.97)
    again = await gateway.report("Pohon tumbang menutup jalan, macet", key="journey-key-1", lat=-6.33, lon=106.97)
    assert again == first
    other = await gateway.http.post(
        "/api/v1/reports",
        json={"description": "Yang lain", "lat": -6.33, "lon": 106.97},
        headers={"Idempotency-Key": "journey-key-1"},
    )
    assert other.status_code == 409
    tracked = await gateway.tracked(first["tracking_code"])
    assert (await operator.incident(tracked["incident_id"]))["report_count"] == 1


async def test_a_wifi_node_that_is_down_becomes_diskominfos(gateway: Gateway, operator: Staff) -> None:
    wall = await Wall.open(operator, "incidents", "wifi_nodes")
    beat = {"kind": "wifi", "node_id": "journey-wifi", "clients": 0, "lat": -6.2010, "lon": 106.9990}
    await gateway.send([{**beat, "state": "up", "clients": 7, "observed_at": datetime.now(UTC).isoformat()}])
    await wall.row("journey-wifi", lambda row: row["state"] == "up", channel="wifi_nodes")
    await gateway.send([{**beat, "state": "down", "observed_at": datetime.now(UTC).isoformat()}])
    await wall.row("journey-wifi", lambda row: row["state"] == "down", channel="wifi_nodes")

    async def found() -> bool:
        answer = await operator.http.get("/api/v1/incidents", params={"category": "public_wifi", "status": "open"})
        return any(item["agency"] == "DISKOMINFO" for item in answer.json()["items"])

    await until(found, what="an incident of Diskominfo")
    await wall.close()


async def test_the_public_view_shows_rounded_places_and_no_officers(citizen: Citizen, gateway: Gateway) -> None:
    receipt = await gateway.report("Macet panjang sekali", lat=-6.21234, lon=107.03456)
    incident_id = (await gateway.tracked(receipt["tracking_code"]))["incident_id"]
    wall = await Wall.open(citizen, "incidents")
    row = await wall.row(incident_id)
    assert (row["lat"], row["lon"]) == (-6.212, 107.035)
    assert set(row) == {
        "id", "version", "category", "title", "status", "agency", "regency", "kecamatan", "lat", "lon", "opened_at",
        "updated_at", "report_count",
    }  # fmt: skip
    await wall.close()
