"""What the handlers of ingest work with: opened when the room opens, closed with it."""

from dataclasses import dataclass
from typing import Final

from fastapi import Request

from infra.access import Access
from infra.objects import Objects
from infra.staff_photos import StaffPhotos
from infra.throttle import Throttle
from ingest.budget import Budget
from ingest.photos import PhotoWorkers
from ingest.publisher import Publisher
from ingest.settings import IngestSettings
from ingest.submission import Submissions
from ingest.uploads import Uploads

ROOM: Final = "ingest"


@dataclass(frozen=True, slots=True)
class Throttles:
    """How often who may come."""

    anonymous: Throttle
    staff: Throttle
    devices: Throttle


@dataclass(frozen=True, slots=True)
class Intake:
    """The open room."""

    settings: IngestSettings
    access: Access
    objects: Objects
    publisher: Publisher
    submissions: Submissions
    staff_photos: StaffPhotos
    workers: PhotoWorkers
    uploads: Uploads
    telemetry_bodies: Budget
    throttles: Throttles


def intake_of(request: Request) -> Intake:
    """The open room that a request came to."""
    found: Intake = getattr(request.app.state, ROOM)
    return found
