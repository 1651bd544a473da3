"""What Kafka says of the monitors' references, and how a monitor is told to take a new one."""

import time
import uuid

from stream.codec.control import encode_order
from stream.codec.drift import decode_drift
from stream.config import KafkaSettings
from stream.core.control import Accept, Learn
from stream.core.events import DriftEvent
from stream.core.records import Source
from stream.errors import BrokerError, InputError
from stream.kafka.client import open_producer
from stream.kafka.read import read_topic
from stream.kafka.topics import require_topics

RECENT = 3_600_000_000
"""Microseconds in which the event of a monitor that is not silent lies; only for the others the whole topic is read."""

LARGEST = 1_000_000
DELIVERED_WITHIN = 30.0


def last_drift_events(settings: KafkaSettings, monitor: str | None = None) -> dict[str, DriftEvent]:
    """The last drift event of the monitor, or of each one, by name.

    Raises:
        InputError: the topic does not exist, or has no event of the monitor.
        BrokerError: Kafka cannot be reached.
        RecordError: an event was written by another version.
    """
    since = None if monitor is None else time.time_ns() // 1000 - RECENT
    found: dict[bytes | None, bytes] = {}
    while True:
        for record in read_topic(settings, settings.topics.drift, since=since):
            found[record.key] = record.value or b""
        if since is None or (monitor or "").encode() in found:
            break
        since = None
    wanted = found if monitor is None else {key: found[key] for key in (monitor.encode(),) if key in found}
    if monitor is not None and not wanted:
        names = sorted((key or b"").decode(errors="replace") for key in found)
        raise InputError(
            f"{settings.topics.drift} has no event of a monitor {monitor!r}; it has "
            f"{', '.join(names[:10]) or 'none at all'}{', …' if len(names) > 10 else ''}"
        )
    events = (decode_drift(value) for value in wanted.values())
    return {event.monitor: event for event in sorted(events, key=lambda event: event.monitor)}


def send_accept(settings: KafkaSettings, monitor: str, learn: Learn) -> Accept:
    """Writes the order into the scored topic, where the monitor's responses lie, and returns it with its place.

    Raises:
        TopicError, BrokerError: the topic is missing, or Kafka has not taken it.
    """
    require_topics(settings, [settings.topics.scored])
    topic, control_id, ts = settings.topics.scored, uuid.uuid4().hex, time.time_ns() // 1000
    order = Accept(control_id=control_id, monitor=monitor, ts=ts, learn=learn, source=Source(topic, 0), offset=0)
    with open_producer(settings, max_request_size=LARGEST) as producer:
        # The key alone chooses the partition, by the same hash as the worker's: the one in which all records of the monitor lie.
        sent = producer.send(topic, key=monitor.encode(), value=encode_order(order))
        producer.flush(timeout=DELIVERED_WITHIN)
        if sent.failed():
            raise BrokerError(f"Kafka did not take the record: {sent.exception}; nothing is changed")
        place = sent.get(timeout=DELIVERED_WITHIN)
    return Accept(
        control_id=control_id,
        monitor=monitor,
        ts=ts,
        learn=learn,
        source=Source(topic, place.partition),
        offset=place.offset,
    )
