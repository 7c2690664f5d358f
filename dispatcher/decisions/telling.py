"""When somebody may be told: quiet hours, the wait in which several moves become one message, and trying again."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Final

from msgspec import Meta

from dispatcher.decisions.calendar import JAKARTA
from schemas.wire import Inbound


class Audience(StrEnum):
    """Who is told, as far as the manner of telling goes."""

    #: Those who lead: dispatchers, operators, shift leads, heads.
    STAFF = "staff"
    OFFICER = "officer"
    REPORTER = "reporter"


Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$(?!\n)")]


class QuietHours(Inbound, frozen=True, omit_defaults=False):
    """From when until when nobody is disturbed, in Jakarta's time; over midnight when `until` is earlier. The same
    twice is no quiet at all."""

    since: Clock
    until: Clock

    def end(self, at: datetime) -> datetime:
        """The first moment from `at` on that is not quiet."""
        local = at.astimezone(JAKARTA)
        since, until, now = _of_day(self.since), _of_day(self.until), local.time()
        quiet = since <= now < until if since <= until else now >= since or now < until
        if not quiet:
            return at
        over_midnight = since > until and now >= since
        day = local.date() + timedelta(days=1) if over_midnight else local.date()
        return datetime.combine(day, until, JAKARTA).astimezone(at.tzinfo)


class Manner(Inbound, frozen=True, omit_defaults=False):
    """How an audience is told. Urgent messages wait for nothing."""

    quiet: QuietHours | None = None
    #: Seconds that a message waits for others to the same receiver, to go out as one; 0: each goes alone.
    bundle_s: Annotated[int, Meta(ge=0, le=86_400)] = 0
    #: Hours after which it is no news any more and nobody tries again.
    give_up_h: Annotated[int, Meta(ge=1, le=24 * 14)] = 24


#: Start values of ours. Officers are on shift when they are asked, so they have no quiet hours.
MANNERS: Final[Mapping[Audience, Manner]] = MappingProxyType(
    {
        Audience.STAFF: Manner(quiet=QuietHours(since="22:00", until="05:00"), bundle_s=60),
        Audience.OFFICER: Manner(give_up_h=8),
        Audience.REPORTER: Manner(quiet=QuietHours(since="21:00", until="06:00"), bundle_s=120, give_up_h=72),
    }
)

_FIRST_PAUSE: Final = timedelta(seconds=15)
_LONGEST_PAUSE: Final = timedelta(hours=1)


def send_at(manner: Manner, now: datetime, *, urgent: bool) -> datetime:
    """When a message that is made now goes out."""
    if urgent:
        return now
    at = now + timedelta(seconds=manner.bundle_s)
    return manner.quiet.end(at) if manner.quiet else at


def try_again_after(attempts: int, asked: timedelta | None = None) -> timedelta:
    """How long to wait after so many attempts have failed: doubling, and never less than the other side has `asked`
    for (Retry-After), up to a day."""
    doublings: int = min(max(attempts - 1, 0), 20)
    pause: timedelta = min(_FIRST_PAUSE * (1 << doublings), _LONGEST_PAUSE)
    return max(pause, min(asked, timedelta(days=1))) if asked else pause


def _of_day(text: str) -> time:
    return time.fromisoformat(text)
