"""Reading a topic as it stands: from its beginning or a time, to its present end, in one reproducible order."""

import heapq
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from stream.config import KafkaSettings
from stream.core.records import Micros, Source, SourceRecord
from stream.errors import BrokerError, InputError
from stream.kafka.client import open_consumer

SILENCE = 30.0
"""Seconds without a record, though the end is not reached, after which Kafka counts as gone."""

ENOUGH_BYTES = 8 * 1024 * 1024
FEW_BYTES = ENOUGH_BYTES // 8
"""A partition that has ENOUGH waiting is not fetched until it has FEW again, so that memory stays bounded."""


@dataclass(slots=True)
class _Lane:
    """One partition: what is fetched and not yet handed out, the offset to go on at, and the one at which reading ends."""

    partition: TopicPartition
    next: int
    end: int
    waiting: deque[SourceRecord] = field(default_factory=deque)
    size: int = 0
    complete: bool = False
    fetched: bool = False

    def take(self, record: ConsumerRecord) -> None:
        if record.offset < self.end:
            self.waiting.append(_convert(record))
            self.size += len(record.value or b"")

    def pop(self) -> SourceRecord:
        record = self.waiting.popleft()
        self.size -= len(record.value or b"")
        return record


def read_topic(
    settings: KafkaSettings, topic: str, *, since: Micros | None = None, until: Micros | None = None
) -> Iterator[SourceRecord]:
    """Every record of the topic up to its end at the time of the call, merged by Kafka's timestamp.

    Records of one partition come in its order, always, hence those of one key too, and those of one monitor where records are
    keyed by monitor. Between partitions the earlier timestamp comes first, then the smaller partition: the same topic is always
    read in the same order. `since` (included) and `until` (excluded) go by Kafka's timestamp, the time at which a record was
    produced: in each partition reading begins at the first record that is not earlier, and ends before the first that is
    not earlier than `until`.

    Raises:
        InputError: the topic does not exist.
        BrokerError: Kafka cannot be reached, or falls silent.
    """
    with open_consumer(settings) as consumer:
        lanes = _open(consumer, topic, since, until)
        heads: list[tuple[Micros, int, _Lane]] = []
        empty = lanes
        while heads or empty:
            for lane in empty:
                _fill(consumer, lane, lanes)
                if lane.waiting:
                    heapq.heappush(heads, (lane.waiting[0].timestamp, lane.partition.partition, lane))
            empty = []
            if heads:
                _, number, lane = heads[0]
                yield lane.pop()
                if lane.waiting:
                    heapq.heapreplace(heads, (lane.waiting[0].timestamp, number, lane))
                else:
                    heapq.heappop(heads)
                    empty = [lane]


def partitions_of(consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """The topic's partitions, in order.

    Kafka is asked up to three times: kafka-python 3.0 takes the answer to a question that was already under way, about no topic
    at all, for the answer to this one.

    Raises:
        InputError: the topic does not exist.
    """
    for _ in range(3):
        if numbers := consumer.partitions_for_topic(topic):
            return [TopicPartition(topic, number) for number in sorted(numbers)]
        time.sleep(0.1)
    raise InputError(f"Kafka has no topic {topic}; `valuedrift topics show` lists those of the settings")


def _open(consumer: KafkaConsumer, topic: str, since: Micros | None, until: Micros | None) -> list[_Lane]:
    """The partitions that have something to read, from where to where."""
    partitions = partitions_of(consumer, topic)
    starts = consumer.beginning_offsets(partitions)
    ends = consumer.end_offsets(partitions)
    if since is not None:
        starts |= _first_at(consumer, ends, since)
    if until is not None:
        ends |= _first_at(consumer, ends, until)
    return [_Lane(each, starts[each], ends[each]) for each in partitions if starts[each] < ends[each]]


def _first_at(consumer: KafkaConsumer, ends: dict[TopicPartition, int], at: Micros) -> dict[TopicPartition, int]:
    """Offset of each partition's first record that is not earlier than `at`, its end where there is none."""
    milliseconds = max(0, -(-at // 1000))  # rounded up: Kafka knows milliseconds only
    found = consumer.offsets_for_times(dict.fromkeys(ends, milliseconds))
    return {
        partition: min(found[partition].offset, end) if found[partition] else end for partition, end in ends.items()
    }


def _fill(consumer: KafkaConsumer, lane: _Lane, lanes: list[_Lane]) -> None:
    """Returns when the lane has a record waiting or is complete; other lanes are filled on the way."""
    by_partition = {each.partition: each for each in lanes}
    deadline = time.monotonic() + SILENCE
    while not lane.waiting and not lane.complete:
        _choose(consumer, lanes)
        for partition, records in consumer.poll(timeout_ms=500, max_records=2000).items():
            deadline = time.monotonic() + SILENCE
            for record in records:
                by_partition[partition].take(record)
        for each in lanes:
            if each.fetched:
                # The position, not the last record: a transaction's end mark takes an offset and is never handed out.
                each.next = consumer.position(each.partition) or each.next
                each.complete = each.next >= each.end
        if time.monotonic() > deadline:
            raise BrokerError(
                f"Kafka has sent nothing of {lane.partition.topic} for {SILENCE:.0f} s; is the broker still there?"
            )


def _choose(consumer: KafkaConsumer, lanes: list[_Lane]) -> None:
    """Fetches only what is incomplete and has room.

    By assignment, because a partition that was paused while its records were under way is never fetched again (kafka-python 3.0.12).
    """
    chosen = [lane for lane in lanes if not lane.complete and lane.size < (ENOUGH_BYTES if lane.fetched else FEW_BYTES)]
    fresh = [lane for lane in chosen if not lane.fetched]
    if fresh or len(chosen) < sum(lane.fetched for lane in lanes):
        consumer.assign([lane.partition for lane in chosen])
    for lane in fresh:
        consumer.seek(lane.partition, lane.next)
    for lane in lanes:
        lane.fetched = lane in chosen


def _convert(record: ConsumerRecord) -> SourceRecord:
    return SourceRecord(
        source=Source(record.topic, record.partition),
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple((name, content or b"") for name, content in record.headers),
        timestamp=record.timestamp * 1000,
    )
