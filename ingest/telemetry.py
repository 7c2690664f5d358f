"""`POST /api/v1/telemetry`: an array of readings from a gateway."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from infra.access import DeviceScope, Principal
from infra.http import Body, PlainRoute, answer, is_json, not_json_type, read_body
from infra.openapi import describe
from infra.problem import too_many, unavailable
from infra.trace import traceparent_of
from ingest import metrics
from ingest.headers import headers, rfc3339
from ingest.intake import Intake, intake_of
from ingest.metrics import Outcome
from ingest.patience import Patience
from ingest.publisher import RECORD_OVERHEAD, NotHandedOver, OutcomeUnknown, Outgoing
from ingest.readings import MAX_READINGS, sort
from schemas import topics
from schemas.telemetry import Reading, TelemetryReceipt, TrafficReading
from schemas.wire import encode

log = structlog.get_logger()
router = APIRouter(tags=["telemetry"], route_class=PlainRoute)

#: 5,000 readings with every field, and long names of roads.
MAX_BYTES: Final = 8 * 1024 * 1024


@router.post(
    "/api/v1/telemetry",
    **describe(
        summary="Send readings of road sensors and wifi nodes",
        body_content={
            "application/json": {
                "schema": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": MAX_READINGS,
                    "items": {
                        "anyOf": [
                            {"$ref": "#/components/schemas/TrafficReading"},
                            {"$ref": "#/components/schemas/WifiReading"},
                        ],
                        "discriminator": {
                            "propertyName": "kind",
                            "mapping": {
                                "traffic": "#/components/schemas/TrafficReading",
                                "wifi": "#/components/schemas/WifiReading",
                            },
                        },
                    },
                }
            }
        },
        returns=TelemetryReceipt,
        status=202,
        errors=(400, 401, 403, 408, 413, 415, 422, 429, 503),
        security=({"bearer": []},),
    ),
)
async def take(request: Request) -> Response:
    """Taken means that Kafka has them on all in-sync replicas. The same reading again has no second effect."""
    intake = intake_of(request)
    patience = Patience()
    with patience.counted():
        device = await intake.access.device(request, DeviceScope.TELEMETRY)
    _throttle(intake, device)
    if not is_json(request):
        raise await Body(request).refused(not_json_type())
    declared = request.headers.get("content-length", "")
    size = min(int(declared), MAX_BYTES) if declared.isdecimal() else MAX_BYTES
    with intake.telemetry_bodies.hold(size):
        body = await read_body(request, MAX_BYTES)
        found = sort(body, datetime.now(UTC))
        if found.accepted:
            await _publish(intake, found.accepted, len(body), traceparent_of(request), patience)
    metrics.READINGS.labels(Outcome.ACCEPTED).inc(len(found.accepted))
    metrics.READINGS.labels(Outcome.REFUSED).inc(len(found.rejected))
    return answer(TelemetryReceipt(accepted=len(found.accepted), rejected=tuple(found.rejected)), 202)


async def _publish(
    intake: Intake, readings: Sequence[Reading], body_size: int, traceparent: str, patience: Patience
) -> None:
    size = body_size + len(readings) * RECORD_OVERHEAD
    try:
        await intake.publisher.publish_all(
            topics.TELEMETRY.name, _records(readings, traceparent, intake.settings.training), size, patience.deadline
        )
    except NotHandedOver as error:
        metrics.READINGS.labels(Outcome.UNAVAILABLE).inc(len(readings))
        raise unavailable("Readings cannot be taken right now. Nothing was taken; try again.") from error
    except OutcomeUnknown as error:
        metrics.READINGS.labels(Outcome.UNKNOWN).inc(len(readings))
        log.warning("telemetry_outcome_unknown", readings=len(readings))
        raise unavailable(
            "The readings were handed on and not confirmed in time. Send them again: what was taken has no second "
            "effect.",
            slug="outcome-unknown",
        ) from error


def _throttle(intake: Intake, device: Principal) -> None:
    seconds = intake.throttles.devices.take(device.name, asyncio.get_running_loop().time())
    if seconds > 0:
        raise too_many("Too many requests with this key.", retry_after_s=int(seconds) + 1)


def _records(readings: Sequence[Reading], traceparent: str, training: bool) -> Iterator[Outgoing]:
    trace = traceparent.encode()
    for reading in readings:
        if isinstance(reading, TrafficReading):
            kind, device, event_type = "traffic", reading.sensor_id, topics.TRAFFIC_OBSERVED
        else:
            kind, device, event_type = "wifi", reading.node_id, topics.WIFI_OBSERVED
        key = device.encode()
        at = rfc3339(reading.observed_at)
        # The id is what a reading is known by: sent twice, it is the same event.
        event_id = f"{device}/{kind}/{at}"
        yield Outgoing(key, encode(reading), headers(event_type, event_id, key, at, trace, training=training))
