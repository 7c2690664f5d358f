"""`POST /api/v1/reports` on real Kafka: what was taken is there, as the contract says, and whose it may be."""

import hashlib
import json
import re

import h3
import httpx
import msgspec
import pytest

from infra import tracking_code
from infra.objects import Objects
from infra.photos import Photos, PhotoSize
from schemas import topics
from schemas.envelope import read
from schemas.report import ReportSubmitted
from tests.faults.process import SECRET
from tests.ingest.intake import BOTH, JAM, REPORTS, TELEMETRY, Sender, a_photo, is_refused


async def test_a_report_is_in_kafka_once_with_every_header(citizen: Sender) -> None:
    trace = f"00-{'4b' * 16}-{'00f067aa0ba902b7'}-01"
    found = await citizen.post({**JAM, "category": "traffic_jam", "address": "Stasiun"}, traceparent=trace)
    receipt = found.json()
    assert found.status_code == 202
    assert set(receipt) == {"report_id", "tracking_code", "status_url"}
    assert receipt["status_url"] == f"/api/v1/reports/{receipt['tracking_code']}"
    assert tracking_code.check(bytes.fromhex(SECRET), receipt["tracking_code"]) == receipt["tracking_code"]
    (record,) = await citizen.records_of(receipt["report_id"])
    assert record.key == "878c104eeffffff" == h3.latlng_to_cell(JAM["lat"], JAM["lon"], 7)
    assert record.value == {
        "report_id": receipt["report_id"],
        "tracking_code": receipt["tracking_code"],
        "description": JAM["description"],
        "channel": "app",
        "submitted_at": record.value["submitted_at"],
        "category": "traffic_jam",
        "lat": JAM["lat"],
        "lon": JAM["lon"],
        "address": "Stasiun",
        "observed_at": None,
        "photos": [],
        "submitted_by": None,
        "consent": None,
    }
    envelope = read([(name, value.encode()) for name, value in record.headers.items()])
    assert (envelope.type, envelope.subject) == (topics.REPORT_SUBMITTED, receipt["report_id"])
    assert envelope.traceparent.split("-")[1] == "4b" * 16 and envelope.traceparent != trace
    assert record.headers["ce_dataschema"].endswith("id.bekasi.report.submitted.v1.json")
    assert record.headers["content-type"] == "application/json"
    assert record.headers["ce_time"] == record.value["submitted_at"]


async def test_without_a_place_the_report_is_its_own_key(citizen: Sender) -> None:
    found = await citizen.post({"description": "Sampah menumpuk", "address": "Pasar Baru", "channel": "web"})
    (record,) = await citizen.records_of(found.json()["report_id"])
    assert record.key == found.json()["report_id"]


async def test_who_reports_is_on_a_topic_of_its_own(citizen: Sender) -> None:
    reporter = {"name": "Siti Rahasia", "phone": "+62 812-0000-3275", "email": "siti@example.id", "anonymous": True}
    receipt = await citizen.report(reporter=reporter)
    (contact,) = await citizen.records_of(receipt["report_id"], topics.CONTACT)
    assert contact.key == receipt["report_id"]
    assert {name: contact.value[name] for name in reporter} == reporter
    assert contact.headers["ce_type"] == topics.CONTACT_GIVEN
    (report,) = await citizen.records_of(receipt["report_id"])
    assert contact.headers["ce_id"] != report.headers["ce_id"]
    assert contact.headers["traceparent"] == report.headers["traceparent"]
    said = json.dumps(report.value) + json.dumps(report.headers)
    assert not [word for word in ("Siti", "0812", "3275", "siti@") if word in said]


async def test_what_the_reporter_agreed_to_travels_with_the_report(citizen: Sender) -> None:
    agreed = await citizen.report(reporter={"consent": "2026-11"})
    silent = await citizen.report(reporter={"anonymous": True})
    for receipt, consent in ((agreed, "2026-11"), (silent, None)):
        (record,) = await citizen.records_of(receipt["report_id"])
        assert record.value["consent"] == consent
        assert await citizen.records_of(receipt["report_id"], topics.CONTACT) == []
    for wrong in ("", "a b", "x" * 41, 7):
        refused = await citizen.post({"description": "x", "address": "y", "reporter": {"consent": wrong}})
        assert refused.status_code == 422


@pytest.mark.parametrize("reporter", [None, {}, {"anonymous": True}])
async def test_who_says_nothing_of_themselves_leaves_no_contact(
    citizen: Sender, reporter: dict[str, bool] | None
) -> None:
    receipt = await citizen.report(reporter=reporter)
    assert await citizen.records_of(receipt["report_id"], topics.CONTACT) == []


async def test_photos_are_kept_small_and_named_in_the_report(citizen: Sender) -> None:
    receipt = await citizen.report(a_photo(size=(3000, 2000)), a_photo("PNG"), a_photo("WEBP"), a_photo("HEIF"))
    (record,) = await citizen.records_of(receipt["report_id"])
    listed = record.value["photos"]
    assert [each["id"] for each in listed] == [f"{receipt['report_id']}-{n}" for n in (1, 2, 3, 4)]
    assert [(each["width"], each["height"]) for each in listed] == [(2048, 1365)] + [(640, 480)] * 3
    objects = Objects(citizen.data_dir / "objects")
    photos = Photos(objects)
    for each in listed:
        full = await photos.read(each["id"])
        assert full is not None and hashlib.sha256(full).hexdigest() == each["sha256"]
        assert full.startswith(b"\xff\xd8\xff") and each["content_type"] == "image/jpeg"
        assert await photos.read(each["id"], PhotoSize.THUMB)
    objects.close()
    assert list((citizen.data_dir / "uploads").iterdir()) == []


async def test_a_refused_photo_leaves_nothing_anywhere(citizen: Sender) -> None:
    before = sorted((citizen.data_dir / "objects").rglob("*"))
    is_refused(await citizen.post(JAM, a_photo(), b"<svg/>"), 415)
    is_refused(await citizen.post(JAM, a_photo(), b""), 422)
    is_refused(await citizen.post(JAM, a_photo()[:200]), 422)
    is_refused(await citizen.post(JAM, *[a_photo()] * 6), 422)
    is_refused(await citizen.post({**JAM, "x": 1}, a_photo()), 422)
    assert sorted((citizen.data_dir / "objects").rglob("*")) == before
    assert list((citizen.data_dir / "uploads").iterdir()) == []


async def test_staff_and_gateways_are_named_as_senders(agent: Sender, ingest: Sender) -> None:
    by_phone = await agent.report(channel="call_center", reporter={"name": "Ibu Ani"})
    (record,) = await agent.records_of(by_phone["report_id"])
    assert (record.value["channel"], record.value["submitted_by"]) == ("call_center", "cc-dewi")
    by_gateway = await ingest.report(channel="whatsapp")
    (record,) = await ingest.records_of(by_gateway["report_id"])
    assert (record.value["channel"], record.value["submitted_by"]) == ("whatsapp", "key:both")


async def test_a_channel_of_staff_is_closed_to_others(citizen: Sender, ingest: Sender, agent: Sender) -> None:
    for channel in ("call_center", "poc"):
        is_refused(await citizen.post({**JAM, "channel": channel}), 401)
        is_refused(await ingest.post({**JAM, "channel": channel}), 403)
        assert (await agent.post({**JAM, "channel": channel})).status_code == 202


@pytest.mark.parametrize(
    ("credential", "status"),
    [(BOTH, 202), (REPORTS, 202), (TELEMETRY, 403), ("pk_made_up", 401), ("ps_made_up", 401), ("two words", 401)],
)
async def test_a_key_must_be_for_reports(citizen: Sender, credential: str, status: int) -> None:
    found = await citizen.post(JAM, Authorization=f"Bearer {credential}")
    assert found.status_code == status
    if status != 202:
        is_refused(found, status)


async def test_a_cookie_from_a_foreign_page_is_403(citizen: Sender) -> None:
    is_refused(await citizen.post(JAM, Cookie="patriot_session=ps_staff", Origin="https://evil.example"), 403)
    own = str(citizen.http.base_url).rstrip("/")
    found = await citizen.post({**JAM, "channel": "poc"}, Cookie="patriot_session=ps_staff", Origin=own)
    assert found.status_code == 202


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"lat": None, "lon": None}, "address"),
        ({"lat": None}, "lat"),
        ({"lon": None}, "lon"),
        ({"observed_at": "9999-12-31T23:59:59Z"}, "observed_at"),
        ({"observed_at": "0001-01-01T00:00:00Z"}, "observed_at"),
        ({"lat": 107.0, "lon": -6.2}, "lat"),
    ],
)
async def test_rules_are_told_by_field(citizen: Sender, fields: dict[str, object], field: str) -> None:
    problem = is_refused(await citizen.post({**JAM, **fields}), 422)
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "fields",
    [
        {"lat": 0, "lon": 0},
        {"lat": -6.9, "lon": 107.6},
        {"lat": -90, "lon": 180},
        {"lat": 1e-320, "lon": 107},
        {"description": "😀 <script> ' OR 1=1 -- \u202e {{7*7}} =1+1\r\n\x1b[31m"},
        {"observed_at": "2026-11-22T15:00:00+07:00"},
        {"description": "x" * 4000},
    ],
    ids=lambda fields: str(fields)[:30],
)
async def test_what_is_only_strange_is_taken(citizen: Sender, fields: dict[str, object]) -> None:
    receipt = await citizen.report(**fields)
    (record,) = await citizen.records_of(receipt["report_id"])
    for name, value in fields.items():
        if name != "observed_at":
            assert record.value[name] == value


async def test_every_record_is_what_its_type_says(citizen: Sender) -> None:
    receipt = await citizen.report(a_photo(), observed_at="2026-11-22T15:00:00+07:00")
    (record,) = await citizen.records_of(receipt["report_id"])
    value = msgspec.convert(record.value, ReportSubmitted, strict=True)
    assert value.photos[0].width == 640
    assert re.fullmatch(r"[0-9a-f]{32}", value.report_id)


async def test_a_large_body_is_refused_and_the_connection_lives(citizen: Sender) -> None:
    is_refused(await citizen.post({**JAM, "description": "x" * 100_000}), 413)
    content = b"x" * (51 * 1024 * 1024 + 70_000)
    headers = {"Content-Type": "application/json"}
    is_refused(await citizen.http.post("/api/v1/reports", content=content, headers=headers), 413)
    is_refused(await citizen.post(JAM, b"\xff\xd8\xff" + b"x" * (10 * 1024 * 1024)), 413)
    assert (await citizen.post(JAM)).status_code == 202


async def test_other_media_types_are_415(citizen: Sender) -> None:
    for media in ("text/plain", "application/xml", "application/x-www-form-urlencoded", ""):
        found = await citizen.http.post("/api/v1/reports", content=b"{}", headers={"Content-Type": media})
        is_refused(found, 415)


async def test_other_methods_are_405(citizen: Sender) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        is_refused(await citizen.http.request(method, "/api/v1/reports"), 405)


async def test_the_api_describes_itself_truthfully(citizen: Sender) -> None:
    document = (await citizen.http.get("/api/v1/openapi.json")).json()
    operation = document["paths"]["/api/v1/reports"]["post"]
    assert set(operation["requestBody"]["content"]) == {"application/json", "multipart/form-data"}
    statuses = {"202", "400", "401", "403", "405", "408", "409", "413", "415", "422", "429", "500", "503"}
    assert set(operation["responses"]) == statuses
    assert document["components"]["schemas"]["ReportDraft"]["required"] == ["description"]
    assert set(document["paths"]["/api/v1/telemetry"]["post"]["responses"]) == statuses - {"409"}


async def test_metrics_begin_at_zero_and_count(citizen: Sender) -> None:
    async def counted(outcome: str) -> float:
        text = (await citizen.http.get("/metrics")).text
        match = re.search(rf'patriot_ingest_reports_total{{outcome="{outcome}"}} (\S+)', text)
        assert match
        return float(match[1])

    before = {
        outcome: await counted(outcome) for outcome in ("accepted", "repeated", "refused", "unavailable", "unknown")
    }
    await citizen.report()
    is_refused(await citizen.post({}), 422)
    assert await counted("accepted") == before["accepted"] + 1
    assert await counted("refused") == before["refused"] + 1
    assert await counted("unknown") == before["unknown"]


async def test_health_and_readiness(citizen: Sender) -> None:
    assert (await citizen.http.get("/healthz")).status_code == 200
    found: httpx.Response = await citizen.http.get("/readyz")
    assert (found.status_code, found.json()["missing"]) == (200, {})
