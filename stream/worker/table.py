"""The state of every monitor: a plain Faust table of bytes whose writes can be waited for, and that no late worker can spoil."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import faust
from faust.stores.memory import Store
from faust.types import EventT
from faust.types.tuples import TP

from stream.errors import WorkerError
from stream.worker.changelog import Ledger, Stored
from stream.worker.driver import WorkerApp

NAME = "monitors"

COMPACTION = {"segment.bytes": str(16 * 1024 * 1024), "min.cleanable.dirty.ratio": "0.1"}
"""Kafka compacts no segment that is still written to: with its default of 1 GB, a restart would read old states for long."""

log = logging.getLogger(__name__)


class StateTable(faust.Table[bytes, bytes]):
    """Snapshots by monitor, kept in memory and in a compacted changelog topic.

    `table[key] = value` would return before the changelog has the value, and the offset's commit could overtake it. So a
    write has two halves: `hold` makes it visible at once, `write` returns when all replicas have it. Both are told
    the partition; Faust would guess it from the current event, which a batch does not have.

    Of all states of a monitor that the changelog holds, recovery takes the one that has read furthest, whoever wrote it and
    whenever it arrived (`stream.worker.changelog` says why). Once this worker has written a monitor, it gives up the keys under which
    others had.
    """

    owned: frozenset[int] = frozenset()
    """Partitions whose states are recovered here."""

    def __init__(self, app: WorkerApp, **options: Any) -> None:
        super().__init__(app, **options)
        self._ledger = Ledger()

    @property
    def states(self) -> Mapping[bytes, bytes]:
        """The snapshots of all monitors that lie in this worker's partitions."""
        return self._memory.data

    @property
    def places(self) -> Mapping[bytes, int]:
        """The partition of each of these monitors."""
        return self._memory._key_partition

    def hold(self, monitor: bytes, state: bytes, *, partition: int, read_to: int) -> Stored:
        """Replaces a monitor's state in memory; returns what to write.

        Raises:
            WorkerError: the partition is not this worker's, so that the state that this one follows from is not known.
        """
        if partition not in self.owned:
            raise WorkerError(
                f"partition {partition} of the scored topic was handed to another worker while its records were still "
                "waiting here; nothing of them is committed, and the other worker reads them"
            )
        self._put(monitor, state, partition)
        return Stored(partition, self._ledger.hold(monitor, read_to), state)

    async def write(self, changed: Sequence[tuple[bytes, Stored]]) -> None:
        """Returns when all replicas have the states, and then gives up the other keys under which the monitors stood."""
        ledger = self._ledger
        states = [(*ledger.write(monitor, stored), stored.partition) for monitor, stored in changed]
        given_up = [
            (key, None, stored.partition) for monitor, stored in changed for key in ledger.give_up(monitor, stored)
        ]
        await self._send(states)
        await self._send(given_up)

    async def _send(self, records: Sequence[tuple[bytes, bytes | None, int]]) -> None:
        send, topic = self.app.producer.send, self.changelog_topic_name
        for sent in [await send(topic, key, value, partition, None, None) for key, value, partition in records]:
            await sent

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]]) -> None:
        """Takes what is read back; a state that has read less than the one at hand is passed over."""
        for event in batch:
            message = event.message
            entry = self._ledger.take(message.key or b"", message.value)
            if entry is not None and entry.state is not None:
                self._put(entry.monitor, entry.state, message.partition)

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Forgets what is no longer this worker's, takes new keys, and calls back."""
        await self._memory.on_recovery_completed(active_tps, standby_tps)
        self.owned = frozenset(partition for _, partition in active_tps)
        if self._ledger.passed_over:
            log.warning(
                "passed over %d states that came late from workers without the partition", self._ledger.passed_over
            )
        self._ledger.turn(self.states)
        await self.call_recover_callbacks()

    def _put(self, monitor: bytes, state: bytes, partition: int) -> None:
        store = self._memory
        store.data[monitor] = state
        # Faust forgets a partition's keys when it gives the partition up, but only those that it had recovered.
        store._key_partition[monitor] = partition

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
