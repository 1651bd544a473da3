"""More to classify than can be classified: memory stays bounded, the lag is told, and nothing is dropped."""

import re
from pathlib import Path

from stream.config import KafkaSettings
from tests.integration.processes import eventually
from tests.integration.workers import Worker, response, running, send, worker_variables

RESPONSES = 2_500
TEXT = "x" * 100_000
MOST_BYTES = 160e6
"""By which the worker may grow: 64 MB that wait, a fetch of each partition, and what is worked on. All responses are 250 MB."""


def memory(worker: Worker) -> int:
    status = Path(f"/proc/{worker.process.pid}/status").read_text(encoding="ascii")
    return int(re.findall(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)[0]) * 1024


def metric(worker: Worker, name: str) -> float:
    return sum(float(value) for value in re.findall(rf"^{name} (\S+)$", worker.get("/metrics"), re.MULTILINE))


def test_responses_that_cannot_be_classified_yet_wait_in_kafka_and_not_in_memory(
    environment: dict[str, str], kafka: KafkaSettings
) -> None:
    variables = worker_variables(environment, kafka) | {"VALUEDRIFT_CLASSIFIER__BATCH_SIZE": "8"}
    with running(variables, "classify", delay=5) as worker:  # a second for a response and a half
        worker.ready()
        before = memory(worker)
        for first in range(0, RESPONSES, 500):
            numbers = range(first, first + 500)
            send(kafka, ((b"%d" % n, response(n, "off_topic", prompt=TEXT)) for n in numbers))
        lag = r'valuedrift_lag_records\{stage="classify"\}'
        assert eventually(lambda: metric(worker, lag) > 0.9 * RESPONSES)
        grown = memory(worker) - before
        worker.kill()
    assert grown < MOST_BYTES
