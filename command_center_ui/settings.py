"""What a feed node and the pages need to know."""

from pathlib import Path

from pydantic import Field

from infra.settings import ServiceSettings


class FeedSettings(ServiceSettings):
    """`port` of the shared settings is where the pages are: their origin is the feed's own."""

    #: WebSocket, health and metrics; 0 for any free one.
    feed_port: int = Field(default=8081, ge=0, le=65535)
    #: Sockets on one node, a tenth of them for viewers with a role. Each costs some 20 KiB, and up to 512 KiB while it
    #: is slow.
    feed_max_clients: int = Field(default=5_000, ge=1)
    #: Of them without a ticket yet, handshakes apart. Each of thousands that come back at once is one for a moment; who
    #: only sits there is gone after 5 s, and sooner when others come: the one that is there for longest goes first.
    feed_max_strangers: int = Field(default=1_000, ge=1)
    #: A connection lives this long without a new ticket: by then a role that was taken away has stopped working.
    feed_session_s: int = Field(default=900, ge=5, le=86_400)
    tls_cert: Path | None = None
    tls_key: Path | None = None

    @property
    def pages_elsewhere(self) -> tuple[str, ...]:
        """Origins of pages that may open the feed beside those on the feed's own host."""
        return (*((self.public_url,) if self.public_url else ()), *self.allow_origin)


class PagesSettings(ServiceSettings):
    """`feed_port` is where the feed listens; its host is the pages' own."""

    feed_port: int = Field(default=8081, ge=0, le=65535)
    #: Where browsers find the feed when that is elsewhere: `wss://feed.bekasi.example/`.
    feed_url: str | None = Field(default=None, pattern=r"^wss?://[A-Za-z0-9.:\[\]-]+/?$")
