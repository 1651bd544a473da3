"""Seconds from a crash to the first counted response, with 10, 1,000 and 100,000 monitors in the changelog.

Baseline: the same worker without any monitor, in the same run: starting Python and joining the group costs that much. Aim: 100,000 monitors
within 15 s of the process's start. After SIGKILL Kafka waits for the dead worker's session (10 s) first; the last column has it all.
"""

import os
import signal
import time
from collections.abc import Iterator

import numpy as np
from kafka.partitioner.default import murmur2

from stream.codec.scored import encode_scored
from stream.config import KafkaSettings, Settings
from stream.core.records import Scored, Source
from stream.core.taxonomy import PAPER
from stream.kafka.client import open_producer
from stream.pipeline import Detect
from stream.worker.app import group_name
from stream.worker.changelog import Ledger, Stored
from stream.worker.table import changelog_name
from tests.bench.kafka_bench import PARTITIONS, bench_kafka, fill, fresh_topics, table, worker

MONITORS = (0, 10, 1_000, 100_000)
RESPONSES = 1_100
"""Enough that the reference is learned and the monitor keeps all that it ever keeps."""

COUNTED = "valuedrift_responses_observed_total"
WITHIN = 300.0


def scored(monitor: bytes, first: int, n: int) -> Scored:
    offsets = np.arange(first, first + n)
    return Scored(
        monitor=monitor.decode(),
        classifier="bench@000000000000",
        source=Source("responses", 0),
        offset=offsets,
        event_id=tuple(f"{offset:016x}" for offset in offsets),
        ts=1_767_225_600_000_000 + offsets * 1_000_000,
        category=np.random.default_rng(7).choice(5, n, p=[0.86, 0.02, 0.06, 0.03, 0.03]).astype(np.uint8),
        attributes={},
    )


def name(number: int) -> bytes:
    return b"model-%d" % number


def partition_of(monitor: bytes) -> int:
    """Where Kafka's clients put a record with this key."""
    return int((murmur2(monitor) & 0x7FFFFFFF) % PARTITIONS)


def fill_changelog(kafka: KafkaSettings, settings: Settings, monitors: int) -> int:
    """Writes a state for each monitor; returns the bytes of one."""
    ledger = Ledger()
    state = Detect(settings=settings.engine(PAPER)).observe("", None, [scored(b"", 0, RESPONSES)]).state
    with open_producer(kafka, max_request_size=1_000_000) as producer:
        for number in range(monitors):
            monitor = name(number)
            place = partition_of(monitor)
            key, value = ledger.write(monitor, Stored(place, 0, state))
            producer.send(changelog_name(group_name(settings, "detect")), key=key, value=value, partition=place)
        producer.flush()
    return len(state)


def next_records(turn: int) -> Iterator[tuple[bytes, bytes]]:
    """A record for a monitor of each partition, so that whichever is assigned first has one."""
    for number in range(40):
        yield name(number), encode_scored(scored(name(number), RESPONSES + turn, 1), PAPER)


def recovery(kafka: KafkaSettings, monitors: int) -> tuple[float, float, float, int]:
    """Seconds to ready and to the first response of a process that starts alone, to the first response after SIGKILL, bytes a state."""
    settings = Settings(kafka=kafka)
    settings = settings.model_copy(update={"worker": settings.worker.model_copy(update={"app_id": kafka.topics.input})})
    with worker(kafka, "--role", "detect", variables={}):
        pass  # makes the changelog
    size = fill_changelog(kafka, settings, monitors)
    fill(kafka, kafka.topics.scored, next_records(0))
    began = time.monotonic()
    with worker(kafka, "--role", "detect", variables={}) as process:
        ready = time.monotonic() - began
        process.await_metric(COUNTED, 1, within=WITHIN)
        first = time.monotonic() - began
        process.await_metric(COUNTED, 40, within=WITHIN)
        time.sleep(2)
        os.kill(process.pid, signal.SIGKILL)
        began = time.monotonic()
    fill(kafka, kafka.topics.scored, next_records(1))
    with worker(kafka, "--role", "detect", variables={}) as process:
        process.await_metric(COUNTED, 1, within=WITHIN)
        return ready, first, time.monotonic() - began, size


def main() -> None:
    with bench_kafka() as kafka:
        rows = []
        for monitors in MONITORS:
            ready, first, crash, size = recovery(fresh_topics(kafka), monitors)
            told = f"{ready:.1f} / {first:.1f} / {crash:.1f} s"
            rows.append((f"{monitors:,} monitors of {size:,} bytes", told))
        table("from the start of the process: ready / first response / the same after a SIGKILL", rows)


if __name__ == "__main__":
    main()
