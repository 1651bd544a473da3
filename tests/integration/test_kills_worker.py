"""A response that aborts the process is set aside, and nothing else is lost; a classifier that hangs is told."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.error import HTTPError

import pytest

from stream.config import KafkaSettings
from tests.integration.processes import eventually
from tests.integration.workers import (
    Worker,
    await_scored,
    read_json,
    response,
    running,
    scored_responses,
    send,
    worker_variables,
)

pytestmark = pytest.mark.security


class Supervisor:
    """Keeps one worker running, as systemd would; counts how often it died."""

    def __init__(self, environment: Mapping[str, str], role: str) -> None:
        self._environment = environment
        self._role = role
        self._stopping = threading.Event()
        self.worker = Worker(environment, role)
        self.exits: list[int] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        while self._thread.is_alive():  # it may be starting the next worker right now
            self.worker.process.terminate()
            self._thread.join(1)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.worker.process.communicate()
            if not self._stopping.is_set():
                self.exits.append(self.worker.process.returncode)
                self.worker = Worker(self._environment, self._role)
        self.worker.process.communicate()


@contextmanager
def supervised(environment: Mapping[str, str], *, workers: int) -> Iterator[list[Supervisor]]:
    started = [Supervisor(environment, "classify") for _ in range(workers)]
    try:
        yield started
    finally:
        for each in started:
            each.stop()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_response_that_aborts_the_process_is_set_aside(
    environment: dict[str, str], kafka: KafkaSettings, workers: int
) -> None:
    variables = worker_variables(environment, kafka)
    send(kafka, [(b"m", response(number, "off_topic")) for number in range(40)], partition=1)
    send(
        kafka, [(b"m", response(number, "abort" if number == 7 else "off_topic")) for number in range(20)], partition=0
    )
    with supervised(variables, workers=workers) as supervisors:
        assert eventually(lambda: bool(read_json(kafka, kafka.topics.deadletter)), within=240)
        await_scored(kafka, 59)
        exits = [code for each in supervisors for code in each.exits]
    assert set(exits) == {-6}
    assert len(exits) <= 5
    (letter,) = {json.dumps(each) for each in read_json(kafka, kafka.topics.deadletter)}
    assert json.loads(letter)["reason"] == "kills_worker"
    assert json.loads(letter)["offset"] == 7
    expected = {(1, offset) for offset in range(40)} | {(0, offset) for offset in range(20)} - {(0, 7)}
    assert set(scored_responses(kafka)) == expected


def test_a_classifier_that_hangs_makes_the_worker_unhealthy(environment: dict[str, str], kafka: KafkaSettings) -> None:
    variables = {**worker_variables(environment, kafka), "VALUEDRIFT_WORKER__STUCK_AFTER_S": "2"}
    with running(variables, "classify", delay=120) as worker:
        worker.ready()
        assert worker.get("/healthz") == "ok\n"
        send(kafka, [(b"m", response(0, "off_topic"))])
        assert eventually(lambda: verdict(worker).startswith("503: classify: 1 records wait, and nothing"))


def verdict(worker: Worker) -> str:
    try:
        return worker.get("/healthz")
    except HTTPError as refused:
        with refused:
            return f"{refused.code}: {refused.read().decode()}"
