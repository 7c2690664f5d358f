"""Fetch Kafka's jars from Maven Central into a directory; a process of its own, so that jgo's memory goes with it.

Usage: python -m infra.local.kafka_fetch COORDINATES CACHE DIRECTORY (with M2_REPO set: jgo keeps downloads there).
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import jgo


def main(coordinates: str, cache: Path, directory: Path) -> None:
    """Resolve `coordinates` and copy each jar that `directory` lacks, whole or not at all."""
    environment = jgo.build(coordinates, cache_dir=cache)
    # all_jars, not classpath: the broker needs those that jgo would put on the module path too
    for jar in environment.all_jars:
        target = directory / jar.name
        if not target.exists():
            half = target.with_suffix(".part")
            shutil.copyfile(jar, half)
            half.replace(target)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
