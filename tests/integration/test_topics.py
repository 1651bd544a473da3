"""`valuedrift topics` on a real Kafka."""

import pytest

from stream.config import KafkaSettings
from stream.errors import TopicError
from stream.kafka.client import open_admin
from stream.kafka.topics import create_missing, describe, require_topics
from tests.integration.processes import valuedrift


def test_create_makes_what_is_missing_and_a_second_time_nothing(kafka: KafkaSettings) -> None:
    assert create_missing(kafka) == tuple(name for _, name in kafka.topics)
    assert create_missing(kafka) == ()
    assert all(status.ok for status in describe(kafka))


def test_create_leaves_an_existing_topic_as_it_is(kafka: KafkaSettings) -> None:
    with open_admin(kafka) as admin:
        admin.create_topics(
            {kafka.topics.scored: {"num_partitions": 2, "replication_factor": 1}}, wait_for_metadata=True
        )
    assert kafka.topics.scored not in create_missing(kafka)
    scored = {status.wanted.role: status for status in describe(kafka)}["scored"]
    assert scored.found is not None
    assert scored.found.partitions == 2
    assert "2 partitions instead of 4" in scored.differences
    assert any(difference.startswith("retention.ms 604800000 instead of -1") for difference in scored.differences)


def test_required_topics_that_exist_give_their_partitions(kafka: KafkaSettings) -> None:
    create_missing(kafka)
    assert require_topics(kafka, [kafka.topics.input, kafka.topics.drift]) == {
        kafka.topics.input: 4,
        kafka.topics.drift: 4,
    }


def test_a_required_topic_that_is_missing_is_named_with_what_to_do(kafka: KafkaSettings) -> None:
    with pytest.raises(TopicError, match=rf"{kafka.topics.alerts}.*valuedrift topics create"):
        require_topics(kafka, [kafka.topics.alerts])


def test_more_replicas_than_brokers_are_refused_with_the_setting_to_change(kafka: KafkaSettings) -> None:
    with pytest.raises(TopicError, match="replication_factor"):
        create_missing(kafka.model_copy(update={"replication_factor": 3}))


def test_show_says_missing_then_ok_then_what_differs(kafka: KafkaSettings, environment: dict[str, str]) -> None:
    missing = valuedrift("topics", "show", environment=environment)
    assert missing.returncode == 1
    assert missing.stdout.count(b"missing") == 5
    assert b"valuedrift topics create" in missing.stderr

    created = valuedrift("topics", "create", environment=environment)
    assert created.returncode == 0
    assert all(name.encode() in created.stdout for _, name in kafka.topics)

    good = valuedrift("topics", "show", environment=environment)
    assert (good.returncode, good.stderr) == (0, b"")
    assert all(name.encode() in good.stdout for _, name in kafka.topics)

    other = environment | {"VALUEDRIFT_KAFKA__PARTITIONS": "6", "VALUEDRIFT_KAFKA__INPUT_RETENTION_DAYS": "1"}
    differs = valuedrift("topics", "show", environment=other)
    assert differs.returncode == 1
    assert differs.stdout.count(b"4 partitions instead of 6") == 5
    assert b"retention.ms 604800000 instead of 86400000" in differs.stdout
    again = valuedrift("topics", "create", environment=other)
    assert again.returncode == 0
    assert b"topics show" in again.stderr
