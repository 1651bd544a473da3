"""One drift in a followed file is one incident in a real Alertmanager, whatever is killed between the file and the page."""

import json
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.config import KafkaSettings
from tests.integration.notifying import configure, prepare
from tests.integration.processes import PATIENCE, end, eventually, start
from tests.integration.receivers import Tools
from tests.integration.test_notify_alertmanager import RECEIVER, active, alertmanager, notified
from tests.integration.workers import (
    Worker,
    audit,
    await_scored,
    labels,
    read,
    response,
    worker_settings,
    worker_variables,
)

pytestmark = pytest.mark.programs

USUAL = {"helpful_aligned": 176, "refusal_appropriate": 20, "refusal_excessive": 4}
CHANGED = {"helpful_aligned": 45, "refusal_appropriate": 10, "refusal_excessive": 45}
"""A tenth of the requests is harmful before and after: users ask the same, the model does something else with it."""

SLOW = 0.2
"""Seconds that a micro-batch takes, so that a kill finds some in flight."""


class Chat:
    """The log that is followed: responses of one model, appended a line each."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0

    def append(self, said: Sequence[str]) -> None:
        with self.path.open("ab") as file:
            for label in said:
                file.write(response(self.lines, label, model="support-bot") + b"\n")
                self.lines += 1


class Chain:
    """Everything between the file and Alertmanager, a process each: `tail`, the worker, `notify`."""

    def __init__(self, path: Path, env: Mapping[str, str]) -> None:
        self._path = path
        self._env = env
        self._tools: list[subprocess.Popen[str]] = []
        self._worker: Worker | None = None

    def start(self) -> None:
        journal = str(self._path.with_suffix(".journal"))
        for command in (["tail", str(self._path), "--journal", journal], ["notify"]):
            self._tools.append(start(*command, environment=self._env))
        self._worker = Worker(self._env, "all", delay=SLOW)

    def kill(self) -> None:
        """SIGKILL to each, the one nearest to the file first."""
        for process in self._tools:
            end(process)
        self._tools.clear()
        if self._worker is not None and self._worker.process.poll() is None:
            self._worker.kill()

    def stop(self) -> None:
        """SIGTERM to each, and each must say that it ended well."""
        assert self._worker is not None
        assert self._worker.stop()[0] == 0
        for process in self._tools:
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, said


@contextmanager
def chain(path: Path, env: Mapping[str, str]) -> Iterator[Chain]:
    running = Chain(path, env)
    try:
        running.start()
        yield running
    finally:
        running.kill()


@pytest.fixture
def env(environment: dict[str, str], kafka: KafkaSettings, tools: Tools, port: int) -> dict[str, str]:
    configure(RECEIVER.replace("{alertmanager}", f"http://127.0.0.1:{port}"), tools)
    return prepare(kafka, worker_variables(environment, kafka), tools)


def test_a_drift_in_a_followed_file_opens_one_incident_and_closes_it_though_every_process_is_killed_again_and_again(
    kafka: KafkaSettings, env: dict[str, str], tools: Tools, port: int, tmp_path: Path
) -> None:
    chat = Chat(tmp_path / "chat.jsonl")
    chat.append(labels(USUAL, seed=1) + labels(USUAL, seed=2))
    with alertmanager(port, tools, tmp_path / "alertmanager"), chain(chat.path, env) as processes:
        await_scored(kafka, chat.lines - 100)
        chat.append(labels(CHANGED, seed=3))
        await_scored(kafka, chat.lines - 90)
        processes.kill()  # some of the change is judged, some only classified, some only sent, some only in the file
        processes.start()
        assert eventually(lambda: notified(tools) == ["firing"])
        [incident] = active(port)
        assert (incident.labels["monitor"], incident.labels["rule"]) == ("support-bot", "drift")
        processes.kill()  # the incident is open, and nobody is there who could close it or open it again
        chat.append(labels(CHANGED, seed=4))
        before = active(port)[0].updatedAt
        processes.start()
        assert eventually(lambda: active(port)[0].updatedAt > before), "the next notify takes it over"
        assert notified(tools) == ["firing"]
        chat.append(labels(USUAL, seed=5))
        await_scored(kafka, chat.lines - 170)
        processes.kill()  # a part of the return is judged
        processes.start()
        assert eventually(lambda: "resolved" in notified(tools))
        await_scored(kafka, chat.lines)
        processes.stop()
        assert eventually(lambda: active(port) == [])
    assert notified(tools) == ["firing", "resolved"]
    told = [json.loads(request.body) for request in tools.accepted]
    assert {each["groupKey"] for each in told} == {told[0]["groupKey"]}, "what opened is what closed"
    assert len(read(kafka, kafka.topics.input)) == chat.lines
    audit(kafka, worker_settings(kafka), sent=chat.lines)
