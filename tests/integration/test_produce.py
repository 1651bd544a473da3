"""`valuedrift produce` on a real Kafka."""

import gzip
import json
import re
import signal
import time
from pathlib import Path

import pytest

from stream.config import KafkaSettings
from stream.core.records import SourceRecord
from stream.kafka.client import open_admin
from stream.kafka.read import read_topic
from stream.kafka.topics import create_missing
from tests.integration.processes import PATIENCE, end, eventually, start, valuedrift


@pytest.fixture
def topics(kafka: KafkaSettings) -> KafkaSettings:
    create_missing(kafka)
    return kafka


def line(model: str, number: int, *, ts: str | None = None) -> bytes:
    event = {"prompt": "hello", "response": f"answer {number}", "model": model}
    return json.dumps(event | ({"ts": ts} if ts else {})).encode()


def written(kafka: KafkaSettings) -> list[SourceRecord]:
    return list(read_topic(kafka, kafka.topics.input))


def test_lines_go_out_unchanged_keyed_by_monitor_and_in_each_monitors_order(
    topics: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    lines = [line(f"model-{number % 7}", number, ts="2025-01-01T00:00:00Z") + b"  " for number in range(2000)]
    file = tmp_path / "log.jsonl.gz"
    file.write_bytes(gzip.compress(b"\n".join(lines)))
    before = time.time_ns() // 1000
    done = valuedrift("produce", str(file), environment=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.match(rf"sent 2,000 records to {topics.topics.input} ".encode(), done.stdout)
    records = written(topics)
    assert sorted(record.value or b"" for record in records) == sorted(lines)
    for model in range(7):
        mine = [record for record in records if record.key == b"model-%d" % model]
        assert [record.value for record in mine] == [each for number, each in enumerate(lines) if number % 7 == model]
        assert len({record.source for record in mine}) == 1
    assert len({record.source.partition for record in records}) > 1
    assert all(record.timestamp > before - 1_000_000 for record in records), (
        "Kafka's time is the present, not the line's"
    )


def test_the_key_follows_monitor_by(topics: KafkaSettings, environment: dict[str, str]) -> None:
    event = {"prompt": "a", "response": "b", "model": "m", "environment": "prod"}
    chosen = environment | {"VALUEDRIFT_MONITOR__MONITOR_BY": '["model", "environment"]'}
    done = valuedrift("produce", "-", environment=chosen, stdin=json.dumps(event).encode())
    assert done.returncode == 0
    assert [record.key for record in written(topics)] == [b"m|prod"]


def test_a_line_that_cannot_be_read_is_sent_without_a_key_and_one_without_a_time_with_its_key(
    topics: KafkaSettings, environment: dict[str, str]
) -> None:
    lines = [line("m", 0), b"\xff not JSON", b"", line("m", 1)]
    done = valuedrift("produce", "-", environment=environment, stdin=b"\n".join(lines))
    assert done.returncode == 0
    assert b"sent 3 records" in done.stdout
    assert b"1 of them cannot be read" in done.stderr
    assert {(record.key, record.value) for record in written(topics)} == {
        (b"m", lines[0]),
        (None, lines[1]),
        (b"m", lines[3]),
    }


def test_a_megabyte_of_text_is_sent_and_what_kafka_cannot_hold_is_counted(
    topics: KafkaSettings, environment: dict[str, str]
) -> None:
    lines = [line("m", 0), b"x" * 2_000_000, b"y" * 5_000_000, line("m", 1)]
    done = valuedrift("produce", "-", environment=environment, stdin=b"\n".join(lines))
    assert done.returncode == 1
    assert b"sent 3 records" in done.stdout
    assert b"1 lines were too large" in done.stderr
    assert sorted(len(record.value or b"") for record in written(topics)) == sorted(len(lines[at]) for at in (0, 1, 3))


def test_a_topic_with_a_smaller_limit_refuses_only_the_lines_above_it(
    topics: KafkaSettings, environment: dict[str, str]
) -> None:
    with open_admin(topics) as admin:
        configs = {"max.message.bytes": "500000"}
        admin.create_topics(
            {"small": {"num_partitions": 1, "replication_factor": 1, "configs": configs}}, wait_for_metadata=True
        )
    lines = [line("m", 0), b"x" * 1_000_000, line("m", 1), line("m", 2)]
    done = valuedrift("produce", "--topic", "small", "-", environment=environment, stdin=b"\n".join(lines))
    assert done.returncode == 1
    assert b"sent 3 records" in done.stdout
    assert [record.value for record in read_topic(topics, "small") if record.key] == [lines[0], lines[2], lines[3]]


def test_a_topic_that_does_not_exist_is_named_with_what_to_do(
    kafka: KafkaSettings, environment: dict[str, str]
) -> None:
    done = valuedrift("produce", "-", "--topic", "nowhere", environment=environment, stdin=line("m", 0))
    assert done.returncode == 1
    assert b"nowhere" in done.stderr
    assert b"valuedrift topics create" in done.stderr
    assert done.stdout == b""


def test_speed_follows_the_lines_own_times(topics: KafkaSettings, environment: dict[str, str]) -> None:
    lines = [line("m", at, ts=f"2025-01-01T00:0{at}:00Z") for at in range(3)]
    done = valuedrift("produce", "-", "--speed", "60", environment=environment, stdin=b"\n".join(lines))
    assert done.returncode == 0
    first, second, third = (record.timestamp / 1e6 for record in written(topics))
    assert first < second < third
    assert third - first > 0.5, (
        "two minutes at sixty times the speed are two seconds; the first line may have gone out late"
    )


def test_ctrl_c_says_how_many_were_sent_and_they_are_there(
    topics: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "log.jsonl"
    file.write_bytes(b"\n".join(line("m", number) for number in range(5000)))
    process = start("produce", str(file), "--rate", "100/s", environment=environment)
    try:
        assert eventually(lambda: len(written(topics)) > 20)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    finally:
        end(process)
    assert process.returncode == 130
    match = re.search(r"sent ([\d,]+) records", said)
    assert match, said
    assert int(match[1].replace(",", "")) == len(written(topics))
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "options", [("--rate", "x"), ("--rate", "0"), ("--speed", "-1"), ("--rate", "1", "--speed", "1")]
)
def test_a_pace_that_makes_no_sense_is_wrong_use(options: tuple[str, ...]) -> None:
    done = valuedrift("produce", "-", *options)
    assert done.returncode == 2
    assert b"Usage" in done.stderr


def test_a_table_is_mapped_and_goes_out_as_response_events(
    topics: KafkaSettings, environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "log.csv"
    file.write_text('question,answer,when\n"How,\nthen?",So.,2026-03-01 12:00:00\n')
    mapping = ("--map", "prompt=question,response=answer", "--map", "ts=when,model=:gpt-4")
    done = valuedrift("produce", str(file), *mapping, environment=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    (record,) = written(topics)
    assert record.key == b"gpt-4"
    assert json.loads(record.value or b"") == {
        "schema": "valuedrift.response/1",
        "prompt": "How,\nthen?",
        "response": "So.",
        "ts": "2026-03-01T12:00:00.000000Z",
        "model": "gpt-4",
    }
    assert valuedrift("produce", str(file), "--map", "question=prompt").returncode == 2


def test_a_topic_is_checked_as_a_file_is(topics: KafkaSettings, environment: dict[str, str]) -> None:
    lines = [line("m", number) for number in range(4)]
    assert valuedrift("produce", "-", environment=environment, stdin=b"\n".join([*lines, b"no"])).returncode == 0
    done = valuedrift("check", topics.topics.input, "--rows", "10", environment=environment)
    assert done.returncode == 0
    assert b"5 rows read, recognised as canonical (4), no known format (1)" in done.stdout
    assert b"usable   4 of 5" in done.stdout
    assert b"answer 0" in done.stdout
    missing = valuedrift("check", "no.such.topic", environment=environment)
    assert (missing.returncode, b"no topic no.such.topic" in missing.stderr) == (1, True)
