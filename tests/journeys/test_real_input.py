"""What real people and real sensors have sent, through the front door."""

import csv
from datetime import UTC, datetime, timedelta

import asyncpg

from tests.evaluation_data import evaluation_file
from tests.people import Gateway, Staff, until

#: Miles per hour to kilometres per hour.
KMH_PER_MPH = 1.609344


async def test_151_real_complaints_are_each_in_exactly_one_incident_and_none_is_a_dead_letter(gateway: Gateway) -> None:
    with evaluation_file("complaints.csv").open(newline="", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    assert len(texts) == 151
    # Every text gets a place of its own, 700 m from the next: what they have in common is for other tests.
    places = [(-6.36 + 0.0065 * (n // 13), 106.93 + 0.0065 * (n % 13)) for n in range(len(texts))]
    database = await asyncpg.connect(gateway.city.postgres_dsn)
    dead_before = await database.fetchval("SELECT count(*) FROM dead_letter")
    receipts = [
        await gateway.report(text, lat=round(lat, 5), lon=round(lon, 5))
        for text, (lat, lon) in zip(texts, places, strict=True)
    ]
    ids = [receipt["report_id"] for receipt in receipts]
    assert len(set(ids)) == 151

    async def all_in() -> bool:
        return await database.fetchval("SELECT count(*) FROM report WHERE id = ANY($1)", ids) == len(ids)

    await until(all_in, what="151 reports in incidents")
    rows = await database.fetch(
        "SELECT r.id, count(i.id) AS incidents FROM report r JOIN incident i ON i.id = r.incident_id"
        " WHERE r.id = ANY($1) GROUP BY r.id",
        ids,
    )
    assert {row["incidents"] for row in rows} == {1}
    assert await database.fetchval("SELECT count(*) FROM dead_letter") == dead_before
    for receipt in receipts[::30]:
        assert (await gateway.tracked(receipt["tracking_code"]))["incident_id"]
    await database.close()


async def test_a_real_speed_series_is_taken_whole_and_its_jam_becomes_an_incident(
    gateway: Gateway, operator: Staff
) -> None:
    with evaluation_file("nab/speed_7578.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    step = timedelta(days=5) / len(rows)
    start = datetime.now(UTC) - timedelta(days=5, hours=1)
    readings = [
        {
            "kind": "traffic",
            "sensor_id": "nab-7578",
            "observed_at": (start + step * n).isoformat(),
            "speed_kmh": round(float(row["value"]) * KMH_PER_MPH, 2),
            "lat": -6.3050,
            "lon": 107.1900,
            "segment": "Jl Raya Industri",
        }
        for n, row in enumerate(rows)
    ]
    accepted = 0
    for first in range(0, len(readings), 500):
        receipt = await gateway.send(readings[first : first + 500])
        assert receipt["rejected"] == []
        accepted += receipt["accepted"]
    assert accepted == len(rows)

    database = await asyncpg.connect(gateway.city.postgres_dsn)

    async def stored() -> bool:
        count = await database.fetchval("SELECT count(*) FROM traffic_reading WHERE sensor_id = 'nab-7578'")
        return bool(count == len(rows))

    async def jam() -> bool:
        return bool(
            await database.fetchval(
                "SELECT count(*) FROM incident_evidence WHERE source = 'sensor' AND source_id = 'nab-7578'"
            )
        )

    await until(stored, what="every reading to be stored")
    await until(jam, what="the jam of the series to become an incident")
    answer = await operator.http.get(
        "/api/v1/incidents", params={"category": "traffic_jam", "bbox": "107.18,-6.32,107.20,-6.29"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["items"]
    await database.close()
