"""The clocks of an incident, told without a database: when due, what stops them, who is told when time runs out."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher import deadline_store
from dispatcher.decisions.calendar import OFFICE
from dispatcher.decisions.change import Change
from dispatcher.decisions.clock import ends, timed
from dispatcher.decisions.clock_rows import clocks
from dispatcher.decisions.escalation import climb, close_by_time, ladder, rescheduled
from dispatcher.decisions.hold import Pause
from dispatcher.decisions.incident import Event, Incident, move
from dispatcher.decisions.policy import DEFAULT_POLICY, Policy
from dispatcher.decisions.sla import LADDER, PROMISES, Promise, Span
from schemas.incident import IncidentOfficer
from schemas.place import AgencyRef
from schemas.vocabulary import (
    AgencyCode,
    AssignmentStatus,
    Category,
    ClockKind,
    ClockState,
    IncidentStatus,
    Priority,
    Regency,
    Told,
)

S = IncidentStatus
#: A Friday afternoon in Bekasi.
NOW = datetime(2026, 11, 20, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DISHUB = AgencyRef(regency=Regency.KOTA_BEKASI, agency=AgencyCode.DISHUB)


def a_jam(**fields: object) -> Incident:
    """One that was just routed to Dishub."""
    given = {
        "id": "INC-1",
        "version": 2,
        "category": Category.TRAFFIC_JAM,
        "status": S.ROUTED,
        "priority": Priority.NORMAL,
        "agency": DISHUB,
        "opened_at": NOW,
        "updated_at": NOW,
        "received_at": NOW,
        "last_report_at": NOW,
        "confidence": 1.0,
        **fields,
    }
    return timed(Change(None, Incident(**given), ()), DEFAULT_POLICY).after  # type: ignore[arg-type]


def after(
    incident: Incident, to: IncidentStatus, at: datetime, policy: Policy = DEFAULT_POLICY, **fields: object
) -> Incident:
    """It moved at `at`."""
    moved, event = move(incident, to, "moved", actor="test", now=at, **fields)  # type: ignore[arg-type]
    return timed(Change(incident, moved, (event,)), policy).after


def held(incident: Incident, at: datetime, *, stops: bool = True, until: datetime | None = None) -> Incident:
    pause = Pause(reason="unsafe", since=at, stops_clock=stops, planned_until=until)
    return after(incident, S.ON_HOLD, at, pauses=(*incident.pauses, pause))


def with_promise(promise: Promise, version: int = 1) -> Policy:
    return msgspec.structs.replace(
        DEFAULT_POLICY, version=version, times_version=version, promises=(promise, *PROMISES)
    )


def state(incident: Incident, clock: ClockKind, now: datetime) -> ClockState:
    return next(row.state for row in clocks(incident, DEFAULT_POLICY, now) if row.clock is clock)


def test_a_routed_jam_has_been_looked_at_and_is_due_by_the_table() -> None:
    jam = a_jam()
    assert jam.looked_at == NOW
    assert jam.first_look_due_at == NOW + 5 * MINUTE
    assert jam.on_scene_due_at == NOW + 30 * MINUTE
    assert jam.due_at == NOW + 3 * HOUR
    assert jam.closes_at is None


def test_what_waits_in_triage_is_looked_at_when_an_agency_gets_it() -> None:
    waiting = a_jam(status=S.TRIAGE, agency=None)
    assert waiting.looked_at is None
    routed = after(waiting, S.ROUTED, NOW + 7 * MINUTE, agency=DISHUB)
    assert routed.looked_at == NOW + 7 * MINUTE
    assert state(routed, ClockKind.FIRST_LOOK, NOW + HOUR) is ClockState.BREACHED
    assert after(routed, S.TRIAGE, NOW + 9 * MINUTE, agency=None).looked_at == NOW + 7 * MINUTE


@pytest.mark.parametrize("status", [AssignmentStatus.ON_SCENE, AssignmentStatus.COMPLETED])
def test_an_officer_who_arrives_meets_the_clock(status: AssignmentStatus) -> None:
    asked = after(a_jam(), S.ASSIGNED, NOW, officers=(officer(AssignmentStatus.OFFERED),))
    assert asked.on_scene_at is None
    there = after(asked, S.IN_PROGRESS, NOW + 20 * MINUTE, officers=(officer(status),))
    assert there.on_scene_at == NOW + 20 * MINUTE
    assert state(there, ClockKind.ON_SCENE, NOW + HOUR) is ClockState.MET


def officer(status: AssignmentStatus) -> IncidentOfficer:
    return IncidentOfficer(id="petugas", name="Petugas", status=status)


def test_what_was_settled_by_a_call_needs_no_officer() -> None:
    called = after(a_jam(), S.RESOLVED, NOW + 10 * MINUTE)
    assert state(called, ClockKind.ON_SCENE, NOW + 2 * HOUR) is ClockState.VOID
    late = after(a_jam(), S.RESOLVED, NOW + 40 * MINUTE)
    assert state(late, ClockKind.ON_SCENE, NOW + 2 * HOUR) is ClockState.BREACHED


def test_while_it_stands_still_nothing_is_due_and_then_it_is_due_as_much_later() -> None:
    waiting = held(a_jam(), NOW + HOUR)
    assert waiting.due_at is None
    assert state(waiting, ClockKind.RESOLVED, NOW + 9 * HOUR) is ClockState.PAUSED
    resumed = after(waiting, S.ROUTED, NOW + 5 * HOUR)
    assert resumed.due_at == NOW + 7 * HOUR


def test_a_pause_whose_reason_stops_no_clock_changes_nothing() -> None:
    waiting = held(a_jam(), NOW + HOUR, stops=False)
    assert waiting.due_at == NOW + 3 * HOUR
    assert after(waiting, S.ROUTED, NOW + 5 * HOUR).due_at == NOW + 3 * HOUR


def test_what_needs_a_field_check_is_promised_in_sixty_working_days() -> None:
    hole = a_jam(category=Category.ROAD_DAMAGE)
    assert hole.due_at == OFFICE.after(NOW, 5 * OFFICE.day)
    checking = after(hole, S.ON_HOLD, NOW + HOUR, pauses=(Pause(reason="field_check", since=NOW + HOUR),))
    assert checking.due_at == OFFICE.after(NOW, 60 * OFFICE.day)
    assert after(checking, S.ROUTED, NOW + 3 * HOUR).due_at == checking.due_at


def test_what_is_overdue_stays_so_on_hold() -> None:
    late = held(a_jam(), NOW + 4 * HOUR)
    assert late.due_at == NOW + 3 * HOUR
    assert after(late, S.ROUTED, NOW + 9 * HOUR).due_at == NOW + 3 * HOUR


def test_what_is_resolved_on_hold_is_held_against_the_time_without_the_hold() -> None:
    resolved = after(held(a_jam(), NOW + HOUR), S.RESOLVED, NOW + 5 * HOUR)
    assert resolved.due_at == NOW + 7 * HOUR
    assert state(resolved, ClockKind.RESOLVED, NOW + 99 * HOUR) is ClockState.MET


def test_what_is_resolved_closes_by_itself_unless_it_is_taken_up_again() -> None:
    resolved = after(a_jam(), S.RESOLVED, NOW + HOUR)
    assert resolved.closes_at == NOW + 25 * HOUR
    closed = close_by_time(resolved, now=NOW + 25 * HOUR)
    assert closed is not None
    assert (closed.after.status, closed.events[0].change) == (S.CLOSED, "closed")
    reopened = after(resolved, S.ROUTED, NOW + 2 * HOUR, reopened_at=NOW + 2 * HOUR)
    assert reopened.closes_at is None
    assert close_by_time(reopened, now=NOW + 25 * HOUR) is None


def test_what_is_taken_up_again_has_all_its_time_from_then() -> None:
    asked = a_jam(status=S.ASSIGNED)
    done = after(asked, S.IN_PROGRESS, NOW + 10 * MINUTE, officers=(officer(AssignmentStatus.COMPLETED),))
    resolved = after(done, S.RESOLVED, NOW + HOUR)
    reopened = after(resolved, S.ROUTED, NOW + 9 * HOUR, reopened_at=NOW + 9 * HOUR)
    assert (reopened.due_at, reopened.on_scene_due_at) == (NOW + 12 * HOUR, NOW + 9 * HOUR + 30 * MINUTE)
    assert reopened.on_scene_at is None, "who was there before is not there now"


def test_what_goes_over_the_border_is_due_to_nobody_here() -> None:
    gone = after(a_jam(), S.TRANSFERRED, NOW + MINUTE, agency=None, transferred_to="OTHER_GOV")
    assert (gone.first_look_due_at, gone.on_scene_due_at, gone.due_at, gone.closes_at) == (None,) * 4


def test_a_priority_that_is_promised_more_moves_the_due_time() -> None:
    urgent = Promise(clock=ClockKind.RESOLVED, priority=Priority.CRITICAL, within=Span(minutes=60), ladder=LADDER)
    jam = after(a_jam(), S.ROUTED, NOW, with_promise(urgent, 0), priority=Priority.CRITICAL)
    assert jam.due_at == NOW + HOUR


def test_timing_twice_is_timing_once() -> None:
    change = Change(None, a_jam(status=S.TRIAGE, agency=None), ())
    once = timed(change, DEFAULT_POLICY)
    assert timed(replace(once, decisions=()), DEFAULT_POLICY).after == once.after


def test_why_it_is_due_then_is_kept_once() -> None:
    jam = msgspec.structs.replace(a_jam(), due_at=None, policy_version=-1)
    opened = timed(Change(None, jam, ()), DEFAULT_POLICY)
    assert [(one.judgement, one.because) for one in opened.decisions] == [("clock", ("selesai dalam 3 jam",))]
    noted, event = move(opened.after, S.ROUTED, "noted", actor="test", now=NOW + HOUR)
    assert timed(Change(opened.after, noted, (event,)), DEFAULT_POLICY).decisions == ()


# The ladder -------------------------------------------------------------------------------------------------------


def test_the_ladder_warns_tells_of_the_breach_and_goes_higher() -> None:
    jam = a_jam()
    told = [(rung.at, rung.tell, at - NOW) for rung, at in ladder(jam, ClockKind.RESOLVED, DEFAULT_POLICY)]
    assert told == [
        (0.8, (Told.DISPATCHER,), timedelta(hours=2, minutes=24)),
        (1.0, (Told.DISPATCHER, Told.SHIFT_LEAD), 3 * HOUR),
        (1.5, (Told.SHIFT_LEAD, Told.AGENCY_HEAD), timedelta(hours=4, minutes=30)),
    ]


def events(jam: Incident, *, fired: int, until: datetime) -> list[Event]:
    change = climb(jam, ClockKind.RESOLVED, fired=fired, until=until, now=until, policy=DEFAULT_POLICY)
    return list(change.events) if change else []


def test_each_rung_is_an_entry_that_says_who_is_told() -> None:
    jam = a_jam()
    assert events(jam, fired=0, until=NOW + 2 * HOUR) == []
    (warning,) = events(jam, fired=0, until=NOW + timedelta(hours=2, minutes=24))
    assert warning.change == "due_soon"
    assert warning.detail == {
        "clock": "resolved",
        "tell": "dispatcher",
        "due_at": (NOW + timedelta(hours=2, minutes=24)).isoformat(),
    }
    assert [one.change for one in events(jam, fired=1, until=NOW + 3 * HOUR)] == ["overdue"]
    assert [one.change for one in events(jam, fired=2, until=NOW + 9 * HOUR)] == ["escalated"]
    assert [(one.change, one.version) for one in events(jam, fired=0, until=NOW + 9 * HOUR)] == [
        ("due_soon", 3),
        ("overdue", 4),
        ("escalated", 5),
    ]


def test_nothing_is_told_of_a_clock_that_was_met_or_stands_still() -> None:
    assert events(after(a_jam(), S.RESOLVED, NOW + MINUTE), fired=0, until=NOW + 9 * HOUR) == []
    waiting = held(a_jam(), NOW + timedelta(hours=2, minutes=30))
    assert [one.change for one in events(waiting, fired=0, until=NOW + 9 * HOUR)] == ["due_soon"]


def test_everything_that_is_due_is_planned_from_the_incident_alone() -> None:
    def kinds(incident: Incident) -> set[str]:
        return set(deadline_store.plan(incident, DEFAULT_POLICY))

    assert kinds(a_jam(status=S.TRIAGE, agency=None)) == {"first_look", "on_scene", "resolved"}
    assert kinds(a_jam()) == {"on_scene", "resolved"}
    assert kinds(held(a_jam(), NOW + MINUTE)) == set()
    assert kinds(held(a_jam(), NOW + MINUTE, stops=False, until=NOW + HOUR)) == {"on_scene", "resolved", "hold_ends"}
    resolved = after(a_jam(), S.RESOLVED, NOW + MINUTE)
    assert kinds(resolved) == {"closed", "leave_board"}
    assert kinds(after(resolved, S.CLOSED, NOW + HOUR)) == {"leave_board"}


# A policy that is decided anew ------------------------------------------------------------------------------------


def test_what_runs_is_due_by_what_was_decided_anew() -> None:
    jam = a_jam()
    policy = with_promise(Promise(clock=ClockKind.RESOLVED, within=Span(minutes=60), ladder=LADDER))
    change = rescheduled(jam, policy, now=NOW + MINUTE)
    assert (change.after.due_at, change.after.policy_version, change.after.version) == (NOW + HOUR, 1, 3)
    (event,) = change.events
    assert (event.change, event.detail) == ("rescheduled", {"resolved": (NOW + HOUR).isoformat()})
    assert [one.judgement for one in timed(change, policy).decisions] == ["clock"]


def test_what_is_not_concerned_has_no_entry() -> None:
    policy = with_promise(Promise(clock=ClockKind.RESOLVED, category=Category.FLOOD, within=Span(minutes=60)))
    change = rescheduled(a_jam(), policy, now=NOW + MINUTE)
    assert (change.events, change.after.policy_version, change.after.version) == ((), 1, 2)


def test_what_was_met_is_not_judged_by_another_promise_afterwards() -> None:
    resolved = after(a_jam(), S.RESOLVED, NOW + 2 * HOUR)
    policy = with_promise(Promise(clock=ClockKind.RESOLVED, within=Span(minutes=60)))
    assert rescheduled(resolved, policy, now=NOW + 3 * HOUR).after.due_at == NOW + 3 * HOUR


# Laws -------------------------------------------------------------------------------------------------------------

STARTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 11, 30), timezones=st.just(UTC))  # noqa: DTZ001
SPANS = st.one_of(
    st.integers(1, 10_000).map(lambda n: Span(minutes=n)), st.integers(1, 20).map(lambda n: Span(working_days=n))
)
SHARES = st.floats(0.1, 3.0)


@st.composite
def stops(draw: st.DrawFn) -> tuple[datetime, list[tuple[datetime, datetime]]]:
    """A start, and intervals after it that lie apart from each other."""
    start = at = draw(STARTS)
    found = []
    for _ in range(draw(st.integers(0, 4))):
        since = at + draw(st.timedeltas(timedelta(), timedelta(days=3)))
        at = since + draw(st.timedeltas(timedelta(), timedelta(days=3)))
        found.append((since, at))
    return start, found


def by(span: Span) -> Promise:
    return Promise(clock=ClockKind.RESOLVED, within=span)


@given(stops(), SPANS, SHARES, SHARES)
def test_a_greater_share_is_never_due_earlier(
    drawn: tuple[datetime, list[tuple[datetime, datetime]]], span: Span, one: float, other: float
) -> None:
    start, stopped = drawn
    less, more = (ends(start, by(span), OFFICE, stopped, share=share) for share in sorted((one, other)))
    assert less is not None
    assert more is not None
    assert less <= more


@given(stops(), SPANS)
def test_a_stop_never_brings_the_due_time_forward(
    drawn: tuple[datetime, list[tuple[datetime, datetime]]], span: Span
) -> None:
    start, stopped = drawn
    dues = [ends(start, by(span), OFFICE, stopped[:count]) for count in range(len(stopped) + 1)]
    assert dues == sorted(dues)  # type: ignore[type-var]


@given(stops(), SPANS)
def test_just_the_span_has_passed_beside_the_stops(
    drawn: tuple[datetime, list[tuple[datetime, datetime]]], span: Span
) -> None:
    start, stopped = drawn
    due = ends(start, by(span), OFFICE, stopped)
    assert due is not None
    edges = [start, *(edge for pair in stopped for edge in pair if edge < due), due]
    between = OFFICE.between if span.working_days else lambda since, until: until - since
    # from the start to the first stop, from the end of each to the next, from the last to the due time
    ran = sum((between(*edges[at : at + 2]) for at in range(0, len(edges) - 1, 2)), timedelta())
    assert ran == span.length(OFFICE)


@given(STARTS, SPANS, st.timedeltas(timedelta(), timedelta(days=30)))
def test_while_a_stop_lasts_only_what_had_passed_is_due(start: datetime, span: Span, passed: timedelta) -> None:
    free = ends(start, by(span), OFFICE)
    assert free is not None
    assert ends(start, by(span), OFFICE, [(start + passed, None)]) == (free if free <= start + passed else None)
