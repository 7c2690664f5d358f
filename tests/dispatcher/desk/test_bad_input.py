"""Bad input at the desk: each is a clear 4xx as problem+json that echoes nothing, and the next request works."""

import json
from typing import Any

import httpx
import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import Json, Office, Person
from tests.dispatcher.factories import SUMMARECON


@pytest.fixture(scope="module")
async def operator(office: Office) -> Person:
    return await office.staff(Role.OPERATOR)


@pytest.fixture(scope="module")
async def officer(office: Office) -> Person:
    return await office.officer()


@pytest.fixture(scope="module")
async def incident(office: Office) -> Json:
    return await office.incident(place=SUMMARECON)


def is_refused(answer: httpx.Response, *statuses: int) -> Json:
    assert answer.status_code in statuses, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    assert problem["status"] == answer.status_code and problem["type"] and problem["title"]
    return problem


NAN = float("nan")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "version"),
        ({"version": None}, "version"),
        ({"version": "3"}, "version"),
        ({"version": True}, "version"),
        ({"version": 0}, "version"),
        ({"version": -1}, "version"),
        ({"version": 2**31}, "version"),
        ({"version": 3.5}, "version"),
        ({"version": 3, "status": "closed"}, "status"),
        ({"version": 3, "agency": "DLH"}, "agency"),
        ({"version": 3, "category": "jam"}, "category"),
        ({"version": 3, "priority": "URGENT"}, "priority"),
        ({"version": 3, "lat": 91, "lon": 107}, "lat"),
        ({"version": 3, "lat": "-6.2", "lon": 107}, "lat"),
        ({"version": 3, "lat": True, "lon": 107}, "lat"),
        ({"version": 3, "lat": -6.2, "lon": 181}, "lon"),
        ({"version": 3, "lat": -6.2}, "lon"),
    ],
    ids=str,
)
async def test_a_field_that_is_not_as_it_should_be_is_422_by_name(
    operator: Person, incident: Json, body: Json, field: str
) -> None:
    answer = await operator.http.post(f"/api/v1/incidents/{incident['id']}/triage", json=body)
    assert [error["field"] for error in is_refused(answer, 422)["errors"]] == [field]


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\t", "\u200b\u200e", "a\x00b", "x" * 4001, 5, None, ["x"], {"a": 1}],
    ids=lambda text: repr(text)[:12],
)
async def test_a_note_is_visible_text_of_bounded_length(operator: Person, incident: Json, text: Any) -> None:
    path = f"/api/v1/incidents/{incident['id']}/note"
    is_refused(await operator.http.post(path, json={"version": 1, "text": text}), 422)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>", "'; DROP TABLE incident; --", "{{7*7}} ${7*7} %s %(x)s {0}", "\u202egnp.exe",
        "Z\u0351\u036b\u0343\u036aalgo", "🚧🚗💨", "\x1b[31mmerah", "baris\r\nbaru: x", "x" * 4000,
    ],
    ids=lambda text: repr(text)[:12],
)  # fmt: skip
async def test_any_other_text_is_kept_as_it_is(operator: Person, incident: Json, text: str) -> None:
    story = await operator.command(incident["id"], "note", text=text)
    assert story["history"][-1]["note"] == text


@pytest.mark.parametrize(
    ("content", "content_type", "statuses"),
    [
        (b"", "application/json", (400,)),
        (b"null", "application/json", (422,)),
        (b"[]", "application/json", (422,)),
        (b'{"version": 1', "application/json", (400,)),
        (b'{"version": NaN}', "application/json", (400,)),
        (b'{"version": 1, "lat": 1e999, "lon": 107}', "application/json", (400, 422)),
        (b'{"version": 1, "version": 2}', "application/json", (400,)),
        (b'{"version": 1, "category": "\\ud800"}', "application/json", (400, 422)),
        (b'\xef\xbb\xbf{"version": 1}', "application/json", (400,)),
        ('{"version": 1}'.encode("utf-16"), "application/json", (400,)),
        (b'{"version": 1, "category": "\xff"}', "application/json", (400,)),
        (b"[" * 60_000, "application/json", (400, 422)),
        (b'{"version": ' + b"9" * 5000 + b"}", "application/json", (400, 422)),
        (b'{"version": 1}', "text/plain", (415,)),
        (b'{"version": 1}', "application/json; charset=latin-1", (415,)),
        (b'{"version": 1}', "", (415,)),
        (b" " * (3 * 1024 * 1024), "application/json", (413,)),
    ],
    ids=lambda part: repr(part)[:30],
)
async def test_a_body_that_is_not_strict_json_is_refused(
    operator: Person, incident: Json, content: bytes, content_type: str, statuses: tuple[int, ...]
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    path = f"/api/v1/incidents/{incident['id']}/triage"
    is_refused(await operator.http.post(path, content=content, headers=headers), *statuses)
    encoded = {**headers, "Content-Type": "application/json", "Content-Encoding": "gzip"}
    is_refused(await operator.http.post(path, content=content, headers=encoded), 415)


@pytest.mark.parametrize(
    "incident_id",
    ["nil", "INC-", "INC-0000000000", "%00", "inc-%F0%9F%98%80", "a" * 300, "INC-1%27%20OR%201=1", "..%2f..", "-1"],
)
async def test_an_id_that_is_none_of_ours_is_404(operator: Person, officer: Person, incident_id: str) -> None:
    is_refused(await operator.http.get(f"/api/v1/incidents/{incident_id}"), 404)
    body = {"version": 1, "text": "x"}
    is_refused(await operator.http.post(f"/api/v1/incidents/{incident_id}/note", json=body), 404)
    is_refused(await officer.http.post(f"/api/v1/assignments/{incident_id}/accept", json={}), 404)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "busy"}, {"status": "asleep"}, {"at": "2026-11-20T08:00:00"}, {"at": 1_700_000_000},
        {"at": "1700000000"}, {"at": None}, {"at": "2026-11-20T25:00:00Z"}, {"lat": -6.2}, {"lon": 107.0},
        {"lat": 91, "lon": 107}, {"accuracy_m": -1}, {"accuracy_m": "8"}, {"officer": "dishub-1"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_presence_is_read_strictly(officer: Person, change: Json) -> None:
    body = {"status": "available", "at": "2026-11-20T08:00:00+07:00", **change}
    is_refused(await officer.http.put("/api/v1/me/presence", json=body), 422)
    await officer.be("available", lat=SUMMARECON[0], lon=SUMMARECON[1], accuracy_m=1e-320)


@pytest.mark.parametrize(
    "body",
    [
        {"username": "", "password": "x"}, {"username": "x"}, {"password": "x"}, {"username": "x", "password": ""},
        {"username": "x" * 101, "password": "x"}, {"username": "x", "password": "x" * 1001},
        {"username": 1, "password": 1}, {"username": "x", "password": "x", "role": "admin"},
    ],
    ids=lambda body: repr(body)[:30],
)  # fmt: skip
async def test_a_sign_in_is_read_strictly_and_echoes_nothing(office: Office, body: Json) -> None:
    answer = await (await office.anyone("10.50.0.1")).http.post("/api/v1/session", json=body)
    is_refused(answer, 422)
    assert "xx" not in json.dumps(answer.json())


@pytest.mark.parametrize("header", ["Basic YWRtaW46eA==", "Bearer", "Bearer  ", "Bearer x", "Bearer ps_x\x7f", "x"])
async def test_a_credential_that_is_none_is_401(office: Office, header: str) -> None:
    somebody = await office.anyone()
    is_refused(await somebody.http.get("/api/v1/me", headers={"Authorization": header}), 401)


async def test_a_cookie_that_is_none_is_as_no_cookie(office: Office) -> None:
    somebody = await office.anyone()
    somebody.http.cookies.set("patriot_session", "ps_expired")
    is_refused(await somebody.http.get("/api/v1/me"), 401)
    answer = await somebody.http.post("/api/v1/feed/ticket", headers={"Origin": "http://desk.test"})
    assert answer.status_code == 200


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "kunci\u00e9".encode()])
async def test_a_key_is_printable_and_bounded(officer: Person, key: str | bytes) -> None:
    headers = {"Idempotency-Key": key}
    answer = await officer.http.post("/api/v1/assignments/ASG-0/accept", json={}, headers=headers)  # type: ignore[arg-type]
    is_refused(answer, 422)
