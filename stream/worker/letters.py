"""Dead letters on their way to Kafka: never larger than their topic takes, so that what is unusable cannot stop the rest."""

from collections.abc import Iterable
from dataclasses import replace

from stream.codec.dead_letter import encode_dead_letter
from stream.core.records import DeadLetter
from stream.metrics import Metrics
from stream.worker.sending import Outgoing

OVERHEAD = 1024
"""Bytes that Kafka's framing of a record takes at most, generously."""


class DeadLetters:
    """Encodes and counts dead letters; `limit` is the topic's max.message.bytes."""

    def __init__(self, topic: str, *, limit: int, metrics: Metrics) -> None:
        self._topic = topic
        self._limit = limit - OVERHEAD
        self._metrics = metrics

    def outgoing(self, dead: Iterable[DeadLetter]) -> tuple[Outgoing, ...]:
        """The letters as records, each without its value, and then without key and headers, where they would not fit."""
        return tuple(self._fitting(letter) for letter in dead)

    def count(self, stage: str, dead: Iterable[DeadLetter]) -> None:
        """Counts letters by reason."""
        for letter in dead:
            self._metrics.dead_letters.labels(stage=stage, reason=letter.reason.value).inc()

    def _fitting(self, letter: DeadLetter) -> Outgoing:
        whole = self._encoded(letter)
        if self._fits(whole):
            return whole
        detail = f"{letter.detail}; the value is left out of this letter"
        shorter = self._encoded(replace(letter, value=None, detail=detail))
        if self._fits(shorter):
            return shorter
        detail = f"{letter.detail}; key, value and headers are left out of this letter"
        return self._encoded(replace(letter, key=None, value=None, headers=(), detail=detail))

    def _encoded(self, letter: DeadLetter) -> Outgoing:
        return Outgoing(self._topic, letter.key, encode_dead_letter(letter))

    def _fits(self, record: Outgoing) -> bool:
        return len(record.key or b"") + len(record.value) <= self._limit
