"""The judges are judged: each fault of a feed that an onlooker must name is planted once."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from tests.command_center_ui.watching import OPERATOR, row, ticket
from tests.faults.onlookers import Manner, Onlooker, snapshot
from tests.faults.told import Told


def told(offset: int = 10, **rows: int) -> Told:
    """Somebody who has the whole state."""
    one = Told()
    one.begin("incidents", state(offset, **rows))
    return one


def state(offset: int, *, epoch: str = "e1", more: bool = False, **rows: int) -> dict[str, Any]:
    entries = [{"key": key, "data": {"version": version}} for key, version in rows.items()]
    return {"epoch": epoch, "offset": offset, "recovered": False, "state": entries, "more": more}


def push(since: int, offset: int, epoch: str = "e1", **rows: int) -> dict[str, Any]:
    pubs = [{"offset": offset, "key": key, "data": {"version": version}} for key, version in rows.items()]
    return {"channel": "incidents", "epoch": epoch, "since": since, "offset": offset, "pubs": pubs}


def recovered(offset: int, **rows: int) -> dict[str, Any]:
    pubs = [{"offset": offset, "key": key, "data": {"version": version}} for key, version in rows.items()]
    return {"epoch": "e1", "offset": offset, "recovered": True, "publications": pubs}


def test_pushes_that_follow_are_clean_and_kept() -> None:
    one = told(a=1)
    assert one.push(push(10, 12, a=2))
    assert one.push(push(8, 12, a=2)), "a stretch told twice is no fault"
    assert one.push(push(12, 20))
    assert one.clean
    assert one.position["incidents"] == ("e1", 20)
    assert one.versions["a"] == [1, 2]
    assert one.ranges["incidents"] == [("e1", 10, 12), ("e1", 8, 12), ("e1", 12, 20)]


def test_a_stretch_left_out_is_a_gap() -> None:
    one = told(a=1)
    assert not one.push(push(11, 12, a=2))
    assert len(one.gaps) == 1
    assert one.rows["incidents"]["a"]["version"] == 1, "what comes after a gap is not believed"


def test_another_epoch_in_the_middle_is_a_gap() -> None:
    one = told()
    assert not one.push(push(10, 12, "e2"))
    assert one.gaps


def test_a_row_that_goes_back_is_reordered() -> None:
    one = told(a=3)
    one.push(push(10, 12, a=2))
    assert one.reordered == ["incidents: a went from version 3 to 2"]


@pytest.mark.parametrize("seen_before", [True, False])
def test_a_state_from_before_is_said_and_no_reordering(seen_before: bool) -> None:
    one = told(10, a=3)
    one.begin("incidents", state(9 if seen_before else 11, a=2))
    assert one.answers["set_back"] == seen_before
    assert bool(one.reordered) is not seen_before


def test_rows_of_parts_are_ahead_of_their_offset() -> None:
    one = Told()
    one.begin("incidents", state(10, more=True, a=5))
    one.part("incidents", state(10, b=5))
    one.begin("incidents", recovered(11, a=4))
    assert one.clean
    one.push(push(11, 12, a=3))
    assert one.reordered


def test_a_change_that_was_left_out_is_found_by_a_fresh_snapshot() -> None:
    one = told(a=1, b=1)
    one.push(push(10, 12, a=2))
    fresh = {"incidents": {"a": {"version": 2}, "b": {"version": 2}, "c": {"version": 1}}}
    assert one.clean
    assert one.differs(fresh) == [
        "incidents: b is version 1, a fresh snapshot says version 2",
        "incidents: c is not there, a fresh snapshot says version 1",
    ]
    assert told(a=1).differs({"incidents": {}}) == ["incidents: a is version 1, a fresh snapshot says not there"]


def test_what_the_contract_does_not_allow_is_broken() -> None:
    beyond = push(10, 12, a=2)
    beyond["pubs"][0]["offset"] = 13
    early = Told()
    early.begin("incidents", state(10, more=True))
    early.push(push(10, 12))
    twice = Told()
    twice.begin("incidents", state(10, more=True, a=1))
    twice.part("incidents", state(10, a=1))
    late = told(a=1)
    late.part("incidents", state(10, b=1))
    backwards = told(a=1)
    backwards.begin("incidents", recovered(9))
    outside = told(a=1)
    outside.push(beyond)
    for one in (early, twice, late, backwards, outside):
        assert one.broken


def test_a_row_that_leaves_is_gone_and_may_come_back() -> None:
    one = told(a=1)
    leaving = push(10, 12)
    leaving["pubs"] = [{"offset": 12, "key": "a", "removed": True}]
    one.push(leaving)
    assert one.rows["incidents"] == {}
    one.push(push(12, 13, a=4))
    assert one.clean
    assert one.versions["a"] == [1, 4]


@asynccontextmanager
async def lying_feed(leave_out: int | None, cut_after: int) -> AsyncIterator[str]:
    """A feed of three lines that pushes one row a record, cuts after so many pushes, and leaves one record out."""
    versions = [1]

    async def one(connection: ServerConnection) -> None:
        async for text in connection:
            said = json.loads(text)
            if "subscribe" not in said:
                continue
            here = said["subscribe"].get("offset")
            rows = {"INC-1": row("INC-1", versions[0])}
            await connection.send(json.dumps({"id": said["id"], "subscribe": _answer(here, versions[0], rows)}))
            for _ in range(cut_after):
                await asyncio.sleep(0.02)
                versions[0] += 1
                if versions[0] == leave_out:
                    continue
                last = versions[0]
                pub = {"offset": last, "key": "INC-1", "data": row("INC-1", last)}
                pushed = {"channel": "incidents", "epoch": "e1", "since": last - 1, "offset": last, "pubs": [pub]}
                await connection.send(json.dumps({"push": pushed}))
            if said["subscribe"].get("recover"):
                return

    async with serve(one, "127.0.0.1", 0, compression=None, subprotocols=["patriot.feed.v1+json"]) as server:  # type: ignore[list-item]
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


def _answer(here: int | None, now: int, rows: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"epoch": "e1", "offset": now}
    if here is None:
        return answer | {
            "recovered": False,
            "state": [{"key": key, "data": data} for key, data in rows.items()],
            "more": False,
        }
    pubs = [{"offset": now, "key": key, "data": data} for key, data in rows.items()] if here < now else []
    return answer | {"recovered": True, "publications": pubs}


async def a_ticket() -> str:
    return ticket(OPERATOR, datetime.now(UTC))


@pytest.mark.parametrize("manner", list(Manner))
@pytest.mark.parametrize("leave_out", [None, 5])
async def test_an_onlooker_on_a_socket_finds_a_gap_and_goes_on(manner: Manner, leave_out: int | None) -> None:
    async with (
        lying_feed(leave_out, cut_after=20) as node,
        Onlooker(manner, [node], a_ticket, ["incidents"], chance=random.Random(1)) as one,
    ):
        async with asyncio.timeout(20):
            while len(one.told.versions.get("INC-1", ())) < 12:
                await asyncio.sleep(0.05)
    assert bool(one.told.gaps) is (leave_out is not None)
    assert not one.told.reordered
    assert not one.told.broken
    if leave_out is not None:
        assert one.told.answers["recovered"] >= 1


async def test_an_onlooker_without_a_feed_says_so() -> None:
    async with Onlooker(Manner.STEADY, ["ws://127.0.0.1:9/"], a_ticket) as one:
        with pytest.raises(AssertionError, match="no feed"):
            await one.until_whole(0.5)
        with pytest.raises(OSError):
            await snapshot("ws://127.0.0.1:9/", a_ticket)
    assert one.away_s >= 0.5
