"""The decisions on a clock of the test's: reports, jams, verbs and crashes in any order, against a store in memory.

The store plays the transaction: what a step decides is kept whole or, when the process dies before the commit, not at
all, and is decided anew. How a failing run is played again is told in `tests.simulation.test_engine`.
"""

import itertools
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from dispatcher.decisions import assignment, incident_verbs, incident_verbs_ending, incident_verbs_judging
from dispatcher.decisions.all_clear import all_clear
from dispatcher.decisions.assignment import WORKING, Assignment, IllegalStep, Step
from dispatcher.decisions.casebook import Casebook, home, patches_around
from dispatcher.decisions.change import Change
from dispatcher.decisions.clock import timed
from dispatcher.decisions.correlate import TEXTS_KEPT, Candidate, Whereabouts, in_reach
from dispatcher.decisions.detect import SpeedState
from dispatcher.decisions.detect_wifi import BeatState
from dispatcher.decisions.device import Sensor, WifiNode
from dispatcher.decisions.evidence import THIRD_REPORTER
from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT, ENDED, NEXT, Event, IllegalMove, Incident
from dispatcher.decisions.incident_verbs import NothingChanges
from dispatcher.decisions.policy import DEFAULT_POLICY
from dispatcher.decisions.sighting import SENSOR, Sighting, of_report, of_sensor
from schemas.gazetteer import gazetteer
from schemas.place import AgencyRef
from schemas.telemetry import TrafficObserved, WifiObserved
from schemas.vocabulary import AssignmentStatus, Category, IncidentStatus, Priority
from tests.dispatcher.factories import BANTARGEBANG, CIKARANG, MONAS, NOW, SUMMARECON, a_report, north_of
from tests.simulation.profile import bounds

_PLACES = (SUMMARECON, north_of(SUMMARECON, 150), north_of(SUMMARECON, 2_000), BANTARGEBANG, CIKARANG, MONAS)
_TEXTS = (
    "Macet total, kendaraan tidak bergerak",
    "Macet parah arah Tambun",
    "banyak sampah liar menumpuk, bau menyengat",
    "jalan berlubang besar di depan pasar",
    "mau tanya jam buka kantor",
    "kebakaran, orang terjebak di tengah kemacetan",
)
_OFFICERS = ("budi", "sari")
_ACTOR = "poc-rina"


class Store:
    """Incidents with what lies beside them, as the tables have it."""

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.history: defaultdict[str, list[Event]] = defaultdict(list)
        self.changes: list[Change] = []
        #: Report id → its incident, arrival and text.
        self.reports: dict[str, tuple[str, datetime, str]] = {}
        self.team: defaultdict[str, dict[str, Assignment]] = defaultdict(dict)
        self.steps: defaultdict[str, list[Step]] = defaultdict(list)

    def candidates(self, sightings: Sequence[Sighting]) -> list[Candidate]:
        """As `candidate_store` finds them."""
        around = {patch for sighting in sightings for patch in patches_around(sighting)}
        return [
            self._candidate(one)
            for one in self.incidents.values()
            if one.status not in ENDED
            and home(one.category, one.lat, one.lon, one.kecamatan) in around
            and any(
                in_reach(each, Whereabouts(one.lat, one.lon, one.kecamatan, one.kelurahan), one.last_report_at)
                for each in sightings
                if each.category is one.category
            )
        ]

    def _candidate(self, one: Incident) -> Candidate:
        told = sorted((at, text) for incident, at, text in self.reports.values() if incident == one.id)
        texts = [text for _, text in told]
        first = told[0][0] if told else min(one.opened_at, one.last_report_at)
        kept = texts if len(texts) <= TEXTS_KEPT else [texts[0], *texts[1 - TEXTS_KEPT :]]
        return Candidate(one, first, one.last_report_at, tuple(kept))

    def commit(self, changes: Sequence[Change]) -> None:
        """All of it; a version that is not the one that was read would be `StaleVersion`."""
        for change in changes:
            known = self.incidents.get(change.after.id)
            assert known == change.before
            change = timed(change, DEFAULT_POLICY)
            self.incidents[change.after.id] = change.after
            self.history[change.after.id].extend(change.events)
            self.changes.append(change)


def decide_batch(store: Store, sightings: Sequence[Sighting], now: datetime) -> tuple[Casebook, dict[str, str]]:
    """What a batch decides, and which incident each of its sightings is in; nothing is kept yet."""
    casebook = Casebook(store.candidates(sightings))
    return casebook, {sighting.id: casebook.take(sighting, now) for sighting in sightings}


class City(RuleBasedStateMachine):
    """Citizens, a sensor, an operator and two officers."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.store = Store()
        self.waiting: list[Sighting] = []
        self.arrived: dict[str, Sighting] = {}
        self.seen: dict[str, int] = {}
        self.jam_at: dict[str, str] = {}

    @rule(seconds=st.sampled_from([1, 60, 900, 4000, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(text=st.sampled_from(_TEXTS), place=st.sampled_from(_PLACES), count=st.integers(1, 3))
    def reports_arrive(self, text: str, place: tuple[float, float], count: int) -> None:
        for _ in range(count):
            report = a_report(text, report_id=f"r-{len(self.arrived)}", place=place)
            sighting = of_report(report, self.now, gazetteer(), "trace")
            self.arrived[sighting.id] = sighting
            self.waiting.append(sighting)

    @precondition(lambda self: self.arrived)
    @rule(which=st.integers(0, 1000))
    def a_report_arrives_again(self, which: int) -> None:
        self.waiting.append(self.arrived[f"r-{which % len(self.arrived)}"])

    @precondition(lambda self: len(self.waiting) > 1)
    @rule(data=st.data())
    def partitions_are_read_in_another_order(self, data: st.DataObject) -> None:
        self.waiting = data.draw(st.permutations(self.waiting))

    @precondition(lambda self: self.waiting)
    @rule(count=st.integers(1, 6), dies=st.booleans())
    def a_batch_is_decided(self, count: int, dies: bool) -> None:
        batch = {one.id: one for one in self.waiting[:count] if one.id not in self.store.reports}
        casebook, belongs = decide_batch(self.store, list(batch.values()), self.now)
        if dies:
            return  # before the commit: it is read again
        self.store.commit(casebook.changes)
        for report_id, incident_id in belongs.items():
            self.store.reports[report_id] = (incident_id, batch[report_id].arrived_at, batch[report_id].text)
        del self.waiting[:count]

    @rule(place=st.sampled_from(_PLACES[:3]), dies=st.booleans())
    def a_sensor_turns(self, place: tuple[float, float], dies: bool) -> None:
        """It sees a jam, or sees the one that it saw gone."""
        device = f"s-{_PLACES.index(place)}"
        was_on = self.jam_at.get(device)
        if was_on is None:
            sensor = Sensor(id=device, lat=place[0], lon=place[1], observed_at=self.now, received_at=self.now)
            sighting = of_sensor(sensor, self.now, ("3 sampel",), gazetteer())
            casebook, belongs = decide_batch(self.store, [sighting], self.now)
            if not dies:
                self.store.commit(casebook.changes)
                self.jam_at[device] = belongs[device]
            return
        others = {one for one, incident in self.jam_at.items() if incident == was_on and one != device}
        change = all_clear(
            self.store.incidents[was_on], SENSOR, device,
            still_seen_by=others, because=("lancar",), arrived_at=self.now, now=self.now,
        )  # fmt: skip
        if not dies:
            self.store.commit([change] if change else [])
            del self.jam_at[device]

    @precondition(lambda self: self.store.incidents)
    @rule(
        which=st.integers(0, 1000),
        verb=st.sampled_from(["triage", "note", "assign", "resolve", "close"]),
        category=st.none() | st.sampled_from(list(Category)),
        priority=st.none() | st.sampled_from(list(Priority)),
        officer=st.sampled_from(_OFFICERS),
    )
    def an_operator_acts(
        self, which: int, verb: str, category: Category | None, priority: Priority | None, officer: str
    ) -> None:
        incident = self._incident(which)
        team = self.store.team[incident.id]
        after_team = dict(team)
        try:
            match verb:
                case "triage":
                    hit = gazetteer().locate(incident.lat, incident.lon) if incident.lat and incident.lon else None
                    change = incident_verbs_judging.triage(
                        incident, category=category, priority=priority, point=None, known_place=hit,
                        actor=_ACTOR, now=self.now,
                    )  # fmt: skip
                case "note":
                    change = incident_verbs.note(incident, "dicatat", public=True, actor=_ACTOR, now=self.now)
                case "assign":
                    incident_verbs.require(incident, "assign")
                    if any(one.officer == officer and one.status in ACTIVE_ASSIGNMENT for one in team.values()):
                        return
                    agency = incident.agency or AgencyRef.parse("32.75/DISHUB")
                    offered, step = assignment.offer(
                        incident.id, officer, officer, agency,
                        actor=_ACTOR, now=self.now, answer_within=timedelta(minutes=2), because=("terdekat",),
                    )  # fmt: skip
                    after_team[offered.id] = offered
                    change = incident_verbs.assign(
                        incident, offered, list(after_team.values()), actor=_ACTOR, now=self.now
                    )
                    self.store.steps[offered.id].append(step)
                case "resolve":
                    incident_verbs.require(incident, "resolve")
                    for one in team.values():
                        if one.status in ACTIVE_ASSIGNMENT:
                            after_team[one.id], step = assignment.move(
                                one, AssignmentStatus.RELEASED, actor=_ACTOR, now=self.now
                            )
                            self.store.steps[one.id].append(step)
                    change = incident_verbs_ending.resolve(
                        incident, "selesai", list(after_team.values()), photo_ids=(), actor=_ACTOR, now=self.now
                    )
                case _:
                    change = incident_verbs_ending.close(incident, actor=_ACTOR, now=self.now)
        except (IllegalMove, NothingChanges):
            return
        self.store.commit([change])
        self.store.team[incident.id] = after_team

    @precondition(lambda self: any(self.store.team.values()))
    @rule(which=st.integers(0, 1000), verb=st.sampled_from(sorted(assignment.VERBS)))
    def an_officer_acts(self, which: int, verb: str) -> None:
        everyone = [one for team in self.store.team.values() for one in team.values()]
        mine = everyone[which % len(everyone)]
        incident = self.store.incidents[mine.incident_id]
        try:
            moved, step = assignment.move(mine, assignment.VERBS[verb], actor=mine.officer, now=self.now)
            team = {**self.store.team[incident.id], moved.id: moved}
            change = incident_verbs.follow(incident, moved, list(team.values()), verb, actor=mine.officer, now=self.now)
        except (IllegalStep, IllegalMove):
            assert assignment.VERBS[verb] not in assignment.NEXT[mine.status], "a legal step that its incident refuses"
            return
        self.store.commit([change])
        self.store.team[incident.id] = team
        self.store.steps[moved.id].append(step)

    def _incident(self, which: int) -> Incident:
        found = list(self.store.incidents.values())
        return found[which % len(found)]

    @invariant()
    def each_report_is_in_one_incident_and_counted_there(self) -> None:
        counts: defaultdict[str, int] = defaultdict(int)
        for incident_id, _, _ in self.store.reports.values():
            counts[incident_id] += 1
        for one in self.store.incidents.values():
            assert one.report_count == counts[one.id]
        assert counts.keys() <= self.store.incidents.keys()

    @invariant()
    def history_only_grows_without_a_hole_and_never_leaves_the_table(self) -> None:
        for incident_id, one in self.store.incidents.items():
            events = self.store.history[incident_id]
            assert [event.version for event in events] == list(range(1, one.version + 1))
            assert len(events) >= self.seen.get(incident_id, 0)
            self.seen[incident_id] = len(events)
            assert events[0].status is IncidentStatus.NEW
            assert events[-1].status is one.status
            for before, after in itertools.pairwise(events):
                assert after.status is before.status or after.status in NEXT[before.status]
                assert after.at >= before.at

    @invariant()
    def an_incident_is_somebodys_or_waits_for_a_person(self) -> None:
        for one in self.store.incidents.values():
            assert one.status is not IncidentStatus.NEW, "a decision leaves nothing undecided"
            if one.status in (IncidentStatus.ROUTED, IncidentStatus.ASSIGNED, IncidentStatus.IN_PROGRESS):
                assert one.agency is not None
            assert (one.transferred_to is not None) >= (one.status is IncidentStatus.TRANSFERRED)
            assert (one.ended_at is not None) == (one.status in ENDED)
            if one.status in (IncidentStatus.RESOLVED, IncidentStatus.CLOSED):
                assert one.resolved_at is not None
            assert (one.due_at is None) == (one.status is IncidentStatus.TRANSFERRED)
            assert (one.closes_at is not None) == (one.status is IncidentStatus.RESOLVED)
            assert one.evidence >= 0

    @invariant()
    def assignments_and_their_incident_agree(self) -> None:
        for incident_id, team in self.store.team.items():
            active = {one.status for one in team.values() if one.status in ACTIVE_ASSIGNMENT}
            status = self.store.incidents[incident_id].status
            assert (status is IncidentStatus.IN_PROGRESS) == bool(active & WORKING)
            assert (status is IncidentStatus.ASSIGNED) == (bool(active) and not active & WORKING)
            for one in team.values():
                assert [step.version for step in self.store.steps[one.id]] == list(range(1, one.version + 1))

    @invariant()
    def every_change_has_its_reasons(self) -> None:
        for change in self.store.changes:
            if change.before is None:
                said = {decision.judgement for decision in change.decisions}
                assert {"locate", "correlate", "prioritise", "route"} <= said
            assert all(decision.because for decision in change.decisions)
        self.store.changes.clear()


def test_incidents_keep_their_laws_whatever_happens_in_the_city() -> None:
    run_state_machine_as_test(City, settings=bounds(40, 40))


_arrivals = st.lists(
    st.tuples(st.sampled_from(_PLACES), st.sampled_from(_TEXTS[:4]), st.integers(0, 29)), min_size=1, max_size=10
)


def _groups(store: Store) -> set[frozenset[str]]:
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for report_id, (incident_id, _, _) in store.reports.items():
        groups[incident_id].add(report_id)
    return {frozenset(group) for group in groups.values()}


def _told_in(order: Sequence[Sighting], sizes: Sequence[int]) -> Store:
    """A store after these sightings, in batches of these sizes (the last one for all that is left)."""
    store, left = Store(), list(order)
    for size in (*sizes, len(left)):
        batch, left = left[:size], left[size:]
        casebook, belongs = decide_batch(store, batch, NOW + timedelta(hours=1))
        store.commit(casebook.changes)
        for one in batch:
            store.reports[one.id] = (belongs[one.id], one.arrived_at, one.text)
    return store


@bounds(60, 1)
@given(_arrivals, st.lists(st.integers(1, 4), max_size=6), st.lists(st.integers(1, 4), max_size=6))
def test_how_reports_are_cut_into_batches_changes_nothing(
    arrivals: list[tuple[tuple[float, float], str, int]], one: list[int], other: list[int]
) -> None:
    order = _sightings(arrivals)
    first, second = _told_in(order, one), _told_in(order, other)
    assert _groups(first) == _groups(second)
    assert _facts(first) == _facts(second)


@bounds(60, 1)
@given(
    st.lists(
        st.tuples(st.sampled_from((SUMMARECON, *_PLACES[2:5])), st.just(_TEXTS[0]), st.integers(0, 29)), max_size=9
    ),
    st.data(),
)
def test_jams_told_in_any_order_are_the_same_jams(
    arrivals: list[tuple[tuple[float, float], str, int]], data: st.DataObject
) -> None:
    order = _sightings(arrivals)
    other = data.draw(st.permutations(order))
    sizes = data.draw(st.lists(st.integers(1, 3), max_size=5))
    first, second = _told_in(order, sizes), _told_in(other, [])
    assert _groups(first) == _groups(second)
    for group in _groups(first):
        evidence = [
            next(one.evidence for one in store.incidents.values() if one.id == store.reports[min(group)][0])
            for store in (first, second)
        ]
        # Which one is the third reporter, whose bonus fades from then on, is the one thing that the order tells.
        assert abs(evidence[0] - evidence[1]) <= THIRD_REPORTER


def _sightings(arrivals: Sequence[tuple[tuple[float, float], str, int]]) -> list[Sighting]:
    return [
        of_report(
            a_report(text, report_id=f"r-{number:02}", place=place), NOW + timedelta(minutes=minute), gazetteer(), "t"
        )
        for number, (place, text, minute) in enumerate(arrivals)
    ]


def _facts(store: Store) -> dict[frozenset[str], tuple[object, ...]]:
    members: defaultdict[str, set[str]] = defaultdict(set)
    for report_id, (incident_id, _, _) in store.reports.items():
        members[incident_id].add(report_id)
    return {
        frozenset(ids): (
            one.category, one.status, one.priority, one.agency, one.version, one.report_count, round(one.evidence, 6)
        )
        for incident_id, ids in members.items()
        for one in [store.incidents[incident_id]]
    }  # fmt: skip


_readings = st.lists(st.tuples(st.integers(0, 40), st.floats(0, 80)), min_size=1, max_size=40)


@bounds(100, 1)
@given(_readings, st.data())
def test_a_sensor_that_is_read_again_after_a_crash_is_what_it_was(
    readings: list[tuple[int, float]], data: st.DataObject
) -> None:
    """A worker dies at any place, and what it had not committed is read again, perhaps with more that came late."""
    said = [TrafficObserved(sensor_id="s", observed_at=NOW + minute * _MINUTE, speed_kmh=v) for minute, v in readings]
    whole: Sensor | None = None
    turns = []
    for reading in said:
        if whole is None or reading.observed_at > whole.observed_at:
            whole, judged = Sensor.after(whole, reading, reading.observed_at)
            turns.append(judged.turn if judged else None)
    again: Sensor | None = None
    turns_again = []
    at = 0
    while at < len(said):
        size, dies = data.draw(st.integers(1, 5)), data.draw(st.booleans())
        kept, heard = again, []
        for reading in said[at : at + size]:
            if kept is None or reading.observed_at > kept.observed_at:
                kept, judged = Sensor.after(kept, reading, reading.observed_at)
                heard.append(judged.turn if judged else None)
        if not dies or data.draw(st.booleans()):
            again, at = kept, at + size
            turns_again += heard
    assert (again, turns_again) == (whole, turns)
    assert again is not None
    assert isinstance(again.detection, SpeedState)


@bounds(100, 1)
@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=30), st.integers(0, 29))
def test_a_node_that_is_read_again_from_any_place_is_what_it_was(beats: list[tuple[int, bool]], back: int) -> None:
    said = [
        WifiObserved(node_id="n", observed_at=NOW + minute * _MINUTE, state="up" if up else "down", clients=1)
        for minute, up in beats
    ]

    def after(order: Sequence[WifiObserved]) -> BeatState:
        node: WifiNode | None = None
        for one in order:
            if node is None or one.observed_at > node.observed_at:
                node, _ = WifiNode.after(node, one, one.observed_at)
        assert node is not None
        return node.detection

    cut = min(back, len(said))
    assert after([*said[:cut], *said]) == after(said)


_MINUTE = timedelta(minutes=1)
