"""One run of `patriot up`: servers, migrations, topics, sign-ins, services; kept running, stopped in good order."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass

import click
import msgspec
from aiokafka.errors import KafkaError

from infra.kafka_access import KafkaRefuses, sentence
from infra.local import addresses, catching_up, kafka_warmup, process
from infra.local.keeper import Keeper, Startable
from infra.local.options import Options, choose_port, environment
from infra.local.service import Service
from infra.local.services import Places, Simulation, services
from infra.local.stack import Stack
from infra.local.trouble import Trouble
from infra.postgres import ANY_FAILURE
from infra.settings import KafkaSettings
from infra.topics_admin import TopicsError, ensure_topics

#: A service that dies this often before it was ever ready will not get better by itself.
_DEATHS_AT_START = 3
#: Seconds after which what is missing is told, and told again.
_PATIENCE = 15.0
#: Seconds between two looks at logs; the first is when the city has come to rest.
_HOUSEKEEPING = 60.0
#: Seconds for migrations and first sign-ins.
_PREPARE_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of a running city."""

    places: Places
    kafka: str
    postgres: str
    people: addresses.SignIns


class City:
    """One run of `patriot up`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = Stack(
            options.data_dir, say, kafka=options.kafka_bootstrap is None, postgres=options.postgres_dsn is None
        )
        self._services: list[Service] = []
        self._is_up = False

    async def run(self) -> None:
        """Bring everything up and keep it so until cancelled; then stop all of it in good order. Raises Trouble."""
        self._options.check()
        await self._stack.take()
        try:
            await self._bring_up()
        except asyncio.CancelledError:
            say("Stopping …")
            raise
        finally:
            await self._stop()

    async def _bring_up(self) -> None:
        options, stack = self._options, self._stack
        addresses.kept_in(stack.data.path).unlink(missing_ok=True)
        port = choose_port("--port", options.port, options.host)
        feed_port = choose_port("--feed-port", options.feed_port, options.host, avoid=port)
        async with asyncio.TaskGroup() as group:
            kafka = group.create_task(self._kafka())
            postgres = group.create_task(self._postgres())
        (dsn, people), places = postgres.result(), self._places(port, feed_port)
        env = environment(
            options,
            port=port,
            feed_port=feed_port,
            kafka=kafka.result(),
            postgres=dsn,
            secret=os.environ.get("PATRIOT_SECRET") or stack.data.secret("city"),
        )
        simulation = Simulation(people.device_api_key, people.simulated) if people.simulated else None
        self._services = services(stack.data, env, places, simulation)
        await self._serve(Told(places, kafka.result(), dsn, people))

    async def _stop(self) -> None:
        addresses.kept_in(self._stack.data.path).unlink(missing_ok=True)
        for those in (("simulate",), ("web", "dispatcher", "feed")):
            await asyncio.gather(*(service.stop() for service in self._services if service.name in those))
        await self._stack.stop()

    def _places(self, port: int, feed_port: int) -> Places:
        secure = "s" if self._options.secure else ""
        host = self._options.reachable_host
        return Places(
            base_url=f"http{secure}://{host}:{port}",
            feed_url=f"ws{secure}://{host}:{feed_port}/",
            feed_base=f"http{secure}://{host}:{feed_port}",
            dispatcher_port=self._stack.ports.take("dispatcher"),
        )

    async def _kafka(self) -> str:
        """Kafka with its topics; the answer is where."""
        outside = self._options.kafka_bootstrap
        if outside is None:
            await self._stack.kafka.start()
        bootstrap = outside or self._stack.kafka.bootstrap
        try:
            if outside is None:
                made = await ensure_topics(bootstrap, embedded=True, training=self._options.training)
            else:
                asked = KafkaSettings(kafka_bootstrap=outside)
                made = await ensure_topics(
                    asked.kafka,
                    embedded=False,
                    replication=asked.kafka_replication,
                    min_insync=asked.kafka_min_insync,
                    training=self._options.training,
                )
        except TopicsError as error:
            raise Trouble(f"Kafka: {error}.") from error
        except KafkaRefuses as error:
            raise Trouble(f"{error}.") from error
        except (KafkaError, OSError, TimeoutError) as error:
            where = f"Kafka at {bootstrap} (--kafka-bootstrap)" if outside else "The embedded Kafka"
            raise Trouble(f"{where} does not answer ({sentence(error)}).") from error
        if made:
            say(f"Made {len(made)} topics.")
        return bootstrap

    async def _postgres(self) -> tuple[str, addresses.SignIns]:
        """PostgreSQL with the newest schema and the first sign-ins; the answer is where, and who."""
        options = self._options
        if options.postgres_dsn is None:
            await self._stack.postgres.start()
        dsn = options.postgres_dsn or self._stack.postgres.dsn
        done = await process.run(
            [sys.executable, "-m", "infra.local.prepare", *(["--simulate"] if options.simulate else [])],
            env={
                **os.environ,
                "PATRIOT_POSTGRES_DSN": dsn,
                "PATRIOT_DATA_DIR": str(self._stack.data.path),
                "PATRIOT_ADMIN_PASSWORD": options.admin_password or "",
                "PATRIOT_TRAINING": "true" if options.training else "false",
            },
            timeout=_PREPARE_TIMEOUT,
        )
        if done.code != 0:
            raise Trouble(done.last_line.removeprefix("Error: "))
        *progress, people = done.output.strip().splitlines()
        for line in progress:
            say(line)
        return dsn, msgspec.json.decode(people, type=addresses.SignIns)

    async def _serve(self, told: Told) -> None:
        say("Starting the services …")

        def tell_again() -> None:
            if self._is_up:
                self._tell(told)

        async with asyncio.TaskGroup() as group:

            def keep(thing: Startable) -> Keeper:
                keeper = Keeper(thing, say, tell_again)
                group.create_task(keeper.run())
                return keeper

            async def start(those: list[Service]) -> None:
                for service in those:
                    await service.start()
                ready = [group.create_task(_ready(service, keep(service))) for service in those]
                await asyncio.gather(*ready)

            for server in self._stack.servers:
                keep(server)
            await start([service for service in self._services if service.answers])
            await start([service for service in self._services if not service.answers])
            self._is_up = True
            self._tell(told)
            _welcome(self._options, told)
            group.create_task(self._keep_house(told))

    async def _keep_house(self, told: Told) -> None:
        """Keep logs short; end what a restore began; and use a quiet moment, once per machine, to make the next starts
        faster."""
        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            self._stack.data.trim_logs()
            if self._options.kafka_bootstrap is None:
                with suppress(KafkaError, *ANY_FAILURE):  # it is tried again
                    await catching_up.finish(self._stack.data.path, told.kafka, told.postgres)
                await kafka_warmup.learn(self._stack.data, self._stack.ports)

    def _tell(self, told: Told) -> None:
        """Write where everything is, for --ready-file and for other commands."""
        urls = {"kafka": f"kafka://{told.kafka}", "postgres": f"postgresql://{told.postgres.rpartition('@')[2]}"}
        everything = addresses.Addresses(
            pid=os.getpid(),
            base_url=told.places.base_url,
            feed_url=told.places.feed_url,
            kafka_bootstrap=told.kafka,
            postgres_dsn=told.postgres,
            admin=addresses.SignIn("admin", told.people.admin_password),
            device_api_key=told.people.device_api_key,
            services=[
                addresses.ServiceAddress(
                    thing.name, thing.child.pid, thing.url if isinstance(thing, Service) else urls[thing.name]
                )
                for thing in (*self._services, *self._stack.servers)
                if thing.child is not None
            ],
        )
        everything.write(addresses.kept_in(self._stack.data.path))
        if self._options.ready_file is not None:
            everything.write(self._options.ready_file)


async def _ready(service: Service, keeper: Keeper) -> None:
    """Come back once the service is able to work; tell now and then what is missing when that takes long."""
    tell_at = time.monotonic() + _PATIENCE
    while missing := await service.missing():
        if keeper.deaths >= _DEATHS_AT_START:
            raise Trouble(f"{service.name} does not start: {service.last_words() or 'it says nothing'}")
        if time.monotonic() > tell_at:
            say(f"Waiting for {service.name} ({missing}) …")
            tell_at = time.monotonic() + _PATIENCE
        await asyncio.sleep(0.1)


def _welcome(options: Options, told: Told) -> None:
    places, people = told.places, told.people
    lines = [
        "",
        f"Patriot is up: {places.base_url}" + (" (TRAINING: nothing in it is real)" if options.training else ""),
        f"  wall      {places.base_url}/wall",
        f"  officers  {places.base_url}/officer",
        f"  feed      {places.feed_url}",
    ]
    if people.is_new:
        lines += [f"  sign in   admin / {people.admin_password}", f"  device    {people.device_api_key}"]
    else:
        lines.append(f"  sign-ins  as before; kept in {options.data_dir}/secrets")
    try:
        click.echo("\n".join([*lines, "Ctrl-C stops it."]))
    except OSError:
        pass


def say(line: str) -> None:
    """One line of progress, on standard error."""
    try:
        click.echo(line, err=True)
    except OSError:
        pass  # whoever read it has gone; the city has not
