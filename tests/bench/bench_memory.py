"""Memory of a detect worker with 10,000 monitors, each past its learning, against the same worker with 10 monitors.

Each worker takes up the states that one before it left, after the same number of responses. Bytes are those that belong to the
process alone. Aim: at most 2 KB for each monitor above the base.
"""

from collections.abc import Iterator

import numpy as np

from stream.codec.scored import encode_scored
from stream.config import KafkaSettings
from stream.core.records import Scored, Source
from stream.core.taxonomy import PAPER
from tests.bench.kafka_bench import bench_kafka, fill, fresh_topics, table, worker

MANY, FEW = 10_000, 10
RESPONSES = 60
ROUNDS = 2
LEARN = {"VALUEDRIFT_REFERENCE__LEARN_FROM": "100"}
"""A reference of 100, so that 120 responses bring each monitor to the state that it keeps."""


def scored_records(monitors: int) -> Iterator[tuple[bytes, bytes]]:
    """As many records as it takes for MANY monitors to see 120 responses each, spread over `monitors`."""
    rng = np.random.default_rng(7)
    for number in range(MANY * ROUNDS):
        monitor, first = f"model-{number % monitors}", number // monitors * RESPONSES
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


def memory(kafka: KafkaSettings, monitors: int) -> int:
    """Bytes of a worker that has taken up all the states that another left: what is passing through weighs on neither."""
    fill(kafka, kafka.topics.scored, scored_records(monitors))
    with worker(kafka, "--role", "detect", variables=LEARN) as process:
        process.await_metric("valuedrift_responses_observed_total", MANY * ROUNDS * RESPONSES)
    with worker(kafka, "--role", "detect", variables=LEARN) as process:
        process.await_metric("valuedrift_monitors", monitors)
        return process.memory()


def main() -> None:
    with bench_kafka() as kafka:
        few = memory(kafka, FEW)
        many = memory(fresh_topics(kafka), MANY)
    each = (many - few) / (MANY - FEW)
    table(
        "memory of a detect worker",
        [
            (f"with {FEW} monitors (baseline), MB", f"{few / 1e6:,.0f}"),
            (f"with {MANY:,} monitors, MB", f"{many / 1e6:,.0f}"),
            ("bytes a monitor above the baseline (aim <= 2,048)", f"{each:,.0f}"),
        ],
    )


if __name__ == "__main__":
    main()
