"""Takes records out of Kafka's client, from the partitions that are ours."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from dispatcher.ownership import Ownership, Stray
from infra.kafka import is_of_the_bytes, must_fetch

Records = Mapping[TopicPartition, Sequence[ConsumerRecord]]

#: getmany waits without a bound while a rebalance is under way; this is the bound, in seconds.
_LIMIT_S: Final = 2.0
#: More than one fetch of a partition holds.
_CAREFULLY: Final = 2_000


@dataclass(frozen=True, slots=True)
class Unreadable(Exception):
    """The client cannot take apart what lies at `offset` of a partition: an unknown codec, headers that are no text."""

    partition: TopicPartition
    offset: int
    error: Exception


class OutOfRange(Exception):
    """The next record of a partition was gone, or beyond its end; it starts over from its oldest record."""


class Reader:
    """Reads for one consumer. What it hands out and nobody settles must be rewound (`Ownership.rewind`)."""

    def __init__(self, consumer: AIOKafkaConsumer, ownership: Ownership) -> None:
        self._consumer = consumer
        self._ownership = ownership
        #: So many records are read one by one, to come to the very place that cannot be read.
        self._carefully = 0

    async def read(self, wait: float, most: int) -> Records:
        """Records as soon as there are some, at most `most`; none after `wait` s.

        Raises `Unreadable`, `OutOfRange`, and `KafkaError` or `Stray` for what only a new client can mend.
        """
        most = 1 if self._carefully else most
        try:
            async with asyncio.timeout(wait + _LIMIT_S):
                records: Records = await self._consumer.getmany(timeout_ms=int(wait * 1000), max_records=most)
        except TimeoutError:
            return {}  # a rebalance is under way
        except NoOffsetForPartitionError:
            return {}  # expected before the seek, where the mirror is empty
        except OffsetOutOfRangeError as error:
            self._ownership.start_over(error.args[0])
            raise OutOfRange from error
        except Exception as error:
            if not is_of_the_bytes(error):
                raise
            # Records of other partitions, or before it, may have been taken, and were lost with the error.
            self._ownership.rewind()
            if self._carefully:
                await self._find_unreadable()
            self._carefully = _CAREFULLY
            return {}
        if not records:
            must_fetch(self._consumer)
        self._carefully = max(self._carefully - 1, 0)
        for tp, found in records.items():
            self._ownership.took(tp, found[0].offset, found[-1].offset)
        return records

    async def rest(self, seconds: float) -> None:
        """Wait without reading, and stay in the group: the client leaves it when nobody asks for records."""
        self._ownership.pause()
        try:
            if await self.read(seconds, 1):
                self._ownership.rewind()  # of a partition that a rebalance has given us meanwhile
        except (OutOfRange, Unreadable):
            pass  # comes again when we read
        self._ownership.resume()

    async def _find_unreadable(self) -> None:
        """Raise `Unreadable` for the first partition whose next record is, all before it being settled; `Stray` when it
        is none of them, and yet reading failed twice."""
        async with asyncio.timeout(_LIMIT_S):
            ends = await self._consumer.end_offsets(list(self._ownership.owned))
        for tp, owned in list(self._ownership.owned.items()):
            if owned.next_offset >= ends[tp]:
                continue
            try:
                async with asyncio.timeout(_LIMIT_S):
                    await self._consumer.getmany(tp, timeout_ms=1000, max_records=1)
            except (NoOffsetForPartitionError, OffsetOutOfRangeError, TimeoutError):
                pass  # another trouble, which the next read tells
            except Exception as error:
                if not is_of_the_bytes(error):
                    raise
                self._carefully = 0
                raise Unreadable(tp, owned.next_offset, error) from error
            finally:
                if tp in self._ownership.owned:
                    self._ownership.rewind()
        raise Stray("the client raises, and at no partition's record")
