"""From moves to notifications: who is told what by which way, decided a moment after the move was committed.

One worker at a time, so that the moves of one incident are told in their order. The notifications of a move are written
in the transaction that deletes it: killed anywhere, it happens once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec
import structlog

from dispatcher import incident_store, mailbox, metrics, notification_store, policy_store, subscription_store, web_push
from dispatcher.decisions import notify
from dispatcher.decisions.incident import Incident
from dispatcher.decisions.notify import Move, Notice, Person, Report, Step, Template
from dispatcher.decisions.notify_text import Fields
from dispatcher.decisions.policy import Policy
from dispatcher.decisions.telling import send_at
from dispatcher.fault import Fault, fault_of
from dispatcher.notification_store import DESK, Notification, Taken
from dispatcher.notify_urls import NotifyUrl
from infra import failpoints
from infra.postgres import Connection, Pool
from schemas.place import AgencyRef
from schemas.vocabulary import ClockKind, Role

log = structlog.get_logger()

#: Any number that nothing else in this database locks.
_LOCK: Final = 0x6E6F_7466
#: Moves of one transaction.
MOST: Final = 200
#: One that cannot be told is tried again after this, so that it keeps no other waiting.
_POSTPONED: Final = timedelta(minutes=5)
#: Officers are told of their own work alone.
_TOLD: Final = [role.value for role in Role if role not in (Role.OFFICER, Role.AGENT, Role.AREA_HEAD)]


@dataclass(slots=True)
class _Reporter:
    """A report and how its reporter can be reached; what they have given of themselves is not read here."""

    report: Report
    email: bool
    phone: bool


@dataclass(frozen=True, slots=True)
class _Told:
    """A notice with what it tells of."""

    notice: Notice
    fields: Fields
    reporter: _Reporter | None = None
    give_up_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """All that is looked up for a batch of moves."""

    incidents: dict[str, Incident]
    reporters: dict[str, list[_Reporter]]
    people: list[Person]
    asking_since: dict[str, datetime]
    answer_due: dict[str, datetime]
    pushed: frozenset[str]
    policy: Policy
    now: datetime


class Teller:
    """Any number of workers may have one."""

    def __init__(
        self, pool: Pool, urls: Sequence[NotifyUrl] = (), *, to_mailbox: bool = True, to_browsers: bool = True
    ) -> None:
        self._pool = pool
        self._urls = urls
        self._to_mailbox = to_mailbox
        self._to_browsers = to_browsers

    async def tell(self, most: int = MOST) -> int:
        """Make notifications of the oldest moves in one transaction, or if that fails of each in one of its own;
        answers how many moves, 0 while another worker is at it."""
        try:
            return await self._tell(most)
        except Exception as error:
            if fault_of(error) is Fault.UNAVAILABLE:
                raise
        async with self._pool.acquire(timeout=5) as connection:
            moves = [one.id for one in await notification_store.take(connection, most)]
        for move in moves:
            await self._tell_alone(move)
        return len(moves)

    async def _tell_alone(self, move: int) -> None:
        try:
            await self._tell(1, move)
        except Exception as error:
            if fault_of(error) is Fault.UNAVAILABLE:
                raise
            log.error("move_not_told", move=move, error=type(error).__name__)
            metrics.NOTIFICATIONS.labels("moves", "failed").inc()
            async with self._pool.acquire(timeout=5) as connection:
                await notification_store.postpone(connection, move, _POSTPONED)

    async def _tell(self, most: int, only: int | None = None) -> int:
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            # Held until the commit: whoever tells next goes on where we ended.
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                return 0
            taken = await notification_store.take(connection, most, only)
            if not taken:
                return 0
            made = await self._made(connection, taken)
            await notification_store.insert(connection, made)
            await notification_store.told(connection, taken)
            for _ in taken:
                failpoints.hit("notifier.in_transaction")
        return len(taken)

    async def _made(self, connection: Connection, taken: Sequence[Taken]) -> list[Notification]:
        known = await _look_up(connection, taken)
        made: list[Notification] = []
        for one in taken:
            if isinstance(one.what, Step):
                step = one.what
                if notify.settles(step):
                    # what was made of the offer in this very batch too
                    await notification_store.insert(connection, made)
                    made = []
                    await notification_store.settle(connection, step.assignment_id, step.actor)
                if incident := known.incidents.get(step.incident_id):
                    made += self._of_step(step, incident, known)
            elif one.what is not None and (incident := known.incidents.get(one.what.incident_id)):
                made += self._of_move(one.what, incident, known)
        return made

    def _of_step(self, step: Step, incident: Incident, known: _Known) -> list[Notification]:
        due = known.answer_due.get(step.assignment_id)
        told = []
        for notice in notify.of_step(step):
            fields = _fields(incident, notice, holder=incident.holder or "")
            if notice.template is Template.OFFER:
                fields = msgspec.structs.replace(fields, due_at=due)
            told.append(_Told(notice, fields, give_up_at=due if notice.template is Template.OFFER else None))
        return self._written(told, step.id, incident.id, step.assignment_id, known)

    def _of_move(self, move: Move, incident: Incident, known: _Known) -> list[Notification]:
        reporters = {f"report:{one.report.id}": one for one in known.reporters.get(incident.id, ())}
        notices = notify.of_move(
            move,
            incident,
            known.people,
            [one.report for one in reporters.values()],
            asking_since=known.asking_since.get(incident.id),
        )
        holder = notify.holder_at(move, incident)
        told = []
        for notice in notices:
            reporter = reporters.get(notice.receiver)
            if reporter is not None:
                # the next move of this batch must know
                reporter.report = replace(reporter.report, told=(notice.template, holder))
            told.append(_Told(notice, _fields(incident, notice, holder=holder, move=move), reporter))
        return self._written(told, move.id, incident.id, None, known)

    def _written(
        self, told: Sequence[_Told], move: str, incident_id: str, assignment_id: str | None, known: _Known
    ) -> list[Notification]:
        """One for each receiver and way; what all of an audience read at one address goes there once."""
        made = []
        common = [url for url in self._urls if not url.personal]
        for one in told:
            notice = one.notice
            first = next(each for each in told if each.notice.audience is notice.audience) is one
            manner = known.policy.manner(notice.audience)
            at = send_at(manner, known.now, urgent=notice.urgent)
            row = Notification(
                move=move,
                incident_id=incident_id,
                assignment_id=assignment_id,
                receiver=notice.receiver,
                channel=DESK,
                template=notice.template,
                fields=one.fields,
                matter=notice.matter,
                urgent=notice.urgent,
                alone=notice.urgent or not manner.bundle_s,
                send_after=at,
                give_up_at=one.give_up_at or at + timedelta(hours=manner.give_up_h),
            )
            made += [replace(row, channel=channel) for channel in self._channels(one, known)]
            made += [
                replace(row, channel=url.name, receiver=f"group:{url.audience}")
                for url in common
                if first and url.audience is notice.audience
            ]
        return made

    def _channels(self, told: _Told, known: _Known) -> list[str]:
        notice, reporter = told.notice, told.reporter
        email, phone = reporter is not None and reporter.email, reporter is not None and reporter.phone
        found = [DESK] if reporter is None else []
        if self._to_mailbox and (reporter is None or email or phone):
            found.append(mailbox.NAME)
        subscriber = notice.receiver if reporter is None else subscription_store.of_code(reporter.report.tracking_code)
        if self._to_browsers and subscriber in known.pushed:
            found.append(web_push.NAME)
        own = [url for url in self._urls if url.personal and url.audience is notice.audience]
        return found + [url.name for url in own if url.reaches(email=email, phone=phone, username=reporter is None)]


def _fields(incident: Incident, notice: Notice, *, holder: str, move: Move | None = None) -> Fields:
    clock = move.detail.get("clock") if move else None
    return Fields(
        incident=incident.id,
        category=incident.category,
        status=move.status if move else incident.status,
        place=incident.address,
        holder=holder,
        clock=ClockKind(clock) if clock in frozenset(ClockKind) else None,
        tracking_code=notice.tracking_code,
    )


async def _look_up(connection: Connection, taken: Sequence[Taken]) -> _Known:
    moves = [one.what for one in taken if one.what is not None]
    ids = sorted({move.incident_id for move in moves})
    reporters = await _reporters(connection, ids)
    people = await _people(connection)
    officers = [f"user:{move.officer}" for move in moves if isinstance(move, Step)]
    asking = await connection.fetch("SELECT incident_id, began_at FROM offering WHERE incident_id = ANY($1)", ids)
    answers = await connection.fetch(
        "SELECT id, answer_due_at FROM assignment WHERE id = ANY($1) AND answer_due_at IS NOT NULL",
        [move.assignment_id for move in moves if isinstance(move, Step)],
    )
    receivers = [
        *officers,
        *(f"user:{one.username}" for one in people),
        *(subscription_store.of_code(one.report.tracking_code) for found in reporters.values() for one in found),
    ]
    return _Known(
        incidents=await incident_store.select_all(connection, ids),
        reporters=reporters,
        people=people,
        asking_since={row["incident_id"]: row["began_at"] for row in asking},
        answer_due={row["id"]: row["answer_due_at"] for row in answers},
        pushed=frozenset(await subscription_store.select(connection, receivers)),
        policy=await policy_store.live(connection),
        now=await connection.fetchval("SELECT now()"),
    )


async def _people(connection: Connection) -> list[Person]:
    rows = await connection.fetch(
        "SELECT username, role, agencies FROM account WHERE disabled_at IS NULL AND role = ANY($1) ORDER BY username",
        _TOLD,
    )
    return [
        Person(row["username"], Role(row["role"]), tuple(AgencyRef.parse(text) for text in row["agencies"]))
        for row in rows
    ]


async def _reporters(connection: Connection, incident_ids: Sequence[str]) -> dict[str, list[_Reporter]]:
    """Those of each incident's reports whose reporters have given a way to be told."""
    rows: list[asyncpg.Record] = await connection.fetch(
        "SELECT r.id, r.incident_id, r.tracking_code, coalesce(c.email, '') <> '' AS email,"
        "       coalesce(c.phone, '') <> '' AS phone"
        "  FROM report r LEFT JOIN contact c ON c.report_id = r.id"
        " WHERE r.incident_id = ANY($1)"
        "   AND (c.email IS NOT NULL OR c.phone IS NOT NULL"
        "        OR EXISTS (SELECT FROM push_subscription p WHERE p.receiver = 'code:' || r.tracking_code))"
        " ORDER BY r.received_at, r.id",
        list(incident_ids),
    )
    told = await notification_store.last_told(connection, [f"report:{row['id']}" for row in rows])
    found: dict[str, list[_Reporter]] = {}
    for row in rows:
        report = Report(row["id"], row["tracking_code"], told.get(f"report:{row['id']}"))
        found.setdefault(row["incident_id"], []).append(_Reporter(report, row["email"], row["phone"]))
    return found
