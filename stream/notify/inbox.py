"""The alerts topic as one receiver reads it: which alerts are past, which are new, and how far it has come."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from typing import Self

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import CommitFailedError, RebalanceInProgressError

from stream.config import KafkaSettings
from stream.core.records import SourceRecord
from stream.kafka.client import open_consumer
from stream.kafka.read import read_topic

POLL_MS = 500


class Reassigned(Exception):  # noqa: N818 - a turn of events, not an error
    """The partitions are no longer the same: whoever reads must take over anew. What was not committed comes again."""


class _Hold(Enum):
    WAITING = auto()
    """None are ours, or those that were are being shared out anew."""
    GIVEN = auto()
    """Partitions have been given to us, and not yet been taken over."""
    TAKEN = auto()


class _Watch(ConsumerRebalanceListener):  # type: ignore[misc] # kafka-python has no types
    """Notes what the group decides: Kafka's own thread calls it, and must not be kept waiting."""

    def __init__(self) -> None:
        self.hold = _Hold.WAITING

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002
        self.hold = _Hold.WAITING

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:  # noqa: ARG002
        self.hold = _Hold.GIVEN


class Inbox:
    """Reads as a member of a consumer group; partitions may come and go with other members."""

    def __init__(self, consumer: KafkaConsumer, settings: KafkaSettings, *, from_beginning: bool) -> None:
        self._consumer = consumer
        self._settings = settings
        self._topic = settings.topics.alerts
        self._from_beginning = from_beginning
        self._watch = _Watch()
        self._starts: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        consumer.subscribe([self._topic], listener=self._watch)

    @classmethod
    @contextmanager
    def open(cls, settings: KafkaSettings, *, group: str, from_beginning: bool) -> Iterator[Self]:
        """Joins the group, and leaves it afterwards.

        Where nothing is committed yet, new alerts begin at the present end, or with `from_beginning` at the first alert.

        Raises:
            BrokerError: Kafka cannot be reached, or refuses.
        """
        with open_consumer(settings, group=group) as consumer:
            yield cls(consumer, settings, from_beginning=from_beginning)

    @property
    def exhausted(self) -> bool:
        """Whether all has been fetched that was there when the partitions were taken over."""
        return self._watch.hold is _Hold.TAKEN and all(
            (self._consumer.position(partition) or 0) >= end for partition, end in self._ends.items()
        )

    @property
    def given(self) -> bool:
        """Whether there are partitions to take over before anything can be fetched."""
        return self._watch.hold is _Hold.GIVEN

    def fetch(self) -> list[ConsumerRecord]:
        """New alerts, those of a partition in its order, after half a second at the latest; `done` with each in turn."""
        fetched = self._consumer.poll(timeout_ms=POLL_MS)
        if self._watch.hold is not _Hold.TAKEN:
            return []  # they come again from where they were committed
        return [record for records in fetched.values() for record in records]

    def take_over(self) -> Iterator[SourceRecord]:
        """The past of the partitions that are now ours: the alerts that were dealt with before, in order.

        Call `begin` when they are read and what follows from them is done.

        Raises:
            Reassigned: another member of the group has a partition by now.
        """
        self._watch.hold = _Hold.TAKEN
        partitions = list(self._consumer.assignment())
        self._ends = self._consumer.end_offsets(partitions) if partitions else {}
        self._starts = {partition: self._start(partition) for partition in partitions}
        # Where the past ends is settled before anybody is told of it. Else a process killed right after its first page would find,
        # at the next start, an incident that came and went without it, and never close it.
        self._commit(self._starts)
        for record in read_topic(self._settings, self._topic):
            place = TopicPartition(record.source.topic, record.source.partition)
            if record.offset < self._starts.get(place, 0):
                yield record

    def begin(self) -> None:
        """From here on `fetch` returns what came after the past."""
        self._consumer.resume(*self._consumer.assignment())
        for partition, offset in self._starts.items():
            self._consumer.seek(partition, offset)

    def done(self, record: ConsumerRecord) -> None:
        """Commits: the record is dealt with, and will not come again.

        Raises:
            Reassigned: another member of the group has the partition by now.
        """
        self._commit({TopicPartition(record.topic, record.partition): record.offset + 1})

    def idle(self, seconds: float) -> None:
        """Waits as a living member of the group, without fetching anything.

        Raises:
            Reassigned: the partitions were taken away or given anew.
        """
        assigned = self._consumer.assignment()
        self._consumer.pause(*assigned)
        self._consumer.poll(timeout_ms=max(1, round(1000 * seconds)))
        if self._watch.hold is not _Hold.TAKEN:
            raise Reassigned
        self._consumer.resume(*assigned)

    def _start(self, partition: TopicPartition) -> int:
        committed: int | None = self._consumer.committed(partition)
        if committed is not None and committed <= self._ends[partition]:
            return committed
        if self._from_beginning:
            return int(self._consumer.beginning_offsets([partition])[partition])
        return self._ends[partition]

    def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            return
        try:
            self._consumer.commit(
                {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
            )
        except (CommitFailedError, RebalanceInProgressError):
            self._watch.hold = _Hold.GIVEN  # whatever the group decides: read again from what is committed
            raise Reassigned from None
