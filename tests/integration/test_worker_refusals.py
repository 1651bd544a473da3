"""A worker that cannot do its work says why, and ends with exit code 1."""

import json
import socket

import pytest

from stream.config import KafkaSettings
from stream.errors import TopicError
from stream.kafka.client import open_admin
from stream.worker.plan import make_plan
from tests.integration.processes import valuedrift
from tests.integration.workers import (
    await_records,
    await_scored,
    response,
    running,
    scored_responses,
    send,
    worker_settings,
    worker_variables,
)


@pytest.fixture
def variables(environment: dict[str, str], kafka: KafkaSettings) -> dict[str, str]:
    return worker_variables(environment, kafka)


def test_a_missing_topic_stops_it_and_names_the_command(environment: dict[str, str], kafka: KafkaSettings) -> None:
    with running(environment) as worker:
        code, errors = worker.end()
    assert code == 1
    assert f"has no topic {kafka.topics.scored}" in errors
    assert "valuedrift topics create" in errors
    assert "Traceback" not in errors


def test_a_wrong_address_ends_it_and_is_named(variables: dict[str, str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with running({**variables, "VALUEDRIFT_KAFKA__BOOTSTRAP_SERVERS": address}) as worker:
            code, errors = worker.end()
    assert code == 1
    assert f"no Kafka answers at {address}" in errors


def test_with_json_logs_everything_it_says_is_json(variables: dict[str, str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        arguments = ["worker", "--role", "detect", "--log-format", "json", "--bootstrap-servers", address]
        done = valuedrift(*arguments, environment=variables)
    assert done.returncode == 1
    assert done.stdout == b""
    (line,) = map(json.loads, done.stderr.splitlines())
    assert line["level"] == "error"
    assert f"no Kafka answers at {address}" in line["message"]


def test_a_changelog_with_another_number_of_partitions_is_refused(
    variables: dict[str, str], kafka: KafkaSettings
) -> None:
    settings = worker_settings(kafka)
    changelog = f"{variables['VALUEDRIFT_WORKER__APP_ID']}-detect-monitors-changelog"
    assert make_plan(settings, classifies=False, detects=True).scored_partitions == 4
    with open_admin(kafka) as admin:
        admin.create_topics({changelog: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True)
    with pytest.raises(TopicError, match=f"in 2 partitions, but {kafka.topics.scored} has 4; .*app_id"):
        make_plan(settings, classifies=False, detects=True)
    assert make_plan(settings, classifies=True, detects=False).input_partitions == 4


def test_a_changelog_that_forgets_is_refused(variables: dict[str, str], kafka: KafkaSettings) -> None:
    changelog = f"{variables['VALUEDRIFT_WORKER__APP_ID']}-detect-monitors-changelog"
    with open_admin(kafka) as admin:
        admin.create_topics({changelog: {"num_partitions": 4, "replication_factor": 1}}, wait_for_metadata=True)
    with pytest.raises(TopicError, match=r"cleanup\.policy is delete"):
        make_plan(worker_settings(kafka), classifies=False, detects=True)


def test_a_batch_that_fails_ends_it_and_is_not_committed(variables: dict[str, str], kafka: KafkaSettings) -> None:
    send(kafka, [(b"m", response(number, "helpful_aligned")) for number in range(10)], partition=0)
    with running(variables) as worker:
        worker.ready()
        await_scored(kafka, 10)
        send(kafka, [(b"m", response(11, "crash", prompt="a secret"))], partition=0)
        send(kafka, [(b"m", response(number, "helpful_aligned")) for number in range(20, 60)], partition=1)
        code, errors = worker.end()
    assert code == 1
    assert "the classify stage failed (RuntimeError)" in errors
    assert "secret" not in errors
    with open_admin(kafka) as admin:
        group = f"{variables['VALUEDRIFT_WORKER__APP_ID']}-classify"
        committed = {tp.partition: at.offset for tp, at in admin.list_group_offsets(group)[group].items()}
    scored = _scored_offsets(kafka)
    assert committed[0] == 10
    assert all(
        set(range(offset)) <= scored.get(partition, set()) for partition, offset in committed.items() if offset > 0
    )


def test_state_written_under_other_settings_stops_it(variables: dict[str, str], kafka: KafkaSettings) -> None:
    send(kafka, [(b"m", response(number, "helpful_aligned")) for number in range(20)])
    with running(variables) as worker:
        worker.ready()
        await_records(kafka, kafka.topics.drift, 2)
        assert worker.stop()[0] == 0
    with running({**variables, "VALUEDRIFT_MONITOR__WINDOW": "200"}) as worker:
        code, errors = worker.end()
    assert code == 1
    assert "other settings" in errors


def _scored_offsets(kafka: KafkaSettings) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for partition, offset in scored_responses(kafka):
        found.setdefault(partition, set()).add(offset)
    return found
