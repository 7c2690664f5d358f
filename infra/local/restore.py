"""`patriot restore`: a city again from what `patriot backup` saved, in a new data directory."""

from __future__ import annotations

import asyncio
import shutil
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Final

import asyncpg
import click
import msgspec
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from infra.kafka import start_admin, stop_admin_quietly
from infra.kafka_access import sentence
from infra.kafka_topic_id import topic_ids
from infra.local import process, topic_file
from infra.local.backup import DUMP, FORMAT, MANIFEST, OBJECTS, SECRETS, TOPICS, Manifest, file_of
from infra.local.postgres_server import BINARIES, tool_environment
from infra.local.stack import Stack
from infra.local.topic_file import Kept
from infra.local.trouble import Trouble, of_os_error
from infra.migrate import newest
from infra.postgres import TRANSIENT, Connection, connect
from infra.topics_admin import ensure_topics, topic_config
from schemas import topics
from schemas.assignment import AssignmentChanged
from schemas.incident import IncidentChanged

_RESTORE_TIMEOUT: Final = 3600.0
_TIMES_GIVEN: Final = {"message.timestamp.type": "CreateTime"}

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
        shutil.copytree(directory / SECRETS, data_dir / SECRETS)
        if (directory / OBJECTS).exists():
            shutil.copytree(directory / OBJECTS, data_dir / OBJECTS)
        async with Stack(data_dir, say) as stack:
            say("Restoring the database …")
            await _load(stack.postgres.dsn, directory / DUMP)
            say("Restoring Kafka …")
            await _make_topics(stack.kafka.bootstrap)
            connection = await connect(stack.postgres.dsn, application="patriot-restore")
            try:
                for topic in TOPICS:
                    await _bring_back(stack.kafka.bootstrap, connection, topic, directory / file_of(topic), manifest)
            finally:
                await connection.close(timeout=5)
            await _take_own_times(stack.kafka.bootstrap)
    except (KafkaError, TimeoutError) as error:
        raise Trouble(f"Kafka could not be restored ({sentence(error)}).") from error
    except (*TRANSIENT, asyncpg.PostgresError) as error:
        raise Trouble(f"The database could not be restored ({type(error).__name__}: {error}).") from error
    except (OSError, EOFError) as error:
        raise of_os_error(OSError(*error.args), f"restoring from {directory}") from error


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
    done = await process.run([*tool, f"--dbname={env['PGDATABASE']}", str(dump)], env=env, timeout=_RESTORE_TIMEOUT)
    if done.code != 0:
        raise Trouble(f"The database could not be restored ({done.last_line}).")


async def _make_topics(kafka: str) -> None:
    """All of them, and while records are brought back these keep the times that they had."""
    admin = await start_admin(kafka, "patriot-restore", request_timeout_ms=15_000)
    try:
        answer = await admin.create_topics(
            [
                NewTopic(topic.name, topic.partitions, 1, topic_configs=topic_config(topic, None) | _TIMES_GIVEN)
                for topic in TOPICS
            ]
        )
        for name, code, *_ in answer.topic_errors:
            if code:
                raise for_code(code)(name)
    finally:
        await stop_admin_quietly(admin)
    await ensure_topics(kafka, embedded=True)


async def _take_own_times(kafka: str) -> None:
    """From now on the broker's time counts again."""
    admin = await start_admin(kafka, "patriot-restore", request_timeout_ms=15_000)
    try:
        for topic in TOPICS:
            wanted = ConfigResource(ConfigResourceType.TOPIC, topic.name, topic_config(topic, None))
            for answer in await admin.alter_configs([wanted]):
                for code, message, *_ in answer.resources:
                    if code:
                        raise for_code(code)(message)
    finally:
        await stop_admin_quietly(admin)


async def _bring_back(kafka: str, connection: Connection, topic: topics.Topic, path: Path, manifest: Manifest) -> None:
    """Records into the new topic, and the database's offsets to where they are now."""
    outgoing = await _outgoing(connection, topic)
    offsets: dict[int, list[int]] = defaultdict(list)

    def ours() -> Iterator[Kept]:
        for record in topic_file.read(path):
            if outgoing is None or outgoing.is_known(record):
                offsets[record.partition].append(record.offset)
                yield record

    await topic_file.send(kafka, topic, ours())
    if outgoing is not None:
        await connection.execute("DELETE FROM outbox WHERE id = ANY($1::uuid[])", outgoing.sent)
    topic_id = str((await topic_ids(kafka, [topic.name]))[topic.name])
    rows = await connection.fetch(
        "SELECT consumer, partition, next_offset FROM consumer_offset WHERE topic = $1 AND topic_id = $2",
        topic.name,
        manifest.topics[topic.name].topic_id,
    )
    await connection.executemany(
        "UPDATE consumer_offset SET topic_id = $4, next_offset = $5, epoch = epoch + 1"
        " WHERE consumer = $1 AND topic = $2 AND partition = $3",
        [
            # records are numbered from 0 now: so many lie before
            (
                r["consumer"],
                topic.name,
                r["partition"],
                topic_id,
                bisect_left(offsets[r["partition"]], r["next_offset"]),
            )
            for r in rows
        ],
    )


class _Outgoing:
    """Records of a topic that the dispatcher writes. Those of which the database does not know are left out: what they
    tell is done again, and told then. Those which still wait in the outbox were sent after it was saved."""

    def __init__(self, known: set[tuple[object, object]], mark: Mark, waiting: Collection[str]) -> None:
        self._known = known
        self._mark = mark
        self._waiting = waiting
        self.sent: list[str] = []

    def is_known(self, record: Kept) -> bool:
        """Whether it is to be brought back."""
        if self._mark(record) not in self._known:
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
