"""Exactly-once effects under every order of steps: workers, zombies, relays, lost answers, poison, expiry.

Hypothesis chooses the steps; the engine, its stores and PostgreSQL are real, Kafka is a log in memory whose clients
behave as brokers let them. What is promised is looked at after the faults are over (design.md, Exactly-once effects).

A failure prints `@reproduce_failure(…)`: put it above `test_…` and it plays the same steps again; it is also kept in
`.hypothesis` and tried first next time. `--hypothesis-seed=N` chooses the order of examples, `PATRIOT_SIMULATION=long`
runs more and longer ones (`make soak`). Times are the test's; the order in which PostgreSQL grants a lock is not.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from aiokafka import TopicPartition
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from command_center_ui.board import Board
from command_center_ui.record import RowRecord, read
from dispatcher import dead_letter_store
from infra.postgres import prepare
from schemas import envelope, topics
from schemas.envelope import Envelope
from schemas.report import ContactGiven
from schemas.vocabulary import FeedChannel
from schemas.wire import encode
from tests.dispatcher.factories import BANTARGEBANG, CIKARANG, NOW, SUMMARECON, a_report
from tests.simulation.engine import POISON, Relaying, Worker, come_to_rest
from tests.simulation.kafka_log import Log
from tests.simulation.profile import bounds

T = TypeVar("T")

_WORKERS, _RELAYS = 3, 2
_REPORTS = [TopicPartition(topics.REPORT.name, number) for number in range(2)]
_CONTACTS = TopicPartition(topics.CONTACT.name, 0)
_FEED = TopicPartition(topics.FEED.name, 0)
_READ = [*_REPORTS, _CONTACTS]
#: Three jams; of one each, whoever tells of it, because all of them arrive within half an hour.
_PLACES = (SUMMARECON, BANTARGEBANG, CIKARANG)
_MOST_RECORDS = 60
_TABLES = ("effect", "incident", "contact", "outbox", "dead_letter", "seen_event", "consumer_offset")

_workers = st.integers(0, _WORKERS - 1)
_relays = st.integers(0, _RELAYS - 1)
_partitions = st.sampled_from(_REPORTS)


class Ground:
    """What the runs share: one database and one event loop."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._loop = asyncio.new_event_loop()
        self.pool: asyncpg.Pool = self.run(self._open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """One step, to its end."""
        return self._loop.run_until_complete(asyncio.wait_for(work, 60))

    async def _open(self) -> asyncpg.Pool:
        pool = await asyncpg.create_pool(self.dsn, min_size=1, max_size=2, init=prepare)
        await pool.execute('CREATE TABLE IF NOT EXISTS effect (event text, topic text, partition int, "offset" bigint)')
        return pool

    def close(self) -> None:
        self.run(self.pool.close())
        self._loop.close()


class Engine(RuleBasedStateMachine):
    """Three workers, two relays and a wall."""

    def __init__(self, ground: Ground, *, remembers_ids: bool) -> None:
        super().__init__()
        self.ground = ground
        self.remembers_ids = remembers_ids
        self.now = NOW
        self.mended = False
        partitions = {topics.REPORT.name: 2, topics.CONTACT.name: 1}
        self.log = Log(defaultdict(lambda: 1, partitions))
        #: Good events: each `ce_id` with the report ids that came under it.
        self.told: defaultdict[str, set[str]] = defaultdict(set)
        self.envelopes: dict[str, list[tuple[str, bytes]]] = {}
        self.contacts: dict[str, str] = {}
        #: Where bad records lie, with their bytes.
        self.bad: dict[tuple[str, int, int], bytes | None] = {}
        self.bad_values: set[bytes | None] = set()
        self.reports: dict[str, bytes] = {}
        #: Events of records that retention has taken, perhaps before they were read.
        self.expired: set[str] = set()
        self.workers: list[Worker] = []
        self.relays: list[Relaying] = []
        self.board = Board("simulated")
        self.shown = 0
        ground.run(self._begin())

    async def _begin(self) -> None:
        tables = await self.ground.pool.fetch(
            "SELECT DISTINCT conrelid::regclass::text AS name FROM pg_constraint"
            " WHERE confrelid = 'incident'::regclass AND conrelid <> confrelid"
        )
        # TRUNCATE takes longer than all the rest of a run. The outer ones first.
        for table in (*(row["name"] for row in tables), *_TABLES):
            await self.ground.pool.execute(f"DELETE FROM {table}")
        for _ in range(_WORKERS):
            self.workers.append(await self._new_worker())
        for _ in range(_RELAYS):
            self.relays.append(self._new_relay())
        await self._share_out([0, 1, 2], {})

    async def _new_worker(self) -> Worker:
        worker = Worker(self.log, lambda: self.mended, remembers_ids=self.remembers_ids)
        await worker.start(self.ground.dsn)
        return worker

    def _new_relay(self) -> Relaying:
        return Relaying(self.log, lambda: self.now, self.ground.dsn)

    # the city ------------------------------------------------------------------------------------------------------

    @initialize(count=st.integers(3, 8))
    def a_backlog_waits(self, count: int) -> None:
        """All over the city, each on any partition, some twice: there is work from the first step on."""
        for number in range(count):
            tp = _REPORTS[number % len(_REPORTS)]
            self.reports_come(tp, _PLACES[number % len(_PLACES)], 0, 2)
            self.an_event_comes_again(tp, number, again=True, other_id=False)

    @precondition(lambda self: len(self.told) + len(self.bad) < _MOST_RECORDS)
    @rule(tp=_partitions, place=st.sampled_from(_PLACES), minutes=st.integers(0, 1), count=st.integers(1, 4))
    def reports_come(self, tp: TopicPartition, place: tuple[float, float], minutes: int, count: int) -> None:
        if self.now - NOW < timedelta(minutes=25):
            self.now += timedelta(minutes=minutes)
        for _ in range(count):
            self._tell(tp, f"e-{len(self.told) + len(self.bad)}", place)

    @precondition(lambda self: self.told)
    @rule(tp=_partitions, which=st.integers(0, 1000), again=st.booleans(), other_id=st.booleans())
    def an_event_comes_again(self, tp: TopicPartition, which: int, again: bool, other_id: bool) -> None:
        """The very record, its id with another payload, or its payload with another id."""
        event = sorted(self.told)[which % len(self.told)]
        if again:
            self._append(tp, event, min(self.told[event]))
        elif other_id and len(self.told) < _MOST_RECORDS:
            self._append(tp, f"e-{len(self.told) + len(self.bad)}-again", min(self.told[event]))
        else:
            self._tell(tp, event, SUMMARECON)

    @rule(tp=_partitions, kind=st.sampled_from(["poison", "garbage", "tombstone", "no headers", "unknown"]))
    def something_bad_comes(self, tp: TopicPartition, kind: str) -> None:
        if len(self.bad) >= 20:
            return
        event = f"b-{len(self.bad)}"
        value: bytes | None = encode(a_report(f"Macet total {POISON}", report_id=event, place=SUMMARECON))
        headers = self._headers(event)
        match kind:
            case "garbage":
                value = b'\xff{"not": json'
            case "tombstone":
                value = None
            case "no headers":
                headers = []
            case "unknown":
                headers = self._headers(event, "id.bekasi.report.submitted.v9")
            case _:
                pass
        record = self.log.append(tp, b"k", value, headers, self.now)
        self.bad[tp.topic, tp.partition, record.offset] = value
        self.bad_values.add(value)

    @precondition(lambda self: self.told)
    @rule(which=st.integers(0, 1000), name=st.sampled_from(["Siti", "Budi"]))
    def a_contact_comes(self, which: int, name: str) -> None:
        event = sorted(self.told)[which % len(self.told)]
        report_id = min(self.told[event])
        self.now += timedelta(milliseconds=1)
        value = encode(ContactGiven(report_id=report_id, given_at=self.now, name=name))
        kind = topics.CONTACT_GIVEN
        headers = self._headers(f"c-{self.log.ends[_CONTACTS]}", kind)
        self.log.append(_CONTACTS, report_id.encode(), value, headers, self.now)
        self.contacts[report_id] = name

    @rule(tp=_partitions, share=st.floats(0, 1))
    def offsets_go(self, tp: TopicPartition, share: float) -> None:
        """One at the end to a transaction's marker, and perhaps the oldest ones to retention."""
        self.log.skip(tp)
        before = self.log.beginnings[tp] + int((self.log.ends[tp] - self.log.beginnings[tp]) * max(share - 0.5, 0))
        for record in self.log.records[tp]:
            if record.offset < before:
                self.expired.add(dict(record.headers).get("ce_id", b"").decode())
                self.bad.pop((tp.topic, tp.partition, record.offset), None)
        self.log.expire(tp, before)

    # the workers ---------------------------------------------------------------------------------------------------

    @rule(number=_workers, hold=st.booleans(), lose_answer=st.booleans())
    def a_worker_takes_a_turn(self, number: int, hold: bool, lose_answer: bool) -> None:
        self.ground.run(self.workers[number].turn(hold=hold, lose_answer=lose_answer))

    @rule(holds=st.lists(st.booleans(), min_size=_WORKERS, max_size=_WORKERS))
    def all_go_on(self, holds: list[bool]) -> None:
        for worker in self.workers:
            worker.gate.open()
        self.all_take_turns(holds)

    @rule(holds=st.lists(st.booleans(), min_size=_WORKERS, max_size=_WORKERS))
    def all_take_turns(self, holds: list[bool]) -> None:
        async def at_once() -> None:
            await asyncio.gather(*(worker.turn(hold=hold) for worker, hold in zip(self.workers, holds, strict=True)))

        self.ground.run(at_once())

    @rule(number=_workers)
    def a_worker_goes_on(self, number: int) -> None:
        self.workers[number].gate.open()
        self.ground.run(come_to_rest(self.workers))

    @rule(number=_workers, what=st.sampled_from(["killed", "cut off"]))
    def a_worker_is(self, number: int, what: str) -> None:
        async def killed() -> None:
            await self.workers[number].dies()
            self.workers[number] = await self._new_worker()

        async def cut_off() -> None:
            await self.ground.pool.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'simulated'"
            )
            for worker in self.workers:
                worker.gate.open()
            await come_to_rest(self.workers)

        self.ground.run(killed() if what == "killed" else cut_off())

    @rule(
        shares=st.lists(_workers, min_size=3, max_size=3),
        deaf=st.sets(_workers, max_size=_WORKERS - 1),
        mirror=st.dictionaries(st.sampled_from(_READ), st.integers(0, 30)),
    )
    def partitions_are_shared_out(self, shares: list[int], deaf: set[int], mirror: dict[TopicPartition, int]) -> None:
        """A rebalance, which workers that are held or deaf do not hear of: zombies."""
        for number in deaf:
            self.workers[number].deaf = True
        self.ground.run(self._share_out(shares, mirror))

    @rule(number=_workers, to=_workers, turns=st.integers(0, 2), lose_answer=st.booleans())
    def a_worker_sleeps_and_wakes(self, number: int, to: int, turns: int, lose_answer: bool) -> None:
        """SIGSTOP in the middle of its transaction; meanwhile all that it had is another one's."""

        async def sleeps_and_wakes() -> None:
            await self.workers[number].turn(hold=True)
            await self._share_out([to] * len(_READ), {})
            for _ in range(turns):
                await self.workers[to].turn()
            self.workers[number].answers.lost = lose_answer
            self.workers[number].gate.open()
            await come_to_rest(self.workers)

        self.ground.run(sleeps_and_wakes())

    async def _share_out(self, shares: list[int], mirror: dict[TopicPartition, int]) -> None:
        for number, worker in enumerate(self.workers):
            if not (worker.busy or worker.deaf):
                await worker.hears({tp: mirror.get(tp) for tp, to in zip(_READ, shares, strict=True) if to == number})

    # what goes out -------------------------------------------------------------------------------------------------

    @rule(number=_relays, hold=st.sampled_from([None, "before_commit", "after_commit"]))
    def a_relay_takes_a_turn(self, number: int, hold: str | None) -> None:
        self.ground.run(self.relays[number].turn(hold))
        self._show()

    @rule(number=_relays, how=st.sampled_from(["as before", "without its session", "dead"]))
    def a_relay_goes_on(self, number: int, how: str) -> None:
        """Without its session it wakes to find that PostgreSQL has ended it, and perhaps that another one leads."""
        relay = self.relays[number]
        if how == "dead":
            self.ground.run(relay.dies())
            self.relays[number] = self._new_relay()
        elif how == "without its session" and relay.held:
            relay.cut()
            return  # the next step opens its gate, or another relay takes over before
        relay.gate.open()
        self.ground.run(come_to_rest(self.relays))
        self._show()

    @rule(mend=st.booleans())
    def letters_are_replayed(self, mend: bool) -> None:
        self.mended |= mend

        async def replay() -> None:
            async with self.ground.pool.acquire() as connection, connection.transaction():
                await dead_letter_store.replay(connection, None)

        if self.mended:
            self.ground.run(replay())

    def _show(self) -> None:
        """The wall reads on: no row of it ever goes back to an older version."""
        for record in self.log.records[_FEED]:
            if record.offset < self.shown:
                continue
            self.shown = record.offset + 1
            found = read(record.key, record.value, record.headers, record.offset, record.timestamp)
            assert isinstance(found, RowRecord)
            before = self.board[FeedChannel.INCIDENTS].rows.get(found.key)
            version = json.loads(before.data)["version"] if before else 0
            if self.board.apply(found):
                assert found.data is not None
                assert json.loads(found.data)["version"] > version

    # the end: all is healed, and everything promised is looked at ---------------------------------------------------

    def teardown(self) -> None:
        try:
            self.ground.run(self._heal())
            self._show()
            self.ground.run(self._judge())
        finally:
            self.ground.run(self._end())

    async def _heal(self) -> None:
        for one in (*self.workers, *self.relays):
            one.gate.open()
        while any(one.busy for one in (*self.workers, *self.relays)):
            await come_to_rest(self.workers)
            await come_to_rest(self.relays)
        for worker in self.workers[1:]:
            await worker.hears({})
        await self.workers[0].hears(dict.fromkeys(_READ))
        relay = self.relays[0]
        await self.relays[1].dies()
        for _ in range(400):
            await self.workers[0].turn()
            await relay.turn()
            owned = self.workers[0].member.ownership.owned
            if (
                len(owned) == len(_READ)
                and all(not self._left(tp, owned[tp].next_offset) for tp in _READ)
                and not await self.ground.pool.fetchval("SELECT count(*) FROM outbox")
            ):
                return
        raise AssertionError("the worker did not come to the end of its partitions, or the relay of the outbox")

    def _left(self, tp: TopicPartition, offset: int) -> bool:
        return offset < self.log.beginnings[tp] or any(record.offset >= offset for record in self.log.records[tp])

    async def _judge(self) -> None:
        pool = self.ground.pool
        await self._judge_lines()
        if not self.remembers_ids:
            return
        kept = {row["id"]: row["incident_id"] for row in await pool.fetch("SELECT id, incident_id FROM report")}
        incidents = {row["id"]: row for row in await pool.fetch("SELECT * FROM incident")}
        self._judge_effects(set(kept))
        # One event in the city, one incident; and what it counts is what it has.
        assert max(Counter((row["lat"], row["lon"]) for row in incidents.values()).values(), default=1) == 1
        counts: defaultdict[str, int] = defaultdict(int)
        for incident_id in kept.values():
            counts[incident_id] += 1
        assert {incident_id: row["report_count"] for incident_id, row in incidents.items()} == counts
        # History without a hole, written once.
        history: defaultdict[str, list[int]] = defaultdict(list)
        for row in await pool.fetch("SELECT incident_id, version FROM incident_history ORDER BY incident_id, version"):
            history[row["incident_id"]].append(row["version"])
        assert history == {key: list(range(1, row["version"] + 1)) for key, row in incidents.items()}
        # What is bad is set aside with its bytes, what is good is not.
        letters = {
            (row["topic"], row["partition"], row["offset"]): row["value"]
            for row in await pool.fetch('SELECT topic, partition, "offset", value FROM dead_letter')
        }
        missing = {place: value for place, value in self.bad.items() if letters.get(place, b"-") != value}
        assert all(self.mended and POISON.encode() in (value or b"") for value in missing.values()), missing
        # Of bad records that were replayed or are gone from the log, and of no others.
        assert {letters[place] for place in letters.keys() - self.bad.keys()} <= self.bad_values
        # The wall shows what the database has; each change went to the other programs once, in its order.
        rows = self.board[FeedChannel.INCIDENTS].rows
        assert {key: json.loads(row.data)["version"] for key, row in rows.items()} == {
            key: row["version"] for key, row in incidents.items()
        }
        self._judge_changes({key: row["version"] for key, row in incidents.items()})
        await self._judge_contacts()

    async def _judge_lines(self) -> None:
        """Each event once, or each record once where nothing remembers ids."""
        rows = await self.ground.pool.fetch("SELECT * FROM effect")
        places = Counter((row["topic"], row["partition"], row["offset"]) for row in rows)
        assert max(places.values(), default=1) == 1
        if self.remembers_ids:
            assert max(Counter(row["event"] for row in rows).values(), default=1) == 1
            return
        good = {
            (tp.topic, tp.partition, record.offset)
            for tp in _READ
            for record in self.log.records[tp]
            if dict(record.headers).get("ce_id", b"b").decode()[0] != "b"
        }
        assert good <= places.keys()

    def _judge_effects(self, kept: set[str]) -> None:
        """Each event has one effect, whichever of the payloads that came under its id was first."""
        assert not {report_id for report_id in kept if report_id.startswith("b-")} or self.mended
        good = {report_id for report_id in kept if not report_id.startswith("b-")}
        assert good <= set().union(*self.told.values())
        ids_of: defaultdict[str, set[str]] = defaultdict(set)
        for event, reports in self.told.items():
            for report_id in reports:
                ids_of[report_id].add(event)
        for event, reports in self.told.items():
            had = reports & good
            if event not in self.expired:
                assert had, f"{event} has had no effect"
            if all(ids_of[report_id] == {event} for report_id in reports):
                assert len(had) <= 1, f"{event} has had {len(had)} effects"

    def _judge_changes(self, versions: dict[str, int]) -> None:
        told: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for record in self.log.records[TopicPartition(topics.INCIDENT.name, 0)]:
            about = envelope.read(record.headers)
            told[about.subject].setdefault(about.id, json.loads(record.value)["version"])
        assert {key: list(of.values()) for key, of in told.items()} == {
            key: list(range(1, version + 1)) for key, version in versions.items()
        }

    async def _judge_contacts(self) -> None:
        found = {row["report_id"]: row["name"] for row in await self.ground.pool.fetch("SELECT * FROM contact")}
        assert found == self.contacts

    async def _end(self) -> None:
        for one in (*self.workers, *self.relays):
            await one.dies()

    # records -------------------------------------------------------------------------------------------------------

    def _tell(self, tp: TopicPartition, event: str, place: tuple[float, float]) -> None:
        """An event with a new report of its own."""
        report_id = f"r-{sum(map(len, self.told.values()))}-{event}"
        self.reports[report_id] = encode(a_report(report_id=report_id, tracking_code=report_id, place=place))
        self._append(tp, event, report_id)

    def _append(self, tp: TopicPartition, event: str, report_id: str) -> None:
        self.told[event].add(report_id)
        self.log.append(tp, report_id.encode(), self.reports[report_id], self._headers(event), self.now)

    def _headers(self, event: str, kind: str = topics.REPORT_SUBMITTED) -> list[tuple[str, bytes]]:
        """The same for a retry, `ce_time` too."""
        return self.envelopes.setdefault(
            f"{event} {kind}", envelope.write(Envelope(event, kind, "/simulated", "", self.now, _TRACE))
        )


_TRACE = f"00-{UUID(int=7).hex}-{UUID(int=7).hex[:16]}-01"


@pytest.fixture
def ground(database: str) -> Iterator[Ground]:
    """The module's database, from a loop of the machine's own."""
    ground = Ground(database)
    yield ground
    ground.close()


@pytest.mark.parametrize("remembers_ids", [True, False], ids=["by id", "by place"])
def test_effects_are_had_once_whatever_the_order_of_steps(ground: Ground, remembers_ids: bool) -> None:
    run_state_machine_as_test(lambda: Engine(ground, remembers_ids=remembers_ids), settings=bounds(8, 25))
