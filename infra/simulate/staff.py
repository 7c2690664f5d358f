"""Staff: an operator who triages, assigns and closes; officers who move about, accept, arrive and complete."""

import asyncio
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

from infra.public_api import Api
from infra.simulate.city import SPOTS, near

_LOOK_EVERY_S: Final = 5.0
#: Seconds an officer needs on the way and at the place: a city in fast motion, so that the wall has something to show.
_ON_THE_WAY_S: Final = (20.0, 60.0)
_AT_WORK_S: Final = (30.0, 120.0)
_SHARE_DECLINED: Final = 0.06
#: An operator gives the rules a moment and citizens time to see the answer.
_CLOSE_SHARE: Final = 0.3


async def operate(api: Api, rng: Random) -> None:
    """Work the queue: verify what waits, send an officer to what is routed, close what is done."""
    while True:
        for incident in await api.items("/api/v1/incidents", status="triage", limit=20):
            category = incident["category"]
            await _command(
                api, incident, "triage", {"category": "illegal_dumping" if category == "other" else category}
            )
        for incident in await api.items("/api/v1/incidents", status="routed", limit=20):
            await _command(api, incident, "assign", {})
        for incident in await api.items("/api/v1/incidents", status="resolved", limit=20):
            if rng.random() < _CLOSE_SHARE:
                await _command(api, incident, "close", {})
        await asyncio.sleep(_LOOK_EVERY_S)


async def _command(api: Api, incident: Mapping[str, Any], verb: str, body: Mapping[str, object]) -> None:
    await api.send("POST", f"/api/v1/incidents/{incident['id']}/{verb}", json={"version": incident["version"], **body})


async def patrol(api: Api, rng: Random) -> None:
    """One officer's day: present somewhere, doing whatever is assigned, for ever."""
    home = rng.choice(SPOTS)
    lat, lon = near(rng, home.lat, home.lon, 1500)
    while True:
        await _be_present(api, lat, lon)
        for assignment in await api.items("/api/v1/assignments", status="offered,accepted,en_route,on_scene", limit=5):
            lat, lon = await _serve(api, rng, assignment, lat, lon)
        lat, lon = near(rng, lat, lon, 150)
        await asyncio.sleep(_LOOK_EVERY_S)


async def _be_present(api: Api, lat: float, lon: float) -> None:
    await api.send(
        "PUT",
        "/api/v1/me/presence",
        json={"status": "available", "lat": lat, "lon": lon, "accuracy_m": 12, "at": datetime.now(UTC).isoformat()},
    )


async def _serve(api: Api, rng: Random, assignment: Mapping[str, Any], lat: float, lon: float) -> tuple[float, float]:
    status = assignment["status"]

    async def act(verb: str, **body: object) -> bool:
        answer = await api.send(
            "POST",
            f"/api/v1/assignments/{assignment['id']}/{verb}",
            headers={"Idempotency-Key": str(uuid.uuid4())},
            json={"at": datetime.now(UTC).isoformat(), "lat": lat, "lon": lon, **body},
        )
        return answer is not None and answer.status_code == 200

    if status == "offered":
        if rng.random() < _SHARE_DECLINED:
            await act("decline", reason="Sedang menangani kejadian lain")
            return lat, lon
        if not await act("accept"):
            return lat, lon
        status = "accepted"
    if status in ("accepted", "en_route"):
        await act("depart")
        await asyncio.sleep(rng.uniform(*_ON_THE_WAY_S))
        place = await api.send("GET", f"/api/v1/incidents/{assignment['incident_id']}")
        if place is not None and place.status_code == 200 and place.json()["lat"] is not None:
            lat, lon = near(rng, place.json()["lat"], place.json()["lon"], 30)
        await act("arrive")
    await asyncio.sleep(rng.uniform(*_AT_WORK_S))
    await act("complete", note="Sudah ditangani di lokasi", photo_ids=[])
    return lat, lon
