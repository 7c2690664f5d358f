"""What is promised: by category, priority and agency, the first line that fits."""

from datetime import timedelta

import msgspec
import pytest

from dispatcher.decisions.calendar import OFFICE
from dispatcher.decisions.policy import DEFAULT_POLICY
from dispatcher.decisions.sla import PROMISES, Promise, Span
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, Category, ClockKind, Priority, Regency

DLH = AgencyRef(regency=Regency.KOTA_BEKASI, agency=AgencyCode.DLH)


def within(clock: ClockKind, category: Category) -> Span:
    found = DEFAULT_POLICY.promise(clock, category, Priority.NORMAL, None)
    assert found is not None
    return found.within


@pytest.mark.parametrize(
    ("clock", "jam", "dumping", "others"),
    [
        (ClockKind.FIRST_LOOK, Span(minutes=5), Span(minutes=120), Span(minutes=360)),
        (ClockKind.ACCEPT, Span(minutes=2), Span(minutes=30), Span(minutes=60)),
        (ClockKind.ON_SCENE, Span(minutes=30), Span(minutes=24 * 60), Span(working_days=3)),
        (ClockKind.RESOLVED, Span(minutes=180), Span(working_days=4), Span(working_days=5)),
        (ClockKind.CLOSED, Span(minutes=24 * 60), Span(working_days=10), Span(working_days=10)),
    ],
)
def test_a_jam_is_promised_minutes_and_dumping_working_days(
    clock: ClockKind, jam: Span, dumping: Span, others: Span
) -> None:
    assert within(clock, Category.TRAFFIC_JAM) == jam
    assert within(clock, Category.ILLEGAL_DUMPING) == dumping
    for category in set(Category) - {Category.TRAFFIC_JAM, Category.ILLEGAL_DUMPING}:
        assert within(clock, category) == others


def test_the_first_line_that_fits_decides() -> None:
    urgent = Promise(clock=ClockKind.RESOLVED, priority=Priority.CRITICAL, within=Span(minutes=30))
    for_dlh = Promise(clock=ClockKind.RESOLVED, agency=AgencyCode.DLH, within=Span(minutes=60))
    policy = msgspec.structs.replace(DEFAULT_POLICY, promises=(urgent, for_dlh, *PROMISES))
    asked = (ClockKind.RESOLVED, Category.ILLEGAL_DUMPING)
    assert policy.promise(*asked, Priority.CRITICAL, DLH) is urgent
    assert policy.promise(*asked, Priority.NORMAL, DLH) is for_dlh
    assert policy.promise(*asked, Priority.NORMAL, None) is DEFAULT_POLICY.promise(*asked, Priority.NORMAL, None)


def test_a_working_day_is_as_long_as_the_office_is_open() -> None:
    assert Span(working_days=2).length(OFFICE) == timedelta(hours=17)


@pytest.mark.parametrize(
    "wrong",
    [
        {"clock": "resolved", "within": {}},
        {"clock": "resolved", "within": {"minutes": 5, "working_days": 1}},
        {"clock": "resolved", "within": {"minutes": 0}},
        {"clock": "finished", "within": {"minutes": 5}},
        {
            "clock": "resolved",
            "within": {"minutes": 5},
            "ladder": [{"at": 1.0, "tell": ["shift_lead"]}, {"at": 0.5, "tell": ["dispatcher"]}],
        },
        {"clock": "resolved", "within": {"minutes": 5}, "ladder": [{"at": 1.0, "tell": []}]},
    ],
)
def test_a_promise_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, Promise)
