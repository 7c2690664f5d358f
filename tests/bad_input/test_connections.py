"""Sockets that drip, stall, lie, smuggle, or are too many: each is answered or let go, and the next one is served."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import psutil
import pytest

from infra.local.ports import find_free
from tests.bad_input.wire import Line, chunked, post, say
from tests.infra.bare_service import LARGE

HOST = "127.0.0.1"
LIMIT = 300
#: Of its connections beyond the limit, how many are told so (`infra.server`).
TOLD = 200
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"
WEBSOCKET = b"Upgrade: websocket\r\nConnection: Upgrade"


@contextlib.contextmanager
def bare_service(*limits: str) -> Iterator[tuple[int, psutil.Process]]:
    """A service with these limits; its port and its process."""
    port = find_free(HOST)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.infra.bare_service", str(port), *limits], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with contextlib.suppress(httpx.HTTPError):
                httpx.get(f"http://{HOST}:{port}/healthz", timeout=1)
                break
            time.sleep(0.05)
        yield port, psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def service() -> Iterator[tuple[int, psutil.Process]]:
    with bare_service(f"connections={LIMIT}", "_REST_S=0.5", "_STALL_S=0.5", "BODY_TIMEOUT_S=2") as running:
        yield running


@pytest.fixture
async def port(service: tuple[int, psutil.Process]) -> AsyncIterator[int]:
    yield service[0]
    for _ in range(50):
        if connections(service) == 0:
            break
        await asyncio.sleep(0.1)
    assert connections(service) == 0, "a connection was left behind"
    after = await say(HOST, service[0], post("/size", b"12345", b"Connection: close"))
    assert after.data.endswith(b"5"), "it serves no longer"


def connections(service: tuple[int, psutil.Process]) -> int:
    return sum(one.status == psutil.CONN_ESTABLISHED for one in service[1].net_connections("tcp"))


@asynccontextmanager
async def lines(port: int, count: int) -> AsyncIterator[list[Line]]:
    """So many connections that say nothing."""
    opened = [await Line.open(HOST, port) for _ in range(count)]
    try:
        yield opened
    finally:
        for line in opened:
            line.close()


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        # a body shorter than it says: the next request is its body, whatever it looks like
        (post("/size", b"x" * 10, length=66) + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + b"y" * 22, [200]),
        # and one that is longer: what is too much is no request
        (post("/size", b"x" * 10 + b"y" * 10, length=10), [200]),
        (post("/size", b"", length=10**18), [413]),
        (post("/size", b"x", b"Content-Length: 2", length=1), [400]),
        (post("/size", b"x" * 5, b"Content-Length: 5"), [400]),
        (post("/size", b"x").replace(b": 1", b": +1"), [400]),
        (post("/size", b"x").replace(b": 1", b": 0x1"), [400]),
        (post("/size", b"x").replace(b": 1", b": 1, 1"), [400]),
        (post("/size", b"x").replace(b": 1", b": " + b"9" * 30), [400]),
        # one length or the other: two readers must not disagree where the next request begins (RFC 9112, 6.3)
        (post("/size", b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"Transfer-Encoding: chunked"), [400]),
        (chunked("/size", b"x").replace(b"chunked\r\n", b"chunked\r\nContent-Length: 3\r\n", 1), [400]),
        (chunked("/size", b"x").replace(b"chunked", b"chunked, identity"), [400]),
        (chunked("/size", b"x").replace(b"Encoding: chunked", b"Encoding : chunked"), [400]),
        (chunked("/size", b"x").replace(b"Transfer", b" Transfer"), [400]),
        (chunked("/size", b"x").replace(b"1\r\nx", b"-1\r\nx"), [400]),
        (chunked("/size", b"x").replace(b"1\r\nx", b"FFFFFFFFFFFFFFFFF\r\nx"), [400]),
        (chunked("/size", b"x").replace(b"1\r\nx", b"1 \r\nx"), [400]),
        (chunked("/size", b"x").replace(b"1\r\nx\r\n", b"1\r\nxy\r\n"), [400]),
        (chunked("/size", b"x").replace(b"1\r\nx\r\n", b"1\nx\n"), [400]),
        (chunked("/size", b"abc", b"de"), [200]),
        (post("/size", b"abc").replace(b"\r\n", b"\n"), [400]),
        (b"GET /healthz HTTP/1.1\r\n\r\n", [200]),
        (b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n", [400]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [400]),
        (b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", [400]),
        (b"GET http://evil.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n", [200]),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + WEBSOCKET + b"\r\n\r\n", [200]),
        # asking for another protocol changes nothing: the body is the body, and the next request the next
        (post("/size", b"x" * 40, H2C), [200]),
        (
            (post("/size", b"x" * 40, WEBSOCKET) + chunked("/size", b"abc").replace(b"Host", H2C + b"\r\nHost")) * 9,
            [200] * 18,
        ),
        (post("/size", b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", H2C, H2C), [200]),
        (post("/size", b"x", H2C, b"Content-Length: 2", length=1), [400]),
        (b"".join(b"GET /healthz HTTP/1.1\r\n%s\r\n\r\n" % H2C for _ in range(400)), [200] * 400),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 500, [200] * 500),
        ((post("/size", b"x" * 7) + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") * 20, [200] * 40),
    ],
    ids=range(34),
)
async def test_where_a_request_ends_is_never_in_doubt(port: int, sent: bytes, statuses: list[int]) -> None:
    heard = await say(HOST, port, sent, silence=0.3)
    assert heard.statuses == statuses, heard.data[:300]
    if statuses[-1] >= 400:
        assert heard.closed, "nothing that follows may be read as a request"
        assert b"application/problem+json" in heard.data


async def test_a_body_that_comes_after_a_head_with_upgrade_is_its_body(port: int) -> None:
    """As Java's client sends its first request: head and body in segments of their own."""
    body = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    sent = post("/size", body, H2C)
    async with lines(port, 1) as (line,):
        for at in range(0, len(sent), 10):
            await line.send(sent[at : at + 10])
            await asyncio.sleep(0.01)
        await line.send(post("/size", b"abcdefg", b"Connection: close"))
        heard = await line.hear()
    assert heard.statuses == [200, 200]
    assert b"\r\n\r\n%dHTTP/1.1" % len(body) in heard.data and heard.data.endswith(b"7")


async def test_a_body_that_does_not_come_is_not_waited_for(port: int) -> None:
    """It ends with 408 after `BODY_TIMEOUT_S`; meanwhile others are served."""
    async with lines(port, 2) as (silent, dripping):
        await silent.send(post("/size", b"{", length=1000))
        await dripping.send(post("/size", b"", length=1000))
        drip = asyncio.create_task(dripping.drip(b"x" * 1000, 0.2))
        assert (await say(HOST, port, post("/size", b"abc", b"Connection: close"))).statuses == [200]
        heard = await asyncio.gather(silent.hear(), dripping.hear())
        await drip
    assert [one.statuses for one in heard] == [[408], [408]]
    assert all(one.closed for one in heard)


@pytest.mark.parametrize("path", ["/size", "/unread", "/nowhere"])
async def test_endless_chunks_are_given_up(port: int, path: str) -> None:
    async with lines(port, 1) as (line,):
        hearing = asyncio.create_task(line.hear(silence=10))
        await line.send(chunked(path, b"x", end=b""))
        sent = 0
        while not hearing.done() and sent < 2 * 1024**3:
            await line.send(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            sent += 0x10000
        heard = await hearing
    assert heard.closed and len(heard.statuses) <= 1
    assert heard.statuses in ([], [{"/size": 413, "/unread": 200, "/nowhere": 404}[path]])


async def test_the_rest_of_a_body_after_its_answer_is_not_waited_for_long(port: int) -> None:
    async with lines(port, 1) as (line,):
        await line.send(post("/unread", b"x", length=1000))
        drip = asyncio.create_task(line.drip(b"x" * 200, 0.1))
        heard = await line.hear(silence=10)
        await drip
    assert heard.statuses == [200] and heard.closed
    assert heard.seconds < 10


async def test_the_rest_of_a_body_that_comes_in_time_leaves_the_connection_as_it_was(port: int) -> None:
    async with lines(port, 1) as (line,):
        await line.send(post("/unread", b"x", length=1000))
        await asyncio.sleep(0.1)
        await line.send(b"x" * 999)
        await asyncio.sleep(1)
        await line.send(post("/size", b"abc"))
        assert (await line.hear()).statuses == [200, 200]


async def test_who_asks_before_sending_too_much_is_told_not_to(port: int) -> None:
    """`Expect: 100-continue`, as curl sends it with more than 1 MiB: refused unsent."""
    async with lines(port, 1) as (line,):
        await line.send(post("/size", b"", b"Expect: 100-continue", length=50_000_000))
        heard = await line.hear(silence=10)
    assert heard.statuses == [413] and heard.closed
    async with lines(port, 1) as (line,):
        await line.send(post("/size", b"", b"Expect: 100-continue", length=3))
        await asyncio.sleep(0.2)
        await line.send(b"abc")
        assert (await line.hear()).statuses == [100, 200]


async def test_who_does_not_take_an_answer_is_cut_off_and_who_takes_it_slowly_is_not(
    port: int, service: tuple[int, psutil.Process]
) -> None:
    ask = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
    async with lines(port, 5) as stalled, lines(port, 1) as (slow,):
        for line in (*stalled, slow):
            line._reader._transport.pause_reading()  # type: ignore[attr-defined]
            await line.send(ask)
        taken = 0
        slow._reader._transport.resume_reading()  # type: ignore[attr-defined]
        while taken < LARGE:
            part = await asyncio.wait_for(slow._reader.read(2**20), 10)
            assert part, "cut off although it reads"
            taken += len(part)
            await asyncio.sleep(0.1)
        for _ in range(50):
            if connections(service) <= 1:
                break
            await asyncio.sleep(0.1)
        assert connections(service) <= 1, "who reads nothing keeps 16 MiB of ours"


async def test_beyond_the_limit_one_is_told_to_come_again(port: int, service: tuple[int, psutil.Process]) -> None:
    async with lines(port, LIMIT) as held:
        for line in held:
            await line.send(b"POST /size HTTP/1.1\r\n")
        await asyncio.sleep(0.2)
        for sent in (b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n", post("/size", b"abc")):
            heard = await say(HOST, port, sent)
            assert heard.statuses == [503] and heard.closed
            assert b"retry-after: 5" in heard.data.lower() and b"application/problem+json" in heard.data
        probe = await say(HOST, port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert probe.statuses == [200], "health and metrics are not turned away"
        assert b"patriot_http_refused_connections_total 3.0" in probe.data
        assert b"patriot_http_connections %d.0" % (LIMIT + 1) in probe.data
        await held[0].send(post("/size", b"abcd").partition(b"\r\n")[2])
        assert (await held[0].hear()).statuses == [200], "who was there first is served"


async def test_who_idles_longest_gives_way_to_who_comes(port: int) -> None:
    async with lines(port, LIMIT) as held:
        sending, silent, *others = held
        await sending.send(b"POST /size HTTP/1.1\r\n")
        for line in others:
            await line.send(post("/size", b"abc"))
        for heard in await asyncio.gather(*(line.hear(silence=0.1) for line in others)):
            assert heard.statuses == [200] and not heard.closed
        async with lines(port, 10) as newcomers:
            for line in newcomers:
                await line.send(post("/size", b"abcd"))
                assert (await line.hear(silence=0.1)).statuses == [200]
            ended = await asyncio.gather(*(line.hear(patience=0.2) for line in others))
            assert (await silent.hear(patience=0.2)).closed, "it idled longest"
            assert sum(one.closed for one in ended) == len(newcomers) - 1
        await sending.send(post("/size", b"abcd").partition(b"\r\n")[2])
        assert (await sending.hear(silence=0.1)).statuses == [200], "who is sending does not idle"
    found = await say(HOST, port, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"patriot_http_idle_connections_ended_total 0.0" not in found.data


async def test_an_empty_line_does_not_keep_a_connection() -> None:
    with bare_service("_HEAD_S=1") as (port, _):
        async with lines(port, 1) as (line,):
            await line.send(post("/size", b"abc"))
            assert not (await line.hear(silence=0.2)).closed
            await line.send(b"\r\n")
            assert (await line.hear()).closed


async def test_a_flood_of_connections_is_cut(port: int, service: tuple[int, psutil.Process]) -> None:
    async with lines(port, LIMIT + TOLD + 300) as flood:
        for line in flood:
            await line.send(b"GET")
        await asyncio.sleep(0.5)
        assert connections(service) <= LIMIT + TOLD


async def test_stalled_heads_cost_little(port: int, service: tuple[int, psutil.Process]) -> None:
    before = service[1].memory_info().rss
    async with lines(port, 250) as held:
        for line in held:
            await line.send(b"POST /size HTTP/1.1\r\nHost: x\r\nx: " + b"y" * 30_000)
        await asyncio.sleep(0.5)
        assert (service[1].memory_info().rss - before) / len(held) < 128 * 1024
        assert (await say(HOST, port, post("/size", b"abc", b"Connection: close"))).statuses == [200]
