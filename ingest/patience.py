"""How long one request waits for others: who it is from, the disk and Kafka together, not each anew."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

#: Whoever sends must have a 503 within 5 s. The rest of that is for our own work on a busy machine.
PATIENCE_S: Final = 4.5


class Patience:
    """One request's. Its body, and the encoding of its photos, have limits of their own and are not waited for here."""

    def __init__(self, seconds: float = PATIENCE_S) -> None:
        self._left = seconds
        self._loop = asyncio.get_running_loop()

    @property
    def deadline(self) -> float:
        """When it ends if nothing but waiting follows, by the loop's clock."""
        return self._loop.time() + self._left

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts what is inside, which has a shorter limit of its own."""
        start = self._loop.time()
        try:
            yield
        finally:
            self._left = max(0.0, self._left - (self._loop.time() - start))

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Counts what is inside, and ends it with TimeoutError when nothing is left."""
        with self.counted():
            async with asyncio.timeout(self._left):
                yield
