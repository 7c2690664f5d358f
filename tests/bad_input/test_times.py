"""A device's clock, as wrong as clocks get: what could be an honest mistake is taken, what could not be is refused."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.bad_input.test_bodies import GOOD, is_refused
from tests.people import Gateway, Staff

NOW = datetime.now(UTC)
#: value, whether a report takes it, whether a reading does, whether an officer's presence does
TIMES: dict[str, tuple[Any, bool, bool, bool]] = {
    "now": (NOW.isoformat(), True, True, True),
    "in Jakarta": (NOW.astimezone(timezone(timedelta(hours=7))).isoformat(), True, True, True),
    "three days late": ((NOW - timedelta(days=3)).isoformat(), True, True, True),
    "eight days late": ((NOW - timedelta(days=8)).isoformat(), True, False, True),
    "+2 h": ((NOW + timedelta(hours=2)).isoformat(), True, False, True),
    "+10 years": ((NOW + timedelta(days=3650)).isoformat(), False, False, True),
    "9999": ("9999-12-31T23:59:59.999999-23:59", False, False, True),
    "0001": ("0001-01-01T00:00:00+23:59", False, False, True),
    "1970": ("1970-01-01T00:00:00Z", False, False, True),
    "naive": ("2026-11-22T07:00:00", False, False, False),
    "a day": ("2026-11-22", False, False, False),
    "epoch seconds": (1_790_000_000, False, False, False),
    "epoch milliseconds": (1_790_000_000_000, False, False, False),
    "epoch as text": ("1790000000", False, False, False),
    "leap second": ("2016-12-31T23:59:60Z", False, False, False),
    "30 February": ("2026-02-30T07:00:00Z", False, False, False),
    "25 o'clock": ("2026-02-20T25:00:00Z", False, False, False),
    "offset of 99 h": ("2026-02-20T05:00:00+99:00", False, False, False),
    "year 10000": ("10000-01-01T00:00:00Z", False, False, False),
    "-1": ("-0001-01-01T00:00:00Z", False, False, False),
    "words": ("kemarin", False, False, False),
    "true": (True, False, False, False),
    "a list": (["2026-11-22T07:00:00Z"], False, False, False),
}


@pytest.mark.parametrize("name", TIMES)
async def test_a_report_keeps_a_time_that_somebody_could_mean(gateway: Gateway, name: str) -> None:
    at, is_taken, _, _ = TIMES[name]
    answer = await gateway.http.post("/api/v1/reports", json={**GOOD, "observed_at": at})
    if is_taken:
        assert answer.status_code == 202, answer.text
    else:
        assert is_refused(answer, 422)["errors"][0]["field"] == "observed_at"


async def test_readings_are_taken_or_named_one_by_one(gateway: Gateway) -> None:
    good = {"kind": "traffic", "sensor_id": "waktu-1", "speed_kmh": 31.5}
    receipt = await gateway.send([{**good, "observed_at": at} for at, *_ in TIMES.values()])
    expected = [index for index, (_, _, is_taken, _) in enumerate(TIMES.values()) if not is_taken]
    assert [one["index"] for one in receipt["rejected"]] == expected
    assert all("observed_at" in one["message"] for one in receipt["rejected"])
    assert receipt["accepted"] == len(TIMES) - len(expected)


@pytest.mark.parametrize("name", TIMES)
async def test_a_phone_with_a_wrong_clock_is_at_work_all_the_same(dlh_officer: Staff, name: str) -> None:
    at, _, _, is_taken = TIMES[name]
    body = {"status": "available", "lat": -6.25, "lon": 107.01, "at": at}
    answer = await dlh_officer.http.put("/api/v1/me/presence", json=body)
    if is_taken:
        assert answer.status_code == 200, answer.text
        told = datetime.fromisoformat(answer.json()["position_at"])
        assert datetime(2000, 1, 1, tzinfo=UTC) <= told <= datetime.now(UTC) + timedelta(minutes=1)
    else:
        is_refused(answer, 422)


@pytest.mark.parametrize("name", TIMES)
async def test_a_question_takes_any_time_that_there_is_in_utc(operator: Staff, name: str) -> None:
    at, _, _, has_offset = TIMES[name]
    for parameter in ("since", "until"):
        answer = await operator.http.get("/api/v1/incidents", params={parameter: str(at), "limit": 1})
        if has_offset and name not in ("9999", "0001"):
            assert answer.status_code == 200, answer.text
        else:
            assert is_refused(answer, 422)["errors"][0]["field"] == parameter
