"""Faust's Kafka driver with the corrections that at-least-once needs; each class says which fault it removes."""

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import aiokafka
from aiokafka.errors import KafkaError
from faust.app.base import App, BootStrategy
from faust.exceptions import ConsumerNotStarted
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, EventT
from mode.utils.queues import ThrowableQueue

FETCH_WAIT_MS = 50
LOOK_SECONDS = 2.0

WAITING_BYTES = 64 * 1024 * 1024
"""Of records that were read and wait for their stage; what a fetch brings more than this is taken, too."""


class _PositionedThread(driver.AIOKafkaConsumerThread):
    """Reads a partition without a commit from its beginning.

    aiokafka leaves such a partition where it stands, and Faust may have thrown away what was read so far (a rebalance clears
    its queues): those records would be lost.
    """

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        """Bounds how long one empty partition delays the others: aiokafka asks a node once at a time, Faust for 1.5 s."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        return consumer

    async def seek_to_committed(self) -> Mapping[TP, int]:
        committed: Mapping[TP, int] = await super().seek_to_committed()
        changelogs = self.app.tables.changelog_topics
        fresh = [tp for tp, offset in committed.items() if not offset and tp.topic not in changelogs]
        if fresh:
            await self.seek_to_beginning(*fresh)
        return committed


class _Consumer(driver.Consumer):
    """Looks at the ends of its partitions from time to time: what a fetch tells of them is old where fetching pauses."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._ends: Mapping[TP, int] = {}

    def end(self, tp: TP) -> int:
        """The offset that the next record of a partition gets, as far as is known."""
        return max(self.highwater(tp) or 0, self._ends.get(tp, 0))

    @driver.Consumer.task
    async def _look_at_ends(self) -> None:
        async for _ in self.itertimer(LOOK_SECONDS, name="ends"):
            mine = [tp for tp in self.assignment() if not self._is_changelog_tp(tp)]
            try:
                self._ends = await self.highwaters(*mine) if mine else {}
            except (KafkaError, ConsumerNotStarted, TimeoutError):
                continue  # what was known stands until Kafka answers again

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return _PositionedThread(self, loop=self.loop, beacon=self.beacon)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        committed: bool = await super()._commit(offsets)
        if committed:
            cast("WorkerApp", self.app).committed_at = time.monotonic()
        return committed


class _Producer(driver.Producer):
    """Sends idempotently: a retry after a lost reply must not write a record twice."""

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}


class _Transport(driver.Transport):
    Consumer = _Consumer
    Producer = _Producer


class _Recovery(Recovery):
    """Holds reading still while positions are set.

    Faust resumes the source partitions first and seeks afterwards, with its reader running (faust-streaming/faust#596): what
    is read between the two is queued, thrown away when the flow resumes, and then taken for processed.
    """

    async def on_recovery_completed(self, generation_id: int = 0) -> None:
        self._hold()
        await super().on_recovery_completed(generation_id)

    async def _resume_streams(self, generation_id: int = 0) -> None:
        self._hold()
        await super()._resume_streams(generation_id)

    def _hold(self) -> None:
        self.app.consumer.stop_flow()
        self.app.flow_control.suspend()


class _TableManager(TableManager):
    @property
    def recovery(self) -> Recovery:
        if self._recovery is None:
            self._recovery = _Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class BoundedQueue(ThrowableQueue[EventT[Any]]):
    """What was read and waits for its stage, bounded by bytes.

    Faust bounds the number of records only; with responses of 100 kB, 32,768 of them would be 3 GB.
    """

    held = 0

    def in_pressure_high_state(self, callback: Callable[[], None]) -> bool:
        """Whether fetching is to stop; true once for each partition, until pressure drops."""
        if self.held < WAITING_BYTES or callback in self._pending_pressure_drop_callbacks:
            return bool(super().in_pressure_high_state(callback))
        self._pending_pressure_drop_callbacks.add(callback)
        return True

    def maybe_endorse_pressure_drop(self) -> None:
        """Lets fetching go on when little is left."""
        if self.held <= WAITING_BYTES * self.pressure_drop_ratio:
            super().maybe_endorse_pressure_drop()

    def clear(self) -> None:
        """Throws away what waits."""
        super().clear()
        self.held = 0

    def _put(self, item: EventT[Any]) -> None:
        super()._put(item)
        self.held += len(item.message.value or b"")

    def _get(self) -> EventT[Any]:
        item: EventT[Any] = super()._get()
        self.held -= len(item.message.value or b"")
        return item


class _BootStrategy(BootStrategy):
    enable_web = False


class WorkerApp(App):
    """A Faust app without web server, folders or topics of its own, on the corrected driver."""

    BootStrategy = _BootStrategy

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, TableManager=_TableManager, **options)
        self.committed_at: float | None = None
        """When offsets were last committed, by the clock of `time.monotonic`."""

    def lag(self, topic: str) -> int:
        """How many records of this worker's partitions of the topic are not yet committed; 0 while there are none."""
        if self._consumer is None:
            return 0
        consumer = cast("_Consumer", self.consumer)
        try:
            mine = [tp for tp in consumer.assignment() if tp.topic == topic]
        except ConsumerNotStarted:
            return 0
        # Faust's monitor knows the commits of this process only, the consumer also where it began.
        return sum(max(0, consumer.end(tp) - (consumer._committed_offset[tp] or 0)) for tp in mine)

    def FlowControlQueue(self, maxsize: int | None = None, *, clear_on_resume: bool = False) -> BoundedQueue:  # noqa: N802 - Faust's name
        """The queue between reader and stage."""
        return BoundedQueue(maxsize=maxsize, flow_control=self.flow_control, clear_on_resume=clear_on_resume)

    def abandon(self) -> None:
        """Lets the next `stop` go without what is in flight: it is not committed, so the next worker reads it again."""
        self.conf.stream_wait_empty = False

    def _new_transport(self) -> driver.Transport:
        return _Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> driver.Transport:
        return _Transport(self.conf.broker_producer, self)

    def _create_directories(self) -> None:
        """Faust would make a folder in the working directory for stores that this app does not use."""
