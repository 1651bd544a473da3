"""What the settings ask of the topics, and how a difference is put into words."""

from dataclasses import replace

from stream.config import KafkaSettings
from stream.kafka.topics import differences, specs

WANTED = {spec.role: spec for spec in specs(KafkaSettings())}
DAY = 24 * 60 * 60 * 1000


def test_input_is_kept_a_week_and_all_output_for_ever() -> None:
    assert {role: spec.retention_ms for role, spec in WANTED.items()} == {
        "input": 7 * DAY,
        "scored": -1,
        "drift": -1,
        "alerts": -1,
        "deadletter": -1,
    }
    assert {spec.partitions for spec in WANTED.values()} == {8}


def test_a_dead_letter_can_hold_the_largest_input_in_base64() -> None:
    assert WANTED["deadletter"].max_message_bytes > WANTED["input"].max_message_bytes * 4 / 3 + 100_000
    assert WANTED["input"].max_message_bytes > 1_048_588, "Kafka's own default refuses 1 MB of text"


def test_names_partitions_and_retention_follow_the_settings() -> None:
    settings = KafkaSettings.model_validate(
        {"topics": {"input": "chats"}, "partitions": 3, "input_retention_days": 0.5}
    )
    spec = specs(settings)[0]
    assert (spec.name, spec.partitions, spec.retention_ms) == ("chats", 3, DAY // 2)


def test_an_equal_topic_differs_in_nothing_and_a_missing_one_has_no_differences() -> None:
    assert differences(WANTED["scored"], WANTED["scored"]) == ()
    assert differences(WANTED["scored"], None) == ()


def test_every_difference_is_named_with_both_values() -> None:
    found = replace(
        WANTED["scored"], partitions=2, retention_ms=DAY, max_message_bytes=1000, replicas=0, cleanup="compact"
    )
    said = differences(WANTED["scored"], found)
    assert len(said) == 5
    assert "2 partitions instead of 8" in said
    assert f"retention.ms {DAY} instead of -1" in said
    assert "cleanup.policy compact instead of delete" in said


def test_more_replicas_and_a_larger_limit_are_no_difference() -> None:
    found = replace(WANTED["scored"], replicas=3, max_message_bytes=100_000_000)
    assert differences(WANTED["scored"], found) == ()
