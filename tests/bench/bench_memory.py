"""Memory of a detect worker for each of 10,000 monitors, past their learning.

Baseline: the same worker in the same run with 10,000 other monitors, which had brought it as much to read, so that what Kafka's
client and the interpreter keep cancels out. Bytes are those that the process has written (RssAnon). Aim: at most 2 KB a monitor.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from stream.codec.scored import encode_scored
from stream.core.records import Scored, Source
from stream.core.taxonomy import PAPER
from tests.bench.kafka_bench import bench_kafka, fill, table, worker

MONITORS = 10_000
RESPONSES = 60
ROUNDS = 2
CHUNK = 1_000
"""Records at a time, so that what waits in the worker's buffers is small and always as much."""

COUNTED = "valuedrift_responses_observed_total"
LEARN = {"VALUEDRIFT_REFERENCE__LEARN_FROM": "100"}
"""A reference of 100, so that 120 responses bring each monitor to the state that it keeps."""


def scored_records(first_monitor: int) -> Iterator[tuple[bytes, bytes]]:
    """Two records for each of the monitors from this one on, 120 responses together."""
    rng = np.random.default_rng(7)
    for number in range(MONITORS * ROUNDS):
        monitor, first = f"model-{first_monitor + number % MONITORS}", number // MONITORS * RESPONSES
        offsets = np.arange(first, first + RESPONSES)
        scored = Scored(
            monitor=monitor,
            classifier="bench@000000000000",
            source=Source("responses", 0),
            offset=offsets,
            event_id=tuple(f"{offset:016x}" for offset in offsets),
            ts=1_767_225_600_000_000 + offsets * 1_000_000,
            category=rng.choice(5, RESPONSES, p=[0.86, 0.02, 0.06, 0.03, 0.03]).astype(np.uint8),
            attributes={},
        )
        yield monitor.encode(), encode_scored(scored, PAPER)


def main() -> None:
    with bench_kafka() as kafka, worker(kafka, "--role", "detect", variables=LEARN) as process:
        measured = [process.memory()]
        for part in (1, 2):
            records, sent = scored_records((part - 1) * MONITORS), (part - 1) * MONITORS * ROUNDS
            while chunk := list(islice(records, CHUNK)):
                fill(kafka, kafka.topics.scored, chunk)
                sent += len(chunk)
                process.await_metric(COUNTED, sent * RESPONSES)
            measured.append(process.memory())
    empty, baseline, both = measured
    table(
        "memory of a detect worker",
        [
            ("before it has read anything, MB", f"{empty / 1e6:,.0f}"),
            (f"with {MONITORS:,} monitors (baseline), MB", f"{baseline / 1e6:,.0f}"),
            (f"with {MONITORS:,} more, MB", f"{both / 1e6:,.0f}"),
            ("bytes a monitor (aim <= 2,048)", f"{(both - baseline) / MONITORS:,.0f}"),
        ],
    )


if __name__ == "__main__":
    main()
