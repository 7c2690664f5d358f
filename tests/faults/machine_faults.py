"""The machine itself: no room for photos and keys, for Kafka, for PostgreSQL, a clock two hours off."""

import asyncio
import io
import json
import os
import resource
import shutil
import subprocess
from pathlib import Path
from random import Random
from typing import Final

import httpx
import psutil
from PIL import Image

from tests.faults.field import PATIENCE_S, Field
from tests.faults.ledger import Outcome, Wish
from tests.faults.load import place, text
from tests.faults.process import Service
from tests.faults.scenario import Fault

_FULL_S: Final = 8.0
_WRONG_S: Final = 6.0
_TWO_HOURS_S: Final = 7_200
_CLOCK: Final = Path(__file__).with_name("shifted_clock.c")


def _limit_files(pid: int, size: int) -> None:
    """From now on no file of that process grows beyond `size` bytes: writing fails as on a disk without room."""
    _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size if size >= 0 else most, most))


async def no_room_for_photos(field: Field, rng: Random) -> None:
    """Ingest can write nothing, not even its log. With a photo or a key: 503, and no photo is kept; without: taken."""
    process = field.ingest.process
    assert process is not None
    photos = field.folder / "data" / "objects" / "photos"
    before = _names(photos)
    _limit_files(process.pid, 0)
    try:
        until = asyncio.get_running_loop().time() + _FULL_S
        async with httpx.AsyncClient(base_url=field.reports_url, timeout=10) as http:
            while asyncio.get_running_loop().time() < until:
                await _send(field, http, Outcome.REFUSED, _photo())
                await _send(field, http, Outcome.OK)
                await asyncio.sleep(0.3)
    finally:
        _limit_files(process.pid, -1)
    if half := _names(photos) - before:
        field.load.surprises.append(f"photos of refused reports are kept: {sorted(half)[:3]}")


async def _send(field: Field, http: httpx.AsyncClient, expected: Outcome, *photos: bytes) -> None:
    wish = Wish(field.load.new_key(), "report")
    lat, lon = place(next(field.places))
    report = {"description": text(wish.key), "lat": lat, "lon": lon, "reporter": {"name": "Siti"}}
    parts: list[tuple[str, tuple[str | None, str | bytes, str]]] = [
        ("report", (None, json.dumps(report), "application/json")),
        *(("photo", (f"{n}.jpg", photo, "image/jpeg")) for n, photo in enumerate(photos)),
    ]
    field.load.ledger.before(wish)
    answer = await http.post("/api/v1/reports", files=parts, headers={"Authorization": f"Bearer {field.device_key}"})
    if answer.status_code == 202:
        field.load.ledger.after(wish, Outcome.OK, answer.json()["report_id"])
    elif answer.status_code == 503 and answer.json()["type"].endswith("/unavailable"):
        field.load.ledger.after(wish, Outcome.REFUSED)
    else:
        field.load.ledger.after(wish, Outcome.UNKNOWN)
    if answer.status_code != (202 if expected is Outcome.OK else 503):
        field.load.surprises.append(f"with {len(photos)} photos and a full disk: {answer.status_code} {answer.text}")


def _photo() -> bytes:
    Image.effect_noise((320, 240), 60).convert("RGB").save(out := io.BytesIO(), "JPEG")
    return out.getvalue()


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


async def no_room_for_kafka(field: Field, rng: Random) -> None:
    """The broker can write nothing: it gives up its only disk and ends. With room again it is started."""
    kafka = field.stack.kafka
    assert kafka.child is not None
    _limit_files(kafka.child.pid, 0)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await kafka.child.wait()
    except TimeoutError:
        field.load.surprises.append("a broker that can write nothing goes on")
        await kafka.kill()
    await asyncio.sleep(1)
    await kafka.start()


async def no_room_for_postgresql(field: Field, rng: Random) -> None:
    """The server can write nothing, not even its log: it panics and may end. With room again it recovers."""
    postgres = field.stack.postgres
    assert postgres.child is not None
    server = psutil.Process(postgres.child.pid)
    _limit_family(server, "0")
    await asyncio.sleep(_FULL_S)
    if postgres.child.returncode is None:
        _limit_family(server, "unlimited")
        await asyncio.sleep(1)
    if postgres.child.returncode is not None:
        await postgres.start()


def _limit_family(server: psutil.Process, size: str) -> None:
    """The same for a server of another account and its processes; some may have ended when their turn comes."""
    of_another = server.uids().real != os.getuid()
    who = {"user": server.uids().real, "group": server.gids().real, "extra_groups": []} if of_another else {}
    for process in (server, *server.children(recursive=True)):
        subprocess.run(
            ["prlimit", f"--pid={process.pid}", f"--fsize={size}:"],
            check=process is server,
            capture_output=True,
            **who,
        )


def _shifted(which: str, seconds: int) -> Fault:
    """One service's clock is wrong; the others, Kafka and PostgreSQL go right."""

    async def strike(field: Field, rng: Random) -> None:
        service: Service = field.dispatchers[0] if which == "dispatcher" else getattr(field, which)
        await field.stop(service)
        await field.start(service, LD_PRELOAD=str(_clock(field.folder)), SHIFTED_BY_S=str(seconds))
        await asyncio.sleep(_WRONG_S)
        await field.stop(service)
        await field.start(service)

    return Fault(f"clock of {which} {seconds // 3600:+d} h", 10, strike)


def _clock(folder: Path) -> Path:
    """A library that shifts the wall clock of the process that loads it, compiled once."""
    library = folder / "shifted_clock.so"
    if not library.exists():
        compiler = shutil.which("cc")
        assert compiler is not None, "a wrong clock needs a C compiler (cc)"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_CLOCK), "-ldl"], check=True)
    return library


FAULTS: Final = [
    Fault("no room for photos and keys", 5, no_room_for_photos),
    Fault("no room for kafka", 15, no_room_for_kafka),
    Fault("no room for postgresql", 15, no_room_for_postgresql),
    *(_shifted(which, sign * _TWO_HOURS_S) for which in ("dispatcher", "desk", "feed") for sign in (1, -1)),
]
