"""The rules of a report that one field alone cannot show."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from infra.access import DeviceScope, Principal
from infra.problem import Problem
from ingest.reports import check_report
from schemas.report import ReportDraft
from schemas.vocabulary import ReportChannel, Role

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
AGENT = Principal(name="dewi", role=Role.AGENT)
GATEWAY = Principal(name="key:1", device_scopes=frozenset({DeviceScope.REPORTS}))
PLACE = {"lat": -6.24, "lon": 107.0}


def check(sender: Principal | None = None, **fields: Any) -> None:
    check_report(ReportDraft(description="Macet", **fields), sender, NOW)


def refusal(sender: Principal | None = None, **fields: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        check(sender, **fields)
    return refused.value


@pytest.mark.parametrize("where", [PLACE, {"address": "Jl. Ahmad Yani 1"}, {**PLACE, "address": "Stasiun"}])
def test_a_place_or_an_address_will_do(where: dict[str, Any]) -> None:
    check(**where)


@pytest.mark.parametrize(
    ("where", "field"),
    [({}, "address"), ({"lat": -6.2}, "lon"), ({"lon": 107.0}, "lat"), ({"lat": -6.2, "address": "Stasiun"}, "lon")],
)
def test_half_a_place_or_none_is_refused(where: dict[str, Any], field: str) -> None:
    problem = refusal(**where)
    assert problem.status == 422
    assert [error.field for error in problem.errors] == [field]


@pytest.mark.parametrize(
    "at",
    [
        NOW,
        NOW - timedelta(days=3),
        NOW + timedelta(hours=2),
        NOW + timedelta(hours=14),
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2026, 11, 22, 15, 0, tzinfo=timezone(timedelta(hours=7))),
    ],
)
def test_a_devices_clock_may_be_off_by_a_time_zone(at: datetime) -> None:
    check(**PLACE, observed_at=at)


@pytest.mark.parametrize(
    "at",
    [
        NOW + timedelta(hours=14, seconds=1),
        NOW.replace(year=2036),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-23))),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=10))),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
    ],
)
def test_a_time_at_which_nobody_can_have_seen_it_is_refused(at: datetime) -> None:
    problem = refusal(**PLACE, observed_at=at)
    assert (problem.status, problem.errors[0].field) == (422, "observed_at")


@pytest.mark.parametrize("channel", [ReportChannel.CALL_CENTER, ReportChannel.POC])
def test_the_channels_of_staff_need_a_session(channel: ReportChannel) -> None:
    check(AGENT, **PLACE, channel=channel)
    assert refusal(None, **PLACE, channel=channel).status == 401
    assert refusal(GATEWAY, **PLACE, channel=channel).status == 403


@pytest.mark.parametrize("sender", [None, AGENT, GATEWAY])
@pytest.mark.parametrize("channel", [c for c in ReportChannel if c not in ("call_center", "poc")])
def test_every_other_channel_is_open_to_all(sender: Principal | None, channel: ReportChannel) -> None:
    check(sender, **PLACE, channel=channel)
