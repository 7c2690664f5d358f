"""A citizen's code: answered at once, in the citizen's words, with nobody else's data; and photos that it opens."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.desk.tracked import Entry, language_of, public_history
from infra import tracking_code
from infra.objects import Objects
from infra.photos import Photos, photo_id
from schemas.report import Photo
from schemas.vocabulary import IncidentStatus, Role
from tests.dispatcher.desk.office import DUMPING, JAM, SECRET, Json, Office, Person, open_office
from tests.dispatcher.factories import MINUTE, NOW, SUMMARECON, north_of


@pytest.fixture
async def citizen(office: Office) -> Person:
    await office.forget_everything()
    return await office.anyone()


async def test_a_code_is_answered_before_the_dispatcher_has_the_report(citizen: Person) -> None:
    code = tracking_code.new(bytes.fromhex(SECRET))
    answer = await citizen.http.get(f"/api/v1/reports/{code.lower().replace('-', '')}")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "tracking_code": code,
        "status": "new",
        "status_label": "Menunggu",
        "processing": True,
        "category": None,
        "agency": None,
        "kecamatan": None,
        "incident_id": None,
        "submitted_at": None,
        "due_at": None,
        "history": [],
        "photos": [],
        "can_reopen": False,
        "satisfied": None,
    }


async def test_the_page_tells_the_story_in_the_citizens_words(office: Office, citizen: Person) -> None:
    operator, officer = await office.staff(Role.OPERATOR), await office.officer()
    incident = await office.incident(JAM, SUMMARECON)
    await operator.command(incident["id"], "note", text="Petugas menuju lokasi", public=True)
    await operator.command(incident["id"], "note", text="Hati-hati, pelapor galak", public=False)
    await operator.command(incident["id"], "assign")
    [offer] = (await officer.get("/assignments"))["items"]
    await officer.act(offer, "accept")
    await officer.act(offer, "arrive")
    await officer.act(offer, "complete", note="Catatan petugas untuk kantor")
    found = await citizen.get(f"/reports/{incident['code']}")
    assert (found["status"], found["status_label"], found["processing"]) == ("resolved", "Selesai", False)
    assert found["agency"] == {"code": "DISHUB", "name": "Dinas Perhubungan Kota Bekasi"}
    assert found["kecamatan"] == {"code": "32.75.03", "name": "Bekasi Utara"}
    assert found["incident_id"] == incident["id"] and found["category"] == "traffic_jam" and found["due_at"]
    assert [(entry["status"], entry["note"]) for entry in found["history"]] == [
        ("new", None),
        ("routed", None),
        ("routed", "Petugas menuju lokasi"),
        ("assigned", None),
        ("in_progress", None),
        ("resolved", None),
    ]
    times = [entry["at"] for entry in found["history"]]
    assert times == sorted(times)
    assert "galak" not in str(found) and officer.username not in str(found) and "untuk kantor" not in str(found)


async def test_the_answer_of_an_operator_is_read_by_the_citizen(office: Office, citizen: Person) -> None:
    operator = await office.staff(Role.OPERATOR)
    incident = await office.incident(DUMPING, SUMMARECON)
    await operator.command(incident["id"], "resolve", note="Sampah sudah diangkut tadi pagi")
    assert (await citizen.get(f"/reports/{incident['code']}"))["history"][-1]["note"] == (
        "Sampah sudah diangkut tadi pagi"
    )


async def test_a_later_report_begins_with_its_own_story(office: Office, citizen: Person) -> None:
    operator = await office.staff(Role.OPERATOR)
    first = await office.incident(JAM, SUMMARECON)
    await operator.command(first["id"], "note", text="Kepada pelapor pertama", public=True)
    second = await office.incident(JAM, north_of(SUMMARECON, 30))
    assert second["id"] == first["id"]
    found = await citizen.get(f"/reports/{second['code']}")
    assert [entry["status"] for entry in found["history"]] == ["new", "routed"]
    assert "pertama" not in str(found) and first["code"] not in str(found)


async def test_outside_bekasi_and_in_triage_the_incident_is_named_too(office: Office, citizen: Person) -> None:
    unclear = await office.incident("Tolong ya pak", SUMMARECON)
    found = await citizen.get(f"/reports/{unclear['code']}")
    assert (found["status"], found["status_label"]) == ("triage", "Menunggu verifikasi")
    assert found["incident_id"] == unclear["id"] and found["agency"] is None
    outside = await office.incident(JAM, (-6.1754, 106.8272))
    found = await citizen.get(f"/reports/{outside['code']}")
    assert (found["status"], found["status_label"], found["incident_id"]) == (
        "transferred",
        "Diteruskan",
        outside["id"],
    )


async def test_it_speaks_english_when_asked(office: Office, citizen: Person) -> None:
    incident = await office.incident(JAM, SUMMARECON)
    path = f"/api/v1/reports/{incident['code']}"
    asked = await citizen.http.get(path, headers={"Accept-Language": "en-GB,en;q=0.9"})
    assert asked.json()["status_label"] == "Coordination" and asked.headers["content-language"] == "en"
    assert (await citizen.get(f"/reports/{incident['code']}", lang="en"))["status_label"] == "Coordination"
    both = await citizen.http.get(f"{path}?lang=id", headers={"Accept-Language": "en"})
    assert both.json()["status_label"] == "Koordinasi"
    await citizen.get(f"/reports/{incident['code']}", 422, lang="fr")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "id"), ("", "id"), ("fr, de;q=0.5", "id"), ("en;q=0.4, id;q=0.9", "id"), ("fr, en;q=0.1", "en"),
        ("EN-us", "en"), ("en;q=0", "id"), ("en;q=x, id;q=0.1", "id"), ("in-ID", "id"), ("*", "id"),
    ],
)  # fmt: skip
def test_the_language_is_the_first_that_we_have(header: str | None, language: str) -> None:
    assert language_of(header) == language


@pytest.mark.parametrize(
    "code",
    ["ABCD", "0000-0000-0000-0000-0000", "x" * 100, "%00%00", "🙂🙂🙂🙂", "..%2F..%2Fetc", "' OR 1=1", "%ED%A0%80"],
)
async def test_a_code_that_was_never_given_out_is_404(office: Office, code: str) -> None:
    answer = await (await office.anyone(f"10.0.{len(code)}.1")).http.get(f"/api/v1/reports/{code}")
    assert answer.status_code == 404 and answer.headers["content-type"] == "application/problem+json"


async def test_guessing_codes_is_throttled_per_address(office: Office) -> None:
    guesser = await office.anyone("10.66.0.1")
    answers = [(await guesser.http.get(f"/api/v1/reports/AAAA-{n:04d}")).status_code for n in range(25)]
    assert answers == [404] * 20 + [429] * 5
    code = tracking_code.new(bytes.fromhex(SECRET))
    assert (await guesser.http.get(f"/api/v1/reports/{code}")).headers["retry-after"]
    await (await office.anyone("10.66.0.2")).get(f"/reports/{code}")


@given(
    st.lists(st.tuples(st.sampled_from(IncidentStatus), st.integers(0, 20), st.sampled_from([None, "kabar"]))),
    st.integers(0, 20),
)
def test_a_story_begins_when_the_report_came_and_never_runs_backwards(
    moves: list[tuple[IncidentStatus, int, str | None]], joined: int
) -> None:
    entries = [
        Entry(status, NOW + minute * MINUTE, note) for status, minute, note in sorted(moves, key=lambda move: move[1])
    ]
    joined_at = NOW + joined * MINUTE
    story = public_history(joined_at, joined_at, entries)
    assert story[0].status is IncidentStatus.NEW and story[0].at == joined_at
    times = [entry.at for entry in story]
    assert times == sorted(times) and times[0] == joined_at
    assert sum(entry.note is not None for entry in story) == sum(
        entry.note is not None and entry.at >= joined_at for entry in entries
    )
    if entries:
        assert story[-1].status is entries[-1].status


# Photos ------------------------------------------------------------------------------------------------------------

FULL, THUMB = b"\xff\xd8\xff full", b"\xff\xd8\xff thumb"


@pytest.fixture
async def photographed(office: Office, citizen: Person) -> Json:
    """An incident of Kota's Dishub, whose report has a photo."""
    objects = Objects(office.data_dir / "objects")
    report_id = tracking_code.new(bytes.fromhex(SECRET)).encode().hex()[:32]
    digest = await Photos(objects).keep(report_id, 1, FULL, THUMB)
    objects.close()
    photo = Photo(id=photo_id(report_id, 1), sha256=digest, content_type="image/jpeg", width=8, height=6)
    incident = await office.incident(JAM, SUMMARECON, report_id=report_id, photos=(photo,))
    return {**incident, "photo": photo.id}


async def test_the_reporters_own_photo_opens_with_the_code(office: Office, photographed: Json) -> None:
    citizen = await office.anyone()
    [url] = (await citizen.get(f"/reports/{photographed['code']}"))["photos"]
    answer = await citizen.http.get(url)
    assert answer.status_code == 200 and answer.content == FULL and answer.headers["content-type"] == "image/jpeg"
    assert (await citizen.http.get(f"{url}&size=thumb")).content == THUMB
    etag = answer.headers["etag"]
    assert etag.startswith('"') and "private" in answer.headers["cache-control"]
    again = await citizen.http.get(url, headers={"If-None-Match": f'"other", {etag}'})
    assert again.status_code == 304 and again.content == b"" and again.headers["etag"] == etag


async def test_a_photo_opens_for_nobody_else(office: Office, photographed: Json) -> None:
    path = f"/api/v1/photos/{photographed['photo']}"
    other = await office.incident(DUMPING, north_of(SUMMARECON, 3000))
    citizen = await office.anyone("10.77.0.1")
    assert (await citizen.http.get(path)).status_code == 401
    assert (await citizen.http.get(f"{path}?code={other['code']}")).status_code == 404
    assert (await citizen.http.get(f"{path}?code=AAAA")).status_code == 404
    assert (await citizen.http.get(f"{path}?code={photographed['code']}&size=huge")).status_code == 422
    for role, agency, status in (
        (Role.OPERATOR, None, 200),
        (Role.OFFICER, "32.75/DISHUB", 200),
        (Role.OFFICER, "32.75/DLH", 404),
        (Role.EXECUTIVE, None, 404),
    ):
        person = await office.staff(role, agency)
        assert (await person.http.get(path)).status_code == status, role
    operator = await office.staff(Role.OPERATOR)
    for wrong in ("a" * 32 + "-1", photographed["photo"] + "0", "..", "x%00", "x" * 300):
        assert (await operator.http.get(f"/api/v1/photos/{wrong}")).status_code == 404
    detail = await operator.get(f"/incidents/{photographed['id']}")
    assert detail["reports"][0]["photos"] == [path] and detail["photo_url"]
    assert (await operator.http.get(detail["photo_url"])).status_code == 200
    resolved = await operator.command(photographed["id"], "resolve", note="ok", photo_ids=[photographed["photo"]])
    assert resolved["status"] == "resolved"


async def test_a_photo_store_that_is_away_is_503(database: str, tmp_path: Path, photographed: Json) -> None:
    (tmp_path / "objects" / "photos" / photographed["report_id"]).mkdir(parents=True)
    (tmp_path / "objects" / "photos" / photographed["report_id"] / "1").mkdir()
    async with open_office(database, tmp_path) as elsewhere:
        operator = await elsewhere.staff(Role.OPERATOR)
        answer = await operator.http.get(f"/api/v1/photos/{photographed['photo']}")
        assert answer.status_code == 503 and answer.headers["retry-after"]
