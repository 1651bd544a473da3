"""The state of every monitor: a plain Faust table of bytes whose writes can be waited for."""

from collections.abc import Awaitable, Mapping

import faust
from faust.stores.memory import Store
from faust.types.tuples import RecordMetadata

from stream.errors import WorkerError
from stream.worker.driver import WorkerApp

NAME = "monitors"

COMPACTION = {"segment.bytes": str(16 * 1024 * 1024), "min.cleanable.dirty.ratio": "0.1"}
"""Kafka compacts no segment that is still written to: with its default of 1 GB, a restart would read old states for long."""


class StateTable(faust.Table[bytes, bytes]):
    """Snapshots by monitor, kept in memory and in a compacted changelog topic.

    `table[key] = value` would return before the changelog has the value, and the offset's commit could overtake it. So a
    write has two halves: `hold` makes it visible at once, `send` returns what to await before acknowledging. Both are told
    the partition; Faust would guess it from the current event, which a batch does not have.
    """

    @property
    def states(self) -> Mapping[bytes, bytes]:
        """The snapshots of all monitors that lie in this worker's partitions."""
        return self._memory.data

    @property
    def places(self) -> Mapping[bytes, int]:
        """The partition of each of these monitors."""
        return self._memory._key_partition

    def hold(self, monitor: bytes, state: bytes, *, partition: int) -> None:
        """Replaces a monitor's state in memory."""
        store = self._memory
        store.data[monitor] = state
        # Faust forgets a partition's keys when it gives the partition up, but only those that it had recovered.
        store._key_partition[monitor] = partition

    async def send(self, monitor: bytes, state: bytes, *, partition: int) -> Awaitable[RecordMetadata]:
        """Queues a state for the changelog; what it returns ends when all replicas have it."""
        return await self.app.producer.send(self.changelog_topic_name, monitor, state, partition, None, None)

    @property
    def _memory(self) -> Store[bytes, bytes]:
        if not isinstance(self.data, Store):
            raise WorkerError("states are kept in memory and in the changelog; no other store is supported")
        return self.data


def new_table(app: WorkerApp, *, partitions: int) -> StateTable:
    """A state table that is partitioned as its source topic is."""
    table = StateTable(
        app, name=NAME, key_type=bytes, value_type=bytes, partitions=partitions, extra_topic_configs=COMPACTION
    )
    app.tables.add(table)
    return table


def changelog_name(group: str) -> str:
    """The topic that keeps the states of a consumer group's table."""
    return f"{group}-{NAME}-changelog"
