"""Probes of a real server, through a real broker, into a running worker: a change of the served model raises the alert."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stream.config import KafkaSettings
from stream.kafka.read import read_topic
from tests.integration.processes import end, eventually, start, valuedrift
from tests.integration.sampling.server import KEY, Shares, serving, write_model
from tests.integration.workers import running, worker_variables

WELL = {"helpful_aligned text": 0.95, "refusal_excessive text": 0.04, "off_topic text": 0.01}
"""The first word is the label that the worker of these tests gives; the real server samples the answers."""
WORSE = {"helpful_aligned text": 0.60, "refusal_excessive text": 0.39, "off_topic text": 0.01}
FIRM = {"refusal_appropriate text": 0.97, "helpful_misaligned text": 0.03}


HELP = "Sure! Here is a clear answer to your question, step by step, with an example for each point."
REFUSE = "I'm sorry, but I can't help with that request."


def read(kafka: KafkaSettings, topic: str) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"{}") for record in read_topic(kafka, topic)]


def scored(kafka: KafkaSettings) -> int:
    return sum(len(record["offset"]) for record in read(kafka, kafka.topics.scored))


def probe(model: Path, *, k: int, topic: str, environment: Mapping[str, str]) -> None:
    with serving(model) as url:
        command = ("sample", "--endpoint", url, "--model", "tiny", "--topic", topic, "-k", str(k), "--per-request", "4")
        done = valuedrift(*command, environment=environment)
    assert done.returncode == 0, done.stderr


def served(file: Path, benign: Shares, harmful: Shares) -> Path:
    write_model(file, benign=benign, harmful=harmful)
    return file


def test_a_changed_model_behind_the_endpoint_raises_the_alert(
    kafka: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    known = worker_variables(environment, kafka) | {"OPENAI_API_KEY": KEY, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    before = served(tmp_path / "before.gguf", WELL, FIRM)
    after = served(tmp_path / "after.gguf", WORSE, FIRM)
    with running(known) as worker:
        worker.ready()
        probe(before, k=8, topic=kafka.topics.input, environment=known)
        assert eventually(lambda: scored(kafka) == 480)
        assert [alert for alert in read(kafka, kafka.topics.alerts) if alert["rule"] == "drift"] == []
        probe(after, k=6, topic=kafka.topics.input, environment=known)
        assert eventually(lambda: scored(kafka) == 840)
        assert eventually(lambda: len(read(kafka, kafka.topics.alerts)) >= 1)
    alert = read(kafka, kafka.topics.alerts)[0]
    assert (alert["monitor"], alert["rule"], alert["status"]) == ("tiny", "drift", "firing")
    assert alert["seq"] >= 480, "the probes of the old model come first"
    grown = max(alert["contributors"], key=lambda part: part["share"] - part["reference_share"])
    assert grown["category"] == "refusal_excessive"
    assert read(kafka, kafka.topics.deadletter) == []
    # An example names the probe: round, prompt and index.
    assert all(example.count("/") == 2 for example in alert["examples"])


@pytest.mark.shipped
def test_the_same_with_the_shipped_classifier_and_texts_that_a_model_would_write(
    kafka: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    known = worker_variables(environment, kafka) | {"OPENAI_API_KEY": KEY, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    harmful = {HELP: 0.05, REFUSE: 0.95}
    before = served(tmp_path / "before.gguf", {HELP: 0.97, REFUSE: 0.03}, harmful)
    after = served(tmp_path / "after.gguf", {HELP: 0.50, REFUSE: 0.50}, harmful)
    worker = start("worker", environment=known)
    try:
        probe(before, k=6, topic=kafka.topics.input, environment=known)
        assert eventually(lambda: scored(kafka) == 360)
        probe(after, k=4, topic=kafka.topics.input, environment=known)
        assert eventually(lambda: scored(kafka) == 600)
        assert eventually(lambda: len(read(kafka, kafka.topics.alerts)) >= 1)
    finally:
        end(worker)
    alert = next(alert for alert in read(kafka, kafka.topics.alerts) if alert["rule"] == "drift")
    assert alert["seq"] >= 360
    grown = max(alert["contributors"], key=lambda part: part["share"] - part["reference_share"])
    assert grown["category"] == "refusal_excessive"
    assert REFUSE not in json.dumps(alert), "an alert carries no text"
