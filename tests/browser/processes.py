"""Services of the running city, to be hurt."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.city import City


def pid_of(city: City, service: str) -> int:
    """Its process now: `patriot up` writes its ready file anew when it has restarted something."""
    ready = json.loads((city.data_dir.parent / "ready.json").read_text())
    pid: int = next(found["pid"] for found in ready["services"] if found["name"] == service)
    return pid


@contextmanager
def stopped(city: City, service: str) -> Iterator[None]:
    """The service hangs: it is there, and does nothing."""
    pid = pid_of(city, service)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
