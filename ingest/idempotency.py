"""Idempotency keys: what was promised to a key is written down before Kafka is asked, and kept for 7 days."""

from hashlib import sha256
from typing import Final

import msgspec

from infra.objects import Objects
from infra.problem import Problem, invalid
from schemas.wire import Record, Timestamp, encode

KEPT_S: Final = 7 * 24 * 3600.0
MAX_LENGTH: Final = 200
_FOLDER: Final = "idempotency/reports"


class Promise(Record, frozen=True):
    """What the first request with a key was given, or will be once Kafka has its report."""

    #: sha256 (hex) of the parsed report and of each photo as sent.
    digest: str
    report_id: str
    tracking_code: str
    submitted_at: Timestamp


def check_key(key: str | None) -> str | None:
    """The header's value, or None without one. Raises 422 for what is not 1–200 printable ASCII characters."""
    if key is None or (0 < len(key) <= MAX_LENGTH and key.isascii() and key.isprintable() and not key.isspace()):
        return key
    raise invalid("Idempotency-Key", f"1 to {MAX_LENGTH} printable ASCII characters")


def other_body() -> Problem:
    """409: the key belongs to something else."""
    return Problem(409, "idempotency-key", "This Idempotency-Key was used with another body. Use a new one.")


class IdempotencyKeys:
    """The keys of all callers, in the object store, so that they survive this process. Raises OSError."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    @staticmethod
    def name(caller: str, key: str) -> str:
        """Where a caller's key is kept; the key itself is not readable from it."""
        digest = sha256(f"{caller}\0{key}".encode()).hexdigest()
        return f"{_FOLDER}/{digest[:2]}/{digest}"

    async def find(self, name: str) -> Promise | None:
        """What was promised, or None for a new key."""
        found = await self._objects.get(name)
        return None if found is None else msgspec.json.decode(found, type=Promise)

    async def claim(self, name: str, promise: Promise) -> Promise:
        """Write the promise down, on disk when this returns; of several at once, all get the one that was first."""
        if await self._objects.put_if_absent(name, encode(promise)):
            return promise
        return await self.find(name) or promise

    async def is_kept(self, name: str, promise: Promise) -> bool:
        """Whether Kafka is known to have acknowledged this very promise, not an earlier one under the same key."""
        return await self._objects.get(f"{name}.{promise.report_id}") is not None

    async def keep(self, name: str, promise: Promise) -> None:
        """Note that Kafka has it. Need not survive a power cut: a repeat would send the same event once more, and
        the dispatcher knows its id."""
        await self._objects.put_if_absent(f"{name}.{promise.report_id}", b"", durable=False)

    async def sweep(self, now: float) -> int:
        """Forget keys older than 7 days; `now` is Unix time."""
        return await self._objects.sweep(_FOLDER, before=now - KEPT_S)
