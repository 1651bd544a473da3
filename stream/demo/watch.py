"""Follows the topics of the demo while the worker fills them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kafka import KafkaConsumer

from stream.codec.alert import decode_alert
from stream.codec.drift import decode_drift
from stream.codec.scored import decode_scored
from stream.config import KafkaSettings
from stream.core.events import AlertEvent, DriftEvent
from stream.core.taxonomy import Taxonomy
from stream.kafka.read import partitions_of


@dataclass(slots=True)
class Seen:
    """What has come so far: scored responses, dead letters, and the last drift event of each monitor."""

    scored: int = 0
    dead: int = 0
    drift: dict[str, DriftEvent] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Responses that need no more work of the first stage."""
        return self.scored + self.dead

    def complete(self, responses: Mapping[str, int], stride: int) -> bool:
        """Whether every response is scored, and every monitor has emitted its last regular drift event."""
        return self.done >= sum(responses.values()) and all(
            monitor in self.drift and self.drift[monitor].seq + 1 >= count // stride * stride
            for monitor, count in responses.items()
        )


class Watcher:
    """Reads the output topics from their beginning as they grow."""

    def __init__(self, consumer: KafkaConsumer, kafka: KafkaSettings, taxonomy: Taxonomy) -> None:
        self._consumer = consumer
        self._topics = kafka.topics
        self._taxonomy = taxonomy
        self.seen = Seen()
        topics = (kafka.topics.scored, kafka.topics.drift, kafka.topics.alerts, kafka.topics.deadletter)
        consumer.assign([partition for topic in topics for partition in partitions_of(consumer, topic)])
        consumer.seek_to_beginning()

    def poll(self, told: Callable[[AlertEvent], None]) -> None:
        """Takes what has come within a quarter of a second; tells of each alert."""
        for partition, records in self._consumer.poll(timeout_ms=250).items():
            for record in records:
                self._take(partition.topic, record.value, told)

    def _take(self, topic: str, value: bytes, told: Callable[[AlertEvent], None]) -> None:
        if topic == self._topics.scored:
            self.seen.scored += len(decode_scored(value, self._taxonomy))
        elif topic == self._topics.drift:
            event = decode_drift(value)
            self.seen.drift[event.monitor] = event
        elif topic == self._topics.alerts:
            told(decode_alert(value))
        else:
            self.seen.dead += 1
