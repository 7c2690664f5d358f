"""`patriot backup`: the whole city in one directory, while it runs.

In this order, which makes it consistent: PostgreSQL, Kafka, photos. What the database has taken in, Kafka had before,
and what Kafka has of photos, the store had before. So Kafka is ahead of the database, never behind, and a dispatcher
reads on from where the database was.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
import msgspec
from aiokafka.errors import KafkaError

from infra.kafka_access import sentence
from infra.local import addresses, finding, process, topic_file
from infra.local.postgres_server import BINARIES, tool_environment
from infra.local.record import write_whole
from infra.local.topic_file import TopicSummary
from infra.local.trouble import Trouble, of_os_error
from infra.migrate import newest
from schemas import topics

#: Layout of the directory; raised when an older release could not read it.
FORMAT: Final = 1
MANIFEST, DUMP, OBJECTS, SECRETS = "manifest.json", "database.dump", "objects", "secrets"
#: The board is made anew of the database.
TOPICS: Final = tuple(topic for topic in topics.ALL if topic is not topics.FEED)
#: Seconds that pg_dump may take.
_DUMP_TIMEOUT: Final = 3600.0
#: Names of files in the object store that are still being written, and the folder of Idempotency-Keys.
_HALF, _KEYS = ".half-", "idempotency"

Say = Callable[[str], None]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds; it is there only when all else is."""

    format: int
    at: datetime
    schema: int
    topics: dict[str, TopicSummary]
    objects: int


@click.command("backup")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data-dir", envvar="PATRIOT_DATA_DIR", type=click.Path(path_type=Path), default=".patriot")
@click.pass_context
def command(context: click.Context, directory: Path, data_dir: Path) -> None:
    """Save the city of a data directory into DIRECTORY (a new one), while it runs or not: database, Kafka, photos,
    secrets. For the embedded servers; outside ones have tools of their own. Keep it safe: it holds people's phone
    numbers and every secret."""
    running = addresses.of_running(data_dir)
    if running is not None and not {"kafka", "postgres"} <= {service.name for service in running.services}:
        raise Trouble("Kafka or PostgreSQL is outside of this machine: save it with its own tools.")
    found = finding.find(context, data_dir, kafka=True)
    saved = asyncio.run(save(found.kafka_bootstrap, found.postgres_dsn, data_dir, directory, _say))
    records = sum(one.records for one in saved.topics.values())
    for place in (place for one in saved.topics.values() for place in one.left_out):
        _say(f"Left out: the batch in {place}, which cannot be read. The dispatcher sets such a batch aside.")
    click.echo(f"saved to {directory}: schema {saved.schema}, {records} records, {saved.objects} files")


async def save(kafka: str, dsn: str, data_dir: Path, directory: Path, say: Say) -> Manifest:
    """Raises Trouble."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise Trouble(f"{directory} is not empty. Name a new directory, so that no backup overwrites another.")
        directory.chmod(0o700)
        say("Saving the database …")
        await _dump(dsn, directory / DUMP)
        say("Saving Kafka …")
        kept = {topic.name: await topic_file.write(kafka, topic, directory / file_of(topic)) for topic in TOPICS}
        say("Saving photos and secrets …")
        objects = await asyncio.to_thread(_copy, data_dir / OBJECTS, directory / OBJECTS)
        await asyncio.to_thread(shutil.copytree, data_dir / SECRETS, directory / SECRETS)
        manifest = Manifest(FORMAT, datetime.now(UTC), newest(), kept, objects)
        write_whole(directory / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2))
        return manifest
    except (KafkaError, TimeoutError) as error:
        raise Trouble(f"Kafka could not be saved ({sentence(error)}).") from error
    except OSError as error:
        raise of_os_error(error, f"saving to {directory}") from error


def file_of(topic: topics.Topic) -> str:
    """Where a topic's records are."""
    return f"{topic.name}.gz"


async def _dump(dsn: str, path: Path) -> None:
    try:
        done = await process.run(
            [str(BINARIES / "pg_dump"), "--format=custom", "--compress=1", f"--file={path}"],
            env=tool_environment(dsn),
            timeout=_DUMP_TIMEOUT,
        )
    except TimeoutError:
        raise Trouble(f"The database could not be saved (pg_dump was not done in {_DUMP_TIMEOUT:.0f} s).") from None
    if done.code != 0:
        raise Trouble(f"The database could not be saved ({done.last_line}).")


def _copy(source: Path, target: Path) -> int:
    """All that is whole. Not the notes that Kafka has acknowledged the report of an Idempotency-Key: this Kafka may
    not have it, and without the note a repeat sends the same report again, which has one effect."""
    count = 0
    for folder, _, names in os.walk(source):
        for name in names:
            path = Path(folder, name)
            relative = path.relative_to(source)
            if name.startswith(_HALF) or (relative.parts[0] == _KEYS and "." in name):
                continue
            (target / relative).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                shutil.copy2(path, target / relative)
            except FileNotFoundError:
                continue  # swept or erased meanwhile
            count += 1
    return count


def _say(line: str) -> None:
    click.echo(line, err=True)
