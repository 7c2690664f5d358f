"""How officers are asked, whatever they answer in whatever order: never beside the tables, and no more than wanted."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.decisions import assignment, offering
from dispatcher.decisions.assignment import WORKING, Assignment
from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT, Incident
from dispatcher.decisions.offering import NEXT, IllegalOffering, Offering, OfferingState, begin, requested
from dispatcher.decisions.staffing import ONE, Staffing, staffing_of
from schemas.place import AgencyRef
from schemas.vocabulary import AgencyCode, AssignmentStatus, Category, IncidentStatus, Priority, Regency

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DISHUB = AgencyRef(regency=Regency.KOTA_BEKASI, agency=AgencyCode.DISHUB)
DLH = AgencyRef(regency=Regency.KOTA_BEKASI, agency=AgencyCode.DLH)
A = AssignmentStatus


def an_incident(status: IncidentStatus = IncidentStatus.ROUTED, agency: AgencyRef | None = DISHUB) -> Incident:
    return Incident(
        id="INC-TEST000000",
        version=1,
        category=Category.TRAFFIC_JAM,
        status=status,
        priority=Priority.NORMAL,
        agency=agency,
        opened_at=NOW,
        updated_at=NOW,
        received_at=NOW,
        last_report_at=NOW,
        confidence=0.9,
    )


def an_offer(officer: str, at: datetime = NOW, *, named: bool = False) -> Assignment:
    offered, _ = assignment.offer(
        "INC-TEST000000", officer, officer, DISHUB, actor="rina", now=at, answer_within=2 * MINUTE, named=named
    )
    return offered


def moved(one: Assignment, *path: AssignmentStatus, at: datetime = NOW) -> Assignment:
    for to in path:
        one, _ = assignment.move(one, to, actor="x", now=at)
    return one


def test_the_first_line_that_fits_says_who_may_be_sent() -> None:
    flood = Staffing(category=Category.FLOOD, officers=2, skills=("pompa",))
    dishub = Staffing(agency=AgencyCode.DISHUB, automatic=True)
    table = (flood, dishub)
    assert staffing_of(table, Category.FLOOD, DISHUB) is flood
    assert staffing_of(table, Category.TRAFFIC_JAM, DISHUB) is dishub
    assert staffing_of(table, Category.TRAFFIC_JAM, DLH) is ONE
    assert not ONE.automatic and ONE.officers == 1


def test_rules_ask_by_themselves_when_an_incident_comes_to_an_agency_that_wants_it() -> None:
    asking = Staffing(automatic=True)
    routed, triaged = an_incident(), an_incident(IncidentStatus.TRIAGE, None)
    assert requested(None, routed, asking, NOW) is not None
    assert requested(triaged, routed, asking, NOW) is not None
    assert requested(an_incident(agency=DLH), routed, asking, NOW) is not None
    assert requested(an_incident(IncidentStatus.ON_HOLD), routed, asking, NOW) is not None
    assert requested(None, routed, ONE, NOW) is None
    assert requested(an_incident(IncidentStatus.ASSIGNED), routed, asking, NOW) is None, "an officer handed it back"
    assert requested(routed, routed, asking, NOW) is None
    assert requested(None, triaged, asking, NOW) is None


def test_who_declined_in_an_earlier_round_is_asked_again_in_a_new_one() -> None:
    no = moved(an_offer("budi"), A.DECLINED)
    first = begin(an_incident(), ONE, (), NOW)
    second = begin(an_incident(), ONE, [no], NOW + MINUTE)
    assert first.refused([no]) == {"budi"} and second.refused([no]) == frozenset()
    assert offering.refused_ever([no]) == {"budi"}


def test_a_yes_makes_other_offers_needless_but_not_those_that_a_person_has_made() -> None:
    current = begin(an_incident(), ONE, (), NOW)
    yes, other, named = moved(an_offer("a"), A.ACCEPTED), an_offer("b"), an_offer("c", named=True)
    assert current.needless([an_offer("a"), other]) == ()
    assert current.needless([yes, other, named]) == (other,)


def test_two_are_wanted_where_a_rule_says_so_and_one_done_is_one_less_to_ask() -> None:
    two = begin(an_incident(), Staffing(officers=2), (), NOW)
    rule = begin(msgspec.structs.replace(an_incident(), officers_needed=3), ONE, (), NOW)
    assert (two.missing([]), rule.missing([])) == (2, 3)
    done = moved(an_offer("a"), A.ACCEPTED, A.ON_SCENE, A.COMPLETED, at=NOW + MINUTE)
    gone = moved(an_offer("b"), A.EXPIRED)
    assert two.missing([done, gone]) == 1
    assert not two.answered([done, gone]) and two.answered([done, moved(an_offer("c"), A.ACCEPTED)])


def test_who_asks_while_somebody_is_at_work_wants_one_more() -> None:
    at_work = moved(an_offer("a"), A.ACCEPTED)
    assert begin(an_incident(), ONE, [at_work], NOW + MINUTE).missing([at_work]) == 1


@pytest.mark.parametrize("state", OfferingState)
def test_an_offering_moves_by_its_table_alone(state: OfferingState) -> None:
    one = msgspec.structs.replace(begin(an_incident(), ONE, (), NOW), state=state)
    for to in OfferingState:
        if to in NEXT[state] or to is state:
            assert one.moved(to, NOW + MINUTE).state is to
        else:
            with pytest.raises(IllegalOffering):
                one.moved(to, NOW + MINUTE)


def test_nobody_is_asked_for_what_has_gone_elsewhere_or_waits() -> None:
    current = begin(an_incident(), ONE, (), NOW)
    assert current.holds_for(an_incident()) and current.holds_for(an_incident(IncidentStatus.IN_PROGRESS))
    assert not current.holds_for(an_incident(agency=DLH))
    for status in (IncidentStatus.ON_HOLD, IncidentStatus.RESOLVED, IncidentStatus.TRIAGE, IncidentStatus.MERGED):
        assert not current.holds_for(an_incident(status))


@dataclass
class Room:
    """The asking as `offers.py` does it, without a database: five officers and their answers."""

    wanted: int
    now: datetime = NOW
    team: dict[str, Assignment] = field(default_factory=dict)
    current: Offering | None = None
    asked: list[str] = field(default_factory=list)

    def ask(self) -> None:
        assert self.current is not None
        refused = self.current.refused(self.team.values())
        on_it = {one.officer for one in self.team.values() if one.status in ACTIVE_ASSIGNMENT}
        free = [name for name in "abcde" if name not in refused | on_it]
        missing = self.current.missing(self.team.values())
        for name in free[:missing]:
            offered = an_offer(name, self.now)
            self.team[offered.id] = offered
            self.asked.append(name)
        if missing:
            enough = len(free) >= missing
            state = OfferingState.ASKING if enough else OfferingState.SHIFT_LEAD
            if enough or self.current.state not in offering.ESCALATED:
                self.current = self.current.moved(state, self.now)

    def answer(self, officer: str, to: AssignmentStatus) -> None:
        mine = [one for one in self.team.values() if one.officer == officer and one.status in ACTIVE_ASSIGNMENT]
        if not mine or self.current is None or to not in assignment.NEXT[mine[0].status]:
            return
        self.team[mine[0].id] = moved(mine[0], to, at=self.now)
        if to is A.ACCEPTED and self.current.answered(self.team.values()):
            for one in self.current.needless(self.team.values()):
                self.team[one.id] = moved(one, A.RELEASED, at=self.now)
            self.current = self.current.moved(OfferingState.ANSWERED, self.now)
        elif to in (A.DECLINED, A.EXPIRED):
            self.ask()


ANSWERS = st.lists(
    st.tuples(
        st.sampled_from("abcde"),
        st.sampled_from([A.ACCEPTED, A.DECLINED, A.EXPIRED, A.EN_ROUTE, A.ON_SCENE, A.COMPLETED]),
    ),
    max_size=25,
)


@given(st.integers(1, 3), ANSWERS)
def test_whatever_they_answer_nobody_is_asked_twice_and_no_more_are_asked_than_wanted(
    wanted: int, answers: list[tuple[str, AssignmentStatus]]
) -> None:
    room = Room(wanted)
    room.current = begin(an_incident(), Staffing(officers=wanted), (), NOW)
    room.ask()
    for n, (officer, to) in enumerate(answers, start=1):
        room.now = NOW + n * MINUTE
        asked_before = len(room.asked)
        team = list(room.team.values())
        enough = room.current.answered(team)
        room.answer(officer, to)
        team = list(room.team.values())
        active = [one for one in team if one.status in ACTIVE_ASSIGNMENT]
        done = [one for one in team if one.status is A.COMPLETED]
        assert len(active) + len(done) <= wanted
        if enough and to not in (A.DECLINED, A.EXPIRED):
            assert len(room.asked) == asked_before, "nobody is asked after enough have said yes"
        if room.current.state is OfferingState.ANSWERED and len(done) < wanted:
            assert all(one.status in WORKING for one in active)
        refusals = [one.officer for one in team if one.status in (A.DECLINED, A.EXPIRED)]
        assert len(refusals) == len(set(refusals)), "who has said no is not asked again"
        short = wanted - len(active) - len(done)
        if short > 0:
            assert room.current.state is OfferingState.SHIFT_LEAD, "somebody who leads knows that somebody is missing"
