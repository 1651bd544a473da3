"""Responses at a given rate, for benchmarks that load a worker."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream.config import KafkaSettings
from stream.kafka.client import open_producer

TICK = 0.02
RULE_WORKER = ("-m", "tests.integration.rule_worker")
"""The worker with a classifier that reads the label from the text, and takes the seconds a batch that it is told."""


class Load:
    """Sends `make(number)`, a key and a value, for number 0, 1, … at `rate` a second until the block ends; `sent` says how many."""

    def __init__(self, kafka: KafkaSettings, make: Callable[[int], tuple[bytes, bytes]], *, rate: float) -> None:
        self.sent = 0
        self._kafka = kafka
        self._make = make
        self._rate = rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        began = time.monotonic()
        with open_producer(self._kafka, max_request_size=8_000_000) as producer:
            while not self._over.wait(TICK):
                while self.sent < self._rate * (time.monotonic() - began):
                    key, value = self._make(self.sent)
                    producer.send(self._kafka.topics.input, key=key, value=value)
                    self.sent += 1


@contextmanager
def load(kafka: KafkaSettings, make: Callable[[int], tuple[bytes, bytes]], *, rate: float) -> Iterator[Load]:
    """A load as long as the block lasts."""
    running = Load(kafka, make, rate=rate)
    running._thread.start()
    try:
        yield running
    finally:
        running._over.set()
        running._thread.join()
