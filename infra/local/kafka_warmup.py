"""Teaches Java once per machine how Kafka starts (an AOT cache, JEP 514), so that it starts in half the time.

Measured on two cores: 3.9 s and 5.9 s of CPU without, 2.2 s and 3.3 s with it; 70 MB in the user's cache. A broker of
its own, thrown away afterwards, is started and stopped for it at the lowest priority, while the city is already up.
"""

from __future__ import annotations

import fcntl
import shutil

from infra.local import kafka_jars
from infra.local.data_dir import DataDir
from infra.local.kafka_server import KafkaServer, learnt
from infra.local.ports import KeptPorts
from infra.local.trouble import Trouble

_NAME = "kafka-warmup"
#: Seconds that a busy machine may take to write down what it learnt.
_WRITE_GRACE = 300.0


async def learn(data: DataDir, ports: KeptPorts) -> bool:
    """Make the cache unless it is there or being made; True when it was made. Tried once, never worth an error."""
    if learnt().exists() or data.log_file(_NAME).exists():
        return False
    home = data.path / _NAME
    written = home / "learnt.aot"
    try:
        with (kafka_jars.user_cache() / "warmup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            broker = KafkaServer(data, ports, lambda line: None, name=_NAME, writes=written)
            try:
                await broker.start()
            finally:
                await broker.stop(_WRITE_GRACE)
            half = learnt().with_suffix(".part")
            shutil.copyfile(written, half)
            half.replace(learnt())
            return True
    except (OSError, Trouble):
        return False
    finally:
        shutil.rmtree(home, ignore_errors=True)
