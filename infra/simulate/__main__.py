"""`patriot simulate`: a seeded city acts through the public API until it is stopped."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from random import Random

import click
import msgspec

from infra import log as logs
from infra.public_api import Api
from infra.simulate import citizens, devices, staff
from infra.simulate.city import City
from schemas.vocabulary import Role
from schemas.wire import Inbound


class SimulatedAccount(Inbound, frozen=True):
    """A staff account that the simulation may use."""

    username: str
    password: str
    role: Role


Actor = Coroutine[None, None, None]


@click.command("simulate")
@click.option("--base-url", envvar="PATRIOT_BASE_URL", default="http://127.0.0.1:8080", show_default=True)
@click.option("--device-key", envvar="PATRIOT_DEVICE_API_KEY", required=True, help="Scopes reports and telemetry.")
@click.option(
    "--accounts",
    envvar="PATRIOT_SIMULATED_ACCOUNTS",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON array of {username, password, role}: operators and officers who act. Without it nobody answers reports.",
)
@click.option("--reports-per-minute", default=6.0, show_default=True, type=click.FloatRange(0.01, 100_000))
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same choices.")
@click.option("--seconds", type=click.FloatRange(1), help="Stop after this time; without it, at Ctrl-C.")
def command(
    base_url: str, device_key: str, accounts: Path | None, reports_per_minute: float, seed: int, seconds: float | None
) -> None:
    """A city: citizens, sensors, wifi nodes, operators and officers acting through the public API."""
    logs.configure("simulate", log_format="console")
    people: list[SimulatedAccount] = []
    if accounts is not None:
        try:
            people = msgspec.json.decode(accounts.read_bytes(), type=list[SimulatedAccount])
        except (msgspec.DecodeError, OSError) as error:
            raise click.ClickException(f"{accounts} is not a list of accounts: {error}") from error
    try:
        asyncio.run(simulate(base_url, device_key, people, reports_per_minute, seed, seconds))
    except* PermissionError as group:
        raise click.ClickException(str(group.exceptions[0])) from group


async def simulate(
    base_url: str,
    device_key: str,
    people: list[SimulatedAccount],
    reports_per_minute: float,
    seed: int,
    seconds: float | None = None,
) -> Counter[str]:
    """Run the city until SIGINT, SIGTERM or `seconds`; returns counts of answers by kind."""
    counts: Counter[str] = Counter()
    rng = Random(seed)  # noqa: S311 - a simulation that can be repeated
    city = City(rng)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with contextlib.AsyncExitStack() as stack:

        def api(token: str | None = None) -> Api:
            made = Api(base_url, counts, token)
            stack.push_async_callback(made.close)
            return made

        def own_rng() -> Random:
            return Random(rng.getrandbits(64))  # noqa: S311 - each actor's own sequence

        actors: list[Actor] = [
            citizens.live(api(device_key), city, own_rng(), reports_per_minute),
            devices.sensors(api(device_key), city, own_rng()),
            devices.wifi_nodes(api(device_key), own_rng()),
            *(_act(api(), person, own_rng()) for person in people),
            _tell(counts),
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_guard(actor)) for actor in actors]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await stop.wait()
            for task in tasks:
                task.cancel()
    return counts


async def _guard(actor: Actor) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await actor


async def _act(api: Api, person: SimulatedAccount, rng: Random) -> None:
    await api.sign_in(person.username, person.password)
    if person.role is Role.OFFICER:
        await staff.patrol(api, rng)
    elif person.role is Role.OPERATOR:
        await staff.operate(api, rng)


async def _tell(counts: Counter[str]) -> None:
    start = time.monotonic()
    while True:
        await asyncio.sleep(30)
        told = ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "nothing yet"
        click.echo(f"{time.monotonic() - start:.0f} s: answers {told}", err=True)


if __name__ == "__main__":
    command()
