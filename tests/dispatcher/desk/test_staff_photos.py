"""Photos that staff have sent: attached by who sent them to one incident, and seen by whom that concerns."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.objects import Objects
from infra.staff_photos import ATTACHABLE, StaffPhotos
from schemas.vocabulary import Role
from tests.dispatcher.desk.office import JAM, Office, Person, open_office
from tests.dispatcher.factories import SUMMARECON, north_of

FULL, THUMB = b"\xff\xd8\xff full", b"\xff\xd8\xff thumb"


@pytest.fixture
async def operator(office: Office) -> Person:
    await office.forget_everything()
    return await office.staff(Role.OPERATOR)


@pytest.fixture
async def sent(office: Office) -> AsyncIterator[StaffPhotos]:
    """What ingest has kept."""
    objects = Objects(office.data_dir / "objects")
    yield StaffPhotos(objects)
    objects.close()


async def photo_of(person: Person, sent: StaffPhotos, ago: timedelta = timedelta()) -> str:
    return await sent.keep(person.username, datetime.now(UTC) - ago, FULL, THUMB)


async def status(person: Person, photo: str, **parameters: str) -> int:
    return (await person.http.get(f"/api/v1/photos/{photo}", params=parameters)).status_code


async def test_an_officer_completes_with_a_photo(office: Office, operator: Person, sent: StaffPhotos) -> None:
    officer = await office.officer()
    incident = await office.incident(JAM, SUMMARECON)
    await operator.command(incident["id"], "assign")
    [offer] = (await officer.get("/assignments", status="offered"))["items"]
    photo = await photo_of(officer, sent)
    too_early = await officer.act(offer, "complete", 409, note="Selesai", photo_ids=[photo])
    assert too_early["legal"] == ["accept", "decline"]
    found = await sent.find(photo)
    assert found is not None and found.incident_id is None, "a move that is illegal attaches nothing"
    await officer.act(offer, "accept")
    await officer.act(offer, "arrive")
    refused = await officer.act(offer, "complete", 422, note="x", photo_ids=[photo, await photo_of(operator, sent)])
    assert refused["errors"][0]["field"] == "photo_ids"
    again = [await officer.act(offer, "complete", key="k", note="Selesai", photo_ids=[photo]) for _ in range(2)]
    assert again[0] == again[1] and again[0]["incident"]["status"] == "resolved"
    assert await office.pool.fetchval("SELECT photo_ids FROM assignment WHERE id = $1", offer["id"]) == [photo]
    for role, agency, expected in (
        (Role.SUPERVISOR, None, 200),
        (Role.DISPATCHER, "32.75/DISHUB", 200),
        (Role.DISPATCHER, "32.75/DLH", 404),
        (Role.EXECUTIVE, None, 404),
    ):
        assert await status(await office.staff(role, agency), photo) == expected, role
    citizen = await office.anyone()
    assert await status(citizen, photo) == 401
    assert await status(citizen, photo, code=incident["code"]) == 404, "an officer's note is not public"


async def test_an_unused_photo_opens_for_its_sender_alone(office: Office, operator: Person, sent: StaffPhotos) -> None:
    photo = await photo_of(operator, sent)
    answer = await operator.http.get(f"/api/v1/photos/{photo}?size=thumb")
    assert (answer.status_code, answer.content) == (200, THUMB)
    incident = await office.incident(JAM, SUMMARECON)
    assert await status(await office.staff(Role.ADMIN), photo) == 404
    assert await status(await office.anyone(), photo, code=incident["code"]) == 404


async def test_the_citizen_sees_the_photo_of_the_public_answer(
    office: Office, operator: Person, sent: StaffPhotos
) -> None:
    incident, other = await office.incident(JAM, SUMMARECON), await office.incident(JAM, north_of(SUMMARECON, 3000))
    photo = await photo_of(operator, sent)
    await operator.command(incident["id"], "resolve", note="Sudah lancar", photo_ids=[photo])
    citizen = await office.anyone()
    assert await status(citizen, photo, code=incident["code"], size="thumb") == 200
    assert await status(citizen, photo, code=other["code"]) == 404


async def test_an_answer_from_before_a_report_joined_is_not_its_own(
    office: Office, operator: Person, sent: StaffPhotos
) -> None:
    incident = await office.incident(JAM, SUMMARECON)
    photo = await photo_of(operator, sent)
    await operator.command(incident["id"], "resolve", note="Sudah lancar", photo_ids=[photo])
    await office.pool.execute("UPDATE report SET received_at = now() WHERE id = $1", incident["report_id"])
    assert await status(await office.anyone(), photo, code=incident["code"]) == 404


async def test_nobody_attaches_what_somebody_else_sent_or_what_is_too_old(
    office: Office, operator: Person, sent: StaffPhotos
) -> None:
    incident = await office.incident(JAM, SUMMARECON)
    colleague = await office.staff(Role.OPERATOR)
    fresh = await photo_of(operator, sent)
    for photo in (await photo_of(colleague, sent), await photo_of(operator, sent, ATTACHABLE), "0" * 32 + "-1", "x"):
        refused = await operator.command(incident["id"], "resolve", 422, note="ok", photo_ids=[fresh, photo])
        assert refused["errors"][0]["field"] == "photo_ids"
    found = await sent.find(fresh)
    assert found is not None and found.incident_id is None, "one that is wrong leaves the others free"


async def test_of_two_incidents_at_once_one_gets_the_photo(office: Office, operator: Person, sent: StaffPhotos) -> None:
    incidents = [await office.incident(JAM, north_of(SUMMARECON, 3000 * n)) for n in range(2)]
    photo = await photo_of(operator, sent)
    versions = [(await operator.get(f"/incidents/{one['id']}"))["version"] for one in incidents]
    answers = await asyncio.gather(
        *(
            operator.http.post(
                f"/api/v1/incidents/{one['id']}/resolve", json={"version": version, "note": "ok", "photo_ids": [photo]}
            )
            for one, version in zip(incidents, versions, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]


async def test_a_store_that_is_away_changes_nothing(database: str, tmp_path: Path) -> None:
    async with open_office(database, tmp_path) as elsewhere:
        operator = await elsewhere.staff(Role.OPERATOR)
        incident = await elsewhere.incident(JAM, SUMMARECON)
        (tmp_path / "objects" / "photos" / ("c" * 32) / "attached").mkdir(parents=True)
        photo = "c" * 32 + "-1"
        await operator.command(incident["id"], "resolve", 503, note="ok", photo_ids=[photo])
        assert (await operator.get(f"/incidents/{incident['id']}"))["status"] == "routed"
        assert await status(operator, photo) == 503
