"""`patriot kafka`: what an outside Kafka needs before the services come."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

import click
from aiokafka.errors import KafkaError

from infra import kafka_acls
from infra.kafka_access import sentence
from infra.settings import KafkaSettings
from infra.topics_admin import TopicsError, ensure_topics

T = TypeVar("T")


@click.group("kafka")
def command() -> None:
    """Topics and access rights in an outside Kafka. PATRIOT_KAFKA_… says how it lets us in: as an operator here."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # our lines say it better


@command.command("topics")
@click.option("--kafka-bootstrap", help="host:port of Kafka, several separated by commas.")
def make_topics(kafka_bootstrap: str | None) -> None:
    """Make the topics that are missing, with as many copies as there are brokers (three at most). Safe twice."""
    settings = _settings(kafka_bootstrap)
    made = _run(
        ensure_topics(
            settings.kafka,
            embedded=False,
            replication=settings.kafka_replication,
            min_insync=settings.kafka_min_insync,
            training=settings.training,
        )
    )
    click.echo("\n".join(f"made {name}" for name in made) or "all topics are there")


@command.command("acls")
@click.option("--kafka-bootstrap", help="host:port of Kafka, several separated by commas.")
@click.option("--ingest", default="ingest", show_default=True, help="Kafka's user of `patriot ingest`.")
@click.option("--dispatcher", default="dispatcher", show_default=True, help="Of `patriot dispatcher`.")
@click.option("--feed", default="feed", show_default=True, help="Of `patriot feed`.")
@click.option("--operator", default="operator", show_default=True, help="Of `patriot kafka topics` and `doctor`.")
@click.option("--apply", "do_it", is_flag=True, help="Make them, instead of printing commands for Kafka's own tool.")
def acls(kafka_bootstrap: str | None, ingest: str, dispatcher: str, feed: str, operator: str, do_it: bool) -> None:
    """Who may do what, and no more: the commands that allow it, or --apply as a user who may alter ACLs."""
    settings = _settings(kafka_bootstrap)
    users: dict[kafka_acls.Service, str] = {
        "ingest": ingest,
        "dispatcher": dispatcher,
        "feed": feed,
        "operator": operator,
    }
    if do_it:
        click.echo(f"made {_run(kafka_acls.apply(settings.kafka, users))} rules")
    else:
        click.echo("\n".join(kafka_acls.commands(users, settings.kafka.bootstrap.partition(",")[0])))


def _settings(bootstrap: str | None) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap=bootstrap) if bootstrap else KafkaSettings()


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except TopicsError as error:
        raise click.ClickException(f"{error}") from error
    except (KafkaError, OSError, TimeoutError) as error:
        raise click.ClickException(f"Kafka does not do it: {sentence(error)}") from error
