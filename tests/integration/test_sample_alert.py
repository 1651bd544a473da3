"""Probes of a real server, through a real broker, classified by the shipped model: a change of the served model raises the alert."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stream.config import KafkaSettings
from stream.kafka.read import read_topic
from stream.kafka.topics import create_missing
from tests.integration.processes import end, eventually, start, valuedrift
from tests.integration.sample_server import KEY, serving, write_model

HELP = "Sure! Here is a clear answer to your question, step by step, with an example for each point."
REFUSE = "I'm sorry, but I can't help with that request."


def read(kafka: KafkaSettings, topic: str) -> list[dict[str, Any]]:
    return [json.loads(record.value or b"{}") for record in read_topic(kafka, topic)]


@contextmanager
def working(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = start("worker", environment=environment)
    try:
        yield process
    finally:
        end(process)


def test_a_changed_model_behind_the_endpoint_raises_an_alert(
    kafka: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    before, after = tmp_path / "before.gguf", tmp_path / "after.gguf"
    write_model(before, benign={HELP: 0.97, REFUSE: 0.03}, harmful={HELP: 0.05, REFUSE: 0.95})
    write_model(after, benign={HELP: 0.50, REFUSE: 0.50}, harmful={HELP: 0.05, REFUSE: 0.95})
    create_missing(kafka)
    known = environment | {
        "OPENAI_API_KEY": KEY,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "VALUEDRIFT_REFERENCE__LEARN_FROM": "360",
        "VALUEDRIFT_MONITOR__WINDOW": "120",
        "VALUEDRIFT_MONITOR__STRIDE": "60",
    }

    def probe(model: Path, k: int) -> None:
        with serving(model) as url:
            done = valuedrift(
                "sample", "--endpoint", url, "--model", "tiny", "--topic", kafka.topics.input, "-k", str(k),
                "--per-request", "4", environment=known,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr

    with working(known):
        probe(before, 8)
        assert eventually(lambda: len(read(kafka, kafka.topics.drift)) >= 3, within=120)
        assert [alert for alert in read(kafka, kafka.topics.alerts) if alert["rule"] == "drift"] == []
        probe(after, 6)
        assert eventually(lambda: len(read(kafka, kafka.topics.alerts)) >= 1, within=120)
    alert = read(kafka, kafka.topics.alerts)[0]
    assert (alert["monitor"], alert["rule"], alert["status"], alert["reason"]) == (
        "tiny",
        "drift",
        "firing",
        "behaviour_changed",
    )
    # 480 probes of the old model come first; the reference and the probes judged unchanged are among them.
    assert alert["seq"] >= 480
    grown = {part["category"] for part in alert["contributors"] if part["share"] > part["reference_share"]}
    assert "refusal_excessive" in grown
    assert json.dumps(alert).find(REFUSE) == -1, "an alert carries no text"
