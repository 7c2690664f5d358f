"""What becomes of rows when something between us and the city answers, and when a row is not like the others."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import pytest

from infra.local.trouble import Trouble
from infra.public_api import Api
from infra.replay.bookmark import Bookmark, Fate, Mark
from infra.replay.delivery import Delivery, Terms
from infra.replay.message import Reader
from infra.replay.plan import plan
from infra.replay.recording import Recording
from infra.replay.schedule import Schedule

AT = "2026-11-22T07:00:00Z"
READINGS = [{"sensor_id": "s1", "observed_at": AT}, {"sensor_id": "s2", "observed_at": AT}]
REPORTS = [{"description": "Macet di Summarecon"}, {"description": "Macet di Harapan Indah"}]


class Front:
    """A proxy before the city: answers with `answers` in turn, then takes everything as the city would."""

    def __init__(self, answers: Sequence[int]) -> None:
        self._answers = list(answers)
        self.keys: list[str] = []
        self.bodies: list[bytes] = []

    async def __aenter__(self) -> "Front":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        fields = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
        body = await reader.readexactly(int(fields["content-length"]))
        status = self._answers.pop(0) if self._answers else 202
        answer = b""
        if status == 202:
            self.keys.append(fields.get("idempotency-key", ""))
            self.bodies.append(body)
            answer = json.dumps({"accepted": 2, "rejected": []}).encode()
        writer.write(
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nRetry-After: 0\r\nConnection: close\r\n"
            f"Content-Length: {len(answer)}\r\n\r\n".encode()
            + answer
        )
        await writer.drain()
        writer.close()


async def replay(
    folder: Path,
    rows: Sequence[dict[str, object]],
    front: Front,
    *,
    shift_s: float = 0.0,
    pace: float = 0.0,
    patience_s: float = 60.0,
    told: list[str] | None = None,
) -> Counter[Fate]:
    """What became of the rows."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    bookmark = Bookmark(folder / "state.json")
    bookmark.begin(Mark(run="r" * 64, begun_at=datetime.now(UTC), shift_s=shift_s, settled=0, fates={}))
    api = Api(front.url, Counter())
    terms = Terms(at_once=1, patience_s=patience_s, strict=False)
    delivery = Delivery(api, Reader(), bookmark, terms, ([] if told is None else told).append)
    planned = plan([Recording(path)], Reader())
    origin = datetime.fromisoformat(AT).timestamp()
    try:
        await delivery.run(planned, Schedule(pace, asyncio.get_running_loop().time(), origin))
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        await api.close()
        bookmark.close()
    return bookmark.fates


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
@pytest.mark.parametrize("rows", [READINGS, REPORTS], ids=["readings", "reports"])
async def test_no_row_is_given_up_while_somebody_between_says_not_now(
    tmp_path: Path, rows: list[dict[str, object]], status: int
) -> None:
    async with Front([status] * 8) as front:
        assert await replay(tmp_path, rows, front) == {Fate.TAKEN: 2}


async def test_patience_ends_and_nothing_is_settled(tmp_path: Path) -> None:
    async with Front([502] * 100_000) as front:
        with pytest.raises(Trouble, match=r"taken nothing for 1 s \(502"):
            await replay(tmp_path, READINGS, front, patience_s=1.0)
    assert json.loads((tmp_path / "state.json").read_text())["settled"] == 0


async def test_a_key_belongs_to_one_row_and_one_shift(tmp_path: Path) -> None:
    keys = []
    for n, shift_s in enumerate((0.0, 60.5, 60.501, 0.0)):
        (folder := tmp_path / str(n)).mkdir()
        async with Front([]) as front:
            await replay(folder, REPORTS, front, shift_s=shift_s)
        keys.append(frozenset(front.keys))
        assert len(front.keys) == 2 and max(map(len, front.keys)) <= 200
    assert keys[0] == keys[3]
    assert len(keys[0] | keys[1] | keys[2]) == 6


async def test_a_time_that_cannot_be_moved_is_a_bad_row_and_no_end(tmp_path: Path) -> None:
    rows = [*READINGS, {"sensor_id": "s3", "observed_at": "9999-12-31T23:00:00Z"}]
    told: list[str] = []
    async with Front([]) as front:
        assert await replay(tmp_path, rows, front, shift_s=86_400.0, told=told) == {Fate.TAKEN: 2, Fate.BAD: 1}
    assert len(told) == 1 and told[0].startswith(f"{tmp_path / 'rows.jsonl'}:3: observed_at: ")


@pytest.mark.parametrize("pace", [1.0, 1e-9])
async def test_before_a_long_rest_it_says_why_and_until_when(tmp_path: Path, pace: float) -> None:
    told: list[str] = []
    rows = [*READINGS, {"sensor_id": "s3", "observed_at": "2106-02-07T06:28:15Z"}]
    async with Front([]) as front:
        waiting = asyncio.create_task(replay(tmp_path, rows, front, pace=pace, told=told))
        await until(lambda: bool(told) and len(front.bodies) == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert told[0].startswith(f"{tmp_path / 'rows.jsonl'}:3: is due at ") and ("UTC" in told[0]) is (pace == 1.0)


async def until(true: Callable[[], bool]) -> None:
    """Wait for it, 30 s at most."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)
