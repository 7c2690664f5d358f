"""The sealer: chains the audit's entries a moment after they were committed, one worker at a time."""

import asyncio
from typing import Final

import structlog

from dispatcher import audit_store, metrics
from dispatcher.audit_signature import Signer
from dispatcher.supervise import pause
from infra.postgres import Connection, Pool

log = structlog.get_logger()

#: Any number that nothing else in this database locks.
_LOCK: Final = 0x6175_6469
#: Seconds between looks; an entry is chained within this time of its commit.
_LOOK_S: Final = 1.0
#: Entries of one transaction; one of a large batch of reports has some 50 KiB.
_MOST: Final = 500


class Sealer:
    """Any number of workers may run one."""

    def __init__(self, pool: Pool, signer: Signer | None) -> None:
        """Without a signer heads are kept unsigned, and `patriot audit verify` says so."""
        self._pool = pool
        self._signer = signer

    async def run(self, stop: asyncio.Event) -> None:
        """Seal until `stop` is set. Raises what PostgreSQL raises when it is away."""
        while not stop.is_set():
            if await self.seal() < _MOST:
                await pause(stop, _LOOK_S)

    async def seal(self) -> int:
        """Chain what waits, in one transaction; answers how many entries that were, 0 while another worker seals."""
        async with self._pool.acquire(timeout=5) as connection:
            async with connection.transaction():
                # Held until the commit: whoever seals next sees where we ended.
                if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", _LOCK):
                    return 0
                sealed = await self._seal(connection)
            metrics.AUDIT_UNSEALED.set(await audit_store.waiting(connection))
        metrics.AUDIT_SEALED.inc(sealed)
        return sealed

    async def _seal(self, connection: Connection) -> int:
        sealed, head = await audit_store.seal(connection, _MOST)
        if head is None:
            return 0
        before = await audit_store.select_end(connection)
        if await audit_store.put_head(connection, self._signer.signed(head) if self._signer else head) and before:
            # Also into the log, which is kept elsewhere: whoever can write all of the database cannot change it there.
            signature = before.signature.hex() if before.signature else None
            log.info("audit_head", seq=before.seq, hash=before.hash.hex(), at=str(before.at), signature=signature)
        return sealed
