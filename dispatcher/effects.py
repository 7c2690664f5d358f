"""What the consumer asks of those who turn messages into effects: the seam between the machinery and the decisions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from infra.postgres import Connection
from schemas.envelope import Envelope


class Message(msgspec.Struct, frozen=True, gc=False):
    """One record of Kafka, decoded and typed."""

    envelope: Envelope
    value: msgspec.Struct
    topic: str
    partition: int
    offset: int
    #: The broker's clock (LogAppendTime).
    received_at: datetime


class Effects(Protocol):
    """What happens in PostgreSQL because of messages."""

    @property
    def name(self) -> str:
        """Name in `consumer_offset`, such as `reports`; never changes, for the offsets are kept by it."""

    @property
    def topics(self) -> Sequence[str]:
        """The topics to read."""

    @property
    def types(self) -> Mapping[str, type[msgspec.Struct]]:
        """Each `ce_type` that may be on them, and what its value is decoded to."""

    @property
    def remembers_ids(self) -> bool:
        """Whether events are told apart by `ce_id`; False where their own key does it, as for readings."""

    async def apply(self, connection: Connection, messages: Sequence[Message], now: datetime) -> None:
        """Write the effects of `messages`, in their order, inside the batch's one transaction (READ COMMITTED).

        No id comes twice. `now` is PostgreSQL's clock. Whatever it raises rolls the batch back: an error that passes
        (connection, deadlock) has the same batch tried again, any other has it tried one message at a time, and the
        message that fails alone is set aside. Nothing but the transaction may be touched.
        """
