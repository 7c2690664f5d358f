"""A bound on something that all requests share: bytes on disk, bytes in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from infra.problem import unavailable


class Budget:
    """So many bytes and no more; who comes too late is told so at once instead of waiting."""

    def __init__(self, limit: int, refusal: str) -> None:
        self._limit = limit
        self._refusal = refusal
        self.used = 0

    def take(self, size: int) -> None:
        """Use `size` bytes more. Raises 503."""
        if self.used + size > self._limit:
            raise unavailable(self._refusal)
        self.used += size

    def give_back(self, size: int) -> None:
        """Use `size` bytes less."""
        self.used -= size

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Use `size` bytes while the context is open. Raises 503."""
        self.take(size)
        try:
            yield
        finally:
            self.give_back(size)
