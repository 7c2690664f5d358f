"""Lifecycles, whatever people do in whatever order: nothing ever leaves the tables, and both sides agree."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.decisions import assignment, incident_verbs
from dispatcher.decisions import incident_verbs_custody as custody
from dispatcher.decisions import incident_verbs_ending as ending
from dispatcher.decisions import incident_verbs_hold as holding
from dispatcher.decisions import incident_verbs_joining as joining
from dispatcher.decisions import incident_verbs_judging as judging
from dispatcher.decisions.assignment import WORKING, Assignment, IllegalStep, Phone, clamped, legal_verbs, officers_of
from dispatcher.decisions.change import Change
from dispatcher.decisions.hold import held
from dispatcher.decisions.incident import (
    ACTIVE_ASSIGNMENT,
    CUSTODY,
    ENDED,
    JOINABLE,
    MAY,
    NEXT,
    VERBS,
    Event,
    IllegalMove,
    Incident,
)
from dispatcher.decisions.incident import legal_verbs as incident_verbs_of
from dispatcher.decisions.incident_verbs import Unusable
from dispatcher.decisions.tally import Belongings
from schemas.place import AgencyRef
from schemas.vocabulary import (
    OPEN_STATUSES,
    AgencyCode,
    AssignmentStatus,
    Category,
    IncidentStatus,
    OfficerStatus,
    Priority,
    Regency,
)

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
S = IncidentStatus
DLH = AgencyRef.parse("32.75/DLH")
DISHUB = AgencyRef(regency=Regency.KOTA_BEKASI, agency=AgencyCode.DISHUB)
TIMES = st.datetimes(timezones=st.timezones() | st.just(UTC))


def an_incident(status: IncidentStatus = IncidentStatus.ROUTED) -> Incident:
    return Incident(
        id="INC-TEST000000",
        version=1,
        category=Category.TRAFFIC_JAM,
        status=status,
        priority=Priority.NORMAL,
        agency=DISHUB,
        kecamatan="32.75.03",
        lat=-6.2253,
        lon=107.0010,
        opened_at=NOW,
        updated_at=NOW,
        received_at=NOW,
        last_report_at=NOW,
        confidence=0.9,
    )


def an_offer(officer: str = "budi", now: datetime = NOW) -> Assignment:
    offered, _ = assignment.offer(
        "INC-TEST000000",
        officer,
        officer.title(),
        DISHUB,
        actor="rina",
        now=now,
        answer_within=timedelta(minutes=2),
        because=["dekat"],
    )
    return offered


def test_every_verb_leads_where_some_status_may_go_and_ended_ones_go_nowhere() -> None:
    for status in AssignmentStatus:
        assert (not assignment.NEXT[status]) == (status not in ACTIVE_ASSIGNMENT)
    assert set().union(*assignment.NEXT.values()) == set(AssignmentStatus) - {AssignmentStatus.OFFERED}
    assert set(assignment.VERBS.values()) <= set().union(*assignment.NEXT.values())
    assert WORKING < ACTIVE_ASSIGNMENT


@given(st.lists(st.sampled_from(AssignmentStatus), max_size=12))
def test_an_assignment_never_leaves_its_table(moves: list[AssignmentStatus]) -> None:
    one, history = an_offer(), [AssignmentStatus.OFFERED]
    for n, to in enumerate(moves, start=1):
        legal = to in assignment.NEXT[one.status]
        try:
            after, step = assignment.move(one, to, actor="budi", now=NOW + n * timedelta(minutes=1))
        except IllegalStep:
            assert not legal
            continue
        assert legal and after.version == step.version == one.version + 1 and step.status is after.status is to
        one = after
        history.append(to)
    assert one.version == len(history)
    assert (one.accepted_at is not None) == (AssignmentStatus.ACCEPTED in history)
    assert (one.completed_at is not None) == (one.status is AssignmentStatus.COMPLETED)
    assert all(assignment.VERBS[verb] in assignment.NEXT[one.status] for verb in legal_verbs(one))


PHONE_VERBS = sorted(assignment.VERBS)
DESK_VERBS = sorted(VERBS)


class Bekasi:
    """One incident, its team and the one it may be merged with, moved by whatever verb comes."""

    def __init__(self) -> None:
        self.incident = an_incident()
        self.other = msgspec.structs.replace(an_incident(), id="INC-OTHER00000")
        self.team: dict[str, Assignment] = {}
        self.events: list[Event] = []

    def release_all(self, now: datetime) -> list[Assignment]:
        for one in list(self.team.values()):
            if one.status in ACTIVE_ASSIGNMENT:
                self.team[one.id], _ = assignment.move(one, AssignmentStatus.RELEASED, actor="rina", now=now)
        return list(self.team.values())

    def command(self, verb: str, officer: str, now: datetime) -> Change | None:
        """What the desk's verb makes of it; None where the verb does not come into question."""
        incident, who = self.incident, {"actor": "rina", "now": now}
        incident_verbs.require(incident, verb)
        match verb:
            case "assign":
                if any(one.officer == officer and one.status in ACTIVE_ASSIGNMENT for one in self.team.values()):
                    return None
                new = an_offer(officer, now)
                self.team[new.id] = new
                return incident_verbs.assign(incident, new, list(self.team.values()), **who)
            case "note":
                return incident_verbs.note(incident, "halo", public=False, **who)
            case "triage":
                return judging.triage(incident, category=None, priority=None, point=None, **who)
            case "hold":
                until = now + timedelta(hours=1)
                return holding.hold(incident, "Cuaca tidak memungkinkan", self.release_all(now), until=until, **who)
            case "resume":
                return holding.resume(incident, **who)
            case "reroute":
                to = DLH if incident.agency == DISHUB else DISHUB
                return custody.reroute(incident, to, "bukan kami", self.release_all(now), **who)
            case "transfer":
                to_body = "PLN" if officer == "budi" else "32.16" if incident.agency == DISHUB else "32.16/DLH"
                return custody.transfer(incident, to_body, "tiang PLN", self.release_all(now), **who)
            case "merge":
                team = self.release_all(now)
                return joining.merge(incident, self.other, "sama", team, Belongings(), **who)[0]
            case "unmerge":
                return joining.unmerge(incident, self.other, "beda", Belongings(), Belongings(), **who)[0]
            case "split":
                fresh = joining.branch(incident, Belongings(), None, now=now)
                return joining.split(incident, fresh, "dua hal", Belongings(), Belongings(), **who)[0]
            case "resolve":
                return ending.resolve(incident, "ok", self.release_all(now), photo_ids=(), **who)
            case "close":
                return ending.close(incident, **who)
            case "reject":
                return ending.reject(incident, "bukan laporan", self.release_all(now), **who)
            case "reopen":
                return ending.reopen(incident, "belum", **who)
        raise AssertionError(verb)

    def act(self, verb: str, officer: str, now: datetime) -> Change | None:
        """What an officer's verb makes of it."""
        mine = [one for one in self.team.values() if one.officer == officer and one.status in ACTIVE_ASSIGNMENT]
        if not mine:
            return None
        moved, _ = assignment.move(mine[0], assignment.VERBS[verb], actor=officer, now=now)
        team = {**self.team, moved.id: moved}
        change = incident_verbs.follow(self.incident, moved, list(team.values()), verb, actor=officer, now=now)
        self.team = team
        return change

    def holds(self) -> None:
        """What is always so."""
        incident, team = self.incident, self.team.values()
        at_work = any(one.status in WORKING for one in team)
        asked = any(one.status in ACTIVE_ASSIGNMENT for one in team)
        assert (incident.status is IncidentStatus.IN_PROGRESS) == at_work
        assert (incident.status is IncidentStatus.ASSIGNED) == (asked and not at_work)
        named = {one.id for one in incident.officers if one.status in ACTIVE_ASSIGNMENT}
        assert named == {one.officer for one in team if one.status in ACTIVE_ASSIGNMENT}
        assert (incident.paused is not None) == (incident.status is IncidentStatus.ON_HOLD)
        assert (incident.merged_into is not None) == (incident.status is IncidentStatus.MERGED)
        assert (incident.transferred_to is not None) == (incident.status is IncidentStatus.TRANSFERRED)
        assert (incident.ended_at is not None) == (incident.status in ENDED)
        assert (incident.resolved_at is not None) == (incident.status in (S.RESOLVED, S.CLOSED))
        stops = incident.clock_stops
        assert all(until is not None and until >= since for since, until in stops[:-1])
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(stops) if before[1])
        hands = [event.detail[CUSTODY] for event in self.events if CUSTODY in event.detail]
        assert not hands or hands[-1] == (incident.holder or "")


@given(
    st.lists(
        st.tuples(st.sampled_from(["budi", "siti", "agus"]), st.sampled_from(sorted({*PHONE_VERBS, *DESK_VERBS}))),
        max_size=40,
    )
)
@settings(max_examples=300)
def test_an_incident_never_leaves_its_table_and_agrees_with_its_team(deeds: list[tuple[str, str]]) -> None:
    city = Bekasi()
    for n, (officer, verb) in enumerate(deeds, start=1):
        before, team, now = city.incident, dict(city.team), NOW + n * timedelta(minutes=1)
        try:
            change = city.command(verb, officer, now) if verb in VERBS else city.act(verb, officer, now)
        except IllegalMove:
            assert verb not in incident_verbs_of(before), "a legal verb that the table of moves refuses"
            city.team = team
            continue
        except (IllegalStep, Unusable):
            city.team = team
            continue
        if change is None:
            continue
        assert change.before is before and change.after.version == before.version + len(change.events)
        status = before.status
        for event in change.events:
            assert event.status is status or event.status in NEXT[status]
            status = event.status
        assert status is change.after.status
        assert all(decision.because for decision in change.decisions)
        city.incident = change.after
        city.events += change.events
        city.holds()


def test_every_status_can_be_reached_and_left_by_some_verb_and_the_database_counts_the_same_as_open() -> None:
    reached = set().union(*NEXT.values())
    assert reached == set(IncidentStatus) - {S.NEW}
    assert all(incident_verbs_of(an_incident(status)) for status in IncidentStatus)
    assert set(MAY) == set(VERBS)
    assert frozenset(IncidentStatus) - ENDED == OPEN_STATUSES and OPEN_STATUSES - {S.RESOLVED} == JOINABLE


@pytest.mark.parametrize("status", sorted(ENDED | {S.RESOLVED}))
def test_what_is_settled_can_only_be_closed_or_taken_up_again(status: IncidentStatus) -> None:
    assert NEXT[status] - {S.CLOSED} == {S.ROUTED, S.TRIAGE}


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 500), st.booleans()), max_size=12))
def test_pauses_are_intervals_apart_from_each_other_and_end_with_the_hold(steps: list[tuple[bool, int, bool]]) -> None:
    incident, now = an_incident(), NOW
    for holds, minutes, stops in steps:
        now += timedelta(minutes=minutes)
        if incident.status is S.ON_HOLD:
            incident = holding.resume(incident, actor="rina", now=now).after
        elif holds:
            words = "bad_weather" if stops else "tunggu sebentar"
            change = holding.hold(incident, words, [], until=None, actor="rina", now=now)
            [event] = change.events
            assert event.public == stops and incident.paused is None
            incident = change.after
    assert len(incident.clock_stops) == sum(pause.stops_clock for pause in incident.pauses)
    for before, after in itertools.pairwise(incident.pauses):
        assert before.until is not None and before.since < before.until <= after.since
    assert (incident.paused is not None) == (incident.status is S.ON_HOLD)


@pytest.mark.parametrize(
    ("words", "code", "stops"),
    [
        ("waiting_for_reporter", "waiting_for_reporter", True),
        ("  menunggu   KETERANGAN pelapor ", "waiting_for_reporter", True),
        ("The weather does not allow it", "bad_weather", True),
        ("Menunggu petugas", "waiting_for_staff", False),
        ("other", "other", False),
        ("Nanti saja, waiting_for_reporter", "other", False),
    ],
)
def test_only_reasons_of_the_vocabulary_stop_the_clock(words: str, code: str, stops: bool) -> None:
    pause = held(words, NOW, None)
    assert (pause.reason, pause.stops_clock) == (code, stops)


def test_who_helped_helps_on_inside_the_same_government_only() -> None:
    bpbd = AgencyRef.parse("32.75/BPBD")
    flood = msgspec.structs.replace(an_incident(), agency=AgencyRef.parse("32.75/DBMSDA"), co_agencies=(bpbd, DLH))
    here = custody.reroute(flood, DLH, "sampah", [], actor="rina", now=NOW).after
    assert (here.agency, here.co_agencies) == (DLH, (bpbd,))
    there = custody.transfer(flood, "32.16", "seberang", [], actor="rina", now=NOW)
    assert (str(there.after.agency), there.after.co_agencies) == ("32.16/DBMSDA", ())
    assert [event.status for event in there.events] == [S.TRANSFERRED, S.ROUTED]
    light = msgspec.structs.replace(an_incident(), agency=AgencyRef.parse("32.75/PJU"))
    assert str(custody.transfer(light, "32.16", "x", [], actor="rina", now=NOW).after.agency) == "32.16/DISHUB"


@given(st.integers(-5, 30), st.sampled_from(IncidentStatus))
def test_a_reporter_reopens_within_14_days_of_the_answer(days: int, status: IncidentStatus) -> None:
    answered = status in (S.RESOLVED, S.CLOSED)
    incident = msgspec.structs.replace(an_incident(status), resolved_at=NOW if answered else None, report_count=1)
    now = NOW + timedelta(days=days)
    legal = answered and days <= 14
    assert ending.may_reopen(status, incident.resolved_at, now) == legal
    if legal:
        after = ending.judged_by_reporter(incident, satisfied=False, report_id="r", now=now).after
        assert (after.status, after.resolved_at, after.reopened_at) == (S.ROUTED, None, now)
    else:
        with pytest.raises(IllegalMove):
            ending.judged_by_reporter(incident, satisfied=False, report_id="r", now=now)


def test_the_yes_of_the_only_reporter_closes_and_that_of_one_among_many_does_not() -> None:
    for reports, status in ((1, S.CLOSED), (2, S.RESOLVED)):
        incident = msgspec.structs.replace(an_incident(S.RESOLVED), resolved_at=NOW, report_count=reports)
        assert ending.judged_by_reporter(incident, satisfied=True, report_id="r", now=NOW).after.status is status


@pytest.mark.parametrize("status", IncidentStatus)
def test_a_verb_that_is_called_legal_is_and_another_is_not(status: IncidentStatus) -> None:
    incident = an_incident(status)
    for verb in VERBS:
        if verb in incident_verbs_of(incident):
            incident_verbs.require(incident, verb)
        else:
            with pytest.raises(IllegalMove):
                incident_verbs.require(incident, verb)


@given(TIMES, TIMES)
def test_a_phones_time_is_between_the_offer_and_now(device_at: datetime, now: datetime) -> None:
    offered = an_offer()
    now = max(now, NOW)
    _, step = assignment.move(
        offered, AssignmentStatus.ACCEPTED, actor="budi", now=now, phone=Phone(at=device_at, lat=-6.2, lon=107.0)
    )
    assert step.device_at is not None and offered.offered_at <= step.device_at <= now
    assert clamped(device_at, NOW, now) == step.device_at


@given(st.sampled_from(OfficerStatus), st.booleans())
def test_busy_is_exactly_who_works(status: OfficerStatus, working: bool) -> None:
    after = assignment.status_of_work(status, working=working)
    assert (after is OfficerStatus.BUSY) == working
    assert assignment.status_of_work(after, working=working) is after


def test_an_officer_who_is_asked_again_is_named_once() -> None:
    declined, _ = assignment.move(an_offer(), AssignmentStatus.DECLINED, actor="budi", now=NOW, reason="x")
    again = an_offer("budi", NOW + timedelta(minutes=5))
    assert [one.status for one in officers_of([again, declined])] == [AssignmentStatus.OFFERED]
    assert officers_of([declined]) == ()
