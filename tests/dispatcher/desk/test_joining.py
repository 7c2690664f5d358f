"""Merge, split and undoing both: every reporter is served, and counts and evidence agree after any sequence."""

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher import evidence_store, incident_store
from dispatcher.decisions.tally import tally
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, JAM, Json, Office, Person, elsewhere
from tests.dispatcher.factories import MINUTE, SUMMARECON, north_of, speeds


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR)


@pytest.fixture
async def two(office: Office, operator: Person) -> tuple[Json, Json]:
    """Two jams that rules took for two."""
    first, second = await office.incident(JAM, SUMMARECON), await office.incident(JAM, north_of(SUMMARECON, 600))
    assert first["id"] != second["id"]
    return first, second


async def agrees(office: Office, operator: Person) -> dict[str, str]:
    """What is stored, counted and shown is the same, and every report is in one incident: which, by report."""
    seen: dict[str, str] = {}
    async with office.pool.acquire() as connection:
        for row in await connection.fetch("SELECT id FROM incident"):
            incident = await incident_store.select(connection, row["id"])
            assert incident is not None
            counted = tally(incident, await evidence_store.belongings(connection, incident.id))
            stored = {name: getattr(incident, name) for name in counted}
            assert stored["evidence"] == pytest.approx(counted.pop("evidence"))
            assert {name: stored[name] for name in counted} == counted
            shown = await operator.get(f"/incidents/{incident.id}")
            assert shown["report_count"] == len(shown["reports"]) == incident.report_count
            assert len(shown["history"]) == shown["version"]
            assert not seen.keys() & {one["report_id"] for one in shown["reports"]}
            seen |= {one["report_id"]: incident.id for one in shown["reports"]}
        lost = await connection.fetchval(
            "SELECT count(*) FROM report r JOIN incident i ON i.id = r.incident_id WHERE i.status = 'merged'"
        )
        assert lost == 0
    return seen


async def test_merged_reporters_are_told_all_that_happens_to_the_other_one(
    office: Office, operator: Person, two: tuple[Json, Json]
) -> None:
    first, second = two
    citizen = await office.anyone()
    await operator.command(second["id"], "note", text="Sedang dicek", public=True)
    merged = await operator.command(second["id"], "merge", into=first["id"], reason="Ekor kemacetan yang sama")
    assert (merged["status"], merged["merged_into"], merged["report_count"]) == ("merged", first["id"], 0)
    kept = await operator.get(f"/incidents/{first['id']}")
    assert kept["report_count"] == 2 and kept["merged"] == [second["id"]]
    assert {one["report_id"] for one in kept["reports"]} == {first["report_id"], second["report_id"]}
    await operator.command(first["id"], "note", text="Petugas menuju lokasi", public=True)
    await operator.command(first["id"], "resolve", note="Sudah lancar")
    for one in two:
        tracked = await citizen.get(f"/reports/{one['code']}")
        assert (tracked["status"], tracked["incident_id"]) == ("resolved", first["id"])
        assert tracked["can_reopen"] and tracked["history"][-1]["note"] == "Sudah lancar"
    story = [(entry["status"], entry["note"]) for entry in (await citizen.get(f"/reports/{second['code']}"))["history"]]
    assert story == [
        ("new", None),
        ("routed", None),
        ("routed", "Sedang dicek"),
        ("merged", None),
        ("routed", None),
        ("routed", "Petugas menuju lokasi"),
        ("resolved", "Sudah lancar"),
    ]
    assert "Sedang dicek" not in str(await citizen.get(f"/reports/{first['code']}"))
    await agrees(office, operator)


async def test_the_photo_of_the_answer_opens_for_a_merged_reporter_too(
    office: Office, operator: Person, two: tuple[Json, Json]
) -> None:
    first, second = two
    await operator.command(second["id"], "merge", into=first["id"], reason="Sama")
    photo = await office.staff_photo(operator.username)
    await operator.command(first["id"], "resolve", note="Beres", photo_ids=[photo])
    stranger = await office.incident(DUMPING, north_of(SUMMARECON, 3000))
    citizen = await office.anyone()
    for code, status in ((first["code"], 200), (second["code"], 200), (stranger["code"], 404)):
        assert (await citizen.http.get(f"/api/v1/photos/{photo}?code={code}")).status_code == status


async def test_undoing_a_merge_brings_back_what_came_and_leaves_what_came_later(
    office: Office, operator: Person, two: tuple[Json, Json]
) -> None:
    first, second = two
    await operator.command(second["id"], "merge", into=first["id"], reason="Sama")
    later = await office.incident(JAM, SUMMARECON)
    assert later["id"] == first["id"]
    back = await operator.command(second["id"], "unmerge", reason="Ternyata dua")
    assert (back["status"], back["merged_into"], back["report_count"]) == ("routed", None, 1)
    left = await operator.get(f"/incidents/{first['id']}")
    assert left["report_count"] == 2 and left["merged"] == []
    citizen = await office.anyone()
    await operator.command(second["id"], "resolve", note="Yang ini beres")
    assert (await citizen.get(f"/reports/{second['code']}"))["history"][-1]["note"] == "Yang ini beres"
    assert (await citizen.get(f"/reports/{first['code']}"))["status"] == "routed"
    assert (await citizen.get(f"/reports/{later['code']}"))["status"] == "routed"
    await agrees(office, operator)


async def test_a_report_near_the_merged_one_joins_the_one_that_has_its_reports(
    office: Office, operator: Person, two: tuple[Json, Json]
) -> None:
    first, second = two
    await operator.command(second["id"], "merge", into=first["id"], reason="Sama")
    third = await office.incident(JAM, north_of(SUMMARECON, 610))
    assert third["id"] == first["id"]
    [why] = [
        one
        for one in (await operator.get(f"/incidents/{first['id']}"))["decisions"]
        if one["report_id"] == third["report_id"] and one["judgement"] == "correlate"
    ]
    assert f"{second['id']} sudah digabung ke sana" in why["because"]
    await operator.command(first["id"], "resolve", note="Lancar")
    fourth = await office.incident(JAM, north_of(SUMMARECON, 610))
    assert (await operator.get(f"/incidents/{fourth['id']}"))["predecessor"] == first["id"]
    await agrees(office, operator)


async def test_a_sensor_of_the_merged_one_speaks_for_the_other(office: Office, operator: Person) -> None:
    far = north_of(SUMMARECON, 600)
    await office.readings(speeds("S-merged", [12, 11, 10, 12], start=datetime.now(UTC), place=far))
    [seen] = (await operator.get("/incidents"))["items"]
    reported = await office.incident(JAM, SUMMARECON)
    assert reported["id"] != seen["id"]
    await operator.command(seen["id"], "merge", into=reported["id"], reason="Sama")
    both = await operator.get(f"/incidents/{reported['id']}")
    assert set(both["sources"]) == {"sensor", "app"}
    await office.readings(speeds("S-merged", [45, 44, 46, 45], start=datetime.now(UTC) + 10 * MINUTE, place=far))
    both = await operator.get(f"/incidents/{reported['id']}")
    assert "sensor_cleared" in [entry["change"] for entry in both["history"]]
    assert (await operator.get(f"/incidents/{seen['id']}"))["history"][-1]["change"] == "merged"
    await agrees(office, operator)


async def test_a_chain_of_merges_comes_apart_in_any_order(office: Office, operator: Person) -> None:
    for inner_first in (True, False):
        await office.forget_everything()
        a, b, c = [await office.incident(JAM, north_of(SUMMARECON, 600 * n)) for n in range(3)]
        await operator.command(a["id"], "merge", into=b["id"], reason="Sama")
        await operator.command(b["id"], "merge", into=c["id"], reason="Sama")
        assert (await operator.get(f"/incidents/{c['id']}"))["report_count"] == 3
        await agrees(office, operator)
        for one in (a, b) if inner_first else (b, a):
            await operator.command(one["id"], "unmerge", reason="Beda")
            await agrees(office, operator)
        citizen = await office.anyone()
        for one in (a, b, c):
            assert (await citizen.get(f"/reports/{one['code']}"))["incident_id"] == one["id"]


async def test_a_split_takes_reports_out_and_merging_back_undoes_it(office: Office, operator: Person) -> None:
    first = await office.incident(JAM, SUMMARECON)
    second = await office.incident(JAM, north_of(SUMMARECON, 150))
    assert first["id"] == second["id"]
    here = await operator.command(first["id"], "split", report_ids=[second["report_id"]], reason="Simpang lain")
    [new] = here["splits"]
    assert here["report_count"] == 1 and here["history"][-1]["detail"]["into"] == new
    there = await operator.get(f"/incidents/{new}")
    assert (there["status"], there["agency"], there["split_from"]) == ("routed", "DISHUB", first["id"])
    assert [one["report_id"] for one in there["reports"]] == [second["report_id"]]
    assert (there["lat"], there["lon"]) == pytest.approx(north_of(SUMMARECON, 150))
    citizen = await office.anyone()
    tracked = await citizen.get(f"/reports/{second['code']}")
    assert tracked["incident_id"] == new and tracked["agency"]["code"] == "DISHUB"
    await agrees(office, operator)
    await operator.command(new, "merge", into=first["id"], reason="Ternyata sama")
    assert (await operator.get(f"/incidents/{first['id']}"))["report_count"] == 2
    assert (await citizen.get(f"/reports/{second['code']}"))["incident_id"] == first["id"]
    await agrees(office, operator)


async def test_what_cannot_be_meant_is_said_and_changes_nothing(
    office: Office, operator: Person, two: tuple[Json, Json]
) -> None:
    first, second = two
    itself = await operator.command(first["id"], "merge", 422, into=first["id"], reason="x")
    assert "itself" in itself["errors"][0]["message"]
    for into in ("INC-0000000000", "x%00", "../x"):
        await operator.command(first["id"], "merge", 422, into=into, reason="x")
    dispatcher = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    waste = await office.incident(DUMPING, north_of(SUMMARECON, 3000))
    refused = await dispatcher.command(first["id"], "merge", 422, into=waste["id"], reason="x")
    assert refused["errors"] == [{"field": "into", "message": "there is no such incident in your scope"}]
    for ids in ([second["report_id"]], ["no-such"], [first["report_id"]], []):
        await operator.command(first["id"], "split", 422, report_ids=ids, reason="x")
    await operator.command(second["id"], "reject", reason="Bukan")
    ended = await operator.command(first["id"], "merge", 409, into=second["id"], reason="x")
    assert second["id"] in ended["detail"] and "merge" in ended["legal"]
    await operator.command(second["id"], "reopen", reason="Keliru")
    await operator.command(second["id"], "merge", into=first["id"], reason="Sama")
    circle = await operator.command(first["id"], "merge", 409, into=second["id"], reason="x")
    assert circle["type"].endswith("/illegal-move")
    await agrees(office, operator)


async def test_who_goes_to_the_merged_one_is_released(office: Office, operator: Person, two: tuple[Json, Json]) -> None:
    first, second = two
    officer = await office.officer()
    await operator.command(second["id"], "assign")
    [offer] = (await officer.get("/assignments"))["items"]
    await officer.act(offer, "accept")
    merged = await operator.command(second["id"], "merge", into=first["id"], reason="Sama")
    assert [one["status"] for one in merged["assignments"]] == ["released"]
    await officer.act(offer, "arrive", 409)
    assert (await operator.command(first["id"], "assign"))["status"] == "assigned"


async def test_any_sequence_of_merging_and_splitting_keeps_everything_in_agreement(
    office: Office, operator: Person
) -> None:
    dice = random.Random(20261122)
    reports: dict[str, Json] = {}
    for n in range(4):
        place = elsewhere()
        for m in range(1 + n % 3):
            one = await office.incident(JAM, north_of(place, 10 * m))
            reports[one["report_id"]] = one
    citizen = await office.anyone()
    done: list[str] = []
    seen: dict[str, str] = {}
    for _ in range(24):
        ids = [row["id"] for row in (await operator.get("/incidents"))["items"]]
        everything = [await operator.get(f"/incidents/{incident_id}") for incident_id in ids]
        open_ones = [one for one in everything if one["status"] != "merged"]
        verb = dice.choice(["merge", "merge", "unmerge", "split"])
        chosen = [
            one
            for one in everything
            if verb in one["legal"]
            and (verb != "split" or len(one["reports"]) > 1)
            and (verb != "merge" or open_ones[1:])
        ]
        if not chosen:
            continue
        one = dice.choice(chosen)
        body: dict[str, Any] = {"reason": "Acak"}
        if verb == "merge":
            body["into"] = dice.choice([other["id"] for other in open_ones if other["id"] != one["id"]])
        if verb == "split":
            mine = [report["report_id"] for report in one["reports"]]
            body["report_ids"] = dice.sample(mine, dice.randint(1, len(mine) - 1))
        await operator.post(f"/incidents/{one['id']}/{verb}", version=one["version"], **body)
        done.append(verb)
        seen = await agrees(office, operator)
        assert seen.keys() == reports.keys()
    for report_id, one in reports.items():
        tracked = await citizen.get(f"/reports/{one['code']}")
        assert tracked["incident_id"] == seen[report_id]
        times = [entry["at"] for entry in tracked["history"]]
        assert times == sorted(times) and tracked["history"][-1]["status"] == tracked["status"]
    assert set(done) == {"merge", "unmerge", "split"} and len(done) > 15


async def test_an_agencys_dispatcher_merges_splits_and_undoes_inside_the_own_scope(
    office: Office, operator: Person, two: tuple[Json, Json]
) -> None:
    first, second = two
    leader = await office.staff(Role.DISPATCHER, "32.75/DISHUB")
    await leader.command(second["id"], "merge", into=first["id"], reason="Sama")
    assert (await leader.get(f"/incidents/{first['id']}"))["report_count"] == 2
    here = await leader.command(first["id"], "split", report_ids=[second["report_id"]], reason="Beda")
    assert (await leader.get(f"/incidents/{here['splits'][0]}"))["report_count"] == 1
    back = await leader.command(second["id"], "unmerge", reason="Keliru")
    assert back["report_count"] == 0, "its report was taken out of the other one and stays there"
    waste = await office.incident(DUMPING, north_of(SUMMARECON, 3000))
    await operator.command(second["id"], "merge", into=waste["id"], reason="Sampah di tengah jalan")
    refused = await leader.command(second["id"], "unmerge", 403, reason="Bukan")
    assert refused["type"].endswith("/scope")
    await leader.get(f"/incidents/{waste['id']}", 404)
    await agrees(office, operator)
