"""aiokafka with our settings: idempotent, all acknowledgements, own offsets, committed records only."""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import CorruptRecordException, KafkaConnectionError, KafkaError, UnsupportedCodecError

from infra.kafka_access import KafkaAccess, KafkaRefuses, client_options, refusal
from schemas.topics import ALL, TRAINING

#: Records of one batch may wait this long for company; an acknowledgement takes about a millisecond anyway.
LINGER_MS: Final = 2
#: Nothing of ours is larger. Kafka's own bound is `KAFKA_BATCH_BYTES`.
MAX_RECORD_BYTES: Final = 1_000_000
#: What a topic takes that says nothing else (`max.message.bytes`): a batch, of one record at least.
KAFKA_BATCH_BYTES: Final = 1_048_588
#: New partitions, and topics that were made anew, are noticed within this time.
_METADATA_MAX_AGE_MS: Final = 30_000


async def start_producer(
    kafka: KafkaAccess | str,
    client_id: str,
    *,
    transactional_id: str | None = None,
    request_timeout_ms: int = 4_000,
    max_record_bytes: int = MAX_RECORD_BYTES,
    compression: str | None = None,
) -> AIOKafkaProducer:
    """A started producer with `acks=all` and idempotence. Raises `KafkaError` when no broker answers or lets us in."""
    options: dict[str, Any] = {
        **client_options(kafka),
        "client_id": client_id,
        "acks": "all",
        "enable_idempotence": True,
        "linger_ms": LINGER_MS,
        "max_batch_size": 256 * 1024,
        "max_request_size": max_record_bytes,
        "request_timeout_ms": request_timeout_ms,
        "compression_type": compression,
    }
    if transactional_id is not None:
        options["transactional_id"] = transactional_id
        options["transaction_timeout_ms"] = 15_000
    producer = AIOKafkaProducer(**options)
    try:
        await _let_in(producer.start(), kafka)
        await _is_our_city(producer.client, kafka)
    except BaseException:
        await stop_quietly(producer)
        raise
    return producer


async def start_consumer(
    kafka: KafkaAccess | str,
    client_id: str,
    *,
    group: str | None = None,
    topics: Sequence[str] = (),
    listener: ConsumerRebalanceListener | None = None,
    session_timeout_ms: int = 15_000,
    max_poll_records: int = 500,
) -> AIOKafkaConsumer:
    """A started consumer that never commits or guesses a position by itself and sees committed records only.

    With a `group` it subscribes to `topics` with `listener`; without one, assign partitions yourself.
    """
    consumer = AIOKafkaConsumer(
        **client_options(kafka),
        client_id=client_id,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        session_timeout_ms=session_timeout_ms,
        heartbeat_interval_ms=max(session_timeout_ms // 5, 300),
        max_poll_interval_ms=max(60_000, session_timeout_ms),
        max_poll_records=max_poll_records,
        fetch_max_wait_ms=250,
        request_timeout_ms=max(10_000, session_timeout_ms + 5_000),
        metadata_max_age_ms=_METADATA_MAX_AGE_MS,
    )
    if topics:
        consumer.subscribe(topics=list(topics), listener=listener)
    try:
        await _let_in(consumer.start(), kafka)
        await _is_our_city(consumer._client, kafka)
    except BaseException:
        await stop_quietly(consumer)
        raise
    return consumer


async def start_admin(kafka: KafkaAccess | str, client_id: str, *, request_timeout_ms: int) -> AIOKafkaAdminClient:
    """A started admin client; close it by `stop_admin_quietly`. Raises as `start_producer` does."""
    admin = AIOKafkaAdminClient(**client_options(kafka), client_id=client_id, request_timeout_ms=request_timeout_ms)
    try:
        await _let_in(admin.start(), kafka)
    except BaseException:
        await stop_admin_quietly(admin)
        raise
    return admin


@asynccontextmanager
async def raw_client(kafka: KafkaAccess | str, client_id: str) -> AsyncIterator[AIOKafkaClient]:
    """A client for requests that aiokafka itself has no word for. Raises as `start_producer` does."""
    client = AIOKafkaClient(**client_options(kafka), client_id=client_id)
    try:
        await _let_in(client.bootstrap(), kafka)
        yield client
    finally:
        await client.close()


async def _let_in(start: Coroutine[Any, Any, None], kafka: KafkaAccess | str) -> None:
    """Await a client's start; where Kafka does not let us in, the error says why."""
    try:
        await start
    except KafkaConnectionError as error:
        raise (await refusal(kafka) or error) from error.__cause__


async def _is_our_city(client: AIOKafkaClient, kafka: KafkaAccess | str) -> None:
    if isinstance(kafka, KafkaAccess) and kafka.training is not None:
        refuse_other_city((await client.fetch_all_metadata()).topics(), training=kafka.training)


def refuse_other_city(there: Collection[str], *, training: bool) -> None:
    """Raise `KafkaRefuses` when the topics that are there belong to a training city and ours is a real one, or the
    other way round."""
    marked = TRAINING.name in there
    if marked and not training:
        raise KafkaRefuses(
            "its topics are those of a training city: start with --training (PATRIOT_TRAINING=true), or point real work"
            " at a Kafka of its own"
        )
    if training and not marked and not {topic.name for topic in ALL}.isdisjoint(there):
        raise KafkaRefuses(
            "its topics are those of a real city: start without --training (PATRIOT_TRAINING), or give the training"
            " city a Kafka of its own"
        )


def time_of(timestamp: int) -> datetime | None:
    """A record's timestamp, in ms since 1970, as a time; None when it is none."""
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def is_of_the_bytes(error: Exception) -> bool:
    """Whether the client raised it while it took a batch apart; its other errors are about brokers and groups."""
    return not isinstance(error, KafkaError) or isinstance(error, CorruptRecordException | UnsupportedCodecError)


def must_fetch(consumer: AIOKafkaConsumer) -> None:
    """Raise `KafkaError` when the client fetches no more: at an error that aiokafka does not know its fetching ends for
    good, it tells nobody, and whoever reads waits for ever. Ask it after a read that found nothing."""
    fetching: asyncio.Task[None] = consumer._fetcher._fetch_task
    if fetching.done():
        raise KafkaError("the client has stopped fetching") from (
            None if fetching.cancelled() else fetching.exception()
        )


async def stop_quietly(client: AIOKafkaProducer | AIOKafkaConsumer, timeout: float = 5.0) -> None:
    """Stop a client that may hang because no broker is left (aiokafka #659); after `timeout` s it is left behind."""
    await _end(client.stop(), timeout)


async def stop_admin_quietly(admin: AIOKafkaAdminClient, timeout: float = 5.0) -> None:
    """Close an admin client; it may hang like the others."""
    await _end(admin.close(), timeout)


async def _end(closing: Coroutine[Any, Any, None], timeout: float) -> None:
    """A task of its own: while a fetch is waiting for its next try, aiokafka's `stop` raises the CancelledError of its
    own task, which would look to our caller as if it were cancelled itself."""
    task = asyncio.create_task(closing)
    done, _ = await asyncio.wait({task}, timeout=timeout)
    if not done:
        task.cancel()
    elif not task.cancelled():
        task.exception()  # looked at, so that nobody complains of it: there is nothing to be done
