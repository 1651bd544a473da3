"""Stopped or killed at any moment, and started again: each response is counted once, and each id has one content."""

import pytest

from stream.config import KafkaSettings, Settings
from tests.integration.workers import (
    audit,
    await_records,
    await_scored,
    labels,
    read,
    response,
    running,
    send,
    worker_settings,
    worker_variables,
)

pytestmark = pytest.mark.kills

COUNTS = {"helpful_aligned": 500, "refusal_appropriate": 60, "refusal_excessive": 20, "off_topic": 20}

SLOW = 1.0
"""Seconds that a micro-batch takes: the whole takes longer than it takes this test to notice that a part is done."""


@pytest.fixture
def variables(environment: dict[str, str], kafka: KafkaSettings) -> dict[str, str]:
    return worker_variables(environment, kafka)


@pytest.fixture
def settings(kafka: KafkaSettings) -> Settings:
    return worker_settings(kafka)


def send_a_change(kafka: KafkaSettings) -> int:
    """Three monitors whose behaviour changes after 600 responses each; returns the number of responses."""
    sent = 0
    for model in ("a", "b", "c"):
        stream = labels(COUNTS, seed=sent) + ["helpful_misaligned"] * 100
        send(kafka, ((model.encode(), response(number, label, model=model)) for number, label in enumerate(stream)))
        sent += len(stream)
    return sent


def test_stopped_and_killed_in_the_middle_it_loses_and_doubles_nothing(
    variables: dict[str, str], kafka: KafkaSettings, settings: Settings
) -> None:
    sent = send_a_change(kafka)
    with running(variables, delay=SLOW) as worker:
        worker.ready()
        await_scored(kafka, 200)
        code, errors = worker.stop()
        assert code == 0, errors
    before = len(read(kafka, kafka.topics.drift))
    assert before < sent // 10
    with running(variables, delay=SLOW) as worker:
        worker.ready()
        await_records(kafka, kafka.topics.drift, before + 10)
        worker.kill()
    assert len(read(kafka, kafka.topics.drift)) < sent // 10
    with running(variables) as worker:
        worker.ready()
        await_scored(kafka, sent)
        await_records(kafka, kafka.topics.drift, sent // 10)
        assert worker.stop()[0] == 0
    audit(kafka, settings, sent=sent)


def test_a_second_worker_takes_over_from_a_killed_one(
    variables: dict[str, str], kafka: KafkaSettings, settings: Settings
) -> None:
    with running(variables, delay=0.02) as first, running(variables, delay=0.02) as second:
        first.ready()
        second.ready()
        sent = send_a_change(kafka)
        await_records(kafka, kafka.topics.drift, 10)
        first.kill()
        await_scored(kafka, sent)
        await_records(kafka, kafka.topics.drift, sent // 10)
        assert second.stop()[0] == 0
    audit(kafka, settings, sent=sent)
