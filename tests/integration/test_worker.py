"""A worker on the real broker: responses in, scored records, drift events, alerts and dead letters out."""

import json
import re
from base64 import b64decode
from collections import Counter

import pytest
from click.testing import CliRunner

from stream.cli import cli
from stream.config import KafkaSettings
from tests.integration.processes import eventually
from tests.integration.workers import (
    Worker,
    await_records,
    await_scored,
    labels,
    read,
    read_json,
    response,
    running,
    scored_responses,
    send,
    worker_variables,
)

GOOD = response(0, "helpful_aligned")
BAD = {
    "invalid_utf8": b'{"prompt": "p", "model": "m", "response": "\xff\xfe"}',
    "invalid_json": b'{"prompt": "p", "model": ',
    "not_an_object": b"[1, 2]",
    "unknown_format": b'{"message": "hello"}',
    "unknown_schema": response(1, "off_topic", schema="valuedrift.response/9"),
    "missing_field": b'{"prompt": "p", "model": "m"}',
    "wrong_type": response(2, "off_topic", prompt=7),
    "invalid_time": response(3, "off_topic", ts="yesterday"),
    "empty_response": response(4, "off_topic", response=""),
    "too_large": response(5, "off_topic", prompt="x" * 1_100_000),
    "empty_record": None,
}
"""A record of each kind that cannot be used, by the reason that its dead letter gives."""


@pytest.fixture
def variables(environment: dict[str, str], kafka: KafkaSettings) -> dict[str, str]:
    return worker_variables(environment, kafka)


def test_a_change_of_behaviour_becomes_an_alert(variables: dict[str, str], kafka: KafkaSettings) -> None:
    before = labels({"helpful_aligned": 260, "refusal_appropriate": 30, "refusal_excessive": 5, "off_topic": 5}, seed=1)
    after = ["refusal_excessive"] * 100
    send(kafka, ((b"m", response(number, label)) for number, label in enumerate(before + after)))
    with running(variables) as worker:
        worker.ready()
        await_records(kafka, kafka.topics.alerts, 1)
        await_records(kafka, kafka.topics.drift, 40)
        assert eventually(lambda: committed(worker, "detect") > 1.7e9)
        counted = 'valuedrift_responses_scored_total{category="refusal_excessive"} 105.0'
        assert eventually(lambda: counted in worker.get("/metrics")), (
            "it counts when Kafka has told it what others may read"
        )
        monitors = json.loads(worker.get("/monitors"))
        health = worker.get("/healthz"), worker.get("/readyz")
        arguments = ["status", "--url", worker.url, "--monitors"]

        def status() -> str:
            return CliRunner().invoke(cli, arguments, env=variables, obj={}).output

        assert eventually(lambda: status().count("stable") == 2), status()
        said = status()
        code, errors = worker.stop()
    assert code == 0, errors
    categories = Counter(scored_responses(kafka).values())
    assert categories == {"helpful_aligned": 260, "refusal_appropriate": 30, "refusal_excessive": 105, "off_topic": 5}
    (alert, *_) = read_json(kafka, kafka.topics.alerts)
    assert (alert["status"], alert["monitor"], alert["rule"]) == ("firing", "m", "drift")
    assert 300 <= alert["seq"] < 320
    assert {record.key for record in read(kafka, kafka.topics.drift)} == {b"m"}
    (row,) = monitors
    assert (row["name"], row["seq"], row["state"]) == ("m", 399, "firing")
    assert row["shares"]["refusal_excessive"] == 1.0
    assert row["entropy"] == 0.0
    assert health == ("ok\n", "ok\n")
    groups = {line.split()[0]: line.split() for line in said.splitlines() if "stable" in line}
    assert set(groups) == {f"{variables['VALUEDRIFT_WORKER__APP_ID']}-{stage}" for stage in ("classify", "detect")}
    assert {row[3] for row in groups.values()} == {"1"}
    assert re.search(r"classify: [\d,]+ records wait, last commit \d{4}-", said)
    assert "monitors: 1 (1 firing)" in said


def committed(worker: Worker, stage: str) -> float:
    """When the stage last committed, in seconds since 1970, as the metric has it."""
    found = re.search(rf'last_commit_timestamp_seconds{{stage="{stage}"}} (\S+)', worker.get("/metrics"))
    assert found
    return float(found[1])


def test_each_unusable_record_becomes_a_dead_letter_with_its_original_and_processing_goes_on(
    variables: dict[str, str], kafka: KafkaSettings
) -> None:
    send(kafka, [(b"m", value) for bad in BAD.values() for value in (bad, GOOD)], partition=0)
    with running(variables) as worker:
        worker.ready()
        await_records(kafka, kafka.topics.deadletter, len(BAD))
        await_scored(kafka, len(BAD))
        counted = 'valuedrift_dead_letters_total{reason="invalid_json",stage="classify"} 1.0'
        assert eventually(lambda: counted in worker.get("/metrics"))
        code, errors = worker.stop()
    assert code == 0, errors
    letters = read_json(kafka, kafka.topics.deadletter)
    found = {letter["reason"]: (letter["source"]["partition"], letter["offset"]) for letter in letters}
    assert found == {reason: (0, 2 * place) for place, reason in enumerate(BAD)}
    assert set(scored_responses(kafka)) == {(0, 2 * place + 1) for place in range(len(BAD))}
    (broken,) = [letter for letter in letters if letter["reason"] == "invalid_json"]
    assert broken["source"]["topic"] == kafka.topics.input
    assert b64decode(broken["key"]) == b"m"
    assert b64decode(broken["value"]) == BAD["invalid_json"]


def test_roles_split_the_work_between_two_processes(variables: dict[str, str], kafka: KafkaSettings) -> None:
    send(kafka, ((b"m", response(number, "helpful_aligned")) for number in range(60)))
    with running(variables, "classify") as first:
        first.ready()
        await_scored(kafka, 60)
        assert read(kafka, kafka.topics.drift) == []
        with running(variables, "detect") as second:
            second.ready()
            await_records(kafka, kafka.topics.drift, 6)
            (row,) = json.loads(second.get("/monitors"))
            assert row["seq"] == 59
            assert second.stop()[0] == 0
        assert json.loads(first.get("/monitors")) == []
        assert first.stop()[0] == 0


def test_two_workers_share_the_partitions(variables: dict[str, str], kafka: KafkaSettings) -> None:
    keys = [f"m{number}" for number in range(40)]

    def monitors(worker: Worker) -> set[str]:
        return {row["name"] for row in json.loads(worker.get("/monitors"))}

    def are_shared(first: set[str], second: set[str]) -> bool:
        return bool(first and second) and first.isdisjoint(second) and first | second == set(keys)

    with running(variables) as first:
        first.ready()
        with running(variables) as second:
            second.ready()
            send(kafka, ((key.encode(), response(number, "off_topic", model=key)) for number, key in enumerate(keys)))
            assert eventually(lambda: are_shared(monitors(first), monitors(second)))
            assert second.stop()[0] == 0
        assert first.stop()[0] == 0
