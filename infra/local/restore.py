"""`patriot restore`: a city again from what `patriot backup` saved, in a new data directory."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import click
import msgspec
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, for_code

from infra import postgres_roles
from infra.kafka import start_admin, stop_admin_quietly
from infra.kafka_access import sentence
from infra.kafka_topic_id import topic_ids
from infra.local import catching_up, process, topic_file
from infra.local.backup import DUMP, FORMAT, MANIFEST, OBJECTS, SECRETS, TOPICS, Manifest, file_of
from infra.local.data_dir import DataDir
from infra.local.postgres_server import BINARIES, tool_environment
from infra.local.record import write_whole
from infra.local.stack import Stack
from infra.local.topic_file import Kept
from infra.local.trouble import Trouble, of_os_error
from infra.migrate import is_training, newest
from infra.postgres import ANY_FAILURE, Connection, connect
from infra.topics_admin import ensure_topics, topic_config
from schemas import topics
from schemas.assignment import AssignmentChanged
from schemas.incident import IncidentChanged

#: Topics that the dispatcher takes in.
_TAKEN_IN: Final = (topics.REPORT, topics.CONTACT, topics.TELEMETRY)
#: Seconds that pg_restore may take.
_RESTORE_TIMEOUT: Final = 3600.0
#: What asyncpg raises on an open connection.
_DATABASE: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
#: While records are brought back they keep the times that they had, none is too old, and none too large: how large one
#: is depends on how it was packed.
_AS_THEY_WERE: Final = {
    "message.timestamp.type": "CreateTime",
    "retention.ms": "-1",
    "max.message.bytes": str(64 * 1024 * 1024),
}

Say = Callable[[str], None]
#: What the database knows a record by.
Mark = Callable[[Kept], tuple[object, object]]


@click.command("restore")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--data-dir", envvar="PATRIOT_DATA_DIR", type=click.Path(path_type=Path), default=".patriot")
def command(directory: Path, data_dir: Path) -> None:
    """Make a city of what `patriot backup` saved in DIRECTORY, in a data directory that is new. Then: `patriot up`.

    What was acknowledged before the backup is there once; what Kafka had beyond the database is taken in by the
    dispatcher; the board is told anew.
    """
    asyncio.run(restore(directory, data_dir, lambda line: click.echo(line, err=True)))
    click.echo(f"restored to {data_dir}; bring it up by: patriot up --data-dir {data_dir}")


async def restore(directory: Path, data_dir: Path, say: Say) -> None:
    """Raises Trouble; then `data_dir` is not to be used."""
    manifest = _manifest(directory)
    if data_dir.exists() and any(data_dir.iterdir()):
        raise Trouble(f"{data_dir} is not empty. Name a new one with --data-dir, so that nothing is overwritten.")
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        restoring = DataDir(data_dir).restoring
        write_whole(restoring, b"")
        _sync(data_dir)
        shutil.copytree(directory / SECRETS, data_dir / SECRETS)
        if (directory / OBJECTS).exists():
            shutil.copytree(directory / OBJECTS, data_dir / OBJECTS)
        async with Stack(data_dir, say, restoring=True) as stack:
            say("Restoring the database …")
            async with _connected(stack.postgres.dsn) as connection:
                await postgres_roles.make(connection)  # they belong to the server, and policies in the dump name them
            await _load(stack.postgres.dsn, directory / DUMP)
            say("Restoring Kafka …")
            ends: catching_up.Ends = {}
            async with _connected(stack.postgres.dsn) as connection:
                await _make_topics(stack.kafka.bootstrap, training=await _was_training(connection))
                for topic in TOPICS:
                    path = directory / file_of(topic)
                    brought = await _bring_back(stack.kafka.bootstrap, connection, topic, path, manifest)
                    if topic in _TAKEN_IN:
                        ends[topic.name] = brought
            await catching_up.begin(data_dir, stack.kafka.bootstrap, ends)
        await asyncio.to_thread(os.sync)
        restoring.unlink()
    except _DATABASE as error:
        raise _of_database(error) from error
    except (KafkaError, TimeoutError) as error:
        raise Trouble(f"Kafka could not be restored ({sentence(error)}).") from error
    except OSError as error:
        raise of_os_error(error, f"restoring from {directory} to {data_dir}") from error


def _sync(folder: Path) -> None:
    """Its names are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    """The database, for statements that take as long as they take."""
    try:
        connection = await connect(dsn, application="patriot-restore", statement_timeout=None)
    except ANY_FAILURE as error:
        raise _of_database(error) from error
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def _of_database(error: BaseException) -> Trouble:
    return Trouble(f"The database could not be restored ({type(error).__name__}: {error}).")


def _manifest(directory: Path) -> Manifest:
    try:
        manifest = msgspec.json.decode((directory / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError):
        raise Trouble(f"{directory} holds no whole backup: its {MANIFEST} is written last.") from None
    if manifest.format > FORMAT or manifest.schema > newest():
        raise Trouble(f"{directory} was saved by a newer release of Patriot. Restore it with that one.")
    return manifest


async def _load(dsn: str, dump: Path) -> None:
    tool = [str(BINARIES / "pg_restore"), "--exit-on-error", "--no-owner", "--no-privileges"]
    env = tool_environment(dsn)
    try:
        done = await process.run([*tool, f"--dbname={env['PGDATABASE']}", str(dump)], env=env, timeout=_RESTORE_TIMEOUT)
    except TimeoutError:
        raise Trouble(
            f"The database could not be restored (pg_restore was not done in {_RESTORE_TIMEOUT:.0f} s)."
        ) from None
    if done.code != 0:
        raise Trouble(f"The database could not be restored ({done.last_line}).")


async def _was_training(connection: Connection) -> bool:
    """A city saved before cities were marked is a real one."""
    marked = await connection.fetchval("SELECT to_regclass('city') IS NOT NULL")
    return bool(marked) and await is_training(connection)


async def _make_topics(kafka: str, *, training: bool) -> None:
    """All of them; the kept ones take records as they were."""
    marked = [topics.TRAINING] if training else []
    admin = await start_admin(kafka, "patriot-restore", request_timeout_ms=15_000)
    try:
        answer = await admin.create_topics(
            [
                NewTopic(topic.name, topic.partitions, 1, topic_configs=topic_config(topic, None) | _AS_THEY_WERE)
                for topic in (*marked, *TOPICS)
            ]
        )
        for name, code, *_ in answer.topic_errors:
            if code:
                raise for_code(code)(name)
    finally:
        await stop_admin_quietly(admin)
    await ensure_topics(kafka, embedded=True, training=training)


async def _bring_back(
    kafka: str, connection: Connection, topic: topics.Topic, path: Path, manifest: Manifest
) -> dict[int, int]:
    """Records into the new topic, and the database's offsets to where they are now; answers how many per partition."""
    outgoing = await _outgoing(connection, topic)
    read_to: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for row in await connection.fetch(
        "SELECT consumer, partition, next_offset FROM consumer_offset WHERE topic = $1 AND topic_id = $2",
        topic.name,
        manifest.topics[topic.name].topic_id,
    ):
        read_to[row["partition"]].append((row["consumer"], row["next_offset"]))
    # records are numbered from 0 now: so many lie before
    before: Counter[tuple[str, int]] = Counter()
    brought: Counter[int] = Counter()

    def ours() -> Iterator[Kept]:
        for record in topic_file.read(path):
            if outgoing is None or outgoing.is_known(record):
                before.update((who, record.partition) for who, to in read_to[record.partition] if record.offset < to)
                brought[record.partition] += 1
                yield record

    await topic_file.send(kafka, topic, ours())
    if outgoing is not None:
        await connection.execute("DELETE FROM outbox WHERE id = ANY($1::uuid[])", outgoing.sent)
    topic_id = str((await topic_ids(kafka, [topic.name]))[topic.name])
    await connection.executemany(
        "UPDATE consumer_offset SET topic_id = $4, next_offset = $5, epoch = epoch + 1"
        " WHERE consumer = $1 AND topic = $2 AND partition = $3",
        [
            (who, topic.name, partition, topic_id, before[who, partition])
            for partition, readers in read_to.items()
            for who, _ in readers
        ],
    )
    return brought


class _Outgoing:
    """Records of a topic that the dispatcher writes. Those of which the database does not know are left out: what they
    tell is done again, and told then. Those which still wait in the outbox were sent after it was saved."""

    def __init__(self, known: set[tuple[object, object]], mark: Mark, waiting: Collection[str]) -> None:
        self._known = known
        self._mark = mark
        self._waiting = waiting
        self.sent: list[str] = []

    def is_known(self, record: Kept) -> bool:
        """Whether it is to be brought back; somebody else's record, or a tombstone, is not."""
        try:
            mark = self._mark(record)
        except msgspec.MsgspecError:
            return False
        if mark not in self._known:
            return False
        event = (dict(record.headers).get("ce_id") or b"").decode(errors="replace")
        if event in self._waiting:
            self.sent.append(event)
        return True


async def _outgoing(connection: Connection, topic: topics.Topic) -> _Outgoing | None:
    """None for a topic that is taken in."""
    waiting = {str(row["id"]) for row in await connection.fetch("SELECT id FROM outbox")}
    if topic is topics.INCIDENT:
        rows = await connection.fetch("SELECT incident_id, version FROM incident_history")
        mark: Mark = _incident
    elif topic is topics.ASSIGNMENT:
        rows = await connection.fetch("SELECT assignment_id, version FROM assignment_history")
        mark = _assignment
    elif topic in topics.DEAD_LETTERS:
        source = next(one.name for one in TOPICS if topics.dead_letters_of(one) == topic.name)
        rows = await connection.fetch(
            'SELECT partition::text::bytea, "offset"::text::bytea FROM dead_letter WHERE topic = $1', source
        )
        mark = _source
    else:
        return None
    return _Outgoing({(row[0], row[1]) for row in rows}, mark, waiting)


def _incident(record: Kept) -> tuple[object, object]:
    event = msgspec.json.decode(record.value or b"{}", type=IncidentChanged)
    return event.incident_id, event.version


def _assignment(record: Kept) -> tuple[object, object]:
    event = msgspec.json.decode(record.value or b"{}", type=AssignmentChanged)
    return event.assignment_id, event.version


def _source(record: Kept) -> tuple[object, object]:
    headers = dict(record.headers)
    return headers.get("x-source-partition"), headers.get("x-source-offset")
