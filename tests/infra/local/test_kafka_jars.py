"""What is started as Kafka is exactly what this release was tested with, or nothing is."""

from hashlib import sha256
from pathlib import Path

import pytest

from infra.local import kafka_jars
from infra.local.trouble import Trouble

JARS = {"kafka.jar": b"the broker", "log4j.jar": b"its log"}
CHECKSUMS = {name: sha256(content).hexdigest() for name, content in JARS.items()}


class Repository:
    """A Maven repository that serves `content`, and counts how often it was asked."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content
        self.asked = 0

    async def fetch(self, cache: Path, directory: Path) -> None:
        self.asked += 1
        for name, content in self.content.items():
            if not (directory / name).exists():
                (directory / name).write_bytes(content)


async def ensure(cache: Path, repository: Repository) -> list[str]:
    jars = await kafka_jars.ensure(lambda line: None, cache, CHECKSUMS, repository.fetch)
    return [jar.name for jar in jars]


async def test_jars_are_fetched_once(tmp_path: Path) -> None:
    repository = Repository(JARS)
    assert await ensure(tmp_path, repository) == ["kafka.jar", "log4j.jar"]
    assert await ensure(tmp_path, repository) == ["kafka.jar", "log4j.jar"]
    assert repository.asked == 1


async def test_a_truncated_jar_is_deleted_and_fetched_again(tmp_path: Path) -> None:
    repository = Repository(JARS)
    await ensure(tmp_path, repository)
    jar = next(tmp_path.rglob("kafka.jar"))
    jar.write_bytes(b"the bro")
    await ensure(tmp_path, repository)
    assert jar.read_bytes() == JARS["kafka.jar"]
    assert repository.asked == 2


async def test_a_jar_that_does_not_belong_there_is_deleted(tmp_path: Path) -> None:
    repository = Repository(JARS)
    await ensure(tmp_path, repository)
    stranger = next(tmp_path.rglob("kafka.jar")).with_name("stranger.jar")
    stranger.write_bytes(b"?")
    await ensure(tmp_path, repository)
    assert not stranger.exists()


async def test_a_repository_that_serves_something_else_is_refused_by_name(tmp_path: Path) -> None:
    repository = Repository({**JARS, "kafka.jar": b"another broker"})
    with pytest.raises(Trouble, match=r"kafka\.jar.*was deleted"):
        await ensure(tmp_path, repository)
    assert repository.asked == 2
    assert not list(tmp_path.rglob("kafka.jar"))


async def test_a_file_where_the_cache_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(Trouble, match="PATRIOT_CACHE"):
        await ensure(tmp_path / "cache", Repository(JARS))


def test_every_jar_is_pinned() -> None:
    pinned = kafka_jars.pinned()
    assert f"kafka_2.13-{kafka_jars.KAFKA_VERSION}.jar" in pinned
    assert f"kafka-clients-{kafka_jars.KAFKA_VERSION}.jar" in pinned
    assert all(len(digest) == 64 for digest in pinned.values())
