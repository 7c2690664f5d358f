"""Texts that mean harm somewhere else: kept as they are written, and harmless wherever they come out."""

import asyncio
import csv
import io
import json
from typing import Final

import pytest

from tests.bad_input.test_bodies import GOOD, is_refused
from tests.city import City
from tests.people import Gateway, Json, Staff, until

MARK: Final = "tanda3275"
NASTY: Final = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "formula": "=cmd|'/c calc'!A1",
    "formula plus": "+62*1",
    "formula minus": "-1+1",
    "formula at": "@SUM(1+1)",
    "formula after a tab": "\t=1+1",
    "formula after a blank": " =1+1",
    "formula after a line": "\n=1+1",
    "formula in full width": "＝1+1",
    "crlf": "a\r\nSet-Cookie: x=1\r\n\r\n<html>",
    "ansi": "\x1b[2J\x1b[31mmerah\x1b]0;judul\x07",
    "sql": "'; DROP TABLE incident; -- \\'; SELECT pg_sleep(9) --",
    "template": "{{7*7}} ${7*7} #{7*7} <%= 7*7 %> %s %(x)s {0} ${jndi:ldap://x/a}",
    "quotes": '"\'`,;\\""',
    "right to left": "\u202egpj.exe\u202c \u2066x\u2069",
    "zero width": "ban\u200bjir\u200d \ufeffdi\u2060sini",
    "zalgo": "b̷̢̛͈a̸̡n̶̨͎j̴̧i̵̢r̸̡" * 20,
    "emoji": "🚧👨‍👩‍👧‍👦🇮🇩" * 10,
    "homoglyphs": "Jаlаn Аhmаd Yаni (Cyrillic а)",
    "nik": "NIK 3275012345670001, HP 0812-3456-7890",
    "controls": "a\x01\x08\x0b\x1f\x7fb",
    "not normal": "e\u0301 \u1e9b\u0323 ﬁ \U000e0001",
}
FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")


@pytest.fixture(scope="module")
async def kept(city: City, gateway: Gateway) -> dict[str, Json]:
    """Each text as description and address of a report of its own, 3 km from the next, once it is an incident."""
    receipts = {}
    for n, (name, text) in enumerate(NASTY.items()):
        where = {"lat": -6.17 - (n % 5) * 0.03, "lon": 106.97 + n // 5 * 0.03}
        receipts[name] = await gateway.report(f"{text} {MARK}", address=f"{text[:280]} {MARK}", **where)
    tracked = await asyncio.gather(*(gateway.tracked(one["tracking_code"]) for one in receipts.values()))
    return dict(zip(receipts, tracked, strict=True))


@pytest.mark.parametrize("name", NASTY)
async def test_a_text_is_kept_as_it_was_written_and_shown_to_staff_alone(
    kept: dict[str, Json], operator: Staff, name: str
) -> None:
    incident = await operator.incident(kept[name]["incident_id"])
    assert f"{NASTY[name]} {MARK}" in [one["description"] for one in incident["reports"]]
    assert MARK not in incident["title"], "titles are made of our words"
    assert MARK not in json.dumps(kept[name]), "who tracks a report reads no words of citizens"
    answer = await operator.http.get(f"/api/v1/incidents/{incident['id']}")
    assert answer.headers["content-type"] == "application/json"


async def test_a_spreadsheet_reads_no_formula_and_no_row_too_many(kept: dict[str, Json], operator: Staff) -> None:
    answer = await operator.http.get("/api/v1/incidents", params={"format": "csv", "q": MARK, "limit": 500})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].startswith("attachment")
    head, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert {row[head.index("id")] for row in rows} >= {one["incident_id"] for one in kept.values()}
    assert {len(row) for row in rows} == {len(head)}
    numbers = {head.index(name) for name in ("lat", "lon")}
    for row in rows:
        for column, cell in enumerate(row):
            assert column in numbers or not cell.strip(" ").startswith(FORMULA), repr(cell)


async def test_logs_keep_no_words_of_citizens(kept: dict[str, Json], city: City) -> None:
    files = sorted((city.data_dir / "log").glob("*.log"))
    assert files
    for path in files:
        text = path.read_bytes()
        assert MARK.encode() not in text, path.name
        assert b"3275012345670001" not in text, path.name


async def test_a_search_takes_any_words(kept: dict[str, Json], operator: Staff) -> None:
    for text in (*NASTY.values(), "%", "_", "\\", "%%%%%" * 30, "'", "a" * 200):
        answer = await operator.http.get("/api/v1/incidents", params={"q": text[:200], "limit": 5})
        assert answer.status_code == 200, answer.text
    nothing = await operator.http.get("/api/v1/incidents", params={"q": f"{MARK}%{MARK}"})
    assert nothing.json()["items"] == [], "a percent sign is a percent sign"
    is_refused(await operator.http.get("/api/v1/incidents", params={"q": "a\x00b"}), 422)
    is_refused(await operator.http.get("/api/v1/incidents", params={"q": "x" * 201}), 422)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\t\r\n",
        "\u200b\u200c\u200d\ufeff",
        "\u202e\u2066",
        "\u00ad\u2060",
        "\u3000\u00a0",
        "a\x00b",
        "x" * 4001,
    ],
    ids=ascii,
)
@pytest.mark.parametrize("field", ["description", "address", "name"])
async def test_a_text_that_nobody_can_read_is_refused(gateway: Gateway, field: str, text: str) -> None:
    body: Json = {**GOOD, "reporter": {"name": text}} if field == "name" else {**GOOD, field: text}
    expected = "reporter.name" if field == "name" else field
    assert is_refused(await gateway.http.post("/api/v1/reports", json=body), 422)["errors"][0]["field"] == expected


async def test_a_megabyte_of_text_is_refused_and_the_next_report_is_taken(gateway: Gateway) -> None:
    for text in ("x" * 2**20, "\u0300" * 2**18, "🚧" * 2**18):
        is_refused(await gateway.http.post("/api/v1/reports", json={**GOOD, "description": text}), 413, 422)
    receipt = await gateway.report(**GOOD)  # type: ignore[arg-type]

    async def known() -> bool:
        return bool((await gateway.track(receipt["tracking_code"]))["incident_id"])

    await until(known, what="the report after the megabyte")
