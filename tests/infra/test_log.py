"""A log that cannot be written stops nothing, and one that says the same is brief."""

import json
import resource
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import logging, resource, structlog
from infra import log
log.configure("test")
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
structlog.get_logger().info("before", place="Bekasi Barat")
resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
structlog.get_logger().info("lost")
logging.getLogger("other").error("lost too")
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
structlog.get_logger().info("after")
print("went on")
"""


def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    log = tmp_path / "log"
    with log.open("wb") as errors:
        done = subprocess.run([sys.executable, "-c", _PROGRAM], stdout=subprocess.PIPE, stderr=errors, check=True)
    assert done.stdout == b"went on\n"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["before", "after"]
    assert lines[0]["place"] == "Bekasi Barat"


_FLOOD = """
import logging
from infra import log
log.configure("test")
for number in range(1000):
    logging.getLogger("aiokafka").error("Unable connect to node with id %s: refused", number)
    logging.getLogger("aiokafka.cluster").error("Topic %s not found", number)
logging.getLogger("other").error("one")
logging.getLogger("other").error("one")
"""


def test_what_aiokafka_repeats_is_said_once() -> None:
    done = subprocess.run([sys.executable, "-c", _FLOOD], stderr=subprocess.PIPE, check=True)
    said = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert said == ["Unable connect to node with id 0: refused", "Topic 0 not found", "one", "one"]
