"""Who reported: shown to those who talk with citizens, in their scope, for a reason, and each look is told."""

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Json, Office


@pytest.fixture(scope="module")
async def report(office: Office) -> Json:
    """A report of dumping whose reporter gave a name and a number."""
    found = await office.incident(DUMPING)
    await office.pool.execute(
        "INSERT INTO contact (report_id, name, phone, email, anonymous, given_at)"
        " VALUES ($1, 'Siti Aminah', '+62812000111', null, false, now())",
        found["report_id"],
    )
    return found


async def test_a_look_shows_the_contact_and_is_told_with_its_reason(office: Office, report: Json) -> None:
    for role in (Role.AGENT, Role.OPERATOR, Role.SUPERVISOR):
        person = await office.staff(role)
        shown = await person.get(f"/reports/{report['report_id']}/contact", reason="ask")
        assert (shown["name"], shown["phone"], shown["email"]) == ("Siti Aminah", "+62812000111", None)
        told = await office.pool.fetchrow("SELECT * FROM audit_entry WHERE actor = $1", person.username)
        assert (told["action"], told["subject"]) == ("contact_seen", f"report:{report['report_id']}")
        assert told["personal"] and told["detail"] == {"reason": "ask", "incident": report["id"]}
        assert "Siti" not in str(told) and "0812" not in str(told)


async def test_without_a_reason_or_out_of_scope_nothing_is_shown_and_no_look_is_told(
    office: Office, report: Json
) -> None:
    before = await office.pool.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'contact_seen'")
    path = f"/reports/{report['report_id']}/contact"
    operator = await office.staff(Role.OPERATOR)
    await operator.get(path, 422)
    await operator.get(path, 422, reason="curious")
    await operator.get("/reports/RPT-0000000000/contact", 404, reason="ask")
    await (await office.staff(Role.OPERATOR, "32.75/DISHUB")).get(path, 404, reason="ask")
    await (await office.staff(Role.OPERATOR, "32.16/DLH")).get(path, 404, reason="ask")
    for role, agency, area in (
        (Role.DISPATCHER, "32.75/DLH", None), (Role.OFFICER, "32.75/DLH", None), (Role.ADMIN, None, None),
        (Role.EXECUTIVE, None, None), (Role.AREA_HEAD, None, "32.75.03"),
    ):  # fmt: skip
        await (await office.staff(role, agency, area)).get(path, 403, reason="ask")
    await (await office.anyone()).get(path, 401, reason="ask")
    assert await office.pool.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'contact_seen'") == before


async def test_who_wants_to_stay_unnamed_stays_so(office: Office) -> None:
    report = await office.incident(DUMPING)
    await office.pool.execute(
        "INSERT INTO contact (report_id, name, phone, anonymous, given_at) VALUES ($1, 'Siti', '0812', true, now())",
        report["report_id"],
    )
    operator = await office.staff(Role.OPERATOR)
    shown = await operator.get(f"/reports/{report['report_id']}/contact", reason="inform")
    assert (shown["name"], shown["phone"], shown["anonymous"]) == (None, None, True)
    silent = await office.incident(DUMPING)
    shown = await operator.get(f"/reports/{silent['report_id']}/contact", reason="inform")
    assert (shown["name"], shown["anonymous"]) == (None, False)


async def test_no_other_answer_has_a_name_or_number_of_a_citizen(office: Office, report: Json) -> None:
    """Every question without a parameter of its own, and those about this incident, asked by who may ask most."""
    operator = await office.staff(Role.OPERATOR)
    document = office.app.openapi()
    asked = 0
    for path, methods in document["paths"].items():
        if "get" not in methods or path.endswith("/contact"):
            continue
        answer = await operator.http.get(
            path.format_map(
                {"incident_id": report["id"], "tracking_code": report["code"], **dict.fromkeys(_names(path), "x")}
            )
        )
        assert "Siti Aminah" not in answer.text and "62812000111" not in answer.text, path
        asked += answer.status_code == 200
    assert asked > 10


def _names(path: str) -> list[str]:
    known = ("incident_id", "tracking_code")
    return [part.strip("{}") for part in path.split("/") if part.startswith("{") and part.strip("{}") not in known]
