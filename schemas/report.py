"""A citizen's report: as it is sent to us (`ReportDraft`), as it travels in Kafka, and the reporter's contact apart."""

from typing import Annotated

from msgspec import Meta

from schemas.vocabulary import Category, ReportChannel
from schemas.wire import SEEN, Description, Inbound, Latitude, Line, Longitude, Record, Timestamp

Email = Annotated[
    str, Meta(min_length=3, max_length=254, pattern=r"^[^@\s\u0000]+@[^@\s\u0000]+\.[^@\s\u0000]+(?!\n)$")
]
Phone = Annotated[str, Meta(min_length=5, max_length=30, pattern=r"^\+?[0-9][0-9 ()./-]*(?!\n)$")]
#: As `Description` and `Line`, of which something can be seen.
Complaint = Annotated[
    str, Meta(min_length=1, max_length=4000, pattern=SEEN, description="What is the matter, in the reporter's words.")
]
Words = Annotated[str, Meta(min_length=1, max_length=300, pattern=SEEN)]


#: The version of the text on personal data that somebody agreed to, such as `2026-11`.
Consent = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(?!\n)$")]


class Reporter(Inbound, frozen=True):
    """Who reports, as far as they care to say."""

    name: Words | None = None
    phone: Phone | None = None
    email: Email | None = None
    #: The reporter asks that staff do not see who they are.
    anonymous: bool = False
    consent: Consent | None = None


class ReportDraft(Inbound, frozen=True):
    """The body of `POST /api/v1/reports`. Both of `lat` and `lon`, or an `address`, are required."""

    description: Complaint
    category: Category | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    address: Words | None = None
    observed_at: Timestamp | None = None
    channel: ReportChannel = ReportChannel.APP
    reporter: Reporter | None = None


class ReportReceipt(Record, frozen=True):
    """What the reporter gets once Kafka has the report."""

    report_id: str
    tracking_code: str
    status_url: str


class Photo(Record, frozen=True):
    """A re-encoded photo as stored: `id` is `<report_id>-<n>`, kept as `<report_id>/<n>` in the object store."""

    id: str
    sha256: str
    content_type: str
    width: int
    height: int


class ReportSubmitted(Record, frozen=True):
    """Value of `id.bekasi.report.submitted.v1` on `bekasi.report.v1`. Nobody's name, phone or e-mail is in it."""

    report_id: str
    tracking_code: str
    description: Description
    channel: ReportChannel
    submitted_at: Timestamp
    category: Category | None = None
    lat: Latitude | None = None
    lon: Longitude | None = None
    address: Line | None = None
    #: The device's clock, kept beside and never trusted.
    observed_at: Timestamp | None = None
    photos: tuple[Photo, ...] = ()
    #: Username of the agent or operator who typed it in, or `key:<id>` of a gateway; null for a citizen.
    submitted_by: str | None = None
    #: Which version of the text on personal data its sender agreed to.
    consent: str | None = None


class ContactGiven(Record, frozen=True):
    """Value of `id.bekasi.contact.given.v1` on `bekasi.contact.v1`, the only topic with personal data."""

    report_id: str
    given_at: Timestamp
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    anonymous: bool = False
