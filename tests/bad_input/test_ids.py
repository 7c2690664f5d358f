"""Ids and fields of somebody else's making: guessed, made up, too much said; and photos under any name and type."""

import uuid
from typing import Any

import httpx
import pytest

from tests.bad_input.test_bodies import GOOD, is_refused
from tests.city import City
from tests.people import Citizen, Gateway, Staff, photo_jpeg

NIL = "00000000-0000-0000-0000-000000000000"
IDS = [
    NIL, NIL.replace("-", ""),
    "0", "-1", "9" * 40, "null", "undefined", "x" * 4000, "%00", "%2e%2e%2f", "%ff", "a%0d%0ab",
    "%F0%9F%9A%A7", "INC-0000000000'--", "*", "%25", "{}", "true",
]  # fmt: skip


@pytest.mark.parametrize("made_up", IDS, ids=lambda text: text[:20])
async def test_what_does_not_exist_is_404_however_it_is_called(
    operator: Staff, dishub_officer: Staff, made_up: str
) -> None:
    is_refused(await operator.http.get(f"/api/v1/incidents/{made_up}"), 404)
    is_refused(await operator.http.get(f"/api/v1/photos/{made_up}"), 404)
    body = {"version": 1, "text": "x"}
    is_refused(await operator.http.post(f"/api/v1/incidents/{made_up}/note", json=body), 404)
    is_refused(await dishub_officer.http.post(f"/api/v1/assignments/{made_up}/accept"), 404)


async def test_who_guesses_codes_is_slowed_down_and_nobody_else(city: City, gateway: Gateway) -> None:
    code = (await gateway.report(**GOOD))["tracking_code"]  # type: ignore[arg-type]
    stranger = httpx.AsyncHTTPTransport(local_address="127.0.0.9")
    async with httpx.AsyncClient(base_url=city.base_url, transport=stranger) as guesser:
        answers = [await guesser.get(f"/api/v1/reports/{uuid.uuid4().hex[:20].upper()}") for _ in range(30)]
        assert {answer.status_code for answer in answers} == {404, 429}
        for answer in answers:
            is_refused(answer, 404, 429)
            if answer.status_code == 429:
                assert int(answer.headers["retry-after"]) >= 1
        spoofed = {"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.8"}
        assert (await guesser.get("/api/v1/reports/GUESS", headers=spoofed)).status_code == 429
    assert (await gateway.track(code))["tracking_code"] == code


@pytest.mark.parametrize(
    "field",
    [
        {"status": "closed"}, {"agency": "DLH"}, {"id": "INC-1"}, {"report_id": NIL}, {"tracking_code": "AAAA"},
        {"priority": "critical"}, {"submitted_at": "2026-11-22T00:00:00Z"}, {"photos": []}, {"submitted_by": "admin"},
        {"Lat": -6.2}, {"__proto__": {"admin": True}}, {"constructor": 1}, {"": 1},
    ],
    ids=str,
)  # fmt: skip
async def test_nobody_says_more_of_a_report_than_is_asked(citizen: Citizen, field: dict[str, Any]) -> None:
    is_refused(await citizen.http.post("/api/v1/reports", json={**GOOD, **field}), 422)


@pytest.mark.parametrize(
    "place",
    [
        {"lat": 91, "lon": 107}, {"lat": -6.2, "lon": 181}, {"lat": 107.0, "lon": -6.2}, {"lat": "-6.2", "lon": 107},
        {"lat": "-6,2", "lon": 107}, {"lat": True, "lon": 107}, {"lat": None, "lon": 107}, {"lat": [-6.2], "lon": 107},
    ],
    ids=str,
)  # fmt: skip
async def test_a_place_that_is_none_is_refused(citizen: Citizen, place: dict[str, Any]) -> None:
    is_refused(await citizen.http.post("/api/v1/reports", json={**GOOD, **place}), 422)


@pytest.mark.parametrize(
    "place",
    [
        {"lat": 0, "lon": 0}, {"lat": 1e-320, "lon": 1e-320}, {"lat": -90, "lon": 180}, {"lat": -0.0, "lon": 107},
        {"lat": -6.9175, "lon": 107.6191}, {"lat": -6.2349, "lon": 106.9896},
    ],
    ids=["0,0", "denormal", "pole", "-0", "Bandung", "middle"],
)  # fmt: skip
async def test_a_place_outside_bekasi_is_taken_and_looked_at(gateway: Gateway, place: dict[str, float]) -> None:
    receipt = await gateway.report(**{**GOOD, **place})  # type: ignore[arg-type]
    assert (await gateway.tracked(receipt["tracking_code"]))["incident_id"]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "a\\b.php",
        "x" * 500,
        "foto.jpg.exe",
        "\u202egpj.exe",
        "con",
        "a;b=c",
        "%00.jpg",
        "",
        "🚧.png",
    ],
    ids=lambda name: ascii(name)[:20],
)
@pytest.mark.parametrize("media", ["image/jpeg", "text/html", "application/octet-stream", "image/svg+xml", ""])
async def test_a_photo_is_what_its_bytes_are_whatever_it_is_called(operator: Staff, name: str, media: str) -> None:
    answer = await operator.http.post("/api/v1/photos", files={"photo": (name, photo_jpeg(40, 30), media)})
    assert answer.status_code == 201, answer.text
    photo_id = answer.json()["photo_id"]
    kept = await operator.http.get(f"/api/v1/photos/{photo_id}")
    assert (kept.status_code, kept.headers["content-type"]) == (200, "image/jpeg")
    assert kept.headers["x-content-type-options"] == "nosniff" and b"Kamera" not in kept.content


@pytest.mark.parametrize(
    ("status", "data"),
    [
        (422, b""),
        (422, photo_jpeg()[:200]),
        (415, b"GIF89a" + b"\0" * 60),
        (415, b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
        (415, b"<html><script>alert(1)</script></html>"),
        (415, b"%PDF-1.7\n"),
        (415, b"%!PS-Adobe-3.0 EPSF-3.0\n"),
        (415, b"PK\x03\x04" + b"\0" * 60),
        (415, b"\x7fELF" + b"\0" * 60),
        (422, b"\xff\xd8\xff<html><script>alert(1)</script></html>"),
    ],
    ids=["empty", "cut off", "gif", "svg", "html", "pdf", "eps", "zip", "elf", "html in jpeg"],
)
async def test_what_is_no_photo_is_refused_under_a_photos_name(operator: Staff, status: int, data: bytes) -> None:
    answer = await operator.http.post("/api/v1/photos", files={"photo": ("foto.jpg", data, "image/jpeg")})
    assert is_refused(answer, status)["errors"][0]["field"] == "photo.0"
