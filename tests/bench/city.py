"""A city to measure, from the command that users type."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.city import City, start_city, stop_city

COMMAND: Final = [sys.executable, "-m", "infra.local.cli"]


@contextmanager
def running(folder: Path, *options: str) -> Iterator[City]:
    """`patriot up` in an empty directory, stopped afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    city = start_city(folder, COMMAND, dict(os.environ), *options)
    try:
        yield city
    finally:
        stop_city(city)


def pid(city: City, service: str) -> int:
    """Process id of one of its services."""
    return int(str(city.services[service]["pid"]))
