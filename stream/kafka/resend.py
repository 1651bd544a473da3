"""Sends originals of dead letters to the input topic again, and marks each in the topic of the letters."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from kafka import KafkaProducer

from stream.codec.resent import Resent, encode_resent
from stream.config import KafkaSettings
from stream.core.records import SourceRecord
from stream.errors import BrokerError
from stream.interrupts import interrupts_held
from stream.kafka.client import open_producer
from stream.kafka.topics import MAX_OUTPUT_BYTES

CHUNK = 100
"""Records that are delivered before their marks are: so many may be sent twice if the program is killed in between."""


def resend(settings: KafkaSettings, records: Iterable[SourceRecord]) -> int:
    """Returns how many records were sent and marked. Each goes to the topic it was read from, with its key and headers.

    Raises:
        BrokerError: Kafka did not take one; those of earlier chunks are sent and marked.
    """
    sent, waiting = 0, iter(records)
    with open_producer(settings, max_request_size=MAX_OUTPUT_BYTES) as producer:
        while some := list(islice(waiting, CHUNK)):
            at = time.time_ns() // 1_000
            with interrupts_held():  # what is sent is marked, or it would be sent again
                _deliver(producer, _originals(some))
                _deliver(producer, _marks(settings.topics.deadletter, some, at=at))
            sent += len(some)
    return sent


Outgoing = tuple[str, bytes | None, bytes | None, list[tuple[str, bytes]]]


def _deliver(producer: KafkaProducer, outgoing: Iterable[Outgoing]) -> None:
    futures = [producer.send(topic, key=key, value=value, headers=headers) for topic, key, value, headers in outgoing]
    producer.flush()
    for future in futures:
        if future.failed():
            raise BrokerError(f"Kafka did not take a record: {future.exception}") from future.exception


def _originals(records: Iterable[SourceRecord]) -> Iterator[Outgoing]:
    return ((each.source.topic, each.key, each.value, list(each.headers)) for each in records)


def _marks(topic: str, records: Iterable[SourceRecord], *, at: int) -> Iterator[Outgoing]:
    for each in records:
        yield topic, each.key, encode_resent(Resent(source=each.source, offset=each.offset, ts=at)), []
