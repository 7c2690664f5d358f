"""What works and is unsafe: what others could read, what one dead machine or a careless leader would lose."""

from __future__ import annotations

import ipaddress
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

from infra.kafka_access import KafkaAccess
from infra.local.check import Check, State
from infra.postgres import Connection
from schemas import topics

_VERIFIED: Final = ("verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class KafkaFacts:
    """What a Kafka says of itself."""

    brokers: int
    #: Settings of a broker.
    settings: Mapping[str, str]
    #: Per topic: the least number of copies of a partition, and the topic's settings.
    copies: Mapping[str, int]
    topics: Mapping[str, Mapping[str, str]]


def kafka_tls(kafka: KafkaAccess) -> Check:
    """Whether strangers on the way can read what people report."""
    away = [host for host in (part.rpartition(":")[0] for part in kafka.bootstrap.split(",")) if not _is_here(host)]
    if kafka.tls:
        return Check("Kafka TLS", State.OK, f"{kafka.protocol}, the broker's certificate is looked at")
    if not away:
        return Check("Kafka TLS", State.OK, f"{kafka.protocol}, and it does not leave this machine")
    shown = " with its password" if kafka.sasl else ""
    return Check(
        "Kafka TLS",
        State.WARN,
        f"{kafka.protocol} to {', '.join(away)}: whoever is on the way reads everything{shown};"
        " set PATRIOT_KAFKA_SECURITY_PROTOCOL=SASL_SSL",
    )


def kafka_promises(facts: KafkaFacts) -> list[Check]:
    """Whether what Kafka acknowledged survives a broker, a leader's end and a power cut, and who makes topics."""
    return [_copies(facts), _leaders(facts), _flush(facts), _strange_topics(facts)]


def _copies(facts: KafkaFacts) -> Check:
    if facts.brokers == 1:
        return Check("copies", State.OK, "one broker, one copy; its disk is all there is: see `patriot backup`")
    alone = sorted(name for name, count in facts.copies.items() if count == 1)
    if alone:
        return Check("copies", State.WARN, f"{_some(alone)} on one of {facts.brokers} brokers only: lost with it")
    enough = sorted(name for name, of in facts.topics.items() if of.get("min.insync.replicas") == "1")
    if enough:
        return Check(
            "copies",
            State.WARN,
            f"min.insync.replicas=1 of {_some(enough)}: acknowledged once a single broker has it; set 2",
        )
    return Check("copies", State.OK, "acknowledged only by what survives the loss of a broker")


def _leaders(facts: KafkaFacts) -> Check:
    unclean = sorted(
        name for name, of in facts.topics.items() if of.get("unclean.leader.election.enable", "false") == "true"
    )
    if unclean:
        return Check(
            "leaders",
            State.WARN,
            f"unclean.leader.election.enable=true of {_some(unclean)}: a broker that missed records may lead, and they"
            " are gone; set false",
        )
    return Check("leaders", State.OK, "only a broker that has everything may lead")


def _flush(facts: KafkaFacts) -> Check:
    if facts.brokers > 1:
        return Check("flush", State.OK, f"{facts.brokers} brokers: their copies stand in for the disk")
    unflushed = [
        topic.name
        for topic in topics.ALL
        if topic.flush_each and facts.topics.get(topic.name, {}).get("flush.messages") != "1"
    ]
    if unflushed:
        return Check(
            "flush", State.WARN, f"{_some(unflushed)} on one broker without flush.messages=1: a power cut loses records"
        )
    return Check("flush", State.OK, "each report is on disk before it is acknowledged")


def _strange_topics(facts: KafkaFacts) -> Check:
    if facts.settings.get("auto.create.topics.enable") == "true":
        return Check(
            "auto topics",
            State.WARN,
            "auto.create.topics.enable=true: a name misspelt becomes a topic with the wrong settings; set false",
        )
    return Check("auto topics", State.OK, "no topic makes itself")


def kafka_clock(ahead: Sequence[str], tolerance_s: float) -> Check:
    """`ahead`: topics with records that arrived later than our clock says it is. Kafka tells its time by these only, so
    a broker that is behind is not seen."""
    if ahead:
        return Check(
            "Kafka clock",
            State.FAIL,
            f"more than {tolerance_s:.0f} s ahead of ours (newest records of {_some(list(ahead))}); let both use one"
            " NTP server",
        )
    return Check("Kafka clock", State.OK, f"not more than {tolerance_s:.0f} s ahead of ours, by its newest records")


async def postgres(connection: Connection, dsn: str, *, embedded: bool) -> list[Check]:
    """Whether strangers on the way can read, and whether we may do more than we need."""
    encrypted = await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    role, superuser = await connection.fetchrow(
        "SELECT rolname, rolsuper FROM pg_roles WHERE rolname = current_user"
    ) or ("?", False)
    return [postgres_tls(dsn, encrypted=bool(encrypted)), _role(str(role), bool(superuser), embedded=embedded)]


def postgres_tls(dsn: str, *, encrypted: bool) -> Check:
    """By what the DSN asks for, or (`encrypted`) what the server says the connection is."""
    parts = urlsplit(dsn)
    host, mode = parts.hostname or "", (parse_qs(parts.query).get("sslmode") or [""])[-1]
    if mode in _VERIFIED:
        return Check("SQL TLS", State.OK, f"sslmode={mode}, the server's certificate is looked at")
    if _is_here(host):
        return Check("SQL TLS", State.OK, "does not leave this machine")
    if encrypted:
        return Check(
            "SQL TLS", State.WARN, f"encrypted, but whoever answers at {host} is believed; add sslmode=verify-full"
        )
    return Check("SQL TLS", State.WARN, f"none to {host}: whoever is on the way reads everything; sslmode=verify-full")


def _role(role: str, superuser: bool, *, embedded: bool) -> Check:
    if embedded:
        return Check("SQL role", State.OK, f"{role}, the owner of the embedded database")
    if superuser:
        return Check(
            "SQL role", State.WARN, f"{role} is a superuser; see `patriot migrate --roles` for one role per service"
        )
    return Check("SQL role", State.OK, f"{role} is no superuser")


def data_dir(path: Path) -> Check:
    """Whether other people of this machine can look at photos, phone numbers and secrets."""
    try:
        open_ones = [
            place
            for place, forbidden in ((path, 0o044), (path / "secrets", 0o077))
            if place.exists() and stat.S_IMODE(place.stat().st_mode) & forbidden
        ]
    except OSError as error:
        return Check("data dir", State.FAIL, f"{path} cannot be looked at ({error.strerror})")
    if open_ones:
        return Check(
            "data dir", State.WARN, f"others can look into {_some([str(place) for place in open_ones])}; chmod go-rw"
        )
    return Check("data dir", State.OK, f"{path} is ours alone" if path.exists() else f"{path} is not there yet")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _is_here(host: str) -> bool:
    host = host.strip("[]")
    if not host or host == "localhost" or host.startswith("/"):  # no host, or a socket's directory
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
