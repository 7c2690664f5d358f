"""Who is let in: browsers by their Origin, people by their ticket."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from infra.tickets import TicketError, Viewer, verify

_DEFAULT_PORT: Final = {"http": 80, "https": 443}


class Door:
    """Checks tickets without a database. A ticket opens once per node: its nonce is kept until it has run out."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._used: dict[str, datetime] = {}

    def admit(self, ticket: str, now: datetime) -> Viewer:
        """Who comes with this ticket. Raises `TicketError`: malformed, forged, expired or used."""
        admission = verify(self._secret, ticket, now)
        # All tickets live equally long, so the oldest are in front; a ticket or two out of order wait their turn.
        while self._used and self._used[oldest := next(iter(self._used))] <= now:
            del self._used[oldest]
        if admission.nonce in self._used:
            raise TicketError("used")
        self._used[admission.nonce] = admission.expires_at
        return admission.viewer


class Origins:
    """Which web pages may open the feed. A browser cannot hide its page's origin; other programs have none."""

    def __init__(self, allowed: Iterable[str], page_port: int) -> None:
        """`allowed`: further origins, as `https://host[:port]`; `page_port`: where our own pages are."""
        self._allowed = frozenset(_origin(origin) for origin in allowed)
        self._page_port = page_port

    def welcome(self, origin: str | None, host: str | None) -> bool:
        """Whether a handshake with this Origin to this Host goes on.

        Own is what has the host name that was asked and the pages' port or the very port that was asked (one reverse
        proxy for both).
        """
        if origin is None:
            return True
        found = _origin(origin)
        if found is None:
            return False
        if found in self._allowed:
            return True
        scheme, name, port = found
        asked = _origin(f"{scheme}://{host}")
        return asked is not None and name == asked[1] and port in (self._page_port, asked[2])


def _origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host name and port; None for `null` and whatever else is not an origin."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORT or not parts.hostname or parts.path.strip("/") or parts.query:
        return None
    return parts.scheme, parts.hostname, port if port is not None else _DEFAULT_PORT[parts.scheme]
