"""What the dispatcher can be told, beside what every service is told."""

from typing import Final

from pydantic import Field

from dispatcher.notify_settings import NotifySettings

_PORT: Final = 8082


class DispatcherSettings(NotifySettings):
    """Settings of `patriot dispatcher`; each is `PATRIOT_<NAME>` in the environment."""

    #: Signs where the audit's chain ends; without it that stays unsigned, and `patriot audit verify` says so.
    secret: str = Field(default="", pattern="^([0-9a-f]{64})?$")
    #: Port of health and metrics; without it PATRIOT_PORT, if that is given.
    dispatcher_port: int = Field(default=_PORT, ge=0, le=65535)
    #: Connections to PostgreSQL, those of the relays apart.
    dispatcher_connections: int = Field(default=10, ge=4, le=100)
    #: A worker that is silent for this long loses its partitions. Kafka's own least is 6 s unless it is told otherwise.
    session_timeout_ms: int = Field(default=10_000, ge=1_000, le=60_000)
    #: Messages of one transaction, other than readings.
    max_batch: int = Field(default=500, ge=1, le=5_000)
    #: Readings of one transaction: they cost a hundredth of a report, and a sensor's row is written once in it.
    max_batch_readings: int = Field(default=2_000, ge=1, le=10_000)
    #: Days that raw readings are kept.
    readings_days: int = Field(default=30, ge=8, le=3_650)
    #: Days that names, numbers and addresses of reporters are kept after their incident has ended. A report may be
    #: reopened for 14 days; a quarter leaves time for complaints about how it was handled.
    contact_days: int = Field(default=90, ge=15, le=3_650)
    #: Days that reporters' words are kept after that: two years, in which an ombudsman may ask for them.
    words_days: int = Field(default=730, ge=15, le=36_500)
    #: Days back that the board can be shown as it was: this year's against last year's.
    playback_days: int = Field(default=730, ge=1, le=36_500)
    #: The clocks run ahead of PostgreSQL's by this: for tests and rehearsals, where nobody waits a day.
    clocks_ahead_s: float = Field(default=0.0, ge=0)

    @property
    def http_port(self) -> int:
        """The port to listen on."""
        given = self.model_fields_set
        return self.port if "port" in given and "dispatcher_port" not in given else self.dispatcher_port
