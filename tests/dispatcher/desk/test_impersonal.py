"""Executives and council read the work and no names: in lists of every format, in the story, on paper, in playback."""

from typing import Final

import pytest

from schemas.vocabulary import Role
from tests.dispatcher.desk.office import DUMPING, Json, Office, Person

#: What only people of this story are called or say.
NAMES: Final = ("officer-", "operator-", "Siti", "rahasia", "bau sekali")
PATHS: Final = (
    "/incidents",
    "/incidents?format=geojson",
    "/incidents?format=csv",
    "/incidents?q=bau+sekali",
    "/incidents/{id}",
    "/incidents/{id}/print",
    "/board",
)


@pytest.fixture(scope="module")
async def story(office: Office) -> Json:
    """A dumping with an officer on it, notes, a refusal and an answer; the public one is for everybody."""
    incident = await office.incident(DUMPING)
    operator, officer = await office.staff(Role.OPERATOR), await office.officer("32.75/DLH")
    await operator.command(incident["id"], "note", text="Siti menelepon, rahasia", public=False)
    await operator.command(incident["id"], "note", text="Petugas sudah dijadwalkan", public=True)
    await operator.command(incident["id"], "assign", officer_id=officer.username)
    [assignment] = (await officer.get("/assignments"))["items"]
    await officer.act(assignment, "accept")
    return incident


@pytest.fixture(scope="module")
async def executive(office: Office) -> Person:
    return await office.staff(Role.EXECUTIVE)


@pytest.mark.parametrize("path", PATHS)
async def test_an_executive_reads_no_name_and_no_word_of_a_citizen(
    office: Office, story: Json, executive: Person, path: str
) -> None:
    path = f"/api/v1{path.format(id=story['id'])}"
    answer = await executive.http.get(path)
    assert answer.status_code == 200, answer.text
    assert [name for name in NAMES if name in answer.text] == []
    if path.endswith(story["id"]):
        assert "Petugas sudah dijadwalkan" in answer.text and "in_progress" in answer.text


async def test_others_read_them(office: Office, story: Json) -> None:
    operator = await office.staff(Role.OPERATOR)
    text = (await operator.http.get(f"/api/v1/incidents/{story['id']}")).text
    assert [name for name in NAMES if name not in text] == []
    assert "officer-" in (await operator.http.get("/api/v1/incidents?format=csv")).text


async def test_there_is_no_way_to_officers_or_reporters(office: Office, story: Json, executive: Person) -> None:
    for path in ("/officers", "/assignments", f"/reports/{story['report_id']}/contact?reason=ask"):
        assert (await executive.http.get(f"/api/v1{path}")).status_code == 403
    assert (await executive.http.get(f"/api/v1/incidents/{story['id']}/print?personal=true")).status_code == 403
