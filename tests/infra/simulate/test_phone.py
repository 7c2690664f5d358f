"""An officer's phone against a real server: what was tapped without a network arrives later, in order, once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from infra.local.ports import find_free
from infra.public_api import Api
from infra.simulate.day import Day
from infra.simulate.phone import Phone

#: An hour of the day in a second.
FAST = 3600.0


class Taken:
    """What the server has taken, and how it answers."""

    def __init__(self) -> None:
        self.taps: list[tuple[str, str, dict[str, Any]]] = []
        self.status = 200


@pytest.fixture
async def server() -> AsyncIterator[tuple[str, Taken]]:
    app, taken, port = FastAPI(), Taken(), find_free("127.0.0.1")

    @app.post("/api/v1/assignments/{one}/{verb}")
    async def tap(request: Request, one: str, verb: str) -> JSONResponse:
        taken.taps.append((verb, request.headers["idempotency-key"], await request.json()))
        return JSONResponse({}, taken.status, headers={"Retry-After": "0"})

    running = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    task = asyncio.create_task(running.serve())
    while not running.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}", taken
    running.should_exit = True
    await task


async def test_taps_without_a_network_are_sent_in_order_with_their_times(server: tuple[str, Taken]) -> None:
    base, taken = server
    api = Api(base, Counter())
    phone = Phone(api, Random(1), Day(FAST))
    phone._back_at = phone._day.hours + 1  # a second of ours
    assert await phone.tap({"id": "A"}, "arrive", -6.2, 107.0)
    assert await phone.tap({"id": "A"}, "complete", -6.2, 107.0, note="Selesai")
    assert not taken.taps and not phone.online
    await asyncio.sleep(1.2)
    await phone.look()
    assert [verb for verb, _, _ in taken.taps] == ["arrive", "complete"]
    assert taken.taps[0][2]["at"] < taken.taps[1][2]["at"]
    assert len({key for _, key, _ in taken.taps}) == 2
    await api.close()


async def test_what_could_not_be_taken_is_sent_again_with_the_same_key(server: tuple[str, Taken]) -> None:
    base, taken = server
    api = Api(base, Counter())
    phone = Phone(api, Random(1), Day(FAST))
    taken.status = 503
    await phone.tap({"id": "A"}, "accept", -6.2, 107.0)
    taken.status = 200
    await phone.look()
    assert [verb for verb, _, _ in taken.taps] == ["accept", "accept"]
    assert len({key for _, key, _ in taken.taps}) == 1
    await api.close()


async def test_what_the_city_refuses_is_dropped(server: tuple[str, Taken]) -> None:
    base, taken = server
    api = Api(base, Counter())
    phone = Phone(api, Random(1), Day(FAST))
    taken.status = 409
    assert not await phone.tap({"id": "A"}, "accept", -6.2, 107.0)
    await phone.look()
    assert len(taken.taps) == 1
    await api.close()
