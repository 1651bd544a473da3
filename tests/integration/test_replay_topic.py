"""Replay from topics: the period goes by Kafka's timestamps, and what cannot be read goes on as it does in the worker."""

import json
import time
from pathlib import Path

from stream.codec.scored import encode_scored
from stream.config import KafkaSettings
from stream.core.taxonomy import PAPER
from stream.kafka.client import open_producer
from stream.times import render
from tests.integration.conftest import MakeTopic
from tests.integration.processes import valuedrift
from tests.unit import histories


def send(kafka: KafkaSettings, topic: str, values: list[bytes]) -> None:
    with open_producer(kafka, max_request_size=1_000_000) as producer:
        for value in values:
            producer.send(topic, value, key=b"m").get(10)


def record(first: int) -> bytes:
    return encode_scored(histories.scored("m", [0, 2, 3, 0, 1], first=first), PAPER)


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()]


def test_a_period_of_a_topic_goes_by_the_time_of_producing(
    kafka: KafkaSettings, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(3)
    marks = []
    for first in (0, 5, 10):
        send(kafka, topic, [record(first)])
        time.sleep(0.3)
        marks.append(render(int(time.time() * 1_000_000)))
        time.sleep(0.3)
    out = tmp_path / "out"
    options = ("--bootstrap-servers", kafka.bootstrap_servers, "--out", str(out))
    for period, expected in (
        ((), range(15)),
        (("--since", marks[0]), range(5, 15)),
        (("--until", marks[1]), range(10)),
        (("--since", marks[0], "--until", marks[1]), range(5, 10)),
        (("--since", marks[2]), range(0)),
    ):
        done = valuedrift("replay", "--from-topic", topic, *period, *options)
        assert done.returncode == 0, done.stderr
        assert [row["event_id"] for row in lines(out / "scored.jsonl")] == [f"e-{at}" for at in expected]


def test_a_response_that_is_delivered_twice_counts_once(
    kafka: KafkaSettings, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(1)
    send(kafka, topic, [record(0), record(0), record(3)])
    done = valuedrift(
        "replay", "--from-topic", topic, "--bootstrap-servers", kafka.bootstrap_servers, "--out", str(tmp_path / "out")
    )
    assert done.returncode == 0, done.stderr
    assert [row["event_id"] for row in lines(tmp_path / "out" / "scored.jsonl")] == [f"e-{at}" for at in range(8)]
    assert json.loads((tmp_path / "out" / "summary.json").read_bytes())["responses"] == 8


def test_a_scored_record_that_cannot_be_read_becomes_a_dead_letter(
    kafka: KafkaSettings, make_topic: MakeTopic, tmp_path: Path
) -> None:
    topic = make_topic(1)
    damaged = record(5).replace(b'"offset"', b'"offsets"')
    other = record(5).replace(b"valuedrift.scored/1", b"valuedrift.scored/9")
    send(kafka, topic, [record(0), damaged, other, record(10)])
    done = valuedrift(
        "replay", "--from-topic", topic, "--bootstrap-servers", kafka.bootstrap_servers, "--out", str(tmp_path / "out")
    )
    assert done.returncode == 0, done.stderr
    letters = lines(tmp_path / "out" / "deadletter.jsonl")
    assert [(letter["offset"], letter["reason"]) for letter in letters] == [
        (1, "unknown_format"),
        (2, "unknown_schema"),
    ]
    assert len(lines(tmp_path / "out" / "scored.jsonl")) == 10


def test_a_topic_that_is_missing_or_empty(kafka: KafkaSettings, make_topic: MakeTopic, tmp_path: Path) -> None:
    options = ("--bootstrap-servers", kafka.bootstrap_servers, "--out", str(tmp_path / "out"))
    missing = valuedrift("replay", "--from-topic", "nowhere", *options)
    assert missing.returncode == 1
    assert b"has no topic nowhere" in missing.stderr
    assert not (tmp_path / "out").exists()
    empty = valuedrift("replay", "--from-topic", make_topic(2), *options)
    assert empty.returncode == 0, empty.stderr
    assert "No response was read" in (tmp_path / "out" / "report.html").read_text()
