"""Passwords as argon2id hashes, made and checked in threads, a few at a time."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

import argon2

from infra.problem import unavailable

T = TypeVar("T")

# OWASP Password Storage Cheat Sheet (2025): argon2id with 19 MiB, 2 passes, 1 lane; some 30 ms here.
_HASHER: Final = argon2.PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
#: Hashes at the same time: 38 MiB and, at most, both cores of a small machine.
_AT_ONCE: Final = 2
#: Sign-ins that wait for their turn, some 2 s; beyond, the answer is 503.
_WAITING: Final = 128

#: What is checked when there is no such account, so that the answer takes as long and says as little.
_NOBODY: Final = _HASHER.hash("nobody's password")


#: In place of a hash, for an account that nobody has a password of yet.
UNUSABLE: Final = "-"


def hashed(password: str) -> str:
    """The argon2id hash in PHC format. Takes some 30 ms of CPU: for commands, not for a server's loop."""
    return _HASHER.hash(password)


class Passwords:
    """Checks and hashes passwords without holding up the loop; bounded in memory and in waiters."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def fit(self, stored: str | None, password: str) -> bool:
        """Whether the password is the stored one; False after the same time when `stored` is None or `UNUSABLE`.

        Raises 503 when too many wait.
        """
        known = stored if stored != UNUSABLE else None
        right = await self._in_turn(lambda: _fits(known or _NOBODY, password))
        return right and known is not None

    async def hashed(self, password: str) -> str:
        """The argon2id hash in PHC format. Raises 503 when too many wait."""
        return await self._in_turn(lambda: hashed(password))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            raise unavailable("Too many are signing in at the moment. Try again in a few seconds.", retry_after_s=5)
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def _fits(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
