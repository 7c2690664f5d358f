"""`patriot simulate`: a seeded city acts through the public API until it is stopped."""

import asyncio
import contextlib
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from random import Random

import click
import msgspec

from infra import log as logs
from infra.public_api import Api
from infra.simulate import citizens, devices
from infra.simulate.city import City
from infra.simulate.day import Day
from infra.simulate.dispatcher import Dispatcher
from infra.simulate.lead import Lead
from infra.simulate.officer import Officer
from infra.simulate.operator import Operator
from infra.simulate.phone import Phone
from infra.simulate.shift import Shift
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
    help="JSON array of {username, password, role}: all staff who act. Without it nobody answers reports.",
)
@click.option("--reports-per-minute", default=6.0, show_default=True, type=click.FloatRange(0.01, 100_000))
@click.option(
    "--speed",
    envvar="PATRIOT_SIMULATION_SPEED",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0.1, 1_000),
    help="How much faster than ours a day of the city passes: shifts, ways, work. It begins at six in the morning.",
)
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same choices.")
@click.option("--seconds", type=click.FloatRange(1), help="Stop after this time; without it, at Ctrl-C.")
def command(
    base_url: str,
    device_key: str,
    accounts: Path | None,
    reports_per_minute: float,
    speed: float,
    seed: int,
    seconds: float | None,
) -> None:
    """A city: citizens, sensors, wifi nodes and all kinds of staff acting through the public API, day and night."""
    logs.configure("simulate", log_format="console")
    people: list[SimulatedAccount] = []
    if accounts is not None:
        try:
            people = msgspec.json.decode(accounts.read_bytes(), type=list[SimulatedAccount])
        except (msgspec.DecodeError, OSError) as error:
            raise click.ClickException(f"{accounts} is not a list of accounts: {error}") from error
    try:
        asyncio.run(simulate(base_url, device_key, people, reports_per_minute, seed, seconds, speed))
    except* PermissionError as group:
        raise click.ClickException(str(group.exceptions[0])) from group


async def simulate(
    base_url: str,
    device_key: str,
    people: list[SimulatedAccount],
    reports_per_minute: float,
    seed: int,
    seconds: float | None = None,
    speed: float = 20.0,
) -> Counter[str]:
    """Run the city until SIGINT, SIGTERM or `seconds`; returns counts of answers by kind."""
    counts: Counter[str] = Counter()
    day = Day(speed)

    def own_rng(name: str) -> Random:
        # by name, so that one more or less changes nobody else's choices
        return Random(f"{seed}:{name}")  # noqa: S311 - a simulation that can be repeated

    city = City(own_rng("city"))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with contextlib.AsyncExitStack() as stack:

        def api(token: str | None = None) -> Api:
            made = Api(base_url, counts, token)
            stack.push_async_callback(made.close)
            return made

        actors: list[Actor] = [
            citizens.live(api(device_key), city, own_rng("citizens"), day, reports_per_minute),
            devices.sensors(api(device_key), city, own_rng("sensors")),
            devices.wifi_nodes(api(device_key), own_rng("wifi")),
            *(_act(api(), person, own_rng(person.username), day, people) for person in people),
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


#: Who sits at a desk, by role.
_DESKS: Mapping[Role, Callable[[Api, Random, Day, str], Operator | Dispatcher]] = {
    Role.OPERATOR: Operator,
    Role.DISPATCHER: Dispatcher,
}


async def _act(api: Api, person: SimulatedAccount, rng: Random, day: Day, people: list[SimulatedAccount]) -> None:
    await api.sign_in(person.username, person.password)
    shifts = _shifts([one.username for one in people if one.role is Role.OFFICER])
    if person.role is Role.OFFICER:
        await Officer(Phone(api, rng, day), rng, day, shifts[person.username]).work()
    elif person.role is Role.SUPERVISOR:
        leads = tuple(one.username for one in people if one.role is Role.SUPERVISOR)
        await Lead(api, rng, day, person.username, shifts, leads).work()
    elif person.role in _DESKS:
        await _DESKS[person.role](api, rng, day, person.username).work()


def _shifts(officers: list[str]) -> Mapping[str, Shift]:
    """Each officer's shift. Who is called alike but for a number is of one agency and shares its day."""
    crews: dict[str, list[str]] = {}
    for name in officers:
        crews.setdefault(name.rpartition("-")[0], []).append(name)
    return {name: Shift(place, len(crew)) for crew in crews.values() for place, name in enumerate(crew)}


async def _tell(counts: Counter[str]) -> None:
    start = time.monotonic()
    while True:
        await asyncio.sleep(30)
        told = ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "nothing yet"
        click.echo(f"{time.monotonic() - start:.0f} s: answers {told}", err=True)


if __name__ == "__main__":
    command()
