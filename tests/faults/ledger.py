"""A line before and after each attempt, so that what a system says can be held against what it did."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What the client knows of an attempt. A 503 after hand-over, or no answer at all, is unknown."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass
class Entry:
    """One thing that a client wanted done, under one Idempotency-Key, in as many attempts as it took."""

    key: str
    outcomes: list[Outcome] = field(default_factory=list)
    #: What was answered with a 202, attempt by attempt.
    receipts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return bool(self.receipts)


@dataclass(frozen=True)
class Verdict:
    """The three things that must be nothing."""

    #: Acknowledged, and not there.
    lost: list[str]
    #: There, and nobody asked for it (or it was refused).
    ghosts: list[str]
    #: One wish, more than one thing.
    doubled: list[str]

    @property
    def clean(self) -> bool:
        return not (self.lost or self.ghosts or self.doubled)


def judge(entries: list[Entry], found: list[tuple[str, str]]) -> Verdict:
    """Hold the ledger against what was found: pairs of (key, id), one for each thing that exists."""
    by_key: dict[str, set[str]] = {}
    for key, identity in found:
        by_key.setdefault(key, set()).add(identity)
    asked = {entry.key: entry for entry in entries}
    lost = [
        identity for entry in entries for identity, _ in entry.receipts if identity not in by_key.get(entry.key, set())
    ]
    ghosts = [key for key in by_key if key not in asked or set(asked[key].outcomes) == {Outcome.REFUSED}]
    doubled = [key for key, identities in by_key.items() if len(identities) > 1]
    answers = Counter((entry.key, receipt) for entry in entries for receipt in set(entry.receipts))
    doubled += [entry.key for entry in entries if sum(1 for key, _ in answers if key == entry.key) > 1]
    return Verdict(lost, ghosts, doubled)
