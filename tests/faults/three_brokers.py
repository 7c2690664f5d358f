"""Three Kafka brokers, each record on all and acknowledged by two: killed, the controller too, and cut off."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

import msgspec
import psutil

from infra.local import record
from infra.local.kafka_server import KafkaServer, new_cluster_id
from infra.local.ports import find_free
from tests.faults.field import PATIENCE_S, Field
from tests.faults.proxy import Proxy
from tests.faults.scenario import Fault, Ground

_BROKERS: Final = 3
#: Without a second copy nothing may be acknowledged for so long.
_REFUSED_S: Final = 6.0
#: What was on its way when the second broker died may still be acknowledged.
_ON_THE_WAY_S: Final = 1.0
#: Beyond a broker's session (3 s).
_CUT_OFF_S: Final = 12.0
#: So many reports are acknowledged while a broker is missing.
_THROUGH: Final = 10


class Broker:
    """One of the three: what services and the other brokers say to it goes through its proxies."""

    def __init__(self, field: Field, number: int, cluster_id: str) -> None:
        name = f"kafka-{number}"
        self.number = number
        self.server = KafkaServer(field.stack.data, field.stack.ports, lambda line: None, name=name)
        self.port = field.stack.ports.take(name)
        self.proxy = Proxy(find_free("127.0.0.1"))
        self.controller_proxy = Proxy(field.stack.ports.take(f"{name}_controller"))
        self._home = field.stack.data.path / name
        self._home.mkdir(parents=True, exist_ok=True)
        record.write_whole(self._home / "cluster-id", cluster_id.encode())

    def configure(self, brokers: "list[Broker]") -> None:
        """Its place among all of them."""
        mine = f"PLAINTEXT://127.0.0.1:{self.port}"
        self.server.extra_settings = {
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(
                f"{each.number}@127.0.0.1:{each.controller_proxy.port}" for each in brokers
            ),
            "listeners": f"{mine},NET://127.0.0.1:{self.proxy.target},"
            f"CONTROLLER://127.0.0.1:{self.controller_proxy.target}",
            "advertised.listeners": f"{mine},NET://127.0.0.1:{self.proxy.port},"
            f"CONTROLLER://127.0.0.1:{self.controller_proxy.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,NET:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "NET",
            "offsets.topic.replication.factor": str(_BROKERS),
            "transaction.state.log.replication.factor": str(_BROKERS),
            "transaction.state.log.min.isr": str(_BROKERS - 1),
        }

    @property
    def proxies(self) -> tuple[Proxy, Proxy]:
        return self.proxy, self.controller_proxy

    def is_mine(self) -> Callable[[int], bool]:
        """Whether a port is that of a connection which this broker has opened."""
        assert self.server.child is not None
        process = psutil.Process(self.server.child.pid)
        known = _ports(process)

        def is_mine(port: int) -> bool:
            return port in known or port in _ports(process)

        return is_mine

    def leader(self) -> tuple[int, int]:
        """(epoch, number of the controller) as far as this broker knows."""
        state = self._home / "data" / "__cluster_metadata-0" / "quorum-state"
        found = msgspec.json.decode(state.read_bytes(), type=dict[str, object])
        return int(str(found["leaderEpoch"])), int(str(found["leaderId"]))


def _ports(process: psutil.Process) -> set[int]:
    return {connection.laddr.port for connection in process.net_connections("tcp") if connection.raddr}


class FieldOfThree(Field):
    """A field whose Kafka is three brokers; the harness reaches them by itself, never through their proxies."""

    one_broker = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        cluster_id = new_cluster_id()
        (folder / "stack").mkdir(parents=True, exist_ok=True)
        self.brokers = [Broker(self, number, cluster_id) for number in range(1, _BROKERS + 1)]
        for broker in self.brokers:
            broker.configure(self.brokers)
        self.stack.servers = [*(broker.server for broker in self.brokers), self.stack.postgres]

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{broker.port}" for broker in self.brokers)

    @property
    def environment(self) -> Mapping[str, str]:
        through = ",".join(f"127.0.0.1:{broker.proxy.port}" for broker in self.brokers)
        return {**super().environment, "PATRIOT_KAFKA_BOOTSTRAP": through}

    async def _bring_up(self) -> None:
        for broker in self.brokers:
            for proxy in broker.proxies:
                await self._rooms.enter_async_context(proxy)
        await super()._bring_up()

    def controller(self) -> Broker:
        """The broker that is the active controller."""
        _, number = max(broker.leader() for broker in self.brokers)
        return self.brokers[number - 1]

    def cut_off(self, broker: Broker) -> None:
        """Nothing reaches it and nothing comes from it; until `healed`."""
        for proxy in broker.proxies:
            proxy.stall()
        for other in self.brokers:
            if other is not broker:
                for proxy in other.proxies:
                    proxy.stall(broker.is_mine())

    async def healed(self) -> None:
        for broker in self.brokers:
            for proxy in broker.proxies:
                await proxy.heal()


async def _goes_on(field: Field, since: float) -> None:
    """Wait until reports sent after `since` are acknowledged."""
    async with asyncio.timeout(PATIENCE_S):
        while field.load.first_after(since, _THROUGH) is None:
            await asyncio.sleep(0.1)


async def _kill(field: Field, broker: Broker) -> float:
    since = asyncio.get_running_loop().time()
    await broker.server.kill()
    await _goes_on(field, since)  # without it
    await broker.server.start()
    return since


async def one_killed(field: Field, rng: Random) -> float:
    """One that is not the controller."""
    assert isinstance(field, FieldOfThree)
    controller = field.controller()
    return await _kill(field, rng.choice([broker for broker in field.brokers if broker is not controller]))


async def controller_killed(field: Field, rng: Random) -> float:
    assert isinstance(field, FieldOfThree)
    return await _kill(field, field.controller())


async def two_killed(field: Field, rng: Random) -> None:
    """Nothing is acknowledged while there is one copy alone; then they come back."""
    assert isinstance(field, FieldOfThree)
    dead = rng.sample(field.brokers, 2)
    await asyncio.gather(*(broker.server.kill() for broker in dead))
    await asyncio.sleep(_ON_THE_WAY_S)
    before = len(field.load.sent)
    await asyncio.sleep(_REFUSED_S)
    if more := len(field.load.sent) - before:
        field.load.surprises.append(f"{more} reports were acknowledged with one broker of three")
    await asyncio.gather(*(broker.server.start() for broker in dead))


async def one_cut_off(field: Field, rng: Random) -> float:
    """One, the controller at times, neither hears nor is heard; the others go on, then it is back."""
    assert isinstance(field, FieldOfThree)
    since = asyncio.get_running_loop().time()
    field.cut_off(rng.choice(field.brokers))
    try:
        await asyncio.sleep(_CUT_OFF_S)
        await _goes_on(field, since)
    finally:
        await field.healed()
    return since


FAULTS: Final = [
    Fault("one broker of three killed", 10, one_killed, Ground.THREE_BROKERS),
    Fault("the controller of three killed", 10, controller_killed, Ground.THREE_BROKERS),
    Fault("two brokers of three killed", 20, two_killed, Ground.THREE_BROKERS),
    Fault("one broker of three cut off", 20, one_cut_off, Ground.THREE_BROKERS),
]
