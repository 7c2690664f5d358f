"""Where a replay is sent: the city that was named, or the one that runs on a data directory."""

from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from infra.local import addresses
from infra.local.trouble import Trouble


@dataclass(frozen=True, slots=True)
class Target:
    """The city: its address, the key to use, and the name by which a replay to it is known."""

    base_url: str
    api_key: str | None
    name: str


def find(
    base_url: str | None, api_key: str | None, api_key_file: Path | None, data_dir: Path, ready_file: Path | None
) -> Target:
    """The city that was named, or the one that runs on the data directory. Raises Trouble."""
    try:
        if api_key_file is not None:
            api_key = api_key_file.read_text("utf-8").strip()
        if base_url is not None:
            if not base_url.startswith(("http://", "https://")):
                raise click.UsageError("--base-url must look like http://127.0.0.1:8080.")
            return Target(base_url.rstrip("/"), api_key, base_url.rstrip("/"))
        if ready_file is not None:
            running = msgspec.json.decode(ready_file.read_bytes(), type=addresses.Addresses)
            name = str(ready_file.resolve())
        else:
            found = addresses.of_running(data_dir)
            if found is None:
                raise Trouble(f"No `patriot up` runs on {data_dir}. Start it, or give --base-url, or --data-dir.")
            running, name = found, str(data_dir.resolve())
    except (OSError, ValueError) as error:
        raise Trouble(f"The key or the ready file cannot be read ({type(error).__name__}).") from error
    # Its port may be another one tomorrow; it is the same city.
    return Target(running.base_url.rstrip("/"), api_key or running.device_api_key, name)
