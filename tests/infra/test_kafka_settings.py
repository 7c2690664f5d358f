"""What is told of an outside Kafka is looked at before anything starts, and one sentence says what is wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from pydantic import ValidationError

from infra.kafka_access import KafkaRefuses, client_options, sentence
from infra.settings import KafkaSettings
from infra.topics_admin import Copies, copies, topic_config
from schemas import topics

SASL = {"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_user": "ingest", "kafka_password": "s3cret"}


def test_without_anything_it_is_plain() -> None:
    assert client_options(KafkaSettings(kafka_bootstrap="b1:9092,b2:9092").kafka) == {
        "bootstrap_servers": "b1:9092,b2:9092",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_the_password_may_be_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cret\n")
    kafka = KafkaSettings(**{**SASL, "kafka_password": None, "kafka_password_file": file}).kafka
    assert client_options(kafka)["sasl_plain_password"] == "s3cret"
    assert "s3cret" not in repr(kafka)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kafka_bootstrap": "kafka"}, "PATRIOT_KAFKA_BOOTSTRAP"),
        ({"kafka_bootstrap": "kafka:9092,"}, "PATRIOT_KAFKA_BOOTSTRAP"),
        ({**SASL, "kafka_password": None}, "PATRIOT_KAFKA_PASSWORD"),
        ({**SASL, "kafka_user": ""}, "PATRIOT_KAFKA_USER"),
        ({**SASL, "kafka_password_file": "/nowhere"}, "keep one"),
        ({**SASL, "kafka_password": None, "kafka_password_file": "/nowhere"}, "/nowhere cannot be read"),
        ({"kafka_user": "ingest", "kafka_password": "s3cret"}, "PATRIOT_KAFKA_SECURITY_PROTOCOL is PLAINTEXT"),
        ({**SASL, "kafka_ca_file": "/nowhere"}, "has no use for certificates"),
        ({"kafka_security_protocol": "SSL", "kafka_ca_file": "/nowhere"}, "PATRIOT_KAFKA_CA_FILE /nowhere"),
        ({"kafka_security_protocol": "SSL", "kafka_ca_file": __file__}, "PATRIOT_KAFKA_CA_FILE"),
        ({"kafka_security_protocol": "SSL", "kafka_cert_file": __file__}, "PATRIOT_KAFKA_KEY_FILE"),
        ({"kafka_replication": 1, "kafka_min_insync": 2}, "PATRIOT_KAFKA_MIN_INSYNC"),
    ],
)
def test_what_cannot_work_is_named(given: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError) as found:
        KafkaSettings(**given)
    assert named in str(found.value.errors()[0]["msg"])
    assert "s3cret" not in str(found.value.errors(include_input=False))


@pytest.mark.parametrize(
    ("brokers", "kept"), [(1, Copies(1, 1)), (2, Copies(2, 1)), (3, Copies(3, 2)), (9, Copies(3, 2))]
)
def test_copies_follow_the_brokers_there_are(brokers: int, kept: Copies) -> None:
    assert copies(brokers) == kept
    assert copies(brokers, replication=5) == Copies(5, 4)
    assert copies(brokers, min_insync=1).min_insync == 1


def test_a_topic_outside_is_safe_by_its_copies() -> None:
    outside = topic_config(topics.REPORT, Copies(3, 2))
    assert outside["min.insync.replicas"] == "2"
    assert outside["unclean.leader.election.enable"] == "false"
    assert "flush.messages" not in outside
    assert topic_config(topics.REPORT, None)["flush.messages"] == "1"


def test_an_error_is_a_sentence() -> None:
    assert sentence(KafkaRefuses("Kafka at b1:9092 does not let user ingest in")).startswith("Kafka at b1:9092 does")
    assert "does not allow us to use a topic (bekasi.report.v1)" in sentence(
        TopicAuthorizationFailedError("bekasi.report.v1")
    )
    assert sentence(TimeoutError()) == "TimeoutError"


@pytest.mark.parametrize("service", ["ingest", "dispatcher", "feed"])
def test_a_service_that_is_told_nonsense_ends_with_one_sentence(service: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "infra.local.cli", service],
        env={**os.environ, "PATRIOT_SECRET": "5a" * 32, "PATRIOT_KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "Error: SASL_SSL needs PATRIOT_KAFKA_USER and PATRIOT_KAFKA_PASSWORD or …_PASSWORD_FILE."
    )
