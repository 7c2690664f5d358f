"""What each service may do in an outside Kafka, as data: no more than it needs. Commands or requests are made of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

from infra.kafka import raw_client
from infra.kafka_access import KafkaAccess
from schemas import topics

Service = Literal["ingest", "dispatcher", "feed", "operator"]
Kind = Literal["topic", "group", "transactional-id", "cluster"]


class Operation(IntEnum):
    """What may be done; the numbers are Kafka's (`AclOperation`)."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10


#: Kafka's numbers of kinds (`ResourceType`), of names and beginnings of names (`PatternType`), and of permission.
_KINDS: Final[Mapping[Kind, int]] = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
_LITERAL, _PREFIXED, _ALLOW = 3, 4, 3

#: Every topic of ours begins like this, so that an operator needs no rule for each.
_OURS: Final = "bekasi."
_TAKEN_IN: Final = (topics.REPORT, topics.CONTACT, topics.TELEMETRY)
_SENT_OUT: Final = (topics.INCIDENT, topics.ASSIGNMENT, topics.FEED, *topics.DEAD_LETTERS)
_SERVICES: Final[tuple[Service, ...]] = ("ingest", "dispatcher", "feed")
_READ: Final = (Operation.READ, Operation.DESCRIBE)
_WRITE: Final = (Operation.WRITE, Operation.DESCRIBE)


@dataclass(frozen=True, slots=True)
class Rule:
    """One service may do `operations` on what is called `name`, or begins with it."""

    service: Service
    kind: Kind
    name: str
    operations: tuple[Operation, ...]
    prefixed: bool = False


#: The desk has no business with Kafka. A producer that may write to a topic may do so idempotently (KIP-679).
RULES: Final[tuple[Rule, ...]] = (
    *(Rule("ingest", "topic", topic.name, _WRITE) for topic in _TAKEN_IN),
    # what is replayed of the dead letters is written where it came from
    *(Rule("dispatcher", "topic", topic.name, (*_READ, Operation.WRITE)) for topic in _TAKEN_IN),
    *(Rule("dispatcher", "topic", topic.name, _WRITE) for topic in _SENT_OUT),
    # a relay looks at its start whether the feed ends with what it last sent
    Rule("dispatcher", "topic", topics.FEED.name, (Operation.READ,)),
    Rule("dispatcher", "group", topics.DISPATCHER_GROUP, _READ),
    Rule("dispatcher", "transactional-id", "relay-", _WRITE, prefixed=True),
    Rule("feed", "topic", topics.FEED.name, _READ),
    # whether the topics are those of a training city
    *(Rule(service, "topic", topics.TRAINING.name, (Operation.DESCRIBE,)) for service in _SERVICES),
    # `patriot kafka topics` and `patriot doctor`
    Rule(
        "operator",
        "topic",
        _OURS,
        (Operation.CREATE, Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS),
        prefixed=True,
    ),
    Rule("operator", "cluster", "kafka-cluster", (Operation.DESCRIBE_CONFIGS,)),
)
SERVICES: Final[tuple[Service, ...]] = (*_SERVICES, "operator")


def commands(users: Mapping[Service, str], server: str) -> Iterator[str]:
    """The rules as lines for a shell with Kafka's own tools; `server` is `host:port`."""
    for rule in RULES:
        pattern = " --resource-pattern-type prefixed" if rule.prefixed else ""
        on = "" if rule.kind == "cluster" else f" {rule.name}"
        may = " ".join(f"--operation {_words(operation)}" for operation in rule.operations)
        yield (
            f"kafka-acls.sh --bootstrap-server {server} --command-config admin.properties --add"
            f" --allow-principal User:{users[rule.service]} {may} --{rule.kind}{on}{pattern}"
        )


async def apply(kafka: KafkaAccess | str, users: Mapping[Service, str]) -> int:
    """Make the rules in a Kafka where we may alter its ACLs; answers how many. Safe twice; raises `KafkaError`."""
    made = 0
    async with raw_client(kafka, "patriot-acls") as client:
        node = client.get_random_node()
        for rule in RULES:
            for operation in rule.operations:
                pattern = _PREFIXED if rule.prefixed else _LITERAL
                principal = f"User:{users[rule.service]}"
                answer = await client.send(
                    node,
                    CreateAclsRequest(_KINDS[rule.kind], rule.name, pattern, principal, "*", operation, _ALLOW),
                )
                for code, message in answer.creation_responses:
                    if code:
                        raise for_code(code)(message)
                made += 1
    return made


def _words(operation: Operation) -> str:
    return "".join(word.capitalize() for word in operation.name.split("_"))
