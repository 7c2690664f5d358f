"""What works and is unsafe has a line of the doctor's that says so; what is safe has one, too."""

from pathlib import Path

import pytest

from infra.kafka_access import KafkaAccess
from infra.local import safety
from infra.local.check import State
from infra.local.safety import KafkaFacts
from infra.topics_admin import Copies, topic_config
from schemas import topics


def facts(brokers: int = 3, copies: int = 3, broker: dict[str, str] | None = None, **of_report: str) -> KafkaFacts:
    """A Kafka that is safe but for what is given; dots of names of settings are underscores here."""
    kept = Copies(copies, 2) if brokers > 1 else None
    found = {topic.name: topic_config(topic, kept) for topic in topics.ALL}
    found[topics.REPORT.name] |= {name.replace("_", "."): value for name, value in of_report.items()}
    return KafkaFacts(brokers, broker or {}, dict.fromkeys(found, copies), found)


def said(facts: KafkaFacts) -> dict[str, tuple[State, str]]:
    """The lines by name."""
    return {one.name: (one.state, one.text) for one in safety.kafka_promises(facts)}


@pytest.mark.parametrize("kafka", [facts(), facts(1, 1)], ids=["three brokers", "one broker"])
def test_a_safe_kafka_has_nothing_to_warn_of(kafka: KafkaFacts) -> None:
    assert {state for state, _ in said(kafka).values()} == {State.OK}


@pytest.mark.parametrize(
    ("kafka", "line", "says"),
    [
        (facts(copies=1), "copies", "on one of 3 brokers only"),
        (facts(min_insync_replicas="1"), "copies", "min.insync.replicas=1 of bekasi.report.v1"),
        (facts(unclean_leader_election_enable="true"), "leaders", "of bekasi.report.v1"),
        (facts(1, 1, flush_messages="9223372036854775807"), "flush", "a power cut loses records"),
        (facts(broker={"auto.create.topics.enable": "true"}), "auto topics", "auto.create.topics.enable=true"),
    ],
)
def test_what_would_lose_something_is_named(kafka: KafkaFacts, line: str, says: str) -> None:
    found = said(kafka)
    assert found.pop(line)[0] is State.WARN
    assert says in said(kafka)[line][1]
    assert {state for state, _ in found.values()} == {State.OK}


@pytest.mark.parametrize(
    ("kafka", "state"),
    [
        (KafkaAccess("127.0.0.1:9092"), State.OK),
        (KafkaAccess("localhost:9092,[::1]:9092"), State.OK),
        (KafkaAccess("127.0.0.1:9092,kafka.bekasi.example:9092"), State.WARN),
        (KafkaAccess("10.0.0.7:9092", "SASL_PLAINTEXT", user="u", password="s3cret"), State.WARN),
        (KafkaAccess("10.0.0.7:9092", "SASL_SSL", user="u", password="s3cret"), State.OK),
    ],
    ids=str,
)
def test_a_kafka_elsewhere_needs_tls(kafka: KafkaAccess, state: State) -> None:
    found = safety.kafka_tls(kafka)
    assert found.state is state
    assert "s3cret" not in found.text


@pytest.mark.parametrize(
    ("dsn", "encrypted", "state"),
    [
        ("postgresql://patriot:x@127.0.0.1:5432/patriot", False, State.OK),
        ("postgresql:///patriot?host=/var/run/postgresql", False, State.OK),
        ("postgresql://patriot:x@db.example/patriot", False, State.WARN),
        ("postgresql://patriot:x@db.example/patriot?sslmode=require", True, State.WARN),
        ("postgresql://patriot:x@db.example/patriot?sslmode=verify-full", True, State.OK),
    ],
)
def test_a_database_elsewhere_needs_tls(dsn: str, encrypted: bool, state: State) -> None:
    assert safety.postgres_tls(dsn, encrypted=encrypted).state is state


def test_a_data_directory_that_others_may_read_is_named(tmp_path: Path) -> None:
    place = tmp_path / "data"
    assert safety.data_dir(place).state is State.OK
    (place / "secrets").mkdir(parents=True)
    for path, mode, state in (
        (place, 0o755, State.WARN),
        (place, 0o711, State.WARN),  # its secrets still are
        (place / "secrets", 0o700, State.OK),
        (place, 0o700, State.OK),
        (place / "secrets", 0o750, State.WARN),
    ):
        path.chmod(mode)
        assert safety.data_dir(place).state is state, (path, oct(mode))


def test_a_broker_whose_records_come_from_the_future_is_named() -> None:
    assert safety.kafka_clock([], 2.0).state is State.OK
    assert safety.kafka_clock([topics.REPORT.name], 2.0).state is State.FAIL
