"""Sends log lines to Kafka as they are, keyed by monitor, so that each monitor's order survives any number of partitions."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError
from kafka.producer.future import FutureRecordMetadata

from stream.config import Settings
from stream.core.records import Micros, ResponseEvent, SourceRecord
from stream.errors import BrokerError
from stream.formats import recognise
from stream.formats.missing_time import Demanded, MissingTime, Spaced
from stream.interrupts import interrupts_held
from stream.kafka.client import open_producer
from stream.kafka.topics import largest_record
from stream.naming import monitor_name

CHUNK_BYTES = 16 * 1024 * 1024
CHUNK_SECONDS = 1.0
"""Records are awaited in chunks: memory stays bounded, and a broker that is gone is noticed."""

DELIVERED_WITHIN = 70.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast lines go out: `rate` lines a second, or `speed` times as fast as their own times say, or as fast as possible.

    Raises:
        ValueError: both are given, or one is not positive.
    """

    rate: float | None = None
    speed: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and self.speed is not None:
            raise ValueError("choose either a rate or a speed, not both")
        for name, value in (("rate", self.rate), ("speed", self.speed)):
            if value is not None and not value > 0:
                raise ValueError(f"{name} must be above 0, got {value}")


@dataclass(slots=True)
class Tally:
    """What has become of the lines so far: delivered, of these without a key, and too large for the topic."""

    delivered: int = 0
    unkeyed: int = 0
    too_large: int = 0


def produce(
    settings: Settings,
    lines: Iterable[SourceRecord],
    *,
    topic: str,
    pace: Pace,
    tally: Tally,
    format: str | None = None,  # noqa: A002 - the option's name
) -> None:
    """Returns when every line is delivered (acknowledged by all replicas) or counted as too large; `tally` says how many.

    The value of a record is the line, unchanged. Its key is the monitor of the response in it, or nothing where the line cannot
    be read: such a line is sent all the same, and the worker puts it among the dead letters. Kafka's timestamp is the present,
    never the time of the response, because retention goes by it. When this is interrupted, what was handed to Kafka until
    then is still awaited and counted, unless it is interrupted once more.

    Raises:
        TopicError: the topic does not exist.
        BrokerError: Kafka cannot be reached, or has not taken a record within a minute.
    """
    with open_producer(settings.kafka, max_request_size=largest_record(settings.kafka, topic)) as producer:
        chunk = _Chunk(producer, tally)
        clock = Clock(pace)
        try:
            for line in lines:
                timed = _first_event(line, Demanded(), format)
                pause = clock.pause(timed.ts if timed else None)
                if pause > CHUNK_SECONDS:
                    chunk.settle()
                if pause > 0:
                    time.sleep(pause)
                # A response without a time has a monitor all the same; which time it is given here plays no part.
                event = timed or _first_event(line, Spaced(every=1), format)
                key = monitor_name(event, settings.monitor.monitor_by).encode() if event else None
                with interrupts_held():  # else a batch is cut in the middle, and Kafka refuses all of it
                    chunk.send(topic, key, line.value or b"")
        finally:
            with interrupts_held():
                chunk.settle()


@dataclass(slots=True)
class _Chunk:
    """Records that are handed to the producer and not yet known to be delivered."""

    producer: KafkaProducer
    tally: Tally
    futures: list[tuple[FutureRecordMetadata, bool]] = field(default_factory=list)
    size: int = 0
    since: float = field(default_factory=time.monotonic)

    def send(self, topic: str, key: bytes | None, value: bytes) -> None:
        try:
            self.futures.append((self.producer.send(topic, value, key=key), key is not None))
        except MessageSizeTooLargeError:
            self.tally.too_large += 1
        self.size += len(value)
        if self.size > CHUNK_BYTES or time.monotonic() - self.since > CHUNK_SECONDS:
            self.settle()

    def settle(self) -> None:
        """Waits until every record of the chunk is delivered or refused, and counts them."""
        futures, self.futures = self.futures, []
        if futures:
            self.producer.flush(timeout=DELIVERED_WITHIN)
        for future, keyed in futures:
            if not future.failed():
                self.tally.delivered += 1
                self.tally.unkeyed += not keyed
            elif isinstance(future.exception, MessageSizeTooLargeError):
                self.tally.too_large += 1
            else:
                raise BrokerError(
                    f"Kafka did not take a record: {future.exception}; what was delivered before stays delivered"
                )
        self.size, self.since = 0, time.monotonic()


class Clock:
    """Says how long to wait before a line goes out, counted from the first line so that delays do not add up."""

    def __init__(self, pace: Pace, now: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._now = now
        self._began = now()
        self._lines = 0
        self._first: Micros | None = None

    def pause(self, ts: Micros | None) -> float:
        """Seconds until a line with this time (None where it has none) is due; 0 or less where it is due already."""
        lines, self._lines = self._lines, self._lines + 1
        if self._pace.rate is not None:
            due = lines / self._pace.rate
        elif self._pace.speed is not None and ts is not None:
            if self._first is None:
                self._first = ts
            due = (ts - self._first) / 1e6 / self._pace.speed
        else:
            return 0.0
        return self._began + due - self._now()


def key_of(line: SourceRecord, monitor_by: tuple[str, ...], *, form: str | None = None) -> bytes | None:
    """Returns the key of a line: the monitor of the first response in it, None where it cannot be read."""
    event = _first_event(line, Spaced(every=1), form)
    return monitor_name(event, monitor_by).encode() if event else None


def _first_event(line: SourceRecord, policy: MissingTime, format: str | None) -> ResponseEvent | None:  # noqa: A002
    """The first response in the line, None where it cannot be read under this policy."""
    found = recognise.decode(line, missing_time=policy, form=format)
    return next((event for event in found if isinstance(event, ResponseEvent)), None)
