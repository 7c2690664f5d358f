"""The city under test: `patriot up` in an empty directory, and commands as an administrator types them."""

import json
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local.ports import find_free

#: Everything is up in some seconds; the first run on a machine also fetches Kafka's jars.
_READY_S: Final = 180.0
_STOP_S: Final = 60.0
ADMIN_PASSWORD: Final = "ujian-Bekasi-2026"


@dataclass
class City:
    """Addresses and first sign-ins of a running city, from its ready file."""

    process: subprocess.Popen[bytes]
    command: list[str]
    data_dir: Path
    base_url: str
    feed_url: str
    kafka_bootstrap: str
    postgres_dsn: str
    admin_username: str
    admin_password: str
    device_api_key: str
    services: dict[str, dict[str, object]]
    #: The password of every account that tests add.
    staff_password: str = "petugas-Bekasi-2026"

    def patriot(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a `patriot` command against this city."""
        return subprocess.run(
            [*self.command, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    def add_user(self, name: str, role: str, agency: str | None = None) -> None:
        """Make an account through the command line, as an administrator does."""
        scope = ["--agency", agency] if agency else []
        done = self.patriot(
            "user", "add", name, "--role", role, *scope, "--data-dir", str(self.data_dir), "--password-stdin",
            stdin=self.staff_password + "\n",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def logs(self) -> str:
        """The last lines of every service, for a test that failed."""
        found = []
        for path in sorted((self.data_dir / "log").glob("*.log")):
            tail = path.read_text(errors="replace").splitlines()[-25:]
            found.append(f"--- {path.name}\n" + "\n".join(tail))
        return "\n".join(found)


def start_city(folder: Path, command: list[str], environment: dict[str, str], *options: str) -> City:
    """Bring a city up and wait until it says that all is ready. Fails with its output when it does not."""
    data_dir, ready_file = folder / "data", folder / "ready.json"
    output = (folder / "up.log").open("wb")
    process = subprocess.Popen(
        [
            *command, "up", "--data-dir", str(data_dir), "--ready-file", str(ready_file),
            "--admin-password", ADMIN_PASSWORD,
            # of our own choice: two cities that start at the same moment would both find the default ones free
            "--port", str(find_free("127.0.0.1")), "--feed-port", str(find_free("127.0.0.1")), *options,
        ],
        stdout=output,
        stderr=subprocess.STDOUT,
        env={"PATRIOT_ANONYMOUS_REPORTS_PER_MINUTE": "0", **environment},
    )  # fmt: skip
    output.close()
    deadline = time.monotonic() + _READY_S
    while not ready_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError("patriot up did not come up:\n" + (folder / "up.log").read_text(errors="replace"))
        time.sleep(0.05)
    ready = json.loads(ready_file.read_text())
    return City(
        process=process,
        command=command,
        data_dir=data_dir,
        base_url=ready["base_url"].rstrip("/"),
        feed_url=ready["feed_url"],
        kafka_bootstrap=ready["kafka_bootstrap"],
        postgres_dsn=ready["postgres_dsn"],
        admin_username=ready["admin"]["username"],
        admin_password=ready["admin"]["password"],
        device_api_key=ready["device_api_key"],
        services={service["name"]: service for service in ready["services"]},
    )


def stop_city(city: City) -> None:
    """Stop it as Ctrl-C does; it must end by itself and with 0."""
    city.process.send_signal(signal.SIGTERM)
    try:
        code = city.process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        city.process.kill()
        raise AssertionError("patriot up did not stop on SIGTERM") from None
    assert code == 0, f"patriot up ended with {code}"
