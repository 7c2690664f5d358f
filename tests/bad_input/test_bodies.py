"""Every operation that takes a body, with every body that is none: refused in the same clear way, without an echo."""

import gzip
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest

from tests.bad_input.wire import chunked, post, say
from tests.city import City
from tests.people import Citizen, Gateway, Json, Staff, photo_jpeg

SECRET: Final = "rahasia-3275"
MARK: Final = SECRET.encode()
GOOD: Final = {"description": "Lampu jalan mati di depan sekolah", "lat": -6.3011, "lon": 107.0121}
MIB: Final = 1024 * 1024
JSON: Final = "application/json"
BOMB: Final = gzip.compress(b" " * (20 * MIB) + b"{}")
_PARAMETER: Final = re.compile(r"\{\w+\}")


def is_refused(answer: httpx.Response, *statuses: int) -> Json:
    assert answer.status_code in statuses, f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem: Json = answer.json()
    assert problem["status"] == answer.status_code and problem["type"] and problem["title"] and problem["detail"]
    assert SECRET not in answer.text and "3275" not in answer.text, "an echo of what was sent"
    return problem


@pytest.fixture(scope="module")
async def operations(gateway: Gateway) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Method, path and media types of every operation that takes a body."""
    document = (await gateway.http.get("/api/v1/openapi.json")).json()
    sent = await gateway.http.post("/api/v1/reports", json=GOOD)
    known = {"{tracking_code}": sent.json()["tracking_code"], "{incident_id}": "INC-0000000000"}
    found = [
        (method.upper(), _PARAMETER.sub(lambda part: known.get(part[0], "ASG-0"), path), operation["requestBody"])
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "requestBody" in operation
    ]
    assert len(found) >= 14
    return found


@pytest.fixture
def sender(
    gateway: Gateway, operator: Staff, dishub_officer: Staff, citizen: Citizen, admin: Staff
) -> Mapping[str, Citizen | Gateway | Staff]:
    """Who sends what, by the beginning of the path: somebody who may."""
    return {
        "/api/v1/session": citizen,
        "/api/v1/photos": operator,
        "/api/v1/incidents": operator,
        "/api/v1/assignments": dishub_officer,
        "/api/v1/me": dishub_officer,
        "/api/v1/telemetry": gateway,
        "/api/v1/reports/": citizen,
        "/api/v1/reports": gateway,
        "/api/v1/password-reset": citizen,
        "/api/v1/": admin,
    }


#: Of a body with two faults either may be told.
BODIES: Final[dict[str, tuple[bytes, str, tuple[int, ...]]]] = {
    "empty": (b"", JSON, (400,)),
    "blank": (b" \n", JSON, (400,)),
    "null": (b"null", JSON, (422,)),
    "array": (b"[]", JSON, (422,)),
    "text": (b'"%s"' % MARK, JSON, (422,)),
    "number": (b"3275", JSON, (422,)),
    "unknown field": (b'{"%s": 1}' % MARK, JSON, (422,)),
    "cut off": (b'{"%s": ' % MARK, JSON, (400, 422)),
    "two": (b'{} {"%s": 2}' % MARK, JSON, (400, 422)),
    "comment": (b"{/* %s */}" % MARK, JSON, (400,)),
    "single quotes": (b"{'x': '%s'}" % MARK, JSON, (400,)),
    "utf-16": (f'{{"x": "{SECRET}"}}'.encode("utf-16"), JSON, (400,)),
    "utf-32": (f'{{"x": "{SECRET}"}}'.encode("utf-32"), JSON, (400,)),
    "bom": (b'\xef\xbb\xbf{"%s": 1}' % MARK, JSON, (400,)),
    "bad utf-8": (b'{"\xff%s": 1}' % MARK, JSON, (400, 422)),
    "overlong utf-8": (b'{"x": "\xc0\xaf%s"}' % MARK, JSON, (400, 422)),
    "surrogate": (b'{"x": "\\ud800%s"}' % MARK, JSON, (400, 422)),
    "nul in a name": (b'{"\\u0000%s": 1}' % MARK, JSON, (422,)),
    "a name twice": (b'{"x": 1, "x": "%s"}' % MARK, JSON, (400, 422)),
    "nested 100,000 deep": (b"[" * 100_000, JSON, (400, 413, 422)),
    "nested objects": (b'{"x":' * 10_000, JSON, (400, 422)),
    "5,000 digits": (b'{"x": ' + b"9" * 5_000 + b"}", JSON, (400, 422)),
    "huge exponent": (b'{"x": 1e9999999}', JSON, (400, 422)),
    "nan": (b'{"x": NaN}', JSON, (400, 422)),
    "gzip undeclared": (BOMB, JSON, (400,)),
    "no type": (b"{}", "", (415,)),
    "plain": (b"{}", "text/plain", (415,)),
    "xml": (b"<x>%s</x>" % MARK, "application/xml", (415,)),
    "form": (b"x=%s" % MARK, "application/x-www-form-urlencoded", (415,)),
    "latin-1": (b"{}", "application/json; charset=latin-1", (415,)),
    "no boundary": (b"{}", "multipart/form-data", (400, 415)),
    "strange type": (b"{}", "/;;=\xff", (415,)),
}


@pytest.mark.parametrize("name", BODIES)
async def test_a_body_that_is_none_is_refused_wherever_it_is_sent(
    operations: list[tuple[str, str, Mapping[str, Any]]], sender: Mapping[str, Gateway], name: str
) -> None:
    content, media, statuses = BODIES[name]
    for method, path, described in operations:
        if path == "/api/v1/photos":
            expected: tuple[int, ...] = (400,) if media == "multipart/form-data" else (415,)
        elif name == "empty" and not described["required"]:
            expected = (404,)
        elif JSON not in described["content"]:
            expected = (400, 413, 415, 422)
        elif name == "nested 100,000 deep" or len(content) > 16 * 1024:
            expected = (400, 413, 422)
        elif media == "multipart/form-data":
            expected = (400,) if path == "/api/v1/reports" else (415,)
        else:
            expected = statuses
        who = next(person for start, person in sender.items() if path.startswith(start))
        headers = [(b"Content-Type", media.encode("latin-1"))] if media else []
        is_refused(await who.http.request(method, path, content=content, headers=headers), *expected)


async def test_any_content_encoding_is_415_wherever_it_is_sent(gateway: Gateway, admin: Staff) -> None:
    document = (await gateway.http.get("/api/v1/openapi.json")).json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for coding in ("gzip", "identity"):
                headers = {"Content-Encoding": coding, "Content-Type": JSON}
                where = path.replace("{", "").replace("}", "")
                answer = await admin.http.request(method, where, content=BOMB, headers=headers)
                is_refused(answer, 415)
                assert "415" in operation["responses"]
    assert (await admin.http.get("/api/v1/me")).status_code == 200, "DELETE of the session was refused as well"


@pytest.mark.parametrize(("path", "size"), [("reports", 51 * MIB), ("telemetry", 51 * MIB), ("session", 51 * MIB)])
async def test_a_body_that_is_far_too_large_is_413(gateway: Gateway, path: str, size: int) -> None:
    headers = {"Content-Type": JSON}
    is_refused(await gateway.http.post(f"/api/v1/{path}", content=b" " * size, headers=headers), 413)


def part(name: str, content: bytes, *more: str) -> bytes:
    head = "\r\n".join(("--b", f'Content-Disposition: form-data; name="{name}"', *more))
    return head.encode() + b"\r\n\r\n" + content + b"\r\n"


REPORT: Final = part("report", json.dumps(GOOD).encode(), "Content-Type: application/json")
PHOTO: Final = part("photo", photo_jpeg(80, 60), "Content-Type: image/jpeg")


@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"", (400,)),
        (MARK, (400,)),
        (REPORT, (400,)),
        (b"--b--\r\n", (422,)),
        (PHOTO + b"--b--\r\n", (422,)),
        (REPORT + PHOTO * 6 + b"--b--\r\n", (422,)),
        (REPORT + PHOTO * 100 + b"--b--\r\n", (422,)),
        (REPORT * 2 + b"--b--\r\n", (422,)),
        (REPORT + part(SECRET, b"x") + b"--b--\r\n", (422,)),
        (part("report", b"\xff\xfe" + MARK) + b"--b--\r\n", (400,)),
        (part("report", b"[" * 60_000) + b"--b--\r\n", (400, 422)),
        (part("report", b'{"%s": 1}' % MARK) + b"--b--\r\n", (422,)),
        (part("report", MARK, "Content-Type: application/pdf") + b"--b--\r\n", (415,)),
        (REPORT + part("photo", b"eA==", "Content-Transfer-Encoding: base64") + b"--b--\r\n", (415,)),
        (REPORT + part("photo", b"x" * (10 * MIB + 1)) + b"--b--\r\n", (413,)),
        (REPORT + part("photo", b"x", *(f"X-{n}: {SECRET}" for n in range(100))) + b"--b--\r\n", (400,)),
        (b"--b\r\n" * 1_000 + b"--b--\r\n", (400,)),
        (REPORT.replace(b"--b", b"--c") + b"--c--\r\n", (400,)),
    ],
    ids=range(18),
)
async def test_a_form_that_is_none_is_refused(gateway: Gateway, body: bytes, statuses: tuple[int, ...]) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    is_refused(await gateway.http.post("/api/v1/reports", content=body, headers=headers), *statuses)


async def test_what_a_socket_can_lie_about_is_answered_and_taken_once(city: City, gateway: Gateway) -> None:
    """Against the city itself: what `test_connections` shows of the server alone."""
    url = httpx.URL(city.base_url)
    key = b"Authorization: Bearer " + city.device_api_key.encode()
    path, body = "/api/v1/reports", json.dumps(GOOD).encode()
    host, port = url.host, url.port or 80
    both = post(path, body, key, b"Transfer-Encoding: chunked")
    assert (await say(host, port, both)).statuses == [400], "a length and chunks: smuggled past a proxy"
    # the report is inside the body of a request that is refused: it must not be taken for one of its own
    inside = post(path, post(path, body, key), key)
    assert (await say(host, port, inside, silence=0.5)).statuses == [400]
    assert (await say(host, port, post(path, body, key, length=len(body) - 5), silence=0.5)).statuses == [400]
    long = post(path, body, key, length=len(body) + 200) + post(path, body, key)[:200]
    assert (await say(host, port, long, silence=0.5)).statuses in ([400], [400, 400])
    parts = [body[at : at + 1] for at in range(len(body))]
    head = key + b"\r\nHost: x\r\n"
    assert (await say(host, port, chunked(path, *parts).replace(b"Host: x\r\n", head), 0.5)).statuses == [202]
    assert (await say(host, port, post(path, body, key) * 3, silence=1)).statuses == [202] * 3, "pipelined"
    await gateway.report(**GOOD)  # type: ignore[arg-type]
