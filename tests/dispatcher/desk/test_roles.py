"""What a scope shows and hides; who may do what is in tests/journeys/test_every_route_and_role.py."""

from collections.abc import Awaitable, Callable

import pytest

from dispatcher.desk import device_keys
from infra.access import DeviceScope
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Office, Person
from tests.dispatcher.factories import CIKARANG, SUMMARECON, north_of


@pytest.fixture(scope="module")
async def city(office: Office) -> dict[str, str]:
    """Incidents of several agencies and places, by a word for each."""
    return {
        "jam of Kota": (await office.incident(place=SUMMARECON))["id"],
        "waste of Kota": (await office.incident(DUMPING, north_of(SUMMARECON, 500)))["id"],
        "flood of Kota": (await office.incident("Banjir setinggi lutut, rumah terendam", north_of(SUMMARECON, 900)))[
            "id"
        ],
        "jam of Kabupaten": (await office.incident(place=CIKARANG))["id"],
        "unclear": (await office.incident("Tolong ya pak", north_of(SUMMARECON, 1500)))["id"],
    }


Seen = Callable[[Person], Awaitable[set[str]]]


@pytest.fixture
def seen(city: dict[str, str]) -> Seen:
    async def ask(person: Person) -> set[str]:
        words = {incident_id: word for word, incident_id in city.items()}
        listed = {words[row["id"]] for row in (await person.get("/incidents"))["items"] if row["id"] in words}
        for word, incident_id in city.items():
            await person.get(f"/incidents/{incident_id}", 200 if word in listed else 404)
        return listed

    return ask


@pytest.mark.parametrize(
    ("role", "agency", "kecamatan", "expected"),
    [
        (Role.OPERATOR, None, None, {"jam of Kota", "waste of Kota", "flood of Kota", "jam of Kabupaten", "unclear"}),
        (Role.EXECUTIVE, None, None, {"jam of Kota", "waste of Kota", "flood of Kota", "jam of Kabupaten", "unclear"}),
        (Role.OFFICER, "32.75/DISHUB", None, {"jam of Kota"}),
        (Role.OFFICER, "32.16/DISHUB", None, {"jam of Kabupaten"}),
        (Role.DISPATCHER, "32.75/DLH", None, {"waste of Kota"}),
        (Role.DISPATCHER, "32.75/BPBD", None, {"flood of Kota"}),
        (Role.OPERATOR, "32.75/DBMSDA", None, {"flood of Kota"}),
        (Role.OPERATOR, "32.16/DLH", None, set()),
        (Role.AREA_HEAD, None, "32.16.06", set()),
        (Role.AREA_HEAD, None, "32.75.03", {"jam of Kota", "waste of Kota", "flood of Kota", "unclear"}),
    ],
)
async def test_a_scope_shows_what_is_ones_own_in_list_and_detail_alike(
    office: Office, seen: Seen, role: Role, agency: str | None, kecamatan: str | None, expected: set[str]
) -> None:
    assert await seen(await office.staff(role, agency, kecamatan)) == expected


async def test_a_verb_outside_the_scope_is_404_and_changes_nothing(office: Office, city: dict[str, str]) -> None:
    dispatcher = await office.staff(Role.DISPATCHER, "32.75/DLH")
    refused = await dispatcher.post(f"/incidents/{city['jam of Kota']}/note", 404, version=1, text="x")
    unknown = await dispatcher.post("/incidents/INC-0000000000/note", 404, version=1, text="x")
    assert refused == unknown


async def test_executives_read_without_personal_data(office: Office, city: dict[str, str]) -> None:
    executive = await office.staff(Role.EXECUTIVE)
    story = await executive.get(f"/incidents/{city['unclear']}")
    assert story["report_count"] == len(story["reports"]) == 1
    [report] = story["reports"]
    assert (report["description"], report["tracking_code"], report["photos"]) == (None, None, [])
    assert (await executive.get("/incidents", q="Tolong ya"))["items"] == []


async def test_a_device_key_is_nobody_at_the_desk(office: Office) -> None:
    async with office.pool.acquire() as connection:
        key = await device_keys.add(connection, "gateway", list(DeviceScope))
    device = await office.anyone(Authorization=f"Bearer {key}")
    await device.get("/incidents", 401)
    answer = await device.http.post("/api/v1/feed/ticket")
    assert answer.status_code == 200
