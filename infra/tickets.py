"""Feed tickets: a signed word of who is coming, so that a feed node needs no database to know what to show."""

import base64
import hmac
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import msgspec

from schemas.place import AgencyRef
from schemas.vocabulary import Role
from schemas.wire import Record, Timestamp

LIFETIME: Final = timedelta(seconds=30)
_PURPOSE: Final = b"patriot feed ticket v1"


class TicketError(ValueError):
    """Not a ticket of ours, or no longer one."""


class Viewer(Record, frozen=True):
    """What a feed client may see. `role` null: the public view. No agencies and no area: the whole city."""

    role: Role | None = None
    subject: str | None = None
    agencies: tuple[AgencyRef, ...] = ()
    #: Kemendagri codes of an area; with a kelurahan its kecamatan is there too, for nodes that know only that.
    kecamatan: str | None = None
    kelurahan: str | None = None


class _Ticket(Record, frozen=True):
    viewer: Viewer
    expires_at: Timestamp
    nonce: str


class Admission(Record, frozen=True):
    """A verified ticket; the node keeps `nonce` until `expires_at` and refuses it a second time."""

    viewer: Viewer
    expires_at: Timestamp
    nonce: str


def _sign(secret: bytes, body: bytes) -> bytes:
    key = hmac.digest(secret, _PURPOSE, sha256)
    return hmac.digest(key, body, sha256)[:16]


def issue(secret: bytes, viewer: Viewer, now: datetime) -> tuple[str, datetime]:
    """A ticket for `viewer` and when it ends, 30 s from `now`."""
    expires_at = now + LIFETIME
    body = msgspec.json.encode(_Ticket(viewer=viewer, expires_at=expires_at, nonce=secrets.token_hex(8)))
    return base64.urlsafe_b64encode(_sign(secret, body) + body).decode(), expires_at


def verify(secret: bytes, ticket: str, now: datetime) -> Admission:
    """Who the ticket admits. Raises `TicketError` with one word of reason: `malformed`, `forged`, `expired`."""
    try:
        raw = base64.urlsafe_b64decode(ticket.encode("ascii"))
    except ValueError as error:
        raise TicketError("malformed") from error
    signature, body = raw[:16], raw[16:]
    if not hmac.compare_digest(signature, _sign(secret, body)):
        raise TicketError("forged")
    decoded = msgspec.json.decode(body, type=_Ticket)
    if decoded.expires_at <= now:
        raise TicketError("expired")
    return Admission(viewer=decoded.viewer, expires_at=decoded.expires_at, nonce=decoded.nonce)
