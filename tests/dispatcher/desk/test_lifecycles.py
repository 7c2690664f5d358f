"""Lifecycles, whatever people do in whatever order: nothing ever leaves the tables, and both sides agree."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions import assignment, incident_verbs
from dispatcher.decisions.assignment import WORKING, Assignment, IllegalStep, Phone, clamped, legal_verbs, officers_of
from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT, NEXT, VERBS, IllegalMove, Incident
from dispatcher.decisions.incident import legal_verbs as incident_verbs_of
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, AssignmentStatus, Category, IncidentStatus, OfficerStatus, Priority, Regency

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
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
        "INC-TEST000000", officer, officer.title(), DISHUB, actor="rina", now=now, answer_within=timedelta(minutes=2)
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


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["budi", "siti", "agus"]),
            st.sampled_from([*assignment.VERBS, "assign", "resolve", "close", "triage", "note"]),
        ),
        max_size=25,
    )
)
def test_an_incident_and_its_team_agree_whatever_is_done(deeds: list[tuple[str, str]]) -> None:
    incident, team = an_incident(), dict[str, Assignment]()
    for n, (officer, verb) in enumerate(deeds, start=1):
        now = NOW + n * timedelta(minutes=1)
        before = incident
        try:
            match verb:
                case "assign":
                    mine = [one for one in team.values() if one.officer == officer]
                    if any(one.status in ACTIVE_ASSIGNMENT for one in mine):
                        continue
                    incident_verbs.require(incident, "assign")
                    new = an_offer(officer, now)
                    change = incident_verbs.assign(incident, new, [*team.values(), new], actor="rina", now=now)
                    team[new.id] = new
                case "resolve":
                    incident_verbs.require(incident, "resolve")
                    for one in list(team.values()):
                        if one.status in ACTIVE_ASSIGNMENT:
                            team[one.id], _ = assignment.move(one, AssignmentStatus.RELEASED, actor="rina", now=now)
                    change = incident_verbs.resolve(
                        incident, "ok", list(team.values()), photo_ids=(), actor="rina", now=now
                    )
                case "close":
                    change = incident_verbs.close(incident, actor="rina", now=now)
                case "note":
                    change = incident_verbs.note(incident, "halo", public=False, actor="rina", now=now)
                case "triage":
                    change = incident_verbs.triage(
                        incident, category=None, priority=None, point=None, actor="rina", now=now
                    )
                case _:
                    active = [o for o in team.values() if o.officer == officer and o.status in ACTIVE_ASSIGNMENT]
                    if not active:
                        continue
                    moved, _ = assignment.move(active[0], assignment.VERBS[verb], actor=officer, now=now)
                    others = [moved if one.id == moved.id else one for one in team.values()]
                    change = incident_verbs.follow(incident, moved, others, verb, actor=officer, now=now)
                    team[moved.id] = moved
        except (IllegalStep, IllegalMove):
            assert incident is before
            continue
        incident = change.after
        assert incident.version == before.version + 1 == change.events[-1].version and len(change.events) == 1
        assert incident.status is before.status or incident.status in NEXT[before.status]
        at_work = any(one.status in WORKING for one in team.values())
        asked = any(one.status in ACTIVE_ASSIGNMENT for one in team.values())
        assert (incident.status is IncidentStatus.IN_PROGRESS) == at_work
        assert (incident.status is IncidentStatus.ASSIGNED) == (asked and not at_work)
        named = {one.id for one in incident.officers if one.status in ACTIVE_ASSIGNMENT}
        assert named == {one.officer for one in team.values() if one.status in ACTIVE_ASSIGNMENT}


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
