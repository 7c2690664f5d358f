"""SIGTERM of ingest: what it has begun is done and answered, what comes later is sent away, and it ends with 0."""

import asyncio
import re
import signal
import socket
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.stack import Stack
from infra.server import GRACE_S
from schemas import topics
from tests.faults.process import Service
from tests.ingest.conftest import environment
from tests.ingest.intake import BOTH, JAM, hand_out_keys, kept, until, wifi

_CLIENTS = 24
#: Beyond the grace: closing Kafka's client, the photo workers and the pool, on a busy machine.
_END_S = GRACE_S + 20.0


@pytest.fixture
async def service(stack: Stack, tmp_path: Path) -> AsyncIterator[Service]:
    await hand_out_keys(stack.postgres.dsn)
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment(stack, tmp_path)) as service:
        await asyncio.to_thread(service.start, "", 60)
        yield service


def end(service: Service) -> Iterator[float]:
    """SIGTERM; then the seconds until it has ended, which it must with 0 and without complaint."""
    assert service.process is not None
    begun = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    yield begun
    assert service.process.wait(_END_S) == 0, service.tail()
    assert not re.search("Traceback|never retrieved|Unclosed|was destroyed", service.tail()), service.tail()
    yield time.monotonic() - begun


class Crowd:
    """Clients that report again and again until the service is gone."""

    def __init__(self, url: str) -> None:
        self.mark = f"crowd {uuid.uuid4().hex}"
        self.answered: list[str] = []
        self.refused: list[httpx.Response] = []
        #: The connection ended before an answer: what became of these is known from Kafka.
        self.unanswered: list[str] = []
        self._url = url

    async def one(self, number: int) -> None:
        """One of them."""
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as http:
            for count in range(100_000):
                wish = f"{self.mark} {number} {count}"
                try:
                    answer = await http.post("/api/v1/reports", json={**JAM, "description": wish})
                except httpx.ConnectError:
                    return
                except httpx.HTTPError:
                    self.unanswered.append(wish)
                    continue
                if answer.status_code == 202:
                    self.answered.append(wish)
                else:
                    self.refused.append(answer)


async def test_under_load_every_report_that_was_begun_is_answered(stack: Stack, service: Service) -> None:
    crowd = Crowd(service.url)
    clients = [asyncio.create_task(crowd.one(number)) for number in range(_CLIENTS)]
    await until(lambda: _some_answered(crowd), 60)
    ending = end(service)
    next(ending)
    await asyncio.wait_for(asyncio.gather(*clients), _END_S)
    await asyncio.to_thread(next, ending)
    assert len(crowd.answered) > _CLIENTS
    for answer in crowd.refused:
        assert answer.status_code == 503 and answer.headers["retry-after"] and "close" in answer.headers["connection"]
    values = [str(each.value.get("description")) for each in await kept(stack.kafka.bootstrap, topics.REPORT)]
    arrived = [value for value in values if value.startswith(crowd.mark)]
    assert sorted(arrived) == sorted(crowd.answered), "all that was taken was answered, and once"
    assert len(crowd.unanswered) < _CLIENTS / 2, "only who came in the moment in which listening ended gets no answer"
    assert not set(crowd.unanswered) & set(arrived)


async def _some_answered(crowd: Crowd) -> bool:
    return len(crowd.answered) > 2 * _CLIENTS


async def test_an_array_of_readings_on_its_way_to_kafka_is_finished(stack: Stack, service: Service) -> None:
    mark = uuid.uuid4().hex[:12]
    async with httpx.AsyncClient(
        base_url=service.url, timeout=30, headers={"Authorization": f"Bearer {BOTH}"}
    ) as gateway:
        sending = [
            asyncio.create_task(gateway.post("/api/v1/telemetry", json=[wifi(f"{mark}-{n}-{m}") for m in range(1000)]))
            for n in range(6)
        ]
        await asyncio.sleep(0.15)
        ending = end(service)
        next(ending)
        answers = await asyncio.gather(*sending, return_exceptions=True)
        await asyncio.to_thread(next, ending)
    taken = [each for each in answers if isinstance(each, httpx.Response) and each.status_code == 202]
    values = [each.key for each in await kept(stack.kafka.bootstrap, topics.TELEMETRY)]
    assert len({key for key in values if key.startswith(mark)}) == 1000 * len(taken)
    assert taken, answers


async def test_who_sends_too_slowly_does_not_hold_it_up(service: Service) -> None:
    connection = socket.create_connection(("127.0.0.1", service.port))
    connection.sendall(
        b"POST /api/v1/reports HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    )
    idle = socket.create_connection(("127.0.0.1", service.port))
    await asyncio.sleep(0.2)
    ending = end(service)
    next(ending)
    idle.settimeout(5)
    assert await asyncio.to_thread(idle.recv, 1) == b"", "a connection that says nothing is let go at once"
    assert await asyncio.to_thread(next, ending) < _END_S
    connection.close()
    idle.close()


async def test_with_kafka_away_it_says_so_to_who_waits_and_ends(own: Stack, tmp_path: Path) -> None:
    with Service("ingest", tmp_path, "PATRIOT_PORT", environment(own, tmp_path)) as service:
        await asyncio.to_thread(service.start, "", 60)
        async with httpx.AsyncClient(base_url=service.url, timeout=30) as http:
            assert (await http.post("/api/v1/reports", json=JAM)).status_code == 202
            await own.kafka.kill()
            try:
                sending = [asyncio.create_task(http.post("/api/v1/reports", json=JAM)) for _ in range(5)]
                await asyncio.sleep(0.1)
                ending = end(service)
                next(ending)
                for answer in await asyncio.gather(*sending):
                    assert answer.status_code == 503 and answer.headers["retry-after"]
                await asyncio.to_thread(next, ending)
            finally:
                await own.kafka.start()
