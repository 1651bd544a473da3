"""Three times as many responses as the classifier can do: memory and lag, over PRESSURE_MINUTES (2 unless the environment says more).

Baseline: the worker's memory when the load begins. Whatever is not scored yet must still be in Kafka: what is scored has no gap.
"""

import os
import time

import numpy as np

from stream.kafka.read import read_topic
from tests.bench.kafka_bench import bench_kafka, table, worker
from tests.bench.load import RULE_WORKER, load
from tests.integration.workers import response, scored_responses

BATCH, BATCH_SECONDS = 16, 0.16
RATE = 3 * BATCH / BATCH_SECONDS
TEXT = "x" * 20_000
MINUTES = float(os.environ.get("PRESSURE_MINUTES", "2"))


def make(number: int) -> tuple[bytes, bytes]:
    return b"%d" % number, response(number, "off_topic", prompt=TEXT)


def main() -> None:
    variables = {"VALUEDRIFT_CLASSIFIER__BATCH_SIZE": str(BATCH)}
    with bench_kafka() as kafka:
        with worker(kafka, "all", str(BATCH_SECONDS), variables=variables, program=RULE_WORKER) as process:
            first, seen = process.memory(), []
            with load(kafka, make, rate=RATE) as running:
                began = time.monotonic()
                while time.monotonic() < began + 60 * MINUTES:
                    time.sleep(2)
                    seen.append((time.monotonic() - began, process.memory()))
                time.sleep(5)
            time.sleep(5)
            lag = process.metric("valuedrift_lag_records")
        scored = scored_responses(kafka)
        gaps = sum(
            1 + max(offset for at, offset in scored if at == partition) - sum(at == partition for at, _ in scored)
            for partition in {at for at, _ in scored}
        )
        there = sum(1 for _ in read_topic(kafka, kafka.topics.input))
    at, held = np.array(seen).T
    late = at > at[-1] / 2
    slope = np.polyfit(at[late] / 60, held[late] / 1e6, 1)[0]
    table(
        f"{RATE:.0f} responses/s of 20 kB to a classifier that does {RATE / 3:.0f}/s, {MINUTES:.0f} minutes",
        [
            ("memory when the load begins, MB (baseline)", f"{first / 1e6:.0f}"),
            (
                "most memory, first half / second half, MB",
                f"{held[~late].max() / 1e6:.0f} / {held[late].max() / 1e6:.0f}",
            ),
            ("slope in the second half, MB a minute", f"{slope:+.1f}"),
            ("sent / in Kafka / scored", f"{running.sent:,} / {there:,} / {len(scored):,}"),
            ("lag that the worker tells at the end", f"{lag:,.0f}"),
            ("gaps in what is scored", str(gaps)),
        ],
    )


if __name__ == "__main__":
    main()
