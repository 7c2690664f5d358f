"""Whose it is: put into other hands and never out of sight; what is rejected and what is taken up again."""

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, JAM, Office, Person
from tests.dispatcher.factories import SUMMARECON, north_of


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR)


async def test_another_agency_has_it_and_everybody_sees_who_and_since_when(office: Office, operator: Person) -> None:
    officer = await office.officer("32.75/DLH")
    incident = await office.incident(DUMPING, SUMMARECON)
    await operator.command(incident["id"], "assign")
    leader = await office.staff(Role.DISPATCHER, "32.75/DLH")
    moved = await leader.command(incident["id"], "reroute", agency="DBMSDA", reason="Lubang di saluran, bukan sampah")
    assert (moved["status"], moved["agency"], moved["regency"]) == ("routed", "DBMSDA", "32.75")
    assert [one["status"] for one in moved["assignments"]] == ["released"] and moved["officers"] == []
    assert (await officer.get("/assignments", status="offered"))["items"] == []
    assert [(one["holder"], one["by"], one["reason"]) for one in moved["custody"]] == [
        ("32.75/DLH", "dispatcher", None),
        ("32.75/DBMSDA", leader.username, "Lubang di saluran, bukan sampah"),
    ]
    assert moved["custody"][1]["name"] == "Dinas Bina Marga dan Sumber Daya Air Kota Bekasi"
    await leader.get(f"/incidents/{incident['id']}", 404)
    tracked = await (await office.anyone()).get(f"/reports/{incident['code']}")
    assert tracked["agency"]["code"] == "DBMSDA" and "Lubang" not in str(tracked)
    assert [entry["agency"] and entry["agency"]["code"] for entry in tracked["history"]] == [
        None,
        "DLH",
        "DLH",
        "DBMSDA",
    ]


async def test_the_other_government_has_it_at_once_and_it_stays_open(office: Office, operator: Person) -> None:
    for n, verb in enumerate(("reroute", "transfer")):
        incident = await office.incident(JAM, north_of(SUMMARECON, 2000 * n))
        theirs = await office.staff(Role.DISPATCHER, "32.16/DISHUB")
        await theirs.get(f"/incidents/{incident['id']}", 404)
        body = {"agency": "DISHUB", "regency": "32.16"} if verb == "reroute" else {"to": "32.16"}
        moved = await operator.command(incident["id"], verb, reason="Di seberang batas", **body)
        assert (moved["status"], moved["agency"], moved["regency"]) == ("routed", "DISHUB", "32.16")
        assert moved["due_at"] and moved["custody"][-1]["holder"] == "32.16/DISHUB"
        assert (await theirs.get(f"/incidents/{incident['id']}"))["status"] == "routed"
        tracked = await (await office.anyone()).get(f"/reports/{incident['code']}")
        assert tracked["agency"]["name"] == "Dinas Perhubungan Kabupaten Bekasi"
        if verb == "transfer":
            assert [entry["status"] for entry in tracked["history"]] == ["new", "routed", "transferred", "routed"]
            assert tracked["history"][2]["note"] == "Di seberang batas"
            assert (await operator.command(incident["id"], "transfer", to="32.75/DLH", reason="Ternyata kami"))[
                "agency"
            ] == "DLH"


async def test_an_outside_body_has_it_until_it_is_taken_back(office: Office, operator: Person) -> None:
    incident = await office.incident(JAM, SUMMARECON)
    leader = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    gone = await leader.command(incident["id"], "transfer", to="TOLL", reason="Ruas tol Jakarta-Cikampek")
    assert (gone["status"], gone["transferred_to"], gone["due_at"]) == ("transferred", "TOLL", None)
    assert (gone["custody"][-1]["name"], gone["custody"][-1]["by"]) == ("Operator jalan tol", leader.username)
    citizen = await office.anyone()
    tracked = await citizen.get(f"/reports/{incident['code']}")
    assert (tracked["status_label"], tracked["agency"]["code"]) == ("Diteruskan", "TOLL")
    assert tracked["history"][-1]["note"] == "Ruas tol Jakarta-Cikampek" and not tracked["can_reopen"]
    back = await leader.command(incident["id"], "reopen", reason="Tol menolak, ini jalan kota")
    assert (back["status"], back["agency"], back["transferred_to"]) == ("routed", "DISHUB", None)
    assert back["due_at"] and back["reopened_at"] and back["custody"][-1]["holder"] == "32.75/DISHUB"
    tracked = await citizen.get(f"/reports/{incident['code']}")
    assert (tracked["status"], tracked["status_label"]) == ("routed", "Dibuka kembali")
    assert (await office.pool.fetchval("SELECT on_board FROM incident WHERE id = $1", incident["id"])) is True


@pytest.mark.parametrize(
    ("verb", "body", "field"),
    [
        ("reroute", {"agency": "DISHUB", "reason": "x"}, "agency"),
        ("reroute", {"agency": "PLN", "reason": "x"}, "agency"),
        ("reroute", {"agency": "PUPR", "reason": "x"}, "agency"),
        ("reroute", {"agency": "DLH"}, "reason"),
        ("transfer", {"to": "32.75", "reason": "x"}, "to"),
        ("transfer", {"to": "32.75/DLH", "reason": "x"}, "to"),
        ("transfer", {"to": "32.16/PLN", "reason": "x"}, "to"),
        ("transfer", {"to": "Jakarta", "reason": "x"}, "to"),
        ("transfer", {"to": "", "reason": "x"}, "to"),
        ("transfer", {"to": "PLN"}, "reason"),
        ("reject", {"reason": "\u2800"}, "reason"),
    ],
)
async def test_what_cannot_be_meant_is_422_and_changes_nothing(
    office: Office, operator: Person, verb: str, body: dict[str, str], field: str
) -> None:
    incident = await office.incident(JAM, SUMMARECON)
    refused = await operator.command(incident["id"], verb, 422, **body)
    assert [error["field"] for error in refused["errors"]] == [field]
    assert (await operator.get(f"/incidents/{incident['id']}"))["status"] == "routed"


async def test_in_triage_an_agency_is_named_with_its_government(office: Office, operator: Person) -> None:
    incident = await office.incident("Tolong ya pak", SUMMARECON)
    refused = await operator.command(incident["id"], "reroute", 422, agency="DLH", reason="x")
    assert refused["errors"][0]["field"] == "regency"
    refused = await operator.command(incident["id"], "transfer", 422, to="32.16", reason="x")
    assert refused["errors"][0]["field"] == "to"
    moved = await operator.command(incident["id"], "reroute", agency="DLH", regency="32.75", reason="Sampah")
    assert (moved["status"], moved["agency"]) == ("routed", "DLH")


async def test_what_is_rejected_tells_the_citizen_why_and_can_be_taken_up_again(
    office: Office, operator: Person
) -> None:
    officer = await office.officer()
    incident = await office.incident(JAM, SUMMARECON)
    await operator.command(incident["id"], "assign")
    gone = await operator.command(incident["id"], "reject", reason="Foto lama dari kota lain")
    assert gone["status"] == "rejected" and gone["officers"] == []
    assert (await officer.get("/assignments", status="offered"))["items"] == []
    citizen = await office.anyone()
    tracked = await citizen.get(f"/reports/{incident['code']}")
    assert (tracked["status_label"], tracked["history"][-1]["note"]) == ("Ditolak", "Foto lama dari kota lain")
    again = await operator.command(incident["id"], "reopen", reason="Kami keliru")
    assert again["status"] == "routed"
    assert (await citizen.get(f"/reports/{incident['code']}"))["status_label"] == "Dibuka kembali"
    await operator.command(incident["id"], "assign")
    assert (await citizen.get(f"/reports/{incident['code']}"))["status_label"] == "Disposisi"


@pytest.mark.parametrize("verb", ["reject", "transfer", "close"])
async def test_a_report_after_the_end_opens_a_successor_that_names_it(
    office: Office, operator: Person, verb: str
) -> None:
    first = await office.incident(JAM, SUMMARECON)
    match verb:
        case "reject":
            await operator.command(first["id"], "reject", reason="Tidak ada apa-apa")
        case "transfer":
            await operator.command(first["id"], "transfer", to="PLN", reason="Tiang roboh")
        case _:
            await operator.command(first["id"], "resolve", note="Lancar")
            await operator.command(first["id"], "close")
    second = await office.incident(JAM, north_of(SUMMARECON, 20))
    assert second["id"] != first["id"]
    assert (await operator.get(f"/incidents/{second['id']}"))["predecessor"] == first["id"]
    before = await operator.get(f"/incidents/{first['id']}")
    assert before["successors"] == [second["id"]] and before["report_count"] == 1
