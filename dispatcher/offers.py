"""Asking officers to go: the best first, the next best when one says no or nothing, then who leads. A yes ends it.

Everything here happens in one transaction on an incident whose row is locked. Locks come in the order of
`officer_store`: the officers' rows are taken together and last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from dispatcher import assignment_store, choosing, incident_store, offering_store, officer_store, policy_store
from dispatcher.deadline_store import Deadline
from dispatcher.decisions import assignment, incident_verbs, offering
from dispatcher.decisions.assignment import Assignment, Phone, Step
from dispatcher.decisions.change import Change, Decision
from dispatcher.decisions.incident import ACTIVE_ASSIGNMENT, Incident, move
from dispatcher.decisions.offering import ASKABLE, ESCALATED, Offering, OfferingState
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.recommend import Choice, Recommendation, Shortfall, Task, recommend
from dispatcher.officer_store import Officer, Position
from infra.postgres import Connection
from schemas.vocabulary import AssignmentStatus, ClockKind, IncidentStatus, OfficerStatus, Told

#: Who acts when no person does.
RULES: Final = "dispatcher"
#: Somebody who was free when the list was made may be taken when the row is locked; then it is made anew.
_TRIES: Final = 5
_HAPPENED: Final[Mapping[AssignmentStatus, str]] = {
    AssignmentStatus.ACCEPTED: "accepted",
    AssignmentStatus.DECLINED: "declined",
    AssignmentStatus.EN_ROUTE: "departed",
    AssignmentStatus.ON_SCENE: "arrived",
    AssignmentStatus.COMPLETED: "completed",
    AssignmentStatus.EXPIRED: "expired",
    AssignmentStatus.RELEASED: "released",
}
#: Who is told.
_TOLD: Final[Mapping[OfferingState, Told]] = {
    OfferingState.SHIFT_LEAD: Told.SHIFT_LEAD,
    OfferingState.AGENCY_HEAD: Told.AGENCY_HEAD,
}


class Asking:
    """An incident's assignments, locked, and everything that comes of moving them. `finish` once at the end."""

    def __init__(
        self,
        connection: Connection,
        incident: Incident,
        team: Sequence[Assignment],
        offering: Offering | None,
        policy: Policy,
        now: datetime,
        traceparent: str | None,
    ) -> None:
        self._connection = connection
        self._before = incident
        self._offering = offering
        self._policy = policy
        self._now = now
        self._traceparent = traceparent
        #: Officers whose rows are to be brought up to date, with where they have said to be.
        self._touched: dict[str, Position | None] = {}
        #: All assignments of the incident as they are now, oldest first.
        self.team = list(team)
        #: What has happened so far; None while nothing has.
        self.change: Change | None = None

    @property
    def incident(self) -> Incident:
        """As it is after what has happened so far."""
        return self.change.after if self.change else self._before

    @property
    def offering(self) -> Offering | None:
        """How officers are being asked; None when they are not."""
        return self._offering

    def one(self, assignment_id: str) -> Assignment:
        """One of the team. Raises `StopIteration` for another's."""
        return next(one for one in self.team if one.id == assignment_id)

    # Asking --------------------------------------------------------------------------------------------------------

    async def begin(self, actor: str, officers: int | None = None) -> tuple[Shortfall, ...]:
        """A new round: ask as many of the best as are wanted (by the city's table, or `officers`), one at least.

        Answers what keeps them all from it when nobody could be asked; then nothing has changed.
        """
        staffing = self._policy.staffing_of(self.incident.category, self.incident.agency)
        if officers is not None:
            staffing = msgspec.structs.replace(staffing, officers=officers)
        began = offering.begin(self.incident, staffing, self.team, self._now)
        wanted = max(began.missing(self.team), 1)
        chosen, found = await self._choose(began, wanted)
        if chosen:
            await self._ask(began, chosen, wanted, found, actor)
        return () if chosen else found.shortfalls

    async def name(self, officer: Officer, actor: str) -> tuple[Shortfall, ...]:
        """Ask just this officer, locked, whoever else is asked. Answers why not, when it cannot be."""
        candidates = await choosing.candidates(
            self._connection, officer.agency, self._now, self.team, only=officer.username
        )
        found = recommend(candidates, replace(self._task(), skills=frozenset()))
        if not found.ranked:
            return found.shortfalls
        choice = Choice(officer.username, (f"dipilih oleh {actor}", *found.ranked[0].because))
        await self._offer(officer, choice, actor, named=True)
        return ()

    async def answer(
        self,
        one: Assignment,
        to: AssignmentStatus,
        actor: str,
        *,
        phone: Phone | None = None,
        reason: str | None = None,
        note: str | None = None,
        photo_ids: tuple[str, ...] = (),
    ) -> Assignment:
        """An officer's word (or silence: `EXPIRED`) and all that follows from it. Raises `IllegalStep`, `IllegalMove`.

        A yes takes back what is not wanted any more; a no asks the next best.
        """
        moved, step = assignment.move(
            one, to, actor=actor, now=self._now, phone=phone, reason=reason, note=note, photo_ids=photo_ids
        )
        await self._moved(moved, step, actor, note=reason or note)
        self._touched[moved.officer] = _position(step)
        if to is AssignmentStatus.ACCEPTED:
            await self._enough()
        elif to in (AssignmentStatus.DECLINED, AssignmentStatus.EXPIRED):
            await self._go_on(named=moved.named)
        elif self.incident.status not in ASKABLE:
            await self._end()
        return moved

    async def look_again(self) -> None:
        """See whether there is somebody to ask now; if not, have the next higher one told."""
        await self._go_on(named=False, again=True)

    async def let_expire(self, assignment_id: str) -> None:
        """An offer that nobody has answered; nothing when somebody has."""
        one = next((one for one in self.team if one.id == assignment_id), None)
        if one is not None and one.status is AssignmentStatus.OFFERED:
            await self.answer(one, AssignmentStatus.EXPIRED, RULES)

    async def release_all(self, reason: str, actor: str) -> None:
        """Take back what is offered or under way, and ask nobody any more. The incident is the caller's to change."""
        for one in self.team:
            if one.status in ACTIVE_ASSIGNMENT:
                released, step = assignment.move(
                    one, AssignmentStatus.RELEASED, actor=actor, now=self._now, reason=reason
                )
                await assignment_store.update(self._connection, released, step, self._traceparent)
                self._replace(released)
                self._touched.setdefault(released.officer, None)
        await self._end()

    async def finish(self) -> tuple[Change, ...]:
        """Bring the rows of all officers concerned up to date, locked in the order of their names. Answers the one
        change of the incident that came of everything, to be saved; none when nothing has happened."""
        await officer_store.settle(
            self._connection, list(self._touched), self._now, self._traceparent, positions=self._touched
        )
        return (self.change,) if self.change else ()

    # Steps ---------------------------------------------------------------------------------------------------------

    async def _offer(self, officer: Officer, choice: Choice, actor: str, *, named: bool) -> None:
        incident = self.incident
        offered, step = assignment.offer(
            incident.id,
            officer.username,
            officer.name,
            officer.agency,
            actor=actor,
            now=self._now,
            answer_within=self._answer_within(officer),
            because=choice.because,
            named=named,
        )
        await assignment_store.insert(self._connection, offered, step, self._traceparent)
        self.team.append(offered)
        self._touched.setdefault(officer.username, None)
        self._then(incident_verbs.assign(incident, offered, self.team, actor=actor, now=self._now))

    async def _moved(self, moved: Assignment, step: Step, actor: str, note: str | None = None) -> None:
        await assignment_store.update(self._connection, moved, step, self._traceparent)
        self._replace(moved)
        change = incident_verbs.follow(
            self.incident,
            moved,
            self.team,
            _HAPPENED[moved.status],
            actor=actor,
            now=self._now,
            note=note,
            device_at=step.device_at,
        )
        self._then(change)

    async def _enough(self) -> None:
        """Somebody said yes: when that is enough, nobody else is kept waiting for."""
        current = self._offering
        if current is None or not current.answered(self.team):
            return
        for one in current.needless(self.team):
            released, step = assignment.move(
                one, AssignmentStatus.RELEASED, actor=RULES, now=self._now, reason="another officer has accepted"
            )
            await self._moved(released, step, RULES)
            self._touched.setdefault(released.officer, None)
        await self._keep(current.moved(OfferingState.ANSWERED, self._now))
        await self._look_again(None)

    async def _go_on(self, *, named: bool, again: bool = False) -> None:
        current = self._offering
        if current is None or not current.holds_for(self.incident):
            if named and self.incident.status is IncidentStatus.ROUTED:
                # whom a person has named is not replaced by rules
                self._bring_before(OfferingState.SHIFT_LEAD, ("petugas yang dipilih menolak atau tidak menjawab",))
            return
        missing = current.missing(self.team)
        if missing:
            chosen, found = await self._choose(current, missing)
            await self._ask(current, chosen, missing, found, RULES, again=again)

    async def _ask(
        self,
        current: Offering,
        chosen: Sequence[tuple[Officer, Choice]],
        wanted: int,
        found: Recommendation,
        actor: str,
        *,
        again: bool = False,
    ) -> None:
        """Offer it to the chosen. When they are fewer than wanted, somebody who leads is to find the rest; who has had
        the time for it (`again`) and has not, has the next higher one told."""
        for officer, choice in chosen:
            await self._offer(officer, choice, actor, named=False)
        if len(chosen) >= wanted:
            await self._keep(current.moved(OfferingState.ASKING, self._now))
            await self._look_again(None)
            return
        state = current.state
        if state not in ESCALATED:
            state = OfferingState.SHIFT_LEAD
        elif again and not chosen:
            state = OfferingState.AGENCY_HEAD
        if state is not current.state:
            self._bring_before(state, tuple(one.because for one in found.shortfalls))
        await self._keep(current.moved(state, self._now))
        if again or current.state not in ESCALATED:
            # whoever leads has as long as an officer has to answer; and somebody may come on shift
            await self._look_again(self._now + self._answer_within())

    async def _choose(self, current: Offering, count: int) -> tuple[list[tuple[Officer, Choice]], Recommendation]:
        """Up to `count` of the best, locked together with the officers concerned already."""
        await choosing.lock(self._connection, current.agency)
        refused = current.refused(self.team)
        task = replace(self._task(), officers=count, skills=frozenset(current.skills))
        for _ in range(_TRIES):
            candidates = await choosing.candidates(
                self._connection, current.agency, self._now, self.team, skills=task.skills, refused=refused
            )
            found = recommend(candidates, task, most=count)
            names = {choice.username for choice in found.ranked}
            locked = await officer_store.select_for_update(self._connection, sorted(names | self._touched.keys()))
            free = [one for one in found.ranked if locked[one.username].status is OfficerStatus.AVAILABLE]
            if len(free) == len(found.ranked):
                break
        return [(locked[one.username], one) for one in free], found

    def _bring_before(self, state: OfferingState, because: tuple[str, ...]) -> None:
        """The history says who should find somebody now, and why; as when a clock's ladder is climbed."""
        after, event = move(
            self.incident,
            self.incident.status,
            "escalated",
            actor=RULES,
            now=self._now,
            note="; ".join(because) or None,
            detail={"clock": ClockKind.ACCEPT.value, "tell": _TOLD[state].value, "due_at": self._now.isoformat()},
        )
        self._then(Change(self.incident, after, (event,), (Decision("assign", state.value, because),)))

    async def _keep(self, current: Offering) -> None:
        self._offering = current
        await offering_store.save(self._connection, current)

    async def _look_again(self, at: datetime | None) -> None:
        await offering_store.look_again(self._connection, self.incident.id, at)

    async def _end(self) -> None:
        if self._offering is not None:
            await offering_store.delete(self._connection, self._offering.incident_id)
            self._offering = None

    def _task(self) -> Task:
        return task_of(self.incident, self._policy)

    def _answer_within(self, officer: Officer | None = None) -> timedelta:
        incident = self.incident
        agency = officer.agency if officer else incident.agency
        if agency is None:
            raise offering.IllegalOffering("an incident without an agency has nobody to be asked")
        return self._policy.answer_within(self._now, incident.category, incident.priority, agency)

    def _then(self, change: Change) -> None:
        traced = replace(change, traceparent=self._traceparent)
        self.change = self.change.then(traced) if self.change else traced

    def _replace(self, moved: Assignment) -> None:
        self.team = [moved if one.id == moved.id else one for one in self.team]


def task_of(incident: Incident, policy: Policy) -> Task:
    """What officers are wanted for. Reach is the promise of being there, where that is counted in minutes."""
    staffing = policy.staffing_of(incident.category, incident.agency)
    on_scene = policy.promise(ClockKind.ON_SCENE, incident.category, incident.priority, incident.agency)
    minutes = on_scene.within.minutes if on_scene else None
    return Task(
        agency=str(incident.agency),
        lat=incident.lat,
        lon=incident.lon,
        kecamatan=incident.kecamatan,
        reach=timedelta(minutes=minutes) if minutes else None,
        skills=frozenset(offering.needed_skills(incident, staffing)),
        officers=max(staffing.officers, incident.officers_needed),
    )


def _position(step: Step) -> Position | None:
    if step.lat is None or step.lon is None:
        return None
    return Position(lat=step.lat, lon=step.lon, at=step.device_at or step.at)


async def open_asking(
    connection: Connection, incident: Incident, now: datetime, traceparent: str | None = None
) -> Asking:
    """The assignments of a locked incident, locked too."""
    return Asking(
        connection,
        incident,
        await assignment_store.select_team_for_update(connection, incident.id),
        await offering_store.select(connection, incident.id),
        await policy_store.live(connection),
        now,
        traceparent,
    )


async def expire(connection: Connection, deadline: Deadline) -> None:
    """What the clock calls in its transaction: the assignment that the deadline is about was not answered in time, or
    it is time to look again whether there is somebody to ask. Nothing when it was answered meanwhile."""
    incident = (await incident_store.select_for_update(connection, [deadline.incident_id]))[deadline.incident_id]
    asking = await open_asking(connection, incident, await connection.fetchval("SELECT clock_timestamp()"))
    if deadline.subject == offering_store.LOOK_AGAIN:
        await asking.look_again()
    elif deadline.subject is not None:
        await asking.let_expire(deadline.subject)
    await incident_store.save(connection, await asking.finish())
