"""The log is the truth: the worker, live through a real Kafka, and three replays say the same, byte for byte."""

import json
import random
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stream import times
from stream.codec.drift import decode_drift
from stream.config import KafkaSettings
from stream.demo.story import tell
from stream.kafka.read import read_topic
from stream.kafka.topics import create_missing
from tests.integration.processes import PATIENCE, end, start, valuedrift

RESPONSES = 400
STRIDE = 20
SHORT = 300
"""Characters."""
SETTINGS = {
    "VALUEDRIFT_MONITOR__WINDOW": "100",
    "VALUEDRIFT_MONITOR__STRIDE": str(STRIDE),
    "VALUEDRIFT_REFERENCE__LEARN_FROM": "100",
    "VALUEDRIFT_MONITOR__ATTRIBUTES": '["served_by"]',
    "VALUEDRIFT_MONITOR__CONTRAST": '["served_by"]',
    "VALUEDRIFT_RULES__RIVER": '{"s": {"detector": "ADWIN", "parameters": {"clock": 1, "delta": 0.3}, "memory": 12}}',
    # Odd sizes and short waits: micro-batches are cut anywhere.
    "VALUEDRIFT_CLASSIFIER__BATCH_SIZE": "23",
    "VALUEDRIFT_CLASSIFIER__MAX_WAIT_MS": "30",
}
UNUSABLE = (
    '{"model": "a", "prompt"',
    '{"model": "a", "prompt": "x", "response": " ", "ts": "2026-01-01T00:00:00Z"}',
    "[]",
)


def write_history(path: Path) -> dict[str, int]:
    """Real responses of three monitors, one of which changes, in both formats, some without an id, and lines that nobody can read.

    The short ones, which take a third of the time to classify.
    """
    rng = random.Random(5)
    real = [json.loads(line) for line in tell(1600, seed=3).lines]
    by_model: dict[str, list[dict[str, Any]]] = {}
    for event in real:
        if len(event["response"]) <= SHORT:
            by_model.setdefault(event["attributes"]["served_by"], []).append(event)
    responses: dict[str, int] = {}
    lines = []
    for index in range(RESPONSES):
        (monitor,) = rng.choices(("alpha", "beta", "gamma|β"), (1, 2, 1))
        model = "llama2orig" if monitor == "beta" and index > 200 else "gpt4"
        event = rng.choice(by_model[model])
        at = times.parse("2026-01-05T08:00:00Z") + index * 7_300_000
        lines.append(_line(monitor, event, index, at))
        responses[monitor] = responses.get(monitor, 0) + 1
        if index % 130 == 100:
            lines.append(UNUSABLE[index // 130])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return responses


def _line(monitor: str, event: Mapping[str, Any], index: int, at: int) -> str:
    if index % 3 == 1:
        request = {"model": monitor, "messages": [{"role": "user", "content": event["prompt"]}]}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": event["response"]}}
        response = {
            "id": f"chatcmpl-{index}",
            "object": "chat.completion",
            "created": at // 1_000_000,
            "model": monitor,
            "choices": [choice],
        }
        return json.dumps({"request": request, "response": response})
    row = {
        "model": monitor,
        "prompt": event["prompt"],
        "response": event["response"],
        "ts": times.render(at),
        "attributes": event["attributes"],
    }
    return json.dumps(row if index % 3 == 2 else {"event_id": f"e{index}"} | row)


@contextmanager
def worker(environment: Mapping[str, str]) -> Iterator[None]:
    process = start("worker", environment=environment)
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        end(process)


def await_all(kafka: KafkaSettings, responses: Mapping[str, int]) -> None:
    """Waits until every monitor has emitted its last drift event at a stride."""
    deadline = time.monotonic() + 200
    while True:
        last: dict[str, int] = {}
        for record in read_topic(kafka, kafka.topics.drift):
            event = decode_drift(record.value or b"")
            last[event.monitor] = event.seq
        if all(last.get(_name(monitor), -1) + 1 >= n // STRIDE * STRIDE for monitor, n in responses.items()):
            return
        assert time.monotonic() < deadline, last
        time.sleep(1)


def _name(model: str) -> str:
    return model.replace("|", "\\|")


def live(kafka: KafkaSettings, topic: str) -> dict[str, list[bytes]]:
    """The records of an output topic by monitor, in order."""
    found: dict[str, list[bytes]] = {}
    for record in read_topic(kafka, topic):
        found.setdefault((record.key or b"").decode(), []).append(record.value or b"")
    return found


def written(file: Path) -> dict[str, list[bytes]]:
    """The lines of a result file by monitor, in order."""
    found: dict[str, list[bytes]] = {}
    for line in file.read_bytes().splitlines():
        found.setdefault(json.loads(line)["monitor"], []).append(line)
    return found


@pytest.mark.timeout(600)
def test_replay_of_the_file_of_the_topic_and_of_the_scored_topic_equal_the_worker(
    kafka: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    create_missing(kafka)
    chat = tmp_path / "chat.jsonl"
    responses = write_history(chat)
    environment = environment | SETTINGS
    lines = chat.read_bytes().splitlines(keepends=True)
    with worker(environment):
        for part in (lines[:5], lines[5:230], lines[230:]):
            sent = valuedrift("produce", "-", environment=environment, stdin=b"".join(part))
            assert sent.returncode == 0, sent.stderr
        await_all(kafka, responses)
    drift, alerts = live(kafka, kafka.topics.drift), live(kafka, kafka.topics.alerts)
    letters = sorted(record.value or b"" for record in read_topic(kafka, kafka.topics.deadletter))
    assert set(drift) == {"alpha", "beta", "gamma\\|β"}
    assert b'"status":"firing"' in b"".join(alerts["beta"])
    assert b'"attribute":"served_by"' in b"".join(alerts["beta"])
    assert all(value.endswith(b'"replay":false}') for values in alerts.values() for value in values)
    assert len(letters) == len(UNUSABLE)
    expected = {
        monitor: [value.replace(b'"replay":false}', b'"replay":true}') for value in values]
        for monitor, values in alerts.items()
    }

    sources = {
        "file": (str(chat),),
        "input": ("--from-topic", kafka.topics.input),
        "scored": ("--from-topic", kafka.topics.scored),
    }
    for name, source in sources.items():
        out = tmp_path / name
        done = valuedrift("replay", *source, "--out", str(out), environment=environment, timeout=200)
        assert done.returncode == 0, done.stderr
        assert written(out / "drift.jsonl") == drift, name
        assert written(out / "alerts.jsonl") == expected, name
        assert sum(map(len, written(out / "scored.jsonl").values())) == RESPONSES
    assert sorted((tmp_path / "input" / "deadletter.jsonl").read_bytes().splitlines()) == letters
    reasons = [
        json.loads(line)["reason"] for line in (tmp_path / "file" / "deadletter.jsonl").read_bytes().splitlines()
    ]
    assert reasons == ["invalid_json", "empty_response", "not_an_object"]
    again = tmp_path / "again"
    done = valuedrift(
        "replay", "--scored", str(tmp_path / "file" / "scored.jsonl"), "--out", str(again), environment=environment
    )
    assert done.returncode == 0, done.stderr
    assert written(again / "drift.jsonl") == drift
    assert written(again / "alerts.jsonl") == expected
