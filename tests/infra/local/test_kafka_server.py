"""Names of Kafka's clusters."""

from infra.local.kafka_server import new_cluster_id


def test_a_cluster_is_never_named_like_an_option() -> None:
    names = {new_cluster_id() for _ in range(5_000)}
    assert len(names) == 5_000 and all(len(name) == 22 and not name.startswith("-") for name in names)
