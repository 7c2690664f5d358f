"""A dispatcher's worker and a relay that can be held, cut off and killed at every dangerous step.

All of ours in them is real, PostgreSQL too; only Kafka is `tests.simulation.kafka_log`.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import asyncpg
from aiokafka import TopicPartition
from asyncpg.transaction import Transaction

from dispatcher.consumer import Consumer, ConsumerOptions
from dispatcher.effects import Message
from dispatcher.relay import Relay
from dispatcher.report_intake import ReportIntake
from infra.postgres import Connection, Plain, connect, prepare
from schemas.gazetteer import gazetteer
from schemas.report import ReportSubmitted
from tests.simulation.kafka_log import Client, Log, Producer

#: Seconds after which a step that has come to no end waits for somebody: a lock, or a gate.
_BLOCKED_S: Final = 0.15
POISON: Final = "racun"


@dataclass
class Gate:
    """A point where work can be held."""

    closed_at: str | None = None
    held: bool = False
    _opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def passes(self, point: str) -> None:
        """Go through, or stay until `open`."""
        if self.closed_at != point:
            return
        self.held = True
        self._opened.clear()
        await self._opened.wait()

    def open(self) -> None:
        """Let go on what is held, and hold nothing more."""
        self.closed_at = None
        self.held = False
        self._opened.set()


class Effects:
    """The effects of reports, and a line for each message; poison fails after both, and the gate comes last.

    Without `remembers_ids` there are the lines alone, as for readings: nothing but the fence keeps them from doubling.
    """

    name: Final = ReportIntake.name
    topics: Final = ReportIntake.topics
    types: Final = ReportIntake.types

    def __init__(self, gate: Gate, mended: Callable[[], bool], *, remembers_ids: bool) -> None:
        self.remembers_ids = remembers_ids
        self._gate = gate
        self._mended = mended
        self._intake = ReportIntake(gazetteer())

    async def apply(self, connection: Connection, messages: Sequence[Message], now: datetime) -> None:
        if self.remembers_ids:
            await self._intake.apply(connection, messages, now)
        await connection.executemany(
            "INSERT INTO effect VALUES ($1, $2, $3, $4)",
            [(message.envelope.id, message.topic, message.partition, message.offset) for message in messages],
        )
        for message in messages:
            if (
                isinstance(message.value, ReportSubmitted)
                and POISON in message.value.description
                and not self._mended()
            ):
                raise ValueError("an effect that never works")
        await self._gate.passes("in_transaction")


class _Commit(Transaction):
    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        await super().__aexit__(kind, error, trace)
        if kind is None and self._connection.answers.pop():
            self._connection.terminate()
            raise ConnectionResetError("the answer to COMMIT was lost on its way")


class _Answers:
    lost: bool = False

    def pop(self) -> bool:
        lost, self.lost = self.lost, False
        return lost


class Worker:
    """One dispatcher process, as far as reports go."""

    def __init__(self, log: Log, mended: Callable[[], bool], *, remembers_ids: bool) -> None:
        self.client = Client(log)
        self.gate = Gate()
        self.answers = _Answers()
        #: Does not hear what its group decides.
        self.deaf = False
        self.task: asyncio.Task[None] | None = None
        self._effects = Effects(self.gate, mended, remembers_ids=remembers_ids)
        self._topic_ids = log.topic_ids
        self._stop = asyncio.Event()

    async def start(self, dsn: str) -> None:
        """Open its connections."""
        answers = self.answers
        connection_class = type(
            "_Connection",
            (asyncpg.Connection,),
            {"answers": answers, "transaction": lambda self, **options: _Commit(self, "read_committed", False, False)},
        )
        self._pool = await asyncpg.create_pool(
            dsn, min_size=0, max_size=2, init=prepare, connection_class=connection_class, command_timeout=10,
            server_settings={"application_name": "simulated", "timezone": "UTC"},
        )  # fmt: skip
        self.consumer = Consumer(self._effects, self._pool, ConsumerOptions("", session_timeout_ms=10_000, max_batch=4))
        self.member = self.consumer.member(self.client, self._topic_ids)

    @property
    def busy(self) -> bool:
        """Whether a step of it has not come to its end."""
        return self.task is not None and not self.task.done()

    async def turn(self, *, hold: bool = False, lose_answer: bool = False) -> None:
        """Read, and settle what was read; stopped before the commit with `hold`."""
        if not self.busy:
            self.gate.closed_at = "in_transaction" if hold else None
            self.answers.lost = lose_answer
            self.task = asyncio.create_task(self.consumer.turn(self.member, self._stop))
        await come_to_rest([self])

    async def hears(self, positions: Mapping[TopicPartition, int | None]) -> None:
        """A rebalance: what it had is revoked, and these partitions are assigned."""
        await self.member.ownership.on_partitions_revoked(self.client.assignment())
        self.client.take(positions)
        await self.member.ownership.on_partitions_assigned(set(positions))
        self.deaf = False

    async def dies(self) -> None:
        """kill -9: no goodbye to anybody."""
        self._stop.set()  # a transaction that ends with its connection would make an error of our cancelling
        self._pool.terminate()
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
            if not self.task.cancelled():
                self.task.exception()

    @property
    def held(self) -> bool:
        return self.gate.held


class Relaying:
    """One relay process."""

    def __init__(self, log: Log, clock: Callable[[], datetime], dsn: str) -> None:
        self.gate = Gate()
        self.task: asyncio.Task[None] | None = None
        self._relay = Relay(0, postgres_dsn=dsn, kafka="")
        self._log = log
        self._clock = clock
        self._dsn = dsn
        self._connection: Plain | None = None
        self._producer: Producer | None = None

    @property
    def busy(self) -> bool:
        return self.task is not None and not self.task.done()

    @property
    def held(self) -> bool:
        return self.gate.held

    async def turn(self, hold: str | None = None) -> None:
        """Lead if nobody does, and relay what waits; stopped before or after Kafka's commit with `hold`."""
        if not self.busy:
            self.gate.closed_at = hold
            self.task = asyncio.create_task(self._turn())
        await come_to_rest([self])

    async def _turn(self) -> None:
        try:
            if self._connection is None:
                self._connection = await connect(self._dsn, application="simulated-relay", idle_session_timeout="10s")
            if self._producer is None:
                if not await self._relay.lead(self._connection):
                    return
                self._producer = Producer(self._log, self._relay.name, self._clock)
                self._producer.passes = self.gate.passes
            if await self._connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
                await self._relay.turn(self._connection, self._producer)
        except Exception:
            self._forget()  # `run` ends, and is begun again

    def cut(self) -> None:
        """Its session ends, and it does not notice yet."""
        if self._connection is not None:
            self._connection.terminate()

    async def dies(self) -> None:
        """kill -9."""
        self._forget()
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        self._connection = self._producer = None


async def come_to_rest(those: Collection[Worker | Relaying]) -> None:
    """Until each has ended its step, is held at its gate, or waits for another one."""
    loop = asyncio.get_running_loop()
    blocked_at = loop.time() + _BLOCKED_S
    while any(one.busy and not one.held for one in those) and loop.time() < blocked_at:
        await asyncio.sleep(0.001)
    for one in those:
        if one.task is not None and one.task.done() and not one.task.cancelled():
            one.task.result()  # raises what a step must not raise
