"""Who may do what: every route of the desk, asked by every role and by nobody; and what a scope shows and hides."""

from collections.abc import Awaitable, Callable
from functools import reduce
from typing import Final

import pytest

from dispatcher.desk import device_keys
from infra.access import DeviceScope
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Json, Office, Person
from tests.dispatcher.factories import CIKARANG, SUMMARECON, north_of

ANY: Final = frozenset(Role)
IN_THE_FIELD: Final = frozenset({Role.OFFICER, Role.DISPATCHER, Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
IN_CHARGE: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
RULE_MAKERS: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})
AT_A_DESK: Final = frozenset({Role.AGENT, Role.OPERATOR, Role.SUPERVISOR, Role.DISPATCHER, Role.ADMIN})
NOBODY: Final = "nobody"
#: What stands in a path for what is asked for.
IN_PATHS: Final = {
    "{incident_id}": "{id}",
    "{assignment_id}": "ASG-0",
    "{draft_id}": "RUL-0",
    "{version}": "0",
    "{notification_id}": "NTF-0",
    "{regency}": "32.75",
    "{code}": "CODE",
    "{handover_id}": "HND-0",
    "{text_id}": "TXT-0",
    "{filter_id}": "FLT-0",
}
#: There is no such draft: who may is told so where no body is looked at before.
NOT_THERE: Final = frozenset(
    {
        ("GET", "/rules/drafts/RUL-0"),
        ("POST", "/rules/drafts/RUL-0/try"),
        ("GET", "/handovers/HND-0"),
        ("POST", "/notifications/NTF-0/acknowledge"),
        ("DELETE", "/standard-texts/TXT-0"),
        ("DELETE", "/saved-filters/FLT-0"),
    }
)

#: Route → who may. What they may not is 403, for nobody 401.
WALK: Final = {
    ("GET", "/me"): ANY,
    ("GET", "/incidents"): ANY,
    ("GET", "/incidents/{id}"): ANY,
    ("POST", "/incidents/{id}/triage"): IN_CHARGE,
    ("POST", "/incidents/{id}/assign"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/note"): IN_THE_FIELD | {Role.AGENT, Role.AREA_HEAD},
    ("POST", "/incidents/{id}/resolve"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/close"): IN_CHARGE,
    ("POST", "/incidents/{id}/reject"): IN_CHARGE,
    ("POST", "/incidents/{id}/reroute"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/transfer"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/reopen"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/hold"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/resume"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/merge"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/unmerge"): IN_CHARGE | {Role.DISPATCHER},
    ("POST", "/incidents/{id}/split"): IN_CHARGE | {Role.DISPATCHER},
    ("GET", "/hold-reasons"): ANY,
    ("GET", "/assignments"): IN_THE_FIELD,
    ("POST", "/assignments/ASG-0/accept"): {Role.OFFICER},
    ("POST", "/assignments/ASG-0/decline"): {Role.OFFICER},
    ("POST", "/assignments/ASG-0/depart"): {Role.OFFICER},
    ("POST", "/assignments/ASG-0/arrive"): {Role.OFFICER},
    ("POST", "/assignments/ASG-0/complete"): {Role.OFFICER},
    ("PUT", "/me/presence"): {Role.OFFICER},
    ("GET", "/officers"): IN_THE_FIELD,
    ("GET", "/agencies"): ANY,
    ("GET", "/categories"): ANY,
    ("GET", "/kecamatan"): ANY,
    ("PUT", "/agencies/32.75/CODE"): {Role.ADMIN},
    ("PUT", "/agencies/CODE"): {Role.ADMIN},
    ("PUT", "/categories/CODE"): {Role.ADMIN},
    ("GET", "/rules"): ANY,
    ("GET", "/rules/figures"): RULE_MAKERS,
    ("GET", "/rules/versions"): RULE_MAKERS,
    ("GET", "/rules/versions/0"): RULE_MAKERS,
    ("POST", "/rules/versions/0/apply"): RULE_MAKERS,
    ("GET", "/rules/drafts"): RULE_MAKERS,
    ("POST", "/rules/drafts"): RULE_MAKERS,
    ("GET", "/rules/drafts/RUL-0"): RULE_MAKERS,
    ("POST", "/rules/drafts/RUL-0/try"): RULE_MAKERS,
    ("POST", "/rules/drafts/RUL-0/apply"): RULE_MAKERS,
    ("GET", "/clocks"): ANY,
    ("PUT", "/clocks"): {Role.ADMIN},
    ("GET", "/calendars"): ANY,
    ("PUT", "/calendars"): {Role.ADMIN},
    ("GET", "/on-time"): ANY,
    ("GET", "/notifications"): ANY,
    ("POST", "/notifications/NTF-0/acknowledge"): ANY,
    ("POST", "/me/push-subscriptions"): ANY,
    ("DELETE", "/me/push-subscriptions"): ANY,
    ("PUT", "/me/notification-settings"): ANY,
    ("GET", "/notification-manners"): RULE_MAKERS,
    ("PUT", "/notification-manners"): RULE_MAKERS,
    ("GET", "/sensors"): ANY,
    ("GET", "/wifi-nodes"): ANY,
    ("GET", "/board"): ANY,
    ("GET", "/incidents/{id}/print"): ANY,
    ("GET", "/handover"): AT_A_DESK,
    ("GET", "/handovers"): AT_A_DESK,
    ("POST", "/handovers"): AT_A_DESK,
    ("GET", "/handovers/HND-0"): AT_A_DESK,
    ("POST", "/handovers/HND-0/take"): AT_A_DESK,
    ("GET", "/standard-texts"): ANY,
    ("POST", "/standard-texts"): {Role.SUPERVISOR, Role.ADMIN},
    ("PUT", "/standard-texts/TXT-0"): {Role.SUPERVISOR, Role.ADMIN},
    ("DELETE", "/standard-texts/TXT-0"): {Role.SUPERVISOR, Role.ADMIN},
    ("GET", "/saved-filters"): ANY,
    ("POST", "/saved-filters"): ANY,
    ("PUT", "/saved-filters/FLT-0"): ANY,
    ("DELETE", "/saved-filters/FLT-0"): ANY,
}


@pytest.fixture(scope="module")
async def people(office: Office) -> dict[str, Person]:
    """One of each role in Kota's Dishub and Bekasi Utara, and somebody without a session."""
    agency = {Role.OFFICER: "32.75/DISHUB", Role.DISPATCHER: "32.75/DISHUB"}
    found = {
        role.value: await office.staff(role, agency.get(role), "32.75.03" if role is Role.AREA_HEAD else None)
        for role in Role
    }
    return {**found, NOBODY: await office.anyone()}


@pytest.fixture(scope="module")
async def incident(office: Office, people: dict[str, Person]) -> Json:
    """A jam in Bekasi Utara, of Kota's Dishub."""
    return await office.incident(place=SUMMARECON)


@pytest.mark.parametrize(("method", "path"), WALK, ids=lambda part: str(part))
async def test_each_route_asks_who_is_there(people: dict[str, Person], incident: Json, method: str, path: str) -> None:
    for role, person in people.items():
        answer = await person.http.request(
            method, f"/api/v1{path.format(id=incident['id'])}", json={"no": "such field"}
        )
        if role == NOBODY:
            assert answer.status_code == 401, f"{role}: {answer.text}"
        elif Role(role) in WALK[method, path]:
            # Who may is told what is wrong with the body, where there is one.
            expected = 404 if (method, path) in NOT_THERE else 200 if method == "GET" else 422
            assert answer.status_code == expected, f"{role}: {answer.text}"
        else:
            assert answer.status_code == 403, f"{role}: {answer.text}"
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"


async def test_every_staff_route_is_on_the_walk(people: dict[str, Person]) -> None:
    document = (await people[NOBODY].http.get("/api/v1/openapi.json")).json()
    served = {
        (
            method.upper(),
            reduce(lambda asked, part: asked.replace(*part), IN_PATHS.items(), path).removeprefix("/api/v1"),
        )
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("security") and {} not in operation["security"]
    }
    assert served - {("DELETE", "/session")} == set(WALK)


@pytest.fixture(scope="module")
async def city(office: Office, incident: Json) -> dict[str, str]:
    """Incidents of several agencies and places, by a word for each."""
    return {
        "jam of Kota": incident["id"],
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
