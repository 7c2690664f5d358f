"""What every HTTP room shares: strict bodies, problems that echo nothing, health, metrics, OpenAPI."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response

from infra.http import Body, PlainRoute, Room, answer, build_app, read_body, read_json
from infra.openapi import describe
from infra.problem import Problem, unavailable
from schemas.report import ReportDraft, Reporter, ReportReceipt

router = APIRouter(route_class=PlainRoute)
SECRET = "rahasia-3275"


@router.post("/echo", **describe(summary="Echo", body=ReportDraft, returns=ReportReceipt, errors=(400, 413, 415, 422)))
async def echo(request: Request) -> Response:
    return answer({"description": (await read_json(request, ReportDraft, limit=10_000)).description})


@router.post("/size", **describe(summary="Size"))
async def size(request: Request) -> Response:
    return answer(len(await read_body(request, 1000, timeout=0.2)))


@router.get("/crash", **describe(summary="Crash"))
async def crash(request: Request) -> Response:
    raise RuntimeError(SECRET)


@router.get("/away", **describe(summary="Away", errors=(503,)))
async def away(request: Request) -> Response:
    raise unavailable("Not now.")


@asynccontextmanager
async def nothing(app: FastAPI) -> AsyncIterator[None]:
    yield


async def ready(app: FastAPI) -> Mapping[str, str]:
    return dict(getattr(app.state, "troubles", {}))


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return build_app([Room("test", router, nothing, ready, (ReportDraft, Reporter, ReportReceipt))], version="1.2.3")


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as opened:
        yield opened


JSON = {"Content-Type": "application/json"}


def assert_problem(found: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert found.status_code in statuses, found.text
    assert found.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = found.json()
    assert problem["status"] == found.status_code
    assert problem["type"].startswith("https://") and problem["title"] and problem["detail"]
    return problem


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b""),
        (400, b"nonsense"),
        (400, b"{"),
        (400, b'{"description":"a"} x'),
        (400, b'{"description":"a",}'),
        (400, b"{'description':'a'}"),
        (400, b'\xef\xbb\xbf{"description":"a"}'),
        (400, '{"description":"a"}'.encode("utf-16")),
        (400, '{"description":"a"}'.encode("utf-32")),
        (400, b'{"description":"\xff"}'),
        (400, b'{"description":"\xed\xa0\x80"}'),
        (400, b'{"description":"\xc0\x80"}'),
        (400, b'{"description":"\\ud800"}'),
        (400, b'{"description":"\\udc00"}'),
        (400, b'{"description":"a\x00b"}'),
        (400, b'{"description":"a","lat":NaN}'),
        (400, b'{"description":"a","lat":Infinity}'),
        (400, b'{"description":"a","lat":-Infinity}'),
        (400, b'{"description":"a","description":"b"}'),
        (400, b'{"description":"a","reporter":{"name":"a","name":"b"}}'),
        (400, b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
        (422, b"null"),
        (422, b"[]"),
        (422, b"{}"),
        (422, b'"text"'),
        (422, b"1"),
        (422, b"[" * 9_000),
        (422, b'{"description":"a\\u0000b"}'),
        (422, b'{"description":""}'),
        (422, b'{"description":"   \\n\\t"}'),
        (422, '{"description":"\u200b\u200e\ufeff"}'.encode()),
        (422, b'{"description":"' + b"a" * 4001 + b'"}'),
        (422, b'{"description":null}'),
        (422, b'{"description":5}'),
        (422, b'{"description":["a"]}'),
        (422, b'{"description":"a","status":"closed"}'),
        (422, b'{"description":"a","reporter":{"nik":"3275"}}'),
        (422, b'{"description":"a","lat":1e999}'),
        (422, b'{"description":"a","lat":' + b"9" * 5000 + b"}"),
        (422, b'{"description":"a","lat":"-6.2"}'),
        (422, b'{"description":"a","lat":true}'),
        (422, b'{"description":"a","lat":90.0001}'),
        (422, b'{"description":"a","lat":107,"lon":-6.2}'),
        (422, b'{"description":"a","lon":-180.0001}'),
        (422, b'{"description":"a","category":"fire"}'),
        (422, b'{"description":"a","category":""}'),
        (422, b'{"description":"a","channel":"APP"}'),
        (422, b'{"description":"a","observed_at":"2026-11-22T07:00:00"}'),
        (422, b'{"description":"a","observed_at":"2026-11-22"}'),
        (422, b'{"description":"a","observed_at":1790000000}'),
        (422, b'{"description":"a","observed_at":"1790000000"}'),
        (422, b'{"description":"a","observed_at":"2026-02-30T07:00:00Z"}'),
        (422, b'{"description":"a","observed_at":"2016-12-31T23:59:60Z"}'),
        (422, b'{"description":"a","reporter":{"email":"no address"}}'),
        (422, b'{"description":"a","reporter":{"phone":"call me"}}'),
        (422, b'{"description":"a","reporter":{"anonymous":1}}'),
    ],
    ids=lambda value: repr(value[:50]) if isinstance(value, bytes) else "",
)
async def test_a_crooked_body_is_refused_without_echo(client: httpx.AsyncClient, status: int, body: bytes) -> None:
    problem = assert_problem(await client.post("/echo", content=body, headers=JSON), status)
    if status == 422:
        assert [set(error) for error in problem["errors"]] == [{"field", "message"}]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "description"),
        ({"description": "a", "x": 1}, "x"),
        ({"description": "a", "reporter": {"email": "rahasia-3275"}}, "reporter.email"),
        ({"description": "a", "category": "rahasia-3275"}, "category"),
        ({"description": "a", "observed_at": "rahasia-3275"}, "observed_at"),
        ({"description": "a", "rahasia-3275 <script>": 1}, "?"),
        ({"description": "a", "lat": "rahasia-3275"}, "lat"),
        ([], "body"),
    ],
)
async def test_a_field_error_names_the_field_and_no_value(client: httpx.AsyncClient, body: object, field: str) -> None:
    found = await client.post("/echo", json=body)
    assert assert_problem(found, 422)["errors"][0]["field"] == field
    assert SECRET not in found.text and "3275" not in found.text


@pytest.mark.parametrize(
    "text",
    [
        *("😀🚧", "<script>alert(1)</script>", "=cmd|'/c calc'!A1", "a\r\nSet-Cookie: x", "\x1b[31m", "' OR 1=1 --"),
        *("{{7*7}}", "Z̷̡̧͓̬̺̱͝a̶l̸g̵o̷", "\u202eabc", "NIK 3275012345670001", "Jаlan (Cyrillic а)", "x" * 4000),
    ],
)
async def test_any_readable_text_is_taken_as_it_is(client: httpx.AsyncClient, text: str) -> None:
    found = await client.post("/echo", json={"description": text})
    assert found.status_code == 200
    assert found.json() == {"description": text}


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": ""}, {"Content-Type": "text/plain"}, {"Content-Type": "application/xml"}]
    + [{"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "application/json; charset=utf-16"}]
    + [{**JSON, "Content-Encoding": coding} for coding in ("gzip", "identity", "br")],
)
async def test_other_media_types_and_encodings_are_415(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert_problem(await client.post("/echo", content=b'{"description":"a"}', headers=headers), 415)


@pytest.mark.parametrize(
    "media", ["application/json; charset=utf-8", "Application/JSON", 'application/json;charset="UTF-8"']
)
async def test_json_in_utf8_may_be_said_in_many_ways(client: httpx.AsyncClient, media: str) -> None:
    found = await client.post("/echo", content=b'{"description":"a"}', headers={"Content-Type": media})
    assert found.status_code == 200


class Feeder:
    """A request body that comes in pieces, and counts how many were taken."""

    def __init__(self, pieces: int, size: int = 1000) -> None:
        self.taken = 0
        self._pieces = pieces
        self._size = size

    async def receive(self) -> dict[str, object]:
        self.taken += 1
        return {"type": "http.request", "body": b"x" * self._size, "more_body": self.taken < self._pieces}

    def request(self, *headers: tuple[bytes, bytes]) -> Request:
        return Request({"type": "http", "method": "POST", "headers": list(headers)}, self.receive)


async def test_too_large_a_body_is_read_to_its_end_so_that_the_client_gets_the_answer() -> None:
    for headers in ([], [(b"content-length", b"20000")]):
        feeder = Feeder(pieces=20)
        with pytest.raises(Problem) as refused:
            await read_body(feeder.request(*headers), limit=1500)
        assert refused.value.status == 413
        assert feeder.taken == 20
        assert "Connection" not in refused.value.headers


async def test_an_endless_body_is_given_up() -> None:
    feeder = Feeder(pieces=10**9, size=1024 * 1024)
    with pytest.raises(Problem) as refused:
        await read_body(feeder.request(), limit=1500)
    assert refused.value.status == 413
    assert refused.value.headers["Connection"] == "close"
    assert feeder.taken < 80


async def test_a_body_that_stays_away_is_408(client: httpx.AsyncClient) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(1)
        yield b"x"

    problem = assert_problem(await client.post("/size", content=slow()), 408)
    assert "in time" in problem["detail"]


async def test_a_client_that_goes_away_is_no_crash() -> None:
    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    with pytest.raises(Problem) as refused:
        await Body(Request({"type": "http", "headers": []}, gone)).part()
    assert refused.value.status == 400


async def test_a_mistake_of_ours_is_a_problem_that_tells_nothing(client: httpx.AsyncClient) -> None:
    found = await client.get("/crash")
    assert_problem(found, 500)
    assert SECRET not in found.text


async def test_unknown_paths_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/nowhere"), 404)
    assert_problem(await client.get("/echo/"), 404)
    found = await client.get("/echo")
    assert_problem(found, 405)
    assert "POST" in found.headers["allow"]


async def test_503_says_when_to_come_again(client: httpx.AsyncClient) -> None:
    found = await client.get("/away")
    assert_problem(found, 503)
    assert int(found.headers["retry-after"]) > 0


async def test_ready_names_what_is_not(app: FastAPI, client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).json() == {"status": "ok", "missing": {}}
    app.state.troubles = {"kafka": "does not answer"}
    try:
        found = await client.get("/readyz")
    finally:
        del app.state.troubles
    assert found.status_code == 503
    assert found.json()["missing"] == {"kafka": "does not answer"}


async def test_metrics_count_requests_by_route(client: httpx.AsyncClient) -> None:
    await client.get("/nowhere/Kranji")
    await client.post("/echo", json={"description": "a"})
    text = (await client.get("/metrics")).text
    assert 'patriot_http_request_seconds_count{method="POST",route="/echo",status="200"}' in text
    assert 'route="unmatched"' in text
    assert "Kranji" not in text


async def test_openapi_has_every_route_with_its_types_and_statuses(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    operation = document["paths"]["/echo"]["post"]
    assert set(operation["responses"]) == {"200", "400", "405", "413", "415", "422", "500", "503"}
    assert "HTTPValidationError" not in json.dumps(document)
    known = document["components"]["schemas"]
    assert known["ReportDraft"]["additionalProperties"] is False
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in known


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        found = [value for key, value in node.items() if key == "$ref" and isinstance(value, str)]
        return found + [each for value in node.values() for each in _references(value)]
    if isinstance(node, list):
        return [each for value in node for each in _references(value)]
    return []
