"""Milliseconds from the append of the response that decides to its alert, at 70 % of what the classifier can do.

Baseline: the time that the classifier takes for a micro-batch, which is given (a rule in place of the model), so that what the
pipeline adds can be told apart. The rule abs(dS) > epsilon stands in for the drift rule, because it alerts often; both go the same way.
Aim: 99 of 100 within 1 s beside the classifier's own time.
"""

import json
import random
import time

import numpy as np

from stream.kafka.read import read_topic
from tests.bench.kafka_bench import bench_kafka, table, worker
from tests.bench.load import RULE_WORKER, load
from tests.integration.workers import response

BATCH, BATCH_SECONDS = 64, 0.2
RATE = 0.7 * BATCH / BATCH_SECONDS
SECONDS = 60.0
MONITORS = 8
LABELS = ("helpful_aligned", "refusal_appropriate", "refusal_excessive", "off_topic")
VARIABLES = {
    "VALUEDRIFT_CLASSIFIER__BATCH_SIZE": str(BATCH),
    "VALUEDRIFT_MONITOR__WINDOW": "50",
    "VALUEDRIFT_MONITOR__STRIDE": "10",
    "VALUEDRIFT_REFERENCE__LEARN_FROM": "100",
    "VALUEDRIFT_RULES__ENTROPY_RATE__ENABLED": "true",
    "VALUEDRIFT_RULES__ENTROPY_RATE__EPSILON": "0.000001",
}


def make(number: int) -> tuple[bytes, bytes]:
    model = f"model-{number % MONITORS}"
    return model.encode(), response(number, random.Random(number).choice(LABELS), model=model)


def main() -> None:
    with bench_kafka() as kafka:
        with worker(kafka, "all", str(BATCH_SECONDS), variables=VARIABLES, program=RULE_WORKER) as process:
            with load(kafka, make, rate=RATE) as running:
                time.sleep(SECONDS)
            process.await_metric("valuedrift_responses_observed_total", running.sent)
        appended: dict[str, list[int]] = {}
        for record in read_topic(kafka, kafka.topics.input):
            appended.setdefault((record.key or b"").decode(), []).append(record.timestamp)
        delays = []
        for record in read_topic(kafka, kafka.topics.alerts):
            alert = json.loads(record.value or b"{}")
            delays.append((record.timestamp - appended[alert["monitor"]][alert["seq"]]) / 1e6)
    p50, p99 = np.percentile(delays, (50, 99))
    table(
        f"{len(delays):,} alerts at {RATE:.0f} responses/s, 70 % of what the classifier can do",
        [
            (f"classifier, {BATCH} responses a micro-batch, s (baseline)", f"{BATCH_SECONDS:.2f}"),
            ("append to alert, p50, s", f"{p50:.2f}"),
            ("append to alert, p99, s", f"{p99:.2f}"),
            ("p99 without the micro-batch's own time, s (aim <= 1)", f"{p99 - BATCH_SECONDS:.2f}"),
        ],
    )


if __name__ == "__main__":
    main()
