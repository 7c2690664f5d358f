"""Kafka's own jars in a cache of the user, each one compared with the checksum this release was tested with."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from infra.local import process
from infra.local.trouble import Trouble, of_os_error

KAFKA_VERSION = "4.3.1"
#: Kafka logs nothing without a binding. The "!" keeps this one unmanaged: its parent would bring an older
#: kafka-clients, with which the broker crashes.
COORDINATES = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!"
_CHECKSUMS = Path(__file__).with_name("kafka_jars.sha256")
#: Seconds. 45 MB arrive in half a minute on a common line.
_FETCH_TIMEOUT = 900

Checksums = Mapping[str, str]
#: Puts every jar that is missing in a directory there.
Fetch = Callable[[Path, Path], Awaitable[None]]


def user_cache() -> Path:
    """Where downloads are kept for all data directories: $PATRIOT_CACHE, else `patriot` in the user's cache."""
    own = os.environ.get("PATRIOT_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "patriot"


def pinned() -> Checksums:
    """Name → SHA-256 of every jar, as committed (the format of sha256sum)."""
    lines = _CHECKSUMS.read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines if line)}


def differing(directory: Path, checksums: Checksums) -> frozenset[str]:
    """The names that are missing, changed or not expected in `directory`; none when it is exactly as pinned."""
    present = {path.name for path in directory.iterdir()}
    changed = {name for name in present & checksums.keys() if _sha256(directory / name) != checksums[name]}
    return frozenset(changed | (present ^ checksums.keys()))


async def ensure(
    say: Callable[[str], None],
    cache: Path | None = None,
    checksums: Checksums | None = None,
    fetch: Fetch | None = None,
) -> list[Path]:
    """The verified jars, fetched when they are not in the cache. Safe in several processes at once.

    What differs is deleted and fetched again once; if it still differs, Trouble names it and nothing is started.
    """
    cache = cache or user_cache()
    checksums = checksums or pinned()
    fetch = fetch or _fetch
    directory = cache / f"kafka-{KAFKA_VERSION}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        async with _alone(cache / "kafka.lock", say):
            wrong = await asyncio.to_thread(differing, directory, checksums)
            if wrong:
                say(f"Fetching Kafka {KAFKA_VERSION} ({len(wrong)} files, up to 45 MB, once) …")
            for attempt in (1, 2):
                if not wrong:
                    break
                _discard(cache, directory, wrong, downloads_too=attempt == 2)
                await fetch(cache, directory)
                wrong = await asyncio.to_thread(differing, directory, checksums)
            if wrong:
                _discard(cache, directory, wrong, downloads_too=True)
    except OSError as error:
        raise of_os_error(error, f"keeping Kafka in {cache}; PATRIOT_CACHE chooses another place") from error
    if wrong:
        raise Trouble(
            f"What was fetched for Kafka {KAFKA_VERSION} is not what this release was tested with "
            f"({', '.join(sorted(wrong)[:3])}{' …' if len(wrong) > 3 else ''}): it was deleted. "
            "Look at the proxy or mirror between here and Maven Central, then try again."
        )
    return sorted(directory / name for name in checksums)


@asynccontextmanager
async def _alone(path: Path, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Hold the lock file `path`, so that two starts don't fetch into the same place."""
    told = False
    with path.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say("Waiting for another start that fetches Kafka …")
                    told = True
                await asyncio.sleep(0.2)
        yield


def _discard(cache: Path, directory: Path, names: frozenset[str], *, downloads_too: bool) -> None:
    for name in names:
        (directory / name).unlink(missing_ok=True)
    shutil.rmtree(cache / "jgo", ignore_errors=True)
    if downloads_too:
        for path in (cache / "maven").rglob("*.jar"):
            if path.name in names:
                path.unlink()


async def _fetch(cache: Path, directory: Path) -> None:
    command = [sys.executable, "-m", "infra.local.kafka_fetch", COORDINATES, str(cache / "jgo"), str(directory)]
    environment = {**os.environ, "M2_REPO": str(cache / "maven")}
    try:
        done = await process.run(command, env=environment, timeout=_FETCH_TIMEOUT)
    except TimeoutError:
        raise Trouble("Fetching Kafka from Maven Central took too long. Look at the network, then try again.") from None
    if done.code == 0:
        return
    if "Max retries exceeded" in done.output:
        raise Trouble(
            f"Kafka {KAFKA_VERSION} has to be fetched from Maven Central once, and there is no way there. "
            "Look at the network or the proxy, then try again."
        )
    if "No space left" in done.output:
        raise Trouble(f"The disk is full (fetching Kafka to {cache}). Free some, or set PATRIOT_CACHE elsewhere.")
    raise Trouble(
        f"Kafka {KAFKA_VERSION} could not be fetched from Maven Central ({done.last_line}). It is needed once: "
        "look at the network, then try again."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
