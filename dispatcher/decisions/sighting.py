"""A sighting: one claim that something is the matter somewhere, whoever makes it: a citizen, a sensor, a wifi node."""

from datetime import datetime
from typing import Final

import msgspec

from dispatcher.decisions.change import Decision
from dispatcher.decisions.classify import classify
from dispatcher.decisions.device import Sensor, WifiNode
from dispatcher.decisions.judgement import Located
from dispatcher.decisions.locate import locate
from dispatcher.decisions.readable_place import readable_place
from schemas.geography import Geography
from schemas.report import ReportSubmitted
from schemas.vocabulary import Category

#: Sources beside the report channels.
SENSOR: Final = "sensor"
WIFI: Final = "wifi"


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What the decisions need to know of a report or a detection."""

    #: Report, sensor or node id.
    id: str
    #: A report channel, `sensor` or `wifi`.
    source: str
    category: Category
    #: Of the classification, 0 to 1.
    confidence: float
    #: May be dispatched without a person's look.
    sure: bool
    emergency: bool = False
    located: Located
    #: Readable place, for the title and the officer.
    address: str | None = None
    #: The reporter's words; for a sensor the name of its road.
    text: str = ""
    #: The reporter's own, as it was given.
    given_address: str | None = None
    #: The broker's time.
    arrived_at: datetime
    photo_url: str | None = None
    #: How the judgements before grouping came out.
    decisions: tuple[Decision, ...] = ()
    traceparent: str | None = None

    @property
    def is_report(self) -> bool:
        return self.source not in (SENSOR, WIFI)

    @property
    def report_id(self) -> str | None:
        return self.id if self.is_report else None

    @property
    def point(self) -> tuple[float, float] | None:
        """Latitude and longitude (WGS 84), where they are known."""
        if self.located.lat is None or self.located.lon is None:
            return None
        return self.located.lat, self.located.lon


def of_report(report: ReportSubmitted, arrived_at: datetime, geography: Geography, traceparent: str) -> Sighting:
    """A report, classified and located."""
    said = classify(report.description, report.category)
    located = locate(report.lat, report.lon, report.address, report.description, geography)
    return Sighting(
        id=report.report_id,
        source=report.channel.value,
        category=said.category,
        confidence=said.confidence,
        sure=said.dispatch,
        emergency=said.emergency,
        located=located,
        address=readable_place(located),
        # Without coordinates nothing but the address may say where it is.
        text=report.description if report.lat is not None else f"{report.description} {report.address or ''}".rstrip(),
        given_address=report.address,
        arrived_at=arrived_at,
        photo_url=f"/api/v1/photos/{report.photos[0].id}" if report.photos else None,
        decisions=(
            Decision("classify", said.category.value, said.evidence, said.confidence, report.report_id),
            _why_there(located, report.report_id),
        ),
        traceparent=traceparent,
    )


def of_sensor(sensor: Sensor, arrived_at: datetime, because: tuple[str, ...], geography: Geography) -> Sighting:
    """A jam that a sensor sees. Its direction is left out: registers name directions in words of their own, and
    another word would read as another direction."""
    located = locate(sensor.lat, sensor.lon, sensor.segment, "", geography)
    name = readable_place(located, sensor.segment)
    road = sensor.segment or ""
    return _of_device(SENSOR, sensor.id, Category.TRAFFIC_JAM, located, name, road, arrived_at, because)


def of_node(node: WifiNode, arrived_at: datetime, because: tuple[str, ...], geography: Geography) -> Sighting:
    """A wifi node that is down."""
    located = locate(node.lat, node.lon, None, "", geography)
    return _of_device(WIFI, node.id, Category.PUBLIC_WIFI, located, readable_place(located), "", arrived_at, because)


def _of_device(
    source: str,
    device_id: str,
    category: Category,
    located: Located,
    address: str | None,
    text: str,
    arrived_at: datetime,
    because: tuple[str, ...],
) -> Sighting:
    return Sighting(
        id=device_id,
        source=source,
        category=category,
        confidence=1.0,
        sure=True,
        located=located,
        address=address,
        text=text,
        arrived_at=arrived_at,
        decisions=(Decision("detect", category.value, because), _why_there(located, None)),
    )


def _why_there(located: Located, report_id: str | None) -> Decision:
    outside = f"di luar Bekasi{f' ({located.outside_where})' if located.outside_where else ''}"
    where = outside if located.outside else located.kelurahan or located.kecamatan or "belum diketahui"
    near = tuple(f"mungkin juga {hit.kecamatan}" for hit in located.alternatives)
    return Decision("locate", where, (*located.evidence, *near), report_id=report_id)
