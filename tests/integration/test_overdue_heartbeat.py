"""A member of a group whose heartbeat is overdue, as while the broker hangs: it waits, and does not burn its processor."""

import pytest
from kafka import TopicPartition

from stream.config import KafkaSettings
from stream.kafka.client import open_consumer
from tests.integration.conftest import MakeTopic

MOST_ROUNDS = 20
"""Rounds of half a second of waiting: two, or some more where kafka-python pauses for 0.1 s between them; hundreds when it did not wait."""


def test_a_poll_waits_though_a_heartbeat_is_overdue(
    kafka: KafkaSettings, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, rounds = make_topic(1), 0
    with open_consumer(kafka, group=topic) as consumer:
        # By hand: `poll` reckons with the heartbeat all the same, and no group has to agree on who gets what.
        consumer.assign([TopicPartition(topic, 0)])
        fetch = consumer._fetcher.fetch_records

        def counted(*arguments: object, **options: object) -> object:
            nonlocal rounds
            rounds += 1
            return fetch(*arguments, **options)

        monkeypatch.setattr(consumer._fetcher, "fetch_records", counted)
        monkeypatch.setattr(consumer._coordinator, "time_to_next_heartbeat", lambda: 0.0)
        assert consumer.poll(timeout_ms=500) == {}
    assert 0 < rounds < MOST_ROUNDS
