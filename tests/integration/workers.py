"""Driving worker processes from tests: topics, responses in, records out."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stream.config import (
    ClassifierSettings,
    KafkaSettings,
    MonitorSettings,
    ReferenceSettings,
    Settings,
    WorkerSettings,
)
from stream.core.records import SourceRecord
from stream.core.taxonomy import PAPER
from stream.kafka.client import open_consumer, open_producer
from stream.kafka.read import partitions_of, read_topic
from stream.kafka.topics import create_missing
from stream.pipeline import Detect, encode_alerts, encode_drift_events
from tests.integration.processes import PATIENCE, eventually

Json = dict[str, Any]


def worker_settings(kafka: KafkaSettings) -> Settings:
    """Settings small enough that a few hundred responses make an alert, with a consumer group of their own."""
    return Settings(
        kafka=kafka,
        worker=WorkerSettings(app_id=kafka.topics.input),
        classifier=ClassifierSettings(max_wait_ms=50),
        monitor=MonitorSettings(window=100, stride=10),
        reference=ReferenceSettings(learn_from=200),
    )


def worker_variables(environment: Mapping[str, str], kafka: KafkaSettings) -> dict[str, str]:
    """`worker_settings` as the environment of a process; makes the topics, too."""
    create_missing(kafka)
    chosen = worker_settings(kafka)
    return {
        **environment,
        "VALUEDRIFT_WORKER__APP_ID": chosen.worker.app_id,
        "VALUEDRIFT_CLASSIFIER__MAX_WAIT_MS": str(chosen.classifier.max_wait_ms),
        "VALUEDRIFT_MONITOR__WINDOW": str(chosen.monitor.window),
        "VALUEDRIFT_MONITOR__STRIDE": str(chosen.monitor.stride),
        "VALUEDRIFT_REFERENCE__LEARN_FROM": str(chosen.reference.learn_from),
    }


class Worker:
    """One worker process of the rule classifier; its output is read while it runs."""

    def __init__(self, environment: Mapping[str, str], role: str, *, delay: float = 0.0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.rule_worker", role, str(delay)],
            env={**environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = ""
        self.said: list[str] = []

    def await_line(self, start: str) -> str:
        """Reads what the worker says until a line starts like this."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if line.startswith("health: "):
                self.url = line.split()[1]
            if line.startswith(start):
                return line.rstrip()
        assert self.process.stderr is not None
        raise AssertionError(f"the worker ended after {self.said}: {self.process.stderr.read()}")

    def ready(self) -> "Worker":
        self.await_line("ready")
        return self

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as response:  # noqa: S310 - the worker's own URL
            content: bytes = response.read()
            return content.decode()

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def stop(self) -> tuple[int, str]:
        """Asks for an orderly end; returns the exit code and what was said on standard error."""
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> tuple[int, str]:
        """Waits for the process to end by itself."""
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors


@contextmanager
def running(environment: Mapping[str, str], role: str = "all", *, delay: float = 0.0) -> Iterator[Worker]:
    """A worker that is gone at the end of the block, whatever the test found."""
    worker = Worker(environment, role, delay=delay)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.kill()


def response(number: int, label: str, *, model: str = "m", **more: object) -> bytes:
    """A canonical response event whose text begins with its label; times are a second apart."""
    ts = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_767_225_600 + number))
    event = {
        "event_id": f"e{number}",
        "ts": ts,
        "model": model,
        "prompt": f"question {number}",
        "response": f"{label} text",
    }
    return json.dumps(event | more).encode()


def send(
    kafka: KafkaSettings, values: Iterable[tuple[bytes | None, bytes | None]], *, partition: int | None = None
) -> None:
    """Sends keys and values to the input topic, and waits until they are there."""
    with open_producer(kafka, max_request_size=8_000_000) as producer:
        for key, value in values:
            producer.send(kafka.topics.input, key=key, value=value, partition=partition)
        producer.flush()


def read(kafka: KafkaSettings, topic: str) -> list[SourceRecord]:
    return list(read_topic(kafka, topic))


def read_json(kafka: KafkaSettings, topic: str) -> list[Json]:
    return [json.loads(record.value or b"{}") for record in read(kafka, topic)]


def await_records(kafka: KafkaSettings, topic: str, n: int, *, within: float = PATIENCE) -> None:
    """Returns when the topic holds at least n records."""
    with open_consumer(kafka) as consumer:
        partitions = partitions_of(consumer, topic)
        assert eventually(lambda: sum(consumer.end_offsets(partitions).values()) >= n, within=within), f"{topic} < {n}"


def await_scored(kafka: KafkaSettings, n: int, *, within: float = PATIENCE) -> None:
    """Returns when the scored topic holds at least n different responses."""
    assert eventually(lambda: len(scored_responses(kafka)) >= n, within=within), (
        f"{len(scored_responses(kafka))} of {n}"
    )


def scored_responses(kafka: KafkaSettings) -> dict[tuple[int, int], str]:
    """Category of each scored response by its place in the input topic."""
    found: dict[tuple[int, int], str] = {}
    for record in read_json(kafka, kafka.topics.scored):
        if record["schema"] != "valuedrift.scored/1":
            continue
        partition = record["source"]["partition"]
        for offset, category in zip(record["offset"], record["category"], strict=True):
            assert found.setdefault((partition, offset), category) == category
    return found


def labels(counts: Mapping[str, int], *, seed: int) -> list[str]:
    """So many of each label, in a random order that depends on the seed only."""
    drawn = [label for label, n in counts.items() for _ in range(n)]
    random.Random(seed).shuffle(drawn)
    return drawn


def audit(kafka: KafkaSettings, settings: Settings, *, sent: int) -> None:
    """Nothing is lost, nothing is counted twice, and no id has two contents: what the topics hold equals a replay of the log.

    The replay is independent of any worker: each monitor of the scored log, read once in order, by one engine in memory.
    """
    assert len(scored_responses(kafka)) == sent
    pipeline = Detect(settings=settings.engine(PAPER))
    drift, alerts, counted = set(), set(), 0
    for monitor, scored in pipeline.read(read(kafka, kafka.topics.scored)).items():
        seen = pipeline.observe(monitor, None, scored)
        counted += seen.counted
        drift |= {record.value for record in encode_drift_events(seen.drift)}
        alerts |= {record.value for record in encode_alerts(seen.alerts)}
    assert counted == sent
    assert {record.value for record in read(kafka, kafka.topics.drift)} == drift
    assert {record.value for record in read(kafka, kafka.topics.alerts)} == alerts
