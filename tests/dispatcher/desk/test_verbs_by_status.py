"""Every verb at every status, through HTTP: legal as the table says, else 409 with what is true and what is legal."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from dispatcher.decisions.incident import NEXT, VERBS
from schemas.vocabulary import IncidentStatus, Role
from tests.dispatcher.desk.office import JAM, Json, Office, Person, elsewhere
from tests.dispatcher.factories import north_of

S = IncidentStatus

#: How an incident comes to stand there: verbs in their order. `new` is never seen: rules judge at once.
WAY: Final[dict[IncidentStatus, list[tuple[str, Json]]]] = {
    S.ROUTED: [],
    S.ASSIGNED: [("assign", {})],
    S.IN_PROGRESS: [("assign", {}), ("accept", {})],
    S.ON_HOLD: [("hold", {"reason": "bad_weather"})],
    S.RESOLVED: [("resolve", {"note": "Beres"})],
    S.CLOSED: [("resolve", {"note": "Beres"}), ("close", {})],
    S.REJECTED: [("reject", {"reason": "Bukan kejadian"})],
    S.TRANSFERRED: [("transfer", {"to": "TOLL", "reason": "Ruas tol"})],
    S.MERGED: [("merge", {"reason": "Sama"})],
    S.TRIAGE: [],
}

#: Nothing that rules know, in words that tell it from others.
UNCLEAR: Final = "Tolong pak, kucing tetangga terjebak di atap warung Bu Siti"

Stand = Callable[[IncidentStatus], Awaitable[Json]]


@pytest.fixture(scope="module")
async def operator(office: Office) -> Person:
    return await office.staff(Role.OPERATOR)


@pytest.fixture
async def stand(office: Office, operator: Person) -> Stand:
    """Makes an incident that stands so, with two reports, beside another one."""

    async def make(status: IncidentStatus) -> Json:
        await office.forget_everything()
        place = elsewhere()
        text = UNCLEAR if status is S.TRIAGE else JAM
        incident = await office.incident(text, place)
        second = await office.incident(text, place)
        assert second["id"] == incident["id"]
        other = await office.incident(JAM, north_of(place, 900))
        officer = await office.officer(place=place)
        for verb, body in WAY[status]:
            if verb == "accept":
                [offer] = (await officer.get("/assignments"))["items"]
                await officer.act(offer, "accept")
            else:
                more = {"into": other["id"]} if verb == "merge" else {}
                await operator.command(incident["id"], verb, **body, **more)
        found = await operator.get(f"/incidents/{incident['id']}")
        assert found["status"] == status
        return {**found, "other": other["id"], "report": second["report_id"]}

    return make


def body_of(verb: str, incident: Json) -> dict[str, Any]:
    match verb:
        case "triage":
            return {"category": "flood"}
        case "reroute":
            return {"agency": "DLH", "regency": "32.75", "reason": "Sampah"}
        case "hold":
            return {"reason": "unsafe", "until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
        case "merge":
            return {"into": incident["other"], "reason": "Sama"}
        case "split":
            return {"report_ids": [incident["report"]], "reason": "Lain"}
        case "note":
            return {"text": "Halo"}
        case "resolve":
            return {"note": "Beres"}
        case "transfer":
            return {"to": "PLN", "reason": "Tiang PLN"}
        case "unmerge" | "reject" | "reopen":
            return {"reason": "Alasan"}
    return {}


@pytest.mark.parametrize("status", WAY)
async def test_a_verb_is_refused_where_the_table_does_not_have_it(
    operator: Person, stand: Stand, status: IncidentStatus
) -> None:
    incident = await stand(status)
    legal = [verb for verb, statuses in VERBS.items() if status in statuses]
    assert incident["legal"] == legal
    for verb in VERBS:
        path, body = f"/incidents/{incident['id']}/{verb}", body_of(verb, incident)
        stale = await operator.post(path, 409, version=incident["version"] + 7, **body)
        assert stale["type"].endswith("/stale-version") and stale["current_version"] == incident["version"]
        await operator.post(path, 422, **body)
        if verb not in legal:
            refused = await operator.post(path, 409, version=incident["version"], **body)
            assert refused["type"].endswith("/illegal-move")
            assert (refused["current_version"], refused["legal"]) == (incident["version"], legal)
    assert (await operator.get(f"/incidents/{incident['id']}"))["version"] == incident["version"]


@pytest.mark.parametrize(
    ("status", "verb"), [(status, verb) for status in WAY for verb, legal in VERBS.items() if status in legal]
)
async def test_a_legal_verb_is_done(
    office: Office, operator: Person, stand: Stand, status: IncidentStatus, verb: str
) -> None:
    incident = await stand(status)
    if verb == "assign" and status is not S.ROUTED:
        await office.officer(place=(incident["lat"], incident["lon"]))  # the first one is on it already
    after = await operator.post(
        f"/incidents/{incident['id']}/{verb}", version=incident["version"], **body_of(verb, incident)
    )
    reached = status
    for entry in after["history"][incident["version"] :]:
        assert S(entry["status"]) is reached or S(entry["status"]) in NEXT[reached]
        reached = S(entry["status"])
    assert reached == after["status"]
    assert after["version"] > incident["version"] and len(after["history"]) == after["version"]
    assert after["report_count"] == len(after["reports"])


async def test_the_database_and_the_code_agree_on_where_everything_stands(
    office: Office, operator: Person, stand: Stand
) -> None:
    for status in WAY:
        await stand(status)
        listed = {row["id"]: row["status"] for row in (await operator.get("/incidents"))["items"]}
        stored = {row["id"]: row["status"] for row in await office.pool.fetch("SELECT id, status FROM incident")}
        assert listed == stored and status in listed.values()
        is_open = {row["id"] for row in (await operator.get("/incidents", status="open"))["items"]}
        assert is_open == {key for key, word in stored.items() if not NEXT[S(word)] <= {S.TRIAGE, S.ROUTED}}
