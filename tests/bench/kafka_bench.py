"""What the benchmarks on the real broker share: a broker, topics of their own, a worker process, and rates read from its metrics."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stream.config import KafkaSettings, Topics
from stream.kafka.broker import LocalBroker
from stream.kafka.client import open_producer
from stream.kafka.topics import create_missing

PARTITIONS = 4


@contextmanager
def bench_kafka() -> Iterator[KafkaSettings]:
    """A broker with fresh topics, gone at the end."""
    with LocalBroker() as broker:
        settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, partitions=PARTITIONS)
        create_missing(settings)
        yield settings


def fresh_topics(kafka: KafkaSettings) -> KafkaSettings:
    """The same broker with other topics."""
    prefix = uuid.uuid4().hex[:8]
    names = {role: f"{prefix}.{role}" for role in Topics.model_fields}
    settings = kafka.model_copy(update={"topics": Topics(**names)})
    create_missing(settings)
    return settings


def fill(kafka: KafkaSettings, topic: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Sends keys and values, and waits until they are there."""
    with open_producer(kafka, max_request_size=8_000_000) as producer:
        for key, value in records:
            producer.send(topic, key=key, value=value)
        producer.flush()


@dataclass(frozen=True, slots=True)
class Process:
    """A worker that runs, and where it answers."""

    pid: int
    url: str

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as response:  # noqa: S310 - the worker's own URL
            text = response.read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))

    def memory(self) -> int:
        """Bytes that the process has written; pages of libraries are left out, because they count as shared or not by turns."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (kilobytes,) = re.findall(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
        return int(kilobytes) * 1024

    def await_metric(self, name: str, total: float, *, within: float = 120.0) -> tuple[float, float]:
        """Seconds from its first movement, and how much it moved meanwhile, until it reaches `total`."""
        deadline, began, first = time.monotonic() + within, 0.0, 0.0
        while (value := self.metric(name)) < total:
            if value and not began:
                began, first = time.monotonic(), value
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is {value}, not {total}")
            time.sleep(0.1)
        return time.monotonic() - began, total - first


PROGRAM = ("-c", "from stream.cli import main; main()", "worker")


@contextmanager
def worker(
    kafka: KafkaSettings, *arguments: str, variables: Mapping[str, str], program: Sequence[str] = PROGRAM
) -> Iterator[Process]:
    """`valuedrift worker`, or another program of Python's that says the same, with these arguments, ready."""
    topics = {f"VALUEDRIFT_KAFKA__TOPICS__{role.upper()}": name for role, name in kafka.topics}
    environment = {
        **os.environ,
        **topics,
        "VALUEDRIFT_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "VALUEDRIFT_WORKER__APP_ID": kafka.topics.input,
        **variables,
    }
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, *program, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield Process(process.pid, _await_ready(process, errors))
        finally:
            if (status := process.poll()) is not None:
                errors.seek(0)
                print(f"the worker is gone, status {status}: {errors.read()}", file=sys.stderr)
            process.terminate()
            process.wait(20)


def _await_ready(process: subprocess.Popen[str], errors: IO[str]) -> str:
    """The health URL, when the worker is ready."""
    assert process.stdout is not None
    url = ""
    for line in process.stdout:
        if line.startswith("health: "):
            url = line.split()[1]
        if line.startswith("ready"):
            return url
    errors.seek(0)
    raise RuntimeError(f"the worker did not start: {errors.read()}")


@dataclass(frozen=True, slots=True)
class Turns:
    """A process that can be halted, and how much it has counted so far."""

    pid: int
    count: Callable[[], int]

    def halt(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def turn(self, seconds: float) -> tuple[int, float]:
        """What it counts in so many seconds, and how long that was; halted before and after."""
        self.go_on()
        first, began = self.count(), time.perf_counter()
        time.sleep(seconds)
        last, ended = self.count(), time.perf_counter()
        self.halt()
        return last - first, ended - began


def take_turns(*processes: Turns, turns: int, seconds: float) -> tuple[float, ...]:
    """Rate of each process, in a second of its own turns; all go on afterwards."""
    for process in processes:
        while not process.count():
            time.sleep(0.05)
        process.halt()
    taken = [[process.turn(seconds) for process in processes] for _ in range(turns)]
    for process in processes:
        process.go_on()
    totals = [tuple(map(sum, zip(*turns_of, strict=True))) for turns_of in zip(*taken, strict=True)]
    return tuple(counted / passed for counted, passed in totals)


def table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Prints what was measured."""
    print(title)
    for name, value in rows:
        print(f"  {name:<58} {value:>14}")
