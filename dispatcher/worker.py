"""One dispatcher process: consumers, relays, clocks and pulse side by side, each kept running by itself."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from dispatcher import metrics, outbox_store
from dispatcher.audit_signature import Signer
from dispatcher.clocks import Clocks
from dispatcher.consumer import Consumer, ConsumerOptions
from dispatcher.effects import Effects
from dispatcher.maintenance import Maintenance
from dispatcher.notifier import Notifier
from dispatcher.pulse import Pulse
from dispatcher.relay import Relay
from dispatcher.retention import Retention
from dispatcher.sealer import Sealer
from dispatcher.settings import DispatcherSettings
from dispatcher.supervise import Supervised
from dispatcher.whole_board import WholeBoard
from infra.postgres import Pool
from schemas.topics import TELEMETRY


class Worker:
    """Everything that runs in the background. Any number of processes may run one each."""

    def __init__(
        self,
        settings: DispatcherSettings,
        effects: Sequence[Effects],
        pool: Pool,
        beside: Sequence[Supervised] = (),
        board: WholeBoard | None = None,
    ) -> None:
        """`beside`: further tasks that look after what the effects have written; `board`: see `Relay`."""
        options = ConsumerOptions(
            settings.kafka,
            training=settings.training,
            session_timeout_ms=settings.session_timeout_ms,
            max_batch=settings.max_batch,
        )
        # One consumer each: a flood of readings never delays a report.
        readings = replace(options, max_batch=settings.max_batch_readings)
        self.consumers = [
            Consumer(effect, pool, readings if TELEMETRY.name in effect.topics else options) for effect in effects
        ]
        self.relays = [
            Relay(shard, postgres_dsn=settings.postgres_dsn, kafka=settings.kafka, board=board)
            for shard in range(outbox_store.SHARDS)
        ]
        self.pulse = Pulse(pool, self.consumers)
        clocks = Clocks(pool, ahead=timedelta(seconds=settings.clocks_ahead_s))
        maintenance = Maintenance(
            pool,
            readings_days=settings.readings_days,
            retention=Retention(settings.contact_days, settings.words_days, settings.playback_days),
        )
        self._tasks = [
            *(Supervised(consumer.name, consumer.run) for consumer in self.consumers),
            *(Supervised(relay.name, relay.run) for relay in self.relays),
            Supervised("pulse", self.pulse.run),
            Supervised("clocks", clocks.run),
            Supervised("maintenance", maintenance.run),
            Supervised("sealer", Sealer(pool, Signer(settings.secret_bytes) if settings.secret else None).run),
            Supervised("notifier", Notifier(pool, settings).run),
            *beside,
        ]
        metrics.start_at_zero(tuple(consumer.name for consumer in self.consumers), outbox_store.SHARDS)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set and all is finished that was under way."""
        async with asyncio.TaskGroup() as group:
            for task in self._tasks:
                group.create_task(task.run(stop), name=task.name)

    def trouble(self) -> Mapping[str, str]:
        """What is not able to work, and why; empty when all is well."""
        found = {task.name: task.trouble for task in self._tasks if task.trouble is not None}
        for consumer in self.consumers:
            found.update(consumer.trouble())
        for relay in self.relays:
            found.update(relay.trouble())
        found.update(self.pulse.trouble())
        return found
