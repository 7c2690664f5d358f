"""Named places where a test can kill the process: the dangerous points of the promises, reached without sleeps."""

import os
import signal
from collections import Counter
from typing import Final

#: `PATRIOT_FAILPOINTS="dispatcher.in_transaction=kill@3"`: at the third hit this process gets SIGKILL.
_VARIABLE: Final = "PATRIOT_FAILPOINTS"

#: Every fail point there is; a test names one of these or fails.
NAMES: Final = frozenset(
    {
        "ingest.after_idempotency",  # the key is written, Kafka has nothing yet
        "ingest.after_photos",  # its photos are kept, Kafka has nothing yet
        "ingest.after_contact",  # contact acknowledged, report not yet sent
        "ingest.after_ack",  # Kafka has acknowledged, the 202 is not yet out
        "dispatcher.after_read",  # a batch was fetched, nothing is written
        "dispatcher.in_transaction",  # effects are written, not committed
        "dispatcher.after_commit",  # committed, Kafka's offset mirror not yet
        "relay.after_ack",  # Kafka has the outbox rows, they are not yet marked
        "clocks.in_transaction",  # a deadline has fired, that is not committed
        "notifier.in_transaction",  # notifications of a move are written, not committed
        "notifier.before_send",  # a message is marked as being sent, nobody has it
        "notifier.after_send",  # somebody has it, it is still marked as being sent
        "feed.after_read",  # the feed node has read records, pushed nothing yet
    }
)


def _parse(text: str) -> dict[str, int]:
    armed: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, _, action = part.partition("=")
        verb, _, nth = action.partition("@")
        if name not in NAMES or verb != "kill" or not (nth or "1").isdigit():
            raise ValueError(f"{_VARIABLE}: {part!r} is not NAME=kill[@N] with a known name")
        armed[name] = int(nth or "1")
    return armed


_armed: Final = _parse(os.environ.get(_VARIABLE, ""))
_hits: Final[Counter[str]] = Counter()


def hit(name: str) -> None:
    """Pass the point `name`; kills this process at once when a test has armed it. Free otherwise."""
    if not _armed:
        return
    _hits[name] += 1
    if _armed.get(name) == _hits[name]:
        os.kill(os.getpid(), signal.SIGKILL)
