"""Road sensors and wifi nodes: a gateway that sends the readings of all of them in batches."""

import asyncio
import math
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Final

from infra.public_api import Api
from infra.simulate.city import SPOTS, City, near

_WIB: Final = timezone(timedelta(hours=7))
#: A sensor this near a jam sees it.
_SEES_M: Final = 300.0
_FREE_FLOW_KMH: Final = 48.0
#: Two sensors at each spot, some 120 m apart.
_SENSORS_PER_SPOT: Final = 2
_WIFI_PER_SPOT: Final = 3
SENSOR_INTERVAL_S: Final = 10.0
WIFI_INTERVAL_S: Final = 30.0
#: Chance per heartbeat that a node goes down, and how long it stays so.
_DOWN_CHANCE: Final = 0.0015
_DOWN_S: Final = (90.0, 420.0)


def rush(hour: float) -> float:
    """How much of the free speed the hour of the day takes away, 0 to 0.3: peaks at 07.30 and 17.30 WIB."""
    return 0.3 * max(math.exp(-(((hour - peak) / 1.5) ** 2)) for peak in (7.5, 17.5))


async def sensors(api: Api, city: City, rng: Random) -> None:
    """Send the readings of every road sensor each ten seconds, for ever."""
    loop = asyncio.get_running_loop()
    places = [
        (f"TRF-{number:02d}{chr(97 + n)}", spot.name, *near(rng, spot.lat, spot.lon, 120))
        for number, spot in enumerate(SPOTS, 1)
        for n in range(_SENSORS_PER_SPOT)
    ]
    while True:
        now = datetime.now(UTC)
        hour = now.astimezone(_WIB)
        usual = _FREE_FLOW_KMH * (1 - rush(hour.hour + hour.minute / 60))
        readings = []
        for name, segment, lat, lon in places:
            jam = city.jam_near(lat, lon, _SEES_M, loop.time())
            speed = usual * (rng.uniform(0.12, 0.3) if jam else rng.uniform(0.88, 1.08))
            readings.append(
                {
                    "kind": "traffic",
                    "sensor_id": name,
                    "observed_at": now.isoformat(),
                    "speed_kmh": round(speed, 1),
                    "occupancy": round(rng.uniform(0.5, 0.8) if jam else rng.uniform(0.08, 0.3), 3),
                    "lat": lat,
                    "lon": lon,
                    "segment": segment,
                }
            )
        await api.send("POST", "/api/v1/telemetry", json=readings)
        await asyncio.sleep(SENSOR_INTERVAL_S)


async def wifi_nodes(api: Api, rng: Random) -> None:
    """Send the heartbeat of every wifi node each thirty seconds, for ever; now and then one is down."""
    loop = asyncio.get_running_loop()
    places = [
        (f"WIFI-{number:02d}{chr(97 + n)}", f"uplink-{number:02d}", *near(rng, spot.lat, spot.lon, 200))
        for number, spot in enumerate(SPOTS, 1)
        for n in range(_WIFI_PER_SPOT)
    ]
    down_until: dict[str, float] = {}
    while True:
        now = datetime.now(UTC)
        hour = now.astimezone(_WIB).hour
        busy = 3 + 25 * math.sin(math.pi * max(0, min(hour - 5, 17)) / 17)
        readings = []
        for name, uplink, lat, lon in places:
            if rng.random() < _DOWN_CHANCE:
                down_until[name] = loop.time() + rng.uniform(*_DOWN_S)
            down = down_until.get(name, 0.0) > loop.time()
            readings.append(
                {
                    "kind": "wifi",
                    "node_id": name,
                    "observed_at": now.isoformat(),
                    "state": "down" if down else "up",
                    "clients": 0 if down else max(0, round(rng.gauss(busy, busy / 4))),
                    "uplink": uplink,
                    "lat": lat,
                    "lon": lon,
                }
            )
        await api.send("POST", "/api/v1/telemetry", json=readings)
        await asyncio.sleep(WIFI_INTERVAL_S)
