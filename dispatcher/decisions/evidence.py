"""What a source's word weighs, and how it fades: an incident is suspected from 0.4 and confirmed from 1.0."""

from datetime import datetime, timedelta
from typing import Final, Literal

from schemas.vocabulary import Category, ReportChannel

# Start values of domain.md (Grouping), to be fitted, not truths.
SUSPECTED_FROM: Final = 0.4
CONFIRMED_FROM: Final = 1.0
POC_OPERATOR: Final = 1.0
CALL_CENTER: Final = 0.7
WITH_PHOTO_AND_PLACE: Final = 0.6
APP: Final = 0.4
SENSOR_JAM: Final = 0.8
SENSOR_FREE_FLOW: Final = -0.6
#: A wifi node that says of itself that it is down, or is silent, is as good as an operator's word.
WIFI_DOWN: Final = 1.0
WIFI_UP: Final = -1.0
THIRD_REPORTER: Final = 0.3
#: A jam is over sooner than anybody says so; other things stay until somebody acts.
JAM_HALF_LIFE: Final = timedelta(minutes=15)

Standing = Literal["unconfirmed", "suspected", "confirmed"]


def weight_of_report(channel: ReportChannel, *, photo: bool, placed: bool, reports_before: int) -> float:
    """What one more report adds. Reporters count as independent of each other: who they are is kept apart.

    `reports_before`: how many reports the incident has already; the third brings its bonus.
    """
    match channel:
        case ReportChannel.POC:
            weight = POC_OPERATOR
        case ReportChannel.CALL_CENTER:
            weight = CALL_CENTER
        case _:
            weight = WITH_PHOTO_AND_PLACE if photo and placed else APP
    return weight + (THIRD_REPORTER if reports_before == 2 else 0.0)


def add(total: float, at: datetime, weight: float, weight_at: datetime, category: Category) -> float:
    """The sum that counts at the later of both times, never below zero. The order of adding does not matter to jams
    whose weights are positive: what is older has faded by as much as it is older."""
    if category is not Category.TRAFFIC_JAM:
        return max(0.0, total + weight)
    newest = max(at, weight_at)
    return max(0.0, total * _left_of(newest - at) + weight * _left_of(newest - weight_at))


def standing(total: float) -> Standing:
    """What the sum is called; to two digits, so that 0.6 and 0.4 some seconds apart still are 1.0."""
    if round(total, 2) >= CONFIRMED_FROM:
        return "confirmed"
    return "suspected" if round(total, 2) >= SUSPECTED_FROM else "unconfirmed"


def _left_of(age: timedelta) -> float:
    return float(0.5 ** (age / JAM_HALF_LIFE))
