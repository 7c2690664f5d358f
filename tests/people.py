"""People and devices who use the city under test through its public interfaces, and nothing else."""

import asyncio
import io
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

import httpx
from PIL import Image
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.city import City

#: Waits are generous: what is tested is that it happens, how fast is the benchmark's.
PATIENCE_S: Final = 30.0

Json = dict[str, Any]


async def until(ask: Callable[[], Awaitable[Any]], patience: float = PATIENCE_S, what: str = "") -> Any:
    """Ask again and again until the answer is truthy; returns it."""
    deadline = asyncio.get_running_loop().time() + patience
    while True:
        found = await ask()
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"waited {patience} s for {what or ask}"
        await asyncio.sleep(0.1)


def photo_jpeg(width: int = 800, height: int = 600, colour: tuple[int, int, int] = (180, 60, 40)) -> bytes:
    """A small, valid JPEG with a GPS position in its EXIF data."""
    image = Image.new("RGB", (width, height), colour)
    exif = Image.Exif()
    exif[0x010F] = "Kamera Rahasia"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2], gps[3], gps[4] = "S", (6.0, 14.0, 56.0), "E", (107.0, 1.0, 14.0)
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


class Person:
    """A client of the HTTP API."""

    def __init__(self, city: City, token: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.city = city
        self.http = httpx.AsyncClient(base_url=city.base_url, headers=headers, timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.http.aclose()

    async def report(self, description: str, *photos: bytes, key: str | None = None, **fields: object) -> Json:
        """Send a report and return the receipt; anything but 202 fails the test."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"description": description, **fields}
        if photos:
            parts: list[tuple[str, Any]] = [("report", (None, json.dumps(body), "application/json"))]
            parts += [("photo", (f"foto{n}.jpg", photo, "image/jpeg")) for n, photo in enumerate(photos)]
            answer = await self.http.post("/api/v1/reports", files=parts, headers=headers)
        else:
            answer = await self.http.post("/api/v1/reports", json=body, headers=headers)
        assert answer.status_code == 202, f"{answer.status_code} {answer.text}\n{self.city.logs()}"
        receipt: Json = answer.json()
        return receipt

    async def track(self, code: str) -> Json:
        """The tracking page's data."""
        answer = await self.http.get(f"/api/v1/reports/{code}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def tracked(self, code: str, patience: float = PATIENCE_S) -> Json:
        """The same once the dispatcher has the report."""

        async def ask() -> Json | None:
            found = await self.track(code)
            return found if found["incident_id"] else None

        try:
            found: Json = await until(ask, patience, f"report {code} to become an incident")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.city.logs()}") from None
        return found


class Citizen(Person):
    """Somebody with a phone and no account."""


class Gateway(Person):
    """A device key: sensors, wifi nodes, and reports beyond the anonymous limit."""

    def __init__(self, city: City) -> None:
        super().__init__(city, city.device_api_key)

    async def send(self, readings: Sequence[Mapping[str, object]]) -> Json:
        """Post readings; returns the receipt."""
        answer = await self.http.post("/api/v1/telemetry", json=list(readings))
        assert answer.status_code == 202, answer.text
        receipt: Json = answer.json()
        return receipt


class Staff(Person):
    """Somebody who signs in."""

    def __init__(self, city: City, username: str, password: str) -> None:
        super().__init__(city)
        self.username = username
        self._password = password

    async def __aenter__(self) -> Self:
        answer = await self.http.post("/api/v1/session", json={"username": self.username, "password": self._password})
        assert answer.status_code in (200, 201), answer.text
        self.http.cookies.clear()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['token']}"
        return self

    async def incident(self, incident_id: str) -> Json:
        """An incident as this person sees it."""
        answer = await self.http.get(f"/api/v1/incidents/{incident_id}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def command(self, incident_id: str, verb: str, **body: object) -> Json:
        """A verb on an incident, with the version read just before; once more when somebody was faster."""
        for attempt in range(5):
            version = (await self.incident(incident_id))["version"]
            answer = await self.http.post(f"/api/v1/incidents/{incident_id}/{verb}", json={"version": version, **body})
            if answer.status_code != 409 or attempt == 4:
                break
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def be_at(self, lat: float, lon: float, status: str = "available") -> None:
        """Say where one is, and that one is free."""
        answer = await self.http.put(
            "/api/v1/me/presence",
            json={"status": status, "lat": lat, "lon": lon, "accuracy_m": 10, "at": datetime.now(UTC).isoformat()},
        )
        assert answer.status_code == 200, answer.text

    async def assignment_for(self, incident_id: str) -> Json:
        """This officer's assignment on an incident, once it is there."""

        async def ask() -> Json | None:
            answer = await self.http.get("/api/v1/assignments")
            assert answer.status_code == 200, answer.text
            return next((item for item in answer.json()["items"] if item["incident_id"] == incident_id), None)

        found: Json = await until(ask, what=f"an assignment on {incident_id}")
        return found

    async def act(self, assignment: Json, verb: str, **body: object) -> httpx.Response:
        """A verb on an assignment, with an Idempotency-Key."""
        return await self.http.post(
            f"/api/v1/assignments/{assignment['id']}/{verb}",
            json={"at": datetime.now(UTC).isoformat(), **body},
            headers={"Idempotency-Key": str(uuid.uuid4())},
        )


class Wall:
    """A connected feed client that keeps what a wall keeps: rows by channel and key, and where each channel stands."""

    def __init__(self, feed_url: str) -> None:
        self._feed_url = feed_url
        self.rows: dict[str, dict[str, Json]] = {}
        self.position: dict[str, tuple[str, int]] = {}
        self.pushes: list[Json] = []
        self.gaps: list[Json] = []
        self._whole: set[str] = set()
        self._asked: dict[int, str] = {}
        self._socket: ClientConnection
        self._reader: asyncio.Task[None]

    @classmethod
    async def open(cls, person: Person, *channels: str, feed_url: str | None = None) -> Self:
        """Connect with a ticket of that person, subscribe to the channels and wait for their whole state."""
        answer = await person.http.post("/api/v1/feed/ticket")
        assert answer.status_code in (200, 201), answer.text
        wall = cls(feed_url or person.city.feed_url)
        wall._socket = await connect(
            wall._feed_url, subprotocols=[Subprotocol("patriot.feed.v1+json")], max_size=2**20, open_timeout=20
        )
        await wall._send(connect={"ticket": answer.json()["ticket"], "name": "test"})
        wall._reader = asyncio.create_task(wall._read())
        for channel in channels or ("incidents",):
            await wall.subscribe(channel)
        return wall

    async def close(self) -> None:
        await self._socket.close()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def subscribe(self, channel: str) -> None:
        """Subscribe (resuming where it was) and wait for the whole state."""
        command: Json = {"channel": channel}
        if channel in self.position:
            epoch, offset = self.position[channel]
            command |= {"recover": True, "epoch": epoch, "offset": offset}
        self._whole.discard(channel)
        self._asked[await self._send(subscribe=command)] = channel

        async def whole() -> bool:
            return channel in self._whole

        await until(whole, what=f"the state of {channel}")

    async def row(
        self, key: str, matches: Callable[[Json], bool] = lambda row: True, channel: str = "incidents"
    ) -> Json:
        """The row of that key once it is there and matches."""

        async def ask() -> Json | None:
            row = self.rows.get(channel, {}).get(key)
            return row if row is not None and matches(row) else None

        found: Json = await until(ask, what=f"row {key} of {channel}; it is {self.rows.get(channel, {}).get(key)}")
        return found

    async def gone(self, key: str, channel: str = "incidents") -> None:
        """Wait until the row has left."""

        async def ask() -> bool:
            return key not in self.rows.get(channel, {})

        await until(ask, what=f"row {key} to leave {channel}")

    async def _send(self, **command: object) -> int:
        number = len(self._asked) + 1_000
        while number in self._asked:
            number += 1
        await self._socket.send(json.dumps({"id": number, **command}))
        return number

    async def _read(self) -> None:
        async for text in self._socket:
            frame = json.loads(text)
            if not frame:
                await self._socket.send("{}")
            elif "epoch" in frame.get("subscribe", {}):
                self._begin(self._asked[frame["id"]], frame["subscribe"])
            elif "state" in frame.get("push", {}):
                self._more(frame["push"]["channel"], frame["push"])
            elif "pubs" in frame.get("push", {}):
                self._apply(frame["push"])

    def _begin(self, channel: str, reply: Json) -> None:
        self.position[channel] = (reply["epoch"], reply["offset"])
        if reply["recovered"]:
            for publication in reply["publications"]:
                self._publish(channel, publication)
            self._whole.add(channel)
        else:
            self.rows[channel] = {}
            self._more(channel, reply)

    def _more(self, channel: str, part: Json) -> None:
        for entry in part["state"]:
            self.rows[channel][entry["key"]] = entry["data"]
        if not part["more"]:
            self._whole.add(channel)

    def _apply(self, push: Json) -> None:
        self.pushes.append(push)
        channel = push["channel"]
        epoch, offset = self.position[channel]
        if push["epoch"] != epoch or push["since"] > offset:
            self.gaps.append(push)
            return
        for publication in push["pubs"]:
            if publication["offset"] > offset:
                self._publish(channel, publication)
        self.position[channel] = (epoch, max(offset, push["offset"]))

    def _publish(self, channel: str, publication: Json) -> None:
        if publication.get("removed"):
            self.rows[channel].pop(publication["key"], None)
        else:
            self.rows[channel][publication["key"]] = publication["data"]
