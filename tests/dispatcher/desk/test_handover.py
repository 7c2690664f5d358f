"""A shift is handed over: written by itself from what has happened, signed by both, kept as it was signed."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.desk.handover_content import digest_of
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Json, Office, Person
from tests.dispatcher.factories import BANTARGEBANG, CIKARANG, SUMMARECON, north_of


@pytest.fixture
async def rina(office: Office) -> Person:
    """The shift lead who goes home."""
    await office.forget_everything()
    await office.pool.execute("DELETE FROM handover")
    return await office.staff(Role.SUPERVISOR)


@pytest.fixture
async def dedi(office: Office) -> Person:
    """The shift lead who comes."""
    return await office.staff(Role.SUPERVISOR)


async def a_shift(office: Office, lead: Person) -> dict[str, Json]:
    """One at risk, one overdue, one on hold, one at work, one done, one over the border."""
    found = {
        "at risk": await office.incident(place=SUMMARECON),
        "overdue": await office.incident(DUMPING, BANTARGEBANG),
        "on hold": await office.incident("Jalan berlubang besar", north_of(SUMMARECON, 1500)),
        "at work": await office.incident(DUMPING, north_of(SUMMARECON, 700)),
        "done": await office.incident("Banjir setinggi lutut", north_of(SUMMARECON, 2500)),
        "elsewhere": await office.incident(place=CIKARANG),
    }
    await office.pool.execute(
        "UPDATE incident SET due_at = now() - interval '5 minutes' WHERE id = $1", found["overdue"]["id"]
    )
    await lead.command(found["on hold"]["id"], "hold", reason="bad_weather")
    officer = await office.officer("32.75/DLH", north_of(SUMMARECON, 600))
    await lead.command(found["at work"]["id"], "assign", officer_id=officer.username)
    offer = (await officer.get("/assignments"))["items"][0]
    await officer.act(offer, "accept")
    await lead.command(found["at risk"]["id"], "note", text="Kunci portal ada di pos satpam")
    await lead.command(found["done"]["id"], "resolve", note="Sudah surut")
    return found


async def test_it_tells_what_is_open_at_risk_on_hold_who_is_out_what_was_noted_and_what_changed(
    office: Office, rina: Person
) -> None:
    found = await a_shift(office, rina)
    ids = {name: one["id"] for name, one in found.items()}
    told = await rina.get("/handover")
    assert ids["at risk"] in {line["id"] for line in told["at_risk"]}, "a jam is due within three hours"
    assert [line["id"] for line in told["overdue"]] == [ids["overdue"]]
    (held,) = told["on_hold"]
    assert (held["id"], held["reason"], held["status"]) == (ids["on hold"], "bad_weather", "on_hold")
    assert held["since"] is not None and held["until"] is None
    (out,) = told["officers_out"]
    assert (out["incident_id"], out["status"]) == (ids["at work"], "accepted")
    notes = {(note["incident_id"], note["note"]) for note in told["notes"]}
    assert (ids["at risk"], "Kunci portal ada di pos satpam") in notes
    changed = {line["id"]: (line["was"], line["status"]) for line in told["changed"]}
    assert changed[ids["done"]] == (None, "resolved") and len(changed) == 6
    assert told["open"]["on_hold"] == 1 and sum(told["open"].values()) == 6
    assert told["happened"]["opened"] == 6 and told["happened"]["resolved"] == 1
    assert told["counts"]["changed"] == 6 and told["counts"]["on_hold"] == 1


async def test_what_changed_is_counted_from_when_the_shift_began(office: Office, rina: Person) -> None:
    incident = await office.incident(place=SUMMARECON)
    began = datetime.now(UTC)
    assert (await rina.get("/handover", since=began.isoformat()))["changed"] == []
    await rina.command(incident["id"], "resolve", note="Lancar")
    told = await rina.get("/handover", since=began.isoformat())
    assert [(line["was"], line["status"]) for line in told["changed"]] == [("routed", "resolved")]
    assert told["happened"] == {"resolved": 1}
    for since in (datetime.now(UTC) + timedelta(hours=1), datetime.now(UTC) - timedelta(days=8)):
        await rina.get("/handover", 422, since=since.isoformat())


async def test_both_sign_the_same_content_and_it_is_kept(office: Office, rina: Person, dedi: Person) -> None:
    found = await a_shift(office, rina)
    given = await rina.post("/handovers", 201, taker=dedi.username, note="Tenang sejak pukul dua")
    assert (given["giver"], given["taker"], given["taken_at"]) == (rina.username, dedi.username, None)
    assert given["digest"] == digest_of(given["content"])
    # What happens afterwards changes nothing of it.
    await rina.command(found["at risk"]["id"], "resolve", note="Lancar")
    await rina.post(f"/handovers/{given['id']}/take", 403)
    taken = await dedi.post(f"/handovers/{given['id']}/take", remark="Siap")
    assert taken["taken_at"] is not None and taken["remark"] == "Siap" and taken["content"] == given["content"]
    await dedi.post(f"/handovers/{given['id']}/take", 409)
    assert (await rina.get(f"/handovers/{given['id']}")) == taken
    (listed,) = (await dedi.get("/handovers"))["items"]
    assert listed["id"] == given["id"] and "content" not in listed
    signed = await office.pool.fetch(
        "SELECT actor, action, detail ->> 'digest' AS digest FROM audit_entry WHERE subject = $1 ORDER BY id",
        f"handover:{given['id']}",
    )
    assert [tuple(row) for row in signed] == [
        (rina.username, "handover_given", given["digest"]),
        (dedi.username, "handover_taken", given["digest"]),
    ]
    # The next one begins where this one ended.
    assert (await dedi.get("/handover"))["since"] == given["given_at"]


async def test_a_hand_over_goes_to_somebody_else_of_the_same_scope(office: Office, rina: Person) -> None:
    dlh = await office.staff(Role.DISPATCHER, "32.75/DLH")
    gone = await office.hire(Role.SUPERVISOR)
    await office.pool.execute("UPDATE account SET disabled_at = now() WHERE username = $1", gone)
    officer = await office.hire(Role.OFFICER, "32.75/DLH")
    for taker in (rina.username, dlh.username, gone, officer, "nobody-there"):
        refused = await rina.post("/handovers", 422, taker=taker)
        assert [error["field"] for error in refused["errors"]] == ["taker"]


async def test_an_agency_hands_over_its_own_work_and_sees_no_other_hand_over(
    office: Office, rina: Person, dedi: Person
) -> None:
    found = await a_shift(office, rina)
    of_the_city = await rina.post("/handovers", 201, taker=dedi.username)
    one, other = [await office.staff(Role.DISPATCHER, "32.75/DLH") for _ in range(2)]
    dishub = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    given = await one.post("/handovers", 201, taker=other.username)
    assert given["agencies"] == [{"regency": "32.75", "agency": "DLH"}]
    told = {line["id"] for line in given["content"]["changed"]}
    assert told == {found["overdue"]["id"], found["at work"]["id"]}
    assert [row["id"] for row in (await other.get("/handovers"))["items"]] == [given["id"]]
    assert (await dishub.get("/handovers"))["items"] == []
    for handover in (of_the_city, given):
        await dishub.get(f"/handovers/{handover['id']}", 404)
        await dishub.post(f"/handovers/{handover['id']}/take", 404)
    assert {row["id"] for row in (await rina.get("/handovers"))["items"]} == {of_the_city["id"], given["id"]}
    await other.post(f"/handovers/{given['id']}/take")


async def test_lists_of_hand_overs_come_in_pages(office: Office, rina: Person, dedi: Person) -> None:
    made = [(await rina.post("/handovers", 201, taker=dedi.username))["id"] for _ in range(3)]
    first = await rina.get("/handovers", limit=2)
    rest = await rina.get("/handovers", limit=2, cursor=first["next_cursor"])
    assert [row["id"] for row in (*first["items"], *rest["items"])] == made[::-1] and rest["next_cursor"] is None
    await rina.get("/handovers/no%20id", 404)
