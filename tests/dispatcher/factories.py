"""Reports, readings and their messages, made for tests: what is not said is ordinary."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec

from dispatcher.effects import Message
from schemas import topics
from schemas.envelope import Envelope, new_traceparent
from schemas.report import ContactGiven, ReportSubmitted
from schemas.telemetry import TrafficObserved, WifiObserved
from schemas.vocabulary import ReportChannel

#: A Friday afternoon in Bekasi.
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

#: Far enough from each other that nothing at one groups with anything at another.
SUMMARECON = (-6.2253, 107.0010)
BANTARGEBANG = (-6.3105, 106.9960)
CIKARANG = (-6.2599, 107.1437)
MONAS = (-6.1754, 106.8272)

_offsets = itertools.count()


def north_of(place: tuple[float, float], metres: float) -> tuple[float, float]:
    """The point so many metres north."""
    return place[0] + metres / 111_195, place[1]


def a_report(description: str = "Macet total, kendaraan tidak bergerak", **fields: Any) -> ReportSubmitted:
    """A report; `place=(lat, lon)` is short for its coordinates."""
    place = fields.pop("place", None)
    if place is not None:
        fields["lat"], fields["lon"] = place
    return ReportSubmitted(
        **{
            "report_id": uuid4().hex,
            "tracking_code": uuid4().hex[:20],
            "description": description,
            "channel": ReportChannel.APP,
            "submitted_at": NOW,
            **fields,
        }
    )


def a_message(value: msgspec.Struct, received_at: datetime = NOW) -> Message:
    """The record of Kafka that carries it."""
    kinds = {
        ReportSubmitted: (topics.REPORT.name, topics.REPORT_SUBMITTED),
        ContactGiven: (topics.CONTACT.name, topics.CONTACT_GIVEN),
        TrafficObserved: (topics.TELEMETRY.name, topics.TRAFFIC_OBSERVED),
        WifiObserved: (topics.TELEMETRY.name, topics.WIFI_OBSERVED),
    }
    topic, event_type = kinds[type(value)]
    envelope = Envelope(uuid4().hex, event_type, "/test", "", received_at, new_traceparent())
    return Message(envelope, value, topic, 0, next(_offsets), received_at)


def speeds(
    sensor_id: str, kmh: list[float], start: datetime = NOW, place: tuple[float, float] | None = None, **fields: Any
) -> list[Message]:
    """A reading a minute, each arriving when it is taken."""
    where = {"lat": place[0], "lon": place[1]} if place else {}
    return [
        a_message(
            TrafficObserved(sensor_id=sensor_id, observed_at=start + n * MINUTE, speed_kmh=speed, **where, **fields),
            start + n * MINUTE,
        )
        for n, speed in enumerate(kmh)
    ]


def beats(
    node_id: str, signs: str, start: datetime = NOW, place: tuple[float, float] | None = None, clients: int = 7
) -> list[Message]:
    """A beat a minute: `+` up, `-` down."""
    where = {"lat": place[0], "lon": place[1]} if place else {}
    return [
        a_message(
            WifiObserved(
                node_id=node_id,
                observed_at=start + n * MINUTE,
                state="up" if sign == "+" else "down",
                clients=clients,
                **where,
            ),
            start + n * MINUTE,
        )
        for n, sign in enumerate(signs)
    ]
