"""One run of `patriot up`: servers, migrations, topics, sign-ins, services; kept running, stopped in good order."""

from __future__ import annotations

import asyncio
import os
import time

import asyncpg
import click
from aiokafka.errors import KafkaError

from dispatcher.accounts import AccountError
from infra.local import addresses, sign_ins
from infra.local.keeper import Keeper
from infra.local.options import Options, choose_port, environment
from infra.local.service import Service
from infra.local.services import Places, Simulation, services
from infra.local.stack import Stack
from infra.local.trouble import Trouble
from infra.migrate import MigrationError, migrate
from infra.postgres import TRANSIENT
from infra.topics_admin import TopicsError, ensure_topics

#: A service that dies this often before it was ever ready will not get better by itself.
_DEATHS_AT_START = 3
#: Seconds after which what is missing is told, and again each time it changes.
_PATIENCE = 15.0


class City:
    """One run of `patriot up`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = Stack(
            options.data_dir, say, kafka=options.kafka_bootstrap is None, postgres=options.postgres_dsn is None
        )
        self._services: list[Service] = []
        self._addresses: addresses.Addresses | None = None

    async def run(self) -> None:
        """Bring everything up and keep it so until cancelled; then stop all of it in good order. Raises Trouble."""
        options = self._options
        options.check()
        await self._stack.take()
        addresses.kept_in(self._stack.data.path).unlink(missing_ok=True)
        port = choose_port("--port", options.port, options.host)
        feed_port = choose_port("--feed-port", options.feed_port, options.host, avoid=port)
        async with self._stack as stack:
            kafka = options.kafka_bootstrap or stack.kafka.bootstrap
            postgres = options.postgres_dsn or stack.postgres.dsn
            async with asyncio.TaskGroup() as group:
                group.create_task(self._prepare_kafka(kafka))
                prepared = group.create_task(self._prepare_postgres(postgres))
            people = prepared.result()
            places = self._places(port, feed_port)
            secret = os.environ.get("PATRIOT_SECRET") or stack.data.secret("city")
            self._services = services(
                stack.data,
                environment(options, port=port, feed_port=feed_port, kafka=kafka, postgres=postgres, secret=secret),
                places,
                Simulation(people.device_api_key, people.simulated) if people.simulated else None,
            )
            try:
                await self._serve(places, kafka, postgres, people)
            finally:
                say("Stopping …")
                addresses.kept_in(stack.data.path).unlink(missing_ok=True)
                await asyncio.gather(*(service.stop() for service in self._services if service.name == "simulate"))
                await asyncio.gather(*(service.stop() for service in self._services))
        say("Stopped.")

    def _places(self, port: int, feed_port: int) -> Places:
        secure = "s" if self._options.secure else ""
        host = self._options.reachable_host
        return Places(
            base_url=f"http{secure}://{host}:{port}",
            feed_url=f"ws{secure}://{host}:{feed_port}/",
            feed_base=f"http{secure}://{host}:{feed_port}",
            dispatcher_port=self._stack.ports.take("dispatcher"),
        )

    async def _prepare_kafka(self, bootstrap: str) -> None:
        embedded = self._options.kafka_bootstrap is None
        try:
            made = await ensure_topics(bootstrap, embedded=embedded)
        except TopicsError as error:
            raise Trouble(f"Kafka: {error}.") from error
        except (KafkaError, OSError, TimeoutError) as error:
            where = "the embedded Kafka" if embedded else f"Kafka at {bootstrap} (--kafka-bootstrap)"
            raise Trouble(f"{where} does not answer ({type(error).__name__}).") from error
        if made:
            say(f"Made {len(made)} topics.")

    async def _prepare_postgres(self, dsn: str) -> sign_ins.SignIns:
        try:
            for name in await migrate(dsn):
                say(f"Applied migration {name}.")
            return await sign_ins.ensure(
                dsn, self._stack.data, self._options.admin_password, simulate=self._options.simulate
            )
        except MigrationError as error:
            raise Trouble(f"PostgreSQL: {error}.") from error
        except AccountError as error:
            raise Trouble(f"The first admin cannot be made: {error}.") from error
        except (*TRANSIENT, asyncpg.PostgresError) as error:
            where = "the embedded PostgreSQL" if self._options.postgres_dsn is None else "PostgreSQL (--postgres-dsn)"
            raise Trouble(f"{where} cannot be used ({type(error).__name__}: {error}).") from error

    async def _serve(self, places: Places, kafka: str, postgres: str, people: sign_ins.SignIns) -> None:
        say("Starting the services …")
        for service in self._services:
            await service.start()

        def tell() -> None:
            if self._addresses is not None:
                self._write(places, kafka, postgres, people)

        keepers = {thing.name: Keeper(thing, say, tell) for thing in (*self._stack.servers, *self._services)}
        async with asyncio.TaskGroup() as group:
            for keeper in keepers.values():
                group.create_task(keeper.run())
            waiting = [group.create_task(_ready(service, keepers[service.name])) for service in self._services]
            await asyncio.wait(waiting)
            self._write(places, kafka, postgres, people)
            _welcome(self._options, places, people)
            await asyncio.Event().wait()

    def _write(self, places: Places, kafka: str, postgres: str, people: sign_ins.SignIns) -> None:
        urls = {"kafka": f"kafka://{kafka}", "postgres": f"postgresql://{postgres.rpartition('@')[2]}"}
        things = [*self._services, *self._stack.servers]
        self._addresses = addresses.Addresses(
            pid=os.getpid(),
            base_url=places.base_url,
            feed_url=places.feed_url,
            kafka_bootstrap=kafka,
            postgres_dsn=postgres,
            admin=addresses.SignIn("admin", people.admin_password),
            device_api_key=people.device_api_key,
            services=[
                addresses.ServiceAddress(
                    thing.name, thing.child.pid, thing.url if isinstance(thing, Service) else urls[thing.name]
                )
                for thing in things
                if thing.child is not None
            ],
        )
        self._addresses.write(addresses.kept_in(self._stack.data.path))
        if self._options.ready_file is not None:
            self._addresses.write(self._options.ready_file)


async def _ready(service: Service, keeper: Keeper) -> None:
    """Come back once the service is able to work; tell what is missing when that takes long."""
    told, started = "", time.monotonic()
    while missing := await service.missing():
        if keeper.deaths >= _DEATHS_AT_START:
            raise Trouble(f"{service.name} does not start: {service.last_words() or 'it says nothing'}")
        if time.monotonic() - started > _PATIENCE and missing != told:
            say(f"Waiting for {service.name} ({missing}) …")
            told = missing
        await asyncio.sleep(0.1)


def _welcome(options: Options, places: Places, people: sign_ins.SignIns) -> None:
    lines = [
        "",
        f"Patriot is up: {places.base_url}",
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
