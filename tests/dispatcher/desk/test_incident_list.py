"""The list of incidents: each filter, pages that lose and repeat nothing, and the formats of other programs."""

import csv
import io
from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Office, Person
from tests.dispatcher.factories import CIKARANG, MONAS, SUMMARECON, north_of


@pytest.fixture(scope="module")
async def operator(office: Office) -> Person:
    return await office.staff(Role.OPERATOR)


@pytest.fixture(scope="module")
async def city(office: Office, operator: Person) -> dict[str, str]:
    """Incidents by a word for each."""
    found = {
        "jam": (await office.incident("Macet total di Summarecon, tidak bergerak", SUMMARECON))["id"],
        "waste": (await office.incident(DUMPING, north_of(SUMMARECON, 700)))["id"],
        "kabupaten": (await office.incident(place=CIKARANG))["id"],
        "unclear": (await office.incident("100% tolong_ya =cmd", north_of(SUMMARECON, 1500)))["id"],
        "outside": (await office.incident(place=MONAS))["id"],
        "flood": (await office.incident("Banjir setinggi lutut, rumah terendam", north_of(SUMMARECON, 2500)))["id"],
    }
    await operator.command(found["waste"], "resolve", note="Sudah diangkut")
    await operator.command(found["waste"], "close")
    return found


async def ids(person: Person, **parameters: Any) -> list[str]:
    return [row["id"] for row in (await person.get("/incidents", **parameters))["items"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"jam", "waste", "kabupaten", "unclear", "outside", "flood"}),
        ({"status": "open"}, {"jam", "kabupaten", "unclear", "flood"}),
        ({"status": "closed,transferred"}, {"waste", "outside"}),
        ({"status": ["triage", "closed"]}, {"waste", "unclear"}),
        ({"agency": "DISHUB"}, {"jam", "kabupaten"}),
        ({"agency": "DISHUB", "regency": "32.16"}, {"kabupaten"}),
        ({"regency": "32.75,32.16"}, {"jam", "waste", "kabupaten", "flood"}),
        ({"category": ["traffic_jam", "flood"], "status": "open"}, {"jam", "kabupaten", "flood"}),
        ({"kecamatan": "32.75.03"}, {"jam", "waste", "unclear", "flood"}),
        ({"priority": "high,critical"}, {"flood"}),
        ({"bbox": "106.99,-6.24,107.01,-6.20"}, {"jam", "waste", "unclear", "flood"}),
        ({"q": "summarecon"}, {"jam"}),
        ({"q": "100% tolong_ya"}, {"unclear"}),
        ({"q": "100_"}, set()),
        ({"q": "%"}, {"unclear"}),
        ({"overdue": "true"}, set()),
        ({"overdue": "false", "category": "flood"}, {"flood"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # a set has no order of its own
)
async def test_filters_mean_what_they_say(
    operator: Person, city: dict[str, str], filters: dict[str, Any], expected: set[str]
) -> None:
    words = {incident_id: word for word, incident_id in city.items()}
    assert {words[one] for one in await ids(operator, **filters)} == expected


async def test_the_newest_change_comes_first_and_since_is_inclusive(operator: Person, city: dict[str, str]) -> None:
    await operator.command(city["kabupaten"], "note", text="Sudah ditelepon")
    rows = (await operator.get("/incidents"))["items"]
    assert rows[0]["id"] == city["kabupaten"]
    times = [row["updated_at"] for row in rows]
    assert times == sorted(times, reverse=True)
    third = times[2]
    assert await ids(operator, since=third) == [row["id"] for row in rows[:3]]
    assert await ids(operator, until=third) == [row["id"] for row in rows[3:]]
    in_jakarta = datetime.fromisoformat(third).astimezone().isoformat()
    assert await ids(operator, since=in_jakarta) == [row["id"] for row in rows[:3]]


async def test_what_is_late_is_overdue_until_it_is_done(office: Office, operator: Person, city: dict[str, str]) -> None:
    await office.pool.execute(
        "UPDATE incident SET due_at = now() - $1::interval WHERE id = ANY($2)",
        timedelta(minutes=1),
        [city["jam"], city["waste"]],
    )
    assert await ids(operator, overdue="true") == [city["jam"]]
    assert city["jam"] not in await ids(operator, overdue="false")


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 7])
async def test_pages_hold_each_incident_once(operator: Person, city: dict[str, str], limit: int) -> None:
    whole = await ids(operator)
    found: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await operator.get("/incidents", limit=limit, **cursor)
        found += [row["id"] for row in page["items"]]
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == limit
        cursor = {"cursor": page["next_cursor"]}
    assert found == whole


async def test_incidents_of_one_moment_are_all_on_some_page(office: Office, operator: Person) -> None:
    await office.pool.execute("UPDATE incident SET updated_at = '2026-11-20T08:00:00.123456Z'")
    first = await operator.get("/incidents", limit=4)
    second = await operator.get("/incidents", limit=4, cursor=first["next_cursor"])
    found = [row["id"] for row in first["items"] + second["items"]]
    assert len(found) == len(set(found)) == 6 and second["next_cursor"] is None


async def test_a_map_gets_geojson(operator: Person, city: dict[str, str]) -> None:
    answer = await operator.http.get("/api/v1/incidents", headers={"Accept": "application/geo+json, */*;q=0.5"})
    assert answer.headers["content-type"] == "application/geo+json" and "Accept" in answer.headers["vary"]
    collection = answer.json()
    assert collection["type"] == "FeatureCollection"
    [jam] = [feature for feature in collection["features"] if feature["id"] == city["jam"]]
    assert jam["type"] == "Feature" and jam["properties"]["title"].startswith("Kemacetan")
    assert jam["geometry"] == {"type": "Point", "coordinates": [SUMMARECON[1], SUMMARECON[0]]}


async def test_a_spreadsheet_gets_csv_without_formulas(office: Office, operator: Person, city: dict[str, str]) -> None:
    await office.pool.execute("UPDATE incident SET address = $2 WHERE id = $1", city["jam"], '=HYPERLINK("x"),\r\n"b"')
    answer = await operator.http.get("/api/v1/incidents", params={"format": "csv", "limit": 5})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    following = answer.headers["link"].partition(">")[0].lstrip("<")
    rows += list(csv.DictReader(io.StringIO((await operator.http.get(following)).text, newline="")))
    [jam] = [row for row in rows if row["id"] == city["jam"]]
    assert jam["address"] == '\'=HYPERLINK("x"),\r\n"b"'
    assert float(jam["lat"]) == SUMMARECON[0], "a negative number is a number"
    assert len(rows) == 6


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=501", "limit=-1", "limit=1e2", "limit=ten", "limit=", "limit=1&limit=2", "limit=٣",
        "status=done", "status=", "status=open,", "agency=dishub", "regency=32.71", "category=jam", "priority=urgent",
        "kecamatan=Bekasi", "kecamatan=32.75.0٣",
        "bbox=1,2,3", "bbox=a,b,c,d", "bbox=nan,0,1,1", "bbox=107,-6.2,106,-6.1", "bbox=106,-95,107,-6",
        "bbox=1e3,0,1,1",
        "since=2026-11-20", "since=2026-11-20T08:00:00", "since=1700000000", "since=yesterday", "until=%00",
        "since=0001-01-01T00:00:00%2B07:00", "until=9999-12-31T23:59:59-07:00",
        "overdue=yes", "overdue=1", "q=", "q=%20", "q=" + "x" * 201, "q=a%00b", "format=xml",
        "cursor=abc", "cursor=%F0%9F%98%80", "cursor=e30=", "statuss=open", "cursor=" + "A" * 500,
    ],
)  # fmt: skip
async def test_a_parameter_that_means_nothing_is_refused_by_name_and_never_echoed(operator: Person, query: str) -> None:
    answer = await operator.http.get(f"/api/v1/incidents?{query}")
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    name, _, value = query.partition("=")
    assert [error["field"] for error in problem["errors"]] == [name]
    assert len(value) < 4 or value not in answer.text


async def test_a_plus_that_became_a_space_is_still_an_offset(operator: Person, city: dict[str, str]) -> None:
    answer = await operator.http.get("/api/v1/incidents?since=2020-01-01T00:00:00+07:00")
    assert answer.status_code == 200 and answer.json()["items"]
