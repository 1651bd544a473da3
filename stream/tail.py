"""Follows growing files into Kafka: every completed line once, across rotation, restarts and crashes.

What was sent is known from two places. The journal says how far files had been read when Kafka last acknowledged. What was sent after that
and before a crash is in the topic itself: each record's header says from which tail, file and place it comes, and the
journal says from where on to look. So a line is neither lost nor sent twice.
"""

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

from kafka import KafkaProducer, TopicPartition
from kafka.errors import MessageSizeTooLargeError

from stream import tail_journal
from stream.config import Settings
from stream.core.records import Source, SourceRecord
from stream.errors import BrokerError
from stream.files import NO_TIME
from stream.followed import FollowedFiles, Identity, Line
from stream.formats.mapped import FieldMap
from stream.kafka.client import open_consumer, open_producer
from stream.kafka.produce import DELIVERED_WITHIN, key_of
from stream.kafka.read import SILENCE, partitions_of
from stream.kafka.topics import MAX_INPUT_BYTES, require_topics
from stream.tail_journal import Progress

log = logging.getLogger(__name__)

HEADER = "valuedrift_tail"
CHUNK = 1000
POLL_SECONDS = 0.5
LONGEST_WAIT = 30.0

_Place = tuple[Identity, int]
"""A file, and where in it a line begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to follow (`path`, in a folder the files that match `pattern`), where to send it, and where to note how far it got.

    With `from_end` what is in the files at the first start is left out. `form` and `field_map` are as in `produce`.
    """

    path: Path
    topic: str
    journal: Path
    pattern: str = "*.jsonl"
    from_end: bool = False
    form: str | None = None
    field_map: FieldMap | None = None


@dataclass(slots=True)
class Tally:
    """What has become of the lines so far: delivered, of these without a key, too large for the topic, and found to be there already."""

    delivered: int = 0
    unkeyed: int = 0
    too_large: int = 0
    known: int = 0


def tail(settings: Settings, order: Order, *, stop: threading.Event, tally: Tally) -> None:
    """Sends lines as they are completed until `stop` is set, then what is complete by then. Waits for a Kafka that is away.

    Raises:
        TopicError: the topic does not exist.
        BrokerError: Kafka cannot be reached at the start.
        StateError: the journal is held by another process, or cannot be read or written.
    """
    require_topics(settings.kafka, [order.topic])
    with tail_journal.locked(order.journal):
        progress = tail_journal.read(order.journal)
        fresh = progress is None
        if progress is None:
            ends = _ends(settings, order.topic)
            progress = Progress(tail=uuid.uuid4().hex[:12], saved=0.0, files={}, partitions=ends)
        files = FollowedFiles(
            order.path,
            pattern=order.pattern,
            positions=progress.files,
            since=progress.saved,
            from_end=fresh and order.from_end,
        )
        run = _Run(settings, order, files, progress, tally)
        run.note()
        wait = POLL_SECONDS
        try:
            while not stop.is_set():
                try:
                    run.follow(stop)
                except BrokerError as error:
                    log.warning("%s; trying again in %.0f s", error, wait)
                    stop.wait(wait)
                    wait = min(2 * wait, LONGEST_WAIT)
                else:
                    wait = POLL_SECONDS
        finally:
            files.close()


@dataclass(slots=True)
class _Run:
    settings: Settings
    order: Order
    files: FollowedFiles
    progress: Progress
    tally: Tally
    sent: dict[_Place, bytes] = field(default_factory=dict)

    def follow(self, stop: threading.Event) -> None:
        """Sends until `stop` is set; a BrokerError leaves nothing undone that the next call does not make up for."""
        self.files.rewind(self.progress.files)
        self.sent = _sent_since(self.settings, self.order.topic, self.progress)
        with open_producer(self.settings.kafka, max_request_size=MAX_INPUT_BYTES) as producer:
            while True:
                last = stop.is_set()
                while lines := list(islice(self.files.lines(), CHUNK)):
                    self._send(producer, lines)
                    self.note()
                self.sent.clear()
                if last:
                    return
                stop.wait(POLL_SECONDS)

    def note(self) -> None:
        """Writes down how far the files are sent."""
        self.progress = Progress(
            tail=self.progress.tail,
            saved=tail_journal.now(),
            files=self.files.positions(),
            partitions=self.progress.partitions,
        )
        tail_journal.write(self.order.journal, self.progress)

    def _send(self, producer: KafkaProducer, lines: Sequence[Line]) -> None:
        """Returns when every line is acknowledged, or known to be too large."""
        futures = []
        for line in lines:
            if line.value is None:
                self.tally.too_large += 1
                continue
            if not line.value.strip():
                continue
            value = self.order.field_map.apply(line.value) if self.order.field_map else line.value
            if self.sent.get((line.identity, line.start)) == value:
                self.tally.known += 1
                continue
            key = key_of(_record(value), self.settings.monitor.monitor_by, form=self.order.form)
            mark = f"{self.progress.tail}:{line.identity.device}:{line.identity.inode}:{line.start}".encode()
            try:
                futures.append((producer.send(self.order.topic, value, key=key, headers=[(HEADER, mark)]), key))
            except MessageSizeTooLargeError:
                self.tally.too_large += 1
        if futures:
            producer.flush(timeout=DELIVERED_WITHIN)
        ends = dict(self.progress.partitions)
        for future, key in futures:
            if future.failed() and not isinstance(future.exception, MessageSizeTooLargeError):
                raise BrokerError(f"Kafka did not take a record: {future.exception}")
            if future.failed():
                self.tally.too_large += 1
                continue
            delivered = future.get()
            ends[delivered.partition] = max(ends.get(delivered.partition, 0), delivered.offset + 1)
            self.tally.delivered += 1
            self.tally.unkeyed += key is None
        self.progress = Progress(
            tail=self.progress.tail, saved=self.progress.saved, files=self.progress.files, partitions=ends
        )


def _record(value: bytes) -> SourceRecord:
    return SourceRecord(source=Source("tail", 0), offset=0, key=None, value=value, headers=(), timestamp=NO_TIME)


def _ends(settings: Settings, topic: str) -> dict[int, int]:
    """The end of each partition."""
    with open_consumer(settings.kafka) as consumer:
        ends: dict[TopicPartition, int] = consumer.end_offsets(partitions_of(consumer, topic))
        return {partition.partition: end for partition, end in ends.items()}


def _sent_since(settings: Settings, topic: str, progress: Progress) -> dict[_Place, bytes]:
    """What this tail has sent after its journal was written: the places of lines, and their records' values."""
    with open_consumer(settings.kafka) as consumer:
        partitions = partitions_of(consumer, topic)
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        starts = {each: max(progress.partitions.get(each.partition, 0), begins[each]) for each in partitions}
        unread = [each for each in partitions if starts[each] < ends[each]]
        consumer.assign(unread)
        for each in unread:
            consumer.seek(each, starts[each])
        found: dict[_Place, bytes] = {}
        deadline = time.monotonic() + SILENCE
        while any(consumer.position(each) < ends[each] for each in unread):
            for record in chain.from_iterable(consumer.poll(timeout_ms=500).values()):
                deadline = time.monotonic() + SILENCE
                place = _place(dict(record.headers).get(HEADER) or b"", progress.tail)
                if place:
                    found[place] = record.value
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka has sent nothing of {topic} for {SILENCE:.0f} s; is the broker still there?")
        return found


def _place(mark: bytes, tail_name: str) -> _Place | None:
    """The place that a header names, None where it is none of this tail's."""
    name, _, rest = mark.decode(errors="replace").partition(":")
    numbers = rest.split(":")
    if name != tail_name or len(numbers) != 3 or not all(number.isdecimal() for number in numbers):
        return None
    device, inode, start = map(int, numbers)
    return Identity(device, inode), start
