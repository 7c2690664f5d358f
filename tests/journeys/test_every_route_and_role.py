"""Every operation of the running city, asked by every role, by nobody and by a device key: who is let in, and who not.

The table is written by hand. An operation without a row fails, and so does a row without an operation.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Final

import httpx
import pytest

from schemas.vocabulary import Role
from tests.city import City
from tests.people import Citizen, Gateway, Person, Staff

ANYBODY: Final = frozenset({*Role, "nobody", "device"})
STAFF: Final = frozenset(Role)
IN_CHARGE: Final = frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.ADMIN})
LEADING: Final = IN_CHARGE | {Role.DISPATCHER}
IN_THE_FIELD: Final = LEADING | {Role.OFFICER}
SHIFT_LEADS: Final = frozenset({Role.SUPERVISOR, Role.ADMIN})
ROSTER: Final = SHIFT_LEADS | {Role.DISPATCHER}
DESKS: Final = LEADING | {Role.AGENT}
OFFICER: Final = frozenset({Role.OFFICER})
ADMIN: Final = frozenset({Role.ADMIN})
TALKERS: Final = frozenset({Role.AGENT, Role.OPERATOR, Role.SUPERVISOR})

#: Who is let in: told what is wrong with what was asked, at most. The others: nobody and devices 401, staff 403.
TABLE: Final[Mapping[str, frozenset[str]]] = {
    # citizens, gateways, sensors
    "POST /reports": ANYBODY,
    "GET /reports/{tracking_code}": ANYBODY,
    "POST /reports/{tracking_code}/feedback": ANYBODY,
    "POST /reports/{tracking_code}/push-subscriptions": ANYBODY,
    "DELETE /reports/{tracking_code}/push-subscriptions": ANYBODY,
    "PUT /reports/{tracking_code}/notification-settings": ANYBODY,
    "GET /push-key": ANYBODY,
    "GET /config": ANYBODY,
    "GET /map/base.geojson": ANYBODY,
    "POST /feed/ticket": ANYBODY,
    "POST /telemetry": frozenset({"device"}),
    "POST /photos": STAFF,
    "GET /photos/{photo_id}": STAFF,
    # the own account
    "POST /session": ANYBODY,
    "DELETE /session": ANYBODY,
    "POST /password-reset": ANYBODY,
    "GET /me": STAFF,
    "PUT /me/password": STAFF,
    "POST /me/totp": STAFF,
    "PUT /me/totp": STAFF,
    "POST /me/totp/remove": STAFF,
    "GET /me/sessions": STAFF,
    "DELETE /me/sessions": STAFF,
    "DELETE /me/sessions/{session_id}": STAFF,
    "PUT /me/presence": OFFICER,
    "POST /me/push-subscriptions": STAFF,
    "DELETE /me/push-subscriptions": STAFF,
    "PUT /me/notification-settings": STAFF,
    "GET /notifications": STAFF,
    "POST /notifications/{notification_id}/acknowledge": STAFF,
    "GET /saved-filters": STAFF,
    "POST /saved-filters": STAFF,
    "PUT /saved-filters/{filter_id}": STAFF,
    "DELETE /saved-filters/{filter_id}": STAFF,
    # accounts and keys
    "GET /users": ADMIN,
    "POST /users": ADMIN,
    "GET /users/{username}": ADMIN,
    "PATCH /users/{username}": ADMIN,
    "POST /users/{username}/password-reset": ADMIN,
    "DELETE /users/{username}/totp": ADMIN,
    "DELETE /users/{username}/sessions": ADMIN,
    "GET /device-keys": ADMIN,
    "POST /device-keys": ADMIN,
    "DELETE /device-keys/{key_id}": ADMIN,
    # incidents
    "GET /incidents": STAFF,
    "GET /incidents/{incident_id}": STAFF,
    "GET /incidents/{incident_id}/print": STAFF,
    "GET /incidents/{incident_id}/recommendations": LEADING,
    "GET /reports/{report_id}/contact": TALKERS,
    "POST /incidents/{incident_id}/triage": IN_CHARGE,
    "POST /incidents/{incident_id}/reroute": LEADING,
    "POST /incidents/{incident_id}/assign": LEADING,
    "POST /incidents/{incident_id}/hold": LEADING,
    "POST /incidents/{incident_id}/resume": LEADING,
    "POST /incidents/{incident_id}/merge": LEADING,
    "POST /incidents/{incident_id}/unmerge": LEADING,
    "POST /incidents/{incident_id}/split": LEADING,
    "POST /incidents/{incident_id}/note": STAFF - {Role.EXECUTIVE},
    "POST /incidents/{incident_id}/resolve": LEADING,
    "POST /incidents/{incident_id}/close": IN_CHARGE,
    "POST /incidents/{incident_id}/reject": IN_CHARGE,
    "POST /incidents/{incident_id}/transfer": LEADING,
    "POST /incidents/{incident_id}/reopen": LEADING,
    "GET /board": STAFF,
    # officers and their work
    "GET /assignments": IN_THE_FIELD,
    "POST /assignments/{assignment_id}/accept": OFFICER,
    "POST /assignments/{assignment_id}/decline": OFFICER,
    "POST /assignments/{assignment_id}/depart": OFFICER,
    "POST /assignments/{assignment_id}/arrive": OFFICER,
    "POST /assignments/{assignment_id}/complete": OFFICER,
    "GET /officers": IN_THE_FIELD,
    "PUT /officers/{officer_id}/skills": ROSTER,
    "GET /coverage": LEADING,
    "GET /shifts": IN_THE_FIELD,
    "POST /shifts": ROSTER,
    "PUT /shifts/{shift_id}": ROSTER,
    "DELETE /shifts/{shift_id}": ROSTER,
    "POST /shifts/import": ROSTER,
    "GET /staffing": LEADING,
    "PUT /staffing": SHIFT_LEADS,
    "GET /handover": DESKS,
    "GET /handovers": DESKS,
    "POST /handovers": DESKS,
    "GET /handovers/{handover_id}": DESKS,
    "POST /handovers/{handover_id}/take": DESKS,
    # what the city has decided
    "GET /agencies": STAFF,
    "PUT /agencies/{code}": ADMIN,
    "PUT /agencies/{regency}/{code}": ADMIN,
    "GET /categories": STAFF,
    "PUT /categories/{code}": ADMIN,
    "GET /kecamatan": STAFF,
    "GET /sensors": STAFF,
    "GET /wifi-nodes": STAFF,
    "GET /hold-reasons": STAFF,
    "GET /standard-texts": STAFF,
    "POST /standard-texts": SHIFT_LEADS,
    "PUT /standard-texts/{text_id}": SHIFT_LEADS,
    "DELETE /standard-texts/{text_id}": SHIFT_LEADS,
    "GET /notification-manners": SHIFT_LEADS,
    "PUT /notification-manners": SHIFT_LEADS,
    "GET /clocks": STAFF,
    "PUT /clocks": ADMIN,
    "GET /calendars": STAFF,
    "PUT /calendars": ADMIN,
    "GET /on-time": STAFF,
    "GET /rules": STAFF,
    "GET /rules/figures": SHIFT_LEADS,
    "GET /rules/versions": SHIFT_LEADS,
    "GET /rules/versions/{version}": SHIFT_LEADS,
    "POST /rules/versions/{version}/apply": SHIFT_LEADS,
    "GET /rules/drafts": SHIFT_LEADS,
    "POST /rules/drafts": SHIFT_LEADS,
    "GET /rules/drafts/{draft_id}": SHIFT_LEADS,
    "POST /rules/drafts/{draft_id}/try": SHIFT_LEADS,
    "POST /rules/drafts/{draft_id}/apply": SHIFT_LEADS,
}
#: Who asks this, is signed in no more.
_ENDS_ITSELF: Final = "DELETE /session"
#: Sign-ins and guesses are throttled, whoever lets them be.
_GOOD: Final = (200, 202, 204, 400, 404, 409, 415, 422, 429)
_AGENCY: Final = {Role.OFFICER: "32.75/DISHUB", Role.DISPATCHER: "32.75/DISHUB"}


@pytest.fixture(scope="module")
async def callers(city: City) -> AsyncIterator[Mapping[str, Person]]:
    """One of each role, a device key, and somebody without either."""
    async with AsyncExitStack() as opened:
        found: dict[str, Person] = {}
        for role in Role:
            name = f"walk-{role.replace('_', '-')}"
            await asyncio.to_thread(_add, city, name, role)
            found[role] = await opened.enter_async_context(Staff(city, name, city.staff_password))
        found["device"] = await opened.enter_async_context(Gateway(city))
        found["nobody"] = await opened.enter_async_context(Citizen(city))
        yield found


def _add(city: City, name: str, role: Role) -> None:
    scope = ["--agency", _AGENCY[role]] if role in _AGENCY else ["--kecamatan", "32.75.03"] * (role is Role.AREA_HEAD)
    done = city.patriot(
        "user", "add", name, "--role", role, *scope, "--data-dir", str(city.data_dir), "--password-stdin",
        stdin=city.staff_password + "\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
async def code(city: City) -> str:
    """A tracking code that was given out: others are throttled, for every test from this address."""
    async with Citizen(city) as citizen:
        code: str = (await citizen.report("Pohon tumbang di pinggir jalan", lat=-6.2601, lon=107.0011))["tracking_code"]
        return code


async def ask(person: Person, operation: str, code: str = "") -> httpx.Response:
    """The operation, about things that there are not, with a body that nothing takes."""
    method, path = operation.split(" ")
    path = re.sub(r"\{\w+\}", "0", path.replace("{tracking_code}", code))
    return await person.http.request(method, f"/api/v1{path}", json=None if method == "GET" else {"no": "such field"})


async def test_every_operation_has_a_row_and_every_row_an_operation(citizen: Citizen) -> None:
    document = (await citizen.http.get("/api/v1/openapi.json")).json()
    served = {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert served - set(TABLE) == set(), "add a row for each: who is let in?"
    assert set(TABLE) - served == set()


@pytest.mark.parametrize("operation", [row for row in TABLE if row != _ENDS_ITSELF])
async def test_who_is_let_in_and_who_is_not(callers: Mapping[str, Person], code: str, operation: str) -> None:
    for caller, person in callers.items():
        answer = await ask(person, operation, code)
        said = f"{caller}: {answer.status_code} {answer.text}"
        if caller in TABLE[operation]:
            assert answer.status_code in _GOOD, said
        elif caller in ("nobody", "device") or operation == "POST /telemetry":
            assert answer.status_code == 401, said
        else:
            assert answer.status_code == 403, said
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", said


async def test_whoever_signs_out_is_signed_out_and_nobody_is_told_so_too(
    city: City, callers: Mapping[str, Person]
) -> None:
    for role in Role:
        async with Staff(city, f"walk-{role.replace('_', '-')}", city.staff_password) as person:
            assert (await ask(person, _ENDS_ITSELF)).status_code == 204
            assert (await person.http.get("/api/v1/me")).status_code == 401
    for caller in ("nobody", "device"):
        assert (await ask(callers[caller], _ENDS_ITSELF)).status_code == 204
