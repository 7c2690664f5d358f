"""Idempotency-Key: the same wish is one report, however often, however parallel, across restarts."""

import asyncio
import os
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from infra.local.stack import Stack
from infra.objects import Objects
from infra.problem import Problem
from ingest.idempotency import IdempotencyKeys, Promise, check_key
from schemas import topics
from tests.faults.process import Service
from tests.ingest.conftest import environment, open_sender
from tests.ingest.intake import BOTH, JAM, REPORTS, STAFF, Sender, a_photo, is_refused


def a_key() -> str:
    return f"key {uuid.uuid4()}"


async def test_the_same_wish_gets_the_same_answer_and_is_one_record(citizen: Sender) -> None:
    key = a_key()
    first = await citizen.post(JAM, key=key)
    again = await citizen.post({name: JAM[name] for name in reversed(JAM)}, key=key)
    assert again.status_code == 202
    assert again.json() == first.json()
    assert len(await citizen.records_of(first.json()["report_id"])) == 1


async def test_the_same_photos_are_the_same_wish(citizen: Sender) -> None:
    key, photos = a_key(), (a_photo(), a_photo("PNG"))
    first = await citizen.report(*photos, key=key)
    assert await citizen.report(*photos, key=key) == first
    is_refused(await citizen.post(JAM, *reversed(photos), key=key), 409)
    is_refused(await citizen.post(JAM, photos[0], key=key), 409)
    is_refused(await citizen.post(JAM, key=key), 409)


@pytest.mark.parametrize(
    "other", [{"description": "Banjir"}, {"lat": -6.25}, {"category": "flood"}, {"channel": "web"}]
)
async def test_another_body_is_409_and_changes_nothing(citizen: Sender, other: dict[str, object]) -> None:
    key = a_key()
    first = await citizen.report(key=key)
    is_refused(await citizen.post({**JAM, **other}, key=key), 409)
    assert await citizen.report(key=key) == first


async def test_a_refused_body_does_not_use_the_key_up(citizen: Sender) -> None:
    key = a_key()
    is_refused(await citizen.post({**JAM, "lat": 91}, key=key), 422)
    is_refused(await citizen.post(JAM, a_photo()[:100], key=key), 422)
    await citizen.report(a_photo(), key=key)


async def test_callers_do_not_meet_each_others_keys(citizen: Sender, ingest: Sender, agent: Sender) -> None:
    key = a_key()
    receipts = [await sender.report(key=key) for sender in (citizen, ingest, agent)]
    receipts.append((await citizen.post(JAM, key=key, Authorization=f"Bearer {REPORTS}")).json())
    assert len({receipt["report_id"] for receipt in receipts}) == 4
    assert [await sender.report(key=key) for sender in (citizen, ingest, agent)] == receipts[:3]


async def test_many_at_once_are_one_report(citizen: Sender) -> None:
    key = a_key()
    found = await asyncio.gather(*(citizen.post(JAM, a_photo(), key=key) for _ in range(12)))
    assert {each.status_code for each in found} == {202}, [each.text for each in found]
    assert len({each.text for each in found}) == 1
    assert len(await citizen.records_of(found[0].json()["report_id"])) == 1


async def test_of_two_bodies_at_once_one_wins(citizen: Sender) -> None:
    key = a_key()
    bodies = [JAM, {**JAM, "description": "Banjir"}] * 4
    found = await asyncio.gather(*(citizen.post(body, key=key) for body in bodies))
    assert sorted({each.status_code for each in found}) == [202, 409]
    assert len({each.text for each in found if each.status_code == 202}) == 1


@pytest.mark.parametrize("key", ["x", "x" * 200, "!~ #", '"quoted"'])
def test_a_key_is_any_printable_text(key: str) -> None:
    assert check_key(key) == key


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "a\tb", "a\0b", "é", "\x7f"])
def test_another_key_is_refused(key: str) -> None:
    with pytest.raises(Problem) as refused:
        check_key(key)
    assert refused.value.status == 422


async def test_a_key_that_is_none_is_422(citizen: Sender) -> None:
    is_refused(await citizen.post(JAM, key="x" * 201), 422)


async def test_keys_are_kept_for_seven_days(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    keys = IdempotencyKeys(objects)
    now, promise = time.time(), a_promise("a" * 32)
    for age_days in (6.9, 7.1):
        name = keys.name("", str(age_days))
        await keys.keep(name, promise)
        kept = tmp_path / f"{name}.{promise.report_id}"
        os.utime(kept, (now - age_days * 86400, now - age_days * 86400))
    assert await keys.sweep(now) == 1
    assert await keys.is_kept(keys.name("", "6.9"), promise)
    assert not await keys.is_kept(keys.name("", "7.1"), promise)
    objects.close()


async def test_what_was_kept_of_an_earlier_promise_says_nothing_of_a_later_one(tmp_path: Path) -> None:
    objects = Objects(tmp_path)
    keys = IdempotencyKeys(objects)
    name = keys.name("", "again")
    await keys.keep(name, a_promise("a" * 32))
    assert await keys.is_kept(name, a_promise("a" * 32))
    assert not await keys.is_kept(name, a_promise("b" * 32))
    objects.close()


def a_promise(report_id: str) -> Promise:
    return Promise(digest="", report_id=report_id, tracking_code="", submitted_at=datetime(2026, 11, 22, tzinfo=UTC))


async def test_two_services_on_one_store_give_one_answer(
    stack: Stack, keys: None, ingest: Sender, tmp_path: Path
) -> None:
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment(stack, ingest.data_dir)) as second:
        await asyncio.to_thread(second.start)
        async with open_sender(second.url, BOTH, stack, ingest.data_dir) as other:
            for _ in range(3):
                key = a_key()
                senders = [ingest, other] * 3
                found = await asyncio.gather(*(sender.post(JAM, key=key) for sender in senders))
                assert {each.status_code for each in found} == {202}
                assert len({each.text for each in found}) == 1
                records = await ingest.records_of(found[0].json()["report_id"])
                assert len({record.headers["ce_id"] for record in records}) == 1
                assert len({str(record.value) for record in records}) == 1


async def test_a_repeat_after_kill_9_settles_it(stack: Stack, keys: None, tmp_path: Path) -> None:
    """At each dangerous point; each next life first settles the wish that the last one died with."""
    wish = {**JAM, "reporter": {"name": "Siti"}}
    points = ("ingest.after_idempotency", "ingest.after_contact", "ingest.after_ack")
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment(stack, tmp_path)) as service:
        async with open_sender(service.url, STAFF, stack, tmp_path) as sender:
            await asyncio.to_thread(service.start, f"{points[0]}=kill")
            for life, point in enumerate(points):
                key = a_key()
                with pytest.raises(httpx.HTTPError):
                    await sender.post(wish, a_photo(), key=key)
                await asyncio.to_thread(service.wait_killed)
                following = points[life + 1 : life + 2]
                await asyncio.to_thread(service.start, f"{following[0]}=kill@2" if following else "")
                receipt = await sender.report(a_photo(), key=key, **wish)
                assert await sender.report(a_photo(), key=key, **wish) == receipt
                records = await sender.records_of(receipt["report_id"])
                assert len(records) == (2 if point == "ingest.after_ack" else 1)
                assert len({record.headers["ce_id"] for record in records}) == 1
                assert len({str(record.value) for record in records}) == 1
                assert await sender.records_of(receipt["report_id"], topics.CONTACT)
